"""The simulated front end in both modes, and what is base mode's alone; rdit/1's is in `test_frontend_v1.py`."""

import gc
import itertools
import weakref

import anywidget
import ipywidgets
import pytest
import traitlets
from hypothesis import given
from hypothesis import strategies as st

from rdit_core import Limits, UnknownWidget, WidgetManager, WidgetNotHostable, WritePolicy
from rdit_core.base_client import EditRefused, OutputReceived
from rdit_harness import AbortController, Frontend, NeverSettles
from rdit_harness.modules.scope import ScopedModel

base_only = pytest.mark.parametrize("rdit_mode", ["base"])


@pytest.fixture(params=["v1", "base"])
def rdit_mode(request):
    return request.param


class Counter(anywidget.AnyWidget):
    _esm = "export default {}"
    value = traitlets.Int(0, max=100).tag(sync=True)
    label = traitlets.Unicode("").tag(sync=True)
    data = traitlets.Any(None).tag(sync=True)
    raw = traitlets.Bytes(b"").tag(sync=True)
    number = traitlets.Float(0.0).tag(sync=True)


class Clamped(Counter):
    @traitlets.validate("value")
    def _clamp(self, proposal):
        return min(proposal["value"], 10)


def edit(model, **state):
    for name, value in state.items():
        model.set(name, value)
    model.save_changes()


def heard_by(model, name="value"):
    heard = []
    model.on(f"change:{name}", lambda: heard.append(model.get(name)))
    return heard


# One page.


def test_an_edit_reaches_python_and_python_reaches_the_page(rdit_sim):
    counter = Counter(value=2)
    page = rdit_sim.page()
    model = page.open(counter)
    edit(model, value=3)
    assert counter.value == 2
    rdit_sim.settle()
    assert counter.value == 3
    heard = heard_by(model)
    counter.value = 4
    assert heard == []
    rdit_sim.settle()
    assert heard == [4]
    assert page.is_idle


def test_python_sets_in_a_loop_are_seen_as_the_last_value(rdit_sim):
    counter = Counter()
    heard = heard_by(rdit_sim.page().open(counter))
    for value in range(50):
        counter.value = value
    rdit_sim.settle()
    assert heard == [49]


def test_a_page_does_not_hear_its_own_edits_again(rdit_sim):
    counter = Counter()
    model = rdit_sim.page().open(counter)
    heard = heard_by(model)
    for value in range(1, 30):
        edit(model, value=value)
        rdit_sim.advance(0.01)
    rdit_sim.settle()
    assert heard == list(range(1, 30))


def test_a_drag_meets_no_value_of_python_until_it_rests(rdit_sim):
    counter = Counter()
    model = rdit_sim.page().open(counter)
    heard = heard_by(model)
    for value in range(1, 20):
        edit(model, value=value)
        counter.value = 77
        rdit_sim.deliver()
    assert 77 not in heard[:-1]
    rdit_sim.settle()
    assert model.get("value") == counter.value


@base_only
@pytest.mark.parametrize("start", [0, 10])
def test_a_clamped_write_is_corrected_in_a_quarter_of_a_second_even_where_the_clamp_changes_nothing(rdit_sim, start):
    widget = Clamped(value=start)
    model = rdit_sim.page().open(widget)
    edit(model, value=50)
    rdit_sim.deliver()
    assert (widget.value, model.get("value")) == (10, 50)
    rdit_sim.advance(0.2)
    assert model.get("value") == 50
    rdit_sim.advance(0.1)
    assert model.get("value") == 10


def test_a_refused_write_ends_with_pythons_value_and_an_event(rdit_sim):
    counter = Counter(value=1)
    page = rdit_sim.page()
    model = page.open(counter)
    edit(model, value="text")
    rdit_sim.settle()
    assert model.get("value") == 1
    [event] = page.events
    assert isinstance(event, EditRefused)
    assert (event.code, event.widget_id, event.property) == ("invalid_value", model.widget_id, "value")


def test_a_read_only_widget_is_shown_and_corrects_who_writes(rdit_sim):
    counter = Counter(value=1)
    rdit_sim.manager.register("shown", counter, policy=WritePolicy(two_way=False))
    page = rdit_sim.page()
    model = page.open("shown")
    edit(model, value=2)
    rdit_sim.settle()
    assert model.get("value") == counter.value == 1
    assert page.events[0].code == "read_only"


def test_an_observer_that_raises_leaves_page_and_python_agreed(rdit_sim, rdit_mode, caplog):
    counter = Counter()
    reported = []
    rdit_sim.manager.on("observer_failed", reported.append)
    counter.observe(lambda change: 1 / 0, "value")
    page = rdit_sim.page()
    model = page.open(counter)
    edit(model, value=5)
    rdit_sim.settle()
    assert counter.value == model.get("value") == 5
    assert [event.code for event in page.events] == ([] if rdit_mode == "base" else ["observer_failed"])
    assert [type(event.error) for event in reported] == [ZeroDivisionError]


@pytest.mark.afm(59, 60)
def test_binary_crosses_both_ways_at_any_depth(rdit_sim):
    counter = Counter()
    model = rdit_sim.page().open(counter)
    edit(model, raw=b"\x00\xff", data={"rows": [b"a", {"x": b"b"}]})
    rdit_sim.settle()
    assert counter.raw == b"\x00\xff"
    assert isinstance(counter.raw, bytes)
    assert counter.data == {"rows": [memoryview(b"a"), {"x": memoryview(b"b")}]}
    counter.data = [memoryview(b"abcdef")[2:4], bytearray(b"c")]
    counter.raw = b"back"
    rdit_sim.settle()
    assert (model.get("data"), model.get("raw")) == ([b"cd", b"c"], b"back")


@base_only
def test_numbers_that_json_does_not_have_are_null_on_the_page(rdit_sim):
    counter = Counter(number=float("nan"))
    model = rdit_sim.page().open(counter)
    assert model.get("number") is None
    counter.number = 1.5
    rdit_sim.settle()
    assert model.get("number") == 1.5
    counter.number = float("inf")
    rdit_sim.settle()
    assert model.get("number") is None


def test_one_true_and_one_point_nought_are_told_apart(rdit_sim):
    counter = Counter(data=0)
    here, there = (rdit_sim.page().open(counter) for _ in range(2))
    for value in (1, True, 1.0, False, 0):
        edit(here, data=value)
        rdit_sim.settle()
        assert here.get("data") == there.get("data") == value
        assert isinstance(there.get("data"), bool) == isinstance(value, bool)


def test_an_edit_in_place_is_seen_after_a_touch(rdit_sim):
    counter = Counter(data=[1])
    model = rdit_sim.page().open(counter)
    counter.data.append(2)
    rdit_sim.settle()
    assert model.get("data") == [1]
    rdit_sim.manager.touch(counter, "data")
    rdit_sim.settle()
    assert model.get("data") == [1, 2]


# Several pages.


def test_what_one_tab_does_the_other_shows(rdit_sim):
    counter = Counter()
    here, there = (rdit_sim.page().open(counter) for _ in range(2))
    heard = heard_by(there)
    edit(here, value=5)
    rdit_sim.settle()
    edit(there, value=6)
    rdit_sim.settle()
    assert heard == [5, 6]
    assert here.get("value") == there.get("value") == counter.value == 6


def test_two_tabs_that_write_at_once_agree_on_the_last_to_arrive(rdit_sim):
    counter = Counter()
    here, there = (rdit_sim.page().open(counter) for _ in range(2))
    edit(here, value=5)
    edit(there, value=6)
    rdit_sim.settle()
    assert here.get("value") == there.get("value") == counter.value == 6


def test_a_drag_in_one_tab_is_followed_by_the_other(rdit_sim):
    counter = Counter()
    here, there = (rdit_sim.page().open(counter) for _ in range(2))
    heard = heard_by(there)
    for value in range(1, 10):
        edit(here, value=value)
        rdit_sim.advance(1 / 60)
    rdit_sim.settle()
    assert heard == list(range(1, 10))


def test_linked_widgets_on_different_pages_move_together_and_come_to_rest(rdit_sim):
    first, second = Counter(), Clamped()
    link = traitlets.link((first, "value"), (second, "value"))
    here, there = rdit_sim.page().open(first), rdit_sim.page().open(second)
    edit(here, value=7)
    rdit_sim.settle()
    assert there.get("value") == 7
    edit(there, value=3)
    rdit_sim.settle()
    assert here.get("value") == 3
    edit(here, value=50)
    rdit_sim.settle()
    assert (here.get("value"), there.get("value")) == (first.value, second.value)
    link.unlink()


# Links that are cut.


def test_edits_made_offline_arrive_as_the_last_value_of_each_property(rdit_sim):
    counter = Counter()
    seen = []
    counter.observe(lambda change: seen.append((change["name"], change["new"])), ["value", "label"])
    page = rdit_sim.page()
    model = page.open(counter)
    page.drop()
    for value in range(1, 50):
        edit(model, value=value, label=str(value))
    rdit_sim.settle()
    assert seen == []
    page.heal()
    rdit_sim.settle()
    assert seen == [("value", 49), ("label", "49")]


@base_only
def test_an_edit_whose_answer_was_lost_is_made_again(rdit_sim):
    counter = Counter()
    page = rdit_sim.page()
    model = page.open(counter)
    edit(model, value=5)
    page.step()
    page.drop()
    rdit_sim.settle()
    assert counter.value == 5
    counter.value = 6
    page.heal()
    rdit_sim.settle()
    assert model.get("value") == counter.value == 5


@base_only
def test_an_edit_that_was_lost_with_its_newer_one_behind_it_is_not_made_again(rdit_sim):
    counter = Counter()
    seen = []
    page = rdit_sim.page()
    model = page.open(counter)
    edit(model, value=5)
    page.client.frames_to_send()
    edit(model, value=6)
    page.drop()
    counter.observe(lambda change: seen.append(change["new"]), "value")
    page.heal()
    rdit_sim.settle()
    assert seen == [6]


def test_a_page_that_comes_back_gets_what_it_missed_and_the_order_of_its_edits_stands(rdit_sim):
    counter = Counter()
    page = rdit_sim.page()
    model = page.open(counter)
    page.drop()
    counter.value = 9
    counter.label = "missed"
    counter._esm = "export default 2"
    edit(model, value=4)
    page.heal()
    rdit_sim.settle()
    assert model.get("label") == "missed"
    assert model.get("_esm") == "export default 2"
    assert model.get("value") == counter.value == 4


def test_a_page_that_loads_anew_has_the_present_state(rdit_sim):
    counter = Counter()
    page = rdit_sim.page()
    edit(page.open(counter), value=8)
    rdit_sim.settle()
    page.close()
    assert rdit_sim.page().open(counter).get("value") == 8


def test_a_page_that_opens_late_has_what_was_pushed_before(rdit_sim):
    counter = Counter()
    widget_id = rdit_sim.manager.add(counter)
    page = rdit_sim.page()
    counter.value = 3
    rdit_sim.settle()
    assert page.open(widget_id).get("value") == 3


@base_only
def test_a_listener_that_cuts_the_link_loses_the_frames_behind(rdit_sim):
    counter = Counter()
    page = rdit_sim.page()
    model = page.open(counter)
    model.on("change:value", page.drop)
    counter.value = 1
    counter.label = "late"
    rdit_sim.settle()
    assert not page.is_connected
    assert (model.get("value"), model.get("label")) == (1, "")
    page.heal()
    rdit_sim.settle()
    assert model.get("label") == "late"


@base_only
def test_a_widget_that_is_closed_or_replaced_leaves_the_page_as_it_was(rdit_sim):
    counter = Counter(value=1)
    page = rdit_sim.page()
    model = page.open(counter)
    counter.close()
    edit(model, value=2)
    rdit_sim.settle()
    assert page.events[-1].code == "unknown_widget"
    assert model.get("value") == 2
    assert counter.value == 1


# Bad frames.

BAD = {
    "{": "bad_json",
    b"\xff": "bad_unicode",
    '{"type":"widget_update","widget_id":"ID","property":"value","value":NaN}': "bad_number",
    "[" * 1000: "too_deep",
    "x" * 5000: "too_large",
    "[]": "bad_message",
    '{"type":"widget_update","widget_id":"ID","property":"value"}': "bad_message",
    '{"type":"reset"}': "unknown_type",
    '{"type":"ack","widget_id":"ID","property":"value"}': "unknown_type",
    '{"type":"widget_update","widget_id":"nobody","property":"value","value":1}': "unknown_widget",
    '{"type":"widget_update","widget_id":"ID","property":"nothing","value":1}': "unknown_property",
    '{"type":"widget_update","widget_id":"ID","property":"_esm","value":"x"}': "protected_property",
    '{"type":"widget_update","widget_id":"ID","property":"__class__","value":"x"}': "protected_property",
    '{"type":"widget_update","widget_id":"ID","property":"value","value":"x"}': "invalid_value",
    '{"type":"widget_update","widget_id":"ID","property":"value","value":101}': "invalid_value",
}


@base_only
@pytest.mark.parametrize(("frame", "code"), BAD.items())
def test_a_bad_frame_gets_its_code_and_harms_nothing_else(frame, code, rdit_mode):
    frontend = Frontend(WidgetManager(ids=lambda: "ID", limits=Limits(max_frame_bytes=4096)), mode=rdit_mode)
    counter = Counter(value=7)
    page, other = frontend.page(), frontend.page()
    model, there = page.open(counter), other.open(counter)
    before = dict(counter._trait_values)
    page.send_raw(frame)
    frontend.settle()
    assert [event.code for event in page.events] == [code]
    assert {name: counter._trait_values[name] for name in before} == before
    assert there.get("value") == model.get("value") == 7
    edit(model, value=8)
    frontend.settle()
    assert counter.value == there.get("value") == 8
    frontend.manager.clear()


def test_an_upload_that_is_too_long_is_refused_and_the_model_lives_on(rdit_mode):
    frontend = Frontend(WidgetManager(limits=Limits(max_frame_bytes=2000)), mode=rdit_mode)
    counter = Counter()
    page = frontend.page()
    model = page.open(counter)
    edit(model, data="x" * 5000)
    frontend.settle()
    assert page.is_idle
    assert [(event.code, event.property) for event in page.events] == [("too_large", "data")]
    edit(model, data="short")
    frontend.settle()
    assert counter.data == "short"
    frontend.manager.clear()


# The simulation itself.


@base_only
def test_frames_are_kept_with_their_time_and_direction(rdit_sim):
    page = rdit_sim.page()
    model = page.open(Counter())
    rdit_sim.advance(1.5)
    edit(model, value=1000)
    rdit_sim.settle()
    assert [(frame.at_s, frame.direction) for frame in page.wire] == [
        (1.5, "to_server"),
        (1.5, "to_page"),
        (1.75, "to_page"),
    ]


@base_only
def test_advancing_meets_each_deadline_in_order(rdit_sim):
    first, second = Clamped(), Clamped()
    page = rdit_sim.page()
    models = page.open(first), page.open(second)
    edit(models[0], value=50)
    rdit_sim.advance(0.1)
    edit(models[1], value=50)
    rdit_sim.advance(0.2)
    assert [model.get("value") for model in models] == [10, 50]
    rdit_sim.advance(1)
    assert [model.get("value") for model in models] == [10, 10]
    assert [frame.at_s for frame in page.wire[-2:]] == [0.25, 0.35]
    assert rdit_sim.clock.now_s == pytest.approx(1.3)


def test_pages_that_answer_each_other_for_ever_never_settle(rdit_sim, monkeypatch):
    monkeypatch.setattr("rdit_harness.frontend._MAX_ROUNDS", 200)
    counter = Counter(data=0)
    numbers, answered = itertools.count(1), set()

    def answer(model):
        if model.get("data") not in answered:  # Its own answers it hears too, and leaves alone.
            answered.add(number := next(numbers))
            edit(model, data=number)
            answered.discard(number)

    for _ in range(2):
        model = rdit_sim.page().open(counter)
        model.on("change:data", lambda model=model: answer(model))
    counter.data = -1
    with pytest.raises(NeverSettles, match="Frames still flow"):
        rdit_sim.settle()


@base_only
def test_a_page_that_answers_each_correction_never_settles(rdit_sim, monkeypatch):
    monkeypatch.setattr("rdit_harness.frontend._MAX_ROUNDS", 200)
    model = rdit_sim.page().open(Clamped())
    model.on("change:value", lambda: model.get("value") == 10 and edit(model, value=50))
    edit(model, value=50)
    with pytest.raises(NeverSettles, match="Deadlines are still set"):
        rdit_sim.settle()


@pytest.mark.afm(18, 50)
def test_views_listen_for_themselves_and_end_once(rdit_sim):
    counter, calls = Counter(), []
    page = rdit_sim.page()

    def render(view):
        view.on("change:value", lambda: calls.append("heard"))
        return lambda: calls.append("cleaned")

    first, second = page.render(counter, render), page.render(counter, render)
    third = page.render(counter)
    assert first.model is second.model is third.model
    first.dispose()
    first.dispose()
    first.on("change:value", lambda: calls.append("heard by a view that has ended"))
    counter.value = 1
    rdit_sim.settle()
    second.off()
    counter.value = 2
    rdit_sim.settle()
    page.close()
    assert calls == ["cleaned", "heard", "cleaned"]
    assert first.model.listener_count == 0
    assert rdit_sim.pages == []


def test_a_page_without_a_connection_can_send_nothing(rdit_sim):
    page = rdit_sim.page()
    page.drop()
    assert page.step() == 0
    with pytest.raises(AssertionError, match="heal"):
        page.send_raw("x")


def test_a_front_end_keeps_the_manager_it_is_given_and_its_profile(rdit_mode):
    manager = WidgetManager()
    frontend = Frontend(manager, mode=rdit_mode, profile="compat")
    assert frontend.manager is manager
    heard = []
    model = frontend.page().open(Counter())
    model.on("change:value", lambda *args: heard.append(args))
    edit(model, value=1)
    assert heard == [(model, 1, {})]
    manager.clear()


@pytest.mark.parametrize(("profile", "changed"), [("compat", {"value": 1}), ("strict", None)])
def test_the_model_of_a_hook_says_what_changed_where_backbones_would(rdit_mode, profile, changed):
    frontend = Frontend(mode=rdit_mode, profile=profile)
    page = frontend.page()
    model = page.open(Counter())
    scoped = ScopedModel(page.code, model, AbortController().signal)
    edit(model, value=1)
    assert scoped.changed == changed
    frontend.manager.clear()


def test_output_of_the_host_reaches_its_pages(rdit_sim):
    page = rdit_sim.page()
    rdit_sim.manager.send_output(1, b'{"text":"hello"}')
    rdit_sim.settle()
    assert page.events == [OutputReceived(1, {"text": "hello"})]


def test_a_front_end_that_is_gone_keeps_no_widget(rdit_sim):
    counter = Counter()
    page = rdit_sim.page()
    edit(page.open(counter), value=1)
    rdit_sim.settle()
    kept = weakref.ref(counter)
    del counter
    rdit_sim.manager.clear()
    gc.collect()
    assert kept() is None


def test_a_front_end_has_pages_of_either_mode_and_of_no_other(rdit_sim, rdit_mode):
    counter = Counter()
    pages = [rdit_sim.page(), rdit_sim.page("v1"), rdit_sim.page("base")]
    assert [page.mode for page in pages] == [rdit_mode, "v1", "base"]
    models = [page.open(counter) for page in pages]
    edit(models[1], value=5)
    rdit_sim.settle()
    edit(models[2], label="five")
    rdit_sim.settle()
    assert [(model.get("value"), model.get("label")) for model in models] == [(5, "five")] * 3
    with pytest.raises(ValueError, match="'v1' or 'base', got 'v2'"):
        rdit_sim.page("v2")
    assert rdit_sim.pages == pages


def test_what_cannot_be_shown_cannot_be_opened(rdit_sim):
    page = rdit_sim.page()
    with pytest.raises(UnknownWidget, match="nobody"):
        page.open("nobody")
    with pytest.raises(WidgetNotHostable, match="ES module"):
        page.open(ipywidgets.IntSlider())


def test_a_listener_that_settles_leaves_the_order_of_frames_alone(rdit_sim):
    counter = Counter()
    page, heard = rdit_sim.page(), []
    model = page.open(counter)

    def settle():
        rdit_sim.settle()
        heard.append((model.get("value"), model.get("label"), page.step()))

    model.on("change:value", settle)
    counter.value = 1
    rdit_sim.deliver()
    counter.value = 2
    counter.label = "two"
    rdit_sim.settle()
    assert [entry[0] for entry in heard] == [1, 2]
    assert {entry[2] for entry in heard} == {0}
    assert model.get("label") == "two"


def test_a_page_is_not_idle_while_python_has_something_to_say(rdit_sim):
    counter = Counter()
    page = rdit_sim.page()
    page.open(counter)
    rdit_sim.settle()
    assert page.is_idle
    counter.value = 1
    assert not page.is_idle
    rdit_sim.settle()
    assert page.is_idle
    page.send_raw("{")
    assert not page.is_idle
    rdit_sim.settle()
    assert page.is_idle


# Everything at once.

numbers = st.integers(0, 2)
steps = st.one_of(
    st.tuples(st.sampled_from(["edit", "python"]), numbers, st.sampled_from(["value", "label"]), st.integers(0, 20)),
    st.tuples(st.sampled_from(["drop", "heal", "step", "reload"]), numbers),
    st.tuples(st.sampled_from(["apply", "deliver"])),
    st.tuples(st.just("advance"), st.floats(0, 0.4)),
)


@pytest.mark.parametrize("mode", ["v1", "base", "both"])
@given(history=st.lists(steps, max_size=40))
def test_whatever_pages_python_and_the_network_do_all_agree_in_the_end(mode, history):
    frontend = Frontend()
    modes = ["v1", "base", "v1"] if mode == "both" else [mode] * 3
    widgets = Clamped(), Counter(), Counter()
    traitlets.link((widgets[1], "label"), (widgets[2], "label"))
    widgets[2].observe(lambda change: setattr(widgets[1], "value", change["new"] // 2), "value")
    pages = [frontend.page(mode) for mode in modes]
    for page, widget in itertools.product(pages, widgets):
        page.open(widget)

    def wanted(name, value):
        return value if name == "value" else str(value)

    for kind, *arguments in history:
        match kind, arguments:
            case "edit", (number, name, value):
                for model in pages[number].client.models.values():
                    edit(model, **{name: wanted(name, value)})
            case "python", (number, name, value):
                setattr(widgets[number], name, wanted(name, value))
            case "drop", (number,):
                pages[number].drop()
            case "heal", (number,):
                pages[number].heal()
            case "step", (number,):
                pages[number].step()
            case "reload", (number,):
                pages[number].close()
                pages[number] = frontend.page(modes[number])
                for widget in widgets:
                    pages[number].open(widget)
            case "apply", ():
                frontend.manager.apply_pending()
            case "deliver", ():
                frontend.deliver()
            case "advance", (seconds,):
                frontend.advance(seconds)
    for page in pages:
        page.heal()
    frontend.settle()
    for page, widget in itertools.product(pages, widgets):
        model = page.open(widget)
        assert (model.get("value"), model.get("label")) == (widget.value, widget.label)
        assert page.is_idle
    for page in pages:
        page.close()
    frontend.manager.clear()

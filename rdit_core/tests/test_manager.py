import contextvars
import gc
import json
import logging
import sys
import threading
import traceback
import weakref

import anywidget
import ipywidgets
import pytest
import traitlets
from anywidget.experimental import MimeBundleDescriptor, dataclass
from ipywidgets.widgets.widget import _instances

from rdit_core import (
    TRUSTED,
    InvalidWidgetId,
    LimitReached,
    Limits,
    UnknownWidget,
    WidgetManager,
    WidgetNotHostable,
    WritePolicy,
    WriteRefused,
)
from rdit_core.access import Verdict
from rdit_core.events import (
    Connected,
    Disconnected,
    MessageDropped,
    ObserverFailed,
    ValueSkipped,
    WidgetClosed,
    WidgetOpened,
    WriteWasRefused,
)

ESM = "export default { render() {} }"


class Counter(anywidget.AnyWidget):
    _esm = ESM
    value = traitlets.Int(0).tag(sync=True)
    private = traitlets.Int(0)
    fixed = traitlets.Int(7, read_only=True).tag(sync=True)
    label = traitlets.Unicode("").tag(sync=True)
    data = traitlets.Any(None).tag(sync=True)


class Page:
    """The server's end of a connection, driven by hand."""

    def __init__(self, manager, **options):
        self.manager = manager
        self.now = 0.0
        self.connection = manager.connect(TRUSTED, **options)

    def send(self, widget_id, name, value):
        update = {"type": "widget_update", "widget_id": widget_id, "property": name, "value": value}
        self.connection.receive_frame(json.dumps(update), self.now)

    def read(self):
        return [json.loads(frame) for frame in self.connection.frames_to_send()]

    def pushes(self):
        return [(one["property"], one["value"]) for one in self.read() if one["type"] == "widget_update"]

    def write(self, widget_id, name, value):
        """Send, apply, and give the answer: `ack` or a code."""
        self.send(widget_id, name, value)
        self.manager.apply_pending()
        [answer] = [one for one in self.read() if one["type"] != "widget_update"]
        return answer.get("code", "ack")

    def settle(self):
        """What is pushed when the corrections are due."""
        self.now += 1
        self.connection.handle_timeout(self.now)
        return self.pushes()


@pytest.fixture
def events(manager):
    events = []
    for name in (
        "connected disconnected opened closed write_refused observer_failed unserializable_value message_dropped "
        "output_dropped"
    ).split():
        manager.on(name, events.append)
    return events


@pytest.fixture
def page(manager):
    return Page(manager)


# In and out.


def test_a_registered_widget_is_found_under_its_id(manager, events):
    counter = Counter()
    manager.register("my.id", counter)
    assert manager["my.id"] is counter
    assert manager.widgets == {"my.id": counter}
    assert "my.id" in manager
    assert "other" not in manager
    assert (list(manager), len(manager), manager.id_of(counter)) == (["my.id"], 1, "my.id")
    assert (manager.inst("my.id"), manager.inst("other")) == (manager.revision, None)
    assert manager.is_displayable("my.id")
    assert not manager.is_displayable("other")
    assert events == [WidgetOpened("my.id")]
    with pytest.raises(TypeError):
        manager.widgets["x"] = counter


def test_registering_again_under_the_same_id_changes_nothing(manager, events):
    counter = Counter()
    manager.register("a", counter)
    manager.register("a", counter)
    assert manager.id_of(counter) == "a"
    assert events == [WidgetOpened("a")]


def test_a_widget_with_several_names_is_one_widget(manager, page, events):
    counter = Counter()
    assert manager.add(counter) == "w1"
    assert manager.add(counter) == "w1"
    manager.register("alias", counter)
    assert len(manager) == 2
    assert page.write("alias", "value", 3) == "ack"
    assert counter.value == 3
    # The other name may be shown on the same page, so it is told; the one that wrote is not.
    other = Page(manager)
    other.read()
    assert page.write("alias", "value", 4) == "ack"
    assert [(one["widget_id"], one["value"]) for one in other.read()] == [("w1", 4), ("alias", 4)]
    assert page.settle() == []
    manager.unregister("w1")
    assert manager.add(counter) == "alias"
    assert manager["alias"].value == 4
    counter.value = 5
    assert page.pushes() == [("value", 5)]
    assert page.write("w1", "value", 1) == "unknown_widget"
    manager.unregister("alias")
    assert manager.id_of(counter) is None
    assert [event for event in events if isinstance(event, WidgetClosed)] == [WidgetClosed("w1"), WidgetClosed("alias")]


def test_the_name_that_is_left_writes_to_the_page_that_uses_the_other_name(manager):
    counter = Counter()
    manager.add(counter)
    manager.register("alias", counter)
    page = Page(manager)
    page.send("w1", "value", 1)
    manager.apply_pending()
    assert [(one["type"], one["widget_id"]) for one in page.read()] == [("ack", "w1"), ("widget_update", "alias")]


def test_an_id_that_names_another_widget_is_taken_over(manager, events):
    first, second = Counter(), Counter()
    manager.register("a", first)
    manager.register("a", second)
    assert manager["a"] is second
    assert manager.id_of(first) is None
    assert first.comm is None
    assert events == [WidgetOpened("a"), WidgetClosed("a"), WidgetOpened("a")]


def test_an_edit_that_was_meant_for_the_widget_before_never_reaches_the_one_after(manager, page):
    first, second = Counter(), Counter()
    manager.register("a", first)
    page.send("a", "value", 5)
    manager.register("a", second)
    manager.apply_pending()
    assert [one["code"] for one in page.read()] == ["unknown_widget"]
    assert (first.value, second.value) == (0, 0)
    assert page.write("a", "value", 6) == "ack"
    assert (first.value, second.value) == (0, 6)
    assert page.settle() == []


@pytest.mark.parametrize("widget_id", ["", "a b", "a" * 129, None])
def test_a_widget_is_not_hosted_under_an_id_that_is_none(manager, widget_id):
    with pytest.raises(InvalidWidgetId):
        manager.register(widget_id, Counter())
    assert len(manager) == 0


@pytest.mark.parametrize("thing", [object(), 3, Counter, None])
def test_what_is_no_widget_is_not_hosted(manager, thing):
    with pytest.raises(WidgetNotHostable, match=r"Expected an anywidget\.AnyWidget"):
        manager.add(thing)
    assert manager.id_of(thing) is None


def test_ids_must_be_given_once(manager):
    manager._comms.next_id = lambda: "same"
    with manager.capture():
        Counter()
        with pytest.raises(InvalidWidgetId, match="taken"):
            Counter()
    assert len(manager) == 1


def test_ids_are_uuids_and_epochs_are_random_by_default():
    first, second = WidgetManager(), WidgetManager()
    assert first.epoch != second.epoch
    assert len(first.epoch) == 32
    ids = {first.add(Counter()) for _ in range(3)}
    assert {len(one) for one in ids} == {36}
    assert len(ids) == 3
    first.clear()


def test_an_unknown_id_is_an_error_to_find_and_none_to_let_go(manager):
    manager.unregister("nobody")
    with pytest.raises(UnknownWidget, match=r"^Widget nobody not found$"):
        manager["nobody"]
    with pytest.raises(UnknownWidget):
        manager.update("nobody", "value", 1)
    with pytest.raises(UnknownWidget):
        manager.serialize("nobody")
    with pytest.raises(UnknownWidget):
        manager.touch("nobody", "value")
    with pytest.raises(UnknownWidget):
        manager.touch(Counter(), "value")


def test_widgets_beyond_the_limit_are_refused_and_those_before_go_on():
    manager = WidgetManager(limits=Limits(max_widgets=2))
    first, second = Counter(), Counter()
    manager.register("a", first)
    manager.register("b", second)
    for attempt in (lambda: manager.register("c", Counter()), lambda: manager.register("c", first)):
        with pytest.raises(LimitReached):
            attempt()
    with pytest.raises(LimitReached), manager.capture():
        Counter()
    assert set(manager) == {"a", "b"}
    manager.register("a", second)
    assert manager["a"] is second
    manager.unregister("a")
    manager.register("c", Counter())
    manager.clear()
    assert not manager._comms._layouts


def test_connections_beyond_the_limit_are_refused_per_user():
    manager = WidgetManager(limits=Limits(max_connections=2))
    ada, bob = Verdict(True, user="ada"), Verdict(True, user="bob")
    first = manager.connect(ada)
    manager.connect(ada)
    with pytest.raises(LimitReached):
        manager.connect(ada)
    manager.connect(bob)
    first.receive_eof()
    manager.connect(ada)


def test_connections_come_and_go_with_events(manager, events):
    connection = manager.connect(Verdict(True, user="ada"))
    connection.receive_eof()
    assert events == [Connected(1, "ada"), Disconnected(1, "ada")]


# The comm hook.


def test_a_captured_widget_has_the_managers_id_and_its_layout_has_none(manager, events):
    with manager.capture():
        counter = Counter(value=3)
    assert manager["w1"] is counter
    assert counter.model_id == "w1"
    assert len(manager) == 1
    assert events == [WidgetOpened("w1")]
    assert Counter().comm is not None
    assert len(manager) == 1


def test_an_installed_manager_hosts_what_is_made_anywhere_until_it_is_uninstalled(manager):
    manager.install()
    made = []
    thread = threading.Thread(target=lambda: made.append(Counter()))
    thread.start()
    thread.join()
    assert manager["w1"] is made[0]
    manager.uninstall()
    Counter()
    assert list(manager) == ["w1"]


def test_two_managers_in_two_threads_host_their_own_under_the_same_ids(manager):
    managers = [WidgetManager(ids=lambda: "same") for _ in range(2)]
    made = [None, None]
    both = threading.Barrier(2, timeout=20)

    def kernel(index):
        with managers[index].capture():
            both.wait()
            made[index] = Counter(value=index)
            both.wait()

    threads = [threading.Thread(target=kernel, args=(index,)) for index in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one["same"] for one in managers] == made
    managers[0].clear()
    made[1].value = 5
    assert managers[1].serialize("same")["model"]["value"] == 5
    managers[1].clear()
    assert _instances == {}


def test_a_widget_that_was_made_elsewhere_is_taken_over_with_its_layout(manager):
    other = WidgetManager(ids=lambda: "theirs")
    with other.capture():
        counter = Counter(layout={"width": "50%"})
    manager.register("ours", counter)
    assert len(other) == 0
    assert not other._comms._layouts
    assert manager.serialize("ours")["model"]["layout"] == {"width": "50%"}
    counter.layout.width = "60%"
    assert manager.serialize("ours")["model"]["layout"] == {"width": "60%"}
    assert set(_instances.values()) == {counter, counter.layout}


def test_a_widget_that_asks_for_an_id_gets_it(manager):
    with manager.capture():
        Counter(model_id="wanted")
        with pytest.raises(InvalidWidgetId):
            Counter(model_id="not wanted")
    assert list(manager) == ["wanted"]


# State.


def test_a_serialized_widget_is_what_a_page_needs_and_nothing_else(manager):
    class Styled(Counter):
        _css = ".a { color: red }"

    counter = Styled(value=2, data={"raw": [b"\x00\x01", {"x": memoryview(b"a")}], "odd": float("nan")})
    counter.layout.width = "10px"
    manager.register("a", counter)
    data = manager.serialize("a")
    assert set(data) == {"widget_id", "esm", "css", "model"}
    assert (data["widget_id"], data["esm"], data["css"]) == ("a", ESM, ".a { color: red }")
    model = data["model"]
    assert (model["value"], model["fixed"], model["layout"]) == (2, 7, {"width": "10px"})
    assert model["data"] == {"raw": [{"$b64": "AAE="}, {"x": {"$b64": "YQ=="}}], "odd": None}
    assert not {"_esm", "_css", "private", "comm", "keys"} & set(model)
    assert json.loads(manager.encode_serialized("a")) == data
    assert manager.serialize("a") is not data
    manager.register("b", counter)
    assert manager.serialize("b") == {**data, "widget_id": "b"}


def test_a_widget_without_style_has_none(manager):
    assert manager.serialize(manager.add(Counter()))["css"] is None


@pytest.mark.afm(1)
def test_a_module_may_be_a_file(manager, tmp_path):
    path = tmp_path / "widget.js"
    path.write_text(ESM, encoding="utf-8")

    class FromFile(anywidget.AnyWidget):
        _esm = path

    assert manager.serialize(manager.add(FromFile()))["esm"] == ESM


def test_a_widget_that_another_ones_trait_refers_to_is_a_part(manager):
    class Box(traitlets.HasTraits):
        _esm = ESM
        inside = traitlets.Any(None, allow_none=True).tag(sync=True)

    inner = Counter()
    manager.register("inner", inner)
    manager.register("box", Box(inside=[inner]))
    assert [manager.is_part(widget_id) for widget_id in ("inner", "box", "none")] == [True, False, False]


def test_a_classic_widget_is_hosted_and_not_displayable(manager):
    slider = ipywidgets.IntSlider(value=3)
    widget_id = manager.add(slider)
    assert not manager.is_displayable(widget_id)
    with pytest.raises(WidgetNotHostable, match="is a IntSlider, which has no ES module"):
        manager.serialize(widget_id)
    manager.update(widget_id, "value", 5)
    assert slider.value == 5


def test_an_update_sets_the_trait_and_its_observers_see_old_and_new(manager):
    counter, seen = Counter(), []
    counter.observe(lambda change: seen.append((change["old"], change["new"])), "value")
    manager.update(manager.add(counter), "value", 4)
    assert seen == [(0, 4)]


def test_what_an_observer_raises_reaches_the_caller_of_update_and_the_value_stays(manager):
    counter = Counter()

    def failing(change):
        raise KeyError("mine")

    counter.observe(failing, "value")
    with pytest.raises(KeyError, match="mine"):
        manager.update(manager.add(counter), "value", 4)
    assert counter.value == 4


class Strict(anywidget.AnyWidget):
    _esm = ESM
    integer = traitlets.Int(1).tag(sync=True)
    number = traitlets.Float(1.5).tag(sync=True)
    flag = traitlets.Bool(False).tag(sync=True)
    text = traitlets.Unicode("t").tag(sync=True)
    raw = traitlets.Bytes(b"r").tag(sync=True)
    rows = traitlets.List(traitlets.Int()).tag(sync=True)
    choice = traitlets.Enum(["a", "b"], "a").tag(sync=True)
    small = traitlets.Int(0, max=9).tag(sync=True)
    maybe = traitlets.Int(None, allow_none=True).tag(sync=True)
    even = traitlets.Int(0).tag(sync=True)
    anything = traitlets.Any(None).tag(sync=True)
    hidden = traitlets.Int(0)
    unsynced = traitlets.Int(0).tag(sync=False)
    fixed = traitlets.Int(7, read_only=True).tag(sync=True)
    parsed = traitlets.Int(0).tag(sync=True, from_json=lambda value, widget: int(value))

    @traitlets.validate("even")
    def _even(self, proposal):
        if proposal["value"] % 2:
            raise traitlets.TraitError(f"{proposal['value']} is odd")
        return min(proposal["value"], 100)


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        *[("integer", value, "invalid_value") for value in ("1", [1], {}, None, True, 1.5, b"a")],
        *[("number", value, "invalid_value") for value in ("1", True, None, [])],
        *[("flag", value, "invalid_value") for value in (2, -1, "true", None)],
        *[("text", value, "invalid_value") for value in (1, None, b"bytes", ["a"])],
        *[("raw", value, "invalid_value") for value in ("text", 1, None)],
        *[("rows", value, "invalid_value") for value in ("ab", ["a"], {"a": 1}, [1, None])],
        ("choice", "c", "invalid_value"),
        ("small", 10, "invalid_value"),
        ("maybe", "x", "invalid_value"),
        ("even", 3, "invalid_value"),
        ("parsed", "x", "invalid_value"),
        ("hidden", 1, "not_synced"),
        ("unsynced", 1, "not_synced"),
        ("fixed", 1, "read_only"),
        ("nothing", 1, "unknown_property"),
        ("send", 1, "unknown_property"),
        ("", 1, "unknown_property"),
        *[
            (name, "x", "protected_property")
            for name in """_esm _css _anywidget_id comm keys layout log _model_name _model_module _view_name _view_count
            __class__ __dict__ _model_id""".split()
        ],
    ],
)
def test_a_write_that_is_not_allowed_has_a_code_and_changes_nothing(manager, page, events, name, value, code):
    widget = Strict()
    widget_id = manager.add(widget)
    before, served = dict(widget._trait_values), manager.serialize(widget_id)
    with pytest.raises(WriteRefused) as caught:
        manager.update(widget_id, name, value)
    assert (caught.value.code, caught.value.widget_id, caught.value.property) == (code, widget_id, name)
    if not isinstance(value, bytes):
        assert page.write(widget_id, name, value) == code
        assert events[-1] == WriteWasRefused(page.connection.connection_id, widget_id, name, code)
    assert {key: widget._trait_values[key] for key in before} == before
    assert manager.serialize(widget_id) == served


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("integer", 2, 2),
        ("integer", 2**70, 2**70),
        ("number", 2, 2.0),
        ("flag", True, True),
        ("text", "ä", "ä"),
        ("raw", b"\x00", b"\x00"),
        ("rows", [1, 2], [1, 2]),
        ("maybe", None, None),
        ("choice", "b", "b"),
        ("even", 2, 2),
        ("even", 1000, 100),
        ("parsed", "12", 12),
        ("anything", {"a": [b"x", {"b": b"y"}]}, {"a": [memoryview(b"x"), {"b": memoryview(b"y")}]}),
        ("anything", b"x", memoryview(b"x")),
        ("anything", [[1, "a", [b"z"]]], [[1, "a", [memoryview(b"z")]]]),
    ],
)
def test_a_write_that_is_allowed_goes_through_the_trait(manager, name, value, kept):
    widget = Strict()
    manager.update(manager.add(widget), name, value)
    assert getattr(widget, name) == kept
    assert type(getattr(widget, name)) is type(kept)


CANARY = "canary5190"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[(name, CANARY) for name in "integer number flag raw rows choice hidden fixed nothing _esm parsed".split()],
        ("even", 5190001),
        ("text", [CANARY]),
        ("rows", [1, CANARY]),
        ("maybe", {CANARY: 1}),
    ],
)
def test_the_text_of_a_refused_write_repeats_no_value_new_or_old(manager, page, name, value):
    widget = Strict(text=CANARY, rows=[5190001], anything=CANARY)
    widget_id = manager.add(widget)
    page.send(widget_id, name, value)
    manager.apply_pending()
    [reply] = page.read()
    assert reply["type"] == "error"
    text = json.dumps(reply)
    for secret in (CANARY, "5190001", __file__, "Traceback"):
        assert secret not in text
    with pytest.raises(WriteRefused) as caught:
        manager.update(widget_id, name, value)
    assert CANARY not in "".join(traceback.format_exception_only(type(caught.value), caught.value))
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_refusal_says_what_the_trait_expects(manager):
    widget_id = manager.add(Strict())
    with pytest.raises(WriteRefused, match=f"^Property 'integer' of widget {widget_id}: expected an int$"):
        manager.update(widget_id, "integer", "x")
    with pytest.raises(WriteRefused, match=r"its validator refused the value \(expected an int\)"):
        manager.update(widget_id, "even", 1)


def test_a_trait_that_cannot_say_what_it_expects_harms_only_its_own_update(manager, page, caplog):
    class Mute(traitlets.Int):
        def info(self):
            raise RuntimeError("no idea")

    class Widget(Counter):
        mute = Mute().tag(sync=True)

    widget = Widget()
    widget_id = manager.add(widget)
    page.send(widget_id, "mute", "x")
    page.send(widget_id, "value", 3)
    assert manager.apply_pending() == 2
    replies = page.read()
    assert [one.get("code", "ack") for one in replies] == ["internal", "ack"]
    assert replies[0]["message"] == "Update was not applied"
    assert (widget.mute, widget.value) == (0, 3)
    assert f"update of {widget_id}.mute failed" in caplog.text


def test_a_policy_narrows_what_pages_may_write_and_can_be_changed(manager, page):
    counter = Counter()
    manager.register("a", counter, policy=WritePolicy(writable={"label"}))
    assert page.write("a", "value", 1) == "read_only"
    assert page.write("a", "label", "x") == "ack"
    manager.register("a", counter, policy=WritePolicy(two_way=False))
    assert page.write("a", "label", "y") == "read_only"
    manager.register("b", counter)
    assert page.write("b", "label", "y") == "read_only"
    counter.label = "python"
    assert ("label", "python") in page.pushes()
    manager.add(counter, policy=WritePolicy())
    assert page.write("a", "value", 1) == "ack"


# Pushes.


def test_what_python_sets_reaches_every_page_as_the_present_value(manager):
    counter = Counter()
    manager.add(counter)
    pages = [Page(manager) for _ in range(3)]
    for value in range(100):
        counter.value = value
    counter.private = 3
    for page in pages:
        assert page.pushes() == [("value", 99)]


def test_a_page_that_connects_gets_what_changed_since_the_widget_was_serialized(manager):
    counter = Counter()
    counter.label = "before"
    widget_id = manager.add(counter)

    def visit():
        page = Page(manager)
        pushes = page.pushes()
        page.connection.receive_eof()
        return pushes

    assert visit() == []
    counter.label = "opened"
    assert visit() == [("label", "opened")]
    manager.serialize(widget_id)
    assert visit() == []
    counter.value = 1
    manager.serialize(widget_id)
    assert visit() == [("value", 1)]


def test_a_page_that_connected_before_its_widget_was_serialized_is_told_the_present_value_when_it_comes_back(manager):
    counter = Counter()
    widget_id = manager.add(counter)
    page = Page(manager)
    counter.value = 1
    # On its way when the page reads the widget's state, so it will show the older value, and loses its connection then.
    assert page.pushes() == [("value", 1)]
    counter.value = 2
    manager.serialize(widget_id)
    page.connection.receive_eof()
    assert Page(manager).pushes() == [("value", 2)]


@pytest.mark.afm(9)
def test_new_module_code_reaches_pages_that_watch_and_pages_that_come_back(manager, page):
    counter = Counter()
    widget_id = manager.add(counter)
    manager.serialize(widget_id)
    counter._esm = "export default {}"
    assert page.pushes() == [("_esm", "export default {}")]
    assert manager.serialize(widget_id)["esm"] == "export default {}"
    assert Page(manager).pushes() == [("_esm", "export default {}")]
    counter._esm = "export default {}"
    assert page.pushes() == []
    assert "_esm" not in manager.serialize(widget_id)["model"]


@pytest.mark.afm(9)
def test_style_is_pushed_as_any_property(manager, page):
    class Styled(Counter):
        _css = "a {}"

    widget = Styled()
    manager.serialize(manager.add(widget))
    widget._css = "b {}"
    assert page.pushes() == [("_css", "b {}")]


def test_a_page_that_is_refused_module_code_is_told_the_code_that_stands(manager, page):
    widget_id = manager.add(Counter())
    assert page.write(widget_id, "_esm", "evil()") == "protected_property"
    assert page.settle() == [("_esm", ESM)]


def test_equal_values_that_a_page_tells_apart_are_pushed_after_a_write_or_a_touch(manager, page):
    class Loose(Counter):
        anything = traitlets.Any(1).tag(sync=True)

    widget = Loose()
    widget_id = manager.add(widget)
    other = Page(manager)
    assert page.write(widget_id, "anything", True) == "ack"
    assert other.pushes() == [("anything", True)]
    assert page.settle() == []
    widget.anything = 1.0
    assert other.pushes() == []
    manager.touch(widget, "anything")
    [(name, value)] = other.pushes()
    assert (name, value, type(value)) == ("anything", 1.0, float)


def test_an_edit_in_place_needs_a_touch_and_an_untouched_one_sends_nothing(manager, page):
    counter = Counter(data=[1])
    widget_id = manager.add(counter)
    counter.data.append(2)
    assert page.pushes() == []
    manager.touch(widget_id, "data")
    assert page.pushes() == [("data", [1, 2])]
    manager.touch(counter, "data")
    manager.touch(counter, "private")
    manager.touch(counter, "nothing")
    assert page.pushes() == []


def test_a_value_that_has_no_form_is_skipped_with_an_event_and_the_others_go_out(manager, page, events, caplog):
    counter = Counter(data=1)
    widget_id = manager.add(counter)
    page.read()
    with counter.hold_sync():
        counter.data = object()
        counter.value = 5
    assert page.pushes() == [("value", 5)]
    assert events[-1] == ValueSkipped(widget_id, "data", "Expected a JSON value or bytes, got builtins.object")
    assert manager.serialize(widget_id)["model"]["data"] == 1
    counter.data = "back"
    assert page.pushes() == [("data", "back")]
    assert f"value of {widget_id}.data skipped" in caplog.text


def test_a_serializer_that_raises_skips_the_value_at_a_touch(manager, page, events):
    class Picky(Counter):
        special = traitlets.Any(1).tag(sync=True, to_json=lambda value, widget: 1 / value)

    widget = Picky()
    widget_id = manager.add(widget)
    widget._trait_values["special"] = 0
    manager.touch(widget, "special")
    assert events[-1] == ValueSkipped(widget_id, "special", "its serializer raised ZeroDivisionError")
    assert page.pushes() == []


@pytest.mark.afm("J4")
def test_custom_serializers_stand_between_the_trait_and_the_wire(manager, page):
    class Tuples(Counter):
        point = traitlets.Any((0, 0)).tag(
            sync=True,
            to_json=lambda value, widget: {"x": value[0], "raw": bytes([value[1]])},
            from_json=lambda value, widget: (value["x"], bytes(value["raw"])[0]),
        )

    widget = Tuples()
    widget_id = manager.add(widget)
    assert page.write(widget_id, "point", {"x": 3, "raw": {"$b64": "BQ=="}}) == "ack"
    assert widget.point == (3, 5)
    widget.point = (1, 2)
    assert page.pushes() == [("point", {"x": 1, "raw": {"$b64": "Ag=="}})]


@pytest.mark.afm("J2")
def test_hold_sync_and_held_notifications_give_one_push_per_property(manager, page):
    counter = Counter()
    manager.add(counter)
    with counter.hold_sync():
        counter.value = 1
        counter.label = "a"
        counter.value = 2
        assert page.pushes() == []
    assert sorted(page.pushes()) == [("label", "a"), ("value", 2)]
    with counter.hold_trait_notifications():
        counter.value = 3
        counter.value = 4
    assert page.pushes() == [("value", 4)]


@pytest.mark.afm("J2")
@pytest.mark.parametrize("is_alone", [True, False])
def test_a_message_in_a_trait_reaches_the_page_though_it_is_taken_out_at_once_but_not_inside_of_a_hold(
    manager, page, is_alone
):
    counter = Counter()
    manager.add(counter)
    if not is_alone:
        manager.connect(TRUSTED)
    for message in ("m", "m", b"m"):
        counter.data = message
        counter.data = None
    encoded = {"$b64": "bQ=="}
    assert page.pushes() == [("data", one) for one in ("m", None, "m", None, encoded, None)]
    for hold in (counter.hold_sync, counter.hold_trait_notifications):
        with hold():
            counter.data = "m"
            counter.data = None
        assert page.pushes() == []


@pytest.mark.afm("J3")
def test_observers_may_set_other_traits_and_links_join_widgets(manager, page):
    first, second = Counter(), Counter()
    ids = manager.add(first), manager.add(second)
    traitlets.link((first, "value"), (second, "value"))
    second.observe(lambda change: setattr(second, "label", f"is {change['new']}"), "value")
    page.read()
    page.send(ids[0], "value", 8)
    manager.apply_pending()
    ack, *pushes = page.read()
    assert ack == {"type": "ack", "widget_id": ids[0], "property": "value"}
    assert {(one["widget_id"], one["property"], one["value"]) for one in pushes} == {
        (ids[1], "value", 8),
        (ids[1], "label", "is 8"),
    }


def test_an_observer_that_sets_the_same_trait_has_the_last_word(manager, page):
    counter = Counter()
    widget_id = manager.add(counter)
    counter.observe(lambda change: setattr(counter, "value", 10), "value")
    assert page.write(widget_id, "value", 3) == "ack"
    assert page.settle() == [("value", 10)]


def test_an_observer_that_fails_leaves_the_value_is_reported_and_logged(manager, page, events, caplog):
    counter = Counter()
    widget_id = manager.add(counter)

    def failing(change):
        raise ValueError("mine")

    counter.observe(failing, "value")
    assert page.write(widget_id, "value", 3) == "ack"
    assert counter.value == 3
    [event] = [event for event in events if isinstance(event, ObserverFailed)]
    assert (event.widget_id, event.property, str(event.error)) == (widget_id, "value", "mine")
    assert event.error.__traceback__ is not None
    assert "mine" in caplog.text
    assert page.settle() == []


def test_a_custom_message_is_reported_where_a_page_would_miss_it(manager, events, caplog):
    counter = Counter()
    widget_id = manager.add(counter)
    counter.send({"kind": "hello"})
    assert not any(isinstance(event, MessageDropped) for event in events)
    Page(manager)
    counter.send({"kind": "hello"}, buffers=[b"x"])
    assert events[-1] == MessageDropped(widget_id)
    assert "base mode carries none" in caplog.text


def test_output_goes_to_the_connections_that_asked(manager):
    asking, other = Page(manager, output=True), Page(manager)
    manager.send_output(3, b'{"a":1}')
    assert asking.read() == [{"type": "output", "n": 3, "event": {"a": 1}}]
    assert other.read() == []


# References to widgets.


class Box(anywidget.AnyWidget):
    _esm = ESM
    child = traitlets.Any(None).tag(sync=True, **ipywidgets.widget_serialization)
    children = traitlets.List(traitlets.Instance(ipywidgets.Widget)).tag(sync=True, **ipywidgets.widget_serialization)
    by_name = traitlets.Dict().tag(sync=True, **ipywidgets.widget_serialization)
    custom = traitlets.Any(None).tag(sync=True, from_json=lambda value, widget: value)
    plain = traitlets.Any(None).tag(sync=True)


@pytest.mark.afm(69)
def test_a_page_may_refer_to_widgets_of_this_manager_by_any_of_their_ids(manager, page):
    box, counter = Box(), Counter()
    box_id, counter_id = manager.add(box), manager.add(counter)
    manager.register("alias", counter)
    assert page.write(box_id, "children", [f"IPY_MODEL_{counter_id}", "IPY_MODEL_alias"]) == "ack"
    assert box.children == [counter, counter]
    assert page.write(box_id, "by_name", {"a": [f"IPY_MODEL_{counter_id}"], "b": "text"}) == "ack"
    assert box.by_name == {"a": [counter], "b": "text"}
    assert page.write(box_id, "custom", f"IPY_MODEL_{counter_id}") == "ack"
    assert manager.serialize(box_id)["model"]["child"] is None
    box.child = counter
    assert ("child", f"IPY_MODEL_{counter_id}") in page.pushes()


@pytest.mark.parametrize("name", ["child", "custom", "by_name", "children"])
@pytest.mark.threat(35)
def test_a_page_reaches_no_widget_of_the_process_that_is_not_hosted_here(manager, page, name):
    other = WidgetManager(ids=lambda: "secret")
    with other.capture():
        hidden = Counter()
    free, box = Counter(), Box()
    box_id = manager.add(box)
    for model_id in ("secret", free.model_id, box.layout.model_id, "nobody", ""):
        reference = f"IPY_MODEL_{model_id}"
        value = {"child": reference, "custom": reference, "by_name": {"x": [reference]}, "children": [reference]}[name]
        assert page.write(box_id, name, value) == "invalid_value"
    assert (box.child, box.custom, box.by_name, box.children) == (None, None, {}, [])
    assert page.write(box_id, "plain", "IPY_MODEL_secret") == "ack"
    assert box.plain == "IPY_MODEL_secret"
    assert hidden.model_id == "secret"
    other.clear()


@pytest.mark.threat(35)
def test_a_reference_means_the_widget_of_this_manager_even_where_another_has_the_same_id(manager, page):
    ours, box = Counter(), Box()
    manager.register("same", ours)
    box_id = manager.add(box)
    other = WidgetManager(ids=lambda: "same")
    with other.capture():
        theirs = Counter()
    assert _instances["same"] is theirs
    assert page.write(box_id, "child", "IPY_MODEL_same") == "ack"
    assert box.child is ours
    other.clear()


# Layouts.


@pytest.mark.afm("J1")
def test_a_layout_is_part_of_its_widget_and_its_changes_are_pushed(manager, page):
    counter = Counter(layout={"width": "10px"})
    widget_id = manager.add(counter)
    assert manager.serialize(widget_id)["model"]["layout"] == {"width": "10px"}
    counter.layout.height = "5px"
    assert page.pushes() == [("layout", {"width": "10px", "height": "5px"})]
    counter.layout.width = None
    assert page.pushes() == [("layout", {"height": "5px"})]
    assert page.write(widget_id, "layout", "IPY_MODEL_x") == "protected_property"
    assert page.settle() == [("layout", {"height": "5px"})]


def test_a_shared_layout_changes_in_all_its_widgets_and_outlives_the_first(manager, page):
    with manager.capture():
        shared = ipywidgets.Layout(width="1px")
        first, second = Counter(layout=shared), Counter(layout=shared)
    shared.width = "2px"
    assert page.pushes() == [("layout", {"width": "2px"})] * 2
    manager.unregister(manager.id_of(first))
    shared.width = "3px"
    assert page.pushes() == [("layout", {"width": "3px"})]
    manager.unregister(manager.id_of(second))
    assert not manager._comms._layouts
    shared.width = "4px"
    assert page.pushes() == []


def test_a_layout_that_is_hosted_already_is_shared_with_a_widget_that_comes_by_hand(manager, page):
    with manager.capture():
        shared = Counter(layout={"width": "1px"}).layout
    manager.register("by.hand", Counter(layout=shared))
    shared.width = "2px"
    assert page.pushes() == [("layout", {"width": "2px"})] * 2
    assert len(manager._comms._layouts) == 1


def test_a_layout_that_is_replaced_is_let_go_and_can_come_back(manager, page):
    with manager.capture():
        counter = Counter(layout={"width": "1px"})
        first = counter.layout
        counter.layout = ipywidgets.Layout(width="2px")
    assert page.pushes() == [("layout", {"width": "2px"})]
    assert len(manager._comms._layouts) == 1
    first.width = "9px"
    assert page.pushes() == []
    counter.layout = first
    assert page.pushes() == [("layout", {"width": "9px"})]
    first.width = "10px"
    assert page.pushes() == [("layout", {"width": "10px"})]
    assert len(manager._comms._layouts) == 1


def test_a_layout_that_was_made_out_of_sight_is_taken_in(manager):
    outside = ipywidgets.Layout(width="7px")
    with manager.capture():
        counter = Counter(layout=outside)
    assert manager.serialize("w1")["model"]["layout"] == {"width": "7px"}
    page = Page(manager)
    page.read()
    outside.width = "8px"
    assert page.pushes() == [("layout", {"width": "8px"})]
    counter.layout = ipywidgets.Layout(width="9px")
    assert page.pushes() == [("layout", {"width": "9px"})]


def test_a_layout_that_is_let_go_is_usable_by_the_next_widget(manager):
    with manager.capture():
        first = Counter(layout={"width": "1px"})
        layout = first.layout
        manager.clear()
        Counter(layout=layout)
    assert manager.serialize("w2")["model"]["layout"] == {"width": "1px"}
    layout.width = "2px"
    assert manager.serialize("w2")["model"]["layout"] == {"width": "2px"}


def test_a_layout_that_its_user_closed_leaves_what_was_shown(manager, page):
    with manager.capture():
        counter = Counter(layout={"width": "1px"})
    counter.layout.close()
    assert manager.serialize("w1")["model"]["layout"] == {"width": "1px"}
    manager.unregister("w1")
    assert not manager._comms._layouts


def test_layouts_of_no_widget_go_with_a_reset(manager):
    with manager.capture():
        layout = weakref.ref(ipywidgets.Layout())
    assert len(manager) == 0
    manager.clear()
    gc.collect()
    assert layout() is None


def test_a_widget_may_have_any_id_whatever_its_layout_is_called_inside(manager, page):
    for widget_id in ("layout-1", "layout-2", "layout"):
        counter = Counter()
        manager.register(widget_id, counter)
        assert manager[widget_id] is counter
        assert page.write(widget_id, "value", 1) == "ack"
        counter.value = 2
        assert page.pushes() == [("value", 2)]


def test_a_trait_that_is_called_layout_and_is_none_is_a_trait(manager, page):
    class Plain(Counter):
        layout = traitlets.Any(None).tag(sync=True, to_json=lambda value, widget: value)

    widget = Plain()
    widget_id = manager.add(widget)
    assert manager.serialize(widget_id)["model"]["layout"] is None
    widget.layout = {"width": 1}
    assert page.pushes() == [("layout", {"width": 1})]
    widget.layout = "IPY_MODEL_nobody"
    assert page.pushes() == [("layout", None)]


# Objects that are no ipywidgets.


@dataclass(esm=ESM, css="p {}")
class Evented:
    value: int = 1
    raw: bytes = b"a"


def test_an_object_with_a_descriptor_is_hosted_when_it_is_displayed(manager, page, events):
    thing = Evented()
    with manager.capture():
        assert thing._repr_mimebundle_() is not None
    assert manager["w1"] is thing
    assert manager.id_of(thing) == "w1"
    assert manager.is_displayable("w1")
    data = manager.serialize("w1")
    assert (data["esm"], data["css"], data["model"]["value"]) == (ESM, "p {}", 1)
    assert data["model"]["raw"] == {"$b64": "YQ=="}
    thing.value = 5
    assert ("value", 5) in page.pushes()
    assert page.write("w1", "value", 9) == "ack"
    assert page.write("w1", "nothing", 9) == "unknown_property"
    assert page.write("w1", "_esm", "x") == "protected_property"
    assert thing.value == 9
    assert sorted(page.settle()) == [("_esm", ESM), ("value", 9)]
    manager.touch("w1", "value")
    manager.register("alias", thing)
    assert manager["alias"] is thing
    assert manager.add(thing) == "w1"


def test_an_object_with_a_descriptor_lives_as_long_as_it_is_hosted(manager):
    with manager.capture():
        thing = Evented()
        thing._repr_mimebundle_()
    kept = weakref.ref(thing)
    del thing
    gc.collect()
    assert kept() is manager["w1"]
    manager.unregister("w1")
    gc.collect()
    assert kept() is None


def test_an_object_that_does_not_follow_changes_never_says_who_it_is_and_is_not_listed(manager, page):
    class Still:
        _repr_mimebundle_ = MimeBundleDescriptor(follow_changes=False, _esm=ESM)

        def _get_anywidget_state(self, include):
            return {"value": 1}

    with manager.capture():
        still = Still()
        still._repr_mimebundle_()
    assert len(manager) == 0
    assert page.write("w1", "value", 2) == "unknown_widget"
    manager.clear()


# Ownership and release.


@pytest.mark.parametrize("let_go", ["unregister", "clear", "close"])
@pytest.mark.parametrize("come", ["capture", "register", "alias"])
@pytest.mark.afm("J5")
def test_a_widget_that_is_let_go_dies_with_its_layout(manager, page, let_go, come):
    with manager.capture():
        counter = Counter()
    if come == "register":
        manager.clear()
        counter = Counter()
        manager.register("mine", counter)
    elif come == "alias":
        manager.register("alias", counter)
        manager.serialize("alias")
    page.write(next(iter(manager)), "value", 3)
    counter.layout.width = "1px"
    refs = [weakref.ref(counter), weakref.ref(counter.layout), weakref.ref(counter.comm)]
    if let_go == "unregister":
        for widget_id in list(manager):
            manager.unregister(widget_id)
    elif let_go == "clear":
        manager.clear()
    else:
        counter.close()
    assert len(manager) == 0
    assert _instances == {}
    del counter
    gc.collect()
    assert [ref() for ref in refs] == [None, None, None]
    assert (manager.store.all_hosted, manager._comms._by_comm, len(manager._comms._layouts)) == ({}, {}, 0)
    assert page.settle() == []
    assert (page.connection._own, page.connection._pushed) == ({}, set())


@pytest.mark.afm("J4")
def test_a_widget_that_is_let_go_stays_a_usable_python_object_and_can_come_back(manager, page):
    counter = Counter(value=1)
    manager.register("a", counter)
    manager.clear()
    counter.value = 2
    counter.layout.width = "1px"
    counter.send({})
    assert page.pushes() == []
    manager.register("b", counter)
    assert manager.serialize("b")["model"]["value"] == 2
    assert manager.serialize("b")["model"]["layout"] == {"width": "1px"}
    counter.value = 3
    assert page.pushes() == [("value", 3)]


def test_letting_one_widget_go_leaves_the_registry_entry_of_another_managers_widget_of_that_id(manager):
    with manager.capture():
        Counter(model_id="same")
    other = WidgetManager(ids=lambda: "same")
    with other.capture():
        theirs = Counter()
    manager.clear()
    assert _instances["same"] is theirs
    other.clear()


def test_clear_leaves_connections_open_for_the_next_widgets(manager, page, events):
    manager.register("a", Counter())
    manager.clear()
    assert events[-1] == WidgetClosed("a")
    manager.register("a", Counter())
    assert page.write("a", "value", 1) == "ack"


@pytest.mark.parametrize("action", ["unregister", "clear", "close", "replace"])
def test_an_observer_may_let_its_own_widget_go(manager, page, action):
    counter = Counter()
    widget_id = manager.add(counter)

    def let_go(change):
        match action:
            case "unregister":
                manager.unregister(widget_id)
            case "clear":
                manager.clear()
            case "close":
                counter.close()
            case "replace":
                manager.register(widget_id, Counter(value=50))

    counter.observe(let_go, "value")
    page.send(widget_id, "value", 1)
    page.send(widget_id, "value", 2)
    assert manager.apply_pending() == 2
    assert [one.get("code", "ack") for one in page.read() if one["type"] != "widget_update"] == [
        "ack",
        "unknown_widget",
    ]
    assert counter.value == 1
    assert len(manager) == (1 if action == "replace" else 0)
    assert page.settle() == []


def test_a_change_that_crosses_the_release_of_its_widget_goes_nowhere(manager, page):
    counter = Counter()
    manager.add(counter)
    comm = counter.comm
    manager.clear()
    manager._comms.comm_updated(comm, {"value": 3})
    assert page.pushes() == []


def test_a_widget_whose_state_cannot_be_read_stays_with_whom_it_was(manager):
    class Broken(Counter):
        special = traitlets.Any(1).tag(sync=True, to_json=lambda value, widget: 1 / value)

    widget = Broken()
    comm = widget.comm
    widget._trait_values["special"] = 0
    with pytest.raises(ZeroDivisionError):
        manager.register("a", widget)
    assert widget.comm is comm
    assert _instances[comm.comm_id] is widget
    assert len(manager) == 0
    widget._trait_values["special"] = 1


# The kernel's thread.


def test_updates_run_in_order_of_arrival_across_pages_and_are_counted(manager):
    counter, seen = Counter(), []
    counter.observe(lambda change: seen.append(change["new"]), "value")
    widget_id = manager.add(counter)
    pages = [Page(manager), Page(manager)]
    for value in range(1, 7):
        pages[value % 2].send(widget_id, "value", value)
    assert manager.apply_pending() == 6
    assert manager.apply_pending() == 0
    assert seen == [1, 2, 3, 4, 5, 6]


def test_an_observer_that_pumps_the_host_does_not_start_the_next_update_inside_its_own(manager, page):
    counter, seen = Counter(), []
    widget_id = manager.add(counter)

    def pump(change):
        seen.append(("in", change["new"], manager.apply_pending()))
        seen.append(("out", change["new"]))

    counter.observe(pump, "value")
    page.send(widget_id, "value", 1)
    page.send(widget_id, "value", 2)
    assert manager.apply_pending() == 2
    assert seen == [("in", 1, 0), ("out", 1), ("in", 2, 0), ("out", 2)]


def test_an_update_from_another_thread_leaves_the_one_that_is_being_applied_alone(manager, page):
    counter, other = Counter(), Counter()
    ids = manager.add(counter), manager.add(other)
    inside, done = threading.Event(), threading.Event()
    other.observe(lambda change: (inside.set(), done.wait(20)), "value")
    thread = threading.Thread(target=manager.update, args=(ids[1], "value", 7))

    def start(change):
        thread.start()
        inside.wait(20)

    counter.observe(start, "value")
    assert page.write(ids[0], "value", 1) == "ack"
    counter.unobserve(start, "value")
    done.set()
    thread.join()
    # Begun while the page's write was applied, and ended after it: it must not bring that write's mark back.
    page.read()
    counter.value = 9
    assert page.pushes() == [("value", 9)]
    assert page.write(ids[0], "label", "x") == "ack"


def test_an_interrupt_comes_through_with_its_update_answered_and_the_rest_pending(manager, page):
    counter = Counter()
    widget_id = manager.add(counter)

    def interrupted(change):
        if change["new"] == 1:
            raise KeyboardInterrupt

    counter.observe(interrupted, "value")
    page.send(widget_id, "value", 1)
    page.send(widget_id, "value", 2)
    with pytest.raises(KeyboardInterrupt):
        manager.apply_pending()
    assert [one["type"] for one in page.read()] == ["ack"], "the trait took the value"
    assert counter.value == 1
    assert manager.applying is None
    assert manager.apply_pending() == 1
    assert counter.value == 2
    assert [one["type"] for one in page.read()] == ["ack"]
    assert page.settle() == []


def test_applying_names_the_widget_in_the_update_and_in_what_it_starts(manager):
    counter, inner, seen = Counter(), Counter(), []
    widget_id, inner_id = manager.add(counter), manager.add(inner)
    inner.observe(lambda change: seen.append(manager.applying), "value")

    def observe(change):
        seen.append(manager.applying)
        manager.update(inner_id, "value", 1)
        seen.append(contextvars.copy_context().run(lambda: manager.applying))

    counter.observe(observe, "value")
    assert manager.applying is None
    manager.update(widget_id, "value", 1)
    assert seen == [widget_id, inner_id, widget_id]
    assert manager.applying is None


def test_a_connection_that_ended_has_its_updates_applied(manager, page):
    counter = Counter()
    page.send(manager.add(counter), "value", 5)
    page.connection.receive_eof()
    manager.apply_pending()
    assert counter.value == 5


def test_pages_are_woken_once_per_change_and_without_the_lock(manager):
    free = []

    def wakeup():
        thread = threading.Thread(
            target=lambda: free.append(manager.store.lock.acquire(timeout=0) and manager.store.lock.release())
        )
        thread.start()
        thread.join()

    counter = Counter()
    manager.add(counter)
    manager.connect(TRUSTED, wakeup=wakeup)
    counter.value = 1
    counter._esm = "export default 1"
    counter.layout.width = "1px"
    assert free == [None] * 3


def test_threads_that_set_traits_leave_every_page_with_what_stands(manager):
    class Busy(Counter):
        a, b = (traitlets.Int(0).tag(sync=True) for _ in range(2))

    widget = Busy()
    widget_id = manager.add(widget)
    page = Page(manager)
    shown = {"a": 0, "b": 0}
    start = threading.Barrier(9, timeout=20)
    failures = []

    def setter(number):
        try:
            start.wait()
            for step in range(60):
                widget.a = number * 1000 + step
                if step % 7 == 0:
                    widget.b = number * 1000 + step
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=setter, args=(number,)) for number in range(8)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        start.wait()
        while any(thread.is_alive() for thread in threads):
            shown.update(page.pushes())
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    shown.update(page.pushes())
    assert failures == []
    assert shown == {"a": widget.a, "b": widget.b}
    model = manager.serialize(widget_id)["model"]
    assert (model["a"], model["b"]) == (widget.a, widget.b)


def test_a_serialized_form_that_is_never_twice_the_same_hangs_no_thread(manager):
    ticks = iter(range(10**9))

    class Restless(Counter):
        special = traitlets.Any(0).tag(sync=True, to_json=lambda value, widget: next(ticks))

    widget = Restless()
    manager.add(widget)
    thread = threading.Thread(target=lambda: setattr(widget, "special", 1))
    thread.start()
    thread.join()
    widget.special = 2
    assert next(ticks) < 1000


def test_a_change_that_came_late_from_another_thread_gives_way_to_what_stands(manager, page):
    counter = Counter()
    manager.add(counter)
    counter.value = 1
    # What a thread sends that serialized before, and comes after, the one that set the value that stands.
    late = threading.Thread(target=lambda: counter.comm.send({"method": "update", "state": {"value": 0}}))
    counter.value = 2
    late.start()
    late.join()
    assert page.pushes() == [("value", 2)]


# Host events.


def test_the_host_is_told_that_something_is_pending(manager, page):
    calls = []
    end = manager.on("pending", lambda: calls.append(1))
    page.send("nobody", "value", 1)
    end()
    end()
    page.send("nobody", "value", 1)
    assert calls == [1]
    assert manager.apply_pending() == 2


def test_an_event_callback_that_raises_is_logged_and_stops_nobody(manager, caplog):
    calls = []
    manager.on("opened", lambda event: 1 / 0)
    manager.on("opened", calls.append)
    manager.register("a", Counter())
    assert calls == [WidgetOpened("a")]
    assert "callback of host event opened failed" in caplog.text


def test_there_is_no_event_of_another_name(manager):
    with pytest.raises(ValueError, match="Expected one of changes_swallowed, closed, connected"):
        manager.on("conflict", print)


def test_a_write_to_an_unknown_widget_is_an_event(manager, page, events):
    assert page.write("nobody", "value", 1) == "unknown_widget"
    assert events[-1] == WriteWasRefused(page.connection.connection_id, "nobody", "value", "unknown_widget")


@pytest.fixture(autouse=True)
def quiet(caplog):
    caplog.set_level(logging.INFO)


class Nested(Counter):
    ints = traitlets.List(traitlets.Int()).tag(sync=True)
    pair = traitlets.Tuple(traitlets.Int(), traitlets.Unicode(), default_value=(0, "")).tag(sync=True)
    free = traitlets.Tuple().tag(sync=True)
    either = traitlets.Union([traitlets.Int(), traitlets.Unicode()]).tag(sync=True)
    switch = traitlets.Union([traitlets.Int(), traitlets.Bool()]).tag(sync=True)
    keyed = traitlets.Dict(per_key_traits={"x": traitlets.Int()}).tag(sync=True)
    floats = traitlets.Dict(value_trait=traitlets.List(traitlets.Float())).tag(sync=True)
    blobs = traitlets.List(traitlets.Bytes()).tag(sync=True)
    blob = traitlets.Union([traitlets.Bytes(), traitlets.Unicode()]).tag(sync=True)
    parts = traitlets.Union([traitlets.Int(), traitlets.Dict(value_trait=traitlets.Bytes())]).tag(sync=True)
    texts = traitlets.List(traitlets.Unicode()).tag(sync=True)
    lists = traitlets.Union([traitlets.List(traitlets.Bytes()), traitlets.Int()]).tag(sync=True)


@pytest.mark.parametrize(
    ("name", "value", "is_taken"),
    [
        ("ints", [1, 2], True),
        ("ints", [1, True], False),
        ("pair", [1, "a"], True),
        ("pair", [True, "a"], False),
        ("pair", [1, "a", True], False),
        ("free", [True, b"a"], True),
        ("either", 1, True),
        ("either", True, False),
        ("switch", True, True),
        ("either", "a", True),
        ("either", [True], False),
        ("keyed", {"x": 1, "y": True}, True),
        ("keyed", {"x": True}, False),
        ("floats", {"a": [1.5, 2]}, True),
        ("floats", {"a": [False]}, False),
        ("blobs", [b"a", b""], True),
        ("blob", b"a", True),
        ("parts", {"a": b"b"}, True),
        ("texts", ["a"], True),
        ("texts", [b"a"], False),
        ("lists", [b"a"], True),
    ],
)
@pytest.mark.threat(14)
def test_strict_types_and_buffers_hold_inside_of_containers(manager, name, value, is_taken):
    widget = Nested()
    manager.register("w", widget)
    before = getattr(widget, name)
    if is_taken:
        manager.update("w", name, value)
        taken = getattr(widget, name)
        assert (list(taken) if isinstance(taken, tuple) else taken) == value
    else:
        with pytest.raises(WriteRefused, match="expected"):
            manager.update("w", name, value)
        assert getattr(widget, name) == before


def test_an_interrupt_before_the_value_is_taken_comes_through(manager):
    class Slow(Counter):
        @traitlets.validate("value")
        def _wait(self, proposal):
            if proposal["value"] == 1:
                raise KeyboardInterrupt
            return proposal["value"]

    widget = Slow()
    manager.register("w", widget)
    with pytest.raises(KeyboardInterrupt):
        manager.update("w", "value", 1)
    assert widget.value == 0


def test_an_integer_that_pages_round_is_told_of_once_per_trait(manager):
    told = []
    manager.on("value_rounded", told.append)
    with manager.capture():
        counter = Counter(value=2**53)
    counter.value = -(2**60)
    counter.value = 2**53 - 1
    assert [(event.widget_id, event.property) for event in told] == [(manager.id_of(counter), "value")]


def test_a_page_that_wrote_to_an_id_that_nothing_has_is_refused_and_corrected_in_nothing(manager):
    connection = manager.connect(TRUSTED)
    connection.receive_frame('{"type":"widget_update","widget_id":"nobody","property":"value","value":1}', 0.0)
    manager.apply_pending()
    assert [json.loads(frame)["code"] for frame in connection.frames_to_send()] == ["unknown_widget"]
    connection.handle_timeout(connection.next_deadline())
    assert connection.frames_to_send() == []

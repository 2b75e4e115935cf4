"""Pages that speak rdit/1: what they promise beyond base mode."""

import itertools
import math

import anywidget
import anywidget.experimental
import pytest
import traitlets

from rdit_core import Limits, WidgetManager
from rdit_core.client_events import MessageLost, SessionExpired
from rdit_harness import Frontend, NeverSettles, expect


class Range(anywidget.AnyWidget):
    """Two ends that must stay in order, so that they can only move together."""

    _esm = "export default {}"
    low = traitlets.Int(0).tag(sync=True)
    high = traitlets.Int(10).tag(sync=True)
    data = traitlets.Any(None).tag(sync=True)

    def __init__(self, **traits):
        super().__init__(**traits)
        self.seen = []
        self.observe(lambda change: self.seen.append((change["name"], self.low, self.high)), ["low", "high"])

    @traitlets.validate("low", "high")
    def _in_order(self, proposal):
        ends = {"low": self.low, "high": self.high, proposal["trait"].name: proposal["value"]}
        if ends["low"] > ends["high"]:
            raise traitlets.TraitError("low is beyond high")
        return proposal["value"]

    @anywidget.experimental.command
    def _add(self, message, buffers):
        return message["left"] + message["right"], [b"sum", *buffers]


class Clamped(anywidget.AnyWidget):
    _esm = "export default {}"
    value = traitlets.Int(0).tag(sync=True)

    @traitlets.validate("value")
    def _clamp(self, proposal):
        return min(proposal["value"], 10)


def edit(model, **state):
    for name, value in state.items():
        model.set(name, value)
    model.save_changes()


def message_of(frame):
    return frame.message["type"]


# Opening.


def test_a_page_knows_a_widget_once_it_was_told_and_applies_nothing_for_it(rdit_sim):
    widget, other = Range(), Range()
    page = rdit_sim.page()
    edit(page.open(widget), low=3)
    model = page.open(other)
    assert (model.get("low"), model.get("high")) == (0, 10)
    assert page.open(other) is model
    assert widget.low == 0
    rdit_sim.settle()
    assert widget.low == 3


def test_state_that_comes_in_parts_is_there_when_all_of_it_is():
    frontend = Frontend(WidgetManager(limits=Limits(max_sync_bytes=1000)))
    model = frontend.page().open(Range(data=["x" * 700] * 5))
    assert len(model.get("data")) == 5
    model = frontend.page().open(Range(low=4, data=b"y" * 5000))
    assert (model.get("low"), len(model.get("data"))) == (4, 5000)
    frontend.manager.clear()


def test_a_page_without_a_network_opens_what_it_knows_and_nothing_else(rdit_sim):
    widget = Range()
    page = rdit_sim.page()
    model = page.open(widget)
    page.drop()
    assert page.open(widget) is model
    with pytest.raises(AssertionError, match=r"call heal\(\) first"):
        page.open(Range())


def test_an_id_that_names_another_widget_now_has_another_model(rdit_sim):
    page = rdit_sim.page()
    rdit_sim.manager.register("one", Range(low=1))
    before = page.open("one")
    rdit_sim.manager.register("one", Range(low=2))
    after = page.open("one")
    assert (before.get("low"), after.get("low")) == (1, 2)
    assert (before.is_closed, after.is_closed) == (True, False)


def test_a_widget_that_is_closed_closes_its_models_and_takes_no_edits(rdit_sim):
    widget = Range()
    page = rdit_sim.page()
    model = page.open(widget)
    edit(model, low=1)
    widget.close()
    rdit_sim.settle()
    assert model.is_closed
    assert [event.code for event in page.events] == ["stale_widget"]
    edit(model, low=2)
    rdit_sim.settle()
    assert widget.low == 0
    assert page.is_idle


# Edits.


@pytest.mark.afm(52)
def test_properties_that_are_saved_together_are_validated_and_seen_together(rdit_sim):
    widget = Range()
    here, there = (rdit_sim.page().open(widget) for _ in range(2))
    heard = []
    for name in ("low", "high"):
        there.on(f"change:{name}", lambda: heard.append((there.get("low"), there.get("high"))))
    edit(here, low=20, high=30)
    rdit_sim.settle()
    assert widget.seen == [("low", 20, 30), ("high", 20, 30)]
    assert heard == [(20, 30), (20, 30)]


@pytest.mark.afm(36)
def test_properties_that_python_sets_together_are_heard_together(rdit_sim):
    widget = Range()
    model = rdit_sim.page().open(widget)
    heard = []
    model.on("change", lambda: heard.append((model.get("low"), model.get("high"))))
    with widget.hold_trait_notifications():
        widget.low, widget.high = 20, 30
    rdit_sim.settle()
    assert heard == [(20, 30)]


def test_a_refused_save_is_taken_back_at_once_and_said(rdit_sim):
    widget = Range()
    page = rdit_sim.page()
    model = page.open(widget)
    edit(model, low=20, high="text")
    rdit_sim.settle()
    assert (model.get("low"), model.get("high")) == (widget.low, widget.high) == (0, 10)
    assert {event.code for event in page.events} == {"invalid_value"}
    assert rdit_sim.clock.now_s == 0


@pytest.mark.parametrize("start", [0, 10])
def test_a_clamped_write_is_corrected_with_its_answer(rdit_sim, start):
    widget = Clamped(value=start)
    model = rdit_sim.page().open(widget)
    edit(model, value=50)
    rdit_sim.deliver()
    assert (widget.value, model.get("value")) == (10, 10)
    assert rdit_sim.clock.now_s == 0


@pytest.mark.parametrize(
    "value", [math.nan, [math.inf, -math.inf, {"x": math.nan}], {"rows": [b"\x00\xff", b""]}, b"z"]
)
@pytest.mark.afm(37, 59, 60)
def test_bytes_and_numbers_that_json_does_not_have_cross_both_ways(mount, value):
    here = mount(Range)
    there = mount(here.widget)
    here.set(data=value)
    expect(there).to_have(data=value)
    here.widget.data = ["back", value]
    for view in (here, there):
        expect(view).to_have(data=["back", value])


# Custom messages.


@pytest.mark.afm(43, 54, 63)
def test_custom_messages_cross_both_ways_with_their_buffers_in_order_with_edits(rdit_sim):
    widget = Range()
    heard, answers = [], []
    widget.on_msg(lambda _, content, buffers: heard.append((widget.low, content, [bytes(data) for data in buffers])))
    model = rdit_sim.page().open(widget)
    model.on("msg:custom", lambda content, buffers: answers.append((content, [bytes(data) for data in buffers])))
    model.send({"n": 1}, buffers=[b"\x00a", memoryview(b"b")])
    edit(model, low=5)
    model.send({"n": 2})
    rdit_sim.settle()
    assert heard == [(0, {"n": 1}, [b"\x00a", b"b"]), (5, {"n": 2}, [])]
    widget.send({"n": 3}, buffers=[b"back"])
    rdit_sim.settle()
    assert answers == [({"n": 3}, [b"back"])]


def test_messages_of_the_time_without_a_network_arrive_once_either_way(rdit_sim):
    widget = Range()
    heard, answers = [], []
    widget.on_msg(lambda _, content, buffers: heard.append(content))
    page = rdit_sim.page()
    model = page.open(widget)
    model.on("msg:custom", lambda content, buffers: answers.append(content))
    rdit_sim.settle()
    page.drop()
    model.send("to Python")
    widget.send("to the page")
    rdit_sim.settle()
    assert heard == answers == []
    page.heal()
    rdit_sim.settle()
    page.drop()
    page.heal()
    rdit_sim.settle()
    assert (heard, answers) == (["to Python"], ["to the page"])


@pytest.mark.afm(64)
def test_an_invoked_command_answers_the_page_that_asked_and_no_other(rdit_sim):
    widget = Range()
    models = [rdit_sim.page().open(widget) for _ in range(2)]
    answers = [[], []]
    for model, heard in zip(models, answers, strict=True):
        model.on(
            "msg:custom", lambda content, buffers, heard=heard: heard.append((content, [bytes(one) for one in buffers]))
        )
    command = {"id": "7", "kind": "anywidget-command", "name": "_add", "msg": {"left": 1, "right": 2}}
    models[0].send(command, buffers=[b"more"])
    rdit_sim.settle()
    assert answers == [[({"id": "7", "kind": "anywidget-command-response", "response": 3}, [b"sum", b"more"])], []]


# Links that are cut.


def test_edits_made_without_a_network_are_counted_once_in_one_piece(rdit_sim):
    widget = Range()
    page = rdit_sim.page()
    model = page.open(widget)
    rdit_sim.settle()
    page.drop()
    for value in range(1, 50):
        edit(model, low=value, high=value + 1)
    rdit_sim.settle()
    assert widget.seen == []
    assert not page.is_idle
    page.heal()
    rdit_sim.settle()
    assert widget.seen == [("low", 49, 50), ("high", 49, 50)]
    assert page.is_idle


def test_an_edit_whose_answer_was_lost_is_not_made_again(rdit_sim):
    widget = Range()
    page = rdit_sim.page()
    model = page.open(widget)
    rdit_sim.settle()
    edit(model, low=5)
    page.step()
    page.drop()
    rdit_sim.settle()
    assert widget.low == 5
    widget.low = 6
    page.heal()
    rdit_sim.settle()
    assert model.get("low") == widget.low == 6
    assert [low for _, low, _ in widget.seen] == [5, 6]


def test_an_edit_that_was_lost_on_the_way_is_sent_again_before_newer_ones(rdit_sim):
    widget = Range()
    page = rdit_sim.page()
    model = page.open(widget)
    rdit_sim.settle()
    edit(model, low=5)
    assert len(page.client.frames_to_send(rdit_sim.clock.now_s)) == 1
    edit(model, low=6)
    page.drop()
    page.heal()
    rdit_sim.settle()
    assert [low for _, low, _ in widget.seen] == [5, 6]


def test_edits_made_before_the_first_connection_stood_are_sent_when_it_does(rdit_sim):
    widget = Range()
    page = rdit_sim.page()
    model = page.open(widget)
    page.drop()
    edit(model, low=5)
    page.heal()
    page.drop()
    page.heal()
    rdit_sim.settle()
    assert [low for _, low, _ in widget.seen] == [5]


def test_a_page_that_was_away_for_too_long_is_told_and_has_the_present_state(rdit_sim):
    widget = Range()
    page = rdit_sim.page()
    model = page.open(widget)
    rdit_sim.settle()
    page.drop()
    rdit_sim.advance(rdit_sim.manager.limits.session_ttl_s + 1)
    assert rdit_sim.manager.next_deadline() is None
    widget.low = 4
    edit(model, high=40)
    page.heal()
    rdit_sim.settle()
    assert page.events == [SessionExpired()]
    assert (model.get("low"), model.get("high")) == (widget.low, widget.high) == (4, 40)


def test_a_page_whose_connection_the_server_ends_dials_again_by_itself(rdit_sim):
    widget = Range()
    page = rdit_sim.page()
    model = page.open(widget)
    rdit_sim.settle()
    rdit_sim.manager.close_connections(rdit_sim.clock.now_s)
    edit(model, low=2)
    rdit_sim.deliver()
    assert not page.is_connected
    assert not page.is_idle
    rdit_sim.settle()
    assert page.is_connected
    assert page.is_idle
    assert widget.low == 2
    assert 0 < rdit_sim.clock.now_s < 1


def test_a_page_that_sees_a_gap_ends_its_connection_and_goes_on_where_it_was(rdit_sim):
    widget = Range()
    page = rdit_sim.page()
    model = page.open(widget)
    rdit_sim.settle()
    widget.low = 1
    assert len(page.server.frames_to_send(rdit_sim.clock.now_s)) == 1
    widget.high = 20
    rdit_sim.deliver()
    assert model.get("high") == 10
    assert not page.is_connected
    rdit_sim.settle()
    assert (model.get("low"), model.get("high")) == (1, 20)


def test_a_page_that_is_sent_away_for_good_stays_away(rdit_sim):
    page = rdit_sim.page()
    model = page.open(Range())
    rdit_sim.settle()
    edit(model, low=1)
    rdit_sim.manager.close_connections(rdit_sim.clock.now_s, "forbidden")
    rdit_sim.settle()
    assert page.client.page_state == "failed"
    assert [event.code for event in page.events] == ["undeliverable"]
    assert page.is_idle
    page.heal()
    rdit_sim.settle()
    assert not page.is_connected


def test_a_page_that_is_closed_sends_what_was_saved_and_says_goodbye(rdit_sim):
    widget = Range()
    page = rdit_sim.page()
    edit(page.open(widget), low=5)
    page.close()
    assert [message_of(frame) for frame in page.wire[-2:]] == ["batch", "bye"]
    rdit_sim.settle()
    assert widget.low == 5
    assert rdit_sim.manager.next_deadline() is None


def test_a_page_that_is_closed_without_a_network_says_what_it_never_sent(rdit_sim):
    page = rdit_sim.page()
    model = page.open(Range())
    page.drop()
    edit(model, low=5)
    model.send("hello")
    page.close()
    assert [event.code for event in page.events] == ["undeliverable", "undeliverable"]
    assert isinstance(page.events[1], MessageLost)


# Bad frames.

BAD = {
    "{": "bad_json",
    b"\xff": "bad_unicode",
    b"RDB1\xff\xff\xff\xff": "bad_frame",
    '{"type":"batch","seq":1,"ops":NaN}': "bad_number",
    "[" * 1000: "too_deep",
    "x" * 5000: "too_large",
    "[]": "bad_message",
    '{"type":"batch"}': "bad_message",
    '{"type":"hello"}': "bad_message",
    '{"type":"widget_update","widget_id":"ID","property":"low","value":1}': "unknown_type",
}


@pytest.mark.parametrize(("frame", "code"), BAD.items())
def test_a_bad_frame_gets_its_code_and_harms_nothing_else(frame, code):
    frontend = Frontend(WidgetManager(limits=Limits(max_frame_bytes=4096)))
    widget = Range()
    page, other = frontend.page(), frontend.page()
    model, there = page.open(widget), other.open(widget)
    page.send_raw(frame)
    frontend.settle()
    assert [event.code for event in page.events] == [code]
    edit(model, low=8)
    frontend.settle()
    assert widget.low == there.get("low") == 8
    frontend.manager.clear()


# The simulation itself.


def test_frames_are_kept_with_their_time_direction_and_content(rdit_sim):
    widget = Range()
    page = rdit_sim.page()
    model = page.open(widget)
    rdit_sim.advance(1.5)
    assert [(frame.direction, message_of(frame)) for frame in page.wire] == [
        ("to_server", "hello"),
        ("to_page", "welcome"),
        ("to_page", "sync"),
        ("to_server", "sync_ack"),
    ]
    edit(model, data=[b"abc", 1], low=2)
    rdit_sim.deliver()
    batch = page.wire[4]
    assert (batch.at_s, batch.direction) == (1.5, "to_server")
    assert isinstance(batch.data, bytes)
    assert [op["value"] for op in batch.message["ops"]] == [[None, 1], 2]
    acknowledged = page.wire[-1]
    assert acknowledged.text == acknowledged.data == '{"type":"sync_ack","frame":2}'


def test_heartbeats_keep_nobody_from_settling_and_are_met_when_time_passes(rdit_sim):
    pages = [rdit_sim.page() for _ in range(2)]
    rdit_sim.settle()
    assert rdit_sim.clock.now_s == 0
    rdit_sim.advance(80)
    assert all(page.is_connected and page.is_idle for page in pages)
    for page in pages:
        assert [frame.at_s for frame in page.wire if message_of(frame) == "ping"] == [25, 50, 75]
        assert [frame.at_s for frame in page.wire if message_of(frame) == "pong"] == [25, 50, 75]


def test_a_correction_of_base_mode_that_is_waited_for_misses_no_heartbeat():
    frontend = Frontend(WidgetManager(limits=Limits(correction_s=60)))
    widget = Clamped()
    page, base = frontend.page(), frontend.page("base")
    page.open(widget)
    edit(base.open(widget), value=50)
    frontend.settle()
    assert frontend.clock.now_s == 60
    assert page.is_connected
    assert [message_of(frame) for frame in page.wire].count("ping") == 2
    assert base.open(widget).get("value") == 10
    frontend.manager.clear()


def test_a_page_without_a_network_dials_in_vain_and_does_not_keep_the_others_from_settling(rdit_sim):
    widget = Range()
    page, other = rdit_sim.page(), rdit_sim.page()
    models = page.open(widget), other.open(widget)
    page.drop()
    rdit_sim.advance(60)
    assert page.client.page_state == "offline"
    edit(models[0], low=3)
    edit(models[1], high=30)
    rdit_sim.settle()
    assert rdit_sim.clock.now_s == 60
    assert (widget.low, widget.high) == (0, 30)
    page.heal()
    rdit_sim.settle()
    assert rdit_sim.clock.now_s == 60
    assert (models[1].get("low"), models[0].get("high")) == (3, 30)


def test_a_server_that_ends_each_connection_never_settles(rdit_sim, monkeypatch):
    monkeypatch.setattr("rdit_harness.frontend._MAX_ROUNDS", 50)
    rdit_sim.manager.on("connected", lambda event: rdit_sim.manager.close_connections(rdit_sim.clock.now_s))
    rdit_sim.page()
    with pytest.raises(NeverSettles, match="Deadlines are still set"):
        rdit_sim.settle()


def test_a_page_that_answers_each_correction_never_settles(rdit_sim, monkeypatch):
    monkeypatch.setattr("rdit_harness.frontend._MAX_ROUNDS", 200)
    model = rdit_sim.page().open(Clamped())
    numbers = itertools.count(11)
    model.on("change:value", lambda: model.get("value") == 10 and edit(model, value=next(numbers)))
    edit(model, value=50)
    with pytest.raises(NeverSettles, match="Frames still flow"):
        rdit_sim.settle()


def test_a_listener_that_cuts_the_link_loses_the_frames_behind(rdit_sim):
    widget = Range()
    page = rdit_sim.page()
    model = page.open(widget)
    model.on("change:low", page.drop)
    rdit_sim.settle()
    widget.low = 1
    rdit_sim.manager.send_output(1, b'"lost"')
    rdit_sim.settle()
    assert not page.is_connected
    assert page.events == []
    widget.high = 20
    page.heal()
    rdit_sim.settle()
    assert (model.get("low"), model.get("high")) == (1, 20)

import json
import math
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdit_core import BaseServerConnection, Limits, UnknownWidget, WriteRefused
from rdit_core.base_server import _MAX_EVENTS
from rdit_core.encoding import EncodedValue
from rdit_core.events import FrameRefused, UpdateReceived
from rdit_core.messages import Output
from rdit_core.slots import Slot


class Core:
    """Slots without widgets: what a connection asks of its manager, and nothing more."""

    def __init__(self):
        self.lock = threading.RLock()
        self.slots = {("a", "p"): b"0", ("a", "q"): b"0"}
        self.pending = []
        self.gone = []
        self.trait = lambda value: value

    def enqueue(self, update):
        self.pending.append(update)

    def write(self, connection, message, received_s):
        key = (message.widget_id, message.property)
        if key not in self.slots:
            raise UnknownWidget(message.widget_id)
        self.slots[key] = json.dumps(self.trait(message.value)).encode()

    def find_slot(self, widget_id, property):
        value = self.slots.get((widget_id, property))
        return Slot(EncodedValue(value), 1) if value is not None else None

    def disconnected(self, connection):
        self.gone.append(connection)

    def apply(self):
        pending, self.pending = self.pending, []
        for update in pending:
            update.apply()


@pytest.fixture
def core():
    return Core()


def connect(core, **options):
    options = {"connection_id": 1, "user": "ada", "wakeup": None, "output": False, **options}
    return BaseServerConnection(core, Limits(correction_s=0.25), **options)


@pytest.fixture
def connection(core):
    return connect(core)


def update(value, name="p", widget_id="a"):
    return json.dumps({"type": "widget_update", "widget_id": widget_id, "property": name, "value": value})


def sent(connection):
    return [json.loads(frame) for frame in connection.frames_to_send()]


def push(value, name="p"):
    return {"type": "widget_update", "widget_id": "a", "property": name, "value": value}


ACK = {"type": "ack", "widget_id": "a", "property": "p"}


def refuse(error):
    def trait(value):
        raise error

    return trait


def test_an_update_waits_for_the_kernel_and_then_gets_its_ack(core, connection):
    connection.receive_frame(update(3), 0.0)
    assert sent(connection) == []
    assert core.slots["a", "p"] == b"0"
    core.apply()
    assert core.slots["a", "p"] == b"3"
    assert sent(connection) == [ACK]
    assert sent(connection) == []


def test_every_frame_gets_one_reply_in_order_and_none_overtakes(core, connection):
    connection.receive_frame(update(1), 0.0)
    connection.receive_frame("nonsense", 0.0)
    connection.receive_frame(update(1, widget_id="nobody"), 0.0)
    connection.receive_frame(b"\xff", 0.0)
    connection.receive_frame(update(2), 0.0)
    first, *rest = core.pending
    rest[0].apply()
    assert sent(connection) == []
    first.apply()
    replies = sent(connection)
    rest[1].apply()
    replies += sent(connection)
    assert [one.get("code", one["type"]) for one in replies] == [
        "ack",
        "bad_json",
        "unknown_widget",
        "bad_unicode",
        "ack",
    ]
    assert replies[2] == {
        "type": "error",
        "message": "Widget nobody not found",
        "code": "unknown_widget",
        "widget_id": "nobody",
        "property": "p",
    }
    assert connection.events_received() == [
        UpdateReceived("a", "p"),
        FrameRefused("bad_json"),
        UpdateReceived("nobody", "p"),
        FrameRefused("bad_unicode"),
        UpdateReceived("a", "p"),
    ]
    assert connection.events_received() == []


def test_pushes_do_not_wait_for_replies(core, connection):
    connection.receive_frame(update(1), 0.0)
    connection.mark(("a", "q"))
    assert sent(connection) == [push(0, "q")]


def test_a_push_carries_the_present_value_however_often_the_slot_changed(core, connection):
    for value in range(1000):
        core.slots["a", "p"] = str(value).encode()
        connection.mark(("a", "p"))
    assert sent(connection) == [push(999)]
    assert sent(connection) == []


def test_a_slot_that_is_gone_is_not_pushed(core, connection):
    connection.mark(("a", "p"))
    del core.slots["a", "p"]
    assert sent(connection) == []


@pytest.mark.parametrize(
    ("trait", "kept", "answer"),
    [
        (refuse(WriteRefused("invalid_value", "a", "p", "no")), b"0", "invalid_value"),
        (refuse(UnknownWidget("a")), b"0", "unknown_widget"),
        (refuse(ZeroDivisionError("secret")), b"0", "internal"),
        (lambda value: min(value, 100), b"100", "ack"),
    ],
)
def test_a_page_whose_value_did_not_stand_is_told_what_stands(core, connection, caplog, trait, kept, answer):
    core.trait = trait
    connection.receive_frame(update(120), 10.0)
    core.apply()
    [reply] = sent(connection)
    assert reply.get("code", reply["type"]) == answer
    assert "secret" not in json.dumps(reply)
    assert connection.next_deadline() == 10.25
    connection.handle_timeout(10.24)
    assert sent(connection) == []
    connection.handle_timeout(10.25)
    assert sent(connection) == [push(json.loads(kept))]
    assert connection.next_deadline() is None
    assert ("update of a.p failed" in caplog.text) == (answer == "internal")


def test_a_page_whose_value_stands_is_not_told_again(core, connection):
    connection.receive_frame(update(1), 0.0)
    core.apply()
    assert sent(connection) == [ACK]
    connection.handle_timeout(0.25)
    assert sent(connection) == []
    assert connection.next_deadline() is None


def test_a_page_that_was_pushed_to_is_told_after_its_own_write_since_nobody_knows_which_it_saw_last(core, connection):
    connection.mark(("a", "p"))
    assert sent(connection) == [push(0)]
    connection.receive_frame(update(1), 0.0)
    core.apply()
    assert sent(connection) == [ACK]
    connection.handle_timeout(0.25)
    assert sent(connection) == [push(1)]


def test_the_correction_waits_for_the_last_update_and_for_its_answer(core, connection):
    core.trait = lambda value: 0
    connection.receive_frame(update(1), 0.0)
    core.apply()
    connection.receive_frame(update(2), 0.2)
    assert connection.next_deadline() is None
    connection.handle_timeout(9.0)
    assert sent(connection) == [ACK]
    core.apply()
    assert connection.next_deadline() == 0.45
    connection.receive_frame(update(1, "q"), 0.1)
    core.apply()
    assert connection.next_deadline() == 0.35
    connection.handle_timeout(0.35)
    assert [one["type"] for one in sent(connection)] == ["ack", "ack", "widget_update"]
    connection.handle_timeout(0.45)
    assert sent(connection) == [push(0)]


def test_an_update_of_what_is_not_there_leaves_nothing_behind(core, connection):
    connection.receive_frame(update(1, widget_id="nobody"), 0.0)
    core.apply()
    sent(connection)
    connection.handle_timeout(1.0)
    assert sent(connection) == []
    assert connection.next_deadline() is None
    assert connection._own == {}


def test_what_is_forgotten_is_neither_pushed_nor_corrected_and_its_updates_are_refused(core, connection):
    connection.receive_frame(update(1), 0.0)
    connection.mark(("a", "q"))
    sent(connection)
    connection.mark(("a", "q"))
    connection.forget("a")
    core.apply()
    assert [one["code"] for one in sent(connection)] == ["unknown_widget"]
    assert core.slots["a", "p"] == b"0"
    assert connection.next_deadline() is None
    assert (connection._own, connection._pushed, connection._dirty) == ({}, set(), {})


def test_an_update_for_a_widget_that_went_does_not_upset_the_count_of_the_next_one_under_its_id(core, connection):
    core.trait = lambda value: 0
    connection.receive_frame(update(1), 0.0)
    connection.forget("a")
    connection.receive_frame(update(2), 1.0)
    stale, fresh = core.pending
    stale.apply()
    assert connection.next_deadline() is None
    fresh.apply()
    assert connection.next_deadline() == 1.25
    connection.handle_timeout(1.25)
    assert [one["type"] for one in sent(connection)] == ["error", "ack", "widget_update"]


def test_forgetting_one_widget_leaves_the_others(core, connection):
    connection.receive_frame(update(1), 0.0)
    connection.mark(("a", "q"))
    connection.forget("b")
    core.apply()
    assert sent(connection) == [ACK, push(0, "q")]
    assert connection.next_deadline() == 0.25


def test_an_ended_connection_applies_what_it_received_and_says_nothing_more(core, connection):
    connection.receive_frame(update(1), 0.0)
    connection.receive_eof()
    connection.receive_eof()
    assert core.gone == [connection]
    core.apply()
    connection.mark(("a", "q"))
    connection.receive_frame(update(2), 0.0)
    connection.queue_output(Output(1, None))
    assert core.slots["a", "p"] == b"1"
    assert core.pending == []
    assert sent(connection) == []
    assert connection.next_deadline() is None


def test_output_goes_to_those_who_asked_after_everything_else(core, connection):
    connection.queue_output(Output(1, {"x": 1}))
    assert sent(connection) == []
    asking = connect(core, output=True)
    asking.queue_output(Output(1, {"x": 1}))
    asking.mark(("a", "p"))
    assert sent(asking) == [push(0), {"type": "output", "n": 1, "event": {"x": 1}}]


def test_output_for_a_peer_that_does_not_read_is_bounded_and_the_newest_is_kept(core):
    asking = connect(core, output=True)
    kept = [asking.queue_output(Output(n, None)) for n in range(10_010)]
    assert kept == [True] * 10_000 + [False] * 10
    assert [frame["n"] for frame in sent(asking)] == list(range(10, 10_010))


def test_events_that_no_adapter_asks_for_are_bounded(core, connection):
    for _ in range(_MAX_EVENTS + 5):
        connection.receive_frame("x", 0.0)
        connection.frames_to_send()
    assert len(connection.events_received()) == _MAX_EVENTS


def test_the_adapter_is_woken_for_replies_and_output_while_the_connection_is_open_and_without_the_lock(core):
    woken = []

    def wakeup():
        free = []

        def try_lock():
            free.append(core.lock.acquire(blocking=False))
            if free[0]:
                core.lock.release()

        thread = threading.Thread(target=try_lock)
        thread.start()
        thread.join()
        woken.append(free)

    connection = connect(core, wakeup=wakeup, output=True)
    connection.receive_frame(update(1), 0.0)
    assert woken == []
    core.apply()
    connection.receive_frame("x", 0.0)
    connection.queue_output(Output(1, None))
    assert woken == [[True]] * 3
    connection.receive_eof()
    connection.wake()
    assert len(woken) == 3


def test_an_adapter_that_cannot_be_woken_troubles_nobody_who_sets_a_trait(core, caplog):
    def wakeup():
        raise RuntimeError("Event loop is closed")

    connection = connect(core, wakeup=wakeup)
    connection.receive_frame("x", 0.0)
    assert [one["code"] for one in sent(connection)] == ["bad_json"]
    assert "wakeup of connection 1 failed" in caplog.text


def test_an_interrupted_update_is_answered_and_the_page_corrected(core, connection):
    core.trait = refuse(KeyboardInterrupt())
    connection.receive_frame(update(1), 0.0)
    with pytest.raises(KeyboardInterrupt):
        core.apply()
    assert [one["code"] for one in sent(connection)] == ["internal"]
    connection.handle_timeout(0.25)
    assert sent(connection) == [push(0)]


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("write"), st.integers(0, 5), st.sampled_from("pq")),
            st.tuples(st.just("set"), st.integers(0, 5), st.sampled_from("pq")),
            st.tuples(st.just("apply")),
            st.tuples(st.just("drain")),
            st.tuples(st.just("wait"), st.floats(0, 0.5)),
        )
    )
)
def test_a_page_that_takes_pushes_when_none_of_its_edits_is_open_ends_with_what_stands(history):
    core, now = Core(), 0.0
    core.trait = lambda value: min(value, 3)
    connection = connect(core)
    shown, open_edits, replies = {"p": 0, "q": 0}, [], 0

    def drain():
        nonlocal replies
        for message in sent(connection):
            if message["type"] == "widget_update":
                if message["property"] not in open_edits:
                    shown[message["property"]] = message["value"]
            else:
                replies += 1
                assert open_edits.pop(0) == message["property"]

    written = 0
    for kind, *arguments in history:
        match kind:
            case "write":
                value, name = arguments
                shown[name] = value
                open_edits.append(name)
                connection.receive_frame(update(value, name), now)
                written += 1
            case "set":
                value, name = arguments
                core.slots["a", name] = str(value).encode()
                connection.mark(("a", name))
            case "apply":
                core.apply()
            case "drain":
                drain()
            case "wait":
                now += arguments[0]
                connection.handle_timeout(now)
    core.apply()
    drain()
    while (deadline := connection.next_deadline()) is not None:
        connection.handle_timeout(deadline)
        drain()
    assert replies == written
    assert shown == {name: json.loads(core.slots["a", name]) for name in "pq"}
    assert math.isfinite(now)


def test_a_connection_is_congested_while_too_many_replies_wait(core):
    connection = BaseServerConnection(
        core, Limits(max_waiting_frames=2), connection_id=1, user="ada", wakeup=None, output=False
    )
    connection.receive_frame(update(1), 0.0)
    assert not connection.is_congested
    connection.receive_frame("nonsense", 0.0)
    assert connection.is_congested
    core.apply()
    assert connection.is_congested, "the peer has not read its replies"
    connection.frames_to_send()
    assert not connection.is_congested


def test_a_connection_is_congested_while_too_much_waits_for_the_kernel(core):
    connection = BaseServerConnection(
        core, Limits(max_waiting_bytes=1_000), connection_id=1, user="ada", wakeup=None, output=False
    )
    connection.receive_frame(update("x" * 2_000), 0.0)
    assert connection.is_congested, "one frame may exceed the limit"
    core.apply()
    assert not connection.is_congested


def test_what_interrupts_an_observer_goes_on_once_its_update_is_answered(core, connection):
    core.write = lambda connection, message, received_s: KeyboardInterrupt()
    connection.receive_frame(update(1), 0.0)
    with pytest.raises(KeyboardInterrupt):
        core.apply()
    assert sent(connection) == [ACK]


def test_a_connection_that_ended_holds_nobody_back(core):
    connection = BaseServerConnection(
        core, Limits(max_waiting_bytes=1), connection_id=1, user="ada", wakeup=None, output=False
    )
    connection.receive_frame(update(1), 0.0)
    assert connection.is_congested
    connection.receive_eof()
    assert not connection.is_congested


# What is set and taken back at once.


def test_a_value_that_is_taken_back_before_a_drain_is_pushed_all_the_same_and_a_run_is_one_push(core, connection):
    def run(*values):
        for value in values:
            key = ("a", "p")
            change = (key, core.find_slot(*key).value, EncodedValue(json.dumps(value).encode()))
            assert not connection.change([change])
            core.slots[key] = change[2].json

    run("m1", None, "m2", None)
    assert sent(connection) == [push("m1"), push(None), push("m2"), push(None)]
    run(*range(100))
    assert sent(connection) == [push(99)]
    connection.receive_eof()
    run(1, 99)
    assert sent(connection) == []

import json
import math

import pytest
import traitlets
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from rdit_core import ClientConnection, Limits, LocalProtocolError, UnserializableValue, WidgetManager
from rdit_core.base_client import EditRefused, OutputReceived
from rdit_core.client_events import (
    FrameIgnored,
    MessageLost,
    MessagesMissed,
    Restarted,
    ServerFailed,
    SessionExpired,
)
from rdit_core.client_reports import MAX_WAITING_REPORTS
from rdit_core.messages import Batch, Bye, Hello, Ping, Pong, Report, Resume, Subscribe, SyncAck
from rdit_core.tests.pair import Clamped, Counter, Page, Server


@pytest.fixture
def server():
    """A live client, and its server by hand; one widget `w` with `value` 0 and `label` ''."""
    server = Server(limits=Limits())
    server.open()
    server.read()
    return server


@pytest.fixture
def counter(manager):
    counter = Clamped()
    manager.register("w", counter)
    return counter


@pytest.fixture
def page(manager, counter):
    return Page(manager)


def listen(model, *names):
    """What a model tells its listeners, as name and value."""
    heard = []
    for name in names or ("value", "label", "data"):
        model.on(f"change:{name}", lambda name=name: heard.append((name, model.peek(name))))
    return heard


def refused(events):
    return [(one.code, one.property) for one in events if isinstance(one, EditRefused)]


# The connection's life.


def test_a_client_dials_says_hello_and_is_live_with_the_first_state():
    server = Server(connect=False)
    client = server.client
    assert (client.state, client.page_state, client.wants_transport) == ("connecting", "connecting", True)
    assert client.frames_to_send(0.0) == []
    client.opened(0.0)
    assert (client.state, client.wants_transport) == ("hello_sent", False)
    assert server.read() == [Hello("*", None, None)]
    server.welcome()
    assert client.state == "syncing"
    server.open()
    assert (client.state, client.page_state) == ("live", "live")
    assert server.read() == [SyncAck(1)]
    assert client.get_model("w").state == {"value": 0, "label": ""}
    assert client.get_model("w").widget_manager.get_model("w") is client.models["w"]
    assert (client.rev, client.is_idle, client.is_over) == (1, True, False)
    with pytest.raises(KeyError):
        client.get_model("nobody")


def test_the_hello_says_what_to_show_and_who_asks():
    client = ClientConnection(subscribe=["a", "b"], auth={"token": "t"})
    client.start(0.0)
    client.opened(0.0)
    assert [json.loads(frame) for frame in client.frames_to_send(0.0)] == [
        {"type": "hello", "subscribe": ["a", "b"], "auth": {"token": "t"}}
    ]


def test_what_is_out_of_turn_is_refused_to_the_adapter(server):
    with pytest.raises(LocalProtocolError, match="once per transport"):
        server.client.opened(0.0)
    with pytest.raises(LocalProtocolError):
        server.client.start(0.0)
    with pytest.raises(LocalProtocolError):
        ClientConnection().opened(0.0)


def test_frames_without_a_transport_or_out_of_place_are_nothing():
    server = Server(connect=False)
    server.welcome()
    assert server.client.state == "connecting"
    server.client.opened(0.0)
    server.open()
    assert (server.client.state, server.client.models) == ("hello_sent", {})
    server.welcome()
    server.welcome(epoch="other")
    server.open()
    server.read()
    server.client.receive_eof(0.0)
    server.connect()
    assert server.client._sync._known.epoch == "e"


def test_a_lost_connection_is_dialled_again_after_a_wait_that_doubles_up_to_a_bound():
    client = ClientConnection(random=lambda: 0.5)
    client.start(0.0)
    waits, now = [], 0.0
    for _ in range(8):
        client.receive_eof(now)
        assert (client.state, client.page_state, client.wants_transport) == ("backoff", "offline", False)
        waits.append(client.next_deadline() - now)
        client.handle_timeout(client.next_deadline() - 0.001)
        assert client.state == "backoff"
        now = client.next_deadline()
        client.handle_timeout(now)
        assert (client.state, client.next_deadline()) == ("connecting", None)
    assert waits == pytest.approx([0.25, 0.5, 1, 2, 4, 8, 10, 10])


def test_a_connection_lost_for_the_ten_thousandth_time_is_still_dialled():
    client = ClientConnection(random=lambda: 0.999)
    client.start(0.0)
    for _ in range(2000):
        client.receive_eof(0.0)
        client.hint_online(0.0)
    client.receive_eof(0.0)
    assert client.next_deadline() == pytest.approx(19.98)


@pytest.mark.parametrize(("live_s", "wait"), [(4.9, 1.0), (5.0, 0.25)])
def test_the_wait_begins_anew_only_after_a_connection_that_was_good_for_a_while(live_s, wait):
    server = Server(connect=False)
    for _ in range(2):
        server.client.receive_eof(0.0)
        server.client.hint_online(0.0)
    server.client.opened(0.0)
    server.welcome()
    server.open()
    server.client.receive_eof(live_s)
    assert server.client.next_deadline() - live_s == pytest.approx(wait)


def test_a_lost_transport_is_told_once(server):
    server.lose()
    deadline = server.client.next_deadline()
    server.client.receive_eof(100.0)
    assert server.client.next_deadline() == deadline
    ClientConnection().receive_eof(0.0)


def test_the_next_hello_names_the_session_and_the_state_that_was_applied(server):
    server.sync(rev=5)
    server.lose()
    assert server.connect().resume == Resume("e", "s", "x", 5)


def test_a_session_whose_state_never_came_is_not_named(server):
    server.lose()
    server.connect(session="new", secret="y")
    server.lose()
    assert server.connect().resume == Resume("e", "s", "x", 1)
    server.open()
    server.lose()
    assert server.connect().resume.session == "s"


@pytest.mark.parametrize(("code", "state"), [(4000, "backoff"), (4499, "backoff"), (4500, "failed"), (4999, "failed")])
def test_a_close_code_says_whether_to_come_back(server, code, state):
    server.lose(code)
    assert (server.client.state, server.client.is_over) == (state, state == "failed")


@pytest.mark.parametrize("code", [1000, 1001, 1006, 3000, 5000, None])
def test_any_other_close_is_a_lost_connection(server, code):
    server.lose(code)
    assert server.client.state == "backoff"


def test_a_connection_that_is_refused_for_good_gives_up_what_waits_and_says_why(server):
    server.edit(value=1)
    server.read()
    server.client.get_model("w").send("hi")
    server.edit(value=2, label="x")
    server.client.receive_eof(0.0, 4500, "unauthorized")
    client = server.client
    assert (client.failure, client.page_state) == ((4500, "unauthorized"), "failed")
    events = server.told()
    assert refused(events) == [("undeliverable", "value"), ("undeliverable", "label")]
    assert [(one.code, one.widget_id) for one in events if isinstance(one, MessageLost)] == [("undeliverable", "w")]
    assert all("unauthorized" in one.message for one in events)
    assert (client.next_deadline(), client.is_idle, client.is_pending("w", "value")) == (None, True, False)
    # Nothing moves it any more, and an edit is not lost silently.
    client.hint_online(1.0)
    client.handle_timeout(99.0)
    client.suspend(1.0)
    client.restore(1.0)
    client.leave(1.0)
    client.receive_eof(1.0)
    server.edit(value=3)
    client.get_model("w").send("late")
    assert [one.code for one in server.told()] == ["undeliverable"] * 2
    assert client.state == "failed"


def test_a_close_without_words_is_explained_by_its_number(server):
    server.edit(value=1)
    server.lose(4503)
    assert "4503" in server.told()[0].message


def test_somebody_else_who_goes_on_with_the_session_keeps_it(page, manager, counter):
    page.edit(value=5)
    page.pull()
    page.lose(4004)
    page.dial()
    [hello] = page.client.frames_to_send(0.0)
    assert "resume" not in json.loads(hello)
    page.server.receive_frame(hello, 0.0)
    page.settle()
    assert (counter.value, page.shown()) == (5, 5)
    assert page.batches()[-1].ops[0].if_rev is not None


# Silence.


def test_a_silent_server_is_given_up(server):
    client = server.client
    assert client.next_deadline() == 45.0
    server.now = 10.0
    server.say("ping", id=3)
    assert server.read() == [Pong(3)]
    assert client.next_deadline() == 55.0
    client.handle_timeout(54.9)
    assert client.state == "live"
    client.handle_timeout(55.0)
    assert (client.state, client.wants_close, client.page_state) == ("suspect", True, "offline")
    assert client.next_deadline() is None
    server.say("ping", id=4)
    assert client.frames_to_send(55.0) == []
    client.receive_eof(56.0)
    assert (client.state, client.wants_close) == ("backoff", False)


@pytest.mark.parametrize("welcomed", [False, True])
def test_a_server_that_does_not_answer_the_hello_is_given_up_too(welcomed):
    server = Server(connect=False)
    server.client.opened(0.0)
    if welcomed:
        server.welcome()
    server.client.handle_timeout(45.0)
    assert server.client.wants_close


def test_a_hint_dials_at_once_or_asks_whether_the_peer_is_there(server):
    client = server.client
    client.hint_online(1.0)
    client.hint_online(2.0)
    assert server.read() == [Ping(1)]
    assert client.next_deadline() == 6.0
    server.now = 3.0
    server.say("pong", id=1)
    assert client.next_deadline() == 48.0
    client.hint_online(10.0)
    assert server.read() == [Ping(2)]
    client.handle_timeout(15.0)
    assert client.wants_close
    client.hint_online(15.0)
    assert client.state == "suspect"
    client.receive_eof(15.0)
    client.hint_online(15.0)
    assert client.wants_transport


@pytest.mark.parametrize("said", [False, True])
def test_a_hint_during_a_dial_that_fails_is_remembered(said):
    client = ClientConnection(random=lambda: 0.5)
    client.start(0.0)
    if said:
        client.opened(0.0)
    client.hint_online(0.0)
    client.receive_eof(7.0)
    assert client.next_deadline() == 7.0
    client.handle_timeout(7.0)
    client.receive_eof(8.0)
    assert client.next_deadline() > 8.0


def test_a_hint_during_a_dial_that_succeeds_is_spent(server):
    server.lose()
    server.client.hint_online(0.0)
    server.client.hint_online(0.0)
    server.client.opened(0.0)
    server.read()
    server.welcome()
    server.open()
    server.lose()
    assert server.client.next_deadline() > 0.0


# Coming and going of the page.


def test_a_page_that_is_kept_for_back_sends_what_it_may_and_says_no_goodbye(server):
    client = server.client
    server.edit(value=1)
    client.suspend(1.0)
    assert (client.wants_close, client.page_state, client.next_deadline()) == (True, "offline", None)
    sent = server.read()
    assert [type(one) for one in sent] == [Batch]
    assert server.read() == []
    client.hint_online(1.0)
    client.restore(1.0)
    assert client.wants_close, "its transport has not ended yet"
    client.suspend(1.0)
    client.receive_eof(2.0)
    client.hint_online(2.0)
    assert (client.state, client.next_deadline(), client.wants_transport) == ("backoff", None, False)
    client.restore(3.0)
    assert client.wants_transport
    server.now = 3.0
    client.opened(3.0)
    [hello] = server.read()
    assert hello.resume is not None
    server.welcome(resumed=True)
    server.sync(rev=1)
    assert [one.seq for one in server.batches()] == [1]


def test_a_page_that_is_shown_again_before_its_transport_ended_dials_when_it_has(server):
    client = server.client
    client.suspend(1.0)
    client.restore(1.0)
    client.receive_eof(2.0)
    assert client.next_deadline() is not None
    client.handle_timeout(100.0)
    assert client.wants_transport


def test_a_page_that_was_suspended_before_it_began_dials_when_it_is_shown():
    client = ClientConnection()
    client.suspend(0.0)
    client.restore(0.0)
    assert client.state == "idle"
    client.start(0.0)
    client.suspend(0.0)
    assert (client.state, client.wants_transport) == ("backoff", False)
    client.restore(0.0)
    assert client.wants_transport


def test_a_page_that_leaves_sends_everything_and_a_goodbye(server):
    client = server.client
    for value in range(5):
        server.edit(value=value + 1)
        client.get_model("w").send(value)
    server.read()
    server.edit(label="last")
    client.leave(1.0)
    sent = server.read()
    assert [type(one) for one in sent[-2:]] == [Batch, Bye]
    assert sent[-2].ops[-1].value == "last"
    assert (client.state, client.wants_close, client.is_idle) == ("closed", True, True)
    assert server.told() == []
    client.receive_eof(1.0)
    assert (client.wants_close, client.next_deadline()) == (False, None)
    client.leave(2.0)
    assert client.frames_to_send(2.0) == []


def test_what_cannot_be_sent_when_a_page_leaves_is_reported():
    server = Server()
    server.open()
    server.lose()
    server.edit(value=1)
    server.client.leave(0.0)
    assert refused(server.told()) == [("undeliverable", "value")]
    idle = ClientConnection()
    idle.leave(0.0)
    assert idle.state == "closed"


def test_a_page_that_leaves_before_it_is_live_says_goodbye_all_the_same():
    server = Server()
    server.client.leave(0.0)
    assert server.read() == [Bye()]
    early = Server(connect=False)
    early.client.opened(0.0)
    early.read()
    early.client.leave(0.0)
    assert early.read() == []


# Edits.


def sent(server):
    """The values that left, with what they are compared with."""
    return [(op.value, op.if_rev) for batch in server.batches() for op in batch.ops]


@pytest.mark.threat(28)
def test_an_edit_of_what_is_compared_names_what_the_page_showed_when_it_was_edited():
    server = Server()
    server.open({**server.opening(), "if_unchanged": ["value"]})
    server.edit(value=1)
    server.edit(label="x")
    assert sent(server) == [(1, 1), ("x", None)]
    server.sync(rev=9, changes=[["w", 1, "value", 9, 9]])
    server.edit(value=2)
    assert sent(server) == [(2, 1)]
    server.sync(ack=2, rev=9, rejects=[{"seq": 2, "op": 0, "code": "conflict", "message": "m"}])
    assert (server.client.get_model("w").peek("value"), len(server.told())) == (9, 1)
    server.edit(value=3)
    assert sent(server) == [(3, 9)]
    server.sync(ack=3, rev=9)
    server.edit(other=1)
    assert sent(server) == [(1, None)]


@pytest.mark.threat(28)
@pytest.mark.parametrize(
    ("welcome", "inst", "if_rev"),
    [
        ({"resumed": True}, 1, 1),
        ({"session": "t"}, 1, 1),
        ({"epoch": "another"}, 7, 0),
        ({"epoch": "another"}, None, 0),
    ],
    ids=["resumed", "expired", "restarted", "restarted, the widget later"],
)
def test_a_page_that_slept_compares_with_what_it_showed_whatever_became_of_its_session(welcome, inst, if_rev):
    server = Server()
    guarded = {"if_unchanged": ["value", "label"]}
    server.open({**server.opening(), **guarded})
    server.edit(label="under way")
    server.read()
    server.lose()
    server.edit(value=1)
    server.connect(**welcome)
    if inst is None:
        server.sync(rev=5, live=[])
        # A further edit, of a widget that the new server does not have yet.
        server.edit(value=2)
        server.sync(rev=7, open=[{**server.opening(inst=7), **guarded}])
        assert sent(server) == [("under way", 0), (2, 0)]
    else:
        server.sync(rev=8, open=[{**server.opening(inst=inst), **guarded}])
        assert sent(server) == [("under way", if_rev), (1, if_rev)]


@pytest.mark.threat(27)
@pytest.mark.parametrize("epoch", ["e", "another"])
def test_the_numbers_of_a_sessions_batches_follow_the_one_in_its_welcome(epoch):
    server = Server(connect=False)
    server.connect(ack=70)
    server.open(ack=70)
    server.edit(value=1)
    assert [one.seq for one in server.batches()] == [71]
    server.lose()
    # The same session goes on where it was, whatever its welcome says was done.
    server.connect(resumed=True, ack=70)
    server.sync(ack=70)
    assert [one.seq for one in server.batches()] == [71]
    server.lose()
    # Another one has numbers of its own, lower ones perhaps: all that waits gets them.
    server.edit(label="later")
    server.connect(ack=20, session="t", epoch=epoch)
    server.open(server.opening(inst=9), ack=20, rev=9)
    [batch] = server.batches()
    assert (batch.seq, [op.property for op in batch.ops]) == (21, ["value", "label"])
    server.sync(ack=21, rev=9)
    assert server.client.is_idle


@pytest.mark.afm(53)
def test_the_first_edit_leaves_at_once_and_later_ones_merge_while_two_batches_are_out(server):
    for value in range(1, 10):
        server.edit(value=value)
        server.edit(label=str(value))
        if value <= 2:
            assert [one.seq for one in server.batches()] == [value]
    assert server.batches() == []
    assert server.client.is_pending("w", "value")
    server.sync(ack=1, rev=2)
    [batch] = server.batches()
    assert batch.seq == 3
    assert [(op.property, op.value) for op in batch.ops] == [("value", 9), ("label", "9")]
    server.sync(ack=3, rev=3)
    assert (server.client.is_idle, server.client.is_pending("w", "value")) == (True, False)


@pytest.mark.afm(57)
def test_an_edit_names_the_widget_by_its_incarnation_and_is_a_snapshot(server):
    rows = [1]
    server.client.get_model("w").set("label", rows)
    server.client.get_model("w").save_changes()
    rows.append(2)
    [batch] = server.batches()
    [op] = batch.ops
    assert (op.widget_id, op.inst, op.value, op.if_rev) == ("w", 1, [1], None)


def test_what_has_no_json_form_is_refused_at_once_and_takes_no_other_along(server):
    with pytest.raises(UnserializableValue):
        server.client.send_updates("w", {"a": object(), "value": 1, "b": object()})
    with pytest.raises(UnserializableValue):
        server.client.send_update("w", "a", object())
    with pytest.raises(UnserializableValue):
        server.client.get_model("w").send(object())
    [batch] = server.batches()
    assert [op.property for op in batch.ops] == ["value"]


def test_a_pending_slot_shows_nothing_remote_until_it_is_settled(server):
    heard = listen(server.client.get_model("w"))
    server.edit(value=5)
    server.read()
    server.sync(rev=2, changes=[["w", 1, "value", 7, 2], ["w", 1, "label", "py", 2]])
    assert heard == [("value", 5), ("label", "py")]
    assert server.client.confirmed("w", "value") == (7, 2)
    server.sync(rev=3, ack=1, changes=[["w", 1, "value", 5, 3]])
    assert heard == [("value", 5), ("label", "py")]
    assert server.client.confirmed("nobody", "value") is None


@pytest.mark.parametrize(
    ("sync", "shown"),
    [
        ({}, 0),
        ({"rejects": [{"seq": 1, "op": 0, "code": "invalid_value", "message": "m"}]}, 0),
        ({"changes": [["w", 1, "value", 100, 2]]}, 100),
        ({"changes": [["w", 1, "value", 120, 2]]}, 120),
        ({"changes": [["w", 1, "value", True, 2]]}, True),
    ],
)
def test_a_settled_slot_shows_what_the_server_has(server, sync, shown):
    heard = listen(server.client.get_model("w"))
    server.edit(value=120)
    server.read()
    server.sync(rev=2, ack=1, **sync)
    assert server.client.get_model("w").peek("value") is shown or shown == 120
    assert heard == [("value", 120)] + ([("value", shown)] if shown != 120 else [])


def test_changes_that_come_together_are_in_place_before_anybody_hears_of_one(server):
    model, seen = server.client.get_model("w"), []
    model.on("change:value", lambda: seen.append(model.get("label")))
    server.sync(rev=2, changes=[["w", 1, "value", 1, 2], ["w", 1, "label", "both", 2]])
    assert seen == ["both"]


def test_an_older_revision_changes_nothing(server):
    server.sync(rev=5, changes=[["w", 1, "value", 5, 5]])
    server.sync(rev=5, changes=[["w", 1, "value", 4, 4], ["w", 2, "value", 9, 9], ["v", 1, "value", 9, 9]])
    assert server.client.get_model("w").get("value") == 5
    server.sync(rev=3)
    assert server.client.rev == 5


def test_an_equal_edit_of_a_settled_slot_is_no_edit_and_of_a_pending_one_is(server):
    model = server.client.get_model("w")
    heard = listen(model)
    server.edit(value=0)
    assert server.batches() == []
    server.edit(value=1)
    server.edit(value=1)
    assert [one.seq for one in server.batches()] == [1]
    server.edit(value=1)
    assert heard == [("value", 1)]
    assert [[op.value for op in one.ops] for one in server.batches()] == [[1]]


def test_an_edit_that_is_not_saved_yet_outlives_the_ack_of_the_one_before(server):
    model = server.client.get_model("w")
    server.edit(value=1)
    server.read()
    model.set("value", 2)
    server.sync(rev=2, ack=1, changes=[["w", 1, "value", 1, 2]])
    assert (model.get("value"), model.is_unsaved("value")) == (2, True)
    model.save_changes()
    [batch] = server.batches()
    assert batch.ops[0].value == 2


@pytest.mark.parametrize("acknowledged", [True, False])
def test_an_edit_that_is_not_saved_yet_gives_way_to_what_is_news(server, acknowledged):
    model = server.client.get_model("w")
    if acknowledged:
        server.edit(value=1)
        server.read()
    model.set("value", 2)
    server.sync(rev=2, ack=int(acknowledged), changes=[["w", 1, "value", 50, 2]])
    assert (model.get("value"), model.is_unsaved("value")) == (50, False)
    model.save_changes()
    assert server.batches() == []


def test_a_listener_may_edit_again_and_that_is_an_edit(server):
    model = server.client.get_model("w")
    model.on("change:value", lambda: (model.set("label", str(model.get("value"))), model.save_changes()))
    server.sync(rev=2, changes=[["w", 1, "value", 3, 2]])
    [batch] = server.batches()
    assert [(op.property, op.value) for op in batch.ops] == [("label", "3")]


def test_edits_that_are_saved_together_go_together_however_full_the_batch():
    server = Server()
    server.lose()
    server.connect(limits={"max_ops": 3})
    server.open(server.opening(**dict.fromkeys("abcdef", 0)))
    server.lose()
    server.edit(a=1, b=1)
    server.edit(c=2, d=2)
    server.edit(e=3)
    server.connect(resumed=True, limits={"max_ops": 3})
    server.sync(rev=1)
    assert [[op.property for op in one.ops] for one in server.batches()] == [["a", "b"], ["c", "d", "e"]]


def test_an_edit_that_no_frame_can_hold_is_refused_here_and_shown_as_it_was():
    server = Server()
    server.lose()
    server.connect(limits={"max_frame": 2000})
    server.open()
    heard = listen(server.client.get_model("w"))
    server.edit(label="x" * 3000)
    assert refused(server.told()) == [("too_large", "label")]
    assert heard == [("label", "x" * 3000), ("label", "")]
    server.client.get_model("w").send("x" * 3000)
    assert [(one.code, type(one)) for one in server.told()] == [("too_large", MessageLost)]
    assert server.batches() == []
    server.edit(label="fits")
    assert len(server.batches()) == 1


def test_an_edit_from_before_the_welcome_that_no_frame_can_hold_is_not_sent_either():
    server = Server()
    server.open()
    server.lose()
    server.edit(label="x" * 3000, value=1)
    server.client.get_model("w").send("x" * 3000)
    server.connect(resumed=True, limits={"max_frame": 2000})
    server.sync(rev=1)
    frames = server.client.frames_to_send(0.0)
    assert all(len(frame) <= 2000 for frame in frames)
    assert [one.code for one in server.told()] == ["too_large"] * 2
    assert server.client.get_model("w").get("label") == ""


leaves = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats() | st.text(max_size=20)
values = st.recursive(
    leaves | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text('ab"\\ü', max_size=5), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=40)
@given(st.lists(st.dictionaries(st.sampled_from("abcdef"), values, min_size=1), min_size=1, max_size=6))
def test_no_frame_is_longer_than_the_server_takes(saves):
    server = Server()
    server.lose()
    server.connect(limits={"max_frame": 1200, "max_inflight": 100})
    server.open(server.opening(**dict.fromkeys("abcdef")))
    for save in saves:
        server.edit("w", **save)
        server.client.get_model("w").send(save)
    for frame in server.client.frames_to_send(0.0):
        assert len(frame if isinstance(frame, bytes) else frame.encode()) <= 1200


@settings(max_examples=60)
@given(values)
def test_a_value_arrives_as_it_was_set_and_comes_back_so(value):
    manager = WidgetManager()
    manager.register("w", counter := Counter())
    page = Page(manager)
    other = Page(manager)
    page.edit(data=[value])
    page.settle()
    other.settle()

    def plain(one):
        if isinstance(one, memoryview):
            return bytes(one)
        if isinstance(one, dict):
            return {key: plain(item) for key, item in one.items()}
        if isinstance(one, list):
            return [plain(item) for item in one]
        return one

    def spelled(one):
        # A float without a fraction is an integer to a page.
        return repr(plain(one)).replace(".0", "")

    assert spelled(counter.data) == spelled([value])
    assert spelled(other.shown("data")) == spelled([value])
    assert page.codes() == []


def test_a_large_value_is_not_sent_back_and_confirmed_all_the_same(page, counter):
    text = "x" * 50_000
    page.edit(label=text, value=1)
    page.settle()
    assert counter.label == text
    assert page.client.confirmed("w", "label")[0] == text
    assert sum(len(frame) for way, frame in page.frames if way == "down") < 5000
    counter.label = "short"
    page.settle()
    assert page.shown("label") == "short"


def test_a_large_value_that_was_named_in_a_lost_frame_is_confirmed_after_the_resume(page, counter):
    text = "x" * 50_000
    page.edit(label=text)
    page.send()
    page.lose()
    page.back()
    assert page.client.confirmed("w", "label")[0] == text
    assert page.client.is_idle


def test_a_named_value_that_the_client_does_not_have_does_not_leave_it_behind_for_ever(page, counter):
    """Two frames that were broken on the way, and the client gave up a batch that the server then got."""
    text = "x" * 50_000
    page.edit(label=text)
    page.pull()
    [batch] = page.up
    page.up.clear()
    for _ in range(2):
        page.server.receive_frame("broken", 0.0)
    page.up.append(batch)
    page.deliver_up()
    page.pull()
    page.deliver_down(2)
    for _ in range(5):
        page.settle()
        if page.client.wants_close:
            page.lose()
            page.dial()
    assert page.client.state == "live"
    assert page.shown("label") == counter.label
    assert page.client.confirmed("w", "label")[0] == counter.label


def test_the_name_of_an_op_of_ours_confirms_its_value_and_one_for_a_widget_that_is_not_there_nothing(server):
    server.client.get_model("w").send("m")
    server.edit(value=1)
    server.read()
    assert server.client.confirmed("w", "value") == (0, 1)
    server.sync(rev=2, same=[["w", 1, "value", 1, 1, 2], ["nobody", 1, "value", 7, 0, 2]])
    assert server.client.confirmed("w", "value") == (1, 2)
    assert server.client.state == "live"


def test_the_name_of_an_op_that_is_done_is_no_gap_where_its_value_or_a_newer_one_is_confirmed(server):
    server.edit(value=1)
    server.read()
    server.sync(rev=2, ack=1, changes=[["w", 1, "value", 1, 2]])
    server.sync(rev=3, ack=1, same=[["w", 1, "value", 1, 0, 2]])
    assert server.client.confirmed("w", "value") == (1, 2)
    assert server.client.state == "live"


# Custom messages.


@pytest.mark.afm(54)
def test_a_message_goes_after_the_edits_before_it_and_before_those_after_it(page, counter):
    order = []
    counter.observe(lambda change: order.append(change.new), "value")
    counter._handle_custom_msg = lambda content, buffers: order.append((content, [bytes(one) for one in buffers]))
    page.lose()
    page.edit(value=1)
    page.edit(value=2)
    page.model().send({"a": 1}, None, [b"xy", memoryview(b"z")])
    page.edit(value=3)
    page.back()
    assert order == [2, ({"a": 1}, [b"xy", b"z"]), 3]
    assert page.client.is_idle


@pytest.mark.afm(56)
def test_messages_that_wait_too_long_fail_to_their_caller_oldest_first():
    server = Server(limits=Limits(max_queued_messages=2))
    server.open()
    server.lose()
    for number in range(4):
        server.edit(value=number)
        server.client.get_model("w").send(number)
    assert server.told() == [MessageLost("queue_full", "Too many messages wait for the connection", "w")] * 2
    server.connect(resumed=True)
    server.sync(rev=1)
    sent = [one for batch in server.batches() for one in batch.ops]
    assert [one.content for one in sent if hasattr(one, "content")] == [2, 3]


def test_an_edit_is_settled_though_a_message_between_two_of_its_kind_had_to_go():
    server = Server(limits=Limits(max_queued_messages=1))
    server.open()
    server.lose()
    for number in range(1, 5):
        server.edit(value=number)
        server.client.get_model("w").send(number)
    server.connect(resumed=True)
    server.sync(rev=1)
    assert len(server.batches()) == 1
    server.sync(rev=2, ack=1, changes=[["w", 1, "value", 99, 2]])
    assert not server.client.is_pending("w", "value")
    assert server.client.get_model("w").get("value") == 99


def test_a_message_to_a_widget_that_is_not_there_is_lost(server):
    server.client.send_message("nobody", 1)
    server.client.send_update("nobody", "value", 1)
    assert [one.code for one in server.told()] == ["undeliverable"] * 2


def test_messages_of_pythons_reach_the_listeners_in_order_and_once(page, manager, counter):
    heard = []
    page.model().on("msg:custom", lambda content, buffers: heard.append((content, [bytes(one) for one in buffers])))
    session = next(iter(manager.sessions))
    manager.send_to(session, counter, {"n": 1}, [b"a"])
    manager.send_to(session, counter, 2)
    page.pull()
    page.lose()
    manager.send_to(session, counter, 3)
    page.back()
    assert heard == [({"n": 1}, [b"a"]), (2, []), (3, [])]
    page.lose()
    page.back()
    assert (len(heard), page.codes()) == (3, [])


def test_the_state_is_in_place_when_a_message_comes(page, manager, counter):
    seen = []
    page.model().on("msg:custom", lambda content, buffers: seen.append(page.shown()))
    counter.value = 5
    manager.send_to(next(iter(manager.sessions)), counter, "now")
    page.settle()
    assert seen == [5]


@pytest.mark.parametrize(
    ("sync", "heard", "missed"),
    [
        ({"msgs": [3]}, [3], 2),
        ({"lost_msgs": 2, "msgs": [3]}, [3], 2),
        ({"lost_msgs": 2}, [], 2),
        ({"msgs": [1, 2, 2, 1]}, [1, 2], 0),
        ({"lost_msgs": 1, "msgs": [2, 5]}, [2, 5], 3),
        ({"lost_msgs": 4, "msgs": [3, 5]}, [5], 4),
    ],
)
def test_messages_that_will_never_come_are_counted_and_repeats_are_not_heard(server, sync, heard, missed):
    got = []
    server.client.get_model("w").on("msg:custom", lambda content, buffers: got.append(content))
    msgs = [{"n": n, "widget_id": "w", "inst": 1, "content": n} for n in sync.pop("msgs", [])]
    server.sync(msgs=msgs, **sync)
    assert got == heard
    assert server.told() == ([MessagesMissed(missed)] if missed else [])
    server.sync(msgs=msgs, **sync)
    assert server.told() == []


def test_a_message_for_another_incarnation_is_heard_by_nobody(server):
    got = []
    server.client.get_model("w").on("msg:custom", lambda content, buffers: got.append(content))
    server.sync(
        msgs=[
            {"n": 1, "widget_id": "w", "inst": 9, "content": 1},
            {"n": 2, "widget_id": "nobody", "inst": 1, "content": 2},
            {"n": 3, "widget_id": "w", "inst": 1, "content": 3},
        ]
    )
    assert (got, server.told()) == ([3], [])


# Verdicts.


def test_a_refused_edit_is_told_and_shown_as_it_was(page, counter):
    heard = listen(page.model())
    page.edit(value=13)
    page.settle()
    assert refused(page.told()) == [("invalid_value", "value")]
    assert heard == [("value", 13), ("value", 0)]
    assert page.client.is_idle


@pytest.mark.afm(33)
def test_an_edit_of_a_property_that_the_server_does_not_have_is_refused_and_stays_with_the_page(page, counter):
    heard = listen(page.model(), "nothing")
    page.edit(nothing=1, value=2)
    page.settle()
    assert refused(page.told()) == [("unknown_property", "nothing")]
    assert (page.model().get("nothing"), heard, counter.value) == (1, [("nothing", 1)], 2)
    page.model().save_changes()
    page.settle()
    assert (page.told(), page.client.is_idle) == ([], True)


def test_a_property_that_the_server_has_by_then_shows_its_value_after_a_refusal(server):
    server.edit(late=1)
    server.read()
    reject = {"seq": 1, "op": 0, "code": "unknown_property", "message": ""}
    server.sync(rev=2, ack=1, rejects=[reject], changes=[["w", 1, "late", 7, 2]])
    assert server.client.models["w"].get("late") == 7


def test_a_failed_observer_is_told_and_the_value_stays(page, counter):
    counter.observe(lambda change: 1 / 0, "value")
    page.edit(value=5)
    page.settle()
    assert refused(page.told()) == [("observer_failed", "value")]
    assert (page.shown(), counter.value) == (5, 5)


def test_a_message_whose_handler_failed_is_told_with_its_code(page):
    page.model().send("nobody listens")
    page.settle()
    assert [(type(one), one.code) for one in page.told()] == [(MessageLost, "handler_failed")]


def test_who_sent_a_message_that_is_lost_is_told_and_nobody_else(page):
    told = []
    page.client.send_message("w", "mine", on_lost=lambda *lost: told.append(lost))
    page.client.send_message("w", "another's")
    page.settle()
    assert told == [("handler_failed", "A handler in Python raised NotImplementedError")]
    page.client.send_message("nobody", "mine", on_lost=lambda *lost: told.append(lost))
    assert told[1:] == [("undeliverable", "The connection has ended")]
    assert len(page.told()) == 3


def test_each_model_that_opens_is_told_before_anything_is_delivered_to_it():
    opened = []
    server = Server(on_open=lambda model: opened.append(model) or model.hold_messages())
    heard = []
    server.open(msgs=[{"n": 1, "widget_id": "w", "inst": 1, "content": "early", "buffers": []}])
    [model] = opened
    assert model is server.client.get_model("w")
    model.on("msg:custom", lambda content, buffers: heard.append(content))
    model.release_messages()
    assert heard == ["early"]


def test_whoever_hears_of_a_new_model_may_leave_the_page():
    server = Server(on_open=lambda model: server.client.leave(0.0))
    server.open()
    assert server.client.state == "closed"
    assert server.read()[-1] == Bye()
    assert server.client.next_deadline() is None


def test_a_verdict_that_comes_again_is_told_once(page):
    page.edit(fixed=1)
    page.send()
    page.deliver_down()
    page.lose()
    page.back()
    assert refused(page.told()) == [("read_only", "fixed")]
    page.edit(value=1)
    page.settle()
    assert page.told() == []


def test_a_verdict_that_was_lost_with_its_frame_is_told_after_the_resume(page):
    page.edit(fixed=1)
    page.send()
    page.lose()
    page.back()
    assert refused(page.told()) == [("read_only", "fixed")]
    assert page.shown("fixed") == 7


@pytest.mark.parametrize("reject", [{"seq": 9, "op": 0}, {"seq": 1, "op": 5}, {"seq": 1, "op": -1}])
def test_a_verdict_on_what_was_never_sent_is_nothing(server, reject):
    server.edit(value=1)
    server.read()
    server.sync(ack=1, rev=2, rejects=[{**reject, "code": "conflict", "message": "m"}])
    assert server.told() == []


# Parts, gaps, and frames that are none.


def test_parts_show_together_with_the_last_and_each_is_acknowledged(server):
    heard = listen(server.client.get_model("w"))
    server.edit(value=1)
    server.read()
    server.sync(rev=2, more=True, open=[server.opening("v")], changes=[["w", 1, "label", "a", 2]])
    assert (server.read(), list(server.client.models), server.client.rev) == ([SyncAck(2)], ["w"], 1)
    server.sync(rev=3, more=True, changes=[["w", 1, "label", "b", 3]])
    server.sync(rev=4, ack=1, changes=[["v", 1, "value", 5, 4]], close=[["w", 9]])
    assert server.read() == [SyncAck(4)], "which stands for those before it"
    assert heard[0] == ("value", 1)
    assert sorted(heard[1:]) == [("label", "b"), ("value", 0)]
    assert server.client.get_model("v").get("value") == 5
    assert server.client.rev == 4


def test_parts_of_a_connection_that_was_lost_are_forgotten(server):
    server.sync(rev=2, more=True, changes=[["w", 1, "value", 9, 2]])
    server.lose()
    assert server.connect().resume.rev == 1
    server.welcome(resumed=True)
    server.frame = 0
    server.sync(rev=2)
    assert server.client.get_model("w").get("value") == 0


def test_a_property_that_follows_its_opening_as_a_change_is_there_at_once(server):
    opening = server.opening("v", 3, value=1)
    server.sync(rev=5, more=True, open=[opening])
    server.sync(rev=5, changes=[["v", 3, "large", "x", 4]])
    assert server.client.get_model("v").state == {"value": 1, "large": "x"}


@pytest.mark.parametrize("frame", [1, 3, 99])
def test_a_frame_that_is_missing_or_repeated_ends_the_connection_and_it_resumes(server, frame):
    server.sync(frame=frame, rev=9, changes=[["w", 1, "value", 9, 9]])
    assert (server.client.state, server.client.wants_close) == ("suspect", True)
    assert server.client.get_model("w").get("value") == 0
    server.lose()
    assert server.connect().resume == Resume("e", "s", "x", 1)


def test_a_frame_that_is_none_is_ignored_and_said_so_and_a_type_from_later_is_only_ignored(server):
    server.client.receive_frame("nonsense", 0.0)
    server.client.receive_frame(b"\xff", 0.0)
    server.say("dance")
    server.say("welcome", more=1)
    assert server.told() == [FrameIgnored("bad_json"), FrameIgnored("bad_unicode"), FrameIgnored("bad_message")]
    server.client.receive_frame(json.dumps({"type": "sync", "frame": 2, "rev": 2, "ack": 0, "later": 1}), 0.0)
    assert (server.client.state, server.client.rev) == ("live", 2)


def test_errors_and_output_are_told(server):
    server.say("error", message="m", code="internal", fatal=True)
    server.say("output", n=3, event={"text": "a"})
    server.say("pong", id=9)
    assert server.told() == [ServerFailed("internal", "m", True), OutputReceived(3, {"text": "a"})]
    assert server.client.state == "live"


# Poison.


def error(server, seq, code="bad_frame", **fields):
    server.say("error", message="m", code=code, seq=seq, **fields)


def test_a_frame_that_the_server_could_not_read_is_sent_again_with_all_that_follow(server):
    server.edit(value=1)
    server.edit(label="a")
    first = server.read()
    server.edit(label="b")
    second = server.read()
    error(server, 1)
    # What it acknowledges may have been in the frame that was lost.
    again = [structs.replace(first[0], sync_ack=1), *first[1:], *second]
    assert server.read() == again
    error(server, 2)
    assert server.read() == again
    assert refused(server.told()) == []


def test_a_frame_that_could_not_be_read_before_any_sync_came_leaves_nothing_to_acknowledge(server):
    server.edit(value=1)
    [batch] = server.batches()
    server.lose()
    server.connect(resumed=True)
    error(server, 1)
    assert server.read() == []
    server.sync(rev=1, ack=0)
    assert server.read() == [structs.replace(batch, sync_ack=1)]


def test_an_edit_that_a_sync_brings_about_acknowledges_it(server):
    model = server.client.get_model("w")
    model.on("change:value", lambda: server.edit(label=f"saw {model.get('value')}"))
    server.sync(rev=2, changes=[["w", 1, "value", 5, 2]])
    [batch] = server.read()
    assert (batch.seq, batch.sync_ack, batch.ops[0].value) == (1, 2, "saw 5")
    # Sent again, in another connection, it says nothing of the frames of this one.
    server.lose()
    server.connect(resumed=True)
    server.sync(rev=2, ack=0)
    assert server.read() == [structs.replace(batch, sync_ack=1)]
    server.sync(rev=3, ack=1)
    assert server.read() == [SyncAck(2)]


def test_a_batch_with_buffers_leaves_the_acknowledgement_to_a_frame_before_it(server):
    server.sync(rev=2, changes=[["w", 1, "value", 5, 2]])
    server.edit(data=b"bytes")
    [ack, batch] = server.read()
    assert (ack, batch.sync_ack, batch.ops[0].value) == (SyncAck(2), None, b"bytes")


def test_a_batch_that_the_server_cannot_read_twice_is_replaced_by_an_empty_one(server):
    server.edit(value=1, label="a")
    server.client.get_model("w").send("m")
    server.edit(value=2)
    server.read()
    server.edit(value=3)
    server.read()
    error(server, 1)
    error(server, 1)
    again = server.batches()
    assert [(one.seq, len(one.ops)) for one in again] == [(1, 0), (2, 1)]
    events = server.told()
    assert refused(events) == [("undeliverable", "value"), ("undeliverable", "label"), ("undeliverable", "value")]
    assert [one.code for one in events if isinstance(one, MessageLost)] == ["undeliverable"]
    # Later edits of the same page settle, and what was given up shows as it is.
    error(server, 1)
    error(server, 1)
    server.sync(rev=2, ack=1, rejects=[{"seq": 1, "op": 0, "code": "x", "message": "m"}])
    assert (server.client.get_model("w").get("label"), server.client.get_model("w").get("value")) == ("", 3)
    server.sync(rev=3, ack=2, changes=[["w", 1, "value", 3, 3]])
    assert server.client.is_idle
    assert refused(server.told()) == []


@pytest.mark.parametrize(
    ("code", "fields"), [("internal", {}), ("bad_frame", {"fatal": True}), ("bad_frame", {"seq": 7})]
)
def test_an_error_that_is_not_about_a_batch_of_ours_strikes_none(server, code, fields):
    server.edit(value=1)
    server.read()
    for _ in range(3):
        server.say("error", **{"message": "m", "code": code, "seq": 1, **fields})
    assert server.read() == []
    assert refused(server.told()) == []


def test_an_error_while_nothing_is_under_way_is_only_told(server):
    error(server, 1)
    assert server.read() == []


@pytest.mark.parametrize("code", [1007, 1009, 4001])
def test_a_batch_that_ends_two_connections_is_given_up(server, code):
    server.edit(value=1)
    server.edit(label="x")
    server.read()
    for _ in range(2):
        server.lose(code)
        server.connect(resumed=True)
        server.sync(rev=1)
        [batch] = server.batches()
    assert (batch.seq, batch.ops) == (1, [])
    assert refused(server.told()) == [("undeliverable", "value"), ("undeliverable", "label")]
    assert server.client.get_model("w").get("value") == 0


@pytest.mark.parametrize("code", [1007, 1009, 4001])
def test_a_close_that_a_batch_may_be_to_blame_for_is_a_loss_like_any_other_while_none_is_under_way(server, code):
    server.lose(code)
    server.connect(resumed=True)
    server.sync(rev=1)
    assert (server.client.state, server.told()) == ("live", [])


@pytest.mark.parametrize("code", [None, 1001, 1006, 4000, 4003, 4006])
def test_connections_that_are_merely_lost_strike_no_batch(server, code):
    server.edit(value=1)
    server.read()
    for _ in range(4):
        server.lose(code)
        server.connect(resumed=True)
        server.sync(rev=1)
        [batch] = server.batches()
        assert len(batch.ops) == 1
    assert refused(server.told()) == []


STRIKES = {
    "closes": lambda server: server.lose(1009),
    "errors": lambda server: (error(server, 1), server.lose()),
}
NEXT = {"expired": {"session": "s2"}, "restarted": {"epoch": "e2"}, "resumed": {"resumed": True}}


@pytest.mark.parametrize("welcome", NEXT)
@pytest.mark.parametrize("strike", STRIKES)
def test_an_edit_that_the_server_could_not_read_stays_suspect_in_its_next_session(server, strike, welcome):
    server.edit(value=1)
    server.read()
    STRIKES[strike](server)
    server.connect(**NEXT[welcome])
    server.open()
    [batch] = server.batches()
    assert [op.value for op in batch.ops] == [1]
    assert refused(server.told()) == []
    STRIKES[strike](server)
    server.connect(resumed=True)
    server.sync(rev=1)
    assert [(one.seq, one.ops) for one in server.batches()] == [(1, [])]
    assert refused(server.told()) == [("undeliverable", "value")]
    server.edit(value=2)
    [batch] = server.batches()
    server.sync(ack=batch.seq, rev=2, changes=[["w", 1, "value", 2, 2]])
    assert server.client.is_idle


# Widgets that come and go.


def test_widgets_open_and_close_with_their_incarnation(server):
    model = server.client.get_model("w")
    server.sync(rev=5, open=[server.opening("v", 5)])
    server.sync(rev=6, close=[["v", 4], ["w", 1], ["nobody", 1]])
    assert (list(server.client.models), model.is_closed) == (["v"], True)
    model.set("value", 5)
    model.save_changes()
    model.send("x")
    assert (server.batches(), server.told()) == ([], [])
    second = server.client.get_model("v")
    server.sync(rev=8, open=[server.opening("v", 8, value=3)], close=[["v", 5]])
    assert second.is_closed
    assert server.client.get_model("v").get("value") == 3


def test_an_edit_for_the_widget_before_is_refused_by_the_server_and_the_new_one_shows_its_own(page, manager):
    page.lose()
    page.edit(value=5)
    manager.register("w", later := Counter(value=1))
    page.back()
    assert refused(page.told()) == [("stale_widget", "value")]
    assert (later.value, page.shown()) == (1, 1)


def test_what_is_not_listed_as_living_is_closed_and_another_incarnation_too(server):
    server.sync(rev=5, open=[server.opening("v", 5), server.opening("u", 5)])
    server.sync(rev=6, live=[["v", 5], ["u", 6]])
    assert list(server.client.models) == ["v"]


def test_a_snapshot_that_repeats_an_open_widget_keeps_its_model(server):
    model = server.client.get_model("w")
    heard = listen(model)
    server.sync(rev=5, open=[{**server.opening(), "props": {"value": [7, 5], "label": ["", 1]}}], live=[["w", 1]])
    assert server.client.get_model("w") is model
    assert heard == [("value", 7)]


def test_a_subscription_changes_while_the_page_lives(manager):
    for name in "abc":
        manager.register(name, Counter())
    page = Page(manager, subscribe=["a"])
    assert list(page.client.models) == ["a"]
    page.client.subscribe(["b", "c"])
    page.settle()
    assert list(page.client.models) == ["b", "c"]
    page.client.subscribe("*")
    page.settle()
    assert set(page.client.models) == set("abc")
    page.lose()
    page.client.subscribe(["a"])
    page.back()
    assert list(page.client.models) == ["a"]
    assert page.client.state == "live"


def test_a_subscription_that_changes_without_a_connection_goes_with_the_hello(server):
    server.client.subscribe(("w",))
    assert server.read() == [Subscribe(["w"])]
    server.lose()
    server.client.subscribe(["v"])
    server.client.hint_online(0.0)
    server.client.subscribe(["u"])
    server.client.opened(0.0)
    [hello] = server.read()
    assert hello.subscribe == ["u"]


# Coming back: same server, session alive.


def test_what_was_not_acknowledged_is_sent_again_unchanged_and_the_queue_after_it(page, counter):
    seen = []
    counter.observe(lambda change: seen.append(change.new), "value")
    page.edit(value=1)
    page.pull()
    page.edit(value=2)
    page.pull()
    page.edit(value=3)
    page.lose()
    page.back()
    assert seen == [1, 2, 3]
    first, second, *again = page.batches()
    assert [(one.seq, one.ops[0].value, one.ops[0].if_rev) for one in again] == [
        (first.seq, 1, None),
        (second.seq, 2, None),
        (second.seq + 1, 3, None),
    ]
    assert page.codes() == []


def test_what_was_applied_is_not_applied_again_though_its_ack_was_lost(page, counter):
    """The example of the page on the wire: dragged to 120, clamped to 100, the ack lost."""
    counter.value = 100
    page.settle()
    heard = listen(page.model())
    seen = []
    counter.observe(lambda change: seen.append(change.new), "value")
    page.edit(value=120)
    page.send()
    page.lose()
    page.back()
    assert (page.shown(), counter.value, seen) == (100, 100, [])
    assert heard == [("value", 120), ("value", 100)]
    assert len(page.batches()) == 1


def test_a_lost_welcome_and_a_lost_first_state_cost_nothing(page, counter):
    page.edit(value=1)
    page.pull()
    page.lose()
    counter.label = "py"
    for delivered in (0, 1):
        page.dial()
        page.pull()
        page.deliver_up()
        page.pull()
        page.deliver_down(delivered)
        page.lose()
    page.back()
    assert (counter.value, page.shown("label"), page.codes()) == (1, "py", [])
    assert page.syncs()[-1].rev == page.client.rev


def test_the_server_need_not_know_that_the_old_transport_is_gone(page, manager, counter):
    page.edit(value=1)
    page.pull()
    late = list(page.up)
    page.lose(told=False)
    old = page.server
    page.back()
    for frame in late:
        old.receive_frame(frame, 0.0)
    manager.apply_pending()
    assert old.closing.code == 4004
    assert (counter.value, page.codes(), len(manager.sessions)) == (1, [], 1)


def test_a_duplicated_frame_of_the_client_is_applied_once(page, counter):
    seen = []
    counter._handle_custom_msg = lambda content, buffers: seen.append(content)
    page.model().send("once")
    page.pull()
    page.up.extend(list(page.up))
    page.deliver_up()
    page.settle()
    assert (seen, page.client.is_idle) == (["once"], True)


def test_frames_of_the_client_that_change_places_end_the_connection_and_all_arrives(page, counter):
    page.edit(value=1)
    page.pull()
    page.edit(label="b")
    page.pull()
    page.up.reverse()
    page.deliver_up()
    assert page.server.closing.code == 4006
    page.lose(4006)
    page.back()
    assert (counter.value, counter.label, page.codes()) == (1, "b", [])


def test_frames_of_the_server_that_change_places_end_the_connection_and_all_arrives(page, counter):
    for value in (1, 2):
        counter.value = value
        page.pull()
    page.down.reverse()
    page.deliver_down()
    assert page.client.wants_close
    page.lose()
    page.back()
    assert page.shown() == 2


# Coming back: same server, session expired.


def expire(page, manager):
    page.now += 500.0
    manager.handle_timeout(page.now)


@pytest.mark.threat(28)
def test_after_an_expiry_what_may_have_been_applied_goes_as_a_comparison(page, manager, counter):
    rev = page.client.confirmed("w", "value")[1]
    page.edit(value=1)
    page.pull()
    page.edit(label="queued")
    page.lose()
    expire(page, manager)
    page.back()
    assert (counter.value, counter.label) == (1, "queued")
    assert page.codes() == ["SessionExpired"]
    sent = [(op.property, op.value, op.if_rev) for op in page.batches()[-1].ops]
    assert sent == [("value", 1, rev), ("label", "queued", None)]


@pytest.mark.parametrize("who", ["itself", "another"])
@pytest.mark.threat(28)
def test_a_comparison_fails_where_the_slot_has_moved_and_the_page_sees_the_truth(page, manager, counter, who):
    seen = []
    page.edit(value=1)
    page.send() if who == "itself" else page.pull()
    page.lose()
    if who == "another":
        counter.value = 9
    counter.observe(lambda change: seen.append(change.new), "value")
    expire(page, manager)
    page.back()
    assert (counter.value, page.shown(), seen) == ((1, 1, []) if who == "itself" else (9, 9, []))
    assert refused(page.told()) == [("conflict", "value")]


def test_an_edit_that_was_made_after_the_loss_replaces_the_comparison(page, manager, counter):
    page.edit(value=1)
    page.pull()
    page.lose()
    page.edit(value=2)
    counter.value = 9
    expire(page, manager)
    page.back()
    assert (counter.value, refused(page.told())) == (2, [])


def test_of_several_edits_under_way_of_one_slot_the_last_is_compared_once(page, manager, counter):
    rev = page.client.confirmed("w", "value")[1]
    for value in (1, 2):
        page.edit(value=value)
        page.pull()
    page.lose()
    expire(page, manager)
    page.back()
    assert counter.value == 2
    assert [(op.value, op.if_rev) for op in page.batches()[-1].ops] == [(2, rev)]


def test_a_second_loss_keeps_the_earlier_knowledge(page, manager, counter):
    rev = page.client.confirmed("w", "value")[1]
    page.edit(value=1)
    page.pull()
    page.lose()
    counter.value = 50
    expire(page, manager)
    # The new session is there, the comparison is on its way, and that is lost too.
    page.dial()
    for _ in range(2):
        page.pull()
        page.deliver_up()
        page.pull()
        page.deliver_down()
    page.pull()
    assert page.batches()[-1].ops[0].if_rev == rev
    assert page.client.confirmed("w", "value")[0] == 50
    page.lose()
    expire(page, manager)
    page.back()
    assert page.batches()[-1].ops[0].if_rev == rev
    assert (counter.value, page.shown(), refused(page.told())) == (50, 50, [("conflict", "value")])


def test_of_a_comparison_and_a_later_edit_under_way_the_smaller_revision_counts():
    server = Server()
    server.open()
    server.edit(value=1)
    server.read()
    server.lose()
    server.connect(session="s2")
    server.open({**server.opening(), "props": {"value": [50, 5], "label": ["", 1]}}, rev=5)
    [batch] = server.batches()
    assert batch.ops[0].if_rev == 1
    server.edit(value=2)
    server.read()
    server.lose()
    server.connect(session="s3")
    server.open({**server.opening(), "props": {"value": [50, 5], "label": ["", 1]}}, rev=5)
    [batch] = server.batches()
    assert [(op.value, op.if_rev) for op in batch.ops] == [(2, 1)]


def test_an_edit_of_a_slot_that_was_never_confirmed_is_compared_with_nothing(server):
    server.edit(nothing=1)
    server.read()
    server.lose()
    server.connect(session="s2")
    server.open()
    assert [op.if_rev for one in server.batches() for op in one.ops] == [None]


def test_after_an_expiry_messages_under_way_are_unknown_and_those_that_wait_are_sent(page, manager, counter):
    heard = []
    counter._handle_custom_msg = lambda content, buffers: heard.append(content)
    page.model().send("under way")
    page.send()
    page.model().send("waits")
    page.lose()
    expire(page, manager)
    page.back()
    assert heard == ["under way", "waits"]
    assert page.codes() == ["SessionExpired", "delivery_unknown"]


def test_after_an_expiry_pythons_messages_begin_anew(page, manager, counter):
    heard = []
    page.model().on("msg:custom", lambda content, buffers: heard.append(content))
    for number in range(3):
        manager.send_to(next(iter(manager.sessions)), counter, number)
    page.settle()
    page.lose()
    expire(page, manager)
    page.back()
    manager.send_to(next(iter(manager.sessions)), counter, "first")
    page.settle()
    assert heard == [0, 1, 2, "first"]


def test_after_an_expiry_the_page_learns_of_everything_that_changed(page, manager, counter):
    model = page.model()
    manager.register("gone", Counter())
    page.settle()
    page.lose()
    manager.unregister("gone")
    counter.value = 4
    expire(page, manager)
    page.back()
    assert list(page.client.models) == ["w"]
    assert page.model() is model
    assert page.shown() == 4


def test_after_an_expiry_new_code_and_new_rights_are_known(server):
    server.lose()
    server.connect(session="s2")
    server.open({**server.opening(), "esm": "new", "writable": ["value"]})
    widget = server.client.widgets["w"]
    assert (widget.esm, widget.writable) == ("new", {"value"})


# Coming back: another server.


def another(widget=None, widget_id="w"):
    manager = WidgetManager(epoch="other")
    if widget is not None:
        manager.register(widget_id, widget)
    return manager


def test_after_a_restart_the_model_stays_and_shows_the_new_truth(page, counter):
    model = page.model()
    heard = listen(model)
    counter.value = 60
    page.settle()
    page.lose()
    page.back(another(Clamped(value=3, label="new")))
    assert page.model() is model
    assert sorted(heard, key=str) == [("label", "new"), ("value", 3), ("value", 60)]
    assert page.told() == [Restarted(0, 0, 0)]
    page.edit(value=8)
    page.settle()
    assert page.manager["w"].value == 8


def test_after_a_restart_unsettled_edits_are_repeated_to_the_same_widget(page):
    heard = listen(page.model())
    page.edit(value=1)
    page.pull()
    page.edit(value=2)
    page.pull()
    page.edit(label="queued")
    page.lose()
    fresh = Clamped(value=77)
    page.back(another(fresh))
    assert (fresh.value, fresh.label) == (2, "queued")
    assert heard == [("value", 1), ("value", 2), ("label", "queued")]
    assert page.told() == [Restarted(2, 0, 0)]
    assert [(op.property, op.value, op.if_rev) for op in page.batches()[-1].ops] == [
        ("value", 2, None),
        ("label", "queued", None),
    ]


@pytest.mark.threat(27)
def test_after_a_restart_an_edit_is_not_repeated_where_the_property_is_not_writable(page):
    class Fixed(traitlets.HasTraits):
        _esm = ""
        value = traitlets.Int(5, read_only=True).tag(sync=True)

    Fixed.__module__, Fixed.__qualname__ = Clamped.__module__, Clamped.__qualname__
    page.edit(value=1, label="x")
    page.pull()
    page.lose()
    page.back(another(Fixed()))
    assert page.told()[:2] == [
        EditRefused("dropped", "The server was started anew, without this property", "w", name)
        for name in ("value", "label")
    ]
    assert page.shown() == 5
    assert page.client.is_idle


@pytest.mark.parametrize("late", [False, True])
def test_an_edit_that_a_restart_drops_is_not_shown_any_more(page, late):
    page.lose()
    page.edit(nothing=1)
    page.back(another(None if late else Clamped()))
    if late:
        page.manager.register("w", Clamped())
        page.settle()
    assert refused(page.told()) == [("dropped", "nothing")]
    assert (page.shown("nothing"), page.client.is_idle) == (None, True)


def test_after_a_restart_an_edit_is_not_repeated_to_a_widget_of_another_kind(page):
    model = page.model()
    page.edit(value=1)
    page.pull()
    page.lose()
    other = Counter(value=40)
    page.back(another(other))
    assert model.is_closed
    assert page.model() is not model
    assert (other.value, page.shown()) == (40, 40)
    events = page.told()
    assert refused(events) == [("dropped", "value")]
    assert events[-1] == Restarted(0, 1, 0)


def test_after_a_restart_messages_are_lost(page):
    page.model().send("under way")
    page.pull()
    page.model().send("waits")
    page.lose()
    page.back(another(Clamped()))
    assert page.codes() == ["lost", "lost", "Restarted"]


def test_after_a_restart_a_widget_may_take_its_time_and_its_edits_wait_for_it(page):
    model = page.model()
    heard = listen(model)
    page.edit(value=1)
    page.pull()
    page.lose()
    page.back(another())
    assert page.told() == [Restarted(0, 0, 1)]
    assert (model.is_closed, page.client.is_idle, page.client.is_pending("w", "value")) == (False, False, True)
    # Edits are taken meanwhile, and the later value counts.
    page.edit(value=2)
    page.edit(label="late")
    page.settle()
    fresh = Clamped(value=60)
    page.manager.register("w", fresh)
    page.settle()
    assert page.model() is model
    assert (fresh.value, fresh.label, page.shown()) == (2, "late", 2)
    assert heard == [("value", 1), ("value", 2), ("label", "late")]
    assert (page.client.is_idle, page.told()) == (True, [])


def test_a_widget_that_comes_back_and_closes_in_one_sync_has_its_edits_refused(server):
    server.edit(value=1)
    server.lose()
    server.connect(epoch="f")
    server.sync(rev=1, live=[])
    server.told()
    server.sync(rev=2, more=True, open=[server.opening("w", inst=2)])
    server.sync(rev=3, close=[["w", 2]])
    [batch] = server.batches()
    assert [(op.widget_id, op.inst, op.property, op.value) for op in batch.ops] == [("w", 2, "value", 1)]
    reject = {"seq": batch.seq, "op": 0, "code": "unknown_widget", "message": ""}
    server.sync(rev=3, ack=batch.seq, rejects=[reject])
    assert refused(server.told()) == [("unknown_widget", "value")]
    assert (server.client.is_idle, list(server.client.models)) == (True, [])


def test_edits_that_waited_for_their_widget_go_in_the_order_in_which_they_were_made(page):
    page.lose()
    page.back(another())
    page.edit(value=1)
    page.edit(label="x")
    page.edit(data=3)
    page.edit(value=2)
    page.manager.register("w", Clamped())
    page.settle()
    assert [(op.property, op.value) for op in page.batches()[-1].ops] == [("label", "x"), ("data", 3), ("value", 2)]


def test_a_widget_that_comes_late_and_takes_less_drops_the_rest(page):
    class Half(traitlets.HasTraits):
        _esm = ""
        value = traitlets.Int(5).tag(sync=True)

    Half.__module__, Half.__qualname__ = Clamped.__module__, Clamped.__qualname__
    page.edit(value=1, label="x")
    page.pull()
    page.lose()
    page.back(another())
    page.told()
    page.manager.register("w", half := Half())
    page.settle()
    assert (half.value, refused(page.told())) == (1, [("dropped", "label")])
    assert page.client.is_idle


def test_a_widget_of_another_kind_that_comes_late_gets_none_of_the_edits(page):
    model = page.model()
    page.edit(value=1)
    page.pull()
    page.lose()
    page.back(another())
    page.told()
    page.manager.register("w", other := Counter(value=9))
    page.settle()
    assert (model.is_closed, other.value, page.shown()) == (True, 9, 9)
    assert (refused(page.told()), page.client.is_idle) == ([("dropped", "value")], True)


def test_a_widget_that_does_not_come_back_in_time_is_closed_and_its_edits_are_dropped(page):
    model = page.model()
    page.edit(value=1)
    page.pull()
    page.lose()
    page.back(another())
    page.told()
    assert page.client.next_deadline() == 30.0
    page.client.handle_timeout(29.9)
    assert not model.is_closed
    page.client.handle_timeout(30.0)
    assert (model.is_closed, list(page.client.models), page.client.state) == (True, [], "live")
    assert refused(page.told()) == [("dropped", "value")]
    assert (page.client.is_idle, page.client.next_deadline()) == (True, 45.0)


def test_a_message_to_a_widget_that_is_missing_is_lost_and_says_so(page):
    page.lose()
    page.back(another())
    page.told()
    page.model().send("hello?")
    assert page.codes() == ["undeliverable"]


def test_widgets_that_are_missing_when_the_page_is_over_are_given_up_with_it(page):
    page.edit(value=1)
    page.pull()
    page.lose()
    page.back(another())
    page.told()
    page.client.leave(0.0)
    assert refused(page.told()) == [("undeliverable", "value")]
    assert page.client.next_deadline() is None
    page.client.handle_timeout(1000.0)
    assert page.told() == []


def test_an_edit_waits_through_a_second_restart_and_stays_in_sight(page):
    model = page.model()
    page.edit(value=1)
    page.pull()
    page.lose()
    page.back(another())
    page.lose()
    page.back(WidgetManager(epoch="third"))
    assert page.client.is_pending("w", "value")
    heard = listen(model)
    page.manager.register("w", fresh := Clamped(value=60))
    page.settle()
    assert (fresh.value, page.shown(), heard) == (1, 1, [])


def test_a_lost_connection_does_not_shorten_the_wait_for_a_missing_widget(page):
    page.edit(value=1)
    page.pull()
    page.lose()
    page.back(another())
    page.lose()
    page.back()
    page.manager.register("w", fresh := Clamped())
    page.settle()
    assert fresh.value == 1


def test_a_restart_behind_a_restart_whose_state_was_lost_is_one(page):
    page.edit(value=1)
    page.pull()
    page.lose()
    page.dial(another(Clamped()))
    page.pull()
    page.lose()
    fresh = Clamped()
    third = WidgetManager(epoch="third")
    third.register("w", fresh)
    page.back(third)
    assert fresh.value == 1
    assert [type(one) for one in page.told()] == [Restarted]


def test_a_refused_resume_tells_nothing_and_is_like_an_expiry(page, manager, counter):
    page.edit(value=1)
    page.pull()
    page.lose()
    page.client._sync._known = Resume("test", page.client._sync._known.session, "wrong", 0)
    page.back()
    assert (counter.value, page.codes()) == (1, ["SessionExpired"])


# Policy `drop`.


@pytest.mark.threat(28)
def test_a_page_that_drops_says_so_at_once_and_shows_what_is_confirmed(manager, counter):
    page = Page(manager, policy="drop")
    page.edit(value=5)
    page.settle()
    page.lose()
    heard = listen(page.model())
    page.edit(value=6)
    page.model().send("x")
    assert heard == [("value", 6), ("value", 5)]
    assert page.codes() == ["dropped", "dropped"]
    page.back()
    assert (counter.value, page.codes()) == (5, [])


def test_what_was_sent_before_the_loss_is_not_dropped(manager, counter):
    page = Page(manager, policy="drop")
    page.edit(value=5)
    page.pull()
    page.lose()
    page.back()
    assert (counter.value, page.codes()) == (5, [])


# Reports.


def test_a_report_reaches_the_host_at_once_while_the_page_is_live(server):
    server.client.report("w", "render", "failed", "at 3")
    server.client.report("w", "render", "failed")
    assert server.read() == [Report("w", "render", "failed", "at 3"), Report("w", "render", "failed")]


def test_a_page_that_was_left_reports_nothing_more(server):
    server.client.leave(server.now)
    server.read()
    server.client.report("w", "render", "failed")
    assert server.read() == []


def test_reports_of_a_page_that_is_not_live_wait_until_it_is(server):
    server.lose()
    server.client.report("w", "render", "failed")
    server.connect(resumed=True)
    server.client.report("w", "listener", "failed")
    assert not any(isinstance(one, Report) for one in server.read())
    server.sync(rev=1)
    assert [one for one in server.read() if isinstance(one, Report)] == [
        Report("w", "render", "failed"),
        Report("w", "listener", "failed"),
    ]
    server.sync(rev=2)
    assert not any(isinstance(one, Report) for one in server.read())


@pytest.mark.parametrize(("more", "text"), [(1, "and 1 more error"), (5, "and 5 more errors")])
def test_of_reports_beyond_the_bound_the_number_is_told(server, more, text):
    server.lose()
    for number in range(MAX_WAITING_REPORTS + more):
        server.client.report("w", "listener", f"failure {number}")
    server.connect(resumed=True)
    server.sync(rev=1)
    reports = [one for one in server.read() if isinstance(one, Report)]
    assert [one.message for one in reports[:-1]] == [f"failure {number}" for number in range(MAX_WAITING_REPORTS)]
    assert reports[-1] == Report("w", "listener", f"{text} while there was no connection")


def test_a_burst_of_reports_while_live_is_told_as_a_whole(server):
    for number in range(MAX_WAITING_REPORTS + 5):
        server.client.report("w", "listener", f"failure {number}")
    assert len(server.read()) == MAX_WAITING_REPORTS + 5


# Everything together.


def test_two_pages_and_python_that_edit_one_slot_end_equal(manager, counter):
    first, second = Page(manager), Page(manager)
    for turn in range(20):
        first.edit(value=turn)
        second.edit(value=100 - turn)
        if turn % 3 == 0:
            counter.value = turn * 2
        (first if turn % 2 else second).send()
        (second if turn % 5 else first).deliver_down()
    for _ in range(3):
        first.settle()
        second.settle()
    assert first.shown() == second.shown() == counter.value


steps = st.one_of(
    st.tuples(st.just("edit"), st.sampled_from(["value", "label"]), st.integers(-5, 120)),
    st.tuples(st.just("python"), st.sampled_from(["value", "label"]), st.integers(14, 100)),
    st.sampled_from(["pull", "up", "down", "apply", "lose", "lose untold", "expire", "say", "suspend", "broken"]),
)


@settings(max_examples=60)
@given(st.lists(st.one_of(steps, st.sampled_from(["restart", "late", "gone"])), max_size=30))
def test_through_restarts_every_edit_ends_shown_or_is_told(history):
    """`late`: another server, whose widget comes with the next turn. `gone`: the widget is another now."""
    managers = []

    def serve():
        managers.append(WidgetManager(epoch=f"e{len(managers)}"))
        return managers[-1]

    serve().register("w", Clamped())
    page = Page(managers[-1])
    for step in history:
        if "w" not in managers[-1]:
            managers[-1].register("w", Clamped(value=50))
        match step:
            case ("edit", name, value) if "w" in page.client.models:
                page.edit(**{name: value if name == "value" else str(value)})
            case ("python", "value", value):
                managers[-1]["w"].value = value
            case "gone":
                managers[-1].register("w", Clamped(value=7))
            case "restart" | "late":
                page.lose()
                serve()
                if step == "restart":
                    managers[-1].register("w", Clamped(value=20))
                page.dial(managers[-1])
            case "lose" | "expire":
                page.lose()
                if step == "expire":
                    expire(page, managers[-1])
                page.dial()
            case "pull":
                page.pull()
            case "up" if page.up:
                page.deliver_up(1)
            case "down" if page.down:
                page.deliver_down(1)
            case "apply":
                managers[-1].apply_pending()
    if "w" not in managers[-1]:
        managers[-1].register("w", Clamped())
    page.settle()
    assert (page.client.state, page.client.is_idle) == ("live", True)
    for name in ("value", "label"):
        assert page.shown(name) == getattr(managers[-1]["w"], name) == page.client.confirmed("w", name)[0]
        assert not page.client.is_pending("w", name)


@settings(max_examples=60)
@given(st.lists(steps, max_size=40))
def test_whatever_happens_in_between_page_and_python_end_equal_and_nothing_is_lost_silently(history):
    manager = WidgetManager(epoch="e")
    manager.register("w", counter := Clamped())
    said, heard = 0, []
    counter._handle_custom_msg = lambda content, buffers: heard.append(content)
    page = Page(manager)
    other = Page(manager)
    lost = 0
    for step in history:
        match step:
            case ("edit", name, value):
                page.edit(**{name: value if name == "value" else str(value)})
            case ("python", name, value):
                setattr(counter, name, value if name == "value" else str(value))
            case "pull":
                page.pull()
            case "up" if page.up:
                page.deliver_up(1)
            case "down" if page.down:
                page.deliver_down(1)
            case "apply":
                manager.apply_pending()
            case "lose" | "lose untold" | "expire":
                page.lose(told=step != "lose untold")
                if step == "expire":
                    expire(page, manager)
                page.dial()
            case "suspend":
                page.client.suspend(page.now)
                page.lose()
                page.client.restore(page.now)
                page.dial()
            case "say":
                said += 1
                page.model().send(said)
            case "broken" if page.up:
                page.up[0] = "broken"
        lost += sum(isinstance(one, MessageLost) for one in page.told())
        if page.client.wants_close or page.server.closing is not None:
            page.lose(page.server.closing.code if page.server.closing is not None else None)
            page.dial()
    for _ in range(4):
        page.settle()
        if page.server.state == "hello":  # Its hello was broken: the server waits no longer.
            page.now += Limits().first_frame_s
            page.server.handle_timeout(page.now)
        if page.client.wants_close or page.server.closing is not None:
            page.lose(page.server.closing.code if page.server.closing is not None else None)
            page.dial()
    other.settle()
    lost += sum(isinstance(one, MessageLost) for one in page.told())
    assert page.client.state == "live"
    assert page.client.is_idle
    for name in ("value", "label"):
        assert page.shown(name) == other.shown(name) == getattr(counter, name)
        assert page.client.confirmed("w", name)[0] == getattr(counter, name)
        assert not page.client.is_pending("w", name)
    assert sorted(set(heard)) == heard, "in order, at most once"
    assert len(heard) + lost >= said
    assert not math.isnan(page.client.rev)


def test_the_expiry_is_an_event_of_its_own(page, manager):
    page.lose()
    expire(page, manager)
    page.back()
    assert page.told() == [SessionExpired()]


def test_a_server_that_refuses_a_page_beside_the_transport_ends_it_for_good():
    server = Server(connect=False)
    client = server.client
    client.receive_eof(0.0, 1006)
    assert client.state == "backoff"
    client.refuse(403, "The server refuses this page")
    assert (client.state, client.failure) == ("failed", (403, "The server refuses this page"))
    client.refuse(401, "again")
    assert client.failure == (403, "The server refuses this page")
    assert client.next_deadline() is None


def test_a_subscription_that_changes_between_hello_and_welcome_is_not_forgotten():
    server = Server(connect=False)
    client = server.client
    client.opened(0.0)
    assert server.read() == [Hello()]
    client.subscribe(["w"])
    assert server.read() == []
    server.welcome()
    assert server.read() == [Subscribe(["w"])]


def test_an_edit_of_a_widget_that_the_page_left_is_a_comparison_after_an_expiry_too(manager, counter, page):
    page.lose()
    page.edit(value=5)
    page.client.subscribe([])
    page.dial()
    while page.client.state != "live":
        page.pull()
        page.deliver_up()
        page.pull()
        page.deliver_down()
    assert page.client.models == {}
    page.send()
    assert counter.value == 5  # The page never hears of it.
    page.lose()
    counter.value = 1
    page.now += 1000.0
    page.back()
    assert counter.value == 1
    assert page.codes() == ["SessionExpired", "conflict"]

import json
import math
import sys
import threading

import pytest
import traitlets

from rdit_core import AccessRefused, LimitReached, Limits, UnknownWidget, WidgetManager, server
from rdit_core.access import Verdict
from rdit_core.encoding import EncodedValue
from rdit_core.events import (
    BatchReceived,
    ChangesSwallowed,
    Connected,
    Disconnected,
    FrameRefused,
    FrontEndFailed,
    OutputDropped,
    Reported,
)
from rdit_core.frames import encode_frame
from rdit_core.messages import Error, Output, Ping, Pong, Sync
from rdit_core.server import CLOSE_CODES, Closing
from rdit_core.tests.pair import Counter, Peer, changes

ADA, BOB = Verdict(True, user="ada"), Verdict(True, user="bob")


class Holder(traitlets.HasTraits):
    _esm = traitlets.Unicode("export default {}").tag(sync=True)
    number = traitlets.Int(0).tag(sync=True)
    child = traitlets.Instance(traitlets.HasTraits, allow_none=True).tag(sync=True)


@pytest.fixture
def counter(manager):
    counter = Counter()
    manager.register("w", counter)
    return counter


@pytest.fixture
def peer(manager, counter):
    return Peer(manager)


def small(**limits):
    return WidgetManager(epoch="test", limits=Limits(**limits))


def applied(syncs):
    """The state that a client has when it applied these: widget id to property to value."""
    state, parts = {}, []
    for one in syncs:
        parts.append(one)
        if one.more:
            continue
        insts = {}
        for part in parts:
            for opened in part.open:
                insts[opened.widget_id] = opened.inst
                state[opened.widget_id] = {name: value for name, (value, _) in opened.props.items()}
        for part in parts:
            for widget_id, _, name, value, _ in part.changes:
                state[widget_id][name] = value
            for widget_id, inst in part.close:
                if insts.get(widget_id, inst) == inst:
                    state.pop(widget_id, None)
        if one.live is not None:
            state = {widget_id: props for widget_id, props in state.items() if widget_id in dict(one.live)}
        parts = []
    assert not parts
    return state


# Hello.


def test_a_hello_gets_a_welcome_and_then_the_whole_state(manager, counter):
    peer = Peer(manager)
    welcome = peer.welcome
    assert (welcome.protocol, welcome.epoch, welcome.resumed, welcome.ack) == (1, "test", False, 0)
    assert (welcome.ping_ms, welcome.ttl_ms) == (25_000, 120_000)
    assert (welcome.limits.max_frame, welcome.limits.max_inflight, welcome.limits.max_ops) == (64 * 2**20, 2, 256)
    assert len(welcome.secret) == 32
    assert welcome.secret != welcome.session
    [sync] = peer.first
    [opened] = sync.open
    assert (sync.frame, sync.rev, sync.ack, sync.live) == (1, manager.revision, 0, [("w", opened.inst)])
    assert opened.kind == f"{Counter.__module__}.Counter"
    assert {name: value for name, (value, _) in opened.props.items()} == {
        "value": 0,
        "label": "",
        "data": None,
        "fixed": 7,
    }
    assert sorted(opened.writable) == ["data", "label", "value"]
    assert (opened.esm, opened.esm_url) == (Counter._esm, None)
    assert peer.connection.state == "live"
    assert peer.read() == []


def test_the_order_of_properties_is_that_of_the_class_and_not_of_chance(manager, counter):
    [sync] = Peer(manager).first
    assert list(sync.open[0].props) == [name for name in counter.traits() if name != "private"]


@pytest.mark.parametrize(
    ("first", "code", "closes"),
    [
        ({"type": "batch", "seq": 1, "ops": []}, "bad_protocol", 4502),
        ({"type": "subscribe", "widget_ids": "*"}, "bad_protocol", 4502),
        ({"type": "report", "widget_id": "w", "stage": "s", "message": "m"}, "bad_protocol", 4502),
        ({"type": "bye"}, "bad_protocol", 4502),
    ],
)
@pytest.mark.threat(6)
def test_a_first_frame_that_is_no_hello_ends_the_connection_and_changes_nothing(manager, counter, first, code, closes):
    peer = Peer(manager, hello=False)
    peer.raw(json.dumps(first))
    [error] = peer.read()
    assert (error.code, error.fatal) == (code, True)
    assert peer.connection.closing == Closing(closes, code)
    assert manager.apply_pending() == 0
    assert list(manager.sessions) == []
    # It is final.
    peer.say("hello")
    assert peer.read() == []


def test_before_the_hello_a_ping_is_answered_and_an_ack_or_pong_is_nothing(manager):
    peer = Peer(manager, hello=False)
    peer.say("ping", id=5)
    peer.say("pong", id=5)
    peer.say("sync_ack", frame=5)
    assert peer.read() == [Pong(5)]
    assert peer.connection.state == "hello"


def test_a_second_hello_is_refused_and_the_connection_goes_on(peer, counter):
    peer.say("hello")
    [error] = peer.read()
    assert (error.code, error.fatal) == ("bad_message", False)
    assert peer.write(peer.op("value", 3)) == []
    assert counter.value == 3


@pytest.mark.threat(20)
def test_who_says_nothing_in_time_is_let_go_but_not_for_good(manager):
    peer = Peer(manager, hello=False)
    assert peer.connection.next_deadline() == 15.0
    peer.connection.handle_timeout(14.9)
    assert peer.connection.is_open
    peer.connection.handle_timeout(15.0)
    [error] = peer.read()
    assert error.fatal
    assert 4000 <= peer.connection.closing.code < 4500
    assert peer.connection.next_deadline() is None


def test_a_peer_that_is_not_let_in_by_its_transport_may_be_by_its_hello(manager, counter):
    asked = []

    def authenticate(auth):
        asked.append(auth)
        return ADA if auth == {"token": "right"} else Verdict(False, "unauthorized")

    heard = []
    manager.on("connected", heard.append)
    manager.on("disconnected", heard.append)
    unknown = Verdict(False, "unauthorized")
    with pytest.raises(AccessRefused):
        manager.connect(unknown, mode="v1")
    wrong = Peer(manager, verdict=unknown, authenticate=authenticate, hello={"auth": "wrong"})
    assert (wrong.welcome, wrong.connection.closing) == (None, Closing(4500, "unauthorized"))
    assert [(one.code, one.fatal) for one in wrong.others] == [("unauthorized", True)]
    wrong.connection.receive_eof(0.0)
    assert heard == []
    right = Peer(manager, verdict=unknown, authenticate=authenticate, hello={"auth": {"token": "right"}})
    assert right.welcome is not None
    assert heard == [Connected(2, "ada", right.welcome.session)]
    assert asked == ["wrong", {"token": "right"}]
    right.connection.receive_eof(0.0)
    assert heard[1:] == [Disconnected(2, "ada")]


def test_a_peer_that_its_transport_let_in_is_asked_no_further(manager):
    def authenticate(auth):
        raise AssertionError

    assert Peer(manager, authenticate=authenticate, hello={"auth": "?"}).welcome is not None


def test_base_mode_has_neither_sight_nor_authentication(manager):
    for option in ({"may_see": bool}, {"authenticate": bool}):
        with pytest.raises(ValueError, match="mode='v1'"):
            manager.connect(ADA, **option)


@pytest.mark.threat(19)
def test_connections_are_counted_per_user_whatever_they_speak():
    manager = small(max_connections=2)
    manager.connect(ADA, mode="v1")
    manager.connect(ADA)
    with pytest.raises(LimitReached):
        manager.connect(ADA, mode="v1")
    assert manager.connect(BOB, mode="v1").is_open


# State.


def test_a_change_in_python_reaches_the_page_at_once_and_once(manager, peer, counter):
    counter.value = 5
    assert peer.wakes > 0
    [sync] = peer.syncs()
    assert sync.changes == [("w", peer.inst(), "value", 5, manager.revision)]
    assert (sync.open, sync.close, sync.live, sync.msgs, sync.rejects) == ([], [], None, [], [])
    counter.value = 5
    assert peer.read() == []


def test_many_changes_are_one_and_each_is_the_present_value(peer, counter):
    for value in range(1000):
        counter.value = value
        counter.label = str(value)
    [sync] = peer.syncs()
    assert sorted(changes([sync])) == [("label", "999"), ("value", 999)]


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        math.inf,
        [1.5, -math.inf, {"x": math.nan}],
        b"\x00\xff",
        {"a": [b"", b"abc"], "b": math.nan},
        2**60,
        [True, 1, 1.0, None, "ü\u2028"],
        {"$b64": "not ours"},
        {"__proto__": 1, "constructor": [2]},
    ],
)
def test_a_value_goes_out_and_comes_in_as_it_is(manager, peer, counter, value):
    counter.data = value
    [sync] = peer.syncs()
    # By `repr`, for NaN's sake.
    assert repr(changes([sync])) == repr([("data", value)])
    [opened] = Peer(manager).first[0].open
    assert repr(opened.props["data"][0]) == repr(value)


def test_a_value_that_python_takes_for_equal_and_pages_do_not_goes_out_when_it_is_touched(manager, peer, counter):
    counter.data = [1]
    peer.syncs()
    counter.data[0] = True
    counter.data.append(2)
    assert peer.syncs() == []
    manager.touch(counter, "data")
    assert changes(peer.syncs()) == [("data", [True, 2])]
    manager.touch("w", "data")
    assert peer.syncs() == []


def test_widgets_that_open_and_close_are_told_with_their_incarnation(manager, peer, counter):
    manager.register("v", Counter(value=9))
    first = peer.inst("v")
    [sync] = peer.syncs()
    assert [(one.widget_id, one.inst, one.props["value"][0]) for one in sync.open] == [("v", first, 9)]
    manager.unregister("v")
    [sync] = peer.syncs()
    assert (sync.open, sync.close) == ([], [("v", first)])
    manager.register("v", Counter())
    [sync] = peer.syncs()
    assert sync.open[0].inst > first
    # What came and went between two looks is no news, and what replaced another is both.
    manager.register("u", Counter())
    manager.unregister("u")
    manager.register("v", Counter(value=1))
    [sync] = peer.syncs()
    assert [one.widget_id for one in sync.open] == ["v"]
    assert [widget_id for widget_id, _ in sync.close] == ["v"]
    assert sync.close[0][1] < sync.open[0].inst


def test_a_change_of_a_widget_that_closes_before_the_next_frame_is_not_sent(manager, peer, counter):
    counter.value = 5
    manager.unregister("w")
    [sync] = peer.syncs()
    assert (sync.changes, len(sync.close)) == ([], 1)
    counter.value = 6
    assert peer.syncs() == []


def test_a_change_of_a_widget_that_just_opened_goes_with_its_opening(manager, peer):
    fresh = Counter()
    manager.register("v", fresh)
    fresh.value = 3
    [sync] = peer.syncs()
    assert sync.changes == []
    assert sync.open[0].props["value"][0] == 3


def test_new_code_is_a_change(manager, peer):
    class Coded(traitlets.HasTraits):
        _esm = traitlets.Unicode("one").tag(sync=True)

    coded = Coded()
    manager.register("c", coded)
    [sync] = peer.syncs()
    assert (sync.open[0].esm, sync.open[0].props) == ("one", {})
    coded._esm = "two"
    assert changes(peer.syncs()) == [("_esm", "two")]
    assert Peer(manager).first[0].open[-1].esm == "two"


def test_new_code_is_a_new_address_where_the_host_gives_addresses():
    manager = WidgetManager(esm_url=lambda text: f"/esm/{text}.js")

    class Coded(traitlets.HasTraits):
        _esm = traitlets.Unicode("one").tag(sync=True)

    coded = Coded()
    manager.register("c", coded)
    peer = Peer(manager)
    [opened] = peer.first[0].open
    assert (opened.esm, opened.esm_url) == (None, "/esm/one.js")
    coded._esm = "two"
    assert changes(peer.syncs()) == [("esm_url", "/esm/two.js")]
    back = Peer(manager, hello={"resume": peer.resume(rev=opened.inst)})
    assert changes(back.first) == [("esm_url", "/esm/two.js")]


# Batches.


def test_a_batch_waits_for_the_kernel_and_is_acknowledged_with_what_it_changed(manager, peer, counter):
    heard = []
    manager.on("pending", lambda: heard.append("pending"))
    peer.batch(peer.op("value", 3))
    assert (peer.read(), counter.value, heard) == ([], 0, ["pending"])
    assert peer.connection.events_received() == [BatchReceived(peer.seq_before_first + 1, 1)]
    assert manager.apply_pending() == 1
    [sync] = peer.syncs()
    assert (sync.ack, changes([sync])) == (1, [("value", 3)])


def test_a_batch_that_is_clamped_to_the_present_value_is_acknowledged_without_a_change(manager, peer, counter):
    counter.observe(lambda change: None)
    peer.batch(peer.op("value", 0))
    manager.apply_pending()
    [sync] = peer.syncs()
    assert (sync.ack, sync.changes) == (1, [])


@pytest.mark.threat(27)
def test_a_batch_that_comes_again_is_acknowledged_again_and_not_applied_again(manager, peer, counter):
    seen = []
    counter.observe(lambda change: seen.append(change.new), "value")
    op = peer.op("value", 3)
    peer.batch(op, seq=1)
    # Received and not applied yet: it must not be queued twice.
    peer.batch(op, seq=1)
    [sync] = peer.syncs()
    assert sync.ack == 0
    assert manager.apply_pending() == 1
    assert peer.syncs()[0].ack == 1
    peer.batch(op, seq=1)
    assert manager.apply_pending() == 0
    assert [one.ack for one in peer.syncs()] == [1]
    assert seen == [3]


@pytest.mark.threat(27)
def test_a_gap_in_the_numbers_ends_the_connection_and_nothing_of_the_batch_is_applied(manager, peer, counter):
    peer.batch(peer.op("value", 3), seq=2)
    [error] = peer.read()
    assert (error.code, error.fatal) == ("seq_gap", True)
    assert peer.connection.closing == Closing(4006, "seq_gap")
    assert (manager.apply_pending(), counter.value) == (0, 0)


@pytest.mark.threat(27)
def test_what_was_recorded_of_one_session_is_none_of_anothers(manager, peer, counter):
    sessions = [peer, Peer(manager)]
    sessions.sort(key=lambda one: one.seq_before_first)
    assert sessions[1].seq_before_first - sessions[0].seq_before_first > 2**20
    assert all(one.seq_before_first < 2**48 for one in sessions)
    recorded = [(one.seq_before_first + at, one.op("value", at)) for one in sessions for at in (1, 2, 3)]
    for one in sessions:
        for at in (1, 2, 3):
            one.write(one.op("value", at))
    counter.value = 100
    for seq, op in recorded:
        other = Peer(manager)
        other.batch(op, seq=seq - other.seq_before_first)
        # Not taken for a repeat either: nobody is told that it was done.
        assert other.connection.closing == Closing(4006, "seq_gap")
        assert manager.apply_pending() == 0
    assert counter.value == 100


@pytest.mark.threat(27)
@pytest.mark.parametrize("seq", [0, -1])
def test_a_number_before_the_sessions_first_is_no_repeat(manager, peer, counter, seq):
    peer.write(peer.op("value", 1))
    peer.batch(peer.op("value", 2), seq=seq)
    assert peer.connection.closing == Closing(4006, "seq_gap")
    assert (manager.apply_pending(), counter.value) == (0, 1)


def test_ops_that_are_none_are_refused_one_by_one_and_the_batch_counts(manager, peer, counter):
    bad = {**peer.op("value", 1), "inst": "one"}
    verdicts = peer.write(bad, peer.op("value", 2), {"op": "dance"}, 7)
    assert verdicts == [(0, "bad_message"), (2, "bad_message"), (3, "bad_message")]
    assert counter.value == 2


def test_a_batch_of_too_many_ops_is_refused_whole_with_one_verdict_and_counts():
    manager = small(max_ops=2)
    manager.register("w", counter := Counter())
    peer = Peer(manager)
    assert [code for _, code in peer.write(*[peer.op("value", 5)] * 3)] == ["too_large"]
    assert counter.value == 0
    assert peer.write(peer.op("value", 5), peer.op("label", "x")) == []


def test_an_empty_batch_is_acknowledged(manager, peer):
    peer.batch()
    manager.apply_pending()
    assert [one.ack for one in peer.syncs()] == [1]


def test_a_core_that_fails_on_a_batch_says_so_and_goes_on(manager, peer, counter, monkeypatch, caplog):
    run_batch = manager.store.writes.run_batch
    monkeypatch.setattr(manager.store.writes, "run_batch", lambda *_: 1 / 0)
    assert peer.write(peer.op("value", 1)) == [(0, "internal")]
    assert f"batch {peer.seq_before_first + 1} of a session failed" in caplog.text
    monkeypatch.setattr(manager.store.writes, "run_batch", run_batch)
    assert peer.write(peer.op("value", 2)) == []
    assert counter.value == 2


def test_a_keyboard_interrupt_comes_through_once_its_batch_is_acknowledged(manager, peer, counter):
    def interrupt(change):
        raise KeyboardInterrupt

    counter.observe(interrupt, "value")
    peer.batch(peer.op("value", 1))
    peer.batch(peer.op("label", "x"))
    with pytest.raises(KeyboardInterrupt):
        manager.apply_pending()
    [sync] = peer.syncs()
    assert (sync.ack, changes([sync])) == (1, [("value", 1)])
    assert [(one.op, one.code) for one in sync.rejects] == [(0, "observer_failed")]
    assert manager.apply_pending() == 1
    assert peer.syncs()[-1].ack == 2


def test_a_keyboard_interrupt_in_a_validator_comes_through_and_the_batch_is_not_left_open(manager, peer):
    class Slow(Counter):
        @traitlets.validate("value")
        def _check(self, proposal):
            raise KeyboardInterrupt

    manager.register("s", Slow())
    peer.syncs()
    peer.batch(peer.op("value", 1, "s"))
    with pytest.raises(KeyboardInterrupt):
        manager.apply_pending()
    [sync] = peer.syncs()
    assert (sync.ack, [one.code for one in sync.rejects]) == (1, ["internal"])


def test_batches_that_were_received_apply_though_their_connection_is_gone(manager, peer, counter):
    peer.batch(peer.op("value", 3))
    peer.connection.receive_eof(0.0)
    manager.apply_pending()
    assert counter.value == 3
    back = Peer(manager, hello={"resume": peer.resume(rev=0)})
    assert (back.welcome.resumed, back.welcome.ack) == (True, 1)


def test_what_a_batch_changes_wakes_nobody_before_its_ack_is_there_too(manager, peer, counter):
    other, wakes = Peer(manager), []

    def look(change):
        wakes.append((peer.wakes, other.wakes))

    counter.observe(lambda change: setattr(counter, "label", "x"), "value")
    counter.observe(look, ["value", "label"])
    before = peer.wakes, other.wakes
    peer.batch(peer.op("value", 1))
    manager.apply_pending()
    assert wakes == [before] * 2
    assert (peer.wakes, other.wakes) > before
    assert [one.ack for one in peer.syncs()] == [1]


def test_a_handler_that_takes_long_shows_what_it_sets_while_it_runs(manager, peer, counter):
    other, wakes = Peer(manager), []

    def slow(change):
        wakes.append(other.wakes)
        counter.label = "a"
        wakes.append(other.wakes)
        # The host's clock goes on in another thread.
        assert peer.connection.next_deadline() == pytest.approx(0.02)
        peer.connection.handle_timeout(0.02)
        wakes.append(other.wakes)
        counter.label = "b"
        wakes.append(other.wakes)

    counter.observe(slow, "value")
    peer.batch(peer.op("value", 1))
    manager.apply_pending()
    assert wakes[0] == wakes[1] < wakes[2] < wakes[3]
    assert peer.connection.next_deadline() == 25.0


# A value that need not be sent back.

LARGE = "x" * 20_000


def test_a_large_value_of_the_pages_own_is_named_and_not_repeated(manager, peer, counter):
    other = Peer(manager)
    peer.batch(peer.op("value", 1), peer.op("label", LARGE))
    manager.apply_pending()
    [sync] = peer.syncs()
    assert (changes([sync]), sync.ack) == ([("value", 1)], 1)
    assert sync.same == [("w", peer.inst(), "label", 1, 1, manager.store.slot("w", "label").rev)]
    assert sorted(changes(other.syncs())) == [("label", LARGE), ("value", 1)]
    # Only once, and only to the connection that it came through.
    counter.label = "y"
    peer.syncs()
    counter.label = LARGE
    assert changes(peer.syncs()) == [("label", LARGE)]


def test_a_large_value_that_python_changed_is_sent(manager, peer, counter):
    counter.observe(lambda change: setattr(counter, "label", LARGE + "!"), "label")
    peer.batch(peer.op("label", LARGE))
    manager.apply_pending()
    [sync] = peer.syncs()
    assert (changes([sync]), sync.same) == ([("label", LARGE + "!")], [])


def test_a_large_batch_without_a_large_value_is_answered_as_any_other(manager, peer):
    peer.batch({**peer.op("value", 1), "more": LARGE}, peer.message(LARGE))
    manager.apply_pending()
    [sync] = peer.syncs()
    assert (changes([sync]), sync.same) == ([("value", 1)], [])


# Who sees what.


@pytest.fixture
def three(manager):
    for name in ("a", "b", "c"):
        manager.register(name, Counter(label=name))
    return manager.widgets


def shown(syncs):
    return sorted(applied(syncs))


@pytest.mark.parametrize(("subscribe", "seen"), [("*", "abc"), (["a", "c"], "ac"), ([], ""), (["b", "nobody"], "b")])
def test_a_page_gets_what_it_subscribed_to_and_nothing_else(manager, three, subscribe, seen):
    peer = Peer(manager, hello={"subscribe": subscribe})
    assert shown(peer.first) == list(seen)
    for widget in three.values():
        widget.value = 5
    assert sorted(widget_id for one in peer.syncs() for widget_id, *_ in one.changes) == list(seen)


def test_a_subscription_may_change_while_the_connection_lives(manager, three):
    peer = Peer(manager, hello={"subscribe": ["a", "b"]})
    peer.say("subscribe", widget_ids=["b", "c", "later"])
    [sync] = peer.syncs()
    assert ([one.widget_id for one in sync.open], [one[0] for one in sync.close]) == (["c"], ["a"])
    manager.register("later", Counter())
    manager.register("never", Counter())
    three["a"].value = 9
    assert shown(peer.syncs()) == ["later"]
    peer.say("subscribe", widget_ids="*")
    assert [one.widget_id for one in peer.syncs()[0].open] == ["a", "never"]


def test_a_subscription_whose_answer_was_lost_is_answered_after_the_resume(manager, three):
    peer = Peer(manager, hello={"subscribe": ["a"]})
    rev = manager.revision
    peer.say("subscribe", widget_ids=["b"])
    peer.read()
    back = Peer(manager, hello={"subscribe": ["b"], "resume": peer.resume(rev=rev)})
    assert back.welcome.resumed
    assert shown(back.first) == ["b"]
    assert [one[0] for one in back.first[-1].live] == ["b"]


@pytest.mark.threat(11)
def test_what_a_page_may_not_see_is_as_if_it_were_not(manager, three):
    peer = Peer(manager, may_see=lambda widget_id: widget_id == "a")
    assert shown(peer.first) == ["a"]
    three["b"].value = 5
    manager.send_to(next(iter(manager.sessions)), "b", "secret")
    three["b"].label = "secret"
    manager.register("d", Counter())
    manager.unregister("c")
    assert peer.syncs() == []
    refused = []
    manager.on("write_refused", refused.append)
    assert peer.write(peer.op("value", 1, "b")) == [(0, "unknown_widget")]
    assert peer.write(peer.message("x", "b")) == [(0, "unknown_widget")]
    closed = {**peer.op("value", 1, "b"), "widget_id": "c"}
    assert peer.write(closed) == [(0, "unknown_widget")]
    assert three["b"].value == 5
    assert [one.code for one in refused] == ["unknown_widget"] * 3
    assert peer.write(peer.op("value", 1, "a")) == []
    peer.say("subscribe", widget_ids=["a", "b"])
    assert shown(peer.syncs()) == []
    back = Peer(manager, may_see=lambda widget_id: widget_id == "a", hello={"resume": peer.resume(rev=0)})
    assert shown(back.first) == ["a"]
    assert not any(one.close for one in back.first)


@pytest.mark.threat(35)
@pytest.mark.parametrize("prefix", ["anywidget:", "IPY_MODEL_"])
def test_a_page_refers_to_no_widget_that_it_may_not_see(manager, prefix):
    holders = {name: Holder() for name in ("mine", "hidden", "shown")}
    for name, holder in holders.items():
        manager.register(name, holder)
    peer = Peer(manager, may_see=lambda widget_id: widget_id != "hidden")
    answers = []
    for name in ("hidden", "nobody"):
        for ops in ([("child", prefix + name)], [("child", prefix + name), ("number", 1)]):
            said = peer.write(*(peer.op(property, value, "mine") for property, value in ops))
            answers.append([one for one in said if one[0] == 0])
            assert holders["mine"].child is None
    assert answers == [[(0, "invalid_value")]] * 4, "no answer says whether there is such a widget"
    assert peer.write(peer.op("child", f"{prefix}shown", "mine")) == []
    assert holders["mine"].child is holders["shown"]
    assert Peer(manager).write(peer.op("child", f"{prefix}hidden", "mine")) == []
    manager.update("mine", "child", f"{prefix}hidden")
    assert holders["mine"].child is holders["hidden"]


@pytest.mark.threat(11)
def test_verdicts_and_messages_of_one_page_are_not_told_to_another(manager, counter):
    mine, other = Peer(manager), Peer(manager)
    assert mine.write(mine.op("fixed", 1)) == [(0, "read_only")]
    manager.send_to(next(iter(manager.sessions)), counter, {"for": "me"})
    assert [one.content for sync in mine.syncs() for one in sync.msgs] == [{"for": "me"}]
    assert other.syncs() == []


# Coming back.


def test_a_page_that_comes_back_gets_what_it_missed(manager, counter):
    manager.register("gone", Counter())
    peer = Peer(manager)
    rev = peer.first[-1].rev
    peer.connection.receive_eof(1.0)
    counter.value = 3
    counter.value = 4
    manager.unregister("gone")
    manager.register("new", Counter())
    manager.register("brief", Counter())
    manager.unregister("brief")
    back = Peer(manager, hello={"resume": peer.resume(rev=rev)}, now=2.0)
    assert (back.welcome.resumed, back.welcome.session) == (True, peer.welcome.session)
    [sync] = back.first
    assert changes([sync]) == [("value", 4)]
    assert [one.widget_id for one in sync.open] == ["new"]
    assert [one[0] for one in sync.close] == ["gone"]
    assert sync.live is None


def test_a_page_that_comes_back_hears_of_no_closing_twice(manager, three):
    peer = Peer(manager)
    manager.unregister("a")
    rev = manager.revision
    manager.unregister("b")
    back = Peer(manager, hello={"resume": peer.resume(rev=rev)})
    assert [one[0] for one in back.first[0].close] == ["b"]


def test_a_page_that_missed_nothing_gets_an_empty_sync(manager, peer):
    back = Peer(manager, hello={"resume": peer.resume()})
    [sync] = back.first
    assert sync == Sync(1, manager.revision, 0)


def test_a_widget_that_closed_twice_while_the_page_was_away_is_closed(manager, counter):
    peer = Peer(manager)
    rev, inst = peer.first[-1].rev, peer.inst()
    peer.connection.receive_eof(1.0)
    for _ in range(2):
        manager.unregister("w")
        manager.register("w", Counter())
    manager.unregister("w")
    back = Peer(manager, hello={"resume": peer.resume(rev=rev)})
    [sync] = back.first
    assert ("w", inst) in sync.close or sync.live == []


def test_a_page_of_a_part_gets_what_it_missed_of_that_part(manager, three):
    peer = Peer(manager, hello={"subscribe": ["a"]})
    rev = manager.revision
    for widget in three.values():
        widget.value = 3
    manager.unregister("c")
    back = Peer(manager, hello={"subscribe": ["a"], "resume": peer.resume(rev=rev)})
    [sync] = back.first
    assert (sync.open, sync.close, sync.live) == ([], [], None)
    assert [(widget_id, value) for widget_id, _, _, value, _ in sync.changes] == [("a", 3)]


def test_an_id_is_remembered_as_closed_while_one_of_its_closings_is():
    manager = small(max_tombstones=1)
    for _ in range(2):
        manager.register("a", Counter())
    manager.unregister("a")
    peer = Peer(manager)
    manager.register("b", Counter())
    assert peer.write({**peer.op("value", 1, "b"), "widget_id": "a"}) == [(0, "stale_widget")]


def test_when_closings_are_forgotten_a_page_is_told_what_lives():
    manager = small(max_tombstones=1)
    for name in ("a", "b", "c"):
        manager.register(name, Counter())
    peer = Peer(manager)
    rev = manager.revision
    manager.unregister("a")
    knows = manager.revision
    manager.unregister("b")
    back = Peer(manager, hello={"resume": peer.resume(rev=rev)})
    assert back.welcome.resumed
    assert [one[0] for one in back.first[0].live] == ["c"]
    assert back.write({**back.op("value", 1, "c"), "widget_id": "a"}) == [(0, "unknown_widget")]
    assert back.write({**back.op("value", 1, "c"), "widget_id": "b"}) == [(0, "stale_widget")]
    again = Peer(manager, hello={"resume": peer.resume(rev=knows)})
    assert (again.first[0].live, [one[0] for one in again.first[0].close]) == (None, ["b"])


@pytest.mark.parametrize(
    "changed",
    [{"epoch": "other"}, {"secret": "0" * 32}, {"session": "nobody"}, {"rev": 10_000}],
    ids=lambda changed: next(iter(changed)),
)
@pytest.mark.threat(10)
def test_what_does_not_fit_is_answered_as_if_there_had_been_no_resume(manager, peer, changed):
    back = Peer(manager, hello={"resume": {**peer.resume(), **changed}})
    assert (back.welcome.resumed, back.welcome.ack) == (False, 0)
    assert back.welcome.session != peer.welcome.session
    [sync] = back.first
    assert (shown([sync]), [one[0] for one in sync.live]) == (["w"], ["w"])
    # The session that it named goes on, untouched.
    assert peer.connection.is_open
    assert peer.write(peer.op("value", 1)) == []


def test_the_host_is_told_who_comes_back_and_whether_the_session_was_there(manager, counter):
    heard = []
    manager.on("connected", heard.append)
    first = Peer(manager)
    again = Peer(manager, hello={"resume": first.resume()})
    lost = Peer(manager, hello={"resume": first.resume(secret="x" * 32)})
    assert [(one.session_id, one.came_back, one.resumed) for one in heard] == [
        (first.welcome.session, False, False),
        (first.welcome.session, True, True),
        (lost.welcome.session, True, False),
    ]
    assert again.welcome.resumed


def test_the_host_is_told_of_output_that_had_to_go(manager, counter, monkeypatch):
    monkeypatch.setattr(server, "_MAX_OUTPUTS", 2)
    heard = []
    manager.on("output_dropped", heard.append)
    asked = Peer(manager, output=True)
    Peer(manager)
    for n in (1, 2, 3):
        manager.send_output(n, b"null")
    assert heard == [OutputDropped(asked.connection.connection_id)]


@pytest.mark.threat(10, 29)
def test_a_session_belongs_to_its_user(manager, counter):
    ada = Peer(manager, verdict=ADA)
    bob = Peer(manager, verdict=BOB, hello={"resume": ada.resume()})
    assert not bob.welcome.resumed
    assert ada.connection.is_open


def test_another_subscription_on_the_way_back_is_answered_from_scratch(manager, three):
    peer = Peer(manager, hello={"subscribe": ["a", "b"]})
    back = Peer(manager, hello={"subscribe": ["b", "c"], "resume": peer.resume()})
    assert back.welcome.resumed
    assert (shown(back.first), [one[0] for one in back.first[-1].live]) == (["b", "c"], ["b", "c"])


def test_a_session_expires_after_its_time(manager, counter):
    peer = Peer(manager)
    peer.batch(peer.op("fixed", 1))
    manager.apply_pending()
    peer.connection.receive_eof(10.0)
    assert manager.next_deadline() == 130.0
    manager.handle_timeout(129.0)
    assert len(manager.sessions) == 1
    manager.handle_timeout(130.0)
    assert (len(manager.sessions), manager.next_deadline()) == (0, None)
    back = Peer(manager, hello={"resume": peer.resume()}, now=131.0)
    assert (back.welcome.resumed, back.first[-1].rejects) == (False, [])


def test_a_host_that_keeps_no_time_drops_sessions_when_the_next_page_comes(manager, peer):
    peer.connection.receive_eof(0.0)
    assert not Peer(manager, hello={"resume": peer.resume()}, now=1000.0).welcome.resumed
    assert len(manager.sessions) == 1


def test_verdicts_that_did_not_arrive_come_again_after_the_resume(manager, peer):
    peer.batch(peer.op("fixed", 1))
    manager.apply_pending()
    [sync] = peer.syncs(ack=False)
    assert len(sync.rejects) == 1
    back = Peer(manager, hello={"resume": peer.resume()})
    assert (back.first[-1].rejects, back.first[-1].ack) == (sync.rejects, 1)
    again = Peer(manager, hello={"resume": peer.resume()})
    assert again.first[-1].rejects == []


def test_a_resumed_session_whose_messages_all_arrived_is_quiet(manager, peer, counter):
    manager.send_to(next(iter(manager.sessions)), counter, "hi")
    assert [one.n for sync in peer.syncs() for one in sync.msgs] == [1]
    back = Peer(manager, hello={"resume": peer.resume()})
    assert back.first[-1].msgs == []
    assert back.syncs() == []


# Taking over.


def test_a_second_connection_of_a_session_takes_over_and_the_first_is_told(manager, peer, counter):
    wakes = peer.wakes
    back = Peer(manager, hello={"resume": peer.resume()})
    assert back.welcome.resumed
    assert peer.connection.closing == Closing(4004, "session_replaced")
    assert peer.wakes > wakes, "its adapter would never look"
    assert manager.next_deadline() is None
    # Late frames of the old one are nothing.
    peer.batch(peer.op("value", 1))
    peer.say("bye")
    peer.raw("nonsense")
    assert (manager.apply_pending(), counter.value, peer.read()) == (0, 0, [])
    peer.connection.receive_eof(1.0)
    assert len(manager.sessions) == 1
    assert back.write(back.op("value", 2)) == []


def test_a_batch_that_waits_when_its_connection_is_taken_over_is_acknowledged_to_the_new_one(manager, peer, counter):
    peer.batch(peer.op("value", 3))
    back = Peer(manager, hello={"resume": peer.resume()})
    assert back.welcome.ack == 0
    back.batch(back.op("value", 3), seq=1)
    wakes = back.wakes
    assert manager.apply_pending() == 1
    assert back.wakes > wakes
    assert [one.ack for one in back.syncs()][-1] == 1


# Messages.


def test_messages_come_in_order_after_the_state_that_was_set_before_them(manager, peer, counter):
    session = next(iter(manager.sessions))
    counter.value = 1
    manager.send_to(session, counter, {"a": [1, b"x"]}, [b"abc", memoryview(b"de"), bytearray(b"f")])
    counter.value = 2
    manager.send_to(session, "w", math.nan)
    [sync] = peer.syncs()
    assert changes([sync]) == [("value", 2)]
    first, second = sync.msgs
    assert (first.n, first.widget_id, first.inst) == (1, "w", peer.inst())
    assert (first.content, first.buffers) == ({"a": [1, b"x"]}, [b"abc", b"de", b"f"])
    assert math.isnan(second.content)
    assert peer.syncs() == []


def test_messages_that_did_not_arrive_come_again_and_others_do_not(manager, peer, counter):
    session = next(iter(manager.sessions))
    manager.send_to(session, counter, 1)
    peer.syncs()
    manager.send_to(session, counter, 2)
    peer.syncs(ack=False)
    peer.connection.receive_eof(0.0)
    manager.send_to(session, counter, 3)
    back = Peer(manager, hello={"resume": peer.resume()})
    assert [(one.n, one.content) for one in back.first[-1].msgs] == [(2, 2), (3, 3)]


def test_messages_that_had_to_go_are_announced_by_number():
    manager = small(max_messages=2)
    manager.register("w", counter := Counter())
    peer = Peer(manager)
    session = next(iter(manager.sessions))
    for n in range(5):
        manager.send_to(session, counter, n)
    [sync] = peer.syncs()
    assert (sync.lost_msgs, [one.n for one in sync.msgs]) == (3, [4, 5])
    assert peer.syncs() == []


def test_a_message_of_a_widget_that_the_page_left_before_it_was_sent_is_not_sent(manager, three):
    peer = Peer(manager, hello={"subscribe": ["a", "b"]})
    session = next(iter(manager.sessions))
    manager.send_to(session, "a", "secret")
    manager.send_to(session, "b", "fine")
    peer.say("subscribe", widget_ids=["b"])
    assert [(one.n, one.content) for sync in peer.syncs() for one in sync.msgs] == [(2, "fine")]
    assert peer.syncs() == []


def test_a_message_needs_a_widget_that_is_hosted(manager, peer):
    session = next(iter(manager.sessions))
    for nobody in (Counter(), "nobody"):
        with pytest.raises(UnknownWidget):
            manager.send_to(session, nobody, 1)


def test_messages_larger_than_a_frame_is_meant_to_be_go_in_several():
    manager = small(max_sync_bytes=1000)
    manager.register("w", counter := Counter())
    peer = Peer(manager)
    for n in range(3):
        manager.send_to(next(iter(manager.sessions)), counter, "x" * 700 + str(n))
    syncs = peer.syncs()
    assert [[one.n for one in sync.msgs] for sync in syncs] == [[1], [2], [3]]


def test_a_message_of_a_widget_with_two_names_comes_under_each_that_is_shown(manager, counter):
    manager.register("v", counter)
    peer = Peer(manager, hello={"subscribe": ["v"]})
    both = Peer(manager)
    for session in manager.sessions:
        manager.send_to(session, counter, "hi")
    assert [one.widget_id for sync in peer.syncs() for one in sync.msgs] == ["v"]
    assert [one.widget_id for sync in both.syncs() for one in sync.msgs] == ["w", "v"]


# Credit.


def test_a_page_that_does_not_acknowledge_gets_a_few_frames_and_then_one_with_the_present_state(peer, counter):
    for value in range(1, 10):
        counter.value = value
        peer.read()
    frames = peer.connection._sync._frame
    assert frames == 1 + 4
    peer.say("sync_ack", frame=frames - 3)
    [sync] = peer.read()
    assert changes([sync]) == [("value", 9)]
    peer.say("sync_ack", frame=sync.frame)
    assert peer.read() == []


def test_an_ack_for_a_frame_that_was_acknowledged_changes_nothing(peer, counter):
    for value in range(1, 10):
        counter.value = value
        peer.read()
    peer.say("sync_ack", frame=2)
    assert len(peer.read()) == 1
    peer.say("sync_ack", frame=2)
    peer.say("sync_ack", frame=0)
    assert peer.read() == []


@pytest.mark.parametrize("seq", [2, 1], ids=["a new batch", "a repeated one"])
def test_a_batch_may_acknowledge_too(peer, counter, seq):
    peer.write()
    for value in range(1, 10):
        counter.value = value
        peer.read()
    peer.say("batch", seq=seq, ops=[], sync_ack=peer.connection._sync._frame)
    assert changes(peer.read()) == [("value", 9)]


def test_bytes_count_as_credit_and_one_frame_may_exceed_it():
    manager = small(max_sync_bytes=1000)
    manager.register("w", counter := Counter())
    peer = Peer(manager)
    counter.label = "x" * 5000
    [sync] = peer.read()
    counter.value = 1
    assert peer.read() == []
    peer.say("sync_ack", frame=sync.frame)
    assert changes(peer.read()) == [("value", 1)]


def stalled(peer, counter, now):
    peer.now = now
    for value in range(1, 7):
        counter.value = value
        peer.read()


@pytest.mark.threat(20)
def test_who_does_not_acknowledge_and_does_not_read_loses_the_connection(peer, counter):
    stalled(peer, counter, 10.0)
    assert peer.connection.next_deadline() == 25.0
    peer.connection.handle_timeout(25.0)
    assert peer.connection.next_deadline() == 40.0
    peer.connection.handle_timeout(39.9)
    assert peer.connection.is_open
    peer.connection.handle_timeout(40.0)
    assert peer.connection.closing == Closing(4002, "slow_consumer")


def test_a_slow_reader_that_reads_keeps_its_connection(peer, counter):
    stalled(peer, counter, 10.0)
    peer.connection.transport_progressed(30.0)
    peer.connection.handle_timeout(40.0)
    assert peer.connection.is_open
    assert peer.connection.next_deadline() == 45.0  # Of silence.
    peer.now = 41.0
    peer.say("pong", id=1)
    peer.connection.handle_timeout(70.9)
    assert peer.connection.is_open
    peer.connection.handle_timeout(71.0)
    assert peer.connection.closing.code == 4002


# Parts.


def opened_in_parts(manager, **options):
    peer = Peer(manager, hello=False)
    peer.say("hello", **options)
    return peer


def test_state_beyond_a_frame_goes_in_parts_that_are_one():
    manager = small(max_sync_bytes=1000)
    for name in "abcdef":
        manager.register(name, Counter(label=name * 600))
    peer = opened_in_parts(manager)
    syncs = peer.syncs()
    assert len(syncs) == 3
    assert [one.more for one in syncs] == [True] * (len(syncs) - 1) + [False]
    assert [one.frame for one in syncs] == list(range(1, len(syncs) + 1))
    assert all(one.ack is None and one.live is None for one in syncs[:-1])
    assert (syncs[-1].ack, len(syncs[-1].live)) == (0, 6)
    assert {name: one["label"] for name, one in applied(syncs).items()} == {name: name * 600 for name in "abcdef"}


def test_a_property_too_large_for_a_part_comes_as_a_change_of_the_same_sync():
    manager = small(max_sync_bytes=1000)
    manager.register("a", Counter(label="x" * 5000, data=b"y" * 3000))
    manager.register("b", Counter(label="small"))
    peer = opened_in_parts(manager)
    syncs = peer.syncs()
    assert "label" not in next(one for sync in syncs for one in sync.open if one.widget_id == "a").props
    state = applied(syncs)
    assert (state["a"]["label"], state["a"]["data"], state["b"]["label"]) == ("x" * 5000, b"y" * 3000, "small")
    assert all(one.more for one in syncs[:-1])


def test_code_counts_for_the_size_of_a_part():
    class Long(Counter):
        _esm = "//" + "x" * 2000

    manager = small(max_sync_bytes=1000)
    for name in "abc":
        manager.register(name, Long())
    assert [len(one.open) for one in opened_in_parts(manager).syncs()] == [1, 1, 1]


def test_many_changes_beyond_a_frame_go_in_parts_too():
    manager = small(max_sync_bytes=1000)
    widgets = {name: Counter() for name in "abcd"}
    for name, widget in widgets.items():
        manager.register(name, widget)
    peer = Peer(manager)
    peer.syncs()
    for widget in widgets.values():
        widget.label = "x" * 600
    syncs = peer.syncs()
    assert [(len(one.changes), one.more) for one in syncs] == [(1, True), (1, True), (1, True), (1, False)]


def test_what_changes_between_two_parts_goes_again_with_a_later_part():
    manager = small(max_sync_bytes=1000)
    widgets = {name: Counter(label=name * 600) for name in "abcd"}
    for name, widget in widgets.items():
        manager.register(name, widget)
    peer = opened_in_parts(manager)
    first = [one for one in peer.read() if isinstance(one, Sync)]
    assert first[-1].more
    for widget in widgets.values():
        widget.value = 5
    peer.say("sync_ack", frame=first[-1].frame)
    assert {one["value"] for one in applied([*first, *peer.syncs()]).values()} == {5}


def test_a_slot_that_changes_faster_than_its_parts_are_sent_does_not_put_off_the_last_one_for_ever():
    manager = small(max_sync_bytes=1000, max_sync_frames=1)
    widgets = [Counter(label="x" * 900) for _ in range(4)]
    for index, widget in enumerate(widgets):
        manager.register(f"w{index}", widget)
    peer = opened_in_parts(manager)
    for turn in range(200):
        syncs = [one for one in peer.read() if isinstance(one, Sync)]
        if not syncs[-1].more:
            break
        for widget in widgets:
            widget.label = f"{turn:03}" * 300
        peer.say("sync_ack", frame=syncs[-1].frame)
    else:
        raise AssertionError("the last part never came")
    assert turn < 40
    peer.say("sync_ack", frame=syncs[-1].frame)
    assert peer.syncs() == []


def test_a_widget_that_closes_and_opens_again_between_two_parts_is_the_new_one():
    manager = small(max_sync_bytes=1000)
    for name in "abcd":
        manager.register(name, Counter(label=name * 600))
    peer = opened_in_parts(manager)
    first = [one for one in peer.read() if isinstance(one, Sync)]
    assert first[0].open[0].widget_id == "a"
    manager.unregister("a")
    manager.register("a", Counter(label="again"))
    manager.unregister("b")
    manager.unregister("d")
    peer.say("sync_ack", frame=first[-1].frame)
    syncs = [*first, *peer.syncs()]
    assert {name: one["label"] for name, one in applied(syncs).items()} == {"a": "again", "c": "c" * 600}
    assert {widget_id for widget_id, _ in syncs[-1].close} <= {"a", "b"}


def test_widgets_that_open_faster_than_their_parts_are_sent_do_not_put_off_the_last_one_either():
    manager = small(max_sync_bytes=1000, max_sync_frames=1)
    for index in range(3):
        manager.register(f"w{index}", Counter(label="x" * 900))
    peer = opened_in_parts(manager)
    manager.send_to(next(iter(manager.sessions)), "w0", "x" * 2000)
    manager.send_to(next(iter(manager.sessions)), "w0", "x" * 2000)
    for turn in range(200):
        syncs = [one for one in peer.read() if isinstance(one, Sync)]
        if not syncs[-1].more:
            break
        for index in range(2):
            manager.register(f"v{turn}.{index}", Counter(label="x" * 900, data=math.nan))
        peer.say("sync_ack", frame=syncs[-1].frame)
    else:
        raise AssertionError("the last part never came")
    assert turn < 40
    assert (len(syncs[-1].live), len(syncs[-1].msgs)) == (len(manager), 2)


# Frames that are none.


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("nonsense", "bad_json"),
        (b"\xff", "bad_unicode"),
        ("[]", "bad_message"),
        ('{"type":"batch","seq":-1,"ops":[]}', "bad_message"),
        ('{"type":"dance"}', "unknown_type"),
        ('{"type":"welcome"}', "unknown_type"),
        (b"RDB1\x00\x00\x00\x00", "bad_frame"),
        ("[" * 1000, "too_deep"),
    ],
)
def test_a_frame_that_is_no_message_changes_nothing_and_names_the_batch_that_is_expected(peer, counter, frame, code):
    peer.write(peer.op("value", 1))
    peer.connection.events_received()
    wakes = peer.wakes
    peer.raw(frame)
    [error] = peer.read()
    assert (error.code, error.fatal, error.seq) == (code, False, 2)
    assert peer.connection.events_received() == [FrameRefused(code)]
    assert peer.wakes > wakes
    assert peer.write(peer.op("value", 2)) == []


def test_before_the_hello_no_batch_is_expected(manager):
    peer = Peer(manager, hello=False)
    peer.raw("nonsense")
    assert [(one.code, one.seq) for one in peer.read()] == [("bad_json", None)]


def test_ten_frames_that_are_none_end_the_connection_for_good(peer):
    for _ in range(9):
        peer.raw("nonsense")
    assert peer.connection.is_open
    peer.raw("nonsense")
    errors = peer.read()
    assert [one.fatal for one in errors] == [False] * 9 + [True]
    assert peer.connection.closing == Closing(4502, "bad_protocol")


@pytest.mark.threat(32)
def test_an_error_frame_tells_nothing_of_what_the_frame_held(peer):
    peer.raw('{"type":"batch","seq":"hunter2","ops":[]}')
    assert "hunter2" not in repr(peer.read())


# Floods.


def test_a_connection_whose_batches_wait_is_congested_until_they_are_applied():
    manager = small(max_waiting_frames=2)
    manager.register("w", Counter())
    peer = Peer(manager)
    peer.batch(peer.op("value", 1))
    assert not peer.connection.is_congested
    peer.batch(peer.op("value", 2))
    assert peer.connection.is_congested
    wakes = peer.wakes
    manager.apply_pending()
    assert not peer.connection.is_congested
    assert peer.wakes > wakes


def test_bytes_that_wait_make_a_connection_congested():
    manager = small(max_waiting_bytes=1000)
    manager.register("w", Counter())
    peer = Peer(manager)
    peer.batch(peer.op("label", "x" * 1000))
    assert peer.connection.is_congested
    manager.apply_pending()
    assert not peer.connection.is_congested


@pytest.mark.threat(19)
def test_answers_that_nobody_reads_make_a_connection_congested_and_in_the_end_a_flood():
    manager = small(max_waiting_frames=3)
    peer = Peer(manager)
    for number in range(3):
        peer.say("ping", id=number)
    assert peer.connection.is_congested
    assert len(peer.read()) == 3
    assert not peer.connection.is_congested
    for number in range(7):
        peer.say("ping", id=number)
    assert peer.connection.closing == Closing(4005, "flooding")
    assert not peer.connection.is_congested


@pytest.mark.threat(19)
def test_who_sends_on_though_nothing_is_read_loses_the_connection_and_no_batch_is_lost():
    manager = small(max_waiting_frames=2)
    manager.register("w", counter := Counter())
    peer = Peer(manager)
    for value in range(1, 6):
        peer.batch(peer.op("value", value))
    assert peer.connection.closing == Closing(4005, "flooding")
    assert manager.apply_pending() == 5
    back = Peer(manager, hello={"resume": peer.resume()})
    assert (counter.value, back.welcome.ack) == (5, 5)


# Time.


def test_the_server_asks_from_time_to_time_and_any_frame_is_an_answer(peer):
    connection = peer.connection
    assert connection.next_deadline() == 25.0
    connection.handle_timeout(24.9)
    assert peer.read() == []
    connection.handle_timeout(25.0)
    assert peer.read() == [Ping(1)]
    peer.now = 40.0
    peer.say("pong", id=1)
    assert connection.next_deadline() == 50.0
    connection.handle_timeout(50.0)
    assert peer.read() == [Ping(2)]
    assert connection.next_deadline() == 75.0
    connection.handle_timeout(75.0)
    assert peer.read() == [Ping(3)]
    connection.handle_timeout(85.0)
    assert connection.closing == Closing(4003, "heartbeat_timeout")
    connection.handle_timeout(1000.0)
    assert connection.next_deadline() is None


def test_a_connection_that_was_silent_leaves_its_session_to_come_back_to(manager, peer):
    peer.connection.handle_timeout(45.0)
    assert manager.next_deadline() == 45.0 + 120.0
    assert Peer(manager, hello={"resume": peer.resume()}, now=50.0).welcome.resumed


def test_a_ping_is_answered_at_once_though_the_kernel_is_busy(manager, peer):
    peer.batch(peer.op("value", 1))
    peer.say("ping", id=7)
    assert peer.read() == [Pong(7)]


# Reports, output, goodbye.


def test_an_error_in_a_pages_own_code_is_told_to_the_host(manager, peer, caplog):
    heard = []
    manager.on("front_end_failed", heard.append)
    peer.say("report", widget_id="w", stage="render", message="m" * 5000, stack="at line 3")
    assert heard == [FrontEndFailed(1, "w", "render", "m" * 5000, "at line 3")]
    assert peer.connection.events_received() == [Reported("w", "render")]
    assert "widget w failed in its page (render)" in caplog.text
    assert len(caplog.text) < 2000


@pytest.mark.threat(33)
def test_what_a_page_reports_is_one_line_of_the_log_without_control_characters(manager, peer, caplog):
    peer.say("report", widget_id="w", stage="s\r\nFORGED\x1b[2J", message="é\n\x9b31m\u202e", stack="")
    (record,) = caplog.records
    assert record.getMessage() == "widget w failed in its page (s\\r\\nFORGED\\x1b[2J): é\\n\\x9b31m\\u202e"


def test_output_goes_to_the_pages_that_asked_for_it_in_order_and_after_the_state(manager, counter):
    asked, other = Peer(manager, output=True), Peer(manager)
    early = Peer(manager, output=True, hello=False)
    counter.value = 1
    manager.send_output(1, b'{"text":"a"}')
    manager.send_output(2, b'"b"')
    got = asked.read()
    assert [type(one) for one in got] == [Sync, Output, Output]
    assert [(one.n, one.event) for one in got[1:]] == [(1, {"text": "a"}), (2, "b")]
    assert not any(isinstance(one, Output) for one in other.read())
    assert early.read() == []
    early.hello()
    assert [one.n for one in early.others] == [1, 2]
    asked.connection.close(4000, "server_shutdown", 0.0)
    manager.send_output(3, b"null")
    assert asked.read() == []


def test_a_goodbye_ends_the_session_at_once(manager, peer, counter):
    peer.batch(peer.op("value", 5))
    peer.say("bye")
    assert peer.connection.closing == Closing(1000, "bye")
    assert len(manager.sessions) == 0
    manager.apply_pending()
    assert counter.value == 5
    peer.connection.receive_eof(0.0)
    assert not Peer(manager, hello={"resume": peer.resume()}).welcome.resumed


# The end.


def test_a_server_that_ends_says_so_and_keeps_the_sessions(manager, counter):
    first, second = Peer(manager), Peer(manager)
    base = manager.connect(ADA)
    assert manager.count_open() == 2
    manager.close_connections(3.0)
    assert manager.count_open() == 2, "they have yet to be told"
    assert {one.connection.closing for one in (first, second)} == {Closing(4000, "server_shutdown")}
    assert base.events_received() == []
    counter.value = 5
    assert (first.read(), len(manager.sessions)) == ([], 2)
    first.connection.receive_eof(4.0)
    assert (first.connection.state, first.connection.closing) == ("closed", None)
    assert manager.count_open() == 1
    assert manager.next_deadline() == 3.0 + 120.0


def test_a_connection_ends_once_and_is_silent_from_then_on(manager, peer, counter):
    heard = []
    manager.on("disconnected", heard.append)
    peer.say("ping", id=1)
    peer.connection.receive_eof(0.0)
    peer.connection.receive_eof(0.0)
    assert heard == [Disconnected(1, "local")]
    counter.value = 9
    manager.send_output(1, b"1")
    wakes = peer.wakes
    peer.connection.wake()
    peer.connection.close(4000, "late", 0.0)
    peer.say("ping", id=2)
    assert (peer.read(), peer.wakes, peer.connection.closing) == ([], wakes, None)


def test_an_adapter_that_fails_to_wake_harms_nobody(manager, counter, caplog):
    manager.connect(ADA, mode="v1", wakeup=lambda: 1 / 0).receive_frame('{"type":"hello"}', 0.0)
    fine = Peer(manager)
    counter.value = 1
    assert changes(fine.syncs()) == [("value", 1)]
    assert "wakeup of connection 1 failed" in caplog.text


def test_without_a_wakeup_a_connection_is_only_drained(manager, counter):
    connection = manager.connect(ADA, mode="v1")
    connection.receive_frame('{"type":"hello"}', 0.0)
    counter.value = 1
    assert len(connection.frames_to_send(0.0)) == 2


def test_every_close_code_is_given_once_and_says_whether_to_come_back():
    assert len(set(CLOSE_CODES.values())) == len(CLOSE_CODES)
    terminal = {"unauthorized", "unsupported_protocol", "bad_protocol", "forbidden", "connection_limit"}
    assert {name for name, code in CLOSE_CODES.items() if code >= 4500} == terminal


# Threads.


def test_threads_that_set_traits_against_a_flush_loop_end_with_what_python_has():
    manager = WidgetManager(limits=Limits(max_sync_bytes=4000))
    widgets = {f"w{index}": Counter() for index in range(3)}
    for name, widget in widgets.items():
        manager.register(name, widget)
    peer = Peer(manager)
    interval = sys.getswitchinterval()
    start, turns = threading.Barrier(9, timeout=20), 60

    def work(number):
        start.wait()
        for turn in range(turns):
            for widget in widgets.values():
                widget.value = number * turns + turn
                widget.label = f"{number}:{turn}"
            peer_value = widgets["w0"].value
            assert isinstance(peer_value, int)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        start.wait()
        seen, last_rev = [], 0
        while any(thread.is_alive() for thread in threads):
            seen += peer.syncs()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    seen += peer.syncs()
    shown, revs = {}, {}
    for sync in seen:
        assert sync.rev >= last_rev
        last_rev = sync.rev
        for widget_id, _, name, value, rev in sync.changes:
            assert rev > revs.get((widget_id, name), 0)
            assert rev <= sync.rev
            revs[widget_id, name], shown[widget_id, name] = rev, value
    assert shown == {
        (name, trait): getattr(widget, trait) for name, widget in widgets.items() for trait in ("value", "label")
    }
    assert len(set(revs.values())) == len(revs)


def test_threads_that_write_through_pages_and_python_at_once_apply_each_batch_once():
    manager = WidgetManager()
    manager.register("w", counter := Counter())
    peers = [Peer(manager) for _ in range(4)]
    taken = []
    counter.observe(lambda change: taken.append(change.new), "value")
    interval = sys.getswitchinterval()

    def page(number):
        for turn in range(1, 51):
            peers[number].batch(peers[number].op("value", number * 1000 + turn))
            peers[number].read()

    threads = [threading.Thread(target=page, args=(number,)) for number in range(4)]
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        count = 0
        while any(thread.is_alive() for thread in threads) or count < 200:
            count += manager.apply_pending()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert sorted(taken) == sorted({number * 1000 + turn for number in range(4) for turn in range(1, 51)})
    for number in range(4):
        mine = [value for value in taken if value // 1000 == number]
        assert mine == sorted(mine)


def test_the_frames_of_one_history_are_the_same_bytes_every_time():
    def history():
        numbers = iter(range(1000))
        manager = WidgetManager(epoch="e", tokens=lambda: f"t{next(numbers)}")
        manager.register("w", counter := Counter())
        connection = manager.connect(ADA, mode="v1")
        connection.receive_frame('{"type":"hello"}', 0.0)
        frames = connection.frames_to_send(0.0)
        counter.data = {"b": math.nan, "a": b"x"}
        counter.value = 3
        return [*frames, *connection.frames_to_send(0.0)]

    assert history() == history()


def test_the_protocol_version_is_one():
    assert server.PROTOCOL == 1
    frame = encode_frame(Error("m", "bad_json"), [(("x",), EncodedValue(b"1"))])
    assert json.loads(frame)["code"] == "bad_json"


def test_frames_that_are_no_message_end_a_connection_only_in_a_row(peer, counter):
    for value in range(1, 4):
        for _ in range(9):
            peer.raw("nonsense")
        peer.write(peer.op("value", value))
    assert peer.connection.state == "live"
    for _ in range(10):
        peer.raw("nonsense")
    assert peer.connection.closing == (4502, "bad_protocol")


# What is set and taken back at once.


def test_a_message_in_a_trait_is_told_in_syncs_of_their_own_that_acknowledge_and_know_no_more_than_they_hold(
    manager, counter, peer
):
    rev = manager.revision
    counter.label = "dirty"
    for text in ("m1", "m2"):
        counter.data = text
        counter.data = None
    syncs = peer.syncs()
    assert [{name: value for _, _, name, value, _ in one.changes} for one in syncs] == [
        {"label": "dirty", "data": "m1"},
        {"data": None},
        {"data": "m2"},
        {"data": None},
    ]
    assert [one.rev for one in syncs] == [rev + 2, rev + 3, rev + 4, rev + 5]
    assert not any(one.more for one in syncs)


def test_changes_of_one_page_go_out_in_order_with_its_ack_and_its_verdicts_in_the_last(manager, counter, peer):
    counter.observe(lambda change: setattr(counter, "label", ""), "label")
    peer.batch(peer.op("label", "pressed"), peer.op("fixed", 1))
    manager.apply_pending()
    first, last = peer.syncs()
    assert changes([first, last]) == [("label", "pressed"), ("label", "")]
    assert (first.ack, first.rejects) == (0, [])
    assert (last.ack, [one.code for one in last.rejects]) == (1, ["read_only"])


def test_a_custom_message_comes_after_what_was_set_and_taken_back_before_it(manager, counter, peer):
    counter.data = "m"
    counter.data = None
    manager.send(counter, "hello")
    first, last = peer.syncs()
    assert (first.msgs, [one.content for one in last.msgs]) == ([], ["hello"])


def test_a_page_that_is_lost_after_a_past_state_comes_back_to_the_present_one(manager, counter, peer):
    counter.data = "m"
    counter.data = None
    [sync] = peer.syncs(ack=False)[:1]
    assert sync.changes[0][3] == "m"
    peer.connection.receive_eof(0.0)
    again = Peer(manager, hello={"resume": peer.resume(rev=sync.rev)})
    assert again.welcome.resumed
    assert changes(again.first) == [("data", None)]


def test_what_was_set_and_taken_back_while_a_page_was_away_is_past(manager, counter, peer):
    counter.value = 1
    rev = peer.syncs()[-1].rev
    peer.connection.receive_eof(0.0)
    counter.data = "m"
    counter.data = None
    again = Peer(manager, hello={"resume": peer.resume(rev=rev)})
    assert changes(again.first) == [("data", None)]


def test_before_a_page_has_its_first_state_there_is_nothing_to_come_back_to(manager, counter, peer):
    rev = peer.syncs()[-1].rev if peer.syncs() else manager.revision
    peer.connection.receive_eof(0.0)
    again = Peer(manager, hello=False)
    again.say("hello", resume=peer.resume(rev=rev))
    for text in ("m1", "m2"):
        counter.data = text
        counter.data = None
    assert changes(again.syncs()) == [("data", None)]


def test_a_widget_that_opened_before_a_past_state_comes_with_it_as_it_was(manager, counter, peer):
    other = Counter(value=1)
    manager.register("other", other)
    counter.data = "m"
    counter.data = None
    other.value = 2
    first, last = peer.syncs()
    assert [one.widget_id for one in first.open] == ["other"]
    assert first.open[0].props["value"][0] == 1
    assert changes([first, last]) == [("data", "m"), ("data", None), ("value", 2)]
    assert all(rev <= first.rev for _, rev in first.open[0].props.values())


def test_of_a_widget_that_opened_and_closed_around_a_past_state_the_page_hears_nothing(manager, counter, peer):
    manager.register("other", Counter())
    counter.data = "m"
    counter.data = None
    manager.unregister("other")
    syncs = peer.syncs()
    assert [(one.open, one.close) for one in syncs] == [([], []), ([], [])]
    counter.data = "m"
    counter.data = None
    manager.unregister("w")
    [sync] = peer.syncs()
    assert (sync.changes, len(sync.close)) == ([], 1)


def test_slots_of_two_widgets_are_told_apart_and_what_a_page_does_not_show_is_not_told(manager, counter):
    other = Counter()
    manager.register("other", other)
    peer = Peer(manager, hello={"subscribe": ["w"]})
    manager.register("w2", counter)
    other.data = "m"
    other.data = None
    with counter.hold_trait_notifications():
        counter.value, counter.label = 1, "a"
    counter.data = "m"
    counter.data = None
    syncs = peer.syncs()
    assert {widget_id for one in syncs for widget_id, *_ in one.changes} == {"w"}
    assert changes(syncs)[-2:] == [("data", "m"), ("data", None)]


def test_a_past_state_beyond_a_frame_goes_in_parts_too():
    manager = small(max_sync_bytes=1000)
    widgets = {name: Counter() for name in "abc"}
    for name, widget in widgets.items():
        manager.register(name, widget)
    peer = Peer(manager)
    peer.syncs()
    manager.register("d", Counter(label="d" * 2000))
    for widget in widgets.values():
        widget.label = "x" * 600
    widgets["a"].data = "m"
    widgets["a"].data = None
    syncs = peer.syncs()
    assert [one.more for one in syncs] == [True] * (len(syncs) - 2) + [False, False]
    assert len({one.rev for one in syncs[:-1]}) == 1
    assert syncs[-1].rev > syncs[0].rev
    assert ("data", "m") in changes(syncs[:-1])
    assert ("label", "d" * 2000) in changes(syncs[:-1])
    assert changes(syncs[-1:]) == [("data", None)]


@pytest.mark.parametrize("name", ["a", "b"])
def test_what_is_taken_back_between_two_parts_ends_them(name):
    manager = small(max_sync_bytes=1000, max_sync_frames=1)
    widgets = {name: Counter() for name in "ab"}
    for widget_id, widget in widgets.items():
        manager.register(widget_id, widget)
    peer = Peer(manager)
    peer.syncs()
    for widget in widgets.values():
        widget.label = "x" * 600
    [first] = peer.syncs(ack=False)
    assert first.more
    # Of `a` the page has this text already, and holds it until the last part comes; of `b` it is still due.
    widgets[name].label = ""
    peer.say("sync_ack", frame=first.frame)
    syncs = [first, *peer.syncs()]
    assert [one.more for one in syncs] == [True, False, False]
    assert [(widget_id, len(value)) for one in syncs for widget_id, _, _, value, _ in one.changes] == [
        ("a", 600),
        ("b", 600),
        (name, 0),
    ]


def test_a_large_value_of_the_page_itself_is_not_sent_back_though_it_is_past(manager, counter, peer):
    counter.observe(lambda change: setattr(counter, "label", ""), "label")
    peer.batch(peer.op("label", "x" * 20_000))
    manager.apply_pending()
    first, last = peer.syncs()
    assert [entry[2:5] for entry in first.same] == [("label", 1, 0)]
    assert changes([first, last]) == [("label", "")]


def test_who_reads_slowly_misses_the_oldest_of_what_is_set_and_taken_back_and_the_host_hears_of_it_once(caplog):
    manager = small(max_moments=4, max_sync_frames=1)
    counter = Counter()
    manager.register("w", counter)
    peer = Peer(manager)
    told = []
    manager.on("changes_swallowed", told.append)
    for index in range(1, 100):
        counter.value = index
        counter.value = 0
    assert told == [ChangesSwallowed("w", "value")]
    assert caplog.text.count("w.value changes to and fro faster than a page reads") == 1
    assert [value for _, value in changes(peer.syncs())] == [0, 98, 0, 99, 0]


def test_a_list_that_is_edited_in_place_to_and_fro_is_told_too_and_what_is_missed_is_named():
    manager = small(max_moments=2)
    counter = Counter(data=[0])
    manager.register("w", counter)
    peer = Peer(manager)
    told = []
    manager.on("changes_swallowed", told.append)
    for _ in range(2):
        counter.data.append(1)
        manager.touch(counter, "data")
        counter.data.pop()
        manager.touch(counter, "data")
    assert told == [ChangesSwallowed("w", "data")]
    assert [value for _, value in changes(peer.syncs())] == [[0], [0, 1], [0]]


def test_new_code_of_a_widget_that_a_page_does_not_show_is_not_told(manager, counter):
    manager.register("other", Counter())
    peer = Peer(manager, hello={"subscribe": ["other"]})
    manager.store.commit(manager.store.find("w"), {"_esm": "export default { new: true }"})
    assert peer.syncs() == []

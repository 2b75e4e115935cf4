import asyncio
import json

import anywidget
import ipywidgets
import msgspec
import pytest
import traitlets
from anywidget.experimental import command

from rdit_core import TRUSTED, WidgetManager, WritePolicy
from rdit_core.encoding import EncodedValue, encode
from rdit_core.events import HandlerFailed, ObserverFailed, WriteWasRefused
from rdit_core.frames import encode_frame
from rdit_core.messages import Batch, MsgOp, SetOp
from rdit_core.tests.pair import Clamped, Counter, Peer, changes


@pytest.fixture
def counter(manager):
    counter = Clamped()
    manager.register("w", counter)
    return counter


@pytest.fixture
def peer(manager, counter):
    return Peer(manager)


@pytest.fixture
def events(manager):
    events = []
    for name in ("write_refused", "observer_failed", "handler_failed"):
        manager.on(name, events.append)
    return events


def run(peer, *ops):
    """Send and run a batch. Returns verdicts and changes of the one sync that answers it."""
    peer.batch(*ops)
    peer.manager.apply_pending()
    [sync] = peer.syncs()
    assert sync.ack == peer.seq
    return [(one.op, one.code) for one in sync.rejects], changes([sync])


# One op.


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("value", "text", "invalid_value"),
        ("value", True, "invalid_value"),
        ("value", 13, "invalid_value"),
        ("value", None, "invalid_value"),
        ("label", 1, "invalid_value"),
        ("fixed", 1, "read_only"),
        ("private", 1, "not_synced"),
        ("nothing", 1, "unknown_property"),
        ("_esm", "evil", "protected_property"),
        ("__class__", 1, "protected_property"),
        ("comm", 1, "protected_property"),
    ],
)
@pytest.mark.threat(12, 13)
def test_a_write_that_may_not_be_changes_nothing_and_says_why(peer, counter, events, name, value, code):
    before = dict(counter._trait_values)
    verdicts, told = run(peer, peer.op(name, value))
    assert (verdicts, told, counter._trait_values) == ([(0, code)], [], before)
    assert events == [WriteWasRefused(1, "w", name, code)]


@pytest.mark.threat(32)
def test_a_refusal_repeats_neither_the_value_nor_what_the_validator_said(peer, counter):
    peer.batch(peer.op("value", 13), peer.op("label", {"pass": "hunter2"}))
    peer.manager.apply_pending()
    texts = [one.message for sync in peer.syncs() for one in sync.rejects]
    assert len(texts) == 2
    assert not any(word in text for text in texts for word in ("hunter2", "unlucky", "13"))


def test_what_pages_may_write_is_the_hosts_to_say_and_may_change(manager, peer, counter):
    manager.register("w", counter, policy=WritePolicy(writable={"label"}))
    assert run(peer, peer.op("value", 1), peer.op("label", "a")) == ([(0, "read_only")], [("label", "a")])
    manager.register("w", counter, policy=WritePolicy(two_way=False))
    assert run(peer, peer.op("label", "b")) == ([(0, "read_only")], [])
    manager.register("w", counter, policy=WritePolicy())
    assert run(peer, peer.op("value", 1)) == ([], [("value", 1)])


def test_a_value_that_a_validator_changes_comes_back_changed(peer, counter):
    assert run(peer, peer.op("value", 120)) == ([], [("value", 100)])
    assert run(peer, peer.op("value", 500)) == ([], [])
    assert counter.value == 100


def test_a_value_that_python_takes_for_equal_and_pages_do_not_is_committed(peer, counter):
    for value in (1, True, 1.0, None):
        verdicts, told = run(peer, peer.op("data", value))
        assert (verdicts, repr(told)) == ([], repr([("data", value)] if value is not True else [("data", True)]))


def test_the_same_list_edited_by_an_observer_is_seen(peer, counter):
    counter.observe(lambda change: change.new.append(2), "data")
    assert run(peer, peer.op("data", [1])) == ([], [("data", [1, 2])])


@pytest.mark.parametrize("before", [0, 1, 2])
def test_an_observer_that_raises_leaves_the_value_and_says_so(peer, counter, events, caplog, before):
    """Whether it is the first, one in the middle, or the last."""
    seen = []

    def fail(change):
        raise RuntimeError("secret")

    for at in range(3):
        counter.observe(fail if at == before else lambda change: seen.append(change.new), "value")
    assert run(peer, peer.op("value", 3)) == ([(0, "observer_failed")], [("value", 3)])
    assert counter.value == 3
    assert len(seen) == before
    [event] = events
    assert (type(event), event.widget_id, event.property, str(event.error)) == (ObserverFailed, "w", "value", "secret")
    assert "secret" in caplog.text
    assert run(peer, peer.op("label", "on")) == ([], [("label", "on")])


@pytest.mark.threat(32)
def test_the_verdict_of_a_failed_observer_does_not_repeat_what_it_said(peer, counter):
    counter.observe(lambda change: {}["secret"], "value")
    peer.batch(peer.op("value", 1))
    peer.manager.apply_pending()
    [reject] = [one for sync in peer.syncs() for one in sync.rejects]
    assert "secret" not in reject.message
    assert "KeyError" in reject.message


def test_an_observer_that_raises_on_a_python_side_set_does_not_keep_the_value_from_pages(peer, counter):
    counter.observe(lambda change: 1 / 0, "value")
    with pytest.raises(ZeroDivisionError):
        counter.value = 5
    assert changes(peer.syncs()) == [("value", 5)]


def test_an_observer_may_set_other_traits_and_its_own(peer, counter):
    counter.observe(lambda change: setattr(counter, "label", str(change.new)), "value")
    counter.observe(lambda change: setattr(counter, "value", min(change.new, 50)), "value")
    verdicts, told = run(peer, peer.op("value", 80))
    assert (verdicts, dict(told)) == ([], {"value": 50, "label": str(counter.value)})


def test_a_trait_that_cannot_say_what_it_takes_harms_only_its_own_op(manager, peer, caplog):
    class Mute(traitlets.Int):
        def info(self):
            raise RuntimeError

    class Odd(Counter):
        mute = Mute(0).tag(sync=True)

    manager.register("o", Odd())
    peer.syncs()
    assert run(peer, peer.op("mute", "x", "o"), peer.op("value", 1)) == ([(0, "internal")], [("value", 1)])
    assert "update of o.mute failed" in caplog.text


# Whom it is for.


@pytest.mark.threat(11, 27)
def test_an_op_for_another_incarnation_or_nobody_reaches_nobody(manager, peer, counter, events):
    op, message = peer.op("value", 1), peer.message("hi")
    manager.register("w", later := Clamped())
    later._handle_custom_msg = lambda *_: 1 / 0
    peer.syncs()
    nobody = {**op, "widget_id": "nobody"}
    ahead = peer.op("value", 1, inst=peer.inst() + 1)
    verdicts, told = run(peer, op, message, nobody, ahead)
    assert verdicts == [(0, "stale_widget"), (1, "stale_widget"), (2, "unknown_widget"), (3, "stale_widget")]
    assert (told, counter.value, later.value) == ([], 0, 0)
    manager.unregister("w")
    peer.syncs()
    assert run(peer, op, message)[0] == [(0, "stale_widget"), (1, "stale_widget")]
    assert {event.code for event in events} == {"stale_widget", "unknown_widget"}


def test_an_op_whose_widget_goes_during_the_op_before_it_reaches_nobody(manager, peer, counter):
    counter.observe(lambda change: manager.unregister("w"), "value")
    verdicts, _ = run(peer, peer.op("value", 1), peer.message("x"), peer.op("label", "late"))
    assert verdicts == [(1, "stale_widget"), (2, "stale_widget")]
    assert counter.label == ""


def test_an_op_of_a_group_that_is_done_one_by_one_may_lose_its_widget_to_the_one_before(manager, peer, counter):
    counter.observe(lambda change: manager.unregister("w"), "value")
    verdicts, _ = run(peer, peer.op("value", 1), peer.op("data", 5), peer.op("data", 6))
    assert verdicts == [(1, "stale_widget"), (2, "stale_widget")]
    assert (counter.value, counter.data) == (1, None)


def test_a_widget_that_goes_during_a_group_gets_the_group_and_the_page_is_told_of_the_end(manager, peer, counter):
    counter.observe(lambda change: manager.unregister("w"), "value")
    peer.batch(peer.op("value", 1), peer.op("label", "both"))
    manager.apply_pending()
    [sync] = peer.syncs()
    assert (counter.value, counter.label, sync.rejects) == (1, "both", [])
    assert [one[0] for one in sync.close] == ["w"]


def test_a_write_that_is_refused_after_its_page_left_names_no_connection(manager, peer, events):
    peer.batch(peer.op("fixed", 1))
    peer.connection.receive_eof(0.0)
    manager.apply_pending()
    assert events == [WriteWasRefused(None, "w", "fixed", "read_only")]


# Compare and set.


@pytest.mark.threat(28)
def test_a_comparison_holds_while_the_slot_has_the_revision(manager, peer, counter, events):
    rev = manager.store.slot("w", "value").rev
    assert run(peer, peer.op("value", 1, if_rev=rev)) == ([], [("value", 1)])
    assert run(peer, peer.op("value", 2, if_rev=rev)) == ([(0, "conflict")], [])
    assert counter.value == 1
    assert events == [WriteWasRefused(1, "w", "value", "conflict")]
    assert run(peer, peer.op("value", 2, if_rev=0))[0] == [(0, "conflict")]
    assert run(peer, peer.op("nothing", 2, if_rev=0))[0] == [(0, "unknown_property")]


@pytest.fixture
def guarded(manager, counter):
    """A page of the counter, whose value is written only as it was seen; it has seen all there is."""
    manager.register("w", counter, policy=WritePolicy(if_unchanged=["value"]))
    return Peer(manager)


@pytest.mark.threat(28)
def test_what_is_written_only_if_unchanged_is_refused_to_a_page_that_has_not_seen_it(guarded, counter, events):
    counter.value = 5
    for name in ("value", "label"):
        guarded.read()  # It was sent, and is not acknowledged.
        guarded.batch(guarded.op(name, {"value": 1, "label": "page"}[name]))
    guarded.manager.apply_pending()
    assert (counter.value, counter.label) == (5, "page")
    assert events == [WriteWasRefused(guarded.connection.connection_id, "w", "value", "conflict")]
    assert [(one.op, one.code) for sync in guarded.syncs() for one in sync.rejects] == [(0, "conflict")]
    # Now it has.
    assert guarded.write(guarded.op("value", 2)) == []
    assert counter.value == 2


@pytest.mark.threat(28)
def test_what_a_page_had_seen_counts_when_its_write_came_and_not_when_it_is_applied(guarded, counter):
    guarded.batch(guarded.op("value", 1))
    counter.value = 5
    guarded.syncs()
    guarded.manager.apply_pending()
    assert counter.value == 5


@pytest.mark.threat(28)
def test_a_pages_own_writes_are_none_that_it_has_not_seen(guarded, counter):
    """A drag: batches leave before the state that the ones before them made is there; validators clamp."""
    rev = guarded.manager.store.slot("w", "value").rev
    for value in (1, 150, 99, 100):
        guarded.batch(guarded.op("value", value))
        guarded.batch(guarded.op("value", value + 1, if_rev=rev))
        guarded.batch(guarded.op("value", value + 2), guarded.op("label", str(value)))
    guarded.manager.apply_pending()
    assert [sync.rejects for sync in guarded.syncs()] == [[]]
    assert counter.label == "100"
    # But what Python did in between is.
    counter.value = 7
    guarded.batch(guarded.op("value", 8))
    guarded.batch(guarded.op("value", 9, if_rev=rev))
    guarded.manager.apply_pending()
    assert counter.value == 7


@pytest.mark.threat(28)
def test_a_page_that_comes_back_had_seen_what_it_says(guarded, counter):
    rev = guarded.manager.revision
    guarded.connection.receive_eof(0.0)
    counter.value = 5
    # It resumes and has not said that it has the new state; then it has.
    back = Peer(guarded.manager, hello=False)
    back.say("hello", resume=guarded.resume(rev))
    back.read()
    assert back.connection.session.seen_rev == rev
    back.batch(back.op("value", 1))
    guarded.manager.apply_pending()
    assert counter.value == 5
    back.seq = 1
    back.syncs()
    back.say("sync_ack", frame=1)
    assert back.write(back.op("value", 2)) == []


@pytest.mark.threat(28)
def test_base_mode_cannot_say_what_it_saw_and_so_writes_nothing_that_is_compared(manager, counter, events):
    manager.register("w", counter, policy=WritePolicy(if_unchanged=True))
    connection = manager.connect(TRUSTED)
    connection.receive_frame('{"type":"widget_update","widget_id":"w","property":"value","value":1}', 0.0)
    manager.apply_pending()
    assert json.loads(connection.frames_to_send()[0])["code"] == "conflict"
    assert (counter.value, [one.code for one in events]) == (0, ["conflict"])
    manager.update("w", "value", 2)
    assert counter.value == 2


def test_pages_are_told_which_of_the_writable_are_compared(manager, counter):
    for policy, compared in (
        (WritePolicy(), []),
        (WritePolicy(if_unchanged=["value", "fixed", "nothing"]), ["value"]),
        (WritePolicy(if_unchanged=True, writable=["label"]), ["label"]),
    ):
        manager.register("w", counter, policy=policy)
        assert Peer(manager).first[0].open[0].if_unchanged == compared


def test_a_comparison_that_fails_does_not_take_the_rest_of_its_group_along(manager, peer, counter):
    rev = manager.store.slot("w", "label").rev
    counter.label = "python"
    peer.syncs()
    verdicts, told = run(peer, peer.op("value", 1), peer.op("label", "page", if_rev=rev), peer.op("data", 2))
    assert (verdicts, dict(told)) == ([(1, "conflict")], {"value": 1, "data": 2})


def test_a_comparison_is_made_when_its_op_runs_and_not_before(manager, peer, counter):
    rev = manager.store.slot("w", "value").rev
    verdicts, told = run(peer, peer.op("value", 1, if_rev=rev), peer.op("value", 2, if_rev=rev))
    assert (verdicts, told) == ([(1, "conflict")], [("value", 1)])


def test_a_comparison_sees_what_an_observer_of_the_op_before_it_did(manager, peer, counter):
    rev = manager.store.slot("w", "label").rev
    counter.observe(lambda change: setattr(counter, "label", "observer"), "value")
    # One slot twice: the ops run one by one.
    verdicts, _ = run(peer, peer.op("value", 1), peer.op("label", "page", if_rev=rev), peer.op("value", 2))
    assert verdicts == [(1, "conflict")]
    assert counter.label == "observer"


# Groups.


class Range(Counter):
    """`low` is never above `high`."""

    low = traitlets.Int(0).tag(sync=True)
    high = traitlets.Int(10).tag(sync=True)

    @traitlets.validate("low", "high")
    def _ordered(self, proposal):
        low = proposal.value if proposal.trait.name == "low" else self.low
        high = proposal.value if proposal.trait.name == "high" else self.high
        if low > high:
            raise traitlets.TraitError("crossed")
        return proposal.value


@pytest.fixture
def interval(manager, peer):
    interval = Range()
    manager.register("r", interval)
    peer.syncs()
    return interval


def test_sets_of_one_widget_are_taken_together(manager, peer, interval):
    assert run(peer, peer.op("low", 20, "r"), peer.op("high", 30, "r")) == ([], [("low", 20), ("high", 30)])
    assert (interval.low, interval.high) == (20, 30)


def test_a_group_that_is_refused_together_is_tried_one_by_one(manager, peer, interval):
    verdicts, told = run(peer, peer.op("low", 20, "r"), peer.op("label", "kept", "r"), peer.op("high", 5, "r"))
    assert (verdicts, dict(told)) == ([(0, "invalid_value")], {"label": "kept", "high": 5})
    assert (interval.low, interval.high) == (0, 5)


def test_verdicts_come_in_the_order_of_the_ops(manager, peer, interval):
    verdicts, _ = run(
        peer,
        peer.op("value", 13, "w"),
        peer.op("fixed", 1, "r"),
        peer.op("low", 50, "r"),
        peer.op("label", 3, "r"),
        peer.op("private", 3, "r"),
        {"op": "?"},
        peer.op("label", 3, "w"),
    )
    assert verdicts == [
        (0, "invalid_value"),
        (1, "read_only"),
        (2, "invalid_value"),
        (3, "invalid_value"),
        (4, "not_synced"),
        (5, "bad_message"),
        (6, "invalid_value"),
    ]


def test_observers_of_a_group_run_when_all_of_it_is_set_and_each_once(manager, peer, interval):
    seen = []
    interval.observe(lambda change: seen.append((change.name, interval.low, interval.high)), ["low", "high"])
    run(peer, peer.op("low", 3, "r"), peer.op("high", 8, "r"))
    assert seen == [("low", 3, 8), ("high", 3, 8)]


def test_no_page_ever_sees_half_of_a_group(manager, peer, interval):
    other, halves = Peer(manager), []

    def look(change):
        """As another thread would that drains in the middle."""
        halves.extend(dict(changes([sync])) for sync in other.syncs())

    interval.observe(look, ["low", "high", "label"])
    run(peer, peer.op("low", 20, "r"), peer.op("high", 30, "r"), peer.op("label", "x", "r"))
    assert halves == [{"low": 20, "high": 30, "label": "x"}]
    assert other.syncs() == []


def test_a_group_of_an_ipywidget_is_not_seen_by_halves_either(manager, peer):
    class Box(anywidget.AnyWidget):
        _esm = ""
        low = traitlets.Int(0).tag(sync=True)
        high = traitlets.Int(0).tag(sync=True)

    manager.register("b", box := Box())
    other, halves = Peer(manager), []
    box.observe(lambda change: halves.extend(dict(changes([sync])) for sync in other.syncs()), ["low", "high"])
    peer.syncs()
    assert run(peer, peer.op("low", 2, "b"), peer.op("high", 3, "b"))[0] == []
    assert halves == [{"low": 2, "high": 3}]


@pytest.mark.parametrize("failing", ["low", "high"])
def test_an_observer_that_raises_in_a_group_keeps_nothing_from_pages(manager, peer, interval, events, failing):
    interval.observe(lambda change: 1 / 0, failing)
    verdicts, told = run(peer, peer.op("low", 3, "r"), peer.op("high", 8, "r"))
    assert ([code for _, code in verdicts], dict(told)) == (["observer_failed"], {"low": 3, "high": 8})
    assert (interval.low, interval.high) == (3, 8)
    assert [type(event) for event in events] == [ObserverFailed]


def test_an_interrupt_in_a_group_comes_through_once_it_is_acknowledged(manager, peer, interval):
    def interrupt(change):
        raise KeyboardInterrupt

    interval.observe(interrupt, "low")
    peer.batch(peer.op("low", 3, "r"), peer.op("high", 8, "r"))
    with pytest.raises(KeyboardInterrupt):
        manager.apply_pending()
    [sync] = peer.syncs()
    assert (sync.ack, dict(changes([sync]))) == (1, {"low": 3, "high": 8})
    assert [one.code for one in sync.rejects] == ["observer_failed"]


def test_an_interrupt_before_a_group_is_set_changes_nothing_and_comes_through(manager, peer):
    def interrupt(value, obj):
        raise KeyboardInterrupt

    class Slow(Counter):
        value = traitlets.Int(0).tag(sync=True, from_json=interrupt)

    manager.register("s", slow := Slow())
    peer.syncs()
    peer.batch(peer.op("value", 3, "s"), peer.op("label", "x", "s"))
    with pytest.raises(KeyboardInterrupt):
        manager.apply_pending()
    assert (slow.value, slow.label) == (0, "")
    assert peer.syncs()[0].ack == 1


def test_a_value_of_the_wrong_type_does_not_let_the_rest_of_its_group_pass_for_done(manager, peer, interval):
    for ops in (
        (peer.op("low", 3, "r"), peer.op("high", True, "r")),
        (peer.op("high", True, "r"), peer.op("low", 4, "r")),
    ):
        verdicts, told = run(peer, *ops)
        wrong = next(index for index, op in enumerate(ops) if op["value"] is True)
        assert verdicts == [(wrong, "invalid_value")]
        assert told == [("low", ops[1 - wrong]["value"])]
    assert interval.high == 10


def test_a_validator_that_raises_what_is_no_trait_error_refuses_in_a_group_as_it_does_alone(manager, peer):
    class Strict(Counter):
        @traitlets.validate("value")
        def _check(self, proposal):
            if proposal.value > 5:
                raise ValueError("too much")
            return proposal.value

    manager.register("s", strict := Strict())
    peer.syncs()
    assert run(peer, peer.op("value", 9, "s")) == ([(0, "invalid_value")], [])
    assert run(peer, peer.op("value", 9, "s"), peer.op("label", "x", "s")) == ([(0, "invalid_value")], [("label", "x")])
    assert (strict.value, strict.label) == (0, "x")


def test_a_deserializer_that_raises_refuses_its_own_op_of_a_group(manager, peer):
    class Parsed(Counter):
        value = traitlets.Int(0).tag(sync=True, from_json=lambda value, obj: int(value))

    manager.register("p", parsed := Parsed())
    peer.syncs()
    verdicts, told = run(peer, peer.op("label", "x", "p"), peer.op("value", "four", "p"))
    assert (verdicts, told) == ([(1, "invalid_value")], [("label", "x")])
    assert parsed.value == 0


def test_a_property_that_a_batch_sets_twice_is_set_twice_in_order(peer, counter):
    seen = []
    counter.observe(lambda change: seen.append(change.new), "value")
    assert run(peer, peer.op("value", 1), peer.op("label", "x"), peer.op("value", 2))[0] == []
    assert seen == [1, 2]


def test_sets_of_two_widgets_and_messages_between_keep_their_order(manager, peer, counter):
    order = []
    manager.register("v", other := Counter())
    peer.syncs()
    for name, widget in (("w", counter), ("v", other)):
        widget.observe(lambda change, name=name: order.append((name, change.name)), ["value", "label"])
    counter._handle_custom_msg = lambda content, buffers: order.append(content)
    run(
        peer,
        peer.op("value", 1),
        peer.op("value", 1, "v"),
        peer.op("label", "a"),
        peer.message("m"),
        peer.op("value", 2),
        peer.op("label", "b"),
    )
    assert order == [("w", "value"), ("v", "value"), ("w", "label"), "m", ("w", "value"), ("w", "label")]


def test_a_write_inside_of_a_write_does_not_begin_the_next_batch(manager, peer, counter):
    order = []

    def pump(change):
        order.append(change.new)
        assert manager.apply_pending() == 0
        manager.update("w", "label", "inner")

    counter.observe(pump, "value")
    peer.batch(peer.op("value", 1))
    peer.batch(peer.op("value", 2))
    assert manager.apply_pending() == 2
    assert (order, counter.label) == ([1, 2], "inner")
    assert dict(changes(peer.syncs())) == {"value": 2, "label": "inner"}


def test_what_is_being_applied_is_known_while_it_is(manager, peer, counter):
    seen = []
    counter.observe(lambda change: seen.append((manager.applying, manager.asking.session_id)), "value")
    run(peer, peer.op("value", 1))
    run(peer, peer.op("value", 2), peer.op("label", "x"))
    assert seen == [("w", peer.welcome.session)] * 2
    assert (manager.applying, manager.asking) == (None, None)


def test_a_write_in_a_foreign_hold_is_committed_when_the_hold_ends(manager, peer, counter):
    with counter.hold_trait_notifications():
        counter.label = "held"
        verdicts, told = run(peer, peer.op("value", 3))
        assert verdicts == []
        assert told == [("value", 3)]
    assert dict(changes(peer.syncs())) == {"label": "held"}


def test_a_group_in_a_foreign_hold_is_written_one_by_one(manager, peer, interval):
    with interval.hold_trait_notifications():
        verdicts, told = run(peer, peer.op("low", 3, "r"), peer.op("fixed", 1, "r"), peer.op("high", 8, "r"))
    assert (verdicts, told) == ([(1, "read_only")], [("low", 3), ("high", 8)])


def test_an_interrupt_in_a_type_of_a_group_changes_nothing_and_comes_through(manager, peer):
    class Slow(traitlets.Int):
        def validate(self, obj, value):
            if value:
                raise KeyboardInterrupt
            return value

    class Sluggish(Counter):
        slow = Slow(0).tag(sync=True)

    manager.register("s", sluggish := Sluggish())
    peer.syncs()
    peer.batch(peer.op("slow", 3, "s"), peer.op("label", "x", "s"))
    with pytest.raises(KeyboardInterrupt):
        manager.apply_pending()
    assert (sluggish.slow, sluggish.label) == (0, "")
    assert [one.code for one in peer.syncs()[0].rejects] == ["internal"]


# Binary and odd numbers.


def test_binary_comes_as_the_widget_knows_it_and_odd_numbers_as_they_are(manager, peer, counter):
    value = encode({"raw": b"\x00\x01", "odd": [float("nan"), float("-inf")]})
    op = SetOp("w", peer.inst(), "data", msgspec.Raw(value.json))
    peer.raw(encode_frame(Batch(peer.seq_before_first + 1, [op]), [(("ops", 0, "value"), value)]))
    manager.apply_pending()
    assert isinstance(counter.data["raw"], memoryview)
    [(_, told)] = changes(peer.syncs())
    assert (told["raw"], repr(told["odd"])) == (b"\x00\x01", "[nan, -inf]")


# Messages.


class Asked(anywidget.AnyWidget):
    _esm = ""

    @command
    def double(self, msg, buffers):
        return msg * 2, [bytes(buffer)[::-1] for buffer in buffers]

    @command
    def fail(self, msg, buffers):
        raise ValueError("secret")


@pytest.fixture
def asked(manager, peer):
    asked = Asked()
    manager.register("q", asked)
    peer.syncs()
    return asked


def invoke(peer, name, msg=None):
    return peer.message({"kind": "anywidget-command", "name": name, "id": "1", "msg": msg}, "q")


def messages(syncs):
    return [one.content for sync in syncs for one in sync.msgs]


def test_a_message_reaches_the_handlers_with_its_buffers(manager, peer):
    heard = []

    class Listening(Counter):
        def _handle_custom_msg(self, content, buffers):
            heard.append((content, [bytes(buffer) for buffer in buffers], {type(buffer) for buffer in buffers}))

    manager.register("l", Listening())
    peer.syncs()
    frame = encode_frame(
        Batch(peer.seq_before_first + 1, [MsgOp("l", peer.inst("l"), {"a": 1}, [None])]),
        [(("ops", 0, "buffers", 0), EncodedValue(b"null", buffers=(((), b"abc"),)))],
    )
    peer.raw(frame)
    manager.apply_pending()
    assert heard == [({"a": 1}, [b"abc"], {memoryview})]


def test_a_widget_that_takes_no_messages_says_so(peer, counter, events, caplog):
    assert run(peer, peer.message("hi"))[0] == [(0, "handler_failed")]
    [event] = events
    assert (type(event), event.widget_id, type(event.error)) == (HandlerFailed, "w", NotImplementedError)
    assert "message handler of w failed" in caplog.text


@pytest.mark.threat(36)
def test_every_handler_of_an_ipywidget_runs_though_one_raises(manager, peer, asked, events):
    heard = []
    asked.on_msg(lambda widget, content, buffers: heard.append(("first", content)))
    asked.on_msg(lambda widget, content, buffers: 1 / 0)
    asked.on_msg(lambda widget, content, buffers: heard.append(("last", widget is asked)))
    assert run(peer, peer.message("hi", "q"), peer.op("layout", None, "q"))[0][0] == (0, "handler_failed")
    assert heard == [("first", "hi"), ("last", True)]
    assert [type(event.error) for event in events if isinstance(event, HandlerFailed)] == [ZeroDivisionError]


def test_a_class_with_a_handler_of_its_own_gets_the_message(manager, peer):
    heard = []

    class Own(anywidget.AnyWidget):
        _esm = ""

        def _handle_custom_msg(self, content, buffers):
            heard.append(content)

    manager.register("o", Own())
    peer.syncs()
    assert run(peer, peer.message([1], "o")) == ([], [])
    assert heard == [[1]]


def test_an_interrupt_in_a_handler_comes_through_once_the_batch_is_acknowledged(manager, peer, counter):
    def interrupt(content, buffers):
        raise KeyboardInterrupt(content)

    counter._handle_custom_msg = interrupt
    peer.batch(peer.message(1), peer.message(2), peer.op("value", 5))
    with pytest.raises(KeyboardInterrupt, match="1"):
        manager.apply_pending()
    [sync] = peer.syncs()
    assert (sync.ack, [one.code for one in sync.rejects]) == (1, ["handler_failed"] * 2)
    assert counter.value == 5


@pytest.mark.afm(64)
def test_the_answer_of_a_command_goes_to_the_page_that_asked_and_to_no_other(manager, peer, asked):
    other = Peer(manager)
    peer.batch(invoke(peer, "double", "ab"))
    manager.apply_pending()
    [sync] = peer.syncs()
    assert [one.content for one in sync.msgs] == [{"id": "1", "kind": "anywidget-command-response", "response": "abab"}]
    assert other.syncs() == []
    # What a widget says by itself is for all, also while a page's message is handled.
    asked.on_msg(lambda widget, content, buffers: widget.send({"news": 1}))
    peer.batch(invoke(peer, "double", "c"))
    manager.apply_pending()
    assert [one.get("response", "news") for one in messages(peer.syncs())] == ["cc", "news"]
    assert messages(other.syncs()) == [{"news": 1}]
    # And so is what looks like an answer and answers nobody.
    asked.send({"kind": "anywidget-command-response"})
    assert (len(messages(peer.syncs())), len(messages(other.syncs()))) == (1, 1)


def test_an_answer_from_a_task_that_the_command_began_goes_to_the_page_that_asked(manager, peer, asked):
    other, tasks = Peer(manager), []

    async def later(content):
        await asyncio.sleep(0)
        assert manager.applying == "q"
        asked.send({"id": content["id"], "kind": "anywidget-command-response", "response": "late"})

    async def kernel():
        asked.on_msg(lambda widget, content, buffers: tasks.append(asyncio.ensure_future(later(content))))
        peer.batch(peer.message({"kind": "mine", "id": "7"}, "q"))
        manager.apply_pending()
        assert manager.asking is None
        await asyncio.gather(*tasks)

    asyncio.run(kernel())
    assert [one["response"] for one in messages(peer.syncs())] == ["late"]
    assert other.syncs() == []


def test_a_message_without_a_json_form_is_skipped_and_said_so(manager, peer, asked, caplog):
    skipped = []
    manager.on("unserializable_value", skipped.append)
    asked.send({"x": object()})
    asked.send("fine")
    assert messages(peer.syncs()) == ["fine"]
    assert (skipped[0].widget_id, skipped[0].property) == ("q", "")


def test_a_page_in_base_mode_misses_messages_which_is_said(manager, peer, asked):
    dropped = []
    manager.on("message_dropped", dropped.append)
    asked.send("before")
    assert dropped == []
    manager.connect(TRUSTED)
    asked.send("after")
    assert len(dropped) == 1
    assert messages(peer.syncs()) == ["before", "after"]


def test_both_modes_write_the_same_widget_and_hear_of_each_other(manager, peer, counter):
    base = manager.connect(TRUSTED)
    update = {"type": "widget_update", "widget_id": "w", "property": "value", "value": 4}
    base.receive_frame(json.dumps(update), 0.0)
    manager.apply_pending()
    assert changes(peer.syncs()) == [("value", 4)]
    run(peer, peer.op("value", 5))
    pushed = [json.loads(frame) for frame in base.frames_to_send()]
    assert [one["value"] for one in pushed if one["type"] == "widget_update"] == [5]


def test_an_interrupt_in_the_core_itself_leaves_no_trace_in_the_thread(manager, peer, counter, monkeypatch):
    hosted = manager.store.hosted("w")
    monkeypatch.setattr(hosted, "write", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    peer.batch(peer.op("value", 1))
    with pytest.raises(KeyboardInterrupt):
        manager.apply_pending()
    monkeypatch.undo()
    assert manager.applying is None
    assert [one.code for sync in peer.syncs() for one in sync.rejects] == ["internal"]
    assert run(peer, peer.op("value", 2))[0] == []
    assert counter.value == 2


def test_a_widget_of_the_library_itself_is_written_too(manager):
    manager.register("s", slider := ipywidgets.IntSlider(max=10))
    peer = Peer(manager)
    verdicts, told = run(peer, peer.op("value", 50, "s"), peer.op("min", 2, "s"))
    assert (verdicts, dict(told)["value"], slider.value) == ([], 10, 10)


def test_a_manager_without_widgets_refuses_politely():
    manager = WidgetManager()
    peer = Peer(manager)
    op = {"op": "set", "widget_id": "w", "inst": 1, "property": "value", "value": 1}
    assert run(peer, op) == ([(0, "unknown_widget")], [])


def test_a_manager_that_lets_pages_see_only_refuses_writes_and_messages_by_its_policy(events):
    manager = WidgetManager(policy=WritePolicy(two_way=False, messages=False))
    for name in ("write_refused", "handler_failed"):
        manager.on(name, events.append)
    counter, asked = ipywidgets.IntSlider(), []
    counter.on_msg(lambda *message: asked.append(message))
    manager.register("w", counter)
    peer = Peer(manager)
    assert {tuple(one.writable) for sync in peer.first for one in sync.open} == {()}
    assert run(peer, peer.op("value", 5), peer.message({"a": 1})) == ([(0, "read_only"), (1, "read_only")], [])
    assert (counter.value, asked) == (0, [])
    assert [event.code for event in events] == ["read_only", "read_only"]
    manager.register("w", counter, policy=WritePolicy())
    assert run(peer, peer.op("value", 5))[0] == []

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from rdit_core import Limits
from rdit_core.client_queue import ClientQueue, Edit, Post
from rdit_core.encoding import encode

BIG = 10**9


def edit(name, value=0, group=0, widget_id="w"):
    return Edit(widget_id, 1, name, encode(value), group)


def post(text="m", *buffers):
    return Post("w", 1, encode(text), buffers)


def queue(**limits):
    return ClientQueue(Limits(**limits))


def spelled(ops):
    """Edits as name and value, messages as their text."""
    return [
        op.name + op.value.json.decode() if isinstance(op, Edit) else op.content.json.decode().strip('"') for op in ops
    ]


def filled(*ops, **limits):
    one = queue(**limits)
    for op in ops:
        one.post(op) if isinstance(op, Post) else one.put(op)
    return one


def test_a_later_value_takes_the_place_of_an_earlier_one_and_goes_to_the_end():
    one = queue()
    assert not one
    assert one.put(edit("a", 1))
    assert one.put(edit("b", 2))
    assert not one.put(edit("a", 3))
    assert one.put(edit("a", 4, widget_id="v"))
    assert one
    assert spelled(one) == ["b2", "a3", "a4"]


def test_edits_never_merge_across_a_message():
    one = filled(edit("a", 1), edit("a", 2), post("m"), edit("a", 3), edit("a", 4), post("n"), edit("a", 5))
    assert spelled(one) == ["a2", "m", "a4", "n", "a5"]
    assert spelled(one.take(BIG, 100)) == ["a2", "m", "a4", "n", "a5"]
    assert not one


@pytest.mark.parametrize(
    ("max_ops", "batches"),
    [
        (100, [["a1", "b1", "m", "c2", "d2", "e3"]]),
        (5, [["a1", "b1", "m", "c2", "d2"], ["e3"]]),
        (4, [["a1", "b1", "m"], ["c2", "d2", "e3"]]),
        (3, [["a1", "b1", "m"], ["c2", "d2", "e3"]]),
        (2, [["a1", "b1"], ["m"], ["c2", "d2"], ["e3"]]),
        (1, [["a1"], ["b1"], ["m"], ["c2"], ["d2"], ["e3"]]),
    ],
)
def test_a_batch_is_cut_between_groups_unless_one_group_alone_is_too_much(max_ops, batches):
    one = filled(edit("a", 1, 1), edit("b", 1, 1), post("m"), edit("c", 2, 2), edit("d", 2, 2), edit("e", 3, 3))
    assert [spelled(one.take(BIG, max_ops)) for _ in batches] == batches
    assert not one


def test_a_batch_holds_what_has_room_and_its_first_op_in_any_case():
    each = edit("a", "x" * 1000).size_bytes
    one = filled(*(edit(name, "x" * 1000, group) for group, name in enumerate("abc")), edit("huge", "x" * 5000, 9))
    assert len(one.take(2 * each, 100)) == 2
    assert len(one.take(each - 1, 100)) == 1
    assert [op.name for op in one.take(10, 100)] == ["huge"]


def test_what_goes_first_goes_before_everything_else():
    one = filled(edit("a", 1), post("m"))
    one.put_first([edit("b", 2), edit("c", 3)])
    assert spelled(one) == ["b2", "c3", "a1", "m"]
    empty = queue()
    empty.put_first([])
    assert not empty


def test_an_edit_of_a_slot_that_was_put_first_takes_its_place():
    one = filled(edit("b", 2))
    one.put_first([edit("a", 1)])
    assert not one.put(edit("a", 3))
    assert spelled(one) == ["b2", "a3"]


@pytest.mark.parametrize(
    ("limits", "texts", "dropped"),
    [
        ({"max_queued_messages": 2}, ["a", "b", "c", "d"], ["a", "b"]),
        ({"max_queued_message_bytes": 1000}, ["a" * 300, "b" * 300], ["a" * 300]),
        ({"max_queued_message_bytes": 1000}, ["a", "b", "c" * 2000], ["a", "b"]),
        ({"max_queued_message_bytes": 10}, ["one may always exceed it"], []),
    ],
)
def test_of_too_many_messages_the_oldest_are_given_back(limits, texts, dropped):
    one = queue(**limits)
    one.put(edit("before"))
    gone = [lost for text in texts for lost in one.post(post(text))]
    assert spelled(gone) == dropped
    assert spelled(one) == ["before0", *texts[len(dropped) :]]


def test_messages_that_were_taken_make_room():
    one = filled(post("a"), post("b"), max_queued_messages=2)
    one.take(BIG, 1)
    assert one.post(post("c")) == []
    one.clear()
    assert one.post(post("d")) == one.post(post("e")) == []


def test_the_bytes_of_a_messages_buffers_count():
    one = filled(post("a", bytes(600)), max_queued_message_bytes=1200)
    assert spelled(one.post(post("b", bytes(600)))) == ["a"]


def test_clearing_gives_everything_in_order():
    one = filled(edit("a"), post("m"), edit("b"))
    assert spelled(one.clear()) == ["a0", "m", "b0"]
    assert spelled(one) == []


class Model(RuleBasedStateMachine):
    """The queue against a plain list, which it must equal at any time."""

    def __init__(self):
        super().__init__()
        self.limits = Limits(max_queued_messages=3)
        self.queue = ClientQueue(self.limits)
        self.expected = []
        self.group = 0
        self.count = 0

    @rule(names=st.lists(st.sampled_from("abcdef"), min_size=1, max_size=5, unique=True))
    def save(self, names):
        self.group += 1
        for name in names:
            self.count += 1
            one = edit(name, self.count, self.group)
            start = max((at + 1 for at, op in enumerate(self.expected) if isinstance(op, Post)), default=0)
            same = [at for at in range(start, len(self.expected)) if self.expected[at].key == one.key]
            for at in same:
                del self.expected[at]
            self.expected.append(one)
            assert self.queue.put(one) is not bool(same)

    @rule(size=st.integers(0, 300))
    def post(self, size):
        one = post("x" * size)
        self.expected.append(one)
        lost = []
        while sum(isinstance(op, Post) for op in self.expected) > 3:
            at = next(at for at, op in enumerate(self.expected) if isinstance(op, Post))
            lost.append(self.expected.pop(at))
            # It is no barrier any more: of what stood on both sides of it the later stays.
            after = {op.key for op in itertools.takewhile(lambda op: isinstance(op, Edit), self.expected[at:])}
            lost += [op for op in self.expected[:at] if op.key in after]
            self.expected = [op for op in self.expected[:at] if op.key not in after] + self.expected[at:]
        assert self.queue.post(one) == lost

    @rule(max_ops=st.integers(1, 7), max_bytes=st.sampled_from([1, 700, 1100, BIG]))
    def take(self, max_ops, max_bytes):
        waiting = list(self.expected)
        taken = self.queue.take(max_bytes, max_ops)
        assert taken == self.expected[: len(taken)]
        del self.expected[: len(taken)]
        assert len(taken) <= max_ops
        assert bool(taken) is bool(waiting)
        assert len(taken) <= 1 or sum(op.size_bytes for op in taken) <= max_bytes
        if taken and self.expected and isinstance(taken[-1], Edit) and isinstance(self.expected[0], Edit):
            is_split = taken[-1].group == self.expected[0].group
            assert not is_split or {op.group for op in taken} == {taken[-1].group}, "more than that group was taken"
        if self.expected and max_bytes == BIG and len(taken) < max_ops:
            # No shorter than it must be: the next group would not have gone in whole.
            following = [op for op in self.expected if isinstance(op, Edit) and op.group == self.expected[0].group]
            assert isinstance(self.expected[0], Edit) and len(taken) + len(following) > max_ops

    @precondition(lambda self: self.expected)
    @rule()
    def clear(self):
        assert self.queue.clear() == self.expected
        self.expected = []

    @invariant()
    def equals(self):
        assert list(self.queue) == self.expected
        assert bool(self.queue) is bool(self.expected)

    @invariant()
    def is_bounded(self):
        assert sum(isinstance(op, Post) for op in self.expected) <= 3
        assert len(self.expected) <= 3 + 6 * 4


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=30, stateful_step_count=30)


def test_edits_between_messages_that_had_to_go_merge_so_that_time_offline_costs_nothing():
    one = queue(max_queued_messages=2)
    for value in range(100):
        one.put(edit("a", value))
        one.put(edit("b", value))
        one.post(post(str(value)))
    assert spelled(one) == ["a98", "b98", "98", "a99", "b99", "99"]


@given(
    st.lists(st.sampled_from("abc"), unique=True, min_size=1),
    st.lists(st.one_of(st.sampled_from("abc"), st.just("|")), max_size=8),
    st.lists(st.sampled_from("abc"), max_size=6),
)
def test_between_two_messages_a_slot_is_queued_at_most_once_whatever_went_first(first, before, after):
    one = queue()
    for name in before:
        one.post(post()) if name == "|" else one.put(edit(name))
    queued = {op.name for op in one if isinstance(op, Edit)}
    one.put_first([edit(name, 1) for name in first if name not in queued])
    for name in after:
        one.put(edit(name, 2))
    run = []
    for op in [*one, post()]:
        if isinstance(op, Post):
            assert len(set(run)) == len(run)
            run = []
        else:
            run.append(op.name)

from itertools import groupby, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdit_core import Limits
from rdit_core.encoding import encode
from rdit_core.outbox import _OVERHEAD_BYTES, Description, Moment, Outbox
from rdit_core.slots import Slot


class Slots:
    """A few slots, and the outbox of one who hears of them."""

    def __init__(self, **limits):
        self.values = dict.fromkeys("xyz", 0)
        self.rev = 0
        self.opens = {}
        self.lost = []
        self.box = Outbox(Limits(**limits), self.keep)

    def keep(self, keys):
        opens, self.opens = self.opens, {}
        return Moment({key: self.slot(key[1]) for key in keys}, opens, self.rev)

    def slot(self, name):
        return Slot(encode(self.values[name]), self.rev)

    def set(self, *, is_in_parts=False, **values):
        changes = [(("w", name), encode(self.values[name]), encode(value)) for name, value in values.items()]
        self.lost += [name for _, name in self.box.change(changes, is_in_parts=is_in_parts)]
        self.values.update(values)
        self.rev += 1

    def run(self, name, *values):
        for value in values:
            self.set(**{name: value})

    def tell(self):
        """All that is owed, as one dict of names for each update."""
        told = []
        while self.box.moments:
            told.append({name: slot.value for (_, name), slot in self.box.moments[0].slots.items()})
            self.box.moment_told()
        if self.box.dirty:
            told.append({name: self.slot(name).value for _, name in self.box.dirty})
        self.box.all_told()
        return [{name: eval(value.json.replace(b"null", b"None")) for name, value in one.items()} for one in told]


@pytest.fixture
def slots():
    return Slots()


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (range(1, 5001), [5000]),
        ([1, 0], [1, 0]),
        ([1, 2, 0], [0]),
        (["m1", None, "m2", None], ["m1", None, "m2", None]),
        (["m", None, "m", None], ["m", None, "m", None]),
        ([1, 0, 1, 0], [1, 0, 1, 0]),
        ([1, 0, 2, 3, 4], [1, 0, 4]),
        ([1, 0, 2, 3, 0], [1, 0, 0]),
        ([1, 2, None], [2, None]),
        ([*range(1, 100), *range(100), 0], [0]),
        ([None], [None]),
        ([None, 1, None], [1, None]),
        ([1, None, 2], [1, None, 2]),
    ],
)
def test_what_a_slot_comes_back_from_is_told_and_a_run_is_one_change(slots, values, told):
    slots.run("x", *values)
    assert slots.tell() == [{"x": value} for value in told]
    assert slots.tell() == []


def test_a_slot_that_was_told_meanwhile_does_not_come_back_but_goes_on(slots):
    slots.run("x", 1)
    assert slots.tell() == [{"x": 1}]
    slots.run("x", 0)
    assert slots.tell() == [{"x": 0}]


def test_a_moment_holds_all_that_is_dirty_and_what_changes_later_comes_later(slots):
    slots.run("y", 1, 2)
    slots.run("x", 5, 0)
    slots.run("y", 3, 4)
    assert slots.tell() == [{"y": 2, "x": 5}, {"x": 0, "y": 4}]


def test_slots_that_change_together_are_never_seen_apart(slots):
    slots.set(x=1, y=1)
    slots.set(y=2, x=0)
    assert slots.tell() == [{"x": 1, "y": 1}, {"y": 2, "x": 0}]
    slots.set(x=7, y=2)
    slots.set(x=0, y=0)
    assert slots.tell() == [{"x": 7, "y": 2}, {"x": 0, "y": 0}]


def test_a_slot_of_which_nobody_knows_what_was_told_has_nothing_to_come_back_to(slots):
    slots.box.mark(("w", "x"))
    slots.run("x", 1, 0, None)
    slots.box.mark(("w", "x"))
    assert slots.tell() == [{"x": None}]


@given(st.lists(st.sampled_from([0, 1, 2, "m", None]), max_size=40))
def test_what_is_told_was_held_in_that_order_and_no_message_is_swallowed(values):
    slots = Slots()
    held, messages = [0], []
    for value in values:
        if value != held[-1]:
            if value is None and len(held) > 1:
                messages.append(held[-1])
            slots.run("x", value)
            held.append(value)
    seen = [value for value, _ in groupby(one["x"] for one in slots.tell())]
    assert (seen or [0])[-1] == held[-1]
    in_order = iter(held)
    assert all(value in in_order for value in seen)
    for message, following in pairwise(seen):
        if following is None and messages and message == messages[0]:
            messages.pop(0)
    assert messages == []


def test_beyond_the_limit_the_oldest_moment_of_the_same_slot_is_merged_away_and_said():
    slots = Slots(max_moments=4)
    slots.run("y", 1, 0)
    slots.run("x", 1, 0, 2, 0, 3, 0)
    assert slots.lost == ["x", "x"]
    assert slots.tell() == [{"y": 1}, {"y": 0, "x": 2}, {"x": 0}, {"x": 3}, {"x": 0}]


def test_a_slot_that_is_new_to_a_full_queue_takes_the_place_of_the_oldest_and_loses_nothing_else():
    slots = Slots(max_moments=1)
    slots.opens = {"v": Description(1, "k", None, None, {"p": Slot(encode(7), 1)}, [], [])}
    slots.run("z", 5)
    slots.run("x", 1, 0)
    slots.run("y", 1, 0)
    assert slots.lost == ["x"]
    assert list(slots.box.moments[0].opens) == ["v"]
    assert slots.tell() == [{"z": 5, "x": 0, "y": 1}, {"y": 0}]


def test_the_bytes_of_moments_are_bounded_and_one_may_exceed_that():
    slots = Slots(max_moment_bytes=1000 + 3 * _OVERHEAD_BYTES)
    slots.run("x", "a" * 5000, 0)
    assert slots.lost == []
    slots.run("x", "b" * 400, 0)
    assert slots.lost == ["x"]
    slots.run("y", "c" * 400, 0)
    slots.run("y", "d" * 400, 0)
    assert slots.lost == ["x", "y"]
    told = slots.tell()
    assert told == [{"x": 0}, {"x": "b" * 400}, {"x": 0, "y": 0}, {"y": "d" * 400}, {"y": 0}]
    # What went is not counted any more.
    slots.run("y", "e" * 900, 0)
    assert slots.lost == ["x", "y"]


def test_a_million_changes_to_and_fro_cost_what_the_limit_allows():
    slots = Slots(max_moments=10)
    slots.run("x", *(index % 2 for index in range(1, 3001)))
    assert len(slots.box.moments) == 10
    assert slots.box._size_bytes == sum(moment.size_bytes for moment in slots.box.moments)
    assert slots.tell()[-1] == {"x": 0}
    assert slots.box._size_bytes == 0


# Parts: what was sent of an update, and does not count before its end.


def test_what_was_sent_in_a_part_can_still_be_come_back_from(slots):
    slots.run("x", 1)
    slots.run("y", 1)
    slots.box.in_parts["w", "x"] = slots.box.dirty.pop(("w", "x"))
    slots.set(x=0, is_in_parts=True)
    [moment] = slots.box.moments
    assert moment.is_begun
    assert list(moment.slots) == [("w", "y")]
    assert slots.tell() == [{"y": 1}, {"x": 0}]


def test_what_was_sent_in_a_part_and_changes_again_comes_with_a_later_one(slots):
    slots.run("x", 1)
    slots.run("y", 1)
    slots.box.in_parts["w", "x"] = slots.box.dirty.pop(("w", "x"))
    slots.set(x=2, is_in_parts=True)
    slots.set(y=2, is_in_parts=True)
    assert list(slots.box.dirty) == [("w", "x"), ("w", "y")]
    slots.set(x=None, is_in_parts=True)
    assert slots.tell() == [{"x": 2, "y": 2}, {"x": None}]


def test_a_moment_that_is_under_way_is_not_merged_away():
    slots = Slots(max_moments=1)
    slots.run("y", 1)
    slots.box.in_parts["w", "y"] = slots.box.dirty.pop(("w", "y"))
    slots.run("x", 1)
    slots.set(x=0, is_in_parts=True)
    slots.set(x=2, is_in_parts=True)
    assert len(slots.box.moments) == 2
    slots.set(x=0, is_in_parts=True)
    assert slots.lost == ["x"]
    assert slots.tell() == [{"x": 1}, {"x": 2}, {"x": 0}]


# Ends.


def test_of_a_widget_that_is_gone_nothing_is_told(slots):
    slots.opens = {"w": Description(1, "k", None, None, {}, [], [])}
    slots.run("x", 1, 0)
    slots.run("y", 1)
    assert slots.box.forget("v") is False
    assert slots.box.forget("w") is True
    assert slots.tell() == []
    assert slots.box._size_bytes == 0
    slots.run("x", 2, 0)
    slots.box.moments[0].is_begun = True
    assert slots.box.forget("w") is False
    assert slots.tell() == [{}]


def test_after_the_end_nothing_is_owed(slots):
    slots.run("x", 1, 0)
    slots.box.clear()
    assert slots.tell() == []
    slots.run("x", 1)
    assert slots.tell() == [{"x": 1}]

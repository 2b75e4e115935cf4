from rdit_core.slots import Revisions, Slot


def test_revisions_count_up_and_are_never_given_twice():
    revisions = Revisions()
    assert revisions.last == 0
    assert [revisions.next() for _ in range(3)] == [1, 2, 3]
    assert revisions.last == 3


def test_a_slot_is_a_value_and_the_revision_that_it_came_with():
    assert Slot(b"1", 4) == Slot(value=b"1", rev=4)

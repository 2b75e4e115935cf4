import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdit_harness import VirtualClock

instants = st.floats(0, 1e9)


def test_a_clock_starts_at_zero_and_moves_only_when_told_to():
    clock = VirtualClock()
    assert (clock.now_ns, clock.now_s) == (0, 0.0)
    clock.advance(0.25)
    clock.advance(0)
    assert (clock.now_ns, clock.now_s) == (250_000_000, 0.25)


def test_ten_tenths_are_one():
    clock = VirtualClock()
    for _ in range(10):
        clock.advance(0.1)
    assert clock.now_s == 1.0


def test_time_does_not_run_backwards():
    clock = VirtualClock()
    clock.advance(2)
    with pytest.raises(ValueError, match="not negative"):
        clock.advance(-1)
    clock.advance_to(1.0)
    assert clock.now_s == 2.0


@given(st.lists(instants, min_size=1))
def test_an_instant_that_was_advanced_to_is_there_to_the_nanosecond(steps):
    clock = VirtualClock()
    for instant in steps:
        clock.advance_to(instant)
        assert clock.now_s >= instant
    assert clock.now_s - max(steps) <= 1e-6


@given(instants, instants)
def test_a_deadline_that_was_computed_in_seconds_is_due_when_it_is_reached(received, delay):
    clock = VirtualClock()
    clock.advance_to(received)
    deadline = clock.now_s + delay
    clock.advance_to(deadline)
    assert not deadline > clock.now_s

"""Virtual time: a heap of what happens when, in integer nanoseconds.

Integers add up to the same instant on every machine. Two entries of one instant run in the order in which they were
made, so nothing depends on what a heap does with equal keys. An entry is a plain tuple and running one is a loop turn;
a simulator spends most of its time here, and anything cleverer would show.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from typing import Any, Final

MS: Final = 1_000_000
"""Nanoseconds of a millisecond."""
S: Final = 1_000_000_000
"""Nanoseconds of a second."""

Entry = tuple[int, int, Callable[[Any], None], Any]


class Agenda:
    """What is to happen, in order of instants."""

    __slots__ = ("_count", "heap", "now_ns", "now_s")

    def __init__(self) -> None:
        self.heap: list[Entry] = []
        self.now_ns = 0
        self.now_s = 0.0
        """The same instant in seconds, as the core wants it."""
        self._count = 0

    def at(self, instant_ns: int, call: Callable[[Any], None], argument: Any = None) -> None:
        """Call with one argument at an instant; one that is past means now, after what is due already."""
        self._count += 1
        heappush(self.heap, (instant_ns if instant_ns > self.now_ns else self.now_ns, self._count, call, argument))

    def after(self, delay_ns: int, call: Callable[[Any], None], argument: Any = None) -> None:
        """Call with one argument after a time."""
        self._count += 1
        heappush(self.heap, (self.now_ns + delay_ns, self._count, call, argument))

    def turns(self, end_ns: int) -> Iterator[None]:
        """Run what is due up to an instant, included. Yields after each entry."""
        heap = self.heap
        while heap and heap[0][0] <= end_ns:
            self.now_ns, _, call, argument = heappop(heap)
            self.now_s = self.now_ns / S
            call(argument)
            yield
        self.move_to(end_ns)

    def move_to(self, instant_ns: int) -> None:
        """Nothing more happens until this instant: it is now."""
        if instant_ns > self.now_ns:
            self.now_ns = instant_ns
            self.now_s = instant_ns / S


def instant_of(deadline_s: float) -> int:
    """The first nanosecond at which a deadline in seconds is due, however the division rounds."""
    instant = int(deadline_s * S)
    while instant / S < deadline_s:
        instant += 1
    return instant

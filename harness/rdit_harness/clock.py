"""Virtual time: an integer of nanoseconds that moves only when told to.

Integers, so that a run adds up to the same instant on every machine; virtual, so that waiting for 250 ms takes none.
"""

from __future__ import annotations

from typing import Final

NS_PER_S: Final = 1_000_000_000


class VirtualClock:
    """A clock for simulations."""

    def __init__(self) -> None:
        self.now_ns = 0

    @property
    def now_s(self) -> float:
        """The present instant in seconds, as the core wants it."""
        return self.now_ns / NS_PER_S

    def advance(self, seconds: float) -> None:
        """Move on by a time that is not negative."""
        if seconds < 0:
            raise ValueError(f"Expected a time that is not negative, got {seconds} s")
        self.now_ns += round(seconds * NS_PER_S)

    def advance_to(self, instant_s: float) -> None:
        """Move on to an instant; one that is past leaves the clock alone."""
        self.now_ns = max(self.now_ns, int(instant_s * NS_PER_S))
        while self.now_s < instant_s:  # A deadline must be due when the clock says that it is there.
            self.now_ns += 1

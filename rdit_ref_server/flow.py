"""How much is said of what pages report: a page may report without end, and each report is a line of a log."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

MAX_BURST: Final = 20
"""So many reports of errors in pages are said at once."""

PER_S: Final = 1.0
"""And so many a second from then on."""

LEFT_OUT: Final = "further errors of widgets in their pages are counted only (reports in /api/status)"
"""What is said instead of the first that is left out."""


class Flow:
    """Lets a burst through, and from then on so many a second. May be called from any thread.

    Args:
        burst: how many at once.
        per_s: how many a second.
        clock: seconds, monotonic.
    """

    def __init__(
        self, burst: int = MAX_BURST, per_s: float = PER_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.left_out = 0
        """How many were left out since the last one that was let through."""
        self._burst = burst
        self._per_s = per_s
        self._clock = clock
        self._lock = threading.Lock()
        self._room = float(burst)
        self._looked_s = clock()

    def take(self) -> bool:
        """Whether one more is let through."""
        with self._lock:
            now_s = self._clock()
            self._room = min(self._burst, self._room + (now_s - self._looked_s) * self._per_s)
            self._looked_s = now_s
            if self._room < 1:
                self.left_out += 1
                return False
            self._room -= 1
            self.left_out = 0
            return True

"""When a client of `rdit/1` dials again, and when it takes silence for an answer: backoff, silence, probes. All times
are seconds of the host's clock.

The browser's `timing.js` follows the same rules.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from .limits import Limits

_MAX_BACKOFF_DOUBLINGS: Final = 16


class ClientTiming:
    """The clocks of one page.

    Args:
        limits: the times.
        random: gives numbers in [0, 1).
    """

    def __init__(self, limits: Limits, random: Callable[[], float]) -> None:
        self.heard_s = 0.0
        """When the server was last heard."""
        self.retry_s = 0.0
        """When to dial again."""
        self._limits = limits
        self._random = random
        self._live_s: float | None = None
        self._probe_s: float | None = None
        self._probe_id = 0
        self._losses = 0
        self._is_hinted = False
        """Somebody said that the network is back while a dial was under way that may have begun without it."""

    def opened(self, now_s: float) -> None:
        """A transport is up. Whether the connection is any good is not known yet."""
        self.heard_s = now_s

    def became_live(self, now_s: float) -> None:
        """The first `sync` is applied."""
        self._is_hinted = False
        self._live_s = now_s

    def ended(self) -> None:
        """The transport is gone; nobody answers any more."""
        self._probe_s = None

    def lost(self, now_s: float) -> None:
        """A connection was lost, or a dial failed: wait, longer each time, unless one was stable meanwhile."""
        limits = self._limits
        if self._live_s is not None and now_s - self._live_s >= limits.stable_s:
            self._losses = 0
        self._live_s = None
        ceiling = min(limits.backoff_cap_s, limits.backoff_base_s * 2 ** min(self._losses, _MAX_BACKOFF_DOUBLINGS))
        self._losses += 1
        self.retry_s = now_s if self._is_hinted else now_s + self._random() * ceiling
        self._is_hinted = False

    def hint(self) -> None:
        """The network is back: if the dial that is under way fails, the next one follows at once."""
        self._is_hinted = True

    def probe(self, now_s: float) -> int | None:
        """Ask whether the peer is there. Gives the number of the question; None when one is under way."""
        if self._probe_s is not None:
            return None
        self._probe_id += 1
        self._probe_s = now_s
        return self._probe_id

    def answered(self, probe_id: int) -> None:
        """A question was answered."""
        # Nothing else answers a probe: what was under way when it was sent says nothing about now.
        if probe_id == self._probe_id:
            self._probe_s = None

    @property
    def silence_s(self) -> float:
        """When a connection on which nothing more is heard is given up."""
        deadline = self.heard_s + self._limits.silence_s
        return deadline if self._probe_s is None else min(deadline, self._probe_s + self._limits.probe_s)

"""How often a page asks a server that fails: what its backoff drew, and whether it kept to that (I10)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .tab import Tab


class Backoff:
    """The backoff of one load of a page, as the checkers know it."""

    __slots__ = ("_chance", "_live_s", "_losses", "_stream", "_tab", "was_hinted")

    def __init__(self, tab: Tab) -> None:
        self.was_hinted = False
        """Whether the browser said that there is a network again."""
        self._tab = tab
        self._stream = tab.world.network.stream(f"{tab.name}/{tab.load}").random
        self._chance: float | None = None
        self._live_s: float | None = None
        self._losses = 0

    def draw(self) -> float:
        """What the backoff draws, kept for `check`."""
        chance = self._chance = self._stream()
        recorder = self._tab.recorder
        if recorder is not None:
            recorder.chances.append(chance)
        return chance

    def went_live(self) -> None:
        """A connection is good, if it lasts."""
        self._live_s = self._tab.now_s

    def check(self) -> None:
        """I10: a server that fails is not asked more often than the backoff allows, until it was good for a while."""
        chance, self._chance = self._chance, None
        if chance is None:
            return  # It was waiting already.
        tab = self._tab
        client, now_s, limits = tab.client, tab.now_s, tab.world.client_limits
        if self._live_s is not None and now_s - self._live_s >= limits.stable_s:
            self._losses = 0
        self._live_s = None
        ceiling = min(limits.backoff_cap_s, limits.backoff_base_s * 2 ** min(self._losses, 16))
        self._losses += 1
        deadline = client.next_deadline()
        if client.state == "backoff" and deadline is not None and not self.was_hinted:
            is_waiting = len(client.models) > len(client.widgets)
            if deadline < now_s + chance * ceiling - 1e-6 and not is_waiting:
                tab.world.violate("I10", f"{tab.name} dials after {deadline - now_s:.3f} s, loss {self._losses}")
        self.was_hinted = False

"""Graves: which widgets closed, and when, so that a page that was away can be told. The oldest are forgotten."""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import Final


class Graves:
    """What closed, as far as it is remembered.

    Args:
        room: how many are remembered.
    """

    def __init__(self, room: int) -> None:
        self._room: Final = room
        self._closed: OrderedDict[tuple[str, int], int] = OrderedDict()
        """Widget id and inst to the revision at which they closed, in that order."""
        self._count: Counter[str] = Counter()
        """How many of them each id has."""
        self._forgotten_rev = 0
        """Closings up to this revision may be missing."""

    def __contains__(self, widget_id: object) -> bool:
        return widget_id in self._count

    def bury(self, widget_id: str, inst: int, rev: int) -> None:
        """Remember that an incarnation of an id closed at a revision."""
        self._closed[widget_id, inst] = rev
        self._count[widget_id] += 1
        if len(self._closed) > self._room:
            (oldest, _), self._forgotten_rev = self._closed.popitem(last=False)
            self._count[oldest] -= 1
            if not self._count[oldest]:
                del self._count[oldest]

    def since(self, rev: int) -> list[tuple[str, int]] | None:
        """Widget id and inst of what closed after a revision; None when that is not remembered."""
        if rev < self._forgotten_rev:
            return None
        closed: list[tuple[str, int]] = []
        for closed_one, closed_rev in reversed(self._closed.items()):
            if closed_rev <= rev:
                break
            closed.append(closed_one)
        return closed

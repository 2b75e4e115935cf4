"""Storms: pages that write one slot faster than any hand, or program that shows something, does.

Two tabs that answer each other, or two widgets whose modules do, never stop by themselves. What they write is right,
one by one; so all that can be said is that it is too much. Slots are counted one by one, over all pages, in periods of
`Limits.storm_s`: beyond `Limits.max_slot_writes` in one of them a write is refused before any user code runs, and the
host is told, once per period.

There is no clock here. A write has the time at which its frame came, as its adapter said.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

import msgspec

from .events import HostEvent, WriteStorm
from .hosted import HostedWidget
from .limits import Limits

_log = logging.getLogger("rdit")

TOO_OFTEN: Final = "it is written too often"
"""Why a write is refused in a storm."""


class _Period(msgspec.Struct):
    """The writes of one slot since a time."""

    since_s: float
    count: int


class Storms:
    """Counts the writes of slots.

    Args:
        limits: bounds.
        emit: tells the host.
    """

    def __init__(self, limits: Limits, emit: Callable[[HostEvent], None]) -> None:
        self._max, self._storm_s = limits.max_slot_writes, limits.storm_s
        self._emit = emit

    def refuses(self, hosted: HostedWidget, widget_id: str, name: str, now_s: float) -> bool:
        """Count a write of a property that there is. Returns whether it is one too many."""
        period = hosted.periods.get(name)
        if period is None or now_s - period.since_s >= self._storm_s:
            hosted.periods[name] = _Period(now_s, 1)
            return False
        period.count += 1
        if period.count <= self._max:
            return False
        if period.count == self._max + 1:
            _log.warning(
                "pages write %s.%s too often: more than %d times in %g s",
                widget_id,
                name,
                self._max,
                self._storm_s,
                extra={"event": "storm", "widget_id": widget_id, "property": name},
            )
            self._emit(WriteStorm(widget_id, name))
        return True

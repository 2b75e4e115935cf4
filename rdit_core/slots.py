"""A slot: one property of one widget, as the pages know it.

State is kept as last-value registers with revisions, never as a log: what a slow or absent page missed is the present
value of the slots that changed, so memory is O(state) whatever the rate of change. A slot holds *encoded bytes*, made
on the thread that set the value; sending only joins them, on any thread, without user code.

`Revisions` counts for a whole manager, so that "changed since" is one comparison for any slot of any widget.
"""

from __future__ import annotations

import msgspec

from .encoding import EncodedValue

SlotKey = tuple[str, str]
"""Widget id and property, as a peer names them."""


class Slot(msgspec.Struct):
    """The latest encoded value of a property, and the revision that it came with."""

    value: EncodedValue
    """Canonical for comparing; never changed, only replaced."""
    rev: int


class Revisions:
    """One counter per manager, +1 for every committed change; below 2**53 for JavaScript's sake."""

    def __init__(self) -> None:
        self.last = 0

    def next(self) -> int:
        """The revision of the change that is being committed. Call under the manager's lock."""
        self.last += 1
        return self.last

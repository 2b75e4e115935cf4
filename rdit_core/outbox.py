"""What a connection owes its peer of slots: those that are dirty, and the moments that must be told before them.

A dirty slot is a key, never a value: what goes out is what stands when it goes, so a stream of sets costs what the
state costs. Alone, that would lose one thing: a slot that is set and set back before anything went out is as if nothing
had been. Some widgets use a trait as a mailbox (`figure.message = text`, then `= None`), and in Jupyter each of the two
sets reaches the page.

**A pulse** is such a coming back: what stands was never told, and the slot, having changed once, is about to get the
very value that the peer was told of it last. Or null, after however many changes: so a mailbox is emptied that began as
something else (plotly's begin as `{}`). A run that comes round (`0, 1, ..., 99, 0, 1, ...`) is none, or a slow peer
would see every round of an animation. Then the present state of all that is dirty is kept as a *moment*, to be told as
it is, before all that comes later. A moment is no more than an update that is cut early. It holds everything that is
dirty and not the one slot, for what a mailbox says is often about other slots, and so each update that a peer gets is
still a state that there was.

What came back is dirty again, behind its moment. When it leaves again it is kept too: after `m1, None, m2, None` a peer
has been told four times, though both messages be one. From then on the slot is like any other, so `0, 1, 0, 2, 3, ...,
5000` tells `1, 0` and then what stands.

**Bounds.** Moments wait for a peer that reads slowly, up to `Limits.max_moments` and `Limits.max_moment_bytes`. Beyond,
the oldest one that the same slot made goes, or else the oldest of all: that pulse is merged away as any other change,
and whatever else the moment held moves on into the next one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from .encoding import EncodedValue
from .limits import Limits
from .slots import Slot, SlotKey

Change = tuple[SlotKey, EncodedValue | None, EncodedValue]
"""A slot that is about to change: its key, its present value if it has one, and the next one."""

_NULL: Final = EncodedValue(b"null")

_RUN: Final = EncodedValue(b"")
"""Stands for what a peer was told last of a slot that has gone on since; equal to no value."""

_OVERHEAD_BYTES: Final = 64
"""Counted for a slot beside its value."""


class Description(NamedTuple):
    """A widget as a page is told of it when it opens."""

    inst: int
    kind: str
    esm: str | None
    esm_url: str | None
    slots: dict[str, Slot]
    writable: list[str]
    if_unchanged: list[str]


@dataclass(slots=True, eq=False)
class Moment:
    """A state that is to be told as it was."""

    slots: dict[SlotKey, Slot]
    opens: dict[str, Description] = field(default_factory=dict)
    """Widgets that the peer had not been told of."""
    rev: int = 0
    """The last revision that was given then."""
    causes: frozenset[SlotKey] = frozenset()
    """The slots that would have been swallowed."""
    is_begun: bool = False
    """Whether a part of it was sent."""
    size_bytes: int = 0
    """About what it holds in memory and takes on the wire."""

    def __post_init__(self) -> None:
        self.measure()

    def measure(self) -> None:
        """Count anew what it holds."""
        self.size_bytes = _size_of(self.slots) + sum(_size_of(opened.slots) for opened in self.opens.values())


def _size_of(slots: Mapping[Any, Slot]) -> int:
    return sum(slot.value.size_bytes + _OVERHEAD_BYTES for slot in slots.values())


class Outbox:
    """The slots of one connection. All of it with the manager's lock held.

    Args:
        limits: bounds.
        keep: makes a moment of the present values of these slots, and of what else is owed.
    """

    def __init__(self, limits: Limits, keep: Callable[[Iterable[SlotKey]], Moment]) -> None:
        self.dirty: Final[dict[SlotKey, EncodedValue | None]] = {}
        """What is to be told as it stands, with what the peer was told of it last; None where nobody knows."""
        self.moments: Final[deque[Moment]] = deque()
        """What is to be told before."""
        self.in_parts: Final[dict[SlotKey, EncodedValue | None]] = {}
        """As `dirty`, of those that were sent in parts which the peer does not apply before the last one."""
        self._returned: set[SlotKey] = set()
        """Those of the dirty that came back to what the peer was told before the last moment."""
        self._limits = limits
        self._keep = keep
        self._size_bytes = 0

    def change(self, changes: Sequence[Change], *, is_in_parts: bool = False) -> Sequence[SlotKey]:
        """Slots are about to change, together. Call before they do.

        Args:
            changes: of different slots.
            is_in_parts: whether parts of what is owed were sent, and not the last one.

        Returns:
            Slots of which an earlier pulse had to be merged away for this one.
        """
        dirty = self.dirty
        lost: Sequence[SlotKey] = ()
        if dirty or self.in_parts:
            returning = [key for key, _, after in changes if self._is_return(key, after)]
            if returning or self._returned:
                causes = frozenset(key for key, _, _ in changes if key in returning or key in self._returned)
                if causes:
                    lost = self._freeze(causes, is_begun=is_in_parts and not self.moments)
                    self._returned.update(returning)
        for key, before, _ in changes:
            if key not in dirty and key not in self.in_parts:
                dirty[key] = before
                continue
            told = dirty.pop(key) if is_in_parts and key in dirty else dirty.get(key)
            if told is None:
                told = self.in_parts.get(key)
            dirty[key] = told and _RUN  # At the end, so that an update in parts gets on.
        return lost

    def change_one(self, key: SlotKey, before: EncodedValue, after: EncodedValue) -> Sequence[SlotKey]:
        """`change` of one slot, for the many that come one by one; not between parts."""
        dirty = self.dirty
        if key not in dirty:
            dirty[key] = before
        elif (told := dirty[key]) is not None or self._returned:
            if self._returned or told == after or after == _NULL:
                return self.change(((key, before, after),))
            dirty[key] = _RUN
        return ()

    def _is_return(self, key: SlotKey, after: EncodedValue) -> bool:
        told = self.dirty.get(key) or self.in_parts.get(key)
        return told is not None and (told == after or after == _NULL)

    def _freeze(self, causes: frozenset[SlotKey], *, is_begun: bool) -> Sequence[SlotKey]:
        moment = self._keep(self.dirty)
        moment.causes, moment.is_begun = causes, is_begun
        self.all_told()
        self.moments.append(moment)
        self._size_bytes += moment.size_bytes
        lost: list[SlotKey] = []
        while len(self.moments) > self._limits.max_moments or self._size_bytes > self._limits.max_moment_bytes:
            # What is under way must be ended, and the newest goes out whatever its size.
            old = range(self.moments[0].is_begun, len(self.moments) - 1)
            if not old:
                break
            lost.extend(self._merge(next((at for at in old if self.moments[at].causes & causes), old[0])))
        return lost

    def _merge(self, at: int) -> frozenset[SlotKey]:
        """Put a moment into the next one. Returns the slots that it was made for."""
        gone, into = self.moments[at], self.moments[at + 1]
        del self.moments[at]
        self._size_bytes -= gone.size_bytes + into.size_bytes
        into.slots = {**{key: slot for key, slot in gone.slots.items() if key not in gone.causes}, **into.slots}
        into.opens = {**gone.opens, **into.opens}
        into.measure()
        self._size_bytes += into.size_bytes
        return gone.causes

    def mark(self, key: SlotKey) -> None:
        """The present value of a slot is to be told, whatever the peer was told of it."""
        self.dirty.setdefault(key, None)

    def all_told(self) -> None:
        """Nothing is dirty any more."""
        self.dirty.clear()
        if self.in_parts or self._returned:
            self.in_parts.clear()
            self._returned.clear()

    def moment_told(self) -> None:
        """The first moment was sent, and all of it."""
        self._size_bytes -= self.moments.popleft().size_bytes

    def forget(self, widget_id: str) -> bool:
        """A widget is gone. Returns whether a moment would have told the peer that it opened."""
        for key in [key for key in self.dirty if key[0] == widget_id]:
            del self.dirty[key]
        was_news = False
        for moment in list(self.moments):
            was_news = moment.opens.pop(widget_id, None) is not None or was_news
            for key in [key for key in moment.slots if key[0] == widget_id]:
                del moment.slots[key]
            if not moment.slots and not moment.opens and not moment.is_begun:
                self.moments.remove(moment)
                self._size_bytes -= moment.size_bytes
        return was_news

    def clear(self) -> None:
        """Nothing is owed any more."""
        self.all_told()
        if self.moments:
            self.moments.clear()
            self._size_bytes = 0

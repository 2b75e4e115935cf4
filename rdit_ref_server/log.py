"""The execution events, in order, for as long as the server lives.

Ids grow by 1 per event over the whole life of the log, runs and resets included, so that "what came after n" has one
answer for a page that saw event n. A new run drops what earlier runs left: a `reset` event stands in their place.

The log is bounded. When it is full the oldest texts of `stdout` and `stderr` go first, then the oldest displays, errors
and widgets; a note in the stream says how much is gone. Statements and the end of the run stay.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

Kind = Literal["statement", "stream", "display", "update", "clear", "error", "widget", "done", "reset"]

KINDS: Final[tuple[Kind, ...]] = (
    "statement",
    "stream",
    "display",
    "update",
    "clear",
    "error",
    "widget",
    "done",
    "reset",
)

MAX_EVENTS: Final = 100_000
"""Kept in the log; beyond, the oldest output goes."""

MAX_BYTES: Final = 64 * 1024 * 1024
"""And their text."""

_OVERHEAD_BYTES: Final = 200
"""What an event costs besides its text, roughly."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened while user code ran."""

    id: int
    kind: Kind
    statement: int | None
    """1-based index of the top-level statement it belongs to; None for what belongs to the run as a whole."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """What else the kind has (README.md, "Events"): JSON-clean."""
    size_bytes: int = _OVERHEAD_BYTES
    dropped_characters: int = 0
    """Above 0 for a note that stands for output that is gone."""

    def as_dict(self) -> dict[str, Any]:
        """The event as it goes out."""
        return {"id": self.id, "kind": self.kind, "statement": self.statement, **self.fields}


class EventLog:
    """Where events are kept, and who hears of new ones. Every method may be called from any thread.

    Args:
        first_id: id of the first event. A host that may be restarted at the same address begins each log above what the
            one before can have reached, so that a page that comes back is not taken for a reader of this log.
        max_events: how many are kept.
        max_bytes: how much text they may hold.
    """

    def __init__(self, *, first_id: int = 1, max_events: int = MAX_EVENTS, max_bytes: int = MAX_BYTES) -> None:
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._room_events, self._room_bytes = max_events, max_bytes
        self._lock = threading.RLock()
        self._events: list[Event] = []
        self._size_bytes = 0
        self._first_id = first_id
        self._last_id = first_id - 1
        self._is_done = False
        self._is_closed = False
        self._listeners: list[Callable[[], None]] = []

    @property
    def last_id(self) -> int:
        """Id of the newest event; before the first, the one below the first."""
        return self._last_id

    @property
    def is_empty(self) -> bool:
        """Whether nothing was ever logged."""
        return self._last_id < self._first_id

    @property
    def is_closed(self) -> bool:
        """Whether nothing follows."""
        return self._is_closed

    @property
    def is_done(self) -> bool:
        """Whether the current run ended; also true for a log that is closed."""
        return self._is_done or self._is_closed

    def append(
        self,
        kind: Kind,
        statement: int | None,
        instead_of: tuple[int, Callable[[Event], bool]] | None = None,
        /,
        **fields: Any,
    ) -> Event:
        """Add an event and wake the listeners. `fields` belong to the log afterwards.

        Args:
            kind: of the event.
            statement: it belongs to.
            instead_of: an id, and what says of an event with a higher one whether it is forgotten.
            fields: what else the kind has.
        """
        with self._lock:
            if instead_of is not None:
                self._forget(*instead_of)
            self._last_id += 1
            event = Event(self._last_id, kind, statement, fields, _OVERHEAD_BYTES + _size_of(fields))
            self._events.append(event)
            self._size_bytes += event.size_bytes
            if kind == "done":
                self._is_done = True
            if len(self._events) > self._room_events or self._size_bytes > self._room_bytes:
                self._make_room()
        self._wake()
        return event

    def reopen(self) -> bool:
        """Expect another run: who reads goes on until that one is done. Gives whether the log was done."""
        with self._lock:
            was_done, self._is_done = self._is_done, False
            return was_done

    def begin_again(self, **fields: Any) -> Event:
        """Forget the run so far and start another: the log then holds one `reset` event, with these fields."""
        with self._lock:
            self._events.clear()
            self._size_bytes = 0
            self._is_done = False
            return self.append("reset", None, **fields)

    def wake(self) -> None:
        """Have readers look again."""
        self._wake()

    def close(self) -> None:
        """Let everybody who reads come to an end: nothing follows."""
        with self._lock:
            self._is_closed = True
        self._wake()

    def read(self, after: int) -> tuple[list[Event], bool]:
        """Give the events with ids above `after`, and whether the run ended with them.

        Stream events that follow each other in one statement come as one, under the id of the last. An `after` that
        this log never gave is another log's (the server was restarted): everything is given, behind a `reset` with
        id 0.
        """
        with self._lock:
            if after and not self._first_id <= after <= self._last_id:
                return [Event(0, "reset", None), *_merged(self._events)], self.is_done
            return _merged(self._events[self._place_after(after) :]), self.is_done

    def subscribe(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Have `listener` called after each event, on the thread that appended it; it must not block.

        Returns:
            What to call to hear no more.
        """
        with self._lock:
            self._listeners.append(listener)

        def unsubscribe() -> None:
            with self._lock:
                if listener in self._listeners:
                    self._listeners.remove(listener)

        return unsubscribe

    def _wake(self) -> None:
        with self._lock:
            listeners = tuple(self._listeners)
        for listener in listeners:
            listener()

    def _place_after(self, after: int) -> int:
        """Where the first event is whose id is higher."""
        low, high = 0, len(self._events)
        while low < high:
            middle = (low + high) // 2
            if self._events[middle].id <= after:
                low = middle + 1
            else:
                high = middle
        return low

    def _forget(self, after: int, is_gone: Callable[[Event], bool]) -> None:
        place = self._place_after(after)
        suspects = self._events[place:]
        self._events[place:] = [event for event in suspects if not is_gone(event)]
        if len(self._events) < place + len(suspects):
            self._size_bytes -= sum(event.size_bytes for event in suspects if is_gone(event))

    def _make_room(self) -> None:
        # Down to nine tenths at once, so that a full log is not searched again for every event.
        for kinds in (("stream",), ("stream", "display", "update", "error", "widget")):
            spare_events = len(self._events) - self._max_events * 9 // 10
            spare_bytes = self._size_bytes - self._max_bytes * 9 // 10
            if spare_events > 0 or spare_bytes > 0:
                self._drop(kinds, spare_events, spare_bytes)
        # Where even that did not help (a script of very many statements), do not search again for each event.
        self._room_events = max(self._max_events, len(self._events) * 11 // 10)
        self._room_bytes = max(self._max_bytes, self._size_bytes * 11 // 10)

    def _drop(self, kinds: tuple[str, ...], spare_events: int, spare_bytes: int) -> None:
        kept: list[Event | None] = []
        # Statement to the place of its note, which stands where the last of what is gone was.
        notes: dict[int | None, int] = {}
        # The newest event stays, whatever it is: somebody has just been told of it.
        for event in self._events[:-1]:
            is_spared = event.kind not in kinds or (spare_events <= 0 and spare_bytes <= 0)
            if is_spared and not event.dropped_characters:
                kept.append(event)
                continue
            gone = event.dropped_characters or event.size_bytes - _OVERHEAD_BYTES
            place = notes.get(event.statement)
            earlier = kept[place] if place is not None else None
            if place is not None and earlier is not None:
                gone += earlier.dropped_characters
                kept[place] = None
                spare_events -= 1
                spare_bytes -= earlier.size_bytes
            note = _note(event, gone)
            spare_bytes -= event.size_bytes - note.size_bytes
            notes[event.statement] = len(kept)
            kept.append(note)
        self._events = [*(event for event in kept if event is not None), self._events[-1]]
        self._size_bytes = sum(event.size_bytes for event in self._events)


def _note(event: Event, gone: int) -> Event:
    text = f"[rdit: about {gone} characters of earlier output are no longer kept]\n"
    return Event(event.id, "stream", event.statement, {"name": "stderr", "text": text}, dropped_characters=max(gone, 1))


def _merged(events: list[Event]) -> list[Event]:
    merged: list[Event] = []
    texts: list[str] = []

    def finish() -> None:
        if len(texts) > 1:
            text = "".join(texts)
            fields = {**merged[-1].fields, "text": text}
            merged[-1] = replace(merged[-1], fields=fields, size_bytes=_OVERHEAD_BYTES + len(text))
        texts.clear()

    for event in events:
        last = merged[-1] if merged else None
        if (
            last is not None
            and event.kind == last.kind == "stream"
            and (event.statement, event.fields["name"]) == (last.statement, last.fields["name"])
        ):
            merged[-1] = replace(last, id=event.id)
        else:
            finish()
            merged.append(event)
        if event.kind == "stream":
            texts.append(event.fields["text"])
    finish()
    return merged


def _size_of(value: Any) -> int:
    """About how many bytes a JSON-clean value takes."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(_size_of(key) + _size_of(item) for key, item in value.items())
    if isinstance(value, list):
        return sum(map(_size_of, value))
    return 8

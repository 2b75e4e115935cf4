"""Whose output is it?

Every event belongs to a top-level statement. While an update is applied, and in tasks that were started then
(`manager.applying`), it is the statement that shows the widget. In a thread it is the statement that started it; when
that was in an earlier run there is none any more, and what it prints is later output. At any other time it is the
current statement, or the last one.

A widget that no statement shows belongs to the one that made it, after which it is also named.
"""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Callable
from typing import Final

_CLOSED_KEPT: Final = 20
"""Of so many closed widgets it is still known which statement they belong to; ids do not come again in a run."""


class Owners:
    """Statements, and the widgets that belong to them. Every method may be called from any thread."""

    def __init__(self, applying: Callable[[], str | None]) -> None:
        """Make one; there is no current statement yet.

        Args:
            applying: gives the widget on whose behalf the calling thread works.
        """
        self.statement: int | None = None
        """The current statement, or the last one; None before the first."""
        self._applying = applying
        self._lock = threading.RLock()
        self._run = 0
        self._started_in: weakref.WeakKeyDictionary[threading.Thread, tuple[int, int | None]] = (
            weakref.WeakKeyDictionary()
        )
        """The run and the statement that started a thread."""
        self._ordinals: dict[int, int] = {}
        self._opened_in: dict[str, int | None] = {}
        self._shown_in: dict[str, int | None] = {}
        self._closed_lately: deque[str] = deque()

    def here(self) -> int | None:
        """The statement on whose behalf the calling thread works."""
        widget_id = self._applying()
        if widget_id is not None:
            return self.of_widget(widget_id)
        started_in = self._started_in.get(threading.current_thread())
        if started_in is None:
            return self.statement
        run, statement = started_in
        return statement if run == self._run else None

    def thread_starts(self, thread: threading.Thread) -> None:
        """The calling thread starts another, which belongs to the same statement."""
        parent = self._started_in.get(threading.current_thread())
        run = self._run if parent is None else parent[0]
        self._started_in[thread] = (run, self.here())

    def of_widget(self, widget_id: str) -> int | None:
        """The statement that a widget belongs to."""
        with self._lock:
            opened = self._opened_in.get(widget_id, self.statement)
            return self._shown_in.get(widget_id, opened)

    def next_widget_id(self) -> str:
        """Name a widget `<statement>.<ordinal>`, so that the same script gives the same widgets the same ids."""
        owner = self.here()
        with self._lock:
            statement = owner or 0
            ordinal = self._ordinals.get(statement, 0)
            self._ordinals[statement] = ordinal + 1
            widget_id = f"{statement}.{ordinal}"
            self._opened_in[widget_id] = owner
            return widget_id

    def show(self, widget_id: str, statement: int | None) -> None:
        """A statement shows a widget. The first that does is the one that it belongs to."""
        with self._lock:
            self._shown_in.setdefault(widget_id, statement)

    def close(self, widget_id: str) -> str | None:
        """A widget was closed. Gives the one that is forgotten in its turn, if any."""
        # Not at once: a handler that closes its own widget may print, and start tasks, after that.
        with self._lock:
            self._closed_lately.append(widget_id)
            if len(self._closed_lately) <= _CLOSED_KEPT:
                return None
            forgotten = self._closed_lately.popleft()
            self._opened_in.pop(forgotten, None)
            self._shown_in.pop(forgotten, None)
            return forgotten

    def clear(self) -> None:
        """Forget a run: its statements and its widgets."""
        with self._lock:
            self._run += 1
            self.statement = None
            self._ordinals.clear()
            self._opened_in.clear()
            self._shown_in.clear()
            self._closed_lately.clear()

"""What is said of trouble that is no exception of the user's code: a value that JSON does not have, a message that
does not reach pages, widget code that fails in its page.

What the author of the script can change is said on `stderr`, so that it stands in the page too, at its statement. What
the page itself shows already is said to the terminal alone.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable

from rdit_core import WidgetManager
from rdit_core.events import (
    ChangesSwallowed,
    FrontEndFailed,
    LinkUnsettled,
    MessageDropped,
    ValueRounded,
    ValueSkipped,
)

from .flow import LEFT_OUT, Flow
from .streams import write_to_terminal


class Notices:
    """Says what the manager tells. Of messages that are dropped it is said once for each widget, and of errors in pages
    no more than a `Flow` lets through.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._told_of_messages: set[str] = set()
        self._flow = Flow()

    def listen(self, manager: WidgetManager) -> list[Callable[[], None]]:
        """Hear from a manager. Gives what to call to hear no more."""
        return [
            manager.on("front_end_failed", lambda event: self._on_front_end_failed(event, manager)),
            manager.on("unserializable_value", self._on_value_skipped),
            manager.on("value_rounded", self._on_value_rounded),
            manager.on("message_dropped", self._on_message_dropped),
            manager.on("changes_swallowed", self._on_changes_swallowed),
            manager.on("link_unsettled", self._on_link_unsettled),
        ]

    def forget(self, widget_id: str) -> None:
        """A widget is gone for good."""
        with self._lock:
            self._told_of_messages.discard(widget_id)

    def clear(self) -> None:
        """All widgets are gone."""
        with self._lock:
            self._told_of_messages.clear()

    def _on_front_end_failed(self, event: FrontEndFailed, manager: WidgetManager) -> None:
        """The page shows the error itself; this is for whoever watches the terminal. It may come on any thread."""
        if not self._flow.take():
            if self._flow.left_out == 1:
                write_to_terminal(f"rdit: {LEFT_OUT}\n")
            return
        said = f"({event.stage[:50]}): {event.message[:1000]}"
        # A terminal obeys what it is sent, and a page may send anything.
        text = "".join(letter if letter.isprintable() else " " for letter in said)
        widget = manager.widgets.get(event.widget_id)
        kind = "widget" if widget is None else type(widget).__name__
        write_to_terminal(f"rdit: {kind} {event.widget_id} failed in its page {text}\n")

    def _on_value_rounded(self, event: ValueRounded) -> None:
        sys.stderr.write(
            f"rdit: property {event.property!r} of widget {event.widget_id} is beyond 2**53 - 1: JavaScript rounds it\n"
        )

    def _on_value_skipped(self, event: ValueSkipped) -> None:
        sys.stderr.write(
            f"rdit: property {event.property!r} of widget {event.widget_id} has a value without a JSON form "
            f"({event.reason}); pages keep the one before\n"
        )

    def _on_changes_swallowed(self, event: ChangesSwallowed) -> None:
        sys.stderr.write(
            f"rdit: property {event.property!r} of widget {event.widget_id} is set and set back faster than a page "
            "reads, which misses some of it\n"
        )

    def _on_link_unsettled(self, event: LinkUnsettled) -> None:
        ends = ", ".join(event.ends)
        if event.reason == "never_settles":
            text = f"links of {ends} never settle: each change leads to another; they were stopped"
        elif event.reason == "pages_answer":
            text = f"pages answer each other's changes of linked properties, without end: {ends}"
        else:
            text = f"linked properties {ends} do not agree on a value: each keeps its own"
        # Python warns too, at the statement, but of each place once only.
        write_to_terminal(f"rdit: {text} (widget {event.widget_id})\n")

    def _on_message_dropped(self, event: MessageDropped) -> None:
        with self._lock:
            is_news = event.widget_id not in self._told_of_messages
            self._told_of_messages.add(event.widget_id)
        if is_news:
            sys.stderr.write(
                f"rdit: widget {event.widget_id} sends custom messages, which do not reach pages in base mode\n"
            )

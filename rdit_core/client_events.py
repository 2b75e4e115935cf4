"""What a client of `rdit/1` tells its host, after the fact: frozen records in one closed union, `SessionEvent`, and the
list of those that were not fetched yet.

**Nothing is lost silently.** What could not be kept is an event, with the code that says why.
"""

from __future__ import annotations

from dataclasses import dataclass

from .base_client import EditRefused, OutputReceived
from .client_queue import Edit, Post


@dataclass(frozen=True, slots=True)
class MessageLost:
    """A custom message of this page will not be handled, or may not have been (`delivery_unknown`)."""

    code: str
    message: str
    widget_id: str


@dataclass(frozen=True, slots=True)
class MessagesMissed:
    """So many custom messages of Python's will never come."""

    count: int


@dataclass(frozen=True, slots=True)
class SessionExpired:
    """The server had forgotten this page: custom messages that it sent meanwhile may be missing."""


@dataclass(frozen=True, slots=True)
class Restarted:
    """Another server answered. Of the edits that the old one had not confirmed, so many were repeated, so many given
    up, and so many wait for their widgets to come back.
    """

    reapplied: int
    dropped: int
    waiting: int


@dataclass(frozen=True, slots=True)
class FrameIgnored:
    """The server sent what is no message."""

    code: str


@dataclass(frozen=True, slots=True)
class ServerFailed:
    """The server said that something is wrong."""

    code: str
    message: str
    fatal: bool


SessionEvent = (
    EditRefused
    | MessageLost
    | MessagesMissed
    | SessionExpired
    | Restarted
    | FrameIgnored
    | ServerFailed
    | OutputReceived
)
"""What a client tells its host, in order."""


class ClientEvents:
    """What there is to tell, in order. The browser's `events.js` follows the same rules."""

    def __init__(self) -> None:
        self._events: list[SessionEvent] = []

    def tell(self, event: SessionEvent) -> None:
        """Keep one until it is fetched."""
        self._events.append(event)

    def take(self) -> list[SessionEvent]:
        """Everything since the last call."""
        if not self._events:
            return []
        events, self._events = self._events, []
        return events

    def edit_lost(self, edit: Edit, code: str, text: str) -> None:
        """An edit did not reach Python."""
        self._events.append(EditRefused(code, text, edit.widget_id, edit.name))

    def message_lost(self, post: Post, code: str, text: str) -> None:
        """A message did not reach its handler, or made it fail."""
        self._events.append(MessageLost(code, text, post.widget_id))
        if post.on_lost is not None:
            post.on_lost(code, text)

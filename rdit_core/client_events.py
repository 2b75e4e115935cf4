"""What a client of `rdit/1` tells its host, after the fact: frozen records in one closed union, `SessionEvent`."""

from __future__ import annotations

from dataclasses import dataclass

from .base_client import EditRefused, OutputReceived


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

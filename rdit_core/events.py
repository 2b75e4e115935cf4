"""What the core tells its host, after the fact.

Frozen records in two closed unions: `HostEvent` for `WidgetManager.on`, `ConnectionEvent` for
`BaseServerConnection.events_received`.
"""

from __future__ import annotations

from dataclasses import dataclass

from .errors import FrameCode, UpdateCode


@dataclass(frozen=True, slots=True)
class Connected:
    """A peer has a connection."""

    connection_id: int
    user: str


@dataclass(frozen=True, slots=True)
class Disconnected:
    """A connection ended."""

    connection_id: int
    user: str


@dataclass(frozen=True, slots=True)
class WidgetOpened:
    """A widget is hosted under this id."""

    widget_id: str


@dataclass(frozen=True, slots=True)
class WidgetClosed:
    """A widget is no longer hosted under this id."""

    widget_id: str


@dataclass(frozen=True, slots=True)
class WriteWasRefused:
    """A page's write did not happen."""

    connection_id: int
    widget_id: str
    property: str
    code: UpdateCode


@dataclass(frozen=True, slots=True)
class ObserverFailed:
    """The trait took the page's value; an observer in Python raised. `error` has its traceback."""

    widget_id: str
    property: str
    error: BaseException


@dataclass(frozen=True, slots=True)
class ValueSkipped:
    """Python set a value that has no JSON form: pages keep the one before."""

    widget_id: str
    property: str
    reason: str


@dataclass(frozen=True, slots=True)
class MessageDropped:
    """Python sent a custom message while pages are connected in base mode, which carries none."""

    widget_id: str


HostEvent = (
    Connected
    | Disconnected
    | WidgetOpened
    | WidgetClosed
    | WriteWasRefused
    | ObserverFailed
    | ValueSkipped
    | MessageDropped
)

EVENT_NAMES = {
    Connected: "connected",
    Disconnected: "disconnected",
    WidgetOpened: "opened",
    WidgetClosed: "closed",
    WriteWasRefused: "write_refused",
    ObserverFailed: "observer_failed",
    ValueSkipped: "unserializable_value",
    MessageDropped: "message_dropped",
}
"""The name under which `WidgetManager.on` announces each event; `pending` comes besides, without a record."""


@dataclass(frozen=True, slots=True)
class UpdateReceived:
    """A well-formed `widget_update` arrived and waits for `apply_pending`."""

    widget_id: str
    property: str


@dataclass(frozen=True, slots=True)
class FrameRefused:
    """A frame was no message. The peer gets an `error` with the code; nothing changed."""

    code: FrameCode


ConnectionEvent = UpdateReceived | FrameRefused

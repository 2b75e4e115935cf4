"""What the core tells its host, after the fact.

Frozen records in two closed unions: `HostEvent` for `WidgetManager.on`, `ConnectionEvent` for
`BaseServerConnection.events_received`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from .errors import FrameCode, UpdateCode


@dataclass(frozen=True, slots=True)
class Connected:
    """A peer has a connection."""

    connection_id: int
    user: str
    session_id: str | None = None
    """In `rdit/1`. It opens nothing without the session's secret."""
    came_back: bool = False
    """Whether the peer named a session: it had a connection before, here or with a server before this one."""
    resumed: bool = False
    """Whether that session was there still."""


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
    """A page's write did not happen. Without a connection: it had gone before the write's turn came."""

    connection_id: int | None
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
class ValueRounded:
    """Python set an integer beyond 2**53 - 1, which a page in JavaScript rounds. Told once per trait."""

    widget_id: str
    property: str


@dataclass(frozen=True, slots=True)
class ChangesSwallowed:
    """Python sets a property and sets it back, over and over, faster than some page reads: that page misses the oldest
    of these changes. Told once per trait.
    """

    widget_id: str
    property: str


@dataclass(frozen=True, slots=True)
class LinkUnsettled:
    """Links that never come to rest (and were stopped); two traits whose validators leave them no common value (and
    keep each their own); two ends that pages have changed in turn for so long that they must be answering each other
    (nothing is stopped). Python warns of the same (`LinkWarning`).
    """

    widget_id: str
    """The first of them that is hosted here."""
    property: str
    ends: tuple[str, ...]
    """All of them: class and trait."""
    reason: Literal["never_settles", "divergent", "pages_answer"]


@dataclass(frozen=True, slots=True)
class WriteStorm:
    """Pages write a property more often than `Limits.max_slot_writes`: what comes beyond is refused. Told once per
    `Limits.storm_s`.
    """

    widget_id: str
    property: str


@dataclass(frozen=True, slots=True)
class WriteRecursed:
    """A page's write set off validators or observers that call each other without end, such as those of linked traits
    that do not agree; Python ended that. The write has its verdict, and pages have what the traits hold then.
    """

    widget_id: str
    property: str
    error: BaseException
    changed: tuple[tuple[str, str], ...]
    """Widget id and property of what had changed by then and been told nobody."""


@dataclass(frozen=True, slots=True)
class HandlerFailed:
    """A handler of a page's custom message raised. `error` has its traceback."""

    widget_id: str
    error: BaseException


@dataclass(frozen=True, slots=True)
class FrontEndFailed:
    """An error in a widget's JavaScript, as its page reported it. Written by the page: text, not to be trusted."""

    connection_id: int
    widget_id: str
    stage: str
    message: str
    stack: str


@dataclass(frozen=True, slots=True)
class MessageDropped:
    """Python sent a custom message while pages are connected in base mode, which carries none."""

    widget_id: str


@dataclass(frozen=True, slots=True)
class OutputDropped:
    """A peer that does not read lost the oldest of the execution events that wait for it."""

    connection_id: int


HostEvent = (
    Connected
    | Disconnected
    | WidgetOpened
    | WidgetClosed
    | WriteWasRefused
    | ObserverFailed
    | WriteStorm
    | WriteRecursed
    | HandlerFailed
    | FrontEndFailed
    | ValueRounded
    | ValueSkipped
    | ChangesSwallowed
    | LinkUnsettled
    | MessageDropped
    | OutputDropped
)

EVENT_NAMES = {
    Connected: "connected",
    Disconnected: "disconnected",
    WidgetOpened: "opened",
    WidgetClosed: "closed",
    WriteWasRefused: "write_refused",
    ObserverFailed: "observer_failed",
    WriteStorm: "storm",
    WriteRecursed: "recursion",
    HandlerFailed: "handler_failed",
    FrontEndFailed: "front_end_failed",
    ValueRounded: "value_rounded",
    ValueSkipped: "unserializable_value",
    ChangesSwallowed: "changes_swallowed",
    LinkUnsettled: "link_unsettled",
    MessageDropped: "message_dropped",
    OutputDropped: "output_dropped",
}
"""The name under which `WidgetManager.on` announces each event; `pending` comes besides, without a record."""


class UpdateReceived(NamedTuple):
    """A well-formed `widget_update` arrived and waits for `apply_pending`."""

    widget_id: str
    property: str


@dataclass(frozen=True, slots=True)
class FrameRefused:
    """A frame was no message. The peer gets an `error` with the code; nothing changed."""

    code: FrameCode


class BatchReceived(NamedTuple):
    """A batch arrived for the first time and waits for `apply_pending`."""

    seq: int
    ops: int
    """How many."""


@dataclass(frozen=True, slots=True)
class Reported:
    """An error in a widget's JavaScript was reported."""

    widget_id: str
    stage: str


ConnectionEvent = UpdateReceived | BatchReceived | Reported | FrameRefused

"""The vocabulary of the wire, as typed records. Field names are spelled as the wire spells them.

Two modes share it (PROTOCOL.md). Base mode is three messages and a push in the same shape. `rdit/1` has its own, below.
Decoding lives in `frames`; numbers that a peer sends are 0 to 2**53 - 1, ids are checked there and nowhere else.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec

WIDGET_ID_PATTERN: Final = r"\A[A-Za-z0-9_.:-]{1,128}\Z"
MAX_PROPERTY_LENGTH: Final = 1024
"""Of a property's name."""
MAX_COUNT: Final = 2**53 - 1

WidgetId = Annotated[str, msgspec.Meta(pattern=WIDGET_ID_PATTERN)]
Property = Annotated[str, msgspec.Meta(max_length=MAX_PROPERTY_LENGTH)]
Count = Annotated[int, msgspec.Meta(ge=0, le=MAX_COUNT)]
"""A counter: JavaScript must hold it exactly."""

# Both modes.


class Error(msgspec.Struct, frozen=True, tag="error", omit_defaults=True):
    """Server to client: a frame or an update failed. First clients read `message` alone; `code` is the stable part."""

    message: str
    code: str = msgspec.field(default_factory=lambda: "internal")
    """Always on the wire. The default is for servers of the first design, which send none."""
    widget_id: str | None = None
    property: str | None = None
    fatal: bool = False
    """`rdit/1`: the connection is closed behind it."""
    seq: int | None = None
    op: int | None = None


class Output(msgspec.Struct, frozen=True, tag="output"):
    """Server to client, on request: an execution event `n` of the host (its own schema), after the script ended."""

    n: int
    event: Any


# Base mode.


class WidgetUpdate(msgspec.Struct, frozen=True, tag="widget_update"):
    """Both ways: this property has (or shall have) this value."""

    widget_id: str
    property: str
    value: Any
    """JSON value; binary parts already turned into `bytes`. Owned by the receiver of the record."""


class Ack(msgspec.Struct, frozen=True, tag="ack"):
    """Server to client: the trait took a value, perhaps another than the one sent (a validator may clamp)."""

    widget_id: str
    property: str


BaseClientMessage = WidgetUpdate
"""What a client may send in base mode."""

BaseServerMessage = WidgetUpdate | Ack | Error | Output
"""What a server may send in base mode."""

# rdit/1, client to server.


class Resume(msgspec.Struct, frozen=True):
    """What a page knows of its session when it comes back."""

    epoch: str
    session: str
    secret: str
    rev: Count
    """Of the last `sync` that was applied."""


class Hello(msgspec.Struct, frozen=True, tag="hello", omit_defaults=True):
    """The first frame of a connection."""

    subscribe: Literal["*"] | list[WidgetId] = "*"
    auth: Any = None
    resume: Resume | None = None


class SetOp(msgspec.Struct, frozen=True, tag_field="op", tag="set", omit_defaults=True):
    """This property shall have this value."""

    widget_id: WidgetId
    inst: Count
    property: Property
    value: Any
    """As in `WidgetUpdate`."""
    if_rev: Count | None = None
    """Only if the slot still has this revision."""


class MsgOp(msgspec.Struct, frozen=True, tag_field="op", tag="msg", omit_defaults=True):
    """A custom message."""

    widget_id: WidgetId
    inst: Count
    content: Any = None
    buffers: list[Any] = []
    """`bytes`, each a part of the frame."""


class BadOp(msgspec.Struct, frozen=True, tag_field="op", tag="bad"):
    """An op that failed the schema, in a batch that could be read. Made by the decoder; never on the wire."""

    code: str
    message: str


Op = SetOp | MsgOp | BadOp


class Batch(msgspec.Struct, frozen=True, tag="batch", omit_defaults=True):
    """Edits and messages, in order, applied once."""

    seq: Count
    ops: list[SetOp | MsgOp]
    """The decoder puts a `BadOp` where an op could not be read."""
    sync_ack: Count | None = None
    """As a `SyncAck` of this frame, sent before. It belongs to the connection; the rest is the same when sent again."""


class SyncAck(msgspec.Struct, frozen=True, tag="sync_ack"):
    """All `sync` frames up to this one arrived."""

    frame: Count


class Subscribe(msgspec.Struct, frozen=True, tag="subscribe"):
    """Show these widgets from now on, and no others."""

    widget_ids: Literal["*"] | list[WidgetId]


class Report(msgspec.Struct, frozen=True, tag="report", omit_defaults=True):
    """An error in a widget's JavaScript, for Python's eyes."""

    widget_id: WidgetId
    stage: str
    message: str
    stack: str = ""


class Bye(msgspec.Struct, frozen=True, tag="bye"):
    """The page leaves for good: drop the session now."""


# rdit/1, both ways.


class Ping(msgspec.Struct, frozen=True, tag="ping"):
    """Answer with `pong`, at once."""

    id: Count


class Pong(msgspec.Struct, frozen=True, tag="pong"):
    """The answer to `ping`."""

    id: Count


# rdit/1, server to client.


class WelcomeLimits(msgspec.Struct, frozen=True):
    """What the client must keep to."""

    max_frame: int
    max_inflight: int
    max_ops: int


class Welcome(msgspec.Struct, frozen=True, tag="welcome"):
    """The answer to `hello`; a `sync` follows at once."""

    protocol: int
    epoch: str
    session: str
    secret: str
    resumed: bool
    ack: int
    limits: WelcomeLimits
    ping_ms: int
    ttl_ms: int


class OpenedWidget(msgspec.Struct, frozen=True, omit_defaults=True):
    """A widget that the page did not know, or another one under an id that it knew."""

    widget_id: str
    inst: int
    kind: str
    """Of what class it is; the same across restarts of the server."""
    props: dict[str, tuple[Any, int]] = {}
    """Property to value and revision."""
    writable: list[str] = []
    """Properties that pages may write."""
    esm_url: str | None = None
    esm: str | None = None
    """The module's text, where the host gives no address for it."""
    if_unchanged: list[str] = []
    """Properties that are written with `if_rev`."""


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """A custom message of Python's. `n` counts per session."""

    n: int
    widget_id: str
    inst: int
    content: Any = None
    buffers: list[Any] = []


class Reject(msgspec.Struct, frozen=True):
    """What became of one op of a batch, where that was not plain success."""

    seq: int
    op: int
    """Index in the batch."""
    code: str
    message: str


class Sync(msgspec.Struct, frozen=True, tag="sync", omit_defaults=True):
    """State, applied atomically in the order open, changes and same, close and live, ack, rejects, msgs."""

    frame: int
    rev: int
    ack: int | None = None
    """All batches up to this one are done. Absent in a part that more parts follow."""
    more: bool = False
    """Hold this part, and apply it with the last one."""
    open: list[OpenedWidget] = []
    changes: list[tuple[str, int, str, Any, int]] = []
    """Widget id, inst, property, value, revision."""
    close: list[tuple[str, int]] = []
    """Widget id and inst."""
    same: list[tuple[str, int, str, int, int, int]] = []
    """Widget id, inst, property, seq, op, revision: the slot has the very value of that op of the client's, which is
    not repeated. The batch is not acknowledged before this `sync`.
    """
    live: list[tuple[str, int]] | None = None
    """When given: every widget that there is. What is not listed is gone."""
    msgs: list[Message] = []
    rejects: list[Reject] = []
    lost_msgs: int = 0
    """When not 0: the messages up to this number that the client has not seen will never come."""


ClientMessage = Hello | Batch | SyncAck | Subscribe | Report | Ping | Pong | Bye
"""What a client may send in `rdit/1`."""

ServerMessage = Welcome | Sync | Output | Error | Ping | Pong
"""What a server may send in `rdit/1`."""

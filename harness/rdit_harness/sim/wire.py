"""What a checker reads of a frame: the few fields that it needs, values left as bytes.

Decoded once per frame, when it is cut, on the fastest path that msgspec has. This is a second reader of the wire beside
the core's own, on purpose: a checker that read with the code under test would share its mistakes.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import Any, Final

import msgspec
from msgspec import Raw


class SetView(msgspec.Struct, tag_field="op", tag="set", gc=False):
    """A `set` op."""

    widget_id: str
    inst: int
    property: str
    value: Raw
    if_rev: int | None = None


class MsgView(msgspec.Struct, tag_field="op", tag="msg", gc=False):
    """A `msg` op."""

    widget_id: str
    inst: int
    content: Any = None


class BatchView(msgspec.Struct, tag="batch"):
    """A `batch`."""

    seq: int
    ops: list[SetView | MsgView]
    sync_ack: int | None = None


class ResumeView(msgspec.Struct):
    """What a `hello` resumes."""

    epoch: str
    session: str
    secret: str
    rev: int


class HelloView(msgspec.Struct, tag="hello"):
    """A `hello`."""

    subscribe: Any = "*"
    resume: ResumeView | None = None


class SyncAckView(msgspec.Struct, tag="sync_ack"):
    """A `sync_ack`."""

    frame: int


class SubscribeView(msgspec.Struct, tag="subscribe"):
    """A `subscribe`."""

    widget_ids: Any


class ReportView(msgspec.Struct, tag="report"):
    """A `report`."""


class PingView(msgspec.Struct, tag="ping"):
    """A `ping`, either way."""


class PongView(msgspec.Struct, tag="pong"):
    """A `pong`, either way."""


class ByeView(msgspec.Struct, tag="bye"):
    """A `bye`."""


ClientView = BatchView | HelloView | SyncAckView | SubscribeView | ReportView | PingView | PongView | ByeView


class WelcomeView(msgspec.Struct, tag="welcome"):
    """A `welcome`."""

    epoch: str
    session: str
    secret: str
    resumed: bool
    ack: int


class OpenView(msgspec.Struct):
    """An entry of `sync.open`."""

    widget_id: str
    inst: int
    kind: str
    props: dict[str, tuple[Raw, int]] = {}


class MessageView(msgspec.Struct):
    """An entry of `sync.msgs`."""

    n: int
    widget_id: str
    inst: int
    content: Any = None


class RejectView(msgspec.Struct):
    """An entry of `sync.rejects`."""

    seq: int
    op: int
    code: str


class SyncView(msgspec.Struct, tag="sync"):
    """A `sync`."""

    frame: int
    rev: int
    ack: int | None = None
    more: bool = False
    open: list[OpenView] = []
    changes: list[tuple[str, int, str, Raw, int]] = []
    same: list[tuple[str, int, str, int, int, int]] = []
    """Widget id, inst, property, seq and index of the page's own op that has the value, rev."""
    close: list[tuple[str, int]] = []
    live: list[tuple[str, int]] | None = None
    msgs: list[MessageView] = []
    rejects: list[RejectView] = []
    lost_msgs: int = 0


class ErrorView(msgspec.Struct, tag="error"):
    """An `error`, in either mode."""

    code: str = ""
    fatal: bool = False
    seq: int | None = None
    widget_id: str | None = None
    property: str | None = None


class OutputView(msgspec.Struct, tag="output"):
    """An `output`."""


class UpdateView(msgspec.Struct, tag="widget_update"):
    """Base mode: an update or a push."""

    widget_id: str
    property: str
    value: Raw


class AckView(msgspec.Struct, tag="ack"):
    """Base mode: a reply."""

    widget_id: str
    property: str


ServerView = WelcomeView | SyncView | ErrorView | OutputView | PingView | PongView
BaseView = UpdateView | AckView | ErrorView | OutputView

_CLIENT = msgspec.json.Decoder(ClientView)
_SERVER = msgspec.json.Decoder(ServerView)
_BASE = msgspec.json.Decoder(BaseView)


_SHORT: Final = 40
"""Acknowledgements, pings and pongs are shorter, and come again and again: each is read once. Nobody writes to them."""


def text_of(frame: str | bytes) -> str | bytes:
    """The JSON of a frame, binary or not."""
    if isinstance(frame, bytes) and frame[:4] == b"RDB1":
        (count,) = struct.unpack_from("<I", frame, 4)
        (length,) = struct.unpack_from("<I", frame, 8)
        start = (8 + 4 * count + 7) & ~7
        return frame[start : start + length]
    return frame


def without_ack(frame: str | bytes, view: BatchView) -> str | bytes:
    """A batch as it is whenever it is sent: what it acknowledges belongs to one connection."""
    if view.sync_ack is None or isinstance(frame, bytes):
        return frame
    return frame.replace(f'"sync_ack":{view.sync_ack},', "", 1)


def read_client(frame: str | bytes) -> ClientView:
    """A frame of ours to the server."""
    if len(frame) < _SHORT:
        return _read_short_client(frame)
    view: ClientView = _CLIENT.decode(frame if isinstance(frame, str) else text_of(frame))
    return view


def read_server(frame: str | bytes) -> ServerView:
    """A frame of the server's, in `rdit/1`."""
    if len(frame) < _SHORT:
        return _read_short_server(frame)
    view: ServerView = _SERVER.decode(frame if isinstance(frame, str) else text_of(frame))
    return view


@lru_cache(maxsize=4096)
def _read_short_client(frame: str | bytes) -> ClientView:
    view: ClientView = _CLIENT.decode(frame)
    return view


@lru_cache(maxsize=4096)
def _read_short_server(frame: str | bytes) -> ServerView:
    view: ServerView = _SERVER.decode(frame)
    return view


def read_base(frame: str | bytes) -> BaseView:
    """A frame of the server's, in base mode."""
    view: BaseView = _BASE.decode(frame)
    return view

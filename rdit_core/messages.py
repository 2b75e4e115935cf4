"""The vocabulary of the wire, as typed records. Field names are spelled as the wire spells them.

Base mode (PROTOCOL.md, "Base mode") is three messages and a push in the same shape; `Output` goes only to connections
that asked for it. Decoding lives in `frames`.
"""

from __future__ import annotations

from typing import Any

import msgspec


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


class Error(msgspec.Struct, frozen=True, tag="error", omit_defaults=True):
    """Server to client: nothing changed. First clients read `message` alone; `code` is the stable part."""

    message: str
    code: str = msgspec.field(default_factory=lambda: "internal")
    """Always on the wire. The default is for servers of the first design, which send none."""
    widget_id: str | None = None
    property: str | None = None


class Output(msgspec.Struct, frozen=True, tag="output"):
    """Server to client, on request: an execution event `n` of the host (its own schema), after the script ended."""

    n: int
    event: Any


ClientMessage = WidgetUpdate
"""What a client may send in base mode."""

ServerMessage = WidgetUpdate | Ack | Error | Output
"""What a server may send in base mode."""

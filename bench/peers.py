"""A page as the core sees it, without a socket: the frames it sends, made beforehand, and what it does with those it
gets. One class per mode; both are as cheap as they can be, since what they cost is not the core's.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

import msgspec

from rdit_core import TRUSTED, WidgetManager

NOW_S: Final = 0.0

ANY_WRITES: Final = 2**53
"""For `Limits.max_slot_writes`: what is measured happens at one instant."""
"""The time at which all of a benchmark happens: no deadline is ever due."""

_encode = msgspec.json.encode


class Peer(Protocol):
    """One page's end of a connection."""

    def __init__(self, manager: WidgetManager) -> None:
        """Connect, and take everything that there is."""

    def update(self, widget_id: str, property: str, value: Any) -> bytes:
        """Make the frame that sets a property; frames must be sent in the order in which they were made."""

    def send(self, frame: bytes) -> None:
        """Hand a frame to the core."""

    def take(self) -> Sequence[bytes]:
        """Take what the core wants sent, as bytes."""

    def acknowledge(self) -> None:
        """Acknowledge all that was taken, where the protocol asks for that, and empty the list of events."""

    def drain(self) -> Sequence[bytes]:
        """`take`, and acknowledge at once."""


class BasePeer:
    """A page in base mode."""

    def __init__(self, manager: WidgetManager) -> None:
        # As a page does first: it is then pushed only what changes afterwards.
        for widget_id in manager:
            manager.serialize(widget_id)
        self._connection = manager.connect(TRUSTED)
        self._connection.frames_to_send(NOW_S)

    def update(self, widget_id: str, property: str, value: Any) -> bytes:
        if isinstance(value, bytes):
            value = {"$b64": value}  # msgspec writes bytes as base64.
        return _encode({"type": "widget_update", "widget_id": widget_id, "property": property, "value": value})

    def send(self, frame: bytes) -> None:
        self._connection.receive_frame(frame, NOW_S)

    def take(self) -> Sequence[bytes]:
        frames = self._connection.frames_to_send(NOW_S)
        return [frame.encode() if isinstance(frame, str) else frame for frame in frames]

    def acknowledge(self) -> None:
        self._connection.events_received()

    drain = take


class SessionPeer:
    """A page in `rdit/1`."""

    def __init__(self, manager: WidgetManager) -> None:
        self._connection = manager.connect(TRUSTED, mode="v1", now_s=NOW_S)
        self._seq = 0
        self._taken = 0
        """`sync` frames, by their count: nothing else is ever sent here after the welcome."""
        self._insts: Mapping[str, int] = {}
        self.send(_encode({"type": "hello"}))
        insts: dict[str, int] = {}
        while frames := self._connection.frames_to_send(NOW_S):
            for frame in frames:
                message = msgspec.json.decode(_json_of(frame))
                insts.update((opened["widget_id"], opened["inst"]) for opened in message.get("open", ()))
                if message["type"] == "sync":
                    self._seq = message["ack"]
                    self._taken += 1
                    self.acknowledge()
        self._insts = insts

    def update(self, widget_id: str, property: str, value: Any) -> bytes:
        self._seq += 1
        is_binary = isinstance(value, bytes)
        op = {
            "op": "set",
            "widget_id": widget_id,
            "inst": self._insts[widget_id],
            "property": property,
            "value": None if is_binary else value,
        }
        batch: dict[str, Any] = {"type": "batch", "seq": self._seq, "ops": [op]}
        return binary_frame({**batch, "buffers": [["ops", 0, "value"]]}, [value]) if is_binary else _encode(batch)

    def send(self, frame: bytes) -> None:
        self._connection.receive_frame(frame, NOW_S)

    def take(self) -> Sequence[bytes]:
        frames = self._connection.frames_to_send(NOW_S)
        self._taken += len(frames)
        return [frame.encode() if isinstance(frame, str) else frame for frame in frames]

    def acknowledge(self) -> None:
        self._connection.receive_frame(b'{"type":"sync_ack","frame":%d}' % self._taken, NOW_S)
        self._connection.events_received()

    def drain(self) -> Sequence[bytes]:
        frames = self.take()
        if frames:
            self.acknowledge()
        return frames


PEERS: Final[Mapping[str, type[Peer]]] = {"base mode": BasePeer, "rdit/1": SessionPeer}


def binary_frame(message: Mapping[str, Any], buffers: Sequence[bytes]) -> bytes:
    """A binary frame of `rdit/1` (PROTOCOL.md, "Frames")."""
    parts = [_encode(message), *buffers]
    head = b"RDB1" + struct.pack(f"<{1 + len(parts)}I", len(parts), *map(len, parts))
    return b"".join(part + bytes(-len(part) % 8) for part in (head, *parts))


def _json_of(frame: str | bytes) -> str | bytes:
    if isinstance(frame, str) or not frame.startswith(b"RDB1"):
        return frame
    count, length = struct.unpack_from("<II", frame, 4)
    begin = 8 + 4 * count
    begin += -begin % 8
    return frame[begin : begin + length]

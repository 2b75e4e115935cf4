"""Peers of a running server that keep to no rules: raw requests, raw frames, and tabs that say what they like."""

import base64
import contextlib
import json
import socket
import struct

import websockets.exceptions
from websockets.sync.client import connect

from .conftest import PATIENCE_S, TOKEN

BEARER = ("Authorization", f"Bearer {TOKEN}")


def raw_request(live, *headers, method="GET", path="/", host=None):
    """A request's bytes: exactly these headers, after one `Host` unless there is one among them."""
    lines = [f"{method} {path} HTTP/1.1"]
    if not any(name.lower() == "host" for name, _ in headers):
        lines.append(f"Host: {live.host if host is None else host}")
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


HANDSHAKE = (
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", base64.b64encode(b"0123456789abcdef").decode()),
)


class Wire:
    """A plain TCP connection."""

    def __init__(self, live, *, small_buffer=False):
        self.socket = socket.socket()
        if small_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.settimeout(PATIENCE_S)
        self.socket.connect(("127.0.0.1", live.port))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def head(self):
        """The next answer's status, and its head in lower case."""
        text = b""
        while not text.endswith(b"\r\n\r\n"):
            byte = self.socket.recv(1)
            if not byte:
                raise EOFError(text)
            text += byte
        return int(text.split(b" ", 2)[1]), text.decode("latin-1").lower()

    def rest(self):
        """All that comes until the server closes."""
        parts = []
        with contextlib.suppress(ConnectionError):
            while part := self.socket.recv(65536):
                parts.append(part)
        return b"".join(parts)

    def upgrade(self, live, *headers):
        """Open the WebSocket; gives status and head."""
        self.send(raw_request(live, *HANDSHAKE, *headers, path="/ws/widgets"))
        return self.head()


def ask(live, *headers, method="GET", path="/", host=None):
    """One raw request on a connection of its own; gives status and the whole answer."""
    with Wire(live) as wire:
        wire.send(raw_request(live, *headers, ("Connection", "close"), method=method, path=path, host=host))
        status, head = wire.head()
        return status, head + wire.rest().decode("utf-8", "replace")


def knock(live, *headers):
    """Try to open the WebSocket; gives status and the whole answer, or only the head when it is open."""
    with Wire(live) as wire:
        status, head = wire.upgrade(live, *headers)
        return status, head if status == 101 else head + wire.rest().decode()


def frame(payload, *, opcode=1, first=0x80, length=None):
    """A masked client frame. `first` holds the bits before the opcode, `length` lies about the payload's."""
    length = len(payload) if length is None else length
    if length < 126:
        size = struct.pack("!B", 0x80 | length)
    elif length < 1 << 16:
        size = struct.pack("!BH", 0x80 | 126, length)
    else:
        size = struct.pack("!BQ", 0x80 | 127, length)
    return bytes([first | opcode]) + size + bytes(4) + payload  # A mask of zeros changes nothing.


def close_frame(wire):
    """The payload of the close frame with which the server ends a connection, after whatever it says before."""
    stream = wire.socket.makefile("rb")
    while head := stream.read(2):
        size = head[1]
        if size == 126:
            (size,) = struct.unpack("!H", stream.read(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", stream.read(8))
        payload = stream.read(size)
        if head[0] & 15 == 8:
            return payload
    return b""


def closed_with(wire):
    """The code in that frame."""
    return int.from_bytes(close_frame(wire)[:2], "big")


def _json_part(data):
    count, size = struct.unpack_from("<II", data, 4)
    start = -(-(8 + 4 * count) // 8) * 8
    return data[start : start + size]


class Tab:
    """A page of `rdit/1`, or of base mode, that says what a test has it say."""

    def __init__(self, live, *, hello=None, mode="v1", headers=(), query=""):
        self._stack = contextlib.ExitStack()
        opening = connect(
            f"ws://{live.host}/ws/widgets{query}",
            origin=live.origin,
            subprotocols=["rdit.v1"] if mode == "v1" else ["rdit.base"],
            additional_headers=[BEARER, *headers],
            max_size=None,
            compression=None,
            close_timeout=0.5,  # It may have left much unread.
        )
        self.socket = self._stack.enter_context(opening)
        self.heard = []
        """Every frame that came, as text."""
        self.opened = {}
        self.seq = 0
        self.pending = []
        if mode == "v1" and hello is not False:
            self.say("hello", **(hello or {}))
            self.welcome = self.until("welcome")
            self.seq = self.welcome["ack"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stack.close()

    def say(self, kind, **fields):
        self.raw(json.dumps({"type": kind, **fields}))

    def raw(self, data):
        self.socket.send(data)

    def take(self):
        """The next message. What a `sync` opens is remembered, and the `sync` acknowledged."""
        data = self.socket.recv(timeout=PATIENCE_S)
        self.heard.append(data if isinstance(data, str) else data.decode("latin-1"))
        message = json.loads(data if isinstance(data, str) else _json_part(data))
        if message["type"] == "sync":
            self.opened.update({one["widget_id"]: one for one in message.get("open", [])})
            self.say("sync_ack", frame=message["frame"])
        return message

    def until(self, kind, where=lambda message: True):
        """The next message of a kind that is so."""
        for _ in range(10_000):
            message = self.take()
            if message["type"] == kind and where(message):
                return message
        raise AssertionError(f"no {kind} came")

    def batch(self, *ops):
        """Send a batch; gives its number."""
        self.seq += 1
        self.say("batch", seq=self.seq, ops=list(ops))
        return self.seq

    def verdicts(self, *ops):
        """Send a batch and wait until it is done; gives the codes of what was refused, by op."""
        seq, rejects = self.batch(*ops), []
        while True:
            message = self.until("sync")
            rejects += [one for one in message.get("rejects", []) if one["seq"] == seq]
            if message["ack"] >= seq:
                return {one["op"]: one["code"] for one in rejects}

    def op(self, widget_id, property, value, **fields):
        inst = self.opened[widget_id]["inst"]
        return {"op": "set", "widget_id": widget_id, "inst": inst, "property": property, "value": value, **fields}

    def message(self, widget_id, content, **fields):
        inst = self.opened[widget_id]["inst"]
        return {"op": "msg", "widget_id": widget_id, "inst": inst, "content": content, **fields}

    def ready(self):
        """Wait until the first state is here; gives the tab."""
        if not self.opened:
            self.until("sync", lambda message: not message.get("more"))
        return self

    @property
    def resume(self):
        return {"epoch": self.welcome["epoch"], "session": self.welcome["session"], "secret": self.welcome["secret"]}

    def ending(self):
        """Read until the server closes; gives the code."""
        try:
            while True:
                self.take()
        except websockets.exceptions.ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd is not None else None

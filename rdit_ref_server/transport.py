"""uvicorn's protocols, with bounds where they have none.

uvicorn waits without end for the rest of a request's head and for a peer to take what was written for it, also when
its WebSocket is done with; and it answers each ping of a peer that reads none of the answers. Most of it needs no
token, none of it costs the peer anything; all of it costs this process a socket, or memory.

Beside that the WebSockets offer the short way of `direct`.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from typing import Any, Final, cast

from uvicorn.protocols.http.auto import AutoHTTPProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request
from websockets.protocol import OPEN

from .direct import EXTENSION
from .shared_transport import SharedTransport

_SMALL_BYTES: Final = 64 * 1024
"""Larger messages go by the loop, which writes them as there is room."""

LINGER_S: Final = 12.0
"""How long a WebSocket that is done with may take to take its last bytes, in seconds. uvicorn waits 10 for a close."""


class _Bounded(asyncio.Protocol):
    """A protocol whose peer must take what is written for it, if slowly."""

    stall_s: float = 30.0
    transport: asyncio.Transport
    is_lost = False
    _stall: asyncio.TimerHandle | None = None

    def pause_writing(self) -> None:
        super().pause_writing()
        self._look_again()

    def resume_writing(self) -> None:
        self._forget()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost = True
        self._forget()
        super().connection_lost(exc)

    def _look_again(self) -> None:
        left = self.transport.get_write_buffer_size()
        self._stall = asyncio.get_running_loop().call_later(self.stall_s, self._check, left)

    def _check(self, left_bytes: int) -> None:
        self._stall = None
        if self.transport.get_protocol() is not self:
            return  # Another one has taken over.
        if self.transport.get_write_buffer_size() < left_bytes:
            self._look_again()
        else:
            self.transport.abort()

    def _forget(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None


class BoundedHttp(_Bounded, AutoHTTPProtocol):  # type: ignore[misc, valid-type]  # whichever parser is installed
    """HTTP, where a request's head must be whole in time, however slowly it drips in."""

    head_s: float = 15.0
    cycle: Any
    _due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._unwatch()
        super().connection_lost(exc)

    def _watch(self) -> None:
        is_answering = self.cycle is not None and not self.cycle.response_complete
        if is_answering or self.transport.is_closing() or self.transport.get_protocol() is not self:
            self._unwatch()
        elif self._due is None:
            # Not put off by what comes: else one byte now and then would hold the socket for ever.
            self._due = asyncio.get_running_loop().call_later(self.head_s, self._give_up)

    def _unwatch(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def _give_up(self) -> None:
        self._due = None
        if self.cycle is None or self.cycle.response_complete:
            self.transport.abort()


def _frame_of(message: str | bytes) -> tuple[bytes, bytes]:
    """A whole message in one frame of a server's (RFC 6455, 5.2), head and payload: unmasked, without extensions."""
    first, data = (0x81, message.encode()) if isinstance(message, str) else (0x82, message)
    if len(data) < 126:
        return struct.pack("!BB", first, len(data)), data
    if len(data) < 1 << 16:
        return struct.pack("!BBH", first, 126, len(data)), data
    return struct.pack("!BBQ", first, 127, len(data)), data


class BoundedWebSocket(_Bounded, WebSocketsSansIOProtocol):
    """WebSocket, for peers that do not read. It is its own `Direct`."""

    linger_s: float = LINGER_S
    _end: asyncio.TimerHandle | None = None
    _take: Callable[[str | bytes], bool] | None = None
    _take_bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        shared = SharedTransport(cast(asyncio.Transport, transport), self.loop)
        super().connection_made(cast(asyncio.Transport, shared))

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if self.response.status_code == 101:
            extensions: Any = self.scope["extensions"]
            extensions[EXTENSION] = self

    def hand_over(self, take: Callable[[str | bytes], bool], max_bytes: int) -> None:
        self._take, self._take_bytes = take, max_bytes

    def write(self, message: str | bytes) -> bool:
        if self.conn.state is not OPEN or not self.writable.is_set() or self.transport.is_closing():
            return False
        shared: Any = self.transport
        head, data = _frame_of(message)
        if len(data) <= _SMALL_BYTES:
            shared.write(head + data)  # One call to the operating system.
        else:
            shared.write(head, data)  # No copy.
        return True

    def write_past(self, message: str | bytes) -> bool:
        shared: Any = self.transport
        head, data = _frame_of(message)
        return self.conn.state is OPEN and len(data) <= _SMALL_BYTES and bool(shared.write_past(head + data))

    def send_receive_event_to_app(self) -> None:
        data = self.frames[0]
        is_fit = len(self.frames) == 1 and len(data) <= self._take_bytes
        if is_fit and self._take is not None and not self.read_paused and not self.close_sent and self.queue.empty():
            try:
                is_taken = self._take(data.decode() if self.curr_msg_data_type == "text" else bytes(data))
            except UnicodeDecodeError:
                is_taken = False  # Said on the long way.
            if is_taken:
                self.frames = []
                return
        super().send_receive_event_to_app()

    def handle_ping(self) -> None:
        if self._stall is None:
            super().handle_ping()
        else:
            self.conn.data_to_send()  # RFC 6455, 5.5.3: not every ping needs its pong.

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        super().on_task_complete(task)
        if not self.is_lost:
            self._end = self.loop.call_later(self.linger_s, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._end is not None:
            self._end.cancel()
        super().connection_lost(exc)
        shared: Any = self.transport
        shared.ended()


def protocols(*, head_s: float = BoundedHttp.head_s, stall_s: float = _Bounded.stall_s) -> dict[str, Any]:
    """Both, as the arguments `http` and `ws` of `uvicorn.Config`.

    Args:
        head_s: within which the head of a request must have come, in seconds: from when the peer connected, or from
            when it began.
        stall_s: after how long without a byte taken of what was written for it a peer is given up, in seconds.
    """
    http = type("BoundedHttp", (BoundedHttp,), {"head_s": head_s, "stall_s": stall_s})
    return {"http": http, "ws": type("BoundedWebSocket", (BoundedWebSocket,), {"stall_s": stall_s})}

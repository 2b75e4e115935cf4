"""uvicorn's protocols, with bounds where they have none.

uvicorn waits without end for the rest of a request's head, answers each ping of a peer that reads none of the answers,
and, when a WebSocket is done with, waits without end for a peer that does not take what was written before. None of it
needs a token, or costs the peer anything; all of it costs this process a socket, or memory.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.auto import AutoHTTPProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

LINGER_S: Final = 12.0
"""How long a WebSocket that is done with may take to take its last bytes, in seconds. uvicorn waits 10 for a close."""


class BoundedHttp(AutoHTTPProtocol):  # type: ignore[misc, valid-type]  # whichever parser is installed
    """HTTP, where a request's head must be whole in time, however slowly it drips in."""

    head_s: float = 15.0
    cycle: Any
    transport: asyncio.Transport
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


def bounded_http(head_s: float) -> type[asyncio.Protocol]:
    """The protocol for HTTP.

    Args:
        head_s: within which the head of a request must have come, in seconds: from when the peer connected, or from
            when it began.
    """
    return type("BoundedHttp", (BoundedHttp,), {"head_s": head_s})


class BoundedWebSocket(WebSocketsSansIOProtocol):
    """WebSocket, for peers that do not read."""

    linger_s: float = LINGER_S
    _end: asyncio.TimerHandle | None = None

    def handle_ping(self) -> None:
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.conn.data_to_send()  # RFC 6455, 5.5.3: not every ping needs its pong.

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        super().on_task_complete(task)
        if not self.disconnected:
            self._end = self.loop.call_later(self.linger_s, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._end is not None:
            self._end.cancel()
        super().connection_lost(exc)

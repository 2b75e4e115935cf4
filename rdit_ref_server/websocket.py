"""One WebSocket, one connection of the core: the only place with a clock.

Two tasks: one reads frames and feeds them in, the other sends what the connection wants sent and keeps its deadlines.
The second drains only when everything before is sent, so a page that reads slowly is owed present values and never a
backlog. A frame that is no message gets its `error` from the core and never closes the socket.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable

import anyio
from starlette.websockets import WebSocket, WebSocketDisconnect

from rdit_core import BaseServerConnection, LimitReached, RditError, Verdict, WidgetManager

from .security import SUBPROTOCOL, VERDICT

FRAME_HEADROOM = 2
"""How many times the core's largest frame the transport must let through, so that the page of a frame that is somewhat
too long hears `too_large` rather than losing its connection. Beyond, the transport closes."""

CONNECTION_LIMIT = 4504
"""Close code: too many connections of one user. In the range after which a client does not come back by itself."""

_LARGE_FRAME = 1024 * 1024


async def serve(websocket: WebSocket, manager: WidgetManager, clock: Callable[[], float] = time.monotonic) -> None:
    """Serve one WebSocket until it ends.

    Args:
        websocket: not accepted yet; its scope must hold the gate's verdict.
        manager: whose widgets it is about.
        clock: seconds, monotonic.
    """
    verdict = websocket.scope.get(VERDICT) or Verdict(False, "unauthorized")
    loop = asyncio.get_running_loop()
    stirred, room = asyncio.Event(), asyncio.Event()

    def stir() -> None:
        stirred.set()
        room.set()

    def wakeup() -> None:
        with contextlib.suppress(RuntimeError):  # the server's loop is closed
            loop.call_soon_threadsafe(stir)

    try:
        connection = manager.connect(verdict, wakeup=wakeup, output=websocket.query_params.get("output") == "1")
    except LimitReached:
        # Accepted first: a browser tells its page nothing about a refusal before that.
        await websocket.accept(_chosen(websocket))
        await websocket.close(CONNECTION_LIMIT, "connection_limit")
        return
    except RditError:
        await websocket.close(1008, verdict.code)
        return
    try:
        await websocket.accept(_chosen(websocket))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_write, websocket, connection, stirred, room, clock)
            await _read(websocket, connection, stirred, room, clock)
            tasks.cancel_scope.cancel()
    finally:
        connection.receive_eof()


def _chosen(websocket: WebSocket) -> str | None:
    return SUBPROTOCOL if SUBPROTOCOL in websocket.scope.get("subprotocols", ()) else None


async def _read(
    websocket: WebSocket,
    connection: BaseServerConnection,
    stirred: asyncio.Event,
    room: asyncio.Event,
    clock: Callable[[], float],
) -> None:
    while True:
        room.clear()
        while connection.is_congested:
            await room.wait()
            room.clear()
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            return
        text = message.get("text")
        frame = message.get("bytes") or b"" if text is None else text
        if len(frame) > _LARGE_FRAME:
            # Decoding takes its time, which the other pages should not wait for. Order is kept: we wait.
            await anyio.to_thread.run_sync(connection.receive_frame, frame, clock())
        else:
            connection.receive_frame(frame, clock())
        connection.events_received()
        # There may be a new deadline.
        stirred.set()


async def _write(
    websocket: WebSocket,
    connection: BaseServerConnection,
    stirred: asyncio.Event,
    room: asyncio.Event,
    clock: Callable[[], float],
) -> None:
    while True:
        stirred.clear()
        frames = connection.frames_to_send()
        room.set()
        for frame in frames:
            try:
                await websocket.send_text(frame)
            except WebSocketDisconnect:
                # The reader is about to hear of it, unless it waits for room that nobody would make any more.
                connection.receive_eof()
                room.set()
                return
        deadline = connection.next_deadline()
        if deadline is None:
            await stirred.wait()
            continue
        with anyio.move_on_after(deadline - clock()):
            await stirred.wait()
        if clock() >= deadline:
            connection.handle_timeout(clock())

"""One WebSocket, one connection of the core: the only place with a clock.

The subprotocol that the page offers says which protocol the connection speaks: `rdit.v1`, or base mode. Two tasks:
one reads frames and feeds them in, the other sends what the connection wants sent. The second drains only when
everything before is sent, so a page that reads slowly is owed present values and never a backlog. Where the web server
offers the short way (`direct`) a frame is fed in as it comes and answered at once, and the tasks do what takes a wait:
for room, for a large frame, for a peer that reads slowly, for the end. Deadlines are a timer
of the loop's, which goes off also while a peer that does not read holds the second task up. A frame that is no message
gets its `error` from the core; whether the socket is to be closed is for the core to say, with one exception: who may
come can change, so it is asked again from time to time, and who may not any more loses the socket.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextvars import copy_context
from typing import Final

import anyio
from starlette.websockets import WebSocket, WebSocketDisconnect

from rdit_core import BaseServerConnection, LimitReached, RditError, Verdict, WidgetManager
from rdit_core.server import CLOSE_CODES, Closing
from rdit_core.store import AnyConnection

from .counters import Counters
from .direct import Direct, direct_of
from .security import RECHECK, SUBPROTOCOL, VERDICT, Recheck
from .server_log import tell
from .sockets import Sockets

V1_SUBPROTOCOL: Final = "rdit.v1"
"""Offered by a page that speaks `rdit/1`."""

FRAME_HEADROOM: Final = 2
"""How many times the core's largest frame the transport must let through, so that the page of a frame that is somewhat
too long hears `too_large` rather than losing its connection. Beyond, the transport closes."""

_LARGE_FRAME: Final = 1024 * 1024

_COLLECT_S: Final = 1.0
"""How long after the end of a connection with large frames their memory is freed."""
_TURN_S: Final = 0.01
"""How long one socket's frames may keep the server's loop before it is the others' turn."""

_CLOSE_GRACE_S: Final = 1.0
"""How long a close waits for the frames before it to leave; a peer that does not read must not hold it up."""


async def serve(
    websocket: WebSocket,
    manager: WidgetManager,
    clock: Callable[[], float] = time.monotonic,
    *,
    counters: Counters | None = None,
    sockets: Sockets | None = None,
    is_stopping: Callable[[], bool] = lambda: False,
) -> None:
    """Serve one WebSocket until it ends.

    Args:
        websocket: not accepted yet; its scope must hold the gate's verdict.
        manager: whose widgets it is about.
        clock: seconds, monotonic.
        counters: where frames are counted.
        sockets: those that are to be told when the server ends; one of base mode joins them.
        is_stopping: whether the server is about to end: then the page is told to come back later.
    """
    counters = counters or Counters()
    verdict = websocket.scope.get(VERDICT) or Verdict(False, "unauthorized")
    chosen = _chosen(websocket)
    try:
        socket = _Socket(websocket, clock, counters)
        socket.connection = connection = manager.connect(
            verdict,
            mode="v1" if chosen == V1_SUBPROTOCOL else "base",
            wakeup=socket.wakeup,
            output=websocket.query_params.get("output") == "1",
            now_s=clock(),
        )
    except LimitReached:
        await turn_away(websocket, "connection_limit", counters)
        return
    except RditError:
        await websocket.close(1008, verdict.code)
        return
    if sockets is not None and isinstance(connection, BaseServerConnection):
        socket.leave = sockets.join(socket.close)
    if is_stopping():  # Asked when there is a connection: one that was made earlier is closed with all the others.
        socket.stop()
        connection.receive_eof(clock())
        await turn_away(websocket, "server_shutdown", counters)
        return
    counters.opened()
    try:
        await websocket.accept(chosen)
        socket.take_short_way()
        async with anyio.create_task_group() as tasks:
            socket.everything = tasks.cancel_scope
            tasks.start_soon(socket.write)
            if RECHECK in websocket.scope:
                socket.recheck(websocket.scope[RECHECK])
            await socket.read()
            tasks.cancel_scope.cancel()
    finally:
        socket.stop()
        reason = socket.closed_with or "left"
        if socket.had_large_frames:
            # The transport's objects refer to each other and to the last frame. So few objects and so much memory: by
            # itself the collector would come much later.
            asyncio.get_running_loop().call_later(_COLLECT_S, gc.collect)
        connection.receive_eof(clock())
        counters.closed(reason)
        tell(
            logging.INFO,
            "disconnected",
            "connection %d: %s",
            connection.connection_id,
            reason,
            connection=connection.connection_id,
            code=reason,
        )


async def turn_away(websocket: WebSocket, reason: str, counters: Counters) -> None:
    """Close a WebSocket, not accepted yet, in the protocol's own terms.

    Args:
        websocket: of the page.
        reason: one of `CLOSE_CODES`.
        counters: where it is counted.
    """
    # Accepted first: a browser tells its page nothing about a refusal before that.
    await websocket.accept(_chosen(websocket))
    await websocket.close(CLOSE_CODES[reason], reason)
    counters.refused(reason)
    tell(logging.INFO, "connection_refused", "a connection was refused: %s", reason, code=reason)


def _chosen(websocket: WebSocket) -> str | None:
    offered = websocket.scope.get("subprotocols", ())
    return next((one for one in (V1_SUBPROTOCOL, SUBPROTOCOL) if one in offered), None)


class _Socket:
    """What the three tasks of one WebSocket share."""

    connection: AnyConnection
    everything: anyio.CancelScope | None = None
    """Of its tasks, once there are any."""
    leave: Callable[[], None] = staticmethod(lambda: None)
    """Ends that it is one of the `Sockets`."""

    def __init__(self, websocket: WebSocket, clock: Callable[[], float], counters: Counters) -> None:
        self.closed_with: str | None = None
        """Why the core had the socket closed; None while it has not."""
        self.had_large_frames = False
        self._websocket = websocket
        self._clock = clock
        self._counters = counters
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._stirred = asyncio.Event()
        """There may be something to send."""
        self._room = asyncio.Event()
        """There may be room to read."""
        self._is_woken = False
        self._refusal: Closing | None = None
        self._deadline: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._asking: asyncio.TimerHandle | None = None
        self._direct: Direct | None = None
        self._context = copy_context()
        """Whatever is done here is done for this connection, in the log too."""
        self._is_aside = False
        """Whether the reader waits, with a frame in its hands: then none may overtake that."""
        self._is_writing = False
        """Whether the writer waits, with frames in its hands."""
        self._left: list[str | bytes] = []
        """Frames that the short way did not send."""
        self._sending = threading.Lock()
        """Held from when frames are taken from the connection until they are sent or left, in whichever thread."""
        self._awaits_answer = False
        """Whether the page has said something since it was last answered."""
        self._awaits_room = False
        self._taken_s = 0.0
        """How long its frames have kept the loop."""

    def take_short_way(self) -> None:
        """Feed frames in as they come, and answer at once, where the web server offers that."""
        self._direct = direct_of(self._websocket.scope)
        if self._direct is not None:
            self._direct.hand_over(self._take_now, _LARGE_FRAME)

    def wakeup(self) -> None:
        """Drain soon. Any thread."""
        if self._is_woken:
            return
        is_here = threading.get_ident() == self._thread
        if not is_here and self._awaits_answer and self._answer_at_once():
            return
        # One call to the loop per drain. From another thread each costs a system call, and the interpreter's lock
        # changes hands; on the loop's own thread many a value may be set in a row.
        self._is_woken = True
        with contextlib.suppress(RuntimeError):  # the server's loop is closed
            call_soon = self._loop.call_soon if is_here else self._loop.call_soon_threadsafe
            call_soon(self._stir, context=self._context)

    def _stir(self) -> None:
        self._is_woken = False  # Before the drain: what is marked from here on wakes again.
        direct = self._direct
        with self._sending:
            is_done = direct is not None and self._can_write() and self._write_now(direct.write)
        if is_done:
            self._set_timer()
        else:
            self._stirred.set()
        self._room.set()

    def _answer_at_once(self) -> bool:
        """Send in a thread other than the loop's, which need not wake up then. Returns whether it need not.

        For a page that waits for an answer, and once only: whoever sets values without end has them sent by the loop,
        which comes when it can, and then sends what stands.
        """
        direct = self._direct
        if direct is None or not self._sending.acquire(blocking=False):
            return False
        try:
            if not self._can_write() or self._awaits_room:
                return False
            self._awaits_answer = False
            is_done = self._write_now(direct.write_past)
        finally:
            self._sending.release()
        deadline = self.connection.next_deadline()
        # Timers are the loop's: base mode owes a correction some time after its answer.
        return is_done and (deadline is None or (self._deadline is not None and self._deadline <= deadline))

    def _can_write(self) -> bool:
        return not self._is_writing and not self._left

    def _take_now(self, frame: str | bytes) -> bool:
        """Feed a frame in as it comes, if that takes no wait."""
        if self._is_aside or self._taken_s > _TURN_S or self.connection.is_congested:
            return False
        if self._refusal is None:
            self._counters.came(frame)
            self._context.run(self._feed, frame)
        return True

    def _feed(self, frame: str | bytes) -> None:
        began_s = self._clock()
        self._awaits_answer = True
        self.connection.receive_frame(frame, began_s)
        self._taken_s += self._clock() - began_s
        self._taken()

    def _taken(self) -> None:
        for event in self.connection.events_received():
            self._counters.happened(event)
        self._set_timer()  # What there is to send now has called `wakeup`.

    def _write_now(self, write: Callable[[str | bytes], bool]) -> bool:
        """Send what there is to send, as long as the peer takes it. Returns whether there is nothing left to do."""
        connection = self.connection
        frames = connection.frames_to_send(self._clock())
        for number, frame in enumerate(frames):
            if not write(frame):
                self._left += frames[number:]
                return False
            self._counters.went(frame)
        self._sent(frames)
        return self._refusal is None and connection.closing is None

    def _sent(self, frames: Sequence[str | bytes]) -> None:
        if frames and not isinstance(self.connection, BaseServerConnection):
            self.connection.transport_progressed(self._clock())

    async def read(self) -> None:
        """Feed in what arrives, until the socket is gone."""
        connection = self.connection
        while True:
            self._awaits_room = True  # Before we look: whoever makes room looks at this afterwards.
            self._room.clear()
            while connection.is_congested:
                await self._room.wait()
                self._room.clear()
            self._awaits_room = False
            message = await self._websocket.receive()
            if message["type"] == "websocket.disconnect":
                return
            if self._refusal is not None:
                continue
            text = message.get("text")
            frame = message.get("bytes") or b"" if text is None else text
            self._counters.came(frame)
            if len(frame) > _LARGE_FRAME:
                self.had_large_frames = True
                # Decoding takes its time, which the other pages should not wait for. Order is kept: we wait.
                self._is_aside = True
                await anyio.to_thread.run_sync(connection.receive_frame, frame, self._clock())
                self._is_aside = False
                self._taken()
            else:
                self._feed(frame)
                if self._taken_s > _TURN_S:
                    # What has arrived already is received without a pause, however much there is of it.
                    await asyncio.sleep(0)
                    self._taken_s = 0.0

    async def write(self) -> None:
        """Send what there is to send, and close the socket when the core says so."""
        connection, socket = self.connection, self._websocket
        while True:
            self._stirred.clear()
            with self._sending:
                self._is_writing = True
                frames = [*self._left, *connection.frames_to_send(self._clock())]
                self._left.clear()
            self._room.set()
            self._set_timer()
            try:
                for frame in frames:
                    if isinstance(frame, str):
                        await socket.send_text(frame)
                    else:
                        await socket.send_bytes(frame)
                    self._counters.went(frame)
                self._sent(frames)
                closing = self._refusal or connection.closing
                if closing is not None:
                    self.closed_with = closing.reason
                    await socket.close(*closing)
                    return
            except (WebSocketDisconnect, RuntimeError):
                # The reader is about to hear of it, unless it waits for room that nobody would make any more.
                connection.receive_eof(self._clock())
                self._room.set()
                return
            self._is_writing = False
            await self._stirred.wait()

    def close(self, reason: str) -> None:
        """Close it, when what there is to send has left. Any thread."""
        with contextlib.suppress(RuntimeError):  # the server's loop is closed
            self._loop.call_soon_threadsafe(self._refuse, reason)

    def _refuse(self, reason: str) -> None:
        if self._refusal is None:
            self._refusal = Closing(CLOSE_CODES[reason], reason)
            self.closed_with = reason
            self._stir()
            self._stop_asking()
            self._asking = self._loop.call_later(_CLOSE_GRACE_S, self._give_up)

    def _give_up(self) -> None:
        if self.everything is not None:
            self.everything.cancel()

    def recheck(self, again: Recheck) -> None:
        """Close the socket when the peer may not be here any more; ask now and then."""
        if again.judge().allowed:
            self._asking = self._loop.call_later(again.every_s, self.recheck, again)
            return
        self.connection.receive_eof(self._clock())  # What there was to send is not for it any more.
        self._refuse("unauthorized")

    def _set_timer(self) -> None:
        """Have the core called in time. A deadline that moved away leaves the timer: it finds nothing to do then."""
        deadline = self.connection.next_deadline()
        if deadline is None or (self._deadline is not None and self._deadline <= deadline):
            return
        self._stop_timer()
        self._deadline = deadline
        self._timer = self._loop.call_later(max(0.0, deadline - self._clock()), self._ring)

    def _ring(self) -> None:
        self._deadline = self._timer = None
        self.connection.handle_timeout(self._clock())
        self._stirred.set()
        if self.connection.closing is not None:
            self.closed_with = self.connection.closing.reason
            # Perhaps because the peer does not read: then the writer will never come to closing.
            self._timer = self._loop.call_later(_CLOSE_GRACE_S, self._give_up)
        else:
            self._set_timer()

    def stop(self) -> None:
        """Forget what was to be done later."""
        self.leave()
        self._stop_asking()
        self._stop_timer()

    def _stop_asking(self) -> None:
        if self._asking is not None:
            self._asking.cancel()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._deadline = self._timer = None

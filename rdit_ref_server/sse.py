"""The event stream: `GET /api/execute`.

A page asks for what it has not seen (`?after=ID`, or `Last-Event-ID`, which a browser sends by itself when it
reconnects) and gets it from the log, then what happens, until the run is done. Then the stream ends: one that stayed
open would take one of the six connections that a browser has per host. What handlers print later comes over the
WebSocket.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

import anyio
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from .kernel import Kernel
from .log import Event

KEEP_ALIVE_S: Final = 15.0
"""After so much silence an event stream has a comment in it."""


async def respond(request: Request, kernel: Kernel) -> Response:
    """Answer a request for the event stream."""
    after = request.query_params.get("after") or request.headers.get("last-event-id") or "0"
    if not (after.isascii() and after.isdigit() and len(after) <= 15):
        return JSONResponse({"code": "bad_request", "message": "expected after=<id of an event>"}, status_code=400)
    esm = request.query_params.get("esm", "text")
    if esm not in ("text", "url"):
        return JSONResponse({"code": "bad_request", "message": "expected esm=text or esm=url"}, status_code=400)
    stream = event_stream(kernel, int(after), esm_text=esm == "text")
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(stream, media_type="text/event-stream", headers=headers)


async def event_stream(
    kernel: Kernel, after: int, *, esm_text: bool, keep_alive_s: float = KEEP_ALIVE_S
) -> AsyncIterator[bytes]:
    """Give events as server-sent events, one or a comment at a time, until the run they belong to is done.

    Args:
        kernel: whose log is read.
        after: id of the last event that the reader has.
        esm_text: whether widgets come with the text of their module.
        keep_alive_s: after how much silence a comment is sent, so that nobody between us thinks we are gone.
    """
    loop = asyncio.get_running_loop()
    news = asyncio.Event()

    def wake() -> None:
        with contextlib.suppress(RuntimeError):  # the server's loop is closed
            loop.call_soon_threadsafe(news.set)

    unsubscribe = kernel.log.subscribe(wake)
    try:
        while True:
            news.clear()
            events, is_done = kernel.log.read(after)
            for event in events:
                # A widget may be large, and encoding it must not hold up everybody else.
                yield await run_in_threadpool(_encode, kernel, event, esm_text)
                after = event.id
            if is_done:
                return
            with anyio.move_on_after(keep_alive_s) as silence:
                await news.wait()
            if silence.cancelled_caught:
                yield b": still here\n\n"
    finally:
        unsubscribe()


def _encode(kernel: Kernel, event: Event, esm_text: bool) -> bytes:
    kind, data = kernel.encode(event, esm_text=esm_text)
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (event.id, kind.encode(), data)

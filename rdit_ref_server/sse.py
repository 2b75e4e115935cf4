"""The event stream: `/api/execute`.

A page asks for what it has not seen (`GET`, `?after=ID`, or `Last-Event-ID`, which a browser sends by itself when it
reconnects) and gets it from the log, then what happens, until the run is done. Then the stream ends: one that stayed
open would take one of the six connections that a browser has per host. What handlers print later comes over the
WebSocket. For the same reason a browser with many tabs has a few streams at a time (`turns`).

Where the rules allow it a request may bring code, which goes on where the script ended: `GET ?code=` for an
`EventSource`, `POST {"code"}` for long code and for everybody else. The stream then has what happens from there on, and
ends when that code is done. A reader whose stream broke off says which event it saw last, and gets the rest: nothing
runs twice for it. One that saw no event at all may have chosen a `key`, by which the same code is known again.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from typing import Final

import anyio
import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from .executions import Execution
from .kernel import Kernel
from .log import Event
from .security import RECHECK
from .turns import Turn, Turns

KEEP_ALIVE_S: Final = 15.0
"""After so much silence an event stream has a comment in it."""

MAX_CODE_BYTES: Final = 4 * 1024 * 1024
"""Of a request that brings code."""

_LARGE_EVENT_BYTES: Final = 65_536
"""A larger event is encoded in a thread of its own, and so is a widget, which is not in the log but as it is."""

_KEY: Final = re.compile(r"[A-Za-z0-9_.:-]{1,128}")


class _Code(msgspec.Struct):
    code: str
    key: str | None = None


class _Refused(Exception):
    def __init__(self, status: int, code: str, message: str) -> None:
        self.response = JSONResponse({"code": code, "message": message}, status_code=status)


async def respond(
    request: Request, kernel: Kernel, *, allows_code: bool = False, turns: Turns | None = None
) -> Response:
    """Answer a request for the event stream.

    Args:
        request: for it.
        kernel: whose events they are.
        allows_code: whether it may bring code.
        turns: those that streams take.
    """
    try:
        return await _respond(request, kernel, allows_code, turns)
    except _Refused as refused:
        return refused.response


async def _respond(request: Request, kernel: Kernel, allows_code: bool, turns: Turns | None) -> Response:
    query = request.query_params
    given = query.get("after") or request.headers.get("last-event-id")
    if given is not None and not (given.isascii() and given.isdigit() and len(given) <= 15):
        raise _Refused(400, "bad_request", "expected after=<id of an event>")
    esm = query.get("esm", "text")
    if esm not in ("text", "url"):
        raise _Refused(400, "bad_request", "expected esm=text or esm=url")
    asked = await _code_of(request)
    if asked.code is not None and not allows_code:
        raise _Refused(403, "forbidden", "This server runs no code but its script's; `rdit serve --allow-code` does.")
    if asked.key is not None and not _KEY.fullmatch(asked.key):
        raise _Refused(400, "bad_request", "expected a key of 1 to 128 characters A-Z a-z 0-9 _ . : -")
    execution = kernel.find_execution(asked.key) if asked.key is not None else None
    if asked.code is not None and execution is None and (given is None or request.method == "POST"):
        execution = kernel.execute(asked.code, asked.key)
    after = int(given) if given is not None else 0 if execution is None else execution.after
    recheck = request.scope.get(RECHECK)
    stream = event_stream(
        kernel,
        after,
        esm_text=esm == "text",
        execution=execution,
        take_turn=_taking_turns(turns, request) if turns is not None and execution is None else _always_ones_turn,
        may_read=(lambda: recheck.judge().allowed) if recheck is not None else lambda: True,
    )
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(stream, media_type="text/event-stream", headers=headers)


def _taking_turns(turns: Turns, request: Request) -> Callable[[Callable[[], None]], AbstractContextManager[Turn]]:
    @contextlib.contextmanager
    def take_turn(on_over: Callable[[], None]) -> Iterator[Turn]:
        turn = turns.enter(request, on_over)
        try:
            yield turn
        finally:
            turns.leave(request, turn)

    return take_turn


def _always_ones_turn(on_over: Callable[[], None]) -> AbstractContextManager[Turn]:
    return contextlib.nullcontext(Turn(on_over))


class _Asked(msgspec.Struct):
    code: str | None
    key: str | None


async def _code_of(request: Request) -> _Asked:
    if request.method != "POST":
        return _Asked(request.query_params.get("code"), request.query_params.get("key"))
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_CODE_BYTES:
            raise _Refused(413, "too_large", f"expected at most {MAX_CODE_BYTES} bytes of code")
    try:
        given = msgspec.json.decode(body, type=_Code)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise _Refused(400, "bad_request", 'expected {"code": "...", "key": "..."}; the key may be left out') from None
    return _Asked(given.code, given.key)


async def event_stream(
    kernel: Kernel,
    after: int,
    *,
    esm_text: bool,
    execution: Execution | None = None,
    keep_alive_s: float = KEEP_ALIVE_S,
    take_turn: Callable[[Callable[[], None]], AbstractContextManager[Turn]] = _always_ones_turn,
    may_read: Callable[[], bool] = lambda: True,
) -> AsyncIterator[bytes]:
    """Give events as server-sent events, one or a comment at a time, until the run they belong to is done.

    Args:
        kernel: whose log is read.
        after: id of the last event that the reader has.
        esm_text: whether widgets come with the text of their module.
        execution: code that was sent; the stream ends with it, and not with the run.
        keep_alive_s: after how much silence a comment is sent, so that nobody between us thinks we are gone.
        take_turn: gives a stream its turn, at whose end it ends, too, when it has given what there is. Is told what to
            call then.
        may_read: asked before each look at the log; the stream ends when the answer is no.
    """
    loop = asyncio.get_running_loop()
    news = asyncio.Event()
    is_woken = False

    def wake() -> None:
        # One call to the loop per look at the log: each costs a system call, and the interpreter's lock changes hands.
        nonlocal is_woken
        if not is_woken:
            is_woken = True
            with contextlib.suppress(RuntimeError):  # the server's loop is closed
                loop.call_soon_threadsafe(news.set)

    with contextlib.ExitStack() as stack:
        turn = stack.enter_context(take_turn(news.set))
        stack.callback(kernel.log.subscribe(wake))
        if execution is not None and after:
            # An id without an event: a reader that breaks off before the first one comes back to this place.
            yield b"id: %d\n\n" % after
        while may_read():
            is_woken = False  # Before the look: what is logged from here on wakes again.
            news.clear()
            # Asked before the log is read: what is over has logged all.
            is_over = execution.is_over if execution is not None else None
            events, is_done = kernel.log.read(after)
            for event in events:
                if event.kind == "widget" or event.size_bytes > _LARGE_EVENT_BYTES:
                    # Encoding it must not hold up everybody else.
                    yield await run_in_threadpool(_encode, kernel, event, esm_text)
                else:
                    yield _encode(kernel, event, esm_text)
                after = event.id
            if is_over or (is_done and execution is None) or kernel.log.is_closed or turn.is_over:
                return
            with anyio.move_on_after(keep_alive_s) as silence:
                await news.wait()
            if silence.cancelled_caught:
                yield b": still here\n\n"


def _encode(kernel: Kernel, event: Event, esm_text: bool) -> bytes:
    kind, data = kernel.encode(event, esm_text=esm_text)
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (event.id, kind.encode(), data)

"""The ASGI application: routes and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from rdit_core import __version__

from . import sse, websocket
from .client_files import PAGE, ClientFile, read_client
from .compression import Compressed, respond, takes_gzip
from .counters import Counters
from .kernel import Kernel
from .kernels import Kernels, Tab, TooManyKernels
from .script import Script
from .security import HEALTH, Gate, RulesNow, present, security_headers
from .server_log import task_of
from .turns import Turns
from .workers import refuse_workers

CLIENT: Final = Path(__file__).parent / "client"

_PROTOCOL: Final = "base"
_FOR_EVER: Final = "private, max-age=31536000, immutable"


def create_app(
    kernel: Kernel | Kernels,
    script: Script,
    rules: RulesNow,
    *,
    client: Path = CLIENT,
    workers: int | None = None,
) -> Starlette:
    """Make the application, to be served by itself or mounted under any path of a Starlette or FastAPI application.

    All its addresses are relative to where it is mounted.

    Args:
        kernel: which runs the script. Serving it is the caller's (`kernel_lifespan`, `Kernel.start`, `serve_forever`):
            nobody runs the lifespan of an application that is mounted. Until then pages are told so (503). Or the
            kernels of which each page load has one.
        script: what `/api/reset` runs anew; reading it again picks up edits.
        rules: who may come, or what gives the rules that hold now, where a token can expire.
        client: directory of the browser side. Its `.js`, `.css` and `.html` files are read now, and served as they are
            now; to the page its modules as one.
        workers: how many processes serve the application. Default: what the environment and the command say.

    Raises:
        RuntimeError: several processes are to serve it. Each would have a kernel of its own, while the requests of one
            page go to any of them.
    """
    refuse_workers(workers)
    files = read_client(client)
    modules, turns = Compressed(), Turns()
    read_only_page = _marked(files, b"data-rdit-read-only")
    counters = Counters()
    if isinstance(kernel, Kernels):
        kernel.listen(lambda one: counters.add(one.manager), lambda one: counters.remove(one.manager))
    else:
        counters.add(kernel.manager)

    def client_response(name: str, request: Request) -> Response:
        file = files.get(name)
        return _not_found() if file is None else file.response(request)

    async def page(request: Request) -> Response:
        if isinstance(kernel, Kernel) and not kernel.has_begun:
            return _not_started()
        # It is told at once, so that it shows no button that does nothing.
        file = read_only_page if present(rules).read_only else files.get(PAGE)
        if file is None:
            return _not_found()
        if isinstance(kernel, Kernel):
            return file.response(request)
        # Each load of the page is somebody else.
        mark = b'<html data-rdit-kernel="%b"' % Kernels.new_key().encode()
        content = file.content.replace(b"<html", mark, 1)
        return Response(content, media_type=file.media_type, headers={"cache-control": "no-store"})

    async def client_file(request: Request) -> Response:
        return client_response(request.path_params["name"], request)

    async def esm(request: Request) -> Response:
        name = request.path_params["hash"]
        content = kernel.find_module(name) if isinstance(kernel, Kernels) else kernel.modules.find(name)
        if content is None:
            return _not_found()
        # A module may be large, and compressing it must not hold up everybody else.
        gzipped = await run_in_threadpool(modules.find, name, content) if takes_gzip(request.headers) else None
        return respond(
            request, content, gzipped, media_type="text/javascript", etag=f'"{name}"', cache_control=_FOR_EVER
        )

    async def execute(request: Request) -> Response:
        allows_code = present(rules).allows_code
        if isinstance(kernel, Kernel):
            if not kernel.has_begun:
                return _not_started()
            return await sse.respond(request, kernel, allows_code=allows_code, turns=turns)
        tab = await enter(request)
        if isinstance(tab, Response):
            return tab
        response = await sse.respond(request, tab.kernel, allows_code=allows_code, turns=turns)
        return _Visit(response, lambda: kernel.leave(tab))

    async def enter(request: HTTPConnection) -> Tab | Response:
        """Become a visitor of the kernel that a request is about."""
        assert isinstance(kernel, Kernels)
        key = request.query_params.get("kernel", "")
        if not Kernels.is_key(key):
            message = "Each page load has its own kernel here: expected kernel=<16 to 64 characters A-Z a-z 0-9 _ ->"
            return JSONResponse({"code": "bad_request", "message": message}, status_code=400)
        try:
            return await run_in_threadpool(kernel.enter, key)
        except TooManyKernels:
            message = "There is no room for another kernel; close another page and wait a little."
            return JSONResponse({"code": "too_many_kernels", "message": message}, status_code=503)

    async def status(request: Request) -> Response:
        key = request.query_params.get("kernel", "")
        one = kernel.find(key) if isinstance(kernel, Kernels) else kernel
        about = {
            "script": script.path.name,
            "state": "idle" if one is None else one.state,
            "last_event_id": 0 if one is None else one.log.last_id,
            "version": __version__,
            "protocol": _PROTOCOL,
            "counters": counters.as_dict(),
        }
        if one is not None and one.number is not None:
            about["kernel"] = one.number
        return JSONResponse(about, headers={"cache-control": "no-store"})

    async def health(request: Request) -> Response:
        # No more than this: nobody has to say who asks.
        health = "ok"
        if kernel.is_stopping:
            health = "stopping"
        elif isinstance(kernel, Kernel) and not kernel.has_begun:
            health = "not_started"
        return JSONResponse(
            {"status": health},
            status_code=200 if health == "ok" else 503,
            headers={"cache-control": "no-store"},
        )

    async def reset(request: Request) -> Response:
        if present(rules).read_only:
            return _read_only()

        def restart(one: Kernel) -> None:
            one.reset()
            one.run(script)

        return await tell(request, restart)

    async def interrupt(request: Request) -> Response:
        if present(rules).read_only:
            return _read_only()
        return await tell(request, lambda one: one.interrupt())

    async def tell(request: Request, what: Callable[[Kernel], None]) -> Response:
        if isinstance(kernel, Kernel):
            what(kernel)
        else:
            tab = await enter(request)
            if isinstance(tab, Response):
                return tab
            what(tab.kernel)
            kernel.leave(tab)
        return JSONResponse({"ok": True}, status_code=202)

    async def widgets(socket: WebSocket) -> None:
        if isinstance(kernel, Kernel):
            await serve(socket, kernel)
            return
        tab = await enter(socket)
        if isinstance(tab, Response):
            reason = "server_shutdown" if kernel.is_stopping else "connection_limit"
            await websocket.turn_away(socket, reason, counters)
            return
        try:
            await serve(socket, tab.kernel)
        finally:
            kernel.leave(tab)

    async def serve(socket: WebSocket, one: Kernel) -> None:
        with task_of(one.number):
            await websocket.serve(
                socket, one.manager, counters=counters, sockets=one.sockets, is_stopping=lambda: kernel.is_stopping
            )

    async def failed(request: Request, error: Exception) -> Response:
        # Made outside of the gate, which therefore cannot add its headers.
        body = {"code": "internal", "message": "The server failed; its own output says why."}
        return JSONResponse(body, status_code=500, headers=dict(security_headers(None, present(rules))))

    return Starlette(
        routes=[
            Route("/", page),
            Route("/client/{name}", client_file),
            Route("/esm/{hash}.js", esm),
            Route("/api/execute", execute, methods=["GET", "POST"]),
            Route("/api/status", status),
            Route("/api/reset", reset, methods=["POST"]),
            Route("/api/interrupt", interrupt, methods=["POST"]),
            Route(HEALTH, health),
            WebSocketRoute("/ws/widgets", widgets),
        ],
        middleware=[Middleware(Gate, rules=rules, on_refusal=counters.refused)],
        exception_handlers={Exception: failed},
    )


class _Visit(Response):
    """A response whose reader is a visitor of a kernel until it is sent, or cannot be."""

    def __init__(self, response: Response, leave: Callable[[], None]) -> None:
        self._response = response
        self._leave = leave

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._response(scope, receive, send)
        finally:
            self._leave()


def _marked(files: Mapping[str, ClientFile], attribute: bytes) -> ClientFile | None:
    """The page with one attribute more."""
    page = files.get(PAGE)
    return None if page is None else ClientFile.of(page.content.replace(b"<html", b"<html " + attribute, 1), ".html")


def _read_only() -> Response:
    return JSONResponse({"code": "forbidden", "message": "This server lets its pages see only."}, status_code=403)


def _not_started() -> Response:
    message = "No kernel was started: run the application inside of `rdit_ref_server.kernel_lifespan`."
    return JSONResponse({"code": "not_started", "message": message}, status_code=503)


def _not_found() -> Response:
    return JSONResponse({"code": "not_found", "message": "There is nothing here."}, status_code=404)

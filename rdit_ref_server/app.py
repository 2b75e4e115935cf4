"""The ASGI application: routes and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from rdit_core import __version__

from . import sse, websocket
from .client_files import PAGE, read_client
from .counters import Counters
from .kernel import Kernel
from .script import Script
from .security import HEALTH, AccessRules, Gate, security_headers

CLIENT: Final = Path(__file__).parent / "client"

_PROTOCOL: Final = "base"
_FOR_EVER: Final = "private, max-age=31536000, immutable"


def create_app(kernel: Kernel, script: Script, rules: AccessRules, *, client: Path = CLIENT) -> Starlette:
    """Make the application. It is to be mounted at the root of its host.

    Args:
        kernel: which runs the script. Serving it (`Kernel.serve_forever` or `start`) is the caller's.
        script: what `/api/reset` runs anew; reading it again picks up edits.
        rules: who may come.
        client: directory of the browser side. Its `.js`, `.css` and `.html` files are read now, and served as they are
            now; to the page its modules as one.
    """
    files = read_client(client)

    def client_response(name: str, request: Request) -> Response:
        file = files.get(name)
        return _not_found() if file is None else file.response(request)

    counters = Counters(kernel.manager)

    async def page(request: Request) -> Response:
        return client_response(PAGE, request)

    async def client_file(request: Request) -> Response:
        return client_response(request.path_params["name"], request)

    async def esm(request: Request) -> Response:
        content = kernel.modules.find(request.path_params["hash"])
        if content is None:
            return _not_found()
        return Response(content, media_type="text/javascript", headers={"cache-control": _FOR_EVER})

    async def execute(request: Request) -> Response:
        return await sse.respond(request, kernel)

    async def status(request: Request) -> Response:
        about = {
            "script": script.path.name,
            "state": kernel.state,
            "last_event_id": kernel.log.last_id,
            "version": __version__,
            "protocol": _PROTOCOL,
            "counters": counters.as_dict(),
        }
        return JSONResponse(about, headers={"cache-control": "no-store"})

    async def health(request: Request) -> Response:
        # No more than this: nobody has to say who asks.
        is_well = not kernel.is_stopping
        return JSONResponse(
            {"status": "ok" if is_well else "stopping"},
            status_code=200 if is_well else 503,
            headers={"cache-control": "no-store"},
        )

    async def reset(request: Request) -> Response:
        kernel.reset()
        kernel.run(script)
        return JSONResponse({"ok": True}, status_code=202)

    async def interrupt(request: Request) -> Response:
        kernel.interrupt()
        return JSONResponse({"ok": True}, status_code=202)

    async def widgets(socket: WebSocket) -> None:
        await websocket.serve(socket, kernel.manager, counters=counters, is_stopping=lambda: kernel.is_stopping)

    async def failed(request: Request, error: Exception) -> Response:
        # Made outside of the gate, which therefore cannot add its headers.
        body = {"code": "internal", "message": "The server failed; its own output says why."}
        return JSONResponse(body, status_code=500, headers=dict(security_headers(None, rules)))

    return Starlette(
        routes=[
            Route("/", page),
            Route("/client/{name}", client_file),
            Route("/esm/{hash}.js", esm),
            Route("/api/execute", execute),
            Route("/api/status", status),
            Route("/api/reset", reset, methods=["POST"]),
            Route("/api/interrupt", interrupt, methods=["POST"]),
            Route(HEALTH, health),
            WebSocketRoute("/ws/widgets", widgets),
        ],
        middleware=[Middleware(Gate, rules=rules, on_refusal=counters.refused)],
        exception_handlers={Exception: failed},
    )


def _not_found() -> Response:
    return JSONResponse({"code": "not_found", "message": "There is nothing here."}, status_code=404)

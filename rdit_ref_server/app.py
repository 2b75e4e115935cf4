"""The ASGI application: routes and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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
from .kernel import Kernel
from .script import Script
from .security import Gate, RulesNow, present, security_headers

CLIENT: Final = Path(__file__).parent / "client"

_PROTOCOL: Final = "base"
_MEDIA_TYPES: Final = {".js": "text/javascript", ".css": "text/css", ".html": "text/html"}
_FOR_EVER: Final = "private, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    media_type: str


def create_app(kernel: Kernel, script: Script, rules: RulesNow, *, client: Path = CLIENT) -> Starlette:
    """Make the application, to be served by itself or mounted under any path of a Starlette or FastAPI application.

    All its addresses are relative to where it is mounted.

    Args:
        kernel: which runs the script. Serving it is the caller's (`kernel_lifespan`, `Kernel.start`, `serve_forever`):
            nobody runs the lifespan of an application that is mounted. Until then pages are told so (503).
        script: what `/api/reset` runs anew; reading it again picks up edits.
        rules: who may come, or what gives the rules that hold now, where a token can expire.
        client: directory of the browser side. Its `.js`, `.css` and `.html` files are read now, and served as they are
            now.
    """
    files = _read_files(client)

    async def page(request: Request) -> Response:
        if not kernel.has_begun:
            return _not_started()
        return _file_response(files.get("index.html"))

    async def client_file(request: Request) -> Response:
        return _file_response(files.get(request.path_params["name"]))

    async def esm(request: Request) -> Response:
        content = kernel.modules.find(request.path_params["hash"])
        if content is None:
            return _not_found()
        return Response(content, media_type="text/javascript", headers={"cache-control": _FOR_EVER})

    async def execute(request: Request) -> Response:
        if not kernel.has_begun:
            return _not_started()
        return await sse.respond(request, kernel)

    async def status(request: Request) -> Response:
        about = {
            "script": script.path.name,
            "state": kernel.state,
            "last_event_id": kernel.log.last_id,
            "version": __version__,
            "protocol": _PROTOCOL,
        }
        return JSONResponse(about, headers={"cache-control": "no-store"})

    async def reset(request: Request) -> Response:
        kernel.reset()
        kernel.run(script)
        return JSONResponse({"ok": True}, status_code=202)

    async def interrupt(request: Request) -> Response:
        kernel.interrupt()
        return JSONResponse({"ok": True}, status_code=202)

    async def widgets(socket: WebSocket) -> None:
        await websocket.serve(socket, kernel.manager)

    async def failed(request: Request, error: Exception) -> Response:
        # Made outside of the gate, which therefore cannot add its headers.
        body = {"code": "internal", "message": "The server failed; its own output says why."}
        return JSONResponse(body, status_code=500, headers=dict(security_headers(None, present(rules))))

    return Starlette(
        routes=[
            Route("/", page),
            Route("/client/{name}", client_file),
            Route("/esm/{hash}.js", esm),
            Route("/api/execute", execute),
            Route("/api/status", status),
            Route("/api/reset", reset, methods=["POST"]),
            Route("/api/interrupt", interrupt, methods=["POST"]),
            WebSocketRoute("/ws/widgets", widgets),
        ],
        middleware=[Middleware(Gate, rules=rules)],
        exception_handlers={Exception: failed},
    )


def _read_files(directory: Path) -> Mapping[str, _File]:
    """The files of the browser side by name. A request is a lookup in this dict, so no name becomes a path."""
    return {
        path.name: _File(path.read_bytes(), _MEDIA_TYPES[path.suffix])
        for path in sorted(directory.iterdir())
        if path.suffix in _MEDIA_TYPES and path.is_file()
    }


def _file_response(file: _File | None) -> Response:
    if file is None:
        return _not_found()
    # Small files that change with the server: always asked for, so that a page never mixes two versions.
    return Response(file.content, media_type=file.media_type, headers={"cache-control": "no-cache"})


def _not_started() -> Response:
    message = "No kernel was started: run the application inside of `rdit_ref_server.kernel_lifespan`."
    return JSONResponse({"code": "not_started", "message": message}, status_code=503)


def _not_found() -> Response:
    return JSONResponse({"code": "not_found", "message": "There is nothing here."}, status_code=404)

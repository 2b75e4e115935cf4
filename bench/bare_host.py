"""The bare host of the cold start: anywidget and uvicorn, one widget, no sync. `python -m bench.bare_host`.

It runs the same script as the other one, and serves a page that fetches the widget's module and state and renders it:
four requests, the least that it takes. It says its address on stdout.
"""

from __future__ import annotations

import runpy
import socket
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

PAGES = Path(__file__).parent / "pages"
PAGE = """<!doctype html><meta charset="utf-8"><title>bare</title><link rel="icon" href="data:,"><body>
<script type="module">
  const [module, state] = await Promise.all([import("/widget.js"), fetch("/state").then((answer) => answer.json())]);
  module.default.render({ model: { get: (name) => state[name] }, el: document.body });
</script>"""


def main() -> None:
    """Serve until the process is ended."""
    widget = runpy.run_path(str(PAGES / "first.py"))["First"]()

    async def page(request: Request) -> Response:
        return HTMLResponse(PAGE)

    async def module(request: Request) -> Response:
        return Response(str(widget._esm), media_type="text/javascript")

    async def state(request: Request) -> Response:
        return JSONResponse({"value": widget.value})

    app = Starlette(routes=[Route("/", page), Route("/widget.js", module), Route("/state", state)])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(f"http://127.0.0.1:{listener.getsockname()[1]}/", flush=True)
        uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])


if __name__ == "__main__":
    main()

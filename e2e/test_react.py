"""A front end in React, on a web server of its own: `WidgetRenderer` with React's own files, in strict mode."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from e2e.commonjs import as_module
from e2e.conftest import Serve
from e2e.page import Page
from scripts import js

HERE = Path(__file__).parent
PACKAGES = js.CLIENT / "node_modules"
TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript"}


class Site(BaseHTTPRequestHandler):
    """`/` is the front end, `/client/` the browser side as it is, `/npm/` its packages as ES modules."""

    def do_GET(self) -> None:
        room, _, file = self.path.partition("?")[0].lstrip("/").rpartition("/")
        top, _, inner = room.partition("/")
        folder = {"": HERE / "react", "client": js.CLIENT, "npm": PACKAGES / inner}.get(top)
        path = folder / (file or "index.html") if folder else None
        if path is None or not path.is_file():
            self.send_error(404)
            return
        text = path.read_text(encoding="utf-8")
        body = (as_module(text) if top == "npm" else text).encode()
        self.send_response(200)
        self.send_header("content-type", TYPES[path.suffix])
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """A test run wants no access log."""


@pytest.fixture(scope="module")
def react_site() -> Iterator[str]:
    """The front end's address."""
    js.install_packages(js.system_npm() or js.npm_from_pypi())
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.alike
@pytest.mark.parametrize("via", ["websocket", "connection"])
def test_a_widget_in_react_follows_python_wherever_it_is_mounted(
    serve: Serve, open_page: Callable[[str], Page], react_site: str, via: str
) -> None:
    server = serve(HERE / "scripts" / "clicks.py", "--no-token", "--allow-origin", react_site)
    page = open_page(f"{react_site}/?via={via}&server={server.url.rstrip('/')}")
    page.wait_for_text("#left .clicks", "Clicked 0 times")
    page.click("#left .clicks")
    server.wait_for_output("Python saw value change: 0 → 1")
    page.click("#toggle-right")
    page.wait_for_text("#right .clicks", "Clicked 1 times")
    page.click("#right .clicks")
    server.wait_for_output("Python saw value change: 1 → 2")
    page.wait_for_text("#left .clicks", "Clicked 2 times")
    assert page.count(".clicks") == page.count(".widget-container") == 2
    page.click("#toggle-left")
    page.wait_for("document.querySelector('#left') === null")
    page.click("#right .clicks")
    server.wait_for_output("Python saw value change: 2 → 3")
    page.click("#toggle-left")
    page.wait_for_text("#left .clicks", "Clicked 3 times")
    page.click("#left .clicks")
    server.wait_for_output("Python saw value change: 3 → 4")
    page.wait_for_text("#right .clicks", "Clicked 4 times")
    assert page.count(".clicks") == 2
    assert page.errors() == []

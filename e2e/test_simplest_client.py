"""The simplest client: three messages, no handshake. Its file is frozen, so that it works with every server to come."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from e2e.conftest import Serve
from e2e.page import Page

HERE = Path(__file__).parent
FROZEN = "527fb49ab113e5fe8e1912e5bc5ed5c8c3af3262d0cd98eb1f380cc9c5f1a612"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """A test run wants no access log."""


@pytest.fixture
def foreign_origin() -> Iterator[str]:
    """Another web server on this machine: to a browser, another origin."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(HERE / "simplest")))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_simplest_client_is_what_it_was() -> None:
    assert hashlib.sha256((HERE / "simplest" / "client.js").read_bytes()).hexdigest() == FROZEN


def test_the_simplest_client_works_both_ways(
    serve: Serve, open_page: Callable[[str], Page], foreign_origin: str
) -> None:
    server = serve(HERE / "scripts" / "two_values.py", "--no-token", "--allow-origin", foreign_origin)
    page = open_page(f"{foreign_origin}/?server={server.url.rstrip('/')}")
    page.wait_for("document.body.dataset.ready === 'true' && document.querySelector('.poke-set') !== null")
    page.fill(".field-shared", '"from thirty lines"')
    page.press("Enter")
    server.wait_for_output("shared is 'from thirty lines'")
    page.wait_for("document.body.dataset.acked === 'value'")
    page.click(".poke-set")
    page.wait_for_text(".shown-shared", "from Python")
    page.fill(".field-clamped", '"text"')
    page.press("Enter")
    page.wait_for("document.body.dataset.error !== undefined")
    page.wait_for("document.querySelector('.shown-clamped').textContent === '5'")


@pytest.mark.threat(1)
def test_a_foreign_origin_that_was_not_allowed_gets_nothing(
    serve: Serve, open_page: Callable[[str], Page], foreign_origin: str
) -> None:
    server = serve(HERE / "scripts" / "two_values.py")
    page = open_page(server.url)  # From here on the browser has the cookie, and sends it to any port of this host.
    page.wait_idle()
    base = page.url().rstrip("/")
    other = page.new_tab(f"{foreign_origin}/nothing-here")
    verdict = other.evaluate(
        f"""new Promise((resolve) => {{
          const ws = new WebSocket({base.replace("http", "ws")!r} + "/ws/widgets");
          ws.onopen = () => resolve("open");
          ws.onerror = () => resolve("refused");
        }})"""
    )
    assert verdict == "refused"
    answer = f"fetch({base!r} + '/api/status', {{credentials: 'include'}}).then(() => 'read', () => 'refused')"
    assert other.evaluate(answer) == "refused"

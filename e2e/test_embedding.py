"""rdit inside of other people's applications and pages: the files of `docs/embedding.md`, each as it stands there."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from e2e.conftest import Serve
from e2e.page import Page
from scripts import bootstrap, js
from scripts.alone import alone

EXAMPLES = Path(__file__).parent.parent / "examples"
EMBEDDING = EXAMPLES / "embedding"
TOKEN = "a-token-for-stories"
PATIENCE_S = 30.0

OpenPage = Callable[[str], Page]


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """A test run wants no access log."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for_answer(address: str, process: subprocess.Popen[bytes]) -> None:
    give_up_s = time.monotonic() + PATIENCE_S
    while True:
        try:
            if address.startswith("tcp://"):
                host, _, port = address.removeprefix("tcp://").partition(":")
                socket.create_connection((host, int(port)), PATIENCE_S).close()
            else:
                urllib.request.urlopen(address, timeout=PATIENCE_S).close()
            return
        except OSError:
            assert process.poll() is None, f"it ended, with {process.returncode}"
            assert time.monotonic() < give_up_s, f"nobody answers at {address}"
            time.sleep(0.05)


@pytest.fixture
def run() -> Iterator[Callable[..., None]]:
    """Starts a program and waits until an address of it answers; it ends with the test."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*command: str | Path, until: str, cwd: Path | None = None, **environment: str) -> None:
        process = subprocess.Popen(command, cwd=cwd, env={**os.environ, **environment}, start_new_session=True)
        started.append(process)
        wait_for_answer(until, process)

    yield start
    for process in started:
        process.terminate()
        process.wait(PATIENCE_S)


@pytest.fixture
def site() -> Iterator[Callable[[Path], int]]:
    """Serves a folder from a port of its own, which it gives: to a browser, another origin."""
    servers: list[tuple[ThreadingHTTPServer, threading.Thread]] = []

    def start(folder: Path) -> int:
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        servers.append((server, thread))
        port: int = server.server_address[1]
        return port

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def with_client(tmp_path: Path) -> Callable[[str], Path]:
    """A copy of an example's folder, with what `rdit client` puts into it."""

    def copy(name: str) -> Path:
        folder = tmp_path / name
        shutil.copytree(EMBEDDING / name, folder, ignore=shutil.ignore_patterns("node_modules", "rdit-client", "dist"))
        code = "import sys; from rdit_ref_server.copy_client import copy_client; sys.exit(copy_client(sys.argv[1:]))"
        subprocess.run([sys.executable, "-c", code, "--out", folder / "rdit-client"], check=True, capture_output=True)
        return folder

    return copy


@pytest.fixture(scope="session")
def nginx() -> str:
    """The program, from the system's packages."""
    path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin"))
    # Two engines may run at the same time.
    with alone("apt"):
        if (found := shutil.which("nginx", path=path)) is None:
            try:
                bootstrap.apt_install("nginx-light")
            except SystemExit as refusal:
                pytest.skip(f"no nginx on this machine. {refusal}")
            found = shutil.which("nginx", path=path)
    assert found is not None
    return found


def click_to(page: Page, count: int) -> None:
    page.click(".counter")
    page.wait_for_text(".counter", f"Count: {count}")


@pytest.mark.alike
@pytest.mark.parametrize("framework", ["fastapi", "starlette"])
def test_a_mounted_page_works_beside_the_applications_own_routes(
    run: Callable[..., None], open_page: OpenPage, framework: str
) -> None:
    port = free_port()
    clicks = f"http://127.0.0.1:{port}/clicks"
    run(sys.executable, EMBEDDING / f"in_{framework}.py", until=clicks, PORT=str(port), RDIT_TOKEN=TOKEN)
    # Without the slash the framework redirects, with the token.
    page = open_page(f"http://127.0.0.1:{port}/widgets?token={TOKEN}")
    page.wait_idle()
    assert page.url() == f"http://127.0.0.1:{port}/widgets/"
    click_to(page, 1)
    page.wait_for_text("main", "Python saw value change: 0 → 1")
    page.reload()
    page.wait_idle()
    click_to(page, 2)
    page.wait_idle()
    with urllib.request.urlopen(clicks, timeout=PATIENCE_S) as answer:
        assert json.load(answer) == [2]
    assert page.errors() == []


@pytest.mark.alike
@pytest.mark.parametrize("passed_on", ["without the prefix", "with the prefix"])
def test_behind_nginx_the_page_works_under_a_path_of_the_site(
    run: Callable[..., None], serve: Serve, open_page: OpenPage, nginx: str, tmp_path: Path, passed_on: str
) -> None:
    port, inner = free_port(), free_port()
    server_block = (EMBEDDING / "nginx.conf").read_text(encoding="utf-8")
    server_block = server_block.replace("127.0.0.1:9000", f"127.0.0.1:{port}")
    server_block = server_block.replace("The site itself", "The site itself was sent [$http_cookie]")
    slash = "/" if passed_on == "without the prefix" else ""
    server_block, count = re.subn(r"(proxy_pass http://127\.0\.0\.1:)8765/;", rf"\g<1>{inner}{slash};", server_block)
    assert count == 1
    temporary = " ".join(f"{kind}_temp_path temp;" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    user = "user root;" if os.geteuid() == 0 else ""
    (tmp_path / "nginx.conf").write_text(
        f"daemon off; pid nginx.pid; error_log stderr warn; {user}\nevents {{}}\n"
        f"http {{\naccess_log off; {temporary}\n{server_block}}}\n",
        encoding="utf-8",
    )
    run(nginx, "-e", "stderr", "-p", tmp_path, "-c", "nginx.conf", until=f"http://127.0.0.1:{port}/")
    public_url = f"http://127.0.0.1:{port}/widgets"
    server = serve(EXAMPLES / "counter.py", "--port", str(inner), "--public-url", public_url)
    assert server.url.startswith(f"{public_url}/?token=")
    page = open_page(server.url.replace("/?", "?"))
    page.wait_idle()
    assert page.url() == f"{public_url}/"
    click_to(page, 1)
    server.wait_for_output("Python saw value change: 0 → 1")
    page.wait_for_text("main", "Python saw value change: 0 → 1")
    page.click("#rdit-restart")
    page.wait_for_text(".counter", "Count: 0")
    page.wait_idle()
    assert page.errors() == []
    sent = page.evaluate("fetch('/', {credentials: 'include'}).then((answer) => answer.text())")
    assert "The site itself was sent []" in sent, "the rest of the site never sees the cookie"


def test_a_page_of_ones_own_on_another_port_uses_the_cookie(
    serve: Serve, open_page: OpenPage, site: Callable[[Path], int], with_client: Callable[[str], Path]
) -> None:
    own = f"http://127.0.0.1:{site(with_client('own_page'))}"
    server = serve(EXAMPLES / "counter.py", "--allow-origin", own)
    first = open_page(server.url)
    first.wait_idle()
    page = first.new_tab(f"{own}/?server={first.url().rstrip('/')}")
    page.wait_for_text(".counter", "Count: 0")
    click_to(page, 1)
    server.wait_for_output("Python saw value change: 0 → 1")
    first.wait_for_text(".counter", "Count: 1")
    click_to(first, 2)
    page.wait_for_text(".counter", "Count: 2")
    assert page.evaluate("document.body.dataset.state") == "live"


def test_a_page_of_another_site_uses_an_import_map_and_a_token(
    serve: Serve, open_page: OpenPage, site: Callable[[Path], int], with_client: Callable[[str], Path]
) -> None:
    folder = with_client("own_page")
    own = f"http://localhost:{site(folder)}"
    server = serve(EXAMPLES / "counter.py", "--token", TOKEN, "--allow-origin", own)
    there = server.url.partition("://")[2].partition("/")[0]
    policy = (
        "default-src 'none'; img-src 'self'; script-src 'self' 'unsafe-inline' blob:; style-src 'unsafe-inline'; "
        f"connect-src http://{there} ws://{there}"
    )
    file = folder / "import_map.html"
    page_text = file.read_text(encoding="utf-8")
    meta = f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    file.write_text(page_text.replace("<title>", f"{meta}<title>"), encoding="utf-8")
    # To a browser `localhost` and `127.0.0.1` are two sites: no cookie goes from one to the other.
    page = open_page(f"{own}/import_map.html?server={server.url.partition('/?')[0]}#{TOKEN}")
    page.wait_for_text(".counter", "Count: 0")
    click_to(page, 1)
    server.wait_for_output("Python saw value change: 0 → 1")
    assert page.evaluate("document.body.dataset.state") == "live"


@pytest.mark.alike
def test_a_page_shows_a_widget_of_a_host_without_rdits_server(
    run: Callable[..., None], open_page: OpenPage, site: Callable[[Path], int], with_client: Callable[[str], Path]
) -> None:
    folder, port = with_client("own_page"), free_port()
    (folder / "bare.html").write_text(
        f"""<!doctype html><meta charset="utf-8"><title>Bare</title><div id="here"></div><script type="module">
        import {{ connect, renderWidget }} from "./rdit-client/index.js";
        const connection = connect("ws://127.0.0.1:{port}/");
        window.model = await connection.whenOpen("counter");
        await renderWidget({{ widgetData: connection.widgetData("counter"), el: here, connection }});
        </script>"""
    )
    own = f"http://127.0.0.1:{site(folder)}"
    run(sys.executable, EMBEDDING / "over_websockets.py", until=f"tcp://127.0.0.1:{port}", PORT=str(port), ORIGINS=own)
    page, other = open_page(f"{own}/bare.html"), open_page(f"{own}/bare.html")
    for one in (page, other):
        one.wait_for_text("#here", "0")
    page.evaluate("(model.set('value', 8), model.save_changes())")
    other.wait_for("window.model.get('value') === 8")


@pytest.mark.alike
def test_a_page_built_with_vite_works(
    run: Callable[..., None], serve: Serve, open_page: OpenPage, with_client: Callable[[str], Path]
) -> None:
    folder = with_client("vite")
    npm = js.system_npm() or js.npm_from_pypi()
    subprocess.run([*npm, "ci", "--no-audit", "--no-fund"], cwd=folder, check=True)
    subprocess.run([*npm, "run", "build"], cwd=folder, check=True)
    vite = ["node", folder / "node_modules" / "vite" / "bin" / "vite.js"]
    built, developed = free_port(), free_port()
    for port, arguments in ((built, ["preview"]), (developed, [])):
        where = ("--host", "127.0.0.1", "--strictPort", "--port", str(port))
        run(*vite, *arguments, *where, until=f"http://127.0.0.1:{port}/", cwd=folder)
    origins = [f"http://127.0.0.1:{port}" for port in (built, developed)]
    server = serve(EXAMPLES / "counter.py", *(word for origin in origins for word in ("--allow-origin", origin)))
    first = open_page(server.url)
    first.wait_idle()
    for count, origin in enumerate(origins, 1):
        page = first.new_tab(f"{origin}/?server={first.url().rstrip('/')}")
        page.wait_for_text(".counter", f"Count: {count - 1}")
        click_to(page, count)
        first.wait_for_text(".counter", f"Count: {count}")

"""Pages of an attacker in the visitor's own browser, which has the cookie; and text that would like to be markup."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from e2e.conftest import Serve
from e2e.page import Page

COUNTING = """
import anywidget, pathlib, sys, traitlets

class Alive(anywidget.AnyWidget):
    _esm = '''export default { render({ el }) {
      el.textContent = "alive";
      if (window.parent !== window) window.parent.postMessage("alive at " + location.origin, "*");
    } }'''

print("a run begins", file=sys.stderr)
alive = Alive()
alive
"""


class Attacker:
    """Another web server on this machine: to a browser another origin, under each of its names."""

    def __init__(self) -> None:
        attacker = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(attacker.page.encode())

            def log_message(self, format: str, *args: object) -> None:
                """A test run wants no access log."""

        self.page = "<!doctype html><title>attacker</title><body>"
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.port: int = self._server.server_address[1]
        self.origin = f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def attacker() -> Iterator[Attacker]:
    server = Attacker()
    yield server
    server.close()


@pytest.fixture
def evil_name(browser_name: str) -> str:
    """A name that is not the server's and leads to this machine, as after DNS rebinding."""
    # Chromium has a rule for it (conftest). Other engines let nobody map names, but know these by themselves.
    return "rebound.evil.test" if browser_name == "chromium" else "evil.localhost"


def visited(serve: Serve, open_page: Callable[[str], Page], *arguments: str) -> tuple[str, Page]:
    """A server whose page was opened, so that the browser has its cookie: its origin, and the page."""
    server = serve(COUNTING, *arguments)
    page = open_page(server.url)
    page.wait_idle()
    return re.sub(r"/\?.*", "", server.url), page


@pytest.mark.threat(8)
def test_the_token_is_in_no_place_that_a_page_can_read_or_pass_on(
    serve: Serve, open_page: Callable[[str], Page]
) -> None:
    _, page = visited(serve, open_page)
    assert "token" not in page.url()
    assert page.evaluate("document.cookie") == ""
    assert page.evaluate("document.referrer") == ""
    assert page.evaluate("performance.getEntriesByType('resource').filter((e) => e.name.includes('token')).length") == 0


@pytest.mark.threat(1, 3, 25)
def test_a_page_at_another_port_reads_nothing_changes_nothing_and_runs_none_of_our_code(
    serve: Serve, open_page: Callable[[str], Page], attacker: Attacker
) -> None:
    """To a cookie it is the same site, so that the browser sends it along."""
    server = serve(COUNTING)
    page = open_page(server.url)
    page.wait_idle()
    origin = re.sub(r"/\?.*", "", server.url)
    module = page.evaluate(
        "performance.getEntriesByType('resource').map((e) => e.name).find((n) => n.includes('/esm/'))"
    )
    assert module.startswith(f"{origin}/esm/")
    evil = page.new_tab(attacker.origin)
    outcome = evil.evaluate(
        f"""(async () => {{
          const load = (tag, fields) => new Promise((resolve) => {{
            const element = Object.assign(document.createElement(tag), fields);
            element.onload = () => resolve("loaded");
            element.onerror = () => resolve("refused");
            document.body.append(element);
          }});
          const socket = (offers) => new Promise((resolve) => {{
            const one = new WebSocket({origin.replace("http", "ws")!r} + "/ws/widgets", offers);
            one.onopen = () => resolve("open");
            one.onerror = () => resolve("refused");
          }});
          const read = (path, options) =>
            fetch({origin!r} + path, options).then(({{ type }}) => `read (${{type}})`, () => "refused");
          const withCookie = {{ credentials: "include" }};
          const blind = {{ credentials: "include", mode: "no-cors" }};
          return {{
            v1: await socket(["rdit.v1"]),
            base: await socket([]),
            status: await read("/api/status", withCookie),
            results: await read("/api/execute", withCookie),
            blindStatus: await read("/api/status", blind),
            module: await load("script", {{ src: {module!r}, type: "module" }}),
            script: await load("script", {{ src: {module!r} }}),
            client: await load("script", {{ src: {origin!r} + "/client/page.js" }}),
            style: await load("link", {{ rel: "stylesheet", href: {origin!r} + "/client/page.css" }}),
            reset: await read("/api/reset", {{ ...blind, method: "POST" }}),
            interrupt: await read("/api/interrupt", {{ ...blind, method: "POST", body: "x" }}),
          }};
        }})()"""
    )
    # A request that changes something may be sent, blindly. It is refused all the same: see below.
    assert {name: how for name, how in outcome.items() if name not in ("reset", "interrupt")} == dict.fromkeys(
        ("v1", "base", "status", "results", "blindStatus", "module", "script", "client", "style"), "refused"
    )
    evil.evaluate(
        f"""new Promise((resolve) => {{
          const frame = document.body.appendChild(Object.assign(document.createElement("iframe"), {{ name: "into" }}));
          frame.onload = resolve;
          const form = Object.assign(document.createElement("form"), {{ method: "post", target: "into" }});
          form.action = {origin!r} + "/api/reset";
          document.body.append(form);
          form.submit();
        }})"""
    )
    page.reload()
    page.wait_idle()
    assert server.output("stderr").count("a run begins") == 1


@pytest.mark.threat(4, 5)
def test_under_a_name_that_is_not_the_servers_there_is_nothing_to_see(
    serve: Serve, open_page: Callable[[str], Page], evil_name: str
) -> None:
    server = serve(COUNTING)
    page = open_page(server.url)
    page.wait_idle()
    evil = page.new_tab(server.url.replace("127.0.0.1", evil_name))
    assert evil_name in evil.url()
    evil.wait_for_text("body", "forbidden_host")
    # For its scripts this is the origin that they came from: nothing but the server itself refuses.
    for path in ("/api/status", "/api/execute", "/client/index.js", "/"):
        assert evil.evaluate(f"fetch({path!r}).then((answer) => answer.status)") == 403
    assert evil.evaluate("fetch('/api/reset', { method: 'POST' }).then((answer) => answer.status)") == 403
    socket = "new WebSocket(location.origin.replace('http', 'ws') + '/ws/widgets')"
    outcome = f"new Promise((resolve) => {{ const one = {socket}; one.onopen = () => resolve('open'); "
    assert evil.evaluate(outcome + "one.onerror = () => resolve('refused'); })") == "refused"
    assert server.output("stderr").count("a run begins") == 1


@pytest.mark.threat(31)
def test_only_a_page_that_was_named_can_show_ours_in_a_frame(
    serve: Serve, open_page: Callable[[str], Page], attacker: Attacker
) -> None:
    closed, _ = visited(serve, open_page)
    willing, other = visited(serve, open_page, "--allow-frame", attacker.origin)
    attacker.page = f"""<!doctype html><body><script>
      window.heard = [];
      addEventListener("message", (event) => heard.push(event.data));
      const show = (url) => document.body.appendChild(Object.assign(document.createElement("iframe"), {{ src: url }}));
      // The second begins when the first is done, so that the first has had its time when the second speaks.
      show({closed!r}).onload = () => show({willing!r});
    </script>"""
    # The cookies of both are in this browser, and the frames are of the same site.
    evil = other.new_tab(attacker.origin)
    evil.wait_for("heard.length > 0")
    assert evil.evaluate("heard") == [f"alive at {willing}"]


MARKUP = "<b class=planted>x</b><img class=planted src=x onerror=planted()><script class=planted>planted()</script>"


@pytest.mark.threat(22, 23)
def test_text_is_shown_as_text_wherever_it_comes_from(
    serve: Serve, open_page: Callable[[str], Page], tmp_path: Path
) -> None:
    script = tmp_path / "<b class=planted>x<img class=planted src=x onerror=planted()>.py"
    script.write_text(
        f"""
import anywidget, sys, traitlets

MARKUP = {MARKUP!r}

class Planting(anywidget.AnyWidget):
    _esm = '''export default {{ render({{ model, el }}) {{
      el.dataset.story = "ready";
      el.textContent = model.get("text");
      window.refuse = () => {{ model.set("number", "{MARKUP}"); model.set("{MARKUP}", 1); model.save_changes(); }};
    }} }}'''
    _css = "/* </style>{MARKUP} */"
    text = traitlets.Unicode(MARKUP).tag(sync=True)
    number = traitlets.Int(0).tag(sync=True)

class Failing(anywidget.AnyWidget):
    _esm = "throw new Error({MARKUP!r})"

class Shown:
    def __repr__(self):
        return MARKUP

print(MARKUP)
print(MARKUP, file=sys.stderr)
Shown()
Planting()
Failing()
raise RuntimeError(MARKUP)
""",
        encoding="utf-8",
    )
    page = open_page(serve(script).url)
    page.wait_idle()
    page.wait_for_text("body", "RuntimeError")
    page.wait_for_text("[data-widget-id] [role=alert]", MARKUP)
    page.wait_for_element("[data-story=ready]")
    page.evaluate("void refuse()")
    page.wait_for_text("#rdit-notices", "number")
    page.wait_idle()
    assert page.evaluate("document.body.innerText").count("class=planted") >= 8
    assert page.evaluate("document.title").startswith("<b class=planted>")
    assert page.count(".planted") == 0
    assert page.count("script:not([src])") == 0


@pytest.mark.violates("inline")
@pytest.mark.threat(22)
def test_what_a_script_shows_as_html_is_html_and_runs_no_script(serve: Serve, open_page: Callable[[str], Page]) -> None:
    """The visitor is the author. The policy still keeps out what was written into it by somebody else's data."""
    server = serve(f"from IPython.display import HTML\nHTML({MARKUP!r})\n")
    page = open_page(server.url)
    page.wait_idle()
    page.wait_for_element("b.planted")
    assert page.evaluate("typeof window.planted") == "undefined"
    assert not any("planted is not defined" in error for error in page.errors())

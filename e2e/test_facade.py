"""The page facade on a page of its own: what a story relies on means the same in every engine.

The page is served under a content security policy without `unsafe-eval`, as the page of `rdit serve` is.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from e2e.page import Page, PageTimeoutError

HTML = """<!doctype html>
<html lang="en" data-rdit-state="connecting">
<head><meta charset="utf-8"><title>facade</title><script src="/page.js"></script>
<style>#board { width: 300px; height: 200px; background: #eef } .far { margin-top: 3000px }</style></head>
<body>
<p id="greeting">  Hello × <b>world</b>  </p>
<ul><li>one</li><li>two</li><li>three</li></ul>
<button id="count" data-kind="counter">0</button>
<input id="name" value="old"><input id="range" type="range" min="0" max="100" value="10">
<select id="colour"><option value="r">red</option><option value="g">green</option></select>
<textarea id="area"></textarea>
<div id="board"></div><pre id="log"></pre>
<p id="cookies"></p>
<button id="far" class="far">far below</button>
</body></html>
"""

SCRIPT = """
window.__rditErrors = [];
addEventListener("error", (event) => window.__rditErrors.push(event.message));
addEventListener("unhandledrejection", (event) => window.__rditErrors.push(String(event.reason)));
addEventListener("DOMContentLoaded", () => {
  const by = (id) => document.getElementById(id);
  const log = [];
  const note = (text) => { log.push(text); by("log").textContent = log.join(" "); };
  by("count").addEventListener("click", (e) => { if (e.isTrusted) by("count").textContent++; });
  by("far").addEventListener("click", () => note("far"));
  by("name").addEventListener("change", () => note("name:" + by("name").value));
  by("range").addEventListener("input", () => note("range:" + by("range").value));
  by("colour").addEventListener("change", () => note("colour:" + by("colour").value));
  by("area").addEventListener("keydown", (e) => note("key:" + e.key));
  const place = (e) => {
    const box = by("board").getBoundingClientRect();
    return Math.round(e.clientX - box.left) + "," + Math.round(e.clientY - box.top);
  };
  for (const type of ["pointerdown", "pointerup", "click"])
    by("board").addEventListener(type, (e) => note(type + ":" + place(e)));
  by("board").addEventListener("pointermove", (e) => {
    const seen = by("board").dataset;
    seen.moves = Number(seen.moves ?? 0) + (e.buttons === 1 ? 1 : 0);
  });
  by("cookies").textContent = document.cookie;
  console.log("page is up");
});
"""

POLICY = "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body, kind = (SCRIPT, "text/javascript") if self.path == "/page.js" else (HTML, "text/html")
        self.send_response(200)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Security-Policy", POLICY)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Quiet: a test run has output of its own."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def page(open_page: Callable[[str], Page], address: str) -> Page:
    return open_page(address)


@pytest.mark.same_tab
def test_text_is_what_a_reader_sees(page: Page) -> None:
    assert page.text("#greeting") == "Hello × world"
    assert page.texts("li") == ["one", "two", "three"]
    assert page.texts(".none") == []
    assert page.count("li") == 3
    assert page.count(".none") == 0


@pytest.mark.same_tab
def test_an_attribute_is_text_or_none(page: Page) -> None:
    assert page.attribute("#count", "data-kind") == "counter"
    assert page.attribute("#count", "title") is None


@pytest.mark.same_tab
def test_evaluate_returns_json_values_awaits_promises_and_raises_what_the_page_throws(page: Page) -> None:
    assert page.evaluate("({a: [1, 'x', null, true]})") == {"a": [1, "x", None, True]}
    assert page.evaluate("Promise.resolve(7)") == 7
    assert page.evaluate("undefined") is None
    with pytest.raises(Exception, match="no such luck"):
        page.evaluate("(() => { throw new Error('no such luck'); })()")


@pytest.mark.same_tab
def test_clicks_are_real_input(page: Page) -> None:
    page.click("#count")
    page.click("#count")
    assert page.text("#count") == "2"


@pytest.mark.same_tab
def test_a_click_reaches_what_is_far_below_the_fold(page: Page) -> None:
    page.click("#far")
    assert page.text("#log") == "far"


@pytest.mark.same_tab
def test_a_click_may_name_a_place(page: Page) -> None:
    page.click_at("#board", (30, 40))
    assert page.text("#log") == "pointerdown:30,40 pointerup:30,40 click:30,40"


@pytest.mark.same_tab
def test_a_drag_is_seen_as_moves_with_the_button_down(page: Page) -> None:
    page.drag("#board", (20, 20), (120, 20), (120, 150))
    log = page.text("#log")
    assert log.startswith("pointerdown:20,20 pointerup:120,150")
    assert int(page.attribute("#board", "data-moves") or 0) >= 5


@pytest.mark.same_tab
def test_a_drag_waits_until_its_element_has_come_to_rest(page: Page) -> None:
    page.evaluate("""void (() => {
      const board = document.querySelector("#board");
      board.before(document.createElement("p"));
      let height = 0;
      const grow = () => {
        board.previousSibling.style.height = `${(height += 4)}px`;
        if (height < 160) requestAnimationFrame(grow);
      };
      grow();
    })()""")
    page.drag("#board", (20, 20), (120, 20))
    assert page.text("#log").startswith("pointerdown:20,20 pointerup:120,20")


@pytest.mark.same_tab
def test_a_press_that_meets_another_element_says_which(page: Page) -> None:
    page.evaluate("""void (() => {
      const cover = document.createElement("div");
      cover.id = "cover";
      cover.style = "position: fixed; inset: 0";
      document.body.append(cover);
    })()""")
    with pytest.raises(PageTimeoutError, match=r'#board met another element.*id="cover"'):
        page.drag("#board", (20, 20), (120, 20))


@pytest.mark.same_tab
def test_hover_moves_without_the_button(page: Page) -> None:
    page.hover("#board")
    page.wait_for("document.querySelector('#board').dataset.moves === '0'")
    assert page.text("#log") == ""


@pytest.mark.same_tab
def test_fill_takes_the_place_of_what_was_there(page: Page) -> None:
    page.fill("#name", "new text")
    assert page.value("#name") == "new text"
    page.fill("#name", "")
    assert page.value("#name") == ""


@pytest.mark.same_tab
def test_enter_after_fill_is_a_change(page: Page) -> None:
    page.fill("#name", "new")
    page.press("Enter")
    page.wait_for_text("#log", "name:new")


@pytest.mark.same_tab
def test_fill_sets_a_slider(page: Page) -> None:
    page.fill("#range", "55")
    page.wait_for_text("#log", "range:55")


@pytest.mark.same_tab
def test_an_arrow_key_moves_a_focused_slider(page: Page) -> None:
    page.fill("#range", "55")
    page.evaluate("document.querySelector('#range').focus()")
    page.press("ArrowRight")
    page.wait_for_text("#log", "range:56")


@pytest.mark.same_tab
def test_select_chooses_an_option(page: Page) -> None:
    page.select("#colour", "g")
    page.wait_for_text("#log", "colour:g")
    assert page.value("#colour") == "g"


@pytest.mark.same_tab
def test_keys_arrive_one_by_one(page: Page) -> None:
    page.type("#area", "ab")
    page.press("Enter")
    page.press("Shift+C")
    page.press("Backspace")
    assert page.value("#area") == "ab\n"
    assert [entry for entry in page.text("#log").split() if entry != "key:Shift"] == [
        "key:a",
        "key:b",
        "key:Enter",
        "key:C",
        "key:Backspace",
    ]


@pytest.mark.same_tab
def test_wait_for_sees_what_becomes_true_later(page: Page) -> None:
    page.evaluate("void setTimeout(() => { document.querySelector('#log').textContent = 'later'; }, 100)")
    page.wait_for("document.querySelector('#log').textContent === 'later'")
    assert page.wait_for("document.querySelectorAll('li').length") == 3


@pytest.mark.same_tab
def test_a_wait_in_vain_says_what_was_asked_and_what_the_page_says(page: Page) -> None:
    page.evaluate("void setTimeout(() => { throw new Error('told by the page'); })")
    page.wait_for("window.__rditErrors.length")
    with pytest.raises(PageTimeoutError, match=r"(?s)not true within 0\.1 s: window\.nothing.*told by the page"):
        page.wait_for("window.nothing", timeout_s=0.1)


@pytest.mark.same_tab
def test_idle_is_live_and_nothing_in_flight(page: Page) -> None:
    with pytest.raises(PageTimeoutError):
        page.wait_idle(timeout_s=0.1)
    page.evaluate("void Object.assign(document.documentElement.dataset, { rditState: 'live', rditIdle: '' })")
    page.wait_idle()


@pytest.mark.same_tab
def test_a_page_tells_its_own_errors(page: Page) -> None:
    assert page.errors() == []
    page.evaluate("void setTimeout(() => { throw new Error('thrown'); })")
    page.evaluate("void Promise.reject(new Error('rejected'))")
    page.wait_for("window.__rditErrors.length === 2")
    assert sorted("thrown" in error for error in page.errors()) == [False, True]


def test_the_console_is_kept_where_the_driver_sees_it(page: Page) -> None:
    page.wait_for("document.readyState === 'complete'")
    assert page.console() in (["log: page is up"], [])


@pytest.mark.same_tab
def test_a_reload_starts_anew(page: Page, address: str) -> None:
    page.click("#count")
    page.reload()
    assert page.text("#count") == "0"
    assert page.url() == address


def test_a_second_tab_shares_cookies_and_both_stay_usable(page: Page, address: str) -> None:
    page.evaluate("void (document.cookie = 'token=abc; path=/')")
    other = page.new_tab(address)
    assert other.text("#cookies") == "token=abc"
    other.click("#count")
    page.click("#count")
    page.click("#count")
    assert (page.text("#count"), other.text("#count")) == ("2", "1")
    other.close()
    assert page.text("#count") == "2"


def test_a_duplicate_is_at_the_same_address_with_a_copy_of_the_storage(page: Page, address: str) -> None:
    page.evaluate("sessionStorage.setItem('kept', 'yes')")
    copy = page.duplicate()
    assert copy.url() == address
    assert copy.evaluate("sessionStorage.getItem('kept')") == "yes"
    copy.evaluate("sessionStorage.setItem('kept', 'changed')")
    assert page.evaluate("sessionStorage.getItem('kept')") == "yes", "it is a copy"
    copy.click("#count")
    assert (page.text("#count"), copy.text("#count")) == ("0", "1")


def test_a_page_hears_that_the_network_is_gone_and_that_it_is_back(page: Page) -> None:
    page.evaluate(
        "void ['offline', 'online'].forEach((name) => addEventListener(name, () => document.body.classList.add(name)))"
    )
    page.set_offline(offline=True)
    page.wait_for("document.body.classList.contains('offline')")
    assert page.count("body.online") == 0
    page.set_offline(offline=False)
    page.wait_for("document.body.classList.contains('online')")


@pytest.mark.same_tab
def test_a_drag_may_take_its_time(page: Page) -> None:
    page.evaluate(
        """void (() => {
          window.times = [];
          document.querySelector('#board').addEventListener('pointermove', () => times.push(performance.now()));
        })()"""
    )
    page.drag("#board", (20, 20), (120, 20), steps=20, step_s=0.02)
    assert page.evaluate("times.at(-1) - times[0]") >= 300


def test_no_cookie_comes_from_another_test(page: Page) -> None:
    assert page.evaluate("document.cookie") == ""


@pytest.mark.same_tab
def test_a_screenshot_is_a_picture_of_the_page(page: Page, tmp_path: Path) -> None:
    picture = page.screenshot(tmp_path / "page.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) > 1000

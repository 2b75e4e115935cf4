"""The counter of the first design: a click in a browser, an observer in Python, and back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from e2e.conftest import Serve
from e2e.page import Page

SCRIPTS = Path(__file__).parent / "scripts"


def test_a_click_reaches_the_observer_and_its_line_reaches_terminal_and_page(
    serve: Serve, open_page: Callable[[str], Page]
) -> None:
    server = serve(SCRIPTS / "clicks.py")
    page = open_page(server.url)
    page.wait_idle()
    assert page.text(".clicks") == "Clicked 0 times"
    page.click(".clicks")
    server.wait_for_output("Python saw value change: 0 → 1")
    page.wait_for_text("main", "Python saw value change: 0 → 1")
    page.click(".clicks")
    server.wait_for_output("Python saw value change: 1 → 2")
    page.wait_idle()
    assert page.text(".clicks") == "Clicked 2 times"
    assert page.errors() == []


def test_a_reload_keeps_the_state_and_what_was_printed(serve: Serve, open_page: Callable[[str], Page]) -> None:
    server = serve(SCRIPTS / "clicks.py")
    page = open_page(server.url)
    page.wait_idle()
    page.click(".clicks")
    page.wait_for_text("main", "0 → 1")
    page.reload()
    page.wait_idle()
    assert page.text(".clicks") == "Clicked 1 times"
    page.wait_for_text("main", "Python saw value change: 0 → 1")
    page.click(".clicks")
    server.wait_for_output("Python saw value change: 1 → 2")


def test_two_tabs_show_one_widget(serve: Serve, open_page: Callable[[str], Page]) -> None:
    server = serve(SCRIPTS / "clicks.py")
    first = open_page(server.url)
    first.wait_idle()
    second = first.new_tab(first.url())
    second.wait_idle()
    first.click(".clicks")
    second.wait_for_text(".clicks", "Clicked 1 times")
    second.click(".clicks")
    first.wait_for_text(".clicks", "Clicked 2 times")
    server.wait_for_output("Python saw value change: 1 → 2")
    first.wait_for_text("main", "1 → 2")
    second.wait_for_text("main", "1 → 2")


@pytest.mark.alike
def test_the_restart_button_runs_the_script_afresh_on_every_page(
    serve: Serve, open_page: Callable[[str], Page]
) -> None:
    server = serve(SCRIPTS / "clicks.py")
    first = open_page(server.url)
    first.wait_idle()
    second = first.new_tab(first.url())
    second.wait_idle()
    first.click(".clicks")
    second.wait_for_text(".clicks", "Clicked 1 times")
    first.click("#rdit-restart")
    for page in (first, second):
        page.wait_for_text(".clicks", "Clicked 0 times")
        page.wait_idle()
        assert page.count(".clicks") == 1
    second.click(".clicks")
    first.wait_for_text(".clicks", "Clicked 1 times")
    assert first.errors() == second.errors() == []


@pytest.mark.alike
def test_a_page_whose_server_was_started_anew_shows_the_new_run(serve: Serve, open_page: Callable[[str], Page]) -> None:
    server = serve(SCRIPTS / "clicks.py", "--token", "the-same-token")
    page = open_page(server.url)
    page.wait_idle()
    page.click(".clicks")
    page.wait_for_text(".clicks", "Clicked 1 times")
    port = server.url.split(":")[2].split("/")[0]
    server.kill()
    page.wait_for("document.documentElement.dataset.rditState === 'offline'")
    page.click(".clicks")
    again = serve(SCRIPTS / "clicks.py", "--token", "the-same-token", "--port", port)
    page.wait_for("document.documentElement.dataset.rditState === 'live'", timeout_s=30)
    page.wait_idle()
    shown = int(page.text(".clicks").split()[1])
    page.click(".clicks")
    again.wait_for_output(f"→ {shown + 1}")
    page.wait_for_text(".clicks", f"Clicked {shown + 1} times")
    assert page.errors() == []

"""More tabs than a browser has connections to one host (six, with HTTP/1.1), on one server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from e2e.conftest import Serve
from e2e.page import Page

SCRIPTS = Path(__file__).parent / "scripts"
TABS = 10
RESULTS = "document.getElementById('rdit-outputs').innerHTML"


@pytest.mark.takes(120)
def test_ten_tabs_are_live_during_a_long_run_and_show_the_same_after_it(
    serve: Serve, open_page: Callable[[str], Page], tmp_path: Path
) -> None:
    enough = tmp_path / "enough"
    server = serve(SCRIPTS / "long_run.py", "--", str(enough))
    first = open_page(server.url)
    first.wait_for_text("#rdit-outputs", "begun")
    tabs = [first, *(first.new_tab(first.url()) for _ in range(TABS - 1))]
    for tab in tabs:
        tab.wait_for("document.documentElement.dataset.rditState === 'live'")
        tab.wait_for_text("#rdit-outputs", "begun")
        assert tab.count("[data-rdit-idle]") == 0, "the run goes on"
    enough.touch()
    for tab in tabs:
        tab.wait_for_text("#rdit-outputs", "ended")
        tab.wait_idle()
    last = tabs[-1]
    last.fill(".field-shared", '"from the last tab"')
    last.press("Enter")
    for tab in tabs:
        tab.wait_for_text(".shown-shared", "from the last tab")
    assert {tab.evaluate(RESULTS) for tab in tabs} == {first.evaluate(RESULTS)}
    assert [tab.errors() for tab in tabs] == [[]] * TABS


@pytest.mark.alike
@pytest.mark.takes(60)
def test_an_interrupt_from_the_seventh_tab_is_heard(serve: Serve, open_page: Callable[[str], Page]) -> None:
    server = serve(SCRIPTS / "long_run.py", "--", "/nowhere/at/all")
    first = open_page(server.url)
    tabs = [first, *(first.new_tab(first.url()) for _ in range(6))]
    tabs[-1].wait_for_text("#rdit-outputs", "begun")
    tabs[-1].click("#rdit-interrupt")
    for tab in tabs:
        tab.wait_for_text("#rdit-outputs", "KeyboardInterrupt")
        tab.wait_idle()

"""Values that Python sets, clamps or refuses while a page watches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from e2e.conftest import Serve
from e2e.page import Page

SCRIPTS = Path(__file__).parent / "scripts"


@pytest.mark.alike
def test_a_thread_that_sets_a_trait_moves_the_page(serve: Serve, open_page: Callable[[str], Page]) -> None:
    page = open_page(serve(SCRIPTS / "ticking.py").url)
    page.wait_for("Number(document.querySelector('.shown-clock').textContent) > 5")
    seen = int(page.text(".shown-clock"))
    page.wait_for(f"Number(document.querySelector('.shown-clock').textContent) > {seen + 10}")
    assert page.errors() == []


def test_a_bar_moves_while_the_loop_that_moves_it_runs(
    serve: Serve, open_page: Callable[[str], Page], tmp_path: Path
) -> None:
    enough = tmp_path / "enough"
    server = serve(SCRIPTS / "bar.py", "--", str(enough))
    page = open_page(server.url)
    page.wait_for("window.barSeen?.length > 20")
    seen = page.evaluate("window.barSeen")
    assert seen == sorted(set(seen)) and seen[-1] > 0
    assert page.evaluate("document.documentElement.dataset.rditIdle === undefined"), "the loop goes on"
    enough.touch()
    page.wait_idle()
    page.wait_for_text("#rdit-outputs", "ended at")
    assert f"ended at {page.evaluate('window.barSeen.at(-1)')}" in page.text("#rdit-outputs")
    assert page.errors() == []


def test_python_sets_what_the_page_edits(serve: Serve, open_page: Callable[[str], Page]) -> None:
    server = serve(SCRIPTS / "two_values.py")
    page = open_page(server.url)
    page.wait_idle()
    assert page.text(".shown-shared") == '"start"'
    page.fill(".field-shared", '"from the page"')
    page.press("Enter")
    server.wait_for_output("shared is 'from the page'")
    page.click(".poke-set")
    page.wait_for_text(".shown-shared", "from Python")
    server.wait_for_output("shared is 'from Python'")


@pytest.mark.alike
def test_a_value_that_a_validator_clamps_is_shown_as_python_has_it(
    serve: Serve, open_page: Callable[[str], Page]
) -> None:
    page = open_page(serve(SCRIPTS / "two_values.py").url)
    page.wait_idle()
    page.fill(".field-clamped", "9")
    page.press("Enter")
    page.wait_for("document.querySelector('.shown-clamped').textContent === '7'")


@pytest.mark.alike
def test_a_refused_value_is_taken_back_and_the_page_says_so(serve: Serve, open_page: Callable[[str], Page]) -> None:
    page = open_page(serve(SCRIPTS / "two_values.py").url)
    page.wait_idle()
    page.fill(".field-clamped", '"text"')
    page.press("Enter")
    page.wait_for("document.querySelector('.shown-clamped').textContent === '5'")
    page.wait_for_text("body", "invalid_value")
    page.fill(".field-shared", "12")
    page.press("Enter")
    page.wait_for("document.querySelector('.shown-shared').textContent === '12'")

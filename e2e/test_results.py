"""What a script prints, displays and raises, in order and in its place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from e2e.conftest import Serve
from e2e.page import Page

SCRIPTS = Path(__file__).parent / "scripts"


def test_results_come_in_order_and_a_traceback_ends_them_where_it_happened(
    serve: Serve, open_page: Callable[[str], Page]
) -> None:
    page = open_page(serve(SCRIPTS / "results.py").url)
    page.wait_idle()
    text = page.text("main")
    in_order = ["first line", "to stderr", "2", "rich", "before the fall", "NameError"]
    places = [text.index(part) for part in in_order]
    assert places == sorted(places), text
    assert "hidden" not in text and "never reached" not in text
    assert "undefined_name" in text and "results.py" in text
    assert page.text("b.rich") == "rich"


def test_of_a_flood_the_page_keeps_the_end_and_says_that_there_was_more(
    serve: Serve, open_page: Callable[[str], Page]
) -> None:
    page = open_page(serve(SCRIPTS / "flood.py").url)
    page.wait_idle()
    stream = "document.querySelector('.rdit-stream')"
    assert page.evaluate(f"{stream}.textContent.endsWith('line 199999\\n')") is True
    assert page.evaluate(f"{stream}.textContent.length <= 1_000_000") is True
    assert "Earlier text is not shown." in page.evaluate(f"getComputedStyle({stream}, '::before').content")

"""The examples, as a reader would try them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from e2e.conftest import Serve
from e2e.page import Page

EXAMPLES = Path(__file__).parent.parent / "examples"
SHOTS = Path(__file__).parent / "artifacts" / "screenshots"


@pytest.mark.threat(24)
def test_every_widget_of_the_tour_works(serve: Serve, open_page: Callable[[str], Page]) -> None:
    server = serve(EXAMPLES / "tour.py")
    page = open_page(server.url)
    page.wait_idle()
    SHOTS.mkdir(parents=True, exist_ok=True)

    page.click(".tour-counter")
    server.wait_for_output("Python saw value change: 0 → 1")
    page.wait_for_text("main", "Python saw value change: 0 → 1")
    page.screenshot(SHOTS / "tour.png")

    before = page.attribute(".tour-plot .curve", "d")
    page.fill("[data-trait=frequency]", "9")
    page.wait_for(f"document.querySelector('.tour-plot .curve').getAttribute('d') !== {before!r}")

    page.type(".tour-form [data-trait=name]", "Ada")
    page.type(".tour-form [data-trait=email]", "ada@example.org")
    page.select(".tour-form select", "Tree")
    page.wait_for_text(".tour-form output", "Welcome, Ada: one tree it is.")

    assert page.count(".tour-bars .bar") == 2
    page.click(".tour-table tbody tr:nth-child(2) td:nth-child(2)")
    page.wait_for("document.querySelectorAll('.tour-bars .bar').length === 3")
    page.wait_for_text(".tour-bars", "3 of 8 moons")

    page.drag(".tour-canvas", (40, 40), (120, 120), (200, 60))
    page.wait_for_text(".tour", "Count: 1")
    page.wait_for(
        "Array.from(document.querySelectorAll('.quiet-text'), (e) => e.textContent).join().includes('2 strokes')"
    )
    page.wait_idle()
    page.screenshot(SHOTS / "tour-canvas.png")
    assert page.errors() == []


@pytest.mark.alike
def test_the_counter_example_counts(serve: Serve, open_page: Callable[[str], Page]) -> None:
    server = serve(EXAMPLES / "counter.py")
    page = open_page(server.url)
    page.wait_idle()
    page.click(".counter")
    server.wait_for_output("Python saw value change: 0 → 1")
    page.wait_for_text(".counter", "Count: 1")


@pytest.mark.alike
def test_the_table_example_summarises_the_selection(serve: Serve, open_page: Callable[[str], Page]) -> None:
    server = serve(EXAMPLES / "itables_selection.py")
    page = open_page(server.url)
    page.wait_idle(timeout_s=20)
    page.wait_for_element("tbody tr")
    page.click("tbody tr:nth-child(2) td:nth-child(2)")
    page.wait_for_text(".selection", "million people")
    server.wait_for_output("Selected rows: [1]")

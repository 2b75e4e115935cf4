"""A widget whose code cannot load says so in its place; the rest of the page lives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from e2e.conftest import Serve
from e2e.page import Page

SCRIPTS = Path(__file__).parent / "scripts"
NAMES = ["Broken 5.0", "Broken 6.0", "Broken 7.0"]


def test_each_broken_widget_shows_a_readable_error_and_its_neighbours_work(
    serve: Serve, open_page: Callable[[str], Page], artifacts: Path
) -> None:
    page = open_page(serve(SCRIPTS / "broken.py").url)
    page.wait_idle()
    panels = page.texts("[data-widget-id] [role=alert]")
    assert len(panels) == 3, panels
    assert [panel.partition(" failed (")[0] for panel in panels] == NAMES
    for name in NAMES:
        assert page.count(f"[role=alert][aria-label^='{name} failed (']") == 1
    assert any("the render hook gave up" in panel for panel in panels), panels
    for label, value in (("before", "10"), ("after", "20")):
        page.fill(f".field-{label}", value)
        page.press("Enter")
        page.wait_for(f"document.querySelector('.shown-{label}').textContent === '{value}'")
    page.wait_idle()
    page.reload()
    page.wait_idle()
    assert page.text(".shown-after") == "20"

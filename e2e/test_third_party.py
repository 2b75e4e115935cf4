"""Widgets unchanged from PyPI: they render, what a person does reaches Python, what Python sets reaches the page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from e2e.conftest import Serve
from e2e.page import Page

SCRIPTS = Path(__file__).parent / "scripts"


def widget(number: int) -> str:
    """A third-party widget of the script, by its place on the page."""
    return f"document.querySelectorAll('[data-widget-id]')[{number}]"


def test_wigglystuff_and_drawdata_render_and_sync_both_ways(serve: Serve, open_page: Callable[[str], Page]) -> None:
    server = serve(SCRIPTS / "third_party.py")
    page = open_page(server.url)
    page.wait_idle(timeout_s=20)
    page.wait_for_element(".paint-canvas-area canvas")

    page.drag("#sliderCanvas", (100, 100), (140, 100))
    server.wait_for_output("slider x 0.4")

    page.click(".remove-button")
    server.wait_for_output("basket ['banana', 'cherry']")

    page.drag(".paint-canvas-area canvas", (40, 40), (120, 90), (200, 60))
    server.wait_for_output("paint True")

    page.drag("svg[aria-label='Scatter plot drawing area']", (80, 80), (160, 120), (240, 90))
    server.wait_for_output("points")

    page.click(".poke-python")
    page.wait_for_text("#sliderValues", "X: 0.50, Y: -0.25")
    page.wait_for("document.querySelector('.item-label').textContent === 'plum'")
    page.wait_for("document.querySelectorAll('circle.drawn').length === 1")
    page.wait_idle()
    assert page.errors() == []

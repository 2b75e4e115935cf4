"""An itables table, unchanged from PyPI and subclassed: rows selected by clicks are a list in Python."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from e2e.conftest import Serve
from e2e.page import Page

SCRIPTS = Path(__file__).parent / "scripts"
SELECTED = "Array.from(document.querySelectorAll('tbody tr.selected td:first-child'), (e) => e.innerText.trim()).join()"


def row(number: int) -> str:
    return f"[data-widget-id] tbody tr:nth-child({number}) td:nth-child(2)"


def test_rows_selected_by_clicks_reach_python_and_rows_selected_by_python_reach_the_page(
    serve: Serve, open_page: Callable[[str], Page]
) -> None:
    server = serve(SCRIPTS / "table.py")
    page = open_page(server.url)
    page.wait_idle(timeout_s=20)
    page.wait_for_element("tbody tr.selected")
    page.wait_for("document.querySelectorAll('tbody tr.selected').length === 1")
    page.click(row(3))
    server.wait_for_output("selection: [1] -> [1, 2]")
    page.click(row(4))
    server.wait_for_output("selection: [1, 2] -> [1, 2, 3]")
    page.click(".poke-choose")
    server.wait_for_output("selection: [1, 2, 3] -> [0, 5]")
    page.wait_for("document.querySelectorAll('tbody tr.selected').length === 2")
    page.wait_for("document.querySelector('tbody tr:nth-child(6)').classList.contains('selected')")
    assert page.errors() == []

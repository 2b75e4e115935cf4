"""What a page says of a script that takes long."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from e2e.conftest import Serve
from e2e.page import Page

PLACES = """
Array.from(document.querySelectorAll('#rdit-code, #rdit-restart, main, .rdit-stream'), (each) => {
  const { x, y } = each.getBoundingClientRect();
  return [x, y];
})
"""


def test_a_long_run_shows_how_far_it_is_and_moves_nothing(
    serve: Serve, open_page: Callable[[str], Page], tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    script = f"""
    import pathlib, time
    print("before")
    while not pathlib.Path({str(gate)!r}).exists(): time.sleep(0.02)
    x = 1
    """
    page = open_page(serve(script).url)
    page.wait_for_text("#rdit-progress", "Statement 3 of 4 · ")
    page.wait_for("document.querySelector('[data-busy][data-statement=\"3\"][aria-current=step]') !== null")
    assert page.text("[data-busy] summary") == "Line 4"
    assert page.attribute("#rdit-progress-bar", "aria-valuenow") == "2"
    late = page.new_tab(page.url())
    late.wait_for_text("#rdit-progress", "Statement 3 of 4 · ")
    during = page.evaluate(PLACES)
    gate.touch()
    page.wait_idle()
    assert page.evaluate(PLACES) == during
    assert page.evaluate("document.getElementById('rdit-progress').hidden") is True
    assert page.count("[data-busy]") == 0
    assert page.text("#rdit-run") == "Ready"
    assert page.errors() == []

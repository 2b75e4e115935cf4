"""A script's page without Python: opened from disk, beside the live page of the same script."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from e2e.conftest import Serve
from e2e.page import Page

SCRIPTS = Path(__file__).parent / "scripts"
EXAMPLES = Path(__file__).parent.parent / "examples"
SHOTS = Path(__file__).parent / "artifacts" / "screenshots"

EXPORT = [
    sys.executable,
    "-c",
    "import sys; from rdit_ref_server.commands import export; sys.exit(export(sys.argv[1:]))",
]
TIMEOUT_S = 60

OUTPUTS = "document.getElementById('rdit-outputs').innerHTML"
SHOWN = "document.querySelector('html[data-rdit-state=static][data-rdit-idle]') !== null"
REQUESTS = (
    "performance.getEntriesByType('resource').map((entry) => entry.name).filter((name) => !/^(blob|data):/.test(name))"
)

Export = Callable[..., Path]


@pytest.fixture
def export(tmp_path: Path) -> Export:
    """Exports a script to a file; gives the file."""

    def run(script: Path, *arguments: str, status: int = 0) -> Path:
        page = tmp_path / "page & co.html"
        done = subprocess.run(
            [*EXPORT, str(script), "-o", str(page), *arguments], capture_output=True, text=True, timeout=TIMEOUT_S
        )
        assert done.returncode == status, done.stderr
        return page

    return run


def test_an_exported_page_shows_what_the_live_page_shows(
    export: Export, serve: Serve, open_page: Callable[[str], Page]
) -> None:
    script = SCRIPTS / "exported.py"
    live = open_page(serve(script).url)
    live.wait_idle()
    page = open_page(export(script, status=1).as_uri())
    page.wait_for(SHOWN)

    assert page.evaluate(OUTPUTS) == live.evaluate(OUTPUTS)
    assert page.texts(".values") == live.texts(".values")
    assert "bytes 76800/76800: 9792000" in page.text(".values")
    assert "[NaN, Infinity, -Infinity, -0, 0.30000000000000004]" in page.text(".values")
    for shown in (live, page):
        assert shown.count("math") == 3
        assert shown.evaluate("document.querySelector('math mfrac').getBoundingClientRect().height > 20") is True
        assert shown.evaluate("document.querySelector('math annotation').getBoundingClientRect().height") == 0
        assert "\\nosuch" in shown.text("pre[data-mime='text/latex']")
    assert page.text("#rdit-run") == "Stopped by an error"
    assert page.count("#injected") == 0
    assert page.evaluate(REQUESTS) == []
    assert page.errors() == []
    assert page.count(".rdit-notice") == 0


@pytest.mark.alike
def test_twenty_kinds_of_output_and_ten_widgets_look_the_same_live_and_exported(
    export: Export, serve: Serve, open_page: Callable[[str], Page]
) -> None:
    script = SCRIPTS / "same_again.py"
    live = open_page(serve(script).url)
    live.wait_idle()
    page = open_page(export(script, status=1).as_uri())
    page.wait_for(SHOWN)
    for each in (live, page):
        each.wait_for("document.querySelectorAll('.subject').length === 10")
    assert page.evaluate(OUTPUTS) == live.evaluate(OUTPUTS)
    assert page.text(".w0") == "w0: 7"
    assert page.errors() == live.errors() == []


def test_widgets_of_an_exported_page_work_as_far_as_their_own_code_goes(
    export: Export, open_page: Callable[[str], Page]
) -> None:
    page = open_page(export(SCRIPTS / "exported.py", "--title", "Results & </title>", status=1).as_uri())
    page.wait_for(SHOWN)
    assert page.texts(".counter") == ["Count: 5"] * 3
    page.click(".counter")
    page.wait_for("Array.from(document.querySelectorAll('.counter')).every((each) => each.textContent === 'Count: 6')")
    assert page.text(".inside") == "Inside: 6"

    assert page.text("h1") == "Results & </title>" == page.evaluate("document.title")
    assert re.search(r"Python is not there\. .* exported\.py .* \d{4}-\d\d-\d\d", page.text("[role=note]"))
    assert str(SCRIPTS) not in page.text("[role=note]")

    page.click(".asking")
    page.wait_for_text(".asking", "Python is not there")
    assert page.count(".rdit-notice") == 1
    page.click("#rdit-code")
    page.wait_for("document.querySelector('.rdit-source').checkVisibility?.() ?? true")
    assert page.evaluate(REQUESTS) == []
    assert page.errors() == []


@pytest.mark.alike
def test_the_tour_can_be_exported(export: Export, open_page: Callable[[str], Page]) -> None:
    page = open_page(export(EXAMPLES / "tour.py").as_uri())
    page.wait_for(SHOWN)
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(SHOTS / "exported-tour.png")
    page.click(".tour-counter")
    page.wait_for_text(".tour-counter", "Count: 1")
    page.drag(".tour-canvas", (40, 40), (120, 120), (200, 60))
    assert page.errors() == []

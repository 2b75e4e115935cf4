"""`rdit serve --reload`: what is saved on disk takes over in the page."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from e2e.conftest import Serve
from e2e.page import Page
from e2e.server import ServeProcess

SCRIPTS = Path(__file__).parent / "scripts"
OUTLINE = "getComputedStyle(document.querySelector('.subject')).outlineStyle"

MODULE = """
export default {
  render({ model, el }) {
    const button = el.appendChild(document.createElement("button"));
    button.className = "subject";
    const show = () => { button.textContent = `VERSION ${model.get("count")}`; };
    button.addEventListener("click", () => {
      model.set("count", model.get("count") + 1);
      model.save_changes();
    });
    model.on("change:count", show);
    show();
  },
};
"""


def module(version: str) -> str:
    return MODULE.replace("VERSION", version)


def save(path: Path, text: str) -> None:
    """As an editor that renames a new file over the old one."""
    fresh = path.with_suffix(".tmp")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copy(SCRIPTS / "from_files.py", tmp_path)
    (tmp_path / "subject.js").write_text(module("old"), encoding="utf-8")
    (tmp_path / "subject.css").write_text(".subject { outline-style: dotted }", encoding="utf-8")
    return tmp_path


@pytest.fixture
def server(serve: Serve, folder: Path) -> ServeProcess:
    return serve(folder / "from_files.py", "--reload")


@pytest.mark.alike
@pytest.mark.afm(9, 25)
def test_a_saved_module_and_style_take_over_in_every_tab_with_the_state(
    server: ServeProcess, folder: Path, open_page: Callable[[str], Page]
) -> None:
    page = open_page(server.url)
    page.wait_idle()
    page.click(".subject")
    server.wait_for_output("count is 1")
    other = page.new_tab(page.url())
    other.wait_for_text(".subject", "old 1")

    save(folder / "subject.js", module("new"))
    for tab in (page, other):
        tab.wait_for_text(".subject", "new 1")
    save(folder / "subject.css", ".subject { outline-style: dashed }")
    for tab in (page, other):
        tab.wait_for(f"{OUTLINE} === 'dashed'")

    page.click(".subject")
    server.wait_for_output("count is 2")
    other.wait_for_text(".subject", "new 2")
    assert page.count(".subject") == 1
    assert page.errors() == []


def test_a_syntax_error_is_shown_in_the_widgets_place_and_the_next_save_mends_it(
    server: ServeProcess, folder: Path, open_page: Callable[[str], Page]
) -> None:
    page = open_page(server.url)
    page.wait_idle()
    page.click(".subject")
    page.wait_for_text(".subject", "old 1")

    save(folder / "subject.js", "export default { render({ el }) { el.append(")
    page.wait_for_text("[data-widget-id] [role=alert]", "failed (import)")
    server.wait_for_output("failed in its page (import)")
    assert page.count(".subject") == 0

    save(folder / "subject.js", module("mended"))
    page.wait_for_text(".subject", "mended 1")
    assert page.count("[role=alert] .rdit-error-title") == 0


@pytest.mark.alike
def test_of_a_module_that_is_gone_the_page_hears_and_the_old_code_works_on(
    server: ServeProcess, folder: Path, open_page: Callable[[str], Page]
) -> None:
    page = open_page(server.url)
    page.wait_idle()
    (folder / "subject.js").unlink()
    page.wait_for_text("[data-stream=stderr]", "subject.js is gone; its old code stays")
    page.click(".subject")
    page.wait_for_text(".subject", "old 1")
    save(folder / "subject.js", module("back"))
    page.wait_for_text(".subject", "back 1")


@pytest.mark.alike
def test_a_saved_script_runs_again_and_the_page_says_so(
    server: ServeProcess, folder: Path, open_page: Callable[[str], Page]
) -> None:
    page = open_page(server.url)
    page.wait_idle()
    script = folder / "from_files.py"
    source = script.read_text(encoding="utf-8")

    save(script, source + "subject.count = (\n")
    page.wait_for_text(".rdit-python-error", "SyntaxError")
    page.click(".subject")
    page.wait_for_text(".subject", "old 1")

    save(script, source + "subject.count = 40\n")
    page.wait_for_text(".rdit-notice", "Saved: from_files.py. This is a new run of the script.")
    page.wait_for_text(".subject", "old 40")
    page.wait_idle()
    page.click(".subject")
    server.wait_for_output("count is 41")
    assert page.count(".rdit-python-error") == 0

"""A page for an audience: it sees everything and changes nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from e2e.conftest import Serve
from e2e.page import Page

SCRIPT = """
import anywidget, traitlets
class Counter(anywidget.AnyWidget):
    _esm = '''
    export default {
      render({ model, el }) {
        const button = document.createElement("button");
        const show = () => { button.textContent = `Count: ${model.get("value")}`; };
        button.className = "counter";
        button.onclick = () => { model.set("value", model.get("value") + 1); model.save_changes(); };
        model.on("change:value", show);
        show();
        el.append(button);
      },
    };
    '''
    value = traitlets.Int(3).tag(sync=True)
Counter()
print("below")
"""
SHOWN = "document.getElementById('%s').checkVisibility()"


@pytest.mark.alike
def test_a_page_that_may_see_only_says_so_and_offers_nothing_else(
    serve: Serve, open_page: Callable[[str], Page]
) -> None:
    page = open_page(serve(SCRIPT, "--read-only").url)
    page.wait_idle()
    assert page.text("#rdit-read-only") == "Read-only"
    shown = {name: page.evaluate(SHOWN % name) for name in ("rdit-code", "rdit-restart", "rdit-interrupt")}
    assert shown == {"rdit-code": True, "rdit-restart": False, "rdit-interrupt": False}

    below = "document.querySelector('.rdit-stream').getBoundingClientRect().y"
    before = page.evaluate(below)
    page.click(".counter")
    page.wait_for_text(".rdit-said", "this change was not kept")
    page.wait_for_text(".counter", "Count: 3")
    assert page.evaluate(below) == before
    assert page.count(".rdit-notice") == 0
    assert page.errors() == []


@pytest.mark.alike
def test_a_page_that_may_write_has_no_such_mark(serve: Serve, open_page: Callable[[str], Page]) -> None:
    page = open_page(serve(SCRIPT).url)
    page.wait_idle()
    assert page.evaluate(SHOWN % "rdit-read-only") is False
    assert page.evaluate(SHOWN % "rdit-restart") is True

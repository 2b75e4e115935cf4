"""What Python does not take: the page shows Python's value again, where Python has one, and says which edit was refused
and why."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from e2e.faults import Behind, enter, notices, protocol_of, skip_unless_sessions, wait_until_agreed
from e2e.page import Page

REFUSED = {
    "wrong-type": ("limited", "invalid_value"),
    "out-of-range": ("limited", "invalid_value"),
    "read-only": ("fixed", "read_only"),
    "unknown": ("no_such_trait", "unknown_property"),
    "protected": ("_esm", "protected_property"),
}


@pytest.mark.alike
def test_refused_writes_are_taken_back_and_named(
    serve_behind: Callable[[str], Behind], open_page: Callable[[str], Page], repeat: int
) -> None:
    behind = serve_behind("faults.py")
    page = open_page(behind.url)
    page.wait_idle()
    told = ""
    for kind, (name, code) in REFUSED.items():
        before = page.evaluate(f"panels.main.get('{name}') ?? null")
        page.click(f".write-main-{kind}")
        page.wait_for(f"document.querySelector('#rdit-notices').innerText.length > {len(told)}")
        page.wait_idle()
        new = notices(page).removeprefix(told)
        assert code in new, f"{kind}: {new!r}"
        assert "changed" not in new and "99" not in new, "whose value it is is nobody's business"
        if kind == "unknown":
            # Python has no value to show in its place.
            assert page.evaluate(f"panels.main.get('{name}')") is not None
        elif protocol_of(page) != "rdit.base" or kind != "protected":
            # Base mode has nothing to take back what has no slot.
            page.wait_for(f"(panels.main.get('{name}') ?? null) === {json.dumps(before)}")
        page.evaluate("document.querySelectorAll('#rdit-notices button').forEach((dismiss) => dismiss.click())")
        assert notices(page) == ""
    agreed = wait_until_agreed({"page": page}, behind.python)
    assert (agreed["limited"], agreed["fixed"]) == (5, "fixed")
    enter(page, "limited", 7)
    behind.python.wait_for(limited=7)
    assert wait_until_agreed({"page": page}, behind.python)["limited"] == 7
    assert page.errors() == []


@pytest.mark.alike
def test_a_front_end_of_ones_own_hears_of_each_refusal_by_its_code(
    serve_behind: Callable[[str], Behind], open_page: Callable[[str], Page], repeat: int
) -> None:
    behind = serve_behind("faults.py")
    page = open_page(behind.url)
    page.wait_idle()
    skip_unless_sessions(page)
    page.evaluate(
        """import(new URL("client/index.js", location.href)).then(async ({ connect }) => {
          window.faults = [];
          const own = connect("ws/widgets");
          own.on("error", ({ code, property, widget_id: id }) => faults.push({ code, property, id }));
          await own.ready;
          window.own = await own.whenOpen(document.querySelector("[data-widget-id]").dataset.widgetId);
        })"""
    )
    widget_id = page.attribute("[data-widget-id]", "data-widget-id")
    for number, (name, value, code) in enumerate(
        [
            ("limited", "text", "invalid_value"),
            ("limited", 99, "invalid_value"),
            ("fixed", "changed", "read_only"),
            ("no_such_trait", 1, "unknown_property"),
            ("_esm", "export default {}", "protected_property"),
        ]
    ):
        page.evaluate(f"(own.set('{name}', {json.dumps(value)}), own.save_changes())")
        page.wait_for(f"faults.length > {number}")
        assert page.evaluate(f"faults[{number}]") == {"code": code, "property": name, "id": widget_id}
    page.wait_for("own.get('limited') === 5 && own.get('fixed') === 'fixed'")
    assert page.evaluate("faults.length") == 5
    assert notices(page) == "", "each page hears of its own edits"
    assert page.errors() == []

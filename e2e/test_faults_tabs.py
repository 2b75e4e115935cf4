"""Several tabs of one person: each its own session, all one state."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from e2e.faults import Behind, enter, wait_until_agreed
from e2e.page import Page


@pytest.mark.alike
def test_two_tabs_that_edit_the_same_and_other_properties_end_equal(
    serve_behind: Callable[[str], Behind], open_page: Callable[[str], Page], repeat: int
) -> None:
    behind = serve_behind("faults.py")
    first = open_page(behind.url)
    first.wait_idle()
    second = first.new_tab(behind.direct_url)
    second.wait_idle()
    behind.proxy.latency(0.1)
    for number in range(3):
        enter(first, "a", f"1-{number}")
        enter(second, "a", f"2-{number}")
        enter(first, "b", number)
        enter(second, "c", number)
    agreed = wait_until_agreed({"first": first, "second": second}, behind.python)
    assert (agreed["b"], agreed["c"]) == (2, 2)
    assert agreed["a"] in ("1-2", "2-2")
    assert first.errors() == second.errors() == []


def test_a_duplicated_tab_is_a_tab_of_its_own(
    serve_behind: Callable[[str], Behind], open_page: Callable[[str], Page], repeat: int
) -> None:
    behind = serve_behind("faults.py")
    page = open_page(behind.url)
    page.wait_idle()
    enter(page, "a", "before")
    page.wait_idle()
    page.evaluate("sessionStorage.setItem('copied', 'yes')")
    copy = page.duplicate()
    assert copy.evaluate("sessionStorage.getItem('copied')") == "yes", "this is what a duplicate takes along"
    copy.wait_idle()
    tabs = {"page": page, "copy": copy}
    for number in range(2):
        enter(page, "a", f"page {number}")
        wait_until_agreed(tabs, behind.python)
        enter(copy, "a", f"copy {number}")
        assert wait_until_agreed(tabs, behind.python)["a"] == f"copy {number}"
    # Both are cut off in the middle of it; neither takes the other's place when it comes back.
    enter(page, "b", "page")
    enter(copy, "c", "copy")
    behind.proxy.cut()
    behind.python.wait_for(b="page", c="copy")
    wait_until_agreed(tabs, behind.python)
    assert [value for _, value in behind.python.seen("a")] == [
        "before",
        *(f"{tab} {number}" for number in range(2) for tab in ("page", "copy")),
    ]
    assert page.errors() == copy.errors() == []

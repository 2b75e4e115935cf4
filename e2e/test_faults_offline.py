"""The network goes away and comes back: what a person did meanwhile counts, and nobody's change is lost."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from e2e.faults import Behind, enter, shown_by, skip_unless_sessions, wait_for_state, wait_until_agreed
from e2e.page import Page

RETURN_S = 1.0
"""From the network's return until Python has what was done without it."""


def test_five_edits_made_offline_count_within_a_second_of_the_networks_return(
    serve_behind: Callable[[str], Behind],
    open_page: Callable[[str], Page],
    record_property: Callable[[str, object], None],
    repeat: int,
) -> None:
    behind = serve_behind("faults.py")
    page = open_page(behind.url)
    page.wait_idle()
    enter(page, "d", "acknowledged")
    page.wait_idle()
    behind.python.wait_for(d="acknowledged")

    behind.proxy.drop()
    page.set_offline(offline=True)
    wait_for_state(page, "offline")
    for name, value in (("a", 1), ("b", 10), ("a", 2), ("b", 20), ("a", 3)):
        enter(page, name, value)
    behind.python.set(c="set by Python meanwhile")
    held = behind.python.get()
    assert (held["a"], held["b"]) == (0, 0)
    shown = shown_by(page)
    assert (shown["a"], shown["b"], shown["c"]) == (3, 20, 0)

    healed_s = time.monotonic()
    behind.proxy.heal()
    page.set_offline(offline=False)
    took_s = behind.python.wait_for(a=3, b=20) - healed_s
    record_property("returned_s", round(took_s, 3))
    print(f"returned after {took_s:.3f} s")
    agreed = wait_until_agreed({"page": page}, behind.python)
    assert agreed == {**held, "a": 3, "b": 20, "c": "set by Python meanwhile", "d": "acknowledged"}
    assert took_s < RETURN_S
    assert page.errors() == []
    # One value per property: what was overtaken before it left is nobody's business.
    assert [value for _, value in behind.python.seen("a")] == [3]
    assert [value for _, value in behind.python.seen("b")] == [20]


@pytest.mark.alike
def test_a_connection_that_breaks_while_an_edit_is_on_its_way_does_not_lose_it(
    serve_behind: Callable[[str], Behind], open_page: Callable[[str], Page], repeat: int
) -> None:
    behind = serve_behind("faults.py")
    page = open_page(behind.url)
    page.wait_idle()
    for number in (1, 2, 3):
        behind.proxy.hold(["up"])
        enter(page, "a", number)
        page.wait_for("!document.documentElement.hasAttribute('data-rdit-idle')")
        behind.proxy.cut()
        behind.proxy.release(["up"])
        behind.python.wait_for(a=number)
        wait_until_agreed({"page": page}, behind.python)
    assert [value for _, value in behind.python.seen("a")] == [1, 2, 3]
    assert page.errors() == []


@pytest.mark.alike
@pytest.mark.threat(28)
def test_an_edit_whose_acknowledgement_was_lost_does_not_overwrite_what_python_set_since(
    serve_behind: Callable[[str], Behind], open_page: Callable[[str], Page], repeat: int
) -> None:
    behind = serve_behind("faults.py")
    page = open_page(behind.url)
    page.wait_idle()
    skip_unless_sessions(page)
    behind.proxy.hold(["down"])
    enter(page, "a", "by the page")
    behind.python.wait_for(a="by the page")
    behind.proxy.cut()
    behind.proxy.release(["down"])
    behind.python.set(a="by Python, later")
    wait_until_agreed({"page": page}, behind.python)
    assert [value for _, value in behind.python.seen("a")] == ["by the page", "by Python, later"]
    assert shown_by(page)["a"] == "by Python, later"
    assert page.errors() == []

"""The network swallows everything and tells nobody: sockets stay open on both sides, and nothing arrives."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from e2e.faults import Behind, enter, skip_unless_sessions, wait_for_state, wait_until_agreed
from e2e.page import Page
from rdit_harness.proxy import BOTH, Direction

PROBE_S = 5.0
"""How long a page waits for the answer to the question whether anybody is there."""

SILENCE_S = 45.0
"""After so long without a word a page, and a server, take a connection for dead."""

LOOK_AGAIN = "void document.dispatchEvent(new Event('visibilitychange'))"
"""What a page hears when its tab is shown again."""


WAYS: tuple[tuple[Direction, ...], ...] = (("up", "down"), ("down",), ("up",))


def test_a_page_that_is_looked_at_again_finds_out_that_nobody_hears_it(
    serve_behind: Callable[[str], Behind], open_page: Callable[[str], Page], repeat: int
) -> None:
    directions = WAYS[repeat % len(WAYS)]
    behind = serve_behind("faults.py")
    page = open_page(behind.url)
    page.wait_idle()
    skip_unless_sessions(page)
    behind.proxy.partition(directions)
    enter(page, "a", "into the void")
    behind.python.set(b="set by Python")
    behind.proxy.wait_for(lambda proxy: all(proxy.lost(direction) for direction in directions))
    if "down" not in directions:
        # Anything that is heard after the question would count as its answer.
        page.wait_for("panels.main.get('b') === 'set by Python'")
    behind.proxy.heal()
    page.evaluate(LOOK_AGAIN)
    behind.python.wait_for(a="into the void", timeout_s=2 * PROBE_S + 10)
    agreed = wait_until_agreed({"page": page}, behind.python)
    assert (agreed["a"], agreed["b"]) == ("into the void", "set by Python")
    assert [value for _, value in behind.python.seen("a")] == ["into the void"]
    assert page.errors() == []


@pytest.mark.takes(2 * SILENCE_S)
def test_a_page_that_nobody_looks_at_finds_out_by_the_silence(
    serve_behind: Callable[[str], Behind], open_page: Callable[[str], Page], pytestconfig: pytest.Config, repeat: int
) -> None:
    if pytestconfig.getoption("--repeats") == 1:
        pytest.skip("takes a minute; runs with --repeats 2 and more")
    behind = serve_behind("faults.py")
    page = open_page(behind.url)
    page.wait_idle()
    skip_unless_sessions(page)
    behind.proxy.partition(BOTH)
    enter(page, "a", "into the void")
    wait_for_state(page, "offline", timeout_s=SILENCE_S + 10)
    behind.proxy.heal()
    behind.python.wait_for(a="into the void", timeout_s=30)
    wait_until_agreed({"page": page}, behind.python)

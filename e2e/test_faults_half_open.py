"""The network swallows everything and tells nobody: sockets stay open on both sides, and nothing arrives."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from e2e.faults import Behind, enter, skip_unless_sessions, wait_until_agreed
from e2e.page import Page
from rdit_harness.proxy import BOTH, Direction

PROBE_S = 5.0
"""How long a page waits for the answer to the question whether anybody is there."""

SILENCE_S = 45.0
"""After so long without a word a page, and a server, take a connection for dead."""

DIAL_S = 10.0
"""How long a page waits for a dial to come about."""

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


@pytest.mark.takes(2 * DIAL_S)
def test_a_page_that_dials_into_the_void_dials_again(
    serve_behind: Callable[[str], Behind], open_page: Callable[[str], Page], pytestconfig: pytest.Config, repeat: int
) -> None:
    if pytestconfig.getoption("--repeats") == 1:
        pytest.skip("takes ten seconds; runs with --repeats 2 and more")
    behind = serve_behind("faults.py")
    page = open_page(behind.url)
    page.wait_idle()
    skip_unless_sessions(page)
    dialled = behind.proxy.accepted
    behind.proxy.hold()
    behind.proxy.cut()
    enter(page, "a", "into the void")
    behind.proxy.wait_for(lambda proxy: proxy.accepted > dialled + 1, DIAL_S + 10)
    behind.proxy.release()
    behind.python.wait_for(a="into the void", timeout_s=DIAL_S + 10)
    wait_until_agreed({"page": page}, behind.python)
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
    # It may dial again, in vain, before anybody sees that it was offline.
    page.wait_for("document.documentElement.dataset.rditState !== 'live'", SILENCE_S + 10)
    behind.proxy.heal()
    behind.python.wait_for(a="into the void", timeout_s=30)
    wait_until_agreed({"page": page}, behind.python)

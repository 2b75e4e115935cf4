"""The server dies and is started again at its port: the page goes on with it, and says what happened."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from e2e.faults import Behind, enter, notices, protocol_of, skip_unless_sessions, wait_for_state, wait_until_agreed
from e2e.page import Page

RESTART_S = 30.0
"""A page that was away asks again after 20 s at the latest."""


def test_a_page_whose_server_was_killed_agrees_with_the_next_one_and_its_edits_are_in_it(
    serve_behind: Callable[[str], Behind], open_page: Callable[[str], Page], repeat: int
) -> None:
    behind = serve_behind("faults.py")
    page = open_page(behind.url)
    page.wait_idle()
    other = page.new_tab(page.url())
    other.wait_idle()
    enter(page, "a", "acknowledged before")
    behind.python.wait_for(a="acknowledged before")
    behind.python.set(d="set by Python before")
    page.wait_idle()

    behind.kill()
    # Nobody comes before the script has run.
    behind.proxy.drop()
    wait_for_state(page, "offline")
    enter(page, "b", "made while it was down")
    behind.start()
    behind.proxy.heal()
    for tab in (page, other):
        tab.set_offline(offline=False)
    behind.python.wait_for(b="made while it was down", timeout_s=RESTART_S)
    for tab in (page, other):
        wait_for_state(tab, "live", RESTART_S)
    agreed = wait_until_agreed({"page": page, "other": other}, behind.python)
    # What Python had is gone with it; the page shows what Python has now.
    assert agreed == {**agreed, "a": 0, "b": "made while it was down", "d": 0}
    enter(page, "c", "after all that")
    behind.python.wait_for(c="after all that")
    wait_until_agreed({"page": page, "other": other}, behind.python)
    assert page.errors() == other.errors() == []
    if protocol_of(page) != "rdit.base":
        for tab in (page, other):
            assert "started anew" in notices(tab), "the reader is told"


@pytest.mark.alike
def test_a_page_whose_server_is_stopped_hears_why_and_goes_on_with_the_next_one(
    serve_behind: Callable[[str], Behind], open_page: Callable[[str], Page], repeat: int
) -> None:
    behind = serve_behind("faults.py")
    page = open_page(behind.url)
    page.wait_idle()
    skip_unless_sessions(page)
    behind.python.close()
    assert behind.server.stop() == 0
    page.wait_for("document.getElementById('rdit-notices').textContent.includes('going away')")
    wait_for_state(page, "offline")
    enter(page, "b", "made while it was away")
    behind.start()
    page.set_offline(offline=False)
    behind.python.wait_for(b="made while it was away", timeout_s=RESTART_S)
    wait_until_agreed({"page": page}, behind.python)
    assert "going away" not in notices(page)
    assert "started anew" in notices(page)
    assert page.errors() == []


@pytest.mark.alike
def test_an_edit_that_comes_back_before_the_script_has_made_its_widget_is_applied_or_named(
    serve_behind: Callable[[str], Behind], open_page: Callable[[str], Page], repeat: int
) -> None:
    behind = serve_behind("late.py")
    behind.python.call("open")
    page = open_page(behind.url)
    page.wait_idle()
    skip_unless_sessions(page)
    behind.kill()
    wait_for_state(page, "offline")
    enter(page, "b", "made while it was down")
    behind.start()
    page.set_offline(offline=False)
    wait_for_state(page, "live", RESTART_S)
    behind.proxy.wait_for(lambda proxy: proxy.connections > 0)
    behind.python.call("open")
    behind.python.wait_for(limited=5)
    wait_until_agreed({"page": page}, behind.python)
    give_up_s = time.monotonic() + 10
    while behind.python.get()["b"] != "made while it was down" and "of b " not in notices(page):
        assert time.monotonic() < give_up_s, f"neither applied nor named: {notices(page)!r}"
    wait_until_agreed({"page": page}, behind.python)

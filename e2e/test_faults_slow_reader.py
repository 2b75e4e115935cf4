"""One tab reads a trickle while Python sets large values as fast as it can."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import pytest

from e2e.faults import Behind, resident_bytes
from e2e.page import Page

BYTES_PER_S = 1024
STORM_S = 0.8
MIB = 1024 * 1024
ALLOWANCE_BYTES = 2 * MIB
"""For the slow connection, over what the server needs for the same storm without one."""

SEEN_PER_S = 5
"""What another tab sees at least: without a fault and undisturbed it is 50 to 500, by how fast its browser paints."""


@pytest.mark.alike
@pytest.mark.unrecorded
@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
@pytest.mark.threat(20)
def test_a_slow_reader_costs_the_server_little_and_the_other_tab_nothing(
    serve_behind: Callable[[str], Behind], open_page: Callable[[str], Page], repeat: int
) -> None:
    behind = serve_behind("storm.py")
    fast = open_page(behind.direct_url)
    fast.wait_idle()
    slow = fast.new_tab(behind.url)
    slow.wait_idle()
    # Both tabs read well: what the storm itself needs, allocator and all.
    baseline, sets, seen_before = storm(behind, fast)
    wait_for_the_end(fast, sets)
    wait_for_the_end(slow, sets)

    behind.proxy.slow_reader(BYTES_PER_S)
    peak, sets, seen = storm(behind, fast)
    stopped_s = time.monotonic()
    assert slow.evaluate("panels.big.get('a')") != end_after(sets), "it is slow indeed"
    wait_for_the_end(fast, sets)
    end_s, extra = time.monotonic() - stopped_s, peak - baseline
    print(f"{sets} sets of 100 KiB, peak {peak / MIB:.1f} MiB, {extra / MIB:+.2f} MiB for the slow reader")
    print(f"other tab: {seen} values (without a slow reader {seen_before}), the last after {end_s:.2f} s")
    assert extra < ALLOWANCE_BYTES
    assert seen >= SEEN_PER_S * STORM_S
    behind.proxy.slow_reader(None)
    wait_for_the_end(slow, sets)
    assert fast.errors() == slow.errors() == []


def storm(behind: Behind, page: Page) -> tuple[int, int, int]:
    """Gives the server's peak memory in bytes, how often Python set the value, how many of them the page saw."""
    page.evaluate("void (shown.big.length = 0)")
    behind.python.call("start")
    ends_s, peak = time.monotonic() + STORM_S, 0
    while time.monotonic() < ends_s:
        # An answer of the page's between two looks: no loop of ours takes the core from those who work.
        page.evaluate("shown.big.length")
        peak = max(peak, resident_bytes(behind.server.pid))
    sets = behind.python.call("stop")
    return peak, sets, page.evaluate("shown.big.length")


def end_after(sets: int) -> str:
    """The last value of a storm."""
    return f"the end, after {sets}"


def wait_for_the_end(page: Page, sets: int) -> None:
    page.wait_for(f"panels.big.get('a') === {end_after(sets)!r}", timeout_s=20)
    page.wait_idle(timeout_s=20)

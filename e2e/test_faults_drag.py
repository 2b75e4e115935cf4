"""A hand drags, Python sets what is dragged at the same time, and the network takes its time."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import pytest

from e2e.faults import Behind, wait_until_agreed
from e2e.page import Page

HAND_PER_S = 60
TRACK = ".track-main"
START_PX, STOP_PX = 10.0, 950.0


@pytest.mark.unrecorded
@pytest.mark.parametrize("rtt_ms", [0, 100, 500])
def test_what_is_dragged_never_moves_back_and_ends_equal_everywhere(
    serve_behind: Callable[[str], Behind],
    open_page: Callable[[str], Page],
    pytestconfig: pytest.Config,
    rtt_ms: int,
    repeat: int,
) -> None:
    browsers = pytestconfig.getoption("--browser")
    if rtt_ms != 100 and pytestconfig.getoption("--repeats") < 2 and "chromium" not in browsers:
        pytest.skip("Chromium takes all three round-trip times by default, the others one; --repeats takes all in each")
    """Python's own values are always ahead of what it has and behind the hand's next one (`Panel.nudge`): any move back
    is a value that was overtaken before it was shown.
    """
    behind = serve_behind("faults.py")
    page = open_page(behind.url)
    other = page.new_tab(behind.direct_url)
    for tab in (page, other):
        tab.wait_idle()
    behind.proxy.latency(rtt_ms / 2000)
    steps = math.ceil(pytestconfig.getoption("--drag-seconds") * HAND_PER_S)

    behind.python.call("start")
    page.drag(TRACK, (START_PX, 20), (STOP_PX, 20), steps=steps, step_s=1 / HAND_PER_S)
    sets = behind.python.call("stop")
    page.wait_for(f"document.querySelector('{TRACK}').dataset.dragged === '1'")
    agreed = wait_until_agreed({"page": page, "other": other}, behind.python)

    shown = page.evaluate("shown.main.filter(([, name]) => name === 'position')")
    began_ms = next(at_ms for at_ms, _, value in shown if value >= START_PX)
    dragged = [value for at_ms, _, value in shown if at_ms >= began_ms]
    moves = int(page.attribute(TRACK, "data-moves") or 0)
    seconds = (shown[-1][0] - began_ms) / 1000
    print(f"RTT {rtt_ms} ms: {moves} moves in {seconds:.2f} s, {sets} sets by Python, {len(dragged)} values shown")
    backward = [(before, after) for before, after in pairwise(dragged) if after < before]
    assert backward == []
    assert sets > HAND_PER_S / 4, "Python had its part in it"
    assert moves >= min(steps, HAND_PER_S) / 2, "the hand moved as a hand does"
    assert STOP_PX <= agreed["position"] < STOP_PX + 1
    assert page.errors() == other.errors() == []

"""One schedule, two clients: what a page of the simulator went through, given to the browser's client in Node."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from rdit_harness.sim.draw import draw_case
from rdit_harness.sim.record import difference, record, replay_here

DRIVER = Path(__file__).parents[2] / "rdit_ref_server" / "client" / "tests" / "replay.js"

# Without those whose values JavaScript cannot hold (huge integers), and listeners, which the driver has none of.
REPLAYED = (
    "F1 F2 F3 F4 F5 F6 F7 F8 F9 F11 F12 F13 F14 F15 F16 F17 F18 F19 F20 F21 F22 F23 F26 F27 F28 F29 F30 F32 F33 F35 F41"
).split()
SEEDS = range(4, 64)


@pytest.mark.once
@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_the_browsers_client_answers_as_the_python_client_does():
    schedules = {seed: record(draw_case(seed, REPLAYED)) for seed in SEEDS}
    assert len(schedules) >= 50
    lines = [json.dumps(line) for schedule in schedules.values() for line in schedule]
    node = subprocess.run(
        ["node", str(DRIVER)], input="\n".join(lines) + "\n", capture_output=True, text=True, check=True, timeout=50
    )
    answers = iter(map(json.loads, node.stdout.splitlines()))
    steps = 0
    for seed, schedule in schedules.items():
        for step, mine in zip(schedule[1:], replay_here(schedule), strict=True):
            theirs = next(answers)
            steps += 1
            assert difference(mine, theirs) == "", f"seed {seed}, step {mine['step']}: {step}"
            assert ("error" in mine) == ("error" in theirs), (mine, theirs)
    assert steps > 2_000
    assert next(answers, None) is None

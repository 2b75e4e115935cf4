"""(c) Events of the simulator per second, as `rdit simulate` counts them, with a process per core."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import Final

from bench.measure import Progress, median
from bench.report import Claim, Table, count

SEEDS: Final = 400
LEAST_PER_S: Final = 100_000
"""On all cores together."""

_FOUND: Final = re.compile(r"(?P<events>\d+) events in [\d.]+ s \((?P<rate>[\d,]+) a second\)")

Results = Sequence[tuple[int, float]]
"""Events of each run, and how many of them per second."""


class SimulatorError(Exception):
    """The simulator did not run. The text is its output."""


def run(*, rounds: int, scale: float, progress: Progress) -> Results:
    """Run the same seeds several times. What they find is for the tests to say: here it counts how fast."""
    progress.subject("simulator")
    seeds = max(2, int(SEEDS * scale))
    results = []
    for number in range(rounds):
        with tempfile.TemporaryDirectory() as reports:
            arguments = ["simulate", "--seeds", str(seeds), "--plain", "--timeline", reports]
            command = [sys.executable, "-m", "rdit_core.cli", *arguments]
            done = subprocess.run(command, capture_output=True, encoding="utf-8")
        found = _FOUND.search(done.stdout)
        if found is None:
            raise SimulatorError(f"rdit {' '.join(arguments)} gave {done.returncode}:\n{done.stdout}{done.stderr}")
        results.append((int(found["events"]), float(found["rate"].replace(",", ""))))
        progress.step("simulator", number + 1, rounds)
    return results


def per_second(results: Results) -> float:
    """The median over the runs."""
    return median([rate for _, rate in results])


def tables(results: Results) -> list[Table]:
    """Events, and how many of them per second."""
    rows = [["rdit simulate", count(results[0][0]), count(per_second(results))]]
    return [Table("The simulator, a process per core", ["command", "events per run", "events per second"], rows)]


def claims(results: Results) -> list[Claim]:
    """Events per second."""
    rate = per_second(results)
    text = "simulated events per second"
    return [Claim(text, count(rate), f"≥ {count(LEAST_PER_S)}", rate >= LEAST_PER_S)]

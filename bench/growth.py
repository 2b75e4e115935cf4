"""(d) How the cost of one write grows with everything around it.

One page sets an integer; the core applies it and every page takes what it is sent. Per axis one manager per size, all
alive at once and taking turns, so that sizes are compared with each other and not with another minute of the machine.

- `widgets`: hosted beside the one that is written; should cost nothing. As many distinct widgets are written at each
  size (10), so that the processor's caches are not what is measured.
- `tabs`: pages that show the widget and take the change; should be linear, each page costs its frame.
- `state`: bytes of another property of the written widget; should cost nothing.
- `value`: bytes of the written value itself; should be linear.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from bench.core_path import Subject
from bench.measure import Progress, Samples, Turn, median, race, timed
from bench.peers import ANY_WRITES, PEERS, Peer
from bench.report import Claim, Table, count, duration
from rdit_core import Limits, WidgetManager

SIZES: Final[Mapping[str, Sequence[int]]] = {
    "widgets": (10, 100, 1_000, 10_000),
    "tabs": (1, 3, 10, 30, 100),
    "state": (1_000, 10_000, 100_000, 1_000_000, 10_000_000),
    "value": (1_000, 10_000, 100_000, 1_000_000, 10_000_000),
}
UNITS: Final = {"widgets": "widgets", "tabs": "tabs", "state": "bytes of other state", "value": "bytes of the value"}
STEEPEST: Final = {"widgets": 0.1, "tabs": 1.1, "state": 0.1, "value": 1.1}
"""The largest exponent that holds."""

Results = Mapping[str, Mapping[str, Samples]]
"""Axis to mode to size to seconds per write, one per round."""

_WRITTEN: Final = 10
_MOST_TABS: Final = 1_000


class _World:
    """A manager with widgets and pages; the first page writes."""

    def __init__(self, mode: str, *, widgets: int = 1, tabs: int = 1, state_bytes: int = 0) -> None:
        self.manager = WidgetManager(limits=Limits(max_connections=_MOST_TABS, max_slot_writes=ANY_WRITES))
        with self.manager.capture():
            self.widgets = [Subject(text="x" * state_bytes) for _ in range(widgets)]
        stride = max(1, widgets // _WRITTEN)
        self.ids = [self.manager.id_of(widget) or "" for widget in self.widgets[::stride]][:_WRITTEN]
        self.pages: list[Peer] = [PEERS[mode](self.manager) for _ in range(tabs)]
        self.written = 0

    def turn(self, property: str, make: Callable[[int], Any], writes: int) -> float:
        """Write `writes` new values; returns the seconds that took."""
        first = self.written = self.written + 1
        self.written += writes
        writer = self.pages[0]
        frames = [writer.update(self.ids[n % len(self.ids)], property, make(n)) for n in range(first, first + writes)]

        def write(number: int) -> None:
            writer.send(frames[number - first])
            self.manager.apply_pending()
            for page in self.pages:
                page.drain()

        return timed(write, first, writes)


def run(*, rounds: int, scale: float, progress: Progress, sizes: int | None = None) -> Results:
    """Measure every axis in every mode.

    Args:
        rounds: how often each size has its turn.
        scale: of the number of writes per turn; 1 for the real thing.
        progress: what is told on the way.
        sizes: how many sizes per axis, smallest first; default all.
    """
    results: dict[str, dict[str, Samples]] = {}
    for axis, all_sizes in SIZES.items():
        results[axis] = {}
        for mode in PEERS:
            progress.subject(f"growth: {axis}, {mode}")
            turns = {str(size): _turn(axis, mode, size, scale) for size in all_sizes[:sizes]}
            results[axis][mode] = race(turns, rounds=rounds, count=1, progress=progress, subject=f"{axis}, {mode}")
    return results


def _turn(axis: str, mode: str, size: int, scale: float) -> Turn:
    def integer(number: int) -> int:
        return number

    def text(number: int) -> str:
        return f"{number:08}" * (size // 8)

    make: Callable[[int], Any]
    if axis == "value":
        world, property, make, writes = _World(mode), "text", text, 2_000_000 // size
    elif axis == "state":
        world, property, make, writes = _World(mode, state_bytes=size), "number", integer, 200
    elif axis == "tabs":
        world, property, make, writes = _World(mode, tabs=size), "number", integer, max(10, 400 // size)
    else:
        world, property, make, writes = _World(mode, widgets=size), "number", integer, 200
    writes = max(2, int(min(writes, 200) * scale))
    return lambda _: world.turn(property, make, writes) / writes


def slope(costs: Mapping[str, Sequence[float]]) -> float:
    """The exponent with which the cost grows: that of the line through the logarithms of the medians. 0 is flat,
    1 linear.
    """
    xs = [math.log(float(size)) for size in costs]
    ys = [math.log(median(seconds)) for seconds in costs.values()]
    x_mean, y_mean = sum(xs) / len(xs), sum(ys) / len(ys)
    return sum((x - x_mean) * (y - y_mean) for x, y in zip(xs, ys, strict=True)) / sum((x - x_mean) ** 2 for x in xs)


def tables(results: Results) -> list[Table]:
    """Medians per size, and the slopes."""
    found = []
    for axis, modes in results.items():
        sizes = next(iter(modes.values()))
        rows = [
            [mode, *(duration(median(seconds)) for seconds in costs.values()), f"{slope(costs):.2f}"]
            for mode, costs in modes.items()
        ]
        head = ["mode", *(count(float(size)) for size in sizes), "slope"]
        found.append(Table(f"Time per write, by {UNITS[axis]}", head, rows))
    return found


def claims(results: Results) -> list[Claim]:
    """Flat in what a write has nothing to do with, at most linear in the rest."""
    found = []
    for axis, modes in results.items():
        steepest = STEEPEST[axis]
        for mode, costs in modes.items():
            first, *_, last = costs
            text = f"growth from {count(float(first))} to {count(float(last))} {UNITS[axis]}, {mode}"
            found.append(Claim(text, f"slope {slope(costs):.2f}", f"≤ {steepest:g}", slope(costs) <= steepest))
    return found

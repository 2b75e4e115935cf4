"""Runs: one case, one seed, many seeds; what came of them, and one hash over all.

A batch of seeds is a plain function of plain values, so that any executor can run it, in this process or on another
machine. Results are put in order of seeds before anything is made of them: how many processes there were, and which was
faster, shows nowhere.
"""

from __future__ import annotations

import gc
import hashlib
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field

from .checkers import InvariantBroken, Violation
from .draw import draw_case
from .faults import FAULTS
from .plan import Case
from .world import World


@dataclass(slots=True)
class Result:
    """What came of one case."""

    case: Case
    violation: Violation | None
    events: int
    trace_hash: str
    fired: Counter[str]
    marks: Counter[str]
    world: World | None = None
    """Only when it was asked for: it holds everything."""

    def raise_for_violation(self) -> None:
        """Raise `AssertionError` when an invariant did not hold."""
        if self.violation is not None:
            raise AssertionError(str(self.violation))


@dataclass(slots=True)
class Summary:
    """What came of many seeds."""

    seeds: int = 0
    events: int = 0
    fired: Counter[str] = field(default_factory=Counter)
    marks: Counter[str] = field(default_factory=Counter)
    hashes: dict[int, str] = field(default_factory=dict)
    """Seed to trace hash."""
    violations: dict[int, Violation] = field(default_factory=dict)
    """Seed to what did not hold."""
    unsteady: list[int] = field(default_factory=list)
    """Seeds whose second run was not the first (I19)."""

    def add(self, other: Summary) -> None:
        """Take another's in."""
        self.seeds += other.seeds
        self.events += other.events
        self.fired.update(other.fired)
        self.marks.update(other.marks)
        self.hashes.update(other.hashes)
        self.violations.update(other.violations)
        self.unsteady.extend(other.unsteady)

    @property
    def trace_hash(self) -> str:
        """One hash over all seeds, in order of seeds."""
        digest = hashlib.blake2b(digest_size=16)
        for seed in sorted(self.hashes):
            digest.update(f"{seed} {self.hashes[seed]}\n".encode())
        return digest.hexdigest()


@contextmanager
def quiet_core() -> Iterator[None]:
    """The core logs what it meets; in a run that is what the run is for."""
    loggers = [logging.getLogger(name) for name in ("rdit", "rdit.model")]
    before = [one.disabled for one in loggers]
    for one in loggers:
        one.disabled = True
    try:
        yield
    finally:
        for one, was in zip(loggers, before, strict=True):
            one.disabled = was


def run_case(case: Case, *, keep_world: bool = False) -> Result:
    """Run one case. Never raises for what the core does: that is the result's `violation`."""
    violation: Violation | None = None
    with quiet_core():
        world = World(case)
        try:
            world.run()
        except InvariantBroken as broken:
            violation = broken.violation
    result = Result(case, violation, world.events, world.trace_hash(), world.fired, world.marks)
    if keep_world:
        result.world = world
    else:
        world.trace.clear()  # Most of what a world is made of, and no part of its cycles.
        world.ops.clear()
    return result


def run_seeds(
    first: int,
    count: int,
    faults: Sequence[str] = tuple(FAULTS),
    *,
    check_determinism: bool = False,
    plant: str | None = None,
    stop_early: bool = False,
) -> Summary:
    """Run so many seeds from the first on.

    Args:
        first: the first seed.
        count: how many.
        faults: codes that seeds may draw from.
        check_determinism: run each twice and compare.
        plant: name of a bug to plant into the core first (`planted`).
        stop_early: end with the first violation.
    """
    from .planted import PLANTS

    summary = Summary()
    # Cycles are made by the thousand and die with their world; looking for them all the time costs a quarter. Once per
    # seed is enough, over what that seed made: all that was there before, and what outlives a seed, is set aside.
    was_collecting = gc.isenabled()
    gc.disable()
    gc.freeze()
    try:
        with PLANTS[plant].planted() if plant is not None else nullcontext():
            for seed in range(first, first + count):
                case = draw_case(seed, faults)
                result = run_case(case)
                summary.seeds += 1
                summary.events += result.events
                summary.fired.update(result.fired)
                summary.marks.update(result.marks)
                summary.hashes[seed] = result.trace_hash
                if result.violation is not None:
                    summary.violations[seed] = result.violation
                    if stop_early:
                        break
                if check_determinism and run_case(case).trace_hash != result.trace_hash:
                    summary.unsteady.append(seed)
                gc.collect()
                gc.freeze()
    finally:
        gc.unfreeze()
        if was_collecting:
            gc.enable()
    return summary

"""A failing case made small: steps taken out as long as the same invariant still breaks.

Halves first, then quarters, down to single steps (delta debugging), then the world: pages nobody needs, widgets nobody
uses, limits nobody meets. Each try is a whole run of some milliseconds, so a bound on tries bounds the time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from .plan import Case, TabSetup
from .run import run_case

_TRIES = 400


class _Budget:
    def __init__(self, tries: int) -> None:
        self.left = tries

    def take(self) -> bool:
        self.left -= 1
        return self.left >= 0


def shrink(case: Case, code: str, *, tries: int = _TRIES) -> Case:
    """The smallest case found that breaks the same invariant.

    Args:
        case: breaks `code`.
        code: the invariant.
        tries: how many runs it may take.
    """
    budget = _Budget(tries)

    def fails(candidate: Case) -> bool:
        if not budget.take():
            return False
        violation = run_case(candidate).violation
        return violation is not None and violation.code == code

    small = _fewer_steps(case, fails)
    small = _plainer_world(small, fails)
    return _fewer_steps(small, fails)


def _fewer_steps(case: Case, fails: Callable[[Case], bool]) -> Case:
    steps = case.steps
    size = max(1, len(steps) // 2)
    while True:
        at = 0
        while at < len(steps):
            rest = steps[:at] + steps[at + size :]
            if fails(case.with_steps(rest)):
                steps = rest
            else:
                at += size
        if size == 1:
            return case.with_steps(steps)
        size //= 2


def _plainer_world(case: Case, fails: Callable[[Case], bool]) -> Case:
    setup = case.setup
    candidates = [
        replace(setup, linked=False),
        replace(setup, real=False),
        replace(setup, observers_first=False),
        replace(setup, jitter_ms=0),
        replace(setup, limits=()),
        replace(setup, tabs=tuple(TabSetup(mode=one.mode) for one in setup.tabs)),
        replace(setup, tabs=setup.tabs[:-1]),
        replace(setup, widgets=setup.widgets[:1]),
        replace(setup, tabs=setup.tabs[:1]),
    ]
    for candidate in candidates:
        # Each change is tried on what the ones before it left.
        changes = {
            name: getattr(candidate, name)
            for name in ("tabs", "widgets", "linked", "real", "observers_first", "jitter_ms", "limits")
            if getattr(candidate, name) != getattr(setup, name)
        }
        trial = replace(case, setup=replace(case.setup, **changes))
        if changes and trial.setup.tabs and fails(trial):
            case = trial
    return replace(case, faults=())

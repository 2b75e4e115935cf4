"""What a failure leaves: the seed and how to run it again, the case cut small as a test that runs, and a timeline."""

from __future__ import annotations

from pathlib import Path
from pprint import pformat

from .invariants_ends import INVARIANTS
from .plan import Case
from .run import Result, run_case
from .shrink import shrink
from .timeline import timeline_html

_TEST = '''"""Seed {seed} broke {code}: {sentence}

{detail}

Run it: pytest {name}. Again from the seed: rdit simulate --seed {seed} --seeds 1 --faults {faults}
"""

from rdit_harness.sim.plan import Case, Setup, Step, TabSetup
from rdit_harness.sim.run import run_case

CASE = {case}


def test_seed_{identifier}_keeps_{lower}() -> None:
    run_case(CASE).raise_for_violation()
'''


def case_as_test(case: Case, result: Result, name: str) -> str:
    """A pytest file with one test, which fails as long as the case does."""
    violation = result.violation
    code = violation.code if violation is not None else "nothing"
    return _TEST.format(
        seed=case.seed,
        identifier=str(case.seed).replace("-", "minus_"),
        code=code,
        lower=code.lower(),
        sentence=INVARIANTS.get(code, "?"),
        detail=str(violation),
        name=name,
        faults=",".join(result.case.faults) or "all",
        case=pformat(case, width=110),
    )


def write_report(result: Result, folder: Path, *, plant: str | None = None) -> str:
    """Shrink a failing case and write test, case and timeline into a folder. Returns what to print.

    Args:
        result: of the seed that failed.
        folder: made if it is not there.
        plant: the bug that was planted, for the command line that is printed.
    """
    violation = result.violation
    assert violation is not None, "only failures are reported"
    folder.mkdir(parents=True, exist_ok=True)
    seed = result.case.seed
    small = shrink(result.case, violation.code)
    again = run_case(small, keep_world=True)
    name = f"test_seed_{seed}.py".replace("-", "minus_")
    (folder / name).write_text(case_as_test(small, again, name), encoding="utf-8")
    (folder / f"seed_{seed}.json").write_text(small.to_json() + "\n", encoding="utf-8")
    page = folder / f"seed_{seed}.html"
    assert again.world is not None
    page.write_text(timeline_html(again.world, f"Seed {seed}, shrunk: {violation.code}"), encoding="utf-8")
    fired = ", ".join(
        f"{code} x{count}" for code, count in sorted(again.fired.items(), key=lambda one: int(one[0][1:]))
    )
    planted = f" --plant {plant}" if plant else ""
    steps = "\n".join(f"    {step.at_ms:>7} ms  {step.kind} who={step.who} {step.args}" for step in small.steps)
    return (
        f"seed {seed}: {violation}\n"
        f"  {INVARIANTS.get(violation.code, '')}\n"
        f"  again:    rdit simulate --seed {seed} --seeds 1{planted}\n"
        f"  replay:   rdit simulate --replay {folder / f'seed_{seed}.json'}{planted}\n"
        f"  test:     {folder / name}\n"
        f"  timeline: {page}\n"
        f"  faults fired in the shrunk case: {fired or 'none'}\n"
        f"  schedule ({len(small.steps)} of {len(result.case.steps)} steps, {len(small.setup.tabs)} pages):\n{steps}"
    )

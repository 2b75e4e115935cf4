"""`rdit simulate`: seeds through the simulator, from a shell."""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .executors import open_executor, run_many
from .faults import FAULTS, parse
from .invariants_ends import INVARIANTS
from .plan import Case
from .run import Result, Summary, run_case
from .timeline import timeline_html

_DESCRIPTION = """\
Run the core, its clients and a network that fails through a world without a clock. The same seed gives the same run.
"""

_EXAMPLES = """\
examples:
  rdit simulate                                    2,000 seeds, all faults, all cores
  rdit simulate --seeds 100000 --jobs 8            more of them
  rdit simulate --seed 4711 --seeds 1              one seed again
  rdit simulate --faults F2,F13 --seeds 500        only drops and expiries
  rdit simulate --check-determinism --seeds 200    each seed twice, traces compared
  rdit simulate --demand                           fail when a fault that was asked for never happened
  rdit simulate --scheduler tcp://10.0.0.7:8786    seeds on a Dask cluster (or dask:local, or module:callable)
  rdit simulate --replay seed_17.json --timeline . one case again, and its timeline as HTML
  rdit simulate --plant no_mask                    plant a bug into the core, and see it caught
  rdit simulate --table docs/simulator.md          plant each bug, and write the table of when it is caught

exit status: 0 all held, 1 something did not, 2 wrong arguments
"""

_REPORTS = 3
"""Failures that are shrunk and written down; the others are listed."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "rdit simulate",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seed", type=int, default=0, help="the first seed (default: 0)")
    parser.add_argument("--seeds", type=int, default=2_000, metavar="N", help="how many (default: 2000)")
    parser.add_argument("--jobs", type=int, default=0, metavar="J", help="processes (default: one per core)")
    parser.add_argument("--faults", default="all", help="codes such as F2,F5, or all (default), or none")
    parser.add_argument("--scheduler", metavar="SPEC", help="module:callable, tcp://host:port or dask:local")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="run the case in a JSON file")
    parser.add_argument("--check-determinism", action="store_true", help="run each seed twice and compare")
    parser.add_argument("--demand", action="store_true", help="fail when a fault of --faults never fired")
    parser.add_argument(
        "--timeline", type=Path, metavar="DIR", help="where reports of failures go (default: simulation)"
    )
    parser.add_argument("--plant", metavar="NAME", help="plant a bug into the core first; 'list' lists them")
    parser.add_argument("--table", type=Path, metavar="FILE", help="plant every bug, write the table into a document")
    parser.add_argument("--plain", action="store_true", help="no progress bar")
    return parser


def simulate(arguments: Sequence[str]) -> int:
    """Run `rdit simulate`. Returns its exit status."""
    options = _parser().parse_args(list(arguments))
    try:
        faults = () if options.faults == "none" else parse(options.faults)
    except ValueError as error:
        print(f"rdit simulate: {error}", file=sys.stderr)
        return 2
    if options.plant == "list":
        return _list_plants()
    if options.table is not None:
        from .plant_table import write_table

        return write_table(options.table)
    if options.replay is not None:
        return _replay(options)
    return _run(options, faults)


def _list_plants() -> int:
    from .planted import PLANTS

    for plant in PLANTS.values():
        print(f"{plant.name:28} {', '.join(plant.expected):14} {plant.sentence}")
    return 0


def _replay(options: argparse.Namespace) -> int:
    from contextlib import nullcontext

    from .planted import PLANTS

    case = Case.from_json(options.replay.read_text(encoding="utf-8"))
    with PLANTS[options.plant].planted() if options.plant else nullcontext():
        result = run_case(case, keep_world=True)
    print(f"{result.events} events, trace hash {result.trace_hash}")
    print(result.violation if result.violation is not None else "all invariants held")
    if options.timeline is not None and result.world is not None:
        options.timeline.mkdir(parents=True, exist_ok=True)
        page = options.timeline / f"{options.replay.stem}.html"
        page.write_text(timeline_html(result.world, options.replay.stem), encoding="utf-8")
        print(f"timeline: {page}")
    return 1 if result.violation is not None else 0


class _Progress:
    """A bar where rich is there and somebody looks, else a line now and then."""

    def __init__(self, total: int, *, is_plain: bool) -> None:
        self._total = total
        self._bar: Any = None
        self._last_s = time.monotonic()
        if not is_plain and sys.stderr.isatty():
            try:
                console: Any = importlib.import_module("rich.console")
                bars: Any = importlib.import_module("rich.progress")
            except ModuleNotFoundError:
                return
            self._bar = bars.Progress(console=console.Console(stderr=True))
            self._bar.start()
            self._task = self._bar.add_task("seeds", total=total)

    def __call__(self, summary: Summary) -> None:
        if self._bar is not None:
            self._bar.update(self._task, completed=summary.seeds)
        elif time.monotonic() - self._last_s > 5:
            self._last_s = time.monotonic()
            bad = f", {len(summary.violations)} violations" if summary.violations else ""
            print(f"{summary.seeds} of {self._total} seeds, {summary.events} events{bad}", file=sys.stderr)

    def stop(self) -> None:
        if self._bar is not None:
            self._bar.stop()


def _run(options: argparse.Namespace, faults: Sequence[str]) -> int:
    import os

    from .planted import PLANTS

    if options.plant is not None and options.plant not in PLANTS:
        print(f"rdit simulate: no bug {options.plant!r}; --plant list lists them", file=sys.stderr)
        return 2
    jobs = options.jobs or os.cpu_count() or 1
    progress = _Progress(options.seeds, is_plain=options.plain)
    begin = time.perf_counter()
    try:
        with open_executor(options.scheduler, jobs) as executor:
            summary = run_many(
                options.seed,
                options.seeds,
                faults,
                executor=executor,
                check_determinism=options.check_determinism,
                plant=options.plant,
                progress=progress,
            )
    except (ValueError, ModuleNotFoundError) as error:
        print(f"rdit simulate: {error}", file=sys.stderr)
        return 2
    finally:
        progress.stop()
    seconds = time.perf_counter() - begin
    missing = [code for code in faults if not summary.fired[code]] if options.demand else []
    _print_summary(summary, seconds, faults, options.check_determinism)
    if summary.violations:
        _report(summary, faults, options.timeline or Path("simulation"), options.plant)
    for seed in summary.unsteady[:10]:
        print(f"I19: seed {seed} gave two traces. {INVARIANTS['I19']}")
    if missing:
        print(f"demanded and never fired: {', '.join(f'{code} ({FAULTS[code]})' for code in missing)}")
    print(f"trace hash {summary.trace_hash}")
    return 1 if summary.violations or summary.unsteady or missing else 0


def _print_summary(summary: Summary, seconds: float, faults: Sequence[str], is_twice: bool) -> None:
    print("fault  fired")
    for code in faults:
        print(f"{code:<5} {summary.fired[code]:>6}  {FAULTS[code]}")
    rate = summary.events * (2 if is_twice else 1) / seconds if seconds else 0
    print(
        f"{summary.seeds} seeds, {summary.events} events in {seconds:.1f} s ({rate:,.0f} a second), "
        f"{len(summary.violations)} violations"
    )


def _report(summary: Summary, faults: Sequence[str], folder: Path, plant: str | None) -> None:
    from contextlib import nullcontext

    from .draw import draw_case
    from .planted import PLANTS
    from .report import write_report

    with PLANTS[plant].planted() if plant is not None else nullcontext():
        for index, (seed, violation) in enumerate(sorted(summary.violations.items())):
            if index < _REPORTS:
                result: Result = run_case(draw_case(seed, faults))
                print(write_report(result, folder, plant=plant) if result.violation else f"seed {seed}: {violation}")
            elif index < 20:
                print(f"seed {seed}: {violation}")

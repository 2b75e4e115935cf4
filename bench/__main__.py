"""The command: `python -m bench`."""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import json
import os
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from bench import browser, cold_start, core_path, growth, linked, plot, simulator
from bench.chrome import BrowserError
from bench.measure import Progress
from bench.report import Claim, Findings, Table, as_text, update_page
from bench.simulator import SimulatorError

DOCS: Final = Path(__file__).parent.parent / "docs"
PAGE: Final = "bench.md"
ROUNDS: Final = 15
QUICK_ROUNDS: Final = 3
QUICK_SCALE: Final = 0.1
QUICK_SIZES: Final = 3

_EXAMPLES: Final = """\
examples:
  python -m bench                      everything; rewrites docs/bench.md and its pictures (some ten minutes)
  python -m bench --quick              a look, in a minute or two; writes nothing
  python -m bench --only a,d           what needs no browser
  python -m bench --only b --runs 31   more rounds, where the machine is noisy
  python -m bench --check              for a release: status 1 if a target is missed
  python -m bench --json out.json      every sample, for tools of one's own

parts:
  a  the core: one write, against ipywidgets' own handler and against the limit
  b  a real page in Chromium, against a bare WebSocket page
  c  the simulator: events per second
  d  growth: widgets, tabs, size of state and value
  e  the cold start: from the command to the first widget in Chromium, against a bare host
  f  linked widgets: from one to the other through Python, against a bare echo
"""


@dataclass(frozen=True)
class _Part:
    title: str
    run: Callable[..., Any]
    tables: Callable[[Any], list[Table]]
    claims: Callable[[Any], list[Claim]]
    plot: tuple[str, Callable[[Any, Path], None]] | None = None
    rounds: Callable[[int], int] = lambda runs: runs


PARTS: Final = {
    "a": _Part(
        "One write through the core",
        core_path.run,
        core_path.tables,
        core_path.claims,
        ("bench-core.svg", plot.core),
        lambda runs: 5 * runs,  # Its turns are short.
    ),
    "b": _Part(
        "A page in a real browser", browser.run, browser.tables, browser.claims, ("bench-browser.svg", plot.pages)
    ),
    "c": _Part("The simulator", simulator.run, simulator.tables, simulator.claims, None, lambda runs: min(runs, 3)),
    "d": _Part("How cost grows", growth.run, growth.tables, growth.claims, ("bench-growth.svg", plot.slopes)),
    "e": _Part("The cold start", cold_start.run, cold_start.tables, cold_start.claims),
    "f": _Part("Linked widgets", linked.run, linked.tables, linked.claims),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks; returns the process's exit status: with `--check` 1 when a target is missed, 2 when a part
    could not run.
    """
    options = _parse(arguments)
    rounds = options.runs or (QUICK_ROUNDS if options.quick else ROUNDS)
    out = options.out or (None if options.quick else DOCS)
    progress = Progress()
    found: dict[str, Findings] = {}
    samples: dict[str, Any] = {}
    failed = False
    for letter in options.only:
        part = PARTS[letter]
        more = {"sizes": QUICK_SIZES} if options.quick and letter == "d" else {}
        scale = QUICK_SCALE if options.quick else 1.0
        about = _about(part.rounds(rounds), letter)
        try:
            results = part.run(rounds=part.rounds(rounds), scale=scale, progress=progress, **more)
        except (BrowserError, SimulatorError) as error:
            print(f"({letter}) {part.title}: {error}", file=sys.stderr)
            failed = True
            continue
        findings = Findings(letter, part.title, about)
        findings.tables, findings.claims = part.tables(results), part.claims(results)
        if part.plot is not None and out is not None:
            name, draw = part.plot
            out.mkdir(parents=True, exist_ok=True)
            draw(results, out / name)
            findings.plot = name
        found[letter], samples[letter] = findings, results
        print(as_text(findings), flush=True)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        update_page(out / PAGE, found.values())
    if options.json is not None:
        text = json.dumps({"about": _about(rounds, ""), "samples": samples}, default=dataclasses.asdict, indent=1)
        options.json.write_text(text, encoding="utf-8")
    missed = [claim for findings in found.values() for claim in findings.claims if not claim.holds]
    total = sum(len(findings.claims) for findings in found.values())
    print(f"{total - len(missed)} of {total} targets hold")
    for claim in missed:
        print(f"  missed: {claim.text}: {claim.measured}, target {claim.target}")
    if failed:
        return 2
    return 1 if options.check and missed else 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure what an update costs, each time against something that runs beside it.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--quick", action="store_true", help="few rounds of small turns; writes nothing without --out")
    parser.add_argument(
        "--only", metavar="PARTS", type=_parts, default=list(PARTS), help="which parts, such as a,d (default: all)"
    )
    parser.add_argument(
        "--runs",
        metavar="N",
        type=_positive,
        help=f"rounds (default {ROUNDS}, quick {QUICK_ROUNDS}); part a takes five times as many, c at most three",
    )
    parser.add_argument("--json", metavar="FILE", type=Path, help="also write every sample there")
    parser.add_argument("--out", metavar="DIR", type=Path, help=f"where {PAGE} and its pictures go (default: docs/)")
    parser.add_argument("--check", action="store_true", help="end with status 1 when a target is missed")
    return parser.parse_args(arguments)


def _parts(text: str) -> list[str]:
    letters = [letter.strip() for letter in text.split(",")]
    if unknown := [letter for letter in letters if letter not in PARTS]:
        raise argparse.ArgumentTypeError(f"no part {unknown[0]!r}; there are {', '.join(PARTS)}")
    return letters


def _positive(text: str) -> int:
    number = int(text) if text.isdigit() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, got {text!r}")
    return number


def _about(rounds: int, letter: str) -> str:
    facts = [
        f"{rounds} rounds",
        datetime.date.today().isoformat(),
        f"Python {platform.python_version()}",
        f"{os.cpu_count()} cores ({_processor()}) under a load of {os.getloadavg()[0]:.1f}",
        *(f"{name} {version(name)}" for name in ("rdit", "anywidget", "ipywidgets", "traitlets")),
        *([f"websockets {version('websockets')}"] if letter in "bf" else []),
    ]
    return ", ".join(facts)


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.machine()
    names = [line.split(":", 1)[1].strip() for line in text.splitlines() if line.startswith("model name")]
    return names[0] if names else platform.machine()


if __name__ == "__main__":
    raise SystemExit(main())

"""The bench as a command: `python -m oracle_bench`, see docs/oracle.md."""

from __future__ import annotations

import argparse
import sys
import time

from .bench import Bench, Finding, Tally
from .node import Node
from .page import write_page
from .programs import PROFILES, make_program

_MAX_FINDINGS = 5


def run(bench: Bench, seeds: range, *, is_long: bool = False) -> list[Finding]:
    """Go through the programs of some seeds in each profile, and print what is found, made small."""
    found: list[Finding] = []
    for profile in PROFILES:

        def progress(done: int, profile: str = profile) -> None:
            if is_long and done % 1_000 == 0:
                print(f"{profile}: {done} of {len(seeds)} programs, {len(found)} differ", flush=True)

        for finding in bench.findings(seeds, profile, progress):
            found.append(finding)
            if len(found) <= _MAX_FINDINGS:
                print(bench.report(bench.shrunk(finding)), end="\n\n", flush=True)
    return found


def summary(tally: Tally, found: list[Finding], seconds: float) -> str:
    """The last lines of a run."""
    met = "\n".join(f"  {count:7} {name}" for name, count in tally.met.most_common())
    return (
        f"Programs that met each deviation:\n{met}\n"
        f"{tally.programs} programs in {seconds:.0f} s, {tally.on_oracle} of them on the oracle, "
        f"{tally.plain} of those without meeting a deviation: {len(found)} unexplained differences"
    )


def main(arguments: list[str]) -> int:
    """0 when nothing differs that should not."""
    parser = argparse.ArgumentParser(prog="python -m oracle_bench", description="Compare oracle, client and mirror.")
    parser.add_argument("--programs", type=int, default=500, help="how many seeds, in each profile (500)")
    parser.add_argument("--first", type=int, default=0, metavar="SEED", help="the first of them (0)")
    parser.add_argument("--show", type=int, metavar="SEED", help="print one program, and what came of it on all three")
    parser.add_argument("--page", action="store_true", help="write the table of docs/oracle.md anew, and nothing else")
    options = parser.parse_args(arguments)
    if options.page:
        write_page()
        return 0
    begun = time.monotonic()
    with Node() as node:
        bench = Bench(node)
        if options.show is not None:
            program = make_program(options.show)
            print(bench.report(Finding(program, bench.differences([program])[0] or "No unexplained difference")))
            return 0
        tally = bench.tally
        found = run(bench, range(options.first, options.first + options.programs), is_long=True)
        print(summary(tally, found, time.monotonic() - begun))
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

"""The comparison: each program on the oracle, the client and the mirror.

Compared are, in the profile `compat`, the oracle with the client and the client with the mirror; in `strict`, which the
oracle does not have, the client with the mirror. A difference that no deviation explains is a `Finding`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from .compare import Result, by_step, difference, without_changed, without_undefined
from .deviations import BYTES_ARE_VALUES, NAMES
from .mirror import run_on_mirror
from .node import Node
from .programs import Profile, Program, as_text, make_program
from .shrink import shrink

_GROUP = 100
_IN_CHANGED: Final = frozenset(("same_object", "edited_then_copied", "set_back_in_listener", "equal_set_in_listener"))
"""The reference saves by `changed`, so these amendments put there what is to be saved, and the next `set` that a
listener makes takes it out again."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A program on which two of the three differ, and how."""

    program: Program
    difference: str


@dataclass(slots=True)
class Tally:
    """What a run has seen."""

    programs: int = 0
    on_oracle: int = 0
    """Programs that ran on the oracle, too."""
    plain: int = 0
    """Those of them that met no deviation: there the oracle ran as it is published."""
    met: Counter[str] = field(default_factory=Counter)
    """Programs that met each deviation."""

    def count(self, results: Sequence[Result]) -> None:
        """Take the oracle's results of some programs."""
        self.on_oracle += len(results)
        for result in results:
            met = result.get("met", [])
            self.met.update(met)
            self.plain += not met


def _told_alike(oracle: Result, client: Result) -> tuple[Result, Result]:
    """What is compared of both: `changed` only where the reference's own rules made it."""
    if _IN_CHANGED.isdisjoint(oracle.get("met", ())):
        return oracle, client
    return without_changed(oracle), without_changed(client)


def _mirrored(result: Result) -> Result:
    if "error" in result:
        return result
    return {part: without_undefined(result[part]) for part in ("trace", "state", "python")}


@dataclass(slots=True)
class Bench:
    """All three."""

    node: Node
    tally: Tally = field(default_factory=Tally)

    def differences(self, programs: Sequence[Program]) -> list[str | None]:
        """What differs unexplained, of each program; all of one profile."""
        client = self.node.run("client", programs)
        found: list[str | None] = [None] * len(programs)
        if programs and programs[0]["profile"] == "compat":
            oracle = self.node.run("oracle", programs, NAMES)
            self.tally.count(oracle)
            names = ("oracle", "client")
            pairs = [_told_alike(*pair) for pair in zip(oracle, client, strict=True)]
            found = [difference(theirs, ours, names) for theirs, ours in pairs]
        self.tally.programs += len(programs)
        for index, (program, result) in enumerate(zip(programs, client, strict=True)):
            found[index] = found[index] or self._differs_from_mirror(program, result)
        return found

    def _differs_from_mirror(self, program: Program, client: Result) -> str | None:
        mirror = run_on_mirror(program)
        names = ("client", "mirror")
        if difference(_mirrored(client), mirror, names) is None:
            return None
        [again] = self.node.run("client", [program], [BYTES_ARE_VALUES])
        if again.get("met"):
            self.tally.met.update([BYTES_ARE_VALUES])
        return difference(_mirrored(again), mirror, names)

    def findings(
        self, seeds: range, profile: Profile, progress: Callable[[int], object] = lambda done: None
    ) -> Iterator[Finding]:
        """Go through the programs of some seeds."""
        for start in range(seeds.start, seeds.stop, _GROUP):
            programs = [make_program(seed, profile) for seed in range(start, min(start + _GROUP, seeds.stop))]
            for program, text in zip(programs, self.differences(programs), strict=True):
                if text is not None:
                    yield Finding(program, text)
            progress(min(start + _GROUP, seeds.stop) - seeds.start)

    def shrunk(self, finding: Finding) -> Finding:
        """The smallest program found that shows a difference of any kind."""
        program = shrink(finding.program, lambda smaller: self.differences([smaller])[0] is not None)
        return Finding(program, self.differences([program])[0] or finding.difference)

    def report(self, finding: Finding) -> str:
        """A finding for a reader: the program, what differs, and what each of the three did."""
        program = finding.program
        results = {
            "oracle, amended": self.node.run("oracle", [program], NAMES)[0],
            "client": self.node.run("client", [program])[0],
            "mirror": run_on_mirror(program),
        }
        lines = [as_text(program), "", finding.difference]
        for name, result in results.items():
            lines += ["", f"{name}:", *_story(result)]
        return "\n".join(lines)


def _story(result: Result) -> Iterator[str]:
    if "error" in result:
        yield f"  {result['error']}"
        return
    for number, step in enumerate(by_step(result), 1):
        for part in ("page", "python"):
            for entry in step[part]:
                yield f"  {number:3} {step['step']:8} {part:7} {entry}"
    yield f"  {'page':>12}: {result['state']}"
    yield f"  {'Python':>12}: {result['python']}"

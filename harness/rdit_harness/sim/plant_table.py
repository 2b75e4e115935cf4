"""Each planted bug run until it is caught, and the table of when, for docs/simulator.md."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from .planted import PLANTS
from .run import run_seeds

BOUND: Final = 400
"""Seeds within which a bug must be caught."""

_BEGIN: Final = "<!-- caught: begin -->"
_END: Final = "<!-- caught: end -->"


class Catch(NamedTuple):
    """When a bug was caught, and by what."""

    name: str
    seeds: int | None
    """How many seeds it took; None for more than the bound."""
    code: str
    """The invariant."""
    is_expected: bool


def catch(name: str, *, bound: int = BOUND) -> Catch:
    """Plant a bug and run seeds from 0 on until one breaks."""
    summary = run_seeds(0, bound, plant=name, stop_early=True)
    if not summary.violations:
        return Catch(name, None, "", False)
    seed, violation = min(summary.violations.items())
    return Catch(name, seed + 1, violation.code, violation.code in PLANTS[name].expected)


def as_table(catches: Sequence[Catch]) -> str:
    """Markdown."""
    lines = ["| bug | what it is | caught after | by |", "|---|---|---|---|"]
    for one in catches:
        after = "never" if one.seeds is None else f"{one.seeds} seed{'s' if one.seeds > 1 else ''}"
        lines.append(f"| `{one.name}` | {PLANTS[one.name].sentence} | {after} | {one.code} |")
    return "\n".join(lines)


def put_table(text: str, table: str) -> str:
    """A document with the table between its marks. Raises `ValueError` when it has no marks."""
    if _BEGIN not in text or _END not in text:
        raise ValueError(f"Expected {_BEGIN} and {_END} in the document")
    return re.sub(
        f"{re.escape(_BEGIN)}.*{re.escape(_END)}", lambda _: f"{_BEGIN}\n{table}\n{_END}", text, flags=re.DOTALL
    )


def write_table(path: Path) -> int:
    """Run all bugs and write the table into a document. Returns an exit status: 1 when one was not caught."""
    catches = []
    for name in PLANTS:
        catches.append(catch(name))
        print(f"{name}: {catches[-1].seeds} seeds, {catches[-1].code}")
    path.write_text(put_table(path.read_text(encoding="utf-8"), as_table(catches)), encoding="utf-8")
    return 1 if any(one.seeds is None for one in catches) else 0

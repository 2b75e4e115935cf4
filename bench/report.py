"""What a run found, as tables and claims: text for a terminal, markdown for `docs/bench.md`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Claim:
    """Something that should hold, and what was measured of it."""

    text: str
    measured: str
    target: str
    holds: bool


@dataclass(frozen=True)
class Table:
    """Rows of text under a head; the first column to the left, the others to the right."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass
class Findings:
    """One part of a run."""

    part: str
    """Its letter."""
    title: str
    about: str
    """One line: machine, versions, rounds."""
    tables: list[Table] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    plot: str | None = None
    """File name of its picture, beside the page."""


def as_text(findings: Findings) -> str:
    """For a terminal."""
    blocks = [f"({findings.part}) {findings.title}\n    {findings.about}"]
    for table in [*findings.tables, *_claims_table(findings.claims)]:
        rows = [table.head, *table.rows]
        widths = [max(len(row[column]) for row in rows) for column in range(len(table.head))]
        lines = [
            "    " + "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip() for row in rows
        ]
        lines.insert(1, "    " + "  ".join("-" * width for width in widths))
        blocks.append("\n".join([f"  {table.title}", *lines]))
    return "\n\n".join(blocks) + "\n"


def as_markdown(findings: Findings) -> str:
    """A section of the page, without its heading."""
    blocks = [f"_{findings.about}_"]
    for table in [*_claims_table(findings.claims), *findings.tables]:
        lines = [_row(table.head), _row(["---", *("---:" for _ in table.head[1:])])]
        blocks.append("\n".join([f"**{table.title}**\n", *lines, *map(_row, table.rows)]))
    if findings.plot is not None:
        blocks.append(f"![{findings.title}]({findings.plot})")
    return "\n\n".join(blocks)


def update_page(page: Path, all_findings: Iterable[Findings]) -> None:
    """Put findings between their markers in a page; a page that has none of a part's markers gets them at its end."""
    text = page.read_text(encoding="utf-8") if page.exists() else "# Benchmarks\n"
    for findings in all_findings:
        begin, end = f"<!-- bench {findings.part}: begin -->", f"<!-- bench {findings.part}: end -->"
        section = f"{begin}\n\n{as_markdown(findings)}\n\n{end}"
        pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
        present = pattern.search(text)
        if present:
            text = text[: present.start()] + section + text[present.end() :]
        else:
            text = f"{text.rstrip()}\n\n## {findings.title}\n\n{section}\n"
    page.write_text(text, encoding="utf-8")


def duration(seconds: float) -> str:
    """Three digits and a unit."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{_three(seconds / size)} {unit}"
    return f"{_three(seconds * 1e9)} ns"


def times(ratio: float) -> str:
    """A ratio."""
    return f"{_three(ratio)}×"


def count(number: float) -> str:
    """A whole number in groups of three digits."""
    return f"{number:,.0f}"


def _three(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.1f}" if number >= 10 else f"{number:.2f}"


def _claims_table(claims: Sequence[Claim]) -> list[Table]:
    if not claims:
        return []
    rows = [[claim.text, claim.measured, claim.target, "yes" if claim.holds else "**no**"] for claim in claims]
    return [Table("Claims", ["claim", "measured", "target", "holds"], rows)]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"

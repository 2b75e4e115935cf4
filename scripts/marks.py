"""Which tests show what: their marks, read from the sources without running anything, and the pages that say so.

A test names rows of a table in the project's docs: in JavaScript at the end of its title, `[afm 46 47]`, in Python by
`@pytest.mark.afm(46, 47)`. A title may end with marks of several tables.
"""

from __future__ import annotations

import argparse
import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
CLIENT_TESTS: Final = ROOT / "rdit_ref_server" / "client" / "tests"
STORIES: Final = ROOT / "e2e"
PYTHON_TESTS: Final = (ROOT / "rdit_core" / "tests", ROOT / "harness" / "tests", ROOT / "rdit_ref_server" / "tests")

_MARKED: Final = re.compile(
    r"\btest\(\s*(?P<quote>[\"'`])(?P<title>(?:(?!(?P=quote)).)*?)(?P<marks>(?: \[[a-z]+ [\w ]+\])+)(?P=quote)"
)
_MARK: Final = re.compile(r"\[(?P<table>[a-z]+) (?P<lines>[\w ]+)\]")


@dataclass(frozen=True, slots=True)
class Shown:
    """A test that shows lines of a table."""

    file: str
    name: str
    lines: tuple[str, ...]


def javascript_tests(table: str, folder: Path = CLIENT_TESTS) -> Iterator[Shown]:
    """Tests in JavaScript that name lines of a table.

    Raises:
        ValueError: a mark is not at the end of a test's title.
    """
    for path in sorted(folder.glob("*.test.js")):
        text = path.read_text(encoding="utf-8")
        count = 0
        for match in _MARKED.finditer(text):
            marks = [mark["lines"] for mark in _MARK.finditer(match["marks"]) if mark["table"] == table]
            count += len(marks)
            if marks:
                yield Shown(path.name, match["title"].replace("\\`", "`"), tuple(" ".join(marks).split()))
        if count != len(re.findall(rf"\[{table}\b", text)):
            raise ValueError(f"Expected each [{table} ...] of {path.name} at the end of the title of a test(...)")


def python_tests(table: str, folders: Iterable[Path]) -> Iterator[Shown]:
    """Tests in Python that name lines of a table."""
    for folder in folders:
        for path in sorted(folder.glob("test_*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.FunctionDef):
                    lines = tuple(line for one in node.decorator_list for line in _named(table, one))
                    if lines:
                        yield Shown(path.name, node.name.removeprefix("test_").replace("_", " "), lines)


def _named(table: str, decorator: ast.expr) -> Iterator[str]:
    if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == f"pytest.mark.{table}":
        yield from (str(ast.literal_eval(argument)) for argument in decorator.args)


def by_line(tests: Iterable[Shown]) -> dict[str, list[Shown]]:
    """The tests of each line, in order of file and place."""
    found: dict[str, list[Shown]] = {}
    for test in tests:
        for line in test.lines:
            found.setdefault(line, []).append(test)
    return found


def unknown_lines(tests: dict[str, list[Shown]], known: Iterable[object]) -> list[str]:
    """What is to be said of tests that name a line that there is not."""
    numbers = {str(one) for one in known}
    return [
        f"{test.file}: '{test.name}' names line {number}, which there is not"
        for number in tests
        if number not in numbers
        for test in tests[number]
    ]


def cell(tests: Iterable[Shown]) -> str:
    """The tests of a line, for a table in Markdown."""
    return "<br>".join(f"`{test.file}`: {escaped(test.name)}" for test in tests)


def escaped(text: str) -> str:
    """Text that does not end a table's cell, nor begin a tag."""
    return text.replace("|", "\\|").replace("<", "&lt;")


def chapter(heading: str, columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A chapter of a page: a heading and a table, whose first column has no name."""
    names = ["", *columns]
    lines = [f"|{' |'.join(f' {name}' if name else '' for name in names)} |", "|" + "---|" * len(names)]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return f"## {heading}\n\n" + "\n".join(lines) + "\n"


def is_stale(page: Path, text: str) -> bool:
    """Whether a page is not what would be written."""
    return not page.exists() or page.read_text(encoding="utf-8") != text


def write_or_check(
    page: Path, text: str, problems: Sequence[str], *, command: str, about: str | None, arguments: Sequence[str] | None
) -> int:
    """Be the command of a page: write it, or with `--check` say whether it is stale. Gives its exit status: 1 for a
    stale page, or one with problems.

    Args:
        page: where it is.
        text: what belongs there.
        problems: what is to be said of it.
        command: its module.
        about: the module's docstring.
        arguments: of the command.
    """
    parser = argparse.ArgumentParser(description=(about or "").partition("\n")[0])
    parser.add_argument(
        "--check", action="store_true", help="write nothing; 1 if the page is stale or something has no test"
    )
    given = parser.parse_args(arguments)
    for problem in problems:
        print(problem)
    stale = given.check and is_stale(page, text)
    if stale:
        print(f"{page.name} is stale: python -m {command}")
    if not given.check:
        page.write_text(text, encoding="utf-8")
    return 1 if problems or stale else 0

"""Which tests show what: their marks, read from the sources without running anything.

A test names rows of a table in the project's docs: in JavaScript at the end of its title, `[afm 46 47]`, in Python by
`@pytest.mark.afm(46, 47)`. A title may end with marks of several tables.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
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


def is_stale(page: Path, text: str) -> bool:
    """Whether a page is not what would be written."""
    return not page.exists() or page.read_text(encoding="utf-8") != text

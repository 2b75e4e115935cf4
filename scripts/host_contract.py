"""Writes docs/host-contract.md: what a host does, line by line, and which tests show it.

python -m scripts.host_contract            # write it
python -m scripts.host_contract --check    # say whether it is stale; 1 if it is

The lines are those of `rdit_harness.contract`. A test names the lines that it shows: in JavaScript at the end of its
title, `[afm 46 47]`, in Python by `@pytest.mark.afm(46, 47)`. Tests of the browser side and stories in browsers show a
line in the client; all other Python tests show it in the mirror, or the Python end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rdit_harness.contract import CHAPTERS, LINES, Line
from scripts.marks import (
    PYTHON_TESTS,
    ROOT,
    STORIES,
    Shown,
    by_line,
    cell,
    chapter,
    escaped,
    javascript_tests,
    python_tests,
    unknown_lines,
    write_or_check,
)

PAGE: Final = ROOT / "docs" / "host-contract.md"
_TABLE: Final = "afm"

_INTRODUCTION: Final = """\
# The contract of a host, line by line

<!-- Written by `python -m scripts.host_contract` out of `rdit_harness.contract` and the marks of the tests. -->

What a widget's code can expect of the page that hosts it, and of Python behind the page. Where nothing is said in *on
purpose*, the reference implementation is followed: the npm package `anywidget` 0.11 on `@jupyter-widgets/base` 6. Where
something is, hosts here do otherwise than it, and that is why.

*Client* is the browser side (`rdit_ref_server/client`), tested in Node and in browsers. *Mirror* is `WidgetModel` with
the page around it in Python (`rdit_core`, `rdit_harness`), and the Python end; it plays a page without a browser, and
a line that takes JavaScript or a document is not its to show. *Missing* is what is not done yet.
"""


def collect() -> tuple[dict[str, list[Shown]], dict[str, list[Shown]]]:
    """The tests of each line: in the client, in the mirror."""
    client = [*javascript_tests(_TABLE), *python_tests(_TABLE, [STORIES])]
    return by_line(client), by_line(python_tests(_TABLE, PYTHON_TESTS))


def gaps(lines: Sequence[Line], client: dict[str, list[Shown]], mirror: dict[str, list[Shown]]) -> list[str]:
    """What is not as it should be: lines that nothing shows, tests of lines that there are not, idle reasons."""
    numbers = [line.number for line in lines]
    said = [one for tests in (client, mirror) for one in unknown_lines(tests, numbers)]
    for line in lines:
        for side, tests, reason in (("client", client, line.not_in_client), ("mirror", mirror, line.not_in_mirror)):
            is_shown = str(line.number) in tests
            if is_shown and reason is not None:
                said.append(f"Line {line.number} has a test in the {side}, and a reason why it has none")
            # What is missing altogether has nothing to show.
            is_started = line.missing is None or str(line.number) in {*client, *mirror}
            if not is_shown and reason is None and is_started:
                said.append(f"Line {line.number} has no test in the {side}, and no reason why")
    return said


def _cell(tests: Sequence[Shown], reason: str | None, missing: str | None) -> str:
    if not tests:
        return reason or ("missing" if missing else "")
    return cell(tests)


def page() -> str:
    """The whole page."""
    client, mirror = collect()
    parts = [_INTRODUCTION]
    for name, heading in CHAPTERS.items():
        rows = [_row(line, client, mirror) for line in LINES if line.path.split("/")[1] == name]
        parts.append(chapter(heading, ("behaviour", "on purpose", "client", "mirror"), rows))
    return "\n".join(parts)


def _row(line: Line, client: dict[str, list[Shown]], mirror: dict[str, list[Shown]]) -> tuple[str, ...]:
    number = str(line.number)
    says = f"{escaped(line.says)}<br>`{line.path}`"
    if line.missing:
        says += f"<br>*Missing:* {escaped(line.missing)}"
    shown = _cell(client.get(number, ()), line.not_in_client, line.missing)
    mirrored = _cell(mirror.get(number, ()), line.not_in_mirror, line.missing)
    return number, says, escaped(line.better or ""), shown, mirrored


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page, or say whether it is stale."""
    problems, command = gaps(LINES, *collect()), "scripts.host_contract"
    return write_or_check(PAGE, page(), problems, command=command, about=__doc__, arguments=arguments)


if __name__ == "__main__":
    raise SystemExit(main())

"""Writes docs/security.md: what somebody might try, what comes of it, and which tests show it.

python -m scripts.security_page            # write it
python -m scripts.security_page --check    # say whether it is stale; 1 if it is

The rows are those of `scripts.threats`. A test names the rows that it shows (see `scripts.marks`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

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
from scripts.threats import CHAPTERS, THREATS, Threat

PAGE: Final = ROOT / "docs" / "security.md"
_TABLE: Final = "threat"

_INTRODUCTION: Final = """\
# Security

<!-- Written by `python -m scripts.security_page` out of `scripts/threats.py` and the marks of the tests. -->

## What is trusted

Whoever has the token of an `rdit serve` may run what the script allows, as its author would: the visitor and the
author are taken for one. So are the script, the packages that it imports, and the JavaScript of its widgets. **A
widget's module runs with the rights of the page**: it can read all that the page shows and write whatever a page
may write. It is not fenced in; install widgets as you install packages.

Not trusted is everybody else: pages of other origins in the same browser, other users of the machine, others on its
network, and, for a host that embeds the core with several users, the tab of one of them against the others. What a
tab sends is checked as if it came from an attacker, with a valid session or without.

## What is said to whom

- **Refusals** of writes and frames, and failures of the server: our own words. They hold no value, no path, no
  traceback and nothing of what an exception says; the type of an exception at most, and what a trait declares that
  it takes.
- **Commands** (`experimental.invoke`): the caller, and no other page, gets the type and the words of what the
  command raised, since to say what went wrong is part of the answer. What such words may tell is for the widget's
  author to decide.
- **The script's own output and tracebacks**: whole, to every page that was let in. The visitor is the author, and
  wants them. A server for several users must not send them on: they come from the server (`rdit_ref_server`), never
  from the core.

A client that knows no protocol is let in, or not, by the same gate: base mode has no rights of its own.

## Behind something else

The gate believes no forwarding header. Behind a proxy, name the address that visitors use (`--public-url`); TLS and
limits on new connections per address are the proxy's part. `rdit serve` sets the transport's own bounds
(`rdit_ref_server/transport.py`: request heads in time, no compression, largest message); a host that mounts
`create_app` in a server of its own should set them there.
"""


def collect() -> dict[str, list[Shown]]:
    """The tests of each row."""
    return by_line([*javascript_tests(_TABLE), *python_tests(_TABLE, [*PYTHON_TESTS, STORIES])])


def gaps(threats: Sequence[Threat], tests: dict[str, list[Shown]]) -> list[str]:
    """What is not as it should be: rows that no test shows, tests of rows that there are not."""
    said = unknown_lines(tests, [one.number for one in threats])
    return said + [f"Row {one.number} has no test" for one in threats if str(one.number) not in tests]


def page(threats: Sequence[Threat], tests: Mapping[str, Sequence[Shown]]) -> str:
    """The whole page."""
    parts = [_INTRODUCTION]
    for name, heading in CHAPTERS.items():
        rows = [
            (str(one.number), escaped(one.tries), escaped(one.answer), cell(tests.get(str(one.number), ())))
            for one in threats
            if one.chapter == name
        ]
        parts.append(chapter(heading, ("somebody tries", "rdit", "tests"), rows))
    return "\n".join(parts)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page, or say whether it is stale."""
    tests = collect()
    text = page(THREATS, tests)
    command = "scripts.security_page"
    return write_or_check(PAGE, text, gaps(THREATS, tests), command=command, about=__doc__, arguments=arguments)


if __name__ == "__main__":
    raise SystemExit(main())

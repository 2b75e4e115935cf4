"""The tables of docs/oracle.md, written from the code."""

from __future__ import annotations

import html
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from .deviations import DEVIATIONS, Deviation
from .plants import CLIENT_PLANTS, MIRROR_PLANTS
from .programs import callback_lines, show_data, step_lines

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "oracle.md"


def put_between(text: str, name: str, table: str) -> str:
    """The page with a table between its marks. Raises `ValueError` when they are not there."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    if begin not in text or end not in text:
        raise ValueError(f"Expected {begin} and {end} in the page")
    head, _, rest = text.partition(begin)
    return f"{head}{begin}\n{table}\n{end}{rest.partition(end)[2]}"


def deviations_table() -> str:
    """One row per deviation: its reason and the program that shows it."""
    return "\n".join(
        ["| deviation | lines | reason | program | oracle | here |", "|---|---|---|---|---|---|", *_rows()]
    )


def _rows() -> Iterator[str]:
    for one in DEVIATIONS:
        lines = f"{one.lines} (better)" if one.is_marked else one.lines
        callbacks = [line for line in callback_lines(one.program) if not line.endswith(": nothing")]
        program = "<br>".join(map(_code, [*callbacks, *step_lines(one.program)]))
        theirs, ours = _seen(one, one.theirs), _seen(one, one.ours)
        yield f"| `{one.name}` | {lines} | {one.reason} | {program} | {theirs} | {ours} |"


def _code(text: str) -> str:
    return f"<code>{html.escape(text, quote=False).replace('|', '&#124;')}</code>"


def _seen(one: Deviation, entries: list[list[Any]]) -> str:
    return "<br>".join(_code(_entry(entry)) for entry in entries) or "nothing" + (" sent" * (one.place == "python"))


def _entry(entry: list[Any]) -> str:
    match entry:
        case ["call", name, *arguments]:
            shown = ["model" if data == {"$model": True} else show_data(data) for data in arguments]
            return f"{name}({', '.join(shown)})"
        case ["get", key, data]:
            return f"{key} is {show_data(data)}"
        case ["throw", name]:
            return f"{name} throws"
        case ["raised", verb]:
            return f"{verb} throws"
        case ["update", values]:
            return f"Python gets {show_data(values)}"
        case ["message", content, buffers]:
            return f"Python gets the message {show_data(content)}{', ' + show_data(buffers) if buffers else ''}"
    raise ValueError(f"Unknown entry: {entry}")


def plants_table() -> str:
    """One row per planted bug."""
    rows = [f"| `{name}` | client | {plant.sentence} |" for name, plant in CLIENT_PLANTS.items()]
    rows += [f"| `{name}` | mirror | {plant.sentence} |" for name, plant in MIRROR_PLANTS.items()]
    return "\n".join(["| bug | in the | |", "|---|---|---|", *rows])


def fresh_page() -> str:
    """The page with both tables as the code has them."""
    text = PAGE.read_text(encoding="utf-8")
    return put_between(put_between(text, "deviations", deviations_table()), "plants", plants_table())


def write_page() -> None:
    """Write it."""
    PAGE.write_text(fresh_page(), encoding="utf-8")

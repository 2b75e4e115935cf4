"""Writes the parts of rdit_core/PROTOCOL.md that the code knows better than anybody.

python -m scripts.protocol_page            # write them
python -m scripts.protocol_page --check    # say which are stale; 1 if any is

A part stands between `<!-- begin NAME -->` and `<!-- end NAME -->`: state machines out of `_transitions`, records out
of `messages`, numbers out of `limits`, examples that both ends of the core have just played. Everything else in the
page is written by hand.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from rdit_core import _transitions, limits, messages

from . import protocol_examples

State = TypeVar("State", bound=str)
Step = TypeVar("Step", bound=str)

PAGE: Final = Path(__file__).parents[1] / "rdit_core" / "PROTOCOL.md"

_BEGIN: Final = "<!-- begin {} -->"
_END: Final = "<!-- end {} -->"

_NAMES: Final = (
    (messages.WidgetId, "WidgetId"),
    (messages.Property, "Property"),
    (messages.Count, "Count"),
    (Any, "Value"),
    (str, "string"),
    (bool, "boolean"),
    (int, "Count"),
    (float, "number"),
)
_WIDTH: Final = 120
_MIB: Final = 1024 * 1024


# State machines.


def diagram(table: Mapping[State, Mapping[Step, State]]) -> str:
    """A state machine as Mermaid: steps that lead the same way share an arrow."""
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {next(iter(table))}"]
    for state, steps in table.items():
        ways: dict[State, list[Step]] = {}
        for step, following in steps.items():
            ways.setdefault(following, []).append(step)
        lines.extend(f"    {state} --> {following}: {', '.join(names)}" for following, names in ways.items())
        if not steps:
            lines.append(f"    {state} --> [*]")
    return "\n".join([*lines, "```"])


def page_states() -> str:
    """Which of a client's states a page shows how."""
    shown: dict[str, list[str]] = {}
    for state, name in _transitions.PAGE_STATES.items():
        shown.setdefault(name, []).append(f"`{state}`")
    rows = [f"| `{name}` | {', '.join(states)} |" for name, states in shown.items()]
    return "\n".join(["| a page shows | while its client is |", "|---|---|", *rows])


# Records.


def _type(hint: Any) -> str:
    """A type as the page spells it."""
    for known, name in _NAMES:
        if hint == known:
            return name
    origin, given = get_origin(hint), [one for one in get_args(hint) if one is not type(None)]
    if origin is Literal:
        return " | ".join(f'"{one}"' for one in given)
    if origin in (Union, types.UnionType):
        return " | ".join(map(_type, given))
    if origin is tuple:
        return f"[{', '.join(map(_type, given))}]"
    if origin is list:
        inner = _type(given[0])
        return f"({inner})[]" if "|" in inner else f"{inner}[]"
    if origin is dict:
        return f"{{ [name: string]: {_type(given[1])} }}"
    return str(hint.__name__)


def _record(kind: type[msgspec.Struct]) -> str:
    config = kind.__struct_config__
    hints = get_type_hints(kind, include_extras=True)
    lines = [f'{config.tag_field}: "{config.tag}"'] if config.tag is not None else []
    for field in msgspec.structs.fields(kind):
        is_always = field.required or field.default_factory not in (msgspec.NODEFAULT, list, dict)
        lines.append(f"{field.encode_name}{'' if is_always else '?'}: {_type(hints[field.name])}")
    head, short = f"type {kind.__name__} = {{", ", ".join(lines)
    if len(head) + len(short) + 3 <= _WIDTH:
        return f"{head} {short} }}"
    return "\n".join([head, *(f"  {line}" for line in lines), "}"])


def _reached(kinds: Sequence[Any]) -> list[type[msgspec.Struct]]:
    """Records, each after those that it is made of."""
    found: list[type[msgspec.Struct]] = []

    def visit(hint: Any) -> None:
        if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
            if hint not in found:
                for inner in get_type_hints(hint, include_extras=True).values():
                    visit(inner)
                found.append(hint)
        else:
            for inner in get_args(hint):
                visit(inner)

    for kind in kinds:
        visit(kind)
    return found


def records(union: Any, *, without: Sequence[Any] = ()) -> str:
    """All messages of one direction and what they are made of, in TypeScript's notation."""
    kinds = [one for one in get_args(union) if one not in without]
    return "\n".join(["```ts", *map(_record, _reached(kinds)), "```"])


# Numbers.


def _number(name: str, value: float) -> str:
    if name.endswith("_bytes"):
        return f"{value // _MIB:,} MiB" if value % _MIB == 0 else f"{value:,} bytes"
    return f"{value:g} s" if name.endswith("_s") else f"{value:,}"


def _described() -> dict[str, str]:
    """The docstring under each field of `Limits`, on one line."""
    (kind,) = (one for one in ast.parse(inspect.getsource(limits)).body if isinstance(one, ast.ClassDef))
    found: dict[str, str] = {}
    for field, after in zip(kind.body, kind.body[1:], strict=False):
        match field, after:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                found[name] = " ".join(text.split())
    return found


def limits_table() -> str:
    """Every number of `Limits`."""
    described = _described()
    rows = [
        f"| `{field.name}` | {_number(field.name, getattr(limits.Limits(), field.name))} | {described[field.name]} |"
        for field in fields(limits.Limits)
    ]
    return "\n".join(["| limit | default | |", "|---|---|---|", *rows])


PARTS: Final[dict[str, Callable[[], str]]] = {
    "client-states": partial(diagram, _transitions.CLIENT),
    "page-states": page_states,
    "server-states": partial(diagram, _transitions.SERVER),
    "session-states": partial(diagram, _transitions.SESSION),
    "widget-states": partial(diagram, _transitions.WIDGET),
    "client-messages": partial(records, messages.ClientMessage),
    "server-messages": partial(records, messages.ServerMessage, without=(messages.Ping, messages.Pong)),
    "limits": limits_table,
    "binary-frame": protocol_examples.dumped,
    **{f"example-{name}": partial(protocol_examples.played, name) for name in protocol_examples.EXAMPLES},
}
"""Name of a part to what writes it."""


def filled(text: str) -> str:
    """The page with every part as it should be. Raises `ValueError` for a part that the page lacks."""
    for name, write in PARTS.items():
        before, begin, rest = text.partition(_BEGIN.format(name))
        _, end, after = rest.partition(_END.format(name))
        if not begin or not end:
            raise ValueError(f"PROTOCOL.md lacks the part {name}")
        text = f"{before}{begin}\n\n{write()}\n\n{end}{after}"
    return text


def stale_parts(text: str) -> list[str]:
    """Names of the parts that are not as they would be written."""
    return [
        name
        for name, write in PARTS.items()
        if f"{_BEGIN.format(name)}\n\n{write()}\n\n{_END.format(name)}" not in text
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the parts, or with `--check` name those that are stale; 0 if all is well then."""
    parser = argparse.ArgumentParser(prog="python -m scripts.protocol_page", description="Parts of PROTOCOL.md")
    parser.add_argument("--check", action="store_true", help="write nothing, fail if a part is stale")
    text = PAGE.read_text(encoding="utf-8")
    if parser.parse_args(arguments).check:
        stale = stale_parts(text)
        print("\n".join(f"{name} is stale" for name in stale) or "every part is as it would be written")
        return int(bool(stale))
    PAGE.write_text(filled(text), encoding="utf-8", newline="\n")
    print(f"{len(PARTS)} parts written")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

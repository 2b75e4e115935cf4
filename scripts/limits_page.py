"""Writes docs/limits.md: every number that bounds something, its default, and where it is enforced.

python -m scripts.limits_page            # write it
python -m scripts.limits_page --check    # say whether it is stale; 1 if it is

Nothing is listed by hand. The limits of the core are the fields of `rdit_core.Limits`, enforced where a module reads
the field. The others are constants whose name says that they bound something; one of these without a docstring is an
error, as is a limit that nobody reads.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from rdit_core import Limits

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = ROOT / "docs" / "limits.md"
_CORE: Final = ROOT / "rdit_core"
_SERVER: Final = ROOT / "rdit_ref_server"
_CLIENT: Final = _SERVER / "client"

_BOUNDS: Final = re.compile(r"_?(?:(?:\w+_)?MAX_\w+|\w+_(?:S|CHARACTERS|HEADROOM|KEPT|SLOTS)|FLOOD)")
"""Names that say that they bound something."""
_NO_LIMITS: Final = frozenset(
    {
        "MAX_COUNT",  # what a whole number is
        "_KNOCK_EVERY_S",
        "_MAX_BACKOFF_DOUBLINGS",  # beyond them a number would overflow
        "_MAX_LAST_BATCHES",  # more than there can be
    }
)
_UNITS: Final = {
    "bytes": "bytes",
    "s": "seconds",
    "ms": "milliseconds",
    "characters": "characters",
    "chars": "characters",
    "length": "characters",
    "depth": "levels",
    "headroom": "times",
    "flood": "times",
    "sets": "times",
    "interruptions": "times",
    "answers": "times",
    "frames": "frames",
    "messages": "messages",
    "widgets": "widgets",
    "connections": "connections",
    "sessions": "sessions",
    "ops": "ops",
    "inflight": "batches",
    "rejects": "rejects",
    "tombstones": "widgets",
    "events": "events",
    "kernels": "kernels",
    "moments": "states",
    "outputs": "events",
    "kept": "widgets",
    "reports": "reports",
    "reported": "reports",
    "slots": "values",
    "slot": "edits",
    "notices": "notices",
    "strikes": "errors",
    "text": "characters",
    "frame": "bytes",
    "share": "times",
}

_INTRODUCTION: Final = """\
# Limits

<!-- Written by `python -m scripts.limits_page` out of the code. -->

Every number that bounds something. Those of the core are fields of `rdit_core.Limits`: a host of its own gives them to
`Kernel(limits=...)` or `WidgetManager(limits=...)`; of these `rdit serve` has `--max-connections`. The others are
constants of the module that enforces them. What was refused because of them is counted in `GET /api/status`, and the
codes are those of [PROTOCOL.md](../rdit_core/PROTOCOL.md).
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One limit."""

    name: str
    default: float
    unit: str
    enforced: Sequence[str]
    """Files, relative to the project."""
    text: str


class LimitError(Exception):
    """A limit that cannot be described. The text says which, and why."""


def core_rows() -> list[Row]:
    """The fields of `Limits`."""
    texts = dict(_documented(_class_body(_CORE / "limits.py", "Limits")))
    sources = {path: path.read_text(encoding="utf-8") for path in _modules(_CORE)}
    sources.update((path, path.read_text(encoding="utf-8")) for path in _modules(_SERVER))
    defaults = Limits()
    rows = []
    for field in fields(Limits):
        reads = re.compile(rf"\b_?limits\(?\)?\.{field.name}\b")
        enforced = [path for path, text in sources.items() if path.name != "limits.py" and reads.search(text)]
        if not enforced:
            raise LimitError(f"nobody reads Limits.{field.name}")
        rows.append(_row(field.name, getattr(defaults, field.name), enforced, texts.get(field.name)))
    return rows


def constant_rows(folder: Path) -> list[Row]:
    """Numbers at the top of the modules of a folder whose names say that they bound something."""
    rows = []
    for path in _modules(folder):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        texts = dict(_documented(body))
        for name, value in _numbers(body):
            if _BOUNDS.fullmatch(name) and name not in _NO_LIMITS:
                rows.append(_row(name, value, [path], texts.get(name)))
    return rows


_JS_CONSTANT: Final = re.compile(r"/\*\* ([^\n]*) \*/\n(?:export )?const (MAX_\w+|\w+_MS) = ([\d_]+);")
_WELCOMED: Final = frozenset({"maxFrame", "maxInflight", "maxOps"})
_JS_LIMIT: Final = re.compile(r"(?:/\*\* ([^\n]*) \*/\n\s*)?(\w+): ([\d_]+(?: \* [\d_]+)*),")


def client_rows() -> list[Row]:
    """Those of the browser side: `LIMITS`, and constants of its modules."""
    sources = {path: path.read_text(encoding="utf-8") for path in sorted(_CLIENT.glob("*.js"))}
    rows = []
    body = sources[_CLIENT / "timing.js"].partition("export const LIMITS")[2].partition("});")[0]
    for text, name, value in _JS_LIMIT.findall(body):
        reads = re.compile(rf"\b{name}\b")
        enforced = [
            path
            for path, source in sources.items()
            if len(reads.findall(source)) > (2 if path.name == "timing.js" else 0)
        ]
        if name in _WELCOMED:
            text = "What the server's welcome says; this until it came."
        rows.append(_row(name, _product(value), enforced or [_CLIENT / "timing.js"], text))
    for path, source in sources.items():
        for text, name, value in _JS_CONSTANT.findall(source):
            rows.append(_row(name, int(value.replace("_", "")), [path], text))
    return rows


def _row(name: str, default: float, enforced: Sequence[Path], text: str | None) -> Row:
    if not text:
        raise LimitError(f"{name} in {enforced[0].name} bounds something and has no docstring")
    words = re.sub(r"(?<=[a-z])([A-Z])", r"_\1", name).lower().strip("_").split("_")
    unit = next((_UNITS[word] for word in reversed(words) if word in _UNITS), "")
    files = [path.relative_to(ROOT).as_posix() for path in enforced]
    return Row(name, default, unit, files, " ".join(text.split()))


def _modules(folder: Path) -> Iterator[Path]:
    return iter(sorted(folder.glob("*.py")))


def _class_body(path: Path, name: str) -> Sequence[ast.stmt]:
    (found,) = (
        one
        for one in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(one, ast.ClassDef) and one.name == name
    )
    return found.body


def _documented(body: Sequence[ast.stmt]) -> Iterator[tuple[str, str]]:
    """Names that are assigned with the text right below."""
    for one, after in pairwise(body):
        match one, after:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                yield name, text


def _numbers(body: Sequence[ast.stmt]) -> Iterator[tuple[str, float]]:
    for one in body:
        match one:
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                number = _evaluated(value)
                if number is not None:
                    yield name, number


def _evaluated(value: ast.expr) -> float | None:
    match value:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return number
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            one, other = _evaluated(left), _evaluated(right)
            return None if one is None or other is None else one * other
    return None


def _product(text: str) -> int:
    product = 1
    for factor in text.replace("_", "").split("*"):
        product *= int(factor)
    return product


def _table(rows: Sequence[Row]) -> str:
    lines = ["| limit | default | unit | enforced in | what |", "|---|---:|---|---|---|"]
    for row in rows:
        places = ", ".join(f"`{file}`" for file in row.enforced)
        lines.append(f"| `{row.name}` | {row.default:,} | {row.unit} | {places} | {row.text} |")
    return "\n".join(lines)


def page() -> str:
    """The whole of docs/limits.md."""
    parts: list[tuple[str, Any]] = [
        ("The core: `rdit_core.Limits`", core_rows()),
        ("The core: constants", constant_rows(_CORE)),
        ("The server", constant_rows(_SERVER)),
        ("The browser side", client_rows()),
    ]
    return "\n".join([_INTRODUCTION, *(f"## {title}\n\n{_table(rows)}\n" for title, rows in parts)])


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page; with `--check` say whether it is stale. Returns the process's exit status."""
    parser = argparse.ArgumentParser(prog="python -m scripts.limits_page", description="Writes docs/limits.md.")
    parser.add_argument("--check", action="store_true", help="write nothing; status 1 when the page is stale")
    options = parser.parse_args(arguments)
    text = page()
    if not options.check:
        PAGE.write_text(text, encoding="utf-8")
        return 0
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == text:
        return 0
    print(f"{PAGE.name} is stale; run: python -m scripts.limits_page", file=sys.stderr)
    return 1


if __name__ == "__main__":
    raise SystemExit(main())

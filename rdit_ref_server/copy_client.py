"""`rdit client`: a copy of the browser side, for a front end of one's own.

What is copied is what such a front end can import: the modules that `index.js` and `react.js` are made of, and their
types. The page of `rdit serve` stays here.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from .app import CLIENT
from .export import client_modules

PROGRAM: Final = "rdit client"

_ENTRIES: Final = ("index.js", "react.js")
"""What one imports."""

_KEPT: Final = ("name", "version", "description", "type", "private", "exports")
"""What a copy keeps of `package.json`: the rest is about tests, which are not copied."""

_EXAMPLES: Final = """\
examples:
  rdit client --out web/rdit-client           into a folder of your front end
  rdit client --out web/rdit-client --force   again, after an upgrade of rdit

Plain ES modules without dependencies: import them from where you serve the folder, by an import map, or by name after
`npm install web/rdit-client`.
"""

_NEXT: Final = """\
rdit: {count} files in {folder}

In a module of your page:

    import {{ connect, renderWidget }} from "./{name}/index.js";

    const connection = connect("http://127.0.0.1:8765/ws/widgets");
    const results = new EventSource("http://127.0.0.1:8765/api/execute", {{ withCredentials: true }});
    results.addEventListener("done", () => results.close());
    results.addEventListener("widget", ({{ data }}) => {{
      const el = document.body.appendChild(document.createElement("div"));
      renderWidget({{ widgetData: JSON.parse(data), el, connection }});
    }});

Then let its address in, here port 5173, and open what `rdit serve` prints once, for the cookie:

    rdit serve script.py --allow-origin http://127.0.0.1:5173
"""


def copy_client(argv: Sequence[str]) -> int:
    """Run the command; returns the process's exit status: 2 when nothing was copied."""
    try:
        options = _parse(argv)
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else 2
    folder: Path = options.out
    if reason := _objection(folder, is_forced=options.force):
        print(f"{PROGRAM}: error: {reason}", file=sys.stderr)
        return 2
    try:
        count = _copy(folder)
    except OSError as error:
        print(f"{PROGRAM}: error: cannot write {error.filename}: {(error.strerror or '').lower()}", file=sys.stderr)
        return 2
    print(_NEXT.format(count=count, folder=folder, name=folder.resolve().name), end="")
    return 0


def files() -> dict[str, bytes]:
    """The copy: names relative to its folder, and contents."""
    modules = [CLIENT / name for name in sorted({name for entry in _ENTRIES for name in client_modules(CLIENT, entry)})]
    types = [CLIENT / "types" / f"{module.stem}.d.ts" for module in modules]
    package: dict[str, Any] = json.loads((CLIENT / "package.json").read_text(encoding="utf-8"))
    kept = json.dumps({key: package[key] for key in _KEPT}, indent=2) + "\n"
    found = {path.relative_to(CLIENT).as_posix(): path.read_bytes() for path in (*modules, *types)}
    return {**found, "package.json": kept.encode()}


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Copy the browser side (ES modules and types), for a front end of your own.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="where to; made if it is not there")
    parser.add_argument(
        "--force",
        action="store_true",
        help="also into a folder that is not empty: files of the same names are replaced",
    )
    return parser.parse_args(argv)


def _objection(folder: Path, *, is_forced: bool) -> str | None:
    if folder.exists() and not folder.is_dir():
        return f"{folder} is a file"
    if not is_forced and folder.is_dir() and next(folder.iterdir(), None) is not None:
        return f"{folder} is not empty; with --force files of the same names are replaced, and all others stay"
    return None


def _copy(folder: Path) -> int:
    contents = files()
    (folder / "types").mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return len(contents)

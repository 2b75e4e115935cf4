"""Writes the cases, or says which files are stale: `python -m rdit_core.vectors.generate [--check]`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from . import FOLDER, _base_mode, _parts, _refused, _to_client, _to_server
from ._notation import Case


def all_cases() -> dict[str, list[Case]]:
    """Every case, by the name of its file without `.json`."""
    return {
        "base_mode": _base_mode.cases(),
        "ops": _to_server.ops(),
        "parts": _parts.cases(),
        "refused": _refused.cases(),
        "to_client": _to_client.cases(),
        "to_server": _to_server.cases(),
    }


def text_of(cases: Sequence[Case]) -> str:
    """A file: one case a line, plain ASCII."""
    return "[\n" + ",\n".join(json.dumps(case, separators=(",", ":"), allow_nan=False) for case in cases) + "\n]\n"


def stale_files() -> list[str]:
    """Names of files that are not what would be written, and of those that nobody writes."""
    wanted = {f"{name}.json": text_of(cases) for name, cases in all_cases().items()}
    found = {file.name: file.read_text(encoding="ascii") for file in FOLDER.glob("*.json")}
    return sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the files, or with `--check` name those that are stale; 0 if all is well then."""
    parser = argparse.ArgumentParser(prog="python -m rdit_core.vectors.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail if a file is stale")
    if parser.parse_args(arguments).check:
        stale = stale_files()
        print("\n".join(f"{name} is stale" for name in stale) or "every file is as it would be written")
        return int(bool(stale))
    for name, cases in all_cases().items():
        (FOLDER / f"{name}.json").write_text(text_of(cases), encoding="ascii", newline="\n")
        print(f"{name}.json: {len(cases)} cases")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

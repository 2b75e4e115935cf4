"""What the commands share of their arguments."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn


def split_arguments(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Our own arguments, and those of the script, which follow `--`."""
    own = list(argv)
    if "--" not in own:
        return own, []
    cut = own.index("--")
    return own[:cut], own[cut + 1 :]


def check_script(script: Path, program: str) -> None:
    """End the command if a script cannot be read."""
    if not script.is_file():
        fail(f"{script} is a directory" if script.is_dir() else f"no such file: {script}", program)
    if not os.access(script, os.R_OK):
        fail(f"cannot read {script}", program)


def fail(reason: str, program: str) -> NoReturn:
    """End the command with one line of explanation."""
    print(f"{program}: error: {reason}", file=sys.stderr)
    raise SystemExit(2)

"""One process only: a kernel lives in one, and the requests of a page must all come to it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

_SERVERS: Final = frozenset({"uvicorn", "gunicorn", "hypercorn", "granian", "fastapi"})


def refuse_workers(workers: int | None = None) -> None:
    """Raise `RuntimeError` when several processes serve the application.

    Args:
        workers: how many; default: what the environment and the command say.
    """
    count = workers_of(os.environ, sys.argv) if workers is None else workers
    if count > 1:
        raise RuntimeError(
            f"expected one worker, got {count}: each would run the script for itself, and the requests of one page go "
            "to any of them. Start the server with one worker (--workers 1; WEB_CONCURRENCY=1)"
        )


def workers_of(environment: Mapping[str, str], argv: Sequence[str]) -> int:
    """How many processes a web server was told to start. 1 where nothing is said, or nothing that we understand."""
    program = Path(argv[0]) if argv else Path()
    # `python -m uvicorn` has the path of a package's `__main__.py` here.
    if not {program.stem, program.parent.name} & _SERVERS:
        return 1
    said = [environment.get("WEB_CONCURRENCY", "")]
    for place, argument in enumerate(argv):
        name, _, value = argument.partition("=")
        if name in ("--workers", "-w"):
            said.append(value or "".join(argv[place + 1 : place + 2]))
    # The command counts more than the environment.
    counts = [int(one) for one in said if one.isascii() and one.isdigit()]
    return counts[-1] if counts else 1

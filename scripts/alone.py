"""Lets one of several verbs that run at the same time do the set-up that they share, while the others wait for it."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

LOCKS = Path(__file__).resolve().parent.parent / ".tox"


@contextlib.contextmanager
def alone(name: str) -> Iterator[None]:
    """Wait until no other process of this checkout is in a block of this name; a process that dies has left it."""
    LOCKS.mkdir(exist_ok=True)
    with (LOCKS / f"{name}.lock").open("w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield

"""Code that was sent to a kernel to run, and the keys by which its senders find it again.

A sender whose connection broke off does not know whether its code arrived. With a key of its own choice it may send it
again: what has this key already is not run twice.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Final

_KEPT: Final = 256


class Execution:
    """One text of code that runs, or will, or has run."""

    def __init__(self, after: int) -> None:
        self.after: Final = after
        """Id of the last event before it; 0 when there was none."""
        self.is_over = False
        """Whether its last event is in the log, or it will not run any more."""


class Executions:
    """The latest executions by key. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of_key: OrderedDict[str, Execution] = OrderedDict()

    def find(self, key: str) -> Execution | None:
        """The execution that has a key, if it is kept."""
        with self._lock:
            return self._of_key.get(key)

    def open(self, key: str | None, after: int) -> tuple[Execution, bool]:
        """Give the execution that has a key, or else a new one, and whether it is new."""
        with self._lock:
            known = self._of_key.get(key) if key is not None else None
            if known is not None:
                return known, False
            execution = Execution(after)
            if key is not None:
                self._of_key[key] = execution
                if len(self._of_key) > _KEPT:
                    self._of_key.popitem(last=False)
            return execution, True

"""Who is to send something, and when: at once, or together with the ack of the batch that made it necessary."""

from __future__ import annotations

import threading
from collections.abc import Collection
from typing import Final, Protocol


class Waking(Protocol):
    """A connection, as far as it is woken."""

    def wake(self) -> None:
        """Have the adapter drain. Called without the lock."""


class Applying(Protocol):
    """Whoever runs what pages wrote."""

    @property
    def is_applying(self) -> bool:
        """Whether this thread is inside of a page's write."""


class Wakes:
    """Wakes connections that were marked.

    Args:
        lock: the manager's.
        writes: says when a batch is being applied.
    """

    def __init__(self, lock: threading.RLock, writes: Applying) -> None:
        self._lock: Final = lock
        self._writes: Final = writes
        self._is_owing = False
        self._owed: dict[Waking, None] = {}
        """Those to wake when the batch that is being applied is done."""

    def wake(self, connections: Collection[Waking]) -> None:
        """Have connections send what they were marked with; while a batch is applied, together with its ack."""
        if not connections:
            return
        if self._writes.is_applying:
            with self._lock:
                if self._is_owing:
                    self._owed.update(dict.fromkeys(connections))
                    return
        for connection in connections:
            connection.wake()

    def owe(self) -> None:
        """Wake no connection that this thread marks until `pay_owed`: a batch is applied, and its ack goes along."""
        with self._lock:
            self._is_owing = True

    def pay_owed(self, *others: Waking) -> None:
        """Wake the connections that have something to send since a batch is being applied, and hold none back for the
        rest of that batch.

        Args:
            others: to be woken too; each connection is woken once.
        """
        with self._lock:
            self._is_owing = False
            owed, self._owed = self._owed, {}
        for connection in {**dict.fromkeys(others), **owed}:
            connection.wake()

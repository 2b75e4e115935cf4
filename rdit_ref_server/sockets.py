"""The open sockets that must be told by us why they are let go: those of base mode, which has no word for it.

A connection of `rdit/1` is closed by the core, with a reason. One of base mode never is, so the web server would end
its socket with a code of its own, from which a page learns nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable


class Sockets:
    """The sockets of one kernel. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: set[Callable[[str], None]] = set()

    def __len__(self) -> int:
        return len(self._open)

    def join(self, close: Callable[[str], None]) -> Callable[[], None]:
        """Be one of them.

        Args:
            close: closes the socket for a reason (`rdit_core.server.CLOSE_CODES`). Called on any thread; must not wait.

        Returns:
            What to call when the socket has ended.
        """
        with self._lock:
            self._open.add(close)

        def leave() -> None:
            with self._lock:
                self._open.discard(close)

        return leave

    def close(self, reason: str) -> None:
        """Close all that are open."""
        with self._lock:
            sockets = list(self._open)
        for close in sockets:
            close(reason)

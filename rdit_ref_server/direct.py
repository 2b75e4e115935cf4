"""The short way between a WebSocket and whoever serves it, where the web server is ours.

ASGI has a queue between the two, and a task at its end: each message stops the reading of the socket, wakes the task,
and starts the reading again. That is more work than all the rest of a small message, and what it is for, that no more
is read than is dealt with, a receiver can say by itself. So our web server offers this beside it, as an extension in
the scope; with any other everything goes the long way.

An answer is made in the kernel's thread, and to wake the server's thread for it takes as long as to make it. So any
thread may hand a message to the operating system, as long as nothing that was written before waits to be sent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

EXTENSION: Final = "rdit.direct"
"""Its name in the scope's `extensions`."""


class Direct(Protocol):
    """A WebSocket that was accepted. To be called on the server's loop, where nothing else is said."""

    def hand_over(self, take: Callable[[str | bytes], bool], max_bytes: int) -> None:
        """Have messages taken as they come, in order, from here on.

        Args:
            take: returns whether it took the message. One that it did not take waits in ASGI's queue, and the next ones
                behind it; then the socket is not read.
            max_bytes: larger messages, and those in several parts, wait there without being offered.
        """

    def write(self, message: str | bytes) -> bool:
        """Send at once. Returns False, with nothing sent, when the peer has not taken enough of what was sent before,
        or is leaving: then ASGI's `send` waits, or says so.
        """

    def write_past(self, message: str | bytes) -> bool:
        """As `write`, from any thread, past the loop. Returns False also for large ones and where it cannot be done."""


def direct_of(scope: Any) -> Direct | None:
    """What the web server offers, if it does."""
    found: Direct | None = (scope.get("extensions") or {}).get(EXTENSION)
    return found

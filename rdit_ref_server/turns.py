"""How many event streams one browser may have open at a time.

A browser has six connections per host with HTTP/1.1, for all of its tabs together, and the stream of a run that goes on
holds one. Six tabs would therefore hold all: a seventh could not load, and no tab could ask for an interrupt. So a
browser has `MAX_STREAMS` at a time. One more, and the oldest ends when it has given all that there is; its page asks
again after a second, from where it was, and so they take turns. Who asks is told by address and user agent: the token
is the same for all, and two browsers taken for one only take turns somewhat early.

Lives on the server's event loop: no method may be called from another thread.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from starlette.requests import Request

MAX_STREAMS: Final = 4
"""Event streams of runs that one browser has open at a time; the others wait for their turn."""


class Turn:
    """One stream's."""

    def __init__(self, on_over: Callable[[], None]) -> None:
        self.is_over = False
        """Whether the stream is to end when it has given what there is."""
        self._on_over = on_over

    def end(self) -> None:
        """Have the stream end soon."""
        self.is_over = True
        self._on_over()


class Turns:
    """The streams of all browsers.

    Args:
        max_streams: of each browser.
    """

    def __init__(self, max_streams: int = MAX_STREAMS) -> None:
        self._max_streams = max_streams
        self._turns: dict[tuple[str, str], list[Turn]] = {}

    def enter(self, request: Request, on_over: Callable[[], None]) -> Turn:
        """Begin a stream; to be followed by `leave`.

        Args:
            request: of the stream.
            on_over: called when it is another one's turn.
        """
        turns = self._turns.setdefault(_browser_of(request), [])
        turns.append(turn := Turn(on_over))
        going = [one for one in turns if not one.is_over]
        for one in going[: max(0, len(going) - self._max_streams)]:
            one.end()
        return turn

    def leave(self, request: Request, turn: Turn) -> None:
        """The stream has ended."""
        browser = _browser_of(request)
        self._turns[browser].remove(turn)
        if not self._turns[browser]:
            del self._turns[browser]


def _browser_of(request: Request) -> tuple[str, str]:
    return request.client.host if request.client else "", request.headers.get("user-agent", "")

"""`sys.stdout` and `sys.stderr` of a script: text goes on to the real stream and into the event log.

To the real stream it goes at once. For the log it is gathered as Python's own streams do for a terminal: by line, which
a carriage return ends too, or at `flush()`, so that `print` makes one event and not two. What is held belongs to one
owner (a statement); text of another owner sends it off first, and so does text on the other stream, for both are shown
in the order in which they were written.

A script that prints much would make an event of each line, which costs the script, the server and every page more than
the text does. So lines that follow one within `GATHER_S` wait for each other, and become one event: when there are
`_HELD_CHARACTERS` of them, when something else comes, or when `Gatherer`, a thread of the pair's, comes round. A line
after a silence never waits. Nothing is lost, and no order changes.

A thread that is no user's (the web server's) writes to the real stream alone, inside `terminal_only`.
"""

from __future__ import annotations

import codecs
import contextlib
import io
import math
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any, Final, Generic, TextIO, TypeVar

Owner = TypeVar("Owner")

_HELD_CHARACTERS: Final = 16_384
"""A line longer than this is sent off unfinished; lines do not wait for each other when they are so many."""

GATHER_S: Final = 0.05
"""How long a line waits for others, when one was sent off so lately."""

_EVENT_CHARACTERS: Final = 262_144
"""One event has at most this much text, so that a log that is full can let go of output in pieces."""


class _Thread(threading.local):
    is_ours = False


_thread: Final = _Thread()


@contextlib.contextmanager
def terminal_only() -> Iterator[None]:
    """Keep what the calling thread writes out of every page: warnings of the server's own are nobody's results."""
    before, _thread.is_ours = _thread.is_ours, True
    try:
        yield
    finally:
        _thread.is_ours = before


class LogStream(io.TextIOBase, Generic[Owner]):
    """A text stream that writes twice."""

    def __init__(
        self,
        name: str,
        real: TextIO | None,
        owner: Callable[[], Owner | None],
        emit: Callable[[Owner | None, str, str], None],
        after_write: Callable[[], None] = lambda: None,
        *,
        after: LogStream[Owner] | None = None,
        wait: Callable[[], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make a stream.

        Args:
            name: `stdout` or `stderr`, as events call it.
            real: where text goes as well; None where there is no such stream (a process without a console).
            owner: gives the statement on whose behalf the calling thread writes.
            emit: takes owner, name and text; called on the thread that writes, never with nothing.
            after_write: called at the end of each write; may raise, as an interrupt does.
            after: the other stream of a pair; their texts keep their order.
            wait: called when lines wait: `log_lines` is to be called soon. None: no line waits.
            clock: seconds, monotonic.
        """
        super().__init__()
        self._name = name
        self._real = real
        self._owner = owner
        self._emit = emit
        self._after_write = after_write
        self._other = after
        self._lock: threading.RLock = threading.RLock() if after is None else after._lock
        if after is not None:
            after._other = self
        self._wait = wait
        self._clock = clock
        self._held: list[str] = []
        self._held_characters = 0
        self._held_owner: Owner | None = None
        self._sent_s = -math.inf
        self._buffer = _Buffer(self)

    @property
    def name(self) -> str:
        return f"<{self._name}>"

    @property
    def encoding(self) -> str:  # type: ignore[override]  # a property here, an attribute in typeshed
        return "utf-8"

    @property
    def errors(self) -> str:  # type: ignore[override]  # as above
        return "backslashreplace"

    @property
    def line_buffering(self) -> bool:
        return True

    @property
    def buffer(self) -> IO[bytes]:
        """For programs that write bytes, which must be UTF-8."""
        return self._buffer  # type: ignore[return-value]  # a RawIOBase has what IO[bytes] asks for

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        """False: nobody behind the log understands terminal codes."""
        return False

    def fileno(self) -> int:
        """The real stream's, for programs that hand it to a child process; what the child writes is not logged."""
        if self._real is None:
            raise io.UnsupportedOperation("fileno")
        return self._real.fileno()

    def write(self, text: str, /) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if not text:
            return 0
        self.write_through(text)
        if _thread.is_ours:
            return len(text)
        owner = self._owner()
        with self._lock:
            if self._other is not None and self._other._held:
                self._other._send_off()
            if self._held and self._held_owner != owner:
                self._send_off()
            self._held.append(text)
            self._held_characters += len(text)
            self._held_owner = owner
            if self._held_characters > _HELD_CHARACTERS:
                self._send_off()
            elif "\n" in text or "\r" in text:
                if self._wait is None or self._clock() - self._sent_s >= GATHER_S:
                    self._send_off()
                else:
                    self._wait()
        self._after_write()
        return len(text)

    def writelines(self, lines: Iterable[str], /) -> None:  # type: ignore[override]  # typeshed says Any buffers
        for line in lines:
            self.write(line)

    def log_held(self) -> None:
        """Log what is held, finished or not. The real stream has it already."""
        if self._held:
            with self._lock:
                self._send_off()

    def log_lines(self) -> None:
        """Log the lines that are held; one that is not finished stays."""
        with self._lock:
            text = "".join(self._held)
            end = max(text.rfind("\n"), text.rfind("\r")) + 1
            if end:
                self._held = [text[:end]]
                self._send_off()
                rest = text[end:]
                self._held, self._held_characters = [rest] if rest else [], len(rest)

    def flush(self) -> None:
        """As `log_held`, and flush the real stream, to which others may have written."""
        self.log_held()
        if self._real is not None:
            with contextlib.suppress(OSError, ValueError):
                self._real.flush()

    def close(self) -> None:
        """Do no more than flush: `sys.stdout.close()` in a script must not silence the next run."""
        self.flush()

    def _send_off(self) -> None:
        text = "".join(self._held)
        self._held.clear()
        self._held_characters = 0
        if self._wait is not None:
            self._sent_s = self._clock()
        for start in range(0, len(text), _EVENT_CHARACTERS):
            self._emit(self._held_owner, self._name, text[start : start + _EVENT_CHARACTERS])

    def write_through(self, text: str) -> None:
        """Write to the real stream only."""
        if self._real is None:
            return
        try:
            try:
                self._real.write(text)
            except UnicodeEncodeError:
                encoding = self._real.encoding or "ascii"
                self._real.write(text.encode(encoding, "backslashreplace").decode(encoding))
            # As a terminal has it: what is no line yet is seen with the rest of it, or when it is flushed.
            if "\n" in text or "\r" in text:
                self._real.flush()
        except (OSError, ValueError):
            # A terminal that went away, or a pipe that nobody reads any more, is no reason to stop the script.
            pass


class Gatherer:
    """The thread that logs lines which wait for others. `wait` is for `LogStream`."""

    def __init__(self) -> None:
        self._waiting = threading.Event()
        self._is_closed = threading.Event()
        self._streams: list[LogStream[Any]] = []
        self._thread = threading.Thread(target=self._serve, name="rdit-gather", daemon=True)

    def start(self, *streams: LogStream[Any]) -> None:
        """Begin to look after streams."""
        self._streams += streams
        self._thread.start()

    def wait(self) -> None:
        """Lines wait, and are to be logged soon."""
        if not self._waiting.is_set():
            self._waiting.set()

    def close(self) -> None:
        """End the thread. What is held then is for others to log."""
        self._is_closed.set()
        self._waiting.set()
        self._thread.join()

    def _serve(self) -> None:
        while not self._is_closed.is_set():
            self._waiting.wait()
            self._is_closed.wait(GATHER_S)
            self._waiting.clear()  # Before the look: what comes from here on wakes us again.
            for stream in self._streams:
                stream.log_lines()


class _Buffer(io.RawIOBase):
    """`sys.stdout.buffer`: bytes become text of the stream above."""

    def __init__(self, stream: LogStream[Any]) -> None:
        super().__init__()
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        raw = bytes(data)
        self._stream.write(self._decoder.decode(raw))
        return len(raw)

    def flush(self) -> None:
        self._stream.flush()


# What is there at present: a script may have put another stream in the place of ours, and then it is left alone.


def flush_streams() -> None:
    """Flush `sys.stdout` and `sys.stderr`, so that their text stands before what comes next."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, LogStream):
            stream.flush()


def log_held() -> None:
    """Log what `sys.stdout` and `sys.stderr` hold, finished or not."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, LogStream):
            stream.log_held()


def _hold_still() -> None:
    """Let nobody be at work on the streams of ours while the process is copied: in the copy they would never end."""
    stream = sys.stdout
    if isinstance(stream, LogStream):
        stream._lock.acquire()
        _still.append(stream._lock)


def _go_on() -> None:
    while _still:
        _still.pop().release()


_still: Final[list[threading.RLock]] = []
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_hold_still, after_in_parent=_go_on, after_in_child=_go_on)


def write_to_terminal(text: str) -> None:
    """Write to the real stream of `sys.stderr` only."""
    stream = sys.stderr
    if isinstance(stream, LogStream):
        stream.write_through(text)

"""What the server says about itself, for whoever operates it: text for people, or one JSON object per line.

Not the log of `log`, which holds what user code lets out. This one goes to the stderr that the process was started
with, never into a page. What a script itself writes to stderr comes there too: as it is beside text, and as records
with a `stream` beside JSON (`stderr_as_records`), so that each line can be parsed. Its stdout is its own.

A JSON line has always `time` (UTC, ISO 8601), `level`, `event` (a stable name), `message` and `logger`; besides those
of `FIELDS` that the event has, and `traceback`. Whatever a peer chose is ASCII with escapes, so that no text can forge
a line or drive a terminal. The token is in no line, in none of the shapes in which it travels; and what the web server
would say below a warning, headers and addresses, is not said at all.
"""

from __future__ import annotations

import base64
import datetime
import io
import json
import logging
import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from typing import Any, Final, Literal, TextIO
from urllib.parse import quote

from rdit_core import WidgetManager
from rdit_core.events import Connected, WidgetClosed, WidgetOpened, WriteWasRefused

from .flow import LEFT_OUT, Flow

LogFormat = Literal["text", "json"]

FORMATS: Final[tuple[LogFormat, ...]] = ("text", "json")
LEVELS: Final = ("debug", "info", "warning", "error")

FIELDS: Final = (
    "kernel",
    "connection",
    "session",
    "resumed",
    "widget_id",
    "property",
    "code",
    "path",
    "address",
    "stream",
)
"""What an event may have besides, in this order."""

_log: Final = logging.getLogger("rdit.server")
_script_log: Final = logging.getLogger("rdit.script")

_HELD_CHARACTERS: Final = 16_384
"""A line of the script's that is longer becomes several records."""


class _Thread(threading.local):
    kernel: int | None = None
    is_writing = False


_thread: Final = _Thread()
_task: Final[ContextVar[int | None]] = ContextVar("kernel of the server's task", default=None)


@contextmanager
def thread_of(kernel: int | None) -> Iterator[None]:
    """Note that the calling thread is a kernel's: what is logged there names it. None where there is only one."""
    before, _thread.kernel = _thread.kernel, kernel
    try:
        yield
    finally:
        _thread.kernel = before


@contextmanager
def task_of(kernel: int | None) -> Iterator[None]:
    """Note that the calling task of the server's is about a kernel: what is logged there names it."""
    token = _task.set(kernel)
    try:
        yield
    finally:
        _task.reset(token)


def tell(level: int, event: str, message: str, *arguments: object, **fields: object) -> None:
    """Say something.

    Args:
        level: of `logging`.
        event: a stable name.
        message: for people; `%`-formatted with `arguments`.
        arguments: of the message.
        fields: some of `FIELDS`.
    """
    if _log.isEnabledFor(level):
        _log.log(level, message, *arguments, extra={"event": event, **fields})


class JsonFormatter(logging.Formatter):
    """One line of JSON per record.

    Args:
        token: what must be in none.
    """

    def __init__(self, token: str | None = None) -> None:
        super().__init__()
        self._hide = _hider(token)

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "time": _time_of(record),
            "level": record.levelname.lower(),
            "event": getattr(record, "event", "log"),
            "message": record.getMessage(),
            "logger": record.name,
        }
        entry.update((name, getattr(record, name)) for name in FIELDS if hasattr(record, name))
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        # Control characters and all that is not ASCII come out as escapes; of the former JSON lets only DEL pass.
        return self._hide(json.dumps(entry, default=str)).replace("\x7f", "\\u007f")


class TextFormatter(logging.Formatter):
    """One record as people read it.

    Args:
        token: what must be in none.
    """

    def __init__(self, token: str | None = None) -> None:
        super().__init__()
        self._hide = _hider(token)

    def format(self, record: logging.LogRecord) -> str:
        # Text that a peer chose must not forge lines or drive the terminal.
        kernel = getattr(record, "kernel", None)
        about = "" if kernel is None else f"kernel {kernel}: "
        text = _escaped(f"rdit: {record.levelname}: {about}{record.getMessage()}", "")
        if record.exc_info:
            text += "\n" + _escaped(self.formatException(record.exc_info), "\n")
        return self._hide(text)


@contextmanager
def logging_to(stream: TextIO, *, token: str | None, format: LogFormat, level: str) -> Iterator[None]:
    """Send what the server, the web server and, as JSON, the core say to a stream, while the block runs.

    As text, what the core says of user code is left out: the kernel shows it already, in the page and on the terminal.

    Args:
        stream: where to.
        token: what must be in no line.
        format: text, or JSON lines.
        level: the least one that is said.
    """
    handler = logging.StreamHandler(stream)
    handler.addFilter(_is_meant)
    handler.addFilter(_name_kernel)
    handler.addFilter(_bounded(Flow()))
    handler.setFormatter(JsonFormatter(token) if format == "json" else TextFormatter(token))
    least = logging.getLevelName(level.upper())
    levels = {"rdit.server": least, "uvicorn": max(least, logging.WARNING)}
    if format == "json":
        levels["rdit"] = least
        levels["rdit.script"] = logging.DEBUG  # Not ours to weigh.
    with ExitStack() as stack:
        for name, number in levels.items():
            stack.enter_context(_taken_over(logging.getLogger(name), handler, number))
        yield


@contextmanager
def stderr_as_records() -> Iterator[None]:
    """Make records of what is written to `sys.stderr` while the block runs, inside of `logging_to` as JSON.

    What writes past it, as a child process or a library in C, is not caught.
    """
    before = sys.stderr
    sys.stderr = stream = _RecordStream(before)
    try:
        yield
    finally:
        sys.stderr = before
        stream.finish()


class _RecordStream(io.TextIOBase):
    """Text becomes records, one for what a write brings or ends: lines, up to the last one that is finished."""

    def __init__(self, real: TextIO) -> None:
        super().__init__()
        self._real = real
        self._lock = threading.RLock()
        self._held = ""

    @property
    def encoding(self) -> str:  # type: ignore[override]  # a property here, an attribute in typeshed
        return "utf-8"

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._real.fileno()

    def write(self, text: str, /) -> int:
        # What logging says of its own failure must not be logged again.
        if _thread.is_writing:
            return len(text)
        with self._lock:
            lines, newline, rest = (self._held + text).rpartition("\n")
            if len(rest) > _HELD_CHARACTERS:
                lines, newline, rest = lines + newline + rest, "\n", ""
            self._held = rest
        if newline:
            self._say(lines)
        return len(text)

    def finish(self) -> None:
        """Say what is held."""
        with self._lock:
            rest, self._held = self._held, ""
        if rest:
            self._say(rest)

    def _say(self, text: str) -> None:
        _thread.is_writing = True
        try:
            _script_log.info("%s", text, extra={"event": "output", "stream": "stderr"})
        finally:
            _thread.is_writing = False


def tell_of(manager: WidgetManager, kernel: int | None = None) -> Callable[[], None]:
    """Say what a manager announces. Gives what to call to end that.

    Args:
        manager: of a kernel.
        kernel: its number, where there are several.
    """
    about = {} if kernel is None else {"kernel": kernel}

    def connected(event: Connected) -> None:
        more = {} if event.session_id is None else {"session": event.session_id, "resumed": event.resumed}
        tell(
            logging.INFO,
            "connected",
            "connection %d",
            event.connection_id,
            connection=event.connection_id,
            **about,
            **more,
        )

    def refused(event: WriteWasRefused) -> None:
        tell(
            logging.INFO,
            "write_refused",
            "%s: write of %s.%s",
            event.code,
            event.widget_id,
            event.property,
            connection=event.connection_id,
            widget_id=event.widget_id,
            property=event.property,
            code=event.code,
            **about,
        )

    def opened(event: WidgetOpened) -> None:
        tell(logging.DEBUG, "widget_opened", "widget %s", event.widget_id, widget_id=event.widget_id, **about)

    def closed(event: WidgetClosed) -> None:
        tell(logging.DEBUG, "widget_closed", "widget %s", event.widget_id, widget_id=event.widget_id, **about)

    callbacks: dict[str, Callable[..., None]] = {
        "connected": connected,
        "write_refused": refused,
        "opened": opened,
        "closed": closed,
    }
    ends = [manager.on(name, callback) for name, callback in callbacks.items()]

    def end() -> None:
        for one in ends:
            one()

    return end


@contextmanager
def _taken_over(logger: logging.Logger, handler: logging.Handler, level: int) -> Iterator[None]:
    before = logger.handlers[:], logger.level, logger.propagate
    logger.handlers[:] = [handler]
    logger.setLevel(level)
    logger.propagate = False
    try:
        yield
    finally:
        logger.handlers[:], logger.level, logger.propagate = before
        logger.setLevel(before[1])  # The level is cached below.


def _is_meant(record: logging.LogRecord) -> bool:
    # Said of each WebSocket that is refused with an answer, which uvicorn takes for none.
    return "returned without completing handshake" not in str(record.msg)


def _name_kernel(record: logging.LogRecord) -> bool:
    kernel = _task.get() if _thread.kernel is None else _thread.kernel
    if kernel is not None and not hasattr(record, "kernel"):
        record.kernel = kernel
    return True


def _bounded(flow: Flow) -> Callable[[logging.LogRecord], bool]:
    """Leave out errors of pages that come too fast, and say so once."""

    def is_said(record: logging.LogRecord) -> bool:
        if getattr(record, "event", None) != "front_end_failed" or flow.take():
            return True
        if flow.left_out > 1:
            return False
        record.msg, record.args = LEFT_OUT, ()
        record.__dict__["event"] = "reports_left_out"
        return True

    return is_said


def _time_of(record: logging.LogRecord) -> str:
    when = datetime.datetime.fromtimestamp(record.created, datetime.timezone.utc)
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _hider(token: str | None) -> Callable[[str], str]:
    """Make what takes a token out of a text: as it is, in an address, in an offered subprotocol."""
    if token is None:
        return lambda text: text
    encoded = base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")
    shapes = re.compile("|".join(re.escape(shape) for shape in (token, quote(token, safe=""), encoded)))
    return lambda text: shapes.sub("<token>", text)


def _escaped(text: str, spared: str) -> str:
    return re.sub(
        rf"[^\x20-\x7e{spared}\t\xa0-\u2027\u202a-\ud7ff\ue000-\U0010ffff]",
        lambda found: found[0].encode("unicode_escape").decode(),
        text,
    )

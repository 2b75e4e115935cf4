"""What the server says about itself, for whoever operates it: text for people, or one JSON object per line.

Not the log of `log`, which holds what user code lets out. This one goes to the stderr that the process was started
with, never into a page. What a script itself writes to stderr comes there too, as it is.

A JSON line has always `time` (UTC, ISO 8601), `level`, `event` (a stable name), `message` and `logger`; besides those
of `FIELDS` that the event has, and `traceback`. Whatever a peer chose is ASCII with escapes, so that no text can forge
a line or drive a terminal. The token is in no line, in none of the shapes in which it travels; and what the web server
would say below a warning, headers and addresses, is not said at all.
"""

from __future__ import annotations

import base64
import datetime
import json
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final, Literal, TextIO
from urllib.parse import quote

from rdit_core import WidgetManager
from rdit_core.events import Connected, WidgetClosed, WidgetOpened, WriteWasRefused

LogFormat = Literal["text", "json"]

FORMATS: Final[tuple[LogFormat, ...]] = ("text", "json")
LEVELS: Final = ("debug", "info", "warning", "error")

FIELDS: Final = ("connection", "session", "resumed", "widget_id", "property", "code", "path", "address")
"""What an event may have besides, in this order."""

_log: Final = logging.getLogger("rdit.server")


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
        text = _escaped(f"rdit: {record.levelname}: {record.getMessage()}", "")
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
    handler.setFormatter(JsonFormatter(token) if format == "json" else TextFormatter(token))
    least = logging.getLevelName(level.upper())
    levels = {"rdit.server": least, "uvicorn": max(least, logging.WARNING)}
    if format == "json":
        levels["rdit"] = least
    with ExitStack() as stack:
        for name, number in levels.items():
            stack.enter_context(_taken_over(logging.getLogger(name), handler, number))
        yield


def tell_of(manager: WidgetManager) -> Callable[[], None]:
    """Say what a manager announces. Gives what to call to end that."""

    def connected(event: Connected) -> None:
        more = {} if event.session_id is None else {"session": event.session_id, "resumed": event.resumed}
        tell(logging.INFO, "connected", "connection %d", event.connection_id, connection=event.connection_id, **more)

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
        )

    def opened(event: WidgetOpened) -> None:
        tell(logging.DEBUG, "widget_opened", "widget %s", event.widget_id, widget_id=event.widget_id)

    def closed(event: WidgetClosed) -> None:
        tell(logging.DEBUG, "widget_closed", "widget %s", event.widget_id, widget_id=event.widget_id)

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

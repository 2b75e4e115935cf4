"""Commands: methods of a widget that a page calls by `experimental.invoke`, and the answers.

A command is a method that some class of the widget's has marked (`anywidget.experimental.command`); a subclass's
override is the one that runs, marked again or not. It is called with the message and its buffers and returns a response
and buffers. Every question of a widget that has commands is answered, to the page that asked and to no other: with the
response, or with an error that says what went wrong.

anywidget 0.11 registers a handler of its own for this (`experimental.py`), which answers no question that fails, lets
the base class win, and knows neither coroutines nor objects with a descriptor. It is passed over.
"""

from __future__ import annotations

import inspect
import logging
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

from .errors import CommandCode, UnserializableValue
from .events import HandlerFailed, HostEvent
from .session import Session

if TYPE_CHECKING:
    from .hosted import HostedWidget

_log = logging.getLogger("rdit")

QUESTION: Final = "anywidget-command"
ANSWER: Final = "anywidget-command-response"
_MARK: Final = "_anywidget_command"
_MAX_TEXT: Final = 1000
"""Characters of an exception's words that a page is told."""


class InvokeCore(Protocol):
    """What commands ask of their manager."""

    def send(
        self, hosted: HostedWidget, content: Any, buffers: Sequence[Any], sessions: Sequence[Session] | None
    ) -> None:
        """Keep a custom message for these sessions."""

    def emit(self, event: HostEvent) -> None:
        """Tell the host."""


def is_command_handler(callback: Any) -> bool:
    """Whether a handler of messages is anywidget's own for commands."""
    return getattr(callback, "__qualname__", "") == "_register_anywidget_commands.<locals>.handle_anywidget_command"


def find_command(widget: Any, name: Any) -> Any:
    """The bound method behind a command's name, or None."""
    if not isinstance(name, str) or not any(
        getattr(vars(kind).get(name), _MARK, False) is True for kind in type(widget).__mro__
    ):
        return None
    command = getattr(widget, name, None)
    return command if callable(command) else None


def has_commands(widget: Any) -> bool:
    """Whether any class of the widget's marks a command."""
    return any(
        getattr(attribute, _MARK, False) is True
        for kind in type(widget).__mro__
        for attribute in list(vars(kind).values())
        if inspect.isfunction(attribute)
    )


class Commands:
    """Answers what pages ask of widgets."""

    def __init__(self, core: InvokeCore) -> None:
        self._core = core
        self._tasks: set[Any] = set()
        """Held, since a loop holds its tasks weakly."""

    def answers(self, hosted: HostedWidget, content: Any) -> bool:
        """Whether a message is a question that is answered here."""
        return (
            isinstance(content, dict)
            and content.get("kind") == QUESTION
            and hosted.widget is not None
            and has_commands(hosted.widget)
        )

    def run(
        self, hosted: HostedWidget, widget_id: str, content: dict[str, Any], buffers: Sequence[bytes], session: Session
    ) -> None:
        """Run a command and answer, later when it is a coroutine. An interrupt comes through once it is answered."""
        call = _Call(self._core, hosted, widget_id, content.get("id"), session)
        name = content.get("name")
        command = find_command(hosted.widget, name)
        if command is None:
            call.refuse("unknown_command", f"{type(hosted.widget).__qualname__} has no such command")
            return
        try:
            result = command(content.get("msg"), [memoryview(data) for data in buffers])
        except BaseException as error:
            call.fail(error)
            return
        if not inspect.isawaitable(result):
            call.answer(result)
            return
        loop = _running_loop()
        if loop is None:
            if inspect.iscoroutine(result):
                result.close()
            call.refuse("no_event_loop", "The command is a coroutine, and Python runs no event loop here")
            return
        task = loop.create_task(call.follow(result))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _running_loop() -> Any:
    """The event loop of this thread. The core starts none and imports none: who runs one has imported it."""
    asyncio = sys.modules.get("asyncio")
    return asyncio._get_running_loop() if asyncio is not None else None


class _Call:
    """One question, until it is answered."""

    def __init__(self, core: InvokeCore, hosted: HostedWidget, widget_id: str, number: Any, session: Session) -> None:
        self._core = core
        self._hosted = hosted
        self._widget_id = widget_id
        self._number = number
        self._session = session

    async def follow(self, result: Any) -> None:
        """Wait for a coroutine's end."""
        try:
            result = await result
        except BaseException as error:
            self.fail(error)
        else:
            self.answer(result)

    def answer(self, result: Any) -> None:
        """Send what the command returned."""
        if not isinstance(result, tuple) or len(result) != 2 or not isinstance(result[1], (list, tuple)):
            self._mistake(f"expected a response and a list of buffers, got {type(result).__qualname__}")
            return
        response, buffers = result
        try:
            self._send({"response": response}, buffers)
        except (UnserializableValue, TypeError) as error:
            self._mistake(str(error))

    def fail(self, error: BaseException) -> None:
        """Say what a command raised. What is no `Exception` goes on."""
        self._report(error)
        self.refuse("command_failed", str(error)[:_MAX_TEXT], type(error).__qualname__)
        if not isinstance(error, Exception):
            raise error

    def refuse(self, code: CommandCode, message: str, kind: str = "") -> None:
        """Send an error in place of a response."""
        error = {"code": code, "message": message}
        self._send({"error": {**error, "type": kind} if kind else error}, [])

    def _mistake(self, message: str) -> None:
        self._report(TypeError(f"bad return of a command: {message}"))
        self.refuse("bad_return", f"The command's return cannot be sent: {message}")

    def _report(self, error: BaseException) -> None:
        _log.error(
            "command of %s failed",
            self._widget_id,
            exc_info=error,
            extra={"event": "handler_failed", "widget_id": self._widget_id},
        )
        self._core.emit(HandlerFailed(self._widget_id, error))

    def _send(self, body: dict[str, Any], buffers: Sequence[Any]) -> None:
        content = {"id": self._number, "kind": ANSWER, **body}
        self._core.send(self._hosted, content, buffers, [self._session])

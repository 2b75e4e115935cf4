"""`experimental.invoke`: a question to Python and its answer, as two custom messages in anywidget's own form."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from rdit_core import ClientConnection, WidgetModel

from .abort import AbortSignal
from .spelling import JsSpelling

if TYPE_CHECKING:
    from .binding import PageCode

INVOKE_TIMEOUT_S: Final = 3.0
"""How long an answer is waited for, unless the caller brings a signal; as long as anywidget waits."""


class CommandFailed(Exception):
    """A command gave no response. `code` says why: of Python's end `command_failed` (it raised; also where no code
    came), `unknown_command`, `bad_return`, `no_event_loop`, `handler_failed`; of the page's `timeout`, `closed`,
    `unsupported`, or why the question was lost.
    """

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class Experimental(JsSpelling):
    """`experimental` of the AFM contract."""

    def __init__(self, code: PageCode, model: WidgetModel) -> None:
        self._code = code
        self._model = model

    async def invoke(
        self,
        name: str,
        msg: Any = None,
        buffers: Sequence[Any] = (),
        signal: AbortSignal | None = None,
        timeout_s: float = INVOKE_TIMEOUT_S,
    ) -> tuple[Any, list[memoryview]]:
        """Run a command of the widget's, which `anywidget.experimental.command` marks.

        Args:
            name: the command's.
            msg: what it is given.
            buffers: bytes-like objects.
            signal: gives up when it aborts, instead of after a time. Aborted already, nothing is sent.
            timeout_s: how long the answer is waited for, on the virtual clock.

        Returns:
            The response and its buffers.

        Raises:
            CommandFailed: the command raised, there is none of that name, or no answer came.
        """
        if signal is not None:
            signal.throw_if_aborted()
        if not isinstance(self._code.page.client, ClientConnection):
            raise CommandFailed(
                f"Cannot invoke {json.dumps(name)}: this connection carries no custom messages (base mode)",
                "unsupported",
            )
        if self._code.signal_of(self._model).aborted:
            raise CommandFailed("The widget was closed", "closed")
        loop = self._code.loop
        answer: asyncio.Future[tuple[Any, list[memoryview]]] = loop.create_future()
        invoke_id = self._code.new_id()

        def hear(content: Any, answers: list[memoryview]) -> None:
            if not isinstance(content, dict) or content.get("id") != invoke_id:
                return
            if content.get("kind") != "anywidget-command-response":
                return
            if content.get("error") is None:
                settle((content.get("response"), answers))
            else:
                error = content["error"]
                fail(CommandFailed(f"Command {json.dumps(name)}: {_text_of(error)}", _code_of(error)))

        def settle(value: tuple[Any, list[memoryview]]) -> None:
            if not answer.done():
                answer.set_result(value)

        def fail(error: BaseException) -> None:
            if not answer.done():
                answer.set_exception(error)

        def expire() -> None:
            fail(CommandFailed(f"Python did not answer {json.dumps(name)} within {timeout_s:g} s", "timeout"))

        # An answer comes through while a widget's messages are kept back: its `initialize` may wait for this one.
        ends = [self._model.tap_messages(hear)]
        closed = CommandFailed("The widget was closed", "closed")
        ends.append(self._code.signal_of(self._model).on_abort(lambda: fail(closed)))
        if signal is None:
            ends.append(loop.call_later(timeout_s, expire).cancel)
        else:
            ends.append(signal.on_abort(lambda: fail(signal.error)))
        try:
            self._code.page.client.send_message(
                self._model.widget_id,
                {"id": invoke_id, "kind": "anywidget-command", "name": name, "msg": msg},
                buffers,
                on_lost=lambda code, text: fail(CommandFailed(f"Command {json.dumps(name)}: {text} ({code})", code)),
            )
            return await answer
        finally:
            for end in ends:
                end()


def _code_of(error: Any) -> str:
    """What Python calls an error. Another end than ours may give it no code."""
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, str) and code else "command_failed"


def _text_of(error: Any) -> str:
    """What Python says of an error: a text, or a type and a message."""
    if isinstance(error, str):
        return error
    parts = [error.get("type"), error.get("message")] if isinstance(error, dict) else []
    return ": ".join(part for part in parts if isinstance(part, str) and part) or "it failed"

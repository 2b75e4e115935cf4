"""Runs programs on the Python mirror: `WidgetModel` of a `ClientConnection`, as a page of the harness has it.

What `subject.js` is for the browser's client: the kernel behind the connection stores edits and confirms them when the
program says `deliver`, one batch at a time.
"""

from __future__ import annotations

import base64
import logging
import math
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from rdit_core import ClientConnection, Limits, WidgetModel
from rdit_core.encoding import EncodedValue, encode
from rdit_core.frames import decode_client_frame, encode_frame
from rdit_core.messages import Batch, Message, MsgOp, OpenedWidget, Sync, Welcome, WelcomeLimits
from rdit_harness.page import View

from .programs import HOOKS, Program, Step

WIDGET_ID: Final = "w"
INST: Final = 40
_LIMITS: Final = Limits()
_WELCOME: Final = Welcome(1, "e1", "s1", "x1", False, 0, WelcomeLimits(1_000_000, 1, 10_000), 25_000, 120_000)

_LOGGER: Final = logging.getLogger("rdit.model")


class PlannedError(Exception):
    """What a callback throws when the program says so."""


def from_note(noted: Any) -> Any:
    """A value of the program's notation."""
    if isinstance(noted, list):
        return [from_note(item) for item in noted]
    if not isinstance(noted, dict):
        return noted
    if "$bytes" in noted:
        return base64.b64decode(noted["$bytes"])
    if "$part" in noted:
        text, start, end = noted["$part"]
        return memoryview(base64.b64decode(text))[start:end]
    if "$number" in noted:
        return float(noted["$number"].replace("Infinity", "inf"))
    return {key: from_note(item) for key, item in noted.items()}


def to_note(value: Any) -> Any:
    """A value in the notation of traces."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, float) and not math.isfinite(value):
        return {"$number": "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"}
    if isinstance(value, WidgetModel):
        return {"$model": True}
    if isinstance(value, Mapping):
        return {key: to_note(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_note(item) for item in value]
    return value


def _copy(value: Any) -> Any:
    if isinstance(value, list):
        return [_copy(item) for item in value]
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    return value


def _mutate(value: Any, where: str, item: Any) -> None:
    target = value
    if where == "below" and isinstance(value, (list, dict)):
        items = value.values() if isinstance(value, dict) else value
        target = next((each for each in items if isinstance(each, (list, dict))), value)
    if isinstance(target, list):
        target.append(item)
    elif isinstance(target, dict):
        target["m"] = item


class _Run:
    def __init__(self, program: Program) -> None:
        self.trace: list[list[Any]] = []
        self._store: dict[str, Any] = from_note(program["state"])
        self._frame = 0
        self._rev = INST
        self._ack = 0
        self._said = 0
        self._is_receiving = False
        self._queue: list[Batch] = []
        self._program = program
        self._client = ClientConnection(profile=program["profile"])
        self._client.start(0)
        self._client.opened(0)
        self._client.frames_to_send(0)
        self._client.receive_frame(encode_frame(_WELCOME), 0)
        props = {key: (value, INST) for key, value in program["state"].items()}
        self._open(props)
        self._model = self._client.models[WIDGET_ID]
        self._hooks = {hook: View(self._model) for hook in HOOKS}
        self._callbacks = {name: self._callback(name, plan) for name, plan in program["callbacks"].items()}

    def run(self) -> dict[str, Any]:
        for step in self._program["steps"]:
            self._tell("step", step[0])
            try:
                self._take(step)
            except PlannedError:
                self._tell("raised", step[0])
        self._tell("step", "end")
        self._deliver()
        state = {key: to_note(self._model.get(key)) for key in self._program["state"]}
        return {"trace": self.trace, "state": state, "python": to_note(self._store), "met": []}

    def _take(self, step: Step) -> None:
        match step:
            case ["remote", given]:
                entries = {key: from_note(data) for key, data in given}
                self._store.update(entries)
                self._push(entries)
            case ["message", content, buffers]:
                self._said += 1
                self._say_message(from_note(content), [from_note(data) for data in buffers])
            case ["deliver"]:
                self._deliver()
            case _:
                self._perform(step)

    def _tell(self, *entry: Any) -> None:
        self.trace.append([to_note(item) for item in entry])

    def _callback(self, name: str, plan: dict[str, Any]) -> Callable[..., None]:
        left = plan["limit"]

        def callback(*args: Any) -> None:
            nonlocal left
            self._tell("call", name, *args)
            if any(arg is self._model for arg in args):
                self._tell("changed", self._model.changed)
            if left > 0:
                left -= 1
                for step in plan["steps"]:
                    self._perform(step)
            if plan["throws"]:
                self._tell("throw", name)
                raise PlannedError("planned")

        return callback

    def _value(self, expression: dict[str, Any]) -> Any:
        match expression:
            case {"lit": data}:
                return from_note(data)
            case {"same": key}:
                return self._model.get(key)
            case {"copy": key}:
                return _copy(self._model.get(key))
        return None

    def _perform(self, step: Step) -> None:
        verb, hook, *rest = step
        model, view = self._model, self._hooks[hook]
        match verb:
            case "set":
                model.set(rest[0], self._value(rest[1]))
                self._wake()
            case "set_all":
                model.set({key: self._value(value) for key, value in rest[0]})
                self._wake()
            case "get":
                self._tell("get", rest[0], model.get(rest[0]))
            case "mutate":
                _mutate(model.get(rest[0]), rest[1], from_note(rest[2]))
            case "save":
                model.save_changes()
                self._wake()
            case "on":
                view.on(rest[0], self._callbacks[rest[1]])
            case "off":
                view.off(rest[0], None if rest[1] is None else self._callbacks[rest[1]])
            case "send":
                content, _, buffers = rest
                model.send(from_note(content), None, [from_note(data) for data in buffers or ()])
                self._wake()
            case "end":
                view.dispose()
                if hook == "view1":
                    self._hooks["got"].dispose()
            case _:
                raise TypeError(f"Unknown step: {verb}")

    # The server.

    def _open(self, props: dict[str, Any]) -> None:
        self._frame += 1
        encoded = {key: encode(from_note(data)) for key, (data, _) in props.items()}
        raw = {key: (_raw(value), INST) for key, value in encoded.items()}
        opened = OpenedWidget(WIDGET_ID, INST, "demo.Widget", raw, sorted(raw), "http://test/widget.js")
        values = [(("open", 0, "props", key, 0), value) for key, value in encoded.items()]
        self._receive(encode_frame(Sync(self._frame, self._rev, self._ack, open=[opened]), values))

    def _push(self, entries: Mapping[str, Any]) -> None:
        self._frame += 1
        changes: list[tuple[str, int, str, Any, int]] = []
        values = []
        for index, (key, value) in enumerate(entries.items()):
            self._rev += 1
            encoded = encode(value)
            changes.append((WIDGET_ID, INST, key, _raw(encoded), self._rev))
            values.append((("changes", index, 3), encoded))
        self._receive(encode_frame(Sync(self._frame, self._rev, self._ack, changes=changes), values))

    def _say_message(self, content: Any, buffers: list[bytes]) -> None:
        self._frame += 1
        encoded = [encode(data) for data in buffers]
        message = Message(self._said, WIDGET_ID, INST, content, [_raw(value) for value in encoded])
        values = [(("msgs", 0, "buffers", index), value) for index, value in enumerate(encoded)]
        self._receive(encode_frame(Sync(self._frame, self._rev, self._ack, msgs=[message]), values))

    def _receive(self, frame: str | bytes) -> None:
        self._is_receiving = True
        try:
            self._client.receive_frame(frame, 0)
        finally:
            self._is_receiving = False
        events = self._client.events_received()
        assert not events, events
        self._drain()

    def _wake(self) -> None:
        """What is saved leaves at once, as in a page; what a listener saves, when the frame that set it off is done."""
        if not self._is_receiving:
            self._drain()

    def _drain(self) -> None:
        for frame in self._client.frames_to_send(0):
            message = decode_client_frame(frame, _LIMITS)
            if isinstance(message, Batch):
                self._queue.append(message)

    def _deliver(self) -> None:
        while self._queue:
            batch = self._queue.pop(0)
            values: dict[str, Any] = {}
            for op in batch.ops:
                if isinstance(op, MsgOp):
                    self._tell("python", "message", op.content, op.buffers)
                else:
                    self._tell("python", "update", {op.property: op.value})
                    values[op.property] = op.value
            self._store.update(values)
            self._ack = batch.seq
            self._push(dict(sorted(values.items())))


def _raw(value: EncodedValue) -> msgspec.Raw:
    return msgspec.Raw(value.json)


def run_on_mirror(program: Program) -> dict[str, Any]:
    """The trace of a program, the page's state and Python's at its end."""
    level = _LOGGER.level
    # It warns and logs tracebacks as it should; here it is a stream of the same few lines.
    _LOGGER.setLevel(logging.CRITICAL)
    try:
        return _Run(program).run()
    finally:
        _LOGGER.setLevel(level)

"""Programs over the model API: what may stand in one, and the generator.

A program is JSON, so that one and the same runs in Node and in Python, is printed when it fails, and shrinks. It has a
`profile`, the widget's first `state`, `callbacks` by name and `steps`. A callback is a plan: the steps that it takes on
its first `limit` calls, and whether it then throws. Steps (`VERBS`), each with the hook whose `model` it uses:

| step | |
|---|---|
| `["set", hook, key, value]` | `set(key, value)` |
| `["set_all", hook, [[key, value], ..]]` | `set({key: value, ..})` |
| `["get", hook, key]` | `get(key)`; the trace has what it gave |
| `["mutate", hook, key, "here" or "below", item]` | edits the list or dict that `get` gives, or the first one in it |
| `["save", hook]` | `save_changes()` |
| `["on", hook, names, callback]` | |
| `["off", hook, names or null, callback or null]` | both null: `off()` |
| `["send", hook, content, callbacks, buffers or null]` | `callbacks` names what is given for that argument |
| `["end", hook]` | the view ends |
| `["remote", [[key, data], ..]]` | Python sets these, atomically |
| `["message", content, buffers]` | Python sends a message |
| `["deliver"]` | Python works off what it was sent |

The last three never stand in a callback. A value is `{"lit": data}`, made anew each time, `{"same": key}`, the very
object that the model has there, `{"copy": key}`, an equal one, or `{"undefined": true}`. Data is JSON, with
`{"$bytes": base64}`, `{"$part": [base64, start, end]}` (a view of some of the bytes) and `{"$number": "NaN"}`.
"""

from __future__ import annotations

import base64
import random
from typing import Any, Final, Literal

Program = dict[str, Any]
Step = list[Any]
Profile = Literal["compat", "strict"]

PROFILES: Final[tuple[Profile, ...]] = ("compat", "strict")
HOOKS: Final = ("init", "view1", "view2", "got")
KEYS: Final = ("a", "b", "c", "d")
CALLBACKS: Final = ("f", "g", "h")
PAGE_VERBS: Final = ("set", "set_all", "get", "mutate", "save", "on", "off", "send", "end")
CALM_VERBS: Final = ("get", "on", "off", "send")
PYTHON_VERBS: Final = ("remote", "message", "deliver")
SEND_CALLBACKS: Final = ("none", "null", "empty", "function", "iopub")
MAX_STEPS: Final = 14


def _bytes(data: bytes) -> dict[str, str]:
    return {"$bytes": base64.b64encode(data).decode()}


_PRIMITIVES: Final[tuple[Any, ...]] = (None, True, False, 0, 1, 2, 3, 1.5, "", "x", "y")
_NUMBERS: Final = ("NaN", "Infinity", "-Infinity")
_WHOLE: Final = (b"", b"\x01", b"\x01\x02\x03")
_PARTS: Final = (["AQIDBA==", 1, 3], ["CQEJ", 1, 2])


def _as_received(data: Any) -> Any:
    """Data as it can come from Python: bytes are whole."""
    if isinstance(data, list):
        return [_as_received(item) for item in data]
    if not isinstance(data, dict):
        return data
    return _bytes(b"\x05") if "$part" in data else {key: _as_received(item) for key, item in data.items()}


class Generator:
    """Makes one program from one seed."""

    def __init__(self, seed: int, profile: Profile = "compat") -> None:
        self._random = random.Random(seed)
        self._profile = profile
        # Most programs are about few things; one about everything at once seldom says what went wrong.
        self._hooks = self._some(HOOKS)
        self._keys = self._some(KEYS, least=2)
        self._callbacks = self._some(CALLBACKS)
        self._is_binary = self._chance(0.15)
        self._is_odd = self._chance(0.1)
        # Where listeners only listen, the oracle mostly runs as it is published.
        self._is_calm = self._chance(0.4)

    def program(self) -> Program:
        """The program."""
        count = self._random.randint(3, MAX_STEPS)
        state: dict[str, Any] = {"a": 1, "b": [1], "c": {"k": [1], "l": 2}, "d": None}
        if self._chance(0.5):
            state["d"] = self._remote_data()
        callbacks = {
            name: {
                "steps": [self._callback_step() for _ in range(self._random.choice((0, 0, 1, 1, 2, 3)))],
                "limit": self._random.choice((1, 1, 2)),
                "throws": not self._is_calm and self._chance(0.1),
            }
            for name in self._callbacks
        }
        steps = [self._listen() for _ in range(self._random.randint(1, 3))]
        steps += [self._step() for _ in range(count)]
        return {"profile": self._profile, "state": state, "callbacks": callbacks, "steps": steps}

    def _chance(self, share: float) -> bool:
        return self._random.random() < share

    def _some(self, names: tuple[str, ...], least: int = 1) -> tuple[str, ...]:
        return tuple(self._random.sample(names, self._random.randint(least, len(names))))

    def _one(self, names: tuple[str, ...]) -> str:
        return self._random.choice(names)

    def _data(self, depth: int) -> Any:
        kind = self._random.random()
        if self._is_binary and kind < 0.25:
            if self._chance(0.3):
                return {"$part": self._random.choice(_PARTS)}
            return _bytes(self._random.choice(_WHOLE))
        if self._is_odd and kind < 0.2:
            return {"$number": self._one(_NUMBERS)}
        if depth == 0 or kind < 0.6:
            return self._random.choice(_PRIMITIVES)
        items = [self._data(depth - 1) for _ in range(self._random.randint(0, 2))]
        return items if kind < 0.8 else dict(zip("kl", items, strict=False))

    def _value(self) -> dict[str, Any]:
        kind = self._random.random()
        if kind < 0.6:
            return {"lit": self._data(2)}
        if kind < 0.75:
            return {"same": self._one(self._keys)}
        if kind < 0.95 or not self._is_odd:
            return {"copy": self._one(self._keys)}
        return {"undefined": True}

    def _event(self) -> str:
        kind = self._random.random()
        if kind < 0.5:
            return f"change:{self._one(self._keys)}"
        return "change" if kind < 0.7 else "msg:custom" if kind < 0.85 else "all"

    def _names(self) -> str:
        return " ".join(self._event() for _ in range(2)) if self._chance(0.15) else self._event()

    def _listen(self) -> Step:
        return ["on", self._one(self._hooks), self._names(), self._one(self._callbacks)]

    def _callback_step(self) -> Step:
        step = self._page_step()
        while self._is_calm and step[0] not in CALM_VERBS:
            step = self._page_step()
        return step

    def _page_step(self) -> Step:
        hook = self._one(self._hooks)
        verb = self._random.choices(PAGE_VERBS, (30, 6, 6, 12, 22, 10, 8, 6, 1))[0]
        if verb == "set":
            return [verb, hook, self._one(self._keys), self._value()]
        if verb == "set_all":
            return [verb, hook, [[key, self._value()] for key in self._some(self._keys)]]
        if verb == "get":
            return [verb, hook, "nobody" if self._chance(0.1) else self._one(self._keys)]
        if verb == "mutate":
            return [verb, hook, self._one(self._keys), self._one(("here", "below")), self._random.choice((1, 2, "x"))]
        if verb == "on":
            return self._listen()
        if verb == "off":
            names = self._names() if self._chance(0.7) else None
            return [verb, hook, names, self._one(self._callbacks) if self._chance(0.6) else None]
        if verb == "send":
            buffers = [self._buffer() for _ in range(self._random.randint(0, 2))] if self._chance(0.4) else None
            return [verb, hook, {"n": self._random.randint(0, 9)}, self._one(SEND_CALLBACKS), buffers]
        if verb == "end":
            return [verb, self._one(("view1", "view2"))]
        return [verb, hook]

    def _buffer(self) -> dict[str, Any]:
        return {"$part": self._random.choice(_PARTS)} if self._chance(0.4) else _bytes(self._random.choice(_WHOLE))

    def _step(self) -> Step:
        kind = self._random.random()
        if kind < 0.7:
            return self._page_step()
        if kind < 0.83:
            return ["remote", [[key, self._remote_data()] for key in self._some(self._keys)]]
        if kind < 0.9:
            return ["message", {"n": self._random.randint(0, 9)}, [_bytes(b"\x07")] if self._chance(0.3) else []]
        return ["deliver"]

    def _remote_data(self) -> Any:
        return _as_received(self._data(2))


def make_program(seed: int, profile: Profile = "compat") -> Program:
    """The program of a seed, for ever the same."""
    return Generator(seed, profile).program()


def as_text(program: Program) -> str:
    """A program as a reader wants it: one line per step, as the code that it stands for."""
    head = f"profile {program['profile']}, state {show_data(program['state'])}"
    steps = [f"{number:3}  {line}" for number, line in enumerate(step_lines(program), 1)]
    return "\n".join([head, *callback_lines(program), *steps])


def callback_lines(program: Program) -> list[str]:
    """What each callback does, of those that are registered."""
    lines = []
    for name, plan in program["callbacks"].items():
        if _is_used(program, name):
            body = [_step_text(step) for step in plan["steps"]] + (["throw"] if plan["throws"] else [])
            times = "" if not plan["steps"] else " once" if plan["limit"] == 1 else f" the first {plan['limit']} times"
            lines.append(f"{name}{times}: {'; '.join(body) or 'nothing'}")
    return lines


def step_lines(program: Program) -> list[str]:
    """The steps, in words."""
    return [_step_text(step) for step in program["steps"]]


def _is_used(program: Program, name: str) -> bool:
    plans = [step for plan in program["callbacks"].values() for step in plan["steps"]]
    return any(step[0] == "on" and step[3] == name for step in [*program["steps"], *plans])


def show_data(data: Any) -> str:
    """Data in a reader's notation."""
    if isinstance(data, dict):
        if "$bytes" in data:
            return f"bytes({base64.b64decode(data['$bytes']).hex()})"
        if "$part" in data:
            text, start, end = data["$part"]
            return f"bytes({base64.b64decode(text).hex()})[{start}:{end}]"
        if "$number" in data:
            return str(data["$number"])
        return "{" + ", ".join(f"{key}: {show_data(item)}" for key, item in data.items()) + "}"
    if isinstance(data, list):
        return f"[{', '.join(map(show_data, data))}]"
    return {None: "null", True: "true", False: "false"}[data] if data is None or isinstance(data, bool) else repr(data)


def _value_text(hook: str, value: dict[str, Any]) -> str:
    if "lit" in value:
        return show_data(value["lit"])
    if "same" in value:
        return f"{hook}.get({value['same']!r})"
    return f"copy({hook}.get({value['copy']!r}))" if "copy" in value else "undefined"


def _step_text(step: Step) -> str:
    verb, *rest = step
    match verb:
        case "set":
            hook, key, value = rest
            return f"{hook}.set({key!r}, {_value_text(hook, value)})"
        case "set_all":
            hook, entries = rest
            return f"{hook}.set({{{', '.join(f'{key}: {_value_text(hook, value)}' for key, value in entries)}}})"
        case "get":
            return f"{rest[0]}.get({rest[1]!r})"
        case "mutate":
            hook, key, where, item = rest
            return f"edit {hook}.get({key!r}) in place, {where}: {item!r}"
        case "save":
            return f"{rest[0]}.save_changes()"
        case "on":
            return f"{rest[0]}.on({rest[1]!r}, {rest[2]})"
        case "off":
            given = [repr(rest[1]) if rest[1] else "null", rest[2] or "null"] if rest[1] or rest[2] else []
            return f"{rest[0]}.off({', '.join(given)})"
        case "send":
            hook, content, callbacks, buffers = rest
            shown = "undefined" if buffers is None else show_data(buffers)
            return f"{hook}.send({show_data(content)}, <{callbacks}>, {shown})"
        case "end":
            return f"the view of {rest[0]} ends"
        case "remote":
            return f"Python sets {', '.join(f'{key} = {show_data(data)}' for key, data in rest[0])}"
        case "message":
            return f"Python sends {show_data(rest[0])}, {show_data(rest[1])}"
        case _:
            return "Python works off what it was sent"

"""A client's part of a run, written down: verbs in, frames and states out, as JSON lines.

The Python client and the browser's are to follow the same rules. A schedule that a page of the simulator went
through is given to both, step by step, and what they answer must be the same. The lines are those that
`rdit_ref_server/client/tests/replay.js` reads and writes.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from rdit_core.client import ClientConnection
from rdit_core.limits import Limits

from .notation import from_notation, notation
from .plan import Case
from .run import quiet_core
from .world import World

STEPS_LEFT_OUT: Final = frozenset({"subscribe", "reload"})
"""Kinds of steps for which the browser's driver has no verb."""

_VERBS: Final = {
    "start": "start",
    "opened": "opened",
    "handle_timeout": "timeout",
    "hint_online": "hint",
    "suspend": "suspend",
    "restore": "restore",
    "leave": "leave",
}

_LIMITS: Final = (
    "silence_s",
    "probe_s",
    "backoff_base_s",
    "backoff_cap_s",
    "stable_s",
    "return_s",
    "max_queued_messages",
    "max_queued_message_bytes",
    "max_frame_bytes",
)

_COMPARED: Final = ("frames", "state", "page_state", "idle", "wants_transport", "wants_close", "pending")


class Recorder:
    """Writes down what the first page of a world goes through, until its page is loaded anew."""

    def __init__(self) -> None:
        self.steps: list[dict[str, Any]] = []
        self.chances: list[float] = []

    def note(self, at: float, verb: str, **more: Any) -> None:
        """One step."""
        self.steps.append({"at": at, "verb": verb, **more})

    def watch(self, client: ClientConnection) -> Any:
        """The client, with its verbs written down."""
        return _Watched(client, self)


class _Watched:
    def __init__(self, client: ClientConnection, recorder: Recorder) -> None:
        self._client = client
        self._recorder = recorder

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._client, name)
        verb = _VERBS.get(name)
        if verb is None:
            return value

        def call(now_s: float) -> Any:
            self._recorder.note(now_s, verb)
            return value(now_s)

        return call

    def receive_frame(self, frame: str | bytes, now_s: float) -> None:
        """Written down as text or base64."""
        shape = {"text": frame} if isinstance(frame, str) else {"base64": base64.b64encode(frame).decode()}
        self._recorder.note(now_s, "frame", **shape)
        self._client.receive_frame(frame, now_s)

    def receive_eof(self, now_s: float, code: int | None = None, reason: str = "") -> None:
        """Written down with its code."""
        self._recorder.note(now_s, "eof", **({} if code is None else {"code": code}))
        self._client.receive_eof(now_s, code, reason)


def record(case: Case) -> list[dict[str, Any]]:
    """Run a case and return its first page's schedule: a configuration, then steps."""
    kept = tuple(step for step in case.steps if step.kind not in STEPS_LEFT_OUT)
    recorder = Recorder()
    with quiet_core():
        world = World(case.with_steps(kept), recorder=recorder)
        world.run()
    setup = case.setup.tabs[0]
    config = {
        "random": recorder.chances,
        "policy": setup.policy,
        "subscribe": "*" if setup.subscribe is None else list(setup.subscribe),
        "limits": {name: getattr(world.client_limits, name) for name in _LIMITS},
    }
    return [{"config": config}, *recorder.steps]


def replay_here(lines: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Give a schedule to a Python client, drained after each step; yields its answers."""
    config = lines[0]["config"]
    chances = iter(config["random"])
    client = ClientConnection(
        limits=Limits(**config["limits"]),
        random=lambda: next(chances, 0.5),
        policy=config["policy"],
        subscribe=config["subscribe"],
    )
    for index, step in enumerate(lines[1:]):
        error = None
        try:
            _act(client, step)
        except Exception as raised:
            error = f"{type(raised).__name__}: {raised}"
        frames = [
            {"json": json.loads(frame)} if isinstance(frame, str) else {"base64": base64.b64encode(frame).decode()}
            for frame in client.frames_to_send(step["at"])
        ]
        client.events_received()
        models = {
            id: {name: notation(model.peek(name)) for name in sorted(model.state)}
            for id, model in client.models.items()
        }
        pending = {id: [name for name in names if client.is_pending(id, name)] for id, names in models.items()}
        yield {
            "step": index,
            "frames": frames,
            "state": client.state,
            "page_state": client.page_state,
            "deadline": client.next_deadline(),
            "idle": client.is_idle,
            "wants_transport": client.wants_transport,
            "wants_close": client.wants_close,
            "models": models,
            "pending": {id: names for id, names in pending.items() if names},
            **({"error": error} if error is not None else {}),
        }


def _act(client: ClientConnection, step: dict[str, Any]) -> None:
    at, verb = step["at"], step["verb"]
    if verb == "frame":
        client.receive_frame(step["text"] if "text" in step else base64.b64decode(step["base64"]), at)
    elif verb == "eof":
        client.receive_eof(at, step.get("code"))
    elif verb == "set":
        model = client.models[step["widget_id"]]
        model.set(step["property"], from_notation(step["value"]))
        if step["save"]:
            model.save_changes()
    elif verb == "save":
        client.models[step["widget_id"]].save_changes()
    elif verb == "send":
        buffers = [base64.b64decode(one) for one in step["buffers"]]
        client.models[step["widget_id"]].send(from_notation(step["content"]), None, buffers)
    else:
        name = next(name for name, one in _VERBS.items() if one == verb)
        getattr(client, name)(at)


def difference(mine: dict[str, Any], theirs: dict[str, Any]) -> str:
    """What two answers to one step differ in; empty when in nothing."""
    # The browser's model has its module's text for whoever loads it; here that is no property.
    shown = {
        side: {
            id: {name: one for name, one in values.items() if name != "_esm"} for id, values in answer["models"].items()
        }
        for side, answer in (("here", mine), ("there", theirs))
    }
    if shown["here"] != shown["there"]:
        return f"models: {shown['here']} here, {shown['there']} there"
    for name in _COMPARED:
        if mine[name] != theirs[name]:
            return f"{name}: {mine[name]!r} here, {theirs[name]!r} there"
    left, right = mine["deadline"], theirs["deadline"]
    if (left is None) != (right is None) or (left is not None and abs(left - right) > 1e-6):
        return f"deadline: {left} here, {right} there"
    return ""

"""Makes a program that fails smaller: whatever can go goes, as long as it fails still."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

from .programs import Program, Step

_PLAIN: tuple[Any, ...] = (1, 2, [1])


def shrink(program: Program, fails: Callable[[Program], bool]) -> Program:
    """The smallest program found that `fails` still says yes to. It must say yes to the one given."""
    is_smaller = True
    while is_smaller:
        is_smaller = False
        for candidate in _smaller(program):
            if fails(candidate):
                program, is_smaller = candidate, True
                break
    return program


def _smaller(program: Program) -> Iterator[Program]:
    """Programs that have less to them, the boldest cuts first."""
    for steps in _shorter(program["steps"]):
        yield {**program, "steps": steps}
    for name, plan in program["callbacks"].items():
        for changed in _smaller_plan(plan):
            yield {**program, "callbacks": {**program["callbacks"], name: changed}}
    for index, step in enumerate(program["steps"]):
        for simpler in _simpler(step):
            yield {**program, "steps": [*program["steps"][:index], simpler, *program["steps"][index + 1 :]]}
    if program["state"]["d"] is not None:
        yield {**program, "state": {**program["state"], "d": None}}


def _shorter(steps: list[Step]) -> Iterator[list[Step]]:
    size = len(steps)
    while size > 0:
        for start in range(0, len(steps), size):
            yield steps[:start] + steps[start + size :]
        size //= 2


def _smaller_plan(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for steps in _shorter(plan["steps"]):
        yield {**plan, "steps": steps}
    if plan["throws"]:
        yield {**plan, "throws": False}
    if plan["limit"] > 1:
        yield {**plan, "limit": 1}
    for index, step in enumerate(plan["steps"]):
        for simpler in _simpler(step):
            yield {**plan, "steps": [*plan["steps"][:index], simpler, *plan["steps"][index + 1 :]]}


def _simpler(step: Step) -> Iterator[Step]:
    """The same step with less in it. Never back to one that it was made of, so that shrinking comes to an end."""
    match step:
        case ["set", hook, key, value]:
            yield from (["set", hook, key, simpler] for simpler in _simpler_value(value))
        case ["set_all", hook, entries]:
            if len(entries) == 1:
                yield ["set", hook, *entries[0]]
            yield from (["set_all", hook, fewer] for fewer in _shorter(entries) if fewer)
            for index, (key, value) in enumerate(entries):
                for simpler in _simpler_value(value):
                    yield ["set_all", hook, [*entries[:index], [key, simpler], *entries[index + 1 :]]]
        case ["remote", entries]:
            yield from (["remote", fewer] for fewer in _shorter(entries) if fewer)
            for index, (key, data) in enumerate(entries):
                for simpler in _simpler_data(data):
                    yield ["remote", [*entries[:index], [key, simpler], *entries[index + 1 :]]]
        case ["mutate", hook, key, "below", item]:
            yield ["mutate", hook, key, "here", item]
        case [("on" | "off") as verb, hook, str(names), callback] if " " in names:
            yield from ([verb, hook, name, callback] for name in dict.fromkeys(names.split()))
        case ["send", hook, content, callbacks, buffers]:
            if callbacks != "none":
                yield ["send", hook, content, "none", buffers]
            if buffers is not None:
                yield ["send", hook, content, callbacks, None]
                yield from (["send", hook, content, callbacks, fewer] for fewer in _shorter(buffers) if fewer)
        case ["message", content, [_, *_]]:
            yield ["message", content, []]
    if len(step) > 1 and step[1] in ("view1", "view2", "got") and step[0] != "end":
        yield [step[0], "init", *copy.deepcopy(step[2:])]


def _simpler_value(value: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "lit" in value:
        yield from ({"lit": data} for data in _simpler_data(value["lit"]))
    else:
        yield from ({"lit": data} for data in _PLAIN)


def _simpler_data(data: Any) -> Iterator[Any]:
    for rank, plain in enumerate(_PLAIN):
        # Only towards the front: 1 is simpler than 2 is simpler than a list.
        if data == plain and not isinstance(data, (bool, float)):
            return
        yield _PLAIN[rank]
    if isinstance(data, list) and data:
        yield data[1:]

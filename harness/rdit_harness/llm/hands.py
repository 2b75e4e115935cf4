"""What a hand would try on a widget that nobody explained: each control, then pointing, dragging and keys."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from .trial import Trial

_MOST: Final = 12
"""Of each kind of thing; a table of a thousand cells is not clicked through."""

_GRID: Final = (0.5, 0.2, 0.35, 0.65, 0.8)
_DRAGS: Final = (((0.25, 0.25), (0.75, 0.75)), ((0.2, 0.5), (0.8, 0.5)), ((0.5, 0.2), (0.5, 0.8)))
_TYPED: Final = ("text", "search", "email", "url", "tel", "password", "")

_DATES: Final = ("date", "month", "week", "datetime-local")
"""What has no value before each of its parts was typed, in an order that the browser's language decides."""


async def try_everything(trial: Trial, place: str) -> AsyncIterator[None]:
    """Do one thing after another in the view, with the browser's real input; each is over when this yields."""
    targets: Sequence[dict[str, Any]] = await trial.ask(f"(trial) => trial.targets('{place}', {_MOST})")
    for target in targets:
        async for _ in _try(trial, target):
            await trial.pump()
            yield


async def _try(trial: Trial, target: dict[str, Any]) -> AsyncIterator[None]:
    box = await trial.ask(f"(trial) => trial.box({target['index']})")
    if box is None:
        return  # What was done before took it away.
    mouse, keyboard = trial.page.mouse, trial.page.keyboard

    def at(x: float, y: float) -> tuple[float, float]:
        return box["left"] + box["width"] * x, box["top"] + box["height"] * y

    if target["kind"] == "control":
        if target["tag"] == "select" or target["type"] in _DATES:
            await trial.ask(f"(trial) => trial.choose({target['index']})")
            yield
            return
        await trial.within(mouse.click(*at(0.8, 0.5)))
        yield
        if target["tag"] == "textarea" or (target["tag"] == "input" and target["type"] in _TYPED):
            await trial.within(keyboard.type("a"))
            await trial.within(keyboard.press("Enter"))
            yield
        elif target["tag"] == "input":
            for key in ("ArrowUp", "ArrowLeft"):
                await trial.within(keyboard.press(key))
                yield
        return
    await trial.within(mouse.click(*at(0.5, 0.5)))
    yield
    if target["kind"] == "point":
        await _drag(trial, at(0.5, 0.5), (at(0.5, 0.5)[0] + 40, at(0.5, 0.5)[1] + 25))
        yield
        return
    for (from_x, from_y), (to_x, to_y) in _DRAGS:
        await _drag(trial, at(from_x, from_y), at(to_x, to_y))
        yield
    for y in _GRID:
        for x in _GRID:
            await trial.within(mouse.click(*at(x, y)))
            yield
    await trial.within(mouse.dblclick(*at(0.5, 0.5)))
    yield
    await trial.within(mouse.wheel(0, 120))
    yield
    for key in ("ArrowRight", "ArrowDown", "Enter", " "):
        await trial.within(keyboard.press(key))
        yield


async def _drag(trial: Trial, start: tuple[float, float], end: tuple[float, float]) -> None:
    mouse = trial.page.mouse
    await trial.within(mouse.move(*start))
    await trial.within(mouse.down())
    await trial.within(mouse.move(*end, steps=6))
    await trial.within(mouse.up())

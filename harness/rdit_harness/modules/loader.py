"""From a module in Python to its definition: what has `initialize`, `render`, or both."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final

Hook = Callable[..., Any]

RULE: Final = (
    "a module is a class, an object, a mapping or a Python module with initialize or render, or a function that "
    "returns one"
)


@dataclass(frozen=True)
class Definition:
    """The hooks of a module."""

    initialize: Hook | None
    render: Hook | None
    destroy: Hook | None
    """Of the first design: called with `model` and `el` when a view goes."""


async def load(module: Any, widget_id: str) -> Definition:
    """Load a module for one model.

    Args:
        module: a class is made, a function is called and awaited, each time; an object, a mapping or a Python module
            is taken as it is. A Python module's `default` is its module, if it has one.
        widget_id: whose it is, for errors.

    Raises:
        TypeError: it is no module; the text names the rule.
    """
    if isinstance(module, ModuleType):
        module = getattr(module, "default", module)
    if inspect.isclass(module):
        module = module()
    elif callable(module) and not _has_hooks(module):
        module = module()
        if inspect.isawaitable(module):
            module = await module
        if inspect.isclass(module):
            module = module()
    if not _has_hooks(module):
        raise TypeError(f"Widget {widget_id} has neither initialize nor render: {RULE}")
    return Definition(*(_hook(module, name) for name in ("initialize", "render", "destroy")))


def call(hook: Hook, props: Mapping[str, Any]) -> Any:
    """Call a hook with those of the props that it names, or with all if it takes any.

    Raises:
        TypeError: it names one that it is not given.
    """
    wanted = {}
    for parameter in inspect.signature(hook).parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            return hook(**props)
        if parameter.kind is parameter.VAR_POSITIONAL:
            continue
        if parameter.name in props and parameter.kind is not parameter.POSITIONAL_ONLY:
            wanted[parameter.name] = props[parameter.name]
        elif parameter.default is parameter.empty:
            name = getattr(hook, "__name__", repr(hook))
            raise TypeError(f"{name} takes {parameter.name!r}; it is given {', '.join(props)}, each by its name")
    return hook(**wanted)


def _hook(module: Any, name: str) -> Hook | None:
    hook = module.get(name) if isinstance(module, Mapping) else getattr(module, name, None)
    return hook if callable(hook) else None


def _has_hooks(module: Any) -> bool:
    return _hook(module, "initialize") is not None or _hook(module, "render") is not None

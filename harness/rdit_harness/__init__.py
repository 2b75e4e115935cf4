"""rdit_harness: test a widget, or a host of widgets, without a notebook and without a browser."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from .clock import VirtualClock
    from .expectation import Expectation, expect
    from .frontend import Frontend, NeverSettles
    from .modules.abort import AbortController, AbortError, AbortSignal
    from .modules.element import Element, Event, NeedsBrowser
    from .mount import MountedView, Mounter, Net
    from .page import Frame, Page, View

__all__ = [
    "AbortController",
    "AbortError",
    "AbortSignal",
    "Element",
    "Event",
    "Expectation",
    "Frame",
    "Frontend",
    "MountedView",
    "Mounter",
    "NeedsBrowser",
    "NeverSettles",
    "Net",
    "Page",
    "View",
    "VirtualClock",
    "expect",
]

# Loaded when they are asked for: every pytest process of an environment with this package loads the plugin, and so
# this file.
_HOMES: Final = {
    "AbortController": "modules.abort",
    "AbortError": "modules.abort",
    "AbortSignal": "modules.abort",
    "Element": "modules.element",
    "Event": "modules.element",
    "Expectation": "expectation",
    "Frame": "page",
    "Frontend": "frontend",
    "MountedView": "mount",
    "Mounter": "mount",
    "NeedsBrowser": "modules.element",
    "NeverSettles": "frontend",
    "Net": "mount",
    "Page": "page",
    "View": "page",
    "VirtualClock": "clock",
    "expect": "expectation",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    return value

"""Whom a manager tells of its host events."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from .events import EVENT_NAMES, HostEvent

_log = logging.getLogger("rdit")


class Subscriptions:
    """The callbacks of a host, by the name of the event."""

    def __init__(self) -> None:
        self._callbacks: dict[str, list[Callable[..., None]]] = {}

    def on(self, event: str, callback: Callable[..., None]) -> Callable[[], None]:
        """Keep a callback; returns what takes it out. Raises `ValueError` for an event that there is not."""
        names = {"pending", *EVENT_NAMES.values()}
        if event not in names:
            raise ValueError(f"Expected one of {', '.join(sorted(names))}, got {event!r}")
        self._callbacks.setdefault(event, []).append(callback)

        def unsubscribe() -> None:
            callbacks = self._callbacks.get(event, [])
            self._callbacks[event] = [one for one in callbacks if one is not callback]

        return unsubscribe

    def emit(self, event: HostEvent) -> None:
        """Tell of an event, with its record."""
        self.call(EVENT_NAMES[type(event)], event)

    def call(self, name: str, *arguments: Any) -> None:
        """Call who asked for an event, on this thread. What a callback raises is logged."""
        callbacks = self._callbacks.get(name)
        for callback in list(callbacks) if callbacks else ():
            try:
                callback(*arguments)
            except Exception:
                _log.exception("callback of host event %s failed", name)

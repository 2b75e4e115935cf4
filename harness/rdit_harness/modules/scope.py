"""The model as a hook of a widget gets it: a face of the page's model whose listeners are its own."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rdit_core import WidgetModel
from rdit_core.model import Callback

from .abort import AbortSignal

if TYPE_CHECKING:
    from .binding import PageCode


@dataclass(frozen=True, eq=False)
class _Listener:
    """A callback that may be async. Equal to the callback itself, which `off` is given."""

    callback: Callback
    start: Callable[[Awaitable[Any]], object]

    def __call__(self, *arguments: Any) -> None:
        result = self.callback(*arguments)
        if inspect.isawaitable(result):
            self.start(result)

    def __eq__(self, other: object) -> bool:
        return bool(self.callback == other)

    __hash__ = None  # type: ignore[assignment]


class ScopedModel:
    """`model` of the AFM contract: `get set save_changes send on off changed widget_manager`.

    Args:
        code: of its page.
        model: the page's model.
        signal: when it aborts, what this face listens to is dropped, and it listens to nothing more.
    """

    def __init__(self, code: PageCode, model: WidgetModel, signal: AbortSignal) -> None:
        self.widget_manager = ScopedManager(code, signal)
        self._code = code
        self._model = model
        self._signal = signal
        signal.on_abort(self.off)

    def get(self, key: str) -> Any:
        """See `WidgetModel.get`."""
        return self._model.get(key)

    @property
    def changed(self) -> Mapping[str, Any] | None:
        """See `WidgetModel.changed`."""
        return self._model.changed

    def set(self, key: str | Mapping[str, Any], value: Any = None) -> None:
        """See `WidgetModel.set`."""
        self._model.set(key, value)

    def save_changes(self) -> None:
        """See `WidgetModel.save_changes`."""
        self._model.save_changes()

    def send(self, content: Any, callbacks: Any = None, buffers: Sequence[Any] = ()) -> None:
        """See `WidgetModel.send`."""
        self._model.send(content, callbacks, buffers)

    def on(self, event: str, callback: Callback) -> None:
        """Listen, as `WidgetModel.on` does; the callback may be async."""
        if self._signal.aborted or self._model.is_closed:
            return
        self._model.on(event, _Listener(callback, self._code.start), scope=self)
        if {"msg:custom", "all"} & set(event.split()):
            self._code.heard(self._model)

    def off(self, event: str | None = None, callback: Callback | None = None) -> None:
        """Remove listeners that were added through this face, and no others."""
        self._model.off(event, callback, scope=self)


class ScopedManager:
    """`model.widget_manager`: the other models of the page."""

    def __init__(self, code: PageCode, signal: AbortSignal) -> None:
        self._code = code
        self._signal = signal

    async def get_model(self, widget_id: str) -> ScopedModel:
        """The model of another widget. Its listeners go with the hook that asked."""
        return ScopedModel(self._code, await self._code.when_open(widget_id, self._signal), self._signal)

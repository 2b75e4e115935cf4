"""A comm as widget libraries expect it, and the hook that hands them ours.

A widget library asks the `comm` package for a comm, opens it with the widget's first state, and from then on sends
every change through it: already serialized by each trait's own `to_json`, batched by `hold_sync`, on the thread that
made the change. That is the one official seam between widgets and hosts, so the core listens there and nowhere else.

The hook is process-wide (the `comm` package has one `create_comm`), therefore importing this module hooks nothing.
`install` makes an owner the process's default; `capture` gives one to the current context only, so that several kernels
in several threads each get their own widgets. Targets other than `jupyter.widget` go to whoever was there before.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, Protocol

import comm as comm_package

from .encoding import put_buffers

WIDGET_TARGET: Final = "jupyter.widget"

MsgCallback = Callable[[dict[str, Any]], None]


class CommOwner(Protocol):
    """Who a comm belongs to. Called on the thread that used the comm; a call may come while another runs elsewhere."""

    def comm_opened(self, comm: WidgetComm, state: dict[str, Any]) -> None:
        """A widget opened its comm. `state` has its buffers in place. Sets `comm.comm_id`; may raise to refuse."""

    def comm_adopted(self, comm: WidgetComm, widget: Any) -> None:
        """The widget at the other end made itself known, after `comm_opened`; perhaps again, as another object."""

    def comm_revived(self, callback: Any) -> None:
        """A widget speaks up again whose comm is closed, and this owner would be given its next one. `callback` is the
        bound method that takes messages.
        """

    def comm_updated(self, comm: WidgetComm, state: dict[str, Any]) -> None:
        """The widget changed these properties. `state` has its buffers in place; they are the widget's own objects."""

    def comm_message(self, comm: WidgetComm, content: Any, buffers: Sequence[Any]) -> None:
        """The widget sent a custom message."""

    def comm_refers(self, comm: WidgetComm, property: str, value: Any) -> Any:
        """A value of this property mentions widgets. Returns it with references in their place; raises
        `UnserializableValue` where one of them cannot be hosted.
        """

    def comm_strayed(self, comm: WidgetComm) -> None:
        """A property does not refer any more to what it referred to, and this is committed."""

    def comm_closed(self, comm: WidgetComm) -> None:
        """The widget closed its comm. Nothing follows."""


class WidgetComm:
    """One widget's channel to a manager. Has the surface of `comm.base_comm.BaseComm` that widget libraries use."""

    kernel: Final = True
    """anywidget's descriptor sends only through a comm that has one."""

    def __init__(
        self,
        owner: CommOwner,
        target_name: str = WIDGET_TARGET,
        data: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
        buffers: Sequence[Any] | None = None,
        comm_id: str | None = None,
        **_: Any,
    ) -> None:
        self.owner = owner
        self.target_name = target_name
        self.comm_id = comm_id or ""
        self.is_closed = False
        self._callback: MsgCallback | None = None
        self._on_close: MsgCallback | None = None
        self.is_adopted = False
        """Whether its owner knows whose it is."""
        owner.comm_opened(self, _state_of(data or {}, buffers))

    def send(
        self,
        data: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
        buffers: Sequence[Any] | None = None,
    ) -> None:
        """Take a message of the widget: `update` or `custom` (ipywidgets `packages/schema/messages.md`)."""
        if self.is_closed or data is None:
            return
        method = data.get("method")
        if method == "update":
            self.owner.comm_updated(self, _state_of(data, buffers))
        elif method == "custom":
            self.owner.comm_message(self, data.get("content"), buffers or [])
        # `echo_update` tells other front ends what one of them wrote; here the slots do.

    def on_msg(self, callback: MsgCallback | None) -> None:
        """Keep the widget's handler. It is a bound method, which is how the comm learns whose it is."""
        widget, before = getattr(callback, "__self__", None), getattr(self._callback, "__self__", None)
        if self.is_closed:
            owner = hook.owner()
            if widget is not None and owner is not None:
                owner.comm_revived(callback)
            return
        if widget is not None and (not self.is_adopted or widget is not before):
            self.is_adopted = True
            self.owner.comm_adopted(self, widget)
        self._callback = callback

    def on_close(self, callback: MsgCallback | None) -> None:
        """Keep the handler that `handle_close` calls."""
        self._on_close = callback

    def handle_msg(self, msg: dict[str, Any]) -> None:
        """Hand a message to the widget's handler, as a Jupyter kernel would."""
        if self._callback is not None:
            self._callback(msg)

    def handle_close(self, msg: dict[str, Any]) -> None:
        """Tell the widget that the other side closed the comm."""
        if self._on_close is not None:
            self._on_close(msg)

    def close(self, *_: Any, **__: Any) -> None:
        """End the channel. The widget stays usable; its changes go nowhere. A second call does nothing."""
        if not self.is_closed:
            self.is_closed = True
            self._callback = self._on_close = None
            self.owner.comm_closed(self)


def _state_of(data: dict[str, Any], buffers: Sequence[Any] | None) -> dict[str, Any]:
    return put_buffers(data.get("state", {}), data.get("buffer_paths", []), buffers or [])


class Nowhere:
    """An owner that shows its widgets to nobody: for widgets that are to be looked at before any page sees them."""

    def comm_opened(self, comm: WidgetComm, state: dict[str, Any]) -> None:
        """Name it; any name does."""
        comm.comm_id = uuid.uuid4().hex

    def comm_adopted(self, comm: WidgetComm, widget: Any) -> None:
        """Nobody asks."""

    def comm_revived(self, callback: Any) -> None:
        """Nobody asks."""

    def comm_updated(self, comm: WidgetComm, state: dict[str, Any]) -> None:
        """Nobody asks."""

    def comm_message(self, comm: WidgetComm, content: Any, buffers: Sequence[Any]) -> None:
        """Nobody listens."""

    def comm_refers(self, comm: WidgetComm, property: str, value: Any) -> Any:
        """Leave the value as it is."""
        return value

    def comm_strayed(self, comm: WidgetComm) -> None:
        """Nobody asks."""

    def comm_closed(self, comm: WidgetComm) -> None:
        """Nothing was kept."""


class _Hook:
    """The replaced `comm.create_comm`, while somebody needs it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._installed: list[tuple[CommOwner, Callable[[], bool] | None]] = []
        self._users = 0
        self._previous: Callable[..., Any] | None = None
        self._scope: ContextVar[CommOwner | None] = ContextVar("rdit_comm_owner", default=None)

    def enter(self) -> None:
        with self._lock:
            self._users += 1
            if self._users == 1:
                self._previous = comm_package.create_comm
                comm_package.create_comm = self.create_comm

    def leave(self) -> None:
        with self._lock:
            self._users -= 1
            # Somebody who replaced it after us keeps it; ours then falls through to what was there before.
            if self._users == 0 and self._previous is not None and comm_package.create_comm == self.create_comm:
                comm_package.create_comm = self._previous

    def owner(self) -> CommOwner | None:
        """Who is given the next widget."""
        owner = self._scope.get()
        if owner is None:
            installed = reversed(self._installed)
            owner = next((one for one, is_meant in installed if is_meant is None or is_meant()), None)
        return owner

    def create_comm(self, *args: Any, **kwargs: Any) -> Any:
        target = args[0] if args else kwargs.get("target_name")
        owner = self.owner()
        if owner is None or target != WIDGET_TARGET:
            previous = self._previous
            assert previous is not None, "the hook is called only after it was entered"
            return previous(*args, **kwargs)
        return WidgetComm(owner, *args, **kwargs)

    def install(self, owner: CommOwner, is_meant: Callable[[], bool] | None = None) -> None:
        if not any(one is owner for one, _ in self._installed):
            self._installed.append((owner, is_meant))
            self.enter()

    def uninstall(self, owner: CommOwner) -> None:
        if any(one is owner for one, _ in self._installed):
            self._installed = [(one, is_meant) for one, is_meant in self._installed if one is not owner]
            self.leave()

    @contextmanager
    def capture(self, owner: CommOwner) -> Iterator[None]:
        self.enter()
        token = self._scope.set(owner)
        try:
            yield
        finally:
            self.leave()  # First: `reset` raises when the block ends in another context than it began in.
            self._scope.reset(token)


hook: Final = _Hook()
"""The one hook of this process."""

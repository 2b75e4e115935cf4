"""WidgetManager: widget id to widget; opens, finds, writes, serializes, closes, and connects pages.

**Threads.** User code (validators, observers, serializers) runs on whatever thread *the host* calls `update` or
`apply_pending` from, and on no other; a host gives it one, the kernel's. Python code may set traits on any thread at
any time: the value is encoded there and then, and stored under `lock`. The lock is held for moments, never while user
code runs, and `wakeup` and event callbacks are called without it.

Two threads that set one trait can reach the slot in the wrong order, since a widget serializes before it sends. So as
soon as a second thread has written a widget, each commit is followed by a second look at the widget until both agree:
the last to commit always reads what stands.

**Ownership.** The manager owns its widgets. ipywidgets keeps every widget alive in a process-wide registry;
`unregister` and `clear` take it out there too, close its comm, and keep nothing. The widget itself stays a usable
Python object.

**Origin.** While a page's write is applied, changes of that very property on that very thread are not pushed back to
that page (see `server`, the trailing correction). Everything else is pushed to everyone.
"""

from __future__ import annotations

import itertools
import logging
import secrets
import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any, Final, TypedDict

import msgspec

from .access import Verdict
from .base_server import BaseServerConnection, PendingUpdate, SlotKey
from .comm import WidgetComm, hook
from .encoding import decode_value, encode_value
from .errors import (
    AccessRefused,
    InvalidWidgetId,
    LimitReached,
    UnknownWidget,
    UnserializableValue,
    WidgetNotHostable,
    WriteRefused,
)
from .events import (
    EVENT_NAMES,
    Connected,
    Disconnected,
    HostEvent,
    MessageDropped,
    ObserverFailed,
    ValueSkipped,
    WidgetClosed,
    WidgetOpened,
    WriteWasRefused,
)
from .frames import require_widget_id
from .hosted import WIDGET_REFERENCE, HostedWidget, forget_instance, give_comm, is_ipywidget
from .layouts import Layouts, is_layout_state
from .limits import Limits
from .messages import Output, WidgetUpdate
from .policy import WritePolicy
from .slots import Revisions, Slot

_log = logging.getLogger("rdit")

_ESM: Final = "_esm"
_CSS: Final = "_css"
_LAYOUT: Final = "layout"
_REREADS: Final = 100
"""Bound on second looks after one commit: a trait whose serialized form is never twice the same must not hang a
thread."""


class WidgetData(TypedDict):
    """A widget as a front end needs it to render: what `WidgetManager.serialize` returns."""

    widget_id: str
    esm: str
    """The ES module: its text, or an http(s) URL."""
    css: str | None
    model: dict[str, Any]
    """Property to JSON value, without `_esm` and `_css`; binary as `{"$b64": ...}` at its path, the Layout model folded
    in."""


class _SerializedWidget(msgspec.Struct):
    widget_id: str
    esm: str
    css: Any
    model: dict[str, Any]


class _Thread(threading.local):
    """What one thread is at."""

    origin: tuple[BaseServerConnection, SlotKey] | None = None
    """The page's write that is being applied: whose, and of what."""


class WidgetManager:
    """Hosts widgets and keeps any number of pages in sync with them, over any transport.

    Args:
        ids: makes the id of each widget that comes without one; called on the thread that makes it. Default uuid4.
        epoch: names this manager's lifetime; random 128 bits by default. Pass it to make a run reproducible.
        limits: bounds of everything below.
    """

    def __init__(
        self, *, ids: Callable[[], str] | None = None, epoch: str | None = None, limits: Limits | None = None
    ) -> None:
        self.epoch: Final = epoch or secrets.token_hex(16)
        self.limits: Final = limits or Limits()
        self.lock = threading.RLock()
        self._ids = ids or (lambda: str(uuid.uuid4()))
        self._widgets: dict[str, Any] = {}
        self._hosted: dict[str, HostedWidget] = {}
        self._by_comm: dict[WidgetComm, HostedWidget] = {}
        self._layouts = Layouts(self)
        self._revisions = Revisions()
        self._connections: dict[int, BaseServerConnection] = {}
        self._connection_ids = itertools.count(1)
        self._pending: deque[PendingUpdate] = deque()
        self._callbacks: dict[str, list[Callable[..., None]]] = {}
        self._thread = _Thread()
        self._applying: ContextVar[str | None] = ContextVar("rdit_applying", default=None)
        self.widgets: Final[Mapping[str, Any]] = MappingProxyType(self._widgets)
        """Widget id to widget, live and read-only; a widget with two ids stands there twice."""

    # Widgets in and out.

    def register(self, widget_id: str, widget: Any, *, policy: WritePolicy | None = None) -> None:
        """Host a widget under an id.

        A widget that is hosted already gets the id as a further name: writes through any of them reach it, changes go
        out under all. An id that named another widget is taken over, and that widget let go as by `unregister`.

        Args:
            widget_id: 1 to 128 characters of `A-Z a-z 0-9 _ . : -`.
            widget: an anywidget (or any ipywidget), whether its comm came through the hook or not.
            policy: what pages may write. Default: what the widget has already, at first every synced property that is
                not protected.

        Raises:
            InvalidWidgetId: for another id. WidgetNotHostable: for another object. LimitReached: too many widgets.
        """
        require_widget_id(widget_id)
        hosted = self._hosted_of(widget)
        if hosted is None and not is_ipywidget(widget):
            raise WidgetNotHostable(
                f"Expected an anywidget.AnyWidget, got {type(widget).__module__}.{type(widget).__qualname__}"
            )
        present = self._hosted.get(widget_id)
        if present is not None and present is not hosted:
            self.unregister(widget_id)
            present = None
        if hosted is None:
            hosted = self._attach(widget_id, widget)
        elif present is None:
            self._check_room()
            with self.lock:
                hosted.ids.append(widget_id)
                self._hosted[widget_id] = hosted
                self._widgets[widget_id] = hosted.widget
            self._emit(WidgetOpened(widget_id))
        if policy is not None:
            hosted.policy = policy

    def add(self, widget: Any, *, policy: WritePolicy | None = None) -> str:
        """Host a widget under the id it has, or a fresh one, and return that id. Errors as in `register`."""
        hosted = self._hosted_of(widget)
        widget_id = hosted.ids[0] if hosted is not None else self._ids()
        self.register(widget_id, widget, policy=policy)
        return widget_id

    def unregister(self, widget_id: str) -> None:
        """Let go of an id; with its last id the widget is released wholly. An unknown id is no error."""
        with self.lock:
            hosted = self._hosted.pop(widget_id, None)
            self._widgets.pop(widget_id, None)
            if hosted is None:
                return
            hosted.ids.remove(widget_id)
            for connection in self._connections.values():
                connection.forget(widget_id)
        if not hosted.ids:
            self._release(hosted)
        self._emit(WidgetClosed(widget_id))

    def clear(self) -> None:
        """Release every widget (a namespace reset). Connections stay open."""
        for widget_id in list(self._hosted):
            self.unregister(widget_id)
        self._layouts.clear()

    def __contains__(self, widget_id: object) -> bool:
        return widget_id in self._widgets

    def __getitem__(self, widget_id: str) -> Any:
        return self._find(widget_id).widget

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._widgets))

    def __len__(self) -> int:
        return len(self._widgets)

    def id_of(self, widget: Any) -> str | None:
        """The first id of a hosted widget, or None."""
        hosted = self._hosted_of(widget)
        return hosted.ids[0] if hosted is not None and hosted.ids else None

    def is_displayable(self, widget_id: str) -> bool:
        """Whether a widget has an ES module to render with. Classic Jupyter widgets have none."""
        hosted = self._hosted.get(widget_id)
        return hosted is not None and hosted.esm is not None

    # State.

    def update(self, widget_id: str, property: str, value: Any) -> None:
        """Write a property as a page would: policy, `from_json`, validation, observers. On the caller's thread.

        Args:
            widget_id: a registered id.
            property: a synced trait.
            value: JSON values, `bytes` where there is binary. The widget owns it afterwards.

        Raises:
            UnknownWidget: (a `ValueError`). WriteRefused: (a `ValueError`) nothing changed. Whatever an observer raises
                comes through; the trait has its value then.
        """
        failed = self._write(widget_id, property, value)
        if failed is not None:
            raise failed

    def touch(self, widget: Any, property: str) -> None:
        """Look at a property again after an in-place edit, which no trait can notice, and push it if it differs.

        Args:
            widget: the widget or one of its ids.
            property: a synced trait.
        """
        hosted = self._find(widget) if isinstance(widget, str) else self._hosted_of(widget)
        if hosted is None:
            raise UnknownWidget(repr(widget))
        self._refresh(hosted, property)

    def serialize(self, widget_id: str) -> WidgetData:
        """What a front end needs to render a widget, as plain JSON values.

        Raises:
            UnknownWidget: no such id. WidgetNotHostable: the widget has no ES module.
        """
        parts = self._serialized(widget_id)
        return WidgetData(
            widget_id=widget_id,
            esm=parts.esm,
            css=decode_value(bytes(parts.css)),
            model={name: decode_value(bytes(raw)) for name, raw in parts.model.items()},
        )

    def encode_serialized(self, widget_id: str) -> bytes:
        """`serialize` as JSON bytes, joined from what is encoded already. Errors as there."""
        return msgspec.json.encode(self._serialized(widget_id))

    # Pages.

    def connect(
        self, verdict: Verdict, *, wakeup: Callable[[], None] | None = None, output: bool = False
    ) -> BaseServerConnection:
        """Open the server's end of a connection in base mode; see `server` for the adapter's duties.

        Args:
            verdict: what `access` said of the peer; `TRUSTED` for peers in this process.
            wakeup: called from any thread, without locks, when there is something to send.
            output: whether the peer asked for execution output (`send_output`).

        Raises:
            AccessRefused: the verdict does not allow it. LimitReached: the user has too many connections.
        """
        if not verdict.allowed:
            raise AccessRefused(verdict.code or "unauthorized")
        with self.lock:
            if sum(one.user == verdict.user for one in self._connections.values()) >= self.limits.max_connections:
                raise LimitReached(f"More than {self.limits.max_connections} connections of one user")
            connection = BaseServerConnection(
                self,
                self.limits,
                connection_id=next(self._connection_ids),
                user=verdict.user,
                wakeup=wakeup,
                output=output,
            )
            self._connections[connection.connection_id] = connection
            for widget_id, hosted in self._hosted.items():
                if hosted.esm_rev > hosted.baseline_rev:
                    connection.mark((widget_id, _ESM))
                for name, slot in hosted.slots.items():
                    if slot.rev > hosted.baseline_rev:
                        connection.mark((widget_id, name))
        self._emit(Connected(connection.connection_id, connection.user))
        return connection

    def apply_pending(self) -> int:
        """Run the updates that pages sent, in order of arrival, on the caller's thread. Returns how many.

        An exception of user code ends its own update only. A `KeyboardInterrupt` comes through, with the interrupted
        update answered and the rest still pending.
        """
        if self._thread.origin is not None:
            return 0  # An observer that pumps the host's loop must not start the next update inside this one.
        count = 0
        while self._pending:
            self._pending.popleft().apply()
            count += 1
        return count

    @property
    def applying(self) -> str | None:
        """The id of the widget whose update is being applied in this context (tasks that it starts included)."""
        return self._applying.get()

    def send_output(self, n: int, event: bytes) -> None:
        """Queue an execution event for every connection that asked for output. Any thread.

        Args:
            n: the event's id in the host's own stream, by which a page tells what it has seen.
            event: JSON bytes.
        """
        output = Output(n, msgspec.Raw(event))
        for connection in list(self._connections.values()):
            connection.queue_output(output)

    def on(self, event: str, callback: Callable[..., None]) -> Callable[[], None]:
        """Call back on a host event; returns what ends it.

        `pending` (no argument): something waits for `apply_pending`. `connected disconnected opened closed
        write_refused observer_failed unserializable_value message_dropped`: with the record from `events`. Called on
        the thread on which it happened; an exception in a callback is logged.

        Raises:
            ValueError: no such event.
        """
        names = {"pending", *EVENT_NAMES.values()}
        if event not in names:
            raise ValueError(f"Expected one of {', '.join(sorted(names))}, got {event!r}")
        self._callbacks.setdefault(event, []).append(callback)

        def unsubscribe() -> None:
            callbacks = self._callbacks.get(event, [])
            self._callbacks[event] = [one for one in callbacks if one is not callback]

        return unsubscribe

    # The comm hook.

    def install(self) -> None:
        """Host every widget of this process that is made from now on. Idempotent; `uninstall` ends it."""
        hook.install(self)

    def uninstall(self) -> None:
        """End `install`. Widgets that are hosted stay."""
        hook.uninstall(self)

    def capture(self) -> AbstractContextManager[None]:
        """Host every widget made in this context (thread or task) while the `with` block runs."""
        return hook.capture(self)

    # CommOwner: what widgets do.

    def comm_opened(self, comm: WidgetComm, state: dict[str, Any]) -> None:
        """A widget's comm opens: give it an id and slots. It is listed once it says who it is."""
        if is_layout_state(state):
            self._layouts.opened(comm, state)
            return
        self._check_room()
        comm.comm_id = require_widget_id(comm.comm_id or self._ids())
        if comm.comm_id in self._hosted:
            raise InvalidWidgetId(f"Widget id {comm.comm_id} is taken; `ids` must give each one once")
        hosted = HostedWidget(comm)
        self._commit(hosted, state)  # While it has no id, since no page waits for its first state.
        with self.lock:
            hosted.ids.append(comm.comm_id)
            hosted.baseline_rev = self._revisions.last
            self._hosted[comm.comm_id] = self._by_comm[comm] = hosted

    def comm_adopted(self, comm: WidgetComm, widget: Any) -> None:
        """The widget behind a comm is known: list it."""
        if comm in self._layouts:
            return
        # A descriptor's comm belongs to a helper that knows the object weakly.
        target = widget if is_ipywidget(widget) else getattr(widget, "_obj", lambda: widget)()
        with self.lock:
            hosted = self._by_comm[comm]
            hosted.widget = target
            self._widgets[comm.comm_id] = target
        if hosted.layout_id is None:
            self._refresh(hosted, _LAYOUT)  # It may have been made out of the hook's sight.
        self._emit(WidgetOpened(comm.comm_id))

    def comm_updated(self, comm: WidgetComm, state: dict[str, Any]) -> None:
        """A widget changed."""
        if comm in self._layouts:
            for parent in self._layouts.updated(comm, state):
                self._commit(parent, {_LAYOUT: WIDGET_REFERENCE + comm.comm_id})
            return
        hosted = self._by_comm.get(comm)
        if hosted is None:
            return
        with self.lock:
            hosted.writers.add(threading.get_ident())
        self._commit(hosted, state)
        for name in state:
            for _ in range(_REREADS):
                if len(hosted.writers) < 2 or not self._refresh(hosted, name):
                    break

    def comm_message(self, comm: WidgetComm, content: Any, buffers: Sequence[Any]) -> None:
        """A widget sent a custom message, which base mode does not carry: say so where there is a page to miss it."""
        if self._connections:
            _log.warning("widget %s sent a custom message; base mode carries none", comm.comm_id)
            self._emit(MessageDropped(comm.comm_id))

    def comm_closed(self, comm: WidgetComm) -> None:
        """A widget closed its comm: let go of all its ids."""
        if comm in self._layouts:
            self._layouts.closed(comm)
            return
        hosted = self._by_comm.pop(comm, None)
        for widget_id in list(hosted.ids) if hosted is not None else ():
            self.unregister(widget_id)

    # ConnectionCore: what connections ask.

    def enqueue(self, update: PendingUpdate) -> None:
        """Keep an update for `apply_pending`."""
        self._pending.append(update)
        self._call("pending")

    def write(self, connection: BaseServerConnection, message: WidgetUpdate) -> BaseException | None:
        """Run one page's update. Returns an interrupt that must go on once the update is answered."""
        try:
            failed = self._write(message.widget_id, message.property, message.value, connection)
        except WriteRefused as error:
            self._emit(WriteWasRefused(connection.connection_id, message.widget_id, message.property, error.code))
            raise
        except UnknownWidget as error:
            self._emit(WriteWasRefused(connection.connection_id, message.widget_id, message.property, "unknown_widget"))
            raise error
        if failed is not None:
            _log.error("observer of %s.%s failed", message.widget_id, message.property, exc_info=failed)
            self._emit(ObserverFailed(message.widget_id, message.property, failed))
        return None if isinstance(failed, Exception) else failed

    def slot_value(self, widget_id: str, property: str) -> bytes | None:
        """The encoded present value of a slot. With the lock held."""
        hosted = self._hosted.get(widget_id)
        if hosted is None:
            return None
        if property == _ESM:
            return msgspec.json.encode(hosted.esm)
        slot = hosted.slots.get(property)
        return slot.value if slot is not None else None

    def disconnected(self, connection: BaseServerConnection) -> None:
        """A connection ended."""
        with self.lock:
            self._connections.pop(connection.connection_id, None)
        self._emit(Disconnected(connection.connection_id, connection.user))

    # Inside.

    def _find(self, widget_id: str) -> HostedWidget:
        hosted = self._hosted.get(widget_id)
        if hosted is None or hosted.widget is None:
            raise UnknownWidget(widget_id)
        return hosted

    def _hosted_of(self, widget: Any) -> HostedWidget | None:
        if is_ipywidget(widget):
            comm = widget.comm
            return self._by_comm.get(comm) if isinstance(comm, WidgetComm) else None
        return next((one for one in self._by_comm.values() if one.widget is widget), None)

    def _check_room(self) -> None:
        if len(self._hosted) >= self.limits.max_widgets:
            raise LimitReached(f"More than {self.limits.max_widgets} widgets; close some or raise Limits.max_widgets")

    def _attach(self, widget_id: str, widget: Any) -> HostedWidget:
        """Give a widget that was made without the hook a comm of ours; the same for its Layout."""
        self._check_room()
        self._layouts.take(widget)
        give_comm(self, widget, widget_id)
        return self._hosted[widget_id]

    def _release(self, hosted: HostedWidget) -> None:
        self._layouts.drop(hosted)
        widget, hosted.widget = hosted.widget, None
        comm = hosted.comm
        self._by_comm.pop(comm, None)
        comm.close()
        if is_ipywidget(widget) and widget.comm is comm:
            forget_instance(comm)
            widget.comm = None

    def _commit(self, hosted: HostedWidget, state: Mapping[str, Any]) -> bool:
        """Store serialized values; push what differs. Returns whether anything did."""
        encoded: dict[str, bytes] = {}
        for name, value in state.items():
            if name == _ESM:
                self._commit_esm(hosted, value)
                continue
            try:
                shown = self._layouts.fold(hosted, value) if name == _LAYOUT else value
                encoded[name] = encode_value(shown, max_depth=self.limits.max_depth)
            except UnserializableValue as error:
                _log.warning("value of %s.%s skipped: %s", hosted.comm.comm_id, name, error)
                self._emit(ValueSkipped(hosted.comm.comm_id, name, str(error)))
        woken: dict[BaseServerConnection, None] = {}
        changed = False
        with self.lock:
            for name, value in encoded.items():
                slot = hosted.slots.get(name)
                if slot is not None and slot.value == value:
                    continue
                hosted.slots[name] = Slot(value, self._revisions.next())
                changed = True
                self._mark(hosted, name, woken)
        for connection in woken:
            connection.wake()
        return changed

    def _commit_esm(self, hosted: HostedWidget, esm: Any) -> None:
        is_new = hosted.esm is not None and hosted.esm != str(esm)
        hosted.esm = str(esm)
        if is_new:
            woken: dict[BaseServerConnection, None] = {}
            with self.lock:
                hosted.esm_rev = self._revisions.next()
                self._mark(hosted, _ESM, woken)
            for connection in woken:
                connection.wake()

    def _mark(self, hosted: HostedWidget, name: str, woken: dict[BaseServerConnection, None]) -> None:
        origin = self._thread.origin
        for widget_id in hosted.ids:
            key = (widget_id, name)
            for connection in self._connections.values():
                if origin is None or connection is not origin[0] or key != origin[1]:
                    connection.mark(key)
                    woken[connection] = None

    def _refresh(self, hosted: HostedWidget, name: str) -> bool:
        """Read a property of a widget again and commit what differs. Returns whether it did."""
        if not hosted.can_read(name):
            return False
        try:
            value = hosted.read(name)
        except Exception as error:
            _log.warning("value of %s.%s skipped: its serializer raised", hosted.comm.comm_id, name, exc_info=error)
            self._emit(ValueSkipped(hosted.comm.comm_id, name, f"its serializer raised {type(error).__name__}"))
            return False
        return self._commit(hosted, {name: value})

    def _write(
        self, widget_id: str, name: str, value: Any, connection: BaseServerConnection | None = None
    ) -> BaseException | None:
        hosted = self._find(widget_id)
        refusal = hosted.policy.refusal(name, hosted.facts(name))
        if refusal is not None:
            code, reason = refusal
            raise WriteRefused(code, widget_id, name, reason)
        outer, token = self._thread.origin, self._applying.set(widget_id)
        if connection is not None:
            self._thread.origin = connection, (widget_id, name)
        try:
            failed = hosted.write(widget_id, name, value, self._widgets.get)
            # What is equal to Python (1, True, 1.0) notifies nobody and still reads otherwise on the wire.
            self._refresh(hosted, name)
            return failed
        finally:
            self._thread.origin = outer
            self._applying.reset(token)

    def _serialized(self, widget_id: str) -> _SerializedWidget:
        hosted = self._find(widget_id)
        if hosted.esm is None:
            raise WidgetNotHostable(
                f"Widget {widget_id} is a {type(hosted.widget).__qualname__}, "
                "which has no ES module (`_esm`) to render with"
            )
        with self.lock:
            if not hosted.is_serialized:
                hosted.is_serialized = True
                hosted.baseline_rev = self._revisions.last
            values = {name: msgspec.Raw(slot.value) for name, slot in hosted.slots.items()}
        css = values.pop(_CSS, msgspec.Raw(b"null"))
        return _SerializedWidget(widget_id, hosted.esm, css, values)

    def _emit(self, event: HostEvent) -> None:
        self._call(EVENT_NAMES[type(event)], event)

    def _call(self, name: str, *arguments: Any) -> None:
        for callback in list(self._callbacks.get(name, ())):
            try:
                callback(*arguments)
            except Exception:
                _log.exception("callback of host event %s failed", name)

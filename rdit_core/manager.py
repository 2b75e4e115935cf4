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

**Origin.** While a page's base-mode write is applied, changes of that very property on that very thread are not pushed
back to that page (see `base_server`, the trailing correction). Everything else is pushed to everyone.

**Incarnations.** Each opening of a widget id has its own `inst`, the revision at which it opened. A page names it with
each op, so that nothing that was meant for one widget reaches the next one under the same id.
"""

from __future__ import annotations

import itertools
import logging
import secrets
import threading
import uuid
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from types import MappingProxyType
from typing import Any, Final, Literal, TypedDict, overload

import msgspec

from .access import Verdict
from .base_server import BaseServerConnection, PendingUpdate
from .comm import WidgetComm, hook
from .encoding import EncodedValue, decode_value, encode
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
    FrontEndFailed,
    HostEvent,
    MessageDropped,
    ObserverFailed,
    ValueRounded,
    ValueSkipped,
    WidgetClosed,
    WidgetOpened,
    WriteWasRefused,
)
from .follow import Follower, take_shortcut
from .frames import require_widget_id
from .hosted import WIDGET_REFERENCE, HostedWidget, forget_instance, give_comm, is_hostable, is_ipywidget
from .layouts import Layouts, is_layout_state
from .limits import VALUE_DEPTH, Limits
from .messages import MAX_COUNT, Op, Output, Reject, Report, WidgetUpdate
from .policy import WritePolicy
from .server import CLOSE_CODES, Description, PendingBatch, ServerConnection
from .session import Session, Sessions
from .slots import Revisions, Slot
from .writes import Writes

_log = logging.getLogger("rdit")

_ESM: Final = "_esm"
_ESM_URL: Final = "esm_url"
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


_REPLY_KIND: Final = "anywidget-command-response"
"""What anywidget 0.11 answers `experimental.invoke` with: for the page that asked, and no other."""

AnyConnection = BaseServerConnection | ServerConnection


class WidgetManager:
    """Hosts widgets and keeps any number of pages in sync with them, over any transport.

    Args:
        ids: makes the id of each widget that comes without one; called on the thread that makes it. Default uuid4.
        epoch: names this manager's lifetime; random 128 bits by default. Pass it to make a run reproducible.
        limits: bounds of everything below.
        tokens: makes the ids and secrets of sessions, and nothing else may know them; random 128 bits by default.
        esm_url: turns a module's text into an address that pages can import it from. Without it, pages of `rdit/1` get
            the text.
    """

    def __init__(
        self,
        *,
        ids: Callable[[], str] | None = None,
        epoch: str | None = None,
        limits: Limits | None = None,
        tokens: Callable[[], str] | None = None,
        esm_url: Callable[[str], str] | None = None,
    ) -> None:
        self.epoch: Final = epoch or secrets.token_hex(16)
        self.limits: Final = limits or Limits()
        self.lock = threading.RLock()
        self._value_depth = self.limits.max_depth - VALUE_DEPTH
        self._ids = ids or (lambda: str(uuid.uuid4()))
        self._widgets: dict[str, Any] = {}
        self._hosted: dict[str, HostedWidget] = {}
        self._insts: dict[str, int] = {}
        self._tombstones: OrderedDict[tuple[str, int], int] = OrderedDict()
        """Widget id and inst to the revision at which they closed, in that order."""
        self._buried: Counter[str] = Counter()
        """How many of them each id has."""
        self._forgotten_rev = 0
        """Closings up to this revision may be missing from the tombstones."""
        self._by_comm: dict[WidgetComm, HostedWidget] = {}
        self._by_object: dict[int, HostedWidget] = {}
        self._layouts = Layouts(self)
        self._revisions = Revisions()
        self._connections: dict[int, AnyConnection] = {}
        self._connection_ids = itertools.count(1)
        self._pending: deque[PendingUpdate | PendingBatch] = deque()
        self._callbacks: dict[str, list[Callable[..., None]]] = {}
        self._writes = Writes(self)
        self._is_owing = False
        self._owed: dict[AnyConnection, None] = {}
        """Connections to wake when the batch that is being applied is done."""
        self._esm_url = esm_url
        self.sessions: Final = Sessions(self.limits, tokens or (lambda: secrets.token_hex(16)))
        """Page loads of `rdit/1`, with or without a connection."""
        self.widgets: Final[Mapping[str, Any]] = MappingProxyType(self._widgets)
        """Widget id to widget, live and read-only; a widget with two ids stands there twice."""

    # Widgets in and out.

    def register(self, widget_id: str, widget: Any, *, policy: WritePolicy | None = None) -> None:
        """Host a widget under an id.

        A widget that is hosted already gets the id as a further name: writes through any of them reach it, changes go
        out under all. An id that named another widget is taken over, and that widget let go as by `unregister`.

        Args:
            widget_id: 1 to 128 characters of `A-Z a-z 0-9 _ . : -`.
            widget: an anywidget (or any ipywidget), whether its comm came through the hook or not; or a plain
                `traitlets.HasTraits` with `_esm`.
            policy: what pages may write. Default: what the widget has already, at first every synced property that is
                not protected.

        Raises:
            InvalidWidgetId: for another id. WidgetNotHostable: for another object. LimitReached: too many widgets.
        """
        require_widget_id(widget_id)
        hosted = self._hosted_of(widget)
        if hosted is None and not is_hostable(widget):
            raise WidgetNotHostable(
                "Expected an anywidget.AnyWidget, or a HasTraits with _esm, "
                f"got {type(widget).__module__}.{type(widget).__qualname__}"
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
            self._opened(widget_id, hosted)
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
            inst = self._insts.pop(widget_id, None)
            if inst is not None:
                self._bury(widget_id, inst)
            connections = list(self._connections.values())
            for connection in connections:
                connection.forget(widget_id)
        for connection in connections:
            connection.wake()
        if not hosted.ids:
            self._release(hosted)
        self.emit(WidgetClosed(widget_id))

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
        failed = self._writes.set(self._find(widget_id), widget_id, property, value)
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
        self.refresh(hosted, property)

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

    @overload
    def connect(
        self, verdict: Verdict, *, wakeup: Callable[[], None] | None = None, output: bool = False
    ) -> BaseServerConnection: ...

    @overload
    def connect(
        self,
        verdict: Verdict,
        *,
        mode: Literal["v1"],
        wakeup: Callable[[], None] | None = None,
        output: bool = False,
        may_see: Callable[[str], bool] | None = None,
        authenticate: Callable[[Any], Verdict] | None = None,
        now_s: float = 0.0,
    ) -> ServerConnection: ...

    @overload
    def connect(
        self,
        verdict: Verdict,
        *,
        mode: Literal["base", "v1"],
        wakeup: Callable[[], None] | None = None,
        output: bool = False,
        now_s: float = 0.0,
    ) -> AnyConnection: ...

    def connect(
        self,
        verdict: Verdict,
        *,
        mode: Literal["base", "v1"] = "base",
        wakeup: Callable[[], None] | None = None,
        output: bool = False,
        may_see: Callable[[str], bool] | None = None,
        authenticate: Callable[[Any], Verdict] | None = None,
        now_s: float = 0.0,
    ) -> AnyConnection:
        """Open the server's end of a connection; see `base_server` and `server` for the adapter's duties.

        Args:
            verdict: what `access` said of the peer; `TRUSTED` for peers in this process.
            mode: which of the two protocols it speaks. Over WebSocket the offered subprotocol says it.
            wakeup: called from any thread, without locks, when there is something to send.
            output: whether the peer asked for execution output (`send_output`).
            may_see: `rdit/1`: which widgets this peer may see and write, by id. Called often, with the lock held.
            authenticate: `rdit/1`, for transports without headers: judges the `auth` of the peer's `hello`, when
                `verdict` does not allow it yet.
            now_s: the host's monotonic clock, in seconds.

        Raises:
            AccessRefused: the verdict does not allow it. LimitReached: the user has too many connections.
            ValueError: `may_see` or `authenticate` in base mode, which shows everything to whoever may come.
        """
        if mode == "base" and (may_see is not None or authenticate is not None):
            raise ValueError("Base mode has neither may_see nor authenticate; expected mode='v1' with them")
        if not verdict.allowed and authenticate is None:
            raise AccessRefused(verdict.code or "unauthorized")
        with self.lock:
            if sum(one.user == verdict.user for one in self._connections.values()) >= self.limits.max_connections:
                raise LimitReached(f"More than {self.limits.max_connections} connections of one user")
            connection_id = next(self._connection_ids)
            connection: AnyConnection
            if mode == "v1":
                connection = ServerConnection(
                    self,
                    self.limits,
                    self.sessions,
                    verdict,
                    connection_id=connection_id,
                    wakeup=wakeup,
                    output=output,
                    may_see=may_see,
                    authenticate=authenticate,
                    now_s=now_s,
                )
                self._connections[connection_id] = connection
                return connection
            connection = BaseServerConnection(
                self, self.limits, connection_id=connection_id, user=verdict.user, wakeup=wakeup, output=output
            )
            self._connections[connection_id] = connection
            for widget_id, hosted in self._hosted.items():
                if hosted.esm_rev > hosted.baseline_rev:
                    connection.mark((widget_id, _ESM))
                for name, slot in hosted.slots.items():
                    if slot.rev > hosted.baseline_rev:
                        connection.mark((widget_id, name))
        self.emit(Connected(connection_id, verdict.user))
        return connection

    def close_connections(self, now_s: float, reason: str = "server_shutdown") -> None:
        """Close every connection of `rdit/1` with the code of a reason (`server.CLOSE_CODES`); sessions stay."""
        for connection in list(self._connections.values()):
            if isinstance(connection, ServerConnection):
                connection.close(CLOSE_CODES[reason], reason, now_s)

    def next_deadline(self) -> float | None:
        """When `handle_timeout` has something to do: a session expires. In seconds, of the clock of `now_s`."""
        return self.sessions.next_deadline()

    def handle_timeout(self, now_s: float) -> None:
        """Drop the sessions whose time is over. A host that never calls it drops them when the next page comes."""
        with self.lock:
            self.sessions.expire(now_s)

    def apply_pending(self) -> int:
        """Run the updates and batches that pages sent, in order of arrival, on the caller's thread. Returns how many.

        An exception of user code ends its own update only. A `KeyboardInterrupt` comes through, with the interrupted
        update answered and the rest still pending.
        """
        if self._writes.is_applying:
            return 0  # An observer that pumps the host's loop must not start the next update inside this one.
        count = 0
        while self._pending:
            self._pending.popleft().apply()
            count += 1
        return count

    @property
    def applying(self) -> str | None:
        """The id of the widget whose update is being applied in this context (tasks that it starts included)."""
        return self._writes.widget_id

    @property
    def asking(self) -> Session | None:
        """The session whose write or message is being handled in this context (tasks that it starts included)."""
        return self._writes.session

    def send_to(self, session: Session, widget: Any, content: Any, buffers: Sequence[Any] = ()) -> None:
        """Send a custom message to one page only, such as the one that is `asking`.

        Args:
            session: whose page; one that does not show the widget gets nothing.
            widget: the widget or one of its ids.
            content: JSON values, bytes-like objects at any depth. Not kept.
            buffers: bytes-like objects; copied.

        Raises:
            UnknownWidget: it is not hosted. UnserializableValue: the content has no JSON form.
        """
        hosted = self._find(widget) if isinstance(widget, str) else self._hosted_of(widget)
        if hosted is None:
            raise UnknownWidget(repr(widget))
        self._send(hosted, content, buffers, [session])

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
        write_refused observer_failed handler_failed front_end_failed value_rounded unserializable_value
        message_dropped`: with the record from `events`. Called on the thread on which it happened; an exception in a
        callback is logged.

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
            hosted.follower = widget if isinstance(widget, Follower) else None
            self._by_object[id(target)] = hosted
        if is_ipywidget(target):
            take_shortcut(target, comm, self.comm_changed)
            if hosted.layout_id is None:
                self.refresh(hosted, _LAYOUT)  # It may have been made out of the hook's sight.
        self._opened(comm.comm_id, hosted)

    def comm_updated(self, comm: WidgetComm, state: dict[str, Any]) -> None:
        """A widget changed."""
        if comm in self._layouts:
            for parent in self._layouts.updated(comm, state):
                self._commit(parent, {_LAYOUT: WIDGET_REFERENCE + comm.comm_id})
            return
        hosted = self._by_comm.get(comm)
        if hosted is None:
            return
        hosted.writers.add(threading.get_ident())
        self._commit(hosted, self._with_group(hosted, state))
        if len(hosted.writers) > 1:
            for name in state:
                self._settle(hosted, name)

    def comm_changed(self, comm: WidgetComm, name: str, value: Any, is_plain: bool) -> None:
        """One property of a widget changed: `comm_updated` for what came past the comm (see `follow`).

        Args:
            comm: the widget's.
            name: a property that is neither `_esm` nor `layout`.
            value: in serialized form.
            is_plain: whether that is the trait's own object.
        """
        hosted = self._by_comm.get(comm)
        if hosted is None:
            return
        writers = hosted.writers
        writers.add(threading.get_ident())
        thread = self._writes.thread
        if thread.group is not None:
            self._commit(hosted, self._with_group(hosted, {name: value}))
        else:
            self._commit_one(hosted, name, value)
        if is_plain and thread.is_applying:
            self._writes.committed(hosted, name, value)
        if len(writers) > 1:
            self._settle(hosted, name)

    def _settle(self, hosted: HostedWidget, name: str) -> None:
        """Where several threads write: look until what is committed is what stands."""
        for _ in range(_REREADS):
            if not self.refresh(hosted, name):
                break

    def _with_group(self, hosted: HostedWidget, state: dict[str, Any]) -> dict[str, Any]:
        """The state, with what a page set in the same group: it shows together or not at all."""
        names = self._writes.take_group(hosted)
        if not names:
            return state
        return {**{name: hosted.read(name) for name in names if hosted.can_read(name)}, **state}

    def comm_message(self, comm: WidgetComm, content: Any, buffers: Sequence[Any]) -> None:
        """A widget sent a custom message: to every page that shows it, or to the page whose `invoke` it answers. Pages
        in base mode get none, which is said where there is one to miss it.
        """
        hosted = self._by_comm.get(comm)
        if hosted is None:
            return
        if any(isinstance(one, BaseServerConnection) for one in list(self._connections.values())):
            _log.warning("widget %s sent a custom message; base mode carries none", comm.comm_id)
            self.emit(MessageDropped(comm.comm_id))
        asking = self._writes.session
        is_reply = asking is not None and isinstance(content, dict) and content.get("kind") == _REPLY_KIND
        try:
            self._send(hosted, content, buffers, [asking] if is_reply and asking is not None else None)
        except UnserializableValue as error:
            _log.warning("custom message of %s skipped: %s", comm.comm_id, error)
            self.emit(ValueSkipped(comm.comm_id, "", str(error)))

    def comm_closed(self, comm: WidgetComm) -> None:
        """A widget closed its comm: let go of all its ids."""
        if comm in self._layouts:
            self._layouts.closed(comm)
            return
        hosted = self._by_comm.pop(comm, None)
        for widget_id in list(hosted.ids) if hosted is not None else ():
            self.unregister(widget_id)

    # BaseCore and WidgetCore: what connections ask.

    def enqueue(self, update: PendingUpdate | PendingBatch) -> None:
        """Keep an update for `apply_pending`."""
        self._pending.append(update)
        self._call("pending")

    def write(self, connection: BaseServerConnection, message: WidgetUpdate) -> BaseException | None:
        """Run one page's update. Returns an interrupt that must go on once the update is answered."""
        widget_id, name = message.widget_id, message.property
        try:
            failed = self._writes.set(self._find(widget_id), widget_id, name, message.value, origin=connection)
        except WriteRefused as error:
            self.emit(WriteWasRefused(connection.connection_id, widget_id, name, error.code))
            raise
        except UnknownWidget:
            self.emit(WriteWasRefused(connection.connection_id, widget_id, name, "unknown_widget"))
            raise
        if failed is not None:
            _log.error("observer of %s.%s failed", widget_id, name, exc_info=failed)
            self.emit(ObserverFailed(widget_id, name, failed))
        return None if isinstance(failed, Exception) else failed

    def apply_batch(self, session: Session, seq: int, ops: Sequence[Op]) -> tuple[list[Reject], BaseException | None]:
        """Run one batch. Returns the verdicts that are not plain success, and what interrupted an observer."""
        with self.lock:
            self._is_owing = True
        return self._writes.run_batch(session, seq, ops)

    def pay_owed(self) -> None:
        """Wake the connections that have something to send since a batch is being applied, and hold none back for the
        rest of that batch.
        """
        with self.lock:
            self._is_owing = False
            if not self._owed:
                return
            owed, self._owed = self._owed, {}
        for connection in owed:
            connection.wake()

    @property
    def revision(self) -> int:
        """The last one that was given."""
        return self._revisions.last

    def next_revision(self) -> int:
        """One that no state has. With the lock held."""
        return self._revisions.next()

    def instances(self) -> dict[str, int]:
        """Widget id to inst, of all that are open. With the lock held; not to be changed."""
        return self._insts

    def describe(self, widget_id: str) -> Description:
        """An open widget. With the lock held."""
        hosted = self._hosted[widget_id]
        esm = hosted.esm if hosted.esm_url is None else None
        return Description(self._insts[widget_id], hosted.kind, esm, hosted.esm_url, hosted.slots, hosted.writable())

    def slot(self, widget_id: str, property: str) -> Slot:
        """A slot of an open widget that was marked. With the lock held."""
        hosted = self._hosted[widget_id]
        slot = hosted.slots.get(property)
        # New code is no slot of its own: it is large, and every page imports it once.
        return slot or Slot(encode(hosted.esm if property == _ESM else hosted.esm_url), hosted.esm_rev)

    def slot_value(self, widget_id: str, property: str) -> bytes | None:
        """The present value of a slot as base mode has it. With the lock held."""
        hosted = self._hosted.get(widget_id)
        if hosted is None:
            return None  # A page may write to an id that nothing has, and is corrected as any other.
        if property == _ESM:
            return msgspec.json.encode(hosted.esm)
        slot = hosted.slots.get(property)
        return slot.value.base if slot is not None else None

    def closed_since(self, rev: int) -> list[tuple[str, int]] | None:
        """Widget id and inst of what closed after a revision; None when that is not remembered. With the lock held."""
        if rev < self._forgotten_rev:
            return None
        closed: list[tuple[str, int]] = []
        for closed_one, closed_rev in reversed(self._tombstones.items()):
            if closed_rev <= rev:
                break
            closed.append(closed_one)
        return closed

    def changed_since(self, widget_id: str, rev: int) -> list[str]:
        """Properties of an open widget that are newer than a revision. With the lock held."""
        hosted = self._hosted[widget_id]
        names = [name for name, slot in hosted.slots.items() if slot.rev > rev]
        return [*names, self._esm_name] if hosted.esm_rev > rev else names

    def joined(self, connection: ServerConnection) -> None:
        """A peer of `rdit/1` said hello and is let in."""
        self.emit(Connected(connection.connection_id, connection.user))

    def disconnected(self, connection: AnyConnection) -> None:
        """A connection ended."""
        with self.lock:
            self._connections.pop(connection.connection_id, None)
        if not isinstance(connection, ServerConnection) or connection.has_joined:
            self.emit(Disconnected(connection.connection_id, connection.user))

    def reported(self, connection: ServerConnection, report: Report) -> None:
        """A widget's JavaScript failed."""
        _log.error("widget %s failed in its page (%s): %s", report.widget_id, report.stage, report.message[:1000])
        self.emit(
            FrontEndFailed(connection.connection_id, report.widget_id, report.stage, report.message, report.stack)
        )

    # WriteCore: what writes ask.

    def hosted(self, widget_id: str) -> HostedWidget | None:
        """The widget under an id, if it is known."""
        hosted = self._hosted.get(widget_id)
        return hosted if hosted is not None and hosted.widget is not None else None

    def widget(self, widget_id: str) -> Any:
        """The object under an id, or None."""
        return self._widgets.get(widget_id)

    def inst(self, widget_id: str) -> int | None:
        """The present incarnation of an id."""
        return self._insts.get(widget_id)

    def was_closed(self, widget_id: str) -> bool:
        """Whether an id is remembered as closed."""
        return widget_id in self._buried

    def rev(self, hosted: HostedWidget, property: str) -> int:
        """The revision of a slot; 0 when there is none."""
        slot = hosted.slots.get(property)
        return slot.rev if slot is not None else 0

    def refresh(self, hosted: HostedWidget, property: str) -> bool:
        """Read a property of a widget again and commit what differs. Returns whether it did."""
        if not hosted.can_read(property):
            return False
        try:
            value = hosted.read(property)
        except Exception as error:
            _log.warning("value of %s.%s skipped: its serializer raised", hosted.comm.comm_id, property, exc_info=error)
            self.emit(ValueSkipped(hosted.comm.comm_id, property, f"its serializer raised {type(error).__name__}"))
            return False
        return self._commit(hosted, {property: value})

    def emit(self, event: HostEvent) -> None:
        """Tell the host."""
        self._call(EVENT_NAMES[type(event)], event)

    # Inside.

    def _find(self, widget_id: str) -> HostedWidget:
        hosted = self._hosted.get(widget_id)
        if hosted is None or hosted.widget is None:
            raise UnknownWidget(widget_id)
        return hosted

    def _hosted_of(self, widget: Any) -> HostedWidget | None:
        hosted = self._by_object.get(id(widget))
        return hosted if hosted is not None and hosted.widget is widget else None

    def _check_room(self) -> None:
        if len(self._hosted) >= self.limits.max_widgets:
            raise LimitReached(f"More than {self.limits.max_widgets} widgets; close some or raise Limits.max_widgets")

    def _attach(self, widget_id: str, widget: Any) -> HostedWidget:
        """Give a widget that was made without the hook a comm of ours; the same for its Layout."""
        self._check_room()
        if is_ipywidget(widget):
            self._layouts.take(widget)
            give_comm(self, widget, widget_id)
            return self._hosted[widget_id]
        Follower(self, widget, widget_id, self.comm_changed)
        return self._hosted[widget_id]

    def _opened(self, widget_id: str, hosted: HostedWidget) -> None:
        """An id names a widget from here on: tell pages and host."""
        with self.lock:
            self._widgets[widget_id] = hosted.widget
            inst = self._insts[widget_id] = self._revisions.next()
            connections = [one for one in self._connections.values() if isinstance(one, ServerConnection)]
            for connection in connections:
                connection.mark_open(widget_id, inst)
        for connection in connections:
            connection.wake()
        self.emit(WidgetOpened(widget_id))

    def _bury(self, widget_id: str, inst: int) -> None:
        """Remember that an id was closed. With the lock held."""
        self._tombstones[widget_id, inst] = self._revisions.next()
        self._buried[widget_id] += 1
        if len(self._tombstones) > self.limits.max_tombstones:
            (oldest, _), self._forgotten_rev = self._tombstones.popitem(last=False)
            self._buried[oldest] -= 1
            if not self._buried[oldest]:
                del self._buried[oldest]

    def _release(self, hosted: HostedWidget) -> None:
        self._layouts.drop(hosted)
        hosted.release()
        widget, hosted.widget = hosted.widget, None
        self._by_object.pop(id(widget), None)
        comm = hosted.comm
        self._by_comm.pop(comm, None)
        comm.close()
        if is_ipywidget(widget) and widget.comm is comm:
            forget_instance(comm)
            widget.comm = None

    def _commit(self, hosted: HostedWidget, state: Mapping[str, Any]) -> bool:
        """Store serialized values; push what differs. Returns whether anything did."""
        encoded: dict[str, EncodedValue] = {}
        for name, value in state.items():
            if name == _ESM:
                self._commit_esm(hosted, value)
                continue
            try:
                shown = self._layouts.fold(hosted, value) if name == _LAYOUT else value
                encoded[name] = encode(shown, max_depth=self._value_depth)
            except UnserializableValue as error:
                self._skipped(hosted, name, error)
            else:
                if type(shown) is int and abs(shown) > MAX_COUNT:
                    self._rounded(hosted, name)
        woken: dict[AnyConnection, None] = {}
        changed = False
        with self.lock:
            for name, value in encoded.items():
                slot = hosted.slots.get(name)
                if slot is not None and slot.value == value:
                    continue
                hosted.slots[name] = Slot(value, self._revisions.next())
                changed = True
                self._mark(hosted, name, woken)
        self._wake(woken)
        return changed

    def _commit_one(self, hosted: HostedWidget, name: str, value: Any) -> None:
        """`_commit` of one property, for the many that come one by one."""
        try:
            encoded = encode(value, max_depth=self._value_depth)
        except UnserializableValue as error:
            self._skipped(hosted, name, error)
            return
        woken: dict[AnyConnection, None] = {}
        with self.lock:
            slot = hosted.slots.get(name)
            if slot is not None and slot.value == encoded:
                return
            hosted.slots[name] = Slot(encoded, self._revisions.next())
            if self._connections:
                self._mark(hosted, name, woken)
        self._wake(woken)
        if type(value) is int and abs(value) > MAX_COUNT:
            self._rounded(hosted, name)

    def _rounded(self, hosted: HostedWidget, name: str) -> None:
        if name not in hosted.rounded:
            hosted.rounded.add(name)
            _log.warning("%s.%s is beyond 2**53 - 1: pages round it", hosted.comm.comm_id, name)
            self.emit(ValueRounded(hosted.comm.comm_id, name))

    def _skipped(self, hosted: HostedWidget, name: str, error: UnserializableValue) -> None:
        _log.warning("value of %s.%s skipped: %s", hosted.comm.comm_id, name, error)
        self.emit(ValueSkipped(hosted.comm.comm_id, name, str(error)))

    def _send(
        self, hosted: HostedWidget, content: Any, buffers: Sequence[Any], sessions: Sequence[Session] | None
    ) -> None:
        """Keep a custom message for every session that shows the widget, or for these."""
        encoded = encode(content, max_depth=self._value_depth)
        copies = tuple(bytes(data) if not isinstance(data, memoryview) else data.tobytes() for data in buffers)
        woken: dict[AnyConnection, None] = {}
        with self.lock:
            for session in self.sessions if sessions is None else sessions:
                for widget_id in hosted.ids:
                    inst = self._insts.get(widget_id)
                    if inst is not None and session.shows(widget_id):
                        session.add_message(widget_id, inst, encoded, copies)
                if session.connection is not None:
                    woken[session.connection] = None
        self._wake(woken)

    def _commit_esm(self, hosted: HostedWidget, esm: Any) -> None:
        is_new = hosted.esm is not None and hosted.esm != str(esm)
        hosted.esm = str(esm)
        if self._esm_url is not None:
            hosted.esm_url = self._esm_url(hosted.esm)
        if is_new:
            woken: dict[AnyConnection, None] = {}
            with self.lock:
                hosted.esm_rev = self._revisions.next()
                self._mark(hosted, _ESM, woken)
            self._wake(woken)

    def _wake(self, connections: Mapping[AnyConnection, None]) -> None:
        """Have connections send what they were marked with; while a batch is applied, together with its ack."""
        if not connections:
            return
        if self._writes.is_applying:
            with self.lock:
                if self._is_owing:
                    self._owed.update(connections)
                    return
        for connection in connections:
            connection.wake()

    def _mark(self, hosted: HostedWidget, name: str, woken: dict[AnyConnection, None]) -> None:
        """A slot changed. With the lock held."""
        origin = self._writes.origin
        for widget_id in hosted.ids:
            key = (widget_id, name)
            for connection in self._connections.values():
                if origin is not None and connection is origin[0] and key == origin[1]:
                    continue
                if name == _ESM and isinstance(connection, ServerConnection):
                    connection.mark((widget_id, self._esm_name))
                else:
                    connection.mark(key)
                woken[connection] = None

    @property
    def _esm_name(self) -> str:
        """Under which name pages of `rdit/1` hear of new code."""
        return _ESM if self._esm_url is None else _ESM_URL

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
            values = {name: msgspec.Raw(slot.value.base) for name, slot in hosted.slots.items()}
        css = values.pop(_CSS, msgspec.Raw(b"null"))
        return _SerializedWidget(widget_id, hosted.esm, css, values)

    def _call(self, name: str, *arguments: Any) -> None:
        callbacks = self._callbacks.get(name)
        for callback in list(callbacks) if callbacks else ():
            try:
                callback(*arguments)
            except Exception:
                _log.exception("callback of host event %s failed", name)

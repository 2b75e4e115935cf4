"""WidgetManager: widget id to widget; opens, finds, writes, serializes, closes, and connects pages.

What a host uses, and nothing besides: the widgets are in the `store`, they come and go by their `comms`, and pages by
their `connections`.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal, TypedDict, overload

import msgspec

from .access import Verdict
from .base_server import BaseServerConnection
from .code_files import CodeFile, code_files, reload
from .comm import hook
from .comms import Comms
from .connections import Connections
from .encoding import decode_value
from .errors import UnknownWidget, WidgetNotHostable
from .frames import require_widget_id
from .hosted import HostedWidget, is_hostable
from .layouts import Layouts
from .limits import Limits
from .policy import WritePolicy
from .server import ServerConnection
from .session import Session, Sessions
from .store import AnyConnection, Store
from .subscriptions import Subscriptions

_CSS: Final = "_css"


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


class WidgetManager:
    """Hosts widgets and keeps any number of pages in sync with them, over any transport.

    Args:
        ids: makes the id of each widget that comes without one; called on the thread that makes it. Default uuid4.
        epoch: names this manager's lifetime; random 128 bits by default. Pass it to make a run reproducible.
        limits: bounds of everything below.
        tokens: makes the ids and secrets of sessions, and nothing else may know them; random 128 bits by default.
        esm_url: turns a module's text into an address that pages can import it from. Without it, pages of `rdit/1` get
            the text.
        policy: what pages may write of widgets that were registered without a policy of their own.
    """

    def __init__(
        self,
        *,
        ids: Callable[[], str] | None = None,
        epoch: str | None = None,
        limits: Limits | None = None,
        tokens: Callable[[], str] | None = None,
        esm_url: Callable[[str], str] | None = None,
        policy: WritePolicy | None = None,
    ) -> None:
        self.epoch: Final = epoch or secrets.token_hex(16)
        self.limits: Final = limits or Limits()
        self.sessions: Final = Sessions(self.limits, tokens or (lambda: secrets.token_hex(16)))
        """Page loads of `rdit/1`, with or without a connection."""
        self._host = Subscriptions()
        layouts = Layouts()
        self.store: Final = Store(self.limits, self.sessions, self._host, layouts, esm_url=esm_url)
        """What the parts of the core share; nothing of it is for hosts."""
        self._comms = Comms(self.store, layouts, ids or (lambda: str(uuid.uuid4())), policy or WritePolicy())
        self._connections = Connections(self.store, self._host, self.limits, self.epoch)
        self._writes = self.store.writes
        self.widgets: Final[Mapping[str, Any]] = MappingProxyType(self.store.widgets)
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
            policy: what pages may write. Default: what the widget has already, at first the manager's.

        Raises:
            InvalidWidgetId: for another id. WidgetNotHostable: for another object. LimitReached: too many widgets.
        """
        require_widget_id(widget_id)
        hosted = self._comms.of(widget)
        if hosted is None and not is_hostable(widget):
            raise WidgetNotHostable(
                "Expected an anywidget.AnyWidget, or a HasTraits with _esm, "
                f"got {type(widget).__module__}.{type(widget).__qualname__}"
            )
        present = self.store.all_hosted.get(widget_id)
        if present is not None and present is not hosted:
            self.unregister(widget_id)
            present = None
        if hosted is None:
            hosted = self._comms.attach(widget_id, widget)
        elif present is None:
            self.store.check_room()
            self.store.keep(widget_id, hosted)
            self.store.open(widget_id, hosted)
        self._comms.ask_for(hosted)
        if policy is not None:
            hosted.policy = policy

    def add(self, widget: Any, *, policy: WritePolicy | None = None) -> str:
        """Host a widget under the id it has, or a fresh one, and return that id. Errors as in `register`."""
        hosted = self._comms.of(widget)
        widget_id = hosted.ids[0] if hosted is not None else self._comms.next_id()
        self.register(widget_id, widget, policy=policy)
        return widget_id

    def unregister(self, widget_id: str) -> None:
        """Let go of an id; with its last id the widget is released wholly. An unknown id is no error."""
        self._comms.let_go(widget_id)

    def clear(self) -> None:
        """Release every widget (a namespace reset). Connections stay open."""
        self._comms.clear()

    def __contains__(self, widget_id: object) -> bool:
        return widget_id in self.store.widgets

    def __getitem__(self, widget_id: str) -> Any:
        return self.store.find(widget_id).widget

    def __iter__(self) -> Iterator[str]:
        return iter(list(self.store.widgets))

    def __len__(self) -> int:
        return len(self.store.widgets)

    def id_of(self, widget: Any) -> str | None:
        """The first id of a hosted widget, or None."""
        hosted = self._comms.of(widget)
        return hosted.ids[0] if hosted is not None and hosted.ids else None

    def is_displayable(self, widget_id: str) -> bool:
        """Whether a widget has an ES module to render with. Classic Jupyter widgets have none."""
        hosted = self.store.all_hosted.get(widget_id)
        return hosted is not None and hosted.esm is not None

    def is_part(self, widget_id: str) -> bool:
        """Whether a trait of another widget refers to this one, which is then shown by that."""
        hosted = self.store.all_hosted.get(widget_id)
        return any(hosted in parts for _, one in self.store.named() for parts in one.children.values())

    # Code in files.

    def code_files(self) -> dict[Path, CodeFile]:
        """The files that hosted widgets have their module or style from, by absolute path. Any thread; runs no user
        code. Who watches them calls `reload_code`.
        """
        return code_files(self.store.named())

    def reload_code(self, path: Path, text: str) -> list[str]:
        """Give every widget whose module or style is in a file the file's new text: pages take it over in place.

        Args:
            path: as in `code_files`.
            text: what is in the file now.

        Returns:
            The ids of those widgets.

        Raises:
            Exception: what an observer of `_esm` or `_css` raised. All widgets of other classes have the text then.
        """
        return reload(self.store.named(), path, text, self.store.commit)

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
        failed = self._writes.set(self.store.find(widget_id), widget_id, property, value)
        if failed is not None:
            raise failed

    def touch(self, widget: Any, property: str) -> None:
        """Look at a property again after an in-place edit, which no trait can notice, and push it if it differs.

        Args:
            widget: the widget or one of its ids.
            property: a synced trait.
        """
        self.store.refresh(self._known(widget), property)

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
        return self._connections.open(
            verdict,
            mode=mode,
            wakeup=wakeup,
            output=output,
            may_see=may_see,
            authenticate=authenticate,
            now_s=now_s,
        )

    def close_connections(self, now_s: float, reason: str = "server_shutdown") -> None:
        """Close every connection of `rdit/1` with the code of a reason (`server.CLOSE_CODES`); sessions stay."""
        self._connections.close(now_s, reason)

    def count_open(self) -> int:
        """How many connections of `rdit/1` have not ended yet. Any thread.

        For a host that has closed them and lets each of them say so before it ends their sockets.
        """
        return self._connections.count_open()

    def next_deadline(self) -> float | None:
        """When `handle_timeout` has something to do: a session expires. In seconds, of the clock of `now_s`."""
        return self.sessions.next_deadline()

    def handle_timeout(self, now_s: float) -> None:
        """Drop the sessions whose time is over. A host that never calls it drops them when the next page comes."""
        with self.store.lock:
            self.sessions.expire(now_s)

    def apply_pending(self) -> int:
        """Run the updates and batches that pages sent, in order of arrival, on the caller's thread. Returns how many.

        An exception of user code ends its own update only. A `KeyboardInterrupt` comes through, with the interrupted
        update answered and the rest still pending.
        """
        return self._connections.apply_pending()

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
        self.store.send(self._known(widget), content, buffers, [session])

    def send(self, widget: Any, content: Any, buffers: Sequence[Any] = ()) -> None:
        """Send a custom message to every page that shows a widget: for objects that have no `send` of their own.

        Args:
            widget: the widget or one of its ids.
            content: JSON values, bytes-like objects at any depth. Not kept.
            buffers: bytes-like objects; copied.

        Raises:
            UnknownWidget: it is not hosted. UnserializableValue: the content has no JSON form.
        """
        self.store.send(self._known(widget), content, buffers, None)

    def send_output(self, n: int, event: bytes) -> None:
        """Queue an execution event for every connection that asked for output. Any thread.

        Args:
            n: the event's id in the host's own stream, by which a page tells what it has seen.
            event: JSON bytes.
        """
        self._connections.send_output(n, event)

    def on(self, event: str, callback: Callable[..., None]) -> Callable[[], None]:
        """Call back on a host event; returns what ends it.

        `pending` (no argument): something waits for `apply_pending`. `connected disconnected opened closed
        write_refused storm recursion observer_failed handler_failed front_end_failed value_rounded unserializable_value
        message_dropped changes_swallowed link_unsettled output_dropped`: with the record from `events`. Called on the
        thread on which it happened; an exception in a callback is logged.

        Raises:
            ValueError: no such event.
        """
        return self._host.on(event, callback)

    # The comm hook.

    def install(self, is_meant: Callable[[], bool] | None = None) -> None:
        """Host every widget of this process that is made from now on. Idempotent; `uninstall` ends it.

        Args:
            is_meant: asked on the thread that makes a widget whether this manager is to host it: for several managers
                in one process, of which each has threads of its own. Default: every widget.
        """
        hook.install(self._comms, is_meant)

    def uninstall(self) -> None:
        """End `install`. Widgets that are hosted stay."""
        hook.uninstall(self._comms)

    def capture(self) -> AbstractContextManager[None]:
        """Host every widget made in this context (thread or task) while the `with` block runs."""
        return hook.capture(self._comms)

    # What tests and harnesses ask.

    @property
    def revision(self) -> int:
        """The last one that was given."""
        return self.store.revisions.last

    def inst(self, widget_id: str) -> int | None:
        """The present incarnation of an id."""
        return self.store.inst(widget_id)

    # Inside.

    def _known(self, widget: Any) -> HostedWidget:
        hosted = self.store.find(widget) if isinstance(widget, str) else self._comms.of(widget)
        if hosted is None:
            raise UnknownWidget(repr(widget))
        return hosted

    def _serialized(self, widget_id: str) -> _SerializedWidget:
        hosted = self.store.find(widget_id)
        if hosted.esm is None:
            raise WidgetNotHostable(
                f"Widget {widget_id} is a {type(hosted.widget).__qualname__}, "
                "which has no ES module (`_esm`) to render with"
            )
        with self.store.lock:
            if not hosted.is_serialized:
                hosted.is_serialized = True
                # What is on its way to a page by then may be older than what it is about to read.
                if not any(isinstance(one, BaseServerConnection) for one in self.store.connections.values()):
                    hosted.baseline_rev = self.store.revisions.last
            values = {name: msgspec.Raw(slot.value.base) for name, slot in hosted.slots.items()}
        css = values.pop(_CSS, msgspec.Raw(b"null"))
        return _SerializedWidget(widget_id, hosted.esm, css, values)

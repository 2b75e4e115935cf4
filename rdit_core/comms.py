"""The comms of one manager's widgets: how widgets come in, speak, and go.

A widget makes itself known through its comm, whether the hook handed that out (`install`, `capture`) or `attach` gave
it one. From then on what it says arrives here and goes into the store.

**Ownership.** The manager owns its widgets. ipywidgets keeps every widget alive in a process-wide registry; `let_go`
takes it out there too, closes its comm, and keeps nothing. The widget itself stays a usable Python object.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any, Final

from .base_server import BaseServerConnection
from .comm import WidgetComm
from .errors import InvalidWidgetId, UnserializableValue
from .events import MessageDropped, ValueSkipped, WidgetClosed
from .follow import Follower, take_shortcut
from .frames import require_widget_id
from .hosted import WIDGET_REFERENCE, HostedWidget, forget_instance, give_comm, is_ipywidget
from .layouts import Layouts, is_layout_state
from .store import LAYOUT, Store

_log = logging.getLogger("rdit")

_REPLY_KIND: Final = "anywidget-command-response"
"""What anywidget 0.11 answers `experimental.invoke` with: for the page that asked, and no other."""


class Comms:
    """Who the comms of a manager's widgets belong to (`CommOwner`).

    Args:
        store: where it all goes.
        layouts: the same that the store has.
        ids: makes the id of each widget that comes without one.
    """

    def __init__(self, store: Store, layouts: Layouts, ids: Callable[[], str]) -> None:
        self._store = store
        self._layouts = layouts
        self.next_id: Final = ids
        self._writes = store.writes
        self._by_comm: dict[WidgetComm, HostedWidget] = {}
        self._by_object: dict[int, HostedWidget] = {}

    def of(self, widget: Any) -> HostedWidget | None:
        """What is kept of an object, if it is hosted."""
        hosted = self._by_object.get(id(widget))
        return hosted if hosted is not None and hosted.widget is widget else None

    def attach(self, widget_id: str, widget: Any) -> HostedWidget:
        """Give a widget that was made without the hook a comm of ours; the same for its Layout."""
        self._store.check_room()
        if is_ipywidget(widget):
            self._layouts.take(widget, self)
            give_comm(self, widget, widget_id)
            return self._store.all_hosted[widget_id]
        Follower(self, widget, widget_id, self.comm_changed)
        return self._store.all_hosted[widget_id]

    def let_go(self, widget_id: str) -> None:
        """Take an id away; with its last one the widget is released wholly. An unknown id is no error."""
        hosted = self._store.close(widget_id)
        if hosted is None:
            return
        if not hosted.ids:
            self._release(hosted)
        self._store.emit(WidgetClosed(widget_id))

    def clear(self) -> None:
        """Let go of everything."""
        for widget_id in list(self._store.all_hosted):
            self.let_go(widget_id)
        self._layouts.clear()

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

    # CommOwner: what widgets do.

    def comm_opened(self, comm: WidgetComm, state: dict[str, Any]) -> None:
        """A widget's comm opens: give it an id and slots. It is listed once it says who it is."""
        if is_layout_state(state):
            self._layouts.opened(comm, state)
            return
        self._store.check_room()
        comm.comm_id = require_widget_id(comm.comm_id or self.next_id())
        if comm.comm_id in self._store.all_hosted:
            raise InvalidWidgetId(f"Widget id {comm.comm_id} is taken; `ids` must give each one once")
        hosted = HostedWidget(comm)
        self._store.commit(hosted, state)  # While it has no id, since no page waits for its first state.
        with self._store.lock:
            hosted.baseline_rev = self._store.revisions.last
            self._by_comm[comm] = hosted
            self._store.keep(comm.comm_id, hosted)

    def comm_adopted(self, comm: WidgetComm, widget: Any) -> None:
        """The widget behind a comm is known: list it."""
        if comm in self._layouts:
            return
        # A descriptor's comm belongs to a helper that knows the object weakly.
        target = widget if is_ipywidget(widget) else getattr(widget, "_obj", lambda: widget)()
        with self._store.lock:
            hosted = self._by_comm[comm]
            hosted.widget = target
            hosted.follower = widget if isinstance(widget, Follower) else None
            self._by_object[id(target)] = hosted
        if is_ipywidget(target):
            take_shortcut(target, comm, self.comm_changed)
            if hosted.layout_id is None:
                self._store.refresh(hosted, LAYOUT)  # It may have been made out of the hook's sight.
        self._store.open(comm.comm_id, hosted)

    def comm_updated(self, comm: WidgetComm, state: dict[str, Any]) -> None:
        """A widget changed."""
        if comm in self._layouts:
            for parent in self._layouts.updated(comm, state):
                self._store.commit(parent, {LAYOUT: WIDGET_REFERENCE + comm.comm_id})
            return
        hosted = self._by_comm.get(comm)
        if hosted is None:
            return
        hosted.writers.add(threading.get_ident())
        self._store.commit(hosted, self._with_group(hosted, state))
        if len(hosted.writers) > 1:
            for name in state:
                self._store.settle(hosted, name)

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
            self._store.commit(hosted, self._with_group(hosted, {name: value}))
        else:
            self._store.commit_one(hosted, name, value)
        if is_plain and thread.is_applying:
            self._writes.committed(hosted, name, value)
        if len(writers) > 1:
            self._store.settle(hosted, name)

    def comm_message(self, comm: WidgetComm, content: Any, buffers: Sequence[Any]) -> None:
        """A widget sent a custom message: to every page that shows it, or to the page whose `invoke` it answers. Pages
        in base mode get none, which is said where there is one to miss it.
        """
        hosted = self._by_comm.get(comm)
        if hosted is None:
            return
        if any(isinstance(one, BaseServerConnection) for one in list(self._store.connections.values())):
            _log.warning("widget %s sent a custom message; base mode carries none", comm.comm_id)
            self._store.emit(MessageDropped(comm.comm_id))
        asking = self._writes.session
        is_reply = asking is not None and isinstance(content, dict) and content.get("kind") == _REPLY_KIND
        try:
            self._store.send(hosted, content, buffers, [asking] if is_reply and asking is not None else None)
        except UnserializableValue as error:
            _log.warning("custom message of %s skipped: %s", comm.comm_id, error)
            self._store.emit(ValueSkipped(comm.comm_id, "", str(error)))

    def comm_closed(self, comm: WidgetComm) -> None:
        """A widget closed its comm: let go of all its ids."""
        if comm in self._layouts:
            self._layouts.closed(comm)
            return
        hosted = self._by_comm.pop(comm, None)
        for widget_id in list(hosted.ids) if hosted is not None else ():
            self.let_go(widget_id)

    def _with_group(self, hosted: HostedWidget, state: dict[str, Any]) -> dict[str, Any]:
        """The state, with what a page set in the same group: it shows together or not at all."""
        names = self._writes.take_group(hosted)
        if not names:
            return state
        return {**{name: hosted.read(name) for name in names if hosted.can_read(name)}, **state}

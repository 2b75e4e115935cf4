"""The comms of one manager's widgets: how widgets come in, speak, and go.

A widget makes itself known through its comm, whether the hook handed that out (`install`, `capture`) or `attach` gave
it one. From then on what it says arrives here and goes into the store.

**Ownership.** The manager owns its widgets. ipywidgets keeps every widget alive in a process-wide registry; `let_go`
takes it out there too, closes its comm, and keeps nothing. The widget itself stays a usable Python object.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any, Final

from traitlets import HasTraits

from .atomic import GROUP
from .base_server import BaseServerConnection
from .code_files import as_text
from .comm import WidgetComm
from .described import Described, field_names, open_bundle, revive_bundle, take_over, unsync
from .errors import InvalidWidgetId, UnserializableValue
from .events import MessageDropped, ValueSkipped, WidgetClosed
from .file_listeners import follow_files
from .follow import Follower, take_shortcut
from .frames import require_widget_id
from .hosted import HostedWidget, forget_instance, give_comm
from .hosts import add_host, hosts_of
from .invoke import ANSWER
from .layouts import Layouts, is_layout_state
from .link_ends import EARS, unlink_widget
from .policy import WritePolicy
from .references import IPYWIDGETS_REFERENCE, REFERENCE, is_described, is_ipywidget, prefix_of, replace_widgets
from .store import Store
from .values import LAYOUT

_log = logging.getLogger("rdit")


class Comms:
    """Who the comms of a manager's widgets belong to (`CommOwner`).

    Args:
        store: where it all goes.
        layouts: the same that the store has.
        ids: makes the id of each widget that comes without one.
        policy: what pages may write, where nobody says anything else.
    """

    def __init__(self, store: Store, layouts: Layouts, ids: Callable[[], str], policy: WritePolicy) -> None:
        self._store = store
        self._policy = policy
        self._layouts = layouts
        self.next_id: Final = ids
        self._writes = store.writes
        self._by_comm: dict[WidgetComm, HostedWidget] = {}
        self._by_object: dict[int, HostedWidget] = {}
        self._children: dict[HostedWidget, None] = {}
        """Those that are hosted only because others refer to them."""
        self._links: dict[HostedWidget, None] = {}
        """ipywidgets' `jslink` and its like: widgets that hold the two that they link."""
        add_host(self)

    @property
    def store(self) -> Store:
        """Where it all goes."""
        return self._store

    def of(self, widget: Any) -> HostedWidget | None:
        """What is kept of an object, if it is hosted."""
        hosted = self._by_object.get(id(widget))
        return hosted if hosted is not None and hosted.widget is widget else None

    def attach(self, widget_id: str, widget: Any) -> HostedWidget:
        """Give a widget that was made without the hook a comm of ours; the same for its Layout."""
        self._store.check_room()
        if is_ipywidget(widget):
            self._layouts.take(widget, self)
            follow_files(widget)
            give_comm(self, widget, widget_id)
        elif is_described(widget):
            open_bundle(self, widget, widget_id)
        else:
            Follower(self, widget, widget_id, self.comm_changed)
        return self._store.all_hosted[widget_id]

    def ask_for(self, hosted: HostedWidget) -> None:
        """Host a widget for its own sake from here on, whoever refers to it."""
        self._children.pop(hosted, None)

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
        if not hosts_of(widget):
            unlink_widget(widget)
        if is_ipywidget(widget) and widget.comm is comm:
            forget_instance(comm)
            widget.comm = None
        hosted.children.clear()
        self._children.pop(hosted, None)
        self._links.pop(hosted, None)
        for link in list(self._links):
            if any(hosted in children for children in link.children.values()):
                self._let_go_wholly(link)
        self._let_go_of_strays()

    def _let_go_wholly(self, hosted: HostedWidget) -> None:
        for widget_id in list(hosted.ids):
            self.let_go(widget_id)

    def _let_go_of_strays(self) -> None:
        """Release the children that nobody leads to who is hosted for his own sake; two may refer to each other."""
        if not self._children:
            return
        reached: set[HostedWidget] = set()
        waiting = [hosted for hosted in list(self._by_comm.values()) if hosted not in self._children]
        while waiting:
            for children in list(waiting.pop().children.values()):
                waiting.extend(new := [child for child in children if child not in reached])
                reached.update(new)
        for child in [child for child in self._children if child not in reached]:
            self._let_go_wholly(child)

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
        hosted.policy = self._policy
        # While it has no id, since no page waits for its first state.
        self._store.commit(hosted, {name: as_text(value) for name, value in state.items()})
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
        hosted = self._by_comm[comm]
        bundle = widget if is_described(target) else None
        if hosted.widget is target:
            before, hosted.bundle = hosted.bundle, bundle
            if before is not None and before is not bundle:
                unsync(before, target)  # Displayed again, and its class keeps no bundle.
                take_over(bundle, comm)
            return
        with self._store.lock:
            hosted.widget = target
            hosted.follower = widget if isinstance(widget, Follower) else None
            hosted.bundle = bundle
            if bundle is not None and not isinstance(target, HasTraits):
                hosted.described = Described(target)
            self._by_object[id(target)] = hosted
        if bundle is not None:
            take_over(bundle, comm)
            # Its first state has no fields, or has what is inside of them as their own library writes it.
            hosted.unread.update(field_names(target))
        for name in sorted(hosted.unread):
            self._store.refresh(hosted, name)
        if hosted.unread:
            hosted.unread.clear()
            hosted.baseline_rev = self._store.revisions.last
        if is_ipywidget(target):
            take_shortcut(target, comm, self.comm_changed)
            if hosted.layout_id is None:
                self._store.refresh(hosted, LAYOUT)  # It may have been made out of the hook's sight.
            if _is_link(target):
                self._links[hosted] = None
        self._store.open(comm.comm_id, hosted)

    def comm_updated(self, comm: WidgetComm, state: dict[str, Any]) -> None:
        """A widget changed."""
        if comm in self._layouts:
            for parent in self._layouts.updated(comm, state):
                self._store.commit(parent, {LAYOUT: IPYWIDGETS_REFERENCE + comm.comm_id})
            return
        hosted = self._by_comm.get(comm)
        if hosted is None:
            return
        hosted.writers.add(threading.get_ident())
        if hosted.bundle is not None:
            state = {
                name: hosted.read(name) if hosted.can_read(name) else value
                for name, value in state.items()
                if hosted.can_read(name) or name in hosted.bundle._extra_state
            }
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
        elif GROUP.get() is not None or (EARS and (id(hosted.widget), name) in EARS):
            self._store.commit(hosted, {name: value})
            is_plain = is_plain and GROUP.get() is None and hosted.raw(name) is value
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
        is_reply = asking is not None and isinstance(content, dict) and content.get("kind") == ANSWER
        try:
            self._store.send(hosted, content, buffers, [asking] if is_reply and asking is not None else None)
        except UnserializableValue as error:
            _log.warning("custom message of %s skipped: %s", comm.comm_id, error)
            self._store.emit(ValueSkipped(comm.comm_id, "", str(error)))

    def comm_revived(self, callback: Any) -> None:
        """An object with a descriptor that was let go of is displayed again."""
        bundle = callback.__self__
        if hasattr(bundle, "_obj"):
            revive_bundle(self, bundle).on_msg(callback)

    def comm_refers(self, comm: WidgetComm, name: str, value: Any) -> Any:
        """Write references where there are widgets, and host those that are not yet."""
        hosted = self._by_comm.get(comm)
        if hosted is None:
            return None  # It was closed meanwhile.
        trait = hosted.trait(name)
        known_prefix = prefix_of(trait.metadata.get("to_json")) if trait is not None else None
        if known_prefix is not None:
            value = hosted.raw(name)  # What the library's serializer made of it may name what is not hosted here.
        before = hosted.children.get(name, [])
        children: list[HostedWidget] = []

        def refer(widget: Any) -> str:
            child = self.of(widget)
            if child is None:
                child = self._attach_child(widget)
            children.append(child)
            return (known_prefix or REFERENCE) + child.ids[0]

        hosted.children[name] = children
        try:
            value = replace_widgets(value, refer)
        except BaseException:
            # Pages keep the value before, and what that refers to stays.
            del hosted.children[name]
            if before:
                hosted.children[name] = before
            self._let_go_of_strays()
            raise
        if not children:
            del hosted.children[name]
        hosted.has_strayed = hosted.has_strayed or any(child not in children for child in before)
        return value

    def _attach_child(self, widget: Any) -> HostedWidget:
        try:
            child = self.attach(self.next_id(), widget)
        except Exception as error:
            kind = type(widget).__qualname__
            raise UnserializableValue(f"A {kind} inside of it cannot be hosted: {type(error).__name__}") from error
        self._children[child] = None
        return child

    def comm_strayed(self, comm: WidgetComm) -> None:
        """Let go of what nobody refers to any more."""
        self._let_go_of_strays()

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


def _is_link(widget: Any) -> bool:
    """Whether this is a model that ties two others together in a page, and is of no use without one of them."""
    module = sys.modules.get("ipywidgets.widgets.widget_link")
    return module is not None and isinstance(widget, module.Link)

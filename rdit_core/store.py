"""The store: the widgets of one manager, their slots, revisions and graves, and who is told when a slot changes.

**Threads.** Python code may set traits on any thread at any time: the value is encoded there and then, and stored under
`lock`. The lock is held for moments, never while user code runs, and `wakeup` and event callbacks are called without
it.

Two threads that set one trait can reach the slot in the wrong order, since a widget serializes before it sends. So as
soon as a second thread has written a widget, each commit is followed by a second look at the widget until both agree
(`settle`): the last to commit always reads what stands.

**Origin.** While a page's base-mode write is applied, changes of that very property on that very thread are not pushed
back to that page (see `base_server`, the trailing correction). Everything else is pushed to everyone.

**Incarnations.** Each opening of a widget id has its own `inst`, the revision at which it opened. A page names it with
each op, so that nothing that was meant for one widget reaches the next one under the same id. What closed is remembered
for a while, so that a page that was away can be told.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from .atomic import GROUP, grouped, present_group
from .base_server import BaseServerConnection
from .encoding import EncodedValue, encode
from .errors import LimitReached, UnknownWidget
from .events import ChangesSwallowed, HostEvent, WidgetOpened
from .graves import Graves
from .hosted import HostedWidget
from .layouts import Layouts
from .limits import VALUE_DEPTH, Limits
from .link_ends import EARS, is_end
from .outbox import Description
from .propagation import carry
from .server import ServerConnection
from .session import Session, Sessions
from .slots import Revisions, Slot, SlotKey
from .subscriptions import Subscriptions
from .values import Values
from .wakes import Wakes
from .writes import Writes

_log = logging.getLogger("rdit")

ESM: Final = "_esm"
_ESM_URL: Final = "esm_url"
_REREADS: Final = 100
"""Bound on second looks after one commit: a trait whose serialized form is never twice the same must not hang a
thread."""

AnyConnection = BaseServerConnection | ServerConnection


class Store:
    """What a manager knows of its widgets, and the connections that show them.

    Args:
        limits: bounds.
        sessions: page loads of `rdit/1`.
        host: who hears of events.
        layouts: what a page sees of a `layout`.
        esm_url: turns a module's text into an address, if the host gives addresses.
    """

    def __init__(
        self,
        limits: Limits,
        sessions: Sessions,
        host: Subscriptions,
        layouts: Layouts,
        *,
        esm_url: Callable[[str], str] | None,
    ) -> None:
        self.limits: Final = limits
        self.lock: Final = threading.RLock()
        self.sessions: Final = sessions
        self.connections: Final[dict[int, AnyConnection]] = {}
        """Those that are open, by number."""
        self.widgets: Final[dict[str, Any]] = {}
        """Widget id to object, of all that are open."""
        self.all_hosted: Final[dict[str, HostedWidget]] = {}
        """Widget id to widget, those included that have a comm and have not said yet who they are."""
        self.insts: Final[dict[str, int]] = {}
        """Widget id to inst, of all that are open."""
        self.revisions: Final = Revisions()
        self.writes: Final = Writes(self, limits)
        """Runs what pages wrote."""
        self.values: Final = Values(layouts, limits.max_depth - VALUE_DEPTH, host.emit)
        """What widgets hold, as pages see it."""
        self.wakes: Final = Wakes(self.lock, self.writes)
        """Has connections send what they owe."""
        self._host = host
        self._esm_url = esm_url
        self._graves = Graves(limits.max_tombstones)

    # Finding. WriteCore: what writes ask.

    def find(self, widget_id: str) -> HostedWidget:
        """The widget under an id. Raises `UnknownWidget`."""
        hosted = self.all_hosted.get(widget_id)
        if hosted is None or hosted.widget is None:
            raise UnknownWidget(widget_id)
        return hosted

    def hosted(self, widget_id: str) -> HostedWidget | None:
        """The widget under an id, if it is known."""
        hosted = self.all_hosted.get(widget_id)
        return hosted if hosted is not None and hosted.widget is not None else None

    def named(self) -> list[tuple[str, HostedWidget]]:
        """Every id with the widget that it names."""
        with self.lock:
            return [(widget_id, one) for widget_id, one in self.all_hosted.items() if one.widget is not None]

    def widget(self, widget_id: str) -> Any:
        """The object under an id, or None."""
        return self.widgets.get(widget_id)

    def inst(self, widget_id: str) -> int | None:
        """The present incarnation of an id."""
        return self.insts.get(widget_id)

    def was_closed(self, widget_id: str) -> bool:
        """Whether an id is remembered as closed."""
        return widget_id in self._graves

    def rev(self, hosted: HostedWidget, property: str) -> int:
        """The revision of a slot; 0 when there is none."""
        slot = hosted.slots.get(property)
        return slot.rev if slot is not None else 0

    def emit(self, event: HostEvent) -> None:
        """Tell the host."""
        self._host.emit(event)

    # Opening and closing.

    def check_room(self) -> None:
        """Raise `LimitReached` when no further id has room."""
        if len(self.all_hosted) >= self.limits.max_widgets:
            raise LimitReached(f"More than {self.limits.max_widgets} widgets; close some or raise Limits.max_widgets")

    def keep(self, widget_id: str, hosted: HostedWidget) -> None:
        """Give a widget an id, under which it is not open yet."""
        with self.lock:
            hosted.ids.append(widget_id)
            self.all_hosted[widget_id] = hosted

    def open(self, widget_id: str, hosted: HostedWidget) -> None:
        """An id names a widget from here on: tell pages and host."""
        with self.lock:
            self.widgets[widget_id] = hosted.widget
            inst = self.insts[widget_id] = self.revisions.next()
            connections = [one for one in self.connections.values() if isinstance(one, ServerConnection)]
            for connection in connections:
                connection.mark_open(widget_id, inst)
        for connection in connections:
            connection.wake()
        self.emit(WidgetOpened(widget_id))

    def close(self, widget_id: str) -> HostedWidget | None:
        """Take an id away, and tell pages. Returns the widget that it named, which may have others."""
        with self.lock:
            hosted = self.all_hosted.pop(widget_id, None)
            self.widgets.pop(widget_id, None)
            if hosted is None:
                return None
            hosted.ids.remove(widget_id)
            inst = self.insts.pop(widget_id, None)
            if inst is not None:
                self._graves.bury(widget_id, inst, self.revisions.next())
            connections = list(self.connections.values())
            for connection in connections:
                connection.forget(widget_id)
        for connection in connections:
            connection.wake()
        return hosted

    # Values in.

    def is_shown(self, hosted: HostedWidget) -> bool:
        """Whether a widget is open: pages know it, or are about to be told of it."""
        return bool(hosted.ids) and hosted.ids[0] in self.insts

    def commit(self, hosted: HostedWidget, state: Mapping[str, Any]) -> bool:
        """Store serialized values; push what differs. Returns whether anything did, as far as it is pushed by then.

        In a group they wait for its end; and those that are linked make a group, with what follows from them.
        """
        if (EARS or GROUP.get() is not None) and self.is_shown(hosted):
            linked = [name for name in state if is_end(hosted.widget, name)]
            if linked or present_group() is not None:
                self._commit_grouped(hosted, state, linked)
                return False
        return self._store_values({hosted: self.values.encode(hosted, self._without_esm(hosted, state))})

    def _commit_grouped(self, hosted: HostedWidget, state: Mapping[str, Any], linked: Sequence[str]) -> None:
        with grouped() as group:
            group.add(self, hosted, self._without_esm(hosted, state))
            for name in linked:
                carry(hosted.widget, name, by_page=self.writes.is_applying)

    def _without_esm(self, hosted: HostedWidget, state: Mapping[str, Any]) -> Mapping[str, Any]:
        """The state, with new code taken out and told by itself."""
        if ESM not in state:
            return state
        self._commit_esm(hosted, state[ESM])
        return {name: value for name, value in state.items() if name != ESM}

    def commit_together(self, pending: Mapping[HostedWidget, Mapping[str, Any]]) -> None:
        """Take what these properties hold now, all of it under one hold of the lock."""
        for _ in range(_REREADS):
            encoded = self.values.encode_present(pending)
            is_news = self._store_values(encoded)
            # Where several threads write: until what is stored is what stands.
            if not is_news or all(len(hosted.writers) <= 1 for hosted in encoded):
                break

    def _store_values(self, encoded: Mapping[HostedWidget, Mapping[str, EncodedValue]]) -> bool:
        """Store encoded values and push what differs, all at once. Returns whether anything did."""
        woken: dict[AnyConnection, None] = {}
        lost: Sequence[SlotKey] = ()
        with self.lock:
            changed = [
                (hosted, name, value)
                for hosted, values in encoded.items()
                for name, value in values.items()
                if (slot := hosted.slots.get(name)) is None or slot.value != value
            ]
            if changed and self.connections:
                lost = self._tell(changed, woken)
            for hosted, name, value in changed:
                hosted.slots[name] = Slot(value, self.revisions.next())
        self.wakes.wake(woken)
        if lost:
            self._swallowed(lost)
        for hosted in encoded:
            if hosted.has_strayed:
                self._look_after_strays(hosted)
        return bool(changed)

    def commit_one(self, hosted: HostedWidget, name: str, value: Any) -> None:
        """`commit` of one property, for the many that come one by one."""
        encoded = self.values.encode_one(hosted, name, value)
        if encoded is None:
            return
        woken: dict[AnyConnection, None] = {}
        lost: Sequence[SlotKey] = ()
        with self.lock:
            slot = hosted.slots.get(name)
            if slot is not None and slot.value == encoded:
                return
            if slot is None or len(hosted.ids) != 1:
                lost = self._tell([(hosted, name, encoded)], woken)
            else:
                origin, key = self.writes.origin, (hosted.ids[0], name)
                for connection in self.connections.values():
                    if origin is None or connection is not origin[0] or key != origin[1]:
                        woken[connection] = None
                        if swallowed := connection.change_one(key, slot.value, encoded):
                            lost = [*lost, *swallowed]
            hosted.slots[name] = Slot(encoded, self.revisions.next())
        self.wakes.wake(woken)
        if lost:
            self._swallowed(lost)
        if hosted.has_strayed:
            self._look_after_strays(hosted)

    def _look_after_strays(self, hosted: HostedWidget) -> None:
        hosted.has_strayed = False
        hosted.comm.owner.comm_strayed(hosted.comm)

    def refresh(self, hosted: HostedWidget, property: str) -> bool:
        """Read a property of a widget again and commit what differs. Returns whether it did."""
        present = self.values.read(hosted, property)
        if not present:
            return False
        if is_end(hosted.widget, property):
            # A second look sends nothing along a link again.
            slot, encoded = hosted.slots.get(property), self.values.encode(hosted, present)
            if slot is not None and encoded.get(property, slot.value) == slot.value:
                return False
            self.commit(hosted, present)
            return present_group() is None
        return self.commit(hosted, present)

    def refresh_all(self) -> list[SlotKey]:
        """Read every property of every widget again and commit what differs. Returns which did."""
        return [
            (hosted.ids[0], name)
            for hosted in dict.fromkeys(self.all_hosted.values())
            for name in list(hosted.slots)
            if hosted.widget is not None and self.refresh(hosted, name)
        ]

    def settle(self, hosted: HostedWidget, name: str) -> None:
        """Where several threads write: look until what is committed is what stands."""
        for _ in range(_REREADS):
            if not self.refresh(hosted, name):
                break

    def _commit_esm(self, hosted: HostedWidget, esm: Any) -> None:
        is_new = hosted.esm is not None and hosted.esm != str(esm)
        hosted.esm = str(esm)
        if self._esm_url is not None:
            hosted.esm_url = self._esm_url(hosted.esm)
        if is_new:
            woken: dict[AnyConnection, None] = {}
            with self.lock:
                hosted.esm_rev = self.revisions.next()
                for connection in self.connections.values():
                    name = self._esm_name if isinstance(connection, ServerConnection) else ESM
                    for widget_id in hosted.ids:
                        connection.mark((widget_id, name))
                    woken[connection] = None
            self.wakes.wake(woken)

    def _swallowed(self, keys: Iterable[SlotKey]) -> None:
        for widget_id, name in keys:
            hosted = self.all_hosted.get(widget_id)
            if hosted is not None and name not in hosted.swallowed:
                hosted.swallowed.add(name)
                _log.warning("%s.%s changes to and fro faster than a page reads: it misses some", widget_id, name)
                self.emit(ChangesSwallowed(widget_id, name))

    def send(
        self, hosted: HostedWidget, content: Any, buffers: Sequence[Any], sessions: Sequence[Session] | None
    ) -> None:
        """Keep a custom message for every session that shows the widget, or for these."""
        encoded = encode(content, max_depth=self.values.max_depth)
        copies = tuple(memoryview(data).tobytes() for data in buffers)
        group = present_group()
        if group is not None and group.holds_messages:
            group.add_message(partial(self._send, hosted, encoded, copies, sessions))
            return
        if group is not None:
            group.commit()
        self._send(hosted, encoded, copies, sessions)

    def _send(
        self,
        hosted: HostedWidget,
        encoded: EncodedValue,
        copies: tuple[bytes, ...],
        sessions: Sequence[Session] | None,
    ) -> None:
        woken: dict[AnyConnection, None] = {}
        with self.lock:
            for session in self.sessions if sessions is None else sessions:
                for widget_id in hosted.ids:
                    inst = self.insts.get(widget_id)
                    if inst is not None and session.shows(widget_id):
                        session.add_message(widget_id, inst, encoded, copies)
                if session.connection is not None:
                    woken[session.connection] = None
        self.wakes.wake(woken)

    def _tell(
        self, changes: Iterable[tuple[HostedWidget, str, EncodedValue]], woken: dict[AnyConnection, None]
    ) -> Sequence[SlotKey]:
        """Slots are about to change: all connections are owed that. Returns the slots of which that swallowed a value.
        With the lock held.
        """
        origin = self.writes.origin
        told = [
            ((widget_id, name), slot.value if (slot := hosted.slots.get(name)) is not None else None, value)
            for hosted, name, value in changes
            for widget_id in hosted.ids
        ]
        lost: list[SlotKey] = []
        if not told:
            return lost  # It has no id yet: nobody waits for its first state.
        for connection in self.connections.values():
            if origin is None or connection is not origin[0]:
                lost.extend(connection.change(told))
            elif others := [change for change in told if change[0] != origin[1]]:
                lost.extend(connection.change(others))
            else:
                continue
            woken[connection] = None
        return lost

    @property
    def _esm_name(self) -> str:
        """Under which name pages of `rdit/1` hear of new code."""
        return ESM if self._esm_url is None else _ESM_URL

    # What connections ask. With the lock held.

    def next_revision(self) -> int:
        """One that no state has."""
        return self.revisions.next()

    def instances(self) -> dict[str, int]:
        """Widget id to inst, of all that are open. Not to be changed."""
        return self.insts

    def describe(self, widget_id: str) -> Description:
        """An open widget."""
        hosted = self.all_hosted[widget_id]
        esm = hosted.esm if hosted.esm_url is None else None
        inst, writable, compared = self.insts[widget_id], hosted.writable(), hosted.compared()
        return Description(inst, hosted.kind, esm, hosted.esm_url, hosted.slots, writable, compared)

    def slot(self, widget_id: str, property: str) -> Slot:
        """A slot of an open widget that was marked."""
        hosted = self.all_hosted[widget_id]
        slot = hosted.slots.get(property)
        # New code is no slot of its own: it is large, and every page imports it once.
        return slot or Slot(encode(hosted.esm if property == ESM else hosted.esm_url), hosted.esm_rev)

    def find_slot(self, widget_id: str, property: str) -> Slot | None:
        """A slot, if there is one."""
        hosted = self.all_hosted.get(widget_id)
        if hosted is None:
            return None  # A page may write to an id that nothing has, and is corrected as any other.
        return self.slot(widget_id, property) if property == ESM else hosted.slots.get(property)

    def closed_since(self, rev: int) -> list[tuple[str, int]] | None:
        """Widget id and inst of what closed after a revision; None when that is not remembered."""
        return self._graves.since(rev)

    def changed_since(self, widget_id: str, rev: int) -> list[str]:
        """Properties of an open widget that are newer than a revision."""
        hosted = self.all_hosted[widget_id]
        names = [name for name, slot in hosted.slots.items() if slot.rev > rev]
        return [*names, self._esm_name] if hosted.esm_rev > rev else names

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
from .encoding import EncodedValue, encode, encode_numbers
from .errors import LimitReached, UnknownWidget, UnserializableValue
from .events import ChangesSwallowed, HostEvent, ValueRounded, ValueSkipped, WidgetOpened
from .graves import Graves
from .hosted import HostedWidget
from .layouts import Layouts
from .limits import VALUE_DEPTH, Limits
from .link_ends import EARS, is_end
from .messages import MAX_COUNT
from .outbox import Description
from .propagation import carry
from .references import is_bare, mentions_widgets
from .server import ServerConnection
from .session import Session, Sessions
from .slots import Revisions, Slot, SlotKey
from .subscriptions import Subscriptions
from .writes import Writes

_log = logging.getLogger("rdit")

ESM: Final = "_esm"
LAYOUT: Final = "layout"
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
        self._host = host
        self._esm_url = esm_url
        self._layouts = layouts
        self._value_depth = limits.max_depth - VALUE_DEPTH
        self._graves = Graves(limits.max_tombstones)
        self._is_owing = False
        self._owed: dict[AnyConnection, None] = {}
        """Connections to wake when the batch that is being applied is done."""

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
        return self._store_values({hosted: self._encoded(hosted, state)})

    def _commit_grouped(self, hosted: HostedWidget, state: Mapping[str, Any], linked: Sequence[str]) -> None:
        if ESM in state:
            self._commit_esm(hosted, state[ESM])
            state = {name: value for name, value in state.items() if name != ESM}
        with grouped() as group:
            group.add(self, hosted, state)
            for name in linked:
                carry(hosted.widget, name, by_page=self.writes.is_applying)

    def commit_together(self, pending: Mapping[HostedWidget, Mapping[str, Any]]) -> None:
        """Take what these properties hold now, all of it under one hold of the lock."""
        for _ in range(_REREADS):
            encoded = {
                hosted: self._encoded(hosted, self._present(hosted, state))
                for hosted, state in pending.items()
                if hosted.widget is not None
            }
            is_news = self._store_values(encoded)
            # Where several threads write: until what is stored is what stands.
            if not is_news or all(len(hosted.writers) <= 1 for hosted in encoded):
                break

    def _present(self, hosted: HostedWidget, state: Mapping[str, Any]) -> dict[str, Any]:
        """What these properties hold now; the values that are given, of those that cannot be read."""
        present: dict[str, Any] = {}
        for name, value in state.items():
            if not hosted.can_read(name):
                present[name] = value
                continue
            try:
                present[name] = hosted.read(name)
            except Exception as error:
                self._unreadable(hosted, name, error)
        return present

    def _encoded(self, hosted: HostedWidget, state: Mapping[str, Any]) -> dict[str, EncodedValue]:
        encoded: dict[str, EncodedValue] = {}
        for name, value in state.items():
            if name == ESM:
                self._commit_esm(hosted, value)
                continue
            numbers = self._numbers(hosted, value) if type(value) is list else None
            if numbers is not None:
                encoded[name] = numbers
                continue
            try:
                if name == LAYOUT:
                    shown = self._layouts.fold(hosted, value)
                elif is_bare(value) and not hosted.children:
                    shown = value
                else:
                    shown = self._refer(hosted, name, value)
                encoded[name] = encode(shown, max_depth=self._value_depth)
            except UnserializableValue as error:
                self._skipped(hosted, name, error)
            else:
                if type(shown) is int and abs(shown) > MAX_COUNT:
                    self._rounded(hosted, name)
        return encoded

    def _numbers(self, hosted: HostedWidget, value: Any) -> EncodedValue | None:
        """The short way for what many lists are. A property that refers to widgets may have to let go of them."""
        return encode_numbers(value) if not hosted.children and self._value_depth > 0 else None

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
        self._wake(woken)
        if lost:
            self._swallowed(lost)
        for hosted in encoded:
            if hosted.has_strayed:
                self._look_after_strays(hosted)
        return bool(changed)

    def commit_one(self, hosted: HostedWidget, name: str, value: Any) -> None:
        """`commit` of one property, for the many that come one by one."""
        try:
            numbers = self._numbers(hosted, value) if type(value) is list else None
            if numbers is None and (not is_bare(value) or hosted.children):
                value = self._refer(hosted, name, value)
            encoded = numbers or encode(value, max_depth=self._value_depth)
        except UnserializableValue as error:
            self._skipped(hosted, name, error)
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
        self._wake(woken)
        if lost:
            self._swallowed(lost)
        if hosted.has_strayed:
            self._look_after_strays(hosted)
        if type(value) is int and abs(value) > MAX_COUNT:
            self._rounded(hosted, name)

    def _refer(self, hosted: HostedWidget, name: str, value: Any) -> Any:
        """A value with references where there are widgets in it. Raises `UnserializableValue`."""
        try:
            has_widgets = mentions_widgets(value)
        except RecursionError:
            has_widgets = False  # Whoever encodes it will say that it contains itself.
        if not has_widgets:
            if hosted.children.pop(name, None) is not None:
                hosted.has_strayed = True
            return value
        if hosted.widget is None:
            hosted.unread.add(name)
            return None
        return hosted.comm.owner.comm_refers(hosted.comm, name, value)

    def _look_after_strays(self, hosted: HostedWidget) -> None:
        hosted.has_strayed = False
        hosted.comm.owner.comm_strayed(hosted.comm)

    def refresh(self, hosted: HostedWidget, property: str) -> bool:
        """Read a property of a widget again and commit what differs. Returns whether it did."""
        if not hosted.can_read(property):
            return False
        try:
            value = hosted.read(property)
        except Exception as error:
            self._unreadable(hosted, property, error)
            return False
        if is_end(hosted.widget, property):
            # A second look sends nothing along a link again.
            slot, encoded = hosted.slots.get(property), self._encoded(hosted, {property: value})
            if slot is not None and encoded.get(property, slot.value) == slot.value:
                return False
            self.commit(hosted, {property: value})
            return present_group() is None
        return self.commit(hosted, {property: value})

    def _unreadable(self, hosted: HostedWidget, name: str, error: Exception) -> None:
        _log.warning("value of %s.%s skipped: its serializer raised", hosted.comm.comm_id, name, exc_info=error)
        self.emit(ValueSkipped(hosted.comm.comm_id, name, f"its serializer raised {type(error).__name__}"))

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
            self._wake(woken)

    def _rounded(self, hosted: HostedWidget, name: str) -> None:
        if name not in hosted.rounded:
            hosted.rounded.add(name)
            _log.warning("%s.%s is beyond 2**53 - 1: pages round it", hosted.comm.comm_id, name)
            self.emit(ValueRounded(hosted.comm.comm_id, name))

    def _swallowed(self, keys: Iterable[SlotKey]) -> None:
        for widget_id, name in keys:
            hosted = self.all_hosted.get(widget_id)
            if hosted is not None and name not in hosted.swallowed:
                hosted.swallowed.add(name)
                _log.warning("%s.%s changes to and fro faster than a page reads: it misses some", widget_id, name)
                self.emit(ChangesSwallowed(widget_id, name))

    def _skipped(self, hosted: HostedWidget, name: str, error: UnserializableValue) -> None:
        _log.warning("value of %s.%s skipped: %s", hosted.comm.comm_id, name, error)
        self.emit(ValueSkipped(hosted.comm.comm_id, name, str(error)))

    def send(
        self, hosted: HostedWidget, content: Any, buffers: Sequence[Any], sessions: Sequence[Session] | None
    ) -> None:
        """Keep a custom message for every session that shows the widget, or for these."""
        encoded = encode(content, max_depth=self._value_depth)
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
        self._wake(woken)

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

    def _wake(self, connections: Mapping[AnyConnection, None]) -> None:
        """Have connections send what they were marked with; while a batch is applied, together with its ack."""
        if not connections:
            return
        if self.writes.is_applying:
            with self.lock:
                if self._is_owing:
                    self._owed.update(connections)
                    return
        for connection in connections:
            connection.wake()

    def owe(self) -> None:
        """Wake no connection that this thread marks until `pay_owed`: a batch is applied, and its ack goes along."""
        with self.lock:
            self._is_owing = True

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

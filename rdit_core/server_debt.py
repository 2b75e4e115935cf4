"""What one peer of `rdit/1` is owed of state: widgets that it does not know, slots that changed, widgets that closed.

**A set of slots**, never a list of changes: `dirty` holds keys, and a `sync` that is cut reads the present values. So a
slow reader costs what the state costs. What was set and taken back before it went out is kept, and goes first, within
limits of its own (`outbox`): a *moment* is a `sync` that was cut early.

All of this is read and changed with the manager's lock held.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from .encoding import EncodedValue, encode
from .limits import Limits
from .messages import Batch, SetOp
from .outbox import Change, Description, Moment, Outbox
from .server_core import WidgetCore
from .session import Session
from .slots import SlotKey

OWN_VALUE_BYTES: Final = 16 * 1024
"""From this size on a value is not sent back to the page that it came from, but named (`Sync.same`)."""


class OwnValue(NamedTuple):
    """A large value that the peer sent, and the op it came in."""

    value: EncodedValue
    seq: int
    op: int


class ServerDebt:
    """What a connection owes its peer."""

    def __init__(self, core: WidgetCore, limits: Limits) -> None:
        self.known: Final[dict[str, int]] = {}
        """Inst of every widget that the peer knows, or is about to be told of."""
        self.opens: Final[dict[str, None]] = {}
        """Those that it is about to be told of."""
        self.outbox: Final = Outbox(limits, self._keep)
        self.dirty: Final = self.outbox.dirty
        self.closes: Final[dict[tuple[str, int], None]] = {}
        self.own_values: dict[SlotKey, OwnValue] = {}
        """Large values that this peer sent on this connection and holds until they are acknowledged."""
        self.is_live_due = False
        """Whether it is to be told of all widgets that there are, by id and inst."""
        self.is_told = False
        """Whether a complete `sync` was ever cut: before, nobody knows what the peer was told, in a connection before
        this one."""
        self.parts_left: int | None = None
        """While a `sync` in parts is under way: after how many more of them the rest goes in one."""
        self._core = core
        self._limits = limits

    def mark(self, key: SlotKey) -> None:
        """The present value of a slot goes with the next `sync`. Call with the lock held, then `wake`."""
        if key[0] in self.known and key[0] not in self.opens:
            self.outbox.mark(key)

    def change(self, changes: Sequence[Change]) -> Sequence[SlotKey]:
        """Slots are about to change: that goes with the next `sync`. Call with the lock held, before they do; then
        `wake`.

        Returns:
            Slots of which a value was swallowed for it (see `outbox`).
        """
        widget_id = changes[0][0][0]
        if len(changes) > 1:
            changes = [one for one in changes if one[0][0] in self.known and one[0][0] not in self.opens]
        elif widget_id not in self.known or widget_id in self.opens:
            return ()
        if not self.is_told:
            changes = [(key, None, value) for key, _, value in changes]
        return self.outbox.change(changes, is_in_parts=self.parts_left is not None)

    def change_one(self, key: SlotKey, before: EncodedValue, after: EncodedValue) -> Sequence[SlotKey]:
        """`change` of one slot, for the many that come one by one."""
        if self.parts_left is not None or not self.is_told:
            return self.change([(key, before, after)])
        if key[0] in self.known and key[0] not in self.opens:
            return self.outbox.change_one(key, before, after)
        return ()

    def mark_open(self, widget_id: str, inst: int) -> None:
        """A widget opened that the peer shows."""
        self.known[widget_id] = inst
        self.opens[widget_id] = None

    def forget(self, widget_id: str) -> None:
        """A widget closed. Call with the lock held, then `wake`."""
        inst = self.known.pop(widget_id, None)
        if inst is None:
            return
        was_news = self.outbox.forget(widget_id)
        if widget_id in self.opens:
            del self.opens[widget_id]  # It never heard of it.
        elif not was_news:
            self.closes[widget_id, inst] = None

    def remember(self, batch: Batch) -> None:
        """Keep the large values of a batch that is about to be applied, so that they need not be sent back."""
        for index, op in enumerate(batch.ops):
            if isinstance(op, SetOp):
                value = encode(op.value, max_depth=self._limits.max_depth)
                if value.size_bytes >= OWN_VALUE_BYTES:
                    with self._core.lock:
                        self.own_values[op.widget_id, op.property] = OwnValue(value, batch.seq, index)

    def owe_snapshot(self, session: Session) -> None:
        """The peer knows nothing yet, or nothing that counts."""
        self.known.update((id, inst) for id, inst in self._core.instances().items() if session.shows(id))
        self.opens.update(dict.fromkeys(self.known))
        self.is_live_due = True

    def owe_delta(self, session: Session, rev: int) -> None:
        """The peer knows what there was at a revision."""
        closed = self._core.closed_since(rev)
        if closed is None:
            self.is_live_due = True
        else:
            self.closes.update(((id, inst), None) for id, inst in closed if inst <= rev and session.shows(id))
        for widget_id, inst in self._core.instances().items():
            if not session.shows(widget_id):
                continue
            self.known[widget_id] = inst
            if inst > rev:
                self.opens[widget_id] = None
            else:
                self.dirty.update(dict.fromkeys((widget_id, name) for name in self._core.changed_since(widget_id, rev)))

    def resubscribe(self, session: Session, widget_ids: Any) -> None:
        """The peer shows these widgets from now on, and no others."""
        session.subscribe = None if widget_ids == "*" else frozenset(widget_ids)
        session.subscribed_rev = self._core.next_revision()
        for widget_id in [one for one in self.known if not session.shows(one)]:
            self.forget(widget_id)
        for widget_id, inst in self._core.instances().items():
            if widget_id not in self.known and session.shows(widget_id):
                self.mark_open(widget_id, inst)

    def clear(self) -> None:
        """Nothing is owed any more."""
        self.known.clear()
        self.opens.clear()
        self.outbox.clear()
        self.closes.clear()
        self.own_values.clear()

    def _keep(self, keys: Iterable[SlotKey]) -> Moment:
        """What would go now if it could."""
        opens: dict[str, Description] = {}
        for widget_id in self.opens:
            description = self._core.describe(widget_id)
            opens[widget_id] = description._replace(slots=dict(description.slots))
        self.opens.clear()
        return Moment({key: self._core.slot(*key) for key in keys}, opens, self._core.revision)

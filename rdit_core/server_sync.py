"""The `sync` frames of one connection of `rdit/1`: how they are cut from what is owed, and what became of them.

**Ack and changes.** A batch is acknowledged in a `sync` that is cut after the batch was applied, and a `sync` that is
complete holds every slot that is dirty. So a client never sees the ack without the changes.

**Parts.** State larger than `max_sync_bytes` goes out in several frames, `more` on all but the last. They are cut one
at a time, each from what is dirty at that moment; a slot that changes meanwhile goes out again in a later part. Only
the last part empties the outbox, and the client applies them together, so it never shows half of a change. A slot that
changes faster than its parts are sent would put the last one off for ever: after as many parts as there were things to
send at the start, one part takes all that is left.

All of this is read and changed with the manager's lock held.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from .encoding import FORBIDDEN_KEYS, EncodedValue
from .frames import encode_frame
from .limits import Limits
from .messages import Message, OpenedWidget, Reject, Sync
from .outbox import Description, Moment
from .server_core import WidgetCore
from .server_debt import ServerDebt
from .session import Session
from .slots import SlotKey

_OP_BYTES: Final = 64
"""About what an entry of a `sync` takes beside its value."""

_EXTRA_PARTS: Final = 16

_FEW: Final = 64
"""Slots that `_cut_small` looks at; beyond, the general way costs no more."""

Change = tuple[str, int, str, Any, int]
Same = tuple[str, int, str, int, int, int]


class _SmallSync(msgspec.Struct, frozen=True, tag="sync", gc=False, omit_defaults=True):
    """A `Sync` with a few changes, and the fields that it then has."""

    frame: int
    rev: int
    ack: int
    changes: list[Change] = []


class _Sent(msgspec.Struct, frozen=True, gc=False):
    """A `sync` that the client has not acknowledged."""

    frame: int
    size_bytes: int
    reject_number: int
    n: int
    rev: int
    """Up to which the client has seen all when it has applied it; 0 for a part, which it only keeps."""


class ServerSync:
    """What a peer is told of state, and of what it wrote."""

    def __init__(self, core: WidgetCore, limits: Limits, debt: ServerDebt) -> None:
        self.is_ack_due = False
        """Whether a `sync` must go out though nothing is owed."""
        self.unacked: Final[deque[_Sent]] = deque()
        self._core = core
        self._limits = limits
        self._debt = debt
        self._frame = 0
        self._sent_ack = 0
        self._sent_reject = 0
        self._sent_n = 0
        self._unacked_bytes = 0

    def take_ack(self, session: Session, frame: int) -> bool:
        """Count what arrived. Returns whether something may go out for it."""
        if not self.unacked or frame < self.unacked[0].frame:
            return False
        last = self.unacked[0]
        while self.unacked and self.unacked[0].frame <= frame:
            last = self.unacked.popleft()
            session.seen_rev = max(session.seen_rev, last.rev)
            self._unacked_bytes -= last.size_bytes
        session.arrived(last.reject_number, last.n)
        return self.is_due(session)  # There is credit for it now.

    def is_due(self, session: Session) -> bool:
        """Whether there is anything to tell."""
        debt = self._debt
        return bool(
            debt.dirty
            or debt.outbox.moments
            or self.is_ack_due
            or self._sent_ack != session.ack
            or debt.opens
            or debt.closes
            or debt.is_live_due
            or (session.rejects and session.rejects[-1][0] > self._sent_reject)
            or (session.messages and session.messages[-1].n > self._sent_n)
            or session.lost_n > self._sent_n
        )

    def has_credit(self) -> bool:
        """Whether another frame may be under way."""
        return not self.unacked or (
            len(self.unacked) < self._limits.max_sync_frames and self._unacked_bytes < self._limits.max_sync_bytes
        )

    def is_stalled(self) -> bool:
        """Whether nothing can go out until the peer acknowledges."""
        return bool(self.unacked) and not self.has_credit()

    def clear(self) -> None:
        """The connection has ended: nothing is under way any more."""
        self.unacked.clear()
        self._unacked_bytes = 0

    def cut(self, session: Session) -> str | bytes:
        """Build one `sync`, and count it as sent."""
        small = self._cut_small(session)
        if small is not None:
            return small
        debt, outbox = self._debt, self._debt.outbox
        moment = outbox.moments[0] if outbox.moments else None
        opens: dict[str, Any] = moment.opens if moment is not None else debt.opens
        owed: dict[SlotKey, Any] = moment.slots if moment is not None else debt.dirty
        if debt.parts_left is None:
            debt.parts_left = len(opens) + len(owed) + _EXTRA_PARTS
        room = self._limits.max_sync_bytes if debt.parts_left > 0 else None
        values: list[tuple[Sequence[str | int], EncodedValue]] = []
        opened, room = self._cut_opens(opens, owed, values, room)
        changes: list[Change] = []
        same: list[Same] = []
        if not opens:
            changes, same, room = self._cut_changes(moment, values, room, is_first=not opened)
        more = bool(opens or owed)
        rev = moment.rev if moment is not None else self._core.revision
        self._frame += 1
        if more:
            debt.parts_left -= 1
            if moment is not None:
                moment.is_begun = True
            sync = Sync(self._frame, rev, more=True, open=opened, changes=changes, same=same)
        else:
            debt.parts_left = None
            live = list(debt.known.items()) if debt.is_live_due else None
            sync = Sync(
                self._frame,
                rev,
                self._sent_ack,
                open=opened,
                changes=changes,
                same=same,
                close=list(debt.closes),
                live=live,
            )
            debt.closes.clear()
            debt.is_live_due = False
            if moment is not None:
                outbox.moment_told()
            else:
                outbox.all_told()
                sync = self._cut_last(session, sync, values, room)
        frame = encode_frame(sync, values)
        self.unacked.append(_Sent(self._frame, len(frame), self._sent_reject, self._sent_n, 0 if more else rev))
        self._unacked_bytes += len(frame)
        debt.is_told = debt.is_told or not more
        return frame

    def _cut_small(self, session: Session) -> str | bytes | None:
        """The common `sync`, a few changes and an ack, without the detours of the general one; None for any other."""
        debt = self._debt
        if (
            not debt.is_told
            or debt.parts_left is not None
            or debt.outbox.moments
            or debt.opens
            or debt.closes
            or debt.is_live_due
            or debt.own_values
            or session.rejects
            or session.messages
            or session.lost_n
            or len(debt.dirty) > _FEW
        ):
            return None
        changes: list[Change] = []
        size = 0
        for widget_id, name in debt.dirty:
            slot = self._core.slot(widget_id, name)
            value = slot.value
            size += len(value.json)
            if value.buffers or value.specials or size > self._limits.max_sync_bytes:
                return None
            changes.append((widget_id, debt.known[widget_id], name, msgspec.Raw(value.json), slot.rev))
        debt.outbox.all_told()
        self.is_ack_due = False
        self._sent_ack = session.ack
        self._frame += 1
        rev = self._core.revision
        frame = encode_frame(_SmallSync(self._frame, rev, session.ack, changes))
        self.unacked.append(_Sent(self._frame, len(frame), self._sent_reject, self._sent_n, rev))
        self._unacked_bytes += len(frame)
        return frame

    def _cut_opens(
        self,
        opens: dict[str, Any],
        owed: dict[SlotKey, Any],
        values: list[tuple[Sequence[str | int], EncodedValue]],
        room: int | None,
    ) -> tuple[list[OpenedWidget], int | None]:
        opened: list[OpenedWidget] = []
        for widget_id in list(opens):
            if room is not None and opened and room <= 0:
                break
            description: Description = opens.pop(widget_id) or self._core.describe(widget_id)
            inst, kind, esm, esm_url, slots, writable, compared = description
            props: dict[str, tuple[Any, int]] = {}
            index = len(opened)
            for name, slot in slots.items():
                value = slot.value
                size = value.size_bytes
                if (room is not None and size > self._limits.max_sync_bytes) or name in FORBIDDEN_KEYS:
                    # Too large for a part with others, or no name to have a path through: it follows as a change.
                    owed.setdefault((widget_id, name), slot if owed is not self._debt.dirty else None)
                    self._debt.parts_left = (self._debt.parts_left or 0) + 1
                    continue
                props[name] = (msgspec.Raw(value.json), slot.rev)
                if value.buffers or value.specials:
                    values.append((("open", index, "props", name, 0), value))
                if room is not None:
                    room -= size + _OP_BYTES
            if room is not None and esm is not None:
                room -= len(esm)
            opened.append(OpenedWidget(widget_id, inst, kind, props, writable, esm_url, esm, compared))
        return opened, room

    def _cut_changes(
        self,
        moment: Moment | None,
        values: list[tuple[Sequence[str | int], EncodedValue]],
        room: int | None,
        *,
        is_first: bool,
    ) -> tuple[list[Change], list[Same], int | None]:
        debt = self._debt
        changes: list[Change] = []
        same: list[Same] = []
        for key in list(debt.dirty if moment is None else moment.slots):
            slot = self._core.slot(*key) if moment is None else moment.slots[key]
            own = debt.own_values.get(key)
            if own is not None and own.seq > self._sent_ack and own.value == slot.value:
                self._taken(moment, key)
                same.append((key[0], debt.known[key[0]], key[1], own.seq, own.op, slot.rev))
                continue
            size = slot.value.size_bytes + _OP_BYTES
            if room is not None and (changes or not is_first) and size > room:
                break
            self._taken(moment, key)
            if slot.value.buffers or slot.value.specials:
                values.append((("changes", len(changes), 3), slot.value))
            changes.append((key[0], debt.known[key[0]], key[1], msgspec.Raw(slot.value.json), slot.rev))
            if room is not None:
                room -= size
        return changes, same, room

    def _taken(self, moment: Moment | None, key: SlotKey) -> None:
        if moment is not None:
            del moment.slots[key]
        else:
            self._debt.outbox.in_parts[key] = self._debt.dirty.pop(key)

    def _cut_last(
        self,
        session: Session,
        sync: Sync,
        values: list[tuple[Sequence[str | int], EncodedValue]],
        room: int | None,
    ) -> Sync:
        """Acknowledge, now that nothing is owed that was done before."""
        rejects: list[Reject] = []
        for number, reject in session.rejects_after(self._sent_reject):
            rejects.append(reject)
            self._sent_reject = number
        lost_n = session.lost_n if session.lost_n > self._sent_n else 0
        self._sent_n = max(self._sent_n, lost_n)
        messages: list[Message] = []
        for one in session.messages_after(self._sent_n):
            if messages and room is not None and one.size_bytes > room:
                break  # The next `sync` has them.
            if not session.shows(one.widget_id):
                self._sent_n = one.n  # Of a widget that the page does not ask for any more. It sees a gap.
                continue
            index = len(messages)
            if one.content.buffers or one.content.specials:
                values.append((("msgs", index, "content"), one.content))
            values.extend(
                (("msgs", index, "buffers", at), EncodedValue(b"null", buffers=(((), data),)))
                for at, data in enumerate(one.buffers)
            )
            buffers: list[Any] = [None] * len(one.buffers)
            messages.append(Message(one.n, one.widget_id, one.inst, msgspec.Raw(one.content.json), buffers))
            self._sent_n = one.n
            if room is not None:
                room -= one.size_bytes
        self.is_ack_due = False
        self._sent_ack = session.ack
        self._debt.own_values = {key: own for key, own in self._debt.own_values.items() if own.seq > session.ack}
        return msgspec.structs.replace(sync, ack=session.ack, msgs=messages, rejects=rejects, lost_msgs=lost_n)

"""A page's edits and messages in `rdit/1`, from where they are made to where Python has acknowledged them.

An op waits in the queue, or, if its widget is absent, until that comes back (an *orphan*); then it is in a batch that
is under way. All that time its slot is pending.

**At most once.** A batch has a number. After a lost connection it is sent again unchanged, and the server knows whether
it had it. One that the server cannot read, as far as can be told, is given up after the second time: it would end every
connection that is to come, and nothing behind it would ever arrive.

The browser's `edits.js` follows the same rules.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from .client_events import ClientEvents
from .client_queue import ClientQueue, Edit, Post, QueuedOp, SentBatch
from .client_shown import ClientShown
from .client_widgets import ClientWidgets, Touched
from .encoding import EncodedValue
from .frames import encode_frame
from .limits import Limits
from .messages import Batch, MsgOp, SetOp, WelcomeLimits
from .slots import SlotKey

_MAX_STRIKES: Final = 2
"""A batch that met this many frame errors is given up."""
_MAX_LAST_BATCHES: Final = 1_000
"""More than a queue ever makes: a page that leaves does not wait for acknowledgements."""

_BATCH_BYTES: Final = 128
"""About what a batch takes in a frame beside its ops."""


class ClientEdits:
    """The edits and messages of one page."""

    def __init__(self, limits: Limits, widgets: ClientWidgets, shown: ClientShown, events: ClientEvents) -> None:
        self.queue = ClientQueue(limits)
        """What waits to leave."""
        self.inflight: deque[SentBatch] = deque()
        """The batches that are under way."""
        self.orphans: dict[SlotKey, Edit] = {}
        """The edits of widgets that are absent."""
        self.room = 0
        """Bytes that the ops of one batch may take."""
        self._limits = limits
        self._widgets = widgets
        self._shown = shown
        self._events = events
        self._max_inflight = self._max_ops = 0
        self._seq = 0
        self._group = 0
        self._resend = False
        self._unsettled: Touched = {}
        """Slots that a batch gave up outside of a `sync`, to be shown as confirmed with the next one."""
        self._seen_revs: dict[SlotKey, int] = {}
        """Of slots that are written only as they were seen: what the page showed when it was edited."""
        self.fit(None)

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits and nothing is under way."""
        return not self.queue and not self.inflight and not self.orphans

    def fit(self, limits: WelcomeLimits | None) -> None:
        """Keep to what the server takes; None while it has not said so."""
        if limits is None:
            self.room = self._limits.max_frame_bytes - _BATCH_BYTES
        else:
            self.room = limits.max_frame - _BATCH_BYTES
            self._max_inflight, self._max_ops = limits.max_inflight, limits.max_ops

    def too_large(self) -> str:
        """Why an op is refused that no batch has room for."""
        return f"The server takes no frame longer than {self.room} bytes"

    # In.

    def new_group(self) -> int:
        """A number for edits that belong together."""
        self._group += 1
        return self._group

    def seen_rev(self, key: SlotKey) -> int:
        """The revision that a page shows of a slot, or showed when it was edited: what is confirmed of a pending slot
        is not shown. 0 for one that this server never told of.
        """
        seen = self._seen_revs.get(key) if key in self._shown.pending else None
        if seen is None:
            confirmed = self._widgets.confirmed(key)
            seen = self._seen_revs[key] = confirmed[1] if confirmed is not None else 0
        return seen

    def forget_seen(self) -> None:
        """Another server: its values are none that a page has seen when it was edited."""
        self._seen_revs = dict.fromkeys(self._seen_revs, 0)

    def put(self, edit: Edit) -> None:
        """Queue an edit, or keep it for a widget that is absent. Its slot is pending from here on."""
        if edit.widget_id in self._widgets.absent:
            is_new = self.orphans.pop(edit.key, None) is None
            self.orphans[edit.key] = edit
        else:
            is_new = self.queue.put(edit)
        if is_new:
            self._shown.mask(edit.key)

    def post(self, post: Post, *, bounded: bool) -> None:
        """Queue a message. With `bounded`, the oldest make room for it."""
        for gone in self.queue.post(post, bounded=bounded):
            if isinstance(gone, Edit):
                self._shown.unmask(gone.key)
            else:
                self._events.message_lost(gone, "queue_full", "Too many messages wait for the connection")

    # Out.

    def add_frames(self, frames: list[str | bytes]) -> None:
        """Add what may leave while live, and while fewer batches than the limit are under way."""
        if self._resend:
            self._resend = False
            frames.extend(batch.frame for batch in self.inflight)
        if self.queue:
            frames.extend(self._cut(self._max_inflight))

    def last_frames(self) -> list[str | bytes]:
        """The page leaves: all of it goes, and nobody will be there to hear what became of it."""
        frames = list(self._cut(len(self.inflight) + _MAX_LAST_BATCHES))
        self.inflight.clear()
        return frames

    def resend(self) -> None:
        """A connection is live again: what is under way goes out again."""
        self._resend = bool(self.inflight)

    def ended(self) -> None:
        """The transport is gone."""
        self._resend = False

    def count_from(self, ack: int) -> None:
        """A session of the server's begins, with its own numbers: the next batch follows this one."""
        self._seq = ack

    def _cut(self, max_inflight: int) -> Iterator[str | bytes]:
        """Move the front of the queue into batches, as long as fewer than that are under way."""
        too_large: list[SlotKey] = []
        while self.queue and len(self.inflight) < max_inflight:
            ops = self.queue.take(self.room, self._max_ops)
            if len(ops) == 1 and ops[0].size_bytes > self.room:
                # Queued before anybody said how much the server takes.
                too_large.extend(self._give_up_op(ops[0], "too_large", self.too_large()))
                continue
            self._seq += 1
            for op in ops:
                if isinstance(op, Edit):
                    confirmed = self._widgets.confirmed(op.key)
                    op.sent_rev = confirmed[1] if confirmed is not None else 0
            strikes = max(op.strikes for op in ops)
            batch = SentBatch(self._seq, ops, _encode_batch(self._seq, ops), strikes)
            self.inflight.append(batch)
            yield batch.frame
        if too_large:
            self._shown.show(too_large)

    # What becomes of them.

    def sent_value(self, seq: int, index: int) -> EncodedValue | None:
        """The value of an op that is under way."""
        for batch in self.inflight:
            if batch.seq == seq and index < len(batch.ops):
                op = batch.ops[index]
                return op.value if isinstance(op, Edit) else None
        return None

    def settle(self, ack: int, touched: Touched) -> dict[int, SentBatch]:
        """Drop the batches that are done. Returns them by number."""
        settled: dict[int, SentBatch] = {}
        while self.inflight and self.inflight[0].seq <= ack:
            batch = self.inflight.popleft()
            settled[batch.seq] = batch
            for op in batch.ops:
                if isinstance(op, Edit):
                    self._shown.unmask(op.key)
                    touched[op.key] = op.value
        return settled

    def take_unsettled(self) -> Touched:
        """Slots of what was given up since the last `sync`."""
        unsettled, self._unsettled = self._unsettled, {}
        return unsettled

    def strike(self, seq: int | None) -> bool:
        """The server could not read a frame. If it was a batch, everything from the one that it misses goes again.

        Args:
            seq: the number of the batch that the server misses.

        Returns:
            Whether that batch is under way.
        """
        missed = next((batch for batch in self.inflight if batch.seq == seq), None)
        if missed is None:
            return False
        self._strike(missed)
        self._resend = True
        return True

    def strike_oldest(self) -> None:
        """A connection ended as if what the oldest batch holds were the reason."""
        if self.inflight:
            self._strike(self.inflight[0])

    def give_up(self, code: str, text: str) -> None:
        """Report everything that was not acknowledged."""
        ops: list[QueuedOp] = [op for batch in self.inflight for op in batch.ops]
        ops.extend(self.queue.clear())
        ops.extend(self.orphans.values())
        self.orphans.clear()
        self.inflight.clear()
        self._shown.pending.clear()
        edits = {op.key: op for op in ops if isinstance(op, Edit)}
        for edit in edits.values():
            self._events.edit_lost(edit, code, text)
        for op in ops:
            if isinstance(op, Post):
                self._events.message_lost(op, code, text)

    def _strike(self, batch: SentBatch) -> None:
        batch.strikes += 1
        for op in batch.ops:
            op.strikes = batch.strikes
        if batch.strikes < _MAX_STRIKES or not batch.ops:
            return
        for op in batch.ops:
            for key in self._give_up_op(op, "undeliverable", "The server cannot read it"):
                self._unsettled[key] = None
        batch.ops = []
        batch.frame = _encode_batch(batch.seq, [])

    def _give_up_op(self, op: QueuedOp, code: str, text: str) -> list[SlotKey]:
        """Report one that will never arrive. Returns its slot, which is to show what is confirmed."""
        if isinstance(op, Post):
            self._events.message_lost(op, code, text)
            return []
        self._shown.unmask(op.key)
        self._events.edit_lost(op, code, text)
        return [op.key]


def _encode_batch(seq: int, ops: Sequence[QueuedOp]) -> str | bytes:
    wire: list[SetOp | MsgOp] = []
    values: list[tuple[Sequence[str | int], EncodedValue]] = []
    for index, op in enumerate(ops):
        if isinstance(op, Edit):
            wire.append(SetOp(op.widget_id, op.inst, op.name, msgspec.Raw(op.value.json), op.if_rev))
            values.append((("ops", index, "value"), op.value))
            continue
        wire.append(MsgOp(op.widget_id, op.inst, msgspec.Raw(op.content.json), [None] * len(op.buffers)))
        values.append((("ops", index, "content"), op.content))
        values.extend(
            (("ops", index, "buffers", at), EncodedValue(b"null", buffers=(((), data),)))
            for at, data in enumerate(op.buffers)
        )
    return encode_frame(Batch(seq, wire), values)

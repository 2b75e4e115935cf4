"""The server's end of one connection in base mode, sans-IO.

The adapter feeds frames in and drains frames out; it owns the socket, the clock and the tasks. Its duties:

- `receive_frame` must be called with every frame, in order, and `receive_eof` once when the socket is gone.
- After either, after `handle_timeout`, and whenever `wakeup` was called, it should drain `frames_to_send` and send the
  frames in order. Draining only when the previous frames are sent is what bounds memory: what is not drained is kept as
  "this slot is dirty", and an update that is overtaken is never built, unless it was taken back (`outbox`).
- When `next_deadline` has passed it must call `handle_timeout`.
- While `is_congested` it should not read: the transport then holds the peer back, and memory stays bounded.

`receive_frame` and the drains may be called on any thread. None of them runs user code: that is `apply_pending`'s, on
the kernel's thread (see `manager`). `wakeup` is called from any thread, outside of all locks.

**Order.** Each `widget_update` gets exactly one reply, in order, and a frame that was none gets its `error` in the same
order. Replies wait for the kernel; pushes do not.

**The trailing correction.** A page that has just sent a value shows that value. It is not told its own writes again (an
echo would arrive while the user is already further, and the slider would jump back), so when a validator clamps, a
write is refused or another page wrote in between, it would stay wrong. Hence: `Limits.correction_s` after its last
update of a property, the present value is pushed to it, if that is not what it sent last or if anything was ever pushed
to it for that property, for then nobody knows which of the two it saw last.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec

from .encoding import EncodedValue, encode_value
from .errors import RemoteProtocolError, UnknownWidget, WriteRefused
from .events import ConnectionEvent, FrameRefused, UpdateReceived
from .frames import decode_client_message, encode_message
from .limits import Limits
from .messages import Ack, BaseServerMessage, Error, Output, WidgetUpdate
from .outbox import Change, Moment, Outbox
from .slots import Slot, SlotKey

_log = logging.getLogger("rdit")

_MAX_OUTPUTS: Final = 10_000
"""Output events kept for a peer that does not read; beyond, the oldest go (the event stream still has them, and the
peer sees the gap in `n`)."""

_MAX_EVENTS: Final = 10_000
"""Events kept for an adapter that does not ask for them; beyond, the oldest go."""


class ConnectionCore(Protocol):
    """What a connection asks of its manager."""

    lock: threading.RLock
    """Guards slots and every connection's outbox. Held for moments, never while user code runs."""

    def enqueue(self, update: PendingUpdate) -> None:
        """Keep an update until `apply_pending`; tell the host that something waits."""

    def write(self, connection: BaseServerConnection, message: WidgetUpdate, received_s: float) -> BaseException | None:
        """Run one update. Raises `WriteRefused` or `UnknownWidget` when nothing changed. Returns what interrupted an
        observer (`KeyboardInterrupt`, `SystemExit`), which must go on once the update is answered.
        """

    def find_slot(self, widget_id: str, property: str) -> Slot | None:
        """A slot, or None when there is no such slot. Called with the lock held."""

    def disconnected(self, connection: BaseServerConnection) -> None:
        """The connection ended."""


@dataclass(slots=True, eq=False)
class _Reply:
    """The place of one reply in the order; filled when it is known."""

    message: BaseServerMessage | None = None


@dataclass(slots=True, eq=False)
class _OwnWrite:
    """What the peer wrote to one slot last, until its trailing correction is settled."""

    received_s: float
    waiting: int = 0
    """Updates that are not answered yet; no correction before they are."""
    sent: bytes | None = None
    """The last answered value in canonical form; None when it has none, and so equals nothing."""
    is_gone: bool = False
    """The widget was let go meanwhile. The next one under its id is another one: these updates are not for it."""


@dataclass(slots=True, eq=False)
class PendingUpdate:
    """A checked `widget_update` that waits for the kernel's thread."""

    connection: BaseServerConnection
    message: WidgetUpdate
    reply: _Reply
    own: _OwnWrite
    size_bytes: int
    """Of the frame; what it holds of `Limits.max_waiting_bytes`."""

    def apply(self) -> None:
        """Run it and fill the reply, whatever happens. Kernel's thread only."""
        self.connection.apply(self)


class BaseServerConnection:
    """One peer in base mode. Made by `WidgetManager.connect`."""

    mode: Final = "base"

    def __init__(
        self,
        core: ConnectionCore,
        limits: Limits,
        *,
        connection_id: int,
        user: str,
        wakeup: Callable[[], None] | None,
        output: bool,
    ) -> None:
        self.connection_id = connection_id
        self.user = user
        self.wants_output = output
        self.is_open = True
        self.closing: None = None
        """Base mode never closes by itself."""
        self._core = core
        self._limits = limits
        self._wakeup = wakeup
        self._events: deque[ConnectionEvent] = deque(maxlen=_MAX_EVENTS)
        self._replies: deque[_Reply] = deque()
        self._outbox = Outbox(limits, self._keep)
        self._dirty = self._outbox.dirty
        self._pushed: set[SlotKey] = set()
        self._own: dict[SlotKey, _OwnWrite] = {}
        self._outputs: deque[Output] = deque(maxlen=_MAX_OUTPUTS)
        self._waiting_bytes = 0

    @property
    def is_congested(self) -> bool:
        """Whether the adapter should read no further frame for now: the kernel is behind, or the peer does not read.

        It ends with the next `wakeup`, or with a drain.
        """
        return self.is_open and (
            self._waiting_bytes >= self._limits.max_waiting_bytes
            or len(self._replies) >= self._limits.max_waiting_frames
        )

    def receive_frame(self, frame: str | bytes, now_s: float) -> None:
        """Decode one frame and queue what it asks. Never raises for what the frame holds.

        Args:
            frame: text or its UTF-8 bytes.
            now_s: the host's monotonic clock, in seconds.
        """
        if not self.is_open:
            return
        reply = _Reply()
        try:
            message = decode_client_message(frame, self._limits)
        except RemoteProtocolError as error:
            reply.message = Error(message=str(error), code=error.code)
            with self._core.lock:
                self._replies.append(reply)
                self._events.append(FrameRefused(error.code))
            self.wake()
            return
        key = (message.widget_id, message.property)
        with self._core.lock:
            self._replies.append(reply)
            self._events.append(UpdateReceived(*key))
            own = self._own.get(key)
            if own is None:
                own = self._own[key] = _OwnWrite(now_s)
            own.received_s = now_s
            own.waiting += 1
            self._waiting_bytes += len(frame)
        self._core.enqueue(PendingUpdate(self, message, reply, own, len(frame)))

    def receive_eof(self, now_s: float = 0.0) -> None:
        """The socket is gone. Updates that were received still apply; nothing more is sent. Idempotent."""
        with self._core.lock:
            if not self.is_open:
                return
            self.is_open = False
            self._replies.clear()
            self._outbox.clear()
            self._own.clear()
            self._outputs.clear()
        self._core.disconnected(self)

    def events_received(self) -> list[ConnectionEvent]:
        """What arrived since the last call, in order."""
        with self._core.lock:
            events = list(self._events)
            self._events.clear()
        return events

    def frames_to_send(self, now_s: float = 0.0) -> Sequence[str | bytes]:
        """Take what there is to send: replies that are known, in order, then pushes with present values, then
        output. Text only, and `now_s` means nothing: both are for adapters that carry either mode.
        """
        messages: list[BaseServerMessage] = []
        with self._core.lock:
            while self._replies and self._replies[0].message is not None:
                messages.append(self._replies.popleft().message)  # type: ignore[arg-type]  # checked in the line above
            for moment in self._outbox.moments:
                for key, slot in moment.slots.items():
                    self._push(key, slot, messages)
            for key in self._dirty:
                present = self._core.find_slot(*key)
                if present is not None:
                    self._push(key, present, messages)
            self._outbox.clear()
            messages.extend(self._outputs)
            self._outputs.clear()
        return [encode_message(message) for message in messages]

    def next_deadline(self) -> float | None:
        """When `handle_timeout` must be called next, on the clock that `now_s` comes from; None for never."""
        with self._core.lock:
            settled = [own.received_s for own in self._own.values() if not own.waiting]
        return min(settled) + self._limits.correction_s if settled else None

    def handle_timeout(self, now_s: float) -> None:
        """Queue the trailing corrections that are due. Harmless when none is."""
        with self._core.lock:
            for key, own in list(self._own.items()):
                if own.waiting or own.received_s + self._limits.correction_s > now_s:
                    continue
                del self._own[key]
                present = self._core.find_slot(*key)
                if present is not None and (present.value.base != own.sent or key in self._pushed):
                    self._dirty[key] = None

    # What the manager calls.

    def mark(self, key: SlotKey) -> None:
        """Push the present value of a slot at the next drain. Call with the lock held, then `wake`."""
        if self.is_open:
            self._outbox.mark(key)

    def change(self, changes: Sequence[Change]) -> Sequence[SlotKey]:
        """Slots are about to change: push them. Call with the lock held, before they do; then `wake`.

        Returns:
            Slots of which a value was swallowed for it (see `outbox`).
        """
        return self._outbox.change(changes) if self.is_open else ()

    def change_one(self, key: SlotKey, before: EncodedValue, after: EncodedValue) -> Sequence[SlotKey]:
        """`change` of one slot, for the many that come one by one."""
        return self._outbox.change_one(key, before, after) if self.is_open else ()

    def _keep(self, keys: Iterable[SlotKey]) -> Moment:
        return Moment({key: slot for key in keys if (slot := self._core.find_slot(*key)) is not None})

    def _push(self, key: SlotKey, slot: Slot, messages: list[BaseServerMessage]) -> None:
        messages.append(WidgetUpdate(*key, msgspec.Raw(slot.value.base)))
        self._pushed.add(key)

    def forget(self, widget_id: str) -> None:
        """A widget is gone: nothing of it is pushed any more. Call with the lock held."""
        self._outbox.forget(widget_id)
        for key in [key for key in self._own if key[0] == widget_id]:
            self._own.pop(key).is_gone = True
        self._pushed = {key for key in self._pushed if key[0] != widget_id}

    def queue_output(self, output: Output) -> bool:
        """Queue an execution event if this peer asked for output. Returns whether nothing older had to go for it."""
        if not (self.wants_output and self.is_open):
            return True
        with self._core.lock:
            had_room = len(self._outputs) < _MAX_OUTPUTS
            self._outputs.append(output)
        self.wake()
        return had_room

    def wake(self) -> None:
        """Tell the adapter to drain. Call without the lock. Runs on the thread of whoever set a trait, so that an
        adapter's trouble (a loop that is closed) is logged and does not become theirs.
        """
        if self._wakeup is not None and self.is_open:
            try:
                self._wakeup()
            except Exception:
                _log.exception("wakeup of connection %d failed", self.connection_id)

    def apply(self, update: PendingUpdate) -> None:
        """Run one of this connection's updates on the kernel's thread."""
        message = update.message
        key = (message.widget_id, message.property)
        answer: BaseServerMessage | None = None
        sent: bytes | None = None
        interrupt: BaseException | None = None
        try:
            if update.own.is_gone:
                raise UnknownWidget(message.widget_id)
            # Before the widget owns the value: an observer may edit it in place.
            sent = encode_value(message.value, max_depth=self._limits.max_depth)
            interrupt = self._core.write(self, message, update.own.received_s)
            answer = Ack(*key)
        except (WriteRefused, UnknownWidget) as error:
            answer = Error(str(error), error.code, *key)
        except Exception:  # Such as a trait that cannot say what it expects. No update harms the next one.
            _log.exception("update of %s.%s failed", *key)
        finally:
            # Also when the user interrupts an observer: each update gets its one reply.
            with self._core.lock:
                update.reply.message = answer or Error("Update was not applied", "internal", *key)
                self._waiting_bytes -= update.size_bytes
                update.own.waiting -= 1
                # After an error nobody knows what the peer shows, so it is told.
                update.own.sent = sent if isinstance(answer, Ack) else None
            self.wake()
        if interrupt is not None:
            raise interrupt

"""The server's end of one connection in `rdit/1`, sans-IO.

The adapter feeds frames in and drains frames out; it owns the socket, the clock and the tasks. Its duties:

- `receive_frame` must be called with every frame, in order, and `receive_eof` once when the transport is gone.
- After either, after `handle_timeout`, and whenever `wakeup` was called, it should drain `frames_to_send` and send the
  frames in order; and should do so only when the frames before are sent, for what is not drained is not built.
- When `next_deadline` has passed it must call `handle_timeout`.
- While `is_congested` it should not read.
- When `closing` says so, it must close the transport with that code, after what the last drain gave is sent.

`receive_frame` decodes, checks and queues; it never runs user code, and may be called on any thread. So may the drains:
a flush joins bytes that were encoded when the values were set.

**The outbox is a set of slots**, never a list of changes: `_dirty` holds keys, and a `sync` that is cut reads the
present values. So a slow reader costs what the state costs. What was set and taken back before it went out is kept, and
goes first, within limits of its own (`outbox`): a *moment* is a `sync` that was cut early. How many frames may be under
way is bounded by credit: the client acknowledges each, and a client that does not, without any progress of its
transport, loses its connection.

**Ack and changes.** A batch is acknowledged in a `sync` that is cut after the batch was applied, and a `sync` that is
complete holds every slot that is dirty. So a client never sees the ack without the changes.

**Parts.** State larger than `max_sync_bytes` goes out in several frames, `more` on all but the last. They are cut one
at a time, each from what is dirty at that moment; a slot that changes meanwhile goes out again in a later part. Only
the last part empties the outbox, and the client applies them together, so it never shows half of a change. A slot that
changes faster than its parts are sent would put the last one off for ever: after as many parts as there were things to
send at the start, one part takes all that is left.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol

import msgspec

from ._transitions import ServerState, ServerStep, server_step
from .access import Verdict
from .encoding import FORBIDDEN_KEYS, EncodedValue, encode
from .errors import RemoteProtocolError
from .events import BatchReceived, ConnectionEvent, FrameRefused, Reported
from .frames import decode_client_frame, encode_frame
from .limits import Limits
from .messages import (
    Batch,
    ClientMessage,
    Error,
    Hello,
    Message,
    Op,
    OpenedWidget,
    Output,
    Ping,
    Pong,
    Reject,
    Report,
    SetOp,
    Subscribe,
    Sync,
    SyncAck,
    Welcome,
    WelcomeLimits,
)
from .outbox import Change as SlotChange
from .outbox import Description, Moment, Outbox
from .session import Session, Sessions
from .slots import Slot, SlotKey

_log = logging.getLogger("rdit")

PROTOCOL: Final = 1

_OP_BYTES: Final = 64
"""About what an entry of a `sync` takes beside its value."""

_EXTRA_PARTS: Final = 16

_OWN_VALUE_BYTES: Final = 16 * 1024
"""From this size on a value is not sent back to the page that it came from, but named (`Sync.same`)."""

_FEW: Final = 64
"""Slots that `_cut_small` looks at; beyond, the general way costs no more."""

_FLOOD: Final = 2
"""How many times the bound of congestion a peer may go beyond it before it counts as flooding: an adapter that stops
reading when told to never gets there."""

_MAX_EVENTS: Final = 10_000
"""Events kept for an adapter that does not ask for them; beyond, the oldest go."""

_MAX_OUTPUTS: Final = 10_000
"""Output events kept for a peer that does not read; beyond, the oldest go."""


Change = tuple[str, int, str, Any, int]
Same = tuple[str, int, str, int, int, int]


class Closing(NamedTuple):
    """How the adapter must close the transport."""

    code: int
    reason: str


CLOSE_CODES: Final = {
    "server_shutdown": 4000,
    "internal": 4001,
    "slow_consumer": 4002,
    "heartbeat_timeout": 4003,
    "session_replaced": 4004,
    "flooding": 4005,
    "seq_gap": 4006,
    "unauthorized": 4500,
    "unsupported_protocol": 4501,
    "bad_protocol": 4502,
    "forbidden": 4503,
    "connection_limit": 4504,
}
"""Reason to close code. After 4000 to 4499 a client comes back by itself, after 4500 to 4999 it does not."""


class _SmallSync(msgspec.Struct, frozen=True, tag="sync", gc=False, omit_defaults=True):
    """A `Sync` with a few changes, and the fields that it then has."""

    frame: int
    rev: int
    ack: int
    changes: list[Change] = []


class WidgetCore(Protocol):
    """What a connection asks of its manager."""

    lock: threading.RLock

    @property
    def epoch(self) -> str:
        """Names the lifetime of the core."""

    @property
    def revision(self) -> int:
        """The last one that was given."""

    def next_revision(self) -> int:
        """One that no state has. With the lock held."""

    def instances(self) -> dict[str, int]:
        """Widget id to inst, of all that are open. With the lock held; not to be changed."""

    def describe(self, widget_id: str) -> Description:
        """An open widget. With the lock held."""

    def slot(self, widget_id: str, property: str) -> Slot:
        """A slot of an open widget that was marked. With the lock held; a slot lives as long as its widget."""

    def closed_since(self, rev: int) -> list[tuple[str, int]] | None:
        """Widget id and inst of what closed after a revision; None when that is not remembered. With the lock held."""

    def changed_since(self, widget_id: str, rev: int) -> list[str]:
        """Properties of an open widget that are newer than a revision. With the lock held."""

    def enqueue(self, pending: PendingBatch) -> None:
        """Keep a batch until `apply_pending`."""

    def apply_batch(self, session: Session, seq: int, ops: Sequence[Op]) -> tuple[list[Reject], BaseException | None]:
        """Run one batch. Returns the verdicts that are not plain success, and what interrupted an observer."""

    def pay_owed(self) -> None:
        """Wake what was held back while a batch is applied."""

    def joined(self, connection: ServerConnection, session: Session, *, came_back: bool, resumed: bool) -> None:
        """The peer said hello and is let in; it named a session or not, which is there still or not."""

    def disconnected(self, connection: ServerConnection) -> None:
        """The connection ended."""

    def reported(self, connection: ServerConnection, report: Report) -> None:
        """A widget's JavaScript failed."""


@dataclass(slots=True, eq=False)
class PendingBatch:
    """A batch that waits for the kernel's thread."""

    core: WidgetCore
    session: Session
    connection: ServerConnection
    batch: Batch
    size_bytes: int
    max_ops: int

    def apply(self) -> None:
        """Run it and acknowledge it, whatever happens. Kernel's thread only."""
        session, seq = self.session, self.batch.seq
        rejects: list[Reject] | None = None
        interrupt: BaseException | None = None
        try:
            if len(self.batch.ops) > self.max_ops:
                # Perhaps by millions, and all of them refused already.
                rejects = [Reject(seq, 0, "too_large", "The batch has too many ops")]
            else:
                if self.size_bytes >= _OWN_VALUE_BYTES and self.connection.is_open:
                    self.connection.remember(self.batch)
                rejects, interrupt = self.core.apply_batch(session, seq, self.batch.ops)
        except Exception:  # No batch harms the next one.
            _log.exception("batch %d of a session failed", seq)
        finally:
            with self.core.lock:
                for reject in rejects if rejects is not None else [Reject(seq, 0, "internal", "Not applied")]:
                    session.add_reject(reject)
                session.ack = seq
                self.connection.applied(self.size_bytes)
                connection = session.connection
            self.core.pay_owed()
            if connection is not None:
                connection.wake()
            if connection is not self.connection:
                self.connection.wake()
        if interrupt is not None:
            raise interrupt


class _OwnValue(NamedTuple):
    """A large value that the peer sent, and the op it came in."""

    value: EncodedValue
    seq: int
    op: int


class _Sent(msgspec.Struct, frozen=True, gc=False):
    """A `sync` that the client has not acknowledged."""

    frame: int
    size_bytes: int
    reject_number: int
    n: int


class ServerConnection:
    """One peer in `rdit/1`. Made by `WidgetManager.connect`."""

    # Beyond thirty attributes a dict is no longer shared between instances, and all lookups get slower.
    mode: Final = "v1"

    def __init__(
        self,
        core: WidgetCore,
        limits: Limits,
        sessions: Sessions,
        verdict: Verdict,
        *,
        connection_id: int,
        wakeup: Callable[[], None] | None,
        output: bool,
        may_see: Callable[[str], bool] | None,
        authenticate: Callable[[Any], Verdict] | None,
        now_s: float,
    ) -> None:
        self.connection_id = connection_id
        self.user = verdict.user
        self.wants_output = output
        self.state: ServerState = "hello"
        self.is_open = True
        """Whether frames still go either way: until it is closing or closed. For reading."""
        self.has_joined = False
        """Whether the peer ever said hello and was let in."""
        self.session: Session | None = None
        self._core = core
        self._limits = limits
        self._sessions = sessions
        self._verdict = verdict
        self._wakeup = wakeup
        self._may_see = may_see
        self._authenticate = authenticate
        self._closing: Closing | None = None
        self._events: deque[ConnectionEvent] = deque(maxlen=_MAX_EVENTS)
        self._control: deque[Welcome | Error | Ping | Pong] = deque()
        self._outputs: deque[Output] = deque(maxlen=_MAX_OUTPUTS)
        self._waiting_bytes = 0
        self._waiting_batches = 0
        self._bad_frames = 0
        # What the peer is owed.
        self._known: dict[str, int] = {}
        """Inst of every widget that the peer knows, or is about to be told of."""
        self._opens: dict[str, None] = {}
        self._outbox = Outbox(limits, self._keep)
        self._dirty = self._outbox.dirty
        self._closes: dict[tuple[str, int], None] = {}
        self._own_values: dict[SlotKey, _OwnValue] = {}
        """Large values that this peer sent on this connection and holds until they are acknowledged."""
        self._live_due = False
        self._ack_due = False
        self._parts_left: int | None = None
        """While a `sync` in parts is under way: after how many more of them the rest goes in one."""
        # What it was sent.
        self._frame = 0
        self._sent_ack = 0
        self._sent_reject = 0
        self._sent_n = 0
        self._unacked: deque[_Sent] = deque()
        self._unacked_bytes = 0
        # Time.
        self._opened_s = now_s
        self._heard_s = now_s
        self._pinged_s = now_s
        self._progress_s = now_s
        self._ping_id = 0
        self._owed_s: float | None = None
        """When what a batch of this connection holds back must go out, though the batch be not done."""

    # The adapter's side.

    @property
    def is_congested(self) -> bool:
        """Whether the adapter should read no further frame for now; it ends with the next `wakeup`, or with a drain."""
        limits = self._limits
        return (
            self._waiting_bytes >= limits.max_waiting_bytes
            or self._waiting_batches >= limits.max_waiting_frames
            or len(self._control) >= limits.max_waiting_frames
        ) and self.is_open

    @property
    def closing(self) -> Closing | None:
        """How the transport must be closed, once what `frames_to_send` gave is sent; None while it lives."""
        return self._closing if self.state == "closing" else None

    def receive_frame(self, frame: str | bytes, now_s: float) -> None:
        """Decode one frame and queue what it asks. Never raises for what the frame holds.

        Args:
            frame: text, its UTF-8 bytes, or a binary frame.
            now_s: the host's monotonic clock, in seconds.
        """
        if not self.is_open:
            return
        self._heard_s = self._progress_s = now_s
        try:
            message = decode_client_frame(frame, self._limits)
        except RemoteProtocolError as error:
            self._refuse(error, now_s)
            self.wake()
            return
        if self._take_batch(message, len(frame), now_s) if isinstance(message, Batch) else self._take(message, now_s):
            self.wake()

    def receive_eof(self, now_s: float) -> None:
        """The transport is gone. Batches that were received still apply; nothing more is sent. Idempotent."""
        with self._core.lock:
            if self.state == "closed":
                return
            self._let_go(now_s)
            self._step("eof")
            self._control.clear()
            self._outputs.clear()
        self._core.disconnected(self)

    def close(self, code: int, reason: str, now_s: float) -> None:
        """End the connection from this side; see `CLOSE_CODES`. The session stays, for a client that comes back."""
        with self._core.lock:
            self._close(Closing(code, reason), now_s)
        self.wake()

    def events_received(self) -> list[ConnectionEvent]:
        """What arrived since the last call, in order."""
        with self._core.lock:
            events = list(self._events)
            self._events.clear()
        return events

    def frames_to_send(self, now_s: float) -> list[str | bytes]:
        """Take what there is to send: first what the connection itself has to say, then state, then output."""
        frames: list[str | bytes] = []
        with self._core.lock:
            while self._control:
                frames.append(encode_frame(self._control.popleft()))
            session = self.session
            if session is not None and self.is_open:
                while self._is_due(session) and self._has_credit():
                    if not self._unacked:
                        self._progress_s = now_s
                    frames.append(self._cut(session))
                while self._outputs:
                    frames.append(encode_frame(self._outputs.popleft()))
        return frames

    def transport_progressed(self, now_s: float) -> None:
        """Bytes left for the peer: it reads, if slowly. Optional; for transports that can tell."""
        self._progress_s = now_s

    def next_deadline(self) -> float | None:
        """When `handle_timeout` must be called next, in seconds of the clock that `now_s` comes from."""
        if not self.is_open:
            return None
        limits = self._limits
        if self.state == "hello":
            return self._opened_s + limits.first_frame_s
        # Asked for after every frame, and `min` costs more than all of it.
        deadline, silent_s = self._pinged_s + limits.ping_s, self._heard_s + limits.silence_s
        if silent_s < deadline:
            deadline = silent_s
        if self._unacked and not self._has_credit() and self._progress_s + limits.stall_s < deadline:
            deadline = self._progress_s + limits.stall_s
        owed_s = self._owed_s
        return owed_s if owed_s is not None and owed_s < deadline else deadline

    def handle_timeout(self, now_s: float) -> None:
        """Do what is due: a ping, or the end of a connection that is dead or stuck. Harmless when nothing is."""
        if self._owed_s is not None and now_s >= self._owed_s:
            self._owed_s = now_s + self._limits.owed_s  # Again: the batch may not even have begun.
            self._core.pay_owed()
        with self._core.lock:
            if not self.is_open:
                return
            limits = self._limits
            if self.state == "hello":
                if now_s >= self._opened_s + limits.first_frame_s:
                    # Not for good: an honest hello may have been lost on the way.
                    self._fail("heartbeat_timeout", f"No hello within {limits.first_frame_s:g} s", now_s)
            elif now_s >= self._heard_s + limits.silence_s:
                self._close(Closing(CLOSE_CODES["heartbeat_timeout"], "heartbeat_timeout"), now_s)
            elif self._is_stalled() and now_s >= self._progress_s + limits.stall_s:
                self._close(Closing(CLOSE_CODES["slow_consumer"], "slow_consumer"), now_s)
            elif now_s >= self._pinged_s + limits.ping_s:
                self._pinged_s = now_s
                self._ping_id += 1
                self._control.append(Ping(self._ping_id))

    # What the manager calls.

    def mark(self, key: SlotKey) -> None:
        """The present value of a slot goes with the next `sync`. Call with the lock held, then `wake`."""
        if key[0] in self._known and key[0] not in self._opens:
            self._outbox.mark(key)

    def change(self, changes: Sequence[SlotChange]) -> Sequence[SlotKey]:
        """Slots are about to change: that goes with the next `sync`. Call with the lock held, before they do; then
        `wake`.

        Returns:
            Slots of which a value was swallowed for it (see `outbox`).
        """
        widget_id = changes[0][0][0]
        if len(changes) > 1:
            changes = [one for one in changes if one[0][0] in self._known and one[0][0] not in self._opens]
        elif widget_id not in self._known or widget_id in self._opens:
            return ()
        if self.state != "live":
            # Nobody knows yet what the peer was told, in a connection before this one.
            changes = [(key, None, value) for key, _, value in changes]
        return self._outbox.change(changes, is_in_parts=self._parts_left is not None)

    def change_one(self, key: SlotKey, before: EncodedValue, after: EncodedValue) -> Sequence[SlotKey]:
        """`change` of one slot, for the many that come one by one."""
        if self._parts_left is not None or self.state != "live":
            return self.change([(key, before, after)])
        if key[0] in self._known and key[0] not in self._opens:
            return self._outbox.change_one(key, before, after)
        return ()

    def _keep(self, keys: Iterable[SlotKey]) -> Moment:
        """What would go now if it could."""
        opens: dict[str, Description] = {}
        for widget_id in self._opens:
            description = self._core.describe(widget_id)
            opens[widget_id] = description._replace(slots=dict(description.slots))
        self._opens.clear()
        return Moment({key: self._core.slot(*key) for key in keys}, opens, self._core.revision)

    def mark_open(self, widget_id: str, inst: int) -> None:
        """A widget opened. Call with the lock held, then `wake`."""
        if self.session is not None and self.session.shows(widget_id):
            self._known[widget_id] = inst
            self._opens[widget_id] = None

    def forget(self, widget_id: str) -> None:
        """A widget closed. Call with the lock held, then `wake`."""
        inst = self._known.pop(widget_id, None)
        if inst is None:
            return
        was_news = self._outbox.forget(widget_id)
        if widget_id in self._opens:
            del self._opens[widget_id]  # It never heard of it.
        elif not was_news:
            self._closes[widget_id, inst] = None

    def remember(self, batch: Batch) -> None:
        """Keep the large values of a batch that is about to be applied, so that they need not be sent back."""
        for index, op in enumerate(batch.ops):
            if isinstance(op, SetOp):
                value = encode(op.value, max_depth=self._limits.max_depth)
                if value.size_bytes >= _OWN_VALUE_BYTES:
                    with self._core.lock:
                        self._own_values[op.widget_id, op.property] = _OwnValue(value, batch.seq, index)

    def applied(self, size_bytes: int) -> None:
        """A batch that this connection received is done. Call with the lock held, then `wake`."""
        self._waiting_bytes -= size_bytes
        self._waiting_batches -= 1
        if not self._waiting_batches:
            self._owed_s = None

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
        """Tell the adapter to drain. Call without the lock. An adapter's trouble is logged, for this runs on the thread
        of whoever set a trait.
        """
        if self._wakeup is not None and self.state != "closed":
            try:
                self._wakeup()
            except Exception:
                _log.exception("wakeup of connection %d failed", self.connection_id)

    # What arrives.

    def _take(self, message: ClientMessage, now_s: float) -> bool:
        """Act on a message that is no batch. Returns whether there may be something to send."""
        match message:
            case SyncAck():
                with self._core.lock:
                    return self._take_sync_ack(message.frame)
            case Ping():
                with self._core.lock:
                    self._control.append(Pong(message.id))
                    self._check_flood(now_s)
                return True
            case Pong():
                return False  # That it came is all there is to it.
            case Hello():
                self._take_hello(message, now_s)
                return True
        if self.session is None:
            with self._core.lock:
                self._fail("bad_protocol", "Expected hello as the first message", now_s)
            return True
        match message:
            case Subscribe():
                with self._core.lock:
                    self._resubscribe(self.session, message.widget_ids)
                return True
            case Report():
                self._events.append(Reported(message.widget_id, message.stage))
                self._core.reported(self, message)
                return False
            case _:
                with self._core.lock:
                    session, self.session = self.session, None
                    self._sessions.end(session)
                    self._close(Closing(1000, "bye"), now_s)
                return True

    def _refuse(self, error: RemoteProtocolError, now_s: float) -> None:
        with self._core.lock:
            self._bad_frames += error.code != "unknown_type"  # A newer client may say what we do not know.
            self._events.append(FrameRefused(error.code))
            if self._bad_frames >= self._limits.max_bad_frames:
                self._fail("bad_protocol", f"{self._bad_frames} frames were no messages, the last: {error}", now_s)
                return
            # The client does not know which of its frames it was: it sends again from the batch that is missing.
            expected = self.session.received_seq + 1 if self.session is not None else None
            self._control.append(Error(str(error), error.code, seq=expected))
            self._check_flood(now_s)

    def _take_hello(self, hello: Hello, now_s: float) -> None:
        if self.state != "hello":
            self._refuse(RemoteProtocolError("bad_message", "Expected one hello, as the first message"), now_s)
            return
        if not self._verdict.allowed:
            # Outside the lock: the host's own code.
            self._verdict = self._authenticate(hello.auth) if self._authenticate is not None else self._verdict
            self.user = self._verdict.user
        with self._core.lock:
            if not self._verdict.allowed:
                self._fail("unauthorized", "Not authorized", now_s)
                return
            self._sessions.expire(now_s)
            session, previous, resumed = self._welcome(hello, now_s)
        if previous is not None:
            previous.wake()
        self._core.joined(self, session, came_back=hello.resume is not None, resumed=resumed)

    def _welcome(self, hello: Hello, now_s: float) -> tuple[Session, ServerConnection | None, bool]:
        """Attach a session and owe it its state. Returns it, the connection whose place it takes, and whether it is the
        session that the peer named.
        """
        resume = hello.resume
        session = None
        if resume is not None and resume.epoch == self._core.epoch and resume.rev <= self._core.revision:
            session = self._sessions.find(resume, self.user)
        is_resumed = session is not None
        if session is None:
            session = self._sessions.open(self.user, self._may_see)
        previous = self._sessions.attach(session, self)
        if previous is not None:
            previous.session = None
            previous._close(Closing(CLOSE_CODES["session_replaced"], "session_replaced"), now_s)
        subscribe = None if hello.subscribe == "*" else frozenset(hello.subscribe)
        is_same = session.subscribe == subscribe
        if not is_same:
            # What answers this hello may be lost, and the next hello will look as if nothing had changed.
            session.subscribed_rev = self._core.next_revision()
        session.subscribe, session.may_see = subscribe, self._may_see
        self.session = session
        self.has_joined = True
        self._step("welcomed")
        self._pinged_s = now_s
        limits = self._limits
        self._control.append(
            Welcome(
                protocol=PROTOCOL,
                epoch=self._core.epoch,
                session=session.session_id,
                secret=session.secret,
                resumed=is_resumed,
                ack=session.ack,
                limits=WelcomeLimits(limits.max_frame_bytes, limits.max_inflight, limits.max_ops),
                ping_ms=round(limits.ping_s * 1000),
                ttl_ms=round(limits.session_ttl_s * 1000),
            )
        )
        if is_resumed and is_same and resume is not None and resume.rev >= session.subscribed_rev:
            self._owe_delta(session, resume.rev)
        else:
            self._owe_snapshot(session)
        self._ack_due = True
        return session, previous, is_resumed

    def _owe_snapshot(self, session: Session) -> None:
        self._known = {id: inst for id, inst in self._core.instances().items() if session.shows(id)}
        self._opens = dict.fromkeys(self._known)
        self._live_due = True

    def _owe_delta(self, session: Session, rev: int) -> None:
        closed = self._core.closed_since(rev)
        if closed is None:
            self._live_due = True
        else:
            self._closes = {(id, inst): None for id, inst in closed if inst <= rev and session.shows(id)}
        for widget_id, inst in self._core.instances().items():
            if not session.shows(widget_id):
                continue
            self._known[widget_id] = inst
            if inst > rev:
                self._opens[widget_id] = None
            else:
                self._dirty.update(
                    dict.fromkeys((widget_id, name) for name in self._core.changed_since(widget_id, rev))
                )

    def _resubscribe(self, session: Session, widget_ids: Any) -> None:
        session.subscribe = None if widget_ids == "*" else frozenset(widget_ids)
        session.subscribed_rev = self._core.next_revision()
        for widget_id in [one for one in self._known if not session.shows(one)]:
            self.forget(widget_id)
        for widget_id, inst in self._core.instances().items():
            if widget_id not in self._known:
                self.mark_open(widget_id, inst)

    def _take_batch(self, batch: Batch, size_bytes: int, now_s: float) -> bool:
        with self._core.lock:
            session = self.session
            if session is None:
                self._fail("bad_protocol", "Expected hello as the first message", now_s)
                return True
            has_credit = batch.sync_ack is not None and self._take_sync_ack(batch.sync_ack)
            if batch.seq <= session.received_seq:
                self._ack_due = True
                return True
            if batch.seq != session.received_seq + 1:
                self._fail("seq_gap", f"Expected batch {session.received_seq + 1}, got {batch.seq}", now_s)
                return True
            session.received_seq = batch.seq  # Before any Python runs: at most once, whatever happens there.
            self._bad_frames = 0
            self._waiting_bytes += size_bytes
            self._waiting_batches += 1
            if self._owed_s is None:
                self._owed_s = now_s + self._limits.owed_s
            self._events.append(BatchReceived(batch.seq, len(batch.ops)))
            if self._waiting_batches > 1:
                self._check_flood(now_s)
        self._core.enqueue(PendingBatch(self._core, session, self, batch, size_bytes, self._limits.max_ops))
        return has_credit

    def _take_sync_ack(self, frame: int) -> bool:
        """Count what arrived. Returns whether something may go out for it."""
        session = self.session
        if session is None or not self._unacked or frame < self._unacked[0].frame:
            return False
        last = self._unacked[0]
        while self._unacked and self._unacked[0].frame <= frame:
            last = self._unacked.popleft()
            self._unacked_bytes -= last.size_bytes
        session.arrived(last.reject_number, last.n)
        return self._is_due(session)  # There is credit for it now.

    def _check_flood(self, now_s: float) -> None:
        limits = self._limits
        if (
            self._waiting_bytes > _FLOOD * limits.max_waiting_bytes + limits.max_frame_bytes
            or max(self._waiting_batches, len(self._control)) > _FLOOD * limits.max_waiting_frames
        ):
            self._close(Closing(CLOSE_CODES["flooding"], "flooding"), now_s)

    # What goes out.

    def _is_due(self, session: Session) -> bool:
        return bool(
            self._dirty
            or self._outbox.moments
            or self._ack_due
            or self._sent_ack != session.ack
            or self._opens
            or self._closes
            or self._live_due
            or (session.rejects and session.rejects[-1][0] > self._sent_reject)
            or (session.messages and session.messages[-1].n > self._sent_n)
            or session.lost_n > self._sent_n
        )

    def _has_credit(self) -> bool:
        return not self._unacked or (
            len(self._unacked) < self._limits.max_sync_frames and self._unacked_bytes < self._limits.max_sync_bytes
        )

    def _is_stalled(self) -> bool:
        return bool(self._unacked) and not self._has_credit()

    def _cut(self, session: Session) -> str | bytes:
        """Build one `sync`, and count it as sent."""
        small = self._cut_small(session)
        if small is not None:
            return small
        outbox = self._outbox
        moment = outbox.moments[0] if outbox.moments else None
        opens: dict[str, Any] = moment.opens if moment is not None else self._opens
        owed: dict[SlotKey, Any] = moment.slots if moment is not None else self._dirty
        if self._parts_left is None:
            self._parts_left = len(opens) + len(owed) + _EXTRA_PARTS
        room = self._limits.max_sync_bytes if self._parts_left > 0 else None
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
            self._parts_left -= 1
            if moment is not None:
                moment.is_begun = True
            sync = Sync(self._frame, rev, more=True, open=opened, changes=changes, same=same)
        else:
            self._parts_left = None
            live = list(self._known.items()) if self._live_due else None
            sync = Sync(
                self._frame,
                rev,
                self._sent_ack,
                open=opened,
                changes=changes,
                same=same,
                close=list(self._closes),
                live=live,
            )
            self._closes.clear()
            self._live_due = False
            if moment is not None:
                outbox.moment_told()
            else:
                outbox.all_told()
                sync = self._cut_last(session, sync, values, room)
        frame = encode_frame(sync, values)
        self._unacked.append(_Sent(self._frame, len(frame), self._sent_reject, self._sent_n))
        self._unacked_bytes += len(frame)
        if not more and self.state == "syncing":
            self._step("synced")
        return frame

    def _cut_small(self, session: Session) -> str | bytes | None:
        """The common `sync`, a few changes and an ack, without the detours of the general one; None for any other."""
        if (
            self.state != "live"
            or self._parts_left is not None
            or self._outbox.moments
            or self._opens
            or self._closes
            or self._live_due
            or self._own_values
            or session.rejects
            or session.messages
            or session.lost_n
            or len(self._dirty) > _FEW
        ):
            return None
        changes: list[Change] = []
        size = 0
        for widget_id, name in self._dirty:
            slot = self._core.slot(widget_id, name)
            value = slot.value
            size += len(value.json)
            if value.buffers or value.specials or size > self._limits.max_sync_bytes:
                return None
            changes.append((widget_id, self._known[widget_id], name, msgspec.Raw(value.json), slot.rev))
        self._outbox.all_told()
        self._ack_due = False
        self._sent_ack = session.ack
        self._frame += 1
        frame = encode_frame(_SmallSync(self._frame, self._core.revision, session.ack, changes))
        self._unacked.append(_Sent(self._frame, len(frame), self._sent_reject, self._sent_n))
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
            inst, kind, esm, esm_url, slots, writable = description
            props: dict[str, tuple[Any, int]] = {}
            index = len(opened)
            for name, slot in slots.items():
                value = slot.value
                size = value.size_bytes
                if (room is not None and size > self._limits.max_sync_bytes) or name in FORBIDDEN_KEYS:
                    # Too large for a part with others, or no name to have a path through: it follows as a change.
                    owed.setdefault((widget_id, name), slot if owed is not self._dirty else None)
                    self._parts_left = (self._parts_left or 0) + 1
                    continue
                props[name] = (msgspec.Raw(value.json), slot.rev)
                if value.buffers or value.specials:
                    values.append((("open", index, "props", name, 0), value))
                if room is not None:
                    room -= size + _OP_BYTES
            if room is not None and esm is not None:
                room -= len(esm)
            opened.append(OpenedWidget(widget_id, inst, kind, props, writable, esm_url, esm))
        return opened, room

    def _cut_changes(
        self,
        moment: Moment | None,
        values: list[tuple[Sequence[str | int], EncodedValue]],
        room: int | None,
        *,
        is_first: bool,
    ) -> tuple[list[Change], list[Same], int | None]:
        changes: list[Change] = []
        same: list[Same] = []
        for key in list(self._dirty if moment is None else moment.slots):
            slot = self._core.slot(*key) if moment is None else moment.slots[key]
            own = self._own_values.get(key)
            if own is not None and own.seq > self._sent_ack and own.value == slot.value:
                self._taken(moment, key)
                same.append((key[0], self._known[key[0]], key[1], own.seq, own.op, slot.rev))
                continue
            size = slot.value.size_bytes + _OP_BYTES
            if room is not None and (changes or not is_first) and size > room:
                break
            self._taken(moment, key)
            if slot.value.buffers or slot.value.specials:
                values.append((("changes", len(changes), 3), slot.value))
            changes.append((key[0], self._known[key[0]], key[1], msgspec.Raw(slot.value.json), slot.rev))
            if room is not None:
                room -= size
        return changes, same, room

    def _taken(self, moment: Moment | None, key: SlotKey) -> None:
        if moment is not None:
            del moment.slots[key]
        else:
            self._outbox.in_parts[key] = self._dirty.pop(key)

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
        self._ack_due = False
        self._sent_ack = session.ack
        self._own_values = {key: own for key, own in self._own_values.items() if own.seq > session.ack}
        return msgspec.structs.replace(sync, ack=session.ack, msgs=messages, rejects=rejects, lost_msgs=lost_n)

    # The end. With the lock held.

    def _step(self, step: ServerStep) -> None:
        self.state = server_step(self.state, step)
        self.is_open = self.state not in ("closing", "closed")

    def _fail(self, code: str, message: str, now_s: float) -> None:
        """Say why, then close."""
        self._control.append(Error(message, code, fatal=True))
        self._close(Closing(CLOSE_CODES[code], code), now_s)

    def _close(self, closing: Closing, now_s: float) -> None:
        if self.is_open:
            self._let_go(now_s)
            self._closing = closing
            self._step("close")

    def _let_go(self, now_s: float) -> None:
        session, self.session = self.session, None
        if session is not None and session.connection is self:
            self._sessions.detach(session, now_s)
        self._known.clear()
        self._opens.clear()
        self._outbox.clear()
        self._closes.clear()
        self._own_values.clear()
        self._owed_s = None
        self._unacked.clear()
        self._unacked_bytes = 0

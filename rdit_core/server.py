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

**State** that goes out is bounded by what there is, whatever the rate of change: `server_debt` knows what the peer is
owed, and `server_sync` cuts it into frames. How many of them may be under way is bounded by credit: the client
acknowledges each, and a client that does not, without any progress of its transport, loses its connection.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from ._transitions import ServerState, ServerStep, server_step
from .access import Verdict
from .errors import RemoteProtocolError
from .events import BatchReceived, ConnectionEvent, FrameRefused, Reported
from .frames import decode_client_frame, encode_frame
from .limits import Limits
from .messages import (
    Batch,
    ClientMessage,
    Error,
    Hello,
    Output,
    Ping,
    Pong,
    Report,
    Subscribe,
    SyncAck,
    Welcome,
    WelcomeLimits,
)
from .server_batches import PendingBatch
from .server_core import WidgetCore
from .server_debt import ServerDebt
from .server_sync import ServerSync
from .session import Session, Sessions

_log = logging.getLogger("rdit")

PROTOCOL: Final = 1

_FLOOD: Final = 2
"""How many times the bound of congestion a peer may go beyond it before it counts as flooding: an adapter that stops
reading when told to never gets there."""

_MAX_EVENTS: Final = 10_000
"""Events kept for an adapter that does not ask for them; beyond, the oldest go."""

_MAX_OUTPUTS: Final = 10_000
"""Output events kept for a peer that does not read; beyond, the oldest go."""


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
        debt = self._debt = ServerDebt(core, limits)
        self._sync = ServerSync(core, limits, debt)
        # What the manager marks, without a call between.
        self.mark: Final = debt.mark
        self.change: Final = debt.change
        self.change_one: Final = debt.change_one
        self.forget: Final = debt.forget
        self.remember: Final = debt.remember
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
                sync = self._sync
                while sync.is_due(session) and sync.has_credit():
                    if not sync.unacked:
                        self._progress_s = now_s
                    frames.append(sync.cut(session))
                if self.state == "syncing" and self._debt.is_told:
                    self._step("synced")
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
        if self._sync.unacked and not self._sync.has_credit() and self._progress_s + limits.stall_s < deadline:
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
            elif self._sync.is_stalled() and now_s >= self._progress_s + limits.stall_s:
                self._close(Closing(CLOSE_CODES["slow_consumer"], "slow_consumer"), now_s)
            elif now_s >= self._pinged_s + limits.ping_s:
                self._pinged_s = now_s
                self._ping_id += 1
                self._control.append(Ping(self._ping_id))

    # What the manager calls.

    def mark_open(self, widget_id: str, inst: int) -> None:
        """A widget opened. Call with the lock held, then `wake`."""
        if self.session is not None and self.session.shows(widget_id):
            self._debt.mark_open(widget_id, inst)

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
                    return self.session is not None and self._sync.take_ack(self.session, message.frame)
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
                    self._debt.resubscribe(self.session, message.widget_ids)
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
            self._debt.owe_delta(session, resume.rev)
            session.seen_rev = resume.rev
        else:
            self._debt.owe_snapshot(session)
        self._sync.is_ack_due = True
        return session, previous, is_resumed

    def _take_batch(self, batch: Batch, size_bytes: int, now_s: float) -> bool:
        with self._core.lock:
            session = self.session
            if session is None:
                self._fail("bad_protocol", "Expected hello as the first message", now_s)
                return True
            has_credit = batch.sync_ack is not None and self._sync.take_ack(session, batch.sync_ack)
            if session.seq_before_first < batch.seq <= session.received_seq:
                self._sync.is_ack_due = True
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
            max_ops = self._limits.max_ops
            pending = PendingBatch(self._core, session, self, batch, size_bytes, max_ops, session.seen_rev, now_s)
        self._core.enqueue(pending)
        return has_credit

    def _check_flood(self, now_s: float) -> None:
        limits = self._limits
        if (
            self._waiting_bytes > _FLOOD * limits.max_waiting_bytes + limits.max_frame_bytes
            or max(self._waiting_batches, len(self._control)) > _FLOOD * limits.max_waiting_frames
        ):
            self._close(Closing(CLOSE_CODES["flooding"], "flooding"), now_s)

    # What goes out.

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
        self._debt.clear()
        self._owed_s = None
        self._sync.clear()

"""The client's end of a connection in `rdit/1`, sans-IO: models, the edits on their way, the state that comes.

The browser's `session.js` follows the same rules, verb by verb. The adapter's duties:

- Dial when `wants_transport`, and say `opened` or `receive_eof`. Say `receive_eof` whenever a transport ends.
- End the transport when `wants_close`.
- Drain `frames_to_send` after each call and send the frames in order.
- Call `handle_timeout` when `next_deadline` has passed.

**A page's value is a forecast.** An edit shows at once. While it is queued or under way its slot is *pending*, and
nothing remote is shown for it: the user is further than the server. When its batch is acknowledged, which comes in one
frame with what the batch changed, the slot shows `confirmed`, the last value that the server told. Refused, clamped,
overwritten by another page or by Python: one rule heals all.

**At most once.** A batch has a number. After a lost connection it is sent again unchanged, and the server knows whether
it had it. When the server has forgotten the session, an edit that may have been applied is sent as a comparison
(`if_rev`): it counts only if its slot is as it was when the connection was lost. Another epoch is another server: what
it has is the truth, and edits are repeated only where the same widget came back. It may come late, for the new server's
script is perhaps still running: models that are missing, and their edits, wait for `Limits.return_s`.

**Nothing is lost silently.** What could not be kept is an event, with the code that says why.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

import msgspec

from ._transitions import PAGE_STATES, ClientState, ClientStep, client_step
from .base_client import EditRefused, OutputReceived
from .base_server import SlotKey
from .client_events import (
    FrameIgnored,
    MessageLost,
    MessagesMissed,
    Restarted,
    ServerFailed,
    SessionEvent,
    SessionExpired,
)
from .client_queue import ClientQueue, Edit, Post, QueuedOp, SentBatch
from .client_reports import ClientReports
from .encoding import EncodedValue, decode, encode
from .errors import FRAME_CODES, LocalProtocolError, RemoteProtocolError, UnserializableValue
from .frames import decode_server_frame, encode_frame
from .limits import VALUE_DEPTH, Limits
from .messages import (
    Batch,
    Bye,
    Error,
    Hello,
    MsgOp,
    OpenedWidget,
    Output,
    Ping,
    Pong,
    Reject,
    Report,
    Resume,
    SetOp,
    Subscribe,
    Sync,
    SyncAck,
    Welcome,
)
from .model import Profile, WidgetModel, copy_structure, same_value

_CONNECTED: Final = frozenset({"hello_sent", "syncing", "live"})
_LISTENING: Final = _CONNECTED | {"idle", "connecting"}

_STRIKE_CODES: Final = frozenset({1007, 1009, 4001})
"""Closes that may be about what the oldest batch holds."""

_BATCH: Final = '{"type":"batch",'
"""How a batch of text begins."""

_FIRST_TERMINAL: Final = 4500
_LAST_TERMINAL: Final = 4999
_REPLACED: Final = 4004
_MAX_STRIKES: Final = 2
"""A batch that met this many frame errors is given up."""
_MAX_BACKOFF_DOUBLINGS: Final = 16
_MAX_LAST_BATCHES: Final = 1_000
"""More than a queue ever makes: a page that leaves does not wait for acknowledgements."""

_BATCH_BYTES: Final = 128
"""About what a batch takes in a frame beside its ops."""


@dataclass(slots=True, eq=False)
class RemoteWidget:
    """A widget as the server tells of it."""

    inst: int
    kind: str
    writable: frozenset[str]
    esm: str | None
    esm_url: str | None
    model: WidgetModel
    confirmed: dict[str, tuple[Any, int]] = field(default_factory=dict)
    """Property to the server's value and revision."""


class ClientConnection:
    """One page's end in `rdit/1`, and the models it keeps.

    Args:
        limits: bounds, and times in seconds.
        profile: of the models.
        random: gives numbers in [0, 1), for the backoff.
        policy: what becomes of edits made while there is no connection: `replay` sends them later, `drop` gives them
            up at once, and says so.
        subscribe: the widgets to show; all by default.
        auth: for the `hello`, where the transport has no headers.
        on_open: called with each model that is opened, before anything is delivered to it. It must not raise.
    """

    # Beyond thirty attributes a dict is no longer shared between instances, and all lookups get slower.
    def __init__(
        self,
        *,
        limits: Limits | None = None,
        profile: Profile = "strict",
        random: Callable[[], float] | None = None,
        policy: Literal["replay", "drop"] = "replay",
        subscribe: Literal["*"] | Sequence[str] = "*",
        auth: Any = None,
        on_open: Callable[[WidgetModel], object] | None = None,
    ) -> None:
        self.state: ClientState = "idle"
        self.widgets: dict[str, RemoteWidget] = {}
        """Widget id to what is known of it."""
        self.models: dict[str, WidgetModel] = {}
        """Widget id to open model."""
        self.rev = 0
        """Of the last `sync` that was applied."""
        self.failure: tuple[int, str] | None = None
        """Close code and reason, once `failed`."""
        self._limits = limits or Limits()
        # What a server sends is as long as its values are; to refuse it would not make it any shorter.
        self._incoming = replace(self._limits, max_frame_bytes=sys.maxsize)
        self._profile: Profile = profile
        self._random = random or (lambda: 0.5)
        self._policy = policy
        self._subscribe = subscribe
        self._asked_for = subscribe
        """What the server of this connection was told of it."""
        self._auth = auth
        self._on_open = on_open
        self._events: list[SessionEvent] = []
        # Transport and time.
        self._has_transport = False
        self._is_suspended = False
        self._last_frames: list[str | bytes] = []
        """What goes out although the client is not live any more: the page leaves."""
        self._control: deque[Hello | Subscribe | Ping | Pong | Bye] = deque()
        self._reports = ClientReports()
        self._sync_ack: int | None = None
        """The frame that is to be acknowledged: in the next batch, if one leaves now."""
        self._heard_s = 0.0
        self._live_s: float | None = None
        self._retry_s = 0.0
        self._probe_s: float | None = None
        self._probe_id = 0
        self._losses = 0
        self._is_hinted = False
        """Somebody said that the network is back while a dial was under way that may have begun without it."""
        # The session.
        self._known: Resume | None = None
        """What a resume names; of the last welcome whose first `sync` was applied."""
        self._welcome: Welcome | None = None
        """Of this connection."""
        self._epoch: str | None = None
        self._frame = 0
        self._parts: list[Sync] = []
        self._last_n = 0
        # Edits.
        self._queue = ClientQueue(self._limits)
        self._inflight: deque[SentBatch] = deque()
        self._pending: dict[SlotKey, int] = {}
        self._seq = 0
        self._group = 0
        self._resend = False
        self._absent: dict[str, RemoteWidget] = {}
        """Widgets of the server before, which the present one does not have yet. Their models are open."""
        self._absent_until_s = 0.0
        self._came_back: list[RemoteWidget] = []
        """While a `sync` is applied: those of the absent that it opened."""
        self._returned: dict[str, int] = {}
        """While the first `sync` of another server is applied: the inst that a widget had which came back."""
        self._orphans: dict[SlotKey, Edit] = {}
        """Their edits."""
        self._unsettled: dict[SlotKey, EncodedValue | None] = {}
        """Slots that a batch gave up outside of a `sync`, to be shown as confirmed with the next one."""

    # The page's side.

    def get_model(self, widget_id: str) -> WidgetModel:
        """An open model. Raises `KeyError` when there is none."""
        return self.models[widget_id]

    @property
    def page_state(self) -> str:
        """`connecting`, `live`, `offline`, `failed` or `closed`: what a page shows."""
        return PAGE_STATES[self.state]

    @property
    def is_over(self) -> bool:
        """Whether it takes no edits any more."""
        return self.state in ("closed", "failed")

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits to be said and nothing said waits for its answer."""
        return not self._queue and not self._inflight and not self._orphans

    def is_pending(self, widget_id: str, property: str) -> bool:
        """Whether a slot has an edit that is queued or not acknowledged."""
        return (widget_id, property) in self._pending

    def confirmed(self, widget_id: str, property: str) -> tuple[Any, int] | None:
        """The server's value of a slot and its revision, as last told. Not to be changed."""
        widget = self.widgets.get(widget_id)
        return widget.confirmed.get(property) if widget is not None else None

    def events_received(self) -> list[SessionEvent]:
        """What there is to tell since the last call, in order."""
        if not self._events:
            return []
        events, self._events = self._events, []
        return events

    def report(self, widget_id: str, stage: str, message: str, stack: str = "") -> None:
        """Tell Python of an error in a widget's own code. Some wait until the connection is live."""
        if not self.is_over:
            self._reports.add(Report(widget_id, stage, message, stack), bounded=self.state != "live")

    def subscribe(self, widget_ids: Literal["*"] | Sequence[str]) -> None:
        """Show these widgets from now on, and no others."""
        self._subscribe = widget_ids
        if self.state in ("syncing", "live"):  # Before that, the hello says it, or the welcome brings it up.
            self._say_subscribe()

    def _say_subscribe(self) -> None:
        self._asked_for = self._subscribe
        self._control.append(Subscribe(self._subscribe if self._subscribe == "*" else list(self._subscribe)))

    # Channel: what models ask.

    def send_update(self, widget_id: str, property: str, value: Any) -> None:
        """Queue one edit. Snapshots the value; raises `UnserializableValue` when it has no JSON form."""
        self.send_updates(widget_id, {property: value})

    def send_updates(self, widget_id: str, changes: Mapping[str, Any]) -> None:
        """Queue edits that belong together: Python sees all of them or none.

        Raises:
            UnserializableValue: for the first value that has no JSON form. The others are queued.
        """
        refused: UnserializableValue | None = None
        self._group += 1
        widget = self.widgets.get(widget_id) or self._absent.get(widget_id)
        for name, value in changes.items():
            try:
                encoded = encode(value, max_depth=self._limits.max_depth - VALUE_DEPTH)
            except UnserializableValue as error:
                refused = refused or error
                continue
            self._put(widget, Edit(widget_id, widget.inst if widget is not None else 0, name, encoded, self._group))
        if refused is not None:
            raise refused

    def send_message(
        self,
        widget_id: str,
        content: Any,
        buffers: Sequence[Any] = (),
        on_lost: Callable[[str, str], object] | None = None,
    ) -> None:
        """Queue a custom message, after every edit before it. Raises `UnserializableValue`.

        Args:
            widget_id: whom it is for.
            content: JSON values, bytes-like objects at any depth.
            buffers: bytes-like objects.
            on_lost: told a code and a text when the message does not reach its handler, or makes it fail; beside the
                event that says so. It must not raise.
        """
        widget = self.widgets.get(widget_id)
        encoded = encode(content, max_depth=self._limits.max_depth - VALUE_DEPTH)
        copies = tuple(data.tobytes() if isinstance(data, memoryview) else bytes(data) for data in buffers)
        post = Post(widget_id, widget.inst if widget is not None else 0, encoded, copies, on_lost=on_lost)
        if widget is None or self.is_over:
            self._message_lost(post, "undeliverable", "The connection has ended")
        elif self._policy == "drop" and self.state != "live":
            self._message_lost(post, "dropped", "There is no connection")
        elif post.size_bytes > self._room:
            self._message_lost(post, "too_large", f"The server takes no frame longer than {self._room} bytes")
        else:
            # While live a burst only waits for its turn.
            for gone in self._queue.post(post, bounded=self.state != "live"):
                if isinstance(gone, Edit):
                    self._unmask(gone)
                else:
                    self._message_lost(gone, "queue_full", "Too many messages wait for the connection")

    def _put(self, widget: RemoteWidget | None, edit: Edit) -> None:
        if widget is None or self.is_over:
            self._edit_lost(edit, "undeliverable", "The connection has ended")
        elif self._policy == "drop" and self.state != "live":
            self._edit_lost(edit, "dropped", "There is no connection")
        elif edit.size_bytes > self._room:
            self._edit_lost(edit, "too_large", f"The server takes no frame longer than {self._room} bytes")
        else:
            if edit.widget_id in self._absent:
                is_new = self._orphans.pop(edit.key, None) is None
                self._orphans[edit.key] = edit
            else:
                is_new = self._queue.put(edit)
            if is_new:
                self._pending[edit.key] = self._pending.get(edit.key, 0) + 1
            return
        if not self.is_over:
            self._show([edit.key])

    @property
    def _room(self) -> int:
        """Bytes that the ops of one batch may take."""
        welcome = self._welcome
        return (welcome.limits.max_frame if welcome is not None else self._limits.max_frame_bytes) - _BATCH_BYTES

    # The adapter's side.

    @property
    def wants_transport(self) -> bool:
        """Whether the adapter should dial."""
        return self.state == "connecting" and not self._has_transport

    @property
    def wants_close(self) -> bool:
        """Whether the adapter should end the transport that there is, after what the last drain gave is sent."""
        return self._has_transport and self.state in ("suspect", "backoff", "closed", "failed")

    def start(self, now_s: float) -> None:
        """Begin: the adapter should dial."""
        self._step("start")

    def opened(self, now_s: float) -> None:
        """A transport is up. Raises `LocalProtocolError` when none was asked for."""
        if self._has_transport:
            raise LocalProtocolError("Expected opened() once per transport; call receive_eof() first")
        self._step("opened")
        self._has_transport = True
        self._heard_s = now_s
        self._frame = 0
        self._welcome = None
        self._control.clear()
        self._asked_for = self._subscribe
        subscribe: Any = self._subscribe if self._subscribe == "*" else list(self._subscribe)
        self._control.append(Hello(subscribe, self._auth, self._resume()))

    def receive_eof(self, now_s: float, code: int | None = None, reason: str = "") -> None:
        """The transport is gone, or could not be had. Idempotent.

        Args:
            now_s: the host's clock, in seconds.
            code: the close code, where there was one.
            reason: its text.
        """
        self._has_transport = False
        self._control.clear()
        self._sync_ack = None
        self._last_frames.clear()
        self._parts.clear()
        self._probe_s = None
        self._resend = False
        if self.is_over or self.state in ("idle", "backoff"):
            return
        if code is not None and _FIRST_TERMINAL <= code <= _LAST_TERMINAL:
            self._fail(code, reason)
            return
        if code == _REPLACED:
            self._known = None  # Somebody else goes on with that session.
        if code in _STRIKE_CODES and self._inflight:
            self._strike(self._inflight[0])
        if self._live_s is not None and now_s - self._live_s >= self._limits.stable_s:
            self._losses = 0
        self._live_s = None
        ceiling = min(
            self._limits.backoff_cap_s, self._limits.backoff_base_s * 2 ** min(self._losses, _MAX_BACKOFF_DOUBLINGS)
        )
        self._losses += 1
        self._retry_s = now_s if self._is_hinted else now_s + self._random() * ceiling
        self._is_hinted = False
        self._step("lost")

    def refuse(self, code: int, reason: str) -> None:
        """The server will not have this page, as the adapter learned beside the transport: a browser does not tell its
        page why a WebSocket was refused, and the server's status does.

        Args:
            code: a close code of 4500 to 4999, or an HTTP status.
            reason: for people.
        """
        if not self.is_over and self.state != "idle":
            self._fail(code, reason)

    def receive_frame(self, frame: str | bytes, now_s: float) -> None:
        """Take one frame of the server. Never raises for what it holds."""
        if not self._has_transport or self.state not in _LISTENING:
            return
        self._heard_s = now_s
        try:
            message = decode_server_frame(frame, self._incoming)
        except RemoteProtocolError as error:
            if error.code != "unknown_type":  # A newer server may say more than we know.
                self._events.append(FrameIgnored(error.code))
            return
        match message:
            case Sync():
                self._take_sync(message, now_s)
            case Welcome():
                if self.state == "hello_sent":
                    self._welcome = message
                    self._step("welcomed")
                    if self._asked_for is not self._subscribe:
                        self._say_subscribe()
            case Ping():
                self._control.append(Pong(message.id))
            case Error():
                self._take_error(message)
            case Output():
                self._events.append(OutputReceived(message.n, message.event))
            case _:
                # Nothing else answers a probe: what was under way when it was sent says nothing about now.
                if message.id == self._probe_id:
                    self._probe_s = None

    def frames_to_send(self, now_s: float) -> list[str | bytes]:
        """Take what there is to send. Batches leave only while live, and while fewer than the limit are under way."""
        frames: list[str | bytes] = []
        if not self._has_transport:
            return frames
        while self._control:
            frames.append(encode_frame(self._control.popleft()))
        if self.state == "live" and self._reports:
            frames.extend(encode_frame(report) for report in self._reports.take())
        if self._last_frames:
            frames.extend(self._last_frames)
            self._last_frames.clear()
        first = len(frames)
        if self.state == "live" and self._welcome is not None:
            if self._resend:
                self._resend = False
                frames.extend(batch.frame for batch in self._inflight)
            if self._queue:
                frames.extend(self._cut(self._welcome, self._welcome.limits.max_inflight))
        if self._sync_ack is not None:
            self._put_ack(frames, first, self._sync_ack)
            self._sync_ack = None
        return frames

    def _put_ack(self, frames: list[str | bytes], at: int, sync_ack: int) -> None:
        """Acknowledge in the batch at that place, if it is one of text, else in a frame before all others."""
        batch = frames[at] if at < len(frames) else b""
        if isinstance(batch, str):
            frames[at] = f'{_BATCH}"sync_ack":{sync_ack},{batch[len(_BATCH) :]}'
        else:
            frames.insert(0, encode_frame(SyncAck(sync_ack)))

    def _cut(self, welcome: Welcome, max_inflight: int) -> Iterator[str | bytes]:
        """Move the front of the queue into batches, as long as fewer than that are under way."""
        too_large: list[SlotKey] = []
        while self._queue and len(self._inflight) < max_inflight:
            ops = self._queue.take(self._room, welcome.limits.max_ops)
            if len(ops) == 1 and ops[0].size_bytes > self._room:
                # Queued before anybody said how much the server takes.
                too_large.extend(self._too_large(ops[0]))
                continue
            self._seq += 1
            for op in ops:
                if isinstance(op, Edit):
                    confirmed = self.confirmed(*op.key)
                    op.sent_rev = confirmed[1] if confirmed is not None else 0
            strikes = max(op.strikes for op in ops)
            batch = SentBatch(self._seq, ops, _encode_batch(self._seq, ops), strikes)
            self._inflight.append(batch)
            yield batch.frame
        if too_large:
            self._show(too_large)

    def _too_large(self, op: QueuedOp) -> list[SlotKey]:
        """Give up an op that no frame can hold. Returns its slot."""
        text = f"The server takes no frame longer than {self._room} bytes"
        if isinstance(op, Post):
            self._message_lost(op, "too_large", text)
            return []
        self._unmask(op)
        self._edit_lost(op, "too_large", text)
        return [op.key]

    def next_deadline(self) -> float | None:
        """When `handle_timeout` must be called next, in seconds of the clock of `now_s`; None for never."""
        deadline: float | None = None
        if self.state in _CONNECTED:
            deadline = self._heard_s + self._limits.silence_s
            if self._probe_s is not None:
                deadline = min(deadline, self._probe_s + self._limits.probe_s)
        elif self.state == "backoff" and not self._is_suspended and not self._has_transport:
            deadline = self._retry_s
        if self._absent and not self.is_over:
            return self._absent_until_s if deadline is None else min(deadline, self._absent_until_s)
        return deadline

    def handle_timeout(self, now_s: float) -> None:
        """Do what is due: dial again, or give up a transport that is silent. Harmless when nothing is."""
        if self._absent and now_s >= self._absent_until_s:
            self._give_up_absent()
        deadline = self.next_deadline()
        if deadline is None or now_s < deadline or self.is_over:
            return
        self._step("retry" if self.state == "backoff" else "silence")

    def hint_online(self, now_s: float) -> None:
        """The network is back, or somebody looks at the page again: dial at once, or ask whether the peer is there."""
        if self.state == "backoff" and not self._is_suspended and not self._has_transport:
            self._step("retry")
        elif self.state in ("connecting", "hello_sent"):
            self._is_hinted = True
        elif self.state in ("syncing", "live") and self._probe_s is None:
            self._probe_id += 1
            self._probe_s = now_s
            self._control.append(Ping(self._probe_id))

    def suspend(self, now_s: float) -> None:
        """The page is kept for "back": the adapter ends the transport, without a goodbye."""
        self._is_suspended = True
        if self.state not in ("idle", "backoff", "closed", "failed"):
            # What the limits let out now may count before the page is ever shown again.
            self._last_frames = self.frames_to_send(now_s)
            self._step("suspend")

    def restore(self, now_s: float) -> None:
        """The page is shown again."""
        self._is_suspended = False
        if self.state == "backoff" and not self._has_transport:
            self._step("retry")

    def leave(self, now_s: float) -> None:
        """The page goes for good. What can still be sent goes out with the next drain, then a goodbye."""
        if self.is_over:
            return
        if self._has_transport and self._welcome is not None and self.state in ("syncing", "live"):
            self._last_frames = self.frames_to_send(now_s)
            if self.state == "live":
                self._last_frames.extend(self._cut(self._welcome, max_inflight=len(self._inflight) + _MAX_LAST_BATCHES))
                # They were sent, and nobody will be there to hear what became of them.
                self._inflight.clear()
            self._last_frames.append(encode_frame(Bye()))
        self._step("leave")
        self._give_up("undeliverable", "The page was left")

    # Inside: the connection.

    def _step(self, step: ClientStep) -> None:
        self.state = client_step(self.state, step)

    def _resume(self) -> Resume | None:
        known = self._known
        return None if known is None else Resume(known.epoch, known.session, known.secret, self.rev)

    def _fail(self, code: int, reason: str) -> None:
        self.failure = (code, reason)
        self._step("refused")
        self._give_up("undeliverable", reason or f"The server closed the connection for good ({code})")

    def _give_up(self, code: str, text: str) -> None:
        """Report everything that was not acknowledged."""
        ops: list[QueuedOp] = [op for batch in self._inflight for op in batch.ops]
        ops.extend(self._queue.clear())
        ops.extend(self._orphans.values())
        self._orphans.clear()
        self._inflight.clear()
        self._pending.clear()
        edits = {op.key: op for op in ops if isinstance(op, Edit)}
        for edit in edits.values():
            self._edit_lost(edit, code, text)
        for op in ops:
            if isinstance(op, Post):
                self._message_lost(op, code, text)

    def _take_error(self, error: Error) -> None:
        self._events.append(ServerFailed(error.code, error.message, error.fatal))
        if error.fatal or error.code not in FRAME_CODES or not self._inflight:
            return
        # The server could not read a frame. If it was a batch, everything from the one that it misses goes again.
        missed = next((batch for batch in self._inflight if batch.seq == error.seq), None)
        if missed is not None:
            self._strike(missed)
            self._resend = True
            if self._frame:
                self._sync_ack = self._frame  # It may have been in that batch.

    def _strike(self, batch: SentBatch) -> None:
        batch.strikes += 1
        for op in batch.ops:
            op.strikes = batch.strikes
        if batch.strikes < _MAX_STRIKES or not batch.ops:
            return
        # It would end every connection that is to come: nothing else would ever be delivered.
        for op in batch.ops:
            if isinstance(op, Edit):
                self._unmask(op)
                self._unsettled[op.key] = None
                self._edit_lost(op, "undeliverable", "The server cannot read it")
            else:
                self._message_lost(op, "undeliverable", "The server cannot read it")
        batch.ops = []
        batch.frame = _encode_batch(batch.seq, [])

    # Inside: state.

    def _take_sync(self, sync: Sync, now_s: float) -> None:
        if self.state not in ("syncing", "live"):
            return
        if sync.frame != self._frame + 1:
            self._step("silence")  # A frame is missing: nothing that comes now can be trusted to be complete.
            return
        if sync.same and any(self._is_unknown(*entry) for entry in sync.same):
            # We gave that batch up, and it arrived all the same. The resume brings the value.
            self._control.clear()
            self._sync_ack = None
            self._step("silence")
            return
        self._frame = sync.frame
        self._sync_ack = sync.frame
        self._parts.append(sync)
        if sync.more:
            return
        parts, self._parts = self._parts, []
        self._apply(parts, now_s)

    def _apply(self, parts: list[Sync], now_s: float) -> None:
        """Apply a complete `sync`. The models hear of it when all of it is in place."""
        last = parts[-1]
        is_restart = self.state == "syncing" and self._begin()
        touched: dict[SlotKey, EncodedValue | None] = dict(self._unsettled)
        """Slots to look at, and what an edit of ours that is settled now had asked for."""
        self._unsettled.clear()
        for part in parts:
            for opened in part.open:
                self._open(opened, touched, is_restart)
        for part in parts:
            for widget_id, inst, name, value, rev in part.changes:
                self._confirm(widget_id, inst, name, value, rev, touched)
            for widget_id, inst, name, seq, index, rev in part.same:
                own = self._sent_value(seq, index)
                if own is not None:  # Of a widget that we know: see `_is_unknown`.
                    self._confirm(widget_id, inst, name, decode(own), rev, touched)
            for widget_id, inst in part.close:
                self._close(widget_id, inst)
        if last.live is not None:
            live = dict(last.live)
            for widget_id, widget in list(self.widgets.items()):
                if live.get(widget_id) == widget.inst:
                    continue
                if is_restart:
                    self._absent[widget_id] = self.widgets.pop(widget_id)
                else:
                    self._close(widget_id, widget.inst)
        if is_restart:
            self._absent_until_s = now_s + self._limits.return_s
            self._repeat_after_restart(touched)
            self._returned.clear()
        for widget in self._came_back:
            self._come_back(widget, touched)
        self._came_back.clear()
        settled = self._settle(last.ack or 0, touched)
        if last.rejects:
            self._keep_undeclared(last.rejects, settled, touched)
        self.rev = max(self.rev, last.rev)
        if self.state == "syncing":
            self._step("synced")
            self._is_hinted = False
            self._live_s = now_s
            self._resend = bool(self._inflight)
        if touched:
            self._show(touched, touched)
        if last.rejects:
            self._refuse(last.rejects, settled)
        if last.msgs or last.lost_msgs:
            self._deliver(last)

    def _begin(self) -> bool:
        """The first `sync` of a connection: from here on its session is ours. Returns whether the server is another."""
        welcome = self._welcome
        assert welcome is not None, "a sync is taken only after a welcome"
        is_restart = self._epoch is not None and self._epoch != welcome.epoch
        if not welcome.resumed:
            if is_restart:
                self._forget_server()
            elif self._epoch is not None:
                self._compare_again()
            self._seq = self._last_n = 0
        self._epoch = welcome.epoch
        self._known = Resume(welcome.epoch, welcome.session, welcome.secret, 0)
        return is_restart

    def _compare_again(self) -> None:
        """The session is gone: what it may have applied goes again, as a comparison."""
        self._events.append(SessionExpired())
        queued = {op.key for op in self._queue if isinstance(op, Edit)}
        again: dict[SlotKey, Edit] = {}
        for batch in self._inflight:
            for op in batch.ops:
                if isinstance(op, Post):
                    self._message_lost(op, "delivery_unknown", "The server may have handled it, or not")
                    continue
                self._unmask(op)
                if op.key in queued:
                    continue
                # What an edit under way carries from an earlier loss is the older knowledge, and stays.
                rev = op.if_rev
                earlier = again.get(op.key)
                if rev is None:
                    confirmed = self.confirmed(*op.key)
                    rev = confirmed[1] if confirmed is not None else None
                    if op.widget_id not in self.widgets:
                        rev = op.sent_rev  # The page unsubscribed since. What it knew before is older, and will do.
                if earlier is not None and earlier.if_rev is not None and rev is not None:
                    rev = min(rev, earlier.if_rev)
                again.pop(op.key, None)
                again[op.key] = Edit(op.widget_id, op.inst, op.name, op.value, op.group, rev, strikes=op.strikes)
        self._inflight.clear()
        self._queue.put_first(list(again.values()))
        for key in again:
            self._pending[key] = self._pending.get(key, 0) + 1

    def _forget_server(self) -> None:
        """Another server: nothing that the old one confirmed holds, and what it did not confirm may be repeated."""
        ops: list[QueuedOp] = [op for batch in self._inflight for op in batch.ops]
        ops.extend(self._queue.clear())
        self._inflight.clear()
        self._pending.clear()
        self.rev = 0
        edits: dict[SlotKey, Edit] = {}
        for op in ops:
            if isinstance(op, Post):
                self._message_lost(op, "lost", "The server that it was for is gone")
            else:
                edits.pop(op.key, None)
                edits[op.key] = op
        for edit in edits.values():
            edit.if_rev = None
            self._queue.put(edit)
            self._pending[edit.key] = 1
        for key in self._orphans:
            self._pending[key] = self._pending.get(key, 0) + 1

    def _repeat_after_restart(self, touched: dict[SlotKey, EncodedValue | None]) -> None:
        """Address the edits that are left to the widgets that came back."""
        reapplied = dropped = 0
        for op in self._queue.clear():
            assert isinstance(op, Edit), "messages went when the server was forgotten"
            widget = self.widgets.get(op.widget_id)
            absent = self._absent.get(op.widget_id)
            # An edit may be older than the widget that had its id last.
            if absent is not None and absent.inst == op.inst:
                self._orphans[op.key] = op
            elif widget is not None and self._returned.get(op.widget_id) == op.inst and op.name in widget.writable:
                op.inst = widget.inst
                self._queue.put(op)
                reapplied += 1
            else:
                self._unmask(op)
                touched[op.key] = None
                dropped += 1
                self._edit_lost(op, "dropped", "The server was started anew, without this property")
        self._events.append(Restarted(reapplied, dropped, len(self._orphans)))

    def _come_back(self, widget: RemoteWidget, touched: dict[SlotKey, EncodedValue | None]) -> None:
        """A widget that was missing after a restart is there: its edits are for it, if they may be. It may be closed
        again, by a later part of the same `sync`: then they are the server's to refuse.
        """
        widget_id = widget.model.widget_id
        for key in [key for key in self._orphans if key[0] == widget_id]:
            edit = self._orphans.pop(key)
            if edit.name in widget.writable:
                edit.inst = widget.inst
                self._queue.put(edit)
            else:
                touched[key] = None
                self._orphan_lost(edit)

    def _orphan_lost(self, edit: Edit) -> None:
        self._unmask(edit)
        self._edit_lost(edit, "dropped", "The server was started anew, without this property")

    def _give_up_absent(self) -> None:
        """The widgets that are still missing are not to come."""
        for widget in self._absent.values():
            del self.models[widget.model.widget_id]
            widget.model.close()
        self._absent.clear()
        orphans, self._orphans = self._orphans, {}
        for edit in orphans.values():
            self._orphan_lost(edit)

    def _open(self, opened: OpenedWidget, touched: dict[SlotKey, EncodedValue | None], is_restart: bool) -> None:
        widget_id = opened.widget_id
        present = self.widgets.get(widget_id)
        absent = self._absent.pop(widget_id, None)
        if absent is not None:
            present = self.widgets[widget_id] = absent
        if present is not None and not is_restart and absent is None and present.inst == opened.inst:
            present.writable = frozenset(opened.writable)
            present.esm, present.esm_url = opened.esm, opened.esm_url
            for name, (value, rev) in opened.props.items():
                self._confirm(widget_id, opened.inst, name, value, rev, touched)
            return
        confirmed = {name: (value, rev) for name, (value, rev) in opened.props.items()}
        if present is not None and (is_restart or absent is not None) and present.kind == opened.kind:
            self._returned[widget_id] = present.inst
            present.inst, present.confirmed = opened.inst, confirmed
            present.writable = frozenset(opened.writable)
            present.esm, present.esm_url = opened.esm, opened.esm_url
            touched.update(dict.fromkeys(((widget_id, name) for name in confirmed), None))
            if absent is not None:
                self._came_back.append(present)
            return
        if present is not None:
            self._close(widget_id, present.inst)
        state = {name: copy_structure(value) for name, (value, _) in confirmed.items()}
        model = WidgetModel(widget_id, state, self, profile=self._profile, widget_manager=self)
        self.models[widget_id] = model
        self.widgets[widget_id] = RemoteWidget(
            opened.inst, opened.kind, frozenset(opened.writable), opened.esm, opened.esm_url, model, confirmed
        )
        if self._on_open is not None:
            self._on_open(model)
        for key in [key for key in self._orphans if key[0] == widget_id]:
            self._orphan_lost(self._orphans.pop(key))  # Of another kind that had this id.

    def _confirm(
        self,
        widget_id: str,
        inst: int,
        name: str,
        value: Any,
        rev: int,
        touched: dict[SlotKey, EncodedValue | None],
    ) -> None:
        widget = self.widgets.get(widget_id)
        if widget is None or widget.inst != inst:
            return
        present = widget.confirmed.get(name)
        if present is None or rev > present[1]:
            widget.confirmed[name] = (value, rev)
            touched[widget_id, name] = None

    def _close(self, widget_id: str, inst: int) -> None:
        """A widget is gone: its model with it. Edits of it that wait are refused by the server, or dropped here after a
        restart.
        """
        widget = self.widgets.get(widget_id)
        if widget is not None and widget.inst == inst:
            del self.widgets[widget_id], self.models[widget_id]
            widget.model.close()

    def _settle(self, ack: int, touched: dict[SlotKey, EncodedValue | None]) -> dict[int, SentBatch]:
        """Drop the batches that are done. Returns them by number."""
        settled: dict[int, SentBatch] = {}
        while self._inflight and self._inflight[0].seq <= ack:
            batch = self._inflight.popleft()
            settled[batch.seq] = batch
            for op in batch.ops:
                if isinstance(op, Edit):
                    self._unmask(op)
                    touched[op.key] = op.value
        return settled

    def _sent_value(self, seq: int, index: int) -> EncodedValue | None:
        """The value of an op that is under way."""
        for batch in self._inflight:
            if batch.seq == seq and index < len(batch.ops):
                op = batch.ops[index]
                return op.value if isinstance(op, Edit) else None
        return None

    def _is_unknown(self, widget_id: str, inst: int, name: str, seq: int, index: int, rev: int) -> bool:
        """Whether `same` names a value that we do not have, and should."""
        widget = self.widgets.get(widget_id)
        if widget is None or widget.inst != inst or self._sent_value(seq, index) is not None:
            return False
        confirmed = widget.confirmed.get(name)
        return confirmed is None or confirmed[1] < rev

    def _unmask(self, edit: Edit) -> None:
        left = self._pending.get(edit.key, 0) - 1
        if left > 0:
            self._pending[edit.key] = left
        else:
            self._pending.pop(edit.key, None)

    def _show(self, keys: Any, asked: Mapping[SlotKey, EncodedValue | None] | None = None) -> None:
        """Have slots that are not pending show what is confirmed; all of a model's at once."""
        updates: dict[str, tuple[WidgetModel, dict[str, Any]]] = {}
        for key in keys:
            widget_id, name = key
            widget = self.widgets.get(widget_id)
            if widget is None or key in self._pending:
                continue
            confirmed = widget.confirmed.get(name)
            value = confirmed[0] if confirmed is not None else None
            own = asked.get(key) if asked is not None else None
            if own is not None and widget.model.is_unsaved(name) and same_value(decode(own), value):
                continue  # The user is further, and the server said nothing that is news.
            if not same_value(widget.model.peek(name), value) or widget.model.is_unsaved(name):
                updates.setdefault(widget_id, (widget.model, {}))[1][name] = copy_structure(value)
        for model, changes in updates.values():
            model.handle_remote_updates(changes)

    def _keep_undeclared(
        self,
        rejects: Sequence[Reject],
        settled: dict[int, SentBatch],
        touched: dict[SlotKey, EncodedValue | None],
    ) -> None:
        """A property that Python does not have has no value to show in the place of the page's own, which widgets may
        rely on: they keep things of their own in the model.
        """
        for reject in rejects:
            batch = settled.get(reject.seq)
            if reject.code == "unknown_property" and batch is not None and 0 <= reject.op < len(batch.ops):
                op = batch.ops[reject.op]
                if isinstance(op, Edit) and self.confirmed(*op.key) is None:
                    touched.pop(op.key, None)

    def _refuse(self, rejects: Sequence[Reject], settled: dict[int, SentBatch]) -> None:
        for reject in rejects:
            batch = settled.get(reject.seq)
            if batch is None or not 0 <= reject.op < max(1, len(batch.ops)):
                continue  # Told before, by a frame of which the server did not know that it came.
            op = batch.ops[reject.op] if batch.ops else None
            if isinstance(op, Edit):
                self._events.append(EditRefused(reject.code, reject.message, op.widget_id, op.name))
            elif op is not None:
                self._message_lost(op, reject.code, reject.message)

    def _deliver(self, sync: Sync) -> None:
        missed = 0
        if sync.lost_msgs > self._last_n:
            missed = sync.lost_msgs - self._last_n
            self._last_n = sync.lost_msgs
        for message in sync.msgs:
            if message.n <= self._last_n:
                continue
            missed += message.n - self._last_n - 1
            self._last_n = message.n
            widget = self.widgets.get(message.widget_id)
            if widget is not None and widget.inst == message.inst:
                widget.model.handle_message(message.content, message.buffers)
        if missed:
            self._events.append(MessagesMissed(missed))

    def _edit_lost(self, edit: Edit, code: str, text: str) -> None:
        self._events.append(EditRefused(code, text, edit.widget_id, edit.name))

    def _message_lost(self, post: Post, code: str, text: str) -> None:
        self._events.append(MessageLost(code, text, post.widget_id))
        if post.on_lost is not None:
            post.on_lost(code, text)


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

"""The client's end of a connection in `rdit/1`, sans-IO: models, the edits on their way, the state that comes.

The browser's `session.js` follows the same rules, verb by verb. The adapter's duties:

- Dial when `wants_transport`, and say `opened` or `receive_eof`. Say `receive_eof` whenever a transport ends.
- End the transport when `wants_close`.
- Drain `frames_to_send` after each call and send the frames in order.
- Call `handle_timeout` when `next_deadline` has passed.

Here is the life of the connection, and what the page asks. Of the rest each has its noun: `client_edits` carries what
the page asks, `client_dialogue` says it, `client_sync` applies what comes to `client_widgets`, `client_shown` has the
models show it. `client_aftermath` decides what becomes of edits whose session is gone, `client_timing` when to dial,
and `client_events` keeps what there is to tell.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Literal

from ._transitions import PAGE_STATES, ClientState, ClientStep, client_step
from .base_client import OutputReceived
from .client_dialogue import ClientDialogue
from .client_edits import ClientEdits
from .client_events import ClientEvents, FrameIgnored, ServerFailed, SessionEvent
from .client_queue import Edit, Post
from .client_shown import ClientShown
from .client_sync import ClientSync
from .client_timing import ClientTiming
from .client_widgets import ClientWidgets, RemoteWidget
from .encoding import encode
from .errors import FRAME_CODES, LocalProtocolError, RemoteProtocolError, UnserializableValue
from .frames import decode_server_frame
from .limits import VALUE_DEPTH, Limits
from .messages import Error, Output, Ping, Pong, Report, Sync, Welcome
from .model import Profile, WidgetModel

_CONNECTED: Final = frozenset({"hello_sent", "syncing", "live"})
_LISTENING: Final = _CONNECTED | {"idle", "connecting"}

_STRIKE_CODES: Final = frozenset({1007, 1009, 4001})
"""Closes that may be about what the oldest batch holds."""

_FIRST_TERMINAL: Final = 4500
_LAST_TERMINAL: Final = 4999
_REPLACED: Final = 4004


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
        self.failure: tuple[int, str] | None = None
        """Close code and reason, once `failed`."""
        self._limits = limits or Limits()
        # What a server sends is as long as its values are; to refuse it would not make it any shorter.
        self._incoming = replace(self._limits, max_frame_bytes=sys.maxsize)
        self._policy = policy
        self._has_transport = False
        self._is_suspended = False
        self._timing = ClientTiming(self._limits, random or (lambda: 0.5))
        self._events = ClientEvents()
        self._widgets = ClientWidgets(self, profile, on_open)
        self._shown = ClientShown(self._widgets)
        self._edits = ClientEdits(self._limits, self._widgets, self._shown, self._events)
        self._dialogue = ClientDialogue(self._edits, subscribe, auth)
        self._sync = ClientSync(
            self._widgets,
            self._shown,
            self._edits,
            self._events,
            return_s=self._limits.return_s,
            became_live=self._became_live,
        )
        self.widgets: dict[str, RemoteWidget] = self._widgets.by_id
        """Widget id to what is known of it."""
        self.models: dict[str, WidgetModel] = self._widgets.models
        """Widget id to open model."""

    # The page's side.

    @property
    def rev(self) -> int:
        """Of the last `sync` that was applied."""
        return self._sync.rev

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
        return self._edits.is_idle

    def is_pending(self, widget_id: str, property: str) -> bool:
        """Whether a slot has an edit that is queued or not acknowledged."""
        return (widget_id, property) in self._shown.pending

    def confirmed(self, widget_id: str, property: str) -> tuple[Any, int] | None:
        """The server's value of a slot and its revision, as last told. Not to be changed."""
        return self._widgets.confirmed((widget_id, property))

    def events_received(self) -> list[SessionEvent]:
        """What there is to tell since the last call, in order."""
        return self._events.take()

    def report(self, widget_id: str, stage: str, message: str, stack: str = "") -> None:
        """Tell Python of an error in a widget's own code. Some wait until the connection is live."""
        if not self.is_over:
            self._dialogue.report(Report(widget_id, stage, message, stack), bounded=self.state != "live")

    def subscribe(self, widget_ids: Literal["*"] | Sequence[str]) -> None:
        """Show these widgets from now on, and no others."""
        self._dialogue.subscribe(widget_ids, at_once=self.state in ("syncing", "live"))

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
        group = self._edits.new_group()
        widget = self.widgets.get(widget_id) or self._widgets.absent.get(widget_id)
        for name, value in changes.items():
            try:
                encoded = encode(value, max_depth=self._limits.max_depth - VALUE_DEPTH)
            except UnserializableValue as error:
                refused = refused or error
                continue
            edit = Edit(widget_id, widget.inst if widget is not None else 0, name, encoded, group)
            if widget is not None and name in widget.if_unchanged:
                edit.if_rev = self._edits.seen_rev(edit.key)
            refusal = self._refusal(widget, edit)
            if refusal is None:
                self._edits.put(edit)
                continue
            self._events.edit_lost(edit, *refusal)
            if not self.is_over:
                self._shown.show([edit.key])
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
        refusal = self._refusal(widget, post)
        if refusal is None:
            # While live a burst only waits for its turn.
            self._edits.post(post, bounded=self.state != "live")
        else:
            self._events.message_lost(post, *refusal)

    def _refusal(self, widget: RemoteWidget | None, op: Edit | Post) -> tuple[str, str] | None:
        """Code and text if an op is not even queued."""
        if widget is None or self.is_over:
            return "undeliverable", "The connection has ended"
        if self._policy == "drop" and self.state != "live":
            return "dropped", "There is no connection"
        if op.size_bytes > self._edits.room:
            return "too_large", self._edits.too_large()
        return None

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
        self._timing.opened(now_s)
        self._dialogue.opened(self._sync.resume())

    def receive_eof(self, now_s: float, code: int | None = None, reason: str = "") -> None:
        """The transport is gone, or could not be had. Idempotent.

        Args:
            now_s: the host's clock, in seconds.
            code: the close code, where there was one.
            reason: its text.
        """
        self._has_transport = False
        self._dialogue.ended()
        self._sync.ended()
        self._timing.ended()
        self._edits.ended()
        if self.is_over or self.state in ("idle", "backoff"):
            return
        if code is not None and _FIRST_TERMINAL <= code <= _LAST_TERMINAL:
            self._fail(code, reason)
            return
        if code == _REPLACED:
            self._sync.replaced()
        if code in _STRIKE_CODES:
            self._edits.strike_oldest()
        self._timing.lost(now_s)
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
        self._timing.heard_s = now_s
        try:
            message = decode_server_frame(frame, self._incoming)
        except RemoteProtocolError as error:
            if error.code != "unknown_type":  # A newer server may say more than we know.
                self._events.tell(FrameIgnored(error.code))
            return
        match message:
            case Sync():
                self._take_sync(message, now_s)
            case Welcome():
                if self.state == "hello_sent":
                    self._step("welcomed")
                    self._dialogue.take_welcome(message)
            case Ping():
                self._dialogue.say(Pong(message.id))
            case Error():
                self._take_error(message)
            case Output():
                self._events.tell(OutputReceived(message.n, message.event))
            case _:
                self._timing.answered(message.id)

    def frames_to_send(self, now_s: float) -> list[str | bytes]:
        """Take what there is to send. Batches leave only while live, and while fewer than the limit are under way."""
        if not self._has_transport:
            return []
        return self._dialogue.frames_to_send(is_live=self.state == "live")

    def next_deadline(self) -> float | None:
        """When `handle_timeout` must be called next, in seconds of the clock of `now_s`; None for never."""
        deadline: float | None = None
        if self.state in _CONNECTED:
            deadline = self._timing.silence_s
        elif self.state == "backoff" and not self._is_suspended and not self._has_transport:
            deadline = self._timing.retry_s
        if self._widgets.absent and not self.is_over:
            return self._sync.absent_until_s if deadline is None else min(deadline, self._sync.absent_until_s)
        return deadline

    def handle_timeout(self, now_s: float) -> None:
        """Do what is due: dial again, or give up a transport that is silent. Harmless when nothing is."""
        if self._widgets.absent and now_s >= self._sync.absent_until_s:
            self._sync.give_up_absent()
        deadline = self.next_deadline()
        if deadline is None or now_s < deadline or self.is_over:
            return
        self._step("retry" if self.state == "backoff" else "silence")

    def hint_online(self, now_s: float) -> None:
        """The network is back, or somebody looks at the page again: dial at once, or ask whether the peer is there."""
        if self.state == "backoff" and not self._is_suspended and not self._has_transport:
            self._step("retry")
        elif self.state in ("connecting", "hello_sent"):
            self._timing.hint()
        elif self.state in ("syncing", "live"):
            probe_id = self._timing.probe(now_s)
            if probe_id is not None:
                self._dialogue.say(Ping(probe_id))

    def suspend(self, now_s: float) -> None:
        """The page is kept for "back": the adapter ends the transport, without a goodbye."""
        self._is_suspended = True
        if self.state not in ("idle", "backoff", "closed", "failed"):
            # What the limits let out now may count before the page is ever shown again.
            self._dialogue.say_last(self.frames_to_send(now_s))
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
        if self._has_transport and self.state in ("syncing", "live"):
            self._dialogue.say_last(self.frames_to_send(now_s))
            if self.state == "live":
                self._dialogue.say_last(self._edits.last_frames())
            self._dialogue.say_bye()
        self._step("leave")
        self._edits.give_up("undeliverable", "The page was left")

    # Inside.

    def _step(self, step: ClientStep) -> None:
        self.state = client_step(self.state, step)

    def _fail(self, code: int, reason: str) -> None:
        self.failure = (code, reason)
        self._step("refused")
        self._edits.give_up("undeliverable", reason or f"The server closed the connection for good ({code})")

    def _take_error(self, error: Error) -> None:
        self._events.tell(ServerFailed(error.code, error.message, error.fatal))
        if not error.fatal and error.code in FRAME_CODES and self._edits.strike(error.seq):
            self._dialogue.acknowledge_again()

    def _take_sync(self, sync: Sync, now_s: float) -> None:
        if self.state not in ("syncing", "live"):
            return
        if not self._dialogue.take_sync(frame=sync.frame, is_complete=self._sync.is_complete(sync)):
            self._step("silence")
            return
        parts = self._sync.collect(sync)
        if parts:
            self._sync.apply(parts, self._dialogue.welcome if self.state == "syncing" else None, now_s)

    def _became_live(self, now_s: float) -> None:
        """The first `sync` is applied; but whoever heard of a model that it opened may have left."""
        if self.state == "syncing":
            self._step("synced")
            self._timing.became_live(now_s)
            self._edits.resend()

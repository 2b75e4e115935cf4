"""The client's end of a connection in base mode, sans-IO: models, the edits on their way, the pushes that come.

The browser's `connection.js` follows the same rules; the adapter's duties are those that `server` states, with `opened`
called whenever a transport is up.

**Edits.** They wait in a queue that holds one value per slot, so that being offline for an hour costs no more than
being offline for a second. What was sent and not yet answered stays known until its reply comes; when the connection
goes first, it is queued again unless a newer edit of the slot is there already (base mode has no dedupe: the last value
per slot counts, at least once).

**The mask.** While a slot has an edit that is queued or unanswered, pushes for it are not shown: the user is further
than the server. The server pushes the present value once more after it has answered (the trailing correction), so
nothing is missed.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from .encoding import encode_value, restore_binary
from .errors import LocalProtocolError, RemoteProtocolError, UnserializableValue
from .frames import decode_server_message
from .limits import Limits
from .manager import WidgetData
from .messages import Ack, Error, WidgetUpdate
from .model import Profile, WidgetModel

_log = logging.getLogger("rdit.model")

_EARLY_SLOTS: Final = 10_000
"""Pushes kept for widgets that are not open yet, one value per slot; beyond, the oldest go."""

SlotKey = tuple[str, str]


@dataclass(frozen=True, slots=True)
class EditRefused:
    """The server refused an edit. Without widget and property: something else that it had to say."""

    code: str
    message: str
    widget_id: str | None = None
    property: str | None = None


@dataclass(frozen=True, slots=True)
class OutputReceived:
    """An execution event of the host; its schema is the host's."""

    n: int
    event: Any


ClientEvent = EditRefused | OutputReceived


class BaseClientConnection:
    """One page's end in base mode, and the models it keeps.

    Args:
        limits: bounds of frames that come in.
        profile: of the models.
    """

    def __init__(self, *, limits: Limits | None = None, profile: Profile = "strict") -> None:
        self.is_connected = False
        self.models: dict[str, WidgetModel] = {}
        """Widget id to open model."""
        self._limits = limits or Limits()
        self._profile: Profile = profile
        self._queue: dict[SlotKey, bytes] = {}
        self._unanswered: deque[tuple[SlotKey, bytes]] = deque()
        self._early: dict[SlotKey, Any] = {}
        self._events: list[ClientEvent] = []

    # Models.

    def open(self, data: Mapping[str, Any] | WidgetData) -> WidgetModel:
        """The model of a serialized widget; the same model when it is open already.

        Args:
            data: what `WidgetManager.serialize` returned. Not kept.
        """
        widget_id: str = data["widget_id"]
        present = self.models.get(widget_id)
        if present is not None:
            return present
        encoded = encode_value(data["model"])
        state = restore_binary(msgspec.json.decode(encoded), encoded)
        if data.get("css") is not None:
            state["_css"] = data["css"]
        for key in [key for key in self._early if key[0] == widget_id]:
            state[key[1]] = self._early.pop(key)
        model = WidgetModel(widget_id, state, self, profile=self._profile, widget_manager=self)
        self.models[widget_id] = model
        return model

    def get_model(self, widget_id: str) -> WidgetModel:
        """An open model. Raises `KeyError` when there is none."""
        return self.models[widget_id]

    def close_model(self, widget_id: str) -> None:
        """Forget a model and the edits of it that were not sent."""
        self.models.pop(widget_id, None)
        for key in [key for key in self._queue if key[0] == widget_id]:
            del self._queue[key]

    def send_update(self, widget_id: str, property: str, value: Any) -> None:
        """Queue an edit; a later one of the same slot takes its place if it was not sent. Snapshots the value.

        Raises:
            UnserializableValue: nothing was queued.
        """
        key = (widget_id, property)
        encoded = encode_value(value, max_depth=self._limits.max_depth)
        self._queue.pop(key, None)  # To the end: what was edited last is sent last.
        self._queue[key] = encoded

    def send_updates(self, widget_id: str, changes: Mapping[str, Any]) -> None:
        """Queue edits that were saved together. In base mode each goes for itself.

        Raises:
            UnserializableValue: for the first that has no JSON form. The others are queued.
        """
        refused: UnserializableValue | None = None
        for name, value in changes.items():
            try:
                self.send_update(widget_id, name, value)
            except UnserializableValue as error:
                refused = refused or error
        if refused is not None:
            raise refused

    def send_message(self, widget_id: str, content: Any, buffers: Sequence[Any]) -> None:
        """Base mode carries no custom messages: it is logged as lost, never silently."""
        _log.warning("widget %s: custom message not sent, base mode carries none", widget_id)

    # Transport.

    def opened(self) -> None:
        """A transport is up; everything queued may go."""
        if self.is_connected:
            raise LocalProtocolError("Expected opened() once per transport; call receive_eof() first")
        self.is_connected = True

    def receive_eof(self, now_s: float = 0.0) -> None:
        """The transport is gone. What was not answered is queued again, older edits first. Idempotent.

        Pushes for widgets that are not open are forgotten: the next connection brings them again, up to date.
        """
        self.is_connected = False
        self._early.clear()
        again = {key: value for key, value in self._unanswered if key not in self._queue}
        self._unanswered.clear()
        self._queue = {**again, **self._queue}

    def receive_frame(self, frame: str | bytes, now_s: float = 0.0) -> None:
        """Take one frame of the server. A frame that is no message is ignored, and so is an unknown type."""
        try:
            message = decode_server_message(frame, self._limits)
        except RemoteProtocolError:
            return
        match message:
            case WidgetUpdate():
                self._pushed(message)
            case Ack():
                self._answered((message.widget_id, message.property))
            case Error():
                key: tuple[str | None, str | None] = message.widget_id, message.property
                if message.widget_id is not None and message.property is not None:
                    self._answered((message.widget_id, message.property))
                elif self._unanswered:
                    # A frame that the server could not read (too large, say). Replies come in order: it is the oldest.
                    key, _ = self._unanswered.popleft()
                self._events.append(EditRefused(message.code, message.message, *key))
            case _:
                self._events.append(OutputReceived(message.n, message.event))

    def events_received(self) -> list[ClientEvent]:
        """What arrived for the host since the last call, in order."""
        events, self._events = self._events, []
        return events

    def frames_to_send(self, now_s: float = 0.0) -> list[str]:
        """Take what there is to send; empty while not connected."""
        if not self.is_connected:
            return []
        queue, self._queue = self._queue, {}
        self._unanswered.extend(queue.items())
        return [
            msgspec.json.encode(WidgetUpdate(widget_id, name, msgspec.Raw(value))).decode()
            for (widget_id, name), value in queue.items()
        ]

    @property
    def is_idle(self) -> bool:
        """Whether no edit is queued or unanswered."""
        return not self._queue and not self._unanswered

    def is_pending(self, widget_id: str, property: str) -> bool:
        """Whether a slot has an edit that is queued or unanswered."""
        key = (widget_id, property)
        return key in self._queue or any(key == sent for sent, _ in self._unanswered)

    def _pushed(self, message: WidgetUpdate) -> None:
        key = (message.widget_id, message.property)
        model = self.models.get(message.widget_id)
        if model is None:
            self._early.pop(key, None)
            self._early[key] = message.value
            if len(self._early) > _EARLY_SLOTS:
                del self._early[next(iter(self._early))]
        elif not self.is_pending(*key):
            model.handle_remote_update(message.property, message.value)

    def _answered(self, key: SlotKey) -> None:
        # Replies come in order, so this is the first; a server that answers otherwise is healed by the next eof.
        for index, (sent, _) in enumerate(self._unanswered):
            if sent == key:
                del self._unanswered[index]
                return

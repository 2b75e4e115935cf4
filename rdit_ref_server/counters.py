"""What a server has done so far, in numbers, for `GET /api/status`.

Plain additions on the thread where things happen: frames and connections are counted on the server's event loop,
without a lock. What managers announce comes from the threads of their kernels, of which there may be several, so it
takes one. A reader may meet a moment in between, and the numbers of one answer belong together only about.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from rdit_core import WidgetManager
from rdit_core.events import Connected, ConnectionEvent, FrameRefused, WriteWasRefused


class Counters:
    """Counts from now on. Frames are told of by who carries them, the rest by the managers that are added."""

    def __init__(self) -> None:
        self.frames_in = 0
        self.frames_out = 0
        self.bytes_in = 0
        """Of frames, without what the transport adds."""
        self.bytes_out = 0
        self._managers: dict[WidgetManager, list[Callable[[], None]]] = {}
        self._lock = threading.Lock()
        self._since_s = time.monotonic()
        self._opened = 0
        self._closed: Counter[str] = Counter()
        self._came_back = 0
        self._resumed = 0
        self._widgets_opened = 0
        self._refused_frames: Counter[str] = Counter()
        self._refused_writes: Counter[str] = Counter()
        self._refused_requests: Counter[str] = Counter()
        self._outputs_dropped = 0
        self._messages_dropped = 0
        self._reports = 0

    def add(self, manager: WidgetManager) -> None:
        """Count a manager's widgets, sessions and refusals as well."""
        callbacks: dict[str, Callable[[Any], None]] = {
            "connected": self._on_connected,
            "opened": self._on_widget_opened,
            "write_refused": self._on_write_refused,
            "output_dropped": self._on_output_dropped,
            "message_dropped": self._on_message_dropped,
            "front_end_failed": self._on_front_end_failed,
        }
        with self._lock:
            self._widgets_opened += len(manager.widgets)
            self._managers[manager] = [manager.on(name, callback) for name, callback in callbacks.items()]

    def remove(self, manager: WidgetManager) -> None:
        """A manager has ended. What was counted of it stays."""
        with self._lock:
            for end in self._managers.pop(manager):
                end()

    def came(self, frame: str | bytes) -> None:
        """A frame arrived."""
        size = _size_of(frame)
        with self._lock:
            self.frames_in += 1
            self.bytes_in += size

    def went(self, frame: str | bytes) -> None:
        """A frame was handed to the transport."""
        size = _size_of(frame)
        with self._lock:
            self.frames_out += 1
            self.bytes_out += size

    def opened(self) -> None:
        """A connection opened."""
        self._opened += 1

    def closed(self, reason: str) -> None:
        """And ended: for a reason of ours (`rdit_core.server.CLOSE_CODES`), or because its peer `left`."""
        self._closed[reason] += 1

    def happened(self, event: ConnectionEvent) -> None:
        """A connection's event, one of those of its `events_received`."""
        if type(event) is FrameRefused:
            self._refused_frames[event.code] += 1

    def refused(self, code: str) -> None:
        """A request was not let in."""
        self._refused_requests[code] += 1

    def as_dict(self) -> dict[str, Any]:
        """All of them, as `/api/status` gives them."""
        with self._lock:
            managers = list(self._managers)
            refused_writes = dict(self._refused_writes)
        sessions = sum(len(one.sessions) for one in managers)
        widgets = sum(len(one.widgets) for one in managers)
        return {
            "uptime_s": round(time.monotonic() - self._since_s, 1),
            "connections": {
                "open": self._opened - sum(self._closed.values()),
                "opened": self._opened,
                "closed": dict(self._closed),
            },
            "sessions": {"known": sessions, "came_back": self._came_back, "resumed": self._resumed},
            "widgets": {"open": widgets, "opened": max(self._widgets_opened, widgets)},
            "frames": {"in": self.frames_in, "out": self.frames_out},
            "bytes": {"in": self.bytes_in, "out": self.bytes_out},
            "refused": {
                "requests": dict(self._refused_requests),
                "frames": dict(self._refused_frames),
                "writes": refused_writes,
            },
            "dropped": {"outputs": self._outputs_dropped, "messages": self._messages_dropped},
            "reports": self._reports,
        }

    def _on_connected(self, event: Connected) -> None:
        with self._lock:
            self._came_back += event.came_back
            self._resumed += event.resumed

    def _on_widget_opened(self, event: object) -> None:
        with self._lock:
            self._widgets_opened += 1

    def _on_write_refused(self, event: WriteWasRefused) -> None:
        with self._lock:
            self._refused_writes[event.code] += 1

    def _on_output_dropped(self, event: object) -> None:
        with self._lock:
            self._outputs_dropped += 1

    def _on_message_dropped(self, event: object) -> None:
        with self._lock:
            self._messages_dropped += 1

    def _on_front_end_failed(self, event: object) -> None:
        with self._lock:
            self._reports += 1


def _size_of(frame: str | bytes) -> int:
    """In bytes. Text knows whether it is ASCII; nearly all of ours is, or is small."""
    if isinstance(frame, str) and not frame.isascii():
        return len(frame.encode("utf-8", "surrogatepass"))
    return len(frame)

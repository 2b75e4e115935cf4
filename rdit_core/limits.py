"""Every number that bounds the core, in one record."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one `WidgetManager` and its connections. The defaults are those of PROTOCOL.md, "Limits"."""

    max_frame_bytes: int = 64 * 1024 * 1024
    """Largest frame a page may send, in bytes of UTF-8, inclusive. A longer one is refused with `too_large`."""

    max_depth: int = 256
    """Deepest nesting of arrays and objects in a frame, the message's own object included."""

    max_widgets: int = 10_000
    """Widgets that one manager hosts at a time; one more raises `LimitReached`."""

    max_connections: int = 32
    """Open connections of one user; one more is refused."""

    max_waiting_bytes: int = 16 * 1024 * 1024
    """Frames of one connection that wait for the kernel; from there on it is congested. One frame may exceed it."""

    max_waiting_frames: int = 1_000
    """Replies of one connection that wait for the kernel, or for the peer to read them; then it is congested."""

    correction_s: float = 0.25
    """Base mode: how long after a page's last update of a property, in seconds, the present value is pushed to it when
    that is not what the page sent last."""

"""Every number that bounds the core, in one record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_MIB = 1024 * 1024

VALUE_DEPTH: Final = 5
"""How deep in a frame a value stands, at most: that of a property of a widget that opens."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one `WidgetManager` and its connections. The defaults are those of PROTOCOL.md, "Limits"."""

    max_frame_bytes: int = 64 * _MIB
    """Largest frame a page may send, in bytes (of UTF-8, for text), inclusive. A longer one is refused with
    `too_large`."""

    max_depth: int = 256
    """Deepest nesting of arrays and objects in a frame, the message's own object included."""

    max_widgets: int = 10_000
    """Widgets that one manager hosts at a time; one more raises `LimitReached`."""

    max_connections: int = 32
    """Open connections of one user; one more is refused."""

    max_waiting_bytes: int = 16 * _MIB
    """Frames of one connection that wait for the kernel; from there on it is congested. One frame may exceed it."""

    max_waiting_frames: int = 1_000
    """Replies of one connection that wait for the kernel, or for the peer to read them; then it is congested."""

    correction_s: float = 0.25
    """Base mode: how long after a page's last update of a property, in seconds, the present value is pushed to it when
    that is not what the page sent last."""

    max_slot_writes: int = 2_000
    """Writes of one property by pages within `storm_s`, all pages together: sixteen that drag it at 120 Hz. What comes
    beyond is refused with `too_often`, and the host is told (`storm`)."""

    storm_s: float = 1.0
    """And how long that is, in seconds."""

    max_moments: int = 1_000
    """Past states kept for a connection that reads slowly, so that no value which Python set and took back at once is
    swallowed; beyond, such values are, the oldest first, which the host is told."""

    max_moment_bytes: int = 4 * _MIB
    """And their bytes. One past state may always exceed it."""

    # rdit/1.

    max_ops: int = 256
    """Ops of one batch."""

    max_inflight: int = 2
    """Batches that a client may have sent and not seen acknowledged."""

    max_sync_frames: int = 4
    """`sync` frames that may be on their way to a client before it acknowledges one."""

    max_sync_bytes: int = 1 * _MIB
    """Bytes of `sync` frames that may be on their way; one frame may always exceed it. Also where a `sync` is split."""

    owed_s: float = 0.02
    """How long after a batch came, in seconds, changes made while it is applied may be held back, so that they and its
    ack go out in one `sync`. A handler that takes longer shows what it sets while it runs."""

    max_rejects: int = 512
    """Rejects kept for a client until it has them; beyond, the oldest go."""

    max_messages: int = 1_000
    """Custom messages kept for a session until its client has them; beyond, the oldest are lost, which it is told."""

    max_message_bytes: int = 4 * _MIB
    """And their bytes. One message may always exceed it."""

    max_sessions: int = 1_000
    """Detached sessions kept; beyond, the one that is detached longest goes."""

    max_tombstones: int = 10_000
    """Closed widgets that are remembered, so that a page that comes back is told."""

    max_bad_frames: int = 10
    """Frames that are no message, without a new batch between them, after which a connection is closed (4502)."""

    session_ttl_s: float = 120.0
    """How long a session without a connection is kept, in seconds."""

    ping_s: float = 25.0
    """Between two pings of the server, in seconds."""

    silence_s: float = 45.0
    """After how long without a frame the peer counts as gone, in seconds (4003). On either side."""

    first_frame_s: float = 15.0
    """Within which a client must say hello, in seconds (4003)."""

    stall_s: float = 30.0
    """How long a client may owe acknowledgements of `sync` without any progress, in seconds (4002)."""

    # A client of rdit/1.

    max_queued_messages: int = 256
    """Custom messages that wait while there is no connection; beyond, the oldest fail with `queue_full`."""

    max_queued_message_bytes: int = 1 * _MIB
    """And their bytes. One message may always exceed it."""

    backoff_base_s: float = 0.5
    """The first wait before dialling again is uniform between 0 and this, in seconds; it doubles with each loss."""

    backoff_cap_s: float = 20.0
    """And grows no further than this."""

    stable_s: float = 5.0
    """A connection that is live this long, in seconds, counts as good: the backoff starts anew."""

    return_s: float = 30.0
    """How long after a restart of the server, in seconds, a page waits for the widgets that it knew and that the new
    server does not have yet: its script may still be running."""

    probe_s: float = 5.0
    """How long the answer to a probe may take, in seconds, before the connection counts as lost."""

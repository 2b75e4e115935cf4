"""The network: transports of two directions, each with its own ways to go wrong.

A direction keeps frames in order whatever its jitter, as a socket does; frames of different transports overtake each
other freely. What goes wrong is state of the direction, set by `hazards` at an instant and looked at when a frame is
sent or arrives:

- `is_dead`: everything is swallowed and nobody is told (half-open);
- `held`: frames wait (a stall, or a reader that takes one now and then);
- `trap`: a kind of frame whose sending cuts the transport, so that it is lost;
- `corrupt`: so many more batches arrive unreadable.

`in_flight` counts what was sent and has not arrived. A sender with more than `window` under way is told by
`has_room` to wait, as a full socket buffer would tell it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from .agenda import MS

if TYPE_CHECKING:
    from .world import World

Frame = str | bytes
Delivery = Callable[[Frame, Any], None]
Item = tuple[Frame, Any, int]
"""A frame under way, what travels beside it for the checkers, and 1 if it counts as content."""

_WINDOW: Final = 64
_BEAT: Final = '{"type":"p'
"""How pings and pongs begin."""
_POISON: Final = '"poison'
"""A value that no network lets through."""


class Direction:
    """One way of one transport."""

    __slots__ = (
        "_random",
        "_world",
        "arrive",
        "content",
        "corrupt",
        "held",
        "in_flight",
        "is_dead",
        "is_gone",
        "jitter_ns",
        "lane",
        "last_ns",
        "latency_ns",
        "on_room",
        "transport",
        "trap",
        "trap_skip",
        "window",
    )

    def __init__(self, world: World, transport: Transport, lane: str) -> None:
        self._world = world
        self.transport = transport
        self.lane = lane
        self.latency_ns = world.setup.latency_ms * MS
        self.jitter_ns = world.setup.jitter_ms * MS
        self._random = world.network.random
        self.last_ns = 0
        self.arrive: Delivery = lambda frame, view: None
        self.on_room: Callable[[], None] | None = None
        self.in_flight = 0
        self.content = 0
        """Of those, frames that are no ping and no pong."""
        self.window = _WINDOW
        self.is_dead = False
        self.is_gone = False
        self.held: deque[Item] | None = None
        self.trap: str | None = None
        self.trap_skip = 0
        self.corrupt = 0

    @property
    def has_room(self) -> bool:
        """Whether a sender may send for now."""
        return self.in_flight < self.window

    def send(self, frame: Frame, view: Any) -> None:
        """Put a frame under way. `view` travels beside it for the checkers."""
        world = self._world
        if self.trap is not None and self._is_trapped(frame):
            return
        if self.corrupt or world.has_poison:
            frame, view = self._spoiled(frame, view)
        if self.is_dead or self.is_gone:
            world.lost(self.lane, frame)
            return
        weight = frame[:10] != _BEAT
        self.in_flight += 1
        self.content += weight
        agenda = world.agenda
        at = agenda.now_ns + self.latency_ns
        if self.jitter_ns:
            at += int(self._random() * self.jitter_ns)
        if at < self.last_ns:
            at = self.last_ns
        self.last_ns = at
        agenda.at(at, self._deliver, (frame, view, weight))

    def _is_trapped(self, frame: Frame) -> bool:
        """Whether a frame is the one that the trap waits for. It is lost then, and the transport with it."""
        trap = self.trap
        if trap is None or frame[: len(trap)] != trap:
            return False
        if self.trap_skip:
            self.trap_skip -= 1
            return False
        self.trap = None
        self._world.lost(self.lane, frame)
        self.transport.cut(server_eof_ms=5, client_eof_ms=5)
        return True

    def _spoiled(self, frame: Frame, view: Any) -> tuple[Frame, Any]:
        """A frame as it arrives, unreadable if it is one of those, and what a checker is told of it then."""
        if isinstance(frame, bytes):
            return frame, view
        if self.corrupt and frame[:16] == '{"type":"batch",':
            self.corrupt -= 1
        elif not (self._world.has_poison and _POISON in frame and self is self.transport.to_server):
            return frame, view
        self._world.fire("F41")
        return "x" + frame[1:], None

    def _deliver(self, item: Item) -> None:
        frame, view, weight = item
        if self.is_gone or self.is_dead:
            self.in_flight -= 1
            self.content -= weight
            self._world.lost(self.lane, frame)
            return
        if self.held is not None:
            self.held.append(item)
            return
        self.in_flight -= 1
        self.content -= weight
        world = self._world
        world.events += 1
        world.trace.append((world.agenda.now_ns, self.lane, frame))
        self.arrive(frame, view)
        if self.in_flight == self.window - 1 and self.on_room is not None:
            self.on_room()

    def widen(self, window: int) -> None:
        """More frames may be under way from now on; a sender that waits is told."""
        self.window = window
        if self.on_room is not None and self.has_room:
            self.on_room()

    def hold(self) -> None:
        """Frames wait from now on."""
        if self.held is None:
            self.held = deque()

    def release(self, count: int | None = None) -> None:
        """Let waiting frames arrive at once, in order: so many, or all, and then the direction flows again."""
        held, self.held = self.held, None
        if held is None:
            return
        while held and (count is None or count > 0):
            self._deliver(held.popleft())
            if count is not None:
                count -= 1
        if count is not None and not self.is_gone:
            self.held = held

    def flow(self) -> None:
        """Let everything that waits arrive."""
        self.release()


class Transport:
    """A connection between a client and the server, as a socket is one."""

    __slots__ = ("_world", "client_eof", "is_cut", "name", "server_eof", "to_client", "to_server")

    def __init__(self, world: World, name: str) -> None:
        self._world = world
        self.name = name
        self.to_server = Direction(world, self, f"{name}>")
        self.to_client = Direction(world, self, f"{name}<")
        self.client_eof: Callable[[int | None], None] = lambda code: None
        self.server_eof: Callable[[], None] = lambda: None
        self.is_cut = False

    def cut(self, *, server_eof_ms: int = 0, client_eof_ms: int = 0, keep_to_server: bool = False) -> None:
        """End it abnormally. What is under way is lost; each end hears of it after its own time.

        Args:
            server_eof_ms: until the server's end knows.
            client_eof_ms: until the client's end knows.
            keep_to_server: what is under way to the server still arrives there, late.
        """
        if self.is_cut:
            return
        self.is_cut = True
        self.to_client.is_gone = True
        if not keep_to_server:
            self.to_server.is_gone = True
        world = self._world
        world.late_ns = max(world.late_ns, world.agenda.now_ns + server_eof_ms * MS + 2 * self.to_server.latency_ns)
        self._world.agenda.after(client_eof_ms * MS, self._tell_client, None)
        self._world.agenda.after(server_eof_ms * MS, self._tell_server, None)

    def close_from_server(self, code: int) -> None:
        """The server closes: its code arrives behind its frames; the client's end hears nothing else."""
        if self.is_cut:
            # The client's end is gone already, and could not say so.
            self._world.agenda.after(0, self._tell_server, None)
            return
        if self.to_client.is_dead:
            self._tell_server(None)
            return
        self.is_cut = True
        way = self.to_client
        at = max(self._world.agenda.now_ns + way.latency_ns, way.last_ns)
        self._world.agenda.at(at, self._tell_client, code)
        self._world.agenda.after(2 * way.latency_ns, self._tell_server, None)

    def close_from_client(self) -> None:
        """The client closes: the server's end hears of it behind the client's frames."""
        if self.is_cut:
            return
        self.is_cut = True
        self.to_client.is_gone = True
        way = self.to_server
        if way.is_dead:
            return  # The server finds out by itself.
        if way.held is not None:
            way.release()
        at = max(self._world.agenda.now_ns + way.latency_ns, way.last_ns)
        self._world.late_ns = max(self._world.late_ns, at)
        self._world.agenda.at(at, self._tell_server, None)

    def _tell_client(self, code: int | None) -> None:
        if self.to_client.held is not None and not self.to_client.is_gone:
            # The close stands behind what is held.
            self._world.agenda.after(50 * MS, self._tell_client, code)
            return
        self.to_client.is_gone = True
        self.client_eof(code)

    def _tell_server(self, _: None) -> None:
        self.to_server.is_gone = True
        self.server_eof()

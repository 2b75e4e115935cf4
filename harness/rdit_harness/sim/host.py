"""The server's side: the core, the kernel's thread, and an adapter for each connection.

The adapter (`Port`) does what the core asks of one and no more: it feeds frames in unless the connection is congested,
drains after each input and on `wakeup` as long as the transport has room, keeps deadlines, closes when told to. The
kernel is an event of its own: what pages sent waits for it, longer when it is busy.
"""

from __future__ import annotations

from collections import deque
from math import inf
from typing import TYPE_CHECKING, Any, Final

from rdit_core import TRUSTED, LimitReached, WidgetManager

from .agenda import MS, instant_of
from .checkers import PortLog, SessionLog, snapshot
from .network import Frame, Transport
from .widgets import SHOWN
from .wire import (
    AckView,
    BatchView,
    ErrorView,
    HelloView,
    PongView,
    SubscribeView,
    SyncAckView,
    SyncView,
    UpdateView,
    WelcomeView,
    read_base,
    read_server,
)

if TYPE_CHECKING:
    from .world import World

_SHOWN: Final = frozenset(SHOWN)
_NO_HURRY: Final = frozenset((SyncAckView, PongView))
"""After these no deadline is nearer than it was."""
_EMPTY: Final[tuple[Any, ...]] = ()


class Port:
    """One connection at the server, and its end of the transport."""

    __slots__ = (
        "_armed_s",
        "_inbox",
        "_is_closing",
        "_timer_ns",
        "_world",
        "connection",
        "has_narrowed",
        "hidden",
        "host",
        "is_awake",
        "is_base",
        "is_open",
        "log",
        "name",
        "owner",
        "transport",
        "unanswered",
    )

    def __init__(self, world: World, host: Host, transport: Transport, mode: str, owner: Any, hidden: Any) -> None:
        self._world = world
        self.host = host
        self.transport = transport
        self.name = transport.name
        self.owner = owner
        self.hidden = frozenset(hidden)
        self.is_base = mode == "base"
        self.log = PortLog()
        self.unanswered: deque[tuple[str, str]] = deque()
        self.is_awake = False
        self.is_open = True
        self.has_narrowed = False
        self._is_closing = False
        self._timer_ns = 0
        """When the timer rings; 0 while there is none."""
        self._armed_s = inf
        """The deadline that this is for: a later one needs no look at the timer, which asks again when it rings."""
        self._inbox: deque[tuple[Frame, Any]] = deque()
        hidden_ids = self.hidden
        connect: Any = host.manager.connect
        self.connection = (
            connect(TRUSTED, mode="base", wakeup=self._wake)
            if self.is_base
            else connect(
                TRUSTED,
                mode="v1",
                wakeup=self._wake,
                may_see=(lambda widget_id: widget_id not in hidden_ids) if hidden_ids else None,
                now_s=host.now_s,
            )
        )
        transport.to_server.arrive = self._arrive
        transport.to_client.on_room = self._wake
        transport.server_eof = self.eof
        host.ports.append(self)
        self.drain()

    def _wake(self) -> None:
        if not self.is_awake and self.is_open:
            self.is_awake = True
            self._world.awake.append(self)

    def _arrive(self, frame: Frame, view: Any) -> None:
        if not self.is_open:
            return
        if self._inbox or self.connection.is_congested:
            self._inbox.append((frame, view))
            self._world.mark("congested")
            return
        self._take(frame, view)
        if self.is_awake:  # What there is to send now has called `wakeup`.
            self.drain()
        elif type(view) not in _NO_HURRY:
            self.arm()

    def receive_junk(self, frame: Frame) -> None:
        """Something arrives that is no frame of the peer's."""
        if self.is_open:
            self.unanswered.append(("", ""))
            self.connection.receive_frame(frame, self.host.now_s)
            self.drain()

    def _take(self, frame: Frame, view: Any) -> None:
        if view is not None:
            self._watch_client(view)
        self.connection.receive_frame(frame, self.host.now_s)

    def drain(self) -> None:
        """Send what there is to send, as far as the transport has room."""
        self.is_awake = False
        if not self.is_open:
            return
        connection = self.connection
        self.send()
        if self._inbox and not connection.is_congested:
            frame, view = self._inbox.popleft()
            self._take(frame, view)
            self._wake()
        if not connection.is_open and not self.is_base and not self._is_closing:
            self._close()
        self.arm()

    def send(self) -> None:
        """Send what there is, as far as there is room: what a task of its own may do at any moment."""
        connection, way = self.connection, self.transport.to_client
        if self.is_open and way.in_flight < way.window:
            now_s = self.host.now_s
            for frame in connection.frames_to_send() if self.is_base else connection.frames_to_send(now_s):
                way.send(frame, self._watch(frame))

    def _close(self) -> None:
        closing = self.connection.closing
        if closing is None:
            return
        # What is due before the close goes first, whatever room there is.
        way = self.transport.to_client
        for frame in self.connection.frames_to_send(self.host.now_s):
            way.send(frame, self._watch(frame))
        self._is_closing = True
        self.log.is_over = True
        self._world.closed(self, closing.code)
        self.transport.close_from_server(closing.code)

    def arm(self) -> None:
        """Have the core called when it wants to be."""
        deadline = self.connection.next_deadline()
        if deadline is not None and deadline < self._armed_s:
            self._armed_s = deadline
            at = instant_of(deadline) - self.host.skew_ns
            if not self._timer_ns or at < self._timer_ns:
                self._timer_ns = at
                self._world.agenda.at(at, self._ring, at)

    def disarm(self) -> None:
        """Forget the deadline that is kept."""
        self._timer_ns = 0
        self._armed_s = inf

    def _ring(self, at: int) -> None:
        if at != self._timer_ns:
            return
        self.disarm()
        if not self.is_open:
            return
        deadline = self.connection.next_deadline()
        if deadline is not None and deadline <= self.host.now_s:
            self._world.events += 1
            self._world.trace.append((self._world.agenda.now_ns, self.name, "timer"))
            self.connection.handle_timeout(self.host.now_s)
            self.drain()
        else:
            self.arm()

    def eof(self) -> None:
        """The transport is gone."""
        if self.is_open:
            self.is_open = False
            self.log.is_over = True
            if self.is_base:
                self.connection.receive_eof()
            else:
                self.connection.receive_eof(self.host.now_s)
            self.host.forget(self)

    # What the checkers are told.

    def _watch_client(self, view: Any) -> None:
        log = self.log
        kind = type(view)
        if kind is SyncAckView:
            log.acknowledge(view.frame)
        elif kind is BatchView:
            if view.sync_ack is not None:
                log.acknowledge(view.sync_ack)
        elif kind is HelloView:
            if view.subscribe != "*":
                log.subscribe = frozenset(view.subscribe)
        elif kind is SubscribeView:
            log.subscribe = None if view.widget_ids == "*" else frozenset(view.widget_ids)
            self.has_narrowed = True
            self._world.mark("subscribed anew")
        elif kind is UpdateView:
            self.unanswered.append((view.widget_id, view.property))

    def _watch(self, frame: Frame) -> Any:
        """Read a frame that is about to go out. Returns what travels beside it to the page."""
        world = self._world
        if self.log.is_over and not self._is_closing:
            world.violate("I20", f"{self.name} was sent a frame after its end")
        if self.is_base:
            return self._watch_base(frame)
        view: Any = read_server(frame)
        kind = type(view)
        if kind is SyncView:
            return view, self._watch_sync(view, frame)
        if kind is WelcomeView:
            self.log.session = world.welcomed(self, view)
        elif kind is ErrorView:
            world.mark(f"error {view.code}")
        return view, _EMPTY

    def _watch_sync(self, sync: SyncView, frame: Frame) -> Any:
        world, log = self._world, self.log
        session = log.session
        if session is None:
            world.violate("I14", f"{self.name} was sent state before it was welcomed")
            raise AssertionError("unreachable")
        for reject in sync.rejects:
            key = (reject.seq, reject.op)
            session.refused.add(key)
            session.codes[key] = reject.code
            world.mark(f"reject {reject.code}")
        for opened in sync.open:
            world.opened(opened.widget_id, opened.inst)
        for check in world.hooks.on_sync:
            check(self, session, sync, frame)
        if sync.more:
            world.mark("sync in parts")
        if sync.lost_msgs:
            world.mark("messages lost")
        size = len(frame)
        log.frame, log.rev = sync.frame, sync.rev
        log.open_frames.append((sync.frame, size))
        log.bytes += size
        expected: Any = _EMPTY
        if sync.ack is not None:
            if len(log.open_frames) >= world.limits.max_sync_frames:
                world.mark("credit used up")
            # What traits hold is not what a page is to be told while Python is at work on them.
            if sync.ack > max(session.ack_read, log.ack) and not session.is_hostile and not world.is_midway:
                expected = self._expected(session, sync.ack)
            log.ack = sync.ack
            if sync.ack > session.ack_cut:
                session.ack_cut = sync.ack
        if sync.frame > 1:  # A page that dials again is no noise.
            world.count_frame()
        return expected

    def _expected(self, session: SessionLog, ack: int) -> list[tuple[str, str, int, Any]]:
        world = self._world
        expected = []
        for seq in range(session.ack_read + 1, ack + 1):
            for op in session.batches[seq][1] if seq in session.batches else ():
                name = getattr(op, "property", None)
                widget = world.widgets.get(op.widget_id)
                if name is None or widget is None or name in widget.stuck or world.inst_of(widget) != op.inst:
                    continue
                if name in _SHOWN:
                    value = getattr(widget, name)
                    expected.append((op.widget_id, name, op.inst, snapshot(value)))
        return expected

    def _watch_base(self, frame: Frame) -> Any:
        view = read_base(frame)
        if type(view) is AckView or type(view) is ErrorView:
            key = (view.widget_id, view.property)
            # A frame that the server could not read has a reply that names nothing.
            if not self.unanswered or (self.unanswered.popleft() != key and view.widget_id is not None):
                self._world.violate("I18", f"{self.name}: a reply for {key} out of order")
        self._world.count_frame()
        return view


class Host:
    """A server process: one manager, its widgets, its connections, its kernel."""

    def __init__(self, world: World, epoch: str) -> None:
        self._world = world
        self.epoch = epoch
        self.is_up = True
        self.ports: list[Port] = []
        self.skew_ns = world.server_skew_ns
        self.kernel_ns = world.setup.kernel_ms * MS
        self._is_kernel_due = False
        self._timer_ns = 0
        tokens = world.dice.stream(f"tokens {epoch}")
        self.manager = WidgetManager(
            ids=lambda: f"id{tokens.below(1_000_000_000)}",
            epoch=epoch,
            limits=world.limits,
            tokens=lambda: f"{tokens.below(1 << 52):013x}{tokens.below(1 << 52):013x}",
        )
        self.manager.on("pending", self._pending)

    @property
    def now_s(self) -> float:
        """This process's clock."""
        agenda = self._world.agenda
        return agenda.now_s if not self.skew_ns else (agenda.now_ns + self.skew_ns) / 1e9

    def accept(self, transport: Transport, mode: str, owner: Any, hidden: Any) -> Port | None:
        """A peer dials. None when it is refused."""
        if not self.is_up:
            return None
        try:
            return Port(self._world, self, transport, mode, owner, hidden)
        except LimitReached:
            self._world.mark("connection limit")
            return None

    def forget(self, port: Port) -> None:
        """A connection ended."""
        self.ports.remove(port)
        self.arm()

    def arm(self) -> None:
        """Have the manager called when a session expires."""
        deadline = self.manager.next_deadline()
        if deadline is not None:
            at = instant_of(deadline) - self.skew_ns
            if not self._timer_ns or at < self._timer_ns:
                self._timer_ns = at
                self._world.agenda.at(at, self._ring, at)

    def _ring(self, at: int) -> None:
        if at != self._timer_ns or not self.is_up:
            return
        self._timer_ns = 0
        deadline = self.manager.next_deadline()
        if deadline is not None and deadline <= self.now_s:
            self._world.events += 1
            self._world.trace.append((self._world.agenda.now_ns, "host", "timer"))
            self.manager.handle_timeout(self.now_s)
            self._world.mark("session expired")
        self.arm()

    def _pending(self) -> None:
        if not self._is_kernel_due:
            self._is_kernel_due = True
            self._world.agenda.after(self.kernel_ns, self._turn)

    def _turn(self, _: None) -> None:
        """The kernel's thread comes round."""
        self._is_kernel_due = False
        if self.is_up:
            world = self._world
            world.steps += 1
            world.is_python = False
            try:
                self.manager.apply_pending()
            finally:
                world.is_python = True

    def send(self, widget_id: str, content: Any, buffers: Any, to: SessionLog | None) -> None:
        """A custom message of Python's, to all pages or to one."""
        for session in self.manager.sessions:
            if to is None or session.session_id == to.session:
                self.manager.send_to(session, widget_id, content, buffers)

    @property
    def is_busy(self) -> bool:
        """Whether the kernel has something to do."""
        return self._is_kernel_due

    def jump(self, ns: int) -> None:
        """The clock jumps."""
        self.skew_ns += ns
        for port in list(self.ports):
            port.disarm()
            port.arm()
        self._timer_ns = 0
        self.arm()

    def kill(self) -> None:
        """The process ends, as by a signal: nothing is said to anybody."""
        self.is_up = False
        for port in list(self.ports):
            port.is_open = False
            port.transport.cut(client_eof_ms=1)
        self.ports.clear()

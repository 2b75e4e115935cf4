"""A page in `rdit/1`: the core's client with an adapter. Its `User` edits, its `Listener` hears what its models say.

The adapter does what the core asks of one: dial when the client wants a transport, drain after each input, close when
told to, keep deadlines. A `Tab` outlives its client: when the user leaves, the next page load is a new client in the
same tab.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, ClassVar, Final

from rdit_core.client import ClientConnection

from .agenda import MS, instant_of
from .backoff import Backoff
from .checkers import SessionLog
from .listener import Listener
from .network import Frame, Transport
from .plan import TabSetup
from .user import User
from .wire import BatchView, MsgView, SetView, SyncView, WelcomeView, read_client, without_ack

if TYPE_CHECKING:
    from .host import Port
    from .world import World

_UNIQUE: Final = ("free", "other")


class Tab:
    """One page in `rdit/1`."""

    mode: ClassVar[str] = "v1"
    user_kind: ClassVar[type[User]] = User
    listener_kind: ClassVar[type[Listener]] = Listener

    def __init__(self, world: World, index: int, setup: TabSetup) -> None:
        self.world = world
        self.index = index
        self.name = f"t{index}"
        self.setup = setup
        self.load = 0
        self.subscribed = setup.subscribe
        self.has_narrowed = False
        self.skew_ns = 0
        self.blocked_until_ns = 0
        """Until then no dial gets through."""
        self.flaps = 0
        """So many more dials are accepted and closed."""
        self.trap: str | None = None
        self.trap_skip = 0
        """For the next transport: what frame to lose."""
        self.delay_next: tuple[int, int] | None = None
        self.is_over = False
        self.is_frozen = False
        self.is_leaving = False
        self.transport: Transport | None = None
        self.port: Port | None = None
        self.session: SessionLog | None = None
        self._timer_ns = 0
        self._armed_s = inf
        """As in `Port`."""
        self._begin()

    def _begin(self) -> None:
        self.load += 1
        self.is_leaving = False
        self.inst: dict[str, int] = {}
        self.user = self.user_kind(self)
        self.listener = self.listener_kind(self)
        self.doubtful: set[tuple[str, str]] = set()
        """Base mode: slots whose correction may have been lost with a connection; nobody promises them."""
        self.refusals: list[tuple[str, str | None, str | None]] = []
        self._due: list[tuple[int, int, str]] = []
        is_recorded = self.index == 0 and self.load == 1 and self.mode == "v1"
        self.recorder = self.world.recorder if is_recorded else None
        self.session = None
        self._make()

    def _make(self) -> None:
        self.backoff = Backoff(self)
        self.client = ClientConnection(
            limits=self.world.client_limits,
            random=self.backoff.draw,
            policy=self.setup.policy,
            subscribe="*" if self.subscribed is None else self.subscribed,
        )
        if self.recorder is not None:
            self.client = self.recorder.watch(self.client)
        self.client.start(self.now_s)
        self.pump()

    @property
    def now_s(self) -> float:
        """The page's clock."""
        agenda = self.world.agenda
        return agenda.now_s if not self.skew_ns else (agenda.now_ns + self.skew_ns) / 1e9

    # State, as the checkers ask for it.

    @property
    def state(self) -> str:
        """Of the client."""
        return str(self.client.state)

    @property
    def is_live(self) -> bool:
        """Whether edits go out."""
        return self.client.state == "live"

    @property
    def is_idle(self) -> bool:
        """Whether no edit waits."""
        return bool(self.client.is_idle)

    def models(self) -> Any:
        """Widget id to open model."""
        return self.client.models

    def model(self, widget_id: str) -> Any:
        """An open model, or None."""
        return self.client.models.get(widget_id)

    def is_pending(self, widget_id: str, name: str) -> bool:
        """Whether a slot has an edit on its way."""
        return bool(self.client.is_pending(widget_id, name))

    def is_busy(self, widget_id: str, name: str) -> bool:
        """Whether what a slot shows is the user's, saved or not."""
        return (widget_id, name) in self.user.unsaved or self.is_pending(widget_id, name)

    def may_show(self, widget_id: str) -> bool:
        """Whether this page should have a widget."""
        return widget_id not in self.setup.hidden and (self.subscribed is None or widget_id in self.subscribed)

    # The adapter.

    def pump(self) -> None:
        """What an adapter does after each input."""
        client, transport = self.client, self.transport
        if transport is not None:
            for frame in client.frames_to_send(self.now_s):
                transport.to_server.send(frame, self._watch(frame))
            if client.wants_close:
                self._end_transport()
        if self.transport is None and client.wants_transport:
            self._dial()
        events = client.events_received()
        if events:
            self._take_events(events)
        self._arm()

    def _end_transport(self) -> None:
        if self.transport is None:
            return
        self._drop_transport()
        self.client.receive_eof(self.now_s)
        self.backoff.check()
        if self.client.wants_transport:
            self._dial()

    def _dial(self) -> None:
        world = self.world
        transport = self.transport = Transport(world, world.next_name(self.name))
        transport.client_eof = lambda code: self._eof(transport, code)
        transport.to_client.arrive = self._arrive
        if self.delay_next is not None:
            for way in (transport.to_server, transport.to_client):
                way.latency_ns, way.jitter_ns = self.delay_next
        transport.to_client.trap, self.trap = self.trap, None
        transport.to_client.trap_skip, self.trap_skip = self.trap_skip, 0
        world.agenda.after(transport.to_server.latency_ns, self._accept, transport)

    def _accept(self, transport: Transport) -> None:
        world = self.world
        if transport is not self.transport or transport.is_cut:
            return
        if world.agenda.now_ns < self.blocked_until_ns:
            world.mark("dial failed")
            transport.cut(client_eof_ms=1)
            return
        if self.flaps:
            self.flaps -= 1
            world.fire("F9")
            transport.cut(client_eof_ms=3)
            world.agenda.after(1 * MS, self._opened, transport)
            return
        port = world.host.accept(transport, self.mode, self, self.setup.hidden)
        if port is None:
            world.mark("dial failed")
            transport.cut(client_eof_ms=1)
            return
        self.port = port
        world.agenda.after(transport.to_client.latency_ns, self._opened, transport)

    def _opened(self, transport: Transport) -> None:
        if transport is self.transport:
            self.world.events += 1
            self.world.trace.append((self.world.agenda.now_ns, transport.name, "opened"))
            self.client.opened(self.now_s)
            self.pump()

    def _eof(self, transport: Transport, code: int | None) -> None:
        if transport is self.transport:
            self.transport = None
            self.world.events += 1
            self.world.trace.append((self.world.agenda.now_ns, transport.name, f"eof {code}"))
            if code is not None:
                self.world.mark(f"close {code}")
            self.client.receive_eof(self.now_s, code)
            self.backoff.check()
            self.pump()

    def _arm(self) -> None:
        deadline = self.client.next_deadline()
        if deadline is not None and deadline < self._armed_s and not self.is_frozen:
            self._armed_s = deadline
            at = instant_of(deadline) - self.skew_ns
            if not self._timer_ns or at < self._timer_ns:
                self._timer_ns = at
                self.world.agenda.at(at, self._ring, at)

    def _disarm(self) -> None:
        self._timer_ns = 0
        self._armed_s = inf

    def _ring(self, at: int) -> None:
        if at != self._timer_ns:
            return
        self._disarm()
        deadline = self.client.next_deadline()
        if deadline is None or self.is_frozen:
            return
        if deadline <= self.now_s:
            self.world.events += 1
            self.world.trace.append((self.world.agenda.now_ns, self.name, "timer"))
            self.client.handle_timeout(self.now_s)
            self.pump()
        else:
            self._arm()

    def jump(self, ns: int) -> None:
        """The page's clock jumps."""
        self.skew_ns += ns
        self._disarm()
        self._arm()

    # Frames.

    def _arrive(self, frame: Frame, told: Any) -> None:
        client = self.client
        if told is None:
            client.receive_frame(frame, self.now_s)
        else:
            view, expected = told
            kind = type(view)
            if kind is SyncView:
                self._arrive_sync(frame, view, expected)
            else:
                if kind is WelcomeView:
                    self._welcomed(view)
                client.receive_frame(frame, self.now_s)
        self.pump()

    def _welcomed(self, view: WelcomeView) -> None:
        session = self.world.sessions.get((view.epoch, view.session))
        if session is None:
            return
        before, self.session = self.session, session
        self.world.mark("resumed" if view.resumed else "welcomed")
        if before is not None and not view.resumed:
            self.world.mark("restarted" if before.epoch != view.epoch else "resume refused")

    def _arrive_sync(self, frame: Frame, view: SyncView, expected: Any) -> None:
        session = self.session
        if view.rejects and session is not None:
            for one in view.rejects:
                ops = session.batches.get(one.seq)
                # A batch that was given up was reported as such.
                if ops is not None and ops[1] and one.seq > session.ack_read:
                    self._due.append((one.seq, one.op, one.code))
        self.listener.is_in_part = view.more
        was_live = self.client.state == "live"
        self.client.receive_frame(frame, self.now_s)
        self.listener.is_in_part = False
        if view.more:
            return
        if not was_live and self.client.state == "live":
            self.backoff.went_live()
        if session is not None and view.ack is not None and view.ack > session.ack_read:
            if session.refused and not session.is_shared:
                self._check_refusals(session, view, view.ack)
            session.ack_read = view.ack
        if view.open or view.close or view.live is not None:
            for opened in view.open:
                self.inst[opened.widget_id] = opened.inst
            self.listener.meet(self.client.models)
        events = self.client.events_received()
        if events:
            self._take_events(events)
        for check in self.world.hooks.on_read:
            check(self, view, expected)

    def _check_refusals(self, session: SessionLog, view: SyncView, ack: int) -> None:
        """I3: the ack of a batch comes with its refusals, also when an earlier frame with both was lost."""
        told = {(one.seq, one.op) for one in view.rejects}
        for seq in range(session.ack_read + 1, ack + 1):
            for index in range(len(session.batches[seq][1])):
                if (seq, index) in session.refused and (seq, index) not in told:
                    self.world.violate("I3", f"{self.name} never hears that op {index} of batch {seq} was refused")

    def _take_events(self, events: Any) -> None:
        for event in events:
            code = getattr(event, "code", None) or type(event).__name__
            self.world.mark(f"page: {code}")
            self.refusals.append((code, getattr(event, "widget_id", None), getattr(event, "property", None)))

    def refusals_due(self, sync: SyncView) -> list[tuple[int, int, str]]:
        """Refusals in the last `sync` of edits that the page still waited for."""
        due, self._due = self._due, []
        return due

    def was_refused(self, code: str) -> bool:
        """Whether the page was told of a refusal with this code."""
        return any(one[0] == code for one in self.refusals)

    def has_excuse(self, widget_id: str) -> bool:
        """Whether the page was told that something became of an edit of this widget."""
        return any(one[1] == widget_id for one in self.refusals[-4:])

    # What goes out.

    def _watch(self, frame: Frame) -> Any:
        view = read_client(frame)
        if type(view) is BatchView:
            self._watch_batch(view, frame)
        return view

    def _watch_batch(self, view: BatchView, frame: Frame) -> None:
        session = self.session
        world = self.world
        world.count_frame()
        if session is None:
            world.violate("I14", f"{self.name} sent a batch before its welcome")
            raise AssertionError("unreachable")
        is_repeat = view.seq <= session.last_seq
        for index, op in enumerate(view.ops):
            number: Any = None
            if type(op) is SetView:
                if op.property in _UNIQUE:
                    number = int(bytes(op.value))
                    if op.if_rev is not None:
                        world.mark("compare and set")
            elif isinstance(op, MsgView) and type(op.content) is dict:
                number = op.content.get("id")
            log = world.ops.get(number) if number is not None else None
            if log is not None:
                log.session, log.seq, log.index, log.inst = session, view.seq, index, op.inst
                log.if_rev = op.if_rev if type(op) is SetView else None
        if view.sync_ack is not None:
            world.mark("acknowledged in a batch")
        for check in world.hooks.on_batch:
            check(self, session, view, frame, is_repeat)
        if is_repeat:
            world.mark("batch sent again")
            if not view.ops:
                world.mark("batch given up")
        session.batches[view.seq] = (without_ack(frame, view), view.ops)
        session.last_seq = max(session.last_seq, view.seq)

    @property
    def is_narrow(self) -> bool:
        """Whether it does not show all widgets, or did not at some time."""
        port = self.port
        return self.subscribed is not None or bool(self.setup.hidden) or self.has_narrowed or port is None

    def subscribe(self, widget_ids: tuple[str, ...] | None) -> None:
        """The page shows other widgets from now on."""
        if not self.is_frozen:
            self.subscribed = widget_ids
            self.has_narrowed = True
            self.client.subscribe("*" if widget_ids is None else widget_ids)
            self.pump()

    def leave(self) -> None:
        """The user closes the page."""
        self.is_leaving = True
        self.client.leave(self.now_s)
        self.pump()
        self._end_transport()

    def reload(self) -> None:
        """The user loads the page anew, without a goodbye if the page is frozen."""
        if not self.is_frozen:
            self.leave()
        self._drop_transport()
        self.is_frozen = False
        self._disarm()
        self._begin()

    def freeze(self) -> None:
        """The page is kept for `back`."""
        if not self.is_frozen and not self.is_over:
            self.client.suspend(self.now_s)
            self.pump()
            self._drop_transport()
            self.is_frozen = True

    def _drop_transport(self) -> None:
        transport, self.transport = self.transport, None
        if transport is not None:
            transport.client_eof = lambda code: None
            transport.to_client.arrive = lambda frame, view: None
            transport.close_from_client()

    def thaw(self) -> None:
        """The user comes back."""
        if self.is_frozen:
            self.is_frozen = False
            self.client.restore(self.now_s)
            self.pump()

    def hint(self) -> None:
        """The browser says that there is a network again."""
        if not self.is_over and not self.is_frozen:
            self.backoff.was_hinted = True
            self.client.hint_online(self.now_s)
            self.pump()

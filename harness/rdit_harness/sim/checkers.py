"""Checkers: one small object per invariant, and what they look at.

A checker has a code, a sentence, and methods for what it watches; the world calls those that it has, as things happen.
None scans the world after each event: that would cost more than the run. What is said of the whole is asked at the end.

What the checkers know they know from the wire (read by `wire`, not by the core), from the widgets' own traits
(`widgets`), and from the callbacks of the models. `SessionLog` and `OpLog` hold that; no checker looks into the core.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final

import msgspec

from rdit_core.encoding import EncodedValue, encode
from rdit_core.errors import UnserializableValue

if TYPE_CHECKING:
    from .host import Port
    from .tab import Tab
    from .widgets import Panel
    from .wire import BatchView, SyncView
    from .world import World


@dataclass(frozen=True, slots=True)
class Violation:
    """An invariant that did not hold."""

    code: str
    at_ns: int
    detail: str

    def __str__(self) -> str:
        return f"{self.code} at {self.at_ns / 1e9:.6f} s: {self.detail}"


class InvariantBroken(Exception):
    """Ends a run at the first violation; what comes after one is noise."""

    def __init__(self, violation: Violation) -> None:
        super().__init__(str(violation))
        self.violation = violation


class OpLog(msgspec.Struct, eq=False):
    """What is known of one `set` of a `Unique` trait, or of one message: from the user's action to what Python did."""

    tab: str
    widget_id: str
    property: str
    stamp: int
    """Order of the user's saves and messages in its tab."""
    inst: int = -1
    session: SessionLog | None = None
    seq: int = 0
    index: int = 0
    if_rev: int | None = None
    is_forbidden: bool = False
    """It travels in a frame that must have no effect."""
    tried: str = ""
    """The epoch in which Python was last asked to take it."""
    done: dict[str, int] = {}
    """Epoch to how often it took effect."""


@dataclass(slots=True, eq=False)
class SessionLog:
    """What is known of one session, from its frames."""

    epoch: str
    session: str
    secret: str
    tab: str
    batches: dict[int, tuple[str | bytes, Sequence[Any]]] = field(default_factory=dict)
    """Seq to frame and ops, as last sent."""
    last_seq: int = 0
    ack_cut: int = 0
    """Highest ack that the server put into a frame."""
    ack_read: int = 0
    """Highest ack that arrived at the page."""
    refused: set[tuple[int, int]] = field(default_factory=set)
    """Seq and index of ops whose reject was put into a frame."""
    codes: dict[tuple[int, int], str] = field(default_factory=dict)
    tried_seq: int = 0
    last_n: int = 0
    last_set_stamp: dict[str, int] = field(default_factory=dict)
    last_msg_stamp: dict[str, int] = field(default_factory=dict)
    """By widget: edits of one that comes back late after a restart go later than those of the others."""
    is_hostile: bool = False
    is_shared: bool = False
    """Its credentials were used twice: what one got the other did not."""


class PortLog:
    """What is known of one connection, from its frames."""

    __slots__ = (
        "ack",
        "bytes",
        "frame",
        "inst",
        "is_over",
        "last_n",
        "open_frames",
        "parts",
        "rev",
        "session",
        "subscribe",
    )

    def __init__(self) -> None:
        self.session: SessionLog | None = None
        self.frame = 0
        self.rev = 0
        self.ack = 0
        self.open_frames: deque[tuple[int, int]] = deque()
        self.bytes = 0
        self.subscribe: frozenset[str] | None = None
        self.is_over = False
        self.inst: dict[str, int] = {}
        self.parts = 0
        self.last_n = -1

    def acknowledge(self, frame: int) -> None:
        """The page has said that what it was sent arrived, up to this frame."""
        while self.open_frames and self.open_frames[0][0] <= frame:
            self.bytes -= self.open_frames.popleft()[1]


class Checker:
    """One invariant. A subclass has those of the methods below that it needs."""

    code: ClassVar[str] = ""
    sentence: ClassVar[str] = ""
    watches: ClassVar[tuple[str, ...]] = ()
    """Which of the methods below it has."""

    def __init_subclass__(cls) -> None:
        cls.watches = tuple(name for name in HOOKS if getattr(cls, name) is not getattr(Checker, name))

    def __init__(self, world: World) -> None:
        self.world = world

    def require(self, claim: bool, detail: str, *arguments: Any) -> None:
        """End the run unless the claim holds. The text is formatted only then."""
        if not claim:
            self.fail(detail, *arguments)

    def fail(self, detail: str, *arguments: Any) -> None:
        """End the run."""
        self.world.violate(self.code, detail.format(*arguments))

    def on_batch(self, tab: Tab, session: SessionLog, batch: BatchView, frame: str | bytes, repeat: bool) -> None:
        """A page sent a batch, the first time or again."""

    def on_sync(self, port: Port, session: SessionLog, sync: SyncView, frame: str | bytes) -> None:
        """The server sent a `sync` or a part of one."""

    def on_read(self, tab: Tab, sync: SyncView, expected: Sequence[tuple[str, str, int, Any]]) -> None:
        """A page has applied a `sync`. `expected`: slots whose edits it acknowledges, with inst and Python's value."""

    def on_try(self, widget: Panel, name: str, value: int, op: OpLog) -> None:
        """A page's op is about to set a `Unique` trait, if the validators agree."""

    def on_change(self, widget: Panel, name: str, value: Any) -> None:
        """A trait changed and its observers are told."""

    def on_pulse(self, widget: Panel, value: int) -> None:
        """Python is about to set `mail` to a value, and to take it back at once."""

    def on_handled(self, widget: Panel, content: Any, op: OpLog) -> None:
        """A page's message reached its handler."""

    def on_told(self, tab: Tab, model: Any, name: str, value: Any) -> None:
        """A page's model told its listeners of a value that did not come from this page's own `set`."""

    def on_page_message(self, tab: Tab, model: Any, content: Any) -> None:
        """A message of Python's reached a page's listener."""

    def on_close(self, port: Port, code: int) -> None:
        """The server ends a connection."""

    def at_end(self) -> None:
        """Faults are over, everything is connected and quiet."""


HOOKS: Final = (
    "on_batch",
    "on_sync",
    "on_read",
    "on_try",
    "on_change",
    "on_pulse",
    "on_handled",
    "on_told",
    "on_page_message",
    "on_close",
    "at_end",
)


class Hooks:
    """The checkers of one run, sorted by what they watch."""

    __slots__ = HOOKS

    on_batch: list[Callable[..., None]]
    on_sync: list[Callable[..., None]]
    on_read: list[Callable[..., None]]
    on_try: list[Callable[..., None]]
    on_change: list[Callable[..., None]]
    on_pulse: list[Callable[..., None]]
    on_handled: list[Callable[..., None]]
    on_told: list[Callable[..., None]]
    on_page_message: list[Callable[..., None]]
    on_close: list[Callable[..., None]]
    at_end: list[Callable[..., None]]

    def __init__(self, checkers: Sequence[Checker]) -> None:
        for name in HOOKS:
            setattr(self, name, [])
        for one in checkers:
            for name in one.watches:
                getattr(self, name).append(getattr(one, name))


_PLAIN: Final = frozenset((int, str, bool, type(None)))


def same(left: Any, right: Any) -> bool:
    """Whether two values are one on the wire. What has no form is not equal to anything."""
    kind = type(left)
    if kind in _PLAIN and type(right) is kind:
        return bool(left == right)
    try:
        return (left if kind is EncodedValue else encode(left)) == (
            right if type(right) is EncodedValue else encode(right)
        )
    except UnserializableValue:
        return False


def snapshot(value: Any) -> Any:
    """A value as it is now, for `same`: Python may edit the object later."""
    return value if type(value) in _PLAIN else encode(value)

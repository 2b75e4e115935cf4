"""Sessions of `rdit/1`: what the server remembers of one page load, with or without a connection.

A session is what makes an edit count once. It knows the last batch that was received (`received_seq`: a repeat is not
queued again) and the last that was applied (`ack`: what the page may forget), the verdicts that the page has not seen,
and the custom messages that it has not acknowledged. It outlives its connection by `Limits.session_ttl_s`; a page that
comes back within that time, with the secret that it was given, goes on where it was.

What a page missed of the *state* is not kept here: that is the present value of every slot with a newer revision.

**Numbers.** The first batch of a session has a number that is made of the session's id, told in its welcome. So a
batch says whose it is without a byte more: what was recorded of one session has numbers that are not another one's, and
means nothing there.

All of this is read and changed with the manager's lock held.
"""

from __future__ import annotations

import hmac
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

import msgspec

from ._transitions import SessionState, session_step
from .encoding import EncodedValue
from .limits import Limits
from .messages import Reject, Resume
from .slots import SlotKey

if TYPE_CHECKING:
    from .server import ServerConnection

_OVERHEAD_BYTES: Final = 64
"""Counted for a message beside its content, so that empty ones are bounded too."""

_SEQ_BYTES: Final = 6
"""Of which the number before a session's first is made: so many that two sessions do not meet, and few enough that a
page has 2**53 - 2**48 numbers to go."""


def seq_before_first(session_id: str) -> int:
    """The number that comes before a session's first batch."""
    return int.from_bytes(blake2b(session_id.encode(), digest_size=_SEQ_BYTES).digest(), "big")


class OutgoingMessage(msgspec.Struct, frozen=True):
    """A custom message of Python's for one session."""

    n: int
    widget_id: str
    inst: int
    content: EncodedValue
    buffers: tuple[bytes, ...]

    @property
    def size_bytes(self) -> int:
        """About what it holds in memory and takes on the wire."""
        return self.content.size_bytes + sum(map(len, self.buffers)) + _OVERHEAD_BYTES


class Session:
    """One page load."""

    def __init__(
        self,
        session_id: str,
        secret: str,
        user: str,
        limits: Limits,
        may_see: Callable[[str], bool] | None = None,
    ) -> None:
        self.session_id: Final = session_id
        self.secret: Final = secret
        self.user: Final = user
        self.may_see = may_see
        self.state: SessionState = "attached"
        self.subscribe: frozenset[str] | None = None
        """Widget ids; None for all."""
        self.connection: ServerConnection | None = None
        self.seq_before_first: Final = seq_before_first(session_id)
        self.received_seq = self.seq_before_first
        self.ack = self.seq_before_first
        self.detached_s = 0.0
        self.rejects: deque[tuple[int, Reject]] = deque(maxlen=limits.max_rejects)
        """Numbered, so that a `sync_ack` can say how many arrived."""
        self.messages: deque[OutgoingMessage] = deque()
        """Not acknowledged yet; their `n` are consecutive."""
        self.last_n = 0
        self.subscribed_rev = 0
        """When `subscribe` changed last: a page whose state is older must be told from scratch."""
        self.seen_rev = 0
        """Of the last `sync` that the page acknowledged."""
        self.own_revs: dict[SlotKey, int] = {}
        """Of slots that are written only as they were seen: the revision that this page's last write left."""
        self.lost_n = 0
        """Messages up to this one that the page has not seen are lost; 0 when the page knows."""
        self._limits = limits
        self._message_bytes = 0
        self._reject_count = 0

    def shows(self, widget_id: str) -> bool:
        """Whether this page subscribed to a widget and may see it."""
        return (self.subscribe is None or widget_id in self.subscribe) and (
            self.may_see is None or self.may_see(widget_id)
        )

    def add_reject(self, reject: Reject) -> None:
        """Keep a verdict until the page has it."""
        self._reject_count += 1
        self.rejects.append((self._reject_count, reject))

    def add_message(self, widget_id: str, inst: int, content: EncodedValue, buffers: tuple[bytes, ...]) -> None:
        """Keep a message until the page has it. The oldest make room."""
        self.last_n += 1
        message = OutgoingMessage(self.last_n, widget_id, inst, content, buffers)
        self.messages.append(message)
        self._message_bytes += message.size_bytes
        while len(self.messages) > 1 and (
            len(self.messages) > self._limits.max_messages or self._message_bytes > self._limits.max_message_bytes
        ):
            lost = self.messages.popleft()
            self._message_bytes -= lost.size_bytes
            self.lost_n = lost.n

    def messages_after(self, n: int) -> Iterator[OutgoingMessage]:
        """Those with a higher number, in order."""
        if not self.messages:
            return iter(())
        first = self.messages[0].n
        return (self.messages[index] for index in range(max(0, n + 1 - first), len(self.messages)))

    def rejects_after(self, number: int) -> Sequence[tuple[int, Reject]]:
        """Those with a higher number, in order."""
        return [one for one in self.rejects if one[0] > number] if self.rejects else ()

    def arrived(self, reject_number: int, n: int) -> None:
        """The page has the verdicts and messages up to these."""
        while self.rejects and self.rejects[0][0] <= reject_number:
            self.rejects.popleft()
        while self.messages and self.messages[0].n <= n:
            self._message_bytes -= self.messages.popleft().size_bytes


class Sessions:
    """All sessions of one manager."""

    def __init__(self, limits: Limits, tokens: Callable[[], str]) -> None:
        self._limits = limits
        self._tokens = tokens
        self._by_id: dict[str, Session] = {}
        self._detached: OrderedDict[str, Session] = OrderedDict()
        """In the order in which they lost their connection."""

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Session]:
        return iter(list(self._by_id.values()))

    def open(self, user: str, may_see: Callable[[str], bool] | None) -> Session:
        """A new session; attached from the start."""
        session = Session(self._tokens(), self._tokens(), user, self._limits, may_see)
        self._by_id[session.session_id] = session
        return session

    def find(self, resume: Resume, user: str) -> Session | None:
        """The session that a page asks to go on with, if it knows the secret and is the same user."""
        session = self._by_id.get(resume.session)
        # Compared even when there is none, so that the time taken does not tell which.
        secret = session.secret if session is not None else self._tokens()
        is_known = hmac.compare_digest(secret.encode(), resume.secret.encode("utf-8", "replace"))
        return session if session is not None and is_known and session.user == user else None

    def attach(self, session: Session, connection: ServerConnection) -> ServerConnection | None:
        """Give a session a connection. Returns the one that it takes the place of."""
        previous, session.connection = session.connection, connection
        if session.state == "detached":
            session.state = session_step(session.state, "resumed")
            del self._detached[session.session_id]
        return previous

    def detach(self, session: Session, now_s: float) -> None:
        """A session lost its connection. Beyond the cap, the one that is longest without goes."""
        session.connection = None
        session.detached_s = now_s
        session.state = session_step(session.state, "lost")
        self._detached[session.session_id] = session
        while len(self._detached) > self._limits.max_sessions:
            self._drop(next(iter(self._detached.values())))

    def end(self, session: Session) -> None:
        """The page said goodbye."""
        session.connection = None
        session.state = session_step(session.state, "bye")
        del self._by_id[session.session_id]

    def next_deadline(self) -> float | None:
        """When the next detached session expires, in seconds."""
        oldest = next(iter(self._detached.values()), None)
        return None if oldest is None else oldest.detached_s + self._limits.session_ttl_s

    def expire(self, now_s: float) -> None:
        """Drop the sessions whose time is over."""
        while (deadline := self.next_deadline()) is not None and deadline <= now_s:
            self._drop(next(iter(self._detached.values())))

    def _drop(self, session: Session) -> None:
        session.state = session_step(session.state, "expired")
        del self._detached[session.session_id]
        del self._by_id[session.session_id]

"""The connections of one manager: how they open, and what they ask of it.

User code (validators, observers, serializers) runs on whatever thread *the host* calls `apply_pending` or
`WidgetManager.update` from, and on no other; a host gives it one, the kernel's. Until then what pages wrote waits here.
"""

from __future__ import annotations

import itertools
import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal

import msgspec

from .access import Verdict
from .base_server import BaseServerConnection, PendingUpdate
from .errors import AccessRefused, LimitReached, UnknownWidget, WriteRefused
from .events import Connected, Disconnected, FrontEndFailed, ObserverFailed, OutputDropped, WriteWasRefused
from .limits import Limits
from .messages import Op, Output, Reject, Report, WidgetUpdate
from .propagation import at_rest
from .server import CLOSE_CODES, ServerConnection
from .server_batches import PendingBatch
from .session import Session
from .store import ESM, AnyConnection, Store
from .storms import TOO_OFTEN
from .subscriptions import Subscriptions

_log = logging.getLogger("rdit")


class Connections:
    """What both kinds of connection know their manager as (`ConnectionCore`, `WidgetCore`).

    Args:
        store: what they show.
        host: who hears that something waits.
        limits: bounds of each.
        epoch: names the manager's lifetime.
    """

    def __init__(self, store: Store, host: Subscriptions, limits: Limits, epoch: str) -> None:
        self.epoch: Final = epoch
        self.limits = limits
        self.lock = store.lock
        self._store = store
        self._host = host
        self._writes = store.writes
        self._numbers = itertools.count(1)
        self._pending: deque[PendingUpdate | PendingBatch] = deque()
        # What connections ask of the store, without a call between.
        self.next_revision: Final = store.next_revision
        self.instances: Final = store.instances
        self.describe: Final = store.describe
        self.slot: Final = store.slot
        self.find_slot: Final = store.find_slot
        self.closed_since: Final = store.closed_since
        self.changed_since: Final = store.changed_since
        self.pay_owed: Final = store.wakes.pay_owed

    @property
    def revision(self) -> int:
        """The last one that was given."""
        return self._store.revisions.last

    def open(
        self,
        verdict: Verdict,
        *,
        mode: Literal["base", "v1"],
        wakeup: Callable[[], None] | None,
        output: bool,
        may_see: Callable[[str], bool] | None,
        authenticate: Callable[[Any], Verdict] | None,
        now_s: float,
    ) -> AnyConnection:
        """Open the server's end of one; arguments and errors as of `WidgetManager.connect`."""
        if mode == "base" and (may_see is not None or authenticate is not None):
            raise ValueError("Base mode has neither may_see nor authenticate; expected mode='v1' with them")
        if not verdict.allowed and authenticate is None:
            raise AccessRefused(verdict.code or "unauthorized")
        with self.lock:
            if sum(one.user == verdict.user for one in self._store.connections.values()) >= self.limits.max_connections:
                raise LimitReached(f"More than {self.limits.max_connections} connections of one user")
            connection_id = next(self._numbers)
            connection: AnyConnection
            if mode == "v1":
                connection = ServerConnection(
                    self,
                    self.limits,
                    self._store.sessions,
                    verdict,
                    connection_id=connection_id,
                    wakeup=wakeup,
                    output=output,
                    may_see=may_see,
                    authenticate=authenticate,
                    now_s=now_s,
                )
                self._store.connections[connection_id] = connection
                return connection
            connection = BaseServerConnection(
                self, self.limits, connection_id=connection_id, user=verdict.user, wakeup=wakeup, output=output
            )
            self._store.connections[connection_id] = connection
            for widget_id, hosted in self._store.all_hosted.items():
                if hosted.esm_rev > hosted.baseline_rev:
                    connection.mark((widget_id, ESM))
                for name, slot in hosted.slots.items():
                    if slot.rev > hosted.baseline_rev:
                        connection.mark((widget_id, name))
        self._store.emit(Connected(connection_id, verdict.user))
        return connection

    def close(self, now_s: float, reason: str = "server_shutdown") -> None:
        """Close every connection of `rdit/1` with the code of a reason (`server.CLOSE_CODES`); sessions stay."""
        for connection in list(self._store.connections.values()):
            if isinstance(connection, ServerConnection):
                connection.close(CLOSE_CODES[reason], reason, now_s)

    def count_open(self) -> int:
        """How many connections of `rdit/1` have not ended yet."""
        return sum(isinstance(one, ServerConnection) for one in list(self._store.connections.values()))

    def send_output(self, n: int, event: bytes) -> None:
        """Queue an execution event for every connection that asked for output. Any thread.

        Args:
            n: the event's id in the host's own stream, by which a page tells what it has seen.
            event: JSON bytes.
        """
        output = Output(n, msgspec.Raw(event))
        for connection in list(self._store.connections.values()):
            if not connection.queue_output(output):
                self._store.emit(OutputDropped(connection.connection_id))

    def apply_pending(self) -> int:
        """Run the updates and batches that pages sent, in order of arrival, on the caller's thread. Returns how many.

        An exception of user code ends its own update only. A `KeyboardInterrupt` comes through, with the interrupted
        update answered and the rest still pending.
        """
        if self._writes.is_applying:
            return 0  # An observer that pumps the host's loop must not start the next update inside this one.
        if not self._pending:
            return 0
        count = 0
        with at_rest():  # A page that is told that its write is done must be told what came of it.
            while self._pending:
                self._pending.popleft().apply()
                count += 1
        return count

    # What they ask.

    def enqueue(self, update: PendingUpdate | PendingBatch) -> None:
        """Keep an update for `apply_pending`."""
        self._pending.append(update)
        self._host.call("pending")

    def write(self, connection: BaseServerConnection, message: WidgetUpdate, received_s: float) -> BaseException | None:
        """Run one page's update. Returns an interrupt that must go on once the update is answered."""
        widget_id, name = message.widget_id, message.property
        try:
            hosted = self._store.find(widget_id)
            if hosted.refusal(name) is None and self._writes.storms.refuses(hosted, widget_id, name, received_s):
                raise WriteRefused("too_often", widget_id, name, TOO_OFTEN)
            failed = self._writes.set(hosted, widget_id, name, message.value, origin=connection)
        except WriteRefused as error:
            self._store.emit(WriteWasRefused(connection.connection_id, widget_id, name, error.code))
            self._writes.note_recursion(widget_id, name, error.__cause__)
            raise
        except UnknownWidget:
            self._store.emit(WriteWasRefused(connection.connection_id, widget_id, name, "unknown_widget"))
            raise
        if failed is not None:
            _log.error(
                "observer of %s.%s failed",
                widget_id,
                name,
                exc_info=failed,
                extra={"event": "observer_failed", "widget_id": widget_id, "property": name},
            )
            self._store.emit(ObserverFailed(widget_id, name, failed))
            self._writes.note_recursion(widget_id, name, failed)
        return None if isinstance(failed, Exception) else failed

    def apply_batch(
        self, session: Session, seq: int, ops: Sequence[Op], seen_rev: int, now_s: float
    ) -> tuple[list[Reject], BaseException | None]:
        """Run one batch, of a page that had seen this revision when it came. Returns the verdicts that are not plain
        success, and what interrupted an observer.
        """
        self._store.wakes.owe()
        return self._writes.run_batch(session, seq, ops, seen_rev, now_s)

    def joined(self, connection: ServerConnection, session: Session, *, came_back: bool, resumed: bool) -> None:
        """A peer of `rdit/1` said hello and is let in."""
        self._store.emit(Connected(connection.connection_id, session.user, session.session_id, came_back, resumed))

    def disconnected(self, connection: AnyConnection) -> None:
        """A connection ended."""
        with self.lock:
            self._store.connections.pop(connection.connection_id, None)
        if not isinstance(connection, ServerConnection) or connection.has_joined:
            self._store.emit(Disconnected(connection.connection_id, connection.user))

    def reported(self, connection: ServerConnection, report: Report) -> None:
        """A widget's JavaScript failed."""
        stage, message = _printable(report.stage[:50]), _printable(report.message[:1000])
        _log.error(
            "widget %s failed in its page (%s): %s",
            report.widget_id,
            stage,
            message,
            extra={"event": "front_end_failed", "widget_id": report.widget_id},
        )
        self._store.emit(
            FrontEndFailed(connection.connection_id, report.widget_id, report.stage, report.message, report.stack)
        )


def _printable(text: str) -> str:
    """A page says what it likes, and a log is read line by line, on a terminal perhaps."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)

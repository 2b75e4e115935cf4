"""Writes of pages, run on the kernel's thread: who may write what, under which hold, and what became of each.

The order of one op: the widget is there and is the one that was meant, the policy allows the write, the slot still has
the revision that was asked for, then `from_json`, validation, observers. Nothing before validation touches the widget.

**A group.** Several sets of one widget in one batch run under one hold of traitlets' notifications: validators that
look at two traits see both new values, observers run when all are set, and the first notification commits all of them,
so that no page sees one without the other. When the hold fails, traitlets has put everything back without a word; the
ops then run one by one, each with a verdict of its own.

**A second look.** `1 -> True -> 1.0` notifies nobody, a validator may clamp to the value that stands, an observer that
raises keeps traitlets from notifying for the rest of a group. So after a write each property is read again and compared
in encoded form, unless this very write has just committed it and the trait still holds that very scalar.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from itertools import groupby
from operator import attrgetter
from typing import Any, Final, Protocol

from .base_server import BaseServerConnection
from .errors import UpdateCode, WriteRefused
from .events import HandlerFailed, HostEvent, ObserverFailed, WriteRecursed, WriteWasRefused
from .hosted import HostedWidget
from .invoke import Commands
from .limits import Limits
from .messages import BadOp, MsgOp, Op, Reject, SetOp
from .session import Session
from .slots import SlotKey
from .storms import TOO_OFTEN, Storms

_log = logging.getLogger("rdit")

_SCALARS: Final = frozenset((int, float, str, bool, bytes, type(None)))
_MISSING: Final = object()


class WriteCore(Protocol):
    """What writes ask of their manager."""

    def hosted(self, widget_id: str) -> HostedWidget | None:
        """The widget under an id."""

    def widget(self, widget_id: str) -> Any:
        """The object under an id, or None."""

    def inst(self, widget_id: str) -> int | None:
        """The present incarnation of an id."""

    def was_closed(self, widget_id: str) -> bool:
        """Whether an id is remembered as closed."""

    def rev(self, hosted: HostedWidget, property: str) -> int:
        """The revision of a slot; 0 when there is none."""

    def refresh(self, hosted: HostedWidget, property: str) -> bool:
        """Read a property again and commit what differs."""

    def refresh_all(self) -> list[SlotKey]:
        """Read every property of every widget again and commit what differs. Returns which did."""

    def emit(self, event: HostEvent) -> None:
        """Tell the host."""

    def send(
        self, hosted: HostedWidget, content: Any, buffers: Sequence[Any], sessions: Sequence[Session] | None
    ) -> None:
        """Keep a custom message for these sessions, or for all that show the widget."""


class ThreadState(threading.local):
    """What one thread is at."""

    origin: tuple[BaseServerConnection, SlotKey] | None = None
    """The base-mode write that is being applied: whose, and of what."""
    is_applying = False
    target: tuple[HostedWidget, str] | None = None
    """The property that is being written."""
    committed: Any = _MISSING
    """What its slot took, if that was the trait's own object."""
    group: tuple[HostedWidget, Sequence[str]] | None = None
    """Properties that the next commit of this widget takes along."""


class Writes:
    """Runs what pages wrote."""

    def __init__(self, core: WriteCore, limits: Limits) -> None:
        self._core = core
        self._commands = Commands(core)
        self.storms: Final = Storms(limits, core.emit)
        self.thread = ThreadState()
        """What the calling thread is at; for reading."""
        self._widget_id: ContextVar[str | None] = ContextVar("rdit_applying", default=None)
        self._session: ContextVar[Session | None] = ContextVar("rdit_session", default=None)

    @property
    def is_applying(self) -> bool:
        """Whether this thread is inside of a page's write."""
        return self.thread.is_applying

    @property
    def origin(self) -> tuple[BaseServerConnection, SlotKey] | None:
        """The base-mode write that this thread is applying."""
        return self.thread.origin

    @property
    def widget_id(self) -> str | None:
        """The widget whose write is being applied in this context (tasks that it starts included)."""
        return self._widget_id.get()

    @property
    def session(self) -> Session | None:
        """The session whose write or message is being applied in this context (tasks that it starts included)."""
        return self._session.get()

    def committed(self, hosted: HostedWidget, name: str, value: Any) -> None:
        """A slot was committed on this thread, with the trait's own object."""
        target = self.thread.target
        if target is not None and target[0] is hosted and target[1] == name:
            self.thread.committed = value

    def take_group(self, hosted: HostedWidget) -> Sequence[str]:
        """The properties to commit together with one of this widget's; once per group."""
        group = self.thread.group
        if group is None or group[0] is not hosted:
            return ()
        self.thread.group = None
        return group[1]

    def set(
        self,
        hosted: HostedWidget,
        widget_id: str,
        name: str,
        value: Any,
        *,
        origin: BaseServerConnection | None = None,
        is_allowed: bool = False,
    ) -> BaseException | None:
        """Write one property as a page would.

        Args:
            hosted: the widget.
            widget_id: the id under which it was addressed.
            name: the property.
            value: decoded JSON, binary as `bytes`; the widget owns it afterwards.
            origin: for a base-mode write, whose it is.
            is_allowed: the policy was asked already.

        Returns:
            What ended an observer; the trait has taken the value.

        Raises:
            WriteRefused: nothing changed.
        """
        refusal = None if is_allowed else hosted.refusal(name)
        if refusal is not None:
            raise WriteRefused(refusal[0], widget_id, name, refusal[1])
        if origin is not None and hosted.policy.compares(name):
            raise WriteRefused("conflict", widget_id, name, "base mode cannot say what its page has seen of it")
        thread = self.thread
        outer = thread.origin, thread.is_applying, thread.target, thread.committed
        token = self._widget_id.set(widget_id)
        thread.is_applying = True
        thread.target = (hosted, name)
        thread.committed = _MISSING
        if origin is not None:
            thread.origin = origin, (widget_id, name)
        try:
            failed = hosted.write(widget_id, name, value, self._find)
            self._look_again(hosted, name)
            return failed
        finally:
            thread.origin, thread.is_applying, thread.target, thread.committed = outer
            self._widget_id.reset(token)

    def note_recursion(self, widget_id: str, name: str, error: BaseException | None) -> None:
        """Tell the host if a write ended in endless recursion, and tell pages what that left: the deepest of the
        widgets in it took a value and had no stack left to say so.
        """
        if isinstance(error, RecursionError):
            changed = tuple(self._core.refresh_all())
            _log.error(
                "a write of %s.%s recursed without end",
                widget_id,
                name,
                extra={"event": "recursion", "widget_id": widget_id, "property": name},
            )
            self._core.emit(WriteRecursed(widget_id, name, error, changed))

    def _find(self, widget_id: str) -> Any:
        """What a reference in a value that is being written means: a widget that its page may see, or None."""
        session = self.session
        if session is not None and session.may_see is not None and not session.may_see(widget_id):
            return None
        return self._core.widget(widget_id)

    def _look_again(self, hosted: HostedWidget, name: str) -> None:
        committed = self.thread.committed
        if type(committed) not in _SCALARS or hosted.raw(name) is not committed:
            self._core.refresh(hosted, name)

    def run_batch(
        self, session: Session, seq: int, ops: Sequence[Op], seen_rev: int, now_s: float
    ) -> tuple[list[Reject], BaseException | None]:
        """Run a batch of a session. Never raises for what an op holds or what a widget does.

        Args:
            session: whose.
            seq: its number.
            ops: in order.
            seen_rev: what its page had acknowledged when it came.
            now_s: when that was.

        Returns:
            The verdicts that are not plain success, in order, and the first interrupt (`KeyboardInterrupt` and the
            like) of an observer, which must go on once the batch is acknowledged.
        """
        run = _Run(self._core, self, session, seq, seen_rev, now_s)
        token = self._session.set(session)
        thread = self.thread
        outer, thread.is_applying = thread.is_applying, True
        try:
            if len(ops) == 1 and isinstance(op := ops[0], SetOp):
                run.single(op)  # What a slider sends.
            else:
                for group in _groups(ops):
                    run.group(group)
        finally:
            thread.is_applying = outer
            self._session.reset(token)
        if len(run.rejects) > 1:
            run.rejects.sort(key=attrgetter("op"))
        return run.rejects, run.interrupt

    def set_group(
        self, hosted: HostedWidget, widget_id: str, values: Sequence[tuple[str, Any]]
    ) -> tuple[bool, BaseException | None]:
        """Write several properties that the policy allows, under one hold.

        Returns:
            Whether they were taken (else nothing changed), and what ended an observer.
        """
        thread, names = self.thread, [name for name, _ in values]
        token = self._widget_id.set(widget_id)
        thread.group = (hosted, names)
        try:
            return hosted.write_together(widget_id, values, self._find)
        finally:
            thread.group = None
            for name in names:
                self._core.refresh(hosted, name)
            self._widget_id.reset(token)

    def message(self, hosted: HostedWidget, op: MsgOp) -> list[BaseException]:
        """Give a custom message to a widget's handlers. Returns what they raised."""
        token, session = self._widget_id.set(op.widget_id), self.session
        try:
            if session is not None and self._commands.answers(hosted, op.content):
                try:
                    self._commands.run(hosted, op.widget_id, op.content, op.buffers, session)
                except BaseException as error:  # An interrupt; what else a command raises was its answer.
                    return [error]
                if not hosted.has_handlers:
                    return []
            return hosted.receive_message(op.content, op.buffers)
        finally:
            self._widget_id.reset(token)


def _groups(ops: Sequence[Op]) -> Iterator[list[tuple[int, Op]]]:
    """Runs of sets of one widget; everything else alone."""

    def key(indexed: tuple[int, Op]) -> Any:
        index, op = indexed
        return op.widget_id if isinstance(op, SetOp) else index

    for _, group in groupby(enumerate(ops), key):
        yield list(group)


class _Run:
    """One batch under way."""

    def __init__(
        self, core: WriteCore, writes: Writes, session: Session, seq: int, seen_rev: int, now_s: float
    ) -> None:
        self.rejects: list[Reject] = []
        self.interrupt: BaseException | None = None
        self._core = core
        self._writes = writes
        self._session = session
        self._seq = seq
        self._seen_rev = seen_rev
        self._now_s = now_s

    def single(self, op: SetOp) -> None:
        """Run a batch of one set."""
        hosted = self._admitted(0, op)
        if hosted is not None:
            self._set(0, op, hosted, is_fresh=True)

    def group(self, group: list[tuple[int, Op]]) -> None:
        """Run ops that belong together."""
        sets = [
            (index, op, hosted)
            for index, op in group
            if isinstance(op, SetOp) and (hosted := self._admitted(index, op))
        ]
        if len(sets) > 1 and len({op.property for _, op, _ in sets}) == len(sets):
            widget_id, hosted = sets[0][1].widget_id, sets[0][2]
            is_taken, failed = self._writes.set_group(hosted, widget_id, [(op.property, op.value) for _, op, _ in sets])
            if is_taken:
                for _, op, _ in sets:
                    self._took(op, hosted)
                if failed is not None:
                    self._observer_failed(sets[0][0], sets[0][1], failed)
                return
        for index, op, hosted in sets:
            self._set(index, op, hosted)
        for index, other in group:
            if isinstance(other, BadOp):
                self._reject(index, other.code, other.message)
            elif isinstance(other, MsgOp):
                self._message(index, other)

    def _find(self, index: int, op: SetOp | MsgOp) -> HostedWidget | None:
        hosted, inst = self._core.hosted(op.widget_id), self._core.inst(op.widget_id)
        if hosted is not None and inst == op.inst and self._session.may_see is None:
            return hosted
        can_see = self._session.may_see is None or self._session.may_see(op.widget_id)
        if hosted is not None and inst == op.inst and can_see:
            return hosted
        is_stale = can_see and (hosted is not None or self._core.was_closed(op.widget_id))
        name = op.property if isinstance(op, SetOp) else ""
        if is_stale:
            self._refuse(index, op, "stale_widget", name, f"Widget {op.widget_id} is not that one any more")
        else:
            self._refuse(index, op, "unknown_widget", name, f"Widget {op.widget_id} not found")
        return None

    def _admitted(self, index: int, op: SetOp) -> HostedWidget | None:
        """The widget of an op that may be tried, and is not one too many."""
        hosted = self._ready(index, op)
        if hosted is None or not self._writes.storms.refuses(hosted, op.widget_id, op.property, self._now_s):
            return hosted
        error = WriteRefused("too_often", op.widget_id, op.property, TOO_OFTEN)
        self._refuse(index, op, error.code, op.property, str(error))
        return None

    def _ready(self, index: int, op: SetOp) -> HostedWidget | None:
        """The widget of an op that may be tried."""
        hosted = self._find(index, op)
        if hosted is None:
            return None
        refusal = hosted.refusal(op.property)
        if refusal is not None:
            error = WriteRefused(refusal[0], op.widget_id, op.property, refusal[1])
            self._refuse(index, op, error.code, op.property, str(error))
            return None
        is_compared = op.if_rev is not None or hosted.policy.compares(op.property)
        if is_compared and self._has_changed(hosted, op):
            error = WriteRefused("conflict", op.widget_id, op.property, "it has changed since")
            self._refuse(index, op, error.code, op.property, str(error))
            return None
        return hosted

    def _has_changed(self, hosted: HostedWidget, op: SetOp) -> bool:
        # Looked at first: inside of a hold, a trait may have been set that nobody has been notified of.
        self._core.refresh(hosted, op.property)
        rev, is_guarded = self._core.rev(hosted, op.property), hosted.policy.compares(op.property)
        if is_guarded and rev == self._session.own_revs.get((hosted.comm.comm_id, op.property)):
            return False  # By this very page, which need not have heard of it yet.
        if op.if_rev is None:
            return rev > self._seen_rev
        return rev != op.if_rev

    def _took(self, op: SetOp, hosted: HostedWidget) -> None:
        """A write counted."""
        if hosted.policy.compares(op.property):
            self._session.own_revs[hosted.comm.comm_id, op.property] = self._core.rev(hosted, op.property)

    def _set(self, index: int, op: SetOp, hosted: HostedWidget, *, is_fresh: bool = False) -> None:
        # The op before it, or an observer of that, may have let go of the widget, or changed the slot.
        if not is_fresh and self._ready(index, op) is not hosted:
            return
        try:
            failed = self._writes.set(hosted, op.widget_id, op.property, op.value, is_allowed=True)
        except WriteRefused as error:
            self._refuse(index, op, error.code, op.property, str(error))
            self._writes.note_recursion(op.widget_id, op.property, error.__cause__)
        except Exception:  # Such as a trait that cannot say what it expects. No op harms the next one.
            _log.exception("update of %s.%s failed", op.widget_id, op.property)
            self._reject(index, "internal", "The update failed; the server's log says why")
        else:
            self._took(op, hosted)
            if failed is not None:
                self._observer_failed(index, op, failed)

    def _message(self, index: int, op: MsgOp) -> None:
        hosted = self._find(index, op)
        if hosted is None:
            return
        if not hosted.policy.messages:
            self._refuse(index, op, "read_only", "", f"Widget {op.widget_id} takes no messages from pages")
            return
        for error in self._writes.message(hosted, op):
            if not isinstance(error, Exception):
                self.interrupt = self.interrupt or error
            _log.error(
                "message handler of %s failed",
                op.widget_id,
                exc_info=error,
                extra={"event": "handler_failed", "widget_id": op.widget_id},
            )
            self._reject(index, "handler_failed", f"A handler in Python raised {type(error).__name__}")
            self._core.emit(HandlerFailed(op.widget_id, error))

    def _observer_failed(self, index: int, op: SetOp, failed: BaseException) -> None:
        if not isinstance(failed, Exception):
            self.interrupt = self.interrupt or failed
        _log.error(
            "observer of %s.%s failed",
            op.widget_id,
            op.property,
            exc_info=failed,
            extra={"event": "observer_failed", "widget_id": op.widget_id, "property": op.property},
        )
        self._reject(index, "observer_failed", f"Python took the value; an observer raised {type(failed).__name__}")
        self._core.emit(ObserverFailed(op.widget_id, op.property, failed))
        self._writes.note_recursion(op.widget_id, op.property, failed)

    def _refuse(self, index: int, op: SetOp | MsgOp, code: UpdateCode, name: str, text: str) -> None:
        self._reject(index, code, text)
        connection = self._session.connection
        connection_id = connection.connection_id if connection is not None else None
        self._core.emit(WriteWasRefused(connection_id, op.widget_id, name, code))

    def _reject(self, index: int, code: str, text: str) -> None:
        self.rejects.append(Reject(self._seq, index, code, text))

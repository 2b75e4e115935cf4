"""Changes that reach each page as one.

Inside of `atomic()` a change of a hosted widget is only noted; at the end of the block what stands then is encoded, and
each manager's store takes all of it under one hold of its lock. A connection cuts its updates under that lock, so every
update has all of it or nothing, whichever widgets it is of.

A group belongs to the context (task, thread) that opened it, and holds up nobody else. What is waiting is a note of
what to look at, never a value, so nothing is lost when the block ends with an exception, and a later change of the same
trait costs nothing.

New code (`_esm`) and a widget's opening and closing are not held back: they are no state.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from .hosted import HostedWidget


class GroupStore(Protocol):
    """What a group asks of a store."""

    def commit_together(self, pending: Mapping[HostedWidget, Mapping[str, Any]]) -> None:
        """Take what these properties hold now, all of it at once."""


class Group:
    """What one block has changed so far."""

    def __init__(self) -> None:
        self.is_open = True
        self.holds_messages = False
        """Whether custom messages wait until all links are at rest, since what is pending is not to be told before."""
        self._thread = threading.get_ident()
        self._pending: dict[GroupStore, dict[HostedWidget, dict[str, Any]]] = {}
        self._messages: list[Callable[[], None]] = []

    @property
    def is_present(self) -> bool:
        """Whether it is the calling thread's, and not over: a context is copied to where it does not belong."""
        return self.is_open and self._thread == threading.get_ident()

    def add(self, store: GroupStore, hosted: HostedWidget, state: Mapping[str, Any]) -> None:
        """Note properties, with a value for those that cannot be read."""
        self._pending.setdefault(store, {}).setdefault(hosted, {}).update(state)

    def discard(self, store: GroupStore, hosted: HostedWidget, name: str) -> None:
        """Note a property no longer: somebody else will tell of it."""
        self._pending.get(store, {}).get(hosted, {}).pop(name, None)

    def add_message(self, send: Callable[[], None]) -> None:
        """Keep a custom message until links are at rest."""
        self._messages.append(send)

    def commit(self) -> None:
        """Have each store take what is noted so far."""
        pending, self._pending = self._pending, {}
        for store, changes in pending.items():
            store.commit_together(changes)

    def release_messages(self) -> None:
        """Links are at rest: messages go out, after the state that they may be about."""
        self.holds_messages = False
        messages, self._messages = self._messages, []
        if messages:
            self.commit()
        for send in messages:
            send()


GROUP: Final[ContextVar[Group | None]] = ContextVar("rdit_atomic", default=None)
"""For a quick look at whether there is any; `present_group` says whether it counts."""


def present_group() -> Group | None:
    """The group that this thread's changes belong to."""
    group = GROUP.get()
    return group if group is not None and group.is_present else None


@contextmanager
def atomic() -> Iterator[None]:
    """Have all that this thread changes in the block, of any hosted widgets, reach each page as one update.

    Nested, the outermost block decides. A custom message that is sent inside goes after what was changed before it, so
    it ends one update and begins the next. A block that ends with an exception tells what was changed until then. In
    base mode, which has no updates of several properties, each of them is an update as always.
    """
    with grouped():
        yield


class grouped:  # A generator would cost twice as much, at each change.
    """`atomic`, with the group."""

    __slots__ = ("_group", "_is_outermost", "_outer")

    def __enter__(self) -> Group:
        self._outer = outer = GROUP.get()
        self._is_outermost = outer is None or not outer.is_present
        if outer is not None and not self._is_outermost:
            return outer
        self._group = group = Group()
        GROUP.set(group)
        return group

    def __exit__(self, *_: object) -> None:
        if self._is_outermost:
            # Not by token: a block in a generator may end in another context.
            GROUP.set(self._outer)
            self._group.is_open = False
            self._group.commit()


@contextmanager
def apart() -> Iterator[None]:
    """Be in no group for a while; what the present one has noted is told first."""
    outer = present_group()
    if outer is None:
        yield
        return
    outer.commit()
    GROUP.set(None)
    try:
        yield
    finally:
        GROUP.set(outer)

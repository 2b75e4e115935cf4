"""How a change runs along links, until all is at rest.

`traitlets.link` runs along a chain of links by recursion, compares with `!=`, knows of no cycle, and keeps its ends for
ever. Here:

**Propagation is a worklist per thread.** The outermost change opens a `_Drain`; whatever changes while it runs, on this
thread, is noted in it as further steps, and the outermost change runs all of them. A chain of any length takes one
stack frame, and a trait that changes twice on the way is carried once. A drain sets each trait a bounded number of
times; what does not come to rest by then is reported, by a warning and to every manager concerned.

**A change and what follows from it are one update for pages** (`atomic`). A widget's library reports a change before
any observer runs, so a link that merely observed would leave a moment between source and target. Therefore the store,
when it is told of a trait that is the end of a link, opens the group and carries the change itself (`carry`); the end's
own observer then has only to say what went wrong. Objects that nobody hosts are carried by their observer.

**No lock is held while user code runs** (transforms, validators, observers). So several threads may carry changes along
the same links at once. Each looks again, when its worklist is empty, at what it carried: where another thread has
changed that meanwhile, the link is carried anew, and always from source to target, so that two threads that disagree
end at one value.
"""

from __future__ import annotations

import threading
import warnings
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, Literal, NamedTuple

from .agreement import agree
from .atomic import Group, apart, grouped
from .events import LinkUnsettled
from .hosts import hosts_of
from .link_ends import EARS, MISSING, Carried, CarriedLink, Ear, Key, ear_of, read
from .link_updates import note_all

_MAX_SETS: Final = 100
"""How often one trait is set in one drain. Conversions that round settle after two or three."""
_MAX_INTERRUPTIONS: Final = 1000
"""How often a drain starts counting anew because another thread had changed what it carried. Two threads that never
settle would interrupt each other for ever.
"""

Reason = Literal["never_settles", "divergent", "pages_answer"]


class LinkWarning(UserWarning):
    """Links that do not come to rest, or whose ends do not agree."""


def _raw(obj: Any, name: str) -> Any:
    """The trait's own object, without running anything."""
    return obj._trait_values.get(name, MISSING)


class Step(NamedTuple):
    """A link to carry, from one of its ends (0 the source, 1 the target)."""

    link: CarriedLink
    start: int
    is_return: bool = False
    """Whether it takes back what the other end made of a value."""
    is_first: bool = False
    """Whether the link is being made."""

    def ends(self) -> tuple[Ear | None, Ear | None]:
        keys = self.link.keys
        refs = EARS.get(keys[self.start]), EARS.get(keys[1 - self.start])
        start, end = (ref() if ref is not None else None for ref in refs)
        return start, end


class _Here(threading.local):
    drain: _Drain | None = None
    """What this thread is carrying."""


_here: Final = _Here()


class _Drain:
    """The worklist of one thread, from the outermost change until all is at rest."""

    def __init__(self, group: Group, *, by_page: bool) -> None:
        self.error: BaseException | None = None
        self._by_page = by_page
        self._group = group
        self._steps: deque[Step] = deque()
        self._waiting: set[tuple[int, int]] = set()
        self._sets: Counter[Key] = Counter()
        self._left: dict[Ear, Any] = {}
        """What each end held when this thread was last told of it."""
        self._interruptions = 0
        """How often another thread had changed that."""
        self._read: dict[CarriedLink, tuple[int, Any]] = {}
        """What was carried last along each link, and from which end."""
        self._starts: dict[CarriedLink, int] = {}
        """From which end each link was carried first."""
        self._target: Ear | None = None
        """The end that is being set."""
        self._via: CarriedLink | None = None
        self._is_first = False
        self._noticed = 0
        """How often its observers were told."""
        self._made: Any = MISSING
        """What it made of the value, as they were told first. What it holds may be another thread's by then."""
        self._ears: dict[Ear, None] = {}
        """All that took part."""
        self._exhausted: dict[Ear, None] = {}
        self._divergent: list[tuple[Ear, Ear]] = []

    def noticed(self, ear: Ear, value: Any) -> None:
        """An end's observers are told that it changed."""
        if ear is self._target:
            self._noticed += 1
            if self._noticed == 1:
                self._made = value
        self.changed(ear)

    def changed(self, ear: Ear) -> None:
        """An end changed: all its links are to be carried, but for the one by which the change comes."""
        self._ears[ear] = None
        self._left[ear] = _raw(ear.obj(), ear.name)
        via = self._via if ear is self._target and self._noticed < 2 else None
        for link in list(ear.links.values()):
            if link is not via:
                start = 0 if link.keys[0] == (id(ear.obj()), ear.name) else 1
                if start == 0 or not link.is_one_way:
                    self.add(Step(link, start))

    def add(self, step: Step) -> None:
        """Have a link carried."""
        self._is_first = self._is_first or step.is_first
        mark = (step.link.serial, step.start)
        if step.is_return:
            self._steps.appendleft(step)  # Before a value that does not stay goes any further.
        elif mark not in self._waiting:
            self._waiting.add(mark)
            self._steps.append(step)

    def run(self) -> None:
        """Carry everything, until all is at rest or has had its turns."""
        for _ in range(_MAX_SETS):
            self.run_steps()
            # Another thread may have changed what this one carried, before this one had set the other end.
            for link, (start, value) in list(self._read.items()):
                step = Step(link, start)
                ear, _ = step.ends()
                if ear is not None and (obj := ear.obj()) is not None and _raw(obj, ear.name) is not value:
                    self.add(step._replace(start=0))
            if not self._steps:
                break
            self._read.clear()
        note_all(self._group, self._ears, is_first=self._is_first)
        self._report()

    def run_steps(self) -> None:
        """Carry what is to be carried so far; also while a step is under way."""
        outer, self._target, self._via = (self._target, self._via, self._noticed, self._made), None, None
        while self._steps:
            step = self._steps.popleft()
            self._waiting.discard((step.link.serial, step.start))
            self._carry(step)
        self._target, self._via, self._noticed, self._made = outer

    def _carry(self, step: Step) -> None:
        link = step.link
        ear, other = step.ends()
        obj, target = ear.obj() if ear else None, other.obj() if other else None
        if ear is None or other is None or obj is None or target is None or link.serial not in ear.links:
            return  # Unlinked meanwhile.
        self._ears[ear] = self._ears[other] = None
        key = (id(target), other.name)
        before = read(target, other.name)
        try:
            raw, value = _raw(obj, ear.name), getattr(obj, ear.name)
            if self._left.setdefault(ear, raw) is not raw:
                self._interrupted(ear)
            self._starts.setdefault(link, step.start)
            self._read[link] = (step.start, raw if raw is not MISSING else _raw(obj, ear.name))
            transform = link.transforms[step.start]
            wanted = value if transform is None else transform(value)
        except BaseException as error:
            self._keep(error)
            return
        if agree(before, wanted):
            return
        self._sets[key] += 1
        if self._sets[key] > _MAX_SETS:
            self._exhausted[other] = None
            return
        failed: BaseException | None = None
        self._target, self._via, self._noticed, self._made = other, link, 0, MISSING
        try:
            setattr(target, other.name, wanted)
        except BaseException as error:
            failed = error
        after, noticed, made = read(target, other.name), self._noticed, self._made
        self._target = self._via = None
        if failed is not None:
            self._keep(failed)
        if after is before and failed is not None:
            # Refused: the start takes what the end holds.
            if not link.is_one_way and not step.is_first:
                self._take_back(step, ear, other)
            return
        self._target, self._via = other, link
        self.changed(other)  # Equal to Python and not to pages: nobody was told.
        self._target = self._via = None
        if not link.is_one_way and not agree(after, wanted):
            if noticed > 1:
                self.add(Step(link, 1 - step.start))  # An observer has set it again: a change as any other.
            elif agree(made, wanted):
                self._interrupted(other)
                self.add(Step(link, 1 - step.start))
            else:
                self._take_back(step, ear, other)

    def _interrupted(self, ear: Ear) -> None:
        """Another thread is at it: what went round so far says nothing of whether the links settle."""
        self._left[ear] = _raw(ear.obj(), ear.name)
        if self._interruptions < _MAX_INTERRUPTIONS:
            self._interruptions += 1
            self._sets.clear()

    def _take_back(self, step: Step, ear: Ear, other: Ear) -> None:
        if step.is_return:
            self._divergent.append((ear, other))
        else:
            self.add(Step(step.link, 1 - step.start, is_return=True))

    def _keep(self, error: BaseException) -> None:
        if self.error is None or (isinstance(self.error, Exception) and not isinstance(error, Exception)):
            self.error = error

    def _report(self) -> None:
        if self._exhausted:
            # Round a cycle all of them were set about as often.
            self._tell("never_settles", [ear for ear in self._ears if self._sets[id(ear.obj()), ear.name] >= _MAX_SETS])
        for ends in self._divergent:
            self._tell("divergent", ends)
        for link, start in self._starts.items():
            if link.begun(start, by_page=self._by_page):
                self._tell("pages_answer", [ear for ear in self._ears if link.serial in ear.links])

    def _tell(self, reason: Reason, ears: Sequence[Ear]) -> None:
        names = tuple(ear.spelled() for ear in ears)
        told: set[int] = set()
        for ear in ears:
            for store, hosted in hosts_of(ear.obj()):
                if id(store) not in told:
                    told.add(id(store))
                    store.emit(LinkUnsettled(hosted.comm.comm_id, ear.name, names, reason))
        if reason == "never_settles":
            text = f"Links never settle: {' → '.join((*names, names[0]))}; given up after {_MAX_SETS} rounds"
        elif reason == "pages_answer":
            text = f"Pages answer each other's changes along a link, without end: {' and '.join(names)}"
        else:
            text = f"Linked traits do not agree on a value, each keeps its own: {' and '.join(names)}"
        try:
            warnings.warn(text, LinkWarning, stacklevel=2)
        except LinkWarning as warning:  # Where warnings are errors.
            self._keep(warning)


class CarryingEar(Ear):
    """An end that carries its changes along its links."""

    __slots__ = ()

    def changed(self, change: Any) -> None:
        """The trait changed: carry it, if the store has not."""
        drain = _here.drain
        if drain is not None:
            drain.noticed(self, change["new"])
            return
        obj, carried, self.carried = self.obj(), self.carried, None
        now = read(obj, self.name)
        if carried is None or carried.thread != threading.get_ident() or carried.value is not now:
            self.keep(run(ear=self))
            now = read(obj, self.name)
        if now is not change["new"]:
            change["new"] = now  # A target took another value, or none: nobody needs to hear of what was.

    def failed(self, change: Any) -> None:
        """All have heard: raise what went wrong, unless something goes on still."""
        if _here.drain is None and self.error is not None:
            error, self.error = self.error, None
            raise error


def run(*steps: Step, ear: Ear | None = None, by_page: bool = False) -> BaseException | None:
    """Carry from here until all is at rest. Returns what is to be raised to whoever began."""
    running = _here.drain
    if running is not None:
        for step in steps:
            running.add(step)
        return None
    with grouped() as group:
        drain = _here.drain = _Drain(group, by_page=by_page)
        group.holds_messages = True
        try:
            if ear is not None:
                drain.changed(ear)
            for step in steps:
                drain.add(step)
            drain.run()
        finally:
            _here.drain = None
            group.release_messages()
    return drain.error


def carry(widget: Any, name: str, *, by_page: bool) -> None:
    """A store is told of a trait that is the end of a link: carry the change, before any observer hears of it.

    Args:
        widget: the object.
        name: the trait.
        by_page: whether a page's write is being applied.
    """
    ear = ear_of(widget, name)
    if ear is None:
        return
    drain = _here.drain
    if drain is not None:
        drain.changed(ear)
        return
    ear.keep(run(ear=ear, by_page=by_page))
    ear.carried = Carried(read(widget, name), threading.get_ident())


@contextmanager
def at_rest() -> Iterator[None]:
    """Be in no group and no drain for a while, for what is to be told by itself, from wherever it is called."""
    drain = _here.drain
    if drain is not None:
        drain.run_steps()
        _here.drain = None
    try:
        with apart():
            yield
    finally:
        _here.drain = drain

"""Links: a trait of one object follows a trait of another, or each the other.

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

**What is alive.** An object keeps its `_Ear`s, as observers; an ear keeps its links; a link keeps both objects weakly.
Nothing global keeps any of them: so a link, and whatever its transform holds, goes away with either end.
"""

from __future__ import annotations

import itertools
import logging
import math
import threading
import warnings
import weakref
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final, Literal, NamedTuple, overload

import traitlets

from .atomic import Group, apart, grouped
from .events import LinkUnsettled
from .follow import Follower
from .hosts import hosts_of
from .link_picture import draw
from .references import is_ipywidget

_log = logging.getLogger("rdit")

Key = tuple[int, str]
Transform = Callable[[Any], Any]

_MAX_SETS: Final = 100
"""How often one trait is set in one drain. Conversions that round settle after two or three."""
_MAX_ANSWERS: Final = 1000
"""How often pages change a link from one end and then from the other before somebody is told of such answers."""
_MISSING: Final = object()
_serials: Final = itertools.count()
_lock: Final = threading.RLock()
"""Held to tie and untie, for moments. Reentrant, for the end of an object may come at any time."""


class LinkWarning(UserWarning):
    """Links that do not come to rest, or whose ends do not agree."""


Reason = Literal["never_settles", "divergent", "pages_answer"]


# Comparing.


def agree(one: Any, other: Any) -> bool:
    """Whether two values are the same to a page: `True` is not 1, NaN is itself, 1 is 1.0. Never raises."""
    try:
        return _agree(one, other)
    except Exception:
        return False


def _agree(one: Any, other: Any) -> bool:
    if one is other:
        return True
    if isinstance(one, bool) or isinstance(other, bool):
        return False  # There is one object of each.
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        return one == other or (math.isnan(one) and math.isnan(other))
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(_agree, one, other))
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_agree(item, other[key]) for key, item in one.items())
    if hasattr(one, "dtype") and hasattr(one, "tobytes"):
        if one.dtype != other.dtype or one.shape != other.shape:
            return False
        return _agree(one.tolist(), other.tolist()) if one.dtype.hasobject else bool(one.tobytes() == other.tobytes())
    equals = getattr(one, "equals", None)
    return bool(equals(other) if callable(equals) else one == other)


def _read(obj: Any, name: str) -> Any:
    try:
        return getattr(obj, name)
    except Exception:
        return _MISSING


def _raw(obj: traitlets.HasTraits, name: str) -> Any:
    """The trait's own object, without running anything."""
    return obj._trait_values.get(name, _MISSING)


# The ends.


class _Carried(NamedTuple):
    """A change that the store has carried before the observers were told of it."""

    value: Any
    thread: int


class _Ear:
    """One trait of one object that links end at. Only its object keeps it."""

    __slots__ = ("__weakref__", "carried", "error", "links", "name", "obj")

    def __init__(self, obj: traitlets.HasTraits, name: str) -> None:
        self.obj: Final = weakref.ref(obj)
        self.name: Final = name
        self.links: Final[dict[int, Link]] = {}
        self.carried: _Carried | None = None
        self.error: BaseException | None = None
        """What is to be raised to whoever set the trait."""

    def listen(self, obj: traitlets.HasTraits) -> None:
        """Observe. First of all, so that the others hear of what stands; and once more, to raise what went wrong when
        those who were there before have heard.
        """
        obj.observe(self.changed, self.name)
        obj.observe(self.failed, self.name)
        callbacks = obj._trait_notifiers[self.name]["change"]
        callbacks.remove(self.changed)
        first = next((at for at, one in enumerate(callbacks) if not _is_follower(one)), len(callbacks))
        callbacks.insert(first, self.changed)
        if is_ipywidget(obj):
            obj.observe(_comm_changed, "comm")

    def leave(self) -> None:
        """Observe no more."""
        obj = self.obj()
        if obj is None:
            return  # It has gone meanwhile, and its observers too.
        _unobserve(obj, self.changed, self.name)
        _unobserve(obj, self.failed, self.name)
        if is_ipywidget(obj) and not _ears_of(obj):
            _unobserve(obj, _comm_changed, "comm")

    def changed(self, change: Any) -> None:
        """The trait changed: carry it, if the store has not."""
        drain = _here.drain
        if drain is not None:
            drain.noticed(self)
            return
        obj, carried, self.carried = self.obj(), self.carried, None
        now = _read(obj, self.name)
        if carried is None or carried.thread != threading.get_ident() or carried.value is not now:
            self.keep(_run(ear=self))
            now = _read(obj, self.name)
        if now is not change["new"]:
            change["new"] = now  # A target took another value, or none: nobody needs to hear of what was.

    def failed(self, change: Any) -> None:
        """All have heard: raise what went wrong, unless something goes on still."""
        if _here.drain is None and self.error is not None:
            error, self.error = self.error, None
            raise error

    def keep(self, error: BaseException | None) -> None:
        """Have an error raised by the observer. One that no observer came for is logged."""
        if self.error is not None:
            _log.error("a link of %s failed", self.spelled(), exc_info=self.error)
        self.error = error

    def spelled(self) -> str:
        """For people."""
        return _spelled(self.obj(), self.name)


class _EarRef(weakref.ref[_Ear]):
    """An ear as everybody knows it, with what must be known when it is gone."""

    __slots__ = ("key", "partners")
    key: Key
    partners: dict[int, Key]
    """Serial number of a link to its other end."""


EARS: Final[dict[Key, _EarRef]] = {}
"""Every trait that is the end of a link, by the object's number and the trait's name. For a quick look."""


def _unobserve(obj: traitlets.HasTraits, callback: Callable[[Any], None], name: str) -> None:
    with suppress(ValueError):  # Somebody has taken all observers out.
        obj.unobserve(callback, name)


def _is_follower(callback: Any) -> bool:
    return isinstance(getattr(callback, "__self__", None), Follower)


def is_end(widget: Any, name: str) -> bool:
    """Whether a link ends at a trait."""
    return (id(widget), name) in EARS


def _ear_of(obj: Any, name: str) -> _Ear | None:
    ref = EARS.get((id(obj), name))
    ear = ref() if ref is not None else None
    return ear if ear is not None and ear.obj() is obj else None


def _ears_of(obj: Any) -> list[_Ear]:
    names = list(getattr(obj, "_trait_notifiers", ()))
    return [ear for name in names if isinstance(name, str) and (ear := _ear_of(obj, name)) is not None]


def _ear_gone(ref: Any) -> None:
    """An object is gone, and its ear with it."""
    key = ref.key
    with _lock:
        EARS.pop(key) if EARS.get(key) is ref else None  # The next object may have the same number by now.
        for serial, partner in ref.partners.items():
            _untie_end(serial, partner)


def _tie_end(link: Link, obj: traitlets.HasTraits, name: str, partner: Key) -> None:
    key = (id(obj), name)
    ref, ear = EARS.get(key), _ear_of(obj, name)
    if ref is None or ear is None:
        ear = _Ear(obj, name)
        ref = _EarRef(ear, _ear_gone)
        ref.key, ref.partners = key, {}
    ear.links[link.serial] = link
    ref.partners[link.serial] = partner
    if key not in EARS or EARS[key] is not ref:
        EARS[key] = ref
        ear.listen(obj)


def _untie_end(serial: int, key: Key) -> None:
    ref = EARS.get(key)
    if ref is None:
        return
    ref.partners.pop(serial, None)
    ear = ref()
    left = ear.links if ear is not None else {}
    left.pop(serial, None)
    if ear is not None and not left:
        del EARS[key]
        ear.leave()


def _comm_changed(change: Any) -> None:
    """An ipywidget's comm: without one it is closed, whoever hosted it."""
    if change["new"] is None:
        unlink_widget(change["owner"])


def unlink_widget(widget: Any) -> None:
    """A widget is gone: so are its links."""
    for ear in _ears_of(widget) if EARS else ():
        for link in list(ear.links.values()):
            link.unlink()


# Links.


class Link(ABC):
    """A link between two traits, until `unlink` or until either object is gone. Made by `link_traits`."""

    serial: int
    is_one_way: bool = False
    """Whether the source never follows the target."""
    is_ours: bool = True
    """Whether it is carried as this module says; False for what `traitlets` itself has made."""

    @property
    @abstractmethod
    def source(self) -> tuple[Any, str]:
        """Object and trait; None in place of an object that is gone."""

    @property
    @abstractmethod
    def target(self) -> tuple[Any, str]:
        """As `source`."""

    @abstractmethod
    def unlink(self) -> None:
        """Let each end go its own way. A second call does nothing."""

    def __repr__(self) -> str:
        arrow = "→" if self.is_one_way else "↔"
        return f"<Link {_spelled(*self.source)} {arrow} {_spelled(*self.target)}>"


def _spelled(obj: Any, name: str) -> str:
    if obj is None:
        return f"(gone).{name}"
    ids = [hosted.comm.comm_id[:8] for _, hosted in hosts_of(obj)]
    return f"{type(obj).__name__}{f'[{ids[0]}]' if ids else ''}.{name}"


class _OwnLink(Link):
    def __init__(
        self,
        source: tuple[traitlets.HasTraits, str],
        target: tuple[traitlets.HasTraits, str],
        forth: Transform | None,
        back: Transform | None,
    ) -> None:
        self.serial = next(_serials)
        self.ends: Final = ((weakref.ref(source[0]), source[1]), (weakref.ref(target[0]), target[1]))
        self.keys: Final = ((id(source[0]), source[1]), (id(target[0]), target[1]))
        self.transforms: Final = (forth, back)
        self._last_start = 0
        self._answers = 0
        self.link()

    @property
    def source(self) -> tuple[Any, str]:
        return self.ends[0][0](), self.ends[0][1]

    @property
    def target(self) -> tuple[Any, str]:
        return self.ends[1][0](), self.ends[1][1]

    def begun(self, start: int, *, by_page: bool) -> bool:
        """A change has gone along it. Returns whether it is time to say that pages answer each other: no user changes
        the one end and then the other, for so long, and never one of them twice.
        """
        self._answers = self._answers + 1 if by_page and start != self._last_start else 0
        self._last_start = start
        return self._answers == _MAX_ANSWERS

    @property
    def is_linked(self) -> bool:
        """Whether it is at work."""
        ref = EARS.get(self.keys[0])
        return ref is not None and self.serial in ref.partners

    def link(self) -> None:
        """Tie the ends, or tie them again: the target takes the source's value.

        Raises:
            TraitError: the target refuses it, and nothing is linked. Whatever else is raised on the way.
        """
        source, target = self.source[0], self.target[0]
        if self.is_linked or source is None or target is None:
            return
        with _lock:
            _tie_end(self, source, self.ends[0][1], self.keys[1])
            _tie_end(self, target, self.ends[1][1], self.keys[0])
        error = _run(_Step(self, 0, is_first=True))
        if error is not None:
            self.unlink()
            raise error

    def unlink(self) -> None:
        with _lock:
            _untie_end(self.serial, self.keys[0])
            _untie_end(self.serial, self.keys[1])
        ends = (self.source, self.target)
        if any(_holds_sync(obj) for obj, _ in ends):
            with grouped() as group:  # The other one waited for it.
                for obj, name in ends:
                    _note(group, obj, name)


class TwoWayLink(_OwnLink, traitlets.link):
    """Each end follows the other."""


class OneWayLink(_OwnLink, traitlets.dlink):
    """The target follows the source."""

    is_one_way = True


class TraitletsLink(Link):
    """A link that `traitlets.link` or `traitlets.dlink` has made. It works as it does there."""

    serial = -1
    is_ours = False

    def __init__(self, link: traitlets.link | traitlets.dlink) -> None:
        self._link = link
        self.is_one_way = isinstance(link, traitlets.dlink)

    @property
    def source(self) -> tuple[Any, str]:
        obj, name = self._link.source
        return obj, name

    @property
    def target(self) -> tuple[Any, str]:
        obj, name = self._link.target
        return obj, name

    def unlink(self) -> None:
        for obj, name in (self.source, self.target):
            if any(getattr(one, "__self__", None) is self._link for one in _observers(obj, name)):
                self._link.unlink()
                return

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TraitletsLink) and other._link is self._link

    def __hash__(self) -> int:
        return hash(id(self._link))


def _observers(obj: Any, name: str) -> list[Any]:
    return list(obj._trait_notifiers.get(name, {}).get("change", ()))


def link_traits(
    source: tuple[Any, str],
    target: tuple[Any, str],
    *,
    one_way: bool = False,
    transform: Transform | tuple[Transform, Transform] | None = None,
) -> Link:
    """Link a trait to a trait: the target takes the source's value now, and each follows the other from then on.

    A link goes away with either object, with a widget's `close()`, and when its manager lets go of it.

    Args:
        source: object and name of a trait, as for `traitlets.link`.
        target: likewise.
        one_way: the source does not follow the target.
        transform: from the source's value to the target's; for a link in both ways two of them, there and back.

    Returns:
        The link; a `traitlets.link`, or one way a `traitlets.dlink`.

    Raises:
        TypeError: an end or a transform is no such thing. TraitError: no such trait, or the target refuses the value:
            then nothing is linked. Whatever a transform or an observer raises, likewise.
    """
    _check_end(source)
    _check_end(target)
    if source[0] is target[0] and source[1] == target[1]:
        raise TypeError(f"Expected two different traits, got {_spelled(*source)} twice")
    if one_way:
        return OneWayLink(source, target, _function(transform) if transform is not None else None, None)
    return TwoWayLink(source, target, *(_functions(transform) if transform is not None else (None, None)))


def _function(transform: Any) -> Transform:
    if not callable(transform):
        raise TypeError("Expected one function as transform of a link in one way")
    function: Transform = transform
    return function


def _functions(transform: Any) -> tuple[Transform, Transform]:
    if not (isinstance(transform, (tuple, list)) and len(transform) == 2 and all(map(callable, transform))):
        raise TypeError("Expected two functions as transform of a link in both ways: there and back")
    forth, back = transform
    return forth, back


def _check_end(end: Any) -> None:
    if not (isinstance(end, tuple) and len(end) == 2 and isinstance(end[0], traitlets.HasTraits)):
        given = f"({', '.join(type(one).__name__ for one in end)})" if isinstance(end, tuple) else type(end).__name__
        raise TypeError(f"Expected (object with traits, name), got {given}")
    if not end[0].has_trait(end[1]):
        raise traitlets.TraitError(f"{type(end[0]).__name__} has no trait {end[1]!r}")


# Propagation.


class _Step(NamedTuple):
    """A link to carry, from one of its ends (0 the source, 1 the target)."""

    link: _OwnLink
    start: int
    is_return: bool = False
    """Whether it takes back what the other end made of a value."""
    is_first: bool = False
    """Whether the link is being made."""

    def ends(self) -> tuple[_Ear | None, _Ear | None]:
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
        self._steps: deque[_Step] = deque()
        self._waiting: set[tuple[int, int]] = set()
        self._sets: Counter[Key] = Counter()
        self._read: dict[_OwnLink, tuple[int, Any]] = {}
        """What was carried last along each link, and from which end."""
        self._starts: dict[_OwnLink, int] = {}
        """From which end each link was carried first."""
        self._target: _Ear | None = None
        """The end that is being set."""
        self._via: Link | None = None
        self._is_first = False
        self._noticed = 0
        """How often its observers were told."""
        self._ears: dict[_Ear, None] = {}
        """All that took part."""
        self._exhausted: dict[_Ear, None] = {}
        self._divergent: list[tuple[_Ear, _Ear]] = []

    def noticed(self, ear: _Ear) -> None:
        """An end's observers are told that it changed."""
        if ear is self._target:
            self._noticed += 1
        self.changed(ear)

    def changed(self, ear: _Ear) -> None:
        """An end changed: all its links are to be carried, but for the one by which the change comes."""
        self._ears[ear] = None
        via = self._via if ear is self._target and self._noticed < 2 else None
        for link in list(ear.links.values()):
            if link is not via and isinstance(link, _OwnLink):
                start = 0 if link.keys[0] == (id(ear.obj()), ear.name) else 1
                if start == 0 or not link.is_one_way:
                    self.add(_Step(link, start))

    def add(self, step: _Step) -> None:
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
                step = _Step(link, start)
                ear, _ = step.ends()
                if ear is not None and (obj := ear.obj()) is not None and _raw(obj, ear.name) is not value:
                    self.add(step._replace(start=0))
            if not self._steps:
                break
            self._read.clear()
        self._rest()
        self._report()

    def run_steps(self) -> None:
        """Carry what is to be carried so far; also while a step is under way."""
        outer, self._target, self._via = (self._target, self._via, self._noticed), None, None
        while self._steps:
            step = self._steps.popleft()
            self._waiting.discard((step.link.serial, step.start))
            self._carry(step)
        self._target, self._via, self._noticed = outer

    def _carry(self, step: _Step) -> None:
        link = step.link
        ear, other = step.ends()
        obj, target = ear.obj() if ear else None, other.obj() if other else None
        if ear is None or other is None or obj is None or target is None or link.serial not in ear.links:
            return  # Unlinked meanwhile.
        self._ears[ear] = self._ears[other] = None
        key = (id(target), other.name)
        before = _read(target, other.name)
        try:
            raw, value = _raw(obj, ear.name), getattr(obj, ear.name)
            self._starts.setdefault(link, step.start)
            self._read[link] = (step.start, raw if raw is not _MISSING else _raw(obj, ear.name))
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
        self._target, self._via, self._noticed = other, link, 0
        try:
            setattr(target, other.name, wanted)
        except BaseException as error:
            failed = error
        after, noticed = _read(target, other.name), self._noticed
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
                self.add(_Step(link, 1 - step.start))  # An observer has set it again: a change as any other.
            else:
                self._take_back(step, ear, other)

    def _take_back(self, step: _Step, ear: _Ear, other: _Ear) -> None:
        if step.is_return:
            self._divergent.append((ear, other))
        else:
            self.add(_Step(step.link, 1 - step.start, is_return=True))

    def _keep(self, error: BaseException) -> None:
        if self.error is None or (isinstance(self.error, Exception) and not isinstance(error, Exception)):
            self.error = error

    def _rest(self) -> None:
        """Note all that is linked with what took part, to be told as one. Where a widget holds what it has to say, so
        do all that are linked with it.
        """
        # One that is being made is noted with its own ends: what else hangs on it has not changed.
        for component in [list(self._ears)] if self._is_first else _components(self._ears):
            held = any(_holds_sync(ear.obj(), ear.name) for ear in component)
            for ear in component:
                _note(self._group, ear.obj(), ear.name, is_held=held)

    def _report(self) -> None:
        if self._exhausted:
            # Round a cycle all of them were set about as often.
            self._tell("never_settles", [ear for ear in self._ears if self._sets[id(ear.obj()), ear.name] >= _MAX_SETS])
        for ends in self._divergent:
            self._tell("divergent", ends)
        for link, start in self._starts.items():
            if link.begun(start, by_page=self._by_page):
                self._tell("pages_answer", [ear for ear in self._ears if link.serial in ear.links])

    def _tell(self, reason: Reason, ears: Sequence[_Ear]) -> None:
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


def _components(ears: Iterable[_Ear]) -> Iterator[list[_Ear]]:
    """All ends that are linked with these, those together that are linked with each other."""
    seen: set[_Ear] = set()
    for first in ears:
        if first in seen:
            continue
        seen.add(first)
        component = [first]
        for ear in component:
            for link in list(ear.links.values()):
                for obj, name in (link.source, link.target):
                    other = _ear_of(obj, name)
                    if other is not None and other not in seen:
                        seen.add(other)
                        component.append(other)
        yield component


def _holds_sync(obj: Any, name: str | None = None) -> bool:
    """Whether a widget is inside of its `hold_sync`, with this property to tell of at the end."""
    return bool(getattr(obj, "_holding_sync", False)) and (name is None or name in obj._states_to_send)


def _note(group: Group, obj: Any, name: str, *, is_held: bool = False) -> None:
    """Have a group tell of an end that is shown. One whose object holds its notifications comes with these."""
    for store, hosted in hosts_of(obj):
        if name not in hosted.slots or not store.is_shown(hosted):
            continue
        if is_held:
            group.discard(store, hosted, name)
        elif not obj._cross_validation_lock:
            hosted.writers.add(threading.get_ident())
            group.add(store, hosted, {name: _read(obj, name)})


def _run(*steps: _Step, ear: _Ear | None = None, by_page: bool = False) -> BaseException | None:
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
    ear = _ear_of(widget, name)
    if ear is None:
        return
    drain = _here.drain
    if drain is not None:
        drain.changed(ear)
        return
    ear.keep(_run(ear=ear, by_page=by_page))
    ear.carried = _Carried(_read(widget, name), threading.get_ident())


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


# Listing.


class Links(Sequence[Link]):
    """Some links, as they were when asked for. Shown as a picture where there is a page."""

    def __init__(self, links: Iterable[Link]) -> None:
        self._links: Final = tuple(links)

    @overload
    def __getitem__(self, index: int) -> Link: ...

    @overload
    def __getitem__(self, index: slice) -> Links: ...

    def __getitem__(self, index: int | slice) -> Link | Links:
        return Links(self._links[index]) if isinstance(index, slice) else self._links[index]

    def __len__(self) -> int:
        return len(self._links)

    def unlink(self) -> None:
        """Unlink all of them."""
        for link in self._links:
            link.unlink()

    def to_svg(self) -> str:
        """A picture: widgets as boxes, with the traits that are linked, and an arrow for each link."""
        return draw((link.source, link.target, link.is_one_way) for link in self._links)

    def _repr_svg_(self) -> str:
        return self.to_svg()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": repr(self), "image/svg+xml": self.to_svg()}

    def __repr__(self) -> str:
        return "\n".join([f"{len(self)} link{'' if len(self) == 1 else 's'}", *(f"  {link!r}" for link in self)])


def links(*widgets: Any, reach: Literal["direct", "connected"] = "direct") -> Links:
    """The links of these widgets, in the order in which they were made; without a widget, all of this process.

    Args:
        widgets: objects with traits.
        reach: `direct` for the links that end at one of them, `connected` for those too that follow from there.

    Raises:
        ValueError: another `reach`.
    """
    if reach not in ("direct", "connected"):
        raise ValueError(f"Expected 'direct' or 'connected', got {reach!r}")
    if not widgets:
        objects = {id(obj): obj for ref in list(EARS.values()) if (ear := ref()) and (obj := ear.obj()) is not None}
        found = [link for obj in objects.values() for link in _links_of(obj)]
    else:
        found = []
        waiting, seen = list(widgets), set(map(id, widgets))
        for obj in waiting:
            for link in _links_of(obj):
                found.append(link)
                for end, _ in (link.source, link.target):
                    if reach == "connected" and end is not None and id(end) not in seen:
                        seen.add(id(end))
                        waiting.append(end)
    return Links(sorted(dict.fromkeys(found), key=lambda link: link.serial))


def _links_of(obj: Any) -> list[Link]:
    found: list[Link] = [link for ear in _ears_of(obj) for link in list(ear.links.values())]
    for name in list(getattr(obj, "_trait_notifiers", ())):
        for callback in _observers(obj, name):
            maker = getattr(callback, "__self__", None)
            if isinstance(maker, (traitlets.link, traitlets.dlink)):
                found.append(TraitletsLink(maker))
    return found

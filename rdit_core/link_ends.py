"""The ends of links: who listens to one trait of one object, and how to find that again.

**What is alive.** An object keeps its `Ear`s, as observers; an ear keeps its links; a link keeps both objects weakly.
Nothing global keeps any of them: so a link, and whatever its transform holds, goes away with either end.
"""

from __future__ import annotations

import logging
import threading
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, NamedTuple, Protocol

import traitlets

from .follow import Follower
from .hosts import hosts_of
from .references import is_ipywidget

_log = logging.getLogger("rdit")

Key = tuple[int, str]
Transform = Callable[[Any], Any]

MISSING: Final = object()
LOCK: Final = threading.RLock()
"""Held to tie and untie, for moments. Reentrant, for the end of an object may come at any time."""


class CarriedLink(Protocol):
    """What an end and what runs along a link ask of it."""

    serial: int
    is_one_way: bool

    @property
    def keys(self) -> tuple[Key, Key]:
        """Source and target."""

    @property
    def transforms(self) -> tuple[Transform | None, Transform | None]:
        """Forth and back."""

    @property
    def source(self) -> tuple[Any, str]:
        """Object and trait; None in place of an object that is gone."""

    @property
    def target(self) -> tuple[Any, str]:
        """As `source`."""

    def begun(self, start: int, *, by_page: bool) -> bool:
        """A change has gone along it. Returns whether it is time to say that pages answer each other."""

    def unlink(self) -> None:
        """Let each end go its own way."""


class Carried(NamedTuple):
    """A change that the store has carried before the observers were told of it."""

    value: Any
    thread: int


class Ear(ABC):
    """One trait of one object that links end at. Only its object keeps it."""

    __slots__ = ("__weakref__", "carried", "error", "links", "name", "obj")

    def __init__(self, obj: traitlets.HasTraits, name: str) -> None:
        self.obj: Final = weakref.ref(obj)
        self.name: Final = name
        self.links: Final[dict[int, CarriedLink]] = {}
        self.carried: Carried | None = None
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
        if is_ipywidget(obj) and not ears_of(obj):
            _unobserve(obj, _comm_changed, "comm")

    @abstractmethod
    def changed(self, change: Any) -> None:
        """The trait changed; the first of all observers hears it."""

    @abstractmethod
    def failed(self, change: Any) -> None:
        """All who were there before have heard: the time to raise."""

    def keep(self, error: BaseException | None) -> None:
        """Have an error raised by the observer. One that no observer came for is logged."""
        if self.error is not None:
            _log.error("a link of %s failed", self.spelled(), exc_info=self.error)
        self.error = error

    def spelled(self) -> str:
        """For people."""
        return spelled(self.obj(), self.name)


class EarRef(weakref.ref[Ear]):
    """An ear as everybody knows it, with what must be known when it is gone."""

    __slots__ = ("key", "partners")
    key: Key
    partners: dict[int, Key]
    """Serial number of a link to its other end."""


EARS: Final[dict[Key, EarRef]] = {}
"""Every trait that is the end of a link, by the object's number and the trait's name. For a quick look."""


def _unobserve(obj: traitlets.HasTraits, callback: Callable[[Any], None], name: str) -> None:
    with suppress(ValueError):  # Somebody has taken all observers out.
        obj.unobserve(callback, name)


def _is_follower(callback: Any) -> bool:
    return isinstance(getattr(callback, "__self__", None), Follower)


def read(obj: Any, name: str) -> Any:
    """A trait's value; `MISSING` where reading it raises."""
    try:
        return getattr(obj, name)
    except Exception:
        return MISSING


def is_end(widget: Any, name: str) -> bool:
    """Whether a link ends at a trait."""
    return (id(widget), name) in EARS


def ear_of(obj: Any, name: str) -> Ear | None:
    """Of a trait that is the end of a link."""
    ref = EARS.get((id(obj), name))
    ear = ref() if ref is not None else None
    return ear if ear is not None and ear.obj() is obj else None


def ears_of(obj: Any) -> list[Ear]:
    """Of an object, one for each trait that is the end of a link."""
    names = list(getattr(obj, "_trait_notifiers", ()))
    return [ear for name in names if isinstance(name, str) and (ear := ear_of(obj, name)) is not None]


def _ear_gone(ref: Any) -> None:
    """An object is gone, and its ear with it."""
    key = ref.key
    with LOCK:
        EARS.pop(key) if EARS.get(key) is ref else None  # The next object may have the same number by now.
        for serial, partner in ref.partners.items():
            untie_end(serial, partner)


def tie_end(link: CarriedLink, obj: traitlets.HasTraits, name: str, partner: Key, kind: type[Ear]) -> None:
    """Have a link end at a trait.

    Args:
        link: the link.
        obj: the object.
        name: the trait.
        partner: the other end.
        kind: what listens there, if nothing does yet.
    """
    key = (id(obj), name)
    ref, ear = EARS.get(key), ear_of(obj, name)
    if ref is None or ear is None:
        ear = kind(obj, name)
        ref = EarRef(ear, _ear_gone)
        ref.key, ref.partners = key, {}
    ear.links[link.serial] = link
    ref.partners[link.serial] = partner
    if key not in EARS or EARS[key] is not ref:
        EARS[key] = ref
        ear.listen(obj)


def untie_end(serial: int, key: Key) -> None:
    """Undo `tie_end`. A second call does nothing."""
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


def spelled(obj: Any, name: str) -> str:
    """An end, for people."""
    if obj is None:
        return f"(gone).{name}"
    ids = [hosted.comm.comm_id[:8] for _, hosted in hosts_of(obj)]
    return f"{type(obj).__name__}{f'[{ids[0]}]' if ids else ''}.{name}"


def _comm_changed(change: Any) -> None:
    """An ipywidget's comm: without one it is closed, whoever hosted it."""
    if change["new"] is None:
        unlink_widget(change["owner"])


def unlink_widget(widget: Any) -> None:
    """A widget is gone: so are its links."""
    for ear in ears_of(widget) if EARS else ():
        for link in list(ear.links.values()):
            link.unlink()

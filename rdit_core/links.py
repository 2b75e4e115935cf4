"""Links: a trait of one object follows a trait of another, or each the other. What they are, and how to make, list and
end them; `propagation` says how a change runs along them, `link_ends` what keeps them alive.
"""

from __future__ import annotations

import itertools
import weakref
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal, cast, overload

import traitlets

from .atomic import grouped
from .link_ends import EARS, LOCK, Transform, ears_of, spelled, tie_end, untie_end
from .link_picture import draw
from .link_updates import holds_sync, note
from .propagation import CarryingEar, LinkWarning, Step, run

__all__ = ["Link", "LinkWarning", "Links", "OneWayLink", "TraitletsLink", "TwoWayLink", "link_traits", "links"]

_MAX_ANSWERS: Final = 1000
"""How often pages change a link from one end and then from the other before somebody is told of such answers."""
_serials: Final = itertools.count()


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
        return f"<Link {spelled(*self.source)} {arrow} {spelled(*self.target)}>"


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
        with LOCK:
            tie_end(self, source, self.ends[0][1], self.keys[1], CarryingEar)
            tie_end(self, target, self.ends[1][1], self.keys[0], CarryingEar)
        error = run(Step(self, 0, is_first=True))
        if error is not None:
            self.unlink()
            raise error

    def unlink(self) -> None:
        with LOCK:
            untie_end(self.serial, self.keys[0])
            untie_end(self.serial, self.keys[1])
        ends = (self.source, self.target)
        if any(holds_sync(obj) for obj, _ in ends):
            with grouped() as group:  # The other one waited for it.
                for obj, name in ends:
                    note(group, obj, name)


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
        raise TypeError(f"Expected two different traits, got {spelled(*source)} twice")
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
        ValueError: another `reach`. TypeError: one of them is no object with traits, such as a list of some.
    """
    for one in widgets:
        if not isinstance(one, traitlets.HasTraits):
            raise TypeError(f"Expected objects with traits, got {type(one).__name__}; of a list, links(*widgets)")
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
    found: list[Link] = [cast(Link, link) for ear in ears_of(obj) for link in list(ear.links.values())]
    for name in list(getattr(obj, "_trait_notifiers", ())):
        for callback in _observers(obj, name):
            maker = getattr(callback, "__self__", None)
            if isinstance(maker, (traitlets.link, traitlets.dlink)):
                found.append(TraitletsLink(maker))
    return found

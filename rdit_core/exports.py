"""What a widget offers to others: a handle for each of its exported traits.

`widget.selected` is the plain value, as everywhere in traitlets. `widget.exports.selected` is the trait itself, as
something that can be passed on: to the imports of another widget, or to whoever wants to observe it.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import traitlets

from .errors import CreateError


class Export:
    """One trait of one object, to be linked, read, set or observed.

    Args:
        owner: any traitlets object; the handle keeps it alive.
        name: one of its traits.
        description: what it means, in words.

    Raises:
        CreateError: `unknown_export`; the object has no such trait.
    """

    __slots__ = ("description", "name", "owner")

    def __init__(self, owner: traitlets.HasTraits, name: str, description: str = "") -> None:
        if not owner.has_trait(name):
            raise CreateError(
                "unknown_export",
                f"{type(owner).__name__} has no trait {name!r}{_did_you_mean(name, owner.trait_names())}",
            )
        self.owner: Final = owner
        self.name: Final = name
        self.description: Final = description

    @property
    def value(self) -> Any:
        """The present value, the trait's own object. Setting it validates and tells everyone, as setting the trait."""
        return getattr(self.owner, self.name)

    @value.setter
    def value(self, value: Any) -> None:
        setattr(self.owner, self.name, value)

    @property
    def trait(self) -> Any:
        """The trait's declaration."""
        return self.owner.traits()[self.name]

    def observe(self, handler: Callable[[Any], Any]) -> None:
        """Call a handler with each change, as `HasTraits.observe` does."""
        self.owner.observe(handler, self.name)

    def unobserve(self, handler: Callable[[Any], Any]) -> None:
        """Undo `observe`."""
        self.owner.unobserve(handler, self.name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Export) and self.owner is other.owner and self.name == other.name

    def __hash__(self) -> int:
        return hash((id(self.owner), self.name))

    def __repr__(self) -> str:
        about = f": {self.description}" if self.description else ""
        return f"<Export {type(self.owner).__name__}.{self.name}{about}>"


class Exports:
    """The exports of one widget, by attribute and by name, in the order of their declaration.

    No `Mapping`: its methods would stand where an export called `items` or `values` is looked for.
    """

    _owner: traitlets.HasTraits
    _descriptions: Mapping[str, str]

    def __init__(self, owner: traitlets.HasTraits, descriptions: Mapping[str, str]) -> None:
        vars(self).update(_owner=owner, _descriptions=dict(descriptions))

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"Set the trait itself, widget.{name}, or widget.exports.{name}.value")

    def __getitem__(self, name: str) -> Export:
        return Export(self._owner, name, self._descriptions[name])

    def __getattr__(self, name: str) -> Export:
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            return self[name]
        except KeyError:
            there = ", ".join(self._descriptions) or "nothing"
            raise AttributeError(
                f"{type(self._owner).__name__} exports no {name!r}{_did_you_mean(name, self._descriptions)} "
                f"It exports {there}."
            ) from None

    def __contains__(self, name: object) -> bool:
        return name in self._descriptions

    def __iter__(self) -> Iterator[str]:
        return iter(self._descriptions)

    def __len__(self) -> int:
        return len(self._descriptions)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._descriptions]

    def __repr__(self) -> str:
        listed = ", ".join(f"{name}: {about}" if about else name for name, about in self._descriptions.items())
        return f"<Exports of {type(self._owner).__name__}: {listed or 'none'}>"


def _did_you_mean(name: str, names: Any) -> str:
    close = difflib.get_close_matches(name, list(names), n=1)
    return f"; did you mean {close[0]!r}?" if close else "."

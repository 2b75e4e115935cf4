"""One widget as its manager keeps it: the object, its comm, its ids, its slots, and how to read and write it.

What is particular to a widget library stands here. Today that is ipywidgets (anywidget's base): traits with `to_json`
and `from_json`, and the Layout model that every `DOMWidget` opens. Other objects that open a comm of their own are
shown; their properties are refused to pages until they can be validated.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from itertools import zip_longest
from typing import Any, Final

import traitlets

from .comm import WIDGET_TARGET, CommOwner, WidgetComm
from .errors import WriteRefused
from .policy import PropertyFacts, WritePolicy
from .slots import Slot

WIDGET_REFERENCE: Final = "IPY_MODEL_"
_MISSING: Final = object()


def is_ipywidget(widget: Any) -> bool:
    """Whether this is an `ipywidgets.Widget`. Never imports ipywidgets: who has one has imported it."""
    module = sys.modules.get("ipywidgets.widgets.widget")
    return module is not None and isinstance(widget, module.Widget)


def forget_instance(comm: Any) -> None:
    """Take the widget behind a comm out of the process-wide registry in which ipywidgets keeps every widget alive for
    ever. One of another manager that has the same id stays.
    """
    module = sys.modules.get("ipywidgets.widgets.widget")
    instances: dict[str, Any] = module._instances if module is not None else {}
    present = instances.get(comm.comm_id)
    if present is not None and present.comm is comm:
        del instances[comm.comm_id]


def give_comm(owner: CommOwner, widget: Any, comm_id: str) -> None:
    """Give an ipywidget a comm of ours in place of the one it has, which is closed.

    Args:
        owner: whose the comm will be.
        widget: which it is for; its state is read.
        comm_id: the id to ask for; empty for whatever the owner gives.
    """
    data = {"state": widget.get_state(), "buffer_paths": []}
    old, new = widget.comm, WidgetComm(owner, WIDGET_TARGET, data, comm_id=comm_id)
    if old is not None:
        forget_instance(old)
    widget.comm = new
    if old is not None:
        old.close()


class HostedWidget:
    """A widget, from the opening of its comm to its release."""

    def __init__(self, comm: WidgetComm) -> None:
        self.widget: Any = None
        """The object itself; None between the opening of the comm and the widget's first word on it."""
        self.comm = comm
        self.ids: list[str] = []
        """Every id that names it, the first one first: the comm's, as long as that is kept."""
        self.policy = WritePolicy()
        self.slots: dict[str, Slot] = {}
        self.esm: str | None = None
        """The module's text. Not a slot: it is large, never written by pages, and sent once."""
        self.esm_rev = 0
        """When it changed last; 0 for never."""
        self.baseline_rev = 0
        """Slots newer than this are pushed to a page that connects: the rev of the opening, then of the first
        serialization."""
        self.is_serialized = False
        self.writers: set[int] = set()
        """Idents of the threads that changed it so far; more than one makes the manager read again after a commit."""
        self.layout_id: str | None = None

    def facts(self, name: str) -> PropertyFacts:
        """What the write policy needs to know of one property."""
        if not is_ipywidget(self.widget):
            return PropertyFacts(exists=name in self.slots, synced=True, read_only=True)
        trait = self.widget.traits().get(name)
        if trait is None:
            return PropertyFacts(exists=False)
        return PropertyFacts(True, synced=bool(trait.metadata.get("sync")), read_only=bool(trait.read_only))

    def read(self, name: str) -> Any:
        """The property's present value in serialized form. May run the trait's `to_json` (user code)."""
        return self.widget.get_state(name)[name]

    def can_read(self, name: str) -> bool:
        """Whether `read` works for this property."""
        return is_ipywidget(self.widget) and name in self.widget.keys

    def write(self, widget_id: str, name: str, value: Any, find: Callable[[str], Any]) -> BaseException | None:
        """Set a property as a page asked: `from_json`, validation, then observers run. Checks no policy.

        Args:
            widget_id: the id under which it was addressed, for the error.
            name: an existing trait.
            value: decoded JSON, binary as `bytes`. Owned by the widget afterwards.
            find: widget id to the widget that this value may refer to, or None.

        Returns:
            None, or what ended an observer (an exception, an interrupt): the trait has taken the value all the same.

        Raises:
            WriteRefused: `invalid_value`; the trait is unchanged.
        """
        widget = self.widget
        trait = widget.traits()[name]
        from_json = trait.metadata.get("from_json")
        declared = trait if from_json is None else None  # A deserializer takes what it takes, and memoryviews.
        if declared is not None and _is_wrong_type(declared, value):
            raise WriteRefused("invalid_value", widget_id, name, f"expected {trait.info()}")
        before = widget._trait_values.get(name, _MISSING)
        try:
            if _holds_bytes(value):
                value = _as_buffers(declared, value)
            if from_json is not None:
                # Resolved here, since a deserializer of a library may know every widget of the process.
                resolved = _resolve(value, find)
                value = resolved if _resolves_references(from_json) else from_json(value, widget)
            setattr(widget, name, value)
        except BaseException as error:
            if widget._trait_values.get(name, _MISSING) is not before:
                # Validation is done before the value is stored, observers come after: so this came from an observer.
                return error
            if not isinstance(error, Exception):
                raise
            raise WriteRefused("invalid_value", widget_id, name, _expectation(widget, trait)) from None
        return None


def _is_wrong_type(trait: Any, value: Any) -> bool:
    """Whether Python takes this for the type and JSON does not: `true` for a number, bytes for text; at any depth that
    the trait declares.
    """
    if isinstance(trait, traitlets.Union):
        branches = [branch for branch in trait.trait_types if not isinstance(branch, _never_takes(value))]
        return bool(branches) and all(_is_wrong_type(branch, value) for branch in branches)
    if isinstance(value, (list, dict)):
        return any(_is_wrong_type(inner, item) for inner, item in _items(trait, value) if inner is not None)
    if isinstance(value, bool):
        return isinstance(trait, (traitlets.Int, traitlets.Float))
    return isinstance(value, bytes) and isinstance(trait, traitlets.Unicode)


def _items(trait: Any, value: list[Any] | dict[str, Any]) -> Iterator[tuple[Any, Any]]:
    """The items of a list or dict, each with the trait that a container trait declares for it, or None."""
    if isinstance(value, dict):
        per_key = (getattr(trait, "_per_key_traits", None) if isinstance(trait, traitlets.Dict) else None) or {}
        inner = getattr(trait, "_value_trait", None) if isinstance(trait, traitlets.Dict) else None
        for key, item in value.items():
            yield per_key.get(key, inner), item
    elif isinstance(trait, traitlets.Tuple) and trait._traits:
        yield from zip_longest(trait._traits[: len(value)], value)
    else:
        inner = getattr(trait, "_trait", None) if isinstance(trait, traitlets.Container) else None
        for item in value:
            yield inner, item


def _expectation(widget: Any, trait: Any) -> str:
    """Say what the trait takes, in its own declared terms, which hold no values of a user's."""
    if trait.name in widget._trait_validators:
        return f"its validator refused the value (expected {trait.info()})"
    return f"expected {trait.info()}"


def _as_buffers(trait: Any, value: Any) -> Any:
    """Binary leaves as widget libraries know them: memoryviews, but `bytes` where a `Bytes` trait takes no other."""
    if isinstance(value, bytes):
        return value if _takes_bytes(trait) else memoryview(value)
    if isinstance(trait, traitlets.Union):
        trait = next((one for one in trait.trait_types if not isinstance(one, _never_takes(value))), None)
    if isinstance(value, dict):
        return {key: _as_buffers(inner, item) for key, (inner, item) in zip(value, _items(trait, value), strict=True)}
    if isinstance(value, list):
        return [_as_buffers(inner, item) for inner, item in _items(trait, value)]
    return value


def _takes_bytes(trait: Any) -> bool:
    return isinstance(trait, traitlets.Bytes) or (
        isinstance(trait, traitlets.Union) and any(map(_takes_bytes, trait.trait_types))
    )


def _never_takes(value: Any) -> tuple[type, ...]:
    """The traits that, in traitlets too, refuse a value of this type whatever it holds."""
    scalars = (traitlets.Int, traitlets.Float, traitlets.Bool, traitlets.Unicode, traitlets.Bytes)
    if isinstance(value, dict):
        return (*scalars, traitlets.Container)
    if isinstance(value, list):
        return (*scalars, traitlets.Dict)
    if isinstance(value, bool):
        return (traitlets.Unicode, traitlets.Bytes, traitlets.Container, traitlets.Dict)
    return (traitlets.Int, traitlets.Float, traitlets.Bool, traitlets.Container, traitlets.Dict)


def _holds_bytes(value: Any) -> bool:
    if isinstance(value, (list, dict)):
        return any(map(_holds_bytes, value.values() if isinstance(value, dict) else value))
    return isinstance(value, bytes)


def _resolves_references(from_json: Any) -> bool:
    """Whether this deserializer swaps `IPY_MODEL_<id>` for any widget of the whole process (ipywidgets 8.1 does)."""
    module = sys.modules.get("ipywidgets.widgets.widget")
    return module is not None and from_json is module.widget_serialization["from_json"]


def _resolve(value: Any, find: Callable[[str], Any]) -> Any:
    """Copy of a value with each reference replaced by its widget. Raises `TraitError` for one that is not here."""
    if isinstance(value, str) and value.startswith(WIDGET_REFERENCE):
        widget = find(value[len(WIDGET_REFERENCE) :])
        if widget is None:
            raise traitlets.TraitError("refers to a widget that is not here")
        return widget
    if isinstance(value, dict):
        return {key: _resolve(item, find) for key, item in value.items()}
    if isinstance(value, list):
        return [_resolve(item, find) for item in value]
    return value

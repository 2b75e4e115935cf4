"""One widget as its manager keeps it: the object, its comm, its ids, its slots, and how to read and write it.

What is particular to a widget library stands here, in `follow` and in `described`. Here it is traitlets, bare or as
ipywidgets (anywidget's base) has it: traits with `to_json` and `from_json`, and the Layout model that every `DOMWidget`
opens.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import zip_longest
from typing import Any, Final

import traitlets

from .comm import WIDGET_TARGET, CommOwner, WidgetComm
from .described import Described, forget_bundle
from .errors import UpdateCode, WriteRefused
from .file_listeners import leave_files
from .follow import Follower, has_shortcut, leave_shortcut, read_trait, receive_custom
from .invoke import is_command_handler
from .policy import PropertyFacts, WritePolicy
from .references import is_bare, is_ipywidget, is_widget, mentions_widgets, prefix_of, resolve, resolves_references
from .slots import Slot

_LAYOUT: Final = "layout"
_MISSING: Final = object()
_SCALARS: Final = frozenset((int, float, str, bool, type(None)))
"""Of exactly these types a value holds no bytes."""
_SAME_IN_JSON: Final = _SCALARS - {bool}
"""And of these Python takes none for another that JSON would not."""
_ROWS: Final = _SAME_IN_JSON - {str}
"""And of these none names a widget."""


def is_hostable(widget: Any) -> bool:
    """Whether `WidgetManager.register` takes it."""
    return is_widget(widget)


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
    # The library's serializer of references fails for a child that has no comm at the moment.
    referring = [name for name in widget.keys if _writes_references(widget.traits().get(name))]
    state = widget.get_state([name for name in widget.keys if name not in referring])
    state.update((name, getattr(widget, name)) for name in referring)
    data = {"state": state, "buffer_paths": []}
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
        self.slots: dict[str, Slot] = {}
        self.esm: str | None = None
        """The module's text. Not a slot: it is large, never written by pages, and sent once."""
        self.esm_url: str | None = None
        """Where pages import it from, if the host gives addresses."""
        self.esm_rev = 0
        """When it changed last; 0 for never."""
        self.baseline_rev = 0
        """Base mode: slots newer than this are pushed to a page that connects: the rev of the opening, then of the
        first serialization if nobody was connected at that time."""
        self.is_serialized = False
        self.writers: set[int] = set()
        """Idents of the threads that changed it so far; more than one makes the manager read again after a commit."""
        self.rounded: set[str] = set()
        """Properties of which it was said that pages round them."""
        self.swallowed: set[str] = set()
        """Properties of which it was said that pages miss changes."""
        self.periods: dict[str, Any] = {}
        """How often pages wrote each property of late (`storms`)."""
        self.layout_id: str | None = None
        self.follower: Follower | None = None
        """For a plain `HasTraits`."""
        self.bundle: Any = None
        """For an object with a descriptor: what that made of it."""
        self.described: Described | None = None
        """For one of those that is no `HasTraits`."""
        self.children: dict[str, list[HostedWidget]] = {}
        """Property to the widgets that its value refers to."""
        self.unread: set[str] = set()
        """Properties that wait for the widget to make itself known, since they mention widgets: perhaps itself."""
        self.has_strayed = False
        """Whether a property refers to less than it did, since it was last looked at."""
        self.is_child = False
        """Whether it is hosted only because another widget refers to it."""
        self._policy = WritePolicy()
        self._traits: dict[str, Any] = {}
        self._refusals: dict[str, tuple[UpdateCode, str] | None] = {}
        self._kind: type | None = None
        """The class that the two above are of: `add_traits` gives an object another."""

    @property
    def policy(self) -> WritePolicy:
        """What pages may write."""
        return self._policy

    @policy.setter
    def policy(self, policy: WritePolicy) -> None:
        self._policy = policy
        self._refusals = {}

    @property
    def kind(self) -> str:
        """The class, by module and name: the same in the next process."""
        return f"{type(self.widget).__module__}.{type(self.widget).__qualname__}"

    def trait(self, name: str) -> Any:
        """The trait of a name, or None."""
        if type(self.widget) is not self._kind:
            self._kind = type(self.widget)
            self._traits = self.widget.traits() if isinstance(self.widget, traitlets.HasTraits) else {}
            self._refusals = {}
        return self._traits.get(name)

    def facts(self, name: str) -> PropertyFacts:
        """What the write policy needs to know of one property."""
        if not isinstance(self.widget, traitlets.HasTraits):
            is_shown = name in self.slots
            if self.described is None:
                return PropertyFacts(exists=is_shown, synced=True, read_only=True)
            return self.described.facts(name, is_shown=is_shown)
        trait = self.trait(name)
        if trait is None:
            return PropertyFacts(exists=False)
        return PropertyFacts(True, synced=bool(trait.metadata.get("sync")), read_only=bool(trait.read_only))

    def refusal(self, name: str) -> tuple[UpdateCode, str] | None:
        """Why a page may not write a property, or None when it may."""
        if name in self._refusals and type(self.widget) is self._kind:
            return self._refusals[name]
        trait = self.trait(name)
        refusal = self._policy.refusal(name, self.facts(name))
        if trait is not None:  # A page may ask for any name; only those that there are, are kept.
            self._refusals[name] = refusal
        return refusal

    def writable(self) -> list[str]:
        """The properties that pages may write."""
        return [name for name in self.slots if self.refusal(name) is None]

    def compared(self) -> list[str]:
        """Those of them that a page writes only as it last saw them."""
        return [name for name in self.writable() if self._policy.compares(name)] if self._policy.if_unchanged else []

    def read(self, name: str) -> Any:
        """The property's present value in serialized form. May run the trait's `to_json` (user code)."""
        if self.described is not None:
            return self.described.read(name)
        if self.follower is not None or self.bundle is not None:
            return read_trait(self.widget, name)
        if name != _LAYOUT and has_shortcut(self.widget):
            # What follows does the same by way of all the traits there are.
            trait = self.trait(name)
            if trait is not None and "to_json" not in trait.metadata:
                return getattr(self.widget, name)
            return read_trait(self.widget, name)
        if _writes_references(self.trait(name)):
            return getattr(self.widget, name)
        return self.widget.get_state(name)[name]

    def raw(self, name: str) -> Any:
        """The trait's own object, without running anything."""
        return self.widget._trait_values.get(name, _MISSING) if self.widget is not None else _MISSING

    def can_read(self, name: str) -> bool:
        """Whether `read` works for this property."""
        if self.described is not None:
            return name in self.described
        if self.follower is not None or self.bundle is not None:
            return self.trait(name) is not None
        if not is_ipywidget(self.widget):
            return False
        trait = self.trait(name) if has_shortcut(self.widget) else None
        if trait is not None and trait.metadata.get("sync"):
            return True  # As the list below would say; it is a trait itself, and takes as long as all the rest.
        return name in self.widget.keys

    def release(self) -> None:
        """Take our hooks out of the widget, which stays a usable object."""
        if self.follower is not None:
            self.follower.stop()
        elif self.bundle is not None:
            forget_bundle(self.widget, self.bundle)
        elif is_ipywidget(self.widget):
            leave_shortcut(self.widget)
            leave_files(self.widget)

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
        if self.described is not None:
            return self.described.write(widget_id, name, value, find)
        widget = self.widget
        trait = self.trait(name)
        before = widget._trait_values.get(name, _MISSING)
        try:
            setattr(widget, name, self._from_page(widget_id, trait, value, find))
        except WriteRefused:
            raise
        except BaseException as error:
            if widget._trait_values.get(name, _MISSING) is not before:
                # Validation is done before the value is stored, observers come after: so this came from an observer.
                return error
            if not isinstance(error, Exception):
                raise
            # What else a validator raised is its way of refusing, and may say what a trait holds.
            cause = error if isinstance(error, RecursionError) else None
            raise WriteRefused("invalid_value", widget_id, name, _expectation(widget, trait)) from cause
        return None

    def write_together(
        self, widget_id: str, values: Sequence[tuple[str, Any]], find: Callable[[str], Any]
    ) -> tuple[bool, BaseException | None]:
        """Set several properties under one hold of notifications. Arguments as in `write`.

        Returns:
            Whether they were taken; if not, nothing changed and nobody was notified. And what ended an observer.
        """
        if self.described is not None:
            return self.described.write_together(widget_id, values, find)
        widget = self.widget
        if widget._cross_validation_lock:
            return False, None  # Somebody else holds it, and that hold would not put our values back.
        try:
            taken = [(name, self._from_page(widget_id, self.trait(name), value, find)) for name, value in values]
        except Exception:
            return False, None
        is_valid = False
        try:
            with widget.hold_trait_notifications():
                with _as_trait_error():
                    for name, value in taken:
                        setattr(widget, name, value)
                    for name, _ in taken:
                        self.trait(name)._cross_validate(widget, self.raw(name))
                is_valid = True
        except BaseException as error:
            # Not by what the traits hold now: to put a value back, traitlets validates it, which may make an equal one.
            if is_valid:
                return True, error
            if error.__cause__ is not None and not isinstance(error.__cause__, Exception):
                raise error.__cause__ from None
            return False, None
        return True, None

    def _from_page(self, widget_id: str, trait: Any, value: Any, find: Callable[[str], Any]) -> Any:
        """What a page sent, as the trait wants it. Raises `WriteRefused` for a type that only Python would let pass,
        and whatever a `from_json` raises.
        """
        from_json = trait.metadata.get("from_json")
        if type(value) is list and _ROWS.issuperset(map(type, value)):
            # Rows, points, a column: one look says that there is nothing of all that is looked for below.
            return value if from_json is None or resolves_references(from_json) else from_json(value, self.widget)
        declared = trait if from_json is None else None  # A deserializer takes what it takes, and memoryviews.
        if declared is not None and type(value) not in _SAME_IN_JSON and _is_wrong_type(declared, value):
            raise WriteRefused("invalid_value", widget_id, trait.name, f"expected {trait.info()}")
        if type(value) not in _SCALARS and _holds_bytes(value):
            value = _as_buffers(declared, value)
        if from_json is None:
            if not is_bare(value) and mentions_widgets(value) and self._takes_widgets(trait):
                return resolve(value, find)
            return value
        # Resolved here, since a deserializer of a library may know every widget of the process.
        resolved = resolve(value, find)
        return resolved if resolves_references(from_json) else from_json(value, self.widget)

    def _takes_widgets(self, trait: Any) -> bool:
        """Whether text that looks like a reference is one: the trait is declared for objects, or holds widgets now."""
        return trait.name in self.children or _declares_objects(trait)

    @property
    def has_handlers(self) -> bool:
        """Whether somebody besides its commands waits for the widget's messages."""
        if _has_dispatcher(self.widget):
            return True
        return not is_ipywidget(self.widget) and hasattr(self.widget, "_handle_custom_msg")

    def receive_message(self, content: Any, buffers: Sequence[bytes]) -> list[BaseException]:
        """Give a custom message to the widget's handlers, each for itself. Returns what they raised.

        Args:
            content: decoded JSON, binary as `bytes`. Owned by the handlers afterwards.
            buffers: handed over as memoryviews, as widget libraries know them.
        """
        views = [memoryview(data) for data in buffers]
        errors: list[BaseException] = []
        handlers: list[Callable[[], Any]]
        if _has_dispatcher(self.widget):
            # One by one: the library's own dispatcher logs what a handler raises, and tells nobody.
            widget = self.widget
            callbacks = [one for one in widget._msg_callbacks.callbacks if not is_command_handler(one)]
            handlers = [partial(callback, widget, content, views) for callback in callbacks]
        elif self.bundle is not None:
            handlers = [partial(receive_custom, self.widget, content, views)]
        else:
            data = {"method": "custom", "content": content}
            handlers = [partial(self.comm.handle_msg, {"content": {"data": data}, "buffers": views})]
        for handler in handlers:
            try:
                handler()
            except BaseException as error:
                errors.append(error)
        return errors


@contextmanager
def _as_trait_error() -> Iterator[None]:
    """A hold puts values back for a `TraitError` and for nothing else; a validator may raise what it likes. So inside
    of the hold they are asked once more than traitlets asks them, and what they raise is made one.
    """
    try:
        yield
    except traitlets.TraitError:
        raise
    except BaseException as error:  # An interrupt too: it goes on once the values are back.
        raise traitlets.TraitError("refused") from error


def _writes_references(trait: Any) -> bool:
    """Whether a trait of an ipywidget has the serializer for widgets. Its Layout is no widget of its own here."""
    return trait is not None and trait.name != _LAYOUT and prefix_of(trait.metadata.get("to_json")) is not None


def _declares_objects(trait: Any) -> bool:
    if isinstance(trait, traitlets.Union):
        return any(map(_declares_objects, trait.trait_types))
    if isinstance(trait, traitlets.Dict):
        return _declares_objects(trait._value_trait)
    if isinstance(trait, traitlets.Tuple):
        return any(map(_declares_objects, trait._traits))
    if isinstance(trait, traitlets.Container):
        return _declares_objects(trait._trait)
    return isinstance(trait, traitlets.Instance)


def _has_dispatcher(widget: Any) -> bool:
    """Whether custom messages of this widget go to ipywidgets' own list of callbacks."""
    module = sys.modules.get("ipywidgets.widgets.widget")
    return (
        module is not None
        and isinstance(widget, module.Widget)
        and type(widget)._handle_custom_msg is module.Widget._handle_custom_msg
    )


def _is_wrong_type(trait: Any, value: Any) -> bool:
    """Whether Python takes this for the type and JSON does not: `true` for a number, bytes for text; at any depth that
    the trait declares.
    """
    if isinstance(trait, traitlets.Union):
        branches = [branch for branch in trait.trait_types if not isinstance(branch, _never_takes(value))]
        return bool(branches) and all(_is_wrong_type(branch, value) for branch in branches)
    if isinstance(value, (list, dict)):
        # Long lists of numbers are common, and looked through by type alone twenty times as fast.
        if _SAME_IN_JSON.issuperset(map(type, value.values() if isinstance(value, dict) else value)):
            return False
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
        items = value.values() if isinstance(value, dict) else value
        return not _SCALARS.issuperset(map(type, items)) and any(map(_holds_bytes, items))
    return isinstance(value, bytes)

"""Objects with anywidget's `MimeBundleDescriptor`: dataclasses, pydantic models, msgspec structs, and what says its
state itself.

The descriptor opens a comm and hears of changes where the object has a notifier (psygnal, traitlets). From pages it
would set any attribute. Here a page writes declared fields and no other, each by the rules of the library that it was
declared with:

- **pydantic**: its validation of an assignment, also where the model itself asks for none.
- **msgspec** and **dataclasses**: the declared type, as msgspec reads it, constraints included. A dataclass has no
  validation of its own; its annotations are its word.
- **`_set_anywidget_state`**: the object's own setter, for what `_get_anywidget_state` gives. Without a setter such an
  object is shown only, unless it is one of the above.

What the object refuses changed nothing. No refusal repeats a value, nor a validator's words, which might.
"""

from __future__ import annotations

import dataclasses
import math
import sys
import types
import typing
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, Final

import msgspec
import traitlets

from .comm import WIDGET_TARGET, CommOwner, WidgetComm
from .errors import WidgetNotHostable, WriteRefused
from .file_listeners import stop_following
from .policy import PropertyFacts
from .references import mentions_widgets, resolve

_MISSING: Final = object()
_BINARY: Final = (bytes, bytearray, memoryview)
"""What stands for itself in a value from a page, and is never text."""
_LIBRARY: Final = "anywidget._descriptor"
_GETTER: Final = "_get_anywidget_state"
_SETTER: Final = "_set_anywidget_state"


class Described:
    """The fields of one object.

    Args:
        obj: not a `HasTraits`, whose traits are its fields.
    """

    def __init__(self, obj: Any) -> None:
        self._object = obj
        kind = type(obj)
        self._getter = getattr(kind, _GETTER, None)
        self._setter = getattr(kind, _SETTER, None)
        self._is_pydantic = _is_a(obj, "pydantic", "BaseModel")
        self._is_frozen = False
        self._attributes: dict[str, str] = {}
        """Field as pages know it, to the attribute."""
        self._read_only: set[str] = set()
        self._types: Mapping[str, Any] = {}
        if self._is_pydantic:
            fields = kind.model_fields
            self._attributes = {name: name for name in fields}
            self._read_only = {name for name, field in fields.items() if field.frozen}
            self._types = {name: field.annotation for name, field in fields.items()}
            self._is_frozen = bool(obj.model_config.get("frozen"))
        elif isinstance(obj, msgspec.Struct):
            self._attributes = dict(zip(obj.__struct_encode_fields__, obj.__struct_fields__, strict=True))
            self._types = _type_hints(kind)
            self._is_frozen = obj.__struct_config__.frozen
        elif dataclasses.is_dataclass(obj):
            self._attributes = {field.name: field.name for field in dataclasses.fields(obj)}
            self._types = _type_hints(kind)
            self._is_frozen = kind.__dataclass_params__.frozen
        if self._getter is not None and (self._setter is not None or not self._attributes):
            self._attributes = {name: name for name in self._getter(obj, include=None)}
            self._is_frozen = self._setter is None

    def __contains__(self, name: object) -> bool:
        return name in self._attributes

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._attributes))

    def facts(self, name: str, *, is_shown: bool) -> PropertyFacts:
        """What the write policy needs to know. What is shown and no field comes from the class."""
        if name not in self._attributes:
            return PropertyFacts(exists=is_shown, synced=True, read_only=True)
        return PropertyFacts(True, synced=True, read_only=self._is_frozen or name in self._read_only)

    def read(self, name: str) -> Any:
        """A field as its library serializes it; widgets in it stand as they are."""
        if self._getter is not None:
            return self._getter(self._object, include={name})[name]
        value = getattr(self._object, self._attributes[name])
        if mentions_widgets(value):
            return value
        if self._is_pydantic:
            # What JSON lacks, pydantic would turn into text and null.
            mode = "python" if _exceeds_json(value) else "json"
            return self._object.model_dump(mode=mode, include={name})[name]
        return value

    def write(self, widget_id: str, name: str, value: Any, find: Callable[[str], Any]) -> BaseException | None:
        """Set a field as a page asked; as `HostedWidget.write`."""
        return self._set(widget_id, name, self._taken(widget_id, name, value, find))

    def write_together(
        self, widget_id: str, values: Sequence[tuple[str, Any]], find: Callable[[str], Any]
    ) -> tuple[bool, BaseException | None]:
        """Set several fields, then tell of all of them; as `HostedWidget.write_together`."""
        if self._setter is not None:
            return False, None
        failed: BaseException | None = None
        before: list[tuple[str, Any]] = []
        try:
            taken = [(name, self._taken(widget_id, name, value, find)) for name, value in values]
            with _held(self._object, [self._attributes[name] for name, _ in taken]):
                try:
                    for name, value in taken:
                        before.append((name, getattr(self._object, self._attributes[name])))
                        failed = self._set(widget_id, name, value) or failed
                except WriteRefused:
                    for name, value in reversed(before[:-1]):
                        setattr(self._object, self._attributes[name], value)
                    raise
        except WriteRefused:
            return False, None
        except BaseException as error:  # Of an observer, when all of them were told.
            return True, _cause(error)
        return True, failed

    def _taken(self, widget_id: str, name: str, value: Any, find: Callable[[str], Any]) -> Any:
        """What the field would hold. Raises `WriteRefused`."""
        if self._setter is not None:
            return value
        try:
            return self._valid(name, value)
        except Exception:
            pass
        if mentions_widgets(value):
            with suppress(Exception):
                return self._valid(name, resolve(value, find))
        raise self._refusal(widget_id, name)

    def _refusal(self, widget_id: str, name: str) -> WriteRefused:
        hint = self._types.get(self._attributes[name], Any)
        return WriteRefused("invalid_value", widget_id, name, f"expected {_spelled(hint)}")

    def _valid(self, name: str, value: Any) -> Any:
        attribute = self._attributes[name]
        if not self._is_pydantic:
            return _converted(value, self._types.get(attribute, Any))
        model = self._object
        if model.model_config.get("validate_assignment"):
            return value  # It does so itself, and a validator need not bear to be asked twice.
        # On a copy without what is no field: a validator may set something, which must tell nobody.
        trial = model.model_copy()
        for extra in trial.__dict__.keys() - self._attributes.keys():
            del trial.__dict__[extra]
        type(model).__pydantic_validator__.validate_assignment(trial, attribute, value)
        return trial.__dict__[attribute]

    def _set(self, widget_id: str, name: str, value: Any) -> BaseException | None:
        obj, attribute = self._object, self._attributes[name]
        before = getattr(obj, attribute, _MISSING)
        try:
            if self._setter is not None:
                self._setter(obj, {name: value})
            else:
                setattr(obj, attribute, value)
        except BaseException as error:
            if getattr(obj, attribute, _MISSING) is not before:
                return _cause(error)
            if not isinstance(error, Exception):
                raise
            raise self._refusal(widget_id, name) from None
        return None


def _cause(error: BaseException) -> BaseException:
    """What an observer raised: psygnal wraps it."""
    return error.__cause__ if type(error).__name__ == "EmitLoopError" and error.__cause__ is not None else error


def _is_a(obj: Any, module_name: str, kind: str) -> bool:
    module = sys.modules.get(module_name)
    return module is not None and isinstance(obj, getattr(module, kind))


def _type_hints(kind: type) -> dict[str, Any]:
    """The declared types. Those that are text and name what cannot be found say nothing."""
    try:
        return typing.get_type_hints(kind, include_extras=True)
    except Exception:  # What an annotation names is the user's own.
        return {}


def _converted(value: Any, hint: Any) -> Any:
    """A value as a declared type takes it. Raises `ValueError` or `TypeError` for one that it does not take."""
    try:
        return msgspec.convert(value, hint, strict=True, builtin_types=_BINARY)
    except msgspec.ValidationError:
        raise
    except TypeError:  # A type that msgspec cannot read, such as a class or a number.
        if typing.get_origin(hint) in (typing.Union, types.UnionType):
            for branch in typing.get_args(hint):
                with suppress(TypeError, ValueError):
                    return _converted(value, branch)
        raise


def _exceeds_json(value: Any) -> bool:
    """Whether there is binary in a value, or a number that JSON lacks."""
    if isinstance(value, (dict, list, tuple)):
        return any(map(_exceeds_json, value.values() if isinstance(value, dict) else value))
    return isinstance(value, _BINARY) or (isinstance(value, float) and not math.isfinite(value))


def _spelled(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) and not typing.get_args(hint) else str(hint).replace("typing.", "")


@contextmanager
def _held(obj: Any, names: Sequence[str]) -> Iterator[None]:
    """Tell observers when all of these are set, where the notifier can wait."""
    events = _library()._get_psygnal_signal_group(obj)
    with ExitStack() as stack:
        for name in names:
            if events is not None and name in events:
                stack.enter_context(events[name].paused())
        yield


def open_bundle(owner: CommOwner, obj: Any, comm_id: str) -> None:
    """Have an object's descriptor use a comm of ours, whatever it has.

    Raises:
        WidgetNotHostable: the descriptor follows no changes.
    """
    comms, number = _library()._COMMS, id(obj)
    known = comms.get(number)
    if known is None:
        with suppress(
            TypeError
        ):  # As the library does where it opens one: by the object's number, as long as it lives.
            weakref.finalize(obj, comms.pop, number, None)
    else:
        known.close()
    _forget_cached(obj)
    comm = comms[number] = WidgetComm(owner, WIDGET_TARGET, {"state": _first_state(obj)}, comm_id=comm_id)
    bundle = obj._repr_mimebundle_
    if not comm.is_adopted:
        forget_bundle(obj, bundle)
        comm.close()
        raise WidgetNotHostable(f"{type(obj).__qualname__} has a descriptor that does not follow changes")


def take_over(bundle: Any, comm: WidgetComm) -> None:
    """Have a descriptor say what changed and no more. It would serialize the whole object each time, by a way on which
    binary, children and circles are lost.
    """

    def send_state(include: str | Iterable[str] | None = None) -> None:
        obj = bundle._obj()
        names = {include} if isinstance(include, str) else include
        if names is None:
            names = [*bundle._extra_state, *field_names(obj)]
        # The fields are read by who takes this.
        comm.send({"method": "update", "state": {name: bundle._extra_state.get(name) for name in names}})

    bundle.send_state = send_state
    obj = bundle._obj()
    if isinstance(obj, traitlets.HasTraits):
        known = set(obj.traits(sync=True))  # These it observes itself.

        def added(change: Any) -> None:
            if change["name"] not in known and obj.trait_metadata(change["name"], "sync"):
                send_state(change["name"])

        obj.observe(added, traitlets.All)


def unsync(bundle: Any, obj: Any) -> None:
    """Have a descriptor hear of an object's changes no more."""
    bundle.unsync_object_with_view()
    if isinstance(obj, traitlets.HasTraits):
        # The descriptor's own way leaves its observer where it is.
        for by_type in obj._trait_notifiers.values():
            for callbacks in by_type.values():
                callbacks[:] = [one for one in callbacks if getattr(one, "__module__", "") not in (_LIBRARY, __name__)]


def field_names(obj: Any) -> list[str]:
    """What of an object with a descriptor is shown, besides what its class has for all."""
    return list(obj.traits(sync=True)) if isinstance(obj, traitlets.HasTraits) else list(Described(obj))


def revive_bundle(owner: CommOwner, bundle: Any) -> WidgetComm:
    """Give a descriptor a comm in place of one that is closed: its object is displayed again."""
    obj = bundle._obj()
    comm = WidgetComm(owner, WIDGET_TARGET, {"state": _first_state(obj)})
    _library()._COMMS[id(obj)] = bundle._comm = comm
    return comm


def forget_bundle(obj: Any, bundle: Any) -> None:
    """Take a descriptor's hooks out of its object, so that it can be displayed anew."""
    unsync(bundle, obj)
    _forget_cached(obj)
    for contents in type(obj)._repr_mimebundle_._extra_state.values():
        if hasattr(contents, "changed"):
            stop_following(bundle, contents)
    try:
        weakref.ref(obj)
    except TypeError:
        _library()._COMMS.pop(id(obj), None)  # Nothing else ever will, and the next object may have the same id.


def _forget_cached(obj: Any) -> None:
    getattr(obj, "__dict__", {}).pop("_repr_mimebundle_", None)


def _library() -> Any:
    return sys.modules[_LIBRARY]


def _first_state(obj: Any) -> dict[str, Any]:
    """What the descriptor opens a comm with, besides the fields (anywidget 0.11 `_descriptor.py`, `open_comm`)."""
    library = _library()
    extra = type(obj)._repr_mimebundle_._extra_state
    return {
        "_model_module": "anywidget",
        "_model_name": "AnyModel",
        "_model_module_version": library._ANYWIDGET_SEMVER_VERSION,
        "_view_module": "anywidget",
        "_view_name": "AnyView",
        "_view_module_version": library._ANYWIDGET_SEMVER_VERSION,
        "_view_count": None,
        "_anywidget_id": library._anywidget_id(obj),
        **{name: str(value) if hasattr(value, "changed") else value for name, value in extra.items()},
    }

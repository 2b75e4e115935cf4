"""References: how a widget inside a value stands on the wire.

A page cannot be sent a widget, only be told which one: `anywidget:<widget id>`, and `IPY_MODEL_<id>` where the trait
has ipywidgets' own serializer, since code that reads such traits expects that form. Both are understood from pages.

`anywidget:` is anywidget 0.11's form (`_descriptor.py`, `_WIDGET_REF_PREFIX`), `IPY_MODEL_` that of ipywidgets
(`widgets/widget.py`, `_widget_to_json`).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Final

import traitlets

REFERENCE: Final = "anywidget:"
IPYWIDGETS_REFERENCE: Final = "IPY_MODEL_"
_PREFIXES: Final = (REFERENCE, IPYWIDGETS_REFERENCE)
_BARE: Final = frozenset((int, float, bool, type(None), bytes, bytearray, memoryview))
"""Of exactly these types a value neither is nor names a widget."""
_HOLDERS: Final = (str, dict, list, tuple)


def is_ipywidget(widget: Any) -> bool:
    """Whether this is an `ipywidgets.Widget`. Never imports ipywidgets: who has one has imported it."""
    module = sys.modules.get("ipywidgets.widgets.widget")
    return module is not None and isinstance(widget, module.Widget)


def is_plain_traits(obj: Any) -> bool:
    """Whether this is a `HasTraits` with an ES module that a `Follower` can host. An ipywidget is not."""
    return (
        isinstance(obj, traitlets.HasTraits)
        and not hasattr(obj, "comm")
        and hasattr(obj, "_esm")
        and not is_described(obj)
    )


def is_described(obj: Any) -> bool:
    """Whether the class has anywidget's `MimeBundleDescriptor`."""
    module = sys.modules.get("anywidget._descriptor")
    if module is None:
        return False
    for kind in type(obj).__mro__:
        found = vars(kind).get("_repr_mimebundle_")
        if found is not None:
            return isinstance(found, module.MimeBundleDescriptor)
    return False


def is_widget(obj: Any) -> bool:
    """Whether a manager can host this. A Layout is part of the widget that it lays out."""
    if is_ipywidget(obj):
        return getattr(obj, "_model_name", None) != "LayoutModel"
    return is_plain_traits(obj) or is_described(obj)


def is_bare(value: Any) -> bool:
    """Whether a look at the type is enough to say that there is no widget in it."""
    return type(value) in _BARE


def mentions_widgets(value: Any) -> bool:
    """Whether there is a widget in a value, or text that looks like a reference to one."""
    if isinstance(value, str):
        return value.startswith(_PREFIXES)
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, (list, tuple)):
        return type(value) not in _BARE and is_widget(value)
    kinds = set(map(type, value)) - _BARE
    if not any(issubclass(kind, _HOLDERS) or _may_be_widget(kind) for kind in kinds):
        return False
    return any(map(mentions_widgets, value))


def _may_be_widget(kind: type) -> bool:
    return issubclass(kind, traitlets.HasTraits) or hasattr(kind, "_repr_mimebundle_")


def replace_widgets(value: Any, refer: Callable[[Any], str]) -> Any:
    """Copy of a value with each widget replaced; the same object where there is none."""
    if isinstance(value, dict):
        changed = {key: new for key, old in value.items() if (new := replace_widgets(old, refer)) is not old}
        return {**value, **changed} if changed else value
    if isinstance(value, (list, tuple)):
        items = [replace_widgets(old, refer) for old in value]
        return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
    return refer(value) if not isinstance(value, str) and type(value) not in _BARE and is_widget(value) else value


def resolve(value: Any, find: Callable[[str], Any]) -> Any:
    """Copy of a value from a page with each reference replaced by its widget.

    Args:
        value: decoded JSON.
        find: widget id to widget, or None.

    Raises:
        TraitError: a reference to a widget that is not here.
    """
    if isinstance(value, str) and value.startswith(_PREFIXES):
        prefix = REFERENCE if value.startswith(REFERENCE) else IPYWIDGETS_REFERENCE
        widget = find(value[len(prefix) :])
        if widget is None:
            raise traitlets.TraitError("refers to a widget that is not here")
        return widget
    if isinstance(value, dict):
        return {key: resolve(item, find) for key, item in value.items()}
    if isinstance(value, list):
        return [resolve(item, find) for item in value]
    return value


def prefix_of(to_json: Any) -> str | None:
    """Which form of reference a serializer writes, for the two that write nothing else; None for all others."""
    if to_json is None:
        return None
    ipywidgets = sys.modules.get("ipywidgets.widgets.widget")
    if ipywidgets is not None and to_json is ipywidgets.widget_serialization["to_json"]:
        return IPYWIDGETS_REFERENCE
    anywidget = sys.modules.get("anywidget._traits")
    return REFERENCE if anywidget is not None and to_json is anywidget._widget_to_json else None


def resolves_references(from_json: Any) -> bool:
    """Whether a deserializer is one of those two's: ipywidgets' finds any widget of the whole process."""
    ipywidgets = sys.modules.get("ipywidgets.widgets.widget")
    if ipywidgets is not None and from_json is ipywidgets.widget_serialization["from_json"]:
        return True
    anywidget = sys.modules.get("anywidget._traits")
    return anywidget is not None and from_json is anywidget._widget_from_json

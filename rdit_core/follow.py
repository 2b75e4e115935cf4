"""How a manager hears of a widget's changes, where a comm alone is slow or is not there.

**Plain `traitlets.HasTraits`** with an `_esm` know no comm. A `Follower` gives them one and observes them. A
notification says only *that* something changed: inside `hold_trait_notifications` the last one may carry a stale value,
so the present value is read each time.

**ipywidgets** open a comm and send through it, which is where hosts listen. Its way there is long (three reads of
`comm`, a copy of all traits, a walk for buffers), and a stream of `slider.value = i` is made of nothing else. So for a
widget whose class leaves that machinery as it is, a shortcut stands beside the comm: `notify_change` asks the widget's
`_should_send_property` right before the observers run, on the thread that set the value, and sends nothing when the
answer is no. We answer no, having taken the value. Whatever is not plain (a hold, a lock, code, layout) goes the long
way, and so does everything with a version of ipywidgets that does not ask.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Final

import traitlets

from .comm import WIDGET_TARGET, CommOwner, WidgetComm
from .references import prefix_of

Report = Callable[[WidgetComm, str, Any, bool], None]
"""Takes comm, property, serialized value, and whether that is the trait's own object."""

_LONG_WAY: Final = frozenset({"_esm", "layout"})
_SHORTCUT: Final = "_should_send_property"
_MACHINERY: Final = ("notify_change", _SHORTCUT, "send_state", "get_state", "_trait_to_json")
_CODE: Final = ("_esm", "_css")
_MISSING: Final = object()


def synced_traits(obj: traitlets.HasTraits) -> dict[str, Any]:
    """Name to trait of what an object shows to pages."""
    return {name: trait for name, trait in obj.traits().items() if trait.metadata.get("sync")}


def read_trait(obj: traitlets.HasTraits, name: str) -> Any:
    """The present value in serialized form. May run the trait's `to_json` (user code)."""
    value = getattr(obj, name)
    to_json = serializer_of(obj, name)
    return value if to_json is None else to_json(value, obj)


def serializer_of(obj: traitlets.HasTraits, name: str) -> Any:
    """The `to_json` of a trait; None also for one that only writes references, which the manager does."""
    to_json = obj.trait_metadata(name, "to_json")
    return None if prefix_of(to_json) is not None else to_json


class Follower:
    """Stands between a plain `HasTraits` and its comm. Keeps the object alive as long as it is hosted."""

    def __init__(self, owner: CommOwner, obj: traitlets.HasTraits, comm_id: str, report: Report) -> None:
        self._object = obj
        self._report = report
        self._synced = synced_traits(obj)
        self._serializers = {name: serializer_of(obj, name) for name in self._synced}
        state = {name: read_trait(obj, name) for name in self._synced}
        for name in _CODE:
            code = getattr(obj, name, None)
            if code is not None:
                state[name] = code if name == "_css" and not hasattr(code, "read_text") else str(_text(code))
        self.comm = WidgetComm(owner, WIDGET_TARGET, {"state": state}, comm_id=comm_id)
        obj.observe(self._added, traitlets.All)
        if self._synced:
            obj.observe(self._changed, list(self._synced))
        for name in self._synced:
            # To the front: an observer that raises ends the round, and the value must be known all the same.
            callbacks = obj._trait_notifiers[name]["change"]
            callbacks.insert(0, callbacks.pop(callbacks.index(self._changed)))
        # Last: it makes us known, and whoever hears of that may set something.
        self.comm.on_msg(self._receive)

    def _obj(self) -> traitlets.HasTraits:
        """Whom a comm that came to be here belongs to; the name is the one that anywidget's descriptor uses."""
        return self._object

    def _receive(self, message: dict[str, Any]) -> None:
        receive_custom(self._object, message["content"]["data"]["content"], message["buffers"])

    def _changed(self, change: Any) -> None:
        name = change["name"]
        if name in _LONG_WAY:
            self.comm.send({"method": "update", "state": {name: read_trait(self._object, name)}})
            return
        to_json = self._serializers[name]
        value = getattr(self._object, name)
        self._report(self.comm, name, value if to_json is None else to_json(value, self._object), to_json is None)

    def _added(self, change: Any) -> None:
        """A trait changed that may have come later than we did (`add_traits`)."""
        name = change["name"]
        if name not in self._synced and self._object.trait_metadata(name, "sync"):
            self._report(self.comm, name, read_trait(self._object, name), False)

    def stop(self) -> None:
        """Let go of the object."""
        self._object.unobserve(self._added, traitlets.All)
        if self._synced:
            self._object.unobserve(self._changed, list(self._synced))


def receive_custom(obj: Any, content: Any, buffers: Any) -> None:
    """Give a custom message to an object that has no machinery for them: by the name of ipywidgets' own method."""
    handler = getattr(obj, "_handle_custom_msg", None)
    if handler is None:
        raise NotImplementedError(f"{type(obj).__qualname__} takes no custom messages")
    handler(content, buffers)


def _text(code: Any) -> Any:
    return code.read_text(encoding="utf-8") if hasattr(code, "read_text") else code


def take_shortcut(widget: Any, comm: WidgetComm, report: Report) -> None:
    """Have an ipywidget report its changes without its library's send machinery, if its class uses that as it is."""
    module = sys.modules["ipywidgets.widgets.widget"]
    kind, library = type(widget), module.Widget
    if not all(getattr(kind, name, None) is getattr(library, name, _MISSING) for name in _MACHINERY):
        return
    ask = getattr(widget, _SHORTCUT)
    serializers: dict[str, Any] = {}

    def should_send(name: str, value: Any) -> Any:
        if widget._property_lock or widget._holding_sync or comm.is_closed or name in _LONG_WAY:
            return ask(name, value)
        to_json = serializers.get(name, comm)
        if to_json is comm:  # Not looked up yet.
            to_json = serializers[name] = serializer_of(widget, name)
        report(comm, name, value if to_json is None else to_json(value, widget), to_json is None)
        return False

    widget.__dict__[_SHORTCUT] = should_send


def has_shortcut(widget: Any) -> bool:
    """Whether `take_shortcut` was for it: its library's way to read a state, too, is as it was."""
    return _SHORTCUT in widget.__dict__


def leave_shortcut(widget: Any) -> None:
    """Undo `take_shortcut`."""
    widget.__dict__.pop(_SHORTCUT, None)

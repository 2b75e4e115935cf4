"""WidgetModel: the Python mirror of the JavaScript model, for tests, simulations and front ends without a browser.

It has the JavaScript names (`get set save_changes on off send changed widget_manager`) and the JavaScript rules: `set`
is seen by `get` at once and fires `change:<key>`, then `change`, before it returns; equality is that of the page, where
`true` is not `1`; `get` gives the stored object itself. What a page would hold as `undefined` and `null` is `None`
here.

Where the mirror and the first design's class differ (it sent on `set`, and called back with the value), `autosave`
gives the former; the latter is the JavaScript class's own.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Literal, Protocol

_log = logging.getLogger("rdit.model")

_EXACT: Final = frozenset((int, str, bool, type(None)))
"""Types of which two values are the same to a page exactly when they are to Python."""

Callback = Callable[..., object]
Profile = Literal["strict", "compat"]
"""What `change` callbacks get: nothing (the 2026 specification) or Backbone's `(model, value, options)`."""

MAX_HELD_MESSAGES: Final = 1_000
"""Custom messages kept back for code that has not started yet; beyond, the oldest are forgotten."""


class Channel(Protocol):
    """Where a model's edits go."""

    def send_updates(self, widget_id: str, changes: Mapping[str, Any]) -> None:
        """Take edits that were saved together, in order. Snapshots the values before it returns. Raises
        `UnserializableValue` for the first that cannot be encoded, after taking the others.
        """

    def send_message(self, widget_id: str, content: Any, buffers: Sequence[Any]) -> None:
        """Take a custom message, in order with the edits. Snapshots it; raises `UnserializableValue`."""

    def is_pending(self, widget_id: str, property: str) -> bool:
        """Whether an edit of this slot is not settled yet."""


class ModelLookup(Protocol):
    """`model.widget_manager`: the other models of the same page."""

    def get_model(self, widget_id: str) -> WidgetModel:
        """The model of a widget id. Raises `KeyError` when it is not open."""


def same_value(left: Any, right: Any) -> bool:
    """Equality as a page sees it: by content, `true` is not `1`, `1` is `1.0`, NaN is itself."""
    kind = type(left)
    if kind is type(right) and kind in _EXACT:
        return bool(left == right)
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, (int, float)) and isinstance(right, (int, float)):
        return left == right or (left != left and right != right)
    if isinstance(left, (bytes, bytearray, memoryview)) and isinstance(right, (bytes, bytearray, memoryview)):
        return bytes(left) == bytes(right)
    if isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        return len(left) == len(right) and all(map(same_value, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same_value(left[key], right[key]) for key in left)
    return type(left) is type(right) and bool(left == right)


def copy_structure(value: Any) -> Any:
    """Copy of the lists and dicts in a value; all else is shared."""
    if isinstance(value, dict):
        return {key: copy_structure(item) for key, item in value.items()}
    if isinstance(value, list):
        return [copy_structure(item) for item in value]
    return value


class WidgetModel:
    """One widget's state on the page's side.

    Args:
        widget_id: the widget it mirrors.
        state: property to value; copied, the values are shared.
        channel: takes the edits.
        profile: what `change` callbacks get.
        autosave: `set` sends at once, without `save_changes`.
    """

    def __init__(
        self,
        widget_id: str,
        state: Mapping[str, Any],
        channel: Channel,
        *,
        profile: Profile = "strict",
        autosave: bool = False,
        widget_manager: ModelLookup | None = None,
    ) -> None:
        self.widget_id = widget_id
        self.widget_manager = widget_manager
        self.is_closed = False
        self.errors: list[Exception] = []
        """Exceptions of listeners, in order. They stop neither the other listeners nor the save."""
        self._state = dict(state)
        self._channel = channel
        self._profile = profile
        self._autosave = autosave
        self._dirty: dict[str, None] = {}
        self._handed_out: dict[str, Any] = {}
        # What each list or dict held when somebody got hold of it. Widgets edit in place what `get` gave them and then
        # set an equal copy; compared with the edited object itself, nothing would ever have changed.
        self._listeners: dict[str, list[tuple[Callback, object]]] = {}
        """Event to callbacks, each with its scope."""
        self._is_firing = False
        self._is_change_pending = False
        self._changed: dict[str, Any] = {}
        self._warned: set[str] = set()
        self._held: list[tuple[Any, list[memoryview]]] | None = None
        """Custom messages that wait for `release_messages`; None: they do not wait."""
        self._taps: list[Callable[[Any, list[memoryview]], object]] = []
        self._closing: list[Callable[[], object]] = []

    def get(self, key: str) -> Any:
        """The present value, the stored object itself; None for an unknown key."""
        value = self._state.get(key)
        if isinstance(value, (dict, list)) and key not in self._handed_out:
            self._remember(key, value)
        return value

    @property
    def state(self) -> dict[str, Any]:
        """The whole state, each value as `get` gives it."""
        return {key: self.get(key) for key in self._state}

    @property
    def changed(self) -> Mapping[str, Any] | None:
        """What the last update changed, with all that listeners set meanwhile; as Backbone's models say it. None in the
        profile `strict`, for AFM does not know it.
        """
        return MappingProxyType(self._changed) if self._profile == "compat" else None

    def set(self, key: str | Mapping[str, Any], value: Any = None) -> None:
        """Change a value here and now; it reaches Python with the next `save_changes`.

        An equal value changes nothing. The same list or dict object always counts as changed, so that editing it in
        place and setting it again is not lost.

        Args:
            key: the property; or several with their values, which AFM does not know and widgets in the wild use.
            value: the new value.
        """
        if isinstance(key, str):
            entries: Mapping[str, Any] = {key: value}
        else:
            self._warn_once("set({...}) is not part of the AFM contract; use set(key, value)")
            entries = key
        changed = []
        is_edited = False
        for name, new in entries.items():
            is_change = self._is_change(name, new)
            # An equal value is kept, too: what is edited in place from here on is the object given last.
            self._state[name] = new
            self._remember(name, new)
            if is_change:
                changed.append(name)
            elif not self._channel.is_pending(self.widget_id, name):
                continue
            # What is under way may be refused, or be overtaken by somebody else's: then this is the later word.
            self._dirty[name] = None
            is_edited = True
        try:
            if self._autosave and is_edited:
                self.save_changes()
        finally:
            self._fire_changes(changed)

    def _is_change(self, key: str, value: Any) -> bool:
        if key not in self._state:
            return True
        old = self._state[key]
        if old is value and isinstance(value, (dict, list)):
            return True
        return not same_value(old, value) or not same_value(self._handed_out.get(key, old), value)

    def save_changes(self) -> None:
        """Send what changed since the last save; nothing changed, nothing sent.

        Raises:
            UnserializableValue: for the first value that cannot be sent. The others are.
        """
        if self._dirty and not self.is_closed:
            dirty, self._dirty = self._dirty, {}
            self._channel.send_updates(self.widget_id, {key: self._state[key] for key in dirty})

    def on(self, event: str, callback: Callback, *, scope: object = None) -> None:
        """Listen to `change:<key>`, `change` or `msg:custom`. The same callback registered twice runs twice.

        Args:
            event: the event's name. What Backbone knows besides works as in a page, with a warning in `strict`: several
                names with spaces between, and `all`, whose callbacks get the name before the arguments.
            callback: called synchronously; what it raises is logged and kept in `errors`.
            scope: whose listener it is; `off` with a scope leaves all others alone.
        """
        # A list is replaced and never edited: who listens is settled when a round begins.
        for name in self._names(event):
            self._listeners[name] = [*self._listeners.get(name, ()), (callback, scope)]

    def off(self, event: str | None = None, callback: Callback | None = None, *, scope: object = None) -> None:
        """Remove the listeners of this scope that match what is given; without arguments all of this scope."""
        for name in list(self._listeners) if event is None else self._names(event):
            self._listeners[name] = [
                one
                for one in self._listeners.get(name, ())
                if not (one[1] is scope and (callback is None or one[0] == callback))
            ]

    def _names(self, event: str) -> list[str]:
        names = event.split()
        if self._profile == "strict":
            if len(names) > 1:
                self._warn_once("several event names in one string are not AFM")
            if "all" in names:
                self._warn_once('the event "all" is not AFM')
        return names

    def _warn_once(self, text: str) -> None:
        if text not in self._warned:
            self._warned.add(text)
            _log.warning("widget %s: %s", self.widget_id, text)

    @property
    def listener_count(self) -> int:
        """How many listeners there are, for leak checks."""
        return sum(map(len, self._listeners.values()))

    def send(self, content: Any, callbacks: Any = None, buffers: Sequence[Any] = ()) -> None:
        """Custom message to Python, after the edits that were saved before it. Base mode carries none, and says so.

        Args:
            content: JSON values, bytes-like objects at any depth. Not kept.
            callbacks: for the JavaScript signature's sake; ignored.
            buffers: bytes-like objects; copied.

        Raises:
            UnserializableValue: the content has no JSON form.
        """
        if not self.is_closed:
            self._channel.send_message(self.widget_id, content, buffers)

    def handle_message(self, content: Any, buffers: Sequence[bytes]) -> None:
        """Python sent a custom message: `msg:custom` listeners get the content and the buffers, as memoryviews."""
        views = [memoryview(data) for data in buffers]
        for tap in list(self._taps):
            tap(content, views)
        if self._held is None:
            self._fire("msg:custom", (content, views))
        else:
            self._held.append((content, views))
            del self._held[:-MAX_HELD_MESSAGES]

    def tap_messages(self, tap: Callable[[Any, list[memoryview]], object]) -> Callable[[], None]:
        """Give every custom message to `tap` as it comes, those too that are held back.

        Returns:
            What ends that.
        """
        self._taps.append(tap)
        return lambda: self._taps.remove(tap)

    def hold_messages(self) -> None:
        """Keep custom messages back while the code that they are for starts."""
        if self._held is None:
            self._held = []

    def release_messages(self) -> None:
        """Give listeners what was held back, in order. What that brings about comes behind it."""
        while self._held:
            self._fire("msg:custom", self._held.pop(0))
        self._held = None

    def peek(self, key: str) -> Any:
        """As `get`, for whoever only looks: the value is not taken to be in somebody's hands."""
        return self._state.get(key)

    def is_unsaved(self, key: str) -> bool:
        """Whether a value was set and not saved."""
        return key in self._dirty

    def close(self) -> None:
        """End it: from here on it sends nothing. Its state can still be read."""
        self.is_closed = True
        self._held = None
        closing, self._closing = self._closing, []
        for callback in closing:
            callback()

    def on_close(self, callback: Callable[[], object]) -> None:
        """Have `callback` called once when it is closed. It must not raise."""
        self._closing.append(callback)

    def handle_remote_update(self, property: str, value: Any) -> None:
        """Python changed one property."""
        self.handle_remote_updates({property: value})

    def handle_remote_updates(self, changes: Mapping[str, Any]) -> None:
        """Python changed several properties at once: all are stored, then listeners run.

        An equal value fires nothing. An edit of the same property that is not saved yet is given up: the page shows
        what Python has.
        """
        changed = []
        for key, value in changes.items():
            self._dirty.pop(key, None)
            self._handed_out.pop(key, None)
            if key not in self._state or not same_value(self._state[key], value):
                self._state[key] = value
                changed.append(key)
        # Bytes are told of behind what says how to read them: so it is in Jupyter, which modules were written for.
        changed.sort(key=lambda key: isinstance(self._state[key], (bytes, bytearray, memoryview)))
        self._fire_changes(changed)

    def _remember(self, key: str, value: Any) -> None:
        if isinstance(value, (dict, list)):
            self._handed_out[key] = copy_structure(value)
        else:
            self._handed_out.pop(key, None)

    def _fire_changes(self, keys: Sequence[str]) -> None:
        if not self._is_firing:
            self._changed = {}
        self._changed.update((key, self._state[key]) for key in keys)
        if not keys:
            return
        is_outermost = not self._is_firing
        self._is_firing = self._is_change_pending = True
        try:
            for key in keys:
                self._fire(f"change:{key}", (self, self._state[key], {}) if self._profile == "compat" else ())
            # One plain event for all that was set meanwhile; and what its listeners set in turn is worth another.
            while is_outermost and self._is_change_pending:
                self._is_change_pending = False
                self._fire("change", (self, {}) if self._profile == "compat" else ())
        finally:
            self._is_firing = not is_outermost

    def _fire(self, event: str, arguments: tuple[Any, ...]) -> None:
        # As of now: a callback that is removed during the round still runs in it, one that is added does not.
        listeners, listeners_to_all = self._listeners.get(event, ()), self._listeners.get("all", ())
        for callback, _ in listeners:
            self._call(event, callback, arguments)
        for callback, _ in listeners_to_all:
            self._call(event, callback, (event, *arguments))

    def _call(self, event: str, callback: Callback, arguments: tuple[Any, ...]) -> None:
        try:
            callback(*arguments)
        except Exception as error:
            _log.exception("listener of %s on widget %s failed", event, self.widget_id)
            self.errors.append(error)

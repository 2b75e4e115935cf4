"""Who sits before a page: edits, saves, sends messages, as widget code does it for a user."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final

from .checkers import OpLog
from .notation import notation

if TYPE_CHECKING:
    from .tab import Tab

_UNIQUE: Final = ("free", "other")


class User:
    """The user of one load of a page."""

    __slots__ = ("_tab", "own", "unsaved")

    def __init__(self, tab: Tab) -> None:
        self.own: dict[tuple[str, str], set[int]] = {}
        """Slot to what was ever set there, where values are not unique."""
        self.unsaved: dict[tuple[str, str], int] = {}
        """Slot to what was set there and not saved."""
        self._tab = tab

    def edit(self, widget_id: str, name: str, value: Any, *, save: bool = True) -> bool:
        """Set a property as widget code would, and save. False when there is no such widget here."""
        tab = self._tab
        world, model = tab.world, tab.model(widget_id)
        if model is None or tab.is_over or tab.is_frozen:
            return False
        if not tab.is_live:
            world.fire("F28")
        if name in _UNIQUE:
            world.ops[value] = OpLog(tab.name, widget_id, name, world.next_unique() if save else 0)
        elif type(value) is int:
            self.own.setdefault((widget_id, name), set()).add(value)
        if tab.recorder is not None:
            more = {"widget_id": widget_id, "property": name, "value": notation(value), "save": save}
            tab.recorder.note(tab.now_s, "set", **more)
        tab.listener.depth += 1
        try:
            model.set(name, value)
            self.unsaved[widget_id, name] = value if type(value) is int else 0
            if save:
                self._saved(widget_id)
                model.save_changes()
        finally:
            tab.listener.depth -= 1
        if tab.recorder is not None:
            tab.pump()
        return True

    def save(self, widget_id: str) -> None:
        """Save what was set."""
        tab = self._tab
        model = tab.model(widget_id)
        if model is not None and not tab.is_over and not tab.is_frozen:
            self._saved(widget_id)
            if tab.recorder is not None:
                tab.recorder.note(tab.now_s, "save", widget_id=widget_id)
            tab.listener.depth += 1
            try:
                model.save_changes()
            finally:
                tab.listener.depth -= 1

    def _saved(self, widget_id: str) -> None:
        world = self._tab.world
        for key in [key for key in self.unsaved if key[0] == widget_id]:
            value = self.unsaved.pop(key)
            if key[1] in _UNIQUE and value in world.ops:
                world.ops[value].stamp = world.next_unique()

    def send(self, widget_id: str, content: dict[str, Any], buffers: Any) -> bool:
        """Send a custom message."""
        tab = self._tab
        world, model = tab.world, tab.model(widget_id)
        if model is None or tab.is_over or tab.is_frozen:
            return False
        world.ops[content["id"]] = OpLog(tab.name, widget_id, "", world.next_unique())
        if tab.recorder is not None:
            texts = [base64.b64encode(one).decode() for one in buffers]
            tab.recorder.note(tab.now_s, "send", widget_id=widget_id, content=content, buffers=texts)
        tab.listener.depth += 1
        try:
            model.send(content, None, buffers)
        finally:
            tab.listener.depth -= 1
        if tab.recorder is not None:
            tab.pump()
        return True

    def forget(self, widget_id: str) -> None:
        """A widget is gone, and what was not saved of it."""
        for key in [key for key in self.unsaved if key[0] == widget_id]:
            del self.unsaved[key]

"""What a page's widget code hears: the callbacks of its models, handed to the checkers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .widgets import SHOWN

if TYPE_CHECKING:
    from .tab import Tab


class Listener:
    """Listens to the models of one load of a page."""

    __slots__ = ("_models", "_tab", "depth", "is_in_part", "last_told")

    def __init__(self, tab: Tab) -> None:
        self.last_told: dict[tuple[str, str], Any] = {}
        self.depth = 0
        """How many of the user's own doings are under way: what models tell meanwhile is no news."""
        self.is_in_part = False
        """Whether the page takes a part of a `sync` that more parts follow: it must show nothing of it."""
        self._tab = tab
        self._models: dict[str, Any] = {}

    def meet(self, models: Mapping[str, Any]) -> None:
        """Listen to the models that came, and forget those that went."""
        for widget_id, model in models.items():
            if self._models.get(widget_id) is not model:
                self._models[widget_id] = model
                self.listen(model)
        for widget_id in [one for one in self._models if one not in models]:
            del self._models[widget_id]
            self._forget(widget_id)

    def _forget(self, widget_id: str) -> None:
        for key in [key for key in self.last_told if key[0] == widget_id]:
            del self.last_told[key]
        self._tab.user.forget(widget_id)

    def listen(self, model: Any) -> None:
        """Put the listeners of a page on a model."""
        self._forget(model.widget_id)
        for name in SHOWN:
            model.on(f"change:{name}", lambda name=name: self.told(model, name))
        model.on("msg:custom", lambda content, buffers: self._page_message(model, content))

    def told(self, model: Any, name: str) -> None:
        """A model tells of a value."""
        value = model.get(name)
        key = (model.widget_id, name)
        if self.depth:
            self.last_told[key] = value
            return
        tab, world = self._tab, self._tab.world
        if self.is_in_part:
            world.violate("I9", f"{tab.name} shows {model.widget_id}.{name} of a part of a sync")
        for check in world.hooks.on_told:
            check(tab, model, name, value)
        self.last_told[key] = value
        tab.user.unsaved.pop(key, None)
        if tab.setup.has_moods:
            self._react(model, name, value)

    def _react(self, model: Any, name: str, value: Any) -> None:
        """A listener with a will of its own: what it sets is another slot, else two pages would chase each other."""
        if name == "chain" and type(value) is int and value < 900:
            self._tab.world.fire("F31")
            self._tab.user.edit(model.widget_id, "clamped", value % 90)
        elif name == "flaky":
            self._tab.world.fire("F31")
            raise RuntimeError("this listener fails")

    def _page_message(self, model: Any, content: Any) -> None:
        if type(content) is dict and "k" in content:
            world = self._tab.world
            world.mark("message to page")
            for check in world.hooks.on_page_message:
                check(self._tab, model, content)

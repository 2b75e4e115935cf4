"""The widgets that a client of `rdit/1` knows, their models, and what the server has confirmed of each.

A widget has an incarnation, `inst`, and what is said of another incarnation is not about it. After another server was
started, one that is missing in its first `sync` is *absent*, and may still come for a while: its model stays open, and
goes on if the server opens an equal one, of the same id and kind.

The browser's `widgets.js` follows the same rules.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from .encoding import EncodedValue
from .messages import OpenedWidget
from .model import Channel, ModelLookup, Profile, WidgetModel, copy_structure
from .slots import SlotKey

Touched = dict[SlotKey, EncodedValue | None]
"""Slots to look at when a `sync` is applied, and what an edit of ours that is settled with it had asked for."""


class Page(Channel, ModelLookup, Protocol):
    """What a model asks of its page."""


@dataclass(slots=True, eq=False)
class RemoteWidget:
    """A widget as the server tells of it."""

    inst: int
    kind: str
    writable: frozenset[str]
    if_unchanged: frozenset[str]
    """Properties that are written with `if_rev`."""
    esm: str | None
    esm_url: str | None
    model: WidgetModel
    confirmed: dict[str, tuple[Any, int]] = field(default_factory=dict)
    """Property to the server's value and revision."""

    def describe(self, opened: OpenedWidget) -> None:
        """Take over what the server says of it, but for its values."""
        self.inst = opened.inst
        self.writable, self.if_unchanged = frozenset(opened.writable), frozenset(opened.if_unchanged)
        self.esm, self.esm_url = opened.esm, opened.esm_url


class ClientWidgets:
    """The widgets of one page.

    Args:
        page: what the models ask.
        profile: of the models.
        on_open: called with each model that is opened, before anything is delivered to it.
    """

    def __init__(self, page: Page, profile: Profile, on_open: Callable[[WidgetModel], object] | None) -> None:
        self.by_id: dict[str, RemoteWidget] = {}
        """Widget id to what is known of it."""
        self.models: dict[str, WidgetModel] = {}
        """Widget id to open model; those of the absent too."""
        self.absent: dict[str, RemoteWidget] = {}
        """Widgets of the server before, which the present one does not have yet."""
        self.returned: dict[str, int] = {}
        """While the first `sync` of another server is applied: the inst that a widget had which came back."""
        self.came_back: list[RemoteWidget] = []
        """While a `sync` is applied: those of the absent that it opened."""
        self._page = page
        self._profile: Profile = profile
        self._on_open = on_open

    def confirmed(self, key: SlotKey) -> tuple[Any, int] | None:
        """The server's value of a slot and its revision, as last told."""
        widget = self.by_id.get(key[0])
        return widget.confirmed.get(key[1]) if widget is not None else None

    def open(self, opened: OpenedWidget, touched: Touched, *, is_restart: bool) -> bool:
        """The server has a widget.

        Args:
            opened: the widget, with its state.
            touched: gets the slots to look at.
            is_restart: whether this is the first that another server says.

        Returns:
            Whether it is a widget that was not known.
        """
        widget_id = opened.widget_id
        present = self.by_id.get(widget_id)
        absent = self.absent.pop(widget_id, None)
        if absent is not None:
            present = self.by_id[widget_id] = absent
        if present is not None and not is_restart and absent is None and present.inst == opened.inst:
            present.describe(opened)
            for name, (value, rev) in opened.props.items():
                self.confirm(widget_id, opened.inst, name, value, rev, touched)
            return False
        confirmed = {name: (value, rev) for name, (value, rev) in opened.props.items()}
        if present is not None and (is_restart or absent is not None) and present.kind == opened.kind:
            self.returned[widget_id] = present.inst
            present.describe(opened)
            present.confirmed = confirmed
            touched.update(dict.fromkeys(((widget_id, name) for name in confirmed), None))
            if absent is not None:
                self.came_back.append(present)
            return False
        if present is not None:
            self.close(widget_id, present.inst)
        state = {name: copy_structure(value) for name, (value, _) in confirmed.items()}
        model = WidgetModel(widget_id, state, self._page, profile=self._profile, widget_manager=self._page)
        self.models[widget_id] = model
        self.by_id[widget_id] = RemoteWidget(
            opened.inst,
            opened.kind,
            frozenset(opened.writable),
            frozenset(opened.if_unchanged),
            opened.esm,
            opened.esm_url,
            model,
            confirmed,
        )
        if self._on_open is not None:
            self._on_open(model)
        return True

    def confirm(self, widget_id: str, inst: int, name: str, value: Any, rev: int, touched: Touched) -> None:
        """The server has a value."""
        widget = self.by_id.get(widget_id)
        if widget is None or widget.inst != inst:
            return
        present = widget.confirmed.get(name)
        if present is None or rev > present[1]:
            widget.confirmed[name] = (value, rev)
            touched[widget_id, name] = None

    def close(self, widget_id: str, inst: int) -> None:
        """A widget is gone: its model with it. Edits of it that wait are refused by the server, or dropped here after a
        restart.
        """
        widget = self.by_id.get(widget_id)
        if widget is not None and widget.inst == inst:
            del self.by_id[widget_id], self.models[widget_id]
            widget.model.close()

    def close_unlisted(self, live: Sequence[tuple[str, int]], *, is_restart: bool) -> None:
        """There are no other widgets than these. After a restart the others may still come."""
        listed = dict(live)
        for widget_id, widget in list(self.by_id.items()):
            if listed.get(widget_id) == widget.inst:
                continue
            if is_restart:
                self.absent[widget_id] = self.by_id.pop(widget_id)
            else:
                self.close(widget_id, widget.inst)

    def close_absent(self) -> None:
        """The widgets that are still missing are not to come."""
        for widget in self.absent.values():
            del self.models[widget.model.widget_id]
            widget.model.close()
        self.absent.clear()

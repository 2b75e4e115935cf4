"""What the models of a client of `rdit/1` show.

**A page's value is a forecast.** An edit shows at once. While it is queued or under way its slot is *pending*, and
nothing remote is shown for it: the user is further than the server. When its batch is acknowledged, which comes in one
frame with what the batch changed, the slot shows `confirmed`, the last value that the server told. Refused, clamped,
overwritten by another page or by Python: one rule heals all.

The browser's `shown.js` follows the same rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .client_widgets import ClientWidgets
from .encoding import EncodedValue, decode
from .model import WidgetModel, copy_structure, same_value
from .slots import SlotKey


class ClientShown:
    """Which slots are pending, and what the others show."""

    def __init__(self, widgets: ClientWidgets) -> None:
        self.pending: dict[SlotKey, int] = {}
        """Slot to the number of its edits that are queued or not acknowledged; above 0."""
        self._widgets = widgets

    def mask(self, key: SlotKey) -> None:
        """A slot has one more edit on its way."""
        self.pending[key] = self.pending.get(key, 0) + 1

    def unmask(self, key: SlotKey) -> None:
        """A slot has one edit less on its way. What is confirmed is not shown before `show`."""
        left = self.pending.get(key, 0) - 1
        if left > 0:
            self.pending[key] = left
        else:
            self.pending.pop(key, None)

    def show(self, keys: Iterable[SlotKey], asked: Mapping[SlotKey, EncodedValue | None] | None = None) -> None:
        """Have slots that are not pending show what is confirmed; all of a model's at once.

        Args:
            keys: the slots.
            asked: what an edit of ours that is settled now had asked for.
        """
        updates: dict[str, tuple[WidgetModel, dict[str, Any]]] = {}
        for key in keys:
            widget_id, name = key
            widget = self._widgets.by_id.get(widget_id)
            if widget is None or key in self.pending:
                continue
            confirmed = widget.confirmed.get(name)
            value = confirmed[0] if confirmed is not None else None
            own = asked.get(key) if asked is not None else None
            if own is not None and widget.model.is_unsaved(name) and same_value(decode(own), value):
                continue  # The user is further, and the server said nothing that is news.
            if not same_value(widget.model.peek(name), value) or widget.model.is_unsaved(name):
                updates.setdefault(widget_id, (widget.model, {}))[1][name] = copy_structure(value)
        for model, changes in updates.values():
            model.handle_remote_updates(changes)

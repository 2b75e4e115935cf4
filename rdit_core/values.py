"""What the properties of a widget hold, as pages see it: read, with references where there are widgets, and encoded.

What cannot be read or encoded is said, and the property keeps what pages have of it. Nothing here is kept, and no lock
is held: reading and encoding run code of the user's.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

from .encoding import EncodedValue, encode, encode_numbers
from .errors import UnserializableValue
from .events import HostEvent, ValueRounded, ValueSkipped
from .hosted import HostedWidget
from .layouts import Layouts
from .messages import MAX_COUNT
from .references import is_bare, mentions_widgets

_log = logging.getLogger("rdit")

LAYOUT: Final = "layout"


class Values:
    """Reads and encodes.

    Args:
        layouts: what a page sees of a `layout`.
        max_depth: how deep a value may be nested.
        emit: tells the host of what cannot be told to pages.
    """

    def __init__(self, layouts: Layouts, max_depth: int, emit: Callable[[HostEvent], None]) -> None:
        self.max_depth: Final = max_depth
        self._layouts = layouts
        self._emit = emit

    def read(self, hosted: HostedWidget, name: str) -> dict[str, Any]:
        """What a property holds now, by its name; nothing where it cannot be read."""
        return self._read(hosted, name) if hosted.can_read(name) else {}

    def _read(self, hosted: HostedWidget, name: str) -> dict[str, Any]:
        try:
            return {name: hosted.read(name)}
        except Exception as error:
            _log.warning("value of %s.%s skipped: its serializer raised", hosted.comm.comm_id, name, exc_info=error)
            self._emit(ValueSkipped(hosted.comm.comm_id, name, f"its serializer raised {type(error).__name__}"))
            return {}

    def present(self, hosted: HostedWidget, state: Mapping[str, Any]) -> dict[str, Any]:
        """What these properties hold now; the values that are given, of those that cannot be asked."""
        present: dict[str, Any] = {}
        for name, value in state.items():
            if hosted.can_read(name):
                present.update(self._read(hosted, name))
            else:
                present[name] = value
        return present

    def encode(self, hosted: HostedWidget, state: Mapping[str, Any]) -> dict[str, EncodedValue]:
        """Properties encoded; without those of which that is not possible."""
        return {
            name: encoded
            for name, value in state.items()
            if (encoded := self.encode_one(hosted, name, value)) is not None
        }

    def encode_present(
        self, pending: Mapping[HostedWidget, Mapping[str, Any]]
    ) -> dict[HostedWidget, dict[str, EncodedValue]]:
        """What these properties hold now, of all that are still there; linked ends hold one list, encoded once."""
        present = {
            hosted: self.present(hosted, state) for hosted, state in pending.items() if hosted.widget is not None
        }
        lists: dict[int, EncodedValue] = {}
        encoded: dict[HostedWidget, dict[str, EncodedValue]] = {}
        for hosted, state in present.items():
            encoded[hosted] = values = {}
            for name, value in state.items():
                known = lists.get(id(value)) if not hosted.children else None
                found = known or self.encode_one(hosted, name, value)
                if found is not None:
                    values[name] = found
                    if type(value) is list and not hosted.children and not found.buffers:
                        lists[id(value)] = found
        return encoded

    def encode_one(self, hosted: HostedWidget, name: str, value: Any) -> EncodedValue | None:
        """A property's value encoded; None where that is not possible."""
        try:
            if is_bare(value) and not hosted.children:
                shown = value
            elif name == LAYOUT:
                shown = self._layouts.fold(hosted, value)
            else:
                # A property that referred to widgets may have to let go of them, whatever it holds now.
                numbers = encode_numbers(value) if not hosted.children and self.max_depth > 0 else None
                if numbers is not None:
                    return numbers
                shown = self._refer(hosted, name, value)
            encoded = encode(shown, max_depth=self.max_depth)
        except UnserializableValue as error:
            _log.warning("value of %s.%s skipped: %s", hosted.comm.comm_id, name, error)
            self._emit(ValueSkipped(hosted.comm.comm_id, name, str(error)))
            return None
        if type(shown) is int and abs(shown) > MAX_COUNT and name not in hosted.rounded:
            hosted.rounded.add(name)
            _log.warning("%s.%s is beyond 2**53 - 1: pages round it", hosted.comm.comm_id, name)
            self._emit(ValueRounded(hosted.comm.comm_id, name))
        return encoded

    def _refer(self, hosted: HostedWidget, name: str, value: Any) -> Any:
        """A value with references where there are widgets in it. Raises `UnserializableValue`."""
        try:
            has_widgets = mentions_widgets(value)
        except RecursionError:
            has_widgets = False  # Whoever encodes it will say that it contains itself.
        if not has_widgets:
            if hosted.children.pop(name, None) is not None:
                hosted.has_strayed = True
            return value
        if hosted.widget is None:
            hosted.unread.add(name)
            return None
        return hosted.comm.owner.comm_refers(hosted.comm, name, value)

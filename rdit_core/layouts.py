"""Layout models, folded into the widgets they belong to.

Every `DOMWidget` of ipywidgets opens a second model beside its own, the Layout: some thirty CSS properties. To a page
it is part of the widget's state, under `layout`, so it is hosted here and nowhere listed: it has an id that no widget
can have, and goes when the last widget that it lays out goes. One Layout may lay out several widgets.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from .comm import CommOwner, WidgetComm
from .hosted import HostedWidget, forget_instance, give_comm
from .references import IPYWIDGETS_REFERENCE, is_ipywidget

_IDS: Final = itertools.count(1)
"""Of the process, as ipywidgets' registry is."""


def is_layout_state(state: dict[str, Any]) -> bool:
    """Whether a first state is that of a Layout model."""
    return state.get("_model_name") == "LayoutModel" and state.get("_model_module") == "@jupyter-widgets/base"


@dataclass(slots=True, eq=False)
class _Layout:
    """A Layout model's comm and state, and the hosted widgets whose state it is part of."""

    comm: WidgetComm
    state: dict[str, Any]
    parents: list[HostedWidget] = field(default_factory=list)


class Layouts:
    """The Layout models of one manager."""

    def __init__(self) -> None:
        self._by_id: dict[str, _Layout] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def __contains__(self, comm: object) -> bool:
        return isinstance(comm, WidgetComm) and comm.comm_id in self._by_id

    def opened(self, comm: WidgetComm, state: dict[str, Any]) -> None:
        """A Layout opened its comm: keep it, and give it its id."""
        comm.comm_id = f"layout#{next(_IDS)}"
        self._by_id[comm.comm_id] = _Layout(comm, state)

    def updated(self, comm: WidgetComm, state: dict[str, Any]) -> Sequence[HostedWidget]:
        """A Layout changed. Returns the widgets whose `layout` changed with it."""
        layout = self._by_id[comm.comm_id]
        layout.state.update(state)
        return list(layout.parents)

    def closed(self, comm: WidgetComm) -> None:
        """A Layout closed its comm."""
        del self._by_id[comm.comm_id]

    def take(self, widget: Any, owner: CommOwner) -> _Layout | None:
        """The Layout of a widget, with a comm of ours. It has none when it was made without the hook, or let go of."""
        layout: Any = getattr(widget, "layout", None)
        if not is_ipywidget(layout):
            return None
        comm = layout.comm
        if not (isinstance(comm, WidgetComm) and comm.owner is owner and not comm.is_closed):
            give_comm(owner, layout, "")
        return self._by_id.get(layout.comm.comm_id)

    def fold(self, hosted: HostedWidget, value: Any) -> Any:
        """What a page sees as `layout`: for a reference the dict of the Layout's keys that are set, else the value."""
        if not isinstance(value, str) or not value.startswith(IPYWIDGETS_REFERENCE):
            return value
        layout = self._by_id.get(value[len(IPYWIDGETS_REFERENCE) :]) or self.take(hosted.widget, hosted.comm.owner)
        if layout is None:
            return None
        if hosted.layout_id != layout.comm.comm_id:
            self.drop(hosted)
            hosted.layout_id = layout.comm.comm_id
            layout.parents.append(hosted)
        return {name: part for name, part in layout.state.items() if part is not None and not name.startswith("_")}

    def drop(self, hosted: HostedWidget) -> None:
        """A widget needs its Layout no more."""
        layout_id, hosted.layout_id = hosted.layout_id, None
        layout = self._by_id.get(layout_id) if layout_id is not None else None
        if layout is None:
            return
        layout.parents.remove(hosted)
        if not layout.parents:
            self._close(layout)

    def clear(self) -> None:
        """Close what is left, Layouts of no widget."""
        for layout in list(self._by_id.values()):
            self._close(layout)

    def _close(self, layout: _Layout) -> None:
        # The comm stays in the Layout, which needs an id; a widget that takes it up again gives it another.
        forget_instance(layout.comm)
        layout.comm.close()

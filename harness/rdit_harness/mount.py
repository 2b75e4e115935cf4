"""`mount`: a widget, shown on a simulated page, with everything a test wants to get hold of.

Strict by default: an exception in a listener of the page or in an observer in Python fails the test that mounted the
widget, where a notebook would only log it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rdit_core import WidgetManager, WidgetModel
from rdit_core.model import same_value

from .frontend import Frontend
from .page import Frame, Mode, Page, Render, View


@dataclass(eq=False)
class Net:
    """The link between a view's page and Python."""

    page: Page

    @property
    def is_up(self) -> bool:
        """Whether the page is connected."""
        return self.page.is_connected

    def drop(self) -> None:
        """Cut the link: the network is gone; edits wait."""
        self.page.drop()

    def heal(self) -> None:
        """Bring the link back; what waited goes."""
        self.page.heal()


class MountedView:
    """One widget on one page."""

    def __init__(self, widget: Any, page: Page, view: View) -> None:
        self.widget = widget
        """The Python widget itself."""
        self.page = page
        self.view = view
        self.net = Net(page)

    @property
    def model(self) -> WidgetModel:
        """The page's model."""
        return self.view.model

    @property
    def wire(self) -> Sequence[Frame]:
        """The frames that crossed so far."""
        return self.page.wire

    def set(self, **state: Any) -> None:
        """What a module does on a user's action: set each, save once, and let it settle."""
        for name, value in state.items():
            self.model.set(name, value)
        self.model.save_changes()
        self.settle()

    def settle(self) -> None:
        """Deliver everything that is on the way, at no cost of real time."""
        self.page.frontend.settle()

    def check_agreement(self, names: Sequence[str] = ()) -> None:
        """Raise `AssertionError` where the page shows another value than Python has; all properties by default."""
        fresh = self.page.frontend.page(self.page.mode)
        try:
            there = fresh.open(self.model.widget_id)
            for name in names or there.state:
                if not same_value(self.model.get(name), there.get(name)):
                    raise AssertionError(
                        f"The page shows {name}={self.model.get(name)!r}, Python has {there.get(name)!r}"
                    )
        finally:
            fresh.close()


class Mounter:
    """The `mount` fixture: call it with a widget, or with a widget class and its traits.

    Args:
        mode: what the pages speak: `v1` (`rdit/1`) or `base`.
    """

    def __init__(self, mode: Mode = "v1") -> None:
        self.frontend = Frontend(WidgetManager(), mode=mode)
        self._observer_errors: list[BaseException] = []
        self.frontend.manager.on("observer_failed", lambda event: self._observer_errors.append(event.error))

    def __call__(
        self, widget: Any, /, *, render: Render | None = None, page: Page | None = None, **traits: Any
    ) -> MountedView:
        """Show a widget.

        Args:
            widget: an instance, or a class that is made here with `traits`.
            render: plays the part of the module's `render`.
            page: where; a page of its own by default. Two mounts on two pages are two tabs. A single page of another
                mode is `mount.frontend.page("base")`.
            traits: for the class.
        """
        if isinstance(widget, type):
            with self.frontend.manager.capture():
                widget = widget(**traits)
        elif traits:
            raise TypeError("Expected a widget class with traits, or an instance without")
        page = page or self.frontend.page()
        view = page.render(widget, render)
        mounted = MountedView(widget, page, view)
        mounted.settle()
        return mounted

    def finish(self) -> None:
        """Close everything, and raise what listeners and observers raised meanwhile."""
        errors: list[BaseException] = list(self._observer_errors)
        for page in list(self.frontend.pages):
            page.close()
            errors.extend(page.errors)
        self.frontend.manager.clear()
        if errors:
            raise AssertionError(
                f"{len(errors)} exception(s) in observers or listeners, the first: {errors[0]!r}"
            ) from errors[0]

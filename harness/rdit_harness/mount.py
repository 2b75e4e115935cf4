"""`mount`: a widget, shown on a simulated page, with everything a test wants to get hold of.

Strict by default: an exception in a listener or a module of the page, or in an observer or a message handler in Python,
fails the test that mounted the widget, where a notebook would only log it. One that a test means to see is named:
`with mount.expecting(ValueError): ...`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rdit_core import WidgetModel
from rdit_core.model import same_value

from .frontend import Frontend
from .page import Frame, Mode, Page, Render, View

if TYPE_CHECKING:
    from .modules.binding import Modules, WidgetFailure
    from .modules.element import Element
    from .modules.host import ShownView


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

    def advance(self, seconds: float) -> None:
        """Let virtual time pass: what sleeps until then wakes."""
        self.page.frontend.advance(seconds)

    def dispose(self) -> None:
        """End this view, and let its cleanups finish. The widget and its other views stay."""
        self.view.dispose()
        self.settle()

    # With a module in Python.

    @property
    def el(self) -> Element:
        """The element that `render` got."""
        return self._shown.el

    @property
    def exports(self) -> Any:
        """What the module's `initialize` returned. Raises `AssertionError` while it has not, or when it failed."""
        return self._shown.exports

    @property
    def failure(self) -> WidgetFailure | None:
        """Why the module shows nothing, if it failed."""
        return self._shown.failure

    def reload(self, module: Any) -> None:
        """Replace the widget's module, as an edited file does: wherever it is shown, with its state kept."""
        self.page.frontend.reload(self._shown.model.widget_id, module)
        self.settle()

    @property
    def _shown(self) -> ShownView:
        from .modules.host import ShownView

        if not isinstance(self.view, ShownView):
            raise AssertionError("Expected a view with a module in Python: mount(widget, module=...)")
        return self.view

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
        self.frontend = Frontend(mode=mode)
        self._python_errors: list[BaseException] = []
        self._expected: list[BaseException] = []
        for event in ("observer_failed", "handler_failed"):
            self.frontend.manager.on(event, lambda event: self._python_errors.append(event.error))

    @property
    def modules(self) -> Modules:
        """Which modules in Python play the parts of widgets' own: `mount.modules[Child] = ChildModule`."""
        return self.frontend.modules

    def __call__(
        self,
        widget: Any,
        /,
        *,
        module: Any = None,
        render: Render | None = None,
        page: Page | None = None,
        **traits: Any,
    ) -> MountedView:
        """Show a widget.

        Args:
            widget: an instance, or a class that is made here with `traits`.
            module: plays the part of the widget's module; by default the one in `modules` for it, if there is one.
            render: plays the part of the module's `render`, for a view that is all a test needs.
            page: where; a page of its own by default. Two mounts on two pages are two tabs. A single page of another
                mode is `mount.frontend.page("base")`.
            traits: for the class.
        """
        if module is not None and render is not None:
            raise TypeError("Expected a module or a render, got both")
        if isinstance(widget, type):
            with self.frontend.manager.capture():
                widget = widget(**traits)
        elif traits:
            raise TypeError("Expected a widget class with traits, or an instance without")
        widget_id = self.frontend.manager.add(widget)
        if module is not None and self.modules.version(widget_id) is None:
            # Before a page knows of the widget: from then on messages wait for the module.
            self.modules[widget] = module
        page = page or self.frontend.page()
        view: View
        if render is None and self.modules.version(widget_id) is not None:
            view = page.show(widget, module)
        else:
            view = page.render(widget, render)
        mounted = MountedView(widget, page, view)
        mounted.settle()
        return mounted

    def view(self, view: MountedView) -> MountedView:
        """Another view of what a view shows, on the same page."""
        return self(view.widget, page=view.page)

    @contextmanager
    def expecting(self, kind: type[BaseException] = Exception, match: str = "") -> Iterator[None]:
        """A block in which an observer, a handler, a listener or a module raises, and means to.

        Args:
            kind: of the exception, or of one behind it.
            match: a regular expression that its text contains.

        Raises:
            AssertionError: nothing of the kind was raised.
        """
        before = self._errors()
        yield
        self.frontend.settle()
        new = [error for error in self._errors() if not any(error is one for one in before)]
        found = [
            error for error in new if any(isinstance(one, kind) and re.search(match, str(one)) for one in _chain(error))
        ]
        if not found:
            raise AssertionError(
                f"Expected {kind.__name__} matching {match!r} in code of the page or of Python, got {new}"
            )
        # Of a child that made its parent fail, too.
        self._expected.extend(one for error in found for one in _chain(error))

    def finish(self) -> None:
        """Close everything, and raise what went wrong in the code of the page or of Python meanwhile."""
        try:
            self.frontend.close()
        finally:
            errors = [error for error in self._errors() if not any(error is one for one in self._expected)]
        if errors:
            raise AssertionError(
                f"{len(errors)} exception(s) in observers, listeners or modules, the first: {errors[0]!r}. "
                "Meant to be raised? with mount.expecting(...)"
            ) from errors[0]

    def _errors(self) -> list[BaseException]:
        """All of them so far, each once."""
        raised = [*self._python_errors, *self.frontend.errors]
        for page in self.frontend.pages:
            raised.extend(page.errors)
        return list({id(error): error for error in raised}.values())


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An exception and those behind it."""
    link: BaseException | None = error
    while link is not None:
        yield link
        link = link.__cause__

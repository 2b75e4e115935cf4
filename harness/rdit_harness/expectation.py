"""`expect(view)`: what a test says of a mounted widget. Each call first lets everything settle, so there is no
waiting.
"""

from __future__ import annotations

from typing import Any

from rdit_core.model import same_value

from .mount import MountedView


class Expectation:
    """Claims about one mounted view; each raises `AssertionError` with what was found instead."""

    def __init__(self, view: MountedView) -> None:
        self._view = view

    def to_have(self, **state: Any) -> None:
        """The page's model holds these values, and so does the Python widget."""
        self._view.settle()
        for name, expected in state.items():
            shown = self._view.model.get(name)
            if not same_value(shown, expected):
                raise AssertionError(f"Expected the page to show {name}={expected!r}, got {shown!r}")
        if self._view.net.is_up:
            self.to_agree(*state)

    def not_to_have(self, **state: Any) -> None:
        """The page's model holds none of these values."""
        self._view.settle()
        for name, unexpected in state.items():
            if same_value(self._view.model.get(name), unexpected):
                raise AssertionError(f"Expected the page not to show {name}={unexpected!r}")

    def to_agree(self, *names: str) -> None:
        """The page shows what Python has, for these properties or for all."""
        self._view.settle()
        self._view.check_agreement(names)

    def to_be_idle(self) -> None:
        """No frame is in flight and no edit waits. Does not settle first: that is what it checks."""
        if not self._view.page.is_idle:
            raise AssertionError("Expected an idle page; an edit or its reply is still on the way")


def expect(view: MountedView) -> Expectation:
    """Say something of a mounted view: `expect(view).to_have(value=3)`."""
    return Expectation(view)

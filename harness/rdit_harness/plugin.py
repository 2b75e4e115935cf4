"""The pytest plugin. Imports pytest and the standard library only, so that it costs nothing where it is not used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .frontend import Frontend
    from .mount import Mounter


@pytest.fixture
def mount() -> Iterator[Mounter]:
    """A widget on a simulated page.

    `view = mount(Counter, value=2)` makes the widget and shows it. No socket, no thread, no wall clock. `view.model` is
    the page's model, `view.widget` the Python widget, `view.net` the link between them. An exception in an observer or
    a listener fails the test.
    """
    from .mount import Mounter

    mounter = Mounter()
    yield mounter
    mounter.finish()


@pytest.fixture
def rdit_sim() -> Iterator[Frontend]:
    """A simulated front end with a core of its own, for tests with several pages and widgets."""
    from .frontend import Frontend

    frontend = Frontend()
    yield frontend
    for page in list(frontend.pages):
        page.close()
    frontend.manager.clear()

"""The pytest plugin. Imports pytest and the standard library only, so that it costs nothing where it is not used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .frontend import Frontend
    from .mount import Mounter
    from .page import Mode


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--rdit-mode`."""
    parser.getgroup("rdit").addoption(
        "--rdit-mode",
        choices=["v1", "base"],
        default="v1",
        help="what the simulated pages of mount and rdit_sim speak: rdit/1 (the default), or base mode",
    )


@pytest.fixture
def rdit_mode(request: pytest.FixtureRequest) -> Mode:
    """What the simulated pages of `mount` and `rdit_sim` speak: "v1" (rdit/1) or "base".

    `--rdit-mode` says it for a run, `@pytest.mark.parametrize("rdit_mode", ["v1", "base"])` for a test, and a fixture
    of this name for a module or a folder.
    """
    mode: Mode = request.config.getoption("--rdit-mode")
    return mode


@pytest.fixture
def mount(rdit_mode: Mode) -> Iterator[Mounter]:
    """A widget on a simulated page.

    `view = mount(Counter, value=2)` makes the widget and shows it. No socket, no thread, no wall clock. `view.model` is
    the page's model, `view.widget` the Python widget, `view.net` the link between them. `mount(Counter, module=...)`
    has a module in Python play the part of the widget's own. An exception in an observer, a listener or a module fails
    the test.
    """
    from .mount import Mounter

    mounter = Mounter(rdit_mode)
    with mounter.frontend.manager.capture():  # A widget that a test makes may be the child of one that it mounts.
        yield mounter
    mounter.finish()


@pytest.fixture
def rdit_sim(rdit_mode: Mode) -> Iterator[Frontend]:
    """A simulated front end with a core of its own, for tests with several pages and widgets."""
    from .frontend import Frontend

    frontend = Frontend(mode=rdit_mode)
    yield frontend
    frontend.close()

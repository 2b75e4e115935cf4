from collections.abc import Iterator

import comm
import ipywidgets
import pytest
from ipywidgets.widgets import widget as widget_module

pytest_plugins = ["pytester"]


@pytest.fixture(autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    """The two process-wide things that the core touches are the same before and after each test."""
    create_comm = comm.create_comm
    assert not widget_module._instances
    yield
    ipywidgets.Widget.close_all()
    assert not widget_module._instances
    assert comm.create_comm == create_comm

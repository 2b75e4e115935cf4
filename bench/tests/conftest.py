"""What benchmarks make is theirs to keep; what tests make is not."""

from collections.abc import Iterator

import pytest
from ipywidgets.widgets import widget as widget_module


@pytest.fixture(autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    """Empty the registry in which ipywidgets keeps every widget of the process."""
    yield
    widget_module._instances.clear()

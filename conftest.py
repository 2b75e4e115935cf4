"""What all rooms' tests share: which examples Hypothesis takes, and a collector that does not look at what stays."""

import gc
import os

import pytest
from hypothesis import settings

# The same examples in every run and on every machine; no clock decides whether a test passes. `tox run -e py312`
# and its likes take fewer, `tox run -e once` as many as here.
settings.register_profile(
    "rdit",
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=int(os.environ.get("RDIT_EXAMPLES", "100")),
)
settings.load_profile("rdit")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Hide from the collector what stays, modules and collected tests: many tests ask it to look at everything."""
    gc.collect()
    gc.freeze()

from __future__ import annotations

import asyncio

import pytest

from bench.report import as_text
from bench.soak import findings, fit, soak

pytestmark = pytest.mark.once


def test_the_slope_is_that_of_the_line_and_its_error_is_what_the_points_leave_open() -> None:
    assert fit([(0, 10), (1, 12), (2, 14), (5, 20)]) == pytest.approx((2, 0))
    slope, error = fit([(0, 0), (1, 1), (2, 0), (3, 1)])
    assert (slope, error) == pytest.approx((0.2, 0.08**0.5))


def test_a_short_soak_of_a_few_tabs_ends_with_all_of_them_alike() -> None:
    said: list[str] = []
    results = asyncio.run(soak(minutes=0.1, tabs=4, seed=3, say=said.append))
    assert (results.settled, results.different) == (4, 1)
    assert results.counters["connections"]["opened"] >= 4
    assert results.lag_s
    text = as_text(findings(results))
    assert "MB per minute" in text
    assert "all tabs show the same" in text

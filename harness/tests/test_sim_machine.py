"""Hypothesis drives the simulator's world; `RDIT_HISTORIES` says how many histories (default 25)."""

import os

from hypothesis import settings

from rdit_harness.sim.machine import Histories

TestHistories = Histories.TestCase
TestHistories.settings = settings(
    max_examples=int(os.environ.get("RDIT_HISTORIES", "25")), stateful_step_count=30, deadline=None
)

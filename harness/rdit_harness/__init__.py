"""rdit_harness: test a widget, or a host of widgets, without a notebook and without a browser."""

from .clock import VirtualClock
from .expect import Expectation, expect
from .frontend import Frame, Frontend, NeverSettles, Page, View
from .mount import MountedView, Mounter, Net

__all__ = [
    "Expectation",
    "Frame",
    "Frontend",
    "MountedView",
    "Mounter",
    "NeverSettles",
    "Net",
    "Page",
    "View",
    "VirtualClock",
    "expect",
]

"""Ends a browser that hangs.

A driver's call that hangs cannot be interrupted from Python without breaking the driver. But the browser can be killed:
the call then fails by itself with "has been closed", and the next session starts a new browser.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from pathlib import Path

BROWSER_COMMANDS = ("chrom", "headless_shell", "firefox", "MiniBrowser", "WebKit")
"""How the names of browser processes begin, as /proc gives them."""


class Watchdog:
    """Kills this process's browsers after `limit_s` seconds, unless stopped before. Idle where there is no /proc."""

    def __init__(self, limit_s: float) -> None:
        self.has_barked = False
        """Whether the time was up."""
        self._timer = threading.Timer(limit_s, self._bark)
        self._timer.daemon = True
        self._timer.start()

    def stop(self) -> None:
        """Call it off."""
        self._timer.cancel()

    def _bark(self) -> None:
        self.has_barked = True
        kill_browsers()


def kill_browsers() -> None:
    """Kill the browsers that descend from this process, and nothing else."""
    for pid in _descendants(os.getpid()):
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").startswith(BROWSER_COMMANDS):
                os.kill(pid, signal.SIGKILL)


def _descendants(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError):
            # The name, in parentheses, may hold spaces; what follows is the state and then the parent.
            parent = int(stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(stat.parent.name))
    found, pending = [], [root]
    while pending:
        below = children.get(pending.pop(), [])
        found += below
        pending += below
    return found

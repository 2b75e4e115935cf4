"""Errors of widgets' code on their way to Python. While there is no connection the first ones wait: what failed first
says most, and of those behind it only their number is told.
"""

from __future__ import annotations

from typing import Final

from .messages import Report

MAX_WAITING_REPORTS: Final = 32
"""So many wait; the number of the others is told."""


class ClientReports:
    """The reports of one page. The browser's `reports.js` follows the same rules."""

    def __init__(self) -> None:
        self._waiting: list[Report] = []
        self._lost = 0
        self._last_lost = ("", "")
        """Widget id and stage."""

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, report: Report, *, bounded: bool) -> None:
        """Keep one.

        Args:
            report: what failed.
            bounded: there is no connection; while there is, a burst only waits for its turn.
        """
        if not bounded or len(self._waiting) < MAX_WAITING_REPORTS:
            self._waiting.append(report)
        else:
            self._lost += 1
            self._last_lost = (report.widget_id, report.stage)

    def take(self) -> list[Report]:
        """Everything that waits."""
        taken, self._waiting = self._waiting, []
        if self._lost:
            errors = "error" if self._lost == 1 else "errors"
            taken.append(Report(*self._last_lost, f"and {self._lost} more {errors} while there was no connection"))
            self._lost = 0
        return taken

"""Fair timing: contestants take turns within one process, and every claim is a ratio of neighbours in time.

A machine that others use as well slows down and speeds up by more than the differences that matter here, over seconds
and for minutes. What stands next to each other in time meets the same machine, so a round runs each contestant once,
and a ratio is taken within each round; the median over the rounds is what is reported. The order turns from round to
round, so that nobody always runs on what another left behind in the caches. Garbage is collected before each round and
not during one, for all alike.
"""

from __future__ import annotations

import gc
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

Turn = Callable[[int], float]
"""Does so many operations and returns how many seconds they took."""

Samples = Mapping[str, Sequence[float]]
"""Contestant to seconds per operation, one entry per round."""

_LINE_S: Final = 0.5


class Progress:
    """One line on stderr about what is being measured: rewritten in place on a terminal, else a line per subject."""

    def __init__(self, *, silent: bool = False) -> None:
        self._silent = silent
        self._live = sys.stderr.isatty()
        self._said_s = 0.0

    def subject(self, text: str) -> None:
        """Something new is being measured."""
        self._say(f"{text}\n")

    def step(self, text: str, done: int, total: int) -> None:
        """So much of it is done."""
        if self._live and (time.monotonic() - self._said_s > _LINE_S or done == total):
            self._said_s = time.monotonic()
            self._say(f"\r  {text}: {done} of {total}\x1b[K" + ("\r\x1b[K" if done == total else ""))

    def _say(self, text: str) -> None:
        if not self._silent:
            sys.stderr.write(text)
            sys.stderr.flush()


def timed(operation: Callable[[int], object], start: int, count: int) -> float:
    """Seconds that `operation(start)` .. `operation(start + count - 1)` take together."""
    begin_s = time.perf_counter()
    for number in range(start, start + count):
        operation(number)
    return time.perf_counter() - begin_s


@contextmanager
def _without_collector() -> Iterator[None]:
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def race(
    contestants: Mapping[str, Turn], *, rounds: int, count: int, progress: Progress, subject: str = ""
) -> dict[str, list[float]]:
    """Let each contestant do `count` operations per round, in turning order, after one round that does not count."""
    names = list(contestants)
    samples: dict[str, list[float]] = {name: [] for name in names}
    with _without_collector():
        for number in range(rounds + 1):
            gc.collect()
            cut = number % len(names)
            for name in names[cut:] + names[:cut]:
                seconds = contestants[name](count) / count
                if number:
                    samples[name].append(seconds)
            progress.step(subject, number, rounds)
    return samples


def median(values: Sequence[float]) -> float:
    """The median; of an even number of values the mean of the middle two."""
    return statistics.median(values)


def ratio(samples: Samples, name: str, to: str) -> float:
    """How many times as long `name` takes as `to`: the median over the rounds."""
    return median([one / other for one, other in zip(samples[name], samples[to], strict=True)])


def spread(values: Sequence[float]) -> tuple[float, float]:
    """First and third quartile."""
    if len(values) < 2:
        return values[0], values[0]
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, high

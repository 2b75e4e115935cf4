"""(e) From the command to the first widget: how long it takes, what the page loads for it, what the server weighs.

Beside `rdit serve` a bare host: anywidget and uvicorn and nothing else, which runs the same script and shows its widget
once, without sync. Both are started anew in each round, in turning order, and the page is a new tab of one browser.
Time runs on the machine's clock from before the process is made until the widget's `render` returns. Requests and bytes
are what the page itself counts (Resource Timing: bodies and headers as they were transferred); to those comes the
WebSocket, which no page counts. Memory is what is resident (RSS) when the script is done and nobody is connected.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.browser import PAGES
from bench.chrome import Tab, launch
from bench.measure import Progress, Samples, median, race, ratio
from bench.report import Claim, Table, duration, times
from e2e.server import ServeProcess

MOST_REQUESTS: Final = 12
MOST_KB: Final = 150.0
MOST_MEMORY: Final = 1.3

_KB: Final = 1000
_MB: Final = 1_000_000
_LOADED: Final = """(() => {
  const [page] = performance.getEntriesByType("navigation");
  const entries = [page, ...performance.getEntriesByType("resource")].filter(({ name }) => !name.startsWith("data:"));
  return {
    requests: entries.length + page.redirectCount,
    bytes: entries.reduce((sum, { transferSize }) => sum + transferSize, 0),
    names: entries.map(({ name, transferSize }) => [new URL(name).pathname, transferSize]),
  };
})()"""


@dataclass(frozen=True)
class Loaded:
    """What a page loaded until it was at rest."""

    requests: int
    kb: float


@dataclass(frozen=True)
class Results:
    """What was measured, by contestant."""

    seconds: Samples
    """From the command to the widget."""
    ready: Samples
    """From the command to the line that says the address."""
    loaded: Mapping[str, Loaded]
    memory_mb: Samples


@contextmanager
def _rdit() -> Iterator[tuple[str, int]]:
    """A server's address and process id."""
    served = ServeProcess(PAGES / "first.py")
    try:
        yield served.url, served.pid
    finally:
        served.kill()


@contextmanager
def _bare() -> Iterator[tuple[str, int]]:
    process = subprocess.Popen([sys.executable, "-m", "bench.bare_host"], stdout=subprocess.PIPE, encoding="utf-8")
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip(), process.pid
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


_HOSTS: Final[Mapping[str, Callable[[], contextlib.AbstractContextManager[tuple[str, int]]]]] = {
    "rdit": _rdit,
    "bare": _bare,
}
_AT_REST: Final = {"rdit": "document.documentElement.hasAttribute('data-rdit-idle')", "bare": "true"}


def run(*, rounds: int, scale: float, progress: Progress) -> Results:
    """Measure everything.

    Args:
        rounds: how often each host is started.
        scale: means nothing here; a cold start cannot be a smaller one.
        progress: what is told on the way.

    Raises:
        BrowserError: there is no Chromium, or a page failed.
    """
    progress.subject("cold start")
    loaded: dict[str, Loaded] = {}
    ready: dict[str, list[float]] = {name: [] for name in _HOSTS}
    memory: dict[str, list[float]] = {name: [] for name in _HOSTS}
    with launch() as chrome:

        def turn(name: str) -> float:
            begin_s = time.time()
            with _HOSTS[name]() as (url, pid):
                ready[name].append(time.time() - begin_s)
                tab = chrome.new_tab()
                tab.goto(url)
                seconds = float(tab.wait_for("globalThis.renderedMs")) / 1000 - begin_s
                loaded[name] = _loaded(tab, name)
                tab.close()
                memory[name].append(_idle_mb(pid))
            return seconds

        turns = {name: lambda count, name=name: turn(name) * count for name in _HOSTS}
        seconds = race(turns, rounds=rounds, count=1, progress=progress, subject="cold start")
    # The first round does not count here either.
    return Results(
        seconds,
        {name: values[1:] for name, values in ready.items()},
        loaded,
        {name: values[1:] for name, values in memory.items()},
    )


def _loaded(tab: Tab, name: str) -> Loaded:
    tab.wait_for(_AT_REST[name])
    found = tab.evaluate(_LOADED)
    return Loaded(found["requests"], found["bytes"] / _KB)


def _idle_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / _MB


def tables(results: Results) -> list[Table]:
    """Both hosts side by side."""
    rows = []
    for what, samples in (
        ("command to the first widget rendered", results.seconds),
        ("of that, to the address", results.ready),
    ):
        shown = [duration(median(samples[name])) for name in ("rdit", "bare")]
        rows.append([what, *shown, times(ratio(samples, "rdit", "bare"))])
    rdit, bare = results.loaded["rdit"], results.loaded["bare"]
    rows.append(["requests of the page", f"{rdit.requests} and a WebSocket", f"{bare.requests}", ""])
    rows.append(["transferred", f"{rdit.kb:.1f} kB", f"{bare.kb:.1f} kB", ""])
    shown = [f"{median(results.memory_mb[name]):.1f} MB" for name in ("rdit", "bare")]
    rows.append(["memory when idle", *shown, times(ratio(results.memory_mb, "rdit", "bare"))])
    return [Table("Cold start against a bare host", ["subject", "rdit", "bare", "ratio"], rows)]


def claims(results: Results) -> list[Claim]:
    """What the first page may ask for, and what the server may weigh."""
    rdit = results.loaded["rdit"]
    requests, memory = rdit.requests + 1, ratio(results.memory_mb, "rdit", "bare")
    return [
        Claim(
            "requests to the first widget, the WebSocket among them",
            f"{requests}",
            f"≤ {MOST_REQUESTS}",
            requests <= MOST_REQUESTS,
        ),
        Claim("transferred for it", f"{rdit.kb:.1f} kB", f"≤ {MOST_KB:g} kB", rdit.kb <= MOST_KB),
        Claim("memory when idle, against bare", times(memory), f"≤ {times(MOST_MEMORY)}", memory <= MOST_MEMORY),
    ]

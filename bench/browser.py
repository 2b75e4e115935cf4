"""(b) A real page against a bare one: what everything between a widget's JavaScript and its Python costs together.

`rdit serve` runs in a process of its own, as from the command line; the bare server is `websockets` and nothing else,
in another. One browser has a tab on each, and they take turns. The pages' own clocks measure, so that the driver is no
part of it. The bare page sends what the other one would: its texts are those that were seen on the wire in a tab that
is there for nothing else.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.chrome import Chrome, Tab, launch
from bench.measure import Progress, Samples, Turn, median, race, ratio
from bench.report import Claim, Table, duration, times
from e2e.server import ServeProcess

PAGES: Final = Path(__file__).parent / "pages"
WIDGETS: Final = 200
PAGE: Final = f"{WIDGETS} widgets, from navigation to the last one rendered"
PAGE_S: Final = 0.4
MEGABYTE: Final = 1_000_000
LEAST_SPEED: Final = 0.7
"""Of the bare speed, for large values."""


@dataclass(frozen=True)
class Subject:
    """What was measured of one thing."""

    units: int
    """Messages or bytes that one turn is about."""
    most: float | None
    """The target: how many times as long as the bare page it may take."""
    samples: Samples
    """Contestant to seconds per unit."""


Results = Mapping[str, Subject]

LISTENER: Final = """
globalThis.wire = { sent: [], received: [] };
const { send } = WebSocket.prototype;
WebSocket.prototype.send = function (data) { wire.sent.push(data); return send.call(this, data); };
const { addEventListener } = EventTarget.prototype;
WebSocket.prototype.addEventListener = function (name, ...rest) {
  if (name === "message") addEventListener.call(this, name, ({ data }) => wire.received.push(data));
  return addEventListener.call(this, name, ...rest);
};
"""


def run(*, rounds: int, scale: float, progress: Progress) -> Results:
    """Measure everything.

    Args:
        rounds: how often each tab has its turn.
        scale: of the numbers of messages and bytes; 1 for the real thing.
        progress: what is told on the way.

    Raises:
        BrowserError: there is no Chromium, or a page failed.
    """
    with ExitStack() as stack:
        chrome = stack.enter_context(launch())
        served = stack.enter_context(serving(PAGES / "subject.py"))
        bare_url = stack.enter_context(bare_server())
        asked, pushed = _texts(chrome, served.url)
        rdit, bare = ready_tab(chrome, served.url), ready_tab(chrome, bare_url)

        def turns(of_rdit: str, of_bare: str | None = None) -> dict[str, Turn]:
            """Expressions in which `%` is the count."""
            return {
                "rdit": lambda count: rdit.evaluate(of_rdit.replace("%", str(count))) / 1000,
                "bare": lambda count: bare.evaluate((of_bare or of_rdit).replace("%", str(count))) / 1000,
            }

        def compare(name: str, most: float, units: int, contestants: dict[str, Turn], repeat: int = rounds) -> None:
            progress.subject(f"browser: {name}")
            samples = race(contestants, rounds=repeat, count=units, progress=progress, subject=name)
            results[name] = Subject(units, most, samples)

        results: dict[str, Subject] = {}
        trips, streamed, burst = max(5, int(50 * scale)), int(5000 * scale), int(2000 * scale)
        asked, pushed = json.dumps(asked), json.dumps(pushed)
        compare("round trip of a set", 2, trips, turns("bench.trips(%)", f"bench.trips(%, {asked})"))
        python, page = f"{streamed:,} sets by Python", f"{burst:,} sets by the page"
        compare(python, 1, streamed, turns("bench.stream(%)", f"bench.stream(%, {pushed})"))
        compare(page, 1, burst, turns("bench.burst(%)", f"bench.burst(%, {asked})"))
        for megabytes in (10, 50):
            size = int(megabytes * MEGABYTE * scale)
            for way, name in (("up", "to Python"), ("down", "to the page")):
                name = f"{megabytes * scale:g} MB {name}"
                compare(name, 1 / LEAST_SPEED, size, turns(f"bench.{way}(%)"), max(2, rounds // 3))
        rdit.close()
        bare.close()
        served.kill()
        progress.subject(f"browser: {PAGE}")
        results[PAGE] = Subject(1, None, {"rdit": _pages(chrome, rounds, progress)})
        return results


def _pages(chrome: Chrome, rounds: int, progress: Progress) -> list[float]:
    """Seconds from navigation until the last of the widgets is rendered, once per round."""
    with serving(PAGES / "many.py") as served:
        served.wait_for_output("all are made")
        seconds = []
        for number in range(rounds + 1):
            tab = chrome.new_tab()
            tab.goto(served.url)
            last_ms = tab.wait_for(f"globalThis.renderedMs?.length === {WIDGETS} && renderedMs.at(-1)")
            if number:
                seconds.append(last_ms / 1000)
            tab.close()
            progress.step("pages", number, rounds)
        return seconds


def ready_tab(chrome: Chrome, url: str, script: str | None = None) -> Tab:
    """A tab on a page that has the functions to be measured."""
    tab = chrome.new_tab()
    if script is not None:
        tab.before_each_page(script)
    tab.goto(url)
    tab.wait_for("typeof globalThis.bench === 'object'")
    return tab


def _texts(chrome: Chrome, url: str) -> tuple[str, str]:
    """What goes over the wire for one set by the page, and what for one set by Python."""
    tab = ready_tab(chrome, url, LISTENER)
    tab.evaluate("bench.trips(1)")
    sent, received = tab.evaluate("[wire.sent, wire.received]")
    tab.close()
    asked = next(text for text in reversed(sent) if '"ping"' in text)
    pushed = next(text for text in reversed(received) if '"pong"' in text)
    return asked, pushed


@contextmanager
def serving(script: Path) -> Iterator[ServeProcess]:
    """`rdit serve`, as from the command line."""
    served = ServeProcess(script)
    try:
        yield served
    finally:
        served.kill()


@contextmanager
def bare_server() -> Iterator[str]:
    """The bare server; gives its address."""
    process = subprocess.Popen([sys.executable, "-m", "bench.echo_server"], stdout=subprocess.PIPE, encoding="utf-8")
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def tables(results: Results) -> list[Table]:
    """Medians of whole turns; of the round trip, of one."""
    rows = []
    for name, subject in results.items():
        samples = {who: median(seconds) for who, seconds in subject.samples.items()}
        units = 1 if name.startswith("round trip") else subject.units
        bare = duration(samples["bare"] * units) if "bare" in samples else ""
        share = times(ratio(subject.samples, "rdit", "bare")) if "bare" in samples else ""
        rows.append([name, duration(samples["rdit"] * units), bare, share])
    return [Table("A real page against a bare one", ["subject", "rdit", "bare", "ratio"], rows)]


def claims(results: Results) -> list[Claim]:
    """What each subject may take."""
    found = []
    for name, subject in results.items():
        if subject.most is None:
            took = median(subject.samples["rdit"])
            found.append(Claim(name, duration(took), f"≤ {duration(PAGE_S)}", took <= PAGE_S))
        else:
            share = ratio(subject.samples, "rdit", "bare")
            target = f"≤ {times(subject.most)}"
            found.append(Claim(f"{name}, against bare", times(share), target, share <= subject.most))
    return found

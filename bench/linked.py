"""(f) Linked widgets: from a hand in one widget to what the other shows, through a link in Python.

Brush and histogram: a mouse event in one widget, a list of 200 rows to Python, along the link, and back to the other
widget's listener in the same page. Beside it the bare page, which sends the same text and has it echoed: as many hops,
and nothing done at either end; and one widget by itself, whose observer in Python sets another of its traits: what
links cost beside what every way through Python costs.

Painter and viewer: 64 × 64 float32 at 60 maps a second, as the example that paints landscapes sends them. If anything
on the way were slower than the hand, either maps would queue up, and each would come later than the one before, or
some would never come. Both are counted. The bare page sends as many bytes as often and is told of their arrival: where
that comes late, it is the machine that stood still.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final

from bench.browser import LISTENER, PAGES, bare_server, ready_tab, serving
from bench.chrome import Chrome, launch
from bench.measure import Progress, Samples, Turn, median, race, ratio
from bench.report import Claim, Table, duration, times

MOST: Final = 2.5
"""How many times as long as a bare echo the way from brush to histogram may take."""
MAPS_PER_S: Final = 60
MAPS: Final = 240
MOST_OF_LINKS: Final = 1.5
"""How many times as long as an observer of one widget, which sets another of its traits, a link may take."""
LEAST_SHARE: Final = 0.95
"""Of the maps that were painted, how many the other widget must have seen."""
MOST_DRIFT: Final = 1.5
"""How many times as late as the first ones the last maps may come."""
MOST_WAITING: Final = 2
"""How many more maps than at the bare page may be painted and not yet seen."""


@dataclass(frozen=True)
class Painting:
    """One round of painting."""

    offered_per_s: float
    seen_per_s: float
    share: float
    """Of the painted maps, how many were seen; the others were overtaken by later ones before they were sent."""
    delays: Sequence[float]
    """Seconds from painting a map until it, or a later one, is seen."""
    waiting: int
    """How many maps were painted and not yet seen, whenever one was painted: the 95th percentile."""
    drift: float
    """Median delay of the last quarter, against that of the first."""


@dataclass(frozen=True)
class Results:
    """What was measured."""

    brushes: Samples
    paintings: Sequence[Painting]
    bare_paintings: Sequence[Painting]
    """The bare page sends as many bytes as often, and is told when they came."""


def run(*, rounds: int, scale: float, progress: Progress) -> Results:
    """Measure both pairs.

    Args:
        rounds: how often each has its turn.
        scale: of the numbers of events and maps.
        progress: what is told on the way.

    Raises:
        BrowserError: there is no Chromium, or a page failed.
    """
    with ExitStack() as stack:
        chrome = stack.enter_context(launch())
        served = stack.enter_context(serving(PAGES / "linked.py"))
        bare_url = stack.enter_context(bare_server())
        text = json.dumps(_text(chrome, served.url))
        linked, bare = ready_tab(chrome, served.url), ready_tab(chrome, bare_url)
        turns: dict[str, Turn] = {
            "linked": lambda count: linked.evaluate(f"bench.brushes({count})") / 1000,
            "observer": lambda count: linked.evaluate(f"bench.answers({count})") / 1000,
            "bare": lambda count: bare.evaluate(f"bench.trips({count}, {text})") / 1000,
        }
        progress.subject("linked: brush to histogram")
        brushes = race(turns, rounds=rounds, count=max(20, int(50 * scale)), progress=progress, subject="brushes")
        progress.subject("linked: painter to viewer")
        paints = f"bench.paints({max(MAPS_PER_S, int(MAPS * scale))}, {MAPS_PER_S})"
        paintings, bare_paintings = [], []
        for number in range(rounds + 1):
            told, bare_told = linked.evaluate(paints), bare.evaluate(paints)
            if number:
                paintings.append(painting_of(told))
                bare_paintings.append(painting_of(bare_told))
            progress.step("paintings", number, rounds)
        return Results(brushes, paintings, bare_paintings)


def painting_of(told: dict[str, Any]) -> Painting:
    """What follows from the moments at which maps were painted and seen."""
    painted: list[float] = told["painted"]
    seen: list[tuple[int, float]] = [(number, ms) for number, ms in told["seen"] if number >= 0]
    delays, waiting = [], []
    upcoming = iter(seen)
    latest, at_ms = next(upcoming)
    for number, painted_ms in enumerate(painted):
        while latest < number:
            latest, at_ms = next(upcoming)
        delays.append((at_ms - painted_ms) / 1000)
        waiting.append(number - max((one for one, ms in seen if ms <= painted_ms), default=-1))
    quarter = max(1, len(delays) // 4)
    return Painting(
        offered_per_s=(len(painted) - 1) / (painted[-1] - painted[0]) * 1000,
        seen_per_s=(len(seen) - 1) / (seen[-1][1] - seen[0][1]) * 1000,
        share=len(seen) / len(painted),
        delays=delays,
        waiting=sorted(waiting)[int(0.95 * (len(waiting) - 1))],
        drift=statistics.median(delays[-quarter:]) / statistics.median(delays[:quarter]),
    )


def _text(chrome: Chrome, url: str) -> str:
    """What goes over the wire for one move of the brush."""
    tab = ready_tab(chrome, url, LISTENER)
    tab.evaluate("bench.brushes(1)")
    sent = tab.evaluate("wire.sent.filter((data) => typeof data === 'string')")
    tab.close()
    return str(next(text for text in reversed(sent) if '"selected"' in text))


def _delay(paintings: Sequence[Painting], share: float) -> float:
    """Median over the rounds of one percentile of the delays."""
    return median([sorted(one.delays)[int(share * (len(one.delays) - 1))] for one in paintings])


def tables(results: Results) -> list[Table]:
    """Medians over the rounds."""
    took = {who: duration(median(results.brushes[who])) for who in ("linked", "observer", "bare")}
    against = [times(ratio(results.brushes, "linked", who)) for who in ("observer", "bare")]
    both = (results.paintings, results.bare_paintings)

    def row(name: str, figure: Callable[[Sequence[Painting]], str]) -> list[str]:
        return [name, *map(figure, both)]

    return [
        Table(
            "From the mouse event to the other widget",
            ["subject", "linked", "by an observer", "ratio", "bare", "ratio"],
            [["brush to histogram", took["linked"], took["observer"], against[0], took["bare"], against[1]]],
        ),
        Table(
            f"Maps of 64 × 64 float32, {MAPS_PER_S} a second",
            ["subject", "linked", "bare"],
            [
                row("painted per second", lambda given: f"{median([one.offered_per_s for one in given]):.1f}"),
                row("seen per second", lambda given: f"{median([one.seen_per_s for one in given]):.1f}"),
                row("from painted to seen, half of them", lambda given: duration(_delay(given, 0.5))),
                row("from painted to seen, 95 of 100", lambda given: duration(_delay(given, 0.95))),
                row("on their way, 95 times of 100", lambda given: f"{median([one.waiting for one in given]):g}"),
            ],
        ),
    ]


def claims(results: Results) -> list[Claim]:
    """What linked widgets may take."""
    paintings = results.paintings
    way, link = (ratio(results.brushes, "linked", who) for who in ("bare", "observer"))
    share = median([one.share for one in paintings])
    drift = median([one.drift for one in paintings])
    waiting = median([one.waiting - bare.waiting for one, bare in zip(paintings, results.bare_paintings, strict=True)])
    return [
        Claim("brush to histogram, against a bare echo", times(way), f"≤ {times(MOST)}", way <= MOST),
        Claim(
            "brush to histogram, against an observer",
            times(link),
            f"≤ {times(MOST_OF_LINKS)}",
            link <= MOST_OF_LINKS,
        ),
        Claim("painted maps that are seen", f"{share:.1%}", f"≥ {LEAST_SHARE:.0%}", share >= LEAST_SHARE),
        Claim("the last maps' delay, against the first", times(drift), f"≤ {times(MOST_DRIFT)}", drift <= MOST_DRIFT),
        Claim(
            "maps on their way, beyond those of the bare page",
            f"{waiting:g}",
            f"≤ {MOST_WAITING}",
            waiting <= MOST_WAITING,
        ),
    ]

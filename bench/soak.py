"""Does a server stay as it is under tabs that misbehave for a long time? `python -m bench.soak --minutes 24`.

`rdit serve` runs in a process of its own, and in this one so many tabs over real WebSockets, each with the core's own
client. Python sets values all the time, tabs edit, and what a network and a browser do to a server is done to it, drawn
from a seed: connections are cut, tabs stop reading (for a while, or until the server has had enough), tabs leave for
good and others come, and strangers flood it with batches, with pings whose answers they do not take, with large frames
and junk.

Once a second the server's memory is read. What it keeps is the least of each minute: the samples between have frames
of 8 MB in them that are being read. Whether it grows is the slope of the line through these after the warm-up, with
its standard error; that of all samples stands beside it. How late the loop is shows in how long `/healthz` takes to
answer. At the end all faults stop, and each tab must show what every other tab shows.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.client import ClientConnection as Socket
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from bench.report import Claim, Findings, Table, as_text, count, duration, update_page
from e2e.server import ServeProcess
from rdit_core import ClientConnection

SCRIPT: Final = Path(__file__).parent / "pages" / "soak.py"
PAGE: Final = Path(__file__).parent.parent / "docs" / "soak.md"
MINUTES: Final = 24.0
TABS: Final = 50
STEEPEST_MB: Final = 0.1
"""Per minute: above it, memory grows."""
LATEST_S: Final = 0.25
"""What 99 of 100 answers of `/healthz` may take, on a machine that the tabs use as well."""

_SAMPLE_S: Final = 1.0
_PROBE_S: Final = 0.1
_WARM_UP: Final = 0.25
"""Of the time, and at most `_WARM_UP_S`."""
_WARM_UP_S: Final = 180.0
_SETTLE_S: Final = 90.0
_LOOK_S: Final = 0.1
_MEGABYTE: Final = 1024 * 1024

# Mean seconds between two of a tab's, or of all floods, drawn from an exponential distribution.
_EDIT_S: Final = 4.0
_CUT_S: Final = 40.0
_PAUSE_S: Final = 120.0
_LEAVE_S: Final = 180.0
_FLOOD_S: Final = 5.0

_SHORT_PAUSE_S: Final = (1.0, 10.0)
_LONG_PAUSE_S: Final = 45.0
"""Longer than the server waits for a peer that does not read."""
_LONG_PAUSES: Final = 0.2

_FLOODED_BATCHES: Final = 3_000
_FLOODED_PINGS: Final = 5_000
_JUNK_FRAMES: Final = 30
_LARGE_FRAME_BYTES: Final = 8 * 1024 * 1024

_Errors: Final = (OSError, ConnectionClosed, InvalidHandshake, asyncio.TimeoutError)
_HELLO: Final = '{"type":"hello"}'


@dataclass
class Run:
    """What the tabs of a run share."""

    url: str
    """Of the WebSocket."""
    token: str
    random: random.Random
    is_calm: bool = False
    """Faults and edits are over."""
    did: Counter[str] = field(default_factory=Counter)
    """What the tabs and the strangers did."""

    def dial(self) -> connect:
        """A connection in `rdit/1`, to be entered."""
        return connect(
            f"{self.url}?output=1",
            additional_headers={"Authorization": f"Bearer {self.token}"},
            subprotocols=["rdit.v1"],  # type: ignore[list-item]  # a NewType of str
            compression=None,
            max_size=None,
            ping_interval=None,
            close_timeout=1,
        )

    async def now_and_then(self, mean_s: float, act: Callable[[], Awaitable[None]]) -> None:
        """Do something every so often, until the run is calm or we are cancelled."""
        while True:
            await asyncio.sleep(self.random.expovariate(1 / mean_s))
            if self.is_calm:
                return
            await act()


class Tab:
    """One page: the core's client over a real socket, and its user."""

    def __init__(self, run: Run) -> None:
        self.client = ClientConnection(random=run.random.random)
        self._run = run
        self._stirred = asyncio.Event()
        self._is_reading = asyncio.Event()
        self._is_reading.set()
        self._socket: Socket | None = None
        self._has_left = False

    @property
    def is_settled(self) -> bool:
        """Whether it is live, and everything that it said is answered."""
        return self.client.page_state == "live" and self.client.is_idle

    def shown(self) -> dict[str, dict[str, Any]]:
        """Every widget's state."""
        return {
            widget_id: {name: model.get(name) for name in ("value", "clamped", "ticks", "blob")}
            for widget_id, model in self.client.models.items()
        }

    async def live(self) -> None:
        """Be a tab until it leaves for good, or we are cancelled."""
        self.client.start(time.monotonic())
        habits = [(_EDIT_S, self._edit), (_CUT_S, self._cut), (_PAUSE_S, self._pause), (_LEAVE_S, self._leave)]
        users = [asyncio.create_task(self._run.now_and_then(mean_s, act)) for mean_s, act in habits]
        try:
            while not self._has_left:
                if self.client.wants_transport:
                    await self._connection()
                else:
                    await self._wait()
        finally:
            for user in users:
                user.cancel()
            await asyncio.gather(*users, return_exceptions=True)

    def say(self, content: Any) -> None:
        """Send a custom message to the first widget."""
        self.client.send_message(min(self.client.models), content)
        self._stirred.set()

    async def _connection(self) -> None:
        code, reason = None, ""
        try:
            async with self._run.dial() as socket:
                if not self.client.wants_transport:
                    return  # Its user left while it dialled.
                self._socket = socket
                self.client.opened(time.monotonic())
                writing = asyncio.create_task(self._write(socket))
                try:
                    async for frame in socket:
                        await self._is_reading.wait()
                        self.client.receive_frame(frame, time.monotonic())
                        self.client.events_received()
                        self._stirred.set()
                finally:
                    writing.cancel()
                    await asyncio.gather(writing, return_exceptions=True)
                    code, reason = socket.close_code, socket.close_reason or ""
        except _Errors:
            pass
        self._socket = None
        self.client.receive_eof(time.monotonic(), code, reason)

    async def _write(self, socket: Socket) -> None:
        with contextlib.suppress(*_Errors):
            while True:
                await self._is_reading.wait()
                for frame in self.client.frames_to_send(time.monotonic()):
                    await socket.send(frame)
                if self.client.wants_close:
                    await socket.close()
                    return
                await self._wait()

    async def _wait(self) -> None:
        """Until something happens, or the next deadline; then see to that."""
        deadline_s = self.client.next_deadline()
        timeout_s = None if deadline_s is None else max(0.0, deadline_s - time.monotonic())
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._stirred.wait(), timeout_s)
        self._stirred.clear()
        self.client.handle_timeout(time.monotonic())

    # What its user and its network do.

    async def _edit(self) -> None:
        if self.client.models:
            model = self.client.models[self._run.random.choice(sorted(self.client.models))]
            model.set("value", self._run.random.randrange(1_000_000))
            model.set("clamped", self._run.random.randrange(-100, 200))
            model.save_changes()
            self._run.did["edits"] += 1
            self._stirred.set()

    async def _cut(self) -> None:
        if self._socket is not None:
            self._socket.transport.abort()
            self._run.did["connections cut"] += 1

    async def _pause(self) -> None:
        is_long = self._run.random.random() < _LONG_PAUSES
        self._run.did["tabs that do not read, long" if is_long else "tabs that do not read, a while"] += 1
        self._is_reading.clear()
        try:
            await asyncio.sleep(_LONG_PAUSE_S if is_long else self._run.random.uniform(*_SHORT_PAUSE_S))
        finally:
            self._is_reading.set()

    async def _leave(self) -> None:
        self._run.did["tabs that left for good"] += 1
        self._has_left = True
        self.client.leave(time.monotonic())
        self._stirred.set()


async def _flood(run: Run) -> None:
    """One stranger with the token, and bad manners."""
    kind = run.random.choice(["batches", "pings", "large frames", "junk"])
    run.did[f"floods of {kind}"] += 1
    with contextlib.suppress(*_Errors):
        async with run.dial() as socket:
            await socket.send(_HELLO)
            await socket.recv()
            sync = json.loads(await _text(socket))
            if not sync.get("open"):
                return  # The script has not made its widgets yet.
            opened = sync["open"][0]
            for number in range(
                {"batches": _FLOODED_BATCHES, "pings": _FLOODED_PINGS, "junk": _JUNK_FRAMES}.get(kind, 3)
            ):
                value: Any = "x" * _LARGE_FRAME_BYTES if kind == "large frames" else number
                op = {"op": "set", "widget_id": opened["widget_id"], "inst": opened["inst"], "property": "value"}
                batch = {"type": "batch", "seq": sync["ack"] + number + 1, "ops": [{**op, "value": value}]}
                text = {"junk": "}{", "pings": f'{{"type":"ping","id":{number}}}'}.get(kind) or json.dumps(batch)
                await asyncio.wait_for(socket.send(text), 20)
            if kind == "junk":
                await socket.wait_closed()
            socket.transport.abort()


async def _text(socket: Socket) -> str:
    """The JSON of the next frame."""
    frame = await socket.recv()
    if isinstance(frame, str):
        return frame
    parts = int.from_bytes(frame[4:8], "little")
    begin = -(-(8 + 4 * parts) // 8) * 8
    return frame[begin : begin + int.from_bytes(frame[8:12], "little")].decode()


@dataclass
class Results:
    """What a run found."""

    minutes: float
    tabs: int
    seed: int
    memory: list[tuple[float, float]]
    """Minutes since the start, MB of the server."""
    rest_mb: float
    """At the end, when the allocator has given back what it kept for later."""
    warm_up: float
    """Minutes."""
    lag_s: list[float]
    did: Counter[str]
    counters: dict[str, Any]
    """Of the server, at the end."""
    cpu: float
    """Share of one core that the server took."""
    settled: int
    """Tabs that came to rest."""
    different: int
    """Ways in which tabs show the widgets at the end; one is right."""


def fit(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Slope of the line through some points (least squares), and its standard error."""
    xs, ys = [x for x, _ in points], [y for _, y in points]
    x_mean, y_mean = statistics.fmean(xs), statistics.fmean(ys)
    spread = sum((x - x_mean) ** 2 for x in xs)
    slope = sum((x - x_mean) * (y - y_mean) for x, y in points) / spread
    left = sum((y - y_mean - slope * (x - x_mean)) ** 2 for x, y in points)
    return slope, (left / (len(points) - 2) / spread) ** 0.5


def _floor(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The least of each minute: what stays, without what a large frame takes while it is there."""
    least: dict[int, tuple[float, float]] = {}
    for minute, mb in points:
        least[int(minute)] = min(least.get(int(minute), (minute, mb)), (minute, mb), key=lambda point: point[1])
    return list(least.values())


async def soak(*, minutes: float, tabs: int, seed: int, say: Callable[[str], None]) -> Results:
    """Run it.

    Args:
        minutes: how long, without the end.
        tabs: how many at a time.
        seed: of the faults.
        say: told how it goes, once a minute.
    """
    served = ServeProcess(SCRIPT, ["--max-connections", str(3 * tabs + 20)])
    asked: subprocess.Popen[str] | None = None
    tasks: list[asyncio.Task[None]] = []
    try:
        address = urlsplit(served.url)
        run = Run(f"ws://{address.netloc}/ws/widgets", parse_qs(address.query)["token"][0], random.Random(seed))
        asked = _probe(str(address.hostname), address.port or 80)
        lag_s: list[float] = []
        reading = asyncio.get_running_loop().run_in_executor(None, _read_numbers, asked, lag_s)
        present: list[Tab] = []

        async def seat(place: int) -> None:
            while True:
                present[place] = Tab(run)
                await present[place].live()

        for place in range(tabs):
            present.append(Tab(run))
            tasks.append(asyncio.create_task(seat(place)))
        flooding = asyncio.create_task(run.now_and_then(_FLOOD_S, lambda: _flood(run)))
        tasks.append(flooding)
        memory: list[tuple[float, float]] = []
        begin_s = time.monotonic()
        while (spent_s := time.monotonic() - begin_s) < minutes * 60:
            await asyncio.sleep(_SAMPLE_S)
            memory.append((spent_s / 60, _memory_mb(served.pid)))
            if len(memory) % 60 == 0:
                say(f"{len(memory) // 60} of {minutes:g} minutes, {memory[-1][1]:.1f} MB")
        cpu = _cpu_s(served.pid) / (time.monotonic() - begin_s)
        run.is_calm = True
        flooding.cancel()
        # Those that do not read at the moment will.
        await _until(lambda: all(tab.is_settled for tab in present))
        min(present, key=lambda tab: tab.client.rev).say("calm")
        await _until(lambda: len({_key(tab) for tab in present}) == 1 and all(tab.is_settled for tab in present))
        await asyncio.to_thread(served.wait_for_output, "at rest", _SETTLE_S)
        rest_mb = _memory_mb(served.pid)
        counters = await asyncio.to_thread(_status, address.netloc, run.token)
        asked.kill()
        await reading
        return Results(
            minutes,
            tabs,
            seed,
            memory,
            rest_mb,
            min(minutes * _WARM_UP, _WARM_UP_S / 60),
            lag_s,
            run.did,
            counters,
            cpu,
            sum(tab.is_settled for tab in present),
            len({_key(tab) for tab in present}),
        )
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if asked is not None:
            asked.kill()
            asked.wait()
            if asked.stdout is not None:
                asked.stdout.close()
        served.kill()


async def _until(condition: Callable[[], bool]) -> None:
    """Wait until something is true, or too long; who asks looks again."""
    for _ in range(int(_SETTLE_S / _LOOK_S)):
        if condition():
            return
        await asyncio.sleep(_LOOK_S)


def _key(tab: Tab) -> str:
    return json.dumps(tab.shown(), default=lambda data: bytes(data).hex(), sort_keys=True)


def _probe(host: str, port: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "bench.health_probe", host, str(port), str(_PROBE_S)],
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )


def _read_numbers(process: subprocess.Popen[str], numbers: list[float]) -> None:
    assert process.stdout is not None
    numbers.extend(float(line) for line in process.stdout if line.endswith("\n"))


def _status(netloc: str, token: str) -> dict[str, Any]:
    request = urllib.request.Request(f"http://{netloc}/api/status", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        counters: dict[str, Any] = json.load(answer)["counters"]
        return counters


def _memory_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / _MEGABYTE


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def findings(results: Results) -> Findings:
    """As tables and claims."""
    warm = [point for point in results.memory if point[0] >= results.warm_up]
    slope, error = fit(warm)
    floor = _floor(warm)
    floor_slope, floor_error = fit(floor) if len(floor) > 2 else (slope, error)
    lag_s = sorted(results.lag_s)

    def quantile(share: float) -> float:
        return lag_s[min(len(lag_s) - 1, int(share * len(lag_s)))]

    counters = results.counters
    closed = counters["connections"]["closed"]
    refused = {f"{what} refused, {code}": n for what, codes in counters["refused"].items() for code, n in codes.items()}
    about = ", ".join(
        [
            f"{results.minutes:g} minutes, {results.tabs} tabs, seed {results.seed}",
            datetime.date.today().isoformat(),
            f"Python {platform.python_version()}",
            f"{os.cpu_count()} cores under a load of {os.getloadavg()[0]:.1f}",
            *(f"{name} {version(name)}" for name in ("rdit", "uvicorn", "websockets")),
        ]
    )
    found = Findings("soak", "The soak", about)
    found.tables = [
        Table(
            "The server",
            ["what", "figure"],
            [
                ["memory after the warm-up", f"{warm[0][1]:.1f} MB"],
                ["memory at the end", f"{warm[-1][1]:.1f} MB"],
                ["most memory", f"{max(mb for _, mb in results.memory):.1f} MB"],
                ["and when the allocator has given back what it keeps", f"{results.rest_mb:.1f} MB"],
                ["slope", f"{slope:+.3f} ± {error:.3f} MB per minute"],
                ["slope of each minute's least", f"{floor_slope:+.3f} ± {floor_error:.3f} MB per minute"],
                ["share of one core", f"{results.cpu:.0%}"],
                ["answer of `/healthz`, median", duration(quantile(0.5))],
                ["99 of 100", duration(quantile(0.99))],
                ["slowest", duration(lag_s[-1])],
            ],
        ),
        Table("What was done to it", ["what", "times"], [[what, count(n)] for what, n in sorted(results.did.items())]),
        Table(
            "What it counted (`/api/status`)",
            ["what", "number"],
            [
                ["connections opened", count(counters["connections"]["opened"])],
                *([f"connections closed, {reason}", count(n)] for reason, n in sorted(closed.items())),
                ["sessions that came back", count(counters["sessions"]["came_back"])],
                ["and were resumed", count(counters["sessions"]["resumed"])],
                ["sessions known at the end", count(counters["sessions"]["known"])],
                *([what, count(n)] for what, n in sorted(refused.items())),
                ["outputs dropped", count(counters["dropped"]["outputs"])],
                ["frames in, out", f"{count(counters['frames']['in'])}, {count(counters['frames']['out'])}"],
                ["MB in, out", ", ".join(f"{counters['bytes'][way] / 1e6:,.0f}" for way in ("in", "out"))],
            ],
        ),
    ]
    found.claims = [
        Claim(
            "memory does not grow",
            f"{floor_slope:+.3f} MB per minute",
            f"≤ {STEEPEST_MB:g}",
            floor_slope <= STEEPEST_MB,
        ),
        Claim("the loop is there", duration(quantile(0.99)), f"≤ {duration(LATEST_S)}", quantile(0.99) <= LATEST_S),
        Claim("every tab comes to rest", f"{results.settled}", f"{results.tabs}", results.settled == results.tabs),
        Claim("all tabs show the same", f"{results.different} ways", "1", results.different == 1),
    ]
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the process's exit status: 1 with `--check` when a target is missed."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.soak",
        description="A server under tabs that misbehave, for a long time.",
        allow_abbrev=False,
    )
    parser.add_argument("--minutes", type=float, default=MINUTES, metavar="N", help="how long (default %(default)g)")
    parser.add_argument("--tabs", type=int, default=TABS, metavar="N", help="how many tabs (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the faults (default %(default)s)")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="page to write the tables into (docs/soak.md has them)"
    )
    parser.add_argument("--check", action="store_true", help="end with status 1 when a target is missed")
    options = parser.parse_args(arguments)
    if options.minutes <= 0 or options.tabs < 1:
        parser.error("--minutes and --tabs must be above 0")
    results = asyncio.run(
        soak(
            minutes=options.minutes,
            tabs=options.tabs,
            seed=options.seed,
            say=lambda text: print(text, file=sys.stderr, flush=True),
        )
    )
    found = findings(results)
    print(as_text(found))
    if options.out is not None:
        update_page(options.out, [found])
    missed = [claim for claim in found.claims if not claim.holds]
    return 1 if options.check and missed else 0


if __name__ == "__main__":
    raise SystemExit(main())

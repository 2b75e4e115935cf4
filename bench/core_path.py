"""(a) One write of a page through the core: from the bytes that came in to the bytes that go out.

The contestants write the same values to the same widget class, whose observer runs each time:

- `base mode` and `rdit/1`: `receive_frame`, `apply_pending`, `frames_to_send`. In `rdit/1` the page then acknowledges
  the `sync`, which is no part of the way from a write to its answer; with it, the row is `rdit/1 and sync_ack`.
- `_handle_msg`: what ipywidgets does with a front end's update, behind a comm that is as cheap as one can be. A Jupyter
  kernel adds the signature, four JSON parts per message, zmq and a tornado loop. It also reads and writes JSON with a
  slower library; here it gets ours, so that what is compared is the widgets' way and nothing else.
- `limit`: decode, `setattr` on the widget as any Python program makes it (its comm goes nowhere), encode. No host of
  such widgets can be faster than that without leaving out what the widget itself does on every change.
- `closed`: the same on a widget without any comm, which is traitlets alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import anywidget
import msgspec
import traitlets

from bench.measure import Progress, Samples, Turn, median, race, ratio, timed
from bench.peers import ANY_WRITES, BasePeer, Peer, SessionPeer
from bench.report import Claim, Table, duration, times
from rdit_core import Limits, WidgetManager

WIDGET_ID: Final = "1.0"
RIVAL: Final = "_handle_msg"
TARGET: Final = 0.5

Results = Mapping[str, Samples]
"""Case to contestant to seconds per write, one per round."""


class Subject(anywidget.AnyWidget):
    """What is written to. Its observer does the least that an observer can do."""

    _esm = "export default { render() {} };"
    number = traitlets.Int(0).tag(sync=True)
    text = traitlets.Unicode("").tag(sync=True)
    numbers: Any = traitlets.List(traitlets.Float()).tag(sync=True)
    data = traitlets.Bytes(b"").tag(sync=True)


@dataclass(frozen=True)
class Case:
    """One kind of value, a fresh one for each write."""

    name: str
    property: str
    make: Callable[[int], Any]
    count: int
    """Writes per turn: a few milliseconds, which a busy machine mostly grants without an interruption."""


CASES: Final = (
    Case("an integer", "number", lambda n: n, 100),
    Case("1 kB of text", "text", lambda n: f"{n:8} is a number. " * 40, 100),
    Case("a list of 1,000 numbers", "numbers", lambda n: [n + i / 8 for i in range(1000)], 5),
    Case("1 MB of bytes", "data", lambda n: n.to_bytes(8, "little") * 131_072, 2),
)


class CheapComm:
    """The least that a comm can do for ipywidgets: encode what is sent."""

    comm_id = WIDGET_ID
    kernel = True

    def __init__(self) -> None:
        self.sent: list[Sequence[Any]] = []
        self._encode = msgspec.json.Encoder().encode

    def send(self, data: Any = None, metadata: Any = None, buffers: Any = None) -> None:
        """Encode a message; its buffers stay parts of their own, as on Jupyter's wire."""
        self.sent.append((self._encode({"comm_id": self.comm_id, "data": data}), *(buffers or ())))

    def on_msg(self, callback: Any) -> None:
        """Nobody calls back: `_handle_msg` is called directly."""

    def on_close(self, callback: Any) -> None:
        """As `on_msg`."""

    def close(self, *arguments: Any, **options: Any) -> None:
        """Nothing to end."""


class _Contestant:
    """A widget with an observer, and a counter, so that each write brings another value."""

    def __init__(self, case: Case, widget: Subject) -> None:
        self.case = case
        self.widget = widget
        self.seen = 0
        self.written = 0
        widget.observe(self._observe, case.property)

    def _observe(self, change: Any) -> None:
        self.seen += 1

    def turn(self, count: int) -> float:
        """Write `count` new values. What a page does, make the frame, is not part of the time."""
        first = self.written = self.written + 1
        self.written += count
        frames = [self.frame(number) for number in range(first, first + count)]
        seen, write = self.seen, self.write
        seconds = timed(lambda number: write(frames[number - first]), first, count)
        if self.seen - seen != count:
            raise AssertionError(f"{type(self).__name__}: {count} writes, {self.seen - seen} seen")
        return seconds

    def frame(self, number: int) -> Any:
        raise NotImplementedError

    def write(self, frame: Any) -> object:
        raise NotImplementedError


class _Hosted(_Contestant):
    """The core, with one page. What has to be tidied up after a turn is no part of its time."""

    peer: type[Peer]
    limits = Limits(max_slot_writes=ANY_WRITES)

    def __init__(self, case: Case) -> None:
        super().__init__(case, Subject())
        self.manager = WidgetManager(limits=self.limits)
        self.manager.register(WIDGET_ID, self.widget)
        self.page: Peer = self.peer(self.manager)

    def frame(self, number: int) -> Any:
        return self.page.update(WIDGET_ID, self.case.property, self.case.make(number))

    def write(self, frame: Any) -> object:
        self.page.send(frame)
        self.manager.apply_pending()
        return self.page.drain()

    def turn(self, count: int) -> float:
        seconds = super().turn(count)
        self.page.acknowledge()
        return seconds


class BaseMode(_Hosted):
    """With the three founding messages."""

    peer = BasePeer


class Session(_Hosted):
    """With `rdit/1`: a batch in, a `sync` with its acknowledgement out. The page acknowledges once per turn."""

    peer = SessionPeer
    limits = Limits(max_slot_writes=ANY_WRITES, max_sync_frames=1_000_000, max_sync_bytes=1_000_000_000)

    def write(self, frame: Any) -> object:
        self.page.send(frame)
        self.manager.apply_pending()
        return self.page.take()


class AckedSession(_Hosted):
    """The same with default credit: the page acknowledges each `sync`, which the core reads as well."""

    peer = SessionPeer


class Jupyter(_Contestant):
    """ipywidgets' own handler of a front end's update."""

    def __init__(self, case: Case) -> None:
        super().__init__(case, Subject())
        self.comm = self.widget.comm = CheapComm()
        self.decode = msgspec.json.Decoder().decode

    def frame(self, number: int) -> Any:
        value = self.case.make(number)
        is_binary = isinstance(value, bytes)
        data = {
            "method": "update",
            "state": {} if is_binary else {self.case.property: value},
            "buffer_paths": [[self.case.property]] if is_binary else [],
        }
        return msgspec.json.encode({"content": {"comm_id": WIDGET_ID, "data": data}}), [value] if is_binary else []

    def write(self, frame: Any) -> object:
        message = self.decode(frame[0])
        message["buffers"] = frame[1]
        self.widget._handle_msg(message)
        sent, self.comm.sent = self.comm.sent, []
        return sent


class _Update(msgspec.Struct):
    widget_id: str
    property: str
    value: Any


class _Ack(msgspec.Struct, tag="ack"):
    widget_id: str
    property: str


class Limit(_Contestant):
    """Decode, set, encode: what cannot be left out. Binary is taken from its own part, as it is."""

    def __init__(self, case: Case) -> None:
        super().__init__(case, Subject())
        self.decode = msgspec.json.Decoder(_Update).decode
        self.encode = msgspec.json.Encoder().encode

    def frame(self, number: int) -> Any:
        value = self.case.make(number)
        is_binary = isinstance(value, bytes)
        update = {"widget_id": WIDGET_ID, "property": self.case.property, "value": None if is_binary else value}
        return msgspec.json.encode(update), value if is_binary else None

    def write(self, frame: Any) -> object:
        update = self.decode(frame[0])
        setattr(self.widget, update.property, update.value if frame[1] is None else frame[1])
        return self.encode(_Ack(update.widget_id, update.property))


class Closed(Limit):
    """The same on a widget that has no comm."""

    def __init__(self, case: Case) -> None:
        super().__init__(case)
        self.widget.comm = None


CONTESTANTS: Final[dict[str, Callable[[Case], _Contestant]]] = {
    "base mode": BaseMode,
    "rdit/1": Session,
    "rdit/1 and sync_ack": AckedSession,
    "_handle_msg": Jupyter,
    "limit": Limit,
    "closed": Closed,
}


def run(*, rounds: int, scale: float, progress: Progress) -> Results:
    """Measure every case.

    Args:
        rounds: how often each contestant has its turn.
        scale: of the number of writes per turn; 1 for the real thing.
        progress: what is told on the way.
    """
    results = {}
    for case in CASES:
        progress.subject(f"core path: {case.name}")
        turns: dict[str, Turn] = {name: make(case).turn for name, make in CONTESTANTS.items()}
        results[case.name] = race(
            turns, rounds=rounds, count=max(2, int(case.count * scale)), progress=progress, subject=case.name
        )
    return results


def tables(results: Results) -> list[Table]:
    """Medians, and how they compare with `_handle_msg`."""
    names = list(CONTESTANTS)
    rows = [[case, *(duration(median(samples[name])) for name in names)] for case, samples in results.items()]
    ratios = [[case, *(times(ratio(samples, name, RIVAL)) for name in names)] for case, samples in results.items()]
    return [
        Table("Time per write", ["value", *names], rows),
        Table(f"In relation to `{RIVAL}`", ["value", *names], ratios),
    ]


def claims(results: Results) -> list[Claim]:
    """At least twice as fast as ipywidgets, where it is the host that counts and not the size of the value."""
    found = []
    for case in CASES[:2]:
        for name in ("rdit/1", "base mode"):
            share = ratio(results[case.name], name, RIVAL)
            text = f"a write of {case.name} in {name} against `{RIVAL}`"
            found.append(Claim(text, times(share), f"≤ {times(TARGET)}", share <= TARGET))
    return found

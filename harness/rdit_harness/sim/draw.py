"""A seed to a case: swarm testing.

Each seed draws first what kinds of trouble it has at all, then how much of each, then when. A run in which everything
happens a little finds less than many runs in which a few things happen a lot: a bug that needs three expiries in a row
does not show where expiries are one of forty things.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from .dice import Dice
from .faults import FAULTS
from .plan import Case, Setup, Step, TabSetup

_ODD: Final = ("nan", "inf", "one", "true", "float", "huge", "bytes", "nested", "none", "text", "list")
_LARGE: Final = ("big16500", "big17000", "big40000")
_EASY: Final = ("free", "free", "free", "other", "clamped", "echoed")
_DIFFICULT: Final = {
    "F19": ("flaky", "flaky"),
    "F20": ("chain", "chain"),
    "F21": ("clamped", "clamped", "picky", "picky", "low", "high"),
    "F23": ("linked", "linked"),
    "F25": ("blob", "blob"),
}

Maker = Callable[["_Draw"], "list[Step]"]


class _Draw:
    """What one seed has drawn so far."""

    def __init__(self, seed: int, allowed: Sequence[str]) -> None:
        self.dice = Dice(seed, "plan")
        self.pulses = Dice(seed, "pulses")
        self.large = Dice(seed, "large")
        self.allowed = frozenset(allowed)
        dice = self.dice
        fever = dice.weighted(((2, 0.08), (4, 0.2), (3, 0.4), (1, 0.7)))
        self.faults = frozenset(code for code in FAULTS if dice.random() < fever and code in self.allowed)
        self.span_ms = dice.weighted(((5, 4_000), (3, 15_000), (1, 90_000)))
        self.tab_count = dice.weighted(((2, 1), (5, 2), (4, 3), (2, 4)))
        self.widget_ids = tuple(f"w{index}" for index in range(dice.weighted(((4, 1), (4, 2), (2, 3)))))
        self.names = [*_EASY, *(name for code, names in _DIFFICULT.items() if self.has(code) for name in names)]
        """What there is to edit; what stands here twice is edited twice as often."""

    def has(self, code: str) -> bool:
        return code in self.faults

    def when(self) -> int:
        return self.dice.below(self.span_ms)

    def who(self) -> int:
        return self.dice.below(self.tab_count)

    def widget(self) -> str:
        return self.dice.pick(self.widget_ids)

    def times(self, low: int, high: int) -> range:
        return range(self.dice.between(low, high))

    def name_and_value(self) -> tuple[str, Any]:
        """A property to edit, and what to set it to."""
        dice = self.dice
        name = dice.pick(self.names)
        if name == "blob":
            return name, dice.pick(_ODD)
        if name == "clamped":
            return name, dice.pick((-5, 0, 50, 100, 101, 120, dice.below(100)))
        if name == "chain":
            return name, dice.pick((dice.below(800), dice.below(800), 2000))
        if name in ("low", "high"):
            return name, dice.below(20)
        if name == "linked":
            return name, dice.below(80)
        return name, dice.below(50)


def _large(draw: _Draw) -> list[Step]:
    """Values so large that the page which sent one is told its name and not the value, and what Python makes of some
    before it tells.
    """
    dice = draw.large
    steps: list[Step] = []
    for _ in range(dice.between(1, 4)):
        at, who, widget_id = dice.below(draw.span_ms), dice.below(draw.tab_count), dice.pick(draw.widget_ids)
        steps.append(Step(at, "edit", who, (widget_id, "blob", dice.pick(_LARGE))))
        if dice.chance(0.4):
            at, who = at + dice.pick((0, 1, 20, 300)), dice.below(draw.tab_count)
            steps.append(Step(at, "edit", who, (widget_id, "blob", dice.pick((*_LARGE, "none")))))
        if dice.chance(0.3):
            at += dice.pick((0, 1, 20, 60, 300))
            steps.append(Step(at, "python_set", 0, (widget_id, "blob", dice.pick((*_LARGE, "none")))))
        if draw.has("F2") and dice.chance(0.4):
            steps.append(Step(at + dice.pick((1, 20, 60)), "drop", who, ()))
    return steps


def _setup(draw: _Draw) -> Setup:
    dice = draw.dice
    tabs = []
    is_mixed = draw.has("F34")
    for index in range(draw.tab_count):
        is_base = is_mixed and index > 0 and dice.chance(0.5)
        tabs.append(
            TabSetup(
                mode="base" if is_base else "v1",
                policy="drop" if dice.chance(0.08) else "replay",
                hidden=("w1",) if not is_base and index and dice.chance(0.12) else (),
                subscribe=("w0",) if not is_base and index and dice.chance(0.1) else None,
                has_moods=draw.has("F31") and not is_base,
            )
        )
    limits: list[tuple[str, float]] = []
    if dice.chance(0.25):
        limits.append(("max_sync_frames", dice.between(1, 3)))
    if draw.has("F16") and dice.chance(0.5):
        limits.append(("max_sync_bytes", 200))
    elif dice.chance(0.15):
        limits.append(("max_sync_bytes", dice.pick((200, 600, 2_000))))
    if dice.chance(0.15):
        limits.append(("max_inflight", dice.between(1, 4)))
    if dice.chance(0.15):
        limits.append(("max_ops", dice.between(2, 4)))
    if dice.chance(0.2):
        limits.append(("max_messages", dice.between(1, 5)))
    if dice.chance(0.1):
        limits.append(("max_message_bytes", 300))
    if dice.chance(0.1):
        limits.append(("max_queued_messages", dice.between(1, 4)))
    if draw.pulses.chance(0.15):
        limits.append(("max_moments", draw.pulses.between(1, 3)))
    if draw.has("F27") and dice.chance(0.4):
        limits.append(("max_tombstones", dice.between(1, 2)))
    if draw.has("F14"):
        limits.append(("max_sessions", dice.between(1, 2)))
    if draw.has("F13"):
        limits.append(("session_ttl_s", dice.pick((1.0, 3.0))))
    elif dice.chance(0.3):
        limits.append(("session_ttl_s", 20.0))
    if draw.has("F38"):
        limits.append(("max_frame_bytes", 1_500))
    if draw.has("F39"):
        limits += [("max_waiting_frames", 40), ("max_bad_frames", dice.pick((10, 60)))]
    if dice.chance(0.5):
        limits += [("silence_s", 8.0), ("ping_s", 4.0), ("stall_s", 5.0)]
    elif dice.chance(0.3):
        limits += [("silence_s", 3.0), ("ping_s", 0.9), ("stall_s", 2.0)]
    if dice.chance(0.8):
        limits.append(("return_s", dice.pick((0.5, 2.0, 5.0))))
    latency = dice.pick((1, 5, 20, 60, 250))
    return Setup(
        tabs=tuple(tabs),
        widgets=draw.widget_ids,
        linked=draw.has("F23"),
        real=dice.chance(0.01),
        observers_first=dice.chance(0.3),
        latency_ms=latency,
        jitter_ms=latency * 3 if draw.has("F10") else dice.pick((0, 1, latency)),
        kernel_ms=dice.pick((0, 0, 1, 1, 8)),
        limits=tuple(limits),
    )


def _users(draw: _Draw) -> list[Step]:
    """What goes on whatever the faults: edits of pages and of Python."""
    dice = draw.dice
    steps = []
    busy = dice.pick((50, 64, 84))
    for _ in range(busy):
        args: list[Any] = [draw.widget()]
        for _ in range(1 if dice.chance(0.8) else dice.between(2, 3)):
            name, value = draw.name_and_value()
            if name not in args:
                args += [name, value]
        steps.append(Step(draw.when(), "edit", draw.who(), tuple(args)))
    for _ in draw.times(4, 14):
        args = [draw.widget()]
        for _ in range(1 if not draw.has("F22") or dice.chance(0.4) else dice.between(2, 4)):
            name, value = draw.name_and_value()
            if name not in args:
                args += [name, value]
        steps.append(Step(draw.when(), "python_set", 0, tuple(args)))
    if dice.chance(0.5):
        for _ in draw.times(1, 3):
            steps.append(Step(draw.when(), "message", draw.who(), (draw.widget(), dice.chance(0.3), dice.chance(0.2))))
    if dice.chance(0.4):
        for _ in draw.times(1, 4):
            size = dice.pick((0, 1, 50, 301))
            steps.append(Step(draw.when(), "python_message", draw.who(), (draw.widget(), size, dice.chance(0.3))))
    if dice.chance(0.2):
        steps.append(Step(draw.when(), "set_message_set", draw.who(), (draw.widget(),)))
    if dice.chance(0.3):
        at = draw.when()
        widget_id, who = draw.widget(), draw.who()
        name = dice.pick(("free", "clamped"))
        steps.append(Step(at, "set_only", who, (widget_id, name, dice.below(150))))
        steps.append(Step(at + dice.between(1, 400), "save", who, (widget_id,)))
    if dice.chance(0.12):
        name = dice.pick(("tick", "private", "_esm", "nothing"))
        steps.append(Step(draw.when(), "edit", draw.who(), (draw.widget(), name, 1)))
    if dice.chance(0.1):
        steps.append(Step(draw.when(), "reload", draw.who()))
    if dice.chance(0.2):
        steps.append(Step(draw.when(), "python_tick", 0, (draw.widget(), dice.between(2, 30))))
    if dice.chance(0.1):
        steps.append(Step(draw.when(), "hint", draw.who()))
    if dice.chance(0.1):
        steps.append(Step(draw.when(), "subscribe", draw.who(), dice.pick(((), ("w0",), draw.widget_ids[-1:]))))
    steps.append(Step(draw.when(), "real_set", 0, (dice.below(9),)))
    return steps


def _many(kind: str, low: int, high: int, *args: Callable[[_Draw], Any]) -> Maker:
    def make(draw: _Draw) -> list[Step]:
        return [Step(draw.when(), kind, draw.who(), tuple(one(draw) for one in args)) for _ in draw.times(low, high)]

    return make


def _int(low: int, high: int) -> Callable[[_Draw], int]:
    return lambda draw: draw.dice.between(low, high)


def _one_of(*options: Any) -> Callable[[_Draw], Any]:
    return lambda draw: draw.dice.pick(options)


def _widget(draw: _Draw) -> str:
    return draw.widget()


def _chance(probability: float) -> Callable[[_Draw], bool]:
    return lambda draw: draw.dice.chance(probability)


def _drags(draw: _Draw) -> list[Step]:
    return [
        Step(draw.when(), "drag", 2 * draw.who() + 1, (draw.widget(), draw.dice.pick(("clamped", "free")), 80, 14))
        for _ in draw.times(1, 2)
    ]


def _absences(draw: _Draw) -> list[Step]:
    """A page loses its network, its user goes on, and so does Python."""
    steps: list[Step] = []
    for _ in draw.times(1, 2):
        at, who = draw.when(), draw.who()
        steps.append(Step(at, "away", who, (draw.dice.between(200, 4_000),)))
        count = draw.dice.weighted(((5, 60), (1, 200)))
        steps.append(Step(at + 50, "offline_edits", who, (draw.widget(), count)))
        if draw.dice.chance(0.4):
            for index in draw.times(2, 8):
                steps.append(Step(at + 60 + index, "python_message", 0, (draw.widget(), 0, False)))
    return steps


def _expiries(draw: _Draw) -> list[Step]:
    steps = []
    for _ in draw.times(1, 3):
        at, who = draw.when(), draw.who()
        for offset in (-2, 0):
            steps.append(Step(max(0, at + offset), "edit", who, (draw.widget(), "free", 0)))
        steps.append(Step(at, "away", who, (draw.dice.pick((1_100, 3_500, 6_000)),)))
        if draw.dice.chance(0.5):
            steps.append(Step(at + 500, "edit", who, (draw.widget(), draw.dice.pick(("free", "other")), 0)))
        if draw.dice.chance(0.5):
            steps.append(Step(at + 600, "python_set", 0, (draw.widget(), "free", 0)))
    return steps


def _torn(draw: _Draw) -> list[Step]:
    """A page is away while much changes, and what it comes back to arrives in part."""
    if draw.dice.chance(0.5):
        return []
    at, who = draw.when(), draw.who()
    steps = [Step(at, "tear", who, (700, draw.dice.between(1, 2)))]
    for widget_id in draw.widget_ids:
        for name in ("free", "other", "chain", "high"):
            steps.append(
                Step(at + draw.dice.between(10, 400), "python_set", 0, (widget_id, name, draw.dice.between(11, 99)))
            )
    return steps


def _poison(draw: _Draw) -> list[Step]:
    """A value that no network lets through. Not where sessions expire sooner than a page dials again: the page then
    makes a new batch of it each time.
    """
    if draw.has("F13") or draw.dice.chance(0.5):
        return []
    return [Step(draw.when(), "edit", draw.who(), (draw.widget(), "blob", "poison"))]


def _twins(draw: _Draw) -> list[Step]:
    """Values that Python takes for equal and the wire does not, one after the other."""
    at, who, widget_id = draw.when(), draw.who(), draw.widget()
    values = draw.dice.pick((("one", "true"), ("true", "one"), ("one", "true", "one")))
    return [Step(at + 600 * index, "edit", who, (widget_id, "blob", value)) for index, value in enumerate(values)]


def _closings(draw: _Draw) -> list[Step]:
    steps = []
    for _ in draw.times(1, 4):
        at, widget_id = draw.when(), draw.widget()
        steps.append(Step(max(0, at - 3), "edit", draw.who(), (widget_id, "free", 0)))
        steps.append(Step(at, "close", 0, (widget_id,)))
        if draw.dice.chance(0.8):
            kind = draw.dice.pick(("panel", "panel", "board"))
            steps.append(Step(at + draw.dice.pick((0, 5, 300, 2_000)), "reopen", 0, (widget_id, kind)))
        if draw.dice.chance(0.3):
            steps.append(Step(at + draw.dice.pick((5, 400, 2_500)), "close", 0, (widget_id,)))
    return steps


_MAKERS: Final[dict[str, tuple[Maker, ...]]] = {
    "F1": (_many("latency", 1, 4, _one_of("up", "down", "both"), _int(0, 400), _int(0, 200)),),
    "F2": (_many("drop", 1, 5),),
    "F3": (_many("cut", 1, 3, _int(0, 40), _chance(0.4)),),
    "F4": (_many("half_open", 1, 2, _one_of("up", "down", "both")),),
    "F5": (_many("second_socket", 1, 3, _one_of(300, 2_000, 6_000)),),
    "F6": (_many("late_frames", 1, 3, _one_of(300, 1_500, 4_000)),),
    "F7": (_many("stall", 1, 3, _one_of("up", "down", "both"), _int(50, 1_500)),),
    "F8": (_many("slow_reader", 1, 2, _int(20, 300), _int(5, 30)),),
    "F9": (_many("flap", 1, 2, _int(1, 4)),),
    "F11": (_many("restart", 1, 2, _int(0, 800), _one_of("fresh", "other")),),
    "F12": (_many("restart", 1, 2, _int(0, 800), _one_of("restored")),),
    "F13": (_expiries,),
    "F14": (_many("stranger", 2, 4, _int(1, 3)), _many("drop", 1, 3)),
    "F15": (_many("lose", 1, 2, _one_of("welcome")),),
    "F16": (_many("lose", 1, 4, _one_of("sync")), _torn),
    "F17": (
        _many("tab_clock", 0, 2, _one_of(-3_000, 2_000, 60_000)),
        _many("server_clock", 0, 2, _one_of(-3_000, 2_000, 60_000)),
    ),
    "F18": (_many("shutdown", 1, 1, _int(0, 500), _one_of("fresh", "restored")),),
    "F24": (_many("python_mutate", 2, 6, _widget, _chance(0.7)),),
    "F25": (
        _twins,
        _many("python_odd", 1, 4, _widget, _one_of(*_ODD, "cycle", "object", "big900", "list")),
    ),
    "F26": (_many("busy", 1, 2, _one_of(200, 1_500, 5_000), _int(200, 6_000)),),
    "F27": (_closings,),
    "F29": (_many("foreign_session", 1, 2, _one_of("twin")),),
    "F30": (_many("freeze", 1, 2, _one_of(100, 2_000, 8_000)),),
    "F32": (_drags,),
    "F33": (_absences,),
    "F35": (_many("skew", 1, 3),),
    "F36": (
        _many("misnumber", 0, 1, _widget),
        _many("before_hello", 0, 1, _widget),
        _many("forbidden_writes", 0, 1, _widget),
    ),
    "F37": (_many("foreign_session", 1, 3, _one_of("secret", "future", "epoch")),),
    "F38": (
        _many("at_limit", 1, 2, _widget, _one_of(-1, 0, 1)),
        _many("edit", 0, 2, _widget, _one_of("blob"), _one_of("big1300", "big1400", "big2000")),
    ),
    "F39": (_many("flood", 1, 1, _one_of(30, 90, 150), _chance(0.5)),),
    "F40": (
        _many("flip", 1, 3, _widget, _int(0, 200), _int(0, 255)),
        _many("noise", 0, 1, _int(1, 4), _int(1, 60)),
    ),
    "F41": (
        _many("corrupt", 0, 2, _int(1, 3)),
        _poison,
    ),
}
"""Fault to what puts its steps into a case. Faults that are not here change what users do, or the setup."""


def draw_case(seed: int, faults: Sequence[str] = tuple(FAULTS)) -> Case:
    """The case of a seed.

    Args:
        seed: any integer.
        faults: codes that it may draw from; none for a world without trouble.
    """
    draw = _Draw(seed, faults)
    setup = _setup(draw)
    steps = _users(draw)
    for code, makers in _MAKERS.items():
        if draw.has(code):
            for make in makers:
                steps += make(draw)
    if draw.has("F20") and draw.dice.chance(0.5):
        for _ in draw.times(1, 4):
            steps.append(Step(draw.when(), "edit", draw.who(), (draw.widget(), "spawn", draw.dice.below(60))))
    if draw.pulses.chance(0.5):
        for _ in range(draw.pulses.between(1, 5)):
            args = (draw.pulses.pick(draw.widget_ids), draw.pulses.pick((1, 1, 2, 8)))
            steps.append(Step(draw.pulses.below(draw.span_ms), "python_pulse", 0, args))
    if draw.large.chance(0.1):
        steps += _large(draw)
    steps.sort(key=lambda one: one.at_ms)
    return Case(seed, setup, tuple(steps), tuple(code for code in FAULTS if draw.has(code)))

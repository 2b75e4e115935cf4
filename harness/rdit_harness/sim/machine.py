"""Histories that no seed would think of: the same world, driven rule by rule by Hypothesis.

Each rule is a verb of the simulator or a stretch of time; after each the checkers have looked as always, and at the end
comes the healing. A failing history is shrunk and printed by Hypothesis as a short program.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from .agenda import MS
from .healing import heal
from .plan import Case, Setup, Step, TabSetup
from .run import quiet_core
from .world import VERBS, World

WHO = st.integers(0, 2)
WIDGETS = st.sampled_from(("w0", "w1"))
NAMES = st.sampled_from(("free", "other", "clamped", "picky", "chain", "flaky", "low", "high"))
VALUES = st.integers(-5, 130)
MILLISECONDS = st.sampled_from((0, 1, 20, 150, 1_000, 6_000))
SETUPS = st.builds(
    Setup,
    tabs=st.lists(st.builds(TabSetup, has_moods=st.booleans()), min_size=1, max_size=3).map(tuple),
    widgets=st.just(("w0", "w1")),
    linked=st.booleans(),
    latency_ms=st.sampled_from((1, 20, 200)),
    jitter_ms=st.sampled_from((0, 50)),
    kernel_ms=st.sampled_from((0, 5, 300)),
    limits=st.sampled_from(
        (
            (("session_ttl_s", 3.0), ("silence_s", 4.0), ("ping_s", 1.5), ("return_s", 1.0)),
            (("max_sync_bytes", 200), ("max_sync_frames", 2), ("silence_s", 4.0), ("ping_s", 1.5), ("return_s", 1.0)),
        )
    ),
)


class Histories(RuleBasedStateMachine):
    """Users, Python, network and operator, in any order."""

    world: World | None = None

    @initialize(setup=SETUPS, seed=st.integers(0, 9))
    def begin(self, setup: Setup, seed: int) -> None:
        """A world."""
        with quiet_core():
            self.world = World(Case(seed, setup))

    def _do(self, kind: str, who: int = 0, *args: Any) -> None:
        world = self.world
        assert world is not None
        with quiet_core():
            VERBS[kind](world, Step(world.agenda.now_ns // MS, kind, who, args))
            world.drain()

    @precondition(lambda self: self.world is not None)
    @rule(ms=MILLISECONDS)
    def wait(self, ms: int) -> None:
        """Time goes by."""
        assert self.world is not None
        with quiet_core():
            self.world.run_until(self.world.agenda.now_ns + ms * MS)

    @rule(who=WHO, widget_id=WIDGETS, name=NAMES, value=VALUES)
    def edit(self, who: int, widget_id: str, name: str, value: int) -> None:
        """A user sets and saves."""
        self._do("edit", who, widget_id, name, value)

    @rule(who=WHO, widget_id=WIDGETS)
    def message(self, who: int, widget_id: str) -> None:
        """A page sends a message between sets."""
        self._do("set_message_set", who, widget_id)

    @rule(widget_id=WIDGETS, name=NAMES, value=VALUES)
    def python_set(self, widget_id: str, name: str, value: int) -> None:
        """Python sets."""
        self._do("python_set", 0, widget_id, name, value)

    @rule(widget_id=WIDGETS)
    def python_message(self, widget_id: str) -> None:
        """Python sends a message."""
        self._do("python_message", 0, widget_id, 0, False)

    @rule(widget_id=WIDGETS, kind=st.sampled_from(("panel", "board")))
    def reopen(self, widget_id: str, kind: str) -> None:
        """Another widget under an id."""
        self._do("reopen", 0, widget_id, kind)

    @rule(who=WHO)
    def drop(self, who: int) -> None:
        """A connection is gone."""
        self._do("drop", who)

    @rule(who=WHO, which=st.sampled_from(("up", "down", "both")))
    def half_open(self, who: int, which: str) -> None:
        """A connection swallows."""
        self._do("half_open", who, which)

    @rule(who=WHO, ms=st.sampled_from((200, 3_500)))
    def away(self, who: int, ms: int) -> None:
        """A page has no network."""
        self._do("away", who, ms)

    @rule(who=WHO, ms=st.sampled_from((300, 2_000)))
    def late_frames(self, who: int, ms: int) -> None:
        """An old socket brings something late."""
        self._do("late_frames", who, ms)

    @rule(who=WHO, kind=st.sampled_from(("welcome", "sync")))
    def lose(self, who: int, kind: str) -> None:
        """A frame is lost with its connection."""
        self._do("lose", who, kind)

    @rule(down_ms=st.sampled_from((0, 400)), how=st.sampled_from(("fresh", "other", "restored")))
    def restart(self, down_ms: int, how: str) -> None:
        """The server is killed and comes back."""
        self._do("restart", 0, down_ms, how)

    @rule(who=WHO)
    def twin(self, who: int) -> None:
        """A tab is duplicated."""
        self._do("foreign_session", who, "twin")

    @rule(who=WHO)
    def reload(self, who: int) -> None:
        """A page is loaded anew."""
        self._do("reload", who)

    def teardown(self) -> None:
        """Faults are over: all must be well."""
        world, self.world = self.world, None
        if world is not None:
            with quiet_core():
                try:
                    if world.broken is not None:
                        raise world.broken
                    heal(world)
                finally:
                    world.clean()

"""A case: everything that a run depends on, as small frozen values.

A seed draws a case (`draw`); a run takes a case and nothing else. So a case can be written down, cut smaller, kept as a
test and sent to somebody. Times are whole milliseconds of virtual time from the start.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Step:
    """Something that somebody does at an instant: a user, Python, the network, the server's operator, an attacker."""

    at_ms: int
    kind: str
    """The name of a verb of `actions`, `hazards` or `hostile`."""
    who: int = 0
    """Which tab, for what is done by or to one."""
    args: tuple[Any, ...] = ()
    """What the verb takes: ints, floats, strings, booleans."""


@dataclass(frozen=True, slots=True)
class TabSetup:
    """One page."""

    mode: Literal["v1", "base"] = "v1"
    policy: Literal["replay", "drop"] = "replay"
    hidden: tuple[str, ...] = ()
    """Widget ids that its user may not see."""
    subscribe: tuple[str, ...] | None = None
    """Widget ids that it asks for; None for all."""
    has_moods: bool = False
    """Its listeners set values themselves, and throw."""


@dataclass(frozen=True, slots=True)
class Setup:
    """The world before anything happens."""

    tabs: tuple[TabSetup, ...] = (TabSetup(),)
    widgets: tuple[str, ...] = ("w0",)
    """Ids of the widgets that are there from the start; the kind of `w<n>` follows from n."""
    linked: bool = False
    """Whether the first two widgets are linked."""
    real: bool = False
    """Whether there is an `anywidget.AnyWidget` besides, under the id `real`."""
    observers_first: bool = False
    """Whether a widget's own observers are older than its registration."""
    latency_ms: int = 20
    jitter_ms: int = 5
    kernel_ms: int = 1
    """How long an edit waits for the kernel."""
    limits: tuple[tuple[str, float], ...] = ()
    """Names of `Limits`, and values other than the default."""


@dataclass(frozen=True, slots=True)
class Case:
    """A world and what happens in it."""

    seed: int = 0
    """For what is drawn while it runs: jitter, backoff."""
    setup: Setup = field(default_factory=Setup)
    steps: tuple[Step, ...] = ()
    faults: tuple[str, ...] = ()
    """Codes that the seed drew; what fired is in the result."""

    def with_steps(self, steps: tuple[Step, ...]) -> Case:
        """The same world with other steps."""
        return replace(self, steps=steps)

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Case:
        """The case that `to_json` wrote. Raises `ValueError` or `KeyError` for anything else."""
        raw = json.loads(text)
        setup = raw["setup"]
        tabs = tuple(
            TabSetup(
                one["mode"],
                one["policy"],
                tuple(one["hidden"]),
                None if one["subscribe"] is None else tuple(one["subscribe"]),
                one["has_moods"],
            )
            for one in setup["tabs"]
        )
        limits = tuple((name, value) for name, value in setup["limits"])
        widgets = tuple(setup["widgets"])
        return cls(
            raw["seed"],
            Setup(**{**setup, "tabs": tabs, "limits": limits, "widgets": widgets}),
            tuple(Step(one["at_ms"], one["kind"], one["who"], tuple(one["args"])) for one in raw["steps"]),
            tuple(raw["faults"]),
        )

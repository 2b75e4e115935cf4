"""The widgets of the simulated Python side: plain `traitlets.HasTraits`, a trait for each way to be difficult.

They are as cheap as widgets get, since a run makes several per seed, and they tell the world what is done to them:
`Unique` reports each attempt to set it, `Number` and `Odd` what they hold, `notify_change` each change that was
notified. What a trait held is no matter of notifications: `1` over `True` notifies nobody, nor does what follows an
observer that raised.

A `Unique` trait only ever gets integers that are given once in a run. So who set a value, how often and in what order
is plain from the value, and the checkers need not ask the core.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

import traitlets

from rdit_core.encoding import encode
from rdit_core.errors import UnserializableValue

if TYPE_CHECKING:
    from .world import World


class Number(traitlets.Int[int, Any]):
    """An integer that says what it held."""

    def set(self, obj: Any, value: Any) -> None:
        """Report what goes, also where no observer hears of it."""
        obj.past[self.name].add(b"%d" % obj._trait_values.get(self.name, 0))
        obj.tell(self.name)  # A hold that just ended may have put it there.
        try:
            super().set(obj, value)
        finally:
            obj.tell(self.name)


class Unique(Number):
    """An integer whose values tell where they come from."""

    def validate(self, obj: Any, value: Any) -> int:
        """Report the attempt."""
        number: int = super().validate(obj, value)
        world = obj.world
        if world is not None:
            world.attempted(obj, self.name, number)
        return number


class Picky(Number):
    """Refuses what is not even."""

    def validate(self, obj: Any, value: Any) -> int:
        """Refuse at once."""
        number: int = super().validate(obj, value)
        if number % 2:
            raise traitlets.TraitError("odd")
        return number


class Odd(traitlets.Any):
    """Holds what it likes, and says what it held."""

    def set(self, obj: Any, value: Any) -> None:
        """Report what goes."""
        obj.note_blob()
        obj.tell("blob")
        try:
            super().set(obj, value)
        finally:
            obj.tell("blob")


class Panel(traitlets.HasTraits):
    """A widget with a trait for everything."""

    _esm = traitlets.Unicode("export default {}").tag(sync=True)
    free = Unique(0).tag(sync=True)
    other = Unique(0).tag(sync=True)
    clamped = Number(50).tag(sync=True)
    picky = Picky(0).tag(sync=True)
    low = Number(0).tag(sync=True)
    high = Number(10).tag(sync=True)
    linked = Number(0).tag(sync=True)
    flaky = Number(0).tag(sync=True)
    chain = Number(0).tag(sync=True)
    echoed = Number(0).tag(sync=True)
    spawn = Number(0).tag(sync=True)
    tick = Number(0, read_only=True).tag(sync=True)
    mail = Number(0).tag(sync=True)
    blob = Odd(None, allow_none=True).tag(sync=True)
    private = traitlets.Int(0)

    world: World | None = None
    widget_id = ""
    is_hosted = False
    link_limit = 1_000_000

    def __init__(self, widget_id: str) -> None:
        self.past: defaultdict[str, set[bytes]] = defaultdict(set)
        """JSON of what each trait held."""
        super().__init__()
        self.widget_id = widget_id
        self.stuck: dict[str, set[bytes]] = {}
        """Traits whose values pages cannot know (set without a form, or edited in place without `touch`): JSON of what
        they may be told instead.
        """

    def note_blob(self) -> None:
        """Keep what `blob` holds, which is about to change."""
        with suppress(UnserializableValue):
            self.past["blob"].add(encode(self._trait_values.get("blob")).json)

    def blob_forms(self) -> set[bytes]:
        """JSON of what pages may be told of `blob` now."""
        forms = set(self.stuck.get("blob", ()))
        with suppress(UnserializableValue):
            forms.add(encode(self._trait_values.get("blob")).json)
        return forms

    def tell(self, name: str) -> None:
        """Tell the world what a trait holds, heard of or not. Inside of a hold that is not settled yet."""
        if self.world is not None and not self._cross_validation_lock:
            self.world.holds(self, name, self._trait_values.get(name))

    @contextmanager
    def hold_trait_notifications(self) -> Iterator[None]:
        """Tell what stands once it is over."""
        try:
            with super().hold_trait_notifications():
                yield
        finally:
            for name in SHOWN:
                self.tell(name)

    def listen(self) -> None:
        """Put the observers on that make trouble."""
        self.observe(self._meet_flaky, "flaky")
        self.observe(self._meet_chain, "chain")
        self.observe(self._meet_spawn, "spawn")
        self.observe(self._meet_linked, "linked")

    @traitlets.validate("clamped")
    def _clamp(self, proposal: Any) -> int:
        return max(0, min(100, int(proposal["value"])))

    @traitlets.validate("linked")
    def _clamp_linked(self, proposal: Any) -> int:
        return min(self.link_limit, int(proposal["value"]))

    @traitlets.validate("low", "high")
    def _in_order(self, proposal: Any) -> int:
        value = int(proposal["value"])
        if (proposal["trait"].name == "low" and value > self.high) or (
            proposal["trait"].name == "high" and value < self.low
        ):
            raise traitlets.TraitError("low must not be above high")
        return value

    def notify_change(self, change: Any) -> None:
        """Tell the world before any observer runs: one that raises keeps those after it from hearing."""
        world = self.world
        if world is not None and change["type"] == "change":
            world.changed(self, change["name"], change["new"])
        super().notify_change(change)

    def _meet_flaky(self, change: Any) -> None:
        if change["new"] % 2:
            if self.world is not None:
                self.world.fire("F19")
            raise RuntimeError("this observer fails")

    def _meet_chain(self, change: Any) -> None:
        if self.world is not None:
            self.world.fire("F20")
        if change["new"] > 1000:
            self.chain = 1000
        self.echoed = self.chain + 1

    def _meet_linked(self, change: Any) -> None:
        if self.world is not None:
            self.world.send()  # A change is on its way along a link, and sockets have tasks of their own.

    def _meet_spawn(self, change: Any) -> None:
        if self.world is not None:
            self.world.spawned(self, change["new"])

    def _handle_custom_msg(self, content: Any, buffers: Any) -> None:
        if self.world is not None:
            self.world.handled(self, content, buffers)


class Board(Panel):
    """Another kind with the same traits, for ids that come back as something else."""


KINDS: Final = {"panel": Panel, "board": Board}

SYNCED: Final = tuple(sorted(Panel.class_traits(sync=True)))
"""Names of what pages are shown."""

SHOWN: Final = tuple(name for name in SYNCED if name != "_esm")
"""Without the module, which is no slot."""

WRITABLE: Final = tuple(name for name in SHOWN if name != "tick")

FORBIDDEN: Final = {
    "tick": "read_only",
    "private": "not_synced",
    "_esm": "protected_property",
    "nothing": "unknown_property",
}
"""What pages must not write, and what they must be told when they try."""

NOBODY_MAY: Final = frozenset(FORBIDDEN)

ODD_VALUES: Final[dict[str, Any]] = {
    "nan": math.nan,
    "inf": [1, -math.inf, None],
    "one": 1,
    "true": True,
    "float": 1.5,
    "huge": 2**53 + 1,
    "bytes": b"\x00\x01\xff",
    "nested": {"a": [b"x" * 9, {"b": b""}], "c": math.nan},
    "none": None,
    "text": "é\U0001f600",
    "list": [1, 2, [3]],
}
"""Name to value for `blob`; a case holds names."""


def odd_value(name: str) -> Any:
    """A fresh object of an odd value; `cycle` and `object` have no form on the wire, `big<n>` is a text of n bytes."""
    if name == "cycle":
        loop: list[Any] = []
        loop.append(loop)
        return loop
    if name == "object":
        return object()
    if name == "poison":
        return name
    if name.startswith("big"):
        return "b" * int(name[3:])
    value = ODD_VALUES[name]
    return list(value) if isinstance(value, list) else dict(value) if isinstance(value, dict) else value

"""Invariants that are seen at the two ends: what Python was asked to do, what a page was told, and how it all ends."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rdit_core.limits import Limits

from .checkers import Checker, OpLog, same
from .invariants_wire import WIRE
from .widgets import NOBODY_MAY, SHOWN, Panel

if TYPE_CHECKING:
    from .host import Port
    from .tab import Tab


class Converged(Checker):
    """I1."""

    code = "I1"
    sentence = "When faults stop and all is drained, every page shows what Python holds, slot by slot."

    def at_end(self) -> None:
        """All tabs, all widgets, all slots."""
        world = self.world
        for tab in world.tabs:
            if tab.is_over:
                continue
            shown_ids = {id for id in world.widgets if tab.may_show(id)}
            has_ids = set(tab.models()) - {"real"}
            self.require(
                shown_ids == has_ids, "{} has {}, should have {}", tab.name, sorted(has_ids), sorted(shown_ids)
            )
            for widget_id in sorted(shown_ids):
                self._compare(tab, widget_id, world.widgets[widget_id])

    def _compare(self, tab: Tab, widget_id: str, widget: Panel) -> None:
        model = tab.model(widget_id)
        assert model is not None
        for name in SHOWN:
            if name in widget.stuck or (widget_id, name) in tab.doubtful:
                continue
            held, shown = getattr(widget, name), model.get(name)
            is_beyond_base = tab.mode == "base" and (self.world.is_odd(held) or self.world.is_odd(shown))
            if not same(held, shown) and not is_beyond_base:
                self.fail("{} shows {}.{} = {!r}, Python holds {!r}", tab.name, widget_id, name, shown, held)


class NothingIsStuck(Checker):
    """I2."""

    code = "I2"
    sentence = "In the end no edit waits, no page is offline, and no session without a connection outlives its time."

    def at_end(self) -> None:
        """Called once everything that has a deadline has met it."""
        world = self.world
        for tab in world.tabs:
            if not tab.is_over:
                self.require(tab.is_live, "{} is {}", tab.name, tab.state)
                self.require(tab.is_idle, "{} still has edits on their way", tab.name)
        kept = len(world.host.manager.sessions)
        live = sum(tab.mode == "v1" and not tab.is_over for tab in world.tabs)
        self.require(kept == live, "{} sessions for {} pages", kept, live)


class AtMostOnce(Checker):
    """I4."""

    code = "I4"
    sentence = "A batch takes effect at most once per epoch: no observer and no handler runs twice for one edit."

    def on_change(self, widget: Panel, name: str, value: Any) -> None:
        """Each value of these traits is given once."""
        if name == "free" or name == "other":
            op = self.world.ops.get(value)
            # Base mode has no dedupe and says so: what was not answered is sent again.
            if op is not None and op.session is not None:
                self._count(op, "{}.{} took the same edit {} times", widget.widget_id, name)

    def on_handled(self, widget: Panel, content: Any, op: OpLog) -> None:
        """So is each message."""
        self._count(op, "{}: a {} was handled {} times", widget.widget_id, "message")

    def _count(self, op: OpLog, text: str, *arguments: str) -> None:
        epoch = self.world.host.epoch
        times = op.done[epoch] = op.done.get(epoch, 0) + 1
        if times > 1:
            self.fail(text, *arguments, times)


class NoJitter(Checker):
    """I7."""

    code = "I7"
    sentence = "A model is never told of a remote value for a slot that has an edit on its way, nor of an equal value."

    def on_told(self, tab: Tab, model: Any, name: str, value: Any) -> None:
        """Each callback."""
        key = (model.widget_id, name)
        if tab.is_pending(*key):
            # What a listener sets while the model tells of several properties is told once more in its turn.
            is_own = type(value) is int and value in tab.user.own.get(key, ())
            self.require(is_own, "{} was told {}.{} = {!r} under an edit", tab.name, *key, value)
        elif key in tab.listener.last_told:
            before = tab.listener.last_told[key]
            self.require(not same(before, value), "{} was told {}.{} = {!r} twice", tab.name, *key, value)


class RightIncarnation(Checker):
    """I13."""

    code = "I13"
    sentence = (
        "No edit reaches a widget whose inst is not the one that it was made for; ids of another epoch never match."
    )

    def on_try(self, widget: Panel, name: str, value: int, op: OpLog) -> None:
        """What Python is asked to set, against what the edit named."""
        inst = self.world.inst_of(widget)
        if inst is not None and op.session is not None and not op.session.is_hostile:
            self.require(op.inst == inst, "an edit for inst {} of {} reached inst {}", op.inst, widget.widget_id, inst)

    def on_handled(self, widget: Panel, content: Any, op: OpLog) -> None:
        """The same for messages."""
        inst = self.world.inst_of(widget)
        if inst is not None and op.inst >= 0:
            self.require(op.inst == inst, "a message for inst {} reached inst {}", op.inst, inst)


class BadFramesChangeNothing(Checker):
    """I14."""

    code = "I14"
    sentence = "A frame that was refused changes nothing, and nothing changes before a peer is let in."

    def on_try(self, widget: Panel, name: str, value: int, op: OpLog) -> None:
        """Values that travel in such frames only."""
        self.require(
            not op.is_forbidden, "a value from a frame that must not count reached {}.{}", widget.widget_id, name
        )

    def on_handled(self, widget: Panel, content: Any, op: OpLog) -> None:
        """Messages too."""
        self.require(not op.is_forbidden, "a message from a frame that must not count was handled")


class OnlyWhatIsOffered(Checker):
    """I15."""

    code = "I15"
    sentence = "Only synchronised, writable, unprotected traits ever change through the wire."

    def on_change(self, widget: Panel, name: str, value: Any) -> None:
        """A page's write of what no page may write."""
        if name in NOBODY_MAY:
            self.require(self.world.is_python, "a page changed {}.{}", widget.widget_id, name)


class TroubleStaysLocal(Checker):
    """I16."""

    code = "I16"
    sentence = "An observer or a handler that raises closes no connection, stops no loop, and loses no value."

    def on_close(self, port: Port, code: int) -> None:
        """`internal` is what a server says that lost its way."""
        self.require(code != 4001, "{} was closed as 'internal'", port.name)


class Quiet(Checker):
    """I17."""

    code = "I17"
    sentence = "With no edits, frames stop: no two widgets and no two pages keep each other busy."

    def at_end(self) -> None:
        """Counted by the healing phase."""
        self.require(not self.world.noise, "{} frames after everything was settled", self.world.noise)


class OneReplyEach(Checker):
    """I18."""

    code = "I18"
    sentence = "Base mode: each update gets exactly one reply, in order, and pages converge after silence."

    def at_end(self) -> None:
        """No reply is outstanding; order is watched as the frames are cut (`Port.watch_base`)."""
        for tab in self.world.tabs:
            port = tab.port
            if tab.mode == "base" and port is not None:
                self.require(not port.unanswered, "{} updates of {} got no reply", len(port.unanswered), tab.name)


class CloseIsFinal(Checker):
    """I20."""

    code = "I20"
    sentence = "A close is final: no frame to a connection after it, no callback to a widget's model after it closed."

    def on_told(self, tab: Tab, model: Any, name: str, value: Any) -> None:
        """The model that is told is the one that is open."""
        self.require(tab.model(model.widget_id) is model, "{} told a closed model of {}", tab.name, model.widget_id)


class Deterministic(Checker):
    """I19."""

    code = "I19"
    sentence = "The same seed gives the same trace on every Python. (Checked by running a seed twice.)"


class TotalDecoder(Checker):
    """I21."""

    code = "I21"
    sentence = "Any bytes give a message or a named error; no verb of either end raises for what a frame holds."


class CompareAndSet(Checker):
    """I22."""

    code = "I22"
    sentence = "An edit that is sent again from an old session never overwrites a slot that changed since."

    def on_try(self, widget: Panel, name: str, value: int, op: OpLog) -> None:
        """What Python holds, against the revision that the edit names."""
        if op.if_rev is None:
            return
        known = self.world.rev_values.get((widget.widget_id, name, op.if_rev))
        present = widget._trait_values.get(name)
        if known is not None:
            self.require(
                known == present,
                "{}.{} changed since rev {}: {} is now {}",
                widget.widget_id,
                name,
                op.if_rev,
                known,
                present,
            )


class NoWedge(Checker):
    """I23."""

    code = "I23"
    sentence = "No frame, however bad, wedges a page: later edits of the same page still settle."

    def at_end(self) -> None:
        """The healing phase makes an edit in each page, and it must have arrived."""
        world = self.world
        for tab, widget_id, value in world.probes:
            if not tab.is_over:
                self.require(
                    value in world.committed or tab.has_excuse(widget_id),
                    "the last edit of {} ({}.free) never arrived",
                    tab.name,
                    widget_id,
                )


@dataclass(slots=True, eq=False)
class _Mailbox:
    """What one page is to be told of one widget's `mail`, over one connection."""

    tab: Tab
    port: Port
    model: Any
    values: deque[int] = field(default_factory=deque)


class NotSwallowed(Checker):
    """I24."""

    code = "I24"
    sentence = "What Python sets and takes back at once is told to every page that is connected and stays so, in order."

    def __init__(self, world: Any) -> None:
        super().__init__(world)
        self.mailboxes: dict[tuple[str, str], _Mailbox] = {}
        self.is_bounded = world.limits.max_moments < Limits().max_moments

    def on_pulse(self, widget: Panel, value: int) -> None:
        """Whom it must reach."""
        for tab in self.world.tabs:
            port, model = tab.port, tab.model(widget.widget_id)
            if self.is_bounded or port is None or not port.is_open or model is None or not tab.is_live:
                continue
            if tab.mode == "base" or tab.inst.get(widget.widget_id) != self.world.inst_of(widget):
                continue  # What listeners of base mode hear is not watched.
            key = (tab.name, widget.widget_id)
            mailbox = self.mailboxes.get(key)
            if mailbox is None or mailbox.port is not port or mailbox.model is not model:
                mailbox = self.mailboxes[key] = _Mailbox(tab, port, model)
            mailbox.values.append(value)

    def on_told(self, tab: Tab, model: Any, name: str, value: Any) -> None:
        """One after the other."""
        if name != "mail" or value == 0:
            return
        mailbox = self.mailboxes.get((tab.name, model.widget_id))
        if mailbox is None or not self._is_owed(mailbox) or mailbox.model is not model or value < mailbox.values[0]:
            return
        self.world.mark("pulse told")
        due = mailbox.values.popleft()
        self.require(due == value, "{} was told {}.mail = {} before {}", tab.name, model.widget_id, value, due)

    def at_end(self) -> None:
        """None is left."""
        for (name, widget_id), mailbox in self.mailboxes.items():
            if self._is_owed(mailbox):
                self.fail("{} was never told {}.mail = {}", name, widget_id, mailbox.values[0])

    def _is_owed(self, mailbox: _Mailbox) -> bool:
        """Whether nothing came between: another connection, another widget, another load of the page."""
        tab, port, model = mailbox.tab, mailbox.port, mailbox.model
        return bool(mailbox.values) and tab.port is port and port.is_open and tab.model(model.widget_id) is model


class LinkedAlike(Checker):
    """I25."""

    code = "I25"
    sentence = (
        "Two linked traits are shown alike by every page that has applied a `sync`, unless its user is setting one."
    )

    def on_read(self, tab: Tab, view: Any, expected: Any) -> None:
        """Each `sync` that is whole."""
        world = self.world
        if world.linked is None or not tab.is_live:
            return
        shown: list[Any] = []
        for widget in world.linked:
            widget_id = widget.widget_id
            if world.widgets.get(widget_id) is not widget:
                return  # It was closed, and its link with it.
            model, inst = tab.model(widget_id), world.inst_of(widget)
            if model is None or inst is None or tab.inst.get(widget_id) != inst or tab.is_busy(widget_id, "linked"):
                return
            shown.append(model.get("linked"))
        world.mark("linked traits shown")
        self.require(shown[0] == shown[1], "{} shows linked traits as {} and {}", tab.name, *shown)


ENDS = (
    Converged,
    NothingIsStuck,
    AtMostOnce,
    NoJitter,
    RightIncarnation,
    BadFramesChangeNothing,
    OnlyWhatIsOffered,
    TroubleStaysLocal,
    Quiet,
    OneReplyEach,
    Deterministic,
    CloseIsFinal,
    TotalDecoder,
    CompareAndSet,
    NoWedge,
    NotSwallowed,
    LinkedAlike,
)

CHECKERS: tuple[type[Checker], ...] = tuple(sorted((*WIRE, *ENDS), key=lambda one: int(one.code[1:])))
"""All invariants, in order of their numbers."""

INVARIANTS = {one.code: one.sentence for one in CHECKERS}
"""Code to sentence."""

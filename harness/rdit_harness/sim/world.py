"""The world: one server, its network, its pages, and everything that is known of them.

A world is made from a case and runs it to the end, or to the first violation. It holds no chance of its own: what a
case does not fix (jitter, backoff) comes from streams of the case's seed.

`trace` is what happened, in order: instants, lanes and bytes. Its hash says whether two runs were the same, and the
timeline is drawn from it.
"""

from __future__ import annotations

import hashlib
import traceback
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import PurePath
from typing import Any

import msgspec
import traitlets

from rdit_core import link_traits
from rdit_core.encoding import encode
from rdit_core.errors import LimitReached, UnserializableValue
from rdit_core.limits import Limits

from .actions import ACTIONS
from .agenda import MS, Agenda, S
from .base_tab import BaseTab
from .checkers import Hooks, InvariantBroken, OpLog, SessionLog, Violation
from .dice import Dice
from .hazards import HAZARDS
from .healing import heal
from .host import Host, Port
from .hostile import HOSTILE
from .invariants_ends import CHECKERS
from .network import Frame
from .plan import Case, Step
from .tab import Tab
from .widgets import KINDS, SHOWN, Panel
from .wire import WelcomeView

VERBS = {**ACTIONS, **HAZARDS, **HOSTILE}
"""Name of a step's kind to what it does: `verb(world, step)`."""

_MAX_ENTRIES = 60_000
"""Turns of the agenda after which a run is called endless."""


class World:
    """One run of one case."""

    def __init__(self, case: Case, *, recorder: Any = None) -> None:
        self.case = case
        self.recorder = recorder
        """Writes down what the first page goes through (`record`)."""
        self.setup = case.setup
        self.agenda = Agenda()
        self.dice = Dice(case.seed, "run")
        self.network = self.dice.stream("network")
        self.limits = replace(Limits(), **{name: _number(name, value) for name, value in self.setup.limits})
        self.client_limits = replace(self.limits, max_frame_bytes=Limits().max_frame_bytes)
        self.trace: list[tuple[int, str, Frame]] = []
        self.losses: list[tuple[int, str, Frame]] = []
        self.events = 0
        """Frames delivered, timers that were due, faults that were applied."""
        self.steps = 0
        """Everything else: turns of the kernel, actions of users and of Python."""
        self.fired: Counter[str] = Counter()
        self.marks: Counter[str] = Counter()
        self.awake: list[Port] = []
        self.server_skew_ns = 0
        self.is_python = True
        """Whether what runs now is Python's own doing, not a page's."""
        self.is_midway = False
        """Whether what is sent now is sent while Python is at work: not all that traits hold is told of yet."""
        self.noise = 0
        self.is_counting = False
        self.has_poison = any("poison" in step.args for step in case.steps)
        self.late_ns = 0
        """Until then an old socket may still bring something."""
        self.broken: InvariantBroken | None = None
        self.probes: list[tuple[Tab, str, int]] = []
        self.peers: list[Any] = []
        # What is known.
        self.ops: dict[int, OpLog] = {}
        self.sessions: dict[tuple[str, str], SessionLog] = {}
        self.committed: set[int] = {0}
        """Of the values that are given once: those that a trait held."""
        self.held: defaultdict[tuple[str, str], set[int]] = defaultdict(set)
        """Widget id and name to the integers that other traits held."""
        self.rev_values: dict[tuple[str, str, int], int] = {}
        self._insts: dict[int, int] = {}
        self._everything: list[Panel] = []
        self._unique = 0
        self._names: Counter[str] = Counter()
        self._epochs = 0
        self._links: list[Any] = []
        self.linked: tuple[Panel, Panel] | None = None
        """The two whose `linked` follow each other, as long as both are there."""
        self.tabs: list[Tab] = []
        self.hooks = Hooks([checker(self) for checker in CHECKERS])
        self.widgets: dict[str, Panel] = {}
        self.real: Any = None
        self.host = self.new_host()
        self.open_all({})
        self.tabs = [
            (BaseTab if one.mode == "base" else Tab)(self, index, one) for index, one in enumerate(self.setup.tabs)
        ]
        if len({one.mode for one in self.setup.tabs}) > 1:
            self.fire("F34")
        if self.setup.jitter_ms > self.setup.latency_ms and len(self.tabs) > 1:
            self.fire("F10")

    # Running.

    def run(self) -> None:
        """Run the case: its steps, then the healing, then what is asked at the end.

        Raises:
            InvariantBroken: at the first violation.
        """
        agenda = self.agenda
        for step in self.case.steps:
            agenda.at(step.at_ms * MS, self._take, step)
        end = (self.case.steps[-1].at_ms if self.case.steps else 0) * MS + 1
        try:
            self.run_until(end)
            heal(self)
        except InvariantBroken:
            raise
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{PurePath(where.filename).name}, line {where.lineno}, in {where.name}"
            self.violate("I21", f"{type(error).__name__}: {error} ({place})")
        finally:
            self.clean()

    def run_until(self, end_ns: int) -> None:
        """Run what is due up to an instant, included."""
        awake = self.awake
        for count, _ in enumerate(self.agenda.turns(end_ns)):
            if awake:
                self.drain()
            if self.broken is not None:
                raise self.broken
            if count >= _MAX_ENTRIES:
                self.violate("I17", f"still busy after {_MAX_ENTRIES} turns")

    def drain(self) -> None:
        """Give every connection that was woken its turn."""
        awake = self.awake
        while awake:
            ports = awake[:]
            awake.clear()
            for port in ports:
                if port.is_awake:
                    port.drain()

    def send(self) -> None:
        """Have every connection send what it has, in the midst of whatever Python does."""
        self.is_midway = True
        for tab in self.tabs:
            if tab.port is not None:
                tab.port.send()
        self.is_midway = False

    def _take(self, step: Step) -> None:
        self.steps += 1
        self.trace.append((self.agenda.now_ns, f"t{step.who}", step.kind))
        VERBS[step.kind](self, step)

    def clean(self) -> None:
        """Let go of what reaches beyond the run."""
        for link in self._links:
            link.unlink()
        for widget in self._everything:
            widget.world = None
        if self.real is not None:
            self.real.close()
            self.real = None

    # What happened.

    def fire(self, fault: str) -> None:
        """A fault has hit something."""
        self.fired[fault] += 1

    def apply_fault(self, fault: str) -> None:
        """The same, for one that is an event of its own."""
        self.fired[fault] += 1
        self.events += 1

    def mark(self, name: str) -> None:
        """A corner was reached."""
        self.marks[name] += 1

    def violate(self, code: str, detail: str) -> None:
        """End the run. It may be user code that found it, whose exceptions the core catches, so it is kept besides."""
        if self.broken is None:
            self.broken = InvariantBroken(Violation(code, self.agenda.now_ns, detail))
        raise self.broken

    def lost(self, lane: str, frame: Frame) -> None:
        """A frame did not arrive."""
        self.losses.append((self.agenda.now_ns, lane, frame))

    def count_frame(self) -> None:
        """A frame with content went out."""
        if self.is_counting:
            self.noise += 1

    def trace_hash(self) -> str:
        """Over every event: instant, lane, bytes."""
        lines = [
            # Bytes that are no UTF-8 come out of the encoding below as they were.
            f"{at} {lane} \n{data if isinstance(data, str) else data.decode('utf-8', 'surrogateescape')}"
            for at, lane, data in self.trace
        ]
        return hashlib.blake2b("\n".join(lines).encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()

    # Names and numbers.

    def next_unique(self) -> int:
        """An integer that nobody had before."""
        self._unique += 1
        return self._unique

    def next_name(self, prefix: str) -> str:
        """A name for a transport."""
        self._names[prefix] += 1
        return f"{prefix}.{self._names[prefix]}"

    def new_host(self) -> Host:
        """A fresh process of the server."""
        self._epochs += 1
        self._insts.clear()
        self.rev_values.clear()
        return Host(self, f"epoch{self._epochs}")

    # Widgets.

    def open_all(self, state: dict[str, dict[str, Any]], *, other_kinds: bool = False) -> None:
        """Make the widgets that a process starts with; `state` is what some of them hold from before."""
        for link in self._links:
            link.unlink()
        self._links.clear()
        self.linked = None
        for widget in self.widgets.values():
            widget.world = None
        self.widgets.clear()
        for index, widget_id in enumerate(self.setup.widgets):
            kind = "board" if other_kinds and index % 2 == 0 else "panel"
            self.open_widget(widget_id, kind, state.get(widget_id))
        first_two = [self.widgets[one] for one in self.setup.widgets[:2]]
        if self.setup.linked and len(first_two) == 2:
            first_two[1].link_limit = 50
            self._links.append(link_traits((first_two[0], "linked"), (first_two[1], "linked")))
            self.linked = first_two[0], first_two[1]
            self._links.append(traitlets.dlink((first_two[0], "echoed"), (first_two[1], "chain"), lambda one: one % 7))
        if self.setup.real:
            self._open_real()

    def _open_real(self) -> None:
        import anywidget
        from ipywidgets import Widget

        if self.real is not None:
            self.real.close()
        assert issubclass(anywidget.AnyWidget, Widget)

        class Real(anywidget.AnyWidget):
            _esm = "export default {}"
            value = traitlets.Int(0).tag(sync=True)

        self.real = Real()
        self.host.manager.register("real", self.real)

    def open_widget(self, widget_id: str, kind: str = "panel", state: dict[str, Any] | None = None) -> Panel | None:
        """Make a widget and host it under an id. None when there are too many."""
        widget = KINDS[kind](widget_id)
        self._everything.append(widget)
        for name in SHOWN:
            value = getattr(widget, name)
            if state and name in state:
                value = state[name]
                with widget.hold_trait_notifications():
                    widget.set_trait(name, value)
            self.holds(widget, name, value)
        widget.world = self
        if self.setup.observers_first:
            widget.listen()
        try:
            self.host.manager.register(widget_id, widget)
        except LimitReached:
            self.mark("widget limit")
            return None
        if not self.setup.observers_first:
            widget.listen()
        widget.is_hosted = True
        self.widgets[widget_id] = widget
        self._tell_base_tabs()
        return widget

    def close_widget(self, widget_id: str) -> bool:
        """Let go of a widget."""
        widget = self.widgets.pop(widget_id, None)
        if widget is None:
            return False
        widget.is_hosted = False
        self.host.manager.unregister(widget_id)
        self._tell_base_tabs()
        return True

    def _tell_base_tabs(self) -> None:
        for tab in self.tabs:
            if isinstance(tab, BaseTab):
                tab.widgets_changed()

    def inst_of(self, widget: Panel) -> int | None:
        """The inst under which a widget was announced; None before it was."""
        return self._insts.get(id(widget))

    def opened(self, widget_id: str, inst: int) -> None:
        """The server announces a widget."""
        widget = self.widgets.get(widget_id)
        if widget is not None:
            known = self._insts.setdefault(id(widget), inst)
            if known != inst:
                self.violate("I13", f"{widget_id} was announced as inst {known}, now as {inst}")

    # What widgets tell.

    def attempted(self, widget: Panel, name: str, value: int) -> None:
        """A `Unique` trait is about to be set."""
        if self.is_python:
            return
        op = self.ops.get(value)
        if op is not None:
            is_new = op.tried != self.host.epoch
            op.tried = self.host.epoch
            # While traitlets puts values back after a hold that failed, this stands in the widget's own dict.
            is_put_back = getattr(vars(widget).get("notify_change"), "__name__", "") == "<lambda>"
            if widget._trait_values.get(name) == value or (not is_new and (is_put_back or self.host.epoch in op.done)):
                # traitlets sets a value again when a hold ends, and an old one when it fails. If it is a batch that
                # came twice, AtMostOnce says so.
                return
            asking = self.host.manager.asking
            if asking is not None and op.session is not None and asking.session_id != op.session.session:
                return  # The op as an earlier session sent it; what is known is of the later one.
            for check in self.hooks.on_try:
                check(widget, name, value, op)

    def holds(self, widget: Panel, name: str, value: Any) -> None:
        """A trait holds this, whether its observers hear of it or not."""
        if type(value) is int:
            if name == "free" or name == "other":
                self.committed.add(value)
            else:
                self.held[widget.widget_id, name].add(value)

    def changed(self, widget: Panel, name: str, value: Any) -> None:
        """A trait changed, and its observers are about to hear of it."""
        if widget.stuck:
            widget.stuck.pop(name, None)
        for check in self.hooks.on_change:
            check(widget, name, value)

    def pulsed(self, widget: Panel, value: int) -> None:
        """Python is about to put a value into `mail`, and to take it back at once."""
        for check in self.hooks.on_pulse:
            check(widget, value)

    def handled(self, widget: Panel, content: Any, buffers: Any) -> None:
        """A message reached its widget."""
        op = self.ops.get(content.get("id", -1)) if type(content) is dict else None
        if op is not None:
            op.tried = self.host.epoch
            self.mark("message to Python")
            for check in self.hooks.on_handled:
                check(widget, content, op)
            if content.get("fail"):
                raise RuntimeError("this handler fails")

    def spawned(self, widget: Panel, value: int) -> None:
        """An observer opens, closes, sends."""
        self.fire("F20")
        if not widget.is_hosted:
            return
        was_python, self.is_python = self.is_python, True
        try:
            what = value % 4
            if what == 0:
                self.reopen(f"s{value % 3}", "panel")
            elif what == 1:
                self.close_widget(f"s{value % 3}")
            elif what == 2:
                self.send_message(widget.widget_id)
            else:
                self.reopen(widget.widget_id, "panel")
        finally:
            self.is_python = was_python

    def reopen(self, widget_id: str, kind: str) -> None:
        """Another widget under an id."""
        if widget_id in self.widgets:
            self.close_widget(widget_id)
            self.mark("id opened again")
        self.open_widget(widget_id, kind)

    def send_message(self, widget_id: str, *, size: int = 0, to: SessionLog | None = None) -> None:
        """Python sends a custom message, after a change that the page must have seen before."""
        widget = self.widgets.get(widget_id)
        if widget is None:
            return
        tick = widget.tick + 1
        was_python, self.is_python = self.is_python, True
        try:
            widget.set_trait("tick", tick)
        finally:
            self.is_python = was_python
        content = {"k": self.next_unique(), "tick": tick, "pad": "p" * size}
        buffers = [bytes(16)] if size % 2 else []
        if to is not None:
            content["to"] = to.session
        self.host.send(widget_id, content, buffers, to)

    # Sessions.

    def welcomed(self, port: Port, view: WelcomeView) -> SessionLog:
        """The server let a peer in."""
        key = (view.epoch, view.session)
        session = self.sessions.get(key)
        if session is None:
            if view.resumed:
                self.violate("I13", f"{port.name} resumed a session that there never was")
            if view.epoch != self.host.epoch:
                self.violate("I13", f"{port.name} was told epoch {view.epoch}")
            session = SessionLog(view.epoch, view.session, view.secret, port.owner.name)
            session.last_seq = session.ack_cut = session.ack_read = session.tried_seq = view.ack
            session.is_hostile = not isinstance(port.owner, Tab)
            self.sessions[key] = session
        elif not view.resumed:
            self.violate("I11", f"{port.name} was given a session that another has")
        elif session.secret != view.secret:
            self.violate("I11", f"the secret of {view.session} changed")
        return session

    def closed(self, port: Port, code: int) -> None:
        """The server ends a connection."""
        self.mark(f"server closed {code}")
        for check in self.hooks.on_close:
            check(port, code)

    # Values.

    def is_form(self, encoded: Any, value: Any) -> bool:
        """Whether bytes are the JSON of a value, buffers and non-finite numbers left out."""
        try:
            return encode(value).json == bytes(encoded)
        except UnserializableValue:
            return False

    def is_odd(self, value: Any) -> bool:
        """Whether base mode cannot carry a value as it is."""
        try:
            return bool(encode(value).specials)
        except UnserializableValue:
            return True

    def end_ns(self, seconds: float) -> int:
        """An instant from now."""
        return self.agenda.now_ns + int(seconds * S)


def _number(name: str, value: float) -> Any:
    return float(value) if name.endswith("_s") else int(value)


__all__ = ["VERBS", "World", "msgspec"]

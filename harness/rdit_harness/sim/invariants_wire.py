"""Invariants that are read from the frames: acknowledgement, order, revisions, credit, who sees what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .checkers import Checker, OpLog, SessionLog, same
from .widgets import FORBIDDEN, Panel
from .wire import BatchView, MsgView, SetView, SyncView, without_ack

if TYPE_CHECKING:
    from .host import Port
    from .tab import Tab


class NothingAcknowledgedIsLost(Checker):
    """I3."""

    code = "I3"
    sentence = (
        "No acknowledged edit is lost: when ack >= seq, each op of that batch was applied, or refused with a code, "
        "in that epoch."
    )

    def on_sync(self, port: Port, session: SessionLog, sync: SyncView, frame: str | bytes) -> None:
        """Each op up to the ack."""
        if sync.ack is None or sync.ack <= session.ack_cut or session.is_hostile:
            return
        self.require(sync.ack <= session.last_seq, "ack {} of what was never sent ({})", sync.ack, session.last_seq)
        ops = self.world.ops
        for seq in range(session.ack_cut + 1, sync.ack + 1):
            for index, op in enumerate(session.batches[seq][1]):
                if (seq, index) in session.refused:
                    continue
                if type(op) is SetView:
                    name = op.property
                    if name == "free" or name == "other":
                        log = ops.get(int(bytes(op.value)))
                        if log is not None and log.tried != session.epoch:
                            self.fail(
                                "batch {} of {}: {}.{} neither set nor refused", seq, port.name, op.widget_id, name
                            )
                    elif name in FORBIDDEN:
                        self.fail("batch {} of {}: {} was not refused", seq, port.name, name)
                    elif name == "picky" and int(bytes(op.value)) % 2:
                        self.fail("batch {} of {}: an invalid value was not refused", seq, port.name)
                elif isinstance(op, MsgView) and type(op.content) is dict:
                    log = ops.get(op.content.get("id", -1))
                    if log is not None and log.tried != session.epoch:
                        self.fail("batch {} of {}: message neither handled nor refused", seq, port.name)

    def on_read(self, tab: Tab, sync: SyncView, expected: Any) -> None:
        """The page's user hears of each refusal of an edit that it still waited for."""
        if sync.rejects and sync.ack is not None:
            for seq, index, code in tab.refusals_due(sync):
                self.require(
                    tab.was_refused(code),
                    "refusal {} of op {} in batch {} was not reported in {}",
                    code,
                    index,
                    seq,
                    tab.name,
                )


class InOrder(Checker):
    """I5."""

    code = "I5"
    sentence = (
        "Edits of one page take effect in the order of its batches; batch numbers have no gaps; a batch never changes."
    )

    def on_batch(self, tab: Tab, session: SessionLog, batch: BatchView, frame: str | bytes, repeat: bool) -> None:
        """Numbers and bytes."""
        if not repeat:
            self.require(batch.seq == session.last_seq + 1, "batch {} after {}", batch.seq, session.last_seq)
        elif batch.ops:
            before = session.batches[batch.seq][0]
            self.require(without_ack(frame, batch) == before, "batch {} was sent again with other content", batch.seq)

    def on_try(self, widget: Panel, name: str, value: int, op: OpLog) -> None:
        """Sequence of effects."""
        session = op.session
        if session is not None and not session.is_hostile:
            self.require(op.seq >= session.tried_seq, "batch {} took effect after batch {}", op.seq, session.tried_seq)
            session.tried_seq = op.seq


class RevisionsGrow(Checker):
    """I6."""

    code = "I6"
    sentence = "Revisions never go back inside an epoch, and none is given twice."

    def __init__(self, world: Any) -> None:
        super().__init__(world)
        self.given: dict[tuple[str, int], tuple[str, str, bytes]] = {}

    def on_sync(self, port: Port, session: SessionLog, sync: SyncView, frame: str | bytes) -> None:
        """Of the frame and of each slot in it."""
        log = port.log
        if sync.frame != log.frame + 1:
            self.fail("frame {} after {}", sync.frame, log.frame)
        if sync.rev < log.rev:
            self.fail("rev {} after {}", sync.rev, log.rev)
        for widget_id, _, name, value, rev in sync.changes:
            self._slot(session.epoch, widget_id, name, bytes(value), rev, sync.rev)
        for opened in sync.open:
            for name, (value, rev) in opened.props.items():
                self._slot(session.epoch, opened.widget_id, name, bytes(value), rev, sync.rev)
        for widget_id, _, name, seq, index, rev in sync.same:
            self._slot(session.epoch, widget_id, name, bytes(session.batches[seq][1][index].value), rev, sync.rev)

    def _slot(self, epoch: str, widget_id: str, name: str, value: bytes, rev: int, frame_rev: int) -> None:
        if rev > frame_rev:
            self.fail("{}.{} has rev {}, its frame {}", widget_id, name, rev, frame_rev)
        key = (epoch, rev)
        mine = (widget_id, name, value)
        other = self.given.setdefault(key, mine)
        # A widget's first values share the rev at which it opened.
        if other != mine and other[:2] == mine[:2]:
            self.fail("rev {} of {}.{} names two values: {} and {}", rev, widget_id, name, other[2], value)


class Present(Checker):
    """I8, the server's half."""

    code = "I8"
    sentence = "A page never shows a value that was neither its own edit nor a value that Python held."

    def on_sync(self, port: Port, session: SessionLog, sync: SyncView, frame: str | bytes) -> None:
        """What is sent is what Python holds at that moment, or held at an earlier one that is told whole."""
        world = self.world
        is_past = sync.rev < world.host.manager.store.revisions.last
        if is_past:
            world.mark("past moment")
        is_past = is_past or world.is_midway
        for widget_id, inst, name, value, rev in sync.changes:
            widget = world.widgets.get(widget_id)
            if widget is not None and world.inst_of(widget) == inst:
                self._value(widget, name, value, rev, is_past)
        for opened in sync.open:
            widget = world.widgets.get(opened.widget_id)
            if widget is not None and world.inst_of(widget) == opened.inst:
                for name, (value, rev) in opened.props.items():
                    self._value(widget, name, value, rev, is_past)
        for widget_id, inst, name, seq, index, rev in sync.same:
            world.mark("value named, not sent")
            widget = world.widgets.get(widget_id)
            if widget is not None and world.inst_of(widget) == inst:
                self._value(widget, name, session.batches[seq][1][index].value, rev, is_past)

    def _value(self, widget: Panel, name: str, value: Any, rev: int, is_past: bool) -> None:
        if name == "_esm":
            return
        present = widget._trait_values.get(name)
        if name in widget.stuck:
            is_known = bytes(value) in widget.blob_forms() or (is_past and bytes(value) in widget.past[name])
            self.require(is_known, "{}.{} has no form and was sent as {}", widget.widget_id, name, bytes(value))
            return
        if is_past and bytes(value) in widget.past[name]:
            if type(present) is not int or name == "blob":
                return
            present = int(bytes(value))
        if type(present) is int:
            if bytes(value) != b"%d" % present:
                self.fail("{}.{} is {} and was sent as {}", widget.widget_id, name, present, bytes(value))
            if name == "free" or name == "other":
                self.world.rev_values[widget.widget_id, name, rev] = present
        elif not self.world.is_form(value, present):
            self.fail("{}.{} is {!r} and was sent as {}", widget.widget_id, name, present, bytes(value))

    def on_told(self, tab: Tab, model: Any, name: str, value: Any) -> None:
        """What is shown was somewhere."""
        if type(value) is not int:
            return
        world = self.world
        if name in ("free", "other"):
            op = world.ops.get(value)
            is_known = value in world.committed or (op is not None and op.tab == tab.name)
        else:
            is_known = value in world.held.get((model.widget_id, name), ()) or value in tab.user.own.get(
                (model.widget_id, name), ()
            )
        self.require(is_known, "{} shows {}.{} = {}, which nobody set", tab.name, model.widget_id, name, value)


class Whole(Checker):
    """I9."""

    code = "I9"
    sentence = "No page sees the acknowledgement of a batch without its changes, nor half a frame."

    def on_read(self, tab: Tab, sync: SyncView, expected: Any) -> None:
        """A settled slot shows what Python held when the ack was sent."""
        for widget_id, name, inst, value in expected:
            model = tab.model(widget_id)
            if model is None or tab.inst.get(widget_id) != inst or tab.is_busy(widget_id, name):
                continue
            shown = model.get(name)
            self.require(
                same(shown, value),
                "{} shows {}.{} = {!r} after the ack; Python held {!r}",
                tab.name,
                widget_id,
                name,
                shown,
                value,
            )


class Bounded(Checker):
    """I10."""

    code = "I10"
    sentence = "What is kept and what is under way is bounded by the limits: batches, ops, frames, credit, sessions."

    def on_batch(self, tab: Tab, session: SessionLog, batch: BatchView, frame: str | bytes, repeat: bool) -> None:
        """Of a page."""
        limits = self.world.limits
        self.require(len(batch.ops) <= limits.max_ops, "{} ops in a batch", len(batch.ops))
        self.require(len(frame) <= limits.max_frame_bytes, "a frame of {} bytes", len(frame))
        self.require(
            # Who leaves says all that is left, whatever is under way.
            batch.seq - session.ack_read <= limits.max_inflight or tab.is_leaving,
            "batch {} was sent when {} was acknowledged",
            batch.seq,
            session.ack_read,
        )

    def on_sync(self, port: Port, session: SessionLog, sync: SyncView, frame: str | bytes) -> None:
        """Of the server: credit."""
        log, limits = port.log, self.world.limits
        if len(log.open_frames) >= limits.max_sync_frames:
            self.fail("{} syncs under way", len(log.open_frames) + 1)
        if log.open_frames and log.bytes >= limits.max_sync_bytes:
            self.fail("{} bytes of sync under way", log.bytes + len(frame))

    def at_end(self) -> None:
        """Of what the server keeps."""
        limits = self.world.limits
        for session in self.world.host.manager.sessions:
            self.require(len(session.messages) <= limits.max_messages, "{} messages kept", len(session.messages))
            self.require(len(session.rejects) <= limits.max_rejects, "{} rejects kept", len(session.rejects))


class NoLeak(Checker):
    """I11."""

    code = "I11"
    sentence = (
        "A connection receives only widgets that it may see and asked for; verdicts and replies go to their session."
    )

    def on_sync(self, port: Port, session: SessionLog, sync: SyncView, frame: str | bytes) -> None:
        """Every entry."""
        hidden, wanted = port.hidden, port.log.subscribe
        if hidden or wanted is not None:
            ids = [one[0] for one in sync.changes]
            ids += [one[0] for one in sync.same]
            ids += [one.widget_id for one in sync.open]
            ids += [one.widget_id for one in sync.msgs]
            ids += [one[0] for one in sync.live or ()]
            for widget_id in ids:
                self.require(widget_id not in hidden, "{} was sent {}, which is hidden from it", port.name, widget_id)
                self.require(
                    wanted is None or widget_id in wanted,
                    "{} was sent {}, which it did not ask for",
                    port.name,
                    widget_id,
                )
        for reject in sync.rejects:
            self.require(
                reject.seq in session.batches or session.is_hostile,
                "{} was told of batch {}, which is not its own",
                port.name,
                reject.seq,
            )
        for message in sync.msgs:
            target = message.content.get("to") if type(message.content) is dict else None
            self.require(target is None or target == session.session, "{} got a message for another session", port.name)


class MessagesInOrder(Checker):
    """I12."""

    code = "I12"
    sentence = (
        "Messages arrive in order, at most once per session, every gap announced; sets before and after stay there."
    )

    def __init__(self, world: Any) -> None:
        super().__init__(world)
        self.seen: set[tuple[str, int, int]] = set()
        self.last: dict[tuple[str, int], int] = {}

    def on_batch(self, tab: Tab, session: SessionLog, batch: BatchView, frame: str | bytes, repeat: bool) -> None:
        """The barrier, page to Python."""
        if repeat:
            return
        sets, messages = session.last_set_stamp, session.last_msg_stamp
        for op in batch.ops:
            if type(op) is SetView:
                if op.property in ("free", "other") and op.if_rev is None:
                    stamp = self.world.ops[int(bytes(op.value))].stamp
                    before = messages.get(op.widget_id, 0)
                    self.require(stamp > before, "{}: a set was sent after a later message", tab.name)
                    sets[op.widget_id] = max(sets.get(op.widget_id, 0), stamp)
            elif isinstance(op, MsgView) and type(op.content) is dict and "id" in op.content:
                stamp = self.world.ops[op.content["id"]].stamp
                before = sets.get(op.widget_id, 0)
                self.require(stamp > before, "{}: a message was sent after a later set", tab.name)
                before = messages.get(op.widget_id, 0)
                self.require(stamp > before, "{}: messages changed places", tab.name)
                messages[op.widget_id] = stamp

    def on_sync(self, port: Port, session: SessionLog, sync: SyncView, frame: str | bytes) -> None:
        """Numbers, Python to page."""
        log = port.log
        for index, message in enumerate(sync.msgs):
            last = log.last_n
            # A page that does not ask for all widgets is not numbered the messages of the others.
            # Nor those of widgets that only the other one of two that share its credentials may see.
            is_whole = not port.has_narrowed and not (session.is_shared and port.hidden)
            if last >= 0 and port.log.subscribe is None and is_whole:
                is_next = message.n == last + 1 or (index == 0 and sync.lost_msgs and message.n > last)
                self.require(bool(is_next), "{}: message {} after {} and no word of a loss", port.name, message.n, last)
            log.last_n = message.n

    def on_read(self, tab: Tab, sync: SyncView, expected: Any) -> None:
        """Numbers as a page gets them, over all its connections."""
        session = tab.session
        if session is None or not sync.msgs:
            return
        for message in sync.msgs:
            if message.n > session.last_n + 1:
                is_said = sync.lost_msgs >= message.n - 1 or tab.is_narrow or session.is_shared
                gap = (tab.name, message.n, session.last_n)
                self.require(is_said, "{} got message {} after {} and no word of a loss", *gap)
                self.require(tab.was_refused("MessagesMissed"), "{} got message {} after {}, user unaware", *gap)
            session.last_n = max(session.last_n, message.n)

    def on_page_message(self, tab: Tab, model: Any, content: Any) -> None:
        """Once, in order, after the state that was committed before it."""
        number, tick = content["k"], content["tick"]
        key = (tab.name, tab.load, number)
        self.require(key not in self.seen, "{} got message {} twice", tab.name, number)
        self.seen.add(key)
        before = self.last.get(key[:2], 0)
        self.require(number > before, "{} got message {} after {}", tab.name, number, before)
        self.last[key[:2]] = number
        if tab.is_busy(model.widget_id, "tick"):
            return  # Its user tried to set what only Python may, and does not know it yet.
        shown = model.get("tick")
        self.require(shown >= tick, "{} got a message of tick {} and shows {}", tab.name, tick, shown)


WIRE = (NothingAcknowledgedIsLost, InOrder, RevisionsGrow, Present, Whole, Bounded, NoLeak, MessagesInOrder)

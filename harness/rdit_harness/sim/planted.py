"""Planted bugs: the core, broken on purpose in one place, to see that the simulator sees.

A bug is a change of text in one method of the real core, as somebody might make it by mistake: a condition left out, a
line forgotten. While it is planted, the method that the class has is the changed one. When the core moves on and the
text is no longer there, planting fails loudly, and the bug has to be thought out anew.
"""

from __future__ import annotations

import importlib
import inspect
import textwrap
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any


class PlantError(Exception):
    """The core is not as the bug expects it."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One change of text."""

    where: str
    """`module:Class.method` or `module:function`, in `rdit_core`."""
    old: str
    new: str


@contextmanager
def _changed(where: str, edits: list[Edit]) -> Iterator[None]:
    """One method with its changes, and without them afterwards."""
    module_name, _, path = where.partition(":")
    module: Any = importlib.import_module(f"rdit_core.{module_name}")
    owner, _, name = path.rpartition(".")
    holder = getattr(module, owner) if owner else module
    original = inspect.getattr_static(holder, name)
    source = textwrap.dedent(inspect.getsource(original))
    for edit in edits:
        if edit.old not in source:
            raise PlantError(f"{where} has no {edit.old!r} any more; think the bug out anew")
        source = source.replace(edit.old, edit.new, 1)
    namespace: dict[str, Any] = {}
    exec(compile("from __future__ import annotations\n" + source, where, "exec"), module.__dict__, namespace)
    setattr(holder, name, namespace[name])
    try:
        yield
    finally:
        setattr(holder, name, original)


@dataclass(frozen=True, slots=True)
class Plant:
    """A bug."""

    name: str
    sentence: str
    expected: tuple[str, ...]
    """Invariants of which one should catch it."""
    edits: tuple[Edit, ...]

    @contextmanager
    def planted(self) -> Iterator[None]:
        """The core with this bug. Raises `PlantError` when it has changed too much."""
        with ExitStack() as stack:
            for where in dict.fromkeys(edit.where for edit in self.edits):
                stack.enter_context(_changed(where, [edit for edit in self.edits if edit.where == where]))
            yield


def _bug(name: str, sentence: str, expected: str, *edits: tuple[str, str, str]) -> Plant:
    return Plant(name, sentence, tuple(expected.split()), tuple(Edit(*edit) for edit in edits))


_SERVER = "server:ServerConnection."
_DEBT = "server_debt:ServerDebt."
_SYNC = "server_sync:ServerSync."

_ALL = (
    _bug(
        "no_mask",
        "A remote value is shown although the slot has an edit on its way.",
        "I7 I9",
        ("client_shown:ClientShown.show", "if widget is None or key in self.pending:", "if widget is None:"),
    ),
    _bug(
        "ack_before_data",
        "A batch is acknowledged when it is received, not when it was applied.",
        "I3 I9",
        (f"{_SERVER}_take_batch", "session.received_seq = batch.seq", "session.received_seq = session.ack = batch.seq"),
    ),
    _bug(
        "no_epoch_check",
        "A page takes another server for the one it knew.",
        "I1 I2 I3 I5 I7 I9 I13 I21 I22",
        ("client_sync:ClientSync._begin", "self._epoch is not None and self._epoch != welcome.epoch", "False"),
    ),
    _bug(
        "no_dedupe",
        "A batch that comes again is applied again.",
        "I4 I5 I14",
        (f"{_SERVER}_take_batch", "if session.seq_before_first < batch.seq <= session.received_seq:", "if False:"),
        (
            f"{_SERVER}_take_batch",
            "if batch.seq != session.received_seq + 1:",
            "if batch.seq > session.received_seq + 1:",
        ),
    ),
    _bug(
        "same_numbers",
        "The batches of every session have the same numbers: what was recorded of one counts on another.",
        "I4 I5 I14",
        (
            "session:seq_before_first",
            'return int.from_bytes(blake2b(session_id.encode(), digest_size=_SEQ_BYTES).digest(), "big")',
            "return 0",
        ),
    ),
    _bug(
        "no_compare_and_set",
        "`if_rev` is not looked at.",
        "I22 I4",
        ("writes:_Run._has_changed", "return rev != op.if_rev", "return False"),
    ),
    _bug(
        "blind_resend",
        "What an expired session may have applied goes again without a comparison.",
        "I4 I22",
        (
            "client_aftermath:Aftermath.compare_again",
            "again.pop(op.key, None)",
            "rev = again.pop(op.key, None) and None",
        ),
    ),
    _bug(
        "forwards_change_new",
        "The value of the notification is sent, not the one that stands.",
        "I8 I1 I9",
        ("follow:Follower._changed", "value = getattr(self._object, name)", 'value = change["new"]'),
    ),
    _bug(
        "no_form_is_null",
        "A value that has no form is told as `null`.",
        "I8",
        (
            "values:Values.encode_one",
            "name, str(error)))\n        return None",
            "name, str(error)))\n        return encode(None)",
        ),
    ),
    _bug(
        "names_what_it_took",
        "A page is told that Python holds the large value that it sent, whatever Python holds.",
        "I6 I8 I1",
        (f"{_SYNC}_cut_changes", " and own.value == slot.value", ""),
    ),
    _bug(
        "sends_on_change_only",
        "A batch that changed nothing is never acknowledged.",
        "I2",
        (f"{_SYNC}is_due", "or self.is_ack_due\n        or self._sent_ack != session.ack", ""),
    ),
    _bug(
        "seq_before_send",
        "A number is given when an edit is queued, so that merging leaves gaps.",
        "I5",
        ("client_edits:ClientEdits.new_group", "self._group += 1", "self._group += 1; self._seq += 1"),
    ),
    _bug(
        "backoff_reset_on_open",
        "A connection that was just accepted counts as good.",
        "I10",
        ("client_timing:ClientTiming.opened", "self.heard_s = now_s", "self.heard_s = now_s; self._losses = 0"),
    ),
    _bug(
        "secret_not_compared",
        "Whoever knows a session's id gets the session.",
        "I11",
        ("session:Sessions.find", "session is not None and is_known", "session is not None"),
    ),
    _bug(
        "future_rev_trusted",
        "A page that knows a revision which was never given gets a delta.",
        "I11",
        (f"{_SERVER}_welcome", " and resume.rev <= self._core.revision", ""),
    ),
    _bug(
        "no_inst_check",
        "An edit for a widget that is gone reaches the next one under its id.",
        "I13 I14",
        (
            "writes:_Run._find",
            "if hosted is not None and inst == op.inst and self._session.may_see is None:",
            "if hosted is not None and self._session.may_see is None:",
        ),
    ),
    _bug(
        "close_ignores_inst",
        "A page closes a widget although the one that was closed is another.",
        "I1 I2 I21 I9",
        (
            "client_widgets:ClientWidgets.close",
            "if widget is not None and widget.inst == inst:",
            "if widget is not None:",
        ),
    ),
    _bug(
        "merges_across_messages",
        "Sets before and after a custom message become one.",
        "I12",
        (
            "client_queue:ClientQueue.put",
            "last = self._segments[-1] if self._segments else None",
            "last = next((one for one in reversed(self._segments) if isinstance(one, dict)), None)",
        ),
    ),
    _bug(
        "echo",
        "A page is told what it shows already.",
        "I7",
        (
            "client_shown:ClientShown.show",
            "if not same_value(widget.model.peek(name), value) or widget.model.is_unsaved(name):",
            "if True:",
        ),
        ("model:WidgetModel.handle_remote_updates", "not same_value(self._state[key], value)", "True"),
    ),
    _bug(
        "edits_batch_in_flight",
        "What is queued is put into a batch that was sent already.",
        "I5",
        (
            "client_edits:ClientEdits.add_frames",
            "frames.extend(batch.frame for batch in self.inflight)",
            "frames.extend(_encode_batch(batch.seq, [*batch.ops, *self.queue]) for batch in self.inflight)",
        ),
    ),
    _bug(
        "rejects_lost_with_connection",
        "Verdicts are forgotten when the connection goes.",
        "I3",
        ("session:Sessions.detach", "session.connection = None", "session.connection = None; session.rejects.clear()"),
    ),
    _bug(
        "rejects_not_sent",
        "A refused edit is acknowledged and nobody says that it was refused.",
        "I3",
        (f"{_SYNC}_cut_last", "rejects.append(reject)", "pass"),
    ),
    _bug(
        "no_tombstones",
        "A page that was away is not told what closed meanwhile.",
        "I1 I2 I9 I12",
        ("graves:Graves.since", "closed.append(closed_one)", "pass"),
    ),
    _bug(
        "no_credit",
        "The server sends without being acknowledged.",
        "I10",
        (f"{_SYNC}has_credit", "return not self.unacked or (", "return True or ("),
    ),
    _bug(
        "credit_leak",
        "An acknowledgement gives back all credit but one frame's.",
        "I2",
        (
            f"{_SYNC}take_ack",
            "self.unacked[0].frame <= frame",
            "self.unacked[0].frame < frame",
        ),
    ),
    _bug(
        "messages_to_new_session",
        "Messages of an expired session are told to the next one.",
        "I12 I11",
        (
            "session:Sessions.open",
            "self._by_id[session.session_id] = session",
            """self._by_id[session.session_id] = session
    for other in list(self._by_id.values()):
        for one in other.messages if other is not session else ():
            session.add_message(one.widget_id, one.inst, one.content, one.buffers)""",
        ),
    ),
    _bug(
        "loss_not_announced",
        "Messages that had to go are gone without a word.",
        "I12",
        (f"{_SYNC}_cut_last", "lost_n = session.lost_n if session.lost_n > self._sent_n else 0", "lost_n = 0"),
    ),
    _bug(
        "gap_not_reported",
        "A page does not tell its host that messages are missing.",
        "I12",
        ("client_sync:ClientSync._deliver", "if missed:", "if False:"),
    ),
    _bug(
        "snapshot_without_live",
        "A snapshot does not say what there is no more.",
        "I1 I2 I9",
        (f"{_DEBT}owe_snapshot", "self.is_live_due = True", "pass"),
    ),
    _bug(
        "parts_shown_at_once",
        "A page shows a part of a sync before the last one came.",
        "I9",
        ("client_sync:ClientSync.collect", "if part.more:\n        return []", "pass"),
    ),
    _bug(
        "everything_to_everybody",
        "Who asked for what, and who may see what, is not looked at.",
        "I11",
        ("session:Session.shows", "return ", "return True or "),
    ),
    _bug(
        "unsubscribed_still_sent",
        "A page that asks for fewer widgets still gets all.",
        "I11",
        (f"{_DEBT}resubscribe", "self.forget(widget_id)", "pass"),
    ),
    _bug(
        "no_write_policy",
        "A page may write what it likes.",
        "I3 I15",
        ("writes:_Run._ready", "if refusal is not None:", "if False:"),
        ("writes:Writes.set", "if refusal is not None:", "if False:"),
    ),
    _bug(
        "inflight_unbounded",
        "A page sends batch after batch without waiting.",
        "I10",
        (
            "client_edits:ClientEdits._cut",
            "while self.queue and len(self.inflight) < max_inflight:",
            "while self.queue:",
        ),
    ),
    _bug(
        "poison_kept",
        "A batch that the server cannot read is sent for ever.",
        "I2 I17 I23",
        ("client_edits:ClientEdits._strike", "if batch.strikes < _MAX_STRIKES or not batch.ops:", "if True:"),
    ),
    _bug(
        "no_second_look",
        "`1` set to `true` tells nobody, and is not looked at again.",
        "I9 I1 I8",
        ("writes:Writes._look_again", "self._core.refresh(hosted, name)", "pass"),
    ),
    _bug(
        "no_heartbeat",
        "A connection whose peer vanished is kept for ever.",
        "I2 I17",
        (f"{_SERVER}handle_timeout", "elif now_s >= self._heard_s + limits.silence_s:", "elif False:"),
    ),
    _bug(
        "sessions_never_expire",
        "A session is kept for ever.",
        "I2 I17",
        ("session:Sessions.expire", "deadline <= now_s", "False"),
    ),
    _bug(
        "observer_closes_connection",
        "An observer that raises costs the page its connection.",
        "I16",
        (
            "writes:_Run._observer_failed",
            "if not isinstance(failed, Exception):",
            """if self._session.connection: self._session.connection.close(4001, "internal", 0.0)
    if not isinstance(failed, Exception):""",
        ),
    ),
    _bug(
        "decoder_raises",
        "A frame that is not UTF-8 raises where it is read.",
        "I21",
        ("frames:_utf8", "except UnicodeError:", "except KeyError:"),
    ),
    _bug(
        "hello_not_asked_for",
        "A batch counts before its peer is let in.",
        "I21 I14",
        (f"{_SERVER}_take_batch", "if session is None:", "if False:"),
    ),
    _bug(
        "no_trailing_correction",
        "Base mode: a page is never told what became of its edit.",
        "I1 I2 I18",
        ("base_server:BaseServerConnection.handle_timeout", "self._dirty[key] = None", "pass"),
    ),
    _bug(
        "pulse_swallowed",
        "What Python sets and takes back at once is never told.",
        "I24",
        ("outbox:Outbox.change", "if causes:", "if False:"),
    ),
    _bug(
        "links_told_apart",
        "A page is told of a trait before what is linked to it.",
        "I25",
        (
            "store:Store._commit_grouped",
            "for name in linked:",
            "self._store_values({hosted: self.values.encode(hosted, state)})\n        for name in linked:",
        ),
    ),
    _bug(
        "moment_is_now",
        "A page that was told of a moment that is past comes back as if it knew what is present.",
        "I1 I8 I9",
        (f"{_SYNC}cut", "rev = moment.rev if moment is not None else", "rev ="),
    ),
    _bug(
        "moment_acknowledges",
        "A moment that is past acknowledges what was done after it.",
        "I9",
        (f"{_SYNC}cut", "self._sent_ack,", "session.ack,"),
    ),
)

PLANTS = {plant.name: plant for plant in _ALL}
"""Name to bug."""

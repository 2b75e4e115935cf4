"""What becomes of a page's edits and messages in `rdit/1` whose session is gone.

The same server has forgotten the session: what was sent may have been applied, so it is sent again as a comparison
(`if_rev`): it counts only if its slot is as it was when the connection was lost. Another epoch is another server: what
it has is the truth, and edits are repeated, plainly, only where the same widget came back. It may come late, for the
new server's script is perhaps still running: models that are missing, and their edits, wait for `Limits.return_s`.
Messages are never sent twice.

The browser's `aftermath.js` follows the same rules.
"""

from __future__ import annotations

from .client_edits import ClientEdits
from .client_events import ClientEvents, Restarted, SessionExpired
from .client_queue import Edit, Post, QueuedOp
from .client_shown import ClientShown
from .client_widgets import ClientWidgets, RemoteWidget, Touched
from .slots import SlotKey


class Aftermath:
    """Decides, when the next session begins, what goes on in it."""

    def __init__(self, edits: ClientEdits, widgets: ClientWidgets, shown: ClientShown, events: ClientEvents) -> None:
        self._edits = edits
        self._widgets = widgets
        self._shown = shown
        self._events = events

    def compare_again(self) -> None:
        """The session is gone: what it may have applied goes again, as a comparison."""
        edits = self._edits
        self._events.tell(SessionExpired())
        queued = {op.key for op in edits.queue if isinstance(op, Edit)}
        again: dict[SlotKey, Edit] = {}
        for batch in edits.inflight:
            for op in batch.ops:
                if isinstance(op, Post):
                    self._events.message_lost(op, "delivery_unknown", "The server may have handled it, or not")
                    continue
                self._shown.unmask(op.key)
                if op.key in queued:
                    continue
                # What an edit under way carries from an earlier loss is the older knowledge, and stays.
                rev = op.if_rev
                earlier = again.get(op.key)
                if rev is None:
                    confirmed = self._widgets.confirmed(op.key)
                    rev = confirmed[1] if confirmed is not None else None
                    if op.widget_id not in self._widgets.by_id:
                        rev = op.sent_rev  # The page unsubscribed since. What it knew before is older, and will do.
                if earlier is not None and earlier.if_rev is not None and rev is not None:
                    rev = min(rev, earlier.if_rev)
                again.pop(op.key, None)
                again[op.key] = Edit(op.widget_id, op.inst, op.name, op.value, op.group, rev, strikes=op.strikes)
        edits.inflight.clear()
        edits.queue.put_first(list(again.values()))
        for key in again:
            self._shown.mask(key)

    def forget_server(self) -> None:
        """Another server: nothing that the old one confirmed holds, and what it did not confirm may be repeated."""
        edits = self._edits
        ops: list[QueuedOp] = [op for batch in edits.inflight for op in batch.ops]
        ops.extend(edits.queue.clear())
        edits.inflight.clear()
        edits.forget_seen()
        self._shown.pending.clear()
        last: dict[SlotKey, Edit] = {}
        for op in ops:
            if isinstance(op, Post):
                self._events.message_lost(op, "lost", "The server that it was for is gone")
            else:
                last.pop(op.key, None)
                last[op.key] = op
        for edit in last.values():
            edit.if_rev = None
            edits.queue.put(edit)
            self._shown.mask(edit.key)
        for key in edits.orphans:
            self._shown.mask(key)

    def repeat_after_restart(self, touched: Touched) -> None:
        """Address the edits that are left to the widgets that came back."""
        widgets, edits = self._widgets, self._edits
        reapplied = dropped = 0
        for op in edits.queue.clear():
            assert isinstance(op, Edit), "messages went when the server was forgotten"
            widget = widgets.by_id.get(op.widget_id)
            absent = widgets.absent.get(op.widget_id)
            # An edit may be older than the widget that had its id last.
            if absent is not None and absent.inst == op.inst:
                edits.orphans[op.key] = op
            elif widget is not None and widgets.returned.get(op.widget_id) == op.inst and op.name in widget.writable:
                op.inst, op.if_rev = widget.inst, _never_seen(widget, op)
                edits.queue.put(op)
                reapplied += 1
            else:
                touched[op.key] = None
                dropped += 1
                self._lose(op)
        self._events.tell(Restarted(reapplied, dropped, len(edits.orphans)))
        widgets.returned.clear()

    def come_back(self, widget: RemoteWidget, touched: Touched) -> None:
        """A widget that was missing after a restart is there: its edits are for it, if they may be. It may be closed
        again, by a later part of the same `sync`: then they are the server's to refuse.
        """
        for edit in self._take_orphans(widget.model.widget_id):
            if edit.name in widget.writable:
                edit.inst, edit.if_rev = widget.inst, _never_seen(widget, edit)
                self._edits.queue.put(edit)
            else:
                touched[edit.key] = None
                self._lose(edit)

    def lose_orphans_of(self, widget_id: str) -> None:
        """Another widget has the id now."""
        for edit in self._take_orphans(widget_id):
            self._lose(edit)

    def give_up_absent(self) -> None:
        """The widgets that are still missing are not to come."""
        self._widgets.close_absent()
        orphans, self._edits.orphans = self._edits.orphans, {}
        for edit in orphans.values():
            self._lose(edit)

    def _take_orphans(self, widget_id: str) -> list[Edit]:
        orphans = self._edits.orphans
        return [orphans.pop(key) for key in [key for key in orphans if key[0] == widget_id]]

    def _lose(self, edit: Edit) -> None:
        self._shown.unmask(edit.key)
        self._events.edit_lost(edit, "dropped", "The server was started anew, without this property")


def _never_seen(widget: RemoteWidget, edit: Edit) -> int | None:
    """The `if_rev` of an edit that was made before this server was: no slot has revision 0, so it is a conflict."""
    return 0 if edit.name in widget.if_unchanged else None

"""What a server of `rdit/1` says of its state, and how it is applied.

A `sync` applies as a whole, however many parts it comes in: everything is stored before a model's listener runs. The
first one after a welcome decides what becomes of a session that is gone (`client_aftermath`), and only with it the new
session is ours: until then, a further hello names the old one.

The browser's `sync.js` follows the same rules.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .base_client import EditRefused
from .client_aftermath import Aftermath
from .client_edits import ClientEdits
from .client_events import ClientEvents, MessagesMissed
from .client_queue import Edit, SentBatch
from .client_shown import ClientShown
from .client_widgets import ClientWidgets, Touched
from .encoding import decode
from .messages import Reject, Resume, Sync, Welcome


class ClientSync:
    """How far a page is, and how it comes further.

    Args:
        widgets: what the server has confirmed.
        shown: what the models show.
        edits: what is on its way.
        events: what there is to tell.
        return_s: for how long a widget that is missing after a restart may come back.
        became_live: called with the time when the first `sync` of a connection is applied, before any listener runs.
    """

    def __init__(
        self,
        widgets: ClientWidgets,
        shown: ClientShown,
        edits: ClientEdits,
        events: ClientEvents,
        *,
        return_s: float,
        became_live: Callable[[float], None],
    ) -> None:
        self.rev = 0
        """Of the last `sync` that was applied."""
        self.absent_until_s = 0.0
        """When widgets that are absent are given up."""
        self._widgets = widgets
        self._shown = shown
        self._edits = edits
        self._events = events
        self._aftermath = Aftermath(edits, widgets, shown, events)
        self._return_s = return_s
        self._became_live = became_live
        self._known: Resume | None = None
        """What a resume names; of the last welcome whose first `sync` was applied."""
        self._epoch: str | None = None
        self._parts: list[Sync] = []
        self._last_n = 0

    def resume(self) -> Resume | None:
        """What a hello names."""
        known = self._known
        return None if known is None else Resume(known.epoch, known.session, known.secret, self.rev)

    def replaced(self) -> None:
        """Somebody else goes on with the session."""
        self._known = None

    def ended(self) -> None:
        """The transport is gone, and with it the rest of a `sync`."""
        self._parts.clear()

    def give_up_absent(self) -> None:
        """The widgets that are absent are not to come."""
        self._aftermath.give_up_absent()

    def is_complete(self, part: Sync) -> bool:
        """Whether a part names no value that we do not have, and should."""
        for widget_id, inst, name, seq, index, rev in part.same:
            widget = self._widgets.by_id.get(widget_id)
            if widget is None or widget.inst != inst or self._edits.sent_value(seq, index) is not None:
                continue
            confirmed = widget.confirmed.get(name)
            if confirmed is None or confirmed[1] < rev:
                return False
        return True

    def collect(self, part: Sync) -> list[Sync]:
        """Take a part. Gives all of them when it is the last, and else none."""
        self._parts.append(part)
        if part.more:
            return []
        parts, self._parts = self._parts, []
        return parts

    def apply(self, parts: Sequence[Sync], welcome: Welcome | None, now_s: float) -> None:
        """Apply a complete `sync`. The models hear of it when all of it is in place.

        Args:
            parts: all of it.
            welcome: of the connection, with the first that it brings.
            now_s: the host's clock, in seconds.
        """
        last = parts[-1]
        widgets = self._widgets
        is_restart = welcome is not None and self._begin(welcome)
        touched = self._edits.take_unsettled()
        for part in parts:
            for opened in part.open:
                if widgets.open(opened, touched, is_restart=is_restart):
                    self._aftermath.lose_orphans_of(opened.widget_id)  # Of another kind that had this id.
        for part in parts:
            for widget_id, inst, name, value, rev in part.changes:
                widgets.confirm(widget_id, inst, name, value, rev, touched)
            for widget_id, inst, name, seq, index, rev in part.same:
                own = self._edits.sent_value(seq, index)
                if own is not None:  # Of a widget that we know: see `is_complete`.
                    widgets.confirm(widget_id, inst, name, decode(own), rev, touched)
            for widget_id, inst in part.close:
                widgets.close(widget_id, inst)
        if last.live is not None:
            widgets.close_unlisted(last.live, is_restart=is_restart)
        if is_restart:
            self.absent_until_s = now_s + self._return_s
            self._aftermath.repeat_after_restart(touched)
        for widget in widgets.came_back:
            self._aftermath.come_back(widget, touched)
        widgets.came_back.clear()
        settled = self._edits.settle(last.ack or 0, touched)
        if last.rejects:
            self._keep_undeclared(last.rejects, settled, touched)
        self.rev = max(self.rev, last.rev)
        if welcome is not None:
            self._became_live(now_s)
        if touched:
            self._shown.show(touched, touched)
        if last.rejects:
            self._refuse(last.rejects, settled)
        if last.msgs or last.lost_msgs:
            self._deliver(last)

    def _begin(self, welcome: Welcome) -> bool:
        """The first `sync` of a connection: from here on its session is ours. Returns whether the server is another."""
        is_restart = self._epoch is not None and self._epoch != welcome.epoch
        if not welcome.resumed:
            if is_restart:
                self.rev = 0
                self._aftermath.forget_server()
            elif self._epoch is not None:
                self._aftermath.compare_again()
            self._edits.count_from(welcome.ack)
            self._last_n = 0
        self._epoch = welcome.epoch
        self._known = Resume(welcome.epoch, welcome.session, welcome.secret, 0)
        return is_restart

    def _keep_undeclared(self, rejects: Sequence[Reject], settled: dict[int, SentBatch], touched: Touched) -> None:
        """A property that Python does not have has no value to show in the place of the page's own, which widgets may
        rely on: they keep things of their own in the model.
        """
        for reject in rejects:
            batch = settled.get(reject.seq)
            if reject.code == "unknown_property" and batch is not None and 0 <= reject.op < len(batch.ops):
                op = batch.ops[reject.op]
                if isinstance(op, Edit) and self._widgets.confirmed(op.key) is None:
                    touched.pop(op.key, None)

    def _refuse(self, rejects: Sequence[Reject], settled: dict[int, SentBatch]) -> None:
        for reject in rejects:
            batch = settled.get(reject.seq)
            if batch is None or not 0 <= reject.op < max(1, len(batch.ops)):
                continue  # Told before, by a frame of which the server did not know that it came.
            op = batch.ops[reject.op] if batch.ops else None
            if isinstance(op, Edit):
                self._events.tell(EditRefused(reject.code, reject.message, op.widget_id, op.name))
            elif op is not None:
                self._events.message_lost(op, reject.code, reject.message)

    def _deliver(self, sync: Sync) -> None:
        missed = 0
        if sync.lost_msgs > self._last_n:
            missed = sync.lost_msgs - self._last_n
            self._last_n = sync.lost_msgs
        for message in sync.msgs:
            if message.n <= self._last_n:
                continue
            missed += message.n - self._last_n - 1
            self._last_n = message.n
            widget = self._widgets.by_id.get(message.widget_id)
            if widget is not None and widget.inst == message.inst:
                widget.model.handle_message(message.content, message.buffers)
        if missed:
            self._events.tell(MessagesMissed(missed))

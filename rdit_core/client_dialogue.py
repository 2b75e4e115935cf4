"""What a client of `rdit/1` says on a connection: hello, subscriptions, probes and their answers, acknowledgements,
reports, goodbye. And what follows on what: a `sync` after its predecessor.

A `sync` is acknowledged in the batch that leaves with the acknowledgement, or else in a frame of its own, before all
others.

The browser's `dialogue.js` follows the same rules.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal

from .client_edits import ClientEdits
from .client_reports import ClientReports
from .frames import encode_frame
from .messages import Bye, Hello, Ping, Pong, Report, Resume, Subscribe, SyncAck, Welcome

_BATCH: Final = '{"type":"batch",'
"""How a batch of text begins."""

Subscription = Literal["*"] | Sequence[str]


class ClientDialogue:
    """What is said, in order.

    Args:
        edits: leave in batches, between what is said here.
        subscribe: the widgets to show.
        auth: for the `hello`.
    """

    def __init__(self, edits: ClientEdits, subscribe: Subscription, auth: Any) -> None:
        self.welcome: Welcome | None = None
        """Of this connection."""
        self._edits = edits
        self._subscribe = subscribe
        self._asked_for = subscribe
        """What the server of this connection was told of it."""
        self._auth = auth
        self._last_frames: list[str | bytes] = []
        """What goes out although the client is not live any more: the page leaves."""
        self._control: deque[Hello | Subscribe | Ping | Pong] = deque()
        self._reports = ClientReports()
        self._sync_ack: int | None = None
        """The frame that is to be acknowledged: in the next batch, if one leaves now."""
        self._frame = 0

    # The life of a connection.

    def opened(self, resume: Resume | None) -> None:
        """A transport is up: say hello."""
        self._frame = 0
        self.welcome = None
        self._edits.fit(None)
        self._control.clear()
        self._asked_for = self._subscribe
        self._control.append(Hello(_as_message(self._subscribe), self._auth, resume))

    def ended(self) -> None:
        """The transport is gone, and what was to be said on it."""
        self._hush()
        self._last_frames.clear()

    def take_welcome(self, welcome: Welcome) -> None:
        """The server lets us in."""
        self.welcome = welcome
        self._edits.fit(welcome.limits)
        if self._asked_for is not self._subscribe:
            self._say_subscribe()

    # To be said.

    def say(self, message: Ping | Pong) -> None:
        """Say something with the next drain."""
        self._control.append(message)

    def report(self, report: Report, *, bounded: bool) -> None:
        """Tell Python of an error while live; until then, if `bounded`, only some wait."""
        self._reports.add(report, bounded=bounded)

    def subscribe(self, widget_ids: Subscription, *, at_once: bool) -> None:
        """Show these widgets from now on. When not at once, the hello says it, or the welcome brings it up."""
        self._subscribe = widget_ids
        if at_once:
            self._say_subscribe()

    def say_last(self, frames: Iterable[str | bytes]) -> None:
        """Have frames go out with the next drain, whatever becomes of the connection until then."""
        self._last_frames.extend(frames)

    def say_bye(self) -> None:
        """The page leaves: with the next drain, behind all others."""
        self._last_frames.append(encode_frame(Bye()))

    def frames_to_send(self, *, is_live: bool) -> list[str | bytes]:
        """Take what there is to send. Reports and batches leave only while live."""
        frames: list[str | bytes] = []
        while self._control:
            frames.append(encode_frame(self._control.popleft()))
        if is_live and self._reports:
            frames.extend(encode_frame(report) for report in self._reports.take())
        if self._last_frames:
            frames.extend(self._last_frames)
            self._last_frames.clear()
        first = len(frames)
        if is_live:
            self._edits.add_frames(frames)
        if self._sync_ack is not None:
            self._put_ack(frames, first, self._sync_ack)
            self._sync_ack = None
        return frames

    # Acknowledgements.

    def take_sync(self, *, frame: int, is_complete: bool) -> bool:
        """Acknowledge a `sync` with the next drain, if it can be taken.

        Args:
            frame: its number.
            is_complete: whether it names no value that we do not have. If it does, we gave a batch up that arrived all
                the same: the resume brings the value.

        Returns:
            Whether it can. If not, the connection is of no use any more.
        """
        if frame != self._frame + 1:
            return False  # A frame is missing: nothing that comes now can be trusted to be complete.
        if not is_complete:
            self._hush()
            return False
        self._frame = self._sync_ack = frame
        return True

    def acknowledge_again(self) -> None:
        """A batch did not arrive that the last acknowledgement may have been in."""
        if self._frame:
            self._sync_ack = self._frame

    def _hush(self) -> None:
        self._control.clear()
        self._sync_ack = None

    def _say_subscribe(self) -> None:
        self._asked_for = self._subscribe
        self._control.append(Subscribe(_as_message(self._subscribe)))

    def _put_ack(self, frames: list[str | bytes], at: int, sync_ack: int) -> None:
        """Acknowledge in the batch at that place, if it is one of text, else in a frame before all others."""
        batch = frames[at] if at < len(frames) else b""
        if isinstance(batch, str):
            frames[at] = f'{_BATCH}"sync_ack":{sync_ack},{batch[len(_BATCH) :]}'
        else:
            frames.insert(0, encode_frame(SyncAck(sync_ack)))


def _as_message(subscription: Subscription) -> Any:
    return subscription if subscription == "*" else list(subscription)

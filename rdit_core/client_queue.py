"""What a client of `rdit/1` has to say and has not said: edits and messages, in order.

Edits of one slot merge: the later value takes the place of the earlier one and moves to the end, so the queue holds one
edit per slot however long the page is offline. A custom message is a barrier: Python must see the edits before it
before it, and none that came after. So the queue is a row of maps, slot to edit, with messages between.

Edits that were saved together stay together: they carry the number of their group, and a batch is cut between groups,
unless one group alone is more than a batch may hold.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from .encoding import EncodedValue
from .limits import Limits
from .slots import SlotKey

_OP_BYTES = 320
"""About what an op takes in a frame beside its value and names."""


class Edit(msgspec.Struct, eq=False):
    """A value for a slot."""

    widget_id: str
    inst: int
    name: str
    value: EncodedValue
    group: int
    if_rev: int | None = None
    sent_rev: int = 0
    """What was confirmed of its slot when it was sent."""
    strikes: int = 0
    """As in `SentBatch`, of the batches that it was in: kept when its session is gone and it goes again in another."""
    key: SlotKey = ("", "")
    """Its slot."""

    def __post_init__(self) -> None:
        self.key = (self.widget_id, self.name)

    @property
    def size_bytes(self) -> int:
        """At least what it takes in a frame."""
        return self.value.size_bytes + 6 * len(self.name) + _OP_BYTES


@dataclass(slots=True, eq=False)
class Post:
    """A custom message."""

    widget_id: str
    inst: int
    content: EncodedValue
    buffers: tuple[bytes, ...] = ()
    group: int = 0
    strikes: int = 0
    """As in `Edit`."""
    on_lost: Callable[[str, str], object] | None = None
    """Told the code and the text when it does not reach its handler."""

    @property
    def size_bytes(self) -> int:
        """At least what it takes in a frame."""
        return self.content.size_bytes + sum(len(data) + 64 for data in self.buffers) + _OP_BYTES


QueuedOp = Edit | Post


@dataclass(slots=True, eq=False)
class SentBatch:
    """A batch that was sent and is not acknowledged. Never changed: it goes out again as it was."""

    seq: int
    ops: list[QueuedOp]
    frame: str | bytes
    strikes: int = 0
    """How often the server could not read it, as far as can be told."""


@dataclass(slots=True, eq=False)
class ClientQueue:
    """The row of edits and messages."""

    limits: Limits
    _segments: deque[dict[SlotKey, Edit] | Post] = field(default_factory=deque)
    _posts: int = 0
    _post_bytes: int = 0

    def __bool__(self) -> bool:
        return bool(self._segments)

    def __iter__(self) -> Iterator[QueuedOp]:
        for segment in self._segments:
            if isinstance(segment, Post):
                yield segment
            else:
                yield from segment.values()

    def put(self, edit: Edit) -> bool:
        """Queue an edit at the end. Returns whether its slot had none in the last map."""
        last = self._segments[-1] if self._segments else None
        if last is None or isinstance(last, Post):
            last = {}
            self._segments.append(last)
        is_new = last.pop(edit.key, None) is None
        last[edit.key] = edit
        return is_new

    def post(self, post: Post, *, bounded: bool = True) -> list[QueuedOp]:
        """Queue a message.

        Args:
            post: the message.
            bounded: whether the oldest make room beyond the limits: so where nobody takes them.

        Returns:
            What had to go for it: older messages, and edits that such a message had kept apart from later ones of their
            slot.
        """
        self._segments.append(post)
        self._posts += 1
        self._post_bytes += post.size_bytes
        dropped: list[QueuedOp] = []
        limits = self.limits
        while (
            bounded
            and self._posts > 1
            and (self._posts > limits.max_queued_messages or self._post_bytes > limits.max_queued_message_bytes)
        ):
            dropped.extend(self._drop_oldest_post())
        return dropped

    def put_first(self, edits: list[Edit]) -> None:
        """Queue edits before everything else, each for a slot that is not in the queue."""
        if edits:
            first = self._segments[0] if self._segments else None
            after = self._segments.popleft() if isinstance(first, dict) else {}
            assert isinstance(after, dict)
            self._segments.appendleft({**{edit.key: edit for edit in edits}, **after})

    def take(self, max_bytes: int, max_ops: int) -> list[QueuedOp]:
        """Take the ops of one batch from the front. The first is taken whatever its size."""
        taken: list[QueuedOp] = []
        size = 0
        for op in self:
            size += op.size_bytes
            if taken and (len(taken) >= max_ops or size > max_bytes):
                taken = _whole_groups(taken, op)
                break
            taken.append(op)
        self._remove(len(taken))
        return taken

    def clear(self) -> list[QueuedOp]:
        """Take everything."""
        ops = list(self)
        self._segments.clear()
        self._posts = self._post_bytes = 0
        return ops

    def _remove(self, count: int) -> None:
        while count:
            segment = self._segments[0]
            if isinstance(segment, Post):
                self._segments.popleft()
                self._posts -= 1
                self._post_bytes -= segment.size_bytes
                count -= 1
            elif len(segment) <= count:
                self._segments.popleft()
                count -= len(segment)
            else:
                for key in list(segment)[:count]:
                    del segment[key]
                count = 0

    def _drop_oldest_post(self) -> list[QueuedOp]:
        at, post = next((at, one) for at, one in enumerate(self._segments) if isinstance(one, Post))
        del self._segments[at]
        self._posts -= 1
        self._post_bytes -= post.size_bytes
        before = self._segments[at - 1] if at > 0 else None
        after = self._segments[at] if at < len(self._segments) else None
        if not isinstance(before, dict) or not isinstance(after, dict):
            return [post]
        # Nothing stands between them any more: of a slot that is in both, the later edit counts.
        overtaken: list[QueuedOp] = [before.pop(key) for key in list(before) if key in after]
        self._segments[at - 1] = {**before, **after}
        del self._segments[at]
        return [post, *overtaken]


def _whole_groups(taken: list[QueuedOp], following: QueuedOp) -> list[QueuedOp]:
    """Those of the taken that do not belong together with what follows; all, if that would be none."""
    if not isinstance(following, Edit):
        return taken
    whole = len(taken)
    while whole and _is_of(taken[whole - 1], following.group):
        whole -= 1
    return taken[:whole] or taken


def _is_of(op: Any, group: int) -> bool:
    return isinstance(op, Edit) and op.group == group

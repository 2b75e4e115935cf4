"""What the server's end of a connection asks of its manager."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from .messages import Op, Reject, Report
from .outbox import Description
from .session import Session
from .slots import Slot

if TYPE_CHECKING:
    from .server import ServerConnection
    from .server_batches import PendingBatch


class WidgetCore(Protocol):
    """What a connection asks of its manager."""

    lock: threading.RLock

    @property
    def epoch(self) -> str:
        """Names the lifetime of the core."""

    @property
    def revision(self) -> int:
        """The last one that was given."""

    def next_revision(self) -> int:
        """One that no state has. With the lock held."""

    def instances(self) -> dict[str, int]:
        """Widget id to inst, of all that are open. With the lock held; not to be changed."""

    def describe(self, widget_id: str) -> Description:
        """An open widget. With the lock held."""

    def slot(self, widget_id: str, property: str) -> Slot:
        """A slot of an open widget that was marked. With the lock held; a slot lives as long as its widget."""

    def closed_since(self, rev: int) -> list[tuple[str, int]] | None:
        """Widget id and inst of what closed after a revision; None when that is not remembered. With the lock held."""

    def changed_since(self, widget_id: str, rev: int) -> list[str]:
        """Properties of an open widget that are newer than a revision. With the lock held."""

    def enqueue(self, pending: PendingBatch) -> None:
        """Keep a batch until `apply_pending`."""

    def apply_batch(
        self, session: Session, seq: int, ops: Sequence[Op], seen_rev: int, now_s: float
    ) -> tuple[list[Reject], BaseException | None]:
        """Run one batch, of a page that had seen this revision when it came. Returns the verdicts that are not plain
        success, and what interrupted an observer.
        """

    def pay_owed(self, *others: ServerConnection) -> None:
        """Wake what was held back while a batch is applied, and these; each once."""

    def joined(self, connection: ServerConnection, session: Session, *, came_back: bool, resumed: bool) -> None:
        """The peer said hello and is let in; it named a session or not, which is there still or not."""

    def disconnected(self, connection: ServerConnection) -> None:
        """The connection ended."""

    def reported(self, connection: ServerConnection, report: Report) -> None:
        """A widget's JavaScript failed."""

"""A batch of a page between its frame and its ack: it waits for the kernel's thread, which runs it and says so."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .messages import Batch, Reject
from .server_core import WidgetCore
from .server_debt import OWN_VALUE_BYTES
from .session import Session

if TYPE_CHECKING:
    from .server import ServerConnection

_log = logging.getLogger("rdit")


@dataclass(slots=True, eq=False)
class PendingBatch:
    """A batch that waits for the kernel's thread."""

    core: WidgetCore
    session: Session
    connection: ServerConnection
    batch: Batch
    size_bytes: int
    max_ops: int
    seen_rev: int
    """What the page had acknowledged when it came."""
    now_s: float
    """When that was."""

    def apply(self) -> None:
        """Run it and acknowledge it, whatever happens. Kernel's thread only."""
        session, seq = self.session, self.batch.seq
        rejects: list[Reject] | None = None
        interrupt: BaseException | None = None
        try:
            if len(self.batch.ops) > self.max_ops:
                # Perhaps by millions, and all of them refused already.
                rejects = [Reject(seq, 0, "too_large", "The batch has too many ops")]
            else:
                if self.size_bytes >= OWN_VALUE_BYTES and self.connection.is_open:
                    self.connection.remember(self.batch)
                rejects, interrupt = self.core.apply_batch(session, seq, self.batch.ops, self.seen_rev, self.now_s)
        except Exception:  # No batch harms the next one.
            _log.exception("batch %d of a session failed", seq)
        finally:
            with self.core.lock:
                for reject in rejects if rejects is not None else [Reject(seq, 0, "internal", "Not applied")]:
                    session.add_reject(reject)
                session.ack = seq
                self.connection.applied(self.size_bytes)
                connection = session.connection
            self.core.pay_owed(self.connection if connection is None else connection, self.connection)
        if interrupt is not None:
            raise interrupt

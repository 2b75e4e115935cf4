"""Who hosts an object, of all the managers of this process: for what is about objects and not about one manager."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final, Protocol
from weakref import WeakSet

if TYPE_CHECKING:
    from .hosted import HostedWidget
    from .store import Store


class Host(Protocol):
    """What is asked of each."""

    @property
    def store(self) -> Store:
        """Where its widgets are."""

    def of(self, widget: Any) -> HostedWidget | None:
        """What is kept of an object, if it is hosted."""


_lock: Final = threading.Lock()
_hosts: Final[WeakSet[Host]] = WeakSet()


def add_host(host: Host) -> None:
    """Know of one as long as it lives."""
    with _lock:
        _hosts.add(host)


def hosts_of(widget: Any) -> list[tuple[Store, HostedWidget]]:
    """Where an object is hosted, and as what."""
    with _lock:
        hosts = list(_hosts)
    return [(host.store, hosted) for host in hosts if (hosted := host.of(widget)) is not None]

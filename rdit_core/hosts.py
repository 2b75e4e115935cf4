"""Who hosts an object, of all the managers of this process: for what is about objects and not about one manager."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final, Protocol
from weakref import ref

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
_hosts: list[ref[Host]] = []
"""Never changed, only replaced: it is looked through at every step along a link."""


def add_host(host: Host) -> None:
    """Know of one as long as it lives."""
    global _hosts
    with _lock:
        _hosts = [*(one for one in _hosts if one() is not None), ref(host)]


def hosts_of(widget: Any) -> list[tuple[Store, HostedWidget]]:
    """Where an object is hosted, and as what."""
    return [
        (host.store, hosted)
        for one in _hosts
        if (host := one()) is not None and (hosted := host.of(widget)) is not None
    ]

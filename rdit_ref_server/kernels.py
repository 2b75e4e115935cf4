"""A kernel per page load: `rdit serve --kernel-per-tab`.

Each page load names itself by a key, which the server puts into the page, and everything that the page asks for goes to
the kernel of that key. The kernel is made when the key is first heard, in a side thread, and runs the script. It ends
when no page was there for a while (`ttl_s`), and leaves nothing behind. A page that comes back later finds a fresh
kernel under its key, and is told so as after a restart of the server.

What side threads cannot do holds here: no signal handlers in the script; an interrupt takes effect between two
bytecodes, so that `time.sleep(60)` takes its time; and a kernel whose code never gives the interpreter back (an endless
loop in C) cannot be ended, and counts against the limit.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

from .kernel import Kernel
from .script import Script

_KEY: Final = re.compile(r"[A-Za-z0-9_-]{16,64}")
DEFAULT_TTL_S: Final = 60.0
"""How long a kernel stays without a visitor."""

MAX_KERNELS: Final = 32
"""There may be at a time, those included that are about to end."""


class TooManyKernels(Exception):
    """There is no room for another kernel."""


class Tab:
    """One page load's kernel, and how many requests are about it."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.visitors = 0
        self.left_s = 0.0
        """When the last visitor left."""


class Kernels:
    """The kernels of one server. Every method may be called from any thread.

    Args:
        make: makes a kernel; it must share the process.
        script: what each of them runs.
        ttl_s: how long a kernel stays without a visitor.
        max_kernels: how many there may be, those included that are about to end.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        make: Callable[[], Kernel],
        script: Script,
        *,
        ttl_s: float = DEFAULT_TTL_S,
        max_kernels: int = MAX_KERNELS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._make = make
        self._script = script
        self._ttl_s = ttl_s
        self._max_kernels = max_kernels
        self._clock = clock
        self._changed = threading.Condition()
        self._tabs: dict[str, Tab] = {}
        self._ending: set[threading.Thread] = set()
        self._is_closed = False
        self._reaper: threading.Thread | None = None
        self._listeners: list[tuple[Callable[[Kernel], None], Callable[[Kernel], None]]] = []

    def listen(self, made: Callable[[Kernel], None], ended: Callable[[Kernel], None]) -> None:
        """Have `made` called with each kernel before it runs anything, and `ended` when it has ended."""
        self._listeners.append((made, ended))

    @property
    def is_stopping(self) -> bool:
        """Whether no kernel is made any more, since all are to end."""
        return self._is_closed

    def __len__(self) -> int:
        return len(self._tabs) + len(self._ending)

    @staticmethod
    def new_key() -> str:
        """A key for a page load."""
        return secrets.token_urlsafe(24)

    @staticmethod
    def is_key(text: str | None) -> bool:
        """Whether a text can be a key."""
        return text is not None and _KEY.fullmatch(text) is not None

    @contextlib.contextmanager
    def visit(self, key: str) -> Iterator[Kernel]:
        """Be a visitor of the kernel of a key, which is made if there is none. Blocks while it starts.

        Raises:
            TooManyKernels: there is no room.
        """
        tab = self.enter(key)
        try:
            yield tab.kernel
        finally:
            self.leave(tab)

    def enter(self, key: str) -> Tab:
        """As `visit`; to be followed by `leave`."""
        with self._changed:
            tab = self._tabs.get(key)
            if tab is None:
                if self._is_closed or len(self) >= self._max_kernels:
                    raise TooManyKernels
                tab = Tab(self._make())
                for made, _ in self._listeners:
                    made(tab.kernel)
                # Started with the lock held: who comes at the same time finds it served.
                tab.kernel.start()
                tab.kernel.run(self._script)
                self._tabs[key] = tab
                if self._reaper is None:
                    self._reaper = threading.Thread(target=self._reap, name="rdit-kernels", daemon=True)
                    self._reaper.start()
            tab.visitors += 1
            return tab

    def leave(self, tab: Tab) -> None:
        """A visitor leaves."""
        with self._changed:
            tab.visitors -= 1
            tab.left_s = self._clock()
            self._changed.notify_all()

    def find(self, key: str) -> Kernel | None:
        """The kernel of a key, if there is one."""
        with self._changed:
            tab = self._tabs.get(key)
            return None if tab is None else tab.kernel

    def find_module(self, name: str) -> bytes | None:
        """Widget code by content hash, whoever's it is."""
        with self._changed:
            tabs = list(self._tabs.values())
        return next((found for tab in tabs if (found := tab.kernel.modules.find(name)) is not None), None)

    def stop(self) -> None:
        """Make no kernel any more, and let all pages go, whatever the kernels do: they hear why, and may come back."""
        with self._changed:
            self._is_closed = True
            tabs = list(self._tabs.values())
            self._changed.notify_all()
        for tab in tabs:
            tab.kernel.let_pages_go()

    def count_open(self) -> int:
        """How many connections have not ended yet, of all kernels. Any thread."""
        with self._changed:
            tabs = list(self._tabs.values())
        return sum(tab.kernel.count_pages() for tab in tabs)

    def close(self) -> None:
        """End all kernels, and wait for them."""
        with self._changed:
            self._is_closed = True
            for key in list(self._tabs):
                self._end(key)
            ending, reaper = list(self._ending), self._reaper
            self._changed.notify_all()
        for thread in ending:
            thread.join()
        if reaper is not None:
            reaper.join()

    def _reap(self) -> None:
        with self._changed:
            while not self._is_closed:
                self._changed.wait(self._end_the_left())

    def _end_the_left(self) -> float | None:
        """End the kernels that nobody visits. Gives the seconds until another may be one; None: not before somebody
        leaves. Call with the lock held.
        """
        now_s = self._clock()
        left = [(tab.left_s + self._ttl_s, key) for key, tab in self._tabs.items() if not tab.visitors]
        for deadline_s, key in left:
            if deadline_s <= now_s:
                self._end(key)
        return min((deadline_s - now_s for deadline_s, _ in left if deadline_s > now_s), default=None)

    def _end(self, key: str) -> None:
        """Call with the lock held."""
        kernel = self._tabs.pop(key).kernel

        def end() -> None:
            kernel.let_pages_go()  # With a reason, so that pages know that they may come back.
            kernel.close()
            for _, ended in self._listeners:
                ended(kernel)
            with self._changed:
                self._ending.discard(threading.current_thread())

        # A kernel may take its time, and others must not wait for it.
        thread = threading.Thread(target=end, name="rdit-kernel-end", daemon=True)
        self._ending.add(thread)
        thread.start()

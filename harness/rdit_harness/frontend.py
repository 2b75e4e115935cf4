"""A simulated front end: pages in memory, with mirror models and views, against the real core.

Nothing is mocked. A page holds the client's end of a connection, the core the server's end, and this room is the
adapter between the two: it carries each frame across, in order, on a virtual clock, and it is the kernel's thread. So a
test of a widget or of the core needs no socket, no thread and no wall clock, and what it sees is what a page would.

    frontend = Frontend()
    counter = Counter(value=2)
    page = frontend.page()
    model = page.open(counter)
    model.set("value", 3); model.save_changes()
    frontend.settle()
    assert counter.value == 3

Pages speak `rdit/1`, which is what the page of `rdit serve` speaks, or base mode: `Frontend(mode="base")` for all of
them, `frontend.page("base")` for one. Pages of both may look at the same widgets.

`settle` delivers until nothing is left to do: when it returns, every page is idle, or waits for its network. Time moves
only where rest is at the end of a wait: base mode's trailing correction, or the next dial of a page. `advance`
lets time pass, and meets every deadline on the way: heartbeats, backoff, the end of sessions.
"""

from __future__ import annotations

from typing import Any, Final

from rdit_core import BaseClientConnection, ClientConnection, Limits, WidgetManager
from rdit_core.model import Profile

from .clock import VirtualClock
from .modules.binding import Modules
from .modules.loop import VirtualLoop
from .page import Mode, Page

STANDING: Final = Limits(max_slot_writes=2**53)
"""What a test does happens at one instant, so nothing is too often. That writes do not end, `settle` says."""

_MAX_ROUNDS: Final = 100_000
"""Rounds after which `settle` takes widgets that answer each other for ever for what they are."""


class NeverSettles(AssertionError):
    """Frames kept flowing: two widgets, tabs or listeners answer each other without end."""


class Frontend:
    """A front end with any number of pages, on one core and one virtual clock.

    Args:
        manager: the core under test; a fresh one by default.
        mode: what its pages speak: `v1` (`rdit/1`) or `base`.
        profile: of the models that pages open.
    """

    def __init__(self, manager: WidgetManager | None = None, *, mode: Mode = "v1", profile: Profile = "strict") -> None:
        self.manager = WidgetManager(limits=STANDING) if manager is None else manager
        self.mode: Mode = mode
        self.clock = VirtualClock()
        self.pages: list[Page] = []
        self.modules = Modules(self.manager)
        """Which modules in Python play the parts of the widgets' own."""
        self.errors: list[BaseException] = []
        """What went wrong in code of pages that were closed, and in tasks that nobody awaits, in order."""
        # asyncio implements what it calls abstract: each method raises NotImplementedError.
        self.loop = VirtualLoop(self.clock, self.errors.append)  # type: ignore[abstract]
        """What coroutines of modules run on."""
        self._profile: Profile = profile

    def page(self, mode: Mode | None = None) -> Page:
        """Load a page and connect it.

        Args:
            mode: what it speaks; what the front end's pages speak by default.

        Raises:
            ValueError: there is no such mode.
        """
        mode = mode or self.mode
        limits = self.manager.limits
        if mode == "base":
            page = Page(self, BaseClientConnection(limits=limits, profile=self._profile))
        elif mode == "v1":
            client = ClientConnection(
                limits=limits, profile=self._profile, on_open=lambda model: page.code.opened(model)
            )
            client.start(self.clock.now_s)
            page = Page(self, client)
        else:
            raise ValueError(f"Expected mode 'v1' or 'base', got {mode!r}")
        self.pages.append(page)
        page.heal()
        return page

    def deliver(self) -> int:
        """Carry and apply until nothing moves, without moving the clock. Returns how much that was: frames, and what
        ran of modules.

        Raises:
            NeverSettles: frames kept flowing.
        """
        total = 0
        for _ in range(_MAX_ROUNDS):
            moved = sum(page.step() for page in list(self.pages)) + self.manager.apply_pending()
            moved += self.loop.run_ready()
            if not moved:
                return total
            total += moved
        raise NeverSettles(f"Frames still flow after {_MAX_ROUNDS} rounds")

    def advance(self, seconds: float) -> None:
        """Let time pass: every deadline on the way is met in order, frames delivered."""
        end_s = self.clock.now_s + seconds
        self.deliver()
        self._run_to(end_s)

    def settle(self) -> None:
        """Deliver everything, and meet what deadlines that takes, until nothing is under way. A page without a network
        keeps what it has to say, and a module that sleeps is left asleep: `advance` wakes it.

        Raises:
            NeverSettles: frames kept flowing, or one wait led to the next.
        """
        self.deliver()
        for _ in range(_MAX_ROUNDS):
            deadlines = [one for page in self.pages if (one := page.settling_deadline()) is not None]
            if not deadlines:
                return
            self._run_to(min(deadlines))
        raise NeverSettles(f"Deadlines are still set after {_MAX_ROUNDS} of them")

    def reload(self, widget: Any, module: Any) -> None:
        """Replace the module of a widget, on every page: its views end, its cleanups finish, the new module starts, and
        the views are shown anew. The state stays.

        Args:
            widget: the widget, or its id.
            module: as in `rdit_harness.modules`.
        """
        widget_id = widget if isinstance(widget, str) else self.manager.add(widget)
        self.modules[self.manager[widget_id]] = module
        for page in self.pages:
            for model in list(page.client.models.values()):  # The widget may have several ids, and be there under each.
                page.code.follow(model)

    def close(self) -> None:
        """Close every page, end what still runs on them, and let go of the widgets."""
        for page in list(self.pages):
            page.close()
        try:
            self.deliver()
        finally:
            self.loop.cancel_all()
            self.manager.clear()

    def _run_to(self, end_s: float) -> None:
        while (deadline_s := self._next_deadline()) is not None and deadline_s <= end_s:
            self.clock.advance_to(deadline_s)
            for page in list(self.pages):
                page.handle_timeout()
            self.manager.handle_timeout(self.clock.now_s)
            self.deliver()
        self.clock.advance_to(end_s)
        self.deliver()

    def _next_deadline(self) -> float | None:
        deadlines = [
            self.manager.next_deadline(),
            self.loop.next_deadline(),
            *(page.next_deadline() for page in self.pages),
        ]
        return min((one for one in deadlines if one is not None), default=None)

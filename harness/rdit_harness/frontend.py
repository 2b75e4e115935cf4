"""A simulated front end: pages in memory, with mirror models and views, against the real core.

Nothing is mocked. A page holds the client's end of a connection, the core the server's end, and this module is the
adapter between the two: it carries each frame across, in order, on a virtual clock, and it is the kernel's thread. So a
test of a widget or of the core needs no socket, no thread and no wall clock, and what it sees is what a page would.

    frontend = Frontend()
    counter = Counter(value=2)
    page = frontend.page()
    model = page.open(counter)
    model.set("value", 3); model.save_changes()
    frontend.settle()
    assert counter.value == 3

`settle` delivers until nothing is left to do, trailing corrections included: when it returns, every page is idle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from rdit_core import TRUSTED, BaseClientConnection, BaseServerConnection, WidgetManager, WidgetModel
from rdit_core.base_client import ClientEvent
from rdit_core.model import Profile

from .clock import VirtualClock

_MAX_ROUNDS: Final = 100_000
"""Rounds after which `settle` takes widgets that answer each other for ever for what they are."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame that crossed between a page and the core."""

    at_s: float
    direction: Literal["to_server", "to_page"]
    text: str


class NeverSettles(AssertionError):
    """Frames kept flowing: two widgets, tabs or listeners answer each other without end."""


Cleanup = Callable[[], object]
Render = Callable[["View"], Cleanup | None]


@dataclass(eq=False)
class View:
    """One rendering of a model. What it listens to through `on` ends with it."""

    model: WidgetModel
    cleanup: Cleanup | None = None
    is_open: bool = True

    def on(self, event: str, callback: Callable[..., object]) -> None:
        """Listen through this view; see `WidgetModel.on`."""
        self.model.on(event, callback, scope=self)

    def off(self, event: str | None = None, callback: Callable[..., object] | None = None) -> None:
        """Remove listeners of this view, and of no other."""
        self.model.off(event, callback, scope=self)

    def dispose(self) -> None:
        """Run the cleanup and drop the listeners. Idempotent."""
        if self.is_open:
            self.is_open = False
            self.model.off(scope=self)
            if self.cleanup is not None:
                self.cleanup()


@dataclass(eq=False)
class Page:
    """One page load. Made by `Frontend.page`."""

    frontend: Frontend
    client: BaseClientConnection
    server: BaseServerConnection | None = None
    views: list[View] = field(default_factory=list)
    events: list[ClientEvent] = field(default_factory=list)
    """What the page was told beside its models: refused edits, output."""
    wire: list[Frame] = field(default_factory=list)
    """Every frame that crossed, in order."""

    @property
    def is_connected(self) -> bool:
        """Whether the page has a connection now."""
        return self.server is not None

    @property
    def is_idle(self) -> bool:
        """Whether nothing of this page is under way."""
        return self.client.is_idle and (self.server is None or self.server.next_deadline() is None)

    def open(self, widget: Any) -> WidgetModel:
        """The page's model of a widget or of a widget id; a widget that is not hosted yet is."""
        manager = self.frontend.manager
        widget_id = widget if isinstance(widget, str) else manager.add(widget)
        return self.client.open(manager.serialize(widget_id))

    def render(self, widget: Any, render: Render | None = None) -> View:
        """A view of a widget. `render` plays the module's part: it gets the view and may return a cleanup."""
        view = View(self.open(widget))
        if render is not None:
            view.cleanup = render(view)
        self.views.append(view)
        return view

    def drop(self) -> None:
        """Cut the connection. Frames on the way are lost; edits from now on wait."""
        if self.server is not None:
            server, self.server = self.server, None
            self.client.receive_eof()
            server.receive_eof()

    def heal(self) -> None:
        """Connect again."""
        if self.server is None:
            self.server = self.frontend.manager.connect(TRUSTED, output=True)
            self.client.opened()

    def close(self) -> None:
        """Leave the page: views first, then the connection."""
        for view in self.views:
            view.dispose()
        self.drop()
        self.frontend.pages.remove(self)

    def step(self) -> int:
        """Carry everything that is ready across, once in each direction. Returns how many frames that were."""
        if self.server is None:
            return 0
        server, count = self.server, 0
        for text in self.client.frames_to_send():
            self.wire.append(Frame(self.frontend.clock.now_s, "to_server", text))
            server.receive_frame(text, self.frontend.clock.now_s)
            count += 1
        for text in server.frames_to_send():
            if self.server is not server:
                break  # A listener cut the connection: the rest is lost.
            self.wire.append(Frame(self.frontend.clock.now_s, "to_page", text))
            self.client.receive_frame(text)
            count += 1
        self.events.extend(self.client.events_received())
        return count

    def send_raw(self, frame: str | bytes) -> None:
        """Send bytes of your own, as a hostile or broken page would."""
        if self.server is None:
            raise AssertionError("Expected a connected page; call heal() first")
        self.server.receive_frame(frame, self.frontend.clock.now_s)


class Frontend:
    """A front end with any number of pages, on one core and one virtual clock.

    Args:
        manager: the core under test; a fresh one by default.
        profile: of the models that pages open.
    """

    def __init__(self, manager: WidgetManager | None = None, *, profile: Profile = "strict") -> None:
        self.manager = WidgetManager() if manager is None else manager
        self.clock = VirtualClock()
        self.pages: list[Page] = []
        self._profile: Profile = profile

    def page(self) -> Page:
        """Load a page and connect it."""
        page = Page(self, BaseClientConnection(limits=self.manager.limits, profile=self._profile))
        self.pages.append(page)
        page.heal()
        return page

    def deliver(self) -> int:
        """Carry and apply until nothing moves, without moving the clock. Returns the number of frames.

        Raises:
            NeverSettles: frames kept flowing.
        """
        total = 0
        for _ in range(_MAX_ROUNDS):
            moved = sum(page.step() for page in list(self.pages)) + self.manager.apply_pending()
            if not moved:
                return total
            total += moved
        raise NeverSettles(f"Frames still flow after {_MAX_ROUNDS} rounds")

    def advance(self, seconds: float) -> None:
        """Let time pass: deadlines on the way are met in order, frames delivered."""
        end_s = self.clock.now_s + seconds
        self.deliver()
        while (deadline := self._next_deadline()) is not None and deadline <= end_s:
            self._meet(deadline)
        self.clock.advance_to(end_s)
        self.deliver()

    def settle(self) -> None:
        """Deliver everything and meet every deadline, until all pages are idle. Raises `NeverSettles`."""
        self.deliver()
        for _ in range(_MAX_ROUNDS):
            deadline = self._next_deadline()
            if deadline is None:
                return
            self._meet(deadline)
        raise NeverSettles(f"Deadlines are still set after {_MAX_ROUNDS} of them")

    def _meet(self, deadline_s: float) -> None:
        self.clock.advance_to(deadline_s)
        for server in self._servers():
            server.handle_timeout(self.clock.now_s)
        self.deliver()

    def _next_deadline(self) -> float | None:
        deadlines = [deadline for server in self._servers() if (deadline := server.next_deadline()) is not None]
        return min(deadlines, default=None)

    def _servers(self) -> Iterator[BaseServerConnection]:
        return (page.server for page in list(self.pages) if page.server is not None)

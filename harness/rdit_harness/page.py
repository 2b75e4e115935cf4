"""One simulated page: mirror models and views, the client's end of a connection, and the way to the server's end.

A page carries its own frames, `step` by `step`, as the adapter of both ends would; the front end (`frontend`) makes the
rounds, owns the clock and is the kernel's thread. The network between the two is there or it is not: while it is
(`is_up`), a page whose connection ended dials again by itself when its wait is over, and while it is not, no dial
succeeds. Base mode dials when the network comes back and never otherwise, for its server never ends a connection.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from rdit_core import (
    TRUSTED,
    BaseClientConnection,
    BaseServerConnection,
    ClientConnection,
    ServerConnection,
    WidgetModel,
)
from rdit_core.client_events import SessionEvent

from .modules.binding import PageCode

if TYPE_CHECKING:
    from .frontend import Frontend
    from .modules.host import ShownView

Mode = Literal["v1", "base"]
"""Which protocol a page speaks: `rdit/1`, or base mode's three messages."""

_LOST: Final = 1006
"""The close code of a transport that ended without one."""

_PART_ALIGNMENT: Final = 8


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame that crossed between a page and the core."""

    at_s: float
    direction: Literal["to_server", "to_page"]
    data: str | bytes

    @property
    def text(self) -> str:
        """The frame's JSON. A binary frame's is its first part, with null where a buffer belongs."""
        if isinstance(self.data, str):
            return self.data
        count, length = struct.unpack_from("<II", self.data, 4)
        start = 8 + 4 * count
        start += -start % _PART_ALIGNMENT
        return self.data[start : start + length].decode()

    @property
    def message(self) -> dict[str, Any]:
        """What the JSON says: `frame.message["type"]`."""
        message: dict[str, Any] = json.loads(self.text)
        return message


Cleanup = Callable[[], object]
Render = Callable[["View"], Cleanup | None]


@dataclass(eq=False)
class View:
    """One rendering of a model. What it listens to through `on` ends with it."""

    model: WidgetModel
    cleanup: Cleanup | None = None
    is_open: bool = True

    def on(self, event: str, callback: Callable[..., object]) -> None:
        """Listen through this view; see `WidgetModel.on`. A view that has ended listens to nothing."""
        if self.is_open:
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
    client: ClientConnection | BaseClientConnection
    server: ServerConnection | BaseServerConnection | None = None
    is_up: bool = False
    """Whether the network is there."""
    views: list[View] = field(default_factory=list)
    events: list[SessionEvent] = field(default_factory=list)
    """What the page was told beside its models: edits refused, messages lost, a session that expired, output."""
    wire: list[Frame] = field(default_factory=list)
    """Every frame that crossed, in order."""
    code: PageCode = field(init=False)
    """The modules in Python that run on it."""
    _opened: dict[WidgetModel, None] = field(default_factory=dict)
    _is_stirred: bool = False
    """Whether either end may have something to say that was not asked for it yet."""
    _is_stepping: bool = False

    def __post_init__(self) -> None:
        self.code = PageCode(self)

    @property
    def mode(self) -> Mode:
        """What this page speaks."""
        return "base" if isinstance(self.client, BaseClientConnection) else "v1"

    @property
    def is_connected(self) -> bool:
        """Whether the page has a connection now."""
        return self.server is not None

    @property
    def is_idle(self) -> bool:
        """Whether nothing of this page is under way: no edit, no frame, nothing that the server owes it. Heartbeats do
        not count.
        """
        if not self.client.is_idle or self.settling_deadline() is not None:
            return False
        return self.server is None or not self._is_stirred

    @property
    def errors(self) -> list[Exception]:
        """What went wrong in this page's code: in listeners of its models, those of closed models included, and in
        modules, their elements and signals.
        """
        models = dict.fromkeys([*self._opened, *self.client.models.values()])
        raised = [error for model in models for error in model.errors]
        return [*raised, *self.code.errors, *(failure.error for failure in self.code.failures)]

    def open(self, widget: Any) -> WidgetModel:
        """The page's model of a widget or of a widget id; a widget that is not hosted yet is.

        In `rdit/1` the page's frames are delivered until it was told of the widget; no edit is applied by that.

        Raises:
            UnknownWidget: no such id. WidgetNotHostable: the widget has no ES module.
            AssertionError: the page was not told of the widget, and has no connection on which it could be.
        """
        manager = self.frontend.manager
        widget_id = widget if isinstance(widget, str) else manager.add(widget)
        if isinstance(self.client, BaseClientConnection):
            model = self.client.open(manager.serialize(widget_id))
            self.code.opened(model)
        else:
            if not manager.is_displayable(widget_id):
                manager.serialize(widget_id)  # Says why.
            while self._misses(self.client, widget_id) and self.step():
                pass
            if widget_id not in self.client.models:
                raise AssertionError(f"Expected a page that knows widget {widget_id}; call heal() first")
            model = self.client.models[widget_id]
        self._opened[model] = None
        return model

    def render(self, widget: Any, render: Render | None = None) -> View:
        """A view of a widget. `render` plays the module's part: it gets the view and may return a cleanup."""
        view = View(self.open(widget))
        if render is not None:
            view.cleanup = render(view)
        self.views.append(view)
        return view

    def show(self, widget: Any, module: Any = None) -> ShownView:
        """A view of a widget in which a module in Python plays the part of its module; see `rdit_harness.modules`.

        Args:
            widget: the widget, or its id.
            module: this view's and every other's of this widget, from now on. By default the one that the front end's
                `modules` has for it.

        Raises:
            NoModule: there is none. Errors of `open`.
        """
        from .modules.host import ShownView

        model = self.open(widget)
        if module is not None and not self.frontend.modules.has(model.widget_id, module):
            self.frontend.reload(model.widget_id, module)
        view = ShownView(self.code, model)
        self.views.append(view)
        return view

    def drop(self) -> None:
        """Take the network away. Frames on the way are lost; edits from now on wait."""
        self.is_up = False
        self._lose(_LOST, "")

    def heal(self) -> None:
        """Bring the network back, and connect at once."""
        self.is_up = True
        if self.server is not None:
            return
        if isinstance(self.client, BaseClientConnection):
            self.server = self.frontend.manager.connect(TRUSTED, wakeup=self._stir, output=True)
            self.client.opened()
        else:
            self.client.hint_online(self._now_s)
            self._dial(self.client)

    def close(self) -> None:
        """Leave the page: views first, then the connection. In `rdit/1` edits that were saved still go out, and a
        goodbye.
        """
        for view in self.views:
            view.dispose()
        self.code.close()
        if isinstance(self.client, ClientConnection):
            self.client.leave(self._now_s)
            if self.server is not None:
                self._send(self.server)
        self.drop()
        self.events.extend(self.client.events_received())
        self.frontend.pages.remove(self)
        self.frontend.errors.extend(self.errors)

    def step(self) -> int:
        """Carry everything that is ready across, once in each direction. Returns how many frames that were.

        A listener that calls it (or `settle`) gets 0: its page is in the middle of a step, which goes on after it.
        """
        if self._is_stepping:
            return 0
        self._is_stepping = True
        try:
            if isinstance(self.client, ClientConnection):
                self._dial(self.client)
            count = self._carry(self.server) if self.server is not None else 0
        finally:
            self._is_stepping = False
        self.events.extend(self.client.events_received())
        return count

    def send_raw(self, frame: str | bytes) -> None:
        """Send a frame of your own, as a hostile or broken page would."""
        if self.server is None:
            raise AssertionError("Expected a connected page; call heal() first")
        self._is_stirred = True
        self.server.receive_frame(frame, self._now_s)

    # What the front end calls.

    def settling_deadline(self) -> float | None:
        """The next deadline without which nothing comes to rest, in seconds of the front end's clock: a trailing
        correction of base mode, or the next dial of a page that lost its connection and not the network.
        """
        if isinstance(self.client, BaseClientConnection):
            return self.server.next_deadline() if self.server is not None else None
        return self.client.next_deadline() if self.server is None and self.is_up else None

    def next_deadline(self) -> float | None:
        """When `handle_timeout` must be called next, heartbeats included."""
        deadlines = [self.server.next_deadline()] if self.server is not None else []
        if isinstance(self.client, ClientConnection):
            deadlines.append(self.client.next_deadline())
        return min((one for one in deadlines if one is not None), default=None)

    def handle_timeout(self) -> None:
        """Have both ends do what is due. Harmless when nothing is."""
        if self.server is not None:
            self.server.handle_timeout(self._now_s)
        if isinstance(self.client, ClientConnection):
            self.client.handle_timeout(self._now_s)

    # The adapter.

    @property
    def _now_s(self) -> float:
        return self.frontend.clock.now_s

    def _stir(self) -> None:
        self._is_stirred = True

    def _misses(self, client: ClientConnection, widget_id: str) -> bool:
        """Whether the page has not been told of the present widget of that id."""
        known = client.widgets.get(widget_id)
        return known is None or known.inst != self.frontend.manager.inst(widget_id)

    def _dial(self, client: ClientConnection) -> None:
        if not client.wants_transport:
            return
        if not self.is_up:
            client.receive_eof(self._now_s)
            return
        self.server = self.frontend.manager.connect(
            TRUSTED, mode="v1", wakeup=self._stir, output=True, now_s=self._now_s
        )
        client.opened(self._now_s)
        self._is_stirred = True

    def _send(self, server: ServerConnection | BaseServerConnection) -> int:
        frames = self.client.frames_to_send(self._now_s)
        for data in frames:
            self.wire.append(Frame(self._now_s, "to_server", data))
            server.receive_frame(data, self._now_s)
        return len(frames)

    def _carry(self, server: ServerConnection | BaseServerConnection) -> int:
        self._is_stirred = False
        count = self._send(server)
        for data in server.frames_to_send(self._now_s):
            if self.server is not server:
                break  # A listener cut the connection: the rest is lost.
            self.wire.append(Frame(self._now_s, "to_page", data))
            self.client.receive_frame(data, self._now_s)
            count += 1
        if count:
            self._is_stirred = True  # What was heard may want an answer.
        if self.server is server:
            if server.closing is not None:
                self._lose(*server.closing)
            elif isinstance(self.client, ClientConnection) and self.client.wants_close:
                self._lose(1000, "")
        return count

    def _lose(self, code: int, reason: str) -> None:
        """The connection ends, with this close code and reason. Harmless when there is none."""
        if self.server is None:
            return
        server, self.server = self.server, None
        if isinstance(self.client, BaseClientConnection):
            self.client.receive_eof(self._now_s)
        else:
            self.client.receive_eof(self._now_s, code, reason)
        server.receive_eof(self._now_s)

"""A page in base mode: the first design's client, its transport, its user and what its models say."""

from __future__ import annotations

from typing import Any, Final

from rdit_core.base_client import BaseClientConnection

from .agenda import MS
from .listener import Listener
from .network import Frame, Transport
from .tab import Tab
from .user import User
from .widgets import SHOWN
from .wire import read_base


class BaseUser(User):
    """The user of a page in base mode."""

    def send(self, widget_id: str, content: dict[str, Any], buffers: Any) -> bool:
        """Base mode has none."""
        return False

    def edit(self, widget_id: str, name: str, value: Any, *, save: bool = True) -> bool:
        """As in `rdit/1`, and drained at once. Nothing too large: base mode does not say which edit that was."""
        if type(value) is str and (len(value) > 500 or value == "poison"):
            return False
        self._tab.world.mark("edit in base mode")
        is_done = super().edit(widget_id, name, value, save=save)
        if is_done:
            self._tab.pump()
        return is_done


class BaseListener(Listener):
    """Listens in base mode, which has no messages, and promises the end, not the way (I18)."""

    def listen(self, model: Any) -> None:
        """Put the listeners of a page on a model."""
        self._forget(model.widget_id)
        for name in SHOWN:
            model.on(f"change:{name}", lambda name=name: self.told(model, name))

    def told(self, model: Any, name: str) -> None:
        """A model tells of a value, perhaps twice."""
        if not self.depth:
            self._tab.user.unsaved.pop((model.widget_id, name), None)


class BaseTab(Tab):
    """One page in base mode. It opens its widgets from their serialized form, as a page of the first design does."""

    mode = "base"
    user_kind = BaseUser
    listener_kind = BaseListener
    _RETRY_NS: Final = 500 * MS

    def _make(self) -> None:
        self._epoch = ""
        self.doubtful = set()
        self._is_stale = False
        self.base = BaseClientConnection(limits=self.world.client_limits)
        self._dial()

    @property
    def state(self) -> str:
        """Of the transport; base mode has no more."""
        return "live" if self.base.is_connected else "connecting"

    @property
    def is_live(self) -> bool:
        """Whether edits go out."""
        return self.base.is_connected

    @property
    def is_idle(self) -> bool:
        """Whether no edit waits."""
        return self.base.is_idle

    def models(self) -> Any:
        """Widget id to open model."""
        return self.base.models

    def model(self, widget_id: str) -> Any:
        """An open model, or None."""
        return self.base.models.get(widget_id)

    def is_pending(self, widget_id: str, name: str) -> bool:
        """Whether a slot has an edit on its way."""
        return self.base.is_pending(widget_id, name)

    def pump(self) -> None:
        """What an adapter does after each input."""
        transport = self.transport
        if transport is not None and self.base.is_connected:
            for frame in self.base.frames_to_send():
                transport.to_server.send(frame, read_base(frame))
                self.world.count_frame()
        events = self.base.events_received()
        if events:
            self._take_events(events)

    def _opened(self, transport: Transport) -> None:
        if transport is not self.transport:
            return
        world = self.world
        world.events += 1
        world.trace.append((world.agenda.now_ns, transport.name, "opened"))
        self.base.opened()
        if self._epoch != world.host.epoch:
            # A page of the first design is told of a restart by its stream of events, and begins anew.
            self._epoch = world.host.epoch
            self.base.receive_eof()
            self.base = BaseClientConnection(limits=world.client_limits)
            self.base.opened()
            self.user.unsaved.clear()
            manager = world.host.manager
            for widget_id in world.widgets:
                self.listener.listen(self.base.open(manager.serialize(widget_id)))
        self.pump()

    def widgets_changed(self) -> None:
        """Widgets were opened or closed: the stream of events says so, and the page renders anew.

        Base mode does not tell one widget from the next under the same id, so a page that kept its connection could
        take a late push of the old one for the new one's.
        """
        if not self._is_stale:
            self._is_stale = True
            self.world.agenda.after(0, self._render_anew, None)

    def _render_anew(self, _: None) -> None:
        self._is_stale = False
        if not self.is_over:
            self.reload()

    def _eof(self, transport: Transport, code: int | None) -> None:
        if transport is self.transport:
            world = self.world
            self.transport = None
            world.events += 1
            world.trace.append((world.agenda.now_ns, transport.name, f"eof {code}"))
            self.doubtful.update(self.user.own)
            self.base.receive_eof()
            world.agenda.after(self._RETRY_NS, self._again)

    def _again(self, _: None) -> None:
        if self.transport is None and not self.is_over:
            self._dial()

    def _arrive(self, frame: Frame, told: Any) -> None:
        self.base.receive_frame(frame)
        self.pump()

    def _arm(self) -> None:
        return

    def subscribe(self, widget_ids: tuple[str, ...] | None) -> None:
        """Base mode shows everything."""

    def reload(self) -> None:
        """The user loads the page anew."""
        self._drop_transport()
        self._begin()

    def leave(self) -> None:
        """The user closes the page."""
        self._drop_transport()
        self.base.receive_eof()

    def freeze(self) -> None:
        """Not for pages of base mode."""

    def thaw(self) -> None:
        """Not for pages of base mode."""

    def hint(self) -> None:
        """Not for pages of base mode."""

    def jump(self, ns: int) -> None:
        """Base mode's client has no clock."""

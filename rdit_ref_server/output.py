"""What user code lets out: text, displays and errors become events.

Events go into the log, from which each page's event stream is served. A stream ends with the run, so what comes later
also goes out over the WebSockets that asked for output, in the order of ids: one thread drains the queue of such events
at a time, and never while it holds our lock, since the manager has locks of its own.

A reset is asked for from another thread while a script may be running. From that moment on nothing of the old run is
logged, until the kernel has let go of it.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from rdit_core import WidgetManager

from .esm import ModuleStore
from .formulas import formulas_of
from .log import Event, EventLog, Kind
from .owners import Owners
from .shell import clean_text
from .streams import flush_streams, write_to_terminal
from .tracebacks import describe

WIDGET_MIME: Final = "application/vnd.jupyter.widget-view+json"

_NOT_HOSTED: Final = (
    "This is a classic Jupyter widget: it brings no ES module of its own (_esm), so it can be shown in Jupyter only."
)
_CLOSED: Final = "This widget was closed."

_SHOWN: Final = frozenset({"stream", "display", "update", "error", "widget", "clear"})
"""What a statement shows."""


class Output:
    """Where everything ends that user code lets out. Every method may be called from any thread.

    Args:
        log: what happened; also the page's event stream.
        manager: encodes widgets, and has the WebSockets.
        modules: widget code, by content hash.
        owners: whose output it is.
    """

    def __init__(self, log: EventLog, manager: WidgetManager, modules: ModuleStore, owners: Owners) -> None:
        self.hides_errors = False
        """Whether errors are nobody's business any more: the kernel was told to end."""
        self._log = log
        self._manager = manager
        self._modules = modules
        self._owners = owners
        self._drain = threading.Lock()
        self._lock = threading.RLock()
        """Guards what follows, and keeps the log and `_outgoing` in one order."""
        self._outgoing: deque[Event] = deque()
        self._resets_waiting = 0
        self._run_began_s: float | None = None
        """When the first statement of a run that goes on began, by the monotonic clock."""
        self._changed: list[str] = []
        """Names of the files because of which a reset waits."""
        self._displayed: dict[str, dict[int | None, int]] = {}
        """Display id to the statements that show it, and to the last update there (0: none yet)."""
        self._clearing: set[int | None] = set()
        """Statements that are to be cleared when they show something."""
        self._cleared: dict[int | None, int] = {}
        """Statement to an id before which nothing of it can be cleared any more."""
        self._reset_is_output = False
        """Whether streams had ended when a reset was asked for, so that pages must hear of it over their sockets."""

    # What user code lets out.

    def text(self, owner: int | None, name: str, text: str) -> None:
        """Log text of `stdout` or `stderr`."""
        self.add("stream", owner, name=name, text=clean_text(text))

    def show(self, data: dict[str, Any], metadata: dict[str, Any], display_id: str | None = None) -> None:
        """Log a MIME bundle, as the calling thread's. Both are JSON-clean.

        Args:
            data: MIME type to value.
            metadata: of these values.
            display_id: under which `update` finds it.
        """
        owner = self._owners.here()
        flush_streams()
        widget_id = self._displayable(data)
        kind: Kind = "display" if widget_id is None else "widget"
        fields: dict[str, Any] = {} if display_id is None else {"display_id": display_id}
        if widget_id is None:
            fields |= _bundle(data, metadata)
        else:
            self._owners.show(widget_id, owner)
            fields |= {"widget_id": widget_id, "class_name": self._class_of(widget_id)}
        self.add(kind, owner, **fields)

    def update(self, display_id: str, data: dict[str, Any], metadata: dict[str, Any]) -> None:
        """Log that another bundle stands in the place of what was displayed under an id. A late reader gets the last
        of such updates only. What nobody displayed is not updated; a widget is shown besides.
        """
        if self._displayable(data) is not None:
            self.show(data, metadata, display_id)
            return
        flush_streams()
        fields = {"display_id": display_id, **_bundle(data, metadata)}
        with self._lock:
            for owner, last_id in list(self._displayed.get(display_id, {}).items()):

                def is_superseded(event: Event, last_id: int = last_id) -> bool:
                    return event.id == last_id

                event = self._add("update", owner, fields, (last_id - 1, is_superseded) if last_id else None)
                if event is not None:
                    self._displayed[display_id][owner] = event.id
        self._send_outgoing()

    def clear(self, *, wait: bool) -> None:
        """Log that what the calling thread's statement showed is to be seen no more. A late reader does not get it.

        Args:
            wait: for the next thing that this statement shows.
        """
        owner = self._owners.here()
        flush_streams()
        with self._lock:
            if wait:
                self._clearing.add(owner)
            else:
                self._clear(owner, wait=False)
        self._send_outgoing()

    def _clear(self, owner: int | None, *, wait: bool) -> None:
        """Call with the lock held, then `_send_outgoing`."""
        self._clearing.discard(owner)
        for owners in self._displayed.values():
            owners.pop(owner, None)

        def is_cleared(event: Event) -> bool:
            return event.statement == owner and event.kind in _SHOWN

        self._add("clear", owner, {"wait": wait}, (self._cleared.get(owner, 0), is_cleared))
        self._cleared[owner] = self._log.last_id - 1

    def error(self, error: BaseException, owner: int | None) -> None:
        """Log an error, and show it to the terminal."""
        flush_streams()
        if self.hides_errors:
            return
        name, message, trace = map(clean_text, describe(error))
        self.add("error", owner, ename=name, evalue=message, traceback=trace)
        # The terminal from which the server was started sees what a plain run would show.
        write_to_terminal(trace)

    def add(self, kind: Kind, owner: int | None, /, **fields: Any) -> None:
        """Log an event, unless a reset waits."""
        with self._lock:
            if owner in self._clearing and kind in _SHOWN:
                self._clear(owner, wait=True)
            if kind == "statement" and self._run_began_s is None:
                self._run_began_s = time.monotonic()
            elif kind == "done":
                self._run_began_s = None
            if "display_id" in fields:
                self._displayed.setdefault(fields["display_id"], {}).setdefault(owner, 0)
            self._add(kind, owner, fields)
        self._send_outgoing()

    def _class_of(self, widget_id: str) -> str:
        widget = self._manager.widgets.get(widget_id)
        return "" if widget is None else type(widget).__name__  # it has just been closed

    def _displayable(self, data: dict[str, Any]) -> str | None:
        """The id of the widget that a bundle refers to, if pages can show it."""
        reference = data.get(WIDGET_MIME)
        widget_id = str(reference.get("model_id")) if isinstance(reference, dict) else None
        return widget_id if widget_id is not None and self._manager.is_displayable(widget_id) else None

    def _add(
        self,
        kind: Kind,
        owner: int | None,
        fields: dict[str, Any],
        instead_of: tuple[int, Callable[[Event], bool]] | None = None,
    ) -> Event | None:
        """Call with the lock held, then `_send_outgoing`."""
        if self._resets_waiting:
            return None
        is_live = self._log.is_done
        event = self._log.append(kind, owner, instead_of, **fields)
        if is_live:
            self._outgoing.append(event)
        return event

    # Runs and resets.

    @property
    def is_reset_waiting(self) -> bool:
        """Whether what runs is of no interest any more."""
        return self._resets_waiting > 0

    def expect_reset(self, changed: Sequence[str]) -> None:
        """Log nothing until `reset`, which is to be called as often as this.

        Args:
            changed: names of the files that are the reason, for the `reset` event.
        """
        with self._lock:
            self._resets_waiting += 1
            self._changed += [name for name in changed if name not in self._changed]
            self._reset_is_output = self._log.reopen() or self._reset_is_output

    def reset(self) -> None:
        """The old run is gone: say so, and log again."""
        with self._lock:
            self._resets_waiting -= 1
            self._begin_again()
        self._send_outgoing()

    def begin_run(self) -> None:
        """A run begins. If one ended before it without a reset, its events go."""
        with self._lock:
            if self._log.is_done:
                self._begin_again()
        self._send_outgoing()

    def _begin_again(self) -> None:
        """Start the log of another run. Call with the lock held, then `_send_outgoing`."""
        is_output = self._log.is_done or self._reset_is_output
        self._reset_is_output = False
        changed, self._changed = self._changed, []
        self._displayed.clear()
        self._clearing.clear()
        self._cleared.clear()
        self._run_began_s = None
        event = self._log.begin_again(**({"changed": changed} if changed else {}))
        self._modules.begin_again()
        if is_output:
            self._outgoing.append(event)

    # To the pages.

    def encode(self, event: Event, *, esm_text: bool) -> tuple[Kind, bytes]:
        """Give an event's kind and its JSON, on one line.

        A widget is described as it is now. One that is gone becomes a `display` that says so.

        Args:
            event: an event of the log.
            esm_text: whether the description of a widget has its module's text besides `esm_url`.
        """
        body = event.as_dict()
        began_s = self._run_began_s
        if event.kind == "statement" and began_s is not None:
            # For how long the run has gone on when this is sent, perhaps to a page that comes late.
            body["elapsed_s"] = round(time.monotonic() - began_s, 1)
        if event.kind == "widget":
            try:
                serialized = self._manager.encode_serialized(event.fields["widget_id"])
            except (ValueError, TypeError):
                shown = {"kind": "display", "data": {"text/plain": _CLOSED}, "metadata": {}}
                return "display", msgspec.json.encode({"id": event.id, "statement": event.statement, **shown})
            # The state is encoded already and may be large: it is passed on as it is.
            described = msgspec.json.decode(serialized, type=dict[str, msgspec.Raw])
            body.update(described, esm_url=self._modules.url(msgspec.json.decode(described["esm"], type=str)))
            if not esm_text:
                del body["esm"]
        return event.kind, msgspec.json.encode(body)

    def _send_outgoing(self) -> None:
        # Whoever finds the drain taken leaves its event to the one who is draining; that one looks again after
        # letting go.
        while self._outgoing and self._drain.acquire(blocking=False):
            try:
                while self._outgoing:
                    event = self._outgoing.popleft()
                    self._manager.send_output(event.id, self.encode(event, esm_text=False)[1])
            finally:
                self._drain.release()


def _bundle(data: dict[str, Any], metadata: dict[str, Any]) -> dict[str, Any]:
    """What an event has of a MIME bundle."""
    formulas = formulas_of(data)
    return {"data": _without_reference(data), "metadata": metadata, **({"formulas": formulas} if formulas else {})}


def _without_reference(data: dict[str, Any]) -> dict[str, Any]:
    """A bundle as it is, or what there is to say of a widget that cannot be shown."""
    if not isinstance(data.get(WIDGET_MIME), dict):
        return data
    text = str(data.get("text/plain", ""))
    return {"text/plain": f"{text}\n{_NOT_HOSTED}".lstrip()}

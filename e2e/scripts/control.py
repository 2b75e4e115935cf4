"""A way into a running script for the test that started it: reads and sets traits from a thread, and runs actions.

`Control(panel=panel, start=function)` listens on a port of its own and prints `control at PORT`. Requests and answers
are JSON lines (`e2e/faults.py` has the other end). Widgets are read and set by name, functions are called. Each change
of a widget is noted with the machine's monotonic clock, which other processes of the machine share; without `notes`
none is, and nothing grows.
"""

from __future__ import annotations

import json
import socketserver
import threading
import time
from typing import Any

import traitlets


class Control:
    def __init__(self, *, notes: bool = True, **names: Any) -> None:
        self._names: dict[str, Any] = {}
        self._notes = notes
        self._changed = threading.Condition()
        self._seen: list[tuple[float, str, str, Any]] = []
        self.add(**names)
        control = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                for line in self.rfile:
                    answer = getattr(control, "do_" + (request := json.loads(line)).pop("do"))(**request)
                    self.wfile.write(json.dumps(answer).encode() + b"\n")

        socketserver.ThreadingTCPServer.daemon_threads = True
        server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(f"control at {server.server_address[1]}")

    def add(self, **names: Any) -> None:
        """Give the test more to ask for. Whoever waits for one of these names goes on."""
        for name, widget in names.items():
            if self._notes and isinstance(widget, traitlets.HasTraits):
                widget.observe(lambda change, name=name: self._note(name, change), widget.keys)
        with self._changed:
            self._names.update(names)
            self._changed.notify_all()

    def do_get(self, widget: str) -> dict[str, Any]:
        """The traits that a page could have set."""
        return {name: getattr(self._names[widget], name) for name in self._names[widget].shown}

    def do_set(self, widget: str, **values: Any) -> float:
        """Set traits from this thread. Returns when it was done."""
        for name, value in values.items():
            setattr(self._names[widget], name, value)
        return time.monotonic()

    def do_wait(self, widget: str, timeout_s: float, **values: Any) -> float | None:
        """Wait until the widget is there and its traits have these values.

        Gives when the last of them came, None when they did not in time.
        """

        def is_there() -> bool:
            target = self._names.get(widget)
            return target is not None and all(getattr(target, name) == value for name, value in values.items())

        with self._changed:
            if not self._changed.wait_for(is_there, timeout_s):
                return None
            times = [at for at, of, name, _ in self._seen if of == widget and name in values]
        return max(times, default=0.0)

    def do_seen(self, widget: str, name: str) -> list[Any]:
        """Every value that a trait has had since the start, with its time."""
        with self._changed:
            return [(at, value) for at, of, changed, value in self._seen if (of, changed) == (widget, name)]

    def do_call(self, action: str, **arguments: Any) -> Any:
        return self._names[action](**arguments)

    def _note(self, widget: str, change: Any) -> None:
        with self._changed:
            self._seen.append((time.monotonic(), widget, change["name"], change["new"]))
            self._changed.notify_all()

"""What the stories about faults share: a server behind a proxy that misbehaves, and a word with its script.

A page opens `behind.url`, which leads through the proxy; `behind.direct_url` leads past it. The script has a `Control`
(`e2e/scripts/control.py`), to which `behind.python` talks past the network and past rdit, so that what Python holds is
known whatever the network does.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from e2e.page import Page
from e2e.server import ServeProcess
from rdit_harness.proxy import Proxy

SCRIPTS = Path(__file__).parent / "scripts"
TOKEN = "a-token-that-survives-a-restart"
PATIENCE_S = 10.0
SHOWN = ("a", "b", "c", "d", "limited", "fixed", "position")
"""The traits of a panel that both sides must agree about."""


class Python:
    """The traits of a script's widgets, as Python holds them."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
        self._answers = self._socket.makefile("r", encoding="utf-8")

    def get(self, widget: str = "main") -> dict[str, Any]:
        """All traits that a panel shows."""
        answer: dict[str, Any] = self._ask("get", widget=widget)
        return answer

    def set(self, widget: str = "main", **values: Any) -> float:
        """Set traits from a thread of the script's; gives the monotonic time at which it was done."""
        return float(self._ask("set", widget=widget, **values))

    def wait_for(self, widget: str = "main", timeout_s: float = PATIENCE_S, **values: Any) -> float:
        """Wait until traits have these values; gives the monotonic time at which the last of them came."""
        self._socket.settimeout(timeout_s + PATIENCE_S)
        at_s = self._ask("wait", widget=widget, timeout_s=timeout_s, **values)
        assert at_s is not None, f"Python did not get {values} within {timeout_s:g} s, it has {self.get(widget)}"
        return float(at_s)

    def seen(self, name: str, widget: str = "main") -> list[tuple[float, Any]]:
        """Every change of a trait, with the monotonic time at which it happened."""
        return [(at_s, value) for at_s, value in self._ask("seen", widget=widget, name=name)]

    def call(self, action: str, **arguments: Any) -> Any:
        """Call a function that the script has given to its `Control`."""
        return self._ask("call", action=action, **arguments)

    def close(self) -> None:
        self._answers.close()
        self._socket.close()

    def _ask(self, verb: str, **arguments: Any) -> Any:
        self._socket.sendall(json.dumps({"do": verb, **arguments}).encode() + b"\n")
        return json.loads(self._answers.readline())


class Behind:
    """`rdit serve` behind a proxy."""

    def __init__(self, serve: Callable[..., ServeProcess], script: str) -> None:
        self._serve = serve
        self._script = SCRIPTS / script
        self._port = _free_port()
        self.proxy = Proxy("127.0.0.1", self._port)
        self.direct_url = f"http://127.0.0.1:{self._port}/?token={TOKEN}"
        try:
            self.start()
        except BaseException:
            self.proxy.close()
            raise
        self.url = self.server.url

    def start(self) -> None:
        """Start the server at its port, which is the same each time."""
        public = f"http://127.0.0.1:{self.proxy.port}"
        arguments = ("--port", str(self._port), "--public-url", public, "--token", TOKEN)
        self.server = self._serve(self._script, *arguments)
        self.server.wait_for_output("control at ")
        found = re.search(r"^control at (\d+)$", self.server.output("stdout"), re.MULTILINE)
        assert found is not None
        self.python = Python(int(found[1]))

    def kill(self) -> None:
        """End the server as a crash does."""
        self.python.close()
        self.server.kill()

    def close(self) -> None:
        self.python.close()
        self.proxy.close()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port: int = unused.getsockname()[1]
        return port


def state_of(page: Page) -> str:
    return str(page.evaluate("document.documentElement.dataset.rditState"))


def wait_for_state(page: Page, state: str, timeout_s: float | None = None) -> None:
    page.wait_for(f"document.documentElement.dataset.rditState === {json.dumps(state)}", timeout_s)


def protocol_of(page: Page) -> str:
    """What the server chooses when a page offers all it speaks: `rdit.v1`, or `rdit.base`."""
    return str(
        page.evaluate(
            """new Promise((resolve, reject) => {
              const url = new URL("ws/widgets", location.href.replace("http", "ws"));
              const socket = new WebSocket(url, ["rdit.v1", "rdit.base"]);
              socket.onopen = () => socket.close();
              // Its last frames have passed then, and no fault that follows meets them.
              socket.onclose = () => resolve(socket.protocol);
              socket.onerror = () => reject(new Error("no WebSocket"));
            })"""
        )
    )


def skip_unless_sessions(page: Page) -> None:
    """What base mode does not promise: each edit at most once, resume, heartbeats."""
    if protocol_of(page) == "rdit.base":
        pytest.skip("base mode has no sessions")


def enter(page: Page, name: str, value: object, panel: str = "main") -> None:
    """Type a value into a panel's field and press Enter, as a person does."""
    page.fill(f".field-{panel}-{name}", json.dumps(value))
    page.press("Enter")


def shown_by(page: Page, panel: str = "main") -> dict[str, Any]:
    """What a panel shows: of each trait what its model holds, which must be what is written beside its field."""
    names = json.dumps(SHOWN)
    text = f"document.querySelector('.shown-{panel}-' + name).textContent"
    rows = page.evaluate(f"{names}.map((name) => [name, panels['{panel}'].get(name), JSON.parse({text})])")
    for name, held, written in rows:
        assert held == written, f"the model holds {name}={held!r}, the page says {written!r}"
    return {name: held for name, held, _ in rows}


def notices(page: Page) -> str:
    """What the page tells its reader beside the results."""
    return "\n".join(page.texts("#rdit-notices .rdit-notice span"))


def wait_until_agreed(
    pages: Mapping[str, Page], python: Python, panel: str = "main", timeout_s: float = PATIENCE_S
) -> dict[str, Any]:
    """Wait until every page shows what Python holds, each with nothing in flight. Gives those values."""
    give_up_s = time.monotonic() + timeout_s
    while True:
        for page in pages.values():
            page.wait_idle(timeout_s)
        held = python.get(panel)
        shown: dict[str, Any] = {}
        for name, page in pages.items():
            # A value may come between its two readings.
            with contextlib.suppress(AssertionError):
                shown[name] = shown_by(page, panel)
        if all(shown.get(name) == held for name in pages):
            return held
        assert time.monotonic() < give_up_s, f"no agreement: Python has {held}, pages show {shown}"


def resident_bytes(pid: int) -> int:
    """What a process holds in memory now (Linux)."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    found = re.search(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024

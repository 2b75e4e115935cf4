"""Chromium, driven over its own protocol with the least that it takes: open tabs, evaluate expressions.

Not Playwright, which drives the stories of `e2e/`: it listens to the network of every tab, so that each WebSocket
frame is copied to the driver as well, 50 MB ones too, and what would be measured is that.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from e2e import browsers

_ARGUMENTS: Final = [
    "--headless=new",
    "--no-sandbox",  # as root and in containers there is no sandbox to have
    "--disable-gpu",
    "--disable-dev-shm-usage",  # containers have little of it
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Tabs take turns: the one that is not in front must run as fast as the other.
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
]
_START_S: Final = 30.0
_ANSWER_S: Final = 120.0


class BrowserError(Exception):
    """The browser did not start, or a page threw. The text says what."""


class Tab:
    """One page of the browser."""

    def __init__(self, browser: Chrome, target: str, session: str) -> None:
        self._browser = browser
        self._target = target
        self._session = session

    def goto(self, url: str) -> None:
        """Begin to navigate; what the page needs to be ready is the caller's to wait for."""
        self._browser.call("Page.navigate", self._session, url=url)

    def before_each_page(self, script: str) -> None:
        """Run a script in each document before its own."""
        self._browser.call("Page.enable", self._session)
        self._browser.call("Page.addScriptToEvaluateOnNewDocument", self._session, source=script)

    def evaluate(self, expression: str) -> Any:
        """Evaluate, await if it is a promise, and return what JSON can hold of it."""
        answer = self._browser.call(
            "Runtime.evaluate", self._session, expression=expression, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise BrowserError(details.get("exception", {}).get("description") or details["text"])
        return answer["result"].get("value")

    def wait_for(self, expression: str, timeout_s: float = _START_S) -> Any:
        """Evaluate until it gives something true, and return that."""
        give_up_s = time.monotonic() + timeout_s
        while True:
            try:
                if value := self.evaluate(expression):
                    return value
            except BrowserError as error:  # A page that is being replaced.
                if "context" not in str(error):
                    raise
            if time.monotonic() > give_up_s:
                raise BrowserError(f"not within {timeout_s:g} s: {expression}")
            time.sleep(0.01)

    def close(self) -> None:
        """Close the tab."""
        self._browser.call("Target.closeTarget", targetId=self._target)


class Chrome:
    """A running browser. Made by `launch`."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._calls = 0
        self.version: str = self.call("Browser.getVersion")["product"]

    def new_tab(self) -> Tab:
        """Open an empty tab."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        # Only the newest tab would be in front, and a page does some things otherwise where nobody looks at it.
        self.call("Emulation.setFocusEmulationEnabled", session, enabled=True)
        return Tab(self, target, session)

    def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Call a method of the DevTools protocol and wait for its answer. Events are passed over."""
        self._calls += 1
        call = {"id": self._calls, "method": method, "params": parameters}
        self._socket.send(json.dumps(call if session is None else {**call, "sessionId": session}))
        give_up_s = time.monotonic() + _ANSWER_S
        while True:
            try:
                answer = json.loads(self._socket.recv(max(0.0, give_up_s - time.monotonic())))
            except (TimeoutError, WebSocketException) as error:
                raise BrowserError(f"{method} had no answer: {error!r}") from None
            if answer.get("id") == self._calls:
                if "error" in answer:
                    raise BrowserError(f"{method}: {answer['error']['message']}")
                result: dict[str, Any] = answer["result"]
                return result


@contextmanager
def launch() -> Iterator[Chrome]:
    """Start the Chromium that the stories run in, with a profile of its own, and end it with the block.

    Raises:
        BrowserError: there is none, or it does not start.
    """
    found = browsers.find("chromium", has_window=True)
    if found is None:
        raise BrowserError(f"no Chromium here; to have it: {browsers.how_to_get('chromium')}")
    with tempfile.TemporaryDirectory(prefix="rdit-bench-", ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [str(found.path), *_ARGUMENTS, "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            with connect(_address(process, Path(profile)), max_size=None, compression=None) as socket:
                yield Chrome(socket)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _address(process: subprocess.Popen[bytes], profile: Path) -> str:
    """Where the browser listens, from the file that it writes."""
    give_up_s = time.monotonic() + _START_S
    while time.monotonic() < give_up_s and process.poll() is None:
        try:
            port, path = (profile / "DevToolsActivePort").read_text(encoding="utf-8").split("\n")[:2]
        except (OSError, ValueError):
            time.sleep(0.02)
        else:
            return f"ws://127.0.0.1:{port}{path}"
    raise BrowserError("Chromium did not start")

"""A browser in a thread with an asyncio loop of its own.

Playwright's synchronous side refuses to work where a loop runs already, and notebooks and kernels have one. So the
asynchronous side runs here, and whoever asks waits on a thread that may have a loop or none.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import shutil
import threading
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

if TYPE_CHECKING:
    from playwright.async_api import Browser, Playwright

T = TypeVar("T")
BrowserName = Literal["chromium", "firefox", "webkit"]

EXECUTABLE_VARIABLE: Final = "RDIT_BROWSER"
"""Names the browser's executable, where it is neither Playwright's own nor the system's."""

_CLOSING_S: Final = 5.0
_SYSTEM_BROWSERS: Final = {
    "chromium": ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome"),
    "firefox": ("firefox-esr", "firefox"),
    "webkit": (),
}


# What a page cannot be kept from by answering its requests: looking names up, and peers over UDP.
_WITHOUT_NETWORK: Final = (
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
)


class NoBrowser(Exception):
    """There is no browser to try a module in. The text says how to get one."""


def check_installed() -> None:
    """Raise ImportError where the driver is missing."""
    if importlib.util.find_spec("playwright") is None:
        raise ImportError("Playwright is missing, which drives the browser: pip install 'rdit[browser]'")


class BrowserThread:
    """Starts the browser when it is first wanted, and again when it went away. Close it.

    Args:
        name: which browser.
        launch: further options for Playwright's `launch`.
    """

    def __init__(self, name: BrowserName, launch: Mapping[str, Any]) -> None:
        self._name: BrowserName = name
        self._launch = dict(launch)
        self._driver: Any = None
        self._playwright: Playwright | None = None
        self._browser: Browser | None = None
        self._loop = asyncio.new_event_loop()
        # What a browser that was closed in the middle still owes an answer to is nobody's news.
        self._loop.set_exception_handler(lambda loop, context: None)
        self._thread = threading.Thread(target=self._loop.run_forever, name="rdit-browser", daemon=True)
        self._thread.start()

    def run(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run a coroutine to its end on the loop, and give what it gives or raise what it raises."""
        future = asyncio.run_coroutine_threadsafe(work(), self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    async def browser(self) -> Browser:
        """The browser.

        Raises:
            NoBrowser: there is none that starts.
        """
        if self._browser is None or not self._browser.is_connected():
            from playwright.async_api import async_playwright

            await self._end_driver()
            self._driver = async_playwright()
            self._playwright = await self._driver.start()
            self._browser = await self._start(self._playwright)
        return self._browser

    async def discard(self) -> None:
        """End the browser, whatever it is doing. The next one is a new one."""
        browser, self._browser = self._browser, None
        if browser is not None:
            await _quietly(browser.close())

    def close(self) -> None:
        """End the browser and the thread. Idempotent."""
        if self._loop.is_closed():
            return
        self.run(self._end)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        await self.discard()
        await self._end_driver()
        await self._loop.shutdown_asyncgens()

    async def _end_driver(self) -> None:
        playwright, self._playwright = self._playwright, None
        if playwright is not None:
            await _quietly(playwright.stop())

    async def _start(self, playwright: Playwright) -> Browser:
        kind = getattr(playwright, self._name)
        options = dict(self._launch)
        given = os.environ.get(EXECUTABLE_VARIABLE)
        if "executable_path" not in options and (given or not _is_there(kind.executable_path)):
            found = given or next(filter(None, map(shutil.which, _SYSTEM_BROWSERS[self._name])), None)
            if found is None:
                raise NoBrowser(f"There is no {self._name} to try modules in: playwright install {self._name}")
            options["executable_path"] = found
            if self._name == "firefox":
                options["channel"] = "moz-firefox"  # WebDriver BiDi, which is what a Firefox as it is released speaks
        if self._name == "chromium":
            options["args"] = [*_WITHOUT_NETWORK, *options.get("args", ())]
        # A sandbox wherever there can be one: what runs here was written by a model and read by nobody.
        boxes: list[dict[str, Any]] = [{}]
        if self._name == "chromium" and hasattr(os, "geteuid") and os.geteuid() != 0:
            boxes.insert(0, {"chromium_sandbox": True})
        failure: Exception | None = None
        for box in boxes:
            try:
                started: Browser = await kind.launch(**{**box, **options})
            except Exception as error:
                failure = error
            else:
                return started
        raise NoBrowser(f"{self._name} does not start: {str(failure).splitlines()[0]}") from failure


def _is_there(path: str) -> bool:
    return Path(path).exists()


async def _quietly(ending: Awaitable[object]) -> None:
    """End something that may not end by itself."""
    with contextlib.suppress(Exception):
        await asyncio.wait_for(ending, _CLOSING_S)

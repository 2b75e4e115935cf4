"""The page facade over Playwright."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, ViewportSize
from playwright.sync_api import Page as Tab

from e2e.page import COLLECT_VIOLATIONS, DEFAULT_TIMEOUT_S, Page, Point

VIEWPORT: ViewportSize = {"width": 1280, "height": 800}


class PlaywrightPage(Page):
    """A tab of a Playwright context."""

    driver_sees_violations = True

    def __init__(self, tab: Tab) -> None:
        self._tab = tab
        self._console: list[str] = []
        tab.on("console", self._on_console)
        tab.on("pageerror", lambda error: self._console.append(f"uncaught: {error}"))

    def goto(self, url: str) -> None:
        self._tab.goto(url)

    def reload(self) -> None:
        self._tab.reload()

    def evaluate(self, expression: str) -> Any:
        return self._tab.evaluate(f"async () => ({expression})")

    def click(self, selector: str) -> None:
        self._tab.locator(selector).first.click()

    def fill(self, selector: str, text: str) -> None:
        element = self._tab.locator(selector).first
        element.wait_for(state="visible")
        if self._is_typed_into(selector):
            element.focus()
            self._type_over(text)
        else:
            element.fill(text)

    def select(self, selector: str, value: str) -> None:
        self._tab.locator(selector).first.select_option(value)

    def type(self, selector: str, text: str) -> None:
        self.click(selector)
        self._keys(text)

    def press(self, key: str) -> None:
        self._tab.keyboard.press(key)

    def screenshot(self, path: Path) -> Path:
        self._tab.screenshot(path=path)
        return path

    def console(self) -> list[str]:
        return list(self._console)

    def new_tab(self, url: str) -> PlaywrightPage:
        page = PlaywrightPage(self._tab.context.new_page())
        page.timeout_s = self.timeout_s
        page.goto(url)
        return page

    def duplicate(self) -> PlaywrightPage:
        with self._tab.context.expect_page() as opened:
            self._tab.evaluate("void window.open(location.href)")
        page = PlaywrightPage(opened.value)
        page.timeout_s = self.timeout_s
        opened.value.wait_for_load_state()
        return page

    def set_offline(self, *, offline: bool) -> None:
        self._tab.context.set_offline(offline)

    def close(self) -> None:
        self._tab.close()

    def _keys(self, text: str) -> None:
        self._tab.keyboard.type(text)

    def _pointer(self, path: Sequence[Point], *, press: bool, step_s: float = 0.0) -> None:
        mouse = self._tab.mouse
        mouse.move(*path[0])
        if press:
            mouse.down()
        began_s = time.monotonic()
        for number, (x, y) in enumerate(path[1:], start=1):
            ahead_s = began_s + number * step_s - time.monotonic()
            if ahead_s > 0:
                self._pause(ahead_s)
            mouse.move(x, y)
        if press:
            mouse.up()

    def _pause(self, duration_s: float) -> None:
        # Not time.sleep: Playwright delivers its events, the console among them, only while it is being called.
        self._tab.wait_for_timeout(duration_s * 1000)

    def _on_console(self, message: ConsoleMessage) -> None:
        self._console.append(f"{message.type}: {message.text}")


class PlaywrightSession:
    """A context with cookies of its own, recorded on request, so that a failed story can be replayed."""

    def __init__(self, browser: Browser, *, is_recorded: bool = False) -> None:
        self._context: BrowserContext = browser.new_context(viewport=VIEWPORT, locale="en-US")
        self._context.set_default_timeout(DEFAULT_TIMEOUT_S * 1000)
        self._context.add_init_script(COLLECT_VIOLATIONS)
        self._is_recorded = is_recorded
        if is_recorded:
            # Snapshots of the document show each step; pictures of it as well would make Firefox half as slow again.
            self._context.tracing.start(screenshots=False, snapshots=True)

    def new_page(self) -> PlaywrightPage:
        return PlaywrightPage(self._context.new_page())

    def close(self, keep_in: Path | None) -> None:
        """Close all tabs; with `keep_in`, the recording is left there (`playwright show-trace` opens it)."""
        if self._is_recorded:
            self._context.tracing.stop(path=None if keep_in is None else keep_in / "trace.zip")
        self._context.close()


class PlaywrightEngine:
    """One browser for the whole run, started again when it went away."""

    def __init__(self, launch: Callable[[], Browser]) -> None:
        self._launch = launch
        self._browser = launch()
        self.version: str = self._browser.version

    def new_session(self, *, is_recorded: bool = False) -> PlaywrightSession:
        if not self._browser.is_connected():
            self._browser = self._launch()
        return PlaywrightSession(self._browser, is_recorded=is_recorded)

    def close(self) -> None:
        self._browser.close()

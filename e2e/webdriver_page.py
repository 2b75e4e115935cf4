"""The page facade over WebDriver, for WebKitGTK: its MiniBrowser is never headless, and Playwright cannot drive it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.actions.action_builder import ActionBuilder
from selenium.webdriver.common.actions.mouse_button import MouseButton
from selenium.webdriver.common.actions.pointer_input import PointerInput
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait
from selenium.webdriver.webkitgtk.options import Options
from selenium.webdriver.webkitgtk.service import Service

from e2e.display import VirtualDisplay
from e2e.page import Page, Point
from e2e.watchdog import Watchdog

WINDOW_SIZE = (1280, 900)
"""With its bars the window leaves the page about the viewport that the other engines get."""

SCRIPT_TIMEOUT_S = 30.0

START_LIMIT_S = 20.0
"""A start takes 0.2 to 0.7 s. About one in a hundred never answers: it is killed, and tried again."""

START_ATTEMPTS = 3

_POINTER_MOVE_MS = 10
"""How long one small move of a drag takes: enough for the page to see each of them."""

_KEY_NAMES = {
    **{f"Arrow{side}": getattr(Keys, f"ARROW_{side.upper()}") for side in ("Left", "Right", "Up", "Down")},
    **{name: getattr(Keys, name.upper()) for name in ("Enter", "Tab", "Escape", "Backspace", "Delete", "Home", "End")},
    **{name: getattr(Keys, name.upper()) for name in ("Control", "Shift", "Alt", "Meta", "Space")},
    "PageUp": Keys.PAGE_UP,
    "PageDown": Keys.PAGE_DOWN,
}

_SET_VALUE = """
const [element, value] = arguments;
Object.getOwnPropertyDescriptor(Object.getPrototypeOf(element), "value").set.call(element, value);
element.dispatchEvent(new Event("input", { bubbles: true }));
element.dispatchEvent(new Event("change", { bubbles: true }));
"""

_ADD_LINK = """
const link = Object.assign(document.createElement("a"), { href: location.href, target: "_blank", rel: "opener" });
Object.assign(link, { id: "duplicate-this", textContent: "duplicate this" });
document.body.prepend(link);
"""

_EVALUATE = """
const done = arguments[arguments.length - 1];
Promise.resolve()
  .then(async () => (%s))
  .then((value) => done({ value: value === undefined ? null : value }), (error) => done({ error: String(error) }));
"""


class ScriptError(Exception):
    """What a page threw in `evaluate`."""


class WebDriverPage(Page):
    """One window of a WebDriver session. Each command first turns to its own window."""

    def __init__(self, driver: WebDriver, window: str) -> None:
        self._session = driver
        self._window = window

    @property
    def _driver(self) -> WebDriver:
        if self._session.current_window_handle != self._window:
            self._session.switch_to.window(self._window)
        return self._session

    def goto(self, url: str) -> None:
        self._driver.get(url)

    def reload(self) -> None:
        self._driver.refresh()

    def evaluate(self, expression: str) -> Any:
        answer = self._driver.execute_async_script(_EVALUATE % expression)
        if "error" in answer:
            raise ScriptError(answer["error"])
        return answer["value"]

    def click(self, selector: str) -> None:
        self._visible(selector).click()

    def fill(self, selector: str, text: str) -> None:
        element = self._visible(selector)
        if self._is_typed_into(selector):
            element.click()
            self._type_over(text)
        else:
            self._driver.execute_script(_SET_VALUE, element, text)

    def select(self, selector: str, value: str) -> None:
        element = self._visible(selector)
        # The native popup of a <select> is no part of the page; the driver offers the option itself to be clicked.
        element.find_element(By.CSS_SELECTOR, f"option[value={json.dumps(value)}]").click()

    def type(self, selector: str, text: str) -> None:
        self.click(selector)
        self._keys(text)

    def press(self, key: str) -> None:
        *modifiers, last = [_KEY_NAMES.get(name, name) for name in key.split("+")]
        actions = ActionChains(self._driver)
        for modifier in modifiers:
            actions.key_down(modifier)
        actions.send_keys(last)
        for modifier in reversed(modifiers):
            actions.key_up(modifier)
        actions.perform()

    def screenshot(self, path: Path) -> Path:
        self._driver.get_screenshot_as_file(str(path))
        return path

    def console(self) -> list[str]:
        return []

    def new_tab(self, url: str) -> WebDriverPage:
        # A window, not a tab: a tab in the back is hidden, and WebKit slows down what is hidden.
        self._driver.switch_to.new_window("window")
        page = WebDriverPage(self._session, self._session.current_window_handle)
        page.timeout_s = self.timeout_s
        page.goto(url)
        return page

    def duplicate(self) -> WebDriverPage:
        driver = self._driver
        before = set(driver.window_handles)
        # What a script opens by itself is blocked as a popup; what a person clicks is not.
        driver.execute_script(_ADD_LINK)
        self.click("#duplicate-this")
        driver.execute_script("document.getElementById('duplicate-this').remove()")
        (window,) = WebDriverWait(driver, self.timeout_s).until(lambda driver: set(driver.window_handles) - before)
        page = WebDriverPage(driver, window)
        page.timeout_s = self.timeout_s
        page.wait_for("document.readyState === 'complete' && location.href !== 'about:blank'")
        return page

    def set_offline(self, *, offline: bool) -> None:
        self.evaluate(f"void window.dispatchEvent(new Event({'offline' if offline else 'online'!r}))")

    def close(self) -> None:
        self._driver.close()
        self._session.switch_to.window(self._session.window_handles[0])

    def _keys(self, text: str) -> None:
        ActionChains(self._driver).send_keys(text).perform()

    def _pointer(self, path: Sequence[Point], *, press: bool, step_s: float = 0.0) -> None:
        mouse = PointerInput("mouse", "mouse")
        duration_ms = max(_POINTER_MOVE_MS, round(step_s * 1000))
        actions = ActionBuilder(self._driver, mouse=mouse, duration=duration_ms)
        pointer = actions.pointer_action
        pointer.move_to_location(round(path[0][0]), round(path[0][1]))
        if press:
            pointer.pointer_down(MouseButton.LEFT)
        for x, y in path[1:]:
            pointer.move_to_location(round(x), round(y))
        if press:
            pointer.pointer_up(MouseButton.LEFT)
        actions.perform()

    def _pause(self, duration_s: float) -> None:
        time.sleep(duration_s)

    def _visible(self, selector: str) -> WebElement:
        """The first match, visible and scrolled into view."""
        self._in_viewport(selector, None)
        self.wait_for(f"document.querySelector({json.dumps(selector)}).checkVisibility({{ visibilityProperty: true }})")
        return self._driver.find_element(By.CSS_SELECTOR, selector)


class WebDriverSession:
    """A browser process with cookies of its own."""

    def __init__(self, driver: WebDriver) -> None:
        self.driver = driver
        self._fresh = True

    def new_page(self) -> WebDriverPage:
        if not self._fresh:
            self.driver.switch_to.new_window("window")
        self._fresh = False
        return WebDriverPage(self.driver, self.driver.current_window_handle)

    def close(self, keep_in: Path | None) -> None:
        """End the browser. There is no recording to keep."""
        self.driver.quit()


class WebKitGTKEngine:
    """Starts one MiniBrowser per session, on a virtual display of its own."""

    def __init__(self, driver: Path, minibrowser: Path, *, headed: bool = False) -> None:
        self._driver_path = driver
        self._minibrowser = minibrowser
        self._display = None if headed else VirtualDisplay()
        session = self.new_session()
        self.version = str(session.driver.capabilities["browserVersion"])
        session.close(None)

    def new_session(self, *, is_recorded: bool = False) -> WebDriverSession:
        options = Options()
        options.binary_location = str(self._minibrowser)
        options.add_argument("--automation")
        driver = self._start(options)
        driver.set_script_timeout(SCRIPT_TIMEOUT_S)
        driver.set_page_load_timeout(SCRIPT_TIMEOUT_S)
        driver.set_window_size(*WINDOW_SIZE)
        return WebDriverSession(driver)

    def _start(self, options: Options) -> WebDriver:
        for attempt in range(1, START_ATTEMPTS + 1):
            watchdog = Watchdog(START_LIMIT_S)
            try:
                return webdriver.WebKitGTK(
                    options=options, service=Service(str(self._driver_path), env=self._environment())
                )
            except Exception:
                # What is raised when the driver is killed depends on where it hung.
                if attempt == START_ATTEMPTS or not watchdog.has_barked:
                    raise
            finally:
                watchdog.stop()
        raise AssertionError("the last attempt returns or raises")

    def close(self) -> None:
        if self._display is not None:
            self._display.close()

    def _environment(self) -> dict[str, str]:
        environment = os.environ if self._display is None else self._display.environment()
        # With LANG=C the page's language becomes "C" and Intl throws; the locale need not be installed.
        return {**environment, "LANG": "en_US.UTF-8", "LC_ALL": "en_US.UTF-8"}

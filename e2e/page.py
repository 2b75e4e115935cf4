"""What a story may ask of a browser page, in words that every engine understands.

Two sides implement it: `playwright_page.py` (Chromium, Firefox, and WebKit where Playwright has a build of it) and
`webdriver_page.py` (WebKitGTK). The rules that keep one story true in all of them:

- Selectors are CSS and mean the first match. What acts on an element waits until it is there; what counts does not.
- What is read is read through `evaluate`, so that text and attributes mean the same thing on both sides.
- What a person does (click, drag, keys) goes through the driver's real input, never through synthetic events.
- Nothing waits for a duration. `wait_for` asks the page again until the answer is true or the time is up.
- A page collects its own errors in `window.__rditErrors`, since not every driver can see the console.
"""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Point = tuple[float, float]
"""CSS pixels from an element's top left corner."""

DEFAULT_TIMEOUT_S = 10.0
"""Longer than any page here needs on two slow cores; a wait that ends well never gets near it."""

POLL_INTERVAL_S = 0.025
"""Between two questions to the page: below what a person notices, above what keeps a slow core busy."""

MAX_POLL_INTERVAL_S = 0.1
"""The same for what takes long: each question costs a browser up to ten milliseconds."""

TYPED_INTO = ("textarea", "text", "search", "email", "url", "tel", "password", "number")
"""The `type` of form controls whose value a person types."""

VIOLATIONS = "rdit-e2e-violations"
"""Where a tab keeps them: a place that a reload does not empty."""

COLLECT_VIOLATIONS = f"""addEventListener("securitypolicyviolation", (violation) => {{
  const known = JSON.parse(sessionStorage.getItem({VIOLATIONS!r}) ?? "[]");
  known.push(`${{violation.effectiveDirective}} ${{violation.blockedURI}} ${{violation.sourceFile}}`);
  sessionStorage.setItem({VIOLATIONS!r}, JSON.stringify(known));
}}, true);"""

_RECT = """(async () => {
  const element = document.querySelector(%s);
  if (element === null) return null;
  const inside = (r) => r.top >= 0 && r.left >= 0 && r.bottom <= innerHeight && r.right <= innerWidth;
  if (!inside(element.getBoundingClientRect()))
    element.scrollIntoView({ block: "center", inline: "center", behavior: "instant" });
  const box = () => {
    const { left, top, width, height } = element.getBoundingClientRect();
    return { left, top, width, height };
  };
  const before = box();
  // A window in the back draws no frames.
  const frame = () => new Promise((drawn) => { requestAnimationFrame(drawn); setTimeout(drawn, 100); });
  await frame();
  await frame();
  const now = box();
  return Object.keys(now).every((key) => now[key] === before[key]) && now;
})()"""

_AIM = """void (() => {
  const element = document.querySelector(%s);
  window.__rditPress?.aim.abort();
  const press = window.__rditPress = { aim: new AbortController(), met: "" };
  addEventListener("pointerdown", (event) => {
    const at = event.composedPath();
    if (!at.includes(element)) press.met = String(at[0].outerHTML ?? at[0]).slice(0, 200);
  }, { capture: true, once: true, signal: press.aim.signal });
})()"""


class PageTimeoutError(AssertionError):
    """The page did not come to the awaited state. The text says what was asked, the last answer, the page's errors."""


class Page(ABC):
    """One tab. Methods raise `PageTimeoutError` when what they wait for does not happen."""

    timeout_s: float = DEFAULT_TIMEOUT_S
    driver_sees_violations: bool = False
    """Whether `violations` can have anything in it."""

    # What each side implements.

    @abstractmethod
    def goto(self, url: str) -> None:
        """Open `url` and wait for its load event."""

    @abstractmethod
    def reload(self) -> None:
        """Load the present address again and wait for the load event."""

    @abstractmethod
    def evaluate(self, expression: str) -> Any:
        """Return the JSON value of a JavaScript expression; a promise is awaited. What the page throws is raised."""

    @abstractmethod
    def click(self, selector: str) -> None:
        """Click the middle of an element once it is visible."""

    @abstractmethod
    def fill(self, selector: str, text: str) -> None:
        """Put `text` in the place of what a form control holds.

        What a person types into is typed into, key by key: only then does every engine fire `change` on Enter. Sliders
        and other pickers get the text as their value, with the events that belong to it.
        """

    @abstractmethod
    def select(self, selector: str, value: str) -> None:
        """Choose the option with this value in a `<select>`."""

    @abstractmethod
    def type(self, selector: str, text: str) -> None:
        """Click into an element and type `text` key by key."""

    @abstractmethod
    def press(self, key: str) -> None:
        """Press a key in the focused element: `"a"`, `"Enter"`, `"ArrowLeft"`, or with modifiers `"Control+a"`."""

    @abstractmethod
    def screenshot(self, path: Path) -> Path:
        """Write what is visible of the page to a PNG file and return its path."""

    @abstractmethod
    def console(self) -> list[str]:
        """What was written to the console so far, `type: text`. Empty where the driver cannot see it (WebKitGTK)."""

    @abstractmethod
    def new_tab(self, url: str) -> Page:
        """Open `url` in another tab of the same browser session: same cookies, same storage."""

    @abstractmethod
    def duplicate(self) -> Page:
        """Open the present address from the page itself, which copies its session storage as "duplicate tab" does."""

    @abstractmethod
    def set_offline(self, *, offline: bool) -> None:
        """Tell every tab of the session that the network is gone, or back: `navigator.onLine` and its events.

        Connections to this machine may or may not go on meanwhile: for that there is a proxy. Where a driver has no
        such command (WebKitGTK), the event alone is dispatched, in this tab.
        """

    @abstractmethod
    def close(self) -> None:
        """Close the tab."""

    @abstractmethod
    def _keys(self, text: str) -> None:
        """Type into the focused element."""

    @abstractmethod
    def _pointer(self, path: Sequence[Point], *, press: bool, step_s: float = 0.0) -> None:
        """Move the mouse along viewport coordinates; with `press`, the button is down from the first to the last.

        Moves come `step_s` apart, or as slowly as the driver makes them.
        """

    @abstractmethod
    def _pause(self, duration_s: float) -> None:
        """Let the driver work for a moment. Only the polling of `wait_for` uses it."""

    # What follows from it.

    def click_at(self, selector: str, position: Point) -> None:
        """Click at a place in an element."""
        self._press(selector, [self._in_viewport(selector, position)])

    def hover(self, selector: str, position: Point | None = None) -> None:
        """Move the mouse over an element, to its middle unless told where."""
        self._pointer([self._in_viewport(selector, position)], press=False)

    def drag(self, selector: str, start: Point, *stops: Point, steps: int = 5, step_s: float = 0.0) -> None:
        """Press at `start`, go to each stop in `steps` small moves, release at the last; all in one element.

        With `step_s` the moves come so far apart, in seconds, as those of a hand do.
        """
        here = self._in_viewport(selector, start)
        path = [here]
        for stop in stops:
            there = self._in_viewport(selector, stop)
            path += [_between(here, there, step / steps) for step in range(1, steps + 1)]
            here = there
        self._press(selector, path, step_s=step_s)

    def drag_to(self, selector: str, target: str, *, steps: int = 10) -> None:
        """Drag the middle of one element to the middle of another that is visible at the same time."""
        here, there = self._in_viewport(selector, None), self._in_viewport(target, None)
        self._press(selector, [_between(here, there, step / steps) for step in range(steps + 1)])

    def text(self, selector: str) -> str:
        """The visible text of an element, without space at its ends."""
        self.wait_for_element(selector)
        return str(self.evaluate(f"document.querySelector({json.dumps(selector)}).innerText.trim()"))

    def texts(self, selector: str) -> list[str]:
        """The visible text of every match, in document order."""
        matches = f"document.querySelectorAll({json.dumps(selector)})"
        return list(self.evaluate(f"Array.from({matches}, e => e.innerText.trim())"))

    def count(self, selector: str) -> int:
        """How many elements match now."""
        return int(self.evaluate(f"document.querySelectorAll({json.dumps(selector)}).length"))

    def attribute(self, selector: str, name: str) -> str | None:
        """The attribute as it is written in the document, None when it is absent."""
        self.wait_for_element(selector)
        value = self.evaluate(f"document.querySelector({json.dumps(selector)}).getAttribute({json.dumps(name)})")
        return None if value is None else str(value)

    def value(self, selector: str) -> str:
        """What a form control holds."""
        self.wait_for_element(selector)
        return str(self.evaluate(f"document.querySelector({json.dumps(selector)}).value"))

    def errors(self) -> list[str]:
        """What the page collected of its own errors."""
        return [str(error) for error in self.evaluate("Array.from(window.__rditErrors ?? [], String)")]

    def violations(self) -> list[str]:
        """What a content security policy kept this tab from so far, over all that it showed: directive and address.

        Empty where the driver cannot have a script run before the page's own (WebKitGTK).
        """
        return list(self.evaluate(f"JSON.parse(sessionStorage.getItem({VIOLATIONS!r}) ?? '[]')"))

    def url(self) -> str:
        """The present address."""
        return str(self.evaluate("location.href"))

    def wait_for(self, predicate: str, timeout_s: float | None = None) -> Any:
        """Ask a JavaScript expression until it is true, and return its value.

        An expression that throws counts as not yet true: elements may be missing and a navigation may be under way.
        """
        limit_s = self.timeout_s if timeout_s is None else timeout_s
        began_s = time.monotonic()
        give_up_s = began_s + limit_s
        while True:
            try:
                answer = self.evaluate(predicate)
            except Exception as error:
                # Both drivers have an error family of their own, and a page that is being replaced may raise any of it.
                answer, last = None, f"it threw {_first_line(error)}"
            else:
                last = f"the last answer was {answer!r}"
            if answer:
                return answer
            if time.monotonic() > give_up_s:
                raise PageTimeoutError(f"not true within {limit_s:g} s: {predicate}\n{last}\n{self._condition()}")
            waited_s = time.monotonic() - began_s
            self._pause(min(max(POLL_INTERVAL_S, waited_s / 10), MAX_POLL_INTERVAL_S))

    def wait_for_element(self, selector: str, timeout_s: float | None = None) -> None:
        """Wait until something matches."""
        self.wait_for(f"document.querySelector({json.dumps(selector)}) !== null", timeout_s)

    def wait_for_text(self, selector: str, text: str, timeout_s: float | None = None) -> None:
        """Wait until the visible text of the first match contains `text`."""
        element = f"document.querySelector({json.dumps(selector)})"
        self.wait_for(f"{element}.innerText.includes({json.dumps(text)})", timeout_s)

    def wait_idle(self, timeout_s: float | None = None) -> None:
        """Wait until a page of `rdit serve` is live and nothing is in flight."""
        self.wait_for("document.querySelector('html[data-rdit-state=live][data-rdit-idle]') !== null", timeout_s)

    def _is_typed_into(self, selector: str) -> bool:
        return self.evaluate(f"document.querySelector({json.dumps(selector)}).type") in TYPED_INTO

    def _type_over(self, text: str) -> None:
        """Replace what the focused control holds."""
        self.press("Control+a")
        if text:
            self._keys(text)
        else:
            self.press("Delete")

    def _in_viewport(self, selector: str, position: Point | None) -> Point:
        """Viewport coordinates of a place in an element that has come to rest.

        It is scrolled into view unless it is wholly visible.
        """
        rect = self.wait_for(_RECT % json.dumps(selector))
        x, y = position if position is not None else (rect["width"] / 2, rect["height"] / 2)
        return rect["left"] + x, rect["top"] + y

    def _press(self, selector: str, path: Sequence[Point], *, step_s: float = 0.0) -> None:
        """Press at the first point of `path`, release at the last; raises when the press met another element."""
        self.evaluate(_AIM % json.dumps(selector))
        self._pointer(path, press=True, step_s=step_s)
        # A press that leads to another page takes the answer with it.
        met = self.evaluate("window.__rditPress?.met ?? ''")
        if met:
            raise PageTimeoutError(f"a press at {selector} met another element, did the page move? {met}")

    def _condition(self) -> str:
        """The page's address and errors for a failure's text, as far as it still answers."""
        try:
            return f"page: {self.url()}\npage errors: {self.errors()}\nconsole: {self.console()[-10:]}"
        except Exception as error:
            return f"the page does not answer: {_first_line(error)}"


def _between(start: Point, end: Point, share: float) -> Point:
    return start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0] or type(error).__name__

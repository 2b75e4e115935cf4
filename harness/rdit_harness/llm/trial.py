"""A page in which a generated module is tried: a browser of its own, a manager of its own, and nothing in between.

The browser asks for addresses that do not exist, and every request is answered from memory here: the page, the browser
side of rdit, the module. Whatever else it asks for is noted and refused, so that nothing that a module does
reaches the network. Frames of `rdit/1` are carried by hand, `pump` by `pump`, between the page and a manager that hosts
this one widget.

A module may never give the page back. So every question to the page has a time limit, after which the browser is
ended, whatever it is doing.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import importlib.metadata
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from rdit_core import TRUSTED, WidgetManager

if TYPE_CHECKING:
    from playwright.async_api import Browser, ConsoleMessage, Dialog, Page, Route, WebSocketRoute

T = TypeVar("T")

CLIENTS: Final = "rdit.clients"
"""The entry point group in which the browser side's modules are found."""

_ORIGIN: Final = "http://rdit.test"
_PIECE_BYTES: Final = 240_000
"""What goes to the page at once. The driver's time grows with the square of a message: 36 MB take 30 s in one, 8 in
pieces.
"""

_OPENING_S: Final = 60.0
"""For the data to reach the page. Nothing of a module runs before."""

_POLICY: Final = (
    # What a page of `rdit serve` has.
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; worker-src blob:; connect-src 'self'; base-uri 'none'"
)
_PAGE: Final = """<!doctype html>
<meta charset="utf-8">
<title>A module on trial</title>
<link rel="icon" href="data:,">
<style>#places > div { margin: 8px; min-width: 560px; }</style>
<body><div id="places"></div><script id="ours" type="module" src="/trial.js"></script></body>
"""


class NoClient(Exception):
    """There is no browser side to try a module with. The text says how to get it."""


class NoTrial(Exception):
    """The page did not get ready to try anything."""


class PageHung(Exception):
    """The page did not answer in time."""


def client_sources() -> Mapping[str, str]:
    """The browser side, by file name.

    Raises:
        NoClient: nobody offers one.
    """
    why: ImportError | None = None
    for entry in importlib.metadata.entry_points(group=CLIENTS):
        try:
            sources: Mapping[str, str] = entry.load()()
        except ImportError as error:
            why = error
        else:
            return sources
    raise NoClient("The browser side of rdit is not installed: pip install 'rdit[server]'") from why


@dataclass
class Trial:
    """One module in one page. Made by `open_trial`."""

    page: Page
    manager: WidgetManager
    widget: Any
    widget_id: str
    hang_s: float
    requests: list[str] = field(default_factory=list)
    """Addresses beside our own that the page asked for."""
    departures: list[str] = field(default_factory=list)
    """Addresses that the page was to be taken to."""
    console_errors: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._connection = self.manager.connect(TRUSTED, mode="v1", now_s=time.monotonic())
        self._is_idle = False

    async def ask(self, expression: str, argument: Any = None) -> Any:
        """Ask the page's half: `expression` is a function of `(trial, argument)`.

        Raises:
            PageHung: it does not answer.
        """
        call = f"(argument) => ({expression})(globalThis.__rditTrial, argument)"
        return await self.within(self.page.evaluate(call, argument))

    async def within(self, answer: Awaitable[T]) -> T:
        """Wait for something that the page has to be alive for."""
        try:
            return await asyncio.wait_for(answer, self.hang_s)
        except (TimeoutError, asyncio.TimeoutError):
            raise PageHung from None

    async def pump(self) -> bool:
        """Carry what is ready in both directions, once. Returns whether both ends are at rest."""
        now_s = time.monotonic()
        self._connection.handle_timeout(now_s)
        to_page = [await self._packed(frame) for frame in self._connection.frames_to_send(now_s)]
        answer = await self.ask("(trial, frames) => trial.exchange(frames)", to_page)
        for frame in answer["sent"]:
            self._connection.receive_frame(_unpacked(frame), time.monotonic())
        applied = self.manager.apply_pending()
        return not to_page and not answer["sent"] and not applied and answer["idle"]

    async def _packed(self, frame: str | bytes) -> Any:
        """A frame as `exchange` takes it; of a large one, what it consists of is there already."""
        data = frame.encode() if isinstance(frame, str) else frame
        if len(data) <= _PIECE_BYTES:
            return frame if isinstance(frame, str) else {"base64": base64.b64encode(data).decode()}
        starts = range(0, len(data), _PIECE_BYTES)
        for start in starts:
            piece = base64.b64encode(data[start : start + _PIECE_BYTES]).decode()
            await self.ask("(trial, piece) => trial.take(piece)", piece)
        return {"pieces": len(starts), "isText": isinstance(frame, str)}

    async def is_whole(self) -> tuple[bool, bool]:
        """Whether the document is still the trial's, and whether what it had outside of the widget is still there."""
        asked = "() => [globalThis.__rditTrial !== undefined, document.getElementById('places') !== null]"
        try:
            is_ours, has_places = await self.within(self.page.evaluate(asked))
        except Exception:  # The driver has an error for each way in which a page can be gone.
            return False, False
        return is_ours, has_places

    async def settle(self) -> None:
        """Carry until nothing is left to carry, and the page has drawn.

        Raises:
            PageHung: it never comes to rest.
        """
        give_up_s = time.monotonic() + self.hang_s
        for _ in range(2):
            while not await self.pump():
                # A module that saves something with each frame is never at rest, and is heard all the same.
                if time.monotonic() > give_up_s:
                    return
            await self.ask("(trial) => trial.frame()")

    async def wait(self, expression: str, argument: Any = None, *, patience_s: float | None = None) -> Any:
        """Carry until an answer of the page is true, and give it; what it was last when the time is up."""
        give_up_s = time.monotonic() + (self.hang_s if patience_s is None else patience_s)
        while True:
            await self.pump()
            answer = await self.ask(expression, argument)
            if answer or time.monotonic() > give_up_s:
                return answer
            await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def open_trial(
    browser: Browser, esm: str, make_widget: Callable[[], Any], *, hang_s: float
) -> AsyncIterator[Trial]:
    """A page that knows a widget and does not show it yet.

    Args:
        browser: in which.
        esm: the module's text.
        make_widget: makes the widget, which is hosted by this trial's manager and by no other.
        hang_s: how long the page may be busy with one thing, in seconds.

    Raises:
        NoClient: there is no browser side.
        NoTrial: the page does not get ready.
    """
    from playwright.async_api import TimeoutError as PlaywrightTimeout

    sources = client_sources()
    manager = WidgetManager(esm_url=lambda _: "widget.js")
    context = await browser.new_context(
        viewport={"width": 900, "height": 900}, locale="en-US", service_workers="block", accept_downloads=False
    )
    widget = None
    is_there = False
    try:
        context.set_default_timeout(_OPENING_S * 1000)
        page = await context.new_page()
        with manager.capture():
            widget = make_widget()
        trial = Trial(page, manager, widget, manager.add(widget), hang_s)

        async def answer(route: Route) -> None:
            if is_there and _is_departure(route, page):
                trial.departures.append(route.request.url)
                await route.abort("aborted")  # With another reason, the browser would show a page of its own.
                return
            await _answer(route, esm, sources, trial.requests)

        async def refuse(socket: WebSocketRoute) -> None:
            trial.requests.append(socket.url)
            await socket.close()

        async def dismiss(dialog: Dialog) -> None:
            trial.dialogs.append(f"{dialog.type}({dialog.message!r})")
            await dialog.dismiss()

        def hear(message: ConsoleMessage) -> None:
            if message.type == "error":
                trial.console_errors.append(message.text)

        await context.route("**/*", answer)
        await context.route_web_socket("**/*", refuse)
        page.on("dialog", dismiss)
        page.on("console", hear)
        try:
            await page.goto(f"{_ORIGIN}/")
            await page.wait_for_function("globalThis.__rditTrial !== undefined")
            is_there = True
            await trial.ask("(trial) => trial.start()")
            is_known = await trial.wait("(trial, id) => trial.knows(id)", trial.widget_id, patience_s=_OPENING_S)
        except (PageHung, PlaywrightTimeout):
            is_known = False
        if not is_known:
            raise NoTrial("Its page did not get ready; where the data is large, create(..., sample=10_000) shows less.")
        yield trial
    finally:
        # One that hangs does not say goodbye: whoever owns the browser ends it.
        with contextlib.suppress(Exception):
            await asyncio.wait_for(context.close(), 1.0)
        if widget is not None:
            widget.close()
        manager.clear()


def _is_departure(route: Route, page: Page) -> bool:
    """Whether a request would put another document in the place of the trial's."""
    try:
        return route.request.is_navigation_request() and route.request.frame == page.main_frame
    except Exception:  # A window that is only just being opened has no frame yet.
        return False


async def _answer(route: Route, esm: str, sources: Mapping[str, str], requests: list[str]) -> None:
    url = route.request.url
    path = url.removeprefix(_ORIGIN).partition("?")[0].partition("#")[0]
    name = path.removeprefix("/")
    script = "text/javascript; charset=utf-8"
    if url.startswith(f"{_ORIGIN}/"):
        if path == "/":
            await route.fulfill(
                body=_PAGE, content_type="text/html; charset=utf-8", headers={"content-security-policy": _POLICY}
            )
            return
        if path == "/trial.js":
            await route.fulfill(
                body=Path(__file__).with_name("trial.js").read_text(encoding="utf-8"), content_type=script
            )
            return
        if path == "/widget.js":
            await route.fulfill(body=esm, content_type=script)
            return
        if name in sources:
            await route.fulfill(body=sources[name], content_type=script)
            return
    requests.append(url)
    await route.abort()


def _unpacked(frame: Any) -> str | bytes:
    return frame if isinstance(frame, str) else base64.b64decode(frame["base64"])

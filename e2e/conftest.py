"""Fixtures of the browser runs: an engine per process, a session with cookies of its own per test, a server on demand.

One process drives one engine (`--browser chromium`, pytest-playwright's own option). A test that fails leaves what can
explain it under `e2e/artifacts/<engine>/<test>/`.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import shutil
import textwrap
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Protocol

import pytest
from playwright.sync_api import Browser

from e2e import browsers
from e2e.display import VirtualDisplay
from e2e.faults import Behind
from e2e.page import Page
from e2e.playwright_page import PlaywrightEngine
from e2e.server import ServeProcess
from e2e.watchdog import Watchdog

ARTIFACTS = Path(__file__).parent / "artifacts"
RAN = ARTIFACTS / "ran"
"""One JSON file per engine about its last run, for the report at the end of `make test`."""

CHROMIUM_ARGUMENTS = [
    "--no-sandbox",  # as root and in containers there is no sandbox to have
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP *.evil.test 127.0.0.1",  # for an attacker's names that lead here
]

FIREFOX_PREFERENCES = {
    "dom.ipc.processPrelaunch.enabled": False,  # each session would start a process that nobody asked for
    "browser.newtab.preload": False,
    "browser.sessionstore.interval": 3_600_000,
}

HANG_S = 60.0
"""After so long in one test the browser is killed, and what hung is run once more in a new one. A story takes seconds,
so the limit meets none that works. Firefox over WebDriver BiDi hangs like this about once in thirty runs."""

BROWSER_WENT_AWAY = ["has been closed", "Connection closed", "RemoteDisconnected", "Connection refused"]
"""How the drivers say that the browser, and not the page, is at fault. Only then is a test run again."""

LaunchOptions = dict[str, object]

_outcome = pytest.StashKey[dict[str, pytest.TestReport]]()


class Session(Protocol):
    """Tabs that share their cookies."""

    def new_page(self) -> Page: ...

    def close(self, keep_in: Path | None) -> None: ...


class Engine(Protocol):
    """A browser that can be driven."""

    version: str

    def new_session(self, *, is_recorded: bool = False) -> Session: ...

    def close(self) -> None: ...


class OneTab:
    """A session of one tab for one test after the other, since to start one takes longer than most of them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._kept: tuple[Session, Page] | None = None

    def new_page(self) -> Page:
        if self._kept is None:
            session = self._engine.new_session()
            self._kept = session, session.new_page()
        return self._kept[1]

    def close(self, keep_in: Path | None) -> None:
        """End it after a failure, which may have left anything behind; else the next test has it."""
        if keep_in is not None:
            self.end(keep_in)

    def end(self, keep_in: Path | None = None) -> None:
        kept, self._kept = self._kept, None
        if kept is not None:
            kept[0].close(keep_in)


class Serve(Protocol):
    """Starts `rdit serve` on a script, given as a path or as its text."""

    def __call__(self, script: str | Path, *arguments: str) -> ServeProcess: ...


class BrowserRun:
    """The engine of this process, and what is known about it at the end."""

    def __init__(self, engine_name: str, *, has_window: bool) -> None:
        self.engine_name = engine_name
        self.found = browsers.find(engine_name, has_window=has_window)
        self.version: str | None = None
        self.passed = self.failed = self.repeated = 0

    def describe(self) -> str:
        """The line about this engine, for a person."""
        name = browsers.NAMES[self.engine_name]
        if self.found is None:
            return f"browsers that did NOT run: {name}; to have it: {browsers.how_to_get(self.engine_name)}"
        if self.version is None:
            return f"browsers that did NOT run: {name}; {'it did not start' if self.failed else 'no test asked for it'}"
        repeated = f", {self.repeated} run again because the browser went away" if self.repeated else ""
        return f"browsers that ran: {name} {self.version} ({self.passed} passed, {self.failed} failed{repeated})"


def _run_of(config: pytest.Config) -> BrowserRun:
    run = config.stash.get(_run_key, None)
    if run is None:
        names = config.getoption("--browser") or ["chromium"]
        if len(names) != 1:
            raise pytest.UsageError("one engine per process: give --browser once")
        run = config.stash[_run_key] = BrowserRun(names[0], has_window=config.getoption("--headed"))
    return run


_run_key = pytest.StashKey[BrowserRun]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("rdit faults")
    default = os.environ.get("RDIT_REPEATS", "1")
    group.addoption("--repeats", type=int, default=int(default), help="how often each story about faults runs")
    group.addoption("--record", action="store_true", help="keep a recording of a story that fails")
    group.addoption("--every-story", action="store_true", help="also those that are `alike` or `thorough`")
    group.addoption(
        "--cycles",
        type=int,
        default=int(os.environ.get("RDIT_CYCLES", "200")),
        help="how many widgets come and go in the story about leaks, in twenties",
    )
    group.addoption(
        "--drag-seconds", type=float, default=1.2, help="how long the hand drags in the stories about dragging"
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "repeat" in metafunc.fixturenames:
        # The innermost parameter: what a story prepares per module stays.
        metafunc.parametrize("repeat", range(metafunc.config.getoption("--repeats")))


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "unrecorded: keep no recording of the steps, which takes the time that the story is about"
    )
    config.addinivalue_line(
        "markers", "same_tab: leaves nothing behind but in its document: the tests of a module use one tab"
    )
    config.addinivalue_line("markers", "webgl: needs a browser with WebGL; Firefox has it in a window only")
    config.addinivalue_line(
        "markers", "alike: no engine does it in a way of its own (servers, proxies, bundlers): Chromium tells it"
    )
    config.addinivalue_line("markers", "thorough: more of the same; runs with --every-story")
    config.addinivalue_line("markers", "violates(*words): their policy keeps its pages from what has these words")
    config.addinivalue_line("markers", "takes(seconds): it takes that much longer before it counts as hung")
    config.option.reruns = 1
    config.option.only_rerun = BROWSER_WENT_AWAY


def pytest_report_header(config: pytest.Config) -> str:
    found = _run_of(config).found
    return f"browser: {found or _run_of(config).describe()}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    run = _run_of(config)
    if not config.getoption("--every-story"):
        left_out = {"thorough"} if run.engine_name == "chromium" else {"alike", "thorough"}
        later = [item for item in items if left_out & {mark.name for mark in item.iter_markers()}]
        items[:] = [item for item in items if item not in later]
        config.hook.pytest_deselected(items=later)
    if run.found is not None:
        return
    if run.engine_name in browsers.required():
        raise pytest.UsageError(f"RDIT_REQUIRE_BROWSERS asks for it: {run.describe()}")
    for item in items:
        item.add_marker(pytest.mark.skip(reason=run.describe()))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    item.stash.setdefault(_outcome, {})[report.when] = report
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    run = _run_of(session.config)
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        run.passed = len(reporter.stats.get("passed", []))
        run.repeated = len(reporter.stats.get("rerun", []))
        run.failed = len(reporter.stats.get("failed", [])) + len(reporter.stats.get("error", []))
    RAN.mkdir(parents=True, exist_ok=True)
    facts = {"engine": run.engine_name, "version": run.version, "failed": run.failed, "line": run.describe()}
    (RAN / f"{run.engine_name}.json").write_text(json.dumps(facts), encoding="utf-8")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    run = _run_of(config)
    terminalreporter.write_line(run.describe(), bold=True, red=run.found is None, green=run.version is not None)


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: LaunchOptions, pytestconfig: pytest.Config) -> LaunchOptions:
    """The command line's own launch options, and which browser to start."""
    run = _run_of(pytestconfig)
    assert run.found is not None
    ours: LaunchOptions = {"timeout": HANG_S * 1000}
    if run.engine_name == "chromium":
        ours["args"] = CHROMIUM_ARGUMENTS
    if run.found.source != "playwright":
        ours["executable_path"] = str(run.found.path)
        if run.engine_name == "firefox":
            # Selects WebDriver BiDi. Without it Playwright expects its own patched build.
            ours["channel"] = "moz-firefox"
    if run.engine_name == "firefox":
        ours["firefox_user_prefs"] = FIREFOX_PREFERENCES
    return {**browser_type_launch_args, **ours}


@pytest.fixture(scope="session")
def engine(pytestconfig: pytest.Config, request: pytest.FixtureRequest) -> Iterator[Engine]:
    """The browser of this process."""
    run = _run_of(pytestconfig)
    assert run.found is not None
    started: Engine
    if run.found.driver is not None:
        from e2e.webdriver_page import WebKitGTKEngine

        started = WebKitGTKEngine(run.found.driver, run.found.path, headed=pytestconfig.getoption("--headed"))
    else:
        launch: Callable[[], Browser] = request.getfixturevalue("launch_browser")
        started = PlaywrightEngine(launch)
    run.version = started.version
    yield started
    started.close()


@pytest.fixture(scope="session")
def webgl_engine(engine: Engine, pytestconfig: pytest.Config, request: pytest.FixtureRequest) -> Iterator[Engine]:
    """A browser that can draw with WebGL, as far as it is known how to have one: Firefox without a window does not."""
    is_headless = isinstance(engine, PlaywrightEngine) and not pytestconfig.getoption("--headed")
    if _run_of(pytestconfig).engine_name != "firefox" or not is_headless or shutil.which("Xvfb") is None:
        yield engine
        return
    launch: Callable[..., Browser] = request.getfixturevalue("launch_browser")
    display = VirtualDisplay()
    windowed = PlaywrightEngine(functools.partial(launch, headless=False, env=display.environment()))
    yield windowed
    windowed.close()
    display.close()


@pytest.fixture(scope="module")
def one_tab(engine: Engine) -> Iterator[OneTab]:
    """The tab of the tests that are marked with `same_tab`."""
    tab = OneTab(engine)
    yield tab
    tab.end()


@pytest.fixture
def artifacts(request: pytest.FixtureRequest, pytestconfig: pytest.Config) -> Path:
    """Where this test leaves what it wants looked at. Made on first use by `keep`."""
    test = re.sub(r"[^\w.\[\]-]+", "-", request.node.nodeid.split("/")[-1].replace(".py::", "-"))
    return ARTIFACTS / _run_of(pytestconfig).engine_name / test


@pytest.fixture
def serve(request: pytest.FixtureRequest, tmp_path: Path, artifacts: Path) -> Iterator[Serve]:
    """Starts `rdit serve`, as often as a test likes; all servers end with the test."""
    started: list[ServeProcess] = []

    def start(script: str | Path, *arguments: str) -> ServeProcess:
        if isinstance(script, str):
            path = tmp_path / f"script{len(started) or ''}.py"
            path.write_text(textwrap.dedent(script), encoding="utf-8")
            script = path
        server = ServeProcess(script, arguments)
        started.append(server)
        return server

    yield start
    for number, server in enumerate(started):
        # Killed, not stopped: how a server ends on an interrupt is a story of its own, and no other should wait for it.
        server.kill()
        if _failed(request.node):
            artifacts.mkdir(parents=True, exist_ok=True)
            (artifacts / f"server-{number}.txt").write_text(server.output(), encoding="utf-8")


@pytest.fixture
def serve_behind(serve: Serve) -> Iterator[Callable[[str], Behind]]:
    """Starts `rdit serve` on a script of `e2e/scripts`, behind a proxy of its own."""
    with contextlib.ExitStack() as stack:

        def start(script: str) -> Behind:
            behind = Behind(serve, script)
            stack.callback(behind.close)
            return behind

        yield start


@pytest.fixture
def open_page(request: pytest.FixtureRequest, engine: Engine, artifacts: Path) -> Iterator[Callable[[str], Page]]:
    """Opens an address in a new tab. All tabs of one test share their cookies, and no other test sees them.

    With the mark `same_tab` there is one tab, which other tests of the module had before.
    """
    takes = request.node.get_closest_marker("takes")
    extra_s = request.config.getoption("--drag-seconds") + (takes.args[0] if takes else 0)
    watchdog = Watchdog(HANG_S + extra_s)
    if request.node.get_closest_marker("webgl") is not None:
        engine = request.getfixturevalue("webgl_engine")
    session: Session
    if request.node.get_closest_marker("same_tab") is not None:
        session = request.getfixturevalue("one_tab")
    else:
        wants_record = request.config.getoption("--record")
        is_recorded = wants_record and request.node.get_closest_marker("unrecorded") is None
        session = engine.new_session(is_recorded=is_recorded)
    pages: list[Page] = []

    def open_in_tab(url: str) -> Page:
        page = session.new_page()
        pages.append(page)
        page.goto(url)
        return page

    try:
        yield open_in_tab
        if not _failed(request.node):
            allowed = request.node.get_closest_marker("violates")
            _check_policy(pages, allowed.args if allowed is not None else ())
        keep_in = artifacts if _failed(request.node) else None
        if keep_in is not None:
            keep_in.mkdir(parents=True, exist_ok=True)
            for number, page in enumerate(pages):
                _keep(page, keep_in, number)
            request.node.add_report_section("teardown", "artifacts", f"kept in {keep_in}")
            request.config.get_terminal_writer().line(f"\nkept: {keep_in}")
        # A browser that went away cannot say goodbye; the test has said so already.
        with contextlib.suppress(Exception) if keep_in is not None else contextlib.nullcontext():
            session.close(keep_in)
    finally:
        watchdog.stop()


def _check_policy(pages: list[Page], words: tuple[str, ...]) -> None:
    """No page wants what its content security policy forbids, but for what the story says that it does."""
    violations: list[str] = []
    for page in pages:
        with contextlib.suppress(Exception):  # A tab that was closed, or shows what never came, tells nothing.
            violations += page.violations()
    assert not [one for one in violations if not any(word in one for word in words)], "kept from something"
    if any(page.driver_sees_violations for page in pages):
        assert not [word for word in words if not any(word in one for one in violations)], "kept from nothing"


def _failed(item: pytest.Item) -> bool:
    return any(report.failed for report in item.stash.get(_outcome, {}).values())


def _keep(page: Page, folder: Path, number: int) -> None:
    """Leave what one tab can still tell."""
    # Each by itself: a page that cannot be photographed may still have errors to tell.
    with contextlib.suppress(Exception):
        page.screenshot(folder / f"page-{number}.png")
    with contextlib.suppress(Exception):
        lines = [f"url: {page.url()}", "page errors:", *page.errors(), "console:", *page.console()]
        (folder / f"page-{number}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")

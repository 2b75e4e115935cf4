"""A kernel in a side thread, and waiting on conditions rather than on time."""

import contextlib
import json
import threading
import time
import warnings

import ipywidgets
import pytest
from IPython.core.interactiveshell import InteractiveShell

from rdit_core import Limits
from rdit_ref_server.addresses import listen
from rdit_ref_server.app import create_app
from rdit_ref_server.kernel import Kernel
from rdit_ref_server.script import Script
from rdit_ref_server.security import AccessRules
from rdit_ref_server.serve_command import web_server

from .served import PATIENCE_S, Served

with warnings.catch_warnings():
    # Starlette prefers httpx2 and only warns of httpx; here either will do.
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

COUNTER = """
import anywidget, traitlets

class Counter(anywidget.AnyWidget):
    _esm = "export default { render({ model, el }) { el.textContent = model.get('value') } }"
    value = traitlets.Int(0).tag(sync=True)

    @traitlets.observe("value")
    def _seen(self, change):
        print(f"Python saw value change: {change['old']} → {change['new']}")

counter = Counter()
"""


STARTING = {"exported", "live", "serve"}
"""Fixtures that start what a test then waits for: a server, in a process of its own or in threads, or a command."""


@pytest.hookimpl(tryfirst=True)  # Before `-m` looks at the marks.
def pytest_collection_modifyitems(items):
    for item in items:
        if STARTING.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.outer)


class Running:
    """A kernel, with the means to run texts in it and to see what came of them."""

    def __init__(self, kernel, folder):
        self.kernel = kernel
        self.path = folder / "script.py"
        self.script = Script(self.path)
        self._is_served = False

    def write(self, source):
        self.path.write_text(source, encoding="utf-8")
        return self.script

    def run(self, source, *arguments):
        """Run a text to its end; gives its events as dicts."""
        self.serve()
        before = self.kernel.log.last_id
        self.write(source)
        self.kernel.run(Script(self.path, arguments))
        self.wait_for(lambda: self.kernel.log.last_id > before and self.kernel.log.is_done)
        return [event for event in self.events() if event["id"] > before]

    def start(self, source):
        """Begin to run a text."""
        self.kernel.run(self.write(source))

    def serve(self):
        """Start the kernel's side thread: in the test itself, since pytest replaces `sys.stdout` between phases."""
        if not self._is_served:
            self._is_served = True
            self.kernel.start()

    def events(self):
        return [json.loads(self.kernel.encode(event)[1]) for event in self.kernel.log.read(0)[0]]

    def text(self, name="stdout"):
        """Everything that was written to a stream."""
        return "".join(event["text"] for event in self.events() if event["kind"] == "stream" and event["name"] == name)

    def wait_for(self, condition):
        """Wait until a condition holds; it is looked at after each event, and now and then."""
        news = threading.Event()
        unsubscribe = self.kernel.log.subscribe(news.set)
        try:
            give_up_s = time.monotonic() + PATIENCE_S
            while time.monotonic() < give_up_s:
                if condition():
                    return
                news.wait(0.05)
                news.clear()
            raise AssertionError(f"waited {PATIENCE_S} s in vain; the log has {self.events()}")
        finally:
            unsubscribe()

    @property
    def namespace(self):
        run = self.kernel._last_run
        return run.namespace if run is not None else {}


@pytest.fixture(autouse=True)
def no_widget_is_left_behind():
    """A kernel that ends leaves its widgets to whoever asks for them; the next test is not to meet them."""
    yield
    ipywidgets.Widget.close_all()


@pytest.fixture
def running(tmp_path):
    kernel = Kernel()
    yield Running(kernel, tmp_path)
    kernel.close()
    assert not InteractiveShell.initialized()


@pytest.fixture
def on_main_thread(tmp_path):
    """Run a text with the main thread as the kernel, while `meanwhile(running)` runs in a side thread."""

    @contextlib.contextmanager
    def noting(failures):
        try:
            yield
        except BaseException as error:
            failures.append(error)

    def run(source, meanwhile, *, handle_signals=False):
        kernel = Kernel()
        running = Running(kernel, tmp_path)
        failures = []

        def side():
            with noting(failures):
                meanwhile(running)
            kernel.stop()

        running.start(source)
        thread = threading.Thread(target=side)
        kernel.serve_forever(on_ready=thread.start, handle_signals=handle_signals)
        thread.join()
        if failures:
            raise failures[0]
        return running

    return run


@pytest.fixture
def counter_source():
    return COUNTER


TOKEN = "a-token-for-tests"
HOST = "127.0.0.1:8765"
ORIGIN = f"http://{HOST}"


@pytest.fixture
def client_folder(tmp_path):
    """A browser side of a few files, and what must not be served beside them."""
    folder = tmp_path / "client"
    (folder / "tests").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>rdit</title>")
    (folder / "page.js").write_text("export {};")
    (folder / "page.css").write_text("body {}")
    (folder / "package.json").write_text("{}")
    (folder / "tests" / "page.test.js").write_text("never")
    return folder


@pytest.fixture
def site(running, client_folder):
    """The application in memory, opened by somebody who has the token."""
    rules = AccessRules.for_address("127.0.0.1", 8765, token=TOKEN)
    app = create_app(running.kernel, running.script, rules, client=client_folder)
    running.kernel.submit(lambda: None)
    with TestClient(app, base_url=ORIGIN, headers={"authorization": f"Bearer {TOKEN}"}) as client:
        yield client


@pytest.fixture
def coding_site(running, client_folder):
    """The application in memory, where visitors may send code."""
    rules = AccessRules.for_address("127.0.0.1", 8765, token=TOKEN, allows_code=True)
    app = create_app(running.kernel, running.script, rules, client=client_folder)
    with TestClient(app, base_url=ORIGIN, headers={"authorization": f"Bearer {TOKEN}"}) as client:
        yield client


@pytest.fixture
def stranger(site):
    """The same application, asked without any credentials."""
    return TestClient(site.app, base_url=ORIGIN, follow_redirects=False)


class Live:
    """A server at a real port, with its kernel in a side thread."""

    def __init__(self, running, limits, rules):
        self.running = running
        self.kernel = running.kernel
        self.manager = running.kernel.manager
        self._listener = listen("127.0.0.1", 0)
        self.port = self._listener.getsockname()[1]
        self.host = f"127.0.0.1:{self.port}"
        self.origin = f"http://{self.host}"
        self.rules = rules or AccessRules.for_address("127.0.0.1", self.port, token=TOKEN)
        """Who may come; may be set."""
        self.app = create_app(running.kernel, running.script, lambda: self.rules)
        self.server = web_server(self.app, limits)
        self._thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self._listener]})
        self._thread.start()

    def close(self):
        self.server.should_exit = self.server.force_exit = True
        self._thread.join()
        self._listener.close()


@pytest.fixture
def live(tmp_path):
    """Start a server for hostile peers, on a script that has run. Limits are those of the test."""
    with contextlib.ExitStack() as stack:

        def start(source="", *, rules=None, **limits):
            limits = Limits(**limits)
            kernel = Kernel(limits=limits)
            stack.callback(kernel.close)
            running = Running(kernel, tmp_path)
            running.run(source)
            server = Live(running, limits, rules)
            stack.callback(server.close)
            return server

        yield start


@pytest.fixture
def serve(tmp_path):
    started = []

    def start(source, *arguments):
        script = tmp_path / "script.py"
        script.write_text(source, encoding="utf-8")
        started.append(Served(script, *([] if "--port" in arguments else ["--port", 0]), "--no-browser", *arguments))
        return started[-1]

    yield start
    for served in started:
        served.process.kill()
        served.wait()
        served.process.stdout.close()
        served.process.stderr.close()

"""The kernel: the one thread in which user code runs.

What belongs here: the order of things in that thread. What never does: sockets, HTTP, and anything that waits for a
page. What runs is in `run`, what comes of it in `output`, whose it is in `owners`; the asyncio loop is in `loop`, and
what a process has only one of in `process`.

**One thread.** Scripts, observers, handlers, custom serializers: all of it runs in the thread that called
`serve_forever`, one thing after another. Traitlets and most widget libraries are not thread-safe, and this is what
makes them safe. In `rdit serve` it is the main thread, because only there a signal can interrupt `time.sleep(60)`,
and because libraries look for the main thread (matplotlib, asyncio, signal). The web server lives in a side thread
and never runs user code; it hands work over by `run`, `reset`, `interrupt`, `soon`, and through the manager's
`pending` announcement.

**Jobs and updates.** A run and a reset are jobs: one after another, in the order in which they were asked for. Between
jobs the loop runs. Updates from pages are applied as a callback of that loop, so that an observer can
`asyncio.create_task(...)`, and what it starts goes on. Hence they are applied while a statement awaits, too, and
between two statements.

**A reset** is asked for from another thread while a script may be running. From that moment on nothing of the old run
is logged; it is interrupted, the thread comes back, lets go of the old namespace, tasks and widgets, and runs the
script anew.

Not proud of: much of what a script sees belongs to the process, so there is one kernel per process unless all of them
say that they share it (see `process`); and a script that catches `KeyboardInterrupt` and goes on cannot be stopped from
here.
"""

from __future__ import annotations

import contextlib
import gc
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, Literal

from rdit_core import Limits, WidgetManager, WritePolicy
from rdit_core.events import HandlerFailed, ObserverFailed, WidgetClosed

from .esm import ModuleStore
from .executions import Execution, Executions
from .interrupts import Interrupts
from .log import Event, EventLog, Kind
from .loop import KernelLoop
from .notices import Notices
from .output import Output
from .owners import Owners
from .process import Tenant, close_figures, taken_over
from .run import Run
from .script import MAIN, Program, Script
from .server_log import thread_of
from .shell import ScriptShell
from .sockets import Sockets
from .streams import flush_streams, log_held, write_to_terminal

_STOP_AGAIN_S: Final = 0.5
"""User code that has not stopped after so long is interrupted again."""

State = Literal["running", "idle"]


class Kernel:
    """Runs scripts, hosts their widgets, logs what happens.

    `run`, `execute`, `reset`, `submit`, `soon`, `interrupt`, `stop`, `let_pages_go`, `count_pages`, `tell`,
    `tell_error` and `encode` may be called from any thread.
    """

    def __init__(
        self,
        *,
        limits: Limits | None = None,
        log: EventLog | None = None,
        policy: WritePolicy | None = None,
        shares_process: bool = False,
        number: int | None = None,
    ) -> None:
        """Make one that serves nobody yet.

        Args:
            limits: of its widgets and their pages.
            log: where its events go.
            policy: what pages may write.
            shares_process: whether it serves beside others, each in a thread of its own (see `process`).
            number: tells it from them in what the server says, since each numbers its connections and widgets by
                itself.
        """
        self.number: Final = number
        self._shares_process = shares_process
        self._owners = Owners(lambda: self.manager.applying)
        self.modules = ModuleStore()
        """Widget code, by content hash."""
        self.manager = WidgetManager(
            ids=self._owners.next_widget_id, limits=limits or Limits(), esm_url=self.modules.url, policy=policy
        )
        """Hosts the widgets that user code makes."""
        self.sockets = Sockets()
        """Of pages in base mode."""
        self.log = log or EventLog()
        """What happened."""
        self._output = Output(self.log, self.manager, self.modules, self._owners)
        self._executions = Executions()
        self._notices = Notices()
        self._loop = KernelLoop(self._owners.here, self._output.error, self._user_code)
        self._interrupts = Interrupts(lambda: self._is_open, lambda: self._is_idle, self._loop.cancel_statement)
        self._jobs: deque[Callable[[], None]] = deque()
        self._soon: deque[Callable[[], None]] = deque()
        self._has_begun = False
        self._has_failed = False
        self._is_open = False
        self._is_idle = True
        self._is_running = False
        self._is_stopping = False
        self._apply_is_scheduled = False
        self._failed_observer: BaseException | None = None
        self._shell: ScriptShell | None = None
        self._last_run: Run | None = None
        """The run whose namespace is kept: the present one, or the last."""
        self._stop_callbacks: list[Callable[[], None]] = []
        self._insist_callbacks: list[Callable[[], None]] = []
        self._thread: threading.Thread | None = None

    # For other threads.

    @property
    def state(self) -> State:
        """Whether a script, a handler or a reset is at work."""
        return "running" if self._is_running or self._jobs else "idle"

    @property
    def has_begun(self) -> bool:
        """Whether it is, or was, served, or has at least been given something to do."""
        return self._has_begun

    @property
    def is_stopping(self) -> bool:
        """Whether the kernel was told to end."""
        return self._is_stopping

    @property
    def has_failed(self) -> bool:
        """Whether the last run that ended was ended by an error."""
        return self._has_failed

    def run(self, script: Script) -> None:
        """Run a script in a fresh namespace, after whatever was asked for before. Returns at once."""
        self.submit(lambda: self._run(script))

    def execute(self, code: str, key: str | None = None) -> Execution:
        """Run code in the namespace of the last run, after whatever was asked for before. Returns at once.

        It is logged as further statements, and `done`; to pages whose stream has ended all of it goes as output.

        Args:
            code: statements, as in a script.
            key: by which the sender may ask again: what has this key already does not run twice.
        """
        execution, is_new = self._executions.open(key, 0 if self.log.is_empty else self.log.last_id)
        if is_new:
            self.submit(lambda: self._execute(code, execution))
        return execution

    def find_execution(self, key: str) -> Execution | None:
        """The execution that was asked for with a key, if it was lately."""
        return self._executions.find(key)

    def submit(self, job: Callable[[], None]) -> None:
        """Have a job done in the kernel's thread, after whatever was asked for before. It must not raise."""
        self._has_begun = True
        self._jobs.append(job)
        self._loop.wake()

    def soon(self, job: Callable[[], None]) -> None:
        """Have a job done in the kernel's thread as updates of pages are: also between the statements of a script, and
        while it awaits. An exception is shown as one of the current statement.
        """
        self._soon.append(job)
        self._schedule_apply()

    def reset(self, *, changed: Sequence[str] = ()) -> None:
        """Interrupt what runs, clear the namespace, end its tasks and unregister all widgets. Returns at once.

        Nothing of the old run is logged from here on. Pages hear of it, by a `reset` event, when the old widgets are
        gone: a page that came back earlier would take their last values for those of the next widgets with their ids.

        Args:
            changed: names of the files that are the reason, for the `reset` event.
        """
        turn, was_running = self._interrupts.turn, self._is_running
        self._output.expect_reset(changed)
        self.submit(self._clear)
        if was_running:
            self._interrupts.request(turn)

    def interrupt(self) -> None:
        """Raise KeyboardInterrupt in the user code that runs; do nothing when none does."""
        if self.state == "running":
            self._interrupts.request()

    def stop(self) -> None:
        """Interrupt what runs and let `serve_forever` return. Also called from signal handlers: takes no lock.

        May be called again, for a script that caught the first interrupt and went on.
        """
        is_first, self._is_stopping = not self._is_stopping, True
        self._output.hides_errors = True
        self._interrupts.request()
        self._loop.wake()
        for callback in self._stop_callbacks if is_first else self._insist_callbacks:
            callback()

    def on_stop(self, callback: Callable[[], None]) -> None:
        """Have `callback` called when the kernel is told to end, perhaps in a signal handler: it must take no lock."""
        self._stop_callbacks.append(callback)

    def on_insist(self, callback: Callable[[], None]) -> None:
        """Have `callback` called when the kernel is told to end again; as with `on_stop`."""
        self._insist_callbacks.append(callback)

    def let_pages_go(self) -> None:
        """Close all connections, with the reason that pages may come back, and end the event streams."""
        self.manager.close_connections(time.monotonic())
        self.sockets.close("server_shutdown")
        self.log.close()

    def count_pages(self) -> int:
        """How many connections have not ended yet."""
        return self.manager.count_open() + len(self.sockets)

    def tell(self, text: str, widget_id: str | None = None) -> None:
        """Write a line to the terminal and to the page, below the statement that shows a widget or the current one."""
        owner = self._owners.here() if widget_id is None else self._owners.of_widget(widget_id)
        flush_streams()
        self._output.text(owner, "stderr", text + "\n")
        self.tell_terminal(text)

    def tell_terminal(self, text: str) -> None:
        """Write a line to the terminal only."""
        write_to_terminal(text + "\n")

    def tell_error(self, error: BaseException) -> None:
        """Show an error on the terminal and in the page, as one of no statement."""
        self._output.error(error, None)

    def encode(self, event: Event, *, esm_text: bool = True) -> tuple[Kind, bytes]:
        """Give an event's kind and its JSON, on one line.

        A widget is described as it is now. One that is gone becomes a `display` that says so.

        Args:
            event: an event of this kernel's log.
            esm_text: whether the description of a widget has its module's text besides `esm_url`.
        """
        return self._output.encode(event, esm_text=esm_text)

    # The kernel's thread.

    def start(self) -> None:
        """Serve in a side thread, for tests and for programs that need their main thread. `close` ends it.

        An interrupt then takes effect between two bytecodes only (see `interrupts`), and scripts cannot set signal
        handlers.
        """
        ready = threading.Event()
        failures: list[BaseException] = []

        def serve() -> None:
            try:
                self.serve_forever(on_ready=ready.set)
            except BaseException as error:
                failures.append(error)
                ready.set()

        self._thread = threading.Thread(target=serve, name="rdit-kernel", daemon=True)
        self._thread.start()
        ready.wait()
        if failures:
            raise failures[0]

    def close(self) -> None:
        """End the thread that `start` made, and wait for it."""
        self.stop()
        if self._thread is not None:
            while self._thread.is_alive():
                self._thread.join(_STOP_AGAIN_S)
                if self._thread.is_alive():
                    # A script that caught the interrupt and went on.
                    self.stop()
            self._thread = None
        self._loop.close()

    def serve_forever(self, *, handle_signals: bool = False, on_ready: Callable[[], None] | None = None) -> None:
        """Be the kernel's thread until `stop`. A kernel serves once.

        Args:
            handle_signals: whether Ctrl-C and SIGTERM stop the kernel. Only on the main thread.
            on_ready: called when the process belongs to the kernel, before the first job.
        """
        self._has_begun = True
        on_stop = self.stop if handle_signals else None
        with thread_of(self.number), self._interrupts.attached(on_stop), self._hosting():
            if on_ready is not None:
                on_ready()
            while not self._is_stopping:
                try:
                    self._step()
                except KeyboardInterrupt as error:
                    # Raised in a task that user code left behind, while the loop ran it.
                    self._output.error(error, self._owners.statement)

    @contextlib.contextmanager
    def _user_code(self) -> Iterator[None]:
        """Where interrupts may come: around whatever runs user code, inside of what catches them."""
        was_open, self._is_open = self._is_open, True
        try:
            yield
        finally:
            self._is_open = was_open

    def _step(self) -> None:
        if not self._jobs:
            self._loop.wait()
            return
        job = self._jobs.popleft()
        self._is_running, self._is_idle = True, False
        try:
            self._interrupts.next_turn()
            job()
        finally:
            flush_streams()
            self._is_running, self._is_idle = False, True

    @contextlib.contextmanager
    def _hosting(self) -> Iterator[None]:
        """Take over the process, host the widgets that are made, and hear from the manager."""
        manager = self.manager
        tenant = Tenant(self._output, self._owners, self._interrupts.raise_if_wanted, is_alone=not self._shares_process)
        with taken_over(tenant) as self._shell:
            unsubscribe = [
                manager.on("pending", self._schedule_apply),
                manager.on("closed", self._on_closed),
                manager.on("observer_failed", self._on_observer_failed),
                manager.on("handler_failed", self._on_observer_failed),
                *self._notices.listen(manager),
            ]
            manager.install((lambda: tenant.is_speaking) if self._shares_process else None)
            try:
                yield
            finally:
                if self._shares_process:
                    # The process goes on without this kernel, and keeps nothing of it.
                    self._clear()
                manager.uninstall()
                for off in unsubscribe:
                    off()
                self._loop.end()
                self.log.close()

    # Scripts.

    def _run(self, script: Script) -> None:
        if self._is_over():
            return
        self._owners.statement = None
        self._output.begin_run()
        self._has_failed = False
        try:
            program = script.load()
        except (SyntaxError, ValueError, OSError) as error:
            # None of the user's code has run: the frames are all ours.
            self._output.error(error.with_traceback(None), None)
            self._has_failed = True
        else:
            self._let_go_of_run()
            self._last_run = self._new_run(script, program)
            self._has_failed = not self._last_run.execute(self._is_over, self._settle)
            self._show_created()
        self._output.add("done", None, status="error" if self._has_failed else "ok")

    def _execute(self, code: str, execution: Execution) -> None:
        try:
            if self._is_over():
                return
            if self._last_run is None:
                self._last_run = self._new_run(Script(Path(MAIN)), Program(None, ()))
            run = self._last_run
            try:
                statements = run.read(code)
            except (SyntaxError, ValueError) as error:
                self._output.error(error.with_traceback(None), None)
                is_good = False
            else:
                is_good = run.execute(self._is_over, self._settle, statements)
                self._show_created()
            self._output.add("done", None, status="ok" if is_good else "error")
        finally:
            execution.is_over = True
            self.log.wake()

    def _show_created(self) -> None:
        """Show what `create` made and nobody displayed, each where it was made."""
        assert self._shell is not None, "made by serve_forever"
        last = self._owners.statement
        for widget_id, widget in list(self.manager.widgets.items()):
            # By the attribute alone: to import the class would import anywidget, which not every script needs.
            if getattr(widget, "awaits_display", False) is True and not self.manager.is_part(widget_id):
                self._owners.statement = self._owners.of_widget(widget_id)
                self._shell.show_value(widget)
        self._owners.statement = last

    def _new_run(self, script: Script, program: Program) -> Run:
        assert self._shell is not None, "made by serve_forever"
        return Run(
            script,
            program,
            shell=self._shell,
            loop=self._loop,
            output=self._output,
            owners=self._owners,
            user_code=self._user_code,
        )

    def _let_go_of_run(self) -> None:
        run, self._last_run = self._last_run, None
        if run is not None:
            run.let_go()

    def _is_over(self) -> bool:
        return self._is_stopping or self._output.is_reset_waiting

    # Pages.

    def _schedule_apply(self) -> None:
        if not self._apply_is_scheduled:
            self._apply_is_scheduled = True
            self._loop.call_soon(self._apply)

    def _apply(self) -> None:
        """Apply what pages sent. Runs in the loop."""
        self._apply_is_scheduled = False
        was_idle, was_running, was_open = self._is_idle, self._is_running, self._is_open
        self._is_idle, self._is_running = False, True
        try:
            # As `_user_code`, whose price would show: this runs once per edit.
            self._is_open = True
            try:
                while self._soon:
                    self._do(self._soon.popleft())
                self.manager.apply_pending()
            finally:
                self._is_open = was_open
        except (KeyboardInterrupt, SystemExit) as error:
            if error is not self._failed_observer:
                self._output.error(error, self._owners.statement)
            # Only the update that was at work is over.
            self._schedule_apply()
        finally:
            log_held()
            self._is_idle, self._is_running = was_idle, was_running

    def _do(self, job: Callable[[], None]) -> None:
        try:
            job()
        except Exception as error:
            self._output.error(error, self._owners.statement)

    def _settle(self) -> None:
        """Apply what is pending, and give tasks a turn."""
        self._loop.take_turn(self._apply)

    def _on_observer_failed(self, event: ObserverFailed | HandlerFailed) -> None:
        self._failed_observer = event.error
        self._output.error(event.error, self._owners.of_widget(event.widget_id))

    def _on_closed(self, event: WidgetClosed) -> None:
        forgotten = self._owners.close(event.widget_id)
        if forgotten is not None:
            self._notices.forget(forgotten)

    # Reset.

    def _clear(self) -> None:
        """Let go of everything that the last run left, but for threads and imported modules."""
        self._loop.end_tasks()
        self.manager.clear()
        close_figures()
        self._let_go_of_run()
        gc.collect()
        self._owners.clear()
        self._notices.clear()
        self._output.reset()

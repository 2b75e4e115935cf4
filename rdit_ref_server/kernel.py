"""The kernel: the one thread in which user code runs.

What belongs here: the order of things in that thread. What never does: sockets, HTTP, and anything that waits for a
page.

**One thread.** Scripts, observers, handlers, custom serializers: all of it runs in the thread that called
`serve_forever`, one thing after another. Traitlets and most widget libraries are not thread-safe, and this is what
makes them safe. In `rdit serve` it is the main thread, because only there a signal can interrupt `time.sleep(60)`,
and because libraries look for the main thread (matplotlib, asyncio, signal). The web server lives in a side thread
and never runs user code; it hands work over by `run`, `reset`, `interrupt`, `soon`, and through the manager's
`pending` announcement.

**The loop.** Between jobs the thread runs an asyncio loop that lives as long as the kernel. Updates from pages are
applied as a callback of that loop, so that an observer can `asyncio.create_task(...)`, and what it starts goes on.
While a plain statement runs, *no* loop is running, so that `asyncio.run(main())` in a script works as in `python
script.py`. A statement with a top-level `await` runs as a task of the loop, and updates are applied while it waits.
Between two statements whatever is pending is applied, so that a long script without `await` is not deaf.

**Whose output is it?** Every event belongs to a top-level statement. While an update is applied, and in tasks that were
started then (`manager.applying`), it is the statement that shows the widget; at any other time and in any other
thread it is the current statement, or the last one.

**Events.** They go into the log, from which each page's event stream is served. A stream ends with the run, so what
comes later also goes out over the WebSockets that asked for output, in the order of ids: one thread drains the queue
of such events at a time, and never while it holds our lock, since the manager has locks of its own.

**A reset** is asked for from another thread while a script may be running. From that moment on nothing of the old run
is logged; it is interrupted, the thread comes back, lets go of the old namespace, tasks and widgets, and runs the
script anew.

Not proud of: IPython allows one shell per process, so there is one kernel per process; `sys.stdout`, `sys.argv` and
`sys.modules["__main__"]` are replaced for everybody in it; and a script that catches `KeyboardInterrupt` and goes on
cannot be stopped from here.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import inspect
import logging
import sys
import threading
import types
import weakref
from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any, Final, Literal

import msgspec

from rdit_core import Limits, WidgetManager
from rdit_core.events import (
    ChangesSwallowed,
    FrontEndFailed,
    HandlerFailed,
    MessageDropped,
    ObserverFailed,
    ValueRounded,
    ValueSkipped,
    WidgetClosed,
)

from .esm import ModuleStore
from .interrupts import Interrupts
from .log import Event, EventLog, Kind
from .script import MAIN, Program, Script, Statement
from .shell import ScriptShell, clean_text
from .streams import LogStream
from .tracebacks import describe

WIDGET_MIME: Final = "application/vnd.jupyter.widget-view+json"

_NOT_HOSTED: Final = (
    "This is a classic Jupyter widget: it brings no ES module of its own (_esm), so it can be shown in Jupyter only."
)
_CLOSED: Final = "This widget was closed."

_CLOSED_KEPT: Final = 20
"""Of so many closed widgets it is still known which statement they belong to; ids do not come again in a run."""

_CANCEL_S: Final = 1.0
"""How long the tasks of an old run get to end after they were cancelled."""

State = Literal["running", "idle"]


class Kernel:
    """Runs scripts, hosts their widgets, logs what happens.

    `run`, `reset`, `submit`, `soon`, `interrupt`, `stop`, `tell`, `tell_error` and `encode` may be called from any
    thread.
    """

    def __init__(self, *, limits: Limits | None = None, log: EventLog | None = None) -> None:
        self.modules = ModuleStore()
        """Widget code, by content hash."""
        self.manager = WidgetManager(ids=self._next_widget_id, limits=limits or Limits(), esm_url=self.modules.url)
        """Hosts the widgets that user code makes."""
        self.log = log or EventLog()
        """What happened."""
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(self._on_loop_error)
        self._loop.set_task_factory(self._make_task)
        self._task_owners: weakref.WeakKeyDictionary[asyncio.Future[Any], int | None] = weakref.WeakKeyDictionary()
        self._woken = asyncio.Event()
        self._jobs: deque[Callable[[], None]] = deque()
        self._soon: deque[Callable[[], None]] = deque()
        self._has_failed = False
        self._interrupts = Interrupts(lambda: self._is_open, lambda: self._is_idle, self._cancel_awaited)
        self._is_open = False
        self._is_idle = True
        self._is_running = False
        self._is_stopping = False
        self._apply_is_scheduled = False
        self._awaited: asyncio.Task[Any] | None = None
        self._awaited_was_cancelled = False
        self._failed_observer: BaseException | None = None
        self._shell: ScriptShell | None = None
        self._module: types.ModuleType | None = None
        self._stop_callbacks: list[Callable[[], None]] = []
        self._thread: threading.Thread | None = None

        self._lock = threading.RLock()
        """Guards what follows, and keeps the log and `_outgoing` in one order."""
        self._outgoing: deque[Event] = deque()
        self._drain = threading.Lock()
        self._resets_waiting = 0
        self._changed: list[str] = []
        """Names of the files because of which a reset waits."""
        self._reset_is_output = False
        """Whether streams had ended when a reset was asked for, so that pages must hear of it over their sockets."""
        self._statement: int | None = None
        self._ordinals: dict[int, int] = {}
        self._opened_in: dict[str, int | None] = {}
        self._shown_in: dict[str, int | None] = {}
        self._told_of_messages: set[str] = set()
        self._closed_lately: deque[str] = deque()

    # For other threads.

    @property
    def state(self) -> State:
        """Whether a script, a handler or a reset is at work."""
        return "running" if self._is_running or self._jobs else "idle"

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

    def submit(self, job: Callable[[], None]) -> None:
        """Have a job done in the kernel's thread, after whatever was asked for before. It must not raise."""
        self._jobs.append(job)
        self._wake()

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
        with self._lock:
            self._resets_waiting += 1
            self._changed += [name for name in changed if name not in self._changed]
            self._reset_is_output = self.log.reopen() or self._reset_is_output
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
        self._interrupts.request()
        self._wake()
        if is_first:
            for callback in self._stop_callbacks:
                callback()

    def on_stop(self, callback: Callable[[], None]) -> None:
        """Have `callback` called when the kernel is told to end, perhaps in a signal handler: it must take no lock."""
        self._stop_callbacks.append(callback)

    def tell(self, text: str, widget_id: str | None = None) -> None:
        """Write a line to the terminal and to the page, below the statement that shows a widget or the current one."""
        owner = self._owner() if widget_id is None else self._statement_of(widget_id)
        self._flush_streams()
        self._log_text(owner, "stderr", text + "\n")
        self.tell_terminal(text)

    def tell_terminal(self, text: str) -> None:
        """Write a line to the terminal only."""
        if isinstance(sys.stderr, LogStream):
            sys.stderr.write_through(text + "\n")

    def tell_error(self, error: BaseException) -> None:
        """Show an error on the terminal and in the page, as one of no statement."""
        self._log_error(error, None)

    def encode(self, event: Event, *, esm_text: bool = True) -> tuple[Kind, bytes]:
        """Give an event's kind and its JSON, on one line.

        A widget is described as it is now. One that is gone becomes a `display` that says so.

        Args:
            event: an event of this kernel's log.
            esm_text: whether the description of a widget has its module's text besides `esm_url`.
        """
        body = event.as_dict()
        if event.kind == "widget":
            try:
                serialized = self.manager.encode_serialized(event.fields["widget_id"])
            except (ValueError, TypeError):
                shown = {"kind": "display", "data": {"text/plain": _CLOSED}, "metadata": {}}
                return "display", msgspec.json.encode({"id": event.id, "statement": event.statement, **shown})
            # The state is encoded already and may be large: it is passed on as it is.
            described = msgspec.json.decode(serialized, type=dict[str, msgspec.Raw])
            body.update(described, esm_url=self.modules.url(msgspec.json.decode(described["esm"], type=str)))
            if not esm_text:
                del body["esm"]
        return event.kind, msgspec.json.encode(body)

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
            self._thread.join()
            self._thread = None
        self._loop.close()

    def serve_forever(self, *, handle_signals: bool = False, on_ready: Callable[[], None] | None = None) -> None:
        """Be the kernel's thread until `stop`. A kernel serves once.

        Args:
            handle_signals: whether Ctrl-C and SIGTERM stop the kernel. Only on the main thread.
            on_ready: called when the process belongs to the kernel, before the first job.
        """
        on_stop = self.stop if handle_signals else None
        with self._interrupts.attached(on_stop), self._process_state(), self._hosting():
            if on_ready is not None:
                on_ready()
            while not self._is_stopping:
                try:
                    self._step()
                except KeyboardInterrupt as error:
                    # Raised in a task that user code left behind, while the loop ran it.
                    self._log_error(error, self._statement)

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
            self._wait()
            return
        job = self._jobs.popleft()
        self._is_running, self._is_idle = True, False
        try:
            self._interrupts.next_turn()
            job()
        finally:
            self._flush_streams()
            self._is_running, self._is_idle = False, True

    def _wait(self) -> None:
        """Run the loop until there is something to do."""
        waiting = self._loop.create_task(self._woken.wait())
        try:
            with self._user_code():
                self._loop.run_until_complete(waiting)
        finally:
            waiting.cancel()
            self._woken.clear()

    def _wake(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody serves any more
            self._loop.call_soon_threadsafe(self._woken.set)

    @contextlib.contextmanager
    def _process_state(self) -> Iterator[None]:
        """Take over what the process has only one of, and give it back."""
        stdout, stderr, hook, argv, path = sys.stdout, sys.stderr, sys.displayhook, sys.argv, sys.path[:]
        main = sys.modules[MAIN]
        self._shell = ScriptShell.open(self._show, lambda error: self._log_error(error, self._owner()))
        sys.stdout = LogStream("stdout", stdout, self._owner, self._log_text, self._interrupts.raise_if_wanted)
        sys.stderr = LogStream("stderr", stderr, self._owner, self._log_text, self._interrupts.raise_if_wanted)
        sys.displayhook = self._shell.displayhook
        try:
            yield
        finally:
            self._flush_streams()
            sys.stdout, sys.stderr, sys.displayhook, sys.argv, sys.path[:] = stdout, stderr, hook, argv, path
            sys.modules[MAIN] = main
            self._shell.close()

    @contextlib.contextmanager
    def _hosting(self) -> Iterator[None]:
        """Host the widgets that are made, and hear from the manager."""
        manager = self.manager
        unsubscribe = [
            manager.on("pending", self._schedule_apply),
            manager.on("closed", self._on_closed),
            manager.on("observer_failed", self._on_observer_failed),
            manager.on("handler_failed", self._on_observer_failed),
            manager.on("front_end_failed", self._on_front_end_failed),
            manager.on("unserializable_value", self._on_value_skipped),
            manager.on("value_rounded", self._on_value_rounded),
            manager.on("message_dropped", self._on_message_dropped),
            manager.on("changes_swallowed", self._on_changes_swallowed),
        ]
        manager.install()
        # What the core logs we show where it happened; logged besides, it would be printed into the page.
        silence = logging.NullHandler()
        logging.getLogger("rdit").addHandler(silence)
        try:
            yield
        finally:
            manager.uninstall()
            logging.getLogger("rdit").removeHandler(silence)
            for off in unsubscribe:
                off()
            self._end_tasks()
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()
            self.log.close()

    # Scripts.

    def _run(self, script: Script) -> None:
        if self._is_over():
            return
        with self._lock:
            if self.log.is_done:
                self._begin_again()
            self._statement = None
        self._has_failed = False
        self._send_outgoing()
        try:
            program = script.load()
        except (SyntaxError, ValueError, OSError) as error:
            # None of the user's code has run: the frames are all ours.
            self._log_error(error.with_traceback(None), None)
            self._has_failed = True
        else:
            self._has_failed = not self._run_program(script, program)
        self._log("done", None, status="error" if self._has_failed else "ok")

    def _run_program(self, script: Script, program: Program) -> bool:
        """Run the statements in order. Gives whether all of them ended well."""
        self._prepare(script, program)
        for statement in program.statements:
            if self._is_over():
                return False
            try:
                self._settle()
                self._statement = statement.index
                self._log(
                    "statement",
                    statement.index,
                    source=clean_text(statement.source),
                    lineno=statement.lineno,
                    end_lineno=statement.end_lineno,
                )
                self._execute(statement)
            except SystemExit as error:
                return self._exit(error)
            except BaseException as error:
                self._log_error(error, self._statement)
                return False
            finally:
                self._flush_streams()
        return True

    def _prepare(self, script: Script, program: Program) -> None:
        """Make the process look as it does to the main module of `python script.py`."""
        self._let_go_of_module()
        self._module = sys.modules[MAIN] = script.new_module(program)
        sys.argv = script.argv
        if script.directory in sys.path:
            sys.path.remove(script.directory)
        sys.path.insert(0, script.directory)
        assert self._shell is not None, "made by serve_forever"
        self._shell.use_module(self._module)

    def _execute(self, statement: Statement) -> None:
        assert self._shell is not None, "made by serve_forever"
        assert self._module is not None, "made by _prepare"
        with self._user_code():
            value = eval(statement.code, self._module.__dict__)
            if statement.code.co_flags & inspect.CO_COROUTINE:
                value = self._await(value)
            if statement.displays:
                self._shell.show_value(value)

    def _await(self, coroutine: Coroutine[Any, Any, object]) -> object:
        """Run a statement with a top-level `await` in the loop."""
        self._awaited = self._loop.create_task(coroutine)
        self._awaited_was_cancelled = False
        try:
            return self._loop.run_until_complete(self._awaited)
        except asyncio.CancelledError as cancelled:
            if self._awaited_was_cancelled:
                raise KeyboardInterrupt().with_traceback(cancelled.__traceback__) from None
            raise
        finally:
            # KeyboardInterrupt in some other task stops the loop, but not this one.
            self._awaited.cancel()
            self._awaited = None

    def _cancel_awaited(self) -> bool:
        awaited = self._awaited
        if awaited is None or awaited.done():
            return False
        self._awaited_was_cancelled = True
        self._loop.call_soon_threadsafe(awaited.cancel)
        return True

    def _exit(self, error: SystemExit) -> bool:
        """End a script as `sys.exit` asked. Gives whether that is a good end."""
        if error.code is None or error.code == 0:
            return True
        self._log_error(error, self._statement)
        return False

    def _is_over(self) -> bool:
        return self._is_stopping or self._resets_waiting > 0

    # Pages.

    def _schedule_apply(self) -> None:
        if not self._apply_is_scheduled:
            self._apply_is_scheduled = True
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._apply)

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
                self._log_error(error, self._statement)
            # Only the update that was at work is over.
            self._schedule_apply()
        finally:
            self._log_held()
            self._is_idle, self._is_running = was_idle, was_running

    def _do(self, job: Callable[[], None]) -> None:
        try:
            job()
        except Exception as error:
            self._log_error(error, self._statement)

    def _settle(self) -> None:
        """Apply what is pending, and give tasks a turn."""

        async def settle() -> None:
            self._apply()
            await asyncio.sleep(0)

        with self._user_code():
            self._loop.run_until_complete(settle())

    def _on_observer_failed(self, event: ObserverFailed | HandlerFailed) -> None:
        self._failed_observer = event.error
        self._log_error(event.error, self._statement_of(event.widget_id))

    def _on_front_end_failed(self, event: FrontEndFailed) -> None:
        """The page shows the error itself; this is for whoever watches the terminal. It may come on any thread."""
        said = f"({event.stage[:50]}): {event.message[:1000]}"
        # A terminal obeys what it is sent, and a page may send anything.
        text = "".join(letter if letter.isprintable() else " " for letter in said)
        real = sys.stderr
        if isinstance(real, LogStream):
            real.write_through(f"rdit: widget {event.widget_id} failed in its page {text}\n")

    def _on_value_rounded(self, event: ValueRounded) -> None:
        sys.stderr.write(
            f"rdit: property {event.property!r} of widget {event.widget_id} is beyond 2**53 - 1: JavaScript rounds it\n"
        )

    def _on_value_skipped(self, event: ValueSkipped) -> None:
        sys.stderr.write(
            f"rdit: property {event.property!r} of widget {event.widget_id} has a value without a JSON form "
            f"({event.reason}); pages keep the one before\n"
        )

    def _on_changes_swallowed(self, event: ChangesSwallowed) -> None:
        sys.stderr.write(
            f"rdit: property {event.property!r} of widget {event.widget_id} is set and set back faster than a page "
            "reads, which misses some of it\n"
        )

    def _on_message_dropped(self, event: MessageDropped) -> None:
        with self._lock:
            is_news = event.widget_id not in self._told_of_messages
            self._told_of_messages.add(event.widget_id)
        if is_news:
            sys.stderr.write(
                f"rdit: widget {event.widget_id} sends custom messages, which do not reach pages in base mode\n"
            )

    # Tasks.

    def _make_task(self, loop: asyncio.AbstractEventLoop, coroutine: Any, /, **options: Any) -> asyncio.Future[Any]:
        """Make a task that knows on whose behalf it works: an error that nobody awaits is told in nobody's context."""
        task = asyncio.Task(coroutine, loop=loop, **options)
        self._task_owners[task] = self._owner()
        return task

    def _on_loop_error(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, BaseException):
            task = context.get("task") or context.get("future")
            self._log_error(error, self._task_owners.get(task, self._owner()) if task is not None else self._owner())
        else:
            loop.default_exception_handler(context)

    def _end_tasks(self) -> None:
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        if tasks:
            with contextlib.suppress(KeyboardInterrupt), self._user_code():
                self._loop.run_until_complete(asyncio.wait(tasks, timeout=_CANCEL_S))

    # Reset.

    def _clear(self) -> None:
        """Let go of everything that the last run left, but for threads and imported modules."""
        self._end_tasks()
        self.manager.clear()
        self._close_figures()
        self._let_go_of_module()
        gc.collect()
        with self._lock:
            self._resets_waiting -= 1
            self._begin_again()
            self._statement = None
            self._ordinals.clear()
            self._opened_in.clear()
            self._shown_in.clear()
            self._told_of_messages.clear()
            self._closed_lately.clear()
        self._send_outgoing()

    def _let_go_of_module(self) -> None:
        module, self._module = self._module, None
        if module is not None:
            # Functions of the old run that are still referred to (by a thread) lose their globals, as at exit.
            module.__dict__.clear()

    def _close_figures(self) -> None:
        pyplot = sys.modules.get("matplotlib.pyplot")
        if pyplot is not None:
            with contextlib.suppress(Exception):
                pyplot.close("all")

    # Events.

    def _owner(self) -> int | None:
        """The statement on whose behalf the calling thread works."""
        widget_id = self.manager.applying
        if widget_id is not None:
            return self._statement_of(widget_id)
        return self._statement

    def _on_closed(self, event: WidgetClosed) -> None:
        # Not at once: a handler that closes its own widget may print, and start tasks, after that.
        with self._lock:
            self._closed_lately.append(event.widget_id)
            if len(self._closed_lately) <= _CLOSED_KEPT:
                return
            widget_id = self._closed_lately.popleft()
            self._opened_in.pop(widget_id, None)
            self._shown_in.pop(widget_id, None)
            self._told_of_messages.discard(widget_id)

    def _statement_of(self, widget_id: str) -> int | None:
        with self._lock:
            opened = self._opened_in.get(widget_id, self._statement)
            return self._shown_in.get(widget_id, opened)

    def _next_widget_id(self) -> str:
        """Name a widget `<statement>.<ordinal>`, so that the same script gives the same widgets the same ids."""
        owner = self._owner()
        with self._lock:
            statement = owner or 0
            ordinal = self._ordinals.get(statement, 0)
            self._ordinals[statement] = ordinal + 1
            widget_id = f"{statement}.{ordinal}"
            self._opened_in[widget_id] = owner
            return widget_id

    def _show(self, data: dict[str, Any], metadata: dict[str, Any]) -> None:
        owner = self._owner()
        self._flush_streams()
        reference = data.get(WIDGET_MIME)
        if not isinstance(reference, dict):
            self._log("display", owner, data=data, metadata=metadata)
            return
        widget_id = str(reference.get("model_id"))
        if self.manager.is_displayable(widget_id):
            with self._lock:
                self._shown_in.setdefault(widget_id, owner)
            self._log("widget", owner, widget_id=widget_id)
        else:
            text = str(data.get("text/plain", ""))
            self._log("display", owner, data={"text/plain": f"{text}\n{_NOT_HOSTED}".lstrip()}, metadata={})

    def _log_text(self, owner: int | None, name: str, text: str) -> None:
        self._log("stream", owner, name=name, text=clean_text(text))

    def _log_error(self, error: BaseException, owner: int | None) -> None:
        self._flush_streams()
        if self._is_stopping:
            return
        name, message, trace = map(clean_text, describe(error))
        self._log("error", owner, ename=name, evalue=message, traceback=trace)
        # The terminal from which the server was started sees what a plain run would show.
        real = sys.stderr
        if isinstance(real, LogStream):
            real.write_through(trace)

    def _begin_again(self) -> None:
        """Start the log of another run. Call with the lock held, then `_send_outgoing`."""
        is_output = self.log.is_done or self._reset_is_output
        self._reset_is_output = False
        changed, self._changed = self._changed, []
        event = self.log.begin_again(**({"changed": changed} if changed else {}))
        self.modules.begin_again()
        if is_output:
            self._outgoing.append(event)

    def _log(self, kind: Kind, statement: int | None, **fields: Any) -> None:
        with self._lock:
            if self._resets_waiting:
                return
            is_live = self.log.is_done
            event = self.log.append(kind, statement, **fields)
            if is_live:
                self._outgoing.append(event)
        self._send_outgoing()

    def _send_outgoing(self) -> None:
        # Whoever finds the drain taken leaves its event to the one who is draining; that one looks again after
        # letting go.
        while self._outgoing and self._drain.acquire(blocking=False):
            try:
                while self._outgoing:
                    event = self._outgoing.popleft()
                    self.manager.send_output(event.id, self.encode(event, esm_text=False)[1])
            finally:
                self._drain.release()

    def _flush_streams(self) -> None:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, LogStream):
                stream.flush()

    def _log_held(self) -> None:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, LogStream):
                stream.log_held()

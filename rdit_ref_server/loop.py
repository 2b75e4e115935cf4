"""The kernel's asyncio loop, which lives as long as the kernel.

It runs in the kernel's thread, between jobs and while a statement awaits; never while a plain statement runs. What user
code starts with `asyncio.create_task(...)` goes on whenever it runs, and each task knows on whose behalf it works.
"""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager
from typing import Any, Final

_CANCEL_S: Final = 1.0
"""How long the tasks of an old run get to end after they were cancelled."""


class KernelLoop:
    """The loop of one kernel.

    `wake`, `call_soon` and `cancel_statement` may be called from any thread, the others in the kernel's.
    """

    def __init__(
        self,
        owner: Callable[[], int | None],
        on_error: Callable[[BaseException, int | None], None],
        user_code: Callable[[], AbstractContextManager[None]],
    ) -> None:
        """Make the loop.

        Args:
            owner: gives the statement on whose behalf the calling thread works.
            on_error: told of an error that nobody awaits, and whose it is.
            user_code: to be entered around user code: where interrupts may come.
        """
        self._owner = owner
        self._on_error = on_error
        self._user_code = user_code
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(self._on_loop_error)
        self._loop.set_task_factory(self._make_task)
        self._task_owners: weakref.WeakKeyDictionary[asyncio.Future[Any], int | None] = weakref.WeakKeyDictionary()
        self._woken = asyncio.Event()
        self._awaited: asyncio.Task[Any] | None = None
        self._awaited_was_cancelled = False

    def wake(self) -> None:
        """Let `wait` return: the one that waits, or else the next."""
        self.call_soon(self._woken.set)

    def call_soon(self, callback: Callable[[], object]) -> None:
        """Have something called when the loop runs."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody serves any more
            self._loop.call_soon_threadsafe(callback)

    def wait(self) -> None:
        """Run until somebody says `wake`."""
        waiting = self._loop.create_task(self._woken.wait())
        try:
            with self._user_code():
                self._loop.run_until_complete(waiting)
        finally:
            waiting.cancel()
            self._woken.clear()

    def take_turn(self, first: Callable[[], None]) -> None:
        """Call something in the loop, and give tasks a turn."""

        async def turn() -> None:
            first()
            await asyncio.sleep(0)

        with self._user_code():
            self._loop.run_until_complete(turn())

    def run_statement(self, coroutine: Coroutine[Any, Any, object]) -> object:
        """Run a statement with a top-level `await`. Gives its value, or raises `KeyboardInterrupt` when cancelled."""
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

    def cancel_statement(self) -> bool:
        """Cancel the statement that awaits. Gives whether there is one."""
        awaited = self._awaited
        if awaited is None or awaited.done():
            return False
        self._awaited_was_cancelled = True
        self._loop.call_soon_threadsafe(awaited.cancel)
        return True

    def end_tasks(self) -> None:
        """Cancel all tasks, and let them end."""
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        if tasks:
            with contextlib.suppress(KeyboardInterrupt), self._user_code():
                self._loop.run_until_complete(asyncio.wait(tasks, timeout=_CANCEL_S))

    def end(self) -> None:
        """End tasks and asynchronous generators, and close."""
        self.end_tasks()
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    def close(self) -> None:
        """Close a loop that never ran, or did `end`."""
        self._loop.close()

    def _make_task(self, loop: asyncio.AbstractEventLoop, coroutine: Any, /, **options: Any) -> asyncio.Future[Any]:
        """Make a task that knows on whose behalf it works: an error that nobody awaits is told in nobody's context."""
        task = asyncio.Task(coroutine, loop=loop, **options)
        self._task_owners[task] = self._owner()
        return task

    def _on_loop_error(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, BaseException):
            task = context.get("task") or context.get("future")
            owner = self._task_owners.get(task, self._owner()) if task is not None else self._owner()
            self._on_error(error, owner)
        else:
            loop.default_exception_handler(context)

"""An asyncio loop on a virtual clock: it runs what is ready when it is told to, and never waits.

Deterministic: callbacks in the order in which they were asked for, timers in that of their instants. It is not
`run_forever` that drives it but the front end, batch by batch, between the frames that it carries. So tests stay
synchronous, and may also run inside a loop of their own, which is put back after each batch.

There is no network and no thread in it: what asks for either gets asyncio's `NotImplementedError`.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import itertools
from asyncio import events
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from rdit_harness.clock import VirtualClock

T = TypeVar("T")

_MAX_LAST_BATCHES: Final = 100
"""Batches that cancelled tasks get to end in."""


class VirtualLoop(asyncio.AbstractEventLoop):
    """What coroutines of a simulated page run on.

    Args:
        clock: what time it is.
        on_error: told what a task raised that nobody awaits.
    """

    def __init__(self, clock: VirtualClock, on_error: Callable[[BaseException], object]) -> None:
        self._clock = clock
        self._on_error = on_error
        self._ready: deque[asyncio.Handle] = deque()
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._numbers = itertools.count()
        self._is_running = False
        self._tasks: dict[asyncio.Task[Any], None] = {}

    # What the front end calls.

    def run_ready(self) -> int:
        """Run what is ready now, and the timers that are due. Returns the number of callbacks; 0 from within one."""
        if self._is_running or not (self._ready or self._timers):
            return 0  # Soon: tests ask after every frame, and most have nothing to run.
        while self._timers and self._timers[0][0] <= self._clock.now_s:
            self._ready.append(heapq.heappop(self._timers)[2])
        if not self._ready:
            return 0
        batch, self._ready = self._ready, deque()
        count = 0
        with self._running():
            for handle in batch:
                if not handle.cancelled():
                    handle._run()
                    count += 1
        return count

    @contextmanager
    def _running(self) -> Iterator[None]:
        """Be the loop that runs, and give way to the one before afterwards."""
        before, was_running = events._get_running_loop(), self._is_running
        events._set_running_loop(self)
        self._is_running = True
        try:
            yield
        finally:
            self._is_running = was_running
            events._set_running_loop(before)

    def next_deadline(self) -> float | None:
        """When the next timer is due, in seconds of the clock; None for never."""
        while self._timers and self._timers[0][2].cancelled():
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def cancel_all(self) -> None:
        """End every task that is still there, as the page that it ran on is gone."""
        for _ in range(_MAX_LAST_BATCHES):
            if not self._tasks:
                break
            for task in list(self._tasks):
                task.cancel()
            self.run_ready()
        self._timers.clear()

    def start(self, coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run a coroutine up to its first wait here and now, as a page does, and the rest batch by batch."""
        task = self.create_task(coroutine)
        handle = self._ready.pop()  # Its first step.
        around = asyncio.current_task(self)
        if around is not None:
            asyncio.tasks._leave_task(self, around)
        try:
            with self._running():
                handle._run()
        finally:
            if around is not None:
                asyncio.tasks._enter_task(self, around)
        return task

    def start_alone(self, awaitable: Awaitable[Any]) -> None:
        """Start what nobody awaits: what it raises goes to `on_error`."""

        async def wait() -> None:
            await awaitable

        self.start(wait()).add_done_callback(self._look)

    def _look(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_error(error)

    # What asyncio calls. Its own types bind a callback's arguments, which Python 3.10 has no words for.

    def time(self) -> float:
        """The clock's present instant, in seconds."""
        return self._clock.now_s

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        """Run in the next batch."""
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        """Run when the clock is there."""
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._timers, (when, next(self._numbers), handle))
        return handle

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        """Run so many seconds from now."""
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def create_future(self) -> asyncio.Future[Any]:
        """A future of this loop."""
        return asyncio.Future(loop=self)

    def create_task(self, coro: Coroutine[Any, Any, T] | Generator[Any, None, T], **options: Any) -> asyncio.Task[T]:
        """A task of this loop, from the next batch on."""
        task: asyncio.Task[T] = asyncio.Task(coro, loop=self, **options)
        self._tasks[task] = None
        task.add_done_callback(lambda done: self._tasks.pop(done, None))
        return task

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Told of what nobody looked at."""
        error = context.get("exception")
        self._on_error(error if error is not None else RuntimeError(str(context.get("message"))))

    def is_running(self) -> bool:
        """Whether a callback of it is running."""
        return self._is_running

    def is_closed(self) -> bool:
        """Never: it holds nothing that would have to be closed."""
        return False

    def get_debug(self) -> bool:
        """Never."""
        return False

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Nothing to count: cancelled timers are skipped when their turn comes."""

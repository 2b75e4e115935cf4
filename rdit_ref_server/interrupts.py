"""Stopping user code from outside.

An interrupt is a `KeyboardInterrupt` in the kernel's thread, and it may be raised only while that thread is in the
user's code: in ours it would tear a log entry or a lock apart. So whoever asks for one starts a courier, which knocks
every few milliseconds until the kernel is found at a good moment: the innermost frame that is not the standard
library's decides. A program that does little but print is hardly ever found in its own code, so our streams let an
interrupt through when they are done.

On the main thread the knock is a signal, which also ends `time.sleep` and other waits in C. The signal is SIGURG
where it exists: nobody else uses it and its default is to do nothing, so one that arrives late hurts nobody; and it
cannot be confused with the Ctrl-C of a user who wants the server to end. A kernel in a side thread gets an
asynchronous exception instead, which takes effect at the next bytecode: a wait in C is not cut short.

A statement with a top-level `await` is waiting in the event loop most of the time, where there is no user frame to
raise in. Then its task is cancelled.
"""

from __future__ import annotations

import _thread
import contextlib
import ctypes
import math
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Final

from .tracebacks import is_own, is_standard_library

KNOCK: Final = getattr(signal, "SIGURG", signal.SIGINT)
_KNOCK_EVERY_S: Final = 0.02
ONE_SIGNAL_S: Final = 0.3
"""Two signals to end within this time are one."""
_ASYNCIO: Final = "/asyncio/"
_WAITING: Final = frozenset({"select", "_poll"})
"""Functions in which an event loop waits: `selectors.*.select`, and the proactor's on Windows."""


class Interrupts:
    """Interrupts for one kernel thread."""

    def __init__(self, is_open: Callable[[], bool], is_idle: Callable[[], bool], cancel: Callable[[], bool]) -> None:
        """Make one; it does nothing before `attached`.

        Args:
            is_open: whether whoever runs user code now is prepared for an interrupt. If not, it waits.
            is_idle: whether the kernel waits for work. An interrupt that finds no user code then is spent.
            cancel: cancel what the kernel is awaiting; False when it awaits nothing.
        """
        self._is_open = is_open
        self._is_idle = is_idle
        self._cancel = cancel
        self._turn = 0
        self._wanted: int | None = None
        self._thread_id: int | None = None
        self._by_signal = False

    @contextlib.contextmanager
    def attached(self, on_stop: Callable[[], None] | None = None) -> Iterator[None]:
        """Serve the calling thread.

        Args:
            on_stop: called in a signal handler when the process is asked to end (Ctrl-C, SIGTERM). None leaves these
                signals alone. Only possible on the main thread.
        """
        self._thread_id = threading.get_ident()
        self._by_signal = threading.current_thread() is threading.main_thread()
        with contextlib.ExitStack() as stack:
            if self._by_signal:
                stack.enter_context(_handling(KNOCK, self._knocked))
                if on_stop is not None:
                    stack.enter_context(self._stopping_on_signals(on_stop))
            try:
                yield
            finally:
                self._wanted = self._thread_id = None

    @contextlib.contextmanager
    def _stopping_on_signals(self, on_stop: Callable[[], None]) -> Iterator[None]:
        """Call `on_stop` for Ctrl-C and SIGTERM.

        A handler in Python runs between two bytecodes, so a signal that comes in the instant before a wait in C is not
        seen before that wait is over. Hence a thread besides, which the operating system's handler tells by a byte. It
        is not instead: an event loop of the user's own may take that channel for itself.
        """
        lock = threading.Lock()
        heard = {"handler": 0, "listener": 0}
        told, told_s = 0, -math.inf

        def tell(way: str) -> None:
            # Both ways lead here, at about the same time, or much later when user code waits in C: a signal is one that
            # this way has not heard of before the other. A script that cleans up after one interrupt must not be
            # disturbed by its twin; whoever finds the other at it has nothing to add.
            nonlocal told, told_s
            heard[way] += 1
            if lock.acquire(blocking=False):
                is_news = heard[way] > told and time.monotonic() - told_s > ONE_SIGNAL_S
                told = max(told, heard[way])
                if is_news:
                    told_s = time.monotonic()
                lock.release()
                if is_news:
                    on_stop()

        def interrupted(frame: FrameType | None) -> None:
            # Where there is no SIGURG one signal serves both; who is expected is let in first.
            if KNOCK == signal.SIGINT and self._is_wanted():
                self._knocked(frame)
            else:
                tell("handler")

        def listen() -> None:
            while received := receiver.recv(64):
                if signal.SIGTERM in received or (signal.SIGINT in received and signal.SIGINT != KNOCK):
                    tell("listener")

        receiver, sender = socket.socketpair()
        sender.setblocking(False)
        with receiver, _handling(signal.SIGTERM, lambda _: tell("handler")), _handling(signal.SIGINT, interrupted):
            before = signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)
            listener = threading.Thread(target=listen, name="rdit-signals", daemon=True)
            listener.start()
            try:
                yield
            finally:
                signal.set_wakeup_fd(before)
                sender.close()
                listener.join()

    @property
    def turn(self) -> int:
        """The number of the job that runs or ran last."""
        return self._turn

    def next_turn(self) -> None:
        """Another job begins: an interrupt that was meant for one before is spent."""
        self._turn += 1

    def request(self, turn: int | None = None) -> None:
        """Interrupt what runs. May be called from any thread and from signal handlers: it takes no lock.

        Args:
            turn: the job that is meant; nothing happens when another has begun. Default: the present one.
        """
        self._wanted = self._turn if turn is None else turn
        _thread.start_new_thread(self._deliver, ())

    def raise_if_wanted(self) -> None:
        """Let an interrupt through that found the kernel in our code. For the end of what user code calls much."""
        if self._is_wanted() and threading.get_ident() == self._thread_id and self._is_open():
            self._wanted = None
            raise KeyboardInterrupt

    def _is_wanted(self) -> bool:
        return self._wanted == self._turn

    def _deliver(self) -> None:
        while self._is_wanted():
            thread_id = self._thread_id
            if thread_id is None:
                return
            if self._by_signal:
                _send_signal(thread_id)
            else:
                frame = sys._current_frames().get(thread_id)
                if self._settle(frame):
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(
                        ctypes.c_ulong(thread_id), ctypes.py_object(KeyboardInterrupt)
                    )
            time.sleep(_KNOCK_EVERY_S)

    def _knocked(self, frame: FrameType | None) -> None:
        if self._is_wanted() and self._settle(frame):
            raise KeyboardInterrupt

    def _settle(self, frame: FrameType | None) -> bool:
        """Say whether to raise now; spend the request if it can be settled otherwise."""
        is_open = self._is_open()
        if is_open and _is_in_user_code(frame):
            self._wanted = None
            return True
        if self._is_idle() or (is_open and self._cancel()):
            self._wanted = None
        return False


@contextlib.contextmanager
def _handling(number: int, handler: Callable[[FrameType | None], None]) -> Iterator[None]:
    before = signal.signal(number, lambda _, frame: handler(frame))
    try:
        yield
    finally:
        # None stands for a handler that was not set from Python, which Python cannot set again.
        signal.signal(number, signal.SIG_DFL if before is None else before)


def _send_signal(thread_id: int) -> None:
    try:
        if hasattr(signal, "pthread_kill"):
            signal.pthread_kill(thread_id, KNOCK)
        else:
            signal.raise_signal(KNOCK)
    except ProcessLookupError:
        # The thread is gone, and with it what was to be interrupted.
        pass


def _is_in_user_code(frame: FrameType | None) -> bool:
    is_waiting = frame is not None and frame.f_code.co_name in _WAITING
    while frame is not None:
        filename = frame.f_code.co_filename
        if not is_standard_library(filename):
            return not is_own(filename)
        if _ASYNCIO in filename.replace("\\", "/") and not is_waiting:
            # A loop of the user's own (`asyncio.run`) is as easily torn as we are, but for where it waits.
            return False
        frame = frame.f_back
    return False

"""How a command ends: pages hear why, and user code that does not stop is left."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Final

import uvicorn

from .kernel import Kernel
from .server_log import tell

CLOSE_S: Final = 2
"""How long open connections may take to end."""

GRACE_S: Final = 3.0
"""How long user code may take to give the main thread back once the server was told to end."""

_LAST_WORD_S: Final = 0.5
"""How long the last line of the log may take, when the script is left."""

_TOLD_S: Final = 1.0
"""How long pages may take to hear that the server ends; who does not read has no more."""

_LOOK_S: Final = 0.01
"""How often is asked whether they have."""

INTERRUPTED: Final = 130
"""What shells say of a command that Ctrl-C ended: `rdit export`, and `rdit serve` at a second one."""

SCRIPT_LEFT: Final = "the script does not stop; leaving it"


def say_farewell(kernel: Kernel, server: uvicorn.Server) -> Callable[[], None]:
    """Make what lets pages go while user code may still be running: they hear why, and that they may come back."""

    def farewell() -> None:
        kernel.let_pages_go()
        wait_for_none(kernel.count_pages)
        server.should_exit = True  # Stops listening; new connections are refused by now.
        tell(logging.INFO, "stopping", "stopping")

    # A thread: this begins in a signal handler, which may have interrupted whoever holds a lock.
    return lambda: threading.Thread(target=farewell, name="rdit-farewell", daemon=True).start()


def wait_for_none(count_open: Callable[[], int]) -> None:
    """Let pages hear why they are let go: the web server closes what is still open, without a reason of ours."""
    give_up_s = time.monotonic() + _TOLD_S
    while count_open() and time.monotonic() < give_up_s:
        time.sleep(_LOOK_S)


def leave_after(seconds: float, say: Callable[[], None], status: int = 0) -> Callable[[], None]:
    """Make what ends the process when user code (or a thread of it) does not let it end."""

    def begin() -> None:
        due = threading.Event()

        def tell_in_time() -> None:
            due.wait()
            say()

        def leave() -> None:
            time.sleep(seconds)
            due.set()
            telling.join(_LAST_WORD_S)
            os._exit(status)

        # A thread of its own: nobody may read what we write any more, and then it would wait. It is there beforehand,
        # since an interpreter that is ending makes none. Both are daemons: when all is well the process ends first.
        telling = threading.Thread(target=tell_in_time, name="rdit-last-word", daemon=True)
        telling.start()
        threading.Thread(target=leave, name="rdit-leave", daemon=True).start()

    return begin

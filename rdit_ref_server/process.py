"""What a process has only one of, and its kernels therefore take for themselves: `sys.stdout` and `sys.stderr`,
`sys.displayhook`, `sys.argv`, the front of `sys.path`, `sys.modules["__main__"]`, `input`, IPython's shell, and how
long a thread may keep the interpreter to itself.

The first kernel takes them, the last gives them back. Kernels that share a process are told apart by the thread that
speaks: each has its own, and a thread belongs to the kernel of the thread that started it. What no kernel's thread says
(a thread that was not made with `threading`) belongs to the only kernel of a process, and to nobody where there are
several.

Not proud of: all of these are replaced for everybody in the process. Kernels that share it have one `__main__` in
`sys.modules`, that of the last run, so that pickling a class of the script works in one of them only; and one set of
matplotlib figures.
"""

from __future__ import annotations

import builtins
import contextlib
import getpass
import logging
import sys
import threading
import types
import weakref
from collections.abc import Callable, Iterator
from typing import Any, Final, NoReturn

from IPython.core.error import StdinNotImplementedError

from .output import Output
from .owners import Owners
from .script import MAIN, Script
from .shell import ScriptShell
from .streams import Gatherer, LogStream, flush_streams


class Tenant:
    """One kernel, as the process knows it."""

    def __init__(self, output: Output, owners: Owners, after_write: Callable[[], None], *, is_alone: bool) -> None:
        """Describe one.

        Args:
            output: where its displays and text go.
            owners: whose text it is.
            after_write: called after each write to a stream; may raise, as an interrupt does.
            is_alone: whether it wants the process for itself.
        """
        self.output = output
        self.owners = owners
        self.after_write = after_write
        self.is_alone = is_alone
        self.main: types.ModuleType | None = None
        """Its script's module."""

    @property
    def is_speaking(self) -> bool:
        """Whether the calling thread is one of this kernel's."""
        return _speaking() is self


_Owner = tuple[Tenant, "int | None"]

_lock: Final = threading.Lock()
_tenants: Final[list[Tenant]] = []
_of_thread: Final[weakref.WeakKeyDictionary[threading.Thread, Tenant]] = weakref.WeakKeyDictionary()
_given_back: Final = contextlib.ExitStack()

_SWITCH_S: Final = 0.0005
"""After how long a thread that waits for the interpreter asks for it, in seconds. By default it is ten times as long,
and each system call of the thread that has it begins the wait anew: beside a script that looks for a file every 2 ms
the server would wait for seconds."""

_shell: ScriptShell | None = None


@contextlib.contextmanager
def taken_over(tenant: Tenant) -> Iterator[ScriptShell]:
    """Take over the process for a kernel whose thread is the calling one, and give it back. Gives its shell.

    Raises:
        RuntimeError: the process has an IPython shell already, or a kernel, and one of both wants it for itself.
    """
    global _shell
    thread = threading.current_thread()
    with _lock:
        if _shell is not None and (tenant.is_alone or any(one.is_alone for one in _tenants)):
            raise RuntimeError("IPython allows one shell per process, so a process has one kernel at a time")
        if _shell is None:
            _shell = _take()
        shell = _shell
        _tenants.append(tenant)
        _of_thread[thread] = tenant
    try:
        yield shell
    finally:
        with _lock:
            flush_streams()
            _tenants.remove(tenant)
            _of_thread.pop(thread, None)
            if not _tenants:
                _shell = None
                _given_back.close()
            elif sys.modules[MAIN] is tenant.main:
                _show_main(next((one.main for one in _tenants if one.main is not None), None), shell)


def _take() -> ScriptShell:
    stdout, stderr, hook, argv, path = sys.stdout, sys.stderr, sys.displayhook, sys.argv, sys.path[:]
    main, ask, ask_secretly, start = sys.modules[MAIN], builtins.input, getpass.getpass, threading.Thread.start
    switch_s = sys.getswitchinterval()
    sys.setswitchinterval(min(switch_s, _SWITCH_S))
    shell = ScriptShell.open(_Publishing())
    gatherer = Gatherer()
    out = LogStream[_Owner]("stdout", stdout, _owner, _emit, _after_write, wait=gatherer.wait)
    err = LogStream[_Owner]("stderr", stderr, _owner, _emit, _after_write, after=out, wait=gatherer.wait)
    sys.stdout, sys.stderr = out, err
    gatherer.start(out, err)
    sys.displayhook = shell.displayhook
    builtins.input, getpass.getpass = _nobody_answers("input", ask), _nobody_answers("getpass", ask_secretly)
    threading.Thread.start = _noting(start)  # type: ignore[method-assign, assignment]
    # What the core logs we show where it happened; logged besides, it would be printed into the page.
    silence = logging.NullHandler()
    logging.getLogger("rdit").addHandler(silence)

    def give_back() -> None:
        gatherer.close()
        logging.getLogger("rdit").removeHandler(silence)
        threading.Thread.start = start  # type: ignore[method-assign]
        builtins.input, getpass.getpass = ask, ask_secretly
        sys.stdout, sys.stderr, sys.displayhook, sys.argv, sys.path[:] = stdout, stderr, hook, argv, path
        sys.modules[MAIN] = main
        sys.setswitchinterval(switch_s)
        shell.close()

    _given_back.callback(give_back)
    return shell


def _speaking() -> Tenant | None:
    tenant = _of_thread.get(threading.current_thread())
    return _tenants[0] if tenant is None and len(_tenants) == 1 and _tenants[0].is_alone else tenant


def _owner() -> _Owner | None:
    tenant = _speaking()
    return None if tenant is None else (tenant, tenant.owners.here())


def _emit(owner: _Owner | None, name: str, text: str) -> None:
    if owner is not None:
        tenant, statement = owner
        tenant.output.text(statement, name, text)


def _after_write() -> None:
    tenant = _speaking()
    if tenant is not None:
        tenant.after_write()


class _Publishing:
    """What the shell shows goes to the kernel whose thread shows it."""

    def show(self, data: dict[str, Any], metadata: dict[str, Any], display_id: str | None) -> None:
        if tenant := _speaking():
            tenant.output.show(data, metadata, display_id)

    def update(self, display_id: str, data: dict[str, Any], metadata: dict[str, Any]) -> None:
        if tenant := _speaking():
            tenant.output.update(display_id, data, metadata)

    def clear(self, *, wait: bool) -> None:
        if tenant := _speaking():
            tenant.output.clear(wait=wait)

    def show_error(self, error: BaseException) -> None:
        if tenant := _speaking():
            tenant.output.error(error, tenant.owners.here())


def _noting(start: Callable[[threading.Thread], None]) -> Callable[[threading.Thread], None]:
    """Make a `Thread.start` that notes whose thread it is."""

    def noting(thread: threading.Thread) -> None:
        tenant = _of_thread.get(threading.current_thread())
        if tenant is not None:
            _of_thread[thread] = tenant
            # A thread of asyncio's pool works for many statements.
            if not thread.name.startswith("asyncio_"):
                tenant.owners.thread_starts(thread)
        start(thread)

    return noting


def _nobody_answers(name: str, ask: Callable[..., str]) -> Callable[..., str]:
    """Make an `input` that fails at once in a kernel's threads: whoever looks at the page cannot answer it, and a
    kernel that waits for the terminal is deaf to every page.
    """

    def refuse() -> NoReturn:
        raise StdinNotImplementedError(
            f"{name}() has nobody to ask: a page is no terminal. Take the value from a widget, from sys.argv "
            "(rdit serve SCRIPT.py -- ARGS), or from the environment."
        )

    def input(*args: Any, **options: Any) -> str:
        return ask(*args, **options) if _speaking() is None else refuse()

    return input


def become_main(script: Script, module: types.ModuleType) -> None:
    """Make the process look as it does to the main module of `python script.py`."""
    tenant = _speaking()
    if tenant is not None:
        tenant.main = module
    _show_main(module, _shell)
    sys.argv = script.argv
    if script.directory in sys.path:
        sys.path.remove(script.directory)
    sys.path.insert(0, script.directory)


def _show_main(module: types.ModuleType | None, shell: ScriptShell | None) -> None:
    if module is not None and shell is not None:
        sys.modules[MAIN] = module
        shell.use_module(module)


def close_figures() -> None:
    """Close matplotlib's figures, if somebody imported it: pyplot keeps them for the process. Those of kernels that
    share the process stay, since nobody knows whose they are.
    """
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None and len(_tenants) == 1:
        with contextlib.suppress(Exception):
            pyplot.close("all")

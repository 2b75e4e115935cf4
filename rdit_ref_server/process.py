"""What a process has only one of, and a kernel therefore takes for itself: `sys.stdout` and `sys.stderr`,
`sys.displayhook`, `sys.argv`, the front of `sys.path`, `sys.modules["__main__"]` and IPython's shell.

Not proud of: all of these are replaced for everybody in the process, which is why it has one kernel at a time.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import types
from collections.abc import Callable, Iterator

from .output import Output
from .owners import Owners
from .script import MAIN, Script
from .shell import ScriptShell
from .streams import LogStream, flush_streams


@contextlib.contextmanager
def taken_over(output: Output, owners: Owners, after_write: Callable[[], None]) -> Iterator[ScriptShell]:
    """Take over the process, and give it back. Gives its shell.

    Args:
        output: where displays and text go.
        owners: whose text it is.
        after_write: called after each write to a stream; may raise, as an interrupt does.

    Raises:
        RuntimeError: the process has an IPython shell already.
    """
    stdout, stderr, hook, argv, path = sys.stdout, sys.stderr, sys.displayhook, sys.argv, sys.path[:]
    main = sys.modules[MAIN]
    shell = ScriptShell.open(output.show, lambda error: output.error(error, owners.here()))
    sys.stdout = LogStream("stdout", stdout, owners.here, output.text, after_write)
    sys.stderr = LogStream("stderr", stderr, owners.here, output.text, after_write)
    sys.displayhook = shell.displayhook
    # What the core logs we show where it happened; logged besides, it would be printed into the page.
    silence = logging.NullHandler()
    logging.getLogger("rdit").addHandler(silence)
    try:
        yield shell
    finally:
        logging.getLogger("rdit").removeHandler(silence)
        flush_streams()
        sys.stdout, sys.stderr, sys.displayhook, sys.argv, sys.path[:] = stdout, stderr, hook, argv, path
        sys.modules[MAIN] = main
        shell.close()


def become_main(script: Script, module: types.ModuleType) -> None:
    """Make the process look as it does to the main module of `python script.py`."""
    sys.modules[MAIN] = module
    sys.argv = script.argv
    if script.directory in sys.path:
        sys.path.remove(script.directory)
    sys.path.insert(0, script.directory)


def close_figures() -> None:
    """Close matplotlib's figures, if somebody imported it: pyplot keeps them for the process."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        with contextlib.suppress(Exception):
            pyplot.close("all")

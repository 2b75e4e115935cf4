"""IPython, told where to display.

IPython's `InteractiveShell` is here for what it does well: turning a value into a MIME bundle, `display()`, and being
the shell that libraries look for before they show anything rich. It does not run the code (see `kernel`), keeps no
history, reads no configuration and writes nothing outside a temporary directory of its own. Names that a plain
`python script.py` does not have (`In`, `Out`, `exit` as an object) stay out of the script's namespace; `display` is a
builtin, as IPython makes it.
"""

from __future__ import annotations

import atexit
import base64
import contextlib
import math
import os
import sys
import tempfile
import types
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, Final, cast

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.formatters import DisplayFormatter
from IPython.core.interactiveshell import InteractiveShell
from traitlets import Type
from traitlets.config import Config

INLINE_BACKEND: Final = "module://matplotlib_inline.backend_inline"

_MAX_DEPTH: Final = 200
"""Deeper nesting than this in a MIME bundle is cut off."""

Show = Callable[[dict[str, Any], dict[str, Any]], None]
"""Takes a MIME bundle and its metadata, both JSON-clean."""
ShowError = Callable[[BaseException], None]


class _Publisher(DisplayPublisher):
    """Where `display()` ends."""

    def publish(self, data: dict[str, Any], metadata: dict[str, Any] | None = None, *_: Any, **__: Any) -> None:
        cast(ScriptShell, self.shell).show(data, metadata or {})

    def clear_output(self, wait: bool = False) -> None:
        """Do nothing: what was shown stays in the log."""


class _Hook(DisplayHook):
    """Where `sys.displayhook(value)` ends: no prompt, no `Out`, no `_`."""

    def __call__(self, result: object = None) -> None:
        cast(ScriptShell, self.shell).show_value(result)


class ScriptShell(InteractiveShell):
    """The shell of one kernel. IPython allows one per process at a time: make it with `open`, end it with `close`."""

    displayhook_class = Type(_Hook)
    display_pub_class = Type(_Publisher)

    _show: Show
    _show_error: ShowError
    _directory: tempfile.TemporaryDirectory[str]

    @classmethod
    def open(cls, show: Show, show_error: ShowError) -> ScriptShell:
        """Make the process's shell.

        Args:
            show: called for everything that is displayed, on the thread that displays.
            show_error: called when making a representation raises.

        Raises:
            RuntimeError: the process has an IPython shell already.
        """
        if InteractiveShell.initialized():
            raise RuntimeError("IPython allows one shell per process, so a process has one kernel at a time")
        if find_spec("matplotlib_inline") is not None:
            # Read when pyplot is first imported; a backend that the user chose is left alone.
            os.environ.setdefault("MPLBACKEND", INLINE_BACKEND)
        directory = tempfile.TemporaryDirectory(prefix="rdit-ipython-", ignore_cleanup_errors=True)
        config = Config()
        config.HistoryManager.enabled = False
        config.HistoryManager.hist_file = ":memory:"
        config.InteractiveShell.cache_size = 0
        try:
            shell = cls.instance(config=config, ipython_dir=directory.name)
        except BaseException:
            directory.cleanup()
            raise
        shell._directory = directory
        shell._show = show
        shell._show_error = show_error
        # matplotlib-inline does so too, but for the first shell of a process only.
        pictures = cast(DisplayFormatter, shell.display_formatter).formatters["image/png"]
        pictures.for_type_by_name("matplotlib.figure", "Figure", _draw)
        return shell

    def close(self) -> None:
        """Give the process back as it was, but for IPython's builtins."""
        with contextlib.suppress(Exception):
            self.atexit_operations()  # type: ignore[no-untyped-call]  # IPython has types in part
        atexit.unregister(self.atexit_operations)
        type(self).clear_instance()
        self._directory.cleanup()

    def use_module(self, module: types.ModuleType) -> None:
        """Let magics and completions see this module's names."""
        self.user_module = module
        self.user_ns = module.__dict__

    def show(self, data: dict[str, Any], metadata: dict[str, Any]) -> None:
        """Hand on a MIME bundle."""
        if data:
            self._show(json_clean(data), json_clean(metadata))

    def show_value(self, value: object) -> None:
        """Display a value unless it is None. Runs the value's own representation methods."""
        if value is None:
            return
        data, metadata = cast(DisplayFormatter, self.display_formatter).format(value)
        self.show(data, metadata)

    # What IPython would do and a script's shell must not.

    def init_virtualenv(self) -> None:
        """Leave `sys.path` alone."""

    def init_sys_modules(self) -> None:
        """Leave `sys.modules["__main__"]` to the kernel."""

    def init_user_ns(self) -> None:
        """Add no names to the script's."""

    def init_prompts(self) -> None:
        """Set no `sys.ps1`: nobody types here, and libraries ask for it to find out."""

    def init_logstart(self) -> None:
        """Log nothing to a file."""

    def enable_gui(self, gui: str | None = None) -> None:
        """Start no GUI event loop."""

    def showtraceback(self, exc_tuple: Any = None, *_: Any, **__: Any) -> None:
        """Hand on an exception that IPython caught, as in a `_repr_html_`."""
        error = sys.exc_info()[1] if exc_tuple is None else exc_tuple[1]
        if isinstance(error, BaseException):
            self._show_error(error)

    def showsyntaxerror(self, *_: Any, **__: Any) -> None:
        """Hand on a syntax error that IPython caught, as in a magic."""
        self.showtraceback()


def _draw(figure: Any) -> bytes | None:
    from IPython.core.pylabtools import print_figure

    return cast("bytes | None", print_figure(figure, fmt="png"))


def json_clean(value: Any, depth: int = 0) -> Any:
    """Turn what representation methods return into JSON: bytes to base64 text, non-finite numbers to None.

    Anything else that JSON does not know is shown as its text.
    """
    if value is None or isinstance(value, (bool, int)):
        # Also numpy's, and `IntEnum`: JSON wants the plain number.
        return value if value is None or isinstance(value, bool) else int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return base64.b64encode(value).decode("ascii")
    if depth < _MAX_DEPTH:
        if isinstance(value, dict):
            return {clean_text(str(key)): json_clean(item, depth + 1) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [json_clean(item, depth + 1) for item in value]
        item = getattr(value, "item", None)
        if callable(item) and getattr(value, "ndim", None) == 0:
            return json_clean(item(), depth + 1)
    return clean_text(str(value))


def clean_text(text: str) -> str:
    r"""Text that can be encoded: lone surrogates (undecodable file names) become `\udc..`."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode()
    # A subclass of str (markupsafe, numpy) goes out as plain text.
    return str(text) if type(text) is not str else text

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
from importlib.util import find_spec
from typing import Any, Final, Protocol, cast

from IPython.core.display_functions import DisplayHandle
from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.formatters import DisplayFormatter
from IPython.core.interactiveshell import InteractiveShell
from traitlets import Type
from traitlets.config import Config

INLINE_BACKEND: Final = "module://matplotlib_inline.backend_inline"

_MAX_DEPTH: Final = 200
"""Deeper nesting than this in a MIME bundle is cut off."""


class Publishing(Protocol):
    """Where the shell shows things: called on the thread that shows. Bundles and their metadata are JSON-clean."""

    def show(self, data: dict[str, Any], metadata: dict[str, Any], display_id: str | None) -> None:
        """Show a MIME bundle, under an id by which it can be updated, if it has one."""

    def update(self, display_id: str, data: dict[str, Any], metadata: dict[str, Any]) -> None:
        """Show another bundle in the place of what has this id."""

    def clear(self, *, wait: bool) -> None:
        """Show no more what the statement showed, now or when something else comes."""

    def show_error(self, error: BaseException) -> None:
        """Show that making a representation raised."""


class _Publisher(DisplayPublisher):
    """Where `display()` ends."""

    def publish(
        self,
        data: dict[str, Any],
        metadata: dict[str, Any] | None = None,
        *_: Any,
        transient: dict[str, Any] | None = None,
        update: bool = False,
        **__: Any,
    ) -> None:
        display_id = (transient or {}).get("display_id")
        cast(ScriptShell, self.shell).show(
            data, metadata or {}, None if display_id is None else clean_text(str(display_id)), update=update
        )

    def clear_output(self, wait: bool = False) -> None:
        cast(ScriptShell, self.shell).publishing.clear(wait=bool(wait))


class _Hook(DisplayHook):
    """Where `sys.displayhook(value)` ends: no prompt, no `Out`, no `_`."""

    def __call__(self, result: object = None) -> None:
        cast(ScriptShell, self.shell).show_value(result)


class ScriptShell(InteractiveShell):
    """The shell of one kernel. IPython allows one per process at a time: make it with `open`, end it with `close`."""

    displayhook_class = Type(_Hook)
    display_pub_class = Type(_Publisher)

    publishing: Publishing
    _directory: tempfile.TemporaryDirectory[str]

    @classmethod
    def open(cls, publishing: Publishing) -> ScriptShell:
        """Make the process's shell.

        Args:
            publishing: told of everything that is displayed.

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
        shell.publishing = publishing
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

    def show(
        self, data: dict[str, Any], metadata: dict[str, Any], display_id: str | None = None, *, update: bool = False
    ) -> None:
        """Hand on a MIME bundle."""
        if not data:
            return
        if update and display_id is not None:
            self.publishing.update(display_id, json_clean(data), json_clean(metadata))
        else:
            self.publishing.show(json_clean(data), json_clean(metadata), display_id)

    def show_value(self, value: object) -> None:
        """Display a value unless it is None or a handle. Runs the value's own representation methods."""
        if value is None or isinstance(value, DisplayHandle):
            # A handle is what `display(..., display_id=...)` gives, which has shown what it had to show.
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
            self.publishing.show_error(error)

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

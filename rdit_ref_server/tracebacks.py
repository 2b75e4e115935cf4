"""An exception as plain text, as the user's own interpreter would print it.

Frames of the machinery that ran the code (this server, the core, IPython, and the standard library's event loop in
front of the user's first frame) are left out, in every exception of a chain. No colours.
"""

from __future__ import annotations

import os
import sysconfig
import traceback
from pathlib import Path
from types import TracebackType

import IPython

import rdit_core


def _folders(*folders: str | Path) -> tuple[str, ...]:
    """Each folder as it is spelled and as it really is, since code objects may remember either."""
    spelled = [Path(folder) for folder in folders]
    return tuple(f"{path.as_posix()}/" for path in (*spelled, *(path.resolve() for path in spelled)))


_OWN = _folders(Path(__file__).parent, Path(rdit_core.__file__ or "").parent)
_OWN_TESTS = tuple(f"{folder}tests/" for folder in _OWN)
_IPYTHON = _folders(Path(IPython.__file__ or "").parent)
_STANDARD = _folders(sysconfig.get_path("stdlib"), Path(os.__file__).parent)
_SITE = tuple(f"{folder}{name}/" for folder in _STANDARD for name in ("site-packages", "dist-packages"))


def is_own(filename: str) -> bool:
    """Whether code of this file belongs to the server or the core."""
    path = filename.replace("\\", "/")
    return path.startswith(_OWN) and not path.startswith(_OWN_TESTS)


def is_machinery(filename: str) -> bool:
    """Whether code of this file belongs to rdit or to IPython rather than to the user."""
    return is_own(filename) or filename.replace("\\", "/").startswith(_IPYTHON)


def is_standard_library(filename: str) -> bool:
    """Whether code of this file is the standard library's."""
    path = filename.replace("\\", "/")
    return path.startswith("<frozen ") or (path.startswith(_STANDARD) and not path.startswith(_SITE))


def describe(error: BaseException) -> tuple[str, str, str]:
    """Name, message and full text of an exception: what an `error` event holds."""
    try:
        message = str(error)
    except Exception:
        message = "<the exception's text could not be made>"
    return type(error).__name__, message, format_exception(error)


def format_exception(error: BaseException) -> str:
    """The text that `python script.py` would print for this exception, with a newline at its end."""
    try:
        described = traceback.TracebackException(type(error), error, _from_user_frame(error.__traceback__))
        _leave_out_machinery(described, set())
        is_linked = described.__cause__ or (described.__context__ and not described.__suppress_context__)
        if not described.stack and not is_linked:
            # Nothing ran, as with a syntax error of the script's own: no "Traceback (most recent call last)".
            return "".join(described.format_exception_only())
        return "".join(described.format())
    except Exception:
        # `__str__`, `__cause__` and source lookup are the user's code too.
        return f"{type(error).__name__}: <the exception could not be described>\n"


def _from_user_frame(trace: TracebackType | None) -> TracebackType | None:
    """Skip what led to the user's first frame, the event loop of the standard library included."""
    start = trace
    while start is not None:
        filename = start.tb_frame.f_code.co_filename
        if not is_machinery(filename) and not is_standard_library(filename):
            return start
        start = start.tb_next
    # No user frame at all, as in `asyncio.create_task(asyncio.wait_for(...))`: better all than nothing.
    return trace


def _leave_out_machinery(described: traceback.TracebackException, seen: set[int]) -> None:
    if id(described) in seen:
        return
    seen.add(id(described))
    described.stack[:] = [frame for frame in described.stack if not is_machinery(frame.filename)]
    for linked in (described.__cause__, described.__context__):
        if linked is not None:
            _leave_out_machinery(linked, seen)
    # Members of an exception group: Python 3.11 and newer.
    for member in getattr(described, "exceptions", None) or []:
        _leave_out_machinery(member, seen)

"""Hot reload: what is saved on disk takes over.

**Widget code.** A new text of a file that a widget has its module or style from goes to the widget, and from there to
every page that shows it, in place and with the state (`WidgetManager.reload_code`).

**Python.** A save of the script, or of a module that it imported from its own directory, runs the script again, in a
fresh namespace and with fresh widgets, as the page's Restart does. What pages had set is not set again: that would run
observers a second time, on data that may not be what it was. When it was a module, all modules of that directory are
imported again, for they may hold parts of each other; when it was the script alone they stay, so that what is slow to
load can be put into one. While the last run ended in an error, any Python file beside those counts: it may be the one
that could not be imported, or that was missing.

**Threads.** One thread watches (`watchfiles`), and reads Python files. Widgets' files are read, and everything is
changed, in the kernel's thread.

**Contents, not events.** Editors save in many ways: in place, by renaming another file over it, by way of a link. So
the directories are watched, and an event that concerns us only says that it is time to look; what is done follows from
what is in the files. That also finds what changed before anybody watched.

**The old code stays** when there is nothing better: a file that is gone or cannot be read, Python that does not parse.
That is said on the terminal and in the page; of a file that does not come back only after a moment, since a save may
be just that: gone, and there again.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import importlib.util
import logging
import os
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import watchfiles

from .kernel import Kernel
from .script import Script
from .streams import terminal_only

_LOOK_MS: Final = 500
"""How often the thread comes by when nothing happens: to see what else there is to watch, and what stayed away."""

_STOP_S: Final = 2.0
"""How long the end of the watching is waited for."""

_INSTALLED: Final = frozenset({"site-packages", "dist-packages"})


class _Unusable(Exception):
    """A file has nothing that could take over; the text says why, as the rest of a sentence about it."""


class Reloader:
    """Watches the files that a kernel's script is made of, from `start` to `stop`.

    Make it before the script runs first: what is imported by then is not the script's. A process needs one.
    """

    def __init__(self, kernel: Kernel, script: Script) -> None:
        self._kernel = kernel
        self._script = script
        self._main = Path(script.filename)
        self._not_own = frozenset(name.partition(".")[0] for name in sys.modules)
        """Packages that were there before the script, or that the process itself needs."""
        self._thread: threading.Thread | None = None
        self._off: list[Callable[[], None]] = []
        self._is_over = threading.Event()
        self._is_polling = False

        # The thread's own.
        self._sources = {self._main}
        """The script, and the files of modules that it ever imported from its directory."""
        self._seen: dict[Path, bytes] = {}
        """What was in them when we last looked."""
        self._changed: set[Path] = set()
        """Those that are not as the run knows them."""
        self._is_news = False
        """Whether one of them changed since we last tried to run."""
        self._files: frozenset[Path] = frozenset()
        """Those, and the files of widgets."""
        self._names: frozenset[str] = frozenset()
        self._began_s = time.time()
        """When the run began that we know of."""
        self._modules_counted = 0
        self._had_failed = False
        self._is_asking_due = True
        self._python_complaints = _Complaints()
        with contextlib.suppress(OSError):
            self._seen[self._main] = self._main.read_bytes()

        # The kernel's thread's own.
        self._code_complaints = _Complaints()
        self._is_renewal_due = False
        self._is_quiet = False
        """Whether what is waited for in vain is to be said."""

    def start(self) -> None:
        """Begin to watch, in a thread of its own."""
        # At DEBUG it would write of every look into a page whose script asks for all there is to log.
        logging.getLogger("watchfiles").setLevel(logging.WARNING)
        self._off = [self._kernel.manager.on(event, self._ask_again) for event in ("opened", "closed")]
        self._thread = threading.Thread(target=self._run, name="rdit-reload", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread. A second call does nothing."""
        self._is_over.set()
        thread, self._thread = self._thread, None
        if thread is not None:
            for off in self._off:
                off()
            thread.join(_STOP_S)

    # Watching.

    def _run(self) -> None:
        with terminal_only():
            while not self._is_over.is_set():
                self._ask()
                try:
                    self._watch(self._directories())
                except FileNotFoundError:
                    # A directory went away since we asked; its parent is next.
                    self._is_over.wait(_LOOK_MS / 1000)
                except (OSError, RuntimeError) as error:
                    if not self._is_polling:
                        self._kernel.tell_terminal(
                            f"rdit: this system does not tell of changed files ({error}); looking for them instead"
                        )
                    self._is_polling = True
                    self._is_over.wait(_LOOK_MS / 1000)

    def _watch(self, directories: frozenset[Path]) -> None:
        """Look whenever something happens in these directories, until they are not the right ones any more."""

        def is_lost(change: watchfiles.Change, path: str) -> bool:
            return change is watchfiles.Change.deleted and Path(path) in directories

        changes = watchfiles.watch(
            *directories,
            watch_filter=lambda change, path: self._concerns(path) or is_lost(change, path),
            stop_event=self._is_over,
            rust_timeout=_LOOK_MS,
            yield_on_timeout=True,
            raise_interrupt=False,
            recursive=False,
            ignore_permission_denied=True,
            # Otherwise as the environment says (WATCHFILES_FORCE_POLLING).
            force_polling=self._is_polling or None,
        )
        with contextlib.closing(changes):
            is_first = True
            for batch in changes:
                # At first for what changed before this watch began.
                if batch or is_first:
                    is_first = False
                    self._look()
                else:
                    self._look_again()
                if self._ask():
                    # Until now nobody would have heard of a change of theirs.
                    self._look()
                # One that was removed is watched no more, though there may be another of its name.
                if self._directories() != directories or any(is_lost(*one) for one in batch):
                    return

    def _concerns(self, path: str) -> bool:
        return path.endswith(".py") or os.path.basename(path) in self._names  # noqa: PTH119 - once per event

    def _ask_again(self, event: object) -> None:
        self._is_asking_due = True

    def _ask(self) -> bool:
        """See which files there are, and whether there are others than before."""
        count, has_failed = len(sys.modules), self._kernel.has_failed
        if not self._is_asking_due and count == self._modules_counted and has_failed == self._had_failed:
            return False
        self._is_asking_due = False
        self._modules_counted = count
        for path in {path for _, path in self._own_modules() if path is not None} - self._sources:
            self._sources.add(path)
            self._meet(path)
        files = frozenset(self._sources | self._kernel.manager.code_files().keys())
        before, self._files = self._files, files
        self._names = frozenset(name for path in files for name in (path.name, _real(path).name))
        had_failed, self._had_failed = self._had_failed, has_failed
        return files != before or had_failed != has_failed

    def _directories(self) -> frozenset[Path]:
        """Where to watch. For files whose directory is gone, where that will appear again."""
        found = {parent for path in self._files for parent in (path.parent, _real(path).parent)}
        return frozenset(_nearest(directory) for directory in found)

    def _own_modules(self) -> Iterable[tuple[str, Path | None]]:
        """Name and file of each module that the script imported from its own directory; packages without a file too."""
        directory = self._script.directory + os.sep
        for name, module in sys.modules.copy().items():
            if name.partition(".")[0] in self._not_own or not isinstance(module, ModuleType):
                continue
            # Past modules that load themselves when they are asked for anything.
            contents: dict[str, Any] = object.__getattribute__(module, "__dict__")
            places = [contents.get("__file__")] if contents.get("__file__") else list(contents.get("__path__") or ())
            if places and all(isinstance(one, str) and _is_own(one, directory) for one in places):
                file = contents.get("__file__")
                yield name, Path(file) if file and file.endswith(".py") else None

    # Looking.

    def _look(self) -> None:
        self._look_at_python()
        self._renew_soon()
        if self._is_news:
            self._rerun()

    def _look_again(self) -> None:
        """Nothing happens: what is still not there is not about to come."""
        if self._python_complaints.is_waiting:
            self._look()
            self._python_complaints.say(lambda path, why: self._kernel.tell(f"rdit: {path} {why}; the old run stays"))
        if self._code_complaints.is_waiting:
            self._renew_soon(is_quiet=True)

    # Python.

    def _meet(self, path: Path) -> None:
        """Remember what is in a file that we did not know. What was written since the run began counts as changed: it
        may have been written after it was read.
        """
        with contextlib.suppress(OSError, _Unusable):
            is_news = path not in self._seen and path.stat().st_mtime > self._began_s
            self._seen.setdefault(path, _checked(path).read_bytes())
            if is_news:
                self._changed.add(path)
                self._is_news = True

    def _look_at_python(self) -> None:
        """Read what the script is made of, and note what changed."""
        paths = set(self._sources)
        if self._kernel.has_failed:
            for directory in {path.parent for path in paths}:
                paths.update(path for path in directory.glob("*.py") if path.is_file())
        for path in sorted(paths):
            if path not in self._seen and path not in self._sources:
                self._meet(path)
                continue
            try:
                content = _checked(path).read_bytes()
            except (_Unusable, OSError) as error:
                if path == self._main or any(file == path for _, file in self._own_modules()):
                    self._python_complaints.add(path, _reason(error))
                continue
            self._python_complaints.clear(path)
            if self._seen.get(path) != content:
                self._seen[path] = content
                self._changed.add(path)
                self._is_news = True

    def _rerun(self) -> None:
        """Run the script again, unless what was saved cannot run."""
        self._is_news = False
        for path in sorted(self._changed):
            try:
                ast.parse(self._seen[path], str(path))
            except (SyntaxError, ValueError, RecursionError) as error:
                # None of the frames is the user's.
                self._kernel.tell_error(error.with_traceback(None))
                self._kernel.tell(f"rdit: {path} cannot run like this; the old run stays")
                return
        changed, self._changed = self._changed, set()
        names = sorted(path.name for path in changed)
        self._kernel.tell_terminal(f"rdit: {', '.join(names)} changed: running {self._main.name} again")
        self._began_s = time.time()
        self._kernel.reset(changed=names)
        modules = changed - {self._main}
        if modules:
            self._kernel.submit(lambda: self._forget_modules(modules))
        self._kernel.run(self._script)

    def _forget_modules(self, changed: Iterable[Path]) -> None:
        for name, _ in list(self._own_modules()):
            sys.modules.pop(name, None)
        for path in changed:
            # Python takes it for fresh when the source has the same second and the same length.
            with contextlib.suppress(OSError, NotImplementedError):
                Path(importlib.util.cache_from_source(str(path))).unlink(missing_ok=True)
        importlib.invalidate_caches()

    # Widget code. In the kernel's thread.

    def _renew_soon(self, *, is_quiet: bool = False) -> None:
        self._is_quiet = is_quiet
        if not self._is_renewal_due:
            self._is_renewal_due = True
            self._kernel.soon(self._renew)

    def _renew(self) -> None:
        """Give widgets what is in their files now."""
        self._is_renewal_due = False
        manager = self._kernel.manager
        widgets: dict[Path, str] = {}
        for path, file in manager.code_files().items():
            widgets[path] = file.widget_ids[0]
            try:
                # As anywidget reads it, newlines included.
                text = _checked(path).read_text(encoding="utf-8")
            except (_Unusable, OSError, UnicodeDecodeError) as error:
                self._code_complaints.add(path, _reason(error))
                continue
            self._code_complaints.clear(path)
            if file.texts <= {text}:
                continue
            try:
                manager.reload_code(path, text)
            except Exception as error:
                self._kernel.tell_error(error)
            self._kernel.tell_terminal(f"rdit: {path.name} changed: new code for widget {', '.join(file.widget_ids)}")
        if self._is_quiet:
            self._code_complaints.say(
                lambda path, why: self._kernel.tell(f"rdit: {path} {why}; its old code stays", widgets.get(path))
            )


class _Complaints:
    """What there is to say of files that cannot be used: each thing once, and after a second look."""

    def __init__(self) -> None:
        self._waiting: dict[Path, str] = {}
        self._said: dict[Path, str] = {}

    @property
    def is_waiting(self) -> bool:
        return bool(self._waiting)

    def add(self, path: Path, why: str) -> None:
        """A file cannot be used."""
        if self._said.get(path) != why:
            self._waiting[path] = why

    def clear(self, path: Path) -> None:
        """It can."""
        self._waiting.pop(path, None)
        self._said.pop(path, None)

    def say(self, tell: Callable[[Path, str], None]) -> None:
        """Say what waits."""
        waiting, self._waiting = self._waiting, {}
        self._said.update(waiting)
        for path, why in waiting.items():
            tell(path, why)


def _checked(path: Path) -> Path:
    """The path, if a plain file is there: reading anything else might take for ever."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise _Unusable("is not a file any more")
    return path


def _reason(error: Exception) -> str:
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return "is gone"
    if isinstance(error, UnicodeDecodeError):
        return f"is not UTF-8 (byte {error.start})"
    if isinstance(error, OSError):
        return f"cannot be read ({(error.strerror or type(error).__name__).lower()})"
    return str(error)


def _real(path: Path) -> Path:
    """Where a path leads. Not `resolve`, which raises where a link leads to itself."""
    return Path(os.path.realpath(path))


def _is_own(place: str, directory: str) -> bool:
    return place.startswith(directory) and _INSTALLED.isdisjoint(Path(place).parts)


def _nearest(directory: Path) -> Path:
    """The directory, or the nearest one above it that there is."""
    return next((one for one in (directory, *directory.parents) if one.is_dir()), Path(directory.anchor))

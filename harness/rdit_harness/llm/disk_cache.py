"""Verified modules in a folder, one file each.

A file is written beside its place and moved there, so that whoever reads sees a whole one or none. One that cannot be
read, or was written by another version, is no module; that is said once, as a warning, and it is written anew.

The folder is the user's own (0700): what is in it is code that will be shown without another trial.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any, Final

from rdit_core.descriptions import GeneratedModule

MAX_MODULES: Final = 500
_VERSION: Final = 1


class CacheWarning(UserWarning):
    """The cache cannot be used as it should. Widgets are made as if there were none."""


def default_folder() -> Path:
    """Where programs of this platform keep what can be made again: `RDIT_CACHE_DIR` says otherwise."""
    given = os.environ.get("RDIT_CACHE_DIR")
    if given:
        return Path(given) / "modules"
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "rdit" / "modules"


class DiskCache:
    """Keeps modules between runs.

    Args:
        folder: where; the platform's place for caches by default. Made when something is put into it.
        max_modules: how many are kept. Beyond it those that were used longest ago go.
    """

    def __init__(self, folder: str | Path | None = None, *, max_modules: int = MAX_MODULES) -> None:
        self.folder = default_folder() if folder is None else Path(folder)
        self.max_modules = max_modules

    def get(self, key: str) -> GeneratedModule | None:
        """What was put under a key, or None."""
        path = self._path(key)
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            self._warn(f"{path.name} cannot be read ({error})")
            return None
        try:
            module = _decoded(json.loads(text), key)
        except (ValueError, KeyError, TypeError):
            self._warn(f"{path.name} is damaged or of another version; its module is made anew")
            return None
        with contextlib.suppress(OSError):
            path.touch()
        return module

    def put(self, key: str, module: GeneratedModule) -> None:
        """Keep a module."""
        record = {
            "version": _VERSION,
            "key": key,
            "esm": module.esm,
            "css": module.css,
            "tokens_in": module.tokens_in,
            "tokens_out": module.tokens_out,
        }
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with tempfile.NamedTemporaryFile(
                "w", encoding="utf-8", dir=self.folder, prefix=".", suffix=".part", delete=False
            ) as part:
                json.dump(record, part)
            try:
                Path(part.name).replace(self._path(key))
            except OSError:
                Path(part.name).unlink(missing_ok=True)
                raise
        except OSError as error:
            self._warn(f"a module cannot be kept ({error.strerror or error})")
            return
        self._make_room()

    def clear(self) -> None:
        """Forget everything."""
        for path in self.folder.glob("*.json"):
            path.unlink(missing_ok=True)

    def _make_room(self) -> None:
        with contextlib.suppress(OSError):  # Another process makes room, too.
            kept = sorted(self.folder.glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
            for path in kept[: max(0, len(kept) - self.max_modules)]:
                path.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        if not key.isalnum():
            raise ValueError(f"Expected a digest as key, got {key!r}")
        return self.folder / f"{key}.json"

    def _warn(self, what: str) -> None:
        warnings.warn(f"Cache of modules in {self.folder}: {what}.", CacheWarning, stacklevel=3)


def _decoded(record: Any, key: str) -> GeneratedModule:
    """Raises ValueError, KeyError or TypeError where it is no record of ours."""
    if record["version"] != _VERSION or record["key"] != key or not isinstance(record["esm"], str):
        raise ValueError
    return GeneratedModule(record["esm"], record["css"], record["tokens_in"], record["tokens_out"])

"""Widget code by content hash, so that a browser loads each module once, from our own origin, under our own policy.

A lookup is a lookup in a dict: what has not been put here cannot be fetched, and no name ever becomes a path.
"""

from __future__ import annotations

import hashlib
import threading


class ModuleStore:
    """The modules of the widgets that were shown. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._present: dict[str, bytes] = {}
        self._previous: dict[str, bytes] = {}

    def url(self, esm: str) -> str:
        """Keep a module and say where it can be had: an address relative to the application's own.

        A module that is itself named by a URL (anywidget allows `_esm = "https://..."`) stays where it is; whether the
        page may load it is for the page's content security policy to say.
        """
        if esm.startswith(("http://", "https://")):
            return esm
        content = esm.encode("utf-8", "replace")
        name = hashlib.sha256(content).hexdigest()
        with self._lock:
            self._present[name] = content
        return f"esm/{name}.js"

    def find(self, name: str) -> bytes | None:
        """The module with this hash (64 hex digits), or None."""
        with self._lock:
            return self._present.get(name) or self._previous.get(name)

    def begin_again(self) -> None:
        """Let go of the modules of the run before last. The last one's stay: a page may be about to fetch them."""
        with self._lock:
            self._previous, self._present = self._present, {}

"""What browsers get compressed: whether they take it, and what was compressed already.

Everything that is sent so is named by its content, or asked for anew each time, and compressed once; answers that are
made for one request are not compressed.
"""

from __future__ import annotations

import gzip
import re
import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

LEAST_COMPRESSED: Final = 1024
"""Shorter content, in bytes, is sent as it is."""

MAX_COMPRESSED_BYTES: Final = 32 * 1024 * 1024
"""Of compressed widget code that is kept; beyond, what was not asked for longest goes, and is compressed again."""

_LEVEL: Final = 6
"""Beyond it gzip takes several times as long for a few percent."""


def compressed(content: bytes) -> bytes | None:
    """The content compressed; None where that would gain nothing."""
    if len(content) < LEAST_COMPRESSED:
        return None
    gzipped = gzip.compress(content, _LEVEL, mtime=0)
    return gzipped if len(gzipped) < len(content) else None


class Compressed:
    """Compressed content by its hash. May be called from any thread.

    Args:
        max_bytes: how much of it is kept.
    """

    def __init__(self, max_bytes: int = MAX_COMPRESSED_BYTES) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, bytes | None] = OrderedDict()
        self._size_bytes = 0

    def find(self, name: str, content: bytes) -> bytes | None:
        """The content that has this hash, compressed; None where that would gain nothing. Compresses at most once as
        long as it is kept: who asks meanwhile waits.
        """
        with self._lock:
            if name in self._kept:
                self._kept.move_to_end(name)
                return self._kept[name]
            gzipped = self._kept[name] = compressed(content)
            self._size_bytes += _cost(name, gzipped)
            while self._size_bytes > self._max_bytes:
                self._size_bytes -= _cost(*self._kept.popitem(last=False))
            return gzipped


def _cost(name: str, gzipped: bytes | None) -> int:
    return len(name) + len(gzipped or b"")


def respond(
    request: Request, content: bytes, gzipped: bytes | None, *, media_type: str, etag: str, cache_control: str
) -> Response:
    """Answer with content in the form that the browser takes, or say that it has it already.

    Args:
        request: asks for the content.
        content: as it is.
        gzipped: the same compressed; None where nobody asked for that, or it would gain nothing.
        media_type: of the content.
        etag: of the content, quoted.
        cache_control: for how long it may be kept.
    """
    headers = {"cache-control": cache_control, "etag": etag}
    if len(content) >= LEAST_COMPRESSED:
        headers["vary"] = "accept-encoding"
    known = (one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(","))
    if etag in known:
        return Response(status_code=304, headers=headers)
    if gzipped is not None and takes_gzip(request.headers):
        return Response(gzipped, media_type=media_type, headers={**headers, "content-encoding": "gzip"})
    return Response(content, media_type=media_type, headers=headers)


def takes_gzip(headers: Mapping[str, str]) -> bool:
    """Whether a request's `Accept-Encoding` has gzip in it, and not as what must not be (RFC 9110, 12.5.3)."""
    for one in headers.get("accept-encoding", "").split(","):
        coding, _, weight = one.partition(";")
        if coding.strip().lower() == "gzip":
            return re.fullmatch(r"\s*q=0(\.0*)?\s*", weight) is None
    return False

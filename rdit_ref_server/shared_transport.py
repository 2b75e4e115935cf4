"""A transport to which threads other than its loop's may write.

Neither asyncio's transports nor uvloop's may be used from another thread. But while nothing waits in them, another
thread may hand bytes to the operating system itself; what of these is not taken goes back to the loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
import threading
from typing import Any


class SharedTransport:
    """A transport to which other threads may write, past its loop, as long as nothing waits there to be sent.

    Everything that the loop's own thread writes comes through here too. So nothing gets between the two halves of a
    message of which the operating system took only one.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._lock = threading.Lock()
        self._rest = b""
        """What the operating system did not take."""
        self._socket = _copy_of_socket(transport)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, *parts: bytes) -> None:
        """Write in the loop's thread."""
        with self._lock:
            if self._rest:
                self._rest += b"".join(parts)
            else:
                for part in parts:
                    self._transport.write(part)

    def write_past(self, data: bytes) -> bool:
        """Write in any thread. Returns whether it is written."""
        with self._lock:
            if self._socket is None or self._rest or self._transport.is_closing():
                return False
            try:
                if self._transport.get_write_buffer_size():
                    return False
                sent = self._socket.send(data)
            except (OSError, RuntimeError):  # No room, or nobody there; or the loop counts its buffer at this moment.
                return False
            if sent < len(data):
                self._rest = data[sent:]
                with contextlib.suppress(RuntimeError):  # The loop is closed.
                    self._loop.call_soon_threadsafe(self._write_rest)
            return True

    def _write_rest(self) -> None:
        with self._lock:
            rest, self._rest = self._rest, b""
            if rest:
                self._transport.write(rest)

    def close(self) -> None:
        """Send what is left, then close."""
        self._write_rest()
        self._transport.close()

    def ended(self) -> None:
        """The connection is gone."""
        with self._lock:
            if self._socket is not None:
                self._socket.close()
                self._socket = None


def _copy_of_socket(transport: asyncio.Transport) -> socket.socket | None:
    """A socket of our own to the same peer, since the number of another's may soon be that of something else; None
    where writing to it would not do: encrypted, or on Windows, where the loop has its own way of writing.
    """
    found = transport.get_extra_info("socket")
    if found is None or sys.platform == "win32" or transport.get_extra_info("sslcontext") is not None:
        return None
    try:
        copy = socket.socket(fileno=os.dup(found.fileno()))
    except OSError:  # No more files may be open.
        return None
    copy.setblocking(False)
    return copy

"""`rdit serve` as a process of its own, with its output kept line by line."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

READY = re.compile(r"^rdit: serving at (http://127\.0\.0\.1:\d+/\S*)$")
START_TIMEOUT_S = 30.0
OUTPUT_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 10.0


class ServerOutputError(AssertionError):
    """The awaited output did not come. The text carries what came instead."""


class ServeProcess:
    """A running server. `url` is the address of its ready line, token included."""

    def __init__(self, script: Path, arguments: Sequence[str] = ()) -> None:
        rdit = [sys.executable, "-m", "rdit_core.cli"]
        self._process = subprocess.Popen(
            [*rdit, "serve", str(script), "--port", "0", "--no-browser", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            env={**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"},
            # A group of its own: a Ctrl+C in the terminal is for the test run, which then stops the server itself.
            start_new_session=True,
        )
        self._lines: list[tuple[str, str]] = []
        self._changed = threading.Condition()
        self._open_streams = 2
        self._readers = [
            threading.Thread(target=self._read, args=(name, stream), name=f"server {name}", daemon=True)
            for name, stream in (("stdout", self._process.stdout), ("stderr", self._process.stderr))
            if stream is not None
        ]
        for reader in self._readers:
            reader.start()
        try:
            self.url = self._wait_until_ready()
        except BaseException:
            self.kill()
            raise

    @property
    def pid(self) -> int:
        """The server's process."""
        return self._process.pid

    def output(self, stream: str | None = None) -> str:
        """What the server wrote so far: `"stdout"`, `"stderr"`, or both in the order of arrival."""
        with self._changed:
            return "".join(line for name, line in self._lines if stream in (None, name))

    def wait_for_output(self, text: str, timeout_s: float = OUTPUT_TIMEOUT_S) -> None:
        """Wait until the server has written `text`, which may span lines of one stream."""
        with self._changed:
            self._changed.wait_for(lambda: self._has_written(text) or not self._open_streams, timeout_s)
            if not self._has_written(text):
                raise ServerOutputError(f"{text!r} did not come within {timeout_s:g} s\n{self.output()}")

    def stop(self) -> int:
        """Ask the server to end, as Ctrl+C does, and return its exit code. Ended servers may be stopped again."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self.kill()
                raise ServerOutputError(f"no end within {STOP_TIMEOUT_S:g} s\n{self.output()}") from None
        return self._finish()

    def kill(self) -> int:
        """End the server at once, as a crash does, and return its exit code."""
        self._process.kill()
        return self._finish()

    def _finish(self) -> int:
        code = self._process.wait(STOP_TIMEOUT_S)
        for reader in self._readers:
            reader.join(STOP_TIMEOUT_S)
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()
        return code

    def _wait_until_ready(self) -> str:
        give_up_s = time.monotonic() + START_TIMEOUT_S
        with self._changed:
            while True:
                for name, line in self._lines:
                    if name == "stdout" and (match := READY.match(line.rstrip("\n"))):
                        return match[1]
                if not self._open_streams or time.monotonic() > give_up_s:
                    raise ServerOutputError(f"no ready line within {START_TIMEOUT_S:g} s\n{self.output()}")
                self._changed.wait(1)

    def _read(self, name: str, stream: IO[str]) -> None:
        for line in stream:
            with self._changed:
                self._lines.append((name, line))
                self._changed.notify_all()
        with self._changed:
            self._open_streams -= 1
            self._changed.notify_all()

    def _joined(self, stream: str) -> str:
        return "".join(line for name, line in self._lines if name == stream)

    def _has_written(self, text: str) -> bool:
        return any(text in self._joined(name) for name in ("stdout", "stderr"))

"""A virtual display, for browsers and abilities that need one: WebKitGTK always, Firefox for WebGL."""

from __future__ import annotations

import os
import subprocess


class VirtualDisplay:
    """An Xvfb process on a display number that it chose itself."""

    def __init__(self) -> None:
        read_end, write_end = os.pipe()
        self._process = subprocess.Popen(
            ["Xvfb", "-displayfd", str(write_end), "-screen", "0", "1400x1000x24", "-nolisten", "tcp"],
            pass_fds=[write_end],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(write_end)
        with os.fdopen(read_end) as answer:
            number = answer.readline().strip()
        if not number:
            raise RuntimeError("Xvfb did not start")
        self.name = f":{number}"

    def environment(self) -> dict[str, str]:
        """The environment of a process that is to open its windows here."""
        environment = {**os.environ, "DISPLAY": self.name}
        environment.pop("WAYLAND_DISPLAY", None)
        return environment

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(10)

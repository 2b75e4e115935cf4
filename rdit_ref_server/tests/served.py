"""`rdit serve` as a process of its own."""

import contextlib
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

from websockets.sync.client import connect

PATIENCE_S = 20

RUN = [sys.executable, "-c", "import sys; from rdit_ref_server.commands import serve; sys.exit(serve(sys.argv[1:]))"]


class Served:
    """`rdit serve` in a process of its own."""

    def __init__(self, *arguments):
        environment = {**os.environ, "PYTHONUTF8": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
        environment.pop("DISPLAY", None)
        self.path = Path(arguments[0])
        self.process = subprocess.Popen(
            [*RUN, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env=environment,
        )
        self.lines = queue.Queue()
        self.errors = []
        self._readers = [
            threading.Thread(target=lambda: [self.lines.put(line) for line in self.process.stdout]),
            threading.Thread(target=self._keep_errors),
        ]
        for reader in self._readers:
            reader.start()

    def _keep_errors(self):
        for line in self.process.stderr:
            # In development mode asyncio says so of a machine that has much else to do.
            if not (line.startswith("Executing <") and line.endswith(" seconds\n")):
                self.errors.append(line)

    def line(self):
        return self.lines.get(timeout=PATIENCE_S)

    def ready(self):
        """Wait for the ready line; gives origin and token."""
        found = re.fullmatch(r"rdit: serving at (http://\S+:\d+)/(?:\?token=(\S+))?\n", self.line())
        self.origin, self.token = found.groups()
        return self

    def ask(self, path, method="GET"):
        request = urllib.request.Request(self.origin + path, method=method)
        if self.token:
            request.add_header("Authorization", f"Bearer {self.token}")
        request.add_header("Origin", self.origin)
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return answer.read().decode()

    def socket(self, **headers):
        address = self.origin.replace("http:", "ws:") + "/ws/widgets?output=1"
        return connect(address, additional_headers=headers, max_size=None)

    @contextlib.contextmanager
    def session(self, query=""):
        """A socket that has said hello in `rdit/1`."""
        with connect(
            self.origin.replace("http:", "ws:") + f"/ws/widgets{query}",
            additional_headers={"Authorization": f"Bearer {self.token}"},
            subprotocols=["rdit.v1"],
            max_size=None,
        ) as page:
            page.send('{"type":"hello"}')
            yield page

    def simple_session(self, query=""):
        """A socket in base mode."""
        return connect(
            self.origin.replace("http:", "ws:") + f"/ws/widgets{query}",
            additional_headers={"Authorization": f"Bearer {self.token}"},
        )

    def end(self, number=signal.SIGTERM):
        """Ask it to end; gives its exit status."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self):
        status = self.process.wait(PATIENCE_S)
        for reader in self._readers:
            reader.join()
        return status

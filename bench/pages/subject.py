"""The script that `rdit serve` runs for the browser benchmarks: one widget, whose observers do what its page asks."""

from pathlib import Path
from typing import Any

import anywidget
import traitlets


class Subject(anywidget.AnyWidget):
    _esm = Path(__file__).parent / "widget.js"

    ping = traitlets.Int(0).tag(sync=True)
    pong = traitlets.Int(0).tag(sync=True)
    stream_to = traitlets.Int(0).tag(sync=True)
    counter = traitlets.Int(0).tag(sync=True)
    value = traitlets.Int(0).tag(sync=True)
    value_seen = traitlets.Int(0).tag(sync=True)
    upload = traitlets.Bytes(b"").tag(sync=True)
    upload_seen = traitlets.List([0, 0]).tag(sync=True)
    download_wanted = traitlets.List([0, 0]).tag(sync=True)
    download = traitlets.Bytes(b"").tag(sync=True)

    @traitlets.observe("ping")
    def _answer(self, change: Any) -> None:
        self.pong = change["new"]

    @traitlets.observe("stream_to")
    def _stream(self, change: Any) -> None:
        for number in range(self.counter + 1, change["new"] + 1):
            self.counter = number

    @traitlets.observe("value")
    def _see(self, change: Any) -> None:
        self.value_seen = change["new"]

    @traitlets.observe("upload")
    def _receive(self, change: Any) -> None:
        data = change["new"]
        self.upload_seen = [int.from_bytes(data[:4], "big"), len(data)]

    @traitlets.observe("download_wanted")
    def _make(self, change: Any) -> None:
        number, size = change["new"]
        self.download = number.to_bytes(4, "big") + bytes(size - 4)


Subject()

"""A widget in a process of its own, joined to another one by JSON lines on standard input and output.

    pip install rdit
    python examples/embedding/over_stdio.py

The child hosts the widget, the parent plays the page: an editor or a terminal would stand in its place. They speak base
mode, since its frames are JSON on one line: `widget_update`, `ack`, `error`.
"""

import json
import subprocess
import sys
import time

import anywidget
import traitlets

from rdit_core import TRUSTED, BaseClientConnection, WidgetManager


class Thermostat(anywidget.AnyWidget):
    _esm = "export default { render({ model, el }) { el.textContent = model.get('celsius') } }"
    celsius = traitlets.Float(20).tag(sync=True)
    fahrenheit = traitlets.Float(68).tag(sync=True)

    @traitlets.observe("celsius")
    def _convert(self, change):
        print("Python converts", change["new"])
        self.fahrenheit = change["new"] * 9 / 5 + 32


def host():
    wire, sys.stdout = sys.stdout, sys.stderr  # what a widget prints must not get between the frames
    manager = WidgetManager()
    manager.register("thermostat", Thermostat())
    connection = manager.connect(TRUSTED)
    print(json.dumps(manager.serialize("thermostat")), file=wire, flush=True)  # what a page needs to begin
    for line in sys.stdin:
        connection.receive_frame(line, time.monotonic())
        connection.events_received()  # what a host may want to log; kept until it is asked for
        manager.apply_pending()  # observers run here
        for frame in connection.frames_to_send(time.monotonic()):
            print(frame, file=wire, flush=True)


def page():
    child = subprocess.Popen(
        [sys.executable, __file__, "host"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with child:
        client = BaseClientConnection()
        model = client.open(json.loads(child.stdout.readline()))
        client.opened()
        model.set("celsius", 25)
        model.save_changes()
        while not client.is_idle or model.get("fahrenheit") == 68:
            for frame in client.frames_to_send():
                print(frame, file=child.stdin, flush=True)
            client.receive_frame(child.stdout.readline())
        print("the page shows", model.get("fahrenheit"))
        child.stdin.close()  # the child's loop ends with its input


if __name__ == "__main__":
    host() if sys.argv[1:] == ["host"] else page()

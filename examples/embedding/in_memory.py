"""A widget and a page in one process, with nothing between them: the whole of a host in one loop.

    pip install rdit
    python examples/embedding/in_memory.py

`server` and `client` are the two ends of a connection. Neither does any input or output: a host asks each what it wants
to send and hands it to the other. Over a socket, a queue or a serial line it is the same loop, in two halves.
"""

import anywidget
import traitlets

from rdit_core import TRUSTED, ClientConnection, WidgetManager


class Counter(anywidget.AnyWidget):
    _esm = "export default { render({ model, el }) { el.textContent = model.get('value') } }"
    value = traitlets.Int(0, max=10).tag(sync=True)


counter = Counter()
counter.observe(lambda change: print("Python saw", change["new"]), "value")

manager = WidgetManager()
manager.register("counter", counter)

# A host says why it lets a page in; here it is the host itself who asks. Times are seconds of any monotonic clock.
server = manager.connect(TRUSTED, mode="v1", now_s=0.0)
client = ClientConnection()
client.start(0.0)
client.opened(0.0)


def exchange():
    """Carry frames to and fro until both ends have said all they have to say."""
    while True:
        up = client.frames_to_send(0.0)
        for frame in up:
            server.receive_frame(frame, 0.0)
        manager.apply_pending()  # here, and only here, user code runs: observers, validators, handlers
        down = server.frames_to_send(0.0)
        for frame in down:
            client.receive_frame(frame, 0.0)
        if not up and not down:
            return


exchange()
model = client.get_model("counter")  # what a widget's JavaScript calls `model`
model.on("change:value", lambda: print("the page saw", model.get("value")))

model.set("value", 3)
model.save_changes()
exchange()

counter.value = 7
exchange()

model.set("value", 99)  # more than Python allows: the page is told, and shows what Python has
model.save_changes()
exchange()
print("refused:", client.events_received()[-1].code, "- both have", model.get("value"), counter.value)

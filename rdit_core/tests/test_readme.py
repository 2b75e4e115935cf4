"""The adapters of README.md, run as they stand there."""

import re
from collections import deque
from pathlib import Path

import pytest
import traitlets

import rdit_core
from rdit_core import TRUSTED, BaseClientConnection, ClientConnection, WidgetManager

README = (Path(rdit_core.__file__).parent / "README.md").read_text(encoding="utf-8")
ADAPTERS: dict = {}
for block in re.findall(r"```python\n(def .*?)```", README, re.DOTALL):
    exec(block, ADAPTERS)
serve, follow = ADAPTERS["serve"], ADAPTERS["follow"]


class Socket:
    """One end of a pipe."""

    def __init__(self):
        self.inbox = deque()
        self.is_closed = False
        self.close_code = None
        self.peer = None

    def receive(self):
        return self.inbox.popleft() if self.inbox else None

    def send(self, frame):
        self.peer.inbox.append(frame)

    def close(self, code, reason):
        for end in (self, self.peer):
            if not end.is_closed:
                end.is_closed, end.close_code = True, code


def pipe():
    one, other = Socket(), Socket()
    one.peer, other.peer = other, one
    return one, other


class Slider(traitlets.HasTraits):
    _esm = traitlets.Unicode("export default {}").tag(sync=True)
    value = traitlets.Int(1).tag(sync=True)


class Host:
    """Widgets, and whoever is connected."""

    def __init__(self):
        self.slider = Slider()
        self.manager = WidgetManager(ids=lambda: "w")
        self.manager.register("w", self.slider)
        self.served = []

    def dial(self):
        here, there = pipe()
        self.served.append((self.manager.connect(TRUSTED, mode="v1"), there))
        return here

    def serve(self, now_s):
        self.manager.apply_pending()
        return [serve(connection, socket, now_s) for connection, socket in self.served]


def rounds(host, client, socket, now_s=0.0):
    for _ in range(10):
        socket, _ = follow(client, socket, host.dial, now_s)
        host.serve(now_s)
    return socket


def test_two_adapters_of_a_dozen_lines_join_a_page_to_its_widgets():
    host, client = Host(), ClientConnection()
    client.start(0.0)
    socket = rounds(host, client, None)
    client.get_model("w").set("value", 5)
    client.get_model("w").save_changes()
    rounds(host, client, socket)
    assert host.slider.value == 5
    assert client.is_idle


def test_the_adapters_get_over_a_lost_connection_and_over_a_server_that_closes():
    host, client = Host(), ClientConnection()
    client.start(0.0)
    socket = rounds(host, client, None)
    socket.close(1006, "")
    host.slider.value = 7
    socket = rounds(host, client, socket, 10.0)
    socket = rounds(host, client, socket, 20.0)
    assert client.get_model("w").get("value") == 7
    host.manager.close_connections(20.0)
    host.slider.value = 8
    socket = rounds(host, client, socket, 20.0)
    rounds(host, client, socket, 40.0)
    assert (client.state, client.get_model("w").get("value")) == ("live", 8)


def test_a_dial_that_fails_is_tried_again_and_a_page_that_leaves_is_let_go():
    host, client = Host(), ClientConnection()
    client.start(0.0)
    socket, deadline = follow(client, None, lambda: None, 0.0)
    assert (socket, client.state) == (None, "backoff")
    socket = rounds(host, client, None, deadline)
    assert client.state == "live"
    client.leave(deadline)
    assert rounds(host, client, socket, deadline) is None
    assert (client.state, len(host.manager.sessions)) == ("closed", 0)


def test_the_servers_adapter_does_for_base_mode_too():
    host, client = Host(), BaseClientConnection()
    here, there = pipe()
    connection = host.manager.connect(TRUSTED)
    client.open(host.manager.serialize("w")).set("value", 3)
    client.models["w"].save_changes()
    client.opened()
    for frame in client.frames_to_send():
        here.send(frame)
    serve(connection, there, 0.0)
    host.manager.apply_pending()
    assert serve(connection, there, 0.0) == pytest.approx(host.manager.limits.correction_s)
    client.receive_frame(here.receive())
    assert (host.slider.value, client.is_idle) == (3, True)

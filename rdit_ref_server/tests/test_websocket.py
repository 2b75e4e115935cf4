import asyncio
import json
from typing import ClassVar

import pytest
from starlette.websockets import WebSocketDisconnect

from rdit_core import TRUSTED, Limits, WidgetManager
from rdit_ref_server import websocket
from rdit_ref_server.kernel import Kernel
from rdit_ref_server.security import VERDICT

from .conftest import COUNTER, ORIGIN, TOKEN, Running

SHOWN = COUNTER + "counter\n"
ADDRESS = ORIGIN.replace("http:", "ws:") + "/ws/widgets"


def update(widget_id="3.0", property="value", value=1):
    return json.dumps({"type": "widget_update", "widget_id": widget_id, "property": property, "value": value})


def receive(socket, kind):
    """The next message of a kind; those before it are skipped."""
    for _ in range(100):
        message = socket.receive_json()
        if message["type"] == kind:
            return message
    raise AssertionError(f"no {kind} came")


def test_an_update_is_acknowledged_and_python_has_it(site, running):
    running.run(SHOWN)
    with site.websocket_connect(ADDRESS) as socket:
        socket.send_text(update(value=7))
        assert receive(socket, "ack") == {"type": "ack", "widget_id": "3.0", "property": "value"}
    assert running.namespace["counter"].value == 7


def test_what_an_observer_prints_reaches_a_page_that_asked(site, running, capsys):
    running.run(SHOWN)
    with site.websocket_connect(f"{ADDRESS}?output=1") as socket:
        socket.send_text(update(value=1))
        message = receive(socket, "output")
        assert message["event"]["kind"] == "stream"
        assert message["event"]["text"] == "Python saw value change: 0 → 1\n"
        assert message["n"] == message["event"]["id"]
    assert "Python saw value change: 0 → 1\n" in capsys.readouterr().out


def test_a_page_that_did_not_ask_sees_three_kinds_of_messages(site, running):
    running.run(SHOWN)
    with site.websocket_connect(ADDRESS) as socket:
        socket.send_text(update(value=1))
        socket.send_text("nonsense")
        kinds = [socket.receive_json()["type"] for _ in range(2)]
        running.namespace["counter"].value = 5
        kinds.append(socket.receive_json()["type"])
    assert kinds == ["ack", "error", "widget_update"]


def test_python_sets_a_value_and_every_page_hears_of_it(site, running):
    running.run(SHOWN)
    with site.websocket_connect(ADDRESS) as one, site.websocket_connect(f"{ADDRESS}") as two:
        running.namespace["counter"].value = 9
        for socket in (one, two):
            assert receive(socket, "widget_update")["value"] == 9


def test_another_page_hears_of_a_write(site, running):
    running.run(SHOWN)
    with site.websocket_connect(ADDRESS) as one, site.websocket_connect(f"{ADDRESS}") as two:
        one.send_text(update(value=4))
        assert receive(two, "widget_update") == json.loads(update(value=4))


def test_a_value_that_python_changed_is_corrected_in_the_page_that_sent_it(site, running):
    clamp = """
    @traitlets.validate("value")
    def _clamp(self, proposal):
        return min(proposal["value"], 10)

counter = Counter()
"""
    running.run(COUNTER.replace("\ncounter = Counter()\n", clamp) + "counter\n")
    with site.websocket_connect(ADDRESS) as socket:
        socket.send_text(update(value=99))
        assert receive(socket, "ack")
        assert receive(socket, "widget_update")["value"] == 10


def test_binary_frames_of_utf8_are_taken_too(site, running):
    running.run(SHOWN)
    with site.websocket_connect(ADDRESS) as socket:
        socket.send_bytes(update(value=2).encode())
        assert receive(socket, "ack")


BAD = {
    "bad_json": "{",
    "bad_message": json.dumps({"type": "widget_update", "widget_id": 5}),
    "unknown_type": json.dumps({"type": "dance"}),
    "unknown_widget": update(widget_id="99.0"),
    "unknown_property": update(property="nothing"),
    "protected_property": update(property="_esm", value="export default {}"),
    "invalid_value": update(value="seven"),
    "too_deep": "[" * 100_000,
    "too_large": update(value="x" * 200_000),
}


@pytest.fixture
def small_frames(tmp_path):
    kernel = Kernel(limits=Limits(max_frame_bytes=150_000))
    yield Running(kernel, tmp_path)
    kernel.close()


@pytest.mark.parametrize("code", BAD)
def test_bad_input_is_an_error_and_the_connection_goes_on(small_frames, client_folder, code):
    from starlette.testclient import TestClient

    from rdit_ref_server.app import create_app
    from rdit_ref_server.security import AccessRules

    running = small_frames
    running.run(SHOWN)
    widget = running.namespace["counter"]
    esm = widget._esm
    rules = AccessRules.for_address("127.0.0.1", 8765, token=TOKEN)
    app = create_app(running.kernel, running.script, rules, client=client_folder)
    with (
        TestClient(app, base_url=ORIGIN, headers={"authorization": f"Bearer {TOKEN}"}) as site,
        site.websocket_connect(ADDRESS) as socket,
    ):
        socket.send_text(BAD[code])
        error = socket.receive_json()
        assert (error["type"], error["code"]) == ("error", code)
        assert error["message"]
        assert (widget.value, widget._esm) == (0, esm)
        socket.send_text(update(value=1))
        assert socket.receive_json()["type"] == "ack"
    assert widget.value == 1


def test_a_connection_that_ends_is_forgotten(site, running):
    running.run(SHOWN)
    ended = []
    running.kernel.manager.on("disconnected", ended.append)
    with site.websocket_connect(ADDRESS):
        assert ended == []
    running.wait_for(lambda: len(ended) == 1)


@pytest.mark.threat(19)
def test_nothing_more_is_read_while_too_much_waits_for_the_kernel(site, running):
    waiting = Limits(max_waiting_frames=3)
    connections = running.kernel.manager._connections
    connections.limits = waiting
    running.run(
        "import threading\ngo = threading.Event()\n"
        + COUNTER
        + "counter.observe(lambda change: go.wait(), 'value')\ncounter\n"
    )
    with site.websocket_connect(ADDRESS) as socket:
        for value in range(1, 21):
            socket.send_text(update(widget_id="5.0", value=value))
        running.wait_for(lambda: len(connections._pending) == 2)  # And one at work.
        assert running.namespace["counter"].value == 1
        running.namespace["go"].set()
        assert [receive(socket, "ack")["property"] for _ in range(20)] == ["value"] * 20
    assert running.namespace["counter"].value == 20


def test_a_peer_that_leaves_while_nothing_is_read_from_it_is_let_go():
    class Leaving:
        scope: ClassVar = {VERDICT: TRUSTED}
        query_params: ClassVar = {}

        def __init__(self):
            self.frames = ["nonsense"] * 9

        async def accept(self, subprotocol):
            pass

        async def receive(self):
            await asyncio.sleep(0)
            if not self.frames:
                return {"type": "websocket.disconnect", "code": 1006}
            return {"type": "websocket.receive", "text": self.frames.pop()}

        async def send_text(self, text):
            raise WebSocketDisconnect(1006)

    gone = []
    manager = WidgetManager(limits=Limits(max_waiting_frames=2))
    manager.on("disconnected", gone.append)
    asyncio.run(asyncio.wait_for(websocket.serve(Leaving(), manager), 5))
    assert len(gone) == 1


def test_too_many_connections_are_refused_and_the_others_live(site, running):
    running.run(SHOWN)
    limit = running.kernel.manager.limits.max_connections
    opened = [running.kernel.manager.connect(verdict_of_site()) for _ in range(limit)]
    with site.websocket_connect(ADDRESS) as socket, pytest.raises(WebSocketDisconnect) as closed:
        socket.receive_json()
    assert (closed.value.code, closed.value.reason) == (4504, "connection_limit")
    opened[0].receive_eof()
    with site.websocket_connect(ADDRESS) as socket:
        socket.send_text(update(value=3))
        assert receive(socket, "ack")


def verdict_of_site():
    from rdit_core import check_token

    return check_token(TOKEN, TOKEN)


def test_a_kernel_that_is_busy_delays_replies_and_nothing_else(site, running):
    running.run(SHOWN)
    source = "import threading\ngate = threading.Event()\nprint('busy')\ngate.wait()\n"
    running.start(SHOWN + source)
    running.wait_for(lambda: "busy\n" in running.text())
    with site.websocket_connect(f"{ADDRESS}?output=1") as socket:
        socket.send_text("nonsense")
        assert socket.receive_json()["code"] == "bad_json"
        assert site.get("/api/status").json()["state"] == "running"
        running.namespace["gate"].set()

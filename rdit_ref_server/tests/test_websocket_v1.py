import asyncio
import itertools
import json
import time
from contextlib import contextmanager
from typing import ClassVar

import msgspec
import pytest
from starlette.websockets import WebSocketDisconnect

from rdit_core import TRUSTED, ClientConnection, Limits, WidgetManager
from rdit_core.frames import encode_frame
from rdit_core.messages import Report
from rdit_ref_server import websocket
from rdit_ref_server.security import VERDICT

from .conftest import COUNTER, ORIGIN

ADDRESS = ORIGIN.replace("http:", "ws:") + "/ws/widgets"
SHOWN = COUNTER + "counter\n"
BYTES = """
import anywidget, traitlets

class Holder(anywidget.AnyWidget):
    _esm = "export default {}"
    data = traitlets.Bytes(b"").tag(sync=True)
    number = traitlets.Float(0.0).tag(sync=True)

holder = Holder()
holder
"""


class Page:
    """A client of the core on a socket of the test client."""

    def __init__(self, socket):
        self.socket = socket
        self.client = ClientConnection()
        self.client.start(0)
        self.client.opened(0)
        self.pump()

    def pump(self):
        for frame in self.client.frames_to_send(0):
            if isinstance(frame, str):
                self.socket.send_text(frame)
            else:
                self.socket.send_bytes(frame)

    def take(self):
        message = self.socket.receive()
        if message["type"] == "websocket.close":
            raise WebSocketDisconnect(message["code"], message.get("reason"))
        self.client.receive_frame(message.get("text") or message.get("bytes"), 0)
        self.pump()

    def until(self, condition):
        for _ in range(100):
            if condition():
                return
            self.take()
        raise AssertionError("it did not come to that")

    def set(self, widget_id, **values):
        model = self.client.models[widget_id]
        for name, value in values.items():
            model.set(name, value)
        model.save_changes()
        self.pump()
        self.until(lambda: self.client.is_idle)


@contextmanager
def connected(site, query=""):
    with site.websocket_connect(ADDRESS + query, subprotocols=["rdit.v1", "rdit.base"]) as socket:
        assert socket.accepted_subprotocol == "rdit.v1"
        page = Page(socket)
        page.until(lambda: page.client.state == "live")
        yield page


def test_a_page_that_offers_it_speaks_rdit_1(site, running):
    running.run(SHOWN)
    with connected(site) as page:
        page.set("3.0", value=7)
    assert running.namespace["counter"].value == 7


@pytest.mark.parametrize(("offered", "chosen"), [([], None), (["rdit.base"], "rdit.base"), (["other"], None)])
def test_other_pages_speak_base_mode(site, running, offered, chosen):
    running.run(SHOWN)
    with site.websocket_connect(ADDRESS, subprotocols=offered) as socket:
        assert socket.accepted_subprotocol == chosen
        socket.send_text(json.dumps({"type": "widget_update", "widget_id": "3.0", "property": "value", "value": 3}))
        assert socket.receive_json()["type"] == "ack"


def test_a_widget_opens_with_the_address_of_its_module(site, running):
    running.run(SHOWN)
    with connected(site) as page:
        widget = page.client.widgets["3.0"]
        assert widget.esm is None
        assert site.get(widget.esm_url).text == running.namespace["counter"]._esm


def test_bytes_and_numbers_that_json_lacks_travel_both_ways(site, running):
    running.run(BYTES)
    with connected(site) as page:
        holder_id = next(iter(page.client.models))
        page.set(holder_id, data=b"\x00\xff" * 3, number=float("inf"))
        holder = running.namespace["holder"]
        assert (holder.data, holder.number) == (b"\x00\xff" * 3, float("inf"))
        holder.data = b"from Python"
        page.until(lambda: page.client.models[holder_id].get("data") == b"from Python")


def test_what_a_page_cannot_write_is_shown_as_it_is_and_reported(site, running):
    running.run(SHOWN)
    with connected(site) as page:
        page.set("3.0", value="seven")
        assert page.client.models["3.0"].get("value") == 0
        assert [event.code for event in page.client.events_received()] == ["invalid_value"]


def test_a_page_that_comes_back_goes_on_where_it_was(site, running):
    running.run(SHOWN)
    with connected(site) as page:
        client = page.client
    client.receive_eof(1.0, 1006)
    client.models["3.0"].set("value", 5)
    client.models["3.0"].save_changes()
    client.handle_timeout(100.0)
    with site.websocket_connect(ADDRESS, subprotocols=["rdit.v1"]) as socket:
        page = Page.__new__(Page)
        page.socket, page.client = socket, client
        client.opened(100.0)
        page.pump()
        page.until(lambda: client.state == "live" and client.is_idle)
    assert running.namespace["counter"].value == 5
    assert client.events_received() == []


def test_ten_frames_that_are_none_end_the_connection_for_good(site, running):
    running.run(SHOWN)
    with connected(site) as page:
        for _ in range(10):
            page.socket.send_text("nonsense")
        with pytest.raises(WebSocketDisconnect) as closed:
            page.until(lambda: False)
    assert (closed.value.code, closed.value.reason) == (4502, "bad_protocol")


def test_a_server_that_goes_says_so_and_pages_may_come_back(site, running):
    running.run(SHOWN)
    with connected(site) as page:
        running.kernel.manager.close_connections(time.monotonic())
        with pytest.raises(WebSocketDisconnect) as closed:
            page.until(lambda: False)
    assert (closed.value.code, closed.value.reason) == (4000, "server_shutdown")


@pytest.mark.threat(33)
def test_an_error_in_a_widgets_module_reaches_the_terminal(site, running, capsys):
    running.run(SHOWN)
    with connected(site) as page:
        failed = []
        running.kernel.manager.on("front_end_failed", failed.append)
        page.socket.send_text(encode_frame(Report("3.0", "render", "x is undefined\x1b[31m", "at line 1")))
        running.wait_for(lambda: failed)
    assert "rdit: Counter 3.0 failed in its page (render): x is undefined [31m\n" in capsys.readouterr().err


def test_a_message_handler_that_raises_is_shown_where_the_widget_is(site, running):
    running.run(SHOWN + "counter.on_msg(lambda widget, content, buffers: 1 / 0)\n")
    with connected(site) as page:
        page.client.models["3.0"].send({"hello": 1})
        page.pump()
        page.until(lambda: page.client.is_idle)
        assert [event.code for event in page.client.events_received()] == ["handler_failed"]
    running.wait_for(lambda: any(event["kind"] == "error" for event in running.events()))


def test_what_callbacks_print_reaches_a_page_that_asked(site, running):
    running.run(SHOWN)
    with connected(site, "?output=1") as page:
        page.set("3.0", value=1)
        page.until(lambda: any("Python saw" in str(event) for event in page.client.events_received()))


class Stuck:
    """A peer that says hello, and reads nothing."""

    scope: ClassVar = {VERDICT: TRUSTED, "subprotocols": ["rdit.v1"]}
    query_params: ClassVar = {}

    def __init__(self):
        self.frames = ['{"type":"hello"}']
        self.is_sending = asyncio.Event()

    async def accept(self, subprotocol):
        assert subprotocol == "rdit.v1"

    async def receive(self):
        if self.frames:
            return {"type": "websocket.receive", "text": self.frames.pop()}
        return await asyncio.get_running_loop().create_future()

    async def send_text(self, text):
        self.is_sending.set()
        await asyncio.Event().wait()


@pytest.mark.threat(20)
def test_a_peer_that_neither_reads_nor_speaks_is_let_go():
    gone = []
    manager = WidgetManager(limits=Limits(silence_s=0.05, ping_s=0.02))
    manager.on("disconnected", gone.append)
    asyncio.run(asyncio.wait_for(websocket.serve(Stuck(), manager), 10))
    assert len(gone) == 1
    assert manager.next_deadline() is not None, "its session waits for it"


def test_a_peer_that_says_nothing_at_all_is_closed():
    class Silent(Stuck):
        def __init__(self):
            super().__init__()
            self.frames = []
            self.sent = []

        async def send_text(self, text):
            self.sent.append(msgspec.json.decode(text))

        async def close(self, code, reason):
            self.closed = code, reason

    silent = Silent()
    manager = WidgetManager(limits=Limits(first_frame_s=0.02))
    asyncio.run(asyncio.wait_for(websocket.serve(silent, manager), 10))
    assert silent.closed == (4003, "heartbeat_timeout")
    assert silent.sent[0]["fatal"] is True


@pytest.mark.threat(19)
def test_frames_that_take_long_and_come_without_a_pause_leave_the_loop_to_others():
    class Flood(Stuck):
        def __init__(self):
            subscribe = ['{"type":"subscribe","widget_ids":[]}', '{"type":"subscribe","widget_ids":"*"}']
            self.frames = [*subscribe * 100, '{"type":"hello"}']

        async def receive(self):
            # As a server's queue is that holds all of this: nothing to wait for.
            text = self.frames.pop() if self.frames else None
            return {"type": "websocket.receive", "text": text} if text else {"type": "websocket.disconnect"}

        async def send_text(self, text):
            pass

    clock = itertools.count(0.0, 0.004)  # So long takes each frame.

    async def count_turns():
        turns = 0
        serving = asyncio.ensure_future(websocket.serve(Flood(), WidgetManager(), lambda: next(clock)))
        while not serving.done():
            await asyncio.sleep(0)
            turns += 1
        await serving
        return turns

    assert asyncio.run(count_turns()) > 50

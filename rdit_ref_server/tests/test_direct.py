"""The short way of frames past ASGI's queue: what takes it, what does not, and that none overtakes another."""

import asyncio
import contextlib
import itertools
import json
from typing import ClassVar

import pytest
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from rdit_core import TRUSTED, Limits, WidgetManager
from rdit_core.tests.pair import Counter
from rdit_ref_server import websocket
from rdit_ref_server.direct import EXTENSION
from rdit_ref_server.security import VERDICT

from .conftest import COUNTER
from .hostile import Tab

SHOWN = COUNTER + "counter\n"
HELLO = '{"type":"hello"}'
PING = '{"type":"ping","id":1}'


@pytest.fixture
def long_way(monkeypatch):
    """The messages that waited in ASGI's queue."""
    queued = []
    send = WebSocketsSansIOProtocol.send_receive_event_to_app

    def noting(protocol):
        queued.append(len(protocol.frames[0]))
        send(protocol)

    monkeypatch.setattr(WebSocketsSansIOProtocol, "send_receive_event_to_app", noting)
    return queued


def test_small_frames_are_taken_as_they_come(live, long_way):
    live = live(SHOWN)
    with Tab(live) as tab:
        (counter,) = tab.ready().opened
        long_way.clear()  # The first one comes before anybody is there to take it.
        for value in range(20):
            assert tab.verdicts(tab.op(counter, "value", value)) == {}
    assert long_way == []


def test_none_overtakes_a_large_one(live, long_way):
    live = live(SHOWN.replace("value = ", "text = traitlets.Unicode().tag(sync=True)\n    value = ", 1))
    with Tab(live) as tab:
        (counter,) = tab.ready().opened
        ops = [[tab.op(counter, "value", 1)], [tab.op(counter, "text", "x" * 2_000_000)], [tab.op(counter, "value", 2)]]
        for one in ops:
            tab.batch(*one)
        # One that came too early would be a gap in the numbers, which ends the connection.
        tab.until("sync", lambda sync: sync["ack"] == tab.seq)
    assert max(long_way) > 2_000_000
    assert live.running.namespace["counter"].value == 2


class Direct:
    """A socket with the short way, of which the test says what it takes."""

    query_params: ClassVar = {}

    def __init__(self):
        self.scope = {VERDICT: TRUSTED, "subprotocols": ["rdit.v1"], "extensions": {EXTENSION: self}}
        self.sent = []
        self.queue = asyncio.Queue()
        self.refused = iter([])
        """Of each message that is written from here on, whether the peer has no room for it."""
        self.take = None

    async def accept(self, subprotocol):
        pass

    def hand_over(self, take):
        self.take = take

    def write(self, frame):
        if next(self.refused, False):
            return False
        self.sent.append(("short", json.loads(frame)["type"]))
        return True

    async def send_text(self, frame):
        await asyncio.sleep(0)
        self.sent.append(("long", json.loads(frame)["type"]))

    async def receive(self):
        return await self.queue.get()


def run_with(socket, story, *, manager=None, clock=None):
    """Serve a socket while the story runs."""

    async def run():
        serving = asyncio.ensure_future(
            websocket.serve(socket, manager or WidgetManager(), *([clock] if clock is not None else []))
        )
        await until(lambda: socket.take)
        await story()
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving

    asyncio.run(asyncio.wait_for(run(), 20))


async def until(condition):
    while not condition():  # noqa: ASYNC110  nobody says when
        await asyncio.sleep(0)


def test_what_the_peer_does_not_take_at_once_is_sent_in_order_when_it_does():
    manager, socket = WidgetManager(), Direct()
    counter = Counter()
    manager.register("w", counter)

    async def story():
        socket.take(HELLO)
        await until(lambda: len(socket.sent) == 2)
        socket.refused = iter([False, True])
        socket.take(PING)
        counter.value = 1
        await until(lambda: len(socket.sent) == 4)
        socket.take(PING)
        await until(lambda: len(socket.sent) == 5)

    run_with(socket, story, manager=manager)
    assert socket.sent[2:] == [("short", "pong"), ("long", "sync"), ("short", "pong")]


@pytest.mark.threat(19)
def test_who_keeps_the_loop_too_long_goes_the_long_way_for_once():
    clock = itertools.count(0.0, 0.004)  # So long takes each frame.
    socket = Direct()

    async def story():
        assert socket.take(HELLO)
        while socket.take(PING):
            pass
        assert not socket.take(PING), "until the others have had their turn"
        await socket.queue.put({"type": "websocket.receive", "text": PING})
        await until(lambda: socket.take(PING))

    run_with(socket, story, clock=lambda: next(clock))


def test_a_row_of_values_that_is_set_on_the_servers_own_loop_is_one_frame():
    manager, socket = WidgetManager(), Direct()
    counter = Counter()
    manager.register("w", counter)

    async def story():
        socket.take(HELLO)
        await until(lambda: [kind for _, kind in socket.sent] == ["welcome", "sync"])
        for value in range(1, 100):
            counter.value = value
        await until(lambda: len(socket.sent) > 2)
        await asyncio.sleep(0)

    run_with(socket, story, manager=manager)
    assert [kind for _, kind in socket.sent] == ["welcome", "sync", "sync"]


@pytest.mark.threat(19)
def test_nothing_is_taken_while_too_much_waits_for_the_kernel():
    manager, socket = WidgetManager(limits=Limits(max_waiting_frames=2)), Direct()
    manager.register("w", Counter())

    async def story():
        socket.take(HELLO)
        await until(lambda: len(socket.sent) == 2)
        session = next(iter(manager.sessions))
        op = {"op": "set", "widget_id": "w", "inst": 1, "property": "value", "value": 1}

        def batch(number):
            return json.dumps({"type": "batch", "seq": session.ack + number, "ops": [op]})

        batches = [batch(number) for number in (1, 2, 3)]
        assert [socket.take(one) for one in batches] == [True, True, False]
        manager.apply_pending()
        assert socket.take(batches[2])

    run_with(socket, story, manager=manager)

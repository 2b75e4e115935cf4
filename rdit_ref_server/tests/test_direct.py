"""The short way of frames, past ASGI's queue and the loop: what takes it, what does not, and that none overtakes
another.
"""

import asyncio
import contextlib
import itertools
import json
import socket
import threading
from typing import ClassVar

import pytest
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from rdit_core import TRUSTED, Limits, WidgetManager
from rdit_core.tests.pair import Counter
from rdit_ref_server import websocket
from rdit_ref_server.direct import EXTENSION
from rdit_ref_server.security import VERDICT
from rdit_ref_server.shared_transport import SharedTransport

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


def test_small_frames_are_taken_as_they_come(live, long_way, monkeypatch):
    monkeypatch.setattr(websocket, "_TURN_S", 60.0)  # On a slow machine they would have had their turn.
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

    def hand_over(self, take, max_bytes):
        self.take = take

    def write(self, frame):
        return self._write(frame, "short")

    def write_past(self, frame):
        return self._write(frame, "past")

    def _write(self, frame, way):
        if next(self.refused, False):
            return False
        self.sent.append((way, json.loads(frame)["type"]))
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


def hosting(**limits):
    """A manager with a counter, and a socket that is not served yet."""
    manager, counter = WidgetManager(limits=Limits(**limits)), Counter()
    manager.register("w", counter)
    return manager, Direct(), counter


async def joined(socket):
    """The page has said hello and has its first state."""
    socket.take(HELLO)
    await until(lambda: [kind for _, kind in socket.sent] == ["welcome", "sync"])


async def until(condition):
    while not condition():  # noqa: ASYNC110  nobody says when
        await asyncio.sleep(0)


def test_what_the_peer_does_not_take_at_once_is_sent_in_order_when_it_does():
    manager, socket, counter = hosting()

    async def story():
        await joined(socket)
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
    manager, socket, counter = hosting()

    async def story():
        await joined(socket)
        for value in range(1, 100):
            counter.value = value
        await until(lambda: len(socket.sent) > 2)
        await asyncio.sleep(0)

    run_with(socket, story, manager=manager)
    assert [kind for _, kind in socket.sent] == ["welcome", "sync", "sync"]


@pytest.mark.threat(19)
def test_nothing_is_taken_while_too_much_waits_for_the_kernel():
    manager, socket, _ = hosting(max_waiting_frames=2)

    async def story():
        await joined(socket)
        session = next(iter(manager.sessions))
        op = {"op": "set", "widget_id": "w", "inst": 1, "property": "value", "value": 1}

        def batch(number):
            return json.dumps({"type": "batch", "seq": session.ack + number, "ops": [op]})

        batches = [batch(number) for number in (1, 2, 3)]
        assert [socket.take(one) for one in batches] == [True, True, False]
        manager.apply_pending()
        assert socket.take(batches[2])

    run_with(socket, story, manager=manager)


async def other_thread(function):
    await asyncio.get_running_loop().run_in_executor(None, function)


def test_a_page_that_waits_is_answered_from_the_thread_that_has_the_answer_and_others_are_not():
    manager, socket, counter = hosting()

    async def story():
        await joined(socket)

        def answer():
            counter.value = 1
            counter.value = 2

        socket.take('{"type":"sync_ack","frame":1}')
        await other_thread(answer)
        await until(lambda: len(socket.sent) == 4)

    run_with(socket, story, manager=manager)
    assert socket.sent[2:] == [("past", "sync"), ("short", "sync")]


def test_an_answer_that_the_peer_has_no_room_for_goes_the_long_way():
    manager, socket, counter = hosting()

    async def story():
        await joined(socket)
        socket.take('{"type":"sync_ack","frame":1}')
        socket.refused = iter([True])
        await other_thread(lambda: setattr(counter, "value", 1))
        await until(lambda: len(socket.sent) == 3)

    run_with(socket, story, manager=manager)
    assert socket.sent[2:] == [("long", "sync")]


def test_what_is_due_after_an_answer_from_another_thread_comes_in_time():
    """In base mode, which owes a correction after a refusal."""
    manager, socket, _ = hosting(correction_s=0.05)
    socket.scope["subprotocols"] = []
    refused = {"type": "widget_update", "widget_id": "w", "property": "value", "value": "text"}

    async def story():
        socket.take("nonsense")
        await until(lambda: len(socket.sent) == 1)
        for _ in range(10):
            await asyncio.sleep(0)  # All tasks have begun, and wait.
        assert socket.take(json.dumps(refused))
        await other_thread(manager.apply_pending)
        await until(lambda: len(socket.sent) == 3)

    run_with(socket, story, manager=manager)
    assert socket.sent[1] == ("past", "error")
    assert socket.sent[2][1] == "widget_update"


def test_room_that_another_thread_makes_is_seen_by_the_reader():
    # No timer comes to the rescue.
    manager, socket, _ = hosting(max_waiting_frames=1, owed_s=60)

    async def story():
        await joined(socket)
        session = next(iter(manager.sessions))
        op = {"op": "set", "widget_id": "w", "inst": 1, "property": "value", "value": 1}
        assert socket.take(json.dumps({"type": "batch", "seq": session.ack + 1, "ops": [op]}))
        assert not socket.take(PING)
        await socket.queue.put({"type": "websocket.receive", "text": PING})
        await until(lambda: len(socket.sent) == 3)
        await asyncio.sleep(0)  # The reader waits for room now.
        await other_thread(manager.apply_pending)
        await socket.queue.put({"type": "websocket.receive", "text": PING})
        await until(lambda: len(socket.sent) == 5)

    run_with(socket, story, manager=manager)


class Slow:
    """A transport over one end of a pair of sockets, which writes when it is told to."""

    def __init__(self, end):
        self._end = end
        self._waiting = b""

    def get_extra_info(self, name):
        return self._end if name == "socket" else None

    def get_write_buffer_size(self):
        return len(self._waiting)

    def is_closing(self):
        return False

    def write(self, data):
        self._waiting += data

    def flush(self):
        while self._waiting:
            try:
                self._waiting = self._waiting[self._end.send(self._waiting) :]
            except BlockingIOError:
                return


def test_nothing_gets_between_the_halves_of_what_was_taken_in_part():
    here, there = socket.socketpair()
    here.setblocking(False)
    there.setblocking(False)
    here.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)

    async def story():
        slow = Slow(here)
        shared = SharedTransport(slow, asyncio.get_running_loop())
        assert shared.write_past(b"a" * 1_000_000)
        assert not shared.write_past(b"x"), "what is left of the first goes before"
        shared.write(b"b" * 10)
        heard = b""
        while len(heard) < 1_000_010:
            await asyncio.sleep(0)
            slow.flush()
            with contextlib.suppress(BlockingIOError):
                heard += there.recv(1_000_000)
        assert heard == b"a" * 1_000_000 + b"b" * 10
        assert shared.write_past(b"c")
        slow.write(b"d")
        assert not shared.write_past(b"e"), "what waits in the loop goes before"
        shared.ended()
        assert not shared.write_past(b"f")

    with here, there:
        asyncio.run(asyncio.wait_for(story(), 20))


def test_threads_that_set_values_while_a_page_writes_break_no_frame(live):
    """A frame that is cut in two, or that comes before the one before it, ends the connection."""
    live = live(COUNTER + "other = Counter()\ncounter\n")
    with Tab(live) as tab:
        counter, other = tab.ready().opened
        shown = live.running.namespace["other"]
        is_over = threading.Event()

        def set_values():
            for value in itertools.count(1):
                if is_over.is_set():
                    break
                shown.value = value

        threads = [threading.Thread(target=set_values) for _ in range(2)]
        for thread in threads:
            thread.start()
        frames = []
        try:
            for value in range(300):
                assert tab.verdicts(tab.op(counter, "value", value)) == {}
        finally:
            is_over.set()
            for thread in threads:
                thread.join()
        frames = [json.loads(text)["frame"] for text in tab.heard if '"type":"sync"' in text[:40]]
        assert frames == list(range(1, len(frames) + 1))
        assert len(frames) >= 300
        assert other in tab.opened

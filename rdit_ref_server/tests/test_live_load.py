"""Peers of a running server that send too much, too slowly, or nothing at all; and those who share it with them."""

import contextlib
import json
import struct
import threading

import pytest
import websockets.exceptions

from rdit_ref_server.transport import BoundedWebSocket

from .conftest import COUNTER, PATIENCE_S
from .hostile import BEARER, HANDSHAKE, Tab, Wire, ask, closed_with, frame, raw_request

SHOWN = COUNTER + "counter\n"
HELLO = '{"type":"hello"}'
V1 = ("Sec-WebSocket-Protocol", "rdit.v1")
GATED = (
    COUNTER
    + """
import threading
go = threading.Event()
counter.observe(lambda change: go.wait(), "value")
counter.on_msg(lambda widget, content, buffers: go.wait())
other = Counter()
counter
"""
)


def send_until_nothing_more_is_taken(wire, data):
    """Send again and again, until the server has taken nothing for a while; gives how many bytes it took."""
    wire.socket.setblocking(False)
    sent, quiet = 0, 0
    pause = threading.Event()
    while quiet < 10:
        try:
            sent += wire.socket.send(data)
            quiet = 0
        except BlockingIOError:
            quiet += 1
            pause.wait(0.02)
    wire.socket.settimeout(PATIENCE_S)
    return sent


@pytest.mark.threat(19)
@pytest.mark.parametrize("kind", ["base", "batches", "messages"])
def test_who_floods_a_busy_kernel_is_read_no_further_and_the_others_go_on(live, kind):
    live = live(GATED, max_waiting_frames=20)
    namespace, pending = live.running.namespace, live.manager._connections._pending
    with Wire(live) as wire, Tab(live) as other:
        gated, free = other.ready().opened
        if kind == "base":
            assert wire.upgrade(live, BEARER)[0] == 101
            update = {"type": "widget_update", "widget_id": gated, "property": "value", "value": 1}
            flood = frame(json.dumps(update).encode()) * 50
        else:
            assert wire.upgrade(live, BEARER, V1)[0] == 101
            wire.send(frame(HELLO.encode()))
            live.running.wait_for(lambda: len(live.manager.sessions) == 2)
            session = next(one for one in live.manager.sessions if one.session_id != other.welcome["session"])
            target = {"widget_id": gated, "inst": other.opened[gated]["inst"]}
            op = {"op": "set", "property": "value", "value": 1} if kind == "batches" else {"op": "msg", "content": "x"}
            flood = b"".join(
                frame(json.dumps({"type": "batch", "seq": session.ack + n, "ops": [{**target, **op}]}).encode())
                for n in range(1, 20_000)
            )
        sent = send_until_nothing_more_is_taken(wire, flood)
        assert sent > 0
        # What is taken and not applied is bounded; the rest is in the sockets' own buffers, and with the peer.
        assert len(pending) <= 21
        other.say("ping", id=1)
        other.until("pong")
        assert ask(live, BEARER, path="/api/status")[0] == 200
        namespace["go"].set()
        assert other.verdicts(other.op(free, "value", 5)) == {}
    assert namespace["other"].value == 5


@pytest.mark.threat(19)
def test_connections_beyond_the_limit_are_refused_and_those_before_go_on(live):
    live = live(SHOWN, max_connections=4)
    with contextlib.ExitStack() as stack:
        tabs = [stack.enter_context(Tab(live)).ready() for _ in range(3)]
        stack.enter_context(Tab(live, mode="base"))
        for mode in ("v1", "base", "v1"):
            with Tab(live, mode=mode, hello=False) as refused:
                assert refused.ending() == 4504
        assert tabs[0].verdicts(tabs[0].op("3.0", "value", 7)) == {}
    live.running.wait_for(lambda: not live.manager.store.connections)
    with Tab(live) as tab:
        assert tab.ready().opened["3.0"]["props"]["value"][0] == 7


@pytest.mark.threat(19)
def test_a_tab_that_subscribes_anew_all_the_time_holds_nobody_up(live):
    live = live(SHOWN + "many = [Counter() for _ in range(100)]\n")
    with Tab(live) as hostile, Tab(live) as other:
        hostile.ready()
        other.ready()
        for _ in range(1_000):
            hostile.raw('{"type":"subscribe","widget_ids":[]}')
            hostile.raw('{"type":"subscribe","widget_ids":"*"}')
        assert other.verdicts(other.op("3.0", "value", 1)) == {}
        hostile.say("ping", id=1)
        hostile.until("pong")
        # However often it asked, what it is owed is the present state, once.
        assert len(hostile.heard) < 1_500


@pytest.mark.threat(19)
def test_pings_of_a_peer_that_reads_none_of_the_answers_are_not_kept(live):
    live = live(SHOWN)
    with Wire(live, small_buffer=True) as wire:
        assert wire.upgrade(live, BEARER)[0] == 101
        (protocol,) = [one for one in live.server.server_state.connections if isinstance(one, BoundedWebSocket)]
        pings = frame(b"x" * 125, opcode=9) * 1000
        for _ in range(60):
            wire.send(pings)
        assert ask(live, BEARER, path="/api/status")[0] == 200
        assert protocol.transport.get_write_buffer_size() < 1024 * 1024


@pytest.mark.threat(20)
@pytest.mark.parametrize(
    "begun",
    [b"", b"G", b"GET / HTTP/1.1\r\nHost: ", b"GET /ws/widgets HTTP/1.1\r\nUpgrade: websocket\r\n"],
)
def test_who_does_not_finish_a_request_is_let_go_in_time(live, begun):
    live = live(first_frame_s=0.5)
    with Wire(live) as wire:
        wire.send(begun)
        assert wire.rest() == b""
    assert ask(live, BEARER, path="/api/status")[0] == 200


@pytest.mark.threat(20)
def test_a_byte_now_and_then_buys_no_time_in_the_first_request_or_the_next(live):
    live = live(first_frame_s=0.5)
    ever = b"GET /api/status HTTP/1.1\r\nX: " + b"x" * 2000
    for is_second in (False, True):
        with Wire(live) as wire:
            if is_second:
                wire.send(raw_request(live, BEARER, path="/api/status"))
                assert wire.head()[0] == 200
            pause = threading.Event()
            taken = 0
            with contextlib.suppress(ConnectionError):
                for byte in ever:
                    wire.send(bytes([byte]))
                    taken += 1
                    pause.wait(0.02)
            assert taken < len(ever)


@pytest.mark.threat(20)
def test_an_idle_socket_and_a_long_answer_are_no_unfinished_requests(live):
    live = live(GATED, first_frame_s=0.5)
    live.running.start(GATED + "print('busy')\ngo.wait()\nprint('free')\n")
    live.running.wait_for(lambda: "busy\n" in live.running.text())
    with Wire(live) as stream, Tab(live, mode="base") as tab, Wire(live) as late:
        stream.send(raw_request(live, BEARER, ("Connection", "close"), path="/api/execute"))
        assert stream.head()[0] == 200
        assert late.rest() == b"", "so much time has passed"
        live.running.namespace["go"].set()
        assert b"free" in stream.rest()
        tab.raw("nonsense")
        assert tab.until("error")["code"] == "bad_json"


@pytest.mark.threat(20)
def test_who_never_says_hello_is_let_go_in_time(live):
    live = live(SHOWN, first_frame_s=0.5)
    with Tab(live, hello=False) as tab:
        assert tab.ending() == 4003
    with Wire(live) as wire:
        wire.send(raw_request(live, *HANDSHAKE, BEARER, V1, path="/ws/widgets"))
        assert wire.head()[0] == 101
        wire.send(frame(HELLO.encode())[:-4])  # Nor a frame that never ends.
        assert closed_with(wire) == 4003


@pytest.mark.threat(20)
def test_who_never_reads_loses_the_connection_and_the_server_keeps_nothing_of_it(live, monkeypatch):
    monkeypatch.setattr(BoundedWebSocket, "linger_s", 0.1)
    source = """
import anywidget, traitlets

class Text(anywidget.AnyWidget):
    _esm = "export default {}"
    text = traitlets.Unicode("").tag(sync=True)

text = Text()
"""
    live = live(source, stall_s=1.0)
    ended = []
    live.manager.on("disconnected", ended.append)
    with Wire(live, small_buffer=True) as wire, Tab(live) as other:
        assert wire.upgrade(live, BEARER, V1)[0] == 101
        wire.send(frame(HELLO.encode()))
        other.ready()
        for letter in "abcdefgh":
            live.running.namespace["text"].text = letter * 1_500_000
            other.until("sync", lambda sync, letter=letter: any(one[3][:1] == letter for one in sync["changes"]))
        live.running.wait_for(lambda: len(ended) == 1)
        live.running.wait_for(
            lambda: len([one for one in live.server.server_state.connections if isinstance(one, BoundedWebSocket)]) == 1
        )
        assert other.verdicts(other.op(next(iter(other.opened)), "text", "from a tab that reads")) == {}


@pytest.mark.threat(20)
@pytest.mark.parametrize("is_socket", [False, True])
def test_who_takes_nothing_of_an_answer_is_cut_off_and_who_takes_it_slowly_is_not(live, is_socket):
    """Results over HTTP, and base mode, which has no acknowledgements to wait for."""
    live = live(COUNTER + "print('x' * 20_000_000)\n", stall_s=1.0)
    connections = live.server.server_state.connections
    path = "/ws/widgets?output=1" if is_socket else "/api/execute"
    with Wire(live, small_buffer=True) as stuck, Wire(live, small_buffer=True) as slow:
        for wire in (stuck, slow):
            wire.send(raw_request(live, *(HANDSHAKE if is_socket else ()), BEARER, path=path))
            assert wire.head()[0] == (101 if is_socket else 200)
        if is_socket:
            live.kernel.tell("y" * 20_000_000)
        live.running.wait_for(lambda: len(connections) == 2)
        pause = threading.Event()
        while len(connections) == 2:
            slow.socket.recv(8192)
            pause.wait(0.002)
        slow.socket.recv(4096)
        (left,) = connections
        assert left.transport.get_extra_info("peername") == slow.socket.getsockname()


@pytest.mark.threat(15, 16, 17)
@pytest.mark.parametrize("mode", ["v1", "base"])
def test_no_frame_is_worse_than_an_error_with_a_name(live, mode):
    live = live(SHOWN, max_bad_frames=1000, max_frame_bytes=4 * 1024 * 1024)
    corpus = {
        "too_deep": [
            "[" * 100_000,
            '{"a":' * 100_000,
            b"[" * 100_000,
            '{"type":"hello","auth":' + "[" * 300 + "]" * 300 + "}",
        ],
        "bad_json": ["", "{", "\ufeff{}", '{"type":"hello"}'.encode("utf-16-le"), "nul", '"a\nb"', "{}{}"],
        "bad_number": ["NaN", "[Infinity]", '{"a":1e999}', "9" * 5000 + "." + "0" * 10],
        "bad_unicode": [b"\xff\xfe{\x00}\x00", b"\xed\xa0\x80", '{"type":"hello","auth":"\\ud800"}', b'"\xc3"'],
        "too_large": ["x" * (4 * 1024 * 1024 + 1), b"y" * (4 * 1024 * 1024 + 1)],
    }
    if mode == "v1":
        header = b"RDB1"
        corpus["bad_frame"] = [
            header,
            header + struct.pack("<I", 0),
            header + struct.pack("<I", 2**32 - 1),
            header + struct.pack("<I", 2**32 - 1) + bytes(1000),
            header + struct.pack("<III", 2, 2**32 - 1, 2**32 - 1),
            header + struct.pack("<II", 1, 2**31) + b"{}",
        ]
    with Tab(live, mode=mode) as tab, Tab(live) as other:
        for code, frames in corpus.items():
            for data in frames:
                tab.raw(data)
                said = tab.until("error")
                assert said["code"] in ({code, "bad_message"} if code == "bad_number" else {code}), data[:80]
                assert len(said["message"]) < 300
        # A million keys take time in proportion, and then are no message.
        tab.raw('{"type":"hello","x":{' + ",".join(f'"{number}":1' for number in range(200_000)) + "}}")
        tab.until("error")
        assert other.ready().verdicts(other.op("3.0", "value", 3)) == {}
        if mode == "v1":
            assert tab.ready().verdicts(tab.op("3.0", "value", 4)) == {}


@pytest.mark.threat(17)
@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(b"", length=2**62), 1009),
        (frame(b"", length=2**31), 1009),
        (frame(b"", length=2**64 - 1), 1009),
        (frame(b"x" * 200, opcode=9), 1002),
        (frame(b"x", first=0) * 2, 1002),
        (frame(b"", opcode=5), 1002),
        (frame(b"\xff"), 1007),
        (b"\x81\x05hello", 1002),
    ],
)
def test_a_frame_that_the_transport_cannot_take_ends_its_own_connection_only(live, data, code):
    live = live(SHOWN)
    with Tab(live) as other:
        other.ready()
        with Wire(live) as wire:
            assert wire.upgrade(live, BEARER, V1)[0] == 101
            wire.send(data)
            assert closed_with(wire) == code
        assert other.verdicts(other.op("3.0", "value", 3)) == {}


@pytest.mark.threat(15)
def test_a_value_that_python_nests_too_deeply_is_not_sent_and_said_so(live):
    source = """
import anywidget, traitlets

class Deep(anywidget.AnyWidget):
    _esm = "export default {}"
    value = traitlets.Any().tag(sync=True)
    other = traitlets.Int().tag(sync=True)

deep = Deep()
deep
"""
    live = live(source)
    bottomless = []
    for _ in range(100_000):
        bottomless = [bottomless]
    skipped = []
    live.manager.on("unserializable_value", skipped.append)
    deep = live.running.namespace["deep"]
    with Tab(live) as tab:
        (widget_id,) = tab.ready().opened
        live.kernel.soon(lambda: setattr(deep, "value", bottomless))
        live.kernel.soon(lambda: setattr(deep, "other", 5))
        tab.until("sync", lambda sync: any(one[2:4] == ["other", 5] for one in sync.get("changes", [])))
        assert [one.property for one in skipped] == ["value"]
        assert tab.verdicts(tab.op(widget_id, "other", 6)) == {}
    while bottomless:  # Python's own way of letting go of it is recursive.
        (bottomless,) = bottomless or [[]]
    deep.value = None


@pytest.mark.threat(30)
def test_two_tabs_that_answer_each_other_for_ever_leave_room_for_a_third(live):
    live = live(SHOWN + "other = Counter()\n")
    ends = threading.Event()

    def answer(tab, step):
        with contextlib.suppress(websockets.exceptions.ConnectionClosed):
            tab.batch(tab.op("3.0", "value", step))
            while not ends.is_set():
                message = tab.take()
                for change in message.get("changes", []):
                    if change[0] == "3.0":
                        tab.batch(tab.op("3.0", "value", (change[3] + step) % 1_000_003))

    with Tab(live) as one, Tab(live) as two, Tab(live) as third:
        for tab in (one, two, third):
            tab.ready()
        storm = [threading.Thread(target=answer, args=pair) for pair in ((one, 7), (two, 11))]
        for thread in storm:
            thread.start()
        live.running.wait_for(lambda: live.running.namespace["counter"].value > 500)
        for value in range(1, 6):
            assert third.verdicts(third.op("5.0", "value", value)) == {}
        assert ask(live, BEARER, path="/api/status")[0] == 200
        ends.set()
        live.running.namespace["counter"].value = -1
        for thread in storm:
            thread.join(PATIENCE_S)
            assert not thread.is_alive()


@pytest.mark.threat(30)
def test_observers_that_chase_each_other_end_in_an_error_and_not_in_silence(live):
    source = (
        COUNTER
        + """
other = Counter()
def to_other(change):
    other.value = change["new"] + 1
def back(change):
    counter.value = change["new"] + 1
counter.observe(to_other, "value")
other.observe(back, "value")
calm = Counter()
"""
    )
    live = live(source)
    with Tab(live) as tab:
        tab.ready()
        first = next(widget_id for widget_id in tab.opened)
        assert tab.verdicts(tab.op(first, "value", 1)) == {0: "observer_failed"}
        live.running.wait_for(
            lambda: any(one["kind"] == "error" and one["ename"] == "RecursionError" for one in live.running.events())
        )
        last = list(tab.opened)[-1]
        assert tab.verdicts(tab.op(last, "value", 2)) == {}
    assert live.running.namespace["calm"].value == 2

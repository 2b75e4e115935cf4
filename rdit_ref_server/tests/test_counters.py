import threading
from types import SimpleNamespace

import pytest
from starlette.testclient import WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from rdit_core.messages import Output
from rdit_ref_server import websocket
from rdit_ref_server.flow import LEFT_OUT, MAX_BURST

from .conftest import HOST, PATIENCE_S

HELLO = {"type": "hello"}


def counters(site):
    return site.get("/api/status").json()["counters"]


def page(site, path="/ws/widgets"):
    return site.websocket_connect(f"ws://{HOST}{path}", subprotocols=["rdit.v1"])


def read_on(socket):
    while True:
        socket.receive_json()


def meet(socket, hello=HELLO):
    """Say hello; gives the welcome and the first sync."""
    socket.send_json(hello)
    return socket.receive_json(), socket.receive_json()


def test_frames_and_bytes_are_counted_both_ways(site, running, counter_source):
    running.run(counter_source + "counter\n")
    before = counters(site)
    assert (before["frames"], before["bytes"]) == ({"in": 0, "out": 0}, {"in": 0, "out": 0})
    with page(site) as socket:
        texts = ['{"type": "hello"}', '{"type":"report","widget_id":"3.0","stage":"render","message":"\u00e9"}']
        for text in texts:
            socket.send_text(text)
        received = [socket.receive_text(), socket.receive_text()]
        running.wait_for(lambda: counters(site)["frames"]["in"] == 2)
        found = counters(site)
        assert found["bytes"]["in"] == sum(len(text.encode()) for text in texts)
        assert found["frames"]["out"] == len(received)
        assert found["bytes"]["out"] == sum(len(text.encode()) for text in received)
        assert (found["connections"]["open"], found["connections"]["opened"]) == (1, 1)
        assert found["widgets"]["open"] == 1


def test_who_comes_back_and_who_finds_the_session_is_counted(site, running):
    running.run("1\n")
    with page(site) as socket:
        welcome, sync = meet(socket)
    resume = {key: welcome[key] for key in ("epoch", "session", "secret")} | {"rev": sync["rev"]}
    with page(site) as socket:
        assert meet(socket, {**HELLO, "resume": resume})[0]["resumed"] is True
    with page(site) as socket:
        assert meet(socket, {**HELLO, "resume": {**resume, "secret": "x" * 32}})[0]["resumed"] is False
    found = counters(site)
    assert found["sessions"] == {"known": 2, "came_back": 2, "resumed": 1}
    assert (found["connections"]["opened"], found["connections"]["open"]) == (3, 0)
    assert found["connections"]["closed"] == {"left": 3}


def test_what_is_refused_is_counted_by_its_code(site, stranger, running, counter_source):
    running.run(counter_source + "counter\n")
    assert stranger.get("/api/status").status_code == 401
    with pytest.raises(WebSocketDenialResponse), page(stranger):
        pass
    with page(site) as socket:
        _, sync = meet(socket)
        (opened,) = sync["open"]
        op = {"op": "set", "widget_id": opened["widget_id"], "inst": opened["inst"]}
        ops = [{**op, "property": "_esm", "value": "x"}, {**op, "property": "value", "value": "x"}]
        socket.send_json({"type": "batch", "seq": sync["ack"] + 1, "ops": ops})
        while not socket.receive_json().get("rejects"):
            pass
        socket.send_text("no JSON")
        while socket.receive_json()["type"] != "error":
            pass
        refused = counters(site)["refused"]
    assert refused["writes"] == {"protected_property": 1, "invalid_value": 1}
    assert refused["frames"] == {"bad_json": 1}
    assert refused["requests"] in ({"unauthorized": 2}, {"unauthorized": 1, "forbidden_origin": 1})


def test_a_connection_that_the_core_ends_is_counted_by_its_reason(site, running):
    running.run("1\n")
    with page(site) as socket:
        meet(socket)
        running.kernel.manager.close_connections(0.0)
        with pytest.raises(WebSocketDisconnect) as closed:
            read_on(socket)
        assert closed.value.code == 4000
    assert counters(site)["connections"]["closed"] == {"server_shutdown": 1}


def test_what_large_frames_took_is_freed_soon_after_their_connection_ended(site, running, monkeypatch):
    running.run("1\n")
    collected = threading.Event()
    monkeypatch.setattr(websocket, "gc", SimpleNamespace(collect=collected.set))
    monkeypatch.setattr(websocket, "_COLLECT_S", 0.0)
    with page(site) as socket:
        meet(socket)
    assert not collected.is_set()
    with page(site) as socket:
        meet(socket)
        socket.send_text('{"type": "ping", "id": 1, "more": "' + "x" * 2 * 1024 * 1024 + '"}')
        while socket.receive_json()["type"] != "pong":
            pass
    with page(site) as socket:
        meet(socket)  # The server's loop goes on.
        assert collected.wait(PATIENCE_S)


def test_output_that_had_to_go_is_counted(site, running):
    running.run("1\n")
    manager = running.kernel.manager
    with page(site, "/ws/widgets?output=1") as socket:
        meet(socket)
        (connection,) = manager.store.connections.values()
        # A page that does not read, as far as the core can tell: nobody drains.
        connection._wakeup = None
        for _ in range(10_000):
            connection.queue_output(Output(1, None))
        manager.send_output(2, b"{}")
        manager.send_output(3, b"{}")
        assert counters(site)["dropped"]["outputs"] == 2


def test_a_flood_of_errors_in_pages_is_counted_and_said_in_part(site, running, capsys):
    running.run("1\n")
    with page(site) as socket:
        meet(socket)
        for number in range(MAX_BURST + 50):
            socket.send_json({"type": "report", "widget_id": "3.0", "stage": "render", "message": f"failure {number}"})
        running.wait_for(lambda: counters(site)["reports"] == MAX_BURST + 50)
    said = capsys.readouterr().err
    assert all(f"failure {number}\n" in said for number in range(MAX_BURST))
    assert said.count("failure ") < MAX_BURST + 50
    assert f"rdit: {LEFT_OUT}\n" in said


def test_numbers_are_for_those_who_may_come_and_health_is_for_everybody(site, stranger):
    assert "counters" not in stranger.get("/api/status").text
    assert (stranger.get("/healthz").status_code, stranger.get("/healthz").json()) == (200, {"status": "ok"})
    assert stranger.post("/healthz").status_code == 403, "without an origin nothing but reading is let through"
    for headers in ({"host": "evil.com"}, {"origin": "http://evil.com"}):
        assert stranger.get("/healthz", headers=headers).status_code == 403


def test_a_server_that_is_about_to_end_says_so_and_takes_no_page(site, stranger, running):
    running.serve()
    running.kernel.stop()
    answer = stranger.get("/healthz")
    assert (answer.status_code, answer.json()) == (503, {"status": "stopping"})
    with page(site) as socket:
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_json()
        assert (closed.value.code, closed.value.reason) == (4000, "server_shutdown")
    assert counters(site)["connections"]["opened"] == 0

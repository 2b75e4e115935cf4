"""The proxy between real sockets: an echo server behind it, a client before it."""

import contextlib
import socket
import threading
import time

import pytest

from rdit_core.errors import LocalProtocolError
from rdit_harness.proxy import Proxy

PATIENCE_S = 10


class Echo:
    """A server that sends back what it gets, under a name, and keeps its connections."""

    def __init__(self, name=b""):
        self.name = name
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.connections = []
        self.received = 0
        self.ends = []
        self.changed = threading.Condition()
        self.threads = [threading.Thread(target=self.accept)]
        self.threads[0].start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self.serve, args=(connection,))
            self.threads.append(thread)
            with self.changed:
                self.connections.append(connection)
                self.changed.notify_all()
            thread.start()

    def serve(self, connection):
        end = "end"
        try:
            while piece := connection.recv(65536):
                with self.changed:
                    self.received += len(piece)
                    self.changed.notify_all()
                connection.sendall(self.name + piece)
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            end = "reset"
        with self.changed:
            self.ends.append(end)
            self.changed.notify_all()

    def wait_for(self, condition):
        with self.changed:
            assert self.changed.wait_for(condition, PATIENCE_S), (self.received, self.ends)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.threads[0].join()
        for connection in self.connections:
            # Wakes up whoever reads it.
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self.threads[1:]:
            thread.join()
        for connection in self.connections:
            connection.close()


@pytest.fixture
def echo():
    server = Echo()
    yield server
    server.close()


@pytest.fixture
def proxy(echo):
    with Proxy("127.0.0.1", echo.port) as proxy:
        yield proxy


@pytest.fixture
def connect(proxy):
    opened = []

    def dial():
        opened.append(socket.create_connection(("127.0.0.1", proxy.port), PATIENCE_S))
        return opened[-1]

    yield dial
    for one in opened:
        one.close()


def read(client, size):
    """Exactly so many bytes."""
    got = b""
    while len(got) < size:
        piece = client.recv(size - len(got))
        assert piece, f"the end came after {got!r}"
        got += piece
    return got


def ask(client, text):
    client.sendall(text)
    return read(client, len(text))


def is_silent(client):
    """Whether nothing has arrived."""
    client.setblocking(False)
    try:
        client.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        client.settimeout(PATIENCE_S)


def assert_is_reset(client):
    with pytest.raises(ConnectionError):
        assert client.recv(1) != b"", "an end is no reset"


def test_without_a_fault_it_is_a_wire(proxy, connect, echo):
    clients = [connect() for _ in range(3)]
    for number, client in enumerate(clients):
        assert ask(client, b"hello %d" % number) == b"hello %d" % number
    assert proxy.connections == proxy.accepted == 3
    proxy.wait_for(lambda proxy: proxy.delivered("up") == proxy.delivered("down") == 21)
    assert proxy.lost("up") == proxy.lost("down") == 0
    assert f"-> 127.0.0.1:{echo.port}, 3 connections, delivered 21 up 21 down" in repr(proxy)


def test_much_passes_unchanged(connect):
    client = connect()
    much = bytes(range(256)) * 40_000
    sender = threading.Thread(target=client.sendall, args=(much,))
    sender.start()
    assert read(client, len(much)) == much
    sender.join()


def test_small_pieces_wait_for_no_others(proxy, connect):
    ask(connect(), b"-")
    (link,) = proxy._links
    assert [one.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0 for one in link._sockets] == [True, True]


def test_an_end_is_passed_on_and_the_other_direction_stays_open(proxy, connect, echo):
    client = connect()
    client.sendall(b"last words")
    client.shutdown(socket.SHUT_WR)
    assert read(client, 10) == b"last words"
    assert client.recv(1) == b""
    proxy.wait_for(lambda proxy: proxy.connections == 0)
    echo.wait_for(lambda: echo.ends == ["end"])


def test_a_reset_is_passed_on(proxy, connect, echo):
    client = connect()
    ask(client, b"-")
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.close()
    echo.wait_for(lambda: echo.ends == ["reset"])
    proxy.wait_for(lambda proxy: proxy.connections == 0)


def test_a_target_that_is_not_there_resets_the_client_and_harms_nobody(proxy, connect, echo):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        nobody = unused.getsockname()[1]
    proxy.retarget("127.0.0.1", nobody)
    with pytest.raises(ConnectionError):
        connect().recv(1)
    proxy.retarget("127.0.0.1", echo.port)
    assert ask(connect(), b"-") == b"-"


def test_retarget_concerns_new_connections(proxy, connect):
    first = connect()
    assert ask(first, b"a") == b"a"
    other = Echo(name=b"other: ")
    try:
        proxy.retarget("127.0.0.1", other.port)
        second = connect()
        second.sendall(b"b")
        assert read(second, 8) == b"other: b"
        assert ask(first, b"c") == b"c"
    finally:
        other.close()


def test_cut_resets_what_is_open_on_both_sides_and_new_connections_are_welcome(proxy, connect, echo):
    clients = [connect(), connect()]
    for client in clients:
        ask(client, b"-")
    proxy.cut()
    assert proxy.connections == 0
    for client in clients:
        assert_is_reset(client)
    echo.wait_for(lambda: echo.ends == ["reset", "reset"])
    assert ask(connect(), b"-") == b"-"


def test_drop_refuses_until_heal(proxy, connect):
    client = connect()
    ask(client, b"-")
    proxy.drop()
    assert_is_reset(client)
    with pytest.raises(ConnectionError):  # already while it dials, if it is slow
        connect().recv(1)
    proxy.heal()
    assert ask(connect(), b"-") == b"-"
    assert proxy.accepted == 2


@pytest.mark.parametrize(("directions", "least_s"), [(("up",), 0.1), (("down",), 0.1), (("up", "down"), 0.2)])
def test_latency_delays_each_direction_and_keeps_the_order(proxy, connect, directions, least_s):
    client = connect()
    ask(client, b"-")
    proxy.latency(0.1, directions)
    began_s = time.monotonic()
    client.sendall(b"1")
    client.sendall(b"2")
    assert read(client, 2) == b"12"
    assert time.monotonic() - began_s >= least_s


def test_what_is_sent_after_the_latency_fell_does_not_overtake(proxy, connect):
    client = connect()
    ask(client, b"-")
    proxy.latency(0.2, ["up"])
    client.sendall(b"slow ")
    (link,) = proxy._links
    while not link._pipes[0]._under_way:
        threading.Event().wait(0.001)
    proxy.latency(0)
    client.sendall(b"fast")
    assert read(client, 9) == b"slow fast"


def test_hold_stalls_and_release_lets_it_go_in_a_burst(proxy, connect, echo):
    client = connect()
    ask(client, b"-")
    proxy.hold(["down"])
    for number in range(10):
        client.sendall(b"%d" % number)
    echo.wait_for(lambda: echo.received == 11)
    assert is_silent(client)
    proxy.release(["down"])
    assert read(client, 10) == b"0123456789"


def test_what_is_held_counts_as_not_delivered(proxy, connect, echo):
    client = connect()
    ask(client, b"-")
    proxy.hold()
    client.sendall(b"never")
    assert ask_other(proxy, connect) is None
    assert (proxy.delivered("up"), echo.received) == (1, 1)


def ask_other(proxy, connect):
    """Ask on a new connection, for as long as it takes the proxy to look at what came before."""
    other = connect()
    other.sendall(b"-")
    proxy.wait_for(lambda proxy: proxy.connections == 2)
    return None if is_silent(other) else other.recv(1)


def test_a_partition_swallows_and_leaves_the_sockets_open(proxy, connect, echo):
    client = connect()
    ask(client, b"-")
    proxy.partition()
    client.sendall(b"into nothing")
    proxy.wait_for(lambda proxy: proxy.lost("up") == 12)
    echo.connections[0].sendall(b"nor back")
    proxy.wait_for(lambda proxy: proxy.lost("down") == 8)
    assert is_silent(client)
    assert echo.ends == []
    assert proxy.connections == 1


def test_a_partition_may_be_one_way(proxy, connect, echo):
    client = connect()
    ask(client, b"-")
    proxy.partition(["down"])
    client.sendall(b"heard")
    echo.wait_for(lambda: echo.received == 6)
    proxy.wait_for(lambda proxy: proxy.lost("down") == 5)
    assert is_silent(client)


def test_a_connection_that_lost_nothing_goes_on_after_a_partition(proxy, connect):
    client = connect()
    ask(client, b"-")
    proxy.partition()
    proxy.heal()
    assert ask(client, b"still here") == b"still here"


def test_a_stream_with_a_hole_is_never_delivered_and_its_end_is_a_reset(proxy, connect, echo):
    client = connect()
    ask(client, b"-")
    proxy.partition(["up"])
    client.sendall(b"lost")
    proxy.wait_for(lambda proxy: proxy.lost("up") == 4)
    proxy.heal()
    client.sendall(b"after")
    proxy.wait_for(lambda proxy: proxy.lost("up") == 9)
    assert echo.received == 1
    client.close()
    echo.wait_for(lambda: echo.ends == ["reset"])


def test_an_end_during_a_partition_is_heard_when_it_heals(proxy, connect, echo):
    client = connect()
    ask(client, b"-")
    proxy.partition()
    client.close()
    assert ask_whether_waiting(proxy)
    assert echo.ends == []
    proxy.heal()
    echo.wait_for(lambda: echo.ends == ["end"])
    proxy.wait_for(lambda proxy: proxy.connections == 0)


def ask_whether_waiting(proxy):
    """Wait until the end of the client's stream has reached the proxy."""
    (link,) = proxy._links
    while not link._pipes[0]._under_way:
        threading.Event().wait(0.001)
    return proxy.connections == 1


def test_a_client_that_went_away_behind_a_one_way_partition_is_not_missed(proxy, connect, echo):
    client = connect()
    ask(client, b"-")
    proxy.partition(["up"])
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.close()
    ask_whether_waiting(proxy)
    echo.connections[0].sendall(b"anybody?")
    proxy.wait_for(lambda proxy: proxy.lost("down") == 8)
    assert echo.ends == []
    proxy.heal()
    echo.wait_for(lambda: echo.ends == ["reset"])


def test_a_client_that_is_found_gone_while_its_own_way_is_held_ends_the_connection(proxy, connect, echo):
    client = connect()
    ask(client, b"-")
    proxy.hold(["up"])
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.close()
    ask_whether_waiting(proxy)
    assert echo.ends == []
    echo.connections[0].sendall(b"anybody?")
    echo.wait_for(lambda: echo.ends == ["reset"])


def test_a_connection_made_during_a_partition_waits_for_its_end(proxy, connect):
    proxy.partition(["up"])
    client = connect()
    client.sendall(b"patient")
    assert proxy.accepted == 0
    proxy.heal()
    assert read(client, 7) == b"patient"


def test_a_slow_reader_gets_its_rate_and_holds_the_sender_back(proxy, connect, echo):
    client = connect()
    ask(client, b"-")
    proxy.slow_reader(2_000)
    before, began_s = proxy.delivered("down"), time.monotonic()
    much = b"x" * 8 * 1024 * 1024
    sender = threading.Thread(target=echo.connections[0].sendall, args=(much,))
    sender.start()
    proxy.wait_for(lambda proxy: proxy.delivered("down") >= before + 400)
    assert time.monotonic() - began_s >= 0.1
    (link,) = proxy._links
    assert link._pipes[1]._held_bytes <= 128 * 1024
    assert sender.is_alive()
    proxy.slow_reader(None)
    assert read(client, len(much)) == much
    sender.join()


def test_a_rate_below_a_byte_per_tick_still_moves(proxy, connect, echo):
    client = connect()
    ask(client, b"-")
    proxy.slow_reader(10)
    client.sendall(b"ab")
    assert read(client, 2) == b"ab"


def test_waiting_in_vain_says_what_there_is(proxy):
    with pytest.raises(TimeoutError, match=r"not true of the proxy within 0\.01 s: <Proxy \d+ -> .*0 connections"):
        proxy.wait_for(lambda proxy: proxy.accepted, timeout_s=0.01)


def test_verbs_may_come_from_many_threads(proxy, connect):
    client = connect()
    verbs = [proxy.hold, proxy.release, lambda: proxy.latency(0), lambda: proxy.slow_reader(None), proxy.heal]
    threads = [threading.Thread(target=lambda: [verb() for verb in verbs * 20]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ask(client, b"alive") == b"alive"


def test_closing_leaves_no_thread_no_connection_and_no_port(echo):
    before = threading.active_count()
    proxy = Proxy("127.0.0.1", echo.port)
    with socket.create_connection(("127.0.0.1", proxy.port), PATIENCE_S) as client:
        ask(client, b"-")
        proxy.close()
        assert_is_reset(client)
    proxy.close()
    echo.wait_for(lambda: echo.ends == ["reset"])
    assert threading.active_count() <= before + 1, "but for the thread of the echo server's connection"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", proxy.port))
    with pytest.raises(LocalProtocolError, match="closed"):
        proxy.drop()


def test_it_closes_in_the_middle_of_a_partition(echo):
    with Proxy("127.0.0.1", echo.port) as proxy:
        proxy.partition()
        with socket.create_connection(("127.0.0.1", proxy.port), PATIENCE_S):
            pass
    assert proxy.connections == 0


def test_it_may_be_told_where_to_listen(echo):
    with Proxy("127.0.0.1", echo.port) as first:
        port = first.port
    with Proxy("127.0.0.1", echo.port, listen_port=port) as second:
        assert second.port == port

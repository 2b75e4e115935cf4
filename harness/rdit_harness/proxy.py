"""A TCP proxy that misbehaves on demand: the network between a real page and a real server.

`Proxy` listens on a port of its own and forwards what arrives to a target, both ways, for any number of connections. It
lives on a thread of its own and its verbs may be called from any other; a verb has taken effect when it returns. With
no verb in force it is as good as a wire.

What each fault means to a TCP connection, since a proxy cannot lose packets, only streams:

- **drop / cut**: every connection is reset, as when a machine goes away; what was under way is lost. After `drop` new
  ones are accepted and reset at once. (Closing the listener would be a true refusal, and give the port away.)
- **hold**: nothing is lost, nothing arrives; `release` lets it all go in one burst.
- **partition**: bytes go nowhere and nobody is told. TCP never delivers a stream with a hole in it, so a direction that
  has lost bytes stays silent when the network heals: a real one would be found dead by the next answer, or never. Its
  end is passed on as a reset once the network is whole. A direction that lost nothing goes on. New connections wait, as
  a first packet does that is sent again and again.
- **latency**: each piece arrives so much later than it was sent, in order. Each direction has its own.
- **slow_reader**: the client takes so many bytes per second and no more, so that the server's own buffers fill.

`heal` ends drop and partition. The other faults have verbs of their own that end them.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Collection, Coroutine
from functools import partial
from typing import Any, Final, Literal

from rdit_core.errors import LocalProtocolError

Direction = Literal["up", "down"]
"""`up` is from client to server."""

BOTH: Final[Collection[Direction]] = ("up", "down")

_PIECE: Final = 64 * 1024
_HELD_BYTES: Final = 16 * 1024 * 1024
"""How much of one direction of a connection is under way at most; then its sender is held back."""

_HELD_BYTES_SLOW: Final = 16 * 1024
"""The same while the reader is slow: what the proxy took, the server would believe to be read."""

_RECEIVE_BUFFER: Final = 128 * 1024
"""Of the socket towards the server, for the same reason. The kernel's own choice grows to megabytes."""

_SLOW_TICKS_PER_S: Final = 20
_RESET_ON_CLOSE: Final = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
_PATIENCE_S: Final = 10.0


class Proxy:
    """Forwards TCP connections to a target, with faults. A context manager; `close` ends it and all connections.

    Args:
        host: of the target.
        port: of the target. It need not listen yet: until then connections are reset.
        listen_port: to listen at on 127.0.0.1; 0 for any free one.
    """

    def __init__(self, host: str, port: int, *, listen_port: int = 0) -> None:
        self._target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", listen_port))
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        """Where the proxy listens, on 127.0.0.1."""
        self._links: dict[_Link, asyncio.Task[None]] = {}
        self._verbs = threading.Lock()
        self._news = threading.Condition()
        self._accepted = 0
        self._is_dropped = False
        self._waiting: deque[socket.socket] = deque()
        self.rules: dict[Direction, _Rules] = {"up": _Rules(), "down": _Rules()}
        # Not the platform's own choice: this one has `add_reader` everywhere.
        self._loop = asyncio.SelectorEventLoop()
        self._loop.add_reader(self._listener, self._accept)
        self._thread = threading.Thread(target=self._run, name=f"rdit proxy {self.port}", daemon=True)
        self._thread.start()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    # What can be seen of it.

    @property
    def connections(self) -> int:
        """Clients that are connected now."""
        return len(self._links)

    @property
    def accepted(self) -> int:
        """Connections that were forwarded since the start, those that ended included."""
        return self._accepted

    def delivered(self, direction: Direction) -> int:
        """Bytes handed over to their receiver since the start, of all connections."""
        return self.rules[direction].delivered

    def lost(self, direction: Direction) -> int:
        """Bytes that a partition swallowed since the start."""
        return self.rules[direction].lost

    def wait_for(self, condition: Callable[[Proxy], bool], timeout_s: float = _PATIENCE_S) -> None:
        """Wait until something is true of this proxy; it is looked at whenever connections or counters change.

        Raises:
            TimeoutError: it did not become true in time.
        """
        with self._news:
            if not self._news.wait_for(lambda: condition(self), timeout_s):
                raise TimeoutError(f"not true of the proxy within {timeout_s:g} s: {self}")

    def __repr__(self) -> str:
        up, down = self.rules["up"], self.rules["down"]
        return (
            f"<Proxy {self.port} -> {self._target[0]}:{self._target[1]}, {self.connections} connections, "
            f"delivered {up.delivered} up {down.delivered} down, lost {up.lost} up {down.lost} down>"
        )

    # The verbs.

    def drop(self) -> None:
        """Reset every connection, and every new one until `heal`."""

        async def act() -> None:
            self._is_dropped = True
            await self._abort_all()

        self._call(act)

    def cut(self) -> None:
        """Reset every connection; new ones are welcome."""
        self._call(self._abort_all)

    def heal(self) -> None:
        """End `drop` and `partition`."""
        self._is_dropped = False
        self._rule(BOTH, is_parted=False)

    def latency(self, seconds: float, directions: Collection[Direction] = BOTH) -> None:
        """Delay what is sent from now on, in these directions, by so much each. 0 ends it."""
        self._rule(directions, latency_s=seconds)

    def hold(self, directions: Collection[Direction] = BOTH) -> None:
        """Let nothing arrive until `release`."""
        self._rule(directions, is_held=True)

    def release(self, directions: Collection[Direction] = BOTH) -> None:
        """Let all that was held go at once."""
        self._rule(directions, is_held=False)

    def partition(self, directions: Collection[Direction] = BOTH) -> None:
        """Swallow what is sent in these directions, and leave the sockets open, until `heal`."""
        self._rule(directions, is_parted=True)

    def slow_reader(self, bytes_per_s: float | None) -> None:
        """Let each client take so many bytes per second; None ends it."""
        self._rule(["down"], bytes_per_s=bytes_per_s)

    def retarget(self, host: str, port: int) -> None:
        """Forward new connections elsewhere; those that are open stay where they are."""
        self._target = (host, port)

    def close(self) -> None:
        """Reset all connections, give the port back, end the thread. Idempotent."""
        with self._verbs:
            if self._thread.is_alive():
                self._loop.call_soon_threadsafe(self._loop.stop)
                self._thread.join()

    # On the proxy's own thread.

    def _run(self) -> None:
        self._loop.run_forever()
        self._loop.remove_reader(self._listener)
        self._loop.run_until_complete(self._abort_all())
        for client in (*self._waiting, self._listener):
            client.close()
        self._loop.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # whoever it was has left
            self._waiting.append(self._listener.accept()[0])
        self._admit()

    def _admit(self) -> None:
        """Let in who waits. A first packet is lost in a partition as any other, and sent again."""
        if any(rules.is_parted for rules in self.rules.values()):
            return
        while self._waiting:
            client = self._waiting.popleft()
            if self._is_dropped:
                _reset(client)
                continue
            link = _Link(self, client)
            task = self._links[link] = self._loop.create_task(link.run(self._target))
            task.add_done_callback(partial(self._ended, link))
            self._accepted += 1
            self.tell()

    def _ended(self, link: _Link, task: asyncio.Task[None]) -> None:
        # A task that is cancelled before its first step has closed nothing.
        link.reset()
        del self._links[link]
        self.tell()

    async def _abort_all(self) -> None:
        tasks = list(self._links.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _rule(self, directions: Collection[Direction], **settings: Any) -> None:
        async def act() -> None:
            for direction in directions:
                for name, value in settings.items():
                    setattr(self.rules[direction], name, value)
            self._admit()
            for link in self._links:
                link.stir()

        self._call(act)

    def _call(self, act: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run something on the proxy's thread, and wait for it."""
        with self._verbs:
            if not self._thread.is_alive():
                raise LocalProtocolError("The proxy is closed")
            asyncio.run_coroutine_threadsafe(act(), self._loop).result(_PATIENCE_S)

    def tell(self) -> None:
        """Something that can be waited for has changed."""
        with self._news:
            self._news.notify_all()


class _Rules:
    """What is in force in one direction, and what went through."""

    def __init__(self) -> None:
        self.latency_s = 0.0
        self.is_held = False
        self.is_parted = False
        self.bytes_per_s: float | None = None
        self.delivered = 0
        self.lost = 0

    @property
    def held_bytes(self) -> int:
        return _HELD_BYTES if self.bytes_per_s is None else _HELD_BYTES_SLOW


class _Link:
    """One client's connection and the one that was made to the server for it."""

    def __init__(self, proxy: Proxy, client: socket.socket) -> None:
        server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        self._sockets = (client, server)
        for one in self._sockets:
            one.setblocking(False)
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._pipes = (_Pipe(proxy, "up", client, server), _Pipe(proxy, "down", server, client))

    async def run(self, target: tuple[str, int]) -> None:
        """Forward until both directions have ended. Cancelled, or when one breaks, both connections are reset."""
        loop = asyncio.get_running_loop()
        tasks: list[asyncio.Task[None]] = []
        try:
            await loop.sock_connect(self._sockets[1], target)
            tasks += [loop.create_task(pipe.run()) for pipe in self._pipes]
            await asyncio.gather(*tasks)
            for one in self._sockets:
                one.close()
        except OSError:
            pass  # The server is not there, or one of them broke off.
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self.reset()

    def reset(self) -> None:
        """Close both connections unless they are."""
        for one in self._sockets:
            _reset(one)

    def stir(self) -> None:
        for pipe in self._pipes:
            pipe.stirred.set()


class _Pipe:
    """One direction of a connection: what was read and is not delivered yet, in order."""

    def __init__(self, proxy: Proxy, direction: Direction, source: socket.socket, sink: socket.socket) -> None:
        self._proxy = proxy
        self._rules = proxy.rules[direction]
        self._way_back = proxy.rules["down" if direction == "up" else "up"]
        self._source = source
        self._sink = sink
        self._under_way: deque[tuple[float, bytes | None]] = deque()
        self._held_bytes = 0
        self._has_hole = False
        self._may_send_at_s = 0.0
        self._room = asyncio.Event()
        self.stirred = asyncio.Event()
        """Set when a rule changed or something came: the writer looks again."""

    async def run(self) -> None:
        """Forward until the source has ended. Raises `OSError` when the connection is to be reset."""
        reader = asyncio.ensure_future(self._read())
        try:
            await self._write()
        finally:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        piece: bytes | None = b"-"
        while piece:
            while self._held_bytes >= self._rules.held_bytes:
                self._room.clear()
                await self._room.wait()
            try:
                piece = await loop.sock_recv(self._source, min(_PIECE, self._rules.held_bytes))
            except OSError:
                piece = None
            # The latency may have been lowered; what was sent later still arrives later, since the writer keeps order.
            self._under_way.append((loop.time() + self._rules.latency_s, piece))
            self._held_bytes += len(piece or b"")
            self.stirred.set()

    async def _write(self) -> None:
        """Deliver what is due. The last piece is empty for an end, None for a reset."""
        loop = asyncio.get_running_loop()
        while True:
            self.stirred.clear()
            wait_s = self._wait_s(loop.time())
            if wait_s > 0:
                await _at_most(self.stirred, wait_s)
                continue
            piece = self._under_way[0][1]
            if not piece:
                self._end(is_reset=piece is None or self._has_hole)
                return
            if self._rules.is_parted or self._has_hole:
                self._lose(self._take(len(piece)))
                continue
            piece = self._take(self._pace(loop.time(), len(piece)))
            try:
                await loop.sock_sendall(self._sink, piece)
            except OSError:
                if not self._way_back.is_parted:
                    raise
                # The receiver is gone, and nothing that says so comes back.
                self._lose(piece)
            else:
                self._rules.delivered += len(piece)
                self._proxy.tell()

    def _wait_s(self, now_s: float) -> float:
        """How long there is nothing to do at least."""
        if not self._under_way or self._rules.is_held:
            return float("inf")
        due_s, piece = self._under_way[0]
        if not piece and self._rules.is_parted:
            return float("inf")
        paced_s = self._may_send_at_s if self._rules.bytes_per_s is not None else now_s
        return max(due_s, paced_s) - now_s

    def _pace(self, now_s: float, size: int) -> int:
        """How much of a piece may go now."""
        rate = self._rules.bytes_per_s
        if rate is None:
            return size
        size = min(size, max(1, int(rate / _SLOW_TICKS_PER_S)))
        self._may_send_at_s = max(now_s, self._may_send_at_s) + size / rate
        return size

    def _take(self, size: int) -> bytes:
        """Take that much of what is next."""
        due_s, piece = self._under_way.popleft()
        assert piece is not None
        if size < len(piece):
            self._under_way.appendleft((due_s, piece[size:]))
        self._held_bytes -= size
        self._room.set()
        return piece[:size]

    def _lose(self, piece: bytes) -> None:
        self._has_hole = True
        self._rules.lost += len(piece)
        self._proxy.tell()

    def _end(self, *, is_reset: bool) -> None:
        if is_reset:
            raise ConnectionResetError("the sender broke off, or the stream has a hole")
        with contextlib.suppress(OSError):  # the receiver is gone already
            self._sink.shutdown(socket.SHUT_WR)


async def _at_most(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, or until the time is up."""
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(event.wait(), None if seconds == float("inf") else seconds)


def _reset(one: socket.socket) -> None:
    """Close a socket so that its peer hears of a reset, not of an end."""
    with contextlib.suppress(OSError):  # closed, or not connected
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    one.close()

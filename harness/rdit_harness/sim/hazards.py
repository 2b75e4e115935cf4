"""What the network and the server's operator do: the verbs that go wrong on purpose.

Each counts its fault when it hits something, and is undone when the healing begins (`World` restores every direction);
what cannot be undone, such as a dead transport, is what the core must find out by itself.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from .agenda import MS
from .network import Direction, Transport

if TYPE_CHECKING:
    from .actions import Verb
    from .plan import Step
    from .tab import Tab
    from .world import World


def _tab(world: World, step: Step) -> Tab:
    return world.tabs[step.who % len(world.tabs)]


def _transport(world: World, step: Step) -> Transport | None:
    transport = _tab(world, step).transport
    return None if transport is None or transport.is_cut else transport


def _ways(transport: Transport, which: str) -> list[Direction]:
    return {"up": [transport.to_server], "down": [transport.to_client]}.get(
        which, [transport.to_server, transport.to_client]
    )


def latency(world: World, step: Step) -> None:
    """`(which, ms, jitter_ms)`: how long frames take from now on."""
    which, ms, jitter_ms = step.args
    transport = _transport(world, step)
    if transport is not None:
        world.apply_fault("F1")
        for way in _ways(transport, which):
            way.latency_ns, way.jitter_ns = ms * MS, jitter_ms * MS


def drop(world: World, step: Step) -> None:
    """`()`: the connection is gone, and both ends know."""
    transport = _transport(world, step)
    if transport is not None:
        world.apply_fault("F2")
        transport.cut()


def cut(world: World, step: Step) -> None:
    """`(k, is_delivered)`: the connection is gone in the middle of a frame; a host may see the k bytes that came."""
    k, is_delivered = step.args
    tab, transport = _tab(world, step), _transport(world, step)
    if transport is None:
        return
    world.apply_fault("F3")
    port = tab.port
    if is_delivered and port is not None and port.transport is transport:
        port.receive_junk('{"type":"batch","seq":1,"ops":[]}'[: k % 30])
    transport.cut(server_eof_ms=2)


def half_open(world: World, step: Step) -> None:
    """`(which,)`: nothing arrives any more, and nobody is told."""
    transport = _transport(world, step)
    if transport is not None:
        world.apply_fault("F4")
        for way in _ways(transport, step.args[0]):
            way.is_dead = True


def second_socket(world: World, step: Step) -> None:
    """`(ms,)`: the page sees the end at once, the server only after so long."""
    transport = _transport(world, step)
    if transport is not None:
        world.apply_fault("F5")
        transport.cut(server_eof_ms=step.args[0])


def late_frames(world: World, step: Step) -> None:
    """`(ms,)`: the same, and what was under way to the server arrives just before that."""
    transport = _transport(world, step)
    if transport is None:
        return
    way = transport.to_server
    if way.in_flight:
        world.apply_fault("F6")
    way.hold()
    transport.cut(server_eof_ms=step.args[0] + 1, keep_to_server=True)
    world.agenda.after(step.args[0] * MS, lambda _: way.release(), None)


def stall(world: World, step: Step) -> None:
    """`(which, ms)`: nothing for so long, then all at once."""
    which, ms = step.args
    transport = _transport(world, step)
    if transport is not None:
        world.apply_fault("F7")
        for way in _ways(transport, which):
            way.hold()
            world.agenda.after(ms * MS, Direction.flow, way)


def slow_reader(world: World, step: Step) -> None:
    """`(period_ms, count)`: the page takes a frame now and then."""
    period_ms, count = step.args
    transport = _transport(world, step)
    if transport is None:
        return
    world.apply_fault("F8")
    way = transport.to_client
    way.hold()
    way.window = 8

    def take(left: int) -> None:
        if way.held is None:
            return
        if left <= 0:
            way.release()
            way.widen(64)
        else:
            way.release(1)
            world.agenda.after(period_ms * MS, take, left - 1)

    world.agenda.after(period_ms * MS, take, count)


def flap(world: World, step: Step) -> None:
    """`(count,)`: the connection drops, and so many more are accepted and dropped."""
    tab, transport = _tab(world, step), _transport(world, step)
    tab.flaps = step.args[0]
    if transport is not None:
        transport.cut()


def lose(world: World, step: Step) -> None:
    """`(kind,)`: the next `welcome` or `sync` is lost, and the connection with it."""
    tab, transport = _tab(world, step), _transport(world, step)
    if transport is None or tab.mode == "base":
        return
    trap = f'{{"type":"{step.args[0]}"'
    world.apply_fault("F15" if step.args[0] == "welcome" else "F16")
    if step.args[0] == "welcome":
        tab.trap = trap
        transport.cut()
    else:
        transport.to_client.trap = trap


def tear(world: World, step: Step) -> None:
    """`(ms, skip)`: the page is away for so long, and of the sync that it comes back to a later part is lost."""
    tab, transport = _tab(world, step), _transport(world, step)
    if transport is not None and tab.mode == "v1":
        world.apply_fault("F16")
        tab.blocked_until_ns = world.agenda.now_ns + step.args[0] * MS
        tab.trap, tab.trap_skip = '{"type":"sync"', step.args[1]
        transport.cut()


def away(world: World, step: Step) -> None:
    """`(ms,)`: the page has no network for so long."""
    tab, transport = _tab(world, step), _transport(world, step)
    tab.blocked_until_ns = world.agenda.now_ns + step.args[0] * MS
    if transport is not None:
        if tab.mode == "v1" and step.args[0] / 1000 > world.limits.session_ttl_s:
            world.apply_fault("F13")
        else:
            world.apply_fault("F2")
        transport.cut()


def corrupt(world: World, step: Step) -> None:
    """`(count,)`: so many of the page's next batches arrive unreadable."""
    transport = _transport(world, step)
    if transport is not None and _tab(world, step).mode == "v1":
        transport.to_server.corrupt = step.args[0]


def skew(world: World, step: Step) -> None:
    """`()`: either end speaks a newer version: types and fields that the other does not know."""
    tab, transport = _tab(world, step), _transport(world, step)
    if transport is None or tab.mode == "base" or tab.port is None or not tab.is_live:
        return
    world.apply_fault("F35")
    transport.to_client.send(json.dumps({"type": "novelty", "n": 1}), None)
    transport.to_client.send(json.dumps({"type": "ping", "id": 7, "novelty": [1]}), None)
    transport.to_server.send(json.dumps({"type": "novelty"}), None)
    transport.to_server.send(json.dumps({"type": "sync_ack", "frame": 0, "novelty": {}}), None)


def tab_clock(world: World, step: Step) -> None:
    """`(ms,)`: a page's clock jumps."""
    world.apply_fault("F17")
    _tab(world, step).jump(step.args[0] * MS)


def server_clock(world: World, step: Step) -> None:
    """`(ms,)`: the server's clock jumps."""
    world.apply_fault("F17")
    world.host.jump(step.args[0] * MS)


def restart(world: World, step: Step) -> None:
    """`(down_ms, how)`: the server is killed and comes back: `fresh`, `other` (other kinds), or `restored`."""
    down_ms, how = step.args
    if not world.host.is_up:
        return
    world.apply_fault("F12" if how == "restored" else "F11")
    state = {
        id: {name: getattr(one, name) for name in ("free", "clamped", "chain", "blob")}
        if "blob" not in one.stuck
        else {}
        for id, one in world.widgets.items()
    }
    world.host.kill()

    def up(_: None) -> None:
        world.host = world.new_host()
        world.open_all(state if how == "restored" else {}, other_kinds=how == "other")

    world.agenda.after(down_ms * MS, up)


def shutdown(world: World, step: Step) -> None:
    """`(down_ms,)`: the server says that it goes, goes, and another comes."""
    if not world.host.is_up:
        return
    world.apply_fault("F18")
    world.host.manager.close_connections(world.host.now_s)
    world.drain()

    def down(_: None) -> None:
        restart(world, step)

    world.agenda.after(50 * MS, down)


def heal_all(world: World) -> None:
    """Faults are over: what can be undone is."""
    for tab in world.tabs:
        tab.blocked_until_ns = 0
        tab.flaps = 0
        tab.trap = None
        tab.delay_next = None
        if tab.is_frozen:
            tab.thaw()
        transport = tab.transport
        if transport is not None:
            if tab.mode == "base" and (transport.to_server.is_dead or transport.to_client.is_dead):
                # Base mode has no heartbeat of its own: its socket's pings find that out.
                transport.cut()
                continue
            for way in (transport.to_server, transport.to_client):
                way.trap = None
                way.trap_skip = 0
                way.corrupt = 0
                if way.held is not None:
                    way.release()
                way.widen(64)


HAZARDS: Final[dict[str, Verb]] = {
    one.__name__: one
    for one in (
        latency,
        drop,
        cut,
        half_open,
        second_socket,
        late_frames,
        stall,
        slow_reader,
        flap,
        lose,
        tear,
        away,
        corrupt,
        skew,
        tab_clock,
        server_clock,
        restart,
        shutdown,
    )
}
"""Name to verb."""

"""Peers that mean harm: raw frames over a transport of their own.

A raw peer says hello (or not), sends what it was told to, and goes after a while. What it sends carries values of its
own; those in frames that must have no effect are marked so, and Python must never see them (I14).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from .agenda import MS, S
from .checkers import OpLog
from .network import Frame, Transport
from .wire import SyncAckView, SyncView, WelcomeView

if TYPE_CHECKING:
    from .actions import Verb
    from .plan import Step
    from .world import World

_STAY_NS: Final = 2 * S

Recipe = Frame | Callable[[int], Frame]
"""A frame, or what makes it of the number before the session's first batch; 0 where there is no session."""


class RawPeer:
    """A client that keeps no rules. It acknowledges what it is sent, so that it stays connected."""

    mode = "v1"

    def __init__(
        self, world: World, frames: Sequence[Recipe], *, hello: dict[str, Any] | None, is_silent: bool = False
    ) -> None:
        self.world = world
        self.name = world.next_name("x")
        self.frames = frames
        self.is_silent = is_silent
        self.transport = transport = Transport(world, self.name)
        transport.to_client.arrive = self._arrive
        self.port = world.host.accept(transport, "v1", self, ())
        world.peers.append(self)
        if self.port is None:
            return
        if hello is not None:
            transport.to_server.send(json.dumps({"type": "hello", **hello}), None)
            if is_silent:
                return
        if hello is None:
            self._send_all(0)
        world.agenda.after(_STAY_NS, self._go, None)

    def _send_all(self, before: int) -> None:
        frames, self.frames = self.frames, []
        for frame in frames:
            self.transport.to_server.send(frame(before) if callable(frame) else frame, None)

    def _arrive(self, frame: Frame, told: Any) -> None:
        view = told[0] if told is not None else None
        if type(view) is SyncView:
            self.transport.to_server.send(f'{{"type": "sync_ack", "frame": {view.frame}}}', SyncAckView(view.frame))
        if type(view) is WelcomeView:
            self._send_all(told[0].ack)

    def _go(self, _: None) -> None:
        self.transport.close_from_client()


def _op(
    world: World, widget_id: str, *, is_forbidden: bool, name: str = "free", inst: int | None = None
) -> dict[str, Any]:
    """A `set` op with a value of its own."""
    number = world.next_unique()
    if name in ("free", "other"):
        log = OpLog("x", widget_id, name, 0)
        log.is_forbidden = is_forbidden
        world.ops[number] = log
    widget = world.widgets.get(widget_id)
    if inst is None:
        inst = (world.inst_of(widget) if widget is not None else None) or 0
    return {"op": "set", "widget_id": widget_id, "inst": inst, "property": name, "value": number}


def _batch(seq: Any, *ops: dict[str, Any]) -> str:
    return json.dumps({"type": "batch", "seq": seq, "ops": list(ops)})


def _nth(n: int, *ops: dict[str, Any]) -> Recipe:
    """A batch with the number that the session's `n`th has."""
    return lambda before: _batch(before + n, *ops)


def misnumber(world: World, step: Step) -> None:
    """`(widget_id,)`: a batch, the same number again, nonsense numbers, then a gap."""
    world.apply_fault("F36")
    widget_id = step.args[0]
    frames: list[Recipe] = [
        _nth(1, _op(world, widget_id, is_forbidden=False)),
        _nth(1, _op(world, widget_id, is_forbidden=True)),
        _batch(-1, _op(world, widget_id, is_forbidden=True)),
        _batch(2**53, _op(world, widget_id, is_forbidden=True)),
        _batch("2", _op(world, widget_id, is_forbidden=True)),
        _nth(2, _op(world, widget_id, is_forbidden=True, inst=1 << 40), {"op": "set"}, {"op": "none"}),
        _nth(
            0 if world.network.stream(f"gap {step.at_ms}").random() < 0.5 else 5,
            _op(world, widget_id, is_forbidden=True),
        ),
        _nth(3, _op(world, widget_id, is_forbidden=True)),
    ]
    RawPeer(world, frames, hello={})


def before_hello(world: World, step: Step) -> None:
    """`(widget_id,)`: batches, acknowledgements and a farewell before any hello."""
    world.apply_fault("F36")
    frames: list[Frame] = [
        _batch(1, _op(world, step.args[0], is_forbidden=True)),
        '{"type":"sync_ack","frame":1}',
        '{"type":"bye"}',
        '{"type":"hello"}',
        _batch(1, _op(world, step.args[0], is_forbidden=True)),
    ]
    RawPeer(world, frames, hello=None)


def forbidden_writes(world: World, step: Step) -> None:
    """`(widget_id,)`: writes of what no page may write, and hellos in the middle."""
    world.apply_fault("F36")
    ops = [
        _op(world, step.args[0], is_forbidden=True, name=name)
        for name in ("tick", "private", "_esm", "world", "__class__", "nothing", "comm", "")
    ]
    RawPeer(world, [_nth(1, *ops), '{"type":"hello"}', '{"type":"welcome"}'], hello={})


def foreign_session(world: World, step: Step) -> None:
    """`(how,)`: a hello with a page's credentials: a wrong secret, a rev to come, another epoch, or all right."""
    tab = world.tabs[step.who % len(world.tabs)]
    session = tab.session
    how = step.args[0]
    if session is None or tab.mode == "base":
        return
    resume: dict[str, Any] = {
        "epoch": session.epoch,
        "session": session.session,
        "secret": session.secret,
        "rev": 1,
    }
    if how == "secret":
        resume["secret"] = "0" * 26
    elif how == "future":
        resume["rev"] = 2**53 - 1
    elif how == "epoch":
        resume["epoch"] = "epoch0"
    if how == "twin":
        # The tab was duplicated: its memory, credentials included, is now in two places.
        world.apply_fault("F29")
        session.is_shared = True
        port = tab.port
        resume["rev"] = port.log.rev if port is not None else 1
    else:
        world.apply_fault("F37")
    peer = RawPeer(world, [], hello={"resume": resume})
    if how != "twin" and peer.port is not None:
        port = peer.port

        def check(_: None) -> None:
            if port.log.session is session:
                world.violate("I11", f"{peer.name} got the session of {tab.name} with the wrong {how}")

        world.agenda.after(S, check)


def at_limit(world: World, step: Step) -> None:
    """`(widget_id, over)`: a frame of exactly the limit, or some bytes more or less."""
    widget_id, over = step.args
    limit = world.limits.max_frame_bytes
    if limit > 1_000_000:
        return
    world.apply_fault("F38")
    op = _op(world, widget_id, is_forbidden=over > 0)

    def padded(before: int) -> str:
        batch = {"type": "batch", "seq": before + 1, "ops": [op], "pad": ""}
        return json.dumps({**batch, "pad": "p" * (limit + over - len(json.dumps(batch)))})

    RawPeer(world, [padded], hello={})


def flood(world: World, step: Step) -> None:
    """`(count, is_junk)`: so many frames at once."""
    count, is_junk = step.args
    world.apply_fault("F39")
    frames: list[Frame] = ["{}" if is_junk else '{"type":"ping","id":1}'] * count
    RawPeer(world, frames, hello={})


def flip(world: World, step: Step) -> None:
    """`(widget_id, position, mask)`: a frame with a byte that is not as it was; from a peer of its own."""
    widget_id, position, mask = step.args
    world.apply_fault("F40")
    head, no_buffer = b"RDB1\x02\x00\x00\x00\x40\x00\x00\x00\x08\x00\x00\x00", bytes(8)
    op = _op(world, widget_id, is_forbidden=False)
    op["value"] += 10**9  # So that no flipped digit makes it a value that somebody else was given.

    def flipped(whole: bytes) -> bytes:
        data = bytearray(whole)
        data[position % len(data)] ^= mask or 1
        return bytes(data)

    frames: list[Recipe] = [
        lambda before: flipped(_batch(before + 1, op).encode()),
        lambda before: flipped(head + _batch(before + 1).encode().ljust(64) + no_buffer),
        flipped(b'{"type":"hello"}'),
    ]
    RawPeer(world, frames, hello={})


def noise(world: World, step: Step) -> None:
    """`(count, length)`: random bytes."""
    count, length = step.args
    world.apply_fault("F40")
    random = world.network.stream(f"noise {step.at_ms}").random
    frames: list[Frame] = [bytes(int(random() * 256) for _ in range(length)) for _ in range(count)]
    frames.append(b"RDB1" + bytes(length))
    frames.append("[" * 1000)
    frames.append('{"type":"hello","resume":{"epoch":1}}')
    RawPeer(world, frames, hello={} if count % 2 else None)


def stranger(world: World, step: Step) -> None:
    """`(count,)`: pages come and vanish, so that sessions pile up. They play what was recorded of a tab's session."""
    session = world.tabs[step.who % len(world.tabs)].session
    recorded = [frame for frame, _ in session.batches.values()] if session is not None else []
    for at in range(step.args[0]):
        RawPeer(world, recorded[at:], hello={})
    if world.limits.max_sessions < 1000:
        world.apply_fault("F14")


def settle_peers(world: World) -> None:
    """They go, and say so."""
    for peer in world.peers:
        peer.transport.close_from_client()


HOSTILE: Final[dict[str, Verb]] = {
    one.__name__: one
    for one in (
        misnumber,
        before_hello,
        forbidden_writes,
        foreign_session,
        at_limit,
        flood,
        flip,
        noise,
        stranger,
    )
}
"""Name to verb."""

__all__ = ["HOSTILE", "MS", "RawPeer", "settle_peers"]

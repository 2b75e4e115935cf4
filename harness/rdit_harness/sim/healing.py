"""The end of a run: faults stop, everything comes back, and then all must be well.

First what can be undone is undone, and time goes on until every page is live and idle and nothing is under way; a bound
in virtual time says how long that may take. Then each page makes one more edit, which must arrive (I23). When all is
quiet again, no frame with content may follow (I17), sessions without a page must end with their time (I2), and every
page must show what Python holds (I1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .agenda import MS, S
from .hazards import heal_all
from .hostile import settle_peers

if TYPE_CHECKING:
    from .world import World

_GRACE_S: Final = 100.0
"""What silence takes to be noticed on both ends (45 s each by default), a backoff (20 s), and some."""
_LOOK_NS: Final = 500 * MS
_QUIET_NS: Final = 3 * S


def heal(world: World) -> None:
    """Bring a world to rest and ask the checkers that wait for that."""
    if not world.host.is_up:
        world.run_until(world.agenda.now_ns + 10 * S)
    heal_all(world)
    settle_peers(world)
    world.drain()
    _settle(world, "after the faults")
    for tab in world.tabs:
        # What is set and not saved is the page's own, and shows nowhere else.
        for widget_id in dict.fromkeys(key[0] for key in tab.user.unsaved):
            tab.user.save(widget_id)
        tab.pump()
    for tab in world.tabs:
        if tab.is_over:
            continue
        for widget_id in world.setup.widgets[:1]:
            value = world.next_unique()
            if tab.user.edit(widget_id, "free", value):
                world.probes.append((tab, widget_id, value))
                tab.pump()
    _settle(world, "after the last edits")
    world.is_counting = True
    world.run_until(world.agenda.now_ns + _QUIET_NS)
    world.is_counting = False
    # A page whose clock jumped may have found its connection silent meanwhile, and is on its way back.
    _settle(world, "after it was quiet")
    _outlive_sessions(world)
    for check in world.hooks.at_end:
        check()


def _settle(world: World, when: str) -> None:
    limits = world.limits
    bound = world.agenda.now_ns + int((_GRACE_S + 2 * limits.silence_s + limits.stall_s + limits.return_s) * S)
    while True:
        world.run_until(world.agenda.now_ns + _LOOK_NS)
        why = _restless(world)
        if not why:
            return
        if world.agenda.now_ns >= bound:
            world.violate("I2", f"not at rest {when}: {why}")


def _restless(world: World) -> str:
    """What is not at rest yet; empty when all is."""
    if not world.host.is_up:
        return "the server is down"
    if world.host.is_busy:
        return "the kernel has work"
    if world.agenda.now_ns < world.late_ns:
        return "an old socket is not closed yet"
    for tab in world.tabs:
        if tab.is_over:
            continue
        if tab.state in ("failed", "closed"):
            world.violate("I2", f"{tab.name} is {tab.state} for good")
        if not tab.is_live:
            return f"{tab.name} is {tab.state}"
        has, due = set(tab.models()) - {"real"}, {id for id in world.widgets if tab.may_show(id)}
        if has != due:
            return f"{tab.name} has {sorted(has)}, should have {sorted(due)}"
        if not tab.is_idle:
            return f"{tab.name} has edits on their way"
        transport = tab.transport
        if transport is None:
            return f"{tab.name} has no transport"
        if transport.to_server.is_dead or transport.to_client.is_dead:
            return f"{tab.name} has not noticed that its transport is dead"
        if transport.to_server.content or transport.to_client.content:
            return f"{tab.name} has frames under way"
        if tab.mode == "base" and tab.port is not None and tab.port.connection.next_deadline() is not None:
            return f"{tab.name} waits for a correction"
    return ""


def _outlive_sessions(world: World) -> None:
    """Sessions of pages that are gone end with their time; connections of theirs before that."""
    if len(world.host.manager.sessions) <= sum(tab.mode == "v1" and not tab.is_over for tab in world.tabs):
        return
    limits = world.limits
    # A connection whose peer vanished is found out after `silence_s`, its session goes `session_ttl_s` later.
    world.run_until(world.agenda.now_ns + int((limits.silence_s + limits.session_ttl_s + 2) * S))
    _settle(world, "after sessions expired")

"""What users and Python do: the verbs of a case's steps.

A verb takes the world and its step, looks at what is there, and does its thing; where that makes no sense at the moment
(a widget that is not open) it does nothing, so that a case stays runnable when steps are taken out of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import traitlets

from rdit_core.errors import RditError

from .agenda import MS
from .widgets import odd_value

if TYPE_CHECKING:
    from .plan import Step
    from .tab import Tab
    from .world import World

Verb = Callable[["World", "Step"], None]

_PYTHON_ERRORS: Final = (traitlets.TraitError, RuntimeError, RditError)
"""What a user's own code gets to see when a validator refuses or an observer fails."""

_DRAG_NS: Final = 16 * MS


def _tab(world: World, step: Step) -> Tab:
    return world.tabs[step.who % len(world.tabs)]


def _value(world: World, name: str, value: Any) -> Any:
    if name in ("free", "other"):
        return world.next_unique()
    if name == "blob":
        if value in ("one", "true", "float", "nan", "bytes", "huge", "nested", "inf"):
            world.fire("F25")
        return odd_value(value)
    return value


_DIFFICULT: Final = {"clamped": "F21", "picky": "F21", "low": "F21", "high": "F21"}


def edit(world: World, step: Step) -> None:
    """`(widget_id, name, value, name, value, ...)`: a user sets these and saves once."""
    tab = _tab(world, step)
    widget_id, *pairs = step.args
    names = pairs[::2]
    for index, name in enumerate(names):
        is_last = index == len(names) - 1
        if not tab.user.edit(widget_id, name, _value(world, name, pairs[2 * index + 1]), save=is_last):
            return
        if name in _DIFFICULT:
            world.fire(_DIFFICULT[name])
        elif name == "linked" and world.setup.linked:
            world.fire("F23")
    if world.host.is_busy:
        world.mark("edit under way while the kernel works")
    tab.pump()


def set_only(world: World, step: Step) -> None:
    """`(widget_id, name, value)`: a user sets without saving."""
    tab = _tab(world, step)
    widget_id, name, value = step.args
    tab.user.edit(widget_id, name, _value(world, name, value), save=False)
    tab.pump()


def save(world: World, step: Step) -> None:
    """`(widget_id,)`: a user saves."""
    tab = _tab(world, step)
    tab.user.save(step.args[0])
    tab.pump()


def drag(world: World, step: Step) -> None:
    """`(widget_id, name, first, count)`: so many edits, 16 ms apart; two pages in turn if `who` is odd."""
    widget_id, name, first, count = step.args
    tabs = [_tab(world, step)]
    if step.who % 2 and len(world.tabs) > 1:
        tabs.append(world.tabs[(step.who + 1) % len(world.tabs)])
        world.fire("F32")
    for index in range(count):
        world.agenda.after(
            index * _DRAG_NS, _drag_one, (world, tabs[index % len(tabs)], widget_id, name, first + index)
        )


def _drag_one(item: tuple[World, Tab, str, str, int]) -> None:
    world, tab, widget_id, name, value = item
    tab.user.edit(widget_id, name, _value(world, name, value))
    tab.pump()


def offline_edits(world: World, step: Step) -> None:
    """`(widget_id, count)`: a user goes on while there is no connection."""
    tab = _tab(world, step)
    widget_id, count = step.args
    if tab.is_live:
        return
    if count >= 50:
        world.fire("F33")
    for index in range(count):
        tab.user.edit(widget_id, "free" if index % 2 else "clamped", world.next_unique() if index % 2 else index % 100)
    tab.pump()


def message(world: World, step: Step) -> None:
    """`(widget_id, with_buffers, fails)`: a page sends a custom message."""
    tab = _tab(world, step)
    widget_id, has_buffers, fails = step.args
    content = {"id": world.next_unique(), **({"fail": True} if fails else {})}
    tab.user.send(widget_id, content, [b"\x01\x02\x03", bytes(64)] if has_buffers else [])
    tab.pump()


def set_message_set(world: World, step: Step) -> None:
    """`(widget_id,)`: set, message, set of one slot, in one go: nothing may merge across."""
    tab = _tab(world, step)
    for _ in range(2):
        tab.user.edit(step.args[0], "free", world.next_unique())
        tab.user.send(step.args[0], {"id": world.next_unique()}, [])
    tab.user.edit(step.args[0], "free", world.next_unique())
    tab.pump()


def reload(world: World, step: Step) -> None:
    """A user loads the page anew."""
    _tab(world, step).reload()


def freeze(world: World, step: Step) -> None:
    """`(ms,)`: a page is put aside for that long."""
    tab = _tab(world, step)
    if tab.mode == "base" or tab.is_frozen:
        return
    world.apply_fault("F30")
    tab.freeze()
    world.agenda.after(step.args[0] * MS, lambda _: tab.thaw(), None)


def hint(world: World, step: Step) -> None:
    """The browser says `online`."""
    _tab(world, step).hint()


def subscribe(world: World, step: Step) -> None:
    """`(widget_id, ...)`: a page shows these from now on; none for all."""
    tab = _tab(world, step)
    tab.subscribe(step.args or None)


# Python.


def python_set(world: World, step: Step) -> None:
    """`(widget_id, name, value, name, value, ...)`: Python sets, several under one hold."""
    widget_id, *pairs = step.args
    widget = world.widgets.get(widget_id)
    if widget is None:
        return
    values = [(pairs[at], _value(world, pairs[at], pairs[at + 1])) for at in range(0, len(pairs), 2)]
    try:
        if len(values) > 1:
            world.fire("F22")
            with widget.hold_trait_notifications():
                for name, value in values:
                    setattr(widget, name, value)
            if any(name == "blob" for name, _ in values):
                world.host.manager.touch(widget, "blob")
        else:
            name, value = values[0]
            setattr(widget, name, value)
            if name == "blob":
                world.host.manager.touch(widget, "blob")  # 1 to True tells nobody.
    except _PYTHON_ERRORS:
        world.mark("Python was refused")
        # traitlets tells nobody else of a change once an observer raised, and the core may be that nobody.
        for name, _ in values:
            world.host.manager.touch(widget, name)


def python_odd(world: World, step: Step) -> None:
    """`(widget_id, name of a value)`: Python sets what has no form on the wire."""
    widget = world.widgets.get(step.args[0])
    if widget is not None:
        world.fire("F25")
        forms = widget.blob_forms()
        widget.blob = odd_value(step.args[1])
        if step.args[1] not in ("cycle", "object"):
            world.host.manager.touch(widget, "blob")
        else:
            widget.stuck["blob"] = forms
            world.mark("value without a form")


def python_mutate(world: World, step: Step) -> None:
    """`(widget_id, with_touch)`: Python edits a list in place."""
    widget = world.widgets.get(step.args[0])
    if widget is None:
        return
    if type(widget.blob) is not list or "blob" in widget.stuck:
        widget.blob = [0]
        return
    world.fire("F24")
    widget.note_blob()
    forms = widget.blob_forms()
    widget.blob.append(len(widget.blob))
    if step.args[1]:
        world.host.manager.touch(widget, "blob")
    else:
        widget.stuck["blob"] = forms


def python_message(world: World, step: Step) -> None:
    """`(widget_id, size, is_targeted)`: Python sends a custom message, to all pages or to one."""
    widget_id, size, is_targeted = step.args
    to = _tab(world, step).session if is_targeted else None
    if to is not None and to.epoch != world.host.epoch:
        to = None
    world.send_message(widget_id, size=size, to=to)


def python_tick(world: World, step: Step) -> None:
    """`(widget_id, count)`: Python sets as fast as it can."""
    widget = world.widgets.get(step.args[0])
    if widget is not None:
        for _ in range(step.args[1]):
            widget.free = world.next_unique()


def python_pulse(world: World, step: Step) -> None:
    """`(widget_id, count)`: Python sets a trait and takes it back at once, so many times."""
    widget = world.widgets.get(step.args[0])
    if widget is not None:
        for _ in range(step.args[1]):
            value = world.next_unique()
            world.pulsed(widget, value)
            widget.mail = value
            widget.mail = 0


def close(world: World, step: Step) -> None:
    """`(widget_id,)`: Python closes a widget."""
    if world.close_widget(step.args[0]):
        world.fire("F27")


def reopen(world: World, step: Step) -> None:
    """`(widget_id, kind)`: another widget under an id."""
    world.fire("F27")
    world.reopen(*step.args)


def real_set(world: World, step: Step) -> None:
    """`(value,)`: Python sets a trait of the real anywidget."""
    if world.real is not None:
        world.real.value = step.args[0]


def busy(world: World, step: Step) -> None:
    """`(ms, duration_ms)`: the kernel takes that long to come round."""
    ms, duration_ms = step.args
    world.apply_fault("F26")
    host = world.host
    host.kernel_ns = ms * MS

    def over(_: None) -> None:
        host.kernel_ns = world.setup.kernel_ms * MS

    world.agenda.after(duration_ms * MS, over)


ACTIONS: Final[dict[str, Verb]] = {
    one.__name__: one
    for one in (
        edit,
        set_only,
        save,
        drag,
        offline_edits,
        message,
        set_message_set,
        reload,
        freeze,
        hint,
        subscribe,
        python_set,
        python_odd,
        python_mutate,
        python_message,
        python_tick,
        python_pulse,
        close,
        reopen,
        real_set,
        busy,
    )
}
"""Name to verb."""

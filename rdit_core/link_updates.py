"""What an update tells of linked traits: all that are linked with each other, in one.

Where a widget holds what it has to say (`hold_sync`), so do all that are linked with it.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from .atomic import Group
from .hosts import hosts_of
from .link_ends import EARS, Ear, read


def note_all(group: Group, ears: Collection[Ear], *, is_first: bool) -> None:
    """Have a group tell of all that is linked with ends that took part in a change.

    Args:
        group: is to tell.
        ears: the ends.
        is_first: whether a link is being made: then only its own ends have changed, and nothing else that hangs on it.
    """
    for component in [list(ears)] if is_first else _components(ears):
        held = any(holds_sync(ear.obj(), ear.name) for ear in component)
        for ear in component:
            note(group, ear.obj(), ear.name, is_held=held)


def _components(ears: Iterable[Ear]) -> Iterator[list[Ear]]:
    """All ends that are linked with these, those together that are linked with each other."""
    seen: set[Ear] = set()
    for first in ears:
        if first in seen:
            continue
        seen.add(first)
        component = [first]
        for ear in component:
            for serial, link in list(ear.links.items()):
                for key in link.keys:
                    ref = EARS.get(key)
                    other = ref() if ref is not None else None
                    # The number may be that of a later object.
                    if other is not None and other not in seen and serial in other.links:
                        seen.add(other)
                        component.append(other)
        yield component


def holds_sync(obj: Any, name: str | None = None) -> bool:
    """Whether a widget is inside of its `hold_sync`, with this property to tell of at the end."""
    return bool(getattr(obj, "_holding_sync", False)) and (name is None or name in obj._states_to_send)


def note(group: Group, obj: Any, name: str, *, is_held: bool = False) -> None:
    """Have a group tell of an end that is shown. One whose object holds its notifications comes with these."""
    for store, hosted in hosts_of(obj):
        if name not in hosted.slots or not store.is_shown(hosted):
            continue
        if is_held:
            group.discard(store, hosted, name)
        elif not obj._cross_validation_lock:
            hosted.writers.add(threading.get_ident())
            group.add(store, hosted, {name: read(obj, name)})

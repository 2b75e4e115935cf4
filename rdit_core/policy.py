"""What a page may write.

`sync=True` says what is *shown* to a page; it is no allow-list. anywidget tags `_esm` and `_css` with it, and
`HasTraits.set_trait` walks around `read_only=True`, so the rules stand here and are asked before any trait is touched.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from .errors import UpdateCode

_PROTECTED_NAMES: Final = frozenset({"_esm", "_css", "_anywidget_id", "comm", "keys", "layout", "log"})
_PROTECTED: Final = re.compile(r"_(?:model|view)_.*|__.*", re.DOTALL)


def is_protected(name: str) -> bool:
    """Whether no page may ever write this property, whatever its widget declares.

    Code and style, the model's and view's identity, the widget's plumbing, and everything with two leading underscores.
    """
    return name in _PROTECTED_NAMES or _PROTECTED.fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class PropertyFacts:
    """What is known of one property of one widget, whatever library the widget is made with."""

    exists: bool
    synced: bool = False
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class WritePolicy:
    """Which of a widget's properties a page may write. The default: every synced one that nothing forbids.

    Attributes:
        two_way: False makes the whole widget read-only for pages. Two-way sync is one code path: a policy, no mode.
        writable: when given, only these names may be written (the general rules still hold).
        if_unchanged: names (True for all) that a page writes only as it last saw them. A write is refused with
            `conflict` when somebody else changed the slot since: a page that slept overwrites nothing newer. In base
            mode, where a page cannot say what it saw, each write is.
        messages: False refuses custom messages and commands of pages, whose handlers are the widget's own code.
    """

    two_way: bool = True
    writable: Collection[str] | None = None
    if_unchanged: bool | Collection[str] = False
    messages: bool = True

    def compares(self, name: str) -> bool:
        """Whether a property may be written only as the page last saw it."""
        return self.if_unchanged if isinstance(self.if_unchanged, bool) else name in self.if_unchanged

    def refusal(self, name: str, facts: PropertyFacts) -> tuple[UpdateCode, str] | None:
        """Say why a property may not be written, as code and text without values, or None when it may."""
        if is_protected(name):
            return "protected_property", "a page may never write it"
        if not facts.exists:
            return "unknown_property", "the widget has no such property"
        if not facts.synced:
            return "not_synced", "it is not synchronised (tag it with sync=True)"
        if facts.read_only or not self.two_way or (self.writable is not None and name not in self.writable):
            return "read_only", "it is read-only for pages"
        return None

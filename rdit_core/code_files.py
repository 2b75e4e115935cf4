"""Widget code that lives in files: which files those are, and what a file's new text does.

anywidget keeps a path in `_esm` or `_css` as a `FileContents`: it reads the file once, and gives a new text to whoever
listens, which is every widget of the class and every descriptor. A plain `traitlets.HasTraits` has the path itself.
Nothing here watches or reads a file; that is for a host to do.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import traitlets

from .encoding import decode_value
from .hosted import HostedWidget
from .references import is_ipywidget

_NAMES: Final = ("_esm", "_css")


@dataclass(frozen=True, slots=True)
class CodeFile:
    """A file that some widgets have their module or style from."""

    path: Path
    """Absolute."""
    widget_ids: tuple[str, ...]
    texts: frozenset[str]
    """What was read of it: one text, unless the file was changed meanwhile."""


@dataclass(frozen=True, slots=True)
class CodeSource:
    """One widget's module or style, from a file."""

    name: str
    """`_esm` or `_css`."""
    path: Path
    contents: Any
    """anywidget's `FileContents`, or None for the path of a plain `HasTraits`."""

    def text(self, hosted: HostedWidget) -> str | None:
        """What was read of the file; None for nothing yet."""
        if self.contents is not None:
            text: str | None = self.contents._contents
            return text
        if self.name == "_esm":
            return hosted.esm
        slot = hosted.slots.get(self.name)
        return None if slot is None else decode_value(bytes(slot.value.base))


def sources_of(widget: Any) -> list[CodeSource]:
    """The files of a widget. Runs no user code."""
    if is_ipywidget(widget):
        found = [(name, _first(widget, name)) for name in _NAMES]
    elif (descriptors := list(_descriptors(widget))) != []:
        found = [(name, one._extra_state.get(name)) for one in descriptors for name in _NAMES]
    else:
        found = [(name, _present(widget, name)) for name in _NAMES]
    sources = []
    for name, value in found:
        if isinstance(value, Path):
            sources.append(CodeSource(name, value.absolute(), None))
        elif _is_contents(value):
            sources.append(CodeSource(name, value._path, value))
    return sources


def code_files(hosted: Iterable[tuple[str, HostedWidget]]) -> dict[Path, CodeFile]:
    """The files of these widgets, by path."""
    files: dict[Path, CodeFile] = {}
    for widget_id, one in hosted:
        for source in sources_of(one.widget):
            text = source.text(one)
            before = files.get(source.path, CodeFile(source.path, (), frozenset()))
            ids = before.widget_ids if widget_id in before.widget_ids else (*before.widget_ids, widget_id)
            texts = before.texts if text is None else before.texts | {text}
            files[source.path] = CodeFile(source.path, ids, texts)
    return files


def reload(
    hosted: Iterable[tuple[str, HostedWidget]],
    path: Path,
    text: str,
    commit: Callable[[HostedWidget, dict[str, Any]], object],
) -> list[str]:
    """Give the widgets that have code from a file its new text. See `WidgetManager.reload_code`."""
    changed: dict[str, None] = {}
    renewed: list[Any] = []
    failed: Exception | None = None
    for widget_id, one in hosted:
        for source in sources_of(one.widget):
            if source.path != path:
                continue
            changed[widget_id] = None
            try:
                if source.contents is None:
                    commit(one, {source.name: text})
                elif not any(source.contents is contents for contents in renewed):
                    renewed.append(source.contents)
                    # For widgets that come later; those that are there listen.
                    source.contents._contents = text
                    source.contents.changed.emit(text)
            except Exception as error:
                failed = failed or error
    if failed is not None:
        raise failed
    return list(changed)


def as_text(value: Any) -> Any:
    """The text of a `FileContents`, anything else as it is: a descriptor opens its comm with the state half read."""
    module = sys.modules.get("anywidget._file_contents")
    if module is not None and isinstance(value, (module.FileContents, module.VirtualFileContents)):
        return str(value)
    return value


def _first(widget: Any, name: str) -> Any:
    """What the class was written with: an instance has a trait of that name instead."""
    for kind in type(widget).__mro__:
        value = vars(kind).get(name)
        if value is not None and not isinstance(value, traitlets.TraitType):
            return value
    return None


def _present(widget: Any, name: str) -> Any:
    value = inspect.getattr_static(widget, name, None)
    return widget._trait_values.get(name) if isinstance(value, traitlets.TraitType) else value


def _descriptors(widget: Any) -> Iterator[Any]:
    module = sys.modules.get("anywidget._descriptor")
    if module is None:
        return
    for kind in type(widget).__mro__:
        for value in vars(kind).values():
            if isinstance(value, module.MimeBundleDescriptor):
                yield value


def _is_contents(value: Any) -> bool:
    module = sys.modules.get("anywidget._file_contents")
    return module is not None and isinstance(value, module.FileContents)

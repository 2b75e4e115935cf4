"""Files of code that anywidget watches, and the widgets that follow them.

anywidget keeps a file's contents on the class and has each widget listen to them, for ever: neither a widget that is
closed nor one that nobody uses is ever let go. A manager that lets a widget go takes its listener out, and puts one in
when it hosts it again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

_CODE: Final = ("_esm", "_css")


def stop_following(listener: Any, contents: Any) -> None:
    """Take out whatever holds this object and listens to these contents."""
    signal = contents.changed
    for slot in list(signal._slots):
        callback = slot.dereference()
        cells = getattr(callback, "__closure__", None) or ()
        if any(cell.cell_contents is listener for cell in cells):
            signal.disconnect(callback)


def leave_files(widget: Any) -> None:
    """Have an anywidget follow its files no more."""
    for _, contents in _files(widget):
        stop_following(widget, contents)


def follow_files(widget: Any) -> None:
    """Have an anywidget follow its files, from what they hold now."""
    for name, contents in _files(widget):
        stop_following(widget, contents)
        setattr(widget, name, str(contents))
        contents.changed.connect(lambda text, name=name: setattr(widget, name, text))


def _files(widget: Any) -> Iterator[tuple[str, Any]]:
    for name in _CODE:
        for kind in type(widget).__mro__:
            contents = vars(kind).get(name)
            if hasattr(contents, "changed"):
                yield name, contents
                break

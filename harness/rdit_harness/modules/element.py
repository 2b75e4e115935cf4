"""The stand-in for a DOM element: attributes, children, text, listeners, and clicks by hand.

Enough for a simulated `render`, and no more. It lays nothing out, parses no HTML and no CSS, and has no default
actions: a click on a checkbox ticks nothing. Whatever it does not have raises `NeedsBrowser`, so that a test never
passes because a part of the page was not there. Names are Python's; the DOM's (`textContent`, `addEventListener`,
`onclick`, `ownerDocument`) are understood.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Iterator
from types import SimpleNamespace
from typing import Any, Final, NamedTuple

from .abort import AbortSignal
from .spelling import JsSpelling, snake_case

EventListener = Callable[..., object]


class NeedsBrowser(Exception):
    """This takes a real page."""


_PROPERTIES: Final[dict[str, Any]] = {
    **dict.fromkeys("alt class_name href id max min name placeholder src step title type value".split(), ""),
    **dict.fromkeys(["checked", "disabled", "hidden"], False),
}
"""What can be set as a property, and what it is before that."""

_ATTRIBUTES: Final = {"class_name": "class"}
"""Where a property is kept, if not in an attribute of its name."""

_HANDLER: Final = re.compile("on[a-z]+")

_COMPOUND: Final = re.compile(
    r"(?P<tag>\*|[a-zA-Z][\w-]*)?(?P<rest>(?:[#.][\w-]+|\[[\w-]+(?:=\"[^\"]*\"|=[\w-]+)?\])*)"
)
_SIMPLE: Final = re.compile(r"[#.][\w-]+|\[[\w-]+(?:=\"[^\"]*\"|=[\w-]+)?\]")


class Event(JsSpelling):
    """Something that happened at an element.

    Args:
        type: its name: `click`, `input`.
        detail: what else it says: `Event("keydown", key="a")`.
    """

    def __init__(self, type: str, **detail: Any) -> None:
        self.type = type
        self.target: Element | None = None
        self.current_target: Element | None = None
        self.default_prevented = False
        self.is_stopped = False
        self.__dict__.update(detail)

    def prevent_default(self) -> None:
        """Noted in `default_prevented`; there is no default here."""
        self.default_prevented = True

    def stop_propagation(self) -> None:
        """Tell the elements around nothing of it."""
        self.is_stopped = True


class ClassList:
    """The classes of an element."""

    def __init__(self, element: Element) -> None:
        self._element = element

    def _names(self) -> dict[str, None]:
        return dict.fromkeys(self._element.class_name.split())

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    def __contains__(self, name: str) -> bool:
        return name in self._names()

    contains = __contains__

    def add(self, *names: str) -> None:
        """Put these on."""
        self._element.class_name = " ".join({**self._names(), **dict.fromkeys(names)})

    def remove(self, *names: str) -> None:
        """Take these off."""
        self._element.class_name = " ".join(name for name in self if name not in names)

    def toggle(self, name: str, force: bool | None = None) -> bool:
        """Put it on or take it off. Returns whether it is on now."""
        is_on = name not in self if force is None else force
        (self.add if is_on else self.remove)(name)
        return is_on


class _Listener(NamedTuple):
    type: str
    callback: EventListener
    once: bool
    takes_event: bool


class Element(JsSpelling):
    """A node of a simulated page: `Element("button", title="Add one")`.

    Args:
        tag: its name.
        properties: set on it.
    """

    tag: str
    attributes: dict[str, str]
    style: SimpleNamespace
    parent: Element | None
    child_nodes: list[Element | str]

    def __init__(self, tag: str = "div", **properties: Any) -> None:
        set_own = super().__setattr__
        set_own("tag", tag.lower())
        set_own("attributes", {})
        set_own("style", SimpleNamespace())
        set_own("parent", None)
        set_own("child_nodes", [])
        set_own("_properties", {})
        set_own("_listeners", [])
        set_own("_handlers", {})
        set_own("_start", _refuse)
        set_own("_fail", _raise)
        for name, value in properties.items():
            setattr(self, name, value)

    @classmethod
    def root(cls, run: Callable[[Awaitable[Any]], object], on_error: Callable[[Exception], object]) -> Element:
        """The element of a view.

        Args:
            run: starts what an async listener gives.
            on_error: told what listeners raise.
        """
        element = cls()
        object.__setattr__(element, "_start", run)
        object.__setattr__(element, "_fail", on_error)
        return element

    def __repr__(self) -> str:
        attributes = "".join(f' {name}="{value}"' for name, value in self.attributes.items())
        return f"<{self.tag}{attributes}>{self.text_content}</{self.tag}>"

    # Properties.

    def _missing(self, name: str) -> Any:
        known = snake_case(name)
        if known in _PROPERTIES:
            return self._properties.get(known, self._reflected(known))
        if _HANDLER.fullmatch(name):
            handler = self._handlers.get(name[2:])
            return handler.callback if handler is not None else None
        if name.startswith("_"):
            return super()._missing(name)
        raise NeedsBrowser(f"A simulated element has no {name}")

    def _reflected(self, name: str) -> Any:
        initial = _PROPERTIES[name]
        attribute = _ATTRIBUTES.get(name, name)
        if isinstance(initial, bool):
            return attribute in self.attributes
        return self.attributes.get(attribute, initial)

    def __setattr__(self, name: str, value: Any) -> None:
        known = snake_case(name)
        if known == "text_content":
            self.replace_children(*([str(value)] if value not in ("", None) else []))
        elif known in ("value", "checked"):
            self._properties[known] = value
        elif known in _PROPERTIES:
            attribute = _ATTRIBUTES.get(known, known)
            if not isinstance(_PROPERTIES[known], bool):
                self.attributes[attribute] = str(value)
            elif value:
                self.attributes[attribute] = ""
            else:
                self.attributes.pop(attribute, None)
        elif _HANDLER.fullmatch(name):
            self._handlers.pop(name[2:], None)
            if value is not None:
                self._handlers[name[2:]] = _Listener(name[2:], value, False, _takes_event(value))
        else:
            raise NeedsBrowser(f"A simulated element has no {name} to set")

    # Attributes.

    def get_attribute(self, name: str) -> str | None:
        """None where there is none."""
        return self.attributes.get(name)

    def has_attribute(self, name: str) -> bool:
        """Whether there is one of that name."""
        return name in self.attributes

    def set_attribute(self, name: str, value: Any) -> None:
        """Kept as text."""
        self.attributes[name] = str(value)

    def remove_attribute(self, name: str) -> None:
        """Harmless where there is none."""
        self.attributes.pop(name, None)

    @property
    def class_list(self) -> ClassList:
        """Its classes, to be changed."""
        return ClassList(self)

    # The tree.

    @property
    def children(self) -> list[Element]:
        """The elements in it, without the texts."""
        return [node for node in self.child_nodes if isinstance(node, Element)]

    @property
    def text_content(self) -> str:
        """All text in it."""
        return "".join(node if isinstance(node, str) else node.text_content for node in self.child_nodes)

    @property
    def parent_element(self) -> Element | None:
        """What it is in."""
        return self.parent

    @property
    def owner_document(self) -> Document:
        """What makes elements."""
        return Document()

    def append(self, *nodes: Element | str) -> None:
        """Put elements or texts at the end; an element that is elsewhere moves."""
        for node in nodes:
            if isinstance(node, Element):
                if node is self or node in self._around():
                    raise ValueError(f"Expected an element that {self!r} is not in")
                node.remove()
                object.__setattr__(node, "parent", self)
            self.child_nodes.append(node)

    def append_child(self, node: Element) -> Element:
        """Put an element at the end. Returns it."""
        self.append(node)
        return node

    def remove(self) -> None:
        """Take it out of where it is."""
        if self.parent is not None:
            nodes = self.parent.child_nodes
            del nodes[next(at for at, node in enumerate(nodes) if node is self)]
            object.__setattr__(self, "parent", None)

    def replace_children(self, *nodes: Element | str) -> None:
        """These, instead of all that is in it."""
        for child in self.children:
            child.remove()
        self.child_nodes.clear()
        self.append(*nodes)

    def _around(self) -> Iterator[Element]:
        parent = self.parent
        while parent is not None:
            yield parent
            parent = parent.parent

    # Looking for one.

    def matches(self, selector: str) -> bool:
        """Whether a selector of one element is for it: `button.primary[data-id="3"]`."""
        found = _COMPOUND.fullmatch(selector.strip())
        if found is None or not selector.strip():
            raise NeedsBrowser(f"Simulated elements are found by tag, #id, .class and [attribute], not by {selector!r}")
        if found["tag"] not in (None, "*", self.tag):
            return False
        return all(self._matches_simple(simple) for simple in _SIMPLE.findall(found["rest"]))

    def _matches_simple(self, simple: str) -> bool:
        if simple[0] == "#":
            return bool(self.id == simple[1:])
        if simple[0] == ".":
            return simple[1:] in self.class_list
        name, has_value, value = simple[1:-1].partition("=")
        return name in self.attributes and (not has_value or self.attributes[name] == value.strip('"'))

    def query_selector_all(self, selector: str) -> list[Element]:
        """Those in it that match, in the order of the page."""
        found = []
        for child in self.children:
            if child.matches(selector):
                found.append(child)
            found.extend(child.query_selector_all(selector))
        return found

    def query_selector(self, selector: str) -> Element | None:
        """The first in it that matches."""
        return next(iter(self.query_selector_all(selector)), None)

    def find(self, selector: str) -> Element:
        """The one in it that matches. Raises `LookupError` where there is none or more than one."""
        found = self.query_selector_all(selector)
        if len(found) != 1:
            raise LookupError(f"Expected one {selector!r} in {self!r}, got {len(found)}")
        return found[0]

    # Events.

    def add_event_listener(
        self,
        type: str,
        callback: EventListener,
        options: dict[str, Any] | None = None,
        *,
        once: bool = False,
        signal: AbortSignal | None = None,
    ) -> None:
        """Listen. The callback is given the `Event` if it takes an argument, and may be async.

        Args:
            type: `click`, `input`, whatever is dispatched.
            callback: added a second time it is there once.
            options: the browser's way to say `once` and `signal`.
            once: it goes when it was called.
            signal: it goes when that aborts.
        """
        once = bool((options or {}).get("once", once))
        signal = (options or {}).get("signal", signal)
        if any(one.type == type and one.callback == callback for one in self._listeners):
            return
        if signal is not None and signal.aborted:
            return
        self._listeners.append(_Listener(type, callback, once, _takes_event(callback)))
        if signal is not None:
            signal.on_abort(lambda: self.remove_event_listener(type, callback))

    def remove_event_listener(self, type: str, callback: EventListener) -> None:
        """Harmless where there is none."""
        self._listeners[:] = [one for one in self._listeners if one.type != type or one.callback != callback]

    @property
    def listener_count(self) -> int:
        """How many listeners it has, those of elements in it included; for leak checks."""
        return len(self._listeners) + len(self._handlers) + sum(child.listener_count for child in self.children)

    def dispatch(self, type: str, *, bubbles: bool = True, **detail: Any) -> Event:
        """Have something happen here, and to the elements around: `dispatch("click")`, `dispatch("keydown", key="a")`.

        In a view, what listeners raise does not come out here, as in a page: it fails the test that mounted it.
        """
        event = Event(type, **detail)
        event.target = self
        path = [self, *self._around()]
        root = path[-1]
        for element in path if bubbles else path[:1]:
            event.current_target = element
            for listener in element._take_listeners(type):
                try:
                    result = listener.callback(event) if listener.takes_event else listener.callback()
                    if inspect.isawaitable(result):
                        root._start(result)
                except Exception as error:
                    root._fail(error)
            if event.is_stopped:
                break
        event.current_target = None
        return event

    def _take_listeners(self, type: str) -> list[_Listener]:
        handler = self._handlers.get(type)
        listeners = [one for one in (handler, *self._listeners) if one is not None and one.type == type]
        if any(one.once for one in listeners):
            self._listeners[:] = [one for one in self._listeners if not (one.once and one.type == type)]
        return listeners

    def click(self) -> None:
        """A click, as a user's; a disabled element hears none."""
        if not self.disabled:
            self.dispatch("click")


def _refuse(result: Awaitable[Any]) -> None:
    """An element that is in no view cannot run what is async."""
    if inspect.iscoroutine(result):
        result.close()
    raise LookupError("Expected an element in a view: its listener is async")


def _raise(error: Exception) -> None:
    raise error


def _takes_event(callback: EventListener) -> bool:
    try:
        inspect.signature(callback).bind(None)
    except (TypeError, ValueError):
        return False
    return True


class Document(JsSpelling):
    """What makes elements, for code that asks `el.owner_document`."""

    def create_element(self, tag: str) -> Element:
        """An element of that name, nowhere yet."""
        return Element(tag)

    def _missing(self, name: str) -> Any:
        if name.startswith("_"):
            return super()._missing(name)
        raise NeedsBrowser(f"A simulated document has no {snake_case(name)}; it makes elements")

"""What a value in `imports={...}` means: a trait to be linked with, or a constant.

    imports={"selected": scatter.exports.selected}        a handle
    imports={"selected": scatter.selected}                the expression is found in the source of the call
    imports={"level": (slider, "value")}                  a pair, as `traitlets.link` takes them
    imports={"total": one_way(scatter.selected, len)}     follows, never writes back; perhaps made into something else
    imports={"celsius": two_way(f.degrees, to_c, to_f)}   both ways through two functions
    imports={"bins": 20}                                  a constant
    imports={"bins": constant(anything)}                  the same, where the text of the call cannot tell

`scatter.selected` is evaluated before the call begins, so what arrives is a plain value. We never guess by that value
(two traits may hold an equal one): either the text of the call says which trait it was, or it says that none was
meant, or the call is refused and the error names what always works.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import FrameType
from typing import Any, Final

import traitlets

from .call_source import MISSING, CallSource
from .errors import CreateError
from .exports import Export, Exports
from .references import is_described

_NO_TRAIT: Final = (
    "Observe it, and set the trait of the widget from there; for a value that stays as it is, `constant(value)`."
)

Transform = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Import:
    """One import, resolved."""

    source: Export | None
    """The trait that it is linked with; None for a constant."""
    value: Any
    """The value at the start, as the importing widget is given it."""
    one_way: bool = False
    """Whether changes of the importing widget stay there."""
    to_here: Transform | None = None
    to_source: Transform | None = None


@dataclass(frozen=True, slots=True)
class Wired:
    """What `one_way`, `two_way` and `constant` return: a value of `imports`, and nothing else."""

    source: Any
    kind: str
    to_here: Transform | None = None
    to_source: Transform | None = None


def constant(value: Any) -> Any:
    """An import that is this value and linked with nothing. The widget's own copy may change; nobody else's does."""
    return Wired(value, "constant")


def one_way(source: Any, transform: Transform | None = None) -> Any:
    """An import that follows its source and never writes back.

    Args:
        source: what a plain import takes: a handle, `other.name`, a pair.
        transform: makes the imported value of the source's. What it raises reaches whoever sets the source.
    """
    _check_functions("one_way", transform)
    return Wired(source, "one_way", transform)


def two_way(source: Any, to_here: Transform, to_source: Transform) -> Any:
    """An import that is linked both ways, with another form on each side.

    Args:
        source: what a plain import takes.
        to_here: makes the imported value of the source's.
        to_source: makes the source's value of the imported one. Should undo `to_here`: where it does not, both sides
            keep what they have, and a warning says so.
    """
    _check_functions("two_way", to_here, to_source)
    return Wired(source, "two_way", to_here, to_source)


def _check_functions(kind: str, *functions: Any) -> None:
    for one in functions:
        if one is not None and not callable(one):
            raise TypeError(f"{kind}: expected a function that makes the other form, got {type(one).__name__}")


_WIRES: Final = (constant, one_way, two_way)


def resolve_imports(imports: Mapping[str, Any], frame: FrameType, function: Any, position: int) -> dict[str, Import]:
    """Find out what each import means.

    Args:
        imports: name to value, as it was given.
        frame: of the caller, in the middle of the call.
        function: what it called.
        position: where `imports` stands among the positional parameters.

    Raises:
        CreateError: `ambiguous_import`; of one of them it cannot be told whether it is a trait or a constant.
    """
    if all(_is_said(value) for value in imports.values()):
        return {name: _resolve(name, value, None, None) for name, value in imports.items()}
    source = CallSource(frame, function, "imports", position, imports)
    written = source.items(source.argument)
    return {name: _resolve(name, value, written.get(name), source) for name, value in imports.items()}


def _is_said(value: Any) -> bool:
    """Whether a value says by itself what it means."""
    if isinstance(value, Wired):
        return value.kind == "constant" or _is_said(value.source)
    return isinstance(value, Export) or _is_pair(value)


def _is_pair(value: Any) -> bool:
    return (
        type(value) is tuple
        and len(value) == 2
        and isinstance(value[0], traitlets.HasTraits)
        and isinstance(value[1], str)
    )


def _resolve(name: str, value: Any, node: ast.expr | None, source: CallSource | None) -> Import:
    if isinstance(value, Wired):
        if value.kind == "constant":
            return Import(None, value.source)
        found = _resolve(name, value.source, _first_argument(node, source), source)
        if found.source is None:
            raise CreateError(
                "ambiguous_import",
                f"imports[{name!r}]: {value.kind}() links with a trait, and this is a constant. "
                f"{_advice(name, node, source)}",
            )
        here = found.value if value.to_here is None else value.to_here(found.value)
        return Import(found.source, here, value.kind == "one_way", value.to_here, value.to_source)
    if isinstance(value, Export):
        return Import(value, value.value)
    if _is_pair(value):
        handle = Export(*value)
        return Import(handle, handle.value)
    if type(value) is list and _is_pair(tuple(value)):
        raise CreateError(
            "ambiguous_import", f"imports[{name!r}]: a pair is a tuple, and this is a list of two. {_advice(name)}"
        )
    if type(value) is tuple and len(value) == 2 and _is_attribute(*value):
        raise CreateError(
            "ambiguous_import",
            f"imports[{name!r}]: a pair is of an object with traits, and {_spelled(value[0])} is none. {_NO_TRAIT}",
        )
    if isinstance(value, Exports) or (
        isinstance(value, traitlets.HasTraits) and isinstance(getattr(value, "exports", None), Exports)
    ):
        what = "all exports of a widget" if isinstance(value, Exports) else "a whole widget"
        raise CreateError("ambiguous_import", f"imports[{name!r}]: this is {what}, and no trait. {_advice(name)}")
    if node is None or source is None:
        raise CreateError("ambiguous_import", f"imports[{name!r}]: {_why_unread(source)}. {_advice(name)}")
    trait = source.trait_of(node)
    if trait is not None:
        if getattr(*trait) is not value:
            raise CreateError(
                "ambiguous_import",
                f"imports[{name!r}]: {ast.unparse(node)} changed during the call. {_advice(name, node, source)}",
            )
        return Import(Export(*trait), value)
    if isinstance(node, ast.Attribute) and _is_shown_without_traits(source.value_of(node.value)):
        raise CreateError(
            "ambiguous_import",
            f"imports[{name!r}]: links are between traits, and {ast.unparse(node)} is none. {_NO_TRAIT}",
        )
    if source.is_constant(node):
        return Import(None, value)
    raise CreateError(
        "ambiguous_import",
        f"imports[{name!r}]: it cannot be told whether `{_short(ast.unparse(node))}` stands for a trait of another "
        f"widget or for a constant. {_advice(name, node, source)}",
    )


def _first_argument(node: ast.expr | None, source: CallSource | None) -> ast.expr | None:
    """What was written inside of `one_way(...)`."""
    if source is None or not isinstance(node, ast.Call):
        return None
    if not any(source.value_of(node.func) is one for one in _WIRES):
        return None
    given = {one.arg: one.value for one in node.keywords}
    return node.args[0] if node.args else given.get("source")


def _why_unread(source: CallSource | None) -> str:
    if source is None or source.node is None:
        return "only the source text of the call could tell what this plain value stands for, and it is not at hand"
    return "the dict is not written out in the call, so nothing tells what this plain value stands for"


def _advice(name: str, node: ast.expr | None = None, source: CallSource | None = None) -> str:
    """What always works, with the name of the trait that was meant, where one is written."""
    more = ""
    if node is not None and source is not None:
        traits = [one.attr for one in ast.walk(node) if isinstance(one, ast.Attribute) and source.trait_of(one)]
        if isinstance(node, ast.Attribute):
            name = node.attr
        elif traits:
            name = traits[0]
            more = f"for what is made of its value, `one_way(widget.exports.{name}, function)`; "
    return (
        f"To link it, pass the handle of the other widget, `widget.exports.{name}`, or a pair `(widget, {name!r})`; "
        f"{more}for a value that stays as it is, `constant(value)`."
    )


def _is_attribute(owner: Any, name: Any) -> bool:
    """Whether this could have been meant as a pair: JSON values have no attributes that anybody would link."""
    return (
        isinstance(name, str)
        and not isinstance(owner, (str, bytes, int, float, list, tuple, dict, type(None)))
        and inspect.getattr_static(owner, name, MISSING) is not MISSING
    )


def _is_shown_without_traits(owner: Any) -> bool:
    """Whether this is a widget of another kind: a dataclass, a pydantic model."""
    return is_described(owner) and not isinstance(owner, traitlets.HasTraits)


def _spelled(owner: Any) -> str:
    return f"the class {owner.__name__}" if isinstance(owner, type) else f"a {type(owner).__name__}"


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."

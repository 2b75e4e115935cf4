"""Another value for a trait, to see who notices: like the present one, and taken by the trait."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from rdit_core.descriptions import TraitSpec
from rdit_core.model import same_value

_WORDS: Final[tuple[tuple[tuple[str, ...], Any], ...]] = (
    (("list", "array", "indices", "sequence", "several", "grid"), []),
    (("dict", "mapping", "object"), {}),
    (("true", "false", "bool", "whether", "flag"), True),
    (("name", "string", "str", "text", "label", "code", "unicode"), ""),
    (("number", "int", "float", "count", "value", "index"), 0),
)


def change(widget: Any, spec: TraitSpec) -> bool:
    """Give a trait another value. Returns False where none that is surely meant can be found: then nothing changed."""
    before = getattr(widget, spec.name)
    for value in _candidates(before, spec):
        try:
            setattr(widget, spec.name, value)
        except Exception:
            continue  # The trait says no: the next one.
        if not same_value(getattr(widget, spec.name), before):
            return True
    return False


def _candidates(value: Any, spec: TraitSpec) -> Iterator[Any]:
    if value is None:
        # Only its description says what it will be; the empty one of that kind is always one of it.
        words = f"{spec.expects or ''} {spec.description}".lower()
        yield from (example for names, example in _WORDS if any(name in words for name in names))
        return
    yield from _like(value)


def _like(value: Any) -> Iterator[Any]:
    """Values of the same shape."""
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield from (value + 1, value - 1, 0)
    elif isinstance(value, float):
        yield from (value / 2, value + 1, 0.0, 1.0)
    elif isinstance(value, str):
        yield from (value[:-1], value + "a", "")
    elif isinstance(value, (list, tuple)):
        yield value[::-1]
        for index, one in enumerate(value[:1]):
            yield from (type(value)([*value[:index], other, *value[index + 1 :]]) for other in _like(one))
        yield type(value)()
    elif isinstance(value, dict):
        for name, one in list(value.items())[:1]:
            yield from ({**value, name: other} for other in _like(one))
        yield {}
    elif isinstance(value, (bytes, bytearray)):
        yield bytes(value[::-1])
        yield bytes(byte ^ 1 for byte in value)

"""A trait's value to JSON bytes and back, binary parts and odd numbers included.

JSON has neither bytes nor NaN. Both modes write `null` or an object there, each in its own way:

- `rdit/1` takes binary parts and non-finite numbers out. What is left is JSON with `null` in their places, beside it
  the buffers and the names of the numbers, each with its path (`EncodedValue`). A frame carries all three.
- Base mode has one text frame per message, so binary travels inside the JSON: a bytes-like object at any depth is
  `{"$b64": "<standard base64>"}` at its path, and a non-finite number stays `null`. A user's own object with the single
  key `$b64` is therefore read as binary on the other side; base mode documents that rather than escaping it.

The bytes made here are also what values are compared by. `1`, `True` and `1.0` are equal in Python and differ on the
wire; a list edited in place is equal to itself and differs from what was sent. Only the encoded form tells.

Encoding runs on the thread that set the value, while the widget's own machinery holds it still. What comes out is a
snapshot: buffers are copied.
"""

from __future__ import annotations

import base64
import datetime
import math
import numbers
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from .errors import UnserializableValue

B64_KEY: Final = "$b64"
_B64_MARKS: Final = (b'"$b64"', rb"\u00")
"""Without one of these in its bytes a text holds no `$b64` key; the second is how its characters may be escaped."""
_BINARY: Final = (bytes, bytearray, memoryview)
_CONTAINERS: Final = (dict, list, tuple)
_WALKED: Final = (*_BINARY, *_CONTAINERS)
_SCALARS: Final = (str, int, type(None), *_BINARY)
_LEAVES: Final = frozenset({bool, *_SCALARS})
"""Types of which no value is, or holds, a number that JSON lacks."""
_QUOTE: Final = ord('"')
_OPENING: Final = frozenset(b"[{")
_NOT_STRUCTURE: Final = bytes(set(range(256)) - set(b'[]{}"'))

_NUMBERS: Final = frozenset((int, float, bool))

Path = Sequence[str | int]

FORBIDDEN_KEYS: Final = frozenset({"__proto__", "constructor", "prototype"})
"""Never part of a path: in JavaScript these lead out of the value."""

SPECIAL_NUMBERS: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
"""The numbers that JSON lacks, by their names on the wire."""


_SAFE: Final = 2**53


class EncodedValue(msgspec.Struct, frozen=True, gc=False):
    """A value as `rdit/1` carries it. Two are equal exactly when a page would see the same value."""

    json: bytes
    """JSON, `null` where a buffer or a number that JSON lacks stands."""
    buffers: tuple[tuple[Path, bytes], ...] = ()
    """Path inside the value (a tuple of str and int) and the bytes, which are this record's own."""
    specials: tuple[tuple[Path, str], ...] = ()
    """Path inside the value and one of `SPECIAL_NUMBERS`."""

    @property
    def base(self) -> bytes:
        """The same value as base mode has it. Made anew at each call."""
        if not self.buffers:
            return self.json
        tree = decode_value(self.json)
        for path, data in self.buffers:
            tree = place(tree, path, as_base64(data))
        return _ENCODER.encode(tree)

    @property
    def size_bytes(self) -> int:
        """About what the value takes in a frame, in bytes: exact for plain JSON, above it an estimate for the paths."""
        size = len(self.json)
        if not self.buffers and not self.specials:
            return size
        for path, data in self.buffers:
            size += _path_bytes(path) + len(data)
        for path, _ in self.specials:
            size += _path_bytes(path)
        return size


def _path_bytes(path: Path) -> int:
    # 48 for the path's beginning outside of the value, and brackets, a number's name, a part's length and padding.
    return 48 + sum(8 if isinstance(step, int) else len(step) + 3 for step in path)


def _plain(value: Any) -> Any:
    """Reduce what msgspec does not know to what it does: numpy scalars, subclasses of str, float and datetime."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value)
    if isinstance(value, (datetime.datetime, datetime.date)):
        return value.isoformat()
    if type(value).__module__ == "numpy" and getattr(value, "shape", None) == ():
        return value.item()
    raise TypeError(f"Expected a JSON value or bytes, got {type(value).__module__}.{type(value).__qualname__}")


_ENCODER: Final = msgspec.json.Encoder(enc_hook=_plain)


def as_base64(data: bytes | bytearray | memoryview) -> dict[str, str]:
    """The base-mode form of one buffer: exactly the bytes that the object exposes, in C order."""
    raw = data.tobytes() if isinstance(data, memoryview) else data
    return {B64_KEY: base64.b64encode(raw).decode("ascii")}


def _map_binary(value: Any, replace: Callable[[Any, Path], Any], path: tuple[str | int, ...], max_depth: int) -> Any:
    """Copy of `value` with each binary leaf replaced; the same object where there is none."""
    if isinstance(value, _BINARY):
        return replace(value, path)
    if not isinstance(value, _CONTAINERS):
        return value
    if len(path) >= max_depth:
        raise UnserializableValue("Value is nested too deeply, or contains itself")
    if isinstance(value, dict):
        changed = {
            key: new
            for key, old in value.items()
            if isinstance(old, _WALKED)
            and (new := _map_binary(old, replace, (*path, _spelled(key)), max_depth)) is not old
        }
        if not changed:
            return value
        _require_distinct_keys(value)
        return {**value, **changed}
    # One pass over the types, in C, spares long lists of numbers the walk in Python.
    if not any(issubclass(kind, _WALKED) for kind in set(map(type, value))):
        return value
    mapped = [_map_binary(old, replace, (*path, index), max_depth) for index, old in enumerate(value)]
    return mapped if any(new is not old for new, old in zip(mapped, value, strict=True)) else value


def _find_specials(value: Any, path: tuple[str | int, ...], found: list[tuple[Path, str]]) -> None:
    """Collect the numbers of a value that can be encoded and which JSON lacks."""
    if isinstance(value, _BINARY):
        return
    if isinstance(value, float):
        if not math.isfinite(value):
            found.append((path, "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"))
    elif isinstance(value, dict):
        if not set(map(type, value.values())) <= _LEAVES:
            before = len(found)
            for key, child in value.items():
                if type(child) not in _LEAVES:
                    _find_specials(child, (*path, _spelled(key)), found)
            if len(found) > before:
                _require_distinct_keys(value)
    elif isinstance(value, (list, tuple)):
        if not set(map(type, value)) <= _LEAVES:
            for index, child in enumerate(value):
                kind = type(child)
                if kind not in _LEAVES and (kind is not float or not math.isfinite(child)):
                    _find_specials(child, (*path, index), found)
    elif not isinstance(value, _SCALARS):
        # Records, sets, numpy's other numbers: as the encoder sees them.
        _find_specials(msgspec.to_builtins(value, str_keys=True, enc_hook=_plain), path, found)


def _spelled(key: Any) -> str:
    """A dict's key as it stands in the JSON."""
    if type(key) is str:
        return key
    (spelled,) = msgspec.json.decode(_ENCODER.encode({key: None}))
    return str(spelled)


def _require_distinct_keys(table: dict[Any, Any]) -> None:
    """A path through `1` and `"1"` would lead to either."""
    if set(map(type, table)) != {str} and len(set(map(_spelled, table))) < len(table):
        raise UnserializableValue("Two keys of an object have one spelling, and binary or a non-finite number beneath")


def _require_safe(path: Path) -> None:
    if not FORBIDDEN_KEYS.isdisjoint(path):
        raise UnserializableValue(f"Binary or a non-finite number under a key out of {', '.join(FORBIDDEN_KEYS)}")


def _to_json(value: Any, replace: Callable[[Any, Path], Any], max_depth: int) -> bytes:
    """JSON of a value, each binary leaf replaced."""
    try:
        encoded = _ENCODER.encode(_map_binary(value, replace, (), max_depth))
    except UnserializableValue:
        raise
    except UnicodeEncodeError:
        raise UnserializableValue("Text holds a lone surrogate, which has no UTF-8 form") from None
    except RecursionError:
        raise UnserializableValue("Value is nested too deeply, or contains itself") from None
    except Exception as error:  # Also what a `__float__` of the user's raises, or a dict that another thread edits.
        raise UnserializableValue(str(error)) from None
    if encoded[0] in _OPENING and json_depth(encoded, stop=max_depth) > max_depth:
        raise UnserializableValue("Value is nested too deeply, or contains itself")
    return encoded


def _is_plain_number(value: Any) -> bool:
    """Whether a value is what most edits are: sliders. It needs none of the care that others need."""
    kind = type(value)
    return kind is bool or (kind is int and -_SAFE <= value <= _SAFE) or (kind is float and math.isfinite(value))


def encode_numbers(value: Any) -> EncodedValue | None:
    """A list of finite numbers and booleans, encoded: rows, points, a column. None for anything else, at little cost.

    What such a list holds shows in its JSON sooner than in a look at each item: text, bytes and keys have quotes there,
    objects and lists have brackets, and what JSON lacks is `null`.
    """
    if type(value) is not list or not value or type(value[0]) not in _NUMBERS:
        return None
    try:
        encoded = _ENCODER.encode(value)
    except Exception:  # Whoever encodes it with more care finds out what is wrong.
        return None
    find = encoded.find  # `in` takes a byte for a number first, and makes an error of that.
    if find(b'"') >= 0 or find(b"n") >= 0 or find(b"{") >= 0 or find(b"[", 1) >= 0:
        return None
    return EncodedValue(encoded)


def encode(value: Any, *, max_depth: int = 256) -> EncodedValue:
    """Encode one value as `rdit/1` carries it.

    Args:
        value: as for `encode_value`. Not kept; buffers are copied.
        max_depth: as for `encode_value`.

    Raises:
        UnserializableValue: as for `encode_value`; also where a buffer or a non-finite number has no path that a page
            may follow (`FORBIDDEN_KEYS`). The value is untouched.
    """
    if _is_plain_number(value):
        return EncodedValue(_ENCODER.encode(value))
    buffers: list[tuple[Path, bytes]] = []

    def take(data: Any, path: Path) -> None:
        _require_safe(path)
        buffers.append((path, data.tobytes() if isinstance(data, memoryview) else bytes(data)))

    encoded = _to_json(value, take, max_depth)
    if b"null" not in encoded:
        return EncodedValue(encoded)
    specials: list[tuple[Path, str]] = []
    try:
        _find_specials(value, (), specials)
    except UnserializableValue:
        raise
    except Exception as error:  # As above: code of the user's runs here.
        raise UnserializableValue(str(error)) from None
    for path, _ in specials:
        _require_safe(path)
    return EncodedValue(encoded, tuple(buffers), tuple(specials))


def decode(encoded: EncodedValue) -> Any:
    """The value back: JSON values, `bytes` at the buffers, floats at the numbers that JSON lacks. A new tree each time.

    Args:
        encoded: made by `encode`. Its buffers are shared with the tree; bytes cannot change.
    """
    tree = decode_value(encoded.json)
    for path, data in encoded.buffers:
        tree = place(tree, path, data)
    for path, name in encoded.specials:
        tree = place(tree, path, SPECIAL_NUMBERS[name])
    return tree


def place(tree: Any, path: Path, value: Any) -> Any:
    """Put a value where `null` stands in a decoded tree, in place; the tree back, or the value if the path is empty.

    Raises:
        ValueError: the path does not lead to a `null` by way of lists and objects. The tree is unchanged.
    """
    holder: Any = [tree]
    root = holder
    key: Any = 0
    for step in path:
        holder, key = holder[key], step
        if type(step) is int and isinstance(holder, list):
            if not 0 <= step < len(holder):
                raise ValueError("Expected an index inside the list")
        elif not (isinstance(step, str) and isinstance(holder, dict) and step in holder) or step in FORBIDDEN_KEYS:
            raise ValueError("Expected a key of the object")
    if holder[key] is not None:
        raise ValueError("Expected null")
    holder[key] = value
    return root[0]


def encode_value(value: Any, *, max_depth: int = 256) -> bytes:
    """Encode one value as base-mode JSON.

    Args:
        value: JSON values, bytes-like objects at any depth, numpy scalars, dates. Not kept; buffers are copied.
        max_depth: deepest nesting, inclusive; also what ends a value that contains itself.

    Raises:
        UnserializableValue: for anything else. The value is untouched.
    """
    if _is_plain_number(value):
        return _ENCODER.encode(value)
    return _to_json(value, lambda data, _: as_base64(data), max_depth)


def decode_value(encoded: bytes) -> Any:
    """JSON tree of an encoded value, `$b64` objects left as they stand (they are JSON)."""
    return msgspec.json.decode(encoded)


def restore_binary(value: Any, encoded: bytes) -> Any:
    """Turn each `{"$b64": ...}` of a decoded tree into `bytes`.

    Args:
        value: decoded JSON; rebuilt in place where it holds buffers.
        encoded: the bytes it came from; without the mark in them nothing is walked.

    Raises:
        ValueError: a `$b64` that is not base64.
    """
    if isinstance(value, _CONTAINERS) and any(mark in encoded for mark in _B64_MARKS):
        return _restore(value)
    return value


def _restore(value: Any) -> Any:
    if isinstance(value, dict):
        if len(value) == 1 and isinstance(text := value.get(B64_KEY), str):
            if len(text) % 4:  # Python 3.10 lets some of these pass.
                raise ValueError("Expected base64 of a length that is a multiple of four")
            return base64.b64decode(text, validate=True)
        for key, old in value.items():
            value[key] = _restore(old)
    elif isinstance(value, list):
        for index, old in enumerate(value):
            value[index] = _restore(old)
    return value


def put_buffers(state: dict[str, Any], paths: Sequence[Path], buffers: Sequence[Any]) -> dict[str, Any]:
    """Put buffers that a widget library took out of a state back at their paths.

    Source of the form: ipywidgets 8.1 `widgets/widget.py`, `_remove_buffers`: a list keeps a None where the buffer was,
    a dict loses the key. Containers on the way are copied, so that the library's own objects stay as they are.

    Args:
        state: property to value; not changed.
        paths: one path per buffer, same order; each path is a list of str and int from the state's root.
        buffers: bytes-like objects; referenced, not copied.
    """
    result = dict(state)
    for path, buffer in zip(paths, buffers, strict=True):
        node: Any = result
        for step in path[:-1]:
            child = node[step]
            child = dict(child) if isinstance(child, dict) else list(child)
            node[step] = child
            node = child
        node[path[-1]] = buffer
    return result


def json_depth(encoded: bytes, *, stop: int) -> int:
    """Deepest nesting of arrays and objects in JSON bytes, without parsing them.

    Linear in time and memory. Counts no further than `stop` + 1. On text that is not JSON the number means nothing, but
    one that a parser would go deeper into is never reported as shallow.
    """
    if len(encoded) <= stop or encoded.count(b"[") + encoded.count(b"{") <= stop:
        return stop
    # What is left is brackets and the quotes of strings. Two quotes side by side change nothing for what stands around
    # them, so most strings go at once. A text that has a backslash outside of its strings is no JSON from there on.
    unescaped = encoded.replace(b"\\\\", b"").replace(b'\\"', b"")
    depth = deepest = 0
    in_string = False
    for byte in unescaped.translate(None, _NOT_STRUCTURE).replace(b'""', b""):
        if byte == _QUOTE:
            in_string = not in_string
        elif in_string:
            continue
        elif byte in _OPENING:
            depth += 1
            if depth > deepest:
                deepest = depth
                if deepest > stop:
                    break
        else:
            depth -= 1
    return deepest

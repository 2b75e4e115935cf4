"""A trait's value to JSON bytes and back, binary parts and odd numbers included.

Base mode has one text frame per message, so binary travels inside the JSON: a bytes-like object at any depth is
`{"$b64": "<standard base64>"}` at its path, and a non-finite number is `null` (JSON has none). A user's own object with
the single key `$b64` is therefore read as binary on the other side; base mode documents that rather than escaping it.

The bytes made here are also what values are compared by. `1`, `True` and `1.0` are equal in Python and differ on the
wire; a list edited in place is equal to itself and differs from what was sent. Only the encoded form tells.

Encoding runs on the thread that set the value, while the widget's own machinery holds it still. What comes out is a
snapshot: buffers are copied.
"""

from __future__ import annotations

import base64
import datetime
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
_QUOTE: Final = ord('"')
_OPENING: Final = frozenset(b"[{")
_NOT_STRUCTURE: Final = bytes(set(range(256)) - set(b'[]{}"'))

Path = Sequence[str | int]


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


def _map_binary(value: Any, replace: Callable[[Any], Any], depth: int) -> Any:
    """Copy of `value` with each binary leaf replaced; the same object where there is none."""
    if isinstance(value, _BINARY):
        return replace(value)
    if not isinstance(value, _CONTAINERS):
        return value
    if depth <= 0:
        raise UnserializableValue("Value is nested too deeply, or contains itself")
    if isinstance(value, dict):
        changed = {
            key: new
            for key, old in value.items()
            if isinstance(old, (*_BINARY, *_CONTAINERS)) and (new := _map_binary(old, replace, depth - 1)) is not old
        }
        return {**value, **changed} if changed else value
    # One pass over the types, in C, spares long lists of numbers the walk in Python.
    if not any(issubclass(kind, (*_BINARY, *_CONTAINERS)) for kind in set(map(type, value))):
        return value
    mapped = [_map_binary(old, replace, depth - 1) for old in value]
    return mapped if any(new is not old for new, old in zip(mapped, value, strict=True)) else value


def encode_value(value: Any, *, max_depth: int = 256) -> bytes:
    """Encode one value as base-mode JSON.

    Args:
        value: JSON values, bytes-like objects at any depth, numpy scalars, dates. Not kept; buffers are copied.
        max_depth: deepest nesting, inclusive; also what ends a value that contains itself.

    Raises:
        UnserializableValue: for anything else. The value is untouched.
    """
    try:
        encoded = _ENCODER.encode(_map_binary(value, as_base64, max_depth))
    except UnicodeEncodeError:
        raise UnserializableValue("Text holds a lone surrogate, which has no UTF-8 form") from None
    except RecursionError:
        raise UnserializableValue("Value is nested too deeply, or contains itself") from None
    except Exception as error:  # Also what a `__float__` of the user's raises, or a dict that another thread edits.
        raise UnserializableValue(str(error)) from None
    if json_depth(encoded, stop=max_depth) > max_depth:
        raise UnserializableValue("Value is nested too deeply, or contains itself")
    return encoded


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
    return _restore(value) if any(mark in encoded for mark in _B64_MARKS) else value


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
    if encoded.count(b"[") + encoded.count(b"{") <= stop:
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

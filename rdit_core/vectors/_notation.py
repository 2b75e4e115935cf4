"""How a case is written down. Knows the wire by itself, not by `frames`, which is to be measured by it."""

from __future__ import annotations

import base64
import json
import math
import struct
from typing import Any, Final, TypeAlias

Case: TypeAlias = "dict[str, Any]"
Text: TypeAlias = "str | list[Any]"
"""A text, or its pieces, some of them `{"repeat": text, "times": n}`."""

NOT_IN_JAVASCRIPT: Final = "JavaScript has one kind of number"


def dumps(tree: Any) -> str:
    """JSON as JavaScript's `JSON.stringify` writes it."""
    return json.dumps(tree, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def noted(tree: Any) -> Any:
    """A message as a case shows it: bytes and the numbers that JSON lacks in a notation of their own."""
    match tree:
        case bytes():
            return {"$bytes": base64.b64encode(tree).decode()}
        case float() if not math.isfinite(tree):
            return {"$number": name_of(tree)}
        case dict():
            return {key: noted(value) for key, value in tree.items()}
        case list() | tuple():
            return [noted(value) for value in tree]
    return tree


def name_of(number: float) -> str:
    """What the wire calls a number that JSON lacks."""
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def taken_apart(tree: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
    """A message as the JSON of its frame, header fields last, and its buffers."""
    paths: list[list[Any]] = []
    buffers: list[bytes] = []
    specials: list[list[Any]] = []

    def without(value: Any, path: list[Any]) -> Any:
        match value:
            case bytes():
                paths.append(path)
                buffers.append(value)
                return None
            case float() if not math.isfinite(value):
                specials.append([path, name_of(value)])
                return None
            case dict():
                return {key: without(child, [*path, key]) for key, child in value.items()}
            case list() | tuple():
                return [without(child, [*path, index]) for index, child in enumerate(value)]
        return value

    header = {key: without(value, [key]) for key, value in tree.items()}
    if paths:
        header["buffers"] = paths
    if specials:
        header["specials"] = specials
    return header, buffers


def joined(*parts: bytes) -> bytes:
    """A binary frame."""
    lengths = struct.pack(f"<4sI{len(parts)}I", b"RDB1", len(parts), *map(len, parts))
    return b"".join(piece + bytes(-len(piece) % 8) for piece in (lengths, *parts))


def framed(tree: dict[str, Any]) -> str | bytes:
    """The one frame of a message of `rdit/1`."""
    header, buffers = taken_apart(tree)
    text = dumps(header)
    return joined(text.encode(), *buffers) if buffers else text


class Writer:
    """Collects the cases of one mode and direction.

    Args:
        mode: `base` or `v1`.
        direction: `to_server` or `to_client`.
    """

    def __init__(self, mode: str, direction: str) -> None:
        self.direction = direction
        self._about = {"mode": mode, "direction": direction}
        self.cases: list[Case] = []

    def says(self, name: str, tree: dict[str, Any], **more: Any) -> None:
        """A message and its one frame, in both directions of reading."""
        self._add(name, framed(tree), message=noted(tree), canonical=True, **more)

    def reads(self, name: str, frame: Text | bytes, message: dict[str, Any] | None = None, **more: Any) -> None:
        """A frame that is read as this message, but not written so. Without a message: it does not matter which."""
        outcome = {"accepted": True} if message is None else {"message": noted(message)}
        self._add(name, frame, **outcome, **more)

    def refuses(self, name: str, frame: Text | bytes, error: str, **more: Any) -> None:
        """A frame that is no message."""
        self._add(name, frame, error=error, **more)

    def _add(self, name: str, frame: Text | bytes, **more: Any) -> None:
        written = {"base64": base64.b64encode(frame).decode()} if isinstance(frame, bytes) else {"text": frame}
        self.cases.append({"name": name, **self._about, "frame": written, **more})

"""`rdit/1`: buffers, and numbers that JSON lacks."""

from __future__ import annotations

import math
import struct
from typing import Any

from ._notation import NOT_IN_JAVASCRIPT, Case, Writer, dumps, framed, joined
from ._to_client import OPENED, POSTED, sync
from ._to_server import MSG, SET, batch

ALL_BYTES = bytes(range(256))
HEADLESS = struct.Struct("<4sI")


def cases() -> list[Case]:
    """Frames with parts and paths that are as they should be, and frames that are not."""
    server, client = Writer("v1", "to_server"), Writer("v1", "to_client")
    _to_server(server)
    _to_client(client)
    for writer, tree, path in (
        (server, batch(SET | {"value": None}), ["ops", 0, "value"]),
        (client, sync(changes=[["3.0", 40, "value", None, 41]]), ["changes", 0, 3]),
    ):
        _layouts(writer, tree, path)
        _paths(writer, tree, path)
    return [*server.cases, *client.cases]


def _to_server(writer: Writer) -> None:
    for length in (0, 1, 7, 8, 9, 256):
        writer.says(f"set to {length} bytes", batch(SET | {"value": ALL_BYTES[:length]}))
    nested = {"a": [b"a", {"b": b"bb"}], "c": [[[b""]]]}
    writer.says("set to buffers at several depths", batch(SET | {"value": nested}))
    writer.says("set to buffers in several ops", batch(SET | {"value": b"a"}, MSG, SET | {"value": [b"b", 1, b"c"]}))
    writer.says("message with buffers", batch(MSG | {"buffers": [b"a", b"", b"ccc"]}))
    writer.says("message with buffers in its content too", batch({**MSG, "content": {"x": b"x"}, "buffers": [b"y"]}))
    for number in (math.nan, math.inf, -math.inf):
        writer.says(f"set to {number}", batch(SET | {"value": number}))
    writer.says("set to numbers at several depths", batch(SET | {"value": {"a": [1.5, math.nan, None, [math.inf]]}}))
    writer.says("set to buffers and numbers", batch(SET | {"value": [b"a", math.nan, {"b": b"", "c": -math.inf}]}))
    writer.says("message of numbers", batch({**MSG, "content": [math.nan]}))
    writer.says("hello whose token is a buffer", {"type": "hello", "auth": b"token"})
    writer.says("paths through keys that look like others", batch(SET | {"value": {"0": b"a", "": {"ä\n": b"b"}}}))
    bad = {"op": "bad", "code": "bad_message"}
    for name, op in {
        "id": SET | {"widget_id": b"3.0"},
        "inst": SET | {"inst": b"40"},
        "kind": SET | {"op": b"set"},
        "message's buffers": MSG | {"buffers": b"a"},
        "inst, and it is no number": SET | {"inst": math.nan},
        "message's buffers, and one is no number": {**MSG, "buffers": [b"a", math.nan]},
    }.items():
        writer.reads(f"op with a buffer or number as its {name}", framed(batch(SET, op)), batch(SET, bad))
    writer.refuses("batch with a buffer as its seq", framed({"type": "batch", "seq": b"1", "ops": []}), "bad_message")
    writer.refuses("batch with NaN as its seq", framed({"type": "batch", "seq": math.nan, "ops": []}), "bad_message")
    writer.refuses("batch with a buffer as its ops", framed({"type": "batch", "seq": 1, "ops": b""}), "bad_message")
    writer.refuses("a buffer as type", framed({"type": b"bye"}), "bad_message")


def _to_client(writer: Writer) -> None:
    for length in (0, 1, 7, 8, 9, 256):
        writer.says(f"change to {length} bytes", sync(changes=[["3.0", 40, "value", ALL_BYTES[:length], 41]]))
    for number in (math.nan, math.inf, -math.inf):
        writer.says(f"change to {number}", sync(changes=[["3.0", 40, "value", number, 41]]))
    opened = OPENED | {"props": {"data": [{"shape": [2], "raw": b"\1\2"}, 40], "x": [math.nan, 41], "y": [b"", 41]}}
    writer.says("open with buffers and numbers", sync(ack=0, open=[opened]))
    posted = {**POSTED, "buffers": [b"a", b"12345678"]}
    writer.says("messages with buffers", sync(msgs=[posted, {**POSTED, "n": 2, "content": [b"b", math.inf]}]))
    writer.says(
        "everything with buffers and numbers",
        sync(open=[opened], changes=[["a", 1, "x", [b"c", math.nan], 2], ["a", 1, "y", b"d", 3]], msgs=[posted]),
    )
    writer.says("output of a buffer", {"type": "output", "n": 1, "event": {"png": b"\x89PNG"}})
    writer.refuses("sync with a buffer as its rev", framed({"type": "sync", "frame": 1, "rev": b""}), "bad_message")
    bad = sync(msgs=[{**POSTED, "buffers": [b"a", math.nan]}])
    writer.refuses("message with a number among its buffers", framed(bad), "bad_message")
    writer.refuses("change with a buffer as its id", framed(sync(changes=[[b"a", 1, "x", 1, 2]])), "bad_message")


def _layouts(writer: Writer, tree: dict[str, Any], path: list[Any]) -> None:
    """The binary frame itself."""
    text = dumps(tree | {"buffers": [path]}).encode()
    frame = joined(text, b"abc")
    plain = dumps(tree).encode()
    writer.reads("one part and no buffer", joined(plain), tree)
    writer.reads("one part whose list of buffers is empty", joined(dumps(tree | {"buffers": []}).encode()), tree)
    writer.reads("text as bytes", plain, tree, python_only="a page gets text as text")
    first = 8 + 8  # Magic, number of parts, two lengths.

    def lengths(*numbers: int, count: int | None = None) -> bytes:
        return struct.pack(f"<4sI{len(numbers)}I", b"RDB1", len(numbers) if count is None else count, *numbers)

    body = frame[first:]
    wrong = {
        "magic alone": b"RDB1",
        "magic and half a count": b"RDB1\1\0",
        "no parts": lengths(),
        "no parts and more": lengths() + bytes(8),
        "a count without lengths": HEADLESS.pack(b"RDB1", 1),
        "a count beyond the frame": HEADLESS.pack(b"RDB1", 2) + struct.pack("<I", len(text)) + body,
        "the largest count": HEADLESS.pack(b"RDB1", 2**32 - 1) + frame[8:],
        "a length one too small": lengths(len(text), 3 - 1 + 8) + body,
        "a length that lies by 8": lengths(len(text) - 8, 3) + body,
        "a length beyond the frame": lengths(len(text), 300) + body,
        "the largest length": lengths(len(text), 2**32 - 1) + body,
        "lengths that add up only in 32 bits": lengths(len(text) - 8, 2**32 - 8, 16, 3) + body,
        "cut by a byte": frame[:-1],
        "cut by eight": frame[:-8],
        "cut in the JSON": frame[: first + 10],
        "a byte more": frame + b"\0",
        "eight bytes more": frame + bytes(8),
        "not padded at its end": frame[: -(-3 % 8)],
        "padded with something": frame[:-1] + b"\1",
        "padded with something after the lengths": lengths(len(plain)) + b"\0\0\0\1" + plain + bytes(-len(plain) % 8),
        "big-endian": struct.pack(">4sIII", b"RDB1", 2, len(text), 3) + body,
    }
    for name, data in wrong.items():
        writer.refuses(f"frame: {name}", data, "bad_frame")
    writer.refuses("frame: empty JSON", joined(b""), "bad_json")
    writer.refuses("frame: JSON that is cut", joined(text[:-1], b"abc"), "bad_json")
    reason = {"python_only": "a page may look at the JSON first"}
    writer.refuses("frame: more buffers than its JSON can have paths for", joined(b"{x}", b"a"), "bad_frame", **reason)
    latin = joined(text[:-1] + ',"x":"ä"}'.encode("latin-1"), b"abc")
    writer.refuses("frame: JSON that is not UTF-8", latin, "bad_unicode", python_only="a page may be more lenient")
    writer.refuses("frame: JSON is a list", joined(b"[]"), "bad_message")
    writer.refuses("frame: JSON is a list, and a buffer", joined(b'["a"]', b""), "bad_frame", **reason)
    writer.refuses("frame: a frame in a frame", joined(joined(plain)), "bad_json")
    limit = {"limits": {"max_frame_bytes": len(frame) - 1}, "python_only": "a page has no limit of its own"}
    writer.refuses("frame: larger than allowed", frame, "too_large", **limit)
    writer.refuses("frame: larger than allowed, and broken", frame[:-1] + b"\1", "too_large", **limit)
    writer.reads(
        "frame: exactly as large as allowed", frame, with_value(tree, path, b"abc"),
        **(limit | {"limits": {"max_frame_bytes": len(frame)}}),
    )  # fmt: skip
    deep = f'{{"type":"bye","x":{"[" * 256}{"]" * 256}}}'.encode()
    writer.refuses("frame: 257 levels", joined(deep), "too_deep", python_only="a page does not count levels")


def with_value(tree: Any, path: list[Any], value: object) -> Any:
    """The tree with the value at the path."""
    step, *rest = path
    copy = tree.copy()
    copy[step] = with_value(tree[step], rest, value) if rest else value
    return copy


def _paths(writer: Writer, tree: dict[str, Any], path: list[Any]) -> None:
    """The two header fields."""

    def frame(tree: dict[str, Any], *buffers: bytes, **header: Any) -> str | bytes:
        text = dumps(tree | header)
        return joined(text.encode(), *buffers) if buffers else text

    def holding(value: Any) -> Any:
        return with_value(tree, path, value)

    nothing = holding(1)
    number = [path, "NaN"]
    writer.reads("paths: none", frame(nothing, buffers=[], specials=[]), nothing)
    names = holding({"buffers": "specials"})
    writer.reads("paths: none, but their names in a value", frame(names), names)
    there = frame(holding({"a": None, "b": None}), b"1", b"2", buffers=[[*path, "b"], [*path, "a"]])
    writer.reads("paths: in another order than the values", there, holding({"a": b"2", "b": b"1"}))
    early = {"buffers": [path], "specials": []} | tree
    writer.reads("paths: before the message", joined(dumps(early).encode(), b"1"), holding(b"1"))
    unknown = frame(nothing | {"later": [None]}, b"1", buffers=[["later", 0]])
    writer.reads("paths: into a field that nobody knows", unknown, nothing)
    escaped = dumps(tree)[:-1] + f',"s\\u0070ecials":[{dumps(number)}]}}'
    writer.reads("paths: in a field whose name is escaped", escaped, holding(math.nan))
    wrong: dict[str, str | bytes] = {
        "buffers of a text frame": frame(tree, buffers=[path]),
        "buffers of a text frame, escaped": dumps(tree)[:-1] + f',"\\u0062uffers":[{dumps(path)}]}}',
        "buffers is null": frame(nothing, buffers=None),
        "buffers is an object": frame(nothing, buffers={}),
        "buffers is a path": frame(tree, b"1", buffers=path),
        "no field for a buffer": frame(tree, b"1"),
        "fewer than buffers": frame(tree, b"1", b"2", buffers=[path]),
        "more than buffers": frame(holding([None, None]), b"1", buffers=[[*path, 0], [*path, 1]]),
        "a path that is text": frame(tree, b"1", buffers=["ops"]),
        "a path that is null": frame(tree, b"1", buffers=[None]),
        "the empty path": frame(tree, b"1", buffers=[[]]),
        "the same path twice": frame(tree, b"1", b"2", buffers=[path, path]),
        "the same path for a buffer and a number": frame(tree, b"1", buffers=[path], specials=[number]),
        "the same number twice": frame(tree, specials=[number, number]),
        "a path to a value": frame(nothing, b"1", buffers=[path]),
        "a path to false": frame(holding(False), b"1", buffers=[path]),
        "a path to an empty list": frame(holding([]), b"1", buffers=[path]),
        "a path to nothing": frame(tree, b"1", buffers=[["nothing"]]),
        "a path through null": frame(tree, b"1", buffers=[[*path, 0]]),
        "a path through a number": frame(nothing, b"1", buffers=[[*path, "a"]]),
        "a path through text": frame(holding("abc"), b"1", buffers=[[*path, 0]]),
        "a path into a buffer": frame(tree, b"12", b"", buffers=[path, [*path, 0]]),
        "an index as text": frame(holding([None]), b"1", buffers=[[*path, "0"]]),
        "an index beyond the end": frame(holding([None]), b"1", buffers=[[*path, 1]]),
        "an index that is negative": frame(holding([None]), b"1", buffers=[[*path, -1]]),
        "an index that is large": frame(holding([None]), b"1", buffers=[[*path, 2**53 - 1]]),
        "an index that is true": frame(holding([None, None]), b"1", buffers=[[*path, True]]),
        "an index that is null": frame(holding([None]), b"1", buffers=[[*path, None]]),
        "an index that is a fraction": frame(holding([None]), b"1", buffers=[[*path, 0.5]]),
        "an index that is a list": frame(holding([None]), b"1", buffers=[[*path, [0]]]),
        "a key as a number": frame(holding({"0": None}), b"1", buffers=[[*path, 0]]),
        "length of a list": frame(holding([None]), b"1", buffers=[[*path, "length"]]),
        "a key that objects have": frame(holding({}), b"1", buffers=[[*path, "toString"]]),
        "__proto__": frame(holding({}), b"1", buffers=[[*path, "__proto__"]]),
        "__proto__ and on": frame(holding({}), b"1", buffers=[[*path, "__proto__", "polluted"]]),
        "__proto__ that is there": frame(holding({"__proto__": None}), b"1", buffers=[[*path, "__proto__"]]),
        "__proto__ from the root": frame(nothing, specials=[[["__proto__", "polluted"], "NaN"]]),
        "constructor that is there": frame(holding({"constructor": None}), b"1", buffers=[[*path, "constructor"]]),
        "prototype that is there": frame(
            holding({"prototype": {"x": None}}), b"1", buffers=[[*path, "prototype", "x"]]
        ),
        "into the paths themselves": frame(nothing, b"1", buffers=[["buffers", 0, 0]]),
        "into the numbers themselves": frame(nothing, specials=[[["specials", 0, 0, 0], "NaN"]]),
        "a path of 300 steps": frame(tree, b"1", buffers=[[*path, *["a"] * 300]]),
        "specials is null": frame(nothing, specials=None),
        "specials is an object": frame(nothing, specials={}),
        "specials is text": frame(nothing, specials="NaN"),
        "a special that is a path": frame(tree, specials=[path]),
        "a special of one": frame(tree, specials=[[path]]),
        "a special of three": frame(tree, specials=[[path, "NaN", 1]]),
        "a special that is text": frame(tree, specials=["ab"]),
        "a special that is null": frame(tree, specials=[None]),
        "a special whose path is text": frame(tree, specials=[["ops", "NaN"]]),
        "a special whose name is null": frame(tree, specials=[[path, None]]),
        "a special whose name is a list": frame(tree, specials=[[path, ["NaN"]]]),
        "a special of an unknown name": frame(tree, specials=[[path, "nan"]]),
        "a special of a name that objects have": frame(tree, specials=[[path, "toString"]]),
        "a special plus infinity": frame(tree, specials=[[path, "+Infinity"]]),
        "one good and one bad": frame(holding([None, 1]), specials=[[[*path, 0], "NaN"], [[*path, 1], "NaN"]]),
    }
    for name, text in wrong.items():
        writer.refuses(f"paths: {name}", text, "bad_frame")
    writer.refuses("paths: before the type", frame({"type": "teleport"}, buffers=[["x"]]), "bad_frame")
    later = frame({"type": "teleport", "x": None}, specials=[[["x"], "NaN"]])
    writer.refuses("paths: good in a type that is unknown", later, "unknown_type")
    huge = '{"type":"bye","x":[null],"specials":[[["x",1e2],"NaN"]]}'
    writer.refuses("paths: an index that is a float", huge, "bad_frame")
    exact = dumps(holding([None]))[:-1] + f',"specials":[[{dumps([*path, 0])[:-1]}.0],"NaN"]]}}'
    name = "paths: an index that is a float of a whole number"
    writer.refuses(name, exact, "bad_frame", python_only=NOT_IN_JAVASCRIPT)

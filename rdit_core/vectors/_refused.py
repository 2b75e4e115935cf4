"""Bytes that are no message in any mode, and those just inside the limits."""

from __future__ import annotations

from typing import Any

from ._notation import NOT_IN_JAVASCRIPT, Case, Writer

NO_SUCH_TEXT = "a WebSocket's text cannot hold it"
LENIENT = "a page's parser lets it pass"
ONLY_BYTES = "a page gets text as text"

FRAMES: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "bad_json"),
    "white space": (" \n", "bad_json"),
    "a word": ("hello", "bad_json"),
    "cut": ('{"type":"ping","id":1', "bad_json"),
    "cut in a string": ('{"type":"pi', "bad_json"),
    "followed by another": ('{"type":"ping","id":1}{"type":"ping","id":1}', "bad_json"),
    "followed by a null character": ('{"type":"ping","id":1}\x00', "bad_json"),
    "trailing comma": ('{"type":"ping","id":1,}', "bad_json"),
    "trailing comma in a list": ('{"type":"ping","id":1,"x":[1,]}', "bad_json"),
    "single quotes": ("{'type':'ping','id':1}", "bad_json"),
    "keys without quotes": ('{type:"ping",id:1}', "bad_json"),
    "a comment": ('{"type":"ping",/* */"id":1}', "bad_json"),
    "a leading zero": ('{"type":"ping","id":01}', "bad_json"),
    "a leading plus": ('{"type":"ping","id":+1}', "bad_json"),
    "a bare point": ('{"type":"ping","id":1.}', "bad_json"),
    "hexadecimal": ('{"type":"ping","id":0x1}', "bad_json"),
    "True of Python": ('{"type":"ping","id":1,"x":True}', "bad_json"),
    "undefined": ('{"type":"ping","id":1,"x":undefined}', "bad_json"),
    "a control character in a string": ('{"type":"ping","id":1,"x":"\x01"}', "bad_json"),
    "a newline in a string": ('{"type":"ping","id":1,"x":"\n"}', "bad_json"),
    "an escape that is none": (r'{"type":"ping","id":1,"x":"\x41"}', "bad_json"),
    "an escape that is cut": (r'{"type":"ping","id":1,"x":"\u00"}', "bad_json"),
    "a byte order mark": ('\ufeff{"type":"ping","id":1}', "bad_json"),
    "the magic of a binary frame as text": ("RDB1", "bad_json"),
    "a list": ("[]", "bad_message"),
    "a number": ("7", "bad_message"),
    "a string": ('"ping"', "bad_message"),
    "null": ("null", "bad_message"),
    "true": ("true", "bad_message"),
    "a message in a list": ('[{"type":"ping","id":1}]', "bad_message"),
    "no type": ('{"id":1}', "bad_message"),
    "an empty object": ("{}", "bad_message"),
    "type null": ('{"type":null}', "bad_message"),
    "type that is a number": ('{"type":1}', "bad_message"),
    "type that is a list": ('{"type":["ping"]}', "bad_message"),
    "type that is an object": ('{"type":{}}', "bad_message"),
    "an empty type": ('{"type":""}', "unknown_type"),
    "a type of later": ('{"type":"teleport","id":1}', "unknown_type"),
    "a type in capitals": ('{"type":"PING","id":1}', "unknown_type"),
    "a type of the language": ('{"type":"__proto__"}', "unknown_type"),
    "a type that objects have": ('{"type":"toString"}', "unknown_type"),
}

PYTHON_ONLY: dict[str, tuple[str | bytes, str, str]] = {
    "NaN": ('{"type":"ping","id":NaN}', "bad_number", "a page's parser calls it bad JSON"),
    "NaN in a list": ('{"type":"ping","id":1,"x":[NaN]}', "bad_number", "a page's parser calls it bad JSON"),
    "Infinity": ('{"type":"ping","id":1,"x":Infinity}', "bad_number", "a page's parser calls it bad JSON"),
    "minus Infinity": ('{"type":"ping","id":1,"x":[-Infinity]}', "bad_number", "a page's parser calls it bad JSON"),
    "1e400": ('{"type":"hello","auth":1e400}', "bad_number", "a page reads infinity"),
    "-1E999": ('{"type":"hello","auth":[-1E999]}', "bad_number", "a page reads infinity"),
    "a lone surrogate, escaped": (r'{"type":"ping","id":1,"x":"\ud800"}', "bad_unicode", LENIENT),
    "a lone low surrogate, escaped": (r'{"type":"ping","id":1,"x":"\udc00 x"}', "bad_unicode", LENIENT),
    "surrogates in the wrong order, escaped": (r'{"type":"ping","id":1,"x":"\udc00\ud800"}', "bad_unicode", LENIENT),
    "a lone surrogate in a key": (r'{"type":"ping","id":1,"\ud800":1}', "bad_unicode", LENIENT),
    "a lone surrogate": ('{"type":"ping","id":1,"x":"\ud800"}', "bad_unicode", NO_SUCH_TEXT),
    "text as bytes, with a byte order mark": (b'\xef\xbb\xbf{"type":"ping","id":1}', "bad_json", ONLY_BYTES),
    "UTF-16": ('{"type":"ping","id":1}'.encode("utf-16"), "bad_unicode", ONLY_BYTES),
    "UTF-16 without a mark": ('{"type":"ping","id":1}'.encode("utf-16-le"), "bad_json", ONLY_BYTES),
    "UTF-32": ('{"type":"ping","id":1}'.encode("utf-32"), "bad_unicode", ONLY_BYTES),
    "Latin-1": ('{"type":"ping","id":1,"x":"ä"}'.encode("latin-1"), "bad_unicode", ONLY_BYTES),
    "UTF-8 that is overlong": (b'{"type":"ping","id":1,"x":"\xc0\xaf"}', "bad_unicode", ONLY_BYTES),
    "UTF-8 of a surrogate": (b'{"type":"ping","id":1,"x":"\xed\xa0\x80"}', "bad_unicode", ONLY_BYTES),
    "UTF-8 above the last character": (b'{"type":"ping","id":1,"x":"\xf4\x90\x80\x80"}', "bad_unicode", ONLY_BYTES),
    "bytes that begin almost as a binary frame": (b"RDB2\x01\0\0\0\0\0\0\0\0\0\0\0", "bad_json", ONLY_BYTES),
    "half the magic": (b"RD", "bad_json", ONLY_BYTES),
}


def cases() -> list[Case]:
    """All of them for each mode and direction in which they are worth a case."""
    written: list[Case] = []
    for mode, direction in (("v1", "to_server"), ("v1", "to_client"), ("base", "to_server")):
        writer = Writer(mode, direction)
        for name, (frame, error) in FRAMES.items():
            writer.refuses(name, frame, error)
        if direction == "to_server":
            for name, (frame, error, reason) in PYTHON_ONLY.items():
                writer.refuses(name, frame, error, python_only=reason)
        if mode == "v1":
            _limits(writer)
        written += writer.cases
    return written


def _limits(writer: Writer) -> None:
    def nested(opening: str, closing: str, times: int) -> list[Any]:
        value = [{"repeat": opening, "times": times}, "1", {"repeat": closing, "times": times}]
        return ['{"type":"ping","id":1,"x":', *value, "}"]

    lenient = {"python_only": "a page does not count levels"}
    writer.reads("256 levels of lists", nested("[", "]", 255), {"type": "ping", "id": 1})
    writer.refuses("257 levels of lists", nested("[", "]", 256), "too_deep", **lenient)
    writer.reads("256 levels of objects", nested('{"a":', "}", 255), {"type": "ping", "id": 1})
    writer.refuses("257 levels of objects", nested('{"a":', "}", 256), "too_deep", **lenient)
    writer.refuses("100,000 levels that never end", [{"repeat": "[", "times": 100_000}], "too_deep", **lenient)
    writer.reads(
        "brackets in a string are no levels",
        ['{"type":"ping","id":1,"x":"', {"repeat": "[", "times": 300}, '"}'],
        {"type": "ping", "id": 1},
    )
    size = {"limits": {"max_frame_bytes": 100}, "python_only": "a page has no limit of its own"}
    begin = '{"type":"ping","id":1,"x":"'
    fits = 100 - len(begin) - 2
    writer.reads("100 bytes of 100", [begin, {"repeat": "a", "times": fits}, '"}'], {"type": "ping", "id": 1}, **size)
    writer.refuses("101 bytes of 100", [begin, {"repeat": "a", "times": fits + 1}, '"}'], "too_large", **size)
    writer.refuses("bytes are counted, not characters", begin + "ä" * fits + '"}', "too_large", **size)
    writer.refuses("size comes before everything", [{"repeat": "\ud800", "times": 101}], "too_large", **size)
    writer.refuses("depth comes before syntax", nested("[", "]", 300)[:2], "too_deep", **lenient)
    for text, name in {
        "-1": "negative",
        "9007199254740992": "2 to the 53",
        "99999999999999999999999999": "a number of 26 digits",
        "1.5": "a fraction",
        '"1"': "text",
        "true": "a boolean",
        "null": "null",
        "[1]": "a list",
    }.items():
        trusting = {} if text in ('"1"', "[1]") or writer.direction == "to_server" else {"python_only": "a page trusts"}
        writer.refuses(f"a count that is {name}", f'{{"type":"ping","id":{text}}}', "bad_message", **trusting)
    writer.refuses(
        "a count that is a float of a whole number", '{"type":"ping","id":1.0}', "bad_message",
        python_only=NOT_IN_JAVASCRIPT,
    )  # fmt: skip
    writer.says("the largest count", {"type": "ping", "id": 2**53 - 1})
    writer.reads(
        "minus zero as a count", '{"type":"ping","id":-0}', {"type": "ping", "id": 0}, python_only=NOT_IN_JAVASCRIPT
    )

"""Base mode: three messages and a push."""

from __future__ import annotations

from typing import Any

from ._notation import NOT_IN_JAVASCRIPT, Case, Writer, dumps


def update(value: str, widget_id: str = '"w1"', property: str = '"value"') -> str:
    """The text of an update, from the texts of its parts."""
    return f'{{"type":"widget_update","widget_id":{widget_id},"property":{property},"value":{value}}}'


def cases() -> list[Case]:
    """What either side says, and what the other must read."""
    server, client = Writer("base", "to_server"), Writer("base", "to_client")
    for writer in (server, client):
        _updates(writer)
    _replies(client)
    _ids_and_names(server)
    for kind in ("ack", "error", "output"):
        tree: dict[str, Any] = {
            "type": kind,
            "widget_id": "w1",
            "property": "value",
            "message": "m",
            "n": 1,
            "event": {},
        }
        server.refuses(f"{kind} does not travel to the server", dumps(tree), "unknown_type")
    return [*server.cases, *client.cases]


def _updates(writer: Writer) -> None:
    values: dict[str, Any] = {
        "an int": 1,
        "zero": 0,
        "a negative int": -7,
        "the largest exact int": 2**53 - 1,
        "a fraction": 1.5,
        "a text": "abc",
        "an empty text": "",
        "true": True,
        "false": False,
        "null": None,
        "a list": [1, "a", None, True, [], {}],
        "an object": {"a": 1, "b": {"c": [1, 2]}},
        "an empty list": [],
        "an empty object": {},
        "text of any script": "ä€😀\u2028",
        "escaped text": 'quote " backslash \\ newline \n tab \t null \x00 unit \x1f',
        "a key of the language": {"__proto__": {"polluted": True}, "constructor": 1},
    }
    for name, value in values.items():
        tree = {"type": "widget_update", "widget_id": "w1", "property": "value", "value": value}
        writer.says(f"update: {name}", tree)

    def read(name: str, text: str, value: object, canonical: bool = False) -> None:
        message = {"type": "widget_update", "widget_id": "w1", "property": "value", "value": value}
        writer.reads(f"update: {name}", update(text), message, **({"canonical": True} if canonical else {}))

    read("no bytes", '{"$b64":""}', b"", True)
    read("bytes", '{"$b64":"/wABAg=="}', b"\xff\x00\x01\x02", True)
    read("bytes inside", '{"a":[{"$b64":"YQ=="},{"b":{"$b64":"YWJj"}}]}', {"a": [b"a", {"b": b"abc"}]}, True)
    read("bytes whose key is escaped", r'{"\u0024b64":"YQ=="}', b"a")
    read("one key more than bytes have", '{"$b64":"YQ==","x":1}', {"$b64": "YQ==", "x": 1})
    read("a number where base64 belongs", '{"$b64":1}', {"$b64": 1})
    read("white space", ' { "a" : [ 1 , 2 ] } ', {"a": [1, 2]})
    read("escapes", r'"\u00e4\ud83d\ude00\/"', "ä😀/")
    read("an exponent", "1e3", 1000.0)
    writer.reads("update: a float of a whole number", update("1.0"), python_only=NOT_IN_JAVASCRIPT)
    writer.reads("update: an int of 400 digits", update("1" + "0" * 400), python_only=NOT_IN_JAVASCRIPT)
    writer.reads(
        "fields that nobody knows, in another order",
        '{"later":[{}],"value":1,"property":"value","widget_id":"w1","type":"widget_update"}',
        {"type": "widget_update", "widget_id": "w1", "property": "value", "value": 1},
    )
    for text in ("NaN", "[-Infinity]", "1e400"):
        writer.refuses(f"update: {text}", update(text), "bad_number", python_only="a page's parser has its own way")
    for name, text in {"not base64": '{"$b64":"***"}', "base64 without padding": '{"$b64":"YQ"}'}.items():
        writer.refuses(f"update: {name}", update(text), "bad_message", python_only="a page may be more lenient")


def _replies(writer: Writer) -> None:
    writer.says("ack", {"type": "ack", "widget_id": "w1", "property": "value"})
    writer.says("error", {"type": "error", "message": "no", "code": "unknown_widget"})
    error = {"type": "error", "message": "no", "code": "read_only", "widget_id": "w1", "property": "value"}
    writer.says("error of an update", error)
    writer.reads(
        "error of a first server, without a code",
        '{"type":"error","message":"no"}',
        {"type": "error", "message": "no", "code": "internal"},
    )
    writer.says("output", {"type": "output", "n": 3, "event": {"type": "stream", "text": "hi\n"}})


def _ids_and_names(writer: Writer) -> None:
    message = {"type": "widget_update", "widget_id": "w1", "property": "value", "value": 1}
    for widget_id in ("a", "3.0", "A-b_c:d.e", "a" * 128):
        writer.says(f"id of {len(widget_id)} characters: {widget_id[:9]}", message | {"widget_id": widget_id})
    writer.says("property of 1024 characters", message | {"property": "p" * 1024})
    writer.says("property without characters", message | {"property": ""})
    writer.says("property of any script", message | {"property": "größe 😀"})
    for name, text in {
        "empty": '""',
        "too long": f'"{"a" * 129}"',
        "with a slash": '"../a"',
        "with a newline": r'"a\n"',
        "with a space": '"a b"',
        "not ascii": '"ä"',
        "a number": "1",
        "null": "null",
    }.items():
        writer.refuses(f"id that is {name}", update("1", widget_id=text), "bad_message")
    writer.refuses("property that is too long", update("1", property=f'"{"p" * 1025}"'), "bad_message")
    writer.refuses("property that is a number", update("1", property="1"), "bad_message")
    for field in ("widget_id", "property", "value"):
        rest = {key: value for key, value in message.items() if key != field}
        writer.refuses(f"update without {field}", dumps(rest), "bad_message")

"""`rdit/1`: what a page says."""

from __future__ import annotations

from typing import Any

from ._notation import NOT_IN_JAVASCRIPT, Case, Writer, dumps

SET: dict[str, Any] = {"op": "set", "widget_id": "3.0", "inst": 40, "property": "value", "value": 120}
MSG: dict[str, Any] = {"op": "msg", "widget_id": "3.0", "inst": 40, "content": {"kind": "click"}}
RESUME: dict[str, Any] = {"epoch": "9f", "session": "s1", "secret": "s3cr3t", "rev": 41}


def batch(*ops: Any, seq: int = 1) -> dict[str, Any]:
    """A batch of these ops."""
    return {"type": "batch", "seq": seq, "ops": list(ops)}


def cases() -> list[Case]:
    """Every message with every field, and what a server must not take."""
    writer = Writer("v1", "to_server")
    _messages(writer)
    _wrong_messages(writer)
    return writer.cases


def _messages(writer: Writer) -> None:
    writer.says("hello", {"type": "hello"})
    writer.says("hello for two widgets", {"type": "hello", "subscribe": ["3.0", "3.1"]})
    writer.says("hello for no widget", {"type": "hello", "subscribe": []})
    writer.says("hello with a token", {"type": "hello", "auth": "token"})
    writer.says("hello with an object as token", {"type": "hello", "auth": {"scheme": "x", "list": [1]}})
    writer.says("hello that resumes", {"type": "hello", "resume": RESUME})
    writer.says("hello with everything", {"type": "hello", "subscribe": ["a"], "auth": 1, "resume": RESUME})
    writer.reads("hello for all by name", '{"type":"hello","subscribe":"*"}', {"type": "hello"})
    writer.reads("hello with nulls", '{"type":"hello","auth":null,"resume":null}', {"type": "hello"})
    writer.reads("hello of later", '{"type":"hello","colour":"red","resume":null}', {"type": "hello"})
    writer.says("sync_ack", {"type": "sync_ack", "frame": 7})
    writer.says("sync_ack of the last frame", {"type": "sync_ack", "frame": 2**53 - 1})
    writer.says("subscribe to all", {"type": "subscribe", "widget_ids": "*"})
    writer.says("subscribe to some", {"type": "subscribe", "widget_ids": ["a", "b"]})
    writer.says("subscribe to none", {"type": "subscribe", "widget_ids": []})
    report = {"type": "report", "widget_id": "3.0", "stage": "render", "message": "TypeError: x is undefined"}
    writer.says("report", report)
    writer.says("report with a stack", report | {"stack": "at render (widget.js:3:5)\nat host.js:9:1"})
    writer.says("ping to the server", {"type": "ping", "id": 0})
    writer.says("pong to the server", {"type": "pong", "id": 3})
    writer.says("bye", {"type": "bye"})
    writer.reads("bye with more", '{"type":"bye","why":"closed"}', {"type": "bye"})
    writer.says("batch of a set", batch(SET))
    writer.says("batch of a message", batch(MSG))
    writer.says("batch of nothing", batch())
    writer.says("batch of several", batch(SET, MSG, SET | {"value": 121}, seq=2**53 - 1))
    writer.says("batch that acknowledges a sync", batch(SET) | {"sync_ack": 9})
    writer.says("binary batch that acknowledges a sync", batch(MSG | {"buffers": [b"\x00\x01"]}) | {"sync_ack": 1})
    writer.reads(
        "batch that acknowledges first", '{"type":"batch","sync_ack":9,"seq":1,"ops":[]}', batch() | {"sync_ack": 9}
    )
    writer.reads("batch that acknowledges nothing", dumps(batch(SET) | {"sync_ack": None}), batch(SET))
    writer.says("set only if", batch(SET | {"if_rev": 41}))
    writer.says("set only if never set", batch(SET | {"if_rev": 0}))
    writer.says("set of the first widget of all", batch(SET | {"inst": 0}))
    writer.says("set of a longest id", batch(SET | {"widget_id": "a" * 128}))
    writer.says("set of a longest property", batch(SET | {"property": "p" * 1024}))
    for value in (None, False, 0, -1.5, "", [], {}, [[1], {"a": None}], "ä😀", {"__proto__": 1}, {"$b64": "YQ=="}):
        writer.says(f"set to {dumps(value)}", batch(SET | {"value": value}))
    writer.reads("batch that says no buffers", dumps(batch(MSG | {"buffers": []})), batch(MSG))
    writer.reads("message without content", dumps(batch({**MSG, "content": None})), batch(_without(MSG, "content")))
    writer.says("message that leaves its content out", batch(_without(MSG, "content")))
    writer.reads("set of later", dumps(batch(SET | {"later": [1]})), batch(SET))
    writer.reads(
        "batch in another order",
        '{ "ops" : [ {"value":[1 , 2],"property":"value","inst":40,"widget_id":"3.0","op":"set"} ],\n'
        '"seq":1,"type":"batch"}',
        batch(SET | {"value": [1, 2]}),
    )
    writer.reads(
        "a float stays a float", dumps(batch(SET | {"value": 1.0})), batch(SET | {"value": 1.0}),
        python_only=NOT_IN_JAVASCRIPT,
    )  # fmt: skip
    writer.reads("the last of two fields", '{"type":"sync_ack","frame":1,"frame":2}', {"type": "sync_ack", "frame": 2})
    writer.reads("the last of two types", '{"type":"bye","id":1,"type":"pong"}', {"type": "pong", "id": 1})
    writer.reads("the last of two, the first wrong", '{"type":"pong","id":"x","id":1}', {"type": "pong", "id": 1})
    writer.reads("a field whose name is escaped", r'{"type":"pong","\u0069d":1}', {"type": "pong", "id": 1})


def _wrong_messages(writer: Writer) -> None:
    wrong = {
        "hello for one widget as text": {"type": "hello", "subscribe": "3.0"},
        "hello for a number": {"type": "hello", "subscribe": [1]},
        "hello for an id that is none": {"type": "hello", "subscribe": ["../a"]},
        "hello for an id of 129 characters": {"type": "hello", "subscribe": ["a" * 129]},
        "hello for null": {"type": "hello", "subscribe": None},
        "hello that resumes a text": {"type": "hello", "resume": "s1"},
        "hello that resumes with a negative rev": {"type": "hello", "resume": RESUME | {"rev": -1}},
        "hello that resumes with a rev of 2 to the 53": {"type": "hello", "resume": RESUME | {"rev": 2**53}},
        "hello that resumes with a number as session": {"type": "hello", "resume": RESUME | {"session": 1}},
        **{f"hello that resumes without {key}": {"type": "hello", "resume": _without(RESUME, key)} for key in RESUME},
        "sync_ack of nothing": {"type": "sync_ack"},
        "sync_ack of text": {"type": "sync_ack", "frame": "1"},
        "sync_ack of a negative frame": {"type": "sync_ack", "frame": -1},
        "sync_ack of 2 to the 53": {"type": "sync_ack", "frame": 2**53},
        "batch that acknowledges text": batch(SET) | {"sync_ack": "1"},
        "batch that acknowledges a negative frame": batch(SET) | {"sync_ack": -1},
        "subscribe without ids": {"type": "subscribe"},
        "subscribe to one id as text": {"type": "subscribe", "widget_ids": "a"},
        "subscribe to an id that is none": {"type": "subscribe", "widget_ids": ["a", ""]},
        "report without a stage": {"type": "report", "widget_id": "a", "message": "m"},
        "report whose stack is a list": {
            "type": "report", "widget_id": "a", "stage": "s", "message": "m", "stack": ["a"],
        },
        "report of an id that is none": {"type": "report", "widget_id": "<a>", "stage": "s", "message": "m"},
        "batch without seq": {"type": "batch", "ops": []},
        "batch without ops": {"type": "batch", "seq": 1},
        "batch whose ops are an object": {"type": "batch", "seq": 1, "ops": {"0": SET}},
        "batch whose ops are null": {"type": "batch", "seq": 1, "ops": None},
        "batch whose seq is text": {"type": "batch", "seq": "1", "ops": []},
        "batch whose seq is true": {"type": "batch", "seq": True, "ops": []},
        "batch whose seq is negative": {"type": "batch", "seq": -1, "ops": []},
        "batch whose seq is 2 to the 53": {"type": "batch", "seq": 2**53, "ops": []},
        "batch whose seq is a fraction": {"type": "batch", "seq": 1.5, "ops": []},
    }  # fmt: skip
    for name, tree in wrong.items():
        writer.refuses(name, dumps(tree), "bad_message")
    for kind in ("welcome", "sync", "error", "output"):
        writer.refuses(f"{kind} does not travel to the server", dumps({"type": kind}), "unknown_type")
    for kind in ("widget_update", "ack"):
        writer.refuses(f"{kind} of base mode", dumps({"type": kind}), "unknown_type")


def ops() -> list[Case]:
    """Ops that are none, in batches that can be read: each is told apart from its neighbours."""
    writer = Writer("v1", "to_server")
    bad = {"op": "bad", "code": "bad_message"}
    wrong: dict[str, Any] = {
        "null": None,
        "a number": 1,
        "text": "set",
        "a list": ["set", "3.0"],
        "an empty object": {},
        "of no kind": _without(SET, "op"),
        "of a later kind": SET | {"op": "increment"},
        "of the kind that the decoder makes": {"op": "bad", "code": "too_large", "message": ""},
        "of a kind that is a number": SET | {"op": 1},
        "of a kind that is a list": SET | {"op": ["set"]},
        **{f"set without {key}": _without(SET, key) for key in SET if key != "op"},
        "message without a widget": _without(MSG, "widget_id"),
        "message without inst": _without(MSG, "inst"),
        "set of an id that is none": SET | {"widget_id": "a b"},
        "set of an empty id": SET | {"widget_id": ""},
        "set of an id of 129 characters": SET | {"widget_id": "a" * 129},
        "set of an id with a newline": SET | {"widget_id": "a\n"},
        "set of an id that is a number": SET | {"widget_id": 3},
        "message of an id that is none": MSG | {"widget_id": "3/0"},
        "set with inst as text": SET | {"inst": "40"},
        "set with inst negative": SET | {"inst": -1},
        "set with inst 2 to the 53": SET | {"inst": 2**53},
        "set with inst a fraction": SET | {"inst": 0.5},
        "set with inst true": SET | {"inst": True},
        "set with inst null": SET | {"inst": None},
        "set of a property of 1025 characters": SET | {"property": "p" * 1025},
        "set of a property that is null": SET | {"property": None},
        "set only if text": SET | {"if_rev": "41"},
        "set only if negative": SET | {"if_rev": -1},
        "set only if 2 to the 53": SET | {"if_rev": 2**53},
        "message whose buffers are text": MSG | {"buffers": "YQ=="},
        "message whose buffer did not come": MSG | {"buffers": [None]},
        "message whose buffer is text": MSG | {"buffers": ["a"]},
    }
    for name, op in wrong.items():
        writer.reads(f"op that is {name}", dumps(batch(SET, op, MSG)), batch(SET, bad, MSG))
    writer.reads("nothing but ops that are none", dumps(batch(1, 2, 3)), batch(bad, bad, bad))
    message = dumps(_without(MSG, "content"))

    def many(times: int) -> list[Any]:
        return ['{"type":"batch","seq":1,"ops":[', message, {"repeat": f",{message}", "times": times - 1}, "]}"]

    large = {"op": "bad", "code": "too_large"}
    writer.reads("256 ops", many(256))
    writer.reads("257 ops", many(257), batch(*[large] * 257))
    few = {"limits": {"max_ops": 2}}
    writer.reads("2 ops of 2", dumps(batch(SET, MSG)), batch(SET, MSG), **few)
    writer.reads("3 ops of 2", dumps(batch(SET, MSG, SET)), batch(large, large, large), **few)
    writer.reads("3 ops of 2, one of them none", dumps(batch(SET, 1, SET)), batch(large, large, large), **few)
    writer.refuses("3 ops of 2 in a batch that cannot be read", dumps(batch(1, 2, 3, seq=-1)), "bad_message", **few)
    return writer.cases


def _without(tree: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in tree.items() if name != key}

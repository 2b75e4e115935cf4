"""`rdit/1`: what a server says."""

from __future__ import annotations

from typing import Any

from ._notation import Case, Writer, dumps

WELCOME: dict[str, Any] = {
    "type": "welcome",
    "protocol": 1,
    "epoch": "9f",
    "session": "s1",
    "secret": "s3cr3t",
    "resumed": False,
    "ack": 0,
    "limits": {"max_frame": 67108864, "max_inflight": 2, "max_ops": 256},
    "ping_ms": 25000,
    "ttl_ms": 120000,
}
OPENED: dict[str, Any] = {
    "widget_id": "3.0",
    "inst": 40,
    "kind": "demo.Slider",
    "props": {"value": [100, 41], "label": ["ä", 40]},
    "writable": ["value"],
    "esm_url": "/esm/ab12.js",
}
POSTED: dict[str, Any] = {"n": 1, "widget_id": "3.0", "inst": 40, "content": {"kind": "beep"}}


def sync(**fields: Any) -> dict[str, Any]:
    """A sync with these fields beside the two that it always has."""
    return {"type": "sync", "frame": 1, "rev": 41, **fields}


def cases() -> list[Case]:
    """Every message with every field, and what a client must not take."""
    writer = Writer("v1", "to_client")
    writer.says("welcome", WELCOME)
    writer.says("welcome back", WELCOME | {"resumed": True, "ack": 17})
    writer.reads("welcome of later", dumps(WELCOME | {"motd": "hi"}), WELCOME)
    limits = WELCOME["limits"]
    writer.reads("welcome with a later limit", dumps(WELCOME | {"limits": limits | {"max_x": 1}}), WELCOME)
    writer.says("ping to the client", {"type": "ping", "id": 3})
    writer.says("pong to the client", {"type": "pong", "id": 0})
    writer.says("output", {"type": "output", "n": 3, "event": {"type": "stream", "text": "hi\n"}})
    writer.says("output of null", {"type": "output", "n": 0, "event": None})
    error = {"type": "error", "message": "Frame is not JSON", "code": "bad_json"}
    writer.says("error", error)
    writer.says("error of a widget", error | {"widget_id": "3.0", "property": "value"})
    writer.says("error that is fatal", error | {"fatal": True})
    writer.says("error of an op", error | {"seq": 3, "op": 0})
    everything = {"widget_id": "3.0", "property": "value", "fatal": True, "seq": 3, "op": 1}
    writer.says("error with everything", error | everything)
    writer.reads("error with defaults", dumps(error | {"fatal": False, "seq": None}), error)
    _syncs(writer)
    _wrong(writer)
    return writer.cases


def _syncs(writer: Writer) -> None:
    writer.says("sync of nothing", sync())
    writer.says("sync that acknowledges nothing yet", sync(ack=0))
    writer.says("sync that acknowledges", sync(ack=17))
    writer.says("sync of a part", sync(more=True))
    writer.says("sync that opens", sync(ack=0, open=[OPENED]))
    writer.says("sync that opens the least", sync(open=[{"widget_id": "a", "inst": 0, "kind": "k"}]))
    inline = {"widget_id": "a", "inst": 1, "kind": "k", "esm": "export default {}"}
    writer.says("sync that opens with the module's text", sync(open=[inline]))
    writer.says("sync that opens what is written only if unchanged", sync(open=[OPENED | {"if_unchanged": ["value"]}]))
    writer.says("sync that opens two", sync(open=[OPENED, OPENED | {"widget_id": "3.1"}]))
    writer.says("sync of a change", sync(changes=[["3.0", 40, "value", 100, 41]]))
    for value in (None, False, 0.5, "ä😀", [], {}, [1, [2, {"a": None}]], {"__proto__": 1}, {"$b64": "YQ=="}):
        writer.says(f"sync of a change to {dumps(value)}", sync(changes=[["3.0", 40, "value", value, 41]]))
    writer.says("sync of changes", sync(changes=[["a", 1, "x", 1, 2], ["a", 1, "y", {}, 3], ["b", 2, "x", None, 4]]))
    writer.says("sync that closes", sync(close=[["3.0", 40], ["3.1", 39]]))
    same = [["3.0", 40, "value", 3, 0, 41]]
    writer.says("sync of a value that is the client's own", sync(ack=3, same=same))
    writer.says("sync of values that are the client's own", sync(ack=4, same=[*same, ["3.0", 40, "label", 4, 1, 42]]))
    writer.says("sync of a snapshot", sync(ack=0, open=[OPENED], live=[["3.0", 40]]))
    writer.says("sync of an empty snapshot", sync(ack=0, live=[]))
    writer.says("sync of a message", sync(msgs=[POSTED]))
    writer.says("sync of a message without content", sync(msgs=[{"n": 1, "widget_id": "a", "inst": 1}]))
    writer.says("sync of messages", sync(msgs=[POSTED, POSTED | {"n": 2, "content": "again"}]))
    rejects = [{"seq": 3, "op": 0, "code": "read_only", "message": "no"}]
    writer.says("sync of a reject", sync(ack=3, rejects=rejects))
    writer.says("sync of losses", sync(lost_msgs=12))
    writer.says(
        "sync of everything",
        sync(
            ack=3, more=True, open=[OPENED | {"esm": "x"}], changes=[["a", 1, "x", 1, 2]], close=[["b", 2]],
            same=same, live=[["a", 1], ["3.0", 40]], msgs=[POSTED], rejects=rejects, lost_msgs=1,
        ),
    )  # fmt: skip
    writer.says("sync at the end of numbers", sync(frame=2**53 - 1, rev=2**53 - 1, ack=2**53 - 1))
    empty = sync(more=False, open=[], changes=[], close=[], same=[], live=None, msgs=[], rejects=[], lost_msgs=0)
    writer.reads("sync that says its empty fields", dumps(empty), sync())
    writer.reads("sync of later", dumps(sync(ack=1, weather="fine")), sync(ack=1))
    writer.reads("sync in another order", '{"rev":41,"ack":1,"frame":1,"type":"sync"}', sync(ack=1))
    later = sync(open=[OPENED | {"later": 1}], msgs=[POSTED | {"later": 1}])
    writer.reads("sync whose parts are of later", dumps(later), sync(open=[OPENED], msgs=[POSTED]))


def _wrong(writer: Writer) -> None:
    wrong = {
        "sync without frame": {"type": "sync", "rev": 1},
        "sync without rev": {"type": "sync", "frame": 1},
        "sync whose frame is text": sync(frame="1"),
        "sync whose changes are an object": sync(changes={}),
        "sync of a change of 4": sync(changes=[["3.0", 40, "value", 41]]),
        "sync of a change of 6": sync(changes=[["3.0", 40, "value", 1, 41, 0]]),
        "sync of a change that is no list": sync(changes=[1]),
        "sync of a change without an id": sync(changes=[[None, 40, "value", 1, 41]]),
        "sync of a change whose rev is text": sync(changes=[["3.0", 40, "value", 1, "41"]]),
        "sync that opens a number": sync(open=[1]),
        "sync that opens without a kind": sync(open=[{"widget_id": "a", "inst": 0}]),
        "sync that opens with bare values": sync(open=[OPENED | {"props": {"value": 100}}]),
        "sync that opens with a list of values": sync(open=[OPENED | {"props": [["value", 100, 41]]}]),
        "sync that closes without inst": sync(close=[["3.0"]]),
        "sync that closes an id": sync(close=["3.0"]),
        "sync of the same of 5": sync(same=[["3.0", 40, "value", 3, 0]]),
        "sync of the same whose op is text": sync(same=[["3.0", 40, "value", 3, "0", 41]]),
        "sync of live ids": sync(live=["3.0"]),
        "sync of a message without n": sync(msgs=[{"widget_id": "a", "inst": 1}]),
        "sync of a message whose buffer did not come": sync(msgs=[{**POSTED, "buffers": [None]}]),
        "sync of a message whose buffer is text": sync(msgs=[{**POSTED, "buffers": ["YQ=="]}]),
        "sync of a reject without a code": sync(rejects=[{"seq": 1, "op": 0, "message": "no"}]),
        "welcome without a session": {key: value for key, value in WELCOME.items() if key != "session"},
        "welcome without limits": {key: value for key, value in WELCOME.items() if key != "limits"},
        "welcome whose limits are null": WELCOME | {"limits": None},
        "error without a message": {"type": "error", "code": "internal"},
        "error whose message is a number": {"type": "error", "code": "internal", "message": 1},
        "output without n": {"type": "output", "event": {}},
        "ping without id": {"type": "ping"},
    }
    for name, tree in wrong.items():
        writer.refuses(name, dumps(tree), "bad_message")
    for kind in ("hello", "batch", "sync_ack", "subscribe", "report", "bye"):
        writer.refuses(f"{kind} does not travel to the client", dumps({"type": kind}), "unknown_type")
    for kind in ("widget_update", "ack"):
        writer.refuses(f"{kind} of base mode", dumps({"type": kind}), "unknown_type")

"""What a tab with a session may not do with it, tried on a running server; and what errors tell it."""

import json
import re

import pytest

from rdit_core import errors

from .hostile import BEARER, Tab, Wire, ask, close_frame, frame, knock

SCRIPT = """
import anywidget, traitlets

class Subject(anywidget.AnyWidget):
    _esm = "export default {}"
    _css = "p {}"
    _secret = traitlets.Unicode("hidden").tag(sync=True)
    __dunder = traitlets.Int(0).tag(sync=True)
    number = traitlets.Int(1).tag(sync=True)
    real = traitlets.Float(1.0).tag(sync=True)
    text = traitlets.Unicode("text").tag(sync=True)
    raw = traitlets.Bytes(b"raw").tag(sync=True)
    flag = traitlets.Bool(False).tag(sync=True)
    items = traitlets.List(traitlets.Int(), [1]).tag(sync=True)
    fixed = traitlets.Int(7, read_only=True).tag(sync=True)
    private = traitlets.Int(8)
    child = traitlets.Instance(anywidget.AnyWidget, allow_none=True).tag(sync=True)
    anything = traitlets.Any().tag(sync=True)

subject = Subject()
subject
"""

PROTECTED = [
    "_esm",
    "_css",
    "_anywidget_id",
    "comm",
    "keys",
    "layout",
    "log",
    "_model_name",
    "_model_module",
    "_model_module_version",
    "_view_name",
    "_view_module",
    "_view_count",
    "__class__",
    "__dict__",
    "__init__",
    "__proto__",
]
NEVER = {
    **dict.fromkeys(PROTECTED, "protected_property"),
    "private": "not_synced",
    "fixed": "read_only",
    "nothing": "unknown_property",
    "_trait_values": "unknown_property",
    "constructor": "unknown_property",
    "send": "unknown_property",
    "set_trait": "unknown_property",
    "_Subject__dunder": None,
}
WRONG = {
    "number": [[], {}, "1", True, 1.5, None, {"$b64": "AA=="}],
    "real": ["1", True, None, []],
    "text": [1, True, None, ["text"], {"$b64": "AA=="}],
    "raw": ["text", 1, None],
    "flag": [2, "true", None],
    "items": [1, "12", [1, "2"], [True], {"0": 1}, [[1]]],
    "child": ["IPY_MODEL_nobody", "anywidget:nobody", 1, {"a": 1}],
}


def state_of(widget):
    return {name: getattr(widget, name) for name in ("number", "real", "text", "raw", "flag", "items", "fixed")} | {
        "private": widget.private,
        "child": widget.child,
        "_esm": str(widget._esm),
        "_css": str(widget._css),
        "keys": list(widget.keys),
        "class": type(widget),
        "comm": widget.comm,
        "layout": widget.layout,
        "identity": (widget._model_name, widget._view_name, widget._anywidget_id),
    }


@pytest.mark.threat(12, 13, 14, 26)
def test_no_tab_changes_what_is_not_its_to_change_nor_puts_in_what_does_not_belong(live):
    live = live(SCRIPT)
    subject = live.running.namespace["subject"]
    before = state_of(subject)
    url = "/" + live.kernel.modules.url(str(subject._esm))
    refused = {**{name: ["x", 1, None, {"a": 1}] for name, code in NEVER.items() if code}, **WRONG}
    with Tab(live) as tab, Tab(live, mode="base") as base:
        (widget_id, *_) = tab.ready().opened
        assert not set(NEVER) - {"_Subject__dunder"} & set(tab.opened[widget_id]["writable"])
        for name, values in refused.items():
            code = NEVER.get(name) or "invalid_value"
            for value in values:
                assert tab.verdicts(tab.op(widget_id, name, value)) == {0: code}, (name, value)
                # In a group with a write that is fine.
                assert tab.verdicts(tab.op(widget_id, name, value), tab.op(widget_id, "anything", 1))[0] == code
                base.say("widget_update", widget_id=widget_id, property=name, value=value)
                assert base.until("error")["code"] == code, (name, value)
                assert state_of(subject) == before, (name, value)
        assert ask(live, BEARER, path=url)[1].endswith("export default {}")


@pytest.mark.threat(14)
def test_numbers_that_no_trait_can_hold_are_refused_by_name(live):
    live = live(SCRIPT)
    subject = live.running.namespace["subject"]
    with Tab(live) as tab:
        (widget_id, *_) = tab.ready().opened
        op = json.dumps(tab.op(widget_id, "real", "HERE"))
        for number in ("1" + "0" * 400, "1" + "0" * 5000, "1e999", "-1e999", "NaN"):
            tab.raw(f'{{"type":"batch","seq":{tab.seq + 1},"ops":[' + op.replace('"HERE"', number) + "]}")
            # Either the frame is none, or its op is refused; Python is as it was.
            message = tab.until("error") if number in ("1e999", "-1e999", "NaN") or len(number) > 4300 else None
            if message is not None:
                assert message["code"] == "bad_number", number
            else:
                reject = tab.until("sync", lambda sync: sync["ack"] == tab.seq + 1)["rejects"][0]
                assert reject["code"] in ("invalid_value", "bad_number")
                tab.seq += 1
                op = op.replace('"real"', '"number"')
                break
        assert subject.real == 1.0


@pytest.mark.threat(35)
def test_a_reference_finds_the_widgets_of_this_server_and_no_other_of_the_process(live):
    import ipywidgets

    live = live(SCRIPT + "other = Subject()\n")
    subject, other = (live.running.namespace[name] for name in ("subject", "other"))
    live.manager.uninstall()  # What is made now belongs to somebody else in this process.
    try:
        foreign = ipywidgets.IntSlider()
    finally:
        live.manager.install()
    with Tab(live) as tab:
        first, second = tab.ready().opened
        for reference in (foreign.model_id, subject.layout.model_id, foreign.layout.model_id, "", "nobody"):
            for prefix in ("IPY_MODEL_", "anywidget:"):
                assert tab.verdicts(tab.op(first, "child", prefix + reference)) == {0: "invalid_value"}
                assert subject.child is None
                # Where no widget is declared it is a text, and stays one.
                assert tab.verdicts(tab.op(first, "anything", [prefix + reference])) == {}
                assert subject.anything == [prefix + reference]
        assert tab.verdicts(tab.op(first, "child", f"anywidget:{second}")) == {}
        assert subject.child is other


@pytest.mark.threat(36)
def test_a_message_reaches_a_handler_whole_or_not_at_all_and_a_handler_that_fails_harms_nobody(live):
    source = (
        SCRIPT
        + """
heard = []
def handle(widget, content, buffers):
    if content == "fail":
        raise RuntimeError("on purpose")
    heard.append((content, [bytes(one) for one in buffers]))
subject.on_msg(handle)
"""
    )
    live = live(source)
    heard = live.running.namespace["heard"]
    with Tab(live) as tab, Tab(live) as other:
        (widget_id, *_) = tab.ready().opened
        other.ready()
        good = tab.message(widget_id, "good")
        bad = [
            {**good, "buffers": "none"},
            {**good, "buffers": [1]},
            {**good, "widget_id": "../../x"},
            {**good, "widget_id": 5},
            {**good, "inst": -1},
            {**good, "inst": good["inst"] + 1},
            {**good, "op": "call"},
            {key: value for key, value in good.items() if key != "widget_id"},
        ]
        assert sorted(tab.verdicts(*bad)) == list(range(len(bad)))
        assert heard == []
        for path in (["ops", 0, "nothing"], ["ops", 0, "buffers", 7], ["__proto__"], ["ops", "0"], []):
            part = json.dumps({"type": "batch", "seq": tab.seq + 1, "ops": [good], "buffers": [path]}).encode()
            part += b" " * (-len(part) % 8)
            head = b"RDB1" + (2).to_bytes(4, "little") + len(part).to_bytes(4, "little") + (8).to_bytes(4, "little")
            tab.raw(head + part + bytes(8))
            assert tab.until("error")["code"] in ("bad_frame", "bad_message"), path
        assert heard == []
        assert tab.verdicts(tab.message(widget_id, "fail"), good) == {0: "handler_failed"}
        assert heard == [("good", [])]
        assert other.verdicts(other.message(widget_id, "from another")) == {}
    assert heard[-1] == ("from another", [])


CANARY = "canary-3f9c"
LEAKY = f"""
import anywidget, os, traitlets

class Leaky(anywidget.AnyWidget):
    _esm = "export default {{}}"
    secret = traitlets.Unicode("{CANARY}-hidden")
    shown = traitlets.Int(0).tag(sync=True)
    guarded = traitlets.Any(0).tag(sync=True)
    watched = traitlets.Int(0).tag(sync=True)
    chosen = traitlets.Enum([1, 2], 1).tag(sync=True)
    fixed = traitlets.Unicode("{CANARY}", read_only=True).tag(sync=True)
    converted = traitlets.Any(0).tag(sync=True, from_json=lambda value, widget: open("/{CANARY}/" + str(value)))
    child = traitlets.Instance(anywidget.AnyWidget, allow_none=True).tag(sync=True)

    @traitlets.validate("guarded")
    def _guard(self, proposal):
        raise traitlets.TraitError(f"{{self.secret}} {{proposal['value']}} {{os.environ['CANARY']}} {{__file__}}")

    @traitlets.observe("watched")
    def _watch(self, change):
        raise RuntimeError(f"{{self.secret}} {{os.environ['CANARY']}} {{__file__}}")

leaky = Leaky()
leaky.on_msg(lambda widget, content, buffers: open("/{CANARY}/" + str(content)))
leaky
"""


@pytest.mark.threat(32)
def test_no_error_tells_what_traits_hold_what_exceptions_say_or_where_files_are(live, tmp_path, monkeypatch):
    monkeypatch.setenv("CANARY", f"{CANARY}-environment")
    live = live(LEAKY, max_bad_frames=10_000, max_slot_writes=60, storm_s=3600.0)
    folder = str(tmp_path)
    said = []
    with Tab(live) as tab, Tab(live, mode="base") as base:
        (widget_id, *_) = tab.ready().opened
        canary = f"{CANARY}-sent"
        values = [canary, [canary], {canary: canary}, {"$b64": canary}, f"IPY_MODEL_{canary}", f"anywidget:{canary}", 1]
        names = ["shown", "guarded", "watched", "chosen", "fixed", "converted", "child", "_esm", "secret", "nothing"]
        codes = set()
        for name in names:
            for value in values:
                op = tab.op(widget_id, name, value)
                codes |= set(tab.verdicts(op).values())
                codes |= set(tab.verdicts(op, tab.op(widget_id, "shown", 1)).values())
                codes |= set(tab.verdicts({**op, "inst": 10**6}, {**op, "if_rev": 0}).values())
                base.say("widget_update", widget_id=widget_id, property=name, value=value)
        codes |= set(tab.verdicts(tab.message(widget_id, canary)).values())
        wanted = {*errors.UPDATE_CODES} - {"unknown_widget", "unserializable_value"}
        assert wanted <= codes, f"nothing showed {wanted - codes}"
        broken = [
            f'{{"type":"{canary}"}}',
            f'{{"type":"hello","subscribe":"{canary}"}}',
            f'{{"type":"batch","seq":"{canary}"}}',
            f'{{"type":"batch","ops":[{{"op":"{canary}"}}]}}',
            f'{{"type":"widget_update","widget_id":"{canary} {canary}","property":"{canary}","value":1}}',
            f'{{"type":"widget_update","widget_id":"a","property":1,"value":"{canary}"}}',
            canary,
            f'["{canary}",',
            f'"{canary}\\ud800"',
            f"RDB1{canary}".encode(),
            b"RDB1\x01\x00\x00\x00\x10\x00\x00\x00" + canary.encode().ljust(20),
        ]
        for one in (tab, base):
            for data in broken:
                one.raw(data)
                one.until("error")
        said += [text for text in (*tab.heard, *base.heard) if '"open"' not in text and '"ack"' not in text]
        said += [text for text in (*tab.heard, *base.heard) if '"rejects"' in text or '"error"' in text]
    for path in (f"/{canary}", f"/esm/{canary}.js", f"/client/{canary}", f"/api/execute?after={canary}", f"/?{canary}"):
        for method in ("GET", "POST", "PUT"):
            answer = ask(live, BEARER, ("X-Canary", canary), method=method, path=path)[1]
            said += [answer] if "<!doctype" not in answer else []
            said.append(ask(live, ("Cookie", f"x={canary}"), method=method, path=path)[1])
            said.append(ask(live, BEARER, ("Origin", f"http://{canary}.com"), method=method, path=path)[1])
    said.append(ask(live, BEARER, ("Bad header", canary), path="/")[1])
    said.append(knock(live, ("Origin", f"http://{canary}"), ("Authorization", f"Bearer {canary}"))[1])
    with Wire(live) as wire:
        assert wire.upgrade(live, BEARER)[0] == 101
        wire.send(frame(canary.encode() + b"\xff"))
        said.append(close_frame(wire).decode("latin-1"))
    assert len(said) > 100
    for text in said:
        # What a value was set to goes to pages, that is what it is for. Everything else about it does not.
        told = re.sub(r'"changes":\[.*?\]\]', "", text)
        assert CANARY not in told and folder not in told and "Traceback" not in told, told


@pytest.mark.threat(32)
def test_a_failure_of_the_server_itself_says_nothing_about_it(live, monkeypatch):
    live = live(LEAKY)

    def fail(*_):
        raise RuntimeError(CANARY)

    monkeypatch.setattr(live.kernel, "interrupt", fail)
    monkeypatch.setattr(live.kernel.modules, "find", fail)
    status, answer = ask(live, BEARER, method="POST", path="/api/interrupt")
    assert (status, CANARY in answer, "Traceback" in answer) == (500, False, False)
    status, answer = ask(live, BEARER, path="/esm/x.js")
    assert (status, CANARY in answer, "default-src 'none'" in answer) == (500, False, True)
    monkeypatch.setattr(live.manager, "connect", fail)
    status, answer = knock(live, BEARER)
    assert (status, CANARY in answer) == (500, False)


@pytest.mark.threat(32)
def test_what_the_visitors_own_script_raises_is_shown_to_the_visitor_and_to_nobody_else(live):
    live = live(f"print('{CANARY}')\n1 / 0\n")
    assert "ZeroDivisionError" in ask(live, BEARER, path="/api/execute")[1]
    assert CANARY in ask(live, BEARER, path="/api/execute")[1]
    for path in ("/api/execute", "/api/status", "/", "/nothing"):
        for way in ((), (BEARER, ("Origin", "http://evil.com"))):
            answer = ask(live, *way, path=path)[1]
            assert not re.search(f"{CANARY}|ZeroDivision|script", answer.replace("script-src", "")), path


@pytest.mark.threat(33)
def test_what_a_tab_says_forges_no_line_of_a_log_and_drives_no_terminal(live, capsys, caplog):
    live = live(SCRIPT)
    reports = []
    live.manager.on("front_end_failed", reports.append)
    evil = "x\r\nrdit: serving at http://evil/\n\x1b]0;owned\x07\x1b[2J\x9b31m\u202e\x00"
    with Tab(live) as tab:
        (widget_id, *_) = tab.ready().opened
        tab.say("report", widget_id=widget_id, stage=evil, message=evil, stack=evil)
        tab.say("report", widget_id=evil, stage="render", message="m")
        tab.until("error")
        tab.verdicts(tab.op(widget_id, evil, 1), {**tab.op(widget_id, "number", 1), "widget_id": evil})
    ask(live, BEARER, ("X", evil.replace("\r", "").replace("\n", "").replace("\u202e", "")), path="/nothing")
    live.running.wait_for(lambda: len(reports) == 1)
    for text in (capsys.readouterr().err, caplog.text):
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text)
        assert not any(line.startswith("rdit: serving") for line in text.splitlines())
    assert "failed in its page" in caplog.text

import json
import runpy
import shutil
import sys

import msgspec
import pytest

from rdit_core import Limits, RemoteProtocolError, vectors
from rdit_core.encoding import encode, encode_value
from rdit_core.frames import (
    decode_client_frame,
    decode_client_message,
    decode_server_frame,
    decode_server_message,
    encode_frame,
    encode_message,
)
from rdit_core.messages import BadOp, Batch, Hello, Message, MsgOp, OpenedWidget, Output, SetOp, Sync, WidgetUpdate
from rdit_core.vectors import generate
from rdit_core.vectors._notation import noted

DECODERS = {
    ("base", "to_server"): decode_client_message,
    ("base", "to_client"): decode_server_message,
    ("v1", "to_server"): decode_client_frame,
    ("v1", "to_client"): decode_server_frame,
}
CASES = {
    f"{file}: {case['mode']} {case['direction']}: {case['name']}": case
    for file, cases in vectors.load().items()
    for case in cases
}
EVERY = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def decoded(case):
    limits = Limits(**case.get("limits", {}))
    return DECODERS[case["mode"], case["direction"]](vectors.frame_of(case), limits)


def shown(message):
    """A message as a case shows it. Compared as text, since `1`, `True` and `1.0` are equal in Python."""
    tree = msgspec.to_builtins(message, builtin_types=(bytes,))
    if isinstance(message, Batch):
        for op, record in zip(tree["ops"], message.ops, strict=True):
            if isinstance(record, BadOp):
                del op["message"]
    return json.dumps(noted(tree), sort_keys=True)


class Writing:
    """Takes the values out of a message, as a sender holds them."""

    def __init__(self):
        self.values = []

    def value(self, value, *path):
        encoded = encode(value)
        self.values.append((path, encoded))
        return msgspec.Raw(encoded.json)

    def posted(self, message, *path):
        """A custom message of either direction."""
        content = self.value(message.content, *path, "content") if message.content is not None else None
        buffers = [self.value(buffer, *path, "buffers", index) for index, buffer in enumerate(message.buffers)]
        return msgspec.structs.replace(message, content=content, buffers=buffers)

    def op(self, op, index):
        if isinstance(op, SetOp):
            return msgspec.structs.replace(op, value=self.value(op.value, "ops", index, "value"))
        assert isinstance(op, MsgOp)
        return self.posted(op, "ops", index)

    def opened(self, widget, index):
        assert isinstance(widget, OpenedWidget)
        props = {
            name: (self.value(value, "open", index, "props", name, 0), rev)
            for name, (value, rev) in widget.props.items()
        }
        return msgspec.structs.replace(widget, props=props)

    def frame(self, message):
        match message:
            case Batch():
                ops = [self.op(op, index) for index, op in enumerate(message.ops)]
                message = Batch(message.seq, ops, message.sync_ack)
            case Sync():
                message = msgspec.structs.replace(
                    message,
                    open=[self.opened(widget, index) for index, widget in enumerate(message.open)],
                    changes=[
                        (widget_id, inst, name, self.value(value, "changes", index, 3), rev)
                        for index, (widget_id, inst, name, value, rev) in enumerate(message.changes)
                    ],
                    msgs=[self.posted(posted, "msgs", index) for index, posted in enumerate(message.msgs)],
                )
                assert all(isinstance(posted, Message) for posted in message.msgs)
            case Hello(auth=auth) if auth is not None:
                message = msgspec.structs.replace(message, auth=self.value(auth, "auth"))
            case Output():
                message = Output(message.n, self.value(message.event, "event"))
        return encode_frame(message, self.values)


def written(message, mode):
    if mode == "v1":
        return Writing().frame(message)
    if isinstance(message, WidgetUpdate):
        message = WidgetUpdate(message.widget_id, message.property, msgspec.Raw(encode_value(message.value)))
    return encode_message(message)


@EVERY
def test_a_frame_means_what_its_case_says(case):
    if "error" in case:
        with pytest.raises(RemoteProtocolError) as caught:
            decoded(case)
        assert caught.value.code == case["error"]
    elif "message" in case:
        assert shown(decoded(case)) == json.dumps(case["message"], sort_keys=True)
    else:
        assert case["accepted"] and decoded(case)


@pytest.mark.parametrize("case", [case for case in CASES.values() if case.get("canonical")], ids=lambda c: c["name"])
def test_a_message_is_written_as_exactly_its_frame(case):
    assert written(decoded(case), case["mode"]) == vectors.frame_of(case)


@EVERY
def test_text_may_come_as_bytes(case):
    frame = vectors.frame_of(case)
    # A frame of bytes that begins with the magic is binary; and the size of what has no UTF-8 cannot be told.
    if (
        isinstance(frame, str)
        and not frame.startswith("RDB1")
        and case.get("error") not in ("bad_unicode", "too_large")
    ):
        again = case | {"frame": {"text": None}}
        assert outcome(again, frame.encode()) == outcome(case, frame)


def outcome(case, frame):
    limits = Limits(**case.get("limits", {}))
    try:
        return shown(DECODERS[case["mode"], case["direction"]](frame, limits))
    except RemoteProtocolError as error:
        return error.code, str(error)


def test_the_files_are_what_would_be_written():
    assert generate.stale_files() == [], "run: python -m rdit_core.vectors.generate"


def test_there_are_many_cases_and_no_two_of_one_name():
    cases = [case for cases in vectors.load().values() for case in cases]
    assert len(cases) == len(CASES) >= 300
    assert sum(file.stat().st_size for file in vectors.FOLDER.glob("*.json")) < 300_000


def test_every_type_of_message_has_a_case_and_one_that_is_canonical():
    types = {
        ("base", "to_server"): {"widget_update"},
        ("base", "to_client"): {"widget_update", "ack", "error", "output"},
        ("v1", "to_server"): {"hello", "batch", "sync_ack", "subscribe", "report", "ping", "pong", "bye"},
        ("v1", "to_client"): {"welcome", "sync", "output", "error", "ping", "pong"},
    }
    for (mode, direction), kinds in types.items():
        mine = [case for case in CASES.values() if (case["mode"], case["direction"]) == (mode, direction)]
        assert {case["message"]["type"] for case in mine if case.get("canonical")} == kinds


def test_no_number_is_beyond_what_every_language_holds_where_a_case_is_for_all():
    def numbers(tree):
        if isinstance(tree, dict):
            tree = list(tree.values())
        if isinstance(tree, list):
            return [number for child in tree for number in numbers(child)]
        return [tree] if isinstance(tree, int) else []

    for case in CASES.values():
        assert all(abs(number) < 2**53 for number in numbers(case))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A copy of the cases that a test may spoil."""
    copy = shutil.copytree(vectors.FOLDER, tmp_path / "vectors")
    monkeypatch.setattr(generate, "FOLDER", copy)
    return copy


def test_a_stale_file_a_missing_one_and_one_too_many_are_named_and_mended(folder, capsys):
    assert generate.main(["--check"]) == 0
    (folder / "ops.json").write_text("[]\n", encoding="ascii")
    (folder / "parts.json").unlink()
    assert generate.main(["--check"]) == 1
    assert capsys.readouterr().out.endswith("ops.json is stale\nparts.json is stale\n")
    assert generate.main([]) == 0
    assert generate.stale_files() == []
    (folder / "more.json").write_text("[]\n", encoding="ascii")
    assert generate.stale_files() == ["more.json"]


def test_the_generator_can_be_run(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["generate", "--check"])
    monkeypatch.delitem(sys.modules, "rdit_core.vectors.generate")
    with pytest.raises(SystemExit) as caught:
        runpy.run_module("rdit_core.vectors.generate", run_name="__main__")
    assert caught.value.code == 0
    assert capsys.readouterr().out == "every file is as it would be written\n"

import json
import re
from functools import partial
from itertools import takewhile

import pytest
from msgspec.structs import fields

from rdit_core import Limits, messages
from rdit_core.errors import CLIENT_CODES, FRAME_CODES, UPDATE_CODES
from rdit_core.frames import (
    MAGIC,
    decode_client_frame,
    decode_client_message,
    decode_server_frame,
    decode_server_message,
)
from rdit_core.server import CLOSE_CODES
from scripts import protocol_examples, protocol_page

TEXT = protocol_page.PAGE.read_text(encoding="utf-8")
LINES = TEXT.splitlines()
BASE = {"C": decode_client_message, "S": decode_server_message}
V1 = {"C": decode_client_frame, "S": decode_server_frame}
EXAMPLE = re.compile(r"(?:[AB] )?(?P<who>[CS]) (?P<frame>\{.*)")
LIMITS = Limits()


def examples():
    """Every frame of the page, unfolded, with the side that says it and the mode."""
    decoders = V1
    for number, line in enumerate(LINES):
        if line.startswith("## ") or line == "### Output":
            decoders = BASE if line == "## Base mode" else V1
        match = EXAMPLE.fullmatch(line)
        if match:
            folded = takewhile(lambda one: one.startswith("    "), LINES[number + 1 :])
            frame = "".join([match["frame"], *map(str.strip, folded)])
            yield pytest.param(frame, decoders[match["who"]], id=f"line {number + 1}")


def slug(heading):
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def section(heading):
    """What stands under a heading, down to the next one of its level or above."""
    level = heading.split()[0]
    start = LINES.index(heading) + 1
    return "\n".join(takewhile(lambda line: not re.match(rf"#{{1,{len(level)}}} ", line), LINES[start:]))


# Under which heading the fields of a record are explained.
EXPLAINED = {
    messages.WidgetUpdate: "## Base mode",
    messages.Ack: "## Base mode",
    messages.Hello: "### `hello`",
    messages.Resume: "### `hello`",
    messages.Batch: "### `batch`",
    messages.SetOp: "### `batch`",
    messages.MsgOp: "### `batch`",
    messages.SyncAck: "### `sync_ack`",
    messages.Subscribe: "### `subscribe`",
    messages.Report: "### `report`",
    messages.Ping: "### `ping` and `pong`",
    messages.Pong: "### `ping` and `pong`",
    messages.Bye: "### `bye`",
    messages.Welcome: "### `welcome`",
    messages.WelcomeLimits: "### `welcome`",
    messages.Sync: "### `sync`",
    messages.OpenedWidget: "### `sync`",
    messages.Message: "### `sync`",
    messages.Reject: "### `sync`",
    messages.Output: "### Output",
    messages.Error: "### `error`",
}
NEVER_ON_THE_WIRE = {messages.BadOp}


@pytest.mark.parametrize("name", protocol_page.PARTS)
def test_a_generated_part_is_as_the_code_has_it(name):
    written = protocol_page.PARTS[name]()
    assert f"<!-- begin {name} -->\n\n{written}\n\n<!-- end {name} -->" in TEXT, "run: python -m scripts.protocol_page"


@pytest.mark.parametrize(("frame", "decode"), list(examples()))
def test_an_example_is_a_message(frame, decode):
    decode(frame, LIMITS)


def test_every_frame_in_the_page_is_such_an_example():
    others = [line for line in LINES if line.startswith("{") or ('{"type"' in line and not EXAMPLE.fullmatch(line))]
    # The byte-level example, in bytes and as JSON.
    assert [line.lstrip("0123456789abcdef ") for line in others] == [
        '{"type":"batch",',
        '{"type":"batch","seq":1,"ops":[{"op":"msg","widget_id":"w","inst":7,"content":{"at":null},"buffers":[null]}],',
    ]


def test_the_byte_level_example_is_what_the_text_beside_it_says():
    frame = protocol_examples.binary_frame()
    assert frame.startswith(MAGIC)
    assert (len(frame), frame[4], frame[8], frame[12]) == (216, 2, 189, 3)
    assert frame[205:208] == bytes(3) and frame[208:216] == b"\x01\x02\x03\0\0\0\0\0"
    shown = re.search(r"```json\n(.*?)```", TEXT, re.DOTALL)
    assert json.loads(shown[1]) == json.loads(frame[16:205])
    (op,) = decode_client_frame(frame, LIMITS).ops
    assert op.buffers == [b"\x01\x02\x03"] and op.content["at"] != op.content["at"]


def test_every_record_of_the_wire_is_explained():
    records = {
        one for one in vars(messages).values() if isinstance(one, type) and issubclass(one, messages.Error.__base__)
    }
    assert records - {messages.Error.__base__} - NEVER_ON_THE_WIRE == EXPLAINED.keys()


@pytest.mark.parametrize(
    ("record", "field"), [(record, field.encode_name) for record in EXPLAINED for field in fields(record)]
)
def test_every_field_is_named_where_its_message_is_explained(record, field):
    text = section(EXPLAINED[record])
    assert f"`{field}`" in text or f'"{field}"' in text


@pytest.mark.parametrize(("reason", "code"), CLOSE_CODES.items())
def test_every_close_code_is_in_its_table(reason, code):
    assert f"| {code} | `{reason}` |" in section("## Close codes")


@pytest.mark.parametrize("code", [*UPDATE_CODES, *FRAME_CODES, *CLIENT_CODES, "internal"])
def test_every_code_is_explained_in_a_table(code):
    assert f"| `{code}` | " in section("## Error names")


@pytest.mark.parametrize("anchor", sorted(set(re.findall(r"\]\(#([^)]*)\)", TEXT))))
def test_a_reference_within_the_page_leads_somewhere(anchor):
    assert anchor in {slug(line.lstrip("# ")) for line in LINES if line.startswith("#")}


@pytest.mark.parametrize(
    "claim",
    [
        f"{LIMITS.correction_s * 1000:g} ms after the last update",
        f"pings every {LIMITS.ping_s:g} s",
        f"hears nothing for {LIMITS.silence_s:g} s",
        f"answer comes within {LIMITS.probe_s:g} s",
        f"has {LIMITS.first_frame_s:g} s for its `hello`",
        f"owing for {LIMITS.stall_s:g} s",
        f"min({LIMITS.backoff_cap_s:g} s, {LIMITS.backoff_base_s:g} s * 2^n)",
        f"was live for {LIMITS.stable_s:g} s",
        f"waits for {LIMITS.return_s:g} s (`return_s`)",
        f"only while fewer than {LIMITS.max_sync_frames} are unacknowledged",
        f"less than {LIMITS.max_sync_bytes >> 20} MiB together",
        f"up to {LIMITS.max_messages:,} messages or {LIMITS.max_message_bytes >> 20} MiB per session",
        f"{LIMITS.max_queued_messages} of them, or {LIMITS.max_queued_message_bytes >> 20} MiB",
        f"from {LIMITS.max_waiting_bytes >> 20} MiB or {LIMITS.max_waiting_frames:,} of them on",
        f"| 4502 | `bad_protocol` | {LIMITS.max_bad_frames} frames",
    ],
)
def test_a_number_in_the_text_is_that_of_the_limits(claim):
    assert claim in " ".join(TEXT.split())


@pytest.fixture
def page(tmp_path, monkeypatch):
    """A page of which one part is stale."""
    page = tmp_path / "PROTOCOL.md"
    page.write_text(TEXT.replace("[*] --> idle", "[*] --> busy"), encoding="utf-8")
    monkeypatch.setattr(protocol_page, "PAGE", page)
    return page


def test_the_check_names_a_stale_part_and_writes_nothing(page, capsys):
    before = page.read_bytes()
    assert protocol_page.main(["--check"]) == 1
    assert capsys.readouterr().out == "client-states is stale\n"
    assert page.read_bytes() == before


def test_the_command_brings_a_stale_part_up_to_date(page):
    assert protocol_page.main([]) == 0
    assert page.read_text(encoding="utf-8") == TEXT
    assert protocol_page.main(["--check"]) == 0


def test_a_page_without_one_of_the_parts_is_an_error():
    with pytest.raises(ValueError, match="lacks the part limits"):
        protocol_page.filled(TEXT.replace("<!-- end limits -->", ""))


def test_the_examples_come_out_the_same_each_time():
    for play in map(partial(partial, protocol_examples.played), protocol_examples.EXAMPLES):
        assert play() == play()

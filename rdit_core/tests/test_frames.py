import json
import math
import struct
import tracemalloc

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdit_core import InvalidWidgetId, Limits, RemoteProtocolError
from rdit_core.encoding import encode, encode_value
from rdit_core.errors import FRAME_CODES
from rdit_core.frames import (
    decode_client_frame,
    decode_client_message,
    decode_server_frame,
    decode_server_message,
    encode_frame,
    encode_message,
    is_widget_id,
    require_widget_id,
)
from rdit_core.messages import Ack, BadOp, Batch, Bye, Error, MsgOp, Output, Pong, SetOp, Sync, WidgetUpdate

LIMITS = Limits(max_frame_bytes=4096)
BOTH = pytest.mark.parametrize("decode", [decode_client_message, decode_server_message])


def update(value, widget_id='"a"', property='"p"'):
    """The text of an update, from the texts of its parts."""
    return f'{{"type":"widget_update","widget_id":{widget_id},"property":{property},"value":{value}}}'


# Message, and its text exactly as it crosses the wire.
WIRE = [
    (WidgetUpdate("a", "p", 1), update(1)),
    (WidgetUpdate("a", "p", None), update("null")),
    (WidgetUpdate("a", "p", [1, True, 1.5, "ä", None]), update('[1,true,1.5,"ä",null]')),
    (WidgetUpdate("a", "p", {"x": {}}), update('{"x":{}}')),
    (Ack("a", "p"), '{"type":"ack","widget_id":"a","property":"p"}'),
    (
        Error("Widget a not found", "unknown_widget"),
        '{"type":"error","message":"Widget a not found","code":"unknown_widget"}',
    ),
    (Error("why"), '{"type":"error","message":"why","code":"internal"}'),
    (
        Error("why", "read_only", "a", "p"),
        '{"type":"error","message":"why","code":"read_only","widget_id":"a","property":"p"}',
    ),
    (Output(3, {"stream": "x"}), '{"type":"output","n":3,"event":{"stream":"x"}}'),
]


@pytest.mark.parametrize(("message", "text"), WIRE)
def test_a_message_has_one_text_and_a_client_reads_it_back(message, text):
    assert encode_message(message) == text
    assert decode_server_message(text, LIMITS) == message
    assert decode_server_message(text.encode(), LIMITS) == message


@pytest.mark.parametrize(("message", "text"), WIRE)
def test_a_server_reads_updates_and_knows_the_rest_by_name_only(message, text):
    if isinstance(message, WidgetUpdate):
        assert decode_client_message(text, LIMITS) == message
    else:
        with pytest.raises(RemoteProtocolError, match="does not travel in this direction") as caught:
            decode_client_message(text, LIMITS)
        assert caught.value.code == "unknown_type"


@pytest.mark.parametrize("value", [b"", b"\x00\xff", [b"a", {"b": b"c"}], {"$b64": 1}])
def test_binary_inside_a_value_crosses_as_bytes(value):
    text = update(encode_value(value).decode())
    for decode in (decode_client_message, decode_server_message):
        assert decode(text, LIMITS) == WidgetUpdate("a", "p", value)


def test_fields_that_nobody_knows_are_ignored_and_their_order_is_free():
    text = '{"value":1,"later":[{}],"property":"p","widget_id":"a","type":"widget_update"}'
    assert decode_client_message(text, LIMITS) == WidgetUpdate("a", "p", 1)


def test_an_error_of_a_first_server_has_a_message_and_no_code():
    assert decode_server_message('{"type":"error","message":"m"}', LIMITS) == Error("m", "internal")


@pytest.mark.parametrize(
    "digits", ["18446744073709551616", "-9223372036854775809", "9007199254740993", "1" + "0" * 300]
)
def test_integers_keep_all_their_digits(digits):
    assert decode_client_message(update(digits), LIMITS).value == int(digits)


BAD = {
    "empty": ("", "bad_json"),
    "no json": ("hello", "bad_json"),
    "cut": (update(1)[:-1], "bad_json"),
    "trailing": (update(1) + " {}", "bad_json"),
    "trailing comma": (update("[1,]"), "bad_json"),
    "leading zero": (update("01"), "bad_json"),
    "single quotes": (update("'a'"), "bad_json"),
    "comment": (update("1 /* */"), "bad_json"),
    "control character": (update('"\x01"'), "bad_json"),
    "bad escape": (update(r'"\x"'), "bad_json"),
    "byte order mark": ("\ufeff" + update(1), "bad_json"),
    "byte order mark in bytes": (b"\xef\xbb\xbf" + update(1).encode(), "bad_json"),
    "utf-16 without mark": (update(1).encode("utf-16-le"), "bad_json"),
    "utf-16": (update(1).encode("utf-16"), "bad_unicode"),
    "utf-32": (update(1).encode("utf-32"), "bad_unicode"),
    "latin-1": (update('"ä"').encode("latin-1"), "bad_unicode"),
    "overlong utf-8": (update('"').encode() + b'\xc0\xaf"', "bad_unicode"),
    "encoded surrogate": (b'"\xed\xa0\x80"', "bad_unicode"),
    "surrogate in text": (update('"\ud800"'), "bad_unicode"),
    "lone surrogate escape": (update(r'"\ud800"'), "bad_unicode"),
    "lone low surrogate escape": (update(r'"\udc00 x"'), "bad_unicode"),
    "NaN": (update("NaN"), "bad_number"),
    "Infinity": (update("[-Infinity]"), "bad_number"),
    "1e999": (update("1e999"), "bad_number"),
    "-1E400": (update("[-1E400]"), "bad_number"),
    "400 digits": (update("1" + "0" * 400), None),
    "deep arrays": (update("[" * 300 + "]" * 300), "too_deep"),
    "deep objects": (update('{"a":' * 300 + "1" + "}" * 300), "too_deep"),
    "depth bomb": ("[" * 4000, "too_deep"),
    "one byte too long": (update('"' + "a" * (4096 - len(update('""')) + 1) + '"'), "too_large"),
    "too long in bytes": (update('"' + "ä" * 3000 + '"'), "too_large"),
    "no object": ("[]", "bad_message"),
    "a number": ("7", "bad_message"),
    "null": ("null", "bad_message"),
    "no type": ("{}", "bad_message"),
    "type null": ('{"type":null}', "bad_message"),
    "type number": ('{"type":1}', "bad_message"),
    "type list": ('{"type":[]}', "bad_message"),
    "unknown type": ('{"type":"hello"}', "unknown_type"),
    "empty type": ('{"type":""}', "unknown_type"),
    "no widget": ('{"type":"widget_update","property":"p","value":1}', "bad_message"),
    "no property": ('{"type":"widget_update","widget_id":"a","value":1}', "bad_message"),
    "no value": ('{"type":"widget_update","widget_id":"a","property":"p"}', "bad_message"),
    "widget number": (update(1, widget_id="1"), "bad_message"),
    "widget null": (update(1, widget_id="null"), "bad_message"),
    "widget empty": (update(1, widget_id='""'), "bad_message"),
    "widget path": (update(1, widget_id='"../a"'), "bad_message"),
    "widget newline": (update(1, widget_id=r'"a\n"'), "bad_message"),
    "widget too long": (update(1, widget_id=f'"{"a" * 129}"'), "bad_message"),
    "widget not ascii": (update(1, widget_id='"ä"'), "bad_message"),
    "property number": (update(1, property="1"), "bad_message"),
    "property too long": (update(1, property=f'"{"a" * 1025}"'), "bad_message"),
    "no base64": (update('{"$b64":"***"}'), "bad_message"),
}


def verdict(decode, frame, limits=LIMITS):
    """The code that a frame is refused with, or None."""
    try:
        decode(frame, limits)
    except RemoteProtocolError as error:
        return error.code
    return None


@BOTH
@pytest.mark.parametrize(("frame", "code"), BAD.values(), ids=BAD)
def test_a_frame_that_is_no_message_is_refused_with_a_code(decode, frame, code):
    if code is None:
        assert decode(frame, LIMITS)
        return
    with pytest.raises(RemoteProtocolError) as caught:
        decode(frame, LIMITS)
    assert caught.value.code == code
    assert code in FRAME_CODES


@pytest.mark.threat(16)
def test_a_number_of_too_many_digits_has_a_name():
    with pytest.raises(RemoteProtocolError) as caught:
        decode_client_message(update("9" * 5000), Limits())
    assert caught.value.code == "bad_number"


@BOTH
def test_limits_are_inclusive(decode):
    longest = update('"' + "a" * (4096 - len(update('""'))) + '"')
    assert len(longest) == 4096
    assert decode(longest, LIMITS)
    deepest = update("[" * 255 + "]" * 255)
    assert decode(deepest, LIMITS)
    with pytest.raises(RemoteProtocolError) as caught:
        decode(update("[" * 256 + "]" * 256), LIMITS)
    assert caught.value.code == "too_deep"
    assert decode(update(1, widget_id=f'"{"a" * 128}"', property=f'"{"p" * 1024}"'), LIMITS)


@BOTH
@pytest.mark.parametrize("text", [text for _, text in WIRE])
def test_every_part_of_a_message_and_every_message_with_more_is_refused(decode, text):
    for cut in range(len(text)):
        with pytest.raises(RemoteProtocolError):
            decode(text[:cut], LIMITS)
    for tail in ("x", "}", "{}", "\x00", ","):
        with pytest.raises(RemoteProtocolError):
            decode(text + tail, LIMITS)


@pytest.mark.parametrize(
    "decode", [decode_client_message, decode_server_message, decode_client_frame, decode_server_frame]
)
@pytest.mark.threat(15)
def test_nesting_that_is_allowed_and_more_than_a_parser_manages_is_too_deep(decode):
    with pytest.raises(RemoteProtocolError) as caught:
        decode(update("[" * 100_000 + "]" * 100_000), Limits(max_depth=1_000_000))
    assert caught.value.code == "too_deep"
    # Here the parser may manage what the walk to the buffers does not.
    for levels in range(900, 1000):
        frame = update("[" * levels + '{"$b64":"YQ=="}' + "]" * levels)
        assert verdict(decode, frame, Limits(max_depth=1_000_000)) in (None, "too_deep", "unknown_type")


CANARY = "canary7391"


@BOTH
@pytest.mark.parametrize(
    "frame",
    [
        update(f'"{CANARY}" x'),
        update(f'"{CANARY}')[:-1],
        update(f'["{CANARY}", NaN]'),
        update(f'["{CANARY}", 1e999]'),
        update(rf'"{CANARY}\ud800"'),
        update(f'{{"$b64":"{CANARY}"}}'),
        f'{{"type":"{CANARY}"}}',
        f'"{CANARY}"',
        f'{{"type":["{CANARY}"]}}',
        update(1, widget_id=f'"/{CANARY}"'),
        update(1, widget_id=f'["{CANARY}"]'),
        update(1, property=f'{{"{CANARY}":1}}'),
        update(1, property=f'"{CANARY * 200}"'),
        f'{{"type":"widget_update","{CANARY}":1}}',
        f'{{"type":"ack","widget_id":"{CANARY}","property":{{}}}}',
        update(f'"{CANARY}"') + " " * 5000,
    ],
)
@pytest.mark.threat(32)
def test_the_text_of_a_refusal_repeats_nothing_of_the_frame(decode, frame):
    with pytest.raises(RemoteProtocolError) as caught:
        decode(frame, LIMITS)
    assert CANARY not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@BOTH
@given(st.binary(max_size=200) | st.text(max_size=200))
def test_any_bytes_and_any_text_give_a_message_or_a_named_error(decode, frame):
    assert verdict(decode, frame) in (None, *FRAME_CODES)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.from_regex(r"[A-Za-z0-9_.:-]{1,128}", fullmatch=True), st.text(max_size=1024), json_values)
def test_any_update_survives_the_wire_as_the_standard_library_would_read_it(widget_id, name, value):
    text = encode_message(WidgetUpdate(widget_id, name, msgspec.Raw(encode_value(value))))
    assert json.loads(text) == {"type": "widget_update", "widget_id": widget_id, "property": name, "value": value}
    assert decode_client_message(text, Limits()) == WidgetUpdate(widget_id, name, value)


@pytest.mark.parametrize("text", ["a", "3.0", "A-b_c:d.e", "a" * 128, "550e8400-e29b-41d4-a716-446655440000"])
def test_an_id_is_short_and_plain(text):
    assert is_widget_id(text)
    assert require_widget_id(text) == text


@pytest.mark.parametrize("text", ["", "a" * 129, "a b", "a/b", "a\n", "ä", "<b>", "a#1", None, 3, b"a"])
@pytest.mark.threat(23, 33)
def test_another_id_is_refused_with_what_was_expected(text):
    with pytest.raises(InvalidWidgetId, match="Expected 1 to 128 characters"):
        require_widget_id(text)


# rdit/1. What its frames mean is in rdit_core/vectors.

SETTING = SetOp("3.0", 40, "value", 120)


def setting(value):
    """The frame of a batch of one set, and the batch."""
    encoded = encode(value)
    sent = Batch(1, [msgspec.structs.replace(SETTING, value=msgspec.Raw(encoded.json))])
    return encode_frame(sent, [(("ops", 0, "value"), encoded)])


def test_plain_values_need_not_be_named_and_make_a_text_frame():
    text = encode_frame(Batch(1, [SETTING]))
    assert text == setting(120)
    assert decode_client_frame(text, LIMITS) == Batch(1, [SETTING])


def test_numbers_that_json_lacks_travel_in_a_text_frame():
    frame = setting([math.inf, -math.inf])
    assert isinstance(frame, str)
    assert decode_client_frame(frame, LIMITS).ops[0].value == [math.inf, -math.inf]


def test_buffers_travel_in_a_binary_frame_each_at_a_multiple_of_eight():
    parts = [bytes([200 + length]) * length for length in (1, 7, 8, 9, 0, 16)]
    frame = setting(parts)
    magic, count, json_length, *lengths = struct.unpack_from("<4s8I", frame)
    assert (magic, count, lengths) == (b"RDB1", 7, [1, 7, 8, 9, 0, 16])
    at = 40 + json_length + -json_length % 8
    for part in parts:
        assert at % 8 == 0
        assert frame[at:].startswith(part + bytes(-len(part) % 8))
        at += len(part) + -len(part) % 8
    assert at == len(frame)
    assert decode_client_frame(frame, LIMITS).ops[0].value == parts


def test_what_is_decoded_holds_on_to_nothing_of_the_frame():
    frame = bytearray(setting(b"abc"))
    message = decode_client_frame(frame, LIMITS)
    frame[:] = bytes(len(frame))
    assert message.ops[0].value == b"abc"
    assert type(message.ops[0].value) is bytes


@given(st.recursive(json_values | st.binary() | st.floats(), lambda inner: st.lists(inner, max_size=4)))
def test_any_value_survives_the_wire_in_both_directions(value):
    encoded = encode(value)
    (op,) = decode_client_frame(setting(value), Limits()).ops
    assert encode(op.value) == encoded
    sync = Sync(1, 2, changes=[("a", 1, "x", msgspec.Raw(encoded.json), 2)])
    ((*_, arrived, _),) = decode_server_frame(encode_frame(sync, [(("changes", 0, 3), encoded)]), Limits()).changes
    assert encode(arrived) == encoded


@pytest.mark.parametrize("frame", [setting([b"a", math.nan]), setting(math.nan), setting("null")])
@pytest.mark.parametrize("decode", [decode_client_frame, decode_server_frame])
def test_every_part_of_a_frame_and_every_frame_with_more_is_refused(decode, frame):
    tail = "x" if isinstance(frame, str) else b"x"
    for broken in [*(frame[:cut] for cut in range(len(frame))), *(frame + tail * times for times in range(1, 17))]:
        with pytest.raises(RemoteProtocolError):
            decode(broken, LIMITS)


@pytest.mark.threat(17)
def test_a_count_of_parts_that_the_frame_could_hold_costs_no_more_than_the_frame():
    frames = [b"RDB1" + struct.pack("<I", 50_000) + bytes(200_000)]
    frames.append(b"RDB1" + struct.pack("<II", 50_000, 200_000) + bytes(50_000 * 4 - 4) + b" " * 200_000)
    tracemalloc.start()
    for frame, code in zip(frames, ("bad_frame", "bad_json"), strict=True):
        for decode in (decode_client_frame, decode_server_frame):
            with pytest.raises(RemoteProtocolError) as caught:
                decode(frame, Limits())
            assert caught.value.code == code
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * len(frame)


@pytest.mark.threat(17)
def test_a_length_that_lies_is_refused_before_anything_of_it_is_allocated():
    frame = b"RDB1" + struct.pack("<II", 1, 2**32 - 8) + bytes(4)
    tracemalloc.start()
    with pytest.raises(RemoteProtocolError, match="add up"):
        decode_client_frame(frame, Limits())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100_000


@pytest.mark.threat(36)
def test_a_bad_op_says_which_it_was_and_leaves_its_neighbours_alone():
    good = '{"op":"set","widget_id":"a","inst":1,"property":"p","value":null}'
    ops = [good, "1", good.replace('"inst":1', '"inst":"1"'), good.replace('"a"', '"/"'), good.replace("set", "put")]
    message = decode_client_frame(f'{{"type":"batch","seq":3,"ops":[{",".join(ops)}]}}', LIMITS)
    assert message == Batch(
        3,
        [
            SetOp("a", 1, "p", None),
            BadOp("bad_message", "Expected an object whose op is set or msg - at $.ops[1]"),
            BadOp("bad_message", "Expected `int`, got `str` - at $.ops[2].inst"),
            BadOp("bad_message", "Expected 1 to 128 characters of A-Z a-z 0-9 _ . : - - at $.ops[3].widget_id"),
            BadOp("bad_message", "Expected an object whose op is set or msg - at $.ops[4]"),
        ],
    )


def test_a_batch_of_too_many_ops_holds_one_and_the_same_refusal_for_each():
    batch = decode_client_frame('{"type":"batch","seq":3,"ops":[1,2,3]}', Limits(max_ops=2))
    assert batch == Batch(3, [BadOp("too_large", "Expected at most 2 ops in a batch")] * 3)
    assert len(set(map(id, batch.ops))) == 1


def test_the_long_way_and_the_short_one_give_the_same_message():
    for text in (
        '{"type":"pong","id":1,"specials":[]}',
        '{"type":"pong","id":1}',
        '{"type":"bye","id":1,"type":"pong"}',
    ):
        for decode in (decode_client_frame, decode_server_frame):
            assert decode(text, LIMITS) == Pong(1)


def test_a_message_without_fields_takes_the_header_fields():
    assert encode_frame(Bye()) == '{"type":"bye"}'
    encoded = encode([b"a", math.nan])
    message = Batch(0, [MsgOp("a", 1, msgspec.Raw(encoded.json))])
    frame = encode_frame(message, [(["ops", 0, "content"], encoded)])
    assert b'"buffers":[["ops",0,"content",0]],"specials":[[["ops",0,"content",1],"NaN"]]}' in frame


@pytest.mark.parametrize(
    "frame",
    [
        f'{{"type":"{CANARY}"}}',
        f'{{"type":"hello","subscribe":"{CANARY}"}}',
        f'{{"type":"hello","subscribe":["/{CANARY}"]}}',
        f'{{"type":"hello","resume":{{"{CANARY}":"{CANARY}"}}}}',
        f'{{"type":"batch","seq":"{CANARY}","ops":[]}}',
        f'{{"type":"batch","seq":1,"ops":"{CANARY}"}}',
        f'{{"type":"sync","frame":1,"rev":2,"open":[{{"props":{{"{CANARY}":"{CANARY}"}}}}]}}',
        f'{{"type":"bye","buffers":[["{CANARY}"]]}}',
        f'{{"type":"bye","specials":[[["{CANARY}"],"NaN"]]}}',
        f'{{"type":"bye","specials":[[["type"],"{CANARY}"]]}}',
        f'{{"type":"pong","id":"{CANARY}" - at x"}}',
    ],
)
@pytest.mark.parametrize("decode", [decode_client_frame, decode_server_frame])
@pytest.mark.threat(32)
def test_the_text_of_a_refused_frame_repeats_nothing_of_it(decode, frame):
    with pytest.raises(RemoteProtocolError) as caught:
        decode(frame, LIMITS)
    assert CANARY not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    "op",
    [f'"{CANARY}"', f'{{"op":"{CANARY}"}}', f'{{"op":"set","widget_id":"/{CANARY}"}}', f'{{"op":"msg","{CANARY}":1}}'],
)
def test_the_text_of_a_bad_op_repeats_nothing_of_it(op):
    (bad,) = decode_client_frame(f'{{"type":"batch","seq":1,"ops":[{op}]}}', LIMITS).ops
    assert bad.code == "bad_message"
    assert CANARY not in bad.message


@pytest.mark.parametrize("decode", [decode_client_frame, decode_server_frame])
@given(st.binary(max_size=100) | st.binary(max_size=100).map(b"RDB1".__add__) | st.text(max_size=100))
def test_anything_at_all_gives_a_message_or_a_named_error(decode, frame):
    assert verdict(decode, frame) in (None, *FRAME_CODES)

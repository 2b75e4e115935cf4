import json
import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdit_core import InvalidWidgetId, Limits, RemoteProtocolError
from rdit_core.encoding import encode_value
from rdit_core.errors import FRAME_CODES
from rdit_core.frames import (
    decode_client_message,
    decode_server_message,
    encode_message,
    is_widget_id,
    require_widget_id,
)
from rdit_core.messages import Ack, Error, Output, WidgetUpdate

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
def test_the_text_of_a_refusal_repeats_nothing_of_the_frame(decode, frame):
    with pytest.raises(RemoteProtocolError) as caught:
        decode(frame, LIMITS)
    assert CANARY not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def mutants(rng, corpus):
    """One frame after another: corpus frames with pieces cut, doubled, swapped for others or for noise."""
    pieces = [b"{", b"}", b"[", b"]", b'"', b"\\", b",", b":", b"NaN", b"1e999", b"\\ud800", b"$b64", b"\xff", b"\x00"]
    pieces += [b'{"$b64":"', b'"type"', b"widget_update", b"ack", b"error", b"output", b"null", b"-", b"9" * 40]
    while True:
        frame = bytearray(rng.choice(corpus))
        for _ in range(rng.randrange(1, 6)):
            at = rng.randrange(len(frame) + 1)
            match rng.randrange(6):
                case 0:
                    frame[at:at] = rng.choice(pieces)
                case 1:
                    del frame[at : at + rng.randrange(1, 12)]
                case 2:
                    frame[at : at + 1] = bytes([rng.randrange(256)])
                case 3:
                    frame[at:at] = frame[at : at + rng.randrange(1, 30)]
                case 4:
                    frame[at:] = rng.choice(corpus)[at:]
                case 5:
                    frame[at:at] = rng.choice(pieces) * rng.randrange(1, 300)
        yield bytes(frame)


@BOTH
def test_twenty_thousand_broken_frames_give_a_message_or_a_named_error_and_nothing_else(decode):
    rng = random.Random(20260417)
    corpus = [text.encode() for _, text in WIRE]
    corpus += [frame.encode(errors="replace") if isinstance(frame, str) else frame for frame, _ in BAD.values()]
    codes, messages = set(), 0
    for _, frame in zip(range(20_000), mutants(rng, corpus), strict=False):
        try:
            message = decode(frame, LIMITS)
        except RemoteProtocolError as error:
            codes.add(error.code)
        else:
            messages += 1
            # What was accepted is a message of this protocol: it can be said again.
            assert isinstance(message, WidgetUpdate | Ack | Error | Output)
            if isinstance(message, WidgetUpdate):
                assert decode(update(encode_value(message.value).decode()), Limits())
    assert codes == set(FRAME_CODES)
    assert messages > 100


@BOTH
@given(st.binary(max_size=200) | st.text(max_size=200))
def test_any_bytes_and_any_text_give_a_message_or_a_named_error(decode, frame):
    refused = None
    try:
        decode(frame, LIMITS)
    except RemoteProtocolError as error:
        refused = error
    assert refused is None or refused.code in FRAME_CODES


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
def test_another_id_is_refused_with_what_was_expected(text):
    with pytest.raises(InvalidWidgetId, match="Expected 1 to 128 characters"):
        require_widget_id(text)

import copy
import dataclasses
import datetime
import decimal
import fractions
import json
import math
import numbers
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ipywidgets.widgets.widget import _put_buffers, _remove_buffers

from rdit_core import UnserializableValue
from rdit_core.encoding import decode_value, encode_value, json_depth, put_buffers, restore_binary

leaves = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text()
buffers = st.binary() | st.binary().map(bytearray) | st.binary().map(memoryview)


def trees(leaf, **sizes):
    keys = st.text().filter(lambda key: key != "$b64")
    return st.recursive(leaf, lambda inner: st.lists(inner) | st.dictionaries(keys, inner), **sizes)


def as_plain(tree):
    """What a page would have: lists, dicts, bytes, finite numbers."""
    if isinstance(tree, (bytearray, memoryview)):
        return bytes(tree)
    if isinstance(tree, float) and not math.isfinite(tree):
        return None
    if isinstance(tree, dict):
        return {key: as_plain(value) for key, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        return [as_plain(value) for value in tree]
    return tree


def restored(encoded):
    return restore_binary(decode_value(encoded), encoded)


class Text(str):
    """A subclass, as numpy.str_ and markupsafe have."""


class Number(float):
    """A subclass, as numpy.float64 is."""


class Moment(datetime.datetime):
    """A subclass, as pandas.Timestamp is."""


def nested(levels):
    value = []
    for _ in range(levels - 1):
        value = [value]
    return value


def cycle():
    value = {}
    value["self"] = [value]
    return value


@dataclasses.dataclass
class Link:
    """A record that is encoded as an object, and may hold itself or a long chain."""

    next: object = None


def chain(links):
    link = Link()
    for _ in range(links):
        link = Link(link)
    return link


def ring():
    link = Link()
    link.next = link
    return link


class Hostile(numbers.Real):
    """A number whose conversion raises what nobody expects."""

    def __float__(self):
        raise ZeroDivisionError("never")


Hostile.__abstractmethods__ = frozenset()


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (None, b"null"),
        (1, b"1"),
        (True, b"true"),
        (1.0, b"1.0"),
        (2**64 + 1, b"18446744073709551617"),
        (-(2**70), str(-(2**70)).encode()),
        (math.nan, b"null"),
        ([math.inf, -math.inf], b"[null,null]"),
        (Number("nan"), b"null"),
        (Number(1.5), b"1.5"),
        (fractions.Fraction(1, 2), b"0.5"),
        (decimal.Decimal("1.50"), b'"1.50"'),
        (Text("a"), b'"a"'),
        ([Text("a")], b'["a"]'),
        ("ä\u2028\x00", '"ä\u2028\\u0000"'.encode()),
        ((1, (2,)), b"[1,[2]]"),
        ({1: 2}, b'{"1":2}'),
        (b"", b'{"$b64":""}'),
        (b"\xff\x00", b'{"$b64":"/wA="}'),
        (bytearray(b"ab"), b'{"$b64":"YWI="}'),
        (memoryview(b"abcd")[1:3], b'{"$b64":"YmM="}'),
        (memoryview(b"abcd")[::2], b'{"$b64":"YWM="}'),
        ({"a": [b"a", {"b": b"b"}]}, b'{"a":[{"$b64":"YQ=="},{"b":{"$b64":"Yg=="}}]}'),
        ((1, b"a"), b'[1,{"$b64":"YQ=="}]'),
        (datetime.date(2026, 1, 2), b'"2026-01-02"'),
        (datetime.datetime(2026, 1, 2, 3), b'"2026-01-02T03:00:00"'),
        (Moment(2026, 1, 2, 3), b'"2026-01-02T03:00:00"'),
    ],
)
def test_a_value_has_one_form_on_the_wire(value, encoded):
    assert encode_value(value) == encoded


def test_numpy_scalars_are_numbers_and_its_buffers_are_their_bytes_in_c_order():
    numpy = pytest.importorskip("numpy")
    table = numpy.arange(6, dtype="uint8").reshape(2, 3)
    assert encode_value(numpy.int32(3)) == b"3"
    assert encode_value(numpy.float32(0.5)) == b"0.5"
    assert encode_value(numpy.float64("nan")) == b"null"
    assert encode_value(numpy.bool_(True)) == b"true"
    assert encode_value(numpy.array(7)) == b"7"
    assert restored(encode_value(memoryview(table))) == bytes(range(6))
    assert restored(encode_value(memoryview(numpy.asfortranarray(table)))) == bytes(range(6))
    with pytest.raises(UnserializableValue, match=r"numpy\.ndarray"):
        encode_value(table)


def test_values_that_are_equal_in_python_and_differ_for_a_page_have_different_forms():
    assert len({encode_value(value) for value in (1, True, 1.0)}) == 3


@pytest.mark.parametrize(
    "make",
    [
        object,
        lambda: {"a": [object()]},
        lambda: complex(1, 2),
        lambda: {(1, 2): 3},
        lambda: "\ud800",
        lambda: {"\ud800": 1},
        cycle,
        ring,
        lambda: chain(300),
        lambda: nested(257),
        lambda: [b"a", nested(256)],
        lambda: {"a": nested(256)},
        lambda: nested(100_000),
        lambda: len,
        Hostile,
    ],
)
def test_what_has_no_form_is_refused_with_the_one_error(make):
    with pytest.raises(UnserializableValue):
        encode_value(make())


@given(trees(leaves | buffers))
def test_what_is_encoded_comes_back_as_a_page_would_have_it(tree):
    assert restored(encode_value(tree)) == as_plain(tree)


@given(trees(leaves))
def test_encoding_agrees_with_the_standard_library_on_plain_json(tree):
    assert json.loads(encode_value(tree)) == as_plain(tree)


@given(trees(leaves | buffers))
def test_encoding_leaves_its_argument_alone(tree):
    before = copy.deepcopy(as_plain(tree))
    encode_value(tree)
    assert as_plain(tree) == before


def test_an_encoded_buffer_is_a_snapshot():
    data = bytearray(b"abc")
    encoded = encode_value({"data": memoryview(data)})
    data[0] = 0
    assert restored(encoded) == {"data": b"abc"}


def test_the_deepest_value_that_is_allowed_has_max_depth_levels():
    assert encode_value(nested(256)) == b"[" * 256 + b"]" * 256
    assert encode_value([[]], max_depth=2) == b"[[]]"
    with pytest.raises(UnserializableValue):
        encode_value([[]], max_depth=1)
    # Values beside each other, more of them than levels are allowed, in text that looks like nesting.
    assert encode_value([["[[[["], ['{"'], [b"["]], max_depth=3)
    with pytest.raises(UnserializableValue):
        encode_value([[], [], [[]]], max_depth=2)


@pytest.mark.parametrize(
    "text",
    ['{"$b64":"YQ=="}', r'{"\u0024b64":"YQ=="}', r'{"$\u006264":"YQ=="}', ' { "$b64" : "Y\\u0051==" } '],
)
def test_binary_is_read_however_its_key_is_spelled(text):
    assert restored(text.encode()) == b"a"


@pytest.mark.parametrize("value", [{"$b64": 1}, {"$b64": "YQ==", "x": 1}, {"b64": "YQ=="}, "$b64", ["$b64", "YQ=="]])
def test_what_only_looks_like_binary_stays_as_it_is(value):
    assert restored(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    "text", ["Y", "YQ", "YQ=", "Y Q=", "YQ==YQ==", "YQ==\n", "-_==", "ä", "=", "==", "A=", "====", "YQ===", "A==="]
)
def test_base64_that_is_not_is_an_error(text):
    with pytest.raises(ValueError):  # noqa: PT011  # binascii's own, whose text is Python's affair
        restored(json.dumps([{"$b64": text}]).encode())


@given(st.dictionaries(st.text(), trees(leaves | buffers, max_leaves=10), max_size=4))
def test_buffers_that_a_widget_library_took_out_are_put_back_as_it_would_itself(state):
    taken, paths, parts = _remove_buffers(state)
    before = copy.deepcopy(taken)
    result = put_buffers(taken, paths, parts)
    assert as_plain(taken) == as_plain(before)
    _put_buffers(reference := copy.deepcopy(taken), paths, parts)
    assert as_plain(result) == as_plain(reference) == as_plain(state)


def test_putting_buffers_back_asks_for_one_path_per_buffer():
    with pytest.raises(ValueError, match="zip"):
        put_buffers({}, [["a"]], [])


def depth_of(tree):
    if isinstance(tree, dict):
        return 1 + max(map(depth_of, tree.values()), default=0)
    if isinstance(tree, list):
        return 1 + max(map(depth_of, tree), default=0)
    return 0


tricky = st.text(st.sampled_from('[]{}"\\\n a'))


@given(trees(tricky, max_leaves=60), st.integers(0, 12))
def test_depth_is_told_apart_at_the_limit_whatever_the_strings_hold(tree, stop):
    assert (json_depth(json.dumps(tree).encode(), stop=stop) <= stop) == (depth_of(tree) <= stop)


@given(trees(tricky, max_leaves=60), st.integers(0, 12), st.text(st.sampled_from('[]{}"\\a,:'), max_size=30), st.data())
def test_text_that_is_not_json_is_never_called_shallower_than_a_parser_would_go(tree, stop, tail, data):
    text = json.dumps(tree)
    cut = data.draw(st.integers(0, len(text)))
    broken = text[:cut] + tail
    if parser_depth(broken) > stop:
        assert json_depth(broken.encode(), stop=stop) > stop


def parser_depth(text):
    """How deep a parser gets, read character by character, until the first backslash outside of a string."""
    depth = deepest = index = 0
    in_string = False
    while index < len(text):
        character = text[index]
        if in_string:
            if character == "\\":
                index += 1
            elif character == '"':
                in_string = False
        elif character == '"':
            in_string = True
        elif character == "\\":
            break
        elif character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
        index += 1
    return deepest


@pytest.mark.parametrize(
    "piece", [b'\\"', b'"', b"\\", b"[", b"[]", b'["', b"A", b'"a",'], ids=lambda piece: piece.decode()
)
def test_depth_of_hostile_text_takes_linear_time_and_little_memory(piece):
    # Quadratic time would take hours here. `[]` stands for a list that is long and flat.
    text = b'"' + piece * (500_000 // len(piece)) + b"[" * 300
    tracemalloc.start()
    json_depth(text, stop=256)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20 * len(text)


def test_a_large_buffer_among_many_lists_costs_a_few_copies_of_itself():
    value = {"data": bytes(3_000_000), "rows": [[]] * 300}
    tracemalloc.start()
    encoded = encode_value(value)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 6 * len(encoded)

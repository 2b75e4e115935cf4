import copy
import dataclasses
import datetime
import decimal
import enum
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
from rdit_core.encoding import (
    FORBIDDEN_KEYS,
    EncodedValue,
    decode,
    decode_value,
    encode,
    encode_value,
    json_depth,
    place,
    put_buffers,
    restore_binary,
)

leaves = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text()
buffers = st.binary() | st.binary().map(bytearray) | st.binary().map(memoryview)


def trees(leaf, **sizes):
    """Keys that mean something have tests of their own."""
    keys = st.text().filter(lambda key: key != "$b64" and key not in FORBIDDEN_KEYS)
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
@pytest.mark.parametrize("write", [encode_value, encode])
def test_what_has_no_form_is_refused_with_the_one_error(make, write):
    with pytest.raises(UnserializableValue):
        write(make())


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


@pytest.mark.threat(15)
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


NAN, INF, MINUS = "NaN", "Infinity", "-Infinity"


class Share(enum.Enum):
    """A value of its own that is encoded as what it stands for."""

    ALL = math.inf


@dataclasses.dataclass
class Point:
    """A record with numbers."""

    x: object = 0
    y: object = 0


@pytest.mark.parametrize(
    ("value", "json_text", "buffers", "specials"),
    [
        (None, "null", [], []),
        (5, "5", [], []),
        ("null", '"null"', [], []),
        ([None, "a", 1.5, [None], {"a": None}], '[null,"a",1.5,[null],{"a":null}]', [], []),
        (b"ab", "null", [((), b"ab")], []),
        (bytearray(b"ab"), "null", [((), b"ab")], []),
        (memoryview(b"abcd")[::2], "null", [((), b"ac")], []),
        ({"a": [1, b"x", {"b": b""}]}, '{"a":[1,null,{"b":null}]}', [(("a", 1), b"x"), (("a", 2, "b"), b"")], []),
        ((b"x", (b"y",)), "[null,[null]]", [((0,), b"x"), ((1, 0), b"y")], []),
        ({1: b"x", 2.5: [b"y"]}, '{"1":null,"2.5":[null]}', [(("1",), b"x"), (("2.5", 0), b"y")], []),
        ({Text("a"): b"x"}, '{"a":null}', [(("a",), b"x")], []),
        (math.nan, "null", [], [((), NAN)]),
        ([math.inf, -math.inf, 1.0, None], "[null,null,1.0,null]", [], [((0,), INF), ((1,), MINUS)]),
        ({"a": {"b": (0.5, math.nan)}, "c": None}, '{"a":{"b":[0.5,null]},"c":null}', [], [(("a", "b", 1), NAN)]),
        ({1: math.nan}, '{"1":null}', [], [(("1",), NAN)]),
        ([b"", math.nan], "[null,null]", [((0,), b"")], [((1,), NAN)]),
        (Number("nan"), "null", [], [((), NAN)]),
        ([Number("inf"), Number(1)], "[null,1.0]", [], [((0,), INF)]),
        (Point(math.nan, [math.inf]), '{"x":null,"y":[null]}', [], [(("x",), NAN), (("y", 0), INF)]),
        (Share.ALL, "null", [], [((), INF)]),
        ([Point(), datetime.date(2026, 1, 2), None], '[{"x":0,"y":0},"2026-01-02",null]', [], []),
        (decimal.Decimal("NaN"), '"NaN"', [], []),
        ({"$b64": "YQ=="}, '{"$b64":"YQ=="}', [], []),
    ],
)
def test_buffers_and_odd_numbers_are_taken_out_with_their_paths(value, json_text, buffers, specials):
    encoded = encode(value)
    assert encoded == EncodedValue(json_text.encode(), tuple(buffers), tuple(specials))
    assert encoded.base == encode_value(value)
    assert all(type(data) is bytes for _, data in encoded.buffers)
    assert encode(decode(encoded)) == encoded


def test_odd_numbers_of_numpy_are_taken_out_too():
    numpy = pytest.importorskip("numpy")
    value = {"a": numpy.float64("nan"), "b": [numpy.float32("inf"), numpy.float32(1)], "c": numpy.array(-numpy.inf)}
    assert encode(value) == EncodedValue(
        b'{"a":null,"b":[null,1.0],"c":null}', (), ((("a",), NAN), (("b", 0), INF), (("c",), MINUS))
    )
    table = numpy.arange(6, dtype="uint8").reshape(2, 3)
    assert encode(memoryview(numpy.asfortranarray(table))).buffers == (((), bytes(range(6))),)


@given(trees(leaves | buffers | st.floats()))
def test_a_value_comes_back_as_it_was(tree):
    encoded = encode(tree)
    assert encode(decode(encoded)) == encoded
    assert same(decode(encoded), tree)
    assert encoded.base == encode_value(tree)
    assert encoded.size_bytes >= len(encoded.json) + sum(len(data) for _, data in encoded.buffers)


def same(left, right):
    """Equal, NaN to itself too, a list to a tuple too, and any buffer to its bytes."""
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, bytes):
        return left == bytes(right)
    return type(left) is type(right) and (left == right or (left != left and right != right))


def test_values_are_equal_when_a_page_would_see_the_same():
    different = [1, True, 1.0, "1", None, math.nan, math.inf, b"", b"1", [1], [b"1"], [None], {"a": b"1"}, {"b": b"1"}]
    assert len(set(map(encode, different))) == len(different)
    assert encode([math.nan, bytearray(b"a")]) == encode((Number("nan"), memoryview(b"a")))


def test_an_encoded_value_is_a_snapshot_of_its_buffers():
    data = bytearray(b"abc")
    encoded = encode({"data": memoryview(data), "more": data})
    data[0] = 0
    assert decode(encoded) == {"data": b"abc", "more": b"abc"}


def test_decoding_gives_a_new_tree_each_time():
    encoded = encode({"a": [b"x"]})
    decode(encoded)["a"].append(1)
    assert decode(encoded) == {"a": [b"x"]}


@pytest.mark.parametrize("key", ["__proto__", "constructor", "prototype"])
@pytest.mark.parametrize("leaf", [b"a", math.nan])
@pytest.mark.threat(21)
def test_nothing_that_needs_a_path_may_stand_under_a_key_that_leads_out_of_the_value(key, leaf):
    with pytest.raises(UnserializableValue, match="key"):
        encode({"a": [{key: [leaf]}]})
    # Plain JSON may, and base mode has no paths.
    assert decode(encode({key: [1, None]})) == {key: [1, None]}
    assert encode_value({key: leaf})


@pytest.mark.parametrize("leaf", [b"a", [b"a"], math.nan, [math.nan]])
def test_nothing_that_needs_a_path_may_stand_under_a_key_that_is_there_twice(leaf):
    with pytest.raises(UnserializableValue, match="spelling"):
        encode({1: leaf, "1": 2})
    assert decode(encode({1: leaf, "2": 2}))


def test_a_number_that_changes_its_mind_between_two_looks_is_refused_with_the_one_error():
    class Fickle(numbers.Real):
        looks = 0

        def __float__(self):
            self.looks += 1
            return math.nan if self.looks == 1 else 1 / 0

    Fickle.__abstractmethods__ = frozenset()
    with pytest.raises(UnserializableValue, match="zero"):
        encode([Fickle()])


def test_depth_counts_the_same_with_and_without_buffers():
    assert encode([[b"a"]], max_depth=2)
    for value in ([[[]]], [[[b"a"]]], [[[math.nan]]], {"a": {"b": {"c": b""}}}):
        with pytest.raises(UnserializableValue, match="deep"):
            encode(value, max_depth=2)


def test_the_size_of_plain_json_is_exact_and_paths_count():
    assert encode([1, 2]).size_bytes == 5
    assert encode({"a": bytes(1000)}).size_bytes > 1000 + len('{"a":null}')
    assert encode([math.nan] * 100).size_bytes > 100 * len('[["changes",0,3,10],"NaN"],')


@pytest.mark.parametrize(
    "path",
    [(0,), ("a", "b"), ("b", 2), ("b", -1), ("b", True), ("b", "0"), ("b", 0.0), ("c",), (), ("d", 0), ("b", 1, 0)],
)
def test_a_path_that_does_not_lead_to_null_changes_nothing(path):
    tree = {"a": None, "b": [None, 1], "d": "text"}
    with pytest.raises(ValueError, match="Expected"):
        place(tree, path, b"x")
    assert tree == {"a": None, "b": [None, 1], "d": "text"}


def test_placing_gives_back_the_tree_or_at_its_root_the_value():
    tree = {"a": [None]}
    assert place(tree, ["a", 0], b"x") is tree
    assert tree == {"a": [b"x"]}
    assert place(None, [], b"x") == b"x"


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
@pytest.mark.threat(15, 16)
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

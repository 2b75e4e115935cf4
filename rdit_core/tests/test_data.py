import collections
import dataclasses
import math
import sys
from array import array
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from rdit_core import (
    DATA_READER,
    BaseClientConnection,
    DataTooLarge,
    Limits,
    RditError,
    UnsupportedData,
    encode_data,
)
from rdit_core.tests import data_page
from rdit_core.tests.data_cases import column, frame, needs, pa, pd, pl, shown, table
from rdit_core.tests.pair import Counter, Page


def told(data, **options):
    """Rows, and the columns as a page reads them, by name."""
    encoded = encode_data(data, **options)
    return encoded["rows"], {one["name"]: shown(one) for one in encoded["columns"]}


def refusal(data, **options):
    with pytest.raises(UnsupportedData) as caught:
        encode_data(data, **options)
    assert caught.value.code == "unsupported_data"
    assert isinstance(caught.value, RditError)
    return str(caught.value)


def test_no_data_is_none():
    assert encode_data(None) is None
    assert encode_data(None, sample=3) is None


def test_a_dict_of_columns_keeps_its_order():
    columns = {"b": [1, 2], "a": ("x", None), "c": array("f", [0.5, 1]), "d": range(2), "e": memoryview(b"\1\2")}
    rows, shown = told(columns)
    assert rows == 2
    assert list(shown) == ["b", "a", "c", "d", "e"]
    assert shown == {"b": [1, 2], "a": ["x", None], "c": [0.5, 1], "d": [0, 1], "e": [1, 2]}


@dataclasses.dataclass
class Price:
    city: str
    price: float


Seen = collections.namedtuple("Seen", "city seen")


def test_records_of_any_kind_make_columns_and_what_a_record_lacks_is_missing():
    records = [{"city": "Rome"}, Price("Oslo", 1.5), Seen("Bonn", True), {}]
    assert told(records) == (
        4,
        {"city": ["Rome", "Oslo", "Bonn", None], "price": ["NaN", 1.5, "NaN", "NaN"], "seen": [None, None, True, None]},
    )
    assert told([]) == (0, {})
    assert told(({"a": 1},)) == (1, {"a": [1]})


def test_names_become_texts_and_two_of_one_name_are_refused():
    assert list(told({1: [1], ("price", "max", ""): [1], None: [1]})[1]) == ["1", "price_max", "None"]
    assert "Two columns have the name '1'" in refusal({1: [1], "1": [2]})


def test_arrays_of_numpy_are_tables_when_they_are_two_dimensional_or_structured():
    assert told(np.array([[1, 2], [3, 4]], "i4")) == (2, {"0": [1, 3], "1": [2, 4]})
    assert told(np.array([(1, "a")], [("x", "i4"), ("y", "U1")])) == (1, {"x": [1], "y": ["a"]})
    assert told(np.empty((3, 0))) == (3, {})
    assert told(np.empty((0, 2))) == (0, {"0": [], "1": []})
    for odd in (np.arange(3), np.zeros((2, 2, 2)), np.zeros((2, 2), [("x", "i4")]), np.array(5)):
        assert "two-dimensional or structured" in refusal(odd)


@needs["pandas"]
def test_an_index_of_pandas_that_says_something_becomes_columns():
    frame = pd.DataFrame({"x": [1, 2, 3]})
    assert told(frame) == (3, {"x": [1, 2, 3]})
    assert told(frame[frame.x > 1]) == (2, {"index": [1, 2], "x": [2, 3]})
    assert told(frame[1:].reset_index(drop=True)) == (2, {"x": [2, 3]})
    assert told(frame[::-1]) == (3, {"index": [2, 1, 0], "x": [3, 2, 1]})
    assert told(frame.rename_axis("row")) == (3, {"row": [0, 1, 2], "x": [1, 2, 3]})
    assert told(frame.set_index([["a", "b", "c"], pd.Index([4, 5, 6], name="n")])) == (
        3,
        {"level_0": ["a", "b", "c"], "n": [4, 5, 6], "x": [1, 2, 3]},
    )


@needs["pandas"]
def test_odd_names_of_pandas():
    values = [[1, 2]]
    hierarchy = pd.MultiIndex.from_tuples([("x", "mean"), ("x", "")])
    assert told(pd.DataFrame(values, columns=hierarchy)) == (1, {"x_mean": [1], "x": [2]})
    assert "Two columns have the name 'x'" in refusal(pd.DataFrame(values, columns=["x", "x"]))
    assert list(told(pd.DataFrame(values, columns=[pd.Timestamp("2024-01-01"), 5]))[1]) == ["2024-01-01 00:00:00", "5"]
    assert "The index and a column have the name 'index'" in refusal(pd.DataFrame({"index": [1]}, index=["a"]))


@needs["pandas"]
def test_series_and_indices_of_pandas():
    assert told(pd.Series([1, 2])) == (2, {"value": [1, 2]})
    assert told(pd.Series([1, 2], ["a", "b"], name="n")) == (2, {"index": ["a", "b"], "n": [1, 2]})
    assert told({"a": pd.Index([1, 2]), "b": pd.Series([3, 4], [9, 8])}) == (2, {"a": [1, 2], "b": [3, 4]})
    assert told(pd.DataFrame(index=range(5))) == (5, {})
    assert told(pd.DataFrame()) == (0, {})


@needs["polars"]
def test_polars_frames_and_series_and_never_a_lazy_frame():
    data = pl.DataFrame({"x": [1, 2], "y": ["a", None]})
    assert told(data) == (2, {"x": [1, 2], "y": ["a", None]})
    assert told(data["x"]) == (2, {"x": [1, 2]})
    assert told(pl.Series([1])) == (1, {"value": [1]})
    assert told({"a": data["x"]}) == (2, {"a": [1, 2]})
    assert told(pl.DataFrame()) == (0, {})
    assert ".collect()" in refusal(data.lazy())


@needs["pyarrow"]
def test_tables_batches_and_arrays_of_pyarrow():
    data = pa.table({"x": [1, 2, 3], "y": ["a", None, "c"]})
    assert told(data) == (3, {"x": [1, 2, 3], "y": ["a", None, "c"]})
    assert told(data.slice(1)) == (2, {"x": [2, 3], "y": [None, "c"]})
    assert told(data.to_batches()[0].slice(1, 1)) == (1, {"x": [2], "y": [None]})
    assert told(data["x"]) == (3, {"value": [1, 2, 3]})
    assert told(pa.array([1, None])) == (2, {"value": [1, "NaN"]})
    assert told({"a": pa.array([1, 2]), "b": pa.chunked_array([[1], [2]])}) == (2, {"a": [1, 2], "b": [1, 2]})


class Streams:
    """Something with the Arrow stream interface and nothing else."""

    def __init__(self, table):
        self.table = table

    def __arrow_c_stream__(self, requested_schema=None):
        return self.table.__arrow_c_stream__(requested_schema)


@needs["pyarrow"]
def test_whatever_streams_arrow_is_read_by_pyarrow():
    assert told(Streams(pa.table({"x": [1, 2]}))) == (2, {"x": [1, 2]})


@needs["pyarrow"]
@needs["polars"]
def test_whatever_streams_arrow_is_read_by_polars_where_pyarrow_is_not_loaded(monkeypatch):
    streams = Streams(pa.table({"x": [1, 2]}))
    monkeypatch.delitem(sys.modules, "pyarrow")
    assert told(streams) == (2, {"x": [1, 2]})


def test_whatever_streams_arrow_asks_for_a_library_that_reads_it(monkeypatch):
    for name in ("pyarrow", "polars"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    assert "import pyarrow or polars first" in refusal(Streams(None))


def test_the_interchange_protocol_is_read_where_pyarrow_interchange_is_loaded(monkeypatch):
    class Exchanged:
        def __dataframe__(self):
            raise AssertionError("pyarrow calls it")

    monkeypatch.delitem(sys.modules, "pyarrow.interchange", raising=False)
    assert "import pyarrow.interchange first" in refusal(Exchanged())
    fake = SimpleNamespace(num_rows=1, column_names=["x"], columns=[[5]])
    monkeypatch.setitem(sys.modules, "pyarrow.interchange", SimpleNamespace(from_dataframe=lambda data: fake))
    assert told(Exchanged()) == (1, {"x": [5]})


@needs["pyarrow"]
@needs["pandas"]
def test_the_interchange_protocol_as_pyarrow_reads_it():
    pytest.importorskip("pyarrow.interchange")

    class Exchanged:
        def __dataframe__(self, nan_as_null=False, allow_copy=True):
            return pa.table({"x": [1.5]}).__dataframe__(nan_as_null, allow_copy)

    assert told(Exchanged()) == (1, {"x": [1.5]})


@pytest.mark.parametrize("data", [5, "text", b"bytes", {1, 2}, object(), range(3), array("d", [1])], ids=repr)
def test_what_is_no_table_is_refused_with_what_is_taken(data):
    assert "Expected a pandas, polars or pyarrow table or series" in refusal(data)


def test_what_is_wrong_with_a_column_is_told_with_its_name():
    assert "a list with a builtins.int in it" in refusal([1, 2])
    assert "'a' 1, 'b' 2" in refusal({"a": [1], "b": [1, 2]})
    for odd in (5, "text", b"bytes", memoryview(np.zeros((2, 2))), np.array(5)):
        assert "Column 'a': Expected a list or an array" in refusal({"a": odd})
    assert "Column 'a': cannot be sent: Text holds a lone surrogate" in refusal({"a": ["\ud800"]})
    assert "cannot be sent" in refusal({"\ud800": [1]})
    deep = []
    for _ in range(300):
        deep = [deep]
    assert "nested too deeply" in refusal({"a": [deep]})
    deep.append(deep)
    assert "Column 'a': holds a value that is nested too deeply, perhaps in itself" in refusal({"a": [deep]})


def test_a_sample_is_drawn_evenly_in_order_and_the_same_each_time():
    data = {"x": list(range(101)), "y": [str(n) for n in range(101)]}
    encoded = encode_data(data, sample=5)
    assert (encoded["rows"], encoded["total"]) == (5, 101)
    assert shown(encoded["columns"][0]) == [0, 25, 50, 75, 100]
    assert shown(encoded["columns"][1]) == ["0", "25", "50", "75", "100"]
    assert encode_data(data, sample=5) == encoded
    assert told(data, sample=1) == (1, {"x": [0], "y": ["0"]})
    assert told({"x": range(10)}, sample=9)[1] == {"x": [0, 1, 2, 3, 4, 5, 6, 7, 9]}


def test_nothing_is_sampled_unasked_or_where_there_is_less():
    for sample in (None, 3, 1000):
        encoded = encode_data({"x": [1, 2, 3]}, sample=sample)
        assert (encoded["rows"], encoded["total"]) == (3, 3)


@pytest.mark.parametrize("sample", [0, -1, 1.5, True, "3"])
def test_a_sample_is_a_number_of_rows(sample):
    with pytest.raises(ValueError, match="number of rows"):
        encode_data({"x": [1]}, sample=sample)


def test_the_type_of_a_sampled_column_follows_from_all_rows():
    """So that a summary of the data speaks of the columns that the page has."""
    (column,) = encode_data({"x": [1, 2**60, 3]}, sample=2)["columns"]
    assert column == {"name": "x", "type": "bigint", "values": ["1", "3"]}


def test_data_beyond_the_bound_is_an_error_that_names_the_sample():
    data = {"x": np.zeros(1000), "y": ["text"] * 1000}
    with pytest.raises(DataTooLarge, match=r"1,000 rows and 2 columns .* 9,000 bytes .* sample=") as caught:
        encode_data(data, max_bytes=9000)
    assert caught.value.code == "data_too_large"
    assert encode_data(data, max_bytes=9000, sample=500)["rows"] == 500
    assert encode_data(data, max_bytes=None)["rows"] == 1000
    rows = Limits().max_frame_bytes // 8
    with pytest.raises(DataTooLarge):
        encode_data({"x": np.zeros(rows)})


def test_the_value_is_a_snapshot():
    values, texts, nested = np.zeros(2), ["a", "b"], [[1], [2]]
    encoded = encode_data({"x": values, "y": texts, "z": nested})
    before = repr(encoded)
    values[0], texts[0] = 5, "c"
    nested[0].append(5)
    assert repr(encoded) == before


EVERYTHING = {
    "number": np.array([1.5, math.nan, math.inf]),
    "small": np.array([1, 2, 3], "u1"),
    "boolean": [True, None, False],
    "string": ["ä\0", None, ""],
    "datetime": np.array([0, 1, "NaT"], "M8[ms]"),
    "bigint": [2**60, None, 0],
    "json": [[math.nan, b"\x00\xff"], {"a": None}, None],
}


def assert_equal(received, sent):
    assert repr(received) == repr(sent)  # By its text: NaN is no equal of itself.


def test_data_reaches_a_page_and_comes_back_by_rdit_1(manager):
    encoded = encode_data(EVERYTHING)
    widget = Counter(data=encoded)
    manager.register("w", widget)
    page = Page(manager)
    assert_equal(page.shown("data"), encoded)
    page.edit(data={**page.shown("data"), "rows": 4})
    page.settle()
    assert widget.data["rows"] == 4
    assert [shown(one) for one in widget.data["columns"][:-1]] == [shown(one) for one in encoded["columns"][:-1]]
    widget.data = encode_data({"x": [1]})
    page.settle()
    assert_equal(page.shown("data"), encode_data({"x": [1]}))


def test_data_reaches_a_page_by_base_mode(manager):
    """In which a number inside of JSON that JSON lacks is null."""
    encoded = encode_data({**EVERYTHING, "json": [[b"\x00\xff"], {"a": None}, None]})
    manager.register("w", Counter(data=encoded))
    client = BaseClientConnection()
    client.opened()
    assert_equal(client.open(manager.serialize("w")).get("data"), encoded)


@pytest.mark.parametrize(
    "make", [column, *(pytest.param(make, marks=needs[name]) for name, make in [("polars", frame), ("pyarrow", table)])]
)
def test_a_table_compares_by_its_values(make):
    assert encode_data(make([1.5, None])) == encode_data(column([1.5, None]))
    assert encode_data(make([1.5, None])) != encode_data(column([1.5, 2]))


def test_the_reader_for_pages_is_the_file():
    import rdit_core

    text = (Path(rdit_core.__file__).parent / "data.js").read_text(encoding="utf-8")
    assert text == DATA_READER
    assert "function readData(" in DATA_READER and "function readRecords(" in DATA_READER
    assert "export" not in DATA_READER


def test_the_tables_for_the_tests_of_the_reader_are_those_that_are_encoded():
    assert data_page.FILE.read_text(encoding="ascii") == data_page.text(), "run: python rdit_core/tests/data_page.py"

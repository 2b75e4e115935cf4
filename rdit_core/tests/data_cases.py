"""What becomes of each kind of value, in each library: the table of docs/data.md, row by row."""

import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import math
import uuid
import warnings
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from rdit_core import encode_data
from rdit_core.data_values import TYPECODES

WHERE = "is installed in the tox environments py312, data and coverage"


def library(name):
    """A library of data, or None where it is not installed."""
    try:
        return __import__(name)
    except ImportError:
        return None


pd, pl, pa = library("pandas"), library("polars"), library("pyarrow")
MISSING = {name for name, module in {"pandas": pd, "polars": pl, "pyarrow": pa}.items() if module is None}

NAIVE = datetime.datetime(2024, 1, 1, 12, 0, 0, 500)
NAIVE_MS = 1704110400000.5
EARLY = datetime.datetime(1969, 12, 31, 23, 59, 59, 999000)
UTC = datetime.timezone.utc
ROME = ZoneInfo("Europe/Rome")
DAY = datetime.date(2024, 1, 2)
DAY_MS = 1704153600000.0
SPAN = datetime.timedelta(seconds=1, microseconds=500)
BIG = 2**60 + 1
UID = uuid.UUID(int=5)


@dataclasses.dataclass
class Point:
    x: int
    at: datetime.date


Pair = collections.namedtuple("Pair", "left right")


class Text(str):
    __slots__ = ()


class Float(float):
    __slots__ = ()


class Level(enum.IntEnum):
    HIGH = 2


def shown(column):
    """A column as a page reads it: NaN by name, -0.0 by name, categories by their texts."""
    kind = column["type"]
    if kind == "category":
        codes = memoryview(column["codes"]).cast("i")
        return [None if code == -1 else column["categories"][code] for code in codes]
    if kind not in {"number", "datetime", "date", "duration"}:
        return column["values"]
    values = memoryview(column["values"]).cast(TYPECODES[column.get("dtype", "float64")])
    return ["NaN" if v != v else "-0" if v == 0 and math.copysign(1, v) < 0 else v for v in values]


def column_of(data, **options):
    (column,) = encode_data(data, **options)["columns"]
    return column


def series(values, dtype=None):
    return pd.DataFrame({"c": pd.Series(values, dtype=dtype)})


def frame(values, dtype=None):
    return pl.DataFrame({"c": pl.Series("c", values, dtype=dtype)})


def table(values, type=None):
    return pa.table({"c": pa.array(values, type)})


def two_chunks(values, type=None):
    chunked = pa.chunked_array([pa.array(values[:1], type), pa.array([], type), pa.array([7, *values], type).slice(2)])
    return pa.table({"c": chunked})


def column(values):
    return {"c": values}


def typed(*values, dtype):
    return column(np.array(values, dtype))


def without_a_unit():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # The newest numpy does not want them any more.
        return np.array(["NaT"], "M8")


def masked(values, mask, dtype):
    return column(np.ma.array(values, mask=mask, dtype=dtype))


def capital(dtype):
    return dtype.replace("i", "I").replace("u", "U")


def number(dtype):
    return {"type": "number", "dtype": dtype}


def dated(zone):
    return {"type": "datetime", "timezone": zone}


def rows_of_the_table():
    """(row of the page, what the column is besides its values, its values as shown, library to maker)."""
    row = "float64, Python's float"
    yield (
        row,
        number("float64"),
        [1.5, 2.0],
        {
            "python": lambda: column([1.5, 2]),
            "numpy": lambda: typed(1.5, 2, dtype="f8"),
            "numpy, of other byte order": lambda: typed(1.5, 2, dtype=">f8"),
            "numpy, not contiguous": lambda: column(np.array([1.5, 0, 2, 0])[::2]),
            "numpy scalars": lambda: column([np.float64(1.5), np.float32(2)]),
            "python, subclasses": lambda: column([Float(1.5), Level.HIGH]),
            "pandas": lambda: series([1.5, 2]),
            "pandas, nullable": lambda: series([1.5, 2], "Float64"),
            "pandas, sparse": lambda: pd.DataFrame({"c": pd.arrays.SparseArray([1.5, 2])}),
            "polars": lambda: frame([1.5, 2.0]),
            "pyarrow": lambda: table([1.5, 2]),
            "pyarrow, in chunks": lambda: two_chunks([1.5, 2], pa.float64()),
            "pyarrow, of runs": lambda: pa.table({"c": pa.RunEndEncodedArray.from_arrays([1, 2], [1.5, 2])}),
        },
    )
    row = "float32, float16"
    yield (
        row,
        number("float32"),
        [1.5, 2.0],
        {
            "numpy": lambda: typed(1.5, 2, dtype="f4"),
            "numpy, float16": lambda: typed(1.5, 2, dtype="f2"),
            "pandas": lambda: series([1.5, 2], "float32"),
            "pandas, nullable": lambda: series([1.5, 2], "Float32"),
            "polars": lambda: frame([1.5, 2.0], pl.Float32),
            "pyarrow": lambda: table([1.5, 2], pa.float32()),
            "pyarrow, float16": lambda: table(np.array([1.5, 2], "f2")),
        },
    )
    row = "longer floats, Decimal, Fraction"
    yield (
        row,
        number("float64"),
        [0.1, 2.0],
        {
            "python": lambda: column([decimal.Decimal("0.1"), fractions.Fraction(2)]),
            "numpy": lambda: column(np.array([0.1, 2.0]).astype(np.longdouble)),
            "pandas": lambda: series([decimal.Decimal("0.1"), decimal.Decimal(2)]),
            "polars": lambda: frame([decimal.Decimal("0.1"), decimal.Decimal(2)]),
            "pyarrow": lambda: table([decimal.Decimal("0.1"), decimal.Decimal(2)]),
        },
    )
    row = "a missing number: None, NaN, NA, null, a masked one"
    yield (
        row,
        number("float64"),
        [1.5, "NaN"],
        {
            "python": lambda: column([1.5, None]),
            "python, NaN": lambda: column([1.5, math.nan]),
            "python, NaN and None": lambda: column([decimal.Decimal("1.5"), decimal.Decimal("sNaN")]),
            "numpy": lambda: typed(1.5, math.nan, dtype="f8"),
            "numpy, masked": lambda: masked([1.5, 2], [0, 1], "f8"),
            "pandas": lambda: series([1.5, None]),
            "pandas, NA": lambda: series([1.5, pd.NA], "Float64"),
            "pandas, objects": lambda: series([1.5, pd.NA], object),
            "polars": lambda: frame([1.5, None]),
            "pyarrow": lambda: table([1.5, None]),
        },
    )
    yield (
        row,
        number("float32"),
        [1.5, "NaN"],
        {
            "pandas, float32": lambda: series([1.5, pd.NA], "Float32"),
            "polars, float32": lambda: frame([1.5, None], pl.Float32),
            "pyarrow, float32": lambda: table([1.5, None], pa.float32()),
            "numpy, masked float32": lambda: masked([1.5, 2], [0, 1], "f4"),
        },
    )
    row = "infinities and -0.0"
    odd = [math.inf, -math.inf, -0.0]
    yield (
        row,
        number("float64"),
        [math.inf, -math.inf, "-0"],
        {
            "python": lambda: column(odd),
            "numpy": lambda: typed(*odd, dtype="f8"),
            "pandas": lambda: series(odd),
            "polars": lambda: frame(odd),
            "pyarrow": lambda: table(odd),
        },
    )
    row = "8, 16 and 32 bit integers, none missing"
    for dtype in ("int8", "uint8", "int16", "uint16", "int32", "uint32"):
        yield (
            row,
            number(dtype),
            [1, 100],
            {
                f"numpy, {dtype}": lambda dtype=dtype: typed(1, 100, dtype=dtype),
                f"pandas, {dtype}": lambda dtype=dtype: series([1, 100], dtype),
                f"pandas, nullable {dtype}": lambda dtype=dtype: series([1, 100], capital(dtype)),
                f"polars, {dtype}": lambda dtype=dtype: frame([1, 100], getattr(pl, capital(dtype))),
                f"pyarrow, {dtype}": lambda dtype=dtype: table([1, 100], getattr(pa, dtype)()),
                f"pyarrow, {dtype} in pandas": lambda dtype=dtype: series(
                    [1, 100], pd.ArrowDtype(getattr(pa, dtype)())
                ),
            },
        )
    row = "such integers, one missing"
    yield (
        row,
        number("float64"),
        [1.0, "NaN"],
        {
            "numpy, masked": lambda: masked([1, 2], [0, 1], "i2"),
            "pandas": lambda: series([1, None], "Int8"),
            "polars": lambda: frame([1, None], pl.UInt16),
            "pyarrow": lambda: table([1, None], pa.int32()),
        },
    )
    row = "64 bit and Python's integers, all within ±2^53"
    yield (
        row,
        number("float64"),
        [-1.0, 2.0**53],
        {
            "python": lambda: column([-1, 2**53]),
            "numpy": lambda: typed(-1, 2**53, dtype="i8"),
            "numpy, nothing masked": lambda: masked([-1, 2**53], [0, 0], "i8"),
            "pandas": lambda: series([-1, 2**53]),
            "pandas, nullable": lambda: series([-1, 2**53], "Int64"),
            "polars": lambda: frame([-1, 2**53]),
            "polars, Int128": lambda: frame([-1, 2**53], pl.Int128),
            "pyarrow": lambda: table([-1, 2**53]),
        },
    )
    yield (
        row,
        number("float64"),
        [1.0, "NaN"],
        {
            "python, one missing": lambda: column([1, None]),
            "numpy, one masked": lambda: masked([1, 2], [0, 1], "i8"),
            "pandas, one missing": lambda: series([1, None], "Int64"),
            "polars, one missing": lambda: frame([1, None]),
            "pyarrow, one missing": lambda: table([1, None]),
        },
    )
    row = "integers beyond ±2^53"
    yield (
        row,
        {"type": "bigint"},
        [str(BIG), "-1"],
        {
            "python": lambda: column([BIG, -1]),
            "numpy": lambda: typed(BIG, -1, dtype="i8"),
            "pandas": lambda: series([BIG, -1]),
            "polars": lambda: frame([BIG, -1]),
            "pyarrow": lambda: table([BIG, -1]),
        },
    )
    yield (
        row,
        {"type": "bigint"},
        [str(2**64 - 1), None],
        {
            "python, one missing": lambda: column([2**64 - 1, None]),
            "numpy, one masked": lambda: masked([2**64 - 1, 0], [0, 1], "u8"),
            "pandas, one missing": lambda: series([2**64 - 1, None], "UInt64"),
            "polars, one missing": lambda: frame([2**64 - 1, None], pl.UInt64),
            "pyarrow, one missing": lambda: table([2**64 - 1, None], pa.uint64()),
        },
    )
    row = "booleans"
    yield (
        row,
        {"type": "boolean"},
        [True, False],
        {
            "python": lambda: column([True, False]),
            "numpy": lambda: typed(True, False, dtype=bool),
            "pandas": lambda: series([True, False]),
            "pandas, nullable": lambda: series([True, False], "boolean"),
        },
    )
    yield (
        row,
        {"type": "boolean"},
        [True, None],
        {
            "python, one missing": lambda: column([np.True_, None]),
            "numpy, one masked": lambda: masked([True, True], [0, 1], bool),
            "pandas, one missing": lambda: series([True, None], "boolean"),
            "pandas, objects": lambda: series([True, None], object),
            "polars": lambda: frame([True, None]),
            "pyarrow": lambda: table([True, None]),
        },
    )
    row = "texts"
    yield (
        row,
        {"type": "string"},
        ["ä", None],
        {
            "python": lambda: column(["ä", None]),
            "python, NaN": lambda: column([Text("ä"), math.nan]),
            "numpy": lambda: column(np.array(["ä", None], object)),
            "numpy, masked": lambda: masked(["ä", "b"], [0, 1], "U1"),
            "pandas": lambda: series(["ä", None]),
            "pandas, objects": lambda: series(["ä", None], object),
            "pandas, nullable": lambda: series(["ä", None], "string"),
            "pandas, pyarrow": lambda: series(["ä", None], pd.ArrowDtype(pa.string())),
            "polars": lambda: frame(["ä", None]),
            "pyarrow": lambda: table(["ä", None]),
            "pyarrow, large": lambda: table(["ä", None], pa.large_string()),
            "pyarrow, views": lambda: table(["ä", None], pa.string_view()),
        },
    )
    yield row, {"type": "string"}, ["ä", ""], {"numpy, of fixed length": lambda: typed("ä", "", dtype="U3")}
    row = "categories, enumerations"
    ordered = {"type": "category", "categories": ["z", "y", "x"], "ordered": True}
    yield (
        row,
        ordered,
        ["x", None, "y"],
        {
            "pandas": lambda: series(pd.Categorical(["x", None, "y"], ["z", "y", "x"], ordered=True)),
            "polars": lambda: frame(["x", None, "y"], pl.Enum(["z", "y", "x"])),
            "pyarrow": lambda: pa.table(
                {"c": pa.DictionaryArray.from_arrays([2, None, 1], ["z", "y", "x"], ordered=True)}
            ),
        },
    )
    yield (
        row,
        {"type": "category", "categories": ["x", "y"], "ordered": False},
        ["x", None, "y"],
        {
            "pandas, unordered": lambda: series(["x", None, "y"], "category"),
            "polars, Categorical": lambda: frame(["x", None, "y"], pl.Categorical),
            "pyarrow, in chunks": lambda: pa.table(
                {
                    "c": pa.chunked_array(
                        [pa.array(["x", None]).dictionary_encode(), pa.array(["y"]).dictionary_encode()]
                    )
                }
            ),
            "pyarrow, null in the dictionary": lambda: pa.table(
                {"c": pa.DictionaryArray.from_arrays([0, 1, 2], pa.array(["x", None, "y"]))}
            ),
        },
    )
    yield (
        row,
        {"type": "category", "categories": ["1", "2"], "ordered": False},
        ["2"],
        {
            "pandas, numbers": lambda: series(pd.Categorical([2], [1, 2])),
            "pyarrow, numbers": lambda: pa.table({"c": pa.DictionaryArray.from_arrays([1], pa.array([1, 2]))}),
        },
    )
    row = "points in time without a zone"
    yield (
        row,
        dated(None),
        [NAIVE_MS, "NaN", -1.0],
        {
            "python": lambda: column([NAIVE, None, EARLY]),
            "numpy": lambda: typed(NAIVE, "NaT", EARLY, dtype="M8[us]"),
            "numpy, nanoseconds": lambda: typed(NAIVE, "NaT", EARLY, dtype="M8[ns]"),
            "numpy, of other byte order": lambda: typed(NAIVE, "NaT", EARLY, dtype=">M8[us]"),
            "numpy scalars": lambda: column(
                [np.datetime64(NAIVE), np.datetime64("NaT", "s"), np.datetime64(EARLY, "ns")]
            ),
            "numpy, masked": lambda: masked(np.array([NAIVE, NAIVE, EARLY], "M8[us]"), [0, 1, 0], "M8[us]"),
            "pandas": lambda: series([NAIVE, None, EARLY]),
            "pandas, nanoseconds": lambda: series([NAIVE, None, EARLY], "datetime64[ns]"),
            "pandas, objects": lambda: series([pd.Timestamp(NAIVE), pd.NaT, EARLY], object),
            "polars": lambda: frame([NAIVE, None, EARLY]),
            "polars, nanoseconds": lambda: frame([NAIVE, None, EARLY], pl.Datetime("ns")),
            "pyarrow": lambda: table([NAIVE, None, EARLY]),
            "pyarrow, nanoseconds": lambda: table([NAIVE, None, EARLY], pa.timestamp("ns")),
        },
    )
    yield (
        row,
        dated(None),
        [1000.0, "NaN"],
        {
            "numpy, seconds": lambda: typed(1, "NaT", dtype="M8[s]"),
            "numpy, milliseconds": lambda: typed(1000, "NaT", dtype="M8[ms]"),
            "polars, milliseconds": lambda: frame([datetime.datetime(1970, 1, 1, 0, 0, 1), None], pl.Datetime("ms")),
            "pyarrow, seconds": lambda: table([1, None], pa.timestamp("s")),
            "pyarrow, milliseconds": lambda: table([1000, None], pa.timestamp("ms")),
        },
    )
    yield row, dated(None), ["NaN"], {"numpy, without a unit": lambda: column(without_a_unit())}
    row = "points in time with a zone"
    yield (
        row,
        dated("Europe/Rome"),
        [NAIVE_MS - 3_600_000, "NaN"],
        {
            "python": lambda: column([NAIVE.replace(tzinfo=ROME), None]),
            "pandas": lambda: series([NAIVE, None]).c.dt.tz_localize("Europe/Rome").to_frame(),
            "pandas, objects": lambda: series([pd.Timestamp(NAIVE, tz="Europe/Rome"), None], object),
            "pandas, pyarrow": lambda: series(
                [NAIVE.replace(tzinfo=ROME), None], pd.ArrowDtype(pa.timestamp("us", "Europe/Rome"))
            ),
            "polars": lambda: frame([NAIVE, None]).with_columns(pl.col("c").dt.replace_time_zone("Europe/Rome")),
            "pyarrow": lambda: table([NAIVE.replace(tzinfo=ROME), None], pa.timestamp("us", "Europe/Rome")),
        },
    )
    row = "points in time in several zones"
    yield (
        row,
        dated("UTC"),
        [NAIVE_MS - 3_600_000, NAIVE_MS],
        {
            "python": lambda: column([NAIVE.replace(tzinfo=ROME), NAIVE.replace(tzinfo=UTC)]),
            "pandas": lambda: series([NAIVE.replace(tzinfo=ROME), NAIVE.replace(tzinfo=UTC)], object),
        },
    )
    row = "dates"
    yield (
        row,
        {"type": "date"},
        [DAY_MS, "NaN"],
        {
            "python": lambda: column([DAY, None]),
            "numpy": lambda: typed(DAY, "NaT", dtype="M8[D]"),
            "numpy, two days a step": lambda: column(np.array([DAY, "NaT"], "M8[D]").astype("M8[2D]")),
            "pandas": lambda: series([DAY, pd.NaT], object),
            "polars": lambda: frame([DAY, None]),
            "pyarrow": lambda: table([DAY, None]),
            "pyarrow, date64": lambda: table([DAY, None], pa.date64()),
        },
    )
    yield (
        row,
        {"type": "date"},
        [2678400000.0, "NaN"],
        {"numpy, months": lambda: typed("1970-02", "NaT", dtype="M8[M]")},
    )
    row = "spans of time"
    yield (
        row,
        {"type": "duration"},
        [1000.5, "NaN"],
        {
            "python": lambda: column([SPAN, None]),
            "numpy": lambda: typed(SPAN, "NaT", dtype="m8[us]"),
            "numpy scalars": lambda: column([np.timedelta64(SPAN), np.timedelta64("NaT", "s")]),
            "pandas": lambda: series([SPAN, None]),
            "pandas, objects": lambda: series([pd.Timedelta(SPAN), None], object),
            "polars": lambda: frame([SPAN, None]),
            "pyarrow": lambda: table([SPAN, None]),
        },
    )
    yield (
        row,
        {"type": "duration"},
        [3_600_000.0],
        {
            "numpy, hours": lambda: typed(1, dtype="m8[h]"),
            "pyarrow, seconds": lambda: table([3600], pa.duration("s")),
        },
    )
    row = "times of day"
    yield (
        row,
        {"type": "string"},
        ["01:02:03", None],
        {
            "python": lambda: column([datetime.time(1, 2, 3), None]),
            "pandas": lambda: series([datetime.time(1, 2, 3), None], object),
            "polars": lambda: frame([datetime.time(1, 2, 3), None]),
            "pyarrow": lambda: table([datetime.time(1, 2, 3), None]),
            "pyarrow, nanoseconds": lambda: table([3723 * 10**9 + 1, None], pa.time64("ns")),
            "pyarrow, seconds": lambda: table([3723, None], pa.time32("s")),
        },
    )
    row = "periods, intervals, UUIDs"
    yield row, {"type": "string"}, [str(UID), None], {"python": lambda: column([UID, None])}
    yield (
        row,
        {"type": "string"},
        ["2024-01", None],
        {
            "pandas": lambda: series(["2024-01", None], "period[M]"),
            "pandas, objects": lambda: series([pd.Period("2024-01"), None], object),
        },
    )
    yield (
        row,
        {"type": "string"},
        ["(0.0, 1.0]", None],
        {
            "pandas, intervals": lambda: pd.DataFrame({"c": pd.arrays.IntervalArray.from_tuples([(0, 1), None])}),
        },
    )
    yield (
        row,
        {"type": "string"},
        ["(0, 1]", None],
        {"pandas, intervals as objects": lambda: series([pd.Interval(0, 1), None], object)},
    )
    row = "bytes"
    yield (
        row,
        {"type": "json"},
        [b"\x00a", None],
        {
            "python": lambda: column([b"\x00a", None]),
            "numpy": lambda: column(np.array([b"\x00a", None], object)),
            "pandas": lambda: series([b"\x00a", None]),
            "polars": lambda: frame([b"\x00a", None]),
            "pyarrow": lambda: table([b"\x00a", None]),
            "pyarrow, an extension": lambda: table([b"\x00a", None], pa.opaque(pa.binary(), "blob", "test")),
        },
    )
    yield (
        row,
        {"type": "json"},
        [b"ab", b"c"],
        {
            "numpy, of fixed length": lambda: typed(b"ab", b"c", dtype="S2"),
            "numpy, void": lambda: {"c": [np.void(b"ab"), b"c"]},
        },
    )
    row = "lists, arrays, structs, records"
    yield (
        row,
        {"type": "json"},
        [[1, 2], None],
        {
            "python": lambda: column([(1, 2), None]),
            "python, ranges": lambda: column([range(1, 3), None]),
            "numpy": lambda: column([np.array([1, 2]), None]),
            "pandas": lambda: series([[1, 2], None]),
            "polars": lambda: frame([[1, 2], None]),
            "polars, objects": lambda: column([pl.Series([1, 2]), None]),
            "pyarrow": lambda: table([[1, 2], None]),
        },
    )
    yield (
        row,
        {"type": "json"},
        [[1.0, 2.0], [3.0, 4.0]],
        {"numpy, two dimensions": lambda: column(np.array([[1.0, 2], [3, 4]]))},
    )
    yield (
        row,
        {"type": "json"},
        [{"x": 1, "at": "2024-01-02"}],
        {
            "python, dataclasses": lambda: column([Point(1, DAY)]),
            "numpy, structured": lambda: column(np.array([(1, DAY)], [("x", "i4"), ("at", "M8[D]")])),
            "pandas": lambda: series([{"x": 1, "at": DAY}]),
            "polars": lambda: frame([{"x": 1, "at": DAY}]),
            "pyarrow": lambda: table([{"x": 1, "at": DAY}]),
        },
    )
    yield (
        row,
        {"type": "json"},
        [[1, 2, 3]],
        {"pyarrow, months as spans": lambda: table([(1, 2, 3)], pa.month_day_nano_interval())},
    )
    row = "mixed kinds of values"
    mixed = ["a", 1, 2.5, True, None, NAIVE, SPAN, {"n": BIG, "set": {1}}, Pair(1, np.array(2))]
    told = ["a", 1, 2.5, True, None, NAIVE.isoformat(), 1000.5, {"n": str(BIG), "set": [1]}, {"left": 1, "right": 2}]
    yield (
        row,
        {"type": "json"},
        told,
        {
            "python": lambda: column(mixed),
            "numpy": lambda: column(np.array(mixed, object)),
            "pandas": lambda: series(mixed, object),
        },
    )
    yield (
        row,
        {"type": "json"},
        [NAIVE.isoformat(), f"{NAIVE.isoformat()}+00:00"],
        {"python, with and without a zone": lambda: column([NAIVE, NAIVE.replace(tzinfo=UTC)])},
    )
    row = "nothing but missing values without a type"
    yield (
        row,
        {"type": "json"},
        [None, None],
        {
            "python": lambda: column([None, None]),
            "numpy": lambda: column(np.array([None, None])),
            "pandas": lambda: series([None, pd.NA], object),
            "polars": lambda: frame([None, None]),
            "pyarrow": lambda: table([None, None]),
        },
    )


def refused():
    row = "complex numbers, numpy's spans of months, any other object"
    return row, {
        "python": lambda: column([1j]),
        "python, an object": lambda: column([object()]),
        "python, an object inside": lambda: column([[{"a": object()}]]),
        "python, a class": lambda: column([Point]),
        "python, integers beyond all floats": lambda: column([10**400, 0.5]),
        "numpy": lambda: typed(1j, dtype=complex),
        "numpy, months": lambda: typed(1, dtype="m8[M]"),
        "numpy scalars, months": lambda: column([np.timedelta64(1, "M")]),
        "numpy scalars, the year 20000": lambda: column([np.datetime64("20000-01-01")]),
        "pandas": lambda: series([1j]),
    }


def uses(name):
    """The libraries that a case's name names."""
    return {library for library in ("pandas", "polars", "pyarrow") if library in name}


def case(*values, row, name):
    absent = uses(name) & MISSING
    skip = pytest.mark.skipif(bool(absent), reason=f"{', '.join(sorted(absent))} {WHERE}")
    return pytest.param(*values, marks=skip, id=f"{row} - {name}")


CASES = [
    case(around, values, make, row=row, name=name)
    for row, around, values, makers in rows_of_the_table()
    for name, make in makers.items()
]
REFUSED_ROW, REFUSED = refused()
needs = {
    name: pytest.mark.skipif(name in MISSING, reason=f"{name} {WHERE}") for name in ("pandas", "polars", "pyarrow")
}

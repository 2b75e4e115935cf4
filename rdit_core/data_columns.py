"""A column of a library of data as a page gets it: numpy, pandas, polars and pyarrow, each by its own means.

Whoever calls has loaded the library, or there would be no column of it. Numbers are copied once where the page has a
typed array of their kind: into the bytes of the column, which are then shared on all their way to the pages.
"""

from __future__ import annotations

import math
import sys
from array import array
from typing import Any, Final

from .data_values import (
    DAY_MS,
    SAFE,
    TYPECODES,
    Column,
    categories,
    datetimes,
    encode_values,
    is_a,
    listed,
    numbers,
    whole_numbers,
)
from .errors import UnsupportedData

_PER_MS: Final = {"ms": 1, "us": 10**3, "ns": 10**6, "ps": 10**9, "fs": 10**12, "as": 10**15}
_MS_PER: Final = {"s": 1000, "m": 60_000, "h": 3_600_000, "D": DAY_MS, "W": 7 * DAY_MS, "generic": 1}
_DATES: Final = frozenset("DWMY")
"""Units of numpy that name days and not points in time."""
_NAT: Final = -(2**63)


def encode_column(values: Any) -> Column:
    """One column: of numpy, pandas, polars or pyarrow, or any sequence of Python objects.

    Raises:
        UnsupportedData: its type has no form in a page.
    """
    if is_a(values, "pandas", "Series"):
        return _encode_pandas(values)
    if is_a(values, "polars", "Series"):
        return _encode_polars(values)
    if is_a(values, "pyarrow", "ChunkedArray"):
        return _encode_arrow(values)
    if is_a(values, "numpy", "ndarray"):
        return _encode_numpy(values)
    return encode_values(values)


# numpy.


def _encode_numpy(values: Any) -> Column:
    numpy = sys.modules["numpy"]
    if isinstance(values, numpy.ma.MaskedArray):
        return _encode_masked(values) if numpy.ma.is_masked(values) else _encode_numpy(values.data)
    kind, size = values.dtype.kind, values.dtype.itemsize
    if values.ndim > 1 or kind in "OTSV":
        return encode_values(list(values))
    if kind == "f":
        return _numpy_numbers(values, "float32" if size <= 4 else "float64")
    if kind in "iu":
        if size < 8:
            return _numpy_numbers(values, values.dtype.name)
        if values.size and (values.min() < -SAFE or values.max() > SAFE):
            return whole_numbers(values.tolist())
        return _numpy_numbers(values, "float64")
    if kind == "b":
        return listed("boolean", values.tolist())
    if kind == "U":
        return listed("string", values.tolist())
    if kind in "mM":
        return _numpy_times(values)
    raise UnsupportedData(f"holds {values.dtype} values, which have no form in a page; make it columns of numbers")


def _encode_masked(values: Any) -> Column:
    """An array of numpy some of whose values are masked."""
    kind = values.dtype.kind
    if kind == "f":
        return _encode_numpy(values.filled(math.nan))
    if kind in "mM":
        return _encode_numpy(values.filled(sys.modules["numpy"].array("NaT", values.dtype)))
    if kind == "b":
        return listed("boolean", values.tolist())
    if kind in "iu":
        return whole_numbers(values.tolist())
    return encode_values(values.tolist())


def _numpy_numbers(values: Any, dtype: str) -> Column:
    return numbers(values.astype(_little(dtype), copy=False).tobytes(), dtype)


def _little(dtype: str) -> Any:
    return sys.modules["numpy"].dtype(dtype).newbyteorder("<")


def _numpy_times(values: Any) -> Column:
    numpy = sys.modules["numpy"]
    unit, count = numpy.datetime_data(values.dtype)
    is_date = values.dtype.kind == "M" and unit in _DATES
    if unit in ("M", "Y"):
        if not is_date:
            raise UnsupportedData("holds months or years, which are of no fixed length; make it days or numbers")
        values, unit, count = values.astype("M8[D]"), "D", 1
    whole = values.astype(values.dtype.newbyteorder("="), copy=False).view("i8")
    missing = whole == _NAT
    if unit in _MS_PER:
        milliseconds = whole * float(_MS_PER[unit] * count)
    else:
        # Divided as whole numbers: as floats, not every whole millisecond would come out as one.
        per_ms = _PER_MS[unit]
        quotient = whole // per_ms
        milliseconds = (quotient + (whole - quotient * per_ms) / per_ms) * count
    milliseconds[missing] = math.nan
    data = milliseconds.astype(_little("float64"), copy=False).tobytes()
    if values.dtype.kind == "m":
        return {"type": "duration", "values": data}
    return {"type": "date", "values": data} if is_date else datetimes(data, None)


# pandas.


def _encode_pandas(values: Any) -> Column:
    pandas = sys.modules["pandas"]
    dtype = values.dtype
    if isinstance(dtype, pandas.CategoricalDtype):
        codes = values.cat.codes.to_numpy().astype(_little("int32")).tobytes()
        return categories(dtype.categories, codes, is_ordered=bool(dtype.ordered))
    if isinstance(dtype, pandas.DatetimeTZDtype):
        column = _encode_numpy(values.to_numpy(dtype=f"datetime64[{dtype.unit}]"))
        return {**column, "timezone": str(dtype.tz)}
    if isinstance(dtype, pandas.ArrowDtype):
        return _encode_arrow(sys.modules["pyarrow"].chunked_array(values.array.__arrow_array__()))
    if isinstance(dtype, pandas.StringDtype):
        return listed("string", _objects(values))
    if isinstance(dtype, (pandas.PeriodDtype, pandas.IntervalDtype)):
        return listed("string", [None if value is None else str(value) for value in _objects(values)])
    # The nullable types, which are the only ones that have both.
    if isinstance(dtype, pandas.api.extensions.ExtensionDtype) and hasattr(dtype, "numpy_dtype"):
        return _encode_nullable(values, dtype.numpy_dtype)
    return _encode_numpy(values.to_numpy())


def _objects(values: Any) -> list[Any]:
    return [None if missing else value for value, missing in zip(values, values.isna(), strict=True)]


def _encode_nullable(values: Any, dtype: Any) -> Column:
    if not values.hasnans:
        return _encode_numpy(values.to_numpy(dtype=dtype))
    if dtype.kind == "b":
        return listed("boolean", [None if value is None else bool(value) for value in _objects(values)])
    if dtype.kind in "iu" and dtype.itemsize == 8:
        return whole_numbers(_objects(values))
    return _encode_numpy(values.to_numpy(dtype="float32" if dtype.name == "float32" else "float64", na_value=math.nan))


# polars.


def _encode_polars(values: Any) -> Column:
    polars = sys.modules["polars"]
    dtype = values.dtype
    if dtype.is_numeric():
        return _polars_numbers(values)
    if dtype == polars.Boolean:
        return listed("boolean", values.to_list())
    if dtype == polars.String:
        return listed("string", values.to_list())
    if dtype in (polars.Enum, polars.Categorical):
        texts = values.cast(polars.String)
        is_ordered = dtype == polars.Enum
        names = dtype.categories.to_list() if is_ordered else texts.drop_nulls().unique(maintain_order=True).to_list()
        places = {name: place for place, name in enumerate(names)}
        codes = array("i", [places.get(text, -1) for text in texts]).tobytes()
        return categories(names, codes, is_ordered=is_ordered)
    if dtype == polars.Date:
        days = values.to_physical().cast(polars.Float64)
        return {"type": "date", "values": _polars_bytes(days * DAY_MS, "float64")}
    if dtype in (polars.Datetime, polars.Duration):
        per_ms = _PER_MS[dtype.time_unit]
        whole = values.to_physical()
        quotient = whole // per_ms
        rest = (whole - quotient * per_ms).cast(polars.Float64) / per_ms
        data = _polars_bytes(quotient.cast(polars.Float64) + rest, "float64")
        return {"type": "duration", "values": data} if dtype == polars.Duration else datetimes(data, dtype.time_zone)
    if dtype == polars.Time:
        return listed("string", [None if value is None else str(value) for value in values])
    return encode_values(values.to_list())


def _polars_numbers(values: Any) -> Column:
    polars = sys.modules["polars"]
    name = str(values.dtype).lower()
    if name not in TYPECODES:
        if values.dtype.is_integer():
            least, most = values.min(), values.max()
            if least is not None and (least < -SAFE or most > SAFE):
                return listed("bigint", values.cast(polars.String).to_list())
        name = "float32" if name == "float16" else "float64"
    elif values.dtype.is_integer() and values.null_count():
        name = "float64"
    return numbers(_polars_bytes(values.cast(getattr(polars, _POLARS_TYPES.get(name, name))), name), name)


_POLARS_TYPES: Final = {name: name.replace("int", "Int").replace("float", "Float") for name in TYPECODES} | {
    f"uint{bits}": f"UInt{bits}" for bits in (8, 16, 32)
}


def _polars_bytes(values: Any, dtype: str) -> bytes:
    if values.null_count():
        values = values.fill_null(math.nan)
    if "numpy" in sys.modules:
        data: bytes = values.to_numpy().tobytes()
        return data
    return array(TYPECODES[dtype], values.to_list()).tobytes()


# pyarrow.


def _encode_arrow(values: Any) -> Column:
    pyarrow = sys.modules["pyarrow"]
    kind, types = values.type, pyarrow.types
    if isinstance(kind, pyarrow.BaseExtensionType):
        return _encode_arrow(pyarrow.chunked_array([chunk.storage for chunk in values.chunks], kind.storage_type))
    if types.is_run_end_encoded(kind):
        return _encode_arrow(_compute(values).run_end_decode(values))
    if types.is_dictionary(kind):
        return _arrow_categories(values)
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        return _arrow_numbers(values)
    if types.is_boolean(kind):
        return listed("boolean", values.to_pylist())
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return listed("string", values.to_pylist())
    if types.is_date(kind):
        whole = values.cast(pyarrow.int32()) if types.is_date32(kind) else values.cast(pyarrow.int64())
        scale = DAY_MS if types.is_date32(kind) else 1
        return {"type": "date", "values": _arrow_milliseconds(whole.cast(pyarrow.int64()), scale, 1)}
    if types.is_timestamp(kind) or types.is_duration(kind):
        scale, per_ms = (1000, 1) if kind.unit == "s" else (1, _PER_MS[kind.unit])
        data = _arrow_milliseconds(values.cast(pyarrow.int64()), scale, per_ms)
        return {"type": "duration", "values": data} if types.is_duration(kind) else datetimes(data, kind.tz)
    if types.is_time(kind):
        micro = values.cast(pyarrow.time64("us"), safe=False)
        return listed("string", [None if value is None else str(value) for value in micro.to_pylist()])
    return encode_values(values.to_pylist())


def _compute(values: Any) -> Any:
    """The functions of pyarrow, which it loads itself with its first cast."""
    values.slice(0, 0).cast(values.type)
    return sys.modules["pyarrow.compute"]


def _arrow_numbers(values: Any) -> Column:
    pyarrow = sys.modules["pyarrow"]
    kind, types = values.type, pyarrow.types
    name = {"float": "float32", "double": "float64", "halffloat": "float32"}.get(str(kind), str(kind))
    if name not in TYPECODES:
        if kind in (pyarrow.int64(), pyarrow.uint64()):
            bounds = _compute(values).min_max(values).as_py()
            if bounds["min"] is not None and (bounds["min"] < -SAFE or bounds["max"] > SAFE):
                return listed("bigint", values.cast(pyarrow.string()).to_pylist())
        name = "float64"
    elif types.is_integer(kind) and values.null_count:
        name = "float64"
    return numbers(_arrow_bytes(values.cast(getattr(pyarrow, name)(), safe=False)), name)


def _arrow_milliseconds(whole: Any, scale: int, per_ms: int) -> bytes:
    compute = _compute(whole)
    double = sys.modules["pyarrow"].float64()
    quotient = compute.divide(whole, per_ms)
    rest = compute.subtract(whole, compute.multiply(quotient, per_ms))
    exact = compute.add(
        compute.multiply(quotient.cast(double, safe=False), float(scale)),
        compute.divide(rest.cast(double), float(per_ms)),
    )
    return _arrow_bytes(exact)


def _arrow_bytes(values: Any) -> bytes:
    if values.null_count:
        values = values.fill_null(math.nan)
    width = values.type.bit_width // 8
    return b"".join(
        memoryview(chunk.buffers()[1])[chunk.offset * width : (chunk.offset + len(chunk)) * width]
        for chunk in values.chunks
        if len(chunk)
    )


def _arrow_categories(values: Any) -> Column:
    pyarrow = sys.modules["pyarrow"]
    whole = values.unify_dictionaries().combine_chunks()
    chunks = whole.chunks if isinstance(whole, pyarrow.ChunkedArray) else [whole]
    names = chunks[0].dictionary.to_pylist() if chunks else []
    # A null may stand in the dictionary as well as among the codes.
    places = {index: place for place, index in enumerate(i for i, name in enumerate(names) if name is not None)}
    codes = [places.get(index, -1) for chunk in chunks for index in chunk.indices.to_pylist()]
    texts = [name for name in names if name is not None]
    return categories(texts, array("i", codes).tobytes(), is_ordered=values.type.ordered)

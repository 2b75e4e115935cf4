"""Tables for pages: a frame of any library as one value of a trait, in columns.

    {"rows": 3, "total": 3, "columns": [{"name": "x", "type": "number", "dtype": "float64", "values": <bytes>}, ...]}

Columns and not records: a column of numbers travels as its bytes and is a typed array in the page, at once. What each
type of column holds, and what becomes of each kind of value, is the table of docs/data.md. `DATA_READER` is the page's
side: a few lines of JavaScript that turn the value into arrays, or into records.

No library of data is a dependency, and none is imported here: who hands in a frame has loaded its library. A value is a
snapshot; the frame may change afterwards, and the bytes of a column are copied no more until a socket has them.

All rows go to the page, or those that were asked for (`sample`). Data that is too large for a page is an error, never a
part of the data.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from .data_columns import encode_column
from .data_values import Column, draw, is_a, record_fields
from .encoding import encode
from .errors import DataTooLarge, UnserializableValue, UnsupportedData
from .limits import VALUE_DEPTH, Limits

DATA_READER: Final = Path(__file__).with_name("data.js").read_text(encoding="utf-8")
"""JavaScript, to be put into a widget's module: `readData(data)` and `readRecords(data)`."""

_LIMITS: Final = Limits()
_DEPTH: Final = _LIMITS.max_depth - VALUE_DEPTH - 3
"""How deep one column's list of values may be: it stands in a column, in the columns, in the data."""

_TAKEN: Final = (
    "a pandas, polars or pyarrow table or series, an object with the Arrow stream interface, a numpy array that is "
    "two-dimensional or structured, a dict of columns, or a list of records"
)


class _Table(NamedTuple):
    rows: int
    columns: list[tuple[Any, Any]]
    """Name, as the library has it, and values, a column of the library."""


def encode_data(
    data: Any, *, sample: int | None = None, max_bytes: int | None = _LIMITS.max_frame_bytes
) -> dict[str, Any] | None:
    """A table as a trait's value, for pages.

    Args:
        data: a DataFrame or Series of pandas or polars; a pyarrow table, batch or array; anything with the Arrow stream
            interface, if pyarrow or polars is loaded; a two-dimensional or structured numpy array; a dict of columns; a
            list of records (dicts, dataclasses, named tuples). Not changed, and not kept.
        sample: how many rows to draw, at most: evenly over all of them, the first and the last included, in their
            order, the same ones each time. All rows if None.
        max_bytes: the most that it may take. As much as a page may send by default, so that every page that has the
            data can also hand it on; None if it does not matter.

    Returns:
        JSON values and bytes, for a trait that is synchronised. None for None.

    Raises:
        UnsupportedData: the data, or a column of it, has no form in a page.
        DataTooLarge: it takes more than `max_bytes`.
        ValueError: `sample` is no number of rows.
    """
    if sample is not None and (type(sample) is not int or sample < 1):
        raise ValueError(f"Expected a number of rows as sample, 1 or more, got {sample!r}")
    if data is None:
        return None
    total, columns = _table(data)
    indices = None if sample is None or sample >= total else _evenly(sample, total)
    room = sys.maxsize if max_bytes is None else max_bytes
    encoded = []
    taken: set[str] = set()
    for label, values in columns:
        name = _text_of(label)
        if name in taken:
            raise UnsupportedData(f"Two columns have the name {name!r}; rename one of them")
        taken.add(name)
        # The type follows from all rows, as in a summary: a sample has the columns that its data has.
        column = _encode_named(name, values)
        if indices is not None:
            column = draw(column, indices)
        room -= _size_bytes(name, column)
        if room < 0:
            raise DataTooLarge(
                f"Data of {total:,} rows and {len(columns):,} columns takes more than {max_bytes:,} bytes in a page; "
                "choose fewer columns or rows, or pass sample= with a number of rows to draw"
            )
        encoded.append({"name": name, **column})
    return {"rows": total if indices is None else len(indices), "total": total, "columns": encoded}


def _evenly(sample: int, total: int) -> list[int]:
    return [index * (total - 1) // max(sample - 1, 1) for index in range(sample)]


def _encode_named(name: str, values: Any) -> Column:
    try:
        return encode_column(values)
    except UnsupportedData as error:
        raise UnsupportedData(str(error), name) from None
    except RecursionError:
        raise UnsupportedData("holds a value that is nested too deeply, perhaps in itself", name) from None


def _size_bytes(name: str, column: Column) -> int:
    """What a column takes in a frame. Also where a text or a nested value shows that it cannot be sent."""
    size = 0
    for part in (name, *column.values()):
        if isinstance(part, bytes):
            size += len(part)
            continue
        try:
            size += encode(part, max_depth=_DEPTH).size_bytes
        except UnserializableValue as error:
            raise UnsupportedData(f"cannot be sent: {error}", name) from None
    return size


def _text_of(label: Any) -> str:
    """A column's name: the parts of a hierarchical one joined by an underscore, as is the custom with pandas."""
    if isinstance(label, tuple):
        return "_".join(text for text in map(str, label) if text)
    return str(label)


def _table(data: Any) -> _Table:
    """The columns of whatever has some."""
    for module, kind, read in _READERS:
        if is_a(data, module, kind):
            return read(data)
    if is_a(data, "polars", "LazyFrame"):
        raise UnsupportedData("A polars LazyFrame has no rows yet; pass what its .collect() returns")
    if isinstance(data, Mapping):
        return _columns_of_mapping(data)
    if hasattr(data, "__arrow_c_stream__") or hasattr(data, "__arrow_c_array__"):
        return _columns_of_capsule(data)
    if hasattr(data, "__dataframe__"):
        return _columns_of_interchange(data)
    if isinstance(data, Sequence) and not isinstance(data, (str, bytes, bytearray, memoryview, range, array)):
        return _columns_of_records(data)
    raise UnsupportedData(f"Expected {_TAKEN}, got {_type_of(data)}")


def _type_of(data: Any) -> str:
    return f"{type(data).__module__}.{type(data).__qualname__}"


def _columns_of_pandas(data: Any) -> _Table:
    index = data.index
    columns = [(label, data.iloc[:, place]) for place, label in enumerate(data.columns)]
    if index.nlevels > 1:
        names = [f"level_{level}" if name is None else name for level, name in enumerate(index.names)]
        levels = [(name, index.get_level_values(level).to_series()) for level, name in enumerate(names)]
        return _Table(len(data), [*levels, *columns])
    is_numbering = is_a(index, "pandas", "RangeIndex") and index.start == 0 and index.step == 1
    if is_numbering and index.name is None:
        return _Table(len(data), columns)
    label = "index" if index.name is None else index.name
    if _text_of(label) in map(_text_of, data.columns):
        raise UnsupportedData(
            f"The index and a column have the name {_text_of(label)!r}; "
            "rename one of them, or drop the index with .reset_index(drop=True)"
        )
    return _Table(len(data), [(label, index.to_series()), *columns])


def _columns_of_pandas_series(data: Any) -> _Table:
    return _columns_of_pandas(data.to_frame("value" if data.name is None else data.name))


def _columns_of_polars(data: Any) -> _Table:
    return _Table(data.height, [(series.name, series) for series in data.get_columns()])


def _columns_of_polars_series(data: Any) -> _Table:
    return _Table(len(data), [(data.name or "value", data)])


def _columns_of_arrow(data: Any) -> _Table:
    return _Table(data.num_rows, list(zip(data.column_names, data.columns, strict=True)))


def _columns_of_batch(data: Any) -> _Table:
    return _columns_of_arrow(sys.modules["pyarrow"].Table.from_batches([data]))


def _columns_of_arrow_array(data: Any) -> _Table:
    return _Table(len(data), [("value", _column_of("value", data))])


def _columns_of_numpy(data: Any) -> _Table:
    if data.dtype.names and data.ndim == 1:
        return _Table(len(data), [(name, data[name]) for name in data.dtype.names])
    if data.ndim == 2 and not data.dtype.names:
        return _Table(len(data), [(place, data[:, place]) for place in range(data.shape[1])])
    raise UnsupportedData(
        f"Expected a numpy array that is two-dimensional or structured, got shape {data.shape} of {data.dtype}; "
        'give one-dimensional arrays names: {"x": x, "y": y}'
    )


_READERS: Final[tuple[tuple[str, str, Callable[[Any], _Table]], ...]] = (
    ("pandas", "DataFrame", _columns_of_pandas),
    ("pandas", "Series", _columns_of_pandas_series),
    ("polars", "DataFrame", _columns_of_polars),
    ("polars", "Series", _columns_of_polars_series),
    ("pyarrow", "Table", _columns_of_arrow),
    ("pyarrow", "RecordBatch", _columns_of_batch),
    ("pyarrow", "ChunkedArray", _columns_of_arrow_array),
    ("pyarrow", "Array", _columns_of_arrow_array),
    ("numpy", "ndarray", _columns_of_numpy),
)


def _columns_of_mapping(data: Mapping[Any, Any]) -> _Table:
    columns = [(label, _column_of(_text_of(label), values)) for label, values in data.items()]
    lengths = {len(values) for _, values in columns}
    if len(lengths) > 1:
        told = ", ".join(f"{_text_of(label)!r} {len(values)}" for label, values in columns[:10])
        raise UnsupportedData(f"Columns of a dict must be of one length, got {told}")
    return _Table(max(lengths, default=0), columns)


def _column_of(name: str, values: Any) -> Any:
    """The values of one column of a dict, as `encode_column` takes them."""
    if is_a(values, "pyarrow", "Array"):
        return sys.modules["pyarrow"].chunked_array([values])
    if is_a(values, "pandas", "Index"):
        return values.to_series()
    if any(is_a(values, *kind) for kind in _SERIES) and getattr(values, "ndim", 1) > 0:
        return values
    if isinstance(values, memoryview) and values.ndim == 1:
        return values.tolist()
    if isinstance(values, (Sequence, array)) and not isinstance(values, (str, bytes, bytearray, memoryview)):
        return values
    raise UnsupportedData(f"Expected a list or an array, got {_type_of(values)}", name)


_SERIES: Final = (("pandas", "Series"), ("polars", "Series"), ("pyarrow", "ChunkedArray"), ("numpy", "ndarray"))


def _columns_of_capsule(data: Any) -> _Table:
    if (pyarrow := sys.modules.get("pyarrow")) is not None:
        return _columns_of_arrow(pyarrow.table(data))
    if (polars := sys.modules.get("polars")) is not None:
        return _columns_of_polars(polars.DataFrame(data))
    raise UnsupportedData(f"A {_type_of(data)} is read by way of Arrow; import pyarrow or polars first")


def _columns_of_interchange(data: Any) -> _Table:
    if (interchange := sys.modules.get("pyarrow.interchange")) is not None:
        return _columns_of_arrow(interchange.from_dataframe(data))
    raise UnsupportedData(
        f"A {_type_of(data)} is read by the dataframe interchange protocol; import pyarrow.interchange first"
    )


def _columns_of_records(data: Sequence[Any]) -> _Table:
    columns: dict[Any, list[Any]] = {}
    for row, record in enumerate(data):
        fields = record_fields(record)
        if fields is None:
            raise UnsupportedData(f"Expected {_TAKEN}, got a {type(data).__name__} with a {_type_of(record)} in it")
        for label, value in fields.items():
            columns.setdefault(label, []).extend(_gap(columns[label], row))
            columns[label].append(value)
    for values in columns.values():
        values.extend(_gap(values, len(data)))
    return _Table(len(data), list(columns.items()))


def _gap(values: list[Any], length: int) -> Iterable[None]:
    return [None] * (length - len(values))

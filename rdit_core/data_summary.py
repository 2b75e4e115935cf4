"""What a model is told of data: names, types and figures, made of the same columns that a page gets.

What leaves the machine is in this module. Without being asked, a summary holds the columns' names, counts, and of
numbers and points in time the least, the greatest and the mean, which an axis needs. It holds no text out of the data:
no values of texts and identifiers, no names of categories, nothing nested. `rows` asks for the first rows as they are.

The same data has the same summary, in every process and with every library: sums are exact, and figures are rounded.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from .data import encode_data
from .data_values import TYPECODES, Column

_MAX_COLUMNS: Final = 100
"""Columns that a summary tells of one by one; of the others it tells how many there are."""

_MAX_CELL_CHARACTERS: Final = 200
"""Characters of one value in the rows that a summary was asked for."""

_EPOCH: Final = datetime.datetime(1970, 1, 1)


@dataclass(frozen=True)
class DataSummary:
    """What is told of data, and nothing more of it."""

    text: str
    """Plain text of some lines, for a prompt."""

    @property
    def key(self) -> str:
        """Equal for equal texts, in every process: for the key of a cache."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def summarize_data(data: Any, *, rows: int = 0) -> DataSummary:
    """Describe data to a model, without its values.

    Args:
        data: as for `encode_data`; None is no data. All rows of it are looked at.
        rows: how many of the first rows to add, with their values. Those are sent to whoever reads the summary.

    Raises:
        UnsupportedData: as for `encode_data`.
        ValueError: `rows` is negative.
    """
    if rows < 0:
        raise ValueError(f"Expected a number of rows, 0 or more, got {rows!r}")
    encoded = encode_data(data, max_bytes=None)
    if encoded is None:
        return DataSummary("No data.")
    columns = encoded["columns"]
    lines = [f"{_count(encoded['rows'], 'row')}, {_count(len(columns), 'column')}"]
    lines += [f"- {_quoted(column['name'])}: {_described(column)}" for column in columns[:_MAX_COLUMNS]]
    if len(columns) > _MAX_COLUMNS:
        lines.append(f"- and {_count(len(columns) - _MAX_COLUMNS, 'more column')}")
    if rows:
        shown = min(rows, encoded["rows"])
        lines.append(f"First {_count(shown, 'row')}:")
        cells = [(column["name"], _cells(column, shown)) for column in columns[:_MAX_COLUMNS]]
        lines += [_quoted({name: values[row] for name, values in cells}) for row in range(shown)]
    return DataSummary("\n".join(lines))


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _quoted(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _described(column: Column) -> str:
    return "; ".join(_DESCRIBERS[column["type"]](column))


def _missing(count: int) -> list[str]:
    return [f"{count:,} missing"] if count else []


def _floats(data: bytes, dtype: str = "float64") -> Any:
    code: Any = TYPECODES[dtype]
    return memoryview(data).cast(code)


def _describe_numbers(column: Column) -> list[str]:
    values = _floats(column["values"], column["dtype"])
    finite = [value for value in values if math.isfinite(value)]
    missing = sum(value != value for value in values)
    told = [f"number ({column['dtype']})", *_missing(missing)]
    if infinite := len(values) - len(finite) - missing:
        told.append(f"{infinite:,} infinite")
    if finite:
        told.append(f"min {_figure(min(finite))}, max {_figure(max(finite))}, mean {_figure(_mean(finite))}")
        if all(value == int(value) for value in finite):
            told.append("whole numbers only")
    return told


def _figure(value: float) -> str:
    return f"{value:.6g}" if value else "0"


def _mean(values: list[float]) -> float:
    try:
        return math.fsum(values) / len(values)
    except OverflowError:  # The sum is beyond the largest float; the mean is not.
        return math.fsum(value / len(values) for value in values)


def _describe_times(column: Column) -> list[str]:
    values = [value for value in _floats(column["values"]) if value == value]
    told = [column["type"], *_missing(len(column["values"]) // 8 - len(values))]
    if column["type"] == "datetime":
        told.insert(1, f"timezone {column['timezone']}" if column["timezone"] else "no timezone")
    if values:
        write = _time_writer(column)
        told.append(f"from {write(min(values))} to {write(max(values))}")
    return told


def _time_writer(column: Column) -> Callable[[float], str]:
    """How one value of milliseconds is written."""
    kind = column["type"]
    if kind == "duration":
        return lambda value: f"{_figure(value / 1000)} s"
    zone = "Z" if kind == "datetime" and column["timezone"] else ""

    def write(value: float) -> str:
        try:
            moment = _EPOCH + datetime.timedelta(milliseconds=value)
        except OverflowError:  # Other libraries know years that Python does not.
            return f"{_figure(value)} ms since 1970"
        return moment.date().isoformat() if kind == "date" else f"{moment.isoformat(timespec='seconds')}{zone}"

    return write


def _describe_booleans(column: Column) -> list[str]:
    values = column["values"]
    return ["boolean", *_missing(values.count(None)), f"{values.count(True):,} true, {values.count(False):,} false"]


def _describe_texts(column: Column) -> list[str]:
    values = column["values"]
    kind = "bigint (whole numbers as decimal texts)" if column["type"] == "bigint" else "string"
    return [kind, *_missing(values.count(None)), f"{len({*values} - {None}):,} distinct"]


def _describe_categories(column: Column) -> list[str]:
    codes = _floats(column["codes"], "int32")
    used = {*codes} - {-1}
    kind = "category, ordered" if column["ordered"] else "category"
    told = f"{len(column['categories']):,} categories, {len(used):,} of them used"
    return [kind, *_missing(sum(code < 0 for code in codes)), told]


_KINDS: Final = ((bool, "booleans"), ((int, float), "numbers"), (str, "texts"), (list, "lists"), (dict, "objects"))


def _describe_nested(column: Column) -> list[str]:
    values = [value for value in column["values"] if value is not None]
    told = ["json", *_missing(len(column["values"]) - len(values))]
    kinds = {next((name for kind, name in _KINDS if isinstance(value, kind)), "bytes") for value in values}
    if kinds:
        told.append(", ".join(sorted(kinds)))
    if lengths := [len(value) for value in values if isinstance(value, list)]:
        told.append(f"lists of length {min(lengths):,} to {max(lengths):,}")
    return told


_DESCRIBERS: Final[dict[str, Callable[[Column], list[str]]]] = {
    "number": _describe_numbers,
    "boolean": _describe_booleans,
    "string": _describe_texts,
    "bigint": _describe_texts,
    "category": _describe_categories,
    "datetime": _describe_times,
    "date": _describe_times,
    "duration": _describe_times,
    "json": _describe_nested,
}


def _cells(column: Column, rows: int) -> list[Any]:
    """The first values of a column, as JSON has them."""
    kind = column["type"]
    if kind == "number":
        values = _floats(column["values"], column["dtype"])[:rows].tolist()
        return [value if math.isfinite(value) else None if value != value else str(value) for value in values]
    if kind == "category":
        codes = _floats(column["codes"], "int32")[:rows]
        return [None if code < 0 else _cut(column["categories"][code]) for code in codes]
    if kind in ("datetime", "date", "duration"):
        write = _time_writer(column)
        return [None if value != value else write(value) for value in _floats(column["values"])[:rows]]
    return [_cut(value) for value in column["values"][:rows]]


def _cut(value: Any) -> Any:
    """A value that is short enough; what is longer is a part of its text."""
    if isinstance(value, str):
        return value if len(value) <= _MAX_CELL_CHARACTERS else f"{value[:_MAX_CELL_CHARACTERS]}…"
    if isinstance(value, (list, dict, bytes, bytearray, memoryview)):
        text = json.dumps(value, ensure_ascii=False, default=lambda part: f"<{len(part)} bytes>")
        return json.loads(text) if len(text) <= _MAX_CELL_CHARACTERS else _cut(text)
    return value

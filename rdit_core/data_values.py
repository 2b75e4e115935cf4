"""A column of plain Python objects as a page gets it: what kind of values these are, and how each kind is written.

The column's type follows from its values, all of them: one text among numbers makes it a column of mixed values
(`json`). What counts as missing is None, NaN, NaT and pandas' NA; what a missing value becomes is the type's affair.

No library of data is imported here. Their scalars are known by how they behave, or by the library that is loaded.
"""

from __future__ import annotations

import dataclasses
import datetime
import math
import sys
from array import array
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any, Final

from .errors import UnsupportedData

Column = dict[str, Any]
"""A column without its name: `type` and what belongs to the type."""

SAFE: Final = 2**53
"""The last whole number up to which JavaScript's numbers have all of them."""

TYPECODES: Final = {
    "float64": "d",
    "float32": "f",
    "int32": "i",
    "uint32": "I",
    "int16": "h",
    "uint16": "H",
    "int8": "b",
    "uint8": "B",
}
"""The numbers that a page has typed arrays for, by the codes of the `array` module."""

DAY_MS: Final = 86_400_000
_MICROSECOND: Final = datetime.timedelta(microseconds=1)
_EPOCH: Final = datetime.datetime(1970, 1, 1)
_AWARE_EPOCH: Final = _EPOCH.replace(tzinfo=datetime.timezone.utc)
_EPOCH_DAY: Final = _EPOCH.toordinal()
_MISSING_TYPES: Final = frozenset({"NaTType", "NAType"})
_BINARY: Final = (bytes, bytearray, memoryview)
_NONE: Final = type(None)


def is_a(value: Any, module: str, name: str) -> bool:
    """Whether a value is of a library's type. A library that nobody has loaded has no values, and is not loaded."""
    kind = getattr(sys.modules.get(module), name, None)
    return kind is not None and isinstance(value, kind)


def numbers(values: bytes, dtype: str = "float64") -> Column:
    """Numbers as their bytes, little-endian."""
    return {"type": "number", "dtype": dtype, "values": values}


def datetimes(values: bytes, timezone: str | None) -> Column:
    """Points in time: float64, milliseconds since the epoch."""
    return {"type": "datetime", "values": values, "timezone": timezone}


def listed(kind: str, values: list[Any]) -> Column:
    """A type whose values stand in a list, None where one is missing."""
    return {"type": kind, "values": values}


def categories(names: Iterable[Any], codes: bytes, *, is_ordered: bool) -> Column:
    """Codes (int32, -1 where one is missing) into texts."""
    return {"type": "category", "categories": [str(name) for name in names], "codes": codes, "ordered": is_ordered}


def floats(values: Iterable[float | None]) -> bytes:
    """The bytes of float64 numbers, NaN where one is missing."""
    return array("d", [math.nan if value is None else value for value in values]).tobytes()


def whole_numbers(values: Sequence[int | None]) -> Column:
    """Whole numbers: as float64 where it has all of them, else as decimal texts."""
    if all(value is None or -SAFE <= value <= SAFE for value in values):
        return numbers(floats(values))
    return listed("bigint", [None if value is None else str(int(value)) for value in values])


def draw(column: Column, indices: Sequence[int]) -> Column:
    """Some rows of a column. Its type stays: it follows from all rows."""
    key = "codes" if column["type"] == "category" else "values"
    values = column[key]
    if isinstance(values, list):
        return {**column, key: [values[index] for index in indices]}
    code: Any = TYPECODES["int32" if key == "codes" else column.get("dtype", "float64")]
    view = memoryview(values).cast(code)
    return {**column, key: array(code, [view[index] for index in indices]).tobytes()}


def encode_values(values: Sequence[Any]) -> Column:
    """A column of Python objects.

    Args:
        values: not kept, and not changed.

    Raises:
        UnsupportedData: a value is of a type that has no form in a page.
    """
    kinds = set(map(type, values))
    if not kinds <= _PLAIN:
        values = [_scalar(value) for value in values]
        kinds = set(map(type, values))
    has_nan = float in kinds and any(type(value) is float and value != value for value in values)
    kinds.discard(_NONE)
    if has_nan and not kinds <= {float, int}:
        # Only among numbers is it one of them.
        values = [None if type(value) is float and value != value else value for value in values]
        kinds = set(map(type, values)) - {_NONE}
    if kinds == {int}:
        return whole_numbers(values)
    if kinds and kinds <= {int, float}:
        return numbers(_floats_of_any(values))
    if kinds == {bool}:
        return listed("boolean", list(values))
    if kinds == {str}:
        return listed("string", list(values))
    if kinds == {datetime.datetime} and len({value.tzinfo is None for value in values if value is not None}) == 1:
        return _encode_datetimes(values)
    if kinds == {datetime.date}:
        return {"type": "date", "values": floats(None if value is None else _date_ms(value) for value in values)}
    if kinds == {datetime.timedelta}:
        return {"type": "duration", "values": floats(None if value is None else _span_ms(value) for value in values)}
    return listed("json", [_nested(value) for value in values])


_PLAIN: Final = frozenset({str, int, bool, float, _NONE})
_SCALARS: Final = frozenset({*_PLAIN, datetime.datetime, datetime.date, datetime.timedelta})


_AS_TEXT: Final = (("uuid", "UUID"), ("pandas", "Period"), ("pandas", "Interval"))


def _scalar(value: Any) -> Any:
    """A value as one of `_SCALARS`, None where it is missing; the value itself where it is none of these."""
    kind = type(value)
    if kind in _SCALARS:
        return value
    if kind.__name__ in _MISSING_TYPES:
        return None
    if is_a(value, "numpy", "generic"):
        return _numpy_scalar(value)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, int):
        return int(value)
    if is_a(value, "decimal", "Decimal"):
        return None if value.is_nan() else float(value)
    if is_a(value, "fractions", "Fraction"):
        return float(value)
    if isinstance(value, datetime.datetime):
        # pandas' Timestamp has nanoseconds, which milliseconds in a float64 do not.
        return datetime.datetime.combine(value.date(), value.timetz()).replace(fold=value.fold)
    if isinstance(value, datetime.timedelta):
        return datetime.timedelta(value.days, value.seconds, value.microseconds)
    if isinstance(value, datetime.time) or any(is_a(value, *kind) for kind in _AS_TEXT):
        return str(value)
    return value


def _numpy_scalar(value: Any) -> Any:
    kind = value.dtype.kind
    if kind in "mM":
        return _numpy_time(value)
    if kind != "V":
        return _scalar(value.item())
    return {name: value[name] for name in value.dtype.names} if value.dtype.names else bytes(value)


def _numpy_time(value: Any) -> Any:
    plain = value.item()
    # numpy gives a number for what Python has no type for: nanoseconds, which become microseconds, and the rest.
    if type(plain) is int and sys.modules["numpy"].datetime_data(value.dtype)[0] not in ("M", "Y"):
        plain = value.astype(f"{value.dtype.kind}8[us]").item()
    if type(plain) is int:
        raise UnsupportedData(
            "holds times that Python's datetime lacks, or spans of months; make it an array or numbers"
        )
    return plain


def _floats_of_any(values: Iterable[Any]) -> bytes:
    try:
        return floats(values)
    except OverflowError:
        raise UnsupportedData("holds whole numbers beyond the largest float, and other floats; make it texts") from None


def _encode_datetimes(values: Sequence[Any]) -> Column:
    zones = {str(value.tzinfo) for value in values if value is not None and value.tzinfo is not None}
    zone = None if not zones else zones.pop() if len(zones) == 1 else "UTC"
    return datetimes(floats(None if value is None else _instant_ms(value) for value in values), zone)


def _instant_ms(value: datetime.datetime) -> float:
    return _span_ms(value - (_EPOCH if value.tzinfo is None else _AWARE_EPOCH))


def _span_ms(value: datetime.timedelta) -> float:
    return (value // _MICROSECOND) / 1000


def _date_ms(value: datetime.date) -> float:
    return (value.toordinal() - _EPOCH_DAY) * DAY_MS


def _nested(value: Any) -> Any:
    """A value of a `json` column: JSON values and bytes."""
    value = _scalar(value)
    kind = type(value)
    if kind is int and not -SAFE <= value <= SAFE:
        return str(value)
    if kind in _PLAIN or isinstance(value, _BINARY):
        return value
    if isinstance(value, (datetime.datetime, datetime.date)):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return _span_ms(value)
    fields = record_fields(value)
    if fields is not None:
        return {str(key): _nested(child) for key, child in fields.items()}
    if is_a(value, "numpy", "ndarray"):
        return _nested(list(value)) if value.ndim else _nested(value[()])
    if is_a(value, "polars", "Series"):
        return _nested(value.to_list())
    if isinstance(value, (list, tuple, range, Set, array)):
        return [_nested(child) for child in value]
    name = f"{kind.__module__}.{kind.__qualname__}"
    raise UnsupportedData(f"holds a {name}, which has no form in a page; make it texts or numbers, or leave it out")


def record_fields(value: Any) -> Mapping[Any, Any] | None:
    """What a record holds, by name: a mapping, a dataclass's fields, a named tuple's. None if it is no record."""
    if isinstance(value, Mapping):
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return dict(zip(value._fields, value, strict=True))
    return None

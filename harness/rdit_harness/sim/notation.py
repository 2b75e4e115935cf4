"""Values as the shared test files write them: JSON, with `$bytes` and `$number` for what JSON lacks."""

from __future__ import annotations

import base64
import math
from typing import Any


def notation(value: Any) -> Any:
    """A value as JSON has it, buffers as `$bytes` and non-finite numbers as `$number`."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, float) and not math.isfinite(value):
        return {"$number": "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"}
    if isinstance(value, dict):
        return {key: notation(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [notation(one) for one in value]
    return value


def from_notation(value: Any) -> Any:
    """The value back."""
    if isinstance(value, dict):
        if value.keys() == {"$bytes"}:
            return base64.b64decode(value["$bytes"])
        if value.keys() == {"$number"}:
            return float(value["$number"])
        return {key: from_notation(one) for key, one in value.items()}
    return [from_notation(one) for one in value] if isinstance(value, list) else value

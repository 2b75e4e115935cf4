"""Whether two values are the same to a page, which is what a link asks before it sets anything.

Python's `==` will not do: it raises for arrays, takes `True` for 1, and NaN for something else than NaN.
"""

from __future__ import annotations

import math
from typing import Any


def agree(one: Any, other: Any) -> bool:
    """Whether two values are the same to a page: `True` is not 1, NaN is itself, 1 is 1.0. Never raises."""
    try:
        return _agree(one, other)
    except Exception:
        return False


def _agree(one: Any, other: Any) -> bool:
    if one is other:
        return True
    if isinstance(one, bool) or isinstance(other, bool):
        return False  # There is one object of each.
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        return one == other or (math.isnan(one) and math.isnan(other))
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(_agree, one, other))
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_agree(item, other[key]) for key, item in one.items())
    if hasattr(one, "dtype") and hasattr(one, "tobytes"):
        if one.dtype != other.dtype or one.shape != other.shape:
            return False
        return _agree(one.tolist(), other.tolist()) if one.dtype.hasobject else bool(one.tobytes() == other.tobytes())
    equals = getattr(one, "equals", None)
    return bool(equals(other) if callable(equals) else one == other)

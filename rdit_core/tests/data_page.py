"""Tables as a page gets them, and what they held in Python: `data_page.json`, for the tests of the page's reader.

python rdit_core/tests/data_page.py writes the file; test_data.py says when it is stale.
"""

import base64
import datetime
import json
import math
import random
import struct
from pathlib import Path

import numpy as np

from rdit_core import encode_data
from rdit_core.encoding import encode

FILE = Path(__file__).with_suffix(".json")
ROWS = 50
EPOCH = datetime.datetime(1970, 1, 1)


def numbers(values):
    """Numbers as texts that JavaScript's Number reads: JSON has neither NaN nor the infinities."""
    return {"numbers": [{"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}.get(repr(v), repr(v)) for v in values]}


def tables():
    """(name, data, column to what the page must read)."""
    dice = random.Random(8)
    odd = [math.nan, math.inf, -math.inf, -0.0, 0.0, 5e-324, 1.7976931348623157e308, 0.1]
    doubles = odd + [struct.unpack("<d", dice.randbytes(8))[0] for _ in range(ROWS)]
    yield "float64", {"x": np.array(doubles), "list": doubles}, {"x": numbers(doubles), "list": numbers(doubles)}
    singles = np.frombuffer(dice.randbytes(4 * ROWS), "<f4")
    yield "float32", {"x": singles}, {"x": numbers(singles.tolist())}
    whole = {}
    for dtype in ("int8", "uint8", "int16", "uint16", "int32", "uint32"):
        whole[dtype] = np.frombuffer(dice.randbytes(np.dtype(dtype).itemsize * ROWS), np.dtype(dtype).newbyteorder("<"))
    yield "integers", whole, {name: numbers(values.tolist()) for name, values in whole.items()}
    exact = [dice.randint(-(2**53), 2**53) for _ in range(ROWS)]
    yield "integers as float64", {"x": exact}, {"x": numbers(exact)}
    big = [dice.randint(-(2**70), 2**70) for _ in range(ROWS)] + [None]
    yield "bigint", {"x": big}, {"x": {"bigints": [None if one is None else str(one) for one in big]}}
    texts = ["", "ä", "\0", "\u2028", "𝄞", '"\\', "null", None]
    yield (
        "texts and booleans",
        {"t": texts, "b": [True, False, None] * 2 + [True, None]},
        {
            "t": {"values": texts},
            "b": {"values": [True, False, None] * 2 + [True, None]},
        },
    )
    moments = [EPOCH + datetime.timedelta(microseconds=dice.randint(-(9 * 10**15), 9 * 10**15)) for _ in range(ROWS)]
    expected = numbers([(one - EPOCH) / datetime.timedelta(milliseconds=1) for one in moments] + [math.nan])
    yield "times", {"t": [*moments, None], "n": np.array([*moments, "NaT"], "M8[ns]")}, {"t": expected, "n": expected}
    days = [datetime.date(2024, 2, 29), None]
    spans = [datetime.timedelta(days=-1), None]
    yield (
        "dates and spans",
        {"d": days, "s": spans},
        {
            "d": numbers([1709164800000.0, math.nan]),
            "s": numbers([-86400000.0, math.nan]),
        },
    )
    nested = [{"a": [1, {"b": None}]}, [b"\x00\xff", [b""]], math.inf, None, "x"]
    yield (
        "nested",
        {"j": nested},
        {"j": {"values": [nested[0], [{"$bytes": "00ff"}, [{"$bytes": ""}]], {"$number": "Infinity"}, None, "x"]}},
    )
    odd_names = {"__proto__": [1], "constructor": ["x"], "": [True], "toString": [None]}
    yield (
        "odd names",
        odd_names,
        {
            "__proto__": numbers([1]),
            "constructor": {"values": ["x"]},
            "": {"values": [True]},
            "toString": {"values": [None]},
        },
    )
    yield "no rows", {"x": np.empty(0), "y": []}, {"x": numbers([]), "y": {"values": []}}
    yield "no columns", {}, {}


def case(name, data, expected):
    encoded = encode_data(data)
    wire = encode(encoded)
    return {
        "name": name,
        "rows": encoded["rows"],
        "json": wire.json.decode(),
        "buffers": [[path, base64.b64encode(part).decode()] for path, part in wire.buffers],
        "specials": wire.specials,
        "expected": list(expected.items()),
    }


def category():
    """Made by hand: none of the libraries that have categories is sure to be there."""
    encoded = {
        "rows": 3,
        "total": 9,
        "columns": [
            {
                "name": "c",
                "type": "category",
                "categories": ["x", "y", "unused"],
                "codes": struct.pack("<3i", 1, -1, 0),
                "ordered": True,
            }
        ],
    }
    wire = encode(encoded)
    return {
        "name": "category",
        "rows": 3,
        "json": wire.json.decode(),
        "buffers": [[path, base64.b64encode(part).decode()] for path, part in wire.buffers],
        "specials": [],
        "expected": [["c", {"values": ["y", None, "x"]}]],
    }


def text():
    cases = [*(case(*table) for table in tables()), category()]
    return "[\n" + ",\n".join(json.dumps(one, allow_nan=False) for one in cases) + "\n]\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="ascii")

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rdit_core import UnsupportedData, encode_data
from rdit_core.encoding import encode
from rdit_core.tests.data_cases import (
    CASES,
    REFUSED,
    REFUSED_ROW,
    capital,
    case,
    column,
    column_of,
    frame,
    needs,
    pa,
    pl,
    rows_of_the_table,
    series,
    shown,
    table,
)

ROOT = Path(__file__).parents[2]


def test_each_row_of_the_page_has_its_test_and_each_test_its_row():
    text = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
    lines = text.partition("## What becomes of a value")[2].partition("\n## ")[0].splitlines()
    rows = [line.split("|")[1].strip() for line in lines if line.startswith("| ")][1:]
    assert rows == [*dict.fromkeys(row for row, *_ in rows_of_the_table()), REFUSED_ROW]


@pytest.mark.parametrize(("around", "values", "make"), CASES)
def test_a_value_arrives_as_the_page_says(around, values, make):
    encoded = column_of(make())
    assert shown(encoded) == values
    assert {key: value for key, value in encoded.items() if key not in {"name", "values", "codes"}} == around
    assert encoded["name"] == "c"


@pytest.mark.parametrize(("around", "values", "make"), CASES)
def test_a_sample_of_a_column_has_its_type_and_some_of_its_values(around, values, make):
    encoded = encode_data(make(), sample=1)
    assert (encoded["rows"], encoded["total"]) == (1, len(values))
    (column,) = encoded["columns"]
    assert shown(column) == values[:1]
    assert {key: value for key, value in column.items() if key not in {"name", "values", "codes"}} == around


@pytest.mark.parametrize(("around", "values", "make"), CASES)
def test_a_column_without_rows_is_a_column(around, values, make):
    data = make()
    data = (
        {"c": data["c"][:0]} if isinstance(data, dict) else data[:0] if pa is None else getattr(data, "iloc", data)[:0]
    )
    encoded = encode_data(data)
    (column,) = encoded["columns"]
    assert (encoded["rows"], encoded["total"], shown(column)) == (0, 0, [])


@pytest.mark.parametrize("make", [case(make, row=REFUSED_ROW, name=name) for name, make in REFUSED.items()])
def test_what_has_no_form_in_a_page_is_refused_by_name_with_the_next_step(make):
    with pytest.raises(UnsupportedData, match=r"Column 'c': holds .*; make it") as caught:
        encode_data(make())
    assert caught.value.code == "unsupported_data"
    assert caught.value.column == "c"


@needs["polars"]
@pytest.mark.parametrize("dtype", ["int8", "uint16", "float32", "float64"])
def test_polars_needs_no_numpy(monkeypatch, dtype):
    data = frame([1, 2], getattr(pl, capital(dtype).replace("f", "F")))
    with_numpy = encode_data(data)
    monkeypatch.delitem(sys.modules, "numpy")
    assert encode_data(data) == with_numpy


@pytest.mark.parametrize("name", [case("numpy", row="", name="numpy"), *(case(n, row="", name=n) for n in needs)])
def test_numbers_are_copied_once_into_bytes_that_all_pages_share(name):
    values = np.arange(1000.0)
    make = {"numpy": column, "pandas": lambda v: series(v), "polars": lambda v: frame(v), "pyarrow": lambda v: table(v)}
    encoded = encode_data(column(values) if name == "numpy" else make[name](values))
    data = encoded["columns"][0]["values"]
    assert type(data) is bytes and data == values.tobytes()
    assert encode(encoded).buffers[0][1] is data


def test_no_library_is_loaded_that_the_caller_did_not_load():
    code = (
        "import sys, rdit_core\n"
        "rdit_core.summarize_data({'a': [1, None, 'x', [2]], 'b': [1.5] * 4}, rows=2)\n"
        "print({'numpy', 'pandas', 'polars', 'pyarrow'} & {*sys.modules})"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "set()\n"

from dataclasses import fields

import pytest

from rdit_core import Limits
from scripts import limits_page


@pytest.mark.once
def test_the_page_of_limits_is_what_the_code_says():
    assert limits_page.main(["--check"]) == 0, "run: python -m scripts.limits_page"


def test_each_limit_of_the_core_is_read_by_somebody():
    rows = limits_page.core_rows()
    assert [row.name for row in rows] == [field.name for field in fields(Limits)]
    assert all(row.enforced and row.unit for row in rows)


def test_a_bound_without_a_docstring_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(limits_page, "ROOT", tmp_path)
    (tmp_path / "a.py").write_text(
        '_MAX_THINGS: Final = 2 * 8\n"""So many."""\n_DEPTH_S: Final = 1\n_WORD: Final = "x"\n'
    )
    with pytest.raises(limits_page.LimitError, match=r"_DEPTH_S in a\.py"):
        limits_page.constant_rows(tmp_path)
    (tmp_path / "a.py").write_text('_MAX_BYTES: Final = 2 * 8\n"""So\nmany."""\n')
    (row,) = limits_page.constant_rows(tmp_path)
    assert (row.name, row.default, row.unit, row.enforced, row.text) == (
        "_MAX_BYTES",
        16,
        "bytes",
        ["a.py"],
        "So many.",
    )

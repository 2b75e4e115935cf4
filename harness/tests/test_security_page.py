"""The page about security says what the tests show."""

import pytest

from scripts import security_page
from scripts.marks import Shown, by_line
from scripts.threats import CHAPTERS, THREATS, Threat


@pytest.mark.once
def test_each_row_has_a_test_and_the_page_is_as_written():
    assert security_page.gaps(THREATS, security_page.collect()) == []
    assert security_page.main(["--check"]) == 0, "run: python -m scripts.security_page"


def test_the_rows_are_numbered_once_each_and_stand_in_a_chapter():
    assert sorted(one.number for one in THREATS) == list(range(1, 39))
    assert [one.chapter for one in THREATS] == sorted((one.chapter for one in THREATS), key=list(CHAPTERS).index)


ROW = Threat(1, "in", "Somebody | tries.", "It <fails>.")


@pytest.mark.parametrize(("tests", "said"), [(["1"], []), ([], ["Row 1 has no test"]), (["1", "9"], ["names line 9"])])
def test_a_row_without_a_test_and_a_test_without_a_row_are_said(tests, said):
    problems = security_page.gaps([ROW], by_line([Shown("test_a.py", "a test", tuple(tests))] if tests else []))
    assert len(problems) == len(said)
    assert all(one in problem for one, problem in zip(said, problems, strict=True))


def test_a_row_is_one_line_of_its_chapters_table():
    text = security_page.page([ROW], by_line([Shown("test_a.py", "a test", ("1",))]))
    assert "| 1 | Somebody \\| tries. | It &lt;fails>. | `test_a.py`: a test |" in text.split("## Getting in")[1]

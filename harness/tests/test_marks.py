"""Marks of tests are found where they stand."""

import pytest

from scripts.marks import Shown, by_line, javascript_tests, python_tests, unknown_lines


def test_marks_are_read_from_titles_and_decorators(tmp_path):
    (tmp_path / "a.test.js").write_text(
        'test("one [afm 1 J2]", () => {});\n  test(\n    `two ${x} [threat 7] [afm 3]`, () => {});\ntest("3", f);\n',
        encoding="utf-8",
    )
    (tmp_path / "test_b.py").write_text(
        '@pytest.mark.afm(4, "J5")\n@pytest.mark.threat(6)\ndef test_of_b():\n    pass\n', encoding="utf-8"
    )
    assert list(javascript_tests("afm", tmp_path)) == [
        Shown("a.test.js", "one", ("1", "J2")),
        Shown("a.test.js", "two ${x}", ("3",)),
    ]
    assert list(javascript_tests("threat", tmp_path)) == [Shown("a.test.js", "two ${x}", ("7",))]
    assert list(python_tests("afm", [tmp_path])) == [Shown("test_b.py", "of b", ("4", "J5"))]
    assert list(python_tests("threat", [tmp_path])) == [Shown("test_b.py", "of b", ("6",))]


def test_a_mark_where_nobody_reads_it_is_an_error(tmp_path):
    (tmp_path / "a.test.js").write_text('test("[afm 1] one", () => {});\n', encoding="utf-8")
    with pytest.raises(ValueError, match=r"a\.test\.js"):
        list(javascript_tests("afm", tmp_path))
    assert list(javascript_tests("threat", tmp_path)) == []


def test_a_test_of_a_line_that_there_is_not_is_said():
    tests = by_line([Shown("a.test.js", "a test", ("1", "2"))])
    assert unknown_lines(tests, [2]) == ["a.test.js: 'a test' names line 1, which there is not"]

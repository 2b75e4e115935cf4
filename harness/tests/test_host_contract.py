"""The page of the host's contract says what the tests show."""

import pytest

from rdit_harness.contract import Line
from scripts import host_contract


def test_each_line_has_a_test_or_a_reason_and_the_page_is_as_written():
    assert host_contract.gaps(host_contract.LINES, *host_contract.collect()) == []
    assert host_contract.main(["--check"]) == 0, "run: python -m scripts.host_contract"


SHOWN = [host_contract.Shown("a.test.js", "a test", ("1",))]


@pytest.mark.parametrize(
    ("line", "client", "mirror", "said"),
    [
        ({}, SHOWN, SHOWN, None),
        ({}, [], SHOWN, "no test in the client"),
        ({}, SHOWN, [], "no test in the mirror"),
        ({"not_in_mirror": "why"}, SHOWN, [], None),
        ({"not_in_mirror": "why"}, SHOWN, SHOWN, "a reason why it has none"),
        ({"missing": "all of it"}, [], [], None),
        ({"missing": "a part"}, SHOWN, [], "no test in the mirror"),
    ],
)
def test_a_line_that_nothing_shows_is_said(line, client, mirror, said):
    lines = [Line(1, "afm/load/one", "It loads.", **line)]
    problems = host_contract.gaps(lines, host_contract.by_line(client), host_contract.by_line(mirror))
    assert len(problems) == (said is not None)
    assert said is None or said in problems[0]


def test_a_test_of_a_line_that_there_is_not_is_said():
    assert "names line 1" in host_contract.gaps([], host_contract.by_line(SHOWN), {})[0]


def test_marks_are_read_from_titles_and_decorators(tmp_path):
    (tmp_path / "a.test.js").write_text(
        'test("one [afm 1 J2]", () => {});\n  test(\n    `two ${x} [afm 3]`, () => {});\ntest("three", () => {});\n',
        encoding="utf-8",
    )
    (tmp_path / "test_b.py").write_text(
        '@pytest.mark.afm(4, "J5")\n@pytest.mark.other(6)\ndef test_of_b():\n    pass\n', encoding="utf-8"
    )
    assert list(host_contract.client_tests(tmp_path)) == [
        host_contract.Shown("a.test.js", "one", ("1", "J2")),
        host_contract.Shown("a.test.js", "two ${x}", ("3",)),
    ]
    assert list(host_contract.python_tests([tmp_path])) == [host_contract.Shown("test_b.py", "of b", ("4", "J5"))]


def test_a_mark_where_nobody_reads_it_is_an_error(tmp_path):
    (tmp_path / "a.test.js").write_text('test("[afm 1] one", () => {});\n', encoding="utf-8")
    with pytest.raises(ValueError, match=r"a\.test\.js"):
        list(host_contract.client_tests(tmp_path))

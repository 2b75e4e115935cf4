"""The page of the host's contract says what the tests show."""

import pytest

from rdit_harness.contract import Line
from scripts import host_contract
from scripts.marks import Shown, by_line


@pytest.mark.once
def test_each_line_has_a_test_or_a_reason_and_the_page_is_as_written():
    assert host_contract.gaps(host_contract.LINES, *host_contract.collect()) == []
    assert host_contract.main(["--check"]) == 0, "run: python -m scripts.host_contract"


SHOWN = [Shown("a.test.js", "a test", ("1",))]


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
    problems = host_contract.gaps(lines, by_line(client), by_line(mirror))
    assert len(problems) == (said is not None)
    assert said is None or said in problems[0]


def test_a_test_of_a_line_that_there_is_not_is_said():
    assert "names line 1" in host_contract.gaps([], by_line(SHOWN), {})[0]

"""`rdit simulate`."""

import json
import runpy

import pytest

from rdit_harness.sim.command import simulate
from rdit_harness.sim.draw import draw_case
from rdit_harness.sim.plan import Case
from rdit_harness.sim.planted import PLANTS


def test_it_counts_and_ends_with_the_hash(capsys):
    assert simulate(["--seeds", "10", "--jobs", "1", "--faults", "F2,F5"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "fault  fired"
    assert [line.split()[0] for line in lines[1:3]] == ["F2", "F5"]
    assert lines[-2].startswith("10 seeds, ") and lines[-2].endswith(" 0 violations")
    assert lines[-1].startswith("trace hash ")


def test_a_fault_that_was_demanded_and_never_fired_is_a_failure(capsys):
    assert simulate(["--seeds", "1", "--jobs", "1", "--faults", "F38", "--seed", "1", "--demand"]) in (0, 1)
    assert simulate(["--seeds", "0", "--jobs", "1", "--faults", "F38", "--demand"]) == 1
    assert "demanded and never fired: F38" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["--faults", "F99"], ["--plant", "none"], ["--scheduler", "x", "--seeds", "1"]])
def test_wrong_arguments_are_said_and_end_with_2(arguments, capsys):
    assert simulate(arguments) == 2
    assert "rdit simulate: " in capsys.readouterr().err


def test_help_has_examples(capsys):
    with pytest.raises(SystemExit) as ended:
        simulate(["--help"])
    assert ended.value.code == 0
    assert "examples:\n  rdit simulate " in capsys.readouterr().out


def test_the_bugs_are_listed(capsys):
    assert simulate(["--plant", "list"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(PLANTS)


def test_a_failure_leaves_a_test_that_runs_a_case_and_a_timeline(tmp_path, capsys):
    arguments = ["--seeds", "1", "--jobs", "1", "--plant", "no_mask", "--timeline", str(tmp_path)]
    assert simulate(arguments) == 1
    printed = capsys.readouterr().out
    assert "seed 0: I7 at " in printed
    assert "rdit simulate --seed 0 --seeds 1 --plant no_mask" in printed
    page = (tmp_path / "seed_0.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>") and "<svg" in page and "http://www.w3.org/2000/svg" in page
    case = Case.from_json((tmp_path / "seed_0.json").read_text(encoding="utf-8"))
    assert len(case.steps) < len(draw_case(0).steps)
    replay = ["--replay", str(tmp_path / "seed_0.json")]
    assert simulate([*replay, "--plant", "no_mask", "--timeline", str(tmp_path)]) == 1
    assert simulate(replay) == 0
    module = runpy.run_path(str(tmp_path / "test_seed_0.py"))
    (test,) = [value for name, value in module.items() if name.startswith("test_")]
    test()
    with PLANTS["no_mask"].planted(), pytest.raises(AssertionError, match="I7"):
        test()


def test_a_case_survives_being_written_down():
    for seed in range(30):
        case = draw_case(seed)
        again = Case.from_json(case.to_json())
        assert again == case
        json.loads(case.to_json())

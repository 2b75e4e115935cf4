"""The oracle, the client and the mirror agree."""

from functools import partial

import pytest

from oracle_bench.__main__ import main, run, summary
from oracle_bench.bench import Bench
from oracle_bench.compare import difference
from oracle_bench.deviations import NAMES
from oracle_bench.mirror import run_on_mirror
from oracle_bench.node import Node, NodeError
from oracle_bench.programs import make_program
from rdit_core import WidgetModel, client_widgets

PROGRAMS = 500


def test_nothing_differs_that_should_not(bench, capsys):
    found = run(bench, range(PROGRAMS))
    assert not found, capsys.readouterr().out
    assert bench.tally.programs == 2 * PROGRAMS
    assert bench.tally.plain >= 100


def test_with_autosave_client_and_mirror_do_the_same_in_the_same_order(monkeypatch):
    """The oracle has none; so these are the programs in which it takes no part."""
    monkeypatch.setattr(client_widgets, "WidgetModel", partial(WidgetModel, autosave=True))
    with Node(plant=[("model.js", "autosave = false", "autosave = true")]) as node:
        bench = Bench(node)
        found = [bench.report(one) for one in bench.findings(range(PROGRAMS), "strict")]
        saved_by_itself = {**make_program(1, "strict"), "steps": [["set", "init", "a", {"lit": 2}]]}
        [page] = node.run("client", [saved_by_itself])
    assert not found, found[0]
    assert page["python"]["a"] == run_on_mirror(saved_by_itself)["python"]["a"] == 2


def test_where_no_deviation_is_met_the_oracle_runs_as_it_is_published(node):
    programs = [make_program(seed) for seed in range(200)]
    amended = node.run("oracle", programs, NAMES)
    published = node.run("oracle", programs)
    plain = [pair for pair in zip(published, amended, strict=True) if not pair[1]["met"]]
    assert len(plain) >= 40
    for raw, other in plain:
        assert difference(raw, other, ("published", "amended")) is None


def test_a_difference_is_made_small_and_shown_for_all_three():
    plant = [("model.js", "!deepEqual(old, next) ||", "old !== next ||")]
    with Node(plant=plant) as node:
        bench = Bench(node)
        first = next(bench.findings(range(500), "compat"))
        small = bench.shrunk(first)
        report = bench.report(small)
    assert len(small.program["steps"]) <= 4
    assert "profile compat" in report and "step" in report
    assert all(f"\n{name}:\n" in report for name in ("oracle, amended", "client", "mirror"))


def test_the_summary_counts(bench):
    bench.differences([make_program(seed) for seed in range(20)])
    lines = summary(bench.tally, [], 1.0).splitlines()
    assert lines[-1].startswith("20 programs in 1 s, 20 of them on the oracle, ")
    assert lines[-1].endswith("0 unexplained differences")
    assert any("nested_set" in line for line in lines)


def test_a_program_that_fails_in_node_is_a_finding_and_not_the_end(bench):
    broken = {**make_program(1), "steps": [["dance", "init"]]}
    [text] = bench.differences([broken])
    assert "the bench failed on oracle" in text
    [fine] = bench.differences([make_program(1)])
    assert fine is None


def test_the_command_says_what_came_of_a_run(capsys):
    assert main(["--programs", "20", "--first", "100"]) == 0
    assert "40 programs" in capsys.readouterr().out.splitlines()[-1]


def test_the_command_shows_one_program(capsys):
    assert main(["--show", "3"]) == 0
    shown = capsys.readouterr().out
    assert "No unexplained difference" in shown and "\nmirror:\n" in shown


def test_node_that_ends_in_the_middle_is_an_error():
    with Node() as node:
        node._process.kill()
        node._process.wait()
        with pytest.raises(NodeError, match="Node ended"):
            node.run("client", [make_program(1)])

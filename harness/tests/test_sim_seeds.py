"""The core against the seeds that every change has to pass."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from rdit_harness.sim.draw import draw_case
from rdit_harness.sim.executors import open_executor, run_many
from rdit_harness.sim.faults import FAULTS
from rdit_harness.sim.run import run_case, run_seeds

pytestmark = pytest.mark.once
COMMAND = "import sys; from rdit_harness.sim.command import simulate; sys.exit(simulate(sys.argv[1:]))"


def start(first, count, hash_seed, folder, python=sys.executable):
    """The command in a process of its own, without the switches of a development run, which double its time."""
    env = {name: value for name, value in os.environ.items() if name not in {"PYTHONDEVMODE", "PYTHONHASHSEED"}}
    arguments = ["--seed", str(first), "--seeds", str(count), "--jobs", "1", "--plain", "--timeline", str(folder)]
    return subprocess.Popen(
        [python, "-c", COMMAND, *arguments],
        env={**env, "PYTHONHASHSEED": hash_seed},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(*starts):
    """Commands at once; gives what each wrote."""
    processes = [start(*arguments) for arguments in starts]
    outputs = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(starts), "\n".join(outputs)[-6000:]
    return outputs


@pytest.mark.parametrize("first", range(0, 2_000, 250))
def test_two_thousand_seeds_hold(first, tmp_path):
    """Eight times 250 seeds in two processes at once."""
    events = 0
    for output in run((first, 125, "0", tmp_path / "0"), (first + 125, 125, "4711", tmp_path / "1")):
        seen, violations = re.search(r"(\d+) events in .*, (\d+) violations", output).groups()
        assert int(violations) == 0
        events += int(seen)
    assert events >= 119_000


@pytest.mark.parametrize("first", [0, 1_900])
def test_two_processes_see_the_same(first, tmp_path):
    """120 seeds, with sets of text that are ordered differently."""
    outputs = run(*((first, 120, hash_seed, tmp_path / hash_seed) for hash_seed in ("0", "4711")))
    hashes = {output.splitlines()[-1] for output in outputs}
    assert len(hashes) == 1 and hashes.pop().startswith("trace hash ")


def test_every_python_that_is_here_sees_the_same(tmp_path):
    pythons = sorted(Path(sys.prefix).parent.glob("py3*/bin/python"))
    if len(pythons) < 2:
        pytest.skip("there is one Python only; tox makes the others' environments (tox run -e py310,py311,py312,py313)")
    outputs = run(*((0, 60, "0", tmp_path, str(python)) for python in pythons))
    assert len({output.splitlines()[-1] for output in outputs}) == 1


def test_how_many_processes_there_are_shows_nowhere():
    with open_executor(None, 2) as executor:
        shared = run_many(0, 60, tuple(FAULTS), executor=executor)
    alone = run_many(0, 60, tuple(FAULTS), executor=None)
    assert shared.trace_hash == alone.trace_hash
    assert (shared.events, shared.fired, shared.marks) == (alone.events, alone.fired, alone.marks)


@pytest.mark.parametrize("spec", ["concurrent.futures:ProcessPoolExecutor", "concurrent.futures:ThreadPoolExecutor"])
def test_any_executor_runs_the_seeds(spec):
    if spec.endswith("ProcessPoolExecutor") and sys.version_info >= (3, 12):
        pytest.skip("forks, which Python warns of in a process with threads; rdit's own pool spawns")
    with open_executor(spec, 1) as executor:
        assert run_many(7, 20, (), executor=executor).trace_hash == run_many(7, 20, (), executor=None).trace_hash


def test_a_dask_cluster_runs_the_seeds():
    pytest.importorskip("distributed", reason="dask[distributed] is not installed; `tox run -e once` has it")
    with open_executor("dask:local", 2) as executor:
        shared = run_many(0, 60, tuple(FAULTS), executor=executor)
    assert shared.trace_hash == run_many(0, 60, tuple(FAULTS), executor=None).trace_hash


@pytest.mark.parametrize("spec", ["nothing", "concurrent.futures:nothing", ":"])
def test_what_names_no_executor_is_refused(spec):
    with pytest.raises(ValueError, match="Expected"), open_executor(spec, 1):
        pass


def test_a_seed_run_twice_gives_one_trace():
    assert run_seeds(40, 10, check_determinism=True).unsteady == []


@pytest.fixture(scope="module")
def some_hundred():
    return run_seeds(0, 300)


def test_every_fault_fires_within_some_hundred_seeds(some_hundred):
    assert [code for code in FAULTS if not some_hundred.fired[code]] == []


def test_a_world_without_faults_is_quiet_and_right():
    summary = run_seeds(0, 40, ())
    assert not summary.violations
    assert not {"F2", "F11", "F36"} & summary.fired.keys()


def test_the_corners_of_the_protocol_are_reached(some_hundred):
    marks = some_hundred.marks
    for name in (
        "resumed",
        "restarted",
        "resume refused",
        "batch sent again",
        "batch given up",
        "compare and set",
        "reject conflict",
        "reject stale_widget",
        "reject observer_failed",
        "sync in parts",
        "credit used up",
        "messages lost",
        "session expired",
        "id opened again",
        "value without a form",
        "value named, not sent",
        "server closed 4003",
        "server closed 4004",
        "server closed 4006",
        "server closed 4502",
        "page: MessagesMissed",
        "page: too_large",
        "page: undeliverable",
        "page: dropped",
        "page: lost",
    ):
        assert marks[name], name


def test_what_a_run_leaves_behind_is_nothing():
    run_case(draw_case(3))

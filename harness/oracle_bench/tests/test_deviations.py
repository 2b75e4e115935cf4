"""Each deviation: the reference does one thing, we do another, and its amendment is what it takes."""

import re

import pytest

from oracle_bench.compare import by_step, difference, without_changed, without_undefined
from oracle_bench.deviations import BYTES_ARE_VALUES, DEVIATIONS, NAMES
from oracle_bench.mirror import run_on_mirror
from oracle_bench.node import RUNNER

SIDES = ("oracle", "client")


def seen(deviation, result):
    """What the example is about; the step behind the last one is what the bench itself does at the end."""
    return by_step(without_changed(result))[-2][deviation.place]


@pytest.mark.parametrize("deviation", DEVIATIONS, ids=NAMES)
def test_the_reference_does_one_thing_and_we_another(node, deviation):
    [theirs] = node.run("oracle", [deviation.program], deviation.besides)
    [ours] = node.run("client", [deviation.program])
    assert seen(deviation, theirs) == deviation.theirs
    assert seen(deviation, ours) == deviation.ours
    assert deviation.theirs != deviation.ours
    assert set(theirs["met"]) == set(deviation.besides)


@pytest.mark.parametrize("deviation", DEVIATIONS, ids=NAMES)
def test_amended_by_it_the_reference_does_what_we_do(node, deviation):
    [amended] = node.run("oracle", [deviation.program], [*deviation.besides, deviation.name])
    [ours] = node.run("client", [deviation.program])
    assert difference(amended, ours, SIDES) is None
    assert deviation.name in amended["met"]


@pytest.mark.parametrize("deviation", DEVIATIONS, ids=NAMES)
def test_the_mirror_does_what_the_client_does(node, deviation):
    [ours] = node.run("client", [deviation.program], [BYTES_ARE_VALUES])
    mirror = run_on_mirror(deviation.program)
    client = {part: without_undefined(ours[part]) for part in ("trace", "state", "python")}
    assert difference(client, mirror, ("client", "mirror")) is None


def test_the_table_and_the_amendments_have_the_same_names():
    text = "".join(path.read_text(encoding="utf-8") for path in sorted(RUNNER.parent.glob("*.js")))
    asked = set(re.findall(r"amends\(\s*\"(\w+)\"", text))
    assert asked == {*NAMES, BYTES_ARE_VALUES}
    assert len(set(NAMES)) == len(NAMES)


def test_bytes_set_again_are_the_same_object_in_a_page_and_a_value_in_python(node, bench):
    program = {
        "profile": "compat",
        "state": {"a": {"$bytes": "AQ=="}},
        "callbacks": {"f": {"steps": [], "limit": 0, "throws": False}},
        "steps": [["on", "init", "change:a", "f"], ["set", "init", "a", {"same": "a"}]],
    }
    [page] = node.run("client", [program])
    runs = (without_changed(page), without_changed(run_on_mirror(program)))
    assert [len(by_step(run)[1]["page"]) for run in runs] == [1, 0]
    assert bench.differences([program]) == [None]
    assert bench.tally.met[BYTES_ARE_VALUES] == 1

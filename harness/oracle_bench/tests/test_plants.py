"""The client and the mirror with bugs planted: the bench sees each of them."""

import pytest

from oracle_bench.bench import Bench
from oracle_bench.node import Node
from oracle_bench.plants import CLIENT_PLANTS, MIRROR_PLANTS
from oracle_bench.programs import make_program

SEEDS = 400


def first_difference(bench):
    programs = [make_program(seed) for seed in range(SEEDS)]
    for start in range(0, SEEDS, 50):
        for text in bench.differences(programs[start : start + 50]):
            if text is not None:
                return text
    return None


def test_there_are_enough_of_them():
    assert len(CLIENT_PLANTS) >= 15
    assert len(MIRROR_PLANTS) >= 10


@pytest.mark.parametrize("name", CLIENT_PLANTS)
def test_a_bug_in_the_client_is_seen(name):
    with Node(plant=CLIENT_PLANTS[name].edits) as node:
        text = first_difference(Bench(node))
    assert text is not None
    assert "the bench failed" not in text


@pytest.mark.parametrize("name", MIRROR_PLANTS)
def test_a_bug_in_the_mirror_is_seen(bench, name):
    with MIRROR_PLANTS[name].planted():
        text = first_difference(bench)
    assert text is not None
    assert "mirror: " in text


def test_a_bug_whose_place_is_gone_says_so():
    with Node(plant=[("model.js", "no such text", "")]) as node:
        [result] = node.run("client", [make_program(1)])
    assert "model.js has no" in result["error"]

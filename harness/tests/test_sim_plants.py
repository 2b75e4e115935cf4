"""The core with bugs planted: the simulator sees each of them."""

import pytest

from rdit_core.client_shown import ClientShown
from rdit_harness.sim.invariants_ends import INVARIANTS
from rdit_harness.sim.plant_table import BOUND, as_table, catch, put_table
from rdit_harness.sim.planted import PLANTS, Edit, Plant, PlantError


def test_there_are_enough_of_them():
    assert len(PLANTS) >= 24


@pytest.mark.once
@pytest.mark.parametrize("name", PLANTS)
def test_a_planted_bug_is_caught_within_400_seeds_by_an_invariant_that_is_about_it(name):
    caught = catch(name)
    assert caught.seeds is not None and caught.seeds <= BOUND
    assert caught.code in PLANTS[name].expected
    assert set(PLANTS[name].expected) <= set(INVARIANTS)


def test_a_bug_is_gone_when_its_block_ends():
    before = ClientShown.__dict__["show"]
    with PLANTS["no_mask"].planted():
        assert ClientShown.__dict__["show"] is not before
    assert ClientShown.__dict__["show"] is before


def test_a_bug_whose_place_is_gone_says_so():
    plant = Plant("x", "x", (), (Edit("client_shown:ClientShown.show", "no such text", ""),))
    with pytest.raises(PlantError, match="think the bug out anew"), plant.planted():
        pass


def test_the_table_goes_between_its_marks():
    table = as_table([catch("no_mask")])
    text = put_table("a <!-- caught: begin -->old<!-- caught: end --> b", table)
    assert text == f"a <!-- caught: begin -->\n{table}\n<!-- caught: end --> b"
    assert "| `no_mask` |" in table and "I7" in table
    with pytest.raises(ValueError, match="Expected"):
        put_table("nothing", table)

import pytest
import traitlets

import rdit_harness.llm
from rdit_core.descriptions import TraitSpec
from rdit_harness.llm.changes import change


def changed(value, *, trait=None, description=""):
    class Holder(traitlets.HasTraits):
        x = trait if trait is not None else traitlets.Any(allow_none=True)

    holder = Holder(x=value)
    return change(holder, TraitSpec("x", description)), holder.x


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (True, False),
        (3, 4),
        (0.5, 0.25),
        (0.0, 1.0),
        ("Mars", "Mar"),
        ("", "a"),
        ([1, 2], [2, 1]),
        ((1, 2), (2, 1)),
        ([0, 0], [1, 0]),
        ([[0.0, 0.0]], [[1.0, 0.0]]),
        ({"a": 1, "b": 2}, {"a": 2, "b": 2}),
        (b"\x01\x02", b"\x02\x01"),
        (b"\x01\x01", b"\x00\x00"),
        ([None], []),
        ({"a": None}, {}),
    ],
)
def test_the_other_value_has_the_shape_of_the_present_one(before, after):
    assert changed(before) == (True, after)


@pytest.mark.parametrize(
    ("description", "after"),
    [
        ("list of indices selected by brush", []),
        ("64x64 grid of float values", []),
        ("mapping of names", {}),
        ("whether it runs", True),
        ("name of the clicked planet", ""),
        ("number of clicks", 0),
    ],
)
def test_what_is_not_there_yet_becomes_the_empty_one_of_what_the_description_names(description, after):
    assert changed(None, description=description) == (True, after)


def test_what_nobody_can_guess_stays_as_it_is():
    assert changed(None, description="the state of things") == (False, None)
    assert changed(object) == (False, object)
    assert changed([]) == (False, [])


def test_a_value_that_the_trait_refuses_or_takes_back_is_passed_over():
    assert changed(5, trait=traitlets.Int(max=5)) == (True, 4)
    assert changed("a", trait=traitlets.Enum(["a"])) == (False, "a")


def test_the_room_gives_every_name_that_it_announces():
    for name in rdit_harness.llm.__all__:
        assert getattr(rdit_harness.llm, name).__doc__
    assert sorted(rdit_harness.llm._HOMES) == sorted(rdit_harness.llm.__all__)
    assert not hasattr(rdit_harness.llm, "nothing")

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdit_core import WritePolicy
from rdit_core.policy import PropertyFacts, is_protected

WRITABLE = PropertyFacts(exists=True, synced=True)


@pytest.mark.threat(28)
def test_a_policy_says_which_writes_are_compared():
    assert [WritePolicy(if_unchanged=one).compares("value") for one in (False, True, ["value"], {"other"})] == [
        False,
        True,
        True,
        False,
    ]


@pytest.mark.parametrize(
    "name",
    """_esm _css _anywidget_id comm keys layout log _model_name _model_module _model_module_version _view_name
    _view_module _view_count _model_ _view_anything __class__ __dict__ __init__ __proto__ __""".split(),
)
@pytest.mark.threat(12)
def test_what_makes_a_widget_what_it_is_is_protected_whatever_the_policy(name):
    assert is_protected(name)
    for policy in (WritePolicy(), WritePolicy(writable={name})):
        assert policy.refusal(name, WRITABLE) == ("protected_property", "a page may never write it")


@pytest.mark.parametrize("name", ["value", "_value", "_dom_classes", "esm", "_models", "_viewer", "x__", "layout_", ""])
def test_other_names_are_not_protected(name):
    assert not is_protected(name)


@pytest.mark.parametrize(
    ("policy", "name", "facts", "code"),
    [
        (WritePolicy(), "value", WRITABLE, None),
        (WritePolicy(), "value", PropertyFacts(exists=False), "unknown_property"),
        (WritePolicy(), "value", PropertyFacts(exists=True), "not_synced"),
        (WritePolicy(), "value", PropertyFacts(True, synced=True, read_only=True), "read_only"),
        (WritePolicy(two_way=False), "value", WRITABLE, "read_only"),
        (WritePolicy(two_way=False), "value", PropertyFacts(exists=False), "unknown_property"),
        (WritePolicy(writable={"value"}), "value", WRITABLE, None),
        (WritePolicy(writable={"value"}), "other", WRITABLE, "read_only"),
        (WritePolicy(writable=()), "value", WRITABLE, "read_only"),
        (WritePolicy(writable={"value"}), "value", PropertyFacts(True, synced=False), "not_synced"),
        (WritePolicy(writable={"value"}), "value", PropertyFacts(True, True, read_only=True), "read_only"),
        (WritePolicy(two_way=False, writable={"value"}), "value", WRITABLE, "read_only"),
    ],
)
def test_a_policy_answers_with_the_first_rule_that_forbids(policy, name, facts, code):
    refusal = policy.refusal(name, facts)
    assert (refusal and refusal[0]) == code


@given(st.text(), st.booleans(), st.booleans(), st.booleans(), st.booleans())
@pytest.mark.threat(13)
def test_nothing_may_be_written_that_is_not_synced_or_is_read_only(name, exists, synced, read_only, two_way):
    refusal = WritePolicy(two_way=two_way).refusal(name, PropertyFacts(exists, synced, read_only))
    allowed = exists and synced and not read_only and two_way and not is_protected(name)
    assert (refusal is None) == allowed

import traitlets

from rdit_core import WritePolicy
from rdit_core.tests.pair import Counter


def test_a_widget_has_the_policy_that_its_host_gave_it_and_lets_pages_write_what_that_allows(manager):
    manager.register("w", Counter())
    hosted = manager.store.hosted("w")
    assert hosted.policy == WritePolicy()
    assert hosted.writable() == ["data", "label", "value"]
    hosted.policy = WritePolicy(writable={"label"})
    assert hosted.writable() == ["label"]


def test_names_that_pages_make_up_are_not_kept(manager):
    manager.register("w", Counter())
    hosted = manager.store.hosted("w")
    for number in range(100):
        assert hosted.refusal(f"made up {number}")[0] == "unknown_property"
    assert not any(name.startswith("made up") for name in hosted._refusals)


def test_a_trait_that_comes_later_is_judged_anew(manager):
    counter = Counter()
    manager.register("w", counter)
    hosted = manager.store.hosted("w")
    assert hosted.refusal("late")[0] == "unknown_property"
    counter.add_traits(late=traitlets.Int(0).tag(sync=True))
    assert hosted.refusal("late") is None


def test_the_kind_of_a_widget_is_its_class_and_the_same_in_the_next_process(manager):
    manager.register("w", Counter())
    assert manager.store.hosted("w").kind == "rdit_core.tests.pair.Counter"

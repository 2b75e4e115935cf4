"""What of two runs is compared, and what is not."""

from oracle_bench.compare import by_step, difference, without_undefined

NAMES = ("left", "right")


def run_of(*trace, state=None, python=None):
    return {"trace": [["step", "deliver"], *trace], "state": state or {}, "python": python or {}}


def test_neighbouring_updates_count_as_one_where_a_frame_ends_being_nobodys_business():
    two = run_of(["python", "update", {"a": 1, "b": 1}], ["python", "update", {"a": 2}])
    one = run_of(["python", "update", {"b": 1, "a": 2}])
    assert difference(two, one, NAMES) is None


def test_a_message_between_two_updates_keeps_them_apart():
    apart = run_of(["python", "update", {"a": 1}], ["python", "message", 0, []], ["python", "update", {"a": 2}])
    assert [len(step["python"]) for step in by_step(apart)] == [3]
    joined = run_of(["python", "update", {"a": 2}], ["python", "message", 0, []])
    assert "step 1 (deliver), python" in difference(apart, joined, NAMES)


def test_an_update_that_says_more_is_a_difference():
    assert difference(run_of(["python", "update", {"a": 1}]), run_of(["python", "update", {"a": 1, "b": 1}]), NAMES)


def test_calls_are_compared_in_order_and_with_their_arguments():
    first = run_of(["call", "f", 1], ["call", "g"])
    assert difference(first, run_of(["call", "g"], ["call", "f", 1]), NAMES)
    assert difference(first, run_of(["call", "f", True], ["call", "g"]), NAMES)
    assert difference(first, run_of(["call", "f", 1.0], ["call", "g"]), NAMES) is None


def test_what_either_side_has_at_the_end_is_compared():
    assert "what the page has" in difference(run_of(state={"a": 1}), run_of(state={"a": 2}), NAMES)
    assert "what Python has" in difference(run_of(python={"a": 0}), run_of(python={"a": False}), NAMES)


def test_a_bench_that_failed_is_a_difference():
    assert "the bench failed on right: oh" in difference(run_of(), {"error": "oh"}, NAMES)


def test_undefined_is_none_in_python():
    assert without_undefined([{"a": {"$undefined": True}}, 1]) == [{"a": None}, 1]

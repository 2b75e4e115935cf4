import json

from oracle_bench.programs import make_program
from oracle_bench.shrink import shrink


def test_a_program_shrinks_to_what_makes_it_fail():
    def fails(program):
        return any(step[0] == "save" for step in program["steps"])

    seed = next(seed for seed in range(100) if fails(make_program(seed)))
    assert shrink(make_program(seed), fails)["steps"] == [["save", "init"]]


def test_callbacks_entries_and_values_shrink_too():
    def fails(program):
        text = json.dumps(program)
        return '"throws": true' in text and any(
            step[0] == "remote" and "a" in dict(step[1]) for step in program["steps"]
        )

    seed = next(seed for seed in range(1_000) if fails(make_program(seed)))
    small = shrink(make_program(seed), fails)
    assert small["steps"] == [["remote", [["a", 1]]]]
    assert sum(plan["throws"] for plan in small["callbacks"].values()) == 1
    assert not any(plan["steps"] for plan in small["callbacks"].values())


def test_what_does_not_get_smaller_comes_to_an_end():
    program = make_program(3)
    assert shrink(program, lambda smaller: smaller == program) == program

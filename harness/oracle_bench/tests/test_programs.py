import json

import pytest

from oracle_bench.programs import (
    CALLBACKS,
    HOOKS,
    KEYS,
    PAGE_VERBS,
    PROFILES,
    PYTHON_VERBS,
    SEND_CALLBACKS,
    as_text,
    make_program,
)

PROGRAMS = [make_program(seed) for seed in range(500)]


def steps_of(program):
    yield from program["steps"]
    for plan in program["callbacks"].values():
        yield from plan["steps"]


def all_steps():
    return [step for program in PROGRAMS for step in steps_of(program)]


@pytest.mark.parametrize("profile", PROFILES)
def test_a_seed_gives_the_same_program_for_ever(profile):
    assert make_program(7, profile) == make_program(7, profile)
    assert make_program(7, profile)["profile"] == profile
    assert make_program(7, profile)["steps"] == make_program(7)["steps"]


def test_programs_are_json():
    assert json.loads(json.dumps(PROGRAMS)) == PROGRAMS


def test_every_verb_hook_key_and_callback_occurs():
    steps = all_steps()
    assert {step[0] for step in steps} == {*PAGE_VERBS, *PYTHON_VERBS}
    assert {step[1] for step in steps if step[0] in ("set", "on", "off", "save", "send")} == set(HOOKS)
    assert {step[2] for step in steps if step[0] == "set"} == set(KEYS)
    assert {step[3] for step in steps if step[0] == "on"} == set(CALLBACKS)
    assert {step[3] for step in steps if step[0] == "send"} == set(SEND_CALLBACKS)


def test_every_form_of_on_and_off_and_every_kind_of_value_occurs():
    steps = all_steps()
    names = {name for step in steps if step[0] == "on" for name in [step[2]]}
    assert {"all", "change", "msg:custom", "change:a"} <= names and any(" " in name for name in names)
    forms = {(step[2] is None, step[3] is None) for step in steps if step[0] == "off"}
    assert forms == {(True, True), (True, False), (False, True), (False, False)}
    values = {next(iter(step[3])) for step in steps if step[0] == "set"}
    assert values == {"lit", "same", "copy", "undefined"}
    text = json.dumps(PROGRAMS)
    assert all(kind in text for kind in ('"$bytes"', '"$part"', '"$number"', "null", "true", "1.5"))
    assert any(plan["throws"] for program in PROGRAMS for plan in program["callbacks"].values())


def test_what_python_does_stands_in_no_callback():
    plans = [step for program in PROGRAMS for plan in program["callbacks"].values() for step in plan["steps"]]
    assert plans and not {step[0] for step in plans} & set(PYTHON_VERBS)


def test_a_program_is_shown_as_the_code_that_it_stands_for():
    program = {
        "profile": "compat",
        "state": {"a": 1},
        "callbacks": {
            "f": {"steps": [["save", "view1"]], "limit": 2, "throws": True},
            "g": {"steps": [], "limit": 1, "throws": False},
        },
        "steps": [
            ["on", "init", "change:a", "f"],
            ["set", "init", "a", {"lit": [True, None, {"$bytes": "AQ=="}, {"$number": "NaN"}]}],
            ["set_all", "got", [["a", {"same": "a"}], ["b", {"copy": "b"}], ["c", {"undefined": True}]]],
            ["off", "view2", None, None],
            ["off", "view2", "change", None],
            ["send", "init", {"n": 1}, "empty", [{"$part": ["AQIDBA==", 1, 3]}]],
            ["mutate", "init", "a", "here", 2],
            ["get", "init", "a"],
            ["end", "view1"],
            ["remote", [["a", "x"]]],
            ["message", {"n": 1}, []],
            ["deliver"],
        ],
    }
    assert as_text(program).splitlines() == [
        "profile compat, state {a: 1}",
        "f the first 2 times: view1.save_changes(); throw",
        "  1  init.on('change:a', f)",
        "  2  init.set('a', [true, null, bytes(01), NaN])",
        "  3  got.set({a: got.get('a'), b: copy(got.get('b')), c: undefined})",
        "  4  view2.off()",
        "  5  view2.off('change', null)",
        "  6  init.send({n: 1}, <empty>, [bytes(01020304)[1:3]])",
        "  7  edit init.get('a') in place, here: 2",
        "  8  init.get('a')",
        "  9  the view of view1 ends",
        " 10  Python sets a = 'x'",
        " 11  Python sends {n: 1}, []",
        " 12  Python works off what it was sent",
    ]

import itertools
from typing import get_args

import pytest

from rdit_core import LocalProtocolError
from rdit_core._transitions import (
    CLIENT,
    PAGE_STATES,
    SERVER,
    SESSION,
    WIDGET,
    ClientState,
    ClientStep,
    ServerState,
    ServerStep,
    SessionState,
    SessionStep,
    WidgetState,
    WidgetStep,
    client_step,
    server_step,
    session_step,
)

TABLES = {
    "server": (SERVER, ServerState, ServerStep, "hello"),
    "client": (CLIENT, ClientState, ClientStep, "idle"),
    "session": (SESSION, SessionState, SessionStep, "attached"),
    "widget": (WIDGET, WidgetState, WidgetStep, "open"),
}
STEPS = {"server": server_step, "client": client_step, "session": session_step}
PAIRS = [
    (name, state, step)
    for name in STEPS
    for state, step in itertools.product(get_args(TABLES[name][1]), get_args(TABLES[name][2]))
]


@pytest.mark.parametrize("name", TABLES)
def test_a_table_speaks_of_its_own_states_and_steps_and_of_all_of_them(name):
    table, states, steps, _ = TABLES[name]
    assert set(table) == set(get_args(states))
    assert {step for row in table.values() for step in row} == set(get_args(steps))
    assert {state for row in table.values() for state in row.values()} <= set(table)


@pytest.mark.parametrize("name", TABLES)
def test_every_state_can_be_reached_and_an_end_can_be_reached_from_each(name):
    table, _, _, first = TABLES[name]

    def reached(start):
        seen, todo = {start}, [start]
        while todo:
            for state in table[todo.pop()].values():
                if state not in seen:
                    seen.add(state)
                    todo.append(state)
        return seen

    ends = {state for state, row in table.items() if not row}
    assert reached(first) == set(table)
    assert all(reached(state) & ends for state in table)


@pytest.mark.parametrize(("name", "state", "step"), PAIRS)
def test_a_step_is_what_the_table_says_and_any_other_is_refused(name, state, step):
    table = TABLES[name][0]
    if step in table[state]:
        assert STEPS[name](state, step) == table[state][step]
    else:
        with pytest.raises(LocalProtocolError, match=rf"{state} cannot take '{step}'"):
            STEPS[name](state, step)


def test_a_page_has_something_to_show_in_every_state():
    assert set(PAGE_STATES) == set(get_args(ClientState))
    assert set(PAGE_STATES.values()) == {"connecting", "live", "offline", "closed", "failed"}

"""The simulator's own parts: time, chance, network."""

from contextlib import suppress
from pathlib import Path

import pytest

from rdit_harness.sim.agenda import MS, Agenda, instant_of
from rdit_harness.sim.dice import Dice
from rdit_harness.sim.faults import FAULTS, parse
from rdit_harness.sim.invariants_ends import CHECKERS, INVARIANTS
from rdit_harness.sim.network import Transport
from rdit_harness.sim.plan import Case, Setup, Step, TabSetup
from rdit_harness.sim.planted import PLANTS
from rdit_harness.sim.run import run_case
from rdit_harness.sim.world import VERBS, World


def test_entries_of_one_instant_run_in_the_order_in_which_they_were_made():
    agenda, ran = Agenda(), []
    for name in "abc":
        agenda.after(5, ran.append, name)
    agenda.at(1, ran.append, "first")
    for _ in agenda.turns(5):
        pass
    assert ran == ["first", "a", "b", "c"]
    assert agenda.now_ns == 5


def test_a_deadline_is_due_at_its_instant_and_not_before():
    for deadline_s in (0.1, 0.3, 1 / 3, 12.345678901, 45.0):
        at = instant_of(deadline_s)
        assert at / 1e9 >= deadline_s > (at - 2) / 1e9


def test_chance_is_the_same_on_every_machine():
    """Were these to change, every seed that anybody wrote down would be another."""
    dice = Dice(1, "plan")
    assert [dice.below(1000) for _ in range(5)] == [354, 801, 911, 899, 6]
    assert Dice(1, "plan").stream("a").random() != Dice(1, "plan").stream("b").random()


def network():
    world = World(Case(0, Setup(tabs=(), latency_ms=10, jitter_ms=30)))
    transport = Transport(world, "x.1")
    got = []
    transport.to_client.arrive = lambda frame, view: got.append(frame)
    return world, transport, got


def test_a_direction_keeps_its_order_whatever_the_jitter():
    world, transport, got = network()
    sent = [str(number) for number in range(50)]
    for frame in sent:
        transport.to_client.send(frame, None)
    world.run_until(1_000 * MS)
    assert got == sent and not transport.to_client.in_flight


def test_what_is_held_comes_in_order_one_by_one_and_then_at_once():
    world, transport, got = network()
    way = transport.to_client
    way.send("0", None)
    way.hold()
    way.send("1", None)
    way.send("2", None)
    world.run_until(100 * MS)
    assert got == []
    way.release(1)
    assert got == ["0"]
    way.send("3", None)
    way.release()
    assert got == ["0", "1", "2"]
    world.run_until(200 * MS)
    assert got == ["0", "1", "2", "3"]


def test_a_cut_loses_what_is_under_way_and_both_ends_hear_of_it():
    world, transport, got = network()
    ends = []
    transport.client_eof = lambda code: ends.append(("client", code))
    transport.server_eof = lambda: ends.append("server")
    transport.to_client.send("lost", None)
    transport.cut(server_eof_ms=5)
    world.run_until(100 * MS)
    assert got == [] and ends == [("client", None), "server"]
    assert [frame for _, _, frame in world.losses] == ["lost"]


def test_a_close_of_the_server_arrives_behind_its_frames():
    world, transport, got = network()
    transport.client_eof = lambda code: got.append(code)
    transport.to_client.send("last", None)
    transport.close_from_server(4000)
    world.run_until(100 * MS)
    assert got == ["last", 4000]


def test_a_dead_direction_swallows_and_tells_nobody():
    world, transport, got = network()
    transport.to_client.is_dead = True
    transport.to_client.send("x", None)
    world.run_until(100 * MS)
    assert got == [] and len(world.losses) == 1


@pytest.fixture
def world():
    world = World(Case(0, Setup(tabs=())))
    yield world
    world.clean()


def test_what_a_trait_held_is_known_though_no_observer_heard_of_it(world):
    widget, held = world.widgets["w0"], world.held
    widget.blob = True
    widget.blob = 1  # Equal, so that traitlets tells nobody.
    widget.blob = object()
    assert held["w0", "blob"] == {1}
    with suppress(RuntimeError), widget.hold_trait_notifications():
        widget.flaky = 1  # Its observer raises, and traitlets tells nobody of the rest.
        widget.clamped = 7
        widget.free = 8
    widget.clamped = 9
    widget.free = 10
    assert {7, 9} <= held["w0", "clamped"] and {8, 10} <= world.committed


def test_what_stood_inside_of_a_hold_only_was_not_held(world):
    widget = world.widgets["w0"]
    with widget.hold_trait_notifications():
        widget.clamped = 150
        widget.mail = 1
        widget.mail = 2
    assert world.held["w0", "clamped"] == {50, 100}
    assert world.held["w0", "mail"] == {0, 2}


def test_where_python_holds_what_has_no_form_a_page_may_be_told_the_last_that_had_one(world):
    widget = world.widgets["w0"]
    widget.blob = [0]
    VERBS["python_mutate"](world, Step(0, "python_mutate", 0, ("w0", False)))
    assert widget.blob_forms() == {b"[0]", b"[0,1]"}  # Whoever looks at it again tells what it was edited to.
    widget.blob = 1
    for value in ("object", "cycle"):
        VERBS["python_odd"](world, Step(0, "python_odd", 0, ("w0", value)))
        assert widget.blob_forms() == {b"1"}


def test_a_page_that_was_away_may_show_what_no_observer_heard_of():
    """It is told late, when Python holds something that has no form."""
    away = Step(1_000, "away", 0, (5_000,))
    edits = Step(2_000, "edit", 1, ("w0", "blob", "true")), Step(3_000, "edit", 1, ("w0", "blob", "one"))
    steps = (away, *edits, Step(4_000, "python_odd", 0, ("w0", "object")))
    run_case(Case(1, Setup(tabs=(TabSetup(), TabSetup(mode="base"))), steps)).raise_for_violation()


def test_faults_are_named_by_code():
    assert parse("f2, F13") == ("F2", "F13")
    assert parse("all") == tuple(FAULTS)


def test_there_is_a_checker_with_a_sentence_for_every_invariant():
    assert [one.code for one in CHECKERS] == [f"I{number}" for number in range(1, 26)]
    assert all(sentence.endswith((".", ")")) for sentence in INVARIANTS.values())


def test_the_docs_name_every_invariant_every_fault_and_every_planted_bug():
    text = (Path(__file__).parents[2] / "docs" / "simulator.md").read_text(encoding="utf-8")
    for code, sentence in [*INVARIANTS.items(), *FAULTS.items()]:
        assert f"| {code} | {sentence} |" in text
    for name in PLANTS:
        assert f"| `{name}` |" in text

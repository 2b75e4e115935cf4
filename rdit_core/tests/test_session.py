import itertools
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdit_core import Limits
from rdit_core.encoding import encode
from rdit_core.messages import Reject, Resume
from rdit_core.session import Session, Sessions


def tokens():
    return (f"t{number}" for number in itertools.count(1)).__next__


def sessions(**limits):
    return Sessions(Limits(**limits), tokens())


def session(may_see=None, **limits):
    return Session("s", "secret", "ada", Limits(**limits), may_see)


def say(one, text="x", *buffers):
    one.add_message("w", 1, encode(text), buffers)


def numbers(found):
    return [message.n for message in found]


CONNECTION = SimpleNamespace()


@pytest.mark.parametrize(
    ("subscribe", "may_see", "shown"),
    [
        (None, None, True),
        (frozenset({"w"}), None, True),
        (frozenset({"other"}), None, False),
        (frozenset(), None, False),
        (None, lambda widget_id: widget_id == "w", True),
        (None, lambda widget_id: False, False),
        (frozenset({"other"}), lambda widget_id: True, False),
    ],
)
def test_a_session_shows_what_its_page_asked_for_and_may_see(subscribe, may_see, shown):
    one = session(may_see)
    one.subscribe = subscribe
    assert one.shows("w") is shown


def test_verdicts_are_kept_in_order_until_the_page_has_them():
    one = session()
    for seq in (1, 2, 3):
        one.add_reject(Reject(seq, 0, "invalid_value", ""))
    assert [(number, reject.seq) for number, reject in one.rejects_after(1)] == [(2, 2), (3, 3)]
    one.arrived(2, 0)
    assert [reject.seq for _, reject in one.rejects_after(0)] == [3]
    one.arrived(3, 0)
    assert one.rejects_after(0) == ()


def test_of_too_many_verdicts_the_oldest_go():
    one = session(max_rejects=2)
    for seq in range(5):
        one.add_reject(Reject(seq, 0, "conflict", ""))
    assert [reject.seq for _, reject in one.rejects_after(0)] == [3, 4]


def test_messages_are_numbered_and_kept_in_order_until_the_page_has_them():
    one = session()
    assert numbers(one.messages_after(0)) == []
    for text in "abc":
        say(one, text)
    assert numbers(one.messages_after(0)) == [1, 2, 3]
    assert numbers(one.messages_after(2)) == [3]
    assert numbers(one.messages_after(3)) == []
    one.arrived(0, 2)
    assert numbers(one.messages_after(0)) == [3]
    assert (one.last_n, one.lost_n) == (3, 0)


@pytest.mark.parametrize(
    ("limits", "texts", "kept", "lost"),
    [
        ({"max_messages": 2}, ["a", "b", "c", "d"], [3, 4], 2),
        ({"max_message_bytes": 200}, ["a" * 60, "b" * 60, "c" * 60], [3], 2),
        ({"max_message_bytes": 200}, ["a", "b", "c" * 1000], [3], 2),
        ({"max_message_bytes": 10}, ["one may always exceed it"], [1], 0),
        ({"max_messages": 1}, ["a"], [1], 0),
    ],
)
def test_of_too_many_messages_the_oldest_are_lost_and_which_is_known(limits, texts, kept, lost):
    one = session(**limits)
    for text in texts:
        say(one, text)
    assert numbers(one.messages_after(0)) == kept
    assert one.lost_n == lost


def test_the_bytes_of_buffers_count_and_those_of_what_arrived_do_not():
    one = session(max_message_bytes=1010)
    say(one, "a", bytes(400))
    say(one, "b", bytes(200), bytes(100))
    assert numbers(one.messages_after(0)) == [1, 2]
    one.arrived(0, 1)
    say(one, "c", bytes(400))
    assert numbers(one.messages_after(0)) == [2, 3]
    say(one, "d")
    assert numbers(one.messages_after(0)) == [2, 3, 4]
    say(one, "e", bytes(400))
    assert (numbers(one.messages_after(0)), one.lost_n) == ([3, 4, 5], 2)


@given(st.lists(st.one_of(st.just("say"), st.integers(0, 40)), max_size=60), st.integers(1, 6))
def test_the_kept_messages_are_the_latest_without_a_gap_and_within_the_limit(steps, most):
    one = session(max_messages=most)
    arrived = 0
    for step in steps:
        if step == "say":
            say(one)
        else:
            arrived = max(arrived, min(step, one.last_n))
            one.arrived(0, arrived)
        kept = numbers(one.messages_after(0))
        assert len(kept) <= most
        assert kept == list(range(one.last_n - len(kept) + 1, one.last_n + 1))
        # Everything is kept, or has arrived, or is known to be lost.
        assert max(arrived, one.lost_n) == one.last_n - len(kept)


@pytest.mark.threat(10)
def test_a_session_is_found_by_its_id_with_its_secret_and_by_its_own_user_only():
    every = sessions()
    one = every.open("ada", None)
    assert (one.session_id, one.secret) == ("t1", "t2")
    right = {"epoch": "e", "session": "t1", "secret": "t2", "rev": 0}
    assert every.find(Resume(**right), "ada") is one
    assert every.find(Resume(**right), "bob") is None
    assert every.find(Resume(**{**right, "secret": "t3"}), "ada") is None
    assert every.find(Resume(**{**right, "secret": ""}), "ada") is None
    assert every.find(Resume(**{**right, "secret": "\ud800é"}), "ada") is None
    assert every.find(Resume(**{**right, "session": "t9"}), "ada") is None


def test_a_session_without_a_connection_lives_for_its_time():
    every = sessions(session_ttl_s=10)
    first, second = every.open("ada", None), every.open("ada", None)
    assert every.next_deadline() is None
    every.detach(first, 1.0)
    every.detach(second, 3.0)
    assert every.next_deadline() == 11.0
    every.expire(10.9)
    assert list(every) == [first, second]
    every.expire(11.0)
    assert (list(every), first.state, every.next_deadline()) == ([second], "gone", 13.0)
    every.expire(50.0)
    assert (len(every), every.next_deadline()) == (0, None)


def test_a_session_that_is_taken_up_again_does_not_expire_and_names_whom_it_replaces():
    every = sessions(session_ttl_s=10)
    one = every.open("ada", None)
    assert every.attach(one, CONNECTION) is None
    every.detach(one, 0.0)
    assert (one.state, one.connection) == ("detached", None)
    assert every.attach(one, CONNECTION) is None
    assert (one.state, every.next_deadline()) == ("attached", None)
    other = SimpleNamespace()
    assert every.attach(one, other) is CONNECTION
    every.expire(1000.0)
    assert list(every) == [one]


def test_of_too_many_detached_sessions_the_one_that_is_longest_without_a_connection_goes():
    every = sessions(max_sessions=2)
    opened = [every.open("ada", None) for _ in range(4)]
    for index in (2, 0, 1):
        every.detach(opened[index], float(index))
    assert list(every) == [opened[0], opened[1], opened[3]]
    assert opened[2].state == "gone"


def test_a_goodbye_ends_a_session_at_once():
    every = sessions()
    one = every.open("ada", None)
    every.attach(one, CONNECTION)
    every.end(one)
    assert (list(every), one.state, one.connection) == ([], "gone", None)

import asyncio
import contextlib
from types import SimpleNamespace

from rdit_ref_server.sse import event_stream
from rdit_ref_server.turns import MAX_STREAMS, Turn, Turns

from .test_sse import events_of


def request_of(agent="a browser", host="127.0.0.1"):
    return SimpleNamespace(client=SimpleNamespace(host=host), headers={"user-agent": agent})


def test_one_stream_too_many_ends_the_oldest_and_no_other():
    turns, ended = Turns(), []
    asked = [request_of() for _ in range(MAX_STREAMS + 2)]
    taken = [turns.enter(one, lambda number=number: ended.append(number)) for number, one in enumerate(asked)]
    assert ended == [0, 1]
    assert [turn.is_over for turn in taken] == [True, True] + [False] * MAX_STREAMS
    turns.leave(asked[0], taken[0])
    turns.leave(asked[3], taken[3])
    turns.enter(request_of(), lambda: ended.append("late"))
    assert ended == [0, 1], "one had left"
    turns.enter(request_of(), lambda: None)
    assert ended == [0, 1, 2]


def test_browsers_do_not_take_each_others_turns():
    turns, ended = Turns(max_streams=1), []
    for one in (request_of(), request_of(agent="another"), request_of(host="::1")):
        turns.enter(one, lambda: ended.append(None))
    assert ended == []
    turns.enter(request_of(), lambda: None)
    assert len(ended) == 1


def test_nothing_is_kept_of_streams_that_have_ended():
    turns = Turns()
    for _ in range(3):
        turns.leave(request_of(), turns.enter(request_of(), lambda: None))
    assert turns._turns == {}


def test_a_stream_whose_turn_is_over_gives_what_there_is_and_ends_and_the_next_goes_on(running):
    running.serve()
    running.start("import threading\ngo = threading.Event()\nprint('waiting')\ngo.wait();\nprint('on')\n")
    running.wait_for(lambda: [event["statement"] for event in running.events()][-1:] == [4])
    turns, begun = [], asyncio.Event()

    def take_turn(on_over):
        turns.append(turn := Turn(on_over))
        begun.set()
        return contextlib.nullcontext(turn)

    async def read(after):
        return [part async for part in event_stream(running.kernel, after, esm_text=True, take_turn=take_turn)]

    async def follow():
        reading = asyncio.ensure_future(read(0))
        await begun.wait()
        turns[0].end()
        return await reading

    first = events_of(b"".join(asyncio.run(follow())).decode())
    assert "waiting\n" in [data.get("text") for _, _, data in first]
    assert "done" not in [kind for _, kind, _ in first]
    running.namespace["go"].set()
    rest = events_of(b"".join(asyncio.run(read(first[-1][0]))).decode())
    assert [kind for _, kind, _ in rest] == ["statement", "stream", "done"]

"""What modules in Python stand on: signals, the virtual loop."""

import asyncio
import contextlib

import pytest

from rdit_harness import AbortController, AbortError, AbortSignal, VirtualClock
from rdit_harness.modules.loop import VirtualLoop


@pytest.fixture
def calls():
    return []


# Signals.


def test_a_signal_aborts_once_for_one_reason_and_calls_back_in_order(calls):
    controller = AbortController()
    signal = controller.signal
    signal.throw_if_aborted()
    signal.on_abort(lambda: calls.append(("first", signal.aborted)))
    remove = signal.on_abort(lambda: calls.append("removed"))
    signal.on_abort(lambda: calls.append("second"))
    remove()
    remove()
    controller.abort("enough")
    controller.abort("again")
    assert calls == [("first", True), "second"]
    assert (signal.aborted, signal.reason) == (True, "enough")
    with pytest.raises(AbortError, match="enough"):
        signal.throw_if_aborted()
    signal.on_abort(lambda: calls.append("never"))()
    assert len(calls) == 2


def test_without_a_reason_it_is_an_abort_error_and_an_exception_is_raised_as_it_is():
    with pytest.raises(AbortError, match="This operation was aborted"):
        AbortSignal.abort().throwIfAborted()
    with pytest.raises(KeyError):
        AbortSignal.abort(KeyError("mine")).throw_if_aborted()


def test_the_spelling_of_a_page_is_understood(calls):
    controller = AbortController()

    def hear():
        calls.append("heard")

    controller.signal.addEventListener("abort", hear, {"once": True})
    controller.signal.removeEventListener("abort", hear)
    controller.signal.removeEventListener("abort", hear)
    controller.signal.addEventListener("abort", hear)
    controller.abort()
    assert calls == ["heard"]
    with pytest.raises(ValueError, match="Expected the event 'abort'"):
        controller.signal.addEventListener("click", hear)


def test_any_of_some_signals_aborts_with_the_first_and_lets_go_of_the_others(calls):
    first, second = AbortController(), AbortController()
    either = AbortSignal.any([first.signal, second.signal])
    either.on_abort(lambda: calls.append(either.reason))
    second.abort("second")
    first.abort("first")
    assert calls == ["second"]
    lasting = AbortController()
    for _ in range(1000):
        short = AbortController()
        AbortSignal.any([lasting.signal, short.signal])
        short.abort()
    assert not lasting.signal._callbacks
    assert AbortSignal.any([lasting.signal, second.signal, first.signal]).reason == "second"
    assert not lasting.signal._callbacks
    assert not AbortSignal.any([]).aborted


def test_a_callback_that_raises_stops_no_other_and_is_told_or_raised_at_the_end(calls):
    for told in (None, calls.append):
        controller = AbortController(told)
        either = AbortSignal.any([AbortController().signal, controller.signal])
        controller.signal.on_abort(lambda: 1 / 0)
        controller.signal.on_abort(lambda: [][0])
        either.on_abort(lambda: {}["x"])
        controller.signal.on_abort(lambda: calls.append("last"))
        if told is None:
            with pytest.raises(KeyError):
                controller.abort()
        else:
            controller.abort()
    assert [one if isinstance(one, str) else type(one) for one in calls] == [
        "last",
        KeyError,
        ZeroDivisionError,
        IndexError,
        "last",
    ]


# The loop.


@pytest.fixture
def clock():
    return VirtualClock()


@pytest.fixture
def loop(clock, calls):
    return VirtualLoop(clock, calls.append)


def run(loop, clock, seconds):
    """What a front end does."""
    end_s = clock.now_s + seconds
    while True:
        while loop.run_ready():
            pass
        deadline = loop.next_deadline()
        if deadline is None or deadline > end_s:
            break
        clock.advance_to(deadline)
    clock.advance_to(end_s)


def test_asyncio_works_on_virtual_time_and_in_order(loop, clock, calls):
    async def sleeper(name, seconds):
        await asyncio.sleep(seconds)
        calls.append((name, asyncio.get_running_loop().time()))

    async def main():
        await asyncio.gather(sleeper("c", 3), sleeper("a", 1), sleeper("b", 1))
        lock = asyncio.Lock()
        async with lock:
            calls.append("locked")
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 10)
        return "done"

    task = loop.create_task(main())
    assert not loop.is_running() and not loop.is_closed() and not loop.get_debug()
    run(loop, clock, 12.5)
    assert calls == [("a", 1), ("b", 1), ("c", 3), "locked"]
    run(loop, clock, 0.5)
    assert task.result() == "done"
    assert loop.next_deadline() is None


def test_what_is_cancelled_does_not_run(loop, clock, calls):
    loop.call_soon(calls.append, "soon").cancel()
    assert loop.run_ready() == 0
    loop.call_later(1, calls.append, "later").cancel()
    assert loop.next_deadline() is None
    loop.call_later(1, calls.append, "due").cancel()
    clock.advance(1)
    assert loop.run_ready() == 0
    assert calls == []


def test_a_batch_within_a_batch_runs_nothing(loop, calls):
    loop.call_soon(lambda: calls.append(loop.run_ready()))
    loop.call_soon(calls.append, "second")
    assert loop.run_ready() == 2
    assert calls == [0, "second"]


def test_what_is_started_runs_to_its_first_wait_at_once_within_another_task_too(loop, calls):
    async def inner():
        calls.append("inner")
        await asyncio.sleep(0)
        calls.append("inner ends")

    async def outer():
        calls.append("outer")
        loop.start(inner())
        calls.append(asyncio.current_task() is task)
        await asyncio.sleep(0)
        calls.append("outer ends")

    task = loop.create_task(outer())
    loop.run_ready()
    assert calls == ["outer", "inner", True]
    loop.run_ready()
    assert sorted(calls[3:]) == ["inner ends", "outer ends"]


def test_what_nobody_awaits_is_told_when_it_raises_and_not_when_it_is_cancelled(loop, calls):
    async def fail():
        raise KeyError("mine")

    async def hang():
        await asyncio.Event().wait()

    loop.start_alone(fail())
    loop.start_alone(hang())
    while loop.run_ready():
        pass
    assert [type(one) for one in calls] == [KeyError]
    loop.cancel_all()
    assert len(calls) == 1
    loop.call_exception_handler({"message": "odd"})
    loop.call_exception_handler({"message": "odd", "exception": ValueError("mine")})
    assert [str(one) for one in calls[1:]] == ["odd", "mine"]


def test_a_task_that_will_not_end_is_left_after_a_while(loop):
    is_stubborn = True

    async def stubborn():
        while is_stubborn:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()

    task = loop.start(stubborn())
    loop.cancel_all()
    assert not task.done()
    is_stubborn = False
    loop.cancel_all()
    assert task.done()


def test_there_is_no_thread_in_it(loop, clock):
    task = loop.create_task(asyncio.to_thread(print))
    run(loop, clock, 0)
    assert isinstance(task.exception(), NotImplementedError)

import signal
import threading
import time

import pytest

from rdit_ref_server.interrupts import KNOCK, Interrupts

pytestmark = pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="signals to threads are POSIX")


def wait_until(condition):
    for _ in range(2000):
        if condition():
            return
        time.sleep(0.005)
    raise AssertionError("waited in vain")


def aside(action):
    thread = threading.Thread(target=action)
    thread.start()
    return thread


def sleep_after(action):
    action()
    time.sleep(60)


def spin_after(action):
    action()
    while True:
        pass


def request_soon(interrupts):
    """Ask for an interrupt from another thread, once this function has returned."""
    threading.Timer(0.05, interrupts.request).start()


def test_a_long_sleep_ends_at_once():
    interrupts = Interrupts(lambda: True, lambda: False, lambda: False)
    began = time.monotonic()
    with interrupts.attached(), pytest.raises(KeyboardInterrupt):
        sleep_after(lambda: request_soon(interrupts))
    assert time.monotonic() - began < 30


def test_a_busy_loop_ends():
    interrupts = Interrupts(lambda: True, lambda: False, lambda: False)
    with interrupts.attached(), pytest.raises(KeyboardInterrupt):
        spin_after(lambda: request_soon(interrupts))


def test_a_request_that_finds_the_kernel_idle_is_spent():
    interrupts = Interrupts(lambda: True, lambda: True, lambda: False)
    interrupts._wanted = interrupts.turn
    assert not interrupts._settle(None)
    assert interrupts._wanted is None


def test_a_request_for_a_job_that_is_over_does_nothing():
    interrupts = Interrupts(lambda: True, lambda: False, lambda: False)
    with interrupts.attached():
        turn = interrupts.turn
        interrupts.next_turn()
        interrupts.request(turn)
        signal.raise_signal(KNOCK)


def test_what_is_awaited_is_cancelled_where_there_is_no_user_frame():
    cancelled = []
    interrupts = Interrupts(lambda: True, lambda: False, lambda: not cancelled.append(True))
    assert not interrupts._settle(None)
    assert cancelled


def test_a_stray_signal_hurts_nobody():
    with Interrupts(lambda: True, lambda: False, lambda: False).attached():
        signal.raise_signal(KNOCK)


def test_signal_handlers_are_given_back():
    numbers = [KNOCK, signal.SIGINT, signal.SIGTERM]
    before = [signal.getsignal(number) for number in numbers]
    with Interrupts(lambda: True, lambda: False, lambda: False).attached(lambda: None):
        assert all(signal.getsignal(number) is not handler for number, handler in zip(numbers, before, strict=True))
    assert [signal.getsignal(number) for number in numbers] == before
    assert signal.set_wakeup_fd(-1) == -1


def test_without_a_thread_to_interrupt_a_request_ends():
    interrupts = Interrupts(lambda: True, lambda: False, lambda: False)
    count = threading.active_count()
    interrupts.request()
    wait_until(lambda: threading.active_count() <= count)


def test_a_side_thread_gets_an_asynchronous_exception():
    interrupts = Interrupts(lambda: True, lambda: False, lambda: False)
    caught, ready = [], threading.Event()

    def serve():
        with interrupts.attached():
            try:
                ready.set()
                while True:
                    pass
            except KeyboardInterrupt as error:
                caught.append(error)

    thread = aside(serve)
    ready.wait()
    interrupts.request()
    thread.join(20)
    assert caught


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_end_is_told_once(number):
    told = []
    with Interrupts(lambda: True, lambda: False, lambda: False).attached(lambda: told.append(True)):
        signal.raise_signal(number)
        wait_until(lambda: told)
    # The thread that listens besides has ended, so what it had to say is said.
    assert told == [True]

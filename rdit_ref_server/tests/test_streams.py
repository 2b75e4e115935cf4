import io
import os
import queue
import subprocess
import sys

import pytest

from rdit_ref_server.streams import GATHER_S, Gatherer, LogStream, terminal_only


class Owners:
    statement = 1


@pytest.fixture
def made():
    real, events, owners = io.StringIO(), [], Owners()
    stream = LogStream("stdout", real, lambda: owners.statement, lambda *event: events.append(event))
    return stream, real, events, owners


def test_a_print_is_one_event(made):
    stream, real, events, _ = made
    print("one", 2, file=stream)
    assert events == [(1, "stdout", "one 2\n")]
    assert real.getvalue() == "one 2\n"


def test_what_the_server_itself_writes_reaches_the_terminal_alone(made):
    stream, real, events, _ = made
    with terminal_only():
        print("a warning of the web server's", file=stream)
    print("a result", file=stream)
    assert events == [(1, "stdout", "a result\n")]
    assert real.getvalue() == "a warning of the web server's\na result\n"


def test_an_unfinished_line_waits_for_flush(made):
    stream, real, events, _ = made
    print("50 %", end="", file=stream)
    assert (events, real.getvalue()) == ([], "50 %")
    stream.flush()
    assert events == [(1, "stdout", "50 %")]


def test_a_line_that_will_be_overwritten_is_shown_at_once(made):
    stream, _, events, _ = made
    print("50 %", end="\r", file=stream)
    assert events == [(1, "stdout", "50 %\r")]


class Clock:
    now_s = 0.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def gathered():
    """A pair of streams whose lines wait for each other, their events, a clock, and how often somebody was called."""
    events, clock, called = [], Clock(), []
    options = {"wait": lambda: called.append(None), "clock": clock}
    out = LogStream("stdout", None, lambda: 1, lambda *event: events.append(event[1:]), **options)
    err = LogStream("stderr", None, lambda: 1, lambda *event: events.append(event[1:]), after=out, **options)
    return out, err, events, clock, called


def test_a_line_after_a_silence_is_an_event_at_once_and_those_behind_it_become_one(gathered):
    out, _, events, clock, called = gathered
    for number in range(4):
        print(number, file=out)
    assert (events, len(called)) == ([("stdout", "0\n")], 3)
    out.log_lines()
    assert events == [("stdout", "0\n"), ("stdout", "1\n2\n3\n")]
    clock.now_s += GATHER_S
    print("4", file=out)
    assert events[2:] == [("stdout", "4\n")]


def test_lines_that_wait_are_sent_off_by_what_comes_next(gathered):
    out, err, events, _, _ = gathered
    for stream, text in ((out, "a\n"), (out, "b\n"), (err, "c\n"), (out, "d\n")):
        stream.write(text)
    assert events == [("stdout", "a\n"), ("stdout", "b\n"), ("stderr", "c\n")]
    out.flush()
    assert events[3:] == [("stdout", "d\n")]


def test_an_unfinished_line_stays_when_the_lines_before_it_are_logged(gathered):
    out, _, events, _, _ = gathered
    out.write("a\n")
    out.write("b\nunfinished")
    out.log_lines()
    out.log_lines()
    assert events == [("stdout", "a\n"), ("stdout", "b\n")]
    out.flush()
    assert events[2:] == [("stdout", "unfinished")]


def test_no_more_lines_wait_than_fit_into_an_event_of_moderate_size(gathered):
    out, _, events, _, _ = gathered
    for _ in range(1000):
        print("x" * 99, file=out)
    out.flush()
    assert "".join(text for _, text in events) == ("x" * 99 + "\n") * 1000
    assert 6 <= len(events) <= 8


def test_a_gatherer_logs_what_waits_and_ends():
    events, gatherer = queue.Queue(), Gatherer()
    out = LogStream("stdout", None, lambda: 1, lambda *event: events.put(event[2]), wait=gatherer.wait, clock=Clock())
    gatherer.start(out)
    out.write("a\n")
    out.write("b\n")
    assert [events.get(timeout=20) for _ in range(2)] == ["a\n", "b\n"]
    gatherer.close()
    out.write("c\n")
    assert events.empty()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no such thing on this platform")
def test_a_child_that_is_forked_while_lines_are_gathered_can_print():
    source = """
import os, sys, threading, time
from rdit_ref_server.streams import Gatherer, LogStream

at_work = threading.Event()

def emit(*event):
    if threading.current_thread() is not threading.main_thread():
        at_work.set()
        time.sleep(0.2)

gatherer = Gatherer()
sys.stdout = out = LogStream("stdout", sys.stdout, lambda: 1, emit, wait=gatherer.wait)
gatherer.start(out)
print("parent")
print("parent")
at_work.wait()
child = os.fork()
if child == 0:
    print("child", flush=True)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
print("parent", flush=True)
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", source], capture_output=True, text=True, timeout=20)
    assert (done.returncode, done.stdout.split()) == (0, ["parent", "parent", "child", "parent"]), done.stderr


def test_two_streams_keep_the_order_in_which_they_were_written(made):
    out, _, events, _ = made
    err = LogStream("stderr", None, lambda: 1, lambda *event: events.append(event), after=out)
    for stream, text in ((out, "a"), (err, "b"), (err, "c"), (out, "d\n"), (err, "e"), (out, "f")):
        stream.write(text)
    out.flush()
    assert [(name, text) for _, name, text in events] == [
        ("stdout", "a"),
        ("stderr", "bc"),
        ("stdout", "d\n"),
        ("stderr", "e"),
        ("stdout", "f"),
    ]


def test_what_is_held_keeps_its_owner(made):
    stream, _, events, owners = made
    stream.write("first")
    owners.statement = 2
    stream.write("second\n")
    assert events == [(1, "stdout", "first"), (2, "stdout", "second\n")]


def test_long_text_comes_in_pieces_and_whole(made):
    stream, _, events, _ = made
    text = "x" * 1_000_000
    stream.write(text)
    assert len(events) > 1
    assert "".join(event[2] for event in events) == text


def test_what_the_real_stream_cannot_encode_is_escaped_there_only():
    raw, events = io.BytesIO(), []
    stream = LogStream("stdout", io.TextIOWrapper(raw, "ascii"), lambda: 1, lambda *event: events.append(event))
    print("0 → 1", file=stream)
    assert raw.getvalue().split() == [b"0", b"\\u2192", b"1"]
    assert events == [(1, "stdout", "0 → 1\n")]


def test_a_real_stream_that_is_gone_stops_nobody(made):
    stream, real, events, _ = made
    real.close()
    print("still here", file=stream)
    stream.flush()
    assert events == [(1, "stdout", "still here\n")]


def test_no_real_stream_is_no_obstacle():
    events = []
    stream = LogStream("stderr", None, lambda: None, lambda *event: events.append(event))
    print("x", file=stream)
    assert events == [(None, "stderr", "x\n")]
    with pytest.raises(io.UnsupportedOperation):
        stream.fileno()


def test_bytes_through_the_buffer_become_text_even_when_cut(made):
    stream, _, events, _ = made
    arrow = "→\n".encode()
    stream.buffer.write(arrow[:2])
    stream.buffer.write(arrow[2:])
    stream.buffer.flush()
    assert events == [(1, "stdout", "→\n")]


def test_it_looks_like_a_stream_that_is_no_terminal(made, tmp_path):
    stream, *_ = made
    assert not stream.isatty()
    assert stream.writable()
    assert stream.encoding == "utf-8"
    assert stream.name == "<stdout>"
    with (tmp_path / "real").open("w") as real:
        number = LogStream("stdout", real, lambda: 1, lambda *_: None).fileno()
        assert number == real.fileno()
        os.fstat(number)


def test_only_text_can_be_written(made):
    with pytest.raises(TypeError, match="must be str, not bytes"):
        made[0].write(b"x")


def test_closing_it_only_flushes(made):
    stream, _, events, _ = made
    stream.write("a")
    stream.close()
    stream.write("b\n")
    assert events == [(1, "stdout", "a"), (1, "stdout", "b\n")]


def test_writelines_writes_all(made):
    stream, _, events, _ = made
    stream.writelines(["a\n", "b\n"])
    assert [event[2] for event in events] == ["a\n", "b\n"]

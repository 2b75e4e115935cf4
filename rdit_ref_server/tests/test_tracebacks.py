import sys

import pytest

from rdit_ref_server.tracebacks import describe, format_exception, is_machinery, is_standard_library


def raised(action):
    try:
        action()
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


def test_the_text_begins_at_the_users_frame(running):
    (error,) = [one for one in running.run("def f():\n    1 / 0\n\nf()\n") if one["kind"] == "error"]
    lines = error["traceback"].splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[1] == f'  File "{running.path}", line 4, in <module>'
    assert lines[2] == "    f()"
    assert lines[-1] == "ZeroDivisionError: division by zero"
    assert "rdit_ref_server" not in error["traceback"]
    assert "\x1b" not in error["traceback"]


def test_frames_of_ipython_are_left_out(running):
    source = "class Bad:\n    def _repr_html_(self):\n        raise ValueError('no picture')\n\nBad()\n"
    (error,) = [one for one in running.run(source) if one["kind"] == "error"]
    assert "no picture" in error["traceback"]
    assert "IPython" not in error["traceback"]


def test_a_syntax_error_shows_file_line_and_caret_and_no_frames(running):
    (error, done) = running.run("a = 1\nb = = 2\n")
    assert error["ename"] == "SyntaxError"
    assert error["statement"] is None
    lines = error["traceback"].splitlines()
    assert lines[0] == f'  File "{running.path}", line 2'
    assert lines[1] == "    b = = 2"
    assert lines[2].strip() == "^"
    assert done["status"] == "error"


def test_causes_are_shown_without_our_frames(running):
    source = "try:\n    1 / 0\nexcept ZeroDivisionError as cause:\n    raise KeyError('k') from cause\n"
    (error,) = [one for one in running.run(source) if one["kind"] == "error"]
    assert "ZeroDivisionError" in error["traceback"]
    assert "direct cause" in error["traceback"]
    assert "rdit_ref_server" not in error["traceback"]


@pytest.mark.skipif(sys.version_info < (3, 11), reason="exception groups came with Python 3.11")
def test_members_of_a_group_are_shown(running):
    (error,) = [one for one in running.run("raise ExceptionGroup('g', [ValueError('a')])") if one["kind"] == "error"]
    assert "ValueError: a" in error["traceback"]


def test_an_exception_that_cannot_be_described_is_named_all_the_same():
    class Shy(Exception):
        def __str__(self):
            raise RuntimeError

    def fail():
        raise Shy

    name, message, text = describe(raised(fail))
    assert name == "Shy"
    assert "could not" in message
    assert "Shy" in text


def test_exceptions_in_a_circle_end():
    def fail():
        first, second = ValueError("first"), ValueError("second")
        first.__cause__, second.__cause__ = second, first
        raise first

    assert "second" in format_exception(raised(fail))


def test_files_are_told_apart():
    import json

    import IPython

    import rdit_ref_server.kernel

    assert is_machinery(rdit_ref_server.kernel.__file__)
    assert is_machinery(IPython.__file__)
    assert not is_machinery(__file__)
    assert is_standard_library(json.__file__)
    assert is_standard_library("<frozen runpy>")
    assert not is_standard_library(pytest.__file__)
    assert not is_standard_library("/home/somebody/script.py")

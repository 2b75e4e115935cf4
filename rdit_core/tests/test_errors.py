import inspect
from pathlib import Path
from typing import get_args

import pytest

import rdit_core
from rdit_core import errors
from rdit_core.errors import (
    COMMAND_CODES,
    FRAME_CODES,
    UPDATE_CODES,
    AccessCode,
    AccessRefused,
    RditError,
    RemoteProtocolError,
    UnknownWidget,
    UnserializableValue,
    WriteRefused,
)

FAMILY = [one for one in vars(errors).values() if inspect.isclass(one) and issubclass(one, RditError)]


@pytest.mark.parametrize("name", rdit_core.__all__)
def test_every_public_name_is_there_and_says_what_it_is(name):
    thing = getattr(rdit_core, name)
    if inspect.isclass(thing) or inspect.isroutine(thing):
        assert thing.__doc__
        assert thing.__doc__.strip()


@pytest.mark.parametrize(
    "thing", [getattr(rdit_core, name) for name in rdit_core.__all__ if inspect.isclass(getattr(rdit_core, name))]
)
def test_every_public_method_of_a_public_class_has_a_docstring(thing):
    for name, member in vars(thing).items():
        if not name.startswith("_") and (inspect.isfunction(member) or isinstance(member, property)):
            assert member.__doc__, f"{thing.__name__}.{name}"


@pytest.mark.parametrize("error", FAMILY)
def test_every_error_is_documented_and_has_a_snake_case_code(error):
    assert error.__doc__
    assert error.code.islower() if isinstance(error.code, str) else True
    assert issubclass(error, RditError)


@pytest.mark.parametrize("code", [*UPDATE_CODES, *FRAME_CODES, *COMMAND_CODES, *get_args(AccessCode)])
def test_every_code_is_in_the_page_on_the_wire(code):
    assert f"`{code}`" in (Path(rdit_core.__file__).parent / "PROTOCOL.md").read_text(encoding="utf-8")


def test_codes_are_listed_once_and_the_lists_share_none():
    assert len(set(UPDATE_CODES)) == len(UPDATE_CODES)
    assert len(set(FRAME_CODES)) == len(FRAME_CODES)
    assert not set(UPDATE_CODES) & set(FRAME_CODES)


@pytest.mark.parametrize(
    ("error", "builtin", "code", "text"),
    [
        (UnknownWidget("a.1"), ValueError, "unknown_widget", "Widget a.1 not found"),
        (WriteRefused("read_only", "a", "p", "why"), ValueError, "read_only", "Property 'p' of widget a: why"),
        (UnserializableValue("No"), TypeError, "unserializable_value", "No"),
        (UnserializableValue("No", ("a", 0)), TypeError, "unserializable_value", "No - at $['a'][0]"),
        (RemoteProtocolError("bad_json", "text"), RditError, "bad_json", "text"),
        (AccessRefused("unauthorized"), PermissionError, "unauthorized", "connection refused: unauthorized"),
        (errors.LocalProtocolError("x"), errors.ProtocolError, "illegal_call", "x"),
        (errors.InvalidWidgetId("x"), ValueError, "invalid_widget_id", "x"),
        (errors.WidgetNotHostable("x"), TypeError, "not_hostable", "x"),
        (errors.LimitReached("x"), RditError, "limit_reached", "x"),
    ],
)
def test_an_error_is_also_the_builtin_that_a_caller_would_expect_and_keeps_its_code_and_text(
    error, builtin, code, text
):
    assert isinstance(error, RditError)
    assert isinstance(error, builtin)
    assert error.code == code
    assert str(error) == text


def test_a_refused_write_says_which_widget_and_property():
    error = WriteRefused("invalid_value", "a", "p", "why")
    assert (error.widget_id, error.property) == ("a", "p")
    assert UnknownWidget("a").widget_id == "a"
    assert UnserializableValue("x", ("a",)).path == ("a",)

"""`experimental.invoke` in a module in Python."""

import asyncio
from contextlib import nullcontext

import anywidget
import pytest
import traitlets
from anywidget.experimental import command

from rdit_harness import AbortController, AbortError, AbortSignal
from rdit_harness.modules.invoke import CommandFailed


class Asked(anywidget.AnyWidget):
    _esm = "export default {}"
    value = traitlets.Int(3).tag(sync=True)

    @command
    def times(self, msg, buffers):
        return self.value * msg, [b"<", *buffers]

    @command
    def ask(self, msg, buffers):
        return repr(msg), []

    @command
    def fail(self, msg, buffers):
        raise RuntimeError("mine")

    @command
    def bad(self, msg, buffers):
        return None


class Silent(anywidget.AnyWidget):
    _esm = "export default {}"


class Speaks(anywidget.AnyWidget):
    """Answers itself, as a library with a protocol of its own may."""

    _esm = "export default {}"
    error = traitlets.Any()

    def __init__(self, **traits):
        super().__init__(**traits)
        self.on_msg(self.answer)

    def answer(self, _, content, buffers):
        self.send("something else")
        self.send({"id": "another", "kind": "anywidget-command-response"})
        self.send({**content, "kind": "not a response"})
        for error in (self.error, "too late", None):
            self.send({"id": content["id"], "kind": "anywidget-command-response", "error": error})


@pytest.fixture
def calls():
    return []


@pytest.fixture
def ask(mount, calls):
    """Has a module ask, and keeps what it got."""

    def ask(widget, *arguments, **named):
        async def render(experimental):
            try:
                calls.append(await experimental.invoke(*arguments, **named))
            except (CommandFailed, AbortError, KeyError) as error:
                calls.append(error)

        return mount(widget, module={"render": render})

    return ask


@pytest.mark.afm(64)
def test_a_command_gives_its_response_and_its_buffers(ask, calls):
    view = ask(Asked, "times", 7, [b"xy"])
    [(response, buffers)] = calls
    assert response == 21
    assert [bytes(one) for one in buffers] == [b"<", b"xy"]
    sent = [frame.message for frame in view.wire if '"anywidget-command"' in frame.text]
    [op] = sent[0]["ops"]
    assert op["content"] == {"id": "invoke-1", "kind": "anywidget-command", "name": "times", "msg": 7}
    assert view.page.frontend.loop.next_deadline() is None  # Nothing waits any more.
    assert not view.model._taps


def test_a_signal_that_outlives_its_question_keeps_nothing_of_it(ask, calls):
    stop = AbortController()
    ask(Asked, "times", 7, signal=stop.signal)
    assert calls[0][0] == 21
    assert not stop.signal._callbacks


@pytest.mark.afm(66)
def test_a_command_may_be_asked_without_a_message(ask, calls):
    ask(Asked, "ask")
    assert calls == [("None", [])]


@pytest.mark.afm(66)
@pytest.mark.parametrize(
    ("name", "raised", "code", "text"),
    [
        ("fail", RuntimeError, "command_failed", "RuntimeError: "),
        ("nobody", None, "unknown_command", "Asked has no such command"),
        ("bad", TypeError, "bad_return", "The command's return cannot be sent: "),
    ],
)
def test_a_command_that_raises_is_missing_or_returns_nonsense_rejects_with_its_name(
    mount, ask, calls, name, raised, code, text
):
    with mount.expecting(raised) if raised is not None else nullcontext():
        ask(Asked, name)
    [error] = calls
    assert str(error).startswith(f'Command "{name}": {text}')
    assert error.code == code


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        ("bad", "command_failed", "bad"),
        ({"type": "ValueError", "message": "bad", "code": "bad_return"}, "bad_return", "ValueError: bad"),
        ({"message": "bad", "code": 7}, "command_failed", "bad"),
        ({"code": ""}, "command_failed", "it failed"),
        (3, "command_failed", "it failed"),
    ],
)
def test_an_answer_may_be_an_error_in_words_with_a_code_or_without(ask, calls, error, code, text):
    ask(Speaks(error=error), "it")
    assert [(str(one), one.code) for one in calls] == [(f'Command "it": {text}', code)]


def test_only_the_first_answer_to_the_very_question_counts(ask, calls):
    ask(Speaks(error=None), "it")
    assert calls == [(None, [])]


@pytest.mark.afm(65)
@pytest.mark.parametrize(("named", "seconds"), [({}, 3), ({"timeout_s": 0.5}, 0.5)])
def test_an_answer_is_waited_for_three_seconds_or_as_long_as_is_said(ask, calls, named, seconds):
    view = ask(Silent, "it", **named)
    view.advance(seconds - 0.1)
    assert calls == []
    view.advance(0.1)
    assert [(str(one), one.code) for one in calls] == [(f'Python did not answer "it" within {seconds} s', "timeout")]


@pytest.mark.afm(65)
@pytest.mark.parametrize(
    ("reason", "raised"), [(None, AbortError), (KeyError("mine"), KeyError), ("enough", AbortError)]
)
def test_a_signal_gives_up_instead_of_a_time(ask, calls, reason, raised):
    stop = AbortController()
    view = ask(Silent, "it", signal=stop.signal)
    view.advance(100)
    assert calls == []
    stop.abort(reason)
    view.settle()
    assert [type(one) for one in calls] == [raised]


@pytest.mark.afm(65)
def test_with_a_signal_that_is_aborted_nothing_is_sent(ask, calls):
    view = ask(Asked, "times", 7, signal=AbortSignal.abort())
    assert [type(one) for one in calls] == [AbortError]
    assert not [frame for frame in view.wire if "anywidget-command" in frame.text]


@pytest.mark.parametrize("rdit_mode", ["base"])
def test_base_mode_carries_no_commands_and_says_so(ask, calls):
    ask(Asked, "times", 7)
    assert "carries no custom messages (base mode)" in str(calls[0])
    assert calls[0].code == "unsupported"


def test_a_question_asked_offline_waits_for_the_network_but_not_for_ever(mount, calls):
    async def render(model, experimental):
        for name in ("times", "times"):
            await asyncio.sleep(1)
            try:
                calls.append((await experimental.invoke(name, 2))[0])
            except CommandFailed as error:
                calls.append(error.code)

    view = mount(Asked, module={"render": render})
    view.net.drop()
    view.advance(2)
    view.net.heal()
    view.settle()
    assert calls == [6]
    view.net.drop()
    view.advance(4)
    assert calls == [6, "timeout"]


def test_initialize_may_ask_while_messages_are_held_back_for_it(mount, calls):
    async def initialize(model, experimental):
        model.on("msg:custom", lambda content, _: calls.append("heard"))
        response, _ = await experimental.invoke("times", 2)
        calls.append(response)

    view = mount(Asked, module={"initialize": initialize})
    assert calls == [6, "heard"]  # The response is a message like any other.
    assert view.failure is None


def test_a_widget_that_closes_answers_nothing_more(mount, calls):
    async def render(experimental):
        for _ in range(2):
            try:
                await experimental.invoke("it")
            except CommandFailed as error:
                calls.append(str(error))

    view = mount(Silent, module={"render": render})
    view.widget.close()
    view.settle()
    assert calls == ["The widget was closed"] * 2


def test_a_question_without_a_json_form_is_the_askers_mistake(mount):
    async def render(experimental):
        await experimental.invoke("it", object())

    with mount.expecting(match="object"):
        mount(Asked, module={"render": render})

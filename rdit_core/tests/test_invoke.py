import asyncio
import sys

import anywidget
import pytest
from anywidget.experimental import command

from rdit_core import WritePolicy
from rdit_core.errors import COMMAND_CODES
from rdit_core.events import HandlerFailed
from rdit_core.tests.kinds import KINDS, Any_, Methods, Plain, every_kind
from rdit_core.tests.pair import Peer

ANSWER = {"id": "7", "kind": "anywidget-command-response"}


def question(peer, name, *msg):
    content = {"id": "7", "kind": "anywidget-command", "name": name}
    return peer.message({**content, "msg": msg[0]} if msg else content)


def ask(peer, name, *msg):
    """The answer, and what the page was told of the batch besides."""
    peer.batch(question(peer, name, *msg))
    peer.manager.apply_pending()
    syncs = peer.syncs()
    assert [one.code for sync in syncs for one in sync.rejects] == []
    [answer] = [one.content for sync in syncs for one in sync.msgs]
    assert (answer.pop("id"), answer.pop("kind")) == ("7", "anywidget-command-response")
    return answer


@pytest.fixture
def failed(manager):
    failed = []
    manager.on("handler_failed", failed.append)
    return failed


@pytest.mark.afm(64, 66, 68)
@every_kind
def test_a_command_answers_with_a_response_and_buffers(manager, kind):
    manager.register("w", kind(value=3))
    peer, other = Peer(manager), Peer(manager)
    peer.syncs()
    other.syncs()
    peer.batch(question(peer, "add", 4))
    manager.apply_pending()
    [(message)] = [one for sync in peer.syncs() for one in sync.msgs]
    assert message.content == {**ANSWER, "response": 7}
    assert [bytes(one) for one in message.buffers] == [b"more"]
    assert ask(peer, "add") == {"response": 3}  # The message may be left out.
    assert other.syncs() == []


@pytest.mark.afm(66, 68)
@every_kind
def test_a_command_that_raises_says_what(manager, failed, caplog, kind):
    manager.register("w", kind())
    error = ask(Peer(manager), "fail")["error"]
    assert error == {"code": "command_failed", "type": "ValueError", "message": "the reason"}
    [event] = failed
    assert (type(event), event.widget_id, type(event.error)) == (HandlerFailed, "w", ValueError)
    assert "command of w failed" in caplog.text


@pytest.mark.afm(66)
@every_kind
@pytest.mark.parametrize("name", ["nobody", "other", "secret", "__init__", 3, None, ["add"]])
def test_a_name_that_is_no_command_says_so_and_runs_nothing(manager, failed, kind, name):
    manager.register("w", kind())
    error = ask(Peer(manager), name)["error"]
    assert (error["code"], kind.__qualname__ in error["message"]) == ("unknown_command", True)
    assert failed == []


@pytest.mark.afm(66)
@pytest.mark.parametrize("result", [None, 3, [1, []], {"a": 1}, "ab"])
def test_a_return_that_is_no_response_says_so(manager, failed, result):
    manager.register("w", Plain())
    error = ask(Peer(manager), "odd", result)["error"]
    assert (error["code"], type(result).__qualname__ in error["message"]) == ("bad_return", True)
    assert [type(one.error) for one in failed] == [TypeError]


@pytest.mark.parametrize("result", [(object(), []), (1, ["text"]), (1, [3]), (1, b"ab")])
def test_a_response_that_cannot_be_sent_says_so(manager, failed, result):
    class Bad(Plain):
        @command
        def bad(self, msg, buffers):
            return result

    manager.register("w", Bad())
    assert ask(Peer(manager), "bad")["error"]["code"] == "bad_return"
    assert len(failed) == 1


@pytest.mark.afm(66, 68)
@every_kind
def test_a_coroutine_is_awaited_where_a_loop_runs(manager, kind):
    manager.register("w", kind(value=2))
    peer, other = Peer(manager), Peer(manager)
    other.syncs()

    async def kernel():
        peer.batch(question(peer, "later", 3))
        manager.apply_pending()
        before = [one for sync in peer.syncs() for one in sync.msgs]
        pending = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*pending)
        return before

    assert asyncio.run(kernel()) == []
    assert [one.content for sync in peer.syncs() for one in sync.msgs] == [{**ANSWER, "response": 5}]
    assert other.syncs() == []


@pytest.mark.afm(66)
@every_kind
def test_a_coroutine_without_a_loop_is_an_error_that_says_so(manager, kind):
    manager.register("w", kind())
    error = ask(Peer(manager), "later", 1)["error"]
    assert (error["code"], "event loop" in error["message"]) == ("no_event_loop", True)


def test_python_that_never_imported_a_loop_has_none(manager, monkeypatch):
    monkeypatch.delitem(sys.modules, "asyncio")
    manager.register("w", Plain())
    assert ask(Peer(manager), "later", 1)["error"]["code"] == "no_event_loop"


class Awaitable:
    def __await__(self):
        yield


def test_an_awaitable_that_is_no_coroutine_needs_a_loop_too(manager):
    class Odd(Plain):
        @command
        def future(self, msg, buffers):
            return Awaitable()

    manager.register("w", Odd())
    assert ask(Peer(manager), "future")["error"]["code"] == "no_event_loop"


def test_a_coroutine_that_fails_later_says_what(manager, failed):
    class Late(Plain):
        @command
        async def late(self, msg, buffers):
            await asyncio.sleep(0)
            raise KeyError("late")

        @command
        async def cancelled(self, msg, buffers):
            raise asyncio.CancelledError

    manager.register("w", Late())
    peer = Peer(manager)

    async def kernel():
        for name in ("late", "cancelled"):
            peer.batch(question(peer, name))
            manager.apply_pending()
            pending = asyncio.all_tasks() - {asyncio.current_task()}
            await asyncio.gather(*pending, return_exceptions=True)

    asyncio.run(kernel())
    errors = [one.content["error"] for sync in peer.syncs() for one in sync.msgs]
    assert [one["type"] for one in errors] == ["KeyError", "CancelledError"]
    assert len(failed) == 2


@pytest.mark.afm(67)
@every_kind
@pytest.mark.parametrize("is_marked", [False, True])
def test_an_override_is_the_one_that_runs(manager, kind, is_marked):
    if kind in (KINDS["dataclass"], KINDS["pydantic"], KINDS["psygnal"], KINDS["msgspec"]):
        namespace = {"__module__": __name__}
    else:
        namespace = {}

    def add(self, msg, buffers):
        return "overridden", []

    Derived = type(kind)("Derived", (kind,), {**namespace, "add": command(add) if is_marked else add})
    manager.register("w", Derived())
    assert ask(Peer(manager), "add", 1) == {"response": "overridden"}


def test_an_override_that_is_nothing_takes_the_command_away(manager):
    class Without(Plain):
        add = None

    manager.register("w", Without())
    assert ask(Peer(manager), "add", 1)["error"]["code"] == "unknown_command"


def test_an_interrupt_in_a_command_is_answered_and_comes_through(manager, failed):
    class Interrupted(Plain):
        @command
        def stop(self, msg, buffers):
            raise KeyboardInterrupt

    manager.register("w", Interrupted())
    peer = Peer(manager)
    peer.batch(question(peer, "stop"))
    with pytest.raises(KeyboardInterrupt):
        manager.apply_pending()
    [answer] = [one.content for sync in peer.syncs() for one in sync.msgs]
    assert answer["error"]["type"] == "KeyboardInterrupt"


def test_other_handlers_hear_a_question_and_the_librarys_own_does_not(manager):
    heard = []
    widget = Any_(value=1)
    widget.on_msg(lambda widget, content, buffers: heard.append(content["name"]))
    manager.register("w", widget)
    assert ask(Peer(manager), "add", 1) == {"response": 2}
    assert heard == ["add"]

    class Own(Methods, anywidget.AnyWidget):
        _esm = ""
        value = 5

        def _handle_custom_msg(self, content, buffers):
            heard.append("own")

    manager.register("w", Own())
    assert ask(Peer(manager), "add", 1) == {"response": 6}
    assert heard == ["add"]

    class Listening(Plain):
        def _handle_custom_msg(self, content, buffers):
            heard.append(content["kind"])

    manager.register("w", Listening(value=5))
    assert ask(Peer(manager), "add", 1) == {"response": 6}
    assert heard[1:] == ["anywidget-command"]


def test_a_command_that_lets_go_of_its_widget_answers_nobody(manager):
    class Leaving(Plain):
        @command
        def leave(self, msg, buffers):
            manager.unregister("w")
            return 1, []

    manager.register("w", Leaving())
    peer = Peer(manager)
    peer.batch(question(peer, "leave"))
    manager.apply_pending()
    assert [one for sync in peer.syncs() for one in sync.msgs] == []


def test_a_widget_without_commands_handles_a_question_itself(manager):
    heard = []

    class Bare(anywidget.AnyWidget):
        _esm = ""

    bare = Bare()
    bare.on_msg(lambda widget, content, buffers: heard.append(content))
    manager.register("w", bare, policy=WritePolicy(two_way=False))
    peer = Peer(manager)
    assert peer.write(question(peer, "mine", 1)) == []
    assert [one["name"] for one in heard] == ["mine"]


def test_the_words_of_an_exception_are_cut(manager):
    class Wordy(Plain):
        @command
        def fail(self, msg, buffers):
            raise ValueError("x" * 5000)

    manager.register("w", Wordy())
    assert len(ask(Peer(manager), "fail")["error"]["message"]) == 1000


def test_the_codes_are_these():
    assert set(COMMAND_CODES) == {"unknown_command", "command_failed", "bad_return", "no_event_loop"}

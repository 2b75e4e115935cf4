"""What hosts of widgets have been seen to get wrong, each as a sentence of what happens here instead.

The client's half is `rdit_ref_server/client/tests/peers.test.js`. Both protocols where both can do it.
"""

import asyncio
import dataclasses

import anywidget
import anywidget.experimental
import psygnal
import pytest
import traitlets
from anywidget.experimental import MimeBundleDescriptor

from rdit_core import Limits, WidgetManager
from rdit_core.client_events import MessageLost, MessagesMissed
from rdit_harness import Frontend

ESM = "export default {}"
BOTH = pytest.mark.parametrize("rdit_mode", ["v1", "base"])


class Subject(anywidget.AnyWidget):
    """A widget with one property of each kind that matters below."""

    _esm = ESM
    value = traitlets.Int(0, max=100).tag(sync=True)
    other = traitlets.Int(0).tag(sync=True)
    items = traitlets.List().tag(sync=True)
    data = traitlets.Any(None).tag(sync=True)
    fixed = traitlets.Int(7, read_only=True).tag(sync=True)
    inner = traitlets.Int(3)

    def __init__(self, **state):
        super().__init__(**state)
        self.seen = []
        self.observe(lambda change: self.seen.append((self.value, self.other)), ["value", "other"])

    @anywidget.experimental.command
    def echo(self, message, buffers):
        return message, buffers

    @anywidget.experimental.command
    def fail(self, message, buffers):
        raise ValueError("no such row")

    @anywidget.experimental.command
    async def later(self, message, buffers):
        await asyncio.sleep(0)
        return ["later", message], buffers

    @anywidget.experimental.command
    def name(self, message, buffers):
        return "of the base class", []


class Heir(Subject):
    @anywidget.experimental.command
    def name(self, message, buffers):
        return "of the subclass", []


class UnmarkedHeir(Subject):
    def name(self, message, buffers):
        return "of the subclass", []


@psygnal.evented
@dataclasses.dataclass
class Described:
    """An object that is a widget by its descriptor."""

    value: int = 1
    _repr_mimebundle_ = MimeBundleDescriptor(_esm=ESM)


def edit(model, **state):
    for name, value in state.items():
        model.set(name, value)
    model.save_changes()


def codes(page):
    return [event.code for event in page.events if hasattr(event, "code")]


# A load that takes its time.


@BOTH
@pytest.mark.parametrize("seconds", [3, 60])
def test_a_load_that_takes_longer_than_two_seconds_ends_in_sync_both_ways(rdit_sim, seconds):
    widget = Subject()
    page = rdit_sim.page()
    model = page.open(widget)
    for tick in range(1, 4):  # Python goes on meanwhile.
        widget.value = tick
        rdit_sim.advance(seconds / 3)
    shown = []
    model.on("change:value", lambda: shown.append(model.get("value")))  # The module is there now.
    assert model.get("value") == 3
    widget.value = 4
    rdit_sim.settle()
    edit(model, value=5)
    rdit_sim.settle()
    widget.value = 6
    rdit_sim.settle()
    assert (shown, widget.value) == ([4, 5, 6], 6)


# Writes that are refused.


@BOTH
def test_an_invalid_write_is_taken_back_where_it_was_made_and_seen_nowhere_else(rdit_sim):
    widget = Subject(value=10)
    page, other = rdit_sim.page(), rdit_sim.page()
    model, shown_elsewhere = page.open(widget), []
    seen_by = other.open(widget)
    seen_by.on("change:value", lambda: shown_elsewhere.append(seen_by.get("value")))
    for invalid in (1000, "a lot", None):
        edit(model, value=invalid)
        rdit_sim.settle()
        assert (model.get("value"), widget.value) == (10, 10)
    assert (widget.seen, shown_elsewhere) == ([], [])
    assert codes(page) == ["invalid_value"] * 3


@BOTH
@pytest.mark.parametrize(
    ("name", "value"),
    [("fixed", 8), ("_esm", "alert(1)"), ("_css", "p {}"), ("_model_name", "X"), ("_view_module", "x"), ("inner", 4)],
)
@pytest.mark.threat(12, 13)
def test_a_page_cannot_write_what_is_read_only_or_the_hosts_own(rdit_sim, name, value):
    widget = Subject(value=1)
    page = rdit_sim.page()
    model = page.open(widget)
    before = getattr(widget, name, None)
    edit(model, **{name: value})
    rdit_sim.settle()
    assert getattr(widget, name, None) == before
    [code] = codes(page)
    assert code in ("read_only", "protected_property", "unknown_property", "not_synced")
    edit(model, value=2)
    rdit_sim.settle()
    assert widget.value == 2  # One that is refused harms no other.


@BOTH
@pytest.mark.parametrize("name", ["undeclared", "__class__", "__dict__", "_repr_mimebundle_", "events", "_esm"])
def test_an_attribute_that_an_object_with_a_descriptor_did_not_declare_is_never_written(rdit_sim, name):
    with rdit_sim.manager.capture():
        thing = Described()
        model_id = thing._repr_mimebundle_.model_id
    page = rdit_sim.page()
    model = page.open(model_id)
    before = getattr(thing, name, None)
    edit(model, **{name: "x"})
    rdit_sim.settle()
    assert getattr(thing, name, None) is before
    assert ("undeclared" in vars(thing), type(thing)) == (False, Described)
    assert len(codes(page)) == 1


# Commands.


def ask(rdit_sim, widget, **question):
    """Ask as `experimental.invoke` does, and give what came of it: the answers, and the messages that were lost."""
    page, answers = rdit_sim.page(), []
    model = page.open(widget)
    model.on("msg:custom", lambda content, buffers: answers.append((content, [bytes(one) for one in buffers])))
    model.send({"kind": "anywidget-command", "id": "7", **question}, buffers=[b"more"])
    rdit_sim.settle()
    return answers, [event for event in page.events if isinstance(event, MessageLost)]


def test_a_command_is_answered_with_its_buffers(rdit_sim):
    answers, lost = ask(rdit_sim, Subject(), name="echo", msg={"a": 1})
    assert answers == [({"id": "7", "kind": "anywidget-command-response", "response": {"a": 1}}, [b"more"])]
    assert lost == []


@pytest.mark.parametrize(
    ("question", "code"),
    [
        ({"name": "fail", "msg": 1}, "command_failed"),
        ({"name": "nowhere", "msg": 1}, "unknown_command"),
        ({"msg": 1}, "unknown_command"),
    ],
    ids=["an exception", "an unknown name", "no name"],
)
def test_a_command_that_fails_is_answered_with_what_went_wrong(rdit_sim, question, code):
    answers, lost = ask(rdit_sim, Subject(), **question)
    assert [content["error"]["code"] for content, _ in answers] == [code]
    assert lost == []


def test_a_command_that_is_asked_without_a_message_is_answered(rdit_sim):
    answers, lost = ask(rdit_sim, Subject(), name="echo")
    assert [content["response"] for content, _ in answers] == [None]
    assert lost == []


def test_an_async_command_is_awaited_and_answered(rdit_sim):
    widget = Subject()
    page, answers = rdit_sim.page(), []
    model = page.open(widget)
    model.on("msg:custom", lambda content, buffers: answers.append(content))

    async def kernel():
        model.send({"kind": "anywidget-command", "id": "7", "name": "later", "msg": 1})
        rdit_sim.settle()
        for _ in range(5):
            await asyncio.sleep(0)
        rdit_sim.settle()

    asyncio.run(kernel())
    assert [one["response"] for one in answers] == [["later", 1]]


@pytest.mark.parametrize("kind", [Heir, UnmarkedHeir])
def test_a_command_that_a_subclass_overrides_is_the_subclasss(rdit_sim, kind):
    answers, _ = ask(rdit_sim, kind(), name="name", msg=None)
    assert [content["response"] for content, _ in answers] == ["of the subclass"]


# Values.


@BOTH
def test_a_view_of_some_bytes_sends_those_and_not_the_whole_buffer(rdit_sim):
    whole = bytes(range(256)) * 4096
    widget = Subject(data=memoryview(whole)[2:6])
    page = rdit_sim.page()
    model = page.open(widget)
    assert bytes(model.get("data")) == b"\x02\x03\x04\x05"
    edit(model, data=memoryview(whole)[5:7])
    rdit_sim.settle()
    assert bytes(widget.data) == b"\x05\x06"
    assert sum(len(frame.data) for frame in page.wire) < 20_000


@BOTH
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_every_kind_of_bytes_is_binary_at_any_depth(rdit_sim, kind):
    widget = Subject(data={"deep": [kind(b"\x00\xff")], "top": kind(b"a")})
    model = rdit_sim.page().open(widget)
    assert bytes(model.get("data")["deep"][0]) == b"\x00\xff"
    edit(model, data=[{"x": kind(b"\x01")}])
    rdit_sim.settle()
    assert bytes(widget.data[0]["x"]) == b"\x01"


@BOTH
def test_a_list_that_is_edited_in_place_and_set_again_is_saved(rdit_sim):
    widget = Subject(items=[1])
    model = rdit_sim.page().open(widget)
    items = model.get("items")
    items.append(2)
    edit(model, items=items)
    rdit_sim.settle()
    assert widget.items == [1, 2]
    model.get("items").append(3)
    edit(model, items=[1, 2, 3])  # An equal copy of what was edited in place.
    rdit_sim.settle()
    assert widget.items == [1, 2, 3]


@BOTH
def test_a_value_that_is_set_is_the_value_that_get_gives_saved_or_not(rdit_sim):
    widget = Subject()
    page = rdit_sim.page()
    model = page.open(widget)
    model.set("value", 5)
    assert model.get("value") == 5
    model.save_changes()
    assert model.get("value") == 5
    rdit_sim.settle()
    assert (model.get("value"), widget.value) == (5, 5)


def test_several_keys_arrive_as_one_either_way(rdit_sim):
    widget = Subject()
    model = rdit_sim.page().open(widget)
    shown = []
    for name in ("value", "other"):
        model.on(f"change:{name}", lambda: shown.append((model.get("value"), model.get("other"))))
    edit(model, value=1, other=2)
    rdit_sim.settle()
    assert widget.seen == [(1, 2), (1, 2)]
    shown.clear()
    with widget.hold_sync():
        widget.value, widget.other = 3, 4
    rdit_sim.settle()
    assert shown == [(3, 4), (3, 4)]


# Listeners.


@BOTH
def test_a_listener_that_throws_loses_neither_the_save_nor_the_other_listeners(rdit_mode):
    frontend = Frontend(mode=rdit_mode)  # Not the fixture's, which raises what a listener raised.
    widget, heard = Subject(), []
    page = frontend.page()
    model = page.open(widget)
    model.on("change:value", lambda: 1 / 0)
    model.on("change:value", lambda: heard.append(model.get("value")))
    edit(model, value=5)
    frontend.settle()
    widget.value = 6
    frontend.settle()
    assert (heard, widget.value) == ([5, 6], 6)
    assert [type(error) for error in page.errors] == [ZeroDivisionError, ZeroDivisionError]


@BOTH
def test_off_of_one_view_leaves_the_listeners_of_the_others(rdit_sim):
    widget, heard = Subject(), []
    page = rdit_sim.page()
    first = page.render(widget, lambda view: view.on("change:value", lambda: heard.append("first")))
    page.render(widget, lambda view: view.on("change:value", lambda: heard.append("second")))
    first.off()
    widget.value = 5
    rdit_sim.settle()
    assert heard == ["second"]


# Connections.


@BOTH
def test_models_outlive_a_lost_connection(rdit_sim):
    widget = Subject(value=1)
    page = rdit_sim.page()
    model, shown = page.open(widget), []
    model.on("change:value", lambda: shown.append(model.get("value")))
    for value in (2, 3):
        page.drop()
        widget.value = value
        page.heal()
        rdit_sim.settle()
    assert page.open(widget) is model
    assert shown == [2, 3]
    assert not model.is_closed
    edit(model, other=9)
    rdit_sim.settle()
    assert widget.other == 9


@BOTH
def test_what_is_written_while_there_is_no_connection_arrives_when_there_is_one(rdit_sim):
    widget = Subject()
    page = rdit_sim.page()
    model = page.open(widget)
    rdit_sim.settle()
    page.drop()
    for value in range(1, 50):
        edit(model, value=value)
    assert (model.get("value"), widget.value) == (49, 0)
    page.heal()
    rdit_sim.settle()
    assert widget.value == 49


@BOTH
def test_no_value_is_lost_to_a_queue_that_is_full(rdit_sim):
    widget = Subject()
    page = rdit_sim.page()
    model = page.open(widget)
    rdit_sim.settle()
    crossed = len(page.wire)
    for value in range(20_000):  # Nobody reads meanwhile.
        widget.other = value
        widget.value = value % 100
    rdit_sim.settle()
    assert (model.get("other"), model.get("value")) == (19_999, 99)
    assert len(page.wire) - crossed < 20  # Values, and no backlog of them.


def test_a_message_that_a_full_queue_cannot_keep_is_told_either_way():
    limits = Limits(max_messages=10, max_queued_messages=10)
    frontend = Frontend(WidgetManager(limits=limits))
    widget, heard, handled = Subject(), [], []
    widget.on_msg(lambda _, content, buffers: handled.append(content))
    page = frontend.page()
    model = page.open(widget)
    model.on("msg:custom", lambda content, buffers: heard.append(content))
    frontend.settle()
    page.drop()
    for number in range(25):
        widget.send(number)
        model.send(number)
    page.heal()
    frontend.settle()
    assert (heard, handled) == (list(range(15, 25)), list(range(15, 25)))
    assert [event.count for event in page.events if isinstance(event, MessagesMissed)] == [15]
    assert [event.code for event in page.events if isinstance(event, MessageLost)] == ["queue_full"] * 15

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdit_core import UnserializableValue, WidgetModel
from rdit_core.model import MAX_HELD_MESSAGES, same_value


class Sent(list):
    """A channel that keeps what it is given, and refuses what it is told to."""

    refused = ()
    pending = ()

    def __init__(self):
        super().__init__()
        self.saves = 0
        self.messages = []

    def send_updates(self, widget_id, changes):
        self.saves += 1
        self.extend((widget_id, name, value) for name, value in changes.items() if name not in self.refused)
        for name in changes:
            if name in self.refused:
                raise UnserializableValue(name)

    def send_message(self, widget_id, content, buffers):
        self.messages.append((widget_id, content, buffers))

    def is_pending(self, widget_id, property):
        return property in self.pending


@pytest.fixture
def sent():
    return Sent()


@pytest.fixture
def model(sent):
    return WidgetModel("w", {"a": 1, "b": [1, 2], "t": True}, sent)


@pytest.fixture
def heard(model):
    heard = []
    for event in ("change:a", "change:b", "change:new", "change"):
        model.on(event, lambda *args, event=event: heard.append((event, *args)))
    return heard


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        (1, 1.0, True),
        (0, -0.0, True),
        (math.nan, math.nan, True),
        (1, True, False),
        (0, False, False),
        (True, True, True),
        (1, "1", False),
        (None, None, True),
        (None, 0, False),
        (None, False, False),
        ("a", "a", True),
        ("a", b"a", False),
        (b"a", bytearray(b"a"), True),
        (memoryview(b"a"), b"a", True),
        (b"a", b"b", False),
        ([1, [2]], (1, (2,)), True),
        ([1], [True], False),
        ([1], [1, 2], False),
        ([], {}, False),
        ({"a": 1}, {"a": 1.0}, True),
        ({"a": 1}, {"a": True}, False),
        ({"a": 1}, {"b": 1}, False),
        ({"a": 1}, {"a": 1, "b": 1}, False),
    ],
)
def test_values_are_the_same_when_a_page_would_say_so(left, right, same):
    assert same_value(left, right) is same
    assert same_value(right, left) is same
    assert same_value([left], [right]) is same


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), lambda inner: st.lists(inner)))
def test_a_value_is_the_same_as_itself(value):
    assert same_value(value, value)


@pytest.mark.afm(27, 28)
def test_get_gives_the_stored_object_and_none_for_what_is_not_there(model):
    assert model.get("b") is model.get("b")
    assert model.get("nothing") is None
    state = model.state
    state["a"] = 5
    assert model.get("a") == 1


@pytest.mark.afm(29, 30, 52)
def test_a_change_is_seen_at_once_announced_once_and_sent_with_the_next_save(model, sent, heard):
    model.set("a", 2)
    assert model.get("a") == 2
    assert heard == [("change:a",), ("change",)]
    assert sent == []
    model.set("a", 3)
    model.set("new", None)
    model.save_changes()
    assert sent == [("w", "a", 3), ("w", "new", None)]
    model.save_changes()
    assert len(sent) == 2


@pytest.mark.parametrize("value", [1, 1.0])
@pytest.mark.afm(31)
def test_an_equal_value_is_no_change(model, sent, heard, value):
    model.set("a", value)
    model.set("b", [1.0, 2])
    model.save_changes()
    assert (heard, sent) == ([], [])


def test_what_python_calls_equal_and_a_page_does_not_is_a_change(model, heard):
    model.set("a", True)
    assert heard == [("change:a",), ("change",)]


@pytest.mark.afm(32)
def test_a_list_that_was_edited_in_place_and_set_again_is_a_change(model, sent, heard):
    rows = model.get("b")
    rows.append(3)
    model.set("b", rows)
    model.save_changes()
    assert heard == [("change:b",), ("change",)]
    assert sent == [("w", "b", [1, 2, 3])]


@pytest.mark.afm(58)
def test_autosave_sends_before_the_listeners_run_and_what_they_set_and_send_comes_behind_it(sent):
    model = WidgetModel("w", {"a": 1, "b": 1}, sent, autosave=True)
    log = sent.messages  # All that leaves and all that is heard, in one order.
    sent.send_updates = lambda widget_id, changes: log.extend(("update", *entry) for entry in changes.items())

    def on_a():
        log.append("change:a")
        model.send("hello")
        model.set("b", 2)

    model.on("change:a", on_a)
    model.on("change:b", lambda: log.append("change:b"))
    model.on("change", lambda: log.append("change"))
    model.set("a", 2)
    assert log == [
        ("update", "a", 2),
        "change:a",
        ("w", "hello", ()),
        ("update", "b", 2),
        "change:b",
        "change",
    ]


@pytest.mark.afm(57)
def test_a_value_that_cannot_be_sent_takes_no_other_down_with_it(model, sent):
    sent.refused = ("a", "b")
    model.set("a", object())
    model.set("b", object())
    model.set("c", 1)
    with pytest.raises(UnserializableValue, match="a"):
        model.save_changes()
    assert sent == [("w", "c", 1)]
    model.save_changes()
    assert sent == [("w", "c", 1)]


def test_autosave_tells_listeners_even_of_a_value_that_cannot_be_sent(sent):
    sent.refused = ("a",)
    model = WidgetModel("w", {}, sent, autosave=True)
    heard = []
    model.on("change:a", lambda: heard.append(model.get("a")))
    with pytest.raises(UnserializableValue):
        model.set("a", 1)
    assert heard == [1]


@pytest.mark.afm(39)
def test_a_listener_may_set_and_save_again(model, sent):
    model.on("change:a", lambda: model.set("total", model.get("a") * 2))
    model.set("a", 4)
    model.save_changes()
    assert sent == [("w", "a", 4), ("w", "total", 8)]


@pytest.mark.afm(48, 49)
def test_a_listener_that_raises_stops_nobody(model, sent, heard, caplog):
    def failing():
        raise RuntimeError("mine")

    model.on("change:a", failing)
    model.on("change:a", lambda: heard.append("after"))
    model.set("a", 2)
    model.save_changes()
    assert heard == [("change:a",), "after", ("change",)]
    assert [str(error) for error in model.errors] == ["mine"]
    assert "listener of change:a on widget w failed" in caplog.text
    assert sent == [("w", "a", 2)]


@pytest.mark.afm(44, 47)
def test_a_callback_that_is_registered_twice_runs_twice_and_one_removed_in_the_round_still_runs(model):
    runs = []

    def once():
        runs.append(1)
        model.off("change:a", once)

    model.on("change:a", once)
    model.on("change:a", once)
    model.set("a", 2)
    assert runs == [1, 1]
    model.set("a", 3)
    assert runs == [1, 1]


@pytest.mark.afm(46)
def test_off_removes_what_matches_within_its_scope_and_nothing_else(model):
    mine, other = object(), object()
    calls = []

    def listener(name):
        return lambda: calls.append(name)

    first = listener("first")
    model.on("change:a", first)
    model.on("change:a", listener("mine"), scope=mine)
    model.on("change:b", listener("mine b"), scope=mine)
    model.on("change:a", listener("other"), scope=other)
    model.off("change:a", first, scope=mine)
    assert model.listener_count == 4
    model.off("change:b", scope=mine)
    assert model.listener_count == 3
    model.set("a", 2)
    assert calls == ["first", "mine", "other"]
    model.off(scope=mine)
    model.off()
    model.set("a", 3)
    assert calls[3:] == ["other"]
    model.off(callback=first)
    assert model.listener_count == 1


@pytest.mark.afm(42)
def test_compat_listeners_get_what_backbone_gives(sent):
    model = WidgetModel("w", {"a": 1}, sent, profile="compat")
    heard = []
    model.on("change:a", lambda *args: heard.append(args))
    model.on("change", lambda *args: heard.append(args))
    model.set("a", 2)
    assert heard == [(model, 2, {}), (model, {})]


@pytest.mark.afm(42)
def test_the_model_of_compat_says_what_changed_since_the_update_began_as_backbone_does(sent):
    model = WidgetModel("w", {"a": 1, "b": 1, "c": 1}, sent, profile="compat")
    seen = []

    def on_a(given, *_):
        seen.append(dict(given.changed))
        given.set("c", 3)

    model.on("change:a", on_a)
    model.on("change", lambda given, *_: seen.append(dict(given.changed)))
    model.handle_remote_updates({"a": 2, "b": 2})
    assert seen == [{"a": 2, "b": 2}, {"a": 2, "b": 2, "c": 3}]
    model.set("b", 4)
    assert model.changed == {"b": 4}
    model.set("b", 4)
    assert model.changed == {}
    assert WidgetModel("w", {"a": 1}, sent, profile="strict").changed is None


@pytest.mark.afm(36, 37)
def test_changes_from_python_are_all_stored_before_anybody_hears(model, sent):
    seen = []
    model.on("change:a", lambda: seen.append(model.get("b")))
    model.handle_remote_updates({"a": 2, "b": "x", "t": True})
    model.handle_remote_update("a", 2)
    assert seen == ["x"]
    model.save_changes()
    assert sent == []


@pytest.mark.afm(36)
def test_of_changes_from_python_those_that_are_bytes_are_told_of_last_as_in_jupyter(sent):
    model = WidgetModel("w", {"data": None, "shape": None, "more": None}, sent)
    seen = []
    for key in ("data", "shape", "more"):
        model.on(f"change:{key}", lambda key=key: seen.append(key))
    model.handle_remote_updates({"data": b"\x01\x02", "more": memoryview(b"\x03"), "shape": [2]})
    assert seen == ["shape", "data", "more"]


@pytest.mark.afm(38)
def test_a_change_from_python_replaces_an_edit_that_was_not_saved(model, sent):
    model.set("a", 5)
    model.handle_remote_update("a", 7)
    model.save_changes()
    assert model.get("a") == 7
    assert sent == []


@pytest.mark.afm(52)
def test_what_is_saved_together_goes_together(model, sent):
    model.set("a", 2)
    model.set("b", [])
    model.save_changes()
    assert (sent, sent.saves) == ([("w", "a", 2), ("w", "b", [])], 1)


@pytest.mark.parametrize("autosave", [False, True])
def test_an_equal_value_of_a_slot_under_way_is_sent_again_and_nobody_hears_of_it(sent, autosave):
    model = WidgetModel("w", {"a": 1, "b": [1]}, sent, autosave=autosave)
    heard = []
    model.on("change", lambda: heard.append(1))
    sent.pending = ("a",)
    model.set("a", 1)
    model.set("b", [1])
    assert model.is_unsaved("a") is not autosave
    model.save_changes()
    assert (sent, heard) == ([("w", "a", 1)], [])


def test_whoever_only_looks_takes_nothing_into_his_hands(model, sent):
    model.peek("b").append(3)
    model.set("b", [1, 2, 3])
    model.save_changes()
    assert (sent, model.peek("nothing")) == ([], None)


@pytest.mark.afm(41, 43, 63)
def test_a_custom_message_goes_out_with_its_buffers_and_comes_in_as_memoryviews(model, sent):
    model.send({"kind": "ping"}, None, [b"x"])
    model.send(1)
    assert sent.messages == [("w", {"kind": "ping"}, [b"x"]), ("w", 1, ())]
    heard = []
    model.on("msg:custom", lambda content, buffers: heard.append((content, buffers)))
    model.handle_message({"a": 1}, [b"yz"])
    assert heard == [({"a": 1}, [memoryview(b"yz")])]
    assert isinstance(heard[0][1][0], memoryview)


def test_messages_that_are_held_back_come_in_order_when_they_are_released_and_taps_get_them_at_once(model):
    heard, tapped = [], []

    def hear(content, buffers):
        heard.append(content)
        if content == "first":
            model.handle_message("brought about", [])

    model.on("msg:custom", hear)
    untap = model.tap_messages(lambda content, buffers: tapped.append((content, buffers)))
    model.hold_messages()
    model.handle_message("first", [b"x"])
    model.hold_messages()
    model.handle_message("second", [])
    assert heard == []
    assert tapped == [("first", [memoryview(b"x")]), ("second", [])]
    untap()
    model.release_messages()
    assert heard == ["first", "second", "brought about"]
    model.release_messages()
    model.handle_message("third", [])
    assert heard[3:] == ["third"] and len(tapped) == 2


def test_of_messages_that_are_held_back_the_oldest_go_first(model):
    heard = []
    model.on("msg:custom", lambda content, buffers: heard.append(content))
    model.hold_messages()
    for number in range(MAX_HELD_MESSAGES + 2):
        model.handle_message(number, [])
    model.release_messages()
    assert heard == list(range(2, MAX_HELD_MESSAGES + 2))


def test_a_model_that_closes_says_so_once_and_forgets_what_it_held_back(model):
    told, heard = [], []
    model.on("msg:custom", lambda content, buffers: heard.append(content))
    model.on_close(lambda: told.append(model.is_closed))
    model.hold_messages()
    model.handle_message("x", [])
    model.close()
    model.close()
    model.release_messages()
    assert (told, heard) == ([True], [])


def test_a_closed_model_sends_nothing_and_can_still_be_read(model, sent):
    model.set("a", 2)
    model.close()
    model.save_changes()
    model.set("a", 3)
    model.save_changes()
    model.send("x")
    assert (sent, sent.messages, model.get("a"), model.is_closed) == ([], [], 3, True)


def test_the_state_that_a_model_starts_with_is_copied(sent):
    state = {"a": 1}
    model = WidgetModel("w", state, sent)
    model.set("a", 2)
    assert state == {"a": 1}
    assert model.widget_manager is None


def test_a_value_edited_in_place_and_then_set_as_an_equal_copy_is_sent(model, sent, heard):
    model.get("b").append(3)
    model.set("b", [1, 2, 3])
    model.save_changes()
    assert sent == [("w", "b", [1, 2, 3])]
    sent.clear()
    model.get("b")[0] = 0
    model.set("b", [0, 2, 3])
    model.save_changes()
    assert sent == [("w", "b", [0, 2, 3])]
    assert heard.count(("change:b",)) == 2


def test_an_equal_copy_is_no_change_once_python_confirmed_what_was_edited_in_place(model, sent, heard):
    model.get("b").append(3)
    model.handle_remote_update("b", [1, 2, 3])
    model.set("b", [1, 2, 3])
    model.save_changes()
    assert sent == []
    assert heard == []


def test_an_edit_in_place_that_is_set_back_shows_the_old_value_again(model):
    model.get("b").append(3)
    model.set("b", [1, 2])
    assert model.get("b") == [1, 2]


@pytest.mark.afm(34)
def test_a_mapping_sets_several_keys_together_and_is_said_once_to_be_no_part_of_the_specification(model, sent, caplog):
    heard = []
    model.on("change:a", lambda: heard.append(model.get("b")))
    model.on("change", lambda: heard.append("change"))
    model.set({"a": 2, "b": []})
    model.set({"a": 2, "t": True})
    model.save_changes()
    assert heard == [[], "change"]
    assert sent == [("w", "a", 2), ("w", "b", [])]
    assert len(caplog.records) == 1


@pytest.mark.afm(45)
@pytest.mark.parametrize(("profile", "warnings"), [("compat", 0), ("strict", 2)])
def test_several_names_in_one_text_and_all_work_and_the_strict_profile_says_so(sent, caplog, profile, warnings):
    model = WidgetModel("w", {"a": 1, "b": 1}, sent, profile=profile)
    heard = []

    def both(*arguments):
        heard.append("both")

    model.on("change:a  change:b", both)
    model.on("all", lambda name, *arguments: heard.append((name, len(arguments))))
    model.on("all", lambda *arguments: None)
    model.set("a", 2)
    model.off("change:a change:b", both)
    model.set("b", 2)
    given = 3 if profile == "compat" else 0
    change = ("change", 2 if profile == "compat" else 0)
    assert heard == ["both", ("change:a", given), change, ("change:b", given), change]
    assert len(caplog.records) == warnings


@pytest.mark.afm(39)
def test_one_plain_change_follows_all_that_listeners_set_in_turn(model):
    heard = []
    model.on("change:a", lambda: model.set("b", "in turn"))
    model.on("change", lambda: heard.append((model.get("a"), model.get("b"))))
    model.on("change", lambda: model.set("t", False))
    model.set("a", 5)
    assert heard == [(5, "in turn"), (5, "in turn")]


def test_what_interrupts_a_listener_leaves_the_events_after_it_alone(model, heard):
    def interrupt():
        raise KeyboardInterrupt

    model.on("change:new", interrupt)
    with pytest.raises(KeyboardInterrupt):
        model.set("new", 1)
    heard.clear()
    model.set("a", 9)
    assert heard == [("change:a",), ("change",)]


def test_an_equal_value_that_is_set_is_the_one_that_get_gives(model, sent, heard):
    own = [1, 2]
    model.set("b", own)
    assert model.get("b") is own
    own.append(3)
    model.set("b", own)
    model.save_changes()
    assert (sent, heard) == ([("w", "b", [1, 2, 3])], [("change:b",), ("change",)])


def test_several_properties_set_together_are_all_stored_before_anybody_hears(model, sent):
    seen = []
    model.on("change:a", lambda: seen.append(("a", model.get("t"))))
    model.on("change:b", lambda: seen.append("b"))
    model.on("change", lambda: seen.append("change"))
    model.set({"a": 2, "b": [1, 2], "t": False})
    model.save_changes()
    assert seen == [("a", False), "change"]
    assert (sent, sent.saves) == ([("w", "a", 2), ("w", "t", False)], 1)


def test_what_listeners_set_is_in_one_plain_change_with_what_set_them_off(model):
    seen = []
    model.on("change:a", lambda: model.set("b", []))
    model.on("change:b", lambda: seen.append("b"))
    model.on("change", lambda: seen.append("change"))
    model.set("a", 2)
    assert seen == ["b", "change"]


def test_a_listener_of_plain_change_that_sets_is_worth_another_one(model):
    seen = []

    def again():
        seen.append(model.get("a"))
        model.set("a", 3)

    model.on("change", again)
    model.set("a", 2)
    assert seen == [2, 3]


def test_each_listener_of_a_round_gets_the_value_that_the_round_is_about(sent):
    model = WidgetModel("w", {"a": 1}, sent, profile="compat")
    seen = []
    model.on("change:a", lambda model, value, options: value == 2 and model.set("a", 3))
    model.on("change:a", lambda model, value, options: seen.append(value))
    model.set("a", 2)
    assert seen == [3, 2]


def test_several_names_and_all_work_as_in_a_page(sent):
    model = WidgetModel("w", {"a": 1, "b": 1}, sent, profile="compat")
    seen = []

    def note(*args):
        seen.append([arg for arg in args if arg is not model])

    model.on("change:a  change", note)
    model.on("all", note)
    model.set("a", 2)
    model.off("change change:a", note)
    model.handle_message("x", [])
    assert seen == [[2, {}], ["change:a", 2, {}], [{}], ["change", {}], ["msg:custom", "x", []]]
    model.off("all")
    model.set("b", 2)
    assert (len(seen), model.listener_count) == (5, 0)


def test_who_listens_to_all_is_settled_before_the_first_listener_of_an_event_runs(model):
    seen = []

    def removed(name):
        seen.append(("removed", name))

    def first():
        model.off("all", removed)
        model.on("all", seen.append)

    model.on("change:a", first)
    model.on("all", removed)
    model.set("a", 2)
    assert seen == [("removed", "change:a"), "change"]


def test_strict_warns_once_of_what_only_backbone_knows(model, caplog):
    for _ in range(2):
        model.on("change:a change:b", print)
        model.on("all", print)
        model.set({"t": True})
    assert [record.getMessage() for record in caplog.records] == [
        "widget w: several event names in one string are not AFM",
        'widget w: the event "all" is not AFM',
        "widget w: set({...}) is not part of the AFM contract; use set(key, value)",
    ]

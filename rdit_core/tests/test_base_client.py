import json
import logging

import pytest

from rdit_core import BaseClientConnection, Limits, LocalProtocolError, UnserializableValue
from rdit_core.base_client import EditRefused, OutputReceived


def push(value, name="p", widget_id="a"):
    return json.dumps({"type": "widget_update", "widget_id": widget_id, "property": name, "value": value})


def ack(name="p", widget_id="a"):
    return json.dumps({"type": "ack", "widget_id": widget_id, "property": name})


def error(code, **where):
    return json.dumps({"type": "error", "message": "why", "code": code, **where})


def data(widget_id="a", css=None, **model):
    return {"widget_id": widget_id, "esm": "", "css": css, "model": model or {"p": 0, "q": 0}}


def sent(client):
    return [(one["property"], one["value"]) for one in map(json.loads, client.frames_to_send())]


@pytest.fixture
def client():
    client = BaseClientConnection()
    client.opened()
    return client


@pytest.fixture
def model(client):
    return client.open(data())


def edit(model, value, name="p"):
    model.set(name, value)
    model.save_changes()


@pytest.mark.afm(59, 73)
def test_a_model_opens_once_with_its_binary_in_place_and_knows_the_others(client):
    state = data(raw={"x": [{"$b64": "YQ=="}]})
    model = client.open(state)
    assert model.get("raw") == {"x": [b"a"]}
    assert state["model"]["raw"] == {"x": [{"$b64": "YQ=="}]}
    assert model.get("_css") is None
    assert client.open(data(p=9)) is model
    assert client.get_model("a") is model
    assert model.widget_manager.get_model("a") is model
    assert client.open(data("b", css="p {}")).get("_css") == "p {}"
    with pytest.raises(KeyError):
        client.get_model("c")


def test_an_edit_goes_out_at_once_in_the_shape_of_the_first_design(client, model):
    edit(model, [0, 2, 5])
    assert client.frames_to_send() == ['{"type":"widget_update","widget_id":"a","property":"p","value":[0,2,5]}']
    assert client.frames_to_send() == []


def test_what_waits_is_one_value_per_slot_and_the_last_edited_goes_last(client, model):
    client.receive_eof()
    for value in range(1000):
        edit(model, value)
        edit(model, -value, "q")
    edit(model, "end")
    assert client.frames_to_send() == []
    client.opened()
    assert sent(client) == [("q", -999), ("p", "end")]


def test_a_custom_message_is_not_lost_silently(model, caplog):
    with caplog.at_level(logging.WARNING):
        model.send({"kind": "ping"}, None, [b"x"])
    assert "base mode carries none" in caplog.text


def test_of_edits_that_are_saved_together_one_that_cannot_be_sent_takes_no_other_along(client, model):
    model.set("p", object())
    model.set("q", 5)
    with pytest.raises(UnserializableValue):
        model.save_changes()
    assert sent(client) == [("q", 5)]


def test_an_edit_is_a_snapshot_and_what_cannot_be_sent_is_refused_at_once(client, model):
    rows = [1]
    edit(model, rows)
    rows.append(2)
    assert sent(client) == [("p", [1])]
    with pytest.raises(UnserializableValue):
        edit(model, object())
    assert client.frames_to_send() == []


def test_a_push_is_hidden_while_an_edit_of_the_slot_is_queued_or_unanswered(client, model):
    edit(model, 1)
    client.receive_frame(push(7))
    assert model.get("p") == 1
    client.frames_to_send()
    edit(model, 2)
    client.frames_to_send()
    client.receive_frame(push(8))
    client.receive_frame(ack())
    client.receive_frame(push(9))
    assert model.get("p") == 2
    assert client.is_pending("a", "p")
    client.receive_frame(ack())
    assert client.is_idle
    client.receive_frame(push(10))
    assert model.get("p") == 10
    client.receive_frame(push(5, "q"))
    assert model.get("q") == 5


def test_a_push_of_another_slot_is_shown_meanwhile(client, model):
    edit(model, 1)
    client.receive_frame(push(7, "q"))
    assert model.get("q") == 7


def test_unanswered_edits_are_sent_again_after_a_cut_unless_a_newer_one_is_there(client, model):
    edit(model, 1)
    edit(model, 1, "q")
    client.frames_to_send()
    edit(model, 2)
    client.receive_eof()
    client.receive_eof()
    client.opened()
    assert sent(client) == [("q", 1), ("p", 2)]


def test_of_several_unanswered_edits_of_a_slot_the_last_is_sent_again(client, model):
    for value in (1, 2, 3):
        edit(model, value)
        client.frames_to_send()
    client.receive_eof()
    client.opened()
    assert sent(client) == [("p", 3)]


def test_a_refusal_settles_the_edit_and_is_an_event(client, model):
    edit(model, 1)
    client.frames_to_send()
    client.receive_frame(error("read_only", widget_id="a", property="p"))
    assert client.is_idle
    assert client.events_received() == [EditRefused("read_only", "why", "a", "p")]
    assert client.events_received() == []


def test_a_frame_that_the_server_could_not_read_settles_the_oldest_edit_so_that_the_model_lives_on(client, model):
    edit(model, "long")
    edit(model, 1, "q")
    client.frames_to_send()
    client.receive_frame(error("too_large"))
    assert client.events_received() == [EditRefused("too_large", "why", "a", "p")]
    assert not client.is_pending("a", "p")
    assert client.is_pending("a", "q")
    client.receive_frame(push("present"))
    assert model.get("p") == "present"


@pytest.mark.parametrize("where", [{}, {"widget_id": "a"}, {"widget_id": "z", "property": "p"}])
def test_an_error_that_answers_no_edit_is_still_an_event(client, model, where):
    client.receive_frame(error("internal", **where))
    client.receive_frame(ack("never sent"))
    assert client.events_received() == [EditRefused("internal", "why", where.get("widget_id"), where.get("property"))]


def test_replies_that_come_out_of_order_settle_their_own_edit(client, model):
    edit(model, 1)
    edit(model, 1, "q")
    client.frames_to_send()
    client.receive_frame(ack("q"))
    assert client.is_pending("a", "p")
    assert not client.is_pending("a", "q")


def test_output_is_an_event(client):
    client.receive_frame('{"type":"output","n":4,"event":{"stream":"x"}}')
    assert client.events_received() == [OutputReceived(4, {"stream": "x"})]


@pytest.mark.parametrize("frame", ["", "x", b"\xff", '{"type":"welcome"}', '{"type":"ack"}', push(1)[:-1]])
def test_a_frame_that_is_no_message_of_this_protocol_is_ignored(client, model, frame):
    client.receive_frame(frame)
    assert client.events_received() == []
    assert model.state == {"p": 0, "q": 0}


def test_pushes_that_come_before_their_widget_are_kept_one_per_slot(client):
    client.receive_frame(push(1))
    client.receive_frame(push(2))
    client.receive_frame(push("x", widget_id="b"))
    assert client.open(data()).get("p") == 2
    assert client.open(data("b")).get("p") == "x"
    client.close_model("a")
    assert client.open(data()).get("p") == 0


def test_pushes_for_widgets_that_never_come_are_bounded(client, monkeypatch):
    monkeypatch.setattr("rdit_core.base_client._EARLY_SLOTS", 2)
    for name in "pqp":
        client.receive_frame(push(name, name))
    client.receive_frame(push("r", "r"))
    model = client.open(data())
    assert (model.get("p"), model.get("q"), model.get("r")) == ("p", 0, "r")


def test_early_pushes_of_a_connection_that_is_gone_are_forgotten(client):
    client.receive_frame(push(1))
    client.receive_eof()
    assert client.open(data(p=2)).get("p") == 2


def test_a_closed_model_takes_its_unsent_edits_along(client, model):
    other = client.open(data("b"))
    edit(model, 1)
    edit(other, 2)
    client.close_model("a")
    client.close_model("never opened")
    assert [json.loads(frame)["widget_id"] for frame in client.frames_to_send()] == ["b"]
    assert "a" not in client.models


def test_a_transport_opens_once(client):
    with pytest.raises(LocalProtocolError):
        client.opened()
    client.receive_eof()
    assert not client.is_connected
    client.opened()
    assert client.is_connected


def test_limits_and_profile_are_those_that_were_given():
    client = BaseClientConnection(limits=Limits(max_frame_bytes=100, max_depth=3), profile="compat")
    model = client.open(data())
    heard = []
    model.on("change:p", lambda *args: heard.append(len(args)))
    client.receive_frame(push("x" * 100))
    client.receive_frame(push([[[]]]))
    client.receive_frame(push(1))
    assert (model.get("p"), heard) == (1, [3])
    with pytest.raises(UnserializableValue):
        edit(model, [[[[]]]])

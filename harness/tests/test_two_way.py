"""The first design of two-way sync, section by section: what it promised holds as it was promised."""

import json
import uuid

import anywidget
import pytest
import traitlets

from rdit_core import TRUSTED, RditError, WidgetManager
from rdit_harness import expect

MODULE = "export default { render({ model, el }) { el.textContent = model.get('value'); } };"


@pytest.fixture(params=["v1", "base"])
def rdit_mode(request):
    return request.param


class Counter(anywidget.AnyWidget):
    """Prints what reaches Python."""

    _esm = MODULE
    value = traitlets.Int(0).tag(sync=True)

    @traitlets.observe("value")
    def _tell(self, change):
        print(f"Python saw value change: {change['old']} → {change['new']}")


class Table(anywidget.AnyWidget):
    """Rows that a user selects."""

    _esm = MODULE
    selected_rows = traitlets.List(traitlets.Int()).tag(sync=True)

    def __init__(self, **traits):
        super().__init__(**traits)
        self.seen = []

    @traitlets.observe("selected_rows")
    def _selected(self, change):
        self.seen.append(change["new"])


def display(manager, widget):
    """What an executor of the first design does with a widget: a fresh id each time, and its data with it."""
    widget_id = str(uuid.uuid4())
    manager.register(widget_id, widget)
    return manager.serialize(widget_id)


class Socket:
    """A client of the first design: three messages as text, no handshake, nothing else."""

    def __init__(self, manager):
        self.manager = manager
        self.connection = manager.connect(TRUSTED)

    def send_json(self, **message):
        self.connection.receive_frame(json.dumps(message), 0.0)
        self.manager.apply_pending()
        return self.connection.frames_to_send()


@pytest.fixture
def manager():
    manager = WidgetManager()
    yield manager
    manager.clear()


# The manager.


def test_a_manager_starts_empty_and_keeps_what_is_registered(manager):
    assert dict(manager.widgets) == {}
    counter = Counter()
    assert manager.register("an-id", counter) is None
    assert dict(manager.widgets) == {"an-id": counter}


def test_an_update_sets_the_trait_and_observers_run(manager, capsys):
    counter = Counter()
    manager.register("an-id", counter)
    assert manager.update("an-id", "value", 1) is None
    assert counter.value == 1
    assert capsys.readouterr().out == "Python saw value change: 0 → 1\n"


def test_the_arguments_have_the_names_of_the_first_design(manager):
    table = Table()
    manager.register(widget_id="t", widget=table)
    manager.update(widget_id="t", property="selected_rows", value=[1])
    assert table.selected_rows == [1]
    manager.unregister(widget_id="t")


def test_an_update_of_an_unknown_widget_is_a_value_error_with_the_words_of_the_first_design(manager):
    with pytest.raises(ValueError, match=r"^Widget an-id not found$") as caught:
        manager.update("an-id", "value", 1)
    assert isinstance(caught.value, RditError)


def test_a_widget_can_be_let_go_and_letting_go_twice_is_no_error(manager):
    manager.register("an-id", Counter())
    assert manager.unregister("an-id") is None
    assert manager.unregister("an-id") is None
    with pytest.raises(ValueError, match="not found"):
        manager.update("an-id", "value", 1)


def test_a_reset_lets_all_widgets_go(manager):
    for number in range(3):
        manager.register(f"id-{number}", Counter())
    assert manager.clear() is None
    assert len(manager.widgets) == 0
    with pytest.raises(ValueError, match="Widget id-0 not found"):
        manager.update("id-0", "value", 1)


# The messages.


def test_an_update_is_acknowledged_in_exactly_the_shape_of_the_first_design(manager):
    table = Table()
    manager.register("uuid-here", table)
    answer = Socket(manager).send_json(
        type="widget_update", widget_id="uuid-here", property="selected_rows", value=[0, 2, 5]
    )
    assert answer == ['{"type":"ack","widget_id":"uuid-here","property":"selected_rows"}']
    assert table.selected_rows == [0, 2, 5]


def test_an_error_has_the_type_and_the_message_of_the_first_design_and_a_code_besides(manager):
    [answer] = Socket(manager).send_json(type="widget_update", widget_id="uuid-here", property="p", value=1)
    message = json.loads(answer)
    assert {key: message[key] for key in ("type", "message")} == {
        "type": "error",
        "message": "Widget uuid-here not found",
    }
    assert set(message) - {"type", "message"} == {"code", "widget_id", "property"}


def test_what_python_sets_travels_in_the_shape_of_an_update(manager):
    table = Table()
    manager.register("uuid-here", table)
    socket = Socket(manager)
    table.selected_rows = [0, 2, 5]
    assert socket.connection.frames_to_send() == [
        '{"type":"widget_update","widget_id":"uuid-here","property":"selected_rows","value":[0,2,5]}'
    ]


def test_a_client_that_knows_three_messages_sees_three_and_goes_on_after_an_error(manager):
    counter = Counter()
    manager.register("c", counter)
    manager.serialize("c")
    socket = Socket(manager)
    types = []
    for value in (1, "wrong", 2):
        answers = socket.send_json(type="widget_update", widget_id="c", property="value", value=value)
        types += [json.loads(answer)["type"] for answer in answers]
    assert types == ["ack", "error", "ack"]
    assert counter.value == 2


# Displaying.


def test_a_displayed_widget_is_its_id_module_style_and_state(manager):
    data = display(manager, Counter(value=3))
    assert set(data) == {"widget_id", "esm", "css", "model"}
    assert data["esm"] == MODULE
    assert data["css"] is None
    assert data["model"]["value"] == 3
    assert json.loads(json.dumps(data)) == data


def test_a_widget_that_is_displayed_twice_has_two_ids_and_is_one_widget(rdit_sim):
    counter = Counter()
    first, second = display(rdit_sim.manager, counter), display(rdit_sim.manager, counter)
    assert first["widget_id"] != second["widget_id"]
    page = rdit_sim.page()
    above, below = page.open(first["widget_id"]), page.open(second["widget_id"])
    above.set("value", 4)
    above.save_changes()
    rdit_sim.settle()
    assert below.get("value") == counter.value == 4
    counter.value = 5
    rdit_sim.settle()
    assert above.get("value") == below.get("value") == 5


# The front end's model.


def test_set_is_seen_at_once_by_get_and_by_listeners_and_off_ends_that(mount):
    view = mount(Counter)
    heard = []

    def listener():
        heard.append(view.model.get("value"))

    view.model.on("change:value", listener)
    view.model.set("value", 1)
    assert heard == [1]
    view.model.off("change:value", listener)
    view.model.set("value", 2)
    assert heard == [1]


def test_a_remote_update_changes_the_state_and_tells_listeners_only_of_a_difference(mount):
    view = mount(Counter)
    heard = []
    view.model.on("change:value", lambda: heard.append(view.model.get("value")))
    view.model.handle_remote_update("value", 0)
    view.model.handle_remote_update("value", 7)
    assert heard == [7]
    view.page.frontend.manager.update(view.model.widget_id, "value", 7)


# The examples.


def test_a_click_on_the_counter_is_seen_by_python(mount, capsys):
    def render(view):
        view.click = lambda: (view.model.set("value", view.model.get("value") + 1), view.model.save_changes())

    view = mount(Counter, render=render)
    capsys.readouterr()
    view.view.click()
    view.settle()
    assert capsys.readouterr().out == "Python saw value change: 0 → 1\n"
    view.view.click()
    expect(view).to_have(value=2)
    assert capsys.readouterr().out == "Python saw value change: 1 → 2\n"


def test_python_reacts_to_rows_that_a_user_selects(mount):
    view = mount(Table)
    view.set(selected_rows=[0, 2, 5])
    view.set(selected_rows=[])
    assert view.widget.seen == [[0, 2, 5], []]
    assert view.widget.selected_rows == []


# What it left for later: reconnection, edits made offline, validation.


def test_edits_made_while_the_link_is_down_reach_python_when_it_is_up_again(mount, capsys):
    view = mount(Counter)
    capsys.readouterr()
    view.net.drop()
    for value in (1, 2, 3):
        view.set(value=value)
    assert capsys.readouterr().out == ""
    view.net.heal()
    expect(view).to_have(value=3)
    assert capsys.readouterr().out == "Python saw value change: 0 → 3\n"


@pytest.mark.parametrize("rdit_mode", ["base"])
def test_a_reset_while_a_page_watches_leaves_the_page_and_refuses_its_edits(mount):
    view = mount(Counter)
    view.page.frontend.manager.clear()
    view.set(value=9)
    assert view.widget.value == 0
    assert view.page.events[-1].message == f"Widget {view.model.widget_id} not found"

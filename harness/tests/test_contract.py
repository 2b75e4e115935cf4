"""Lines of the host's contract that take Python and a page to show, and the list of the lines itself."""

import re

import anywidget
import pytest
import traitlets
from ipywidgets import widget_serialization

from rdit_harness import Frontend
from rdit_harness.contract import LINES


class Box(anywidget.AnyWidget):
    _esm = "export default {}"
    _css = "p {}"
    anything = traitlets.Any("start", allow_none=True).tag(sync=True)
    number = traitlets.Int(0).tag(sync=True)
    other = traitlets.Int(0).tag(sync=True)
    raw = traitlets.Bytes(b"").tag(sync=True)
    child = traitlets.Instance(anywidget.AnyWidget, allow_none=True).tag(sync=True, **widget_serialization)


@pytest.fixture
def frontend():
    return Frontend()


@pytest.fixture
def box(frontend):
    with frontend.manager.capture():
        return Box()


@pytest.fixture
def model(frontend, box):
    return frontend.page().open(box)


def sent_by(frontend):
    """Updates and messages that reached the first page, in order: the changed names, or the message."""
    told = []
    for frame in frontend.pages[0].wire:
        if frame.direction == "to_page" and frame.message["type"] == "sync":
            changed = [change[2] for change in frame.message.get("changes", [])]
            told += [changed] * bool(changed) + [one["content"] for one in frame.message.get("msgs", [])]
    return told


def test_the_lines_are_numbered_and_named_once_each_in_order():
    assert [line.number for line in LINES] == [*range(1, 78), "J1", "J2", "J3", "J4", "J5", "J6"]
    paths = [line.path for line in LINES]
    assert len(set(paths)) == len(paths)
    for path in paths:
        assert re.fullmatch(r"afm/[a-z]+/[a-z0-9]+(-[a-z0-9]+)*", path), path


@pytest.mark.afm(35)
def test_none_crosses_both_ways(frontend, box, model):
    box.anything = None
    frontend.settle()
    assert model.get("anything") is None
    model.set("anything", 1)
    model.save_changes()
    model.set("anything", None)
    model.save_changes()
    frontend.settle()
    assert box.anything is None


@pytest.mark.afm(40)
def test_style_and_the_names_of_the_model_can_be_read(model):
    assert (model.get("_css"), model.get("_model_name")) == ("p {}", "AnyModel")


@pytest.mark.afm(9)
def test_a_file_of_code_that_changes_reaches_a_page_that_shows_it(frontend, tmp_path):
    path = tmp_path / "widget.js"
    path.write_text("export default {}", encoding="utf-8")

    class FromFile(anywidget.AnyWidget):
        _esm = path
        value = traitlets.Int(3).tag(sync=True)

    with frontend.manager.capture():
        widget = FromFile()
    page = frontend.page()
    model = page.open(widget)
    # As anywidget's own watcher says it.
    FromFile._esm.changed.emit("export default 2")
    frontend.settle()
    [changed] = [one.message["changes"] for one in page.wire if "export default 2" in one.text]
    assert [(change[2], change[3]) for change in changed] == [("_esm", "export default 2")]
    assert (page.open(widget), model.get("value")) == (model, 3)


@pytest.mark.afm(55)
@pytest.mark.parametrize("callbacks", [None, {}, {"iopub": {}}, 7])
def test_send_takes_anything_for_callbacks(frontend, box, model, callbacks):
    heard = []
    box.on_msg(lambda widget, content, buffers: heard.append((content, [bytes(one) for one in buffers])))
    model.send({"a": 1}, callbacks)
    model.send({"a": 2}, callbacks, [b"x"])
    frontend.settle()
    assert heard == [({"a": 1}, []), ({"a": 2}, [b"x"])]


@pytest.mark.afm(60, 61, 62)
@pytest.mark.parametrize(
    ("value", "taken"), [(b"ab", b"ab"), (bytearray(b"ab"), b"ab"), (memoryview(b"xaby")[1:3], b"ab"), (b"", b"")]
)
def test_a_trait_of_bytes_can_be_written_with_exactly_its_own_bytes(frontend, box, model, value, taken):
    box.raw = b"before"
    frontend.settle()
    model.set("raw", value)
    model.set("anything", {"deep": [value, bytes(3)[3:]]})
    model.save_changes()
    frontend.settle()
    assert (type(box.raw), box.raw) == (bytes, taken)
    assert [bytes(one) for one in box.anything["deep"]] == [taken, b""]


@pytest.mark.afm(62, 63)
def test_empty_buffers_of_a_message_arrive_beside_the_state(frontend, box, model):
    heard = []
    model.on("msg:custom", lambda content, buffers: heard.append((content, [bytes(one) for one in buffers])))
    box.raw = b""
    box.send({"a": 1}, buffers=[b"", b"x"])
    frontend.settle()
    assert heard == [({"a": 1}, [b"", b"x"])]


@pytest.mark.afm(69, 74)
def test_a_child_that_is_replaced_is_a_change_with_the_new_reference(frontend, box, model):
    with frontend.manager.capture():
        first, second = Box(), Box()
    heard = []
    model.on("change:child", lambda: heard.append(model.get("child")))
    box.child = first
    frontend.settle()
    box.child = second
    frontend.settle()
    # ipywidgets' own serializer writes the older form of a reference.
    assert heard == [f"IPY_MODEL_{first.model_id}", f"IPY_MODEL_{second.model_id}"]


@pytest.mark.afm(73)
def test_another_model_is_found_by_its_id(frontend, model):
    with frontend.manager.capture():
        other = Box(number=5)
    frontend.pages[0].open(other)
    assert model.widget_manager.get_model(frontend.manager.add(other)).get("number") == 5


@pytest.mark.afm("J2")
@pytest.mark.parametrize("fails", [False, True])
def test_a_hold_is_one_update_at_its_outermost_end_also_when_it_fails_and_messages_are_not_held(
    frontend, box, model, fails
):
    try:
        with box.hold_sync():
            with box.hold_sync():
                box.number = 1
            box.send("now")
            frontend.settle()
            box.other = 2
            box.number = 3
            assert sent_by(frontend) == ["now"]
            if fails:
                raise RuntimeError
    except RuntimeError:
        assert fails
    frontend.settle()
    assert [sorted(one) if isinstance(one, list) else one for one in sent_by(frontend)] == ["now", ["number", "other"]]
    assert (model.get("number"), model.get("other")) == (3, 2)


@pytest.mark.afm("J3")
def test_an_equal_assignment_says_nothing_and_what_an_observer_sets_comes_with_or_after(frontend, box, model):
    box.number = 0
    box.anything = "start"
    frontend.settle()
    assert sent_by(frontend) == []
    box.observe(lambda change: setattr(box, "other", change["new"] * 2), "number")
    seen = []
    model.on("change", lambda: seen.append((model.get("number"), model.get("other"))))
    model.set("number", 4)
    model.save_changes()
    frontend.settle()
    assert seen[-1] == (4, 8)


@pytest.mark.afm("J4")
def test_send_state_says_what_stands_and_messages_of_a_page_are_heard(frontend, box, model):
    heard = []
    box.on_msg(lambda widget, content, buffers: heard.append(content))
    box.add_traits(later=traitlets.Int(7).tag(sync=True))
    box.send_state()
    model.send("hello")
    frontend.settle()
    assert (model.get("later"), heard) == (7, ["hello"])
    box.close()
    frontend.settle()
    assert model.is_closed
    box.number = 9
    assert box.number == 9

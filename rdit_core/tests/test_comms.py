import gc
import threading
import weakref
from contextlib import nullcontext, suppress

import anywidget
import comm
import ipywidgets
import psygnal
import pytest
import traitlets
from ipywidgets.widgets.widget import _instances

from rdit_core import TRUSTED, Limits, UnknownWidget, UnserializableValue, WidgetManager
from rdit_core.tests.kinds import ESM, KINDS, TELLS_OF_CHANGES, Any_, Data, DescribedTraits, Evented, Plain, every_kind
from rdit_core.tests.pair import Peer, changes, hosted

TRAITS = [Any_, Plain, DescribedTraits]


# The widget protocol.


@pytest.mark.afm("J2")
@pytest.mark.parametrize("ends", ["well", "in an error"])
def test_a_hold_is_one_update_at_its_outermost_exit(manager, ends):
    peer = hosted(manager, widget := Any_())
    frames = []
    try:
        with widget.hold_sync():
            widget.value = 1
            with widget.hold_sync():
                widget.value = 2
                widget.label = "a"
                widget.send("not held")
            assert [one.content for sync in peer.syncs() for one in sync.msgs] == ["not held"]
            widget.value = 3
            if ends == "in an error":
                raise KeyError
    except KeyError:
        pass
    frames = peer.syncs()
    assert [sorted((name, value) for _, _, name, value, _ in sync.changes) for sync in frames] == [
        [("label", "a"), ("value", 3)]
    ]


@pytest.mark.afm("J2")
@pytest.mark.parametrize("kind", [Plain, DescribedTraits])
def test_held_notifications_are_told_at_the_end_of_the_block(manager, kind):
    peer = hosted(manager, thing := kind())
    with suppress(KeyError), thing.hold_trait_notifications():
        thing.value = 1
        thing.label = "a"
        thing.value = 2
        assert changes(peer.syncs()) == []
        raise KeyError
    assert changes(peer.syncs()) == [("value", 2), ("label", "a")]


@pytest.mark.afm("J3")
@pytest.mark.parametrize("name", sorted(TELLS_OF_CHANGES))
def test_an_equal_assignment_sends_nothing(manager, name):
    peer = hosted(manager, thing := KINDS[name](value=3))
    thing.value = 3
    manager.touch(thing, "value")
    assert peer.syncs() == []


@pytest.mark.afm("J4")
@pytest.mark.parametrize("kind", TRAITS)
def test_a_trait_that_is_added_later_is_synced_both_ways(manager, kind):
    peer = hosted(manager, thing := kind())
    thing.add_traits(late=traitlets.List().tag(sync=True, to_json=lambda value, obj: [*value, "json"]))
    thing.late = [1]
    assert changes(peer.syncs())[-1] == ("late", [1, "json"])
    assert peer.write(peer.op("late", [2])) == []
    assert thing.late == [2]
    thing.late = [Any_()]
    assert changes(peer.syncs())[-1] == ("late", [f"anywidget:{manager.id_of(thing.late[0])}", "json"])


@pytest.mark.afm("J4")
def test_send_state_says_again_what_stands(manager):
    peer = hosted(manager, widget := Any_(inside=[1]))
    widget.inside.append(2)
    widget.send_state("inside")
    assert changes(peer.syncs()) == [("inside", [1, 2])]
    widget.inside.append(3)
    widget.send_state()
    assert changes(peer.syncs()) == [("inside", [1, 2, 3])]


@pytest.mark.afm("J4")
def test_a_handler_of_messages_that_is_removed_hears_no_more(manager):
    heard = []

    def handler(widget, content, buffers):
        heard.append((content, [bytes(one) for one in buffers]))

    peer = hosted(manager, widget := Any_())
    widget.on_msg(handler)
    assert peer.write(peer.message("one")) == []
    widget.on_msg(handler, remove=True)
    assert peer.write(peer.message("two")) == []
    assert heard == [("one", [])]


@every_kind
def test_custom_messages_go_both_ways(manager, kind):
    heard = []

    class Listening(kind):
        def _handle_custom_msg(self, content, buffers):
            heard.append(content)

    peer = hosted(manager, thing := Listening())
    assert peer.write(peer.message({"a": 1})) == []
    assert heard == [{"a": 1}]
    manager.send(thing, {"raw": b"x"}, [b"y", memoryview(b"z")])
    manager.send("w", "second")
    messages = [one for sync in peer.syncs() for one in sync.msgs]
    assert [one.content for one in messages] == [{"raw": b"x"}, "second"]
    assert [bytes(one) for one in messages[0].buffers] == [b"y", b"z"]
    with pytest.raises(UnserializableValue):
        manager.send(thing, object())
    with pytest.raises(UnknownWidget):
        manager.send(kind(), "hi")


@every_kind
def test_an_object_that_takes_no_messages_says_so_where_nothing_could(manager, kind):
    peer = hosted(manager, kind())
    assert peer.write(peer.message("hi")) == ([] if kind is Any_ else [(0, "handler_failed")])


@pytest.mark.afm("J4")
@every_kind
def test_an_object_that_was_closed_stays_usable_and_can_be_hosted_again(manager, kind):
    peer = hosted(manager, thing := kind(value=1))
    if kind is Any_:
        thing.close()
    else:
        manager.unregister("w")
    [sync] = peer.syncs()
    assert [one[0] for one in sync.close] == ["w"]
    thing.value = 2
    assert peer.syncs() == []
    manager.register("again", thing)
    peer.syncs()
    thing.value = 3
    manager.touch(thing, "value")
    assert changes(peer.syncs()) == [("value", 3)]
    assert peer.write(peer.op("value", 4, "again")) == []
    assert thing.value == 4


@pytest.mark.afm("J1")
def test_what_styles_a_view_is_state(manager):
    peer = hosted(manager, widget := Any_(layout={"width": "1px"}, tooltip="tip"))
    widget.add_class("a")
    widget.layout.height = "2px"
    widget.tooltip = "other"
    assert dict(changes(peer.syncs())) == {
        "_dom_classes": ["a"],
        "layout": {"width": "1px", "height": "2px"},
        "tooltip": "other",
    }
    widget.layout = ipywidgets.Layout(width="3px")
    widget.remove_class("a")
    assert dict(changes(peer.syncs())) == {"_dom_classes": [], "layout": {"width": "3px"}}


def test_a_widget_that_takes_its_comm_up_again_is_the_one_that_it_was(manager):
    peer = hosted(manager, widget := Any_())
    widget.comm.on_msg(None)
    widget.comm.on_msg(widget._handle_msg)
    assert (len(manager), peer.syncs()) == (1, [])
    closed = widget.comm
    widget.close()
    with manager.capture():
        closed.on_msg(widget._handle_msg)
    assert len(manager) == 0


def test_an_object_of_another_library_is_shown_and_read_only(manager):
    class Foreign:
        def __init__(self):
            self.comm = comm.create_comm(target_name="jupyter.widget", data={"state": {"_esm": ESM, "value": 1}})
            self.comm.on_msg(self.handle)

        def handle(self, message):
            raise AssertionError("nothing is written")

    with manager.capture():
        foreign = Foreign()
    peer = Peer(manager)
    assert (manager["w1"], manager.serialize("w1")["model"]) == (foreign, {"value": 1})
    peer.syncs()
    assert peer.write(peer.op("value", 2, "w1")) == [(0, "read_only")]
    foreign.comm.send({"method": "update", "state": {"value": 3}})
    assert changes(peer.syncs()) == [("value", 3)]


# Ownership.


def listeners(thing):
    """How many listen to an object, of whatever kind."""
    count = 0
    if isinstance(thing, traitlets.HasTraits):
        count += sum(len(one) for by_type in thing._trait_notifiers.values() for one in by_type.values())
        count += len(getattr(getattr(thing, "_msg_callbacks", None), "callbacks", ()))
    events = getattr(thing, "events", None)
    return count + (len(events) and len(events._psygnal_relay._slots) if isinstance(events, psygnal.SignalGroup) else 0)


def sizes(manager):
    store, comms = manager.store, manager._comms
    stored = (store.widgets, store.all_hosted, store.insts, store.connections)
    known = (comms._by_comm, comms._by_object, comms._children, comms._links, comms._layouts)
    return [len(one) for one in (*stored, *known)]


@pytest.mark.afm("J5")
@every_kind
@pytest.mark.parametrize("let_go", ["unregister", "clear"])
@pytest.mark.parametrize("come", ["register", "capture", "child"])
def test_what_is_let_go_of_leaves_nothing_alive(manager, kind, let_go, come):
    child = kind()
    with manager.capture() if come == "capture" else nullcontext():
        # Whoever displays a model has anywidget serialize it first, which knows children of its own library only.
        thing = kind(inside=[child, {"too": kind() if come == "capture" else Plain()}])
        if come == "capture":
            getattr(thing, "_repr_mimebundle_", None)
    if come == "child":
        manager.register("w", Plain(inside=thing))
    else:
        manager.register("w", thing)
    peer = Peer(manager)
    peer.write(peer.op("label", "x"))
    thing.value = 3
    alive = [weakref.ref(one) for one in (thing, child, manager.store.hosted("w"), manager.store.hosted("w").comm)]
    for widget_id in list(manager):
        manager.unregister(widget_id) if let_go == "unregister" else manager.clear()
    peer.connection.receive_eof(0.0)
    assert sizes(manager) == [0] * 9
    assert _instances == {}
    del thing, child
    gc.collect()
    assert [one() for one in alive] == [None] * 4


@pytest.mark.afm("J5")
def test_widgets_that_are_tied_together_are_let_go_of(manager):
    first, second, plain = Any_(), Any_(), Plain()
    traitlets.link((first, "value"), (second, "value"))
    traitlets.dlink((first, "value"), (plain, "value"))
    first.observe(second.add_class, "label")
    first.on_msg(second.send_state)
    with manager.capture():
        ipywidgets.jslink((first, "value"), (second, "value"))
    for one in (first, second, plain):
        manager.add(one)
    first.value = 4
    assert (second.value, plain.value) == (4, 4)
    alive = [weakref.ref(one) for one in (first, second, plain)]
    manager.clear()
    del first, second, plain, one
    gc.collect()
    assert ([one() for one in alive], _instances, sizes(manager)) == ([None] * 3, {}, [0] * 9)


@pytest.mark.afm("J5", 9)
def test_a_widget_whose_code_is_a_file_is_let_go_of_and_follows_it_when_it_comes_back(manager, tmp_path):
    code, style = tmp_path / "widget.js", tmp_path / "widget.css"
    code.write_text("one", encoding="utf-8")
    style.write_text("p {}", encoding="utf-8")

    class FromFile(anywidget.AnyWidget):
        _esm = code
        _css = style

    manager.register("w", widget := FromFile())
    other = FromFile()
    manager.unregister("w")
    assert (len(FromFile._esm.changed), len(FromFile._css.changed)) == (1, 1)
    other.close()
    manager.unregister(manager.add(other))
    assert (len(FromFile._esm.changed), len(FromFile._css.changed)) == (0, 0)
    code.write_text("two", encoding="utf-8")
    FromFile._esm._contents = None
    FromFile._esm.changed.emit("two")
    manager.register("w", widget)
    FromFile._css.changed.emit("q {}")
    assert (manager.serialize("w")["esm"], manager.serialize("w")["css"]) == ("two", "q {}")
    kept = weakref.ref(widget)
    manager.unregister("w")
    del widget
    gc.collect()
    assert (kept(), len(FromFile._esm.changed), len(FromFile._css.changed)) == (None, 0, 0)


@pytest.mark.afm("J5")
@every_kind
@pytest.mark.outer
def test_a_thousand_comings_and_goings_of_one_object_leave_no_trace(kind):
    manager = WidgetManager(limits=Limits(max_tombstones=10))
    thing = kind()
    manager.register("w", thing)
    manager.unregister("w")
    before = listeners(thing)
    for turn in range(1000):
        manager.register("w", thing)
        if turn % 100 == 0:
            peer = Peer(manager)
            assert peer.write(peer.op("value", turn % 7)) == []
            peer.connection.receive_eof(0.0)
            manager.connect(TRUSTED).receive_eof()
        manager.unregister("w")
    manager.handle_timeout(1e9)
    assert (listeners(thing), sizes(manager), len(manager.sessions)) == (before, [0] * 9, 0)
    assert (len(manager.store._graves._closed), len(manager.store._graves._count), _instances) == (10, 1, {})


@pytest.mark.afm("J5")
@every_kind
@pytest.mark.outer
def test_a_thousand_objects_that_come_and_go_leave_no_trace(kind):
    from anywidget._descriptor import _COMMS

    manager = WidgetManager(limits=Limits(max_tombstones=10, max_widgets=10))
    gc.collect()
    before = len(_COMMS)
    for _ in range(1000):
        manager.add(kind(inside=kind()))
        manager.clear()
    gc.collect()
    assert (sizes(manager), len(manager.store._graves._closed), len(_COMMS), _instances) == ([0] * 9, 10, before, {})


# Threads.


@pytest.mark.parametrize("kind", [Data, Evented, DescribedTraits])
def test_a_change_on_another_thread_reaches_pages(manager, kind):
    peer = hosted(manager, thing := kind())
    thing.value = 1
    thread = threading.Thread(target=lambda: setattr(thing, "value", 5))
    thread.start()
    thread.join()
    assert changes(peer.syncs()) == [("value", 5)]
    assert ESM in manager.serialize("w")["esm"]

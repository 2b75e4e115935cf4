import gc
import sys
import threading
import weakref

import anywidget
import ipywidgets
import pytest
import traitlets

from rdit_core import WidgetManager, WidgetNotHostable
from rdit_core.tests.pair import Counter, Peer, changes


def opened(manager, widget_id="w"):
    [one] = [one for one in Peer(manager).first[-1].open if one.widget_id == widget_id]
    return {name: value for name, (value, _) in one.props.items()}


# Plain traits.


@pytest.fixture
def counter(manager):
    counter = Counter()
    manager.register("w", counter)
    return counter


@pytest.fixture
def peer(manager, counter):
    return Peer(manager)


@pytest.mark.parametrize(
    "thing",
    [
        type("NoModule", (traitlets.HasTraits,), {"value": traitlets.Int().tag(sync=True)})(),
        type("NoTraits", (), {"_esm": ""})(),
    ],
)
def test_what_has_no_traits_or_no_module_is_not_hosted(manager, thing):
    with pytest.raises(WidgetNotHostable):
        manager.register("w", thing)


def test_bare_traits_with_a_module_are_hosted_and_only_what_is_synced_is_shown(manager, counter):
    assert manager["w"] is counter
    assert manager.id_of(counter) == "w"
    assert opened(manager) == {"value": 0, "label": "", "data": None, "fixed": 7}
    assert manager.serialize("w") == {
        "widget_id": "w",
        "esm": Counter._esm,
        "css": None,
        "model": {"value": 0, "label": "", "data": None, "fixed": 7},
    }


def test_an_object_without_any_synced_trait_is_hosted_too(manager):
    class Still(traitlets.HasTraits):
        _esm = ""
        value = traitlets.Int(0)

    manager.register("w", still := Still())
    peer = Peer(manager)
    still.value = 1
    assert (opened(manager), changes(peer.syncs())) == ({}, [])
    manager.unregister("w")
    assert not still.has_trait("comm")


def test_code_and_style_may_be_text_or_what_reads_it_from_a_file(manager, tmp_path):
    (tmp_path / "a.js").write_text("code ü", encoding="utf-8")
    (tmp_path / "a.css").write_text("style", encoding="utf-8")

    class Files(traitlets.HasTraits):
        _esm = tmp_path / "a.js"
        _css = tmp_path / "a.css"

    class Texts(traitlets.HasTraits):
        _esm = "code"
        _css = "p {}"

    manager.register("f", Files())
    manager.register("t", Texts())
    assert (manager.serialize("f")["esm"], manager.serialize("f")["css"]) == ("code ü", "style")
    assert (manager.serialize("t")["esm"], manager.serialize("t")["css"]) == ("code", "p {}")


def test_a_change_is_the_present_value_and_not_what_the_notification_says(peer, counter):
    """Inside of a hold the last notification may carry a stale value."""
    with counter.hold_trait_notifications():
        counter.value = 1
        counter.label = "a"
        counter.value = 2
        assert changes(peer.syncs()) == []
    assert dict(changes(peer.syncs())) == {"value": 2, "label": "a"}


def test_traits_that_are_not_synced_are_nobodys_business(peer, counter):
    counter.private = 5
    assert changes(peer.syncs()) == []


def test_the_serializers_of_a_trait_stand_between(manager):
    class Dated(traitlets.HasTraits):
        _esm = ""
        day = traitlets.Tuple((2026, 1)).tag(
            sync=True, to_json=lambda value, obj: "-".join(map(str, value)), from_json=lambda text, obj: tuple(text)
        )

    manager.register("w", dated := Dated())
    peer = Peer(manager)
    assert opened(manager) == {"day": "2026-1"}
    dated.day = (2027, 5)
    assert changes(peer.syncs()) == [("day", "2027-5")]
    assert peer.write(peer.op("day", "ab")) == []
    assert dated.day == ("a", "b")


def test_a_serializer_that_raises_hurts_whoever_set_the_value_and_no_page(manager):
    def to_json(value, obj):
        if value > 5:
            raise ValueError("no")
        return value

    class Touchy(traitlets.HasTraits):
        _esm = ""
        value = traitlets.Int(0).tag(sync=True, to_json=to_json)

    manager.register("w", touchy := Touchy())
    peer = Peer(manager)
    with pytest.raises(ValueError, match="no"):
        touchy.value = 6
    assert changes(peer.syncs()) == []
    touchy.value = 1
    assert changes(peer.syncs()) == [("value", 1)]


def test_a_trait_that_is_added_later_is_shown_and_may_be_written(manager, peer, counter):
    counter.add_traits(late=traitlets.Int(0).tag(sync=True), hidden=traitlets.Int(0))
    counter.late = 3
    counter.hidden = 4
    assert changes(peer.syncs()) == [("late", 3)]
    assert peer.write(peer.op("late", 5), peer.op("hidden", 5)) == [(1, "not_synced")]
    assert counter.late == 5
    counter.value = 9
    assert ("value", 9) in changes(peer.syncs())


def test_an_added_trait_with_a_serializer_is_shown_in_its_form(peer, counter):
    counter.add_traits(late=traitlets.Int(0).tag(sync=True, to_json=lambda value, obj: str(value)))
    counter.late = 3
    assert changes(peer.syncs()) == [("late", "3")]


def test_what_a_host_sets_when_it_hears_of_the_opening_is_shown(manager):
    fresh = Counter()
    manager.on("opened", lambda event: setattr(fresh, "value", 5))
    manager.register("w", fresh)
    assert opened(manager)["value"] == 5


def test_an_object_that_is_let_go_of_is_free_of_us(manager, peer, counter):
    before = {name: dict(types) for name, types in Counter()._trait_notifiers.items()}
    manager.unregister("w")
    peer.syncs()
    counter.value = 1
    assert changes(peer.syncs()) == []
    left = [callback for types in counter._trait_notifiers.values() for found in types.values() for callback in found]
    assert left == [callback for types in before.values() for found in types.values() for callback in found]
    manager.register("again", counter)
    counter.value = 2
    assert changes(peer.syncs()) == []
    assert opened(manager, "again")["value"] == 2


def test_an_object_that_is_let_go_of_is_not_kept_alive(manager):
    manager.register("w", counter := Counter())
    reference = weakref.ref(counter)
    del counter
    gc.collect()
    assert reference() is not None
    manager.unregister("w")
    gc.collect()
    assert reference() is None


def test_the_same_object_may_be_hosted_by_two_managers(manager):
    other = WidgetManager()
    counter = Counter()
    manager.register("a", counter)
    other.register("b", counter)
    counter.value = 3
    assert (opened(manager, "a")["value"], opened(other, "b")["value"]) == (3, 3)
    other.clear()
    counter.value = 4
    assert opened(manager, "a")["value"] == 4


def test_values_that_are_set_from_threads_end_with_what_stands(manager, peer, counter):
    interval = sys.getswitchinterval()

    def work(number):
        for turn in range(100):
            counter.value = number * 100 + turn

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert opened(manager)["value"] == counter.value


def test_a_value_without_a_json_form_is_skipped_and_pages_keep_the_one_before(manager, peer, counter, caplog):
    skipped = []
    manager.on("unserializable_value", skipped.append)
    counter.data = object()
    counter.data = 3
    assert [(one.widget_id, one.property) for one in skipped] == [("w", "data")]
    assert "value of w.data skipped" in caplog.text
    assert changes(peer.syncs()) == [("data", 3)]


def test_an_observer_may_let_go_of_the_object_while_its_change_goes_round(manager, peer, counter):
    counter.add_traits(late=traitlets.Int(0).tag(sync=True))
    counter.observe(lambda change: manager.unregister("w"), "late")
    counter.late = 3
    assert [one.close[0][0] for one in peer.syncs()] == ["w"]


def test_a_handler_of_messages_may_be_left_out(manager, peer, counter):
    assert peer.write(peer.message("x")) == [(0, "handler_failed")]


# The shortcut for ipywidgets.


class Box(anywidget.AnyWidget):
    _esm = "one"
    value = traitlets.Int(0).tag(sync=True)
    label = traitlets.Unicode("").tag(sync=True)
    day = traitlets.Int(0).tag(sync=True, to_json=lambda value, obj: f"day {value}")


SHORTCUT = "_should_send_property"


@pytest.fixture
def box(manager):
    box = Box()
    manager.register("b", box)
    return box


@pytest.fixture
def watcher(manager, box):
    return Peer(manager)


@pytest.fixture
def long_way(monkeypatch):
    """What went through the library's own machinery."""
    taken = []
    original = ipywidgets.Widget.send_state

    def send_state(self, key=None):
        taken.append(key)
        return original(self, key)

    monkeypatch.setattr(ipywidgets.Widget, "send_state", send_state)
    return taken


def test_a_plain_change_of_an_ipywidget_goes_the_short_way(manager, long_way):
    manager.register("b", box := Box())
    peer = Peer(manager)
    long_way.clear()
    box.value = 3
    box.day = 4
    box.day = 5
    assert changes(peer.syncs()) == [("value", 3), ("day", "day 5")]
    assert long_way == []


def test_the_value_is_told_before_the_observers_run(watcher, box):
    seen = []
    box.observe(lambda change: seen.extend(changes(watcher.syncs())), "value")
    box.value = 3
    assert seen == [("value", 3)]


def test_a_hold_of_the_library_still_batches(watcher, box):
    with box.hold_sync():
        box.value = 1
        box.label = "a"
        box.value = 2
        assert changes(watcher.syncs()) == []
    assert dict(changes(watcher.syncs())) == {"value": 2, "label": "a"}


def test_a_hold_of_notifications_still_batches(watcher, box):
    with box.hold_trait_notifications():
        box.value = 1
        box.value = 2
        assert changes(watcher.syncs()) == []
    assert changes(watcher.syncs()) == [("value", 2)]


def test_code_and_layout_go_the_long_way(watcher, box, long_way):
    box._esm = "two"
    box.layout.width = "50%"
    box.layout = ipywidgets.Layout(height="1px")
    assert "layout" in long_way
    told = dict(changes(watcher.syncs()))
    assert (told["_esm"], told["layout"]) == ("two", {"height": "1px"})


@pytest.mark.parametrize("name", ["notify_change", SHORTCUT, "send_state", "get_state", "_trait_to_json"])
def test_a_class_with_machinery_of_its_own_goes_the_long_way(manager, name):
    calls = []

    def own(self, *arguments, **options):
        calls.append(name)
        return getattr(super(Own, self), name)(*arguments, **options)

    if name == "_trait_to_json":

        def own(x, self):
            calls.append(name)
            return x

        own = staticmethod(own)
    Own = type("Own", (Box,), {name: own})
    box = Own()
    manager.register("b", box)
    assert SHORTCUT not in vars(box)
    calls.clear()
    peer = Peer(manager)
    box.value = 7
    assert ("value", 7) in changes(peer.syncs())
    assert name in calls


def test_a_class_that_hides_some_changes_as_libraries_do_keeps_them_hidden(manager):
    class Shy(Box):
        def _should_send_property(self, key, value):
            return key != "label" and super()._should_send_property(key, value)

    manager.register("b", shy := Shy())
    peer = Peer(manager)
    shy.label = "hidden"
    shy.value = 1
    assert changes(peer.syncs()) == [("value", 1)]


def test_what_a_layout_says_is_for_nobody(watcher, box):
    box.layout.send("hi")
    assert watcher.syncs() == []


def test_a_release_takes_the_shortcut_out(manager, watcher, box):
    assert SHORTCUT in vars(box)
    manager.unregister("b")
    assert SHORTCUT not in vars(box)
    watcher.syncs()
    box.value = 5
    assert changes(watcher.syncs()) == []
    manager.unregister("b")


def test_a_comm_that_closes_under_the_widget_takes_no_more(manager, watcher, box):
    box.comm.close()
    assert "b" not in manager
    watcher.syncs()
    box.value = 5
    assert changes(watcher.syncs()) == []


def test_a_shortcut_that_outlives_its_comm_hands_on_to_the_library(manager, box):
    should_send = vars(box)[SHORTCUT]
    manager.unregister("b")
    assert should_send("value", 3) is True


def test_an_ipywidget_that_is_let_go_of_is_not_kept_alive(manager):
    manager.register("b", box := Box())
    reference = weakref.ref(box)
    del box
    manager.unregister("b")
    gc.collect()
    assert reference() is None


def test_a_page_that_writes_an_ipywidget_hears_what_became_of_it(watcher, box):
    box.observe(lambda change: setattr(box, "label", str(change.new)), "value")
    watcher.batch(watcher.op("value", 3, "b"))
    watcher.manager.apply_pending()
    [sync] = watcher.syncs()
    assert {name: value for _, _, name, value, _ in sync.changes} == {"value": 3, "label": "3"}


@pytest.mark.afm("J4")
def test_an_ipywidget_gets_traits_later_and_they_are_followed(watcher, box):
    box.add_traits(late=traitlets.Int(0).tag(sync=True))
    box.late = 3
    assert ("late", 3) in changes(watcher.syncs())
    assert watcher.write(watcher.op("late", 4, "b")) == []
    assert box.late == 4

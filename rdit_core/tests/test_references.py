import gc
import weakref

import anywidget
import ipywidgets
import pytest
import traitlets
from anywidget.experimental import MimeBundleDescriptor
from ipywidgets import widget_serialization

from rdit_core import Limits, WidgetManager, WidgetNotHostable
from rdit_core.tests.kinds import ESM, KINDS, Any_, Data, Plain, every_kind
from rdit_core.tests.pair import Peer

CIRCLES = {name: kind for name, kind in KINDS.items() if kind is not Data}
"""psygnal tells a dataclass of its child's events, and a child that is its own parent of them for ever."""


class PlainBox(traitlets.HasTraits):
    _esm = ESM
    rows = traitlets.List().tag(sync=True)
    table = traitlets.Dict().tag(sync=True)
    pair = traitlets.Tuple(default_value=(1, 2)).tag(sync=True)
    declared = traitlets.List(traitlets.Instance(traitlets.HasTraits)).tag(sync=True)
    by_name = traitlets.Dict(value_trait=traitlets.Instance(traitlets.HasTraits)).tag(sync=True)
    either = traitlets.Union([traitlets.Int(), traitlets.Instance(traitlets.HasTraits)], default_value=0).tag(sync=True)
    both = traitlets.Tuple(traitlets.Int(), traitlets.Any(), default_value=(1, None)).tag(sync=True)
    text = traitlets.Unicode("").tag(sync=True)
    texts = traitlets.List(traitlets.Unicode()).tag(sync=True)
    anything = traitlets.Any(None).tag(sync=True)
    old = traitlets.List().tag(sync=True, **widget_serialization)
    new = anywidget.WidgetTrait().tag(sync=True)


class Box(PlainBox, anywidget.AnyWidget):
    _esm = ESM


@pytest.fixture(params=[Box, PlainBox])
def box(request, manager):
    box = request.param()
    manager.register("box", box)
    return box


@pytest.fixture
def peer(manager, box):
    peer = Peer(manager)
    peer.syncs()
    return peer


def model(manager, widget_id="box"):
    return manager.serialize(widget_id)["model"]


# Python to pages.


@pytest.mark.afm(69, 77)
@every_kind
@pytest.mark.parametrize("come", ["captured", "registered", "bare"])
def test_a_widget_anywhere_in_a_value_is_a_reference_and_is_hosted(manager, box, kind, come):
    if come == "captured":
        with manager.capture():
            child = kind()
            getattr(child, "_repr_mimebundle_", None)
    else:
        child = kind()
    if come == "registered":
        manager.register("child", child)
    box.rows = [1, "text", [child]]
    box.table = {"a": {"b": child}}
    box.pair = (child, b"raw")
    box.anything = child
    child_id = manager.id_of(child)
    reference = f"anywidget:{child_id}"
    state = model(manager)
    assert (state["rows"], state["table"]) == ([1, "text", [reference]], {"a": {"b": reference}})
    assert (state["pair"], state["anything"]) == ([reference, {"$b64": "cmF3"}], reference)
    assert (manager[child_id], len(manager)) == (child, 2)
    child.value = 3
    manager.touch(child, "value")
    assert model(manager, child_id)["value"] == 3
    assert (box.rows, box.pair[0]) == ([1, "text", [child]], child)


@pytest.mark.afm(77)
@every_kind
def test_a_child_in_a_child_is_hosted_too(manager, kind):
    leaf = kind(label="leaf")
    middle = kind(inside=[leaf])
    manager.register("top", kind(inside={"middle": middle}))
    assert model(manager, "top")["inside"] == {"middle": f"anywidget:{manager.id_of(middle)}"}
    assert model(manager, manager.id_of(middle))["inside"] == [f"anywidget:{manager.id_of(leaf)}"]
    assert model(manager, manager.id_of(leaf))["label"] == "leaf"
    manager.unregister("top")
    assert len(manager) == 0


@pytest.mark.afm(77)
@pytest.mark.parametrize("kind", CIRCLES.values(), ids=CIRCLES)
def test_circles_are_fine(manager, kind):
    first, second = kind(), kind()
    first.inside, second.inside = [second, first], [first]
    manager.register("first", first)
    second_id = manager.id_of(second)
    assert model(manager, "first")["inside"] == [f"anywidget:{second_id}", "anywidget:first"]
    assert model(manager, second_id)["inside"] == ["anywidget:first"]
    manager.unregister("first")
    assert (len(manager), manager.id_of(second)) == (0, None)


def test_a_widget_that_holds_itself_while_it_is_made_is_hosted(manager):
    class Self(anywidget.AnyWidget):
        _esm = ESM
        me = traitlets.Any().tag(sync=True)

        @traitlets.default("me")
        def _me(self):
            return [self]

    with manager.capture():
        Self()
    assert (model(manager, "w1")["me"], len(manager)) == (["anywidget:w1"], 1)


@pytest.mark.afm(69)
def test_a_trait_with_a_serializer_for_widgets_keeps_its_form_and_its_children_are_hosted(manager, box):
    box.old = [Any_(), ipywidgets.IntSlider()]
    box.new = child = Any_()
    old = [f"IPY_MODEL_{manager.id_of(one)}" for one in box.old]
    assert (model(manager)["old"], model(manager)["new"]) == (old, f"anywidget:{manager.id_of(child)}")
    assert None not in {manager.id_of(one) for one in (*box.old, child)}


def test_children_that_were_let_go_of_are_hosted_again_with_their_parent(manager):
    box = Box(old=[Any_()], rows=[Any_()], new=Any_())
    manager.register("box", box)
    before = set(manager)
    manager.clear()
    assert (len(manager), box.old[0].comm) == (0, None)
    manager.register("box", box)
    assert len(manager) == 4
    assert model(manager)["old"] == [f"IPY_MODEL_{manager.id_of(box.old[0])}"]
    assert before & set(manager) == {"box"}
    manager.clear()
    manager.register("box", box)
    manager.unregister(manager.id_of(box.new))
    box.anything = box.new
    assert model(manager)["anything"] == f"anywidget:{manager.id_of(box.new)}"


def test_text_that_looks_like_a_reference_stays_text(manager, box, peer):
    box.text = "anywidget:box"
    box.anything = ["IPY_MODEL_box", "anywidget:nobody"]
    assert (model(manager)["text"], model(manager)["anything"]) == (
        "anywidget:box",
        ["IPY_MODEL_box", "anywidget:nobody"],
    )
    assert peer.write(peer.op("text", "IPY_MODEL_box", "box"), peer.op("texts", ["anywidget:box"], "box")) == []
    assert (box.text, box.texts) == ("IPY_MODEL_box", ["anywidget:box"])


def test_a_value_that_contains_itself_and_a_widget_is_skipped(manager, box):
    skipped = []
    manager.on("unserializable_value", skipped.append)
    rows = [1]
    rows.append(rows)
    box.anything = rows
    assert [one.property for one in skipped] == ["anything"]


# Children come and go.


@pytest.mark.parametrize("after", [[], 3, None, "text"])
def test_a_child_that_came_by_reference_goes_when_nobody_refers_to_it(manager, box, after):
    first, second = Any_(), Plain()
    box.anything = [first, second]
    box.rows = [second]
    assert len(manager) == 3
    box.anything = [second]
    assert (manager.id_of(first), len(manager)) == (None, 2)
    box.anything = first
    assert manager.id_of(first) in manager
    box.anything = after
    box.rows = []
    assert list(manager) == ["box"]


def test_a_child_that_was_asked_for_stays(manager, box):
    child, alias = Any_(), Any_()
    box.rows = [child, alias]
    assert manager.add(child) == manager.id_of(child)
    manager.register("alias", alias)
    box.rows = []
    manager.unregister("box")
    assert set(manager) == {manager.id_of(child), manager.id_of(alias), "alias"}


def test_a_child_that_is_closed_is_hosted_again_when_it_is_set_again(manager, box):
    child = Any_()
    box.rows = [child]
    child.close()
    assert list(manager) == ["box"]
    box.rows = [child, 1]
    assert model(manager)["rows"] == [f"anywidget:{manager.id_of(child)}", 1]


def test_a_layout_is_no_widget_of_its_own(manager, box):
    skipped = []
    manager.on("unserializable_value", skipped.append)
    with pytest.raises(WidgetNotHostable):
        manager.register("layout", ipywidgets.Layout())
    box.rows = [ipywidgets.Layout()]
    assert (len(manager), [one.property for one in skipped]) == (1, ["rows"])


class Refusing(traitlets.HasTraits):
    _esm = ESM
    value = traitlets.Int(0).tag(sync=True, to_json=lambda value, obj: 1 / 0)


def test_a_child_that_cannot_be_hosted_skips_the_value_and_leaves_nothing(manager, box):
    skipped = []
    manager.on("unserializable_value", skipped.append)
    good = Any_()
    box.rows = [good, Refusing()]
    assert [(one.property, "Refusing" in one.reason) for one in skipped] == [("rows", True)]
    assert (model(manager)["rows"], list(manager)) == ([], ["box"])
    box.rows = [good]
    reference = f"anywidget:{manager.id_of(good)}"
    box.rows = [good, Plain(), Refusing()]
    assert (model(manager)["rows"], len(manager)) == ([reference], 2)


def test_children_that_go_in_a_hold_are_let_go_of_at_its_end(manager):
    manager.register("box", box := Box(rows=[Any_()]))
    with box.hold_sync():
        box.rows = []
        assert len(manager) == 2
    assert list(manager) == ["box"]


def test_children_beyond_the_limit_skip_the_value():
    manager, skipped = WidgetManager(limits=Limits(max_widgets=2)), []
    manager.on("unserializable_value", skipped.append)
    manager.register("box", box := PlainBox())
    box.rows = [Plain(), Plain()]
    assert ([one.property for one in skipped], list(manager)) == (["rows"], ["box"])
    manager.clear()


def test_an_object_whose_comm_closes_while_its_children_are_hosted_refers_to_nobody(manager):
    box = PlainBox()
    manager.register("box", box)
    comm = manager.store.hosted("box").comm
    manager.unregister("box")
    assert manager._comms.comm_refers(comm, "rows", [Any_()]) is None
    assert len(manager) == 0


# Pages to Python.


@pytest.mark.parametrize("prefix", ["anywidget:", "IPY_MODEL_"])
@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("declared", lambda child: [child]),
        ("by_name", lambda child: {"a": child}),
        ("either", lambda child: child),
        ("new", lambda child: child),
        ("old", lambda child: [child]),
    ],
)
def test_a_reference_from_a_page_is_the_widget_where_one_is_declared(manager, box, peer, name, shape, prefix):
    manager.register("child", child := Any_())
    assert peer.write(peer.op(name, shape(f"{prefix}child"), "box")) == []
    assert getattr(box, name) == shape(child)
    assert peer.write(peer.op(name, shape(f"{prefix}nobody"), "box")) == [(0, "invalid_value")]
    assert getattr(box, name) == shape(child)


def test_a_list_that_holds_widgets_can_be_put_in_another_order(manager, box, peer):
    first, second = Any_(), Plain()
    box.rows = [first, second]
    references = model(manager)["rows"]
    peer.syncs()
    assert peer.write(peer.op("rows", references[::-1], "box")) == []
    assert box.rows == [second, first]
    assert peer.write(peer.op("both", [1, references[0]], "box")) == []
    assert box.both == (1, references[0])  # Declared for anything, and holds no widget: text.


@pytest.mark.parametrize("kind", [KINDS[name] for name in ("dataclass", "pydantic", "psygnal", "msgspec")])
def test_a_field_for_anything_takes_a_reference_as_text(manager, kind):
    manager.register("w", thing := kind())
    peer = Peer(manager)
    assert peer.write(peer.op("inside", "anywidget:w")) == []
    assert thing.inside == "anywidget:w"


def test_a_field_that_is_declared_for_a_widget_takes_its_reference(manager):
    import dataclasses

    @dataclasses.dataclass
    class Parent:
        child: Plain = None
        either: Plain | int = 0

    Parent._repr_mimebundle_ = MimeBundleDescriptor(autodetect_observer=False, _esm=ESM)
    manager.register("w", parent := Parent())
    manager.register("child", child := Plain())
    peer = Peer(manager)
    assert peer.write(peer.op("child", "anywidget:child"), peer.op("either", "anywidget:child")) == []
    assert (parent.child, parent.either) == (child, child)
    assert peer.write(peer.op("child", "anywidget:w")) == [(0, "invalid_value")]
    assert peer.write(peer.op("child", "anywidget:nobody")) == [(0, "invalid_value")]


# Ownership.


def test_links_of_the_front_end_go_with_either_end(manager):
    with manager.capture():
        first, second, third = Any_(), Any_(), Any_()
        link = ipywidgets.jslink((first, "value"), (second, "value"))
        other = ipywidgets.jslink((third, "value"), (second, "value"))
    kept = weakref.ref(first)
    manager.unregister(manager.id_of(first))
    assert (link.comm, manager.id_of(other)) == (None, "w5")
    del first, link
    gc.collect()
    assert kept() is None
    manager.unregister(manager.id_of(second))
    assert list(manager) == ["w3"]


def test_values_of_libraries_that_are_not_imported_are_plain(monkeypatch):
    import sys

    from rdit_core import code_files, references

    for name in ("ipywidgets.widgets.widget", "anywidget._descriptor", "anywidget._traits"):
        monkeypatch.delitem(sys.modules, name)
    assert code_files.sources_of(object()) == []
    assert not references.is_described(object())
    assert not references.is_widget(object())
    assert references.prefix_of(print) is None
    assert not references.resolves_references(print)

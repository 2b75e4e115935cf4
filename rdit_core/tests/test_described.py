import dataclasses
import gc
import weakref
from typing import ClassVar, Literal

import anywidget.experimental
import msgspec
import psygnal
import pydantic
import pytest
import traitlets
from anywidget.experimental import MimeBundleDescriptor

from rdit_core import WidgetManager, WidgetNotHostable, WriteRefused
from rdit_core.tests.kinds import (
    DESCRIBED,
    ESM,
    TELLS_OF_CHANGES,
    Data,
    DescribedTraits,
    Evented,
    Model,
    Struct,
    every_described_kind,
)
from rdit_core.tests.pair import Peer, changes, hosted

STILL = MimeBundleDescriptor(autodetect_observer=False, _esm=ESM)


@pytest.mark.afm("J6")
@every_described_kind
@pytest.mark.threat(13)
def test_a_page_writes_declared_fields_and_no_other_attribute(manager, kind):
    peer = hosted(manager, thing := kind())
    assert peer.write(peer.op("value", 3), peer.op("label", "x")) == []
    assert (thing.value, thing.label) == (3, "x")
    before = set(dir(thing))
    for name, code in {
        "secret": "unknown_property",
        "other": "unknown_property",
        "add": "unknown_property",
        "new": "unknown_property",
        "__class__": "protected_property",
        "_esm": "protected_property",
        "_repr_mimebundle_": "unknown_property",
        "_anywidget_id": "protected_property",
    }.items():
        assert peer.write(peer.op(name, 1)) == [(0, code)], name
    assert set(dir(thing)) == before
    assert (thing.secret, type(thing)) == ("untouched", kind)


@pytest.mark.afm("J6")
@every_described_kind
@pytest.mark.parametrize("value", [-1, "text", None, [], 1.5])
def test_a_value_that_its_library_refuses_changes_nothing(manager, kind, value):
    heard = []
    peer = hosted(manager, thing := kind(value=4))
    manager.on("write_refused", heard.append)
    assert peer.write(peer.op("value", value)) == [(0, "invalid_value")]
    assert (thing.value, [one.code for one in heard]) == (4, ["invalid_value"])
    with pytest.raises(WriteRefused, match="expected") as refusal:
        manager.update("w", "value", value)
    assert refusal.value.code == "invalid_value"
    assert "reason" not in str(refusal.value)


@every_described_kind
def test_what_several_fields_hold_is_taken_together_or_one_by_one(manager, kind):
    peer = hosted(manager, thing := kind())
    assert peer.write(peer.op("value", 1), peer.op("label", "a")) == []
    assert peer.write(peer.op("label", "b"), peer.op("value", -1)) == [(1, "invalid_value")]
    assert (thing.value, thing.label) == (1, "b")


@pytest.mark.parametrize("name", sorted(DESCRIBED.keys() & TELLS_OF_CHANGES))
def test_a_change_in_python_reaches_pages(manager, name):
    peer = hosted(manager, thing := DESCRIBED[name]())
    thing.value = 5
    thing.inside = {"raw": [b"ab"], "n": float("inf")}
    assert changes(peer.syncs()) == [("value", 5), ("inside", {"raw": [b"ab"], "n": float("inf")})]


@every_described_kind
def test_a_change_reaches_pages_when_python_says_so(manager, kind):
    peer = hosted(manager, thing := kind())
    object.__setattr__(thing, "label", "x") if kind is not Struct else setattr(thing, "label", "x")
    manager.touch(thing, "label")
    assert changes(peer.syncs()) == [("label", "x")]
    thing._repr_mimebundle_.send_state()
    thing._repr_mimebundle_.send_state("label")
    thing._repr_mimebundle_.send_state({"label", "none"})
    assert changes(peer.syncs()) == []


@pytest.mark.parametrize("kind", [Data, Evented, DescribedTraits])
def test_several_fields_of_one_batch_are_told_to_observers_when_all_are_set(manager, kind):
    seen = []
    peer = hosted(manager, thing := kind())
    if kind is DescribedTraits:
        thing.observe(lambda change: seen.append((thing.value, thing.label)), ["value", "label"])
    else:
        thing.events.connect(lambda info: seen.append((thing.value, thing.label)))
    assert peer.write(peer.op("value", 1), peer.op("label", "a")) == []
    assert seen == [(1, "a"), (1, "a")]


@pytest.mark.parametrize("kind", [Data, Evented])
def test_an_observer_that_raises_is_a_verdict_and_the_value_stays(manager, kind):
    failed = []

    def fail(info):
        raise KeyError("mine")

    peer = hosted(manager, thing := kind())
    manager.on("observer_failed", failed.append)
    thing.events.connect(fail)
    assert peer.write(peer.op("value", 2)) == [(0, "observer_failed")]
    assert [code for _, code in peer.write(peer.op("value", 3), peer.op("label", "x"))] == ["observer_failed"]
    assert (thing.value, thing.label) == (3, "x")
    assert [type(one.error) for one in failed] == [KeyError, KeyError]


class Order(pydantic.BaseModel):
    """Two fields that must be in order, whoever sets them."""

    _repr_mimebundle_: ClassVar = STILL
    low: int = 0
    high: int = 10
    name: Literal["a", "b"] = "a"
    fixed: int = pydantic.Field(1, frozen=True)

    @pydantic.model_validator(mode="after")
    def _in_order(self):
        if self.low > self.high:
            raise ValueError(f"{self.low} is secret")
        return self


class Doubling(pydantic.BaseModel):
    _repr_mimebundle_: ClassVar = STILL
    model_config = pydantic.ConfigDict(validate_assignment=True)
    value: int = 0

    @pydantic.field_validator("value")
    @classmethod
    def _double(cls, value):
        return 2 * value


class Frozen(pydantic.BaseModel):
    _repr_mimebundle_: ClassVar = STILL
    model_config = pydantic.ConfigDict(frozen=True)
    value: int = 0


def test_a_pydantic_model_validates_what_a_page_sets_as_a_whole(manager):
    peer = hosted(manager, order := Order())
    assert peer.write(peer.op("low", 11)) == [(0, "invalid_value")]
    assert peer.write(peer.op("name", "c")) == [(0, "invalid_value")]
    assert peer.write(peer.op("fixed", 2)) == [(0, "read_only")]
    assert peer.write(peer.op("low", "7")) == []  # pydantic takes it, and makes it what it should be.
    assert (order.low, order.name, order.fixed) == (7, "a", 1)
    with pytest.raises(WriteRefused) as refusal:
        manager.update("w", "low", 12)
    assert ("secret" in str(refusal.value), "expected int" in str(refusal.value)) == (False, True)


def test_a_model_that_validates_assignments_itself_is_asked_once(manager):
    peer = hosted(manager, model := Doubling())
    peer.batch(peer.op("value", 3))
    manager.apply_pending()
    assert (model.value, changes(peer.syncs())) == (6, [("value", 6)])
    assert peer.write(peer.op("value", "x")) == [(0, "invalid_value")]


@dataclasses.dataclass(frozen=True)
class Still:
    value: int = 0


Still._repr_mimebundle_ = STILL


class Ice(msgspec.Struct, frozen=True, weakref=True):
    value: int = 0


Ice._repr_mimebundle_ = STILL


@pytest.mark.parametrize("kind", [Frozen, Still, Ice])
def test_a_frozen_object_is_shown_and_read_only(manager, kind):
    peer = hosted(manager, kind())
    assert peer.write(peer.op("value", 3)) == [(0, "read_only")]


class Renamed(msgspec.Struct, rename="camel", weakref=True):
    the_value: int = 0


Renamed._repr_mimebundle_ = STILL


def test_a_field_that_is_renamed_has_one_name_for_pages_and_another_in_python(manager):
    peer = hosted(manager, thing := Renamed())
    assert manager.serialize("w")["model"]["theValue"] == 0
    assert peer.write(peer.op("theValue", 3)) == []
    assert thing.the_value == 3
    assert peer.write(peer.op("the_value", 3)) == [(0, "unknown_property")]


class Odd:
    """A type that no JSON is of."""


@dataclasses.dataclass
class Typed:
    _repr_mimebundle_: ClassVar = STILL
    number: float = 0
    unknown: "Nowhere" = None  # noqa: F821


@dataclasses.dataclass
class Hinted:
    _repr_mimebundle_: ClassVar = STILL
    odd: Odd | int = 0
    own: Odd = dataclasses.field(default_factory=Odd)
    raw: bytes = b""
    number: float = 0.0
    rows: list[int] = dataclasses.field(default_factory=list)
    mixed: list[Odd | int] = dataclasses.field(default_factory=list)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("raw", b"ab", b"ab"),
        ("number", 1, 1.0),
        ("rows", [1, 2], [1, 2]),
        ("odd", 4, 4),
        ("rows", [1, "a"], None),
        ("rows", {"a": 1}, None),
        ("raw", "text", None),
        ("number", True, None),
        ("odd", "text", None),
        ("own", {}, None),
        ("mixed", [1], None),  # A type that msgspec cannot read, inside of another.
    ],
)
def test_a_dataclass_takes_what_its_annotations_say(manager, name, value, expected):
    peer = hosted(manager, thing := Hinted())
    before = getattr(thing, name)
    if value == b"ab":
        manager.update("w", name, value)
    else:
        assert peer.write(peer.op(name, value)) == ([] if expected is not None else [(0, "invalid_value")])
    assert getattr(thing, name) == (expected if expected is not None else before)


def test_annotations_that_name_what_cannot_be_found_say_nothing(manager):
    peer = hosted(manager, thing := Typed())
    assert peer.write(peer.op("unknown", 3), peer.op("number", "x")) == []
    assert (thing.unknown, thing.number) == (3, "x")


class Own:
    """Says its state and takes one, in its own words."""

    _repr_mimebundle_ = STILL

    def __init__(self):
        self.state = {"value": 1, "child": None}

    def _get_anywidget_state(self, include):
        return dict(self.state)

    def _set_anywidget_state(self, state):
        if state.get("value") == 13:
            raise ValueError("unlucky, and this text stays here")
        self.state.update(state)


class Shown:
    _repr_mimebundle_ = STILL

    def _get_anywidget_state(self, include):
        return {"value": 1}


def test_an_object_with_its_own_setter_takes_what_that_takes(manager):
    peer = hosted(manager, own := Own())
    assert peer.write(peer.op("value", 3), peer.op("child", "x")) == []
    assert own.state == {"value": 3, "child": "x"}
    assert peer.write(peer.op("value", 13)) == [(0, "invalid_value")]
    assert peer.write(peer.op("state", {})) == [(0, "unknown_property")]
    assert changes(peer.syncs()) == []


def test_an_object_that_only_says_its_state_is_read_only(manager):
    peer = hosted(manager, Shown())
    assert manager.serialize("w")["model"]["value"] == 1
    assert peer.write(peer.op("value", 3)) == [(0, "read_only")]


def test_an_interrupt_while_a_field_is_set_comes_through(manager):
    class Interrupted(Own):
        def _set_anywidget_state(self, state):
            raise KeyboardInterrupt

    peer = hosted(manager, Interrupted())
    peer.batch(peer.op("value", 3))
    with pytest.raises(KeyboardInterrupt):
        manager.apply_pending()


@anywidget.experimental.dataclass(esm=ESM)
class Strict:
    first: int = 0
    second: int = 0

    def __setattr__(self, name, value):
        if name == "second" and value == 5:
            raise ValueError("no five")
        object.__setattr__(self, name, value)


@pytest.mark.parametrize("kind", [Strict])
def test_a_field_that_cannot_be_set_takes_its_batch_apart(manager, kind):
    peer = hosted(manager, thing := kind())
    assert peer.write(peer.op("first", 1), peer.op("second", 5)) == [(1, "invalid_value")]
    assert (thing.first, thing.second) == (1, 0)


# In and out.


@every_described_kind
def test_an_object_that_is_displayed_again_has_one_listener(manager, kind):
    with manager.capture():
        thing = kind()
        bundles = [thing._repr_mimebundle_ for _ in range(3)]
    assert len(manager) == 1
    peer = Peer(manager)
    peer.syncs()
    thing.value = 4
    manager.touch(thing, "value")
    assert changes(peer.syncs()) == [("value", 4)]
    assert sum(bool(one._disconnectors) for one in {id(one): one for one in bundles}.values()) <= 1


@every_described_kind
def test_an_object_that_was_let_go_of_can_be_displayed_anew(manager, kind):
    with manager.capture():
        thing = kind()
        thing._repr_mimebundle_()
        manager.clear()
        thing.value = 3
        assert thing._repr_mimebundle_()[0]["application/vnd.jupyter.widget-view+json"]["model_id"] == "w2"
    assert manager.serialize("w2")["model"]["value"] == 3
    manager.clear()
    assert thing._repr_mimebundle_ is not None  # Nobody hosts it: as anywidget leaves it.
    assert len(manager) == 0


@every_described_kind
def test_an_object_of_another_manager_is_taken_over(manager, kind):
    other = WidgetManager()
    other.register("theirs", thing := kind())
    manager.register("ours", thing)
    assert (len(other), manager["ours"]) == (0, thing)
    peer = Peer(manager)
    peer.syncs()
    thing.value = 2
    manager.touch(thing, "value")
    assert changes(peer.syncs()) == [("value", 2)]


@every_described_kind
def test_an_object_that_was_displayed_elsewhere_is_taken_over(manager, kind):
    thing = kind(value=2)
    thing._repr_mimebundle_()  # Without any hook.
    manager.register("ours", thing)
    assert manager.serialize("ours")["model"]["value"] == 2


def test_a_descriptor_that_follows_no_changes_cannot_be_hosted(manager):
    class Deaf:
        _repr_mimebundle_ = MimeBundleDescriptor(follow_changes=False, _esm=ESM)

        def _get_anywidget_state(self, include):
            return {"value": 1}

    deaf = Deaf()
    with pytest.raises(WidgetNotHostable, match="does not follow"):
        manager.register("w", deaf)
    assert (len(manager), manager.store.all_hosted) == (0, {})


def test_code_in_a_file_is_followed_and_let_go_of(manager, tmp_path):
    path = tmp_path / "widget.js"
    path.write_text("one", encoding="utf-8")

    class FromFile:
        _repr_mimebundle_ = MimeBundleDescriptor(autodetect_observer=False, _esm=path, extra=[1])

        def _get_anywidget_state(self, include):
            return {"value": 1}

    contents = FromFile._repr_mimebundle_._extra_state["_esm"]
    peer = hosted(manager, thing := FromFile())
    assert (manager.serialize("w")["esm"], manager.serialize("w")["model"]["extra"]) == ("one", [1])
    contents.changed.emit("two")
    assert changes(peer.syncs()) == [("_esm", "two")]
    kept = weakref.ref(thing)
    manager.unregister("w")
    del thing
    gc.collect()
    assert (kept(), len(contents.changed)) == (None, 0)


@pytest.mark.filterwarnings("ignore:Anywidget. .* is not weakrefable")
def test_an_object_that_knows_no_weak_references_leaves_no_comm_for_the_next_of_its_number(manager):
    class Heavy(msgspec.Struct):
        value: int = 0

    Heavy._repr_mimebundle_ = STILL
    from anywidget._descriptor import _COMMS

    thing = Heavy()
    manager.register("w", thing)
    peer = Peer(manager)
    assert peer.write(peer.op("value", 3)) == []
    manager.unregister("w")
    assert id(thing) not in _COMMS


def test_a_model_with_other_signals_than_its_fields_tells_of_its_fields(manager):
    class Signals(psygnal.SignalGroup):
        value = psygnal.Signal(int)
        other = psygnal.Signal(int)

    class Thing:
        _repr_mimebundle_ = MimeBundleDescriptor(_esm=ESM)

        def __init__(self):
            self.events = Signals()
            self.value = 1

        def _get_anywidget_state(self, include):
            return {"value": self.value}

    peer = hosted(manager, thing := Thing())
    thing.value = 2
    thing.events.other.emit(5)
    assert changes(peer.syncs()) == []
    thing.events.value.emit(2)
    assert changes(peer.syncs()) == [("value", 2)]


def test_a_trait_with_a_serializer_is_serialized_by_it(manager):
    class Dated(traitlets.HasTraits):
        _repr_mimebundle_ = MimeBundleDescriptor(_esm=ESM)
        day = traitlets.Int(1).tag(sync=True, to_json=lambda value, obj: f"day {value}")

    peer = hosted(manager, thing := Dated())
    assert manager.serialize("w")["model"]["day"] == "day 1"
    thing.day = 2
    assert changes(peer.syncs()) == [("day", "day 2")]


def test_a_model_is_as_its_library_serializes_it(manager):
    class Day(pydantic.BaseModel):
        _repr_mimebundle_: ClassVar = STILL
        value: int = 1

        @pydantic.field_serializer("value")
        def _as_text(self, value):
            return f"day {value}"

    manager.register("w", Day())
    assert manager.serialize("w")["model"]["value"] == "day 1"
    assert Model.model_fields.keys() == {"value", "label", "inside"}

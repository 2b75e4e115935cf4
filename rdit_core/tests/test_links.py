import gc
import itertools
import logging
import threading
import warnings
import weakref

import anywidget
import ipywidgets
import numpy as np
import pytest
import traitlets

from rdit_core import Link, Links, LinkWarning, WidgetManager, atomic, link_traits, links, propagation
from rdit_core.agreement import agree
from rdit_core.link_ends import EARS, Ear
from rdit_core.links import TraitletsLink

from .kinds import DescribedTraits
from .pair import Clamped, Counter, Page


class Thing(traitlets.HasTraits):
    """No widget at all."""

    value = traitlets.Any(0)
    number = traitlets.Int(0)
    ratio = traitlets.Float(0.0)
    fixed = traitlets.Int(0, read_only=True)


class Any_(anywidget.AnyWidget):
    _esm = "export default {}"
    value = traitlets.Int(0).tag(sync=True)
    other = traitlets.Int(0).tag(sync=True)
    data = traitlets.Any(None, allow_none=True).tag(sync=True)


class Odd(Thing):
    """Takes odd numbers only, the next one above."""

    @traitlets.validate("number")
    def _odd(self, proposal):
        return proposal.value | 1


class Even(Thing):
    @traitlets.validate("number")
    def _even(self, proposal):
        return proposal.value + proposal.value % 2


class Refusing(Thing):
    """Takes what is below 10."""

    @traitlets.validate("number")
    def _small(self, proposal):
        if proposal.value >= 10:
            raise traitlets.TraitError("too much")
        return proposal.value


@pytest.fixture(autouse=True)
def no_link_is_left_behind():
    yield
    links().unlink()
    assert not EARS


def chain(objects, name="value", **options):
    return [link_traits((a, name), (b, name), **options) for a, b in itertools.pairwise(objects)]


def observers_of_links(*objects):
    """What of a link's is among the observers of objects."""
    return [
        callback
        for obj in objects
        for by_type in obj._trait_notifiers.values()
        for callbacks in by_type.values()
        for callback in callbacks
        if isinstance(getattr(callback, "__self__", None), Ear) or getattr(callback, "__module__", "") == Ear.__module__
    ]


# What a link does.


def test_a_target_takes_the_value_and_both_follow_each_other():
    a, b = Thing(value="a"), Thing(value="b")
    link = link_traits((a, "value"), (b, "value"))
    assert (b.value, link.is_one_way, link.source, link.target) == ("a", False, (a, "value"), (b, "value"))
    b.value = "from b"
    assert a.value == "from b"
    a.value = "from a"
    assert b.value == "from a"
    assert isinstance(link, Link) and isinstance(link, traitlets.link)
    assert repr(link) == "<Link Thing.value ↔ Thing.value>"


def test_a_source_does_not_follow_a_link_in_one_way():
    a, b = Thing(), Thing()
    link = link_traits((a, "value"), (b, "value"), one_way=True)
    b.value = 5
    assert a.value == 0
    a.value = 6
    assert b.value == 6
    assert link.is_one_way and isinstance(link, traitlets.dlink)
    assert repr(link) == "<Link Thing.value → Thing.value>"


def test_transforms_convert_there_and_back():
    celsius, fahrenheit, text = Thing(value=100), Thing(), Thing()
    link_traits(
        (celsius, "value"), (fahrenheit, "value"), transform=(lambda c: c * 9 / 5 + 32, lambda f: (f - 32) * 5 / 9)
    )
    link_traits((celsius, "value"), (text, "value"), one_way=True, transform="{:g} °C".format)
    assert (fahrenheit.value, text.value) == (212, "100 °C")
    fahrenheit.value = 32
    assert (celsius.value, text.value) == (0, "0 °C")


def test_a_transform_runs_once_for_a_change(manager):
    a, b = Counter(), Counter()
    seen = []
    manager.register("a", a)
    manager.register("b", b)
    link_traits((a, "value"), (b, "value"), one_way=True, transform=lambda value: seen.append(value) or value)
    a.value = 1
    a.value = 2
    assert seen == [0, 1, 2]


@pytest.mark.parametrize(
    ("source", "target", "options", "error", "text"),
    [
        ("a", (Thing(), "value"), {}, TypeError, "got str"),
        ((1, "value"), (Thing(), "value"), {}, TypeError, r"got \(int, str\)"),
        ((Thing(), "value"), (Thing(), "nothing"), {}, traitlets.TraitError, "has no trait 'nothing'"),
        ((Thing(), "value"), (Thing(), "value"), {"transform": str}, TypeError, "there and back"),
        ((Thing(), "value"), (Thing(), "value"), {"transform": (str,)}, TypeError, "there and back"),
        ((Thing(), "value"), (Thing(), "value"), {"transform": 5, "one_way": True}, TypeError, "one function"),
    ],
)
def test_what_cannot_be_linked_is_said(source, target, options, error, text):
    with pytest.raises(error, match=text):
        link_traits(source, target, **options)
    assert not EARS


def test_a_trait_is_not_linked_with_itself():
    a = Thing()
    with pytest.raises(TypeError, match="two different traits"):
        link_traits((a, "value"), (a, "value"))


def test_two_traits_of_one_object_can_be_linked():
    a = Thing()
    link = link_traits((a, "value"), (a, "number"))
    a.number = 4
    assert a.value == 4
    link.unlink()
    assert not observers_of_links(a)


def test_an_integer_and_a_float_follow_each_other():
    a, b = Thing(), Thing()
    link_traits((a, "number"), (b, "ratio"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        a.number = 3
    assert (a.number, b.ratio) == (3, 3.0)


def test_observers_hear_of_what_stands():
    a, b = Counter(), Clamped()
    seen = []
    a.observe(lambda change: seen.append(change.new), "value")
    link_traits((a, "value"), (b, "value"))
    a.observe(lambda change: seen.append((change.new, b.value)), "value")
    a.value = 500
    assert set(seen) == {100, (100, 100)}


def test_a_link_inside_of_a_hold_is_carried_at_its_end():
    a, b = Thing(), Thing()
    chain([a, b])
    with a.hold_trait_notifications():
        a.value = 1
        a.value = 2
        assert b.value == 0
    assert b.value == 2


def test_a_target_that_holds_its_notifications_takes_the_value(manager):
    a, b = Counter(), Counter()
    manager.register("b", b)
    chain([a, b])
    page = Page(manager)
    with b.hold_trait_notifications():
        a.value = 3
        page.settle()
        assert page.shown(widget_id="b") == 0
    page.settle()
    assert (b.value, page.shown(widget_id="b")) == (3, 3)


def test_a_target_that_goes_back_at_the_end_of_its_hold_follows_the_next_change():
    class Picky(traitlets.HasTraits):
        value = traitlets.Int(0)

        @traitlets.validate("value")
        def _validate(self, proposal):
            if proposal.value > 9:
                raise traitlets.TraitError
            return proposal.value

    a, b = Thing(), Picky()
    chain([a, b])
    with pytest.raises(traitlets.TraitError), b.hold_trait_notifications():
        a.value = 10
    assert (a.value, b.value) == (10, 0)
    b.value = 1
    assert a.value == 1


def test_an_observer_that_sets_another_linked_trait_is_carried_too():
    a, b, c, d = (Thing() for _ in range(4))
    chain([a, b])
    chain([c, d])
    b.observe(lambda change: setattr(c, "value", change.new + 1), "value")
    a.value = 1
    assert (b.value, c.value, d.value) == (1, 2, 2)


def test_an_observer_that_sets_the_target_again_is_followed():
    a, b = Thing(), Thing()
    chain([a, b])
    b.observe(lambda change: setattr(b, "value", min(b.value, 10)), "value")
    a.value = 50
    assert (a.value, b.value) == (10, 10)


def test_an_observer_may_link_while_a_change_is_carried():
    a, b, c = Thing(), Thing(), Thing()
    chain([a, b])
    b.observe(lambda change: links(c) or link_traits((b, "value"), (c, "value")), "value")
    a.value = 7
    assert c.value == 7


def test_an_observer_may_unlink_while_a_change_is_carried():
    a, b, c = Thing(), Thing(), Thing()
    first, second = chain([a, b, c])
    b.observe(lambda change: second.unlink(), "value")
    a.value = 1
    assert (b.value, c.value) == (1, 0)
    assert list(links()) == [first]


def test_a_widget_may_be_closed_while_a_change_is_carried(manager):
    with manager.capture():
        a, b, c = Any_(), Any_(), Any_()
    chain([a, b, c])
    b.observe(lambda change: b.close(), "value")
    a.value = 1
    assert (b.value, c.value, len(links())) == (1, 0, 0)
    assert not observers_of_links(a, b, c)


def test_a_link_can_be_tied_again():
    a, b = Thing(), Thing()
    link = link_traits((a, "value"), (b, "value"))
    link.unlink()
    link.unlink()
    a.value = 5
    assert b.value == 0 and not observers_of_links(a, b)
    link.link()
    link.link()
    assert b.value == 5
    b.value = 6
    assert a.value == 6


# Values.


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 1.0),
        (float("nan"), float("nan")),
        ([1, float("nan")], (1, float("nan"))),
        ({"a": [1]}, {"a": [1.0]}),
        (np.array([1.0, np.nan]), np.array([1.0, np.nan])),
        (np.array([1, "a"], dtype=object), np.array([1, "a"], dtype=object)),
        ("a", "a"),
    ],
)
def test_what_is_the_same_to_a_page_agrees(one, other):
    assert agree(one, other)


class Unequal:
    def __eq__(self, other):
        raise ValueError("not to be compared")

    __hash__ = None


class Frame:
    """Compares as a data frame does."""

    def __init__(self, value):
        self.value = value

    def __eq__(self, other):
        return np.array([self.value == other.value, True])

    __hash__ = None

    def equals(self, other):
        return self.value == other.value


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (True, 1),
        (0, False),
        (1, "1"),
        ([True], [1]),
        ([1], [1, 2]),
        ({"a": 1}, {"b": 1}),
        ({"a": 1}, {"a": True}),
        (np.array([1]), np.array([1.0])),
        (np.array([1]), np.array([[1]])),
        (np.array([1, True], dtype=object), np.array([1, 1], dtype=object)),
        (Unequal(), Unequal()),
        (Frame(1), Frame(2)),
    ],
)
def test_what_differs_to_a_page_does_not_agree(one, other):
    assert not agree(one, other)


def test_values_that_contain_themselves_do_not_agree():
    one, other = [], []
    one.append(one)
    other.append(other)
    assert not agree(one, other)


@pytest.mark.parametrize("value", [np.arange(3), Frame(1), float("nan"), {"x": np.zeros((2, 2))}])
def test_values_that_python_compares_badly_are_carried(value):
    things = [Thing() for _ in range(3)]
    chain(things)
    things[0].value = value
    things[2].value = value
    assert [thing.value is value for thing in things] == [True] * 3


def test_true_follows_one_though_they_are_equal(manager):
    a, b, c = Counter(data=1), Counter(), Counter()
    for widget_id, widget in zip("abc", (a, b, c), strict=True):
        manager.register(widget_id, widget)
    chain([a, b, c], "data")
    page = Page(manager)
    page.edit("a", data=True)
    page.settle()
    assert [page.shown("data", widget_id) for widget_id in "abc"] == [True] * 3
    assert all(widget.data is True for widget in (a, b, c))


def test_a_value_edited_in_place_is_carried_when_the_manager_is_told(manager):
    a, b, c = Counter(data=[1]), Counter(), Counter()
    for widget_id, widget in zip("abc", (a, b, c), strict=True):
        manager.register(widget_id, widget)
    chain([a, b], "data")
    link_traits((a, "data"), (c, "data"), one_way=True, transform=list)
    page = Page(manager)
    a.data.append(2)
    manager.touch(a, "data")
    manager.touch(a, "data")
    page.settle()
    assert [page.shown("data", widget_id) for widget_id in "abc"] == [[1, 2]] * 3


def test_a_trait_that_is_a_new_object_each_time_is_no_trouble():
    class Fresh(traitlets.Any):
        def get(self, obj, cls=None):
            value = obj._trait_values[self.name] = [*super().get(obj, cls)]
            return value

    class Holder(traitlets.HasTraits):
        value = Fresh([0])

    a, b = Holder(), Holder()
    chain([a, b])
    a.value = [1]
    assert b.value == [1]


def test_a_trait_that_cannot_be_read_is_raised():
    class Broken(Thing):
        @traitlets.default("value")
        def _value(self):
            raise RuntimeError("no value")

    with pytest.raises(RuntimeError, match="no value"):
        link_traits((Broken(), "value"), (Thing(), "value"))
    a, b = Thing(value=3), Broken()
    link_traits((a, "value"), (b, "value"))
    assert b.value == 3


# Refusals.


def test_a_clamping_target_takes_the_source_along():
    a, b, c = Counter(), Clamped(), Counter()
    link_traits((a, "value"), (b, "value"))
    link_traits((a, "value"), (c, "value"))
    seen = []
    c.observe(lambda change: seen.append(change.new), "value")
    a.value = 500
    assert (a.value, b.value, c.value, seen) == (100, 100, 100, [100])


def test_a_clamping_target_of_a_link_in_one_way_is_left_alone():
    a, b = Counter(), Clamped()
    link_traits((a, "value"), (b, "value"), one_way=True)
    a.value = 500
    assert (a.value, b.value) == (500, 100)


def test_a_target_that_refuses_takes_the_source_back_and_the_setter_is_told():
    things = [Thing(), Thing(), Refusing()]
    chain(things, "number")
    things[0].number = 5
    with pytest.raises(traitlets.TraitError, match="too much"):
        things[0].number = 50
    assert [thing.number for thing in things] == [5, 5, 5]
    things[0].number = 6
    assert things[2].number == 6


def test_a_target_of_a_link_in_one_way_that_refuses_leaves_the_source():
    a, b = Thing(), Refusing()
    link_traits((a, "number"), (b, "number"), one_way=True)
    with pytest.raises(traitlets.TraitError, match="too much"):
        a.number = 50
    assert (a.number, b.number) == (50, 0)


def test_a_refusal_at_the_start_links_nothing():
    a, b = Thing(number=50), Refusing()
    with pytest.raises(traitlets.TraitError, match="too much"):
        link_traits((a, "number"), (b, "number"))
    assert (a.number, b.number) == (50, 0) and not observers_of_links(a, b)
    with pytest.raises(traitlets.TraitError, match="read-only"):
        link_traits((a, "number"), (b, "fixed"))


def test_validators_without_a_common_value_are_reported_and_keep_their_own():
    a, b = Odd(number=1), Even()
    with pytest.warns(LinkWarning, match=r"do not agree.*Odd\.number|Even\.number"):
        link_traits((a, "number"), (b, "number"))
    with pytest.warns(LinkWarning, match="each keeps its own"):
        a.number = 11
    assert a.number % 2 == 1 and b.number % 2 == 0


def test_a_source_that_does_not_take_the_old_value_back_is_reported():
    a, b = Odd(number=1), Refusing()
    link_traits((a, "number"), (b, "number"), transform=(lambda odd: odd - 1, lambda small: small))
    with pytest.warns(LinkWarning, match="do not agree"), pytest.raises(traitlets.TraitError, match="too much"):
        a.number = 21
    assert (a.number, b.number) == (1, 0)


def test_a_transform_that_raises_is_raised_to_the_setter():
    a, b, c = Thing(value=1), Thing(), Thing()
    link_traits((a, "value"), (b, "value"), one_way=True, transform=lambda value: 1 / value)
    link_traits((a, "value"), (c, "value"))
    with pytest.raises(ZeroDivisionError):
        a.value = 0
    assert (a.value, b.value, c.value) == (0, 1, 0)


def test_what_an_observer_of_a_target_raises_goes_to_the_setter_when_all_is_carried():
    a, b, c = Thing(), Thing(), Thing()
    chain([a, b, c])
    heard = []

    def fail(change):
        raise ValueError("of an observer")

    b.observe(fail, "value")
    a.observe(heard.append, "value")
    with pytest.raises(ValueError, match="of an observer"):
        a.value = 1
    assert [a.value, b.value, c.value] == [1, 1, 1]
    b.unobserve(fail, "value")
    b.observe(lambda change: (_ for _ in ()).throw(KeyboardInterrupt), "value")
    c.observe(fail, "value")
    with pytest.raises(KeyboardInterrupt):
        a.value = 2
    assert c.value == 2


def test_an_interrupt_goes_before_an_error():
    a, b, c = Thing(), Thing(), Thing()
    chain([a, b, c])

    def fail(change):
        raise ValueError

    def interrupt(change):
        raise KeyboardInterrupt

    b.observe(fail, "value")
    c.observe(interrupt, "value")
    with pytest.raises(KeyboardInterrupt):
        a.value = 1


def test_an_error_that_no_observer_came_for_is_logged(manager, caplog):
    a, b = Counter(data=[1]), Counter()
    manager.register("a", a)
    link_traits((a, "data"), (b, "data"), one_way=True, transform=lambda value: 1 // len(value))
    a.data.clear()
    manager.touch(a, "data")
    with caplog.at_level(logging.ERROR, "rdit"):
        a.data = [1, 2]
    assert "a link of Counter[a].data failed" in caplog.text


def test_a_page_whose_value_a_linked_widget_refuses_is_told(manager):
    a, b = Counter(), Clamped()
    manager.register("a", a)
    manager.register("b", b)
    chain([a, b])
    page = Page(manager)
    page.edit("a", value=13)
    page.settle()
    assert (a.value, page.shown(widget_id="a"), page.shown(widget_id="b")) == (0, 0, 0)
    assert page.codes()[-1:] == ["invalid_value"]


# Cycles.


def test_a_ring_settles():
    ring = [Thing() for _ in range(10)]
    chain([*ring, ring[0]])
    ring[4].value = 9
    assert [thing.value for thing in ring] == [9] * 10


def test_a_chain_may_be_longer_than_the_stack():
    things = [Thing() for _ in range(3000)]
    chain(things)
    things[0].value = 1
    assert things[-1].value == 1


def test_a_cycle_that_never_settles_is_stopped_and_reported(manager):
    a, b, c = Counter(), Counter(), Counter()
    told = []
    manager.on("link_unsettled", told.append)
    manager.register("a", a)
    manager.register("c", c)
    other = WidgetManager()
    other.on("link_unsettled", told.append)
    chain([a, b, c], one_way=True)
    with pytest.warns(LinkWarning, match="never settle.*given up after 100 rounds"):
        link_traits((c, "value"), (a, "value"), one_way=True, transform=lambda value: value + 1)
    [event] = told
    assert event.reason == "never_settles" and event.widget_id in "ac" and event.property == "value"
    assert sorted(event.ends) == ["Counter.value", "Counter[a].value", "Counter[c].value"]
    with pytest.warns(LinkWarning):
        a.value = 1000
    assert a.value < 1200


def test_observers_that_answer_each_other_are_stopped_and_reported():
    a, b, c = Thing(), Thing(), Thing()
    chain([a, b])
    chain([c, a], one_way=True)
    b.observe(lambda change: setattr(c, "value", change.new + 1), "value")
    with pytest.warns(LinkWarning, match="never settle"):
        a.value = 1
    assert a.value < 200


def test_a_report_is_an_error_where_warnings_are():
    a, b = Odd(number=1), Even()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(LinkWarning):
            link_traits((a, "number"), (b, "number"))
    assert not EARS


# Threads.


def test_threads_that_set_both_ends_at_once_leave_them_equal():
    things = [Thing() for _ in range(4)]
    chain([*things, things[0]])
    start = threading.Barrier(4)

    def run(number):
        start.wait()
        for turn in range(200):
            things[number].value = (number, turn)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({thing.value for thing in things}) == 1


@pytest.mark.parametrize("one_way", [True, False])
def test_a_change_of_another_thread_meanwhile_is_carried_anew(one_way):
    a, b = Thing(), Thing()
    link_traits((a, "value"), (b, "value"), one_way=one_way)

    def other_thread(change):
        if change.new == "first":
            b.unobserve(other_thread, "value")
            a._trait_values["value"] = "second"  # As far as another thread had come.

    b.observe(other_thread, "value")
    a.value = "first"
    assert (a.value, b.value) == ("second", "second")


def test_ends_that_other_threads_set_meanwhile_are_not_said_to_disagree():
    a, b = Thing(), Thing()
    main, go_on, threads = threading.get_ident(), threading.Event(), []
    entered = {a: threading.Event(), b: threading.Event()}

    def of_another_thread(source):
        def transform(value):
            if threading.get_ident() != main:
                entered[source].set()
                go_on.wait()
            return value

        return transform

    link_traits((a, "value"), (b, "value"), transform=(of_another_thread(a), of_another_thread(b)))

    def interfere(change):
        thing = change.owner
        if threading.get_ident() == main and not entered[thing].is_set() and (thing is b or b in changed):
            changed.add(thing)
            threads.append(threading.Thread(target=setattr, args=(thing, "value", f"other {len(threads)}")))
            threads[-1].start()
            entered[thing].wait()

    changed = set()
    a.observe(interfere, "value")
    b.observe(interfere, "value")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        a.value = "of this one"
    go_on.set()
    for thread in threads:
        thread.join()
    assert len(threads) == 2
    assert a.value == b.value


@pytest.mark.parametrize("limit", [1000, 0])
def test_what_other_threads_change_meanwhile_is_not_counted_as_a_cycle(monkeypatch, limit):
    monkeypatch.setattr(propagation, "_MAX_INTERRUPTIONS", limit)
    ring, swaps = [Thing() for _ in range(3)], itertools.count(1)

    def swap(change):
        # Another thread has set it, and has not come to say so.
        if (number := next(swaps)) < 500:
            change.owner._trait_values["value"] = number

    for thing in ring:
        thing.observe(swap, "value")
    chain([*ring, ring[0]])
    if limit:
        ring[0].value = "first"
        assert len({thing.value for thing in ring}) == 1
    else:
        with pytest.warns(LinkWarning, match="never settle"):
            ring[0].value = "first"


def test_no_thread_waits_for_anothers_observer():
    a, b, c, d = (Thing() for _ in range(4))
    chain([a, b])
    chain([c, d])
    inside, go_on = threading.Event(), threading.Event()

    def slow(change):
        inside.set()
        assert go_on.wait(30)

    b.observe(slow, "value")
    thread = threading.Thread(target=setattr, args=(a, "value", 1))
    thread.start()
    assert inside.wait(30)
    c.value = 2
    b.unobserve(slow, "value")
    a.value = 3
    assert (b.value, d.value) == (3, 2)
    go_on.set()
    thread.join()


# What is left.


def test_closing_one_in_the_middle_leaves_no_observer_and_the_rest_linked(manager):
    with manager.capture():
        widgets = [Any_() for _ in range(5)]
    chain(widgets)
    widgets[2].close()
    assert not observers_of_links(widgets[2])
    assert len(links()) == 2
    widgets[0].value = 1
    widgets[4].value = 2
    assert [widget.value for widget in widgets] == [1, 1, 0, 2, 2]


def notifiers(thing):
    """Who observes an object, of which trait."""
    return {
        (name, type_, callback)
        for name, by_type in thing._trait_notifiers.items()
        for type_, callbacks in by_type.items()
        for callback in callbacks
    }


@pytest.mark.parametrize("kind", [Counter, Any_, DescribedTraits])
@pytest.mark.parametrize("is_ring", [False, True])
@pytest.mark.parametrize("way", ["close", "unregister", "clear"])
def test_one_that_goes_from_the_middle_of_many_leaves_no_observer_and_no_reference(manager, kind, is_ring, way):
    widgets = [kind() for _ in range(10 if is_ring else 50)]
    for number, widget in enumerate(widgets):
        manager.register(str(number), widget)
    before = [notifiers(widget) for widget in widgets]
    made = [weakref.ref(link) for link in chain([*widgets, widgets[0]] if is_ring else widgets)]
    page = Page(manager)
    widgets[0].value = 1
    page.settle()
    middle = widgets.pop(5)
    before.pop(5)
    if way == "clear":
        manager.clear()
    elif way == "close" and hasattr(middle, "close"):
        middle.close()
    else:
        manager.unregister("5")
    assert len(links()) == (0 if way == "clear" else len(made) - 2)
    assert not observers_of_links(middle)
    links().unlink()
    left = [notifiers(widget) - known for widget, known in zip(widgets, before, strict=True)]
    assert not any(left)
    gone, page = weakref.ref(middle), None
    del middle
    widget = None
    gc.collect()
    assert gone() is None
    assert [ref() for ref in made if ref() is not None] == []


@pytest.mark.parametrize("kind", [Counter, Any_, DescribedTraits])
@pytest.mark.parametrize("let_go", [lambda manager: manager.unregister("a"), lambda manager: manager.clear()])
def test_a_manager_that_lets_go_of_a_widget_leaves_nothing_of_its_links(manager, kind, let_go):
    a, b = kind(), kind()
    manager.register("a", a)
    manager.register("b", b)
    ref = weakref.ref(chain([a, b])[0])
    let_go(manager)
    assert not observers_of_links(a, b) and not links()
    gc.collect()
    assert ref() is None


def test_a_widget_that_another_manager_still_hosts_keeps_its_links(manager):
    a, b, other = Any_(), Counter(), WidgetManager()
    manager.register("a", a)
    manager.register("b", b)
    [link] = chain([a, b])
    other.register("b", b)
    other.register("a", a)  # An ipywidget has one comm: it moves.
    manager.unregister("b")
    assert list(links()) == [link]
    other.clear()
    assert not links()


def test_a_widget_that_nobody_hosts_loses_its_links_when_it_is_closed():
    a, b = Any_(), Thing()
    chain([a, b])
    a.close()
    assert not links() and not observers_of_links(a, b)


def test_an_end_that_is_gone_takes_the_link_along():
    a, b = Thing(), Thing()
    [link] = chain([a, b])
    ref = weakref.ref(a)
    del a
    gc.collect()
    assert ref() is None and not observers_of_links(b) and not EARS
    assert repr(link) == "<Link (gone).value ↔ Thing.value>"
    link.link()
    assert not EARS


def test_a_transform_that_knows_its_widgets_keeps_none_of_them_alive():
    def linked():
        a, b = Thing(), Thing()
        link_traits((a, "value"), (b, "value"), one_way=True, transform=lambda value: (a, b) and value)
        a.value = b
        return weakref.ref(a), weakref.ref(b)

    refs = linked()
    gc.collect()
    assert [ref() for ref in refs] == [None, None] and not EARS


def test_an_object_with_links_of_its_own_goes_with_them():
    a = Thing()
    link_traits((a, "value"), (a, "number"))
    del a
    gc.collect()
    assert not EARS


def test_an_object_may_go_while_its_change_is_carried():
    a, things, c = Thing(), [Thing()], Thing()
    [link] = chain([a, things[0]])
    chain([a, c])
    c.observe(lambda change: (things.clear(), gc.collect(), link.unlink()), "value")
    a.value = 1
    assert c.value == 1 and len(links()) == 1


def test_observers_that_somebody_else_took_out_are_no_trouble():
    a, b = Thing(), Thing()
    [link] = chain([a, b])
    a.unobserve(next(one for one in observers_of_links(a) if one.__name__ == "changed"), "value")
    link.unlink()
    assert not observers_of_links(a, b)


# Hosted widgets.


def test_a_second_look_at_everything_lists_a_linked_trait_that_changed_silently(manager):
    a, b = Counter(), Counter()
    manager.register("a", a)
    manager.register("b", b)
    chain([a, b])
    page = Page(manager)
    a._trait_values["value"] = 5
    assert manager.store.refresh_all() == [("a", "value")]
    page.settle()
    assert (b.value, page.shown(widget_id="a"), page.shown(widget_id="b")) == (5, 5, 5)
    assert manager.store.refresh_all() == []


def test_a_trait_that_pages_do_not_see_can_be_linked(manager):
    a, b, c = Counter(), Counter(), Counter()
    for widget_id, widget in zip("abc", (a, b, c), strict=True):
        manager.register(widget_id, widget)
    link_traits((a, "value"), (b, "private"))
    link_traits((b, "private"), (c, "value"))
    page = Page(manager)
    page.edit("a", value=4)
    page.settle()
    assert (b.private, page.shown(widget_id="c"), page.shown(widget_id="b")) == (4, 4, 0)


def test_of_two_traits_that_a_page_saves_together_one_may_end_the_link_of_the_other(manager):
    a, b = Counter(), Counter()
    manager.register("a", a)
    link_traits((a, "value"), (b, "value"))
    second = link_traits((a, "label"), (b, "label"))
    b.observe(lambda change: second.unlink(), "value")
    page = Page(manager)
    page.edit("a", value=1, label="one")
    page.settle()
    assert (a.label, b.value, b.label, page.shown("label", "a")) == ("one", 1, "", "one")


def test_an_observer_may_have_what_pages_wrote_applied(manager):
    a, b, c, d = Counter(), Counter(), Counter(), Counter()
    for widget_id, widget in zip("abcd", (a, b, c, d), strict=True):
        manager.register(widget_id, widget)
    chain([a, b, c, d])
    page, other = Page(manager), Page(manager)
    other.edit("d", value=2)
    other.pull()

    def pump(change):
        b.unobserve(pump, "value")
        other.deliver_up()
        assert manager.apply_pending() == 1

    b.observe(pump, "value")
    a.value = 1
    page.settle()
    assert {widget.value for widget in (a, b, c, d)} == {2}
    assert {page.shown(widget_id=widget_id) for widget_id in "abcd"} == {2}


# Hosted widgets that hold what they have to say.


def test_a_widget_that_holds_its_sync_is_shown_with_what_is_linked_to_it(manager):
    with manager.capture():
        a, b = Any_(), Any_()
    chain([a, b])
    first, second = list(manager)
    page = Page(manager)
    with a.hold_sync():
        a.value = 5
        a.other = 6
        assert b.value == 5
        page.settle()
        assert page.shown("value", second) == 0
    page.settle()
    assert page.syncs()[-1].changes and len(page.syncs()[-1].changes) == 3
    assert [page.shown("value", one) for one in (first, second)] == [5, 5]


@pytest.mark.parametrize("end", [lambda a, link: link.unlink(), lambda a, link: a.close()])
def test_what_waits_for_a_hold_is_shown_when_the_link_is_gone_before_its_end(manager, end):
    with manager.capture():
        a, b = Any_(), Any_()
    [link] = chain([a, b])
    second = list(manager)[1]
    page = Page(manager)
    with a.hold_sync():
        a.value = 5
        end(a, link)
        page.settle()
        assert page.shown("value", second) == 5


# Listing.


def test_links_lists_those_of_a_widget_and_those_that_follow():
    things = [Thing() for _ in range(4)]
    made = chain(things)
    assert list(links()) == made
    assert list(links(things[1])) == made[:2]
    assert list(links(things[0], reach="connected")) == made
    assert list(links(things[0], things[3])) == [made[0], made[2]]
    assert isinstance(links()[:2], Links) and links()[0] is made[0]
    assert repr(links(things[0])) == "1 link\n  <Link Thing.value ↔ Thing.value>"
    assert repr(links()).startswith("3 links\n")
    with pytest.raises(ValueError, match="got 'far'"):
        links(reach="far")
    for nothing in (things, "thing", 5):
        with pytest.raises(TypeError, match=r"links\(\*widgets\)"):
            links(nothing)
    links(things[1]).unlink()
    assert list(links()) == made[2:]


def test_links_of_traitlets_are_listed_with_their_widgets():
    a, b = Thing(), Thing()
    plain, directed = traitlets.link((a, "value"), (b, "value")), traitlets.dlink((a, "number"), (b, "number"))
    listed = links(a)
    assert [(one.source, one.target, one.is_one_way, one.is_ours) for one in listed] == [
        ((a, "value"), (b, "value"), False, False),
        ((a, "number"), (b, "number"), True, False),
    ]
    assert listed[0] == TraitletsLink(plain) != TraitletsLink(directed)
    listed.unlink()
    listed.unlink()
    assert not links(a, b)
    a.value = a.number = 5
    assert (b.value, b.number) == (0, 0)


def test_links_are_shown_as_text_and_picture():
    a, b = Thing(), Thing()
    chain([a, b])
    bundle = links()._repr_mimebundle_()
    assert bundle["text/plain"] == repr(links())
    assert bundle["image/svg+xml"] == links().to_svg() == links()._repr_svg_()
    assert bundle["image/svg+xml"].startswith("<svg")


def test_ipywidgets_are_linked_as_any(manager):
    slider, text = ipywidgets.IntSlider(), ipywidgets.IntText()
    link_traits((slider, "value"), (text, "value"))
    text.value = 500
    assert (slider.value, text.value) == (100, 100)
    with atomic():
        slider.value = 7
    assert text.value == 7

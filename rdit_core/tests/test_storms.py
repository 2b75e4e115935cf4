import json

import pytest
import traitlets

from rdit_core import TRUSTED, Limits, WidgetManager
from rdit_core.events import ObserverFailed, WriteRecursed, WriteStorm, WriteWasRefused
from rdit_core.tests.pair import Counter, Page, Peer, changes


@pytest.fixture
def counter():
    return Counter()


@pytest.fixture
def manager(counter):
    manager = WidgetManager(epoch="test", limits=Limits(max_slot_writes=5))
    manager.register("w", counter)
    yield manager
    manager.clear()


@pytest.fixture
def events(manager):
    events = []
    for name in ("storm", "recursion", "write_refused", "observer_failed"):
        manager.on(name, events.append)
    return events


def storms(events):
    return [one for one in events if isinstance(one, WriteStorm)]


def base_write(connection, value, now_s):
    """The code of the answer."""
    update = {"type": "widget_update", "widget_id": "w", "property": "value", "value": value}
    connection.receive_frame(json.dumps(update), now_s)
    connection._core.apply_pending()
    return json.loads(connection.frames_to_send(now_s)[0]).get("code")


@pytest.mark.threat(30)
def test_a_slot_that_pages_write_too_often_takes_no_more_until_the_period_is_over(manager, counter, events, caplog):
    ran = []
    counter.observe(lambda change: ran.append(change.new), "value")
    pages = [Peer(manager, now=10.0), Peer(manager, now=10.0)]
    base = manager.connect(TRUSTED)
    verdicts = [page.write(page.op("value", 2 * n + at)) for n in (1, 2) for at, page in enumerate(pages)]
    assert (verdicts, base_write(base, 100, 10.5)) == ([[]] * 4, None)
    # Whoever comes next, in either mode; and another slot is none of it.
    assert pages[0].write(pages[0].op("value", 50), pages[0].op("label", "x")) == [(0, "too_often")]
    assert base_write(base, 51, 10.6) == "too_often"
    assert pages[1].write(pages[1].op("value", 52)) == [(0, "too_often")]
    assert (counter.value, counter.label, ran) == (100, "x", [2, 3, 4, 5, 100])
    # Said once.
    assert storms(events) == [WriteStorm("w", "value")]
    assert [one.code for one in events if isinstance(one, WriteWasRefused)] == ["too_often"] * 3
    assert [record.event for record in caplog.records] == ["storm"]
    for page in pages:
        page.now = 11.0
    assert [pages[0].write(pages[0].op("value", value)) for value in range(6)] == [[]] * 5 + [[(0, "too_often")]]
    assert len(storms(events)) == 2


@pytest.mark.threat(30)
def test_two_pages_that_answer_each_other_for_ever_come_to_an_end_in_each_period(manager, counter, events):
    pages = [Page(manager), Page(manager)]
    is_answering = []

    def answering(at):
        def answer(*_):
            if not is_answering:  # Its own edit is no news.
                is_answering.append(at)
                pages[at].edit(value=pages[at].shown() + 1 + at)
                is_answering.clear()

        return answer

    for at, page in enumerate(pages):
        page.model().on("change:value", answering(at))
    pages[0].edit(value=1)
    for _ in range(100):
        for page in pages:
            page.pull()
            page.deliver_up()
        manager.apply_pending()
        for page in pages:
            page.pull()
            page.deliver_down()
    assert len(storms(events)) == 1
    taken = counter.value
    # A third page's widget is not held up, and what Python sets is told.
    manager.register("calm", Counter())
    third = Peer(manager)
    assert third.write(third.op("value", 7, "calm")) == []
    counter.label = "told"
    assert ("label", "told") in changes(third.syncs())
    assert counter.value == taken


@pytest.mark.threat(30)
@pytest.mark.parametrize("hz", [60, 120])
def test_eight_tabs_that_drag_one_slider_are_no_storm(hz):
    manager = WidgetManager(epoch="test")
    manager.register("w", counter := Counter())
    told = []
    manager.on("storm", told.append)
    manager.on("write_refused", told.append)
    pages = [Peer(manager) for _ in range(8)]
    value = 0
    for frame in range(3 * hz):
        for page in pages:
            page.now = frame / hz
            value += 1
            page.batch(page.op("value", value))
        manager.apply_pending()
        for page in pages:
            page.syncs()
    assert (told, counter.value) == ([], 24 * hz)
    manager.clear()


@pytest.mark.threat(30)
def test_names_that_are_no_properties_leave_nothing_behind(manager, counter):
    peer = Peer(manager)
    assert [code for n in range(20) for _, code in peer.write(peer.op(f"none{n}", 1))] == ["unknown_property"] * 20
    assert manager.store.find("w").periods == {}


def chased(manager):
    """Two more widgets whose traits chase each other without end."""
    a, b = Counter(), Counter()
    manager.register("a", a)
    manager.register("b", b)
    a.observe(lambda change: setattr(b, "value", change.new + 1), "value")
    b.observe(lambda change: setattr(a, "value", change.new + 1), "value")
    return a, b


@pytest.mark.threat(30)
@pytest.mark.parametrize("mode", ["v1", "base", "group"])
def test_a_write_that_recurses_without_end_has_a_verdict_and_pages_have_what_it_left(manager, events, mode):
    a, b = chased(manager)
    peer, base = Peer(manager), manager.connect(TRUSTED)
    if mode == "base":
        update = {"type": "widget_update", "widget_id": "a", "property": "value", "value": 1}
        base.receive_frame(json.dumps(update), 0.0)
        assert manager.apply_pending() == 1
        assert json.loads(base.frames_to_send()[0])["type"] == "ack"
    else:
        ops = [peer.op("value", 1, "a"), *([peer.op("label", "x", "a")] if mode == "group" else [])]
        peer.batch(*ops)
        assert manager.apply_pending() == 1
    syncs = peer.syncs()
    if mode != "base":
        assert [one.code for sync in syncs for one in sync.rejects] == ["observer_failed"]
    failed, recursed = [one for one in events if isinstance(one, ObserverFailed | WriteRecursed)]
    assert (failed.widget_id, failed.property) == (recursed.widget_id, recursed.property) == ("a", "value")
    assert isinstance(recursed.error, RecursionError)
    assert set(recursed.changed) <= {("a", "value"), ("b", "value")}
    # Nothing is lost: what Python has is what pages have.
    shown = {("a", "value"): 0, ("b", "value"): 0}
    for sync in syncs:
        shown.update({(change[0], change[2]): change[3] for change in sync.changes})
    assert (shown["a", "value"], shown["b", "value"]) == (a.value, b.value)
    assert a.value > 1
    # And the next write is as any other.
    assert peer.write(peer.op("label", "after", "b")) == []
    assert b.label == "after"


class Odd(Counter):
    """Its value is odd."""

    @traitlets.validate("value")
    def _value(self, proposal):
        return proposal.value | 1


@pytest.mark.threat(30)
@pytest.mark.parametrize("kind", [traitlets.link, traitlets.dlink])
def test_linked_traits_whose_validators_do_not_agree_end_in_a_verdict_and_are_shown_as_they_are(manager, events, kind):
    a, b = Counter(value=1), Odd(value=1)
    manager.register("a", a)
    manager.register("b", b)
    kind((a, "value"), (b, "value"))
    if kind is traitlets.dlink:
        kind((b, "value"), (a, "value"), lambda value: value + 1)
    page = Page(manager)
    page.edit("a", value=2)
    page.settle()
    assert not [one for one in events if isinstance(one, WriteRecursed)]
    assert (page.shown(widget_id="a"), page.shown(widget_id="b")) == (a.value, b.value)
    assert b.value == 3
    assert page.codes() == []


class Torn(Counter):
    """Two validators that each put the other's trait right."""

    other = traitlets.Int(0).tag(sync=True)

    @traitlets.validate("value")
    def _value(self, proposal):
        self.other = proposal.value + 1
        return proposal.value

    @traitlets.validate("other")
    def _other(self, proposal):
        self.value = proposal.value + 1
        return proposal.value


@pytest.mark.threat(30)
@pytest.mark.parametrize("mode", ["v1", "base"])
def test_validators_that_disagree_without_end_refuse_the_write_and_the_host_hears_why(manager, events, mode):
    manager.register("t", Torn())
    peer, base = Peer(manager), manager.connect(TRUSTED)
    if mode == "base":
        base.receive_frame('{"type":"widget_update","widget_id":"t","property":"value","value":1}', 0.0)
        manager.apply_pending()
        assert json.loads(base.frames_to_send()[0])["code"] == "invalid_value"
    else:
        assert peer.write(peer.op("value", 1, "t")) == [(0, "invalid_value")]
    [recursed] = [one for one in events if isinstance(one, WriteRecursed)]
    assert (recursed.widget_id, recursed.property, type(recursed.error)) == ("t", "value", RecursionError)
    assert peer.write(peer.op("label", "after", "t")) == []

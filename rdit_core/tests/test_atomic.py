import asyncio
import contextvars
import itertools
import threading

import anywidget
import pytest
import traitlets

from rdit_core import TRUSTED, Limits, LinkWarning, WidgetManager, atomic, link_traits, links
from rdit_core.atomic import present_group

from .kinds import KINDS, TELLS_OF_CHANGES, DescribedTraits, every_kind
from .pair import Counter, Page, Peer, changes


class Any_(anywidget.AnyWidget):
    _esm = "export default {}"
    value = traitlets.Int(0).tag(sync=True)
    data = traitlets.Any(None, allow_none=True).tag(sync=True)


@pytest.fixture(autouse=True)
def no_group_is_left_behind():
    yield
    assert present_group() is None
    links().unlink()


def several(manager, count, kind=Counter):
    """Widgets under the ids `0`, `1`, ..."""
    widgets = [kind() for _ in range(count)]
    for number, widget in enumerate(widgets):
        manager.register(str(number), widget)
    return widgets


class Watched(Page):
    """A page that looks at itself after each frame that it has applied."""

    def __init__(self, manager, look, **options):
        self.look = look
        self.applied = 0
        super().__init__(manager, **options)

    def deliver_down(self, count=None):
        for _ in range(len(self.down) if count is None else count):
            super().deliver_down(1)
            if self.client.state == "live":
                self.applied += 1
                self.look(self)


def all_equal(page):
    values = {repr(page.shown(widget_id=widget_id)) for widget_id in page.manager.widgets}
    assert len(values) == 1, values


# A block.


@pytest.mark.parametrize("kind", [Counter, Any_])
def test_what_changes_in_a_block_is_one_update(manager, kind):
    a, b = several(manager, 2, kind)
    peer = Peer(manager)
    with atomic():
        a.value = 1
        assert not peer.syncs()
        b.value = 2
        a.value = 3
        assert not peer.syncs()
    [sync] = peer.syncs()
    assert [(change[0], change[3]) for change in sync.changes] == [("0", 3), ("1", 2)]


@every_kind
def test_every_kind_of_widget_waits_for_the_end(manager, kind):
    widget = kind()
    manager.register("w", widget)
    peer = Peer(manager)
    with atomic():
        widget.value, widget.label = 4, "four"
        if kind not in [KINDS[name] for name in TELLS_OF_CHANGES]:
            manager.touch(widget, "value")
            manager.touch(widget, "label")
        assert not peer.syncs()
    [sync] = peer.syncs()
    assert sorted(changes([sync])) == [("label", "four"), ("value", 4)]


def test_the_outermost_block_decides(manager):
    a, b = several(manager, 2)
    peer = Peer(manager)
    with atomic():
        with atomic():
            a.value = 1
        assert not peer.syncs()
        b.value = 1
    assert len(peer.syncs()) == 1


def test_a_block_that_raises_tells_what_was_changed(manager):
    a, b = several(manager, 2)
    peer = Peer(manager)

    def block():
        with atomic():
            a.value = b.value = 1
            raise RuntimeError

    with pytest.raises(RuntimeError):
        block()
    assert len(peer.syncs()[0].changes) == 2


def test_what_is_set_and_set_back_is_not_told(manager):
    [a] = several(manager, 1)
    peer = Peer(manager)
    with atomic():
        a.value = 1
        a.value = 0
    assert not peer.syncs()


def test_a_custom_message_comes_after_what_was_changed_before_it(manager):
    [a] = several(manager, 1, Any_)
    peer = Peer(manager)
    with atomic():
        a.value = 1
        a.send("between")
        [sync] = peer.syncs()
        assert changes([sync]) == [("value", 1)]
        assert [message.content for message in sync.msgs] == ["between"]
        a.value = 2
        assert not peer.syncs()
    assert changes(peer.syncs()) == [("value", 2)]


def test_a_custom_message_of_an_observer_on_a_chain_waits_for_the_whole_chain(manager):
    widgets = several(manager, 3, Any_)
    for a, b in itertools.pairwise(widgets):
        link_traits((a, "value"), (b, "value"))
    widgets[1].observe(lambda change: widgets[1].send("on the way"), "value")
    peer = Peer(manager)
    widgets[0].value = 1
    [sync] = peer.syncs()
    assert len(sync.changes) == 3 and [message.content for message in sync.msgs] == ["on the way"]


def test_other_threads_are_not_held_up(manager):
    a, b = several(manager, 2)
    peer = Peer(manager)
    with atomic():
        a.value = 1
        thread = threading.Thread(target=setattr, args=(b, "value", 2))
        thread.start()
        thread.join()
        assert changes(peer.syncs()) == [("value", 2)]
    assert changes(peer.syncs()) == [("value", 1)]


def test_two_threads_that_write_one_widget_leave_what_stands(manager):
    [a] = several(manager, 1)
    peer = Peer(manager)
    thread = threading.Thread(target=setattr, args=(a, "value", 1))
    thread.start()
    thread.join()
    with atomic():
        a.value = 2
    assert changes(peer.syncs()) == [("value", 2)]


def test_a_block_in_a_task_holds_no_other_task(manager):
    a, b = several(manager, 2)
    peer = Peer(manager)

    async def block(begun, go_on):
        with atomic():
            a.value = 1
            begun.set()
            await go_on.wait()
            a.data = "end"

    async def main():
        begun, go_on = asyncio.Event(), asyncio.Event()
        task = asyncio.create_task(block(begun, go_on))
        await begun.wait()
        b.value = 2
        assert changes(peer.syncs()) == [("value", 2)]
        go_on.set()
        await task

    asyncio.run(main())
    [sync] = peer.syncs()
    assert sorted(changes([sync])) == [("data", "end"), ("value", 1)]


def test_a_context_that_outlives_the_block_is_in_no_group(manager):
    [a] = several(manager, 1)
    peer = Peer(manager)
    with atomic():
        context = contextvars.copy_context()
    context.run(setattr, a, "value", 1)
    assert changes(peer.syncs()) == [("value", 1)]
    context.run(link_traits, (a, "value"), (Counter(), "value"))
    context.run(setattr, a, "value", 2)
    assert changes(peer.syncs()) == [("value", 2)]


def test_a_widget_that_is_made_in_a_block_opens_whole(manager):
    peer = Peer(manager)
    with atomic():
        manager.register("w", widget := Counter(value=5))
        [sync] = peer.syncs()
        assert sync.open[0].props["value"][0] == 5
        widget.value = 6
        assert not peer.syncs()
    assert changes(peer.syncs()) == [("value", 6)]


def test_a_widget_that_is_closed_in_a_block_takes_its_changes_along(manager):
    a, b = several(manager, 2)
    peer = Peer(manager)
    with atomic():
        a.value = b.value = 1
        manager.unregister("0")
    assert changes(peer.syncs()) == [("value", 1)]


def test_new_code_does_not_wait(manager):
    class Coded(Counter):
        _esm = traitlets.Unicode("one").tag(sync=True)

    manager.register("w", widget := Coded())
    peer = Peer(manager)
    with atomic():
        widget.value = 1
        widget._esm = "two"
        assert changes(peer.syncs()) in ([("_esm", "two")], [("value", 1), ("_esm", "two")]) and manager.serialize("w")
    assert manager.serialize("w")["esm"] == "two"
    peer.syncs()


def test_a_serializer_that_fails_keeps_nothing_else_back(manager):
    def fail(value, widget):
        if value:
            raise RuntimeError
        return value

    class Failing(Counter):
        bad = traitlets.Int(0).tag(sync=True, to_json=fail)

    manager.register("w", widget := Failing())
    told = []
    manager.on("unserializable_value", told.append)
    peer = Peer(manager)
    with atomic():
        widget.value = 1
        widget.data = object()
        with pytest.raises(RuntimeError):
            widget.bad = 1
        manager.touch(widget, "bad")
    assert changes(peer.syncs()) == [("value", 1)]
    assert told


def test_a_serializer_that_fails_at_the_end_only_keeps_nothing_else_back(manager):
    is_end = False

    def fail_at_end(value, widget):
        if is_end:
            raise RuntimeError
        return value

    class Failing(Counter):
        bad = traitlets.Int(0).tag(sync=True, to_json=fail_at_end)

    manager.register("w", widget := Failing())
    told = []
    manager.on("unserializable_value", told.append)
    peer = Peer(manager)
    with atomic():
        widget.bad = widget.value = 1
        is_end = True
    assert changes(peer.syncs()) == [("value", 1)]
    assert [event.property for event in told] == ["bad"]


def test_what_a_widget_says_of_no_trait_of_its_own_waits_as_it_is(manager):
    [a] = several(manager, 1, Any_)
    peer = Peer(manager)
    with atomic():
        a.comm.send({"method": "update", "state": {"extra": 5}})
        assert not peer.syncs()
    assert changes(peer.syncs()) == [("extra", 5)]


def test_a_trait_that_is_never_twice_the_same_holds_no_thread_for_ever(manager):
    numbers = itertools.count()

    class Restless(Counter):
        restless = traitlets.Int(0).tag(sync=True, to_json=lambda value, widget: next(numbers))

    manager.register("w", widget := Restless())
    peer = Peer(manager)
    thread = threading.Thread(target=setattr, args=(widget, "value", 1))
    thread.start()
    thread.join()
    with atomic():
        widget.restless = 1
    assert dict(changes(peer.syncs()))["value"] == 1


def test_what_pages_wrote_is_applied_by_itself(manager):
    [a] = several(manager, 1)
    page = Page(manager)
    page.edit("0", value=5)
    page.pull()
    page.deliver_up()
    with atomic():
        a.data = "pending"
        manager.apply_pending()
        page.pull()
        assert [len(sync.changes) for sync in page.syncs()[-1:]] == [2]
        a.data = "more"
        page.settle()
        assert page.shown("data", "0") == "pending"
    page.settle()
    assert (page.shown("data", "0"), page.shown("value", "0")) == ("more", 5)


def test_base_mode_gets_each_property_as_always(manager):
    a, b = several(manager, 2)
    connection = manager.connect(TRUSTED)
    with atomic():
        a.value = 1
        b.value = 2
        assert connection.frames_to_send() == []
    assert len(connection.frames_to_send()) == 2


def test_each_manager_has_its_own_update(manager):
    other = WidgetManager()
    a, b = Counter(), Counter()
    manager.register("a", a)
    other.register("b", b)
    link_traits((a, "value"), (b, "value"))
    first, second = Peer(manager), Peer(other)
    a.value = 3
    assert changes(first.syncs()) == changes(second.syncs()) == [("value", 3)]


# Links.


@pytest.mark.parametrize("kind", [Counter, Any_, DescribedTraits])
@pytest.mark.parametrize("setter", ["python", "page", "handler", "update"])
def test_a_chain_crosses_as_one_update_whoever_began(manager, kind, setter):
    widgets = several(manager, 50, kind)
    for a, b in itertools.pairwise(widgets):
        link_traits((a, "value"), (b, "value"))
    page = Watched(manager, all_equal)
    actor = Page(manager)
    before = len(page.frames)
    if setter == "python":
        widgets[20].value = 1
    elif setter == "page":
        actor.edit("20", value=1)
        actor.settle()
    elif setter == "handler":
        widgets[20]._handle_custom_msg = lambda content, buffers: setattr(widgets[20], "value", content)
        widgets[20]._handle_custom_msg(1, [])
    else:
        manager.update("20", "value", 1)
    page.settle()
    assert page.applied and page.shown(widget_id="49") == 1
    assert [len(sync.changes) for sync in page.syncs() if sync.changes] == [50]
    frames = len([way for way, _ in page.frames[before:] if way == "down"])
    print(f"chain of 50, {kind.__name__}, begun by {setter}: {frames} frame to the page")
    assert frames == 1


def test_a_ring_takes_one_frame_for_each_change(manager):
    widgets = several(manager, 10)
    for a, b in zip(widgets, [*widgets[1:], widgets[0]], strict=True):
        link_traits((a, "value"), (b, "value"))
    page = Watched(manager, all_equal)
    for turn in range(1, 6):
        before = page.applied
        widgets[turn].value = turn
        page.settle()
        print(f"ring of 10, change {turn}: {page.applied - before} frame to the page")
        assert page.applied == before + 1


def test_a_page_that_reads_after_every_step_sees_equal_ends(manager):
    """Every place where a cut could fall: at each trait that is set, validated, serialized or observed."""
    page = None

    def step(*_):
        if page is not None:
            page.settle()

    def stepping(value, widget):
        step()
        return value

    class Stepping(traitlets.HasTraits):
        _esm = "export default {}"
        value = traitlets.Any(0).tag(sync=True, to_json=stepping)

        @traitlets.validate("value")
        def _validate(self, proposal):
            step()
            return proposal.value

    widgets = several(manager, 6, Stepping)
    for widget in widgets:
        widget.observe(step, "value")
    for a, b in itertools.pairwise(widgets):
        link_traits((a, "value"), (b, "value"))
    for widget in widgets:
        widget.observe(step, "value")
    page = Watched(manager, all_equal)
    for number, widget in enumerate(widgets, 1):
        widget.value = number
    other = Page(manager)
    other.edit("3", value="from the page")
    other.pull()
    other.deliver_up()
    widgets[0].value = "is carried while the page's value comes"
    page.settle()
    assert page.shown(widget_id="0") == widgets[0].value and page.applied


def test_a_thread_that_reads_all_the_time_sees_equal_ends(manager):
    widgets = several(manager, 20, Any_)
    for a, b in itertools.pairwise(widgets):
        link_traits((a, "value"), (b, "value"))
    page, done, failures = Watched(manager, all_equal), threading.Event(), []

    def read():
        try:
            while not done.is_set():
                page.pull()
                page.deliver_down()
                page.deliver_up()
        except AssertionError as error:
            failures.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    for turn in range(1, 60):
        widgets[turn % 20].value = turn
    done.set()
    thread.join()
    page.settle()
    assert not failures and page.applied and page.shown(widget_id="0") == 59


def test_an_update_in_parts_is_applied_as_one(manager):
    manager = WidgetManager(limits=Limits(max_sync_bytes=2000))
    widgets = several(manager, 8)
    for a, b in itertools.pairwise(widgets):
        link_traits((a, "data"), (b, "data"))

    def look(page):
        assert len({page.shown("data", widget_id) for widget_id in manager.widgets}) == 1

    page = Watched(manager, look)
    before = len(page.syncs())
    widgets[0].data = "x" * 1500
    for turn in range(20):
        page.pull()
        page.deliver_down(min(1, len(page.down)))
        widgets[turn % 8].data = "y" * (1500 + turn)
        page.deliver_up()
    page.settle()
    assert any(sync.more for sync in page.syncs()[before:])
    assert page.shown("data", "0") == "y" * 1519
    manager.clear()


def test_linked_mailboxes_show_each_message_at_both_ends(manager):
    a, b = several(manager, 2)
    link_traits((a, "data"), (b, "data"))
    seen = []

    def look(page):
        seen.append((page.shown("data", "0"), page.shown("data", "1")))

    page = Watched(manager, look)
    for value in ("one", None, "two", None):
        a.data = value
    page.settle()
    assert seen[1:] == [("one", "one"), (None, None), ("two", "two"), (None, None)]


def answer(manager, *widget_ids):
    """Pages set one and the other in turn."""
    for turn in range(1, 1200):
        manager.update(widget_ids[turn % 2], "value", turn)


def test_pages_that_answer_each_other_without_end_are_reported_once(manager):
    a, b = several(manager, 2)
    link_traits((a, "value"), (b, "value"))
    told = []
    manager.on("link_unsettled", told.append)
    with pytest.warns(LinkWarning, match="Pages answer each other"):
        answer(manager, "0", "1")
    [event] = told
    assert event.reason == "pages_answer" and sorted(event.ends) == ["Counter[0].value", "Counter[1].value"]


def test_pages_that_change_one_end_several_times_answer_nobody(manager):
    a, b = several(manager, 2)
    link_traits((a, "value"), (b, "value"))
    manager.on("link_unsettled", lambda event: pytest.fail(str(event)))
    for turn in range(1, 3000):
        if turn % 900:
            manager.update(str(turn % 2), "value", turn)
        else:
            b.value = turn


def test_two_pages_that_answer_each_other_do_not_keep_a_third_waiting(manager):
    a, b = several(manager, 2)
    manager.register("2", Counter())
    link_traits((a, "value"), (b, "value"))
    pages = [Page(manager), Page(manager)]
    third = Page(manager)
    pages[0].edit("0", value=1)
    for _ in range(20):
        for number, page in enumerate(pages):
            page.send()
            page.deliver_down()
            page.edit(str(number), value=page.shown(widget_id=str(number)) + 1)
    third.edit("2", label="through")
    third.settle()
    assert manager["2"].label == "through"
    for page in pages:
        page.settle()
    assert a.value == b.value

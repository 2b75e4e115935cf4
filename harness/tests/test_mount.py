import anywidget
import pytest
import traitlets

from rdit_harness import Mounter, expect


@pytest.fixture(params=["v1", "base"])
def rdit_mode(request):
    return request.param


class Counter(anywidget.AnyWidget):
    _esm = "export default {}"
    value = traitlets.Int(0, max=10).tag(sync=True)


def test_a_class_is_made_and_shown_with_its_traits(mount):
    view = mount(Counter, value=3)
    assert isinstance(view.widget, Counter)
    expect(view).to_have(value=3)
    assert view.model is view.view.model
    assert view.page.frontend.manager[view.model.widget_id] is view.widget


def test_an_instance_is_shown_and_stays_the_same(mount):
    counter = Counter(value=2)
    view = mount(counter)
    assert view.widget is counter
    counter.value = 4
    expect(view).to_have(value=4)


def test_traits_for_an_instance_are_a_mistake(mount):
    with pytest.raises(TypeError, match="or an instance without"):
        mount(Counter(), value=2)


SAID = {
    "base": [("to_server", "widget_update"), ("to_page", "ack")],
    "v1": [("to_server", "batch"), ("to_page", "sync"), ("to_server", "sync_ack")],
}


def test_a_user_sets_and_python_follows(mount, rdit_mode):
    view = mount(Counter)
    before = len(view.wire)
    view.set(value=5)
    assert view.widget.value == 5
    assert [(frame.direction, frame.message["type"]) for frame in view.wire[before:]] == SAID[rdit_mode]
    assert {frame.at_s for frame in view.wire} == {0.0}
    assert '"value"' in view.wire[before].text


def test_a_refused_value_is_corrected(mount, rdit_mode):
    view = mount(Counter, value=1)
    view.set(value=11)
    expect(view).to_have(value=1)
    assert [event.code for event in view.page.events] == ["invalid_value"]
    assert view.page.frontend.clock.now_s == (0.25 if rdit_mode == "base" else 0)


def test_two_mounts_are_two_tabs_and_one_page_can_show_two_widgets(mount):
    counter = Counter()
    here, there = mount(counter), mount(counter)
    assert here.page is not there.page
    here.set(value=7)
    expect(there).to_have(value=7)
    beside = mount(Counter, page=here.page, value=9)
    assert beside.page is here.page
    again = mount(counter, page=here.page)
    assert again.model is here.model


def test_a_link_that_is_cut_keeps_edits_until_it_heals(mount):
    view = mount(Counter, value=2)
    assert view.net.is_up
    view.net.drop()
    view.net.drop()
    assert not view.net.is_up
    view.set(value=4)
    assert view.widget.value == 2
    view.net.heal()
    view.net.heal()
    expect(view).to_have(value=4)
    assert view.widget.value == 4


def test_render_plays_the_part_of_the_module_and_its_cleanup_runs_at_the_end(rdit_mode):
    mounter, calls = Mounter(rdit_mode), []

    def render(view):
        view.on("change:value", lambda: calls.append(view.model.get("value")))
        return lambda: calls.append("gone")

    view = mounter(Counter, render=render)
    view.widget.value = 3
    view.settle()
    mounter.finish()
    assert calls == [3, "gone"]
    assert view.model.listener_count == 0
    assert len(mounter.frontend.manager) == 0
    assert mounter.frontend.pages == []


def failing(*_):
    raise RuntimeError("mine")


def test_an_observer_that_raises_fails_the_test_that_mounted_the_widget(rdit_mode):
    mounter = Mounter(rdit_mode)
    view = mounter(Counter)
    view.widget.observe(failing, "value")
    view.set(value=1)
    with pytest.raises(
        AssertionError, match=r"^1 exception\(s\) in observers, listeners or modules, the first: RuntimeError"
    ) as it:
        mounter.finish()
    assert str(it.value.__cause__) == "mine"


def test_a_listener_that_raises_fails_the_test_that_mounted_the_widget(rdit_mode):
    mounter = Mounter(rdit_mode)
    view = mounter(Counter)
    view.model.on("change", failing)
    view.set(value=1)
    view.widget.value = 2
    view.settle()
    with pytest.raises(AssertionError, match=r"^2 exception"):
        mounter.finish()
    assert len(mounter.frontend.manager) == 0


def test_a_listener_of_a_widget_that_is_closed_meanwhile_fails_the_test_all_the_same(rdit_mode):
    mounter = Mounter(rdit_mode)
    view = mounter(Counter)
    view.model.on("change", failing)
    view.widget.value = 2
    view.settle()
    view.widget.close()
    view.settle()
    with pytest.raises(AssertionError, match=r"^1 exception"):
        mounter.finish()


def test_mounts_on_pages_of_either_mode_show_one_widget(mount):
    counter = Counter()
    views = [mount(counter, page=mount.frontend.page(mode)) for mode in ("v1", "base")]
    views[0].set(value=7)
    for view in views:
        expect(view).to_have(value=7)

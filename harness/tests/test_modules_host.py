"""How modules in Python find each other: `host`, references, children, circles."""

import asyncio

import anywidget
import ipywidgets
import pytest
import traitlets

from rdit_harness import AbortController, AbortError, Element
from rdit_harness.modules.host import ReferenceFailed


@pytest.fixture(params=["v1", "base"])
def rdit_mode(request):
    return request.param


V1 = pytest.mark.parametrize("rdit_mode", ["v1"])


class Child(anywidget.AnyWidget):
    _esm = "export default {}"
    value = traitlets.Int(0).tag(sync=True)


class Parent(anywidget.AnyWidget):
    _esm = "export default {}"
    child = traitlets.Instance(Child, allow_none=True).tag(sync=True, **ipywidgets.widget_serialization)
    ref = traitlets.Unicode().tag(sync=True)


class ChildModule:
    def initialize(self, model):
        return {"double": lambda: 2 * model.get("value")}

    def render(self, model, el):
        def show():
            el.text_content = f"child {model.get('value')}"

        model.on("change:value", show)
        show()


class ParentModule:
    async def render(self, model, el, host):
        slot = Element("section")
        el.append("parent of ", slot)
        child = await host.get_widget(model.get("child"))
        await child.render(slot)


@pytest.fixture
def calls():
    return []


@pytest.fixture
def show(mount, rdit_mode):
    """Shows a parent on a page that has its child open."""

    def show(parent, module=ParentModule, child=ChildModule):
        mount.modules[Child] = child
        page = mount.frontend.page()
        if rdit_mode == "base" and parent.child is not None:
            page.open(parent.child)  # In base mode nobody else opens it.
        return mount(parent, module=module, page=page)

    return show


@pytest.mark.afm(69, 70)
def test_a_child_is_found_by_its_reference_initialized_and_rendered_into_its_parent(show):
    parent = Parent(child=Child(value=3))
    view = show(parent)
    assert view.el.text_content == "parent of child 3"
    parent.child.value = 4
    view.settle()
    assert view.el.find("section").text_content == "child 4"


@pytest.mark.afm(69, 70)
@pytest.mark.parametrize("prefix", ["anywidget:", "IPY_MODEL_"])
def test_a_reference_has_one_of_two_forms_and_exports_are_there_when_initialize_is_done(mount, show, calls, prefix):
    class SlowModule:
        async def initialize(self, model):
            await asyncio.sleep(1)
            return {"double": lambda: 2 * model.get("value")}

    async def render(model, host):
        child = await host.getWidget(model.get("ref"))
        calls.append(child.exports["double"]())
        other = await host.getModel(model.get("ref"))
        calls.append(other.get("value"))

    child = Child(value=5)
    parent = Parent(child=child, ref=prefix + mount.frontend.manager.add(child))
    view = show(parent, {"render": render}, SlowModule)
    assert calls == []
    view.advance(1)
    assert calls == [10, 5]


@pytest.mark.afm(71)
@pytest.mark.parametrize("ref", ["", "anywidget:", "Child", "other:1", None, 3, {"a": 1}])
def test_a_malformed_reference_is_refused_with_its_value(mount, calls, ref):
    async def render(host):
        for ask in (host.get_widget, host.get_model):
            with pytest.raises(ReferenceFailed) as it:
                await ask(ref)
            calls.append(str(it.value))

    mount(Parent, module={"render": render})
    assert calls == [f'Invalid widget reference: {ref!r}; expected "anywidget:<widget id>"'] * 2


@pytest.mark.afm(71)
def test_a_widget_that_never_opens_rejects_after_ten_seconds_with_the_reference(mount):
    async def render(host):
        await host.get_widget("anywidget:nobody")

    view = mount(Parent, module={"render": render})
    assert view.failure is None
    with mount.expecting(ReferenceFailed, "'anywidget:nobody': Widget 'nobody' is not open"):
        view.advance(10)
    assert view.failure.stage == "render"


@pytest.mark.afm(71)
def test_a_child_that_opens_later_is_waited_for(mount, show, calls):
    async def render(model, host):
        child = await host.get_widget(f"anywidget:{model.get('ref')}")
        calls.append(child.exports["double"]())

    view = show(Parent(ref="late"), {"render": render})
    view.advance(5)
    mount.frontend.manager.register("late", Child(value=2))
    view.page.open("late")
    view.settle()
    assert calls == [4]


@V1
def test_while_there_is_no_connection_no_time_passes_for_a_child_that_is_not_open(mount, show, calls):
    async def render(host):
        calls.append((await host.get_widget("anywidget:late")).exports["double"]())

    view = show(Parent(), {"render": render})
    view.net.drop()
    view.advance(60)
    mount.frontend.manager.register("late", Child(value=2))
    view.net.heal()
    view.settle()
    assert calls == [4]


def test_a_view_that_ends_waits_for_no_child_any_more(mount, calls):
    async def render(host, signal):
        with pytest.raises(AbortError):
            await host.get_widget("anywidget:nobody")
        with pytest.raises(AbortError):
            await host.get_model("anywidget:nobody")
        calls.append(signal.aborted)

    view = mount(Parent, module={"render": render})
    view.dispose()
    assert calls == [True]


@pytest.mark.afm(17, 71)
def test_a_child_that_fails_to_initialize_rejects_at_once_with_the_reference_and_the_cause(mount, show):
    parent = Parent(child=Child())
    with mount.expecting(ReferenceFailed, r"Widget 'IPY_MODEL_.+' failed: mine"):
        view = show(parent, child={"initialize": failing})
    assert [failure.stage for failure in view.page.code.failures] == ["initialize", "render"]
    assert [failure.widget_id == view.model.widget_id for failure in view.page.code.failures] == [False, True]


def failing():
    raise RuntimeError("mine")


def test_a_child_whose_render_raises_rejects_in_the_hands_of_its_parent(show, calls):
    async def render(model, el, host):
        child = await host.get_widget(model.get("child"))
        try:
            await child.render(el)
        except Exception as error:
            calls.append(str(error))

    view = show(Parent(child=Child()), {"render": render}, {"render": failing})
    assert calls == ["mine"]
    assert view.failure is None


def test_a_child_without_a_module_in_python_says_how_to_give_it_one(mount, rdit_mode):
    parent = Parent(child=Child())
    page = mount.frontend.page()
    page.open(parent.child)
    with mount.expecting(LookupError, r"has no module in Python: .*mount\.modules\[WidgetClass\]"):
        mount(parent, module=ParentModule, page=page)


@pytest.mark.afm(72)
def test_a_child_ends_with_its_parents_view_or_by_a_signal_of_its_own(show, calls):
    stop = AbortController()

    class Watched(ChildModule):
        def render(self, model, el, signal, host):
            el.append("child")
            calls.append(host)
            model.on("change", lambda: calls.append("heard"))
            return lambda: calls.append("child ends")

    async def render(model, el, host):
        calls.append(host)
        child = await host.get_widget(model.get("child"))
        await child.render(el)
        await child.render(el, signal=stop.signal)
        return lambda: calls.append("parent ends")

    parent = Parent(child=Child())
    view = show(parent, {"render": render}, Watched)
    assert len(set(calls)) == 3  # A host each.
    calls.clear()
    stop.abort()
    assert calls == ["child ends"]
    parent.child.value = 1
    view.settle()
    assert calls == ["child ends", "heard"]
    view.dispose()
    assert sorted(calls[2:]) == ["child ends", "parent ends"]


def test_a_child_that_is_rendered_when_its_parent_has_ended_never_renders(show, calls):
    async def render(model, el, host, signal):
        child = await host.get_widget(model.get("child"))
        signal.on_abort(lambda: calls.append("over"))
        await asyncio.sleep(1)
        await child.render(el)
        calls.append("done")

    view = show(Parent(child=Child()), {"render": render}, {"render": lambda: calls.append("never")})
    view.dispose()
    view.advance(1)
    assert calls == ["over", "done"]


@pytest.mark.afm(51, 73)
def test_what_is_listened_to_through_get_model_goes_with_the_view_that_asked(show, calls):
    async def render(model, host):
        other = await host.get_model(model.get("child"))
        other.on("change:value", lambda: calls.append(other.get("value")))
        same = await model.widget_manager.get_model(model.get("child").removeprefix("IPY_MODEL_"))
        same.on("msg:custom", lambda content, _: calls.append(content))

    parent = Parent(child=Child())
    view = show(parent, {"render": render})
    parent.child.value = 1
    view.settle()
    assert calls == [1]
    view.dispose()
    parent.child.value = 2
    view.settle()
    assert calls == [1]


@V1
def test_messages_of_a_child_whose_module_does_not_run_are_for_who_listens_first(mount, show, calls):
    async def render(model, host):
        await asyncio.sleep(1)
        other = await host.get_model(model.get("child"))
        other.on("msg:custom", lambda content, _: calls.append(content))

    parent = Parent(child=Child())
    view = show(parent, {"render": render})
    parent.child.send("early")
    view.advance(1)
    parent.child.send("late")
    view.settle()
    assert calls == ["early", "late"]


@pytest.mark.afm(74)
def test_another_child_in_the_slot_is_a_change_with_the_new_reference(show, mount, calls):
    def render(model):
        model.on("change:child", lambda: calls.append(model.get("child")))

    parent = Parent(child=Child())
    view = show(parent, {"render": render})
    other = Child()
    parent.child = other
    view.settle()
    assert calls == [f"IPY_MODEL_{other.model_id}"]


@pytest.mark.afm(75)
def test_a_circle_is_an_error_that_shows_it(mount, show, calls):
    class Asks(ParentModule):
        async def render(self, model, el, host):
            child = await host.get_widget(model.get("ref"))
            await child.render(el)

    outer, inner = Parent(), Parent()
    outer.ref, inner.ref = f"anywidget:{inner.model_id}", f"anywidget:{outer.model_id}"
    mount.modules[Parent] = Asks
    page = mount.frontend.page()
    page.open(inner)
    a, b = outer.model_id, inner.model_id
    with mount.expecting(ReferenceFailed, f"Widget {a} would contain itself: {a} -> {b} -> {a}"):
        view = mount(outer, page=page)
    assert view.failure is not None


def test_a_parent_that_gives_up_waiting_for_a_child_does_not_stop_it(show, calls):
    async def initialize():
        await asyncio.sleep(5)
        calls.append("started")

    async def render(model, host):
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(host.get_widget(model.get("child")), 1)
        calls.append("gave up")

    view = show(Parent(child=Child()), {"render": render}, {"initialize": initialize})
    view.advance(5)
    assert calls == ["gave up", "started"]


# When the child's module is replaced.


@pytest.mark.afm(20)
def test_a_new_module_of_a_child_is_rendered_into_what_its_parent_has_put_there(mount, show):
    async def render(model, el, host):
        el.append("parent's ")
        child = await host.get_widget(model.get("child"))
        await child.render(el)

    parent = Parent(child=Child())
    view = show(parent, {"render": render}, {"render": lambda el: el.append("old")})
    assert view.el.text_content == "parent's old"
    mount.frontend.reload(parent.child, {"render": lambda el: el.append("new")})
    view.settle()
    assert view.el.text_content == "parent's new"
    with mount.expecting(RuntimeError, "mine"):
        mount.frontend.reload(parent.child, {"render": failing})
    assert "failed (render): mine" in view.el.find(".rdit-error").text_content
    with mount.expecting(RuntimeError, "mine"):
        mount.frontend.reload(parent.child, {"initialize": failing})
    assert "failed (initialize): mine" in view.el.find(".rdit-error").text_content
    view.dispose()
    mount.frontend.reload(parent.child, {"render": lambda el: el.append("newer")})
    view.settle()
    assert "newer" not in view.el.text_content


def test_a_child_that_ends_as_its_module_is_replaced_leaves_its_place_to_its_parent(mount, show):
    stop = AbortController()

    async def render(model, el, host):
        child = await host.get_widget(model.get("child"))
        await child.render(el, signal=stop.signal)
        stop.signal.on_abort(lambda: el.replace_children("the parent's again"))

    parent = Parent(child=Child())
    view = show(parent, {"render": render}, {"render": lambda el, signal: signal.on_abort(stop.abort)})
    mount.frontend.reload(parent.child, {"render": lambda el: el.append("new")})
    view.settle()
    assert view.el.text_content == "the parent's again"


def test_who_waits_for_a_child_that_is_replaced_waits_for_its_successor(mount, show, calls):
    async def hang(**_):
        await asyncio.Event().wait()

    async def render(model, el, host):
        child = await host.get_widget(model.get("child"))
        await child.render(el)
        calls.append(child.exports)

    parent = Parent(child=Child())
    view = show(parent, {"render": render}, {"initialize": hang})
    mount.frontend.reload(parent.child, {"initialize": lambda: {"a": 1}, "render": hang})
    view.settle()
    assert calls == []

    async def last(el):
        await asyncio.sleep(1)
        el.append("last")

    mount.frontend.reload(parent.child, {"render": last})
    view.settle()
    assert calls == []
    view.advance(1)
    assert calls == [{"a": 1}]
    assert view.el.text_content == "last"


@V1
def test_a_child_that_is_closed_while_it_starts_rejects(show, calls):
    async def hang():
        await asyncio.Event().wait()

    async def render(model, host):
        with pytest.raises(ReferenceFailed, match="The widget was closed"):
            await host.get_widget(model.get("child"))
        calls.append("rejected")

    parent = Parent(child=Child())
    view = show(parent, {"render": render}, {"initialize": hang})
    parent.child.close()
    view.settle()
    assert calls == ["rejected"]


def test_views_that_end_together_with_a_replaced_module_are_not_shown_again(mount, show, calls):
    parent = Parent(child=Child())
    view = show(parent)

    def module(name):
        return {"render": lambda signal: calls.append(name) or signal.on_abort(view.dispose)}

    view.reload(module("first"))
    view.reload(module("second"))
    assert calls == ["first"]


# Widgets that come and go.


@V1
def test_a_connection_that_has_ended_for_good_brings_no_child(mount):
    async def render(host):
        await host.get_widget("anywidget:nobody")

    view = mount(Parent, module={"render": render})
    view.net.drop()
    view.page.client.refuse(4500, "Not here")
    with mount.expecting(ReferenceFailed, "The connection has ended"):
        view.advance(10)


def test_a_child_that_opens_when_nobody_waits_any_more_is_no_matter(mount, calls):
    async def render(host, signal):
        signal.on_abort(lambda: calls.append("over"))
        await host.get_widget("anywidget:late")

    view = mount(Parent, module={"render": render})
    view.dispose()
    mount.frontend.manager.register("late", Child())
    view.page.open("late")
    view.settle()
    assert calls == ["over"]


def test_a_child_that_opens_at_the_moment_in_which_the_view_ends_is_found(show, mount, calls):
    async def render(host):
        calls.append((await host.get_model("anywidget:late")).get("value"))

    view = show(Parent(), {"render": render})
    mount.frontend.manager.register("late", Child(value=2))
    view.page.open("late")
    view.dispose()
    assert calls == [2]


@V1
def test_a_child_that_python_has_closed_is_there_until_the_page_knows(show, calls):
    async def render(model, host):
        child = await host.get_widget(model.get("ref"))
        calls.append(child.exports["double"]())

    child = Child(value=2)
    view = show(Parent(child=child, ref=f"anywidget:{child.model_id}"), {"render": render})
    view.net.drop()
    child.close()
    view.page.show(view.widget)
    view.settle()
    assert calls == [4, 4]


def test_a_child_whose_model_is_closed_rejects_and_a_view_of_it_is_empty(mount, calls):
    async def render(model, host):
        with pytest.raises(ReferenceFailed, match="The widget was closed"):
            await host.get_widget(model.get("ref"))
        calls.append("rejected")

    child = Child()
    page = mount.frontend.page()
    model = page.open(child)
    model.close()
    mount.modules[Child] = {"initialize": lambda: calls.append("never"), "render": lambda: calls.append("never")}
    view = mount(child, page=page)
    assert view.view.is_rendered and view.el.child_nodes == []
    mount(Parent(ref=f"anywidget:{child.model_id}"), module={"render": render}, page=page)
    assert calls == ["rejected"]


def test_a_hundred_children_that_came_and_went_leave_nothing_behind(show):
    stays = {}

    async def render(model, el, host, signal):
        stays["parent"] = signal
        for _ in range(100):
            stop = AbortController()
            child = await host.get_widget(model.get("child"))
            await child.render(el, signal=stop.signal)
            stop.abort()

    parent = Parent(child=Child())
    view = show(parent, {"render": render})
    binding = view.page.code.binding_of(view.page.open(parent.child))
    assert not binding.views and not binding.model.listener_count
    # What is left are the module's own: to end, and to drop its listeners; and the parent's model, view and cleanup.
    assert len(binding.signal._callbacks) == 1
    assert len(view.page.code.signal_of(binding.model)._callbacks) == 1
    assert len(stays["parent"]._callbacks) < 10

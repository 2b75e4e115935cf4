"""A widget's module in Python: how it is loaded, initialized, rendered, replaced and ended."""

import asyncio
import logging
import types

import anywidget
import pytest
import traitlets

from rdit_harness import Element, Frontend, Mounter, expect


@pytest.fixture(params=["v1", "base"])
def rdit_mode(request):
    return request.param


V1 = pytest.mark.parametrize("rdit_mode", ["v1"])
"""Of what base mode has no words for: custom messages, and widgets that close."""


class Counter(anywidget.AnyWidget):
    _esm = "export default {}"
    value = traitlets.Int(0).tag(sync=True)


class CounterModule:
    def render(self, model, el):
        button = Element("button")
        el.append(button)

        def show():
            button.text_content = f"Count: {model.get('value')}"

        def count():
            model.set("value", model.get("value") + 1)
            model.save_changes()

        button.add_event_listener("click", count)
        model.on("change:value", show)
        show()


@pytest.fixture
def calls():
    return []


def test_a_click_in_the_module_reaches_python_and_python_reaches_the_element(mount):
    view = mount(Counter, module=CounterModule, value=2)
    assert view.el.text_content == "Count: 2"
    view.el.find("button").click()
    expect(view).to_have(value=3)
    view.widget.value = 10
    expect(view).to_have(value=10)
    assert view.el.text_content == "Count: 10"


# Loading.


@pytest.mark.afm(2, 6)
@pytest.mark.parametrize(
    "form",
    [
        "class",
        "object",
        "namespace",
        "mapping",
        "function",
        "async function",
        "function giving a class",
        "callable object",
    ],
)
def test_a_module_may_be_any_of_its_forms(mount, form):
    def render(el):
        el.append("shown")

    class Class:
        @staticmethod
        def render(el):
            render(el)

    class Maker:
        def __call__(self):
            return {"render": render}

    async def later():
        await asyncio.sleep(0)
        return types.SimpleNamespace(render=render)

    forms = {
        "class": Class,
        "object": Class(),
        "namespace": types.SimpleNamespace(render=render),
        "mapping": {"render": render},
        "function": lambda: Class(),
        "async function": later,
        "function giving a class": lambda: Class,
        "callable object": Maker(),
    }
    assert mount(Counter, module=forms[form]).el.text_content == "shown"


def test_a_python_module_is_a_namespace_or_has_a_default(mount):
    plain, other = types.ModuleType("plain"), types.ModuleType("other")
    plain.render = lambda el: el.append("plain")
    other.render = lambda el: el.append("other")
    other.default = {"render": lambda el: el.append("default")}
    assert mount(Counter, module=plain).el.text_content == "plain"
    assert mount(Counter, module=other).el.text_content == "default"


@pytest.mark.afm(2, 3)
def test_a_class_or_a_function_is_called_once_per_model(mount, calls):
    def default():
        calls.append("called")
        mine = []
        return {"render": lambda el: mine.append("view") or el.append(str(len(mine)))}

    first = mount(Counter, module=default)
    assert mount.view(first).el.text_content == "2"
    assert mount(Counter, module=default).el.text_content == "1"
    assert len(calls) == 2


@pytest.mark.afm(5, 7)
@pytest.mark.parametrize("module", [{}, object(), {"render": "no function"}, lambda: None])
def test_what_has_no_hook_is_refused_with_the_rule_and_siblings_live(mount, module):
    sibling = mount(Counter, module=CounterModule)
    with mount.expecting(TypeError, "neither initialize nor render: a module is a class"):
        view = mount(Counter, page=sibling.page, module=module)
    assert view.failure.stage == "import"
    assert "failed (import)" in view.el.text_content
    sibling.el.find("button").click()
    expect(sibling).to_have(value=1)


def test_a_module_that_raises_while_it_loads_fails_with_that(mount):
    def default():
        raise RuntimeError("no such thing")

    with mount.expecting(RuntimeError, "no such thing"):
        view = mount(Counter, module=default)
    assert (view.failure.stage, view.failure.message) == ("import", "no such thing")


@pytest.mark.afm(6, 18)
def test_a_headless_module_has_an_empty_view(mount, calls):
    view = mount(Counter, module={"initialize": lambda: calls.append("started")})
    assert calls == ["started"]
    assert view.el.child_nodes == [] and view.view.is_rendered


# Props.


@pytest.mark.afm(11, 19)
def test_hooks_are_given_what_they_name_or_everything(mount, calls):
    module = {
        "initialize": lambda **props: calls.append(list(props)),
        "render": lambda **props: calls.append(list(props)),
    }
    mount(Counter, module=module)
    mount(Counter, module={"render": lambda *rest, host, colour="red": calls.append((rest, colour))})
    assert calls == [
        ["model", "signal", "experimental"],
        ["model", "el", "signal", "host", "experimental"],
        ((), "red"),
    ]


@pytest.mark.parametrize(
    "hook",
    [lambda el: None, lambda model, colour: None, eval("lambda model, /: None")],
    ids=["el", "colour", "position"],
)
def test_a_hook_that_names_what_it_is_not_given_fails_and_says_what_there_is(mount, hook):
    with mount.expecting(TypeError, "it is given model, signal, experimental, each by its name"):
        mount(Counter, module={"initialize": hook})


# initialize.


@pytest.mark.afm(10, 18)
def test_initialize_runs_once_before_any_view_and_is_awaited(mount, calls):
    async def initialize(model):
        calls.append(f"initialize {model.get('value')}")
        await asyncio.sleep(2)
        calls.append("initialized")

    module = {"initialize": initialize, "render": lambda el: calls.append("render")}
    view = mount(Counter, module=module, value=4)
    another = mount.view(view)
    assert calls == ["initialize 4"]
    assert another.model is view.model and another.el is not view.el
    assert not view.view.is_rendered
    view.advance(2)
    assert calls == ["initialize 4", "initialized", "render", "render"]
    assert view.view.is_rendered


@pytest.mark.afm(12)
@pytest.mark.parametrize(
    ("given", "exports"),
    [({"a": 1}, {"a": 1}), ([], []), (b"", b""), (None, None), (3, None), (True, None), ("text", None), (print, None)],
)
def test_an_object_that_initialize_returns_is_what_the_widget_exports(mount, given, exports):
    assert mount(Counter, module={"initialize": lambda: given}).exports == exports


def test_exports_that_are_not_there_yet_or_never_will_say_so(mount):
    async def initialize():
        await asyncio.sleep(1)
        return {"done": True}

    view = mount(Counter, module={"initialize": initialize})
    with pytest.raises(AssertionError, match="it still waits"):
        view.exports  # noqa: B018
    view.advance(1)
    assert view.exports == {"done": True}
    with mount.expecting(ZeroDivisionError):
        failed = mount(Counter, module={"initialize": lambda: 1 / 0})
    with pytest.raises(AssertionError, match=r"to have initialized: .*division by zero"):
        failed.exports  # noqa: B018


@pytest.mark.afm(13, 14)
def test_the_signal_of_initialize_ends_with_the_model_and_its_cleanup_runs_and_its_listeners_go(mount, calls):
    def initialize(model, signal):
        model.on("change:value", lambda: calls.append("heard"))
        signal.on_abort(lambda: calls.append("aborted"))
        return lambda: calls.append("cleaned up")

    view = mount(Counter, module={"initialize": initialize})
    assert view.model.listener_count == 1
    view.page.close()
    assert calls == ["aborted", "cleaned up"]
    assert view.model.listener_count == 0


@V1
def test_a_widget_that_python_closes_ends_its_views_and_then_its_module(mount, calls):
    module = {
        "initialize": lambda: lambda: calls.append("module"),
        "render": lambda model, signal: (
            signal.on_abort(lambda: calls.append("signal")) and (lambda: calls.append("view"))
        ),
    }
    view = mount(Counter, module=module)
    mount.view(view)
    view.widget.close()
    view.settle()
    assert calls == ["signal", "view", "signal", "view", "module"]
    view.dispose()
    assert len(calls) == 5


@pytest.mark.afm(13)
def test_a_cleanup_that_comes_late_still_runs(mount, calls):
    async def initialize():
        await asyncio.sleep(3)
        return lambda: calls.append("cleaned up")

    view = mount(Counter, module={"initialize": initialize, "render": lambda: calls.append("never")})
    view.page.close()
    mount.frontend.advance(3)
    assert calls == ["cleaned up"]


@V1
@pytest.mark.afm(15)
def test_messages_that_come_before_initialize_is_done_wait_and_keep_their_order(rdit_sim, calls):
    async def initialize(model):
        await asyncio.sleep(1)
        model.on("msg:custom", lambda content, buffers: calls.append((content, [bytes(one) for one in buffers])))

    widget = Counter()
    rdit_sim.modules[Counter] = {"initialize": initialize}
    page = rdit_sim.page()
    model = page.open(widget)
    widget.send("before anybody shows it")
    rdit_sim.settle()
    page.show(widget)
    widget.send("while it starts", [b"xy"])
    rdit_sim.settle()
    assert calls == []
    rdit_sim.advance(1)
    widget.send("after")
    rdit_sim.settle()
    assert calls == [("before anybody shows it", []), ("while it starts", [b"xy"]), ("after", [])]
    assert model.listener_count == 1


@pytest.mark.afm(16)
def test_a_module_that_takes_an_hour_is_in_sync_both_ways_when_it_is_there(mount):
    async def initialize():
        await asyncio.sleep(3600)

    view = mount(Counter, module={"initialize": initialize, "render": CounterModule().render})
    view.widget.value = 5
    view.advance(3600)
    assert view.el.text_content == "Count: 5"
    view.el.find("button").click()
    expect(view).to_have(value=6)


@pytest.mark.afm(7, 17)
def test_an_initialize_that_raises_fails_each_view_is_told_python_once_and_fails_the_test(rdit_mode, calls):
    def initialize():
        calls.append("tried")
        raise RuntimeError("mine")

    mounter, told = Mounter(rdit_mode), []
    mounter.frontend.manager.on("front_end_failed", told.append)
    view = mounter(Counter, module={"initialize": initialize, "render": lambda: calls.append("never")})
    another = mounter.view(view)
    assert view.failure is another.failure
    assert (view.failure.widget_id, view.failure.stage, view.failure.message) == (
        view.model.widget_id,
        "initialize",
        "mine",
    )
    assert calls == ["tried"]
    assert not view.view.is_rendered
    if rdit_mode == "v1":
        assert [(event.widget_id, event.stage, event.message) for event in told] == [
            (view.model.widget_id, "initialize", "mine")
        ]
        assert "in initialize\n    raise RuntimeError" in told[0].stack
    with pytest.raises(AssertionError, match=r"^1 exception.*RuntimeError\('mine'\).*with mount\.expecting"):
        mounter.finish()


def test_a_front_end_without_a_mount_keeps_failures_and_raises_nothing(rdit_sim):
    page, told = rdit_sim.page(), []
    rdit_sim.manager.on("front_end_failed", told.append)
    view = page.show(Counter(), {"render": lambda: 1 / 0})
    page.show(view.model.widget_id)
    rdit_sim.settle()
    assert len(told) == (page.mode == "v1")  # What fails sixty times a second is told once.
    assert [(failure.stage, failure.message) for failure in page.code.failures] == [("render", "division by zero")] * 2


# render.


@pytest.mark.afm(21, 22)
@pytest.mark.parametrize("is_async", [False, True])
def test_a_view_that_ends_has_its_signal_aborted_its_cleanups_run_and_its_listeners_gone(mount, calls, is_async):
    async def cleanup_later():
        await asyncio.sleep(0)
        calls.append("cleanup")

    async def render(model, el, signal):
        await asyncio.sleep(0)
        model.on("change", lambda: calls.append("heard"))
        signal.on_abort(lambda: calls.append(f"signal {signal.aborted}"))
        return cleanup_later if is_async else lambda: calls.append("cleanup")

    def destroy(model, el):
        calls.append("destroy")

    view = mount(Counter, module={"render": render, "destroy": destroy})
    stays = mount.view(view)
    assert view.model.listener_count == 2
    view.dispose()
    assert calls == ["signal True", "cleanup", "destroy"]
    view.dispose()
    assert len(calls) == 3
    view.widget.value = 1
    expect(stays).to_have(value=1)
    assert calls[3:] == ["heard"]


@pytest.mark.afm(23)
def test_a_view_that_ends_while_its_render_is_pending_is_cleaned_up_when_that_is_done(mount, calls):
    async def render(signal):
        await asyncio.sleep(1)
        calls.append(signal.aborted)
        return lambda: calls.append("cleaned up")

    view = mount(Counter, module={"render": render})
    view.dispose()
    assert calls == []
    view.advance(1)
    assert calls == [True, "cleaned up"]


def test_a_render_that_fails_after_its_view_has_ended_fails_nothing(mount):
    async def render(signal):
        await asyncio.sleep(1)
        signal.throw_if_aborted()

    view = mount(Counter, module={"render": render})
    view.dispose()
    view.advance(1)
    assert view.failure is None


def test_a_view_that_ends_before_its_module_has_started_never_renders(mount, calls):
    async def initialize():
        await asyncio.sleep(1)

    view = mount(Counter, module={"initialize": initialize, "render": lambda: calls.append("never")})
    view.dispose()
    view.advance(1)
    assert calls == []


@pytest.mark.afm(24)
@pytest.mark.parametrize("is_async", [False, True])
def test_an_error_in_a_cleanup_is_logged_and_reported_and_stops_nothing(mount, calls, caplog, is_async, rdit_mode):
    async def fail_later():
        await asyncio.sleep(0)
        raise RuntimeError("later")

    def fail():
        raise RuntimeError("now")

    async def destroy():
        calls.append("destroyed")
        raise RuntimeError("destroy")

    told = []
    mount.frontend.manager.on("front_end_failed", told.append)
    view = mount(Counter, module={"render": lambda: fail_later if is_async else fail, "destroy": destroy})
    with mount.expecting(RuntimeError), caplog.at_level(logging.ERROR, "rdit.module"):
        view.dispose()
    assert calls == ["destroyed"]
    texts = ["later" if is_async else "now", "destroy"]
    assert [failure.message for failure in view.page.code.failures] == texts
    assert len([record for record in caplog.records if record.name == "rdit.module"]) == 2
    if rdit_mode == "v1":
        assert [(event.stage, event.message) for event in told] == [("cleanup", text) for text in texts]


@pytest.mark.afm(26)
def test_render_reads_what_there_is_and_its_listeners_hear_what_changes_later(mount, calls):
    def render(model):
        calls.append(model.get("value"))
        model.on("change:value", lambda: calls.append(model.get("value")))

    view = mount(Counter, module={"render": render}, value=3)
    view.widget.value = 4
    view.settle()
    assert calls == [3, 4]


# The model of a hook.


@pytest.mark.afm(46, 50)
def test_off_removes_the_listeners_of_its_own_hook_and_no_others(mount, calls):
    def initialize(model):
        model.on("change:value", lambda: calls.append("initialize"))

    def render(model, el):
        def hear():
            calls.append("view")

        model.on("change:value", hear)
        model.on("change:value", hear)
        el.onoff = lambda: model.off("change:value", hear)
        el.onalloff = lambda: model.off()
        model.on("change", lambda: calls.append("plain"))

    view = mount(Counter, module={"initialize": initialize, "render": render})
    other = mount.view(view)
    view.el.dispatch("off")
    view.set(value=1)
    assert calls == ["initialize", "view", "view", "plain", "plain"]
    calls.clear()
    view.el.dispatch("alloff")
    view.set(value=2)
    assert calls == ["initialize", "view", "view", "plain"]
    other.dispose()
    calls.clear()
    view.set(value=3)
    assert calls == ["initialize"]


def test_a_model_whose_hook_is_over_listens_to_nothing_more(mount, calls):
    view = mount(Counter, module={"render": lambda model: calls.append(model)})
    view.dispose()
    calls[0].on("change", print)
    assert view.model.listener_count == 0
    other = mount(Counter, module={"initialize": lambda model: calls.append(model)})
    other.model.close()
    calls[1].on("change", print)
    assert other.model.listener_count == 0


def test_listeners_may_be_async_and_what_they_raise_fails_the_test(mount, calls):
    async def hear():
        await asyncio.sleep(1)
        calls.append("heard")
        raise RuntimeError("mine")

    view = mount(Counter, module={"render": lambda model: model.on("change:value", hear)})
    view.set(value=1)
    assert calls == []
    with mount.expecting(RuntimeError, "mine"):
        view.advance(1)
    assert calls == ["heard"]


@V1
def test_a_module_sends_and_is_sent_messages(mount, calls):
    def render(model):
        model.on("msg:custom", lambda content, buffers: calls.append((content, bytes(buffers[0]))))
        model.set({"value": 7})
        model.save_changes()
        model.send("ready", None, [b"ab"])

    widget = Counter()
    widget.on_msg(lambda _, content, buffers: widget.send([content, widget.value], buffers))
    mount(widget, module={"render": render})
    assert calls == [(["ready", 7], b"ab")]


# Replacing it.


@pytest.mark.afm(9, 13, 20, 22, 25)
def test_a_new_module_takes_over_in_place_when_the_old_one_has_cleaned_up(mount, calls):
    def module(name):
        async def clean():
            calls.append(f"{name} cleans")
            await asyncio.sleep(1)
            calls.append(f"{name} is clean")

        def initialize(model):
            calls.append(f"{name} starts")
            model.on("change", lambda: calls.append(f"{name} hears"))
            return lambda: calls.append(f"{name} ends")

        def render(el):
            el.append(name)
            return clean

        return {"initialize": initialize, "render": render}

    widget = Counter(value=2)
    view = mount(widget, module=module("old"))
    there = mount(widget)
    assert there.page is not view.page
    old = view.el
    calls.clear()
    view.reload(module("new"))
    assert calls == ["old cleans", "old ends"] * 2
    assert view.el is not old and view.el.text_content == ""
    view.advance(1)
    assert calls[4:] == ["old is clean", "old is clean", "new starts", "new starts"]
    assert view.el.text_content == there.el.text_content == "new"
    calls.clear()
    view.set(value=3)
    assert calls == ["new hears", "new hears"]
    view.dispose()
    view.advance(1)


def test_a_cleanup_that_hangs_is_waited_for_five_seconds(mount, caplog):
    async def hang():
        await asyncio.Event().wait()

    view = mount(Counter, module={"render": lambda: hang})
    view.reload({"render": lambda el: el.append("new")})
    view.advance(4.9)
    assert view.el.text_content == ""
    view.advance(0.1)
    assert view.el.text_content == "new"
    assert "not waited for" in caplog.text


def test_a_module_that_is_replaced_before_it_has_started_holds_nobody_up_and_is_cleaned_up_when_it_comes(mount, calls):
    async def initialize():
        await asyncio.sleep(10)
        return lambda: calls.append("old cleaned up")

    view = mount(Counter, module={"initialize": initialize, "render": lambda: calls.append("never")})
    view.reload({"initialize": lambda: {"new": True}, "render": lambda: calls.append("new")})
    assert calls == ["new"]
    assert view.exports == {"new": True}
    view.advance(10)
    assert calls == ["new", "old cleaned up"]


def test_a_module_that_is_replaced_twice_waits_for_both_and_one_that_failed_can_be_mended(mount, calls):
    async def clean():
        await asyncio.sleep(1)
        calls.append("clean")

    with mount.expecting(ZeroDivisionError):
        view = mount(Counter, module={"render": lambda: 1 / 0})
    assert view.failure is not None
    view.reload({"render": lambda: clean})
    assert view.failure is None
    view.reload({"render": lambda: calls.append("never")})
    view.reload({"render": lambda: calls.append("last")})
    assert calls == []
    view.advance(1)
    assert calls == ["clean", "last"]


@V1
def test_messages_wait_for_the_module_that_there_is_not_for_the_one_before(mount, calls):
    def slow(seconds, name):
        async def initialize(model):
            await asyncio.sleep(seconds)
            model.on("msg:custom", lambda content, _: calls.append((name, content)))

        return {"initialize": initialize}

    view = mount(Counter, module=slow(1, "old"))
    view.reload(slow(2, "new"))
    view.widget.send("hello")
    view.advance(1)
    assert calls == []
    view.advance(1)
    assert calls == [("new", "hello")]
    view.reload(slow(1, "newer"))
    view.widget.send("again")
    view.settle()
    assert len(calls) == 1
    view.advance(1)
    assert calls[1:] == [("newer", "again")]


def test_a_page_that_does_not_show_the_widget_takes_no_part_in_replacing(rdit_sim):
    first, second, third = rdit_sim.page(), rdit_sim.page(), rdit_sim.page()
    widget = Counter()
    view = first.show(widget, CounterModule)
    second.open(widget)
    third.drop()
    rdit_sim.reload(widget, {"render": lambda el: el.append("new")})
    rdit_sim.settle()
    assert view.el.text_content == "new"


def test_a_widget_with_two_ids_on_a_page_is_replaced_under_both(rdit_sim):
    widget = Counter()
    rdit_sim.manager.register("a", widget)
    rdit_sim.manager.register("b", widget)
    page = rdit_sim.page()
    other = page.show(Counter(), CounterModule)
    views = [page.show(name, {"render": lambda el: el.append("old")}) for name in "ab"]
    rdit_sim.settle()
    before = other.el
    rdit_sim.reload("b", {"render": lambda el: el.append("new")})
    rdit_sim.settle()
    assert [view.el.text_content for view in views] == ["new", "new"]
    assert other.el is before


# The mount.


def test_modules_are_found_by_widget_before_class_and_hold_for_subclasses(mount):
    class Special(Counter):
        pass

    mount.modules[Counter] = {"render": lambda el: el.append("class")}
    special = Special()
    assert mount(special).el.text_content == "class"
    mount.modules[special] = {"render": lambda el: el.append("widget")}
    assert mount(special).el.text_content == "widget"
    assert mount(Counter).el.text_content == "class"


def test_the_same_module_given_again_is_no_new_one(mount, calls):
    module = {"initialize": lambda: calls.append("started")}
    widget = Counter()
    first = mount(widget, module=module)
    mount(widget, module=module, page=first.page)
    assert calls == ["started"]
    mount(widget, module={"initialize": lambda: calls.append("another")}, page=first.page)
    assert calls == ["started", "another"]


def test_a_view_without_a_module_says_so(mount, rdit_sim):
    view = mount(Counter)
    for ask in (lambda: view.el, lambda: view.exports, lambda: view.failure, lambda: view.reload(CounterModule)):
        with pytest.raises(AssertionError, match=r"mount\(widget, module=\.\.\.\)"):
            ask()
    with pytest.raises(LookupError, match=r"has no module in Python: mount\(widget, module=\.\.\.\)"):
        rdit_sim.page().show(Counter())
    with pytest.raises(TypeError, match="got both"):
        mount(Counter, module=CounterModule, render=print)


def test_an_expected_exception_that_does_not_come_fails_the_test(mount):
    with (
        pytest.raises(AssertionError, match="Expected ValueError matching 'mine'"),
        mount.expecting(ValueError, "mine"),
    ):
        mount(Counter)


def test_an_exception_in_a_message_handler_fails_the_test_that_mounted_the_widget():
    def fail(*_):
        raise RuntimeError("mine")

    mounter = Mounter()
    view = mounter(Counter)
    view.widget.on_msg(fail)
    view.model.send("x")
    view.settle()
    with pytest.raises(AssertionError, match=r"^1 exception"):
        mounter.finish()


def test_an_exception_on_a_page_that_the_test_has_closed_fails_it_all_the_same(rdit_mode):
    mounter = Mounter(rdit_mode)
    view = mounter(Counter)
    view.model.on("change", lambda: 1 / 0)
    view.set(value=1)
    view.page.close()
    with pytest.raises(AssertionError, match=r"^1 exception"):
        mounter.finish()


def test_what_still_runs_when_the_test_is_over_is_ended(calls):
    async def render():
        try:
            await asyncio.Event().wait()
        finally:
            calls.append("ended")

    mounter = Mounter()
    mounter(Counter, module={"render": render})
    mounter.finish()
    assert calls == ["ended"]
    assert mounter.frontend.loop.next_deadline() is None


def test_a_page_that_shows_modules_may_live_inside_a_loop_of_the_test(calls):
    async def test():
        frontend = Frontend()
        view = frontend.page().show(Counter(), CounterModule)
        frontend.settle()
        calls.append(view.el.text_content)
        await asyncio.sleep(0)
        frontend.close()

    asyncio.run(test())
    assert calls == ["Count: 0"]


@pytest.mark.parametrize("hook", ["initialize", "render"])
def test_a_test_may_be_failed_from_within_a_hook(hook):
    mounter = Mounter()
    mounter(Counter, module={hook: lambda: pytest.fail("wrong")})
    with pytest.raises(AssertionError, match=r"^1 exception.*wrong"):
        mounter.finish()


@V1
def test_messages_wait_for_the_module_that_mount_was_given_from_the_opening_of_the_widget(mount, calls):
    def initialize(model):
        model.on("msg:custom", lambda content, _: calls.append(content))

    widget = Counter()
    page = mount.frontend.page()
    page.render(Counter())
    widget.send("early")
    mount(widget, module={"initialize": initialize}, page=page)
    widget.send("late")
    mount.frontend.settle()
    assert calls == ["early", "late"]

"""A counter and a panel around it, tested as a whole and without a browser.

    pytest examples/test_in_python.py

The modules below play the parts of the widgets' JavaScript, which is left out here. What is Python's is the real thing:
traits, observers, commands, the wire between.
"""

import anywidget
import traitlets
from anywidget.experimental import command
from ipywidgets import widget_serialization

from rdit_harness import Element, expect


class Counter(anywidget.AnyWidget):
    _esm = "export default {}"
    value = traitlets.Int(0, max=5).tag(sync=True)

    @command
    def double(self, msg, buffers):
        self.value *= 2
        return self.value, []


class Panel(anywidget.AnyWidget):
    _esm = "export default {}"
    title = traitlets.Unicode().tag(sync=True)
    counter = traitlets.Instance(Counter).tag(sync=True, **widget_serialization)


class CounterModule:
    def initialize(self, model):
        return {"is_full": lambda: model.get("value") == 5}

    def render(self, model, el, experimental):
        button = Element("button")
        el.append(button)

        def show():
            button.text_content = f"Count: {model.get('value')}"

        def count():
            model.set("value", model.get("value") + 1)
            model.save_changes()

        async def double():
            value, _ = await experimental.invoke("double")
            button.title = f"doubled to {value}"

        button.add_event_listener("click", count)
        button.add_event_listener("dblclick", double)
        model.on("change:value", show)
        show()


class PanelModule:
    async def render(self, model, el, host):
        el.append(Element("h1"), Element("div"))
        el.find("h1").text_content = model.get("title")
        counter = await host.get_widget(model.get("counter"))
        await counter.render(el.find("div"))
        el.class_list.toggle("full", counter.exports["is_full"]())


def test_a_click_counts_and_python_sees_it(mount):
    view = mount(Counter, module=CounterModule, value=2)
    view.el.find("button").click()
    expect(view).to_have(value=3)
    assert view.el.text_content == "Count: 3"


def test_a_double_click_asks_python(mount):
    view = mount(Counter, module=CounterModule, value=2)
    view.el.find("button").dispatch("dblclick")
    expect(view).to_have(value=4)
    assert view.el.find("button").title == "doubled to 4"


def test_a_click_beyond_the_limit_is_taken_back(mount):
    view = mount(Counter, module=CounterModule, value=5)
    view.el.find("button").click()
    assert view.el.text_content == "Count: 6"
    expect(view).to_have(value=5)
    assert view.el.text_content == "Count: 5"


def test_a_panel_shows_its_counter_and_takes_it_along_when_it_goes(mount):
    mount.modules[Counter] = CounterModule
    view = mount(Panel, module=PanelModule, title="Apples", counter=Counter(value=5))
    assert view.el.text_content == "ApplesCount: 5"
    assert "full" in view.el.class_list
    view.widget.counter.value = 1
    view.settle()
    assert view.el.find("button").text_content == "Count: 1"
    view.dispose()
    view.widget.counter.value = 2
    view.settle()
    assert view.el.find("button").text_content == "Count: 1"

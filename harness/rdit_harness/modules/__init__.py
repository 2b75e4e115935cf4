"""Front-end modules in Python: a whole widget, exercised without a browser.

A widget's JavaScript module gives `initialize` and `render`. Here a module in Python plays its part, on a simulated
page, with what the page gives the real one: a scoped model, an abort signal, an element, `host`, `experimental`. The
rules are those of the browser side (`binding.js`, `host.js`, `loader.js`, `invoke.js`), hook for hook, so that what a
test shows of a module's ways (lifetimes, order, composition) holds in a page. What it does not show is the JavaScript
itself, nor anything that takes a document: styles, layout, real events.

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

A hook is given what it names, as a destructuring in JavaScript takes it: `render(model, el)` or `render(el, host)`. A
class is made once per model, as a module is loaded once per model; a function is called once per model, and may be
async. What a page spells in camel case is understood in both spellings: `host.get_widget`, `host.getWidget`.

Time is virtual. Hooks are coroutines on an asyncio loop of the front end's own clock, so `asyncio.sleep`, `gather` and
the like work and take no time. Whatever can run does when a test lets everything settle; what sleeps wakes when the
test says `advance`.
"""

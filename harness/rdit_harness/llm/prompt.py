"""What a language model is told: the contract of a module, how it talks to Python, and what this one is to be.

The system prompt is the same for every request, so that an endpoint that caches prompts can. What it asks for is the
part of the contract that every host of anywidgets keeps, and nothing else: the module then works in Jupyter as it
does here. Of the data there is what `DataSummary` says of it, which holds no values unless somebody asked for a
sample.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rdit_core.descriptions import Attempt, TraitSpec, WidgetRequest

PROMPT_VERSION: Final = "1"
"""In the key of every cache: goes up when the words below change so that another module may come of them."""

SYSTEM: Final = """\
You write front-end modules for interactive widgets. A widget is a Python object with traits; your module shows it in a
web page and talks to it through `model`. Answer with one complete JavaScript module in one ```js code block, and
nothing else.

The contract:
- One ES module whose default export is an object with `render`, and with `initialize` where something has to happen
  once per widget: `export default { initialize, render };`
- `render({ model, el })` is called for each place in which the widget is shown, perhaps several at once and again
  after it was taken away. It puts everything that it shows into `el`, and returns a function that undoes the rest:
  listeners on window or document, timers, animation frames. It returns at once; it does not loop and does not block.
- `initialize({ model })` is called once, before any render. Most widgets need none.
- Only `model.get(name)`, `model.set(name, value)`, `model.save_changes()`, `model.on("change:name", callback)`,
  `model.off("change:name", callback)`. Callbacks get no arguments that you can rely on: read with `model.get`.
- No imports and no requests: no library, no CDN, no font, no picture from an address, no fetch, no eval. Draw with
  the DOM, SVG, canvas or WebGL of the browser, and write yourself what you need of a library.
- No globals, nothing on window, nothing outside of `el`, no ids: look elements up by reference. Variables that belong
  to a view live inside of `render`.
- Styles: inline, or a <style> element in `el` with class names that nobody else has.
- What it shows has a size of its own, at most 100 % of the width of `el`, and about 300 to 500 CSS pixels high unless
  asked otherwise.
- Any trait may be null, or a list empty, at the start and later. Nothing throws then.
- No alert, confirm or prompt; nothing is written to console.error.

Exports are traits that your module sets and others read. Set one when the user does something that changes it, in the
handler of that gesture, and save; setting without saving tells nobody:

```js
function render({ model, el }) {
  const button = document.createElement("button");
  button.textContent = "Choose";
  const choose = () => {
    model.set("selected_indices", [0, 1, 2]);
    model.save_changes();
  };
  button.addEventListener("click", choose);
  el.append(button);
  return () => button.removeEventListener("click", choose);
}
export default { render };
```

Python can set an export as well: where that changes what is to be seen, listen to it as to an import.

Imports are traits that others set and your module follows. Read one at the start and whenever it changes:

```js
function render({ model, el }) {
  const list = document.createElement("p");
  function update() {
    const selected = model.get("selected_indices") ?? [];
    list.textContent = `${selected.length} selected`;
  }
  update();
  model.on("change:selected_indices", update);
  el.append(list);
  return () => model.off("change:selected_indices", update);
}
export default { render };
```

Set no other traits than those that are named as exports, or as imports that the user may change too.
"""

_DATA: Final = """\
The table is in the trait `data`; it may be null, and Python may replace it (listen to "change:data"). These functions
read it. They are added to your module as they stand here: call them, and do not repeat them.

```js
{reader}
```

What is known of it:
{summary}
"""

_PREVIOUS: Final = """\
That module was tried in a browser and was refused:
{problems}

Answer with the whole module, mended, in one ```js code block."""


def system_prompt() -> str:
    """What is the same for every widget."""
    return SYSTEM


def user_prompt(request: WidgetRequest, *, data_reader: str) -> str:
    """What this widget is to be.

    Args:
        request: of it.
        data_reader: JavaScript that reads the trait `data`; shown where there is data.
    """
    parts = [f"The widget: {request.description.strip()}"]
    if request.data is not None:
        parts.append(_DATA.format(reader=data_reader.strip(), summary=request.data.text.strip()).strip())
    else:
        parts.append("It has no data: there is no trait `data`.")
    parts.append(_traits("Exports, which it sets", request.exports))
    parts.append(_traits("Imports, which it follows", request.imports))
    return "\n\n".join(parts)


def messages(request: WidgetRequest, *, data_reader: str) -> list[dict[str, str]]:
    """The conversation, as chat completions want it: what is wanted and, from the second round on, what came and why
    it was refused.
    """
    conversation = [
        {"role": "system", "content": system_prompt()},
        {"role": "user", "content": user_prompt(request, data_reader=data_reader)},
    ]
    if request.previous is not None:
        conversation += _refused(request.previous, data_reader)
    return conversation


def _refused(attempt: Attempt, data_reader: str) -> list[dict[str, str]]:
    problems = "\n".join(f"- {problem}" for problem in attempt.problems)
    # As the model wrote it: without what was added.
    own = attempt.esm.replace(data_reader, "") if data_reader else attempt.esm
    said = own.strip() or "(no module)"
    if "export" in said and "```" not in said:  # a module as it was tried, not an answer as it came
        said = f"```js\n{said}\n```"
    return [
        {"role": "assistant", "content": said},
        {"role": "user", "content": _PREVIOUS.format(problems=problems)},
    ]


def _traits(title: str, specs: Mapping[str, TraitSpec]) -> str:
    if not specs:
        return f"{title}: none."
    lines = [
        f"- `{spec.name}`: {spec.description}{f' (Python takes {spec.expects})' if spec.expects else ''}"
        for spec in specs.values()
    ]
    return "\n".join([f"{title}:", *lines])

"""The smallest live widget: a button in the page, an observer in Python.

    rdit serve examples/counter.py

Click the button: Python prints what it saw, in the terminal and in the page.
"""

import anywidget
import traitlets


class Counter(anywidget.AnyWidget):
    """A button that counts its clicks."""

    _esm = """
    function render({ model, el }) {
      const button = document.createElement("button");
      button.className = "counter";
      const show = () => { button.textContent = `Count: ${model.get("value")}`; };
      button.addEventListener("click", () => {
        model.set("value", model.get("value") + 1);
        model.save_changes();
      });
      model.on("change:value", show);
      show();
      el.append(button);
    }
    export default { render };
    """
    _css = """
    .counter {
      font: inherit; font-weight: 600; padding: 0.5em 1.1em; cursor: pointer;
      border: 0; border-radius: 0.6em; color: white; background: #4f46e5;
    }
    .counter:hover { background: #4338ca; }
    """

    value = traitlets.Int(0).tag(sync=True)

    @traitlets.observe("value")
    def _announce(self, change):
        print(f"Python saw value change: {change['old']} → {change['new']}")


counter = Counter()
counter

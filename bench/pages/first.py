"""The subject of the cold start: one widget that says when it rendered."""

import anywidget
import traitlets


class First(anywidget.AnyWidget):
    _esm = """
    export default {
      render({ model, el }) {
        const button = document.createElement("button");
        button.textContent = `Count: ${model.get("value")}`;
        el.append(button);
        globalThis.renderedMs = Date.now();
      },
    };
    """
    value = traitlets.Int(0).tag(sync=True)


First()

"""A button of Python's: what is clicked in the page runs a function here. Scripts of the stories import it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anywidget
import traitlets


class Poke(anywidget.AnyWidget):
    """`Poke("name", action)`: a button `.poke-name` that runs `action()` in Python."""

    _esm = """
    export default {
      render({ model, el }) {
        const button = document.createElement("button");
        button.className = `poke-${model.get("label")}`;
        button.textContent = model.get("label");
        button.addEventListener("click", () => {
          model.set("presses", model.get("presses") + 1);
          model.save_changes();
        });
        el.append(button);
      },
    };
    """
    label = traitlets.Unicode("").tag(sync=True)
    presses = traitlets.Int(0).tag(sync=True)

    def __init__(self, label: str, action: Callable[[], object]) -> None:
        super().__init__(label=label)
        self.observe(lambda _change: action(), "presses")


class Field(anywidget.AnyWidget):
    """A text input over the trait `value`, with what the model holds shown beside it."""

    _esm = """
    export default {
      render({ model, el }) {
        const input = document.createElement("input");
        const shown = document.createElement("output");
        input.className = `field-${model.get("label")}`;
        shown.className = `shown-${model.get("label")}`;
        const show = () => { shown.textContent = JSON.stringify(model.get("value")); };
        input.addEventListener("change", () => {
          model.set("value", JSON.parse(input.value));
          model.save_changes();
        });
        model.on("change:value", show);
        show();
        el.append(input, shown);
      },
    };
    """
    label = traitlets.Unicode("").tag(sync=True)
    value: Any = traitlets.Any().tag(sync=True)

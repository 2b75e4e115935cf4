"""Widgets that are made, shown in two ways and closed, over and over; and a count of what that leaves behind.

The page has the model that asks for it as `window.stage`.
"""

import asyncio
import gc
import weakref
from collections import Counter
from collections.abc import Sized

import anywidget
import traitlets
from ipywidgets.widgets import widget as ipywidgets_widget

BATCH = 20
WAYS = {"in its parent", "by itself"}


class Leaf(anywidget.AnyWidget):
    """Takes from the page what a widget may take, and gives back only what nobody else can give back."""

    _esm = """
    export default {
      initialize({ model }) {
        model.on("change:number", () => {});
      },
      render({ model, el, signal }) {
        window.traces?.refs.push(new WeakRef(el), new WeakRef(model));
        const svg = new Blob(["<svg xmlns='http://www.w3.org/2000/svg'/>"], { type: "image/svg+xml" });
        const image = el.appendChild(Object.assign(new Image(), { src: URL.createObjectURL(svg) }));
        el.append(...Array.from({ length: 20 }, () => document.createElement("p")));
        window.addEventListener("resize", () => el.replaceChildren(), { signal });
        model.on("change", () => el.replaceChildren());
        model.send({ shown: el.closest(".stage") ? "in its parent" : "by itself" });
        return () => URL.revokeObjectURL(image.src);
      },
    };
    """
    number = traitlets.Int(0).tag(sync=True)
    payload = traitlets.Bytes(b"x" * 1000).tag(sync=True)
    alive = weakref.WeakSet()

    def __init__(self, number):
        super().__init__(number=number, _css=f".leaf-{number} {{ color: red }}")
        self.alive.add(self)
        self.missing = set(WAYS)
        self.shown = asyncio.Event()
        self.on_msg(self.note)

    def note(self, _widget, content, _buffers):
        self.missing.discard(content["shown"])
        if not self.missing:
            self.shown.set()


class Stage(anywidget.AnyWidget):
    """Shows the widgets that it is told to."""

    _esm = """
    export default {
      render({ model, el, host, signal }) {
        window.stage = model;
        el.className = "stage";
        let shown = new AbortController();
        model.on("change:children", () => {
          shown.abort();
          shown = new AbortController();
          const lifetime = AbortSignal.any([signal, shown.signal]);
          el.replaceChildren();
          for (const ref of model.get("children")) {
            const slot = el.appendChild(document.createElement("div"));
            host.getWidget(ref).then((child) => child.render({ el: slot, signal: lifetime }));
          }
        });
      },
    };
    """
    children = traitlets.List(traitlets.Unicode()).tag(sync=True)
    made = traitlets.Int(0).tag(sync=True)
    counted = traitlets.Dict().tag(sync=True)

    def __init__(self):
        super().__init__()
        self.on_msg(self.asked)

    def asked(self, _widget, content, _buffers):
        if "cycles" in content:
            self.task = asyncio.create_task(self.run(content["cycles"]))
        else:
            self.counted = {"asked": content["count"], **count()}

    async def run(self, cycles):
        for first in range(0, cycles, BATCH):
            leaves = [Leaf(self.made + first + n) for n in range(BATCH)]
            self.children = [f"anywidget:{leaf.model_id}" for leaf in leaves]
            for leaf in leaves:
                await leaf.shown.wait()
            self.children = []
            for leaf in leaves:
                leaf.close()
            del leaves, leaf
        self.made += cycles


def count():
    """Sizes: of what this script can see, and of all that objects of rdit hold, by class and attribute."""
    gc.collect()
    sizes = Counter({"widgets alive": len(Leaf.alive), "widgets known": len(ipywidgets_widget._instances)})
    for each in gc.get_objects():
        if str(type(each).__module__).startswith("rdit_"):
            sizes[type(each).__name__] += 1
            for name in {*getattr(each, "__dict__", ()), *getattr(type(each), "__slots__", ())}:
                held = getattr(each, name, None)
                if isinstance(held, Sized):
                    sizes[f"{type(each).__name__}.{name}"] += len(held)
    return dict(sizes)


Stage()

"""Results of every kind, and widgets that say what they are given: a live and an exported page must show the same."""

import math
import sys

import anywidget
import ipywidgets
import traitlets
from IPython.display import HTML, SVG, Latex, Markdown, display

HOSTILE = "</script><!--<script>\u2028\u2029<b id='injected'>&amp;{{data}}\\u003c\"'`${1}"


class Counter(anywidget.AnyWidget):
    _esm = """
    export default {
      render({ model, el }) {
        const button = document.createElement("button");
        const show = () => { button.textContent = `Count: ${model.get("value")}`; };
        button.className = "counter";
        button.onclick = () => { model.set("value", model.get("value") + 1); model.save_changes(); };
        model.on("change:value", show);
        show();
        el.append(button);
      },
    };
    """
    _css = ".counter { letter-spacing: 0.05em; } /* </style><!-- */"
    value = traitlets.Int(0).tag(sync=True)


class Values(anywidget.AnyWidget):
    """Says what its values are, to the bit."""

    _esm = r"""
    const HOSTILE = "</script><!--<script>\u2028";
    const told = (value) =>
      value instanceof DataView ? `bytes ${value.byteLength}/${value.buffer.byteLength}: ` +
        new Uint8Array(value.buffer).reduce((sum, byte) => sum + byte, 0)
      : Object.is(value, -0) ? "-0"
      : Array.isArray(value) ? `[${value.map(told).join(", ")}]`
      : typeof value === "number" ? String(value)
      : JSON.stringify(value);
    export default {
      render({ model, el }) {
        const pre = document.createElement("pre");
        pre.className = "values";
        const lines = ["data", "numbers", "text", "nested"].map((key) => told(model.get(key)));
        pre.textContent = lines.join("\n") + HOSTILE.length;
        el.append(pre);
      },
    };
    """
    data = traitlets.Bytes(bytes(range(256)) * 300).tag(sync=True)
    numbers = traitlets.List([math.nan, math.inf, -math.inf, -0.0, 0.1 + 0.2]).tag(sync=True)
    text = traitlets.Unicode(HOSTILE).tag(sync=True)
    nested = traitlets.List([b"ab", [math.nan, b"c"]]).tag(sync=True)


class Box(anywidget.AnyWidget):
    """Shows another widget inside of itself, and reads its model."""

    _esm = """
    export default {
      async render({ model, el, host }) {
        const child = await host.getWidget(model.get("child"));
        const inner = await host.getModel(model.get("child"));
        const sum = document.createElement("p");
        const show = () => { sum.textContent = `Inside: ${inner.get("value")}`; };
        sum.className = "inside";
        inner.on("change:value", show);
        show();
        const place = document.createElement("div");
        el.append(sum, place);
        await child.render({ el: place });
      },
    };
    """
    child = traitlets.Instance(ipywidgets.Widget).tag(sync=True, **ipywidgets.widget_serialization)


class Asking(anywidget.AnyWidget):
    """Wants Python when it is clicked."""

    _esm = """
    export default {
      render({ model, el, experimental }) {
        const button = document.createElement("button");
        button.className = "asking";
        button.textContent = "Ask";
        button.onclick = async () => {
          model.send({ hello: true });
          try { await experimental.invoke("answer"); } catch (error) { button.textContent = error.message; }
        };
        el.append(button);
      },
    };
    """


print("first line", HOSTILE)
print("to stderr", file=sys.stderr)
display(HTML("<h2>Rich</h2><p>text &lt;here&gt;</p>"))
display(SVG('<svg xmlns="http://www.w3.org/2000/svg" width="20" height="10"><rect width="20" height="10"/></svg>'))
display(Markdown("*plain* $a_i$\n\n$$\\frac{1}{2}$$"), Latex(r"$\displaystyle \int_0^1 x\,dx$"), Latex(r"$\nosuch$"))
display({"application/json": {"deep": [1, HOSTILE]}}, raw=True)
HOSTILE

counter = Counter(value=3)
counter
counter

Values()
Box(child=counter)
Asking()

counter.value = 5
undefined_name

"""A tour of live widgets: a page of small ones, each with its other half in Python.

    rdit serve examples/tour.py

Everything below is plain anywidget: a class with traits, and an ES module that reads and sets them.
"""

import itertools
import math

import anywidget
import traitlets
from IPython.display import HTML

# One look for all widgets of this page. It follows the reader's light or dark theme.
LOOK = """
.tour {
  --accent: #4f46e5; --ink: #1e1b4b; --quiet: #64748b; --line: #e2e8f0; --wash: #f8fafc; --good: #047857;
  font: inherit; color: var(--ink); display: grid; gap: 0.8rem; max-width: 44rem;
}
@media (prefers-color-scheme: dark) {
  .tour {
    --accent: #818cf8; --ink: #e2e8f0; --quiet: #94a3b8; --line: #334155; --wash: #1e293b; --good: #34d399;
  }
}
.tour button {
  font: inherit; font-weight: 600; padding: 0.45em 1em; border: 0; border-radius: 0.55em; cursor: pointer;
  color: white; background: #4f46e5; justify-self: start;
}
.tour button:hover { background: #4338ca; }
.tour button.quiet { color: var(--ink); background: var(--wash); border: 1px solid var(--line); }
.tour :is(button, input, select, canvas):focus-visible {
  outline: 3px solid color-mix(in srgb, var(--accent) 45%, transparent); outline-offset: 2px;
}
.tour label { display: grid; gap: 0.25rem; font-size: 0.92em; color: var(--quiet); }
.tour input:not([type]), .tour input[type=email], .tour select {
  font: inherit; color: var(--ink); background: var(--wash);
  border: 1px solid var(--line); border-radius: 0.5em; padding: 0.45em 0.6em;
}
.tour input[type=range] { accent-color: var(--accent); width: 100%; }
.tour .row { display: flex; flex-wrap: wrap; gap: 0.8rem; align-items: center; }
.tour .quiet-text { color: var(--quiet); font-size: 0.92em; }
"""


def heading(title: str, text: str) -> HTML:
    """A section's heading, as a rich result."""
    return HTML(f"<h2>{title}</h2><p>{text}</p>")


heading("A counter", "The click is JavaScript's, the line it prints is Python's.")


class Counter(anywidget.AnyWidget):
    """A button that counts its clicks."""

    _esm = """
    function render({ model, el }) {
      const box = document.createElement("div");
      box.className = "tour";
      const button = document.createElement("button");
      button.className = "tour-counter";
      const show = () => { button.textContent = `Count: ${model.get("value")}`; };
      button.addEventListener("click", () => {
        model.set("value", model.get("value") + 1);
        model.save_changes();
      });
      model.on("change:value", show);
      show();
      box.append(button);
      el.append(box);
    }
    export default { render };
    """
    _css = LOOK

    value = traitlets.Int(0).tag(sync=True)

    @traitlets.observe("value")
    def _announce(self, change):
        print(f"Python saw value change: {change['old']} → {change['new']}")


Counter()

heading("A slider that recomputes a plot", "Each move goes to Python, which computes 240 points and sends them back.")


class Wave(anywidget.AnyWidget):
    """Two sliders, and a curve that Python computes from them."""

    _esm = """
    const WIDTH = 640, HEIGHT = 200;
    function slider(model, name, title, min, max, step) {
      const label = document.createElement("label");
      const text = document.createElement("span");
      const input = document.createElement("input");
      Object.assign(input, { type: "range", min, max, step });
      input.dataset.trait = name;
      const show = () => {
        input.value = model.get(name);
        text.textContent = `${title}: ${Number(model.get(name)).toFixed(1)}`;
      };
      input.addEventListener("input", () => {
        model.set(name, input.valueAsNumber);
        model.save_changes();
      });
      model.on(`change:${name}`, show);
      show();
      label.append(text, input);
      return label;
    }
    function render({ model, el }) {
      const box = document.createElement("div");
      box.className = "tour";
      const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
      svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
      svg.setAttribute("role", "img");
      svg.setAttribute("aria-label", "The curve that Python computed");
      svg.classList.add("tour-plot");
      const axis = document.createElementNS(svg.namespaceURI, "path");
      axis.setAttribute("d", `M0 ${HEIGHT / 2} H${WIDTH}`);
      axis.setAttribute("class", "axis");
      const curve = document.createElementNS(svg.namespaceURI, "path");
      curve.setAttribute("class", "curve");
      svg.append(axis, curve);
      const draw = () => {
        const ys = model.get("points");
        const x = (i) => (i / (ys.length - 1)) * WIDTH;
        const y = (v) => HEIGHT / 2 - v * (HEIGHT / 2 - 8);
        curve.setAttribute("d", ys.map((v, i) => `${i ? "L" : "M"}${x(i).toFixed(1)} ${y(v).toFixed(1)}`).join(""));
      };
      model.on("change:points", draw);
      draw();
      box.append(
        slider(model, "frequency", "Frequency", 1, 12, 0.1),
        slider(model, "damping", "Damping", 0, 5, 0.1),
        svg,
      );
      el.append(box);
    }
    export default { render };
    """
    _css = (
        LOOK
        + """
    .tour-plot { width: 100%; background: var(--wash); border: 1px solid var(--line); border-radius: 0.7em; }
    .tour-plot .axis { stroke: var(--line); fill: none; }
    .tour-plot .curve { stroke: var(--accent); stroke-width: 2.5; fill: none; stroke-linejoin: round; }
    """
    )

    frequency = traitlets.Float(4.0, min=1, max=12).tag(sync=True)
    damping = traitlets.Float(1.5, min=0, max=5).tag(sync=True)
    points = traitlets.List(traitlets.Float(), read_only=True).tag(sync=True)

    @traitlets.default("points")
    def _compute(self):
        steps = 240
        return [
            round(math.exp(-self.damping * i / steps) * math.sin(2 * math.pi * self.frequency * i / steps), 4)
            for i in range(steps)
        ]

    @traitlets.observe("frequency", "damping")
    def _recompute(self, change):
        self.set_trait("points", self._compute())


Wave()

heading("A form that Python checks", "What you type is checked by a function in Python, as you type it.")


class SignUp(anywidget.AnyWidget):
    """A form; the verdict under it is Python's."""

    _esm = """
    function field(model, name, title, element) {
      const label = document.createElement("label");
      label.append(title, element);
      element.dataset.trait = name;
      element.value = model.get(name);
      element.addEventListener("input", () => {
        model.set(name, element.value);
        model.save_changes();
      });
      model.on(`change:${name}`, () => {
        if (element.value !== model.get(name)) element.value = model.get(name);
      });
      return label;
    }
    function render({ model, el }) {
      const form = document.createElement("form");
      form.className = "tour tour-form";
      form.addEventListener("submit", (event) => event.preventDefault());
      const email = document.createElement("input");
      email.type = "email";
      const plan = document.createElement("select");
      for (const option of model.get("plans")) plan.add(new Option(option, option));
      const verdict = document.createElement("output");
      const show = () => {
        verdict.textContent = model.get("verdict");
        verdict.className = model.get("complete") ? "good" : "missing";
      };
      model.on("change:verdict", show);
      model.on("change:complete", show);
      show();
      form.append(
        field(model, "name", "Name", document.createElement("input")),
        field(model, "email", "E-mail", email),
        field(model, "plan", "Plan", plan),
        verdict,
      );
      el.append(form);
    }
    export default { render };
    """
    _css = (
        LOOK
        + """
    .tour.tour-form { max-width: 24rem; }
    .tour-form output { min-height: 1.5em; font-weight: 600; }
    .tour-form .good { color: var(--good); }
    .tour-form .missing { color: var(--quiet); }
    """
    )

    name = traitlets.Unicode("").tag(sync=True)
    email = traitlets.Unicode("").tag(sync=True)
    plan = traitlets.Enum(["Seedling", "Shrub", "Tree"], "Seedling").tag(sync=True)
    plans = traitlets.List(["Seedling", "Shrub", "Tree"], read_only=True).tag(sync=True)
    complete = traitlets.Bool(False, read_only=True).tag(sync=True)
    verdict = traitlets.Unicode("Who are you?", read_only=True).tag(sync=True)

    @traitlets.observe("name", "email", "plan")
    def _check(self, change):
        missing = "Who are you?" if not self.name.strip() else "" if "@" in self.email else "Where do we write to?"
        self.set_trait("complete", not missing)
        self.set_trait("verdict", missing or f"Welcome, {self.name.strip()}: one {self.plan.lower()} it is.")


SignUp()

heading("A selection that filters", "Pick moons in the table; Python filters and adds up, the chart below it follows.")

MOONS = [
    ("Ganymede", "Jupiter", 5268),
    ("Titan", "Saturn", 5150),
    ("Callisto", "Jupiter", 4821),
    ("Io", "Jupiter", 3643),
    ("Moon", "Earth", 3475),
    ("Europa", "Jupiter", 3122),
    ("Triton", "Neptune", 2707),
    ("Titania", "Uranus", 1577),
]


class Moons(anywidget.AnyWidget):
    """A table whose selected rows are a list in Python."""

    _esm = """
    function render({ model, el }) {
      const box = document.createElement("div");
      box.className = "tour";
      const table = document.createElement("table");
      table.className = "tour-table";
      const head = table.createTHead().insertRow();
      for (const title of ["", "Moon", "Planet", "Diameter, km"]) {
        const cell = document.createElement("th");
        cell.textContent = title;
        head.append(cell);
      }
      const body = table.createTBody();
      const boxes = model.get("rows").map((row, index) => {
        const line = body.insertRow();
        const check = document.createElement("input");
        check.type = "checkbox";
        check.setAttribute("aria-label", `Select ${row[0]}`);
        line.insertCell().append(check);
        for (const value of row) line.insertCell().textContent = value.toLocaleString("en");
        const pick = (on) => {
          const others = model.get("selected").filter((one) => one !== index);
          model.set("selected", on ? [...others, index].sort((a, b) => a - b) : others);
          model.save_changes();
        };
        check.addEventListener("change", () => pick(check.checked));
        line.addEventListener("click", (event) => { if (event.target !== check) pick(!check.checked); });
        return check;
      });
      const show = () => {
        boxes.forEach((check, index) => {
          check.checked = model.get("selected").includes(index);
          check.closest("tr").classList.toggle("picked", check.checked);
        });
      };
      model.on("change:selected", show);
      show();
      box.append(table);
      el.append(box);
    }
    export default { render };
    """
    _css = (
        LOOK
        + """
    .tour-table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
    .tour-table th { text-align: left; font-size: 0.85em; font-weight: 600; color: var(--quiet); }
    .tour-table :is(th, td) { padding: 0.35em 0.6em; border-bottom: 1px solid var(--line); }
    .tour-table :is(th, td):last-child { text-align: right; }
    .tour-table tbody tr { cursor: pointer; }
    .tour-table tbody tr:hover { background: var(--wash); }
    .tour-table tr.picked { background: color-mix(in srgb, var(--accent) 12%, transparent); }
    .tour-table input { accent-color: var(--accent); }
    """
    )

    rows = traitlets.List(MOONS, read_only=True).tag(sync=True)
    selected = traitlets.List(traitlets.Int(min=0, max=len(MOONS) - 1)).tag(sync=True)


class Bars(anywidget.AnyWidget):
    """Horizontal bars, with a line of text."""

    _esm = """
    function render({ model, el }) {
      const box = document.createElement("div");
      box.className = "tour tour-bars";
      const draw = () => {
        const bars = model.get("bars");
        const most = Math.max(1, ...bars.map(([, value]) => value));
        box.replaceChildren(...bars.map(([name, value]) => {
          const row = document.createElement("div");
          row.className = "bar";
          const label = document.createElement("span");
          label.textContent = name;
          const bar = document.createElement("i");
          bar.style.width = `${(100 * value) / most}%`;
          const number = document.createElement("span");
          number.textContent = value.toLocaleString("en");
          row.append(label, bar, number);
          return row;
        }));
        const text = document.createElement("p");
        text.className = "quiet-text";
        text.textContent = model.get("text");
        box.append(text);
      };
      model.on("change", draw);
      draw();
      el.append(box);
    }
    export default { render };
    """
    _css = (
        LOOK
        + """
    .tour-bars .bar { display: grid; grid-template-columns: 6rem 1fr 4rem; gap: 0.6rem; align-items: center; }
    .tour-bars i { height: 1.1em; border-radius: 0.35em; background: var(--accent); transition: width 0.15s; }
    .tour-bars .bar span:last-child { text-align: right; font-variant-numeric: tabular-nums; color: var(--quiet); }
    .tour-bars p { margin: 0; }
    """
    )

    bars = traitlets.List().tag(sync=True)
    text = traitlets.Unicode("").tag(sync=True)


moons = Moons(selected=[0, 4])
chart = Bars()


def filter_moons(change=None):
    """Show the moons that are selected."""
    picked = [MOONS[index] for index in moons.selected]
    mean = sum(diameter for _, _, diameter in picked) / max(1, len(picked))
    with chart.hold_sync():
        chart.bars = [(name, diameter) for name, _, diameter in picked]
        chart.text = (
            f"{len(picked)} of {len(MOONS)} moons, {mean:,.0f} km across on average" if picked else "Pick a moon."
        )


moons.observe(filter_moons, "selected")
filter_moons()
moons

chart

heading("A canvas", "Draw with the mouse or a finger. Python has every stroke, and measures the ink.")


class Sketch(anywidget.AnyWidget):
    """A canvas to draw on; strokes are lists of points."""

    _esm = """
    const WIDTH = 640, HEIGHT = 260;
    function render({ model, el, signal }) {
      const box = document.createElement("div");
      box.className = "tour";
      const canvas = document.createElement("canvas");
      Object.assign(canvas, { width: WIDTH, height: HEIGHT, className: "tour-canvas", tabIndex: 0 });
      canvas.setAttribute("aria-label", "Drawing area");
      const clear = document.createElement("button");
      clear.className = "quiet";
      clear.textContent = "Clear";
      const ink = document.createElement("span");
      ink.className = "quiet-text";
      const row = document.createElement("div");
      row.className = "row";
      row.append(clear, ink);
      const pen = canvas.getContext("2d");
      const dark = matchMedia("(prefers-color-scheme: dark)");
      const draw = () => {
        pen.clearRect(0, 0, WIDTH, HEIGHT);
        Object.assign(pen, { lineWidth: 4, lineCap: "round", lineJoin: "round" });
        pen.strokeStyle = dark.matches ? "#a5b4fc" : "#4f46e5";
        for (const stroke of model.get("strokes")) {
          pen.beginPath();
          stroke.forEach(([x, y], i) => (i ? pen.lineTo(x, y) : pen.moveTo(x, y)));
          if (stroke.length === 1) pen.lineTo(stroke[0][0], stroke[0][1] + 0.1);
          pen.stroke();
        }
      };
      const write = (strokes) => {
        model.set("strokes", strokes);
        model.save_changes();
      };
      const place = (event) => {
        const frame = canvas.getBoundingClientRect();
        return [
          Math.round(((event.clientX - frame.left) / frame.width) * WIDTH),
          Math.round(((event.clientY - frame.top) / frame.height) * HEIGHT),
        ];
      };
      let drawing = false;
      canvas.addEventListener("pointerdown", (event) => {
        drawing = true;
        canvas.setPointerCapture(event.pointerId);
        write([...model.get("strokes"), [place(event)]]);
      });
      canvas.addEventListener("pointermove", (event) => {
        if (!drawing) return;
        const strokes = model.get("strokes");
        write([...strokes.slice(0, -1), [...strokes.at(-1), place(event)]]);
      });
      for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { drawing = false; });
      clear.addEventListener("click", () => write([]));
      const show = () => { ink.textContent = model.get("ink"); };
      model.on("change:strokes", draw);
      model.on("change:ink", show);
      dark.addEventListener("change", draw, { signal });
      draw();
      show();
      box.append(canvas, row);
      el.append(box);
    }
    export default { render };
    """
    _css = (
        LOOK
        + """
    .tour-canvas {
      width: 100%; aspect-ratio: 640 / 260; touch-action: none; cursor: crosshair;
      background: var(--wash); border: 1px solid var(--line); border-radius: 0.7em;
    }
    """
    )

    strokes = traitlets.List(traitlets.List(traitlets.Tuple(traitlets.Float(), traitlets.Float()))).tag(sync=True)
    ink = traitlets.Unicode("No ink yet.", read_only=True).tag(sync=True)

    @traitlets.observe("strokes")
    def _measure(self, change):
        length = sum(math.dist(a, b) for stroke in self.strokes for a, b in itertools.pairwise(stroke))
        count = len(self.strokes)
        text = f"{count} stroke{'s' * (count != 1)}, {length:,.0f} px of ink" if count else "No ink yet."
        self.set_trait("ink", text)


def spiral(turns: int = 3, steps: int = 90) -> list[tuple[float, float]]:
    """Something to begin with."""
    angles = [turns * 2 * math.pi * i / steps for i in range(steps + 1)]
    return [(round(320 + 5 * a * math.cos(a), 1), round(130 + 5 * a * math.sin(a), 1)) for a in angles]


Sketch(strokes=[spiral()])

// The solar system, to turn and to click at: export `selected_planet`.
//
// Distances and sizes are drawn on scales of their own; true ones would show a sun and a lot of nothing.

const [WIDTH, HEIGHT] = [900, 350];
const NAMESPACE = "http://www.w3.org/2000/svg";
const SURFACE = {
  Mercury: ["#d6d0c8", "#6b6560"], Venus: ["#f6e3b5", "#a9793b"], Earth: ["#8fc7ff", "#1d4f9c"], Mars: ["#f0a27c", "#8f3b1f"],
  Jupiter: ["#f3d9b8", "#8d6443"], Saturn: ["#f5e4b3", "#9b7f45"], Uranus: ["#c9f2f2", "#3f8f98"], Neptune: ["#9db8ff", "#2b3fae"],
};

function make(name, attributes, parent) {
  const made = document.createElementNS(NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  parent.append(made);
  return made;
}

/** A column of numbers. Copied, since a part of a message may begin anywhere, and a typed array may not. */
function numbers(data, name) {
  const { dtype, values } = data.columns.find((column) => column.name === name);
  const { buffer, byteOffset, byteLength } = values;
  const Typed = { float32: Float32Array, float64: Float64Array, int16: Int16Array, int32: Int32Array }[dtype];
  return new Typed(buffer.slice(byteOffset, byteOffset + byteLength));
}

function render({ model, el, signal }) {
  el.innerHTML = `
    <section class="linked">
      <header><strong>The solar system</strong><output></output></header>
      <svg class="space" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="group" aria-label="Solar system"></svg>
      <div class="row" style="margin-top: .5rem">
        <button></button>
        <span class="hint" style="margin: 0">Click a planet, or Tab to it and press Enter. Drag to turn; it rests while you aim.</span>
      </div>
    </section>`;
  const [svg, out, pause] = ["svg", "output", ".row button"].map((name) => el.querySelector(name));
  const data = model.get("data");
  const names = data.columns.find((column) => column.name === "name").values;
  const [distances, diameters, years] = ["distance_au", "diameter_km", "year_days"].map((name) => numbers(data, name));
  const view = { turn: 0.4, tilt: 0.36 };
  let isRunning = !matchMedia("(prefers-reduced-motion: reduce)").matches;
  let [days, held, lastMs, frame] = [0, null, null, 0];

  const defs = make("defs", {}, svg);
  const glow = ([light, dark], id) => {
    const gradient = make("radialGradient", { id, cx: "35%", cy: "32%", r: "75%" }, defs);
    make("stop", { offset: "0%", "stop-color": light }, gradient);
    make("stop", { offset: "100%", "stop-color": dark }, gradient);
  };
  // Ids are the page's, and a page may show this twice.
  const tag = `p${Math.random().toString(36).slice(2)}`;
  glow(["#fff7d6", "#f59e0b"], `${tag}-sun`);
  for (let star = 0; star < 90; star += 1) {
    const [x, y] = [(star * 7919) % WIDTH, (star * 4421) % HEIGHT];
    make("circle", { cx: x, cy: y, r: star % 7 ? 0.6 : 1.1, fill: "#ffffff", opacity: 0.25 + (star % 5) * 0.12 }, svg);
  }
  const orbits = names.map(() => make("path", { class: "orbit" }, svg));
  const scene = make("g", {}, svg);
  const sun = make("circle", { r: 20, fill: `url(#${tag}-sun)` }, scene);
  const planets = names.map((name, number) => {
    glow(SURFACE[name] ?? ["#e2e8f0", "#475569"], `${tag}-${number}`);
    const radius = 4 + 15 * Math.sqrt(diameters[number] / Math.max(...diameters));
    const group = make("g", { class: "planet", tabindex: 0, role: "button", "aria-label": name }, scene);
    group.dataset.planet = name;
    make("circle", { r: Math.max(14, radius + 5), fill: "transparent" }, group);
    if (name === "Saturn") {
      make("ellipse", { rx: radius * 1.9, ry: radius * 0.55, fill: "none", stroke: "#d9c48a", "stroke-width": 3, opacity: 0.75 }, group);
    }
    make("circle", { r: radius, fill: `url(#${tag}-${number})` }, group);
    make("circle", { class: "ring", r: radius + 5 }, group);
    make("text", { y: radius + 19 }, group).textContent = name;
    group.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      pick(name);
    });
    return { group, far: 55 + (number + 0.2) * 43, start: number * 2.4 };
  });

  /** Where something is on the screen, how near it is to the eye, and how much bigger that makes it. */
  function project(angle, far) {
    const [x, z] = [Math.cos(angle) * far, Math.sin(angle) * far];
    const near = z * Math.cos(view.tilt);
    const scale = 1600 / (1600 - near);
    return { x: WIDTH / 2 + x * scale, y: HEIGHT / 2 + z * Math.sin(view.tilt) * scale, near, scale };
  }

  function place() {
    orbits.forEach((orbit, number) => {
      const points = Array.from({ length: 73 }, (_, step) => project((step / 36) * Math.PI, planets[number].far));
      orbit.setAttribute("d", `M${points.map(({ x, y }) => `${x.toFixed(1)},${y.toFixed(1)}`).join("L")}`);
    });
    turn();
  }

  function turn() {
    const bodies = planets.map(({ group, far, start }, number) => {
      const at = project(start + view.turn + (days / years[number]) * 2 * Math.PI, far);
      group.setAttribute("transform", `translate(${at.x.toFixed(2)} ${at.y.toFixed(2)}) scale(${at.scale.toFixed(3)})`);
      return { group, near: at.near };
    });
    sun.setAttribute("transform", `translate(${WIDTH / 2} ${HEIGHT / 2})`);
    const order = [...bodies, { group: sun, near: 0 }].sort((one, other) => one.near - other.near).map(({ group }) => group);
    // The one that has the focus would lose it if it were put elsewhere.
    if (!scene.contains(el.getRootNode().activeElement) && order.some((body, number) => scene.children[number] !== body)) {
      scene.append(...order);
    }
  }

  function tick(nowMs) {
    frame = requestAnimationFrame(tick);
    const isAimed = svg.matches(":hover") || svg.querySelector(":focus-visible") !== null;
    const isStill = !isRunning || isAimed || held !== null;
    // Outer planets take centuries; here a day is as long as their square root allows.
    if (!isStill && lastMs !== null) days += Math.min(100, nowMs - lastMs) * 0.012;
    lastMs = nowMs;
    svg.toggleAttribute("data-still", isStill);
    if (!isStill) turn();
  }

  function pick(name) {
    model.set("selected_planet", name);
    model.save_changes();
  }

  function show() {
    const picked = model.get("selected_planet");
    for (const { group } of planets) group.setAttribute("aria-pressed", String(group.dataset.planet === picked));
    out.textContent = picked ?? "no planet is picked";
  }

  function showPause() {
    pause.textContent = isRunning ? "Pause" : "Play";
  }
  pause.addEventListener("click", () => {
    isRunning = !isRunning;
    showPause();
  });
  // The focus is for the keyboard: what a click leaves behind would hold everything still.
  svg.addEventListener("mousedown", (event) => event.preventDefault());
  svg.addEventListener("pointerdown", (event) => {
    const planet = event.target.closest("[data-planet]")?.dataset.planet;
    held = { x: event.clientX, y: event.clientY, moved: 0, planet };
    svg.setPointerCapture(event.pointerId);
  });
  svg.addEventListener("pointermove", (event) => {
    if (!held) return;
    const [dx, dy] = [event.clientX - held.x, event.clientY - held.y];
    held.moved += Math.abs(dx) + Math.abs(dy);
    if (held.moved < 5) return;
    view.turn -= dx * 0.006;
    view.tilt = Math.min(1.4, Math.max(0.12, view.tilt + dy * 0.005));
    [held.x, held.y] = [event.clientX, event.clientY];
    place();
  });
  svg.addEventListener("pointerup", () => {
    if (held && held.moved < 5 && held.planet) pick(held.planet);
    held = null;
  });
  svg.addEventListener("pointercancel", () => { held = null; });
  model.on("change:selected_planet", show);
  signal.addEventListener("abort", () => cancelAnimationFrame(frame));
  showPause();
  show();
  place();
  frame = requestAnimationFrame(tick);
}

export default { render };

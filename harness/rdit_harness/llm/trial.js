/**
 * The page's half of a trial: shows a generated module on the browser side of rdit, over a socket that is carried by hand,
 * and keeps what the module did. `trial.py` is the other half; nothing here judges.
 *
 * The module gets a model that notes its calls. Everything else is what a page of `rdit serve` gives it, with the strict
 * profile: the portable part of the contract and no more.
 */

import { connect, renderWidget } from "./index.js";

const MAX_NOTES = 5_000;
const DATES = { date: "2021-03-04", month: "2021-03", week: "2021-W09", "datetime-local": "2021-03-04T12:30" };
const POINTED_AT = /^(click|dblclick|pointer|mouse|touch|drag|wheel|key)/;

let phase = "load";
/** @type {{ kind: string, message: string, phase: string }[]} */
const faults = [];
const sets = new Map();
const gets = new Map();
const listens = new Set();
let saves = 0;
/** Elements that wait for a pointer or a key. @type {Set<EventTarget>} */
const attentive = new Set();

const clip = (value) => String(value).slice(0, 600);
function fault(kind, message) {
  if (faults.length < MAX_NOTES) faults.push({ kind, message: clip(message), phase });
}

function whereOf(error) {
  const place = /widget\.js(?:#[^:\s)]*)?:(\d+):(\d+)/.exec(String(error?.stack ?? ""));
  return place ? ` (line ${place[1]}, column ${place[2]})` : "";
}
const told = (error) => `${error instanceof Error ? `${error.name}: ${error.message}` : String(error)}${whereOf(error)}`;

addEventListener("error", (event) => fault("page_error", event.error ? told(event.error) : event.message));
addEventListener("unhandledrejection", (event) => fault("unhandled_rejection", told(event.reason)));
addEventListener("securitypolicyviolation", (event) =>
  fault("csp_violation", `${event.effectiveDirective} ${event.blockedURI}`),
);
for (const level of ["error", "warn"]) {
  const original = console[level].bind(console);
  console[level] = (...parts) => {
    const text = parts.map((part) => (part instanceof Error ? told(part) : String(part))).join(" ");
    if (level === "error" || text.startsWith("[rdit]")) fault(`console_${level}`, text);
    original(...parts);
  };
}
// The one way to the network that is no request, and that no policy forbids.
window.RTCPeerConnection = class {
  constructor() {
    fault("network", "RTCPeerConnection");
    throw new DOMException("There is no network here", "NotSupportedError");
  }
};

// What a view may leave behind: listeners on what outlives it, intervals, animation frames.

const lasting = [window, document, document.documentElement, document.body];
/** @type {Set<{ target: EventTarget, type: string, listener: unknown, signal?: AbortSignal, once?: boolean }>} */
const kept = new Set();
const intervals = new Set();
let lateFrames = 0;

const { addEventListener: listen, removeEventListener: ignore } = EventTarget.prototype;
EventTarget.prototype.addEventListener = function (type, listener, options) {
  const target = this ?? window;
  if (target instanceof Element && POINTED_AT.test(String(type))) attentive.add(target);
  const { signal, once } = options ?? {};
  if (lasting.includes(target) && phase !== "load") kept.add({ target, type, listener, signal, once });
  return listen.call(target, type, listener, options);
};
EventTarget.prototype.removeEventListener = function (type, listener, options) {
  const target = this ?? window;
  for (const one of kept) if (one.target === target && one.type === type && one.listener === listener) kept.delete(one);
  return ignore.call(target, type, listener, options);
};
const { setInterval: every, clearInterval: stop, clearTimeout: drop, requestAnimationFrame: draw } = window;
window.setInterval = (...given) => {
  const timer = every(...given);
  intervals.add(timer);
  return timer;
};
// Either ends both kinds.
window.clearInterval = (timer) => (intervals.delete(timer), stop.call(window, timer));
window.clearTimeout = (timer) => (intervals.delete(timer), drop.call(window, timer));
window.requestAnimationFrame = (callback) => {
  if (phase === "gone") lateFrames += 1;
  return draw.call(window, callback);
};

// The socket.

let outbox = [];
let socket = null;
const toBase64 = (bytes) => {
  let text = "";
  for (let at = 0; at < bytes.length; at += 32_768) text += String.fromCharCode(...bytes.subarray(at, at + 32_768));
  return btoa(text);
};
const fromBase64 = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer;

/** @type {Uint8Array[]} */
const pieces = [];
function joined(frame) {
  const parts = pieces.splice(0, frame.pieces);
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return frame.isText ? new TextDecoder().decode(whole) : whole.buffer;
}

class CarriedSocket extends EventTarget {
  protocol = "rdit.v1";
  readyState = 0;
  binaryType = "arraybuffer";
  constructor() {
    super();
    socket = this;
    queueMicrotask(() => {
      this.readyState = 1;
      this.dispatchEvent(new Event("open"));
    });
  }
  send(data) {
    // What fails is for the verdict, not for the log of whoever asked for a widget.
    if (typeof data === "string") return void (data.startsWith('{"type":"report"') || outbox.push(data));
    const bytes = ArrayBuffer.isView(data)
      ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
      : new Uint8Array(data);
    outbox.push({ base64: toBase64(bytes) });
  }
  close() {
    this.readyState = 3;
  }
}

// The model.

function note(map, key) {
  if (map.size < MAX_NOTES) map.set(key, (map.get(key) ?? 0) + 1);
}

function watched(model) {
  return new Proxy(model, {
    get(target, key) {
      const value = Reflect.get(target, key);
      if (key === "set") {
        return (name, ...rest) => {
          for (const one of typeof name === "object" && name !== null ? Object.keys(name) : [String(name)])
            note(sets, `${phase} ${one}`);
          return value(name, ...rest);
        };
      }
      if (key === "get") return (name) => (note(gets, `${phase} ${String(name)}`), value(name));
      if (key === "save_changes") return () => ((saves += 1), value());
      if (key === "on") {
        return (names, callback) => {
          for (const name of String(names).split(/\s+/)) listens.add(name);
          return value(names, callback);
        };
      }
      return value;
    },
  });
}

function watchedDefinition(definition) {
  if (definition === null || typeof definition !== "object") return definition;
  const hook = (name) =>
    typeof definition[name] === "function" && ((props) => definition[name]({ ...props, model: watched(props.model) }));
  return Object.fromEntries(
    ["initialize", "render", "destroy"].map((name) => [name, hook(name)]).filter(([, given]) => given),
  );
}

let exported = "not loaded";
async function importModule(url) {
  const module = await import(url);
  const given = module.default;
  if (given === undefined || given === null) {
    exported = Object.keys(module).length > 0 ? `only: ${Object.keys(module).join(", ")}` : "nothing";
    throw new TypeError("no default export");
  }
  const definition = typeof given === "function" ? await given() : given;
  exported = typeof definition?.render === "function" ? "render" : "no render";
  if (exported === "no render") throw new TypeError("no render");
  return { default: watchedDefinition(definition) };
}

// What trial.py calls.

let connection;
const views = new Map();
let globalsBefore = new Set();

const trial = {
  start() {
    globalsBefore = new Set(Object.getOwnPropertyNames(globalThis));
    connection = connect("/ws/widgets", { WebSocket: CarriedSocket, statusUrl: null, profile: "strict", document: null, window: null });
    connection.on("error", (detail) => {
      const of = detail.property ? ` (${detail.property})` : "";
      fault(`fault ${detail.code}`, `${detail.error ? told(detail.error) : detail.message}${of}`);
    });
  },
  /** A piece of a large frame, of the next one that says how many it has. */
  take(piece) {
    pieces.push(new Uint8Array(fromBase64(piece)));
  },
  exchange(frames) {
    for (const frame of frames) {
      const data = typeof frame === "string" ? frame : "base64" in frame ? fromBase64(frame.base64) : joined(frame);
      socket.dispatchEvent(new MessageEvent("message", { data }));
    }
    const sent = outbox;
    outbox = [];
    return { sent, idle: connection.idle, state: connection.state };
  },
  knows: (widgetId) => connection.state === "live" && connection.model(widgetId) !== undefined,
  enter(next) {
    phase = next;
  },
  /** Begins to show the widget in a place of its own; `status` says what came of it. */
  mount(widgetId, place) {
    const el = document.createElement("div");
    el.id = `place-${place}`;
    document.getElementById("places").append(el);
    const entry = { el, view: null, failure: null, isDone: false };
    views.set(place, entry);
    const onerror = (failure) => {
      entry.failure = { stage: failure.stage, message: told(failure.error), isSyntax: failure.error instanceof SyntaxError };
    };
    renderWidget({ widgetData: { widget_id: widgetId, model: {} }, el, connection, importModule, onerror }).then((view) => {
      entry.view = view;
      entry.isDone = true;
    });
  },
  status(place) {
    const { isDone, failure } = views.get(place);
    return { isDone, failure, exported };
  },
  /** Where a module that cannot be read breaks: only a script element tells. */
  async findSyntaxError() {
    const script = document.createElement("script");
    script.type = "module";
    script.src = "/widget.js?where";
    const found = await new Promise((resolve) => {
      const hear = (event) => event.lineno && resolve(`${event.message} (line ${event.lineno}, column ${event.colno})`);
      addEventListener("error", hear, { capture: true });
      script.addEventListener("error", () => setTimeout(() => resolve(null), 50));
      script.addEventListener("load", () => resolve(null));
      document.head.append(script);
    });
    script.remove();
    return found;
  },
  unmount(place) {
    const { view, el } = views.get(place);
    const entry = { isDone: false };
    views.set(`end ${place}`, entry);
    view.dispose().then(() => {
      el.remove();
      entry.isDone = true;
    });
  },
  async frame() {
    const drawn = () => new Promise((done) => (draw.call(window, done), setTimeout(done, 100)));
    await drawn();
    await drawn();
  },
  /** What the module shows, in CSS pixels: of its element, and of the largest thing inside. */
  shown(place) {
    const inside = views.get(place).view.el;
    const boxes = [inside, ...inside.querySelectorAll("*")].map((one) => one.getBoundingClientRect());
    const largest = boxes.reduce((most, box) => Math.max(most, box.width * box.height), 0);
    return { children: inside.childElementCount, text: inside.textContent.trim().length, area: largest };
  },
  /** What is still there of a widget that is shown nowhere any more. */
  leftovers() {
    const names = new Map([[window, "window"], [document, "document"]]);
    const listeners = [...kept].filter(({ signal, once }) => !once && !signal?.aborted);
    return [
      ...listeners.map(({ target, type }) => `a listener for ${type} on ${names.get(target) ?? target.tagName.toLowerCase()}`),
      ...[...intervals].map(() => "an interval"),
      ...(lateFrames > 1 ? ["animation frames"] : []),
    ];
  },
  strays() {
    const bodies = [...document.body.children].filter((one) => one.id !== "places" && one.id !== "ours");
    const globals = Object.getOwnPropertyNames(globalThis).filter((name) => !globalsBefore.has(name));
    return { bodies: bodies.map((one) => one.outerHTML.slice(0, 80)), globals };
  },
  value(widgetId, name) {
    const value = connection.model(widgetId)?.peek(name);
    return value === undefined ? null : clip(JSON.stringify(value));
  },
  /** What a hand can try: controls, what waits for a pointer, marks and surfaces, in this order. */
  targets(place, most) {
    const inside = views.get(place).view.el;
    const controls = [...inside.querySelectorAll("input, select, textarea, button, [contenteditable=true], [role]")];
    const waiting = [...attentive].filter((one) => inside.contains(one) && one !== inside && !controls.includes(one));
    const marks = [...inside.querySelectorAll("circle, rect, path, li, td, option, [tabindex]")].filter(
      (one) => !controls.includes(one) && !waiting.includes(one),
    );
    const spread = (list, count) => {
      const every = Math.max(1, Math.ceil(list.length / count));
      return list.filter((_, index) => index % every === 0);
    };
    const surfaces = [...inside.querySelectorAll("canvas, svg")];
    const chosen = [
      ...spread(controls, most).map((one) => [one, "control"]),
      ...spread(waiting, most).map((one) => [one, "point"]),
      ...(surfaces.length ? surfaces.slice(0, 3) : [inside]).map((one) => [one, "surface"]),
      ...spread(marks, most).map((one) => [one, "point"]),
    ];
    for (const stale of document.querySelectorAll("[data-trial]")) stale.removeAttribute("data-trial");
    return chosen
      .filter(([one]) => !one.closest("a[href]") && one.getBoundingClientRect().width > 0)
      .map(([one, kind], index) => {
        one.setAttribute("data-trial", String(index));
        return { index, kind, tag: one.tagName.toLowerCase(), type: one.getAttribute("type") ?? "" };
      });
  },
  box(index) {
    const element = document.querySelector(`[data-trial="${index}"]`);
    if (element === null) return null;
    element.scrollIntoView({ block: "center", inline: "center", behavior: "instant" });
    const { left, top, width, height } = element.getBoundingClientRect();
    return { left, top, width: Math.min(width, innerWidth - left), height: Math.min(height, innerHeight - top) };
  },
  /** Chooses another option or a date, as a hand does: with the events that belong to it. */
  choose(index) {
    const element = document.querySelector(`[data-trial="${index}"]`);
    if (element === null || element.options?.length === 0) return;
    const { options } = element;
    if (options === undefined) element.value = DATES[element.type];
    else if (element.multiple) options[0].selected = !options[0].selected;
    else element.selectedIndex = (element.selectedIndex + 1) % options.length;
    for (const type of ["input", "change"]) element.dispatchEvent(new Event(type, { bubbles: true }));
  },
  forget() {
    faults.length = 0;
  },
  report() {
    return { faults, sets: [...sets], gets: [...gets], listens: [...listens], saves };
  },
};
Object.defineProperty(globalThis, "__rditTrial", { value: trial });

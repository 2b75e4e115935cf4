/**
 * What a widget's state says about its looks: `_css`, and the `layout`, `_dom_classes` and `tooltip` of its element.
 *
 * A style sheet is in the document once, however many views have it, and goes with the last of them. It holds for the
 * whole page, as it does elsewhere, unless the page asks for it to be scoped: then it is wrapped in an `@scope` that
 * begins at the elements of its own views and ends where another widget's content begins.
 */

import { isPlainObject } from "./binary.js";
import { isHttpUrl } from "./loader.js";

/** @typedef {import("./model.js").ScopedModel} ScopedModel */

/** Names the sheets, by number, that hold for an element and what is in it. */
const SCOPE_ATTRIBUTE = "data-rdit-scope";

/**
 * @typedef {object} Sheet
 * @property {HTMLElement} node
 * @property {number} users
 */

/** @type {WeakMap<Document, Map<string, Sheet>>} The key is what the sheet says, scoped or not. */
const sheets = new WeakMap();
/** @type {WeakMap<Document, Map<string, { number: number, users: number }>>} The scope of each text. */
const scopes = new WeakMap();
let lastScope = 0;
/** @type {Set<string>} */
const warned = new Set();

/** @param {string} text */
function warnOnce(text) {
  if (warned.has(text)) return;
  warned.add(text);
  console.warn(`[rdit] ${text}`);
}

/** @param {() => void} act @returns {() => void} does it the first time it is called */
function once(act) {
  let isDone = false;
  return () => {
    if (isDone) return;
    isDone = true;
    act();
  };
}

/**
 * Puts CSS (text, or an http(s) URL) into the document once, however many ask for it.
 *
 * @param {Document} document
 * @param {string} css
 * @returns {() => void} gives it back; the last one to do so removes it
 */
export function acquireCss(document, css) {
  const known = sheets.get(document) ?? new Map();
  sheets.set(document, known);
  let sheet = known.get(css);
  if (!sheet) {
    /** @type {HTMLElement} */
    let node;
    if (isHttpUrl(css)) {
      node = Object.assign(document.createElement("link"), { rel: "stylesheet", href: css });
    } else {
      node = document.createElement("style");
      node.textContent = css;
    }
    node.setAttribute("data-rdit-css", "");
    document.head.append(node);
    sheet = { node, users: 0 };
    known.set(css, sheet);
  }
  sheet.users += 1;
  return once(() => {
    sheet.users -= 1;
    if (sheet.users > 0) return;
    sheet.node.remove();
    known.delete(css);
  });
}

/**
 * The same, for one element and what is in it.
 *
 * @param {HTMLElement} el
 * @param {string} css
 * @returns {() => void}
 */
export function acquireScopedCss(el, css) {
  const document = el.ownerDocument;
  if (isHttpUrl(css)) {
    warnOnce(`${css} is a style sheet of its own and cannot be scoped: it holds for the whole page`);
    return acquireCss(document, css);
  }
  // Where the rule is unknown all that is in it would be ignored.
  if (!(/** @type {any} */ (document.defaultView)?.CSSScopeRule)) {
    warnOnce("this browser knows no @scope: styles of widgets hold for the whole page");
    return acquireCss(document, css);
  }
  const known = scopes.get(document) ?? new Map();
  scopes.set(document, known);
  const scope = known.get(css) ?? { number: (lastScope += 1), users: 0 };
  known.set(css, scope);
  scope.users += 1;
  const name = String(scope.number);
  const begin = `[${SCOPE_ATTRIBUTE}~="${name}"]`;
  // The element that a child is rendered into is its parent's; what is in it, the child's.
  const release = acquireCss(document, `@scope (${begin}) to (:scope [data-widget-id] > *) {\n${css}\n}`);
  const names = () => (el.getAttribute(SCOPE_ATTRIBUTE) ?? "").split(" ").filter(Boolean);
  el.setAttribute(SCOPE_ATTRIBUTE, [...names(), name].join(" "));
  return once(() => {
    const left = names();
    left.splice(left.indexOf(name), 1);
    if (left.length > 0) el.setAttribute(SCOPE_ATTRIBUTE, left.join(" "));
    else el.removeAttribute(SCOPE_ATTRIBUTE);
    release();
    scope.users -= 1;
    if (scope.users === 0) known.delete(css);
  });
}

/**
 * Keeps the sheet of a model's `_css` in the document until the signal aborts.
 *
 * @param {ScopedModel} model
 * @param {HTMLElement} el
 * @param {AbortSignal} signal
 * @param {boolean} isScoped
 */
export function followCss(model, el, signal, isScoped) {
  let release = () => {};
  /** @param {string} css */
  const acquire = (css) => (isScoped ? acquireScopedCss(el, css) : acquireCss(el.ownerDocument, css));
  function load() {
    const css = model.get("_css");
    const releaseOld = release;
    // The new sheet comes before the old one goes: the widget is never seen without any.
    release = typeof css === "string" && css !== "" ? acquire(css) : () => {};
    releaseOld();
  }
  if (signal.aborted) return;
  load();
  model.on("change:_css", load);
  signal.addEventListener("abort", () => release(), { once: true });
}

/**
 * Follows what a widget's state says about its element: `layout` (CSS properties, in snake_case), `_dom_classes` and
 * `tooltip`.
 *
 * @param {ScopedModel} model
 * @param {HTMLElement} el
 * @param {AbortSignal} signal
 */
export function applyStyles(model, el, signal) {
  /** @type {string[]} */
  let properties = [];
  /** @type {string[]} */
  let classes = [];

  function layOut() {
    const layout = model.get("layout");
    for (const property of properties) el.style.removeProperty(property);
    properties = [];
    if (!isPlainObject(layout)) return;
    for (const [key, value] of Object.entries(layout)) {
      // Keys with a leading underscore name the layout model itself (`_model_name`, `_view_count`, ...).
      if (!/^[a-z][a-z_]*$/.test(key) || (typeof value !== "string" && typeof value !== "number")) continue;
      const property = key.replaceAll("_", "-");
      el.style.setProperty(property, String(value));
      properties.push(property);
    }
  }
  function classify() {
    const names = model.get("_dom_classes");
    el.classList.remove(...classes);
    classes = Array.isArray(names) ? names.filter((name) => typeof name === "string" && /^\S+$/.test(name)) : [];
    el.classList.add(...classes);
  }
  function describeEl() {
    const tooltip = model.get("tooltip");
    if (typeof tooltip === "string" && tooltip !== "") el.title = tooltip;
    else el.removeAttribute("title");
  }

  layOut();
  classify();
  if (model.get("tooltip") !== undefined) describeEl();
  model.on("change:layout", layOut);
  model.on("change:_dom_classes", classify);
  model.on("change:tooltip", describeEl);
  signal.addEventListener(
    "abort",
    () => {
      for (const property of properties) el.style.removeProperty(property);
      el.classList.remove(...classes);
    },
    { once: true },
  );
}

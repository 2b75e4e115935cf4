/**
 * A widget in an element: `renderWidget`.
 *
 * Three lifetimes, each inside the one before: the model (as long as the connection keeps it open), its binding (the
 * module, loaded and initialized once per model), its views (one per `render`). Each has an AbortSignal; when one ends,
 * cleanups run, listeners leave and the elements go. An error in a widget's code stays in the widget's own element.
 *
 * Elements are ordinary ones in the page, never in a shadow root: widgets put styles in the document's head and look
 * their nodes up by id.
 */

import { CHILD_WAIT_MS, connectionOver } from "./connection.js";
import { isPlainObject } from "./binary.js";
import { experimentalOf } from "./invoke.js";
import { isHttpUrl, loadModule } from "./loader.js";
import { messageOf } from "./model.js";

/** @typedef {import("./connection.js").Connection} Connection */
/** @typedef {import("./connection.js").WidgetData} WidgetData */
/** @typedef {import("./loader.js").Definition} Definition */
/** @typedef {import("./model.js").Model} Model */
/** @typedef {import("./model.js").ScopedModel} ScopedModel */
/** @typedef {"open" | "import" | "initialize" | "render" | "cleanup"} Stage */

/**
 * @typedef {object} WidgetFailure
 * @property {string} widgetId
 * @property {Stage} stage
 * @property {string} message
 * @property {unknown} error
 */

/**
 * @typedef {object} View
 * @property {ScopedModel | null} model null when the widget could not even be opened
 * @property {HTMLElement} el the element that the widget's `render` got
 * @property {WidgetFailure | null} failure
 * @property {() => Promise<void>} dispose resolves when the widget's cleanups are done
 */

/**
 * @typedef {object} RenderOptions
 * @property {WidgetData} widgetData
 * @property {HTMLElement} el is emptied, and a view that it showed ends; the widget gets an element of its own inside
 * @property {Connection} [connection]
 * @property {any} [websocket] instead of a connection: a WebSocket, also one that is still connecting
 * @property {AbortSignal} [signal] ends the view
 * @property {import("./model.js").Profile} [profile] used when `websocket` is wrapped
 * @property {(failure: WidgetFailure) => void} [onerror] default: `console.error`
 * @property {number} [childWaitMs] how long `host.getWidget` and `host.getModel` wait for a widget that is not open yet
 * @property {(url: string) => Promise<any>} [importModule]
 */

/**
 * @typedef {object} ResolvedWidget
 * @property {any} exports
 * @property {(options: { el: HTMLElement, signal?: AbortSignal }) => Promise<void>} render
 */

/**
 * @typedef {object} Host
 * @property {(ref: unknown) => Promise<ResolvedWidget>} getWidget
 * @property {(ref: unknown) => Promise<ScopedModel>} getModel
 */

/** An error of a widget's code, with the stage in which it happened. */
class StageError extends Error {
  /** @param {Stage} stage @param {unknown} cause */
  constructor(stage, cause) {
    super(messageOf(cause), { cause });
    this.stage = stage;
  }
}

/**
 * @typedef {object} Binding
 * @property {Model} model
 * @property {AbortSignal} signal
 * @property {string | undefined} source address or text of the module
 * @property {import("./invoke.js").Experimental} experimental
 * @property {Promise<{ definition: Definition, exports: any }>} ready
 * @property {() => void} end
 */

/** @type {WeakMap<Model, Binding>} */
const bindings = new WeakMap();

/**
 * Runs cleanups, whatever they do; their errors are logged, never thrown.
 *
 * @param {string} widgetId
 * @param {...(() => unknown)} cleanups
 */
async function cleanUp(widgetId, ...cleanups) {
  for (const cleanup of cleanups) {
    try {
      await cleanup();
    } catch (error) {
      console.error(`[rdit] widget ${widgetId}: a cleanup failed`, error);
    }
  }
}

/**
 * The binding of an open model: its module is loaded and initialized on the first call. A model that outlived its
 * server may come back with other code: then the old binding ends.
 *
 * @param {Connection} connection
 * @param {Model} model
 * @param {WidgetData} widgetData
 * @param {RenderOptions["importModule"]} importModule
 * @returns {Binding}
 */
function bindingOf(connection, model, widgetData, importModule) {
  const source = widgetData.esm_url ?? widgetData.esm;
  const existing = bindings.get(model);
  if (existing?.source === source) return /** @type {Binding} */ (existing);
  existing?.end();
  const { widgetId } = model;
  const lifetime = new AbortController();
  const { signal } = lifetime;
  const end = () => {
    model.signal.removeEventListener("abort", end);
    lifetime.abort();
  };
  model.signal.addEventListener("abort", end);
  if (model.signal.aborted) end();
  const experimental = experimentalOf(model, () => connection.hold?.() ?? (() => {}));

  async function load() {
    const definition = await loadModule({
      esm: widgetData.esm,
      esm_url: widgetData.esm_url,
      widgetId,
      baseUrl: connection.baseUrl,
      signal,
      importModule,
    }).catch((error) => {
      throw new StageError("import", error);
    });
    try {
      const result = await definition.initialize?.({ model: model.scope(signal), signal, experimental });
      if (typeof result !== "function") return { definition, exports: result ?? undefined };
      if (signal.aborted) await cleanUp(widgetId, result);
      else signal.addEventListener("abort", () => void cleanUp(widgetId, result), { once: true });
      return { definition, exports: undefined };
    } catch (error) {
      throw new StageError("initialize", error);
    }
  }

  const ready = load();
  model.holdMessages(ready);
  // Whoever needs it awaits it and gets the error; without a view yet nobody does.
  ready.catch(() => {});
  const binding = { model, signal, source, experimental, ready, end };
  bindings.set(model, binding);
  return binding;
}

/** @param {unknown} ref @returns {string} */
function widgetIdOf(ref) {
  const match = typeof ref === "string" ? /^(?:anywidget:|IPY_MODEL_)(.+)$/.exec(ref) : null;
  if (!match) throw new TypeError(`Invalid widget reference: ${describe(ref)}; expected "anywidget:<widget id>"`);
  return match[1];
}

/** @param {unknown} value */
function describe(value) {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return String(value);
  }
}

/**
 * @typedef {object} HostContext
 * @property {Connection} connection
 * @property {AbortSignal} signal of the view that asks
 * @property {readonly string[]} chain ids of the views around it, outermost first, its own last
 * @property {number} childWaitMs
 * @property {RenderOptions["importModule"]} importModule
 */

/** @param {HostContext} context @returns {Host} */
function createHost({ connection, signal, chain, childWaitMs, importModule }) {
  return {
    async getModel(ref) {
      const model = await connection.whenOpen(widgetIdOf(ref), { timeoutMs: childWaitMs, signal });
      return model.scope(signal);
    },
    async getWidget(ref) {
      const widgetId = widgetIdOf(ref);
      if (chain.includes(widgetId)) {
        throw new Error(`Widget ${widgetId} would contain itself: ${[...chain, widgetId].join(" -> ")}`);
      }
      const model = await connection.whenOpen(widgetId, { timeoutMs: childWaitMs, signal });
      const widgetData = /** @type {WidgetData} */ (connection.widgetData(widgetId));
      const binding = bindingOf(connection, model, widgetData, importModule);
      const { exports } = await binding.ready.catch((error) => {
        if (error instanceof StageError) connection.reportFailure?.(widgetId, error.stage, error.cause);
        throw new Error(`Widget ${describe(ref)} failed: ${messageOf(error)}`, { cause: error });
      });
      return {
        exports,
        async render({ el, signal: childSignal }) {
          const signals = childSignal ? [signal, childSignal] : [signal];
          const isMarked = el.hasAttribute("data-widget-id");
          if (!isMarked) el.setAttribute("data-widget-id", widgetId);
          const view = startView({
            binding,
            el,
            parent: AbortSignal.any(signals),
            context: { connection, chain: [...chain, widgetId], childWaitMs, importModule },
            onend: () => !isMarked && el.removeAttribute("data-widget-id"),
          });
          await view.rendered;
        },
      };
    },
  };
}

/**
 * Renders one view into `el`.
 *
 * @param {object} options
 * @param {Binding} options.binding
 * @param {HTMLElement} options.el
 * @param {AbortSignal} [options.parent]
 * @param {Omit<HostContext, "signal">} options.context
 * @param {() => void} options.onend called once when the view ends, after its cleanups ran up to their first await
 */
function startView({ binding, el, parent, context, onend }) {
  const { model, experimental } = binding;
  const controller = new AbortController();
  const signal = AbortSignal.any([binding.signal, controller.signal, ...(parent ? [parent] : [])]);
  const scoped = model.scope(signal);
  const host = createHost({ ...context, signal });
  let hasRendered = false;
  /** @type {Promise<void>} */
  let cleaned = Promise.resolve();

  /** @param {Definition} definition @param {unknown} cleanup */
  function finish(definition, cleanup) {
    return cleanUp(
      model.widgetId,
      () => (typeof cleanup === "function" ? cleanup() : undefined),
      () => definition.destroy?.({ model: scoped, el }),
    );
  }

  async function run() {
    const { definition } = await binding.ready;
    if (signal.aborted) return;
    applyStyles(model.scope(signal), el, signal);
    /** @type {unknown} */
    let cleanup;
    try {
      cleanup = await definition.render?.({ model: scoped, el, signal, host, experimental });
    } catch (error) {
      throw new StageError("render", error);
    }
    if (signal.aborted) {
      await finish(definition, cleanup);
      return;
    }
    hasRendered = true;
    // Added after those of the widget's own code, so that they run before the cleanup, as they do elsewhere.
    const end = () => {
      cleaned = finish(definition, cleanup);
      onend();
    };
    signal.addEventListener("abort", end, { once: true });
  }

  if (signal.aborted) onend();
  else signal.addEventListener("abort", () => !hasRendered && onend(), { once: true });
  const rendered = Promise.race([run(), aborted(signal)]);
  rendered.catch(() => {});
  return {
    model: scoped,
    signal,
    rendered,
    /** Ends the view; resolves when its cleanups are done. Those of a render still pending run when it resolves. */
    async dispose() {
      controller.abort();
      await cleaned;
    },
  };
}

/** @param {AbortSignal} signal @returns {Promise<void>} resolves when the signal aborts */
function aborted(signal) {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** @type {WeakMap<HTMLElement, () => Promise<void>>} What ends the view that an element shows. */
const shown = new WeakMap();

/**
 * Shows a widget in an element.
 *
 * Never rejects for what a widget's code does: the failure is shown in the element, told to `onerror` and found in
 * `view.failure`.
 *
 * @param {RenderOptions} options
 * @returns {Promise<View>} when the widget has rendered, or has failed to
 */
export async function renderWidget(options) {
  const { widgetData, el, signal, profile, childWaitMs = CHILD_WAIT_MS, importModule } = options;
  if (!el) throw new TypeError("renderWidget needs an element: el");
  if (!widgetData) throw new TypeError("renderWidget needs widgetData");
  const given = options.connection ?? options.websocket;
  if (!given) throw new TypeError("renderWidget needs a connection, or a websocket");
  /** @type {Connection} */
  const connection = typeof given.sendUpdate === "function" ? given : connectionOver(given, { profile });
  const widgetId = String(widgetData.widget_id);

  void shown.get(el)?.();
  el.replaceChildren();
  const lifetime = new AbortController();
  const over = signal ? AbortSignal.any([signal, lifetime.signal]) : lifetime.signal;
  /** What is shown now: a widget that is closed and opened again gets a new one. */
  let mount = newMount();

  function newMount() {
    const frame = el.ownerDocument.createElement("div");
    frame.className = "rdit-widget";
    frame.setAttribute("data-widget-id", widgetId);
    const viewEl = el.ownerDocument.createElement("div");
    frame.append(viewEl);
    el.append(frame);
    return {
      frame,
      el: viewEl,
      isOpening: true,
      model: /** @type {Model | null} */ (null),
      view: /** @type {ReturnType<typeof startView> | null} */ (null),
      failure: /** @type {WidgetFailure | null} */ (null),
    };
  }

  /** @param {typeof mount} into @param {Stage} stage @param {unknown} error */
  function fail(into, stage, error) {
    const failure = { widgetId, stage, message: messageOf(error), error };
    into.failure = failure;
    into.frame.replaceChildren(errorPanel(el.ownerDocument, failure));
    // What has no view yet has nobody else to take it away.
    if (!into.view) over.addEventListener("abort", () => into.frame.remove(), { once: true });
    if (options.onerror) options.onerror(failure);
    else console.error(`[rdit] widget ${widgetId} failed (${stage})`, error);
    connection.reportFailure?.(widgetId, stage, error);
  }

  /** @param {typeof mount} into */
  async function fill(into) {
    try {
      const opening = connection.obtain?.(widgetData, { signal: over }) ?? connection.open(widgetData);
      const model = opening instanceof Promise ? await opening : opening;
      into.model = model;
      into.isOpening = false;
      const known = connection.widgetData(widgetId);
      const hasSource = (known?.esm_url ?? known?.esm) !== undefined;
      const binding = bindingOf(connection, model, known && hasSource ? known : widgetData, importModule);
      into.view = startView({
        binding,
        el: into.el,
        parent: over,
        context: { connection, chain: [widgetId], childWaitMs, importModule },
        onend: () => into.frame.remove(),
      });
      followCss(model.scope(into.view.signal), el.ownerDocument, into.view.signal);
      await into.view.rendered;
    } catch (error) {
      const isOurs = error instanceof StageError;
      if (into.view?.signal.aborted || over.aborted) into.frame.remove();
      else fail(into, isOurs ? error.stage : "open", isOurs ? error.cause : error);
    }
  }

  async function dispose() {
    if (shown.get(el) === dispose) shown.delete(el);
    lifetime.abort();
    await mount.view?.dispose();
    mount.frame.remove();
  }
  shown.set(el, dispose);

  // In base mode a widget is opened by being shown; in rdit/1 the server opens it, perhaps again: another run of the
  // script made one under the same id.
  connection.on?.(
    "open",
    (opened) => {
      if (connection.protocol !== "rdit.v1" || opened.widgetId !== widgetId) return;
      if (mount.isOpening || opened === mount.model) return;
      mount.frame.remove();
      mount = newMount();
      void fill(mount);
    },
    { signal: over },
  );
  await fill(mount);
  return {
    get model() {
      return mount.view?.model ?? null;
    },
    get el() {
      return mount.el;
    },
    get failure() {
      return mount.failure;
    },
    dispose,
  };
}

/** @param {Document} document @param {WidgetFailure} failure */
export function errorPanel(document, { widgetId, stage, message, error }) {
  const panel = document.createElement("section");
  panel.className = "rdit-error";
  panel.setAttribute("role", "alert");
  panel.setAttribute("data-stage", stage);
  const title = document.createElement("p");
  title.className = "rdit-error-title";
  title.textContent = `Widget ${widgetId} failed (${stage})`;
  const text = document.createElement("p");
  text.className = "rdit-error-message";
  text.textContent = message;
  panel.append(title, text);
  const stack = error instanceof Error ? error.stack : undefined;
  if (stack) {
    const details = document.createElement("details");
    const summary = document.createElement("summary");
    summary.textContent = "Stack";
    const trace = document.createElement("pre");
    trace.textContent = stack;
    details.append(summary, trace);
    panel.append(details);
  }
  return panel;
}

/** @type {WeakMap<Document, Map<string, { node: HTMLElement, users: number }>>} */
const sheets = new WeakMap();

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
  let isHeld = true;
  return () => {
    if (!isHeld) return;
    isHeld = false;
    sheet.users -= 1;
    if (sheet.users > 0) return;
    sheet.node.remove();
    known.delete(css);
  };
}

/** @param {ScopedModel} model @param {Document} document @param {AbortSignal} signal */
function followCss(model, document, signal) {
  let release = () => {};
  function load() {
    const css = model.get("_css");
    const releaseOld = release;
    // The new sheet comes before the old one goes: the widget is never seen without any.
    release = typeof css === "string" && css !== "" ? acquireCss(document, css) : () => {};
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
function applyStyles(model, el, signal) {
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

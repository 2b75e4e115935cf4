/**
 * A widget in an element: `renderWidget`.
 *
 * Three lifetimes, each inside the one before: the model (as long as the connection keeps it open), its binding (the
 * module, loaded and initialized once per version of its code), its views (one per `render`). Each has an AbortSignal; when one ends,
 * cleanups run, listeners leave and the elements go. An error in a widget's code stays in the widget's own element.
 * When a model's code is replaced its binding ends (`binding.js`), and its views are shown anew in their places.
 *
 * Elements are ordinary ones in the page, never in a shadow root: widgets put styles in the document's head and look
 * their nodes up by id.
 */

import { bindingOf, started, StageError } from "./binding.js";
import { messageOf } from "./model.js";
import { nameOf } from "./names.js";
import { applyStyles, followCss } from "./styles.js";

/** @typedef {import("./binding.js").Binding} Binding */
/** @typedef {import("./binding.js").Stage} Stage */
/** @typedef {import("./connection.js").Connection} Connection */
/** @typedef {import("./connection.js").WidgetData} WidgetData */
/** @typedef {import("./loader.js").Definition} Definition */
/** @typedef {import("./model.js").Model} Model */
/** @typedef {import("./model.js").ScopedModel} ScopedModel */

/**
 * @typedef {object} WidgetFailure
 * @property {string} widgetId
 * @property {string} name what it is called where people read of it: `Counter 3.0`
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
 * @property {AbortSignal} [signal] ends the view
 * @property {import("./model.js").Profile} [profile]
 * @property {(failure: WidgetFailure) => void} [onerror] default: `console.error`
 * @property {number} [childWaitMs] how long `host.getWidget` and `host.getModel` wait for a widget that is not open yet
 * @property {boolean} [scopeCss] a widget's style sheet holds for its own element only, not for the whole page
 * @property {number} [invokeTimeoutMs] how long `experimental.invoke` waits for Python, unless it is told otherwise
 * @property {number} [cleanupWaitMs] how long replaced code may clean up before the new code starts
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
 * @property {RenderOptions} options those of the outermost view
 */

/** @param {HostContext} context @returns {Host} */
function createHost({ connection, signal, chain, options }) {

  /** @param {unknown} ref */
  async function find(ref) {
    const widgetId = widgetIdOf(ref);
    if (typeof connection.whenOpen !== "function") {
      throw new Error(`Cannot look for ${describe(ref)}: this page's connection has no way to find other widgets`);
    }
    return connection.whenOpen(widgetId, { timeoutMs: options.childWaitMs, signal });
  }

  return {
    async getModel(ref) {
      return (await find(ref)).scope(signal);
    },
    async getWidget(ref) {
      const widgetId = widgetIdOf(ref);
      if (chain.includes(widgetId)) {
        throw new Error(`Widget ${widgetId} would contain itself: ${[...chain, widgetId].join(" -> ")}`);
      }
      const model = await find(ref);
      const current = () => {
        const widgetData = /** @type {WidgetData} */ (connection.widgetData(widgetId));
        return bindingOf(connection, model, widgetData, options);
      };
      const { exports } = await started(current).catch((error) => {
        if (error instanceof StageError) connection.reportFailure?.(widgetId, error.stage, error.cause);
        throw new Error(`Widget ${describe(ref)} failed: ${messageOf(error)}`, { cause: error });
      });
      return {
        exports,
        render: ({ el, signal: childSignal }) =>
          renderChild({
            current,
            el,
            parent: AbortSignal.any(childSignal ? [signal, childSignal] : [signal]),
            context: { connection, chain: [...chain, widgetId], options },
          }),
      };
    },
  };
}

/**
 * Renders a child into an element of its parent's, and again when its code is replaced.
 *
 * @param {object} given
 * @param {() => Binding} given.current
 * @param {HTMLElement} given.el
 * @param {AbortSignal} given.parent
 * @param {Omit<HostContext, "signal">} given.context
 * @returns {Promise<void>} rejects with what the first `render` throws
 */
async function renderChild({ current, el, parent, context }) {
  const { model } = current();
  const { connection } = context;
  const signal = AbortSignal.any([parent, model.signal]);
  if (signal.aborted) return;
  if (!el.hasAttribute("data-widget-id")) {
    el.setAttribute("data-widget-id", model.widgetId);
    signal.addEventListener("abort", () => el.removeAttribute("data-widget-id"), { once: true });
  }
  // What the parent has put there stays; what the old code has put there does not outlive it.
  const before = [...el.childNodes];
  const show = () =>
    startView({ binding: current(), el, parent, context, onend() {}, onreplace: () => void showAgain() });
  let view = show();

  async function showAgain() {
    el.replaceChildren(...before);
    view = show();
    const mine = view;
    try {
      await mine.rendered;
    } catch (error) {
      // Nobody awaits it any more: it is told where it is seen.
      if (mine.signal.aborted) return;
      const { stage, cause } = error instanceof StageError ? error : new StageError("render", error);
      const name = nameOf(model.widgetId, model, connection.widgetData(model.widgetId));
      const failure = { widgetId: model.widgetId, name, stage, message: messageOf(cause), error: cause };
      el.append(errorPanel(el.ownerDocument, failure));
      console.error(`[rdit] ${name} failed (${stage})`, cause);
      connection.reportFailure?.(model.widgetId, stage, cause);
    }
  }

  for (let awaited = null; awaited !== view; ) {
    awaited = view;
    await awaited.rendered;
  }
}

/**
 * Renders one view into `el`.
 *
 * @param {object} given
 * @param {Binding} given.binding
 * @param {HTMLElement} given.el
 * @param {AbortSignal} [given.parent]
 * @param {Omit<HostContext, "signal">} given.context
 * @param {() => void} given.onend called once when the view ends, after its cleanups ran up to their first await
 * @param {() => void} given.onreplace called after it ended because its code is replaced
 */
function startView({ binding, el, parent, context, onend, onreplace }) {
  const { model, experimental } = binding;
  const controller = new AbortController();
  const signal = AbortSignal.any([binding.signal, controller.signal, ...(parent ? [parent] : [])]);
  const scoped = model.scope(signal);
  /** What is ours of the model, where the widget's `off()` does not reach. */
  const ours = model.scope(signal);
  const host = createHost({ ...context, signal });
  let hasRendered = false;
  /** @type {Promise<void>} */
  let cleaned = Promise.resolve();

  /** @param {Definition} definition @param {unknown} cleanup */
  function finish(definition, cleanup) {
    return binding.cleanUp(
      () => (typeof cleanup === "function" ? cleanup() : undefined),
      () => definition.destroy?.({ model: scoped, el }),
    );
  }

  async function run() {
    const { definition } = await binding.ready;
    if (signal.aborted) return;
    applyStyles(ours, el, signal);
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

  const end = () => controller.abort();
  if (signal.aborted) onend();
  else signal.addEventListener("abort", () => !hasRendered && onend(), { once: true });
  if (!signal.aborted) binding.addView({ end, replace: () => !parent?.aborted && onreplace() }, signal);
  // Also while it loads, and when it fails: the sheet goes with the view.
  followCss(ours, el, signal, context.options.scopeCss ?? false);
  const rendered = Promise.race([run(), aborted(signal)]);
  rendered.catch(() => {});
  return {
    model: scoped,
    signal,
    rendered,
    /** Ends the view; resolves when its cleanups are done. Those of a render still pending run when it resolves. */
    async dispose() {
      end();
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
  const { widgetData, el, signal } = options;
  if (!el) throw new TypeError("renderWidget needs an element: el");
  if (!widgetData) throw new TypeError("renderWidget needs widgetData");
  if (!options.connection) throw new TypeError("renderWidget needs a connection, or a websocket");
  /** @type {Connection} */
  const connection = options.connection;
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
    const name = nameOf(widgetId, into.model, widgetData);
    const failure = { widgetId, name, stage, message: messageOf(error), error };
    into.failure = failure;
    into.frame.replaceChildren(errorPanel(el.ownerDocument, failure));
    // What has no view yet has nobody else to take it away.
    if (!into.view) over.addEventListener("abort", () => into.frame.remove(), { once: true });
    if (options.onerror) options.onerror(failure);
    else console.error(`[rdit] ${name} failed (${stage})`, error);
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
      into.view = startView({
        binding: bindingOf(connection, model, known && hasSource ? known : widgetData, options),
        el: into.el,
        parent: over,
        context: { connection, chain: [widgetId], options },
        onend: () => into.frame.remove(),
        onreplace: () => into === mount && showAgain(),
      });
      await into.view.rendered;
    } catch (error) {
      const isOurs = error instanceof StageError;
      if (into.view?.signal.aborted || over.aborted) into.frame.remove();
      else fail(into, isOurs ? error.stage : "open", isOurs ? error.cause : error);
    }
  }

  function showAgain() {
    mount.frame.remove();
    mount = newMount();
    filled = fill(mount);
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
      showAgain();
    },
    { signal: over },
  );
  let filled = fill(mount);
  for (let awaited = null; awaited !== filled; ) {
    awaited = filled;
    await awaited;
  }
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
export function errorPanel(document, { name, stage, message, error }) {
  const panel = document.createElement("section");
  panel.className = "rdit-error";
  panel.setAttribute("role", "alert");
  panel.setAttribute("aria-label", `${name} failed (${stage})`);
  panel.setAttribute("data-stage", stage);
  const title = document.createElement("p");
  title.className = "rdit-error-title";
  title.textContent = `${name} failed (${stage})`;
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

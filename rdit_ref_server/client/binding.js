/**
 * One model bound to one version of its code: the module, loaded and initialized once, until the model is closed or
 * its code replaced.
 *
 * Code is replaced in place: the model, and with it the state, stays. The views of the old code end, its cleanups
 * finish, and only then the new code is loaded and the views are made anew, so that two versions never hold the same
 * thing. A cleanup that takes too long is not waited for for ever.
 */

import { experimentalOf } from "./invoke.js";
import { loadModule } from "./loader.js";
import { messageOf } from "./model.js";
import { patiently } from "./patience.js";

/** @typedef {import("./connection.js").Connection} Connection */
/** @typedef {import("./connection.js").WidgetData} WidgetData */
/** @typedef {import("./loader.js").Definition} Definition */
/** @typedef {import("./model.js").Model} Model */
/** @typedef {"open" | "import" | "initialize" | "render" | "cleanup"} Stage */

/** How long replaced code may clean up before its successor starts all the same. */
export const CLEANUP_WAIT_MS = 5_000;

/** An error of a widget's code, with the stage in which it happened. */
export class StageError extends Error {
  /** @param {Stage} stage @param {unknown} cause */
  constructor(stage, cause) {
    super(messageOf(cause), { cause });
    this.stage = stage;
  }
}

/**
 * @typedef {object} CodeOptions
 * @property {(url: string) => Promise<any>} [importModule]
 * @property {number} [invokeTimeoutMs] how long `experimental.invoke` waits, unless it is told otherwise
 * @property {number} [cleanupWaitMs] how long replaced code may clean up before its successor starts
 * @property {readonly number[]} [importAgainMs] the pauses before a module that did not come is asked for again
 */

/**
 * A view, as its binding knows it.
 *
 * @typedef {object} BoundView
 * @property {() => void} end
 * @property {() => void} replace shows it anew, with the code that there is now
 */

/**
 * @typedef {object} Binding
 * @property {Model} model
 * @property {AbortSignal} signal aborts when the model is closed or its code replaced
 * @property {string | undefined} source address or text of the module
 * @property {import("./invoke.js").Experimental} experimental
 * @property {Promise<{ definition: Definition, exports: any }>} ready
 * @property {(view: BoundView, signal: AbortSignal) => void} addView until the signal aborts
 * @property {(...cleanups: (() => unknown)[]) => Promise<void>} cleanUp runs them, one after the other, whatever they
 * do; their errors are logged and reported, never thrown
 * @property {() => Promise<void>} end resolves when its cleanups are done
 */

/** @type {WeakMap<Model, Binding>} */
const bindings = new WeakMap();

/** @param {WidgetData | undefined} widgetData */
const sourceOf = (widgetData) => widgetData?.esm_url ?? widgetData?.esm;

/**
 * The binding of an open model; its module is loaded and initialized on the first call. A model that outlived its
 * server may come back with other code, like one whose code was edited.
 *
 * @param {Connection} connection
 * @param {Model} model
 * @param {WidgetData} widgetData
 * @param {CodeOptions} options
 * @returns {Binding}
 */
export function bindingOf(connection, model, widgetData, options) {
  const existing = bindings.get(model);
  if (existing && existing.source === sourceOf(widgetData)) return existing;
  const binding = bind(connection, model, widgetData, options, existing?.end());
  bindings.set(model, binding);
  return binding;
}

/**
 * @param {Connection} connection
 * @param {Model} model
 * @param {WidgetData} widgetData
 * @param {CodeOptions} options
 * @param {Promise<void>} [before] the old code is done
 * @returns {Binding}
 */
function bind(connection, model, widgetData, options, before) {
  const { widgetId } = model;
  const { cleanupWaitMs = CLEANUP_WAIT_MS } = options;
  const lifetime = new AbortController();
  const { signal } = lifetime;
  const source = sourceOf(widgetData);
  const experimental = experimentalOf(model, () => connection.hold?.() ?? (() => {}), options.invokeTimeoutMs);
  /** @type {Set<BoundView>} */
  const views = new Set();
  /** What is being cleaned up. @type {Set<Promise<void>>} */
  const cleaning = new Set();
  if (before) track(before);

  /** @param {Promise<void>} cleaned */
  function track(cleaned) {
    cleaning.add(cleaned);
    void cleaned.then(() => cleaning.delete(cleaned));
    return cleaned;
  }

  /** @type {Binding["cleanUp"]} */
  function cleanUp(...cleanups) {
    async function run() {
      for (const cleanup of cleanups) {
        try {
          await cleanup();
        } catch (error) {
          console.error(`[rdit] widget ${widgetId}: a cleanup failed`, error);
          connection.reportFailure?.(widgetId, "cleanup", error);
        }
      }
    }
    return track(run());
  }

  function stop() {
    model.signal.removeEventListener("abort", stop);
    // Views first: what they hold may be of the model's.
    for (const view of [...views]) view.end();
    lifetime.abort();
  }

  function end() {
    stop();
    return finished(cleaning, cleanupWaitMs, widgetId);
  }

  /** Whether it is our code still that the model has. */
  function follow() {
    const present = connection.widgetData(widgetId);
    if (!present || sourceOf(present) === undefined || sourceOf(present) === source) return;
    const shown = [...views];
    bindingOf(connection, model, present, options);
    for (const view of shown) view.replace();
  }

  async function load() {
    await before;
    const source = {
      esm: widgetData.esm,
      esm_url: widgetData.esm_url,
      widgetId,
      baseUrl: connection.baseUrl,
      signal,
      importModule: options.importModule ?? connection.importModule,
    };
    const definition = await patiently(() => loadModule(source), connection, signal, options.importAgainMs).catch((error) => {
      throw new StageError("import", error);
    });
    try {
      const result = await definition.initialize?.({ model: model.scope(signal), signal, experimental });
      if (typeof result !== "function") {
        return { definition, exports: typeof result === "object" && result !== null ? result : undefined };
      }
      if (signal.aborted) await cleanUp(result);
      else signal.addEventListener("abort", () => void cleanUp(result), { once: true });
      return { definition, exports: undefined };
    } catch (error) {
      throw new StageError("initialize", error);
    }
  }

  model.signal.addEventListener("abort", stop);
  if (model.signal.aborted) stop();
  model.scope(signal).on("change:_esm", follow);
  const ready = load();
  model.holdMessages(ready);
  // Whoever needs it awaits it and gets the error; without a view yet nobody does.
  ready.catch(() => {});
  return {
    model,
    signal,
    source,
    experimental,
    ready,
    addView(view, viewSignal) {
      views.add(view);
      viewSignal.addEventListener("abort", () => views.delete(view), { once: true });
    },
    cleanUp,
    end,
  };
}

/**
 * Resolves when all that is being cleaned up is, what is added meanwhile included, or has taken too long.
 *
 * @param {ReadonlySet<Promise<void>>} cleaning
 * @param {number} limitMs
 * @param {string} widgetId
 */
async function finished(cleaning, limitMs, widgetId) {
  if (cleaning.size === 0) return;
  /** @type {any} */
  let timer;
  const limit = new Promise((resolve) => {
    timer = setTimeout(() => {
      console.warn(`[rdit] widget ${widgetId}: its old code cleans up for more than ${limitMs} ms; not waited for`);
      resolve(true);
    }, limitMs);
  });
  let isOver = false;
  while (cleaning.size > 0 && !isOver) isOver = (await Promise.race([Promise.all(cleaning), limit])) === true;
  clearTimeout(timer);
}

/**
 * What a widget's code gave when it started. Code that is replaced before it did is waited for no more: its successor is.
 *
 * @param {() => Binding} current
 * @returns {Promise<{ definition: Definition, exports: any }>}
 */
export async function started(current) {
  for (;;) {
    const binding = current();
    const { model, signal, ready } = binding;
    const over = new AbortController();
    /** @type {Promise<never>} */
    const ended = new Promise((_, reject) => {
      const stop = () => reject(new Error("The widget was closed"));
      if (signal.aborted) stop();
      signal.addEventListener("abort", stop, { signal: over.signal });
    });
    try {
      return await Promise.race([ready, ended]);
    } catch (error) {
      if (!signal.aborted || model.signal.aborted || current() === binding) throw error;
    } finally {
      over.abort();
    }
  }
}

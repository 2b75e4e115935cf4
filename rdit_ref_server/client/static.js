/**
 * Widgets without Python: a connection to nobody, over the state that Python had when the page was made.
 *
 * The state comes as what a server of `rdit/1` said to a page that asked for everything, frame by frame, so that bytes,
 * NaN and -0 are what they are on a live page. From here on the models are all there is: what one view saves, the
 * others of that model show, and there it ends. What only Python could do, a message or a question, is refused.
 */

import { copyData } from "./binary.js";
import { createTeller } from "./emitter.js";
import { decodeFrame } from "./frames.js";
import { checkServerMessage } from "./messages.js";
import { createModel } from "./model.js";

/** @typedef {import("./connection.js").Connection} Connection */
/** @typedef {import("./exchange.js").WidgetData} WidgetData */
/** @typedef {import("./model.js").Fault} Fault */
/** @typedef {import("./model.js").Model} Model */

export const NO_PYTHON = "Python is not there: this is a static page";

/**
 * The part of a connection's surface that makes sense where nobody is at the other end.
 *
 * @typedef {Omit<Connection, "ready" | "state" | "failure" | "closeModel" | "attach" | "send" | "renew">} StaticWidgets
 */

/**
 * @param {object} given
 * @param {Iterable<string | ArrayBuffer | ArrayBufferView>} given.frames the parts of one `sync`, in order
 * @param {ReadonlyMap<string, string>} [given.modules] text of each module, by the address that the server gave it
 * @param {import("./model.js").Profile} [given.profile]
 * @returns {StaticWidgets}
 * @throws {import("./frames.js").FrameError} a frame is not what a server says
 */
export function createStatic({ frames, modules = new Map(), profile }) {
  const { emitter, tell } = createTeller();
  /** @type {Map<string, { widgetData: WidgetData, model: Model }>} */
  const widgets = new Map();

  /** @type {Connection["sendMessage"]} */
  function sendMessage(widgetId, _content, _buffers, onfail) {
    const fault = { code: "no_python", message: NO_PYTHON, widget_id: widgetId };
    console.warn(`[rdit] widget ${widgetId} has a message for Python, which nobody gets. ${NO_PYTHON}`);
    tell("error", fault);
    onfail?.(fault);
    return true;
  }

  /** @param {string} widgetId @returns {Promise<Model>} */
  async function whenOpen(widgetId) {
    const widget = widgets.get(String(widgetId));
    if (!widget) throw new Error(`There is no widget ${JSON.stringify(widgetId)} in this page. ${NO_PYTHON}`);
    return widget.model;
  }

  /**
   * @param {string | null | undefined} address
   * @param {string | null | undefined} esm
   * @returns {Partial<WidgetData>}
   */
  function sourceOf(address, esm) {
    const text = typeof address === "string" ? modules.get(address) : undefined;
    if (text !== undefined) return { esm: text };
    if (typeof address === "string") return { esm_url: address };
    return typeof esm === "string" ? { esm } : {};
  }

  /** @param {any} opened @param {Map<string, unknown>} values */
  function add({ widget_id: widgetId, esm_url: address, esm }, values) {
    const source = sourceOf(address, esm);
    const code = source.esm ?? source.esm_url;
    const model = createModel(
      widgetId,
      Object.fromEntries([...(code === undefined ? [] : [["_esm", code]]), ...values]),
      { sendUpdate() {}, sendUpdates() {}, sendMessage },
      { profile, onerror: (fault) => tell("error", fault), widgetManager: { get_model: whenOpen } },
    );
    widgets.set(widgetId, { widgetData: { widget_id: widgetId, model: {}, ...source }, model });
  }

  const parts = [...frames].map((frame) => checkServerMessage(decodeFrame(frame)));
  /** @type {Map<string, { opened: any, values: Map<string, unknown> }>} */
  const told = new Map();
  for (const { open = [] } of parts) {
    for (const opened of open) {
      const props = /** @type {[string, [unknown, number]][]} */ (Object.entries(opened.props ?? {}));
      // A copy is of its own bytes, nothing before or behind, as on a live page.
      const values = new Map(props.map(([name, [value]]) => [name, copyData(value)]));
      told.set(opened.widget_id, { opened, values });
    }
  }
  for (const { changes = [] } of parts) {
    for (const [widgetId, , property, value] of changes) told.get(widgetId)?.values.set(property, copyData(value));
  }
  for (const { opened, values } of told.values()) add(opened, values);

  /** @param {WidgetData} widgetData @returns {Model} */
  function open({ widget_id: widgetId }) {
    const widget = widgets.get(String(widgetId));
    if (!widget) throw new Error(`There is no widget ${JSON.stringify(widgetId)} in this page`);
    return widget.model;
  }

  return {
    protocol: null,
    idle: true,
    baseUrl: undefined,
    on(event, callback, { signal } = {}) {
      const owner = {};
      const stop = () => emitter.off(null, null, owner);
      if (signal?.aborted) return stop;
      emitter.on(event, callback, owner);
      signal?.addEventListener("abort", stop, { once: true });
      return stop;
    },
    open,
    obtain: open,
    model: (widgetId) => widgets.get(widgetId)?.model,
    widgetData: (widgetId) => widgets.get(widgetId)?.widgetData,
    whenOpen,
    sendUpdate() {},
    sendUpdates() {},
    sendMessage,
    report: (fault) => tell("error", fault),
    // The page shows it; there is nobody to tell besides.
    reportFailure() {},
    hold: () => () => {},
    close() {
      for (const { model } of widgets.values()) model.close();
      widgets.clear();
    },
  };
}

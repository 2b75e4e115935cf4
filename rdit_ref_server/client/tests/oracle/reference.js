/**
 * The oracle: the npm packages `anywidget` and `@jupyter-widgets/base` as published, in a page without a browser.
 *
 * The widget's code runs through anywidget's own AMD plugin, runtime, bindings and model proxies; its model is
 * `AnyModel`, over ipywidgets' `WidgetModel` and Backbone. What is ours stands at the edges:
 *
 * - the DOM is jsdom's, put where the packages look for it: on `globalThis`;
 * - anywidget imports its module from `URL.createObjectURL`; Node imports no `blob:`, so the URL is a `data:` one,
 *   the same for every widget, whose default export is a function that asks for the definition of the day;
 * - the widget manager has those methods of `ManagerBase` that are asked for, `create_view` step by step as there;
 * - the comm is ipywidgets' own over a kernel's comm that is a queue; on the way each message is serialized and read
 *   again by `@jupyterlab/services`;
 * - the kernel does what ipywidgets 8 does in Python with echoes on: it stores an update, echoes it, says that it is
 *   idle. It takes the messages when the program says `deliver`, not before.
 */

import { createRequire } from "node:module";

import { JSDOM } from "jsdom";

import { fromNote, settle } from "./steps.js";
import { amends } from "./switches.js";

/** @typedef {import("./steps.js").Program} Program */
/** @typedef {import("./steps.js").Tell} Tell */

const ON_GLOBAL = [
  "document",
  "Element",
  "HTMLElement",
  "Node",
  "MutationObserver",
  "getComputedStyle",
  "requestAnimationFrame",
  "cancelAnimationFrame",
];
const ESM = "export default () => globalThis.oracleDefinition";
const WIDGET_ID = "w";

/** @returns {Promise<{ base: any, AnyModel: any, AnyView: any, wire: any }>} */
async function loadReference() {
  const { window } = new JSDOM("<!doctype html><main></main>", { url: "http://test/", pretendToBeVisual: true });
  /** @type {any} */
  const page = globalThis;
  page.window = window;
  for (const name of ON_GLOBAL) page[name] = /** @type {any} */ (window)[name];
  page.navigator ??= window.navigator;
  // jsdom has none; Lumino derives a class of its own from it.
  page.DragEvent = class DragEvent extends window.MouseEvent {};
  URL.createObjectURL = () => `data:text/javascript,${encodeURIComponent(ESM)}`;
  URL.revokeObjectURL = () => {};
  const base = await import("@jupyter-widgets/base");
  /** @type {any} */
  let plugin;
  page.define = (/** @type {string[]} */ _needs, /** @type {any} */ factory) => (plugin = factory(base));
  await import(/** @type {any} */ ("anywidget"));
  const wire = createRequire(import.meta.url)("@jupyterlab/services/lib/kernel/serialize");
  return { base, ...plugin, wire };
}

const loading = loadReference();

/**
 * A value with each part changed that `change` changes.
 *
 * @param {any} value
 * @param {(item: any) => any} change
 * @returns {any}
 */
function mapParts(value, change) {
  const changed = change(value);
  if (changed !== value || typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return changed;
  if (Array.isArray(value)) return value.map((item) => mapParts(item, change));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mapParts(item, change)]));
}

/** A number that JSON does not have, in a form that it has. @param {any} item */
function hideNumber(item) {
  if (typeof item !== "number" || !amends("numbers_survive", !Number.isFinite(item))) return item;
  return { $number: String(item) };
}

/** @param {any} item */
function showNumber(item) {
  return typeof item === "object" && item !== null && "$number" in item ? Number(item.$number) : item;
}

/**
 * In which order the keys of an answer come is nobody's promise; it is to be the same here and there.
 *
 * @param {object} values
 */
function sorted(values) {
  return Object.fromEntries(Object.entries(values).sort());
}

/** A kernel, and the page's comm to it. @param {Record<string, any>} values @param {any} wire */
function openKernel(values, wire) {
  const store = { ...values };
  /** @type {{ message: any, future: any }[]} */
  const queue = [];
  let count = 0;

  /** What arrives of a message at the other end. @param {any} data @param {any[]} buffers @param {any} [parent] */
  function cross(data, buffers = [], parent = {}) {
    count += 1;
    const header = { msg_id: `m${count}`, msg_type: "comm_msg" };
    const content = mapParts({ comm_id: WIDGET_ID, data }, hideNumber);
    const message = { header, parent_header: parent, metadata: {}, content, buffers, channel: "shell" };
    const read = wire.deserialize(wire.serialize({ ...message }));
    return { ...read, buffers: read.buffers ?? [], content: mapParts(read.content, showNumber) };
  }

  /** @type {any} */
  const jsServicesComm = {
    commId: WIDGET_ID,
    targetName: "jupyter.widget",
    onMsg: null,
    onClose: null,
    send(/** @type {any} */ data, /** @type {any} */ _metadata, /** @type {any[]} */ buffers) {
      const message = cross(data, (buffers ?? []).map(/** @type {any} */ (globalThis).oracle.bytesOf));
      const future = { msg: message };
      queue.push({ message, future });
      return future;
    },
    close: () => ({ msg: { header: { msg_id: "closed" } } }),
  };

  return { store, queue, cross, jsServicesComm };
}

/** @param {Program} program @param {Tell} tell @returns {Promise<import("./steps.js").Page>} */
export async function openReference(program, tell) {
  const { base, AnyModel, AnyView, wire } = await loading;
  const state = /** @type {Record<string, any>} */ (fromNote(program.state));
  const kernel = openKernel(state, wire);
  const comm = new base.shims.services.Comm(kernel.jsServicesComm);
  // What the amendment of `send` puts aside is serialized there and then, as `send` itself does.
  comm.later = (/** @type {any[]} */ ...args) => {
    const sent = kernel.queue.length;
    comm.send(...args);
    const put = kernel.queue.splice(sent);
    return () => kernel.queue.push(...put);
  };
  /** @type {any} */
  let model;
  const manager = {
    callbacks: () => ({}),
    get_model: async () => model,
    async create_view(/** @type {any} */ of) {
      await of.state_change;
      const view = new AnyView({ model: of, options: {} });
      view.listenTo(of, "destroy", view.remove);
      await view.render();
      const id = base.uuid();
      view.once("remove", () => delete of.views?.[id]);
      if (of.views) of.views[id] = Promise.resolve(view);
      return view;
    },
  };
  /** @type {Record<string, any>} */
  const hooks = {};
  let rendered = 0;
  /** @type {any} */ (globalThis).oracleDefinition = {
    initialize(/** @type {any} */ props) {
      hooks.init = props.model;
    },
    async render(/** @type {any} */ props) {
      rendered += 1;
      hooks[`view${rendered}`] = props.model;
      if (rendered === 1) hooks.got = await props.host.getModel(`anywidget:${WIDGET_ID}`);
    },
  };
  model = new AnyModel(
    { ...fromNote(program.state), _esm: ESM, _css: "", _anywidget_id: "bench" },
    { model_id: WIDGET_ID, comm, widget_manager: manager },
  );
  /** @type {Record<string, any>} */
  const views = {};
  for (const name of ["view1", "view2"]) {
    views[name] = await manager.create_view(model);
    while (!(name in hooks)) await settle();
  }
  while (!("got" in hooks)) await settle();
  views.got = views.view1;
  const ended = new Set();

  /** @param {any} message */
  async function toPage(message) {
    // A listener that throws makes the handler reject, which the kernel's side of a comm only logs.
    await Promise.resolve(kernel.jsServicesComm.onMsg(message)).catch(() => {});
    await settle();
  }

  /** @param {string} method @param {Record<string, any>} values @param {any} [parent] */
  async function push(method, values, parent) {
    const { state, buffers, buffer_paths } = base.remove_buffers({ ...values });
    await toPage(kernel.cross({ method, state, buffer_paths }, buffers, parent));
  }

  return {
    hooks,
    end(hook) {
      for (const each of hook === "view1" || hook === "got" ? ["view1", "got"] : [hook]) ended.add(each);
      views[hook]?.remove();
    },
    canListen: (hook) => !amends("on_after_end", ended.has(hook)),
    async remote(entries) {
      const values = Object.fromEntries(entries);
      Object.assign(kernel.store, values);
      await push("update", values);
    },
    async message(content, buffers) {
      await toPage(kernel.cross({ method: "custom", content }, buffers));
    },
    async deliver() {
      for (let next = kernel.queue.shift(); next; next = kernel.queue.shift()) {
        const { message, future } = next;
        const { method, content, state: values, buffer_paths: paths } = message.content.data;
        if (method === "custom") {
          tell("python", "message", content, message.buffers);
        } else {
          base.put_buffers(values, paths, message.buffers);
          Object.assign(kernel.store, values);
          tell("python", "update", values);
          await push("echo_update", sorted(values), message.header);
        }
        const status = { header: { msg_type: "status" }, content: { execution_state: "idle" } };
        future.onIOPub?.(status);
        await settle();
      }
    },
    store: () => kernel.store,
    async close() {
      await model.close();
      await settle();
    },
  };
}

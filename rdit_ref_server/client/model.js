/**
 * The model that a widget's code talks to.
 *
 * Two shapes of one idea. `createModel` has the semantics of the AFM contract: `set` is local and visible at once,
 * `save_changes` sends, listeners belong to the hook that added them. `WidgetModel` is the class of the first design:
 * `set` sends at once and listeners get the value. Neither knows sockets; both write to a channel.
 */

import { deepEqual, isBinary, sameOnWire, toWire } from "./binary.js";
import { createEmitter } from "./emitter.js";

/** @typedef {import("./emitter.js").Handler} Handler */

/**
 * Where a model's edits go. Each method takes snapshots of what it is given before it returns. Edits of one property
 * arrive in order, later ones may replace earlier ones that have not left yet.
 *
 * @typedef {object} Channel
 * @property {(widgetId: string, property: string, value: unknown) => void} sendUpdate
 * @property {(widgetId: string, entries: Iterable<readonly [string, unknown]>) => void} [sendUpdates]
 * Several edits that arrive together or not at all. What cannot be sent is left out; its error is thrown at the end.
 * @property {SendMessage} [sendMessage]
 * @property {(widgetId: string, property: string) => boolean} [isPending]
 * Whether an edit of the property is under way: then an equal value is an edit too, for it decides what stands last.
 */

/**
 * Sends a custom message, in order with the edits.
 *
 * @typedef {(widgetId: string, content: unknown, buffers?: readonly unknown[], onfail?: (fault: Fault) => void) =>
 *   boolean} SendMessage
 * Returns false where no custom messages are carried. `onfail` is told when the message did not reach its handler.
 */

/**
 * Something that went wrong around a model, for logs and for the reader of the page.
 *
 * @typedef {object} Fault
 * @property {string} code stable snake_case name, e.g. "listener_failed", "unsupported"
 * @property {string} message
 * @property {string} [widget_id]
 * @property {string} [property]
 * @property {unknown} [error] the exception behind it, if there is one
 * @property {string} [cause] "restart": the server was started anew, which is told besides
 */

/** @typedef {"compat" | "strict"} Profile */

/** @typedef {{ get_model: (id: string) => Promise<ScopedModel> }} WidgetManager */

/**
 * What a hook of a widget gets: `model` of the AFM contract.
 *
 * @typedef {object} ScopedModel
 * @property {(key: PropertyKey) => any} get keys are strings; AFM's types are written for every key of an object
 * @property {(key: PropertyKey | Record<string, unknown>, value?: unknown) => void} set
 * @property {() => void} save_changes
 * @property {(content: unknown, callbacks?: unknown, buffers?: unknown[]) => void} send
 * @property {(name: string, callback: Handler) => void} on
 * @property {(name?: string | null, callback?: Handler | null) => void} off
 * @property {WidgetManager} widget_manager
 * @property {Readonly<Record<string, unknown>>} [changed] what the last update changed, as Backbone's models say it; not in
 * the profile "strict"
 */

/**
 * The model itself, as its owner holds it.
 *
 * @typedef {object} ModelExtras
 * @property {string} widgetId
 * @property {AbortSignal} signal aborts when the model is closed
 * @property {(signal?: AbortSignal) => ScopedModel} scope
 * A face of the model whose listeners are its own: `off()` drops only those, and they go when `signal` aborts.
 * @property {(property: string, value: unknown) => void} handleRemoteUpdate
 * @property {(values: Iterable<readonly [string, unknown]>) => void} applyRemote
 * All values are stored before the first event fires.
 * @property {(values: Iterable<readonly [string, unknown]>) => () => void} stageRemote
 * As `applyRemote`, but the events fire when the returned function is called.
 * @property {(property: string) => boolean} isDirty whether it was set here and not saved
 * @property {() => string[]} keys
 * @property {(property: string) => any} peek as `get`, for whoever leaves the value as it is
 * @property {(content: unknown, buffers: DataView[]) => void} handleMessage fires `msg:custom`
 * @property {(tap: (content: any, buffers: DataView[]) => void) => () => void} tapMessages
 * Gets every message as it comes, those too that are kept back; until the returned function is called.
 * @property {(until: Promise<unknown>) => void} holdMessages keeps messages back while the widget's code starts
 * @property {(content: unknown, buffers?: readonly unknown[], onfail?: (fault: Fault) => void) => boolean} sendMessage
 * @property {() => void} close ends it: from here on it sends nothing
 */
/** @typedef {ScopedModel & ModelExtras} Model */

/**
 * @typedef {object} ModelOptions
 * @property {Profile} [profile] "compat" (default) passes Backbone's arguments to change callbacks, "strict" none
 * @property {boolean} [autosave] `set` sends at once, without `save_changes`
 * @property {(fault: Fault) => void} [onerror]
 * @property {{ get_model: (id: string) => Promise<Model> }} [widgetManager]
 */

const NO_MESSAGES =
  "this connection carries no custom messages (base mode); model.send() and experimental.invoke() have no effect";

/** Messages kept for a model that nobody listens to yet; beyond, the oldest are forgotten. */
export const MAX_HELD_MESSAGES = 1_000;

/** @param {unknown} error */
export function messageOf(error) {
  return error instanceof Error || error instanceof DOMException ? error.message : String(error);
}

/** @param {unknown} value */
function isReference(value) {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

/**
 * Copy of the arrays and plain objects in a value; all else, buffers too, is shared.
 *
 * @param {unknown} value
 * @param {Map<object, unknown> | null} [seen]
 * @returns {unknown}
 */
function copyStructure(value, seen = null) {
  if (typeof value !== "object" || value === null) return value;
  const known = seen?.get(value);
  if (known !== undefined) return known;
  if (Array.isArray(value)) {
    /** @type {unknown[]} */
    const copy = [...value];
    const start = copy.findIndex((item) => typeof item === "object");
    if (start < 0) return copy;
    seen ??= new Map();
    seen.set(value, copy);
    for (let i = start; i < copy.length; i += 1) copy[i] = copyStructure(copy[i], seen);
    return copy;
  }
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return value;
  seen ??= new Map();
  const copy = Object.create(prototype);
  seen.set(value, copy);
  for (const [key, item] of Object.entries(value)) {
    Object.defineProperty(copy, key, {
      value: copyStructure(item, seen),
      enumerable: true,
      writable: true,
      configurable: true,
    });
  }
  return copy;
}

/**
 * Makes a model with the semantics of the AFM contract.
 *
 * @param {string} widgetId
 * @param {Record<string, unknown>} state copied, one level deep
 * @param {Channel} channel
 * @param {ModelOptions} [options]
 * @returns {Model}
 */
export function createModel(widgetId, state, channel, options = {}) {
  const { profile = "compat", autosave = false, onerror, widgetManager } = options;
  /** @type {Map<string, unknown>} */
  const values = new Map(Object.entries(state ?? {}));
  /**
   * What each array or object held when somebody got hold of it. Widgets edit in place what `get` gave them and then
   * set an equal copy; compared with the edited object itself, nothing would ever have changed.
   *
   * @type {Map<string, unknown>}
   */
  const handedOut = new Map();
  /** @type {Set<string>} Keys set here and not yet saved. */
  const dirty = new Set();
  /** @type {Set<string>} */
  const warned = new Set();
  const lifetime = new AbortController();
  const emitter = createEmitter({
    onerror(error, name) {
      console.error(`[rdit] a "${name}" listener of widget ${widgetId} failed`, error);
      const property = name.startsWith("change:") ? name.slice("change:".length) : undefined;
      report({ code: "listener_failed", message: messageOf(error), property, error });
    },
  });
  let isFiring = false;
  /** What changed since the outermost update began. @type {Record<string, unknown>} */
  let lastChanged = Object.create(null);
  let isChangePending = false;
  /** Messages that came before the widget's code was ready. @type {[unknown, DataView[]][]} */
  let heldMessages = [];
  /** "none" listens, the code is "starting", or all is "open". @type {"none" | "starting" | "open"} */
  let hearing = "none";
  /** @type {Promise<unknown> | null} When the code has started. */
  let awaited = null;
  /** @type {Set<(content: any, buffers: DataView[]) => void>} */
  const taps = new Set();

  /** @param {Fault} fault */
  function report(fault) {
    onerror?.({ widget_id: widgetId, ...fault });
  }

  /** @param {string} topic @param {string} text */
  function warnOnce(topic, text) {
    if (warned.has(topic)) return false;
    warned.add(topic);
    console.warn(`[rdit] widget ${widgetId}: ${text}`);
    return true;
  }

  /** @param {string[]} keys */
  function fire(keys) {
    if (!isFiring) lastChanged = Object.create(null);
    for (const key of keys) lastChanged[key] = values.get(key);
    if (keys.length === 0) return;
    const withArguments = profile === "compat";
    const isOutermost = !isFiring;
    isFiring = true;
    isChangePending = true;
    for (const key of keys) {
      const value = values.get(key);
      emitter.emitWithAll(`change:${key}`, (owner) => (withArguments ? [owner ?? model, value, {}] : []));
    }
    if (!isOutermost) return;
    // A listener that sets something in turn must not cost anybody the plain event.
    while (isChangePending) {
      isChangePending = false;
      emitter.emitWithAll("change", (owner) => (withArguments ? [owner ?? model, {}] : []));
    }
    isFiring = false;
  }

  /** @param {string} key @param {unknown} value */
  function remember(key, value) {
    if (isReference(value)) handedOut.set(key, copyStructure(value));
    else handedOut.delete(key);
  }

  /** @param {string} key */
  function get(key) {
    const value = values.get(key);
    if (!handedOut.has(key)) remember(key, value);
    return value;
  }

  /** @param {string | Record<string, unknown>} key @param {unknown} [value] */
  function set(key, value) {
    /** @type {(readonly [string, unknown])[]} */
    let entries;
    if (typeof key === "object" && key !== null) {
      warnOnce("set-object", "set({...}) is not part of the AFM contract; use set(key, value)");
      entries = Object.entries(key);
    } else {
      entries = [[key, value]];
    }
    /** @type {string[]} */
    const changed = [];
    for (let [name, next] of entries) {
      if (next === undefined) {
        warnOnce("set-undefined", `set("${name}", undefined) is taken as null`);
        next = null;
      }
      const old = values.get(name);
      // The same object set again was changed in place: there is no older content to compare with.
      const isChange =
        (old === next && isReference(next)) ||
        !deepEqual(old, next) ||
        (handedOut.has(name) && !deepEqual(handedOut.get(name), next));
      values.set(name, next);
      remember(name, next);
      if (isChange) changed.push(name);
      else if (!channel.isPending?.(widgetId, name)) continue;
      dirty.add(name);
    }
    // What a listener sends comes behind it; and it hears even of what cannot be sent.
    try {
      if (autosave) save();
    } finally {
      fire(changed);
    }
  }

  function save() {
    const keys = [...dirty];
    dirty.clear();
    // The next run of a script may give the same id to another widget.
    if (lifetime.signal.aborted || keys.length === 0) return;
    if (channel.sendUpdates) {
      channel.sendUpdates(
        widgetId,
        keys.map((key) => [key, values.get(key)]),
      );
      return;
    }
    /** @type {{ error: unknown } | null} */
    let first = null;
    for (const key of keys) {
      try {
        channel.sendUpdate(widgetId, key, values.get(key));
      } catch (error) {
        // What cannot be sent must not keep the other keys, or every later save, from being sent.
        first ??= { error };
      }
    }
    if (first) throw first.error;
  }

  /** @type {Model["stageRemote"]} */
  function stageRemote(entries) {
    /** @type {string[]} */
    const changed = [];
    for (const [key, value] of entries) {
      dirty.delete(key);
      handedOut.delete(key);
      if (values.has(key) && sameOnWire(values.get(key), value)) continue;
      values.set(key, value);
      changed.push(key);
    }
    // Bytes are told of behind what says how to read them: so it is in Jupyter, which modules were written for.
    const isBytes = (/** @type {string} */ key) => Number(isBinary(values.get(key)));
    changed.sort((left, right) => isBytes(left) - isBytes(right));
    return () => fire(changed);
  }

  /** @type {Model["handleMessage"]} */
  function handleMessage(content, buffers) {
    for (const tap of [...taps]) tap(content, buffers);
    hearMessage(content, buffers);
  }

  /** @type {Model["handleMessage"]} */
  function hearMessage(content, buffers) {
    if (hearing === "open") {
      emitter.emitWithAll("msg:custom", () => [content, buffers]);
      return;
    }
    heldMessages.push([content, buffers]);
    if (heldMessages.length > MAX_HELD_MESSAGES) heldMessages.shift();
  }

  function hear() {
    hearing = "open";
    // A listener may bring further ones about; they come behind these.
    for (let next = heldMessages.shift(); next; next = heldMessages.shift()) hearMessage(...next);
  }

  /** @param {string} name @returns {string[]} */
  function eventNames(name) {
    const text = String(name);
    const names = /\s/.test(text) || text === "" ? text.split(/\s+/).filter(Boolean) : [text];
    if (profile === "strict") {
      if (names.length > 1) warnOnce("names", `several event names in one string ("${name}") are not AFM`);
      if (names.includes("all")) warnOnce("all", 'the event "all" is not AFM');
    }
    return names;
  }

  /** @type {Model["sendMessage"]} */
  function sendMessage(content, buffers, onfail) {
    if (lifetime.signal.aborted) return true;
    if (channel.sendMessage?.(widgetId, content, buffers, onfail)) return true;
    if (warnOnce("send", NO_MESSAGES)) report({ code: "unsupported", message: NO_MESSAGES });
    return false;
  }

  /** @param {AbortSignal} [signal] @returns {ScopedModel} */
  function face(signal) {
    /** @type {ScopedModel} */
    const scoped = {
      get: /** @type {ScopedModel["get"]} */ (get),
      set: /** @type {ScopedModel["set"]} */ (set),
      save_changes: () => save(),
      send: (content, _callbacks, buffers) => void sendMessage(content, buffers),
      on(name, callback) {
        if (typeof callback !== "function") {
          warnOnce("callback", `on("${name}") needs a function, got ${typeof callback}`);
          return;
        }
        if (lifetime.signal.aborted || signal?.aborted) return;
        const names = eventNames(name);
        for (const each of names) emitter.on(each, callback, scoped);
        if (hearing === "none" && (names.includes("msg:custom") || names.includes("all"))) hear();
      },
      off(name, callback) {
        if (name === undefined || name === null) emitter.off(null, callback, scoped);
        else for (const each of eventNames(name)) emitter.off(each, callback, scoped);
      },
      widget_manager: {
        async get_model(id) {
          if (!widgetManager) throw new Error(`Widget ${widgetId} stands alone: there is no widget ${id} beside it`);
          const other = await widgetManager.get_model(id);
          return other.scope(signal ?? lifetime.signal);
        },
      },
    };
    // Of the first argument of their listeners, widgets read it.
    if (profile === "compat") Object.defineProperty(scoped, "changed", { get: () => lastChanged });
    signal?.addEventListener("abort", () => emitter.off(null, null, scoped), { once: true });
    return scoped;
  }

  /** @type {Model} */
  const model = Object.assign(face(), {
    widgetId,
    signal: lifetime.signal,
    scope: face,
    /** @param {string} property @param {unknown} value */
    handleRemoteUpdate(property, value) {
      stageRemote([[property, value]])();
    },
    applyRemote: (/** @type {Iterable<readonly [string, unknown]>} */ entries) => stageRemote(entries)(),
    stageRemote,
    isDirty: (/** @type {string} */ key) => dirty.has(key),
    keys: () => [...values.keys()],
    peek: (/** @type {string} */ key) => values.get(key),
    handleMessage,
    /** @param {(content: any, buffers: DataView[]) => void} tap */
    tapMessages(tap) {
      taps.add(tap);
      return () => void taps.delete(tap);
    },
    /** @param {Promise<unknown>} until */
    holdMessages(until) {
      hearing = "starting";
      awaited = until;
      // The code may have been replaced meanwhile: then its successor is who starts.
      const isReady = () => awaited === until && hear();
      until.then(isReady, isReady);
    },
    sendMessage,
    close() {
      lifetime.abort();
      heldMessages = [];
      emitter.off();
    },
  });
  return model;
}

/** @type {WeakMap<object, string[]>} Frames kept for sockets that are still connecting, in order. */
const waitingFrames = new WeakMap();
const CONNECTING = 0;

/**
 * Sends a frame, or keeps it while the socket is still connecting: a WebSocket would throw.
 *
 * @param {any} ws
 * @param {string} frame
 */
function sendWhenOpen(ws, frame) {
  const waiting = waitingFrames.get(ws);
  if (waiting) {
    waiting.push(frame);
    if (ws.readyState !== CONNECTING) flushWaiting(ws);
  } else if (ws.readyState === CONNECTING && typeof ws.addEventListener === "function") {
    waitingFrames.set(ws, [frame]);
    ws.addEventListener("open", () => flushWaiting(ws), { once: true });
  } else {
    ws.send(frame);
  }
}

/** @param {any} ws */
function flushWaiting(ws) {
  const frames = waitingFrames.get(ws) ?? [];
  waitingFrames.delete(ws);
  for (const frame of frames) ws.send(frame);
}

/**
 * The model of the first design: `set` sends at once, listeners get the value, the owner of the socket calls
 * `handleRemoteUpdate`. `ws` is a WebSocket, anything with `send(text)`, or a connection made by `connect`; the last
 * one also delivers what Python changes.
 */
export class WidgetModel {
  /** @type {string} */ #widgetId;
  /** @type {Map<PropertyKey, unknown>} */ #state;
  /** @type {Map<string, Set<Handler>>} */ #listeners = new Map();
  /** @type {any} */ #ws;
  #hasWarned = false;

  /**
   * @param {string} widgetId
   * @param {Record<string, unknown>} initialState copied, one level deep
   * @param {{ send: (text: string) => void } | Channel} ws
   */
  constructor(widgetId, initialState, ws) {
    this.#widgetId = widgetId;
    this.#state = new Map(Object.entries(initialState ?? {}));
    this.#ws = ws;
    this.#ws?.attach?.(widgetId, this);
  }

  /** @returns {WidgetManager} */
  get widget_manager() {
    const ws = this.#ws;
    return {
      get_model: async (id) => {
        if (typeof ws?.whenOpen !== "function") throw new Error(`There is no widget ${id} beside ${this.#widgetId}`);
        return ws.whenOpen(id);
      },
    };
  }

  /** @param {PropertyKey} key a string, as in `set`; see ScopedModel @returns {any} */
  get(key) {
    return this.#state.get(key);
  }

  /** @param {PropertyKey} name @param {unknown} value @returns {void} */
  set(name, value) {
    const key = String(name);
    const wireValue = toWire(value);
    const oldValue = this.#state.get(key);
    this.#state.set(key, value);
    if (typeof this.#ws.sendUpdate === "function") {
      this.#ws.sendUpdate(this.#widgetId, key, value);
    } else {
      const update = { type: "widget_update", widget_id: this.#widgetId, property: key, value: wireValue };
      sendWhenOpen(this.#ws, JSON.stringify(update));
    }
    if (oldValue !== value) this.#trigger(`change:${key}`, value);
  }

  /** @param {string} event @param {Handler} callback gets the value @returns {void} */
  on(event, callback) {
    const callbacks = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, callbacks.add(callback));
  }

  /** @param {string} event @param {Handler} callback gets the value @returns {void} */
  off(event, callback) {
    this.#listeners.get(event)?.delete(callback);
  }

  /** @param {string} property @param {unknown} value @returns {void} */
  handleRemoteUpdate(property, value) {
    const oldValue = this.#state.get(property);
    this.#state.set(property, value);
    if (oldValue !== value) this.#trigger(`change:${property}`, value);
  }

  /** Nothing is left to do: `set` has sent it. */
  save_changes() {}

  /** @param {unknown} content @param {DataView[]} buffers */
  handleMessage(content, buffers) {
    this.#trigger("msg:custom", content, buffers);
  }

  /**
   * A custom message, where the connection carries them; the base mode does not, and it says so once.
   *
   * @param {unknown} [content]
   * @param {unknown} [_callbacks]
   * @param {readonly unknown[]} [buffers]
   * @returns {void}
   */
  send(content, _callbacks, buffers) {
    if (this.#ws?.sendMessage?.(this.#widgetId, content, buffers) || this.#hasWarned) return;
    this.#hasWarned = true;
    console.warn(`[rdit] widget ${this.#widgetId}: ${NO_MESSAGES}`);
    this.#ws?.report?.({ code: "unsupported", message: NO_MESSAGES, widget_id: this.#widgetId });
  }

  /** @param {string} event @param {...any} values */
  #trigger(event, ...values) {
    /** @type {{ error: unknown } | null} */
    let first = null;
    this.#listeners.get(event)?.forEach((callback) => {
      try {
        callback(.../** @type {[any]} */ (values));
      } catch (error) {
        first ??= { error };
      }
    });
    if (first) throw /** @type {{ error: unknown }} */ (first).error;
  }
}

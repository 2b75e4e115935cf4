/**
 * One page's connection to the widgets of one Python.
 *
 * The inner part (`createExchange`) is the protocol without a socket: which edits wait, which are unanswered, which
 * remote values are hidden, which model a push belongs to. Around it there are two shells: `connect` dials, and dials
 * again; `connectionOver` listens on a WebSocket that somebody else owns.
 *
 * The rules, per property:
 * - An edit leaves at once while the connection is live and fewer than two edits of the property are unanswered; else
 *   it waits, and a later edit of the property replaces it. What waits is bounded by the number of properties.
 * - Each update that was sent gets one reply, in order. When the connection is lost, the unanswered ones wait again,
 *   unless a later edit of the property is waiting already.
 * - While an edit waits or is unanswered, values that Python pushes for the property are ignored: the model would jump
 *   back under the user's hand. The server pushes the standing value once more after the last edit.
 */

import { fromWire, toWire } from "./binary.js";
import { createEmitter } from "./emitter.js";
import { createModel, messageOf } from "./model.js";

/** @typedef {import("./model.js").Fault} Fault */
/** @typedef {import("./model.js").Model} Model */
/** @typedef {import("./model.js").Profile} Profile */
/** @typedef {"connecting" | "live" | "offline" | "failed" | "closed"} State */
/** @typedef {{ handleRemoteUpdate: (property: string, value: unknown) => void }} Receiver */

/**
 * A widget as the server serializes it.
 *
 * @typedef {object} WidgetData
 * @property {string} widget_id
 * @property {Record<string, any>} model its state; bytes are `{"$b64": "..."}` at their path
 * @property {string} [esm] the text of its module, or an http(s) URL
 * @property {string} [esm_url] where its module is served, relative to the connection's `baseUrl`
 * @property {string | null} [css] text, or an http(s) URL
 */

/**
 * @typedef {object} StateChange
 * @property {State} state
 * @property {{ code: number, message: string } | null} failure why it failed: a close code or an HTTP status
 */

/**
 * @typedef {object} Connection
 * @property {State} state
 * @property {boolean} idle no edit waits and none is unanswered
 * @property {Promise<void>} ready settles when it is live for the first time, or has failed or was closed before
 * @property {StateChange["failure"]} failure
 * @property {string | undefined} baseUrl what relative addresses from the server are relative to
 * @property {(event: "state" | "error" | "output" | "idle" | "open", callback: (detail: any) => void,
 *   options?: { signal?: AbortSignal }) => () => void} on
 * `state` gives a StateChange, `error` a Fault (a refused edit has the server's code), `output` the message,
 * `idle` a boolean, `open` a Model. Returns the function that ends the subscription.
 * @property {(widgetData: WidgetData) => Model} open the same id gives the same model
 * @property {(widgetId: string) => Model | undefined} model
 * @property {(widgetId: string) => WidgetData | undefined} widgetData
 * @property {(widgetId: string, options?: { timeoutMs?: number, signal?: AbortSignal }) => Promise<Model>} whenOpen
 * @property {(widgetId: string) => void} closeModel
 * @property {(widgetId: string, receiver: Receiver) => () => void} attach delivers pushes to a model of one's own
 * @property {(widgetId: string, property: string, value: unknown) => void} sendUpdate
 * @property {(text: string) => void} send one frame, as a WebSocket would; an update takes the way of all edits
 * @property {(fault: Fault) => void} report tells the subscribers of `error`
 * @property {() => void} renew forgets all models and edits and, where it can, dials again
 * @property {() => void} close ends it and closes its models; a socket that somebody else made stays open
 */

/** Edits of one property that may be unanswered at a time; the next one waits and merges. */
export const MAX_UNANSWERED_PER_SLOT = 2;
/** Values kept for widgets that are not open yet. */
export const MAX_HELD_SLOTS = 10_000;
/** Backoff: the n-th wait is uniform in 0..min(cap, base * 2^n). */
export const BACKOFF_BASE_MS = 500;
export const BACKOFF_CAP_MS = 20_000;
/** A connection that lives this long counts as good: the next loss starts at the base again. */
export const STABLE_AFTER_MS = 5_000;
/** How long a reference to a widget that is not open yet is waited for. */
export const CHILD_WAIT_MS = 10_000;
/** Closes in this range are final. */
const TERMINAL_CLOSE_CODES = { first: 4500, last: 4999 };
const OPEN = 1;

/**
 * @typedef {object} Edit
 * @property {string} slot
 * @property {string} widgetId
 * @property {string} property
 * @property {string} frame
 */

/** @param {string} widgetId @param {string} property */
function slotOf(widgetId, property) {
  return JSON.stringify([widgetId, property]);
}

/** @param {string} text @returns {any} */
function parseJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/**
 * The protocol without a socket.
 *
 * @param {{ profile?: Profile, maxHeldSlots?: number, getModel: (id: string) => Promise<Model> }} options
 */
function createExchange({ profile, maxHeldSlots = MAX_HELD_SLOTS, getModel }) {
  const emitter = createEmitter({
    onerror: (error, name) => console.error(`[rdit] a "${name}" subscriber of the connection failed`, error),
  });
  /** @type {Map<string, { model: Model, widgetData: WidgetData }>} */
  const opened = new Map();
  /** @type {Map<string, Set<Receiver>>} */
  const receivers = new Map();
  /** @type {Map<string, Map<string, unknown>>} */
  const held = new Map();
  let heldSlots = 0;
  let hasDroppedHeld = false;
  /** @type {Map<string, Edit>} */
  const queue = new Map();
  /** @type {Edit[]} */
  let unanswered = [];
  /** @type {((frame: string) => void) | null} */
  let transmit = null;
  /** @type {string | null} Why edits cannot be taken any more. */
  let ended = null;
  let wasIdle = true;

  const isIdle = () => queue.size === 0 && unanswered.length === 0;

  function tellIdle() {
    if (wasIdle === isIdle()) return;
    wasIdle = !wasIdle;
    emitter.emit("idle", wasIdle);
  }

  /** @param {Fault} fault */
  function report(fault) {
    emitter.emit("error", fault);
  }

  /** @param {string} slot */
  function isMasked(slot) {
    return queue.has(slot) || unanswered.some((edit) => edit.slot === slot);
  }

  /** @param {{ isUrgent?: boolean }} [options] */
  function pump({ isUrgent = false } = {}) {
    for (const [slot, edit] of queue) {
      if (!transmit) break;
      const out = unanswered.filter((other) => other.slot === slot).length;
      // An edit never overtakes one that was made before it: Python sees the page's order.
      if (!isUrgent && out >= MAX_UNANSWERED_PER_SLOT) break;
      queue.delete(slot);
      unanswered.push(edit);
      transmit(edit.frame);
    }
    tellIdle();
  }

  /** @param {string} widgetId @param {string} property @param {unknown} wireValue */
  function enqueue(widgetId, property, wireValue) {
    if (ended !== null) {
      report({ code: "undeliverable", message: ended, widget_id: widgetId, property });
      return;
    }
    const slot = slotOf(widgetId, property);
    const frame = JSON.stringify({ type: "widget_update", widget_id: widgetId, property, value: wireValue });
    queue.delete(slot);
    queue.set(slot, { slot, widgetId, property, frame });
    pump();
  }

  /** @param {any} reply */
  function settle(reply) {
    // The first design's server answers a failure without saying of what: replies come in order, so of the oldest.
    const hasNames = typeof reply.widget_id === "string" && typeof reply.property === "string";
    const slot = hasNames ? slotOf(reply.widget_id, reply.property) : null;
    const at = slot === null ? 0 : unanswered.findIndex((edit) => edit.slot === slot);
    const [edit] = at < 0 ? [] : unanswered.splice(at, 1);
    return edit;
  }

  /** @param {string} widgetId @param {string} property @param {unknown} value */
  function deliver(widgetId, property, value) {
    for (const receiver of [...(receivers.get(widgetId) ?? [])]) {
      try {
        receiver.handleRemoteUpdate(property, value);
      } catch (error) {
        console.error(`[rdit] widget ${widgetId} failed to take ${property}`, error);
        report({ code: "listener_failed", message: messageOf(error), widget_id: widgetId, property, error });
      }
    }
    const entry = opened.get(widgetId);
    if (entry) entry.model.handleRemoteUpdate(property, value);
    else hold(widgetId, property, value);
  }

  /** @param {string} widgetId @param {string} property @param {unknown} value */
  function hold(widgetId, property, value) {
    const values = held.get(widgetId) ?? new Map();
    held.set(widgetId, values);
    if (!values.has(property)) heldSlots += 1;
    values.set(property, value);
    if (heldSlots <= maxHeldSlots) return;
    const [oldestId, oldest] = /** @type {[string, Map<string, unknown>]} */ (held.entries().next().value);
    held.delete(oldestId);
    heldSlots -= oldest.size;
    if (hasDroppedHeld) return;
    hasDroppedHeld = true;
    const message = `More than ${maxHeldSlots} values arrived for widgets that are not open; the oldest are forgotten`;
    report({ code: "dropped", message, widget_id: oldestId });
  }

  /** @param {string} frame */
  function receive(frame) {
    const message = typeof frame === "string" ? parseJson(frame) : null;
    switch (message?.type) {
      case "ack":
        settle(message);
        pump();
        break;
      case "error": {
        const edit = settle(message);
        report({
          code: typeof message.code === "string" ? message.code : "refused",
          message: typeof message.message === "string" ? message.message : "The server refused an edit",
          widget_id: edit?.widgetId ?? (typeof message.widget_id === "string" ? message.widget_id : undefined),
          property: edit?.property ?? (typeof message.property === "string" ? message.property : undefined),
        });
        pump();
        break;
      }
      case "widget_update": {
        const { widget_id: widgetId, property, value } = message;
        if (typeof widgetId !== "string" || typeof property !== "string" || !Object.hasOwn(message, "value")) break;
        if (isMasked(slotOf(widgetId, property))) break;
        try {
          deliver(widgetId, property, fromWire(value));
        } catch (error) {
          report({ code: "bad_message", message: messageOf(error), widget_id: widgetId, property, error });
        }
        break;
      }
      case "output":
        emitter.emit("output", message);
        break;
    }
  }

  /** @param {Iterable<Edit>} edits @param {string} code @param {string} text */
  function reportLost(edits, code, text) {
    for (const { widgetId, property } of edits) {
      report({ code, message: text, widget_id: widgetId, property });
    }
  }

  function closeModels() {
    const models = [...opened.values()];
    opened.clear();
    held.clear();
    heldSlots = 0;
    for (const { model } of models) model.close();
  }

  return {
    emitter,
    report,
    receive,
    isIdle,
    /** @param {(frame: string) => void} send */
    wentLive(send) {
      transmit = send;
      pump();
    },
    wentDown() {
      transmit = null;
      const waiting = [...queue.values()];
      queue.clear();
      for (const edit of [...unanswered, ...waiting]) {
        queue.delete(edit.slot);
        queue.set(edit.slot, edit);
      }
      unanswered = [];
      tellIdle();
    },
    flush() {
      pump({ isUrgent: true });
    },
    /** @param {string} reason */
    end(reason) {
      if (ended !== null) return;
      this.wentDown();
      ended = reason;
      const lost = [...queue.values()];
      queue.clear();
      reportLost(lost, "undeliverable", reason);
      tellIdle();
    },
    forget() {
      this.wentDown();
      queue.clear();
      closeModels();
      tellIdle();
    },
    closeModels,
    /** @type {Connection["sendUpdate"]} */
    sendUpdate(widgetId, property, value) {
      enqueue(String(widgetId), String(property), toWire(value));
    },
    /** @type {Connection["send"]} */
    send(text) {
      const message = parseJson(text);
      if (message?.type === "widget_update") {
        enqueue(String(message.widget_id), String(message.property), message.value ?? null);
      } else if (transmit) {
        transmit(text);
      } else {
        throw new DOMException("The connection is not live", "InvalidStateError");
      }
    },
    /** @type {Connection["open"]} */
    open(widgetData) {
      const widgetId = String(widgetData.widget_id);
      const existing = opened.get(widgetId);
      if (existing) return existing.model;
      const state = /** @type {Record<string, unknown>} */ (fromWire(widgetData.model ?? {}));
      const source = widgetData.esm_url ?? widgetData.esm;
      const model = createModel(
        widgetId,
        {
          ...(source === undefined ? {} : { _esm: source }),
          ...(widgetData.css ? { _css: widgetData.css } : {}),
          ...state,
        },
        this,
        { profile, onerror: report, widgetManager: { get_model: getModel } },
      );
      opened.set(widgetId, { model, widgetData });
      const early = held.get(widgetId);
      if (early) {
        held.delete(widgetId);
        heldSlots -= early.size;
        model.applyRemote(early);
      }
      emitter.emit("open", model);
      return model;
    },
    /** @param {string} widgetId */
    model: (widgetId) => opened.get(widgetId)?.model,
    /** @param {string} widgetId */
    widgetData: (widgetId) => opened.get(widgetId)?.widgetData,
    /** @param {string} widgetId */
    closeModel(widgetId) {
      const entry = opened.get(widgetId);
      opened.delete(widgetId);
      entry?.model.close();
    },
    /** @type {Connection["attach"]} */
    attach(widgetId, receiver) {
      const set = receivers.get(widgetId) ?? new Set();
      receivers.set(widgetId, set.add(receiver));
      for (const [property, value] of held.get(widgetId) ?? []) receiver.handleRemoteUpdate(property, value);
      return () => {
        set.delete(receiver);
        if (set.size === 0 && receivers.get(widgetId) === set) receivers.delete(widgetId);
      };
    },
  };
}

/**
 * The part of a connection's surface that needs no socket.
 *
 * @param {ReturnType<typeof createExchange>} exchange
 * @param {Required<Pick<Timers, "setTimeout" | "clearTimeout">>} timers
 */
function surfaceOf(exchange, timers) {
  /** @type {Connection["whenOpen"]} */
  function whenOpen(widgetId, { timeoutMs = CHILD_WAIT_MS, signal } = {}) {
    const present = exchange.model(widgetId);
    if (present) return Promise.resolve(present);
    return new Promise((resolve, reject) => {
      const finish = new AbortController();
      /** @param {() => void} act */
      const end = (act) => {
        finish.abort();
        timers.clearTimeout(timer);
        act();
      };
      const timer = timers.setTimeout(
        () => end(() => reject(new Error(`Widget ${JSON.stringify(widgetId)} is not open (waited ${timeoutMs} ms)`))),
        timeoutMs,
      );
      on("open", (model) => model.widgetId === widgetId && end(() => resolve(model)), { signal: finish.signal });
      signal?.addEventListener("abort", () => end(() => reject(signal.reason)), { signal: finish.signal });
      if (signal?.aborted) end(() => reject(signal.reason));
    });
  }

  /** @type {Connection["on"]} */
  function on(event, callback, { signal } = {}) {
    const owner = {};
    if (!signal?.aborted) exchange.emitter.on(event, callback, owner);
    const stop = () => exchange.emitter.off(null, null, owner);
    signal?.addEventListener("abort", stop, { once: true });
    return stop;
  }

  return {
    on,
    whenOpen,
    open: exchange.open.bind(exchange),
    model: exchange.model,
    widgetData: exchange.widgetData,
    closeModel: exchange.closeModel,
    attach: exchange.attach,
    sendUpdate: exchange.sendUpdate,
    send: exchange.send,
    report: exchange.report,
  };
}

/**
 * @typedef {object} Timers
 * @property {(callback: () => void, ms: number) => any} [setTimeout]
 * @property {(timer: any) => void} [clearTimeout]
 */

/**
 * @typedef {object} ConnectOptions
 * @property {Profile} [profile] for the models of this connection, see `createModel`
 * @property {boolean} [output] also receive what callbacks print after the script has ended
 * @property {string | null} [statusUrl] asked when the server refuses the socket; null: never asked
 * @property {AbortSignal} [signal] closes the connection
 * @property {new (url: string) => WebSocket} [WebSocket]
 * @property {typeof globalThis.fetch} [fetch]
 * @property {() => number} [random]
 * @property {EventTarget | null} [window] where `online`, `pagehide` and `pageshow` happen
 * @property {(EventTarget & { visibilityState?: string }) | null} [document] where `visibilitychange` happens
 * @property {number} [maxHeldSlots]
 */

/**
 * Connects to a server's widgets, and again whenever the connection is lost.
 *
 * @param {string | URL} url `ws:`, `wss:`, `http:`, `https:` or relative to the page
 * @param {ConnectOptions & Timers} [options]
 * @returns {Connection}
 */
export function connect(url, options = {}) {
  const {
    profile,
    output = false,
    signal,
    WebSocket: WebSocketClass = globalThis.WebSocket,
    fetch = globalThis.fetch?.bind(globalThis),
    random = Math.random,
    setTimeout = globalThis.setTimeout.bind(globalThis),
    clearTimeout = globalThis.clearTimeout.bind(globalThis),
    window = globalThis.window ?? null,
    document = globalThis.document ?? null,
    maxHeldSlots,
  } = options;

  const address = new URL(url, globalThis.document?.baseURI);
  address.protocol = address.protocol.replace(/^http/, "ws");
  if (output) address.searchParams.set("output", "1");
  const httpAddress = new URL(address);
  httpAddress.protocol = address.protocol.replace(/^ws/, "http");
  httpAddress.search = "";
  const baseUrl = new URL("../", httpAddress).href;
  const statusUrl = options.statusUrl === undefined ? new URL("api/status", baseUrl).href : options.statusUrl;

  const exchange = createExchange({ profile, maxHeldSlots, getModel: (id) => surface.whenOpen(id) });
  const surface = surfaceOf(exchange, { setTimeout, clearTimeout });
  const lifetime = new AbortController();
  /** @type {State} */
  let state = "connecting";
  /** @type {StateChange["failure"]} */
  let failure = null;
  /** @type {WebSocket | null} */
  let socket = null;
  /** @type {any} */
  let retryTimer = null;
  /** @type {any} */
  let stableTimer = null;
  let losses = 0;
  let isAsking = false;
  let isFrozen = false;

  const readiness = withResolvers();
  readiness.promise.catch(() => {});

  const isOver = () => state === "failed" || state === "closed";

  /** @param {State} next */
  function become(next) {
    if (state === next) return;
    state = next;
    if (next === "live") readiness.resolve();
    exchange.emitter.emit("state", { state, failure });
  }

  function dial() {
    clearTimeout(retryTimer);
    retryTimer = null;
    become("connecting");
    let wasOpen = false;
    /** @type {WebSocket} */
    let ws;
    try {
      ws = new WebSocketClass(address.href);
    } catch (error) {
      finish("failed", { code: 0, message: messageOf(error) });
      return;
    }
    socket = ws;
    ws.addEventListener("open", () => {
      if (socket !== ws) return;
      wasOpen = true;
      stableTimer = setTimeout(() => {
        losses = 0;
      }, STABLE_AFTER_MS);
      exchange.wentLive((frame) => ws.send(frame));
      become("live");
    });
    ws.addEventListener("message", (event) => {
      if (socket === ws) exchange.receive(event.data);
    });
    ws.addEventListener("close", (event) => {
      if (socket === ws) lost(event, wasOpen);
    });
  }

  function hangUp() {
    const ws = socket;
    socket = null;
    clearTimeout(stableTimer);
    exchange.wentDown();
    ws?.close();
  }

  /** @param {{ code: number, reason: string }} event @param {boolean} wasOpen */
  function lost({ code, reason }, wasOpen) {
    hangUp();
    if (code >= TERMINAL_CLOSE_CODES.first && code <= TERMINAL_CLOSE_CODES.last) {
      finish("failed", { code, message: reason || `The server closed the connection for good (${code})` });
      return;
    }
    become("offline");
    if (isOver() || isFrozen) return;
    const ceiling = Math.min(BACKOFF_CAP_MS, BACKOFF_BASE_MS * 2 ** losses);
    losses += 1;
    clearTimeout(retryTimer);
    retryTimer = setTimeout(dial, random() * ceiling);
    if (!wasOpen) void askWhyRefused();
  }

  /** A refusal before the handshake shows as code 1006 and nothing else: the server's status tells it from a failure. */
  async function askWhyRefused() {
    if (statusUrl === null || !fetch || isAsking) return;
    isAsking = true;
    try {
      const { status } = await fetch(statusUrl, { cache: "no-store", credentials: "same-origin" });
      if ((status === 401 || status === 403) && state !== "live") {
        finish("failed", { code: status, message: `The server refuses this page (HTTP ${status})` });
      }
    } catch {
      // Nobody answers: the server is away, which is what dialling again is for.
    } finally {
      isAsking = false;
    }
  }

  /** @param {"failed" | "closed"} end @param {StateChange["failure"]} why */
  function finish(end, why) {
    if (isOver()) return;
    failure = why;
    lifetime.abort();
    clearTimeout(retryTimer);
    hangUp();
    become(end);
    const message = why?.message ?? "The connection was closed";
    exchange.end(message);
    readiness.reject(new Error(message));
    if (end === "closed") exchange.closeModels();
  }

  function dialNow() {
    if (state === "offline" && !isFrozen) dial();
  }

  const page = { signal: lifetime.signal };
  window?.addEventListener("online", dialNow, page);
  document?.addEventListener("visibilitychange", () => document.visibilityState === "visible" && dialNow(), page);
  window?.addEventListener(
    "pagehide",
    (event) => {
      exchange.flush();
      // A page kept for "back" must not keep its socket: it dials again when it is shown.
      if (!(/** @type {PageTransitionEvent} */ (event).persisted)) return;
      isFrozen = true;
      clearTimeout(retryTimer);
      hangUp();
      become("offline");
    },
    page,
  );
  window?.addEventListener(
    "pageshow",
    () => {
      isFrozen = false;
      dialNow();
    },
    page,
  );

  /** @type {Connection} */
  const connection = {
    ...surface,
    get state() {
      return state;
    },
    get idle() {
      return exchange.isIdle();
    },
    get failure() {
      return failure;
    },
    ready: readiness.promise,
    baseUrl,
    renew() {
      hangUp();
      exchange.forget();
      if (!isOver() && !isFrozen) dial();
    },
    close: () => finish("closed", null),
  };
  if (signal?.aborted) finish("closed", null);
  else dial();
  signal?.addEventListener("abort", () => connection.close(), { signal: lifetime.signal });
  return connection;
}

/** @type {WeakMap<object, Connection>} */
const wrappers = new WeakMap();

/**
 * A connection over a WebSocket that somebody else made and owns: it waits for the socket to open, and ends with it.
 * The same socket gives the same connection.
 *
 * @param {any} ws
 * @param {{ profile?: Profile } & Timers} [options] those of the first call count
 * @returns {Connection}
 */
export function connectionOver(ws, options = {}) {
  const known = wrappers.get(ws);
  if (known) return known;
  const { profile } = options;
  const setTimeout = options.setTimeout ?? globalThis.setTimeout.bind(globalThis);
  const clearTimeout = options.clearTimeout ?? globalThis.clearTimeout.bind(globalThis);
  const exchange = createExchange({ profile, getModel: (id) => surface.whenOpen(id) });
  const surface = surfaceOf(exchange, { setTimeout, clearTimeout });
  /** @type {State} */
  let state = "connecting";
  const readiness = withResolvers();
  readiness.promise.catch(() => {});

  /** @param {State} next */
  function become(next) {
    state = next;
    exchange.emitter.emit("state", { state, failure: null });
  }
  function live() {
    if (state !== "connecting") return;
    exchange.wentLive((frame) => ws.send(frame));
    become("live");
    readiness.resolve();
  }
  function over() {
    if (state === "closed") return;
    become("closed");
    exchange.end("The WebSocket is closed");
    readiness.reject(new Error("The WebSocket is closed"));
  }

  ws.addEventListener?.("open", live);
  ws.addEventListener?.("message", (/** @type {MessageEvent} */ event) => exchange.receive(event.data));
  ws.addEventListener?.("close", over);
  // Something with a mere send() has no readyState: it counts as open.
  if ((ws.readyState ?? OPEN) === OPEN) live();
  else if (ws.readyState > OPEN) over();

  /** @type {Connection} */
  const connection = {
    ...surface,
    get state() {
      return state;
    },
    get idle() {
      return exchange.isIdle();
    },
    failure: null,
    ready: readiness.promise,
    baseUrl: undefined,
    renew() {
      exchange.forget();
      if (state === "live") exchange.wentLive((frame) => ws.send(frame));
    },
    close() {
      over();
      exchange.closeModels();
    },
  };
  wrappers.set(ws, connection);
  return connection;
}

/** @returns {{ promise: Promise<void>, resolve: () => void, reject: (error: Error) => void }} */
function withResolvers() {
  /** @type {any} */
  const result = {};
  result.promise = new Promise((resolve, reject) => Object.assign(result, { resolve, reject }));
  return result;
}

/**
 * One page's connection to the widgets of one Python: the socket around an exchange (`exchange.js`). `connect` dials,
 * and dials again; `connectionOver` listens on a WebSocket that somebody else owns.
 */

import { createExchange } from "./exchange.js";
import { messageOf } from "./model.js";

/** @typedef {import("./exchange.js").Receiver} Receiver */
/** @typedef {import("./exchange.js").WidgetData} WidgetData */
/** @typedef {import("./model.js").Fault} Fault */
/** @typedef {import("./model.js").Model} Model */
/** @typedef {import("./model.js").Profile} Profile */
/** @typedef {"connecting" | "live" | "offline" | "failed" | "closed"} State */

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
 * @property {(widgetId: string, receiver: Receiver) => () => void} attach delivers pushes to a model of one's own,
 * until the returned function is called or the connection renewed
 * @property {(widgetId: string, property: string, value: unknown) => void} sendUpdate
 * @property {(text: string) => void} send one frame, as a WebSocket would; an update takes the way of all edits
 * @property {(fault: Fault) => void} report tells the subscribers of `error`
 * @property {() => void} renew forgets all models and edits and, where it can, dials again
 * @property {() => void} close ends it and closes its models; a socket that somebody else made stays open
 */

/** Backoff: the n-th wait is uniform in 0..min(cap, base * 2^n). */
export const BACKOFF_BASE_MS = 500;
export const BACKOFF_CAP_MS = 20_000;
/** A connection that lives this long counts as good: the next loss starts at the base again. */
export const STABLE_AFTER_MS = 5_000;
/** How long a reference to a widget that is not open yet is waited for. */
export const CHILD_WAIT_MS = 10_000;
/** Closes in this range are final. */
const TERMINAL_CLOSE_CODES = { first: 4500, last: 4999 };
/** The server's transport takes no message of this length (RFC 6455, 7.4.1). */
const TOO_LONG_CLOSE_CODE = 1009;
const OPEN = 1;

/**
 * The part of a connection's surface that needs no socket.
 *
 * @param {import("./exchange.js").Exchange} exchange
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
    const stop = () => {
      exchange.emitter.off(null, null, owner);
      signal?.removeEventListener("abort", stop);
    };
    if (signal?.aborted) return stop;
    exchange.emitter.on(event, callback, owner);
    signal?.addEventListener("abort", stop);
    return stop;
  }

  return {
    on,
    whenOpen,
    open: exchange.open,
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
  let opens = 0;
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
    exchange.tell("state", { state, failure });
  }

  function dial() {
    clearTimeout(retryTimer);
    become("connecting");
    // Whoever heard that may have closed the connection, or renewed it.
    if (isOver() || socket) return;
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
      opens += 1;
      stableTimer = setTimeout(() => {
        losses = 0;
      }, STABLE_AFTER_MS);
      exchange.wentLive((frame) => ws.send(frame));
      if (socket === ws) become("live");
    });
    ws.addEventListener("message", (event) => {
      if (socket === ws) exchange.receive(event.data);
    });
    ws.addEventListener("close", (event) => {
      // Sent again, what was too long would end the next connection too, and so on for ever.
      if (socket === ws && event.code === TOO_LONG_CLOSE_CODE) exchange.dropLongest();
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
    if (state !== "offline" || isFrozen) return;
    const ceiling = Math.min(BACKOFF_CAP_MS, BACKOFF_BASE_MS * 2 ** losses);
    losses += 1;
    clearTimeout(retryTimer);
    retryTimer = setTimeout(dialNow, random() * ceiling);
    if (!wasOpen) void askWhyRefused();
  }

  /** A refusal before the handshake shows as code 1006 and nothing else: the server's status tells it from a failure. */
  async function askWhyRefused() {
    if (statusUrl === null || !fetch || isAsking) return;
    isAsking = true;
    const opensBefore = opens;
    try {
      const { status } = await fetch(statusUrl, {
        cache: "no-store",
        credentials: "same-origin",
        signal: lifetime.signal,
      });
      // A socket that opened meanwhile is the later word.
      if ((status === 401 || status === 403) && opens === opensBefore) {
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
 * The same socket gives the same connection, until that is closed.
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
    exchange.tell("state", { state, failure: null });
  }
  function live() {
    if (state !== "connecting") return;
    exchange.wentLive((frame) => ws.send(frame));
    become("live");
    readiness.resolve();
  }
  function over() {
    if (state === "closed") return;
    for (const [name, listener] of Object.entries(listeners)) ws.removeEventListener?.(name, listener);
    become("closed");
    exchange.end("The WebSocket is closed");
    readiness.reject(new Error("The WebSocket is closed"));
  }

  const listeners = {
    open: live,
    message: (/** @type {MessageEvent} */ event) => exchange.receive(event.data),
    close: over,
  };
  for (const [name, listener] of Object.entries(listeners)) ws.addEventListener?.(name, listener);
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
    // What is unanswered stays so: the replies are still to come on this socket.
    renew: exchange.forget,
    close() {
      // The socket goes on and may be given again, to a connection that lives.
      if (wrappers.get(ws) === connection) wrappers.delete(ws);
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

/**
 * One page's connection to the widgets of one Python. `connect` dials, and dials again; what is said over the socket is
 * `rdit/1` (`session.js`) where the server speaks it, else base mode (`exchange.js`). `connectionOver` listens on a
 * WebSocket that somebody else owns, in base mode.
 */

import { createTeller } from "./emitter.js";
import { createExchange } from "./exchange.js";
import { baseSurface, driveExchange } from "./exchange_driver.js";
import { importerWithCredentials } from "./loader.js";
import { createSoon } from "./soon.js";
import { LIMITS } from "./timing.js";
import { driveSession } from "./session_driver.js";

/** @typedef {import("./exchange.js").Receiver} Receiver */
/** @typedef {import("./exchange.js").WidgetData} WidgetData */
/** @typedef {import("./model.js").Fault} Fault */
/** @typedef {import("./model.js").Model} Model */
/** @typedef {import("./model.js").Profile} Profile */
/** @typedef {import("./transitions.js").PageState} State */

/**
 * @typedef {object} StateChange
 * @property {State} state
 * @property {{ code: number, message: string } | null} failure why it failed: a close code or an HTTP status
 */

/**
 * What a driver gives, and a connection passes on.
 *
 * @typedef {object} Surface
 * @property {"rdit.v1" | "base" | null} protocol null: no server has chosen yet
 * @property {State} state
 * @property {boolean} idle no edit waits, none is unanswered, and nobody holds it
 * @property {StateChange["failure"]} failure
 * @property {(widgetData: WidgetData) => Model} open the same id gives the same model
 * @property {(widgetId: string) => Model | undefined} model
 * @property {(widgetId: string) => WidgetData | undefined} widgetData
 * @property {(widgetId: string) => void} closeModel
 * @property {(widgetId: string, receiver: Receiver) => () => void} attach delivers pushes to a model of one's own,
 * until the returned function is called or, in base mode, the connection renewed
 * @property {(widgetId: string, property: string, value: unknown) => void} sendUpdate
 * @property {NonNullable<import("./model.js").Channel["sendUpdates"]>} sendUpdates
 * @property {import("./model.js").SendMessage} sendMessage
 * @property {(text: string) => void} send one frame, as a WebSocket would; an update takes the way of all edits
 * @property {(fault: Fault) => void} report tells the subscribers of `error`
 * @property {(widgetId: string, stage: string, error: unknown) => void} reportFailure tells Python that a widget's code
 * failed, where the protocol has words for it
 * @property {() => () => void} hold keeps the connection from being idle until the returned function is called
 * @property {() => void} renew before another run's widgets are shown. Base mode forgets all models and edits and,
 * where it can, dials again; in rdit/1 the server says which widgets there are, and nothing is to be done
 * @property {() => void} close ends it and closes its models; a socket that somebody else made stays open
 */

/**
 * @typedef {object} OwnSurface
 * @property {Promise<void>} ready settles when it is live for the first time, or has failed or was closed before
 * @property {string | undefined} baseUrl what relative addresses from the server are relative to
 * @property {((url: string) => Promise<any>) | undefined} [importModule] how modules of the server are imported, where the
 * browser's own `import` would not have the credentials
 * @property {(event: "state" | "error" | "output" | "idle" | "open" | "source" | "restarted" | "goingAway",
 *   callback: (detail: any) => void, options?: { signal?: AbortSignal }) => () => void} on
 * `state` gives a StateChange, `error` a Fault (a refused edit has the server's code), `output` the message,
 * `idle` a boolean, `open` a Model, `source` the widget whose module changed, `restarted` what became of the edits when
 * the server was started anew; `goingAway` comes when the server says that it ends, before the state is `offline`. Returns the function that ends the subscription.
 * @property {(widgetId: string, options?: { timeoutMs?: number, signal?: AbortSignal }) => Promise<Model>} whenOpen
 * @property {(widgetData: WidgetData, options?: { signal?: AbortSignal }) => Model | Promise<Model>} obtain
 * The model to render: in rdit/1 as soon as the server has opened it, in base mode opened here and now. While no server
 * has chosen yet it is made of what was given, and goes on with whatever the server says.
 */
/** @typedef {Surface & OwnSurface} Connection */

/** @typedef {Surface & { isOpen: (widgetId: string) => boolean, start: () => void,
 *   isPending: (widgetId: string, property: string) => boolean }} Driver */

/** Backoff: the n-th wait is uniform in 0..min(cap, base * 2^n). */
export const BACKOFF_BASE_MS = LIMITS.backoffBaseMs;
export const BACKOFF_CAP_MS = LIMITS.backoffCapMs;
/** A connection that lives this long counts as good: the next loss starts at the base again. */
export const STABLE_AFTER_MS = LIMITS.stableMs;
/** How long a reference to a widget that is not open yet is waited for. */
export const CHILD_WAIT_MS = 10_000;
const OPEN = 1;

/**
 * The part of a connection's surface that is the same whoever drives it.
 *
 * @param {() => Driver} driver
 * @param {import("./emitter.js").Emitter} emitter
 * @param {Required<Pick<Timers, "setTimeout" | "clearTimeout">>} timers
 */
function surfaceOf(driver, emitter, timers) {
  /** @type {Connection["whenOpen"]} */
  function whenOpen(widgetId, { timeoutMs = CHILD_WAIT_MS, signal } = {}) {
    const present = driver().isOpen(widgetId) ? driver().model(widgetId) : undefined;
    if (present) return Promise.resolve(present);
    return new Promise((resolve, reject) => {
      const finish = new AbortController();
      /** @param {() => void} act */
      const end = (act) => {
        finish.abort();
        timers.clearTimeout(timer);
        act();
      };
      const message = `Widget ${JSON.stringify(widgetId)} is not open (waited ${timeoutMs} ms)`;
      const expire = () => {
        // While nobody is there to open it, no time passes.
        const { protocol, state } = driver();
        if (protocol === "base" || state === "live") end(() => reject(new Error(message)));
        else if (state === "failed" || state === "closed") end(() => reject(new Error("The connection has ended")));
        else timer = timers.setTimeout(expire, timeoutMs);
      };
      let timer = timers.setTimeout(expire, timeoutMs);
      on("open", (model) => model.widgetId === widgetId && end(() => resolve(model)), { signal: finish.signal });
      signal?.addEventListener("abort", () => end(() => reject(signal.reason)), { signal: finish.signal });
      if (signal?.aborted) end(() => reject(signal.reason));
    });
  }

  /** @type {Connection["on"]} */
  function on(event, callback, { signal } = {}) {
    const owner = {};
    const stop = () => {
      emitter.off(null, null, owner);
      signal?.removeEventListener("abort", stop);
    };
    if (signal?.aborted) return stop;
    emitter.on(event, callback, owner);
    signal?.addEventListener("abort", stop);
    return stop;
  }

  return {
    on,
    whenOpen,
    /** @type {Connection["obtain"]} */
    obtain: (widgetData, { signal } = {}) =>
      driver().protocol === "rdit.v1"
        ? whenOpen(String(widgetData.widget_id), { signal })
        : driver().open(widgetData),
  };
}

/**
 * @typedef {object} Timers
 * @property {(callback: () => void, ms: number) => any} [setTimeout]
 * @property {(timer: any) => void} [clearTimeout]
 * @property {(callback: () => void) => void} [soon] calls back in a task of its own, before any timer
 * @property {() => number} [now] milliseconds that only grow
 */

/**
 * @typedef {object} ConnectOptions
 * @property {"auto" | "base"} [protocol] "auto" (default) offers `rdit/1` and takes what the server chooses; "base"
 * offers nothing: the three messages of the first design
 * @property {Profile} [profile] for the models of this connection, see `createModel`
 * @property {boolean} [output] also receive what callbacks print after the script has ended
 * @property {string} [token] the server's, for a page that does not have its cookie, as on another site
 * @property {string | null} [statusUrl] asked when the server refuses the socket; null: never asked
 * @property {AbortSignal} [signal] closes the connection
 * @property {new (url: string, protocols?: string[]) => WebSocket} [WebSocket]
 * @property {typeof globalThis.fetch} [fetch]
 * @property {() => number} [random]
 * @property {EventTarget | null} [window] where `online`, `pagehide` and `pageshow` happen
 * @property {(EventTarget & { visibilityState?: string }) | null} [document] where `visibilitychange` happens
 * @property {number} [maxHeldSlots] base mode: values kept for widgets that are not open yet
 */

/**
 * What all drivers of one connection share.
 *
 * @typedef {object} DriverContext
 * @property {import("./emitter.js").Teller} teller
 * @property {AbortController} lifetime
 * @property {EventTarget | null} window
 * @property {(EventTarget & { visibilityState?: string }) | null} document
 * @property {() => number} random
 * @property {() => number} now
 * @property {NonNullable<Timers["setTimeout"]>} setTimeout
 * @property {NonNullable<Timers["clearTimeout"]>} clearTimeout
 * @property {NonNullable<Timers["soon"]>} soon
 * @property {Profile | undefined} profile
 * @property {number | undefined} maxHeldSlots
 * @property {(id: string) => Promise<Model>} getModel
 * @property {import("./model.js").Channel} channel of the models: leads to whoever drives by then
 * @property {(offers: string[]) => WebSocket} makeSocket
 * @property {() => Promise<number | null>} askStatus the HTTP status of the server's own status; null: nobody answers
 * @property {(state: State, failure: StateChange["failure"]) => void} became
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
    protocol = "auto",
    output = false,
    token,
    signal,
    WebSocket: WebSocketClass = globalThis.WebSocket,
    fetch = globalThis.fetch?.bind(globalThis),
    setTimeout = globalThis.setTimeout.bind(globalThis),
    clearTimeout = globalThis.clearTimeout.bind(globalThis),
  } = options;

  const address = new URL(url, globalThis.document?.baseURI);
  address.protocol = address.protocol.replace(/^http/, "ws");
  if (output) address.searchParams.set("output", "1");
  const baseUrl = baseUrlOf(address);
  const statusUrl = options.statusUrl === undefined ? new URL("api/status", baseUrl).href : options.statusUrl;

  /** @type {Record<string, string>} */
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };

  const document = options.document === undefined ? (globalThis.document ?? null) : options.document;
  const teller = createTeller();
  const lifetime = new AbortController();
  const readiness = withResolvers();
  readiness.promise.catch(() => {});

  async function askStatus() {
    if (statusUrl === null || !fetch) return null;
    try {
      const { status } = await fetch(statusUrl, {
        cache: "no-store",
        // As the WebSocket has them, to another origin, too.
        credentials: "include",
        headers,
        signal: lifetime.signal,
      });
      return status;
    } catch {
      // Nobody answers: the server is away, which is what dialling again is for.
      return null;
    }
  }

  /** @type {DriverContext} */
  const context = {
    teller,
    lifetime,
    window: options.window === undefined ? (globalThis.window ?? null) : options.window,
    document,
    random: options.random ?? Math.random,
    now: options.now ?? (() => performance.now()),
    setTimeout,
    clearTimeout,
    soon: options.soon ?? createSoon(lifetime.signal, document, setTimeout),
    profile: options.profile,
    maxHeldSlots: options.maxHeldSlots,
    getModel: (id) => surface.whenOpen(id),
    channel: {
      sendUpdate: (...edit) => driver.sendUpdate(...edit),
      sendUpdates: (...edits) => driver.sendUpdates(...edits),
      sendMessage: (...message) => driver.sendMessage(...message),
      isPending: (...slot) => driver.isPending(...slot),
    },
    makeSocket(chosen) {
      const offers = token === undefined ? chosen : offersWith(token, chosen);
      const ws = offers.length > 0 ? new WebSocketClass(address.href, offers) : new WebSocketClass(address.href);
      // Its closing is told like any other loss.
      const timer = setTimeout(() => ws.readyState < OPEN && ws.close(), LIMITS.dialMs);
      for (const end of ["open", "close"]) ws.addEventListener(end, () => clearTimeout(timer));
      return ws;
    },
    askStatus,
    became(state, failure) {
      if (state === "live") readiness.resolve();
      if (state === "failed" || state === "closed") {
        readiness.reject(new Error(failure?.message ?? "The connection was closed"));
      }
      teller.tell("state", { state, failure });
    },
  };

  let driver =
    protocol === "base"
      ? driveExchange(context)
      : driveSession(context, (inheritance) => {
          driver = driveExchange(context, inheritance);
          driver.start();
        });
  const surface = surfaceOf(() => driver, teller.emitter, { setTimeout, clearTimeout });
  const importModule = importerFor(baseUrl, token === undefined ? undefined : headers, fetch);
  const connection = connectionOf(() => driver, { ...surface, ready: readiness.promise, baseUrl, importModule });
  if (signal?.aborted) connection.close();
  else driver.start();
  signal?.addEventListener("abort", () => connection.close(), { signal: lifetime.signal });
  return connection;
}

/**
 * A browser sets no headers on a WebSocket: the token is offered as a protocol, which is never chosen. Something else has
 * to be, or the browser closes the socket.
 *
 * @param {string} token @param {string[]} offers
 */
function offersWith(token, offers) {
  const bytes = String.fromCharCode(...new TextEncoder().encode(token));
  const base64url = btoa(bytes).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
  return [...(offers.length > 0 ? offers : ["rdit.base"]), `rdit.token.${base64url}`];
}

/**
 * @param {string | undefined} baseUrl
 * @param {Record<string, string> | undefined} headers
 * @param {typeof globalThis.fetch | undefined} fetch
 */
function importerFor(baseUrl, headers, fetch) {
  if (baseUrl === undefined || !fetch) return undefined;
  const { origin } = new URL(baseUrl);
  const isForeign = globalThis.location !== undefined && globalThis.location.origin !== origin;
  return headers || isForeign ? importerWithCredentials(origin, headers ?? {}, fetch) : undefined;
}

/** The server's own address: its WebSocket lies one level below. @param {string | URL} address `ws:` or `wss:` */
function baseUrlOf(address) {
  const url = new URL("../", address);
  url.protocol = url.protocol.replace(/^ws/, "http");
  return url.href;
}

/**
 * @param {() => Driver} driver
 * @param {OwnSurface} own
 * @returns {Connection}
 */
function connectionOf(driver, own) {
  return {
    ...own,
    get protocol() {
      return driver().protocol;
    },
    get state() {
      return driver().state;
    },
    get idle() {
      return driver().idle;
    },
    get failure() {
      return driver().failure;
    },
    open: (...given) => driver().open(...given),
    model: (...given) => driver().model(...given),
    widgetData: (...given) => driver().widgetData(...given),
    closeModel: (...given) => driver().closeModel(...given),
    attach: (...given) => driver().attach(...given),
    sendUpdate: (...given) => driver().sendUpdate(...given),
    sendUpdates: (...given) => driver().sendUpdates(...given),
    sendMessage: (...given) => driver().sendMessage(...given),
    send: (...given) => driver().send(...given),
    report: (...given) => driver().report(...given),
    reportFailure: (...given) => driver().reportFailure(...given),
    hold: () => driver().hold(),
    renew: () => driver().renew(),
    close: () => driver().close(),
  };
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
  const exchange = createExchange({ profile, getModel: (id) => own.whenOpen(id) });
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

  /** @type {Driver} */
  const driver = {
    protocol: "base",
    get state() {
      return state;
    },
    get idle() {
      return exchange.isIdle();
    },
    failure: null,
    start() {},
    ...baseSurface(exchange),
    // What is unanswered stays so: the replies are still to come on this socket.
    renew: exchange.forget,
    close() {
      // The socket goes on and may be given again, to a connection that lives.
      if (wrappers.get(ws) === connection) wrappers.delete(ws);
      over();
      exchange.closeModels();
    },
  };
  const own = surfaceOf(() => driver, exchange.emitter, { setTimeout, clearTimeout });
  // Something with a mere send() has no address either.
  const baseUrl = /^wss?:/.test(ws.url) ? baseUrlOf(ws.url) : undefined;
  const importModule = importerFor(baseUrl, undefined, globalThis.fetch?.bind(globalThis));
  const connection = connectionOf(() => driver, { ...own, ready: readiness.promise, baseUrl, importModule });
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

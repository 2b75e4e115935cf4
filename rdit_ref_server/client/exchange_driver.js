/**
 * Joins an exchange (`exchange.js`) to WebSockets of its own making: dials, and dials again.
 */

import { createExchange } from "./exchange.js";
import { LIMITS } from "./timing.js";
import { messageOf } from "./model.js";

/** @typedef {import("./connection.js").Driver} Driver */
/** @typedef {import("./connection.js").DriverContext} DriverContext */
/** @typedef {import("./connection.js").State} State */
/** @typedef {import("./connection.js").StateChange} StateChange */

/** Closes in this range are final. */
const TERMINAL_CLOSE_CODES = { first: 4500, last: 4999 };
/** The server's transport takes no message of this length (RFC 6455, 7.4.1). */
const TOO_LONG_CLOSE_CODE = 1009;

/**
 * What a session hands over when the server chose base mode.
 *
 * @typedef {object} Inheritance
 * @property {WebSocket} socket open
 * @property {number} losses
 * @property {string[]} offers the subprotocols to offer from here on
 * @property {ReturnType<import("./session.js").Session["handOver"]>} state
 */

/**
 * @param {DriverContext} context
 * @param {Inheritance} [inheritance]
 * @returns {Driver}
 */
export function driveExchange(context, inheritance) {
  const { teller, lifetime, window, document, random, setTimeout, clearTimeout } = context;
  const offers = inheritance?.offers ?? [];
  const exchange = createExchange({
    profile: context.profile,
    maxHeldSlots: context.maxHeldSlots,
    getModel: context.getModel,
    teller,
  });
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
  let losses = inheritance?.losses ?? 0;
  let opens = 0;
  let isAsking = false;
  let isFrozen = false;

  const isOver = () => state === "failed" || state === "closed";

  /** @param {State} next */
  function become(next) {
    if (state === next) return;
    state = next;
    context.became(state, failure);
  }

  function dial() {
    clearTimeout(retryTimer);
    become("connecting");
    // Whoever heard that may have closed the connection, or renewed it.
    if (isOver() || socket) return;
    try {
      listen(context.makeSocket(offers), false);
    } catch (error) {
      finish("failed", { code: 0, message: messageOf(error) });
    }
  }

  /** @param {WebSocket} ws @param {boolean} isOpen */
  function listen(ws, isOpen) {
    let wasOpen = isOpen;
    socket = ws;
    function opened() {
      if (socket !== ws) return;
      wasOpen = true;
      opens += 1;
      stableTimer = setTimeout(() => {
        losses = 0;
      }, LIMITS.stableMs);
      exchange.wentLive((frame) => ws.send(frame));
      if (socket === ws) become("live");
    }
    ws.addEventListener("open", opened);
    ws.addEventListener("message", (event) => {
      if (socket === ws) exchange.receive(event.data);
    });
    ws.addEventListener("close", (event) => {
      // Sent again, what was too long would end the next connection too, and so on for ever.
      if (socket === ws && event.code === TOO_LONG_CLOSE_CODE) exchange.dropLongest();
      if (socket === ws) lost(event, wasOpen);
    });
    if (isOpen) opened();
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
    const ceiling = Math.min(LIMITS.backoffCapMs, LIMITS.backoffBaseMs * 2 ** losses);
    losses += 1;
    clearTimeout(retryTimer);
    retryTimer = setTimeout(dialNow, random() * ceiling);
    if (!wasOpen) void askWhyRefused();
  }

  async function askWhyRefused() {
    if (isAsking) return;
    isAsking = true;
    const opensBefore = opens;
    const status = await context.askStatus();
    isAsking = false;
    // A socket that opened meanwhile is the later word.
    if ((status === 401 || status === 403) && opens === opensBefore) {
      finish("failed", { code: status, message: `The server refuses this page (HTTP ${status})` });
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
    exchange.end(why?.message ?? "The connection was closed");
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

  return {
    protocol: "base",
    get state() {
      return state;
    },
    get idle() {
      return exchange.isIdle();
    },
    get failure() {
      return failure;
    },
    start() {
      if (!inheritance) return dial();
      const { models, receivers, edits, messages } = inheritance.state;
      for (const { model, widgetData } of models) exchange.adopt(model, widgetData);
      for (const [widgetId, set] of receivers) for (const receiver of set) exchange.attach(widgetId, receiver);
      for (const edit of edits) exchange.sendUpdate(...edit);
      listen(inheritance.socket, true);
      for (const { entry, onfail } of messages) {
        const fault = {
          code: "unsupported",
          message: "This server carries no custom messages (base mode)",
          widget_id: entry.widgetId,
        };
        onfail?.(fault);
        exchange.report(fault);
      }
    },
    ...baseSurface(exchange),
    renew() {
      hangUp();
      exchange.forget();
      if (!isOver() && !isFrozen) dial();
    },
    close: () => finish("closed", null),
  };
}

/**
 * What a connection in base mode gives of its exchange.
 *
 * @param {import("./exchange.js").Exchange} exchange
 */
export function baseSurface(exchange) {
  return {
    open: exchange.open,
    model: exchange.model,
    isOpen: (/** @type {string} */ widgetId) => exchange.model(widgetId) !== undefined,
    widgetData: exchange.widgetData,
    closeModel: exchange.closeModel,
    attach: exchange.attach,
    sendUpdate: exchange.sendUpdate,
    /** @type {NonNullable<import("./model.js").Channel["sendUpdates"]>} */
    sendUpdates(widgetId, entries) {
      /** @type {{ error: unknown } | null} */
      let first = null;
      for (const [property, value] of entries) {
        try {
          exchange.sendUpdate(widgetId, property, value);
        } catch (error) {
          first ??= { error };
        }
      }
      if (first) throw first.error;
    },
    sendMessage: () => false,
    isPending: () => false,
    send: exchange.send,
    report: exchange.report,
    reportFailure() {},
    hold: () => () => {},
  };
}

/**
 * Joins a session (`session.js`) to WebSockets, timers and the page that it lives in.
 *
 * Until a server has chosen a subprotocol, nobody knows whether there will be a session at all: models that are made
 * and edits that are made meanwhile wait in it. A server that chooses anything but `rdit.v1` gets an exchange instead,
 * which inherits them.
 */

import { fromWire } from "./binary.js";
import { messageOf } from "./model.js";
import { createSession } from "./session.js";

/** @typedef {import("./connection.js").Driver} Driver */
/** @typedef {import("./connection.js").DriverContext} DriverContext */
/** @typedef {import("./exchange_driver.js").Inheritance} Inheritance */

export const SUBPROTOCOL = "rdit.v1";
const OFFERS = [SUBPROTOCOL, "rdit.base"];
/**
 * A browser gives up a WebSocket whose server chooses none of what was offered, and says only that it failed. So after
 * this many failures of a server that answers otherwise, every second time nothing is offered.
 */
const REFUSALS_BEFORE_BARE = 2;
/** The close code of a server that ends (PROTOCOL.md, "Close codes"). */
const SERVER_SHUTDOWN = 4000;
/** Different errors of one widget's code, and widgets, whose errors are told to Python; beyond, they are only shown. */
const MAX_REPORTED = 1_000;

/**
 * @param {DriverContext} context
 * @param {(inheritance: Inheritance) => void} onBase called once, if the server chose base mode: this driver has ended
 * @returns {Driver}
 */
export function driveSession(context, onBase) {
  const { teller, lifetime, window, document, random, now, setTimeout, clearTimeout, soon } = context;
  const session = createSession({
    random,
    profile: context.profile,
    channel: context.channel,
    wakeup: pump,
    getModel: context.getModel,
  });
  /** @type {WebSocket | null} */
  let socket = null;
  /** @type {any} */
  let timer = null;
  /** @type {number | null} */
  let timerAt = null;
  let opens = 0;
  let refusals = 0;
  let isAsking = false;
  let isPumping = false;
  /** An acknowledgement waits for what a widget's code saves when it hears of the state: they leave in one frame. */
  let isAckWaiting = false;
  /** The page goes away, or the connection is somebody else's. */
  let isSilent = false;
  let toldState = session.pageState;
  let toldIdle = true;
  let holds = 0;
  /** By widget: of which code errors were told, and which. @type {Map<string, { source: unknown, told: Set<string> }>} */
  const reported = new Map();

  const isIdle = () => session.isIdle && holds === 0;

  /** Does what the session wants done, until it wants nothing more. */
  function pump() {
    if (isPumping || isSilent) return;
    isPumping = true;
    for (let isDone = false; !isDone && !isSilent; ) isDone = !pumpOnce();
    isPumping = false;
    if (isSilent) return;
    arm();
    if (toldIdle !== isIdle()) {
      toldIdle = !toldIdle;
      teller.tell("idle", toldIdle);
    }
  }

  /** @returns {boolean} whether there may be more */
  function pumpOnce() {
    const frames = mayWait() ? [] : session.framesToSend();
    for (const frame of frames) transmit(frame);
    const events = session.eventsReceived();
    for (const { type, detail } of events) {
      if (type === "fault") tellFault(detail);
      else teller.tell(type, detail);
    }
    const state = session.pageState;
    if (state !== toldState) {
      toldState = state;
      if (state === "failed" || state === "closed") lifetime.abort();
      context.became(state, session.failure);
      return true;
    }
    if (session.wantsClose) {
      hangUp();
      session.eof(now());
      return true;
    }
    if (session.wantsTransport && !socket) {
      dial();
      return true;
    }
    return frames.length > 0 || events.length > 0;
  }

  /** Whether what there is to send can wait a moment; if so it does. */
  function mayWait() {
    if (!session.owesOnlyAck) return false;
    if (!isAckWaiting) {
      isAckWaiting = true;
      soon(() => {
        isAckWaiting = false;
        if (isSilent) return;
        for (const frame of session.framesToSend()) transmit(frame);
        pump();
      });
    }
    return true;
  }

  /** @param {string | Uint8Array<ArrayBuffer>} frame */
  function transmit(frame) {
    try {
      socket?.send(frame);
    } catch {
      // A socket that takes nothing is about to say that it is closed; what it did not take is sent again.
    }
  }

  /** @param {import("./model.js").Fault} fault */
  function tellFault(fault) {
    if (fault.code === "listener_failed" && fault.widget_id) reportFailure(fault.widget_id, "listener", fault.error);
    teller.tell("error", fault);
  }

  /** @type {Driver["reportFailure"]} */
  function reportFailure(widgetId, stage, error) {
    const message = messageOf(error);
    const widgetData = session.widgetData(widgetId);
    const source = widgetData?.esm_url ?? widgetData?.esm;
    let known = reported.get(widgetId);
    if (!known && reported.size >= MAX_REPORTED) return;
    // New code that fails as the old did is news.
    if (!known || known.source !== source) reported.set(widgetId, (known = { source, told: new Set() }));
    const key = JSON.stringify([stage, message]);
    // One that fails sixty times a second says so once.
    if (known.told.has(key) || known.told.size >= MAX_REPORTED) return;
    known.told.add(key);
    session.report(widgetId, stage, message, error instanceof Error ? (error.stack ?? "") : "");
  }

  function arm() {
    const deadline = session.nextDeadline();
    // Every message moves the deadline away. A timer that rings before it finds nothing to do and is set again, which
    // costs less than a timer per message.
    if (deadline === timerAt || (deadline !== null && timerAt !== null && timerAt <= deadline)) return;
    clearTimeout(timer);
    timerAt = deadline;
    if (deadline === null) return;
    timer = setTimeout(
      () => {
        timerAt = null;
        session.handleTimeout(now());
      },
      Math.max(0, deadline - now()),
    );
  }

  function dial() {
    const isBare = !session.hasBeenLive && refusals >= REFUSALS_BEFORE_BARE && refusals % 2 === 0;
    const offers = isBare ? [] : OFFERS;
    let wasOpen = false;
    /** @type {WebSocket} */
    let ws;
    try {
      ws = context.makeSocket(offers);
    } catch (error) {
      session.refuse(now(), { code: 0, message: messageOf(error) });
      return;
    }
    ws.binaryType = "arraybuffer";
    socket = ws;
    ws.addEventListener("open", () => {
      if (socket !== ws) return;
      wasOpen = true;
      opens += 1;
      if (ws.protocol === SUBPROTOCOL) session.opened(now());
      else if (session.hasBeenLive) refuseOtherProtocol();
      else passOn(ws);
    });
    ws.addEventListener("message", (event) => {
      if (socket === ws) session.receive(event.data, now());
    });
    ws.addEventListener("close", ({ code, reason }) => {
      if (socket !== ws) return;
      socket = null;
      if (code === SERVER_SHUTDOWN) teller.tell("goingAway", reason);
      session.eof(now(), code, reason);
      if (!wasOpen && session.pageState === "offline") void askWhyRefused();
    });
  }

  function hangUp() {
    const ws = socket;
    socket = null;
    ws?.close();
  }

  function refuseOtherProtocol() {
    hangUp();
    session.refuse(now(), { code: 0, message: "The server speaks another protocol now: reload the page" });
  }

  /** @param {WebSocket} ws */
  function passOn(ws) {
    isSilent = true;
    socket = null;
    clearTimeout(timer);
    own.abort();
    const offers = ws.protocol ? [ws.protocol] : [];
    onBase({ socket: ws, losses: session.losses, offers, state: session.handOver() });
  }

  /** A refusal before the handshake shows as code 1006 and no more: the server's status tells it from a failure. */
  async function askWhyRefused() {
    if (isAsking) return;
    isAsking = true;
    const opensBefore = opens;
    const status = await context.askStatus();
    isAsking = false;
    // A socket that opened meanwhile is the later word.
    if (opens !== opensBefore || isSilent) return;
    if (status === 401 || status === 403) {
      session.refuse(now(), { code: status, message: `The server refuses this page (HTTP ${status})` });
    } else if (status !== null && status < 500) {
      refusals += 1;
    }
  }

  const own = new AbortController();
  const page = { signal: AbortSignal.any([lifetime.signal, own.signal]) };
  window?.addEventListener("online", () => session.hintOnline(now()), page);
  document?.addEventListener(
    "visibilitychange",
    () => document.visibilityState === "visible" && session.hintOnline(now()),
    page,
  );
  window?.addEventListener(
    "pagehide",
    (event) => {
      if (/** @type {PageTransitionEvent} */ (event).persisted) {
        session.suspend(now());
        return;
      }
      // Nobody is there to hear that it has ended: only what has to be sent matters.
      isSilent = true;
      clearTimeout(timer);
      session.leave(now());
      for (const frame of session.framesToSend()) transmit(frame);
    },
    page,
  );
  window?.addEventListener("pageshow", () => session.restore(now()), page);

  return {
    get protocol() {
      return session.hasBeenLive ? SUBPROTOCOL : null;
    },
    get state() {
      return session.pageState;
    },
    get idle() {
      return isIdle();
    },
    get failure() {
      return session.failure;
    },
    start: () => session.start(now()),
    open: (widgetData) =>
      session.open(widgetData, /** @type {Record<string, unknown>} */ (fromWire(widgetData.model ?? {}))),
    model: session.model,
    isOpen: session.isOpen,
    widgetData: session.widgetData,
    closeModel: session.closeModel,
    attach: session.attach,
    sendUpdate: session.sendUpdate,
    sendUpdates: session.sendUpdates,
    sendMessage: session.sendMessage,
    isPending: session.isPending,
    send(text) {
      const message = JSON.parse(text);
      if (message?.type !== "widget_update") {
        throw new DOMException("Frames of rdit/1 are the connection's own to send", "InvalidStateError");
      }
      session.sendUpdate(message.widget_id, message.property, fromWire(message.value ?? null));
    },
    report: session.fault,
    reportFailure,
    hold() {
      holds += 1;
      pump();
      let isHeld = true;
      return () => {
        if (!isHeld) return;
        isHeld = false;
        holds -= 1;
        pump();
      };
    },
    renew() {
      // The server says by itself which widgets there are; what it shows still is not to be dropped.
      if (session.hasBeenLive) return;
      session.closeModels();
      hangUp();
      session.eof(now());
      session.hintOnline(now());
    },
    close() {
      if (session.state === "closed") return;
      if (session.state !== "failed") session.leave(now());
      for (const frame of session.framesToSend()) transmit(frame);
      hangUp();
      session.closeModels();
      pump();
    },
  };
}

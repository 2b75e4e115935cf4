/**
 * One page load in `rdit/1`, without a socket, a clock or chance: what the page shows, what Python has confirmed, which
 * edits wait and which are under way, and how all of it survives a connection that is lost.
 *
 * The driver owns the transport. Its duties, after every call of a verb and whenever `wakeup` was called:
 * - send what `framesToSend` gives, in order;
 * - dial when `wantsTransport` says so and there is none, then call `opened`, or `eof` when it did not work;
 * - end the transport when `wantsClose` says so, after what was to send, then call `eof`;
 * - pass on `eventsReceived`; call `handleTimeout` when `nextDeadline` is reached.
 * All times are milliseconds of one monotonic clock.
 *
 * The rules, per slot (a property of a widget):
 * - An edit is shown at once and is *pending* until the batch that carries it is acknowledged. Values of Python's for a
 *   pending slot are kept and not shown: the model would jump back under the user's hand.
 * - A slot that is not pending any more shows what Python has: the value that was sent, or the one that a validator
 *   made of it, or the old one if it was refused.
 * - A `sync` applies as a whole: everything is stored before a model's listener runs.
 *
 * What became of a lost connection's edits is decided with the first `sync` of the next one: if the session goes on,
 * the batches that were not acknowledged are sent again, unchanged, and the server knows which of them it has seen.
 *
 * Here is the life of the connection. Of the rest each has its noun: `channel.js` takes what the page asks, `edits.js`
 * carries it, `dialogue.js` says it, `sync.js` applies what comes to `widgets.js`, `shown.js` has the models show it.
 */

import { createChannel } from "./channel.js";
import { createDialogue } from "./dialogue.js";
import { createEdits } from "./edits.js";
import { createEvents } from "./events.js";
import { createReports } from "./reports.js";
import { createShown } from "./shown.js";
import { createSync } from "./sync.js";
import { createTiming, LIMITS } from "./timing.js";
import { nextState, PAGE_STATES } from "./transitions.js";
import { createWidgets } from "./widgets.js";

/** @typedef {import("./model.js").Fault} Fault */
/** @typedef {import("./model.js").Model} Model */
/** @typedef {import("./transitions.js").SessionState} SessionState */
/** @typedef {import("./transitions.js").SessionStep} SessionStep */

const TERMINAL_CLOSE_CODES = { first: 4500, last: 4999 };
const SESSION_REPLACED = 4004;
/** Closes that a batch may be to blame for: not UTF-8, too long for the transport, internal error. */
const STRIKING_CLOSE_CODES = [1007, 1009, 4001];
/**
 * @typedef {object} SessionOptions
 * @property {() => number} random uniform in [0, 1)
 * @property {import("./model.js").Profile} [profile] of the models
 * @property {"replay" | "drop"} [policy] what becomes of edits made while there was no connection
 * @property {Partial<typeof LIMITS>} [limits]
 * @property {"*" | string[]} [subscribe]
 * @property {unknown} [auth]
 * @property {() => void} [wakeup] called when there may be something to send or to tell, outside of the driver's calls
 * @property {(id: string) => Promise<Model>} [getModel]
 * @property {import("./model.js").Channel} [channel] where the models send; default: here
 */

/** @typedef {ReturnType<typeof createSession>} Session */

/** @param {SessionOptions} options */
export function createSession({
  random,
  profile,
  policy = "replay",
  limits: chosenLimits,
  subscribe = "*",
  auth,
  wakeup = () => {},
  getModel = async (id) => modelOf(id),
  channel: givenChannel,
}) {
  const limits = { ...LIMITS, ...chosenLimits };
  /** @type {SessionState} */
  let state = "idle";
  let now = 0;
  let hasTransport = false;
  let isSuspended = false;
  const timing = createTiming({ limits, random });
  /** @type {{ code: number, message: string } | null} */
  let failure = null;
  /** When the widgets that did not come back are given up. */
  let absentUntil = 0;
  let isBusy = false;
  /** @type {(() => void)[]} */
  const waitingCalls = [];

  const events = createEvents();
  const reports = createReports();
  const { fault, faultOf } = events;
  const shown = createShown({ fault, forget: (slot) => widgets.forgetClosed(slot) });
  const edits = createEdits({ limits, room: () => dialogue.room(), faultOf, shown });
  const widgets = createWidgets({
    // What a model is made for comes later than this.
    channel: givenChannel ?? {
      sendUpdate: (...edit) => channel.sendUpdate(...edit),
      sendUpdates: (...group) => channel.sendUpdates(...group),
      sendMessage: (...message) => channel.sendMessage(...message),
      isPending: (...slot) => channel.isPending(...slot),
    },
    profile,
    onerror: tellFault,
    getModel,
    tell: events.tell,
    opened: (entry, isBack) => channel.addressEarly(entry, isBack),
    closed: (entry) => channel.dropEarly(entry),
    shown,
  });
  const channel = createChannel(edits, widgets, shown, {
    policy,
    get state() {
      return state;
    },
    get now() {
      return now;
    },
    isOver,
    drain: () => dialogue.keepDrained(),
    wake,
    faultOf,
  });
  const sync = createSync({ edits, widgets, shown, events, isOver, becameLive });
  const dialogue = createDialogue(timing, events, {
    limits,
    subscribe,
    auth,
    get state() {
      return state;
    },
    get now() {
      return now;
    },
    step,
    apply(whole, welcome) {
      if (sync.apply(whole, welcome)) absentUntil = now + limits.returnMs;
    },
    edits,
    reports,
    sync,
  });

  /** @param {SessionStep} name */
  function step(name) {
    state = nextState(state, name);
  }

  function isOver() {
    return state === "closed" || state === "failed";
  }

  /** @param {Fault} detail */
  function tellFault(detail) {
    fault(detail);
    wake();
  }

  function wake() {
    if (!isBusy) wakeup();
  }

  /**
   * Frames are taken in order: what arrives while a listener runs waits until the frame before it is done.
   *
   * @param {() => void} act
   */
  function inTurn(act) {
    waitingCalls.push(act);
    if (isBusy) return;
    isBusy = true;
    try {
      for (let next = waitingCalls.shift(); next; next = waitingCalls.shift()) next();
    } finally {
      isBusy = false;
    }
    wake();
  }

  /** @param {string} id @returns {Model} */
  function modelOf(id) {
    const model = widgets.get(id)?.model;
    if (!model) throw new Error(`Widget ${JSON.stringify(id)} is not open`);
    return model;
  }

  // The connection.

  function becameLive() {
    step("synced");
    timing.becameLive(now);
    channel.becameLive();
  }

  /** @param {number | null} code @param {string} reason */
  function lose(code, reason) {
    hasTransport = false;
    dialogue.ended();
    sync.ended();
    timing.ended();
    edits.ended();
    if (isOver() || state === "idle" || state === "backoff") return;
    if (code !== null && code >= TERMINAL_CLOSE_CODES.first && code <= TERMINAL_CLOSE_CODES.last) {
      fail({ code, message: reason || `The server closed the connection for good (${code})` });
      return;
    }
    if (code === SESSION_REPLACED) sync.replaced();
    if (code !== null && STRIKING_CLOSE_CODES.includes(code)) edits.strike(null);
    timing.lost(now);
    step("lost");
  }

  /** @param {{ code: number, message: string }} why */
  function fail(why) {
    failure = why;
    step("refused");
    giveUp(why.message);
  }

  /** When an edit of a widget that the server has not opened has waited for long enough. */
  function earlyUntil() {
    return channel.earlySince === null ? Infinity : channel.earlySince + limits.unknownWidgetMs;
  }

  /** @param {string} message */
  function giveUp(message) {
    edits.giveUp(widgets.all(), message);
    shown.forgetSettled();
  }

  return {
    ...channel.page,
    limits,
    get state() {
      return state;
    },
    get pageState() {
      return PAGE_STATES[state];
    },
    get failure() {
      return failure;
    },
    /** Nothing waits and nothing is unacknowledged. */
    get isIdle() {
      return edits.isIdle;
    },
    get wantsTransport() {
      return state === "connecting" && !hasTransport;
    },
    get wantsClose() {
      return hasTransport && (state === "suspect" || state === "backoff" || isOver());
    },
    get hasBeenLive() {
      return sync.hasCredentials;
    },
    /** All that `framesToSend` would give is an acknowledgement, which a batch that comes in a moment could carry. */
    get owesOnlyAck() {
      return hasTransport && dialogue.owesOnlyAck;
    },
    get losses() {
      return timing.losses;
    },

    /** @param {number} nowMs */
    start(nowMs) {
      now = nowMs;
      step("start");
      wake();
    },
    /** The transport is up. @param {number} nowMs */
    opened(nowMs) {
      now = nowMs;
      hasTransport = true;
      step("opened");
      timing.opened(now);
      sync.restartCount();
      dialogue.opened();
      wake();
    },
    /** @param {string | ArrayBuffer | ArrayBufferView} data @param {number} nowMs */
    receive(data, nowMs) {
      inTurn(() => {
        now = nowMs;
        dialogue.receive(data);
      });
    },
    /**
     * The transport is gone, or could not be had.
     *
     * @param {number} nowMs
     * @param {number | null} [code]
     * @param {string} [reason]
     */
    eof(nowMs, code = null, reason = "") {
      inTurn(() => {
        now = nowMs;
        lose(code, reason);
      });
    },
    /**
     * Why the server lets nobody in was learnt elsewhere.
     *
     * @param {number} nowMs
     * @param {{ code: number, message: string }} why
     */
    refuse(nowMs, why) {
      now = nowMs;
      if (!isOver()) fail(why);
      wake();
    },
    framesToSend() {
      const frames = hasTransport ? dialogue.drain() : [];
      shown.showRefused();
      return frames;
    },
    eventsReceived: events.take,
    nextDeadline() {
      if (isOver()) return null;
      const deadlines = widgets.hasAbsent ? [absentUntil] : [];
      if (state === "backoff" && !isSuspended && !hasTransport) deadlines.push(timing.retryAt);
      if (state === "hello_sent" || state === "syncing" || state === "live") deadlines.push(timing.silentAt);
      if (state === "live") deadlines.push(earlyUntil());
      const deadline = Math.min(...deadlines);
      return deadline === Infinity ? null : deadline;
    },
    /** Does what is due; harmless when nothing is. @param {number} nowMs */
    handleTimeout(nowMs) {
      inTurn(() => {
        now = nowMs;
        if (isOver()) return;
        if (widgets.hasAbsent && now >= absentUntil) widgets.giveUpAbsent();
        if (state === "backoff") {
          if (!isSuspended && !hasTransport && now >= timing.retryAt) step("retry");
        } else if (state === "hello_sent" || state === "syncing" || state === "live") {
          if (now >= timing.silentAt) step("silence");
          else if (state === "live" && now >= earlyUntil()) channel.expireEarly();
        }
      });
    },
    /**
     * The network is back, or somebody looks at the page: dial at once, or see whether anybody is there.
     *
     * @param {number} nowMs
     */
    hintOnline(nowMs) {
      now = nowMs;
      if (state === "backoff" && !isSuspended && !hasTransport) {
        step("retry");
      } else if (state === "connecting" || state === "hello_sent") {
        timing.hint();
      } else if ((state === "syncing" || state === "live") && !timing.isProbing) {
        dialogue.say({ type: "ping", id: timing.probe(now) });
      }
      wake();
    },
    /** The page is kept for "back": it gives its transport up, and its session lives on. @param {number} nowMs */
    suspend(nowMs) {
      now = nowMs;
      isSuspended = true;
      if (isOver() || state === "idle" || state === "backoff") return;
      // What may leave now may count before the page is ever shown again.
      dialogue.keepDrained();
      step("suspend");
      shown.showRefused();
      wake();
    },
    /** The page is shown again. @param {number} nowMs */
    restore(nowMs) {
      now = nowMs;
      isSuspended = false;
      if (state === "backoff" && !hasTransport) step("retry");
      wake();
    },
    /** The page leaves for good. @param {number} nowMs @param {string} [reason] */
    leave(nowMs, reason = "The connection was closed") {
      now = nowMs;
      if (isOver()) return;
      if (hasTransport && (state === "syncing" || state === "live")) {
        const isLive = state === "live";
        dialogue.keepDrained(() => (isLive ? edits.lastFrames() : []));
        dialogue.say({ type: "bye" });
      }
      step("leave");
      giveUp(reason);
      wake();
    },

    /**
     * An error in a widget's code, for Python's eyes. Some wait until the connection is live.
     *
     * @param {string} widgetId
     * @param {string} stage
     * @param {string} message
     * @param {string} [stack]
     */
    report(widgetId, stage, message, stack = "") {
      if (isOver()) return;
      reports.add({ widgetId, stage, message, stack }, state !== "live");
      wake();
    },
    /** The subscribers are told of something that went wrong on the page. @param {Fault} detail */
    fault: tellFault,
  };
}

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
 * - A slot that is not pending any more shows what Python has: the value that was sent, or the one that a validator made
 *   of it, or the old one if it was refused.
 * - A `sync` applies as a whole: everything is stored before a model's listener runs.
 *
 * What became of a lost connection's edits is decided with the first `sync` of the next one. The session goes on: the
 * batches that were not acknowledged are sent again, unchanged, and the server knows which of them it has seen. The
 * session expired: edits that were sent may have arrived, so they are sent on condition that the slot is as it was. The
 * server was started anew: they are plain edits again, if the widget came back; its script is perhaps still running, so
 * models that are missing, and their edits, wait for a while. Messages are never sent twice.
 */

import { createQueue, encodeBatch, sizeOf } from "./batches.js";
import { copyData, sameOnWire } from "./binary.js";
import { decodeFrame, decodeValue, encodeFrame, encodeValue, FrameError } from "./frames.js";
import { checkServerMessage } from "./messages.js";
import { createModel, messageOf } from "./model.js";
import { nextState, PAGE_STATES } from "./transitions.js";

/** @typedef {import("./batches.js").Batch} Batch */
/** @typedef {import("./batches.js").Entry} Entry */
/** @typedef {import("./batches.js").Op} Op */
/** @typedef {import("./batches.js").Slot} Slot */
/** @typedef {import("./exchange.js").WidgetData} WidgetData */
/** @typedef {import("./frames.js").Encoded} Encoded */
/** @typedef {import("./model.js").Fault} Fault */
/** @typedef {import("./model.js").Model} Model */
/** @typedef {import("./transitions.js").SessionState} SessionState */
/** @typedef {import("./transitions.js").SessionStep} SessionStep */
/** @typedef {{ handleRemoteUpdate: (property: string, value: unknown) => void,
 *   handleMessage?: (content: unknown, buffers: DataView[]) => void, get?: (property: string) => unknown }} Receiver */

/**
 * What the session tells its driver.
 *
 * @typedef {{ type: "fault", detail: Fault } | { type: "open", detail: Model } | { type: "output", detail: any } |
 *   { type: "source", detail: { widgetId: string, model: Model } } | { type: "restarted", detail: Restarted }}
 *   SessionEvent
 */

/**
 * The server was started anew while this page was open.
 *
 * @typedef {object} Restarted
 * @property {number} reapplied edits that are sent again
 * @property {number} dropped edits whose widget or property did not come back
 * @property {number} waiting edits whose widget may still come back
 * @property {number} lost custom messages
 */

/**
 * Bounds and times. Those that the server has a say in come with its welcome.
 *
 * @type {Readonly<Record<"silenceMs" | "probeMs" | "backoffBaseMs" | "backoffCapMs" | "stableMs" | "maxQueuedMessages" |
 *   "maxQueuedMessageBytes" | "returnMs" | "unknownWidgetMs" | "maxFrame" | "maxInflight" | "maxOps", number>>}
 */
export const LIMITS = Object.freeze({
  /** Silence for this long means that nobody is there. */
  silenceMs: 45_000,
  /** How long the answer to a probe may take. */
  probeMs: 5_000,
  /** The first wait before dialling again is uniform between 0 and this; it doubles with each loss. */
  backoffBaseMs: 500,
  backoffCapMs: 20_000,
  /** A connection that is live this long counts as good: the backoff starts anew. */
  stableMs: 5_000,
  /** Custom messages that wait while there is no connection; beyond, the oldest fail. */
  maxQueuedMessages: 256,
  /** And their bytes. One message may exceed it. */
  maxQueuedMessageBytes: 1024 * 1024,
  /** How long a page waits, after the server was started anew, for the widgets that it knew. */
  returnMs: 30_000,
  /** How long an edit of a widget that the server has not opened waits, while the connection is live. */
  unknownWidgetMs: 10_000,
  maxFrame: 64 * 1024 * 1024,
  maxInflight: 2,
  maxOps: 256,
});

/** What a batch takes in a frame beside its ops, in bytes; never less. */
const BATCH_BYTES = 128;
const MAX_REPORT_CHARS = 20_000;
/** A batch that met this many frame errors is given up. */
const MAX_STRIKES = 2;
const TERMINAL_CLOSE_CODES = { first: 4500, last: 4999 };
const SESSION_REPLACED = 4004;
/** Closes that a batch may be to blame for: not UTF-8, too long for the transport, internal error. */
const STRIKING_CLOSE_CODES = [1007, 1009, 4001];
/** Codes of an error about a frame that was no message. */
const FRAME_CODES = [
  "bad_json",
  "bad_unicode",
  "bad_number",
  "too_deep",
  "too_large",
  "bad_frame",
  "bad_message",
  "unknown_type",
];

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
  const channel = givenChannel ?? { sendUpdate, sendUpdates, sendMessage, isPending };
  const limits = { ...LIMITS, ...chosenLimits };
  /** @type {SessionState} */
  let state = "idle";
  let now = 0;
  let hasTransport = false;
  let isSuspended = false;
  /** Somebody waits: a transport that does not come about is tried again at once. */
  let isHinted = false;
  let losses = 0;
  let retryAt = 0;
  let heardAt = 0;
  /** @type {number | null} */
  let liveAt = null;
  /** @type {number | null} When somebody was asked whether anybody is there, and nothing came since. */
  let probedAt = null;
  let probes = 0;
  /** @type {{ code: number, message: string } | null} */
  let failure = null;

  /** @type {{ epoch: string, session: string, secret: string } | null} */
  let credentials = null;
  /** The session was taken over by another connection: the next one says a fresh hello. */
  let isReplaced = false;
  /** @type {any} The welcome of this connection. */
  let welcome = null;
  let frame = 0;
  /** @type {any[]} */
  let parts = [];
  let rev = 0;
  let lastMessage = 0;

  let seq = 0;
  let groups = 0;
  /** @type {Batch[]} */
  let inflight = [];
  const queue = createQueue();
  let earlyOps = 0;
  /** Widgets that did not come back yet. @type {Set<Entry>} */
  const absent = new Set();
  let absentUntil = 0;
  /** @type {number | null} */
  let earlySince = null;
  /** The batches that are under way have to be sent again. */
  let isResending = false;

  /** @type {Map<string, Entry>} */
  const entries = new Map();
  /** Slots of widgets that are closed, while edits of them are pending: the next widget of that id has them, too. */
  const closedSlots = /** @type {Map<string, Map<string, Slot>>} */ (new Map());
  /** @type {Map<string, Set<Receiver>>} */
  const receivers = new Map();
  /** Slots whose ops are all done, and which have to show what Python has. @type {Set<Slot>} */
  const unshown = new Set();
  /** The same, at once. @type {Set<Slot>} */
  const refused = new Set();

  /** @type {(string | Uint8Array<ArrayBuffer>)[]} */
  let outbox = [];
  /** @type {SessionEvent[]} */
  let events = [];
  let isBusy = false;
  /** @type {(() => void)[]} */
  const waitingCalls = [];

  /** @param {SessionStep} name */
  function step(name) {
    state = nextState(state, name);
  }

  const isOver = () => state === "closed" || state === "failed";

  /** @param {Fault} detail @param {Op} [op] */
  function fault(detail, op) {
    events.push({ type: "fault", detail });
    op?.onfail?.(detail);
  }

  /** @param {Fault} detail */
  function tellFault(detail) {
    fault(detail);
    wake();
  }

  function wake() {
    if (!isBusy) wakeup();
  }

  /** @param {Op} op @param {string} code @param {string} message @param {string} [cause] */
  function faultOf(op, code, message, cause) {
    const { entry, slot } = op;
    /** @type {Fault} */
    const detail = { code, message, widget_id: entry.widgetId };
    if (slot) detail.property = slot.property;
    if (cause) detail.cause = cause;
    fault(detail, op);
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

  // Widgets.

  /** @param {string} widgetId @returns {Entry} */
  function newEntry(widgetId) {
    /** @type {Entry} */
    const entry = {
      widgetId,
      inst: null,
      kind: null,
      isStale: false,
      isClosed: false,
      writable: new Set(),
      slots: closedSlots.get(widgetId) ?? new Map(),
      model: null,
      widgetData: { widget_id: widgetId, model: {} },
      early: [],
    };
    closedSlots.delete(widgetId);
    for (const slot of entry.slots.values()) slot.entry = entry;
    entries.set(widgetId, entry);
    return entry;
  }

  /** @param {Entry} entry @param {string} property @returns {Slot} */
  function slotOf(entry, property) {
    let slot = entry.slots.get(property);
    if (!slot) {
      slot = { entry, property, confirmed: null, pending: 0, queued: null, sent: null };
      entry.slots.set(property, slot);
    }
    return slot;
  }

  /** @param {Entry} entry @param {Record<string, unknown>} values @returns {Model} */
  function makeModel(entry, values) {
    const { esm_url: url, esm, css } = entry.widgetData;
    const source = url ?? esm;
    entry.model = createModel(
      entry.widgetId,
      { ...(source === undefined ? {} : { _esm: source }), ...(css ? { _css: css } : {}), ...values },
      channel,
      { profile, onerror: tellFault, widgetManager: { get_model: getModel } },
    );
    return entry.model;
  }

  /** @param {Entry} entry */
  function confirmedValues(entry) {
    /** @type {Record<string, unknown>} */
    const values = Object.create(null);
    for (const [name, { confirmed }] of entry.slots) if (confirmed) values[name] = copyData(confirmed.value);
    return values;
  }

  /** @param {string} id @returns {Model} */
  function modelOf(id) {
    const entry = entries.get(id);
    if (!entry?.model) throw new Error(`Widget ${JSON.stringify(id)} is not open`);
    return entry.model;
  }

  // Edits.

  /** @param {string} widgetId @param {string} property @param {unknown} value */
  function sendUpdate(widgetId, property, value) {
    sendUpdates(widgetId, [[property, value]]);
  }

  /** @type {NonNullable<import("./model.js").Channel["sendUpdates"]>} */
  function sendUpdates(widgetId, changes) {
    /** @type {{ error: unknown } | null} */
    let first = null;
    const group = (groups += 1);
    const entry = entries.get(String(widgetId)) ?? newEntry(String(widgetId));
    for (const [name, value] of changes) {
      const property = String(name);
      try {
        put(newOp(entry, slotOf(entry, property), encodeValue(value), group));
      } catch (error) {
        // What cannot be sent must not keep the others from being sent.
        first ??= { error };
      }
    }
    showRefused();
    wake();
    if (first) throw first.error;
  }

  /** @type {import("./model.js").SendMessage} */
  function sendMessage(widgetId, content, buffers = [], onfail) {
    const entry = entries.get(String(widgetId)) ?? newEntry(String(widgetId));
    const op = newOp(entry, null, encodeValue(content), (groups += 1));
    op.buffers = (buffers ?? []).map((buffer) => encodeValue(buffer).buffers[0]?.[1] ?? notABuffer(buffer));
    op.onfail = onfail;
    put(op);
    if (state !== "live") dropOverflow();
    wake();
    return true;
  }

  /** @param {unknown} buffer @returns {never} */
  function notABuffer(buffer) {
    throw new DOMException(`Expected a buffer, got ${Object.prototype.toString.call(buffer)}`, "DataCloneError");
  }

  /** @param {Entry} entry @param {Slot | null} slot @param {Encoded} value @param {number} group @returns {Op} */
  function newOp(entry, slot, value, group) {
    const inst = entry.inst ?? 0;
    return { entry, inst, slot, value, buffers: [], ifRev: null, group, segment: 0, onfail: undefined };
  }

  /** What the ops of one batch may take, in bytes. */
  const room = () => limits.maxFrame - BATCH_BYTES;

  /** @param {Op} op */
  function put(op) {
    if (isOver()) {
      faultOf(op, "undeliverable", "The connection has ended");
    } else if (op.entry.isStale && !op.slot) {
      faultOf(op, "undeliverable", "The server was started anew, and the widget is not there yet");
    } else if (policy === "drop" && state !== "live") {
      refuseAtOnce(op, "dropped", "There is no connection");
    } else if (sizeOf(op) > room()) {
      refuseAtOnce(op, "too_large", `The server takes no frame longer than ${limits.maxFrame} bytes`);
    } else if (op.entry.inst !== null && !op.entry.isStale) {
      queue.push(op);
    } else {
      putEarly(op);
    }
  }

  /** @param {Op} op @param {string} code @param {string} message */
  function refuseAtOnce(op, code, message) {
    if (op.slot) refused.add(op.slot);
    faultOf(op, code, message);
  }

  /** @param {Op} op An edit of a widget that the server has not opened yet. */
  function putEarly(op) {
    const { early } = op.entry;
    const barrier = early.findLastIndex(({ slot }) => slot === null);
    const same = op.slot ? early.findIndex(({ slot }, index) => slot === op.slot && index > barrier) : -1;
    if (same >= 0) early.splice(same, 1);
    else earlyOps += 1;
    if (op.slot) op.slot.pending = same >= 0 ? op.slot.pending : op.slot.pending + 1;
    early.push(op);
    if (op.entry.inst === null) earlySince ??= now;
    const messages = early.filter(({ slot }) => slot === null);
    if (messages.length <= limits.maxQueuedMessages) return;
    early.splice(early.indexOf(messages[0]), 1);
    earlyOps -= 1;
    faultOf(messages[0], "queue_full", "Too many messages wait for the widget: the oldest is given up");
  }

  /** @param {Entry} entry @returns {Op[]} */
  function takeEarly(entry) {
    const { early } = entry;
    entry.early = [];
    earlyOps -= early.length;
    for (const { slot } of early) if (slot) slot.pending -= 1;
    return early;
  }

  function dropOverflow() {
    for (;;) {
      const op = queue.overflow(limits.maxQueuedMessages, limits.maxQueuedMessageBytes);
      if (!op) return;
      queue.remove(op);
      faultOf(op, "queue_full", "Too many messages wait for the connection: the oldest is given up");
    }
  }

  /** @param {string} widgetId @param {string} property */
  function isPending(widgetId, property) {
    return (entries.get(widgetId)?.slots.get(property)?.pending ?? 0) > 0;
  }

  /** Moves the front of the queue into a batch. @returns {Batch["frame"]} */
  function cut() {
    seq += 1;
    const batch = queue.cut(seq, { maxOps: limits.maxOps, maxBytes: room() });
    inflight.push(batch);
    return batch.frame;
  }

  /** Edits leave only while live, and while few batches are under way. */
  function framesToSend() {
    const frames = outbox;
    outbox = [];
    if (state !== "live") return frames;
    if (isResending) frames.push(...inflight.map((batch) => batch.frame));
    isResending = false;
    while (queue.size > 0 && inflight.length < limits.maxInflight) frames.push(cut());
    return frames;
  }

  /** @param {readonly Op[]} ops Their slots are settled, unless other ops are pending. */
  function release(ops) {
    for (const { slot } of ops) {
      if (!slot) continue;
      slot.pending -= 1;
      unshown.add(slot);
    }
  }

  // What is shown.

  /** Outside of a `sync`: edits were refused before they left. */
  function showRefused() {
    if (refused.size > 0) for (const fire of stageShown(refused, new Set())) fire();
  }

  /**
   * Stores what Python has in all models concerned.
   *
   * @param {Set<Slot>} slots is emptied
   * @param {ReadonlySet<Slot>} acknowledged slots whose last op was acknowledged just now
   * @returns {(() => void)[]} what fires the models' events
   */
  function stageShown(slots, acknowledged) {
    /** @type {Map<Entry, [string, unknown][]>} */
    const changes = new Map();
    for (const slot of slots) {
      const { entry, property, confirmed } = slot;
      if (slot.pending > 0) continue;
      if (entry.isClosed) forgetClosed(slot);
      if (entry.isClosed || entry.isStale || entry.inst === null || !entry.model) continue;
      const { model } = entry;
      // A property that Python does not have: there is nothing to show in the place of an edit that was refused.
      const value = confirmed?.value;
      if (model.isDirty(property)) {
        // Our own earlier edit came back: the one that is not saved yet is newer, and stays.
        if (acknowledged.has(slot) && slot.sent && sameOnWire(decodeValue(slot.sent), value)) continue;
      } else if (sameOnWire(model.peek(property), value)) {
        tellReceivers(slot);
        continue;
      }
      const list = changes.get(entry) ?? [];
      changes.set(entry, list);
      list.push([property, copyData(value)]);
      tellReceivers(slot);
    }
    slots.clear();
    return [...changes].map(([{ model }, list]) => /** @type {Model} */ (model).stageRemote(list));
  }

  /** @param {Slot} slot The last edit of a widget that is gone is settled. */
  function forgetClosed({ entry: { widgetId, slots }, property }) {
    slots.delete(property);
    if (slots.size === 0 && closedSlots.get(widgetId) === slots) closedSlots.delete(widgetId);
  }

  /** @param {Slot} slot */
  function tellReceivers({ entry: { widgetId }, property, confirmed }) {
    for (const receiver of [...(receivers.get(widgetId) ?? [])]) {
      if (confirmed && !sameOnWire(receiver.get?.(property), confirmed.value)) {
        tellReceiver(widgetId, () => receiver.handleRemoteUpdate(property, copyData(confirmed.value)), property);
      }
    }
  }

  /** @param {string} widgetId @param {() => void} tell @param {string} [property] */
  function tellReceiver(widgetId, tell, property) {
    try {
      tell();
    } catch (error) {
      fault({ code: "listener_failed", message: messageOf(error), widget_id: widgetId, property, error });
    }
  }

  // The connection.

  /** @param {Record<string, unknown>} message */
  function say(message) {
    outbox.push(encodeFrame(message));
  }

  function sayHello() {
    /** @type {Record<string, unknown>} */
    const hello = { type: "hello" };
    if (subscribe !== "*") hello.subscribe = subscribe;
    if (auth !== undefined) hello.auth = auth;
    if (credentials && !isReplaced) hello.resume = { ...credentials, rev };
    say(hello);
  }

  /** @param {string | ArrayBuffer | ArrayBufferView} data */
  function take(data) {
    if (state !== "hello_sent" && state !== "syncing" && state !== "live") return;
    heardAt = now;
    probedAt = null;
    let message;
    try {
      message = checkServerMessage(decodeFrame(data));
    } catch (error) {
      // A newer server may say more than this client knows.
      if (error instanceof FrameError && error.code === "unknown_type") return;
      fault({ code: "bad_frame", message: messageOf(error) });
      return;
    }
    switch (message.type) {
      case "welcome":
        takeWelcome(message);
        break;
      case "sync":
        takeSync(message);
        break;
      case "error":
        takeError(message);
        break;
      case "output":
        events.push({ type: "output", detail: message });
        break;
      case "ping":
        say({ type: "pong", id: message.id });
        break;
    }
  }

  /** @param {any} message */
  function takeWelcome(message) {
    if (state !== "hello_sent") return;
    step("welcomed");
    welcome = message;
    limits.maxFrame = message.limits.max_frame;
    limits.maxInflight = Math.max(1, message.limits.max_inflight);
    limits.maxOps = Math.max(1, message.limits.max_ops);
  }

  /** @param {any} message */
  function takeError({ code = "refused", message, fatal = false, seq: expected, widget_id: widgetId, property }) {
    if (!fatal && FRAME_CODES.includes(code) && strike(inflight.find((batch) => batch.seq === expected))) {
      isResending = true;
      return;
    }
    fault({ code, message, ...(widgetId ? { widget_id: widgetId } : {}), ...(property ? { property } : {}) });
  }

  /** @param {Batch | undefined} batch A frame of ours was no message for the server, perhaps this one. */
  function strike(batch) {
    if (!batch) return false;
    batch.strikes += 1;
    if (batch.strikes < MAX_STRIKES || batch.ops.length === 0) return true;
    const { ops } = batch;
    batch.ops = [];
    batch.frame = encodeBatch(batch.seq, []);
    release(ops);
    for (const op of ops) faultOf(op, "undeliverable", "The server cannot read this edit");
    return true;
  }

  /** @param {any} message */
  function takeSync(message) {
    if (state !== "syncing" && state !== "live") return;
    if (message.frame !== frame + 1) {
      // Something was lost between: what we have is no state of the server's. Resuming brings what is missing.
      step("silence");
      return;
    }
    frame = message.frame;
    say({ type: "sync_ack", frame });
    parts.push(message);
    if (message.more) return;
    const whole = parts;
    parts = [];
    apply(whole);
  }

  /** @param {any[]} whole the parts of one `sync` */
  function apply(whole) {
    const last = whole[whole.length - 1];
    const isFirst = state === "syncing";
    const isNewSession = isFirst && !welcome.resumed;
    const isRestart = isNewSession && credentials !== null && credentials.epoch !== welcome.epoch;
    /** @type {Restarted} */
    const tally = { reapplied: 0, dropped: 0, waiting: 0, lost: 0 };
    /** @type {Entry[]} */
    const closing = [];
    const converted = isRestart ? convertForRestart(tally) : null;
    if (isNewSession && !isRestart) convertForExpiry();
    if (isNewSession) {
      seq = 0;
      lastMessage = 0;
    }

    for (const part of whole) for (const opened of part.open ?? []) openWidget(opened, closing);
    for (const { changes = [], same = [], close = [] } of whole) {
      for (const change of changes) takeChange(change);
      for (const one of same) takeSame(one);
      for (const [id, inst] of close) closeWidget(entries.get(id), inst, closing);
    }
    if (isRestart) waitForAbsent();
    if (last.live) closeUnlisted(last.live, closing);

    const known = new Map(inflight.map((batch) => [batch.seq, batch]));
    const acknowledged = acknowledge(last.ack ?? 0);
    rev = Math.max(rev, last.rev);
    if (isFirst) {
      const { epoch, session, secret } = welcome;
      credentials = { epoch, session, secret };
      isReplaced = false;
      isHinted = false;
      step("synced");
      liveAt = now;
      if (earlySince !== null) earlySince = now;
      isResending = inflight.length > 0;
    }
    if (converted) {
      repeatAfterRestart(converted, tally);
      events.push({ type: "restarted", detail: tally });
    }

    const fires = stageShown(unshown, acknowledged);
    for (const entry of closing) entry.model?.close();
    for (const fire of fires) fire();
    for (const part of whole) {
      for (const { seq: of, op: index, code, message } of part.rejects ?? []) {
        const op = known.get(of)?.ops[index];
        // A verdict on what is not under way any more was told before.
        if (op) faultOf(op, code, message);
      }
    }
    for (const part of whole) takeMessages(part);
  }

  /**
   * Takes all that is not acknowledged: the last edit of each slot, in order.
   *
   * @param {readonly Op[]} ops
   */
  function lastEdits(ops) {
    /** @type {Map<Slot, Op>} */
    const edits = new Map();
    for (const op of ops) {
      if (!op.slot) continue;
      edits.delete(op.slot);
      edits.set(op.slot, op);
    }
    return edits;
  }

  /** @returns {Op[]} */
  function takeInflight() {
    const ops = inflight.flatMap((batch) => batch.ops);
    inflight = [];
    release(ops);
    return ops;
  }

  /** @param {Restarted} tally @returns {Op[]} */
  function convertForRestart(tally) {
    const sent = takeInflight();
    const all = [...sent, ...queue.takeAll()];
    for (const op of all) {
      if (op.slot) continue;
      tally.lost += 1;
      faultOf(op, "lost", "The server was started anew before this message could be handled", "restart");
    }
    rev = 0;
    const edits = [...lastEdits(all).values()];
    for (const op of edits) {
      op.ifRev = null;
      queue.push(op);
    }
    for (const entry of entries.values()) {
      if (entry.inst === null) continue;
      entry.isStale = true;
      for (const slot of entry.slots.values()) slot.confirmed = null;
    }
    return edits;
  }

  /** The session is gone and the server is the same: what was sent may have arrived. */
  function convertForExpiry() {
    const sent = takeInflight();
    const waiting = queue.takeAll();
    const newer = new Set(waiting.map(({ slot }) => slot));
    for (const op of sent) {
      if (!op.slot) faultOf(op, "delivery_unknown", "The connection was lost before Python confirmed this message");
    }
    for (const [slot, op] of lastEdits(sent)) {
      if (newer.has(slot)) continue;
      const carried = sent.filter((other) => other.slot === slot).map(({ ifRev }) => ifRev ?? Infinity);
      const ifRev = Math.min(slot.confirmed?.rev ?? Infinity, ...carried);
      op.ifRev = Number.isFinite(ifRev) ? ifRev : null;
      queue.push(op);
    }
    if (waiting.length > 0) queue.divide();
    for (const op of waiting) queue.push(op);
  }

  /** @param {any} opened @param {Entry[]} closing */
  function openWidget(opened, closing) {
    const { widget_id: widgetId, inst, kind, props = {}, writable = [] } = opened;
    let entry = entries.get(widgetId);
    const isSame = entry && (entry.isStale ? entry.kind === kind : entry.inst === inst);
    if (entry && entry.inst !== null && !isSame) {
      closeWidget(entry, entry.inst, closing);
      entry = undefined;
    }
    const isNew = entry === undefined || entry.inst === null;
    entry ??= newEntry(widgetId);
    const isReplacing = entry.isStale || isNew;
    const isBack = absent.delete(entry);
    entry.isStale = false;
    entry.inst = inst;
    entry.kind = kind;
    entry.writable = new Set(writable);
    setSource(entry, opened.esm_url ?? undefined, opened.esm ?? undefined);
    const source = entry.widgetData.esm_url ?? entry.widgetData.esm;
    if (source !== undefined) slotOf(entry, "_esm").confirmed = { value: source, rev: 0 };
    for (const [name, [value, slotRev]] of Object.entries(props)) {
      const slot = slotOf(entry, name);
      if (!isReplacing && slot.confirmed && slotRev <= slot.confirmed.rev) continue;
      slot.confirmed = { value, rev: slotRev };
      unshown.add(slot);
    }
    if (!isNew && !isBack) return;
    if (!entry.model) makeModel(entry, confirmedValues(entry));
    for (const op of takeEarly(entry)) {
      op.inst = inst;
      if (isBack && op.slot && !entry.writable.has(op.slot.property)) dropOrphan(op);
      else queue.push(op);
    }
    events.push({ type: "open", detail: /** @type {Model} */ (entry.model) });
  }

  /** @param {Entry} entry @param {string | undefined} url @param {string | undefined} esm */
  function setSource(entry, url, esm) {
    const source = url ?? esm;
    const { widgetData } = entry;
    if (source === undefined || source === (widgetData.esm_url ?? widgetData.esm)) return;
    const { esm_url: _url, esm: _esm, ...others } = widgetData;
    entry.widgetData = { ...others, ...(url === undefined ? { esm } : { esm_url: url }) };
    const { model } = entry;
    if (!model) return;
    const slot = slotOf(entry, "_esm");
    slot.confirmed = { value: source, rev: slot.confirmed?.rev ?? 0 };
    unshown.add(slot);
    events.push({ type: "source", detail: { widgetId: entry.widgetId, model } });
  }

  /** @param {[string, number, string, unknown, number]} change */
  function takeChange([widgetId, inst, property, value, slotRev]) {
    const entry = entries.get(widgetId);
    if (!entry || entry.inst !== inst) return;
    if (property === "esm_url" && typeof value === "string") return setSource(entry, value, undefined);
    if (property === "_esm" && typeof value === "string") return setSource(entry, undefined, value);
    const slot = slotOf(entry, property);
    if (slot.confirmed && slotRev <= slot.confirmed.rev) return;
    slot.confirmed = { value, rev: slotRev };
    unshown.add(slot);
  }

  /** @param {Entry | undefined} entry @param {number | null} inst @param {Entry[]} closing */
  function closeWidget(entry, inst, closing) {
    if (!entry || entry.inst === null || entry.inst !== inst) return;
    entry.isClosed = true;
    entries.delete(entry.widgetId);
    absent.delete(entry);
    for (const op of takeEarly(entry)) dropOrphan(op);
    // Edits of it that wait are the server's to refuse.
    for (const [name, slot] of entry.slots) {
      slot.confirmed = null;
      if (slot.pending === 0) entry.slots.delete(name);
    }
    if (entry.slots.size > 0) closedSlots.set(entry.widgetId, entry.slots);
    closing.push(entry);
  }

  /** @param {[string, number, string, number, number, number]} same A value that is our own, and was not repeated. */
  function takeSame([widgetId, inst, property, ofSeq, index, slotRev]) {
    const op = inflight.find((batch) => batch.seq === ofSeq)?.ops[index];
    if (op?.slot) takeChange([widgetId, inst, property, decodeValue(op.value), slotRev]);
  }

  function waitForAbsent() {
    absentUntil = now + limits.returnMs;
    for (const entry of entries.values()) if (entry.isStale) absent.add(entry);
  }

  function giveUpAbsent() {
    /** @type {Entry[]} */
    const closing = [];
    for (const entry of [...absent]) closeWidget(entry, entry.inst, closing);
    for (const entry of closing) entry.model?.close();
  }

  /** @param {Op} op An edit of a widget that did not come back as it was. */
  function dropOrphan(op) {
    if (op.slot) unshown.add(op.slot);
    faultOf(op, "dropped", "The server was started anew, without this property");
  }

  /** @param {[string, number][]} live @param {Entry[]} closing */
  function closeUnlisted(live, closing) {
    const listed = new Map(live);
    for (const entry of [...entries.values()]) {
      if (!entry.isStale && listed.get(entry.widgetId) !== entry.inst) closeWidget(entry, entry.inst, closing);
    }
  }

  /**
   * Addresses the edits that are left to the widgets that came back.
   *
   * @param {readonly Op[]} edits
   * @param {Restarted} tally
   */
  function repeatAfterRestart(edits, tally) {
    for (const op of edits) {
      const slot = /** @type {Slot} */ (op.slot);
      const { inst, writable } = slot.entry;
      // The id may have gone to a widget of another kind.
      const isThere = op.entry === slot.entry && inst !== null && !slot.entry.isClosed;
      if (isThere && slot.entry.isStale) {
        queue.remove(op);
        putEarly(op);
        tally.waiting += 1;
      } else if (isThere && writable.has(slot.property)) {
        op.inst = inst;
        tally.reapplied += 1;
      } else {
        queue.remove(op);
        unshown.add(slot);
        tally.dropped += 1;
        faultOf(op, "dropped", "The server was started anew, without this property", "restart");
      }
    }
  }

  /** @param {number} ack @returns {Set<Slot>} */
  function acknowledge(ack) {
    const done = inflight.filter((batch) => batch.seq <= ack);
    if (done.length === 0) return new Set();
    inflight = inflight.filter((batch) => batch.seq > ack);
    /** @type {Set<Slot>} */
    const acknowledged = new Set();
    for (const { ops } of done) {
      release(ops);
      for (const { slot, value } of ops) {
        if (!slot) continue;
        slot.sent = value;
        acknowledged.add(slot);
      }
    }
    return acknowledged;
  }

  /** @param {any} part */
  function takeMessages({ lost_msgs: lostUpTo = 0, msgs = [] }) {
    if (lostUpTo > lastMessage) reportGap(lostUpTo);
    for (const { n, widget_id: widgetId, inst, content = null, buffers = [] } of msgs) {
      if (n <= lastMessage) continue;
      if (n > lastMessage + 1) reportGap(n - 1);
      lastMessage = n;
      const entry = entries.get(widgetId);
      if (isOver() || entry?.inst !== inst || !entry?.model) continue;
      const { model } = entry;
      model.handleMessage(copyData(content), buffers.map(copyData));
      for (const receiver of [...(receivers.get(widgetId) ?? [])]) {
        tellReceiver(widgetId, () => receiver.handleMessage?.(copyData(content), buffers.map(copyData)));
      }
    }
  }

  /** @param {number} upTo */
  function reportGap(upTo) {
    const count = upTo - lastMessage;
    lastMessage = upTo;
    fault({ code: "lost_messages", message: `${count} message${count === 1 ? "" : "s"} from Python did not arrive` });
  }

  /** @param {number | null} code @param {string} reason */
  function lose(code, reason) {
    hasTransport = false;
    outbox = [];
    parts = [];
    probedAt = null;
    isResending = false;
    if (isOver() || state === "idle" || state === "backoff") return;
    if (code !== null && code >= TERMINAL_CLOSE_CODES.first && code <= TERMINAL_CLOSE_CODES.last) {
      fail({ code, message: reason || `The server closed the connection for good (${code})` });
      return;
    }
    if (code === SESSION_REPLACED) isReplaced = true;
    if (code !== null && STRIKING_CLOSE_CODES.includes(code)) strike(inflight[0]);
    if (liveAt !== null && now - liveAt >= limits.stableMs) losses = 0;
    liveAt = null;
    const ceiling = Math.min(limits.backoffCapMs, limits.backoffBaseMs * 2 ** losses);
    losses += 1;
    retryAt = isHinted ? now : now + random() * ceiling;
    isHinted = false;
    step("lost");
  }

  /** @param {{ code: number, message: string }} why */
  function fail(why) {
    failure = why;
    step("refused");
    giveUp(why.message);
  }

  /** @param {string} message */
  function giveUp(message) {
    const ops = [...takeInflight(), ...queue.takeAll()];
    for (const entry of entries.values()) ops.push(...takeEarly(entry));
    unshown.clear();
    for (const op of lastEdits(ops).values()) faultOf(op, "undeliverable", message);
    for (const op of ops) if (!op.slot) faultOf(op, "undeliverable", message);
  }

  const silentAt = () => Math.min(heardAt + limits.silenceMs, (probedAt ?? Infinity) + limits.probeMs);

  function expireEarly() {
    earlySince = null;
    for (const entry of entries.values()) {
      if (entry.inst !== null) continue;
      for (const op of takeEarly(entry)) faultOf(op, "unknown_widget", `Widget ${entry.widgetId} is not open`);
    }
  }

  return {
    sendUpdate,
    sendUpdates,
    sendMessage,
    isPending,
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
      return queue.size === 0 && inflight.length === 0 && earlyOps === 0;
    },
    get wantsTransport() {
      return state === "connecting" && !hasTransport;
    },
    get wantsClose() {
      return hasTransport && (state === "suspect" || state === "backoff" || isOver());
    },
    get hasBeenLive() {
      return credentials !== null;
    },
    get losses() {
      return losses;
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
      heardAt = now;
      frame = 0;
      welcome = null;
      sayHello();
      wake();
    },
    /** @param {string | ArrayBuffer | ArrayBufferView} data @param {number} nowMs */
    receive(data, nowMs) {
      inTurn(() => {
        now = nowMs;
        take(data);
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
    framesToSend: () => (hasTransport ? framesToSend() : []),
    eventsReceived() {
      const received = events;
      events = [];
      return received;
    },
    nextDeadline() {
      if (isOver()) return null;
      const deadlines = absent.size > 0 ? [absentUntil] : [];
      if (state === "backoff" && !isSuspended && !hasTransport) deadlines.push(retryAt);
      if (state === "hello_sent" || state === "syncing" || state === "live") deadlines.push(silentAt());
      if (state === "live" && earlySince !== null) deadlines.push(earlySince + limits.unknownWidgetMs);
      return deadlines.length > 0 ? Math.min(...deadlines) : null;
    },
    /** Does what is due; harmless when nothing is. @param {number} nowMs */
    handleTimeout(nowMs) {
      inTurn(() => {
        now = nowMs;
        if (isOver()) return;
        if (absent.size > 0 && now >= absentUntil) giveUpAbsent();
        if (state === "backoff") {
          if (!isSuspended && !hasTransport && now >= retryAt) step("retry");
        } else if (state === "hello_sent" || state === "syncing" || state === "live") {
          if (now >= silentAt()) step("silence");
          else if (state === "live" && earlySince !== null && now >= earlySince + limits.unknownWidgetMs) expireEarly();
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
        isHinted = true;
      } else if ((state === "syncing" || state === "live") && probedAt === null) {
        probes += 1;
        probedAt = now;
        say({ type: "ping", id: probes });
      }
      wake();
    },
    /** The page is kept for "back": it gives its transport up, and its session lives on. @param {number} nowMs */
    suspend(nowMs) {
      now = nowMs;
      isSuspended = true;
      if (isOver() || state === "idle" || state === "backoff") return;
      // What may leave now may count before the page is ever shown again.
      outbox = framesToSend();
      step("suspend");
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
      if (hasTransport && welcome) {
        outbox = framesToSend();
        if (state === "live") {
          while (queue.size > 0) outbox.push(cut());
          // They were sent, and nobody will be there to hear what became of them.
          takeInflight();
        }
        say({ type: "bye" });
      }
      step("leave");
      giveUp(reason);
      wake();
    },

    /**
     * An error in a widget's code, for Python's eyes; while live only.
     *
     * @param {string} widgetId
     * @param {string} stage
     * @param {string} message
     * @param {string} [stack]
     */
    report(widgetId, stage, message, stack = "") {
      if (state !== "live") return;
      say({
        type: "report",
        widget_id: widgetId,
        stage,
        message: message.slice(0, MAX_REPORT_CHARS),
        ...(stack ? { stack: stack.slice(0, MAX_REPORT_CHARS) } : {}),
      });
      wake();
    },
    /** The subscribers are told of something that went wrong on the page. @param {Fault} detail */
    fault: tellFault,

    /** @param {string} widgetId */
    model: (widgetId) => entries.get(widgetId)?.model ?? undefined,
    /** Whether the server has opened it. @param {string} widgetId */
    isOpen: (widgetId) => {
      const entry = entries.get(widgetId);
      return entry !== undefined && entry.inst !== null && !entry.isStale;
    },
    /** @param {string} widgetId @returns {WidgetData | undefined} */
    widgetData: (widgetId) => entries.get(widgetId)?.widgetData,
    /** @returns {Model[]} */
    models: () => [...entries.values()].flatMap(({ inst, model }) => (inst !== null && model ? [model] : [])),
    /**
     * The model of a widget, made now if the server has not opened it yet.
     *
     * @param {WidgetData} widgetData
     * @param {Record<string, unknown>} values its state, decoded
     */
    open(widgetData, values) {
      const widgetId = String(widgetData.widget_id);
      const entry = entries.get(widgetId) ?? newEntry(widgetId);
      if (entry.model) return entry.model;
      entry.widgetData = widgetData;
      return makeModel(entry, values);
    },
    /** Ends the page's model of a widget; asked for again, there is a new one. @param {string} widgetId */
    closeModel(widgetId) {
      const entry = entries.get(widgetId);
      if (!entry) return;
      entry.model?.close();
      if (entry.inst === null) entry.model = null;
      else makeModel(entry, confirmedValues(entry));
    },
    closeModels() {
      const all = [...entries.values()];
      entries.clear();
      for (const { model } of all) model?.close();
    },
    /** @param {string} widgetId @param {Receiver} receiver @returns {() => void} */
    attach(widgetId, receiver) {
      const set = receivers.get(widgetId) ?? new Set();
      receivers.set(widgetId, set.add(receiver));
      for (const slot of entries.get(widgetId)?.slots.values() ?? []) if (slot.pending === 0) tellReceivers(slot);
      return () => {
        set.delete(receiver);
        if (set.size === 0 && receivers.get(widgetId) === set) receivers.delete(widgetId);
      };
    },
    /**
     * What a connection in base mode goes on with, when the server turns out to speak nothing else. This session is of
     * no use afterwards.
     */
    handOver() {
      const models = [...entries.values()].flatMap(({ model, widgetData }) => (model ? [{ model, widgetData }] : []));
      const waiting = [...entries.values()].flatMap((entry) => takeEarly(entry)).sort((a, b) => a.group - b.group);
      return {
        models,
        receivers: [...receivers],
        edits: waiting.flatMap(({ entry, slot, value }) =>
          slot ? [/** @type {const} */ ([entry.widgetId, slot.property, decodeValue(value)])] : [],
        ),
        messages: waiting.filter(({ slot }) => slot === null),
      };
    },
  };
}

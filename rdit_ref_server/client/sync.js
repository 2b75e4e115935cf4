/**
 * What a server says of its state, and how it is applied.
 *
 * A `sync` applies as a whole, however many parts it comes in: everything is stored before a model's listener runs. The
 * first one after a welcome decides what becomes of a session that is gone (`aftermath.js`), and only with it the new
 * session is ours: until then, a further hello names the old one.
 */

import { convertForExpiry, convertForRestart, repeatAfterRestart } from "./aftermath.js";
import { decodeValue } from "./frames.js";

/** @typedef {import("./aftermath.js").Restarted} Restarted */
/** @typedef {import("./batches.js").Op} Op */
/** @typedef {import("./widgets.js").Entry} Entry */
/** @typedef {import("./widgets.js").Slot} Slot */
/** @typedef {[string, number, string, number, number, number]} Same widget, inst, property, seq, op, rev */

/**
 * @typedef {object} SyncHost
 * @property {import("./edits.js").Edits} edits
 * @property {import("./widgets.js").Widgets} widgets
 * @property {import("./shown.js").Shown} shown
 * @property {import("./events.js").Events} events
 * @property {() => boolean} isOver
 * @property {() => void} becameLive before any listener runs
 */

/** @typedef {ReturnType<typeof createSync>} SyncState */

/**
 * What Python has, where that is what was sent. Most often the next value is there before anybody looks at this one, so
 * it is decoded when somebody does. Bytes are views of a frame, which is not to be kept for longer than it has to be.
 *
 * @param {import("./frames.js").Encoded} encoded
 * @param {number} rev
 * @returns {NonNullable<Slot["confirmed"]>}
 */
function ownValue(encoded, rev) {
  if (encoded.buffers.length > 0) return { value: decodeValue(encoded), rev };
  /** @type {{ value: unknown } | null} */
  let decoded = null;
  return {
    get value() {
      decoded ??= { value: decodeValue(encoded) };
      return decoded.value;
    },
    rev,
  };
}

/** @param {SyncHost} host */
export function createSync({ edits, widgets, shown, events, isOver, becameLive }) {
  /** @type {{ epoch: string, session: string, secret: string } | null} */
  let credentials = null;
  /** The session was taken over by another connection: the next one says a fresh hello. */
  let isReplaced = false;
  let frame = 0;
  /** @type {any[]} */
  let parts = [];
  let rev = 0;
  let lastMessage = 0;

  /** Whether it names a value that we do not have, and should. @param {Same} same */
  function isUnknown([widgetId, inst, property, seq, index, slotRev]) {
    const entry = widgets.get(widgetId);
    if (!entry || entry.isStale || entry.inst !== inst || edits.sentOp(seq, index)?.slot) return false;
    const confirmed = entry.slots.get(property)?.confirmed;
    return !confirmed || confirmed.rev < slotRev;
  }

  /**
   * A value that is our own, and was not repeated.
   *
   * @param {Same} same
   * @param {Map<Slot, { op: Op, confirmed: Slot["confirmed"] }>} named takes the slot, if it was news
   */
  function takeSame([widgetId, inst, property, seq, index, slotRev], named) {
    const op = edits.sentOp(seq, index);
    if (!op?.slot) return;
    const slot = widgets.change(widgetId, inst, property, ownValue(op.value, slotRev));
    if (slot) named.set(slot, { op, confirmed: slot.confirmed });
  }

  /** @param {any[]} whole the parts of one `sync` @param {any} welcome set when it is the first of a connection */
  function apply(whole, welcome) {
    const last = whole[whole.length - 1];
    const isNewSession = welcome !== null && !welcome.resumed;
    const isRestart = isNewSession && credentials !== null && credentials.epoch !== welcome.epoch;
    /** @type {Restarted} */
    const tally = { reapplied: 0, dropped: 0, waiting: 0, lost: 0 };
    /** @type {Entry[]} */
    const closing = [];
    const converted = isRestart ? convertForRestart(edits, widgets, events.faultOf, tally) : null;
    if (isNewSession) {
      if (isRestart) rev = 0;
      else convertForExpiry(edits, events.faultOf);
      edits.countFrom(welcome.ack);
      lastMessage = 0;
    }

    /** @type {Map<Slot, { op: Op, confirmed: Slot["confirmed"] }>} */
    const named = new Map();
    for (const part of whole) for (const opened of part.open ?? []) widgets.open(opened, closing);
    for (const { changes = [], same = [], close = [] } of whole) {
      for (const [id, inst, property, value, rev] of changes) widgets.change(id, inst, property, { value, rev });
      for (const one of same) takeSame(one, named);
      for (const [id, inst] of close) widgets.close(widgets.get(id), inst, closing);
    }
    if (isRestart) widgets.noteAbsent();
    if (last.live) widgets.closeUnlisted(last.live, closing);

    const batches = edits.bySeq();
    const acknowledged = edits.acknowledge(last.ack ?? 0);
    for (const { seq: of, op: index, code } of last.rejects ?? []) {
      const slot = batches.get(of)?.ops[index]?.slot;
      // Python has no value to show in its place, and widgets keep things of their own in the model.
      if (code === "unknown_property" && slot && !slot.confirmed) shown.keep(slot);
    }
    for (const [slot, { op, confirmed }] of named) {
      // Python took the last edit as it was, and what it was made of is shown still.
      const isShown = acknowledged.get(slot) === op && slot.entry.model?.peek(slot.property) === op.source;
      if (isShown && slot.confirmed === confirmed) shown.isCertain(slot);
    }
    rev = Math.max(rev, last.rev);
    if (welcome !== null) {
      const { epoch, session, secret } = welcome;
      credentials = { epoch, session, secret };
      isReplaced = false;
      edits.resend();
      becameLive();
    }
    if (converted) {
      repeatAfterRestart(converted, edits, widgets, shown, events.faultOf, tally);
      events.tell({ type: "restarted", detail: tally });
    }

    const fires = shown.stageSettled(acknowledged);
    for (const entry of closing) entry.model?.close();
    for (const fire of fires) fire();
    for (const part of whole) {
      for (const { seq: of, op: index, code, message } of part.rejects ?? []) {
        const op = batches.get(of)?.ops[index];
        // A verdict on what is not under way any more was told before.
        if (op) events.faultOf(op, code, message);
      }
    }
    for (const part of whole) takeMessages(part);
    return isRestart;
  }

  /** @param {any} part */
  function takeMessages({ lost_msgs: lostUpTo = 0, msgs = [] }) {
    if (lostUpTo > lastMessage) reportGap(lostUpTo);
    for (const { n, widget_id: widgetId, inst, content = null, buffers = [] } of msgs) {
      if (n <= lastMessage) continue;
      if (n > lastMessage + 1) reportGap(n - 1);
      lastMessage = n;
      const entry = widgets.get(widgetId);
      if (!isOver() && entry?.model && entry.inst === inst) shown.deliver(entry.model, content, buffers);
    }
  }

  /** @param {number} upTo */
  function reportGap(upTo) {
    const count = upTo - lastMessage;
    lastMessage = upTo;
    const message = `${count} message${count === 1 ? "" : "s"} from Python did not arrive`;
    events.fault({ code: "lost_messages", message });
  }

  return {
    get hasCredentials() {
      return credentials !== null;
    },
    /** What a hello names. */
    get resume() {
      return credentials && !isReplaced ? { ...credentials, rev } : null;
    },
    replaced() {
      isReplaced = true;
    },
    /** A connection begins: its frames count from 1. */
    restartCount() {
      frame = 0;
    },
    /** The transport is gone, and with it what was to come of a `sync`. */
    ended() {
      parts = [];
    },
    /**
     * Whether a part is what comes next, and all that it refers to is here. Otherwise something was lost: what we have
     * is no state of the server's, and resuming brings what is missing.
     *
     * @param {any} part
     * @returns {"next" | "gap" | "unknown"} unknown: a batch arrived that we gave up
     */
    judge(part) {
      if (part.frame !== frame + 1) return "gap";
      return (part.same ?? []).some(isUnknown) ? "unknown" : "next";
    },
    /**
     * @param {any} part
     * @returns {any[] | null} the whole `sync`, with its last part
     */
    collect(part) {
      frame = part.frame;
      parts.push(part);
      if (part.more) return null;
      const whole = parts;
      parts = [];
      return whole;
    },
    apply,
  };
}

/**
 * A page's edits and messages, from where they are made to where Python has acknowledged them.
 *
 * An op waits for its widget to open (`early`), then in the queue, then in a batch that is under way. All that time its
 * slot is pending. A batch is sent again as it was until it is acknowledged; one that the server cannot read, as far as
 * can be told, is given up after the second time, for nothing behind it would ever arrive.
 *
 * A value is a snapshot of the moment at which it was saved, and one copy of its bytes is all that is made if it can
 * leave at once: the one in the frame. That is why `newOp` takes values whose bytes are the widget's still, and
 * `settleCopies` has to follow before any code of a widget runs.
 */

import { createQueue, encodeBatch, ownCopy, sizeOf } from "./batches.js";

/** @typedef {import("./batches.js").Batch} Batch */
/** @typedef {import("./batches.js").Op} Op */
/** @typedef {import("./frames.js").Encoded} Encoded */
/** @typedef {import("./widgets.js").Entry} Entry */
/** @typedef {import("./widgets.js").Slot} Slot */

/** A batch that met this many frame errors is given up. */
const MAX_STRIKES = 2;

/**
 * @typedef {object} EditsHost
 * @property {typeof import("./timing.js").LIMITS} limits
 * @property {() => number} room what the ops of one batch may take, in bytes
 * @property {(op: Op, code: string, message: string, cause?: string) => void} faultOf
 * @property {Pick<import("./shown.js").Shown, "settle" | "refuse">} shown
 */

/** @typedef {ReturnType<typeof createEdits>} Edits */

/**
 * Of each slot the last edit, in order.
 *
 * @param {readonly Op[]} ops
 */
export function lastEdits(ops) {
  /** @type {Map<Slot, Op>} */
  const edits = new Map();
  for (const op of ops) {
    if (!op.slot) continue;
    edits.delete(op.slot);
    edits.set(op.slot, op);
  }
  return edits;
}

/** @param {EditsHost} host */
export function createEdits({ limits, room, faultOf, shown }) {
  const queue = createQueue();
  /** @type {Batch[]} */
  let inflight = [];
  let seq = 0;
  let groups = 0;
  let earlyOps = 0;
  /** The batches that are under way have to be sent again. */
  let isResending = false;

  /** @param {readonly Op[]} ops Their slots are settled, unless other ops are pending. */
  function release(ops) {
    for (const { slot } of ops) {
      if (!slot) continue;
      slot.pending -= 1;
      shown.settle(slot);
    }
  }

  /** @param {Op} op @param {string} code @param {string} message */
  function refuse(op, code, message) {
    if (op.slot) shown.refuse(op.slot);
    faultOf(op, code, message);
  }

  /** @param {Op} op */
  function refuseTooLarge(op) {
    refuse(op, "too_large", `The server takes no frame longer than ${room()} bytes`);
  }

  /** @param {Op} op */
  const isTooLarge = (op) => sizeOf(op) > room();

  /** @param {Op} op of a widget that the server has not opened yet */
  function putEarly(op) {
    const { early } = op.entry;
    const barrier = early.findLastIndex(({ slot }) => slot === null);
    const same = op.slot ? early.findIndex(({ slot }, index) => slot === op.slot && index > barrier) : -1;
    if (same >= 0) early.splice(same, 1);
    else earlyOps += 1;
    if (op.slot) op.slot.pending = same >= 0 ? op.slot.pending : op.slot.pending + 1;
    early.push(op);
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

  /** @returns {Op[]} */
  function takeInflight() {
    const ops = inflight.flatMap((batch) => batch.ops);
    inflight = [];
    release(ops);
    return ops;
  }

  /** Moves the front of the queue into batches. @param {number} maxInflight @returns {Batch["frame"][]} */
  function cut(maxInflight) {
    /** @type {Batch["frame"][]} */
    const frames = [];
    while (queue.size > 0 && inflight.length < maxInflight) {
      const ops = queue.take({ maxOps: limits.maxOps, maxBytes: room() });
      if (ops.length === 1 && isTooLarge(ops[0])) {
        // It was queued before anybody said how much the server takes.
        if (ops[0].slot) ops[0].slot.pending -= 1;
        refuseTooLarge(ops[0]);
        continue;
      }
      seq += 1;
      const strikes = Math.max(...ops.map((op) => op.strikes));
      const batch = { seq, ops, frame: encodeBatch(seq, ops), strikes };
      inflight.push(batch);
      frames.push(batch.frame);
    }
    return frames;
  }

  return {
    queue,
    get isIdle() {
      return queue.size === 0 && inflight.length === 0 && earlyOps === 0;
    },
    /** Edits of one group are not torn apart. */
    newGroup: () => (groups += 1),

    /** @param {Entry} entry @param {Slot | null} slot @param {Encoded} value @param {number} group @returns {Op} */
    newOp(entry, slot, value, group) {
      const inst = entry.inst ?? 0;
      let ifRev = null;
      if (slot && entry.ifUnchanged.has(slot.property)) {
        // What is confirmed of a pending slot is not shown.
        if (slot.pending === 0) slot.seenRev = slot.confirmed?.rev ?? 0;
        ifRev = slot.seenRev;
      }
      const base = { value, buffers: [], source: undefined, ifRev, strikes: 0, segment: 0, onfail: undefined };
      return { entry, inst, slot, group, ...base };
    },
    /** Ops that were put and have not left get copies of their bytes. @param {readonly Op[]} ops */
    settleCopies(ops) {
      for (const op of ops) if (op.isBorrowed) ownCopy(op);
    },
    /** @param {Op} op */
    put(op) {
      if (isTooLarge(op)) {
        op.isBorrowed = false;
        refuseTooLarge(op);
      } else if (op.entry.inst !== null && !op.entry.isStale) queue.push(op);
      else putEarly(op);
    },
    putEarly,
    takeEarly,
    refuse,
    dropOverflow() {
      for (;;) {
        const op = queue.overflow(limits.maxQueuedMessages, limits.maxQueuedMessageBytes);
        if (!op) return;
        queue.remove(op);
        queue.joinSegments();
        faultOf(op, "queue_full", "Too many messages wait for the connection: the oldest is given up");
      }
    },

    /** Whether something may leave while live. */
    get wantsToSend() {
      return isResending || (queue.size > 0 && inflight.length < limits.maxInflight);
    },
    /** What may leave while live. */
    framesToSend() {
      const again = isResending ? inflight.map((batch) => batch.frame) : [];
      isResending = false;
      return [...again, ...cut(limits.maxInflight)];
    },
    /** The page leaves: all of it goes, and nobody will be there to hear what became of it. */
    lastFrames() {
      const frames = cut(Infinity);
      takeInflight();
      return frames;
    },
    /** A connection is live again: what is under way goes out again. */
    resend() {
      isResending = inflight.length > 0;
    },
    /** The transport is gone. */
    ended() {
      isResending = false;
    },
    /** A session of the server's begins, with its own numbers: the next batch follows this one. @param {number} ack */
    countFrom(ack) {
      seq = ack;
    },

    /** @param {number} of @param {number} index @returns {Op | undefined} */
    sentOp: (of, index) => inflight.find((batch) => batch.seq === of)?.ops[index],
    /** The batches under way, by number. */
    bySeq: () => new Map(inflight.map((batch) => [batch.seq, batch])),
    /** @param {number} ack @returns {Map<Slot, Op>} the slots of what is done, and the last edit of each */
    acknowledge(ack) {
      const ops = inflight.flatMap((batch) => (batch.seq <= ack ? batch.ops : []));
      inflight = inflight.filter((batch) => batch.seq > ack);
      release(ops);
      return lastEdits(ops);
    },
    takeInflight,
    /**
     * A frame of ours was no message for the server, perhaps this batch.
     *
     * @param {number | null | undefined} of its number; null: the oldest
     * @returns {boolean} whether there is such a batch
     */
    strike(of) {
      const batch = of === null ? inflight[0] : inflight.find((each) => each.seq === of);
      if (!batch) return false;
      batch.strikes += 1;
      const { ops } = batch;
      for (const op of ops) op.strikes = batch.strikes;
      if (batch.strikes < MAX_STRIKES || ops.length === 0) return true;
      batch.ops = [];
      batch.frame = encodeBatch(batch.seq, []);
      release(ops);
      for (const op of ops) faultOf(op, "undeliverable", "The server cannot read this edit");
      return true;
    },
    /** Nothing will be sent any more. @param {Entry[]} entries @param {string} message */
    giveUp(entries, message) {
      const ops = [...takeInflight(), ...queue.takeAll(), ...entries.flatMap(takeEarly)];
      for (const op of lastEdits(ops).values()) faultOf(op, "undeliverable", message);
      for (const op of ops) if (!op.slot) faultOf(op, "undeliverable", message);
    },
  };
}

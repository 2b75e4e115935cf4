/**
 * The edits and messages of one page that have not left yet, and the batches they leave in.
 *
 * Edits of one slot merge: the later one replaces the earlier and moves to the end. Not across a custom message, for
 * Python is to see the state in which the message was sent. What is waiting is so bounded by the number of slots.
 *
 * A batch holds whole groups (a group is one `save_changes`), as many as the server's limits allow; only a group that
 * is too large by itself is split. Once cut, a batch never changes, and its frame is where the bytes of its ops are:
 * nothing keeps a second copy of them.
 */

import { joinParts } from "./frames.js";

/** @typedef {import("./frames.js").Encoded} Encoded */
/** @typedef {import("./model.js").Fault} Fault */
/** @typedef {import("./widgets.js").Entry} Entry */
/** @typedef {import("./widgets.js").Slot} Slot */

/**
 * @typedef {object} Op
 * @property {Entry} entry
 * @property {number} inst of the widget that it was made for
 * @property {Slot | null} slot null: a custom message
 * @property {Encoded} value the message's content, if it is one
 * @property {readonly Uint8Array[]} buffers of a message
 * @property {boolean} [isBorrowed] its bytes are the widget's, which may edit them when it runs next
 * @property {unknown} source what the widget saved; only to be recognized
 * @property {number | null} ifRev
 * @property {number} strikes of the batches that it was in
 * @property {number} group
 * @property {number} segment the number of messages that were queued before it
 * @property {((fault: Fault) => void) | undefined} onfail
 */

/**
 * @typedef {object} Batch
 * @property {number} seq
 * @property {readonly Op[]} ops
 * @property {string | Uint8Array<ArrayBuffer>} frame
 * @property {number} strikes
 */

/** About what an op takes in a frame beside its value and names, in bytes; never less. */
const OP_BYTES = 320;
const BUFFER_BYTES = 64;

/** @param {Op} op @returns {number} at least what it takes in a frame, in bytes */
export function sizeOf({ slot, value, buffers }) {
  const own = value.size + OP_BYTES + (slot ? 6 * slot.property.length : 0);
  return buffers.reduce((sum, each) => sum + each.length + BUFFER_BYTES, own);
}

/**
 * Gives an op bytes of its own.
 *
 * @param {Op} op
 */
export function ownCopy(op) {
  const buffers = op.value.buffers.map(([path, bytes]) => /** @type {const} */ ([path, bytes.slice()]));
  op.value = { ...op.value, buffers };
  op.buffers = op.buffers.map((bytes) => bytes.slice());
  op.isBorrowed = false;
}

const BATCH = '{"type":"batch",';

/**
 * A batch of text that acknowledges a `sync` besides. What is kept, to be sent again, is the batch without.
 *
 * @param {string} frame
 * @param {number} syncAck
 */
export function withSyncAck(frame, syncAck) {
  return `${BATCH}"sync_ack":${syncAck},${frame.slice(BATCH.length)}`;
}

/**
 * One frame for some ops. From here on their bytes are views of it.
 *
 * @param {number} seq
 * @param {readonly Op[]} ops
 * @returns {string | Uint8Array<ArrayBuffer>}
 */
export function encodeBatch(seq, ops) {
  /** @type {string[]} */
  const paths = [];
  /** @type {string[]} */
  const specials = [];
  /** @type {Uint8Array[]} */
  const parts = [];
  const texts = ops.map(({ entry, inst, slot, value, buffers, ifRev }, index) => {
    const name = slot ? "value" : "content";
    for (const [path, bytes] of value.buffers) {
      paths.push(JSON.stringify(["ops", index, name, ...path]));
      parts.push(bytes);
    }
    for (const [at, bytes] of buffers.entries()) {
      paths.push(JSON.stringify(["ops", index, "buffers", at]));
      parts.push(bytes);
    }
    for (const [path, special] of value.specials) {
      specials.push(JSON.stringify([["ops", index, name, ...path], special]));
    }
    // The value is JSON already; parsing it only to write it again would cost more than all the rest.
    const widget = `"widget_id":${JSON.stringify(entry.widgetId)},"inst":${inst}`;
    if (!slot) {
      const nulls = buffers.length > 0 ? `,"buffers":[${buffers.map(() => "null").join(",")}]` : "";
      return `{"op":"msg",${widget},"content":${value.text}${nulls}}`;
    }
    const condition = ifRev === null ? "" : `,"if_rev":${ifRev}`;
    return `{"op":"set",${widget},"property":${JSON.stringify(slot.property)},"value":${value.text}${condition}}`;
  });
  const fields =
    (paths.length > 0 ? `,"buffers":[${paths.join(",")}]` : "") +
    (specials.length > 0 ? `,"specials":[${specials.join(",")}]` : "");
  const { frame, views } = joinParts(`${BATCH}"seq":${seq},"ops":[${texts.join(",")}]${fields}}`, parts);
  let next = 0;
  for (const op of ops) {
    if (op.value.buffers.length > 0) {
      op.value = { ...op.value, buffers: op.value.buffers.map(([path]) => [path, views[next++]]) };
    }
    op.buffers = op.buffers.map(() => views[next++]);
    op.isBorrowed = false;
  }
  return frame;
}

/** What waits, in order. */
export function createQueue() {
  /** @type {Set<Op>} */
  const ops = new Set();
  let segment = 0;
  let messages = 0;
  let messageBytes = 0;

  /** @param {Op} op */
  function remove(op) {
    if (!ops.delete(op)) return;
    if (op.slot) {
      if (op.slot.queued === op) op.slot.queued = null;
      op.slot.pending -= 1;
    } else {
      messages -= 1;
      messageBytes -= sizeOf(op);
    }
  }

  /** @param {Op} op */
  function push(op) {
    if (op.slot) {
      const { queued } = op.slot;
      if (queued?.segment === segment) remove(queued);
      op.segment = segment;
      op.slot.queued = op;
      op.slot.pending += 1;
    } else {
      segment += 1;
      messages += 1;
      messageBytes += sizeOf(op);
    }
    ops.add(op);
  }

  return {
    push,
    remove,
    get size() {
      return ops.size;
    },
    /** @param {Op} op */
    has: (op) => ops.has(op),
    /** Empties it. @returns {Op[]} what was in it */
    takeAll() {
      const all = [...ops];
      for (const op of all) remove(op);
      return all;
    },
    /** The oldest message, if there are too many. @param {number} maxCount @param {number} maxBytes */
    overflow(maxCount, maxBytes) {
      if (messages <= 1 || (messages <= maxCount && messageBytes <= maxBytes)) return null;
      for (const op of ops) if (!op.slot) return op;
      return null;
    },
    /** A message is gone that kept edits apart: of a slot that is on both sides of it, the later edit counts. */
    joinSegments() {
      segment = 0;
      /** @type {Map<Slot, Op>} */
      const edits = new Map();
      for (const op of [...ops]) {
        if (op.slot) {
          const earlier = edits.get(op.slot);
          if (earlier?.segment === segment) remove(earlier);
          op.segment = segment;
          edits.set(op.slot, op);
        } else {
          segment += 1;
        }
      }
    },
    /**
     * Takes the ops of the next batch out; they count as pending still. One op goes whatever its size.
     *
     * @param {{ maxOps: number, maxBytes: number }} limits
     * @returns {Op[]}
     */
    take({ maxOps, maxBytes }) {
      /** @type {Op[]} */
      let taken = [];
      let size = 0;
      let whole = 0;
      for (const op of ops) {
        if (taken.length > 0 && op.group !== taken[taken.length - 1].group) whole = taken.length;
        size += sizeOf(op);
        if (taken.length > 0 && (taken.length >= maxOps || size > maxBytes)) {
          if (whole > 0) taken = taken.slice(0, whole);
          break;
        }
        taken.push(op);
      }
      for (const op of taken) {
        ops.delete(op);
        if (!op.slot) {
          messages -= 1;
          messageBytes -= sizeOf(op);
        } else if (op.slot.queued === op) op.slot.queued = null;
      }
      return taken;
    },
  };
}

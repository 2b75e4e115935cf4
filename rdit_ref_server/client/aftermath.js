/**
 * What becomes of edits and messages whose session is gone.
 *
 * The same server has forgotten the session: what was sent may have arrived, so it is sent again on condition that its
 * slot is as it was. Another server was started: what it has is the truth, and edits are made again, plainly, where the
 * same widget came back; where it has not come yet, they wait for it. Messages are never sent twice.
 */

import { lastEdits } from "./edits.js";

/** @typedef {import("./batches.js").Op} Op */
/** @typedef {import("./edits.js").Edits} Edits */
/** @typedef {import("./edits.js").EditsHost["faultOf"]} FaultOf */
/** @typedef {import("./shown.js").Shown} Shown */
/** @typedef {import("./widgets.js").Slot} Slot */
/** @typedef {import("./widgets.js").Widgets} Widgets */

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
 * The `if_rev` of an edit that was made before this server was: no slot has revision 0, so it is a conflict.
 *
 * @param {Slot} slot
 */
export const neverSeen = ({ entry, property }) => (entry.ifUnchanged.has(property) ? 0 : null);

/** The session is gone and the server is the same. @param {Edits} edits @param {FaultOf} faultOf */
export function convertForExpiry(edits, faultOf) {
  const { queue } = edits;
  const sent = edits.takeInflight();
  const waiting = queue.takeAll();
  const newer = new Set(waiting.map(({ slot }) => slot));
  for (const op of sent) {
    if (!op.slot) faultOf(op, "delivery_unknown", "The connection was lost before Python confirmed this message");
  }
  for (const [slot, op] of lastEdits(sent)) {
    if (newer.has(slot)) continue;
    // What an edit under way carries from an earlier loss is the older knowledge, and stays.
    const carried = sent.filter((other) => other.slot === slot).map(({ ifRev }) => ifRev ?? Infinity);
    const ifRev = Math.min(slot.confirmed?.rev ?? Infinity, ...carried);
    op.ifRev = Number.isFinite(ifRev) ? ifRev : null;
    queue.push(op);
  }
  for (const op of waiting) queue.push(op);
}

/**
 * Before the state of the new server is applied.
 *
 * @param {Edits} edits
 * @param {Widgets} widgets
 * @param {FaultOf} faultOf
 * @param {Restarted} tally
 * @returns {Op[]} the edits that are left; they wait in the queue
 */
export function convertForRestart(edits, widgets, faultOf, tally) {
  const all = [...edits.takeInflight(), ...edits.queue.takeAll()];
  for (const op of all) {
    if (op.slot) continue;
    tally.lost += 1;
    faultOf(op, "lost", "The server was started anew before this message could be handled", "restart");
  }
  const left = [...lastEdits(all).values()];
  for (const op of left) {
    op.ifRev = null;
    edits.queue.push(op);
  }
  widgets.makeStale();
  return left;
}

/**
 * After it was applied: addresses the edits that are left to the widgets that came back.
 *
 * @param {readonly Op[]} left
 * @param {Edits} edits
 * @param {Widgets} widgets
 * @param {Shown} shown
 * @param {FaultOf} faultOf
 * @param {Restarted} tally
 */
export function repeatAfterRestart(left, edits, widgets, shown, faultOf, tally) {
  for (const op of left) {
    const slot = /** @type {Slot} */ (op.slot);
    const { inst, writable } = slot.entry;
    // The id may have gone to a widget of another kind.
    const isThere = op.entry === slot.entry && inst !== null && !slot.entry.isClosed;
    if (isThere && slot.entry.isStale) {
      edits.queue.remove(op);
      edits.putEarly(op);
    } else if (isThere && writable.has(slot.property)) {
      op.inst = inst;
      op.ifRev = neverSeen(slot);
      tally.reapplied += 1;
    } else {
      edits.queue.remove(op);
      shown.settle(slot);
      tally.dropped += 1;
      faultOf(op, "dropped", "The server was started anew, without this property", "restart");
    }
  }
  for (const entry of widgets.all()) if (entry.isStale) tally.waiting += entry.early.length;
}

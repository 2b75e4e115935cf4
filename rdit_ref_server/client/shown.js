/**
 * What the models show, and who else is told.
 *
 * A slot whose edits are all done shows what Python has: the value that was sent, or the one that a validator made of
 * it, or the old one if it was refused. Which slots those are is collected while a `sync` is applied; then `stage`
 * stores everything, and only then does any listener run.
 *
 * `confirmed` is never handed out: a widget gets a copy, whose bytes are its own to edit, so that what it does to them
 * cannot be taken for what Python has. The copy is the only one that is made of what arrives: `confirmed` itself is a
 * view of the frame.
 *
 * Values are compared by content, because widgets edit in place what they were given. Two cases need no look at the
 * bytes, and large values are the reason to tell them apart: a model that was made of the confirmed values just now;
 * and a value that Python took as it was, while the model shows the very object that was saved.
 */

import { copyData, sameOnWire } from "./binary.js";
import { decodeValue } from "./frames.js";
import { messageOf } from "./model.js";

/** @typedef {import("./batches.js").Op} Op */
/** @typedef {import("./model.js").Fault} Fault */
/** @typedef {import("./model.js").Model} Model */
/** @typedef {import("./widgets.js").Entry} Entry */
/** @typedef {import("./widgets.js").Slot} Slot */
/** @typedef {{ handleRemoteUpdate: (property: string, value: unknown) => void,
 *   handleMessage?: (content: unknown, buffers: DataView[]) => void, get?: (property: string) => unknown }} Receiver */

/** @typedef {ReturnType<typeof createShown>} Shown */

/**
 * @param {object} host
 * @param {(detail: Fault) => void} host.fault
 * @param {(slot: Slot) => void} host.forget a closed widget's slot is settled
 */
export function createShown({ fault, forget }) {
  /** @type {Map<string, Set<Receiver>>} */
  const receivers = new Map();
  /** Slots whose ops are all done, and which have to show what Python has. @type {Set<Slot>} */
  const settled = new Set();
  /** The same, at once. @type {Set<Slot>} */
  const refused = new Set();
  /** What is certain to be shown: until a listener runs. @type {Map<Slot, Slot["confirmed"]>} */
  const certain = new Map();

  /**
   * Stores what Python has in all models concerned.
   *
   * @param {Set<Slot>} slots is emptied
   * @param {ReadonlyMap<Slot, Op>} acknowledged slots of which edits were acknowledged just now, and the last of those
   * @returns {(() => void)[]} what fires the models' events
   */
  function stage(slots, acknowledged) {
    /** @type {Map<Entry, [string, unknown][]>} */
    const changes = new Map();
    for (const slot of slots) {
      const { entry, property, confirmed } = slot;
      if (slot.pending > 0) continue;
      if (entry.isClosed) forget(slot);
      if (entry.isClosed || entry.isStale || entry.inst === null || !entry.model) continue;
      const { model } = entry;
      if (model.isDirty(property)) {
        // Our own earlier edit came back: the one that is not saved yet is newer, and stays.
        const own = acknowledged.get(slot);
        if (own && sameOnWire(decodeValue(own.value), confirmed?.value)) continue;
      } else if ((confirmed && certain.get(slot) === confirmed) || sameOnWire(model.peek(property), confirmed?.value)) {
        tellReceivers(slot);
        continue;
      }
      const list = changes.get(entry) ?? [];
      changes.set(entry, list);
      // A property that Python does not have has no value: there is nothing to show in the place of a refused edit.
      list.push([property, copyData(confirmed?.value)]);
      tellReceivers(slot);
    }
    slots.clear();
    certain.clear();
    return [...changes].map(([{ model }, list]) => /** @type {Model} */ (model).stageRemote(list));
  }

  /** @param {Slot} slot */
  function tellReceivers({ entry: { widgetId }, property, confirmed }) {
    for (const receiver of [...(receivers.get(widgetId) ?? [])]) {
      if (confirmed && !sameOnWire(receiver.get?.(property), confirmed.value)) {
        tell(widgetId, () => receiver.handleRemoteUpdate(property, copyData(confirmed.value)), property);
      }
    }
  }

  /** @param {string} widgetId @param {() => void} act @param {string} [property] */
  function tell(widgetId, act, property) {
    try {
      act();
    } catch (error) {
      fault({ code: "listener_failed", message: messageOf(error), widget_id: widgetId, property, error });
    }
  }

  return {
    /** The slot is to be looked at when the `sync` is applied. @param {Slot} slot */
    settle: (slot) => void settled.add(slot),
    /** An edit was refused before it left: the next `showRefused` is to look at its slot. @param {Slot} slot */
    refuse: (slot) => void refused.add(slot),
    /** The model shows what is confirmed now; nobody need compare. @param {Slot} slot */
    isCertain: (slot) => void certain.set(slot, slot.confirmed),
    /** What the page shows stays. @param {Slot} slot */
    keep: (slot) => void settled.delete(slot),
    forgetSettled: () => settled.clear(),
    /** @param {ReadonlyMap<Slot, Op>} acknowledged */
    stageSettled: (acknowledged) => stage(settled, acknowledged),
    /** Outside of a `sync`. */
    showRefused() {
      if (refused.size > 0) for (const fire of stage(refused, new Map())) fire();
    },

    /** @param {string} widgetId @param {Receiver} receiver @param {Iterable<Slot>} slots @returns {() => void} */
    attach(widgetId, receiver, slots) {
      const set = receivers.get(widgetId) ?? new Set();
      receivers.set(widgetId, set.add(receiver));
      for (const slot of slots) if (slot.pending === 0) tellReceivers(slot);
      return () => {
        set.delete(receiver);
        if (set.size === 0 && receivers.get(widgetId) === set) receivers.delete(widgetId);
      };
    },
    /** Everybody gets a copy. @param {Model} model @param {unknown} content @param {DataView[]} buffers */
    deliver(model, content, buffers) {
      const { widgetId } = model;
      model.handleMessage(copyData(content), buffers.map(copyData));
      for (const receiver of [...(receivers.get(widgetId) ?? [])]) {
        tell(widgetId, () => receiver.handleMessage?.(copyData(content), buffers.map(copyData)));
      }
    },
    get receivers() {
      return [...receivers];
    },
  };
}

/**
 * What a page asks of its session: edits, messages, and the models that make them.
 */

import { neverSeen } from "./aftermath.js";
import { decodeValue, encodeValue } from "./frames.js";

/** @typedef {import("./batches.js").Op} Op */
/** @typedef {import("./exchange.js").WidgetData} WidgetData */
/** @typedef {import("./model.js").Model} Model */
/** @typedef {import("./shown.js").Receiver} Receiver */
/** @typedef {import("./widgets.js").Entry} Entry */

/** Values of which more than one copy would be felt, in bytes. */
const LARGE_BYTES = 64 * 1024;

/**
 * @typedef {object} ChannelHost
 * @property {"replay" | "drop"} policy
 * @property {import("./transitions.js").SessionState} state
 * @property {number} now
 * @property {() => boolean} isOver
 * @property {() => void} drain has what may leave put into frames
 * @property {() => void} wake there may be something to send or to tell
 * @property {import("./edits.js").EditsHost["faultOf"]} faultOf
 */

/**
 * @param {import("./edits.js").Edits} edits
 * @param {import("./widgets.js").Widgets} widgets
 * @param {import("./shown.js").Shown} shown
 * @param {ChannelHost} host
 */
export function createChannel(edits, widgets, shown, host) {
  /** @type {number | null} Since when an edit waits for a widget that the server has not opened. */
  let earlySince = null;

  /** @param {string} widgetId @param {string} property @param {unknown} value */
  function sendUpdate(widgetId, property, value) {
    sendUpdates(widgetId, [[property, value]]);
  }

  /** @type {NonNullable<import("./model.js").Channel["sendUpdates"]>} */
  function sendUpdates(widgetId, changes) {
    /** @type {{ error: unknown } | null} */
    let first = null;
    const group = edits.newGroup();
    const entry = widgets.named(String(widgetId));
    /** @type {Op[]} */
    const ops = [];
    for (const [name, value] of changes) {
      try {
        const op = edits.newOp(entry, widgets.slotOf(entry, String(name)), encodeValue(value, true), group);
        op.source = value;
        ops.push(op);
      } catch (error) {
        // What cannot be sent must not keep the others from being sent.
        first ??= { error };
      }
    }
    take(ops);
    shown.showRefused();
    host.wake();
    if (first) throw first.error;
  }

  /** @type {import("./model.js").SendMessage} */
  function sendMessage(widgetId, content, buffers = [], onfail) {
    const op = edits.newOp(widgets.named(String(widgetId)), null, encodeValue(content, true), edits.newGroup());
    op.buffers = (buffers ?? []).map((buffer) => encodeValue(buffer, true).buffers[0]?.[1] ?? notABuffer(buffer));
    op.onfail = onfail;
    take([op]);
    if (host.state !== "live" && edits.queue.has(op)) edits.dropOverflow();
    host.wake();
    return true;
  }

  /** @param {unknown} buffer @returns {never} */
  function notABuffer(buffer) {
    throw new DOMException(`Expected a buffer, got ${Object.prototype.toString.call(buffer)}`, "DataCloneError");
  }

  /** @param {readonly Op[]} ops fresh ones, whose bytes are the widget's still */
  function take(ops) {
    for (const op of ops) {
      op.isBorrowed = true;
      put(op);
    }
    // What can leave now is copied once, into its frame.
    const isLarge = ops.some((op) => op.isBorrowed && bytesIn(op) >= LARGE_BYTES);
    if (isLarge && host.state === "live") host.drain();
    edits.settleCopies(ops);
  }

  /** @param {Op} op */
  function bytesIn({ value, buffers }) {
    return [...value.buffers.map(([, bytes]) => bytes), ...buffers].reduce((sum, { length }) => sum + length, 0);
  }

  /** @param {Op} op */
  function put(op) {
    if (host.isOver()) {
      host.faultOf(op, "undeliverable", "The connection has ended");
    } else if (op.entry.isStale && !op.slot) {
      host.faultOf(op, "undeliverable", "The server was started anew, and the widget is not there yet");
    } else if (host.policy === "drop" && host.state !== "live") {
      edits.refuse(op, "dropped", "There is no connection");
    } else {
      edits.put(op);
      if (op.entry.inst === null && op.entry.early.includes(op)) earlySince ??= host.now;
    }
  }

  /** @param {string} widgetId @param {string} property */
  function isPending(widgetId, property) {
    return (widgets.get(widgetId)?.slots.get(property)?.pending ?? 0) > 0;
  }

  /** @param {Entry} entry @param {boolean} isBack */
  function addressEarly(entry, isBack) {
    for (const op of edits.takeEarly(entry)) {
      op.inst = entry.inst ?? 0;
      if (isBack && op.slot) op.ifRev = neverSeen(op.slot);
      if (isBack && op.slot && !entry.writable.has(op.slot.property)) dropOrphan(op);
      else edits.queue.push(op);
    }
  }

  /** @param {Entry} entry */
  function dropEarly(entry) {
    for (const op of edits.takeEarly(entry)) dropOrphan(op);
  }

  /** @param {Op} op An edit of a widget that did not come back as it was. */
  function dropOrphan(op) {
    if (op.slot) shown.settle(op.slot);
    host.faultOf(op, "dropped", "The server was started anew, without this property");
  }

  function expireEarly() {
    earlySince = null;
    for (const entry of widgets.all()) {
      if (entry.inst !== null) continue;
      const message = `Widget ${entry.widgetId} is not open`;
      for (const op of edits.takeEarly(entry)) host.faultOf(op, "unknown_widget", message);
    }
  }

  return {
    sendUpdate,
    sendUpdates,
    sendMessage,
    isPending,
    addressEarly,
    dropEarly,
    expireEarly,
    get earlySince() {
      return earlySince;
    },
    /** The connection is live: what waits for its widget waits from now on. */
    becameLive() {
      if (earlySince !== null) earlySince = host.now;
    },

    /** What the session passes on. */
    page: {
      sendUpdate,
      sendUpdates,
      sendMessage,
      isPending,

      /** @param {string} widgetId */
      model: (widgetId) => widgets.get(widgetId)?.model ?? undefined,
      /** Whether the server has opened it. @param {string} widgetId */
      isOpen: (widgetId) => {
        const entry = widgets.get(widgetId);
        return entry !== undefined && entry.inst !== null && !entry.isStale;
      },
      /** @param {string} widgetId @returns {WidgetData | undefined} */
      widgetData: (widgetId) => widgets.get(widgetId)?.widgetData,
      /** @returns {Model[]} */
      models: () => widgets.all().flatMap(({ inst, model }) => (inst !== null && model ? [model] : [])),
      /**
       * The model of a widget, made now if the server has not opened it yet.
       *
       * @param {WidgetData} widgetData
       * @param {Record<string, unknown>} values its state, decoded
       */
      open(widgetData, values) {
        const widgetId = String(widgetData.widget_id);
        const entry = widgets.named(widgetId);
        if (entry.model) return entry.model;
        entry.widgetData = widgetData;
        return widgets.makeModel(entry, values);
      },
      /** Ends the page's model of a widget; asked for again, there is a new one. @param {string} widgetId */
      closeModel(widgetId) {
        const entry = widgets.get(widgetId);
        if (!entry) return;
        entry.model?.close();
        if (entry.inst === null) entry.model = null;
        else widgets.makeConfirmedModel(entry);
      },
      closeModels() {
        const all = widgets.all();
        widgets.clear();
        for (const { model } of all) model?.close();
      },
      /** @param {string} widgetId @param {Receiver} receiver @returns {() => void} */
      attach: (widgetId, receiver) => shown.attach(widgetId, receiver, widgets.get(widgetId)?.slots.values() ?? []),
      /**
       * What a connection in base mode goes on with, when the server turns out to speak nothing else. This session is
       * of no use afterwards.
       */
      handOver() {
        const models = widgets.all().flatMap(({ model, widgetData }) => (model ? [{ model, widgetData }] : []));
        const waiting = widgets.all().flatMap((entry) => edits.takeEarly(entry)).sort((a, b) => a.group - b.group);
        return {
          models,
          receivers: shown.receivers,
          edits: waiting.flatMap(({ entry, slot, value }) =>
            slot ? [/** @type {const} */ ([entry.widgetId, slot.property, decodeValue(value)])] : [],
          ),
          messages: waiting.filter(({ slot }) => slot === null),
        };
      },
    },
  };
}

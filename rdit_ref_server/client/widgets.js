/**
 * The widgets that a session knows, and what Python has confirmed of each.
 *
 * A widget is open when the server has said so: then it has an incarnation, `inst`, and what is said of another
 * incarnation is not about it. Before, there may be edits of it that wait. After another server was started it is
 * *stale* until that one opens an equal one, of the same id and kind; then its model goes on. One that is missing in
 * the first `sync` of the new server is *absent*, and may still come for a while.
 */

import { copyData } from "./binary.js";
import { createModel } from "./model.js";

/** @typedef {import("./batches.js").Op} Op */
/** @typedef {import("./exchange.js").WidgetData} WidgetData */
/** @typedef {import("./model.js").Model} Model */

/**
 * One property of one widget.
 *
 * @typedef {object} Slot
 * @property {Entry} entry
 * @property {string} property
 * @property {{ readonly value: any, rev: number } | null} confirmed what Python has, as far as we know; never handed out
 * @property {number} seenRev what the page shows, or showed when it was edited, if that is looked at
 * @property {number} pending ops that wait or are unacknowledged
 * @property {Op | null} queued the last one that waits
 */

/**
 * One widget, as its session knows it.
 *
 * @typedef {object} Entry
 * @property {string} widgetId
 * @property {number | null} inst null: the server has not opened it yet
 * @property {string | null} kind
 * @property {boolean} isStale from before the server was started anew: it has not come back yet
 * @property {boolean} isClosed
 * @property {ReadonlySet<string>} writable
 * @property {ReadonlySet<string>} ifUnchanged properties that are written only as this page saw them
 * @property {Map<string, Slot>} slots
 * @property {Model | null} model
 * @property {WidgetData} widgetData
 * @property {Op[]} early what waits for the widget to open
 */

/**
 * @typedef {object} WidgetsHost
 * @property {import("./model.js").Channel} channel where the models send
 * @property {import("./model.js").Profile} [profile]
 * @property {(fault: import("./model.js").Fault) => void} onerror of the models
 * @property {(id: string) => Promise<Model>} getModel
 * @property {(event: import("./events.js").SessionEvent) => void} tell
 * @property {(entry: Entry, isBack: boolean) => void} opened what waited for it may go; `isBack`: it was absent
 * @property {(entry: Entry) => void} closed what waited for it never will
 * @property {Pick<import("./shown.js").Shown, "settle" | "isCertain">} shown
 */

/** @typedef {ReturnType<typeof createWidgets>} Widgets */

/** @param {WidgetsHost} host */
export function createWidgets(host) {
  /** @type {Map<string, Entry>} */
  const entries = new Map();
  /** Slots of widgets that are closed, while edits of them are pending: the next widget of that id has them, too. */
  const closedSlots = /** @type {Map<string, Map<string, Slot>>} */ (new Map());
  /** @type {Set<Entry>} */
  const absent = new Set();

  /** @param {string} widgetId @returns {Entry} */
  function add(widgetId) {
    /** @type {Entry} */
    const entry = {
      widgetId,
      inst: null,
      kind: null,
      isStale: false,
      isClosed: false,
      writable: new Set(),
      ifUnchanged: new Set(),
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
      slot = { entry, property, confirmed: null, seenRev: 0, pending: 0, queued: null };
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
      host.channel,
      { profile: host.profile, onerror: host.onerror, widgetManager: { get_model: host.getModel } },
    );
    return entry.model;
  }

  /** @param {Entry} entry */
  function makeConfirmedModel(entry) {
    /** @type {Record<string, unknown>} */
    const values = Object.create(null);
    for (const [name, { confirmed }] of entry.slots) if (confirmed) values[name] = copyData(confirmed.value);
    return makeModel(entry, values);
  }

  /** @param {any} opened @param {Entry[]} closing */
  function open(opened, closing) {
    const { widget_id: widgetId, inst, kind, props = {}, writable = [], if_unchanged: compared = [] } = opened;
    let entry = entries.get(widgetId);
    const isSame = entry && (entry.isStale ? entry.kind === kind : entry.inst === inst);
    if (entry && entry.inst !== null && !isSame) {
      close(entry, entry.inst, closing);
      entry = undefined;
    }
    const isNew = entry === undefined || entry.inst === null;
    entry ??= add(widgetId);
    const isReplacing = entry.isStale || isNew;
    const isBack = absent.delete(entry);
    entry.isStale = false;
    entry.inst = inst;
    entry.kind = kind;
    entry.writable = new Set(writable);
    entry.ifUnchanged = new Set(compared);
    setSource(entry, opened.esm_url ?? undefined, opened.esm ?? undefined);
    const source = entry.widgetData.esm_url ?? entry.widgetData.esm;
    if (source !== undefined) slotOf(entry, "_esm").confirmed = { value: source, rev: 0 };
    for (const [name, [value, rev]] of Object.entries(props)) {
      const slot = slotOf(entry, name);
      if (!isReplacing && slot.confirmed && rev <= slot.confirmed.rev) continue;
      slot.confirmed = { value, rev };
      host.shown.settle(slot);
    }
    if (!isNew && !isBack) return;
    if (!entry.model) {
      makeConfirmedModel(entry);
      for (const slot of entry.slots.values()) host.shown.isCertain(slot);
    }
    host.opened(entry, isBack);
    host.tell({ type: "open", detail: /** @type {Model} */ (entry.model) });
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
    host.shown.settle(slot);
    host.tell({ type: "source", detail: { widgetId: entry.widgetId, model } });
  }

  /** @param {Entry | undefined} entry @param {number | null} inst @param {Entry[]} closing */
  function close(entry, inst, closing) {
    if (!entry || entry.inst === null || entry.inst !== inst) return;
    entry.isClosed = true;
    entries.delete(entry.widgetId);
    absent.delete(entry);
    host.closed(entry);
    // Edits of it that wait are the server's to refuse.
    for (const [name, slot] of entry.slots) {
      slot.confirmed = null;
      if (slot.pending === 0) entry.slots.delete(name);
    }
    if (entry.slots.size > 0) closedSlots.set(entry.widgetId, entry.slots);
    closing.push(entry);
  }

  return {
    /** @param {string} widgetId */
    get: (widgetId) => entries.get(widgetId),
    /** @param {string} widgetId */
    named: (widgetId) => entries.get(widgetId) ?? add(widgetId),
    all: () => [...entries.values()],
    slotOf,
    makeModel,
    makeConfirmedModel,
    open,
    close,

    /**
     * @param {string} widgetId
     * @param {number} inst
     * @param {string} property
     * @param {NonNullable<Slot["confirmed"]>} confirmed
     * @returns {Slot | null} the slot, if it was news
     */
    change(widgetId, inst, property, confirmed) {
      const entry = entries.get(widgetId);
      if (!entry || entry.inst !== inst) return null;
      if ((property === "esm_url" || property === "_esm") && typeof confirmed.value === "string") {
        if (property === "esm_url") setSource(entry, confirmed.value, undefined);
        else setSource(entry, undefined, confirmed.value);
        return null;
      }
      const slot = slotOf(entry, property);
      if (slot.confirmed && confirmed.rev <= slot.confirmed.rev) return null;
      slot.confirmed = confirmed;
      host.shown.settle(slot);
      return slot;
    },
    /** @param {[string, number][]} live what there is besides the stale @param {Entry[]} closing */
    closeUnlisted(live, closing) {
      const listed = new Map(live);
      for (const entry of [...entries.values()]) {
        if (!entry.isStale && listed.get(entry.widgetId) !== entry.inst) close(entry, entry.inst, closing);
      }
    },
    /** @param {Slot} slot The last edit of a widget that is gone is settled. */
    forgetClosed(slot) {
      const { widgetId, slots } = slot.entry;
      // The next widget of that id may have a slot of its own there.
      if (slots.get(slot.property) === slot) slots.delete(slot.property);
      if (slots.size === 0 && closedSlots.get(widgetId) === slots) closedSlots.delete(widgetId);
    },
    clear: () => entries.clear(),

    /** Another server: nothing that the old one confirmed holds. */
    makeStale() {
      for (const entry of entries.values()) {
        if (entry.inst === null) continue;
        entry.isStale = true;
        for (const slot of entry.slots.values()) {
          slot.confirmed = null;
          slot.seenRev = 0;
        }
      }
    },
    /** The first `sync` of the new server is there: what it did not open is absent. */
    noteAbsent() {
      for (const entry of entries.values()) if (entry.isStale) absent.add(entry);
    },
    get hasAbsent() {
      return absent.size > 0;
    },
    /** What is absent still is not to come. */
    giveUpAbsent() {
      /** @type {Entry[]} */
      const closing = [];
      for (const entry of [...absent]) close(entry, entry.inst, closing);
      for (const entry of closing) entry.model?.close();
    },
  };
}

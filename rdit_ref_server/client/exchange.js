/**
 * The protocol of one page's edits and Python's pushes, without a socket: which edits wait, which are unanswered, which
 * remote values are hidden, which model a push belongs to. Whoever has a socket says when frames can leave
 * (`wentLive`), when they cannot (`wentDown`), and brings those that arrive (`receive`).
 *
 * The rules, per property:
 * - An edit leaves at once while the connection is live and fewer than two edits of the property are unanswered; else
 *   it waits, and a later edit of the property replaces it. What waits is bounded by the number of properties.
 * - Each update that was sent gets one reply, in order. When the connection is lost, the unanswered ones wait again,
 *   unless a later edit of the property is waiting already.
 * - While an edit waits or is unanswered, values that Python pushes for the property are ignored: the model would jump
 *   back under the user's hand. The server pushes the standing value once more after the last edit.
 */

import { fromWire, toWire } from "./binary.js";
import { createTeller } from "./emitter.js";
import { createModel, messageOf } from "./model.js";

/** @typedef {import("./model.js").Fault} Fault */
/** @typedef {import("./model.js").Model} Model */
/** @typedef {import("./model.js").Profile} Profile */
/** @typedef {{ handleRemoteUpdate: (property: string, value: unknown) => void }} Receiver */

/**
 * A widget as the server serializes it.
 *
 * @typedef {object} WidgetData
 * @property {string} widget_id
 * @property {Record<string, any>} model its state; bytes are `{"$b64": "..."}` at their path
 * @property {string} [esm] the text of its module, or an http(s) URL
 * @property {string} [esm_url] where its module is served, relative to the connection's `baseUrl`
 * @property {string | null} [css] text, or an http(s) URL
 * @property {string} [class_name] of the Python object
 */

/** Edits of one property that may be unanswered at a time; the next one waits and merges. */
export const MAX_UNANSWERED_PER_SLOT = 2;
/** Values kept for widgets that are not open yet. */
export const MAX_HELD_SLOTS = 10_000;
/** An edit's frame is JSON of a known type, so an error with one of these codes is about something else. */
const NEVER_ABOUT_EDITS = ["bad_json", "unknown_type"];

/** What of a widget's data its code is loaded from. */
const SOURCES = /** @type {const} */ (["esm_url", "esm"]);

/**
 * @typedef {object} Edit
 * @property {string} slot
 * @property {string} widgetId
 * @property {string} property
 * @property {string} frame
 */

/**
 * @typedef {object} Exchange
 * @property {import("./emitter.js").Emitter} emitter of the events `error`, `idle`, `open` and `output`
 * @property {(name: string, detail: unknown) => void} tell emits an event, in order with the others
 * @property {() => boolean} isIdle no edit waits and none is unanswered
 * @property {(fault: Fault) => void} report tells the subscribers of `error`
 * @property {(send: (frame: string) => void) => void} wentLive frames can leave from here on
 * @property {() => void} wentDown frames cannot leave any more, and no reply to those that left will come
 * @property {(frame: string) => void} receive
 * @property {() => void} flush sends all that waits, as the page goes away
 * @property {() => void} dropLongest gives up the longest unanswered edit: no socket will ever carry it
 * @property {(reason: string) => void} end takes no edits any more, and reports those that were not answered
 * @property {() => void} forget closes the models, forgets the receivers and the edits that wait
 * @property {() => void} closeModels
 * @property {(widgetId: string, property: string, value: unknown) => void} sendUpdate
 * @property {(text: string) => void} send one frame, as a WebSocket would; an update takes the way of all edits
 * @property {(widgetData: WidgetData) => Model} open the same id gives the same model
 * @property {(model: Model, widgetData: WidgetData) => void} adopt opens a model that was made already
 * @property {(widgetId: string) => Model | undefined} model
 * @property {(widgetId: string) => WidgetData | undefined} widgetData
 * @property {(widgetId: string) => void} closeModel
 * @property {(widgetId: string, receiver: Receiver) => () => void} attach delivers pushes to a model of one's own
 */

/** @param {string} widgetId @param {string} property */
function slotOf(widgetId, property) {
  return JSON.stringify([widgetId, property]);
}

/** @param {string} text @returns {any} */
function parseJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/**
 * @param {object} options
 * @param {Profile} [options.profile]
 * @param {number} [options.maxHeldSlots]
 * @param {(id: string) => Promise<Model>} options.getModel
 * @param {import("./emitter.js").Teller} [options.teller] where to tell; default: one of its own
 * @returns {Exchange}
 */
export function createExchange({ profile, maxHeldSlots = MAX_HELD_SLOTS, getModel, teller = createTeller() }) {
  const { emitter, tell } = teller;
  /** @typedef {{ model: Model, widgetData: WidgetData }} Opened */
  /** @type {Map<string, Opened>} */
  const opened = new Map();
  /** What each model was opened with last. @type {WeakMap<Model, WidgetData>} */
  const lastGiven = new WeakMap();
  /** @type {Map<string, Set<Receiver>>} */
  const receivers = new Map();
  /** @type {Map<string, Map<string, unknown>>} */
  const held = new Map();
  let heldSlots = 0;
  let hasDroppedHeld = false;
  /** @type {Map<string, Edit>} */
  const queue = new Map();
  /** @type {Edit[]} */
  let unanswered = [];
  /** @type {((frame: string) => void) | null} */
  let transmit = null;
  /** @type {string | null} Why edits cannot be taken any more. */
  let ended = null;
  let wasIdle = true;

  const isIdle = () => queue.size === 0 && unanswered.length === 0;

  function tellIdle() {
    if (wasIdle === isIdle()) return;
    wasIdle = !wasIdle;
    tell("idle", wasIdle);
  }

  /** @param {Fault} fault */
  function report(fault) {
    tell("error", fault);
  }

  /** @param {string} slot */
  function isMasked(slot) {
    return queue.has(slot) || unanswered.some((edit) => edit.slot === slot);
  }

  /** @param {{ isUrgent?: boolean }} [options] */
  function pump({ isUrgent = false } = {}) {
    for (const [slot, edit] of queue) {
      if (!transmit) break;
      const out = unanswered.filter((other) => other.slot === slot).length;
      // An edit never overtakes one that was made before it: Python sees the page's order.
      if (!isUrgent && out >= MAX_UNANSWERED_PER_SLOT) break;
      queue.delete(slot);
      unanswered.push(edit);
      try {
        transmit(edit.frame);
      } catch (error) {
        // Nobody will ever answer what did not leave.
        unanswered = unanswered.filter((other) => other !== edit);
        reportLost([edit], "undeliverable", messageOf(error));
      }
    }
    tellIdle();
  }

  /** @param {string} widgetId @param {string} property @param {unknown} wireValue */
  function enqueue(widgetId, property, wireValue) {
    if (ended !== null) {
      report({ code: "undeliverable", message: ended, widget_id: widgetId, property });
      return;
    }
    const slot = slotOf(widgetId, property);
    const frame = JSON.stringify({ type: "widget_update", widget_id: widgetId, property, value: wireValue });
    queue.delete(slot);
    queue.set(slot, { slot, widgetId, property, frame });
    pump();
  }

  /** @param {any} reply */
  function settle(reply) {
    // The first design's server answers a failure without saying of what: replies come in order, so of the oldest.
    const hasNames = typeof reply.widget_id === "string" && typeof reply.property === "string";
    if (!hasNames && NEVER_ABOUT_EDITS.includes(reply.code)) return undefined;
    const slot = hasNames ? slotOf(reply.widget_id, reply.property) : null;
    const at = slot === null ? 0 : unanswered.findIndex((edit) => edit.slot === slot);
    const [edit] = at < 0 ? [] : unanswered.splice(at, 1);
    return edit;
  }

  /** @param {string} widgetId @param {string} property @param {unknown} value */
  function deliver(widgetId, property, value) {
    for (const receiver of [...(receivers.get(widgetId) ?? [])]) {
      try {
        receiver.handleRemoteUpdate(property, value);
      } catch (error) {
        console.error(`[rdit] widget ${widgetId} failed to take ${property}`, error);
        report({ code: "listener_failed", message: messageOf(error), widget_id: widgetId, property, error });
      }
    }
    const entry = opened.get(widgetId);
    if (!entry) {
      hold(widgetId, property, value);
      return;
    }
    if (property === "_esm") replaceSource(entry, value);
    entry.model.handleRemoteUpdate(property, value);
  }

  /** New code comes as text, also where the old had an address. @param {Opened} entry @param {unknown} esm */
  function replaceSource(entry, esm) {
    if (typeof esm !== "string") return;
    const { esm_url: _url, ...others } = entry.widgetData;
    entry.widgetData = { ...others, esm };
  }

  /** @param {string} widgetId @param {string} property @param {unknown} value */
  function hold(widgetId, property, value) {
    const values = held.get(widgetId) ?? new Map();
    held.set(widgetId, values);
    if (!values.has(property)) heldSlots += 1;
    values.set(property, value);
    if (heldSlots <= maxHeldSlots) return;
    const [oldestId, oldest] = /** @type {[string, Map<string, unknown>]} */ (held.entries().next().value);
    held.delete(oldestId);
    heldSlots -= oldest.size;
    if (hasDroppedHeld) return;
    hasDroppedHeld = true;
    const message = `More than ${maxHeldSlots} values arrived for widgets that are not open; the oldest are forgotten`;
    report({ code: "dropped", message, widget_id: oldestId });
  }

  /** @param {string} frame */
  function receive(frame) {
    const message = typeof frame === "string" ? parseJson(frame) : null;
    switch (message?.type) {
      case "ack":
        settle(message);
        pump();
        break;
      case "error": {
        const edit = settle(message);
        report({
          code: typeof message.code === "string" ? message.code : "refused",
          message: typeof message.message === "string" ? message.message : "The server refused an edit",
          widget_id: edit?.widgetId ?? (typeof message.widget_id === "string" ? message.widget_id : undefined),
          property: edit?.property ?? (typeof message.property === "string" ? message.property : undefined),
        });
        pump();
        break;
      }
      case "widget_update": {
        const { widget_id: widgetId, property, value } = message;
        if (typeof widgetId !== "string" || typeof property !== "string" || !Object.hasOwn(message, "value")) break;
        if (isMasked(slotOf(widgetId, property))) break;
        try {
          deliver(widgetId, property, fromWire(value));
        } catch (error) {
          report({ code: "bad_message", message: messageOf(error), widget_id: widgetId, property, error });
        }
        break;
      }
      case "output":
        tell("output", message);
        break;
    }
  }

  /** @param {Iterable<Edit>} edits @param {string} code @param {string} text */
  function reportLost(edits, code, text) {
    for (const { widgetId, property } of edits) {
      report({ code, message: text, widget_id: widgetId, property });
    }
  }

  /** @param {string} text */
  function send(text) {
    const message = parseJson(text);
    if (message?.type === "widget_update") {
      enqueue(String(message.widget_id), String(message.property), message.value ?? null);
    } else if (transmit) {
      transmit(text);
    } else {
      throw new DOMException("The connection is not live", "InvalidStateError");
    }
  }

  /** @type {Exchange["sendUpdate"]} */
  function sendUpdate(widgetId, property, value) {
    enqueue(String(widgetId), String(property), toWire(value));
  }

  function wentDown() {
    transmit = null;
    const waiting = [...queue.values()];
    queue.clear();
    for (const edit of [...unanswered, ...waiting]) {
      queue.delete(edit.slot);
      queue.set(edit.slot, edit);
    }
    unanswered = [];
    tellIdle();
  }

  function dropLongest() {
    const [longest] = [...unanswered].sort((a, b) => b.frame.length - a.frame.length);
    if (!longest) return;
    unanswered = unanswered.filter((edit) => edit !== longest);
    reportLost([longest], "too_large", `The server takes no message of ${longest.frame.length} characters`);
    tellIdle();
  }

  /** @param {string} reason */
  function end(reason) {
    if (ended !== null) return;
    wentDown();
    ended = reason;
    const lost = [...queue.values()];
    queue.clear();
    reportLost(lost, "undeliverable", reason);
    tellIdle();
  }

  /** @type {Exchange["open"]} */
  function open(widgetData) {
    const widgetId = String(widgetData.widget_id);
    const existing = opened.get(widgetId);
    if (existing) {
      renewSource(existing, widgetData);
      return existing.model;
    }
    const state = /** @type {Record<string, unknown>} */ (fromWire(widgetData.model ?? {}));
    const source = widgetData.esm_url ?? widgetData.esm;
    const model = createModel(
      widgetId,
      {
        ...(source === undefined ? {} : { _esm: source }),
        ...(widgetData.css ? { _css: widgetData.css } : {}),
        ...state,
      },
      { sendUpdate },
      { profile, onerror: report, widgetManager: { get_model: getModel } },
    );
    lastGiven.set(model, widgetData);
    adopt(model, widgetData);
    return model;
  }

  /**
   * Whoever opens a widget again may have newer code or style of it: other than was given last, not other than the model
   * has, for Python may have changed it since. The state is the model's to know.
   *
   * @param {{ model: Model, widgetData: WidgetData }} entry
   * @param {WidgetData} given
   */
  function renewSource(entry, given) {
    const { model, widgetData } = entry;
    const last = lastGiven.get(model) ?? widgetData;
    const brought = SOURCES.filter((key) => given[key] !== undefined);
    // Field by field: the same code may be given here as text and there by its address.
    const isOther = brought.some((key) => last[key] !== undefined && given[key] !== last[key]);
    const isFirst = brought.length > 0 && SOURCES.every((key) => last[key] === undefined);
    const { esm, esm_url, css = last.css } = given;
    /** @type {Partial<WidgetData>} */
    const news = {};
    if (isOther || isFirst) Object.assign(news, { esm, esm_url });
    if ((css || null) !== (last.css || null)) news.css = css;
    lastGiven.set(model, { ...last, ...news });
    entry.widgetData = { ...widgetData, ...news };
    model.applyRemote([
      ...("esm" in news ? [/** @type {const} */ (["_esm", esm_url ?? esm])] : []),
      ...("css" in news ? [/** @type {const} */ (["_css", css || null])] : []),
    ]);
  }

  /** @type {Exchange["adopt"]} */
  function adopt(model, widgetData) {
    const { widgetId } = model;
    const entry = { model, widgetData };
    opened.set(widgetId, entry);
    const early = held.get(widgetId);
    if (early) {
      replaceSource(entry, early.get("_esm"));
      held.delete(widgetId);
      heldSlots -= early.size;
      model.applyRemote(early);
    }
    tell("open", model);
  }

  /** @param {string} widgetId */
  function closeModel(widgetId) {
    const entry = opened.get(widgetId);
    opened.delete(widgetId);
    entry?.model.close();
  }

  function closeModels() {
    const models = [...opened.values()];
    opened.clear();
    held.clear();
    heldSlots = 0;
    for (const { model } of models) model.close();
  }

  function forget() {
    closeModels();
    receivers.clear();
    queue.clear();
    tellIdle();
  }

  /** @type {Exchange["attach"]} */
  function attach(widgetId, receiver) {
    const set = receivers.get(widgetId) ?? new Set();
    receivers.set(widgetId, set.add(receiver));
    for (const [property, value] of held.get(widgetId) ?? []) receiver.handleRemoteUpdate(property, value);
    return () => {
      set.delete(receiver);
      if (set.size === 0 && receivers.get(widgetId) === set) receivers.delete(widgetId);
    };
  }

  return {
    emitter,
    tell,
    isIdle,
    report,
    wentLive(transmitter) {
      transmit = transmitter;
      pump();
    },
    wentDown,
    receive,
    flush: () => pump({ isUrgent: true }),
    dropLongest,
    end,
    forget,
    closeModels,
    sendUpdate,
    send,
    open,
    adopt,
    model: (widgetId) => opened.get(widgetId)?.model,
    widgetData: (widgetId) => opened.get(widgetId)?.widgetData,
    closeModel,
    attach,
  };
}

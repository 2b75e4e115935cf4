/** What a session tells its driver, in order, and how it words what went wrong. */

/** @typedef {import("./batches.js").Op} Op */
/** @typedef {import("./model.js").Fault} Fault */
/** @typedef {import("./model.js").Model} Model */

/**
 * @typedef {{ type: "fault", detail: Fault } | { type: "open", detail: Model } | { type: "output", detail: any } |
 *   { type: "source", detail: { widgetId: string, model: Model } } |
 *   { type: "restarted", detail: import("./aftermath.js").Restarted }} SessionEvent
 */

/** @typedef {ReturnType<typeof createEvents>} Events */

export function createEvents() {
  /** @type {SessionEvent[]} */
  let events = [];

  /** @param {Fault} detail */
  const fault = (detail) => void events.push({ type: "fault", detail });

  return {
    /** @param {SessionEvent} event */
    tell: (event) => void events.push(event),
    fault,
    /** What became of an op; a message's sender hears of it, too. @type {import("./edits.js").EditsHost["faultOf"]} */
    faultOf(op, code, message, cause) {
      /** @type {Fault} */
      const detail = { code, message, widget_id: op.entry.widgetId };
      if (op.slot) detail.property = op.slot.property;
      if (cause) detail.cause = cause;
      fault(detail);
      op.onfail?.(detail);
    },
    /** @returns {SessionEvent[]} what there is to tell since the last call */
    take() {
      const taken = events;
      events = [];
      return taken;
    },
  };
}

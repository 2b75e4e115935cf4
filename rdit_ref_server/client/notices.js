/**
 * What the reader of a page is told when an edit or a message did not become what they think it did.
 */

/** @typedef {import("./model.js").Fault} Fault */

/** @param {number} count @param {string} one @param {string} [many] */
function counted(count, one, many = `${one}s`) {
  return `${count} ${count === 1 ? one : many}`;
}

/** @param {Fault} fault */
function subjectOf({ code, property, widget_id: widgetId }) {
  if (property) return `an edit of ${property} in widget ${widgetId}`;
  const isMessage = ["lost", "delivery_unknown", "queue_full", "handler_failed"].includes(code);
  return isMessage && widgetId ? `a message of widget ${widgetId}` : "an edit";
}

/**
 * @param {Fault} fault
 * @returns {string | null} null: it is told elsewhere
 */
export function noticeOf(fault) {
  const { code, message, property, cause } = fault;
  if (cause === "restart") return null;
  const subject = subjectOf(fault);
  switch (code) {
    case "no_python":
      return "A widget has a question or a message for Python, which is not there: parts of it may not work in this page";
    case "unsupported":
      return `Widget ${fault.widget_id}: ${message}`;
    case "undeliverable":
      return `Not delivered: ${subject}. ${message}`;
    case "delivery_unknown":
      return `Perhaps not delivered: ${subject}. ${message} (${code})`;
    case "dropped":
      // In base mode also values of Python's for widgets that nobody opens.
      return property ? `Not kept: ${subject}. ${message} (${code})` : `${message} (${code})`;
    case "lost":
    case "queue_full":
    case "too_large":
      return `Not kept: ${subject}. ${message} (${code})`;
    case "conflict":
      return `Not kept: ${subject}. Python's value had changed meanwhile, and is shown now (${code})`;
    case "observer_failed":
      return `Python took ${subject}, and its own code failed then: ${message} (${code})`;
    case "handler_failed":
      return `Python failed to handle ${subject}: ${message} (${code})`;
    case "bad_frame":
      return `This page cannot read what the server says: ${message} (${code})`;
    case "lost_messages":
    case "bad_message":
      return `${message} (${code})`;
  }
  // A server that names the property in its text need not be repeated.
  if (property && message.includes(`'${property}'`)) return `Python refused an edit: ${message} (${code})`;
  return `Python refused ${subject}: ${message} (${code})`;
}

/**
 * What the page's content security policy kept a widget's code from.
 *
 * @param {{ blockedURI: string, effectiveDirective: string }} violation
 * @param {string} [advice] what to do about the network; default: nothing can be done
 * @returns {string | null} null: nothing that a widget's user could do anything about
 */
export function violationNotice({ blockedURI, effectiveDirective }, advice) {
  // `new Function` and what only looks like it are `eval` too.
  if (blockedURI === "eval") {
    return (
      "A widget wants to make code out of text, which this page does not allow. " +
      "If you trust it, start the server with --allow-eval"
    );
  }
  const origin = /^https?:\/\/[^/]+/.exec(blockedURI)?.[0];
  if (origin === undefined) return null;
  const what = effectiveDirective.startsWith("script-src") ? "code" : "data";
  const ending = advice ? `. If you trust it, ${advice}` : ": it loads from its own server only";
  return `A widget wants to load ${what} from ${origin}, which this page does not allow${ending}`;
}

/**
 * What is said at a widget of a page that may see only.
 *
 * @param {Fault} fault
 */
export function readOnlyNotice({ property }) {
  return `Read-only page: ${property ? "this change was not kept" : "Python was not told of this"}`;
}

export const GOING_AWAY_NOTICE = "The server is going away. This page connects again when it is back.";

/**
 * @param {import("./aftermath.js").Restarted} restarted
 * @returns {string}
 */
export function restartNotice({ reapplied, dropped, waiting, lost }) {
  const parts = ["The server was started anew; the page shows its state now."];
  if (reapplied > 0) parts.push(`${counted(reapplied, "unsaved edit was", "unsaved edits were")} applied again.`);
  if (dropped > 0) parts.push(`${counted(dropped, "unsaved edit", "unsaved edits")} could not be kept.`);
  const wait = counted(waiting, "unsaved edit waits", "unsaved edits wait");
  if (waiting > 0) parts.push(`${wait} for a widget to come back.`);
  if (lost > 0) parts.push(`${counted(lost, "message")} did not get through.`);
  return parts.join(" ");
}

/**
 * @param {string[]} changed names of files
 * @returns {string}
 */
export function rerunNotice(changed) {
  return `Saved: ${changed.join(", ")}. This is a new run of the script.`;
}

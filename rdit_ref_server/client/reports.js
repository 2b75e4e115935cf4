/**
 * Errors of widgets' code on their way to Python. While there is no connection the first ones wait: what failed first
 * says most, and of those behind it only their number is told.
 */

const MAX_REPORT_CHARS = 20_000;
/** So many wait; the number of the others is told. */
export const MAX_WAITING_REPORTS = 32;

/** @typedef {ReturnType<typeof createReports>} Reports */

export function createReports() {
  /** @type {Record<string, unknown>[]} */
  let waiting = [];
  let lost = 0;
  /** Where the last of the lost ones happened. */
  let lastLost = { widget_id: "", stage: "" };

  return {
    get isWaiting() {
      return waiting.length > 0;
    },
    /**
     * @param {{ widgetId: string, stage: string, message: string, stack: string }} report
     * @param {boolean} isBounded there is no connection; while there is, a burst only waits for its turn
     */
    add({ widgetId, stage, message, stack }, isBounded) {
      if (isBounded && waiting.length >= MAX_WAITING_REPORTS) {
        lost += 1;
        lastLost = { widget_id: widgetId, stage };
        return;
      }
      waiting.push({
        type: "report",
        widget_id: widgetId,
        stage,
        message: message.slice(0, MAX_REPORT_CHARS),
        ...(stack ? { stack: stack.slice(0, MAX_REPORT_CHARS) } : {}),
      });
    },
    /** Everything that waits, as messages. */
    take() {
      const taken = waiting;
      if (lost > 0) taken.push({ type: "report", ...lastLost, message: lostText(lost) });
      waiting = [];
      lost = 0;
      return taken;
    },
  };
}

/** @param {number} count */
function lostText(count) {
  return `and ${count} more ${count === 1 ? "error" : "errors"} while there was no connection`;
}

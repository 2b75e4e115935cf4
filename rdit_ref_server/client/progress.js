/**
 * How far a script is: which statement of how many runs, and for how long.
 *
 * A script that is done in a blink shows nothing of this. What is shown takes no room that was not kept for it, so that
 * nothing moves under a pointer; and it is no live region, for it changes each second. Now and then it is announced.
 */

import { setText } from "./results.js";

/** A run, and a statement, that takes no longer shows no progress. */
export const SHOWN_AFTER_MS = 400;
const TICK_MS = 1_000;
/** How often a run that goes on is announced. */
export const ANNOUNCED_EVERY_MS = 60_000;

/** @param {number} ms @returns {string} as 0:05, 12:05 or 1:02:05 */
export function durationText(ms) {
  const seconds = Math.floor(ms / 1000);
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  if (parts[0] === 0) parts.shift();
  return parts.map((part, index) => (index === 0 ? String(part) : String(part).padStart(2, "0"))).join(":");
}

/** @param {number} ms */
function spokenDuration(ms) {
  const minutes = Math.round(ms / 60_000);
  return minutes === 1 ? "1 minute" : `${minutes} minutes`;
}

/**
 * @param {object} options
 * @param {any} options.window its document has the elements of `index.html`
 * @param {(text: string) => void} options.announce
 * @param {() => number} options.now milliseconds of a clock that does not jump
 */
export function createProgress({ window, announce, now }) {
  /** @type {Document} */
  const document = window.document;
  /** @param {string} id @returns {HTMLElement} */
  const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
  const root = byId("rdit-outputs");
  const label = byId("rdit-progress");
  const bar = byId("rdit-progress-bar");
  /** @type {{ statement: number, total: number | null, atMs: number } | null} */
  let current = null;
  let beganMs = 0;
  let announcedMs = 0;
  let isHeard = true;
  /** @type {any} */
  let timer = null;

  function mark() {
    const isLong = current !== null && isHeard && now() - current.atMs >= SHOWN_AFTER_MS;
    const section = isLong ? root.querySelector(`.rdit-statement[data-statement="${current?.statement}"]`) : null;
    for (const other of root.querySelectorAll(".rdit-statement[data-busy]")) {
      if (other === section) continue;
      other.removeAttribute("data-busy");
      other.removeAttribute("aria-current");
    }
    section?.setAttribute("data-busy", "");
    section?.setAttribute("aria-current", "step");
  }

  function update() {
    window.clearTimeout(timer);
    timer = null;
    mark();
    const elapsedMs = now() - beganMs;
    const isShown = current !== null && isHeard && elapsedMs >= SHOWN_AFTER_MS;
    label.hidden = bar.hidden = !isShown;
    if (current === null || !isHeard) return;
    const { statement, total, atMs } = current;
    const place = total === null ? String(statement) : `${statement} of ${total}`;
    if (isShown) {
      setText(label, `Statement ${place} · ${durationText(elapsedMs)}`);
      bar.toggleAttribute("data-unknown", total === null);
      if (total === null) bar.removeAttribute("aria-valuenow");
      else {
        bar.setAttribute("aria-valuemax", String(total));
        bar.setAttribute("aria-valuenow", String(statement - 1));
        bar.style.setProperty("--done", String((statement - 1) / total));
      }
    }
    if (now() - announcedMs >= ANNOUNCED_EVERY_MS) {
      announcedMs = now();
      announce(`Still running: statement ${place}, ${spokenDuration(elapsedMs)}`);
    }
    const waits = [TICK_MS - (elapsedMs % TICK_MS), SHOWN_AFTER_MS - elapsedMs, SHOWN_AFTER_MS - (now() - atMs)];
    timer = window.setTimeout(update, Math.min(...waits.filter((wait) => wait > 0)));
  }

  return {
    /** A statement begins. @param {import("./outputs.js").ExecutionEvent} event */
    begin({ statement, total, elapsed_s: elapsedS }) {
      if (current === null) beganMs = announcedMs = now();
      if (typeof elapsedS === "number") beganMs = now() - elapsedS * 1000;
      const isCounted = typeof total === "number" && total >= statement;
      current = { statement: Number(statement), total: isCounted ? total : null, atMs: now() };
      update();
    },
    /** Nothing runs any more. */
    end() {
      current = null;
      update();
    },
    /** Says whether the page hears of what runs. @param {boolean} hears */
    hear(hears) {
      if (isHeard === hears) return;
      isHeard = hears;
      update();
    },
  };
}

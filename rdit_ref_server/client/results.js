/**
 * What a page of results is made of, whether Python is behind it or not: outputs with their widgets in them, the button
 * that shows the code, notices, and the errors that the page keeps for whoever asks (`window.__rditErrors`).
 */

import { renderWidget } from "./host.js";
import { messageOf } from "./model.js";
import { createOutputs } from "./outputs.js";

/** More notices than this push the oldest out. */
export const MAX_NOTICES = 5;
/** What is said at a widget is seen for so long. */
export const SAID_MS = 6_000;

/** @typedef {{ stage: string, message: string }} PageError */
/** @typedef {ReturnType<typeof createResults>} Results */

/**
 * Writing equal text again would be announced again.
 *
 * @param {Element} el
 * @param {string} text
 */
export function setText(el, text) {
  if (el.textContent !== text) el.textContent = text;
}

/**
 * @param {object} options
 * @param {any} options.window its document has the elements of `index.html`
 * @param {import("./connection.js").Connection} options.connection
 * @param {() => void} options.onsettled called when a widget has rendered or failed to
 * @param {(url: string) => Promise<any>} [options.importModule]
 */
export function createResults({ window, connection, onsettled, importModule }) {
  /** @type {Document} */
  const document = window.document;
  /** @param {string} id @returns {HTMLElement} */
  const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
  const root = byId("rdit-outputs");
  const notices = byId("rdit-notices");
  const codeButton = byId("rdit-code");
  const outputs = createOutputs({ root, onWidget: showWidget });

  /** @type {PageError[]} */
  const errors = (window.__rditErrors = []);
  /** @param {string} stage @param {unknown} error */
  const recordError = (stage, error) => void errors.push({ stage, message: messageOf(error) });
  window.addEventListener("error", (/** @type {ErrorEvent} */ event) =>
    recordError("page", event.error ?? event.message),
  );
  window.addEventListener("unhandledrejection", (/** @type {PromiseRejectionEvent} */ event) =>
    recordError("promise", event.reason),
  );

  let isCodeShown = false;
  /** What takes a note away. @type {WeakMap<Element, any>} */
  const said = new WeakMap();
  /** Widgets of this run that have neither rendered nor failed yet. @type {Set<object>} */
  let rendering = new Set();

  /** @param {any} widgetData @param {HTMLElement} el @param {AbortSignal} signal */
  function showWidget(widgetData, el, signal) {
    const ticket = {};
    const tickets = rendering;
    tickets.add(ticket);
    renderWidget({
      widgetData,
      el,
      connection,
      signal,
      importModule,
      onerror(failure) {
        console.error(`[rdit] ${failure.name} failed (${failure.stage})`, failure.error);
        recordError(failure.stage, failure.error);
      },
    })
      .catch((error) => recordError("open", error))
      .finally(() => {
        tickets.delete(ticket);
        onsettled();
      });
  }

  function openCode() {
    for (const details of root.querySelectorAll("details.rdit-code")) details.toggleAttribute("open", isCodeShown);
  }

  codeButton.addEventListener("click", () => {
    isCodeShown = !isCodeShown;
    codeButton.setAttribute("aria-pressed", String(isCodeShown));
    root.toggleAttribute("data-show-code", isCodeShown);
    openCode();
  });

  return {
    outputs,
    recordError,
    /** Whether a widget has neither rendered nor failed yet. */
    get isRendering() {
      return rendering.size > 0;
    },
    /** Whether no statement has shown anything. */
    get isEmpty() {
      return root.querySelector(".rdit-statement:not([data-empty])") === null;
    },
    /** @param {import("./outputs.js").ExecutionEvent & { kind: string }} event */
    show(event) {
      outputs.show(event);
      if (event.kind === "statement" && isCodeShown) openCode();
    },
    /** Ends all views, and forgets what was shown. */
    clear() {
      rendering = new Set();
      outputs.clear();
    },
    /**
     * Says something at a widget, for a while. Nothing moves for it, and it takes no click.
     *
     * @param {string} widgetId
     * @param {string} text
     * @returns {boolean} whether the widget is to be seen
     */
    sayAt(widgetId, text) {
      const views = [...root.querySelectorAll("[data-widget-id]")];
      const own = views.filter((view) => view.getAttribute("data-widget-id") === widgetId);
      const places = new Set(own.map((view) => view.closest(".rdit-widget-output")));
      for (const place of places) {
        if (!place) continue;
        const note = place.querySelector(":scope > .rdit-said") ?? document.createElement("p");
        note.className = "rdit-said";
        if (!note.firstChild) note.append(document.createElement("span"));
        place.append(note);
        setText(/** @type {Element} */ (note.firstChild), text);
        window.clearTimeout(said.get(note));
        said.set(note, window.setTimeout(() => note.remove(), SAID_MS));
      }
      return places.size > 0;
    },
    /** @param {string} text @param {string} [topic] replaces the notice on the same topic, and outlives a reset */
    notify(text, topic) {
      const equal = [...notices.children].find((notice) => notice.firstChild?.textContent === text);
      if (equal && equal === notices.lastElementChild) return;
      // Told again, it is the latest again.
      equal?.remove();
      if (topic) notices.querySelector(`[data-topic="${topic}"]`)?.remove();
      const notice = document.createElement("p");
      notice.className = "rdit-notice";
      if (topic) notice.setAttribute("data-topic", topic);
      const message = document.createElement("span");
      message.textContent = text;
      const dismiss = document.createElement("button");
      dismiss.type = "button";
      dismiss.textContent = "Dismiss";
      dismiss.setAttribute("aria-label", `Dismiss: ${text}`);
      dismiss.addEventListener("click", () => {
        const next = notice.nextElementSibling ?? notice.previousElementSibling;
        notice.remove();
        // Whoever dismisses them by keyboard is not sent back to the top of the page.
        next?.querySelector("button")?.focus();
      });
      notice.append(message, dismiss);
      notices.append(notice);
      while (notices.childElementCount > MAX_NOTICES) notices.firstElementChild?.remove();
    },
  };
}

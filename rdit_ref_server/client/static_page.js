/**
 * The page that `rdit export` writes: results as they were, widgets as far as their own code goes.
 *
 * All that it shows is in the document, in script elements of data: frames with the state of the widgets
 * (`data-rdit-frame`, base64 where they are bytes), the text of the widgets' modules, the events of the run. What is long
 * goes on in elements with `data-rdit-more`.
 */

import { decodeBase64 } from "./binary.js";
import { noticeOf, violationNotice } from "./notices.js";
import { createResults } from "./results.js";
import { createStatic } from "./static.js";

/** @param {Element} element @returns {string} its text, with what goes on in the elements behind it */
function textOf(element) {
  const pieces = [];
  /** @type {Element | null} */
  let piece = element;
  do {
    pieces.push(piece.textContent ?? "");
    piece = piece.nextElementSibling;
  } while (piece?.hasAttribute("data-rdit-more"));
  return pieces.join("");
}

/**
 * Brings the page to life; its elements are those of `static.html`.
 *
 * @param {{ window?: any, importModule?: (url: string) => Promise<any> }} [options]
 */
export function startStaticPage({ window = globalThis.window, importModule } = {}) {
  /** @type {Document} */
  const document = window.document;
  const html = document.documentElement;
  /** @param {string} id */
  const dataOf = (id) => JSON.parse(textOf(/** @type {Element} */ (document.getElementById(id))));

  const frames = [...document.querySelectorAll("script[data-rdit-frame]")].map((element) => {
    const text = textOf(element);
    return element.getAttribute("data-rdit-frame") === "base64" ? decodeBase64(text) : text;
  });
  const modules = new Map(/** @type {[string, string][]} */ (dataOf("rdit-modules")));
  /** @type {(import("./outputs.js").ExecutionEvent & { kind: string, status?: string })[]} */
  const events = dataOf("rdit-events");

  const connection = createStatic({ frames, modules });
  const results = createResults({
    window,
    // What it lacks are transports, which nothing that renders asks for.
    connection: /** @type {any} */ (connection),
    onsettled: update,
    importModule,
  });

  let isShown = false;
  function update() {
    html.toggleAttribute("data-rdit-idle", isShown && !results.isRendering);
  }

  connection.on("error", (fault) => {
    if (fault.code === "listener_failed") return results.recordError("listener", fault.error);
    const text = noticeOf(fault);
    // However many widgets ask for Python, it is missed once.
    if (text !== null) results.notify(text, fault.code === "no_python" ? "no-python" : undefined);
  });
  document.addEventListener("securitypolicyviolation", (violation) => {
    const text = violationNotice(violation, "export the page again with --allow-network");
    if (text !== null) results.notify(text);
  });

  for (const event of events) results.show(event);
  isShown = true;
  const empty = document.getElementById("rdit-empty");
  if (empty) empty.hidden = !results.isEmpty;
  update();
  return { connection, results };
}

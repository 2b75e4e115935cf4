/**
 * Execution events as elements: which statement they belong to, and in which order they stand.
 *
 * Everything of ours goes in as text; the one exception is in `mime.js`.
 */

import { mimeElement } from "./mime.js";
import { createStream, stripAnsi } from "./terminal.js";

/**
 * One execution event; `kind` is statement, stream, display, update, clear, error, widget, done or reset.
 *
 * @typedef {object} ExecutionEvent
 * @property {string} [kind]
 * @property {number} [id]
 * @property {any} [statement]
 * @property {any} [source]
 * @property {any} [lineno]
 * @property {any} [end_lineno]
 * @property {any} [total] of a statement: how many there are
 * @property {any} [elapsed_s] of a statement: for how long its run has gone on when this is sent
 * @property {any} [name]
 * @property {any} [text]
 * @property {any} [data]
 * @property {any} [metadata]
 * @property {any} [formulas] of a display or an update: see `formulas.js`
 * @property {any} [display_id] of a display, a widget or an update: what an update finds it by
 * @property {any} [wait] of a clear: whether to wait for what the statement shows next
 * @property {any} [ename]
 * @property {any} [evalue]
 * @property {any} [traceback]
 * @property {any} [changed] of a reset: names of the files because of which the script runs anew
 */

/** A statement shows this many outputs besides widgets; older ones give way. */
export const MAX_OUTPUTS = 2_000;

/**
 * @typedef {object} Outputs
 * @property {(event: ExecutionEvent & { kind: string }) => void} show unknown kinds are ignored
 * @property {() => void} clear
 */

/**
 * Shows execution events below `root`, one section per statement.
 *
 * @param {object} options
 * @param {HTMLElement} options.root
 * @param {(event: any, el: HTMLElement, signal: AbortSignal) => void} options.onWidget renders a widget event into an
 *   element; the signal ends the view
 * @returns {Outputs}
 */
export function createOutputs({ root, onWidget }) {
  const document = root.ownerDocument;
  /**
   * @typedef {object} Entry
   * @property {HTMLElement} section
   * @property {HTMLElement} outputs
   * @property {import("./terminal.js").Stream | null} stream the last output, if text may be added to it
   * @property {boolean} isClearing whether what is shown next takes the place of everything
   * @property {Map<string, HTMLElement[]>} displays by display id
   * @property {number} left how many outputs gave way
   * @property {AbortController} lifetime ends the views of its widgets
   */
  /** @type {Map<unknown, Entry>} */
  const statements = new Map();

  /**
   * @template {keyof HTMLElementTagNameMap} K
   * @param {K} tag
   * @param {string} className
   * @param {string} [text]
   */
  function element(tag, className, text) {
    const el = document.createElement(tag);
    el.className = className;
    if (text !== undefined) el.textContent = text;
    return el;
  }

  /** @param {unknown} statement */
  function entryOf(statement) {
    const key = statement ?? null;
    let entry = statements.get(key);
    if (!entry) {
      const section = element("section", "rdit-statement");
      section.setAttribute("data-empty", "");
      if (key === null) section.setAttribute("aria-label", "Later output");
      else section.setAttribute("data-statement", String(key));
      const outputs = element("div", "rdit-outputs");
      section.append(outputs);
      root.append(section);
      entry = {
        section,
        outputs,
        stream: null,
        isClearing: false,
        displays: new Map(),
        left: 0,
        lifetime: new AbortController(),
      };
      statements.set(key, entry);
    }
    return entry;
  }

  /** @param {unknown} statement @param {HTMLElement} el @param {unknown} [displayId] */
  function append(statement, el, displayId) {
    const entry = entryOf(statement);
    if (entry.isClearing) clearEntry(entry);
    entry.stream = null;
    entry.section.removeAttribute("data-empty");
    entry.outputs.append(el);
    if (displayId !== undefined) {
      const key = String(displayId);
      entry.displays.set(key, [...(entry.displays.get(key) ?? []), el]);
    }
    if (entry.outputs.childElementCount > MAX_OUTPUTS) giveWay(entry);
    return entry;
  }

  /** @param {Entry} entry */
  function clearEntry(entry) {
    entry.lifetime.abort();
    Object.assign(entry, { stream: null, isClearing: false, left: 0, lifetime: new AbortController() });
    entry.displays.clear();
    entry.outputs.replaceChildren();
    entry.section.setAttribute("data-empty", "");
  }

  /** The oldest output goes, and a note says so; widgets stay. @param {Entry} entry */
  function giveWay(entry) {
    const { outputs } = entry;
    let note = outputs.querySelector(":scope > .rdit-left-out");
    if (!note) {
      note = element("p", "rdit-left-out");
      outputs.prepend(note);
    }
    while (outputs.childElementCount > MAX_OUTPUTS) {
      const oldest = outputs.querySelector(":scope > :not(.rdit-left-out, .rdit-widget-output)");
      if (!oldest || oldest === outputs.lastElementChild) break;
      oldest.remove();
      entry.left += 1;
    }
    note.textContent = `${entry.left} earlier outputs are not shown.`;
  }

  /** @param {ExecutionEvent} event */
  function showStatement({ statement, source, lineno, end_lineno: endLineno }) {
    const { section, outputs } = entryOf(statement);
    if (section.querySelector(":scope > details")) return;
    const details = element("details", "rdit-code");
    const lines = lineno === endLineno || endLineno === undefined ? `Line ${lineno}` : `Lines ${lineno}–${endLineno}`;
    const pre = element("pre", "rdit-source");
    pre.append(element("code", "", String(source ?? "")));
    details.append(element("summary", "", lineno === undefined ? "Code" : lines), pre);
    section.insertBefore(details, outputs);
  }

  /** @param {ExecutionEvent} event */
  function showStream({ statement, name, text }) {
    const kind = name === "stderr" ? "stderr" : "stdout";
    const { stream: last, isClearing } = entryOf(statement);
    let stream = isClearing ? null : last;
    if (stream?.name !== kind) {
      const pre = element("pre", `rdit-stream rdit-${kind}`);
      pre.setAttribute("data-stream", kind);
      const entry = append(statement, pre);
      stream = entry.stream = createStream(pre, kind);
    }
    stream.write(String(text ?? ""));
  }

  /** @param {ExecutionEvent} event */
  const representation = ({ data, metadata, formulas }) => mimeElement(document, data ?? {}, metadata ?? {}, formulas);

  /** @param {ExecutionEvent} event */
  function showDisplay(event) {
    const el = representation(event);
    if (el) append(event.statement, el, event.display_id);
  }

  /** @param {ExecutionEvent} event */
  function showUpdate(event) {
    const { displays } = entryOf(event.statement);
    const key = String(event.display_id);
    const shown = (displays.get(key) ?? []).filter((el) => el.isConnected);
    if (shown.length === 0) return showDisplay(event);
    const fresh = shown.map((el) => {
      const next = representation(event) ?? element("div", "rdit-html");
      el.replaceWith(next);
      return next;
    });
    displays.set(key, fresh);
  }

  /** @param {ExecutionEvent} event */
  function clearStatement({ statement, wait }) {
    const entry = entryOf(statement);
    if (wait) entry.isClearing = true;
    else clearEntry(entry);
  }

  /** @param {ExecutionEvent} event */
  function showError({ statement, ename, evalue, traceback }) {
    const panel = element("section", "rdit-error rdit-python-error");
    panel.setAttribute("role", "group");
    panel.setAttribute("aria-label", "Error");
    const title = element("p", "rdit-error-title", evalue ? `${ename}: ${evalue}` : String(ename));
    panel.append(title);
    if (traceback) panel.append(element("pre", "rdit-traceback", stripAnsi(String(traceback))));
    append(statement, panel);
  }

  return {
    show(event) {
      switch (event.kind) {
        case "statement":
          return showStatement(event);
        case "stream":
          return showStream(event);
        case "display":
          return showDisplay(event);
        case "update":
          return showUpdate(event);
        case "clear":
          return clearStatement(event);
        case "error":
          return showError(event);
        case "widget": {
          const el = element("div", "rdit-widget-output");
          const { lifetime } = append(event.statement, el, event.display_id);
          return onWidget(event, el, lifetime.signal);
        }
        case "reset":
          return this.clear();
      }
    },
    clear() {
      for (const { lifetime } of statements.values()) lifetime.abort();
      statements.clear();
      root.replaceChildren();
    },
  };
}

/**
 * Execution events as elements.
 *
 * Everything of ours goes in as text. The one exception is `text/html`, the rich representation that the user's own
 * Python object chose, which is trusted as much as the user's widgets are; scripts inside it do not run.
 */

/**
 * One execution event; `kind` is statement, stream, display, error, widget, done or reset.
 *
 * @typedef {object} ExecutionEvent
 * @property {string} [kind]
 * @property {number} [id]
 * @property {any} [statement]
 * @property {any} [source]
 * @property {any} [lineno]
 * @property {any} [end_lineno]
 * @property {any} [name]
 * @property {any} [text]
 * @property {any} [data]
 * @property {any} [metadata]
 * @property {any} [ename]
 * @property {any} [evalue]
 * @property {any} [traceback]
 * @property {any} [changed] of a reset: names of the files because of which the script runs anew
 */

/** A stream's element keeps this much; older text gives way. */
export const MAX_STREAM_CHARS = 1_000_000;

/** Richest first. */
const MIME_PREFERENCE = [
  "text/html",
  "image/png",
  "image/jpeg",
  "image/svg+xml",
  "text/markdown",
  "text/latex",
  "application/json",
  "text/plain",
];

// ECMA-48: CSI sequences, OSC strings (closed by BEL or ST), other two-character escapes.
// eslint-disable-next-line no-control-regex
const ANSI = /\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-Z\\^-~])/g;
// eslint-disable-next-line no-control-regex
const UNFINISHED_ANSI = /\x1b(?:\[[0-?]*[ -/]*|\][^\x07\x1b]*\x1b?|[ -/]*)?$/;
/** An escape longer than this is not one. */
const MAX_ESCAPE_CHARS = 4096;

/** @param {string} text */
export function stripAnsi(text) {
  return text.replace(ANSI, "");
}

/**
 * What a terminal would show of a stream: carriage returns go back to the start of the line, what comes next overwrites
 * it (progress bars), backspace goes back by one, colours are left out. Escapes may be cut anywhere between chunks.
 */
export function createTerminalText() {
  let unfinished = "";
  let line = "";
  let column = 0;

  /** @param {string} text */
  function put(text) {
    line = line.slice(0, column) + text + line.slice(column + text.length);
    column += text.length;
  }

  return {
    /** The last line, which may still change. */
    get line() {
      return line;
    },
    /**
     * @param {string} chunk
     * @returns {string} the lines that this chunk finished, each with its newline
     */
    write(chunk) {
      let text = unfinished + chunk;
      unfinished = UNFINISHED_ANSI.exec(text)?.[0] ?? "";
      if (unfinished.length > MAX_ESCAPE_CHARS) unfinished = "";
      text = stripAnsi(unfinished ? text.slice(0, -unfinished.length) : text);
      let finished = "";
      for (const part of text.split(/([\r\n\b])/)) {
        if (part === "\n") {
          finished += `${line}\n`;
          line = "";
          column = 0;
        } else if (part === "\r") column = 0;
        else if (part === "\b") column = Math.max(0, column - 1);
        else if (part !== "") put(part);
      }
      return finished;
    },
  };
}

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
 * @param {(event: any, el: HTMLElement) => void} options.onWidget renders a widget event into an element
 * @returns {Outputs}
 */
export function createOutputs({ root, onWidget }) {
  const document = root.ownerDocument;
  /** @type {Map<unknown, { section: HTMLElement, outputs: HTMLElement, stream: Stream | null }>} */
  const statements = new Map();
  /** @typedef {{ name: string, write: (text: string) => void }} Stream */

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
      entry = { section, outputs, stream: null };
      statements.set(key, entry);
    }
    return entry;
  }

  /** @param {unknown} statement @param {HTMLElement} el */
  function append(statement, el) {
    const entry = entryOf(statement);
    entry.stream = null;
    entry.section.removeAttribute("data-empty");
    entry.outputs.append(el);
    return entry;
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
    let stream = entryOf(statement).stream;
    if (stream?.name !== kind) {
      const pre = element("pre", `rdit-stream rdit-${kind}`);
      pre.setAttribute("data-stream", kind);
      const entry = append(statement, pre);
      stream = entry.stream = createStream(pre, kind);
    }
    stream.write(String(text ?? ""));
  }

  /** @param {HTMLElement} pre @param {string} name @returns {Stream} */
  function createStream(pre, name) {
    const terminal = createTerminalText();
    const finished = document.createTextNode("");
    const last = document.createTextNode("");
    pre.append(finished, last);
    return {
      name,
      write(text) {
        finished.appendData(terminal.write(text));
        if (finished.length > MAX_STREAM_CHARS) {
          finished.deleteData(0, finished.length - MAX_STREAM_CHARS);
          pre.setAttribute("data-truncated", "");
        }
        last.data = terminal.line.slice(-MAX_STREAM_CHARS);
      },
    };
  }

  /** @param {ExecutionEvent} event */
  function showDisplay({ statement, data, metadata }) {
    const el = mimeElement(document, data ?? {}, metadata ?? {});
    if (el) append(statement, el);
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
        case "error":
          return showError(event);
        case "widget": {
          const el = element("div", "rdit-widget-output");
          append(event.statement, el);
          return onWidget(event, el);
        }
        case "reset":
          return this.clear();
      }
    },
    clear() {
      statements.clear();
      root.replaceChildren();
    },
  };
}

/**
 * The richest representation of a MIME bundle that we can show.
 *
 * @param {Document} document
 * @param {Record<string, any>} data
 * @param {Record<string, any>} metadata
 * @returns {HTMLElement | null}
 */
export function mimeElement(document, data, metadata) {
  const mime = MIME_PREFERENCE.find((each) => Object.hasOwn(data, each));
  if (mime === undefined) return null;
  const value = data[mime];
  const text = Array.isArray(value) ? value.join("") : value;
  if (mime === "text/html") {
    const el = document.createElement("div");
    el.className = "rdit-html";
    el.innerHTML = String(text);
    return el;
  }
  if (mime.startsWith("image/")) {
    const image = document.createElement("img");
    image.className = "rdit-image";
    image.src =
      mime === "image/svg+xml"
        ? `data:image/svg+xml;charset=utf-8,${encodeURIComponent(String(text))}`
        : `data:${mime};base64,${String(text).replace(/\s/g, "")}`;
    image.alt = String(metadata?.[mime]?.alt ?? metadata?.alt ?? data["text/plain"] ?? "Image");
    for (const side of /** @type {const} */ (["width", "height"])) {
      const pixels = Number(metadata?.[mime]?.[side]);
      if (Number.isFinite(pixels) && pixels > 0) image[side] = pixels;
    }
    return image;
  }
  const pre = document.createElement("pre");
  pre.className = "rdit-text";
  pre.setAttribute("data-mime", mime);
  pre.textContent = mime === "application/json" ? JSON.stringify(value, null, 2) : stripAnsi(String(text));
  return pre;
}

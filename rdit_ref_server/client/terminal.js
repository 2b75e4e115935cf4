/**
 * Text with escapes as a terminal shows it: progress bars, colours, erased lines.
 */

/** A stream's element keeps this much; older text gives way. */
export const MAX_STREAM_CHARS = 1_000_000;

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

// Alone in its sequence, as `ESC [ 1;31 m`.
// eslint-disable-next-line no-control-regex
const SGR = /^\x1b\[([\d;:]*)m$/;
const COLOURS = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];
const CUBE = [0, 95, 135, 175, 215, 255];
/** More looks than this in one stream, and further ones are plain. */
const MAX_LOOKS = 1_000;

/**
 * How text looks: `fg` and `bg` are a name (`red`, `bright-red`) or a colour of CSS.
 *
 * @typedef {{ fg: string, bg: string, bold: boolean, dim: boolean, italic: boolean, underline: boolean,
 *   inverse: boolean, strike: boolean }} Look
 */

/** @type {Look} */
const PLAIN = {
  fg: "",
  bg: "",
  bold: false,
  dim: false,
  italic: false,
  underline: false,
  inverse: false,
  strike: false,
};

/** @param {number} number of the 256 colours */
function colourOf256(number) {
  if (number < 8) return COLOURS[number];
  if (number < 16) return `bright-${COLOURS[number - 8]}`;
  if (number > 231) return `rgb(${Array(3).fill(8 + (number - 232) * 10).join(", ")})`;
  const place = number - 16;
  return `rgb(${[Math.floor(place / 36), Math.floor(place / 6) % 6, place % 6].map((each) => CUBE[each]).join(", ")})`;
}

/**
 * ECMA-48, 8.3.117, and the 256 and RGB colours of ITU-T T.416 as terminals write them.
 *
 * @param {Look} look
 * @param {string} parameters
 * @returns {Look}
 */
function selectRendition(look, parameters) {
  const codes = parameters.split(/[;:]/).map(Number);
  let next = { ...look };
  for (let i = 0; i < codes.length; i += 1) {
    const code = codes[i];
    if (code === 0) next = { ...PLAIN };
    else if (code === 1) next.bold = true;
    else if (code === 2) next.dim = true;
    else if (code === 3) next.italic = true;
    else if (code === 4) next.underline = true;
    else if (code === 7) next.inverse = true;
    else if (code === 9) next.strike = true;
    else if (code === 22) next.bold = next.dim = false;
    else if (code === 23) next.italic = false;
    else if (code === 24) next.underline = false;
    else if (code === 27) next.inverse = false;
    else if (code === 29) next.strike = false;
    else if (code === 39) next.fg = "";
    else if (code === 49) next.bg = "";
    else if (code === 38 || code === 48) {
      const side = code === 38 ? "fg" : "bg";
      const [kind, red = 0, green = 0, blue = 0] = codes.slice(i + 1);
      if (kind === 5) next[side] = colourOf256(Math.min(red, 255));
      else if (kind === 2) next[side] = `rgb(${[red, green, blue].map((each) => Math.min(each, 255)).join(", ")})`;
      i += kind === 5 ? 2 : kind === 2 ? 4 : codes.length;
    } else if (code >= 30 && code < 38) next.fg = COLOURS[code - 30];
    else if (code >= 40 && code < 48) next.bg = COLOURS[code - 40];
    else if (code >= 90 && code < 98) next.fg = `bright-${COLOURS[code - 90]}`;
    else if (code >= 100 && code < 108) next.bg = `bright-${COLOURS[code - 100]}`;
  }
  return next;
}

/**
 * Text with its looks: `marks` has a character for each of `text`, whose code is the place of its look among the
 * terminal's `looks`; 0 is plain.
 *
 * @typedef {{ text: string, marks: string }} Marked
 */

/**
 * What a terminal would show of a stream: carriage returns go back to the start of the line, what comes next overwrites
 * it (progress bars), backspace goes back by one, colours and weights are kept, a line can be erased, other escapes are left out. Escapes may
 * be cut anywhere between chunks.
 */
export function createTerminalText() {
  let unfinished = "";
  let line = "";
  let marks = "";
  let column = 0;
  /** @type {Look[]} */
  const looks = [PLAIN];
  /** The place of a look, by what it is. @type {Map<string, number>} */
  const places = new Map([[JSON.stringify(PLAIN), 0]]);
  let place = 0;

  /** @param {string} text */
  function put(text) {
    line = line.slice(0, column) + text + line.slice(column + text.length);
    const marked = String.fromCharCode(place).repeat(text.length);
    marks = marks.slice(0, column) + marked + marks.slice(column + text.length);
    column += text.length;
  }

  /** @param {string} escape */
  function take(escape) {
    if (escape === "\x1b[K" || escape === "\x1b[0K" || escape === "\x1b[2K") {
      const kept = escape === "\x1b[2K" ? 0 : column;
      line = line.slice(0, kept).padEnd(column);
      marks = marks.slice(0, kept).padEnd(column, "\0");
      return;
    }
    const parameters = SGR.exec(escape)?.[1];
    if (parameters === undefined) return;
    const look = selectRendition(looks[place], parameters);
    const key = JSON.stringify(look);
    place = places.get(key) ?? (looks.length < MAX_LOOKS ? looks.push(look) - 1 : 0);
    if (place > 0) places.set(key, place);
  }

  /** @param {string} text without escapes @returns {Marked} the lines that it finished */
  function write(text) {
    const finished = { text: "", marks: "" };
    for (const part of text.split(/([\r\n\b])/)) {
      if (part === "\n") {
        finished.text += `${line}\n`;
        finished.marks += `${marks}\0`;
        line = marks = "";
        column = 0;
      } else if (part === "\r") column = 0;
      else if (part === "\b") column = Math.max(0, column - 1);
      else if (part !== "") put(part);
    }
    return finished;
  }

  return {
    looks,
    /** The last line, which may still change. */
    get line() {
      return line;
    },
    get marks() {
      return marks;
    },
    /**
     * @param {string} chunk
     * @returns {Marked} the lines that this chunk finished, each with its newline
     */
    write(chunk) {
      let text = unfinished + chunk;
      unfinished = UNFINISHED_ANSI.exec(text)?.[0] ?? "";
      if (unfinished.length > MAX_ESCAPE_CHARS) unfinished = "";
      if (unfinished) text = text.slice(0, -unfinished.length);
      if (!text.includes("\x1b")) return write(text);
      const finished = { text: "", marks: "" };
      let end = 0;
      for (const { 0: escape, index } of text.matchAll(ANSI)) {
        const more = write(text.slice(end, index));
        finished.text += more.text;
        finished.marks += more.marks;
        take(escape);
        end = index + escape.length;
      }
      const rest = write(text.slice(end));
      return { text: finished.text + rest.text, marks: finished.marks + rest.marks };
    },
  };
}

/**
 * Pieces of equal look.
 *
 * @param {Marked} marked
 * @returns {Generator<[string, number]>} text and the place of its look
 */
function* piecesOf({ text, marks }) {
  let start = 0;
  for (let end = 1; end <= text.length; end += 1) {
    if (end < text.length && marks.charCodeAt(end) === marks.charCodeAt(start)) continue;
    yield [text.slice(start, end), marks.charCodeAt(start)];
    start = end;
  }
}

/** @param {HTMLElement} el @param {Look} look */
function applyLook(el, { fg, bg, inverse, ...flags }) {
  const names = Object.entries(flags).filter(([, isOn]) => isOn === true);
  const classes = names.map(([name]) => `rdit-ansi-${name}`);
  const [front, back] = inverse ? [bg || "canvas", fg || "canvastext"] : [fg, bg];
  for (const [side, colour] of /** @type {const} */ ([
    ["color", front],
    ["backgroundColor", back],
  ])) {
    if (colour === "") continue;
    const isNamed = /^(bright-)?[a-z]+$/.test(colour) && !colour.startsWith("canvas");
    el.style[side] = isNamed ? `var(--rdit-ansi-${colour})` : colour;
  }
  if (classes.length > 0) el.className = classes.join(" ");
}

/** @typedef {{ name: string, write: (text: string) => void }} Stream */

/**
 * Text of one stream in an element, as a terminal would show it.
 *
 * @param {HTMLElement} pre
 * @param {string} name
 * @returns {Stream}
 */
export function createStream(pre, name) {
  const document = pre.ownerDocument;
  const terminal = createTerminalText();
  const last = document.createElement("span");
  pre.append(last);
  let length = 0;
  /** The place of an element's look. @type {WeakMap<Node, number>} */
  const places = new WeakMap();

  /** @param {Node} parent @param {Marked} marked @param {Node | null} before */
  function add(parent, marked, before) {
    for (const [text, place] of piecesOf(marked)) {
      const neighbour = before ? before.previousSibling : parent.lastChild;
      if (neighbour && neighbour !== last && (places.get(neighbour) ?? 0) === place) {
        const node = place > 0 ? neighbour.firstChild : neighbour;
        /** @type {Text} */ (node).appendData(text);
      } else if (place > 0) {
        const span = document.createElement("span");
        span.textContent = text;
        places.set(span, place);
        applyLook(span, terminal.looks[place]);
        parent.insertBefore(span, before);
      } else parent.insertBefore(document.createTextNode(text), before);
    }
  }

  function shorten() {
    pre.setAttribute("data-truncated", "");
    while (length > MAX_STREAM_CHARS) {
      const first = /** @type {ChildNode} */ (pre.firstChild);
      const size = first.textContent?.length ?? 0;
      const spare = Math.min(size, length - MAX_STREAM_CHARS);
      if (spare === size) first.remove();
      else first.textContent = (first.textContent ?? "").slice(spare);
      length -= spare;
    }
  }

  return {
    name,
    write(text) {
      const finished = terminal.write(text);
      add(pre, finished, last);
      length += finished.text.length;
      if (length > MAX_STREAM_CHARS) shorten();
      last.replaceChildren();
      const { line, marks } = terminal;
      add(last, { text: line.slice(-MAX_STREAM_CHARS), marks: marks.slice(-MAX_STREAM_CHARS) }, null);
    },
  };
}

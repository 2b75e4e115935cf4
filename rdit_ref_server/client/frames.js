/**
 * Frames of `rdit/1`: one message and its buffers to what a WebSocket carries, and back.
 *
 * A frame without buffers is one JSON text. With buffers it is binary: `RDB1`, the number of parts and their lengths as
 * little-endian u32, then the parts, each at a multiple of 8 bytes; part 0 is the JSON, the others are the buffers in
 * the order of its field `buffers`, which has a path for each. `specials` has the paths of the numbers that JSON lacks.
 *
 * A buffer that arrives is a DataView into the frame, nothing is copied. It lies at a multiple of 8 bytes, so that any
 * typed array can be laid over it.
 */

import { MAX_DEPTH, cloneError, isJsonData, toJsonData } from "./binary.js";

/** @typedef {import("./binary.js").Path} Path */

/**
 * A value as a frame carries it: a snapshot, made once, whatever frames it travels in.
 *
 * @typedef {object} Encoded
 * @property {string} text its JSON; null stands where a buffer or a special number is
 * @property {number} size about what it takes in a frame, in bytes: exact for plain JSON, an upper bound for others
 * @property {readonly (readonly [Path, Uint8Array])[]} buffers nobody else's, unless it was encoded as borrowed
 * @property {readonly (readonly [Path, string])[]} specials
 */

const MAGIC = [0x52, 0x44, 0x42, 0x31]; // "RDB1"
const ALIGNMENT = 8;
const HEAD_BYTES = 8;
const LENGTH_BYTES = 4;
/** How many times as much memory a value may keep as it takes. */
const MAX_KEPT_SHARE = 8;
/** Keys that a path must not go through: assigning to them may reach what all objects share. */
const FORBIDDEN_SEGMENTS = ["__proto__", "constructor", "prototype"];
/** @type {Map<string, number>} */
const SPECIALS = new Map([
  ["NaN", NaN],
  ["Infinity", Infinity],
  ["-Infinity", -Infinity],
]);
/** @type {readonly never[]} */
const NOTHING = [];
/** The message, its list of ops and the op are levels of their own. */
export const MAX_VALUE_DEPTH = MAX_DEPTH - 3;

const NOT_ASCII = /[^\0-\x7f]/;
const encoder = new TextEncoder();
// A byte order mark is no JSON: it is not to be taken away silently.
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A frame that is no message. `code` is one of the protocol's names. */
export class FrameError extends Error {
  /** @param {string} code @param {string} message */
  constructor(code, message) {
    super(message);
    this.name = "FrameError";
    this.code = code;
  }
}

/** @param {string} text @returns {string} what a WebSocket makes of it: a surrogate without its other half is U+FFFD */
function wellFormed(text) {
  return text.replace(/\p{Surrogate}/gu, "\ufffd");
}

/** @param {string} text @returns {number} its length in UTF-8, in bytes */
export function utf8Size(text) {
  let size = text.length;
  if (!NOT_ASCII.test(text)) return size;
  for (let i = 0; i < text.length; i += 1) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    size += 1;
    // Each half of a surrogate pair counts two of the four bytes.
    if (unit >= 0x800 && (unit < 0xd800 || unit > 0xdfff)) size += 1;
  }
  return size;
}

/** @param {Path} path */
function sizeOfPath(path) {
  // 48 for its beginning outside of the value, brackets, a number's name, a part's length and padding.
  return path.reduce((/** @type {number} */ sum, each) => sum + (typeof each === "number" ? 8 : each.length + 3), 48);
}

/**
 * @param {unknown} value
 * @param {boolean} [isBorrowing] the bytes are not copied: the result is a snapshot only as long as nobody edits them
 * @returns {Encoded}
 * @throws {DOMException} a DataCloneError, see `toJsonData`
 */
export function encodeValue(value, isBorrowing = false) {
  if (isJsonData(value, MAX_VALUE_DEPTH)) {
    const text = JSON.stringify(value);
    // So it escapes a surrogate without its other half, which `wellFormed` replaces.
    if (!text.includes("\\ud")) return { text, size: utf8Size(text), buffers: NOTHING, specials: NOTHING };
  }
  /** @type {[Path, Uint8Array][]} */
  const buffers = [];
  /** @type {[Path, string][]} */
  const specials = [];
  /** @param {Path} path */
  function kept(path) {
    const forbidden = path.find((segment) => FORBIDDEN_SEGMENTS.includes(String(segment)));
    if (forbidden !== undefined) throw cloneError(`Bytes and NaN cannot stand below a key called ${forbidden}`);
    return [...path];
  }
  const data = toJsonData(value, {
    binary(bytes, path) {
      buffers.push([kept(path), isBorrowing ? bytes : bytes.slice()]);
      return null;
    },
    number(number, path) {
      specials.push([kept(path), String(number)]);
      return null;
    },
    text: wellFormed,
    maxDepth: MAX_VALUE_DEPTH,
  });
  const text = JSON.stringify(data);
  let size = utf8Size(text);
  for (const [path, bytes] of buffers) size += sizeOfPath(path) + bytes.length;
  for (const [path] of specials) size += sizeOfPath(path);
  return { text, size, buffers, specials };
}

/**
 * The bytes, where they are a good part of the memory that keeping them would keep; else a copy.
 *
 * @param {Uint8Array} bytes
 */
function worthKeeping(bytes) {
  return MAX_KEPT_SHARE * bytes.length >= bytes.buffer.byteLength ? bytes : bytes.slice();
}

/**
 * The value back. Its buffers are views of what was encoded, and so not to be handed out.
 *
 * @param {Encoded} encoded
 * @returns {any}
 */
export function decodeValue({ text, buffers, specials }) {
  const root = { value: JSON.parse(text) };
  for (const [path, bytes] of buffers) {
    const { buffer, byteOffset, byteLength } = worthKeeping(bytes);
    place(root, ["value", ...path], new DataView(buffer, byteOffset, byteLength));
  }
  for (const [path, name] of specials) place(root, ["value", ...path], SPECIALS.get(name));
  return root.value;
}

/** @param {number} size */
function padded(size) {
  return Math.ceil(size / ALIGNMENT) * ALIGNMENT;
}

/**
 * @param {string} json the message, header fields included
 * @param {readonly Uint8Array[]} buffers in the order of the field `buffers`; copied
 * @returns {{ frame: string | Uint8Array<ArrayBuffer>, views: Uint8Array[] }} `views`: the buffers in the frame
 */
export function joinParts(json, buffers) {
  if (buffers.length === 0) return { frame: json, views: [] };
  const parts = [encoder.encode(json), ...buffers];
  const start = padded(HEAD_BYTES + LENGTH_BYTES * parts.length);
  const frame = new Uint8Array(parts.reduce((sum, part) => sum + padded(part.length), start));
  const view = new DataView(frame.buffer);
  frame.set(MAGIC);
  view.setUint32(4, parts.length, true);
  /** @type {Uint8Array[]} */
  const views = [];
  let offset = start;
  for (const [index, part] of parts.entries()) {
    view.setUint32(HEAD_BYTES + LENGTH_BYTES * index, part.length, true);
    frame.set(part, offset);
    views.push(frame.subarray(offset, offset + part.length));
    offset += padded(part.length);
  }
  return { frame, views: views.slice(1) };
}

/**
 * A message to a frame; its buffers and special numbers may stand anywhere.
 *
 * @param {Record<string, unknown>} message
 * @returns {string | Uint8Array<ArrayBuffer>}
 * @throws {DOMException} a DataCloneError, see `toJsonData`
 */
export function encodeFrame(message) {
  const { text, buffers, specials } = encodeValue(message, true);
  const paths = buffers.map(([path]) => path);
  const fields =
    (paths.length > 0 ? `,"buffers":${JSON.stringify(paths)}` : "") +
    (specials.length > 0 ? `,"specials":${JSON.stringify(specials)}` : "");
  return joinParts(
    `${text.slice(0, -1)}${fields}}`,
    buffers.map(([, bytes]) => bytes),
  ).frame;
}

/**
 * Puts a value where a null stands, at a path that others chose.
 *
 * @param {any} root
 * @param {unknown} path
 * @param {unknown} value
 * @throws {FrameError} when there is no null
 */
function place(root, path, value) {
  if (!Array.isArray(path) || path.length === 0 || path.length > MAX_DEPTH) {
    throw new FrameError("bad_frame", `Expected a path of 1 to ${MAX_DEPTH} segments`);
  }
  let node = root;
  for (const [depth, segment] of path.entries()) {
    const fits = Array.isArray(node)
      ? Number.isInteger(segment) && segment >= 0
      : typeof node === "object" && node !== null && !ArrayBuffer.isView(node) && typeof segment === "string";
    if (!fits || FORBIDDEN_SEGMENTS.includes(String(segment)) || !Object.hasOwn(node, segment)) {
      throw new FrameError("bad_frame", `A path leads nowhere at segment ${depth}`);
    }
    if (depth < path.length - 1) {
      node = node[segment];
    } else {
      if (node[segment] !== null) throw new FrameError("bad_frame", "A path does not lead to a placeholder");
      node[segment] = value;
    }
  }
}

/**
 * Whether brackets of either kind open at most so many times, wherever they stand. The engine's own search is many
 * times as quick as a look at each character.
 *
 * @param {string} text
 * @param {number} limit
 */
function opensAtMost(text, limit) {
  let count = 0;
  for (const bracket of ["[", "{"]) {
    for (let at = text.indexOf(bracket); at >= 0; at = text.indexOf(bracket, at + 1)) {
      count += 1;
      if (count > limit) return false;
    }
  }
  return true;
}

/**
 * Whether a JSON text is nested deeper than a number of levels. Linear; on text that is no JSON it means nothing.
 *
 * @param {string} text
 * @param {number} limit
 */
function isDeeper(text, limit) {
  if (text.length <= 2 * limit || opensAtMost(text, limit)) return false;
  let depth = 0;
  let isString = false;
  for (let i = 0; i < text.length; i += 1) {
    const unit = text.charCodeAt(i);
    if (isString) {
      if (unit === 0x5c) i += 1;
      else if (unit === 0x22) isString = false;
    } else if (unit === 0x22) {
      isString = true;
    } else if (unit === 0x5b || unit === 0x7b) {
      depth += 1;
      if (depth > limit) return true;
    } else if (unit === 0x5d || unit === 0x7d) {
      depth -= 1;
    }
  }
  return false;
}

/** @param {string} json @returns {any} */
function parse(json) {
  if (isDeeper(json, MAX_DEPTH)) throw new FrameError("too_deep", `Frame is nested deeper than ${MAX_DEPTH} levels`);
  let root;
  try {
    root = JSON.parse(json);
  } catch (error) {
    throw new FrameError("bad_json", `Frame is not JSON: ${/** @type {Error} */ (error).message}`);
  }
  if (typeof root !== "object" || root === null || Array.isArray(root)) {
    throw new FrameError("bad_message", "Expected an object");
  }
  return root;
}

/** @param {Uint8Array} bytes */
function utf8(bytes) {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new FrameError("bad_unicode", "Frame is not UTF-8");
  }
}

function badPadding() {
  return new FrameError("bad_frame", "Padding that is not zero");
}

/** @param {ArrayBuffer | ArrayBufferView} data @returns {{ json: string, buffers: DataView[] }} */
function split(data) {
  const [buffer, start, length] = ArrayBuffer.isView(data)
    ? [data.buffer, data.byteOffset, data.byteLength]
    : [data, 0, data.byteLength];
  const bytes = new Uint8Array(buffer, start, length);
  if (!MAGIC.every((byte, index) => bytes[index] === byte)) return { json: utf8(bytes), buffers: [] };
  const view = new DataView(buffer, start, length);
  const count = length >= HEAD_BYTES ? view.getUint32(4, true) : 0;
  if (count < 1 || HEAD_BYTES + LENGTH_BYTES * count > length) throw new FrameError("bad_frame", "Parts are missing");
  // The sum first: nothing is made of parts that the frame does not have.
  let end = padded(HEAD_BYTES + LENGTH_BYTES * count);
  for (let i = 0; i < count; i += 1) end += padded(view.getUint32(HEAD_BYTES + LENGTH_BYTES * i, true));
  if (end !== length) throw new FrameError("bad_frame", "The parts are not as long as the frame");
  let offset = padded(HEAD_BYTES + LENGTH_BYTES * count);
  for (let at = HEAD_BYTES + LENGTH_BYTES * count; at < offset; at += 1) if (bytes[at] !== 0) throw badPadding();
  /** @type {[number, number][]} */
  const spans = [];
  for (let i = 0; i < count; i += 1) {
    const size = view.getUint32(HEAD_BYTES + LENGTH_BYTES * i, true);
    spans.push([offset, size]);
    for (let at = offset + size; at < offset + padded(size); at += 1) if (bytes[at] !== 0) throw badPadding();
    offset += padded(size);
  }
  const [[jsonStart, jsonSize], ...others] = spans;
  return {
    json: utf8(bytes.subarray(jsonStart, jsonStart + jsonSize)),
    buffers: others.map(([from, size]) => new DataView(buffer, start + from, size)),
  };
}

/**
 * The message of a frame, its buffers and special numbers in their places. Types that are not known are let through,
 * and so are fields.
 *
 * @param {string | ArrayBuffer | ArrayBufferView} data
 * @returns {any} a fresh tree; its DataViews share the frame's memory
 * @throws {FrameError}
 */
export function decodeFrame(data) {
  const { json, buffers } = typeof data === "string" ? { json: data, buffers: [] } : split(data);
  const root = parse(json);
  const { buffers: paths = [], specials = [] } = root;
  if (!Array.isArray(paths) || !Array.isArray(specials)) throw new FrameError("bad_frame", "Expected lists of paths");
  if (paths.length !== buffers.length) {
    throw new FrameError("bad_frame", `Expected ${paths.length} buffers, got ${buffers.length}`);
  }
  delete root.buffers;
  delete root.specials;
  for (const [index, path] of paths.entries()) place(root, path, buffers[index]);
  for (const special of specials) {
    const number = Array.isArray(special) && special.length === 2 ? SPECIALS.get(special[1]) : undefined;
    if (number === undefined) throw new FrameError("bad_frame", "Expected a path and NaN, Infinity or -Infinity");
    place(root, special[0], number);
  }
  if (typeof root.type !== "string") throw new FrameError("bad_message", "Expected a string - at $.type");
  return root;
}

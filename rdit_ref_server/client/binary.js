/**
 * Values as the wire carries them, and values as a widget sees them.
 *
 * JSON has neither bytes nor NaN. On the wire of the base mode bytes are `{"$b64": "..."}` at their path and
 * non-finite numbers are null. Nothing here ever assigns to a key of an ordinary object that it did not define itself
 * as an own property, so a key called `__proto__` is data like any other.
 */

/** Deeper values are refused: the other side reads JSON down to this depth. */
export const MAX_DEPTH = 256;

const B64_KEY = "$b64";
const BASE64_CHUNK_BYTES = 0x8000;
const WORD_BYTES = Uint32Array.BYTES_PER_ELEMENT;

/** @param {unknown} value @returns {value is Record<string, unknown>} */
export function isPlainObject(value) {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  // An object of another realm (an iframe, a test's window) has a prototype that is not our own Object.prototype.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** @param {unknown} value @returns {value is ArrayBuffer | SharedArrayBuffer} */
function isBuffer(value) {
  const tag = Object.prototype.toString.call(value);
  return tag === "[object ArrayBuffer]" || tag === "[object SharedArrayBuffer]";
}

/** @param {unknown} value @returns {value is ArrayBuffer | SharedArrayBuffer | ArrayBufferView} */
export function isBinary(value) {
  return typeof value === "object" && value !== null && (ArrayBuffer.isView(value) || isBuffer(value));
}

/**
 * Exactly the bytes that a view shows, not those of the buffer behind it.
 *
 * @param {ArrayBuffer | SharedArrayBuffer | ArrayBufferView} value
 * @returns {Uint8Array}
 */
export function bytesOf(value) {
  return ArrayBuffer.isView(value)
    ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
    : new Uint8Array(value);
}

/** @param {Uint8Array} bytes @returns {string} */
export function encodeBase64(bytes) {
  let text = "";
  for (let start = 0; start < bytes.length; start += BASE64_CHUNK_BYTES) {
    text += String.fromCharCode(...bytes.subarray(start, start + BASE64_CHUNK_BYTES));
  }
  return btoa(text);
}

/** @param {string} text @returns {Uint8Array<ArrayBuffer>} */
export function decodeBase64(text) {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i += 1) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

/** @param {string} message */
export function cloneError(message) {
  return new DOMException(message, "DataCloneError");
}

/** @param {readonly (string | number)[]} path */
function formatPath(path) {
  return `$${path.map((part) => (typeof part === "number" ? `[${part}]` : `.${part}`)).join("")}`;
}

/**
 * What stands in the JSON for what JSON does not have.
 *
 * @typedef {object} Stand
 * @property {(bytes: Uint8Array, path: Path) => unknown} binary the bytes are those of the value itself, not a copy
 * @property {(number: number, path: Path) => unknown} number one that is not finite
 * @property {(text: string) => string} [text] every string and every key
 * @property {number} [maxDepth]
 */
/** @typedef {(string | number)[]} Path from the value's root; to be copied by whoever keeps it */

/**
 * A snapshot of a value as JSON data. Later changes of the value do not reach the snapshot.
 *
 * `toJSON` is honoured; `undefined` becomes null (left out inside an object, as JSON does).
 *
 * @param {unknown} value
 * @param {Stand} stand
 * @returns {unknown} plain JSON data; objects in it have no prototype
 * @throws {DOMException} a DataCloneError for functions, symbols, cycles, values nested deeper than `maxDepth` and
 * integers that a number cannot hold; the message names the path
 */
export function toJsonData(value, { binary, number, text = (item) => item, maxDepth = MAX_DEPTH }) {
  /** @type {Set<object>} */
  const ancestors = new Set();
  /** @type {Path} */
  const path = [];

  /** @param {any} item @returns {unknown} */
  function encode(item) {
    if (typeof item === "object" && item !== null && !isBinary(item) && typeof item.toJSON === "function") {
      item = item.toJSON(path.length > 0 ? String(path[path.length - 1]) : "");
    }
    switch (typeof item) {
      case "string":
        return text(item);
      case "boolean":
        return item;
      case "undefined":
        return null;
      case "number":
        return Number.isFinite(item) ? item : number(item, path);
      case "bigint": {
        const asNumber = Number(item);
        if (Number.isSafeInteger(asNumber)) return asNumber;
        throw cloneError(`The integer at ${formatPath(path)} is beyond 2^53 - 1 and cannot be sent as a number`);
      }
      case "function":
      case "symbol":
        throw cloneError(`Expected data, got a ${typeof item} at ${formatPath(path)}`);
    }
    if (item === null) return null;
    if (isBinary(item)) return binary(bytesOf(item), path);
    if (item instanceof String || item instanceof Number || item instanceof Boolean) return encode(item.valueOf());
    if (ancestors.has(item)) throw cloneError(`The value at ${formatPath(path)} contains itself`);
    if (ancestors.size >= maxDepth) throw cloneError(`The value is nested deeper than ${maxDepth} levels`);
    ancestors.add(item);
    /** @type {any} */
    let result;
    if (Array.isArray(item)) {
      result = [];
      for (let i = 0; i < item.length; i += 1) {
        path.push(i);
        result.push(encode(item[i]));
        path.pop();
      }
    } else {
      result = Object.create(null);
      for (const key of Object.keys(item)) {
        if (item[key] === undefined) continue;
        const name = text(key);
        path.push(name);
        result[name] = encode(item[key]);
        path.pop();
      }
    }
    ancestors.delete(item);
    return result;
  }

  return encode(value);
}

/**
 * Whether JSON has all that is in a value: `JSON.stringify` then makes of the value itself what it would of its
 * `toJsonData`, except that texts are not looked at. Values that are nested too deeply, or contain themselves, are none.
 *
 * @param {any} value
 * @param {number} maxDepth
 * @returns {boolean}
 */
export function isJsonData(value, maxDepth) {
  switch (typeof value) {
    case "number":
      return Number.isFinite(value);
    case "string":
    case "boolean":
      return true;
    case "object":
      break;
    default:
      return false;
  }
  if (value === null) return true;
  if (maxDepth <= 0 || typeof value.toJSON === "function") return false;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i += 1) {
      const item = value[i];
      if (!(typeof item === "number" ? Number.isFinite(item) : isJsonData(item, maxDepth - 1))) return false;
    }
    return true;
  }
  const prototype = Object.getPrototypeOf(value);
  // Without a prototype it may be the engine's own way to put raw text into JSON.
  if (prototype === null || Object.getPrototypeOf(prototype) !== null) return false;
  for (const key of Object.keys(value)) if (!isJsonData(value[key], maxDepth - 1)) return false;
  return true;
}

/**
 * A snapshot of a value in the form that the base mode carries; numbers that are not finite become null. Otherwise as
 * `toJsonData`.
 *
 * @param {unknown} value
 * @returns {unknown}
 */
export function toWire(value) {
  return toJsonData(value, {
    binary: (bytes) => ({ [B64_KEY]: encodeBase64(bytes) }),
    number: () => null,
  });
}

/**
 * What a widget sees of a value that came from the wire: each `{"$b64": "..."}` is a DataView. The argument is left
 * as it is; parts without bytes are shared with the result.
 *
 * @param {any} value
 * @param {number} [depth]
 * @returns {any}
 * @throws {RangeError} when the value is nested deeper than `MAX_DEPTH`
 * @throws {DOMException} an InvalidCharacterError for text that is not base64
 */
export function fromWire(value, depth = 0) {
  const isList = Array.isArray(value);
  if (!isList && !isPlainObject(value)) return value;
  if (depth > MAX_DEPTH) throw new RangeError(`The value is nested deeper than ${MAX_DEPTH} levels`);
  const keys = Object.keys(value);
  if (!isList && keys.length === 1 && keys[0] === B64_KEY && typeof value[B64_KEY] === "string") {
    return new DataView(decodeBase64(value[B64_KEY]).buffer);
  }
  /** @type {any} */
  let copy = null;
  for (const key of keys) {
    const item = /** @type {any} */ (value)[key];
    const decoded = fromWire(item, depth + 1);
    if (decoded === item) continue;
    // A spread defines every key as an own property, so the assignment below cannot reach a setter.
    copy ??= isList ? [...value] : { ...value };
    copy[key] = decoded;
  }
  return copy ?? value;
}

/**
 * Whether two values have equal content: bytes by type and content, objects by own enumerable keys, NaN equals NaN.
 *
 * @param {any} a
 * @param {any} b
 * @returns {boolean}
 */
export function deepEqual(a, b) {
  /** @type {Map<object, object> | null} Pairs under comparison: meeting one again means a cycle, equal so far. */
  let open = null;

  /** @param {any} left @param {any} right @returns {boolean} */
  function equal(left, right) {
    if (left === right || (left !== left && right !== right)) return true;
    if (typeof left !== "object" || typeof right !== "object" || left === null || right === null) return false;
    const tag = Object.prototype.toString.call(left);
    if (tag !== Object.prototype.toString.call(right)) return false;
    if (isBinary(left)) return equalBytes(bytesOf(left), bytesOf(right));
    if (left instanceof Date) return left.getTime() === right.getTime();
    if (left instanceof Map || left instanceof Set) return equalLists([...left], [...right]);
    if (open?.get(left) === right) return true;
    open ??= new Map();
    open.set(left, right);
    const result = Array.isArray(left) ? equalLists(left, right) : equalKeys(left, right);
    open.delete(left);
    return result;
  }

  /** @param {any[]} left @param {any[]} right */
  function equalLists(left, right) {
    if (left.length !== right.length) return false;
    for (let i = 0; i < left.length; i += 1) if (left[i] !== right[i] && !equal(left[i], right[i])) return false;
    return true;
  }

  /** @param {any} left @param {any} right */
  function equalKeys(left, right) {
    const keys = Object.keys(left);
    if (keys.length !== Object.keys(right).length) return false;
    return keys.every((key) => Object.hasOwn(right, key) && equal(left[key], right[key]));
  }

  return equal(a, b);
}

/**
 * Whether two values are the same once they are on the wire: there it makes no difference whether bytes were a DataView
 * or a typed array, or a text came out of a `toJSON`. Values that cannot be sent differ from all others.
 *
 * @param {unknown} a
 * @param {unknown} b
 * @returns {boolean}
 */
export function sameOnWire(a, b) {
  if (deepEqual(a, b)) return true;
  if (typeof a !== "object" && typeof b !== "object") return (a ?? null) === (b ?? null);
  if (isOtherData(a, b)) return false;
  try {
    const stand = { binary: (/** @type {Uint8Array} */ bytes) => bytes, number: (/** @type {number} */ item) => item };
    return deepEqual(toJsonData(a, stand), toJsonData(b, stand));
  } catch {
    return false;
  }
}

/** Types whose values stand for themselves on the wire, and for nothing else. */
const PLAIN_TYPES = ["number", "string", "boolean"];

/**
 * Whether two values are certain to differ on the wire, for different numbers or texts stand in the same place or their
 * lists are not of one length. Most values that differ do so early, and are spared two copies.
 *
 * @param {any} a
 * @param {any} b
 * @param {number} [maxDepth]
 * @returns {boolean} false: they may be the same, or not
 */
function isOtherData(a, b, maxDepth = MAX_DEPTH) {
  if (a === b) return false;
  if (PLAIN_TYPES.includes(typeof a) && PLAIN_TYPES.includes(typeof b)) return a === a || b === b;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null || maxDepth === 0) return false;
  if (typeof a.toJSON === "function" || typeof b.toJSON === "function") return false;
  if (Array.isArray(a) && Array.isArray(b)) {
    if (a.length !== b.length) return true;
    for (let i = 0; i < a.length; i += 1) if (isOtherData(a[i], b[i], maxDepth - 1)) return true;
    return false;
  }
  if (!isPlainObject(a) || !isPlainObject(b)) return false;
  return Object.keys(a).some((key) => Object.hasOwn(b, key) && isOtherData(a[key], b[key], maxDepth - 1));
}

/**
 * A copy that shares nothing with a value made of JSON data and DataViews. Primitive values are their own copy.
 *
 * @param {any} value
 * @returns {any}
 */
export function copyData(value) {
  if (typeof value !== "object" || value === null) return value;
  if (ArrayBuffer.isView(value)) {
    const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
    return new DataView(bytes.slice().buffer);
  }
  if (Array.isArray(value)) {
    const copy = value.slice();
    for (let i = 0; i < copy.length; i += 1) if (typeof copy[i] === "object") copy[i] = copyData(copy[i]);
    return copy;
  }
  // A spread defines every key as an own property, so the assignment below cannot reach a setter.
  const copy = { ...value };
  for (const key of Object.keys(copy)) if (typeof copy[key] === "object") copy[key] = copyData(copy[key]);
  return copy;
}

/** @param {Uint8Array} a @param {Uint8Array} b */
function equalBytes(a, b) {
  const { length } = a;
  if (length !== b.length) return false;
  if (a.buffer === b.buffer && a.byteOffset === b.byteOffset) return true;
  let start = 0;
  if (a.byteOffset % WORD_BYTES === 0 && b.byteOffset % WORD_BYTES === 0) {
    const words = Math.floor(length / WORD_BYTES);
    const left = new Uint32Array(a.buffer, a.byteOffset, words);
    const right = new Uint32Array(b.buffer, b.byteOffset, words);
    for (let i = 0; i < words; i += 1) if (left[i] !== right[i]) return false;
    start = words * WORD_BYTES;
  }
  for (let i = start; i < length; i += 1) if (a[i] !== b[i]) return false;
  return true;
}

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
function cloneError(message) {
  return new DOMException(message, "DataCloneError");
}

/** @param {readonly (string | number)[]} path */
function formatPath(path) {
  return `$${path.map((part) => (typeof part === "number" ? `[${part}]` : `.${part}`)).join("")}`;
}

/**
 * A snapshot of a value in the form the wire carries. Later changes of the value do not reach the snapshot.
 *
 * `toJSON` is honoured, `undefined` becomes null (left out inside an object, as JSON does), numbers that are not finite
 * become null.
 *
 * @param {unknown} value
 * @returns {unknown} plain JSON data; objects in it have no prototype
 * @throws {DOMException} a DataCloneError for functions, symbols, cycles, values nested deeper than `MAX_DEPTH` and
 * integers that a number cannot hold; the message names the path
 */
export function toWire(value) {
  /** @type {object[]} */
  const ancestors = [];
  /** @type {(string | number)[]} */
  const path = [];

  /** @param {any} item @returns {unknown} */
  function encode(item) {
    if (typeof item === "object" && item !== null && !isBinary(item) && typeof item.toJSON === "function") {
      item = item.toJSON(path.length > 0 ? String(path[path.length - 1]) : "");
    }
    switch (typeof item) {
      case "string":
      case "boolean":
        return item;
      case "undefined":
        return null;
      case "number":
        return Number.isFinite(item) ? item : null;
      case "bigint": {
        const number = Number(item);
        if (Number.isSafeInteger(number)) return number;
        throw cloneError(`The integer at ${formatPath(path)} is beyond 2^53 - 1 and cannot be sent as a number`);
      }
      case "function":
      case "symbol":
        throw cloneError(`Expected data, got a ${typeof item} at ${formatPath(path)}`);
    }
    if (item === null) return null;
    if (isBinary(item)) return { [B64_KEY]: encodeBase64(bytesOf(item)) };
    if (item instanceof String || item instanceof Number || item instanceof Boolean) return encode(item.valueOf());
    if (ancestors.includes(item)) throw cloneError(`The value at ${formatPath(path)} contains itself`);
    if (ancestors.length >= MAX_DEPTH) throw cloneError(`The value is nested deeper than ${MAX_DEPTH} levels`);
    ancestors.push(item);
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
        path.push(key);
        result[key] = encode(item[key]);
        path.pop();
      }
    }
    ancestors.pop();
    return result;
  }

  return encode(value);
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
  /** @type {Map<object, object>} Pairs under comparison: meeting one again means a cycle, equal so far. */
  const open = new Map();

  /** @param {any} left @param {any} right @returns {boolean} */
  function equal(left, right) {
    if (left === right || (left !== left && right !== right)) return true;
    if (typeof left !== "object" || typeof right !== "object" || left === null || right === null) return false;
    const tag = Object.prototype.toString.call(left);
    if (tag !== Object.prototype.toString.call(right)) return false;
    if (isBinary(left)) return equalBytes(bytesOf(left), bytesOf(right));
    if (left instanceof Date) return left.getTime() === right.getTime();
    if (left instanceof Map || left instanceof Set) return equalLists([...left], [...right]);
    if (open.get(left) === right) return true;
    open.set(left, right);
    const result = Array.isArray(left) ? equalLists(left, right) : equalKeys(left, right);
    open.delete(left);
    return result;
  }

  /** @param {any[]} left @param {any[]} right */
  function equalLists(left, right) {
    if (left.length !== right.length) return false;
    for (let i = 0; i < left.length; i += 1) if (!equal(left[i], right[i])) return false;
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

/** @param {Uint8Array} a @param {Uint8Array} b */
function equalBytes(a, b) {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i += 1) if (a[i] !== b[i]) return false;
  return true;
}

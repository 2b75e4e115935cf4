/** What the amended text of the reference asks for: `amends`, and the conditions that are more than one line. */

import { bytesOf, deepEqual, isBinary } from "../../binary.js";

/** @type {Set<string>} */
let enabled = new Set();
/** @type {Set<string>} */
let met = new Set();

/** @param {string} name @param {boolean} condition */
export function amends(name, condition) {
  if (!condition || !enabled.has(name)) return false;
  met.add(name);
  return true;
}

/** @param {Iterable<string>} names of the deviations that the next run is amended by */
export function switchOn(names) {
  enabled = new Set(names);
  met = new Set();
}

/** The deviations that the run met, sorted. */
export function metDeviations() {
  return [...met].sort();
}

/** @param {unknown} value */
function isReference(value) {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

/** @param {any} value @returns {any} */
function copyStructure(value) {
  if (Array.isArray(value)) return value.map(copyStructure);
  if (!isReference(value) || isBinary(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, copyStructure(item)]));
}

/** A value with all bytes in the same kind of view. @param {any} value @returns {any} */
function withSameViews(value) {
  if (isBinary(value)) return new Uint8Array(bytesOf(value));
  if (Array.isArray(value)) return value.map(withSameViews);
  if (!isReference(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withSameViews(item)]));
}

const oracle = {
  isReference,
  /** @param {any} model @param {string} key @param {unknown} value */
  remember(model, key, value) {
    if (isReference(value)) model._handedOut.set(key, copyStructure(value));
    else model._handedOut.delete(key);
  },
  /** @param {any} model @param {string} key @param {unknown} value */
  wasEdited: (model, key, value) => model._handedOut.has(key) && !deepEqual(model._handedOut.get(key), value),
  /** Whether an edit is not known to have reached Python. @param {any} model @param {string} key */
  isPending: (model, key) =>
    model._expectedEchoMsgIds.has(key) ||
    model._attrsToUpdate.has(key) ||
    (model._aside ?? []).some((/** @type {any} */ { attributes }) => attributes?.has(key)),
  /** @param {unknown} left @param {unknown} right */
  sameBytes: (left, right) => isReference(left) && deepEqual(withSameViews(left), withSameViews(right)),
  /** @param {ArrayBuffer | ArrayBufferView} value */
  bytesOf(value) {
    if (!ArrayBuffer.isView(value)) return value;
    const isPart = value.byteLength !== value.buffer.byteLength;
    if (!amends("exact_bytes", isPart)) return value.buffer;
    return value.buffer.slice(value.byteOffset, value.byteOffset + value.byteLength);
  },
};

Object.assign(globalThis, { amends, oracle });

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { describe, test } from "node:test";

import { isBinary } from "../binary.js";
import { encodeBatch } from "../batches.js";
import { FrameError, decodeFrame, encodeFrame, encodeValue } from "../frames.js";
import { checkServerMessage } from "../messages.js";

const FOLDER = new URL("../../../rdit_core/vectors/", import.meta.url);

/** @type {[string, any][]} */
const CASES = readdirSync(FOLDER)
  .filter((name) => name.endsWith(".json"))
  .flatMap((file) => JSON.parse(readFileSync(new URL(file, FOLDER), "utf-8")).map((/** @type {any} */ one) => [file, one]))
  .filter(([, one]) => !one.python_only && one.mode === "v1");

/** @param {{ text?: any, base64?: string }} frame @returns {string | ArrayBuffer} */
function frameOf({ text, base64 }) {
  if (base64 !== undefined) return new Uint8Array(Buffer.from(base64, "base64")).buffer;
  if (typeof text === "string") return text;
  return text.map((/** @type {any} */ piece) => (typeof piece === "string" ? piece : piece.repeat.repeat(piece.times))).join("");
}

/** The vectors' notation as values: buffers and numbers that JSON lacks. @param {any} value @returns {any} */
function valueOf(value) {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(valueOf);
  const keys = Object.keys(value);
  if (keys.length === 1 && keys[0] === "$bytes") return new Uint8Array(Buffer.from(value.$bytes, "base64"));
  if (keys.length === 1 && keys[0] === "$number") return Number(value.$number);
  const copy = Object.create(null);
  for (const key of keys) copy[key] = valueOf(value[key]);
  return copy;
}

/**
 * Every field that is expected is there and equal; further ones are defaults, or unknown.
 *
 * @param {any} actual
 * @param {any} expected
 * @param {string} path
 */
function assertCovers(actual, expected, path = "$") {
  if (isBinary(expected)) {
    assert.ok(actual instanceof DataView, `${path} is no DataView`);
    const bytes = Buffer.from(/** @type {ArrayBuffer} */ (actual.buffer), actual.byteOffset, actual.byteLength);
    assert.equal(bytes.toString("hex"), Buffer.from(/** @type {Uint8Array} */ (expected)).toString("hex"), path);
    assert.equal(actual.byteOffset % 8, 0, `${path} is not aligned`);
  } else if (Array.isArray(expected)) {
    assert.equal(actual.length, expected.length, path);
    for (const [index, item] of expected.entries()) assertCovers(actual[index], item, `${path}[${index}]`);
  } else if (typeof expected === "object" && expected !== null) {
    for (const key of Object.keys(expected)) {
      assert.ok(Object.hasOwn(actual, key), `${path}.${key} is missing`);
      assertCovers(actual[key], expected[key], `${path}.${key}`);
    }
  } else {
    assert.ok(Object.is(actual, expected) || actual === expected, `${path}: ${actual} is not ${expected}`);
  }
}

describe("vectors", () => {
  test("there are many", () => {
    assert.ok(CASES.length > 200, String(CASES.length));
  });

  for (const [file, one] of CASES) {
    if (one.direction === "to_client") {
      test(`${file}: a client reads "${one.name}"`, () => {
        const read = () => checkServerMessage(decodeFrame(frameOf(one.frame)));
        if (one.error) {
          assert.throws(read, (error) => error instanceof FrameError && error.code === one.error);
        } else {
          const message = read();
          if (one.message) assertCovers(message, valueOf(one.message));
        }
      });
    } else if (one.canonical) {
      test(`${file}: a client writes "${one.name}"`, () => {
        const frame = written(one.message);
        const expected = frameOf(one.frame);
        if (typeof expected === "string") assert.equal(frame, expected);
        else assert.equal(Buffer.from(/** @type {any} */ (frame)).toString("hex"), Buffer.from(expected).toString("hex"));
      });
    }
  }
});

/** @param {any} message @returns {string | Uint8Array} */
function written(message) {
  // This client always says what a message's content is.
  const isOurs = message.ops?.every((/** @type {any} */ op) => op.op === "set" || Object.hasOwn(op, "content"));
  // And it puts an acknowledgement in later, and first.
  if (!isOurs || message.sync_ack !== undefined) return encodeFrame(valueOf(message));
  const { seq, ops } = message;
  return encodeBatch(
    seq,
    ops.map((/** @type {any} */ op) => ({
      entry: { widgetId: op.widget_id },
      inst: op.inst,
      slot: op.op === "set" ? { property: op.property } : null,
      value: encodeValue(valueOf(op.op === "set" ? op.value : (op.content ?? null))),
      buffers: (op.buffers ?? []).map((/** @type {any} */ buffer) => valueOf(buffer)),
      ifRev: op.if_rev ?? null,
    })),
  );
}

test("a message that is written is read as it was", () => {
  const value = { a: new Uint8Array([1, 2]), b: NaN };
  const frame = encodeFrame({ type: "sync", frame: 1, rev: 2, changes: [["w", 1, "p", value, 2]] });
  const [[, , , { a, b }]] = checkServerMessage(decodeFrame(frame)).changes;
  assert.deepEqual(new Uint8Array(a.buffer, a.byteOffset, 2), new Uint8Array([1, 2]));
  assert.ok(Number.isNaN(b));
});

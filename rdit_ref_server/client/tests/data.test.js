// The reader that widgets have of rdit_core: read as they read it, as text put before a module. What Python encoded, and what
// it held, is data_page.json; the same file is checked against the encoder by the tests of rdit_core.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";

const CORE = new URL("../../../rdit_core/", import.meta.url);
const READER = readFileSync(new URL("data.js", CORE), "utf-8");
/** @type {any[]} */
const CASES = JSON.parse(readFileSync(new URL("tests/data_page.json", CORE), "utf-8"));

const { readData, readRecords } = await import(
  `data:text/javascript,${encodeURIComponent(`${READER}\nexport { readData, readRecords };`)}`
);

/** The value as the model holds it, each part so many bytes into a buffer. @param {any} one @param {number} offset */
function dataOf(one, offset) {
  const tree = JSON.parse(one.json);
  /** @param {(string | number)[]} path @param {any} value */
  const put = (path, value) => {
    const holder = path.slice(0, -1).reduce((node, step) => node[step], tree);
    holder[/** @type {string | number} */ (path.at(-1))] = value;
  };
  for (const [path, base64] of one.buffers) {
    const bytes = Buffer.from(base64, "base64");
    const buffer = new ArrayBuffer(bytes.length + offset + 3);
    new Uint8Array(buffer).fill(0xaa).set(bytes, offset);
    put(path, new DataView(buffer, offset, bytes.length));
  }
  for (const [path, name] of one.specials) put(path, Number(name));
  return tree;
}

/** A nested value in the notation of the file. @param {any} value @returns {any} */
function noted(value) {
  if (value instanceof DataView) {
    return { $bytes: Buffer.from(/** @type {ArrayBuffer} */ (value.buffer), value.byteOffset, value.byteLength).toString("hex") };
  }
  if (typeof value === "number" && !Number.isFinite(value)) return { $number: String(value) };
  if (Array.isArray(value)) return value.map(noted);
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, noted(child)]));
  }
  return value;
}

/** @param {any} values what the reader gave @param {any} expected */
function assertColumn(values, expected) {
  if (expected.numbers) {
    assert.ok(ArrayBuffer.isView(values) && !(values instanceof DataView));
    assert.equal(/** @type {any} */ (values).length, expected.numbers.length);
    for (const [index, spelled] of expected.numbers.entries()) {
      assert.ok(Object.is(/** @type {any} */ (values)[index], Number(spelled)), `${index}: ${spelled}`);
    }
  } else if (expected.bigints) {
    assert.deepEqual(values, expected.bigints.map((/** @type {any} */ one) => (one === null ? null : BigInt(one))));
  } else assert.deepEqual(noted(values), expected.values);
}

describe("a table that Python encoded", () => {
  for (const one of CASES) {
    for (const offset of [0, 1, 8]) {
      test(`${one.name}, ${offset} bytes into its buffer`, () => {
        const { rows, columns, fields } = readData(dataOf(one, offset));
        assert.equal(rows, one.rows);
        assert.deepEqual(
          fields.map((/** @type {any} */ field) => field.name),
          one.expected.map((/** @type {any} */ [name]) => name),
        );
        for (const [name, expected] of one.expected) assertColumn(columns[name], expected);
        assert.equal(Object.keys(columns).length, fields.length);
      });
    }
  }

  test("has each number's own kind of array", () => {
    const { columns } = readData(dataOf(CASES.find(({ name }) => name === "integers"), 1));
    const kinds = Object.entries(columns).map(([name, values]) => [name, /** @type {any} */ (values).constructor]);
    assert.deepEqual(Object.fromEntries(kinds), {
      int8: Int8Array,
      uint8: Uint8Array,
      int16: Int16Array,
      uint16: Uint16Array,
      int32: Int32Array,
      uint32: Uint32Array,
    });
  });
});

describe("the reader", () => {
  const table = () => ({
    rows: 2,
    total: 9,
    columns: [
      { name: "at", type: "datetime", values: new DataView(new Float64Array([0.5, NaN]).buffer), timezone: "UTC" },
      { name: "day", type: "date", values: new Float64Array([86400000, NaN]).buffer },
      { name: "took", type: "duration", values: new Uint8Array(new Float64Array([5, NaN]).buffer) },
      { name: "__proto__", type: "string", values: ["a", null] },
    ],
  });

  test("tells what Python told of the table", () => {
    const { rows, total, fields } = readData(table());
    assert.deepEqual([rows, total], [2, 9]);
    assert.deepEqual(fields[0], { name: "at", type: "datetime", timezone: "UTC" });
  });

  test("gives rows, with times as dates", () => {
    const records = readRecords(table());
    assert.equal(records.length, 2);
    assert.deepEqual(Object.keys(records[0]), ["at", "day", "took", "__proto__"]);
    assert.deepEqual([records[0].at, records[0].day, records[0].took], [new Date(0.5), new Date(86400000), 5]);
    assert.deepEqual([records[1].at, records[1].day, records[1].took], [null, null, NaN]);
    assert.deepEqual([records[0]["__proto__"], records[1]["__proto__"]], ["a", null]);
  });

  test("takes no data for a table without columns", () => {
    for (const nothing of [null, undefined]) {
      const { rows, total, columns, fields } = readData(nothing);
      assert.deepEqual([rows, total, Object.keys(columns), fields], [0, 0, [], []]);
      assert.deepEqual(readRecords(nothing), []);
    }
  });

  test("leaves the value as it was", () => {
    const data = table();
    const before = structuredClone(data);
    readRecords(data);
    assert.deepEqual(data, before);
  });
});

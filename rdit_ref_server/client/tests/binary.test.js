import assert from "node:assert/strict";
import { test } from "node:test";

import { serialize } from "@jupyterlab/services/lib/kernel/serialize.js";

import {
  MAX_DEPTH,
  bytesOf,
  copyData,
  decodeBase64,
  deepEqual,
  encodeBase64,
  fromWire,
  isPlainObject,
  sameOnWire,
  toWire,
} from "../binary.js";
import { MAX_VALUE_DEPTH, encodeValue, utf8Size } from "../frames.js";

const wire = (/** @type {unknown} */ value) => JSON.stringify(toWire(value));

/** @param {number[]} bytes */
const buffer = (...bytes) => new Uint8Array(bytes).buffer;

test("plain values go through as JSON has them", () => {
  const value = { a: [1, "two", true, null, { b: -0.5 }], "": {} };
  assert.equal(wire(value), JSON.stringify(value));
});

test("-0 leaves a page as 0, as it does in Jupyter", () => {
  const inJupyter = serialize(/** @type {any} */ ({ content: { data: [-0, { n: -0 }] }, buffers: [], channel: "shell" }));
  assert.match(String(inJupyter), /\[0,\{"n":0\}\]/);
  assert.equal(encodeValue([-0, { n: -0 }]).text, '[0,{"n":0}]');
  assert.equal(wire([-0, { n: -0 }]), '[0,{"n":0}]');
});

test("numbers that are not finite become null", () => {
  assert.equal(wire([NaN, Infinity, -Infinity]), "[null,null,null]");
});

test("undefined is null, and left out inside an object", () => {
  assert.equal(wire(undefined), "null");
  assert.equal(wire([undefined, 1]), "[null,1]");
  assert.equal(wire({ a: undefined, b: 1 }), '{"b":1}');
});

for (const [name, value, base64] of /** @type {[string, unknown, string][]} */ ([
  ["an ArrayBuffer", buffer(1, 2, 3), "AQID"],
  ["a DataView of a part", new DataView(buffer(9, 1, 2, 3, 9), 1, 3), "AQID"],
  ["a subarray", new Uint8Array(buffer(9, 1, 2, 3, 9)).subarray(1, 4), "AQID"],
  ["a Uint16Array", new Uint16Array([0x0201]), "AQI="],
  ["a Float32Array", new Float32Array([1]), "AACAPw=="],
  ["a BigInt64Array", new BigInt64Array([1n]), "AQAAAAAAAAA="],
  ["a SharedArrayBuffer", new SharedArrayBuffer(2), "AAA="],
  ["an empty buffer", new ArrayBuffer(0), ""],
])) {
  test(`${name} is sent as exactly its own bytes [afm 60 61]`, () => {
    assert.equal(wire({ deep: [value] }), JSON.stringify({ deep: [{ $b64: base64 }] }));
  });
}

test("bytes come back as a DataView at the same path [afm 59]", () => {
  const value = fromWire({ a: [{ $b64: "AQID" }], b: 1 });
  assert.ok(value.a[0] instanceof DataView);
  assert.deepEqual([...bytesOf(value.a[0])], [1, 2, 3]);
  assert.equal(value.b, 1);
  assert.equal(fromWire({ $b64: "" }).byteLength, 0);
});

test("only an object with the one key and a text is bytes", () => {
  for (const value of [{ $b64: 1 }, { $b64: "AQID", other: 1 }, { b64: "AQID" }, "$b64", null]) {
    assert.deepEqual(fromWire(value), value);
  }
});

test("decoding leaves its argument alone and shares what has no bytes", () => {
  const plain = { x: [1] };
  const source = { plain, bytes: { $b64: "AQ==" } };
  const value = fromWire(source);
  assert.equal(value.plain, plain);
  assert.deepEqual(source.bytes, { $b64: "AQ==" });
  assert.equal(fromWire(plain), plain);
});

test("text that is not base64 is an error", () => {
  assert.throws(() => fromWire({ $b64: "%" }), { name: "InvalidCharacterError" });
});

test("base64 survives every byte and sizes around the chunk", () => {
  for (const size of [0, 1, 2, 3, 256, 0x7fff, 0x8000, 0x8001, 100_000]) {
    const bytes = Uint8Array.from({ length: size }, (_, i) => (i * 31) % 256);
    assert.deepEqual(decodeBase64(encodeBase64(bytes)), bytes);
  }
});

test("functions and symbols throw a DataCloneError that names the path [afm 57]", () => {
  assert.throws(() => toWire(() => {}), { name: "DataCloneError" });
  assert.throws(() => toWire({ a: [1, Symbol("x")] }), { name: "DataCloneError", message: /\$\.a\[1\]/ });
});

test("a value that contains itself throws, one that is merely used twice does not", () => {
  /** @type {any} */
  const loop = { inner: [] };
  loop.inner.push(loop);
  assert.throws(() => toWire(loop), { name: "DataCloneError", message: /\$\.inner\[0\]/ });
  const shared = { x: 1 };
  assert.equal(wire([shared, shared]), '[{"x":1},{"x":1}]');
});

test("depth is limited in both directions", () => {
  const nest = (/** @type {number} */ depth) => {
    /** @type {unknown} */
    let value = 1;
    for (let i = 0; i < depth; i += 1) value = [value];
    return value;
  };
  toWire(nest(MAX_DEPTH));
  fromWire(nest(MAX_DEPTH));
  assert.throws(() => toWire(nest(MAX_DEPTH + 1)), { name: "DataCloneError" });
  assert.throws(() => fromWire(nest(MAX_DEPTH + 2)), RangeError);
  assert.throws(() => fromWire(nest(100_000)), RangeError);
});

test("toJSON is honoured [afm 57]", () => {
  assert.equal(wire({ at: new Date(0) }), '{"at":"1970-01-01T00:00:00.000Z"}');
  assert.equal(wire([{ toJSON: () => ({ a: 1 }) }]), '[{"a":1}]');
});

test("a BigInt is a number while a number can hold it", () => {
  assert.equal(wire([7n]), "[7]");
  assert.throws(() => toWire(2n ** 64n), { name: "DataCloneError" });
});

test("a snapshot does not see later changes [afm 57]", () => {
  const value = { list: [1] };
  const snapshot = toWire(value);
  value.list.push(2);
  assert.equal(JSON.stringify(snapshot), '{"list":[1]}');
});

test("a key called __proto__ is data in both directions and pollutes nothing [threat 21]", () => {
  const text = '{"__proto__":{"polluted":{"$b64":"AQ=="}},"constructor":{"prototype":{"polluted":1}}}';
  const value = fromWire(JSON.parse(text));
  assert.ok(Object.hasOwn(value, "__proto__"));
  const inner = Object.getOwnPropertyDescriptor(value, "__proto__")?.value;
  assert.ok(inner.polluted instanceof DataView);
  assert.equal(Object.getPrototypeOf(value), Object.prototype);
  assert.equal(JSON.stringify(toWire(value)), text);
  assert.equal(/** @type {any} */ ({}).polluted, undefined);
});

test("plain objects are told from others, whatever realm they come from", async () => {
  const { runInNewContext } = await import("node:vm");
  assert.equal(isPlainObject({}), true);
  assert.equal(isPlainObject(Object.create(null)), true);
  assert.equal(isPlainObject(runInNewContext("({a: 1})")), true);
  for (const other of [null, [], new Date(), new Map(), new DataView(buffer()), "text", 1]) {
    assert.equal(isPlainObject(other), false);
  }
});

for (const [a, b, expected] of /** @type {[unknown, unknown, boolean][]} */ ([
  [1, 1, true],
  [1, "1", false],
  [NaN, NaN, true],
  [null, undefined, false],
  [{ a: [1, { b: 2 }] }, { a: [1, { b: 2 }] }, true],
  [{ a: 1 }, { a: 1, b: undefined }, false],
  [{ a: undefined }, { b: undefined }, false],
  [[1, 2], [1], false],
  [[], {}, false],
  [new Uint8Array([1]), new Uint8Array([1]), true],
  [new Uint8Array([1]), new Uint8Array([2]), false],
  [new Uint8Array([1]), new Int8Array([1]), false],
  [new DataView(buffer(9, 1), 1), new DataView(buffer(1)), true],
  [buffer(1, 2), buffer(1, 2), true],
  [buffer(1, 2), buffer(1), false],
  [new Date(1), new Date(1), true],
  [new Date(1), new Date(2), false],
  [new Map([[1, 2]]), new Map([[1, 2]]), true],
  [new Set([1]), new Set([2]), false],
  [JSON.parse('{"__proto__":1}'), {}, false],
])) {
  test(`deepEqual of ${Object.prototype.toString.call(a)} and ${Object.prototype.toString.call(b)} is ${expected}`, () => {
    assert.equal(deepEqual(a, b), expected);
    assert.equal(deepEqual(b, a), expected);
  });
}

test("deepEqual ends on values that contain themselves", () => {
  const make = () => {
    /** @type {any} */
    const value = { x: 1 };
    value.self = value;
    return value;
  };
  assert.equal(deepEqual(make(), make()), true);
});

for (const [a, b, expected] of /** @type {[unknown, unknown, boolean][]} */ ([
  [[1, 2, 3], [1, 2, 3], true],
  [[1, 2, 3], [1, 2, 4], false],
  [[1, 2], [1, 2, 3], false],
  [[1], ["1"], false],
  [[1], [true], false],
  [[NaN], [NaN], true],
  [[NaN], [1], false],
  [[0], [-0], true],
  [[undefined], [null], true],
  [[, 1], [null, 1], true],
  [[1n, "a"], [1, "a"], true],
  [[1n, "a"], [1, "b"], false],
  [[[1, 2], [3]], [[1, 2], [4]], false],
  [[{ x: 1, y: undefined }], [{ x: 1 }], true],
  [[{ x: 1, y: undefined }], [{ x: 2 }], false],
  [{ a: { b: 1 } }, { a: { b: 2 } }, false],
  [{ a: 1 }, { b: 1 }, false],
  [[new Date(0)], ["1970-01-01T00:00:00.000Z"], true],
  [{ a: "x", toJSON: () => ({ a: "y" }) }, { a: "y" }, true],
  [Object.assign([1], { toJSON: () => [2] }), [2], true],
  [[new Uint8Array([1])], [new DataView(buffer(1))], true],
  [[new Uint8Array([1])], [new DataView(buffer(2))], false],
  [[new String("a")], ["a"], true],
  [[() => {}], [null], false],
  [JSON.parse('{"__proto__":1}'), JSON.parse('{"__proto__":2}'), false],
])) {
  const [left, right] = [a, b].map((value) => JSON.stringify(value, (_, item) => (typeof item === "bigint" ? `${item}n` : item)));
  test(`on the wire ${left} and ${right} are ${expected ? "the same" : "not the same"}`, () => {
    assert.equal(sameOnWire(a, b), expected);
    assert.equal(sameOnWire(b, a), expected);
  });
}

test("values that contain themselves are like no others on the wire", () => {
  const loop = (/** @type {number} */ end) => {
    /** @type {any[]} */
    const list = [];
    list.push(list, end);
    return list;
  };
  assert.equal(sameOnWire([loop(1)], [[1]]), false);
  assert.equal(sameOnWire(loop(1), loop(2)), false);
});

for (const [name, value, text] of /** @type {[string, unknown, string][]} */ ([
  ["numbers", [1, -0, 1e21, 0.1], "[1,0,1e+21,0.1]"],
  ["numbers that are not finite", [1, NaN], "[1,null]"],
  ["a hole", [1, , 2], "[1,null,2]"],
  ["nothing", undefined, "null"],
  ["undefined in an object", { a: undefined, b: [1] }, '{"b":[1]}'],
  ["keys that are numbers", { b: 1, 2: 1, 1: 1 }, '{"1":1,"2":1,"b":1}'],
  ["a key called __proto__", JSON.parse('{"__proto__":1}'), '{"__proto__":1}'],
  ["half a surrogate pair", ["a\ud800", { "\udc00": 1 }], '["a\ufffd",{"\ufffd":1}]'],
  ["text that looks like an escape", ["\\ud800", "\u{1f600}"], '["\\\\ud800","\u{1f600}"]'],
  ["what is not plain", [new Date(0), new String("a"), 7n, new Map()], '["1970-01-01T00:00:00.000Z","a",7,{}]'],
  ["an instance", [new (class { x = 1; })()], '[{"x":1}]'],
  ["a list that says what it is", Object.assign([1], { toJSON: () => [2] }), "[2]"],
])) {
  test(`${name}: the text of a value is that of its copy, and its size that of the text`, () => {
    const encoded = encodeValue(value);
    assert.equal(encoded.text, text);
    if (encoded.specials.length === 0) assert.equal(encoded.size, new TextEncoder().encode(text).length);
  });
}

test("a value may be as deep as the other side reads, no deeper, and not contain itself", () => {
  const nest = (/** @type {number} */ depth) => {
    /** @type {unknown} */
    let value = 1;
    for (let i = 0; i < depth; i += 1) value = i % 2 ? [value] : { a: value };
    return value;
  };
  assert.equal(encodeValue(nest(MAX_VALUE_DEPTH)).text, JSON.stringify(nest(MAX_VALUE_DEPTH)));
  assert.throws(() => encodeValue(nest(MAX_VALUE_DEPTH + 1)), { name: "DataCloneError", message: /deeper/ });
  /** @type {unknown[]} */
  const loop = [1];
  loop.push(loop, loop);
  assert.throws(() => encodeValue(loop), { name: "DataCloneError", message: /\$\[1\]/ });
});

test("the size of a text is that of its bytes", () => {
  for (const text of ["", "a", "\x7f", "\x80", "é", "€", "\u{1f600}", "a€\u{1f600}é"]) {
    assert.equal(utf8Size(text), new TextEncoder().encode(text).length);
  }
});

test("a copy of data shares nothing with it", () => {
  /** @type {any[]} */
  const value = [1, null, [2], { a: [3] }, new DataView(buffer(4))];
  const copy = copyData(value);
  assert.deepEqual(copy, value);
  for (const at of [2, 3, 4]) assert.notEqual(copy[at], value[at]);
  assert.notEqual(copy[3].a, value[3].a);
  assert.notEqual(copy[4].buffer, value[4].buffer);
});

/**
 * What hosts of widgets have been seen to get wrong in the page, each as a sentence of what happens here instead. Python's
 * half is `harness/tests/test_peers.py`.
 */

import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";

import { BACKOFF_BASE_MS } from "../connection.js";
import { fromWire, toWire } from "../binary.js";
import { LIMITS } from "../timing.js";
import { captureConsole, settle } from "./fakes.js";
import { makeWorld as makePage } from "./world.js";

/** @type {ReturnType<typeof makeWorld>} */
let world;
beforeEach(() => {
  world = makeWorld();
});
afterEach(() => world.end());

/** A page that shows one widget, `w`, whose module the tests write as functions. */
function makeWorld() {
  const page = makePage();
  let rev = 60;
  const self = {
    ...page,
    /** @type {any[]} */
    faults: [],
    /** @param {Record<string, unknown>} values */
    open(values) {
      page.connection.on("error", (fault) => self.faults.push(fault));
      page.network.last.welcome({ w: values });
    },
    /** @param {any} definition @param {Promise<unknown>} [gate] the module comes when this resolves */
    view(definition, gate) {
      return page.show("", {
        id: "w",
        importModule: async () => {
          await gate;
          return { default: definition };
        },
      });
    },
    get model() {
      return /** @type {import("../model.js").Model} */ (page.connection.model("w"));
    },
    /** @param {Record<string, unknown>} values */
    save(values) {
      for (const [name, value] of Object.entries(values)) self.model.set(name, value);
      self.model.save_changes();
    },
    /** Python's values, with the acknowledgement of what the page sent. @param {Record<string, unknown>} values */
    python(values, more = {}) {
      const changes = Object.entries(values).map(([name, value]) => ["w", 40, name, value, (rev += 1)]);
      page.network.last.sync({ changes, rev, ack: self.batches.length, ...more });
    },
    /** Python refuses the last edit. @param {string} code */
    refuse(code) {
      self.python({}, { rejects: [{ seq: self.batches.length, op: 0, code, message: "no" }] });
    },
    /** @returns {any[]} */
    get batches() {
      return page.network.last.messages.filter(({ type }) => type === "batch");
    },
    /** The edits that left, as [property, value]. @returns {any[]} */
    get edits() {
      return self.batches.flatMap(({ ops }) => ops.map((/** @type {any} */ op) => [op.property, op.value]));
    },
  };
  return self;
}

/** A module that shows `n`. @param {(props: any) => void} [more] */
const showing = (more) => ({
  /** @param {any} props */
  render(props) {
    const { model, el } = props;
    const show = () => void (el.textContent = String(model.get("n")));
    model.on("change:n", show);
    show();
    more?.(props);
  },
});

describe("a load that takes its time", () => {
  for (const seconds of [3, 40]) {
    test(`of ${seconds} seconds ends in sync both ways`, async () => {
      world.open({ n: 1 });
      /** @type {any} */
      let arrive;
      const shown = world.view(showing(), new Promise((resolve) => (arrive = resolve)));
      world.clock.advance(seconds * 1_000);
      world.python({ n: 2 });
      await settle();
      arrive();
      const { el } = await shown;
      assert.equal(el.textContent, "2");
      world.python({ n: 3 });
      assert.equal(el.textContent, "3");
      world.save({ n: 4 });
      assert.deepEqual(world.edits, [["n", 4]]);
    });
  }
});

describe("a write that Python refuses", () => {
  test("is taken back in every view, and told once", async () => {
    world.open({ n: 10 });
    const first = await world.view(showing());
    const second = await world.view(showing());
    world.save({ n: 1000 });
    assert.deepEqual([first.el.textContent, second.el.textContent], ["1000", "1000"]);
    world.refuse("invalid_value");
    assert.deepEqual([first.el.textContent, second.el.textContent, world.model.get("n")], ["10", "10", 10]);
    assert.deepEqual(world.faults.map(({ code, property }) => [code, property]), [["invalid_value", "n"]]);
    world.model.save_changes();
    assert.equal(world.batches.length, 1);
  });

  test("was of the module itself: the module that stands goes on", async () => {
    world.open({ n: 10, _esm: "export default 1" });
    const { el } = await world.view(showing());
    world.save({ _esm: "export default 2" });
    world.refuse("protected_property");
    await settle();
    assert.equal(world.model.get("_esm"), "export default 1");
    assert.equal(el.textContent, "10");
  });
});

describe("a question to Python", () => {
  /** @type {(name: string, msg?: unknown, options?: object) => Promise<any>} */
  let invoke;
  beforeEach(async () => {
    world.open({ n: 1 });
    await world.view(showing(({ experimental }) => ({ invoke } = experimental)));
  });
  const question = () => world.batches.at(-1).ops[0].content;

  /** @param {object} body */
  function reply(body) {
    const content = { id: question().id, kind: "anywidget-command-response", ...body };
    world.network.last.sync({ ack: world.batches.length, msgs: [{ n: 1, widget_id: "w", inst: 40, content }] });
  }

  test("is answered", async () => {
    const answer = invoke("add", [1, 2]);
    reply({ response: 3 });
    assert.deepEqual(await answer, [3, []]);
  });

  test("that leaves its message out asks with null, for Python looks for one", async () => {
    const answer = invoke("add");
    assert.deepEqual([question().name, question().msg], ["add", null]);
    reply({ response: null });
    await answer;
  });

  for (const [what, error] of /** @type {[string, { code: string, message: string }][]} */ ([
    ["raises at", { code: "command_failed", type: "ValueError", message: "no such row" }],
    ["knows no command for", { code: "unknown_command", message: "no such row" }],
    ["runs no event loop for", { code: "no_event_loop", message: "no such row" }],
  ])) {
    test(`that Python ${what} rejects at once`, async () => {
      const answer = invoke("add", 1);
      reply({ error });
      await assert.rejects(answer, { code: error.code, message: /no such row/ });
    });
  }

  test("that no handler could take rejects at once", async () => {
    const answer = invoke("add", 1);
    world.refuse("handler_failed");
    await assert.rejects(answer, { code: "handler_failed" });
  });
});

describe("a value", () => {
  test("that is part of a larger buffer leaves without the rest of it", () => {
    world.open({ data: null });
    const whole = new Uint8Array(100_000).map((_, n) => n % 256);
    world.save({ data: whole.subarray(2, 5) });
    const [[, sent]] = world.edits;
    assert.deepEqual([...new Uint8Array(sent.buffer, sent.byteOffset, sent.byteLength)], [2, 3, 4]);
    const frame = /** @type {any} */ (world.network.last.frames.at(-1));
    assert.ok(frame.byteLength < 1_000);
  });

  for (const [name, value] of Object.entries({
    ArrayBuffer: new Uint8Array([1, 2, 3, 4]).buffer,
    DataView: new DataView(new Uint8Array([1, 2, 3, 4]).buffer),
    Uint8Array: new Uint8Array([1, 2, 3, 4]),
    Uint8ClampedArray: new Uint8ClampedArray([1, 2, 3, 4]),
    Int16Array: new Int16Array(new Uint8Array([1, 2, 3, 4]).buffer),
    Float32Array: new Float32Array(new Uint8Array([1, 2, 3, 4]).buffer),
  })) {
    test(`of bytes is binary, as ${name} too, at any depth`, () => {
      world.open({ data: null });
      world.save({ data: { deep: [value] } });
      const [[, sent]] = world.edits;
      assert.deepEqual([...new Uint8Array(sent.deep[0].buffer, sent.deep[0].byteOffset, 4)], [1, 2, 3, 4]);
      const there = /** @type {any} */ (fromWire(toWire({ deep: [value] }))).deep[0];
      assert.deepEqual([there.constructor, there.byteLength], [DataView, 4]);
    });
  }

  test("that is edited in place and set again is saved", () => {
    world.open({ items: [1] });
    const items = world.model.get("items");
    items.push(2);
    world.save({ items });
    assert.deepEqual(world.edits, [["items", [1, 2]]]);
  });

  test("that is set is the one that get gives, saved or not", () => {
    world.open({ n: 1 });
    world.model.set("n", 2);
    assert.deepEqual([world.model.get("n"), world.edits], [2, []]);
    world.model.save_changes();
    assert.equal(world.model.get("n"), 2);
    world.python({ n: 2 });
    assert.equal(world.model.get("n"), 2);
  });

  test("and others that change with it arrive as one, either way", () => {
    world.open({ a: 0, b: 0 });
    /** @type {unknown[]} */
    const seen = [];
    for (const name of ["a", "b"]) {
      world.model.on(`change:${name}`, () => seen.push([world.model.get("a"), world.model.get("b")]));
    }
    world.python({ a: 1, b: 2 });
    assert.deepEqual(seen, [[1, 2], [1, 2]]);
    world.save({ a: 3, b: 4 });
    // In one batch, which Python applies as a whole.
    assert.deepEqual([world.batches.length, world.edits], [1, [["a", 3], ["b", 4]]]);
  });
});

describe("a listener", () => {
  test("that throws loses neither the save nor the other listeners, and Python hears of it", (t) => {
    captureConsole(t);
    world.open({ n: 1 });
    /** @type {unknown[]} */
    const heard = [];
    world.model.on("change:n", () => {
      throw new Error("broken");
    });
    world.model.on("change:n", () => heard.push(world.model.get("n")));
    world.save({ n: 2 });
    assert.deepEqual([heard, world.edits], [[2], [["n", 2]]]);
    const reports = world.network.last.messages.filter(({ type }) => type === "report");
    assert.deepEqual(reports.map(({ stage, message }) => [stage, message]), [["listener", "broken"]]);
  });

  test("of another view stays when one view removes all of its own", async () => {
    world.open({ n: 1 });
    /** @type {any} */
    let mine;
    const first = await world.view(showing(({ model }) => (mine ??= model)));
    const second = await world.view(showing());
    mine.off();
    world.python({ n: 2 });
    assert.deepEqual([first.el.textContent, second.el.textContent], ["1", "2"]);
  });
});

describe("a lost connection", () => {
  /** @param {Record<string, unknown>} values of Python's, meanwhile */
  function comeBack(values = {}) {
    world.clock.advance(BACKOFF_BASE_MS);
    world.network.last.welcome({}, { resumed: true });
    const changes = Object.entries(values).map(([name, value]) => ["w", 40, name, value, 90]);
    world.network.last.sync({ changes, rev: 90 });
  }

  test("leaves models and views as they are", async () => {
    world.open({ n: 1 });
    let renders = 0;
    const { el } = await world.view(showing(() => (renders += 1)));
    const { model } = world;
    world.network.last.drop();
    assert.deepEqual([model.signal.aborted, el.textContent], [false, "1"]);
    comeBack({ n: 2 });
    assert.deepEqual([world.model === model, renders, el.textContent], [true, 1, "2"]);
  });

  test("loses no edit that is made meanwhile", async () => {
    world.open({ n: 1 });
    const { el } = await world.view(showing());
    world.network.last.drop();
    for (let n = 2; n <= 50; n += 1) world.save({ n });
    assert.equal(el.textContent, "50");
    comeBack();
    assert.deepEqual([world.edits, world.faults], [[["n", 50]], []]);
  });
});

describe("a queue that is full", () => {
  test("loses no value: the last of each is sent when there is room", () => {
    world.open({ n: 0, m: 0 });
    for (let n = 1; n <= 5_000; n += 1) world.save({ n, m: -n });
    assert.ok(world.batches.length <= LIMITS.maxInflight);
    for (let turn = 0; turn < 3; turn += 1) world.python({});
    assert.deepEqual(world.edits.slice(-2), [["n", 5_000], ["m", -5_000]]);
    assert.deepEqual(world.faults, []);
  });

  test("says which messages it could not keep, and keeps the latest", () => {
    world.open({ n: 0 });
    world.network.last.drop();
    for (let n = 0; n < LIMITS.maxQueuedMessages + 3; n += 1) world.model.send({ n });
    assert.deepEqual(world.faults.map(({ code }) => code), ["queue_full", "queue_full", "queue_full"]);
    world.clock.advance(BACKOFF_BASE_MS);
    world.network.last.welcome({}, { resumed: true });
    const sent = world.batches.flatMap(({ ops }) => ops.map((/** @type {any} */ { content }) => content.n));
    assert.deepEqual([sent.length, sent[0], sent.at(-1)], [LIMITS.maxQueuedMessages, 3, LIMITS.maxQueuedMessages + 2]);
  });
});

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { MAX_UNANSWERED_PER_SLOT, createExchange } from "../exchange.js";
import { captureConsole } from "./fakes.js";

/** @typedef {Partial<Parameters<typeof createExchange>[0]>} Options */

/** An exchange that no frame can leave yet, and the wire that it is told of. @param {Options} [options] */
function down(options) {
  const exchange = createExchange({ getModel: () => Promise.reject(new Error("nobody")), ...options });
  /** @type {any[]} */
  const errors = [];
  /** @type {boolean[]} */
  const idles = [];
  exchange.emitter.on("error", (fault) => errors.push(fault));
  exchange.emitter.on("idle", (idle) => idles.push(idle));
  const wire = {
    /** What left since the wire was last accepted. @type {string[]} */
    frames: [],
    accept() {
      wire.frames = [];
      exchange.wentLive((frame) => wire.frames.push(frame));
    },
    drop() {
      exchange.wentDown();
    },
    /** @param {unknown} message */
    say(message) {
      exchange.receive(typeof message === "string" ? message : JSON.stringify(message));
    },
    /** @param {string} widgetId @param {string} property */
    ack(widgetId, property) {
      wire.say({ type: "ack", widget_id: widgetId, property });
    },
    /** @param {string} widgetId @param {string} property @param {unknown} value */
    push(widgetId, property, value) {
      wire.say({ type: "widget_update", widget_id: widgetId, property, value });
    },
    /** What was sent, as [widget id, property, value]. */
    get updates() {
      return wire.frames.map((frame) => {
        const { widget_id, property, value } = JSON.parse(frame);
        return [widget_id, property, value];
      });
    },
  };
  return { exchange, wire, errors, idles };
}

/** @param {Options} [options] */
function live(options) {
  const world = down(options);
  world.wire.accept();
  return world;
}

/** @param {{ widget_id?: string, property?: string, code?: string }[]} faults */
const brief = (faults) => faults.map(({ code, widget_id, property }) => [code, widget_id, property]);

describe("edits", () => {
  test("an edit leaves at once, and its ack makes the connection idle", () => {
    const { exchange, wire, idles } = live();
    assert.equal(exchange.isIdle(), true);
    exchange.sendUpdate("w1", "n", 1);
    assert.equal(exchange.isIdle(), false);
    assert.deepEqual(wire.frames, ['{"type":"widget_update","widget_id":"w1","property":"n","value":1}']);
    wire.ack("w1", "n");
    assert.equal(exchange.isIdle(), true);
    assert.deepEqual(idles, [false, true]);
  });

  test("while two edits of a property are unanswered, later ones merge [afm 53]", () => {
    const { exchange, wire } = live();
    for (let n = 1; n <= 10; n += 1) exchange.sendUpdate("w1", "n", n);
    assert.equal(MAX_UNANSWERED_PER_SLOT, 2);
    assert.deepEqual(wire.updates.map(([, , value]) => value), [1, 2]);
    wire.ack("w1", "n");
    assert.deepEqual(wire.updates.map(([, , value]) => value), [1, 2, 10]);
    wire.ack("w1", "n");
    assert.equal(exchange.isIdle(), false);
    wire.ack("w1", "n");
    assert.equal(exchange.isIdle(), true);
  });

  test("an edit does not overtake one of another property that waits", () => {
    const { exchange, wire } = live();
    for (const n of [1, 2, 3]) exchange.sendUpdate("w1", "a", n);
    exchange.sendUpdate("w1", "b", 1);
    assert.deepEqual(wire.updates.length, 2);
    wire.ack("w1", "a");
    assert.deepEqual(wire.updates.slice(2), [
      ["w1", "a", 3],
      ["w1", "b", 1],
    ]);
  });

  test("many properties leave at once", () => {
    const { exchange, wire } = live();
    for (let i = 0; i < 50; i += 1) exchange.sendUpdate("w1", `p${i}`, i);
    assert.equal(wire.frames.length, 50);
  });

  test("offline edits wait as the latest value per property and leave in the order of their last edit [afm 56]", () => {
    const { exchange, wire } = down();
    exchange.sendUpdate("w1", "a", 1);
    exchange.sendUpdate("w1", "b", 1);
    exchange.sendUpdate("w1", "a", 2);
    assert.equal(exchange.isIdle(), false);
    wire.accept();
    assert.deepEqual(wire.updates, [
      ["w1", "b", 1],
      ["w1", "a", 2],
    ]);
  });

  test("a value is a snapshot of the moment it was given", () => {
    const { exchange, wire } = down();
    const list = [1];
    exchange.sendUpdate("w1", "list", list);
    list.push(2);
    wire.accept();
    assert.deepEqual(wire.updates, [["w1", "list", [1]]]);
  });

  test("bytes are sent as base64 and functions throw", () => {
    const { exchange, wire } = live();
    exchange.sendUpdate("w1", "data", { bytes: new Uint8Array([9, 1, 2, 3]).subarray(1) });
    assert.deepEqual(wire.updates, [["w1", "data", { bytes: { $b64: "AQID" } }]]);
    assert.throws(() => exchange.sendUpdate("w1", "f", () => {}), { name: "DataCloneError" });
    wire.ack("w1", "data");
    assert.equal(exchange.isIdle(), true);
  });

  test("unanswered edits are sent again after a loss, unless a later one waits", () => {
    const { exchange, wire } = live();
    exchange.sendUpdate("w1", "a", 1);
    exchange.sendUpdate("w1", "b", 1);
    exchange.sendUpdate("w1", "b", 2);
    exchange.sendUpdate("w1", "b", 3);
    wire.drop();
    exchange.sendUpdate("w1", "c", 1);
    assert.equal(exchange.isIdle(), false);
    wire.accept();
    assert.deepEqual(wire.updates, [
      ["w1", "a", 1],
      ["w1", "b", 3],
      ["w1", "c", 1],
    ]);
    for (const name of ["a", "b", "c"]) wire.ack("w1", name);
    assert.equal(exchange.isIdle(), true);
  });

  test("an answered edit is not sent again", () => {
    const { exchange, wire } = live();
    exchange.sendUpdate("w1", "a", 1);
    wire.ack("w1", "a");
    wire.drop();
    wire.accept();
    assert.deepEqual(wire.frames, []);
  });

  test("a refused edit is settled and reported with its code", () => {
    const { exchange, wire, errors } = live();
    exchange.sendUpdate("w1", "n", -1);
    wire.say({ type: "error", message: "too small", code: "invalid_value", widget_id: "w1", property: "n" });
    assert.equal(exchange.isIdle(), true);
    assert.deepEqual(errors, [{ code: "invalid_value", message: "too small", widget_id: "w1", property: "n" }]);
  });

  test("an error without names answers the oldest unanswered edit", () => {
    const { exchange, wire, errors } = live();
    exchange.sendUpdate("w1", "a", 1);
    exchange.sendUpdate("w1", "b", 1);
    wire.say({ type: "error", message: "Widget w1 not found" });
    assert.deepEqual(brief(errors), [["refused", "w1", "a"]]);
    wire.ack("w1", "b");
    assert.equal(exchange.isIdle(), true);
  });

  test("replies to nothing change nothing", () => {
    const { exchange, wire, errors } = live();
    wire.ack("w1", "n");
    wire.say({ type: "error", message: "by the way", code: "internal" });
    exchange.sendUpdate("w1", "n", 1);
    wire.ack("w1", "other");
    assert.equal(exchange.isIdle(), false);
    assert.deepEqual(brief(errors), [["internal", undefined, undefined]]);
  });

  for (const code of ["bad_json", "unknown_type"]) {
    test(`an error ${code} without names answers no edit: an edit is JSON of a known type`, () => {
      const { exchange, wire, errors } = live();
      exchange.sendUpdate("w1", "n", 1);
      exchange.send("hello");
      wire.say({ type: "error", message: "what?", code });
      assert.equal(exchange.isIdle(), false);
      assert.deepEqual(brief(errors), [[code, undefined, undefined]]);
      wire.ack("w1", "n");
      assert.equal(exchange.isIdle(), true);
    });
  }

  test("a subscriber that edits when told of idle is told of in order", () => {
    const { exchange, wire } = down();
    let edits = 0;
    exchange.emitter.on("idle", (idle) => {
      if (idle && (edits += 1) === 1) exchange.sendUpdate("w1", "n", 2);
    });
    /** @type {boolean[]} */
    const heard = [];
    exchange.emitter.on("idle", (idle) => heard.push(idle));
    wire.accept();
    exchange.sendUpdate("w1", "n", 1);
    wire.ack("w1", "n");
    assert.deepEqual(heard, [false, true, false]);
    wire.ack("w1", "n");
    assert.deepEqual(heard, [false, true, false, true]);
  });

  test("an edit whose frame cannot leave is reported, and those behind it leave", () => {
    const { exchange, errors, idles } = down();
    exchange.sendUpdate("w1", "a", 1);
    exchange.sendUpdate("w1", "b", 1);
    /** @type {string[]} */
    const frames = [];
    exchange.wentLive((frame) => {
      if (frame.includes('"a"')) throw new Error("cannot");
      frames.push(frame);
    });
    assert.deepEqual(brief(errors), [["undeliverable", "w1", "a"]]);
    assert.equal(frames.length, 1);
    exchange.receive('{"type":"ack","widget_id":"w1","property":"b"}');
    assert.deepEqual(idles, [false, true]);
  });

  test("the longest unanswered edit is given up and reported; the others go on", () => {
    const { exchange, wire, errors } = live();
    exchange.sendUpdate("w1", "a", 1);
    exchange.sendUpdate("w1", "b", "long ".repeat(100));
    exchange.sendUpdate("w1", "c", 1);
    exchange.dropLongest();
    assert.deepEqual(brief(errors), [["too_large", "w1", "b"]]);
    wire.drop();
    wire.accept();
    assert.deepEqual(wire.updates.map(([, property]) => property), ["a", "c"]);
    for (const name of ["a", "c"]) wire.ack("w1", name);
    assert.equal(exchange.isIdle(), true);
    exchange.dropLongest();
    assert.equal(errors.length, 1);
  });

  test("what is unanswered when all is forgotten keeps its replies", () => {
    const { exchange, wire } = live();
    exchange.sendUpdate("w1", "n", 1);
    exchange.forget();
    exchange.sendUpdate("w1", "n", 2);
    wire.ack("w1", "n");
    wire.push("w1", "n", 1);
    assert.equal(exchange.open({ widget_id: "w1", model: { n: 2 } }).get("n"), 2);
    assert.equal(exchange.isIdle(), false);
    wire.ack("w1", "n");
    assert.equal(exchange.isIdle(), true);
  });

  test("slots whose names run together are told apart", () => {
    const { exchange, wire } = live();
    exchange.sendUpdate("a", "b.c", 1);
    exchange.sendUpdate("a.b", "c", 2);
    wire.ack("a", "b.c");
    assert.equal(exchange.isIdle(), false);
    wire.ack("a.b", "c");
    assert.equal(exchange.isIdle(), true);
  });

  test("send takes an update the way of all edits", () => {
    const { exchange, wire } = down();
    exchange.send('{"type":"widget_update","widget_id":"w1","property":"n","value":1}');
    assert.throws(() => exchange.send("hello"), { name: "InvalidStateError" });
    wire.accept();
    exchange.send("hello");
    assert.deepEqual(wire.frames.at(-1), "hello");
    assert.equal(exchange.isIdle(), false);
    wire.ack("w1", "n");
    assert.equal(exchange.isIdle(), true);
  });
});

describe("values from Python", () => {
  test("a push reaches the model, bytes as DataView [afm 59]", () => {
    const { exchange, wire } = live();
    const model = exchange.open({ widget_id: "w1", model: { n: 1 } });
    wire.push("w1", "n", { bytes: { $b64: "AQID" } });
    assert.equal(model.get("n").bytes.getUint8(2), 3);
  });

  test("bytes in the state that opens a widget are DataViews", () => {
    const { exchange } = live();
    const model = exchange.open({ widget_id: "w1", model: { data: { $b64: "AQ==" } } });
    assert.equal(model.get("data").getUint8(0), 1);
  });

  test("while an edit is queued or unanswered, pushes of that property are ignored", () => {
    const { exchange, wire } = live();
    const model = exchange.open({ widget_id: "w1", model: { n: 0, other: 0 } });
    /** @type {unknown[]} */
    const seen = [];
    model.on("change:n", (_model, value) => seen.push(value));
    for (const n of [1, 2, 3]) {
      model.set("n", n);
      model.save_changes();
    }
    wire.push("w1", "n", 1);
    wire.push("w1", "other", 5);
    wire.ack("w1", "n");
    wire.push("w1", "n", 2);
    wire.ack("w1", "n");
    wire.push("w1", "n", 2);
    wire.ack("w1", "n");
    assert.deepEqual(seen, [1, 2, 3]);
    assert.equal(model.get("other"), 5);
    wire.push("w1", "n", 10);
    assert.deepEqual(seen, [1, 2, 3, 10]);
  });

  test("an edit that waits for the connection hides pushes until it is settled", () => {
    const { exchange, wire } = live();
    const model = exchange.open({ widget_id: "w1", model: { n: 0 } });
    wire.drop();
    model.set("n", 1);
    model.save_changes();
    wire.accept();
    wire.push("w1", "n", 7);
    assert.equal(model.get("n"), 1);
    wire.ack("w1", "n");
    wire.push("w1", "n", 8);
    assert.equal(model.get("n"), 8);
  });

  test("pushes for a widget that is not open yet are kept, the last per property", () => {
    const { exchange, wire } = live();
    wire.push("w1", "n", 5);
    wire.push("w1", "n", 6);
    wire.push("w1", "m", 7);
    const model = exchange.open({ widget_id: "w1", model: { n: 0, m: 0, k: 0 } });
    assert.deepEqual([model.get("n"), model.get("m"), model.get("k")], [6, 7, 0]);
  });

  test("what is kept for widgets that are not open is bounded, and forgetting is reported once", () => {
    const { exchange, wire, errors } = live({ maxHeldSlots: 3 });
    for (let i = 0; i < 10; i += 1) wire.push(`w${i}`, "n", 1);
    assert.deepEqual(brief(errors), [["dropped", "w0", undefined]]);
    const values = [0, 6, 7, 9].map((i) => exchange.open({ widget_id: `w${i}`, model: {} }).get("n"));
    assert.deepEqual(values, [undefined, undefined, 1, 1]);
  });

  test("the same id opened twice is the same model", () => {
    const { exchange } = live();
    const model = exchange.open({ widget_id: "w1", model: { n: 1 } });
    assert.equal(exchange.open({ widget_id: "w1", model: { n: 2 } }), model);
    assert.equal(exchange.model("w1"), model);
    assert.equal(model.get("n"), 1);
    assert.equal(exchange.model("nobody"), undefined);
  });

  test("opened again with other code or style, the model has them, and its state as it was", () => {
    const { exchange } = live();
    /** @type {string[]} */
    const heard = [];
    const first = { widget_id: "w1", esm: "old", esm_url: "esm/a.js", css: "a {}", model: { n: 1 } };
    const model = exchange.open(first);
    model.on("all", (name) => heard.push(name));
    exchange.open({ ...first, model: { n: 2 } });
    exchange.open({ widget_id: "w1", esm: "old", model: {} });
    assert.deepEqual(heard, []);
    exchange.open({ widget_id: "w1", esm: "new", esm_url: "esm/b.js", css: null, model: { n: 3 } });
    assert.deepEqual(heard, ["change:_esm", "change:_css", "change"]);
    assert.deepEqual([model.get("_esm"), model.get("_css"), model.get("n")], ["esm/b.js", null, 1]);
    const { esm, esm_url, css } = exchange.widgetData("w1") ?? {};
    assert.deepEqual([esm, esm_url, css], ["new", "esm/b.js", null]);
    exchange.open({ widget_id: "w1", css: "b {}", model: {} });
    assert.deepEqual([model.get("_esm"), model.get("_css")], ["esm/b.js", "b {}"]);
    assert.equal(exchange.widgetData("w1")?.esm_url, "esm/b.js");
  });

  test("opened again with what it was opened with, the model keeps what Python made of it since", () => {
    const { exchange, wire } = live();
    const data = { widget_id: "w1", esm: "text", css: "a {}", model: {} };
    const model = exchange.open(data);
    wire.push("w1", "_esm", "newer");
    wire.push("w1", "_css", "b {}");
    exchange.open({ ...data });
    assert.deepEqual([model.get("_esm"), model.get("_css")], ["newer", "b {}"]);
  });

  test("opened without code first, the code that comes later is taken", () => {
    const { exchange } = live();
    const model = exchange.open({ widget_id: "w1", model: {} });
    exchange.open({ widget_id: "w1", esm: "text", model: {} });
    assert.equal(model.get("_esm"), "text");
    assert.equal(exchange.widgetData("w1")?.esm, "text");
  });

  test("the module's URL and the css are readable in the model", () => {
    const { exchange } = live();
    const model = exchange.open({ widget_id: "w1", esm: "text", esm_url: "esm/a.js", css: "a {}", model: {} });
    assert.equal(model.get("_esm"), "esm/a.js");
    assert.equal(model.get("_css"), "a {}");
  });

  for (const message of [
    "not json",
    "null",
    "[]",
    '{"type":"news"}',
    '{"type":"widget_update"}',
    '{"type":"widget_update","widget_id":1,"property":"n","value":1}',
    '{"type":"widget_update","widget_id":"w1","property":"n"}',
    '{"type":"ack"}',
    '{"type":"__proto__"}',
  ]) {
    test(`the message ${message} is ignored`, () => {
      const { exchange, wire, errors } = live();
      const model = exchange.open({ widget_id: "w1", model: { n: 0 } });
      wire.say(message);
      wire.push("w1", "n", 1);
      assert.equal(model.get("n"), 1);
      assert.deepEqual(errors, []);
    });
  }

  test("a value that cannot be read harms nothing but itself", () => {
    const { exchange, wire, errors } = live();
    const model = exchange.open({ widget_id: "w1", model: { n: 0 } });
    wire.push("w1", "n", { $b64: "%%%" });
    wire.push("w1", "n", 1);
    assert.deepEqual(brief(errors), [["bad_message", "w1", "n"]]);
    assert.equal(model.get("n"), 1);
  });

  test("unknown fields are ignored", () => {
    const { exchange, wire } = live();
    const model = exchange.open({ widget_id: "w1", model: { n: 0 } });
    wire.say({ type: "widget_update", widget_id: "w1", property: "n", value: 1, rev: 7 });
    assert.equal(model.get("n"), 1);
  });

  const HOSTILE = [
    '{"__proto__": {"polluted": 1}}',
    '{"constructor": {"prototype": {"polluted": 1}}}',
    '{"__proto__": {"$b64": "AQ=="}, "bytes": {"$b64": "AQ=="}}',
    '[{"__proto__": {"__proto__": {"polluted": 1}}}]',
    '{"a": {"b": {"__proto__": null, "toString": 1, "hasOwnProperty": 1, "then": 1}}}',
    '{"toJSON": 1, "valueOf": {"polluted": 1}, "length": -1}',
  ];
  for (const text of HOSTILE) {
    test(`the value ${text} is data: opened, pushed, set in place and sent [threat 21]`, () => {
      const { exchange, wire, errors } = live();
      const before = Object.getOwnPropertyNames(Object.prototype).join();
      const state = `{"widget_id": "w1", "model": {"opened": ${text}, "__proto__": ${text}}, "__proto__": ${text}}`;
      const model = exchange.open(JSON.parse(state));
      const names = '"type": "widget_update", "widget_id": "w1", "property": "pushed"';
      wire.say(`{${names}, "value": ${text}, "__proto__": ${text}}`);
      for (const name of ["opened", "__proto__", "pushed"]) {
        const value = model.get(name);
        if (!Array.isArray(value)) Object.defineProperty(value, "more", { value: 1, enumerable: true });
        model.set(name, Array.isArray(value) ? [...value, 1] : { ...value });
      }
      model.save_changes();
      assert.equal(wire.frames.length, 3);
      for (const frame of wire.frames) {
        const { value } = JSON.parse(frame);
        const expected = JSON.parse(text);
        if (Array.isArray(expected)) expected.push(1);
        else expected.more = 1;
        assert.equal(JSON.stringify(value), JSON.stringify(expected));
      }
      wire.say(`{"type": "error", "message": ${text}, "code": ${text}, "widget_id": "w1", "property": "opened"}`);
      assert.deepEqual(brief(errors), [["refused", "w1", "opened"]]);
      assert.equal(Object.getOwnPropertyNames(Object.prototype).join(), before);
      assert.equal(/** @type {any} */ ({}).polluted, undefined);
    });
  }

  test("ids and properties such as __proto__ are names like any other [threat 21]", () => {
    const { exchange, wire } = live();
    for (const id of ["__proto__", "constructor"]) {
      for (const property of ["__proto__", "constructor", "polluted"]) {
        wire.push(id, property, { polluted: 1 });
        exchange.sendUpdate(id, property, 1);
        wire.ack(id, property);
        wire.push(id, property, { polluted: 2 });
      }
      const model = exchange.open({ widget_id: id, model: JSON.parse('{"__proto__": {"polluted": 1}}') });
      assert.deepEqual(model.get("polluted"), { polluted: 2 });
    }
    assert.equal(exchange.isIdle(), true);
    assert.equal(/** @type {any} */ ({}).polluted, undefined);
  });
});

describe("models", () => {
  test("a listener that throws is reported as an error of the connection", (t) => {
    captureConsole(t);
    const { exchange, wire, errors } = live();
    exchange.open({ widget_id: "w1", model: { n: 0 } }).on("change:n", () => {
      throw new Error("broken");
    });
    wire.push("w1", "n", 1);
    assert.deepEqual(brief(errors), [["listener_failed", "w1", "n"]]);
  });

  test("the profile is that of the connection", () => {
    const { exchange } = live({ profile: "strict" });
    const model = exchange.open({ widget_id: "w1", model: { n: 0 } });
    model.on("change:n", (...args) => assert.deepEqual(args, []));
    model.set("n", 1);
  });

  test("closing a model ends it, and the id can be opened afresh", () => {
    const { exchange } = live();
    const model = exchange.open({ widget_id: "w1", model: { n: 1 } });
    exchange.closeModel("w1");
    exchange.closeModel("w1");
    assert.equal(model.signal.aborted, true);
    assert.notEqual(exchange.open({ widget_id: "w1", model: { n: 2 } }), model);
  });

  test("a model that was closed sends nothing, neither while it ends nor later", () => {
    const { exchange, wire } = live();
    const model = exchange.open({ widget_id: "w1", model: { n: 0 } });
    const save = () => {
      model.set("n", 1);
      model.save_changes();
    };
    model.signal.addEventListener("abort", save);
    exchange.forget();
    save();
    assert.deepEqual(wire.frames, []);
    assert.equal(exchange.isIdle(), true);
    const next = exchange.open({ widget_id: "w1", model: { n: 0 } });
    save();
    next.set("n", 2);
    next.save_changes();
    assert.deepEqual(wire.updates, [["w1", "n", 2]]);
  });

  test("an edit made while models are forgotten is forgotten with them", () => {
    const { exchange, wire } = down();
    const model = exchange.open({ widget_id: "w1", model: {} });
    model.signal.addEventListener("abort", () => exchange.sendUpdate("w1", "n", 1));
    exchange.forget();
    wire.accept();
    assert.deepEqual(wire.frames, []);
  });

  test("a receiver hears nothing of the widgets that come after all was forgotten", () => {
    const { exchange, wire } = live();
    /** @type {unknown[]} */
    const heard = [];
    exchange.attach("w1", { handleRemoteUpdate: (...update) => heard.push(update) });
    wire.push("w1", "n", 1);
    exchange.forget();
    wire.push("w1", "n", 2);
    assert.deepEqual(heard, [["n", 1]]);
  });

  test("a receiver that throws is reported, one that was detached hears nothing", (t) => {
    captureConsole(t);
    const { exchange, wire, errors } = live();
    const detach = exchange.attach("w1", {
      handleRemoteUpdate() {
        throw new Error("broken");
      },
    });
    wire.push("w1", "n", 1);
    detach();
    wire.push("w1", "n", 2);
    assert.deepEqual(brief(errors), [["listener_failed", "w1", "n"]]);
  });
});

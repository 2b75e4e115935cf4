import assert from "node:assert/strict";
import { describe, test } from "node:test";

import {
  BACKOFF_BASE_MS,
  BACKOFF_CAP_MS,
  MAX_UNANSWERED_PER_SLOT,
  STABLE_AFTER_MS,
  connect,
  connectionOver,
} from "../connection.js";
import { WidgetModel } from "../model.js";
import { captureConsole, fakeClock, fakeNetwork, settle } from "./fakes.js";

/** @typedef {import("../connection.js").ConnectOptions & import("../connection.js").Timers} Options */

/** @param {Options & { status?: number | Error, url?: string }} [options] */
function dial({ status = 200, url = "ws://test/prefix/ws/widgets", ...options } = {}) {
  const network = fakeNetwork();
  const clock = fakeClock();
  const window = new EventTarget();
  const document = Object.assign(new EventTarget(), { visibilityState: "visible" });
  /** @type {string[]} */
  const asked = [];
  const answer = { status };
  const connection = connect(url, {
    WebSocket: network.WebSocket,
    setTimeout: clock.setTimeout,
    clearTimeout: clock.clearTimeout,
    random: () => 1,
    window,
    document,
    fetch: /** @type {any} */ (
      async (/** @type {string} */ address) => {
        asked.push(String(address));
        if (answer.status instanceof Error) throw answer.status;
        return { status: answer.status };
      }
    ),
    ...options,
  });
  /** @type {any[]} */
  const states = [];
  /** @type {any[]} */
  const errors = [];
  /** @type {boolean[]} */
  const idles = [];
  connection.on("state", ({ state }) => states.push(state));
  connection.on("error", (fault) => errors.push(fault));
  connection.on("idle", (idle) => idles.push(idle));
  return { connection, network, clock, window, document, asked, answer, states, errors, idles };
}

/** @param {Options} [options] */
function live(options) {
  const world = dial(options);
  world.network.last.accept();
  return world;
}

/** @param {{ widget_id?: string, property?: string, code?: string }[]} faults */
const brief = (faults) => faults.map(({ code, widget_id, property }) => [code, widget_id, property]);

describe("edits", () => {
  test("an edit leaves at once, and its ack makes the connection idle", () => {
    const { connection, network, idles } = live();
    assert.equal(connection.idle, true);
    connection.sendUpdate("w1", "n", 1);
    assert.equal(connection.idle, false);
    assert.deepEqual(network.last.frames, ['{"type":"widget_update","widget_id":"w1","property":"n","value":1}']);
    network.last.ack("w1", "n");
    assert.equal(connection.idle, true);
    assert.deepEqual(idles, [false, true]);
  });

  test("while two edits of a property are unanswered, later ones merge", () => {
    const { connection, network } = live();
    for (let n = 1; n <= 10; n += 1) connection.sendUpdate("w1", "n", n);
    assert.equal(MAX_UNANSWERED_PER_SLOT, 2);
    assert.deepEqual(network.last.updates.map(([, , value]) => value), [1, 2]);
    network.last.ack("w1", "n");
    assert.deepEqual(network.last.updates.map(([, , value]) => value), [1, 2, 10]);
    network.last.ack("w1", "n");
    assert.equal(connection.idle, false);
    network.last.ack("w1", "n");
    assert.equal(connection.idle, true);
  });

  test("an edit does not overtake one of another property that waits", () => {
    const { connection, network } = live();
    for (const n of [1, 2, 3]) connection.sendUpdate("w1", "a", n);
    connection.sendUpdate("w1", "b", 1);
    assert.deepEqual(network.last.updates.length, 2);
    network.last.ack("w1", "a");
    assert.deepEqual(network.last.updates.slice(2), [
      ["w1", "a", 3],
      ["w1", "b", 1],
    ]);
  });

  test("many properties leave at once", () => {
    const { connection, network } = live();
    for (let i = 0; i < 50; i += 1) connection.sendUpdate("w1", `p${i}`, i);
    assert.equal(network.last.frames.length, 50);
  });

  test("offline edits wait as the latest value per property and leave in the order of their last edit", () => {
    const { connection, network } = dial();
    connection.sendUpdate("w1", "a", 1);
    connection.sendUpdate("w1", "b", 1);
    connection.sendUpdate("w1", "a", 2);
    assert.equal(connection.idle, false);
    network.last.accept();
    assert.deepEqual(network.last.updates, [
      ["w1", "b", 1],
      ["w1", "a", 2],
    ]);
  });

  test("a value is a snapshot of the moment it was given", () => {
    const { connection, network } = dial();
    const list = [1];
    connection.sendUpdate("w1", "list", list);
    list.push(2);
    network.last.accept();
    assert.deepEqual(network.last.updates, [["w1", "list", [1]]]);
  });

  test("bytes are sent as base64 and functions throw", () => {
    const { connection, network } = live();
    connection.sendUpdate("w1", "data", { bytes: new Uint8Array([9, 1, 2, 3]).subarray(1) });
    assert.deepEqual(network.last.updates, [["w1", "data", { bytes: { $b64: "AQID" } }]]);
    assert.throws(() => connection.sendUpdate("w1", "f", () => {}), { name: "DataCloneError" });
    network.last.ack("w1", "data");
    assert.equal(connection.idle, true);
  });

  test("unanswered edits are sent again after a loss, unless a later one waits", () => {
    const { connection, network, clock } = live();
    connection.sendUpdate("w1", "a", 1);
    connection.sendUpdate("w1", "b", 1);
    connection.sendUpdate("w1", "b", 2);
    connection.sendUpdate("w1", "b", 3);
    network.last.drop();
    connection.sendUpdate("w1", "c", 1);
    assert.equal(connection.idle, false);
    clock.advance(BACKOFF_BASE_MS);
    network.last.accept();
    assert.deepEqual(network.last.updates, [
      ["w1", "a", 1],
      ["w1", "b", 3],
      ["w1", "c", 1],
    ]);
    for (const name of ["a", "b", "c"]) network.last.ack("w1", name);
    assert.equal(connection.idle, true);
  });

  test("an answered edit is not sent again", () => {
    const { connection, network, clock } = live();
    connection.sendUpdate("w1", "a", 1);
    network.last.ack("w1", "a");
    network.last.drop();
    clock.advance(BACKOFF_BASE_MS);
    network.last.accept();
    assert.deepEqual(network.last.frames, []);
  });

  test("a refused edit is settled and reported with its code", () => {
    const { connection, network, errors } = live();
    connection.sendUpdate("w1", "n", -1);
    network.last.say({ type: "error", message: "too small", code: "invalid_value", widget_id: "w1", property: "n" });
    assert.equal(connection.idle, true);
    assert.deepEqual(errors, [{ code: "invalid_value", message: "too small", widget_id: "w1", property: "n" }]);
  });

  test("an error without names answers the oldest unanswered edit", () => {
    const { connection, network, errors } = live();
    connection.sendUpdate("w1", "a", 1);
    connection.sendUpdate("w1", "b", 1);
    network.last.say({ type: "error", message: "Widget w1 not found" });
    assert.deepEqual(brief(errors), [["refused", "w1", "a"]]);
    network.last.ack("w1", "b");
    assert.equal(connection.idle, true);
  });

  test("replies to nothing change nothing", () => {
    const { connection, network, errors } = live();
    network.last.ack("w1", "n");
    network.last.say({ type: "error", message: "by the way", code: "internal" });
    connection.sendUpdate("w1", "n", 1);
    network.last.ack("w1", "other");
    assert.equal(connection.idle, false);
    assert.deepEqual(brief(errors), [["internal", undefined, undefined]]);
  });

  test("slots whose names run together are told apart", () => {
    const { connection, network } = live();
    connection.sendUpdate("a", "b.c", 1);
    connection.sendUpdate("a.b", "c", 2);
    network.last.ack("a", "b.c");
    assert.equal(connection.idle, false);
    network.last.ack("a.b", "c");
    assert.equal(connection.idle, true);
  });

  test("send takes an update the way of all edits", () => {
    const { connection, network } = dial();
    connection.send('{"type":"widget_update","widget_id":"w1","property":"n","value":1}');
    assert.throws(() => connection.send("hello"), { name: "InvalidStateError" });
    network.last.accept();
    connection.send("hello");
    assert.deepEqual(network.last.frames.at(-1), "hello");
    assert.equal(connection.idle, false);
    network.last.ack("w1", "n");
    assert.equal(connection.idle, true);
  });
});

describe("values from Python", () => {
  test("a push reaches the model, bytes as DataView", () => {
    const { connection, network } = live();
    const model = connection.open({ widget_id: "w1", model: { n: 1 } });
    network.last.push("w1", "n", { bytes: { $b64: "AQID" } });
    assert.equal(model.get("n").bytes.getUint8(2), 3);
  });

  test("bytes in the state that opens a widget are DataViews", () => {
    const { connection } = live();
    const model = connection.open({ widget_id: "w1", model: { data: { $b64: "AQ==" } } });
    assert.equal(model.get("data").getUint8(0), 1);
  });

  test("while an edit is queued or unanswered, pushes of that property are ignored", () => {
    const { connection, network } = live();
    const model = connection.open({ widget_id: "w1", model: { n: 0, other: 0 } });
    /** @type {unknown[]} */
    const seen = [];
    model.on("change:n", (_model, value) => seen.push(value));
    for (const n of [1, 2, 3]) {
      model.set("n", n);
      model.save_changes();
    }
    network.last.push("w1", "n", 1);
    network.last.push("w1", "other", 5);
    network.last.ack("w1", "n");
    network.last.push("w1", "n", 2);
    network.last.ack("w1", "n");
    network.last.push("w1", "n", 2);
    network.last.ack("w1", "n");
    assert.deepEqual(seen, [1, 2, 3]);
    assert.equal(model.get("other"), 5);
    network.last.push("w1", "n", 10);
    assert.deepEqual(seen, [1, 2, 3, 10]);
  });

  test("an edit that waits for the connection hides pushes until it is settled", () => {
    const { connection, network, clock } = live();
    const model = connection.open({ widget_id: "w1", model: { n: 0 } });
    network.last.drop();
    model.set("n", 1);
    model.save_changes();
    clock.advance(BACKOFF_BASE_MS);
    network.last.accept();
    network.last.push("w1", "n", 7);
    assert.equal(model.get("n"), 1);
    network.last.ack("w1", "n");
    network.last.push("w1", "n", 8);
    assert.equal(model.get("n"), 8);
  });

  test("pushes for a widget that is not open yet are kept, the last per property", () => {
    const { connection, network } = live();
    network.last.push("w1", "n", 5);
    network.last.push("w1", "n", 6);
    network.last.push("w1", "m", 7);
    const model = connection.open({ widget_id: "w1", model: { n: 0, m: 0, k: 0 } });
    assert.deepEqual([model.get("n"), model.get("m"), model.get("k")], [6, 7, 0]);
  });

  test("what is kept for widgets that are not open is bounded, and forgetting is reported once", () => {
    const { connection, network, errors } = live({ maxHeldSlots: 3 });
    for (let i = 0; i < 10; i += 1) network.last.push(`w${i}`, "n", 1);
    assert.deepEqual(brief(errors), [["dropped", "w0", undefined]]);
    const values = [0, 6, 7, 9].map((i) => connection.open({ widget_id: `w${i}`, model: {} }).get("n"));
    assert.deepEqual(values, [undefined, undefined, 1, 1]);
  });

  test("the same id opened twice is the same model", () => {
    const { connection } = live();
    const model = connection.open({ widget_id: "w1", model: { n: 1 } });
    assert.equal(connection.open({ widget_id: "w1", model: { n: 2 } }), model);
    assert.equal(connection.model("w1"), model);
    assert.equal(model.get("n"), 1);
    assert.equal(connection.model("nobody"), undefined);
  });

  test("the module's URL and the css are readable in the model", () => {
    const { connection } = live();
    const model = connection.open({ widget_id: "w1", esm: "text", esm_url: "esm/a.js", css: "a {}", model: {} });
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
      const { connection, network, errors } = live();
      const model = connection.open({ widget_id: "w1", model: { n: 0 } });
      network.last.say(message);
      network.last.push("w1", "n", 1);
      assert.equal(model.get("n"), 1);
      assert.deepEqual(errors, []);
    });
  }

  test("a value that cannot be read harms nothing but itself", () => {
    const { connection, network, errors } = live();
    const model = connection.open({ widget_id: "w1", model: { n: 0 } });
    network.last.push("w1", "n", { $b64: "%%%" });
    network.last.push("w1", "n", 1);
    assert.deepEqual(brief(errors), [["bad_message", "w1", "n"]]);
    assert.equal(model.get("n"), 1);
  });

  test("unknown fields are ignored", () => {
    const { connection, network } = live();
    const model = connection.open({ widget_id: "w1", model: { n: 0 } });
    network.last.say({ type: "widget_update", widget_id: "w1", property: "n", value: 1, rev: 7 });
    assert.equal(model.get("n"), 1);
  });

  test("ids and properties such as __proto__ are names like any other", () => {
    const { connection, network } = live();
    for (const id of ["__proto__", "constructor"]) {
      for (const property of ["__proto__", "constructor", "polluted"]) {
        network.last.push(id, property, { polluted: 1 });
        connection.sendUpdate(id, property, 1);
        network.last.ack(id, property);
        network.last.push(id, property, { polluted: 2 });
      }
      const model = connection.open({ widget_id: id, model: JSON.parse('{"__proto__": {"polluted": 1}}') });
      assert.deepEqual(model.get("polluted"), { polluted: 2 });
    }
    assert.equal(connection.idle, true);
    assert.equal(/** @type {any} */ ({}).polluted, undefined);
  });

  test("output reaches its subscribers", () => {
    const { connection, network } = live();
    /** @type {unknown[]} */
    const seen = [];
    const stop = connection.on("output", ({ n, event }) => seen.push([n, event.kind]));
    network.last.say({ type: "output", n: 4, event: { kind: "stream" } });
    stop();
    network.last.say({ type: "output", n: 5, event: { kind: "stream" } });
    assert.deepEqual(seen, [[4, "stream"]]);
  });

  test("a subscription ends with its signal", () => {
    const { connection, network } = live();
    const controller = new AbortController();
    connection.on("output", () => assert.fail("called"), { signal: controller.signal });
    controller.abort();
    connection.on("output", () => assert.fail("called"), { signal: controller.signal });
    network.last.say({ type: "output", n: 4, event: {} });
  });

  test("a subscriber that throws stops nobody", (t) => {
    const lines = captureConsole(t);
    const { connection, network } = live();
    connection.on("output", () => {
      throw new Error("broken");
    });
    let isReached = false;
    connection.on("output", () => (isReached = true));
    network.last.say({ type: "output", n: 4, event: {} });
    assert.equal(isReached, true);
    assert.equal(lines.error.length, 1);
  });
});

describe("models", () => {
  test("a listener that throws is reported as an error of the connection", (t) => {
    captureConsole(t);
    const { connection, network, errors } = live();
    connection.open({ widget_id: "w1", model: { n: 0 } }).on("change:n", () => {
      throw new Error("broken");
    });
    network.last.push("w1", "n", 1);
    assert.deepEqual(brief(errors), [["listener_failed", "w1", "n"]]);
  });

  test("the profile is that of the connection", () => {
    const { connection } = live({ profile: "strict" });
    const model = connection.open({ widget_id: "w1", model: { n: 0 } });
    model.on("change:n", (...args) => assert.deepEqual(args, []));
    model.set("n", 1);
  });

  test("whenOpen gives a model that is open, and waits for one that is not", async () => {
    const { connection, clock } = live();
    const waiting = connection.whenOpen("w2");
    const first = connection.open({ widget_id: "w1", model: {} });
    const second = connection.open({ widget_id: "w2", model: {} });
    assert.equal(await connection.whenOpen("w1"), first);
    assert.equal(await waiting, second);
    assert.deepEqual(clock.waits, [STABLE_AFTER_MS]);
  });

  test("whenOpen gives up after its time, and with its signal", async () => {
    const { connection, clock } = live();
    const late = connection.whenOpen("w<1>", { timeoutMs: 10 });
    clock.advance(10);
    await assert.rejects(late, /"w<1>"/);
    const controller = new AbortController();
    const aborted = connection.whenOpen("w1", { signal: controller.signal });
    controller.abort(new Error("enough"));
    await assert.rejects(aborted, /enough/);
    await assert.rejects(connection.whenOpen("w1", { signal: controller.signal }), /enough/);
  });

  test("a widget finds another through its widget_manager", async () => {
    const { connection } = live();
    const model = connection.open({ widget_id: "w1", model: {} });
    connection.open({ widget_id: "w2", model: { n: 4 } });
    assert.equal((await model.widget_manager.get_model("w2")).get("n"), 4);
  });

  test("closing a model ends it, and the id can be opened afresh", () => {
    const { connection } = live();
    const model = connection.open({ widget_id: "w1", model: { n: 1 } });
    connection.closeModel("w1");
    connection.closeModel("w1");
    assert.equal(model.signal.aborted, true);
    assert.notEqual(connection.open({ widget_id: "w1", model: { n: 2 } }), model);
  });

  test("a WidgetModel over a connection sends through it and hears what Python changes", () => {
    const { connection, network } = dial();
    network.last.accept();
    network.last.push("w1", "early", 1);
    const model = new WidgetModel("w1", { n: 0 }, connection);
    assert.equal(model.get("early"), 1);
    model.set("n", 1);
    network.last.push("w1", "n", 9);
    assert.equal(model.get("n"), 1);
    network.last.ack("w1", "n");
    network.last.push("w1", "n", 2);
    assert.equal(model.get("n"), 2);
  });

  test("a receiver that throws is reported, one that was detached hears nothing", (t) => {
    captureConsole(t);
    const { connection, network, errors } = live();
    const detach = connection.attach("w1", {
      handleRemoteUpdate() {
        throw new Error("broken");
      },
    });
    network.last.push("w1", "n", 1);
    detach();
    network.last.push("w1", "n", 2);
    assert.deepEqual(brief(errors), [["listener_failed", "w1", "n"]]);
  });
});

describe("dialling", () => {
  test("the address may be http, and output asks for output", () => {
    const { network, connection } = dial({ url: "https://test/prefix/ws/widgets?x=1", output: true });
    assert.equal(network.last.url, "wss://test/prefix/ws/widgets?x=1&output=1");
    assert.equal(connection.baseUrl, "https://test/prefix/");
  });

  test("an address that is none fails at once", async () => {
    const { connection } = dial({
      WebSocket: /** @type {any} */ (
        class {
          constructor() {
            throw new SyntaxError("bad url");
          }
        }
      ),
    });
    assert.equal(connection.state, "failed");
    await assert.rejects(connection.ready, /bad url/);
  });

  test("states go from connecting to live to offline and back", async () => {
    const { connection, network, clock, states } = dial();
    assert.equal(connection.state, "connecting");
    network.last.accept();
    await connection.ready;
    network.last.drop();
    clock.advance(BACKOFF_BASE_MS);
    network.last.accept();
    assert.deepEqual(states, ["live", "offline", "connecting", "live"]);
    assert.equal(network.sockets.length, 2);
  });

  test("waits double up to the cap, with full jitter", () => {
    const { network, clock } = dial({ statusUrl: null });
    /** @type {number[]} */
    const waits = [];
    for (let i = 0; i < 8; i += 1) {
      network.last.drop();
      waits.push(clock.waits[0]);
      clock.advance(clock.waits[0]);
    }
    assert.deepEqual(waits, [500, 1000, 2000, 4000, 8000, 16000, BACKOFF_CAP_MS, BACKOFF_CAP_MS]);
    const half = dial({ statusUrl: null, random: () => 0.5 });
    half.network.last.drop();
    assert.deepEqual(half.clock.waits, [250]);
  });

  test("waits start at the base again only after the connection lived for a while", () => {
    const { network, clock } = live();
    network.last.drop();
    clock.advance(500);
    network.last.accept();
    clock.advance(STABLE_AFTER_MS - 1);
    network.last.drop();
    assert.deepEqual(clock.waits, [1000]);
    clock.advance(1000);
    network.last.accept();
    clock.advance(STABLE_AFTER_MS);
    network.last.drop();
    assert.deepEqual(clock.waits, [BACKOFF_BASE_MS]);
  });

  test("online, or the tab coming to the front, dials at once", () => {
    const { network, window, document } = live();
    network.last.drop();
    window.dispatchEvent(new Event("online"));
    assert.equal(network.sockets.length, 2);
    network.last.drop();
    document.visibilityState = "hidden";
    document.dispatchEvent(new Event("visibilitychange"));
    assert.equal(network.sockets.length, 2);
    document.visibilityState = "visible";
    document.dispatchEvent(new Event("visibilitychange"));
    assert.equal(network.sockets.length, 3);
    window.dispatchEvent(new Event("online"));
    assert.equal(network.sockets.length, 3);
  });

  for (const code of [4500, 4503, 4999]) {
    test(`close code ${code} ends in failed`, async () => {
      const { connection, network, clock, errors } = live();
      connection.sendUpdate("w1", "n", 1);
      network.last.drop(code, "go away");
      assert.equal(connection.state, "failed");
      assert.deepEqual(connection.failure, { code, message: "go away" });
      assert.deepEqual(clock.waits, []);
      assert.deepEqual(brief(errors), [["undeliverable", "w1", "n"]]);
      assert.equal(connection.idle, true);
      connection.sendUpdate("w1", "n", 2);
      assert.deepEqual(brief(errors)[1], ["undeliverable", "w1", "n"]);
    });
  }

  for (const code of [1000, 1001, 1006, 1011, 4000, 4499, 5000]) {
    test(`close code ${code} dials again`, () => {
      const { connection, network, clock } = live();
      network.last.drop(code);
      assert.equal(connection.state, "offline");
      clock.advance(BACKOFF_BASE_MS);
      assert.equal(network.sockets.length, 2);
    });
  }

  for (const status of [401, 403]) {
    test(`a refusal that the status explains with ${status} ends in failed`, async () => {
      const { connection, network, clock, asked } = dial({ status });
      network.last.drop(1006);
      await settle();
      assert.deepEqual(asked, ["http://test/prefix/api/status"]);
      assert.equal(connection.state, "failed");
      assert.equal(connection.failure?.code, status);
      await assert.rejects(connection.ready, new RegExp(String(status)));
      clock.advance(60_000);
      assert.equal(network.sockets.length, 1);
    });
  }

  for (const status of [200, 500, new TypeError("nobody there")]) {
    test(`a refusal with status ${status} dials again`, async () => {
      const { connection, network, clock } = dial({ status });
      network.last.drop(1006);
      await settle();
      assert.equal(connection.state, "offline");
      clock.advance(BACKOFF_BASE_MS);
      network.last.accept();
      assert.equal(connection.state, "live");
    });
  }

  test("each refusal asks once, a loss after live asks nothing", async () => {
    const { network, clock, asked } = live();
    network.last.drop(1006);
    await settle();
    assert.deepEqual(asked, []);
    clock.advance(500);
    network.last.drop(1006);
    await settle();
    clock.advance(1000);
    network.last.drop(1006);
    await settle();
    assert.equal(asked.length, 2);
  });

  test("an answer that comes when the connection is live again fails nothing", async () => {
    const { connection, network, window } = dial({ status: 401 });
    network.last.drop(1006);
    window.dispatchEvent(new Event("online"));
    network.last.accept();
    await settle();
    assert.equal(connection.state, "live");
  });

  test("frames and closes of an old socket are not heard", () => {
    const { connection, network, window } = live();
    const old = network.last;
    const model = connection.open({ widget_id: "w1", model: { n: 0 } });
    old.drop();
    window.dispatchEvent(new Event("online"));
    network.last.accept();
    old.push("w1", "n", 1);
    old.drop();
    assert.equal(model.get("n"), 0);
    assert.equal(connection.state, "live");
  });

  test("pagehide flushes what waits", () => {
    const { connection, network, window } = live();
    for (const n of [1, 2, 3]) connection.sendUpdate("w1", "n", n);
    window.dispatchEvent(new Event("pagehide"));
    assert.deepEqual(network.last.updates.map(([, , value]) => value), [1, 2, 3]);
  });

  test("a page kept for back and forward gives its socket up and dials when shown again", () => {
    const { connection, network, window, clock } = live();
    connection.sendUpdate("w1", "n", 1);
    window.dispatchEvent(Object.assign(new Event("pagehide"), { persisted: true }));
    assert.equal(connection.state, "offline");
    assert.equal(network.last.readyState, 3);
    window.dispatchEvent(new Event("online"));
    clock.advance(60_000);
    assert.equal(network.sockets.length, 1);
    window.dispatchEvent(Object.assign(new Event("pageshow"), { persisted: true }));
    network.last.accept();
    assert.equal(connection.state, "live");
    assert.deepEqual(network.last.updates, [["w1", "n", 1]]);
  });

  test("renew forgets models, edits and early pushes, and dials again", () => {
    const { connection, network, errors } = live();
    const model = connection.open({ widget_id: "w1", model: { n: 0 } });
    network.last.push("w2", "n", 1);
    connection.sendUpdate("w1", "n", 1);
    connection.renew();
    assert.equal(model.signal.aborted, true);
    assert.equal(connection.model("w1"), undefined);
    assert.equal(connection.idle, true);
    assert.equal(network.sockets.length, 2);
    network.last.accept();
    assert.deepEqual(network.last.frames, []);
    assert.equal(connection.open({ widget_id: "w2", model: {} }).get("n"), undefined);
    assert.deepEqual(errors, []);
  });

  test("close ends everything, and nothing dials again", async () => {
    const { connection, network, clock, window, states } = live();
    const model = connection.open({ widget_id: "w1", model: {} });
    connection.close();
    connection.close();
    window.dispatchEvent(new Event("online"));
    clock.advance(60_000);
    assert.equal(connection.state, "closed");
    assert.equal(network.last.readyState, 3);
    assert.equal(network.sockets.length, 1);
    assert.equal(model.signal.aborted, true);
    assert.deepEqual(states, ["live", "closed"]);
    connection.renew();
    assert.equal(network.sockets.length, 1);
  });

  test("a signal closes the connection, also one that aborted before", async () => {
    const controller = new AbortController();
    const { connection } = live({ signal: controller.signal });
    controller.abort();
    assert.equal(connection.state, "closed");
    const late = dial({ signal: controller.signal });
    assert.equal(late.connection.state, "closed");
    assert.equal(late.network.sockets.length, 0);
    await assert.rejects(late.connection.ready, /closed/);
  });
});

describe("connectionOver", () => {
  test("one socket has one connection", () => {
    const { WebSocket } = fakeNetwork();
    const ws = new WebSocket();
    assert.equal(connectionOver(ws), connectionOver(ws));
    assert.notEqual(connectionOver(ws), connectionOver(new WebSocket()));
  });

  test("edits wait for the socket to open", async () => {
    const { WebSocket } = fakeNetwork();
    const ws = new WebSocket();
    const connection = connectionOver(ws);
    const model = connection.open({ widget_id: "w1", model: { n: 0 } });
    for (const n of [1, 2]) {
      model.set("n", n);
      model.save_changes();
    }
    assert.equal(connection.state, "connecting");
    ws.accept();
    await connection.ready;
    assert.deepEqual(ws.updates, [["w1", "n", 2]]);
    ws.push("w1", "n", 9);
    assert.equal(model.get("n"), 2);
    ws.ack("w1", "n");
    ws.push("w1", "n", 9);
    assert.equal(model.get("n"), 9);
    assert.equal(connection.idle, true);
  });

  test("a socket that is open already is live at once", () => {
    const { WebSocket } = fakeNetwork();
    const ws = new WebSocket();
    ws.accept();
    assert.equal(connectionOver(ws).state, "live");
  });

  test("it ends with its socket and does not dial again", async () => {
    const network = fakeNetwork();
    const ws = new network.WebSocket();
    const connection = connectionOver(ws);
    /** @type {any[]} */
    const errors = [];
    connection.on("error", (fault) => errors.push(fault));
    connection.sendUpdate("w1", "n", 1);
    ws.drop();
    assert.equal(connection.state, "closed");
    assert.deepEqual(brief(errors), [["undeliverable", "w1", "n"]]);
    assert.equal(network.sockets.length, 1);
    await assert.rejects(connection.ready, /closed/);
    assert.equal(connectionOver(Object.assign(new network.WebSocket(), { readyState: 3 })).state, "closed");
  });

  test("something with a mere send counts as open", () => {
    /** @type {string[]} */
    const frames = [];
    connectionOver({ send: (/** @type {string} */ text) => frames.push(text) }).sendUpdate("w1", "n", 1);
    assert.equal(frames.length, 1);
  });

  test("closing it closes the models and leaves the socket to its owner", () => {
    const { WebSocket } = fakeNetwork();
    const ws = new WebSocket();
    ws.accept();
    const connection = connectionOver(ws);
    const model = connection.open({ widget_id: "w1", model: {} });
    connection.close();
    assert.equal(model.signal.aborted, true);
    assert.equal(ws.readyState, 1);
  });

  test("renew forgets models and goes on with the same socket", () => {
    const { WebSocket } = fakeNetwork();
    const ws = new WebSocket();
    ws.accept();
    const connection = connectionOver(ws);
    connection.open({ widget_id: "w1", model: {} });
    connection.renew();
    assert.equal(connection.model("w1"), undefined);
    connection.sendUpdate("w1", "n", 1);
    assert.equal(ws.frames.length, 1);
  });
});

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { WidgetModel } from "../model.js";
import { decodeFrame, encodeFrame } from "../frames.js";
import { MAX_WAITING_REPORTS } from "../reports.js";
import { createSession } from "../session.js";
import { LIMITS } from "../timing.js";
import { PAGE_STATES, TRANSITIONS, nextState } from "../transitions.js";
import { createReplay } from "./replay.js";
import { captureConsole } from "./fakes.js";

const WELCOME = {
  type: "welcome",
  protocol: 1,
  epoch: "e1",
  session: "s1",
  secret: "x1",
  resumed: false,
  ack: 0,
  limits: { max_frame: 1_000_000, max_inflight: 2, max_ops: 256 },
  ping_ms: 25_000,
  ttl_ms: 120_000,
};

/**
 * @param {string} id
 * @param {Record<string, unknown>} values
 * @param {object} [more]
 */
function widget(id, values, more = {}) {
  const props = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, [value, 40]]));
  return { widget_id: id, inst: 40, kind: "demo.Widget", props, writable: Object.keys(values), ...more };
}

/** A session and the server's side of it, moved by hand. @param {Partial<import("../session.js").SessionOptions>} [options] */
function makeWorld(options = {}) {
  let now = 0;
  let frame = 0;
  let rev = 40;
  /** @type {any[]} */
  const faults = [];
  /** @type {any[]} */
  const others = [];
  const session = createSession({ random: () => 1, ...options });
  const world = {
    session,
    faults,
    others,
    /** What leaves, decoded, without the acknowledgements of state. @returns {any[]} */
    frames() {
      const sent = session.framesToSend().map((each) => decodeFrame(typeof each === "string" ? each : each.buffer));
      for (const { type, detail } of session.eventsReceived()) {
        if (type === "fault") faults.push(detail);
        else others.push([type, detail]);
      }
      return sent.filter(({ type }) => type !== "sync_ack").map(({ sync_ack: _, ...message }) => message);
    },
    get codes() {
      world.frames();
      return faults.map(({ code }) => code);
    },
    /** @param {number} ms */
    wait(ms) {
      now += ms;
      session.handleTimeout(now);
    },
    get now() {
      return now;
    },
    /** @param {Record<string, unknown>} message */
    say(message) {
      const data = encodeFrame(message);
      session.receive(typeof data === "string" ? data : data.buffer, now);
    },
    /** @param {Record<string, unknown>} fields */
    sync(fields = {}) {
      frame += 1;
      world.say({ type: "sync", frame, rev, ...(fields.more ? {} : { ack: 0 }), ...fields });
    },
    /** @param {number} ack @param {[string, string, unknown][]} [changes] @param {object} [more] */
    ack(ack, changes = [], more = {}) {
      world.sync({
        ack,
        changes: changes.map(([id, name, value]) => [id, 40, name, value, (rev += 1)]),
        ...more,
        ...{ rev },
      });
    },
    open() {
      frame = 0;
      session.opened(now);
      return world.frames()[0];
    },
    /** @param {object[]} open @param {object} [more] */
    live(open, more = {}) {
      if (session.state === "idle") session.start(now);
      world.open();
      world.say(WELCOME);
      world.sync({ open, live: open.map((/** @type {any} */ one) => [one.widget_id, one.inst]), ...more });
    },
    lose(code = 1006) {
      session.eof(now, code);
      world.wait(LIMITS.backoffCapMs);
    },
    /** @param {string} id @param {string} name @param {unknown} value */
    set(id, name, value) {
      const model = world.model(id);
      model.set(name, value);
      model.save_changes();
    },
    /** @param {string} id */
    model(id) {
      return /** @type {import("../model.js").Model} */ (session.model(id));
    },
    /** @param {string} id @param {string} name */
    heard(id, name) {
      /** @type {unknown[]} */
      const values = [];
      world.model(id).on(`change:${name}`, (_model, value) => values.push(value));
      return values;
    },
  };
  return world;
}

/** @param {any} batch */
const edits = (batch) => batch.ops.map((/** @type {any} */ op) => [op.widget_id, op.property, op.value]);

describe("the tables", () => {
  test("every step leads to a state that the page can show, and the ends have no way out", () => {
    for (const steps of Object.values(TRANSITIONS)) {
      for (const next of Object.values(steps)) assert.ok(PAGE_STATES[next]);
    }
    assert.deepEqual([TRANSITIONS.closed, TRANSITIONS.failed], [{}, {}]);
    assert.throws(() => nextState("closed", "start"), /closed.*start/);
  });
});

describe("a report", () => {
  test("leaves at once while live, and waits for a connection otherwise", () => {
    const world = makeWorld();
    world.live([widget("w", { n: 0 })]);
    world.session.report("w", "render", "boom", "at 3");
    assert.deepEqual(world.frames(), [{ type: "report", widget_id: "w", stage: "render", message: "boom", stack: "at 3" }]);
    world.lose();
    world.session.report("w", "render", "boom");
    assert.deepEqual(world.frames(), []);
    world.live([widget("w", { n: 0 })]);
    const reports = world.frames().filter(({ type }) => type === "report");
    assert.deepEqual(reports, [{ type: "report", widget_id: "w", stage: "render", message: "boom" }]);
  });

  for (const [more, text] of /** @type {[number, string][]} */ ([[1, "and 1 more error"], [5, "and 5 more errors"]])) {
    test(`beyond the bound is counted: ${text}`, () => {
      const world = makeWorld();
      world.live([widget("w", { n: 0 })]);
      world.lose();
      for (let n = 0; n < MAX_WAITING_REPORTS + more; n += 1) world.session.report("w", "listener", `failure ${n}`);
      world.live([widget("w", { n: 0 })]);
      const messages = world.frames().filter(({ type }) => type === "report").map(({ message }) => message);
      assert.equal(messages.length, MAX_WAITING_REPORTS + 1);
      assert.deepEqual([messages[0], messages.at(-1)], ["failure 0", `${text} while there was no connection`]);
    });
  }

  test("is not counted off while live: a burst only waits for its turn", () => {
    const world = makeWorld();
    world.live([widget("w", { n: 0 })]);
    for (let n = 0; n < MAX_WAITING_REPORTS + 5; n += 1) world.session.report("w", "listener", `failure ${n}`);
    assert.equal(world.frames().length, MAX_WAITING_REPORTS + 5);
  });
});

describe("an edit", () => {
  test("leaves at once; later ones merge while two batches are out [afm 53]", () => {
    const world = makeWorld();
    world.live([widget("w", { n: 0, m: 0 })]);
    for (const n of [1, 2, 3, 4]) world.set("w", "n", n), n < 3 && assert.deepEqual(edits(world.frames()[0]), [["w", "n", n]]);
    world.set("w", "m", 1);
    world.set("w", "n", 5);
    assert.deepEqual(world.frames(), []);
    world.ack(1, [["w", "n", 1]]);
    const [batch] = world.frames();
    assert.deepEqual([batch.seq, edits(batch)], [3, [["w", "m", 1], ["w", "n", 5]]]);
  });

  test("masks what Python says until it is acknowledged; the model never jumps", () => {
    const world = makeWorld();
    world.live([widget("w", { n: 0 })]);
    const heard = world.heard("w", "n");
    world.set("w", "n", 1);
    world.frames();
    world.ack(0, [["w", "n", 77]]);
    assert.equal(world.model("w").get("n"), 1);
    world.ack(1, [["w", "n", 1]]);
    assert.deepEqual(heard, [1]);
    assert.equal(world.session.isIdle, true);
  });

  for (const [what, changes, shown] of /** @type {[string, [string, string, unknown][], number][]} */ ([
    ["is refused: Python's value comes back", [], 0],
    ["is clamped: what it became is shown", [["w", "n", 100]], 100],
    ["is overtaken by Python: the later one stands", [["w", "n", 7]], 7],
  ])) {
    test(what, () => {
      const world = makeWorld();
      world.live([widget("w", { n: 0 })]);
      world.set("w", "n", 120);
      world.frames();
      const rejects = changes.length > 0 ? [] : [{ seq: 1, op: 0, code: "invalid_value", message: "no" }];
      world.ack(1, changes, { rejects });
      assert.equal(world.model("w").get("n"), shown);
      assert.deepEqual(world.codes, changes.length > 0 ? [] : ["invalid_value"]);
    });
  }

  test("of a property that Python does not have is refused, and stays with the page [afm 33]", () => {
    const world = makeWorld();
    world.live([widget("w", { n: 0 })]);
    world.set("w", "none", 1);
    world.frames();
    world.ack(1, [], { rejects: [{ seq: 1, op: 0, code: "unknown_property", message: "no" }] });
    assert.deepEqual([world.model("w").get("none"), world.codes], [1, ["unknown_property"]]);
    world.model("w").save_changes();
    assert.deepEqual([world.frames(), world.session.isIdle], [[], true]);
  });

  test("of a property that Python has by then shows Python's value", () => {
    const world = makeWorld();
    world.live([widget("w", { n: 0 })]);
    world.set("w", "late", 1);
    world.frames();
    const rejects = [{ seq: 1, op: 0, code: "unknown_property", message: "no" }];
    world.ack(1, [["w", "late", 7]], { rejects });
    assert.equal(world.model("w").get("late"), 7);
  });

  test("of an object that was edited in place and refused shows Python's object again", () => {
    const world = makeWorld();
    world.live([widget("w", { list: [1] })]);
    const list = world.model("w").get("list");
    list.push(2);
    world.set("w", "list", list);
    world.frames();
    world.ack(1);
    assert.deepEqual(world.model("w").get("list"), [1]);
  });

  test("that is saved together leaves together, and what Python changes together is stored together [afm 36 52]", () => {
    const world = makeWorld();
    world.live([widget("w", { a: 0, b: 0 })]);
    const model = world.model("w");
    model.set("a", 1);
    model.set("b", 2);
    model.save_changes();
    assert.equal(world.frames()[0].ops.length, 2);
    /** @type {unknown[]} */
    const seen = [];
    for (const name of ["a", "b"]) model.on(`change:${name}`, () => seen.push([model.get("a"), model.get("b")]));
    world.ack(1, [["w", "a", 5], ["w", "b", 6]]);
    assert.deepEqual(seen, [[5, 6], [5, 6]]);
  });

  test("equal to what is shown counts while another is under way, and is nothing else", () => {
    const world = makeWorld();
    world.live([widget("w", { n: 0 })]);
    world.set("w", "n", 0);
    assert.deepEqual(world.frames(), []);
    const heard = world.heard("w", "n");
    world.set("w", "n", 1);
    world.frames();
    world.set("w", "n", 1);
    assert.equal(world.frames().length, 1);
    assert.deepEqual(heard, [1]);
  });

  test("that is not saved loses to Python, but not to our own earlier edit [afm 38]", () => {
    const world = makeWorld();
    world.live([widget("w", { n: 0 })]);
    const model = world.model("w");
    world.set("w", "n", 1);
    world.frames();
    model.set("n", 2);
    world.ack(1, [["w", "n", 1]]);
    assert.equal(model.get("n"), 2);
    world.ack(1, [["w", "n", 9]]);
    assert.equal(model.get("n"), 9);
    model.save_changes();
    assert.deepEqual(world.frames(), []);
  });

  test("of bytes and NaN survives both ways, and its echo is no change [afm 37 59 60 61]", () => {
    const world = makeWorld();
    world.live([widget("w", { data: null })]);
    world.set("w", "data", { bytes: new Uint8Array([9, 1, 2]).subarray(1), odd: [NaN, -Infinity] });
    const [{ ops }] = world.frames();
    assert.deepEqual(new Uint8Array(ops[0].value.bytes.buffer, ops[0].value.bytes.byteOffset, 2), new Uint8Array([1, 2]));
    assert.deepEqual(ops[0].value.odd, [NaN, -Infinity]);
    const heard = world.heard("w", "data");
    world.ack(1, [["w", "data", { bytes: new Uint8Array([1, 2]), odd: [NaN, -Infinity] }]]);
    assert.deepEqual(heard, []);
    world.ack(1, [["w", "data", new Uint8Array([5])]]);
    const view = /** @type {DataView} */ (heard[0]);
    assert.deepEqual([view.byteLength, view.buffer.byteLength, view.getUint8(0)], [1, 1, 5]);
  });

  test("whose value the server names rather than repeats is confirmed by it", () => {
    const world = makeWorld();
    world.live([widget("w", { n: 0 })]);
    world.set("w", "n", 5);
    world.frames();
    world.ack(1, [], { same: [["w", 40, "n", 1, 0, 50]], rev: 50 });
    assert.equal(world.model("w").get("n"), 5);
  });

  test("whose value the server names is confirmed as it was saved, whatever the widget did to its list since", () => {
    const world = makeWorld();
    world.live([widget("w", { d: null })]);
    /** @type {any[]} */
    const own = [1, [2]];
    world.set("w", "d", own);
    world.frames();
    world.ack(1, [], { same: [["w", 40, "d", 1, 0, 50]], rev: 50 });
    assert.equal(world.model("w").get("d"), own);
    own.push(3);
    /** @type {any[]} */
    const pushed = [];
    world.session.attach("w", { handleRemoteUpdate: (...update) => pushed.push(update) });
    assert.deepEqual(pushed, [["d", [1, [2]]]]);
    // Nor is a copy that was handed out.
    /** @type {any} */ (pushed)[0][1][1].push(4);
    world.set("w", "d", own);
    world.frames();
    world.sync({ ack: 2, rejects: [{ seq: 2, op: 0, code: "invalid_value", message: "no" }], rev: 50 });
    assert.deepEqual(world.model("w").get("d"), [1, [2]]);
    assert.deepEqual(world.codes, ["invalid_value"]);
  });

  test("that no frame can hold is refused at once, and Python's value shown", () => {
    const world = makeWorld();
    world.live([widget("w", { n: 0 })]);
    world.set("w", "n", "x".repeat(1_000_000));
    assert.equal(world.model("w").get("n"), 0);
    assert.deepEqual(world.codes, ["too_large"]);
  });

  test("that cannot be sent throws and keeps no other from being sent [afm 57]", () => {
    const world = makeWorld();
    world.live([widget("w", { f: 0, n: 0 })]);
    const model = world.model("w");
    model.set("f", () => {});
    model.set("n", 1);
    assert.throws(() => model.save_changes(), { name: "DataCloneError" });
    assert.deepEqual(edits(world.frames()[0]), [["w", "n", 1]]);
  });
});

describe("messages", () => {
  test("are a barrier: edits before and after do not merge across [afm 54]", () => {
    const world = makeWorld();
    world.live([widget("w", { n: 0 })]);
    world.lose();
    world.set("w", "n", 1);
    world.model("w").send({ go: true }, undefined, [new Uint8Array([1])]);
    world.set("w", "n", 2);
    world.live([], { open: [], live: [["w", 40]] });
    const [{ ops }] = world.frames();
    assert.deepEqual(ops.map((/** @type {any} */ op) => op.value ?? op.content), [1, { go: true }, 2]);
    assert.equal(ops[1].buffers[0].getUint8(0), 1);
  });

  test("arrive with their buffers, in order, once; gaps are told [afm 43 63]", () => {
    const world = makeWorld();
    world.live([widget("w", { n: 0 })]);
    /** @type {any[]} */
    const heard = [];
    world.model("w").on("msg:custom", (content, buffers) => heard.push([content, buffers[0]?.getUint8(0)]));
    const message = { widget_id: "w", inst: 40 };
    world.sync({ msgs: [{ ...message, n: 1, content: "a", buffers: [new Uint8Array([3])] }] });
    world.sync({ msgs: [{ ...message, n: 1, content: "a" }, { ...message, n: 3, content: "b" }] });
    world.sync({ lost_msgs: 5, msgs: [{ ...message, n: 6, inst: 1, content: "of another" }] });
    assert.deepEqual(heard, [["a", 3], ["b", undefined]]);
    assert.deepEqual(world.codes, ["lost_messages", "lost_messages"]);
    assert.match(world.faults[1].message, /^2 messages/);
  });

  test("offline are bounded, and the oldest fails to its caller [afm 56]", () => {
    const world = makeWorld({ limits: { maxQueuedMessageBytes: 200_000 } });
    world.live([widget("w", {})]);
    world.lose();
    /** @type {string[]} */
    const failed = [];
    for (let i = 0; i <= LIMITS.maxQueuedMessages; i += 1) {
      world.model("w").sendMessage(i, [], ({ code }) => failed.push(`${i} ${code}`));
    }
    assert.deepEqual(failed, ["0 queue_full"]);
    world.model("w").send(new Uint8Array(300_000));
    assert.equal(failed.length, LIMITS.maxQueuedMessages + 1);
    assert.equal(world.session.isIdle, false);
  });

  test("while live a burst is no overflow", () => {
    const world = makeWorld();
    world.live([widget("w", {})]);
    for (let i = 0; i < 2 * LIMITS.maxQueuedMessages; i += 1) world.model("w").send(i);
    assert.deepEqual(world.codes, []);
  });
});

describe("a connection that is lost", () => {
  test("and resumed: what is not acknowledged goes again unchanged, then the queue", () => {
    const world = makeWorld();
    world.live([widget("w", { n: 0, m: 0 })]);
    world.set("w", "n", 1);
    const [one] = world.frames();
    world.set("w", "n", 2);
    const [two] = world.frames();
    world.lose();
    world.set("w", "m", 3);
    assert.deepEqual(world.open().resume, { epoch: "e1", session: "s1", secret: "x1", rev: 40 });
    world.say({ ...WELCOME, resumed: true, ack: 1 });
    world.sync({ ack: 1, changes: [["w", 40, "n", 1, 41]], rev: 41 });
    const [again, next] = world.frames();
    assert.deepEqual([again, one.seq], [two, 1]);
    assert.deepEqual([next.seq, edits(next)], [3, [["w", "m", 3]]]);
    world.sync({ ack: 2, changes: [["w", 40, "n", 2, 42]], rev: 42 });
    assert.deepEqual(world.model("w").get("n"), 2);
  });

  test("and whose session expired: what was sent goes on condition, messages are of unknown fate", () => {
    const world = makeWorld();
    world.live([widget("w", { n: 0, m: 0, o: 0 })]);
    world.set("w", "n", 1);
    world.model("w").send("hello");
    world.frames();
    world.set("w", "o", 4);
    world.lose();
    world.set("w", "m", 3);
    world.open();
    world.say({ ...WELCOME, session: "s2" });
    world.sync({ live: [["w", 40]] });
    const [batch] = world.frames();
    assert.deepEqual(batch.seq, 1);
    assert.deepEqual(
      batch.ops.map((/** @type {any} */ op) => [op.property, op.if_rev]),
      [["n", 40], ["o", undefined], ["m", undefined]],
    );
    assert.deepEqual(world.codes, ["delivery_unknown"]);
  });

  test("to a server that was started anew: edits follow their widget, others are dropped, messages lost", () => {
    const world = makeWorld();
    world.live([widget("w", { n: 0, m: 0 }), widget("v", { n: 0 }), widget("u", { n: 0 })]);
    const model = world.model("w");
    world.set("w", "n", 1);
    world.model("w").send("hello");
    world.frames();
    world.lose();
    world.set("w", "m", 2);
    world.set("v", "n", 3);
    world.set("u", "n", 4);
    assert.equal(world.open().resume.epoch, "e1");
    world.say({ ...WELCOME, epoch: "e2", session: "s2" });
    world.sync({
      open: [
        { ...widget("w", { n: 5, m: 6, k: 7 }), inst: 3, writable: ["n"] },
        { ...widget("v", { n: 8 }), inst: 4, kind: "demo.Other" },
      ],
      live: [["w", 3], ["v", 4]],
      rev: 9,
    });
    const [batch] = world.frames();
    assert.deepEqual(batch.ops, [{ op: "set", widget_id: "w", inst: 3, property: "n", value: 1 }]);
    assert.equal(world.model("w"), model);
    assert.deepEqual(["n", "m", "k"].map((name) => model.get(name)), [1, 6, 7]);
    assert.deepEqual(world.faults.map(({ code, widget_id, property, cause }) => [code, widget_id, property, cause]), [
      ["lost", "w", undefined, "restart"],
      ["dropped", "w", "m", "restart"],
      ["dropped", "v", "n", "restart"],
    ]);
    const [, restarted] = world.others.find(([type]) => type === "restarted") ?? [];
    assert.deepEqual(restarted, { reapplied: 1, dropped: 2, waiting: 1, lost: 1 });
    assert.equal(world.model("v").get("n"), 8);

    // The script of the new server is still running: a widget that is missing may come yet.
    assert.equal(world.session.isOpen("u"), false);
    assert.equal(world.model("u").get("n"), 4);
    world.sync({ open: [{ ...widget("u", { n: 0 }), inst: 10 }] });
    assert.deepEqual(edits(world.frames()[0]), [["u", "n", 4]]);
    assert.equal(world.session.isOpen("u"), true);
  });

  test("a widget that does not come back after a restart is closed in the end, its edits dropped", () => {
    const world = makeWorld();
    world.live([widget("w", { n: 0 })]);
    const model = world.model("w");
    world.lose();
    world.set("w", "n", 1);
    world.open();
    world.say({ ...WELCOME, epoch: "e2" });
    world.sync({ live: [] });
    world.frames();
    assert.equal(world.session.isIdle, false);
    world.wait(LIMITS.returnMs);
    assert.deepEqual([model.signal.aborted, world.codes, world.session.isIdle], [true, ["dropped"], true]);
  });

  test("a session's numbers follow the one in its welcome, and all that waits gets those of the next session", () => {
    for (const epoch of ["e1", "e2"]) {
      const world = makeWorld();
      world.session.start(0);
      world.open();
      world.say({ ...WELCOME, ack: 70 });
      world.sync({ ack: 70, open: [widget("w", { n: 0, m: 0 })], live: [["w", 40]] });
      world.set("w", "n", 1);
      assert.deepEqual(world.frames().map(({ seq }) => seq), [71]);
      world.lose();
      world.open();
      world.say({ ...WELCOME, resumed: true, ack: 70 });
      world.sync({ ack: 70 });
      assert.deepEqual(world.frames().map(({ seq }) => seq), [71]);
      world.lose();
      world.set("w", "m", 2);
      world.open();
      world.say({ ...WELCOME, epoch, session: "s2", ack: 20 });
      world.sync({ ack: 20, open: [widget("w", { n: 0, m: 0 })], live: [["w", 40]] });
      const [batch, ...others] = world.frames();
      assert.deepEqual([batch.seq, edits(batch), others], [21, [["w", "n", 1], ["w", "m", 2]], []]);
      world.ack(21, [["w", "n", 1]]);
      assert.ok(world.session.isIdle);
    }
  });

  test("credentials count only once the first sync was applied", () => {
    const world = makeWorld();
    world.session.start(0);
    world.open();
    world.say(WELCOME);
    world.lose();
    assert.equal(world.open().resume, undefined);
  });

  test("a session that was taken over is not resumed, its edits are sent on condition", () => {
    const world = makeWorld();
    world.live([widget("w", { n: 0 })]);
    world.set("w", "n", 1);
    world.frames();
    world.lose(4004);
    assert.equal(world.open().resume, undefined);
    world.say({ ...WELCOME, session: "s2" });
    world.sync({ open: [widget("w", { n: 0 })], live: [["w", 40]] });
    assert.equal(world.frames()[0].ops[0].if_rev, 40);
  });

  test("a batch that two connections died of is given up, and the next one settles", () => {
    const world = makeWorld();
    world.live([widget("w", { n: 0 })]);
    world.set("w", "n", 1);
    world.frames();
    for (const _ of [1, 2]) {
      world.lose(1009);
      world.open();
      world.say({ ...WELCOME, resumed: true });
      world.sync();
    }
    assert.deepEqual(world.frames(), [{ type: "batch", seq: 1, ops: [] }]);
    assert.deepEqual(world.codes, ["undeliverable"]);
    assert.equal(world.model("w").get("n"), 0);
  });

  test("a frame that the server could not read is sent again, and given up the second time", () => {
    const world = makeWorld();
    world.live([widget("w", { n: 0 })]);
    world.set("w", "n", 1);
    const [batch] = world.frames();
    world.say({ type: "error", code: "bad_json", message: "?", seq: 1 });
    assert.deepEqual(world.frames(), [batch]);
    world.say({ type: "error", code: "bad_json", message: "?", seq: 1 });
    assert.deepEqual(world.frames(), [{ ...batch, ops: [] }]);
    assert.deepEqual(world.codes, ["undeliverable"]);
  });

  test("a sync that is missing ends the transport, and resuming brings it", () => {
    const world = makeWorld();
    world.live([widget("w", { n: 0 })]);
    world.say({ type: "sync", frame: 3, rev: 50, ack: 0, changes: [["w", 40, "n", 9, 50]] });
    assert.deepEqual([world.session.state, world.session.wantsClose, world.model("w").get("n")], ["suspect", true, 0]);
  });

  test("what cannot be read is told and ignored, what is not known is ignored", () => {
    const world = makeWorld();
    world.live([widget("w", { n: 0 })]);
    world.session.receive("{", 0);
    world.session.receive("null", 0);
    world.session.receive(new Uint8Array([0x52, 0x44, 0x42, 0x31]).buffer, 0);
    world.say({ type: "news", of: "tomorrow" });
    assert.deepEqual(world.codes, ["bad_frame", "bad_frame", "bad_frame"]);
    assert.equal(world.session.state, "live");
  });

  test("terminal codes fail, and what waited is undeliverable", () => {
    const world = makeWorld();
    world.live([widget("w", { n: 0 })]);
    world.set("w", "n", 1);
    world.session.eof(0, 4503, "no");
    assert.deepEqual(world.session.failure, { code: 4503, message: "no" });
    world.set("w", "n", 2);
    assert.deepEqual(world.codes, ["undeliverable", "undeliverable"]);
    assert.equal(world.session.nextDeadline(), null);
  });

  test("with the policy drop, edits made meanwhile are given up at once", () => {
    const world = makeWorld({ policy: "drop" });
    world.live([widget("w", { n: 0 })]);
    world.lose();
    world.set("w", "n", 1);
    assert.deepEqual([world.codes, world.model("w").get("n"), world.session.isIdle], [["dropped"], 0, true]);
  });
});

describe("time", () => {
  test("silence ends a transport, and so does a probe without an answer", () => {
    const world = makeWorld();
    world.live([]);
    assert.equal(world.session.nextDeadline(), LIMITS.silenceMs);
    world.session.hintOnline(0);
    assert.deepEqual(world.frames(), [{ type: "ping", id: 1 }]);
    assert.equal(world.session.nextDeadline(), LIMITS.probeMs);
    world.say({ type: "pong", id: 1 });
    world.wait(LIMITS.silenceMs);
    assert.equal(world.session.state, "suspect");
  });

  test("a ping is answered at once", () => {
    const world = makeWorld();
    world.live([]);
    world.say({ type: "ping", id: 7 });
    assert.deepEqual(world.frames(), [{ type: "pong", id: 7 }]);
  });

  test("waits double, and start anew only after the connection lived for a while", () => {
    const world = makeWorld();
    world.live([]);
    const waits = [];
    for (let i = 0; i < 3; i += 1) {
      world.session.eof(world.now);
      waits.push(Number(world.session.nextDeadline()) - world.now);
      world.wait(LIMITS.backoffCapMs);
    }
    world.live([]);
    world.wait(LIMITS.stableMs);
    world.session.eof(world.now);
    waits.push(Number(world.session.nextDeadline()) - world.now);
    assert.deepEqual(waits, [500, 1000, 2000, 500]);
  });

  test("a page kept for back flushes, gives its transport up, and resumes when shown", () => {
    const world = makeWorld();
    world.live([widget("w", { n: 0 })]);
    world.model("w").set("n", 1);
    world.model("w").save_changes();
    world.session.suspend(0);
    assert.equal(world.frames().length, 1);
    assert.deepEqual([world.session.wantsClose, world.session.nextDeadline()], [true, null]);
    world.session.eof(0);
    world.session.hintOnline(0);
    assert.equal(world.session.wantsTransport, false);
    world.session.restore(0);
    assert.equal(world.session.wantsTransport, true);
    assert.equal(world.open().resume.session, "s1");
  });

  test("a page that leaves says all it has to say, and goodbye", () => {
    const world = makeWorld();
    world.live([widget("w", { n: 0 })]);
    for (const n of [1, 2, 3]) world.set("w", "n", n), n < 3 && world.frames();
    world.session.leave(0);
    const [batch, bye] = world.frames();
    assert.deepEqual([edits(batch), bye, world.codes], [[["w", "n", 3]], { type: "bye" }, []]);
  });
});

describe("widgets", () => {
  test("parts of a sync apply together", () => {
    const world = makeWorld();
    world.live([]);
    world.sync({ more: true, open: [widget("w", { a: 1 })] });
    assert.equal(world.model("w"), undefined);
    world.sync({ changes: [["w", 40, "b", 2, 41]], rev: 41 });
    assert.deepEqual([world.model("w").get("a"), world.model("w").get("b")], [1, 2]);
  });

  test("an id that is opened again is another widget, and its messages and values are kept apart", () => {
    const world = makeWorld();
    world.live([widget("w", { n: 1 })]);
    const old = world.model("w");
    world.sync({ open: [{ ...widget("w", { n: 2 }), inst: 50 }], changes: [["w", 40, "n", 9, 60]], rev: 60 });
    assert.equal(old.signal.aborted, true);
    assert.equal(world.model("w").get("n"), 2);
    old.set("n", 3);
    old.save_changes();
    assert.deepEqual(world.frames(), []);
    world.sync({ close: [["w", 40]] });
    assert.notEqual(world.model("w"), undefined);
    world.sync({ close: [["w", 50]] });
    assert.equal(world.model("w"), undefined);
  });

  test("a snapshot of the same session keeps models and closes what is not listed", () => {
    const world = makeWorld();
    world.live([widget("w", { n: 1 }), widget("v", { n: 1 })]);
    const [w, v] = [world.model("w"), world.model("v")];
    world.sync({ open: [widget("w", { n: 1 })], live: [["w", 40]] });
    assert.deepEqual([world.model("w") === w, w.signal.aborted, v.signal.aborted], [true, false, true]);
  });

  test("a model that was made before the server opened it goes on, its edits with it", () => {
    const world = makeWorld();
    const model = world.session.open({ widget_id: "w", model: {} }, { n: 0 });
    model.set("n", 1);
    model.save_changes();
    world.live([widget("w", { n: 0, m: 5 })]);
    assert.deepEqual([world.model("w") === model, model.get("n"), model.get("m")], [true, 1, 5]);
    assert.deepEqual(edits(world.frames()[0]), [["w", "n", 1]]);
  });

  test("an edit of a widget that never opens is told in the end", () => {
    const world = makeWorld();
    world.live([]);
    world.session.sendUpdate("w", "n", 1);
    world.wait(LIMITS.unknownWidgetMs);
    assert.deepEqual([world.codes, world.session.isIdle], [["unknown_widget"], true]);
  });

  test("the model of the first design sends, hears, and gets Python's value after a refusal", () => {
    const world = makeWorld();
    const model = new WidgetModel("w", { n: 0 }, /** @type {any} */ (world.session));
    world.live([widget("w", { n: 4 })]);
    assert.equal(model.get("n"), 4);
    model.set("n", 5);
    world.frames();
    world.ack(0, [["w", "n", 8]]);
    assert.equal(model.get("n"), 5);
    world.ack(1);
    assert.equal(model.get("n"), 8);
  });

  test("a listener that throws, or edits in turn, breaks nothing", (t) => {
    captureConsole(t);
    const world = makeWorld();
    world.live([widget("w", { n: 0, m: 0 })]);
    const model = world.model("w");
    model.on("change:n", () => {
      throw new Error("broken");
    });
    model.on("change:n", () => {
      model.set("m", model.get("n"));
      model.save_changes();
      // A frame that arrives meanwhile has its turn afterwards.
      world.sync({ changes: [["w", 40, "n", 8, 60]], rev: 60 });
      assert.equal(model.get("n"), 7);
    });
    world.sync({ changes: [["w", 40, "n", 7, 50]], rev: 50 });
    assert.equal(model.get("n"), 8);
    assert.deepEqual(edits(world.frames()[0]), [["w", "m", 8]]);
    assert.equal(world.faults[0].code, "listener_failed");
  });
});

describe("a slot that is written only as it was seen", () => {
  const guarded = (/** @type {number} */ inst) =>
    widget("w", { n: 0, m: 0 }, { inst, if_unchanged: ["n"], props: { n: [0, inst], m: [0, inst] } });

  test("names what the page shows of it, however much is confirmed since it was edited [threat 28]", () => {
    const world = makeWorld();
    world.live([guarded(40)]);
    world.set("w", "n", 1);
    world.set("w", "m", 1);
    const sent = () => world.frames().flatMap(({ ops }) => ops.map((/** @type {any} */ op) => [op.value, op.if_rev]));
    assert.deepEqual(sent(), [[1, 40], [1, undefined]]);
    world.ack(0, [["w", "n", 9]]);
    world.set("w", "n", 2);
    world.ack(1);
    assert.deepEqual(sent(), [[2, 40]]);
    const heard = world.heard("w", "n");
    world.ack(2, [], { rejects: [{ seq: 2, op: 0, code: "conflict", message: "m" }] });
    assert.deepEqual([heard, world.model("w").get("n"), world.codes], [[9], 9, ["conflict"]]);
    world.set("w", "n", 10);
    assert.deepEqual(sent(), [[10, 41]]);
  });

  test("keeps the values of a page that slept from overwriting newer ones, in this server and the next [threat 28]", () => {
    for (const [welcome, inst, expected] of /** @type {const} */ ([
      [{ resumed: true }, 40, 40],
      [{ session: "s2" }, 40, 40],
      [{ session: "s2", epoch: "e2" }, 7, 0],
    ])) {
      const world = makeWorld();
      world.live([guarded(40)]);
      world.lose();
      world.set("w", "n", 1);
      world.open();
      world.say({ ...WELCOME, ...welcome });
      world.sync({ open: [guarded(inst)], live: [["w", inst]] });
      const [batch] = world.frames();
      assert.deepEqual([batch.ops[0].value, batch.ops[0].if_rev], [1, expected]);
    }
  });
});

describe("what only shows now and then", () => {
  test("only its own pong answers a probe", () => {
    const world = makeWorld();
    world.live([widget("w", { n: 0 })]);
    world.session.hintOnline(0);
    world.ack(0, [["w", "n", 5]]);
    world.say({ type: "pong", id: 0 });
    assert.equal(world.session.nextDeadline(), LIMITS.probeMs);
    world.say({ type: "pong", id: 1 });
    assert.equal(world.session.nextDeadline(), LIMITS.silenceMs);
  });

  test("an edit queued before the server said how little it takes is given up when its turn comes", () => {
    const world = makeWorld();
    world.live([widget("w", { s: "" })]);
    world.lose();
    world.set("w", "s", "x".repeat(10_000));
    world.open();
    world.say({ ...WELCOME, resumed: true, limits: { ...WELCOME.limits, max_frame: 5_000 } });
    world.sync();
    assert.deepEqual([world.frames(), world.codes], [[], ["too_large"]]);
    assert.equal(world.model("w").get("s"), "");
  });

  test("strikes are kept when the edit goes again in another session", () => {
    const world = makeWorld();
    world.live([widget("w", { n: 0 })]);
    world.set("w", "n", 1);
    world.frames();
    world.session.eof(world.now, 1009);
    world.wait(LIMITS.backoffCapMs);
    world.live([widget("w", { n: 0 })]);
    assert.equal(world.frames()[0].ops[0].if_rev, 40);
    world.session.eof(world.now, 1009);
    assert.deepEqual(world.codes, ["undeliverable"]);
  });

  test("a value that is named as ours and is not known here is fetched by resuming", () => {
    const world = makeWorld();
    world.live([widget("w", { n: 0 })]);
    world.sync({ same: [["w", 40, "n", 7, 0, 60]], rev: 60 });
    assert.deepEqual([world.session.framesToSend(), world.session.state], [[], "suspect"]);
    world.lose();
    assert.equal(world.open().resume.rev, 40);
  });

  test("edits that a message kept apart merge when it is given up", () => {
    const world = makeWorld({ limits: { maxQueuedMessages: 1 } });
    world.live([widget("w", { n: 0, m: 0 })]);
    world.lose();
    world.set("w", "n", 1);
    world.model("w").send("first");
    world.set("w", "n", 2);
    world.model("w").send("second");
    world.set("w", "n", 3);
    world.open();
    world.say({ ...WELCOME, resumed: true });
    world.sync();
    const [{ ops }] = world.frames();
    assert.deepEqual(
      ops.map((/** @type {any} */ op) => op.value ?? op.content),
      [2, "second", 3],
    );
    assert.deepEqual(world.codes, ["queue_full"]);
  });

  test("a message that is not queued pushes no other out", () => {
    const world = makeWorld({ policy: "drop", limits: { maxQueuedMessages: 0 } });
    world.live([widget("w", { n: 0 })]);
    for (let i = 0; i < 4; i += 1) world.model("w").send(i);
    world.lose();
    world.model("w").send("late");
    assert.deepEqual(world.codes, ["dropped"]);
  });

  test("a slot of a widget that is gone takes nothing from the next of its id", () => {
    const world = makeWorld();
    world.live([widget("w", { n: 0, m: 0 })]);
    world.set("w", "n", 1);
    world.frames();
    for (let i = 0; i < 2; i += 1) world.say({ type: "error", code: "bad_frame", message: "?", seq: 1 });
    world.set("w", "m", 1);
    world.sync({ open: [widget("w", { n: 0, m: 0 }, { inst: 50 })] });
    world.model("w").set("n", 7);
    world.sync({ open: [widget("w", { n: 0, m: 0 }, { inst: 50 })] });
    assert.equal(world.model("w").get("n"), 7);
  });
});

describe("large values", () => {
  const SIZE = 200_000;
  /** @param {number} first */
  const bytes = (first) => {
    const data = new Uint8Array(SIZE);
    data[0] = first;
    data[SIZE - 1] = first;
    return data;
  };
  /** @param {any} value */
  const ends = (value) => [value.getUint8(0), value.getUint8(SIZE - 1), value.byteLength];

  test("what was saved is sent, whatever is done to it afterwards, and again after a loss [afm 57]", () => {
    const world = makeWorld();
    world.live([widget("w", { d: null, e: null })]);
    const data = bytes(1);
    for (const name of ["d", "e"]) {
      data[0] = data[SIZE - 1] = 1;
      world.set("w", name, data);
      data[0] = data[SIZE - 1] = 9;
    }
    const sent = world.frames();
    assert.deepEqual(sent.map(({ ops }) => ends(ops[0].value)), [[1, 1, SIZE], [1, 1, SIZE]]);
    world.lose();
    world.open();
    world.say({ ...WELCOME, resumed: true });
    world.sync();
    assert.deepEqual(world.frames(), sent);
  });

  test("what waits for its turn is a snapshot, and the last one of its slot leaves", () => {
    const world = makeWorld();
    world.live([widget("w", { d: null, n: 0, m: 0 })]);
    for (const name of ["n", "m"]) {
      world.set("w", name, 1);
      world.frames();
    }
    const data = bytes(1);
    for (const first of [2, 3]) {
      data[0] = data[SIZE - 1] = first;
      world.set("w", "d", data);
    }
    data[0] = 9;
    world.ack(2);
    assert.deepEqual(world.frames().map(({ ops }) => ends(ops[0].value)), [[3, 3, SIZE]]);
  });

  test("a value that the server names as ours is confirmed, and the widget's own object stays", () => {
    const world = makeWorld();
    world.live([widget("w", { d: null })]);
    const heard = world.heard("w", "d");
    const own = bytes(1);
    world.set("w", "d", own);
    assert.equal(heard.length, 1);
    world.frames();
    world.sync({ ack: 1, same: [["w", 40, "d", 1, 0, 50]], rev: 50 });
    assert.equal(heard.length, 1);
    assert.equal(world.model("w").get("d"), own);
    // An edit in place that Python refuses is taken back: what is confirmed is not the widget's to change.
    own[0] = 5;
    world.set("w", "d", own);
    world.frames();
    world.sync({ ack: 2, rejects: [{ seq: 2, op: 0, code: "invalid_value", message: "no" }], rev: 50 });
    assert.deepEqual(ends(world.model("w").get("d")), [1, 1, SIZE]);
    assert.deepEqual(world.codes, ["invalid_value"]);
  });

  test("what a widget does to bytes of Python's is not taken for what Python has", () => {
    const world = makeWorld();
    world.live([widget("w", { d: new DataView(bytes(1).buffer) })]);
    const shown = world.model("w").get("d");
    assert.deepEqual([shown.byteOffset, shown.buffer.byteLength], [0, SIZE]);
    shown.setUint8(0, 7);
    world.set("w", "d", shown);
    world.frames();
    world.sync({ ack: 1, rejects: [{ seq: 1, op: 0, code: "read_only", message: "no" }] });
    assert.deepEqual(ends(world.model("w").get("d")), [1, 1, SIZE]);
  });

  test("a message's buffers are those of the moment at which it was sent [afm 57]", () => {
    const world = makeWorld();
    world.live([widget("w", { d: null })]);
    const data = bytes(1);
    world.model("w").send("look", {}, [data]);
    data[0] = 9;
    assert.deepEqual(ends(world.frames()[0].ops[0].buffers[0]), [1, 1, SIZE]);
  });
});

describe("size", () => {
  test("two thousand edits in a loop leave in a handful of batches, at once", () => {
    const world = makeWorld();
    world.live(Array.from({ length: 1000 }, (_, i) => widget(`w${i}`, { n: 0 })));
    let left = 0;
    for (let i = 1; i <= 2000; i += 1) {
      world.set("w7", "n", i);
      left += world.frames().length;
    }
    assert.equal(left, 2);
    world.ack(2);
    const [batch] = world.frames();
    assert.deepEqual(edits(batch), [["w7", "n", 2000]]);
  });
});

test("a recorded schedule is answered step by step", () => {
  const replay = createReplay({ random: [0.25] });
  replay({ at: 0, verb: "start" });
  assert.deepEqual(replay({ at: 0, verb: "opened" }).frames, [{ json: { type: "hello" } }]);
  replay({ at: 0, verb: "frame", json: WELCOME });
  const sync = { type: "sync", frame: 1, rev: 40, ack: 0, open: [widget("w", { n: 0 })], live: [["w", 40]] };
  replay({ at: 0, verb: "frame", json: sync });
  const set = replay({ at: 1, verb: "set", widget_id: "w", property: "n", value: { $number: "NaN" }, save: true });
  assert.deepEqual(set.models, { w: { n: { $number: "NaN" } } });
  assert.deepEqual(set.pending, { w: ["n"] });
  assert.equal(replay({ at: 2, verb: "eof", code: 1006 }).deadline, 2.125);
  assert.match(replay({ at: 2, verb: "save", widget_id: "x" }).error, /not open/);
});

test("widgets, properties and keys named __proto__ or constructor pollute nothing [threat 21]", () => {
  const world = makeWorld();
  const before = Object.getOwnPropertyNames(Object.prototype).join();
  world.live([widget("w1", { value: 1 })]);
  const nasty = '{"polluted":1,"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}';
  let frame = 1;
  /** @param {string} fields */
  const sync = (fields) =>
    world.session.receive(`{"type":"sync","frame":${(frame += 1)},"rev":${50 + frame},"ack":0,${fields}}`, world.now);
  for (const id of ["__proto__", "constructor", "prototype"]) {
    const props = `{"__proto__":[${nasty},41],"constructor":[${nasty},41],"value":[1,41]}`;
    sync(`"open":[{"widget_id":"${id}","inst":41,"kind":"k","props":${props},"writable":["__proto__","value"]}]`);
    for (const property of ["__proto__", "constructor", "polluted", "value"]) {
      sync(`"changes":[["${id}",41,"${property}",${nasty},${50 + frame}]]`);
      sync(`"changes":[["w1",40,"${property}",${nasty},${50 + frame}]]`);
    }
    sync(`"msgs":[{"n":${frame},"widget_id":"${id}","inst":41,"content":${nasty}}]`);
    sync(`"rejects":[{"seq":1,"op":0,"code":"__proto__","message":"m"}]`);
    const model = world.model(id);
    assert.equal(model.get("polluted").polluted, 1);
    model.set("__proto__", { polluted: 2 });
    model.set("value", 2);
    model.save_changes();
    world.frames();
    sync(`"close":[["${id}",41]]`);
  }
  for (const path of ['["__proto__","x"]', '["open",0,"__proto__"]', '["constructor","prototype","x"]']) {
    sync(`"specials":[[${path},"NaN"]]`);
  }
  world.frames();
  assert.equal(/** @type {any} */ ({}).polluted, undefined);
  assert.equal(/** @type {any} */ ({}).x, undefined);
  assert.equal(Object.getOwnPropertyNames(Object.prototype).join(), before);
});

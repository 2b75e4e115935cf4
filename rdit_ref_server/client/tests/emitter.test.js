import assert from "node:assert/strict";
import { test } from "node:test";

import { createEmitter } from "../emitter.js";

test("handlers run in the order of registration with the arguments of emit", () => {
  const emitter = createEmitter();
  /** @type {unknown[]} */
  const seen = [];
  emitter.on("a", (...args) => seen.push(["first", ...args]));
  emitter.on("a", (...args) => seen.push(["second", ...args]));
  emitter.emit("a", 1, 2);
  assert.deepEqual(seen, [
    ["first", 1, 2],
    ["second", 1, 2],
  ]);
});

test("the same handler registered twice runs twice and off removes both", () => {
  const emitter = createEmitter();
  let runs = 0;
  const handler = () => void (runs += 1);
  emitter.on("a", handler);
  emitter.on("a", handler);
  emitter.emit("a");
  assert.equal(runs, 2);
  emitter.off("a", handler);
  emitter.emit("a");
  assert.equal(runs, 2);
  assert.equal(emitter.count(), 0);
});

test("a handler removed during an emit still runs in that round, one added does not", () => {
  const emitter = createEmitter();
  /** @type {string[]} */
  const seen = [];
  const late = () => seen.push("late");
  const removed = () => seen.push("removed");
  emitter.on("a", () => {
    emitter.off("a", removed);
    emitter.on("a", late);
  });
  emitter.on("a", removed);
  emitter.emit("a");
  assert.deepEqual(seen, ["removed"]);
  emitter.emit("a");
  assert.deepEqual(seen, ["removed", "late"]);
});

test("off with an owner leaves the handlers of others alone", () => {
  const emitter = createEmitter();
  const mine = {};
  /** @type {string[]} */
  const seen = [];
  emitter.on("a", () => seen.push("mine"), mine);
  emitter.on("b", () => seen.push("mine"), mine);
  emitter.on("a", () => seen.push("theirs"));
  emitter.off(null, null, mine);
  emitter.emit("a");
  emitter.emit("b");
  assert.deepEqual(seen, ["theirs"]);
});

test("off with a name only drops that name", () => {
  const emitter = createEmitter();
  /** @type {string[]} */
  const seen = [];
  emitter.on("a", () => seen.push("a"));
  emitter.on("b", () => seen.push("b"));
  emitter.off("a");
  emitter.emit("a");
  emitter.emit("b");
  assert.deepEqual(seen, ["b"]);
});

test("a handler that throws does not silence the rest and the first error is raised at the end", () => {
  const emitter = createEmitter();
  let isReached = false;
  emitter.on("a", () => {
    throw new Error("first");
  });
  emitter.on("a", () => {
    throw new Error("second");
  });
  emitter.on("a", () => void (isReached = true));
  assert.throws(() => emitter.emit("a"), /first/);
  assert.equal(isReached, true);
});

test("with onerror every error goes there and nothing is raised", () => {
  /** @type {[string, string][]} */
  const errors = [];
  const emitter = createEmitter({ onerror: (error, name) => errors.push([String(error), name]) });
  emitter.on("a", () => {
    throw new Error("one");
  });
  emitter.on("a", () => {
    throw new Error("two");
  });
  emitter.emit("a");
  assert.deepEqual(errors, [
    ["Error: one", "a"],
    ["Error: two", "a"],
  ]);
});

test("emitFor computes the arguments for each owner", () => {
  const emitter = createEmitter();
  const owner = {};
  /** @type {unknown[]} */
  const seen = [];
  emitter.on("a", (who) => seen.push(who), owner);
  emitter.on("a", (who) => seen.push(who));
  emitter.emitFor("a", (who) => [who]);
  assert.deepEqual(seen, [owner, null]);
});

test("names such as __proto__ and constructor are names like any other [threat 21]", () => {
  const emitter = createEmitter();
  /** @type {string[]} */
  const seen = [];
  emitter.emit("constructor");
  emitter.on("__proto__", () => seen.push("proto"));
  emitter.emit("__proto__");
  assert.deepEqual(seen, ["proto"]);
  assert.equal(/** @type {any} */ ({}).handler, undefined);
});

test("who listens to all is settled before the first handler of an event runs", () => {
  const emitter = createEmitter();
  /** @type {unknown[]} */
  const seen = [];
  const removed = (/** @type {unknown[]} */ ...args) => seen.push(["removed", ...args]);
  const added = () => seen.push("added");
  emitter.on("all", removed);
  emitter.on("a", () => {
    seen.push("first");
    emitter.off("all", removed);
    emitter.on("all", added);
  });
  emitter.emitWithAll("a", () => [1]);
  assert.deepEqual(seen, ["first", ["removed", "a", 1]]);
  emitter.emitWithAll("b", () => []);
  assert.deepEqual(seen.slice(2), ["added"]);
});

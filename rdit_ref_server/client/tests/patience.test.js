import assert from "node:assert/strict";
import { test } from "node:test";

import { patiently } from "../patience.js";

const LOST = new TypeError("Failed to fetch dynamically imported module: http://127.0.0.1/esm/x.js#w");

/** @param {string} state */
function makeConnection(state) {
  /** @type {Set<() => void>} */
  const callbacks = new Set();
  const connection = {
    state,
    /** @param {string} next */
    become(next) {
      connection.state = next;
      for (const callback of [...callbacks]) callback();
    },
    /** @param {string} event @param {() => void} callback @param {{ signal: AbortSignal }} options */
    on(event, callback, { signal }) {
      assert.equal(event, "state");
      callbacks.add(callback);
      signal.addEventListener("abort", () => callbacks.delete(callback));
    },
    get listeners() {
      return callbacks.size;
    },
  };
  return connection;
}

/** @param {...unknown} answers each an error to throw, or what is there */
function makeLoad(...answers) {
  const load = async () => {
    load.count += 1;
    const answer = answers.shift();
    if (answer instanceof Error) throw answer;
    return answer;
  };
  load.count = 0;
  return load;
}

/** @param {ReturnType<typeof makeLoad>} load @param {ReturnType<typeof makeConnection>} connection */
const run = (load, connection, signal = new AbortController().signal) =>
  patiently(load, /** @type {any} */ (connection), signal, [0, 0]);

const turn = () => new Promise((resolve) => setTimeout(resolve, 5));

for (const said of [
  "Failed to fetch dynamically imported module: http://127.0.0.1/x.js",
  "error loading dynamically imported module: http://127.0.0.1/x.js",
  "Importing a module script failed.",
]) {
  test(`a module that did not come is asked for again: ${said}`, async () => {
    const load = makeLoad(new TypeError(said), "the module");
    assert.equal(await run(load, makeConnection("live")), "the module");
    assert.equal(load.count, 2);
  });
}

test("what is not there at all is asked for three times", async () => {
  const load = makeLoad(LOST, LOST, LOST);
  await assert.rejects(run(load, makeConnection("live")), LOST);
  assert.equal(load.count, 3);
});

for (const error of [new TypeError("undefined is not a function"), new SyntaxError("no"), new Error("of its own")]) {
  test(`a module that came and failed is not run twice: ${error}`, async () => {
    const load = makeLoad(error, "the module");
    await assert.rejects(run(load, makeConnection("live")), error);
    assert.equal(load.count, 1);
  });
}

test("while the connection is down nothing is asked for", async () => {
  const load = makeLoad(LOST, "the module");
  const connection = makeConnection("offline");
  const loaded = run(load, connection);
  await turn();
  connection.become("connecting");
  await turn();
  assert.equal(load.count, 1);
  connection.become("live");
  assert.equal(await loaded, "the module");
  assert.equal(connection.listeners, 0);
});

test("who needs it no more ends the waiting", async () => {
  const lifetime = new AbortController();
  const connection = makeConnection("offline");
  const loaded = run(makeLoad(LOST, LOST, LOST), connection, lifetime.signal);
  await turn();
  lifetime.abort();
  await assert.rejects(loaded, LOST);
  assert.equal(connection.listeners, 0);
});

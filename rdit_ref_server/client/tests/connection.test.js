import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { describe, test } from "node:test";

import {
  BACKOFF_BASE_MS,
  BACKOFF_CAP_MS,
  STABLE_AFTER_MS,
  connect,
  connectionOver,
} from "../connection.js";
import { WidgetModel } from "../model.js";
import { LIMITS } from "../timing.js";
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
    now: clock.now,
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

describe("subscriptions and models", () => {
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
    /** @type {number[]} */
    const heard = [];
    connection.on("output", ({ n }) => heard.push(n), { signal: controller.signal });
    network.last.say({ type: "output", n: 4, event: {} });
    controller.abort();
    connection.on("output", ({ n }) => heard.push(n), { signal: controller.signal });
    network.last.say({ type: "output", n: 5, event: {} });
    assert.deepEqual(heard, [4]);
  });

  test("a subscription that ended leaves nothing behind on its signal", () => {
    const { connection } = live();
    const { signal } = new AbortController();
    for (let i = 0; i < 100; i += 1) connection.on("output", () => {}, { signal })();
    assert.equal(getEventListeners(signal, "abort").length, 0);
  });

  test("waiting for a widget leaves nothing behind on its signal", async () => {
    const { connection, clock } = live();
    const { signal } = new AbortController();
    const found = connection.whenOpen("w1", { signal });
    const late = connection.whenOpen("w2", { signal, timeoutMs: 10 });
    connection.open({ widget_id: "w1", model: {} });
    clock.advance(10);
    await found;
    await assert.rejects(late);
    assert.equal(getEventListeners(signal, "abort").length, 0);
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

  test("a dial that does not come about is given up in time, and the next one is made", () => {
    const { network, clock, states } = dial({ statusUrl: null });
    clock.advance(LIMITS.dialMs);
    assert.deepEqual(states, ["offline"]);
    clock.advance(BACKOFF_BASE_MS);
    network.last.accept();
    clock.advance(LIMITS.dialMs);
    assert.deepEqual([network.sockets.length, states], [2, ["offline", "connecting", "live"]]);
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

  test("an answer from before the connection was live fails nothing when it is offline again", async () => {
    const { connection, network, window } = dial({ status: 401 });
    network.last.drop(1006);
    window.dispatchEvent(new Event("online"));
    network.last.accept();
    network.last.drop(1006);
    await settle();
    assert.equal(connection.state, "offline");
  });

  test("the question why is given up with the connection", async () => {
    /** @type {AbortSignal[]} */
    const signals = [];
    const fetch = /** @type {any} */ (
      (/** @type {string} */ _url, /** @type {RequestInit} */ { signal }) => {
        signals.push(/** @type {AbortSignal} */ (signal));
        return new Promise(() => {});
      }
    );
    const { connection, network } = dial({ fetch });
    network.last.drop(1006);
    connection.close();
    assert.deepEqual(signals.map(({ aborted }) => aborted), [true]);
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

  test("edits made while offline, and those that were unanswered, leave on the next socket", () => {
    const { connection, network, clock, idles } = live();
    connection.sendUpdate("w1", "a", 1);
    network.last.drop();
    connection.sendUpdate("w1", "b", 1);
    assert.equal(connection.idle, false);
    clock.advance(BACKOFF_BASE_MS);
    network.last.accept();
    assert.deepEqual(network.last.updates, [
      ["w1", "a", 1],
      ["w1", "b", 1],
    ]);
    for (const name of ["a", "b"]) network.last.ack("w1", name);
    assert.deepEqual(idles, [false, true]);
  });

  test("a message that the transport refuses for its length is given up, so that the next socket can live", () => {
    const { connection, network, clock, errors } = live();
    connection.sendUpdate("w1", "a", 1);
    connection.sendUpdate("w1", "b", "long ".repeat(100));
    network.last.drop(1009);
    assert.deepEqual(brief(errors), [["too_large", "w1", "b"]]);
    clock.advance(BACKOFF_BASE_MS);
    network.last.accept();
    assert.deepEqual(network.last.updates, [["w1", "a", 1]]);
  });

  test("renew while a socket is connecting gives that socket up", () => {
    const { connection, network, clock } = dial();
    const first = network.last;
    connection.renew();
    assert.equal(first.readyState, 3);
    assert.equal(network.sockets.length, 2);
    first.accept();
    first.drop();
    assert.equal(connection.state, "connecting");
    network.last.accept();
    assert.equal(connection.state, "live");
    clock.advance(60_000);
    assert.equal(network.sockets.length, 2);
  });

  test("a subscriber that closes on hearing connecting is heeded: nothing is dialled", () => {
    const { connection, network, clock, states } = live();
    connection.on("state", ({ state }) => state === "connecting" && connection.close());
    /** @type {string[]} */
    const later = [];
    connection.on("state", ({ state }) => later.push(state));
    network.last.drop();
    clock.advance(BACKOFF_BASE_MS);
    assert.equal(connection.state, "closed");
    assert.equal(network.sockets.length, 1);
    assert.deepEqual(states, ["live", "offline", "connecting", "closed"]);
    assert.deepEqual(later, ["offline", "connecting", "closed"]);
  });

  test("a subscriber that renews on hearing offline dials once", () => {
    const { connection, network, clock } = live();
    connection.on("state", ({ state }) => state === "offline" && connection.renew());
    network.last.drop();
    assert.equal(network.sockets.length, 2);
    assert.equal(connection.state, "connecting");
    network.last.accept();
    clock.advance(60_000);
    assert.equal(network.sockets.length, 2);
    assert.equal(connection.state, "live");
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

  test("what the server names is looked for at the server, not at the page", () => {
    const over = (/** @type {any} */ ws) => connectionOver(ws).baseUrl;
    const ws = new (fakeNetwork().WebSocket)("wss://elsewhere:8000/prefix/ws/widgets?output=1");
    assert.equal(over(ws), "https://elsewhere:8000/prefix/");
    assert.equal(over({ send() {} }), undefined);
    assert.equal(over({ send() {}, url: "" }), undefined);
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

  test("a socket that lives on after its connection was closed can be given again", () => {
    const { WebSocket } = fakeNetwork();
    const ws = new WebSocket();
    ws.accept();
    const names = ["open", "message", "close"];
    const count = () => names.map((name) => getEventListeners(ws, name).length);
    for (let i = 0; i < 10; i += 1) {
      const connection = connectionOver(ws);
      connection.sendUpdate("w1", "n", i);
      assert.deepEqual(count(), [1, 1, 1]);
      connection.close();
      connection.close();
      assert.deepEqual(count(), [0, 0, 0]);
    }
    assert.equal(ws.frames.length, 10);
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

describe("a token", () => {
  test("goes with the WebSocket, the status and the modules; without one nothing is said of it", async () => {
    /** @type {any[]} */
    const asked = [];
    const fetch = /** @type {any} */ (
      async (/** @type {string} */ url, /** @type {RequestInit} */ { headers, credentials }) => {
        asked.push([url, headers, credentials]);
        return { ok: true, status: 200, text: async () => "export default 7" };
      }
    );
    const { connection, network } = dial({ token: "~secret?", fetch });
    assert.deepEqual(network.last.offers, ["rdit.v1", "rdit.base", "rdit.token.fnNlY3JldD8"]);
    network.last.drop();
    await settle();
    // Node imports no blobs; what it asks for is the same.
    await connection.importModule?.("http://test/prefix/esm/a.js").catch(() => {});
    const headers = { authorization: "Bearer ~secret?" };
    assert.deepEqual(asked, [
      ["http://test/prefix/api/status", headers, "include"],
      ["http://test/prefix/esm/a.js", headers, "include"],
    ]);
    assert.equal(dial().connection.importModule, undefined);
  });

  test("is not offered alone, since something has to be chosen", () => {
    const { network } = dial({ protocol: "base", token: "secret" });
    assert.deepEqual(network.last.offers, ["rdit.base", "rdit.token.c2VjcmV0"]);
  });

  test("a page on another origin than its server fetches modules with its cookie", (t) => {
    Object.assign(globalThis, { location: new URL("http://elsewhere/") });
    t.after(() => Reflect.deleteProperty(globalThis, "location"));
    assert.equal(typeof dial().connection.importModule, "function");
    assert.equal(dial({ url: "ws://elsewhere/ws/widgets" }).connection.importModule, undefined);
    assert.equal(typeof connectionOver({ url: "ws://test/ws/widgets", send() {} }).importModule, "function");
  });
});

import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";

import { BACKOFF_BASE_MS, connect } from "../connection.js";
import { renderWidget } from "../host.js";
import { WidgetModel } from "../model.js";
import { decodeFrame } from "../frames.js";
import { createSoon } from "../soon.js";
import { LIMITS } from "../timing.js";
import { captureConsole, fakeClock, fakeImports, fakeNetwork, fakePage, opened, settle } from "./fakes.js";

/** @type {ReturnType<typeof makeWorld>} */
let world;
beforeEach(() => {
  world = makeWorld();
});
afterEach(() => {
  world.connection.close();
  world.dom.window.close();
});

/** @param {import("../connection.js").ConnectOptions & import("../connection.js").Timers & { status?: number }} [options] */
function makeWorld({ status = 200, ...options } = {}) {
  const page = fakePage();
  const network = fakeNetwork();
  const clock = fakeClock();
  const window = new EventTarget();
  const tab = Object.assign(new EventTarget(), { visibilityState: "visible" });
  const connection = connect("ws://test/prefix/ws/widgets", {
    WebSocket: network.WebSocket,
    setTimeout: clock.setTimeout,
    clearTimeout: clock.clearTimeout,
    now: clock.now,
    random: () => 1,
    window,
    document: tab,
    fetch: /** @type {any} */ (async () => ({ status })),
    ...options,
  });
  /** @type {any} */
  const told = { state: [], error: [], idle: [], restarted: [], output: [] };
  connection.on("state", ({ state }) => told.state.push(state));
  for (const name of /** @type {const} */ (["error", "idle", "restarted", "output"])) {
    connection.on(name, (detail) => told[name].push(detail));
  }
  const imports = fakeImports();
  return {
    ...page,
    network,
    clock,
    window,
    tab,
    connection,
    told,
    /** @param {string} esm @param {string} id @param {Partial<import("../host.js").RenderOptions>} [more] */
    async show(esm, id = "w", more = {}) {
      const el = page.document.body.appendChild(page.document.createElement("div"));
      const widgetData = { widget_id: id, esm, model: { n: -1 } };
      return { el, view: renderWidget({ widgetData, el, connection, importModule: imports.importModule, ...more }) };
    },
  };
}

const PAINT = `export default { render({ model, el }) {
  const paint = () => { el.textContent = String(model.get("n")) };
  model.on("change:n", paint);
  paint();
} }`;

describe("acknowledging", () => {
  /** @type {(() => void)[]} */
  let moments;
  beforeEach(() => {
    moments = [];
    world.connection.close();
    world = makeWorld({ soon: (callback) => moments.push(callback) });
    world.network.last.welcome({ w: { n: 1, m: 0 } });
  });

  /** What was sent since the last call. */
  function sent() {
    return world.network.last.frames.splice(0).map((frame) => decodeFrame(frame));
  }

  function letGo() {
    for (const moment of moments.splice(0)) moment();
  }

  test("waits a moment for what listeners save, and for what their promises do, and leaves with it", async () => {
    sent();
    const model = world.connection.model("w");
    model?.on("change:n", async () => {
      await Promise.resolve();
      model.set("m", model.get("n"));
      model.save_changes();
    });
    world.network.last.sync({ changes: [["w", 40, "n", 2, 51]] });
    assert.deepEqual(sent(), []);
    await settle();
    const ops = [{ op: "set", widget_id: "w", inst: 40, property: "m", value: 2 }];
    assert.deepEqual(sent(), [{ type: "batch", sync_ack: 2, seq: 1, ops }]);
    letGo();
    assert.deepEqual(sent(), []);
  });

  test("goes alone when nobody says anything", () => {
    sent();
    world.network.last.sync({ changes: [["w", 40, "n", 2, 51]] });
    world.network.last.sync({ changes: [["w", 40, "n", 3, 52]] });
    assert.equal(moments.length, 1);
    letGo();
    assert.deepEqual(sent(), [{ type: "sync_ack", frame: 3 }]);
  });

  test("is left out when the connection is gone by then", () => {
    sent();
    world.network.last.drop();
    letGo();
    assert.deepEqual(sent(), []);
  });

  test("is sent when the page leaves", () => {
    sent();
    world.window.dispatchEvent(Object.assign(new Event("pagehide"), { persisted: false }));
    assert.deepEqual(sent(), [{ type: "sync_ack", frame: 1 }, { type: "bye" }]);
    letGo();
    assert.deepEqual(sent(), []);
  });

  test("is repeated when the server could not read a batch, which may have held it", async () => {
    letGo();
    const model = world.connection.model("w");
    model?.set("m", 5);
    model?.save_changes();
    const [, , batch] = sent();
    world.network.last.say({ type: "error", code: "bad_json", message: "", seq: 1 });
    assert.deepEqual(sent(), [{ ...batch, sync_ack: 1 }]);
  });
});

describe("in a moment", () => {
  test("is after the microtasks of now, in order, and never once it is over; in a hidden page without a timer", async (t) => {
    const lifetime = new AbortController();
    // It keeps no process alive by itself.
    const alive = setInterval(() => {}, 1000);
    t.after(() => (lifetime.abort(), clearInterval(alive)));
    const soon = createSoon(lifetime.signal, { visibilityState: "hidden" }, () => assert.fail("a timer"));
    /** @type {string[]} */
    const order = [];
    soon(() => order.push("first"));
    await new Promise((/** @type {(_: void) => void} */ resolve) => {
      soon(() => {
        order.push("second");
        resolve();
      });
      void Promise.resolve().then(() => order.push("microtask"));
    });
    assert.deepEqual(order, ["microtask", "first", "second"]);
    soon(() => order.push("never"));
    lifetime.abort();
    await settle();
    assert.equal(order.length, 3);
  });

  test("is a timer while the page is seen, and never once it is over", () => {
    const lifetime = new AbortController();
    const clock = fakeClock();
    const soon = createSoon(lifetime.signal, { visibilityState: "visible" }, clock.setTimeout);
    let calls = 0;
    soon(() => (calls += 1));
    assert.equal(calls, 0);
    clock.advance(10);
    assert.equal(calls, 1);
    soon(() => (calls += 1));
    lifetime.abort();
    clock.advance(10);
    assert.equal(calls, 1);
  });
});

describe("the subprotocol", () => {
  test("auto offers both, and goes on in the one that was chosen", () => {
    const { network, connection } = world;
    assert.deepEqual(network.last.offers, ["rdit.v1", "rdit.base"]);
    network.last.welcome({ w: { n: 1 } });
    assert.deepEqual([connection.protocol, connection.state], ["rdit.v1", "live"]);
    assert.deepEqual(network.last.messages, [{ type: "hello" }]);
    assert.equal(connection.model("w")?.get("n"), 1);
    assert.equal(/** @type {any} */ (network.last).binaryType, "arraybuffer");
  });

  test("base offers nothing", () => {
    const base = makeWorld({ protocol: "base" });
    assert.deepEqual(base.network.last.offers, []);
    base.network.last.accept();
    assert.deepEqual([base.connection.protocol, base.network.last.frames], ["base", []]);
    base.connection.close();
  });

  test("models, edits and receivers from before the choice go on in base mode", () => {
    const { network, connection } = world;
    const model = connection.open({ widget_id: "w", model: { n: 0 } });
    const simple = new WidgetModel("v", { n: 0 }, connection);
    model.set("n", 1);
    model.save_changes();
    simple.set("n", 2);
    model.send("hello");
    network.last.accept("rdit.base");
    assert.deepEqual([connection.protocol, connection.state, connection.model("w")], ["base", "live", model]);
    assert.deepEqual(network.last.updates, [["w", "n", 1], ["v", "n", 2]]);
    assert.deepEqual(world.told.error.map((/** @type {any} */ fault) => fault.code), ["unsupported"]);
    network.last.ack("v", "n");
    network.last.push("v", "n", 5);
    assert.equal(simple.get("n"), 5);
    model.set("n", 9);
    model.save_changes();
    assert.deepEqual(network.last.updates.at(-1), ["w", "n", 9]);
    network.last.drop();
    world.clock.advance(BACKOFF_BASE_MS);
    assert.deepEqual(network.last.offers, ["rdit.base"]);
  });

  test("a server that answers and takes no offer is asked without one in the end", async () => {
    for (let i = 0; i < 2; i += 1) {
      world.network.last.drop(1006);
      await settle();
      world.clock.advance(LIMITS.backoffCapMs);
    }
    assert.deepEqual(world.network.last.offers, []);
    world.network.last.accept();
    assert.equal(world.connection.protocol, "base");
  });

  test("a server that speaks something else after a restart ends it", () => {
    world.network.last.welcome();
    world.network.last.drop();
    world.clock.advance(BACKOFF_BASE_MS);
    world.network.last.accept("rdit.base");
    assert.equal(world.connection.state, "failed");
    assert.match(world.connection.failure?.message ?? "", /reload/);
  });
});

describe("a live connection", () => {
  test("an edit leaves at once; idle and states are told", () => {
    const { network, connection, told } = world;
    network.last.welcome({ w: { n: 0 } });
    const model = /** @type {import("../model.js").Model} */ (connection.model("w"));
    model.set("n", 1);
    model.save_changes();
    assert.equal(network.last.messages.at(-1).ops[0].value, 1);
    assert.deepEqual(told.idle, [false]);
    network.last.sync({ ack: 1 });
    assert.deepEqual(told.idle, [false, true]);
    assert.equal(model.get("n"), 0);
    network.last.say({ type: "output", n: 3, event: { kind: "stream" } });
    assert.deepEqual([told.output[0].n, told.state], [3, ["live"]]);
  });

  test("a refusal has its code, and Python's value is shown again", () => {
    const { network, connection, told } = world;
    network.last.welcome({ w: { n: 0 } });
    connection.model("w")?.set("n", 1);
    connection.model("w")?.save_changes();
    network.last.sync({ ack: 1, rejects: [{ seq: 1, op: 0, code: "read_only", message: "no" }] });
    assert.deepEqual(told.error, [{ code: "read_only", message: "no", widget_id: "w", property: "n" }]);
    assert.equal(connection.model("w")?.get("n"), 0);
  });

  test("is lost and found again: the same session, the edits made meanwhile [afm 56]", () => {
    const { network, connection, clock, told } = world;
    network.last.welcome({ w: { n: 0 } });
    network.last.drop();
    connection.sendUpdate("w", "n", 5);
    clock.advance(BACKOFF_BASE_MS);
    network.last.welcome({}, { resumed: true });
    const [hello, batch] = network.last.messages;
    assert.deepEqual([hello.resume.session, batch.ops[0].value], ["s1", 5]);
    assert.deepEqual(told.state, ["live", "offline", "connecting", "live"]);
  });

  test("silence ends it, also when the socket does not notice", () => {
    const { network, clock, connection } = world;
    network.last.welcome();
    clock.advance(LIMITS.silenceMs);
    assert.deepEqual([connection.state, network.last.readyState], ["offline", 3]);
    clock.advance(BACKOFF_BASE_MS);
    assert.equal(network.sockets.length, 2);
  });

  test("silence counts from the last message, and one timer serves them all", () => {
    const clock = fakeClock();
    let timers = 0;
    world.connection.close();
    world = makeWorld({
      setTimeout(callback, ms) {
        if (ms >= LIMITS.silenceMs / 2) timers += 1;
        return clock.setTimeout(callback, ms);
      },
      clearTimeout: clock.clearTimeout,
      now: clock.now,
      soon: (callback) => callback(),
    });
    world.network.last.welcome({ w: { n: 0 } });
    const before = timers;
    for (let n = 1; n <= 30; n += 1) {
      clock.advance(1_000);
      world.network.last.sync({ changes: [["w", 40, "n", n, 50 + n]] });
    }
    assert.equal(timers, before);
    clock.advance(LIMITS.silenceMs - 1);
    assert.equal(world.connection.state, "live");
    clock.advance(1);
    assert.equal(world.connection.state, "offline");
  });

  test("coming online probes, and dials at once when nobody answers or nothing is there", () => {
    const { network, window, tab, clock } = world;
    network.last.welcome();
    window.dispatchEvent(new Event("online"));
    assert.equal(network.last.messages.at(-1).type, "ping");
    clock.advance(LIMITS.probeMs);
    tab.dispatchEvent(new Event("visibilitychange"));
    assert.equal(network.sockets.length, 2);
  });

  test("a page kept for back keeps its session, one that leaves says goodbye", () => {
    const { network, window, connection } = world;
    network.last.welcome({ w: { n: 0 } });
    window.dispatchEvent(Object.assign(new Event("pagehide"), { persisted: true }));
    assert.deepEqual([network.last.readyState, connection.state], [3, "offline"]);
    window.dispatchEvent(Object.assign(new Event("pageshow"), { persisted: true }));
    network.last.welcome({}, { resumed: true });
    assert.equal(connection.state, "live");
    for (const n of [1, 2, 3]) connection.sendUpdate("w", "n", n);
    window.dispatchEvent(new Event("pagehide"));
    assert.deepEqual(
      network.last.messages.slice(1).map(({ type, ops }) => ops?.[0].value ?? type),
      [1, 2, 3, "bye"],
    );
  });

  test("close says goodbye and ends everything", async () => {
    const { network, connection, clock, told } = world;
    network.last.welcome({ w: { n: 0 } });
    const model = connection.model("w");
    connection.close();
    connection.close();
    clock.advance(60_000);
    assert.deepEqual([connection.state, network.last.messages.at(-1).type, network.sockets.length], ["closed", "bye", 1]);
    assert.deepEqual([model?.signal.aborted, told.state], [true, ["live", "closed"]]);
  });

  test("a server that was started anew is told with what became of the edits; renew drops nothing", () => {
    const { network, connection, clock, told } = world;
    network.last.welcome({ w: { n: 0 } });
    const model = connection.model("w");
    network.last.drop();
    connection.sendUpdate("w", "n", 5);
    clock.advance(BACKOFF_BASE_MS);
    network.last.welcome({ w: { n: 0 } }, { epoch: "e2" });
    connection.renew();
    assert.deepEqual(told.restarted, [{ reapplied: 1, dropped: 0, waiting: 0, lost: 0 }]);
    assert.deepEqual([connection.model("w"), network.sockets.length, connection.state], [model, 2, "live"]);
  });
});

describe("widgets", () => {
  test("are shown when the server opens them, and again when it opens them anew", async () => {
    world.network.last.welcome();
    const { el, view } = await world.show(PAINT);
    await settle();
    assert.equal(el.textContent, "");
    world.network.last.sync({ open: [opened("w", { n: 3 })] });
    await view;
    assert.equal(el.textContent, "3");
    world.network.last.sync({ close: [["w", 40]] });
    assert.equal(el.textContent, "");
    world.network.last.sync({ open: [opened("w", { n: 4 }, 60)] });
    await settle();
    await settle();
    assert.equal(el.textContent, "4");
    await (await view).dispose();
    world.network.last.sync({ open: [opened("w", { n: 5 }, 70)] });
    await settle();
    assert.equal(el.childNodes.length, 0);
  });

  test("before a server has chosen they are shown as they were given, and go on with what it says", async () => {
    const { el, view } = await world.show(PAINT);
    await view;
    assert.equal(el.textContent, "-1");
    world.network.last.welcome({ w: { n: 3 } });
    assert.equal(el.textContent, "3");
  });

  test("a widget that never opens fails in its element after a while", async (t) => {
    captureConsole(t);
    world.network.last.welcome();
    const { el, view } = await world.show(PAINT);
    world.clock.advance(10_000);
    await view;
    assert.match(el.textContent, /failed \(open\)/);
  });

  test("a failure reaches Python, and one that repeats only once [afm 7 17 48]", async (t) => {
    captureConsole(t);
    world.network.last.welcome({ w: { n: 0 } });
    const { view } = await world.show("export default { render() { throw new Error('boom') } }");
    await view;
    const [, report] = world.network.last.messages;
    assert.deepEqual([report.type, report.widget_id, report.stage, report.message], ["report", "w", "render", "boom"]);
    assert.match(report.stack, /boom/);
    world.connection.model("w")?.on("change:n", () => {
      throw new Error("listener");
    });
    for (const n of [1, 2, 3]) world.network.last.sync({ changes: [["w", 40, "n", n, 60 + n]] });
    assert.deepEqual(world.network.last.messages.slice(2).map(({ stage }) => stage), ["listener"]);
  });

  test("a failure that happens while there is no connection reaches Python when there is one again, once [afm 48]", (t) => {
    captureConsole(t);
    const { network, connection, clock } = world;
    network.last.welcome({ w: { n: 0 } });
    network.last.drop();
    const model = connection.model("w");
    model?.on("change:n", () => {
      throw new Error("listener");
    });
    for (const n of [1, 2]) model?.set("n", n);
    clock.advance(BACKOFF_BASE_MS);
    network.last.welcome({}, { resumed: true });
    const reports = network.last.messages.filter(({ type }) => type === "report");
    assert.deepEqual(reports.map(({ stage, message }) => [stage, message]), [["listener", "listener"]]);
    model?.set("n", 3);
    assert.equal(network.last.messages.filter(({ type }) => type === "report").length, 1);
  });

  test("a failure that repeats with new code is told again", async (t) => {
    captureConsole(t);
    const broken = (/** @type {number} */ version) => `/* ${version} */ export default { render() { throw new Error("boom") } }`;
    world.network.last.welcome({ w: { n: 0, _esm: broken(1) } });
    const { view } = await world.show(broken(1));
    await view;
    const reports = () => world.network.last.messages.filter(({ type }) => type === "report").length;
    assert.equal(reports(), 1);
    world.network.last.sync({ changes: [["w", 40, "_esm", broken(2), 60]] });
    for (let turn = 0; turn < 5; turn += 1) await settle();
    assert.equal(reports(), 2);
  });

  test("custom messages go both ways, those from before initialize is done are held [afm 15 41]", async () => {
    world.network.last.welcome({ w: { n: 0 } });
    /** @type {unknown[]} */
    const heard = ((/** @type {any} */ (globalThis)).v1heard = []);
    const gate = ((/** @type {any} */ (globalThis)).v1gate = withResolvers());
    const { view } = await world.show(`export default {
      async initialize({ model }) {
        model.on("msg:custom", (content, buffers) => globalThis.v1heard.push([content, buffers.length]));
        await globalThis.v1gate.promise;
      },
      render({ model }) { model.send({ hi: 1 }, {}, [new Uint8Array([1])]) },
    }`);
    world.network.last.sync({ msgs: [{ n: 1, widget_id: "w", inst: 40, content: "early" }] });
    await settle();
    assert.deepEqual(heard, []);
    gate.resolve();
    await view;
    assert.deepEqual(heard, [["early", 0]]);
    const [op] = world.network.last.messages.at(-1).ops;
    assert.deepEqual([op.op, op.content, op.buffers.length], ["msg", { hi: 1 }, 1]);
  });

  test("invoke asks and gets the answer, is idle only then, and fails with the caller's signal [afm 64 65 66]", async () => {
    world.network.last.welcome({ w: { n: 0 } });
    const { view } = await world.show(
      "export default { render({ experimental }) { globalThis.v1invoke = experimental.invoke } }",
    );
    await view;
    const { v1invoke: invoke } = /** @type {any} */ (globalThis);
    const answer = invoke("greet", { name: "you" }, { buffers: [new Uint8Array([7])] });
    const [question] = world.network.last.messages.at(-1).ops;
    assert.deepEqual([question.content.kind, question.content.name], ["anywidget-command", "greet"]);
    world.network.last.sync({ ack: 1 });
    assert.equal(world.connection.idle, false);
    const reply = { id: question.content.id, kind: "anywidget-command-response", response: "hello you" };
    world.network.last.sync({ ack: 1, msgs: [{ n: 1, widget_id: "w", inst: 40, content: reply }] });
    assert.deepEqual(await answer, ["hello you", []]);
    assert.equal(world.connection.idle, true);

    const sent = world.network.last.frames.length;
    await assert.rejects(invoke("greet", {}, { signal: AbortSignal.abort(new Error("stop")) }), /stop/);
    assert.equal(world.network.last.frames.length, sent);
    // The timer behind a signal does not keep Node's event loop alive.
    const alive = setInterval(() => {}, 1_000);
    await assert.rejects(invoke("greet", {}, { timeoutMs: 1 }), /"greet" within 1 ms/);
    clearInterval(alive);
    const failing = invoke("fail");
    world.network.last.sync({ ack: 3, rejects: [{ seq: 3, op: 0, code: "handler_failed", message: "ValueError: no" }] });
    await assert.rejects(failing, { code: "handler_failed", message: /ValueError: no/ });
  });
});

function withResolvers() {
  /** @type {any} */
  const result = {};
  result.promise = new Promise((resolve, reject) => Object.assign(result, { resolve, reject }));
  return result;
}

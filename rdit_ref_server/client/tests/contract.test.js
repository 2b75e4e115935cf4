/** What a widget's code sees of its host over rdit/1, where it takes several modules to show it. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";

import { renderWidget } from "../host.js";
import { captureConsole, opened, settle } from "./fakes.js";
import { makeWorld, probe } from "./world.js";

/** @type {ReturnType<typeof makeWorld>} */
let world;
let said = 0;
beforeEach(() => {
  said = 0;
  world = makeWorld();
  world.network.last.welcome({ w: { n: 1, child: "anywidget:a" }, a: { n: 10 }, b: { n: 20 } });
});
afterEach(() => world.end());

const HOLDING = "export default { render(props) { globalThis.probe.props = props } }";
const last = () => world.network.last.messages.at(-1);
/** @param {unknown} content @param {unknown[]} [buffers] */
function say(content, buffers = []) {
  world.network.last.sync({ ack: 9, msgs: [{ n: (said += 1), widget_id: "w", inst: 40, content, buffers }] });
}

test("render reads the present state, and its listeners hear only what changes later [afm 26]", async () => {
  world.network.last.sync({ changes: [["w", 40, "n", 2, 60]] });
  await world.show(
    `export default { render({ model }) {
      model.on('change:n', () => log('heard', model.get('n')));
      log('read', model.get('n'));
    } }`,
    { id: "w" },
  );
  world.network.last.sync({ changes: [["w", 40, "n", 3, 61]] });
  assert.deepEqual(probe.log, ["read 2", "heard 3"]);
});

test("send takes anything for callbacks, and no buffers [afm 55]", async () => {
  await world.show(HOLDING, { id: "w" });
  const { model } = probe.props;
  for (const callbacks of [undefined, null, {}, { iopub: {} }, () => {}, 7]) {
    model.send({ a: 1 }, callbacks);
    model.send({ a: 1 }, callbacks, []);
    model.send({ a: 1 }, callbacks, undefined);
  }
  world.network.last.sync({ ack: 1 });
  world.network.last.sync({ ack: 2 });
  world.network.last.sync({ ack: 3 });
  const ops = world.network.last.messages.flatMap((message) => message.ops ?? []);
  assert.equal(ops.length, 18);
  assert.ok(ops.every(({ op, content, buffers = [] }) => op === "msg" && content.a === 1 && buffers.length === 0));
});

test("empty buffers survive, in state and in messages, both ways [afm 59 60 62 63]", async () => {
  await world.show(HOLDING, { id: "w" });
  const { model } = probe.props;
  model.set("n", { here: new Uint8Array(), deep: [new ArrayBuffer(0), new Float32Array()] });
  model.save_changes();
  const [{ value }] = last().ops;
  const sizes = (/** @type {any[]} */ ...views) => views.map((view) => view.byteLength);
  assert.deepEqual(sizes(value.here, ...value.deep), [0, 0, 0]);
  model.send("go", {}, [new Uint8Array(), new Uint8Array([1, 2]).subarray(1)]);
  assert.deepEqual(sizes(...last().ops[0].buffers), [0, 1]);
  model.on("msg:custom", (/** @type {any} */ content, /** @type {any} */ buffers) => (probe.heard = [content, buffers]));
  say({ inside: new Uint8Array() }, [new Uint8Array()]);
  const [content, [buffer]] = probe.heard;
  assert.deepEqual(sizes(content.inside, buffer), [0, 0]);
  assert.ok(content.inside instanceof DataView && buffer instanceof DataView);
});

test("every kind of view is sent as its own bytes, in state and in messages [afm 60 61]", async () => {
  await world.show(HOLDING, { id: "w" });
  const { model } = probe.props;
  const bytes = Uint8Array.from({ length: 24 }, (_, i) => i);
  const kinds = [Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array];
  const views = [...kinds, Float32Array, Float64Array, BigInt64Array, BigUint64Array].map((kind) => {
    const length = 8 / kind.BYTES_PER_ELEMENT;
    return new kind(bytes.buffer, 8, length);
  });
  model.set("n", [...views, new DataView(bytes.buffer, 8, 8), bytes.buffer.slice(8, 16)]);
  model.save_changes();
  const sent = last().ops[0].value;
  model.send(null, {}, views);
  for (const view of [...sent, ...last().ops[0].buffers]) {
    assert.deepEqual([...new Uint8Array(view.buffer, view.byteOffset, view.byteLength)], [8, 9, 10, 11, 12, 13, 14, 15]);
  }
  assert.equal(sent.length, 13);
});

test("a slot that is given another widget fires with the new reference [afm 69 74]", async () => {
  const child = "export default { render({ model, el }) { el.textContent = 'child ' + model.get('n') } }";
  const open = ["c", "d"].map((id, i) => ({ ...opened(id, { n: i }), esm: child }));
  world.network.last.sync({ open, changes: [["w", 40, "child", "anywidget:c", 60]] });
  const { el } = await world.show(
    `export default { async render({ model, el, host }) {
      let shown = new AbortController();
      async function show() {
        shown.abort();
        shown = new AbortController();
        const child = await host.getWidget(model.get('child'));
        await child.render({ el, signal: shown.signal });
      }
      model.on('change:child', () => { log(model.get('child')); void show() });
      await show();
    } }`,
    { id: "w" },
  );
  assert.equal(el.textContent, "child 0");
  world.network.last.sync({ changes: [["w", 40, "child", "anywidget:d", 61]] });
  await settle();
  assert.deepEqual([el.textContent, probe.log], ["child 1", ["anywidget:d"]]);
});

describe("composition", () => {
  test("a child has a host of its own, whose widgets go with the child [afm 72]", async () => {
    const child = "export default { render({ host, signal }) { globalThis.probe.child = { host, signal } } }";
    world.network.last.sync({ open: [{ ...opened("c", { n: 0 }), esm: child }] });
    const { view } = await world.show(HOLDING, { id: "w" });
    const widget = await probe.props.host.getWidget("anywidget:c");
    const controller = new AbortController();
    await widget.render({ el: world.place(), signal: controller.signal });
    assert.notEqual(probe.child.host, probe.props.host);
    const heard = await probe.child.host.getModel("anywidget:a");
    heard.on("change:n", () => probe.log.push("heard"));
    world.network.last.sync({ changes: [["a", 40, "n", 11, 60]] });
    controller.abort();
    world.network.last.sync({ changes: [["a", 40, "n", 12, 61]] });
    assert.deepEqual(probe.log, ["heard"]);
    assert.deepEqual([probe.child.signal.aborted, probe.props.signal.aborted], [true, false]);
    await widget.render({ el: world.place() });
    await view.dispose();
    assert.equal(probe.child.signal.aborted, true);
  });

  test("widget_manager.get_model gives the model of an id, and waits for it [afm 73]", async () => {
    await world.show(HOLDING, { id: "w" });
    const { widget_manager: manager } = probe.props.model;
    assert.equal((await manager.get_model("a")).get("n"), 10);
    const later = manager.get_model("later");
    world.network.last.sync({ open: [opened("later", { n: 30 })] });
    assert.equal((await later).get("n"), 30);
  });

  test("a connection that cannot find other widgets leaves host there, and it says so [afm 76]", async () => {
    const { connection, document } = world;
    const plain = { ...connection, open: connection.open, obtain: undefined, on: undefined, whenOpen: undefined };
    await renderWidget({
      widgetData: { widget_id: "w", esm: HOLDING, model: {} },
      el: document.body.appendChild(document.createElement("div")),
      connection: /** @type {any} */ (plain),
      importModule: world.imports.importModule,
    });
    for (const ask of ["getWidget", "getModel"]) {
      await assert.rejects(probe.props.host[ask]("anywidget:a"), /"anywidget:a".*no way to find other widgets/);
    }
  });
});

describe("invoke", () => {
  /** @param {Partial<import("../host.js").RenderOptions>} [options] */
  async function invoking(options) {
    await world.show(HOLDING, { id: "w", ...options });
    return probe.props.experimental.invoke;
  }

  test("asks in anywidget's own form, and a message that is left out is null [afm 64 66]", async () => {
    const invoke = await invoking();
    const answer = invoke("greet");
    const [{ op, content }] = last().ops;
    assert.equal(op, "msg");
    assert.deepEqual({ ...content, id: "" }, { id: "", kind: "anywidget-command", name: "greet", msg: null });
    say({ id: "of another question", kind: "anywidget-command-response", response: "no" });
    say({ id: content.id, kind: "news", response: "no" });
    say({ id: content.id, kind: "anywidget-command-response", response: { hello: 1 } }, [new Uint8Array([7])]);
    const [response, [buffer]] = await answer;
    assert.deepEqual([response, buffer.getUint8(0), buffer.byteLength], [{ hello: 1 }, 7, 1]);
  });

  for (const [error, code, text] of /** @type {[unknown, string, RegExp][]} */ ([
    ["no such command", "command_failed", /"greet": no such command/],
    [{ code: "bad_return", type: "ValueError", message: "too low" }, "bad_return", /"greet": ValueError: too low/],
    [{ code: 7, message: "too low" }, "command_failed", /"greet": too low/],
    [{ code: "" }, "command_failed", /"greet": it failed/],
  ])) {
    test(`rejects with what Python says went wrong: ${JSON.stringify(error)} [afm 66]`, async () => {
      const answer = (await invoking())("greet", {});
      say({ id: last().ops[0].content.id, kind: "anywidget-command-response", error });
      await assert.rejects(answer, { code, message: text });
    });
  }

  test("is given up after the page's own time limit, or the call's, or by its signal [afm 65]", async () => {
    // The timer behind a signal does not keep Node's event loop alive.
    const alive = setInterval(() => {}, 1_000);
    const invoke = await invoking({ invokeTimeoutMs: 1 });
    await assert.rejects(invoke("greet"), { code: "timeout", message: /"greet" within 1 ms/ });
    await assert.rejects(invoke("greet", null, { timeoutMs: 2 }), /"greet" within 2 ms/);
    const controller = new AbortController();
    const answer = invoke("greet", null, { signal: controller.signal });
    controller.abort(new Error("enough"));
    await assert.rejects(answer, /enough/);
    clearInterval(alive);
  });

  test("with a signal that is aborted already sends nothing [afm 65]", async () => {
    const invoke = await invoking();
    const { length } = world.network.last.messages;
    await assert.rejects(invoke("greet", {}, { signal: AbortSignal.abort(new Error("stop")) }), /stop/);
    await settle();
    assert.equal(world.network.last.messages.length, length);
  });

  test("that waits when the widget is closed rejects [afm 65]", async () => {
    const answer = (await invoking())("greet");
    world.network.last.sync({ close: [["w", 40]] });
    await assert.rejects(answer, { code: "closed", message: /closed/ });
  });
});

test("a listener that throws is told to Python once, with the stack [afm 48 49]", async (t) => {
  captureConsole(t);
  await world.show(
    "export default { render({ model }) { model.on('change:n', () => { throw new Error('broken listener') }) } }",
    { id: "w" },
  );
  for (const n of [5, 6]) world.network.last.sync({ changes: [["w", 40, "n", n, 60 + n]] });
  world.connection.model("w")?.set("n", 7);
  const reports = world.network.last.messages.filter(({ type }) => type === "report");
  assert.deepEqual(reports.map((one) => [one.widget_id, one.stage, one.message]), [["w", "listener", "broken listener"]]);
  assert.match(reports[0].stack, /broken listener/);
});

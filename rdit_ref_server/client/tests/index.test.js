import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import * as client from "../index.js";
import { fakeClock, fakeImports, fakeNetwork, fakePage } from "./fakes.js";

test("the surface is exactly what the README names", () => {
  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf-8");
  const named = [...readme.matchAll(/^\| `(\w+)[(`]/gm)].map(([, name]) => name);
  assert.deepEqual(named.sort(), Object.keys(client).sort());
});

test("the package gives the surface by its name, and each module by its file's", async () => {
  assert.equal((await import("rdit-client")).connect, client.connect);
  const { renderWidget } = await import("rdit-client/render.js");
  assert.equal(renderWidget, client.renderWidget);
});

test("importing it does nothing by itself", () => {
  assert.equal(/** @type {any} */ (globalThis).__rditErrors, undefined);
});

test("a page of one's own shows two widgets that follow Python", async () => {
  const { dom, document } = fakePage();
  const network = fakeNetwork();
  const clock = fakeClock();
  const connection = client.connect("ws://test/ws/widgets", {
    WebSocket: network.WebSocket,
    setTimeout: clock.setTimeout,
    clearTimeout: clock.clearTimeout,
    window: null,
    document: null,
  });
  const esm = `export default { render({ model, el }) {
    const paint = () => { el.textContent = model.get('n') };
    model.on('change:n', paint);
    paint();
  } }`;
  const els = ["a", "b"].map(() => document.body.appendChild(document.createElement("div")));
  const views = await Promise.all(
    els.map((el, i) =>
      client.renderWidget({
        widgetData: { widget_id: `w${i}`, esm, model: { n: i } },
        el,
        connection,
        importModule: fakeImports().importModule,
      }),
    ),
  );
  network.last.accept();
  network.last.push("w1", "n", 5);
  assert.deepEqual(els.map((el) => el.textContent), ["0", "5"]);
  await Promise.all(views.map((view) => view.dispose()));
  assert.equal(document.body.textContent, "");
  connection.close();
  dom.window.close();
});

test("the profile of the connection, or the one given with a websocket, decides what a change passes", async () => {
  const { dom, document } = fakePage();
  const network = fakeNetwork();
  /** @type {number[]} */
  const passed = (/** @type {any} */ (globalThis).passed = []);
  const esm = `export default {
    render({ model }) { model.on('change:n', (...values) => globalThis.passed.push(values.length)) },
  }`;
  const { importModule } = fakeImports();
  const show = (/** @type {Partial<import("../render.js").RenderOptions>} */ options) =>
    client.renderWidget({
      widgetData: { widget_id: "w1", esm, model: { n: 0 } },
      el: document.createElement("div"),
      importModule,
      ...options,
    });
  for (const profile of /** @type {const} */ ([undefined, "compat", "strict"])) {
    const { WebSocket } = network;
    const connection = client.connect("ws://test/ws/widgets", { WebSocket, profile, window: null, document: null });
    const socket = network.last;
    socket.welcome({ w1: { n: 0 } });
    await show({ connection });
    socket.sync({ changes: [["w1", 40, "n", 1, 51]] });
    connection.close();
    const websocket = new WebSocket("ws://test/ws/widgets");
    await show({ websocket, profile });
    network.last.push("w1", "n", 1);
  }
  assert.deepEqual(passed, [3, 3, 3, 3, 0, 0]);
  dom.window.close();
});

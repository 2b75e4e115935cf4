import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { encodeFrame } from "../frames.js";
import { renderWidget } from "../host.js";
import { createStatic, NO_PYTHON } from "../static.js";
import { captureConsole, fakeImports, fakePage, opened, settle } from "./fakes.js";

/** @param {Record<string, unknown>} fields */
const frameOf = (fields) => encodeFrame({ type: "sync", frame: 1, rev: 50, ...fields });

/** @param {Record<string, Record<string, unknown>>} widgets property to value, by id */
function staticOf(widgets, modules = new Map()) {
  const open = Object.entries(widgets).map(([id, values]) => ({ ...opened(id, values), esm_url: "/esm/w.js" }));
  return createStatic({ frames: [frameOf({ open })], modules });
}

/** @param {string} esm @param {Record<string, Record<string, unknown>>} widgets */
async function shown(esm, widgets, ids = Object.keys(widgets)) {
  const { document } = fakePage();
  const { importModule } = fakeImports();
  const connection = /** @type {any} */ (staticOf(widgets, new Map([["/esm/w.js", esm]])));
  /** @type {import("../host.js").View[]} */
  const views = [];
  for (const id of ids) {
    const el = document.body.appendChild(document.createElement("div"));
    views.push(await renderWidget({ widgetData: { widget_id: id, model: {} }, el, connection, importModule }));
  }
  return { connection, views, texts: () => views.map(({ el }) => el.textContent) };
}

const COUNTER = `export default {
  render({ model, el }) {
    const show = () => { el.textContent = model.get("value"); };
    model.on("change:value", show);
    show();
  },
}`;

describe("the state", () => {
  test("values are what they were, bytes and numbers that JSON lacks too", () => {
    const bytes = new Uint8Array([1, 2, 3]);
    const values = { bytes, numbers: [NaN, Infinity, -Infinity], nested: { deep: [bytes] } };
    const model = staticOf({ "1.0": values }).model("1.0");
    const view = model?.get("bytes");
    assert.ok(view instanceof DataView);
    // Code that lays an array over the buffer finds these bytes and no others.
    assert.deepEqual(new Uint8Array(view.buffer), bytes);
    assert.deepEqual(new Uint8Array(model?.get("nested").deep[0].buffer), bytes);
    assert.deepEqual(model?.get("numbers"), [NaN, Infinity, -Infinity]);
  });

  test("a zero below zero stays one", () => {
    // As Python writes it; JSON.stringify does not.
    const frame = '{"type":"sync","frame":1,"rev":1,"open":[{"widget_id":"1.0","inst":1,"kind":"k","props":{"n":[-0.0,1]}}]}';
    assert.ok(Object.is(createStatic({ frames: [frame] }).model("1.0")?.get("n"), -0));
  });

  test("what came in a later part than its widget counts", () => {
    const frames = [
      frameOf({ open: [opened("1.0", { a: 1 })], more: true }),
      frameOf({
        changes: [
          ["1.0", 40, "b", new Uint8Array([7]), 50],
          ["9.9", 1, "x", 1, 50],
        ],
      }),
    ];
    const model = createStatic({ frames }).model("1.0");
    assert.equal(model?.get("a"), 1);
    assert.equal(model?.get("b").getUint8(0), 7);
  });

  test("names of properties are data, whatever they are", () => {
    const props = JSON.parse('{ "__proto__": ["mine", 1], "constructor": ["own", 1] }');
    const open = [{ widget_id: "1.0", inst: 1, kind: "k", props: {} }];
    const frame = JSON.stringify({ type: "sync", frame: 1, rev: 1, open });
    const hostile = frame.replace('"props":{}', `"props":${JSON.stringify(props)}`);
    const model = createStatic({ frames: [hostile] }).model("1.0");
    assert.equal(model?.get("__proto__"), "mine");
    assert.equal(model?.get("constructor"), "own");
    assert.equal(/** @type {any} */ ({}).mine, undefined);
  });

  test("a frame that is none is refused", () => {
    assert.throws(() => createStatic({ frames: ["{}"] }), /type/);
  });

  test("code comes from the page, or from where the widget says that it is", () => {
    const modules = new Map([["/esm/a.js", "text"]]);
    const open = [
      { ...opened("1.0", {}), esm_url: "/esm/a.js" },
      { ...opened("2.0", {}), esm_url: "https://cdn.test/w.js" },
      { ...opened("3.0", {}), esm: "inline" },
      opened("4.0", {}),
    ];
    const connection = createStatic({ frames: [frameOf({ open })], modules });
    const sources = ["1.0", "2.0", "3.0", "4.0"].map((id) => {
      const { esm, esm_url } = connection.widgetData(id) ?? {};
      return esm ?? esm_url;
    });
    assert.deepEqual(sources, ["text", "https://cdn.test/w.js", "inline", undefined]);
    assert.equal(connection.model("2.0")?.get("_esm"), "https://cdn.test/w.js");
  });
});

describe("what works without Python", () => {
  test("an edit is told to all views of its widget, and to no other", async () => {
    const widgets = { "1.0": { value: 3 }, "2.0": { value: 3 } };
    const { connection, texts } = await shown(COUNTER, widgets, ["1.0", "1.0", "2.0"]);
    const model = connection.model("1.0");
    /** @type {number[]} */
    const heard = [];
    model.on("change:value", (/** @type {any} */ _model, /** @type {number} */ value) => heard.push(value));
    model.set("value", 4);
    model.save_changes();
    assert.deepEqual(texts(), ["4", "4", "3"]);
    assert.deepEqual(heard, [4]);
  });

  test("a widget shows another inside of itself, and reads its model", async () => {
    const box = `export default {
      async render({ model, el, host }) {
        if (!model.get("child")) { el.textContent = "inner " + model.get("value"); return; }
        const inner = await host.getModel(model.get("child"));
        const same = await model.widget_manager.get_model("2.0");
        const child = await host.getWidget(model.get("child"));
        const place = document.createElement("p");
        el.append(inner.get("value"), " ", same.get("value"), " ", place);
        await child.render({ el: place });
      },
    }`;
    const { document } = fakePage();
    Object.assign(globalThis, { document });
    try {
      const { texts } = await shown(box, { "1.0": { child: "anywidget:2.0" }, "2.0": { value: 8 } }, ["1.0"]);
      assert.deepEqual(texts(), ["8 8 inner 8"]);
    } finally {
      Reflect.deleteProperty(globalThis, "document");
    }
  });

  test("a style that the widget sets is taken", async () => {
    const { connection, views } = await shown(COUNTER, { "1.0": { value: 1, _css: ".a {}" } });
    const { head } = views[0].el.ownerDocument;
    assert.equal(head.querySelector("style")?.textContent, ".a {}");
    connection.model("1.0").set("_css", ".b {}");
    assert.equal(head.querySelector("style")?.textContent, ".b {}");
  });

  test("closing it ends the views", async () => {
    const { connection, views } = await shown(COUNTER, { "1.0": { value: 1 } });
    connection.close();
    await settle();
    assert.equal(views[0].el.isConnected, false);
    assert.equal(connection.model("1.0"), undefined);
  });
});

describe("what needs Python", () => {
  test("a message is refused, and everybody who cares is told", (t) => {
    const { warn } = captureConsole(t);
    const connection = staticOf({ "1.0": {} });
    /** @type {any[]} */
    const faults = [];
    const stop = connection.on("error", (fault) => faults.push(fault));
    const model = connection.model("1.0");
    model?.send({ hello: 1 });
    assert.deepEqual(faults, [{ code: "no_python", message: NO_PYTHON, widget_id: "1.0" }]);
    assert.match(warn[0], /widget 1\.0 has a message for Python.*Python is not there/);
    stop();
    model?.send({ hello: 2 });
    assert.equal(faults.length, 1);
  });

  test("a subscription ends with its signal", () => {
    const connection = staticOf({ "1.0": {} });
    const lifetime = new AbortController();
    let count = 0;
    connection.on("error", () => (count += 1), { signal: lifetime.signal });
    connection.report({ code: "a", message: "a" });
    lifetime.abort();
    connection.report({ code: "b", message: "b" });
    connection.on("error", () => (count += 1), { signal: lifetime.signal });
    connection.report({ code: "c", message: "c" });
    assert.equal(count, 1);
  });

  test("a question is answered at once with the reason", async (t) => {
    captureConsole(t);
    const asking = `export default {
      async render({ el, experimental }) {
        await experimental.invoke("answer").catch((error) => { el.textContent = error.code + ": " + error.message; });
      },
    }`;
    const { texts } = await shown(asking, { "1.0": {} });
    assert.deepEqual(texts(), [`no_python: Command "answer": ${NO_PYTHON} (no_python)`]);
  });

  test("a widget that is not in the page is missed at once, by name", async () => {
    const connection = staticOf({ "1.0": {} });
    await assert.rejects(connection.whenOpen("7.0"), /no widget "7.0" in this page/);
    assert.throws(() => connection.open({ widget_id: "7.0", model: {} }), /no widget "7.0" in this page/);
  });
});

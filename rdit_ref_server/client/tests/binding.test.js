import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { afterEach, beforeEach, describe, test } from "node:test";

import { renderWidget } from "../host.js";
import { captureConsole, opened, settle } from "./fakes.js";
import { LOG, makeWorld, probe } from "./world.js";

/** @typedef {import("../host.js").RenderOptions} RenderOptions */

/** @type {ReturnType<typeof makeWorld>} */
let world;
beforeEach(() => {
  world = makeWorld();
});
afterEach(() => world.end());

/** What a server says of new code, in either protocol. */
const PROTOCOLS = /** @type {const} */ ({
  "rdit/1": {
    /** @param {string} id @param {string} esm @param {Record<string, unknown>} values */
    start(id, esm, values) {
      world.network.last.welcome();
      this.open(id, esm, values);
    },
    /** @param {string} id @param {string} esm @param {Record<string, unknown>} values */
    open: (id, esm, values) => world.network.last.sync({ open: [{ ...opened(id, values), esm: `${LOG}\n${esm}` }] }),
    /** @param {string} id @param {string} property @param {unknown} value */
    change: (id, property, value) => world.network.last.sync({ changes: [[id, 40, property, text(property, value), (rev += 1)]] }),
  },
  "base mode": {
    /** @param {string} id @param {string} esm @param {Record<string, unknown>} values */
    start(id, esm, values) {
      world.network.last.accept();
      this.open(id, esm, values);
    },
    /** @param {string} id @param {string} esm @param {Record<string, unknown>} values */
    open: (id, esm, values) => world.connection.open({ widget_id: id, esm: `${LOG}\n${esm}`, model: values }),
    /** @param {string} id @param {string} property @param {unknown} value */
    change: (id, property, value) => world.network.last.push(id, property, text(property, value)),
  },
});
let rev = 100;
/** @param {string} property @param {unknown} value */
const text = (property, value) => (property === "_esm" ? `${LOG}\n${value}` : value);
const v1 = PROTOCOLS["rdit/1"];

/** @param {string} id @param {Partial<RenderOptions>} [options] */
async function show(id, options = {}) {
  const el = options.el ?? world.place();
  const { connection, failures, imports } = world;
  const view = await renderWidget({
    widgetData: { widget_id: id, model: {} },
    el,
    connection,
    importModule: imports.importModule,
    onerror: (failure) => failures.push(failure),
    ...options,
  });
  return { el, view };
}

/** @param {string} name */
const version = (name) => `
  let count = 0;
  export default {
    initialize({ model, signal }) {
      log('${name} initialize');
      signal.addEventListener('abort', () => log('${name} signal'));
      model.on('change:n', () => log('${name} heard'));
      return () => log('${name} cleanup');
    },
    render({ model, el, signal }) {
      el.textContent += '${name} ' + model.get('n') + ' ' + (count += 1);
      model.on('change:n', () => log('${name} view heard'));
      signal.addEventListener('abort', () => log('${name} view signal'));
      return async () => { log('${name} view cleanup'); await null; log('${name} view cleaned') };
    },
  };`;

describe("code that is replaced", () => {
  for (const [protocol, server] of Object.entries(PROTOCOLS)) {
    test(`runs in the place of the old in ${protocol}, the model and its state stay [afm 9 13 14 22 25 50]`, async () => {
      server.start("w", version("old"), { n: 3 });
      const [one, two] = [await show("w"), await show("w")];
      const model = world.connection.model("w");
      model?.set("n", 4);
      model?.save_changes();
      probe.log.length = 0;
      server.change("w", "_esm", version("new"));
      await settle();
      assert.equal(world.connection.model("w"), model);
      assert.deepEqual([one.el.textContent, two.el.textContent], ["new 4 1", "new 4 2"]);
      assert.equal(world.document.querySelectorAll("[data-widget-id]").length, 2);
      const { log } = probe;
      assert.equal(log.filter((/** @type {string} */ line) => line === "new initialize").length, 1);
      for (const line of ["old signal", "old cleanup", "old view signal", "old view cleaned"]) {
        assert.ok(log.includes(line), line);
        assert.ok(log.indexOf(line) < log.indexOf("new initialize"), line);
      }
      log.length = 0;
      model?.set("n", 5);
      assert.deepEqual(log, ["new heard", "new view heard", "new view heard"]);
      await one.view.dispose();
      assert.ok(log.includes("new view cleaned"));
      assert.equal(one.el.childNodes.length, 0);
    });
  }

  test("that is the same as before is left alone", async () => {
    v1.start("w", version("old"), { n: 3 });
    await show("w");
    probe.log.length = 0;
    v1.change("w", "_esm", version("old"));
    world.connection.model("w")?.set("_esm", "a widget's own idea");
    await settle();
    assert.deepEqual(probe.log, []);
  });

  test("waits for a cleanup that takes its time, and for that of the version before the last [afm 25]", async () => {
    probe.gate = new Promise((resolve) => (probe.open = resolve));
    const slow = `export default { render: () => async () => { await globalThis.probe.gate; log('cleaned') } }`;
    v1.start("w", slow, { n: 1 });
    const { el } = await show("w");
    v1.change("w", "_esm", version("second"));
    v1.change("w", "_esm", version("third"));
    await settle();
    assert.deepEqual([probe.log, el.textContent], [[], ""]);
    probe.open();
    await settle();
    assert.deepEqual(probe.log, ["cleaned", "third initialize"]);
    assert.equal(el.textContent, "third 1 1");
  });

  test("does not wait for ever for a cleanup that hangs", async (t) => {
    const lines = captureConsole(t);
    v1.start("w", "export default { render: () => () => new Promise(() => {}) }", { n: 1 });
    const { el } = await show("w", { cleanupWaitMs: 0 });
    v1.change("w", "_esm", version("new"));
    while (el.textContent === "") await settle();
    assert.equal(el.textContent, "new 1 1");
    assert.match(lines.warn[0], /not waited for/);
  });

  test("ends an initialize that is pending: its cleanup runs when it comes, and holds nobody up [afm 13 15]", async () => {
    probe.gate = new Promise((resolve) => (probe.open = resolve));
    v1.start("w", "export default { async initialize() { await globalThis.probe.gate; return () => log('late') } }", { n: 1 });
    const shown = show("w");
    await settle();
    v1.change("w", "_esm", `export default {
      initialize({ model }) { model.on('msg:custom', (content) => log('heard', content)) },
      render({ el }) { el.textContent = 'new' },
    }`);
    world.network.last.sync({ msgs: [{ n: 1, widget_id: "w", inst: 40, content: "held" }] });
    const { el } = await shown;
    assert.deepEqual([el.textContent, probe.log], ["new", ["heard held"]]);
    probe.open();
    await settle();
    assert.deepEqual(probe.log, ["heard held", "late"]);
  });

  test("does not hear what came for code that has not started yet until it has started itself [afm 15]", async () => {
    probe.gate = new Promise((resolve) => (probe.open = resolve));
    v1.start("w", "export default { render() {} }", { n: 1 });
    await show("w");
    v1.change("w", "_esm", `export default { initialize: () => globalThis.probe.gate, render() {} }`);
    v1.change("w", "_esm", `export default { async initialize({ model }) {
      model.on('msg:custom', (content) => log('heard', content));
      await globalThis.probe.gate;
      log('started');
    } }`);
    world.network.last.sync({ msgs: [{ n: 1, widget_id: "w", inst: 40, content: "held" }] });
    await settle();
    assert.deepEqual(probe.log, []);
    probe.open();
    await settle();
    assert.deepEqual(probe.log, ["started", "heard held"]);
  });

  test("and fails shows why in its place, and the next version works [afm 7 9 17]", async () => {
    v1.start("w", version("old"), { n: 1 });
    const { el, view } = await show("w");
    v1.change("w", "_esm", "export default { render() { throw new Error('typo') } }");
    await settle();
    assert.equal(view.failure?.message, "typo");
    assert.match(el.querySelector(".rdit-error")?.textContent ?? "", /typo/);
    const report = world.network.last.messages.at(-1);
    assert.deepEqual([report.type, report.widget_id, report.stage, report.message], ["report", "w", "render", "typo"]);
    v1.change("w", "_esm", "nonsense(");
    await settle();
    assert.equal(view.failure?.stage, "import");
    v1.change("w", "_esm", version("new"));
    await settle();
    assert.deepEqual([view.failure, el.textContent], [null, "new 1 1"]);
    assert.equal(el.querySelector(".rdit-error"), null);
  });

  test("by address is imported from the new one, and get shows it [afm 9 40]", async () => {
    const { network, connection } = world;
    const urls = /** @type {string[]} */ ([]);
    network.last.welcome();
    network.last.sync({ open: [{ ...opened("w", { n: 1 }), esm_url: "esm/a.js" }] });
    const importModule = async (/** @type {string} */ url) => {
      urls.push(url);
      return { default: { render: (/** @type {any} */ { el }) => void (el.textContent = url) } };
    };
    const { el } = await show("w", { importModule });
    assert.equal(connection.model("w")?.get("_esm"), "esm/a.js");
    v1.change("w", "esm_url", "esm/b.js");
    await settle();
    assert.deepEqual(urls, ["http://test/esm/a.js#w", "http://test/esm/b.js#w"]);
    assert.match(el.textContent ?? "", /b\.js/);
    assert.equal(connection.model("w")?.get("_esm"), "esm/b.js");
  });

  test("of a child is rendered anew into what its parent has put there [afm 9 20]", async (t) => {
    const lines = captureConsole(t);
    v1.start("child", version("old"), { n: 1 });
    v1.open("parent", `export default { async render({ el, host }) {
      log('parent');
      const child = await host.getWidget('anywidget:child');
      el.append('kept, ');
      await child.render({ el });
    } }`, {});
    const { el, view } = await show("parent");
    assert.equal(el.textContent, "kept, old 1 1");
    v1.change("child", "_esm", version("new"));
    await settle();
    assert.equal(el.textContent, "kept, new 1 1");
    v1.change("child", "_esm", "export default { render() { throw new Error('typo') } }");
    await settle();
    assert.match(el.textContent ?? "", /^kept, .*typo/);
    assert.match(lines.error.join(), /typo/);
    assert.deepEqual(world.network.last.messages.at(-1).message, "typo");
    v1.change("child", "_esm", version("newest"));
    await settle();
    assert.equal(el.textContent, "kept, newest 1 1");
    assert.equal(probe.log.filter((/** @type {string} */ line) => line === "parent").length, 1);
    await view.dispose();
    assert.ok(probe.log.includes("newest view cleaned"));
    assert.equal(world.document.querySelectorAll("[data-widget-id]").length, 0);
  });

  test("of a child that is waited for is what is got [afm 70]", async () => {
    v1.start("child", "export default { initialize: () => new Promise(() => {}) }", {});
    v1.open("parent", "export default { render({ host }) { globalThis.probe.host = host } }", {});
    await show("parent");
    const got = probe.host.getWidget("anywidget:child");
    await settle();
    v1.change("child", "_esm", "export default { initialize: () => ({ which: 'new' }) }");
    assert.equal((await got).exports.which, "new");
  });
});

describe("a slow start", () => {
  test("of 5 s leaves a model that follows Python and is followed [afm 16]", async () => {
    const { network, clock, connection } = world;
    v1.start("w", "", { n: 1 });
    /** @type {(module: any) => void} */
    let arrive = () => {};
    const module = new Promise((resolve) => (arrive = resolve));
    const shown = show("w", { importModule: () => module });
    await settle();
    clock.advance(5_000);
    network.last.sync({ changes: [["w", 40, "n", 2, 60]], msgs: [{ n: 1, widget_id: "w", inst: 40, content: "hi" }] });
    clock.advance(5_000);
    arrive({
      default: {
        /** @param {any} props */
        initialize: ({ model }) => model.on("msg:custom", (/** @type {string} */ content) => probe.log.push(content)),
        /** @param {any} props */
        render({ model, el }) {
          el.textContent = String(model.get("n"));
          model.on("change:n", () => (el.textContent = String(model.get("n"))));
          el.onclick = () => {
            model.set("n", model.get("n") + 1);
            model.save_changes();
          };
        },
      },
    });
    const { view } = await shown;
    assert.deepEqual([view.el.textContent, probe.log], ["2", ["hi"]]);
    network.last.sync({ changes: [["w", 40, "n", 7, 61]] });
    assert.equal(view.el.textContent, "7");
    view.el.click();
    assert.deepEqual(network.last.messages.at(-1).ops.map((/** @type {any} */ op) => op.value), [8]);
    assert.equal(connection.state, "live");
  });

  test("that fails tells the views, whoever asks for the widget, and Python [afm 17]", async () => {
    v1.start("child", "export default { async initialize() { await globalThis.probe.gate; throw new Error('no') } }", {});
    v1.open("parent", "export default { render({ host }) { globalThis.probe.host = host } }", {});
    await show("parent");
    probe.gate = new Promise((resolve) => (probe.open = resolve));
    const got = probe.host.getWidget("anywidget:child");
    const shown = show("child");
    probe.open();
    await assert.rejects(got, /"anywidget:child" failed: no/);
    const { view } = await shown;
    assert.equal(view.failure?.stage, "initialize");
    const reports = world.network.last.messages.filter(({ type }) => type === "report");
    assert.deepEqual(reports.map(({ widget_id: id, stage, message }) => [id, stage, message]), [["child", "initialize", "no"]]);
    assert.match(reports[0].stack, /Error: no/);
  });
});

describe("what initialize gives", () => {
  for (const [given, exports, cleanups] of /** @type {const} */ ([
    ["{ a: 1 }", { a: 1 }, 0],
    ["[1]", [1], 0],
    ["() => log('cleanup')", undefined, 1],
    ["Object.assign(() => log('cleanup'), { a: 1 })", undefined, 1],
    ["null", undefined, 0],
    ["undefined", undefined, 0],
    ["7", undefined, 0],
    ["'text'", undefined, 0],
  ])) {
    test(`is told apart by its type: ${given} [afm 12]`, async () => {
      v1.start("child", `export default { initialize() { return ${given} } }`, {});
      v1.open("parent", "export default { render({ host }) { globalThis.probe.host = host } }", {});
      await show("parent");
      assert.deepEqual((await probe.host.getWidget("anywidget:child")).exports, exports);
      world.connection.closeModel("child");
      await settle();
      assert.equal(probe.log.length, cleanups);
    });
  }
});

test("an error in a cleanup is logged, reported to Python, and stops nothing [afm 24]", async (t) => {
  const lines = captureConsole(t);
  v1.start("w", `export default {
    render: () => () => { throw new Error('bad cleanup') },
    destroy() { log('destroy') },
  }`, {});
  const { view } = await show("w");
  await view.dispose();
  assert.deepEqual(probe.log, ["destroy"]);
  assert.match(lines.error[0], /bad cleanup/);
  const report = world.network.last.messages.at(-1);
  assert.deepEqual([report.type, report.stage, report.message], ["report", "cleanup", "bad cleanup"]);
});

test("a thousand widgets that Python opens and closes leave nothing behind [afm 14 22 50]", async (t) => {
  captureConsole(t);
  const { connection, network, document } = world;
  const urls = new Set();
  const { createObjectURL, revokeObjectURL } = URL;
  t.mock.method(URL, "createObjectURL", (/** @type {Blob} */ blob) => {
    const url = createObjectURL(blob);
    urls.add(url);
    return url;
  });
  t.mock.method(URL, "revokeObjectURL", (/** @type {string} */ url) => {
    urls.delete(url);
    revokeObjectURL(url);
  });
  Object.assign(probe, { heard: 0, page: new EventTarget() });
  const esm = `export default {
    initialize({ model, signal }) {
      model.on("change:n msg:custom", () => { globalThis.probe.heard += 1 });
      globalThis.probe.page.addEventListener("probe", () => { globalThis.probe.heard += 1 }, { signal });
    },
    render({ model, el, signal, host, experimental }) {
      el.textContent = String(model.get("n"));
      model.on("change:n", () => { globalThis.probe.heard += 1; el.textContent = String(model.get("n")) });
      globalThis.probe.page.addEventListener("probe", () => { globalThis.probe.heard += 1 }, { signal });
      host.getModel("anywidget:never").catch(() => {});
      experimental.invoke("never").catch(() => {});
      return () => { globalThis.probe.cleaned = (globalThis.probe.cleaned ?? 0) + 1 };
    },
  };`;
  network.last.welcome();
  const el = world.place();
  const controller = new AbortController();
  const waitsBefore = world.clock.waits.length;
  const models = [];
  const shared = await import(`data:text/javascript,${encodeURIComponent(esm)}`);
  for (let i = 0; i < 1_000; i += 1) {
    const id = `w${i % 10}`;
    network.last.sync({ open: [{ ...opened(id, { n: i, _css: `.c${i % 3} {}` }, 1_000 + i), esm }] });
    const view = await renderWidget({
      widgetData: { widget_id: id, model: {} },
      el,
      connection,
      signal: controller.signal,
      scopeCss: i % 2 === 0,
      importModule: async (url) => {
        assert.ok(urls.has(url));
        return shared;
      },
    });
    const model = connection.model(id);
    models.push(model);
    network.last.sync({ changes: [[id, 1_000 + i, "n", -i, 10_000 + i]] });
    assert.equal(view.el.textContent, String(-i));
    if (i % 3 === 0) await view.dispose();
    network.last.sync({ close: [[id, 1_000 + i]] });
    if (i % 3 !== 0) await view.dispose();
    assert.equal(connection.model(id), undefined);
  }
  await settle();
  assert.equal(probe.cleaned, 1_000);
  probe.heard = 0;
  probe.page.dispatchEvent(new Event("probe"));
  for (const model of models) model?.handleRemoteUpdate("n", "late");
  assert.equal(probe.heard, 0);
  assert.equal(urls.size, 0);
  assert.equal(document.querySelectorAll("style, link, [data-widget-id], [data-rdit-scope]").length, 0);
  assert.equal(document.body.querySelectorAll("*").length, 2);
  assert.equal(getEventListeners(controller.signal, "abort").length, 0);
  assert.deepEqual(new Set(models.map((model) => model && getEventListeners(model.signal, "abort").length)), new Set([0]));
  assert.deepEqual(world.clock.waits.length, waitsBefore);
});

import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { afterEach, beforeEach, describe, test } from "node:test";

import { connectionOver } from "../connection.js";
import { renderWidget } from "../render.js";
import { acquireCss } from "../styles.js";
import { captureConsole, fakeNetwork, settle } from "./fakes.js";
import { LOG, makeWorld, probe } from "./world.js";

/** @type {ReturnType<typeof makeWorld>} */
let world;
beforeEach(() => {
  world = makeWorld();
  world.network.last.accept();
});
afterEach(() => world.end());

describe("rendering", () => {
  test("the counter of the first design counts, sends, and follows Python", async () => {
    const { view, el } = await world.show(
      `export default {
        render({ model, el }) {
          let btn = document.createElement('button');
          function updateButton() { btn.textContent = \`Count: \${model.get('value')}\`; }
          btn.onclick = () => {
            let count = model.get('value');
            model.set('value', count + 1);
            model.save_changes();
          };
          model.on('change:value', updateButton);
          el.appendChild(btn);
          updateButton();
        }
      }`.replace("document.createElement", "el.ownerDocument.createElement"),
      { state: { value: 0 } },
    );
    const button = /** @type {HTMLButtonElement} */ (el.querySelector("button"));
    assert.equal(button.textContent, "Count: 0");
    button.click();
    assert.equal(button.textContent, "Count: 1");
    assert.deepEqual(world.network.last.updates, [["w1", "value", 1]]);
    world.network.last.ack("w1", "value");
    world.network.last.push("w1", "value", 5);
    assert.equal(button.textContent, "Count: 5");
    assert.equal(view.failure, null);
  });

  test("props are those of the AFM contract [afm 11 19]", async () => {
    await world.show(`export default {
      initialize(props) { log('initialize', Object.keys(props).sort()) },
      render(props) { log('render', Object.keys(props).sort()); globalThis.probe.props = props; },
    }`);
    assert.deepEqual(probe.log, ["initialize experimental,model,signal", "render el,experimental,host,model,signal"]);
    assert.ok(probe.props.signal instanceof AbortSignal);
    assert.equal(typeof probe.props.host.getWidget, "function");
  });

  test("initialize runs once before any view and is awaited; views share the model and have elements of their own [afm 10 18]", async () => {
    const esm = `export default {
      async initialize({ model }) { log('begin'); await null; await null; model.set('n', 1); log('end') },
      render({ model, el }) { log('render', model.get('n')); el.textContent = 'view' },
    }`;
    const [one, two] = await Promise.all([world.show(esm), world.show(esm)]);
    const three = await world.show(esm);
    assert.deepEqual(probe.log, ["begin", "end", "render 1", "render 1", "render 1"]);
    assert.equal(new Set([one, two, three].map(({ view }) => view.el)).size, 3);
    assert.equal(world.imports.urls.length, 1);
  });

  test("two widgets of one module have instances of their own [afm 3]", async () => {
    const esm = "let n = 0; export default { render({ el }) { n += 1; el.textContent = String(n) } }";
    const one = await world.show(esm, { id: "w1" });
    const two = await world.show(esm, { id: "w2" });
    assert.deepEqual([one.view.el.textContent, two.view.el.textContent], ["1", "1"]);
  });

  test("el is emptied, and the view is inside an element that names the widget [afm 20]", async () => {
    const el = world.place();
    el.textContent = "old";
    const { view } = await world.show("export default { render({ el }) { el.textContent = 'new' } }", { id: "3.1", el });
    assert.equal(el.textContent, "new");
    assert.equal(view.el.parentElement?.getAttribute("data-widget-id"), "3.1");
    assert.equal(view.el.hasAttribute("data-widget-id"), false);
  });

  test("a headless widget has a view with nothing in it [afm 6]", async () => {
    const { view } = await world.show("export default { initialize() { log('initialize') } }");
    assert.equal(view.failure, null);
    assert.equal(view.el.childNodes.length, 0);
    assert.deepEqual(probe.log, ["initialize"]);
  });

  test("a widget may save while it initializes and renders", async () => {
    await world.show(`export default {
      initialize({ model }) { model.set('a', 1); model.save_changes() },
      render({ model }) { model.set('b', 2); model.save_changes(); model.save_changes() },
    }`);
    assert.deepEqual(world.network.last.updates, [
      ["w1", "a", 1],
      ["w1", "b", 2],
    ]);
  });

  test("a plain WebSocket that is still connecting will do", async () => {
    const { WebSocket } = fakeNetwork();
    const websocket = new WebSocket();
    const { view } = await world.show(
      "export default { render({ model }) { model.set('n', 1); model.save_changes() } }",
      { connection: undefined, websocket },
    );
    assert.deepEqual(websocket.frames, []);
    websocket.accept();
    assert.deepEqual(websocket.updates, [["w1", "n", 1]]);
    websocket.ack("w1", "n");
    websocket.push("w1", "n", 2);
    assert.equal(view.model?.get("n"), 2);
    assert.equal(connectionOver(websocket).model("w1")?.get("n"), 2);
  });

  test("a connection given as websocket is used as it is", async () => {
    const { view } = await world.show("export default { render() {} }", {
      connection: undefined,
      websocket: world.connection,
    });
    assert.equal(view.failure, null);
    assert.ok(world.connection.model("w1"));
  });

  test("what is missing is named", async () => {
    const widgetData = { widget_id: "w1", model: {} };
    const el = world.place();
    await assert.rejects(renderWidget(/** @type {any} */ ({ widgetData })), /element/);
    await assert.rejects(renderWidget(/** @type {any} */ ({ el })), /widgetData/);
    await assert.rejects(renderWidget({ el, widgetData }), /connection/);
  });

  test("invoke rejects clearly, and with the caller's reason when that was aborted before", async () => {
    await world.show("export default { render({ experimental }) { globalThis.probe.invoke = experimental.invoke } }");
    await assert.rejects(probe.invoke("greet", {}), { code: "unsupported", message: /"greet".*no custom messages/ });
    await assert.rejects(probe.invoke("greet", {}, { signal: AbortSignal.abort(new Error("stop")) }), /stop/);
  });
});

describe("lifetimes", () => {
  const CLEANING = `export default {
    initialize({ model, signal }) {
      signal.addEventListener('abort', () => log('model signal'));
      model.on('change:n', () => log('initialize heard'));
      return () => log('initialize cleanup');
    },
    render({ model, el, signal }) {
      el.textContent = 'here';
      signal.addEventListener('abort', () => log('view signal'));
      model.on('change:n', () => log('view heard'));
      return async () => { log('view cleanup', el.isConnected); await null; log('view cleanup done') };
    },
    destroy({ model, el }) { log('destroy', typeof model.get, el.tagName) },
  }`;

  test("disposing a view ends its signal, cleanups, destroy, listeners and element, and leaves the model [afm 21 22 24 50]", async () => {
    const { view, el } = await world.show(CLEANING, { state: { n: 0 } });
    await view.dispose();
    assert.deepEqual(probe.log, ["view signal", "view cleanup true", "view cleanup done", "destroy function DIV"]);
    assert.equal(el.childNodes.length, 0);
    world.network.last.push("w1", "n", 1);
    assert.equal(probe.log.at(-1), "initialize heard");
    assert.equal(probe.log.includes("view heard"), false);
    await view.dispose();
    assert.equal(probe.log.filter((/** @type {string} */ line) => line === "view cleanup done").length, 1);
  });

  test("closing the model ends its views and initialize's cleanup [afm 13 22]", async () => {
    const { el } = await world.show(CLEANING, { state: { n: 0 } });
    world.connection.closeModel("w1");
    await settle();
    assert.equal(el.childNodes.length, 0);
    for (const line of ["model signal", "view signal", "initialize cleanup", "view cleanup done"]) {
      assert.ok(probe.log.includes(line), line);
    }
    assert.equal(probe.log.length, 6);
  });

  test("the caller's signal ends the view [afm 22]", async () => {
    const controller = new AbortController();
    const { el } = await world.show(CLEANING, { signal: controller.signal });
    controller.abort();
    await settle();
    assert.equal(el.childNodes.length, 0);
    assert.ok(probe.log.includes("view cleanup done"));
    assert.equal(probe.log.includes("initialize cleanup"), false);
  });

  test("a signal that is aborted already renders nothing", async () => {
    const { el, view } = await world.show(CLEANING, { signal: AbortSignal.abort() });
    await settle();
    assert.equal(el.childNodes.length, 0);
    assert.equal(view.failure, null);
    assert.deepEqual(probe.log, []);
  });

  test("a view that ends while its render is pending is cleaned up when that resolves [afm 21 23]", async () => {
    const controller = new AbortController();
    probe.gate = new Promise((resolve) => (probe.open = resolve));
    const shown = world.show(
      "export default { async render() { log('render'); await globalThis.probe.gate; return () => log('late cleanup') } }",
      { signal: controller.signal },
    );
    await settle();
    controller.abort();
    const { el } = await shown;
    assert.equal(el.childNodes.length, 0);
    assert.deepEqual(probe.log, ["render"]);
    probe.open();
    await settle();
    assert.deepEqual(probe.log, ["render", "late cleanup"]);
  });

  test("a model that ends while its initialize is pending is cleaned up when that resolves [afm 13]", async () => {
    probe.gate = new Promise((resolve) => (probe.open = resolve));
    const shown = world.show(`export default {
      async initialize() { await globalThis.probe.gate; return () => log('late cleanup') },
      render() { log('render') },
    }`);
    await settle();
    world.connection.closeModel("w1");
    const { view } = await shown;
    probe.open();
    await settle();
    assert.deepEqual(probe.log, ["late cleanup"]);
    assert.equal(view.failure, null);
  });

  test("an error in a cleanup is logged and stops nothing [afm 24]", async (t) => {
    const lines = captureConsole(t);
    const { view } = await world.show(`export default {
      render() { return () => { throw new Error('bad cleanup') } },
      destroy() { log('destroy') },
    }`);
    await view.dispose();
    assert.deepEqual(probe.log, ["destroy"]);
    assert.match(lines.error[0], /bad cleanup/);
  });

  test("views that end while initialize is pending leave nothing, and those that stay render", async () => {
    probe.gate = new Promise((resolve) => (probe.open = resolve));
    const esm = `export default {
      async initialize() { await globalThis.probe.gate; },
      render({ el }) { log('render'); el.textContent = 'here' },
    }`;
    const controller = new AbortController();
    const options = { css: "a {}", state: { layout: { width: "1px" } } };
    const ending = world.show(esm, { ...options, signal: controller.signal });
    const staying = world.show(esm, options);
    await settle();
    controller.abort();
    const { el, view } = await ending;
    assert.deepEqual([el.childNodes.length, view.failure, view.el.style.length], [0, null, 0]);
    probe.open();
    const { view: other } = await staying;
    assert.equal(other.el.textContent, "here");
    assert.deepEqual(probe.log, ["render"]);
    assert.equal(view.el.style.length, 0);
    await other.dispose();
    assert.equal(world.document.head.querySelector("style"), null);
  });

  test("a widget shown where another was ends that one's view", async () => {
    const { el, view } = await world.show(CLEANING, { id: "w1", state: { n: 0 }, css: "a {}" });
    const next = await world.show("export default { render({ el }) { el.textContent = 'next' } }", { id: "w2", el });
    await settle();
    assert.ok(probe.log.includes("view cleanup done"));
    assert.equal(world.document.head.querySelector("style"), null);
    await view.dispose();
    assert.equal(el.textContent, "next");
    await next.view.dispose();
    assert.equal(el.childNodes.length, 0);
  });

  for (const isClosed of [true, false]) {
    const models = isClosed ? "models that are closed" : "one model that stays";
    test(`a thousand views of ${models} leave no listener, style or element behind`, async () => {
      Object.assign(probe, { heard: 0, page: new EventTarget() });
      const esm = `export default {
        initialize({ model }) { model.on('change:n', () => { globalThis.probe.heard += 100_000 }) },
        render({ model, el, signal }) {
          const paint = () => { globalThis.probe.heard += 1; el.textContent = String(model.get('n')) };
          model.on('change:n', paint);
          globalThis.probe.page.addEventListener('probe', paint, { signal });
          paint();
        },
      }`;
      const definition = await import(`data:text/javascript,${encodeURIComponent(esm)}`);
      const controller = new AbortController();
      const { connection, document, network } = world;
      const el = world.place();
      const state = { n: 0, layout: { width: "1px" }, _dom_classes: ["a"], tooltip: "t" };
      /** @type {import("../model.js").Model[]} */
      const opened = [];
      connection.on("open", (model) => opened.push(model));
      for (let i = 0; i < 1000; i += 1) {
        const id = isClosed ? `w${i}` : "w";
        const view = await renderWidget({
          widgetData: { widget_id: id, esm: "text", css: `.c${i % 3} {}`, model: state },
          el,
          connection,
          signal: controller.signal,
          importModule: async () => definition,
        });
        network.last.push(id, "n", i + 1);
        assert.equal(view.el.textContent, String(i + 1));
        await view.dispose();
        if (isClosed) connection.closeModel(id);
      }
      assert.equal(opened.length, isClosed ? 1000 : 1);
      probe.heard = 0;
      probe.page.dispatchEvent(new Event("probe"));
      for (const { widgetId } of opened) network.last.push(widgetId, "n", -1);
      assert.equal(probe.heard, isClosed ? 0 : 100_000);
      assert.equal(document.querySelectorAll("style, link, [data-widget-id]").length, 0);
      assert.equal(document.body.querySelectorAll("*").length, 2);
      assert.equal(el.childNodes.length, 0);
      assert.equal(getEventListeners(controller.signal, "abort").length, 0);
      // The listeners of initialize belong to the model.
      const left = opened.map(({ signal }) => getEventListeners(signal, "abort").length);
      assert.deepEqual(new Set(left), new Set([isClosed ? 0 : 1]));
    });
  }

  test("off() in one view leaves the other views and the host's own listeners alone [afm 46]", async () => {
    const esm = `export default { render({ model, el }) {
      model.on('change:n', () => { el.textContent = String(model.get('n')) });
      if (!globalThis.probe.first) { globalThis.probe.first = true; globalThis.probe.off = () => model.off() }
    } }`;
    const one = await world.show(esm, { state: { n: 0, layout: { width: "1px" } } });
    const two = await world.show(esm);
    probe.off();
    world.network.last.push("w1", "n", 1);
    world.network.last.push("w1", "layout", { width: "2px" });
    assert.deepEqual([one.view.el.textContent, two.view.el.textContent], ["", "1"]);
    assert.equal(one.view.el.style.width, "2px");
  });
});

describe("failures", () => {
  for (const [stage, esm] of [
    ["import", "import 'http://nowhere.test/x.js'; export default {}"],
    ["import", "export default {}"],
    ["import", "export default () => { throw new Error('<b>boom</b>') }"],
    ["initialize", "export default { initialize() { throw new Error('<b>boom</b>') }, render() { log('render') } }"],
    ["render", "export default { render({ el }) { el.textContent = 'half'; throw new Error('<b>boom</b>') } }"],
    ["render", "export default { async render() { await null; throw 'a text' } }"],
  ]) {
    test(`a failure in ${stage} of "${esm}" is shown in place and reported, and siblings live [afm 7]`, async () => {
      const [bad, good] = await Promise.all([
        world.show(esm, { id: "bad<i>" }),
        world.show("export default { render({ el }) { el.textContent = 'alive' } }", { id: "good" }),
      ]);
      const panel = /** @type {HTMLElement} */ (bad.el.querySelector("[data-widget-id] > .rdit-error"));
      assert.equal(panel.querySelector(".rdit-error-title")?.textContent, `Widget bad<i> failed (${stage})`);
      assert.equal(panel.querySelector("b, i"), null);
      assert.equal(panel.querySelector(".rdit-error-message")?.textContent, bad.view.failure?.message);
      assert.equal(panel.querySelector("details")?.open ?? false, false);
      assert.deepEqual(
        world.failures.map(({ widgetId, stage: at }) => [widgetId, at]),
        [["bad<i>", stage]],
      );
      assert.equal(good.el.textContent, "alive");
      assert.deepEqual(probe.log, []);
      await bad.view.dispose();
      assert.equal(bad.el.childNodes.length, 0);
    });
  }

  test("a failure names the widget by class and id, in the panel's heading and its accessible name", async () => {
    const esm = "export default { render() { throw new Error('boom') } }";
    /** @type {[any, any, string][]} */
    const cases = [
      [{ _anywidget_id: "my.package.Counter" }, {}, "Counter 3.0"],
      [{ _anywidget_id: "Counter" }, { class_name: "Other" }, "Counter 3.1"],
      [{}, { class_name: "Plain" }, "Plain 3.2"],
      [{ _anywidget_id: 7 }, { class_name: "" }, "Widget 3.3"],
      [{ _anywidget_id: `m.${"x".repeat(1000)}` }, {}, `${"x".repeat(100)} 3.4`],
    ];
    for (const [number, [model, more, name]] of cases.entries()) {
      const widgetData = { widget_id: `3.${number}`, esm, model, ...more };
      const { el, view } = await world.show(esm, { widgetData });
      const panel = el.querySelector(".rdit-error");
      assert.equal(panel?.getAttribute("aria-label"), `${name} failed (render)`);
      assert.equal(panel?.querySelector(".rdit-error-title")?.textContent, `${name} failed (render)`);
      assert.equal(view.failure?.name, name);
    }
  });

  test("without onerror a failure goes to the console", async (t) => {
    const lines = captureConsole(t);
    await world.show("export default { render() { throw new Error('boom') } }", { onerror: undefined });
    assert.match(lines.error[0], /w1 failed \(render\).*boom/);
  });

  test("each view of a widget that failed to initialize shows why, and it was tried once [afm 17]", async () => {
    const esm = "export default { initialize() { log('try'); throw new Error('boom') } }";
    const one = await world.show(esm);
    const two = await world.show(esm);
    assert.deepEqual([one.view.failure?.stage, two.view.failure?.stage], ["initialize", "initialize"]);
    assert.deepEqual(probe.log, ["try"]);
  });

  test("a state that cannot be read is a failure to open", async () => {
    const { view } = await world.show("export default { render() {} }", { state: { data: { $b64: "%" } } });
    assert.equal(view.failure?.stage, "open");
    assert.equal(view.model, null);
  });

  test("a failure to open leaves with the signal that ends the view", async () => {
    const controller = new AbortController();
    const state = { data: { $b64: "%" } };
    const { el } = await world.show("export default { render() {} }", { state, signal: controller.signal });
    assert.equal(el.querySelectorAll("[role=alert]").length, 1);
    controller.abort();
    assert.equal(el.innerHTML, "");
  });
});

describe("composition", () => {
  const CHILD = `export default {
    async initialize() { await null; return { double: (n) => 2 * n } },
    render({ el, signal, model }) {
      el.textContent += 'child ' + model.get('n');
      signal.addEventListener('abort', () => log('child signal'));
      return () => log('child cleanup');
    },
  }`;
  const PARENT = `export default { async render({ model, el, host }) {
    globalThis.probe.host = host;
    const widget = await host.getWidget(model.get('child'));
    globalThis.probe.widget = widget;
    const slot = el.ownerDocument.createElement('p');
    slot.textContent = 'kept, ';
    el.append(slot);
    await widget.render({ el: slot });
  } }`;
  const IDLE = "export default { render({ host }) { globalThis.probe.host = host } }";

  for (const prefix of ["anywidget:", "IPY_MODEL_"]) {
    test(`a child named by ${prefix}<id> is initialized, exported and rendered into the parent's element [afm 20 69 70 72]`, async () => {
      world.connection.open({ widget_id: "child", esm: `${LOG}\n${CHILD}`, model: { n: 3 } });
      const { el, view } = await world.show(PARENT, { id: "parent", state: { child: `${prefix}child` } });
      assert.equal(probe.widget.exports.double(4), 8);
      const slot = /** @type {HTMLElement} */ (el.querySelector("p"));
      assert.equal(slot.textContent, "kept, child 3");
      assert.equal(slot.getAttribute("data-widget-id"), "child");
      await view.dispose();
      await settle();
      assert.deepEqual(probe.log, ["child signal", "child cleanup"]);
      assert.equal(slot.hasAttribute("data-widget-id"), false);
    });
  }

  test("a child's own signal ends the child alone [afm 72]", async () => {
    world.connection.open({ widget_id: "child", esm: `${LOG}\n${CHILD}`, model: { n: 3 } });
    await world.show(IDLE, { id: "parent" });
    const widget = await probe.host.getWidget("anywidget:child");
    const controller = new AbortController();
    await widget.render({ el: world.place(), signal: controller.signal });
    controller.abort();
    await settle();
    assert.deepEqual(probe.log, ["child signal", "child cleanup"]);
  });

  test("a child that opens later is waited for [afm 71]", async () => {
    const shown = world.show(PARENT, { id: "parent", state: { child: "anywidget:child" } });
    await settle();
    world.connection.open({ widget_id: "child", esm: `${LOG}\n${CHILD}`, model: { n: 1 } });
    const { el } = await shown;
    assert.equal(el.textContent, "kept, child 1");
  });

  test("a child that never opens rejects after the option's time, with the id [afm 71]", async () => {
    await world.show(IDLE, { id: "parent", childWaitMs: 50 });
    const [widget, model] = [probe.host.getWidget("anywidget:never"), probe.host.getModel("anywidget:never")];
    world.clock.advance(50);
    await assert.rejects(widget, /"never"/);
    await assert.rejects(model, /"never"/);
  });

  for (const ref of ["child", "anywidget:", "", null, undefined, 7, { a: 1 }]) {
    test(`the reference ${JSON.stringify(ref)} is refused with its value [afm 71]`, async () => {
      await world.show(IDLE, { id: "parent" });
      const shown = ref === undefined ? "undefined" : JSON.stringify(ref);
      const matches = (/** @type {Error} */ error) => error.message.includes(shown);
      await assert.rejects(probe.host.getWidget(ref), matches);
      await assert.rejects(probe.host.getModel(ref), matches);
    });
  }

  test("a child that failed to initialize rejects at once, naming the reference and the cause [afm 17 71]", async () => {
    world.connection.open({
      widget_id: "child",
      esm: "export default { initialize() { throw new Error('boom') } }",
      model: {},
    });
    await world.show(IDLE, { id: "parent" });
    await assert.rejects(probe.host.getWidget("anywidget:child"), /"anywidget:child" failed: boom/);
  });

  test("a child whose render throws rejects in the parent's hands [afm 70]", async () => {
    world.connection.open({
      widget_id: "child",
      esm: "export default { render() { throw new Error('boom') } }",
      model: {},
    });
    const { view } = await world.show(PARENT, { id: "parent", state: { child: "anywidget:child" } });
    assert.equal(view.failure?.stage, "render");
    assert.match(view.failure?.message ?? "", /boom/);
  });

  test("a circle of widgets is an error that shows it [afm 75]", async () => {
    world.connection.open({ widget_id: "b", esm: PARENT, model: { child: "anywidget:a" } });
    const { view } = await world.show(PARENT, { id: "a", state: { child: "anywidget:b" } });
    assert.match(view.failure?.message ?? "", /a -> b -> a/);
  });

  test("getModel gives a model whose listeners go with the view that asked [afm 51 73]", async () => {
    const child = world.connection.open({ widget_id: "child", model: { n: 0 } });
    const { view } = await world.show(IDLE, { id: "parent" });
    const model = await probe.host.getModel("anywidget:child");
    model.on("change:n", () => probe.log.push("heard"));
    child.set("n", 1);
    await view.dispose();
    child.set("n", 2);
    assert.deepEqual(probe.log, ["heard"]);
  });
});

describe("styles", () => {
  const styles = () => [...world.document.head.querySelectorAll("style")].map((style) => style.textContent);
  const EMPTY = "export default { render() {} }";

  test("css is loaded once however many views have it, and goes with the last one [afm 8]", async () => {
    const one = await world.show(EMPTY, { id: "w1", css: "a {}" });
    const two = await world.show(EMPTY, { id: "w2", css: "a {}" });
    const other = await world.show(EMPTY, { id: "w3", css: "b {}" });
    assert.deepEqual(styles(), ["a {}", "b {}"]);
    await one.view.dispose();
    await other.view.dispose();
    assert.deepEqual(styles(), ["a {}"]);
    await two.view.dispose();
    assert.deepEqual(styles(), []);
  });

  test("a changed _css replaces the style [afm 8 9]", async () => {
    const { view } = await world.show(EMPTY, { css: "a {}" });
    world.network.last.push("w1", "_css", "b {}");
    assert.deepEqual(styles(), ["b {}"]);
    world.network.last.push("w1", "_css", null);
    assert.deepEqual(styles(), []);
    world.network.last.push("w1", "_css", "c {}");
    await view.dispose();
    assert.deepEqual(styles(), []);
  });

  test("a changed _css counts each view and each widget that has it", async () => {
    const one = await world.show(EMPTY, { id: "w1", css: "a {}" });
    const two = await world.show(EMPTY, { id: "w1", css: "a {}" });
    const other = await world.show(EMPTY, { id: "w2", css: "b {}" });
    world.network.last.push("w1", "_css", "b {}");
    assert.deepEqual(styles(), ["b {}"]);
    await other.view.dispose();
    await one.view.dispose();
    assert.deepEqual(styles(), ["b {}"]);
    await two.view.dispose();
    assert.deepEqual(styles(), []);
    world.network.last.push("w1", "_css", "c {}");
    assert.deepEqual(styles(), []);
  });

  for (const stage of ["import", "initialize", "render"]) {
    test(`the css of a widget that failed to ${stage} is given back with its view`, async () => {
      const fine = await world.show(EMPTY, { id: "fine", css: "a {}" });
      const esm = stage === "import" ? "nonsense(" : `export default { ${stage}() { throw new Error('boom') } }`;
      const bad = await world.show(esm, { id: "bad", css: "a {}" });
      assert.equal(bad.view.failure?.stage, stage);
      world.network.last.push("bad", "_css", "b {}");
      assert.deepEqual(styles(), ["a {}", "b {}"]);
      await bad.view.dispose();
      assert.deepEqual(styles(), ["a {}"]);
      await fine.view.dispose();
      assert.deepEqual(styles(), []);
    });
  }

  test("css by URL is a link [afm 8]", async () => {
    const { view } = await world.show(EMPTY, { css: "https://cdn.test/a.css" });
    const links = () => [...world.document.head.querySelectorAll("link")].map((link) => link.getAttribute("href"));
    assert.deepEqual(links(), ["https://cdn.test/a.css"]);
    await view.dispose();
    assert.deepEqual(links(), []);
  });

  test("css that names itself </style> stays text [threat 23]", async () => {
    await world.show(EMPTY, { css: "</style><img>" });
    assert.equal(world.document.head.querySelector("img"), null);
  });

  test("giving css back twice counts once", () => {
    const [first, second] = [acquireCss(world.document, "x {}"), acquireCss(world.document, "x {}")];
    first();
    first();
    assert.deepEqual(styles(), ["x {}"]);
    second();
    assert.deepEqual(styles(), []);
  });

  test("layout is applied to the view's element and followed [afm J1]", async () => {
    const { view } = await world.show(EMPTY, {
      state: { layout: { width: "50px", max_height: "9px", _view_name: "LayoutView", flex: null, "b;ad": "x", margin: {} } },
    });
    assert.equal(view.el.getAttribute("style"), "width: 50px; max-height: 9px;");
    world.network.last.push("w1", "layout", { height: "3px" });
    assert.equal(view.el.getAttribute("style"), "height: 3px;");
    world.network.last.push("w1", "layout", "IPY_MODEL_x");
    assert.equal(view.el.style.length, 0);
  });

  test("_dom_classes and tooltip are applied and followed, and the widget's own classes stay [afm J1]", async () => {
    const { view } = await world.show("export default { render({ el }) { el.classList.add('own') } }", {
      state: { _dom_classes: ["one", "two words", 3], tooltip: "hint" },
    });
    assert.equal(view.el.className, "one own");
    assert.equal(view.el.title, "hint");
    world.network.last.push("w1", "_dom_classes", ["three"]);
    world.network.last.push("w1", "tooltip", null);
    assert.equal(view.el.className, "own three");
    assert.equal(view.el.hasAttribute("title"), false);
  });
});

test("ids such as __proto__ are names like any other [threat 21]", async () => {
  for (const id of ["__proto__", "constructor"]) {
    const { view, el } = await world.show("export default { render({ el }) { el.textContent = 'ok' } }", { id });
    assert.equal(view.failure, null);
    assert.equal(el.textContent, "ok");
  }
  assert.equal(/** @type {any} */ ({}).model, undefined);
});

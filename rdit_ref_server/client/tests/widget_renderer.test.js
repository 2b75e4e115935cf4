import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { afterEach, beforeEach, describe, test } from "node:test";

import { CHILD_WAIT_MS, connect, connectionOver } from "../connection.js";
import { renderWidget } from "../render.js";
import { WidgetModel } from "../model.js";
import { createWidgetRenderer } from "../widget_renderer.js";
import { captureConsole, fakeClock, fakeImports, fakeNetwork, fakePage, opened, settle } from "./fakes.js";

/** @typedef {import("../connection.js").WidgetData} WidgetData */
/** @typedef {import("../host.js").WidgetFailure} WidgetFailure */

/** Widget modules of these tests report here. @type {any} */
const probe = ((/** @type {any} */ (globalThis)).probe = { log: [] });

// React looks for a browser when it is loaded, and for this flag when a test renders outside of `act`.
const page = fakePage("<!doctype html><body></body>");
const BROWSER = { window: page.window, document: page.document, navigator: page.window.navigator };
putBrowser();
/** @type {any} */ (globalThis).IS_REACT_ACT_ENVIRONMENT = true;

function putBrowser() {
  for (const [name, value] of Object.entries(BROWSER)) {
    // Newer Nodes have a navigator of their own, which cannot be assigned to.
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  }
}

const COUNTER = `export default {
  render({ model, el }) {
    const button = document.createElement("button");
    const paint = () => { button.textContent = "Count: " + model.get("value"); };
    button.onclick = () => {
      model.set("value", model.get("value") + 1);
      model.save_changes();
    };
    model.on("change:value", paint);
    el.appendChild(button);
    paint();
  }
}`;

/** Says in the log what becomes of it. @param {string} name */
const logging = (name) => `const log = (...entry) => globalThis.probe.log.push(["${name}", ...entry].join(" "));
export default {
  initialize({ model, signal }) {
    log("initialize");
    signal.addEventListener("abort", () => log("end"));
  },
  render({ model, el }) {
    log("render");
    el.textContent = "${name} " + model.get("value");
    model.on("change:value", () => {
      log("hears", model.get("value"));
      el.textContent = "${name} " + model.get("value");
    });
    return () => log("cleanup");
  }
}`;

/** @param {string} esm @param {object} [fields] @returns {WidgetData} */
const dataOf = (esm, fields) => ({ widget_id: "w1", esm, model: { value: 0 }, ...fields });

/** What is ready to run runs, until it has become true. @param {() => unknown} condition */
async function until(condition) {
  for (let turns = 0; turns < 1_000; turns += 1) {
    if (condition()) return;
    await settle();
  }
  assert.fail(`it did not become true: ${condition}`);
}

const VERSIONS = /** @type {const} */ ([
  ["19", "../package.json"],
  ["18", "./react-18/package.json"],
]);

for (const [version, packages] of VERSIONS) {
  const require = createRequire(new URL(packages, import.meta.url));
  const React = require("react");
  const { createRoot, hydrateRoot } = require("react-dom/client");
  const { renderToString } = require("react-dom/server");
  const WidgetRenderer = /** @type {any} */ (createWidgetRenderer(React));
  const { createElement, StrictMode } = React;
  const { importModule } = fakeImports();

  /** @type {HTMLElement} */
  let container;
  /** @type {any} */
  let root;
  /** @type {ReturnType<typeof fakeNetwork>} */
  let network;
  /** @type {ReturnType<typeof captureConsole>} */
  let lines;
  /** @type {import("../connection.js").Connection[]} */
  let connections;

  /** A WebSocket of the page's own, in base mode. @returns {any} */
  function openSocket() {
    const socket = new network.WebSocket();
    socket.accept();
    return socket;
  }

  function openConnection() {
    const clock = fakeClock();
    const connection = connect("ws://test/ws/widgets", {
      WebSocket: network.WebSocket,
      setTimeout: clock.setTimeout,
      clearTimeout: clock.clearTimeout,
      window: null,
      document: null,
    });
    connections.push(connection);
    return { connection, socket: network.last, clock };
  }

  /** @param {object | null} props @param {any[]} children */
  const widget = (props, ...children) => createElement(WidgetRenderer, { importModule, ...props }, ...children);

  /** @param {any} element */
  const render = (element) => React.act(() => root.render(element));

  /** @param {string} text */
  const shows = (text) => until(() => container.textContent === text);

  /** @param {string} selector @returns {any} */
  const find = (selector) => container.querySelector(selector);

  describe(`WidgetRenderer on React ${version}`, () => {
    beforeEach((t) => {
      probe.log = [];
      network = fakeNetwork();
      connections = [];
      lines = captureConsole(/** @type {any} */ (t));
      container = page.document.body.appendChild(page.document.createElement("main"));
      root = createRoot(container);
    });
    afterEach(async () => {
      await React.act(() => root.unmount());
      for (const connection of connections) connection.close();
      container.remove();
      assert.equal(container.innerHTML, "");
    });

    test("it is the React that it says it is", () => {
      assert.equal(React.version.split(".")[0], version);
    });

    test("takes the props of the first design: the counter counts, sends, and follows Python", async () => {
      const websocket = openSocket();
      await render(widget({ widgetData: dataOf(COUNTER), websocket }));
      await shows("Count: 0");
      find("button").click();
      assert.equal(find("button").textContent, "Count: 1");
      assert.deepEqual(websocket.updates, [["w1", "value", 1]]);
      websocket.ack("w1", "value");
      websocket.push("w1", "value", 7);
      assert.equal(find("button").textContent, "Count: 7");
      assert.deepEqual(lines.error, []);
    });

    test("sends over a WebSocket that is still connecting once it is open", async () => {
      const websocket = new network.WebSocket("ws://test/ws/widgets");
      await render(widget({ widgetData: dataOf(COUNTER), websocket }));
      await shows("Count: 0");
      find("button").click();
      /** @type {any} */ (websocket).accept();
      assert.deepEqual(/** @type {any} */ (websocket).updates, [["w1", "value", 1]]);
    });

    test("a component of one's own around WidgetModel, as the first design has it, works in the same page", async () => {
      const websocket = openSocket();
      const widgetData = dataOf("");
      /** @type {WidgetModel | null} */
      let model = null;
      function Own() {
        const el = React.useRef(/** @type {any} */ (null));
        React.useEffect(() => {
          const made = (model = new WidgetModel(widgetData.widget_id, widgetData.model, websocket));
          made.on("change:value", (value) => (el.current.textContent = String(value)));
        }, []);
        return createElement("p", { ref: el });
      }
      await render(createElement(Own));
      /** @type {any} */ (model).set("value", 3);
      assert.equal(container.textContent, "3");
      assert.deepEqual(websocket.updates, [["w1", "value", 3]]);
    });

    test("shows a widget of a connection in rdit/1", async () => {
      const { connection, socket } = openConnection();
      socket.welcome({ w1: { value: 4 } });
      await render(widget({ widgetData: dataOf(COUNTER), connection }));
      await shows("Count: 4");
      find("button").click();
      assert.equal(socket.messages.filter(({ type }) => type === "batch").length, 1);
      socket.sync({ ack: 1, changes: [["w1", 40, "value", 9, 51]] });
      await shows("Count: 9");
      assert.deepEqual(lines.error, []);
    });

    test("strict mode's second mount leaves one view, one initialize, no listener more, and an open model", async () => {
      const websocket = openSocket();
      const esm = logging("a");
      await render(createElement(StrictMode, null, widget({ widgetData: dataOf(esm), websocket })));
      await shows("a 0");
      await settle();
      assert.deepEqual(probe.log, ["a initialize", "a render"]);
      assert.equal(container.querySelectorAll(".rdit-widget").length, 1);
      websocket.push("w1", "value", 1);
      assert.equal(container.textContent, "a 1");
      assert.deepEqual(probe.log.slice(2), ["a hears 1"]);
      assert.equal(getEventListeners(websocket, "message").length, 1);
      const model = /** @type {any} */ (connectionOver(websocket).model("w1"));
      assert.equal(model.signal.aborted, false);
      // As many as without strict mode: one component more or less makes no difference.
      const strict = getEventListeners(model.signal, "abort").length;
      await render(createElement(StrictMode, null));
      await render(widget({ widgetData: dataOf(esm), websocket }));
      await shows("a 1");
      assert.equal(getEventListeners(model.signal, "abort").length, strict);
      assert.deepEqual(lines.error, []);
    });

    test("strict mode survives a failing widget with one panel, told once", async () => {
      /** @type {string[]} */
      const told = [];
      const props = {
        widgetData: dataOf("export default { render() { throw new Error('boom') } }"),
        websocket: openSocket(),
        onError: (/** @type {WidgetFailure} */ { stage, message }) => told.push(`${stage}: ${message}`),
      };
      await render(createElement(StrictMode, null, widget(props)));
      await until(() => told.length > 0);
      await settle();
      assert.deepEqual(told, ["render: boom"]);
      assert.equal(container.querySelectorAll("[role=alert]").length, 1);
    });

    test("a parent that renders again, with props made anew, costs the widget nothing", async () => {
      const websocket = openSocket();
      await render(widget({ widgetData: dataOf(logging("a")), websocket, className: "x" }));
      await shows("a 0");
      const view = find(".rdit-widget");
      await render(widget({ widgetData: dataOf(logging("a")), websocket, className: "y" }));
      await settle();
      assert.equal(find(".rdit-widget"), view);
      assert.ok(find(".y"));
      assert.deepEqual(probe.log, ["a initialize", "a render"]);
    });

    test("follows another widget id", async () => {
      const websocket = openSocket();
      await render(widget({ widgetData: dataOf(logging("a")), websocket }));
      await shows("a 0");
      await render(widget({ widgetData: dataOf(logging("b"), { widget_id: "w2", model: { value: 5 } }), websocket }));
      await shows("b 5");
      websocket.push("w1", "value", 1);
      assert.deepEqual(probe.log, ["a initialize", "a render", "a cleanup", "b initialize", "b render"]);
    });

    test("follows another connection", async () => {
      const [one, two] = [openSocket(), openSocket()];
      await render(widget({ widgetData: dataOf(COUNTER), websocket: one }));
      await shows("Count: 0");
      await render(widget({ widgetData: dataOf(COUNTER, { model: { value: 3 } }), websocket: two }));
      await shows("Count: 3");
      one.push("w1", "value", 8);
      find("button").click();
      assert.deepEqual([one.updates, two.updates], [[], [["w1", "value", 4]]]);
    });

    test("follows changed code, with the state as it is", async () => {
      const websocket = openSocket();
      await render(widget({ widgetData: dataOf(logging("old")), websocket }));
      await shows("old 0");
      websocket.push("w1", "value", 2);
      await render(widget({ widgetData: dataOf(logging("new")), websocket }));
      await shows("new 2");
      assert.deepEqual(probe.log, [
        "old initialize",
        "old render",
        "old hears 2",
        "old cleanup",
        "old end",
        "new initialize",
        "new render",
      ]);
    });

    test("follows a changed address of the code", async () => {
      const websocket = openSocket();
      const texts = { "http://test/esm/1.js": logging("one"), "http://test/esm/2.js": logging("two") };
      const { importModule } = fakeImports(texts);
      const at = (/** @type {string} */ esm_url) =>
        widget({ widgetData: { widget_id: "w1", esm_url, model: { value: 0 } }, websocket, importModule });
      await render(at("esm/1.js"));
      await shows("one 0");
      await render(at("esm/2.js"));
      await shows("two 0");
    });

    test("two components of one widget follow changed code together", async () => {
      const websocket = openSocket();
      const both = (/** @type {string} */ name) => [
        widget({ key: 1, widgetData: dataOf(logging(name)), websocket }),
        widget({ key: 2, widgetData: dataOf(logging(name)), websocket }),
      ];
      await render(both("old"));
      await shows("old 0old 0");
      await render(both("new"));
      await shows("new 0new 0");
      assert.equal(probe.log.filter((/** @type {string} */ line) => line === "new initialize").length, 1);
    });

    test("follows changed style, and takes it away in the end", async () => {
      const websocket = openSocket();
      const sheets = () => [...page.document.querySelectorAll("style")].map((style) => style.textContent);
      await render(widget({ widgetData: dataOf(COUNTER, { css: ".a {}" }), websocket }));
      await until(() => sheets().join() === ".a {}");
      await render(widget({ widgetData: dataOf(COUNTER, { css: ".b {}" }), websocket }));
      await until(() => sheets().join() === ".b {}");
      await render(widget({ widgetData: dataOf(COUNTER, { css: null }), websocket }));
      await until(() => sheets().length === 0);
    });

    test("unmounting ends its view and its listeners, and leaves the model to others", async () => {
      const websocket = openSocket();
      const a = widget({ key: "a", widgetData: dataOf(logging("a")), websocket });
      const other = page.document.body.appendChild(page.document.createElement("div"));
      await render([a]);
      await shows("a 0");
      const view = await renderWidget({ widgetData: dataOf(logging("a")), el: other, websocket });
      assert.equal(other.textContent, "a 0");
      await render([]);
      assert.equal(container.innerHTML, "");
      websocket.push("w1", "value", 1);
      assert.equal(other.textContent, "a 1");
      assert.deepEqual(probe.log.slice(3), ["a cleanup", "a hears 1"]);
      // It comes back to the widget as it is now.
      await render([a]);
      await shows("a 1");
      await view.dispose();
      other.remove();
    });

    test("unmounted while the widget's module loads, it shows nothing and complains of nothing", async () => {
      /** @type {(module: any) => void} */
      let load = () => {};
      const slow = () => new Promise((resolve) => (load = resolve));
      /** @type {WidgetFailure[]} */
      const told = [];
      const props = { importModule: slow, onError: (/** @type {WidgetFailure} */ failure) => told.push(failure) };
      await render(widget({ widgetData: dataOf(COUNTER), websocket: openSocket(), ...props }));
      await render(null);
      load({ default: { render: () => probe.log.push("rendered") } });
      await settle();
      assert.deepEqual([probe.log, told, lines.error, container.innerHTML], [[], [], [], ""]);
    });

    test("shows a failure in its place, tells the latest onError, and recovers with other code", async () => {
      const websocket = openSocket();
      /** @type {string[]} */
      const told = [];
      const bad = dataOf("await globalThis.probe.gate; export default { render() { throw new Error('boom') } }");
      const gate = makeGate();
      probe.gate = gate.promise;
      await render(widget({ widgetData: bad, websocket, onError: () => told.push("old") }));
      await render(
        widget({
          widgetData: bad,
          websocket,
          onError: (/** @type {WidgetFailure} */ failure) => told.push(`${failure.widgetId} ${failure.stage}`),
        }),
      );
      gate.resolve();
      await until(() => told.length > 0);
      assert.deepEqual(told, ["w1 render"]);
      assert.match(find("[role=alert]").textContent, /boom/);
      assert.deepEqual(lines.error, []);
      await render(widget({ widgetData: dataOf(COUNTER), websocket }));
      await shows("Count: 0");
    });

    test("without onError a failure goes to the console; an onError that throws does too", async () => {
      const websocket = openSocket();
      const bad = dataOf("export default { render() { throw new Error('boom') } }");
      await render(widget({ widgetData: bad, websocket }));
      await until(() => lines.error.length > 0);
      assert.match(lines.error[0], /Widget w1 failed \(render\).*boom/);
      const onError = () => {
        throw new Error("mine");
      };
      await render(widget({ widgetData: { ...bad, widget_id: "w2" }, websocket, onError }));
      await until(() => lines.error.length > 1);
      assert.match(lines.error[1], /onError failed.*mine/);
      assert.match(find("[role=alert]").textContent, /w2.*boom/);
    });

    test("what is no connection at all is a failure like others", async () => {
      /** @type {string[]} */
      const told = [];
      const onError = (/** @type {WidgetFailure} */ { stage }) => told.push(stage);
      const wrong = widget({ widgetData: dataOf(COUNTER), websocket: "ws://test/ws/widgets", onError });
      await render(createElement(StrictMode, null, wrong));
      await until(() => told.length > 0);
      await settle();
      assert.deepEqual(told, ["open"]);
      assert.match(find("[role=alert]").textContent, /w1 failed \(open\)/);
      await render(createElement(StrictMode, null, widget({ widgetData: dataOf(COUNTER), websocket: null, onError })));
      assert.equal(container.textContent, "");
    });

    test("shows nothing until there are a widget and a connection", async () => {
      const websocket = openSocket();
      await render(widget({ widgetData: null, websocket: null }));
      assert.equal(container.innerHTML, '<div class="widget-container"><div></div></div>');
      await render(widget({ widgetData: dataOf(COUNTER), websocket: null }));
      await render(widget({ widgetData: dataOf(COUNTER), websocket }));
      await shows("Count: 0");
      await render(widget({ widgetData: null, websocket }));
      assert.equal(container.textContent, "");
      assert.deepEqual(lines.error, []);
    });

    test("after another run new data of the same widget shows its new model; the old data does not", async () => {
      const websocket = openSocket();
      const old = dataOf(COUNTER);
      await render(widget({ widgetData: { ...old }, websocket }));
      await render(widget({ widgetData: old, websocket }));
      await shows("Count: 0");
      connectionOver(websocket).renew();
      await shows("");
      await render(widget({ widgetData: old, websocket }));
      await settle();
      assert.equal(container.textContent, "");
      await render(widget({ widgetData: dataOf(COUNTER, { model: { value: 6 } }), websocket }));
      await shows("Count: 6");
    });

    test("what Python closed in rdit/1 is gone without complaint, and comes back when Python opens it again", async () => {
      const { connection, socket, clock } = openConnection();
      socket.welcome({ w1: { value: 4 } });
      await render(widget({ widgetData: dataOf(COUNTER), connection }));
      await shows("Count: 4");
      socket.sync({ close: [["w1", 40]] });
      await shows("");
      await render(widget({ widgetData: dataOf(COUNTER), connection }));
      clock.advance(CHILD_WAIT_MS);
      await settle();
      assert.equal(container.textContent, "");
      socket.sync({ open: [opened("w1", { value: 5 }, 60)], rev: 61 });
      await shows("Count: 5");
      assert.deepEqual(lines.error, []);
    });

    test("ref, className, style and other attributes are the container's", async () => {
      const ref = React.createRef();
      const props = { ref, className: "mine", style: { color: "red" }, id: "it", "data-x": "1" };
      await render(widget({ widgetData: dataOf(COUNTER), websocket: openSocket(), ...props }));
      await shows("Count: 0");
      const el = /** @type {HTMLElement} */ (container.firstElementChild);
      assert.equal(ref.current, el);
      assert.deepEqual(
        [el.className, el.style.color, el.id, el.getAttribute("data-x")],
        ["widget-container mine", "red", "it", "1"],
      );
      await render(null);
      assert.equal(ref.current, null);
    });

    test("renders on a server as an empty container, without a document, and is filled when hydrated", async (t) => {
      const element = widget({ widgetData: dataOf(COUNTER, { css: ".a {}" }), websocket: openSocket() });
      const forbidden = () => assert.fail("a server has no document");
      for (const name of Object.keys(BROWSER)) {
        Object.defineProperty(globalThis, name, { get: forbidden, configurable: true });
      }
      t.after(putBrowser);
      const html = renderToString(element);
      putBrowser();
      assert.equal(html, '<div class="widget-container"><div></div></div>');
      container = page.document.body.appendChild(page.document.createElement("main"));
      container.innerHTML = html;
      root = await React.act(() => hydrateRoot(container, element));
      await shows("Count: 0");
      assert.deepEqual(lines.error, []);
    });
  });
}

function makeGate() {
  /** @type {any} */
  const gate = {};
  gate.promise = new Promise((resolve) => (gate.resolve = resolve));
  return gate;
}

test("react.js brings the component on the React that can be imported by name", async () => {
  const module = await import("../react.js");
  assert.equal(module.createWidgetRenderer, createWidgetRenderer);
  assert.equal(/** @type {any} */ (module.WidgetRenderer).render.name, "WidgetRenderer");
});

test("nothing else of the client needs React", () => {
  /** @type {Set<string>} */
  const seen = new Set();
  /** @param {string} name */
  function visit(name) {
    if (seen.has(name)) return;
    seen.add(name);
    const text = readFileSync(new URL(`../${name}`, import.meta.url), "utf-8");
    for (const [, from] of text.matchAll(/^(?:import|export) [^;]*?from "([^"]+)";/gms)) {
      assert.match(from, /^\.\//, `${name} imports ${from}`);
      visit(from.slice(2));
    }
  }
  for (const name of ["index.js", "page.js", "widget_renderer.js"]) visit(name);
  assert.ok(seen.has("host.js"));
});

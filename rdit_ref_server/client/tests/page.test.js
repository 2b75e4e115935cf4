import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { afterEach, beforeEach, describe, test } from "node:test";

import { BACKOFF_BASE_MS, connect } from "../connection.js";
import { BUSY_AFTER_MS, DONE_GRACE_MS, IDLE_AFTER_MS, STREAM_RETRY_MS, startPage } from "../page.js";
import { ANNOUNCED_EVERY_MS, SHOWN_AFTER_MS, durationText } from "../progress.js";
import { MAX_NOTICES, SAID_MS } from "../results.js";
import { captureConsole, fakeClock, fakeImports, fakeNetwork, fakePage, opened, settle } from "./fakes.js";

const HTML = readFileSync(new URL("../index.html", import.meta.url), "utf-8");
const CSS = readFileSync(new URL("../page.css", import.meta.url), "utf-8");

/** @type {ReturnType<typeof makeWorld>} */
let world;
beforeEach(() => {
  world = makeWorld();
});
afterEach(() => {
  world.page.connection.close();
  world.dom.window.close();
});

/** @param {string} [mark] an attribute of the page */
function makeWorld(mark = "") {
  const { dom, window, document } = fakePage(HTML.replace("data-rdit-page", mark).replace(/<(script|link)[^>]*>/g, ""));
  const network = fakeNetwork();
  const clock = fakeClock();
  Object.assign(window, { setTimeout: clock.setTimeout, clearTimeout: clock.clearTimeout });
  Object.defineProperty(document, "visibilityState", { value: "visible" });
  /** @type {FakeEventSource[]} */
  const streams = [];
  /** @type {[string, any][]} */
  const requests = [];
  /** @type {{ status: number | null, body: any }} */
  const answer = { status: 200, body: { script: "/home/me/analysis.py", state: "idle", version: "1.2.3" } };
  const imports = fakeImports({
    "http://test/prefix/esm/ok.js": "export default { render({ model, el }) { el.textContent = model.get('n') } }",
    "http://test/prefix/esm/bad.js": "export default { render() { throw new Error('boom') } }",
    "http://test/prefix/esm/slow.js": "export default { render: () => globalThis.pageGate }",
  });

  class FakeEventSource extends EventTarget {
    isClosed = false;
    /** @param {string} url */
    constructor(url) {
      super();
      this.url = url;
      streams.push(this);
    }
    close() {
      this.isClosed = true;
    }
    open() {
      this.dispatchEvent(new Event("open"));
    }
    /** @param {string} kind @param {number} id @param {object} [fields] */
    say(kind, id, fields = {}) {
      const data = JSON.stringify({ id, kind, statement: null, ...fields });
      this.dispatchEvent(new MessageEvent(kind, { data, lastEventId: String(id) }));
    }
    end() {
      this.dispatchEvent(new Event("error"));
    }
  }

  /** @type {any} */
  const fetch = async (/** @type {string} */ url, /** @type {any} */ init) => {
    requests.push([url, init?.method ?? "GET"]);
    const { status } = answer;
    if (status === null) throw new TypeError("nobody there");
    return { ok: status < 400, status, json: async () => answer.body };
  };
  const page = startPage({
    window,
    connect: (url, options) =>
      connect(url, {
        ...options,
        WebSocket: network.WebSocket,
        setTimeout: clock.setTimeout,
        clearTimeout: clock.clearTimeout,
        now: clock.now,
        random: () => 1,
        window: null,
        document: null,
        fetch,
      }),
    EventSource: FakeEventSource,
    fetch,
    importModule: imports.importModule,
    now: clock.now,
  });
  const html = document.documentElement;
  /** @param {string} id */
  const byId = (id) => /** @type {any} */ (document.getElementById(id));
  return {
    dom,
    window: /** @type {any} */ (window),
    document,
    network,
    clock,
    streams,
    requests,
    answer,
    page,
    byId,
    get stream() {
      return /** @type {FakeEventSource} */ (streams.at(-1));
    },
    get state() {
      return html.getAttribute("data-rdit-state");
    },
    get isIdle() {
      return html.hasAttribute("data-rdit-idle");
    },
    get text() {
      return byId("rdit-outputs").textContent;
    },
    notices: () => [...document.querySelectorAll(".rdit-notice span")].map((el) => el.textContent),
    /** The socket is accepted and the stream answers. */
    start() {
      network.last.accept();
      streams.at(-1)?.open();
    },
    /** @param {number} id @param {string} text */
    print(id, text) {
      streams.at(-1)?.say("stream", id, { statement: 1, name: "stdout", text });
    },
    /** @param {number} n @param {string} kind @param {object} [fields] */
    output(n, kind, fields = {}) {
      network.last.say({ type: "output", n, event: { id: n, kind, statement: 1, ...fields } });
    },
    /** @param {number} id @param {string} [status] */
    finish(id, status = "ok") {
      streams.at(-1)?.say("done", id, { status });
      streams.at(-1)?.end();
    },
  };
}

const widget = (/** @type {string} */ name, id = "1.1") => ({
  statement: 1,
  widget_id: id,
  esm_url: `esm/${name}.js`,
  css: null,
  model: { n: 7 },
});

describe("the run", () => {
  test("the stream opens when the socket is live, both relative to the page", () => {
    assert.equal(world.state, "connecting");
    assert.equal(world.network.last.url, "ws://test/prefix/ws/widgets?output=1");
    assert.equal(world.streams.length, 0);
    world.network.last.accept();
    assert.equal(world.state, "live");
    assert.deepEqual(world.stream.url, "http://test/prefix/api/execute?esm=url");
  });

  test("events are shown once, in order", () => {
    world.start();
    world.print(1, "a\n");
    world.print(2, "b\n");
    world.print(2, "b\n");
    world.print(1, "a\n");
    assert.equal(world.text, "a\nb\n");
  });

  test("done and the end of the stream make the page idle", () => {
    world.start();
    assert.equal(world.byId("rdit-run").textContent, "");
    world.print(1, "a");
    assert.equal(world.byId("rdit-run").textContent, "Running");
    assert.equal(world.byId("rdit-interrupt").hidden, false);
    assert.equal(world.isIdle, false);
    world.stream.say("done", 2, { status: "ok" });
    assert.equal(world.isIdle, false);
    world.stream.end();
    assert.equal(world.isIdle, true);
    assert.equal(world.stream.isClosed, true);
    assert.equal(world.byId("rdit-run").textContent, "Ready");
    assert.equal(world.byId("rdit-interrupt").hidden, true);
    world.clock.advance(60_000);
    assert.equal(world.streams.length, 1);
  });

  test("a stream that stays open after done is closed after a while", () => {
    world.start();
    world.stream.say("done", 1, { status: "error" });
    world.clock.advance(DONE_GRACE_MS);
    assert.equal(world.stream.isClosed, true);
    assert.equal(world.isIdle, true);
    assert.equal(world.byId("rdit-run").textContent, "Stopped by an error");
  });

  test("output that comes behind done on the stream is shown", () => {
    world.start();
    world.print(1, "a\n");
    world.stream.say("done", 2, { status: "ok" });
    world.print(3, "later\n");
    world.stream.end();
    assert.equal(world.text, "a\nlater\n");
    assert.equal(world.byId("rdit-run").textContent, "Ready");
  });

  test("output on the socket before the stream is done is held, and nothing is shown twice", () => {
    world.start();
    world.output(4, "stream", { name: "stdout", text: "4\n" });
    world.output(3, "stream", { name: "stdout", text: "3\n" });
    world.print(1, "1\n");
    world.stream.say("done", 2, { status: "ok" });
    world.print(3, "3\n");
    assert.equal(world.text, "1\n3\n");
    world.stream.end();
    assert.equal(world.text, "1\n3\n4\n");
    world.output(4, "stream", { name: "stdout", text: "4\n" });
    world.output(5, "stream", { name: "stdout", text: "5\n" });
    assert.equal(world.text, "1\n3\n4\n5\n");
  });

  test("what the socket left out is asked of the stream, once, and nothing is shown twice", () => {
    world.start();
    world.print(1, "1\n");
    world.finish(2);
    world.output(3, "stream", { name: "stdout", text: "3\n" });
    world.output(7, "stream", { name: "stdout", text: "7\n" });
    assert.equal(world.isIdle, false);
    assert.match(world.stream.url, /after=3/);
    world.output(8, "stream", { name: "stdout", text: "8\n" });
    world.stream.open();
    world.print(5, "5\n");
    world.stream.end();
    const count = world.streams.length;
    assert.equal(world.text, "1\n3\n5\n7\n8\n");
    assert.equal(world.isIdle, true);
    world.output(9, "stream", { name: "stdout", text: "9\n" });
    assert.equal(world.text, "1\n3\n5\n7\n8\n9\n");
    assert.equal(world.streams.length, count);
  });

  test("where each page load has its own kernel, everything that the page asks for says which", async () => {
    world = makeWorld('data-rdit-kernel="key"');
    world.start();
    world.finish(1);
    world.byId("rdit-restart").click();
    await settle();
    const asked = [world.network.last.url, world.stream.url, ...world.requests.map(([url]) => url)];
    assert.ok(asked.length >= 4);
    for (const url of asked) assert.equal(new URL(url).searchParams.get("kernel"), "key", url);
  });

  test("a Python error called error on the stream is no end of the stream", () => {
    world.start();
    world.stream.say("error", 1, { statement: 1, ename: "KeyError", evalue: "'x'", traceback: "Traceback" });
    assert.match(world.text, /KeyError: 'x'/);
    assert.equal(world.stream.isClosed, false);
  });

  test("a stream that breaks off before done is opened again behind the last event", () => {
    world.start();
    world.print(3, "a");
    world.stream.end();
    assert.equal(world.streams[0].isClosed, true);
    world.clock.advance(STREAM_RETRY_MS);
    assert.equal(world.stream.url, "http://test/prefix/api/execute?esm=url&after=3");
    world.streams[0].say("stream", 4, { statement: 1, name: "stdout", text: "old" });
    assert.equal(world.text, "a");
  });

  test("after a reconnect the stream is opened again, and may have nothing to say", () => {
    world.start();
    world.print(1, "a");
    world.finish(2);
    world.network.last.drop();
    assert.equal(world.state, "offline");
    assert.equal(world.isIdle, false);
    world.clock.advance(BACKOFF_BASE_MS);
    world.start();
    assert.equal(world.stream.url, "http://test/prefix/api/execute?esm=url&after=2");
    assert.equal(world.isIdle, false);
    world.stream.end();
    assert.equal(world.isIdle, true);
    assert.equal(world.byId("rdit-run").textContent, "Ready");
  });

  test("a done that was seen already settles a stream as well", () => {
    world.start();
    world.finish(2);
    world.network.last.drop();
    world.clock.advance(BACKOFF_BASE_MS);
    world.start();
    world.finish(2);
    assert.equal(world.isIdle, true);
  });

  test("a stream that does not even open is asked again", () => {
    world.start();
    world.finish(2);
    world.network.last.drop();
    world.clock.advance(BACKOFF_BASE_MS);
    world.network.last.accept();
    world.stream.end();
    assert.equal(world.isIdle, false);
    world.clock.advance(STREAM_RETRY_MS);
    assert.equal(world.streams.length, 3);
  });

  test("a script that shows nothing says so, when it is done", () => {
    world.start();
    world.stream.say("statement", 1, { statement: 1, source: "x = 1", lineno: 1, end_lineno: 1 });
    assert.equal(world.byId("rdit-empty").hidden, true);
    world.finish(2);
    assert.equal(world.byId("rdit-empty").hidden, false);
  });
});

describe("reset", () => {
  for (const how of ["on the stream", "on the socket"]) {
    test(`${how}: the page is cleared, models close, and the new run is shown`, async () => {
      world.start();
      world.stream.say("widget", 1, widget("ok"));
      await settle();
      const model = world.page.connection.model("1.1");
      if (how === "on the socket") {
        world.finish(2);
        world.output(3, "reset");
      } else {
        world.stream.say("reset", 3);
      }
      assert.equal(world.text, "");
      assert.equal(model?.signal.aborted, true);
      assert.equal(world.isIdle, false);
      assert.equal(world.network.sockets.length, 2);
      world.start();
      assert.equal(world.stream.url, "http://test/prefix/api/execute?esm=url&after=3");
      world.stream.say("widget", 4, widget("ok"));
      world.finish(5);
      await settle();
      assert.equal(world.text, "7");
      assert.equal(world.isIdle, true);
    });
  }

  test("from the click on restart until the new run is done the page is not idle", async () => {
    world.start();
    world.print(1, "old");
    world.finish(2);
    assert.equal(world.isIdle, true);
    world.byId("rdit-restart").click();
    assert.equal(world.isIdle, false);
    await settle();
    assert.equal(world.isIdle, false);
    world.output(3, "reset");
    world.start();
    world.finish(4);
    assert.equal(world.isIdle, true);
    world.answer.status = 500;
    world.byId("rdit-restart").click();
    await settle();
    assert.equal(world.isIdle, true);
  });

  test("a run that a saved file caused says which file it was, until the reader restarts the script", async () => {
    world.start();
    world.print(1, "old");
    world.finish(2);
    world.output(3, "reset", { changed: ["notebook.py", "helper.py"] });
    world.start();
    world.print(4, "new");
    world.finish(5);
    const texts = () => [...world.byId("rdit-notices").children].map((one) => one.firstChild.textContent);
    assert.deepEqual(texts(), ["Saved: notebook.py, helper.py. This is a new run of the script."]);
    world.output(6, "reset", { changed: ["notebook.py"] });
    assert.deepEqual(texts(), ["Saved: notebook.py. This is a new run of the script."]);
    world.start();
    world.finish(7);
    world.byId("rdit-restart").click();
    await settle();
    world.output(8, "reset");
    assert.deepEqual(texts(), []);
  });

  test("a page that comes later says nothing of a file that was saved before", () => {
    world.start();
    world.stream.say("reset", 5, { changed: ["notebook.py"] });
    world.print(6, "a");
    assert.equal(world.byId("rdit-notices").childElementCount, 0);
  });

  test("the reset at the head of a fresh page's stream costs nothing", () => {
    world.start();
    world.stream.say("reset", 5);
    world.print(6, "a");
    assert.equal(world.network.sockets.length, 1);
    assert.equal(world.text, "a");
  });

  test("a server that was started anew resets with an id of its own count", () => {
    world.start();
    world.print(50, "old");
    world.finish(51);
    world.network.last.drop();
    world.clock.advance(BACKOFF_BASE_MS);
    world.start();
    world.stream.say("reset", 0);
    world.start();
    assert.equal(world.stream.url, "http://test/prefix/api/execute?esm=url");
    world.print(1, "new");
    world.finish(2);
    assert.equal(world.text, "new");
    assert.equal(world.isIdle, true);
  });

  test("output of the old run that was held is forgotten, a widget still rendering does not count", async () => {
    /** @type {any} */ (globalThis).pageGate = new Promise(() => {});
    world.start();
    world.output(3, "stream", { name: "stdout", text: "old" });
    world.stream.say("widget", 1, widget("slow"));
    await settle();
    world.stream.say("reset", 4);
    world.start();
    world.print(5, "new");
    world.finish(6);
    assert.equal(world.text, "new");
    assert.equal(world.isIdle, true);
  });
});

describe("widgets", () => {
  test("a widget is rendered, and idle waits for it and for its edits", async () => {
    world.start();
    world.stream.say("widget", 1, widget("ok"));
    world.finish(2);
    assert.equal(world.isIdle, false);
    await settle();
    assert.equal(world.isIdle, true);
    assert.equal(world.document.querySelector("[data-widget-id='1.1']")?.textContent, "7");
    world.page.connection.sendUpdate("1.1", "n", 8);
    assert.equal(world.isIdle, false);
    assert.equal(world.byId("rdit-run").textContent, "Ready");
    world.clock.advance(BUSY_AFTER_MS);
    assert.equal(world.byId("rdit-run").textContent, "Busy");
    world.network.last.ack("1.1", "n");
    world.clock.advance(IDLE_AFTER_MS);
    assert.equal(world.isIdle, true);
    world.clock.advance(BUSY_AFTER_MS);
    assert.equal(world.byId("rdit-run").textContent, "Ready");
  });

  test("a widget that fails is shown, collected, and does not keep the page from being idle", async (t) => {
    captureConsole(t);
    world.start();
    world.stream.say("widget", 1, widget("bad"));
    world.stream.say("widget", 2, widget("none", "1.2"));
    world.stream.say("widget", 3, widget("ok", "1.3"));
    world.finish(4);
    await settle();
    assert.equal(world.isIdle, true);
    assert.equal(world.document.querySelectorAll("[data-widget-id] .rdit-error").length, 2);
    assert.deepEqual(
      world.window.__rditErrors.map((/** @type {any} */ { stage }) => stage).sort(),
      ["import", "render"],
    );
    assert.equal(world.document.querySelector("[data-widget-id='1.3']")?.textContent, "7");
  });

  test("a value pushed before the widget is shown is not lost", async () => {
    world.start();
    world.network.last.push("1.1", "n", 9);
    world.stream.say("widget", 1, widget("ok"));
    await settle();
    assert.equal(world.document.querySelector("[data-widget-id='1.1']")?.textContent, "9");
  });

  test("a refused edit is a notice, as text [threat 22]", () => {
    world.start();
    world.page.connection.sendUpdate("1.1", "n", 8);
    const refusal = { type: "error", widget_id: "1.1", property: "n", code: "read_only", message: "<b>no</b>" };
    world.network.last.say(refusal);
    assert.deepEqual(world.notices(), ["Python refused an edit of n in widget 1.1: <b>no</b> (read_only)"]);
    const notice = /** @type {any} */ (world.document.querySelector(".rdit-notice"));
    assert.equal(notice.parentElement.getAttribute("aria-live"), "polite");
    notice.querySelector("button").click();
    assert.deepEqual(world.notices(), []);
  });

  test("a property that Python does not have is told of once per run, however often a widget saves it [afm 33]", () => {
    world.start();
    const refusal = { type: "error", code: "unknown_property", message: "no", widget_id: "1.1" };
    const dismiss = () => /** @type {any} */ (world.document.querySelector(".rdit-notice button"))?.click();
    for (const property of ["extra", "extra", "other"]) {
      world.page.connection.sendUpdate("1.1", property, 8);
      world.network.last.say({ ...refusal, property });
      if (property === "extra") dismiss();
    }
    assert.deepEqual(world.notices(), ["Python refused an edit of other in widget 1.1: no (unknown_property)"]);
  });

  test("a property that the server's text names is not named twice", () => {
    world.start();
    const message = "Property 'size' of widget 1.1: it is read-only";
    world.network.last.say({ type: "error", widget_id: "1.1", property: "size", code: "read_only", message });
    assert.deepEqual(world.notices(), [`Python refused an edit: ${message} (read_only)`]);
  });

  test("an edit that cannot be delivered any more, or a value that cannot be read, is no refusal", () => {
    world.start();
    world.page.connection.open({ widget_id: "1.1", model: {} });
    world.network.last.push("1.1", "n", { $b64: "%" });
    world.page.connection.sendUpdate("1.1", "n", 1);
    world.network.last.drop(4500, "no longer");
    assert.match(world.notices()[0] ?? "", /\(bad_message\)$/);
    assert.equal(world.notices()[1], "Not delivered: an edit of n in widget 1.1. no longer");
  });

  test("what the page's policy kept a widget from is a notice that says what to do, once", () => {
    /** @param {string} blockedURI @param {string} effectiveDirective */
    const violate = (blockedURI, effectiveDirective) =>
      world.document.dispatchEvent(
        Object.assign(new world.window.Event("securitypolicyviolation"), { blockedURI, effectiveDirective }),
      );
    violate("eval", "script-src");
    violate("eval", "script-src");
    violate("https://esm.sh/vega@6?deps=a", "script-src-elem");
    violate("https://tiles.example.org/1/2.png", "img-src");
    violate("inline", "script-src-attr");
    assert.equal(world.notices().length, 3);
    assert.match(world.notices()[0] ?? "", /start the server with --allow-eval$/);
    assert.match(world.notices()[1] ?? "", /load code from https:\/\/esm\.sh, which/);
    assert.match(world.notices()[2] ?? "", /load data from https:\/\/tiles\.example\.org, which/);
  });

  test("notices are bounded, and the same one is not repeated", () => {
    world.start();
    for (let i = 0; i < 2 * MAX_NOTICES; i += 1) {
      for (let again = 0; again < 2; again += 1) {
        world.network.last.say({ type: "error", widget_id: "1.1", property: `p${i}`, code: "read_only", message: "no" });
      }
    }
    assert.equal(world.notices().length, MAX_NOTICES);
    assert.match(world.notices()[MAX_NOTICES - 1] ?? "", /p9/);
  });

  test("a notice that is told again is the latest again, and dismissing one leads to the next", () => {
    world.start();
    for (const property of ["a", "b", "a"]) {
      world.network.last.say({ type: "error", widget_id: "1.1", property, code: "read_only", message: "no" });
    }
    const [b, a] = world.notices();
    assert.equal(world.notices().length, 2);
    assert.match(b ?? "", /of b /);
    assert.match(a ?? "", /of a /);
    const [first, second] = /** @type {any} */ (world.document.querySelectorAll(".rdit-notice button"));
    assert.equal(first.getAttribute("aria-label"), `Dismiss: ${b}`);
    first.click();
    assert.equal(world.document.activeElement, second);
  });

  test("a widget that sends a custom message is a notice, a listener that throws an error", async (t) => {
    captureConsole(t);
    world.start();
    world.stream.say("widget", 1, widget("ok"));
    await settle();
    const model = world.page.connection.model("1.1");
    model?.send({});
    assert.match(world.notices()[0] ?? "", /1\.1.*no custom messages/);
    model?.on("change:n", () => {
      throw new Error("broken listener");
    });
    world.network.last.push("1.1", "n", 1);
    assert.deepEqual(world.window.__rditErrors, [{ stage: "listener", message: "broken listener" }]);
  });

  test("errors of the page itself are collected", () => {
    const { window } = world;
    window.dispatchEvent(Object.assign(new window.Event("error"), { error: new Error("one"), message: "x" }));
    window.dispatchEvent(Object.assign(new window.Event("unhandledrejection"), { reason: new Error("two") }));
    assert.deepEqual(window.__rditErrors, [
      { stage: "page", message: "one" },
      { stage: "promise", message: "two" },
    ]);
  });
});

describe("rdit/1", () => {
  /** @param {object} [welcome] @param {Record<string, Record<string, unknown>>} [widgets] */
  function startV1(welcome = {}, widgets = { 1.1: { n: 7 } }) {
    world.network.last.welcome(widgets, welcome);
    world.stream.open();
  }

  test("a widget is shown with the server's state, and idle waits for its edits", async () => {
    startV1({}, { 1.1: { n: 8 } });
    world.stream.say("widget", 1, widget("ok"));
    world.finish(2);
    await settle();
    assert.equal(world.text, "8");
    assert.equal(world.isIdle, true);
    world.page.connection.sendUpdate("1.1", "n", 9);
    assert.equal(world.isIdle, false);
    world.network.last.sync({ ack: 1, changes: [["1.1", 40, "n", 9, 60]] });
    world.clock.advance(IDLE_AFTER_MS);
    assert.equal(world.isIdle, true);
  });

  test("edits that follow each other at once mark the page as busy once, and an edit at the end of a row counts", async () => {
    startV1({}, { 1.1: { n: 8 } });
    world.stream.say("widget", 1, widget("ok"));
    world.finish(2);
    await settle();
    /** @type {boolean[]} */
    const marks = [];
    const html = world.document.documentElement;
    const { toggleAttribute } = html;
    html.toggleAttribute = (name, force) => {
      marks.push(Boolean(force));
      return toggleAttribute.call(html, name, force);
    };
    for (let n = 1; n <= 10; n += 1) {
      world.page.connection.sendUpdate("1.1", "n", n);
      assert.equal(world.isIdle, false);
      world.network.last.sync({ ack: n, changes: [["1.1", 40, "n", n, 60 + n]] });
    }
    world.page.connection.sendUpdate("1.1", "n", 11);
    world.clock.advance(IDLE_AFTER_MS);
    assert.deepEqual([world.isIdle, marks], [false, [false]]);
    world.network.last.sync({ ack: 11, changes: [["1.1", 40, "n", 11, 71]] });
    world.clock.advance(IDLE_AFTER_MS);
    assert.deepEqual([world.isIdle, marks], [true, [false, true]]);
  });

  test("a reset keeps the socket, ends the views, and shows the new run", async () => {
    startV1();
    world.stream.say("widget", 1, widget("ok"));
    world.finish(2);
    await settle();
    const model = world.page.connection.model("1.1");
    world.network.last.sync({ close: [["1.1", 40]] });
    world.output(3, "reset");
    assert.deepEqual([world.text, model?.signal.aborted, world.network.sockets.length], ["", true, 1]);
    world.stream.open();
    world.stream.say("widget", 4, widget("ok"));
    world.network.last.sync({ open: [{ ...opened("1.1", { n: 5 }, 60) }] });
    world.finish(5);
    await settle();
    assert.equal(world.text, "5");
    assert.equal(world.isIdle, true);
  });

  test("edits wait visibly while offline, and a restarted server is told with what became of them", async () => {
    startV1();
    world.stream.say("widget", 1, widget("ok"));
    world.finish(2);
    await settle();
    world.network.last.drop();
    const model = world.page.connection.model("1.1");
    model?.set("n", 9);
    model?.save_changes();
    assert.equal(world.byId("rdit-run").textContent, "Edits wait");
    world.clock.advance(BACKOFF_BASE_MS);
    startV1({ epoch: "e2" }, { 1.1: { n: 0 } });
    world.stream.say("reset", 0);
    world.stream.open();
    world.stream.say("widget", 1, widget("ok"));
    world.finish(2);
    await settle();
    assert.equal(world.text, "9");
    assert.deepEqual(world.notices(), [
      "The server was started anew; the page shows its state now. 1 unsaved edit was applied again.",
    ]);
    assert.deepEqual(world.network.last.messages.at(-1).ops[0].value, 9);
  });

  test("a server that goes away says so, until it is back", async () => {
    startV1();
    world.finish(1);
    await settle();
    world.network.last.drop(4000, "server_shutdown");
    assert.deepEqual(world.notices(), ["The server is going away. This page connects again when it is back."]);
    assert.equal(world.document.documentElement.getAttribute("data-rdit-state"), "offline");
    world.clock.advance(BACKOFF_BASE_MS);
    startV1({ epoch: "e2" }, {});
    assert.deepEqual(world.notices(), ["The server was started anew; the page shows its state now."]);
  });

  test("an edit that could not be kept is a notice, whatever the reason", () => {
    startV1();
    /** @type {[string, Partial<import("../model.js").Fault>, RegExp][]} */
    const cases = [
      ["dropped", { property: "n" }, /^Not kept: an edit of n in widget 1\.1\. why \(dropped\)$/],
      ["lost", {}, /^Not kept: a message of widget 1\.1\. why \(lost\)$/],
      ["delivery_unknown", {}, /^Perhaps not delivered: a message of widget 1\.1/],
      ["queue_full", {}, /^Not kept: a message/],
      ["conflict", { property: "n" }, /^Not kept: an edit of n .* had changed meanwhile/],
      ["observer_failed", { property: "n" }, /^Python took an edit of n/],
      ["handler_failed", {}, /^Python failed to handle a message/],
      ["too_large", { property: "n" }, /^Not kept: an edit of n/],
      ["bad_frame", {}, /cannot read/],
      ["lost_messages", {}, /^why \(lost_messages\)$/],
    ];
    for (const [code, more, pattern] of cases) {
      world.page.connection.report({ code, message: "why", widget_id: "1.1", ...more });
      assert.match(world.notices().at(-1) ?? "", pattern);
    }
    const count = world.notices().length;
    world.page.connection.report({ code: "dropped", message: "told in sum", property: "n", cause: "restart" });
    assert.equal(world.notices().length, count);
  });
});

describe("the header", () => {
  test("names the script", async () => {
    world.start();
    await settle();
    assert.equal(world.byId("rdit-script").textContent, "analysis.py");
    assert.equal(world.document.title, "analysis.py · rdit");
  });

  test("a status without a script, or none at all, changes nothing", async () => {
    world.answer.body = {};
    world.start();
    await settle();
    world.answer.status = null;
    world.network.last.drop();
    world.clock.advance(BACKOFF_BASE_MS);
    world.network.last.accept();
    await settle();
    assert.equal(world.byId("rdit-script").textContent, "rdit");
  });

  for (const [id, path] of [
    ["rdit-restart", "api/reset"],
    ["rdit-interrupt", "api/interrupt"],
  ]) {
    test(`${id} posts to ${path}, and says when that does not work`, async () => {
      world.start();
      await settle();
      world.byId(id).click();
      await settle();
      assert.deepEqual(world.requests.at(-1), [`http://test/prefix/${path}`, "POST"]);
      assert.deepEqual(world.notices(), []);
      world.answer.status = 500;
      world.byId(id).click();
      await settle();
      world.answer.status = null;
      world.byId(id).click();
      await settle();
      assert.equal(world.notices().length, 2);
    });
  }

  test("restart is there only while the page is live", () => {
    assert.equal(world.byId("rdit-restart").disabled, true);
    world.start();
    assert.equal(world.byId("rdit-restart").disabled, false);
  });

  test("the code button opens every source, also of statements to come", () => {
    world.start();
    world.stream.say("statement", 1, { statement: 1, source: "x = 1", lineno: 1, end_lineno: 1 });
    world.byId("rdit-code").click();
    world.stream.say("statement", 2, { statement: 2, source: "y = 1", lineno: 2, end_lineno: 2 });
    const open = () => [...world.document.querySelectorAll("details")].map((details) => details.open);
    assert.deepEqual(open(), [true, true]);
    assert.equal(world.byId("rdit-code").getAttribute("aria-pressed"), "true");
    world.byId("rdit-code").click();
    assert.deepEqual(open(), [false, false]);
  });
});

describe("failure", () => {
  test("a page without access says to open the printed address", async () => {
    world.answer.status = 401;
    world.network.last.drop(1006);
    await settle();
    assert.equal(world.state, "failed");
    assert.equal(world.byId("rdit-failure").hidden, false);
    assert.match(world.byId("rdit-failure").textContent, /open the address that it printed/);
    assert.equal(world.streams.length, 0);
  });

  test("a connection that ends for good says so", () => {
    world.start();
    world.network.last.drop(4504, "too many <b>pages</b>");
    assert.equal(world.state, "failed");
    assert.equal(world.isIdle, false);
    assert.match(world.byId("rdit-failure").textContent, /too many <b>pages<\/b>/);
    assert.equal(world.stream.isClosed, true);
  });
});

describe("a run that takes long", () => {
  /** @param {number} id @param {number} statement @param {object} [fields] */
  const begin = (id, statement, fields) =>
    world.stream.say("statement", id, { statement, source: "x", lineno: 1, total: 4, ...fields });
  const shown = () => (world.byId("rdit-progress").hidden ? null : world.byId("rdit-progress").textContent);
  const busy = () => [...world.document.querySelectorAll("[data-busy]")].map((el) => el.getAttribute("data-statement"));

  test("shows which statement of how many runs, and for how long", () => {
    world.start();
    begin(1, 1);
    begin(2, 2);
    assert.deepEqual([shown(), busy()], [null, []]);
    world.clock.advance(SHOWN_AFTER_MS);
    assert.deepEqual([shown(), busy()], ["Statement 2 of 4 · 0:00", ["2"]]);
    const bar = world.byId("rdit-progress-bar");
    assert.deepEqual(
      ["role", "aria-valuemin", "aria-valuenow", "aria-valuemax"].map((name) => bar.getAttribute(name)),
      ["progressbar", "0", "1", "4"],
    );
    assert.equal(world.document.querySelector("[data-busy]")?.getAttribute("aria-current"), "step");
    world.clock.advance(64_700);
    assert.equal(shown(), "Statement 2 of 4 · 1:05");
    begin(3, 3);
    assert.deepEqual([shown(), busy()], ["Statement 3 of 4 · 1:05", []]);
    world.clock.advance(SHOWN_AFTER_MS);
    assert.deepEqual(busy(), ["3"]);
    world.finish(4);
    assert.deepEqual([shown(), busy(), bar.hidden], [null, [], true]);
    assert.equal(world.document.querySelector("[aria-current]"), null);
  });

  test("of which a page hears late is known from the server", () => {
    world.start();
    begin(1, 1, { elapsed_s: 3700.2 });
    begin(2, 2, { elapsed_s: 3700.2 });
    assert.equal(shown(), "Statement 2 of 4 · 1:01:40");
  });

  test("of a number of statements that nobody knows shows how far it is all the same", () => {
    world.start();
    begin(1, 1, { total: undefined });
    world.clock.advance(SHOWN_AFTER_MS);
    assert.equal(shown(), "Statement 1 · 0:00");
    assert.equal(world.byId("rdit-progress-bar").hasAttribute("data-unknown"), true);
    assert.equal(world.byId("rdit-progress-bar").hasAttribute("aria-valuenow"), false);
  });

  test("is announced now and then, and what changes each second is no live region", () => {
    const said = world.byId("rdit-announce");
    world.start();
    begin(1, 1);
    world.clock.advance(ANNOUNCED_EVERY_MS - 1);
    assert.equal(said.textContent, "");
    world.clock.advance(1_001);
    assert.equal(said.textContent, "Still running: statement 1 of 4, 1 minute");
    world.clock.advance(ANNOUNCED_EVERY_MS);
    assert.equal(said.textContent, "Still running: statement 1 of 4, 2 minutes");
    assert.equal(world.byId("rdit-progress").closest("[aria-live], [role=status]"), null);
    assert.equal(world.byId("rdit-progress").getAttribute("role"), "timer");
  });

  test("says nothing while the page does not hear of it, nor after a reset", () => {
    world.start();
    begin(1, 1);
    world.clock.advance(5_000);
    world.network.last.drop();
    assert.deepEqual([shown(), busy()], [null, []]);
    world.clock.advance(BACKOFF_BASE_MS);
    world.start();
    assert.deepEqual([shown()?.slice(0, 16), busy()], ["Statement 1 of 4", ["1"]]);
    world.stream.say("reset", 9);
    assert.deepEqual([shown(), busy()], [null, []]);
  });

  test("durations read as clocks do", () => {
    assert.deepEqual([0, 5_999, 65_000, 3_600_000].map(durationText), ["0:00", "0:05", "1:05", "1:00:00"]);
  });
});

describe("a page that may see only", () => {
  /** A widget is shown, and the server refuses what it sends. @param {object} refused */
  async function refuse(refused) {
    world.page.connection.close();
    world.dom.window.close();
    world = makeWorld("data-rdit-read-only");
    world.start();
    world.stream.say("widget", 1, widget("ok"));
    world.finish(2);
    await settle();
    world.network.last.say({ type: "error", code: "read_only", message: "no", widget_id: "1.1", ...refused });
  }

  test("has no button that does nothing, and says what it is", async () => {
    await refuse({ property: "n" });
    assert.deepEqual([world.byId("rdit-restart").hidden, world.byId("rdit-interrupt").hidden], [true, true]);
    assert.equal(world.byId("rdit-read-only").textContent, "Read-only");
    assert.match(CSS, /\[data-rdit-read-only\] \.rdit-badge/);
  });

  test("says at the widget that an edit is not kept, for a while, and in no notice", async () => {
    await refuse({ property: "n" });
    const said = () => [...world.document.querySelectorAll(".rdit-widget-output > .rdit-said")].map((el) => el.textContent);
    assert.deepEqual(said(), ["Read-only page: this change was not kept"]);
    assert.equal(world.byId("rdit-announce").textContent, "Read-only page: this change was not kept");
    world.network.last.say({ type: "error", code: "read_only", message: "no", widget_id: "1.1" });
    assert.deepEqual(said(), ["Read-only page: Python was not told of this"]);
    assert.deepEqual(world.notices(), []);
    world.clock.advance(SAID_MS);
    assert.deepEqual(said(), []);
  });

  test("says it in a notice where the widget is not to be seen", async () => {
    await refuse({ property: "n", widget_id: "7.0" });
    assert.deepEqual(world.notices(), ["Read-only page: this change was not kept"]);
  });
});

describe("the files", () => {
  test("the page has landmarks, a heading, no inline script, and only relative addresses", () => {
    const { document } = fakePage(HTML);
    for (const landmark of ["header", "main", "h1", "aside[aria-live]"]) assert.ok(document.querySelector(landmark));
    for (const script of document.querySelectorAll("script")) assert.ok(script.getAttribute("src"));
    const addresses = [...document.querySelectorAll("[src], [href]")].map(
      (el) => el.getAttribute("src") ?? el.getAttribute("href") ?? "",
    );
    const folder = readdirSync(new URL("../", import.meta.url)).filter((name) => name.endsWith(".js"));
    // All modules are asked for at once: each level of imports would be another round trip.
    const forOthers = [
      "index.js",
      "react.js",
      "render.js",
      "static.js",
      "static_boot.js",
      "static_page.js",
      "widget_renderer.js",
    ];
    const modules = folder.filter((name) => name !== "page.js" && !forOthers.includes(name)).sort();
    const preloads = modules.map((name) => `client/${name}`);
    assert.deepEqual(addresses, ["data:,", "client/page.css", ...preloads, "client/page.js"]);
    assert.equal(/ on\w+=|style=/.test(HTML), false);
  });

  test("the style sheet loads nothing and knows both schemes", () => {
    assert.equal(/url\(|@import/.test(CSS), false);
    assert.ok(CSS.includes("prefers-color-scheme: dark"));
  });
});

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";

import { encodeBase64 } from "../binary.js";
import { encodeFrame } from "../frames.js";
import { startStaticPage } from "../static_page.js";
import { captureConsole, fakeImports, fakePage, opened, settle } from "./fakes.js";

const HTML = readFileSync(new URL("../static.html", import.meta.url), "utf-8");

const WIDGET = `export default {
  render({ model, el }) {
    el.textContent = "n is " + model.get("n");
    globalThis.staticModel = model;
  },
}`;

/** @param {unknown} value */
const json = (value) => JSON.stringify(value).replaceAll("<", "\\u003c");

/** A page as `rdit export` writes it. @param {any[]} events @param {Record<string, Record<string, unknown>>} [widgets] */
function page(events, widgets = {}, esm = WIDGET) {
  const open = Object.entries(widgets).map(([id, values]) => ({ ...opened(id, values), esm_url: "/esm/w.js" }));
  const frame = encodeFrame({ type: "sync", frame: 1, rev: 50, open });
  const [kind, text] = typeof frame === "string" ? ["json", frame] : ["base64", encodeBase64(frame)];
  /** In two pieces, as long data is. @param {string} attribute @param {string} data */
  const element = (attribute, data) =>
    `<script type="application/json" ${attribute}>${data.slice(0, 9)}</script>\n` +
    `<script type="application/json" data-rdit-more>${data.slice(9)}</script>\n`;
  const data =
    element('id="rdit-modules"', json([["/esm/w.js", esm]])) +
    element(`data-rdit-frame="${kind}"`, text) +
    element('id="rdit-events"', json(events));
  const html = HTML.replace("{{data}}", () => data).replaceAll(/\{\{(\w+)\}\}/g, "$1");
  const { window, document } = fakePage(html);
  return { window: /** @type {any} */ (window), document, ...startStaticPage({ window, ...fakeImports() }) };
}

const statement = { kind: "statement", id: 1, statement: 1, source: "print('</script>')", lineno: 1, end_lineno: 1 };

describe("the static page", () => {
  test("it shows the events of the run, widgets in their places", async () => {
    const { document } = page(
      [
        statement,
        { kind: "stream", id: 2, statement: 1, name: "stdout", text: "</script>\u2028" },
        { kind: "widget", id: 3, statement: 1, widget_id: "1.0" },
        { kind: "done", id: 4, statement: null, status: "ok" },
      ],
      { "1.0": { n: 5, bytes: new Uint8Array([1]) } },
    );
    const html = document.documentElement;
    assert.equal(html.hasAttribute("data-rdit-idle"), false);
    await settle();
    await settle();
    assert.equal(html.hasAttribute("data-rdit-idle"), true);
    assert.equal(html.getAttribute("data-rdit-state"), "static");
    assert.equal(document.querySelector(".rdit-stdout")?.textContent, "</script>\u2028");
    assert.equal(document.querySelector("[data-widget-id='1.0']")?.textContent, "n is 5");
    assert.match(document.querySelector("[role=note]")?.textContent ?? "", /Python is not there/);
  });

  test("it shows the code when it is asked to", () => {
    const { document } = page([statement]);
    const button = /** @type {HTMLButtonElement} */ (document.getElementById("rdit-code"));
    button.click();
    assert.equal(button.getAttribute("aria-pressed"), "true");
    assert.equal(document.querySelector("details")?.open, true);
    assert.equal(document.querySelector(".rdit-source")?.textContent, "print('</script>')");
  });

  test("a run that showed nothing says so", () => {
    const { document } = page([statement]);
    assert.equal(document.getElementById("rdit-empty")?.hidden, false);
  });

  test("however often widgets want Python, the page says once that it is not there", async (t) => {
    captureConsole(t);
    const { document, connection } = page([], { "1.0": { n: 1 }, "2.0": { n: 2 } });
    connection.model("1.0")?.send("a");
    connection.model("2.0")?.send("b");
    const notices = [...document.querySelectorAll(".rdit-notice span")].map((el) => el.textContent);
    assert.equal(notices.length, 1);
    assert.match(notices[0] ?? "", /for Python, which is not there/);
  });

  test("what a widget's listener throws is kept with the page's errors", async (t) => {
    captureConsole(t);
    const { window, document, connection } = page([], { "1.0": { n: 1 } });
    const model = connection.model("1.0");
    model?.on("change:n", () => {
      throw new Error("broken listener");
    });
    model?.set("n", 2);
    assert.deepEqual(window.__rditErrors, [{ stage: "listener", message: "broken listener" }]);
    assert.equal(document.querySelector(".rdit-notice"), null);
  });

  test("what the policy kept a widget from is said, with what to do", () => {
    const { window, document } = page([]);
    const violation = { blockedURI: "https://tiles.test/1.png", effectiveDirective: "img-src" };
    document.dispatchEvent(Object.assign(new window.Event("securitypolicyviolation"), violation));
    const text = document.querySelector(".rdit-notice span")?.textContent ?? "";
    assert.match(text, /data from https:\/\/tiles\.test.*If you trust it, export the page again with --allow-network$/);
  });

  test("a widget that fails shows it in its place", async (t) => {
    captureConsole(t);
    const failing = "export default { render() { throw new Error('boom') } }";
    const event = { kind: "widget", id: 1, statement: 1, widget_id: "1.0" };
    const { window, document } = page([event], { "1.0": {} }, failing);
    await settle();
    await settle();
    assert.equal(document.querySelector(".rdit-error-message")?.textContent, "boom");
    assert.deepEqual(window.__rditErrors, [{ stage: "render", message: "boom" }]);
    assert.ok(document.documentElement.hasAttribute("data-rdit-idle"));
  });
});

test("the page's markup loads nothing and has no script but ours", () => {
  assert.equal(/\bsrc=|\bhref="(?!data:,")|@import|url\(/.test(HTML), false);
  assert.equal(/ on\w+=|style=/.test(HTML), false);
  assert.deepEqual(HTML.match(/<script[^>]*>/g), ['<script type="module">']);
});

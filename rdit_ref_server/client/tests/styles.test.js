import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";

import { captureConsole } from "./fakes.js";
import { makeWorld, probe } from "./world.js";

/** @type {ReturnType<typeof makeWorld>} */
let world;
beforeEach(() => {
  world = makeWorld();
  world.network.last.accept();
});
afterEach(() => world.end());

const EMPTY = "export default { render() {} }";
const styles = () => [...world.document.head.querySelectorAll("style")].map((style) => style.textContent ?? "");

describe("a style sheet that is asked to be scoped", () => {
  test("holds for the elements of its own widgets, and is there once [afm 8]", async (t) => {
    // jsdom says that it cannot read the rule.
    captureConsole(t);
    Object.assign(world.window, { CSSScopeRule: class {} });
    const one = await world.show(EMPTY, { id: "w1", css: "p {}", scopeCss: true });
    const two = await world.show(EMPTY, { id: "w2", css: "p {}", scopeCss: true });
    const other = await world.show(EMPTY, { id: "w3", css: "b {}", scopeCss: true });
    assert.equal(styles().length, 2);
    const [, begin] = /@scope \((\[.*?\])\) to \(:scope \[data-widget-id\] > \*\) \{\np \{\}\n\}/.exec(styles()[0]) ?? [];
    assert.deepEqual([...world.document.querySelectorAll(begin)], [one.view.el, two.view.el]);
    world.network.last.push("w1", "_css", "b {}");
    assert.deepEqual([...world.document.querySelectorAll(begin)], [two.view.el]);
    assert.equal(one.view.el.getAttribute("data-rdit-scope"), other.view.el.getAttribute("data-rdit-scope"));
    await two.view.dispose();
    assert.equal(styles().length, 1);
    await one.view.dispose();
    await other.view.dispose();
    assert.deepEqual(styles(), []);
  });

  test("holds for the whole page where the browser knows no scopes, or it is an address [afm 8]", async (t) => {
    const lines = captureConsole(t);
    await world.show(EMPTY, { id: "w1", css: "p {}", scopeCss: true });
    assert.deepEqual(styles(), ["p {}"]);
    await world.show(EMPTY, { id: "w2", css: "https://cdn.test/a.css", scopeCss: true });
    assert.equal(world.document.head.querySelectorAll("link").length, 1);
    assert.match(lines.warn.join(), /cannot be scoped/);
  });
});

test("a child that is shown by its parent alone has its style sheet while it is shown [afm 8]", async () => {
  world.connection.open({ widget_id: "child", esm: EMPTY, css: "p {}", model: {} });
  await world.show("export default { render({ host }) { globalThis.probe.host = host } }");
  const child = await probe.host.getWidget("anywidget:child");
  assert.deepEqual(styles(), []);
  const [first, second] = [new AbortController(), new AbortController()];
  await child.render({ el: world.place(), signal: first.signal });
  await child.render({ el: world.place(), signal: second.signal });
  assert.deepEqual(styles(), ["p {}"]);
  first.abort();
  assert.deepEqual(styles(), ["p {}"]);
  second.abort();
  assert.deepEqual(styles(), []);
});

import assert from "node:assert/strict";
import { resolveObjectURL } from "node:buffer";
import { test } from "node:test";

import { importerWithCredentials, loadModule } from "../loader.js";
import { captureConsole, fakeImports } from "./fakes.js";

/** @param {string} esm @param {object} [more] */
function load(esm, more = {}) {
  return loadModule({ esm, widgetId: "w1", importModule: fakeImports().importModule, ...more });
}

test("a default export that is an object is the definition [afm 2]", async () => {
  const definition = await load("export default { render() { return 1 }, extra: 2 }");
  assert.equal(definition.render?.({}), 1);
});

test("only initialize, or only render, is enough [afm 6]", async () => {
  assert.equal(typeof (await load("export default { initialize() {} }")).initialize, "function");
  assert.equal(typeof (await load("export default { render() {} }")).render, "function");
});

test("a default export that is a function is called once per load, an async one is awaited [afm 2]", async () => {
  const text = `
    let calls = 0;
    export default async () => { calls += 1; await null; return { render: () => calls } };
  `;
  assert.equal((await load(text)).render?.({}), 1);
});

test("an own module instance per load [afm 3]", async () => {
  const text = "let n = 0; export default { render: () => ++n }";
  const [one, two] = [await load(text), await load(text)];
  assert.deepEqual([one.render?.({}), one.render?.({}), two.render?.({})], [1, 2, 1]);
});

test("a named render without a default works with one warning, and a named initialize is ignored then [afm 4]", async (t) => {
  const lines = captureConsole(t);
  const definition = await load("export const render = () => 1, initialize = () => 2");
  assert.equal(definition.render?.({}), 1);
  assert.equal(definition.initialize, undefined);
  assert.equal(lines.warn.length, 1);
  assert.match(lines.warn[0], /deprecated/);
});

test("a default export wins over named ones", async (t) => {
  const lines = captureConsole(t);
  const definition = await load("export const render = () => 'named'; export default { render: () => 'default' }");
  assert.equal(definition.render?.({}), "default");
  assert.deepEqual(lines.warn, []);
});

for (const text of [
  "export const other = 1",
  "export default null",
  "export default 7",
  "export default {}",
  "export default () => undefined",
  "export default { render: 'text' }",
]) {
  test(`"${text}" fails with the rule [afm 5]`, async () => {
    await assert.rejects(load(text), { name: "TypeError", message: /w1 .*a widget's module has a default export/ });
  });
}

test("no code at all fails by name", async () => {
  await assert.rejects(loadModule({ widgetId: "w1" }), /w1 has no code/);
});

test("errors of the module and of its function come through [afm 7]", async () => {
  await assert.rejects(load("throw new RangeError('at the top')"), { name: "RangeError", message: "at the top" });
  await assert.rejects(load("export default () => { throw new RangeError('inside') }"), { message: "inside" });
});

test("esm_url is imported relative to the base, with the widget's id as fragment", async () => {
  const imports = fakeImports({ "http://test/prefix/esm/a.js": "export default { render: () => 'url' }" });
  const definition = await loadModule({
    esm: "not used",
    esm_url: "esm/a.js",
    widgetId: "3.1",
    baseUrl: "http://test/prefix/",
    importModule: imports.importModule,
  });
  assert.equal(definition.render?.({}), "url");
  assert.deepEqual(imports.urls, ["http://test/prefix/esm/a.js#3.1"]);
});

test("an id with other characters stays inside the fragment", async () => {
  const imports = fakeImports({ "http://test/esm/a.js": "export default { render() {} }" });
  await loadModule({ esm_url: "/esm/a.js", widgetId: "a#b c", baseUrl: "http://test/", importModule: imports.importModule });
  assert.deepEqual(imports.urls, ["http://test/esm/a.js#a%23b%20c"]);
});

test("esm that is an http(s) URL is imported by it [afm 1]", async () => {
  const text = "export default { render() {} }";
  const imports = fakeImports({ "https://cdn.test/w.js": text, "http://cdn.test/w.js": text });
  for (const esm of ["https://cdn.test/w.js", "http://cdn.test/w.js", "https://cdn.test/w.js#mine"]) {
    await loadModule({ esm, widgetId: "w1", importModule: imports.importModule });
  }
  assert.deepEqual(imports.urls, ["https://cdn.test/w.js#w1", "http://cdn.test/w.js#w1", "https://cdn.test/w.js#mine"]);
});

test("text is imported from a blob that is gone afterwards, also when it fails [afm 1]", async () => {
  for (const text of ["export default { render() {} }", "syntax error"]) {
    const imports = fakeImports();
    await loadModule({ esm: text, widgetId: "w1", importModule: imports.importModule }).catch(() => {});
    assert.match(imports.urls[0], /^blob:/);
    assert.equal(resolveObjectURL(imports.urls[0]), undefined);
  }
});

test("an abort ends the load before the module's function runs", async () => {
  const controller = new AbortController();
  let isCalled = false;
  const importModule = async () => {
    controller.abort(new Error("gone"));
    return { default: () => (isCalled = true) };
  };
  await assert.rejects(load("text", { importModule, signal: controller.signal }), /gone/);
  assert.equal(isCalled, false);
});

test("the same id in the next run has a module instance of its own, also by URL", async () => {
  const imports = fakeImports({ "http://test/esm/again.js": "export default { render() {} }" });
  const options = { esm_url: "/esm/again.js", baseUrl: "http://test/", importModule: imports.importModule };
  for (const widgetId of ["w1", "w2", "w1", "w1"]) await loadModule({ ...options, widgetId });
  const fragments = imports.urls.map((url) => new URL(url).hash);
  assert.deepEqual(fragments, ["#w1", "#w2", "#w1/2", "#w1/3"]);
});

/** @param {Record<string, { status?: number, text?: string } | Error>} pages */
function fakeFetch(pages) {
  /** @type {[string, RequestInit | undefined][]} */
  const asked = [];
  /** @type {any} */
  const fetch = async (/** @type {string} */ url, /** @type {RequestInit} */ options) => {
    asked.push([url, options]);
    const page = pages[url.split("#")[0]] ?? new Error("no such page");
    if (page instanceof Error) throw page;
    const { status = 200, text = "" } = page;
    return { ok: status === 200, status, text: async () => text };
  };
  return { fetch, asked };
}

/** Node imports no blobs. @type {(url: string) => Promise<any>} */
const importBlob = fakeImports().importModule;

test("a module of another origin is fetched with the credentials that import would not send", async () => {
  const url = "http://python.test/esm/a.js";
  const { fetch, asked } = fakeFetch({ [url]: { text: "let n = 0; export default { render: () => ++n } // end" } });
  const importModule = importerWithCredentials("http://python.test", { authorization: "Bearer t" }, fetch, importBlob);
  const given = { esm_url: "esm/a.js", baseUrl: "http://python.test/", importModule };
  const one = await loadModule({ ...given, widgetId: "one" });
  const other = await loadModule({ ...given, widgetId: "other" });
  assert.deepEqual([one.render?.({}), one.render?.({}), other.render?.({})], [1, 2, 1]);
  assert.deepEqual(asked[0], [`${url}#one`, { credentials: "include", headers: { authorization: "Bearer t" } }]);
});

test("a module that the server refuses says so by its address and status", async () => {
  const { fetch } = fakeFetch({ "http://python.test/esm/a.js": { status: 401 } });
  const importModule = importerWithCredentials("http://python.test", {}, fetch);
  const loading = loadModule({ esm_url: "http://python.test/esm/a.js", widgetId: "w", importModule });
  await assert.rejects(loading, { name: "TypeError", message: /esm\/a\.js#w \(HTTP 401\)/ });
});

test("text is imported as ever, also by a page of the server's own origin", async () => {
  const { fetch, asked } = fakeFetch({});
  const importModule = importerWithCredentials("null", {}, fetch, importBlob);
  const definition = await load("export default { render: () => 7 }", { importModule });
  assert.equal(definition.render?.({}), 7);
  assert.deepEqual(asked, []);
});

test("what lies elsewhere, and what a server gives to everybody but with no credentials, is imported as ever", async () => {
  const urls = ["http://python.test/esm/a.js", "https://cdn.test/b.js"];
  const modules = Object.fromEntries(urls.map((url) => [url, "export default { render: () => 7 }"]));
  const { fetch, asked } = fakeFetch({});
  const importModule = importerWithCredentials("http://python.test", {}, fetch, fakeImports(modules).importModule);
  for (const esm_url of urls) {
    assert.equal((await loadModule({ esm_url, widgetId: "anybody", importModule })).render?.({}), 7);
  }
  assert.deepEqual(asked.map(([url]) => url), ["http://python.test/esm/a.js#anybody"]);
});

/**
 * Module hooks with which Node loads the reference implementation as a bundler would.
 *
 * `@jupyter-widgets/base` is published as ES modules for bundlers: without `"type": "module"`, and with imports that
 * name no extension. Its CommonJS dependencies are imported as namespaces, whose names Node cannot see from outside.
 * The amendments (`amendments.js`) are edits of its source text, made here. So are bugs that are planted in our own
 * client: `ORACLE_PLANT` lists them, as `[module, text, the text in its place]`. Runs in Node's loader thread.
 */

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

import { amend } from "./amendments.js";

const require = createRequire(import.meta.url);
const AS_MODULES = /\/node_modules\/@jupyter-widgets\/base\/lib\/.*\.js$/;
/** What the reference takes from each package in CommonJS besides the default. @type {Record<string, string[]>} */
const NAMES = {
  backbone: ["Model", "View", "Events"],
  jquery: [],
  "lodash/isEqual": [],
  "@lumino/coreutils": ["UUID", "JSONExt", "Token"],
  "@lumino/messaging": ["MessageLoop"],
  "@lumino/widgets": ["Widget", "Panel"],
};
const PREFIX = "commonjs:";
const CLIENT = new URL("../../", import.meta.url);
/** @type {[file: string, find: string, replace: string][]} */
const plants = JSON.parse(process.env.ORACLE_PLANT ?? "[]");

/** @param {string} url @param {string} text */
function planted(url, text) {
  for (const [file, find, replace] of plants) {
    if (url !== new URL(file, CLIENT).href) continue;
    if (text.split(find).length !== 2) throw new Error(`${file} has no ${JSON.stringify(find)} any more, or several`);
    text = text.replace(find, () => replace);
  }
  return text;
}

/** @param {string} specifier @param {any} context @param {(specifier: string, context: any) => any} next */
export async function resolve(specifier, context, next) {
  if (AS_MODULES.test(context.parentURL ?? "")) {
    if (Object.hasOwn(NAMES, specifier)) return { url: `${PREFIX}${specifier}`, shortCircuit: true };
    if (specifier.startsWith(".")) return next(`${specifier}.js`, context);
  }
  return next(specifier, context);
}

/** @param {string} url @param {any} context @param {(url: string, context: any) => any} next */
export async function load(url, context, next) {
  if (plants.some(([file]) => url === new URL(file, CLIENT).href)) {
    return { format: "module", source: planted(url, await readFile(fileURLToPath(url), "utf8")), shortCircuit: true };
  }
  if (url.startsWith(PREFIX)) {
    return { format: "module", source: namespaceOf(url.slice(PREFIX.length)), shortCircuit: true };
  }
  if (AS_MODULES.test(url) || url.endsWith("/node_modules/anywidget/dist/index.js")) {
    const text = await readFile(fileURLToPath(url), "utf8");
    return { format: "module", source: amend(url, text), shortCircuit: true };
  }
  return next(url, context);
}

/** @param {string} name */
function namespaceOf(name) {
  const names = NAMES[name];
  const path = JSON.stringify(require.resolve(name));
  return [
    `import { createRequire } from "node:module";`,
    `const module = createRequire(${JSON.stringify(import.meta.url)})(${path});`,
    `export default module;`,
    ...names.map((each) => `export const ${each} = module.${each};`),
  ].join("\n");
}

/**
 * From a widget's source to its definition: an object with `initialize`, `render`, or both.
 *
 * Every model has a module instance of its own, so variables at the top of a module are per widget. A module by URL
 * gets that through the fragment: `esm/<hash>.js#<widget id>` is one request however many ids, and an instance for
 * each; loaded again for the same id, in the next run of a script, it is `#<widget id>/2`.
 */

/**
 * @typedef {object} Definition
 * @property {(props: any) => any} [initialize]
 * @property {(props: any) => any} [render]
 * @property {(props: { model: any, el: HTMLElement }) => any} [destroy] of the first design, called when a view goes
 */

/**
 * @typedef {object} LoadOptions
 * @property {string} [esm] the module's text, or an http(s) URL
 * @property {string} [esm_url] wins over `esm`
 * @property {string} widgetId
 * @property {string} [baseUrl] what `esm_url` is relative to; default: the page
 * @property {AbortSignal} [signal]
 * @property {(url: string) => Promise<any>} [importModule]
 */

const RULE =
  "a widget's module has a default export: an object with initialize or render, or a function that returns one";

/** @param {string} text */
export function isHttpUrl(text) {
  return /^https?:\/\//.test(text);
}

/**
 * Loads a widget's module and gives its definition. A default export that is a function is called, once, and awaited.
 *
 * @param {LoadOptions} options
 * @returns {Promise<Definition>}
 * @throws what the import or the function throws; a TypeError that names the rule when the module exports neither
 */
export async function loadModule({ esm, esm_url, widgetId, baseUrl, signal, importModule = importUrl }) {
  signal?.throwIfAborted();
  const module = await importSource({ esm, esm_url, widgetId, baseUrl, importModule });
  signal?.throwIfAborted();
  if (module.default === undefined || module.default === null) {
    if (typeof module.render !== "function") throw new TypeError(`Widget ${widgetId} exports no widget: ${RULE}`);
    console.warn(`[rdit] widget ${widgetId}: a named export "render" is deprecated; ${RULE}`);
    return { render: module.render };
  }
  const definition = typeof module.default === "function" ? await module.default() : module.default;
  signal?.throwIfAborted();
  if (typeof definition?.initialize !== "function" && typeof definition?.render !== "function") {
    throw new TypeError(`Widget ${widgetId} has neither initialize nor render: ${RULE}`);
  }
  return definition;
}

/** @type {Map<string, number>} How often each URL was loaded for each widget; the browser keeps every instance, too. */
const loads = new Map();

/** @param {string} url @param {string} widgetId */
function instanceOf(url, widgetId) {
  const first = `${url}#${encodeURIComponent(widgetId)}`;
  const count = (loads.get(first) ?? 0) + 1;
  loads.set(first, count);
  // The next run of a script may give the same id to another widget.
  return count === 1 ? first : `${first}/${count}`;
}

/** @param {Required<Pick<LoadOptions, "importModule" | "widgetId">> & LoadOptions} options */
async function importSource({ esm, esm_url, widgetId, baseUrl, importModule }) {
  if (esm_url) {
    const url = new URL(esm_url, baseUrl ?? globalThis.document?.baseURI).href;
    return importModule(instanceOf(url, widgetId));
  }
  if (typeof esm !== "string") throw new TypeError(`Widget ${widgetId} has no code: expected esm or esm_url`);
  if (isHttpUrl(esm)) return importModule(esm.includes("#") ? esm : instanceOf(esm, widgetId));
  return importText(esm, importModule);
}

/** @param {string} text @param {(url: string) => Promise<any>} importModule */
async function importText(text, importModule) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  try {
    return await importModule(url);
  } finally {
    URL.revokeObjectURL(url);
  }
}

/**
 * How to import a server's modules that the browser's own `import` would ask for without credentials: it sends none to
 * another origin, and a token never. The text is fetched, with them, and imported; what lies elsewhere is imported as ever.
 *
 * @param {string} origin the server's
 * @param {RequestInit["headers"]} headers
 * @param {typeof globalThis.fetch} fetch
 * @param {(url: string) => Promise<any>} [importModule]
 * @returns {(url: string) => Promise<any>}
 */
export function importerWithCredentials(origin, headers, fetch, importModule = importUrl) {
  return async (url) => {
    // The origin of a blob is that of the page that made it.
    if (!isHttpUrl(url) || new URL(url).origin !== origin) return importModule(url);
    // A server that lets all the world in does not let credentials in: it is asked without.
    const response = await fetch(url, { credentials: "include", headers }).catch(() => null);
    if (response === null) return importModule(url);
    if (!response.ok) throw new TypeError(`The server refuses the module ${url} (HTTP ${response.status})`);
    const text = await response.text();
    return importText(`${text}\n//# sourceURL=${url}`, importModule);
  };
}

/** @param {string} url */
function importUrl(url) {
  return import(/* webpackIgnore: true */ /* @vite-ignore */ url);
}

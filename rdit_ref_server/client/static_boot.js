/**
 * Joins the page's own modules, which are text in the document, and starts the page. `rdit export` writes this file
 * into it as it is, so it imports nothing by name.
 *
 * Each module becomes a blob, and comes after those that it imports. A blob has no neighbours: `./model.js` in it means
 * nothing, and an import map cannot give it a meaning, for there is no base that it could be relative to. So the names
 * are replaced by the addresses of the blobs.
 */

/** @type {Map<string, string>} */
const addresses = new Map();
/** @type {[string, string][]} */
const client = JSON.parse(/** @type {HTMLElement} */ (document.getElementById("rdit-client")).textContent ?? "");
for (const [name, text] of client) {
  const joined = text.replace(/ from "\.\/(\w+\.js)";$/gm, (_, other) => ` from "${addresses.get(other)}";`);
  const blob = new Blob([`${joined}\n//# sourceURL=rdit/${name}\n`], { type: "text/javascript" });
  addresses.set(name, URL.createObjectURL(blob));
}

try {
  const { startStaticPage } = await import(/** @type {string} */ (addresses.get("static_page.js")));
  startStaticPage();
} catch (error) {
  const panel = /** @type {HTMLElement} */ (document.getElementById("rdit-failure"));
  panel.append("This page could not be shown: ", String(error));
  panel.hidden = false;
  throw error;
}

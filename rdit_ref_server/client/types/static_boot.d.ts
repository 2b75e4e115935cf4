/**
 * Joins the page's own modules, which are text in the document, and starts the page. `rdit export` writes this file
 * into it as it is, so it imports nothing by name.
 *
 * Each module becomes a blob, and comes after those that it imports. A blob has no neighbours: `./model.js` in it means
 * nothing, and an import map cannot give it a meaning, for there is no base that it could be relative to. So the names
 * are replaced by the addresses of the blobs.
 */
export {};

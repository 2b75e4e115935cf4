/**
 * A MIME bundle as an element.
 *
 * Everything goes in as text, and formulas element by element. The one exception is `text/html`, the rich representation
 * that the user's own Python object chose, which is trusted as much as the user's widgets are; scripts inside it do not
 * run.
 */
/**
 * The richest representation of a MIME bundle that we can show.
 *
 * @param {Document} document
 * @param {Record<string, any>} data
 * @param {Record<string, any>} metadata
 * @param {import("./formulas.js").Formulas} [formulas]
 * @returns {HTMLElement | null}
 */
export declare function mimeElement(document: Document, data: Record<string, any>, metadata: Record<string, any>, formulas?: import("./formulas.js").Formulas): HTMLElement | null;

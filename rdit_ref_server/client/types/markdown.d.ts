/**
 * Markdown as elements: what results use of it, and no more.
 *
 * Headings, paragraphs, lists, quotes, code, tables, rules; emphasis, code, formulas, links and images in text. HTML in it
 * stays text, and links go to http, https and mailto only: nothing of a text becomes code.
 */
export type Formulas = import("./formulas.js").Formulas;
/**
 * @param {Document} document
 * @param {string} text
 * @param {Formulas} [formulas] a formula that is not among them stays its source
 * @returns {HTMLElement}
 */
export declare function markdownElement(document: Document, text: string, formulas?: Formulas): HTMLElement;
export type Place = {
    formulas: Formulas;
    depth: number;
};

/**
 * LaTeX formulas as MathML, which browsers show by themselves.
 *
 * The server converts them: an event has each formula, by its source with its delimiters, as a tree `[element,
 * attributes, ...children]`. Of a tree become elements and attributes that are named here, in the namespace of MathML, and
 * text. A formula without a tree, or with one that has something else in it, is shown as its source. The source also
 * goes with each formula, for those who copy it and for assistive technology.
 */
export type Tree = [string, Record<string, string>, ...any[]];
export type Formulas = Record<string, Tree>;
/**
 * @param {Document} document
 * @param {string} source with its delimiters
 * @param {Formulas} formulas
 * @returns {Element | null} null: it is to be shown as its source
 */
export declare function formulaElement(document: Document, source: string, formulas: Formulas): Element | null;
/**
 * Text with formulas in it, as `text/latex` has it.
 *
 * @param {Document} document
 * @param {string} text
 * @param {Formulas} formulas
 * @returns {HTMLElement | null} null: there is none, or one that can only be shown as its source, and so the whole is
 */
export declare function latexElement(document: Document, text: string, formulas: Formulas): HTMLElement | null;

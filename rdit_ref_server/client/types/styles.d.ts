/**
 * What a widget's state says about its looks: `_css`, and the `layout`, `_dom_classes` and `tooltip` of its element.
 *
 * A style sheet is in the document once, however many views have it, and goes with the last of them. It holds for the
 * whole page, as it does elsewhere, unless the page asks for it to be scoped: then it is wrapped in an `@scope` that
 * begins at the elements of its own views and ends where another widget's content begins.
 */
export type ScopedModel = import("./model.js").ScopedModel;
export type Sheet = {
    node: HTMLElement;
    users: number;
};
/**
 * Puts CSS (text, or an http(s) URL) into the document once, however many ask for it.
 *
 * @param {Document} document
 * @param {string} css
 * @returns {() => void} gives it back; the last one to do so removes it
 */
export declare function acquireCss(document: Document, css: string): () => void;
/**
 * The same, for one element and what is in it.
 *
 * @param {HTMLElement} el
 * @param {string} css
 * @returns {() => void}
 */
export declare function acquireScopedCss(el: HTMLElement, css: string): () => void;
/**
 * Keeps the sheet of a model's `_css` in the document until the signal aborts.
 *
 * @param {ScopedModel} model
 * @param {HTMLElement} el
 * @param {AbortSignal} signal
 * @param {boolean} isScoped
 */
export declare function followCss(model: ScopedModel, el: HTMLElement, signal: AbortSignal, isScoped: boolean): void;
/**
 * Follows what a widget's state says about its element: `layout` (CSS properties, in snake_case), `_dom_classes` and
 * `tooltip`.
 *
 * @param {ScopedModel} model
 * @param {HTMLElement} el
 * @param {AbortSignal} signal
 */
export declare function applyStyles(model: ScopedModel, el: HTMLElement, signal: AbortSignal): void;

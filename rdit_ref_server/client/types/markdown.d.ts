/**
 * Markdown as elements: what results use of it, and no more.
 *
 * Headings, paragraphs, lists, quotes, code, tables, rules; emphasis, code, links and images in text. HTML in it stays
 * text, and links go to http, https and mailto only: nothing of a text becomes code.
 */
/**
 * @param {Document} document
 * @param {string} text
 * @returns {HTMLElement}
 */
export declare function markdownElement(document: Document, text: string): HTMLElement;

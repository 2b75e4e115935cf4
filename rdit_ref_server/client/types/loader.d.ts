/**
 * From a widget's source to its definition: an object with `initialize`, `render`, or both.
 *
 * Every model has a module instance of its own, so variables at the top of a module are per widget. A module by URL
 * gets that through the fragment: `esm/<hash>.js#<widget id>` is one request however many ids, and an instance for
 * each; loaded again for the same id, in the next run of a script, it is `#<widget id>/2`.
 */
export type Definition = {
    initialize?: (props: any) => any;
    render?: (props: any) => any;
    /**
     * of the first design, called when a view goes
     */
    destroy?: (props: {
        model: any;
        el: HTMLElement;
    }) => any;
};
export type LoadOptions = {
    /**
     * the module's text, or an http(s) URL
     */
    esm?: string;
    /**
     * wins over `esm`
     */
    esm_url?: string;
    widgetId: string;
    /**
     * what `esm_url` is relative to; default: the page
     */
    baseUrl?: string;
    signal?: AbortSignal;
    importModule?: (url: string) => Promise<any>;
};
/** @param {string} text */
export declare function isHttpUrl(text: string): boolean;
/**
 * Loads a widget's module and gives its definition. A default export that is a function is called, once, and awaited.
 *
 * @param {LoadOptions} options
 * @returns {Promise<Definition>}
 * @throws what the import or the function throws; a TypeError that names the rule when the module exports neither
 */
export declare function loadModule({ esm, esm_url, widgetId, baseUrl, signal, importModule }: LoadOptions): Promise<Definition>;
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
export declare function importerWithCredentials(origin: string, headers: RequestInit["headers"], fetch: typeof globalThis.fetch, importModule?: (url: string) => Promise<any>): (url: string) => Promise<any>;

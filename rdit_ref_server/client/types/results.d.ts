/**
 * What a page of results is made of, whether Python is behind it or not: outputs with their widgets in them, the button
 * that shows the code, notices, and the errors that the page keeps for whoever asks (`window.__rditErrors`).
 */
/** More notices than this push the oldest out. */
export declare const MAX_NOTICES = 5;
/** What is said at a widget is seen for so long. */
export declare const SAID_MS = 6000;
export type PageError = {
    stage: string;
    message: string;
};
export type Results = ReturnType<typeof createResults>;
/** @typedef {{ stage: string, message: string }} PageError */
/** @typedef {ReturnType<typeof createResults>} Results */
/**
 * Writing equal text again would be announced again.
 *
 * @param {Element} el
 * @param {string} text
 */
export declare function setText(el: Element, text: string): void;
/**
 * @param {object} options
 * @param {any} options.window its document has the elements of `index.html`
 * @param {import("./connection.js").Connection} options.connection
 * @param {() => void} options.onsettled called when a widget has rendered or failed to
 * @param {(url: string) => Promise<any>} [options.importModule]
 */
export declare function createResults({ window, connection, onsettled, importModule }: {
    window: any;
    connection: import("./connection.js").Connection;
    onsettled: () => void;
    importModule?: (url: string) => Promise<any>;
}): {
    outputs: import("./outputs.js").Outputs;
    recordError: (stage: string, error: unknown) => undefined;
    /** Whether a widget has neither rendered nor failed yet. */
    readonly isRendering: boolean;
    /** Whether no statement has shown anything. */
    readonly isEmpty: boolean;
    /** @param {import("./outputs.js").ExecutionEvent & { kind: string }} event */
    show(event: import("./outputs.js").ExecutionEvent & {
        kind: string;
    }): void;
    /** Ends all views, and forgets what was shown. */
    clear(): void;
    /**
     * Says something at a widget, for a while. Nothing moves for it, and it takes no click.
     *
     * @param {string} widgetId
     * @param {string} text
     * @returns {boolean} whether the widget is to be seen
     */
    sayAt(widgetId: string, text: string): boolean;
    /** @param {string} text @param {string} [topic] replaces the notice on the same topic, and outlives a reset */
    notify(text: string, topic?: string): void;
};

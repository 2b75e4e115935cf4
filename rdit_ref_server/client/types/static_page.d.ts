/**
 * The page that `rdit export` writes: results as they were, widgets as far as their own code goes.
 *
 * All that it shows is in the document, in script elements of data: frames with the state of the widgets
 * (`data-rdit-frame`, base64 where they are bytes), the text of the widgets' modules, the events of the run. What is long
 * goes on in elements with `data-rdit-more`.
 */
/**
 * Brings the page to life; its elements are those of `static.html`.
 *
 * @param {{ window?: any, importModule?: (url: string) => Promise<any> }} [options]
 */
export declare function startStaticPage({ window, importModule }?: {
    window?: any;
    importModule?: (url: string) => Promise<any>;
}): {
    connection: import("./static.js").StaticWidgets;
    results: {
        outputs: import("./outputs.js").Outputs;
        recordError: (stage: string, error: unknown) => undefined;
        readonly isRendering: boolean;
        readonly isEmpty: boolean;
        show(event: import("./outputs.js").ExecutionEvent & {
            kind: string;
        }): void;
        clear(): void;
        sayAt(widgetId: string, text: string): boolean;
        notify(text: string, topic?: string): void;
    };
};

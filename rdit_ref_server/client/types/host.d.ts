/**
 * A widget in an element: `renderWidget`.
 *
 * Three lifetimes, each inside the one before: the model (as long as the connection keeps it open), its binding (the
 * module, loaded and initialized once per model), its views (one per `render`). Each has an AbortSignal; when one ends,
 * cleanups run, listeners leave and the elements go. An error in a widget's code stays in the widget's own element.
 *
 * Elements are ordinary ones in the page, never in a shadow root: widgets put styles in the document's head and look
 * their nodes up by id.
 */
export type Connection = import("./connection.js").Connection;
export type WidgetData = import("./connection.js").WidgetData;
export type Definition = import("./loader.js").Definition;
export type Model = import("./model.js").Model;
export type ScopedModel = import("./model.js").ScopedModel;
export type Stage = "open" | "import" | "initialize" | "render" | "cleanup";
export type WidgetFailure = {
    widgetId: string;
    stage: Stage;
    message: string;
    error: unknown;
};
export type View = {
    /**
     * null when the widget could not even be opened
     */
    model: ScopedModel | null;
    /**
     * the element that the widget's `render` got
     */
    el: HTMLElement;
    failure: WidgetFailure | null;
    /**
     * resolves when the widget's cleanups are done
     */
    dispose: () => Promise<void>;
};
export type RenderOptions = {
    widgetData: WidgetData;
    /**
     * is emptied, and a view that it showed ends; the widget gets an element of its own inside
     */
    el: HTMLElement;
    connection?: Connection;
    /**
     * instead of a connection: a WebSocket, also one that is still connecting
     */
    websocket?: any;
    /**
     * ends the view
     */
    signal?: AbortSignal;
    /**
     * used when `websocket` is wrapped
     */
    profile?: import("./model.js").Profile;
    /**
     * default: `console.error`
     */
    onerror?: (failure: WidgetFailure) => void;
    /**
     * how long `host.getWidget` and `host.getModel` wait for a widget that is not open yet
     */
    childWaitMs?: number;
    importModule?: (url: string) => Promise<any>;
};
export type ResolvedWidget = {
    exports: any;
    render: (options: {
        el: HTMLElement;
        signal?: AbortSignal;
    }) => Promise<void>;
};
export type Host = {
    getWidget: (ref: unknown) => Promise<ResolvedWidget>;
    getModel: (ref: unknown) => Promise<ScopedModel>;
};
export type Binding = {
    model: Model;
    signal: AbortSignal;
    /**
     * address or text of the module
     */
    source: string | undefined;
    experimental: import("./invoke.js").Experimental;
    ready: Promise<{
        definition: Definition;
        exports: any;
    }>;
    end: () => void;
};
export type HostContext = {
    connection: Connection;
    /**
     * of the view that asks
     */
    signal: AbortSignal;
    /**
     * ids of the views around it, outermost first, its own last
     */
    chain: readonly string[];
    childWaitMs: number;
    importModule: RenderOptions["importModule"];
};
/**
 * Shows a widget in an element.
 *
 * Never rejects for what a widget's code does: the failure is shown in the element, told to `onerror` and found in
 * `view.failure`.
 *
 * @param {RenderOptions} options
 * @returns {Promise<View>} when the widget has rendered, or has failed to
 */
export declare function renderWidget(options: RenderOptions): Promise<View>;
/** @param {Document} document @param {WidgetFailure} failure */
export declare function errorPanel(document: Document, { widgetId, stage, message, error }: WidgetFailure): HTMLElement;
/**
 * Puts CSS (text, or an http(s) URL) into the document once, however many ask for it.
 *
 * @param {Document} document
 * @param {string} css
 * @returns {() => void} gives it back; the last one to do so removes it
 */
export declare function acquireCss(document: Document, css: string): () => void;

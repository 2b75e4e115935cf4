/**
 * A widget in an element: `renderWidget`.
 *
 * Three lifetimes, each inside the one before: the model (as long as the connection keeps it open), its binding (the
 * module, loaded and initialized once per version of its code), its views (one per `render`). Each has an AbortSignal; when one ends,
 * cleanups run, listeners leave and the elements go. An error in a widget's code stays in the widget's own element.
 * When a model's code is replaced its binding ends (`binding.js`), and its views are shown anew in their places.
 *
 * Elements are ordinary ones in the page, never in a shadow root: widgets put styles in the document's head and look
 * their nodes up by id.
 */
export type Binding = import("./binding.js").Binding;
export type Stage = import("./binding.js").Stage;
export type Connection = import("./connection.js").Connection;
export type WidgetData = import("./connection.js").WidgetData;
export type Definition = import("./loader.js").Definition;
export type Model = import("./model.js").Model;
export type ScopedModel = import("./model.js").ScopedModel;
export type WidgetFailure = {
    widgetId: string;
    /**
     * what it is called where people read of it: `Counter 3.0`
     */
    name: string;
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
     * ends the view
     */
    signal?: AbortSignal;
    profile?: import("./model.js").Profile;
    /**
     * default: `console.error`
     */
    onerror?: (failure: WidgetFailure) => void;
    /**
     * how long `host.getWidget` and `host.getModel` wait for a widget that is not open yet
     */
    childWaitMs?: number;
    /**
     * a widget's style sheet holds for its own element only, not for the whole page
     */
    scopeCss?: boolean;
    /**
     * how long `experimental.invoke` waits for Python, unless it is told otherwise
     */
    invokeTimeoutMs?: number;
    /**
     * how long replaced code may clean up before the new code starts
     */
    cleanupWaitMs?: number;
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
    /**
     * those of the outermost view
     */
    options: RenderOptions;
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
export declare function errorPanel(document: Document, { name, stage, message, error }: WidgetFailure): HTMLElement;

/**
 * One model bound to one version of its code: the module, loaded and initialized once, until the model is closed or
 * its code replaced.
 *
 * Code is replaced in place: the model, and with it the state, stays. The views of the old code end, its cleanups
 * finish, and only then the new code is loaded and the views are made anew, so that two versions never hold the same
 * thing. A cleanup that takes too long is not waited for for ever.
 */
export type Connection = import("./connection.js").Connection;
export type WidgetData = import("./connection.js").WidgetData;
export type Definition = import("./loader.js").Definition;
export type Model = import("./model.js").Model;
export type Stage = "open" | "import" | "initialize" | "render" | "cleanup";
/** @typedef {import("./connection.js").Connection} Connection */
/** @typedef {import("./connection.js").WidgetData} WidgetData */
/** @typedef {import("./loader.js").Definition} Definition */
/** @typedef {import("./model.js").Model} Model */
/** @typedef {"open" | "import" | "initialize" | "render" | "cleanup"} Stage */
/** How long replaced code may clean up before its successor starts all the same. */
export declare const CLEANUP_WAIT_MS = 5000;
/** An error of a widget's code, with the stage in which it happened. */
export declare class StageError extends Error {
    stage: Stage;
    /** @param {Stage} stage @param {unknown} cause */
    constructor(stage: Stage, cause: unknown);
}
export type CodeOptions = {
    importModule?: (url: string) => Promise<any>;
    /**
     * how long `experimental.invoke` waits, unless it is told otherwise
     */
    invokeTimeoutMs?: number;
    /**
     * how long replaced code may clean up before its successor starts
     */
    cleanupWaitMs?: number;
    /**
     * the pauses before a module that did not come is asked for again
     */
    importAgainMs?: readonly number[];
};
export type BoundView = {
    end: () => void;
    /**
     * shows it anew, with the code that there is now
     */
    replace: () => void;
};
export type Binding = {
    model: Model;
    /**
     * aborts when the model is closed or its code replaced
     */
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
    /**
     * until the signal aborts
     */
    addView: (view: BoundView, signal: AbortSignal) => void;
    /**
     * runs them, one after the other, whatever they
     * do; their errors are logged and reported, never thrown
     */
    cleanUp: (...cleanups: (() => unknown)[]) => Promise<void>;
    /**
     * resolves when its cleanups are done
     */
    end: () => Promise<void>;
};
/**
 * The binding of an open model; its module is loaded and initialized on the first call. A model that outlived its
 * server may come back with other code, like one whose code was edited.
 *
 * @param {Connection} connection
 * @param {Model} model
 * @param {WidgetData} widgetData
 * @param {CodeOptions} options
 * @returns {Binding}
 */
export declare function bindingOf(connection: Connection, model: Model, widgetData: WidgetData, options: CodeOptions): Binding;
/**
 * What a widget's code gave when it started. Code that is replaced before it did is waited for no more: its successor is.
 *
 * @param {() => Binding} current
 * @returns {Promise<{ definition: Definition, exports: any }>}
 */
export declare function started(current: () => Binding): Promise<{
    definition: Definition;
    exports: any;
}>;

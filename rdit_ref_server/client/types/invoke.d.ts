/**
 * `experimental.invoke`: a question to Python and its answer, as two custom messages in anywidget's own form.
 */
export type Model = import("./model.js").Model;
/** @typedef {import("./model.js").Model} Model */
/** How long an answer is waited for, unless the caller brings a signal; as long as anywidget waits. */
export declare const INVOKE_TIMEOUT_MS = 3000;
export type InvokeOptions = {
    buffers?: readonly unknown[];
    /**
     * instead of the time limit
     */
    signal?: AbortSignal;
    timeoutMs?: number;
};
export type CommandError = Error & {
    code: string;
};
export type Experimental = {
    /**
     * rejects with a CommandError
     */
    invoke: (name: string, msg?: unknown, options?: InvokeOptions) => Promise<[any, DataView[]]>;
};
/**
 * @param {Model} model
 * @param {() => () => void} hold keeps the connection from being idle while an answer is due
 * @param {number} [limitMs] how long an answer is waited for, unless the caller says otherwise
 * @returns {Experimental}
 */
export declare function experimentalOf(model: Model, hold: () => () => void, limitMs?: number): Experimental;

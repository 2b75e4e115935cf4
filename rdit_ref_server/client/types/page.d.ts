/**
 * The page of `rdit serve`.
 *
 * Results come one way, as events with ids on `api/execute`; widgets live both ways on `ws/widgets`. The stream is
 * opened when the socket is live, so that no value that Python sets falls between the two, and ends when the run is
 * done. What callbacks print later comes as `output` on the socket. Both carry the same ids: an event is shown once,
 * in order.
 */
import { connect } from "./connection.js";
/** So long after the last acknowledgement the page calls itself idle again. */
export declare const IDLE_AFTER_MS = 16;
/** A stream that broke off while the socket is live is opened again after this long. */
export declare const STREAM_RETRY_MS = 1000;
/** After `done` the server ends the stream, perhaps behind output of callbacks; one that stays open is closed then. */
export declare const DONE_GRACE_MS = 1000;
/** So long an edit may be on its way before the page calls itself busy. */
export declare const BUSY_AFTER_MS = 150;
export type PageOptions = {
    window?: any;
    connect?: typeof connect;
    EventSource?: any;
    fetch?: any;
    importModule?: (url: string) => Promise<any>;
    now?: () => number;
};
/**
 * @typedef {object} PageOptions
 * @property {any} [window]
 * @property {typeof connect} [connect]
 * @property {any} [EventSource]
 * @property {any} [fetch]
 * @property {(url: string) => Promise<any>} [importModule]
 * @property {() => number} [now]
 */
/**
 * Brings the page to life; its elements are those of `index.html`.
 *
 * @param {PageOptions} [options]
 */
export declare function startPage(options?: PageOptions): {
    connection: import("./connection.js").Connection;
    outputs: import("./outputs.js").Outputs;
};

/**
 * A module that did not come over the network is asked for again: the connection that broke while a page opened took it
 * along, and comes back by itself. A module that came and failed is not run twice.
 */
export type Connection = import("./connection.js").Connection;
/** @typedef {import("./connection.js").Connection} Connection */
/** How long after each attempt but the last, at least, until the next. */
export declare const IMPORT_AGAIN_MS: readonly number[];
/**
 * @template T
 * @param {() => Promise<T>} load
 * @param {Connection} connection where the module comes from; while it is down nothing is asked for
 * @param {AbortSignal} signal nobody needs it any more
 * @param {readonly number[]} [pausesMs]
 * @returns {Promise<T>}
 * @throws what the last attempt threw, or the first that was no matter of the network
 */
export declare function patiently<T>(load: () => Promise<T>, connection: Connection, signal: AbortSignal, pausesMs?: readonly number[]): Promise<T>;

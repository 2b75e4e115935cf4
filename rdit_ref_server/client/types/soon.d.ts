/**
 * "In a moment": after the microtasks of now, in a task of its own. A promise is too early, for what it settles goes on
 * in further microtasks. A timer is what costs least; but a page that nobody sees gets its timers once a second, after
 * a while once a minute, so there a message to oneself does it.
 */
/**
 * @param {AbortSignal} signal ends it: nothing is called any more
 * @param {{ visibilityState?: string } | null} document
 * @param {(callback: () => void, ms: number) => unknown} setTimeout
 * @returns {(callback: () => void) => void} calls back once for each call
 */
export declare function createSoon(signal: AbortSignal, document: {
    visibilityState?: string;
} | null, setTimeout: (callback: () => void, ms: number) => unknown): (callback: () => void) => void;

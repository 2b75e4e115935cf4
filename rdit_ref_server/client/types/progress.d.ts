/**
 * How far a script is: which statement of how many runs, and for how long.
 *
 * A script that is done in a blink shows nothing of this. What is shown takes no room that was not kept for it, so that
 * nothing moves under a pointer; and it is no live region, for it changes each second. Now and then it is announced.
 */
/** A run, and a statement, that takes no longer shows no progress. */
export declare const SHOWN_AFTER_MS = 400;
/** How often a run that goes on is announced. */
export declare const ANNOUNCED_EVERY_MS = 60000;
/** @param {number} ms @returns {string} as 0:05, 12:05 or 1:02:05 */
export declare function durationText(ms: number): string;
/**
 * @param {object} options
 * @param {any} options.window its document has the elements of `index.html`
 * @param {(text: string) => void} options.announce
 * @param {() => number} options.now milliseconds of a clock that does not jump
 */
export declare function createProgress({ window, announce, now }: {
    window: any;
    announce: (text: string) => void;
    now: () => number;
}): {
    /** A statement begins. @param {import("./outputs.js").ExecutionEvent} event */
    begin({ statement, total, elapsed_s: elapsedS }: import("./outputs.js").ExecutionEvent): void;
    /** Nothing runs any more. */
    end(): void;
    /** Says whether the page hears of what runs. @param {boolean} hears */
    hear(hears: boolean): void;
};

/**
 * What the reader of a page is told when an edit or a message did not become what they think it did.
 */
export type Fault = import("./model.js").Fault;
/**
 * @param {Fault} fault
 * @returns {string | null} null: it is told elsewhere
 */
export declare function noticeOf(fault: Fault): string | null;
/**
 * What the page's content security policy kept a widget's code from.
 *
 * @param {{ blockedURI: string, effectiveDirective: string }} violation
 * @param {string} [advice] what to do about the network; default: nothing can be done
 * @returns {string | null} null: nothing that a widget's user could do anything about
 */
export declare function violationNotice({ blockedURI, effectiveDirective }: {
    blockedURI: string;
    effectiveDirective: string;
}, advice?: string): string | null;
/**
 * What is said at a widget of a page that may see only.
 *
 * @param {Fault} fault
 */
export declare function readOnlyNotice({ property }: Fault): string;
export declare const GOING_AWAY_NOTICE = "The server is going away. This page connects again when it is back.";
/**
 * @param {import("./aftermath.js").Restarted} restarted
 * @returns {string}
 */
export declare function restartNotice({ reapplied, dropped, waiting, lost }: import("./aftermath.js").Restarted): string;
/**
 * @param {string[]} changed names of files
 * @returns {string}
 */
export declare function rerunNotice(changed: string[]): string;

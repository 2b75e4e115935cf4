/**
 * The life of a client of `rdit/1`, as a table: `TRANSITIONS[state][step]` is the next state. A pair that is not there
 * is a step that cannot happen.
 *
 * `suspect`: the transport is silent or out of step, and is being ended. `backoff`: waiting to dial, or for the page to
 * be shown again.
 */
export type SessionState = "idle" | "connecting" | "hello_sent" | "syncing" | "live" | "suspect" | "backoff" | "closed" | "failed";
export type StepAhead = "start" | "opened" | "welcomed" | "synced";
export type SessionStep = StepAhead | "silence" | "lost" | "suspend" | "retry" | "refused" | "leave";
/** @type {Readonly<Record<SessionState, Readonly<Partial<Record<SessionStep, SessionState>>>>>} */
export declare const TRANSITIONS: Readonly<Record<SessionState, Readonly<Partial<Record<SessionStep, SessionState>>>>>;
export type PageState = "connecting" | "live" | "offline" | "failed" | "closed";
/** @typedef {"connecting" | "live" | "offline" | "failed" | "closed"} PageState */
/** What a page shows. @type {Readonly<Record<SessionState, PageState>>} */
export declare const PAGE_STATES: Readonly<Record<SessionState, PageState>>;
/**
 * @param {SessionState} state
 * @param {SessionStep} step
 * @returns {SessionState}
 * @throws {Error} for a step that the table does not have: a mistake of whoever drives the session
 */
export declare function nextState(state: SessionState, step: SessionStep): SessionState;

/**
 * The life of a client of `rdit/1`, as a table: `TRANSITIONS[state][step]` is the next state. A pair that is not there
 * is a step that cannot happen.
 *
 * `suspect`: the transport is silent or out of step, and is being ended. `backoff`: waiting to dial, or for the page to
 * be shown again.
 */

/**
 * @typedef {"idle" | "connecting" | "hello_sent" | "syncing" | "live" | "suspect" | "backoff" | "closed" | "failed"}
 *   SessionState
 */
/**
 * @typedef {"start" | "opened" | "welcomed" | "synced"} StepAhead
 * @typedef {StepAhead | "silence" | "lost" | "suspend" | "retry" | "refused" | "leave"} SessionStep
 */

const WITH_TRANSPORT = /** @type {const} */ ({
  lost: "backoff",
  suspend: "backoff",
  refused: "failed",
  leave: "closed",
});

/** @type {Readonly<Record<SessionState, Readonly<Partial<Record<SessionStep, SessionState>>>>>} */
export const TRANSITIONS = {
  idle: { start: "connecting", leave: "closed" },
  connecting: { opened: "hello_sent", ...WITH_TRANSPORT },
  hello_sent: { welcomed: "syncing", silence: "suspect", ...WITH_TRANSPORT },
  syncing: { synced: "live", silence: "suspect", ...WITH_TRANSPORT },
  live: { silence: "suspect", ...WITH_TRANSPORT },
  suspect: WITH_TRANSPORT,
  // Why a server refused a socket is learnt by asking it, when the socket is gone already.
  backoff: { retry: "connecting", refused: "failed", leave: "closed" },
  closed: {},
  failed: {},
};

/** @typedef {"connecting" | "live" | "offline" | "failed" | "closed"} PageState */

/** What a page shows. @type {Readonly<Record<SessionState, PageState>>} */
export const PAGE_STATES = {
  idle: "connecting",
  connecting: "connecting",
  hello_sent: "connecting",
  syncing: "connecting",
  live: "live",
  suspect: "offline",
  backoff: "offline",
  closed: "closed",
  failed: "failed",
};

/**
 * @param {SessionState} state
 * @param {SessionStep} step
 * @returns {SessionState}
 * @throws {Error} for a step that the table does not have: a mistake of whoever drives the session
 */
export function nextState(state, step) {
  const next = TRANSITIONS[state][step];
  if (next === undefined) throw new Error(`A session that is ${state} cannot take "${step}"`);
  return next;
}

/**
 * When a client dials again, and when it takes silence for an answer: backoff, silence, probes. All times are
 * milliseconds of the session's clock.
 */

/**
 * Bounds and times. Those that the server has a say in come with its welcome.
 *
 * @type {Readonly<Record<"silenceMs" | "probeMs" | "dialMs" | "backoffBaseMs" | "backoffCapMs" | "stableMs" | "returnMs" |
 *   "unknownWidgetMs" | "maxQueuedMessages" | "maxQueuedMessageBytes" | "maxFrame" | "maxInflight" | "maxOps", number>>}
 */
export const LIMITS = Object.freeze({
  /** Silence for this long means that nobody is there. */
  silenceMs: 45_000,
  /** How long the answer to a probe may take. */
  probeMs: 5_000,
  /** How long a dial may take. A browser has a limit of its own, of minutes: a page would wait on a network that is back. */
  dialMs: 10_000,
  /** The first wait before dialling again is uniform between 0 and this; it doubles with each loss. */
  backoffBaseMs: 500,
  /** And grows no further than this. */
  backoffCapMs: 20_000,
  /** A connection that is live this long counts as good: the backoff starts anew. */
  stableMs: 5_000,
  /** Custom messages that wait while there is no connection; beyond, the oldest fail. */
  maxQueuedMessages: 256,
  /** And their bytes. One message may exceed it. */
  maxQueuedMessageBytes: 1024 * 1024,
  /** How long a page waits, after the server was started anew, for the widgets that it knew. */
  returnMs: 30_000,
  /** How long an edit of a widget that the server has not opened waits, while the connection is live. */
  unknownWidgetMs: 10_000,
  maxFrame: 64 * 1024 * 1024,
  maxInflight: 2,
  maxOps: 256,
});

/** @param {{ limits: typeof LIMITS, random: () => number }} options `random` is uniform in [0, 1) */
export function createTiming({ limits, random }) {
  let losses = 0;
  let retryAt = 0;
  let heardAt = 0;
  /** @type {number | null} */
  let liveAt = null;
  /** @type {number | null} When somebody was asked whether anybody is there, and has not answered. */
  let probedAt = null;
  let probes = 0;
  /** Somebody waits: a transport that does not come about is tried again at once. */
  let isHinted = false;

  return {
    /** How often a connection was lost since the last good one. */
    get losses() {
      return losses;
    },
    /** When to dial again. */
    get retryAt() {
      return retryAt;
    },
    get isProbing() {
      return probedAt !== null;
    },
    /** When the silence has lasted too long. */
    get silentAt() {
      return Math.min(heardAt + limits.silenceMs, (probedAt ?? Infinity) + limits.probeMs);
    },
    /** The transport is up. @param {number} now */
    opened(now) {
      heardAt = now;
    },
    /** Something came. @param {number} now */
    heard(now) {
      heardAt = now;
    },
    /** @param {number} now @returns {number} the probe's number */
    probe(now) {
      probes += 1;
      probedAt = now;
      return probes;
    },
    /**
     * Nothing else answers a probe: what was under way when it was sent says nothing about now.
     *
     * @param {number} id
     */
    answered(id) {
      if (id === probes) probedAt = null;
    },
    hint() {
      isHinted = true;
    },
    /** @param {number} now */
    becameLive(now) {
      isHinted = false;
      liveAt = now;
    },
    /** The transport is gone. */
    ended() {
      probedAt = null;
    },
    /** And is to be had again: sets `retryAt`. @param {number} now */
    lost(now) {
      if (liveAt !== null && now - liveAt >= limits.stableMs) losses = 0;
      liveAt = null;
      const ceiling = Math.min(limits.backoffCapMs, limits.backoffBaseMs * 2 ** losses);
      losses += 1;
      retryAt = isHinted ? now : now + random() * ceiling;
      isHinted = false;
    },
  };
}

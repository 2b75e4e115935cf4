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
export declare const LIMITS: Readonly<Record<"silenceMs" | "probeMs" | "dialMs" | "backoffBaseMs" | "backoffCapMs" | "stableMs" | "returnMs" | "unknownWidgetMs" | "maxQueuedMessages" | "maxQueuedMessageBytes" | "maxFrame" | "maxInflight" | "maxOps", number>>;
/** @param {{ limits: typeof LIMITS, random: () => number }} options `random` is uniform in [0, 1) */
export declare function createTiming({ limits, random }: {
    limits: typeof LIMITS;
    random: () => number;
}): {
    /** How often a connection was lost since the last good one. */
    readonly losses: number;
    /** When to dial again. */
    readonly retryAt: number;
    readonly isProbing: boolean;
    /** When the silence has lasted too long. */
    readonly silentAt: number;
    /** The transport is up. @param {number} now */
    opened(now: number): void;
    /** Something came. @param {number} now */
    heard(now: number): void;
    /** @param {number} now @returns {number} the probe's number */
    probe(now: number): number;
    /**
     * Nothing else answers a probe: what was under way when it was sent says nothing about now.
     *
     * @param {number} id
     */
    answered(id: number): void;
    hint(): void;
    /** @param {number} now */
    becameLive(now: number): void;
    /** The transport is gone. */
    ended(): void;
    /** And is to be had again: sets `retryAt`. @param {number} now */
    lost(now: number): void;
};

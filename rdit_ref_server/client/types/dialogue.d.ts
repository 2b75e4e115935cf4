/**
 * What is said on a connection: hello and welcome, state and its acknowledgement, probes, errors.
 *
 * A `sync` is acknowledged in the batch that leaves with the acknowledgement, or else in a frame of its own, before
 * all others.
 */
export type DialogueHost = {
    limits: typeof import("./timing.js").LIMITS;
    subscribe: "*" | string[];
    auth: unknown;
    state: import("./transitions.js").SessionState;
    now: number;
    step: (step: import("./transitions.js").SessionStep) => void;
    /**
     * takes a whole `sync`, and the welcome if it is the first
     */
    apply: (whole: any[], welcome: any) => void;
    edits: import("./edits.js").Edits;
    reports: import("./reports.js").Reports;
    sync: import("./sync.js").SyncState;
};
/**
 * @typedef {object} DialogueHost
 * @property {typeof import("./timing.js").LIMITS} limits
 * @property {"*" | string[]} subscribe
 * @property {unknown} auth
 * @property {import("./transitions.js").SessionState} state
 * @property {number} now
 * @property {(step: import("./transitions.js").SessionStep) => void} step
 * @property {(whole: any[], welcome: any) => void} apply takes a whole `sync`, and the welcome if it is the first
 * @property {import("./edits.js").Edits} edits
 * @property {import("./reports.js").Reports} reports
 * @property {import("./sync.js").SyncState} sync
 */
/**
 * @param {ReturnType<typeof import("./timing.js").createTiming>} timing
 * @param {import("./events.js").Events} events
 * @param {DialogueHost} host
 */
export declare function createDialogue(timing: ReturnType<typeof import("./timing.js").createTiming>, events: import("./events.js").Events, host: DialogueHost): {
    room: () => number;
    say: (message: Record<string, unknown>) => void;
    /** Whether an acknowledgement is all that there is to say: it can wait for a batch to go in, a moment. */
    readonly owesOnlyAck: boolean;
    receive: (data: string | ArrayBuffer | ArrayBufferView) => void;
    drain: () => (string | Uint8Array<ArrayBuffer>)[];
    /**
     * What may leave now is put into frames, and stays here.
     *
     * @param {() => (string | Uint8Array<ArrayBuffer>)[]} [more] what goes besides
     */
    keepDrained(more?: () => (string | Uint8Array<ArrayBuffer>)[]): void;
    /** A connection begins. */
    opened(): void;
    /** The transport is gone. */
    ended(): void;
};

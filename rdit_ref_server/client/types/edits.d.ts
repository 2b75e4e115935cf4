/**
 * A page's edits and messages, from where they are made to where Python has acknowledged them.
 *
 * An op waits for its widget to open (`early`), then in the queue, then in a batch that is under way. All that time its
 * slot is pending. A batch is sent again as it was until it is acknowledged; one that the server cannot read, as far as
 * can be told, is given up after the second time, for nothing behind it would ever arrive.
 *
 * A value is a snapshot of the moment at which it was saved, and one copy of its bytes is all that is made if it can
 * leave at once: the one in the frame. That is why `newOp` takes values whose bytes are the widget's still, and
 * `settleCopies` has to follow before any code of a widget runs.
 */
export type Batch = import("./batches.js").Batch;
export type Op = import("./batches.js").Op;
export type Encoded = import("./frames.js").Encoded;
export type Entry = import("./widgets.js").Entry;
export type Slot = import("./widgets.js").Slot;
export type EditsHost = {
    limits: typeof import("./timing.js").LIMITS;
    /**
     * what the ops of one batch may take, in bytes
     */
    room: () => number;
    faultOf: (op: Op, code: string, message: string, cause?: string) => void;
    shown: Pick<import("./shown.js").Shown, "settle" | "refuse">;
};
export type Edits = ReturnType<typeof createEdits>;
/**
 * @typedef {object} EditsHost
 * @property {typeof import("./timing.js").LIMITS} limits
 * @property {() => number} room what the ops of one batch may take, in bytes
 * @property {(op: Op, code: string, message: string, cause?: string) => void} faultOf
 * @property {Pick<import("./shown.js").Shown, "settle" | "refuse">} shown
 */
/** @typedef {ReturnType<typeof createEdits>} Edits */
/**
 * Of each slot the last edit, in order.
 *
 * @param {readonly Op[]} ops
 */
export declare function lastEdits(ops: readonly Op[]): Map<import("./widgets.js").Slot, import("./batches.js").Op>;
/** @param {EditsHost} host */
export declare function createEdits({ limits, room, faultOf, shown }: EditsHost): {
    queue: {
        push: (op: import("./batches.js").Op) => void;
        remove: (op: import("./batches.js").Op) => void;
        readonly size: number;
        has: (op: import("./batches.js").Op) => boolean;
        takeAll(): import("./batches.js").Op[];
        overflow(maxCount: number, maxBytes: number): import("./batches.js").Op | null;
        joinSegments(): void;
        take({ maxOps, maxBytes }: {
            maxOps: number;
            maxBytes: number;
        }): import("./batches.js").Op[];
    };
    readonly isIdle: boolean;
    /** Edits of one group are not torn apart. */
    newGroup: () => number;
    /** @param {Entry} entry @param {Slot | null} slot @param {Encoded} value @param {number} group @returns {Op} */
    newOp(entry: Entry, slot: Slot | null, value: Encoded, group: number): Op;
    /** Ops that were put and have not left get copies of their bytes. @param {readonly Op[]} ops */
    settleCopies(ops: readonly Op[]): void;
    /** @param {Op} op */
    put(op: Op): void;
    putEarly: (op: Op) => void;
    takeEarly: (entry: Entry) => Op[];
    refuse: (op: Op, code: string, message: string) => void;
    dropOverflow(): void;
    /** Whether something may leave while live. */
    readonly wantsToSend: boolean;
    /** What may leave while live. */
    framesToSend(): (string | Uint8Array<ArrayBuffer>)[];
    /** The page leaves: all of it goes, and nobody will be there to hear what became of it. */
    lastFrames(): (string | Uint8Array<ArrayBuffer>)[];
    /** A connection is live again: what is under way goes out again. */
    resend(): void;
    /** The transport is gone. */
    ended(): void;
    /** A session of the server's begins, with its own numbers: the next batch follows this one. @param {number} ack */
    countFrom(ack: number): void;
    /** @param {number} of @param {number} index @returns {Op | undefined} */
    sentOp: (of: number, index: number) => Op | undefined;
    /** The batches under way, by number. */
    bySeq: () => Map<number, import("./batches.js").Batch>;
    /** @param {number} ack @returns {Map<Slot, Op>} the slots of what is done, and the last edit of each */
    acknowledge(ack: number): Map<Slot, Op>;
    takeInflight: () => Op[];
    /**
     * A frame of ours was no message for the server, perhaps this batch.
     *
     * @param {number | null | undefined} of its number; null: the oldest
     * @returns {boolean} whether there is such a batch
     */
    strike(of: number | null | undefined): boolean;
    /** Nothing will be sent any more. @param {Entry[]} entries @param {string} message */
    giveUp(entries: Entry[], message: string): void;
};

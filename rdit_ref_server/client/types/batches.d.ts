/**
 * The edits and messages of one page that have not left yet, and the batches they leave in.
 *
 * Edits of one slot merge: the later one replaces the earlier and moves to the end. Not across a custom message, for
 * Python is to see the state in which the message was sent. What is waiting is so bounded by the number of slots.
 *
 * A batch holds whole groups (a group is one `save_changes`), as many as the server's limits allow; only a group that
 * is too large by itself is split. Once cut, a batch never changes, and its frame is where the bytes of its ops are:
 * nothing keeps a second copy of them.
 */
export type Encoded = import("./frames.js").Encoded;
export type Fault = import("./model.js").Fault;
export type Entry = import("./widgets.js").Entry;
export type Slot = import("./widgets.js").Slot;
export type Op = {
    entry: Entry;
    /**
     * of the widget that it was made for
     */
    inst: number;
    /**
     * null: a custom message
     */
    slot: Slot | null;
    /**
     * the message's content, if it is one
     */
    value: Encoded;
    /**
     * of a message
     */
    buffers: readonly Uint8Array[];
    /**
     * its bytes are the widget's, which may edit them when it runs next
     */
    isBorrowed?: boolean;
    /**
     * what the widget saved; only to be recognized
     */
    source: unknown;
    ifRev: number | null;
    /**
     * of the batches that it was in
     */
    strikes: number;
    group: number;
    /**
     * the number of messages that were queued before it
     */
    segment: number;
    onfail: ((fault: Fault) => void) | undefined;
};
export type Batch = {
    seq: number;
    ops: readonly Op[];
    frame: string | Uint8Array<ArrayBuffer>;
    strikes: number;
};
/** @param {Op} op @returns {number} at least what it takes in a frame, in bytes */
export declare function sizeOf({ slot, value, buffers }: Op): number;
/**
 * Gives an op bytes of its own.
 *
 * @param {Op} op
 */
export declare function ownCopy(op: Op): void;
/**
 * A batch of text that acknowledges a `sync` besides. What is kept, to be sent again, is the batch without.
 *
 * @param {string} frame
 * @param {number} syncAck
 */
export declare function withSyncAck(frame: string, syncAck: number): string;
/**
 * One frame for some ops. From here on their bytes are views of it.
 *
 * @param {number} seq
 * @param {readonly Op[]} ops
 * @returns {string | Uint8Array<ArrayBuffer>}
 */
export declare function encodeBatch(seq: number, ops: readonly Op[]): string | Uint8Array<ArrayBuffer>;
/** What waits, in order. */
export declare function createQueue(): {
    push: (op: Op) => void;
    remove: (op: Op) => void;
    readonly size: number;
    /** @param {Op} op */
    has: (op: Op) => boolean;
    /** Empties it. @returns {Op[]} what was in it */
    takeAll(): Op[];
    /** The oldest message, if there are too many. @param {number} maxCount @param {number} maxBytes */
    overflow(maxCount: number, maxBytes: number): Op | null;
    /** A message is gone that kept edits apart: of a slot that is on both sides of it, the later edit counts. */
    joinSegments(): void;
    /**
     * Takes the ops of the next batch out; they count as pending still. One op goes whatever its size.
     *
     * @param {{ maxOps: number, maxBytes: number }} limits
     * @returns {Op[]}
     */
    take({ maxOps, maxBytes }: {
        maxOps: number;
        maxBytes: number;
    }): Op[];
};

/**
 * What a server says of its state, and how it is applied.
 *
 * A `sync` applies as a whole, however many parts it comes in: everything is stored before a model's listener runs. The
 * first one after a welcome decides what becomes of a session that is gone (`aftermath.js`), and only with it the new
 * session is ours: until then, a further hello names the old one.
 */
export type Restarted = import("./aftermath.js").Restarted;
export type Op = import("./batches.js").Op;
export type Entry = import("./widgets.js").Entry;
export type Slot = import("./widgets.js").Slot;
export type Same = [string, number, string, number, number, number];
export type SyncHost = {
    edits: import("./edits.js").Edits;
    widgets: import("./widgets.js").Widgets;
    shown: import("./shown.js").Shown;
    events: import("./events.js").Events;
    isOver: () => boolean;
    /**
     * before any listener runs
     */
    becameLive: () => void;
};
export type SyncState = ReturnType<typeof createSync>;
/** @param {SyncHost} host */
export declare function createSync({ edits, widgets, shown, events, isOver, becameLive }: SyncHost): {
    readonly hasCredentials: boolean;
    /** What a hello names. */
    readonly resume: {
        epoch: string;
        session: string;
        secret: string;
        rev: number;
    } | null;
    replaced(): void;
    /** A connection begins: its frames count from 1. */
    restartCount(): void;
    /** The transport is gone, and with it what was to come of a `sync`. */
    ended(): void;
    /**
     * Whether a part is what comes next, and all that it refers to is here. Otherwise something was lost: what we have
     * is no state of the server's, and resuming brings what is missing.
     *
     * @param {any} part
     * @returns {"next" | "gap" | "unknown"} unknown: a batch arrived that we gave up
     */
    judge(part: any): "next" | "gap" | "unknown";
    /**
     * @param {any} part
     * @returns {any[] | null} the whole `sync`, with its last part
     */
    collect(part: any): any[] | null;
    apply: (whole: any[], welcome: any) => boolean;
};

/**
 * The widgets that a session knows, and what Python has confirmed of each.
 *
 * A widget is open when the server has said so: then it has an incarnation, `inst`, and what is said of another
 * incarnation is not about it. Before, there may be edits of it that wait. After another server was started it is
 * *stale* until that one opens an equal one, of the same id and kind; then its model goes on. One that is missing in
 * the first `sync` of the new server is *absent*, and may still come for a while.
 */
export type Op = import("./batches.js").Op;
export type WidgetData = import("./exchange.js").WidgetData;
export type Model = import("./model.js").Model;
export type Slot = {
    entry: Entry;
    property: string;
    /**
     * what Python has, as far as we know; never handed out
     */
    confirmed: {
        readonly value: any;
        rev: number;
    } | null;
    /**
     * what the page shows, or showed when it was edited, if that is looked at
     */
    seenRev: number;
    /**
     * ops that wait or are unacknowledged
     */
    pending: number;
    /**
     * the last one that waits
     */
    queued: Op | null;
};
export type Entry = {
    widgetId: string;
    /**
     * null: the server has not opened it yet
     */
    inst: number | null;
    kind: string | null;
    /**
     * from before the server was started anew: it has not come back yet
     */
    isStale: boolean;
    isClosed: boolean;
    writable: ReadonlySet<string>;
    /**
     * properties that are written only as this page saw them
     */
    ifUnchanged: ReadonlySet<string>;
    slots: Map<string, Slot>;
    model: Model | null;
    widgetData: WidgetData;
    /**
     * what waits for the widget to open
     */
    early: Op[];
};
export type WidgetsHost = {
    /**
     * where the models send
     */
    channel: import("./model.js").Channel;
    profile?: import("./model.js").Profile;
    /**
     * of the models
     */
    onerror: (fault: import("./model.js").Fault) => void;
    getModel: (id: string) => Promise<Model>;
    tell: (event: import("./events.js").SessionEvent) => void;
    /**
     * what waited for it may go; `isBack`: it was absent
     */
    opened: (entry: Entry, isBack: boolean) => void;
    /**
     * what waited for it never will
     */
    closed: (entry: Entry) => void;
    shown: Pick<import("./shown.js").Shown, "settle" | "isCertain">;
};
export type Widgets = ReturnType<typeof createWidgets>;
/** @typedef {import("./batches.js").Op} Op */
/** @typedef {import("./exchange.js").WidgetData} WidgetData */
/** @typedef {import("./model.js").Model} Model */
/**
 * One property of one widget.
 *
 * @typedef {object} Slot
 * @property {Entry} entry
 * @property {string} property
 * @property {{ readonly value: any, rev: number } | null} confirmed what Python has, as far as we know; never handed out
 * @property {number} seenRev what the page shows, or showed when it was edited, if that is looked at
 * @property {number} pending ops that wait or are unacknowledged
 * @property {Op | null} queued the last one that waits
 */
/**
 * One widget, as its session knows it.
 *
 * @typedef {object} Entry
 * @property {string} widgetId
 * @property {number | null} inst null: the server has not opened it yet
 * @property {string | null} kind
 * @property {boolean} isStale from before the server was started anew: it has not come back yet
 * @property {boolean} isClosed
 * @property {ReadonlySet<string>} writable
 * @property {ReadonlySet<string>} ifUnchanged properties that are written only as this page saw them
 * @property {Map<string, Slot>} slots
 * @property {Model | null} model
 * @property {WidgetData} widgetData
 * @property {Op[]} early what waits for the widget to open
 */
/**
 * @typedef {object} WidgetsHost
 * @property {import("./model.js").Channel} channel where the models send
 * @property {import("./model.js").Profile} [profile]
 * @property {(fault: import("./model.js").Fault) => void} onerror of the models
 * @property {(id: string) => Promise<Model>} getModel
 * @property {(event: import("./events.js").SessionEvent) => void} tell
 * @property {(entry: Entry, isBack: boolean) => void} opened what waited for it may go; `isBack`: it was absent
 * @property {(entry: Entry) => void} closed what waited for it never will
 * @property {Pick<import("./shown.js").Shown, "settle" | "isCertain">} shown
 */
/** @typedef {ReturnType<typeof createWidgets>} Widgets */
/** @param {WidgetsHost} host */
export declare function createWidgets(host: WidgetsHost): {
    /** @param {string} widgetId */
    get: (widgetId: string) => Entry | undefined;
    /** @param {string} widgetId */
    named: (widgetId: string) => Entry;
    all: () => Entry[];
    slotOf: (entry: Entry, property: string) => Slot;
    makeModel: (entry: Entry, values: Record<string, unknown>) => Model;
    makeConfirmedModel: (entry: Entry) => import("./model.js").Model;
    open: (opened: any, closing: Entry[]) => void;
    close: (entry: Entry | undefined, inst: number | null, closing: Entry[]) => void;
    /**
     * @param {string} widgetId
     * @param {number} inst
     * @param {string} property
     * @param {NonNullable<Slot["confirmed"]>} confirmed
     * @returns {Slot | null} the slot, if it was news
     */
    change(widgetId: string, inst: number, property: string, confirmed: NonNullable<Slot["confirmed"]>): Slot | null;
    /** @param {[string, number][]} live what there is besides the stale @param {Entry[]} closing */
    closeUnlisted(live: [string, number][], closing: Entry[]): void;
    /** @param {Slot} slot The last edit of a widget that is gone is settled. */
    forgetClosed(slot: Slot): void;
    clear: () => void;
    /** Another server: nothing that the old one confirmed holds. */
    makeStale(): void;
    /** The first `sync` of the new server is there: what it did not open is absent. */
    noteAbsent(): void;
    readonly hasAbsent: boolean;
    /** What is absent still is not to come. */
    giveUpAbsent(): void;
};

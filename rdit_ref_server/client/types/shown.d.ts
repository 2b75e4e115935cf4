/**
 * What the models show, and who else is told.
 *
 * A slot whose edits are all done shows what Python has: the value that was sent, or the one that a validator made of
 * it, or the old one if it was refused. Which slots those are is collected while a `sync` is applied; then `stage`
 * stores everything, and only then does any listener run.
 *
 * `confirmed` is never handed out: a widget gets a copy, whose bytes are its own to edit, so that what it does to them
 * cannot be taken for what Python has. The copy is the only one that is made of what arrives: `confirmed` itself is a
 * view of the frame.
 *
 * Values are compared by content, because widgets edit in place what they were given. Two cases need no look at the
 * bytes, and large values are the reason to tell them apart: a model that was made of the confirmed values just now;
 * and a value that Python took as it was, while the model shows the very object that was saved.
 */
export type Op = import("./batches.js").Op;
export type Fault = import("./model.js").Fault;
export type Model = import("./model.js").Model;
export type Entry = import("./widgets.js").Entry;
export type Slot = import("./widgets.js").Slot;
export type Receiver = {
    handleRemoteUpdate: (property: string, value: unknown) => void;
    handleMessage?: (content: unknown, buffers: DataView[]) => void;
    get?: (property: string) => unknown;
};
export type Shown = ReturnType<typeof createShown>;
/** @typedef {import("./batches.js").Op} Op */
/** @typedef {import("./model.js").Fault} Fault */
/** @typedef {import("./model.js").Model} Model */
/** @typedef {import("./widgets.js").Entry} Entry */
/** @typedef {import("./widgets.js").Slot} Slot */
/** @typedef {{ handleRemoteUpdate: (property: string, value: unknown) => void,
 *   handleMessage?: (content: unknown, buffers: DataView[]) => void, get?: (property: string) => unknown }} Receiver */
/** @typedef {ReturnType<typeof createShown>} Shown */
/**
 * @param {object} host
 * @param {(detail: Fault) => void} host.fault
 * @param {(slot: Slot) => void} host.forget a closed widget's slot is settled
 */
export declare function createShown({ fault, forget }: {
    fault: (detail: Fault) => void;
    forget: (slot: Slot) => void;
}): {
    /** The slot is to be looked at when the `sync` is applied. @param {Slot} slot */
    settle: (slot: Slot) => undefined;
    /** An edit was refused before it left: the next `showRefused` is to look at its slot. @param {Slot} slot */
    refuse: (slot: Slot) => undefined;
    /** The model shows what is confirmed now; nobody need compare. @param {Slot} slot */
    isCertain: (slot: Slot) => undefined;
    /** What the page shows stays. @param {Slot} slot */
    keep: (slot: Slot) => undefined;
    forgetSettled: () => void;
    /** @param {ReadonlyMap<Slot, Op>} acknowledged */
    stageSettled: (acknowledged: ReadonlyMap<Slot, Op>) => (() => void)[];
    /** Outside of a `sync`. */
    showRefused(): void;
    /** @param {string} widgetId @param {Receiver} receiver @param {Iterable<Slot>} slots @returns {() => void} */
    attach(widgetId: string, receiver: Receiver, slots: Iterable<Slot>): () => void;
    /** Everybody gets a copy. @param {Model} model @param {unknown} content @param {DataView[]} buffers */
    deliver(model: Model, content: unknown, buffers: DataView[]): void;
    readonly receivers: [string, Set<Receiver>][];
};

/**
 * One page load in `rdit/1`, without a socket, a clock or chance: what the page shows, what Python has confirmed, which
 * edits wait and which are under way, and how all of it survives a connection that is lost.
 *
 * The driver owns the transport. Its duties, after every call of a verb and whenever `wakeup` was called:
 * - send what `framesToSend` gives, in order;
 * - dial when `wantsTransport` says so and there is none, then call `opened`, or `eof` when it did not work;
 * - end the transport when `wantsClose` says so, after what was to send, then call `eof`;
 * - pass on `eventsReceived`; call `handleTimeout` when `nextDeadline` is reached.
 * All times are milliseconds of one monotonic clock.
 *
 * The rules, per slot (a property of a widget):
 * - An edit is shown at once and is *pending* until the batch that carries it is acknowledged. Values of Python's for a
 *   pending slot are kept and not shown: the model would jump back under the user's hand.
 * - A slot that is not pending any more shows what Python has: the value that was sent, or the one that a validator
 *   made of it, or the old one if it was refused.
 * - A `sync` applies as a whole: everything is stored before a model's listener runs.
 *
 * What became of a lost connection's edits is decided with the first `sync` of the next one: if the session goes on,
 * the batches that were not acknowledged are sent again, unchanged, and the server knows which of them it has seen.
 *
 * Here is the life of the connection. Of the rest each has its noun: `channel.js` takes what the page asks, `edits.js`
 * carries it, `dialogue.js` says it, `sync.js` applies what comes to `widgets.js`, `shown.js` has the models show it.
 */
import { LIMITS } from "./timing.js";
export type Fault = import("./model.js").Fault;
export type Model = import("./model.js").Model;
export type SessionState = import("./transitions.js").SessionState;
export type SessionStep = import("./transitions.js").SessionStep;
export type SessionOptions = {
    /**
     * uniform in [0, 1)
     */
    random: () => number;
    /**
     * of the models
     */
    profile?: import("./model.js").Profile;
    /**
     * what becomes of edits made while there was no connection
     */
    policy?: "replay" | "drop";
    limits?: Partial<typeof LIMITS>;
    subscribe?: "*" | string[];
    auth?: unknown;
    /**
     * called when there may be something to send or to tell, outside of the driver's calls
     */
    wakeup?: () => void;
    getModel?: (id: string) => Promise<Model>;
    /**
     * where the models send; default: here
     */
    channel?: import("./model.js").Channel;
};
export type Session = ReturnType<typeof createSession>;
/**
 * @typedef {object} SessionOptions
 * @property {() => number} random uniform in [0, 1)
 * @property {import("./model.js").Profile} [profile] of the models
 * @property {"replay" | "drop"} [policy] what becomes of edits made while there was no connection
 * @property {Partial<typeof LIMITS>} [limits]
 * @property {"*" | string[]} [subscribe]
 * @property {unknown} [auth]
 * @property {() => void} [wakeup] called when there may be something to send or to tell, outside of the driver's calls
 * @property {(id: string) => Promise<Model>} [getModel]
 * @property {import("./model.js").Channel} [channel] where the models send; default: here
 */
/** @typedef {ReturnType<typeof createSession>} Session */
/** @param {SessionOptions} options */
export declare function createSession({ random, profile, policy, limits: chosenLimits, subscribe, auth, wakeup, getModel, channel: givenChannel, }: SessionOptions): {
    sendUpdate: (widgetId: string, property: string, value: unknown) => void;
    sendUpdates: (widgetId: string, entries: Iterable<readonly [string, unknown]>) => void;
    sendMessage: (widgetId: string, content: unknown, buffers?: readonly unknown[], onfail?: (fault: import("./model.js").Fault) => void) => boolean;
    isPending: (widgetId: string, property: string) => boolean;
    model: (widgetId: string) => import("./model.js").Model | undefined;
    isOpen: (widgetId: string) => boolean;
    widgetData: (widgetId: string) => import("./channel.js").WidgetData | undefined;
    models: () => import("./channel.js").Model[];
    open(widgetData: import("./channel.js").WidgetData, values: Record<string, unknown>): import("./model.js").Model;
    closeModel(widgetId: string): void;
    closeModels(): void;
    attach: (widgetId: string, receiver: import("./channel.js").Receiver) => () => void;
    handOver(): {
        models: {
            model: import("./model.js").Model;
            widgetData: import("./exchange.js").WidgetData;
        }[];
        receivers: [string, Set<import("./shown.js").Receiver>][];
        edits: (readonly [string, string, any])[];
        messages: import("./batches.js").Op[];
    };
    limits: {
        backoffBaseMs: number;
        backoffCapMs: number;
        dialMs: number;
        maxFrame: number;
        maxInflight: number;
        maxOps: number;
        maxQueuedMessageBytes: number;
        maxQueuedMessages: number;
        probeMs: number;
        returnMs: number;
        silenceMs: number;
        stableMs: number;
        unknownWidgetMs: number;
    };
    state: import("./transitions.js").SessionState;
    pageState: import("./transitions.js").PageState;
    failure: {
        code: number;
        message: string;
    } | null;
    isIdle: boolean;
    wantsTransport: boolean;
    wantsClose: boolean;
    hasBeenLive: boolean;
    owesOnlyAck: boolean;
    losses: number;
    /** @param {number} nowMs */
    start(nowMs: number): void;
    /** The transport is up. @param {number} nowMs */
    opened(nowMs: number): void;
    /** @param {string | ArrayBuffer | ArrayBufferView} data @param {number} nowMs */
    receive(data: string | ArrayBuffer | ArrayBufferView, nowMs: number): void;
    /**
     * The transport is gone, or could not be had.
     *
     * @param {number} nowMs
     * @param {number | null} [code]
     * @param {string} [reason]
     */
    eof(nowMs: number, code?: number | null, reason?: string): void;
    /**
     * Why the server lets nobody in was learnt elsewhere.
     *
     * @param {number} nowMs
     * @param {{ code: number, message: string }} why
     */
    refuse(nowMs: number, why: {
        code: number;
        message: string;
    }): void;
    framesToSend(): (string | Uint8Array<ArrayBuffer>)[];
    eventsReceived: () => import("./events.js").SessionEvent[];
    nextDeadline(): number | null;
    /** Does what is due; harmless when nothing is. @param {number} nowMs */
    handleTimeout(nowMs: number): void;
    /**
     * The network is back, or somebody looks at the page: dial at once, or see whether anybody is there.
     *
     * @param {number} nowMs
     */
    hintOnline(nowMs: number): void;
    /** The page is kept for "back": it gives its transport up, and its session lives on. @param {number} nowMs */
    suspend(nowMs: number): void;
    /** The page is shown again. @param {number} nowMs */
    restore(nowMs: number): void;
    /** The page leaves for good. @param {number} nowMs @param {string} [reason] */
    leave(nowMs: number, reason?: string): void;
    /**
     * An error in a widget's code, for Python's eyes. Some wait until the connection is live.
     *
     * @param {string} widgetId
     * @param {string} stage
     * @param {string} message
     * @param {string} [stack]
     */
    report(widgetId: string, stage: string, message: string, stack?: string): void;
    /** The subscribers are told of something that went wrong on the page. @param {Fault} detail */
    fault: (detail: Fault) => void;
};

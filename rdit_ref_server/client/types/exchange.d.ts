/**
 * The protocol of one page's edits and Python's pushes, without a socket: which edits wait, which are unanswered, which
 * remote values are hidden, which model a push belongs to. Whoever has a socket says when frames can leave
 * (`wentLive`), when they cannot (`wentDown`), and brings those that arrive (`receive`).
 *
 * The rules, per property:
 * - An edit leaves at once while the connection is live and fewer than two edits of the property are unanswered; else
 *   it waits, and a later edit of the property replaces it. What waits is bounded by the number of properties.
 * - Each update that was sent gets one reply, in order. When the connection is lost, the unanswered ones wait again,
 *   unless a later edit of the property is waiting already.
 * - While an edit waits or is unanswered, values that Python pushes for the property are ignored: the model would jump
 *   back under the user's hand. The server pushes the standing value once more after the last edit.
 */
export type Fault = import("./model.js").Fault;
export type Model = import("./model.js").Model;
export type Profile = import("./model.js").Profile;
export type Receiver = {
    handleRemoteUpdate: (property: string, value: unknown) => void;
};
export type WidgetData = {
    widget_id: string;
    /**
     * its state; bytes are `{"$b64": "..."}` at their path
     */
    model: Record<string, any>;
    /**
     * the text of its module, or an http(s) URL
     */
    esm?: string;
    /**
     * where its module is served, relative to the connection's `baseUrl`
     */
    esm_url?: string;
    /**
     * text, or an http(s) URL
     */
    css?: string | null;
    /**
     * of the Python object
     */
    class_name?: string;
};
/** @typedef {import("./model.js").Fault} Fault */
/** @typedef {import("./model.js").Model} Model */
/** @typedef {import("./model.js").Profile} Profile */
/** @typedef {{ handleRemoteUpdate: (property: string, value: unknown) => void }} Receiver */
/**
 * A widget as the server serializes it.
 *
 * @typedef {object} WidgetData
 * @property {string} widget_id
 * @property {Record<string, any>} model its state; bytes are `{"$b64": "..."}` at their path
 * @property {string} [esm] the text of its module, or an http(s) URL
 * @property {string} [esm_url] where its module is served, relative to the connection's `baseUrl`
 * @property {string | null} [css] text, or an http(s) URL
 * @property {string} [class_name] of the Python object
 */
/** Edits of one property that may be unanswered at a time; the next one waits and merges. */
export declare const MAX_UNANSWERED_PER_SLOT = 2;
/** Values kept for widgets that are not open yet. */
export declare const MAX_HELD_SLOTS = 10000;
export type Edit = {
    slot: string;
    widgetId: string;
    property: string;
    frame: string;
};
export type Exchange = {
    /**
     * of the events `error`, `idle`, `open` and `output`
     */
    emitter: import("./emitter.js").Emitter;
    /**
     * emits an event, in order with the others
     */
    tell: (name: string, detail: unknown) => void;
    /**
     * no edit waits and none is unanswered
     */
    isIdle: () => boolean;
    /**
     * tells the subscribers of `error`
     */
    report: (fault: Fault) => void;
    /**
     * frames can leave from here on
     */
    wentLive: (send: (frame: string) => void) => void;
    /**
     * frames cannot leave any more, and no reply to those that left will come
     */
    wentDown: () => void;
    receive: (frame: string) => void;
    /**
     * sends all that waits, as the page goes away
     */
    flush: () => void;
    /**
     * gives up the longest unanswered edit: no socket will ever carry it
     */
    dropLongest: () => void;
    /**
     * takes no edits any more, and reports those that were not answered
     */
    end: (reason: string) => void;
    /**
     * closes the models, forgets the receivers and the edits that wait
     */
    forget: () => void;
    closeModels: () => void;
    sendUpdate: (widgetId: string, property: string, value: unknown) => void;
    /**
     * one frame, as a WebSocket would; an update takes the way of all edits
     */
    send: (text: string) => void;
    /**
     * the same id gives the same model
     */
    open: (widgetData: WidgetData) => Model;
    /**
     * opens a model that was made already
     */
    adopt: (model: Model, widgetData: WidgetData) => void;
    model: (widgetId: string) => Model | undefined;
    widgetData: (widgetId: string) => WidgetData | undefined;
    closeModel: (widgetId: string) => void;
    /**
     * delivers pushes to a model of one's own
     */
    attach: (widgetId: string, receiver: Receiver) => () => void;
};
/**
 * @param {object} options
 * @param {Profile} [options.profile]
 * @param {number} [options.maxHeldSlots]
 * @param {(id: string) => Promise<Model>} options.getModel
 * @param {import("./emitter.js").Teller} [options.teller] where to tell; default: one of its own
 * @returns {Exchange}
 */
export declare function createExchange({ profile, maxHeldSlots, getModel, teller }: {
    profile?: Profile;
    maxHeldSlots?: number;
    getModel: (id: string) => Promise<Model>;
    teller?: import("./emitter.js").Teller;
}): Exchange;

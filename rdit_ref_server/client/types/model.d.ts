/**
 * The model that a widget's code talks to.
 *
 * Two shapes of one idea. `createModel` has the semantics of the AFM contract: `set` is local and visible at once,
 * `save_changes` sends, listeners belong to the hook that added them. `WidgetModel` is the class of the first design:
 * `set` sends at once and listeners get the value. Neither knows sockets; both write to a channel.
 */
export type Handler = import("./emitter.js").Handler;
export type Channel = {
    sendUpdate: (widgetId: string, property: string, value: unknown) => void;
    /**
     * Several edits that arrive together or not at all. What cannot be sent is left out; its error is thrown at the end.
     */
    sendUpdates?: (widgetId: string, entries: Iterable<readonly [string, unknown]>) => void;
    sendMessage?: SendMessage;
    /**
     * Whether an edit of the property is under way: then an equal value is an edit too, for it decides what stands last.
     */
    isPending?: (widgetId: string, property: string) => boolean;
};
export type SendMessage = (widgetId: string, content: unknown, buffers?: readonly unknown[], onfail?: (fault: Fault) => void) => boolean;
export type Fault = {
    /**
     * stable snake_case name, e.g. "listener_failed", "unsupported"
     */
    code: string;
    message: string;
    widget_id?: string;
    property?: string;
    /**
     * the exception behind it, if there is one
     */
    error?: unknown;
    /**
     * "restart": the server was started anew, which is told besides
     */
    cause?: string;
};
export type Profile = "compat" | "strict";
export type WidgetManager = {
    get_model: (id: string) => Promise<ScopedModel>;
};
export type ScopedModel = {
    /**
     * keys are strings; AFM's types are written for every key of an object
     */
    get: (key: PropertyKey) => any;
    set: (key: PropertyKey | Record<string, unknown>, value?: unknown) => void;
    save_changes: () => void;
    send: (content: unknown, callbacks?: unknown, buffers?: unknown[]) => void;
    on: (name: string, callback: Handler) => void;
    off: (name?: string | null, callback?: Handler | null) => void;
    widget_manager: WidgetManager;
    /**
     * what the last update changed, as Backbone's models say it; not in
     * the profile "strict"
     */
    changed?: Readonly<Record<string, unknown>>;
};
export type ModelExtras = {
    widgetId: string;
    /**
     * aborts when the model is closed
     */
    signal: AbortSignal;
    /**
     * A face of the model whose listeners are its own: `off()` drops only those, and they go when `signal` aborts.
     */
    scope: (signal?: AbortSignal) => ScopedModel;
    handleRemoteUpdate: (property: string, value: unknown) => void;
    /**
     * All values are stored before the first event fires.
     */
    applyRemote: (values: Iterable<readonly [string, unknown]>) => void;
    /**
     * As `applyRemote`, but the events fire when the returned function is called.
     */
    stageRemote: (values: Iterable<readonly [string, unknown]>) => () => void;
    /**
     * whether it was set here and not saved
     */
    isDirty: (property: string) => boolean;
    keys: () => string[];
    /**
     * as `get`, for whoever leaves the value as it is
     */
    peek: (property: string) => any;
    /**
     * fires `msg:custom`
     */
    handleMessage: (content: unknown, buffers: DataView[]) => void;
    /**
     * Gets every message as it comes, those too that are kept back; until the returned function is called.
     */
    tapMessages: (tap: (content: any, buffers: DataView[]) => void) => () => void;
    /**
     * keeps messages back while the widget's code starts
     */
    holdMessages: (until: Promise<unknown>) => void;
    sendMessage: (content: unknown, buffers?: readonly unknown[], onfail?: (fault: Fault) => void) => boolean;
    /**
     * ends it: from here on it sends nothing
     */
    close: () => void;
};
export type Model = ScopedModel & ModelExtras;
export type ModelOptions = {
    /**
     * "compat" (default) passes Backbone's arguments to change callbacks, "strict" none
     */
    profile?: Profile;
    /**
     * `set` sends at once, without `save_changes`
     */
    autosave?: boolean;
    onerror?: (fault: Fault) => void;
    widgetManager?: {
        get_model: (id: string) => Promise<Model>;
    };
};
/** Messages kept for a model that nobody listens to yet; beyond, the oldest are forgotten. */
export declare const MAX_HELD_MESSAGES = 1000;
/** @param {unknown} error */
export declare function messageOf(error: unknown): string;
/**
 * Makes a model with the semantics of the AFM contract.
 *
 * @param {string} widgetId
 * @param {Record<string, unknown>} state copied, one level deep
 * @param {Channel} channel
 * @param {ModelOptions} [options]
 * @returns {Model}
 */
export declare function createModel(widgetId: string, state: Record<string, unknown>, channel: Channel, options?: ModelOptions): Model;
/**
 * The model of the first design: `set` sends at once, listeners get the value, the owner of the socket calls
 * `handleRemoteUpdate`. `ws` is a WebSocket, anything with `send(text)`, or a connection made by `connect`; the last
 * one also delivers what Python changes.
 */
export declare class WidgetModel {
    #private;
    /**
     * @param {string} widgetId
     * @param {Record<string, unknown>} initialState copied, one level deep
     * @param {{ send: (text: string) => void } | Channel} ws
     */
    constructor(widgetId: string, initialState: Record<string, unknown>, ws: {
        send: (text: string) => void;
    } | Channel);
    /** @returns {WidgetManager} */
    get widget_manager(): WidgetManager;
    /** @param {PropertyKey} key a string, as in `set`; see ScopedModel @returns {any} */
    get(key: PropertyKey): any;
    /** @param {PropertyKey} name @param {unknown} value @returns {void} */
    set(name: PropertyKey, value: unknown): void;
    /** @param {string} event @param {Handler} callback gets the value @returns {void} */
    on(event: string, callback: Handler): void;
    /** @param {string} event @param {Handler} callback gets the value @returns {void} */
    off(event: string, callback: Handler): void;
    /** @param {string} property @param {unknown} value @returns {void} */
    handleRemoteUpdate(property: string, value: unknown): void;
    /** Nothing is left to do: `set` has sent it. */
    save_changes(): void;
    /** @param {unknown} content @param {DataView[]} buffers */
    handleMessage(content: unknown, buffers: DataView[]): void;
    /**
     * A custom message, where the connection carries them; the base mode does not, and it says so once.
     *
     * @param {unknown} [content]
     * @param {unknown} [_callbacks]
     * @param {readonly unknown[]} [buffers]
     * @returns {void}
     */
    send(content?: unknown, _callbacks?: unknown, buffers?: readonly unknown[]): void;
}

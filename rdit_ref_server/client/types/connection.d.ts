/**
 * One page's connection to the widgets of one Python. `connect` dials, and dials again; what is said over the socket is
 * `rdit/1` (`session.js`) where the server speaks it, else base mode (`exchange.js`). `connectionOver` listens on a
 * WebSocket that somebody else owns, in base mode.
 */
export type Receiver = import("./exchange.js").Receiver;
export type WidgetData = import("./exchange.js").WidgetData;
export type Fault = import("./model.js").Fault;
export type Model = import("./model.js").Model;
export type Profile = import("./model.js").Profile;
export type State = import("./transitions.js").PageState;
export type StateChange = {
    state: State;
    /**
     * why it failed: a close code or an HTTP status
     */
    failure: {
        code: number;
        message: string;
    } | null;
};
export type Surface = {
    /**
     * null: no server has chosen yet
     */
    protocol: "rdit.v1" | "base" | null;
    state: State;
    /**
     * no edit waits, none is unanswered, and nobody holds it
     */
    idle: boolean;
    failure: StateChange["failure"];
    /**
     * the same id gives the same model
     */
    open: (widgetData: WidgetData) => Model;
    model: (widgetId: string) => Model | undefined;
    widgetData: (widgetId: string) => WidgetData | undefined;
    closeModel: (widgetId: string) => void;
    /**
     * delivers pushes to a model of one's own,
     * until the returned function is called or, in base mode, the connection renewed
     */
    attach: (widgetId: string, receiver: Receiver) => () => void;
    sendUpdate: (widgetId: string, property: string, value: unknown) => void;
    sendUpdates: NonNullable<import("./model.js").Channel["sendUpdates"]>;
    sendMessage: import("./model.js").SendMessage;
    /**
     * one frame, as a WebSocket would; an update takes the way of all edits
     */
    send: (text: string) => void;
    /**
     * tells the subscribers of `error`
     */
    report: (fault: Fault) => void;
    /**
     * tells Python that a widget's code
     * failed, where the protocol has words for it
     */
    reportFailure: (widgetId: string, stage: string, error: unknown) => void;
    /**
     * keeps the connection from being idle until the returned function is called
     */
    hold: () => () => void;
    /**
     * before another run's widgets are shown. Base mode forgets all models and edits and,
     * where it can, dials again; in rdit/1 the server says which widgets there are, and nothing is to be done
     */
    renew: () => void;
    /**
     * ends it and closes its models; a socket that somebody else made stays open
     */
    close: () => void;
};
export type OwnSurface = {
    /**
     * settles when it is live for the first time, or has failed or was closed before
     */
    ready: Promise<void>;
    /**
     * what relative addresses from the server are relative to
     */
    baseUrl: string | undefined;
    /**
     * how modules of the server are imported, where the
     * browser's own `import` would not have the credentials
     */
    importModule?: ((url: string) => Promise<any>) | undefined;
    /**
     * `state` gives a StateChange, `error` a Fault (a refused edit has the server's code), `output` the message,
     * `idle` a boolean, `open` a Model, `source` the widget whose module changed, `restarted` what became of the edits when
     * the server was started anew; `goingAway` comes when the server says that it ends, before the state is `offline`. Returns the function that ends the subscription.
     */
    on: (event: "state" | "error" | "output" | "idle" | "open" | "source" | "restarted" | "goingAway", callback: (detail: any) => void, options?: {
        signal?: AbortSignal;
    }) => () => void;
    whenOpen: (widgetId: string, options?: {
        timeoutMs?: number;
        signal?: AbortSignal;
    }) => Promise<Model>;
    /**
     * The model to render: in rdit/1 as soon as the server has opened it, in base mode opened here and now. While no server
     * has chosen yet it is made of what was given, and goes on with whatever the server says.
     */
    obtain: (widgetData: WidgetData, options?: {
        signal?: AbortSignal;
    }) => Model | Promise<Model>;
};
export type Connection = Surface & OwnSurface;
export type Driver = Surface & {
    isOpen: (widgetId: string) => boolean;
    start: () => void;
    isPending: (widgetId: string, property: string) => boolean;
};
/** @typedef {import("./exchange.js").Receiver} Receiver */
/** @typedef {import("./exchange.js").WidgetData} WidgetData */
/** @typedef {import("./model.js").Fault} Fault */
/** @typedef {import("./model.js").Model} Model */
/** @typedef {import("./model.js").Profile} Profile */
/** @typedef {import("./transitions.js").PageState} State */
/**
 * @typedef {object} StateChange
 * @property {State} state
 * @property {{ code: number, message: string } | null} failure why it failed: a close code or an HTTP status
 */
/**
 * What a driver gives, and a connection passes on.
 *
 * @typedef {object} Surface
 * @property {"rdit.v1" | "base" | null} protocol null: no server has chosen yet
 * @property {State} state
 * @property {boolean} idle no edit waits, none is unanswered, and nobody holds it
 * @property {StateChange["failure"]} failure
 * @property {(widgetData: WidgetData) => Model} open the same id gives the same model
 * @property {(widgetId: string) => Model | undefined} model
 * @property {(widgetId: string) => WidgetData | undefined} widgetData
 * @property {(widgetId: string) => void} closeModel
 * @property {(widgetId: string, receiver: Receiver) => () => void} attach delivers pushes to a model of one's own,
 * until the returned function is called or, in base mode, the connection renewed
 * @property {(widgetId: string, property: string, value: unknown) => void} sendUpdate
 * @property {NonNullable<import("./model.js").Channel["sendUpdates"]>} sendUpdates
 * @property {import("./model.js").SendMessage} sendMessage
 * @property {(text: string) => void} send one frame, as a WebSocket would; an update takes the way of all edits
 * @property {(fault: Fault) => void} report tells the subscribers of `error`
 * @property {(widgetId: string, stage: string, error: unknown) => void} reportFailure tells Python that a widget's code
 * failed, where the protocol has words for it
 * @property {() => () => void} hold keeps the connection from being idle until the returned function is called
 * @property {() => void} renew before another run's widgets are shown. Base mode forgets all models and edits and,
 * where it can, dials again; in rdit/1 the server says which widgets there are, and nothing is to be done
 * @property {() => void} close ends it and closes its models; a socket that somebody else made stays open
 */
/**
 * @typedef {object} OwnSurface
 * @property {Promise<void>} ready settles when it is live for the first time, or has failed or was closed before
 * @property {string | undefined} baseUrl what relative addresses from the server are relative to
 * @property {((url: string) => Promise<any>) | undefined} [importModule] how modules of the server are imported, where the
 * browser's own `import` would not have the credentials
 * @property {(event: "state" | "error" | "output" | "idle" | "open" | "source" | "restarted" | "goingAway",
 *   callback: (detail: any) => void, options?: { signal?: AbortSignal }) => () => void} on
 * `state` gives a StateChange, `error` a Fault (a refused edit has the server's code), `output` the message,
 * `idle` a boolean, `open` a Model, `source` the widget whose module changed, `restarted` what became of the edits when
 * the server was started anew; `goingAway` comes when the server says that it ends, before the state is `offline`. Returns the function that ends the subscription.
 * @property {(widgetId: string, options?: { timeoutMs?: number, signal?: AbortSignal }) => Promise<Model>} whenOpen
 * @property {(widgetData: WidgetData, options?: { signal?: AbortSignal }) => Model | Promise<Model>} obtain
 * The model to render: in rdit/1 as soon as the server has opened it, in base mode opened here and now. While no server
 * has chosen yet it is made of what was given, and goes on with whatever the server says.
 */
/** @typedef {Surface & OwnSurface} Connection */
/** @typedef {Surface & { isOpen: (widgetId: string) => boolean, start: () => void,
 *   isPending: (widgetId: string, property: string) => boolean }} Driver */
/** Backoff: the n-th wait is uniform in 0..min(cap, base * 2^n). */
export declare const BACKOFF_BASE_MS: number;
export declare const BACKOFF_CAP_MS: number;
/** A connection that lives this long counts as good: the next loss starts at the base again. */
export declare const STABLE_AFTER_MS: number;
/** How long a reference to a widget that is not open yet is waited for. */
export declare const CHILD_WAIT_MS = 10000;
export type Timers = {
    setTimeout?: (callback: () => void, ms: number) => any;
    clearTimeout?: (timer: any) => void;
    /**
     * calls back in a task of its own, before any timer
     */
    soon?: (callback: () => void) => void;
    /**
     * milliseconds that only grow
     */
    now?: () => number;
};
export type ConnectOptions = {
    /**
     * "auto" (default) offers `rdit/1` and takes what the server chooses; "base"
     * offers nothing: the three messages of the first design
     */
    protocol?: "auto" | "base";
    /**
     * for the models of this connection, see `createModel`
     */
    profile?: Profile;
    /**
     * also receive what callbacks print after the script has ended
     */
    output?: boolean;
    /**
     * the server's, for a page that does not have its cookie, as on another site
     */
    token?: string;
    /**
     * asked when the server refuses the socket; null: never asked
     */
    statusUrl?: string | null;
    /**
     * closes the connection
     */
    signal?: AbortSignal;
    WebSocket?: new (url: string, protocols?: string[]) => WebSocket;
    fetch?: typeof globalThis.fetch;
    random?: () => number;
    /**
     * where `online`, `pagehide` and `pageshow` happen
     */
    window?: EventTarget | null;
    /**
     * where `visibilitychange` happens
     */
    document?: (EventTarget & {
        visibilityState?: string;
    }) | null;
    /**
     * base mode: values kept for widgets that are not open yet
     */
    maxHeldSlots?: number;
};
export type DriverContext = {
    teller: import("./emitter.js").Teller;
    lifetime: AbortController;
    window: EventTarget | null;
    document: (EventTarget & {
        visibilityState?: string;
    }) | null;
    random: () => number;
    now: () => number;
    setTimeout: NonNullable<Timers["setTimeout"]>;
    clearTimeout: NonNullable<Timers["clearTimeout"]>;
    soon: NonNullable<Timers["soon"]>;
    profile: Profile | undefined;
    maxHeldSlots: number | undefined;
    getModel: (id: string) => Promise<Model>;
    /**
     * of the models: leads to whoever drives by then
     */
    channel: import("./model.js").Channel;
    makeSocket: (offers: string[]) => WebSocket;
    /**
     * the HTTP status of the server's own status; null: nobody answers
     */
    askStatus: () => Promise<number | null>;
    became: (state: State, failure: StateChange["failure"]) => void;
};
/**
 * @typedef {object} Timers
 * @property {(callback: () => void, ms: number) => any} [setTimeout]
 * @property {(timer: any) => void} [clearTimeout]
 * @property {(callback: () => void) => void} [soon] calls back in a task of its own, before any timer
 * @property {() => number} [now] milliseconds that only grow
 */
/**
 * @typedef {object} ConnectOptions
 * @property {"auto" | "base"} [protocol] "auto" (default) offers `rdit/1` and takes what the server chooses; "base"
 * offers nothing: the three messages of the first design
 * @property {Profile} [profile] for the models of this connection, see `createModel`
 * @property {boolean} [output] also receive what callbacks print after the script has ended
 * @property {string} [token] the server's, for a page that does not have its cookie, as on another site
 * @property {string | null} [statusUrl] asked when the server refuses the socket; null: never asked
 * @property {AbortSignal} [signal] closes the connection
 * @property {new (url: string, protocols?: string[]) => WebSocket} [WebSocket]
 * @property {typeof globalThis.fetch} [fetch]
 * @property {() => number} [random]
 * @property {EventTarget | null} [window] where `online`, `pagehide` and `pageshow` happen
 * @property {(EventTarget & { visibilityState?: string }) | null} [document] where `visibilitychange` happens
 * @property {number} [maxHeldSlots] base mode: values kept for widgets that are not open yet
 */
/**
 * What all drivers of one connection share.
 *
 * @typedef {object} DriverContext
 * @property {import("./emitter.js").Teller} teller
 * @property {AbortController} lifetime
 * @property {EventTarget | null} window
 * @property {(EventTarget & { visibilityState?: string }) | null} document
 * @property {() => number} random
 * @property {() => number} now
 * @property {NonNullable<Timers["setTimeout"]>} setTimeout
 * @property {NonNullable<Timers["clearTimeout"]>} clearTimeout
 * @property {NonNullable<Timers["soon"]>} soon
 * @property {Profile | undefined} profile
 * @property {number | undefined} maxHeldSlots
 * @property {(id: string) => Promise<Model>} getModel
 * @property {import("./model.js").Channel} channel of the models: leads to whoever drives by then
 * @property {(offers: string[]) => WebSocket} makeSocket
 * @property {() => Promise<number | null>} askStatus the HTTP status of the server's own status; null: nobody answers
 * @property {(state: State, failure: StateChange["failure"]) => void} became
 */
/**
 * Connects to a server's widgets, and again whenever the connection is lost.
 *
 * @param {string | URL} url `ws:`, `wss:`, `http:`, `https:` or relative to the page
 * @param {ConnectOptions & Timers} [options]
 * @returns {Connection}
 */
export declare function connect(url: string | URL, options?: ConnectOptions & Timers): Connection;
/**
 * A connection over a WebSocket that somebody else made and owns: it waits for the socket to open, and ends with it.
 * The same socket gives the same connection, until that is closed.
 *
 * @param {any} ws
 * @param {{ profile?: Profile } & Timers} [options] those of the first call count
 * @returns {Connection}
 */
export declare function connectionOver(ws: any, options?: {
    profile?: Profile;
} & Timers): Connection;

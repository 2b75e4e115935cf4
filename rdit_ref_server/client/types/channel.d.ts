/**
 * What a page asks of its session: edits, messages, and the models that make them.
 */
export type Op = import("./batches.js").Op;
export type WidgetData = import("./exchange.js").WidgetData;
export type Model = import("./model.js").Model;
export type Receiver = import("./shown.js").Receiver;
export type Entry = import("./widgets.js").Entry;
export type ChannelHost = {
    policy: "replay" | "drop";
    state: import("./transitions.js").SessionState;
    now: number;
    isOver: () => boolean;
    /**
     * has what may leave put into frames
     */
    drain: () => void;
    /**
     * there may be something to send or to tell
     */
    wake: () => void;
    faultOf: import("./edits.js").EditsHost["faultOf"];
};
/**
 * @typedef {object} ChannelHost
 * @property {"replay" | "drop"} policy
 * @property {import("./transitions.js").SessionState} state
 * @property {number} now
 * @property {() => boolean} isOver
 * @property {() => void} drain has what may leave put into frames
 * @property {() => void} wake there may be something to send or to tell
 * @property {import("./edits.js").EditsHost["faultOf"]} faultOf
 */
/**
 * @param {import("./edits.js").Edits} edits
 * @param {import("./widgets.js").Widgets} widgets
 * @param {import("./shown.js").Shown} shown
 * @param {ChannelHost} host
 */
export declare function createChannel(edits: import("./edits.js").Edits, widgets: import("./widgets.js").Widgets, shown: import("./shown.js").Shown, host: ChannelHost): {
    sendUpdate: (widgetId: string, property: string, value: unknown) => void;
    sendUpdates: (widgetId: string, entries: Iterable<readonly [string, unknown]>) => void;
    sendMessage: (widgetId: string, content: unknown, buffers?: readonly unknown[], onfail?: (fault: import("./model.js").Fault) => void) => boolean;
    isPending: (widgetId: string, property: string) => boolean;
    addressEarly: (entry: Entry, isBack: boolean) => void;
    dropEarly: (entry: Entry) => void;
    expireEarly: () => void;
    readonly earlySince: number | null;
    /** The connection is live: what waits for its widget waits from now on. */
    becameLive(): void;
    /** What the session passes on. */
    page: {
        sendUpdate: (widgetId: string, property: string, value: unknown) => void;
        sendUpdates: (widgetId: string, entries: Iterable<readonly [string, unknown]>) => void;
        sendMessage: (widgetId: string, content: unknown, buffers?: readonly unknown[], onfail?: (fault: import("./model.js").Fault) => void) => boolean;
        isPending: (widgetId: string, property: string) => boolean;
        /** @param {string} widgetId */
        model: (widgetId: string) => import("./model.js").Model | undefined;
        /** Whether the server has opened it. @param {string} widgetId */
        isOpen: (widgetId: string) => boolean;
        /** @param {string} widgetId @returns {WidgetData | undefined} */
        widgetData: (widgetId: string) => WidgetData | undefined;
        /** @returns {Model[]} */
        models: () => Model[];
        /**
         * The model of a widget, made now if the server has not opened it yet.
         *
         * @param {WidgetData} widgetData
         * @param {Record<string, unknown>} values its state, decoded
         */
        open(widgetData: WidgetData, values: Record<string, unknown>): import("./model.js").Model;
        /** Ends the page's model of a widget; asked for again, there is a new one. @param {string} widgetId */
        closeModel(widgetId: string): void;
        closeModels(): void;
        /** @param {string} widgetId @param {Receiver} receiver @returns {() => void} */
        attach: (widgetId: string, receiver: Receiver) => () => void;
        /**
         * What a connection in base mode goes on with, when the server turns out to speak nothing else. This session is
         * of no use afterwards.
         */
        handOver(): {
            models: {
                model: import("./model.js").Model;
                widgetData: import("./exchange.js").WidgetData;
            }[];
            receivers: [string, Set<import("./shown.js").Receiver>][];
            edits: (readonly [string, string, any])[];
            messages: import("./batches.js").Op[];
        };
    };
};

/**
 * Joins an exchange (`exchange.js`) to WebSockets of its own making: dials, and dials again.
 */
export type Driver = import("./connection.js").Driver;
export type DriverContext = import("./connection.js").DriverContext;
export type State = import("./connection.js").State;
export type StateChange = import("./connection.js").StateChange;
export type Inheritance = {
    /**
     * open
     */
    socket: WebSocket;
    losses: number;
    /**
     * the subprotocols to offer from here on
     */
    offers: string[];
    state: ReturnType<import("./session.js").Session["handOver"]>;
};
/**
 * What a session hands over when the server chose base mode.
 *
 * @typedef {object} Inheritance
 * @property {WebSocket} socket open
 * @property {number} losses
 * @property {string[]} offers the subprotocols to offer from here on
 * @property {ReturnType<import("./session.js").Session["handOver"]>} state
 */
/**
 * @param {DriverContext} context
 * @param {Inheritance} [inheritance]
 * @returns {Driver}
 */
export declare function driveExchange(context: DriverContext, inheritance?: Inheritance): Driver;
/**
 * What a connection in base mode gives of its exchange.
 *
 * @param {import("./exchange.js").Exchange} exchange
 */
export declare function baseSurface(exchange: import("./exchange.js").Exchange): {
    open: (widgetData: import("./exchange.js").WidgetData) => import("./exchange.js").Model;
    model: (widgetId: string) => import("./exchange.js").Model | undefined;
    isOpen: (/** @type {string} */ widgetId: string) => boolean;
    widgetData: (widgetId: string) => import("./exchange.js").WidgetData | undefined;
    closeModel: (widgetId: string) => void;
    attach: (widgetId: string, receiver: import("./exchange.js").Receiver) => () => void;
    sendUpdate: (widgetId: string, property: string, value: unknown) => void;
    sendUpdates(widgetId: string, entries: Iterable<readonly [string, unknown]>): void;
    sendMessage: () => boolean;
    isPending: () => boolean;
    send: (text: string) => void;
    report: (fault: import("./exchange.js").Fault) => void;
    reportFailure(): void;
    hold: () => () => void;
};

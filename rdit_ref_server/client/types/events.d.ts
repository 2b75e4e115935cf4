/** What a session tells its driver, in order, and how it words what went wrong. */
export type Op = import("./batches.js").Op;
export type Fault = import("./model.js").Fault;
export type Model = import("./model.js").Model;
export type SessionEvent = {
    type: "fault";
    detail: Fault;
} | {
    type: "open";
    detail: Model;
} | {
    type: "output";
    detail: any;
} | {
    type: "source";
    detail: {
        widgetId: string;
        model: Model;
    };
} | {
    type: "restarted";
    detail: import("./aftermath.js").Restarted;
};
export type Events = ReturnType<typeof createEvents>;
/** @typedef {import("./batches.js").Op} Op */
/** @typedef {import("./model.js").Fault} Fault */
/** @typedef {import("./model.js").Model} Model */
/**
 * @typedef {{ type: "fault", detail: Fault } | { type: "open", detail: Model } | { type: "output", detail: any } |
 *   { type: "source", detail: { widgetId: string, model: Model } } |
 *   { type: "restarted", detail: import("./aftermath.js").Restarted }} SessionEvent
 */
/** @typedef {ReturnType<typeof createEvents>} Events */
export declare function createEvents(): {
    /** @param {SessionEvent} event */
    tell: (event: SessionEvent) => undefined;
    fault: (detail: Fault) => undefined;
    faultOf(op: import("./edits.js").Op, code: string, message: string, cause?: string): void;
    /** @returns {SessionEvent[]} what there is to tell since the last call */
    take(): SessionEvent[];
};

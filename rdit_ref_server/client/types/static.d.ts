/**
 * Widgets without Python: a connection to nobody, over the state that Python had when the page was made.
 *
 * The state comes as what a server of `rdit/1` said to a page that asked for everything, frame by frame, so that bytes,
 * NaN and -0 are what they are on a live page. From here on the models are all there is: what one view saves, the
 * others of that model show, and there it ends. What only Python could do, a message or a question, is refused.
 */
export type Connection = import("./connection.js").Connection;
export type WidgetData = import("./exchange.js").WidgetData;
export type Fault = import("./model.js").Fault;
export type Model = import("./model.js").Model;
/** @typedef {import("./connection.js").Connection} Connection */
/** @typedef {import("./exchange.js").WidgetData} WidgetData */
/** @typedef {import("./model.js").Fault} Fault */
/** @typedef {import("./model.js").Model} Model */
export declare const NO_PYTHON = "Python is not there: this is a static page";
export type StaticWidgets = Omit<Connection, "ready" | "state" | "failure" | "closeModel" | "attach" | "send" | "renew">;
/**
 * The part of a connection's surface that makes sense where nobody is at the other end.
 *
 * @typedef {Omit<Connection, "ready" | "state" | "failure" | "closeModel" | "attach" | "send" | "renew">} StaticWidgets
 */
/**
 * @param {object} given
 * @param {Iterable<string | ArrayBuffer | ArrayBufferView>} given.frames the parts of one `sync`, in order
 * @param {ReadonlyMap<string, string>} [given.modules] text of each module, by the address that the server gave it
 * @param {import("./model.js").Profile} [given.profile]
 * @returns {StaticWidgets}
 * @throws {import("./frames.js").FrameError} a frame is not what a server says
 */
export declare function createStatic({ frames, modules, profile }: {
    frames: Iterable<string | ArrayBuffer | ArrayBufferView>;
    modules?: ReadonlyMap<string, string>;
    profile?: import("./model.js").Profile;
}): StaticWidgets;

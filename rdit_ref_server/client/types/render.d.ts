/**
 * `renderWidget` for a page that has a connection or only a WebSocket. What makes a connection out of that stands in
 * `connection.js`, which a page without Python has no use for; so `host.js` does not know it.
 */
export type View = import("./host.js").View;
export type RenderOptions = import("./host.js").RenderOptions & {
    websocket?: any;
};
/** @typedef {import("./host.js").View} View */
/** @typedef {import("./host.js").RenderOptions & { websocket?: any }} RenderOptions `websocket` instead of a connection:
 *   a WebSocket, also one that is still connecting; `profile` is used when it is wrapped */
/**
 * Shows a widget in an element; as that of `host.js`, and takes a WebSocket.
 *
 * @param {RenderOptions} options
 * @returns {Promise<View>} when the widget has rendered, or has failed to
 */
export declare function renderWidget({ websocket, ...options }: RenderOptions): Promise<View>;

/**
 * `renderWidget` for a page that has a connection or only a WebSocket. What makes a connection out of that stands in
 * `connection.js`, which a page without Python has no use for; so `host.js` does not know it.
 */

import { connectionOver } from "./connection.js";
import { renderWidget as renderOver } from "./host.js";

/** @typedef {import("./host.js").View} View */
/** @typedef {import("./host.js").RenderOptions & { websocket?: any }} RenderOptions `websocket` instead of a connection:
 *   a WebSocket, also one that is still connecting; `profile` is used when it is wrapped */

/**
 * Shows a widget in an element; as that of `host.js`, and takes a WebSocket.
 *
 * @param {RenderOptions} options
 * @returns {Promise<View>} when the widget has rendered, or has failed to
 */
export async function renderWidget({ websocket, ...options }) {
  return renderOver({ ...options, connection: wrapped(options.connection ?? websocket, options.profile) });
}

/** @param {any} given @param {import("./model.js").Profile} [profile] */
function wrapped(given, profile) {
  return given && typeof given.sendUpdate !== "function" ? connectionOver(given, { profile }) : given;
}

/**
 * A module that did not come over the network is asked for again: the connection that broke while a page opened took it
 * along, and comes back by itself. A module that came and failed is not run twice.
 */

/** @typedef {import("./connection.js").Connection} Connection */

/** How long after each attempt but the last, at least, until the next. */
export const IMPORT_AGAIN_MS = Object.freeze([250, 1_000]);

/** What the engines say of a module that they could not get: Chromium and Firefox, WebKit. */
const NOT_REACHED = /dynamically imported module|importing a module script failed/i;

/** @param {unknown} error */
function isUnreached(error) {
  return error instanceof TypeError && NOT_REACHED.test(error.message);
}

/**
 * @template T
 * @param {() => Promise<T>} load
 * @param {Connection} connection where the module comes from; while it is down nothing is asked for
 * @param {AbortSignal} signal nobody needs it any more
 * @param {readonly number[]} [pausesMs]
 * @returns {Promise<T>}
 * @throws what the last attempt threw, or the first that was no matter of the network
 */
export async function patiently(load, connection, signal, pausesMs = IMPORT_AGAIN_MS) {
  for (const pauseMs of pausesMs) {
    try {
      return await load();
    } catch (error) {
      if (!isUnreached(error) || signal.aborted) throw error;
      // Also so that the connection has time to say that it is down.
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
      await whenUp(connection, signal);
    }
  }
  return load();
}

/** @param {Connection} connection @param {AbortSignal} signal */
async function whenUp(connection, signal) {
  const isDown = () => connection.state === "connecting" || connection.state === "offline";
  if (!isDown() || signal.aborted) return;
  await new Promise((resolve) => {
    const over = new AbortController();
    const look = () => {
      if (isDown() && !signal.aborted) return;
      over.abort();
      resolve(undefined);
    };
    connection.on("state", look, { signal: over.signal });
    signal.addEventListener("abort", look, { signal: over.signal });
  });
}

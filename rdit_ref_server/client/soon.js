/**
 * "In a moment": after the microtasks of now, in a task of its own. A timer would do, but pages in the background get
 * theirs once a second; a promise is too early, for what it settles goes on in further microtasks.
 */

/**
 * @param {AbortSignal} signal ends it: nothing is called any more
 * @returns {(callback: () => void) => void} calls back once for each call, in order
 */
export function createSoon(signal) {
  /** @type {(() => void)[]} */
  const callbacks = [];
  const { port1: receiver, port2: sender } = new MessageChannel();
  receiver.onmessage = () => {
    // What is under way when the port closes may still come.
    if (!signal.aborted) callbacks.shift()?.();
  };
  // In Node a port that listens keeps the process alive.
  /** @type {any} */ (receiver).unref?.();
  signal.addEventListener("abort", () => receiver.close());
  return (callback) => {
    callbacks.push(callback);
    sender.postMessage(null);
  };
}

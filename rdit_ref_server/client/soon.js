/**
 * "In a moment": after the microtasks of now, in a task of its own. A promise is too early, for what it settles goes on
 * in further microtasks. A timer is what costs least; but a page that nobody sees gets its timers once a second, after
 * a while once a minute, so there a message to oneself does it.
 */

/** One timer then serves several acknowledgements that left with something else. */
const VISIBLE_MS = 4;

/**
 * @param {AbortSignal} signal ends it: nothing is called any more
 * @param {{ visibilityState?: string } | null} document
 * @param {(callback: () => void, ms: number) => unknown} setTimeout
 * @returns {(callback: () => void) => void} calls back once for each call
 */
export function createSoon(signal, document, setTimeout) {
  /** @type {(() => void)[]} */
  const callbacks = [];
  /** @type {MessagePort | null} */
  let sender = null;

  function next() {
    if (!signal.aborted) callbacks.shift()?.();
  }

  function openChannel() {
    const { port1: receiver, port2 } = new MessageChannel();
    receiver.onmessage = next;
    // In Node a port that listens keeps the process alive.
    /** @type {any} */ (receiver).unref?.();
    signal.addEventListener("abort", () => receiver.close());
    return port2;
  }

  return (callback) => {
    callbacks.push(callback);
    if (document?.visibilityState === "visible") setTimeout(next, VISIBLE_MS);
    else (sender ??= openChannel()).postMessage(null);
  };
}

/**
 * `experimental.invoke`: a question to Python and its answer, as two custom messages in anywidget's own form.
 */

/** @typedef {import("./model.js").Model} Model */

/** How long an answer is waited for, unless the caller brings a signal; as long as anywidget waits. */
export const INVOKE_TIMEOUT_MS = 3_000;

/**
 * @typedef {object} InvokeOptions
 * @property {readonly unknown[]} [buffers]
 * @property {AbortSignal} [signal] instead of the time limit
 * @property {number} [timeoutMs]
 */

/**
 * What a command rejects with, unless the caller's own signal ended it. `code` is stable: of Python's end
 * `command_failed` (it raised; also where no code came), `unknown_command`, `bad_return`, `no_event_loop`,
 * `handler_failed`; of the page's `timeout`, `closed`, `unsupported`, or why the question was lost.
 *
 * @typedef {Error & { code: string }} CommandError
 */

/**
 * @typedef {object} Experimental
 * @property {(name: string, msg?: unknown, options?: InvokeOptions) => Promise<[any, DataView[]]>} invoke
 * rejects with a CommandError
 */

/** Random enough for a name among the questions of one page; `crypto.randomUUID` is for secure contexts only. */
function newId() {
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(16).padStart(8, "0")).join("");
}

/** @param {any} error what Python says: a text, or a type and a message */
function textOf(error) {
  if (typeof error === "string") return error;
  const name = error?.type ?? error?.name;
  return [name, error?.message].filter((part) => typeof part === "string" && part !== "").join(": ") || "it failed";
}

/** Another end than ours may give none. @param {any} error what Python says */
function codeOf(error) {
  return typeof error?.code === "string" && error.code !== "" ? error.code : "command_failed";
}

/** @param {string} code @param {string} message @returns {CommandError} */
function commandError(code, message) {
  return Object.assign(new Error(message), { code });
}

/**
 * @param {Model} model
 * @param {() => () => void} hold keeps the connection from being idle while an answer is due
 * @param {number} [limitMs] how long an answer is waited for, unless the caller says otherwise
 * @returns {Experimental}
 */
export function experimentalOf(model, hold, limitMs = INVOKE_TIMEOUT_MS) {
  return Object.freeze({
    /** @type {Experimental["invoke"]} */
    async invoke(name, msg, { buffers = [], signal, timeoutMs = limitMs } = {}) {
      signal?.throwIfAborted();
      const id = newId();
      const waiting = new AbortController();
      const release = hold();
      try {
        return await new Promise((resolve, reject) => {
          const limit = signal ?? AbortSignal.timeout(timeoutMs);
          const late = commandError("timeout", `Python did not answer ${JSON.stringify(name)} within ${timeoutMs} ms`);
          const closed = commandError("closed", "The widget was closed");
          const ended = { signal: waiting.signal };
          limit.addEventListener("abort", () => reject(signal ? signal.reason : late), ended);
          model.signal.addEventListener("abort", () => reject(closed), ended);
          // An answer comes through while a widget's messages are kept back: its `initialize` may wait for this one.
          const untap = model.tapMessages((content, answers) => {
            if (content?.id !== id || content.kind !== "anywidget-command-response") return;
            if (content.error === undefined || content.error === null) resolve([content.response, answers]);
            else reject(commandError(codeOf(content.error), `Command ${JSON.stringify(name)}: ${textOf(content.error)}`));
          });
          waiting.signal.addEventListener("abort", untap);
          // Python's end takes a question apart by its keys: one that is left out would be missed there.
          const question = { id, kind: "anywidget-command", name, msg: msg ?? null };
          const isCarried = model.sendMessage(question, buffers, ({ code, message }) =>
            reject(commandError(code, `Command ${JSON.stringify(name)}: ${message} (${code})`)),
          );
          if (!isCarried) {
            const text = "this connection carries no custom messages (base mode)";
            reject(commandError("unsupported", `Cannot invoke ${JSON.stringify(name)}: ${text}`));
          }
        });
      } finally {
        waiting.abort();
        release();
      }
    },
  });
}

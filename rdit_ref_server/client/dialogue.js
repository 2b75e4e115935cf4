/**
 * What is said on a connection: hello and welcome, state and its acknowledgement, probes, errors.
 *
 * A `sync` is acknowledged in the batch that leaves with the acknowledgement, or else in a frame of its own, before
 * all others.
 */

import { withSyncAck } from "./batches.js";
import { decodeFrame, encodeFrame, FrameError } from "./frames.js";
import { checkServerMessage } from "./messages.js";
import { messageOf } from "./model.js";

/** What a batch takes in a frame beside its ops, in bytes; never less. */
const BATCH_BYTES = 128;
/** Codes of an error about a frame that was no message. */
const FRAME_CODES = [
  "bad_json",
  "bad_unicode",
  "bad_number",
  "too_deep",
  "too_large",
  "bad_frame",
  "bad_message",
  "unknown_type",
];

/**
 * @typedef {object} DialogueHost
 * @property {typeof import("./timing.js").LIMITS} limits
 * @property {"*" | string[]} subscribe
 * @property {unknown} auth
 * @property {import("./transitions.js").SessionState} state
 * @property {number} now
 * @property {(step: import("./transitions.js").SessionStep) => void} step
 * @property {(whole: any[], welcome: any) => void} apply takes a whole `sync`, and the welcome if it is the first
 * @property {import("./edits.js").Edits} edits
 * @property {import("./reports.js").Reports} reports
 * @property {import("./sync.js").SyncState} sync
 */

/**
 * @param {ReturnType<typeof import("./timing.js").createTiming>} timing
 * @param {import("./events.js").Events} events
 * @param {DialogueHost} host
 */
export function createDialogue(timing, events, host) {
  /** What the server has a say in. */
  const bounds = /** @type {{ -readonly [name in keyof typeof host.limits]: number }} */ (host.limits);
  /** @type {any} The welcome of this connection. */
  let welcome = null;
  /** @type {(string | Uint8Array<ArrayBuffer>)[]} */
  let outbox = [];
  /** Number of the `sync` that is to be acknowledged, or 0. */
  let syncAck = 0;
  /** Number of the last one of this connection. */
  let lastSync = 0;

  /** What the ops of one batch may take, in bytes. */
  function room() {
    return (welcome ? welcome.limits.max_frame : host.limits.maxFrame) - BATCH_BYTES;
  }

  /** What there is to send. Edits leave only while live, and while few batches are under way. */
  function drain() {
    const isLive = host.state === "live";
    if (isLive) host.reports.take().forEach(say);
    const frames = outbox;
    outbox = [];
    const batches = isLive ? host.edits.framesToSend() : [];
    if (syncAck > 0) {
      const [first] = batches;
      if (typeof first === "string") batches[0] = withSyncAck(first, syncAck);
      else frames.unshift(encodeFrame({ type: "sync_ack", frame: syncAck }));
      syncAck = 0;
    }
    frames.push(...batches);
    return frames;
  }

  /** @param {Record<string, unknown>} message */
  function say(message) {
    outbox.push(encodeFrame(message));
  }

  function sayHello() {
    /** @type {Record<string, unknown>} */
    const hello = { type: "hello" };
    if (host.subscribe !== "*") hello.subscribe = host.subscribe;
    if (host.auth !== undefined) hello.auth = host.auth;
    if (host.sync.resume) hello.resume = host.sync.resume;
    say(hello);
  }

  /** @param {string | ArrayBuffer | ArrayBufferView} data */
  function receive(data) {
    if (host.state !== "hello_sent" && host.state !== "syncing" && host.state !== "live") return;
    timing.heard(host.now);
    let message;
    try {
      message = checkServerMessage(decodeFrame(data));
    } catch (error) {
      // A newer server may say more than this client knows.
      if (error instanceof FrameError && error.code === "unknown_type") return;
      events.fault({ code: "bad_frame", message: messageOf(error) });
      return;
    }
    switch (message.type) {
      case "welcome":
        takeWelcome(message);
        break;
      case "sync":
        takeSync(message);
        break;
      case "error":
        takeError(message);
        break;
      case "output":
        events.tell({ type: "output", detail: message });
        break;
      case "ping":
        say({ type: "pong", id: message.id });
        break;
      case "pong":
        timing.answered(message.id);
        break;
    }
  }

  /** @param {any} message */
  function takeWelcome(message) {
    if (host.state !== "hello_sent") return;
    host.step("welcomed");
    welcome = message;
    bounds.maxInflight = Math.max(1, message.limits.max_inflight);
    bounds.maxOps = Math.max(1, message.limits.max_ops);
  }

  /** @param {any} part */
  function takeSync(part) {
    if (host.state !== "syncing" && host.state !== "live") return;
    const verdict = host.sync.judge(part);
    if (verdict !== "next") {
      // A value that came although we had given it up must not be acknowledged.
      if (verdict === "unknown") {
        outbox = [];
        syncAck = 0;
      }
      host.step("silence");
      return;
    }
    syncAck = lastSync = part.frame;
    const whole = host.sync.collect(part);
    if (whole) host.apply(whole, host.state === "syncing" ? welcome : null);
  }

  /** @param {any} message */
  function takeError({ code = "refused", message, fatal = false, seq: expected, widget_id: widgetId, property }) {
    if (!fatal && FRAME_CODES.includes(code) && Number.isInteger(expected) && host.edits.strike(expected)) {
      host.edits.resend();
      syncAck = lastSync; // It may have been in that batch.
      return;
    }
    events.fault({ code, message, ...(widgetId ? { widget_id: widgetId } : {}), ...(property ? { property } : {}) });
  }

  return {
    room,
    say,
    /** Whether an acknowledgement is all that there is to say: it can wait for a batch to go in, a moment. */
    get owesOnlyAck() {
      if (syncAck === 0 || outbox.length > 0) return false;
      return host.state !== "live" || !(host.edits.wantsToSend || host.reports.isWaiting);
    },
    receive,
    drain,
    /**
     * What may leave now is put into frames, and stays here.
     *
     * @param {() => (string | Uint8Array<ArrayBuffer>)[]} [more] what goes besides
     */
    keepDrained(more = () => []) {
      outbox = drain();
      outbox.push(...more());
    },
    /** A connection begins. */
    opened() {
      welcome = null;
      syncAck = lastSync = 0;
      sayHello();
    },
    /** The transport is gone. */
    ended() {
      outbox = [];
      syncAck = 0;
    },
  };
}

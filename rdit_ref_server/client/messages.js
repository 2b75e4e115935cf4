/**
 * What a server may say in `rdit/1`, and the shape of each message. Fields that are not known are let through.
 */

import { FrameError } from "./frames.js";

/** @typedef {(value: any) => boolean} Check */
/** @typedef {Record<string, Check | { optional: Check }>} Shape */

/** @type {Check} */
const isCount = (value) => Number.isSafeInteger(value) && value >= 0;
/** @type {Check} */
const isText = (value) => typeof value === "string";
/** @type {Check} */
const isFlag = (value) => typeof value === "boolean";
/** @type {Check} */
const isAnything = () => true;
/** @type {Check} */
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
/** @param {Check} check @returns {Check} */
const listOf = (check) => (value) => Array.isArray(value) && value.every(check);
/** @param {...Check} checks @returns {Check} */
const tuple = (...checks) => (value) =>
  Array.isArray(value) && value.length === checks.length && checks.every((check, index) => check(value[index]));
/** @param {Shape} shape @returns {Check} */
const record = (shape) => (value) => isObject(value) && flawOf(value, shape) === null;
/** @param {Check} check */
const optional = (check) => ({ optional: check });
/** @param {Check} check @returns {Check} */
const orNull = (check) => (value) => value === null || check(value);

const isWidget = tuple(isText, isCount);
const isMessage = record({
  n: isCount,
  widget_id: isText,
  inst: isCount,
  content: optional(isAnything),
  buffers: optional(listOf((value) => value instanceof DataView)),
});
const isOpened = record({
  widget_id: isText,
  inst: isCount,
  kind: isText,
  props: optional((value) => isObject(value) && Object.values(value).every(tuple(isAnything, isCount))),
  writable: optional(listOf(isText)),
  if_unchanged: optional(listOf(isText)),
  esm_url: optional(orNull(isText)),
  esm: optional(orNull(isText)),
});

/** @type {Record<string, Shape>} */
const SHAPES = {
  welcome: {
    protocol: isCount,
    epoch: isText,
    session: isText,
    secret: isText,
    resumed: isFlag,
    ack: isCount,
    limits: record({ max_frame: isCount, max_inflight: isCount, max_ops: isCount }),
    ping_ms: isCount,
    ttl_ms: isCount,
  },
  sync: {
    frame: isCount,
    rev: isCount,
    ack: optional(orNull(isCount)),
    more: optional(isFlag),
    open: optional(listOf(isOpened)),
    changes: optional(listOf(tuple(isText, isCount, isText, isAnything, isCount))),
    close: optional(listOf(isWidget)),
    same: optional(listOf(tuple(isText, isCount, isText, isCount, isCount, isCount))),
    live: optional(orNull(listOf(isWidget))),
    msgs: optional(listOf(isMessage)),
    rejects: optional(listOf(record({ seq: isCount, op: isCount, code: isText, message: isText }))),
    lost_msgs: optional(isCount),
  },
  output: { n: isCount, event: isAnything },
  error: {
    message: isText,
    code: optional(isText),
    fatal: optional(isFlag),
    seq: optional(orNull(isCount)),
    op: optional(orNull(isCount)),
    widget_id: optional(orNull(isText)),
    property: optional(orNull(isText)),
  },
  ping: { id: isCount },
  pong: { id: isCount },
};

/** @param {any} value @param {Shape} shape @returns {string | null} the first field that is not as it should be */
function flawOf(value, shape) {
  for (const [name, rule] of Object.entries(shape)) {
    const isOptional = typeof rule === "object";
    if (!Object.hasOwn(value, name)) {
      if (!isOptional) return name;
    } else if (!(isOptional ? rule.optional : rule)(value[name])) return name;
  }
  return null;
}

/**
 * Checks a decoded message of a server.
 *
 * @param {any} message
 * @returns {any} the message
 * @throws {FrameError} `unknown_type` or `bad_message`
 */
export function checkServerMessage(message) {
  if (!Object.hasOwn(SHAPES, message.type)) throw new FrameError("unknown_type", "Unknown message type - at $.type");
  const flaw = flawOf(message, SHAPES[message.type]);
  if (flaw !== null) throw new FrameError("bad_message", `A ${message.type} without a proper ${flaw} - at $.${flaw}`);
  return message;
}

/**
 * Drives `session.js` with a recorded schedule, so that another client can be compared with it, step by step.
 *
 *     node tests/replay.js < schedule.jsonl > answers.jsonl
 *
 * In and out are JSON lines. Times are seconds, `at` is a monotonic clock's. In all values `{"$bytes": "<base64>"}` is a
 * buffer and `{"$number": "NaN" | "Infinity" | "-Infinity"}` a number that JSON lacks, as in `rdit_core/vectors`.
 *
 * The first line may be a configuration, which has no answer; all of it is optional:
 *
 *     {"config": {"random": [0.5, ..], "policy": "replay" | "drop", "subscribe": "*" | [id, ..], "auth": any,
 *                 "limits": {"silence_s": 45, "probe_s": 5, "backoff_base_s": 0.5, "backoff_cap_s": 20, "stable_s": 5,
 *                            "return_s": 30, "max_queued_messages": 256, "max_queued_message_bytes": 1048576,
 *                            "max_frame_bytes": 67108864}}}
 *
 * `random` is what chance gives, in order; when it is used up, 0.5. A further configuration starts a new session.
 *
 * Every other line is a step, `{"at": .., "verb": .., ...}`:
 *
 *     start | opened | timeout | hint | suspend | restore | leave
 *     frame   "json": message, or "text": string, or "base64": bytes    what the server sent
 *     eof     "code"?: int, "reason"?: text                             the transport ended, or was not to be had
 *     set     "widget_id", "property", "value", "save"?: bool           model.set, and save_changes if `save`
 *     save    "widget_id"
 *     send    "widget_id", "content", "buffers"?: [base64, ..]          model.send
 *     report  "widget_id", "stage", "message", "stack"?
 *
 * The answer to a step is one line:
 *
 *     {"step": 0, "frames": [{"json": message} | {"base64": bytes}, ..], "state", "page_state", "deadline": s | null,
 *      "idle": bool, "wants_transport": bool, "wants_close": bool, "models": {id: {property: value}},
 *      "pending": {id: [property, ..]}, "told": [[id, "change:..", value], ..], "messages": [[id, content, [base64, ..]], ..],
 *      "events": [{"type": "fault" | "output" | "restarted", ...}, ..], "error"?: text}
 *
 * `models` are the open ones, each property sorted by name; `told` are the change events of models in the order in which
 * they fired; `error` is what the verb threw.
 */

import { createInterface } from "node:readline";

import { bytesOf, toJsonData } from "../binary.js";
import { createSession } from "../session.js";

/** @typedef {import("../model.js").Model} Model */

/** @param {any} value @returns {any} */
export function fromNotation(value) {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(fromNotation);
  const keys = Object.keys(value);
  if (keys.length === 1 && keys[0] === "$bytes") return new DataView(bytesFrom(value.$bytes).buffer);
  if (keys.length === 1 && keys[0] === "$number") return Number(value.$number);
  const copy = Object.create(null);
  for (const key of keys) copy[key] = fromNotation(value[key]);
  return copy;
}

/** @param {unknown} value @returns {unknown} */
export function toNotation(value) {
  return toJsonData(value, {
    binary: (bytes) => ({ $bytes: Buffer.from(bytes).toString("base64") }),
    number: (number) => ({ $number: String(number) }),
  });
}

/** @param {string} text @returns {Uint8Array<ArrayBuffer>} */
function bytesFrom(text) {
  return Uint8Array.from(Buffer.from(text, "base64"));
}

/** The seconds' limits as the session names them; all its times are of one unit, which here is the second. @param {any} given */
function limitsOf(given = {}) {
  return {
    silenceMs: given.silence_s ?? 45,
    probeMs: given.probe_s ?? 5,
    backoffBaseMs: given.backoff_base_s ?? 0.5,
    backoffCapMs: given.backoff_cap_s ?? 20,
    stableMs: given.stable_s ?? 5,
    returnMs: given.return_s ?? 30,
    unknownWidgetMs: 10,
    maxQueuedMessages: given.max_queued_messages ?? 256,
    maxQueuedMessageBytes: given.max_queued_message_bytes ?? 1024 * 1024,
    maxFrame: given.max_frame_bytes ?? 64 * 1024 * 1024,
  };
}

/**
 * One session under a schedule.
 *
 * @param {any} [config]
 * @returns {(step: any) => any} gives the answer to a step
 */
export function createReplay(config = {}) {
  const chance = [...(config.random ?? [])];
  /** @type {unknown[]} */
  let told = [];
  /** @type {unknown[]} */
  let messages = [];
  /** @type {WeakSet<Model>} */
  const followed = new WeakSet();
  let steps = 0;
  const session = createSession({
    random: () => chance.shift() ?? 0.5,
    policy: config.policy,
    subscribe: config.subscribe,
    auth: config.auth,
    limits: limitsOf(config.limits),
  });

  /** @param {string} id */
  function modelOf(id) {
    const model = session.model(id);
    if (!model) throw new Error(`Widget ${id} is not open`);
    return model;
  }

  /** @param {Model} model */
  function follow(model) {
    if (followed.has(model)) return;
    followed.add(model);
    model.on("all", (name, ...given) => {
      if (name.startsWith("change:")) told.push([model.widgetId, name, toNotation(given[1])]);
    });
    model.on("msg:custom", (content, buffers) => {
      const texts = buffers.map((/** @type {DataView} */ each) => Buffer.from(bytesOf(each)).toString("base64"));
      messages.push([model.widgetId, toNotation(content), texts]);
    });
  }

  /** @param {any} step */
  function act(step) {
    const { at, verb } = step;
    switch (verb) {
      case "start":
        return session.start(at);
      case "opened":
        return session.opened(at);
      case "frame":
        return session.receive(step.base64 === undefined ? (step.text ?? JSON.stringify(step.json)) : bytesFrom(step.base64), at);
      case "eof":
        return session.eof(at, step.code ?? null, step.reason);
      case "timeout":
        return session.handleTimeout(at);
      case "hint":
        return session.hintOnline(at);
      case "suspend":
        return session.suspend(at);
      case "restore":
        return session.restore(at);
      case "leave":
        return session.leave(at);
      case "set":
        modelOf(step.widget_id).set(step.property, fromNotation(step.value));
        if (step.save) modelOf(step.widget_id).save_changes();
        return undefined;
      case "save":
        return modelOf(step.widget_id).save_changes();
      case "send":
        return modelOf(step.widget_id).send(fromNotation(step.content), {}, (step.buffers ?? []).map(bytesFrom));
      case "report":
        return session.report(step.widget_id, step.stage, step.message, step.stack);
      default:
        throw new Error(`Unknown verb ${JSON.stringify(verb)}`);
    }
  }

  return (step) => {
    told = [];
    messages = [];
    /** @type {Record<string, unknown>} */
    const answer = { step: steps };
    steps += 1;
    try {
      act(step);
    } catch (error) {
      answer.error = String(/** @type {any} */ (error).message ?? error);
    }
    const frames = session
      .framesToSend()
      .map((frame) =>
        typeof frame === "string" ? { json: JSON.parse(frame) } : { base64: Buffer.from(frame).toString("base64") },
      );
    const events = session.eventsReceived();
    const models = session.models();
    for (const model of models) follow(model);
    /** @type {Record<string, unknown>} */
    const values = {};
    /** @type {Record<string, string[]>} */
    const pending = {};
    for (const model of models) {
      const names = model.keys().sort();
      values[model.widgetId] = Object.fromEntries(names.map((name) => [name, toNotation(model.peek(name))]));
      const waiting = names.filter((name) => session.isPending(model.widgetId, name));
      if (waiting.length > 0) pending[model.widgetId] = waiting;
    }
    return {
      ...answer,
      frames,
      state: session.state,
      page_state: session.pageState,
      deadline: session.nextDeadline(),
      idle: session.isIdle,
      wants_transport: session.wantsTransport,
      wants_close: session.wantsClose,
      models: values,
      pending,
      told,
      messages,
      events: events.flatMap(({ type, detail }) => {
        if (type === "open" || type === "source") return [];
        if (type !== "fault") return [{ type, ...toDetail(detail) }];
        const { error: _error, ...fault } = detail;
        return [{ type, ...fault }];
      }),
    };
  };
}

/** @param {any} detail */
function toDetail(detail) {
  const { type: _type, ...fields } = detail;
  return fields;
}

if (process.argv[1] === import.meta.filename && !process.env.NODE_TEST_CONTEXT) {
  let replay = createReplay();
  for await (const line of createInterface({ input: process.stdin })) {
    if (line.trim() === "") continue;
    const step = JSON.parse(line);
    if (step.config) replay = createReplay(step.config);
    else process.stdout.write(`${JSON.stringify(replay(step))}\n`);
  }
}

/**
 * Our own client: a widget's `model` as `renderWidget` gives it, over a real connection in `rdit/1`.
 *
 * Faked are the socket and the server behind it, which does for `rdit/1` what the kernel of `reference.js` does for a
 * comm: it stores edits and confirms them, when the program says `deliver`. It takes one batch at a time,
 * as ipywidgets sends one update at a time.
 */

import { JSDOM } from "jsdom";

import { copyData } from "../../binary.js";
import { connect } from "../../connection.js";
import { decodeFrame, encodeFrame } from "../../frames.js";
import { renderWidget } from "../../host.js";
import { opened } from "../fakes.js";
import { fromNote, settle } from "./steps.js";

/** @typedef {import("./steps.js").Program} Program */
/** @typedef {import("./steps.js").Tell} Tell */

const WIDGET_ID = "w";
const INST = 40;
const WELCOME = {
  type: "welcome",
  protocol: 1,
  epoch: "e1",
  session: "s1",
  secret: "x1",
  resumed: false,
  ack: 0,
  limits: { max_frame: 1_000_000, max_inflight: 1, max_ops: 10_000 },
  ping_ms: 25_000,
  ttl_ms: 120_000,
};
const { document } = new JSDOM("<!doctype html><main></main>", { url: "http://test/" }).window;

/** @param {Program} program @param {Tell} tell @returns {Promise<import("./steps.js").Page>} */
export async function openSubject(program, tell) {
  /** @type {Record<string, any>} */
  const store = /** @type {any} */ (fromNote(program.state));
  /** @type {any[]} */
  const queue = [];
  let frame = 0;
  let rev = INST;
  let ack = 0;
  let said = 0;
  /** @type {any} */
  let socket;

  class Socket extends EventTarget {
    readyState = 1;
    protocol = "rdit.v1";
    constructor() {
      super();
      socket = this;
    }
    /** @param {string | Uint8Array<ArrayBuffer>} data */
    send(data) {
      const message = decodeFrame(typeof data === "string" ? data : data.buffer);
      if (message.type === "batch") queue.push(message);
    }
    close() {}
  }

  /** @param {Record<string, unknown>} message */
  function say(message) {
    const data = encodeFrame(message);
    socket.dispatchEvent(new MessageEvent("message", { data: typeof data === "string" ? data : data.buffer }));
  }

  /** @param {Record<string, unknown>} fields */
  function sync(fields) {
    frame += 1;
    say({ type: "sync", frame, rev, ack, ...fields });
  }

  /** @param {[string, unknown][]} entries */
  function changesOf(entries) {
    return entries.map(([key, value]) => [WIDGET_ID, INST, key, value, (rev += 1)]);
  }

  const connection = connect("ws://test/ws/widgets", {
    WebSocket: /** @type {any} */ (Socket),
    setTimeout: () => 0,
    clearTimeout: () => {},
    now: () => 0,
    random: () => 0.5,
    statusUrl: null,
    window: null,
    document: null,
    profile: program.profile,
  });
  socket.dispatchEvent(new Event("open"));
  say(WELCOME);
  sync({ open: [{ ...opened(WIDGET_ID, store, INST), esm_url: "http://test/widget.js" }] });

  /** @type {Record<string, any>} */
  const hooks = {};
  let rendered = 0;
  const definition = {
    initialize(/** @type {any} */ props) {
      hooks.init = props.model;
    },
    async render(/** @type {any} */ props) {
      rendered += 1;
      hooks[`view${rendered}`] = props.model;
      if (rendered === 1) hooks.got = await props.host.getModel(`anywidget:${WIDGET_ID}`);
    },
  };
  /** @type {Record<string, import("../../host.js").View>} */
  const views = {};
  for (const name of ["view1", "view2"]) {
    views[name] = await renderWidget({
      connection,
      widgetData: { widget_id: WIDGET_ID, model: {} },
      el: document.createElement("div"),
      importModule: async () => ({ default: definition }),
    });
    if (views[name].failure) throw views[name].failure.error;
  }
  views.got = views.view1;

  return {
    hooks,
    end: (hook) => void views[hook]?.dispose(),
    canListen: () => true,
    async remote(entries) {
      for (const [key, value] of entries) store[key] = value;
      sync({ changes: changesOf(entries) });
      await settle();
    },
    async message(content, buffers) {
      said += 1;
      sync({ msgs: [{ n: said, widget_id: WIDGET_ID, inst: INST, content, buffers }] });
      await settle();
    },
    async deliver() {
      for (let next = queue.shift(); next; next = queue.shift()) {
        /** @type {Map<string, unknown>} */
        const values = new Map();
        for (const op of next.ops) {
          if (op.op === "set") {
            tell("python", "update", { [op.property]: op.value });
            values.set(op.property, copyData(op.value));
          } else {
            tell("python", "message", op.content ?? null, op.buffers ?? []);
          }
        }
        for (const [key, value] of values) store[key] = value;
        ack = next.seq;
        sync({ changes: changesOf([...values].sort()) });
        await settle();
      }
    },
    store: () => store,
    async close() {
      connection.close();
    },
  };
}

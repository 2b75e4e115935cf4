/** A socket, a clock and a page that tests move by hand. */

import { resolveObjectURL } from "node:buffer";

import { JSDOM } from "jsdom";

import { decodeFrame, encodeFrame } from "../frames.js";

const WELCOME = {
  type: "welcome",
  protocol: 1,
  epoch: "e1",
  session: "s1",
  secret: "x1",
  resumed: false,
  ack: 0,
  limits: { max_frame: 1_000_000, max_inflight: 2, max_ops: 256 },
  ping_ms: 25_000,
  ttl_ms: 120_000,
};

/** A widget as a server of rdit/1 tells of it. @param {string} id @param {Record<string, unknown>} values */
export function opened(id, values, inst = 40) {
  const props = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, [value, inst]]));
  return { widget_id: id, inst, kind: "demo.Widget", props, writable: Object.keys(values) };
}

/** Makes a WebSocket class whose sockets wait for the test: `sockets` lists them in the order of their making. */
export function fakeNetwork() {
  /** @type {FakeSocket[]} */
  const sockets = [];

  class FakeSocket extends EventTarget {
    readyState = 0;
    protocol = "";
    #frame = 0;
    /** @type {string[]} */
    frames = [];

    /** @param {string} url @param {string[]} offers */
    constructor(url = "ws://test/ws/widgets", offers = []) {
      super();
      this.url = url;
      this.offers = offers;
      sockets.push(this);
    }

    /** @param {string} frame */
    send(frame) {
      if (this.readyState === 0) throw new DOMException("Still in CONNECTING state", "InvalidStateError");
      if (this.readyState === 1) this.frames.push(frame);
    }

    close() {
      const { readyState } = this;
      this.readyState = 3;
      // One that never opened says at once that it failed; one that is open waits for the other side.
      if (readyState === 0) this.dispatchEvent(Object.assign(new Event("close"), { code: 1006, reason: "" }));
    }

    /** The other side accepts. @param {string} protocol what it chooses */
    accept(protocol = "") {
      this.protocol = protocol;
      this.readyState = 1;
      this.dispatchEvent(new Event("open"));
    }

    /** The other side says something. @param {unknown} message */
    say(message) {
      const data = typeof message === "string" ? message : JSON.stringify(message);
      this.dispatchEvent(new MessageEvent("message", { data }));
    }

    /**
     * The other side accepts in rdit/1 and has these widgets: property to value, by id.
     *
     * @param {Record<string, Record<string, unknown>>} [widgets]
     * @param {object} [welcome] fields that differ
     */
    welcome(widgets = {}, welcome = {}) {
      this.accept("rdit.v1");
      this.say({ ...WELCOME, ...welcome });
      this.sync({ open: Object.entries(widgets).map(([id, values]) => opened(id, values)) });
    }

    /** @param {object} fields bytes in them travel as bytes */
    sync(fields) {
      this.#frame += 1;
      const frame = encodeFrame({ type: "sync", frame: this.#frame, rev: 50, ack: 0, ...fields });
      const data = typeof frame === "string" ? frame : frame.buffer;
      this.dispatchEvent(new MessageEvent("message", { data }));
    }

    /** What was sent in rdit/1, but for acknowledgements of state. @returns {any[]} */
    get messages() {
      const sent = this.frames.map((frame) => decodeFrame(frame));
      return sent.filter(({ type }) => type !== "sync_ack").map(({ sync_ack: _, ...message }) => message);
    }

    /** The connection ends. @param {number} code @param {string} reason */
    drop(code = 1006, reason = "") {
      this.readyState = 3;
      this.dispatchEvent(Object.assign(new Event("close"), { code, reason }));
    }

    /** What was sent, as [widget id, property, value]. */
    get updates() {
      return this.frames.map((frame) => {
        const { widget_id, property, value } = JSON.parse(frame);
        return [widget_id, property, value];
      });
    }

    /** @param {string} widgetId @param {string} property */
    ack(widgetId, property) {
      this.say({ type: "ack", widget_id: widgetId, property });
    }

    /** @param {string} widgetId @param {string} property @param {unknown} value */
    push(widgetId, property, value) {
      this.say({ type: "widget_update", widget_id: widgetId, property, value });
    }
  }

  return {
    sockets,
    WebSocket: /** @type {any} */ (FakeSocket),
    get last() {
      return /** @type {FakeSocket} */ (sockets.at(-1));
    },
  };
}

/** Timers that fire when the test says so. */
export function fakeClock() {
  let now = 0;
  let count = 0;
  /** @type {Map<number, { at: number, callback: () => void }>} */
  const timers = new Map();
  return {
    /** @param {() => void} callback @param {number} ms */
    setTimeout(callback, ms) {
      count += 1;
      timers.set(count, { at: now + ms, callback });
      return count;
    },
    /** @param {number} timer */
    clearTimeout(timer) {
      timers.delete(timer);
    },
    /** @param {number} ms */
    advance(ms) {
      const end = now + ms;
      for (;;) {
        const due = [...timers].filter(([, { at }]) => at <= end).sort(([, a], [, b]) => a.at - b.at)[0];
        if (!due) break;
        timers.delete(due[0]);
        now = due[1].at;
        due[1].callback();
      }
      now = end;
    },
    now: () => now,
    /** How long until each timer fires, sorted. */
    get waits() {
      return [...timers.values()].map(({ at }) => at - now).sort((a, b) => a - b);
    },
  };
}

/** Lets everything that is ready to run, run. */
export function settle() {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A channel that remembers; its values are those that the model gave. */
export function recordingChannel() {
  /** @type {[string, string, unknown][]} */
  const updates = [];
  return {
    updates,
    /** @param {string} widgetId @param {string} property @param {unknown} value */
    sendUpdate(widgetId, property, value) {
      updates.push([widgetId, property, structuredClone(value)]);
    },
  };
}

/**
 * Collects what goes to the console, and keeps it from the terminal.
 *
 * @param {import("node:test").TestContext} t
 */
export function captureConsole(t) {
  /** @type {{ warn: string[], error: string[] }} */
  const lines = { warn: [], error: [] };
  for (const method of /** @type {const} */ (["warn", "error"])) {
    t.mock.method(console, method, (/** @type {unknown[]} */ ...args) => lines[method].push(args.map(String).join(" ")));
  }
  return lines;
}

/** @param {string} [html] */
export function fakePage(html = "<!doctype html><main></main>") {
  const dom = new JSDOM(html, { url: "http://test/prefix/" });
  return { dom, window: dom.window, document: dom.window.document };
}

/**
 * Imports what the loader asks for, as a browser would: a blob by its text, any other URL from `modules`. Each URL, its
 * fragment included, is a module instance of its own.
 *
 * @param {Record<string, string>} [modules] text by URL without the fragment
 */
export function fakeImports(modules = {}) {
  /** @type {string[]} */
  const urls = [];
  return {
    urls,
    /** @param {string} url */
    async importModule(url) {
      urls.push(url);
      const text = url.startsWith("blob:") ? await resolveObjectURL(url)?.text() : modules[url.split("#")[0]];
      if (text === undefined) throw new TypeError(`The server refuses the module ${url} (HTTP 404)`);
      instances += 1;
      return import(`data:text/javascript,${encodeURIComponent(text)}#${instances}`);
    },
  };
}

let instances = 0;

/**
 * The page of `rdit serve`.
 *
 * Results come one way, as events with ids on `api/execute`; widgets live both ways on `ws/widgets`. The stream is
 * opened when the socket is live, so that no value that Python sets falls between the two, and ends when the run is
 * done. What callbacks print later comes as `output` on the socket. Both carry the same ids: an event is shown once,
 * in order.
 */

import { connect } from "./connection.js";
import {
  GOING_AWAY_NOTICE,
  noticeOf,
  readOnlyNotice,
  rerunNotice,
  restartNotice,
  violationNotice,
} from "./notices.js";
import { createProgress } from "./progress.js";
import { createResults, setText } from "./results.js";

/** So long after the last acknowledgement the page calls itself idle again. */
export const IDLE_AFTER_MS = 16;
const EVENT_KINDS = ["statement", "stream", "display", "update", "clear", "error", "widget", "done", "reset"];
/** A stream that broke off while the socket is live is opened again after this long. */
export const STREAM_RETRY_MS = 1_000;
/** After `done` the server ends the stream, perhaps behind output of callbacks; one that stays open is closed then. */
export const DONE_GRACE_MS = 1_000;
/** So long an edit may be on its way before the page calls itself busy. */
export const BUSY_AFTER_MS = 150;

const STATE_LABELS = { connecting: "Connecting", live: "Live", offline: "Reconnecting", failed: "Failed" };
const RUN_LABELS = {
  waiting: "",
  running: "Running",
  busy: "Busy",
  unsent: "Edits wait",
  ok: "Ready",
  error: "Stopped by an error",
};

/**
 * @typedef {object} PageOptions
 * @property {any} [window]
 * @property {typeof connect} [connect]
 * @property {any} [EventSource]
 * @property {any} [fetch]
 * @property {(url: string) => Promise<any>} [importModule]
 * @property {() => number} [now]
 */

/**
 * Brings the page to life; its elements are those of `index.html`.
 *
 * @param {PageOptions} [options]
 */
export function startPage(options = {}) {
  const window = options.window ?? globalThis.window;
  const { connect: connectTo = connect, importModule } = options;
  const EventSourceClass = options.EventSource ?? window.EventSource;
  const fetch = options.fetch ?? window.fetch.bind(window);
  /** @type {Document} */
  const document = window.document;

  /** @param {string} id @returns {HTMLElement} */
  const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
  const html = document.documentElement;
  const isReadOnly = html.hasAttribute("data-rdit-read-only");
  const scriptName = byId("rdit-script");
  const stateLabel = byId("rdit-state");
  const runLabel = byId("rdit-run");
  const restartButton = /** @type {HTMLButtonElement} */ (byId("rdit-restart"));
  const interruptButton = /** @type {HTMLButtonElement} */ (byId("rdit-interrupt"));
  const notices = byId("rdit-notices");
  const failurePanel = byId("rdit-failure");
  const emptyNote = byId("rdit-empty");
  const root = byId("rdit-outputs");

  /** @param {string} path */
  function urlOf(path) {
    const url = new URL(path, document.baseURI);
    // Where each page load has its own kernel, everything that it asks for says which.
    const kernel = html.getAttribute("data-rdit-kernel");
    if (kernel) url.searchParams.set("kernel", kernel);
    return url.href;
  }
  const connection = connectTo(urlOf("ws/widgets"), { output: true });
  const results = createResults({ window, connection, importModule, onsettled: () => update() });
  const { notify, recordError } = results;
  const announcer = byId("rdit-announce");
  /** For those who hear the page. @param {string} text */
  const announce = (text) => setText(announcer, text);
  const progress = createProgress({ window, announce, now: options.now ?? (() => window.performance.now()) });

  let lastId = 0;
  /** The run has ended: its `done` was seen. */
  let isRunOver = false;
  /** And so has the stream: from here on, output comes on the socket. */
  let isStreamDone = false;
  /** A restart was asked for, and its `reset` has not come yet. */
  let isRestarting = false;
  /** @type {keyof typeof RUN_LABELS} */
  let run = "waiting";
  /** Outputs that came before the stream was done, by id. @type {Map<number, any>} */
  const early = new Map();
  /** Properties of which it was said that Python does not have them. @type {Set<string>} */
  const undeclared = new Set();
  /** @type {any} */
  let stream = null;
  /** @type {any} */
  let streamTimer = null;
  /** @type {any} */
  let soonTimer = null;
  /** @type {any} */
  let idleTimer = null;
  let shownIdle = false;

  /** Says whether anything is in flight; it happens with each edit, so nothing else is touched. */
  function updateIdle() {
    const isSettled = isStreamDone && !isRestarting && !results.isRendering && connection.idle;
    const isIdle = connection.state === "live" && isSettled;
    if (isIdle === shownIdle) return;
    shownIdle = isIdle;
    html.toggleAttribute("data-rdit-idle", isIdle);
  }

  function idleIsDue() {
    idleTimer = null;
    updateIdle();
  }

  /**
   * An edit that is acknowledged within a blink makes nobody busy. That there is one is marked at once; that there is
   * none any more in a moment, for a widget that answers what it hears has the next one under way by then.
   */
  function updateSoon() {
    // A page that nobody sees has its timers ring late.
    if (!connection.idle || document.visibilityState !== "visible") updateIdle();
    else idleTimer ??= window.setTimeout(idleIsDue, IDLE_AFTER_MS);
    soonTimer ??= window.setTimeout(update, BUSY_AFTER_MS);
  }

  function update() {
    window.clearTimeout(soonTimer);
    soonTimer = null;
    const { state } = connection;
    updateIdle();
    html.setAttribute("data-rdit-state", state === "closed" ? "failed" : state);
    const label = state === "closed" ? "failed" : state;
    setText(stateLabel, STATE_LABELS[label]);
    /** @type {keyof typeof RUN_LABELS} */
    let shownRun = run;
    if (state === "offline" && !connection.idle) shownRun = "unsent";
    else if (state !== "live") shownRun = "waiting";
    else if (isStreamDone && !connection.idle) shownRun = "busy";
    setText(runLabel, RUN_LABELS[shownRun]);
    runLabel.setAttribute("data-run", shownRun);
    progress.hear(state === "live");
    interruptButton.hidden = isReadOnly || !(state === "live" && (run === "running" || shownRun === "busy"));
    restartButton.hidden = isReadOnly;
    restartButton.disabled = state !== "live";
    emptyNote.hidden = !(isStreamDone && results.isEmpty);
  }

  /** @param {any} event */
  function show(event) {
    if (event.kind === "reset") return reset(event);
    if (event.kind === "done") progress.end();
    if (event.kind === "done") run = event.status === "error" ? "error" : "ok";
    else if (!isRunOver) run = "running";
    results.show(event);
    if (event.kind === "statement" && run === "running") progress.begin(event);
  }

  /** @param {{ id: number, changed?: unknown }} event */
  function reset({ id, changed }) {
    const isFresh = root.childElementCount === 0 && lastId === 0;
    lastId = id;
    run = "waiting";
    progress.end();
    isRunOver = false;
    for (const n of early.keys()) if (n <= id) early.delete(n);
    if (isFresh) {
      isRestarting = false;
      return;
    }
    closeStream();
    // What is said about the server having been started anew comes before the reset that follows from it.
    const isAskedFor = isRestarting;
    isRestarting = false;
    for (const notice of notices.querySelectorAll(isAskedFor ? ".rdit-notice" : ".rdit-notice:not([data-topic])")) {
      notice.remove();
    }
    if (Array.isArray(changed) && changed.length > 0) notify(rerunNotice(changed.map(String)), "rerun");
    undeclared.clear();
    results.clear();
    // In base mode a new socket starts with every value that changed: none of the old run's can be mistaken for one of
    // the new. In rdit/1 each widget's incarnation tells them apart, and the socket goes on.
    connection.renew();
    if (connection.protocol === "rdit.v1" && connection.state === "live") openStream();
  }

  function closeStream() {
    window.clearTimeout(streamTimer);
    stream?.close();
    stream = null;
    isStreamDone = false;
  }

  function openStream() {
    closeStream();
    const url = new URL(urlOf("api/execute"));
    url.searchParams.set("esm", "url");
    if (lastId > 0) url.searchParams.set("after", String(lastId));
    const source = (stream = new EventSourceClass(url.href));
    let wasOpen = false;
    source.addEventListener("open", () => {
      wasOpen = true;
    });
    for (const kind of EVENT_KINDS) {
      source.addEventListener(kind, (/** @type {any} */ message) => {
        if (stream !== source) return;
        // The name "error" is also that of EventSource's own event, which has no data: the stream ended or broke off.
        if (typeof message.data === "string") takeFromStream(kind, message);
        else if (kind === "error") streamEnded(wasOpen);
        update();
      });
    }
  }

  /** @param {boolean} wasOpen */
  function streamEnded(wasOpen) {
    // Asked for what came after the end of the run, the server has nothing to say, not even `done`.
    if (isRunOver && wasOpen) {
      settleStream();
      return;
    }
    closeStream();
    // Asking again is ours to do: EventSource would give the last id in a header, and only this object knows that id.
    streamTimer = window.setTimeout(() => connection.state === "live" && openStream(), STREAM_RETRY_MS);
  }

  function settleStream() {
    closeStream();
    isStreamDone = true;
    const waiting = [...early].sort(([a], [b]) => a - b);
    early.clear();
    for (const [n, output] of waiting) showOutput(n, output);
  }

  /** @param {string} kind @param {{ data: string, lastEventId: string }} message */
  function takeFromStream(kind, message) {
    const data = JSON.parse(message.data);
    const id = Number(message.lastEventId || data.id);
    const event = { ...data, kind, id };
    // A reset counts whatever its id: a server that was started anew counts from the beginning.
    if (kind !== "reset") {
      if (kind === "done" && !isRunOver) {
        isRunOver = true;
        streamTimer = window.setTimeout(() => {
          settleStream();
          update();
        }, DONE_GRACE_MS);
      } else if (id <= lastId) {
        return;
      }
      lastId = Math.max(lastId, id);
    }
    show(event);
  }

  /** @param {number} n @param {any} event */
  function takeOutput(n, event) {
    if (!isStreamDone) {
      early.set(n, event);
      return;
    }
    // A page that reads slowly is not sent everything: the stream has it.
    if (n > lastId + 1) {
      early.set(n, event);
      openStream();
    } else showOutput(n, event);
  }

  /** @param {number} n @param {any} event */
  function showOutput(n, event) {
    if (n <= lastId) return;
    lastId = n;
    show({ ...event, kind: event.kind ?? event.type, id: n });
  }

  /**
   * @param {string} path
   * @param {string} failed what to say when it does not work
   * @returns {Promise<boolean>} whether it worked
   */
  async function post(path, failed) {
    try {
      const response = await fetch(urlOf(path), { method: "POST" });
      if (!response.ok) notify(`${failed} (HTTP ${response.status})`);
      return response.ok;
    } catch {
      notify(`${failed}: the server does not answer`);
      return false;
    }
  }

  async function restart() {
    isRestarting = true;
    update();
    if (!(await post("api/reset", "The restart did not work"))) isRestarting = false;
    update();
  }

  /** Shows which script this is. */
  async function askStatus() {
    try {
      const response = await fetch(urlOf("api/status"), { cache: "no-store" });
      if (!response.ok) return;
      const { script, version } = await response.json();
      if (typeof script === "string" && script !== "") {
        const name = script.split(/[\\/]/).pop() ?? script;
        setText(scriptName, name);
        document.title = `${name} · rdit`;
      }
      if (typeof version === "string") scriptName.title = `rdit ${version}`;
    } catch {
      // The pill says already that nobody answers.
    }
  }

  connection.on("state", ({ state, failure }) => {
    if (state === "live") {
      openStream();
      void askStatus();
    } else {
      closeStream();
    }
    if (state === "failed") showFailure(failure);
    update();
  });
  connection.on("idle", () => (connection.state === "live" ? updateSoon() : update()));
  connection.on("output", ({ n, event }) => {
    if (Number.isInteger(n) && typeof event === "object" && event !== null) takeOutput(n, event);
    update();
  });
  connection.on("error", (fault) => {
    if (fault.code === "listener_failed") recordError("listener", fault.error);
    else if (isReadOnly && fault.code === "read_only" && fault.widget_id !== undefined) {
      const text = readOnlyNotice(fault);
      if (results.sayAt(fault.widget_id, text)) announce(text);
      else notify(text, "read-only");
    } else if (!isKnownUnknown(fault)) {
      const text = noticeOf(fault);
      if (text !== null) notify(text);
    }
  });

  /**
   * Whether it was said before that Python does not have the property: a widget may save one with every move.
   *
   * @param {import("./model.js").Fault} fault
   */
  function isKnownUnknown({ code, widget_id: widgetId, property }) {
    if (code !== "unknown_property") return false;
    const key = JSON.stringify([widgetId, property]);
    const isKnown = undeclared.has(key);
    undeclared.add(key);
    return isKnown;
  }

  document.addEventListener("securitypolicyviolation", (violation) => {
    const text = violationNotice(violation);
    if (text !== null) notify(text);
  });
  // The notice that it is back takes the place of this one.
  connection.on("goingAway", () => notify(GOING_AWAY_NOTICE, "restarted"));
  connection.on("restarted", (restarted) => notify(restartNotice(restarted), "restarted"));

  /** @param {{ code: number, message: string } | null} failure */
  function showFailure(failure) {
    const isUnknown = [401, 403, 4500, 4503].includes(failure?.code ?? 0);
    const advice = isUnknown
      ? "The server does not know this page: open the address that it printed when it started, with the token in it."
      : "The connection ended for good: open the address that the server printed, or start the server again.";
    failurePanel.replaceChildren();
    const title = document.createElement("h2");
    title.textContent = "No connection to Python";
    const text = document.createElement("p");
    text.textContent = advice;
    const reason = document.createElement("p");
    reason.className = "rdit-reason";
    reason.textContent = failure?.message ?? "";
    failurePanel.append(title, text, reason);
    failurePanel.hidden = false;
  }

  restartButton.addEventListener("click", () => void restart());
  interruptButton.addEventListener("click", () => void post("api/interrupt", "The interrupt did not work"));
  update();
  return { connection, outputs: results.outputs };
}

if (globalThis.document?.documentElement.hasAttribute("data-rdit-page")) startPage();

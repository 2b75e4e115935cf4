import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { WidgetModel, createModel } from "../model.js";
import { captureConsole, fakeNetwork, recordingChannel } from "./fakes.js";

/** @typedef {import("../model.js").Fault} Fault */

/** @param {Record<string, unknown>} [state] @param {import("../model.js").ModelOptions} [options] */
function makeModel(state = {}, options = {}) {
  const channel = recordingChannel();
  /** @type {Fault[]} */
  const faults = [];
  const model = createModel("w1", state, channel, { onerror: (fault) => faults.push(fault), ...options });
  return { model, channel, faults };
}

describe("createModel: get and set", () => {
  test("the state is copied from the caller's object [afm 27]", () => {
    const state = { a: 1 };
    const { model } = makeModel(state);
    state.a = 2;
    assert.equal(model.get("a"), 1);
    assert.equal(model.get("nothing"), undefined);
  });

  test("get gives the stored object itself [afm 28]", () => {
    const list = [1];
    assert.equal(makeModel({ list }).model.get("list"), list);
  });

  test("set is visible at once and sent by save_changes only [afm 29 52]", () => {
    const { model, channel } = makeModel({ a: 1 });
    model.set("a", 2);
    assert.equal(model.get("a"), 2);
    assert.deepEqual(channel.updates, []);
    model.save_changes();
    assert.deepEqual(channel.updates, [["w1", "a", 2]]);
  });

  test("set fires change:<key> first, then one plain change [afm 30 41]", () => {
    const { model } = makeModel({ a: 1 });
    /** @type {string[]} */
    const seen = [];
    model.on("change", () => seen.push("change"));
    model.on("change:a", () => seen.push(`change:a ${model.get("a")}`));
    model.set("a", 2);
    assert.deepEqual(seen, ["change:a 2", "change"]);
  });

  test("an equal primitive or an equal different object fires nothing and saves nothing [afm 31]", () => {
    const { model, channel } = makeModel({ n: 1, list: [1, { a: 2 }], nan: NaN });
    model.on("change", () => assert.fail("fired"));
    model.set("n", 1);
    model.set("list", [1, { a: 2 }]);
    model.set("nan", NaN);
    model.save_changes();
    assert.deepEqual(channel.updates, []);
  });

  test("the same object set again fires and is sent [afm 32]", () => {
    const { model, channel } = makeModel({ list: [1] });
    let fired = 0;
    model.on("change:list", () => (fired += 1));
    const list = model.get("list");
    list.push(2);
    model.set("list", list);
    model.save_changes();
    assert.equal(fired, 1);
    assert.deepEqual(channel.updates, [["w1", "list", [1, 2]]]);
  });

  test("an object edited in place and then set as an equal copy fires and is sent", () => {
    const { model, channel } = makeModel({ list: [] });
    let fired = 0;
    model.on("change:list", () => (fired += 1));
    model.get("list").push({ x: 1 });
    model.set("list", [{ x: 1 }]);
    model.save_changes();
    const again = model.get("list");
    again[0].x = 2;
    model.set("list", [{ x: 2 }]);
    model.save_changes();
    assert.equal(fired, 2);
    assert.deepEqual(channel.updates, [["w1", "list", [{ x: 1 }]], ["w1", "list", [{ x: 2 }]]]);
  });

  test("an equal copy fires nothing once Python has confirmed what was edited in place", () => {
    const { model, channel } = makeModel({ list: [1] });
    model.get("list").push(2);
    model.handleRemoteUpdate("list", [1, 2]);
    model.on("change", () => assert.fail("fired"));
    model.set("list", [1, 2]);
    model.save_changes();
    assert.deepEqual(channel.updates, []);
  });

  test("a key that nobody declared is kept and sent [afm 33]", () => {
    const { model, channel } = makeModel();
    model.set("extra", 1);
    model.save_changes();
    assert.equal(model.get("extra"), 1);
    assert.deepEqual(channel.updates, [["w1", "extra", 1]]);
  });

  for (const profile of /** @type {const} */ (["compat", "strict"])) {
    test(`an object sets several keys, with one warning (${profile}) [afm 34]`, (t) => {
      const lines = captureConsole(t);
      const { model, channel } = makeModel({ a: 1, b: 1 }, { profile });
      /** @type {unknown[]} */
      const seen = [];
      model.on("change:a", () => seen.push(model.get("b")));
      model.on("change", () => seen.push("change"));
      model.set({ a: 2, b: 2 });
      model.set({ a: 3 });
      model.save_changes();
      assert.deepEqual(seen, [2, "change", 2, "change"]);
      assert.deepEqual(channel.updates, [
        ["w1", "a", 3],
        ["w1", "b", 2],
      ]);
      assert.equal(lines.warn.length, 1);
    });
  }

  test("set to undefined is null, with one warning [afm 35]", (t) => {
    const lines = captureConsole(t);
    const { model, channel } = makeModel({ a: 1, b: 1 });
    model.set("a", undefined);
    model.set("b", undefined);
    model.save_changes();
    assert.equal(model.get("a"), null);
    assert.deepEqual(channel.updates, [
      ["w1", "a", null],
      ["w1", "b", null],
    ]);
    assert.equal(lines.warn.length, 1);
  });

  test("names such as __proto__ are keys like any other", () => {
    const { model, channel } = makeModel(JSON.parse('{"__proto__": {"a": 1}}'));
    assert.deepEqual(model.get("__proto__"), { a: 1 });
    assert.equal(model.get("constructor"), undefined);
    model.set("__proto__", { polluted: true });
    model.set("constructor", { polluted: true });
    model.save_changes();
    model.handleRemoteUpdate("__proto__", { polluted: 2 });
    assert.equal(channel.updates.length, 2);
    assert.equal(/** @type {any} */ ({}).polluted, undefined);
  });

  test("_esm and _css are readable, and change:_css fires [afm 40]", () => {
    const { model } = makeModel({ _esm: "esm/abc.js", _css: "a {}" });
    /** @type {string[]} */
    const seen = [];
    model.on("change:_css", () => seen.push(model.get("_css")));
    model.handleRemoteUpdate("_css", "b {}");
    assert.equal(model.get("_esm"), "esm/abc.js");
    assert.deepEqual(seen, ["b {}"]);
  });
});

describe("createModel: saving", () => {
  test("only changed keys are sent, each once, and nothing the second time [afm 52]", () => {
    const { model, channel } = makeModel({ a: 1, b: 1, c: 1 });
    model.set("b", 2);
    model.set("a", 2);
    model.set("b", 3);
    model.save_changes();
    model.save_changes();
    assert.deepEqual(channel.updates, [
      ["w1", "b", 3],
      ["w1", "a", 2],
    ]);
  });

  test("save_changes with nothing changed sends nothing [afm 52]", () => {
    const { model, channel } = makeModel({ a: 1 });
    model.save_changes();
    assert.deepEqual(channel.updates, []);
  });

  test("a value that cannot be sent throws, and costs the other keys and later saves nothing", () => {
    const sent = recordingChannel();
    const channel = {
      /** @param {string} id @param {string} key @param {unknown} value */
      sendUpdate(id, key, value) {
        if (typeof value === "function") throw new DOMException("no functions", "DataCloneError");
        sent.sendUpdate(id, key, value);
      },
    };
    const model = createModel("w1", {}, channel);
    model.set("bad", () => {});
    model.set("good", 1);
    assert.throws(() => model.save_changes(), { name: "DataCloneError" });
    model.set("later", 2);
    model.save_changes();
    assert.deepEqual(sent.updates, [
      ["w1", "good", 1],
      ["w1", "later", 2],
    ]);
  });

  test("with autosave set sends at once [afm 58]", () => {
    const { model, channel } = makeModel({ a: 1 }, { autosave: true });
    model.set("a", 2);
    assert.deepEqual(channel.updates, [["w1", "a", 2]]);
  });

  test("autosave sends before the listeners run, and what they set and send comes behind it [afm 58]", () => {
    /** @type {unknown[][]} */
    const log = [];
    /** @type {import("../model.js").Channel} */
    const channel = {
      sendUpdate: (_widgetId, property, value) => void log.push(["update", property, value]),
      sendMessage: (_widgetId, content) => log.push(["message", content]) > 0,
    };
    const model = createModel("w1", { a: 1, b: 1 }, channel, { autosave: true, profile: "strict" });
    model.on("change:a", () => {
      log.push(["change:a"]);
      model.send("hello");
      model.set("b", 2);
    });
    model.on("change:b", () => log.push(["change:b"]));
    model.on("change", () => log.push(["change"]));
    model.set("a", 2);
    assert.deepEqual(log, [
      ["update", "a", 2],
      ["change:a"],
      ["message", "hello"],
      ["update", "b", 2],
      ["change:b"],
      ["change"],
    ]);
  });

  test("autosave tells listeners even of a value that cannot be sent", () => {
    const { model } = makeModel({}, { autosave: true });
    /** @type {unknown[]} */
    const heard = [];
    model.on("change:a", () => heard.push(model.get("a")));
    const unsendable = () => {};
    assert.throws(() => model.set("a", unsendable));
    assert.deepEqual(heard, [unsendable]);
  });

  test("a nested set in a listener works, is saved, and plain change comes after it [afm 39]", () => {
    const { model, channel } = makeModel({ a: 1, b: 1 });
    /** @type {unknown[]} */
    const seen = [];
    model.on("change:a", () => {
      model.set("b", 2);
      model.save_changes();
    });
    model.on("change", () => seen.push([model.get("a"), model.get("b")]));
    model.set("a", 2);
    assert.deepEqual(channel.updates, [
      ["w1", "a", 2],
      ["w1", "b", 2],
    ]);
    assert.deepEqual(seen, [[2, 2]]);
  });

  test("a set in a plain change listener fires another plain change", () => {
    const { model } = makeModel({ a: 1, b: 1 });
    /** @type {unknown[]} */
    const seen = [];
    model.on("change", () => {
      seen.push(model.get("b"));
      model.set("b", 2);
    });
    model.set("a", 2);
    assert.deepEqual(seen, [1, 2]);
  });
});

describe("createModel: updates from Python", () => {
  test("an update of several keys is stored whole before the first event [afm 36]", () => {
    const { model } = makeModel({ a: 1, b: 1 });
    /** @type {unknown[]} */
    const seen = [];
    model.on("change:a", () => seen.push(["a", model.get("b")]));
    model.on("change:b", () => seen.push(["b", model.get("a")]));
    model.on("change", () => seen.push("change"));
    model.applyRemote([
      ["a", 2],
      ["b", 2],
    ]);
    assert.deepEqual(seen, [["a", 2], ["b", 2], "change"]);
  });

  test("of an update of several keys those that are bytes are told of last, as in Jupyter [afm 36]", () => {
    const { model } = makeModel({ data: null, shape: null, more: null });
    /** @type {string[]} */
    const seen = [];
    for (const key of ["data", "shape", "more"]) model.on(`change:${key}`, () => seen.push(key));
    model.applyRemote([
      ["data", new DataView(new ArrayBuffer(2))],
      ["more", new DataView(new ArrayBuffer(1))],
      ["shape", [2]],
    ]);
    assert.deepEqual(seen, ["shape", "data", "more"]);
  });

  test("an update equal to the present value fires nothing and keeps the object [afm 37]", () => {
    const list = [1];
    const { model } = makeModel({ list });
    model.on("change", () => assert.fail("fired"));
    model.handleRemoteUpdate("list", [1]);
    assert.equal(model.get("list"), list);
  });

  test("a set not yet saved loses to a later update from Python [afm 38]", () => {
    const { model, channel } = makeModel({ a: 1, b: 1 });
    model.set("a", 2);
    model.set("b", 2);
    model.handleRemoteUpdate("a", 3);
    model.save_changes();
    assert.equal(model.get("a"), 3);
    assert.deepEqual(channel.updates, [["w1", "b", 2]]);
  });

  test("an update from Python is not sent back", () => {
    const { model, channel } = makeModel({ a: 1 });
    model.handleRemoteUpdate("a", 2);
    model.save_changes();
    assert.deepEqual(channel.updates, []);
  });

  test("null for a key that was not there fires [afm 35]", () => {
    const { model } = makeModel();
    let fired = 0;
    model.on("change:a", () => (fired += 1));
    model.handleRemoteUpdate("a", null);
    assert.equal(fired, 1);
  });
});

describe("createModel: events", () => {
  test("the model that compat passes says what changed since the update began, as Backbone's does [afm 42]", () => {
    const { model } = makeModel({ a: 1, b: 1, c: 1 });
    const scoped = model.scope();
    /** @type {unknown[]} */
    const seen = [];
    scoped.on("change:a", (given) => {
      seen.push({ ...given.changed });
      scoped.set("c", 3);
    });
    scoped.on("change", (given) => seen.push({ ...given.changed }));
    model.applyRemote([
      ["a", 2],
      ["b", 2],
    ]);
    assert.deepEqual(seen, [
      { a: 2, b: 2 },
      { a: 2, b: 2, c: 3 },
    ]);
    scoped.set("b", 4);
    assert.deepEqual({ ...scoped.changed }, { b: 4 });
    scoped.set("b", 4);
    assert.deepEqual({ ...scoped.changed }, {});
    assert.equal("changed" in makeModel({ a: 1 }, { profile: "strict" }).model.scope(), false);
  });

  test("compat passes Backbone's arguments [afm 42]", () => {
    const { model } = makeModel({ a: 1 });
    const scoped = model.scope();
    /** @type {unknown[][]} */
    const seen = [];
    scoped.on("change:a", (...args) => seen.push(args));
    scoped.on("change", (...args) => seen.push(args));
    model.on("change:a", (...args) => seen.push(args));
    model.set("a", 2);
    assert.deepEqual(
      seen.map(([who, ...rest]) => [who === scoped ? "scope" : who === model ? "model" : "?", ...rest]),
      [
        ["scope", 2, {}],
        ["model", 2, {}],
        ["scope", {}],
      ],
    );
  });

  test("each callback of a round gets the value that the round is about, whatever the one before it has set", () => {
    const { model } = makeModel({ a: 1 });
    /** @type {unknown[]} */
    const seen = [];
    model.on("change:a", (_model, value) => {
      if (value === 2) model.set("a", 3);
    });
    model.on("change:a", (_model, value) => seen.push(value));
    model.set("a", 2);
    assert.deepEqual(seen, [3, 2]);
  });

  test("strict passes none [afm 42]", () => {
    const { model } = makeModel({ a: 1 }, { profile: "strict" });
    /** @type {unknown[][]} */
    const seen = [];
    model.on("change:a", (...args) => seen.push(args));
    model.on("change", (...args) => seen.push(args));
    model.set("a", 2);
    model.handleRemoteUpdate("a", 3);
    assert.deepEqual(seen, [[], [], [], []]);
  });

  for (const [profile, warnings] of /** @type {const} */ ([
    ["compat", 0],
    ["strict", 2],
  ])) {
    test(`several names in one string and "all" work (${profile}: ${warnings} warnings) [afm 45]`, (t) => {
      const lines = captureConsole(t);
      const { model } = makeModel({ a: 1, b: 1 }, { profile });
      /** @type {unknown[]} */
      const seen = [];
      const both = () => seen.push("both");
      model.on("change:a  change:b", both);
      model.on("all", (name) => seen.push(name));
      model.set("a", 2);
      model.off("change:a change:b", both);
      model.set("b", 2);
      assert.deepEqual(seen, ["both", "change:a", "change", "change:b", "change"]);
      assert.equal(lines.warn.length, warnings);
    });
  }

  test("the same callback registered twice runs twice [afm 44]", () => {
    const { model } = makeModel({ a: 1 });
    let runs = 0;
    const callback = () => (runs += 1);
    model.on("change:a", callback);
    model.on("change:a", callback);
    model.set("a", 2);
    assert.equal(runs, 2);
  });

  test("a callback removed during an emit still runs in that round [afm 47]", () => {
    const { model } = makeModel({ a: 1 });
    let runs = 0;
    const second = () => (runs += 1);
    model.on("change:a", () => model.off("change:a", second));
    model.on("change:a", second);
    model.set("a", 2);
    model.set("a", 3);
    assert.equal(runs, 1);
  });

  test("a listener that throws stops neither the others nor the save, and is logged and reported [afm 48 49]", (t) => {
    const lines = captureConsole(t);
    const { model, channel, faults } = makeModel({ a: 1 });
    let isReached = false;
    model.on("change:a", () => {
      throw new Error("broken listener");
    });
    model.on("change:a", () => (isReached = true));
    model.set("a", 2);
    model.save_changes();
    assert.equal(isReached, true);
    assert.deepEqual(channel.updates, [["w1", "a", 2]]);
    assert.match(lines.error[0], /broken listener/);
    assert.deepEqual(
      faults.map(({ code, message, widget_id, property }) => [code, message, widget_id, property]),
      [["listener_failed", "broken listener", "w1", "a"]],
    );
    model.on("change:b", () => {
      throw new Error("remote too");
    });
    model.handleRemoteUpdate("b", 1);
    assert.equal(faults.length, 2);
  });

  test("a callback that is no function is a warning", (t) => {
    const lines = captureConsole(t);
    makeModel().model.on("change:a", /** @type {any} */ (undefined));
    assert.match(lines.warn[0], /needs a function/);
  });
});

describe("createModel: scopes", () => {
  for (const [how, drop] of /** @type {[string, (m: any, cb: any) => void][]} */ ([
    ["off(name, callback)", (m, cb) => m.off("change:a", cb)],
    ["off(name)", (m) => m.off("change:a")],
    ["off()", (m) => m.off()],
    ["off(null, callback)", (m, cb) => m.off(null, cb)],
  ])) {
    test(`${how} drops only this hook's listeners [afm 46]`, () => {
      const { model } = makeModel({ a: 1 });
      const [mine, theirs] = [model.scope(), model.scope()];
      /** @type {string[]} */
      const seen = [];
      const callback = () => seen.push("shared");
      mine.on("change:a", callback);
      theirs.on("change:a", callback);
      theirs.on("change:a", () => seen.push("theirs"));
      drop(mine, callback);
      model.set("a", 2);
      assert.deepEqual(seen, ["shared", "theirs"]);
    });
  }

  test("an abort takes the listeners along, and none can be added after it [afm 50]", () => {
    const { model } = makeModel({ a: 1 });
    const controller = new AbortController();
    const scoped = model.scope(controller.signal);
    let runs = 0;
    scoped.on("change:a", () => (runs += 1));
    model.set("a", 2);
    controller.abort();
    scoped.on("change:a", () => (runs += 1));
    model.set("a", 3);
    assert.equal(runs, 1);
    assert.equal(scoped.get("a"), 3);
  });

  test("closing the model aborts its signal and drops every listener", () => {
    const { model } = makeModel({ a: 1 });
    const scoped = model.scope();
    scoped.on("change:a", () => assert.fail("fired"));
    model.close();
    scoped.on("change:a", () => assert.fail("fired"));
    model.set("a", 2);
    assert.equal(model.signal.aborted, true);
  });

  test("a scope shows what the AFM contract has, and nothing of the owner's side", () => {
    const scoped = makeModel().model.scope();
    assert.deepEqual(Object.keys(scoped).sort(), ["get", "off", "on", "save_changes", "send", "set", "widget_manager"]);
  });

  test("methods work without their object", () => {
    const { get, set, save_changes: save } = makeModel({ a: 1 }).model.scope();
    set("a", 2);
    save();
    assert.equal(get("a"), 2);
  });

  test("widget_manager gives scoped models, or says that there are none [afm 73]", async () => {
    const other = makeModel({ x: 1 }).model;
    const { model } = makeModel({}, { widgetManager: { get_model: async () => other } });
    const controller = new AbortController();
    const found = await model.scope(controller.signal).widget_manager.get_model("w2");
    found.on("change:x", () => assert.fail("fired"));
    controller.abort();
    other.set("x", 2);
    await assert.rejects(makeModel().model.widget_manager.get_model("w2"), /w2/);
  });
});

test("send says once that the base mode carries no messages, and does not throw", (t) => {
  const lines = captureConsole(t);
  const { model, faults } = makeModel();
  model.send({ a: 1 });
  model.scope().send({ a: 2 }, {}, []);
  assert.equal(lines.warn.length, 1);
  assert.deepEqual(
    faults.map(({ code, widget_id }) => [code, widget_id]),
    [["unsupported", "w1"]],
  );
});

describe("WidgetModel", () => {
  /** @param {Record<string, unknown>} [state] */
  function make(state = {}) {
    /** @type {string[]} */
    const frames = [];
    const model = new WidgetModel("w1", state, { send: (/** @type {string} */ text) => frames.push(text) });
    return { model, frames };
  }

  test("set sends a widget_update at once, exactly as the wire spells it [afm 58]", () => {
    const { model, frames } = make({ rows: [] });
    model.set("rows", [0, 2, 5]);
    assert.deepEqual(frames, ['{"type":"widget_update","widget_id":"w1","property":"rows","value":[0,2,5]}']);
    assert.deepEqual(model.get("rows"), [0, 2, 5]);
  });

  test("set sends also when nothing changed, and fires only when old and new differ by identity", () => {
    const { model, frames } = make({ n: 1, list: [1] });
    /** @type {unknown[]} */
    const seen = [];
    model.on("change:n", (value) => seen.push(value));
    model.on("change:list", (value) => seen.push(value));
    model.set("n", 1);
    model.set("n", 2);
    model.set("list", [1]);
    model.set("list", model.get("list"));
    assert.equal(frames.length, 4);
    assert.deepEqual(seen, [2, [1]]);
  });

  test("a callback is kept once however often it is added, and off removes it", () => {
    const { model } = make();
    let runs = 0;
    const callback = () => (runs += 1);
    model.on("change:n", callback);
    model.on("change:n", callback);
    model.set("n", 1);
    model.off("change:n", callback);
    model.off("change:other", callback);
    model.set("n", 2);
    assert.equal(runs, 1);
  });

  test("handleRemoteUpdate stores and fires, and sends nothing", () => {
    const { model, frames } = make({ n: 1 });
    /** @type {unknown[]} */
    const seen = [];
    model.on("change:n", (value) => seen.push(value));
    model.handleRemoteUpdate("n", 2);
    model.handleRemoteUpdate("n", 2);
    assert.deepEqual(seen, [2]);
    assert.deepEqual(frames, []);
    assert.equal(model.get("n"), 2);
  });

  test("save_changes does nothing more", () => {
    const { model, frames } = make();
    model.set("n", 1);
    model.save_changes();
    assert.equal(frames.length, 1);
  });

  test("the caller's state is not touched", () => {
    const state = { n: 1 };
    const { model } = make(state);
    model.set("n", 2);
    assert.deepEqual(state, { n: 1 });
  });

  test("a function throws before anything is stored or sent", () => {
    const { model, frames } = make({ n: 1 });
    assert.throws(() => model.set("n", () => {}), { name: "DataCloneError" });
    assert.equal(model.get("n"), 1);
    assert.deepEqual(frames, []);
  });

  test("a listener that throws silences no other, and its error reaches the caller", () => {
    const { model } = make();
    let isReached = false;
    model.on("change:n", () => {
      throw new Error("broken");
    });
    model.on("change:n", () => (isReached = true));
    assert.throws(() => model.set("n", 1), /broken/);
    assert.equal(isReached, true);
  });

  test("names such as __proto__ are keys like any other", () => {
    const { model } = make(JSON.parse('{"__proto__": {"a": 1}}'));
    assert.deepEqual(model.get("__proto__"), { a: 1 });
    assert.equal(model.get("constructor"), undefined);
    model.on("__proto__", () => {});
    model.set("__proto__", { polluted: 1 });
    model.handleRemoteUpdate("constructor", { polluted: 1 });
    assert.equal(/** @type {any} */ ({}).polluted, undefined);
  });

  test("what is set while the WebSocket connects is sent in order when it opens", () => {
    const { WebSocket } = fakeNetwork();
    const ws = new WebSocket("ws://test");
    const [one, two] = [new WidgetModel("w1", {}, ws), new WidgetModel("w2", {}, ws)];
    one.set("n", 1);
    two.set("n", 2);
    ws.addEventListener("open", () => one.set("n", 3));
    one.set("n", 4);
    assert.equal(one.get("n"), 4);
    ws.accept();
    two.set("n", 5);
    assert.deepEqual(ws.updates, [
      ["w1", "n", 1],
      ["w2", "n", 2],
      ["w1", "n", 4],
      ["w1", "n", 3],
      ["w2", "n", 5],
    ]);
  });

  test("an earlier open listener does not overtake what waits", () => {
    const { WebSocket } = fakeNetwork();
    const ws = new WebSocket("ws://test");
    /** @type {WidgetModel} */
    let model;
    ws.addEventListener("open", () => model.set("n", 2));
    model = new WidgetModel("w1", {}, ws);
    model.set("n", 1);
    ws.accept();
    assert.deepEqual(ws.updates, [
      ["w1", "n", 1],
      ["w1", "n", 2],
    ]);
  });

  test("send says once that the base mode carries no messages", (t) => {
    const lines = captureConsole(t);
    const { model } = make();
    model.send();
    model.send();
    assert.equal(lines.warn.length, 1);
  });

  test("widget_manager without a connection rejects with the id", async () => {
    await assert.rejects(make().model.widget_manager.get_model("w9"), /w9/);
  });
});

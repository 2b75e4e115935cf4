/**
 * Programs over the model API of AFM, and how one is run on a page, whichever page that is.
 *
 * A program is data: `{profile, state, callbacks, steps}`. `harness/oracle_bench/programs.py` says what may stand in it
 * and makes them. A page gives four hooks, each with a `model` as a widget gets it: `init` (of `initialize`), `view1`
 * and `view2` (of two `render`s) and `got` (through `host.getModel` of `view1`).
 *
 * What happens is written down as a trace, in order: each call of a callback with its arguments, what `get` gave, what
 * a step raised, and what Python received.
 */

import { bytesOf, decodeBase64, encodeBase64, isBinary } from "../../binary.js";
import { amends } from "./switches.js";

/** @typedef {any[]} Step */
/** @typedef {{ steps: Step[], limit: number, throws?: boolean }} CallbackPlan */
/** @typedef {{ profile: "compat" | "strict", state: Record<string, any>, callbacks: Record<string, CallbackPlan>,
 *   steps: Step[] }} Program */

/**
 * A page with one widget, and Python at the other end.
 *
 * @typedef {object} Page
 * @property {Record<string, any>} hooks
 * @property {(hook: string) => void} end ends the view of a hook
 * @property {(hook: string) => boolean} canListen
 * @property {(entries: [string, any][]) => Promise<void>} remote Python sets values, atomically
 * @property {(content: any, buffers: DataView[]) => Promise<void>} message Python sends a message
 * @property {() => Promise<void>} deliver Python works off what was sent to it, until all is quiet
 * @property {() => Record<string, any>} store what Python has
 * @property {() => Promise<void>} close
 */

/** @typedef {(...entry: any[]) => void} Tell */

/** Lets everything that is ready to run, run. */
export function settle() {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A value of the program's notation. @param {any} noted @returns {any} */
export function fromNote(noted) {
  if (typeof noted !== "object" || noted === null) return noted;
  if (Array.isArray(noted)) return noted.map(fromNote);
  if ("$bytes" in noted) return new DataView(decodeBase64(noted.$bytes).buffer);
  if ("$part" in noted) {
    const [text, start, end] = noted.$part;
    const part = decodeBase64(text).subarray(start, end);
    return amends("bytes_are_values", true) ? copyBytes(part) : part;
  }
  if ("$number" in noted) return Number(noted.$number);
  return Object.fromEntries(Object.entries(noted).map(([key, item]) => [key, fromNote(item)]));
}

/** @param {any} value @returns {any} */
export function toNote(value) {
  if (value === undefined) return { $undefined: true };
  if (typeof value === "number" && !Number.isFinite(value)) return { $number: String(value) };
  if (typeof value !== "object" || value === null) return value;
  if (isBinary(value)) return { $bytes: encodeBase64(bytesOf(value)) };
  if (Array.isArray(value)) return value.map(toNote);
  if (typeof value.save_changes === "function") return { $model: true };
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, toNote(item)]));
}

/** @param {any} value */
function copyBytes(value) {
  return new DataView(bytesOf(value).slice().buffer);
}

/** @param {any} value @returns {any} a copy with nothing in common */
function copy(value) {
  if (Array.isArray(value)) return value.map(copy);
  if (isBinary(value)) return copyBytes(value);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, copy(item)]));
}

/** @param {any} value @param {"here" | "below"} where @param {any} item */
function mutate(value, where, item) {
  let target = value;
  if (where === "below" && typeof value === "object" && value !== null && !isBinary(value)) {
    target = Object.values(value).find((each) => typeof each === "object" && each !== null && !isBinary(each)) ?? value;
  }
  if (Array.isArray(target)) target.push(item);
  else if (typeof target === "object" && target !== null && !isBinary(target)) target.m = item;
}

/** What is given for the argument `callbacks` of `send`. @type {Record<string, () => unknown>} */
const SEND_CALLBACKS = {
  none: () => undefined,
  null: () => null,
  empty: () => ({}),
  function: () => () => {},
  iopub: () => ({ iopub: { status() {} } }),
};

/**
 * Runs a program.
 *
 * @param {Program} program
 * @param {(program: Program, tell: Tell) => Promise<Page>} open
 * @param {(reason: string) => boolean} [spares] whether an exception of a listener is to have no consequence
 * @returns {Promise<{ trace: any[], state: Record<string, any>, python: Record<string, any> }>}
 */
export async function runProgram(program, open, spares = () => false) {
  /** @type {any[]} */
  const trace = [];
  /** @type {Tell} */
  const tell = (...entry) => void trace.push(entry.map(toNote));
  const page = await open(program, tell);
  /** @type {Map<string, Function>} */
  const callbacks = new Map();
  for (const [name, plan] of Object.entries(program.callbacks)) {
    let left = plan.limit;
    callbacks.set(name, (/** @type {any[]} */ ...args) => {
      tell("call", name, ...args);
      const model = args.find((each) => typeof each?.save_changes === "function");
      if (model) tell("changed", { ...model.changed });
      if (left > 0) {
        left -= 1;
        for (const step of plan.steps) perform(step);
      }
      if (plan.throws) {
        tell("throw", name);
        if (!spares(name)) throw new Error(`planned, in ${name}`);
      }
    });
  }

  /** @param {any} model @param {any} expression */
  function evaluate(model, expression) {
    if ("lit" in expression) return fromNote(expression.lit);
    if ("same" in expression) {
      const value = model.get(expression.same);
      return amends("bytes_are_values", isBinary(value)) ? copyBytes(value) : value;
    }
    if ("copy" in expression) return copy(model.get(expression.copy));
    return undefined;
  }

  /** @param {Step} step */
  function perform([verb, hook, ...rest]) {
    const model = page.hooks[hook];
    const [first, second, third] = rest;
    switch (verb) {
      case "set":
        model.set(first, evaluate(model, second));
        break;
      case "set_all":
        model.set(Object.fromEntries(first.map((/** @type {any} */ [key, value]) => [key, evaluate(model, value)])));
        break;
      case "get":
        tell("get", first, model.get(first));
        break;
      case "mutate":
        mutate(model.get(first), second, fromNote(third));
        break;
      case "save":
        model.save_changes();
        break;
      case "on":
        if (page.canListen(hook)) model.on(first, callbacks.get(second));
        break;
      case "off":
        if (first === null && second === null) model.off();
        else model.off(first, second === null ? null : callbacks.get(second));
        break;
      case "send": {
        const given = SEND_CALLBACKS[second]();
        model.send(fromNote(first), given, third === null ? undefined : third.map(fromNote));
        break;
      }
      case "end":
        page.end(hook);
        break;
      default:
        throw new TypeError(`Unknown step: ${verb}`);
    }
  }

  for (const step of program.steps) {
    tell("step", step[0]);
    try {
      if (step[0] === "remote") {
        await page.remote(step[1].map((/** @type {any} */ [key, value]) => [key, fromNote(value)]));
      } else if (step[0] === "message") {
        await page.message(fromNote(step[1]), step[2].map(fromNote));
      } else if (step[0] === "deliver") await page.deliver();
      else perform(step);
    } catch (error) {
      if (error instanceof TypeError) throw error;
      tell("raised", step[0]);
    }
  }
  tell("step", "end");
  await page.deliver();
  const state = Object.fromEntries(Object.keys(program.state).map((key) => [key, toNote(page.hooks.init.get(key))]));
  const result = { trace: [...trace], state, python: toNote(page.store()) };
  await page.close();
  return result;
}

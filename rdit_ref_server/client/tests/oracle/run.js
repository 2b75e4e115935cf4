/**
 * Runs programs, one JSON line each: `{"on": "oracle" | "client", "program": ..., "deviations": [name, ..]}`.
 *
 * The answer is one line: `{"trace": [..], "state": {..}, "python": {..}, "met": [name, ..]}`, or `{"error": text}`
 * when the bench itself failed. The environment's `ORACLE_PLANT` breaks our client: see `hooks.js`. Needs Node 20.6,
 * for the hooks.
 */

import { register } from "node:module";
import { createInterface } from "node:readline";

import { runProgram } from "./steps.js";
import { amends, metDeviations, switchOn } from "./switches.js";

register("./hooks.js", import.meta.url);
// Both sides warn and log as they should; here it is a stream of the same few lines.
for (const method of /** @type {const} */ (["debug", "warn", "error"])) console[method] = () => {};

/** @param {any} request */
async function answer({ on, program, deviations = [] }) {
  switchOn(deviations);
  try {
    const isOracle = on === "oracle";
    const { openReference } = isOracle ? await import("./reference.js") : { openReference: null };
    const open = openReference ?? (await import("./subject.js")).openSubject;
    const spares = isOracle ? () => amends("listener_throws", true) : undefined;
    const result = await runProgram(program, open, spares);
    return { ...result, met: metDeviations() };
  } catch (error) {
    return { error: error instanceof Error ? error.stack : String(error) };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await answer(JSON.parse(line)))}\n`);
}
process.exit(0);

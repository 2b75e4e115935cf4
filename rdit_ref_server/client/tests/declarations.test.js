import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const CLIENT = fileURLToPath(new URL("..", import.meta.url));
const TSC = join(CLIENT, "node_modules", "typescript", "bin", "tsc");

/** @param {string} folder */
function filesOf(folder) {
  return Object.fromEntries(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), "utf-8")]));
}

test("the declarations are those of the modules as they are (npm run declarations)", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "rdit-declarations-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const arguments_ = [TSC, "-p", "tsconfig.declarations.json", "--outDir", folder];
  const { status, stdout } = spawnSync(process.execPath, arguments_, { cwd: CLIENT, encoding: "utf-8" });
  assert.equal(status, 0, stdout);
  const [made, kept] = [filesOf(folder), filesOf(join(CLIENT, "types"))];
  assert.deepEqual(Object.keys(kept), Object.keys(made));
  for (const [name, text] of Object.entries(made)) assert.equal(kept[name], text, `types/${name} is stale`);
});

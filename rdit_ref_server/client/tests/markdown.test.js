import assert from "node:assert/strict";
import { test } from "node:test";

import { markdownElement } from "../markdown.js";
import { fakePage } from "./fakes.js";

const { document } = fakePage();

/** @param {string} text */
const html = (text) => markdownElement(document, text).innerHTML;

/** @type {[string, string, string][]} */
const CASES = [
  ["headings", "# One\n### Three *it* ##", "<h1>One</h1><h3>Three <em>it</em></h3>"],
  ["paragraphs", "a\nb\n\n\nc", "<p>a\nb</p><p>c</p>"],
  ["snake_case names", "a_b_c and 2 * 3 * 4", "<p>a_b_c and 2 * 3 * 4</p>"],
  ["code", "`a < b` and ``x ` y``", "<p><code>a &lt; b</code> and <code>x ` y</code></p>"],
  ["what is in code is code", "`**a**`", "<p><code>**a**</code></p>"],
  ["escapes", "\\*a\\* \\_", "<p>*a* _</p>"],
  ["a fence", "```python\n# x\n\n<b>\n```\nafter", "<pre><code># x\n\n&lt;b&gt;</code></pre><p>after</p>"],
  ["a fence without an end", "~~~\nx", "<pre><code>x</code></pre>"],
  ["a rule", "a\n\n---\nb", "<p>a</p><hr><p>b</p>"],
  ["a quote", "> a\n> - b", "<blockquote><p>a</p><ul><li>b</li></ul></blockquote>"],
  [
    "lists in lists",
    "- a\n  - b\n    1. c\n- d\n\ntext",
    "<ul><li>a<ul><li>b<ol><li>c</li></ol></li></ul></li><li>d</li></ul><p>text</p>",
  ],
  ["a list that begins later", "3. a\n4. b", '<ol start="3"><li>a</li><li>b</li></ol>'],
  ["another kind of list", "- a\n1. b", "<ul><li>a</li></ul><ol><li>b</li></ol>"],
  [
    "a table",
    "| a | b |\n|---|--:|\n| 1 | *2* |",
    "<table><thead><tr><th>a</th><th style=\"text-align: right;\">b</th></tr></thead>" +
      '<tbody><tr><td>1</td><td style="text-align: right;"><em>2</em></td></tr></tbody></table>',
  ],
  [
    "links",
    "[a **b**](https://x.y/z) [in](#place)",
    '<p><a href="https://x.y/z" rel="noopener noreferrer" target="_blank">a <strong>b</strong></a> ' +
      '<a href="#place" rel="noopener noreferrer">in</a></p>',
  ],
  [
    "a picture",
    "![alt](data:image/png;base64,AA==)",
    '<p><img class="rdit-image" src="data:image/png;base64,AA==" alt="alt"></p>',
  ],
  ["nothing", "", ""],
];

for (const [name, text, expected] of CASES) {
  test(`markdown: ${name}`, () => assert.equal(html(text), expected));
}

test("markdown: emphasis", () => {
  const el = markdownElement(document, "**b** __b__ *i* _i_ ~~s~~");
  assert.deepEqual(
    [...el.querySelectorAll("p > *")].map(({ tagName, textContent }) => `${tagName} ${textContent}`),
    ["STRONG b", "STRONG b", "EM i", "EM i", "S s"],
  );
});

test("nothing of a text becomes code: HTML and foreign addresses stay text", () => {
  for (const text of [
    "<img src=x onerror=alert(1)>",
    "<script>1</script>",
    "[a](javascript:alert)",
    "[a](JaVaScRiPt:alert)",
    "![b](javascript:x)",
    "![b](data:text/html,x)",
    "[a](data:text/html,x)",
  ]) {
    const el = markdownElement(document, text);
    assert.equal(el.textContent, text);
    assert.equal(el.querySelector("a, img, script"), null);
  }
});

test("texts that are made to be slow or deep come to an end", () => {
  const started = performance.now();
  for (const text of [
    `${"> ".repeat(5000)}x`,
    "*".repeat(5000),
    "[".repeat(5000),
    "`".repeat(2000),
    "**a ".repeat(2000),
    "**a ".repeat(200_000),
    Array.from({ length: 300 }, (_, depth) => `${" ".repeat(depth)}- x`).join("\n"),
  ]) {
    assert.ok(markdownElement(document, text).textContent !== null);
  }
  assert.ok(performance.now() - started < 20_000);
});

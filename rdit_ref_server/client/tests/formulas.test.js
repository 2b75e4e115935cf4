import assert from "node:assert/strict";
import { test } from "node:test";

import { formulaElement, latexElement } from "../formulas.js";
import { markdownElement } from "../markdown.js";
import { mimeElement } from "../mime.js";
import { fakePage } from "./fakes.js";

const { document } = fakePage();

/** @param {string} name @param {string} [display] */
const tree = (name, display = "inline") => /** @type {any} */ (["math", { display }, ["mi", {}, name]]);

/** @param {string} source @param {string} name @param {string} [display] */
const shown = (source, name, display = "inline") =>
  `<math display="${display}" alttext="${source}"><semantics><mrow><mi>${name}</mi></mrow>` +
  `<annotation encoding="application/x-tex">${source}</annotation></semantics></math>`;

test("a formula becomes MathML, with its source for those who cannot see it or copy it", () => {
  const math = formulaElement(document, " $$a\n  b$$", { "$$a b$$": tree("ab", "block") });
  assert.equal(math?.outerHTML, shown("$$a b$$", "ab", "block"));
  assert.equal(math?.namespaceURI, "http://www.w3.org/1998/Math/MathML");
});

test("nothing but elements and attributes of MathML and text comes out of a tree [threat 22]", () => {
  const hostile = ["mi", { href: "javascript:x()", onclick: "x()", style: "color: red", class: "a", mathcolor: "red" }, "<b>"];
  const math = formulaElement(document, "$x$", { "$x$": /** @type {any} */ (["math", { onload: "x()" }, hostile]) });
  assert.equal(math?.querySelector("mi")?.outerHTML, '<mi mathcolor="red">&lt;b&gt;</mi>');
  assert.deepEqual(math?.getAttributeNames(), ["display", "alttext"]);
  for (const bad of [["script", {}, "x()"], ["annotation-xml", {}], ["mrow", {}, ["img", {}]], ["__proto__", {}]]) {
    assert.equal(formulaElement(document, "$x$", { "$x$": /** @type {any} */ (["math", {}, bad]) }), null);
  }
  for (const odd of [null, "math", ["mrow", {}], 7]) {
    assert.equal(formulaElement(document, "$x$", { "$x$": /** @type {any} */ (odd) }), null);
  }
  assert.equal(formulaElement(document, "__proto__", {}), null);
});

test("a tree without end in sight is not followed", () => {
  let deep = ["mi", {}, "x"];
  for (let i = 0; i < 5_000; i += 1) deep = ["mrow", {}, /** @type {any} */ (deep)];
  assert.equal(formulaElement(document, "$x$", { "$x$": /** @type {any} */ (["math", {}, deep]) }), null);
});

/** @type {[string, string, string][]} */
const MARKDOWN = [
  ["in a line", "so $x$ and *$y$*", `<p>so ${shown("$x$", "X")} and <em>${shown("$y$", "Y")}</em></p>`],
  ["by itself", "a\n$$\nx\n- y\n$$\nb", `<p>a</p>${shown("$$ x - y $$", "Z", "block")}<p>b</p>`],
  ["in a list, a table and a heading", "# $x$\n- $y$\n\n|$x$|b|\n|-|-|\n",
    `<h1>${shown("$x$", "X")}</h1><ul><li>${shown("$y$", "Y")}</li></ul>` +
      `<table><thead><tr><th style="">${shown("$x$", "X")}</th><th style="">b</th></tr></thead><tbody></tbody></table>`],
  ["what is not one stays its source", "$a_b_c$ `$x$` \\$x$ and $5 or $6, $5-$6",
    "<p>$a_b_c$ <code>$x$</code> $x$ and $5 or $6, $5-$6</p>"],
  ["one by itself that is not known", "$$\n\\foo *a*\n$$\nb", "<p>$$\n\\foo *a*\n$$</p><p>b</p>"],
  ["dollars without an end", "$$\na\n\nb *c*", "<p>$$\na</p><p>b <em>c</em></p>"],
];

for (const [name, text, html] of MARKDOWN) {
  test(`formulas in Markdown: ${name}`, () => {
    const formulas = { $x$: tree("X"), $y$: tree("Y"), "$$ x - y $$": tree("Z", "block") };
    const plain = markdownElement(document, text, formulas).innerHTML;
    assert.equal(plain.replaceAll(' style=""', ""), html.replaceAll(' style=""', ""));
  });
}

test("LaTeX is shown with its formulas among its text, or as its source", () => {
  const formulas = { $x$: tree("X"), "\\begin{align}a\\end{align}": tree("A", "block") };
  const bundle = (/** @type {string} */ text) => mimeElement(document, { "text/latex": text }, {}, formulas);
  assert.equal(bundle("$x$")?.innerHTML, shown("$x$", "X"));
  assert.equal(
    bundle("so <b> $x$, and\n\\begin{align}a\\end{align}")?.innerHTML,
    `so &lt;b&gt; ${shown("$x$", "X")}, and\n${shown("\\begin{align}a\\end{align}", "A", "block")}`,
  );
  for (const source of ["$x$ and $y$", "no formula", "\\begin{tabular}{l} a \\end{tabular}"]) {
    const el = bundle(source);
    assert.deepEqual([el?.tagName, el?.textContent], ["PRE", source]);
  }
  assert.equal(latexElement(document, "$x$", {}), null);
});

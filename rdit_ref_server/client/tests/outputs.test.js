import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";

import { mimeElement } from "../mime.js";
import { MAX_OUTPUTS, createOutputs } from "../outputs.js";
import { MAX_STREAM_CHARS, createTerminalText, stripAnsi } from "../terminal.js";
import { fakePage } from "./fakes.js";

/** @type {Document} */
let document;
/** @type {HTMLElement} */
let root;
/** @type {ReturnType<typeof createOutputs>} */
let outputs;
/** @type {any[]} */
let widgets;

beforeEach(() => {
  document = fakePage().document;
  root = /** @type {HTMLElement} */ (document.querySelector("main"));
  widgets = [];
  outputs = createOutputs({ root, onWidget: (event, el, signal) => widgets.push(Object.assign([event, el], { signal })) });
});

/** @param {string} kind @param {number | null} statement @param {object} [fields] */
const show = (kind, statement, fields) => outputs.show({ kind, statement, ...fields });

/** @param {string} selector */
const find = (selector) => /** @type {any} */ (root.querySelector(selector));

/** @param {string} selector */
const texts = (selector) => [...root.querySelectorAll(selector)].map((el) => el.textContent);

describe("statements", () => {
  test("the source is in a closed details, and a statement without output is marked empty", () => {
    show("statement", 1, { source: "x = 1 < 2", lineno: 3, end_lineno: 3 });
    show("statement", 2, { source: "a\nb", lineno: 4, end_lineno: 5 });
    assert.deepEqual(texts("summary"), ["Line 3", "Lines 4–5"]);
    assert.deepEqual(texts("details pre"), ["x = 1 < 2", "a\nb"]);
    assert.equal(find("details").open, false);
    assert.equal(root.querySelectorAll("[data-empty]").length, 2);
    show("stream", 2, { name: "stdout", text: "x" });
    assert.equal(find("[data-statement='2']").hasAttribute("data-empty"), false);
  });

  test("a statement that is shown twice has one source", () => {
    show("statement", 1, { source: "x", lineno: 1, end_lineno: 1 });
    show("statement", 1, { source: "x", lineno: 1, end_lineno: 1 });
    assert.equal(root.querySelectorAll("details").length, 1);
  });

  test("output goes to its statement, and what belongs to none comes last", () => {
    show("statement", 1, { source: "x" });
    show("statement", 2, { source: "y" });
    show("stream", 2, { name: "stdout", text: "two" });
    show("stream", null, { name: "stdout", text: "later" });
    show("stream", 1, { name: "stdout", text: "one" });
    assert.deepEqual(texts("section .rdit-outputs"), ["one", "two", "later"]);
  });

  test("the source comes before output that arrived earlier", () => {
    show("stream", 1, { name: "stdout", text: "x" });
    show("statement", 1, { source: "print('x')", lineno: 1, end_lineno: 1 });
    assert.equal(find("section").firstElementChild.tagName, "DETAILS");
  });

  test("reset and clear leave nothing", () => {
    show("stream", 1, { name: "stdout", text: "x" });
    show("reset", null);
    assert.equal(root.childNodes.length, 0);
    show("stream", 1, { name: "stdout", text: "y" });
    assert.equal(root.textContent, "y");
    outputs.clear();
    assert.equal(root.childNodes.length, 0);
  });

  test("unknown kinds and done show nothing", () => {
    for (const kind of ["news", "done", "__proto__", ""]) show(kind, 1, { text: "x" });
    assert.equal(root.childNodes.length, 0);
  });
});

describe("streams", () => {
  test("adjacent texts of one name merge, others do not", () => {
    for (const [name, text] of [
      ["stdout", "a\n"],
      ["stdout", "b\n"],
      ["stderr", "c\n"],
      ["stdout", "d\n"],
    ]) {
      show("stream", 1, { name, text });
    }
    show("display", 1, { data: { "text/plain": "e" } });
    show("stream", 1, { name: "stdout", text: "f" });
    assert.deepEqual(texts("pre"), ["a\nb\n", "c\n", "d\n", "e", "f"]);
    assert.deepEqual(
      [...root.querySelectorAll("[data-stream]")].map((el) => el.getAttribute("data-stream")),
      ["stdout", "stderr", "stdout", "stdout"],
    );
  });

  test("text is text", () => {
    show("stream", 1, { name: "<img>", text: "<img src=x onerror=alert(1)>" });
    assert.equal(find("img"), null);
    assert.equal(root.textContent, "<img src=x onerror=alert(1)>");
  });

  test("a stream keeps the newest text of a bounded length", () => {
    const line = `${"x".repeat(99_999)}\n`;
    for (let i = 0; i < 12; i += 1) show("stream", 1, { name: "stdout", text: line });
    show("stream", 1, { name: "stdout", text: "end" });
    const pre = find("pre");
    assert.equal(pre.textContent.length, MAX_STREAM_CHARS + 3);
    assert.ok(pre.textContent.endsWith("\nend"));
    assert.ok(pre.hasAttribute("data-truncated"));
  });

  /** @type {[string, string[], string][]} */
  const TERMINAL = [
    ["plain lines", ["a\nb\n"], "a\nb\n"],
    ["a carriage return overwrites", ["abc\rX"], "Xbc"],
    ["a progress bar", ["  0%\r", " 50%\r", "100%\n"], "100%\n"],
    ["a carriage return before a newline changes nothing", ["abc\r\ndef"], "abc\ndef"],
    ["a carriage return and a newline in two chunks", ["abc\r", "\ndef"], "abc\ndef"],
    ["backspace", ["abd\bc"], "abc"],
    ["backspace at the start", ["\b\ba"], "a"],
    ["colours", ["\x1b[31mred\x1b[0m"], "red"],
    ["256 colours and moves", ["\x1b[38;5;196mred\x1b[K\x1b[2A"], "red"],
    ["a colour cut in two", ["a\x1b", "[3", "1mb"], "ab"],
    ["a link", ["\x1b]8;;http://x\x1b\\text\x1b]8;;\x07"], "text"],
    ["a link cut in its end", ["\x1b]8;;http://x\x1b", "\\text"], "text"],
    ["other escapes", ["\x1b7a\x1b8\x1b(Bb\x1bM"], "ab"],
    ["an escape at the end waits", ["a\x1b["], "a"],
    ["an escape that never ends is not one", ["a", `\x1b]${"x".repeat(5000)}`, "b"], `a\x1b]${"x".repeat(5000)}b`],
    ["the rest of a line is erased", ["100 of 100\r5 of 5\x1b[K\n"], "5 of 5\n"],
    ["a line is erased", ["abc\x1b[2K\rx"], "x  "],
    ["nothing", [""], ""],
  ];
  for (const [name, chunks, expected] of TERMINAL) {
    test(`terminal text: ${name}`, () => {
      const terminal = createTerminalText();
      const finished = chunks.map((chunk) => terminal.write(chunk).text).join("");
      assert.equal(finished + terminal.line, expected);
    });
  }

  test("terminal text cut anywhere is the same text", () => {
    const text = "one\r\ntw\x1b[1mo\x1b[0m\rT\n\x1b]0;title\x07three\b\bEE\x1b(B!\n";
    for (let cut = 0; cut <= text.length; cut += 1) {
      const terminal = createTerminalText();
      const shown = terminal.write(text.slice(0, cut)).text + terminal.write(text.slice(cut)).text + terminal.line;
      assert.equal(shown, "one\nTwo\nthrEE!\n", `cut at ${cut}`);
    }
  });

  test("stripAnsi leaves brackets of ordinary text alone", () => {
    assert.equal(stripAnsi("[31m a[0] \x1b[1;4mb\x1b[m"), "[31m a[0] b");
  });
});

describe("looks of text", () => {
  /** @returns {[string, string, string, string][]} */
  const looks = () =>
    [...root.querySelectorAll("pre span")]
      .filter((el) => el.children.length === 0 && el.textContent !== "" && el.hasAttributes())
      .map((/** @type {any} */ el) => [el.textContent, el.className, el.style.color, el.style.backgroundColor]);

  test("colours and weights of a terminal are shown", () => {
    show("stream", 1, {
      name: "stdout",
      text: "\x1b[1;31mred\x1b[0m plain \x1b[38;5;208mo\x1b[48;2;1;2;3mb\x1b[m\x1b[92;3mg\x1b[39;23mx\n\x1b[7mi",
    });
    assert.deepEqual(looks(), [
      ["red", "rdit-ansi-bold", "var(--rdit-ansi-red)", ""],
      ["o", "", "rgb(255, 135, 0)", ""],
      ["b", "", "rgb(255, 135, 0)", "rgb(1, 2, 3)"],
      ["g", "rdit-ansi-italic", "var(--rdit-ansi-bright-green)", ""],
      ["i", "", "canvas", "canvastext"],
    ]);
    assert.equal(root.textContent, "red plain obgx\ni");
  });

  test("what cannot be understood is plain, and so is a thousandth look", () => {
    let text = "\x1b[38;7;1ma\x1b[999mb\x1b[38mc\n";
    for (let i = 0; i < 1100; i += 1) text += `\x1b[38;2;${i % 256};${i >> 8};9mx`;
    show("stream", 1, { name: "stdout", text });
    assert.equal(looks().length, 999);
    assert.equal(root.textContent, `abc\n${"x".repeat(1100)}`);
  });

  test("text that is cut anywhere looks the same", () => {
    const text = "a\x1b[31mbb\nb\x1b[0mc\x1b[32md\x1b[K\re\nf";
    show("stream", 0, { name: "stdout", text });
    const expected = find("pre").innerHTML;
    for (let cut = 1; cut < text.length; cut += 1) {
      show("stream", cut, { name: "stdout", text: text.slice(0, cut) });
      show("stream", cut, { name: "stdout", text: text.slice(cut) });
      assert.equal(find(`[data-statement="${cut}"] pre`).innerHTML, expected, `cut at ${cut}`);
    }
  });

  test("the oldest text gives way whatever it looks like", () => {
    const line = `\x1b[31m${"x".repeat(49_999)}\x1b[0m${"y".repeat(50_000)}\n`;
    for (let i = 0; i < 12; i += 1) show("stream", 1, { name: "stdout", text: line });
    assert.equal(find("pre").textContent.length, MAX_STREAM_CHARS);
  });
});

describe("updates and clearing", () => {
  test("an update stands where the display was, in its statement only", () => {
    show("display", 1, { data: { "text/plain": "a" }, display_id: "one" });
    show("stream", 1, { name: "stdout", text: "between" });
    show("display", 1, { data: { "text/plain": "a" }, display_id: "one" });
    show("display", 2, { data: { "text/plain": "a" }, display_id: "one" });
    show("update", 1, { data: { "text/html": "<b>b</b>" }, display_id: "one" });
    assert.deepEqual(texts(".rdit-outputs"), ["bbetweenb", "a"]);
    show("stream", 1, { name: "stdout", text: "!" });
    show("update", 1, { data: {}, display_id: "one" });
    show("update", 1, { data: { "text/plain": "c" }, display_id: "one" });
    assert.deepEqual(texts(".rdit-outputs"), ["cbetweenc!", "a"]);
  });

  test("an update of what is not there any more is shown as a display", () => {
    show("update", 1, { data: { "text/plain": "late" }, display_id: "one" });
    show("update", 1, { data: { "text/plain": "later" }, display_id: "one" });
    assert.deepEqual(texts(".rdit-outputs"), ["later"]);
  });

  test("a statement that is cleared shows nothing, and its views end", () => {
    show("widget", 1, { widget_id: "1.0" });
    show("stream", 1, { name: "stdout", text: "a" });
    show("stream", 2, { name: "stdout", text: "other" });
    const [{ signal }] = widgets;
    show("clear", 1, { wait: false });
    assert.deepEqual(texts(".rdit-outputs"), ["", "other"]);
    assert.ok(find("[data-statement='1']").hasAttribute("data-empty"));
    assert.equal(signal.aborted, true);
    show("stream", 1, { name: "stdout", text: "b" });
    assert.deepEqual(texts(".rdit-outputs"), ["b", "other"]);
  });

  test("one that waits is cleared by what it shows next", () => {
    show("stream", 1, { name: "stdout", text: "a" });
    show("clear", 1, { wait: true });
    assert.deepEqual(texts(".rdit-outputs"), ["a"]);
    show("stream", 1, { name: "stdout", text: "b" });
    assert.deepEqual(texts(".rdit-outputs"), ["b"]);
  });

  test("the views of a run end with it", () => {
    show("widget", 1, { widget_id: "1.0" });
    outputs.clear();
    assert.equal(widgets[0].signal.aborted, true);
  });

  test("of too many outputs the oldest give way and a note says so; widgets stay", () => {
    show("widget", 1, { widget_id: "1.0" });
    for (let i = 0; i < MAX_OUTPUTS + 10; i += 1) show("display", 1, { data: { "text/plain": `${i}` } });
    assert.equal(find(".rdit-outputs").childElementCount, MAX_OUTPUTS);
    assert.equal(find(".rdit-left-out").textContent, "12 earlier outputs are not shown.");
    assert.equal(find("pre").textContent, "12");
    assert.ok(find(".rdit-widget-output"));
  });
});

describe("displays", () => {
  /** @param {Record<string, any>} data @param {Record<string, any>} [metadata] */
  const mime = (data, metadata = {}) => /** @type {any} */ (mimeElement(document, data, metadata));

  test("the richest representation wins", () => {
    const order = ["text/html", "image/png", "image/jpeg", "image/svg+xml", "text/markdown", "text/latex"];
    order.push("application/json", "text/plain");
    /** @type {Record<string, any>} */
    const data = {};
    for (const type of order.toReversed()) {
      data[type] = `<${type}>`;
      const el = mime(data);
      const shown = el.src ?? el.dataset.mime ?? "text/html";
      assert.ok(shown.includes(type), `${type}: ${shown}`);
    }
  });

  test("html is the user's own and goes in as such", () => {
    const el = mime({ "text/html": "<table><tr><td>1</td></tr></table>", "text/plain": "..." });
    assert.equal(el.querySelector("td").textContent, "1");
  });

  test("images are data URLs with a text to read", () => {
    const png = mime({ "image/png": "iVBO\nRw0K", "text/plain": "<Figure>" }, { "image/png": { width: 20, height: 10 } });
    assert.equal(png.src, "data:image/png;base64,iVBORw0K");
    assert.equal(png.alt, "<Figure>");
    assert.deepEqual([png.width, png.height], [20, 10]);
    assert.equal(mime({ "image/jpeg": "/9j/" }).alt, "Image");
    assert.equal(mime({ "image/jpeg": "/9j/" }, { alt: "a cat" }).alt, "a cat");
  });

  test("svg is an image, so scripts in it never run [threat 22]", () => {
    const el = mime({ "image/svg+xml": '<svg xmlns="http://www.w3.org/2000/svg"><script>alert("#")</script></svg>' });
    assert.equal(el.tagName, "IMG");
    assert.match(el.src, /^data:image\/svg\+xml;charset=utf-8,%3Csvg/);
    assert.equal(el.src.includes("#"), false);
  });

  test("markdown is shown as what it means, and HTML in it as text", () => {
    const el = mime({ "text/markdown": "# <b>title</b> \x1b[1mbold\x1b[0m" });
    assert.equal(el.innerHTML, "<h1>&lt;b&gt;title&lt;/b&gt; bold</h1>");
  });

  for (const type of ["text/latex", "text/plain"]) {
    test(`${type} is shown as text`, () => {
      const el = mime({ [type]: "# <b>title</b> \x1b[1mbold\x1b[0m" });
      assert.equal(el.textContent, "# <b>title</b> bold");
      assert.equal(el.children.length, 0);
    });
  }

  test("json is shown as indented text, and parts of a text are joined", () => {
    assert.equal(mime({ "application/json": { a: [1] } }).textContent, '{\n  "a": [\n    1\n  ]\n}');
    assert.equal(mime({ "text/plain": ["a", "b"] }).textContent, "ab");
  });

  test("a bundle with nothing that we know shows nothing", () => {
    show("display", 1, { data: { "application/x-other": 1 } });
    show("display", 1, {});
    assert.equal(mime(JSON.parse('{"__proto__": 1}')), null);
    assert.equal(root.childNodes.length, 0);
  });
});

test("an error shows its name, value and plain traceback as text [threat 22]", () => {
  show("error", 1, { ename: "KeyError", evalue: "'<b>'", traceback: "Traceback:\n  \x1b[31mline\x1b[0m" });
  show("error", 1, { ename: "StopIteration", evalue: "", traceback: "" });
  assert.deepEqual(texts(".rdit-error-title"), ["KeyError: '<b>'", "StopIteration"]);
  assert.deepEqual(texts(".rdit-traceback"), ["Traceback:\n  line"]);
  assert.equal(find("b"), null);
});

test("a widget gets an element in its statement", () => {
  show("widget", 4, { widget_id: "4.1", esm: "", css: null, model: {} });
  const [[event, el]] = widgets;
  assert.equal(event.widget_id, "4.1");
  assert.equal(el.closest("[data-statement]")?.getAttribute("data-statement"), "4");
  assert.equal(el.closest("[data-empty]"), null);
});

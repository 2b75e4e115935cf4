/**
 * Markdown as elements: what results use of it, and no more.
 *
 * Headings, paragraphs, lists, quotes, code, tables, rules; emphasis, code, formulas, links and images in text. HTML in it
 * stays text, and links go to http, https and mailto only: nothing of a text becomes code.
 */

import { formulaElement } from "./formulas.js";

/** @typedef {import("./formulas.js").Formulas} Formulas */

const FENCE = /^(`{3,}|~{3,})\s*(\S*).*$/;
const HEADING = /^(#{1,6})\s+(.*?)\s*#*$/;
const RULE = /^ {0,3}([-*_])( *\1){2,} *$/;
const ITEM = /^( *)([-*+]|\d{1,9}[.)])(?: +(.*))?$/;
const QUOTE = /^ {0,3}> ?(.*)$/;
const DISPLAYED = /^ {0,3}\$\$/;
const DIVIDER = /^ *\|? *:?-+:? *(\| *:?-+:? *)*\|? *$/;
/** Quotes and lists inside of each other deeper than this are text. */
const MAX_DEPTH = 20;
/** Marks in a paragraph longer than this are text: to look for the other end of each takes time. */
const MAX_MARKED_CHARS = 10_000;

// In this order: what is code is nothing else.
const INLINE =
  /(?<code>(`+)(?!`)([^]*?[^`])\2(?!`))|(?<escape>\\[!-/:-@[-`{-~])|(?<link>(!?)\[([^\]]*)\]\(\s*<?([^\s)>]*)>?(?:\s+"[^"]*")?\s*\))|(?<strong>(\*\*|__)(?=\S)([^]*?\S)\10)|(?<em>([*_])(?=[^\s*_])([^]*?[^\s])\13(?![A-Za-z0-9]))|(?<strike>~~(?=\S)([^]*?\S)~~)|(?<formula>\$\$(?:[^$\\]|\\[^])+\$\$|\$(?=[^\s$])(?:[^$\\\n]|\\[^]|\n(?!\s*\n))*?(?<=[^\s\\])\$(?!\d))/g;

/**
 * @param {Document} document
 * @param {string} text
 * @param {Formulas} [formulas] a formula that is not among them stays its source
 * @returns {HTMLElement}
 */
export function markdownElement(document, text, formulas = {}) {
  const el = document.createElement("div");
  el.className = "rdit-html";
  el.setAttribute("data-mime", "text/markdown");
  addBlocks(el, text.replace(/\r\n?/g, "\n").split("\n"), { formulas, depth: 0 });
  return el;
}

/**
 * Where a text stands.
 *
 * @typedef {{ formulas: Formulas, depth: number }} Place
 */

/** @param {Place} place @returns {Place} */
const inside = ({ formulas, depth }) => ({ formulas, depth: depth + 1 });

/** @param {Element} parent @param {string[]} lines @param {Place} place */
function addBlocks(parent, lines, place) {
  const { depth, formulas } = place;
  const document = parent.ownerDocument;
  /** @param {string} tag @param {string} [text] of which the marks are read */
  const add = (tag, text) => {
    const el = document.createElement(tag);
    if (text !== undefined) addInline(el, text, { formulas, depth: 0 });
    parent.append(el);
    return el;
  };
  for (let at = 0; at < lines.length; ) {
    const line = lines[at];
    const fence = FENCE.exec(line);
    const heading = HEADING.exec(line);
    const formula = DISPLAYED.test(line) ? formulaAt(lines, at, formulas, document) : null;
    if (line.trim() === "") at += 1;
    else if (fence) {
      let end = at + 1;
      while (end < lines.length && !lines[end].startsWith(fence[1])) end += 1;
      const code = document.createElement("code");
      code.textContent = lines.slice(at + 1, end).join("\n");
      add("pre").append(code);
      at = end + 1;
    } else if (heading) {
      add(`h${heading[1].length}`, heading[2]);
      at += 1;
    } else if (formula) {
      parent.append(formula.el);
      at = formula.end;
    } else if (RULE.test(line)) {
      add("hr");
      at += 1;
    } else if (QUOTE.test(line) && depth < MAX_DEPTH) {
      const end = endOf(lines, at, (each) => QUOTE.test(each));
      const inner = lines.slice(at, end).map((each) => QUOTE.exec(each)?.[1] ?? "");
      addBlocks(add("blockquote"), inner, inside(place));
      at = end;
    } else if (ITEM.test(line) && depth < MAX_DEPTH) at = addList(parent, lines, at, place);
    else if (line.includes("|") && DIVIDER.test(lines[at + 1] ?? "") && lines[at + 1].includes("-")) {
      const end = endOf(lines, at + 2, (each) => each.includes("|"));
      addTable(add("table"), lines.slice(at, end), formulas);
      at = end;
    } else {
      const end = endOf(
        lines,
        at + 1,
        (each) => each.trim() !== "" && ![FENCE, HEADING, RULE, QUOTE, ITEM, DISPLAYED].some((block) => block.test(each)),
      );
      add("p", lines.slice(at, end).join("\n"));
      at = end;
    }
  }
}

/**
 * A formula that stands by itself, perhaps in several lines: what would begin a list elsewhere is a sign in it.
 *
 * @param {string[]} lines
 * @param {number} at
 * @param {Formulas} formulas
 * @param {Document} document
 */
function formulaAt(lines, at, formulas, document) {
  const signs = lines[at].split("$$").length - 1;
  const isOne = signs === 2;
  const end = isOne ? at + 1 : endOf(lines, at + 1, (line) => line.trim() !== "" && !line.includes("$$")) + 1;
  if (signs > 2 || !lines[end - 1]?.trimEnd().endsWith("$$")) return null;
  const source = lines.slice(at, end).join("\n");
  const math = formulaElement(document, source, formulas);
  if (math) return { el: math, end };
  const el = document.createElement("p");
  el.textContent = source;
  return { el, end };
}

/** @param {string[]} lines @param {number} at @param {(line: string) => boolean} belongs */
function endOf(lines, at, belongs) {
  let end = at;
  while (end < lines.length && belongs(lines[end])) end += 1;
  return end;
}

/** @param {Element} parent @param {string[]} lines @param {number} start @param {Place} place */
function addList(parent, lines, start, place) {
  const [, { length: indent }, mark] = /** @type {RegExpExecArray} */ (ITEM.exec(lines[start]));
  const isOrdered = /\d/.test(mark);
  const list = parent.ownerDocument.createElement(isOrdered ? "ol" : "ul");
  if (isOrdered && Number.parseInt(mark, 10) !== 1) list.setAttribute("start", String(Number.parseInt(mark, 10)));
  parent.append(list);
  let at = start;
  while (at < lines.length) {
    const item = ITEM.exec(lines[at]);
    if (!item || item[1].length !== indent || /\d/.test(item[2]) !== isOrdered) break;
    const end = endOf(lines, at + 1, (each) => each.trim() === "" || /^ */.exec(each)?.[0].length !== indent);
    // What is further in belongs to the item; what is further out ends the list.
    const inner = lines.slice(at + 1, end);
    const out = inner.findIndex((each) => each.trim() !== "" && (/^ */.exec(each)?.[0].length ?? 0) <= indent);
    const own = out === -1 ? inner : inner.slice(0, out);
    const el = parent.ownerDocument.createElement("li");
    addInline(el, item[3] ?? "", { ...place, depth: 0 });
    addBlocks(el, unindented(own), inside(place));
    list.append(el);
    at += 1 + own.length;
    if (out !== -1) break;
  }
  return at;
}

/** @param {string[]} lines */
function unindented(lines) {
  const depths = lines.filter((line) => line.trim() !== "").map((line) => /^ */.exec(line)?.[0].length ?? 0);
  const least = Math.min(...depths, 1000);
  return lines.map((line) => line.slice(least));
}

/** @param {Element} table @param {string[]} lines @param {Formulas} formulas */
function addTable(table, [head, divider, ...rows], formulas) {
  const document = table.ownerDocument;
  /** @param {string} line */
  const cellsOf = (line) =>
    line
      .trim()
      .replace(/^\||\|$/g, "")
      .split("|")
      .map((cell) => cell.trim());
  const sides = cellsOf(divider).map((cell) => {
    if (!cell.endsWith(":")) return "";
    return cell.startsWith(":") ? "center" : "right";
  });
  for (const [part, tag, lines] of /** @type {[string, "th" | "td", string[]][]} */ ([
    ["thead", "th", [head]],
    ["tbody", "td", rows],
  ])) {
    const body = document.createElement(part);
    for (const line of lines) {
      const row = document.createElement("tr");
      cellsOf(line).forEach((text, index) => {
        const cell = document.createElement(tag);
        cell.style.textAlign = sides[index] ?? "";
        addInline(cell, text, { formulas, depth: 0 });
        row.append(cell);
      });
      body.append(row);
    }
    table.append(body);
  }
}

/** @param {Element} parent @param {string} text @param {Place} place */
function addInline(parent, text, place) {
  const document = parent.ownerDocument;
  const { depth, formulas } = place;
  let end = 0;
  const isRead = depth < MAX_DEPTH && text.length <= MAX_MARKED_CHARS;
  for (const match of isRead ? text.matchAll(INLINE) : []) {
    const { code, escape, link, strong, em, formula } = match.groups ?? {};
    parent.append(text.slice(end, match.index));
    end = match.index + match[0].length;
    if (escape) parent.append(escape.slice(1));
    else if (formula) parent.append(formulaElement(document, formula, formulas) ?? formula);
    else if (link) parent.append(linkElement(document, match, place));
    else {
      const el = document.createElement(code ? "code" : strong ? "strong" : em ? "em" : "s");
      if (code) el.textContent = match[3].trim();
      else addInline(el, match[11] ?? match[14] ?? match[16], inside(place));
      parent.append(el);
    }
  }
  parent.append(text.slice(end));
}

/** @param {Document} document @param {RegExpMatchArray} match @param {Place} place */
function linkElement(document, match, place) {
  const [isImage, text, address] = [match[6] === "!", match[7], match[8]];
  if (isImage && /^(https?:|data:image\/(png|jpeg|gif|webp|svg\+xml)[;,])/i.test(address)) {
    const image = document.createElement("img");
    image.className = "rdit-image";
    image.src = address;
    image.alt = text;
    return image;
  }
  if (isImage || !/^(https?:|mailto:|#)/i.test(address)) return document.createTextNode(match[0]);
  const anchor = document.createElement("a");
  anchor.href = address;
  anchor.rel = "noopener noreferrer";
  if (!address.startsWith("#")) anchor.target = "_blank";
  addInline(anchor, text, inside(place));
  return anchor;
}

/**
 * LaTeX formulas as MathML, which browsers show by themselves.
 *
 * The server converts them: an event has each formula, by its source with its delimiters, as a tree `[element,
 * attributes, ...children]`. Of a tree become elements and attributes that are named here, in the namespace of MathML, and
 * text. A formula without a tree, or with one that has something else in it, is shown as its source. The source also
 * goes with each formula, for those who copy it and for assistive technology.
 */

/** @typedef {[string, Record<string, string>, ...any[]]} Tree each of the rest is a text or a tree */
/** @typedef {Record<string, Tree>} Formulas by source, each space a single one */

const MATHML = "http://www.w3.org/1998/Math/MathML";
const ELEMENTS = new Set(
  (
    "menclose merror mfrac mi mmultiscripts mn mo mover mpadded mphantom mprescripts mroot mrow ms mspace msqrt mstyle " +
    "msub msubsup msup mtable mtd mtext mtr munder munderover"
  ).split(" "),
);
const ATTRIBUTES = new Set(
  (
    "accent accentunder columnalign columnspacing depth displaystyle fence form height linethickness lspace mathcolor " +
    "mathvariant maxsize minsize movablelimits rowspacing rspace scriptlevel separator stretchy symmetric voffset width"
  ).split(" "),
);
const MAX_TREE_DEPTH = 200;

/** What is a formula in LaTeX among text; `formulas.py` has the same. */
const LATEX =
  /\$\$(?:[^$\\]|\\[^])+\$\$|\$(?=[^\s$])(?:[^$\\\n]|\\[^]|\n(?!\s*\n))*?(?<=[^\s\\])\$(?!\d)|\\\[(?:[^\\]|\\[^[\]])+\\\]|\\\((?:[^\\]|\\[^()])+\\\)|\\begin\{(?<name>[a-z]+\*?)\}(?:(?!\\begin\{\k<name>\})[^]){1,5000}?\\end\{\k<name>\}/g;

/** @param {string} source */
const keyOf = (source) => source.trim().replace(/\s+/g, " ");

/**
 * @param {Document} document
 * @param {string} source with its delimiters
 * @param {Formulas} formulas
 * @returns {Element | null} null: it is to be shown as its source
 */
export function formulaElement(document, source, formulas) {
  const key = keyOf(source);
  const tree = Object.hasOwn(formulas, key) ? formulas[key] : null;
  if (!Array.isArray(tree) || tree[0] !== "math") return null;
  /** @param {string} tag */
  const make = (tag) => document.createElementNS(MATHML, tag);

  /** @param {Element} parent @param {any[]} children @param {number} depth */
  function add(parent, children, depth) {
    for (const child of children) {
      if (!Array.isArray(child)) {
        parent.append(String(child));
        continue;
      }
      const [tag, attributes, ...inner] = child;
      if (!ELEMENTS.has(tag) || depth > MAX_TREE_DEPTH) return false;
      const el = make(tag);
      for (const [name, value] of Object.entries(attributes ?? {})) {
        if (ATTRIBUTES.has(name)) el.setAttribute(name, String(value));
      }
      if (!add(el, inner, depth + 1)) return false;
      parent.append(el);
    }
    return true;
  }

  const [, attributes, ...children] = tree;
  const math = make("math");
  math.setAttribute("display", attributes?.display === "block" ? "block" : "inline");
  math.setAttribute("alttext", key);
  const semantics = make("semantics");
  const row = make("mrow");
  if (!add(row, children, 0)) return null;
  const annotation = make("annotation");
  annotation.setAttribute("encoding", "application/x-tex");
  annotation.textContent = key;
  semantics.append(row, annotation);
  math.append(semantics);
  return math;
}

/**
 * Text with formulas in it, as `text/latex` has it.
 *
 * @param {Document} document
 * @param {string} text
 * @param {Formulas} formulas
 * @returns {HTMLElement | null} null: there is none, or one that can only be shown as its source, and so the whole is
 */
export function latexElement(document, text, formulas) {
  const el = document.createElement("div");
  el.className = "rdit-html rdit-latex";
  el.setAttribute("data-mime", "text/latex");
  let end = 0;
  for (const { 0: source, index } of text.matchAll(LATEX)) {
    const math = formulaElement(document, source, formulas);
    if (!math) return null;
    el.append(text.slice(end, index), math);
    end = index + source.length;
  }
  if (end === 0) return null;
  el.append(text.slice(end));
  return el;
}

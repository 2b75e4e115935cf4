/**
 * A MIME bundle as an element.
 *
 * Everything goes in as text, and formulas element by element. The one exception is `text/html`, the rich representation
 * that the user's own Python object chose, which is trusted as much as the user's widgets are; scripts inside it do not
 * run.
 */

import { latexElement } from "./formulas.js";
import { markdownElement } from "./markdown.js";
import { stripAnsi } from "./terminal.js";

/** Richest first. */
const MIME_PREFERENCE = [
  "text/html",
  "image/png",
  "image/jpeg",
  "image/svg+xml",
  "text/markdown",
  "text/latex",
  "application/json",
  "text/plain",
];

/**
 * The richest representation of a MIME bundle that we can show.
 *
 * @param {Document} document
 * @param {Record<string, any>} data
 * @param {Record<string, any>} metadata
 * @param {import("./formulas.js").Formulas} [formulas]
 * @returns {HTMLElement | null}
 */
export function mimeElement(document, data, metadata, formulas = {}) {
  const mime = MIME_PREFERENCE.find((each) => Object.hasOwn(data, each));
  if (mime === undefined) return null;
  const value = data[mime];
  const text = Array.isArray(value) ? value.join("") : value;
  if (mime === "text/html") {
    const el = document.createElement("div");
    el.className = "rdit-html";
    el.innerHTML = String(text);
    return el;
  }
  if (mime.startsWith("image/")) {
    const image = document.createElement("img");
    image.className = "rdit-image";
    image.src =
      mime === "image/svg+xml"
        ? `data:image/svg+xml;charset=utf-8,${encodeURIComponent(String(text))}`
        : `data:${mime};base64,${String(text).replace(/\s/g, "")}`;
    image.alt = String(metadata?.[mime]?.alt ?? metadata?.alt ?? data["text/plain"] ?? "Image");
    for (const side of /** @type {const} */ (["width", "height"])) {
      const pixels = Number(metadata?.[mime]?.[side]);
      if (Number.isFinite(pixels) && pixels > 0) image[side] = pixels;
    }
    return image;
  }
  if (mime === "text/markdown") return markdownElement(document, stripAnsi(String(text)), formulas);
  const latex = mime === "text/latex" ? latexElement(document, String(text), formulas) : null;
  if (latex) return latex;
  const pre = document.createElement("pre");
  pre.className = "rdit-text";
  pre.setAttribute("data-mime", mime);
  pre.textContent = mime === "application/json" ? JSON.stringify(value, null, 2) : stripAnsi(String(text));
  return pre;
}

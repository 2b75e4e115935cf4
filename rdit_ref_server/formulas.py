"""LaTeX formulas as MathML, which browsers show by themselves.

A page gets no markup: each formula is a tree of lists, `[element, attributes, ...children]`, of which it makes elements
by an allowlist of its own (`client/formulas.js`). The converter (`latex2mathml`) knows no escaping and takes commands
that set `href` and `style`, so nothing of what it gives is used but names, a few attributes and text.

What cannot be converted has no tree, and a page shows its source: a command that the converter does not know, which it
would print as its name, an alignment that it does not understand, and what is too long or too deep.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final
from xml.etree.ElementTree import Element

Tree = list[Any]
"""`[element, attributes, *children]`; a child is a text or another tree."""

MAX_FORMULA_CHARACTERS: Final = 5_000
"""A longer formula is shown as its source."""

MAX_FORMULAS: Final = 500
"""Of one result; further ones are shown as their source."""

_MAX_DEPTH: Final = 100
"""Elements inside of each other; a formula that is deeper is shown as its source."""

_DISPLAYED: Final = r"\$\$(?:[^$\\]|\\.)+\$\$"
# As in pandoc: no space stands inside of the dollars, and no digit behind them. Two prices are no formula.
_INLINE: Final = r"\$(?=[^\s$])(?:[^$\\\n]|\\.|\n(?!\s*\n))*?(?<=[^\s\\])\$(?!\d)"
_MARKDOWN: Final = re.compile(rf"(?s:(?=({_DISPLAYED}|{_INLINE})))")
# What begins again before it ends is none: so no text is read to its end at each beginning.
_BRACKETS: Final = r"\\\[(?:[^\\]|\\[^\[\]])+\\\]|\\\((?:[^\\]|\\[^()])+\\\)"
_ENVIRONMENT: Final = r"\\begin\{(?P<name>[a-z]+\*?)\}(?:(?!\\begin\{(?P=name)\}).){1,5000}?\\end\{(?P=name)\}"
_LATEX: Final = re.compile(f"(?s:{_DISPLAYED}|{_INLINE}|{_BRACKETS}|{_ENVIRONMENT})")
_BEGIN: Final = re.compile(r"\\(begin|end)\{([a-z]+\*?)\}")
_ENVIRONMENTS: Final = {
    # Numbers would begin with each formula anew.
    "align": "align*",
    "aligned": "align*",
    "split": "align*",
    "gather": "matrix",
    "gather*": "matrix",
    "gathered": "matrix",
}
_UNSEEN: Final = re.compile(r"\\(?:label\s*\{[^{}]*\}|nonumber|notag)(?![a-zA-Z])")
_ESCAPED: Final = re.compile(r"\\([&%$#_{}])")
_CHILDREN: Final = {
    **dict.fromkeys(("mfrac", "mroot", "msub", "msup", "munder", "mover"), 2),
    **dict.fromkeys(("msubsup", "munderover"), 3),
}
_ATTRIBUTES: Final = frozenset(
    "accent accentunder columnalign columnspacing depth display displaystyle fence form height linethickness lspace "
    "mathcolor mathvariant maxsize minsize movablelimits rowspacing rspace scriptlevel separator stretchy symmetric "
    "voffset width".split()
)


def formulas_of(data: Mapping[str, Any]) -> dict[str, Tree]:
    """Give the formulas of a MIME bundle, by their source with its delimiters, each space a single one. In Markdown
    some may be none (in code, say): a page takes those that it finds.
    """
    found: dict[str, Tree] = {}
    if "text/html" in data:
        return found  # which pages prefer
    for source in _sources_of(data):
        if len(found) >= MAX_FORMULAS:
            break
        key = " ".join(source.split())
        tree = _tree_of(key) if key not in found else None
        if tree is not None:
            found[key] = tree
    return found


def _sources_of(data: Mapping[str, Any]) -> Iterator[str]:
    markdown, latex = (_text(data.get(mime)) for mime in ("text/markdown", "text/latex"))
    if "$" in markdown:
        # At each place anew: what stands in code may have dollars of its own.
        yield from (match[1] for match in _MARKDOWN.finditer(markdown))
    yield from (match[0] for match in _LATEX.finditer(latex))


def _text(value: Any) -> str:
    if isinstance(value, list):
        value = "".join(map(str, value))
    return value if isinstance(value, str) else ""


@lru_cache(maxsize=256)
def _tree_of(source: str) -> Tree | None:
    if len(source) > MAX_FORMULA_CHARACTERS:
        return None
    body, is_block = _taken_apart(source)
    body = _UNSEEN.sub("", _BEGIN.sub(lambda tag: f"\\{tag[1]}{{{_ENVIRONMENTS.get(tag[2], tag[2])}}}", body))
    # It knows limits above and below its signs in a block only.
    is_displayed = is_block or body.lstrip().startswith(r"\displaystyle")
    from latex2mathml.converter import convert_to_element  # it reads a table of 200 kB

    try:
        root = convert_to_element(body, display="block" if is_displayed else "inline")
        name, _, *children = _tree(root, 0)
    except Exception:  # of whatever kind it is: the text is the user's, and may be anything
        return None
    return [name, {"display": "block" if is_block else "inline"}, *children]


def _taken_apart(source: str) -> tuple[str, bool]:
    """A formula without its delimiters, and whether it stands by itself."""
    if source.startswith("$$"):
        return source[2:-2], True
    if source.startswith("$"):
        return source[1:-1], False
    if source.startswith((r"\[", r"\(")):
        return source[2:-2], source[1] == "["
    return source, True


def _tree(element: Element, depth: int) -> Tree:
    """Raises ValueError for what a browser would not show as it is meant."""
    children = [*element]
    text = _ESCAPED.sub(r"\1", html.unescape(element.text or ""))
    if depth > _MAX_DEPTH or len(children) != _CHILDREN.get(element.tag, len(children)):
        raise ValueError("too deep, or something is missing")
    if ("\\" in text and text != "\\") or (text == "&" and element.tag == "mi") or "linebreak" in element.attrib:
        raise ValueError("it was not understood")
    attributes = {name: str(value) for name, value in element.attrib.items() if name in _ATTRIBUTES}
    return [element.tag, attributes, *([text] if text else []), *(_tree(child, depth + 1) for child in children)]

"""What is wrong with a module's text, before any browser starts: its size, its imports, its default export.

Looks, and does not parse: comments are blanked and strings emptied, which is enough to find import declarations and
calls. What it cannot tell for sure it leaves to the page, where the browser reads the module and every request is
refused.
"""

from __future__ import annotations

import re
from typing import Final

from rdit_core.descriptions import Problem

MAX_MODULE_CHARACTERS: Final = 400_000

_TOKEN: Final = re.compile(
    r"""(?P<comment>//[^\n]*|/\*.*?(?:\*/|\Z))
      | (?P<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')
      | (?P<template>`(?:\\.|[^`\\])*`)
      | (?P<regex>(?<=[=(,:;!&|?{}\n])[ \t]*/(?![/*])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n\[])+/[a-z]*)""",
    re.VERBOSE | re.DOTALL,
)
_STATIC_IMPORT: Final = re.compile(r"(?<![\w$.])(?:import|export)\b(?:[\w\s{},*$]*?\bfrom)?\s*§(\d+)§")
_DYNAMIC_IMPORT: Final = re.compile(r"(?<![\w$.])import\s*\(\s*(?:§(\d+)§)?")
_DEFAULT: Final = re.compile(r"(?<![\w$.])export\s+default\b|(?<![\w$.])export\s*\{[^}]*\bas\s+default\b")
_URL: Final = re.compile(r"(?:[a-z][a-z0-9+.-]*:)?//", re.IGNORECASE)

DEFAULT_EXPORT_HINT: Final = (
    "End the module with: export default { render }; where render({ model, el }) shows the widget."
)
SELF_CONTAINED_HINT: Final = (
    "Import nothing: write what is needed into the module itself, with the DOM, SVG, canvas or WebGL of the browser."
)


def check_text(esm: str) -> list[Problem]:
    """What is wrong, worst first; nothing where only a browser can tell."""
    if not esm.strip():
        return [Problem("no_code", "There is no module: it is empty.", "Answer with one ES module in one code block.")]
    if len(esm) > MAX_MODULE_CHARACTERS:
        return [
            Problem(
                "too_large",
                f"The module has {len(esm):,} characters; at most {MAX_MODULE_CHARACTERS:,} are taken.",
                'Write less, and no data into the module: read it with model.get("data").',
            )
        ]
    if re.match(r"\s*(?:https?|file|data|blob):", esm):
        return [
            Problem(
                "network_import", f"This is an address, not a module: {esm.strip()[:80]}.", "Write the module itself."
            )
        ]
    code, strings = _emptied(esm)
    problems = [_import_problem(strings[int(found[1])]) for found in _STATIC_IMPORT.finditer(code)]
    problems += [
        _import_problem(strings[int(found[1])] if found[1] else "an address that is computed")
        for found in _DYNAMIC_IMPORT.finditer(code)
    ]
    if not problems and not _DEFAULT.search(code):
        problems.append(Problem("no_default_export", "The module has no default export.", DEFAULT_EXPORT_HINT))
    return list(dict.fromkeys(problems))


def count_sets(esm: str, name: str) -> int:
    """At how many places of the text a trait is set by its name."""
    code, strings = _emptied(esm)
    places = re.findall(r"\.\s*set\s*\(\s*§(\d+)§", code)
    return sum(strings[int(number)] == name for number in places)


def _import_problem(source: str) -> Problem:
    if _URL.match(source):
        return Problem("network_import", f"The module imports {source!r} from the network.", SELF_CONTAINED_HINT)
    return Problem("bare_import", f"The module imports {source!r}, which is not there.", SELF_CONTAINED_HINT)


def _emptied(esm: str) -> tuple[str, list[str]]:
    """The text with `§n§` in the place of the n-th string, and blanks in that of comments; and the strings."""
    strings: list[str] = []

    def empty(found: re.Match[str]) -> str:
        if found["string"] or (found["template"] and "${" not in found["template"]):
            strings.append(found[0][1:-1])
            return f"§{len(strings) - 1}§"
        return " " if found["comment"] or found["regex"] else found[0]

    return _TOKEN.sub(empty, esm.replace("§", " ")), strings

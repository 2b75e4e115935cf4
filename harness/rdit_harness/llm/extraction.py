"""A module out of what a language model says: without fences, without the words around it."""

from __future__ import annotations

import re
from typing import Final

from rdit_core.descriptions import Problem, UnusableAnswer

_FENCE: Final = re.compile(
    r"^[ \t]*(`{3,}|~{3,})[ \t]*([\w+-]*)[^\n]*\n(.*?)(?:^[ \t]*\1[ \t]*$|\Z)", re.MULTILINE | re.DOTALL
)
_SCRIPTS: Final = ("js", "javascript", "mjs", "jsx", "ts", "typescript", "esm", "")
_STYLES: Final = ("css",)
_DEFAULT: Final = re.compile(r"^[ \t]*export\s+default\b|^[ \t]*export\s*\{[^}]*\bas\s+default\b", re.MULTILINE)
_CODE_BEGINS: Final = re.compile(
    r"^(?:import\b|export\b|const\b|let\b|function\b|async function\b|class\b|//|/\*)", re.MULTILINE
)

_LATE_FENCE: Final = re.compile(r"(?:`{3,}|~{3,})\s*\Z")
"""One that closes a block at the end of its last line, and not in a line of its own."""

_THOUGHTS: Final = re.compile(r"\A.*?</think(?:ing)?>[ \t]*$", re.MULTILINE | re.DOTALL)
"""What a model thinks aloud before it answers. Some servers leave out where it begins, none where it ends."""

NO_CODE: Final = Problem(
    "no_code",
    "There is no module in the answer.",
    "Answer with one complete ES module in one ```js code block, and nothing else.",
)


def extract_module(answer: str) -> tuple[str, str | None]:
    """The module in an answer, and the style sheet beside it, if there is one.

    Of several code blocks it is the last one that has a default export: what comes before is drafts and pieces. Prose
    before and after a module without fences is left out as far as it can be told from code, and so is what a model
    thinks aloud first.

    Raises:
        UnusableAnswer: there is no module (`no_code`).
    """
    answer = _THOUGHTS.sub("", answer)
    blocks = [(found[2].lower(), _LATE_FENCE.sub("", found[3])) for found in _FENCE.finditer(answer)]
    scripts = [text for language, text in blocks if language in _SCRIPTS and text.strip()]
    styles = [text for language, text in blocks if language in _STYLES and text.strip()]
    whole = [text for text in scripts if _DEFAULT.search(text)]
    if not scripts and _DEFAULT.search(answer):
        whole = [_without_prose(answer)]
    chosen = (whole or scripts)[-1:]
    if not chosen:
        raise UnusableAnswer(NO_CODE, answer=answer)
    return chosen[0].strip() + "\n", (styles[-1].strip() + "\n" if styles else None)


def _without_prose(answer: str) -> str:
    """A module that came without fences: from the first line that looks like code to the last that ends some."""
    begins = _CODE_BEGINS.search(answer)
    lines = answer[begins.start() if begins is not None else 0 :].splitlines()
    while lines and not re.search(r"[;})\]]\s*(?://.*|/\*.*\*/\s*)?$", lines[-1]):
        lines.pop()
    return "\n".join(lines)

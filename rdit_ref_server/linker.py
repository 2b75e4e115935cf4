"""The browser side's modules as one: what the page loads in one request instead of thirty.

The files of `client/` stay what they are, plain modules that a browser takes as they come, and that is how a front end
of one's own gets them. The server's own page gets them joined when the application is made: each module becomes a
function that gives its exports, called once, after those that it imports.

Not a parser. It knows the few shapes in which our modules import and export, each at the beginning of a line, and
refuses any other rather than guess: names that are exported must never be set again, and no two modules may import each
other, since an import is a copy here. A test runs the real page's modules both ways.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

_NAME: Final = r"[A-Za-z_$][\w$]*"
_NEEDED: Final = re.compile(r'^(?:import|export)\b(?:[^;"]*?\bfrom)?\s*"\./(\w+\.js)";$', re.MULTILINE)
_IMPORT: Final = re.compile(r'^import\s+(?:\{([^}]*)\}\s*from\s*)?"\./(\w+)\.js";$', re.MULTILINE)
_REEXPORT: Final = re.compile(r'^export\s*\{([^}]*)\}\s*from\s*"\./(\w+)\.js";$', re.MULTILINE)
_EXPORT_LIST: Final = re.compile(r"^export\s*\{([^}]*)\};$", re.MULTILINE)
_EXPORT: Final = re.compile(rf"^export ((?:const|class|(?:async )?function\*?) ({_NAME}))", re.MULTILINE)
_OTHER: Final = re.compile(r"^(?:import|export)\b.*|\bimport\.meta\b.*", re.MULTILINE)


class LinkError(ValueError):
    """Modules that cannot be joined. The text says which, and why."""


def link(modules: Mapping[str, str], entry: str) -> str:
    """Join a module and all that it imports into one script of module type.

    Args:
        modules: text by file name; at least those that are needed.
        entry: name of the one that is wanted.

    Raises:
        LinkError: a module is missing, imports itself over others, or has an import or export of a shape that is not
            known here.
    """
    return "".join(_wrapped(name, text) for name, text in in_order(modules, entry).items())


def in_order(modules: Mapping[str, str], entry: str) -> dict[str, str]:
    """A module and all that it imports, each after what it imports itself.

    Args:
        modules: text by file name; at least those that are needed.
        entry: name of the one that is wanted.

    Raises:
        LinkError: a module is missing, or imports itself over others.
    """
    found: dict[str, str] = {}
    entered: list[str] = []

    def enter(name: str) -> None:
        if name in found:
            return
        if name in entered:
            raise LinkError(f"modules import each other: {' -> '.join([*entered, name])}")
        if name not in modules:
            raise LinkError(f"{entered[-1] if entered else 'the page'} needs {name}, which is not there")
        entered.append(name)
        for other in _NEEDED.findall(modules[name]):
            enter(other)
        found[entered.pop()] = modules[name]

    enter(entry)
    return found


def _wrapped(name: str, text: str) -> str:
    """A module as a function that was called."""
    exports: dict[str, str] = {}

    def take_import(found: re.Match[str]) -> str:
        names = _names(found[1] or "")
        taken = ", ".join(one if one == local else f"{one}: {local}" for one, local in names)
        # As many lines as before, so that a line can be told from the file's.
        return f"const {{ {taken} }} = {_variable(found[2])};" + "\n" * found[0].count("\n")

    def take_reexport(found: re.Match[str]) -> str:
        exports.update((public, f"{_variable(found[2])}.{one}") for one, public in _names(found[1]))
        return "\n" * found[0].count("\n")

    def take_list(found: re.Match[str]) -> str:
        exports.update((public, one) for one, public in _names(found[1]))
        return "\n" * found[0].count("\n")

    def take_export(found: re.Match[str]) -> str:
        exports[found[2]] = found[2]
        return found[1]

    body = _IMPORT.sub(take_import, text)
    body = _REEXPORT.sub(take_reexport, body)
    body = _EXPORT_LIST.sub(take_list, body)
    body = _EXPORT.sub(take_export, body)
    if other := _OTHER.search(body):
        raise LinkError(f"{name}: not a shape that can be joined: {other[0]}")
    given = ", ".join(public if public == one else f"{public}: {one}" for public, one in exports.items())
    variable = _variable(name.removesuffix(".js"))
    return f"// {name}\nconst {variable} = (() => {{\n{body}\nreturn {{ {given} }};\n}})();\n"


def _names(text: str) -> list[tuple[str, str]]:
    """`a, b as c` as pairs of a name there and a name here."""
    pairs = (one.split() for one in text.split(",") if one.strip())
    return [(pair[0], pair[-1]) for pair in pairs]


def _variable(stem: str) -> str:
    # A name that no module uses.
    return f"rdit$module${stem}"

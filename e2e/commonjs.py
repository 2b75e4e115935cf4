"""A CommonJS file as an ES module, for pages that take packages from `node_modules` without a build.

Enough for React's own files, which require packages by name and assign to `exports`; not for CommonJS at large.
"""

from __future__ import annotations

import re

REQUIRED = re.compile(r"""\brequire\((["'])([^"']+)\1\)""")
EXPORTED = re.compile(r"^\s*exports\.(\w+) =", re.MULTILINE)

MODULE = """\
%(imports)s
const packages = { %(packages)s };
const module = { exports: {} };
(function (module, exports, require, process) {
%(text)s
})(module, module.exports, (name) => packages[name], { env: { NODE_ENV: "development" } });
export default module.exports;
%(exports)s
"""


def as_module(text: str) -> str:
    """The text of an ES module with the same exports by name. What it requires, a page's import map has to know."""
    names = sorted({name for _, name in REQUIRED.findall(text)})
    return MODULE % {
        "imports": "\n".join(f'import package{i} from "{name}";' for i, name in enumerate(names)),
        "packages": ", ".join(f'"{name}": package{i}' for i, name in enumerate(names)),
        "text": text,
        "exports": "\n".join(
            f"export const {name} = module.exports.{name};" for name in sorted({*EXPORTED.findall(text)})
        ),
    }

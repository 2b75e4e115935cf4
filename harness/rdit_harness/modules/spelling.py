"""Names as a browser spells them: `host.getWidget` for `host.get_widget`."""

from __future__ import annotations

import re
from typing import Any


def snake_case(name: str) -> str:
    """`getWidget` as `get_widget`; what has no capitals stays."""
    return re.sub(r"(?<=[a-z0-9])[A-Z]", lambda found: f"_{found[0]}", name).lower()


class JsSpelling:
    """An object whose attributes are found under their camel-case names, too."""

    def __getattr__(self, name: str) -> Any:
        # Asked only for what is not there. Names of Python's own protocols are never meant.
        other = snake_case(name)
        if other != name and not name.startswith("_") and (hasattr(type(self), other) or other in vars(self)):
            return getattr(self, other)
        return self._missing(name)

    def _missing(self, name: str) -> Any:
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self)

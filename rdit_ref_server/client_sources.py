"""The text of the browser side's modules, for whoever shows widgets in a page that no server serves.

Found through the entry point group `rdit.clients`, so that those who may not import this package can have them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

_CLIENT: Final = Path(__file__).parent / "client"


def client_sources() -> dict[str, str]:
    """Each module's text by its file name; `index.js` is what a page imports."""
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(_CLIENT.glob("*.js"))}

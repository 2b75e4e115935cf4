"""Frames as data: what each one means, or why it means nothing. The format is in README.md beside this file."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).parent


def load() -> dict[str, list[dict[str, Any]]]:
    """Every case, by the name of its file without `.json`. Read anew at each call."""
    return {file.stem: json.loads(file.read_text(encoding="ascii")) for file in sorted(FOLDER.glob("*.json"))}


def frame_of(case: dict[str, Any]) -> str | bytes:
    """The frame of one case: `str` for a text frame, else `bytes`."""
    frame = case["frame"]
    if "base64" in frame:
        return base64.b64decode(frame["base64"], validate=True)
    pieces = frame["text"]
    if isinstance(pieces, str):
        return pieces
    return "".join(piece if isinstance(piece, str) else piece["repeat"] * piece["times"] for piece in pieces)

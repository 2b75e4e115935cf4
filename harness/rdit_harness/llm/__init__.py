"""rdit_harness.llm: widgets from descriptions. A generator over any OpenAI-compatible endpoint, a recorded one, a cache
on disk, and a verifier that tries each module in a real page.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from .disk_cache import DiskCache
    from .extraction import extract_module
    from .openai_generator import OpenAIGenerator
    from .recorded import RecordedGenerator
    from .scripted_endpoint import Answer, ScriptedEndpoint
    from .verifier import PageVerifier

__all__ = [
    "Answer",
    "DiskCache",
    "OpenAIGenerator",
    "PageVerifier",
    "RecordedGenerator",
    "ScriptedEndpoint",
    "extract_module",
]

_HOMES: Final = {
    "Answer": "scripted_endpoint",
    "DiskCache": "disk_cache",
    "OpenAIGenerator": "openai_generator",
    "PageVerifier": "verifier",
    "RecordedGenerator": "recorded",
    "ScriptedEndpoint": "scripted_endpoint",
    "extract_module": "extraction",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    return value

"""The commands `rdit serve` and `rdit export`, as their entry points name them."""

from __future__ import annotations

from .export_command import export
from .serve_command import serve

__all__ = ["export", "serve"]

"""What holds for each text of the tree, whatever it is about."""

import os
import re
from pathlib import Path

import pytest

# Texts, which every Python reads alike.
pytestmark = pytest.mark.once

ROOT = Path(__file__).parents[2]
NOT_OURS = {"node_modules", "artifacts", "__pycache__", "build", "dist"}
SUFFIXES = {".css", ".html", ".ini", ".js", ".json", ".md", ".py", ".toml", ".ts", ".txt", ".yml"}
MERGE = re.compile(r"^(<{7} .*|={7}|>{7} .*)$", re.MULTILINE)


def texts():
    for folder, inner, names in os.walk(ROOT):
        inner[:] = [name for name in inner if name not in NOT_OURS and not name.startswith(".")]
        yield from (Path(folder, name) for name in names if Path(name).suffix in SUFFIXES)


def test_no_text_shows_the_two_sides_of_a_merge():
    paths = list(texts())
    assert ROOT / "e2e" / "README.md" in paths
    assert [path for path in paths if MERGE.search(path.read_text(encoding="utf-8", errors="replace"))] == []

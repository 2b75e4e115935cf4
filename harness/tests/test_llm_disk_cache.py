import os
import stat
import sys
from pathlib import Path

import pytest

from rdit_core.descriptions import GeneratedModule
from rdit_harness.llm import DiskCache
from rdit_harness.llm.disk_cache import CacheWarning, default_folder

MODULE = GeneratedModule("export default {};\n", "p {}", 10, 2)


@pytest.fixture
def cache(tmp_path):
    return DiskCache(tmp_path / "modules")


def test_a_module_comes_back_as_it_was_put(cache):
    assert cache.get("a1") is None
    cache.put("a1", MODULE)
    assert cache.get("a1") == MODULE
    assert DiskCache(cache.folder).get("a1") == MODULE
    assert cache.get("b2") is None


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_the_folder_is_its_owners_alone(cache):
    cache.put("a1", MODULE)
    assert stat.S_IMODE(cache.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((cache.folder / "a1.json").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b'{"version": 0}', b'{"version": 1, "key": "b2", "esm": ""}', b"\xff\xfe"],
)
def test_a_damaged_file_is_no_module_and_is_written_anew(cache, content):
    cache.put("a1", MODULE)
    (cache.folder / "a1.json").write_bytes(content)
    with pytest.warns(CacheWarning, match="a1.json"):
        assert cache.get("a1") is None
    cache.put("a1", MODULE)
    assert cache.get("a1") == MODULE


def test_a_file_of_another_key_is_no_module(cache):
    cache.put("a1", MODULE)
    (cache.folder / "a1.json").rename(cache.folder / "b2.json")
    with pytest.warns(CacheWarning, match="b2.json"):
        assert cache.get("b2") is None


def test_where_nothing_can_be_kept_it_is_said_and_nothing_fails(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.warns(CacheWarning, match="cannot be kept"):
        DiskCache(tmp_path / "file" / "modules").put("a1", MODULE)


def test_a_module_that_cannot_be_moved_to_its_place_leaves_nothing_behind(cache):
    (cache.folder / "a1.json").mkdir(parents=True)
    with pytest.warns(CacheWarning, match="cannot be kept"):
        cache.put("a1", MODULE)
    with pytest.warns(CacheWarning, match="cannot be read"):
        assert cache.get("a1") is None
    assert [path.name for path in cache.folder.iterdir()] == ["a1.json"]


def test_those_used_longest_ago_make_room(tmp_path):
    cache = DiskCache(tmp_path, max_modules=2)
    for age, key in enumerate(["a1", "b2"]):
        cache.put(key, MODULE)
        os.utime(tmp_path / f"{key}.json", (age, age))
    cache.get("a1")
    cache.put("c3", MODULE)
    assert {path.stem for path in tmp_path.iterdir()} == {"a1", "c3"}


def test_a_cache_can_be_emptied(cache):
    cache.clear()
    cache.put("a1", MODULE)
    cache.clear()
    assert cache.get("a1") is None


def test_no_key_becomes_another_path(cache):
    with pytest.raises(ValueError, match="digest"):
        cache.get("../a1")


@pytest.mark.parametrize(
    ("platform", "variables", "folder"),
    [
        ("linux", {"XDG_CACHE_HOME": "/cache"}, "/cache/rdit/modules"),
        ("linux", {}, "/home/ada/.cache/rdit/modules"),
        ("darwin", {}, "/home/ada/Library/Caches/rdit/modules"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/rdit/modules"),
        ("win32", {}, "/home/ada/AppData/Local/rdit/modules"),
        ("linux", {"RDIT_CACHE_DIR": "/mine", "XDG_CACHE_HOME": "/cache"}, "/mine/modules"),
    ],
)
def test_it_lies_where_the_platform_keeps_caches(monkeypatch, platform, variables, folder):
    for name in ("RDIT_CACHE_DIR", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(Path, "home", lambda: Path("/home/ada"))
    assert default_folder() == Path(folder)
    assert DiskCache().folder == Path(folder)

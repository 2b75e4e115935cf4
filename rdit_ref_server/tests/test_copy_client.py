import json
import re
from importlib.metadata import entry_points

import pytest

from rdit_ref_server.app import CLIENT
from rdit_ref_server.copy_client import copy_client, files

IMPORTED = re.compile(r'(?:from|import) "\./([\w.]+)"')


def test_the_command_is_installed():
    (point,) = entry_points(group="rdit.commands", name="client")
    assert point.load() is copy_client


def test_the_copy_is_what_a_front_end_can_import_and_nothing_else():
    """The modules that can be reached from the two that one imports, each with its types; no tests, no page."""
    reached, to_read = set(), ["index.js", "react.js"]
    while to_read:
        name = to_read.pop()
        if name not in reached:
            reached.add(name)
            to_read += IMPORTED.findall((CLIENT / name).read_text(encoding="utf-8"))
    types = {f"types/{name.removesuffix('.js')}.d.ts" for name in reached}
    assert set(files()) == reached | types | {"package.json"}


def test_it_says_what_to_write_next(tmp_path, capsys):
    folder = tmp_path / "web" / "widgets"
    assert copy_client(["--out", str(folder)]) == 0
    out = capsys.readouterr().out
    assert f"{len(files())} files in {folder}" in out
    assert 'from "./widgets/index.js"' in out
    assert "--allow-origin" in out
    for name, content in files().items():
        assert (folder / name).read_bytes() == content
    assert (folder / "index.js").read_bytes() == (CLIENT / "index.js").read_bytes()


def test_the_package_asks_for_nothing_that_is_not_there(tmp_path):
    package = json.loads(files()["package.json"])
    assert package["name"] == "rdit-client"
    assert not {"scripts", "devDependencies", "workspaces"} & set(package)


def test_a_folder_that_is_not_empty_is_left_alone_unless_told_otherwise(tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("mine")
    (tmp_path / "index.js").write_text("old")
    assert copy_client(["--out", str(tmp_path)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert f"{tmp_path} is not empty; with --force" in captured.err
    assert {path.name for path in tmp_path.iterdir()} == {"mine.txt", "index.js"}
    assert copy_client(["--out", str(tmp_path), "--force"]) == 0
    assert (tmp_path / "mine.txt").read_text() == "mine"
    assert (tmp_path / "index.js").read_bytes() == files()["index.js"]


@pytest.mark.parametrize("below", ["", "/deeper"])
def test_what_is_no_folder_is_said_in_one_line(tmp_path, capsys, below):
    path = tmp_path / "file"
    path.write_text("")
    assert copy_client(["--out", f"{path}{below}", "--force"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("rdit client: error: ")


def test_help_has_examples(capsys):
    assert copy_client(["--help"]) == 0
    assert "rdit client --out web/rdit-client --force" in capsys.readouterr().out


def test_without_a_folder_nothing_is_copied(capsys):
    assert copy_client([]) == 2
    assert "--out" in capsys.readouterr().err

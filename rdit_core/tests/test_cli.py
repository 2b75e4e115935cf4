import runpy
import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from rdit_core import __version__, cli


class Command:
    """Stands in for an entry point's target."""

    calls = []

    def __init__(self, status):
        self.status = status

    def __call__(self, arguments):
        self.calls.append(list(arguments))
        return self.status


class Point:
    """An entry point that loads what it was given, or raises it."""

    def __init__(self, name, target):
        self.name = name
        self.target = target

    def load(self):
        if isinstance(self.target, Exception):
            raise self.target
        return self.target


@pytest.fixture
def commands(monkeypatch):
    points = []
    monkeypatch.setattr(cli, "entry_points", lambda *, group: points if group == "rdit.commands" else [])
    monkeypatch.setattr(Command, "calls", [])
    return points


@pytest.mark.parametrize(("argv", "status"), [([], 2), (["-h"], 0), (["--help"], 0)])
def test_help_lists_the_commands_that_are_installed(commands, capsys, argv, status):
    commands += [Point("serve", Command(0)), Point("bake", Command(0))]
    assert cli.main(argv) == status
    out = capsys.readouterr().out
    assert "  bake\n  serve\n" in out
    assert "examples:" in out


def test_help_says_what_to_install_when_there_is_no_command(commands, capsys):
    assert cli.main(["--help"]) == 0
    assert "pip install 'rdit[server]'" in capsys.readouterr().out


@pytest.mark.parametrize("flag", ["-V", "--version"])
def test_version_is_printed(commands, capsys, flag):
    assert cli.main([flag]) == 0
    assert capsys.readouterr().out == f"rdit {__version__}\n"


def test_a_command_gets_the_rest_of_the_arguments_and_gives_the_exit_status(commands):
    commands.append(Point("serve", Command(7)))
    assert cli.main(["serve", "a.py", "--help", "-V"]) == 7
    assert Command.calls == [["a.py", "--help", "-V"]]


def test_arguments_come_from_the_command_line_by_default(commands, monkeypatch):
    commands.append(Point("serve", Command(0)))
    monkeypatch.setattr(sys, "argv", ["rdit", "serve", "x"])
    assert cli.main() == 0
    assert Command.calls == [["x"]]


@pytest.mark.parametrize(("names", "listed"), [([], "none"), (["b", "a"], "a, b")])
def test_an_unknown_command_is_named_beside_those_there_are(commands, capsys, names, listed):
    commands += [Point(name, Command(0)) for name in names]
    assert cli.main(["nope"]) == 2
    assert capsys.readouterr().err == f"rdit: no command 'nope' (there are: {listed}); see rdit --help\n"


def test_a_command_whose_extra_is_missing_names_the_extra(commands, capsys):
    commands.append(Point("serve", ModuleNotFoundError("no", name="uvicorn")))
    assert cli.main(["serve"]) == 2
    assert "needs uvicorn" in (err := capsys.readouterr().err)
    assert "pip install 'rdit[server]'" in err


@pytest.mark.parametrize(
    ("command", "missing"), [("serve", "rdit_ref_server.lost"), ("foreign", "numpy"), ("foreign", None)]
)
def test_a_module_that_no_extra_would_bring_is_an_error_as_it_stands(commands, command, missing):
    commands.append(Point(command, ModuleNotFoundError("no", name=missing)))
    with pytest.raises(ModuleNotFoundError):
        cli.main([command])


def test_the_module_can_be_run(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["rdit", "--version"])
    monkeypatch.delitem(sys.modules, "rdit_core.cli")
    with pytest.raises(SystemExit) as caught:
        runpy.run_module("rdit_core.cli", run_name="__main__")
    assert caught.value.code == 0


def test_a_real_entry_point_loads():
    point = EntryPoint(name="version", value="rdit_core.cli:main", group="rdit.commands")
    assert cli._run(point, ["--version"]) == 0


def test_importing_the_command_imports_neither_widgets_nor_a_server():
    heavy = "anywidget ipywidgets IPython starlette uvicorn pytest playwright".split()
    code = f"import sys, rdit_core.cli; print([name for name in {heavy!r} if name in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out == "[]\n"

import base64
import builtins
import json
import sys
from pathlib import Path

import numpy
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.display import HTML, clear_output, display, update_display

from rdit_ref_server.shell import ScriptShell, clean_text, json_clean


class Published:
    def __init__(self):
        self.shown, self.errors, self.changes = [], [], []

    def show(self, data, metadata, display_id):
        self.shown.append((data, metadata))
        self.changes.append(("show", display_id, data["text/plain"]))

    def update(self, display_id, data, metadata):
        self.changes.append(("update", display_id, data["text/plain"]))

    def clear(self, *, wait):
        self.changes.append(("clear", wait))

    def show_error(self, error):
        self.errors.append(error)


@pytest.fixture
def opened():
    publishing = Published()
    shell = ScriptShell.open(publishing)
    yield shell, publishing.shown, publishing.errors
    shell.close()


def test_a_value_becomes_a_mime_bundle(opened):
    shell, shown, _ = opened
    shell.show_value(HTML("<b>x</b>"))
    assert shown[0][0]["text/html"] == "<b>x</b>"
    assert "text/plain" in shown[0][0]


def test_none_is_not_shown(opened):
    shell, shown, _ = opened
    shell.show_value(None)
    assert shown == []


def test_display_and_the_display_hook_arrive(opened):
    shell, shown, _ = opened
    display(1)
    shell.displayhook(2)
    assert [data["text/plain"] for data, _ in shown] == ["1", "2"]


def test_bytes_become_base64(opened):
    shell, shown, _ = opened

    class Picture:
        def _repr_png_(self):
            return b"\x89PNG"

    shell.show_value(Picture())
    data = shown[0][0]["image/png"]
    assert base64.b64decode(data) == b"\x89PNG"


def test_an_error_in_a_representation_is_told_and_the_rest_shown(opened):
    shell, shown, errors = opened

    class Half:
        def _repr_html_(self):
            raise ValueError("no html")

        def __repr__(self):
            return "half"

    shell.show_value(Half())
    assert [str(error) for error in errors] == ["no html"]
    assert shown[0][0] == {"text/plain": "half"}


def test_libraries_find_a_shell_and_the_process_gets_itself_back():
    prompts = hasattr(sys, "ps1")
    main, path, stdout = sys.modules["__main__"], list(sys.path), sys.stdout
    shell = ScriptShell.open(Published())
    directory = shell.ipython_dir
    assert InteractiveShell.initialized()
    assert shell.get_ipython() is shell
    assert hasattr(builtins, "display")
    shell.close()
    assert not InteractiveShell.initialized()
    assert not Path(directory).exists()
    assert hasattr(sys, "ps1") == prompts
    assert sys.modules["__main__"] is main
    assert (sys.path, sys.stdout) == (path, stdout)


def test_nothing_is_written_to_the_users_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    shell = ScriptShell.open(Published())
    shell.show_value(1)
    shell.close()
    assert list(tmp_path.iterdir()) == []


def test_guis_are_left_alone(opened, capsys):
    shell, shown, _ = opened
    shell.enable_gui("qt")
    assert shown == []
    assert capsys.readouterr().out == ""


def test_updates_and_clearing_arrive(opened):
    shell, _, _ = opened
    display(1, display_id="one")
    update_display(2, display_id="one")
    handle = display(3, display_id=True)
    handle.update(4)
    clear_output()
    clear_output(wait=True)
    name = handle.display_id
    assert shell.publishing.changes == [
        ("show", "one", "1"),
        ("update", "one", "2"),
        ("show", name, "3"),
        ("update", name, "4"),
        ("clear", False),
        ("clear", True),
    ]


@pytest.mark.parametrize(
    ("value", "clean"),
    [
        (float("nan"), None),
        (float("-inf"), None),
        (1.5, 1.5),
        (True, True),
        (numpy.int64(3), 3),
        (numpy.float32(0.5), 0.5),
        ((1, [b"\x00"]), [1, ["AA=="]]),
        ({1: "a"}, {"1": "a"}),
        (memoryview(b"ab"), "YWI="),
        ("\udcff", "\\udcff"),
    ],
)
def test_what_representations_return_becomes_json(value, clean):
    assert json_clean(value) == clean
    json.dumps(json_clean(value), allow_nan=False)


def test_bottomless_values_end():
    loop = []
    loop.append(loop)
    json.dumps(json_clean(loop))


def test_text_that_can_be_encoded_is_left_alone():
    assert clean_text("→") == "→"


def test_a_str_subclass_goes_out_as_plain_text():
    class Markup(str):
        pass

    assert type(clean_text(Markup("x"))) is str

"""Real files, saved as editors save them, under a kernel that runs."""

import json
import logging
import os
import sys
import threading

import pytest

from rdit_core import TRUSTED
from rdit_ref_server.reload import Reloader
from rdit_ref_server.streams import LogStream

pytestmark = pytest.mark.outer

MODULE = "export default { render({ el }) { el.textContent = 'VERSION' } };\n"

ANYWIDGET = """
import pathlib
import anywidget, traitlets

class Subject(anywidget.AnyWidget):
    _esm = pathlib.Path(__file__).with_name("widget.js")
    _css = pathlib.Path(__file__).with_name("widget.css")
    n = traitlets.Int(1).tag(sync=True)

subject = Subject()
subject
"""

PLAIN = """
import pathlib
import traitlets

class Subject(traitlets.HasTraits):
    _esm = pathlib.Path(__file__).with_name("widget.js")
    _css = pathlib.Path(__file__).with_name("widget.css")
    n = traitlets.Int(1).tag(sync=True)

subject = Subject()
"""

DESCRIPTOR = """
import dataclasses, pathlib
import psygnal
from anywidget.experimental import MimeBundleDescriptor

@psygnal.evented
@dataclasses.dataclass
class Subject:
    n: int = 1
    _repr_mimebundle_ = MimeBundleDescriptor(
        _esm=pathlib.Path(__file__).with_name("widget.js"), _css=pathlib.Path(__file__).with_name("widget.css")
    )

subject = Subject()
subject
"""


def save(path, text):
    """As a program that opens a file and writes it."""
    path.write_text(text, encoding="utf-8")


def save_by_renaming(path, text):
    """As editors do that never leave half a file."""
    other = path.with_name(f".{path.name}.swp")
    other.write_text(text, encoding="utf-8")
    other.replace(path)


def save_with_a_backup(path, text):
    """As editors do that keep what was there: for a moment there is no such file."""
    path.rename(path.with_name(path.name + "~"))
    path.write_text(text, encoding="utf-8")


WAYS = [save, save_by_renaming, save_with_a_backup]


class Site:
    """A script with its widget's files, served and watched."""

    def __init__(self, running):
        self.running = running
        self.folder = running.path.parent
        self.esm = self.folder / "widget.js"
        self.css = self.folder / "widget.css"
        self.said = []
        save(self.esm, MODULE.replace("VERSION", "one"))
        save(self.css, "p { color: red }")
        self.reloader = None

    def run(self, source):
        self.running.serve()
        real = sys.stderr.write_through
        sys.stderr.write_through = lambda text: (self.said.append(text), real(text))
        save(self.running.path, source)
        self.reloader = Reloader(self.kernel, self.running.script)
        self.reloader.start()
        self.kernel.run(self.running.script)
        self.wait_for(lambda: self.kernel.log.is_done)

    @property
    def kernel(self):
        return self.running.kernel

    @property
    def widget_id(self):
        return next(iter(self.kernel.manager))

    def wait_for(self, condition):
        self.running.wait_for(condition)

    def wait_for_code(self, version):
        self.wait_for(lambda: version in self.kernel.manager.serialize(self.widget_id)["esm"])

    def wait_for_terminal(self, text):
        self.wait_for(lambda: text in self.terminal)

    @property
    def terminal(self):
        return "".join(self.said)

    def wait_for_page(self, text):
        self.wait_for(lambda: text in self.running.text("stderr"))

    def value(self, name):
        return self.running.namespace.get(name)

    def errors(self):
        return [event["ename"] for event in self.running.events() if event["kind"] == "error"]


@pytest.fixture
def site(running):
    modules = set(sys.modules)
    site = Site(running)
    yield site
    if site.reloader is not None:
        site.reloader.stop()
    for name in set(sys.modules) - modules:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(site.folder)):
            del sys.modules[name]


# Widget code.


@pytest.mark.afm(9)
@pytest.mark.parametrize("source", [ANYWIDGET, PLAIN, DESCRIPTOR], ids=["anywidget", "traits", "descriptor"])
def test_a_saved_module_and_style_take_over_in_place_with_the_state(site, source):
    site.run(source)
    if source is PLAIN:  # For hosts that register what they like: in a script it is not displayed.
        site.kernel.submit(lambda: site.kernel.manager.register("w", site.value("subject")))
        site.wait_for(lambda: "w" in site.kernel.manager)
    subject, widget_id, inst = site.value("subject"), site.widget_id, site.kernel.manager.inst(site.widget_id)
    subject.n = 7
    save(site.esm, MODULE.replace("VERSION", "two"))
    site.wait_for_code("two")
    save(site.css, "p { color: blue }")
    site.wait_for(lambda: site.kernel.manager.serialize(widget_id)["css"] == "p { color: blue }")
    assert site.value("subject") is subject
    assert site.kernel.manager.serialize(widget_id)["model"]["n"] == 7
    assert site.kernel.manager.inst(widget_id) == inst
    assert f"rdit: widget.js changed: new code for widget {widget_id}\n" in site.terminal


@pytest.mark.parametrize("way", WAYS)
def test_a_module_may_be_saved_in_any_way_that_editors_know(site, way):
    site.run(ANYWIDGET)
    for version in ("two", "three"):
        way(site.esm, MODULE.replace("VERSION", version))
        site.wait_for_code(version)
    assert "is gone" not in site.terminal


def test_a_module_that_a_link_leads_to_is_watched_where_it_is(site):
    elsewhere = site.folder / "elsewhere"
    elsewhere.mkdir()
    site.esm.rename(elsewhere / "real.js")
    site.esm.symlink_to(elsewhere / "real.js")
    site.run(ANYWIDGET)
    save(elsewhere / "real.js", MODULE.replace("VERSION", "two"))
    site.wait_for_code("two")


def test_a_module_that_is_in_another_directory_is_watched_there(site, tmp_path_factory):
    other = tmp_path_factory.mktemp("other") / "shared.js"
    save(other, MODULE.replace("VERSION", "one"))
    site.run(ANYWIDGET.replace('pathlib.Path(__file__).with_name("widget.js")', f"pathlib.Path({str(other)!r})"))
    save(other, MODULE.replace("VERSION", "two"))
    site.wait_for_code("two")


def test_where_the_system_tells_of_no_changes_they_are_looked_for(site, monkeypatch):
    monkeypatch.setenv("WATCHFILES_FORCE_POLLING", "1")
    site.run(ANYWIDGET)
    save_by_renaming(site.esm, MODULE.replace("VERSION", "two"))
    site.wait_for_code("two")


def test_where_watching_fails_changes_are_looked_for_and_that_is_said(site, monkeypatch):
    import watchfiles

    watch = watchfiles.watch

    def failing(*paths, force_polling, **options):
        if not force_polling:
            raise OSError("OS file watch limit reached")
        return watch(*paths, force_polling=force_polling, **options)

    monkeypatch.setattr(watchfiles, "watch", failing)
    site.run(ANYWIDGET)
    site.wait_for_terminal("watch limit reached); looking for them instead")
    save(site.esm, MODULE.replace("VERSION", "two"))
    site.wait_for_code("two")


def test_a_page_gets_the_new_code_and_keeps_its_model(site):
    site.run(ANYWIDGET)
    connection = site.kernel.manager.connect(TRUSTED, mode="v1")
    connection.receive_frame(json.dumps({"type": "hello"}), 0.0)
    connection.frames_to_send(0.0)
    save(site.esm, MODULE.replace("VERSION", "two"))
    frames = []

    def arrived():
        frames.extend(json.loads(frame) for frame in connection.frames_to_send(0.0) if isinstance(frame, str))
        return any("esm_url" in json.dumps(frame.get("changes", [])) for frame in frames)

    site.wait_for(arrived)
    assert not any(frame.get("close") for frame in frames)


def test_the_kernels_thread_makes_the_change_also_while_a_script_awaits(site):
    source = ANYWIDGET + (
        "import asyncio, threading\n"
        "subject.observe(lambda change: print('on', threading.current_thread().name), '_esm')\n"
        "print('waiting')\n"
        "await asyncio.Event().wait()\n"
    )
    site.running.serve()
    save(site.running.path, source)
    site.reloader = Reloader(site.kernel, site.running.script)
    site.reloader.start()
    site.kernel.run(site.running.script)
    site.wait_for(lambda: "waiting" in site.running.text())
    save(site.esm, MODULE.replace("VERSION", "two"))
    site.wait_for(lambda: "on rdit-kernel" in site.running.text())


def test_a_widget_that_is_made_later_has_the_code_that_is_on_disk(site):
    site.run(ANYWIDGET)
    site.value("subject").close()
    save(site.esm, MODULE.replace("VERSION", "two"))
    site.kernel.submit(lambda: site.running.namespace.update(subject=site.value("Subject")()))
    site.wait_for(lambda: len(site.kernel.manager) == 1)
    site.wait_for_code("two")


def test_code_that_python_set_by_itself_stands_until_the_file_changes(site):
    site.run(ANYWIDGET + "subject._esm = 'export default {}'\n")
    save(site.css, "p { color: blue }")
    site.wait_for(lambda: site.kernel.manager.serialize(site.widget_id)["css"] == "p { color: blue }")
    assert site.kernel.manager.serialize(site.widget_id)["esm"] == "export default {}"
    save(site.esm, MODULE.replace("VERSION", "two"))
    site.wait_for_code("two")


def test_a_file_with_the_newlines_of_another_system_is_not_taken_for_a_change(site):
    site.esm.write_bytes(b"export default {\r\n};\r\n")
    site.run(ANYWIDGET)
    save(site.css, "p { color: blue }")
    site.wait_for_terminal("widget.css changed")
    assert "widget.js changed" not in site.terminal


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda path: path.unlink(), "is gone"),
        (lambda path: path.write_bytes(b"// caf\xe9\nexport default {};\n"), "is not UTF-8 (byte 6)"),
        (lambda path: (path.unlink(), path.mkdir()), "is not a file any more"),
        pytest.param(
            lambda path: (path.unlink(), os.mkfifo(path)),
            "is not a file any more",
            marks=pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes"),
        ),
    ],
    ids=["gone", "not UTF-8", "a directory", "a pipe"],
)
def test_of_a_file_that_cannot_be_used_terminal_and_page_hear_and_the_old_code_stays(site, spoil, why):
    site.run(ANYWIDGET)
    spoil(site.esm)
    line = f"rdit: {site.esm} {why}; its old code stays\n"
    site.wait_for_page(line)
    site.wait_for_terminal(line)
    assert "one" in site.kernel.manager.serialize(site.widget_id)["esm"]
    told = [event for event in site.running.events() if event["kind"] == "stream" and why in event["text"]]
    assert told[0]["statement"] == int(site.widget_id.partition(".")[0]) + 1  # The one that shows it.

    if site.esm.is_dir():
        site.esm.rmdir()
    else:
        site.esm.unlink(missing_ok=True)
    save(site.esm, MODULE.replace("VERSION", "two"))
    site.wait_for_code("two")
    assert site.terminal.count(why) == 1


def test_a_directory_that_goes_and_comes_back_is_watched_again(site):
    folder = site.folder / "static"
    folder.mkdir()
    site.esm.rename(folder / "widget.js")
    site.run(ANYWIDGET.replace('with_name("widget.js")', 'with_name("static") / "widget.js"'))
    (folder / "widget.js").unlink()
    folder.rmdir()
    site.wait_for_terminal("is gone")
    folder.mkdir()
    for version in ("two", "three"):
        save(folder / "widget.js", MODULE.replace("VERSION", version))
        site.wait_for_code(version)


def test_an_observer_of_the_code_that_fails_is_shown_and_the_next_save_works(site):
    site.run(ANYWIDGET + "subject.observe(lambda change: 1 / 0, '_esm')\n")
    save(site.esm, MODULE.replace("VERSION", "two"))
    site.wait_for(lambda: len(site.errors()) == 1)
    save(site.esm, MODULE.replace("VERSION", "three"))
    site.wait_for_code("three")


# Python.


def test_a_saved_script_runs_again_and_its_pages_hear_why(site):
    site.run("x = 1\nprint('one')\n")
    connection = site.kernel.manager.connect(TRUSTED, output=True)
    save(site.running.path, "x = 2\nprint('two')\n")
    site.wait_for(lambda: site.kernel.log.is_done and site.value("x") == 2)
    assert site.running.text() == "two\n"
    reset = site.running.events()[0]
    assert (reset["kind"], reset["changed"]) == ("reset", [site.running.path.name])
    outputs = [json.loads(frame) for frame in connection.frames_to_send()]
    assert [one["event"]["changed"] for one in outputs if one["event"]["kind"] == "reset"] == [["script.py"]]
    assert "rdit: script.py changed: running script.py again\n" in site.terminal


def test_a_reset_for_another_reason_names_no_files(site):
    site.run("x = 1\n")
    site.kernel.reset()
    site.kernel.run(site.running.script)
    site.wait_for(lambda: site.running.events()[0]["kind"] == "reset" and site.kernel.log.is_done)
    assert "changed" not in site.running.events()[0]


@pytest.mark.parametrize("way", WAYS)
def test_a_saved_module_of_the_scripts_directory_is_imported_again(site, way):
    helper = site.folder / "rdit_helper.py"
    save(helper, "value = 1\n")
    site.run("import rdit_helper\nx = rdit_helper.value\n")
    # Twice within a second, and of one length: Python's own cache would take the third for the second.
    for value in (2, 3):
        way(helper, f"value = {value}\n")
        site.wait_for(lambda value=value: site.kernel.log.is_done and site.value("x") == value)
    assert site.running.events()[0]["changed"] == ["rdit_helper.py"]


def test_a_module_that_uses_a_saved_one_is_imported_again_too(site):
    package = site.folder / "rdit_pack"
    (package / "inner").mkdir(parents=True)
    save(package / "__init__.py", "")
    save(package / "inner" / "deep.py", "value = 1\n")  # `inner` is a package without a file.
    save(package / "user.py", "from rdit_pack.inner import deep\nvalue = deep.value\n")
    site.run("from rdit_pack import user\nx = user.value\n")
    save(package / "inner" / "deep.py", "value = 20\n")
    site.wait_for(lambda: site.kernel.log.is_done and site.value("x") == 20)


def test_when_only_the_script_is_saved_its_modules_stay(site):
    save(site.folder / "rdit_slow.py", "loads = []\n")
    site.run("import rdit_slow\nrdit_slow.loads.append(1)\nx = len(rdit_slow.loads)\n")
    save(site.running.path, "import rdit_slow\nrdit_slow.loads.append(1)\nx = len(rdit_slow.loads)\ny = 1\n")
    site.wait_for(lambda: site.kernel.log.is_done and site.value("y") == 1)
    assert site.value("x") == 2


@pytest.mark.parametrize(
    "broken",
    [b"x = (\n", b"x = '\xe9'\n", b"x = '\0'\n"],
    ids=["no Python", "not UTF-8", "null bytes"],
)
def test_of_a_script_that_cannot_run_terminal_and_page_hear_and_the_old_run_stays(site, broken):
    site.run("x = 1\n" + ANYWIDGET)
    subject = site.value("subject")
    site.running.path.write_bytes(broken)
    site.wait_for_page("cannot run like this; the old run stays")
    site.wait_for_terminal("cannot run like this; the old run stays")
    assert site.errors()[-1] in ("SyntaxError", "ValueError")
    assert site.value("subject") is subject
    # What is shown besides still works.
    save(site.esm, MODULE.replace("VERSION", "two"))
    site.wait_for_code("two")
    save(site.running.path, "x = 2\n")
    site.wait_for(lambda: site.kernel.log.is_done and site.value("x") == 2)
    assert site.errors() == []


def test_of_a_script_that_is_gone_terminal_and_page_hear_and_the_old_run_stays(site):
    site.run("x = 1\n")
    site.running.path.unlink()
    line = f"rdit: {site.running.path} is gone; the old run stays\n"
    site.wait_for_page(line)
    assert site.value("x") == 1
    save(site.running.path, "x = 2\n")
    site.wait_for(lambda: site.kernel.log.is_done and site.value("x") == 2)
    assert site.terminal.count("is gone") == 1


def test_a_module_that_was_broken_from_the_start_is_mended_by_a_save(site):
    helper = site.folder / "rdit_broken.py"
    save(helper, "value = (\n")
    site.run("import rdit_broken\nx = rdit_broken.value\n")
    assert site.errors() == ["SyntaxError"]
    save(helper, "value = 1\n")
    site.wait_for(lambda: site.kernel.log.is_done and site.value("x") == 1)


def test_a_module_that_was_missing_is_found_when_it_comes(site):
    site.run("import rdit_missing\nx = rdit_missing.value\n")
    assert site.errors() == ["ModuleNotFoundError"]
    save(site.folder / "rdit_missing.py", "value = 1\n")
    site.wait_for(lambda: site.kernel.log.is_done and site.value("x") == 1)


def test_a_run_that_goes_on_for_ever_makes_way_for_the_saved_script(site):
    site.running.serve()
    save(site.running.path, "import time\nx = 1\nprint('on it')\nwhile True:\n    time.sleep(0.01)\n")
    site.reloader = Reloader(site.kernel, site.running.script)
    site.reloader.start()
    site.kernel.run(site.running.script)
    site.wait_for(lambda: "on it" in site.running.text())
    save(site.running.path, "x = 2\n")
    site.wait_for(lambda: site.kernel.log.is_done and site.value("x") == 2)


def test_a_save_that_changes_nothing_does_nothing(site):
    site.run(ANYWIDGET)
    first = site.value("subject")
    save_by_renaming(site.running.path, ANYWIDGET)
    save_by_renaming(site.esm, MODULE.replace("VERSION", "one"))
    save(site.css, "p { color: blue }")
    site.wait_for_terminal("widget.css changed")
    assert site.value("subject") is first
    assert "widget.js changed" not in site.terminal


def test_installed_packages_and_what_was_there_before_the_script_are_not_its_modules(site):
    installed = site.folder / ".venv" / "site-packages"
    installed.mkdir(parents=True)
    save(installed / "rdit_installed.py", "value = 1\n")
    save(site.folder / "rdit_before.py", "value = 1\n")
    sys.path.insert(0, str(site.folder))
    try:
        __import__("rdit_before")
    finally:
        sys.path.remove(str(site.folder))
    site.run(f"import sys\nsys.path.insert(1, {str(installed)!r})\nimport rdit_installed, rdit_before\nx = 1\n")
    assert [name for name, _ in site.reloader._own_modules()] == []


def test_the_thread_ends_when_it_is_told_to(site):
    site.run("x = 1\n")
    site.reloader.stop()
    site.reloader.stop()
    assert not any(thread.name == "rdit-reload" for thread in threading.enumerate())


def test_a_script_that_logs_all_there_is_to_log_hears_nothing_of_the_watching(site):
    source = "import logging\nlogging.basicConfig(level=logging.DEBUG)\n"
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    root.handlers.clear()
    try:
        site.run(source + ANYWIDGET)
        save(site.esm, MODULE.replace("VERSION", "two"))
        site.wait_for_code("two")
        assert "watchfiles" not in site.running.text("stderr")
    finally:
        root.setLevel(level)
        root.handlers[:] = handlers


def test_the_terminal_is_the_real_stream(site):
    site.run("x = 1\n")
    assert isinstance(sys.stderr, LogStream)
    site.kernel.tell("rdit: a line")
    assert "rdit: a line\n" in site.terminal
    assert site.running.text("stderr") == "rdit: a line\n"

import base64
import datetime
import json
import math
import os
import queue
import re
import signal
import stat
import subprocess
import sys
import threading
from html.parser import HTMLParser

import pytest

from rdit_core import Limits
from rdit_core.frames import decode_server_frame
from rdit_ref_server import commands, export, export_command
from rdit_ref_server.app import CLIENT
from rdit_ref_server.export import Results, build_page, check_target, client_modules, run_to_end, write_page
from rdit_ref_server.script import Script

from .conftest import COUNTER, PATIENCE_S

RUN = [sys.executable, "-c", "import sys; from rdit_ref_server.commands import export; sys.exit(export(sys.argv[1:]))"]
MADE = datetime.datetime(2026, 5, 3, 22, 30, tzinfo=datetime.timezone(datetime.timedelta(hours=-3)))

HOSTILE = [
    "<",
    "</script>",
    "</SCRIPT ><script>alert(1)</script>",
    "<!--<script>",
    "-->",
    "]]>",
    "</style></title><b id=injected>",
    "\u2028 and \u2029",
    "{{data}} {{title}}",
    "\\u003c \\ \" ' ` ${1} &lt; &amp;",
    "\x00\x1b\r\n\t",
    "\ufeff\U0001f600",
    "__proto__",
]


class Document(HTMLParser):
    """A page as a browser takes it apart: its tags in order, and what stands in its data elements."""

    def __init__(self, page):
        super().__init__()
        self.tags = []
        self.policy = self.text = self.title = ""
        self._open = {}
        self._texts = []
        self.raw = []
        self.feed(page.decode())
        self.data = {given["id"]: json.loads("".join(texts)) for given, texts in self._texts if "id" in given}
        self.frames = [
            "".join(texts) if given["data-rdit-frame"] == "json" else base64.b64decode("".join(texts))
            for given, texts in self._texts
            if "data-rdit-frame" in given
        ]

    def handle_starttag(self, tag, attributes):
        self._open = {"tag": tag, **dict(attributes)}
        self.tags.append((tag, self._open.get("id")))
        if self._open.get("http-equiv") == "content-security-policy":
            self.policy = self._open["content"]

    def handle_data(self, text):
        if self._open.get("type") == "application/json":
            self.raw.append(text)
        if "data-rdit-more" in self._open or (self._texts and self._texts[-1][0] is self._open):
            self._texts[-1][1].append(text)
        elif self._open.get("type") == "application/json":
            self._texts.append((self._open, [text]))
        else:
            self.title += text if self._open.get("tag") == "title" else ""
            self.text += text

    def handle_endtag(self, tag):
        self._open = {}

    def widgets(self):
        """What a client of `rdit/1` makes of the frames: property to value, by widget id."""
        widgets = {}
        for frame in self.frames:
            sync = decode_server_frame(frame, Limits(max_frame_bytes=1 << 30))
            for opened in sync.open:
                widgets[opened.widget_id] = {name: value for name, (value, _) in opened.props.items()}
            for widget_id, _, name, value, _ in sync.changes:
                widgets[widget_id][name] = value
        return widgets


def page_of(results, **options):
    given = {"script_name": "script.py", "title": "script.py", "made": MADE, **options}
    return Document(build_page(results, **given))


@pytest.fixture
def ran(tmp_path):
    """Runs a text to its end, on this thread; gives what it left."""

    def run(source, *arguments):
        path = tmp_path / "script.py"
        path.write_text(source, encoding="utf-8")
        return run_to_end(Script(path, arguments))

    return run


@pytest.mark.threat(22)
@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_gets_out_of_its_place(text):
    frame = json.dumps({"type": "sync", "frame": 1, "rev": 1, "close": [[text, 1]]}, ensure_ascii=False)
    event = json.dumps({"kind": "stream", "text": text}, ensure_ascii=False).encode()

    def page_with(text, event, frame, name):
        return page_of(
            Results([event], [frame], {name: text}, [text] if text else [], False), script_name=name, title=name
        )

    plain = page_with("x", b'{"kind": "stream", "text": "x"}', "{}", "x")
    page = page_with(text, event, frame, text)
    assert page.tags == plain.tags
    assert page.data["rdit-events"] == [{"kind": "stream", "text": text}]
    assert page.data["rdit-modules"] == [[text, text]]
    assert json.loads(page.frames[0])["close"] == [[text, 1]]
    assert page.title.replace("\r\n", "\n") == text.replace("\r\n", "\n")
    # To a browser `<!--<script>` in a script begins what this parser does not know of.
    assert not any(letter in data for letter in "<\u2028\u2029" for data in page.raw)


@pytest.mark.threat(24)
def test_only_our_own_script_runs_by_itself_and_the_policy_names_it():
    page = page_of(Results([], [], {}, [], False))
    assert re.fullmatch(r"default-src 'none'; script-src 'sha256-[\w+/]+=' blob: 'unsafe-eval'; .*", page.policy)
    assert "http" not in page.policy
    assert "'unsafe-inline'" not in page.policy.split(";")[1]
    for name in ("static_boot.js", "page.css"):
        # They are written into the page as they are.
        text = (CLIENT / name).read_text(encoding="utf-8")
        assert not re.search(r"</|<!--|<script|\r", text)


def test_the_page_says_that_python_is_not_there_when_it_was_made_and_of_what():
    page = page_of(Results([], [], {}, [], False), script_name="plot & co.py", title="Sales")
    marker = " ".join(page.text.split())
    assert "Python is not there. This is plot & co.py as it ran on 2026-05-04 at 01:30 UTC;" in marker
    assert "network" not in marker.partition("widgets do only")[2].partition("Results")[0]
    assert page.title == "Sales"


def test_a_page_knows_the_class_of_each_widget_that_it_shows(ran):
    events = [json.loads(event) for event in ran(COUNTER + "counter\n").events]
    assert [event["class_name"] for event in events if event["kind"] == "widget"] == ["Counter"]


def test_each_module_of_the_client_comes_after_those_that_it_imports():
    modules = client_modules(CLIENT)
    assert list(modules)[-1] == "static_page.js"
    seen = set()
    for name, text in modules.items():
        imports = re.findall(r"^(?:import|export)\b[^;]* from (.*)$", text, re.MULTILINE)
        # The form that static_boot.js replaces.
        assert all(re.fullmatch(r'"\./\w+\.js";', one) for one in imports), name
        assert {one[3:-2] for one in imports} <= seen, name
        seen.add(name)
    assert {"host.js", "outputs.js", "results.js", "static.js", "frames.js"} <= seen
    # Nor what only a page with Python behind it has a use for.
    assert not {"page.js", "static_boot.js", "connection.js", "session.js", "exchange.js"} & seen


def test_modules_that_import_each_other_are_refused(tmp_path):
    (tmp_path / "static_page.js").write_text('import { b } from "./b.js";\n')
    (tmp_path / "b.js").write_text('import {\n  a,\n} from "./static_page.js";\n')
    with pytest.raises(ValueError, match=r"static_page\.js -> b\.js -> static_page\.js"):
        client_modules(tmp_path)


def test_values_arrive_as_they_were_when_the_script_was_done(ran):
    results = ran(
        """
import math, anywidget, traitlets

class Values(anywidget.AnyWidget):
    _esm = "export default { render() {} } // </script>"
    data = traitlets.Bytes(bytes(range(256))).tag(sync=True)
    large = traitlets.Bytes(bytes(1_500_000)).tag(sync=True)
    numbers = traitlets.List([math.nan, math.inf, -math.inf, -0.0]).tag(sync=True)
    text = traitlets.Unicode("</script>\\u2028").tag(sync=True)

values = Values()
values
never_shown = [Values(text=str(n)) for n in range(40)]
values.text = "last"
"""
    )
    assert results.has_failed is False
    page = page_of(results)
    first, *others = page.widgets().values()
    assert first["data"] == bytes(range(256))
    assert first["large"] == bytes(1_500_000)
    nan, infinity, minus_infinity, minus_zero = first["numbers"]
    assert math.isnan(nan)
    assert (infinity, minus_infinity) == (math.inf, -math.inf)
    assert math.copysign(1, minus_zero) == -1
    assert first["text"] == "last"
    assert [other["text"] for other in others] == [str(n) for n in range(40)]
    assert [text for _, text in page.data["rdit-modules"]] == ["export default { render() {} } // </script>"]
    widget = next(event for event in page.data["rdit-events"] if event["kind"] == "widget")
    assert widget["widget_id"] in page.widgets()
    assert "model" not in widget


def test_long_data_comes_in_pieces_that_make_the_whole():
    text = "<\u2028long" * 50_000
    frame = json.dumps({"type": "sync", "frame": 1, "rev": 1, "text": text})
    event = json.dumps({"kind": "stream", "text": text}).encode()
    built = build_page(
        Results([event], [frame, frame.encode()], {"a": text}, [], False), script_name="s.py", title="s.py", made=MADE
    )
    pieces = re.findall(rb'<script type="application/json" (?!id="rdit-client")[^>]*>([^<]*)</script>', built)
    assert len(pieces) > 20
    assert max(map(len, pieces)) < 65_536
    page = Document(built)
    assert [json.loads(frame)["text"] for frame in page.frames] == [text, text]
    assert page.data["rdit-modules"] == [["a", text]]
    assert page.data["rdit-events"][0]["text"] == text


def test_the_events_are_those_of_the_run(ran):
    results = ran(
        "print('out', __import__('sys').argv[1])\n1 + 1\n" + COUNTER + "counter\ncounter.close()\n1 / 0\n", "arg"
    )
    assert results.has_failed is True
    events = page_of(results).data["rdit-events"]
    shown = [event for event in events if event["kind"] != "statement"]
    assert [event["kind"] for event in shown] == ["stream", "display", "display", "error", "done"]
    assert shown[0]["text"] == "out arg\n"
    assert shown[1]["data"]["text/plain"] == "2"
    assert "closed" in shown[2]["data"]["text/plain"]
    assert shown[3]["ename"] == "ZeroDivisionError"


@pytest.mark.parametrize(
    ("esm", "css", "hosts"),
    [
        ("import x from 'https://esm.sh/d3'; export default {}", "", ["esm.sh"]),
        ('const x = await import(\\n"https://cdn.test:8443/x.js"); export default {}', "", ["cdn.test:8443"]),
        ("https://widgets.test/w.js", "", ["widgets.test"]),
        ("export default {}", "https://fonts.test/a.css", ["fonts.test"]),
        ("export default {}", "@import url('https://fonts.test/a.css');", ["fonts.test"]),
        ("export default {}", "@namespace svg url(http://www.w3.org/2000/svg);", []),
        ("export default { at: 'https://esm.sh/d3' }", "", []),
    ],
)
def test_code_and_styles_from_the_network_are_allowed_and_said(ran, esm, css, hosts):
    source = f"""
import anywidget
class Far(anywidget.AnyWidget):
    _esm = {esm!r}.replace("\\\\n", "\\n")
    _css = {css!r}
Far()
"""
    results = ran(source)
    assert results.hosts == hosts
    page = page_of(results)
    assert ("https:" in page.policy) == bool(hosts)
    assert all(f"from {host}: it needs the network" in page.text for host in hosts)
    assert "https:" in page_of(results, allow_network=True).policy


def test_a_page_replaces_an_older_one_as_a_whole_and_keeps_its_mode(tmp_path):
    target = tmp_path / "page.html"
    target.write_text("old")
    target.chmod(0o640)
    link = tmp_path / "link.html"
    link.symlink_to(target)
    write_page(link, b"new")
    assert target.read_bytes() == b"new"
    assert link.is_symlink()
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert {path.name for path in tmp_path.iterdir()} == {"page.html", "link.html"}


def test_a_page_that_cannot_be_written_leaves_the_older_one(tmp_path, monkeypatch):
    target = tmp_path / "page.html"
    target.write_text("old")

    def no_room(source, destination):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export.shutil, "copymode", no_room)
    with pytest.raises(OSError, match="No space left"):
        write_page(target, b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
    assert target.read_text() == "old"


def test_a_target_is_judged_before_the_script_runs(tmp_path, monkeypatch):
    check_target(tmp_path / "page.html")
    with pytest.raises(IsADirectoryError, match="is a directory"):
        check_target(tmp_path)
    with pytest.raises(NotADirectoryError, match="there is no directory"):
        check_target(tmp_path / "missing" / "page.html")
    # Root may write everywhere, and tests run as root in containers.
    monkeypatch.setattr(export.os, "access", lambda path, mode: False)
    with pytest.raises(PermissionError, match="permission denied"):
        check_target(tmp_path / "page.html")


def test_sizes_are_said_as_people_read_them():
    assert [export.human_size(size) for size in (10, 1_500, 999_499, 1_250_000)] == ["0 kB", "2 kB", "999 kB", "1.2 MB"]


# The command, in a process of its own.


@pytest.fixture
def exported(tmp_path):
    """Runs `rdit export` in a directory of its own; gives its exit status, stdout and stderr."""

    def run(source, *arguments, output="page.html"):
        (tmp_path / "script.py").write_text(source, encoding="utf-8")
        command = [*RUN, "script.py", "-o", output, *arguments]
        done = subprocess.run(command, capture_output=True, cwd=tmp_path, env=environment(), timeout=PATIENCE_S)
        return done.returncode, done.stdout, done.stderr.decode()

    return run


def environment():
    return {**os.environ, "PYTHONUTF8": "1", "PYTHONPATH": os.pathsep.join(sys.path)}


def test_a_page_is_written_and_its_size_said(exported, tmp_path):
    status, stdout, stderr = exported(COUNTER + "counter\nprint('printed')\n", "--title", "A <title>", "--", "x")
    assert (status, stdout) == (0, b"printed\n")
    assert re.fullmatch(r"rdit: running script\.py\nrdit: wrote page\.html \(\d+ kB\)\n", stderr)
    page = (tmp_path / "page.html").read_bytes()
    assert Document(page).title == "A <title>"
    assert str(tmp_path).encode() not in page


def test_a_script_that_fails_is_shown_and_the_status_says_so(exported, tmp_path):
    status, _, stderr = exported("print('before')\nimport sys\nsys.exit('no data')\n")
    assert status == 1
    assert stderr.endswith("rdit: script.py failed; the page shows the error\n")
    events = Document((tmp_path / "page.html").read_bytes()).data["rdit-events"]
    assert [event["kind"] for event in events if event["kind"] != "statement"] == ["stream", "error", "done"]


def test_standard_output_is_the_pages_alone(exported):
    source = "import subprocess\nprint('printed')\nsubprocess.run(['echo', 'from a process'])\n"
    status, stdout, stderr = exported(source, output="-")
    assert status == 0
    assert stdout.startswith(b"<!doctype html>")
    assert stdout.endswith(b"</html>\n")
    assert stdout.count(b"<!doctype html>") == 1
    assert "printed\n" in stderr
    assert "from a process\n" in stderr
    assert re.search(r"rdit: wrote the page \(\d+ kB\)\n", stderr)


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("missing/page.html", "cannot write missing/page.html: there is no directory missing"),
        (".", "cannot write .: is a directory"),
        ("script.py/page.html", "cannot write script.py/page.html: there is no directory script.py"),
    ],
)
def test_a_script_does_not_run_when_its_page_has_no_place(exported, output, reason):
    assert exported("print('ran')\n", output=output) == (2, b"", f"rdit export: error: {reason}\n")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is full")  # noqa: PTH110
def test_a_full_disk_is_said(exported):
    status, _, stderr = exported("1\n", output="/dev/full")
    assert status == 2
    assert stderr.endswith("rdit export: error: cannot write /dev/full: No space left on device\n")


@pytest.mark.outer
def test_a_reader_that_goes_away_is_said(tmp_path):
    (tmp_path / "script.py").write_text("1\n")
    process = subprocess.Popen(
        [*RUN, "script.py", "-o", "-"], cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.close()
    stderr = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait(PATIENCE_S) == 2
    assert stderr == "rdit: running script.py\nrdit export: error: cannot write -: Broken pipe\n"


def test_a_missing_script_and_missing_arguments_are_said(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert commands.export(["missing.py", "-o", "page.html"]) == 2
    assert capsys.readouterr().err == "rdit export: error: no such file: missing.py\n"
    (tmp_path / "script.py").write_text("")
    assert commands.export(["script.py"]) == 2
    assert "the following arguments are required: -o/--output" in capsys.readouterr().err
    assert commands.export(["--help"]) == 0
    text = capsys.readouterr().out
    assert "examples:" in text
    assert all(option in text for option in ("--title", "--allow-network", "--output", "Exit status"))


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.outer
def test_ctrl_c_ends_the_run_and_writes_nothing(tmp_path):
    (tmp_path / "script.py").write_text("import time\nprint('waiting', flush=True)\ntime.sleep(600)\n")
    (tmp_path / "page.html").write_text("old")
    process = subprocess.Popen(
        [*RUN, "script.py", "-o", "page.html"],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "waiting\n"
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130
    assert stderr.endswith("rdit: interrupted; no page was written\n")
    assert (tmp_path / "page.html").read_text() == "old"


def test_a_thread_that_is_left_behind_does_not_keep_the_command(exported):
    source = "import threading\nthreading.Thread(target=threading.Event().wait).start()\n1 / 0\n"
    status, _, stderr = exported(source)
    assert status == 1
    assert stderr.endswith("rdit: the script does not stop; leaving it\n")


def test_a_long_run_is_heard_of(tmp_path, monkeypatch):
    monkeypatch.setattr(export_command, "_PROGRESS_S", 0.01)
    said = queue.Queue()
    done = threading.Event()

    class Log:
        asked = []

        def read(self, after):
            self.asked.append(after)
            return ([] if after else [Statement()]), False

    class Statement:
        id, kind, fields = 7, "statement", {"lineno": 12}

    class Kernel:
        log = Log()

    watch = threading.Thread(target=export_command._tell_progress, args=(Kernel(), "long.py", done, said.put))
    watch.start()
    lines = [said.get(timeout=PATIENCE_S) for _ in range(2)]
    done.set()
    watch.join()
    assert lines == ["long.py is at line 12 after 0 s"] * 2
    assert Log.asked[:2] == [0, 7]

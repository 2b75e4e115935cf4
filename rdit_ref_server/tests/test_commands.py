import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from rdit_core import Limits
from rdit_ref_server import addresses, commands, ending, serve_command, serve_options
from rdit_ref_server.app import create_app
from rdit_ref_server.security import AccessRules

from .conftest import COUNTER, PATIENCE_S, TOKEN
from .served import RUN, Served

KEY = "k" * 20
PER_TAB = pytest.mark.parametrize("arguments", [(), ("--kernel-per-tab",)], ids=["one kernel", "a kernel per tab"])


def read_on(page):
    while True:
        page.recv(timeout=PATIENCE_S)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as unused:
        return unused.getsockname()[1]


def fails(capsys, *arguments):
    """Run the command so that it cannot start; gives its one line of explanation."""
    assert commands.serve([str(argument) for argument in arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err.strip().splitlines()[-1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_asked_to_end(serve, number):
    served = serve("print('from the script')\n").ready()
    assert served.token
    assert "event: done" in served.ask("/api/execute")
    assert "<!doctype html>" in served.ask("/").lower()
    assert served.end(number) == 0
    assert served.line() == "from the script\n"
    assert served.lines.empty()
    assert served.errors == []


def test_it_ends_though_the_script_sleeps(serve):
    served = serve("import time\nprint('asleep')\ntime.sleep(600)\n").ready()
    assert served.line() == "asleep\n"
    assert served.end(signal.SIGINT) == 0
    assert served.errors == []


def test_it_ends_though_pages_are_connected(serve):
    served = serve("import time\ntime.sleep(600)\n").ready()
    request = urllib.request.Request(
        served.origin + "/api/execute", headers={"Authorization": f"Bearer {served.token}"}
    )
    with (
        served.socket(Authorization=f"Bearer {served.token}"),
        urllib.request.urlopen(request, timeout=PATIENCE_S) as stream,
    ):
        assert stream.readline().startswith(b"id: ")
        assert served.end() == 0
    assert served.errors == []


SWALLOWS = """
import time
word = "asleep"
while True:
    try:
        print(word)
        time.sleep(600)
    except BaseException:
        word = "no"
"""


@PER_TAB
@pytest.mark.parametrize("protocol", ["base mode", "rdit/1"])
def test_pages_are_told_that_the_server_goes_though_the_script_does_not_stop(serve, arguments, protocol):
    served = serve(SWALLOWS, *arguments).ready()
    query = f"?kernel={KEY}"
    with served.session(query) if protocol == "rdit/1" else served.simple_session(query) as page:
        assert served.line() == "asleep\n"
        served.process.send_signal(signal.SIGTERM)
        with pytest.raises(ConnectionClosed) as closed:
            read_on(page)
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4000, "server_shutdown")
        # By then the script still has its time to end.
        assert served.process.poll() is None
    assert served.wait() == 0
    assert served.errors == ["rdit: WARNING: the script does not stop; leaving it\n"]


def test_a_page_that_does_not_read_does_not_keep_the_server(serve):
    flood = COUNTER + "import itertools\nfor n in itertools.count():\n    print('x' * 10_000, n)\n"
    served = serve(flood).ready()
    with served.session() as page:
        assert json.loads(page.recv(timeout=PATIENCE_S))["type"] == "welcome"
        assert served.end() == 0


def test_it_ends_though_nobody_reads_what_it_writes(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import sys\nprint('ready')\nwhile True:\n    sys.stderr.write('x' * 65_536)\n", encoding="utf-8")
    command = [*RUN, str(script), "--port", "0", "--no-browser", "--log-level", "debug"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        while process.stdout.readline() != b"ready\n":
            pass
        process.terminate()
        assert process.wait(PATIENCE_S) == 0


@PER_TAB
def test_a_second_signal_ends_it_at_once(serve, arguments):
    served = serve(SWALLOWS, *arguments).ready()
    with served.session(f"?kernel={KEY}") as page:
        assert served.line() == "asleep\n"
        served.process.send_signal(signal.SIGINT)
        with pytest.raises(ConnectionClosed):
            read_on(page)
    for _ in range(PATIENCE_S * 20):
        # Those that follow the first at once count as one with it: a shell and a wrapper may each pass on one Ctrl-C.
        if served.process.poll() is not None:
            break
        served.process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            served.process.wait(0.05)
    assert served.wait() == ending.INTERRUPTED
    assert "leaving it" not in "".join(served.errors)


def test_one_signal_that_is_heard_late_is_not_a_second_one(serve):
    """A wait in C that no signal ends keeps the handler from running, and only that."""
    deaf = "import hashlib\nprint('deaf')\nhashlib.pbkdf2_hmac('sha256', b'', b'', 3_000_000)\n"
    served = serve(deaf).ready()
    assert served.line() == "deaf\n"
    assert served.end(signal.SIGINT) == 0


def test_a_server_that_is_started_again_has_its_pages_back(serve):
    port = free_port()
    served = serve(COUNTER + "counter\n", "--port", port, "--token", "a-token-to-keep").ready()
    with served.session() as page:
        assert json.loads(page.recv(timeout=PATIENCE_S))["type"] == "welcome"
        assert served.end() == 0
        served = serve(COUNTER + "counter\n", "--port", port, "--token", "a-token-to-keep").ready()
    with served.session() as page:
        assert json.loads(page.recv(timeout=PATIENCE_S))["type"] == "welcome"


def test_a_monitor_asks_without_a_token(serve):
    served = serve("print('ran')\n").ready()
    with urllib.request.urlopen(served.origin + "/healthz", timeout=PATIENCE_S) as answer:
        assert (answer.status, json.load(answer)) == (200, {"status": "ok"})


def test_what_the_server_says_is_lines_of_json_without_its_token(serve):
    served = serve(COUNTER + "counter\n", "--log-format", "json", "--log-level", "debug").ready()
    with served.session() as page:
        widget_id = None
        while widget_id is None:
            message = json.loads(page.recv(timeout=PATIENCE_S))
            if message.get("open"):
                widget_id = message["open"][0]["widget_id"]
        ops = [{"op": "set", "widget_id": widget_id, "inst": message["open"][0]["inst"], "property": "value"}]
        page.send(json.dumps({"type": "batch", "seq": message["ack"] + 1, "ops": [{**ops[0], "value": "no number"}]}))
        while not message.get("rejects"):
            message = json.loads(page.recv(timeout=PATIENCE_S))
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(f"{served.origin}/api/status?token=wrong-{served.token}", timeout=PATIENCE_S)
    assert served.end() == 0
    entries = [json.loads(line) for line in served.errors]
    events = [entry["event"] for entry in entries]
    for event in "started connected widget_opened write_refused request_refused disconnected stopping stopped".split():
        assert event in events, served.errors
    (refused,) = [entry for entry in entries if entry["event"] == "write_refused"]
    assert (refused["code"], refused["widget_id"], refused["property"]) == ("invalid_value", widget_id, "value")
    (connected,) = [entry for entry in entries if entry["event"] == "connected"]
    assert connected["session"] and connected["resumed"] is False
    assert served.token not in "".join(served.errors)


NOISY = """
import logging, sys, threading, warnings
print("to stdout")
print("to stderr", file=sys.stderr)
sys.stderr.write("unfinished")
warnings.warn("a warning")
logging.warning("logged")
thread = threading.Thread(target=lambda: 1 / 0)
thread.start()
thread.join()
1 / 0
"""


@PER_TAB
def test_as_json_all_of_stderr_is_json_and_stdout_is_the_scripts(serve, arguments):
    served = serve(NOISY, "--log-format", "json", "--no-token", "--host", "0.0.0.0", *arguments).ready()
    assert "event: done" in served.ask(f"/api/execute?kernel={KEY}")
    assert served.end() == 0
    assert served.line() == "to stdout\n"
    entries = [json.loads(line) for line in served.errors]
    (warning,) = [entry for entry in entries if entry["event"] == "no_token"]
    assert warning["level"] == "warning" and "anybody who can reach" in warning["message"]
    output = [entry["message"] for entry in entries if entry["event"] == "output" and entry["stream"] == "stderr"]
    # In development mode asyncio says so of a machine that has much else to do.
    output = [text for text in output if not text.startswith("Executing <")]
    assert output[0] == "to stderr"
    said = "\n".join(output)
    for text in (
        "unfinished",
        "UserWarning: a warning",
        "WARNING:root:logged",
        "Exception in thread",
        "ZeroDivisionError",
    ):
        assert text in said
    assert "to stdout" not in said


def test_with_a_kernel_per_tab_the_log_and_the_status_name_the_kernel(serve):
    served = serve(COUNTER + "counter\n", "--kernel-per-tab", "--log-format", "json", "--log-level", "info").ready()
    keys = ["a" * 20, "b" * 20]
    for key in keys:
        with served.session(f"?kernel={key}") as page:
            assert json.loads(page.recv(timeout=PATIENCE_S))["type"] == "welcome"
            page.send(json.dumps({"type": "report", "widget_id": "3.0", "stage": "render", "message": "no"}))
            page.send('{"type":"ping","id":1}')
            while json.loads(page.recv(timeout=PATIENCE_S))["type"] != "pong":
                pass
    assert [json.loads(served.ask(f"/api/status?kernel={key}"))["kernel"] for key in keys] == [1, 2]
    assert served.end() == 0
    entries = [json.loads(line) for line in served.errors]
    for event in ("connected", "front_end_failed", "disconnected"):
        assert [entry["kernel"] for entry in entries if entry["event"] == event] == [1, 2], event


@pytest.mark.parametrize(
    ("name", "known"), [("RDIT_LOG_FORMAT", "text, json"), ("RDIT_LOG_LEVEL", "debug, info, warning, error")]
)
def test_what_the_environment_says_of_the_log_is_checked(capsys, tmp_path, monkeypatch, name, known):
    script = tmp_path / "script.py"
    script.write_text("")
    monkeypatch.setenv(name, "loud")
    assert fails(capsys, script) == f"rdit serve: error: {name} takes one of {known}, got loud"


def test_the_first_designs_counter_works_over_a_real_socket(serve):
    served = serve(COUNTER + "counter\n").ready()
    assert '"widget_id":"3.0"' in served.ask("/api/execute")
    with served.socket(Authorization=f"Bearer {served.token}") as page:
        page.send(json.dumps({"type": "widget_update", "widget_id": "3.0", "property": "value", "value": 1}))
        received = [json.loads(page.recv(timeout=PATIENCE_S)) for _ in range(2)]
    assert {"type": "ack", "widget_id": "3.0", "property": "value"} in received
    (output,) = [message["event"] for message in received if message["type"] == "output"]
    assert output["text"] == "Python saw value change: 0 → 1\n"
    assert served.line() == "Python saw value change: 0 → 1\n"


@pytest.mark.threat(17)
def test_an_over_long_frame_is_an_error_and_the_socket_stays(serve):
    served = serve(COUNTER + "counter\n").ready()
    with served.socket(Authorization=f"Bearer {served.token}") as page:
        page.send("x" * (64 * 1024 * 1024 + 1))
        assert json.loads(page.recv(timeout=PATIENCE_S))["code"] == "too_large"
        page.send("{")
        assert json.loads(page.recv(timeout=PATIENCE_S))["code"] == "bad_json"


@pytest.mark.threat(1, 6)
def test_a_real_socket_is_closed_before_it_is_open_without_credentials(serve):
    served = serve("").ready()
    for headers in (
        {"Origin": served.origin},
        {"Origin": "http://evil.com", "Authorization": f"Bearer {served.token}"},
    ):
        with pytest.raises(InvalidStatus) as refused:
            served.socket(**headers)
        assert refused.value.response.status_code == 403
        assert json.loads(refused.value.response.body)["code"] in ("unauthorized", "forbidden_origin")
    served.end()
    assert served.errors == [], "a refusal is no trouble of the server's"


@pytest.mark.threat(8)
def test_the_token_is_in_the_ready_line_and_in_no_log(serve):
    served = serve("").ready()
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(f"{served.origin}/api/status?token={served.token}", timeout=PATIENCE_S)
    with pytest.raises(InvalidStatus):
        served.socket(Authorization=f"Bearer {served.token}x")
    served.end()
    assert served.lines.empty()
    assert served.token not in "".join(served.errors)


def test_an_interrupt_ends_a_sleep_and_the_server_goes_on(serve):
    served = serve("import time\nprint('asleep')\ntime.sleep(600)\n").ready()
    assert served.line() == "asleep\n"
    served.ask("/api/interrupt", "POST")
    assert '"ename":"KeyboardInterrupt"' in served.ask("/api/execute")
    assert json.loads(served.ask("/api/status"))["state"] == "idle"


def test_a_reset_in_a_sleep_runs_the_script_afresh(serve, tmp_path):
    served = serve("import time\nprint('asleep')\ntime.sleep(600)\n").ready()
    assert served.line() == "asleep\n"
    (tmp_path / "script.py").write_text("print('awake')\n")
    served.ask("/api/reset", "POST")
    assert "awake" in served.ask("/api/execute")


def test_arguments_after_two_dashes_are_the_scripts(serve):
    served = serve("import sys\nprint(sys.argv[1:])\n", "--", "a", "--port", "--", "b").ready()
    assert served.line() == "['a', '--port', '--', 'b']\n"


def test_without_a_token_the_address_has_none(serve):
    served = serve("", "--no-token").ready()
    assert served.token is None
    assert json.loads(served.ask("/api/status"))["script"] == "script.py"


def test_a_token_of_ones_own_is_used(serve):
    assert serve("", "--token", "my-own-token").ready().token == "my-own-token"


def test_behind_a_forwarder_the_ready_line_has_its_address_and_requests_by_it_are_let_in(serve):
    port = free_port()
    served = serve("", "--port", port, "--public-url", "http://Forwarder.test:9000").ready()
    assert served.origin == "http://Forwarder.test:9000"
    request = urllib.request.Request(f"http://127.0.0.1:{port}/api/status")
    request.add_header("Authorization", f"Bearer {served.token}")
    request.add_header("Host", "forwarder.test:9000")
    request.add_header("Origin", "http://forwarder.test:9000")
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
        assert json.loads(answer.read())["script"] == "script.py"
    request.add_header("Host", "elsewhere.test:9000")
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(request, timeout=PATIENCE_S)


@pytest.mark.parametrize("left", ["/widgets", ""], ids=["left", "taken off"])
def test_behind_a_forwarder_with_a_prefix_the_ready_line_has_it_and_requests_with_and_without_are_let_in(serve, left):
    port = free_port()
    address = "http://forwarder.test:9000/widgets/"
    served = serve("", "--port", port, "--token", TOKEN, "--public-url", address)
    assert served.line() == f"rdit: serving at http://forwarder.test:9000/widgets/?token={TOKEN}\n"
    request = urllib.request.Request(f"http://127.0.0.1:{port}{left}/api/status")
    request.add_header("Authorization", f"Bearer {TOKEN}")
    request.add_header("Host", "forwarder.test:9000")
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
        assert json.loads(answer.read())["script"] == "script.py"


@pytest.mark.skipif(not hasattr(socket, "TCP_NODELAY"), reason="no such option on this platform")
def test_no_small_frame_waits_for_another_one(running):
    """Nagle's algorithm and delayed acknowledgements together would cost an edit 40 ms."""
    running.run(COUNTER + "counter\n")
    listener = addresses.listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    app = create_app(running.kernel, running.script, AccessRules.for_address("127.0.0.1", port, token=None))
    server = serve_command.web_server(app, Limits())
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        with connect(f"ws://127.0.0.1:{port}/ws/widgets", origin=f"http://127.0.0.1:{port}") as page:
            page.send(json.dumps({"type": "widget_update", "widget_id": "3.0", "property": "value", "value": 1}))
            assert json.loads(page.recv(timeout=PATIENCE_S))["type"] == "ack"
            (transport,) = [one.transport for one in server.server_state.connections]
            accepted = transport.get_extra_info("socket")
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def test_a_thread_of_the_script_does_not_keep_the_process(serve):
    served = serve(
        "import threading\nthreading.Thread(target=threading.Event().wait).start()\nprint('started')\n"
    ).ready()
    assert served.line() == "started\n"
    assert served.end() == 0


def test_a_port_in_use_is_said_in_one_line(capsys, tmp_path):
    script = tmp_path / "script.py"
    script.write_text("")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert fails(capsys, script, "--port", port) == (
            f"rdit serve: error: cannot listen at 127.0.0.1 port {port}: address already in use; "
            "choose another with --port, or --port 0 for any free one"
        )


def test_a_missing_file_is_said_in_one_line(capsys, tmp_path):
    assert fails(capsys, tmp_path / "none.py") == f"rdit serve: error: no such file: {tmp_path / 'none.py'}"
    assert fails(capsys, tmp_path) == f"rdit serve: error: {tmp_path} is a directory"


def test_a_module_that_cannot_run_is_said_in_one_line(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    (tmp_path / "broken_package").mkdir()
    (tmp_path / "broken_package" / "__init__.py").write_text("1 / 0")
    assert fails(capsys, "-m", "no_such") == "rdit serve: error: cannot run module no_such: no module named no_such"
    assert "is not a file of Python source" in fails(capsys, "-m", "sys")
    assert "its package raised ZeroDivisionError" in fails(capsys, "-m", "broken_package.app")
    assert "required" in fails(capsys, "--port", "0")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--port", "65536"], "--port must be 0 to 65535"),
        (["--port", "x"], "invalid int value"),
        (["--allow-origin", "*"], "--allow-origin takes an origin"),
        (["--allow-frame", "*"], "--allow-frame takes an origin"),
        (["--public-url", "example.org"], "--public-url takes an address"),
        (["--public-url", "https://example.org/path?x"], "--public-url takes an address"),
        (["--public-url", "https://example.org/../path"], "--public-url takes an address"),
        (["--public-url", "https://example.org/api"], "the path not below /api, /client, /esm, /healthz, /ws"),
        (["--public-url", "http://[/path"], "--public-url takes an address"),
        (["--public-url", "ws://example.org"], "--public-url takes an address"),
        (["--host", ""], "--host must not be empty"),
        (["--host", "no.such.host.invalid"], "cannot listen at no.such.host.invalid"),
        (["--token", ""], "--token must be"),
        (["--token", "with space"], "--token must be"),
        (["--token", "long-enough", "--no-token"], "not allowed with"),
        (["--tok", "abbreviated"], "unrecognized arguments"),
        (["surplus"], "unrecognized arguments"),
        (["-m", "module"], "not allowed with"),
        (["--read-only", "--allow-code"], "exclude each other"),
        (["--kernel-per-tab", "--reload"], "exclude each other"),
        (["--kernel-per-tab", "--kernel-ttl", "-1"], "--kernel-ttl must be"),
        (["--kernel-per-tab", "--kernel-ttl", "nan"], "--kernel-ttl must be"),
    ],
)
def test_arguments_that_make_no_sense_are_explained(capsys, tmp_path, arguments, complaint):
    script = tmp_path / "script.py"
    script.write_text("")
    assert complaint in fails(capsys, script, *arguments)


def test_help_has_examples(capsys):
    assert commands.serve(["--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("usage: rdit serve SCRIPT.py")
    assert "examples:" in text
    options = (
        "--host",
        "--port",
        "--no-browser",
        "--token",
        "--no-token",
        "--allow-origin",
        "--allow-frame",
        "--public-url",
        "--allow-eval",
        "-- ARGS",
    )
    for option in options:
        assert option in text


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        *((host, True) for host in ("127.0.0.1", "127.1.2.3", "localhost", "::1", "[::1]")),
        *((host, False) for host in ("0.0.0.0", "::", "192.168.1.2", "localhost.evil.com")),
    ],
)
def test_loopback_is_told_from_the_rest(host, loopback):
    assert addresses.is_loopback(host) is loopback


@pytest.mark.threat(34)
def test_leaving_the_door_open_to_the_network_takes_two_words_and_is_warned_of(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("")
    options = serve_options.parse([str(script), "--host", "0.0.0.0"])
    assert options.token and not options.warning, "a host alone opens nothing"
    options = serve_options.parse([str(script), "--no-token"])
    assert options.host == "127.0.0.1" and not options.warning, "and neither does the other word"
    options = serve_options.parse([str(script), "--host", "0.0.0.0", "--no-token"])
    assert "anybody who can reach 0.0.0.0" in options.warning
    options = serve_options.parse([str(script), "--no-token", "--public-url", "http://forwarder.test:9000"])
    assert "anybody who can reach http://forwarder.test:9000" in options.warning
    options = serve_options.parse([str(script), "--public-url", "http://forwarder.test:9000"])
    assert not options.warning


def test_a_server_that_listens_everywhere_knows_its_own_names():
    assert socket.gethostname() in addresses.own_names()
    assert [addresses.dialled(host) for host in ("0.0.0.0", "::1", "[::1]")] == ["127.0.0.1", "[::1]", "[::1]"]
    assert addresses.address_of("http://127.0.0.1:1", None) == "http://127.0.0.1:1/"
    assert addresses.address_of("https://example.org/", "t~k") == "https://example.org/?token=t~k"


@pytest.mark.parametrize(
    ("platform", "environment", "display"),
    [
        ("linux", {}, False),
        ("linux", {"DISPLAY": ":0"}, True),
        ("linux", {"WAYLAND_DISPLAY": "wayland-0"}, True),
        ("darwin", {}, True),
        ("win32", {}, True),
    ],
)
def test_a_browser_is_opened_where_one_can_be_seen(monkeypatch, platform, environment, display):
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(os, "environ", environment)
    assert serve_command._has_display() is display


RELOADED = """
import pathlib
import anywidget

class Subject(anywidget.AnyWidget):
    _esm = pathlib.Path(__file__).with_name("widget.js")

Subject()
print("script one")
"""


def test_with_reload_what_is_saved_takes_over(serve, tmp_path):
    (tmp_path / "widget.js").write_text("export default {} // one")
    served = serve(RELOADED, "--reload").ready()
    assert served.line() == "script one\n"
    (tmp_path / "widget.js").write_text("export default {} // two")
    (tmp_path / "script.py").write_text(RELOADED.replace("script one", "script two"), encoding="utf-8")
    assert served.line() == "script two\n"
    assert "// two" in served.ask("/api/execute")
    assert served.end() == 0
    assert "rdit: script.py changed: running script.py again\n" in served.errors


def test_with_reload_a_script_that_cannot_run_at_first_runs_when_it_is_mended(serve, tmp_path):
    served = serve("x = (\n", "--reload").ready()
    assert "SyntaxError" in served.ask("/api/execute")
    (tmp_path / "script.py").write_text("print('mended')\n", encoding="utf-8")
    assert served.line() == "mended\n"
    assert served.end() == 0


def test_without_reload_nothing_is_watched(serve, tmp_path):
    served = serve("import threading\nprint([one.name for one in threading.enumerate()])\n").ready()
    assert "rdit-reload" not in served.line()
    assert served.end() == 0


def test_with_reload_the_widget_librarys_own_watcher_stays_out(serve, tmp_path, monkeypatch):
    monkeypatch.setenv("ANYWIDGET_HMR", "1")
    (tmp_path / "widget.js").write_text("export default {}")
    source = RELOADED + "print(Subject._esm._background_thread)\n"
    served = serve(source, "--reload").ready()
    assert [served.line(), served.line()] == ["script one\n", "None\n"]
    assert served.end() == 0


MODULE = """
import sys
from .beside import name
print(__name__, __package__, name, sys.argv[1:], sys.path[0])
"""


@pytest.mark.parametrize("name", ["a_package.app", "a_package"])
def test_a_module_runs_as_python_dash_m_runs_it(tmp_path, monkeypatch, name):
    package = tmp_path / "a_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "beside.py").write_text("name = 'beside'")
    for file in ("app.py", "__main__.py"):
        (package / file).write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    served = Served("-m", name, "--port", 0, "--no-browser", "--", "x").ready()
    plain = subprocess.run([sys.executable, "-m", name, "x"], capture_output=True, text=True, check=True)
    assert served.line() == plain.stdout
    assert served.end() == 0
    served.process.stdout.close()
    served.process.stderr.close()


def test_pages_of_an_audience_see_and_cannot_write(serve):
    served = serve(COUNTER + "counter\nprint('ready')\n", "--read-only").ready()
    assert served.line() == "ready\n"
    with served.socket(Authorization=f"Bearer {served.token}", Origin=served.origin) as page:
        page.send(json.dumps({"type": "widget_update", "widget_id": "3.0", "property": "value", "value": 5}))
        answer = json.loads(page.recv(PATIENCE_S))
        assert (answer["type"], answer["code"]) == ("error", "read_only")
    for path in ("/api/reset", "/api/interrupt"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            served.ask(path, "POST")
        assert (refused.value.code, json.load(refused.value)["code"]) == (403, "forbidden")
    assert '"value":0' in served.ask("/api/execute")
    assert served.end() == 0


def test_with_a_kernel_per_tab_each_key_runs_the_script_and_an_endless_one_does_not_keep_the_server(serve):
    source = "import os\nlate = os.path.exists(__file__ + '.on')\nprint('on', flush=True)\nwhile not late: pass\n1\n"
    served = serve(source, "--kernel-per-tab", "--kernel-ttl", "0").ready()
    stuck, free = "s" * 20, "f" * 20
    address = served.origin.replace("http:", "ws:") + f"/ws/widgets?kernel={stuck}"
    with connect(address, additional_headers={"Authorization": f"Bearer {served.token}"}):
        assert served.line() == "on\n"
        (served.path.parent / f"{served.path.name}.on").touch()
        assert "event: done" in served.ask(f"/api/execute?kernel={free}")
        assert json.loads(served.ask(f"/api/status?kernel={stuck}"))["state"] == "running"
        assert served.end(signal.SIGINT) == 0


def test_with_a_kernel_per_tab_there_are_as_many_kernels_as_connections_may_be(serve):
    served = serve("print('on')\n", "--kernel-per-tab", "--max-connections", "1").ready()
    with served.session(f"?kernel={KEY}"):
        assert served.line() == "on\n"
        with pytest.raises(urllib.error.HTTPError) as refused:
            served.ask(f"/api/execute?kernel={'o' * 20}")
        assert (refused.value.code, json.load(refused.value)["code"]) == (503, "too_many_kernels")
    assert served.end() == 0

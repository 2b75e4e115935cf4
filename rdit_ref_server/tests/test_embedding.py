"""The examples of `docs/embedding.md` that need no browser, each run as it stands. The others are in `e2e`."""

import json
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

import rdit_core
from rdit_core import ClientConnection
from rdit_ref_server import copy_client

from .conftest import PATIENCE_S

pytestmark = pytest.mark.outer

ROOT = Path(rdit_core.__file__).parent.parent
EXAMPLES = ROOT / "examples" / "embedding"
DOCS = ROOT / "docs" / "embedding.md"
ORIGIN = "http://page.test:5173"
ENVIRONMENT = {**os.environ, "PYTHONUTF8": "1", "PYTHONPATH": os.pathsep.join(sys.path)}


def run(name):
    command = [sys.executable, str(EXAMPLES / name)]
    return subprocess.run(
        command, capture_output=True, encoding="utf-8", env=ENVIRONMENT, timeout=PATIENCE_S * 2, check=True
    )


def test_in_memory_both_ends_see_each_other_and_a_refusal_is_told():
    assert run("in_memory.py").stdout.splitlines() == [
        "the page saw 3",
        "Python saw 3",
        "Python saw 7",
        "the page saw 7",
        "the page saw 99",
        "the page saw 7",
        "refused: invalid_value - both have 7 7",
    ]


def test_over_standard_input_and_output_what_the_widget_prints_stays_out_of_the_frames():
    finished = run("over_stdio.py")
    assert finished.stdout == "the page shows 77.0\n"
    assert finished.stderr == "Python converts 25.0\n"


@pytest.fixture
def listening():
    """`over_websockets.py`, and the lines that it prints."""
    process = subprocess.Popen(
        [sys.executable, str(EXAMPLES / "over_websockets.py")],
        stdout=subprocess.PIPE,
        encoding="utf-8",
        env={**ENVIRONMENT, "PORT": "0", "ORIGINS": ORIGIN},
    )
    watch = threading.Timer(PATIENCE_S * 2, process.kill)
    watch.start()
    yield process.stdout
    watch.cancel()
    process.kill()
    process.wait()
    process.stdout.close()


def address(lines):
    return re.fullmatch(r"listening at (ws://\S+)\n", lines.readline())[1]


class Tab:
    """A page in rdit/1 over a real WebSocket."""

    def __init__(self, socket):
        self.socket = socket
        self.client = ClientConnection()
        self.client.start(time.monotonic())
        self.client.opened(time.monotonic())

    def until(self, condition):
        give_up_s = time.monotonic() + PATIENCE_S
        while True:
            for frame in self.client.frames_to_send(time.monotonic()):
                self.socket.send(frame)
            if condition():
                return
            assert time.monotonic() < give_up_s
            self.client.receive_frame(self.socket.recv(PATIENCE_S), time.monotonic())


def test_over_websockets_two_pages_share_a_widget(listening):
    url = address(listening)
    with (
        connect(url, origin=ORIGIN, subprotocols=["rdit.v1"]) as one,
        connect(url, origin=ORIGIN, subprotocols=["rdit.v1"]) as other,
    ):
        first, second = Tab(one), Tab(other)
        for tab in (first, second):
            tab.until(lambda tab=tab: tab.client.state == "live")
        model = first.client.get_model("counter")
        model.set("value", 5)
        model.save_changes()
        first.until(lambda: first.client.is_idle)
        second.until(lambda: second.client.get_model("counter").get("value") == 5)
    assert listening.readline() == "Python saw 5\n"


@pytest.mark.parametrize("offered", [None, ["rdit.base"]])
def test_over_websockets_a_page_of_thirty_lines_is_served_too(listening, offered):
    with connect(address(listening), origin=ORIGIN, subprotocols=offered) as socket:
        socket.send(json.dumps({"type": "widget_update", "widget_id": "counter", "property": "value", "value": 2}))
        assert json.loads(socket.recv(PATIENCE_S))["type"] == "ack"


@pytest.mark.parametrize("origin", ["http://evil.test", None])
def test_over_websockets_a_page_of_another_origin_is_shown_the_door(listening, origin):
    with connect(address(listening), origin=origin) as socket, pytest.raises(ConnectionClosed) as closed:
        socket.recv(PATIENCE_S)
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1008, "forbidden_origin")


def test_each_example_is_short():
    for path in EXAMPLES.glob("*.py"):
        assert sum(map(bool, path.read_text(encoding="utf-8").splitlines())) <= 60, path.name


# The page of the documentation.

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def sources():
    """The text of every file of the examples, without leading blanks, so that a part of a page may be quoted."""
    paths = (path for path in EXAMPLES.rglob("*") if path.suffix in {".py", ".html", ".js", ".json", ".conf"})
    own = (path for path in paths if not {"node_modules", "rdit-client", "dist"} & set(path.parts))
    return {path.relative_to(EXAMPLES).as_posix(): flat(path.read_text(encoding="utf-8")) for path in own}


def flat(text):
    return "\n".join(line.strip() for line in text.splitlines())


def test_the_documentation_shows_the_examples_as_they_are():
    """Each of its blocks that is no command is a part of one of the files that the tests run."""
    texts = sources()
    blocks = [(kind, flat(body)) for kind, body in BLOCK.findall(DOCS.read_text(encoding="utf-8"))]
    shown = [(kind, body) for kind, body in blocks if kind != "console"]
    assert len(shown) >= 8
    for kind, body in shown:
        assert any(body in text for text in texts.values()), f"{kind}:\n{body}"


def test_the_documentation_names_every_example():
    text = DOCS.read_text(encoding="utf-8")
    for name in sources():
        folder = name.rpartition("/")[0]
        assert f"examples/embedding/{name}" in text or (folder and f"`examples/embedding/{folder}/`" in text), name


def test_what_rdit_client_says_to_write_next_is_the_page_that_is_tested():
    page = sources()["own_page/index.html"].replace("${server}", "http://127.0.0.1:8765").replace("`", '"')
    said = copy_client._NEXT.format(count=1, folder="x", name="rdit-client")
    code = [line.strip() for line in said.splitlines() if line.startswith("    ") and "rdit serve" not in line]
    assert len(code) >= 7
    for line in code:
        assert line in page, line

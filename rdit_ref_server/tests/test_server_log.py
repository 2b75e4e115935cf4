import io
import json
import logging
import pathlib
import re
import sys

import pytest

from rdit_ref_server.counters import Counters
from rdit_ref_server.flow import LEFT_OUT, MAX_BURST
from rdit_ref_server.server_log import FIELDS, LEVELS, logging_to, stderr_as_records, task_of, tell, thread_of

TOKEN = "the-token.of~this_run"


def said(format, level="info", token=TOKEN):
    """What is written while something is logged."""

    def run(say):
        out = io.StringIO()
        with logging_to(out, token=token, format=format, level=level):
            say()
        return out.getvalue()

    return run


def test_a_json_line_has_its_keys_and_the_time_in_utc():
    line = said("json")(lambda: tell(logging.INFO, "write_refused", "%s: no", "read_only", code="read_only"))
    entry = json.loads(line)
    assert list(entry) == ["time", "level", "event", "message", "logger", "code"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", entry.pop("time"))
    assert entry == {
        "level": "info",
        "event": "write_refused",
        "message": "read_only: no",
        "logger": "rdit.server",
        "code": "read_only",
    }


HOSTILE = "1.0\r\nFAKE\x1b[31m\x7f\x85\u2028\x00é\ud800"


@pytest.mark.threat(33)
@pytest.mark.parametrize("format", ["json", "text"])
def test_no_text_of_a_peer_forges_a_line_or_drives_a_terminal(format):
    text = said(format)(lambda: tell(logging.INFO, "opened", "widget %s", HOSTILE, widget_id=HOSTILE))
    assert text.count("\n") == 1
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\ud800]", text)
    if format == "json":
        assert json.loads(text)["widget_id"] == HOSTILE


@pytest.mark.threat(8)
@pytest.mark.parametrize("format", ["json", "text"])
def test_the_token_is_in_no_line_in_none_of_its_shapes(format):
    shapes = [TOKEN, "rdit.token.dGhlLXRva2VuLm9mfnRoaXNfcnVu"]

    def say():
        for shape in shapes:
            tell(logging.INFO, "request_refused", "%s", f"/?token={shape}", path=shape)
            logging.getLogger("uvicorn.error").warning("bad %s", shape)
        try:
            raise ValueError(TOKEN)
        except ValueError:
            logging.getLogger("uvicorn.error").exception("failed")

    text = said(format)(say)
    assert "<token>" in text and "ValueError: <token>" in text
    assert not any(shape in text for shape in (TOKEN, "dGhlLXRva2VuLm9mfnRoaXNfcnVu"))


def test_what_the_web_server_says_below_a_warning_is_never_said():
    """Its debug lines hold headers, and so cookies."""
    text = said("json", "debug")(lambda: logging.getLogger("uvicorn.error").info("GET /?token=x"))
    assert text == ""


def test_as_json_the_core_is_heard_too():
    """As text it is not: the kernel shows what fails where it happened."""

    def say():
        logging.getLogger("rdit").error("batch %d failed", 7, extra={"event": "observer_failed", "widget_id": "1.0"})

    entry = json.loads(said("json")(say))
    assert (entry["event"], entry["widget_id"], entry["logger"]) == ("observer_failed", "1.0", "rdit")
    silence = logging.NullHandler()
    logging.getLogger("rdit").addHandler(silence)
    try:
        assert said("text")(say) == ""
    finally:
        logging.getLogger("rdit").removeHandler(silence)


def test_a_flood_of_errors_in_pages_is_a_few_lines_and_one_that_says_so():
    def say():
        for number in range(MAX_BURST + 50):
            logging.getLogger("rdit").error("failed %d", number, extra={"event": "front_end_failed"})

    entries = [json.loads(line) for line in said("json")(say).splitlines()]
    events = [entry["event"] for entry in entries]
    assert events[: MAX_BURST + 1] == ["front_end_failed"] * MAX_BURST + ["reports_left_out"]
    assert len(events) < MAX_BURST + 50, "one a second may come through meanwhile"
    assert entries[MAX_BURST]["message"] == LEFT_OUT


@pytest.mark.threat(8)
def test_what_is_written_to_stderr_is_a_record_whatever_is_written():
    texts = [
        "one line\n",
        "in ",
        "pieces\n",
        "two\nlines\nand",
        " a rest\n",
        TOKEN + HOSTILE,
        "x" * 20_000,
        "\n",
        "end",
    ]

    def say():
        with stderr_as_records():
            for text in texts:
                assert sys.stderr.write(text) == len(text)
            print("printed", 7, file=sys.stderr, flush=True)

    before = sys.stderr
    text = said("json", "error")(say)
    assert sys.stderr is before
    entries = [json.loads(line) for line in text.splitlines()]
    assert {(entry["event"], entry["stream"], entry["logger"]) for entry in entries} == {
        ("output", "stderr", "rdit.script")
    }
    messages = [entry["message"] for entry in entries]
    assert messages[:4] == ["one line", "in pieces", "two\nlines", "and a rest"]
    assert "".join(messages[4:]).replace("\n", "") == ("<token>" + HOSTILE + "x" * 20_000 + "endprinted 7").replace(
        "\n", ""
    )


def test_what_is_still_held_of_stderr_is_a_record_in_the_end():
    def say():
        with stderr_as_records():
            sys.stderr.write("no newline")

    assert json.loads(said("json")(say))["message"] == "no newline"


def test_a_log_that_cannot_be_written_does_not_log_that():
    class Broken(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    with logging_to(Broken(), token=None, format="json", level="info"), stderr_as_records():
        print("to nobody", file=sys.stderr)
        tell(logging.INFO, "started", "to nobody")


def test_what_is_logged_on_behalf_of_a_kernel_names_it():
    def say():
        tell(logging.INFO, "started", "started")
        with thread_of(3):
            logging.getLogger("rdit").error("failed")
        with task_of(4):
            tell(logging.INFO, "disconnected", "connection 1")
            tell(logging.INFO, "connected", "connection 1", kernel=5)

    entries = [json.loads(line) for line in said("json")(say).splitlines()]
    assert [entry.get("kernel") for entry in entries] == [None, 3, 4, 5]
    assert "rdit: INFO: kernel 4: connection 1" in said("text")(say)


@pytest.mark.parametrize("level", LEVELS)
def test_only_what_is_grave_enough_is_said(level):
    def say():
        for name in LEVELS:
            tell(logging.getLevelName(name.upper()), name, "said")

    lines = said("json", level)(say).splitlines()
    assert [json.loads(line)["event"] for line in lines] == list(LEVELS[LEVELS.index(level) :])


def test_the_loggers_are_as_they_were_afterwards():
    logger = logging.getLogger("uvicorn")
    before = (logger.handlers[:], logger.level, logger.propagate)
    said("json", "debug")(lambda: None)
    assert (logger.handlers[:], logger.level, logger.propagate) == before


def test_every_event_and_counter_is_on_the_page_about_operation():
    root = pathlib.Path(__file__).parents[2]
    page = (root / "docs" / "operation.md").read_text(encoding="utf-8")
    told = re.compile(r'\btell\(\s*logging\.\w+,\s*"(\w+)"|"event": "(\w+)"')
    sources = [*root.glob("rdit_core/*.py"), *root.glob("rdit_ref_server/*.py")]
    events = {a or b for path in sources for a, b in told.findall(path.read_text(encoding="utf-8"))}
    assert {"started", "stopping", "connected", "observer_failed"} <= events
    keys = Counters().as_dict()
    assert [word for word in (*events, *keys, *FIELDS) if f"`{word}`" not in page] == []

import io
import json
import logging
import pathlib
import re

import pytest

from rdit_ref_server.counters import Counters
from rdit_ref_server.server_log import FIELDS, LEVELS, logging_to, tell

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

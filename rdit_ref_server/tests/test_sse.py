import asyncio
import json

import pytest

from rdit_ref_server.sse import MAX_CODE_BYTES, event_stream

from .conftest import ORIGIN, TOKEN


def events_of(text):
    """Parse an event stream: id, kind and data of each event. Without `elapsed_s`, which says when it was sent."""
    events = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if line and line[0] != ":")
        if "event" in fields:
            data = json.loads(fields["data"])
            data.pop("elapsed_s", None)
            events.append((int(fields["id"]), fields["event"], data))
    return events


def test_a_run_that_is_over_is_replayed_and_the_stream_ends(site, running):
    running.run("print('a')\n1\n")
    answer = site.get("/api/execute")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-store"
    events = events_of(answer.text)
    assert [kind for _, kind, _ in events] == ["statement", "stream", "statement", "display", "done"]
    assert [number for number, _, _ in events] == [1, 2, 3, 4, 5]
    for number, kind, data in events:
        assert (data["id"], data["kind"]) == (number, kind)


def test_a_stream_goes_on_where_its_reader_was(site, running):
    running.run("1\n2\n")
    whole = events_of(site.get("/api/execute").text)
    assert events_of(site.get("/api/execute?after=2").text) == whole[2:]
    assert events_of(site.get("/api/execute", headers={"last-event-id": "2"}).text) == whole[2:]
    assert events_of(site.get("/api/execute?after=5").text) == []


def test_the_query_counts_more_than_the_header(site, running):
    running.run("1\n")
    assert events_of(site.get("/api/execute?after=2", headers={"last-event-id": "0"}).text)[0][0] == 3


def test_a_reader_of_a_server_that_was_restarted_begins_anew(site, running):
    running.run("1\n")
    events = events_of(site.get("/api/execute?after=4711").text)
    assert [kind for _, kind, _ in events] == ["reset", "statement", "display", "done"]


@pytest.mark.parametrize("query", ["after=x", "after=-1", "after=1.5", "after=" + "9" * 16, "after=²", "esm=maybe"])
def test_nonsense_in_the_query_is_refused(site, query):
    answer = site.get(f"/api/execute?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


def test_a_module_comes_as_text_or_by_its_address(site, running, counter_source):
    running.run(counter_source + "counter\n")
    (text,) = [data for _, kind, data in events_of(site.get("/api/execute").text) if kind == "widget"]
    (url,) = [data for _, kind, data in events_of(site.get("/api/execute?esm=url").text) if kind == "widget"]
    assert text["esm"].startswith("export default")
    assert "esm" not in url
    assert url["esm_url"] == text["esm_url"]
    assert site.get(url["esm_url"]).text == text["esm"]


def test_a_live_run_is_followed_to_its_end(site, running):
    running.serve()
    running.start("import threading\ngate = threading.Event()\nprint('waiting')\ngate.wait()\nprint('on')\n")
    running.wait_for(lambda: running.text() == "waiting\n")
    unsubscribe = []

    # Once the stream listens, the script may go on: so its end can only come live.
    original = running.kernel.log.subscribe

    def subscribe(listener):
        unsubscribe.append(original(listener))
        running.namespace["gate"].set()
        return unsubscribe[-1]

    running.kernel.log.subscribe = subscribe
    events = events_of(site.get("/api/execute").text)
    running.kernel.log.subscribe = original
    assert [data["text"] for _, kind, data in events if kind == "stream"] == ["waiting\n", "on\n"]
    assert events[-1][1] == "done"


def test_text_with_line_ends_stays_on_one_line(site, running):
    running.run("print('a\\r\\nb\\u2028c')\n")
    (data,) = [data for _, kind, data in events_of(site.get("/api/execute").text) if kind == "stream"]
    assert data["text"] == "a\r\nb\u2028c\n"


def test_silence_is_broken_by_comments(running):
    async def first():
        stream = event_stream(running.kernel, 0, esm_text=True, keep_alive_s=0.01)
        try:
            return [await anext_of(stream), await anext_of(stream)]
        finally:
            await stream.aclose()

    async def anext_of(stream):
        return await stream.__anext__()

    assert asyncio.run(first()) == [b": still here\n\n"] * 2
    assert running.kernel.log._listeners == []


def test_a_stream_ends_when_the_kernel_does(site, running):
    running.run("1\n")
    running.kernel.reset()
    running.wait_for(lambda: running.kernel.state == "idle")
    running.kernel.close()
    assert events_of(site.get("/api/execute").text)[0][1] == "reset"


def test_a_lone_surrogate_does_not_break_the_stream(site, running):
    running.run("print('\\udcff')\n'\\udcff'\n")
    events = events_of(site.get("/api/execute").text)
    assert [data["text"] for _, kind, data in events if kind == "stream"] == ["\\udcff\n"]


EVERYTHING = """
import sys, threading
from IPython.display import clear_output, display, update_display
for i in range(3):
    print(i); print(i, file=sys.stderr)
display(1, display_id="one")
if True:
    print("gone"); clear_output(wait=True); print("stays")
for i in range(3):
    update_display(i, display_id="one")
counter
counter.value = 3
1 / 0
"""


def shown(events):
    """What a page shows after these events: texts per statement, in the order of the first."""
    places = {}
    for _, kind, data in events:
        place = places.setdefault(data["statement"], [])
        if kind == "stream" and place and place[-1][0] == data["name"]:
            place[-1] = (data["name"], place[-1][1] + data["text"])
        elif kind == "stream":
            place.append((data["name"], data["text"]))
        elif kind == "clear":
            place.clear()
        elif kind == "update":
            place[:] = [(one[0], data["data"]) if one[0] == data["display_id"] else one for one in place]
        elif kind in ("display", "error", "widget"):
            place.append(
                (data.get("display_id", kind), data.get("data") or data.get("evalue") or data.get("widget_id"))
            )
    return places


def test_a_reader_that_breaks_off_at_any_event_has_no_gap_and_no_repeat(site, running, counter_source):
    running.run(counter_source + EVERYTHING)
    whole = events_of(site.get("/api/execute").text)
    assert {kind for _, kind, _ in whole} >= {"stream", "display", "update", "clear", "widget", "error", "done"}
    for end in range(len(whole)):
        last_id = whole[end][0]
        rest = events_of(site.get("/api/execute", headers={"last-event-id": str(last_id)}).text)
        assert whole[: end + 1] + rest == whole


def test_a_live_reader_that_breaks_off_at_any_event_shows_what_a_late_one_does(running, counter_source):
    """Reads event by event while the script runs, gone and back after each: neighbours merge differently then."""

    async def read(after):
        stream = event_stream(running.kernel, after, esm_text=False)
        try:
            return events_of((await stream.__anext__()).decode())
        except StopAsyncIteration:
            return []
        finally:
            await stream.aclose()

    running.serve()
    running.start(counter_source + EVERYTHING)
    seen = []
    while one := asyncio.run(read(seen[-1][0] if seen else 0)):
        seen += one
    ids = [number for number, _, _ in seen]
    assert ids == sorted(set(ids))
    late = events_of(b"".join(asyncio.run(collect(running.kernel))).decode())
    assert shown(seen) == shown(late)
    assert seen[-1] == late[-1]
    assert running.kernel.log._listeners == []


async def collect(kernel):
    return [part async for part in event_stream(kernel, 0, esm_text=False)]


# Code that is sent.


def test_code_goes_on_where_the_script_ended_and_streams_its_events(coding_site, running):
    running.run("x = 20\n")
    for answer in (
        coding_site.post("/api/execute", json={"code": "y = x + 1\ny * 2\n"}),
        coding_site.get("/api/execute", params={"code": "y * 2"}),
    ):
        events = events_of(answer.text)
        assert [data["data"]["text/plain"] for _, kind, data in events if kind == "display"] == ["42"]
        assert (events[-1][1], events[-1][2]["status"]) == ("done", "ok")
    statements = [data["statement"] for _, kind, data in events_of(coding_site.get("/api/execute").text)]
    assert [one for one in statements if one is not None] == [1, 2, 3, 3, 4, 4]


def test_an_error_in_code_ends_that_code_only(coding_site, running):
    running.run("x = 1\n")
    for code, name, place in (("\n1 / 0\nx = 2", "ZeroDivisionError", "line 2"), ("x +", "SyntaxError", "line 1")):
        events = events_of(coding_site.post("/api/execute", json={"code": code}).text)
        (error,) = [data for _, kind, data in events if kind == "error"]
        assert error["ename"] == name
        assert place in error["traceback"]
        assert events[-1][2]["status"] == "error"
    assert events_of(coding_site.post("/api/execute", json={"code": "x"}).text)[1][2]["data"]["text/plain"] == "1"


def test_code_runs_without_a_script(coding_site, running):
    running.serve()
    answer = coding_site.post("/api/execute", json={"code": "__name__"})
    assert events_of(answer.text)[-2][2]["data"]["text/plain"] == "'__main__'"


def test_a_reader_of_code_that_comes_back_gets_the_rest_and_nothing_runs_twice(coding_site, running):
    running.run("n = 0\n")
    first = coding_site.get("/api/execute", params={"code": "n += 1\nn\n"})
    assert first.text.startswith("id: 2\n\n")
    whole = events_of(first.text)
    for last_id in [2, *(number for number, _, _ in whole)]:
        again = coding_site.get("/api/execute", params={"code": "n += 1\nn\n"}, headers={"last-event-id": str(last_id)})
        assert events_of(again.text) == [event for event in whole if event[0] > last_id]
    assert running.namespace["n"] == 1


def test_code_with_a_key_runs_once_however_often_it_is_sent(coding_site, running):
    running.run("n = 0\n")
    answers = [coding_site.post("/api/execute", json={"code": "n += 1", "key": "a-1"}) for _ in range(3)]
    first, *others = [events_of(answer.text) for answer in answers]
    assert others == [first, first]
    assert running.namespace["n"] == 1
    assert events_of(coding_site.get("/api/execute?key=a-1").text) == first


def test_code_that_a_reset_overtakes_ends_its_stream_and_does_not_run(coding_site, running):
    running.serve()
    running.start("import threading\nprint('here')\nthreading.Event().wait(0.2)\n")
    running.wait_for(lambda: running.text() == "here\n")
    execution = running.kernel.execute("print('never')")
    running.kernel.reset()
    running.wait_for(lambda: execution.is_over)
    running.wait_for(lambda: running.kernel.state == "idle")
    assert running.text() == ""


def test_without_leave_no_code_is_run(site, running):
    running.run("1\n")
    for answer in (site.post("/api/execute", json={"code": "1"}), site.get("/api/execute?code=1")):
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert running.kernel.log.last_id == 3


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"1", 400),
        (b'{"code": 1}', 400),
        (b'{"code": "\xff"}', 400),
        (b'{"code": "1", "key": "a b"}', 400),
        (b"[" * 100_000, 400),
        (b" " * (MAX_CODE_BYTES + 1), 413),
    ],
)
def test_a_body_that_is_no_code_is_refused(coding_site, running, body, status):
    running.serve()
    assert coding_site.post("/api/execute", content=body).status_code == status


def test_no_other_page_can_have_code_run_by_the_visitors_cookie(coding_site, running):
    """A page on another port of this host is of the same site: its images and links carry the cookie."""
    running.run("n = 0\n")
    visitor = type(coding_site)(coding_site.app, base_url=ORIGIN, cookies={"rdit_token_8765": TOKEN})
    for headers in ({}, {"sec-fetch-site": "same-site"}, {"sec-fetch-site": "none"}, {"origin": "http://127.0.0.1:1"}):
        answer = visitor.get("/api/execute?code=n%2B%3D1", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden_origin")
    assert running.namespace["n"] == 0
    assert visitor.get("/api/execute?code=n%2B%3D1", headers={"sec-fetch-site": "same-origin"}).status_code == 200
    assert running.namespace["n"] == 1

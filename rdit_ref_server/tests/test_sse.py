import asyncio
import json

import pytest

from rdit_ref_server.sse import event_stream


def events_of(text):
    """Parse an event stream: id, kind and data of each event."""
    events = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if line and line[0] != ":")
        if fields:
            events.append((int(fields["id"]), fields["event"], json.loads(fields["data"])))
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

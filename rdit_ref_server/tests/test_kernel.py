import json
import logging
import signal
import sys
import threading

import pytest

from rdit_core import TRUSTED, ClientConnection
from rdit_ref_server.script import Script


def kinds(events):
    return [event["kind"] for event in events]


def of_kind(events, kind):
    return [event for event in events if event["kind"] == kind]


def connect(running, **options):
    return running.kernel.manager.connect(TRUSTED, **options)


def write(connection, widget_id, property, value):
    message = {"type": "widget_update", "widget_id": widget_id, "property": property, "value": value}
    connection.receive_frame(json.dumps(message), 0.0)


def received(connection):
    return [json.loads(frame) for frame in connection.frames_to_send()]


class Page:
    """A connection that keeps what it is sent."""

    def __init__(self, running, output=True):
        self.running = running
        self.connection = connect(running, output=output)
        self.messages = []

    def write(self, widget_id, property, value):
        write(self.connection, widget_id, property, value)

    def wait_for(self, condition):
        """Wait until a message is there that fulfils the condition; gives it."""

        def found():
            self.messages += received(self.connection)
            return any(map(condition, self.messages))

        self.running.wait_for(found)
        return next(filter(condition, self.messages))

    def outputs(self):
        self.messages += received(self.connection)
        return [message["event"] for message in self.messages if message["type"] == "output"]


# Running a script.


def test_a_statement_says_for_how_long_its_run_has_gone_on_while_it_does(running):
    kernel, told = running.kernel, []
    kernel.log.subscribe(lambda: told.append(json.loads(kernel.encode(kernel.log.read(0)[0][-1])[1])))
    events = running.run("import time\ntime.sleep(0.2)\n1\n")
    elapsed = [event["elapsed_s"] for event in told if event["kind"] == "statement"]
    assert elapsed == sorted(elapsed) and elapsed[0] < 0.2 <= elapsed[-1]
    # And is the same for all who come later.
    assert not any("elapsed_s" in event for event in events)


def test_each_statement_is_announced_and_its_results_follow(running):
    events = running.run("a = 1\nprint(a)\na + 1\n")
    assert kinds(events) == ["statement", "statement", "stream", "statement", "display", "done"]
    assert [event["statement"] for event in events] == [1, 2, 2, 3, 3, None]
    assert events[1]["source"] == "print(a)"
    assert (events[1]["lineno"], events[1]["end_lineno"]) == (2, 2)
    assert [event.get("total") for event in events] == [3, 3, None, 3, None, None]
    assert events[2] == {"id": 3, "kind": "stream", "statement": 2, "name": "stdout", "text": "1\n"}
    assert events[4]["data"] == {"text/plain": "2"}
    assert events[5]["status"] == "ok"


def test_an_error_stands_where_it_happened_and_what_was_before_stays(running):
    events = running.run("1\nprint('before')\n1 / 0\nprint('after')\n")
    assert kinds(events) == ["statement", "display", "statement", "stream", "statement", "error", "done"]
    error = events[5]
    assert (error["statement"], error["ename"], error["evalue"]) == (3, "ZeroDivisionError", "division by zero")
    assert events[6]["status"] == "error"
    assert running.namespace["__name__"] == "__main__"


def test_a_file_that_is_gone_is_an_error_event(running):
    running.serve()
    running.kernel.run(Script(running.path.with_name("nowhere.py")))
    running.wait_for(lambda: running.kernel.log.is_done)
    error, done = running.events()
    assert error["ename"] == "FileNotFoundError"
    assert done["status"] == "error"


@pytest.mark.parametrize("code", ["", "None", "0"])
def test_sys_exit_ends_a_script_quietly(running, code):
    events = running.run(f"import sys\nsys.exit({code})\nprint('after')\n")
    assert kinds(events) == ["statement", "statement", "done"]
    assert events[-1]["status"] == "ok"


@pytest.mark.parametrize("code", ["1", "'no data'"])
def test_a_bad_exit_is_an_error_event(running, code):
    events = running.run(f"raise SystemExit({code})\n")
    assert kinds(events) == ["statement", "error", "done"]
    assert events[1]["evalue"] == code.strip("'")
    assert events[2]["status"] == "error"


def test_asyncio_run_works_in_a_script(running):
    events = running.run(
        "import asyncio\n\nasync def main():\n    await asyncio.sleep(0)\n    return 5\n\nasyncio.run(main())\n"
    )
    assert of_kind(events, "display")[0]["data"]["text/plain"] == "5"


def test_await_works_at_the_top_level(running):
    source = """
import asyncio
await asyncio.sleep(0, 'shown')
x = await asyncio.sleep(0, 2)
async with asyncio.Lock():
    print(x)
"""
    events = running.run(source)
    assert of_kind(events, "display")[0]["data"]["text/plain"] == "'shown'"
    assert running.text() == "2\n"


def test_no_loop_runs_while_a_plain_statement_does(running):
    running.run("import asyncio\ntry:\n    asyncio.get_running_loop()\nexcept RuntimeError:\n    print('none')\n")
    assert running.text() == "none\n"


def test_a_task_of_an_awaiting_statement_goes_on(running):
    source = """
import asyncio

async def later(gate):
    await gate.wait()
    print("later")

gate = asyncio.Event()
task = asyncio.ensure_future(later(gate)) if False else None
async def begin():
    global task
    task = asyncio.create_task(later(gate))
await begin()
gate.set()
"""
    running.run(source)
    running.wait_for(lambda: running.text() == "later\n")


def test_pickle_dataclasses_and_getsource_find_the_script(running):
    source = """
from __future__ import annotations
import dataclasses, inspect, pickle, sys

@dataclasses.dataclass
class Point:
    x: int

def f():
    return 1

assert pickle.loads(pickle.dumps(Point(1))) == Point(1)
assert inspect.getsource(f) == "def f():\\n    return 1\\n"
assert inspect.getsource(Point).startswith("@dataclasses.dataclass\\nclass Point")
assert sys.modules["__main__"].Point is Point
"""
    assert running.run(source)[-1]["status"] == "ok"


def test_modules_beside_the_script_can_be_imported(running):
    running.path.with_name("beside_the_script.py").write_text("value = 7\n")
    running.run("import beside_the_script\nprint(beside_the_script.value)\n")
    assert running.text() == "7\n"
    sys.modules.pop("beside_the_script")


def test_matplotlib_figures_become_pictures(running):
    pytest.importorskip("matplotlib", reason="the test environment may do without it")
    source = "import matplotlib.pyplot as plt\nfig, ax = plt.subplots()\nax.plot([1, 2]);\nfig\n"
    (display,) = of_kind(running.run(source), "display")
    assert display["data"]["image/png"].startswith("iVBOR")


def test_display_is_there_without_an_import(running):
    (event,) = of_kind(running.run("for i in range(1):\n    display(i)\n"), "display")
    assert event["data"]["text/plain"] == "0"


def test_stderr_is_a_stream_of_its_own(running, capsys):
    running.run("import sys\nprint('a', file=sys.stderr)\n")
    assert running.text("stderr") == "a\n"
    assert capsys.readouterr().err == "a\n"


def test_the_process_gets_itself_back(running):
    before = (sys.stdout, sys.stderr, sys.displayhook, sys.argv, list(sys.path), sys.modules["__main__"])
    running.run("1")
    running.kernel.close()
    assert (sys.stdout, sys.stderr, sys.displayhook, sys.argv, list(sys.path), sys.modules["__main__"]) == before


def test_input_fails_at_once_and_says_what_to_do(running):
    for call in ("input('name? ')", "__import__('getpass').getpass()"):
        events = running.run(f"print('before')\n{call}\n")
        (error,) = of_kind(events, "error")
        assert (error["statement"], error["ename"]) == (2, "StdinNotImplementedError")
        assert "Take the value from a widget" in error["evalue"]
        assert "process.py" not in error["traceback"]
    running.kernel.close()
    assert input is __import__("builtins").input
    assert input.__module__ == "builtins"


def test_an_update_stands_in_the_place_of_what_was_displayed(running):
    source = """
from IPython.display import update_display
display("first", display_id="one")
display("second", display_id="one")
for i in range(1000):
    update_display(i, display_id="one")
update_display("nobody has seen this", display_id="two")
"""
    events = running.run(source)
    shown = [(event["kind"], event["statement"], event["data"]["text/plain"]) for event in events if "data" in event]
    assert shown == [
        ("display", 2, "'first'"),
        ("display", 3, "'second'"),
        ("update", 2, "999"),
        ("update", 3, "999"),
    ]
    assert {event["display_id"] for event in events if "data" in event} == {"one"}


def test_what_was_cleared_is_not_kept(running):
    source = """
from IPython.display import clear_output
print("other")
for i in range(1000):
    clear_output(wait=True)
    print(i)
    display(i)
if True:
    print("gone"); clear_output(); print("seen")
if True:
    print("seen too"); clear_output(wait=True)
"""
    events = running.run(source)
    shown = [(event["statement"], event["kind"], event.get("text") or event.get("wait")) for event in events]
    assert [one for one in shown if one[1] not in ("statement", "done")] == [
        (2, "stream", "other\n"),
        (3, "clear", True),
        (3, "stream", "999\n"),
        (3, "display", None),
        (4, "clear", False),
        (4, "stream", "seen\n"),
        (5, "stream", "seen too\n"),
    ]


def test_what_was_cleared_is_updated_no_more(running):
    source = """
from IPython.display import clear_output, update_display
if True:
    display(1, display_id="one"); clear_output(); update_display(2, display_id="one")
"""
    assert [event["kind"] for event in running.run(source)] == ["statement", "statement", "clear", "done"]


def test_stdout_and_stderr_keep_their_order(running):
    source = """
import sys
if True:
    print("a", end=""); print("b", file=sys.stderr); print("c", end=""); print("d", end="", file=sys.stderr); print("e")
"""
    events = of_kind(running.run(source), "stream")
    assert [(event["name"], event["text"]) for event in events] == [
        ("stdout", "a"),
        ("stderr", "b\n"),
        ("stdout", "c"),
        ("stderr", "d"),
        ("stdout", "e\n"),
    ]


def test_a_thread_prints_into_the_statement_that_started_it(running):
    source = """
import threading
gate = threading.Event()
def deeper():
    gate.wait()
    print("from the deeper thread")
def work():
    thread = threading.Thread(target=deeper)
    thread.start()
    gate.wait()
    thread.join()
    print("from the thread")
thread = threading.Thread(target=work); thread.start()
print("meanwhile")
gate.set()
thread.join()
"""
    events = of_kind(running.run(source), "stream")
    places = {text: event["statement"] for event in events for text in event["text"].splitlines()}
    assert places == {"meanwhile": 7, "from the thread": 6, "from the deeper thread": 6}


def test_a_thread_of_an_earlier_run_prints_as_later_output(running):
    source = """
import threading
gate = threading.Event()
def work(gate=gate, print=print):
    gate.wait()
    print("still here")
thread = threading.Thread(target=work); thread.start()
"""
    running.run(source)
    gate, thread = running.namespace["gate"], running.namespace["thread"]
    running.kernel.reset()
    running.run("1\n2\n")
    gate.set()
    thread.join()
    (event,) = of_kind(running.events(), "stream")
    assert (event["statement"], event["text"]) == (None, "still here\n")


def test_a_thread_prints_below_its_statement_when_the_script_is_done(running):
    source = """
import threading
gate = threading.Event()
def work():
    gate.wait()
    print("from the thread")
thread = threading.Thread(target=work)
thread.start()
"""
    running.run(source)
    running.namespace["gate"].set()
    running.namespace["thread"].join()
    (event,) = of_kind(running.events(), "stream")
    assert (event["statement"], event["text"]) == (5, "from the thread\n")


# Widgets.


def test_a_displayed_widget_is_described(running, counter_source):
    (event,) = of_kind(running.run(counter_source + "counter\n"), "widget")
    assert event["widget_id"] == "3.0"
    assert event["statement"] == 4
    assert event["esm"].startswith("export default")
    assert event["esm_url"].startswith("esm/")
    assert event["model"]["value"] == 0
    assert {"css", "id", "kind"} <= set(event)


def test_widget_ids_are_statement_and_ordinal(running, counter_source):
    running.run(counter_source + "pair = Counter(), Counter()\nmore = [Counter() for _ in range(2)]\n")
    assert list(running.kernel.manager.widgets) == ["3.0", "4.0", "4.1", "5.0", "5.1"]


def test_a_widget_is_described_as_it_is_when_it_is_sent(running, counter_source):
    running.run(counter_source + "counter\ncounter.value = 5;\n")
    assert of_kind(running.events(), "widget")[0]["model"]["value"] == 5


def test_the_text_of_a_module_is_left_out_on_request(running, counter_source):
    running.run(counter_source + "counter\n")
    (event,) = [one for one in running.kernel.log.read(0)[0] if one.kind == "widget"]
    body = json.loads(running.kernel.encode(event, esm_text=False)[1])
    assert "esm" not in body
    assert "esm_url" in body


def test_a_widget_that_was_closed_becomes_a_note(running, counter_source):
    events = running.run(counter_source + "counter\ncounter.close();\n")
    assert "widget" not in kinds(events)
    assert "closed" in of_kind(events, "display")[0]["data"]["text/plain"]


def test_of_widgets_that_were_closed_nothing_is_kept_but_the_last_few(running, counter_source):
    running.run(counter_source + "for _ in range(200):\n    one = Counter()\n    display(one)\n    one.close()\n")
    owners, notices = running.kernel._owners, running.kernel._notices
    kept = (owners._opened_in, owners._shown_in, owners._closed_lately, notices._told_of_messages)
    assert max(map(len, kept)) < 30


def test_what_a_handler_prints_after_it_closed_its_widget_belongs_to_the_statement_of_the_widget(
    running, counter_source
):
    running.run(
        counter_source + "def end(change):\n    counter.close()\n    print('over')\n\n"
        "counter.observe(end, 'value')\ncounter\nlast = 1\n"
    )
    write(connect(running), "3.0", "value", 1)
    running.wait_for(lambda: any("over" in event["text"] for event in of_kind(running.events(), "stream")))
    (said,) = [event for event in of_kind(running.events(), "stream") if "over" in event["text"]]
    assert said["statement"] == 6


def test_a_classic_widget_is_shown_as_a_note(running):
    (event,) = of_kind(running.run("import ipywidgets\nipywidgets.IntSlider()\n"), "display")
    assert set(event["data"]) == {"text/plain"}
    assert "classic Jupyter widget" in event["data"]["text/plain"]


def test_a_page_writes_an_observer_prints(running, counter_source, capsys):
    running.run(counter_source + "counter\n")
    page = Page(running)
    page.write("3.0", "value", 1)
    assert page.wait_for(lambda message: message["type"] == "ack")["widget_id"] == "3.0"
    output = page.wait_for(lambda message: message["type"] == "output")
    assert output["event"]["text"] == "Python saw value change: 0 → 1\n"
    assert output["event"]["statement"] == 4, "where the widget is shown"
    assert output["n"] == output["event"]["id"] == running.kernel.log.last_id
    assert "Python saw value change: 0 → 1\n" in capsys.readouterr().out
    assert running.events()[-1] == output["event"], "a reload finds it in the log"


def test_who_did_not_ask_for_output_gets_none(running, counter_source):
    running.run(counter_source + "counter\n")
    page = Page(running, output=False)
    page.write("3.0", "value", 1)
    page.wait_for(lambda message: message["type"] == "ack")
    running.wait_for(lambda: running.text() != "")
    assert page.outputs() == []


def test_a_script_that_prints_much_makes_few_events_and_loses_nothing(running):
    events = running.run("import sys\nfor n in range(20_000):\n    print(n)\nprint('end')\n")
    streams = of_kind(events, "stream")
    assert "".join(event["text"] for event in streams) == "".join(f"{n}\n" for n in range(20_000)) + "end\n"
    assert [event["statement"] for event in streams][-1] == 3
    # Ids are given per event of the log, of which a late reader gets neighbours as one.
    assert running.kernel.log.last_id - events[0]["id"] < 1_000
    assert events[-1]["kind"] == "done"


def test_the_last_lines_of_a_burst_are_shown_while_the_script_goes_on(running):
    running.serve()
    running.start(
        "import threading\ngo = threading.Event()\nif True:\n    print('a\\nb\\nc')\n    print('d')\n    go.wait()\n"
    )
    running.wait_for(lambda: running.text() == "a\nb\nc\nd\n")
    running.namespace["go"].set()


def test_outputs_come_in_the_order_of_ids(running, counter_source):
    running.run(counter_source + "import threading\ncounter\n")
    page = Page(running)

    def say():
        for _ in range(50):
            print("x", file=sys.stderr, flush=True)

    threads = [threading.Thread(target=say) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # What two of them write in one moment is one event.
    running.wait_for(lambda: sum(event["text"].count("x") for event in page.outputs()) == 200)
    numbers = [event["id"] for event in page.outputs()]
    assert numbers == sorted(set(numbers))


def test_an_observer_that_raises_is_an_error_event_with_its_traceback(running, counter_source, caplog):
    source = (
        counter_source + "def fail(change):\n    raise LookupError('gone')\n\ncounter.observe(fail, 'value')\ncounter\n"
    )
    running.run(source)
    page = Page(running)
    page.write("3.0", "value", 1)
    page.wait_for(lambda message: message["type"] == "ack")
    running.wait_for(lambda: "error" in kinds(running.events()))
    (error,) = of_kind(running.events(), "error")
    assert (error["statement"], error["ename"]) == (6, "LookupError")
    assert f'"{running.path}"' in error["traceback"]
    assert "rdit_core" not in error["traceback"]


def test_an_observer_can_start_a_task(running, counter_source):
    source = (
        counter_source
        + """
import asyncio

async def later(value):
    await asyncio.sleep(0)
    print("later", value)

def start(change):
    global task
    task = asyncio.create_task(later(change["new"]))

counter.observe(start, "value")
counter
1
"""
    )
    running.run(source)
    page = Page(running)
    page.write("3.0", "value", 1)
    output = page.wait_for(lambda message: message["type"] == "output" and "later" in message["event"]["text"])
    assert output["event"]["statement"] == 8, "the task remembers for which widget it was started"


LISTENING = """
import anywidget, asyncio
from anywidget.experimental import command

class Listening(anywidget.AnyWidget):
    _esm = "export default {}"

    @command
    async def later(self, msg, buffers):
        await asyncio.sleep(0)
        return [msg, asyncio.get_running_loop().is_running()], []

    @command
    def begin(self, msg, buffers):
        global task
        task = asyncio.create_task(say("command"))
        return "begun", []

async def say(what):
    await asyncio.sleep(0)
    print("later", what)

def heard(widget, content, buffers):
    global other
    if content == "hi":
        other = asyncio.create_task(say("message"))

listening = Listening()
listening.on_msg(heard)
listening
"""


@pytest.mark.afm(66)
def test_a_handler_and_a_command_can_start_tasks_and_await(running):
    running.run(LISTENING)
    page = Page(running)
    manager = running.kernel.manager
    client = ClientConnection()
    server = manager.connect(TRUSTED, mode="v1")
    answers = []

    def exchange():
        for frame in client.frames_to_send(0.0):
            server.receive_frame(frame, 0.0)
        for frame in server.frames_to_send(0.0):
            client.receive_frame(frame, 0.0)

    client.start(0.0)
    client.opened(0.0)
    [widget_id] = manager
    running.wait_for(lambda: exchange() or client.state == "live")
    model = client.get_model(widget_id)
    model.on("msg:custom", lambda content, buffers: answers.append(content))
    model.send("hi")
    for name in ("later", "begin"):
        model.send({"id": name, "kind": "anywidget-command", "name": name, "msg": 7})
    running.wait_for(lambda: exchange() or len(answers) == 2)
    assert {one["id"]: one["response"] for one in answers} == {"later": [7, True], "begin": "begun"}
    running.wait_for(lambda: {"later message", "later command"} <= {event["text"].strip() for event in page.outputs()})


def test_a_task_that_fails_is_an_error_event(running, counter_source):
    source = (
        counter_source
        + """
import asyncio, gc

async def fail():
    raise LookupError("gone")

def start(change):
    asyncio.create_task(fail()).add_done_callback(lambda _: asyncio.get_running_loop().call_soon(gc.collect))

counter.observe(start, "value")
"""
    )
    running.run(source)
    page = Page(running)
    page.write("3.0", "value", 1)
    running.wait_for(lambda: [one["ename"] for one in of_kind(running.events(), "error")] == ["LookupError"])


def test_updates_are_applied_between_two_statements(running, counter_source):
    source = (
        counter_source
        + """
import threading
gate, reached = threading.Event(), threading.Event()
reached.set(); gate.wait()
print("value is", counter.value)
"""
    )
    running.serve()
    running.start(source)
    running.wait_for(lambda: "reached" in running.namespace and running.namespace["reached"].is_set())
    page = Page(running)
    page.write("3.0", "value", 3)
    running.namespace["gate"].set()
    running.wait_for(lambda: running.kernel.log.is_done)
    assert "value is 3\n" in running.text()


def test_updates_are_applied_while_a_statement_awaits(running, counter_source):
    source = (
        counter_source
        + """
import asyncio

async def until_three():
    while counter.value != 3:
        await asyncio.sleep(0.001)

print("waiting")
await until_three()
"""
    )
    running.serve()
    running.start(source)
    running.wait_for(lambda: "waiting\n" in running.text())
    Page(running).write("3.0", "value", 3)
    running.wait_for(lambda: running.kernel.log.is_done)
    assert running.events()[-1]["status"] == "ok"


def test_a_value_without_a_json_form_is_told(running, counter_source):
    source = counter_source.replace("traitlets.Int(0)", "traitlets.Any(0)") + "counter.value = object()\n"
    running.run(source)
    assert "JSON" in running.text("stderr")
    assert "'value'" in running.text("stderr")


def test_messages_that_base_mode_cannot_carry_are_told_once(running, counter_source):
    running.run(counter_source)
    Page(running)
    running.run(counter_source + "counter.send('a'); counter.send('b')\n")
    assert running.text("stderr").count("custom messages") == 1


def test_a_value_that_is_set_back_faster_than_a_page_reads_is_told_once(running, counter_source):
    running.run(counter_source)
    Page(running)
    running.run(counter_source + "for one in range(2000): counter.tooltip = 'm' if one % 2 else None\n")
    assert running.text("stderr").count("set back faster than a page reads") == 1
    assert "'tooltip'" in running.text("stderr")


def test_what_the_core_logs_does_not_land_in_the_page(running):
    running.run("1")
    logging.getLogger("rdit").error("for the log only")
    assert running.text("stderr") == ""


# Reset.


def test_a_reset_clears_the_namespace_and_unregisters_the_widgets(running, counter_source):
    running.run(counter_source + "counter\n")
    namespace, manager = running.namespace, running.kernel.manager
    assert list(manager.widgets) == ["3.0"]
    running.kernel.reset()
    running.wait_for(lambda: running.kernel.state == "idle")
    assert list(manager.widgets) == []
    assert "counter" not in namespace
    assert kinds(running.events()) == ["reset"]


def test_a_fresh_run_has_the_same_widget_ids_and_higher_event_ids(running, counter_source):
    running.run(counter_source + "counter\n")
    last = running.kernel.log.last_id
    running.kernel.reset()
    running.kernel.run(running.script)
    running.wait_for(lambda: running.kernel.log.is_done)
    events = running.events()
    assert kinds(events)[0] == "reset"
    assert events[0]["id"] == last + 1
    assert of_kind(events, "widget")[0]["widget_id"] == "3.0"
    assert [event["id"] for event in events] == list(range(last + 1, last + 1 + len(events)))


def test_a_reset_after_the_end_reaches_live_pages(running):
    running.run("1")
    page = Page(running)
    running.kernel.reset()
    assert page.wait_for(lambda message: message["type"] == "output")["event"]["kind"] == "reset"


def test_an_error_in_a_task_belongs_to_the_statement_whose_handler_started_it(running, counter_source):
    running.run(
        "import asyncio\n" + counter_source + "async def later():\n    await asyncio.sleep(0)\n    1 / 0\n"
        "counter.observe(lambda change: asyncio.ensure_future(later()), 'value')\ncounter\n0\n1\n"
    )
    shown = of_kind(running.events(), "widget")[0]["statement"]
    page = Page(running)
    page.write(next(iter(running.kernel.manager)), "value", 1)
    running.wait_for(lambda: of_kind(running.events(), "error"))
    error = of_kind(running.events(), "error")[0]
    assert (error["ename"], error["statement"]) == ("ZeroDivisionError", shown)


def test_an_exit_in_an_observer_is_told_once_where_its_widget_is(running, counter_source):
    running.run(
        "import sys\n" + counter_source + "counter.observe(lambda change: sys.exit(3), 'value')\ncounter\n0\n1\n"
    )
    shown = of_kind(running.events(), "widget")[0]["statement"]
    page = Page(running)
    page.write(next(iter(running.kernel.manager)), "value", 1)
    running.wait_for(lambda: of_kind(running.events(), "error"))
    page.write(next(iter(running.kernel.manager)), "value", 2)
    running.wait_for(lambda: len(of_kind(running.events(), "error")) == 2)
    assert [(one["ename"], one["statement"]) for one in of_kind(running.events(), "error")] == [
        ("SystemExit", shown)
    ] * 2


def test_pages_hear_of_a_reset_when_the_old_widgets_are_gone(running, counter_source):
    """A page that came back earlier would be pushed the old values, and show them in the new widgets."""
    running.run(counter_source + "counter\n")
    log, manager = running.kernel.log, running.kernel.manager
    hosted = []

    def listen():
        hosted.extend(list(manager.widgets) for event in log.read(log.last_id - 1)[0] if event.kind == "reset")

    log.subscribe(listen)
    running.kernel.reset()
    assert not log.is_done, "a stream that is opened now must live to see the reset"
    running.wait_for(lambda: hosted)
    assert hosted == [[]]


def test_a_run_without_a_reset_begins_a_log_of_its_own(running):
    running.run("1")
    assert kinds(running.run("2")) == ["reset", "statement", "display", "done"]


def test_nothing_of_the_old_run_is_logged_after_a_reset(on_main_thread):
    def meanwhile(running):
        running.wait_for(lambda: "0\n" in running.text())
        running.write("print('new')\n")
        running.kernel.reset()
        running.kernel.run(running.script)
        running.wait_for(lambda: running.kernel.log.is_done)
        assert kinds(running.events()) == ["reset", "statement", "stream", "done"]
        assert running.text() == "new\n"

    on_main_thread("import itertools\nfor i in itertools.count():\n    print(i)\n", meanwhile)


def test_a_reset_ends_the_tasks_of_the_old_run(running):
    source = """
import asyncio

async def for_ever():
    try:
        await asyncio.Event().wait()
    finally:
        ended.append(True)

ended = []
async def begin():
    global task
    task = asyncio.create_task(for_ever())
await begin()
await asyncio.sleep(0)
"""
    running.run(source)
    ended = running.namespace["ended"]
    running.kernel.reset()
    running.wait_for(lambda: running.kernel.state == "idle")
    assert ended == [True]


# Interrupts and the end.


@pytest.mark.parametrize(
    "wait", ["time.sleep(600)", "while True: pass", "await asyncio.sleep(600)", "asyncio.run(asyncio.sleep(600))"]
)
def test_an_interrupt_stops_what_runs(on_main_thread, wait):
    def meanwhile(running):
        running.wait_for(lambda: kinds(running.events()).count("statement") == 2)
        running.kernel.interrupt()
        running.wait_for(lambda: running.kernel.log.is_done)
        error = running.events()[-2]
        assert (error["ename"], error["statement"]) == ("KeyboardInterrupt", 2)
        assert "rdit_ref_server" not in error["traceback"]
        assert running.events()[-1]["status"] == "error"

    on_main_thread(f"import asyncio, time\n{wait}\nprint('after')\n", meanwhile)


def test_an_interrupt_stops_a_handler_and_the_next_update_is_applied(on_main_thread, counter_source):
    source = counter_source + "def hang(change):\n    while change['new'] == 1: pass\ncounter.observe(hang, 'value')\n"

    def meanwhile(running):
        running.wait_for(lambda: running.kernel.log.is_done)
        page = Page(running)
        page.write("3.0", "value", 1)
        page.write("3.0", "value", 2)
        running.wait_for(lambda: "0 → 1" in running.text() and running.kernel.state == "running")
        running.kernel.interrupt()
        page.wait_for(lambda message: message["type"] == "ack")
        running.wait_for(lambda: "1 → 2" in running.text())
        assert of_kind(running.events(), "error")[0]["ename"] == "KeyboardInterrupt"

    on_main_thread(source, meanwhile)


def test_an_interrupt_while_idle_does_nothing(on_main_thread):
    def meanwhile(running):
        running.wait_for(lambda: running.kernel.log.is_done)
        running.wait_for(lambda: running.kernel.state == "idle")
        last = running.kernel.log.last_id
        running.kernel.interrupt()
        running.kernel.run(running.script)
        running.wait_for(lambda: running.kernel.log.last_id > last and running.kernel.log.is_done)
        assert running.events()[-1]["status"] == "ok"

    on_main_thread("1\n", meanwhile)


def test_an_interrupt_in_the_middle_of_printing_tears_nothing(on_main_thread):
    def meanwhile(running):
        running.wait_for(lambda: running.kernel.log.last_id > 100)
        running.kernel.interrupt()
        running.wait_for(lambda: running.kernel.log.is_done)
        assert running.events()[-2]["ename"] == "KeyboardInterrupt"
        lines = running.text().split()
        assert lines == [str(index) for index in range(len(lines))]

    on_main_thread("import itertools\nfor i in itertools.count():\n    print(i)\n", meanwhile)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_end_the_kernel_quietly(on_main_thread, number, capsys):
    def meanwhile(running):
        running.wait_for(lambda: kinds(running.events()).count("statement") == 2)
        signal.pthread_kill(threading.main_thread().ident, number)
        running.wait_for(lambda: running.kernel.log._is_closed)
        assert of_kind(running.events(), "error") == []

    on_main_thread("import time\ntime.sleep(600)\n", meanwhile, handle_signals=True)
    assert capsys.readouterr() == ("", "")


def test_who_asked_is_told_of_the_end(running):
    told = []
    running.kernel.on_stop(lambda: told.append(running.kernel.is_stopping))
    running.run("1")
    running.kernel.stop()
    assert told == [True]


def test_a_second_kernel_of_the_process_says_why_it_cannot(running, tmp_path):
    running.run("1")
    from rdit_ref_server.kernel import Kernel

    second = Kernel()
    with pytest.raises(RuntimeError, match="one kernel at a time"):
        second.start()
    second.close()
    assert running.run("2")[-1]["status"] == "ok"

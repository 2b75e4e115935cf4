"""A kernel per page load."""

import gc
import json
import threading
import time
import weakref

import pytest
from IPython.core.interactiveshell import InteractiveShell
from ipywidgets.widgets.widget import _instances
from starlette.websockets import WebSocketDisconnect

from rdit_core.comm import hook
from rdit_ref_server.app import create_app
from rdit_ref_server.kernel import Kernel
from rdit_ref_server.kernels import Kernels, TooManyKernels
from rdit_ref_server.script import Script
from rdit_ref_server.security import AccessRules

from .conftest import ORIGIN, PATIENCE_S, TOKEN, TestClient
from .test_sse import events_of

A, B = "a" * 24, "b" * 24


def wait_for(condition):
    give_up_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < give_up_s, "waited in vain"
        time.sleep(0.01)


def text_of(kernel):
    events = [json.loads(kernel.encode(event)[1]) for event in kernel.log.read(0)[0]]
    return "".join(event.get("text", "") for event in events)


def namespace_of(kernel):
    return kernel._last_run.namespace


@pytest.fixture
def kernels(tmp_path):
    """Makes the kernels of a script; gives them."""
    made = []

    def make(source, **options):
        path = tmp_path / "script.py"
        path.write_text(source, encoding="utf-8")
        made.append(Kernels(lambda: Kernel(shares_process=True), Script(path), **options))
        return made[-1]

    yield make
    for one in made:
        one.close()
    assert not InteractiveShell.initialized()
    assert hook._installed == []


def test_each_key_has_a_kernel_of_its_own(kernels, counter_source):
    some = kernels(counter_source + "import threading\nname = threading.get_ident()\nprint('mine', name)\ncounter\n")
    with some.visit(A) as one, some.visit(B) as other, some.visit(A) as again:
        assert again is one
        assert other is not one
        for kernel in (one, other):
            wait_for(lambda kernel=kernel: kernel.log.is_done)
            assert text_of(kernel) == f"mine {namespace_of(kernel)['name']}\n"
            assert kernel.manager.widgets == {"3.0": namespace_of(kernel)["counter"]}
        assert namespace_of(one)["name"] != namespace_of(other)["name"]
        assert len(some) == 2


def test_what_a_thread_does_belongs_to_the_kernel_that_started_it(kernels, counter_source):
    source = """
import threading
from IPython.display import display
def work():
    made.append(Counter())
    print("from a thread")
    display("shown by a thread")
made = []
thread = threading.Thread(target=work); thread.start(); thread.join()
"""
    some = kernels(counter_source + source)
    with some.visit(A) as one, some.visit(B) as other:
        for kernel in (one, other):
            wait_for(lambda kernel=kernel: kernel.log.is_done)
            assert text_of(kernel) == "from a thread\n"
            assert [event.kind for event in kernel.log.read(0)[0]].count("display") == 1
            assert namespace_of(kernel)["made"][0] in kernel.manager.widgets.values()


def test_an_endless_loop_in_one_does_not_affect_the_others_and_is_interrupted(kernels):
    some = kernels("import sys, time\nprint('on')\nif loops: exec('while True: pass')\n")
    import builtins

    builtins.loops = True
    try:
        with some.visit(A) as stuck:
            wait_for(lambda: text_of(stuck) == "on\n" and stuck.log.last_id >= 4)
            builtins.loops = False
            with some.visit(B) as free:
                wait_for(lambda: free.log.is_done)
                assert text_of(free) == "on\n"
                assert not stuck.log.is_done
                asked_s = time.monotonic()
                stuck.interrupt()
                wait_for(lambda: stuck.log.is_done)
                assert time.monotonic() - asked_s < 1
                assert stuck.has_failed
                assert not free.has_failed
    finally:
        del builtins.loops


def visit_and_note(some):
    """Be a visitor for a while. Gives weak references to what there was."""
    with some.visit(A) as kernel:
        wait_for(lambda: kernel.log.is_done)
        namespace = namespace_of(kernel)
        parts = (kernel, kernel.log, kernel.manager, kernel._last_run)
        named = (namespace[name] for name in ("counter", "Counter", "background"))
        refs = [weakref.ref(one) for one in (*parts, *named)]
        with some.visit(A):
            pass
        time.sleep(0.1)
        assert some.find(A) is kernel
        return refs


def test_a_kernel_ends_when_its_last_visitor_was_gone_for_a_while_and_nothing_of_it_is_left(kernels, counter_source):
    source = """
import asyncio, threading
async def for_ever():
    await asyncio.sleep(1000)
counter
await asyncio.sleep(0)
async def begin():
    return asyncio.create_task(for_ever())
background = await begin()
"""
    threads = set(threading.enumerate())
    some = kernels(counter_source + source, ttl_s=0.05)
    stays = some.enter(B)
    wait_for(lambda: stays.kernel.log.is_done)
    kept = set(_instances)
    refs = visit_and_note(some)
    wait_for(lambda: len(some) == 1)

    def is_gone():
        gc.collect()
        return [ref() for ref in refs if ref() is not None] == []

    wait_for(is_gone)
    assert {one.name for one in set(threading.enumerate()) - threads} == {"rdit-kernel", "rdit-kernels", "rdit-gather"}
    assert some.find(B) is stays.kernel
    # One registry for the process, by ids that are unique in a kernel: two kernels' widgets may be one entry there.
    assert _instances.keys() <= kept
    some.leave(stays)
    wait_for(lambda: len(some) == 0)
    wait_for(lambda: not InteractiveShell.initialized())


def test_who_comes_back_too_late_finds_a_fresh_kernel(kernels):
    some = kernels("print('on')\n", ttl_s=0)
    with some.visit(A) as first:
        wait_for(lambda: first.log.is_done)
    wait_for(lambda: len(some) == 0)
    with some.visit(A) as second:
        assert second is not first
        wait_for(lambda: second.log.is_done)
        assert text_of(second) == "on\n"


def test_there_is_room_for_so_many_only(kernels):
    some = kernels("1\n", max_kernels=1)
    with some.visit(A), pytest.raises(TooManyKernels), some.visit(B):
        pass
    some.close()
    with pytest.raises(TooManyKernels), some.visit(A):
        pass


def test_a_kernel_that_wants_the_process_for_itself_is_refused_beside_them(kernels):
    with kernels("1\n").visit(A):
        alone = Kernel()
        with pytest.raises(RuntimeError, match="one kernel at a time"):
            alone.start()
        alone.close()


# In a server.


@pytest.fixture
def tabs(kernels, tmp_path, client_folder, counter_source):
    """The application in memory, with a kernel per page load."""
    (client_folder / "index.html").write_text("<!doctype html><html lang=en>rdit")
    some = kernels(counter_source + "print('on')\ncounter\n", max_kernels=2, ttl_s=0.05)
    rules = AccessRules.for_address("127.0.0.1", 8765, token=TOKEN)
    app = create_app(some, Script(tmp_path / "script.py"), rules, client=client_folder)
    with TestClient(app, base_url=ORIGIN, headers={"authorization": f"Bearer {TOKEN}"}) as client:
        client.kernels = some
        yield client


def connect(client, key):
    address = f"ws://127.0.0.1:8765/ws/widgets?output=1&kernel={key}"
    return client.websocket_connect(address, headers={"origin": ORIGIN})


def test_each_load_of_the_page_has_another_key(tabs):
    pages = [tabs.get("/") for _ in range(2)]
    keys = {page.text.split('data-rdit-kernel="')[1].split('"')[0] for page in pages}
    assert len(keys) == 2
    assert all(Kernels.is_key(key) for key in keys)
    assert {page.headers["cache-control"] for page in pages} == {"no-store"}
    assert len(tabs.kernels) == 0


def test_requests_go_to_the_kernel_of_their_key(tabs):
    with tabs.websocket_connect(
        f"ws://127.0.0.1:8765/ws/widgets?output=1&kernel={A}", headers={"origin": ORIGIN}
    ) as page:
        mine = events_of(tabs.get(f"/api/execute?kernel={A}").text)
        assert mine[-1][1] == "done"
        (widget,) = [data for _, kind, data in mine if kind == "widget"]
        assert tabs.get(widget["esm_url"]).text == widget["esm"]
        page.send_json({"type": "widget_update", "widget_id": widget["widget_id"], "property": "value", "value": 5})
        while (message := page.receive_json())["type"] != "output":
            pass
        assert "5" in message["event"]["text"]
        (other,) = [data for _, kind, data in events_of(tabs.get(f"/api/execute?kernel={B}").text) if kind == "widget"]
        assert other["model"]["value"] == 0
        assert tabs.get(f"/api/status?kernel={A}").json()["last_event_id"] == message["n"]
        assert tabs.get("/api/status").json()["last_event_id"] == 0
        assert tabs.post(f"/api/interrupt?kernel={A}").status_code == 202
        assert tabs.post(f"/api/reset?kernel={A}").status_code == 202
        while (message := page.receive_json()).get("event", {}).get("kind") != "reset":
            pass
    wait_for(lambda: len(tabs.kernels) == 0)


@pytest.mark.parametrize("query", ["", "?kernel=", "?kernel=short", "?kernel=" + "x" * 65, "?kernel=" + "é" * 24])
def test_a_request_without_a_key_is_refused(tabs, query):
    for answer in (tabs.get(f"/api/execute{query}"), tabs.post(f"/api/reset{query}")):
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


def test_a_page_too_many_is_told_so(tabs):
    with tabs.kernels.visit(A), tabs.kernels.visit(B):
        answer = tabs.get("/api/execute?kernel=" + "c" * 24)
        assert (answer.status_code, answer.json()["code"]) == (503, "too_many_kernels")
        with tabs.websocket_connect(
            "ws://127.0.0.1:8765/ws/widgets?kernel=" + "c" * 24, headers={"origin": ORIGIN}
        ) as page:
            assert page.receive()["code"] == 4504


def hello_to(client, key):
    return client.websocket_connect(
        f"ws://127.0.0.1:8765/ws/widgets?kernel={key}", headers={"origin": ORIGIN}, subprotocols=["rdit.v1"]
    )


def read_on(page):
    while True:
        page.receive_json()


def refused_write(page):
    """Say hello, and try to write what no page may."""
    page.send_json({"type": "hello"})
    while (sync := page.receive_json())["type"] != "sync" or not sync["open"]:
        pass
    seq = sync["ack"] + 1
    (opened,) = sync["open"]
    op = {"op": "set", "widget_id": opened["widget_id"], "inst": opened["inst"], "property": "_esm", "value": "x"}
    page.send_json({"type": "batch", "seq": seq, "ops": [op]})
    while not page.receive_json().get("rejects"):
        pass


def test_the_counters_are_those_of_all_kernels_and_keep_what_they_counted_of_one_that_has_ended(tabs):
    def counters():
        return tabs.get("/api/status").json()["counters"]

    with tabs.kernels.visit(A) as one, tabs.kernels.visit(B) as other:
        for kernel in (one, other):
            wait_for(lambda kernel=kernel: kernel.log.is_done)
        with hello_to(tabs, A) as page, hello_to(tabs, B) as second:
            refused_write(page)
            refused_write(second)
            found = counters()
            assert found["connections"]["open"] == 2
            assert found["sessions"]["known"] == 2
            assert found["widgets"] == {"open": 2, "opened": 2}
            assert found["refused"]["writes"] == {"protected_property": 2}
            assert found["frames"]["in"] == 4
    wait_for(lambda: len(tabs.kernels) == 0)
    found = counters()
    assert found["connections"] == {"open": 0, "opened": 2, "closed": {"left": 2}}
    assert (found["sessions"]["known"], found["widgets"]) == (0, {"open": 0, "opened": 2})
    assert found["refused"]["writes"] == {"protected_property": 2}


def test_a_server_that_is_about_to_end_lets_all_pages_go_and_takes_no_other(tabs):
    with tabs.kernels.visit(A) as one, tabs.kernels.visit(B) as other:
        for kernel in (one, other):
            wait_for(lambda kernel=kernel: kernel.log.is_done)
        assert tabs.get("/healthz").json() == {"status": "ok"}
        with hello_to(tabs, A) as page, hello_to(tabs, B) as second, connect(tabs, A) as simple:
            assert tabs.kernels.count_open() == 3
            tabs.kernels.stop()
            assert (tabs.get("/healthz").status_code, tabs.get("/healthz").json()) == (503, {"status": "stopping"})
            for told in (page, second, simple):
                with pytest.raises(WebSocketDisconnect) as closed:
                    read_on(told)
                assert (closed.value.code, closed.value.reason) == (4000, "server_shutdown")
        for key in (A, "c" * 24):
            with hello_to(tabs, key) as late, pytest.raises(WebSocketDisconnect) as closed:
                late.receive_json()
            assert (closed.value.code, closed.value.reason) == (4000, "server_shutdown")

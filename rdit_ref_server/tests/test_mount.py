"""The application inside of somebody else's: FastAPI's, Starlette's, and under the prefix of a proxy."""

import contextlib
import re
import sys
import threading

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.testclient import TestClient, WebSocketDenialResponse

from rdit_ref_server import AccessRules, Kernel, Script, create_app, kernel_lifespan
from rdit_ref_server import lifespan as lifespan_module
from rdit_ref_server.prefix import UnderPrefix, is_prefix

from .conftest import COUNTER, HOST, ORIGIN, PATIENCE_S, TOKEN, Running

BEARER = {"authorization": f"Bearer {TOKEN}"}
PAGE = {"cookie": f"rdit_token_8765={TOKEN}", "origin": ORIGIN}


def in_starlette(app, lifespan):
    routes = [Route("/", lambda request: PlainTextResponse("the host's own")), Mount("/widgets", app)]
    return Starlette(routes=routes, lifespan=lifespan)


def in_fastapi(app, lifespan):
    from fastapi import FastAPI

    host = FastAPI(lifespan=lifespan)
    host.get("/", response_class=PlainTextResponse)(lambda: "the host's own")
    host.mount("/widgets", app)
    return host


def deeper(app, lifespan):
    """A mount in a mount."""
    inner = Starlette(routes=[Mount("/widgets", app)])
    routes = [Route("/", lambda request: PlainTextResponse("the host's own")), Mount("/some/where", inner)]
    return Starlette(routes=routes, lifespan=lifespan)


@pytest.fixture
def rules():
    return AccessRules.for_address("127.0.0.1", 8765, token=TOKEN)


@pytest.fixture(
    params=[(in_fastapi, ""), (in_starlette, ""), (deeper, "/some/where")], ids=lambda param: param[0].__name__
)
def mounted(request, tmp_path, client_folder, rules):
    """A host that is not served yet, its kernel, and where in it the application is."""
    make, below = request.param
    running = Running(Kernel(), tmp_path)
    running.write(COUNTER + "counter\n")
    app = create_app(running.kernel, running.script, rules, client=client_folder)

    @contextlib.asynccontextmanager
    async def lifespan(host):
        async with kernel_lifespan(running.kernel, running.script):
            yield

    yield make(app, lifespan), running, f"{below}/widgets"
    running.kernel.close()


def visit(host, **options):
    return TestClient(host, base_url=ORIGIN, follow_redirects=False, **options)


def test_it_lives_with_its_host_and_beside_the_hosts_routes(mounted):
    host, running, prefix = mounted
    with visit(host) as client:
        assert client.get("/").text == "the host's own"
        assert client.get(f"{prefix}/", headers=BEARER).text.startswith("<!doctype html>")
        assert client.get(f"{prefix}/client/page.js", headers=BEARER).text == "export {};"
        events = client.get(f"{prefix}/api/execute", headers=BEARER).text
        assert events.rstrip().endswith('"status":"ok"}')
        (address,) = re.findall(r'"esm_url":"([^"]+)"', events)
        assert client.get(f"{prefix}/{address}", headers=BEARER).text == running.namespace["counter"]._esm
    assert running.kernel.is_stopping


def test_the_token_becomes_a_cookie_of_the_mount(mounted):
    host, _, prefix = mounted
    with visit(host) as client:
        to_slash = client.get(f"{prefix}?token={TOKEN}")
        assert (to_slash.status_code, to_slash.headers["location"]) == (307, f"{ORIGIN}{prefix}/?token={TOKEN}")
        answer = client.get(f"{prefix}/?token={TOKEN}")
        assert (answer.status_code, answer.headers["location"]) == (303, "./")
        (cookie,) = client.cookies.jar
        assert (cookie.name, cookie.path, cookie.path_specified) == ("rdit_token_8765", prefix, False)
        assert client.get(f"{prefix}/").status_code == 200
        assert "cookie" not in client.get("/").request.headers
        assert "cookie" not in client.get(f"{prefix}-of-others/").request.headers


def test_its_websocket_is_below_the_mount_and_as_closed_as_ever(mounted):
    host, running, prefix = mounted
    address = f"ws://{HOST}{prefix}/ws/widgets"
    with visit(host) as client:
        with client.websocket_connect(address, headers=PAGE) as socket:
            running.wait_for(lambda: running.kernel.log.is_done)
            socket.send_json({"type": "widget_update", "widget_id": "3.0", "property": "value", "value": 4})
            assert socket.receive_json()["type"] == "ack"
        assert running.namespace["counter"].value == 4
        for headers in ({"origin": ORIGIN}, {**PAGE, "origin": "http://evil.test"}, {**PAGE, "host": "evil.test"}):
            with pytest.raises(WebSocketDenialResponse), client.websocket_connect(address, headers=headers):
                raise AssertionError("it was let in")


def test_nothing_of_the_mount_is_open_and_the_hosts_own_routes_are_the_hosts(mounted):
    host, _, prefix = mounted
    with visit(host) as client:
        for path in ("/", "/client/page.js", "/api/status", "/api/execute", "/esm/x.js", "/none"):
            assert client.get(f"{prefix}{path}").status_code == 401, path
        assert client.get("/", headers={"host": "another.test"}).status_code == 200


def test_its_health_is_open_and_says_whether_the_kernel_was_started(mounted):
    host, _, prefix = mounted
    answer = visit(host).get(f"{prefix}/healthz")
    assert (answer.status_code, answer.json()) == (503, {"status": "not_started"})
    with visit(host) as client:
        answer = client.get(f"{prefix}/healthz")
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
        assert client.get(f"{prefix}/healthz/more").status_code == 401
        assert client.get(f"{prefix}/healthz", headers={"host": "another.test"}).status_code == 403


def test_no_header_moves_it(mounted):
    """What a proxy would say of itself, anybody can say."""
    host, _, prefix = mounted
    forwarded = {"x-forwarded-prefix": "/evil", "x-forwarded-host": "evil.test", "x-script-name": "/evil"}
    with visit(host) as client:
        answer = client.get(f"{prefix}/?token={TOKEN}", headers=forwarded)
        assert answer.headers["location"] == "./"
        assert "evil" not in str(answer.headers)


def test_without_its_lifespan_the_page_says_what_is_missing(mounted):
    host, _, prefix = mounted
    client = visit(host)  # not entered: no lifespan is run
    for path in ("/", "/api/execute"):
        answer = client.get(f"{prefix}{path}", headers=BEARER)
        assert (answer.status_code, answer.json()["code"]) == (503, "not_started")
        assert "kernel_lifespan" in answer.json()["message"]


def test_a_widget_is_set_from_the_hosts_own_code_in_the_kernels_thread(mounted):
    host, running, _ = mounted
    threads = []
    with visit(host):
        running.wait_for(lambda: running.kernel.log.is_done)
        (counter,) = running.kernel.manager.widgets.values()
        counter.observe(lambda change: threads.append(threading.current_thread().name), "value")
        running.kernel.soon(lambda: setattr(counter, "value", 3))
        running.wait_for(lambda: threads)
        assert threads == ["rdit-kernel"]


def test_what_the_host_prints_is_in_the_page_and_afterwards_the_process_is_as_it_was(mounted, capsys):
    host, running, _ = mounted
    stdout, argv, main = sys.stdout, sys.argv, sys.modules["__main__"]
    with visit(host):
        running.wait_for(lambda: running.kernel.log.is_done)
        print("from the host")
        running.wait_for(lambda: "from the host" in running.text())
    assert (sys.stdout, sys.argv, sys.modules["__main__"]) == (stdout, argv, main)
    assert "from the host" in capsys.readouterr().out


@pytest.fixture
def living(tmp_path):
    """Runs a text for as long as a host lives, which is until the `with` block ends."""

    @contextlib.contextmanager
    def live(source):
        running = Running(Kernel(), tmp_path)
        running.write(source)

        @contextlib.asynccontextmanager
        async def lifespan(host):
            async with kernel_lifespan(running.kernel, running.script):
                yield

        with visit(Starlette(lifespan=lifespan)):
            running.wait_for(lambda: "begun" in running.text())
            yield running

    return live


def test_a_host_that_ends_interrupts_the_script(living):
    with living("print('begun')\nwhile True:\n    pass\n") as running:
        pass
    assert running.kernel._thread is None


def test_a_script_that_does_not_end_does_not_keep_its_host(living, monkeypatch):
    monkeypatch.setattr(lifespan_module, "_GRACE_S", 0.05)
    with living("import threading\ngate = threading.Event()\nprint('begun')\ngate.wait();\n") as running:
        thread, gate = running.kernel._thread, running.namespace["gate"]
    assert thread.is_alive()
    gate.set()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()


# Under the prefix of a proxy.


@pytest.fixture
def proxied(running, client_folder, rules):
    running.kernel.submit(lambda: None)
    app = create_app(running.kernel, Script(running.path), rules, client=client_folder)
    return visit(UnderPrefix(app, "/widgets"))


@pytest.mark.parametrize("left", ["/widgets", ""], ids=["left", "taken off"])
def test_under_a_prefix_it_answers_with_it_and_without(proxied, left):
    assert proxied.get(f"{left}/", headers=BEARER).text.startswith("<!doctype html>")
    assert proxied.get(f"{left}/client/page.js", headers=BEARER).text == "export {};"
    assert proxied.get(f"{left}/api/status").status_code == 401
    assert proxied.get(f"{left}/?token={TOKEN}").headers["location"] == "./"
    with proxied.websocket_connect(f"ws://{HOST}{left}/ws/widgets", headers=PAGE):
        pass
    proxied.cookies.clear()
    with (
        pytest.raises(WebSocketDenialResponse),
        proxied.websocket_connect(f"ws://{HOST}{left}/ws/widgets", headers={"origin": ORIGIN}),
    ):
        raise AssertionError("it was let in")


def test_who_forgets_the_slash_is_sent_on_with_the_token(proxied):
    assert proxied.get("/widgets").headers["location"] == "/widgets/"
    assert proxied.get("/widgets?token=t&x=1").headers["location"] == "/widgets/?token=t&x=1"
    assert proxied.get("/widgetsandmore", headers=BEARER).status_code == 404


@pytest.mark.parametrize("path", ["/widgets", "/a/b.c", "/~user/x_y-z"])
def test_a_prefix_is_a_plain_path(path):
    assert is_prefix(path)


@pytest.mark.parametrize(
    "path", ["", "/", "widgets", "/a/", "//a", "/a//b", "/..", "/a/../b", "/a b", "/%61", "/api/x", "/ws"]
)
def test_what_is_none_is_refused(path, proxied):
    assert not is_prefix(path)
    with pytest.raises(ValueError, match="expected a path such as /widgets"):
        UnderPrefix(proxied.app, path)

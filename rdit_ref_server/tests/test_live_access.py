"""Who gets in, asked of a running server with raw requests, and what those who stay outside learn."""

import base64
import dataclasses
import hmac
import io
import logging
import re

import pytest
import websockets.exceptions
from starlette.routing import Mount, WebSocketRoute

from rdit_core import access
from rdit_ref_server.security import HEALTH, AccessRules, Gate
from rdit_ref_server.server_log import FORMATS, logging_to

from .conftest import COUNTER, TOKEN
from .hostile import BEARER, HANDSHAKE, Tab, Wire, ask, closed_with, frame, knock, raw_request

SHOWN = COUNTER + "counter\n"


def encoded(token):
    return base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")


def cookie(live, token=TOKEN):
    return ("Cookie", f"rdit_token_{live.port}={token}")


def look_alikes(live):
    port = live.port
    return [
        "http://evil.com",
        f"http://127.0.0.1.evil.com:{port}",
        f"http://evil127.0.0.1:{port}",
        f"http://127.0.0.1:{port}.evil.com",
        f"http://127.0.0.1:{port}@evil.com",
        f"http://evil.com#127.0.0.1:{port}",
        f"http://127.0.0.1:{port + 1}",
        "http://127.0.0.1",
        f"https://127.0.0.1:{port}",
        f"ws://127.0.0.1:{port}",
        f"HTTP://127.0.0.1:{port}",
        f"http://LOCALHOST:{port}",
        f"http://127.0.0.1:{port}/",
        f"http://127.0.0.1:{port}, http://evil.com",
        f"http://localhost.:{port}",
        "null",
        "file://",
        "",
    ]


@pytest.mark.threat(1, 2)
def test_a_page_of_any_other_origin_opens_no_socket_though_the_browser_sends_its_cookie(live):
    live = live(SHOWN)
    for origin in look_alikes(live):
        for credentials in (cookie(live), BEARER):
            status, answer = knock(live, ("Origin", origin), credentials)
            assert (status, '"forbidden_origin"' in answer) == (403, True), origin
    for two in ((live.origin, live.origin), (live.origin, "http://evil.com"), ("http://evil.com", live.origin)):
        origins = [("Origin", one) for one in two]
        assert knock(live, *origins, cookie(live))[0] in (400, 403)
        assert ask(live, *origins, cookie(live), path="/api/status")[0] == 403
    assert (len(live.manager.sessions), len(live.manager.store.connections)) == (0, 0)
    assert knock(live, ("Origin", live.origin), cookie(live))[0] == 101


@pytest.mark.threat(3)
def test_no_origin_is_enough_only_beside_a_token_that_no_browser_sends_by_itself(live):
    live = live()
    assert knock(live, cookie(live))[0] == 403
    assert knock(live, cookie(live), ("Authorization", "Bearer wrong-token"))[0] == 403
    assert knock(live, BEARER)[0] == 101
    assert knock(live, ("Sec-WebSocket-Protocol", f"rdit.v1, rdit.token.{encoded(TOKEN)}"))[0] == 101


@pytest.mark.threat(4, 5)
def test_a_host_name_that_is_not_ours_is_answered_by_nobody_whatever_else_the_request_says(live):
    live = live()
    evil = f"evil.com:{live.port}"
    forwarded = [
        ("X-Forwarded-Host", live.host),
        ("X-Forwarded-For", "127.0.0.1"),
        ("Forwarded", f"host={live.host};for=127.0.0.1"),
        ("X-Original-Host", live.host),
    ]
    for host in (evil, "evil.com", "127.0.0.1", f"127.0.0.1:{live.port}.", f"127.0.0.1:{live.port + 1}", "", "a b"):
        for extra in ([], [("Origin", live.origin)], [("Origin", f"http://{host}")], forwarded):
            for path in ("/", "/api/status", "/client/index.js"):
                status, answer = ask(live, BEARER, *extra, path=path, host=host)
                assert status in (400, 403), (host, extra)
                assert status == 400 or "forbidden_host" in answer
            assert knock(live, ("Host", host), BEARER, *extra)[0] in (400, 403)
    assert ask(live, BEARER, ("Host", live.host), ("Host", evil))[0] in (400, 403)
    # The same the other way round: what a forwarder is said to have seen opens nothing, and closes nothing.
    assert ask(live, BEARER, ("X-Forwarded-Host", evil), ("X-Forwarded-Proto", "https"), path="/api/status")[0] == 200


@pytest.mark.threat(5)
def test_an_origin_is_judged_by_what_this_server_is_called_and_not_by_the_host_header(live):
    live = live()
    names = [f"{name}:{live.port}" for name in ("localhost", "127.0.0.1", "[::1]")]
    for host in names:
        for origin in names:
            assert knock(live, ("Host", host), ("Origin", f"http://{origin}"), cookie(live))[0] == 101
        evil = f"http://evil.com:{live.port}"
        assert knock(live, ("Host", host), ("Origin", evil), cookie(live))[0] == 403
        assert ask(live, ("Origin", evil), cookie(live), method="POST", path="/api/reset", host=host)[0] == 403


def routes_of(routes, prefix=""):
    """Every route of an application, those of mounted ones too: its path with examples for what it matches, its
    methods, and whether it is a WebSocket.
    """
    for route in routes:
        if isinstance(route, Mount):
            yield from routes_of(route.routes, prefix + route.path)
            continue
        path = prefix + re.sub(r"\{hash\}", "0" * 64, re.sub(r"\{name(:\w+)?\}", "index.js", route.path))
        assert "{" not in path, f"an example is needed for {route.path}"
        is_socket = isinstance(route, WebSocketRoute)
        yield path, {"GET"} if is_socket else set(route.methods or ()), is_socket


@pytest.mark.threat(6, 7)
def test_every_route_there_is_and_every_one_there_is_not_is_closed_without_a_token(live):
    live = live(SHOWN)
    routes = list(routes_of(live.app.routes))
    assert len(routes) >= 8 and any(is_socket for _, _, is_socket in routes)
    esm = "/" + live.kernel.modules.url(live.running.namespace["counter"]._esm)
    style = "/client/page.css"
    routes += [(esm, {"GET"}, False), (style, {"GET"}, False), ("/no/such/path", {"GET", "POST"}, False)]
    for path, methods, is_socket in routes:
        for method in methods | {"HEAD", "OPTIONS", "PUT", "DELETE", "TRACE", "QUERY"}:
            status, answer = ask(live, ("Origin", live.origin), method=method, path=path)
            if path != HEALTH:  # A monitor has no token.
                assert status == 401, (method, path, answer)
            elif method in methods | {"HEAD"}:
                assert status == 200 and answer.endswith('{"status":"ok"}' if method == "GET" else "\r\n\r\n"), answer
            else:
                assert status == 405, (method, answer)
            for origin in ("http://evil.com", "null"):
                assert ask(live, BEARER, ("Origin", origin), method=method, path=path)[0] == 403, (method, path)
        if is_socket:
            assert ask(live, BEARER, path=path)[0] != 200
        # As a WebSocket no path is open, whatever the route is.
        status, answer = knocked(live, path, ("Origin", live.origin))
        assert (status, "unauthorized" in answer) == (403, True), path
    # With a token the very same requests are answered.
    assert [ask(live, BEARER, path=path)[0] for path in (esm, style)] == [200, 200]


def knocked(live, path, *headers):
    with Wire(live) as wire:
        wire.send(raw_request(live, *HANDSHAKE, *headers, path=path))
        status, head = wire.head()
        return status, head + wire.rest().decode()


@pytest.mark.threat(6)
def test_what_the_gate_let_through_is_what_the_application_serves(live):
    """Nothing is served outside of the gate: it is the outermost middleware but for the one that reports failures."""
    live = live()
    assert [one.cls for one in live.app.user_middleware] == [Gate]


WRONG = [None, "", "x", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "another-users-token", "~" * 256, "x" * 5000]


@pytest.mark.threat(7)
def test_every_wrong_token_gets_the_same_words_and_is_compared_in_constant_time(live, monkeypatch):
    live = live()
    compared, compare_digest = [], hmac.compare_digest

    def compare(one, other):
        compared.append((one, other))
        return compare_digest(one, other)

    monkeypatch.setattr(access.hmac, "compare_digest", compare)
    answers = {"http": set(), "page": set(), "socket": set()}
    for token in WRONG:
        ways = [()] if token is None else [(("Authorization", f"Bearer {token}"),), (cookie(live, token),)]
        for way in ways:
            compared.clear()
            answers["http"].add(without_date(ask(live, *way, path="/api/status")))
            assert {other for _, other in compared} <= {TOKEN.encode()}, "nothing but the whole token is compared"
            assert len(compared) == len(way)
            answers["page"].add(without_date(ask(live, ("Accept", "text/html"), *way)))
            answers["socket"].add(without_date(knock(live, ("Origin", live.origin), *way)))
    assert {kind: len(set_of) for kind, set_of in answers.items()} == {"http": 1, "page": 1, "socket": 1}
    assert {status for set_of in answers.values() for status, _ in set_of} == {401, 403}


def without_date(answer):
    return answer[0], re.sub(r"date: [^\r]*", "", answer[1])


@pytest.mark.threat(8)
@pytest.mark.parametrize("format", FORMATS)
def test_the_token_comes_back_in_no_answer_and_stands_in_no_log(live, format):
    """Also where a script has the web server log all there is to log, headers among it."""
    live = live(SHOWN)
    log = io.StringIO()
    with logging_to(log, token=TOKEN, format=format, level="debug"):
        logging.getLogger("uvicorn").setLevel(logging.DEBUG)
        ways = [(BEARER,), (cookie(live),), (("Sec-WebSocket-Protocol", f"rdit.v1, rdit.token.{encoded(TOKEN)}"),)]
        said = []
        for way in ways:
            for path in ("/", "/api/status", "/nothing", "/api/execute?after=x", f"/api/status?token={TOKEN}"):
                said.append(ask(live, *way, path=path)[1])
            said.append(ask(live, *way, path="/", host="evil.com")[1])
            said.append(ask(live, *way, ("Origin", "null"), path="/")[1])
            said.append(ask(live, *way, ("X", "\x00"), path="/")[1])
            said.append(knock(live, ("Origin", live.origin), *way)[1])
            said.append(knock(live, ("Origin", "null"), *way)[1])
        status, redirect = ask(live, path=f"/?token={TOKEN}")
        assert status == 303
        assert TOKEN in redirect.split("set-cookie:")[1].split("\r\n")[0]
        assert TOKEN not in re.sub(r"set-cookie:[^\r]*", "", redirect)
        assert "httponly" in redirect and "samesite=strict" in redirect and "referrer-policy: no-referrer" in redirect
        with Tab(live) as tab:
            tab.raw("nonsense")
            tab.until("error")
            said += [*tab.heard, tab.socket.subprotocol]
    assert "<token>" in log.getvalue(), "there was something to hide"
    for text in (TOKEN, encoded(TOKEN)):
        assert not [one for one in said if text.lower() in one.lower()]
        assert text.lower() not in log.getvalue().lower()


@pytest.mark.threat(9)
def test_who_may_not_stay_loses_the_socket_and_the_stream_and_is_told_to_stay_away(live):
    live = live("import threading\ngo = threading.Event()\n" + SHOWN)
    live.rules = dataclasses.replace(live.rules, recheck_s=0.02)
    live.running.start(SHOWN + "import threading\ngo = threading.Event()\nprint('busy')\ngo.wait()\n")
    live.running.wait_for(lambda: "busy\n" in live.running.text())
    try:
        with Tab(live) as tab, Tab(live, mode="base") as base, Wire(live) as stream:
            tab.ready()
            stream.send(raw_request(live, BEARER, ("Connection", "close"), path="/api/execute"))
            assert stream.head()[0] == 200
            live.rules = dataclasses.replace(live.rules, token="the-next-token")
            assert tab.ending() == 4500
            assert base.ending() == 4500
            live.kernel.tell("something that happened since")  # The stream looks at its log when there is something.
            assert b"something" not in stream.rest().partition(b"busy")[2]
            assert len(live.manager.store.connections) == 0
        assert ask(live, BEARER, path="/api/status")[0] == 401
        assert ask(live, BEARER, ("Origin", live.origin), method="POST", path="/api/interrupt")[0] == 401
        with pytest.raises(websockets.exceptions.InvalidStatus):
            Tab(live)
        assert ask(live, ("Authorization", "Bearer the-next-token"), path="/api/status")[0] == 200
    finally:
        live.running.namespace["go"].set()


@pytest.mark.threat(9)
def test_a_refused_peer_that_does_not_read_is_let_go_all_the_same(live, monkeypatch):
    live = live(SHOWN)
    live.rules = dataclasses.replace(live.rules, recheck_s=0.02)
    ended = []
    live.manager.on("disconnected", ended.append)
    with Wire(live, small_buffer=True) as wire:
        assert wire.upgrade(live, BEARER)[0] == 101
        for number in range(40):
            live.running.namespace["counter"].set_trait("value", number)
        live.rules = dataclasses.replace(live.rules, token="the-next-token")
        live.running.wait_for(lambda: len(ended) == 1)


@pytest.mark.threat(34)
def test_a_server_at_all_interfaces_asks_for_its_token_under_each_of_its_names(live):
    live = live()
    live.rules = AccessRules.for_address("0.0.0.0", live.port, token=TOKEN, names=["machine.lan"])
    for host in (live.host, f"machine.lan:{live.port}"):
        assert ask(live, path="/api/status", host=host)[0] == 401
        assert ask(live, BEARER, path="/api/status", host=host)[0] == 200
        assert knock(live, ("Host", host), ("Origin", f"http://{host}"))[0] == 403


@pytest.mark.threat(31)
def test_nobody_may_frame_the_page_but_who_was_named(live):
    live = live()
    assert "frame-ancestors 'self'\r\n" in ask(live, BEARER)[1]
    live.rules = dataclasses.replace(live.rules, framed_by=frozenset({"http://localhost:5173"}))
    assert "frame-ancestors 'self' http://localhost:5173\r\n" in ask(live, BEARER)[1]
    assert "frame-ancestors 'self' http://localhost:5173\r\n" in ask(live)[1]
    with pytest.raises(ValueError, match="expected an origin"):
        AccessRules.for_address("127.0.0.1", 1, token=TOKEN, framed_by=["*"])


@pytest.mark.threat(25)
def test_code_is_found_by_its_hash_and_by_nothing_else(live):
    live = live(SHOWN)
    url = "/" + live.kernel.modules.url(live.running.namespace["counter"]._esm)
    status, answer = ask(live, BEARER, path=url)
    assert status == 200
    for header in (
        "content-type: text/javascript",
        "x-content-type-options: nosniff",
        "cross-origin-resource-policy: same-origin",
    ):
        assert header in answer
    assert "access-control-allow-origin" not in answer
    assert ask(live, path=url)[0] == 401
    digest = url.removeprefix("/esm/").removesuffix(".js")
    for path in (
        f"/esm/{digest[:-1]}.js",
        f"/esm/{digest.upper()}.js",
        f"/esm/{digest}",
        f"/esm/{digest}.css",
        "/esm/..%2f..%2fapp.py.js",
        "/esm/../app.py",
        "/esm/%2e%2e/app.py",
        "/esm/..\\..\\app.py.js",
        "/esm//etc/passwd.js",
        "/client/../app.py",
        "/client/%2e%2e%2fapp.py",
        "/client/..%5capp.py",
        "/client/tests/fakes.js",
        "/client/package.json",
        "/client/%00index.js",
        "/client/",
    ):
        status, answer = ask(live, BEARER, path=path)
        assert status in (400, 404), path
        assert "import" not in answer.partition("\r\n\r\n")[2]


@pytest.mark.threat(25)
def test_an_origin_that_was_let_in_may_read_code_and_no_other_may(live):
    live = live(SHOWN)
    front_end = "http://localhost:5173"
    live.rules = dataclasses.replace(live.rules, allowed_origins=frozenset({front_end}))
    url = "/" + live.kernel.modules.url(live.running.namespace["counter"]._esm)
    answer = ask(live, BEARER, ("Origin", front_end), path=url)[1]
    assert f"access-control-allow-origin: {front_end}\r\n" in answer
    assert "cross-origin-resource-policy: cross-origin" in answer
    assert ask(live, ("Origin", front_end), path=url)[0] == 401
    answer = ask(live, BEARER, path=url)[1]
    assert "cross-origin-resource-policy: same-origin" in answer and "access-control-allow-origin" not in answer
    assert ask(live, BEARER, ("Origin", "http://localhost:5174"), path=url)[0] == 403


@pytest.mark.threat(10, 29)
def test_a_session_is_the_servers_to_make_and_takes_its_secret_to_go_on_with(live):
    live = live(SHOWN)
    with Tab(live) as tab:
        mine = {**tab.ready().resume, "rev": 0}
        assert all(len(mine[name]) == 32 for name in ("session", "secret", "epoch"))
        chosen = {"epoch": mine["epoch"], "session": "f" * 32, "secret": "0" * 32, "rev": 0}
        guesses = [
            chosen,
            {**mine, "secret": "0" * 32},
            {**mine, "secret": mine["secret"][:-1]},
            {**mine, "secret": ""},
            {**mine, "session": chosen["session"]},
            {**mine, "epoch": "another"},
            {**mine, "rev": 2**40},
        ]
        answers = []
        for guess in guesses:
            with Tab(live, hello={"resume": guess}) as thief:
                welcome, first = thief.welcome, thief.until("sync")
                assert welcome["session"] not in (mine["session"], guess["session"])
                assert welcome["secret"] not in (mine["secret"], guess["secret"])
                assert first["ack"] == welcome["ack"]
                answers.append((welcome["resumed"], sorted(welcome), sorted(first), len(first["open"])))
        assert len({str(one) for one in answers}) == 1, "no answer says whether there is such a session"
        assert answers[0][0] is False
        # It goes on as if nothing had been.
        assert tab.verdicts(tab.op("3.0", "value", 1)) == {}


@pytest.mark.threat(10, 27)
def test_what_was_recorded_of_a_session_does_nothing_when_it_is_played_again(live):
    live = live(SHOWN)
    counter = live.running.namespace["counter"]
    with Tab(live) as tab:
        tab.ready()
        recorded = [{"seq": tab.seq + at, "ops": [tab.op("3.0", "value", at)]} for at in (1, 2, 3)]
        for batch in recorded:
            tab.say("batch", **batch)
        tab.until("sync", lambda sync: sync["ack"] == tab.seq + 3)
        counter.value = 100
        resume = {**tab.resume, "rev": 0}
        # Into the session itself, by who knows even its secret: each counts once, and it did.
        with Tab(live, hello={"resume": resume}) as thief:
            assert thief.welcome["resumed"]
            assert tab.ending() == 4004, "its owner is told"
            for batch in recorded:
                thief.say("batch", **batch)
            thief.say("ping", id=1)
            thief.until("pong")
            assert counter.value == 100
            thief.say("bye")
            assert thief.ending() == 1000
    # Into another one: the numbers are its own, from the first on.
    for batch in recorded:
        with Tab(live, hello={"resume": resume}) as other:
            assert not other.ready().welcome["resumed"]
            other.say("batch", **batch)
            assert other.ending() == 4006
    assert counter.value == 100


@pytest.mark.threat(27)
def test_what_was_recorded_of_a_session_does_nothing_on_one_that_is_under_way(live):
    live = live(SHOWN)
    counter = live.running.namespace["counter"]
    with Tab(live) as tab, Tab(live) as other:
        ready = [one.ready() for one in (tab, other)]
        recorded = [{"seq": one.seq + 1, "ops": [one.op("3.0", "value", 1)]} for one in ready]
        assert [one.verdicts(one.op("3.0", "value", 1)) for one in ready] == [{}, {}]
        counter.value = 100
        # Each of the two has numbers that are higher or lower than the other's.
        tab.say("batch", **recorded[1])
        other.say("batch", **recorded[0])
        assert (tab.ending(), other.ending()) == (4006, 4006)
    assert counter.value == 100


@pytest.mark.threat(29)
def test_no_link_gives_a_browser_a_token_that_is_not_this_servers(live):
    live = live()
    for given in ("attackers-own-token", "", TOKEN + "x"):
        status, answer = ask(live, ("Accept", "text/html"), path=f"/?token={given}")
        assert (status, "set-cookie" in answer) == (401, False)
    # Who comes with the token gets what the server has, whatever the browser held before.
    answer = ask(live, cookie(live, "attackers-own-token"), path=f"/?token={TOKEN}")[1]
    assert f"set-cookie: rdit_token_{live.port}={TOKEN};" in answer


@pytest.mark.threat(18)
def test_compression_is_offered_in_vain_and_a_compressed_frame_ends_the_connection(live):
    live = live(SHOWN)
    offer = ("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits")
    with Wire(live) as wire:
        status, head = wire.upgrade(live, offer, BEARER)
        assert (status, "sec-websocket-extensions" in head) == (101, False)
        wire.send(frame(b"\xaa" * 100, first=0xC0))  # RSV1: "this is compressed".
        assert closed_with(wire) == 1002

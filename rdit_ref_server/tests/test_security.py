import base64

import pytest
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from rdit_ref_server.security import AccessRules, security_headers

TOKEN = "a-token-for-tests"
HOST = "127.0.0.1:8765"
ORIGIN = f"http://{HOST}"
ALLOWED = "http://localhost:5173"
COOKIE = f"rdit_token_8765={TOKEN}"

LOOK_ALIKES = [
    "http://127.0.0.1.evil.com:8765",
    "http://evil127.0.0.1:8765",
    "http://evil.com",
    "http://127.0.0.1:8766",
    "http://127.0.0.1",
    "https://127.0.0.1:8765",
    "HTTP://127.0.0.1:8765",
    "http://127.0.0.1:8765@evil.com",
    "http://user@127.0.0.1:8765",
    "null",
    "",
    "file://",
]


def subprotocol(token):
    return "rdit.token." + base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")


def open_socket(client, *, subprotocols=None, **headers):
    """Open and close the WebSocket; gives None, or the refusal's status and code."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        with client.websocket_connect(f"ws://{HOST}/ws/widgets", subprotocols=subprotocols, headers=names) as socket:
            return None, socket.accepted_subprotocol
    except WebSocketDenialResponse as refusal:
        return refusal.status_code, refusal.json()["code"]


def request_of(route):
    path = route.path.replace("{name}", "page.js").replace("{hash}", "0" * 64)
    method = "POST" if isinstance(route, Route) and "POST" in route.methods else "GET"
    return method, path


def test_every_route_is_closed_without_credentials(site, stranger):
    routes = site.app.routes
    assert {route.path for route in routes} == {
        "/",
        "/client/{name}",
        "/esm/{hash}.js",
        "/api/execute",
        "/api/status",
        "/api/reset",
        "/api/interrupt",
        "/healthz",
        "/ws/widgets",
    }
    for route in routes:
        method, path = request_of(route)
        if path == "/healthz":
            continue
        if isinstance(route, WebSocketRoute):
            assert open_socket(stranger, origin=ORIGIN) == (403, "unauthorized")
            continue
        answer = stranger.request(method, path, headers={"origin": ORIGIN})
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized"), path
        answer = stranger.request("OPTIONS", path, headers={"origin": ORIGIN})
        assert answer.status_code == 401, path
    assert stranger.get("/no/such/path").status_code == 401


def test_a_person_who_is_not_let_in_reads_what_to_do(stranger):
    for path in ("/", "/?token=wrong"):
        answer = stranger.get(path, headers={"accept": "text/html,*/*;q=0.8"})
        assert answer.status_code == 401
        assert answer.headers["content-type"].startswith("text/html")
        assert "Open the address that" in answer.text and "unauthorized" in answer.text
        assert "default-src 'none'" in answer.headers["content-security-policy"]
    evil = stranger.get("/<script>", headers={"accept": "text/html", "host": "<b>evil</b>"})
    assert evil.status_code == 403
    assert "evil" not in evil.text and "script" not in evil.text


@pytest.mark.parametrize("other", ['ui={"t":"d"}', "flag", "foo[x]=1", "e=a b", "=x", 'q="open'])
def test_an_odd_cookie_of_another_server_on_this_host_locks_nobody_out(stranger, other):
    cookie = f"{other}; rdit_token_8765={TOKEN}"
    assert stranger.get("/api/status", headers={"cookie": cookie}).status_code == 200


@pytest.mark.threat(1)
def test_every_route_is_closed_to_a_foreign_origin_even_with_the_token(site):
    for route in site.app.routes:
        method, path = request_of(route)
        if isinstance(route, WebSocketRoute):
            assert open_socket(site, origin="http://evil.com") == (403, "forbidden_origin")
            continue
        answer = site.request(method, path, headers={"origin": "http://evil.com"})
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden_origin"), path


@pytest.mark.threat(4)
def test_every_route_is_closed_under_a_foreign_host_name(site):
    for route in site.app.routes:
        method, path = request_of(route)
        if isinstance(route, WebSocketRoute):
            assert open_socket(site, host="evil.com:8765", origin="http://evil.com:8765") == (403, "forbidden_host")
            continue
        answer = site.request(method, path, headers={"host": "evil.com:8765", "origin": "http://evil.com:8765"})
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden_host"), path


@pytest.mark.parametrize("origin", LOOK_ALIKES)
@pytest.mark.threat(2)
def test_look_alikes_of_our_origin_are_refused(site, origin):
    assert open_socket(site, origin=origin) == (403, "forbidden_origin")
    assert site.post("/api/interrupt", headers={"origin": origin}).status_code == 403
    assert site.get("/api/status", headers={"origin": origin}).status_code == 403


def test_two_origins_are_refused(site):
    headers = [("origin", ORIGIN), ("origin", ORIGIN)]
    assert site.post("/api/interrupt", headers=headers).status_code == 403


@pytest.mark.parametrize(
    "host", ["", "evil.com", "127.0.0.1", "127.0.0.1:8766", "127.0.0.1.evil.com:8765", "localhost"]
)
def test_other_host_names_are_refused(site, host):
    assert site.get("/api/status", headers={"host": host}).json()["code"] == "forbidden_host"


def test_two_hosts_are_refused(site):
    assert site.get("/api/status", headers=[("host", HOST), ("host", HOST)]).status_code == 403


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost:8765", "LOCALHOST:8765", "[::1]:8765"])
def test_the_names_of_loopback_are_ours(site, host):
    assert site.get("/api/status", headers={"host": host}).status_code == 200
    assert open_socket(site, host=host, origin=f"http://{host.lower()}") == (None, None)


def test_the_address_with_the_token_gives_a_cookie_and_leads_to_the_page(stranger):
    answer = stranger.get(f"/?token={TOKEN}")
    assert (answer.status_code, answer.headers["location"]) == (303, "./")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"rdit_token_8765={TOKEN};")
    parts = {part.strip() for part in cookie.split(";")}
    assert {"HttpOnly", "SameSite=strict"} <= parts
    assert not any(part.startswith("Path") for part in parts), "the browser knows under which path it asked"
    assert stranger.get("/").status_code == 200
    assert stranger.post("/api/interrupt", headers={"origin": ORIGIN}).status_code == 202
    assert open_socket(stranger, origin=ORIGIN) == (None, None)


@pytest.mark.parametrize("query", ["token=wrong-token", "token=", f"token={TOKEN}&token={TOKEN}"])
def test_a_wrong_token_in_the_address_gives_nothing(stranger, query):
    answer = stranger.get(f"/?{query}&x=1")
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers


def test_a_token_in_the_address_opens_nothing_but_the_page(stranger):
    assert stranger.get(f"/api/status?token={TOKEN}").status_code == 401
    assert stranger.post(f"/?token={TOKEN}", headers={"origin": ORIGIN}).status_code == 401


@pytest.mark.threat(3)
def test_with_a_cookie_a_missing_origin_is_refused_where_something_changes(stranger):
    headers = {"cookie": COOKIE}
    assert stranger.get("/api/status", headers=headers).status_code == 200
    assert stranger.post("/api/reset", headers=headers).json()["code"] == "forbidden_origin"
    assert open_socket(stranger, cookie=COOKIE) == (403, "forbidden_origin")


def test_with_a_bearer_token_an_origin_may_be_missing(stranger):
    headers = {"authorization": f"Bearer {TOKEN}"}
    assert stranger.post("/api/interrupt", headers=headers).status_code == 202
    assert open_socket(stranger, **headers) == (None, None)


def test_with_a_wrong_bearer_token_a_missing_origin_is_refused(stranger):
    headers = {"authorization": "Bearer wrong", "cookie": COOKIE}
    assert stranger.post("/api/interrupt", headers=headers).status_code == 403


def test_a_token_comes_as_a_subprotocol_and_is_never_chosen(stranger):
    assert open_socket(stranger, subprotocols=[subprotocol(TOKEN)]) == (None, None)
    assert open_socket(stranger, subprotocols=["rdit.base", subprotocol(TOKEN)]) == (None, "rdit.base")
    assert open_socket(stranger, subprotocols=["rdit.base", subprotocol(TOKEN)], origin=ORIGIN) == (None, "rdit.base")
    # As some versions of uvicorn hand over what a browser offers.
    assert open_socket(stranger, subprotocols=[f"rdit.base, {subprotocol(TOKEN)}"]) == (None, "rdit.base")
    refused = open_socket(stranger, subprotocols=[subprotocol(TOKEN)], origin="http://evil.com")
    assert refused == (403, "forbidden_origin")


@pytest.mark.parametrize("text", ["", "!", "wrong", base64.urlsafe_b64encode(b"\xff\xfe").decode()])
def test_a_wrong_subprotocol_token_is_refused(stranger, text):
    assert open_socket(stranger, subprotocols=["rdit.token." + text], origin=ORIGIN) == (403, "unauthorized")


@pytest.mark.parametrize("given", [None, "", "wrong", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "é" * 20])
@pytest.mark.threat(7)
def test_every_wrong_token_gets_the_same_answer(stranger, given):
    headers = {} if given is None else {"authorization": f"Bearer {given}".encode()}
    answer = stranger.get("/api/status", headers=headers)
    assert (answer.status_code, answer.json()) == (401, stranger.get("/api/status").json())


def test_cookies_of_other_ports_do_not_count(stranger):
    assert stranger.get("/api/status", headers={"cookie": f"rdit_token_8766={TOKEN}"}).status_code == 401
    both = f"rdit_token_8766=other; {COOKIE}"
    assert stranger.get("/api/status", headers={"cookie": both}).status_code == 200


@pytest.mark.parametrize("order", [1, -1])
def test_the_cookie_of_a_server_that_is_mounted_above_does_not_hide_ours(stranger, order):
    """Their ports may be equal behind a proxy, and so their names: the browser sends both."""
    both = ["rdit_token_8765=the-token-of-another", f"rdit_token_8765={TOKEN}"]
    assert stranger.get("/api/status", headers={"cookie": "; ".join(both[::order])}).status_code == 200


@pytest.mark.threat(8)
def test_no_answer_holds_the_token_but_the_cookie(site, stranger):
    for answer in (stranger.get("/"), stranger.get("/?token=nope"), site.get("/"), site.get("/api/status")):
        assert TOKEN not in answer.text + str(answer.headers)


@pytest.mark.threat(24, 25, 31)
def test_every_answer_has_the_security_headers(site, stranger):
    answers = [site.get("/"), site.get("/no"), site.post("/"), site.post("/api/interrupt"), stranger.get("/")]
    answers += [stranger.get(f"/?token={TOKEN}"), site.get("/", headers={"origin": "http://evil.com"})]
    for answer in answers:
        assert answer.headers["content-security-policy"] == (
            "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; "
            "img-src 'self' data: blob:; font-src 'self' data:; worker-src blob:; "
            "connect-src 'self' ws://127.0.0.1:8765; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
        )
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert "access-control-allow-origin" not in answer.headers


def test_code_out_of_text_is_allowed_by_those_rules_alone_that_say_so(site):
    rules = AccessRules.for_address("127.0.0.1", 8765, token=TOKEN, allows_eval=True)
    site.app.user_middleware[0].kwargs["rules"] = rules
    site.app.middleware_stack = None
    with TestClient(site.app, base_url=ORIGIN) as client:
        policy = client.get("/").headers["content-security-policy"]
    assert "script-src 'self' 'unsafe-eval';" in policy
    strict = AccessRules.for_address("127.0.0.1", 8765, token=TOKEN)
    assert (
        policy.replace("'unsafe-eval'", "'wasm-unsafe-eval'")
        == (security_headers("127.0.0.1:8765", strict)["content-security-policy"])
    )


@pytest.mark.threat(5)
def test_a_host_name_that_is_not_ours_never_reaches_the_policy(site):
    answer = site.get("/", headers={"host": "evil.com:8765"})
    assert "evil" not in str(answer.headers)
    assert "connect-src 'self';" in answer.headers["content-security-policy"]
    rules = AccessRules.for_address("127.0.0.1", 8765, token=None)
    assert "evil" not in security_headers("evil.com", rules)["content-security-policy"]


@pytest.fixture
def shared(site):
    """The same application, which lets in the pages of another origin."""
    rules = AccessRules.for_address("127.0.0.1", 8765, token=TOKEN, allowed_origins=[ALLOWED])
    site.app.user_middleware[0].kwargs["rules"] = rules
    site.app.middleware_stack = None
    with TestClient(site.app, base_url=ORIGIN) as client:
        yield client


def test_an_allowed_origin_may_read_and_write_and_nobody_else(shared):
    headers = {"authorization": f"Bearer {TOKEN}"}
    answer = shared.get("/api/status", headers={**headers, "origin": ALLOWED})
    assert answer.headers["access-control-allow-origin"] == ALLOWED
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert answer.headers["vary"] == "origin"
    assert open_socket(shared, origin=ALLOWED, **headers) == (None, None)
    answer = shared.get("/api/status", headers={**headers, "origin": "http://localhost:5174"})
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers


def test_an_allowed_origin_needs_the_token_all_the_same(shared):
    assert shared.get("/api/status", headers={"origin": ALLOWED}).status_code == 401
    assert open_socket(shared, origin=ALLOWED) == (403, "unauthorized")


def test_a_preflight_of_an_allowed_origin_is_answered(shared):
    headers = {"access-control-request-method": "POST", "origin": ALLOWED}
    answer = shared.options("/api/reset", headers=headers)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == ALLOWED
    assert "authorization" in answer.headers["access-control-allow-headers"]
    assert shared.options("/api/reset", headers={**headers, "origin": "http://evil.com"}).status_code == 403


def test_without_a_token_host_and_origin_still_count(site):
    site.app.user_middleware[0].kwargs["rules"] = AccessRules.for_address("127.0.0.1", 8765, token=None)
    site.app.middleware_stack = None
    with TestClient(site.app, base_url=ORIGIN) as client:
        assert client.get("/").status_code == 200
        assert client.get("/?token=whatever").status_code == 200
        assert open_socket(client, origin=ORIGIN) == (None, None)
        assert open_socket(client) == (403, "forbidden_origin")
        assert open_socket(client, authorization="Bearer anything") == (403, "forbidden_origin")
        assert client.post("/api/reset").status_code == 403
        assert client.get("/", headers={"host": "evil.com"}).status_code == 403


@pytest.mark.threat(6)
def test_a_websocket_without_the_gate_is_closed(site):
    site.app.user_middleware.clear()
    site.app.middleware_stack = None
    with (
        TestClient(site.app, base_url=ORIGIN) as client,
        pytest.raises(WebSocketDisconnect) as refused,
        client.websocket_connect("/ws/widgets"),
    ):
        pass
    assert (refused.value.code, refused.value.reason) == (1008, "unauthorized")


@pytest.mark.parametrize("token", ["", "short", "with space in it", "ümlauts-are-no-good", "x" * 257, "semi;colon"])
def test_tokens_that_a_cookie_or_address_would_change_are_refused(token):
    with pytest.raises(ValueError, match="a token must be"):
        AccessRules.for_address("127.0.0.1", 1, token=token)


@pytest.mark.parametrize("origin", ["*", "null", "localhost:3000", "http://a/b", "http://*.example.org/x"])
def test_allowed_origins_must_be_origins(origin):
    with pytest.raises(ValueError, match="expected an origin"):
        AccessRules.for_address("127.0.0.1", 1, token=None, allowed_origins=[origin])


def test_the_default_port_may_be_left_out():
    rules = AccessRules.for_address("example.org", 80, token=None)
    assert {"example.org", "example.org:80", "localhost"} <= rules.hosts


def test_an_ipv6_address_is_written_in_brackets():
    assert "[fe80::1]:8765" in AccessRules.for_address("fe80::1", 8765, token=None).hosts


def test_behind_a_forwarder_its_name_and_its_scheme_are_ours(site):
    rules = AccessRules.for_address("127.0.0.1", 8765, token=TOKEN, public_origin="https://Widgets.example.org:443/")
    assert {"widgets.example.org", HOST} <= rules.hosts
    assert {"https://widgets.example.org", ORIGIN} <= rules.origins
    site.app.user_middleware[0].kwargs["rules"] = rules
    site.app.middleware_stack = None
    with TestClient(site.app, base_url="https://widgets.example.org", follow_redirects=False) as client:
        answer = client.get(f"/?token={TOKEN}")
        assert "Secure" in answer.headers["set-cookie"]
        headers = {"authorization": f"Bearer {TOKEN}", "origin": "https://widgets.example.org"}
        answer = client.get("/", headers=headers)
        assert answer.status_code == 200
        assert "connect-src 'self' wss://widgets.example.org;" in answer.headers["content-security-policy"]
        assert "access-control-allow-origin" not in answer.headers, "it is no foreign origin"
        assert client.get("/", headers={**headers, "origin": "http://widgets.example.org"}).status_code == 403
    with TestClient(site.app, base_url=ORIGIN, follow_redirects=False) as client:
        answer = client.get(f"/?token={TOKEN}")
        assert "Secure" not in answer.headers["set-cookie"]
        assert f"ws://{HOST};" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://localhost:9000", "localhost:9000"),
        ("http://example.org:80", "example.org"),
        ("https://[::1]:8443/", "[::1]:8443"),
    ],
)
def test_a_public_address_names_the_host_as_a_browser_does(origin, host):
    assert host in AccessRules.for_address("127.0.0.1", 1, token=None, public_origin=origin).hosts


def test_a_public_address_must_be_an_origin():
    with pytest.raises(ValueError, match="expected an origin"):
        AccessRules.for_address("127.0.0.1", 1, token=None, public_origin="https://example.org/path")

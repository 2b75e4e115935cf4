"""Who may talk to this server: the core's verdicts, applied to every route, HTTP and WebSocket alike.

`Gate` is plain ASGI around the whole application, since a middleware that knows only HTTP would leave the WebSocket
open. It fails closed: what it has not let through carries no verdict, and the WebSocket opens nothing without one.

In this order: the `Host` header must name this server (DNS rebinding arrives under a foreign name); an `Origin` must be
ours or one that was allowed, and on a WebSocket and on anything that changes something it must be there, unless the
request proves by its token that no browser made it by itself; then the token. A cookie alone is no such proof: browsers
send it along with requests of any page, and to every port of a host.

The token comes in one of four ways: `GET /?token=...`, which sets the cookie and redirects, so that it does not stay in
the address; the cookie, which has the port in its name because cookies know no ports, and for its path the prefix under
which the browser sees us; `Authorization: Bearer`; or,
since a browser cannot set headers on a WebSocket, an offered subprotocol `rdit.token.<base64url of the token>`, which
is never chosen. It is never logged, and no refusal says how wrong it was.

Rules may change while the server runs (a token that expires): the gate asks for the present ones at each request, and
leaves in the scope what asks again (`RECHECK`), for what stays open longer than a request does.
"""

from __future__ import annotations

import base64
import binascii
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rdit_core import Verdict, WritePolicy, check_host, check_origin, check_token, origin_of

from .server_log import tell

HEALTH: Final = "/healthz"
"""What asks for no token: a monitor has none, and learns only whether we serve. Host and origin are checked."""

SUBPROTOCOL: Final = "rdit.base"
"""Offered beside a token, and chosen: a browser closes a WebSocket whose server chooses none of what it offered."""

TOKEN_SUBPROTOCOL: Final = "rdit.token."
VERDICT: Final = "rdit.verdict"
"""Where the gate leaves its verdict in the scope."""
RECHECK: Final = "rdit.recheck"
"""Where it leaves a `Recheck`."""

READ_ONLY: Final = WritePolicy(two_way=False, messages=False)
"""For the kernel of a server whose visitors may see only."""

LOOPBACK_NAMES: Final = ("127.0.0.1", "localhost", "[::1]")

_TOLD_CHARACTERS: Final = 200
"""Of a path that was refused, in the server's log."""

_TOKEN: Final = re.compile(r"[A-Za-z0-9._~-]{8,256}")
_SAFE_METHODS: Final = frozenset({"GET", "HEAD"})

_MESSAGES: Final[Mapping[str, str]] = {
    "forbidden_host": "This server does not answer to that host name.",
    "forbidden_origin": "Requests from that origin are not allowed.",
    "unauthorized": "Open the address that `rdit serve` printed: it has the token.",
}


def is_token(text: str) -> bool:
    """Whether a text can be a token: one that cookies, addresses and headers carry unchanged."""
    return _TOKEN.fullmatch(text) is not None


_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>rdit: not let in</title>
<meta name="color-scheme" content="light dark">
<style>body {{ font: 1.05rem/1.6 system-ui, sans-serif; max-width: 34rem; margin: 20vh auto; padding: 0 1rem }}
small {{ opacity: 0.65 }}</style></head>
<body><h1>Not let in</h1><p>{message}</p><p><small>{code}</small></p></body></html>
"""


@dataclass(frozen=True, slots=True)
class AccessRules:
    """What a server knows about who may come."""

    hosts: frozenset[str]
    """Values of the `Host` header that name this server, in lower case, with the port where it is not 80."""
    token: str | None
    """None: anybody who gets past host and origin may come."""
    allowed_origins: frozenset[str] = frozenset()
    """Origins besides our own, as `scheme://host:port`: front ends that are served from elsewhere."""
    port: int = 80
    public_origin: str | None = None
    """Where a forwarder shows this server, if there is one: another name or port, perhaps with TLS."""
    allows_eval: bool = False
    """Whether code in the page may make code out of text (`eval`, `new Function`), as some plotting libraries do."""
    allows_code: bool = False
    """Whether visitors may send code to run (`/api/execute`)."""
    read_only: bool = False
    """Whether visitors may see only. The kernel must be made with the `READ_ONLY` policy."""
    framed_by: frozenset[str] = frozenset()
    """Origins whose pages may show ours in a frame, besides our own."""
    recheck_s: float = 60.0
    """How often it is asked whether who has a WebSocket open may still be here, in seconds."""

    def __post_init__(self) -> None:
        if self.allows_code and self.read_only:
            raise ValueError("visitors who may see only cannot send code")
        if self.token is not None and not is_token(self.token):
            raise ValueError("a token must be 8 to 256 characters of A-Z a-z 0-9 . _ ~ -")
        public = [] if self.public_origin is None else [self.public_origin]
        for origin in (*self.allowed_origins, *self.framed_by, *public):
            if origin_of(origin) is None:
                raise ValueError(f"expected an origin such as http://localhost:3000, got {origin!r}")

    @classmethod
    def for_address(
        cls,
        host: str,
        port: int,
        *,
        token: str | None,
        allowed_origins: Iterable[str] = (),
        names: Iterable[str] = (),
        public_origin: str | None = None,
        allows_eval: bool = False,
        allows_code: bool = False,
        read_only: bool = False,
        framed_by: Iterable[str] = (),
    ) -> AccessRules:
        """Rules of a server that listens at an address.

        Args:
            host: the name or address it was told to listen at; it answers to that and to the names of loopback.
            port: the port it got.
            token: what a visitor must know; None for nothing.
            allowed_origins: origins besides our own.
            names: further host names to answer to.
            public_origin: where a forwarder shows the server; it answers to that name too, and its pages are its own.
            allows_eval: whether code in the page may make code out of text.
            allows_code: whether visitors may send code to run.
            read_only: whether visitors may see only.
            framed_by: origins whose pages may show ours in a frame. On another site than ours they also need a token
                that is no cookie: browsers send ours to its own site only.
        """
        bracketed = (f"[{name}]" if ":" in name and not name.startswith("[") else name for name in (host, *names))
        hosts = {f"{name.lower()}:{port}" for name in (*LOOPBACK_NAMES, *bracketed)}
        if port == 80:
            # Browsers leave out the default port.
            hosts |= {name.removesuffix(":80") for name in hosts}
        if public_origin is not None:
            hosts.add(_host_of(public_origin))
        return cls(
            frozenset(hosts),
            token,
            frozenset(allowed_origins),
            port,
            public_origin,
            allows_eval,
            allows_code,
            read_only,
            frozenset(framed_by),
        )

    @property
    def cookie(self) -> str:
        """Name of the cookie that holds the token."""
        return f"rdit_token_{self.port}"

    @property
    def origins(self) -> frozenset[str]:
        """Every origin that may ask, our own included."""
        return self.allowed_origins | {f"{self.scheme_at(host)}://{host}" for host in self.hosts}

    def scheme_at(self, host: str | None) -> str:
        """What pages that were opened under a host name came by: `https` where the forwarder speaks it, else `http`."""
        is_public = self.public_origin is not None and host == _host_of(self.public_origin)
        return str(self.public_origin).partition(":")[0].lower() if is_public else "http"


class Recheck(NamedTuple):
    """How to ask again about a request that was let in."""

    judge: Callable[[], Verdict]
    """The verdict of the present rules on it."""
    every_s: float


RulesNow = AccessRules | Callable[[], AccessRules]
"""Rules, or what gives those that hold now; called at each request, on the server's loop."""


def present(rules: RulesNow) -> AccessRules:
    """The rules that hold now."""
    return rules if isinstance(rules, AccessRules) else rules()


class Gate:
    """The middleware. Let nothing reach `app` without a verdict that allows it, but for `HEALTH`.

    Args:
        app: what it guards.
        rules: of the server, or what gives those that hold now.
        on_refusal: told the code of each refusal.
    """

    def __init__(self, app: ASGIApp, rules: RulesNow, on_refusal: Callable[[str], None] = lambda code: None) -> None:
        self._app = app
        self._rules = rules
        self._on_refusal = on_refusal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        if scope["type"] == "websocket":
            # Some versions of uvicorn hand the header over as it is.
            offered = [one.strip() for line in scope.get("subprotocols", ()) for one in line.split(",")]
            scope = {**scope, "subprotocols": offered}
        rules = present(self._rules)
        request = _Asking(scope, rules)
        host_verdict = request.check_host()
        security = security_headers(request.host if host_verdict.allowed else None, rules)
        scope = {**scope, RECHECK: Recheck(lambda: _Asking(scope, present(self._rules)).judge(), rules.recheck_s)}
        verdict = request.check_origin() if host_verdict.allowed else host_verdict
        if scope["type"] == "websocket":
            verdict = request.check_token() if verdict.allowed else verdict
            await self._websocket(scope, receive, send, verdict, security)
            return
        send = _with_headers(send, {**security, **(request.cors_headers() if verdict.allowed else {})})
        if verdict.allowed:
            response = request.preflight() or request.token_in_address()
            if response is not None:
                await response(scope, receive, send)
                return
            if route_path(scope) == HEALTH:
                await self._app(scope, receive, send)
                return
            verdict = request.check_token()
        if not verdict.allowed:
            self._tell(scope, verdict)
            status = 401 if verdict.code == "unauthorized" else 403
            await _refusal(verdict, status, as_page=request.wants_page())(scope, receive, send)
            return
        await self._app({**scope, VERDICT: verdict}, receive, send)

    async def _websocket(
        self, scope: Scope, receive: Receive, send: Send, verdict: Verdict, security: Mapping[str, str]
    ) -> None:
        if verdict.allowed:
            await self._app({**scope, VERDICT: verdict}, receive, send)
            return
        self._tell(scope, verdict)
        message = await receive()
        if message["type"] != "websocket.connect":
            return
        if "websocket.http.response" not in scope.get("extensions", {}):
            # ASGI: a close before accept is an HTTP 403.
            await send({"type": "websocket.close", "code": 1008, "reason": verdict.code})
            return
        response = _refusal(verdict, 403)
        response.headers.update(security)
        await response(scope, receive, send)

    def _tell(self, scope: Scope, verdict: Verdict) -> None:
        code, path = verdict.code or "unauthorized", scope["path"][:_TOLD_CHARACTERS]
        self._on_refusal(code)
        tell(logging.INFO, "request_refused", "%s: %s", code, path, code=code, path=path)


class _Asking:
    """What a request says about itself, judged by the rules."""

    def __init__(self, scope: Scope, rules: AccessRules) -> None:
        self._scope = scope
        self._rules = rules
        self._headers = Headers(scope=scope)
        hosts = self._headers.getlist("host")
        self.host = hosts[0].lower() if len(hosts) == 1 else None
        self._origins = self._headers.getlist("origin")

    def judge(self) -> Verdict:
        """All three in their order."""
        verdict = self.check_host()
        verdict = self.check_origin() if verdict.allowed else verdict
        return self.check_token() if verdict.allowed else verdict

    def check_host(self) -> Verdict:
        return check_host(self.host, self._rules.hosts)

    def check_origin(self) -> Verdict:
        if not self._origins and (self._is_safe() or self._is_of_our_page() or self._has_explicit_token()):
            return Verdict(True)
        return check_origin(self._origins, self._rules.origins)

    def check_token(self) -> Verdict:
        """Any of the ways in which a token comes will do; all are tried, so that the time does not tell which."""
        verdicts = [check_token(given, self._rules.token) for given in (None, *self._tokens())]
        return next((verdict for verdict in verdicts if verdict.allowed), verdicts[0])

    def cors_headers(self) -> Mapping[str, str]:
        """For a front end on an allowed origin: its scripts may read the answer, with the cookie or the header."""
        foreign = {origin_of(one) for one in self._rules.allowed_origins}
        if not self._origins or origin_of(self._origins[0]) not in foreign:
            return {"vary": "origin"} if foreign else {}
        return {
            "access-control-allow-origin": self._origins[0],
            "access-control-allow-credentials": "true",
            "cross-origin-resource-policy": "cross-origin",
            "vary": "origin",
        }

    def preflight(self) -> Response | None:
        """The answer to a browser that asks before it asks. It carries no token and learns nothing."""
        if self._scope["method"] != "OPTIONS" or "access-control-request-method" not in self._headers:
            return None
        return Response(
            status_code=204,
            headers={
                "access-control-allow-methods": "GET, POST",
                "access-control-allow-headers": "authorization, content-type, last-event-id",
                "access-control-max-age": "600",
            },
        )

    def token_in_address(self) -> Response | None:
        """`GET /?token=...`: take the token out of the address and into the cookie."""
        if self._scope["method"] != "GET" or route_path(self._scope) != "/" or self._rules.token is None:
            return None
        given = parse_qs(self._scope.get("query_string", b"").decode("latin-1")).get("token")
        if given is None:
            return None
        verdict = check_token(given[0] if len(given) == 1 else None, self._rules.token)
        if not verdict.allowed:
            return _refusal(verdict, 401, as_page=self.wants_page())
        # Both are relative to the address that the browser asked for, which nobody else knows behind a proxy that takes
        # a prefix off: a cookie without a path holds for the address's directory (RFC 6265, 5.1.4).
        response = RedirectResponse("./", status_code=303)
        response.set_cookie(
            self._rules.cookie,
            self._rules.token,
            httponly=True,
            samesite="strict",
            path=None,
            secure=self._rules.scheme_at(self.host) == "https",
        )
        return response

    def wants_page(self) -> bool:
        """Whether a person looks at the answer: a browser that opens an address."""
        return self._scope["method"] == "GET" and "text/html" in self._headers.get("accept", "")

    def _is_safe(self) -> bool:
        return self._scope["type"] == "http" and self._scope["method"] in _SAFE_METHODS and not self._is_bringing_code()

    def _is_bringing_code(self) -> bool:
        """Whether a GET is to run code. Any page on another port of this host could ask for that with an image, and
        the cookie would go along.
        """
        return "code" in parse_qs(self._scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)

    def _is_of_our_page(self) -> bool:
        """Whether a browser says that a page of this very origin asks: an `EventSource` sends no `Origin` there, and no
        page can set this header.
        """
        is_get = self._scope["type"] == "http" and self._scope["method"] == "GET"
        return is_get and self._headers.getlist("sec-fetch-site") == ["same-origin"]

    def _has_explicit_token(self) -> bool:
        """Whether the right token came in a way that no browser takes by itself."""
        expected = self._rules.token
        return expected is not None and any(check_token(one, expected).allowed for one in self._explicit_tokens())

    def _tokens(self) -> Iterator[str]:
        yield from self._explicit_tokens()
        # Not the standard library's parser: it gives up at the first cookie that is odd, and any other server on this
        # host may have set one. Nor one that makes a dict: another server of ours, mounted above, has the same name.
        for header in self._headers.getlist("cookie"):
            for cookie in header.split(";"):
                name, _, token = cookie.strip().partition("=")
                if name == self._rules.cookie:
                    yield token

    def _explicit_tokens(self) -> Iterator[str]:
        for header in self._headers.getlist("authorization"):
            scheme, _, token = header.partition(" ")
            if scheme.lower() == "bearer":
                yield token.strip()
        for protocol in self._scope.get("subprotocols", ()):
            if protocol.startswith(TOKEN_SUBPROTOCOL):
                yield _from_base64url(protocol.removeprefix(TOKEN_SUBPROTOCOL))


def route_path(scope: Scope) -> str:
    """The path of a request below the address at which the application is mounted."""
    root: str = scope.get("root_path", "")
    path: str = scope["path"]
    return path[len(root) :] if root and path.startswith(f"{root}/") else path


def security_headers(host: str | None, rules: AccessRules) -> Mapping[str, str]:
    """The headers of every answer.

    Args:
        host: the name under which we were asked, once it is known to be one of ours.
        rules: of the server.
    """
    connect = "'self'"
    if host is not None and host in rules.hosts:
        # In some versions of WebKit 'self' does not cover a WebSocket to the same place.
        connect += f" {'wss' if rules.scheme_at(host) == 'https' else 'ws'}://{host}"
    ancestors = " ".join(["'self'", *sorted(rules.framed_by)])
    evaluation = "'unsafe-eval'" if rules.allows_eval else "'wasm-unsafe-eval'"
    return {
        "content-security-policy": (
            f"default-src 'none'; script-src 'self' {evaluation}; style-src 'self' 'unsafe-inline'; "
            f"img-src 'self' data: blob:; font-src 'self' data:; worker-src blob:; connect-src {connect}; "
            f"base-uri 'none'; form-action 'none'; frame-ancestors {ancestors}"
        ),
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        "cross-origin-resource-policy": "same-origin",
    }


def _with_headers(send: Send, headers: Mapping[str, str]) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            present = MutableHeaders(scope=message)
            for name, value in headers.items():
                if name == "vary":
                    present.add_vary_header(value)  # Beside what the answer itself varies with.
                else:
                    present[name] = value
        await send(message)

    return sending


def _refusal(verdict: Verdict, status: int, *, as_page: bool = False) -> Response:
    code = verdict.code or "unauthorized"
    message = _MESSAGES[code]
    response: Response
    if as_page:
        # Every word is ours: nothing of the request is in it.
        response = HTMLResponse(_PAGE.format(message=message, code=code), status_code=status)
    else:
        response = JSONResponse({"code": code, "message": message}, status_code=status)
    response.headers["cache-control"] = "no-store"
    if status == 401:
        response.headers["www-authenticate"] = "Bearer"
    return response


def _host_of(origin: str) -> str:
    """The `Host` header that a browser sends to an origin, in lower case: the default port is left out."""
    parts = urlsplit(origin.lower())
    return parts.netloc.removesuffix(":443" if parts.scheme == "https" else ":80")


def _from_base64url(text: str) -> str:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return ""

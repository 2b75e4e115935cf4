"""Under a path of somebody else's host: what a reverse proxy leaves of it in the requests that it passes on.

Some proxies take the prefix off (`location /widgets/ { proxy_pass http://127.0.0.1:8765/; }`), some leave it, some do
one on one route and the other on another. Whoever starts the server knows the prefix, and says it (`--public-url`); no
header of a request is believed, `X-Forwarded-Prefix` neither, since any page can send one. Where a host framework
mounts the application, the framework does all this (`root_path`), and nothing here is needed.
"""

from __future__ import annotations

import re
from typing import Final

from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_PREFIX: Final = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+")
_OWN: Final = frozenset({"api", "client", "esm", "healthz", "ws"})
"""First parts of our own addresses: `/api/execute` must not be taken for `/execute` under `/api`."""


class UnderPrefix:
    """An application that answers under a prefix and, for proxies that take it off, without."""

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        if not is_prefix(prefix):
            raise ValueError(f"expected a path such as /widgets, not below {', '.join(sorted(_OWN))}; got {prefix!r}")
        self._app = app
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            if scope["path"] == self._prefix and scope["type"] == "http":
                query = scope.get("query_string", b"").decode("latin-1")
                await RedirectResponse(f"{self._prefix}/{query and f'?{query}'}")(scope, receive, send)
                return
            if scope["path"].startswith(f"{self._prefix}/"):
                scope = {**scope, "root_path": self._prefix}
        await self._app(scope, receive, send)


def is_prefix(path: str) -> bool:
    """Whether an application can be under this path: parts of plain characters, the first none of its own."""
    return _PREFIX.fullmatch(path) is not None and path.split("/")[1] not in _OWN

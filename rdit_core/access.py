"""Verdicts: may this peer connect, and as whom.

The core sees no headers. An adapter reads them, asks the functions here, and hands the resulting `Verdict` to
`WidgetManager.connect`, which refuses anything but an allowed one; an adapter that forgets to ask therefore opens
nothing. A verdict never depends on the `Host` header alone, since whoever controls a name can point it at loopback.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import urlsplit

from .errors import AccessCode


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was decided about one peer, and for which user."""

    allowed: bool
    code: AccessCode | Literal[""] = ""
    """Why not; empty when allowed."""
    user: str = ""
    """Whom the connection counts for (`Limits.max_connections`)."""


TRUSTED: Final = Verdict(allowed=True, user="local")
"""For peers inside this process (tests, the simulated front end, a pipe you opened yourself)."""

_DEFAULT_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443}


def origin_of(url: str) -> str | None:
    """Reduce a URL to `scheme://host:port` in lower case with the port spelled out, or None if it has no such form.

    Anything a browser would not send as an `Origin` (credentials, path, query) gives None.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    scheme = parts.scheme.lower()
    if scheme not in _DEFAULT_PORTS or not parts.hostname or "@" in parts.netloc:
        return None
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        return None
    host = parts.hostname
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{_DEFAULT_PORTS[scheme] if port is None else port}"


def check_origin(origins: Sequence[str], allowed: Collection[str]) -> Verdict:
    """Judge the `Origin` headers of one request: exactly one, and scheme, host and port all equal to an allowed one.

    Args:
        origins: every `Origin` header of the request, in order. None, two or `null` are refused.
        allowed: origins such as `http://127.0.0.1:8765`; a missing port means the scheme's own.
    """
    if len(origins) != 1 or origins[0] == "null" or origins[0] != origins[0].strip():
        return Verdict(False, "forbidden_origin")
    # Browsers send origins in lower case and without a path; one that is not so was not made by a browser.
    is_plain = origins[0] == origins[0].lower() and not origins[0].endswith("/")
    origin = origin_of(origins[0]) if is_plain else None
    if origin is None or origin not in {origin_of(one) for one in allowed}:
        return Verdict(False, "forbidden_origin")
    return Verdict(True)


def check_host(host: str | None, allowed: Collection[str]) -> Verdict:
    """Judge the `Host` header against names the server answers to (DNS rebinding arrives under a foreign name).

    Args:
        host: the header as sent, or None when it is missing.
        allowed: names with or without a port, IPv6 in brackets; without a port every port is accepted.
    """
    if not host or host != host.strip():
        return Verdict(False, "forbidden_host")
    given = host.lower()
    name = given if given.endswith("]") else given.rpartition(":")[0] or given
    names = {one.lower() for one in allowed}
    return Verdict(True) if given in names or name in names else Verdict(False, "forbidden_host")


def check_token(given: str | None, expected: str | None, *, user: str = "local") -> Verdict:
    """Compare a token in constant time. `expected=None` means that the host asked for no token."""
    if expected is None:
        return Verdict(True, user=user)
    if given is None or not hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode()):
        return Verdict(False, "unauthorized")
    return Verdict(True, user=user)

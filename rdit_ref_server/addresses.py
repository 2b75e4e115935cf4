"""Where a server listens, and what it is called there."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Iterable
from contextlib import suppress
from typing import Final
from urllib.parse import quote, urlsplit

from rdit_core import origin_of

from .prefix import is_prefix

DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 8765


class CannotListen(Exception):
    """There is nothing to listen at. The text says why."""


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a host."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def is_wildcard(host: str) -> bool:
    """Whether a host stands for all interfaces."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_unspecified
    except ValueError:
        return False


def own_names() -> Iterable[str]:
    """What this machine is called from outside, for a server that listens everywhere."""
    names = {socket.gethostname(), socket.getfqdn()}
    with suppress(OSError):
        names.update(str(address[4][0]) for address in socket.getaddrinfo(socket.gethostname(), None))
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        # Connecting a datagram socket sends nothing; it only picks the interface that leads out (RFC 5737 address).
        probe.connect(("192.0.2.1", 9))
        names.add(probe.getsockname()[0])
    return sorted(name for name in names if name)


def dialled(host: str) -> str:
    """What to write in an address to reach a server that listens at a host."""
    name = DEFAULT_HOST if is_wildcard(host) else host
    return f"[{name}]" if ":" in name and not name.startswith("[") else name


def address_of(origin: str, token: str | None) -> str:
    """What to open in a browser."""
    return origin.rstrip("/") + "/" + (f"?token={quote(token)}" if token is not None else "")


def is_public_url(url: str) -> bool:
    """Whether a text can be what a forwarder shows a server at."""
    try:
        origin, prefix = split_url(url)
    except ValueError:
        return False
    is_origin = origin_of(origin) is not None and origin.lower().startswith(("http:", "https:"))
    return is_origin and (not prefix or is_prefix(prefix)) and not {"?", "#"} & set(url)


def split_url(public_url: str) -> tuple[str, str]:
    """The origin of an address, and its path without the slash at the end."""
    parts = urlsplit(public_url)
    return f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")


def listen(host: str, port: int) -> socket.socket:
    """Bind before anything else is started, so that what cannot work is said at once.

    Raises:
        CannotListen: nobody can, there.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise CannotListen(f"cannot listen at {host}: {error.strerror}") from error
    listener = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":
            # Elsewhere it would let two servers have one port.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
    except OSError as error:
        listener.close()
        hint = "; choose another with --port, or --port 0 for any free one" if port else ""
        raise CannotListen(
            f"cannot listen at {host} port {port}: {(error.strerror or str(error)).lower()}{hint}"
        ) from error
    except BaseException:
        listener.close()
        raise
    return listener

"""`rdit serve`: run a script, show its widgets in a page.

The main thread is the kernel; the web server lives in a side thread (see `kernel`). The ready line is the one place
where the token is printed.
"""

from __future__ import annotations

import argparse
import ipaddress
import logging
import os
import secrets
import socket
import sys
import threading
import time
import webbrowser
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NoReturn
from urllib.parse import quote

import uvicorn
from starlette.types import ASGIApp

from rdit_core import Limits, origin_of

from .app import create_app
from .kernel import Kernel
from .log import EventLog
from .reload import Reloader
from .script import Script
from .security import AccessRules, is_token
from .server_log import FORMATS, LEVELS, logging_to, tell, tell_of
from .streams import terminal_only
from .websocket import FRAME_HEADROOM

PROGRAM: Final = "rdit serve"
DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 8765

_GRACE_S: Final = 3.0
"""How long user code may take to give the main thread back once the server was told to end."""

_CLOSE_S: Final = 2
"""How long open connections may take to end."""

_LAST_WORD_S: Final = 0.5
"""How long the last line of the log may take, when the script is left."""

_ENDED_AT_ONCE: Final = 130
"""Exit status when a second signal ended the process, as a shell has it of Ctrl-C."""

_EXAMPLES: Final = """\
examples:
  rdit serve notebook.py                     run it, open a browser
  rdit serve notebook.py --port 0            on any free port
  rdit serve plot.py --no-browser -- a.csv   sys.argv is ['plot.py', 'a.csv'] in the script
  rdit serve app.py --allow-origin http://localhost:5173
                                             for a front end of your own that is served from there
  rdit serve app.py --public-url http://localhost:9000
                                             behind ssh -L 9000:localhost:8765, a container's port, a reverse proxy
  rdit serve chart.py --allow-eval           for widgets that make code out of text, as Altair's do
  rdit serve widget.py --reload              what you save takes over: a widget's module or style in place, with its
                                             state; the script, or a module of its directory, by a fresh run

Top-level expressions of the script are displayed, as in a notebook; end one with `;` to hide it. Widgets are live while
the server runs. Ctrl-C ends it: pages are told, and come back by themselves when it is started again. A second Ctrl-C
does not wait for the script.

RDIT_LOG_FORMAT and RDIT_LOG_LEVEL in the environment stand for --log-format and --log-level.
"""


def serve(argv: Sequence[str]) -> int:
    """Run the command; returns the process's exit status: 0 after Ctrl-C or SIGTERM, 2 when it could not start."""
    try:
        options = _parse(argv)
        listener = _listen(options.host, options.port)
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else 2
    log_to_stderr = logging_to(sys.stderr, token=options.token, format=options.log_format, level=options.log_level)
    with listener, log_to_stderr:
        return _serve(options, listener)


def _serve(options: argparse.Namespace, listener: socket.socket) -> int:
    limits = Limits(max_connections=options.max_connections)
    port = listener.getsockname()[1]
    rules = AccessRules.for_address(
        options.host,
        port,
        token=options.token,
        allowed_origins=options.allow_origin,
        names=_own_names() if _is_wildcard(options.host) else (),
        public_origin=options.public_url,
        allows_eval=options.allow_eval,
    )
    # A thousand ids per second of life: no log of an earlier server at this port has reached them.
    kernel = Kernel(limits=limits, log=EventLog(first_id=time.time_ns() // 1_000_000))
    script = Script(options.script, tuple(options.arguments))
    tell_of(kernel.manager)
    server = _web_server(create_app(kernel, script, rules), limits)

    def serve_pages() -> None:
        with terminal_only():
            server.run(sockets=[listener])

    web = threading.Thread(target=serve_pages, name="rdit-web", daemon=True)
    web.start()
    while not server.started:
        if not web.is_alive():
            return 2
        time.sleep(0.005)

    address = _address(options.public_url or f"http://{_dialled(options.host)}:{port}", options.token)
    print(f"rdit: serving at {address}", flush=True)
    tell(logging.INFO, "started", "serving %s", script.path.name, address=f"{_dialled(options.host)}:{port}")
    if options.browser and _has_display():
        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()

    kernel.on_stop(_leave_after(_GRACE_S))
    kernel.on_stop(_say_farewell(kernel, server))
    kernel.on_insist(lambda: os._exit(_ENDED_AT_ONCE))
    reloader = None
    if options.reload:
        # anywidget's own watcher would change widgets in a thread of its own.
        os.environ.pop("ANYWIDGET_HMR", None)
        reloader = Reloader(kernel, script)
        reloader.start()
    kernel.run(script)
    kernel.serve_forever(handle_signals=True)
    if reloader is not None:
        reloader.stop()
    web.join(_CLOSE_S + 1)
    tell(logging.INFO, "stopped", "stopped")
    return 0


def _web_server(app: ASGIApp, limits: Limits) -> uvicorn.Server:
    """The web server as this command runs it, not started yet."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            ws="websockets-sansio",
            ws_max_size=limits.max_frame_bytes * FRAME_HEADROOM,
            # Compressing costs more than it saves on the machine itself, and invites compression bombs elsewhere.
            ws_per_message_deflate=False,
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_graceful_shutdown=_CLOSE_S,
        )
    )


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    own, arguments = list(argv), []
    if "--" in own:
        cut = own.index("--")
        own, arguments = own[:cut], own[cut + 1 :]
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Run a Python script and show its results and widgets, live, in a page.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        usage=f"{PROGRAM} SCRIPT.py [options] [-- ARGS...]",
    )
    parser.add_argument("script", metavar="SCRIPT.py", type=Path, help="the script; what follows -- are its arguments")
    parser.add_argument("--host", help=f"address to listen at (default {DEFAULT_HOST}: this machine only)")
    parser.add_argument(
        "--port", type=int, default=DEFAULT_PORT, help="port to listen at (default %(default)s; 0: any free one)"
    )
    parser.add_argument("--no-browser", dest="browser", action="store_false", help="open no browser")
    parser.add_argument(
        "--reload", action="store_true", help="watch the script and its widgets' files; what is saved takes over"
    )
    access = parser.add_mutually_exclusive_group()
    access.add_argument(
        "--token", metavar="T", help="what a visitor must know (default: random, in the printed address)"
    )
    access.add_argument("--no-token", action="store_true", help="let in every page of this server's own origin")
    parser.add_argument(
        "--allow-origin",
        metavar="URL",
        action="append",
        default=[],
        help="let pages of this origin in as well; may be repeated",
    )
    parser.add_argument(
        "--public-url",
        metavar="URL",
        help="where a forwarder shows this server: a port of ssh -L or of a container, a reverse proxy",
    )
    parser.add_argument(
        "--allow-eval",
        action="store_true",
        help="let widgets make code out of text, as those of Vega (Altair) and regl (jupyter-scatter) do",
    )
    parser.add_argument(
        "--max-connections",
        metavar="N",
        type=int,
        default=Limits().max_connections,
        help="pages that may be connected at a time (default %(default)s)",
    )
    parser.add_argument(
        "--log-format",
        choices=FORMATS,
        default=os.environ.get("RDIT_LOG_FORMAT", "text"),
        help="of what the server says of itself on stderr: text (default), or one JSON object per line",
    )
    parser.add_argument(
        "--log-level",
        choices=LEVELS,
        default=os.environ.get("RDIT_LOG_LEVEL", "warning"),
        help="the least that it says (default warning)",
    )
    options = parser.parse_args(own)
    options.arguments = arguments
    _check(options, parser.error)
    return options


def _check(options: argparse.Namespace, refuse: Callable[[str], NoReturn]) -> None:
    """Say in one line what is wrong with the arguments, or fill in what was left out."""
    # What comes from the environment is not looked at by the parser.
    for name, value, known in (
        ("RDIT_LOG_FORMAT", options.log_format, FORMATS),
        ("RDIT_LOG_LEVEL", options.log_level, LEVELS),
    ):
        if value not in known:
            refuse(f"{name} takes one of {', '.join(known)}, got {value}")
    if not options.script.is_file():
        _fail(f"{options.script} is a directory" if options.script.is_dir() else f"no such file: {options.script}")
    if not os.access(options.script, os.R_OK):
        _fail(f"cannot read {options.script}")
    if not 0 <= options.port <= 65535:
        refuse("--port must be 0 to 65535")
    if options.max_connections < 1:
        refuse("--max-connections must be at least 1")
    for origin in options.allow_origin:
        if origin_of(origin) is None:
            refuse(f"--allow-origin takes an origin such as http://localhost:5173, got {origin}")
    if options.public_url is not None and not _is_public_url(options.public_url):
        refuse(f"--public-url takes an address without a path, such as http://localhost:9000, got {options.public_url}")
    if options.host == "":
        # To the socket library an empty name means every interface.
        refuse("--host must not be empty; to listen on every interface say so: --host 0.0.0.0")
    if options.token is not None and not is_token(options.token):
        refuse("--token must be 8 to 256 characters of A-Z a-z 0-9 . _ ~ -; to do without one, say --no-token")
    options.host = options.host or DEFAULT_HOST
    if options.no_token and not _is_loopback(options.host):
        print(
            f"rdit: warning: anybody who can reach {options.host} can run code here: no token is asked for",
            file=sys.stderr,
        )
    if not options.no_token and options.token is None:
        options.token = secrets.token_urlsafe(32)


def _listen(host: str, port: int) -> socket.socket:
    """Bind before anything else is started, so that what cannot work is said at once."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        _fail(f"cannot listen at {host}: {error.strerror}")
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
        _fail(f"cannot listen at {host} port {port}: {(error.strerror or str(error)).lower()}{hint}")
    except BaseException:
        listener.close()
        raise
    return listener


def _fail(reason: str) -> NoReturn:
    print(f"{PROGRAM}: error: {reason}", file=sys.stderr)
    raise SystemExit(2)


def _is_public_url(url: str) -> bool:
    return origin_of(url) is not None and url.lower().startswith(("http:", "https:"))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _is_wildcard(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_unspecified
    except ValueError:
        return False


def _own_names() -> Iterable[str]:
    """What this machine is called from outside, for a server that listens everywhere."""
    names = {socket.gethostname(), socket.getfqdn()}
    with suppress(OSError):
        names.update(str(address[4][0]) for address in socket.getaddrinfo(socket.gethostname(), None))
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        # Connecting a datagram socket sends nothing; it only picks the interface that leads out (RFC 5737 address).
        probe.connect(("192.0.2.1", 9))
        names.add(probe.getsockname()[0])
    return sorted(name for name in names if name)


def _dialled(host: str) -> str:
    """What to write in an address to reach a server that listens at a host."""
    name = DEFAULT_HOST if _is_wildcard(host) else host
    return f"[{name}]" if ":" in name and not name.startswith("[") else name


def _address(origin: str, token: str | None) -> str:
    return origin.rstrip("/") + "/" + (f"?token={quote(token)}" if token is not None else "")


def _has_display() -> bool:
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _say_farewell(kernel: Kernel, server: uvicorn.Server) -> Callable[[], None]:
    """Make what lets pages go while user code may still be running: they hear why, and that they may come back."""

    def farewell() -> None:
        kernel.manager.close_connections(time.monotonic())
        server.should_exit = True  # Stops listening; new connections on open ones are refused by now.
        kernel.log.close()  # And ends the event streams.
        tell(logging.INFO, "stopping", "stopping")

    # A thread: this begins in a signal handler, which may have interrupted whoever holds a lock.
    return lambda: threading.Thread(target=farewell, name="rdit-farewell", daemon=True).start()


def _leave_after(seconds: float) -> Callable[[], None]:
    """Make what ends the process when user code (or a thread of it) does not let it end."""

    def leave() -> None:
        time.sleep(seconds)
        # In a thread: nobody may read what we write any more, and then it would wait.
        telling = threading.Thread(
            target=tell, args=(logging.WARNING, "script_left", "the script does not stop; leaving it"), daemon=True
        )
        telling.start()
        telling.join(_LAST_WORD_S)
        os._exit(0)

    # A daemon: when all is well the process ends before it wakes up.
    return lambda: threading.Thread(target=leave, name="rdit-leave", daemon=True).start()

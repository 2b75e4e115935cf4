"""`rdit serve`: run a script, show its widgets in a page. `rdit export`: write such a page, without Python behind it.

The main thread is the kernel (see `kernel`). With `rdit serve` the web server lives in a side thread, and the ready
line is the one place where the token is printed. What an exported page is made of is said in `export`.
"""

from __future__ import annotations

import argparse
import datetime
import ipaddress
import logging
import os
import secrets
import signal
import socket
import sys
import threading
import time
import webbrowser
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import BinaryIO, Final, NoReturn, TextIO
from urllib.parse import quote, urlsplit

import uvicorn
from starlette.types import ASGIApp

from rdit_core import Limits, origin_of

from .app import create_app
from .export import build_page, check_target, human_size, run_to_end, standard_output_kept, write_page
from .interrupts import ONE_SIGNAL_S
from .kernel import Kernel
from .kernels import DEFAULT_TTL_S, Kernels
from .log import EventLog
from .prefix import UnderPrefix, is_prefix
from .reload import Reloader
from .script import Script
from .security import READ_ONLY, AccessRules, is_token
from .server_log import FORMATS, LEVELS, logging_to, tell, tell_of
from .streams import terminal_only
from .transport import protocols
from .websocket import FRAME_HEADROOM

PROGRAM: Final = "rdit serve"
EXPORT_PROGRAM: Final = "rdit export"
DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 8765

_GRACE_S: Final = 3.0
"""How long user code may take to give the main thread back once the server was told to end."""

_CLOSE_S: Final = 2
"""How long open connections may take to end."""

_LAST_WORD_S: Final = 0.5
"""How long the last line of the log may take, when the script is left."""

_TOLD_S: Final = 1.0
"""How long pages may take to hear that the server ends; who does not read has no more."""

_LOOK_S: Final = 0.01
"""How often is asked whether they have."""

_MAX_TTL_S: Final = 7 * 24 * 3600.0
"""Longer a kernel of `--kernel-per-tab` never waits for its page."""

_PROGRESS_S: Final = 5.0
"""A script that takes longer is heard of this often."""

_INTERRUPTED: Final = 130
"""What shells say of a command that Ctrl-C ended: `rdit export`, and `rdit serve` at a second one."""

_SCRIPT_LEFT: Final = "the script does not stop; leaving it"

_EXAMPLES: Final = """\
examples:
  rdit serve notebook.py                     run it, open a browser
  rdit serve notebook.py --port 0            on any free port
  rdit serve plot.py --no-browser -- a.csv   sys.argv is ['plot.py', 'a.csv'] in the script
  rdit serve app.py --allow-origin http://localhost:5173
                                             for a front end of your own that is served from there
  rdit serve app.py --public-url http://localhost:9000
                                             behind ssh -L 9000:localhost:8765, a container's port, a reverse proxy
  rdit serve app.py --public-url https://example.org/widgets
                                             behind a reverse proxy, under a path of its own
  rdit serve chart.py --allow-eval           for widgets that make code out of text, as Altair's do
  rdit serve -m package.app                  a module, as python -m package.app
  rdit serve panel.py --read-only            for an audience: pages see what happens, and write nothing
  rdit serve widget.py --reload              what you save takes over: a widget's module or style in place, with its
                                             state; the script, or a module of its directory, by a fresh run

Top-level expressions of the script are displayed, as in a notebook; end one with `;` to hide it. Widgets are live while
the server runs. Ctrl-C ends it: pages are told, and come back by themselves when it is started again. A second Ctrl-C
does not wait for the script.

RDIT_LOG_FORMAT and RDIT_LOG_LEVEL in the environment stand for --log-format and --log-level.
"""

_EXPORT_EXAMPLES: Final = """\
examples:
  rdit export report.py -o report.html       run it, write what it shows as one file
  rdit export report.py -o report.html --title "Sales in May"
  rdit export plot.py -o a.html -- a.csv     sys.argv is ['plot.py', 'a.csv'] in the script
  rdit export report.py -o - | gzip > report.html.gz
                                             the page to standard output; what the script prints goes to stderr
  rdit export map.py -o map.html --allow-network
                                             for widgets that fetch data while they are used, as maps do

The file needs no server and no Python: it opens from disk. Outputs are those of the run; widgets do what their own code
does in the browser, from the state that they had when the script was done.

Exit status: 0; 1 when the script failed (the page is written all the same, and shows the error); 2 when no page could
be written; 130 after Ctrl-C.
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
    public_origin, prefix = (None, "") if options.public_url is None else _split_url(options.public_url)
    rules = AccessRules.for_address(
        options.host,
        port,
        token=options.token,
        allowed_origins=options.allow_origin,
        names=_own_names() if _is_wildcard(options.host) else (),
        public_origin=public_origin,
        allows_eval=options.allow_eval,
        allows_code=options.allow_code,
        read_only=options.read_only,
        framed_by=options.allow_frame,
    )
    policy = READ_ONLY if options.read_only else None

    # A thousand ids per second of life: no log of an earlier server at this port has reached them.
    def make_kernel() -> Kernel:
        log = EventLog(first_id=time.time_ns() // 1_000_000)
        kernel = Kernel(limits=limits, log=log, policy=policy, shares_process=options.kernel_per_tab)
        tell_of(kernel.manager)
        return kernel

    script = options.script
    if options.kernel_per_tab:
        kernel: Kernel | Kernels = Kernels(
            make_kernel, script, ttl_s=options.kernel_ttl, max_kernels=options.max_connections
        )
    else:
        kernel = make_kernel()
    app: ASGIApp = create_app(kernel, script, rules, workers=1)
    server = _web_server(UnderPrefix(app, prefix) if prefix else app, limits)

    def serve_pages() -> None:
        with terminal_only():
            server.run(sockets=[listener])

    if isinstance(kernel, Kernel):
        kernel.run(script)  # Not before `serve_forever`; a page that is quick finds that a run is about to begin.
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

    if isinstance(kernel, Kernels):
        _serve_tabs(kernel, server)
    else:
        _serve_script(kernel, server, options)
    web.join(_CLOSE_S + 1)
    tell(logging.INFO, "stopped", "stopped")
    return 0


def _serve_script(kernel: Kernel, server: uvicorn.Server, options: argparse.Namespace) -> None:
    """Be the kernel's thread until it is asked to end."""
    kernel.on_stop(_leave_after(_GRACE_S, _tell_script_left))
    kernel.on_stop(_say_farewell(kernel, server))
    kernel.on_insist(lambda: os._exit(_INTERRUPTED))
    script, reloader = options.script, None
    if options.reload:
        # anywidget's own watcher would change widgets in a thread of its own.
        os.environ.pop("ANYWIDGET_HMR", None)
        reloader = Reloader(kernel, script)
        reloader.start()
    kernel.serve_forever(handle_signals=True)
    if reloader is not None:
        reloader.stop()


def _serve_tabs(kernels: Kernels, server: uvicorn.Server) -> None:
    """Wait until the process is asked to end; the kernels have threads of their own."""
    # Not an event: its lock may be held by whoever the signal interrupts.
    asked: SimpleQueue[None] = SimpleQueue()
    asked_s: list[float] = []

    def heard(*_: object) -> None:
        now_s = time.monotonic()
        if asked_s and now_s - asked_s[0] > ONE_SIGNAL_S:
            os._exit(_INTERRUPTED)
        asked_s.append(now_s)
        asked.put(None)

    before = {number: signal.signal(number, heard) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        while True:
            # On Windows a wait without an end hears of no signal.
            with suppress(Empty):
                asked.get(timeout=1.0)
                break
        _leave_after(_GRACE_S, _tell_script_left)()
        kernels.stop()
        _wait_for_none(kernels.count_open)
        server.should_exit = True  # Stops listening.
        tell(logging.INFO, "stopping", "stopping")
        kernels.close()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def export(argv: Sequence[str]) -> int:
    """Run the command; returns the process's exit status, which `_EXPORT_EXAMPLES` explains."""
    try:
        options = _parse_export(argv)
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else 2
    status, stderr = 2, sys.stderr
    try:
        with standard_output_kept() if options.output == "-" else nullcontext() as stdout:
            status = _export(options, stdout)
    finally:
        if any(not thread.daemon and thread is not threading.main_thread() for thread in threading.enumerate()):
            # A thread that the script left behind has nothing to wait for.
            _leave_after(_GRACE_S, lambda: _say(stderr, _SCRIPT_LEFT), status)()
    return status


def _export(options: argparse.Namespace, stdout: BinaryIO | None) -> int:
    name = options.script.name
    stderr = sys.stderr  # While the script runs, what is written to `sys.stderr` is a result of the script's.

    def say(text: str) -> None:
        _say(stderr, text)

    done = threading.Event()

    def tell_progress(kernel: Kernel) -> None:
        watch = threading.Thread(
            target=_tell_progress, args=(kernel, name, done, say), name="rdit-progress", daemon=True
        )
        watch.start()

    say(f"running {name}")
    try:
        results = run_to_end(
            Script(options.script, tuple(options.arguments)),
            on_start=tell_progress,
            on_interrupt=_leave_after(_GRACE_S, lambda: say(_SCRIPT_LEFT), _INTERRUPTED),
        )
    finally:
        done.set()
    if results is None:
        say("interrupted; no page was written")
        return _INTERRUPTED
    page = build_page(
        results,
        script_name=name,
        title=options.title or name,
        made=datetime.datetime.now(datetime.timezone.utc),
        allow_network=options.allow_network,
    )
    try:
        if stdout is not None:
            stdout.write(page)
            stdout.flush()
        else:
            write_page(Path(options.output), page)
    except OSError as error:
        print(f"{EXPORT_PROGRAM}: error: cannot write {options.output}: {error.strerror or error}", file=stderr)
        return 2
    say(f"wrote {'the page' if stdout else options.output} ({human_size(len(page))})")
    if results.hosts:
        say(f"the page needs the network: widgets load code or styles from {', '.join(results.hosts)}")
    if results.has_failed:
        say(f"{name} failed; the page shows the error")
    return 1 if results.has_failed else 0


def _tell_progress(kernel: Kernel, name: str, done: threading.Event, say: Callable[[str], None]) -> None:
    began_s = time.monotonic()
    last_id, place = 0, ""
    while not done.wait(_PROGRESS_S):
        for event in kernel.log.read(last_id)[0]:
            last_id = event.id
            if event.kind == "statement":
                place = f" at line {event.fields['lineno']}"
        say(f"{name} is{place} after {time.monotonic() - began_s:.0f} s")


def _web_server(app: ASGIApp, limits: Limits) -> uvicorn.Server:
    """The web server as this command runs it, not started yet."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            # The core's own limit comes first, where it speaks the protocol: it says why.
            **protocols(head_s=limits.first_frame_s, stall_s=1.5 * limits.stall_s),
            ws_max_size=limits.max_frame_bytes * FRAME_HEADROOM,
            # Compressing costs more than it saves on the machine itself, and invites compression bombs elsewhere.
            ws_per_message_deflate=False,
            # Nothing here goes by what a request says about where it came through.
            proxy_headers=False,
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_graceful_shutdown=_CLOSE_S,
        )
    )


def _split_arguments(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Our own arguments, and those of the script, which follow `--`."""
    own = list(argv)
    if "--" not in own:
        return own, []
    cut = own.index("--")
    return own[:cut], own[cut + 1 :]


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    own, arguments = _split_arguments(argv)
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Run a Python script and show its results and widgets, live, in a page.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        usage=f"{PROGRAM} SCRIPT.py|-m MODULE [options] [-- ARGS...]",
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "script", metavar="SCRIPT.py", nargs="?", type=Path, help="the script; what follows -- are its arguments"
    )
    what.add_argument("-m", dest="module", metavar="MODULE", help="run a module as a script, as python -m does")
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
        "--allow-frame",
        metavar="URL",
        action="append",
        default=[],
        help="let pages of this origin show ours in a frame; may be repeated",
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
        help="pages that may be connected at a time (default %(default)s); with --kernel-per-tab: kernels",
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
    parser.add_argument(
        "--kernel-per-tab",
        action="store_true",
        help="run the script for each page load by itself, instead of once for all pages",
    )
    parser.add_argument(
        "--kernel-ttl",
        metavar="S",
        type=float,
        default=DEFAULT_TTL_S,
        help="seconds that such a kernel stays when its page has left (default %(default)g)",
    )
    parser.add_argument(
        "--allow-code",
        action="store_true",
        help="let who is let in send code to run (/api/execute), for a front end of your own",
    )
    parser.add_argument(
        "--read-only", action="store_true", help="let pages see, but not write, restart or interrupt anything"
    )
    options = parser.parse_args(own)
    options.arguments = arguments
    _check(options, parser.error)
    return options


def _parse_export(argv: Sequence[str]) -> argparse.Namespace:
    own, arguments = _split_arguments(argv)
    parser = argparse.ArgumentParser(
        prog=EXPORT_PROGRAM,
        description="Run a Python script and write what it shows, results and widgets, as one HTML file.",
        epilog=_EXPORT_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        usage=f"{EXPORT_PROGRAM} SCRIPT.py -o PAGE.html [options] [-- ARGS...]",
    )
    parser.add_argument("script", metavar="SCRIPT.py", type=Path, help="the script; what follows -- are its arguments")
    parser.add_argument(
        "-o", "--output", metavar="PAGE.html", required=True, help="the file to write; - for standard output"
    )
    parser.add_argument("--title", help="title of the page (default: the script's name)")
    parser.add_argument(
        "--allow-network",
        action="store_true",
        help="let widgets load from the network (default: only where their code or style is said to come from there)",
    )
    options = parser.parse_args(own)
    options.arguments = arguments
    _check_script(options.script, EXPORT_PROGRAM)
    if options.output != "-":
        try:
            check_target(Path(options.output))
        except OSError as error:
            _fail(f"cannot write {options.output}: {error.strerror}", EXPORT_PROGRAM)
    return options


def _check_script(script: Path, program: str) -> None:
    if not script.is_file():
        _fail(f"{script} is a directory" if script.is_dir() else f"no such file: {script}", program)
    if not os.access(script, os.R_OK):
        _fail(f"cannot read {script}", program)


def _check(options: argparse.Namespace, refuse: Callable[[str], NoReturn]) -> None:
    """Say in one line what is wrong with the arguments, or fill in what was left out."""
    # What comes from the environment is not looked at by the parser.
    for name, value, known in (
        ("RDIT_LOG_FORMAT", options.log_format, FORMATS),
        ("RDIT_LOG_LEVEL", options.log_level, LEVELS),
    ):
        if value not in known:
            refuse(f"{name} takes one of {', '.join(known)}, got {value}")
    if options.read_only and options.allow_code:
        refuse("--read-only and --allow-code exclude each other")
    if options.kernel_per_tab and options.reload:
        refuse("--kernel-per-tab and --reload exclude each other: a page that is loaded again runs what is saved")
    if not 0 <= options.kernel_ttl < _MAX_TTL_S:
        refuse("--kernel-ttl must be 0 or more seconds, and less than a week")
    options.script = _find(options)
    if not 0 <= options.port <= 65535:
        refuse("--port must be 0 to 65535")
    if options.max_connections < 1:
        refuse("--max-connections must be at least 1")
    for option, origins in (("--allow-origin", options.allow_origin), ("--allow-frame", options.allow_frame)):
        for origin in origins:
            if origin_of(origin) is None:
                refuse(f"{option} takes an origin such as http://localhost:5173, got {origin}")
    if options.public_url is not None and not _is_public_url(options.public_url):
        refuse(
            "--public-url takes an address such as http://localhost:9000 or https://example.org/widgets "
            f"(the path not below /api, /client, /esm, /healthz, /ws), got {options.public_url}"
        )
    if options.host == "":
        # To the socket library an empty name means every interface.
        refuse("--host must not be empty; to listen on every interface say so: --host 0.0.0.0")
    if options.token is not None and not is_token(options.token):
        refuse("--token must be 8 to 256 characters of A-Z a-z 0-9 . _ ~ -; to do without one, say --no-token")
    options.host = options.host or DEFAULT_HOST
    # A forwarder leads here from where it listens itself.
    open_at = options.public_url or (None if _is_loopback(options.host) else options.host)
    if options.no_token and open_at is not None:
        print(
            f"rdit: warning: anybody who can reach {open_at} can run code here: no token is asked for", file=sys.stderr
        )
    if not options.no_token and options.token is None:
        options.token = secrets.token_urlsafe(32)


def _find(options: argparse.Namespace) -> Script:
    arguments = tuple(options.arguments)
    if options.module is not None:
        # As `python -m` does; an installed command has its own directory there.
        sys.path.insert(0, os.getcwd())  # noqa: PTH109 - as Python spells it
        try:
            return Script.of_module(options.module, arguments)
        except ImportError as error:
            _fail(f"cannot run module {options.module}: {str(error)[:1].lower()}{str(error)[1:]}")
        except Exception as error:
            _fail(f"cannot run module {options.module}: its package raised {type(error).__name__}: {error}")
    _check_script(options.script, PROGRAM)
    return Script(options.script, arguments)


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


def _fail(reason: str, program: str = PROGRAM) -> NoReturn:
    print(f"{program}: error: {reason}", file=sys.stderr)
    raise SystemExit(2)


def _is_public_url(url: str) -> bool:
    try:
        origin, prefix = _split_url(url)
    except ValueError:
        return False
    is_origin = origin_of(origin) is not None and origin.lower().startswith(("http:", "https:"))
    return is_origin and (not prefix or is_prefix(prefix)) and not {"?", "#"} & set(url)


def _split_url(public_url: str) -> tuple[str, str]:
    """The origin of an address, and its path without the slash at the end."""
    parts = urlsplit(public_url)
    return f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")


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


def _say(stderr: TextIO, text: str) -> None:
    print(f"rdit: {text}", file=stderr, flush=True)


def _tell_script_left() -> None:
    tell(logging.WARNING, "script_left", _SCRIPT_LEFT)


def _say_farewell(kernel: Kernel, server: uvicorn.Server) -> Callable[[], None]:
    """Make what lets pages go while user code may still be running: they hear why, and that they may come back."""

    def farewell() -> None:
        kernel.manager.close_connections(time.monotonic())
        kernel.log.close()  # Ends the event streams.
        _wait_for_none(kernel.manager.count_open)
        server.should_exit = True  # Stops listening; new connections are refused by now.
        tell(logging.INFO, "stopping", "stopping")

    # A thread: this begins in a signal handler, which may have interrupted whoever holds a lock.
    return lambda: threading.Thread(target=farewell, name="rdit-farewell", daemon=True).start()


def _wait_for_none(count_open: Callable[[], int]) -> None:
    """Let pages hear why they are let go: the web server closes what is still open, without a reason of ours."""
    give_up_s = time.monotonic() + _TOLD_S
    while count_open() and time.monotonic() < give_up_s:
        time.sleep(_LOOK_S)


def _leave_after(seconds: float, say: Callable[[], None], status: int = 0) -> Callable[[], None]:
    """Make what ends the process when user code (or a thread of it) does not let it end."""

    def begin() -> None:
        due = threading.Event()

        def tell_in_time() -> None:
            due.wait()
            say()

        def leave() -> None:
            time.sleep(seconds)
            due.set()
            telling.join(_LAST_WORD_S)
            os._exit(status)

        # A thread of its own: nobody may read what we write any more, and then it would wait. It is there beforehand,
        # since an interpreter that is ending makes none. Both are daemons: when all is well the process ends first.
        telling = threading.Thread(target=tell_in_time, name="rdit-last-word", daemon=True)
        telling.start()
        threading.Thread(target=leave, name="rdit-leave", daemon=True).start()

    return begin

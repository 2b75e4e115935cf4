"""The arguments of `rdit serve`."""

from __future__ import annotations

import argparse
import os
import secrets
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NoReturn

from rdit_core import Limits, origin_of

from .addresses import DEFAULT_HOST, DEFAULT_PORT, is_loopback, is_public_url
from .kernels import DEFAULT_TTL_S
from .options import check_script, fail, split_arguments
from .script import Script
from .security import is_token
from .server_log import FORMATS, LEVELS

PROGRAM: Final = "rdit serve"

_MAX_TTL_S: Final = 7 * 24 * 3600.0
"""Longer a kernel of `--kernel-per-tab` never waits for its page."""

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


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The options, whole and checked; `warning` is what is to be said of them.

    Raises:
        SystemExit: they make no sense, which has been said; or help was asked for.
    """
    own, arguments = split_arguments(argv)
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
    if options.public_url is not None and not is_public_url(options.public_url):
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
    open_at = options.public_url or (None if is_loopback(options.host) else options.host)
    options.warning = ""
    if options.no_token and open_at is not None:
        options.warning = f"anybody who can reach {open_at} can run code here: no token is asked for"
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
            fail(f"cannot run module {options.module}: {str(error)[:1].lower()}{str(error)[1:]}", PROGRAM)
        except Exception as error:
            fail(f"cannot run module {options.module}: its package raised {type(error).__name__}: {error}", PROGRAM)
    check_script(options.script, PROGRAM)
    return Script(options.script, arguments)

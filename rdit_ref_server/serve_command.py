"""`rdit serve`: the main thread is the kernel (see `kernel`), the web server lives in a side thread.

The ready line is the one place where the token is printed.
"""

from __future__ import annotations

import argparse
import itertools
import logging
import os
import signal
import socket
import sys
import threading
import time
import webbrowser
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from queue import Empty, SimpleQueue

import uvicorn
from starlette.types import ASGIApp

from rdit_core import Limits

from .addresses import CannotListen, address_of, dialled, is_wildcard, listen, own_names, split_url
from .allocator import give_back_memory
from .app import create_app
from .ending import CLOSE_S, GRACE_S, INTERRUPTED, SCRIPT_LEFT, leave_after, say_farewell, wait_for_none
from .interrupts import ONE_SIGNAL_S
from .kernel import Kernel
from .kernels import Kernels
from .log import EventLog
from .options import fail
from .prefix import UnderPrefix
from .reload import Reloader
from .security import READ_ONLY, AccessRules
from .serve_options import PROGRAM, parse
from .server_log import logging_to, stderr_as_records, tell, tell_of
from .streams import terminal_only
from .transport import protocols
from .websocket import FRAME_HEADROOM


def serve(argv: Sequence[str]) -> int:
    """Run the command; returns the process's exit status: 0 after Ctrl-C or SIGTERM, 2 when it could not start."""
    try:
        options = parse(argv)
        try:
            listener = listen(options.host, options.port)
        except CannotListen as error:
            fail(str(error), PROGRAM)
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else 2
    log_to_stderr = logging_to(sys.stderr, token=options.token, format=options.log_format, level=options.log_level)
    is_json = options.log_format == "json"
    with listener, log_to_stderr, stderr_as_records() if is_json else nullcontext():
        if options.warning and is_json:
            tell(logging.WARNING, "no_token", "%s", options.warning)
        elif options.warning:
            print(f"rdit: warning: {options.warning}", file=sys.stderr)
        return _serve(options, listener)


def _serve(options: argparse.Namespace, listener: socket.socket) -> int:
    give_back_memory()
    limits = Limits(max_connections=options.max_connections)
    port = listener.getsockname()[1]
    public_origin, prefix = (None, "") if options.public_url is None else split_url(options.public_url)
    rules = AccessRules.for_address(
        options.host,
        port,
        token=options.token,
        allowed_origins=options.allow_origin,
        names=own_names() if is_wildcard(options.host) else (),
        public_origin=public_origin,
        allows_eval=options.allow_eval,
        allows_code=options.allow_code,
        read_only=options.read_only,
        framed_by=options.allow_frame,
    )
    policy = READ_ONLY if options.read_only else None

    numbers = itertools.count(1)

    # A thousand ids per second of life: no log of an earlier server at this port has reached them.
    def make_kernel() -> Kernel:
        log = EventLog(first_id=time.time_ns() // 1_000_000)
        number = next(numbers) if options.kernel_per_tab else None
        kernel = Kernel(limits=limits, log=log, policy=policy, shares_process=options.kernel_per_tab, number=number)
        tell_of(kernel.manager, number)
        return kernel

    script = options.script
    if options.kernel_per_tab:
        kernel: Kernel | Kernels = Kernels(
            make_kernel, script, ttl_s=options.kernel_ttl, max_kernels=options.max_connections
        )
    else:
        kernel = make_kernel()
    app: ASGIApp = create_app(kernel, script, rules, workers=1)
    server = web_server(UnderPrefix(app, prefix) if prefix else app, limits)

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

    address = address_of(options.public_url or f"http://{dialled(options.host)}:{port}", options.token)
    print(f"rdit: serving at {address}", flush=True)
    tell(logging.INFO, "started", "serving %s", script.path.name, address=f"{dialled(options.host)}:{port}")
    if options.browser and _has_display():
        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()

    if isinstance(kernel, Kernels):
        _serve_tabs(kernel, server)
    else:
        _serve_script(kernel, server, options)
    web.join(CLOSE_S + 1)
    tell(logging.INFO, "stopped", "stopped")
    return 0


def _serve_script(kernel: Kernel, server: uvicorn.Server, options: argparse.Namespace) -> None:
    """Be the kernel's thread until it is asked to end."""
    kernel.on_stop(leave_after(GRACE_S, _tell_script_left))
    kernel.on_stop(say_farewell(kernel, server))
    kernel.on_insist(lambda: os._exit(INTERRUPTED))
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
            os._exit(INTERRUPTED)
        asked_s.append(now_s)
        asked.put(None)

    before = {number: signal.signal(number, heard) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        while True:
            # On Windows a wait without an end hears of no signal.
            with suppress(Empty):
                asked.get(timeout=1.0)
                break
        leave_after(GRACE_S, _tell_script_left)()
        kernels.stop()
        wait_for_none(kernels.count_open)
        server.should_exit = True  # Stops listening.
        tell(logging.INFO, "stopping", "stopping")
        kernels.close()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def web_server(app: ASGIApp, limits: Limits) -> uvicorn.Server:
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
            timeout_graceful_shutdown=CLOSE_S,
        )
    )


def _has_display() -> bool:
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _tell_script_left() -> None:
    tell(logging.WARNING, "script_left", SCRIPT_LEFT)

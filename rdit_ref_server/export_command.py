"""`rdit export`: its arguments, and what it says. What an exported page is made of is said in `export`."""

from __future__ import annotations

import argparse
import datetime
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import BinaryIO, Final, TextIO

from .ending import GRACE_S, INTERRUPTED, SCRIPT_LEFT, leave_after
from .export import build_page, check_target, human_size, run_to_end, standard_output_kept, write_page
from .kernel import Kernel
from .options import check_script, fail, split_arguments
from .script import Script

PROGRAM: Final = "rdit export"

_PROGRESS_S: Final = 5.0
"""A script that takes longer is heard of this often."""

_EXAMPLES: Final = """\
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


def export(argv: Sequence[str]) -> int:
    """Run the command; returns the process's exit status, which `_EXAMPLES` explains."""
    try:
        options = _parse(argv)
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else 2
    status, stderr = 2, sys.stderr
    try:
        with standard_output_kept() if options.output == "-" else nullcontext() as stdout:
            status = _export(options, stdout)
    finally:
        if any(not thread.daemon and thread is not threading.main_thread() for thread in threading.enumerate()):
            # A thread that the script left behind has nothing to wait for.
            leave_after(GRACE_S, lambda: _say(stderr, SCRIPT_LEFT), status)()
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
            on_interrupt=leave_after(GRACE_S, lambda: say(SCRIPT_LEFT), INTERRUPTED),
        )
    finally:
        done.set()
    if results is None:
        say("interrupted; no page was written")
        return INTERRUPTED
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
        print(f"{PROGRAM}: error: cannot write {options.output}: {error.strerror or error}", file=stderr)
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


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    own, arguments = split_arguments(argv)
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Run a Python script and write what it shows, results and widgets, as one HTML file.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        usage=f"{PROGRAM} SCRIPT.py -o PAGE.html [options] [-- ARGS...]",
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
    check_script(options.script, PROGRAM)
    if options.output != "-":
        try:
            check_target(Path(options.output))
        except OSError as error:
            fail(f"cannot write {options.output}: {error.strerror}", PROGRAM)
    return options


def _say(stderr: TextIO, text: str) -> None:
    print(f"rdit: {text}", file=stderr, flush=True)

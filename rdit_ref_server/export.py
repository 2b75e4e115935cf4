"""`rdit export`: what a script shows, as one HTML file that needs no server.

Three steps. `run_to_end` runs the script in a kernel, as `rdit serve` does, and takes what a page would be told: the
events of the run, the state of every widget that is alive, the text of their modules. `build_page` puts that and the
browser side into one document. `write_page` puts the document where it was asked for, whole or not at all. The command
around them is in `export_command`.

**One renderer.** The page is the client of `client/`, module for module as it is served, with `static_page.js` in the
place of `page.js`. The state is in it as frames of `rdit/1`, so that what a live page can be told a static one can.

**Everything is data.** Whatever a script or a widget says comes as JSON or base64 in script elements that do not run,
with `<` and the two line separators escaped: no text can end its element, or begin another. Two things are written as
markup: our own files, and a few words (title, name of the script, time), which are escaped. One script runs by itself,
ours, and the page's policy names it by its hash.

**No request leaves.** The policy allows code and pictures that are in the file. The exception is code or a style that a
widget has at an address: then the page may load, and says so.
"""

from __future__ import annotations

import base64
import contextlib
import datetime
import hashlib
import html
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec

from rdit_core import TRUSTED, Limits, WidgetManager, __version__

from .app import CLIENT
from .kernel import Kernel
from .linker import in_order
from .script import Script

_ENTRY: Final = "static_page.js"
_BOOT: Final = "static_boot.js"
_PLACE: Final = re.compile(r"\{\{(\w+)\}\}")

_ESCAPES: Final = {"<": "\\u003c", "\u2028": "\\u2028", "\u2029": "\\u2029"}
"""What JSON in a script element must not hold: the beginning of an end tag or a comment, and what was no JavaScript
once. All three stand in strings only, where an escape means the same."""

_PIECE_CHARACTERS: Final = 60_000
"""Longer data goes on in further elements. WebKit cuts an element's text at 65,536 characters and then looks at all of
it again with each piece: 40 MB in one element took it more than a minute, in many it takes seconds."""

_HOST: Final = r"https?://([\w.:\[\]-]+)"
_CODE_FROM: Final = re.compile(rf"""\b(?:from|import)\s*\(?\s*["'`]{_HOST}""")
_STYLE_FROM: Final = re.compile(rf"""(?:@import\s+|\burl\()\s*["']?{_HOST}""", re.IGNORECASE)
_NAMESPACES: Final = "www.w3.org"
"""Whose addresses are names of namespaces: nobody loads them."""


@dataclass(frozen=True, slots=True)
class Results:
    """What a run left, as a page is told of it."""

    events: Sequence[bytes]
    """One JSON text each, in order."""
    frames: Sequence[str | bytes]
    """The `sync` of `rdit/1` that shows everything, in its parts."""
    modules: Mapping[str, str]
    """Text of each widget's module, by the address that the frames name."""
    hosts: Sequence[str]
    """From which widgets load code or style by themselves, sorted."""
    has_failed: bool
    """Whether the script was ended by an error."""


def run_to_end(
    script: Script,
    *,
    on_start: Callable[[Kernel], None] = lambda kernel: None,
    on_interrupt: Callable[[], None] = lambda: None,
) -> Results | None:
    """Run a script on the calling thread, which must be the main one, and give what it shows when it is done.

    Args:
        script: what to run.
        on_start: called with the kernel before the script begins.
        on_interrupt: called when Ctrl-C or SIGTERM is about to end the run, perhaps in a signal handler.

    Returns:
        None when Ctrl-C or SIGTERM ended the run.
    """
    kernel = Kernel(limits=Limits())
    taken: list[Results] = []
    failures: list[BaseException] = []

    def take() -> None:
        # A job must not raise, and nothing else is to be run after it.
        try:
            taken.append(_take(kernel))
        except BaseException as error:
            failures.append(error)
        kernel.stop()

    def stopping() -> None:
        if not taken and not failures:
            on_interrupt()

    kernel.on_stop(stopping)
    on_start(kernel)
    kernel.run(script)
    kernel.submit(take)
    kernel.serve_forever(handle_signals=True)
    if failures:
        raise failures[0]
    return taken[0] if taken else None


def _take(kernel: Kernel) -> Results:
    manager = kernel.manager
    # First the state: whatever a thread of the script's does meanwhile, it comes from one moment.
    frames = _snapshot(manager)
    modules: dict[str, str] = {}
    hosts: set[str] = set()
    for widget_id in manager:
        with contextlib.suppress(ValueError, TypeError):  # it has no module, or a thread has just closed it
            code = msgspec.json.decode(manager.encode_serialized(widget_id), type=_Code)
            hosts |= _hosts_of(code.esm, _CODE_FROM)
            if isinstance(code.css, str):
                hosts |= _hosts_of(code.css, _STYLE_FROM)
            modules[kernel.modules.url(code.esm)] = code.esm
    events: list[bytes] = []
    for event in kernel.log.read(0)[0]:
        if event.kind == "widget" and manager.is_displayable(event.fields["widget_id"]):
            # Its state is in the frames.
            events.append(msgspec.json.encode(event.as_dict()))
        else:
            events.append(kernel.encode(event)[1])
    return Results(events, frames, modules, sorted(hosts - {_NAMESPACES}), kernel.has_failed)


class _Code(msgspec.Struct):
    """What of a serialized widget is code."""

    esm: str
    css: Any = None


def _hosts_of(source: str, pattern: re.Pattern[str]) -> set[str]:
    """Where a module or a style says that it loads from; the whole of it, when it is an address itself."""
    itself = re.match(_HOST, source)
    return {itself[1]} if itself else set(pattern.findall(source))


def _snapshot(manager: WidgetManager) -> list[str | bytes]:
    """What a page that asks for everything is told: the parts of one `sync` (PROTOCOL.md, "Sync")."""
    page = manager.connect(TRUSTED, mode="v1")
    try:
        page.receive_frame('{"type":"hello"}', 0.0)
        _welcome, *frames = page.frames_to_send(0.0)
        news: Sequence[str | bytes] = frames
        while news:
            page.receive_frame(msgspec.json.encode({"type": "sync_ack", "frame": len(frames)}).decode(), 0.0)
            news = page.frames_to_send(0.0)
            frames += news
        return frames
    finally:
        page.receive_eof(0.0)


# The page.


def build_page(
    results: Results,
    *,
    script_name: str,
    title: str,
    made: datetime.datetime,
    allow_network: bool = False,
    client: Path = CLIENT,
) -> bytes:
    """Make the document: UTF-8, complete.

    Args:
        results: of the run.
        script_name: without its directory; the page names it.
        title: of the document.
        made: when, with a time zone.
        allow_network: let the page load from any https address, also where no widget is known to.
        client: directory of the browser side.
    """
    boot = (client / _BOOT).read_text(encoding="utf-8")
    made = made.astimezone(datetime.timezone.utc)
    needs_network = ""
    if results.hosts:
        needs_network = f" Widgets load code or styles from {', '.join(results.hosts)}: it needs the network."
    words = {
        "title": title,
        "script": script_name,
        "version": __version__,
        "policy": _policy(boot, allows_network=allow_network or bool(results.hosts)),
        "made": made.isoformat(timespec="seconds"),
        "made_for_people": f"{made:%Y-%m-%d} at {made:%H:%M} UTC",
        "network": needs_network,
        "run": "error" if results.has_failed else "ok",
        "run_label": "Stopped by an error" if results.has_failed else "",
    }
    markup = {
        "css": (client / "page.css").read_text(encoding="utf-8"),
        "boot": boot,
        "data": "\n".join(_data_elements(results, client)),
    }
    places = {**{name: html.escape(word) for name, word in words.items()}, **markup}
    template = (client / "static.html").read_text(encoding="utf-8")
    # In one pass: what is put in is not looked at again.
    return _PLACE.sub(lambda place: places[place[1]], template).encode("utf-8", "backslashreplace")


def client_modules(client: Path, entry: str = _ENTRY) -> dict[str, str]:
    """Give the text of a module and of all that it imports, each after what it imports itself.

    Raises:
        LinkError: modules import each other in a circle.
    """
    return in_order({path.name: path.read_text(encoding="utf-8") for path in client.glob("*.js")}, entry)


def _policy(boot: str, *, allows_network: bool) -> str:
    """The page's content security policy. `unsafe-eval` is in it since here is nothing that it could reach."""
    digest = base64.b64encode(hashlib.sha256(boot.encode()).digest()).decode()
    anywhere = " https: http:" if allows_network else ""
    return (
        f"default-src 'none'; script-src 'sha256-{digest}' blob: 'unsafe-eval'{anywhere}; "
        f"style-src 'unsafe-inline'{anywhere}; img-src data: blob:{anywhere}; font-src data:{anywhere}; "
        f"media-src data: blob:{anywhere}; connect-src data: blob:{anywhere}; worker-src blob:; "
        "base-uri 'none'; form-action 'none'"
    )


def _data_elements(results: Results, client: Path) -> Iterator[str]:
    # In one piece: what joins it is as simple as can be.
    yield _element('id="rdit-client"', _escaped(_json(list(client_modules(client).items()))))
    yield from _pieces('id="rdit-modules"', _json(list(results.modules.items())))
    for frame in results.frames:
        if isinstance(frame, str):
            yield from _pieces('data-rdit-frame="json"', frame)
        else:
            yield from _pieces('data-rdit-frame="base64"', base64.b64encode(frame).decode())
    yield from _pieces('id="rdit-events"', f"[{','.join(event.decode() for event in results.events)}]")


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _pieces(attribute: str, text: str) -> Iterator[str]:
    escaped = _escaped(text)
    for start in range(0, len(escaped), _PIECE_CHARACTERS):
        yield _element("data-rdit-more" if start else attribute, escaped[start : start + _PIECE_CHARACTERS])


def _element(attribute: str, data: str) -> str:
    return f'    <script type="application/json" {attribute}>{data}</script>'


def _escaped(text: str) -> str:
    for letter, escape in _ESCAPES.items():
        text = text.replace(letter, escape)
    return text


# The file.


def check_target(target: Path) -> None:
    """Find out whether a page can be written there, before a script runs for an hour.

    Raises:
        OSError: it cannot; `strerror` says why in words that follow the target's name.
    """
    if target.is_dir():
        raise IsADirectoryError(None, "is a directory", str(target))
    if not target.parent.is_dir():
        raise NotADirectoryError(None, f"there is no directory {target.parent}", str(target))
    if not os.access(target if target.exists() else target.parent, os.W_OK):
        raise PermissionError(None, "permission denied", str(target))


def write_page(target: Path, page: bytes) -> None:
    """Write a page, whole or not at all: one that was there stays as it is until the new one is.

    Raises:
        OSError: it could not be written.
    """
    target = target.resolve()
    if target.exists() and not target.is_file():
        # A pipe or a device, in whose place no file must be put.
        with target.open("wb") as stream:
            stream.write(page)
        return
    unfinished = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with unfinished.open("xb") as stream:
            stream.write(page)
        if target.exists():
            shutil.copymode(target, unfinished)
        unfinished.replace(target)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def standard_output_kept() -> Iterator[BinaryIO]:
    """Give standard output for the page alone: whatever the script, or a process of its own, prints goes to stderr."""
    sys.stdout.flush()
    kept = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    try:
        yield kept
    finally:
        sys.stdout.flush()
        os.dup2(kept.fileno(), 1)
        with contextlib.suppress(OSError):  # what could not be written has been said
            kept.close()


def human_size(size_bytes: int) -> str:
    """A size as people read it."""
    if size_bytes < 1_000_000:
        return f"{max(size_bytes / 1000, 0.1):.0f} kB"
    return f"{size_bytes / 1_000_000:.1f} MB"

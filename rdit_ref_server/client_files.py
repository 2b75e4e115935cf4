"""The browser side as the server has it: read once, joined for the page, compressed once.

A file's name is looked up in a dict, so no request's name becomes a path. Browsers keep the files and ask each time
whether they are still the same (`ETag`), so that a page never mixes two versions of the server.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from .compression import compressed, respond
from .linker import link

PAGE: Final = "index.html"
JOINED: Final = "page.joined.js"
"""The page's modules as one; made here, there is no such file."""

_ENTRY: Final = "page.js"
_MEDIA_TYPES: Final = {".js": "text/javascript", ".css": "text/css", ".html": "text/html"}
_PRELOADS: Final = re.compile(r'^\s*(?:<!--[^>]*-->\s*)?(?:<link rel="modulepreload"[^>]*>\s*)+?$', re.MULTILINE)
_SCRIPT: Final = f'src="client/{_ENTRY}"'


@dataclass(frozen=True, slots=True)
class ClientFile:
    """One file, ready to be sent."""

    content: bytes
    media_type: str
    etag: str
    gzipped: bytes | None
    """None where it would gain nothing."""

    @classmethod
    def of(cls, content: bytes, suffix: str) -> ClientFile:
        """Make one; `suffix` is that of its name."""
        etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        return cls(content, _MEDIA_TYPES[suffix], etag, compressed(content))

    def response(self, request: Request) -> Response:
        """The answer to a request for it."""
        return respond(
            request,
            self.content,
            self.gzipped,
            media_type=self.media_type,
            etag=self.etag,
            cache_control="no-cache",
        )


def read_client(directory: Path) -> Mapping[str, ClientFile]:
    """Read the `.js`, `.css` and `.html` files of a directory, by name; the page's modules also joined, and named so
    in the page.

    Raises:
        LinkError: the page's modules cannot be joined.
    """
    contents = {
        path.name: path.read_bytes()
        for path in sorted(directory.iterdir())
        if path.suffix in _MEDIA_TYPES and path.is_file()
    }
    page = contents.get(PAGE, b"").decode()
    if _SCRIPT in page:
        modules = {name: content.decode() for name, content in contents.items() if name.endswith(".js")}
        contents[JOINED] = link(modules, _ENTRY).encode()
        contents[PAGE] = _PRELOADS.sub("", page).replace(_SCRIPT, f'src="client/{JOINED}"').encode()
    return {name: ClientFile.of(content, Path(name).suffix) for name, content in contents.items()}

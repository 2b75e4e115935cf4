"""The bare server of the browser benchmarks: `websockets` alone, one process, `python -m bench.echo_server`.

It says its address on stdout, serves `pages/bare.html`, and answers that page:

- a text beginning with `!stream N `: the rest of it, N times, one message each, then `!end`;
- `!download N`: N bytes in one binary message;
- `!last`: `!done`;
- `!drop ...`: nothing;
- bytes: `!got` and their number;
- any other text: the same text.
"""

from __future__ import annotations

import asyncio
import contextlib
from http import HTTPStatus
from pathlib import Path

from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

PAGE = (Path(__file__).parent / "pages" / "bare.html").read_bytes()
MAX_MESSAGE_BYTES = 256 * 1024 * 1024


async def answer(socket: ServerConnection) -> None:
    """Serve one page until it leaves."""
    with contextlib.suppress(ConnectionClosed):  # A browser that ends says no goodbye.
        await _answer(socket)


async def _answer(socket: ServerConnection) -> None:
    async for message in socket:
        if isinstance(message, bytes):
            await socket.send(f"!got {len(message)}")
        elif message.startswith("!stream "):
            _, count, text = message.split(" ", 2)
            for _number in range(int(count)):
                await socket.send(text)
            await socket.send("!end")
        elif message.startswith("!download "):
            await socket.send(bytes(int(message.split()[1])))
        elif message == "!last":
            await socket.send("!done")
        elif not message.startswith("!drop"):
            await socket.send(message)


def page(socket: ServerConnection, request: Request) -> Response | None:
    """Give the page to whoever does not ask for a WebSocket."""
    if "upgrade" in request.headers:
        return None
    headers = Headers({"content-type": "text/html; charset=utf-8", "content-length": str(len(PAGE))})
    return Response(HTTPStatus.OK, "OK", headers, PAGE)


async def main() -> None:
    """Serve until the process is ended."""
    async with serve(
        answer, "127.0.0.1", 0, process_request=page, compression=None, max_size=MAX_MESSAGE_BYTES
    ) as server:
        print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())

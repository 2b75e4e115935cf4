r"""An endpoint on loopback that speaks chat completions and says what it is told to, good and bad: for tests of
whatever asks a language model. It keeps the requests.

    with ScriptedEndpoint("no idea", "```js\nexport default { render() {} };\n```") as endpoint:
        generator = OpenAIGenerator("any", base_url=endpoint.url)
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Literal

_PIECE: Final = 60
_PING_S: Final = 0.02

Ending = Literal["done", "endless", "stall", "pings", "drop", "error", "page"]


@dataclass(frozen=True)
class Answer:
    """What the endpoint does with one request.

    Attributes:
        text: what is said, in pieces.
        status: another one than 200 is sent with `text` as the error's message, and nothing is streamed.
        finish: the `finish_reason` at the end; None for an endpoint that gives none.
        ending: `done`, or what comes instead of an end: `endless` (the text again and again), `stall` (nothing, and the
            connection stays), `pings` (comments), `drop` (the connection ends in the middle), `error` (an error in
            the stream), `page` (the text as a web page in the place of a stream).
        tokens: read and written, if the request asks for the counts; None for an endpoint that never tells.
        is_in_parts: whether each piece comes as a list of parts, thoughts before text.
    """

    text: str = ""
    status: int = 200
    finish: str | None = "stop"
    ending: Ending = "done"
    tokens: tuple[int, int] | None = (100, 10)
    is_in_parts: bool = False


class ScriptedEndpoint:
    """Serves from its making on, until it is closed; answers in order, a text being a good one.

    Attributes:
        url: what a client takes as its base URL.
        requests: the body of each request, as JSON.
        headers: of each request.
    """

    def __init__(self, *answers: Answer | str) -> None:
        self.answers = [Answer(answer) if isinstance(answer, str) else answer for answer in answers]
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self._is_over = threading.Event()
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                endpoint._handle(self)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), name="rdit-endpoint", daemon=True
        )
        self._thread.start()

    def __enter__(self) -> ScriptedEndpoint:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End it, and every answer that is still going on."""
        self._is_over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handle(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["content-length"]))
        self.requests.append(json.loads(body))
        self.headers.append({name.lower(): value for name, value in handler.headers.items()})
        answer = self.answers.pop(0) if self.answers else Answer("No answer is left in the script.", status=400)
        # The other side may go at any moment: that is half of what is tested with this.
        with contextlib.suppress(OSError):
            if answer.status != 200:
                self._refuse(handler, answer)
            else:
                self._stream(handler, answer)
        handler.close_connection = True

    @staticmethod
    def _refuse(handler: BaseHTTPRequestHandler, answer: Answer) -> None:
        body = json.dumps({"error": {"message": answer.text, "type": "scripted", "code": None}}).encode()
        handler.send_response(answer.status)
        handler.send_header("content-type", "application/json")
        handler.send_header("content-length", str(len(body)))
        handler.send_header("retry-after-ms", "1")
        handler.end_headers()
        handler.wfile.write(body)

    def _stream(self, handler: BaseHTTPRequestHandler, answer: Answer) -> None:
        handler.send_response(200)
        is_page = answer.ending == "page"
        handler.send_header("content-type", "text/html" if is_page else "text/event-stream")
        handler.send_header("connection", "close")
        handler.end_headers()
        for event in [answer.text.encode()] if is_page else self._events(answer, self.requests[-1]):
            handler.wfile.write(event)
            handler.wfile.flush()

    def _events(self, answer: Answer, request: dict[str, Any]) -> Iterator[bytes]:
        pieces = [answer.text[start : start + _PIECE] for start in range(0, len(answer.text), _PIECE)]
        while True:
            for piece in pieces:
                yield _chunk({"content": _parts(piece) if answer.is_in_parts else piece})
            if answer.ending != "endless" or self._is_over.is_set():
                break
        if answer.ending == "stall":
            self._is_over.wait()
        while answer.ending == "pings" and not self._is_over.wait(_PING_S):
            yield b": still there\n\n"
        if answer.ending == "error":
            yield b'data: {"error": {"message": "The model went away.", "type": "scripted"}}\n\n'
        if answer.ending != "done":
            return
        yield _chunk({}, answer.finish)
        if answer.tokens is not None and request.get("stream_options", {}).get("include_usage"):
            read, written = answer.tokens
            usage = {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
            yield _event({**_HEAD, "choices": [], "usage": usage})
        yield b"data: [DONE]\n\n"


_HEAD: Final = {"id": "scripted", "object": "chat.completion.chunk", "created": 0, "model": "scripted"}


def _parts(piece: str) -> list[dict[str, Any]]:
    return [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": piece}]


def _chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
    return _event({**_HEAD, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})


def _event(record: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(record)}\n\n".encode()

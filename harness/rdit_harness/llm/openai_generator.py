"""`OpenAIGenerator`: modules from any endpoint that speaks chat completions as OpenAI's does, streamed.

The client's own timeout counts the silence between two reads of the socket, and a server that sends comments, or a
letter a minute, is never silent. So the stream is read on a thread of its own, which puts what comes into a queue,
and whoever asks waits there for as long as was said, and no longer. What was given up is closed; its thread ends with
it.

What leaves the machine is what `prompt` says: description, traits, the data's summary, and what was refused before.
The key is the client's; it is in no text, no `repr` and no cache key of ours.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from rdit_core.data import DATA_READER
from rdit_core.descriptions import GeneratedModule, NoAnswer, Problem, UnusableAnswer, WidgetRequest

from .extraction import NO_CODE, extract_module
from .prompt import PROMPT_VERSION, messages, system_prompt

if TYPE_CHECKING:
    import openai

MODEL_VARIABLE: Final = "RDIT_MODEL"
MAX_CHARACTERS: Final = 200_000
CHUNK_TIMEOUT_S: Final = 120.0
TOTAL_TIMEOUT_S: Final = 600.0
RETRIES: Final = 2

_READER_MARK: Final = "function readData("
_NO_KEY: Final = "none"
"""What servers that ask for no key are given: the client insists on one."""


class OpenAIGenerator:
    """Asks a language model.

    Args:
        model: its name at the endpoint; the environment's `RDIT_MODEL` by default. There is no other default: models
            go.
        base_url: of the endpoint; the client's default (`OPENAI_BASE_URL`, else OpenAI's) if None.
        api_key: the environment's `OPENAI_API_KEY` by default. With a `base_url` it may be missing.
        temperature: None leaves it to the endpoint.
        max_tokens: how long an answer may be, in tokens; None leaves it to the endpoint.
        max_characters: an answer that is longer is broken off.
        chunk_timeout_s: the longest silence of the endpoint.
        total_timeout_s: the longest answer, in time.
        retries: how often the client repeats a request that was refused for now (429, 5xx) or never arrived.
        count_tokens: ask for the counts. For endpoints that do not know `stream_options`, say False.
        options: further fields of the request, as the endpoint knows them.
        data_reader: JavaScript that reads the trait `data`; added to modules of widgets that have data.
        on_text: told of each piece of the answer as it comes.

    Raises:
        ImportError: the client is not installed.
        ValueError: no model is named.
    """

    def __init__(
        self,
        model: str | None = None,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        max_characters: int = MAX_CHARACTERS,
        chunk_timeout_s: float = CHUNK_TIMEOUT_S,
        total_timeout_s: float = TOTAL_TIMEOUT_S,
        retries: int = RETRIES,
        count_tokens: bool = True,
        options: Mapping[str, Any] | None = None,
        data_reader: str = DATA_READER,
        on_text: Callable[[str], object] | None = None,
    ) -> None:
        if importlib.util.find_spec("openai") is None:
            raise ImportError("The client of language models is missing: pip install 'rdit[llm]'")
        model = model or os.environ.get(MODEL_VARIABLE)
        if not model:
            raise ValueError(
                f"Expected the name of a model: OpenAIGenerator('...'), or {MODEL_VARIABLE} in the environment"
            )
        self.model: Final = model
        self.base_url: Final = base_url
        self.max_characters = max_characters
        self.chunk_timeout_s = chunk_timeout_s
        self.total_timeout_s = total_timeout_s
        self.retries = retries
        self.on_text = on_text
        self._api_key = api_key
        self._data_reader = data_reader
        self._fields: dict[str, Any] = {"model": model, **(options or {})}
        if temperature is not None:
            self._fields["temperature"] = temperature
        if max_tokens is not None:
            self._fields["max_tokens"] = max_tokens
        self._count_tokens = count_tokens

    def __repr__(self) -> str:
        where = f", base_url={self.base_url!r}" if self.base_url else ""
        return f"OpenAIGenerator({self.model!r}{where})"

    @property
    def cache_key(self) -> str:
        """Everything that an answer depends on beside the request."""
        words = hashlib.sha256(f"{system_prompt()}{self._data_reader}".encode()).hexdigest()
        return json.dumps(["openai", self.base_url, self._fields, PROMPT_VERSION, words], sort_keys=True, default=repr)

    def generate(self, request: WidgetRequest) -> GeneratedModule:
        """A module for a request. Blocks until the model has said it, or a limit is reached.

        Raises:
            UnusableAnswer: no_code, empty_answer, cut_off, too_long or too_slow.
            NoAnswer: unauthorized, unknown_model, bad_request, rate_limited, server_error, no_connection,
                no_stream, stalled or content_filter.
        """
        said = self._ask(messages(request, data_reader=self._data_reader))
        try:
            esm, css = extract_module(said.text)
        except UnusableAnswer as error:
            raise said.unusable(*error.problems) from None
        if request.data is not None and _READER_MARK not in esm:
            # At the end, where it is found all the same and moves no line that an error is told of.
            esm = f"{esm}\n{self._data_reader}"
        return GeneratedModule(esm, css, said.tokens_in, said.tokens_out)

    def _ask(self, conversation: list[dict[str, str]]) -> _Said:
        arrivals: queue.SimpleQueue[Any] = queue.SimpleQueue()
        reading = _Reading(self._client(), {**self._request(), "messages": conversation}, arrivals)
        threading.Thread(target=reading.run, name="rdit-llm", daemon=True).start()
        said = _Said()
        give_up_s = time.monotonic() + self.total_timeout_s
        try:
            while True:
                rest_s = give_up_s - time.monotonic()
                try:
                    arrival = arrivals.get(timeout=max(0.0, min(self._patience_s(said), rest_s)))
                except queue.Empty:
                    arrival = None
                if time.monotonic() >= give_up_s:
                    raise said.unusable(
                        Problem(
                            "too_slow",
                            f"The answer was not complete after {self.total_timeout_s:g} s.",
                            "Write a shorter module.",
                        )
                    )
                if arrival is None:
                    raise NoAnswer(self._stalled())
                if isinstance(arrival, _End):
                    if arrival.error is not None:
                        raise NoAnswer(self._problem(arrival.error)) from arrival.error
                    return said.checked()
                self._take(arrival, said)
        finally:
            reading.give_up()

    def _patience_s(self, said: _Said) -> float:
        # Until the first piece, the client may be trying again.
        return self.chunk_timeout_s if said.has_begun else self.chunk_timeout_s * (self.retries + 1)

    def _take(self, chunk: Any, said: _Said) -> None:
        said.has_begun = True
        usage = getattr(chunk, "usage", None)
        if usage is not None:
            said.tokens_in, said.tokens_out = usage.prompt_tokens, usage.completion_tokens
        for choice in (chunk.choices or [])[:1]:
            said.finish = choice.finish_reason or said.finish
            piece = _text(choice.delta.content if choice.delta is not None else None)
            said.text += piece
            if piece and self.on_text is not None:
                self.on_text(piece)
        if len(said.text) > self.max_characters:
            raise said.unusable(
                Problem(
                    "too_long",
                    f"The answer did not end within {self.max_characters:,} characters.",
                    "Write a shorter module, once, and nothing else.",
                )
            )

    def _request(self) -> dict[str, Any]:
        counted = {"stream_options": {"include_usage": True}} if self._count_tokens else {}
        return {**self._fields, "stream": True, **counted}

    def _client(self) -> openai.OpenAI:
        import openai

        key = self._api_key or os.environ.get("OPENAI_API_KEY") or (_NO_KEY if self.base_url else None)
        if key is None:
            raise NoAnswer(_unauthorized("There is no key for the endpoint."))
        timeout = openai.Timeout(self.chunk_timeout_s, connect=min(30.0, self.chunk_timeout_s))
        return openai.OpenAI(api_key=key, base_url=self.base_url, timeout=timeout, max_retries=self.retries)

    def _problem(self, error: Exception) -> Problem:
        """What an error of the client's means, in words that hold no key."""
        import openai

        if isinstance(error, (openai.AuthenticationError, openai.PermissionDeniedError)):
            # Without the endpoint's own words, which may repeat a part of the key.
            return _unauthorized(f"The endpoint refuses the key (HTTP {error.status_code}).")
        said = self._without_key(getattr(error, "message", None) or str(error))[:300]
        if isinstance(error, openai.NotFoundError):
            return Problem(
                "unknown_model",
                f"The endpoint does not know the model {self.model!r}, or is at another address: {said}",
                "Check the model's name and base_url.",
            )
        if isinstance(error, openai.RateLimitError):
            return Problem(
                "rate_limited",
                f"The endpoint takes no more requests for now (HTTP 429): {said}",
                "Wait, or look at the limits of the account.",
            )
        if isinstance(error, openai.InternalServerError):
            return Problem(
                "server_error", f"The endpoint failed (HTTP {error.status_code}): {said}", "Try again later."
            )
        # The client's own patience is as long as ours. In the middle of a stream its error is not wrapped.
        if isinstance(error, openai.APITimeoutError) or type(error).__name__.endswith("Timeout"):
            return self._stalled()
        if isinstance(error, openai.APIConnectionError):
            where = self.base_url or "the endpoint"
            return Problem(
                "no_connection", f"There is no connection to {where}: {said}", "Check base_url and the network."
            )
        if isinstance(error, openai.APIStatusError):
            return Problem(
                "bad_request",
                f"The endpoint refuses the request (HTTP {error.status_code}): {said}",
                "Check what it knows of: model, temperature, max_tokens, count_tokens=False, options.",
            )
        return Problem("connection_lost", f"The answer broke off: {type(error).__name__}: {said}", "Try again later.")

    def _stalled(self) -> Problem:
        return Problem(
            "stalled",
            f"The endpoint said nothing for {self.chunk_timeout_s:g} s.",
            "Try again later; where the model thinks for longer, raise chunk_timeout_s.",
        )

    def _without_key(self, text: str) -> str:
        for key in (self._api_key, os.environ.get("OPENAI_API_KEY")):
            if key:
                text = text.replace(key, "***")
        return text


def _text(content: Any) -> str:
    """What a piece of an answer says. Some endpoints send it in parts, with thoughts among them."""
    if isinstance(content, list):
        return "".join(str(part["text"]) for part in content if isinstance(part, dict) and part.get("type") == "text")
    return content or ""


def _unauthorized(message: str) -> Problem:
    return Problem("unauthorized", message, "Set OPENAI_API_KEY, or pass api_key=..., with a key of this endpoint.")


@dataclass
class _Said:
    """What was said so far."""

    text: str = ""
    finish: str | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    has_begun: bool = False

    def unusable(self, *problems: Problem) -> UnusableAnswer:
        return UnusableAnswer(
            *problems, answer=self.text[:MAX_CHARACTERS], tokens_in=self.tokens_in, tokens_out=self.tokens_out
        )

    def checked(self) -> _Said:
        """Itself, where it is whole.

        Raises:
            UnusableAnswer, NoAnswer: it is not.
        """
        if not self.has_begun:
            raise NoAnswer(
                Problem(
                    "no_stream",
                    "The endpoint answered with something else than a stream of chat completions.",
                    "Check base_url: it often ends in /v1. The endpoint must know `stream`.",
                )
            )
        if self.finish == "content_filter":
            raise NoAnswer(
                Problem(
                    "content_filter",
                    "The endpoint's filter held the answer back.",
                    "Describe the widget in other words.",
                )
            )
        # Where the endpoint does not say why it ended: a code block that was begun and not ended.
        if self.finish == "length" or (self.finish is None and self.text.count("```") % 2 == 1):
            raise self.unusable(
                Problem(
                    "cut_off",
                    "The answer ended in the middle: it is longer than the endpoint lets it be.",
                    "Write a shorter module, and no words around it.",
                )
            )
        if not self.text.strip():
            raise self.unusable(Problem("empty_answer", "The answer is empty.", NO_CODE.hint))
        return self


@dataclass(frozen=True)
class _End:
    """The stream has ended, or never began."""

    error: Exception | None = None


class _Reading:
    """One request, read on a thread of its own."""

    def __init__(self, client: openai.OpenAI, fields: dict[str, Any], arrivals: queue.SimpleQueue[Any]) -> None:
        self._client = client
        self._fields = fields
        self._arrivals = arrivals
        self._is_given_up = threading.Event()
        self._stream: Any = None

    def run(self) -> None:
        try:
            self._stream = self._client.chat.completions.create(**self._fields)
            with self._stream:
                for chunk in self._stream:
                    if self._is_given_up.is_set():
                        return
                    self._arrivals.put(chunk)
        except Exception as error:
            self._arrivals.put(_End(error))
        else:
            self._arrivals.put(_End())
        finally:
            self._client.close()

    def give_up(self) -> None:
        """Let go of whatever still comes. Harmless when all is over."""
        self._is_given_up.set()
        self._client.close()

"""Answers that a generator gave once, given again: for tests, for examples, and for work without a network.

A recording is a JSON file, or a folder with one file per request, that can be kept beside a script and looked through
like any other code. It holds what was asked in words, so that a missing entry can be told from a changed one.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any, Final

from rdit_core.descriptions import (
    GeneratedModule,
    Generator,
    NoAnswer,
    Problem,
    TraitSpec,
    UnusableAnswer,
    WidgetRequest,
)

_VERSION: Final = 1
_KEY_CHARACTERS: Final = 16


class RecordedGenerator:
    """Gives recorded answers, or records another generator's.

    Args:
        path: a `.json` file, or a folder.
        record: a generator that is asked where there is no recording; its answers are written down.
    """

    def __init__(self, path: str | Path, *, record: Generator | None = None) -> None:
        self.path = Path(path)
        self.record = record
        self._is_file = self.path.suffix == ".json"

    @property
    def cache_key(self) -> str | None:
        """What answers depend on: the recordings, or the generator that is recorded."""
        if self.record is not None:
            key: str | None = getattr(self.record, "cache_key", None)
            return key
        digest = hashlib.sha256()
        for path in self._paths():
            if path.is_file():
                digest.update(path.read_bytes())
        return f"recorded {digest.hexdigest()}"

    def generate(self, request: WidgetRequest) -> GeneratedModule:
        """The recorded answer.

        Raises:
            NoAnswer: there is none (`not_recorded`), or the recording cannot be read (`bad_recording`).
            UnusableAnswer: that is what was recorded.
        """
        asked = _asked(request)
        key = _key(asked)
        entry = self._entries().get(key)
        if entry is None:
            if self.record is None:
                raise NoAnswer(self._missing(request, asked))
            entry = {"asked": asked, **_answer_of(self.record, request)}
            self._write(key, entry)
        return _replay(entry)

    def _missing(self, request: WidgetRequest, asked: dict[str, Any]) -> Problem:
        same = [one["asked"] for one in self._entries().values() if one["asked"]["description"] == request.description]
        differs = ", ".join(name for name in asked if same and same[-1].get(name) != asked[name])
        why = f" The description is recorded, and what differs is: {differs}." if same else ""
        round_two = " for what came after a refusal" if request.previous is not None else ""
        return Problem(
            "not_recorded",
            f"{self.path} has no answer{round_two} to {request.description!r}.{why}",
            f"Record it once, where a model is: RecordedGenerator({str(self.path)!r}, record=OpenAIGenerator(...)).",
        )

    def _paths(self) -> list[Path]:
        return [self.path] if self._is_file else sorted(self.path.glob("*.json"))

    def _entries(self) -> dict[str, Any]:
        """All recordings by key. Raises NoAnswer where one cannot be read."""
        entries: dict[str, Any] = {}
        for path in self._paths():
            try:
                recording = json.loads(path.read_text(encoding="utf-8"))
                if recording["version"] != _VERSION:
                    raise ValueError(f"version {recording['version']!r}, expected {_VERSION}")
                entries.update(recording["entries"])
            except FileNotFoundError:
                continue
            except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
                raise NoAnswer(
                    Problem(
                        "bad_recording",
                        f"The recording {path} cannot be read: {error}.",
                        "Record it again, or mend it.",
                    )
                ) from error
        return entries

    def _write(self, key: str, entry: dict[str, Any]) -> None:
        if self._is_file:
            path, entries = self.path, {**self._entries(), key: entry}
        else:
            path, entries = self.path / f"{key}.json", {key: entry}
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"version": _VERSION, "entries": entries}, indent=1, ensure_ascii=False) + "\n"
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, suffix=".part", delete=False) as part:
            part.write(text)
        os.replace(part.name, path)  # noqa: PTH105 the name of a file that is open no more


def _answer_of(generator: Generator, request: WidgetRequest) -> dict[str, Any]:
    try:
        answer = generator.generate(request)
    except UnusableAnswer as error:
        return {
            "unusable": [[problem.code, problem.message, problem.hint] for problem in error.problems],
            "answer": error.answer,
            "tokens_in": error.tokens_in,
            "tokens_out": error.tokens_out,
        }
    module = GeneratedModule(answer) if isinstance(answer, str) else answer
    return {"esm": module.esm, "css": module.css, "tokens_in": module.tokens_in, "tokens_out": module.tokens_out}


def _replay(entry: dict[str, Any]) -> GeneratedModule:
    # Tokens that were paid once are not paid again.
    if "unusable" in entry:
        raise UnusableAnswer(*(Problem(*parts) for parts in entry["unusable"]), answer=entry["answer"])
    return GeneratedModule(entry["esm"], entry["css"])


def _asked(request: WidgetRequest) -> dict[str, Any]:
    """What an answer depends on, as JSON."""
    previous = request.previous
    return {
        "description": request.description,
        "data": None if request.data is None else request.data.text,
        "exports": [_spec(spec) for spec in request.exports.values()],
        "imports": [_spec(spec) for spec in request.imports.values()],
        # By its digest: what was tried has a recording of its own. Not its problems, whose words may be mended.
        "previous": None if previous is None else hashlib.sha256(previous.esm.encode()).hexdigest(),
    }


def _spec(spec: TraitSpec) -> list[str | None]:
    return [spec.name, spec.description, spec.expects]


def _key(asked: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:_KEY_CHARACTERS]

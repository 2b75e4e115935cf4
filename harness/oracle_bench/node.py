"""Programs on the JavaScript side: one Node process that answers line by line (`client/tests/oracle/run.js`)."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from .programs import Program

CLIENT = Path(__file__).resolve().parents[2] / "rdit_ref_server" / "client"
RUNNER = CLIENT / "tests" / "oracle" / "run.js"
_AT_ONCE = 50
"""Programs under way: enough that neither process waits for the other, few enough for the pipes."""


class NodeError(RuntimeError):
    """Node is not there, or ended in the middle."""


class Node:
    """A running Node with the oracle and the client in it. Use it in a `with` block.

    Args:
        plant: edits of the client's modules, as module, text and the text in its place: a planted bug.

    Raises:
        NodeError: the packages are not installed.
    """

    def __init__(self, *, plant: Sequence[tuple[str, str, str]] = ()) -> None:
        if not (CLIENT / "node_modules" / "anywidget").is_dir():
            raise NodeError("Expected rdit_ref_server/client/node_modules with anywidget in it; run `npm ci` there")
        env = {**os.environ, "NODE_NO_WARNINGS": "1", "ORACLE_PLANT": json.dumps(list(plant))}
        self._process = subprocess.Popen(
            ["node", str(RUNNER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=CLIENT, env=env, encoding="utf-8"
        )

    def run(
        self, on: Literal["oracle", "client"], programs: Sequence[Program], deviations: Sequence[str] = ()
    ) -> list[dict[str, Any]]:
        """What came of each program, in order. Raises `NodeError` when the process ends."""
        results: list[dict[str, Any]] = []
        for start in range(0, len(programs), _AT_ONCE):
            group = programs[start : start + _AT_ONCE]
            requests = [json.dumps({"on": on, "program": one, "deviations": list(deviations)}) for one in group]
            results += self._ask(requests)
        return results

    def _ask(self, requests: list[str]) -> list[dict[str, Any]]:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None
        try:
            stdin.write("".join(f"{request}\n" for request in requests))
            stdin.flush()
        except BrokenPipeError:
            raise NodeError(f"Node ended with {self._process.wait()}") from None
        answers = [stdout.readline() for _ in requests]
        if not answers[-1]:
            raise NodeError(f"Node ended with {self._process.wait()}")
        return [json.loads(answer) for answer in answers]

    def __enter__(self) -> Node:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

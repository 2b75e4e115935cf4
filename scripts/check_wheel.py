"""Checks an install from the wheel, without extras: what it must bring and what it must not.

Runs in an environment of its own (`tox run -e wheel`), from a folder that is not the checkout.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

# A server, a browser driver, a test runner: extras bring them.
NOT_IN_THE_CORE = {"starlette", "uvicorn", "watchfiles", "websockets", "playwright", "selenium", "pytest", "openai"}

MUST_HAVE = {
    "rdit_core/py.typed",
    "rdit_ref_server/py.typed",
    "rdit_harness/py.typed",
    "rdit_harness/llm/trial.js",
    "rdit_core/PROTOCOL.md",
    "rdit_core/data.js",
    "rdit_ref_server/client/index.html",
    "rdit_ref_server/client/index.js",
    "rdit_ref_server/client/package.json",
    "rdit_ref_server/client/page.css",
    "rdit_ref_server/client/react.js",
    "rdit_ref_server/client/static.html",
}

MUST_NOT_HAVE = ("/tests/", "node_modules", "package-lock.json", "tsconfig", "e2e/", "examples/", "scripts/")

CLIENT_MODULE = re.compile(r"(rdit_ref_server/client)/(\w+)\.js")

IMPORT_LIMIT = 1.2
"""How much longer `import rdit_core` may take than `import anywidget`, which it needs anyway."""

IMPORT_ROUNDS = 5


def complaints_about_files() -> list[str]:
    """What the installed distribution holds too much or too little."""
    files = {str(file) for file in importlib.metadata.files("rdit") or ()}
    modules = filter(None, map(CLIENT_MODULE.fullmatch, files))
    must_have = MUST_HAVE | {f"{module[1]}/types/{module[2]}.d.ts" for module in modules}
    missing = [f"the wheel lacks {file}" for file in sorted(must_have - files)]
    surplus = [f"the wheel holds {file}" for file in sorted(files) if any(part in f"/{file}" for part in MUST_NOT_HAVE)]
    return missing + surplus


def complaints_about_dependencies() -> list[str]:
    """What a plain install brought and should not have."""
    installed = {(distribution.name or "").lower() for distribution in importlib.metadata.distributions()}
    return [f"a plain install brings {name}" for name in sorted(NOT_IN_THE_CORE & installed)]


def complaints_about_the_command() -> list[str]:
    """`rdit serve` without its extra must name the extra, in one line."""
    answer = run("-m", "rdit_core.cli", "serve", "script.py")
    complaints = []
    if answer.returncode == 0:
        complaints.append("`rdit serve` succeeds without its extra")
    if "rdit[server]" not in answer.stderr or "Traceback" in answer.stderr:
        complaints.append(f"`rdit serve` without its extra does not name rdit[server]: {answer.stderr.strip()!r}")
    return complaints


def complaints_about_import_time() -> list[str]:
    """`import rdit_core` against `import anywidget`, the best of several fresh interpreters each."""
    best = {name: min(import_seconds(name) for _ in range(IMPORT_ROUNDS)) for name in ("anywidget", "rdit_core")}
    share = best["rdit_core"] / best["anywidget"]
    print(f"import rdit_core: {best['rdit_core']:.3f} s, {share:.2f} times import anywidget")
    return [f"import rdit_core takes {share:.2f} times import anywidget"] if share > IMPORT_LIMIT else []


def import_seconds(module: str) -> float:
    """How long a fresh interpreter takes to import a module, by its own clock."""
    answer = run("-c", f"import time; s = time.perf_counter(); import {module}; print(time.perf_counter() - s)")
    return float(answer.stdout)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter of this environment, without development mode, which would cost it time."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, env=environment)


def main() -> int:
    """Print what is wrong; 1 when anything is."""
    sys.path[:] = [entry for entry in sys.path if entry and Path(entry).resolve() != Path(__file__).resolve().parent]
    with tempfile.TemporaryDirectory() as elsewhere:
        os.chdir(elsewhere)
        complaints = [
            *complaints_about_files(),
            *complaints_about_dependencies(),
            *complaints_about_the_command(),
            *complaints_about_import_time(),
        ]
        os.chdir("/")
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    return 1 if complaints else 0


if __name__ == "__main__":
    raise SystemExit(main())

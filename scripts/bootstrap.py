"""All the set-up behind `make demo` and `make test`, from a machine that has python3, make and git and nothing else.

    python3 scripts/bootstrap.py demo              # .venv with rdit[server] and what the examples import
    python3 scripts/bootstrap.py test [VERB...]    # tox: all verbs, or those named; ends with which browsers ran

What is already in place is left alone: a stamp in each environment says from which files it was made.
Standard library only, and nothing newer than the oldest python3 that can still tell that it is too old.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = ROOT / "constraints.txt"
DEMO = ROOT / ".venv"
RUNNER = ROOT / ".tox" / ".runner"
UV = RUNNER / "bin" / "uv"
"""Makes environments for tox in a tenth of pip's time, where tox-uv is to be had and reaches what pip reaches."""

UV_NAMES = {
    "cert": "SSL_CERT_FILE",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "index-url": "UV_DEFAULT_INDEX",
    "no-index": "UV_NO_INDEX",
}
"""Settings of pip, and what uv calls them."""

RAN = ROOT / "e2e" / "artifacts" / "ran"
"""Where each browser run leaves a line about itself."""

OLDEST = (3, 10)
ALL = (
    *("e2e-firefox", "py310", "lint", "py313", "e2e-chromium", "py312", "e2e-webkit", "py311"),
    *("once", "oracle", "js", "types", "wheel"),
)
"""In this order when all verbs run: the long ones first, so that no core is idle at the end; and by turns those that
mostly wait, for a browser, and those that mostly compute."""
NEWER = ("python3.13", "python3.12", "python3.11", "python3.10")
"""The newest first; the tests that are marked with `outer` run on the first and the last."""


def main(arguments: list[str]) -> int:
    """Do what the first argument says."""
    verb, rest = (arguments or [""])[0], arguments[1:]
    if verb == "demo":
        make_demo()
        return 0
    if verb == "test":
        return run_tests(rest)
    raise SystemExit((__doc__ or "").strip())


def make_demo() -> None:
    """The environment of `make demo`."""
    requirements = ROOT / "examples" / "requirements.txt"
    made_from = [ROOT / "pyproject.toml", CONSTRAINTS, requirements]
    make_environment(DEMO, ["-e", f"{ROOT}[server]", "-r", str(requirements)], made_from)


def run_tests(verbs: list[str]) -> int:
    """Run tox and say at the end which browsers took part. A browser that is asked for and did not run is a failure."""
    began_s = time.monotonic()
    make_runner()
    shutil.rmtree(RAN, ignore_errors=True)
    code = 0
    if verbs:
        code = tox("run", "-e", ",".join(verbs))
    else:
        # One more than there are cores: a third of a verb's time it waits, for a process or a page.
        code = side_by_side(max(2, os.cpu_count() or 2) + 1, ALL)
    has_browsers = not verbs or any(verb.startswith("e2e") for verb in verbs)
    absent = report_browsers() if has_browsers else []
    print(f"took {time.monotonic() - began_s:.0f} s", flush=True)
    if absent and not verbs:
        print(f"RDIT_REQUIRE_BROWSERS names what did not run: {', '.join(absent)}", file=sys.stderr)
        return code or 1
    return code


def make_runner() -> None:
    """The environment of tox itself, with tox-uv where that is to be had and works."""
    if not make_environment(RUNNER, ["tox"], [CONSTRAINTS]):
        return
    python = str(RUNNER / "bin" / "python")
    pip = [python, "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "-qq", "-c", str(CONSTRAINTS), 'tox-uv ; python_version >= "3.11"'])
    if UV.exists():
        trial = [str(UV), "pip", "install", "--quiet", "--dry-run", "--reinstall", "--python", python, "tox"]
        if subprocess.run(trial, env={**os.environ, **uv_settings()}).returncode == 0:
            return
        call([*pip, "uninstall", "-qq", "-y", "tox-uv", "tox-uv-bare", "uv"])
    print("pip makes the environments, since uv is not to be had or finds no packages", flush=True)


def uv_settings() -> dict[str, str]:
    """What pip was told of indexes, in the words of uv, which reads nothing that is meant for pip."""
    command = [str(RUNNER / "bin" / "python"), "-m", "pip", "config", "list"]
    listed = subprocess.run(command, stdout=subprocess.PIPE).stdout.decode()
    found = re.findall(r"^(:env:|\w+)\.([\w-]+)=(.+)$", listed, re.MULTILINE)
    told = {"UV_PYTHON_DOWNLOADS": "never"}
    # What the environment says comes first in the list, and counts most.
    for _, name, value in reversed(found):
        if name in UV_NAMES:
            words = str(ast.literal_eval(value)).split()
            told[UV_NAMES[name]] = ("," if name == "find-links" else " ").join(words)
    if "UV_INDEX" in told:
        told["UV_INDEX_STRATEGY"] = "unsafe-best-match"  # As pip does: the newest of all that there are.
    return {name: value for name, value in told.items() if name not in os.environ}


def side_by_side(count: int, verbs: tuple[str, ...]) -> int:
    """Run so many verbs at a time. What one of them wrote is shown when it is done."""
    return tox("run-parallel", "--parallel", str(count), "--parallel-no-spinner", "-e", ",".join(verbs))


def tox(*arguments: str) -> int:
    """Run tox. Returns its exit status."""
    pythons = pyenv_pythons()
    # uv looks for Pythons on PATH alone.
    folders = [str(RUNNER / "bin"), os.environ.get("PATH", ""), *(str(Path(python).parent) for python in pythons)]
    environment = {**os.environ, "PATH": os.pathsep.join(folders), **(uv_settings() if UV.exists() else {})}
    if not all(is_here(name, pythons) for name in (NEWER[0], NEWER[-1])):
        # Then those between them run what these would have.
        environment.setdefault("RDIT_INNER", "not once")
    discover = ["--discover", *pythons] if pythons else []
    return subprocess.run([str(RUNNER / "bin" / "tox"), *arguments, *discover], cwd=ROOT, env=environment).returncode


def report_browsers() -> list[str]:
    """Print one line per browser run. Returns the engines of RDIT_REQUIRE_BROWSERS that did not run."""
    runs = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(RAN.glob("*.json"))}
    for run in runs.values():
        print(run["line"])
    wanted = re.findall(r"\w+", os.environ.get("RDIT_REQUIRE_BROWSERS", ""))
    return [engine for engine in wanted if runs.get(engine, {}).get("version") is None]


def make_environment(folder: Path, requirements: list[str], made_from: list[Path]) -> bool:
    """A virtual environment with these requirements; nothing happens when it was made from the same files before.

    Returns whether it is new.
    """
    python = find_python()
    wanted = hashlib.sha256()
    for path in made_from:
        wanted.update(path.read_bytes())
    wanted.update(f"{python} {requirements}".encode())
    stamp = folder / ".made-from"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted.hexdigest():
        return False
    print(f"making {folder.relative_to(ROOT)} with {python}", flush=True)
    ensure_venv(python)
    if folder.is_file():
        # A redirect for editors (PEP 832), as tox writes it when it is told nothing else.
        folder.unlink()
    call([python, "-m", "venv", "--clear", str(folder)])
    pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "-qq"]
    call([*pip, "-c", str(CONSTRAINTS), *requirements])
    stamp.write_text(wanted.hexdigest(), encoding="utf-8")
    return True


def find_python() -> str:
    """This Python if it is new enough, else the newest on PATH that is."""
    if sys.version_info >= OLDEST:
        return sys.executable
    for name in NEWER:
        if works(name):
            return str(shutil.which(name))
    raise SystemExit(f"rdit needs Python {OLDEST[0]}.{OLDEST[1]} or newer; python3 is {sys.version.split()[0]}")


def works(name: str) -> bool:
    """Whether there is such a command. A shim of a version manager may be there without a version behind it."""
    path = shutil.which(name)
    return path is not None and subprocess.run([path, "-c", ""], capture_output=True).returncode == 0


def is_here(name: str, pythons: list[str]) -> bool:
    """Whether tox will find it: on PATH, or among those of pyenv."""
    version = name.replace("python", "") + "."
    return any(Path(path).parent.parent.name.startswith(version) for path in pythons) or works(name)


def ensure_venv(python: str) -> None:
    """Debian and Ubuntu keep what venv needs in a package of its own."""
    if subprocess.run([python, "-c", "import ensurepip, venv"], capture_output=True).returncode == 0:
        return
    answer = subprocess.run([python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], stdout=subprocess.PIPE)
    apt_install("python3-venv", f"python{answer.stdout.decode().strip()}-venv")


def apt_install(*packages: str) -> None:
    """Install system packages as root or with sudo that asks nothing, else end with one line that says what to do."""
    advice = f"Please install first: apt-get install {' '.join(packages)}"
    if shutil.which("apt-get") is None:
        raise SystemExit(advice)
    as_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if as_root and (not shutil.which("sudo") or subprocess.run(["sudo", "-n", "true"], capture_output=True).returncode):
        raise SystemExit(advice)
    install = [*as_root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y", "--no-install-recommends"]
    print("+", *install, *packages, flush=True)
    if subprocess.run([*install, *packages]).returncode != 0:
        # The package lists may be absent or stale.
        subprocess.run([*as_root, "apt-get", "update"])
        if subprocess.run([*install, *packages]).returncode != 0:
            raise SystemExit(advice)


def pyenv_pythons() -> list[str]:
    """Those of pyenv's Pythons that are new enough. Its commands on PATH are only those of the version in use."""
    pyenv = shutil.which("pyenv")
    if pyenv is None:
        return []
    root = Path(subprocess.run([pyenv, "root"], stdout=subprocess.PIPE).stdout.decode().strip())
    pythons = []
    for path in sorted(root.glob("versions/3.*/bin/python")):
        version = re.match(r"3\.(\d+)\.\d+$", path.parent.parent.name)
        if version and (3, int(version[1])) >= OLDEST:
            pythons.append(str(path))
    return pythons


def call(command: list[str]) -> None:
    """Run a step of the set-up; its failure is the end, without a traceback of ours on top of its own message."""
    if code := subprocess.run(command).returncode:
        raise SystemExit(f"failed ({code}): {' '.join(command)}")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

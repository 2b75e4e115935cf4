"""Makes the tox environment `browsers`, which several verbs borrow, unless it stands already.

tox would find out by itself that nothing has changed, but it builds and installs the package on the way: six seconds.
The install is an editable one, so only the files that say what is installed matter.
"""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

from scripts.alone import alone

ROOT = Path(__file__).resolve().parent.parent
MADE_FROM = ("constraints.txt", "examples/requirements.txt", "pyproject.toml", "tox.ini")
STAMP = ROOT / ".tox" / "browsers" / ".made-from"


def main() -> int:
    """The exit code of tox, 0 when it has nothing to do."""
    wanted = hashlib.sha256(b"".join((ROOT / name).read_bytes() for name in MADE_FROM)).hexdigest()
    with alone("browsers"):
        if STAMP.exists() and STAMP.read_text(encoding="utf-8") == wanted:
            return 0
        code = subprocess.run(["tox", "run", "--quiet", "--notest", "-e", "browsers"], cwd=ROOT).returncode
        if code == 0:
            STAMP.write_text(wanted, encoding="utf-8")
        return code


if __name__ == "__main__":
    raise SystemExit(main())

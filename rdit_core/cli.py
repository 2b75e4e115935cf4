"""The console command `rdit`. It only dispatches: each command is an entry point of the group `rdit.commands`.

So the core knows no server and no harness, and a command whose extra is not installed says which one to install.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Final

_GROUP: Final = "rdit.commands"

# The extra that brings what a command of ours imports. A command of somebody else's package is not listed here.
_EXTRAS: Final = {"client": "server", "export": "server", "serve": "server", "simulate": "harness"}

_USAGE: Final = """\
usage: rdit COMMAND [ARGS...]
       rdit --version

anywidgets outside Jupyter.

commands:
{commands}

examples:
  rdit serve script.py            run a script, show its widgets live at a local address
  rdit serve script.py --port 0   the same on any free port
  rdit client --out web/client    copy the browser side, for a front end of your own
  rdit export script.py -o a.html run it, write what it shows as one file
  rdit COMMAND --help             what a command takes
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; 2 for a command that is not there or lacks its extra."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    commands = {point.name: point for point in entry_points(group=_GROUP)}
    if not arguments or arguments[0] in ("-h", "--help"):
        names = "\n".join(f"  {name}" for name in sorted(commands)) or "  none installed: pip install 'rdit[server]'"
        print(_USAGE.format(commands=names), end="")
        return 0 if arguments else 2
    if arguments[0] in ("-V", "--version"):
        from . import __version__

        print(f"rdit {__version__}")
        return 0
    name, *rest = arguments
    if name not in commands:
        known = ", ".join(sorted(commands)) or "none"
        print(f"rdit: no command {name!r} (there are: {known}); see rdit --help", file=sys.stderr)
        return 2
    return _run(commands[name], rest)


def _run(point: EntryPoint, arguments: Sequence[str]) -> int:
    try:
        command = point.load()
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get(point.name)
        if extra is None or (error.name or "").startswith("rdit_"):
            raise
        print(
            f"rdit: {point.name} needs {error.name}, which is not installed; run: pip install 'rdit[{extra}]'",
            file=sys.stderr,
        )
        return 2
    return int(command(arguments))


if __name__ == "__main__":
    sys.exit(main())

"""One run of a script: its statements, in order, in a fresh namespace.

While a plain statement runs, *no* event loop is running, so that `asyncio.run(main())` in a script works as in `python
script.py`. A statement with a top-level `await` runs as a task of the kernel's loop, and updates are applied while it
waits. Between two statements the kernel has its turn, so that a long script without `await` is not deaf.

The run ends with its last statement; its namespace stays, for handlers and tasks, until the kernel lets go of it.
"""

from __future__ import annotations

import inspect
import itertools
import linecache
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, Final

from .loop import KernelLoop
from .output import Output
from .owners import Owners
from .process import become_main
from .script import Program, Script, Statement, parse
from .shell import ScriptShell, clean_text
from .streams import flush_streams

_numbers: Final = itertools.count(1)
"""Of texts of code; all kernels of a process share the cache of source lines."""


class Run:
    """A script that runs, or has run. Belongs to the kernel's thread.

    Args:
        script: which file, and with which arguments.
        program: the file, read.
        shell: displays the values of expressions.
        loop: runs statements with a top-level `await`.
        output: hears of statements and of the error that ends the run.
        owners: hears which statement is the current one.
        user_code: to be entered around user code: where interrupts may come.
    """

    def __init__(
        self,
        script: Script,
        program: Program,
        *,
        shell: ScriptShell,
        loop: KernelLoop,
        output: Output,
        owners: Owners,
        user_code: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._script = script
        self._statements = program.statements
        self._count = len(program.statements)
        self._texts: list[str] = []
        self._module = script.new_module(program)
        self._shell = shell
        self._loop = loop
        self._output = output
        self._owners = owners
        self._user_code = user_code

    @property
    def namespace(self) -> dict[str, Any]:
        """The script's globals."""
        return self._module.__dict__

    def read(self, code: str) -> Sequence[Statement]:
        """Parse code that is to go on where the script ended. Its statements are counted on.

        Raises:
            SyntaxError, ValueError: as for a script.
        """
        filename = f"<code {next(_numbers)}>"
        self._texts.append(filename)
        # For tracebacks and `inspect.getsource`; without a modification time it is never looked for on the disk.
        linecache.cache[filename] = (len(code), None, code.splitlines(keepends=True), filename)
        statements = parse(code, filename).statements
        first, self._count = self._count, self._count + len(statements)
        return [replace(statement, index=first + statement.index) for statement in statements]

    def execute(
        self,
        is_over: Callable[[], bool],
        between: Callable[[], None],
        statements: Sequence[Statement] | None = None,
    ) -> bool:
        """Run the statements. Gives whether all of them ended well.

        Args:
            is_over: asked before each statement whether the run is to end there.
            between: called before each statement. What it raises ends the run.
            statements: of `read`; default: the script's.
        """
        become_main(self._script, self._module)
        for statement in self._statements if statements is None else statements:
            if is_over():
                return False
            try:
                between()
                self._owners.statement = statement.index
                self._output.add(
                    "statement",
                    statement.index,
                    source=clean_text(statement.source),
                    lineno=statement.lineno,
                    end_lineno=statement.end_lineno,
                    total=self._count,
                )
                self._execute(statement)
            except SystemExit as error:
                return self._exit(error)
            except BaseException as error:
                self._output.error(error, self._owners.statement)
                return False
            finally:
                flush_streams()
        return True

    def let_go(self) -> None:
        """Clear the namespace: functions of the run that are still referred to (by a thread) lose their globals, as at
        exit.
        """
        self._module.__dict__.clear()
        for filename in self._texts:
            linecache.cache.pop(filename, None)

    def _execute(self, statement: Statement) -> None:
        with self._user_code():
            value = eval(statement.code, self._module.__dict__)
            if statement.code.co_flags & inspect.CO_COROUTINE:
                value = self._loop.run_statement(value)
            if statement.displays:
                self._shell.show_value(value)

    def _exit(self, error: SystemExit) -> bool:
        """End as `sys.exit` asked. Gives whether that is a good end."""
        if error.code is None or error.code == 0:
            return True
        self._output.error(error, self._owners.statement)
        return False

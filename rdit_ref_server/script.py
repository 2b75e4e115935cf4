"""A Python file as a list of statements.

The file is read and parsed once. It is compiled as a whole first, so that what only a whole file can show (a `return`
outside a function, a late `from __future__`) is refused before anything runs, as `python script.py` would refuse it.
Then each top-level statement is compiled by itself, with the positions and the future flags that it had in the file,
and a bare expression is compiled as an expression, so that its value can be displayed.

Nothing here runs user code.
"""

from __future__ import annotations
import __future__

import ast
import importlib.util
import io
import linecache
import os
import types
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path

MAIN = "__main__"


@dataclass(frozen=True, slots=True)
class Statement:
    """One top-level statement of a script."""

    index: int
    """1 for the first statement of the file."""
    source: str
    """Its text, decorators included."""
    lineno: int
    """First line, counted from 1."""
    end_lineno: int
    """Last line, inclusive."""
    displays: bool
    """Whether its value is displayed: a bare expression without a trailing `;`."""
    code: types.CodeType
    """To be evaluated in the script's namespace; gives None or the expression's value. A coroutine when the statement
    has a top-level `await` (`CO_COROUTINE` is set)."""


@dataclass(frozen=True, slots=True)
class Program:
    """A script that has been read: its module's docstring and its statements."""

    docstring: str | None
    statements: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Script:
    """Which file to run, and with which arguments."""

    path: Path
    """As the user gave it; `sys.argv[0]` is spelled so."""
    arguments: tuple[str, ...] = ()
    spec: ModuleSpec | None = None
    """How the import system knows it, when it is run as a module (`of_module`)."""

    @classmethod
    def of_module(cls, name: str, arguments: tuple[str, ...] = ()) -> Script:
        """Find a module, as `python -m name` does: of a package, its `__main__`. Parent packages are imported.

        Raises:
            ImportError: there is no such module, or it is no Python source; and whatever a parent package raises.
        """
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.submodule_search_locations is not None:
            spec = importlib.util.find_spec(f"{name}.{MAIN}")
            name = f"{name}.{MAIN}"
        if spec is None:
            raise ModuleNotFoundError(f"no module named {name}", name=name)
        if not isinstance(spec.loader, SourceFileLoader) or spec.origin is None:
            raise ImportError(f"{name} is not a file of Python source", name=name)
        return cls(Path(spec.origin), arguments, spec)

    @property
    def filename(self) -> str:
        """The absolute path: `__file__`, and what tracebacks show."""
        return os.path.abspath(self.path)  # noqa: PTH100 - `Path.resolve` would follow links, as Python does not

    @property
    def argv(self) -> list[str]:
        """What `sys.argv` is while the script runs."""
        return [str(self.path), *self.arguments]

    @property
    def directory(self) -> str:
        """What `sys.path[0]` is while the script runs: the directory in which the file really is, and for a module the
        one in which the process runs.
        """
        if self.spec is not None:
            return os.getcwd()  # noqa: PTH109 - a text, as `python -m` has it
        return str(Path(self.filename).resolve().parent)

    def load(self) -> Program:
        """Read and parse the file.

        Raises:
            OSError: the file cannot be read.
            SyntaxError: it is no Python; `filename`, `lineno`, `offset` and `text` say where.
            ValueError: it has null bytes (Python before 3.12) or an integer literal too long to convert.
        """
        try:
            source = importlib.util.decode_source(Path(self.filename).read_bytes())
        except UnicodeDecodeError as error:
            raise SyntaxError(f"the file is not {error.encoding}: {error.reason}", (self.filename, 1, 0, "")) from None
        # Tracebacks and `inspect.getsource` shall show what runs, even when the file is edited meanwhile: an entry
        # without a modification time is never checked against the disk.
        linecache.cache[self.filename] = (len(source), None, _lines(source), self.filename)
        return parse(source, self.filename)

    def new_module(self, program: Program | None = None) -> types.ModuleType:
        """A fresh `__main__` for this script, with the names that a plain run gives it."""
        module = types.ModuleType(MAIN, program.docstring if program else None)
        module.__dict__.update(
            __file__=self.filename,
            __cached__=None,
            __builtins__=__import__("builtins"),
            __loader__=SourceFileLoader(MAIN, self.filename),
        )
        if self.spec is not None:
            # For relative imports.
            module.__dict__.update(__spec__=self.spec, __package__=self.spec.parent)
        return module


def parse(source: str, filename: str) -> Program:
    """Split a source text into statements. Raises `SyntaxError` or `ValueError` as the compiler does."""
    tree = ast.parse(source, filename)
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT | _future_flags(tree)
    with warnings.catch_warnings():
        # Each statement is compiled again below, and warns then.
        warnings.simplefilter("ignore")
        compile(tree, filename, "exec", flags=flags, dont_inherit=True)
    lines = _lines(source)
    docstring = ast.get_docstring(tree, clean=False)
    statements = tuple(
        _statement(index, node, lines, filename, flags, is_docstring=index == 1 and docstring is not None)
        for index, node in enumerate(tree.body, start=1)
    )
    return Program(docstring, statements)


def _lines(source: str) -> list[str]:
    """Lines as the compiler counts them: `str.splitlines` would also break at form feeds and U+2028."""
    return io.StringIO(source).readlines()


def _future_flags(tree: ast.Module) -> int:
    flags = 0
    for name in _future_names(tree):
        flags |= getattr(__future__, name).compiler_flag
    return flags


def _future_names(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module == "__future__" and node.level == 0:
            # An unknown name is a syntax error of the compiler's, which says it better.
            yield from (alias.name for alias in node.names if alias.name in __future__.all_feature_names)


def _statement(
    index: int, node: ast.stmt, lines: Sequence[str], filename: str, flags: int, *, is_docstring: bool
) -> Statement:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    lineno = min([node.lineno, *(decorator.lineno for decorator in decorators)])
    end_lineno = node.end_lineno or node.lineno
    displays = isinstance(node, ast.Expr) and not is_docstring and not _ends_with_semicolon(node, lines)
    code: types.CodeType
    if isinstance(node, ast.Expr):
        code = compile(ast.Expression(node.value), filename, "eval", flags=flags, dont_inherit=True)
    else:
        code = compile(ast.Module([node], []), filename, "exec", flags=flags, dont_inherit=True)
    return Statement(index, _source_of(node, lineno, end_lineno, lines), lineno, end_lineno, displays, code)


def _source_of(node: ast.stmt, lineno: int, end_lineno: int, lines: Sequence[str]) -> str:
    picked = [line.encode() for line in lines[lineno - 1 : end_lineno]]
    if node.end_col_offset is not None:
        picked[-1] = picked[-1][: node.end_col_offset]
    # Cut at the left too: two statements may share a line (`a; b`). A decorator begins a line of its own.
    picked[0] = picked[0][node.col_offset :] if lineno == node.lineno else picked[0]
    return b"".join(picked).decode()


def _ends_with_semicolon(node: ast.stmt, lines: Sequence[str]) -> bool:
    """Whether a `;` follows that ends the line, rather than one that separates two statements."""
    line = lines[(node.end_lineno or node.lineno) - 1].encode()
    rest = line[node.end_col_offset or 0 :].decode().strip()
    return rest.startswith(";") and (rest[1:].lstrip() or "#").startswith("#")

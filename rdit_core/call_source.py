"""The source text of a call that is under way: which expression was written for which argument.

A value that was passed says nothing of where it came from; the text of the call does. `executing` finds the call's node
in the syntax tree of its file, by the positions in the byte code (Python 3.11 and later). Without them it is the only
call of this function on the line that could have passed what was passed; where there are several, `executing` compares
byte code, which cannot tell for a statement that was compiled by itself, as notebooks and script runners do.

The file may have been edited since its code was loaded. So an expression names a trait only where the code that runs
has each of its names on these lines.

Expressions are never run. Names are looked up, attributes are read where they are plain values or traits, and items of
lists, tuples and dicts; at a property or a call we stop and say that we do not know.
"""

from __future__ import annotations

import ast
import dis
import inspect
import sys
from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import islice
from types import FrameType
from typing import Any, Final, TypeGuard, cast

import executing
import traitlets

HAS_POSITIONS: Final = sys.version_info >= (3, 11)
"""Without them, comparing byte code takes a second for some hundred lines, so it comes last."""

_NO_EXCEPTIONS: Final[dict[str, Any]] = {"co_exceptiontable": b""} if HAS_POSITIONS else {}

MISSING: Final = object()
"""Not known."""

_LITERALS: Final = (int, float, complex, str, bytes)
_COMPREHENSIONS: Final = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_SCOPES: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


class CallSource:
    """The node of the call that a frame is in the middle of.

    Args:
        frame: the caller's. Its names are read while this object lives; drop both soon.
        function: what is being called; to recognise the call where positions do not tell.
        keyword: an argument that the call has.
        position: where that stands among positional ones.
        given: what that argument is, a dict.
    """

    def __init__(self, frame: FrameType, function: Any, keyword: str, position: int, given: Mapping[str, Any]) -> None:
        self._frame = frame
        self.node: Final = self._node(function, keyword, position, given)
        """None when the source is not at hand, or several calls might be meant."""
        self.argument: Final = None if self.node is None else _argument(self.node, keyword, position)
        """What was written for the argument, or None when that does not stand in the call."""

    def _node(self, function: Any, keyword: str, position: int, given: Mapping[str, Any]) -> ast.Call | None:
        def by_code() -> ast.Call | None:
            node = executing.Source.executing(self._frame).node
            return node if isinstance(node, ast.Call) else None

        def on_line() -> ast.Call | None:
            here = [
                one
                for one in ast.walk(tree)
                if isinstance(one, ast.Call)
                and one.lineno <= self._frame.f_lineno <= (one.end_lineno or one.lineno)
                and self.value_of(one.func) is function
                and self._could_be(_argument(one, keyword, position), given)
            ]
            if len(here) > 1 and HAS_POSITIONS:
                # `executing` takes no cell of a notebook that has two statements on the line.
                code: Any = self._frame.f_code
                _, end_line, _, end_column = next(islice(code.co_positions(), self._frame.f_lasti // 2, None))
                here = [one for one in here if (one.end_lineno, one.end_col_offset) == (end_line, end_column)]
            return here[0] if len(here) == 1 else None

        tree: Any = executing.Source.for_frame(self._frame).tree
        if tree is None:
            return None
        return (by_code() or on_line()) if HAS_POSITIONS else (on_line() or by_code())

    def _could_be(self, node: ast.expr | None, given: Mapping[str, Any]) -> bool:
        written = self.items(node)
        return (
            node is not None
            and written.keys() <= given.keys()
            and all(
                (value := self.value_of(one)) is MISSING or _is_same(value, given[name])
                for name, one in written.items()
            )
        )

    def items(self, node: ast.expr | None) -> dict[str, ast.expr]:
        """The value expressions of a dict that is written out, `{"name": ...}` or `dict(name=...)`. What is spread into
        it (`**other`), and what that may replace, is left out.
        """
        if isinstance(node, ast.Dict):
            pairs = [(self._text(key), value) for key, value in zip(node.keys, node.values, strict=True)]
        elif isinstance(node, ast.Call) and not node.args and self.value_of(node.func) is dict:
            pairs = [(given.arg, given.value) for given in node.keywords]
        else:
            return {}
        known: dict[str, ast.expr] = {}
        for name, value in pairs:
            if name is None:
                known.clear()
            else:
                known[name] = value
        return known

    def _text(self, key: ast.expr | None) -> str | None:
        value = MISSING if key is None else self.value_of(key)
        return value if isinstance(value, str) else None

    def trait_of(self, node: ast.expr) -> tuple[traitlets.HasTraits, str] | None:
        """The trait that an expression names: `anything.trait`, or `getattr(anything, "trait")`. None for every other
        expression.
        """
        if isinstance(node, ast.Attribute):
            owner, name = self.value_of(node.value), node.attr
        elif self._is_getattr(node):
            owner, name = (self.value_of(one) for one in node.args[:2])
        else:
            return None
        return (owner, name) if _has_trait(owner, name) and self._is_in_code(node) else None

    def _is_in_code(self, node: ast.expr) -> bool:
        """Whether the code that runs has the names of an expression, so that the text is likely to be its own."""
        written = {_name_of(one) for one in ast.walk(node)} - {None}
        return written <= self._names_in_code

    @cached_property
    def _names_in_code(self) -> set[Any]:
        """Names and texts that the code has on the lines of the call."""
        node, code = cast(ast.Call, self.node), self._frame.f_code
        lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)
        # Those lines alone: to read all code of a module of 3,000 lines takes half a second.
        parts = b"".join(code.co_code[start:end] for start, end, line in code.co_lines() if line in lines)
        here = code.replace(co_code=parts, co_linetable=b"", **_NO_EXCEPTIONS)
        found: set[Any] = set()
        for one in dis.get_instructions(here):
            # From Python 3.13 on, an instruction may load two names.
            both = one.argval if isinstance(one.argval, tuple) else (one.argval,)
            found.update(part for part in both if isinstance(part, str))
        return found

    def _is_getattr(self, node: ast.expr) -> TypeGuard[ast.Call]:
        return isinstance(node, ast.Call) and len(node.args) > 1 and self.value_of(node.func) is getattr

    def value_of(self, node: ast.expr) -> Any:
        """The value of an expression, found without running anything of the user's; `MISSING` where that cannot be."""
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Name):
            for names in (self._frame.f_locals, self._frame.f_globals, self._frame.f_builtins):
                if node.id in names:
                    return names[node.id]
        elif isinstance(node, ast.Attribute):
            return _attribute(self.value_of(node.value), node.attr)
        elif isinstance(node, ast.Subscript):
            return _item(self.value_of(node.value), self.value_of(node.slice))
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            number = self.value_of(node.operand)
            return -number if type(number) is int else MISSING
        return MISSING

    def is_constant(self, node: ast.expr, depth: int = 5) -> bool:
        """Whether an expression is no matter of a trait: nothing in it reads one, as far as the source can tell.

        A name is followed to what it was assigned from. A parameter may have come from a trait, so it is none. What a
        call returns is a value of its own.
        """
        if isinstance(node, ast.Constant):
            return True
        if isinstance(node, ast.Name):
            return depth > 0 and self._is_constant_name(node, depth)
        if isinstance(node, ast.Attribute):
            owner = self.value_of(node.value)
            return owner is not MISSING and not _has_trait(owner, node.attr)
        if self._is_getattr(node):
            owner, name = (self.value_of(one) for one in node.args[:2])
            return owner is not MISSING and name is not MISSING and not _has_trait(owner, name)
        if isinstance(node, ast.Lambda):
            return True
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            # A method: which object it is of does not matter as long as no trait was read to get there.
            parts = [node.func.value, *node.args, *(given.value for given in node.keywords)]
            return all(self.is_constant(part, depth) for part in parts)
        if isinstance(node, (ast.Await, ast.Yield, ast.YieldFrom, ast.NamedExpr)):
            return False
        # All of them expressions, but for the generators of a comprehension, which are made of some.
        parts = [cast(ast.expr, child) for child in ast.iter_child_nodes(node) if not _is_syntax(child)]
        return all(self.is_constant(part, depth) for part in parts)

    def _is_constant_name(self, node: ast.Name, depth: int) -> bool:
        scope = getattr(node, "parent", None)
        while scope is not None:
            if isinstance(scope, _COMPREHENSIONS) and any(_stores(one.target, node.id) for one in scope.generators):
                return True  # What it goes through is a part of the expression, too.
            if isinstance(scope, (*_SCOPES, ast.Module)):
                bindings = list(_bindings(scope, node.id))
                if bindings:
                    return all(
                        one is not None and (one is node or self.is_constant(one, depth - 1)) for one in bindings
                    )
            scope = getattr(scope, "parent", None)
        value = self.value_of(node)
        # Bound by no text that we see: a builtin, or a name of a module whose statements run one by one.
        return value is not MISSING and node.id in self._frame.f_builtins


def _argument(node: ast.Call, keyword: str, position: int) -> ast.expr | None:
    for given in node.keywords:
        if given.arg == keyword:
            return given.value
    before = node.args[: position + 1]
    if len(before) > position and not any(isinstance(one, ast.Starred) for one in before):
        return before[position]
    return None


def _has_trait(owner: Any, name: Any) -> bool:
    return isinstance(owner, traitlets.HasTraits) and owner.has_trait(name)


def _name_of(node: ast.AST) -> str | None:
    """What a node says that stands in byte code as it is."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _attribute(owner: Any, name: str) -> Any:
    if owner is MISSING:
        return MISSING
    if isinstance(owner, traitlets.HasTraits) and owner.has_trait(name):
        return getattr(owner, name)
    found = inspect.getattr_static(owner, name, MISSING)
    # A property is code, and may make something new each time; a slot's value is not to be had statically.
    return MISSING if hasattr(type(found), "__get__") and not inspect.isroutine(found) else found


def _item(owner: Any, key: Any) -> Any:
    if type(owner) in (list, tuple, dict) and type(key) in (int, str):
        try:
            return owner[key]
        except (LookupError, TypeError):
            return MISSING
    return MISSING


def _is_same(written: Any, given: Any) -> bool:
    # A literal in the tree is another object than the one in the byte code.
    return written is given or (type(written) is type(given) and type(written) in _LITERALS and written == given)


def _is_syntax(node: ast.AST) -> bool:
    return isinstance(node, (ast.expr_context, ast.operator, ast.unaryop, ast.boolop, ast.cmpop))


def _bindings(scope: ast.AST, name: str) -> Iterator[ast.expr | None]:
    """What a name is assigned in a scope: the expression, or None where it is bound in another way."""
    if isinstance(scope, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
        given = scope.args
        for argument in [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]:
            if argument is not None and argument.arg == name:
                yield None
    waiting = list(ast.iter_child_nodes(scope))
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Assign) and any(_stores(one, name) for one in node.targets):
            yield from (_part(one, node.value, name) for one in node.targets if _stores(one, name))
        elif isinstance(node, (ast.For, ast.AsyncFor)) and _stores(node.target, name):
            yield node.iter
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == name:
            if node.value is not None:
                yield node.value
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            if any((one.asname or one.name.partition(".")[0]) == name for one in node.names):
                yield ast.Constant(name)
        elif isinstance(node, _SCOPES):
            if getattr(node, "name", None) == name:
                yield ast.Constant(name)
            if any(isinstance(one, (ast.Global, ast.Nonlocal)) and name in one.names for one in ast.walk(node)):
                yield None
            continue
        elif isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store):
            yield None
        if isinstance(node, ast.comprehension):
            waiting.extend([node.iter, *node.ifs])
        elif isinstance(node, ast.Assign):
            waiting.append(node.value)
        elif isinstance(node, ast.AnnAssign):
            waiting.extend([] if node.value is None else [node.value])
        elif isinstance(node, (ast.For, ast.AsyncFor)):
            waiting.extend([node.iter, *node.body, *node.orelse])
        else:
            waiting.extend(ast.iter_child_nodes(node))


def _part(target: ast.expr, value: ast.expr, name: str) -> ast.expr:
    """What a name gets of a value that is taken apart."""
    if isinstance(target, (ast.Tuple, ast.List)) and isinstance(value, (ast.Tuple, ast.List)):
        pairs = list(zip(target.elts, value.elts, strict=False))
        if len(target.elts) == len(value.elts) and not any(
            isinstance(one, ast.Starred) for pair in pairs for one in pair
        ):
            return next(_part(to, of, name) for to, of in pairs if _stores(to, name))
    return value


def _stores(target: ast.expr, name: str) -> bool:
    return any(
        isinstance(one, ast.Name) and one.id == name and isinstance(one.ctx, ast.Store) for one in ast.walk(target)
    )

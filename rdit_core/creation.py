"""`create`: a widget in one call, from an ES module or from words, with traits that other widgets can use."""

from __future__ import annotations

import keyword
import os
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import traitlets

from .comm import Nowhere, hook
from .created import CreatedWidget, class_for, class_name
from .data_summary import summarize_data
from .descriptions import (
    Approve,
    GeneratedModule,
    Generator,
    ModuleCache,
    Progress,
    TraitSpec,
    Verifier,
    WidgetRequest,
    write_module,
)
from .errors import CreateError
from .imports import Import, resolve_imports

_MODULE: Final = re.compile(
    r"(?m)(?:^|[;}]|\*/)\s*export(?:\s+(?:default|(?:async\s+)?function|const|let|class)\b|\s*\{)"
)
_SCRIPT: Final = re.compile(r"(?m)\bfunction\s*\w*\s*\([^)]*\)\s*\{|=>\s*\{|^\s*(?:const|let|var)\s[^\n]*=[^\n]*;\s*$")
"""What is no description, though it exports nothing."""

_SUFFIXES: Final = (".js", ".mjs", ".ts", ".jsx", ".tsx", ".css")
_IMPORTS_AT: Final = 3
"""Where `imports` stands among the parameters."""


def create(
    source: str | os.PathLike[str],
    data: Any = None,
    exports: Mapping[str, Any] | None = None,
    imports: Mapping[str, Any] | None = None,
    *,
    css: str | os.PathLike[str] | None = None,
    name: str | None = None,
    sample: int | None = None,
    generator: Generator | None = None,
    verifier: Verifier | None = None,
    cache: ModuleCache | None = None,
    rounds: int | None = None,
    approve: Approve | None = None,
    rows_to_generator: int = 0,
    progress: Callable[[Progress], object] | None = None,
    display: bool = True,
) -> CreatedWidget:
    """Make a widget.

    Args:
        source: the widget's ES module as text; the path of one (a `Path`, or a string that ends in `.js` or `.mjs`),
            which hot reload follows; or a description in words, from which a generator writes the module.
        data: what the module finds in `model.get("data")`, in columns: a pandas or polars frame, an Arrow table, a
            numpy array, a dict of columns, a list of records. All of it, unless `sample` is given. See docs/data.md.
        exports: traits that the module sets and others may use: name to a description in words, to a trait with its
            type and default, or to a pair of both. Without a trait an export takes anything and starts as None.
        imports: traits that the module gets from others: name to `other.selected`, to `other.exports.selected`, to a
            pair `(anything with traits, "name")`, to `one_way(...)` or `two_way(...)` around one of these, or to a
            constant. Links hold in both directions.
        css: a style sheet, as text or as a path.
        name: of the widget's class, as error messages show it. Default: made from the file's name or the description.
        sample: show so many rows of the data, evenly picked, and say so in `data.total`.
        generator: writes the module from a description. Default: what `use_generator` named.
        verifier: tries what a generator wrote, before it is shown. Default: as above, or the installed one.
        cache: keeps verified modules.
        rounds: how often the generator is asked at most, its own errors in hand.
        approve: asked with each module before it is shown.
        rows_to_generator: rows of the data that the generator may see. 0: names, types and counts only.
        progress: told of each step of a generation. Default: a line each on stderr.
        display: whether a host may show the widget where nobody did (`rdit serve` does so at the end of a script).

    Returns:
        The widget: an `anywidget.AnyWidget` with the traits named above. A trait of it reads as its plain value.

    Raises:
        CreateError: `bad_source`, `source_not_found`, `bad_trait_name`, `bad_export`; `ambiguous_import` where
            it cannot be told what an import means.
        UnsupportedData: of the data.
        GenerationFailed: no module came of a description.
        traitlets.TraitError: an import's value is not what an export of the same name takes.
    """
    frame = sys._getframe(1)
    try:
        wanted = resolve_imports(_mapping("imports", imports), frame, create, _IMPORTS_AT)
        module = str(frame.f_globals.get("__name__", "__main__"))
    finally:
        del frame  # A frame in its own locals would live until the next collection, with all it holds.
    offered = _mapping("exports", exports)
    style = None if css is None else _style(css)
    code, words = _source(source)
    kind_name = _kind_name(name, code, words)

    def make(esm: Any, style: Any) -> CreatedWidget:
        kind = class_for(kind_name, module, esm=esm, css=style, exports=offered, imports=wanted, sample=sample)
        widget = kind(data, wanted)
        widget.description = words
        return widget

    if words is not None:
        # Before anything is generated: what is wrong with the call shall not cost a generation.
        declared = class_for(kind_name, module, esm="", css=style, exports=offered, imports=wanted, sample=sample)
        tried: list[CreatedWidget] = []

        def make_unseen(module: GeneratedModule) -> CreatedWidget:
            with hook.capture(Nowhere()):
                tried.append(make(module.esm, _both(style, module)))
            return tried[-1]

        try:
            made = write_module(
                _request(words, data, declared, offered, wanted, rows_to_generator),
                generator=generator,
                verifier=verifier,
                make_widget=make_unseen,
                cache=cache,
                rounds=rounds,
                approve=approve,
                progress=progress or _Lines(words),
            )
        finally:
            for one in tried:
                _discard(one)
        code, style = made.esm, _both(style, made)
    widget = make(code, style)
    widget.awaits_display = display
    try:
        widget.wire(wanted)
    except BaseException:
        _discard(widget)
        raise
    return widget


def _discard(widget: CreatedWidget) -> None:
    """Leave nothing of a widget, the Layout that its library opened for it included."""
    widget.layout.close()
    widget.close()


def _mapping(what: str, given: Any) -> Mapping[str, Any]:
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise CreateError("bad_source", f"{what}: expected a mapping of names, got {type(given).__name__}")
    return dict(given)


def _source(source: Any) -> tuple[Any, str | None]:
    """Code and None, or None and a description."""
    if isinstance(source, os.PathLike):
        return _file(Path(source)), None
    if not isinstance(source, str):
        raise CreateError(
            "bad_source",
            f"Expected an ES module, the path of one, or a description, got {type(source).__name__}",
        )
    text = source.strip()
    if "\n" not in text and text.endswith(_SUFFIXES) and not text.startswith(("http://", "https://")):
        return _file(Path(text)), None
    if _MODULE.search(source) or text.startswith(("http://", "https://")):
        return source, None
    if not text:
        raise CreateError("bad_source", "Expected an ES module, the path of one, or a description, got an empty text")
    if _SCRIPT.search(text):
        raise CreateError(
            "bad_source",
            "This looks like JavaScript and exports nothing. A module ends with `export default { render };`",
        )
    return None, text


def _file(path: Path) -> Path:
    if not path.is_file():
        hint = ". If this is a description, end it with a full stop" if " " in path.name else ""
        raise CreateError(
            "source_not_found", f"There is no file {str(path)!r}; it is looked for from {Path.cwd()}{hint}"
        )
    return path.absolute()


def _style(css: Any) -> Any:
    if isinstance(css, os.PathLike):
        return _file(Path(css))
    if not isinstance(css, str):
        raise CreateError("bad_source", f"css: expected a style sheet or the path of one, got {type(css).__name__}")
    return _file(Path(css)) if "\n" not in css and css.strip().endswith(".css") else css


def _both(style: Any, module: GeneratedModule) -> Any:
    """The caller's style sheet wins over the generator's."""
    return module.css if style is None else style


def _kind_name(name: str | None, code: Any, words: str | None) -> str:
    if name is not None:
        if not name.isidentifier() or keyword.iskeyword(name):
            raise CreateError("bad_source", f"name: {name!r} is no name that a class can have")
        return name
    if isinstance(code, Path):
        return class_name(code.stem.replace("_", " "))
    return class_name(words or "")


def _request(
    words: str,
    data: Any,
    declared: type[CreatedWidget],
    exports: Mapping[str, Any],
    imports: Mapping[str, Import],
    rows: int,
) -> WidgetRequest:
    traits = declared.class_traits()
    return WidgetRequest(
        description=words,
        data=None if data is None else summarize_data(data, rows=rows),
        exports={name: _spec(name, traits[name], declared._export_descriptions[name]) for name in exports},
        imports={name: _import_spec(name, one) for name, one in imports.items()},
    )


def _spec(name: str, trait: traitlets.TraitType[Any, Any], words: str) -> TraitSpec:
    return TraitSpec(name, words, None if type(trait) is traitlets.Any else trait.info())


def _import_spec(name: str, one: Import) -> TraitSpec:
    source = one.source
    kind = _kind(one.value)
    if source is None:
        return TraitSpec(name, f"a constant{kind and f': {kind}'}")
    words = str(source.description or source.trait.metadata.get("description") or source.trait.help or "")
    if one.to_here is None:
        return _spec(name, source.trait, words)
    # The source's trait and description are of the value before.
    return TraitSpec(name, ", ".join(part for part in (kind, words and f"made of: {words}") if part))


_KINDS: Final = (
    (bool, "true or false"),
    ((int, float), "a number"),
    (str, "a text"),
    ((list, tuple), "a list"),
    (Mapping, "an object"),
)


def _kind(value: Any) -> str:
    """What a value is, and nothing of it. An empty text where that cannot be told."""
    return next((words for kind, words in _KINDS if isinstance(value, kind)), "")


class _Lines:
    """Says on stderr what a generation is at."""

    def __init__(self, words: str) -> None:
        self._what = words if len(words) <= 50 else f"{words[:47]}..."

    def __call__(self, progress: Progress) -> None:
        print(f"rdit: {self._what!r}: {progress}", file=sys.stderr, flush=True)

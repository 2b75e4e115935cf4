"""The widgets that `create` makes: an anywidget class of its own for each, with traits for what it shares.

A trait is there for each export, each import and the data. What an import is linked with, and what an export means in
words, is kept beside them.
"""

from __future__ import annotations

import copy
import keyword
import re
import unicodedata
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, Final

import anywidget
import traitlets

from .data import encode_data
from .errors import CreateError
from .exports import Export, Exports
from .imports import Import
from .links import Link, link_traits

DATA: Final = "data"

_WORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9]*")
_WORDS_OF_A_NAME: Final = 4
_SERIALIZERS: Final = ("to_json", "from_json")


class DataTrait(traitlets.Any):
    """Holds the data as it was given; pages see it in columns, and cannot write it.

    `read_only` is what keeps pages out. Python may assign other data at any time.
    """

    def __init__(self, sample: int | None = None) -> None:
        super().__init__(None, allow_none=True, read_only=True)
        self.tag(sync=True, to_json=lambda value, _: encode_data(value, sample=sample))
        self._sample = sample

    def validate(self, obj: Any, value: Any) -> Any:
        """Refuse what pages could not be shown, here and now."""
        encode_data(value, sample=self._sample)
        return value

    def __set__(self, obj: traitlets.HasTraits, value: Any) -> None:
        self.set(obj, value)


class CreatedWidget(anywidget.AnyWidget):
    """A widget that `create` made.

    Attributes:
        exports: handles of the traits that it offers to others.
        imports: name to the link that an import follows, or to None where it is a constant.
        description: the words that it was made from, if it was.
        data: what it was given. Assign other data, and pages show it.
    """

    data = DataTrait()

    exports: Exports
    imports: Mapping[str, Link | None]
    description: str | None = None
    awaits_display: bool = True
    """Whether nobody displayed it yet, and its maker did not forbid it: a host may show it, say when a script ends."""
    _export_descriptions: ClassVar[Mapping[str, str]] = MappingProxyType({})

    def __init__(self, data: Any = None, imports: Mapping[str, Import] = MappingProxyType({})) -> None:
        self.exports = Exports(self, self._export_descriptions)
        self.imports = MappingProxyType({})
        super().__init__(data=data, **{name: one.value for name, one in imports.items()})

    def wire(self, imports: Mapping[str, Import]) -> None:
        """Link each import with its source. Once, by whoever made the widget."""
        links: dict[str, Link | None] = {}
        try:
            for name, one in imports.items():
                links[name] = None if one.source is None else _link(self, name, one, one.source)
        except BaseException:
            for link in links.values():
                if link is not None:
                    link.unlink()
            raise
        self.imports = MappingProxyType(links)

    def unlink(self, name: str | None = None) -> None:
        """End the link of one import, or of all. The values stay as they are.

        Raises:
            KeyError: there is no such import.
        """
        for one in list(self.imports) if name is None else [name]:
            link = self.imports[one]
            if link is not None:
                link.unlink()
        gone = self.imports if name is None else {name}
        self.imports = MappingProxyType({one: None if one in gone else link for one, link in self.imports.items()})

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        self.awaits_display = False
        return super()._repr_mimebundle_(**kwargs)

    def __repr__(self) -> str:
        parts = [type(self).__name__]
        if self.exports:
            parts.append(f"exports {', '.join(self.exports)}")
        if self.imports:
            parts.append(f"imports {', '.join(self.imports)}")
        return f"<{'; '.join(parts)}>"


def _link(widget: CreatedWidget, name: str, one: Import, source: Export) -> Link:
    transform: Any = None
    if one.one_way:
        transform = one.to_here
    elif one.to_here is not None:
        transform = (one.to_here, one.to_source)
    return link_traits((source.owner, source.name), (widget, name), one_way=one.one_way, transform=transform)


def class_for(
    name: str,
    module: str,
    *,
    esm: Any,
    css: Any,
    exports: Mapping[str, Any],
    imports: Mapping[str, Import],
    sample: int | None,
) -> type[CreatedWidget]:
    """A class for one widget.

    Args:
        name: of the class; a Python identifier.
        module: in which it is made.
        esm: module text, or a path, which anywidget follows.
        css: style sheet text or path, or None.
        exports: as given to `create`.
        imports: resolved.
        sample: rows of the data to show.

    Raises:
        CreateError: `bad_trait_name` or `bad_export`.
    """
    declared = {export: _export(export, given) for export, given in exports.items()}
    namespace: dict[str, Any] = {export: trait for export, (trait, _) in declared.items()}
    for one in imports:
        _check_name(one, "imports")
        if one not in namespace:
            namespace[one] = _import(imports[one])
    namespace["_export_descriptions"] = MappingProxyType({export: words for export, (_, words) in declared.items()})
    if sample is not None:
        namespace[DATA] = DataTrait(sample)
    namespace["_esm"] = esm
    if css is not None:
        namespace["_css"] = css
    namespace["__module__"] = module
    namespace["__qualname__"] = name
    namespace["__doc__"] = CreatedWidget.__doc__
    return type(name, (CreatedWidget,), namespace)


def _export(name: str, given: Any) -> tuple[Any, str]:
    """Trait and description of one export."""
    _check_name(name, "exports")
    trait, words = given if type(given) is tuple and len(given) == 2 else (given, None)
    if isinstance(trait, str) and words is None:
        trait, words = None, trait
    elif isinstance(trait, str) and isinstance(words, (traitlets.TraitType, type)):
        trait, words = words, trait
    if isinstance(trait, type) and issubclass(trait, traitlets.TraitType):
        trait = trait()
    if not (trait is None or isinstance(trait, traitlets.TraitType)) or not (words is None or isinstance(words, str)):
        raise CreateError(
            "bad_export",
            f"exports[{name!r}]: expected a description, a trait such as traitlets.List(), or a pair of both, "
            f"got {type(given).__name__}",
        )
    if trait is None:
        trait = traitlets.Any(None, allow_none=True)
    if words is None:
        words = trait.metadata.get("description") or trait.help or ""
    # A trait knows the one name that it has: what is given may be used again, here or for another widget.
    trait = copy.copy(trait)
    trait.metadata = {**trait.metadata, "sync": True, "description": words}
    return trait, words


def _import(one: Import) -> Any:
    """A trait that takes whatever its source holds, and speaks of it to pages as the source does."""
    trait = traitlets.Any(None, allow_none=True).tag(sync=True)
    if one.source is not None and one.to_here is None:
        metadata = one.source.trait.metadata
        trait.tag(**{key: metadata[key] for key in _SERIALIZERS if key in metadata})
    return trait


def _check_name(name: Any, where: str) -> None:
    if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name):
        raise CreateError("bad_trait_name", f"{where}: {name!r} is no name that a trait can have")
    if (normal := unicodedata.normalize("NFKC", name)) != name:
        # Python reads `widget.µ` with another letter than a text has it.
        raise CreateError(
            "bad_trait_name", f"{where}: {name!r} is {normal!r} to Python; write it so, here and in the module"
        )
    if name.startswith("_") or name in CreatedWidget.__annotations__ or hasattr(CreatedWidget, name):
        raise CreateError(
            "bad_trait_name",
            f"{where}: {name!r} means something else for a widget already; take another name",
        )


def class_name(text: str, default: str = "Created") -> str:
    """A name for a class, made of the first words of a text."""
    words: Sequence[str] = _WORD.findall(text)[:_WORDS_OF_A_NAME]
    return "".join(word[0].upper() + word[1:] for word in words) or default

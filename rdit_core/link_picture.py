"""The picture of links: a small SVG, in which a box is a widget with those of its traits that are linked.

Widgets stand in layers, by how many links they are from the first of those that they hang together with. A layer of
many is broken into columns, and a long row of columns into bands that run to and fro, so that a chain of fifty stays a
picture that one can look at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any, Final

End = tuple[Any, str]

_WIDTH: Final = 150
_HEAD: Final = 24
_ROW: Final = 18
_GAP_X: Final = 60
_GAP_Y: Final = 18
_BAND_GAP: Final = 34
_MARGIN: Final = 16
_LETTERS: Final = 17
"""Of a name, as far as a box has room for it in bold."""
_PER_COLUMN: Final = 8
_PER_BAND: Final = 6

_STYLE: Final = (
    ".rdit-links{font:12px ui-sans-serif,system-ui,sans-serif;--paper:#fff;--box:#f4f5f7;--edge:#8a919c;--ink:#1f2328;"
    "--soft:#59636e;--line:#2563c9}"
    "@media (prefers-color-scheme:dark){.rdit-links{--paper:#1b1e23;--box:#282c34;--edge:#6b7380;--ink:#e6e9ee;"
    "--soft:#a9b1bd;--line:#7fb0ff}}"
    ".rdit-links .paper{fill:var(--paper)}.rdit-links .box{fill:var(--box);stroke:var(--edge)}"
    ".rdit-links .name{fill:var(--ink);font-weight:600}.rdit-links .trait{fill:var(--soft)}"
    ".rdit-links .link{fill:none;stroke:var(--line);stroke-width:1.5}.rdit-links .head{fill:var(--line)}"
)


@dataclass(eq=False)
class _Box:
    name: str
    traits: list[str] = field(default_factory=list)
    x: float = 0
    y: float = 0
    column: int = 0

    @property
    def height(self) -> float:
        return _HEAD + _ROW * len(self.traits)

    def row(self, trait: str) -> float:
        return self.y + _HEAD + _ROW * (self.traits.index(trait) + 0.5) - 3


def draw(links: Iterable[tuple[End, End, bool]]) -> str:
    """Draw links.

    Args:
        links: source, target, and whether it is one way, of each; an end is an object and the name of a trait.

    Returns:
        An SVG element. All text in it is escaped.
    """
    boxes: dict[int, _Box] = {}
    arrows: list[tuple[_Box, str, _Box, str, bool]] = []
    for source, target, is_one_way in links:
        ends = []
        for obj, trait in (source, target):
            box = boxes.setdefault(id(obj), _Box("(gone)" if obj is None else type(obj).__name__))
            if trait not in box.traits:
                box.traits.append(trait)
            ends.append((box, trait))
        arrows.append((*ends[0], *ends[1], is_one_way))
    width, height = _place(list(boxes.values()), arrows)
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="rdit-links" width="{width:g}" height="{height:g}" '
            f'viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{_counted(len(boxes), "widget")}, '
            f'{_counted(len(arrows), "link")}"><style>{_STYLE}</style>'
            f'<defs><marker id="rdit-links-head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
            'orient="auto-start-reverse"><path class="head" d="M0 0 8 4 0 8z"/></marker></defs>'
            f'<rect class="paper" width="{width:g}" height="{height:g}" rx="8"/>'
        )
    ]
    parts.extend(_arrow(*arrow) for arrow in arrows)
    parts.extend(_drawn(box) for box in boxes.values())
    return "".join([*parts, "</svg>"])


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _place(boxes: Sequence[_Box], arrows: Sequence[tuple[_Box, str, _Box, str, bool]]) -> tuple[float, float]:
    """Give each box its place. Returns width and height of the whole."""
    near: dict[_Box, list[_Box]] = {box: [] for box in boxes}
    followers = set()
    for source, _, target, _, is_one_way in arrows:
        near[source].append(target)
        near[target].append(source)
        if is_one_way:
            followers.add(target)
    right, top, bottom, used = 2.0 * _WIDTH, float(_MARGIN), float(_MARGIN), 0
    placed: set[_Box] = set()
    for first in sorted(boxes, key=lambda box: box in followers):  # Each group begins with one that follows nobody.
        if first in placed:
            continue
        columns = list(_columns(first, near, placed))
        for start in range(0, len(columns), _PER_BAND):
            band = columns[start : start + _PER_BAND]
            if used + len(band) > _PER_BAND or start:
                top, used = bottom + _BAND_GAP, 0
            is_back = start // _PER_BAND % 2 == 1
            for at, column in enumerate(band, used):
                number, y = _PER_BAND - 1 - at if is_back else at, top
                for box in column:
                    box.x, box.y, box.column = _MARGIN + number * (_WIDTH + _GAP_X), y, number
                    y += box.height + _GAP_Y
                right, bottom = max(right, box.x + _WIDTH + _MARGIN), max(bottom, y - _GAP_Y)
            used = _PER_BAND if len(columns) > _PER_BAND else used + len(band)
    return right + _MARGIN, bottom + _MARGIN  # With room for arrows that bend out of the last column.


def _columns(first: _Box, near: dict[_Box, list[_Box]], placed: set[_Box]) -> Iterator[list[_Box]]:
    """All that hang together with a box, in layers, and those cut to size."""
    layer = [first]
    placed.add(first)
    while layer:
        for start in range(0, len(layer), _PER_COLUMN):
            yield layer[start : start + _PER_COLUMN]
        following: list[_Box] = []
        for box in layer:
            for other in near[box]:
                if other not in placed:
                    placed.add(other)
                    following.append(other)
        layer = following


def _arrow(source: _Box, out: str, target: _Box, into: str, is_one_way: bool) -> str:
    y1, y2 = source.row(out), target.row(into)
    if source.column == target.column:
        x1, x2 = source.x + _WIDTH, target.x + _WIDTH
        bend1 = bend2 = x1 + _GAP_X * 0.6
    else:
        to_right = target.column > source.column
        x1 = source.x + (_WIDTH if to_right else 0)
        x2 = target.x + (0 if to_right else _WIDTH)
        bend1 = bend2 = (x1 + x2) / 2
    start = "" if is_one_way else ' marker-start="url(#rdit-links-head)"'
    return (
        f'<path class="link" d="M{x1:g} {y1:g}C{bend1:g} {y1:g} {bend2:g} {y2:g} {x2:g} {y2:g}"{start} '
        'marker-end="url(#rdit-links-head)"/>'
    )


def _drawn(box: _Box) -> str:
    parts = [
        (
            f'<rect class="box" x="{box.x:g}" y="{box.y:g}" width="{_WIDTH}" height="{box.height:g}" rx="5"/>'
            f'<text class="name" x="{box.x + 9:g}" y="{box.y + 16:g}">{_text(box.name)}</text>'
        )
    ]
    parts.extend(
        f'<text class="trait" x="{box.x + 9:g}" y="{box.row(trait) + 4:g}">{_text(trait)}</text>'
        for trait in box.traits
    )
    return "".join(parts)


def _text(name: str) -> str:
    shown = name if len(name) <= _LETTERS else f"{name[: _LETTERS - 1]}…"
    return f"{escape(shown)}{f'<title>{escape(name)}</title>' if shown != name else ''}"

"""One HTML page of a run: a lane per peer, an arrow per frame, the lost ones in red. It needs nothing but a browser."""

from __future__ import annotations

import html
from typing import Any

from .network import Frame
from .world import World

_ROW = 18
_LANE = 260
_TEXT = 90
_MAX_ROWS = 3_000


def _text(frame: Frame) -> str:
    return frame if isinstance(frame, str) else repr(frame)


def _owner(lane: str) -> str:
    """The peer of a lane: `t0` of `t0.3>`."""
    return lane.partition(".")[0] if lane[:1] in "tx" else "server"


def timeline_html(world: World, title: str) -> str:
    """The page of a world that has run.

    Args:
        world: kept by `run_case(..., keep_world=True)`.
        title: its heading.
    """
    rows: list[tuple[int, str, Frame, bool]] = [(at, lane, data, False) for at, lane, data in world.trace]
    rows += [(at, lane, data, True) for at, lane, data in world.losses]
    rows.sort(key=lambda row: row[0])
    skipped = max(0, len(rows) - _MAX_ROWS)
    rows = rows[skipped:]
    peers = ["server"]
    for _, lane, _, _ in rows:
        if _owner(lane) not in peers:
            peers.append(_owner(lane))
    x = {peer: 120 + index * _LANE for index, peer in enumerate(peers)}
    height = (len(rows) + 3) * _ROW
    width = 120 + len(peers) * _LANE
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="monospace">',
        "<style>text{font-size:11px}</style>",
        '<defs><marker id="a" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">',
        '<path d="M0 0L8 4L0 8z"/></marker></defs>',
    ]
    for peer in peers:
        parts.append(f'<text x="{x[peer]}" y="14" font-weight="bold">{html.escape(peer)}</text>')
        parts.append(f'<line x1="{x[peer]}" y1="20" x2="{x[peer]}" y2="{height}" stroke="#bbb"/>')
    for index, (at, lane, data, is_lost) in enumerate(rows):
        parts.append(_row(x, (index + 2) * _ROW, at, lane, _text(data), is_lost))
    parts.append("</svg>")
    setup = html.escape(repr(world.setup))
    broken = html.escape(str(world.broken)) if world.broken is not None else "no violation"
    faults = html.escape(", ".join(f"{code} x{count}" for code, count in sorted(world.fired.items())))
    note = f"<p>{skipped} earlier rows left out.</p>" if skipped else ""
    return (
        f'<!doctype html><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<h1>{html.escape(title)}</h1><p><b>{broken}</b></p><p>Faults fired: {faults}</p>"
        f"<details><summary>The world</summary><code>{setup}</code></details>{note}{''.join(parts)}"
    )


def _row(x: dict[str, int], y: int, at: int, lane: str, text: str, is_lost: bool) -> str:
    peer = _owner(lane)
    stamp = f'<text x="4" y="{y}" fill="#777">{at / 1e9:.4f}</text>'
    shown = html.escape(text if len(text) <= _TEXT else text[:_TEXT] + "…")
    whole = f"<title>{html.escape(text[:4000])}</title>"
    color = "#c00" if is_lost else "#124"
    if lane[-1:] not in "<>":
        return f'{stamp}<text x="{x[peer] + 6}" y="{y}" fill="#060">{whole}● {shown}</text>'
    start, end = (x["server"], x[peer]) if lane[-1] == "<" else (x[peer], x["server"])
    dashes = ' stroke-dasharray="4 3"' if is_lost else ' marker-end="url(#a)"'
    label: Any = min(start, end) + 8
    lost = "✗ lost: " if is_lost else ""
    return (
        f'{stamp}<line x1="{start}" y1="{y}" x2="{end}" y2="{y}" stroke="{color}"{dashes}/>'
        f'<text x="{label}" y="{y - 3}" fill="{color}">{whole}{lost}{shown}</text>'
    )

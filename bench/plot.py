"""The pictures of `docs/bench.md`, as SVG whose bytes depend on the figures alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from bench import browser, core_path, growth
from bench.measure import median, ratio, spread

_INK: Final = "#1f2430"
_GREY: Final = "#9aa3b2"
_RED: Final = "#d64545"
_COLORS: Final = {
    "base mode": "#e08a1e",
    "rdit/1": "#2563eb",
    "rdit/1 and sync_ack": "#7aa5f5",
    "_handle_msg": "#6b7280",
    "limit": "#c3c9d4",
    "closed": "#dfe3ea",
    "rdit": "#2563eb",
    "bare": "#9aa3b2",
}
_MICRO: Final = 1e6


def core(results: core_path.Results, path: Path) -> None:
    """Bars: time per write of the two small values, by contestant."""
    plt = _pyplot()
    names = [name for name in core_path.CONTESTANTS if name != "rdit/1 and sync_ack"]
    cases = [case.name for case in core_path.CASES[:2]]
    figure, axes = plt.subplots(1, len(cases), figsize=(9, 2.9), sharey=True)
    for axis, case in zip(axes, cases, strict=True):
        for row, name in enumerate(reversed(names)):
            seconds = results[case][name]
            low, high = spread(seconds)
            middle = median(seconds)
            error = [[(middle - low) * _MICRO], [(high - middle) * _MICRO]]
            axis.barh(row, middle * _MICRO, color=_COLORS[name], xerr=error, ecolor=_INK, height=0.7)
            axis.text(high * _MICRO, row, f"  {middle * _MICRO:.1f}", va="center", color=_INK)
        half = median(results[case][core_path.RIVAL]) * core_path.TARGET * _MICRO
        axis.axvline(half, color=_INK, linestyle=":", linewidth=1)
        axis.set_title(f"{case} (dotted: half of {core_path.RIVAL})", fontsize=10)
        axis.set_yticks(range(len(names)), list(reversed(names)))
        axis.set_xlabel("µs per write")
        axis.margins(x=0.15)
    _save(figure, path)


def pages(results: browser.Results, path: Path) -> None:
    """Bars on a logarithmic scale: time in relation to the bare page, with the target of each."""
    plt = _pyplot()
    from matplotlib import ticker

    subjects = {name: subject for name, subject in results.items() if subject.most is not None}
    figure, axis = plt.subplots(figsize=(9, 0.45 * len(subjects) + 1.2))
    for row, subject in enumerate(reversed(subjects.values())):
        share = ratio(subject.samples, "rdit", "bare")
        most = subject.most or 1
        axis.barh(row, share, color=_COLORS["rdit"] if share <= most else _RED, height=0.6)
        axis.plot([most, most], [row - 0.4, row + 0.4], color=_INK, linewidth=2)
        axis.text(max(share, most), row, f"  {share:.2f}×", va="center", color=_INK)
    axis.axvline(1, color=_GREY, linestyle=":", linewidth=1)
    axis.set_xscale("log")
    axis.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    axis.xaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:g}×"))
    axis.xaxis.set_minor_locator(ticker.NullLocator())
    axis.set_yticks(range(len(subjects)), list(reversed(subjects)))
    axis.set_xlabel("time in relation to a bare WebSocket page (stroke: the most the target allows; red: above it)")
    axis.margins(x=0.12)
    _save(figure, path)


def slopes(results: growth.Results, path: Path) -> None:
    """Lines on logarithmic scales: time per write by size, a panel per axis."""
    plt = _pyplot()
    figure, panels = plt.subplots(1, len(results), figsize=(11, 3), layout="constrained")
    for panel, (axis, modes) in zip(panels, results.items(), strict=True):
        for mode, costs in modes.items():
            sizes = [float(size) for size in costs]
            middles = [median(seconds) * _MICRO for seconds in costs.values()]
            label = f"{mode} (slope {growth.slope(costs):.2f})"
            panel.plot(sizes, middles, marker="o", markersize=4, color=_COLORS[mode], label=label)
        panel.set_xscale("log")
        panel.set_yscale("log")
        low, high = panel.get_ylim()
        panel.set_ylim(min(low, 1), max(high, 1000))  # A flat line should look flat.
        panel.set_xlabel(growth.UNITS[axis])
        panel.legend(fontsize=7, loc="upper left", frameon=False)
    panels[0].set_ylabel("µs per write")
    _save(figure, path)


def _pyplot() -> Any:
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams.update(
        {
            "svg.hashsalt": "rdit",
            "font.size": 9,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "figure.constrained_layout.use": True,
        }
    )
    import matplotlib.pyplot as plt

    return plt


def _save(figure: Any, path: Path) -> None:
    figure.savefig(path, metadata={"Date": None}, facecolor="white")
    _pyplot().close(figure)

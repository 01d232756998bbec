"""Panels below each other, drawn in one style; what has market time shares its axis."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, ScalarFormatter

from stoculus.plot.axis import Floats, MarketAxis
from stoculus.plot.buckets import Buckets, middles

INK: Final = "#1f2933"
QUIET: Final = "#7b8794"
GRID: Final = "#e4e7eb"
BLUE: Final = "#2563a8"
GREEN: Final = "#1a8a6a"
RED: Final = "#c8414f"
PURPLE: Final = "#7a4b9a"
COLORS: Final = (BLUE, RED, GREEN, PURPLE)
AMBER: Final = "#f3d9a4"

_WIDTH_IN: Final = 12.0
_LEFT_IN, _RIGHT_IN, _TOP_IN, _BOTTOM_IN = 1.45, 0.95, 0.85, 0.3
_TITLE_IN, _CAPTION_IN, _GAP_IN, _LABELS_IN, _NOTE_IN = 0.5, 0.3, 0.12, 0.45, 0.2
_LEGEND_IN: Final = 0.32
_POINTS_AN_INCH: Final = 72
_MOST_DAYS_APART: Final = 20


@dataclass(frozen=True, slots=True)
class Panel:
    """A plot of a given height. `axis`: the market time of its x axis; None: it has one of its own.

    A panel with a title begins a group; `note` stands at the right of the title, `caption` above the panel alone.
    """

    draw: Callable[[Axes], None]
    height_in: float
    axis: MarketAxis | None = None
    title: str = ""
    note: str = ""
    caption: str = ""


def compose(panels: Sequence[Panel], title: str = "", subtitle: str = "", notes: Sequence[str] = ()) -> Figure:
    """A figure of panels below each other, under a title if there is one; notes stand below all."""
    top_in = _TOP_IN if title else 0.1
    below = [_LABELS_IN if _ends_group(panels, n) else _GAP_IN for n in range(len(panels))]
    above = [_TITLE_IN * bool(panel.title) + _CAPTION_IN * bool(panel.caption) for panel in panels]
    bottom_in = _BOTTOM_IN + _NOTE_IN * len(notes)
    height_in = top_in + sum(above) + sum(below) + sum(panel.height_in for panel in panels) + bottom_in
    figure = Figure(figsize=(_WIDTH_IN, height_in), facecolor="white")
    FigureCanvasAgg(figure)
    if title:
        left = _LEFT_IN / _WIDTH_IN
        figure.text(left, 1 - 0.3 / height_in, title, fontsize=16, fontweight="bold", color=INK, va="center")
        figure.text(left, 1 - 0.62 / height_in, subtitle, fontsize=9.5, color=QUIET, va="center")
    for n, note in enumerate(notes):
        y = (bottom_in - 0.1 - _NOTE_IN * (n + 0.5)) / height_in
        figure.text(_LEFT_IN / _WIDTH_IN, y, note, fontsize=8.5, color=INK, va="center")
    y_in = height_in - top_in
    for n, panel in enumerate(panels):
        y_in -= above[n] + panel.height_in
        box = (
            _LEFT_IN / _WIDTH_IN,
            y_in / height_in,
            (_WIDTH_IN - _LEFT_IN - _RIGHT_IN) / _WIDTH_IN,
            panel.height_in / height_in,
        )
        _draw(figure.add_axes(box), panel, labelled=_ends_group(panels, n))
        y_in -= below[n]
    return figure


def _ends_group(panels: Sequence[Panel], n: int) -> bool:
    """Whether the panel has names on its x axis: the last of its group, and what has an axis of its own."""
    following = panels[n + 1] if n + 1 < len(panels) else None
    return panels[n].axis is None or following is None or bool(following.title) or following.axis is None


def _draw(axes: Axes, panel: Panel, *, labelled: bool) -> None:
    axes.set_axisbelow(True)
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(QUIET)
    axes.tick_params(colors=INK, labelsize=8.5, length=0, pad=4)
    axes.yaxis.set_major_locator(MaxNLocator(max(2, int(panel.height_in * 2.2))))
    above_in = _CAPTION_IN * bool(panel.caption)
    _write(axes, 0, above_in + 0.16, panel.title, fontsize=11.5, fontweight="bold", color=INK)
    _write(axes, 1, above_in + 0.16, panel.note, fontsize=8.5, color=QUIET, ha="right")
    _write(axes, 0, 0.1, panel.caption, fontsize=9.5, color=INK)
    panel.draw(axes)
    axes.yaxis.label.set(fontsize=9, color=INK)
    if isinstance(axes.yaxis.get_major_formatter(), ScalarFormatter):
        axes.ticklabel_format(axis="y", useOffset=False)
    if panel.axis is not None:
        _market_time(axes, panel.axis, labelled=labelled)


def _write(axes: Axes, x: float, above_in: float, text: str, **style: Any) -> None:
    """Text above a panel, from its left end (0) or up to its right one (1)."""
    place: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points", "va": "bottom"}
    axes.annotate(text, (x, 1), (0, above_in * _POINTS_AN_INCH), **place, **style)


def _market_time(axes: Axes, axis: MarketAxis, *, labelled: bool) -> None:
    axes.set_xlim(0, axis.length)
    stretches, times = axis.stretches(), axis.times()
    for stretch in stretches[1:]:
        axes.axvline(stretch.start, color=QUIET, linewidth=0.6, alpha=0.5, zorder=0.5)
    axes.set_xticks([at for at, _ in times] if labelled else [], [text for _, text in times] if labelled else [])
    if not labelled:
        return
    if times:
        axes.tick_params(axis="x", length=3, color=QUIET)
    for stretch in stretches:
        if stretch.end - stretch.start > axis.length / 30:
            axes.annotate(
                stretch.text,
                ((stretch.start + stretch.end) / 2, 0),
                (0, -18 if times else -6),
                ("data", "axes fraction"),
                "offset points",
                fontsize=8.5,
                color=QUIET,
                ha="center",
                va="top",
                annotation_clip=False,
            )


def apart(axis: MarketAxis, x: Floats, *columns: Floats) -> tuple[Floats, ...]:
    """The same points with a gap between days, where there are few days: no line is drawn over a night."""
    if len(axis.days) > _MOST_DAYS_APART or len(axis.days) == 1 or len(x) == 0:
        return (x, *columns)
    numbers = np.searchsorted(axis.starts, x, "right")
    gaps = np.flatnonzero(np.diff(numbers)) + 1
    return (np.insert(x, gaps, x[gaps]), *(np.insert(column, gaps, np.nan) for column in columns))


def line(axes: Axes, axis: MarketAxis, buckets: Buckets, color: str, label: str, *, mean: bool = False) -> None:
    """The last value of each bucket, or the mean, as a line."""
    numbers = buckets.filled
    values = buckets.means if mean else buckets.last
    x, y = apart(axis, middles(axis, numbers), values[numbers])
    marker = "." if len(numbers) == 1 else None
    axes.plot(x, y, color=color, linewidth=1.0, label=label, solid_joinstyle="round", marker=marker)


def band(
    axes: Axes, axis: MarketAxis, low: Buckets, high: Buckets, color: str, label: str, *, alpha: float = 0.25
) -> None:
    """From the least of one column to the greatest of another."""
    numbers = np.intersect1d(low.filled, high.filled)
    x, least, greatest = apart(axis, middles(axis, numbers), low.least[numbers], high.greatest[numbers])
    axes.fill_between(x, least, greatest, color=color, alpha=alpha, linewidth=0, label=label)


def legend(axes: Axes) -> None:
    """The names of what is drawn, above it."""
    low, high = axes.get_ylim()
    box = axes.get_window_extent().transformed(axes.figure.dpi_scale_trans.inverted())
    room = _LEGEND_IN / box.height
    axes.set_ylim(low, high + (high - low) * room / (1 - room))
    axes.legend(
        loc="upper left",
        ncols=5,
        fontsize=8,
        frameon=False,
        labelcolor=INK,
        handlelength=1.4,
        borderpad=0.1,
        columnspacing=1.4,
    )


def empty(text: str) -> Callable[[Axes], None]:
    """Draws nothing but a word why."""

    def draw(axes: Axes) -> None:
        axes.set_yticks([])
        axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=QUIET, fontsize=10)

    return draw


def group(panels: Iterable[Panel], title: str, note: str) -> list[Panel]:
    """The panels as a group: the first one bears the title."""
    first, *others = panels
    return [replace(first, title=title, note=note), *others]

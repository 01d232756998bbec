"""Records of each topic on each trading day, against the calendar; and where there are none, why."""

from collections.abc import Sequence
from datetime import date
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch, Rectangle

from stoculus.plot.axis import MarketAxis
from stoculus.plot.canvas import AMBER, BLUE, GRID, INK, QUIET, RED, Panel
from stoculus.plot.numbers import TopicNumbers

NOT_YET: Final = "not there yet"
MISSING: Final = "missing"
_ROW_IN: Final = 0.36
_MOST_TEXTS: Final = 14
_MOST_EDGES: Final = 60
_PALEST: Final = 0.15
_MOST_NOTES: Final = 6


def coverage_panel(axis: MarketAxis, topics: Sequence[TopicNumbers]) -> Panel:
    """A row for each topic, a cell for each day: the darker, the more records of the topic's fullest day."""

    def draw(axes: Axes) -> None:
        axes.grid(visible=False)
        axes.set_ylim(len(topics), 0)
        names = [f"{topic.symbol} {topic.schema}" for topic in topics]
        axes.set_yticks(np.arange(len(topics)) + 0.5, names)
        for row, topic in enumerate(topics):
            _draw_row(axes, axis, row, topic)
        _legend(axes)

    return Panel(draw, _ROW_IN * len(topics), axis, "Coverage: records per trading day")


def notes(topics: Sequence[TopicNumbers]) -> list[str]:
    """Why topics are not complete and days are empty, a line each."""
    remarks = [f"{topic.symbol} {topic.schema}: {topic.remark}" for topic in topics if topic.remark]
    known = [
        f"{topic.symbol} {topic.schema} on {day}: {reason}"
        for topic in topics
        for day, reason in sorted(topic.empty.items())
        if reason not in (NOT_YET, MISSING)
    ]
    return remarks + known


def shortened(lines: list[str]) -> list[str]:
    """As many lines as a picture has room for."""
    if len(lines) <= _MOST_NOTES:
        return lines
    return [*lines[: _MOST_NOTES - 1], f"… and {len(lines) - _MOST_NOTES + 1} more"]


def _draw_row(axes: Axes, axis: MarketAxis, row: int, topic: TopicNumbers) -> None:
    most = max(topic.counted.days.values(), default=1)
    edge = 0.6 if len(axis.days) <= _MOST_EDGES else 0.0
    for number, day in enumerate(axis.days):
        start, end = float(axis.starts[number]), float(axis.starts[number + 1])
        count = topic.counted.days.get(day, 0)
        share = count / most
        cell = Rectangle((start, row + 0.08), end - start, 0.84, linewidth=edge, edgecolor="white")
        if count:
            cell.set(facecolor=BLUE, alpha=_PALEST + (1 - _PALEST) * share)
        else:
            cell.set(**_STYLES[_kind(topic, day)])
        axes.add_patch(cell)
        if len(axis.days) <= _MOST_TEXTS:
            color = "white" if share > 0.5 else INK
            text = _short(count) if count else ""
            axes.text((start + end) / 2, row + 0.5, text, ha="center", va="center", fontsize=8, color=color)
    axes.text(axis.length * 1.006, row + 0.5, f"{topic.counted.records:,}", va="center", fontsize=8, color=QUIET)


_EMPTY: Final = "empty, and known why"
_STYLES: Final[dict[str, dict[str, Any]]] = {
    _EMPTY: {"facecolor": AMBER},
    NOT_YET: {"facecolor": GRID},
    MISSING: {"facecolor": "white", "edgecolor": RED, "hatch": "////"},
}


def _kind(topic: TopicNumbers, day: date) -> str:
    reason = topic.empty.get(day, MISSING)
    return reason if reason in _STYLES else _EMPTY


def _legend(axes: Axes) -> None:
    patches = [Patch(facecolor=BLUE, label="records, the darker the more")]
    patches += [Patch(label=label, linewidth=0.6, **style) for label, style in _STYLES.items()]
    axes.legend(
        handles=patches,
        loc="lower right",
        bbox_to_anchor=(1, 1),
        ncols=len(patches),
        fontsize=8,
        frameon=False,
        labelcolor=QUIET,
        borderaxespad=0.6,
        handlelength=1.2,
    )


def _short(count: int) -> str:
    """A count in at most five characters."""
    for limit, unit in ((1_000_000_000, "G"), (1_000_000, "M"), (10_000, "k")):
        if count >= limit:
            value = count / {"G": 1e9, "M": 1e6, "k": 1e3}[unit]
            return f"{value:.1f}{unit}" if value < 100 else f"{value:.0f}{unit}"
    return f"{count:,}"

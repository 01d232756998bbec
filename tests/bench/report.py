"""The result of a bench: a table for people, `bench.json` for programs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import orjson

from stoculus.cli.output import print_table

Machine = Mapping[str, str | int | float]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Ours against another, a pair of values a round. `at_most`: the target is a highest ratio, not a lowest."""

    name: str
    unit: str
    ours: Sequence[float]
    other: Sequence[float]
    target: float | None = None
    at_most: bool = False

    @property
    def ratio(self) -> float:
        """The median of the rounds' ratios: both of a round have met the same machine."""
        return median(ours / other for ours, other in zip(self.ours, self.other, strict=True))

    @property
    def is_met(self) -> bool | None:
        """Whether the target is reached; None where there is none."""
        if self.target is None:
            return None
        return self.ratio <= self.target if self.at_most else self.ratio >= self.target


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure that is only told. `limit`: what it should stay below."""

    name: str
    unit: str
    values: Sequence[float]
    limit: float | None = None

    @property
    def value(self) -> float:
        return median(self.values)


def to_json(machine: Machine, comparisons: Sequence[Comparison], figures: Sequence[Figure]) -> bytes:
    """`{"machine": …, "results": [{"name", "ratio", "target", "ours", "other", …}], "reported": […]}`."""
    results = [
        {
            "name": each.name,
            "ratio": round(each.ratio, 3),
            "target": each.target,
            "ours": _rounded(median(each.ours)),
            "other": _rounded(median(each.other)),
            "unit": each.unit,
            "at_most": each.at_most,
            "rounds": len(each.ours),
        }
        for each in comparisons
    ]
    reported = [
        {"name": each.name, "value": _rounded(each.value), "limit": each.limit, "unit": each.unit} for each in figures
    ]
    report: dict[str, Any] = {"machine": machine, "results": results, "reported": reported}
    return orjson.dumps(report, option=orjson.OPT_INDENT_2)


def merged(earlier: bytes, later: bytes) -> bytes:
    """The later report, and what the earlier one has besides."""
    old, new = orjson.loads(earlier), orjson.loads(later)
    for part in ("results", "reported"):
        measured = {row["name"] for row in new[part]}
        new[part] = [row for row in old[part] if row["name"] not in measured] + new[part]
    return orjson.dumps(new, option=orjson.OPT_INDENT_2)


def show(machine: Machine, comparisons: Sequence[Comparison], figures: Sequence[Figure]) -> None:
    """Print what was measured, on what."""
    rows = [_comparison_row(each) for each in comparisons] + [_figure_row(each) for each in figures]
    print_table(("measured", ">ratio", ">target", "", ">ours", ">other", "unit"), rows, title="Benchmarks")
    print_table(("machine", ""), [(name, str(value)) for name, value in machine.items()])


def _comparison_row(each: Comparison) -> tuple[str, ...]:
    target = "" if each.target is None else f"{'≤' if each.at_most else '≥'} {each.target:g}"
    ours, other = _text(median(each.ours)), _text(median(each.other))
    return each.name, f"{each.ratio:.2f}", target, _verdict(each.is_met), ours, other, each.unit


def _figure_row(each: Figure) -> tuple[str, ...]:
    limit = "" if each.limit is None else f"< {each.limit:g}"
    met = None if each.limit is None else each.value < each.limit
    return each.name, "", limit, _verdict(met), _text(each.value), "", each.unit


def _verdict(is_met: bool | None) -> str:
    return {None: "", True: "met", False: "MISSED"}[is_met]


def _text(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def _rounded(value: float) -> float:
    return round(value) if value >= 100 else round(value, 3)

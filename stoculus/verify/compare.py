"""Two sides row by row: what the vendor sends now against what stands on the topic. In step, so memory stays bounded.

The vendor's rows ascend in time; the topic's should. Where the sides differ, rows of one moment are compared as
multisets, and rows of a moment that the other side has not are missing or surplus; then both go on in step.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa

from stoculus.reading.proof import day_runs
from stoculus.verify.rows import Pending, Row, Rows, equal_rows

Kind = Literal["missing", "doubled", "altered", "swapped", "surplus"]
MOST_KEPT: Final = 1000
"""Differences that are kept; more are counted."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Records in which the topic differs from the vendor, all of one day.

    `topic` and `vendor` are the first of them on either side; `offset` is where it stands, or where it should.
    """

    kind: Kind
    records: int
    day: date
    offset: int | None
    topic: Row | None = None
    vendor: Row | None = None

    @property
    def is_single(self) -> bool:
        return self.records == 1 and (self.topic is None) != (self.vendor is None)


class Comparison:
    """`differences` are the first of them in order, `counts` all records in which the sides differ, by kind."""

    def __init__(self) -> None:
        self.differences: list[Difference] = []
        self.counts: Counter[Kind] = Counter()
        self._steps: list[int] = []

    def run(self, topic: Iterator[Rows], vendor: Iterator[Rows]) -> None:
        """Compare all rows of both sides. Raise what either raises."""
        ours, theirs = Pending(topic), Pending(vendor)
        step = 0
        while ours.fill() and theirs.fill():
            if same := equal_rows(ours.rows, theirs.rows):
                step += 1
                ours.take(same)
                theirs.take(same)
            else:
                for difference in _next_difference(ours, theirs):
                    self._add(difference, step)
        while theirs.fill():
            for part in _days(theirs.take(len(theirs.rows))):
                self._add(_missing(part, None), step)
        while ours.fill():
            for part in _days(ours.take(len(ours.rows))):
                self._add(_surplus(part), step)
        self._pair()

    def _add(self, new: Difference, step: int) -> None:
        """`step` counts the stretches of equal rows so far: where it is the same, nothing equal stands in between."""
        self.counts[new.kind] += new.records
        last = self.differences[-1] if self.differences else None
        if last and self._steps[-1] == step and (last.kind, last.day) == (new.kind, new.day) and new.kind in _STRETCHES:
            self.differences[-1] = replace(last, records=last.records + new.records)
        elif len(self.differences) < MOST_KEPT:
            self.differences.append(new)
            self._steps.append(step)

    def _pair(self) -> None:
        """Make one of a record that is missing here and surplus there, and of one whose time was altered."""
        missing = [n for n, one in enumerate(self.differences) if one.kind == "missing" and one.is_single]
        surplus = [n for n, one in enumerate(self.differences) if one.kind == "surplus" and one.is_single]
        for n in surplus:
            here = self.differences[n].topic
            pair = next((m for m in missing if _are("swapped", here, self.differences[m].vendor)), None)
            kind: Kind = "swapped"
            if pair is None:
                beside = (m for m in missing if abs(m - n) == 1 and abs(self._steps[m] - self._steps[n]) <= 1)
                pair = next((m for m in beside if _are("altered", here, self.differences[m].vendor)), None)
                kind = "altered"
            if pair is not None:
                missing.remove(pair)
                self._merge(n, pair, kind)
        self.differences = [one for one in self.differences if one.records]

    def _merge(self, surplus: int, missing: int, kind: Kind) -> None:
        one, other = self.differences[surplus], self.differences[missing]
        self.differences[surplus] = replace(one, kind=kind, vendor=other.vendor)
        self.differences[missing] = replace(other, records=0)
        self.counts -= Counter({"surplus": 1, "missing": 1})
        self.counts[kind] += 1


_STRETCHES: Final[frozenset[Kind]] = frozenset({"missing", "surplus"})


def _are(kind: Kind, topic: Row | None, vendor: Row | None) -> bool:
    if topic is None or vendor is None:
        return False
    return topic.equals(vendor) if kind == "swapped" else topic.key == vendor.key


def _next_difference(ours: Pending, theirs: Pending) -> Iterator[Difference]:
    """What makes the first rows of the two sides differ; the rows are let go of."""
    here_us, there_us = int(ours.rows.times_us[0]), int(theirs.rows.times_us[0])
    offset = int(ours.rows.numbers[0])
    if here_us == there_us:
        yield from _of_moment(ours.take_moment(), theirs.take_moment())
    elif ours.fill(2) and ours.rows.times_us[1] < here_us:
        yield _surplus(ours.take(1))  # out of order: it says nothing of what the vendor has before it
    elif there_us < here_us:
        for part in _days(theirs.take(int(np.searchsorted(theirs.rows.times_us, here_us)))):
            yield _missing(part, offset)
    else:
        earlier = ours.rows.times_us < there_us
        for part in _days(ours.take(len(earlier) if earlier.all() else int(np.argmin(earlier)))):
            yield _surplus(part)


def _of_moment(topic: Rows, vendor: Rows) -> Iterator[Difference]:
    """Rows of one event time, as multisets: which are missing, doubled, altered; or in another order."""
    here, there = ([rows.row(n) for n in range(len(rows))] for rows in (topic, vendor))
    surplus, missing = _less(here, there), _less(there, here)
    known = {(row.key, row.body) for row in there}
    day = _day_of(topic)
    for row in surplus:
        pair = next((other for other in missing if other.key == row.key), None)
        if (row.key, row.body) in known:
            yield Difference("doubled", 1, day, row.number, topic=row)
        elif pair is not None:
            missing.remove(pair)
            yield Difference("altered", 1, day, row.number, topic=row, vendor=pair)
        else:
            yield Difference("surplus", 1, day, row.number, topic=row)
    for row in missing:
        yield Difference("missing", 1, day, here[-1].number, vendor=row)
    if not surplus and len(here) == len(there):
        moved = [pair for pair in zip(here, there, strict=True) if not pair[0].equals(pair[1])]
        yield Difference("swapped", len(moved), day, moved[0][0].number, topic=moved[0][0], vendor=moved[0][1])


def _less(some: list[Row], others: list[Row]) -> list[Row]:
    """The rows of `some` that stand there more often than in `others`: the last of equal ones."""
    left = Counter((row.key, row.body) for row in others)
    more = []
    for row in some:
        left[row.key, row.body] -= 1
        if left[row.key, row.body] < 0:
            more.append(row)
    return more


def _missing(rows: Rows, offset: int | None) -> Difference:
    return Difference("missing", len(rows), _day_of(rows), offset, vendor=rows.row(0))


def _surplus(rows: Rows) -> Difference:
    first = rows.row(0)
    return Difference("surplus", len(rows), _day_of(rows), first.number, topic=first)


def _days(rows: Rows) -> Iterator[Rows]:
    for _, start, count in day_runs(_times(rows)):
        yield rows[start : start + count]


def _day_of(rows: Rows) -> date:
    return next(day for day, _, _ in day_runs(_times(rows[:1])))


def _times(rows: Rows) -> Any:
    return pa.array(rows.times_us).cast(pa.timestamp("us", "UTC"))

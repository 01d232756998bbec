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


class Comparison:
    """`differences` are the first of them in order, `counts` all records in which the sides differ, by kind.

    Steps count the stretches of equal rows: nothing equal stands between two differences of the same step.
    """

    def __init__(self) -> None:
        self.differences: list[Difference] = []
        self.counts: Counter[Kind] = Counter()
        self._steps: list[int] = []
        self._step = 0

    def run(self, topic: Iterator[Rows], vendor: Iterator[Rows]) -> None:
        """Compare all rows of both sides. Raise what either raises."""
        ours, theirs = Pending(topic), Pending(vendor)
        while True:
            same = equal_rows(ours.rows, theirs.rows)
            if same in (len(ours.rows), len(theirs.rows)):
                same -= self._pass(ours, theirs, _last_moment(ours.rows, same))
                # The last moment is kept: the next row may be one of it.
                if (len(ours.rows) == same and ours.fill(same + 1)) | (
                    len(theirs.rows) == same and theirs.fill(same + 1)
                ):
                    continue
            if same == len(ours.rows) == len(theirs.rows):
                break
            # A row that stands twice is of the moment of the row before it.
            is_of_last = 0 < same < len(ours.rows) and ours.rows.times_us[same] == ours.rows.times_us[same - 1]
            self._pass(ours, theirs, _last_moment(ours.rows, same) if is_of_last else same)
            self._take_difference(ours, theirs)
        self._pair()

    def _pass(self, ours: Pending, theirs: Pending, count: int) -> int:
        """Let go of equal rows; how many they were."""
        if count:
            self._step += 1
            ours.take(count)
            theirs.take(count)
        return count

    def _take_difference(self, ours: Pending, theirs: Pending) -> None:
        """Note what makes the first rows of the two sides differ, and let go of those rows."""
        if not len(ours.rows):
            self._add(*(_missing(part, None) for part in _days(theirs.take(len(theirs.rows)))))
            return
        if not len(theirs.rows):
            self._add(*map(_surplus, _days(ours.take(len(ours.rows)))))
            return
        here_us, there_us = int(ours.rows.times_us[0]), int(theirs.rows.times_us[0])
        offset = int(ours.rows.numbers[0])
        if here_us == there_us:
            for one in _of_moment(ours.take_moment(), theirs.take_moment()):
                self._step += 1
                self._add(one)
            self._step += 1
        elif ours.fill(2) and ours.rows.times_us[1] < here_us:
            self._add(_surplus(ours.take(1)))  # out of order: it says nothing of what the vendor has before it
        elif there_us < here_us:
            earlier = theirs.take(int(np.searchsorted(theirs.rows.times_us, here_us)))
            self._add(*(_missing(part, offset) for part in _days(earlier)))
        else:
            is_earlier = ours.rows.times_us < there_us
            count = len(is_earlier) if is_earlier.all() else int(np.argmin(is_earlier))
            self._add(*map(_surplus, _days(ours.take(count))))

    def _add(self, *news: Difference) -> None:
        for new in news:
            self.counts[new.kind] += new.records
            last = self.differences[-1] if self._steps[-1:] == [self._step] else None
            if last is not None and (last.kind, last.day) == (new.kind, new.day):
                self.differences[-1] = replace(last, records=last.records + new.records)
            elif len(self.differences) < MOST_KEPT:
                self.differences.append(new)
                self._steps.append(self._step)

    def _pair(self) -> None:
        """Make one of a record that is missing here and surplus there, and of one whose time was altered."""
        kinds: tuple[Kind, ...] = ("swapped", "altered")
        for kind in kinds:
            missing = self._singles("missing")
            for n in self._singles("surplus"):
                if (pair := self._other_half(n, missing, kind)) is not None:
                    missing.remove(pair)
                    self._merge(n, pair, kind)
        self.differences = [one for one in self.differences if one.records]

    def _singles(self, kind: Kind) -> list[int]:
        return [n for n, one in enumerate(self.differences) if one.kind == kind and one.records == 1]

    def _other_half(self, surplus: int, missing: list[int], kind: Kind) -> int | None:
        here = self.differences[surplus].topic
        for n in missing:
            there = self.differences[n].vendor
            if here is None or there is None:
                continue
            is_beside = abs(n - surplus) == 1 and abs(self._steps[n] - self._steps[surplus]) <= 1
            if here.equals(there) if kind == "swapped" else is_beside and here.key == there.key:
                return n
        return None

    def _merge(self, surplus: int, missing: int, kind: Kind) -> None:
        one, other = self.differences[surplus], self.differences[missing]
        self.differences[surplus] = replace(one, kind=kind, vendor=other.vendor)
        self.differences[missing] = replace(other, records=0)
        self.counts -= Counter({"surplus": 1, "missing": 1})
        self.counts[kind] += 1


def _last_moment(rows: Rows, count: int) -> int:
    """Where the rows begin that have the time of the last of the first `count`."""
    if not count:
        return 0
    earlier = np.flatnonzero(rows.times_us[:count] != rows.times_us[count - 1])
    return int(earlier[-1]) + 1 if len(earlier) else 0


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
        place = row.number - there[0].number
        offset = here[place].number if place < len(here) else here[-1].number + 1
        yield Difference("missing", 1, day, offset, vendor=row)
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

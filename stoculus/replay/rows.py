"""What is played: a stretch of a merge, arranged by record type, and how far each topic has come."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from stoculus.reading.feed import Feed, Int64s
from stoculus.reading.merge import Merged
from stoculus.reading.times import joined
from stoculus.records.catalog import RecordType


@dataclass(frozen=True, slots=True)
class Lane:
    """The rows of one record type, in the order of the merge.

    `at`: which of all rows each is; `topic_of`: the number of its topic in the merge.
    """

    record: RecordType
    at: Int64s
    topic_of: NDArray[np.int32]
    records: pa.RecordBatch

    def span(self, first: int, end: int) -> slice:
        """Its rows of the rows `first` to `end` (excluded) of all."""
        low, high = self.at.searchsorted([first, end])
        return slice(int(low), int(high))


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of several topics in the order of `available_us`."""

    available_us: Int64s
    lanes: list[Lane]


def arranged(merged: Merged, feeds: Sequence[Feed], kept: NDArray[np.bool_]) -> Rows:
    """The rows of a merge for which `kept` holds."""
    number_of, row_of, available_us = merged.feed[kept], merged.row[kept], merged.available_us[kept]
    by_type: dict[str, list[int]] = {}
    for number in np.unique(number_of).tolist():
        by_type.setdefault(feeds[number].schema.record.name, []).append(number)
    lanes = []
    for numbers in by_type.values():
        at = np.flatnonzero(np.isin(number_of, numbers))
        records = _taken(merged.parts, numbers, number_of[at], row_of[at])
        lanes.append(Lane(feeds[numbers[0]].schema.record, at, number_of[at].astype(np.int32), records))
    return Rows(available_us, lanes)


def _taken(
    parts: Sequence[pa.RecordBatch], numbers: Sequence[int], number_of: Int64s, row_of: Int64s
) -> pa.RecordBatch:
    """Rows of some of the parts; within a part they ascend."""
    if len(numbers) == 1 and row_of[-1] - row_of[0] == len(row_of) - 1:
        return parts[numbers[0]].slice(int(row_of[0]), len(row_of)).replace_schema_metadata(None)
    starts = np.zeros(len(parts), np.int64)
    starts[numbers] = np.cumsum([0, *(parts[number].num_rows for number in numbers[:-1])])
    together = joined([parts[number].replace_schema_metadata(None) for number in numbers])
    return together.take(pa.array(starts[number_of] + row_of))


class Mark(NamedTuple):
    """How far a topic has come: the time of its last record (`available_at`), and how many have that time."""

    us: int
    records: int


class Progress:
    """How far topics have come, by their numbers in the merge. Records have no ids, and equal ones are common."""

    def __init__(self, marks: Mapping[int, Mark]) -> None:
        self._marks = dict(marks)
        self._to_skip: dict[int, Mark] = {}

    @property
    def last_us(self) -> int | None:
        """The newest time of all."""
        return max((mark.us for mark in self._marks.values()), default=None)

    def start_over(self) -> None:
        """The merge is read anew: from the last time on, or from an earlier one."""
        self._to_skip = dict(self._marks)

    def rest(self, merged: Merged) -> NDArray[np.bool_]:
        """Which rows are behind what the topics have."""
        kept = np.ones(len(merged), np.bool_)
        for number, mark in list(self._to_skip.items()):
            places = np.flatnonzero(merged.feed == number)
            times = merged.available_us[places]
            before, upto = times.searchsorted(mark.us), times.searchsorted(mark.us, "right")
            equal = min(int(upto - before), mark.records)
            kept[places[: before + equal]] = False
            self._to_skip[number] = Mark(mark.us, mark.records - equal)
            if upto < len(times):
                del self._to_skip[number]
        return kept

    def advance(self, merged: Merged, kept: NDArray[np.bool_]) -> None:
        """The topics have these rows, too."""
        number_of, available_us = merged.feed[kept], merged.available_us[kept]
        for number in np.unique(number_of).tolist():
            times = available_us[number_of == number]
            last_us = int(times[-1])
            count = len(times) - int(times.searchsorted(last_us))
            before = self._marks.get(number)
            more = before.records if before and before.us == last_us else 0
            self._marks[number] = Mark(last_us, count + more)

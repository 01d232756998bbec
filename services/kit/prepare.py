"""A vendor block to what is written: record columns, empty rows left out, order checked, Avro bodies."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from stoculus.calendar import to_utc_us
from stoculus.records.catalog import RecordType
from stoculus.records.codec import encode
from theta_client.client import BadRow, Block, Window

Convert = Callable[[pa.RecordBatch], pa.RecordBatch]
"""Vendor columns to record columns, row by row."""

IsEmpty = Callable[[pa.RecordBatch], pa.BooleanArray]
"""Which rows of record columns are empty: a bar without volume, a quote without a side."""

OUTSIDE: Final = "the time is outside of the requested range"
BACK: Final = "the time goes back"


@dataclass(frozen=True, slots=True)
class Prepared:
    """Rows ready to be written, in order: one key for all or one a row, event times (UTC) and Avro bodies; what was
    left out and set apart."""

    keys: bytes | pa.StringArray
    ts_event: pa.TimestampArray
    bodies: pa.BinaryArray
    bad_rows: list[BadRow]
    empty_rows: int
    raw_bytes: int

    def __len__(self) -> int:
        return len(self.bodies)

    def split(self, row: int) -> tuple["Prepared", "Prepared"]:
        """The rows before `row`, and the rest; what was left out and set apart goes with the rest."""
        head = replace(self._rows(slice(row)), bad_rows=[], empty_rows=0)
        return head, self._rows(slice(row, None))

    def _rows(self, rows: slice) -> "Prepared":
        keys = self.keys if isinstance(self.keys, bytes) else self.keys[rows]
        return replace(self, keys=keys, ts_event=self.ts_event[rows], bodies=self.bodies[rows])


class Preparer:
    """Prepares the blocks of one chunk of one instrument, in order. `key` is the record key of every row."""

    def __init__(
        self, key: bytes, record: RecordType, convert: Convert, is_empty: IsEmpty | None, window: Window
    ) -> None:
        self._key = key
        self._record = record
        self._convert = convert
        self._is_empty = is_empty
        self._low_us, self._high_us = bounds_us(window)
        self._last_us = self._low_us

    def prepare(self, blocks: Iterator[Block]) -> Iterator[Prepared]:
        """Convert, check and encode block by block."""
        for block in blocks:
            rows = self._convert(block.batch)
            rows, misplaced = self._check_times(rows, block)
            empty_rows = 0
            if self._is_empty and rows.num_rows:
                filled = rows.filter(pc.invert(self._is_empty(rows)))
                empty_rows = rows.num_rows - filled.num_rows
                rows = filled
            bad_rows = sorted([*block.bad_rows, *misplaced], key=lambda row: row.line)
            yield Prepared(
                self._key,
                cast(pa.TimestampArray, rows["ts_event"]),
                encode(rows, self._record),
                bad_rows,
                empty_rows,
                block.raw_bytes,
            )

    def _check_times(self, rows: pa.RecordBatch, block: Block) -> tuple[pa.RecordBatch, list[BadRow]]:
        """Set apart rows that go back in time or lie outside of the chunk."""
        times = rows["ts_event"].cast(pa.int64()).to_numpy(zero_copy_only=False)
        if not len(times):
            return rows, []
        inside = (times >= self._low_us) & (times <= self._high_us)
        before = np.concatenate(([self._last_us], np.where(inside, times, self._low_us)))
        highest = np.maximum.accumulate(before)
        ascends = times >= highest[:-1]
        self._last_us = int(highest[-1])
        _, outside = set_apart(rows, block, inside, OUTSIDE)
        _, back = set_apart(rows, block, ascends | ~inside, BACK)
        misplaced = [*outside, *back]
        return (rows.filter(pa.array(inside & ascends)) if misplaced else rows), misplaced


def set_apart(
    rows: pa.RecordBatch, block: Block, good: NDArray[np.bool_], cause: str
) -> tuple[pa.RecordBatch, list[BadRow]]:
    """The good rows of a block, and the others as they were sent."""
    if good.all():
        return rows, []
    lines = block.lines.to_numpy(zero_copy_only=False)[np.flatnonzero(~good)].tolist()
    bad = [BadRow(line, raw, cause) for line, raw in zip(lines, block.raw_lines(lines), strict=True)]
    return rows.filter(pa.array(good)), bad


def bounds_us(window: Window) -> tuple[int, int]:
    """First and last moment of a window, in microseconds, UTC; no bounds for reports."""
    if window.start_time is None or window.end_time is None:
        # EOD: the report comes after the close, at times of its own.
        return 0, np.iinfo(np.int64).max
    return to_utc_us(window.start, window.start_time), to_utc_us(window.end, window.end_time)

"""A vendor block to what is written: record columns, empty rows left out, order checked, Avro bodies."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stoculus.calendar import to_utc
from stoculus.records.catalog import RecordType
from stoculus.records.codec import encode
from theta_client.client import BadRow, Block, Window

Convert = Callable[[pa.RecordBatch], pa.RecordBatch]
"""Vendor columns to record columns, row by row."""

IsEmpty = Callable[[pa.RecordBatch], pa.BooleanArray]
"""Which rows of record columns are empty: a bar without volume, a quote without a side."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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
        keys = (self.keys, self.keys) if isinstance(self.keys, bytes) else (self.keys[:row], self.keys[row:])
        head, rest = (
            replace(self, keys=part, ts_event=self.ts_event[rows], bodies=self.bodies[rows])
            for part, rows in zip(keys, (slice(row), slice(row, None)), strict=True)
        )
        return replace(head, bad_rows=[], empty_rows=0), rest


class Preparer:
    """Prepares the blocks of one chunk of one instrument, in order. `key` is the record key of every row."""

    def __init__(
        self, key: bytes, record: RecordType, convert: Convert, is_empty: IsEmpty | None, window: Window
    ) -> None:
        self._key = key
        self._record = record
        self._convert = convert
        self._is_empty = is_empty
        self._low_us, self._high_us = _bounds_us(window)
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
        good = inside & (times >= highest[:-1])
        self._last_us = int(highest[-1])
        if good.all():
            return rows, []
        misplaced = np.flatnonzero(~good)
        lines = block.lines.to_numpy(zero_copy_only=False)[misplaced].tolist()
        bad = [
            BadRow(line, raw, "the time goes back" if is_inside else "the time is outside of the requested range")
            for line, raw, is_inside in zip(lines, block.raw_lines(lines), inside[misplaced], strict=True)
        ]
        return rows.filter(pa.array(good)), bad


def _bounds_us(window: Window) -> tuple[int, int]:
    if window.start_time is None or window.end_time is None:
        # EOD: the report comes after the close, at times of its own.
        return 0, np.iinfo(np.int64).max
    low = to_utc(window.start, window.start_time)
    high = to_utc(window.end, window.end_time)
    micro = timedelta(microseconds=1)
    return (low - _EPOCH) // micro, (high - _EPOCH) // micro

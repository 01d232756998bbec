"""Feeds in memory, and records for them."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from stoculus.reading.feed import FOREVER_US
from stoculus.records.catalog import RecordType, Schema, parse_schema

OPEN_US = 1_704_205_800_000_000  # 2024-01-02 09:30 in New York


def records(record: RecordType, times_us: Sequence[int], symbol: str = "AAPL", **columns: Any) -> pa.RecordBatch:
    """Records at these times; numbers count them."""
    count = len(times_us)
    told = {"symbol": [symbol] * count, "ts_event": list(times_us), **columns}
    arrays = [
        pa.array(told[each.name], pa.int64() if each.name not in columns and each.name == "ts_event" else None)
        if each.name in told
        else pa.array(range(count), pa.int32() if pa.types.is_date32(each.type) else pa.int64())
        for each in record.arrow
    ]
    typed = [array.cast(each.type) for array, each in zip(arrays, record.arrow, strict=True)]
    return pa.RecordBatch.from_arrays(typed, schema=record.arrow)


class ListFeed:
    """A feed of batches. None among them: nothing has come; a number: complete until then."""

    def __init__(self, topic: str, schema: str, batches: Sequence[pa.RecordBatch | int | None]) -> None:
        self.topic = topic
        self.symbol = "AAPL"
        self.schema: Schema = parse_schema(schema, asset="option" if schema.startswith("greeks") else "stock")
        self._left = list(batches)
        self._until_us = 0
        self.polls = 0
        self.is_closed = False

    @property
    def is_done(self) -> bool:
        return not self._left

    @property
    def complete_until_us(self) -> int:
        return self._until_us if self._left else FOREVER_US

    def poll(self) -> pa.RecordBatch | None:
        self.polls += 1
        batch = self._left.pop(0)
        if isinstance(batch, int):
            self._until_us = max(self._until_us, batch)
            return None
        if batch is not None and batch.num_rows:
            self._until_us = max(self._until_us, batch["ts_event"].cast(pa.int64())[-1].as_py())
        return batch

    def close(self) -> None:
        self.is_closed = True

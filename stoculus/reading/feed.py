"""What every reader stands on: the records of one topic, or of one exported series, in order."""

from typing import Any, Final, Protocol, TypeVar

import numpy as np
import pyarrow as pa

from stoculus.records.catalog import Schema

Int64s = np.ndarray[Any, np.dtype[np.int64]]
_Columns = TypeVar("_Columns", pa.RecordBatch, pa.Schema)
FOREVER_US: Final = int(np.iinfo(np.int64).max)
"""Later than any record."""


class Feed(Protocol):
    """The records of one topic, or of one exported series, in order, between two market times."""

    @property
    def topic(self) -> str: ...

    @property
    def symbol(self) -> str:
        """The ticker, or the root of a chain."""
        ...

    @property
    def schema(self) -> Schema: ...

    @property
    def is_done(self) -> bool:
        """Whether all has been polled."""
        ...

    @property
    def complete_until_us(self) -> int:
        """What `poll` will still give has this `ts_event` or a later one; microseconds since the epoch."""
        ...

    def poll(self) -> pa.RecordBatch | None:
        """The next records; None where there are none at the moment, which has taken some milliseconds then.

        Raise what hinders it, and what says that the rest will never come.
        """
        ...

    def close(self) -> None: ...


def times_us(batch: pa.RecordBatch, column: str = "ts_event") -> Int64s:
    """A column of times as microseconds since the epoch, UTC."""
    return batch[column].cast(pa.int64()).to_numpy(zero_copy_only=False)


def topic_of(batch: pa.RecordBatch) -> str:
    """The topic that a batch of a reader is of, from its schema's metadata."""
    return (batch.schema.metadata or {})[b"topic"].decode()


def named(columns: _Columns, feed: Feed) -> _Columns:
    """The batch or schema with the feed's topic, symbol and schema in its metadata."""
    told = {"topic": feed.topic, "symbol": feed.symbol, "schema": feed.schema.name}
    if isinstance(columns, pa.Schema):
        return columns.with_metadata(told)
    return columns.replace_schema_metadata(told)

"""Records as named tuples, for code that looks at one after another."""

from collections import namedtuple
from datetime import UTC, datetime
from functools import lru_cache
from keyword import iskeyword
from typing import Any

import numpy as np
import pyarrow as pa

from stoculus.records.catalog import RecordType


@lru_cache
def row_type(record: RecordType) -> type[Any]:
    """The named tuple of a record type: `StockQuote(symbol, ts_event, bid_size, …)`.

    Its fields are the columns: times are aware datetimes in UTC, dates are dates, enums strings, nulls None. The greek
    lambda, a word of Python, is `lambda_`.
    """
    return namedtuple(record.name, [f"{name}_" if iskeyword(name) else name for name in record.arrow.names])


def rows(batch: pa.RecordBatch, record: RecordType) -> list[Any]:
    """The records of a batch, in order."""
    return list(map(row_type(record)._make, zip(*map(_values, batch.columns), strict=True)))


def datetimes(times_us: "np.ndarray[Any, np.dtype[np.int64]]") -> list[datetime]:
    """Microseconds since the epoch as aware datetimes in UTC."""
    naive: list[datetime] = times_us.astype("datetime64[us]").tolist()
    return [moment.replace(tzinfo=UTC) for moment in naive]


def _values(column: "pa.Array[Any]") -> list[Any]:
    """As `to_pylist`, which makes an Arrow scalar of every value first: several times as slow."""
    if column.null_count:
        return column.to_pylist()
    if pa.types.is_timestamp(column.type):
        return datetimes(column.cast(pa.int64()).to_numpy(zero_copy_only=False))
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        values: list[Any] = column.to_numpy(zero_copy_only=False).tolist()
        return values
    # Symbols, rights and expirations repeat.
    encoded: Any = column.dictionary_encode()
    return list(map(encoded.dictionary.to_pylist().__getitem__, encoded.indices.to_numpy().tolist()))
